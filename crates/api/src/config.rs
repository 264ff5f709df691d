//! Configuration, from the environment (and from `.env`, unless `WORKLETE_ENV=production`). This is the one file that reads it; `.env.example`
//! shows every variable, and a test compares the two.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use adapter_mail::MailTransport;
use adapter_postgres::PgSettings;
use adapter_s3::S3Server;
use adapter_security::ThrottleLimits;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use domain_memberships::roster::RosterLimits;
use domain_users::{RedirectAllowlist, Secret, SessionPolicy, UserPolicy};
use ipnet::IpNet;
use url::Url;

/// A variable with a value that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct ConfigError {
    name: String,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(name: &str, problem: impl Display) -> Self {
        Self { name: name.to_owned(), problem: problem.to_string() }
    }
}

/// Where the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// On somebody's own machine: readable logs, demo data, CORS open.
    Development,
    /// For customers.
    Production,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Certificate and key, both PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Who may call from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Every origin. Safe with our header tokens, which no browser sends by itself, but an invitation to mistakes.
    Any,
    /// These.
    Listed(Vec<String>),
}

/// Requests that one session may make.
#[derive(Debug, Clone, Copy)]
pub struct SessionRate {
    /// Sustained, per second.
    pub per_second: u32,
    /// At once.
    pub burst: u32,
}

/// Which storage holds the files.
#[derive(Debug, Clone)]
pub enum StorageServer {
    /// S3, or what speaks its language.
    S3(S3Server),
    /// One in this process, for development.
    #[cfg(feature = "embedded-s3")]
    Embedded {
        /// Where its files lie.
        folder: PathBuf,
        /// Where it listens.
        address: SocketAddr,
    },
}

/// Where files are kept.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// In which storage.
    pub server: StorageServer,
    /// The bucket of the files that go to and fro between customers and us.
    pub roster_bucket: String,
}

/// Everything that can be set.
#[derive(Clone)]
pub struct Config {
    /// Where the server runs.
    pub environment: Environment,
    /// The database.
    pub database: PgSettings,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address that people and mail links use, without a slash at the end.
    pub public_url: String,
    /// TLS, if the server speaks it itself.
    pub tls: Option<TlsFiles>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Who may call from a browser.
    pub cors_origins: CorsOrigins,
    /// Log lines.
    pub log_format: LogFormat,
    /// Which log lines, in the notation of `tracing`.
    pub log_filter: String,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long requests under way may take to finish when the server stops.
    pub shutdown_timeout: Duration,
    /// Largest body.
    pub max_body_bytes: usize,
    /// Streams that may be open at once.
    pub max_streams: usize,
    /// Token for `/metrics`; open when there is none.
    pub metrics_token: Option<String>,
    /// Work of bcrypt.
    pub bcrypt_cost: u32,
    /// Passwords that may wait to be hashed.
    pub bcrypt_queue: usize,
    /// Accounts and sessions.
    pub users: UserPolicy,
    /// How long a new invitation works.
    pub invitation_lifespan: TimeDelta,
    /// The sign-up page of the app, which invitation mails lead to.
    pub sign_up_url: Option<Url>,
    /// Mail.
    pub mail: MailTransport,
    /// Sender of mail.
    pub mail_from: String,
    /// Where files are kept; nowhere when it is none.
    pub storage: Option<StorageConfig>,
    /// Token of a storage that tells of new files; without one it is not listened to.
    pub storage_events_token: Option<String>,
    /// How much of a roster is taken.
    pub rosters: RosterLimits,
    /// How often folders are looked into; never when it is none.
    pub roster_poll: Option<Duration>,
    /// Jobs that are done at the same time; 0 leaves them to other processes.
    pub workers: u32,
    /// How long a worker has a job without a word.
    pub worker_lease: TimeDelta,
    /// Budgets of the throttles.
    pub throttle: ThrottleLimits,
    /// Requests that one session may make.
    pub session_rate: SessionRate,
}

