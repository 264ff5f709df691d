//! `worklete doctor`: tells what an installation lacks, and how to mend it. Changes nothing, and shows no secrets.

use std::error::Error;
use std::fmt;
use std::process::{Command, Stdio};

use adapter_mail::{MailTransport, Mailer};
use adapter_postgres::{SchemaState, ServerFacts};
use adapter_s3::S3;
use adapter_security::SystemClock;
use chrono::TimeDelta;
use domain_kernel::Clock;

use crate::config::{Config, Environment, StorageServer};

/// The oldest PostgreSQL that the schema is made for.
const OLDEST_POSTGRES: i32 = 15;

/// How far the clocks of server and database may be apart before people notice, and before sessions end at the wrong time.
const NOTABLE_SKEW: TimeDelta = TimeDelta::seconds(2);
const HARMFUL_SKEW: TimeDelta = TimeDelta::seconds(60);

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Fine,
    /// The server runs all the same; how to mend it.
    Warning(String),
    /// It does not; how to mend it.
    Failure(String),
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    what: &'static str,
    found: String,
    verdict: Verdict,
}

impl Finding {
    fn fine(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, found: found.into(), verdict: Verdict::Fine }
    }

    fn warning(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what, found: found.into(), verdict: Verdict::Warning(remedy.into()) }
    }

    fn failure(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what, found: found.into(), verdict: Verdict::Failure(remedy.into()) }
    }

    /// Whether the server cannot run so.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self.verdict, Verdict::Failure(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, remedy) = match &self.verdict {
            Verdict::Fine => ("ok", None),
            Verdict::Warning(remedy) => ("warn", Some(remedy)),
            Verdict::Failure(remedy) => ("fail", Some(remedy)),
        };
        let line = format!("{word:<4}  {}: {}", self.what, self.found);
        let line = remedy.map_or_else(|| line.clone(), |remedy| format!("{line}; {remedy}"));
        f.write_str(&line.replace('\n', " "))
    }
}

/// Looks at everything. Without a configuration that can be used there is nothing else to look at.
pub(crate) async fn examine(config: Result<Config, String>) -> Vec<Finding> {
    let config = match config {
        Ok(config) => config,
        Err(problem) => {
            return vec![Finding::failure(
                "configuration",
                problem,
                "README.md tells what each variable means",
            )];
        }
    };
    let found = format!("can be used, for {:?}", config.environment).to_lowercase();
    let mut findings = vec![Finding::fine("configuration", found), address(&config)];
    findings.extend(database(&config));
    findings.push(storage(&config).await);
    findings.push(mail(&config).await);
    findings.extend(["ffmpeg", "ffprobe"].map(media_tool));
    findings
}

fn address(config: &Config) -> Finding {
    let found = format!("people and mails use {}", config.public_url);
    let is_local = config.public_url.contains("//localhost") || config.public_url.contains("//127.");
    if is_local && config.environment == Environment::Production {
        return Finding::warning("address", found, "set PUBLIC_URL, or links in mails lead nowhere");
    }
    Finding::fine("address", found)
}

/// Server, schema and clock; of a database that is away only that it is.
fn database(config: &Config) -> Vec<Finding> {
    match adapter_postgres::server_facts(&config.database.url) {
        Ok(facts) => {
            vec![version(&facts), schema(config), clock(facts.now - SystemClock.now())]
        }
        Err(error) => {
            vec![Finding::failure("database", error.to_string(), "start it, or correct DATABASE_URL")]
        }
    }
}

fn version(facts: &ServerFacts) -> Finding {
    let found = format!("PostgreSQL {} answers", facts.version);
    if facts.major_version < OLDEST_POSTGRES {
        return Finding::failure("database", found, format!("it must be {OLDEST_POSTGRES} or newer"));
    }
    Finding::fine("database", found)
}

fn schema(config: &Config) -> Finding {
    match adapter_postgres::schema_state(&config.database.url) {
        Ok(SchemaState::Current) => Finding::fine("migrations", "all applied"),
        Ok(SchemaState::Newer) => Finding::warning(
            "migrations",
            "the schema is newer than this binary",
            "fine while a release is rolled back, else install the newer binary",
        ),
        Ok(SchemaState::Older(missing)) => Finding::failure(
            "migrations",
            format!("missing: {}", missing.join(", ")),
            "run `worklete migrate`",
        ),
        Err(error) => Finding::failure("migrations", error.to_string(), "look at the database's log"),
    }
}

