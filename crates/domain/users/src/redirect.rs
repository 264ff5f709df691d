use url::Url;

/// A place a mail link may lead to, taken from an allow-list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectTarget(Url);

impl RedirectTarget {
    /// Reads back a target that was allowed when it was stored.
    pub fn from_stored(url: &str) -> Option<Self> {
        Url::parse(url).ok().map(Self)
    }

    /// The address with `parameters` added to its query. A fragment is kept and gets the same query, because apps with
    /// hash routes read it there.
    pub fn with_query(&self, parameters: &[(&str, &str)]) -> String {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        if let (Some(fragment), Some(query)) = (self.0.fragment(), url.query().map(str::to_owned)) {
            let joint = if fragment.contains('?') { '&' } else { '?' };
            url.set_fragment(Some(&format!("{fragment}{joint}{query}")));
        }
        url.into()
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Where mail links may lead. Empty means nowhere.
#[derive(Debug, Clone, Default)]
pub struct RedirectAllowlist(Vec<Url>);

impl RedirectAllowlist {
    /// Each entry is a URL whose scheme, host and port must be met exactly and whose path must be met as a prefix of
    /// whole segments. Fails with the first entry that is no such URL.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let parse = |entry: &str| match Url::parse(entry) {
            Ok(url) if is_plain(entry, &url) => Ok(url),
            _ => Err(entry.to_owned()),
        };
        entries.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// The target, if it is allowed.
    ///
    /// Compared on the parsed parts, never on the text: text patterns also match other hosts that carry the pattern in
    /// their path.
    pub fn allow(&self, raw: &str) -> Option<RedirectTarget> {
        let url = Url::parse(raw).ok().filter(|url| is_plain(raw, url))?;
        let is_allowed = self.0.iter().any(|entry| {
            entry.scheme() == url.scheme()
                && entry.host() == url.host()
                && entry.port_or_known_default() == url.port_or_known_default()
                && is_below(url.path(), entry.path())
        });
        is_allowed.then_some(RedirectTarget(url))
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// No control characters, no blanks, no backslashes, no user-info, and a scheme that runs no script.
fn is_plain(raw: &str, url: &Url) -> bool {
    raw.len() <= 2000
        && raw.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
        && url.username().is_empty()
        && url.password().is_none()
        && url.has_host()
        && !["javascript", "data", "vbscript", "file", "blob"].contains(&url.scheme())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(raw: &str) -> bool {
        RedirectAllowlist::parse([
            "https://app.example.org/reset",
            "worklete://reset",
            "http://localhost:8080",
        ])
        .is_ok_and(|list| list.allow(raw).is_some())
    }

    #[test]
    fn scheme_host_port_and_path_must_fit() {
        for good in [
            "https://app.example.org/reset",
            "https://APP.example.org:443/reset/now?x=1#y",
            "worklete://reset",
            "http://localhost:8080/any/where",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in [
            "http://app.example.org/reset",
            "https://app.example.org/resets",
            "https://app.example.org/other",
            "https://app.example.org/reset/../other",
            "https://evil.example.org/https://app.example.org/reset",
            "https://app.example.org.evil.org/reset",
            "https://app.example.org:8443/reset",
            "https://user@app.example.org/reset",
            "https://app.example.org/reset\nx",
            "https:\\\\app.example.org/reset",
            "//app.example.org/reset",
            "javascript:alert(1)",
            "",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        assert_eq!(RedirectAllowlist::default().allow("https://app.example.org/"), None);
    }

    #[test]
    fn a_bad_entry_is_named() {
        assert_eq!(RedirectAllowlist::parse(["*.example.org"]).err(), Some("*.example.org".to_owned()));
    }

    #[test]
    fn parameters_join_the_query_and_the_fragment() {
        let with =
            |raw| RedirectTarget::from_stored(raw).map(|target| target.with_query(&[("token", "a b")]));
        assert_eq!(with("https://a.org/x?y=1").as_deref(), Some("https://a.org/x?y=1&token=a+b"));
        assert_eq!(
            with("https://a.org/#/reset").as_deref(),
            Some("https://a.org/?token=a+b#/reset?token=a+b")
        );
    }
}