/// The environment, with a memory of what was asked of it.
struct Variables<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    asked: RefCell<BTreeSet<String>>,
}

impl<'a> Variables<'a> {
    fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { get, asked: RefCell::default() }
    }

    /// An empty value counts as absent: that is what a line `NAME=` in a file means.
    fn text(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().insert(name.to_owned());
        (self.get)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn parsed<T: FromStr>(&self, name: &str, expected: &str, default: T) -> Result<T, ConfigError> {
        let parse =
            |value: String| value.parse().map_err(|_| ConfigError::new(name, format!("must be {expected}")));
        self.text(name).map_or(Ok(default), parse)
    }

    fn number(&self, name: &str, min: u32, max: u32, default: u32) -> Result<u32, ConfigError> {
        let expected = format!("a whole number from {min} to {max}");
        let number = self.parsed(name, &expected, default)?;
        if (min..=max).contains(&number) {
            return Ok(number);
        }
        Err(ConfigError::new(name, format!("must be {expected}")))
    }

    fn seconds(&self, name: &str, max: u32, default: u32) -> Result<Duration, ConfigError> {
        self.number(name, 1, max, default).map(|seconds| Duration::from_secs(seconds.into()))
    }

    fn days(&self, name: &str, default: u32) -> Result<TimeDelta, ConfigError> {
        self.number(name, 1, 3650, default).map(|days| TimeDelta::days(days.into()))
    }

    fn flag(&self, name: &str) -> Result<bool, ConfigError> {
        self.parsed(name, "true or false", false)
    }

    fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    fn word<T: Copy>(&self, name: &str, words: &[(&str, T)], default: T) -> Result<T, ConfigError> {
        let Some(value) = self.text(name) else {
            return Ok(default);
        };
        let known = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
        known.ok_or_else(|| {
            let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            ConfigError::new(name, format!("must be one of: {}", all.join(", ")))
        })
    }
}

impl Config {
    /// Reads the process environment, and `.env` unless `WORKLETE_ENV=production` is set.
    pub fn from_env() -> Result<Self, ConfigError> {
        let is_production = std::env::var("WORKLETE_ENV").is_ok_and(|value| value == "production");
        if !is_production && dotenvy::dotenv().is_err_and(|error| !error.not_found()) {
            return Err(ConfigError::new(".env", "cannot be read: each line must be NAME=value"));
        }
        Self::from_variables(&|name| std::env::var(name).ok())
    }

    /// Reads the variables that `get` knows.
    pub fn from_variables(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::read(&Variables::new(get))
    }