fn clock(ahead: TimeDelta) -> Finding {
    let skew = ahead.abs();
    let found = format!("{:.1} s apart from the database's", skew.as_seconds_f64());
    let remedy = "let both machines set their clocks by NTP";
    match skew {
        skew if skew >= HARMFUL_SKEW => Finding::failure("clock", found, remedy),
        skew if skew >= NOTABLE_SKEW => Finding::warning("clock", found, remedy),
        _ => Finding::fine("clock", found),
    }
}

/// Where files are kept.
async fn storage(config: &Config) -> Finding {
    let Some(storage) = &config.storage else {
        return Finding::warning(
            "storage",
            "none is configured",
            "set S3_BUCKET, or no files can be uploaded",
        );
    };
    let bucket = &storage.roster_bucket;
    match &storage.server {
        StorageServer::S3(server) => match S3::new(server.clone()).ping(bucket).await {
            Ok(()) => Finding::fine("storage", format!("the bucket {bucket} is there")),
            Err(error) => {
                let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                let remedy = "correct S3_BUCKET, S3_ENDPOINT and S3_REGION, or what the credentials allow";
                Finding::failure("storage", format!("the bucket {bucket} cannot be used: {cause}"), remedy)
            }
        },
        #[cfg(feature = "embedded-s3")]
        StorageServer::Embedded { folder, .. } => match std::fs::create_dir_all(folder) {
            Ok(()) => Finding::fine("storage", format!("the server keeps files in {}", folder.display())),
            Err(error) => {
                let found = format!("files cannot be kept in {}: {error}", folder.display());
                Finding::failure("storage", found, "correct S3_EMBEDDED_FOLDER or the rights of the folder")
            }
        },
    }
}

async fn mail(config: &Config) -> Finding {
    let mailer = match Mailer::new(config.mail.clone(), &config.mail_from, config.sign_up_url.clone()) {
        Ok(mailer) => mailer,
        Err(error) => return Finding::failure("mail", error.to_string(), "correct SMTP_URL and MAIL_FROM"),
    };
    match (mailer.check().await, &config.mail) {
        (Ok(()), MailTransport::Smtp(_)) => Finding::fine("mail", "the server answers"),
        (Err(error), MailTransport::Smtp(_)) => {
            Finding::failure("mail", format!("the server does not answer: {error}"), "correct SMTP_URL")
        }
        (Ok(()), MailTransport::Folder(folder)) => {
            let found = format!("goes to files in {}", folder.display());
            if config.environment == Environment::Production {
                return Finding::warning("mail", found, "set SMTP_URL, or nobody gets any");
            }
            Finding::fine("mail", found)
        }
        (Err(error), MailTransport::Folder(folder)) => {
            let found = format!("files cannot be written to {}: {error}", folder.display());
            Finding::failure("mail", found, "correct MAIL_FOLDER or the rights of the folder")
        }
    }
}

/// Needed by nothing yet but the transcoding of videos, so one that is missing does not stop a server.
fn media_tool(name: &'static str) -> Finding {
    let run = Command::new(name).arg("-version").stdin(Stdio::null()).output();
    match run {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            Finding::fine(name, text.lines().next().unwrap_or("found"))
        }
        _ => Finding::warning(name, "not found", "install ffmpeg if this machine shall transcode videos"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_it_went_and_what_to_do() {
        let lines = [
            Finding::fine("database", "PostgreSQL 15.4 answers"),
            Finding::warning("ffmpeg", "not found", "install it"),
            Finding::failure("migrations", "missing: 1,\n2", "run `worklete migrate`"),
        ];
        assert_eq!(
            lines.each_ref().map(Finding::to_string),
            [
                "ok    database: PostgreSQL 15.4 answers",
                "warn  ffmpeg: not found; install it",
                "fail  migrations: missing: 1, 2; run `worklete migrate`",
            ]
        );
        assert_eq!(lines.each_ref().map(Finding::is_failure), [false, false, true]);
    }

    #[test]
    fn a_clock_may_be_a_little_off_whichever_way() {
        for (milliseconds, word) in
            [(0, "ok"), (-1_900, "ok"), (2_000, "warn"), (-59_000, "warn"), (60_000, "fail")]
        {
            let line = clock(TimeDelta::milliseconds(milliseconds)).to_string();
            assert!(line.starts_with(word), "{line}");
        }
    }

    #[test]
    fn an_old_database_is_refused() {
        let facts = |major_version| ServerFacts {
            version: format!("{major_version}.1"),
            major_version,
            now: SystemClock.now(),
        };
        assert!(version(&facts(14)).is_failure());
        assert!(!version(&facts(15)).is_failure());
    }
}
