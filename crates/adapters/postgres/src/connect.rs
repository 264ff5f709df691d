use diesel::Connection;
use diesel::pg::PgConnection;
use url::Url;

use crate::error::without_quotes;

/// Without these a server that has gone silent holds a connection for many minutes: libpq and TCP are patient. Seconds, but
/// for the last one, which is in milliseconds.
const IMPATIENCE: [(&str, &str); 5] = [
    ("connect_timeout", "5"),
    ("keepalives_idle", "30"),
    ("keepalives_interval", "10"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "15000"),
];

/// Opens a connection. The error's text holds nothing of the URL that could be a part of the password.
pub(crate) fn connect(url: &str) -> Result<PgConnection, String> {
    PgConnection::establish(&with_time_outs(url)).map_err(|error| without_quotes(&error.to_string()))
}

/// What the URL says itself stays.
fn with_time_outs(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return url.to_owned() };
    let said: Vec<String> = parsed.query_pairs().map(|(name, _)| name.into_owned()).collect();
    let missing = IMPATIENCE.iter().filter(|(name, _)| !said.iter().any(|known| known == name));
    parsed.query_pairs_mut().extend_pairs(missing);
    parsed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_outs_are_added_and_those_of_the_url_stay() {
        let url = with_time_outs("postgres://u:p%2Fw@h:5/db?connect_timeout=60&sslmode=require");
        assert!(
            url.starts_with(
                "postgres://u:p%2Fw@h:5/db?connect_timeout=60&sslmode=require&keepalives_idle=30"
            )
        );
        assert!(url.ends_with("tcp_user_timeout=15000"), "{url}");
        assert_eq!(url.matches("connect_timeout").count(), 1);
    }

    #[test]
    fn what_libpq_quotes_of_a_url_is_cut() {
        let error = connect("postgres://u:pa/ss@127.0.0.1:x/db").err().expect("no such server");
        assert!(!error.contains("pa"), "{error}");
    }
}