    /// Reads everything from `variables`; stops at the first that cannot be used.
    fn read(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let environments =
            [("development", Environment::Development), ("production", Environment::Production)];
        let environment = variables.word("WORKLETE_ENV", &environments, Environment::Production)?;
        let is_development = environment == Environment::Development;
        let default_format = if is_development { LogFormat::Text } else { LogFormat::Json };
        let formats = [("json", LogFormat::Json), ("text", LogFormat::Text)];
        let public_url = read_public_url(variables)?;
        let (listen, tls) = read_listener(variables)?;
        let invitation_lifespan = variables.days("INVITATION_LIFETIME_DAYS", 30)?;
        Ok(Self {
            environment,
            database: read_database(variables)?,
            listen,
            tls,
            trusted_proxies: read_proxies(variables)?,
            cors_origins: read_origins(variables, is_development)?,
            log_format: variables.word("LOG_FORMAT", &formats, default_format)?,
            log_filter: variables.text("LOG_FILTER").unwrap_or_else(|| "info".into()),
            body_timeout: variables.seconds("BODY_TIMEOUT_SECONDS", 600, 15)?,
            shutdown_timeout: variables.seconds("SHUTDOWN_TIMEOUT_SECONDS", 600, 30)?,
            max_body_bytes: variables.number("MAX_BODY_BYTES", 1024, 64 << 20, 2 << 20)? as usize,
            max_streams: variables.number("MAX_STREAMS", 0, 100_000, 500)? as usize,
            metrics_token: variables.text("METRICS_TOKEN"),
            bcrypt_cost: variables.number("BCRYPT_COST", 4, 16, 12)?,
            bcrypt_queue: variables.number("BCRYPT_QUEUE", 1, 10_000, 64)? as usize,
            users: read_users(variables, &public_url)?,
            invitation_lifespan,
            sign_up_url: read_web_url(variables, "SIGN_UP_URL", "https://app.example.org/sign-up")?,
            mail: read_mail(variables)?,
            mail_from: variables.text("MAIL_FROM").unwrap_or_else(|| "Worklete <no-reply@localhost>".into()),
            storage: read_storage(variables, is_development)?,
            storage_events_token: variables.text("STORAGE_EVENTS_TOKEN"),
            rosters: RosterLimits {
                max_bytes: variables.number("ROSTER_MAX_BYTES", 1000, 1_000_000_000, 50_000_000)?.into(),
                upload_lifespan: TimeDelta::minutes(15),
                invitation_lifespan,
            },
            roster_poll: match variables.number("ROSTER_POLL_SECONDS", 0, 86_400, 60)? {
                0 => None,
                seconds => Some(Duration::from_secs(seconds.into())),
            },
            workers: variables.number("WORKERS", 0, 64, 2)?,
            worker_lease: TimeDelta::seconds(variables.number("WORKER_LEASE_SECONDS", 5, 3600, 60)?.into()),
            throttle: read_throttle(variables)?,
            session_rate: SessionRate {
                per_second: variables.number("RATE_SESSION_PER_SECOND", 1, 100_000, 20)?,
                burst: variables.number("RATE_SESSION_BURST", 1, 100_000, 200)?,
            },
            public_url,
        })
    }
}

fn read_database(variables: &Variables<'_>) -> Result<PgSettings, ConfigError> {
    let expected = "must be set, such as postgres://worklete:password@localhost/worklete";
    let url = variables.text("DATABASE_URL").ok_or_else(|| ConfigError::new("DATABASE_URL", expected))?;
    if !is_database_url(&url) {
        let problem = "must be a URL such as postgres://worklete:password@localhost/worklete, special characters of the \
            password written as %XX";
        return Err(ConfigError::new("DATABASE_URL", problem));
    }
    // Four a core are as fast as eight when the database is near, and their slowest answers come twice as early: whoever
    // waits in line waits less than who shares a core with many. More than eight make PostgreSQL slower.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let default_size = u32::try_from(cores * 4).unwrap_or(8);
    Ok(PgSettings {
        url,
        pool_size: variables.number("DATABASE_POOL_SIZE", 1, 1000, default_size)?,
        acquire_timeout: variables.seconds("DATABASE_ACQUIRE_TIMEOUT_SECONDS", 60, 3)?,
        statement_timeout: variables.seconds("DATABASE_STATEMENT_TIMEOUT_SECONDS", 600, 10)?,
    })
}

/// Checked here because libpq quotes what it cannot read, and that may be a part of the password.
fn is_database_url(url: &str) -> bool {
    let is_escape = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    let has_good_escapes = url.split('%').skip(1).all(is_escape);
    let is_known =
        |parsed: &Url| matches!(parsed.scheme(), "postgres" | "postgresql") && parsed.fragment().is_none();
    has_good_escapes && Url::parse(url).is_ok_and(|parsed| is_known(&parsed))
}

fn read_web_url(variables: &Variables<'_>, name: &str, example: &str) -> Result<Option<Url>, ConfigError> {
    let Some(text) = variables.text(name) else { return Ok(None) };
    let parsed = Url::parse(&text).ok();
    let url = parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.map(Some).ok_or_else(|| ConfigError::new(name, format!("must be a URL such as {example}")))
}

fn read_public_url(variables: &Variables<'_>) -> Result<String, ConfigError> {
    let url = read_web_url(variables, "PUBLIC_URL", "https://api.example.org")?;
    let url = url.map_or_else(|| "http://localhost:3001".into(), String::from);
    Ok(url.trim_end_matches('/').to_owned())
}

fn read_listener(variables: &Variables<'_>) -> Result<(SocketAddr, Option<TlsFiles>), ConfigError> {
    let default = SocketAddr::from(([127, 0, 0, 1], 3001));
    let listen =
        variables.parsed("LISTEN_ADDRESS", "an address and a port such as 127.0.0.1:3001", default)?;
    let tls = match (variables.text("TLS_CERT"), variables.text("TLS_KEY")) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.into(), key: key.into() }),
        (None, None) => None,
        (Some(_), None) => return Err(ConfigError::new("TLS_KEY", "must be set when TLS_CERT is")),
        (None, Some(_)) => return Err(ConfigError::new("TLS_CERT", "must be set when TLS_KEY is")),
    };
    let is_plain_allowed = variables.flag("ALLOW_PLAIN_HTTP")?;
    if tls.is_none() && !listen.ip().is_loopback() && !is_plain_allowed {
        let problem =
            "is not a loopback address: set TLS_CERT and TLS_KEY, or ALLOW_PLAIN_HTTP=true behind a proxy";
        return Err(ConfigError::new("LISTEN_ADDRESS", problem));
    }
    Ok((listen, tls))
}

fn read_proxies(variables: &Variables<'_>) -> Result<Vec<IpNet>, ConfigError> {
    let parse = |item: &String| item.parse().or_else(|_| item.parse().map(|ip: std::net::IpAddr| ip.into()));
    let proxies = variables.list("TRUSTED_PROXIES");
    let parsed: Result<Vec<IpNet>, _> = proxies.iter().map(parse).collect();
    parsed
        .map_err(|_| ConfigError::new("TRUSTED_PROXIES", "must be addresses or networks such as 10.0.0.0/8"))
}

fn read_origins(variables: &Variables<'_>, is_development: bool) -> Result<CorsOrigins, ConfigError> {
    let name = "CORS_ALLOWED_ORIGINS";
    let origins = variables.list(name);
    if origins == ["*"] || (origins.is_empty() && is_development) {
        return Ok(CorsOrigins::Any);
    }
    let is_origin = |origin: &String| {
        Url::parse(origin)
            .is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == *origin)
    };
    if origins.iter().all(is_origin) {
        return Ok(CorsOrigins::Listed(origins));
    }
    Err(ConfigError::new(name, "must be * or origins such as https://app.example.org, without a path"))
}

fn read_users(variables: &Variables<'_>, public_url: &str) -> Result<UserPolicy, ConfigError> {
    let redirects = variables.list("AUTH_REDIRECT_ALLOWLIST");
    let redirects = RedirectAllowlist::parse(redirects.iter().map(String::as_str)).map_err(|_| {
        ConfigError::new("AUTH_REDIRECT_ALLOWLIST", "must be URLs such as https://app.example.org/reset")
    })?;
    let default_redirect = variables.text("AUTH_DEFAULT_REDIRECT_URL");
    if default_redirect.as_deref().is_some_and(|url| redirects.allow(url).is_none()) {
        return Err(ConfigError::new(
            "AUTH_DEFAULT_REDIRECT_URL",
            "must be allowed by AUTH_REDIRECT_ALLOWLIST",
        ));
    }
    let reset_minutes = variables.number("PASSWORD_RESET_LIFETIME_MINUTES", 5, 1440, 60)?;
    Ok(UserPolicy {
        sessions: SessionPolicy {
            lifespan: variables.days("SESSION_LIFETIME_DAYS", 14)?,
            absolute_lifespan: variables.days("SESSION_ABSOLUTE_LIFETIME_DAYS", 90)?,
            limit: variables.number("SESSIONS_PER_USER", 1, 1000, 10)?,
            rotation_key: read_rotation_key(variables)?,
            ..SessionPolicy::default()
        },
        open_registration: variables.flag("OPEN_REGISTRATION")?,
        redirects,
        default_redirect,
        reset_link: format!("{public_url}/api/v1/auth/password/edit"),
        reset_lifespan: TimeDelta::minutes(reset_minutes.into()),
        erasure_delay: variables.days("ACCOUNT_ERASURE_DAYS", 30)?,
        ended_session_retention: variables.days("SESSION_RETENTION_DAYS", 14)?,
        certification_lifespan: variables.days("CHAMPION_CERTIFICATION_DAYS", 365)?,
    })
}

fn read_rotation_key(variables: &Variables<'_>) -> Result<Option<Secret>, ConfigError> {
    let rotates = variables.flag("AUTH_ROTATE_TOKENS")?;
    let key = variables.text("AUTH_TOKEN_KEY");
    if !rotates {
        return Ok(None);
    }
    let problem =
        "must be 32 random bytes in base64 (openssl rand -base64 32) when AUTH_ROTATE_TOKENS is true";
    let bytes = key.and_then(|key| STANDARD.decode(key).ok()).and_then(|bytes| bytes.try_into().ok());
    bytes.map(|bytes| Some(Secret::new(bytes))).ok_or_else(|| ConfigError::new("AUTH_TOKEN_KEY", problem))
}

fn read_mail(variables: &Variables<'_>) -> Result<MailTransport, ConfigError> {
    let folder = variables.text("MAIL_FOLDER").unwrap_or_else(|| ".local/mail".into());
    match variables.text("SMTP_URL") {
        None => Ok(MailTransport::Folder(folder.into())),
        Some(url) if url.starts_with("smtp://") || url.starts_with("smtps://") => {
            Ok(MailTransport::Smtp(url))
        }
        Some(_) => Err(ConfigError::new("SMTP_URL", "must look like smtps://user:password@mail.example.org")),
    }
}

/// The bucket that is configured, else in development the embedded storage, else none.
fn read_storage(
    variables: &Variables<'_>,
    is_development: bool,
) -> Result<Option<StorageConfig>, ConfigError> {
    let outside = read_s3(variables)?;
    let embedded = read_embedded_s3(variables, is_development)?;
    let bucket = variables.text("S3_BUCKET");
    let Some(roster_bucket) = bucket else {
        if outside.endpoint.is_some() {
            return Err(ConfigError::new("S3_BUCKET", "must be set when S3_ENDPOINT is"));
        }
        return Ok(embedded.map(|server| StorageConfig { server, roster_bucket: "integrations".into() }));
    };
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    if !(3..=63).contains(&roster_bucket.len()) || !roster_bucket.bytes().all(is_plain) {
        let problem = "must be the name of a bucket: 3 to 63 lower-case letters, digits, - and .";
        return Err(ConfigError::new("S3_BUCKET", problem));
    }
    Ok(Some(StorageConfig { server: StorageServer::S3(outside), roster_bucket }))
}

fn read_s3(variables: &Variables<'_>) -> Result<S3Server, ConfigError> {
    Ok(S3Server {
        endpoint: read_web_url(variables, "S3_ENDPOINT", "https://storage.example.org")?,
        public_endpoint: read_web_url(variables, "S3_PUBLIC_ENDPOINT", "https://storage.example.org")?,
        region: variables.text("S3_REGION"),
        path_style: variables.flag("S3_PATH_STYLE")?,
        keys: None,
    })
}

fn read_embedded_s3(
    variables: &Variables<'_>,
    is_development: bool,
) -> Result<Option<StorageServer>, ConfigError> {
    let (name, folder) = ("S3_EMBEDDED_FOLDER", variables.text("S3_EMBEDDED_FOLDER"));
    let default = SocketAddr::from(([127, 0, 0, 1], 0));
    let address =
        variables.parsed("S3_EMBEDDED_ADDRESS", "an address and a port such as 127.0.0.1:9000", default)?;
    if !address.ip().is_loopback() {
        return Err(ConfigError::new("S3_EMBEDDED_ADDRESS", "must be a loopback address"));
    }
    if folder.is_some() && !is_development {
        return Err(ConfigError::new(name, "is for development: set S3_BUCKET in production"));
    }
    if folder.is_some() && cfg!(not(feature = "embedded-s3")) {
        return Err(ConfigError::new(name, "cannot be used: this binary was built without embedded-s3"));
    }
    #[cfg(feature = "embedded-s3")]
    if is_development {
        let folder = folder.unwrap_or_else(|| ".local/s3".into()).into();
        return Ok(Some(StorageServer::Embedded { folder, address }));
    }
    Ok(None)
}

fn read_throttle(variables: &Variables<'_>) -> Result<ThrottleLimits, ConfigError> {
    let count =
        |name: &str, default| variables.number(name, 1, 1_000_000, default).map(|number| number as usize);
    let seconds = |name: &str, default| {
        variables.number(name, 1, 86_400, default).map(|seconds| TimeDelta::seconds(seconds.into()))
    };
    Ok(ThrottleLimits {
        window: seconds("RATE_WINDOW_SECONDS", 600)?,
        sign_in_failures_of_account: count("RATE_SIGN_IN_FAILURES_PER_ACCOUNT", 10)?,
        first_wait: seconds("RATE_SIGN_IN_FIRST_WAIT_SECONDS", 30)?,
        longest_wait: seconds("RATE_SIGN_IN_LONGEST_WAIT_SECONDS", 900)?,
        sign_in_failures_of_address: count("RATE_SIGN_IN_FAILURES_PER_ADDRESS", 100)?,
        sign_ups_of_address: count("RATE_SIGN_UPS_PER_ADDRESS", 30)?,
        username_lookups_of_address: count("RATE_USERNAME_LOOKUPS_PER_ADDRESS", 60)?,
        wrong_invite_codes_of_address: count("RATE_WRONG_INVITE_CODES_PER_ADDRESS", 10)?,
        reset_mails_of_address: count("RATE_RESET_MAILS_PER_ADDRESS", 10)?,
        reset_mails_of_account: count("RATE_RESET_MAILS_PER_ACCOUNT", 3)?,
        invitation_mails_of_membership: count("RATE_INVITATION_MAILS_PER_MEMBERSHIP", 5)?,
        password_changes_of_account: count("RATE_PASSWORD_CHANGES_PER_ACCOUNT", 10)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: (&str, &str) = ("DATABASE_URL", "postgres://localhost/worklete");

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        let get = |name: &str| {
            let set = variables.iter().chain([&URL]).find(|(known, _)| *known == name);
            set.map(|(_, value)| (*value).to_owned())
        };
        Config::read(&Variables::new(&get)).map_err(|error| error.to_string())
    }

    fn refused(name: &str, value: &str) -> String {
        read(&[(name, value)]).err().unwrap_or_else(|| panic!("{name}={value} was taken"))
    }

    #[test]
    fn the_defaults_are_those_of_production() {
        let config = read(&[]).expect("defaults");
        assert_eq!(config.environment, Environment::Production);
        assert_eq!(config.log_format, LogFormat::Json);
        assert_eq!(config.cors_origins, CorsOrigins::Listed(vec![]));
        assert_eq!((config.bcrypt_cost, config.session_rate.burst), (12, 200));
    }

    #[test]
    fn a_wrong_value_is_one_line_that_names_the_variable() {
        for (name, value) in [
            ("WORKLETE_ENV", "staging"),
            ("DATABASE_URL", "mysql://x"),
            ("DATABASE_URL", "postgres://u:pa/ss@h/db"),
            ("DATABASE_URL", "postgres://u:hun%zzter@h/db"),
            ("DATABASE_POOL_SIZE", "0"),
            ("LISTEN_ADDRESS", "everywhere"),
            ("PUBLIC_URL", "api.example.org"),
            ("SIGN_UP_URL", "app.example.org"),
            ("TLS_CERT", "cert.pem"),
            ("TRUSTED_PROXIES", "proxy"),
            ("CORS_ALLOWED_ORIGINS", "https://app.example.org/path"),
            ("BCRYPT_COST", "40"),
            ("AUTH_REDIRECT_ALLOWLIST", "*.example.org"),
            ("AUTH_DEFAULT_REDIRECT_URL", "https://app.example.org"),
            ("AUTH_ROTATE_TOKENS", "maybe"),
            ("SMTP_URL", "mail.example.org"),
            ("WORKERS", "65"),
            ("WORKER_LEASE_SECONDS", "4"),
            ("S3_BUCKET", "My_Bucket"),
            ("S3_ENDPOINT", "storage.example.org"),
            ("S3_PUBLIC_ENDPOINT", "storage.example.org"),
            ("S3_PATH_STYLE", "maybe"),
            ("S3_EMBEDDED_FOLDER", "files"),
            ("S3_EMBEDDED_ADDRESS", "0.0.0.0:9000"),
        ] {
            let message = refused(name, value);
            let named = if name == "TLS_CERT" { "TLS_KEY" } else { name };
            assert!(message.starts_with(&format!("{named}: ")), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn rotation_needs_a_key_of_32_bytes() {
        assert!(refused("AUTH_ROTATE_TOKENS", "true").starts_with("AUTH_TOKEN_KEY: "));
        let key = STANDARD.encode([7; 32]);
        let config = read(&[("AUTH_ROTATE_TOKENS", "true"), ("AUTH_TOKEN_KEY", &key)]).expect("a key");
        assert!(config.users.sessions.rotation_key.is_some());
    }

    #[test]
    fn plain_http_stays_on_the_machine_unless_it_is_allowed() {
        assert!(refused("LISTEN_ADDRESS", "0.0.0.0:80").starts_with("LISTEN_ADDRESS: is not a loopback"));
        assert!(read(&[("LISTEN_ADDRESS", "0.0.0.0:80"), ("ALLOW_PLAIN_HTTP", "true")]).is_ok());
    }

    #[cfg(feature = "embedded-s3")]
    #[test]
    fn files_are_kept_where_it_is_said_and_in_development_here() {
        let storage = |variables: &[(&str, &str)]| read(variables).expect("good settings").storage;
        let development = ("WORKLETE_ENV", "development");
        assert!(storage(&[]).is_none(), "production goes without");
        let own = storage(&[development]).expect("a storage");
        assert!(matches!(own.server, StorageServer::Embedded { address, .. } if address.port() == 0));
        let set = [development, ("S3_BUCKET", "rosters"), ("S3_ENDPOINT", "https://storage.example.org")];
        let outside = storage(&set).expect("a storage");
        assert!(matches!(outside.server, StorageServer::S3(S3Server { endpoint: Some(_), .. })));
        assert_eq!(outside.roster_bucket, "rosters");
        assert!(refused("S3_ENDPOINT", "https://storage.example.org").starts_with("S3_BUCKET: "));
    }

    #[test]
    fn secrets_do_not_show_in_messages() {
        assert!(!refused("SMTP_URL", "user:hunter22@mail").contains("hunter22"));
        assert!(!refused("DATABASE_URL", "user:hunter22@db").contains("hunter22"));
    }

    #[test]
    fn the_example_file_shows_every_variable_and_no_other() {
        let get = |name: &str| (name == URL.0).then(|| URL.1.to_owned());
        let variables = Variables::new(&get);
        assert!(Config::read(&variables).is_ok());
        let example = include_str!("../../../.env.example");
        let is_of_a_name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let shown: BTreeSet<String> = example
            .lines()
            .filter_map(|line| line.trim_start_matches("# ").split_once('=').map(|(name, _)| name))
            .filter(|name| !name.is_empty() && name.bytes().all(is_of_a_name))
            .map(str::to_owned)
            .collect();
        assert_eq!(shown, variables.asked.into_inner());
    }
}
