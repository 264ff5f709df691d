//! The binary as operators run it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use adapter_postgres::testing::TestDatabase;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

/// Nobody listens there.
const NOWHERE: &str = "postgres://worklete:hidden-db-password@127.0.0.1:1/worklete";

/// A folder to run in, and an environment of nothing but these variables.
struct Place {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// What a command left.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Checks that the command failed with one line, and gives it.
    fn refusal(&self) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        let line = self.stderr.strip_suffix('\n').expect("a line");
        assert!(line.starts_with("worklete: ") && !line.contains('\n'), "{self:?}");
        line
    }

    fn success(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        &self.stdout
    }
}

impl Place {
    fn new(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Self { folder, variables: vec![] };
        place.with(&[("LISTEN_ADDRESS", "127.0.0.1:0"), ("BCRYPT_COST", "4")]).with(variables)
    }

    fn on(database: &TestDatabase) -> Self {
        Self::new(&[("DATABASE_URL", database.url())])
    }

    fn with(mut self, variables: &[(&str, &str)]) -> Self {
        for (name, value) in variables {
            self.variables.retain(|(known, _)| known != name);
            self.variables.push(((*name).to_owned(), (*value).to_owned()));
        }
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worklete"));
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command.args(arguments).env_clear().envs(variables).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().expect("starts");
        // A command that wants no input may have ended already.
        drop(child.stdin.take().expect("an input").write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Starts `serve` and waits until it listens.
    fn serve(&self, arguments: &[&str]) -> Serving {
        let all: Vec<_> = ["serve"].iter().chain(arguments).copied().collect();
        let mut serving = self.start(&all, "serving");
        serving.origin = serving.address("serving").expect("an address");
        serving
    }

    /// Starts what does not end by itself, and waits for a line of its log.
    fn start(&self, arguments: &[&str], message: &str) -> Serving {
        let mut child = self.command(arguments).env("LOG_FORMAT", "json").spawn().expect("starts");
        let output = Arc::new(Mutex::new(String::new()));
        let readers = vec![
            collect(child.stdout.take().expect("an output"), &output),
            collect(child.stderr.take().expect("an output"), &output),
        ];
        let mut serving = Serving { child, origin: String::new(), output, readers };
        let start = Instant::now();
        while serving.line(message).is_none() {
            let ended = serving.child.try_wait().expect("a state").is_some();
            assert!(!ended && start.elapsed() < Duration::from_secs(30), "{}", serving.output());
            std::thread::sleep(Duration::from_millis(20));
        }
        serving
    }
}

fn collect(from: impl Read + Send + 'static, into: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let mut all = into.lock().unwrap_or_else(PoisonError::into_inner);
            all.push_str(&line.expect("UTF-8"));
            all.push('\n');
        }
    })
}

/// A running server; ended when dropped.
struct Serving {
    child: Child,
    origin: String,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Serving {
    fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first line of the log with this message.
    fn line(&self, message: &str) -> Option<Value> {
        let output = self.output();
        let mut lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["message"] == message)
    }

    /// The address in the line of the log that says so.
    fn address(&self, message: &str) -> Option<String> {
        self.line(message)?["address"].as_str().map(str::to_owned)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.expect("runs").success());
    }

    /// Waits for the end; gives how it ended and everything that was written.
    fn ended(&mut self) -> (ExitStatus, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a state") {
                break status;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "does not end: {}", self.output());
            std::thread::sleep(Duration::from_millis(20));
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("reads to the end");
        }
        (status, self.output())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn client() -> Client {
    // Fails when it is installed already, which is fine.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

async fn sign_in(client: &Client, server: &Serving, username: &str, password: &str) -> Response {
    let body = json!({ "username": username, "password": password });
    client.post(server.url("/api/v1/auth/sign_in")).json(&body).send().await.expect("an answer")
}

#[test]
fn each_command_explains_itself() {
    let place = Place { folder: tempfile::tempdir().expect("a folder"), variables: vec![] };
    for (arguments, expected) in [
        (&["--help"] as &[&str], "Usage: worklete <COMMAND>"),
        (&["serve", "--help"], "--migrate"),
        (&["work", "--help"], "WORKERS"),
        (&["migrate", "--help"], "Usage: worklete migrate"),
        (&["seed-demo", "--help"], "development only"),
        (&["create-admin", "--help"], "--password-stdin"),
        (&["openapi", "--help"], "Print the OpenAPI document"),
        (&["check-config", "--help"], "without connecting to anything"),
        (&["doctor", "--help"], "how to mend it"),
        (&["help", "serve"], "SIGTERM"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["serve", "--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let ran = place.run(arguments);
        assert!(ran.success().contains(expected), "{ran:?}");
    }
    let all = place.run(&["--help"]);
    for command in
        ["serve", "work", "migrate", "seed-demo", "create-admin", "openapi", "check-config", "doctor"]
    {
        assert!(all.stdout.contains(command), "{all:?}");
    }
    for wrong in [&[] as &[&str], &["sever"], &["serve", "--migrat"], &["create-admin"]] {
        let ran = place.run(wrong);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.stderr.contains("Usage: worklete"), "{ran:?}");
    }
}

#[test]
fn a_good_configuration_is_fine_without_a_database() {
    let place = Place::new(&[("DATABASE_URL", NOWHERE)]);
    assert_eq!(place.run(&["check-config"]).success(), "The configuration is fine.\n");
}

#[test]
fn a_wrong_value_is_one_line_that_names_its_variable() {
    for (name, value) in [
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "mysql://worklete:hidden-db-password@127.0.0.1/worklete"),
        ("WORKLETE_ENV", "staging"),
        ("LISTEN_ADDRESS", "everywhere"),
        ("LISTEN_ADDRESS", "0.0.0.0:3001"),
        ("PUBLIC_URL", "api.example.org"),
        ("TLS_KEY", "key.pem"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, proxy"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.org/path"),
        ("LOG_FORMAT", "xml"),
        ("LOG_FILTER", "info,=,"),
        ("DATABASE_POOL_SIZE", "0"),
        ("DATABASE_ACQUIRE_TIMEOUT_SECONDS", "soon"),
        ("BCRYPT_COST", "3"),
        ("MAX_BODY_BYTES", "-1"),
        ("SMTP_URL", "mail.example.org"),
        ("SMTP_URL", "smtps://"),
        ("MAIL_FROM", "nobody"),
        ("WORKERS", "-1"),
        ("WORKER_LEASE_SECONDS", "3601"),
        ("S3_BUCKET", "a/b"),
        ("S3_ENDPOINT", "storage.example.org"),
        ("S3_EMBEDDED_FOLDER", "files"),
        ("AUTH_REDIRECT_ALLOWLIST", "nonsense"),
        ("RATE_SESSION_BURST", "0"),
        ("RATE_WINDOW_SECONDS", "1.5"),
        ("OPEN_REGISTRATION", "perhaps"),
    ] {
        let place = Place::new(&[("DATABASE_URL", NOWHERE), (name, value)]);
        let ran = place.run(&["check-config"]);
        let line = ran.refusal();
        let named = if name == "TLS_KEY" { "TLS_CERT" } else { name };
        assert!(line.starts_with(&format!("worklete: {named}: ")), "{name}={value}: {line}");
        assert!(!line.contains("hidden-db-password"), "{line}");
    }
    let files = [("TLS_CERT", "no-cert.pem"), ("TLS_KEY", "no-key.pem")];
    let place = Place::new(&[("DATABASE_URL", NOWHERE)]).with(&files);
    assert!(place.run(&["check-config"]).refusal().starts_with("worklete: TLS_CERT: cannot read"));
}

#[test]
fn a_rotation_key_that_cannot_be_used_is_not_shown() {
    let place = Place::new(&[("DATABASE_URL", NOWHERE), ("AUTH_ROTATE_TOKENS", "true")]);
    let place = place.with(&[("AUTH_TOKEN_KEY", "aGlkZGVuLWtleQ==")]);
    let ran = place.run(&["check-config"]);
    assert!(ran.refusal().starts_with("worklete: AUTH_TOKEN_KEY: "), "{ran:?}");
    assert!(!ran.stderr.contains("aGlkZGVuLWtleQ"));
}

#[test]
fn a_dot_env_file_counts_unless_the_environment_says_production() {
    for (environment, good) in [("", false), ("development", false), ("production", true)] {
        let place = Place::new(&[("DATABASE_URL", NOWHERE), ("WORKLETE_ENV", environment)]);
        std::fs::write(place.folder.path().join(".env"), "BCRYPT_COST=12\nPUBLIC_URL=nonsense\n")
            .expect("writes");
        let ran = place.run(&["check-config"]);
        if good {
            assert_eq!(ran.success(), "The configuration is fine.\n");
        } else {
            assert!(ran.refusal().contains("PUBLIC_URL"), "{ran:?}");
        }
    }
    let place = Place::new(&[("DATABASE_URL", NOWHERE)]);
    std::fs::write(place.folder.path().join(".env"), "hidden words without meaning\n").expect("writes");
    let ran = place.run(&["check-config"]);
    assert!(ran.refusal().contains(".env") && !ran.stderr.contains("hidden"), "{ran:?}");
}

/// A line of `doctor` as (how it went, what was looked at, all of it).
fn line_of(line: &str) -> (&str, &str, &str) {
    let word = line.get(..4).expect("a word").trim_end();
    let (what, _) = line[4..].trim_start().split_once(": ").expect("what was looked at");
    (word, what, line)
}

fn diagnosis(ran: &Ran) -> Vec<(&str, &str, &str)> {
    ran.stdout.lines().map(line_of).collect()
}

/// How `doctor` found one thing.
fn found<'a>(ran: &'a Ran, what: &str) -> (&'a str, &'a str) {
    let lines = diagnosis(ran);
    let line = lines.iter().find(|(_, looked_at, _)| *looked_at == what);
    let (word, _, line) = line.unwrap_or_else(|| panic!("nothing of {what} in {ran:?}"));
    (word, line)
}

#[test]
fn a_doctor_finds_a_good_installation_good_and_leaves_nothing_behind() {
    let database = TestDatabase::create();
    let place = Place::on(&database).with(&[("WORKLETE_ENV", "development")]);
    let tools = place.folder.path().join("tools");
    std::fs::create_dir(&tools).expect("a folder");
    for name in ["ffmpeg", "ffprobe"] {
        let script = tools.join(name);
        std::fs::write(&script, format!("#!/bin/sh\necho {name} version 7\necho more\n")).expect("writes");
        let is_runnable = Command::new("chmod").arg("+x").arg(&script).status().expect("runs");
        assert!(is_runnable.success());
    }
    let place = place.with(&[("PATH", tools.to_str().expect("a path"))]);
    let ran = place.run(&["doctor"]);
    ran.success();
    let all = diagnosis(&ran);
    let looked_at: Vec<&str> = all.iter().map(|(_, what, _)| *what).collect();
    let expected = [
        "configuration",
        "address",
        "database",
        "migrations",
        "clock",
        "storage",
        "mail",
        "ffmpeg",
        "ffprobe",
    ];
    assert_eq!(looked_at, expected);
    assert!(all.iter().all(|(word, ..)| *word == "ok"), "{ran:?}");
    assert!(found(&ran, "ffprobe").1.ends_with("ffprobe version 7"), "{ran:?}");
    assert_eq!(database.rows("SELECT count(*) FROM users"), ["(0)"]);
    let mail = std::fs::read_dir(place.folder.path().join(".local/mail")).expect("the folder");
    assert_eq!(mail.count(), 0);
}

#[test]
fn a_doctor_warns_of_what_a_server_can_run_without() {
    let database = TestDatabase::create();
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000001')");
    let ran = Place::on(&database).with(&[("PATH", "/nowhere")]).run(&["doctor"]);
    ran.success();
    for (what, remedy) in [
        ("address", "set PUBLIC_URL"),
        ("migrations", "newer binary"),
        ("storage", "set S3_BUCKET"),
        ("mail", "set SMTP_URL"),
        ("ffmpeg", "install ffmpeg"),
        ("ffprobe", "install ffmpeg"),
    ] {
        let (word, line) = found(&ran, what);
        assert!(word == "warn" && line.contains(remedy), "{line}");
    }
    assert_eq!(found(&ran, "database").0, "ok");
}

#[test]
fn a_doctor_fails_with_how_to_mend_it_and_without_secrets() {
    let (database, empty) = (TestDatabase::create(), TestDatabase::create_empty());
    let smtp = "smtp://mail-user:hidden-mail-password@127.0.0.1:1";
    for (name, value, what, remedy) in [
        ("DATABASE_URL", NOWHERE, "database", "correct DATABASE_URL"),
        ("DATABASE_URL", empty.url(), "migrations", "run `worklete migrate`"),
        ("DATABASE_POOL_SIZE", "0", "configuration", "DATABASE_POOL_SIZE: must be"),
        ("LOG_FILTER", "info,=,", "configuration", "LOG_FILTER: must look"),
        ("SMTP_URL", smtp, "mail", "correct SMTP_URL"),
        ("MAIL_FOLDER", "/dev/null/mail", "mail", "correct MAIL_FOLDER"),
    ] {
        let ran = Place::on(&database).with(&[(name, value)]).run(&["doctor"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let (word, line) = found(&ran, what);
        assert!(word == "fail" && line.contains(remedy), "{line}");
        let failed = diagnosis(&ran).iter().filter(|(word, ..)| *word == "fail").count();
        assert_eq!(failed, 1, "{ran:?}");
        assert!(
            ran.stderr.starts_with("worklete: 1 of ") && ran.stderr.ends_with(" checks failed\n"),
            "{ran:?}"
        );
        assert!(!format!("{ran:?}").contains("hidden"), "{ran:?}");
    }
}

#[test]
fn a_doctor_tells_of_a_storage_that_does_not_answer() {
    let database = TestDatabase::create();
    let ran = Place::on(&database)
        .with(&[
            ("S3_BUCKET", "rosters"),
            ("S3_ENDPOINT", "http://127.0.0.1:1"),
            ("AWS_ACCESS_KEY_ID", "hidden-id"),
            ("AWS_SECRET_ACCESS_KEY", "hidden-secret"),
        ])
        .run(&["doctor"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let (word, line) = found(&ran, "storage");
    assert!(word == "fail" && line.contains("correct S3_BUCKET"), "{line}");
    assert!(!format!("{ran:?}").contains("hidden"), "{ran:?}");
}

#[test]
fn migrating_twice_is_once() {
    let database = TestDatabase::create_empty();
    let place = Place::on(&database);
    let first = place.run(&["migrate"]);
    assert!(first.success().starts_with("Applied ") && first.stdout.contains("20261123000001"), "{first:?}");
    assert_eq!(place.run(&["migrate"]).success(), "The schema is up to date.\n");
    assert_eq!(database.rows("SELECT count(*) FROM users"), ["(0)"]);
}

#[test]
fn migrating_at_the_same_time_is_once_too() {
    let database = TestDatabase::create_empty();
    let place = Place::on(&database);
    let children: Vec<_> = (0..3).map(|_| place.command(&["migrate"]).spawn().expect("starts")).collect();
    let mut outputs: Vec<_> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().expect("ends");
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).expect("UTF-8")
        })
        .collect();
    outputs.sort();
    assert!(outputs[0].starts_with("Applied "), "{outputs:?}");
    assert_eq!(outputs[1..], ["The schema is up to date.\n"; 2]);
}

#[test]
fn a_database_that_is_away_is_one_line_without_the_password() {
    let place = Place::new(&[("DATABASE_URL", NOWHERE), ("WORKLETE_ENV", "development")]);
    for arguments in [
        &["migrate"] as &[&str],
        &["serve"],
        &["serve", "--migrate"],
        &["work"],
        &["seed-demo"],
        &["create-admin", "--username", "first-admin"],
    ] {
        let ran = place.run(arguments);
        ran.refusal();
        assert!(!ran.stderr.contains("hidden-db-password"), "{ran:?}");
    }
}

#[tokio::test]
async fn an_older_schema_is_refused_with_what_to_do_and_may_be_migrated_on_the_way() {
    let database = TestDatabase::create_empty();
    let place = Place::on(&database).with(&[("WORKLETE_ENV", "development"), ("LOG_FORMAT", "json")]);
    for arguments in
        [&["serve"] as &[&str], &["work"], &["seed-demo"], &["create-admin", "--username", "first-admin"]]
    {
        let ran = place.run(arguments);
        assert!(ran.refusal().contains("older than this binary; run `worklete migrate`"), "{ran:?}");
    }
    let server = place.serve(&["--migrate"]);
    let ready = client().get(server.url("/readyz")).send().await.expect("an answer");
    assert_eq!(ready.status(), 200);
    drop(server);
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000001')");
    let server = place.serve(&[]);
    assert!(server.output().contains("newer than this binary"), "{}", server.output());
}

#[test]
fn a_roster_is_imported_from_the_command_line() {
    let database = TestDatabase::create();
    let id = "00000000-0000-4000-8000-000000000001";
    database.execute(&format!(
        "INSERT INTO organizations (id, name, s3_integrations_folder, created_at, updated_at) \
         VALUES ('{id}', 'Harbor', 'harbor/hr', now(), now())"
    ));
    let place = Place::on(&database).with(&[("WORKLETE_ENV", "development")]);
    let roster = |name: &str, lines: &str| {
        let text = format!("external_id,first_name,last_name\n{lines}");
        std::fs::write(place.folder.path().join(name), text).expect("a file");
    };
    roster("good.csv", "E-1,Ann,Lee\nE-2,Bo,Ek\n");
    let arguments = ["import", "good.csv", "--organization", id, "--dry-run"];
    let tried = place.run(&arguments);
    assert!(tried.success().contains("created      2\n"), "{tried:?}");
    assert!(database.rows("SELECT 1 FROM memberships").is_empty());
    let done = place.run(&["import", "good.csv", "--organization", "harbor/hr"]);
    assert!(done.success().contains("state        done\n"), "{done:?}");
    assert_eq!(database.rows("SELECT count(*) FROM memberships WHERE status = 'pending'"), ["(2)"]);

    roster("bad.csv", "E-1,Ann,Moved\n,Cy,Fox\n");
    let bad = place.run(&["import", "bad.csv", "--organization", id]);
    assert_eq!((bad.code, bad.stderr.as_str()), (Some(1), "worklete: 1 lines were rejected\n"), "{bad:?}");
    assert!(bad.stdout.contains("updated      1\n"), "{bad:?}");
    assert!(
        bad.stdout.contains("line 3: external_id can't be blank\n")
            || bad.stdout.contains("line 3: external_id "),
        "{bad:?}"
    );
    let held = place.run(&["import", "bad.csv", "--organization", id, "--mode", "snapshot"]);
    assert_eq!(held.code, Some(1));
    assert!(
        held.stderr.starts_with("worklete: held, to be confirmed or cancelled: 1 of 2 people"),
        "{held:?}"
    );

    for (arguments, told) in [
        (["import", "none.csv", "--organization", id], "none.csv: no such file"),
        (["import", "good.csv", "--organization", "elsewhere"], "Not found."),
    ] {
        let ran = place.run(&arguments);
        assert!(ran.refusal().contains(told) || ran.stderr.to_lowercase().contains("found"), "{ran:?}");
    }
}

#[test]
fn an_address_in_use_is_told() {
    let database = TestDatabase::create();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let ran = Place::on(&database).with(&[("LISTEN_ADDRESS", &address)]).run(&["serve"]);
    let line = ran.refusal();
    assert!(line.starts_with("worklete: LISTEN_ADDRESS: cannot listen on"), "{line}");
}

#[tokio::test]
async fn the_embedded_storage_lives_as_long_as_the_server() {
    let database = TestDatabase::create();
    let place = Place::on(&database).with(&[("WORKLETE_ENV", "development")]);
    let mut server = place.serve(&[]);
    let storage = server.address("files are kept by this process").expect("an address");
    let client = client();
    let stranger = client.get(&storage).send().await.expect("an answer");
    assert_eq!(stranger.status(), 403, "it wants a signature");
    assert!(place.folder.path().join(".local/s3").is_dir());
    server.signal("TERM");
    let (status, output) = server.ended();
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(client.get(&storage).send().await.is_err(), "nobody listens any more");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let ran = place.with(&[("S3_EMBEDDED_ADDRESS", &address)]).run(&["serve"]);
    let last = ran.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("worklete: S3_EMBEDDED_ADDRESS: cannot listen on"), "{ran:?}");
}

#[tokio::test]
async fn a_server_without_a_storage_starts_and_says_so() {
    let database = TestDatabase::create();
    let server = Place::on(&database).serve(&[]);
    assert!(
        server.output().contains("no storage for files is configured (S3_BUCKET)"),
        "{}",
        server.output()
    );
}

#[tokio::test]
async fn the_first_admin_is_made_once_and_another_on_demand() {
    let database = TestDatabase::create();
    let place = Place::on(&database);
    let made = place.run(&["create-admin", "--username", "first-admin"]);
    let (said, password) =
        made.success().split_once("\nPassword (shown once): ").expect("a password is shown");
    assert_eq!(said, "Made the staff admin first-admin.");
    let password = password.trim_end();
    assert!(password.len() >= 16, "{password}");

    let again = place.run(&["create-admin", "--username", "second-admin"]);
    assert!(again.refusal().contains("--another"), "{again:?}");
    let stdin = ["create-admin", "--username", "boss@example.org", "--another", "--password-stdin"];
    let names = ["--first-name", "Zoë", "--last-name", "van Dijk"];
    let another = place.run_with(&[stdin.as_slice(), &names].concat(), "typed-password\r\nrest\n");
    assert_eq!(another.success(), "Made the staff admin boss@example.org.\n");

    let server = place.serve(&[]);
    let client = client();
    for (username, password) in [("first-admin", password), ("boss@example.org", "typed-password")] {
        let answer = sign_in(&client, &server, username, password).await;
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["data"]["worklete_role"], "admin");
    }
    assert_eq!(
        database.rows("SELECT first_name, last_name FROM users WHERE username = 'boss@example.org'"),
        ["(Zoë,\"van Dijk\")"]
    );
}

#[test]
fn an_admin_with_wrong_values_is_not_made() {
    let database = TestDatabase::create();
    let place = Place::on(&database);
    let named = |name| vec!["create-admin", "--username", name, "--password-stdin"];
    for (arguments, password, expected) in [
        (named("abc"), "worklete123\n", "--username is too short"),
        (named("with blank"), "worklete123\n", "--username"),
        (named("first-admin"), "short\n", "the password is too short"),
        (named("first-admin"), "", "the password"),
        (
            [named("first-admin"), vec!["--first-name", " "]].concat(),
            "worklete123\n",
            "--first-name can't be blank",
        ),
    ] {
        let ran = place.run_with(&arguments, password);
        assert!(ran.refusal().starts_with(&format!("worklete: {expected}")), "{ran:?}");
    }
    assert_eq!(database.rows("SELECT count(*) FROM users"), ["(0)"]);
    assert_eq!(place.run_with(&named("first-admin"), "worklete123\n").code, Some(0));
    let taken = place.run_with(&[named("FIRST-admin"), vec!["--another"]].concat(), "worklete123\n");
    assert_eq!(taken.refusal(), "worklete: --username is taken");
}

#[test]
fn making_admins_ends_well_every_time() {
    // The pool opens connections in the background, and a process that ends meanwhile would crash in libpq.
    let database = TestDatabase::create();
    let place = Place::on(&database);
    for n in 0..25 {
        let username = format!("admin-{n}");
        let ran = place.run(&["create-admin", "--another", "--username", &username]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}

#[test]
fn of_two_first_admins_at_once_one_is_made() {
    let database = TestDatabase::create();
    let place = Place::on(&database);
    let children: Vec<_> = ["one-admin", "other-admin"]
        .map(|name| place.command(&["create-admin", "--username", name]).spawn().expect("starts"))
        .into();
    let made = children
        .into_iter()
        .map(|child| child.wait_with_output().expect("ends").status.success())
        .filter(|success| *success)
        .count();
    assert_eq!(made, 1);
    assert_eq!(database.rows("SELECT count(*) FROM users WHERE staff_role = 'admin'"), ["(1)"]);
}

#[tokio::test]
async fn demo_data_is_loaded_once_and_never_in_production() {
    let database = TestDatabase::create();
    for environment in ["", "production"] {
        let ran = Place::on(&database).with(&[("WORKLETE_ENV", environment)]).run(&["seed-demo"]);
        assert!(ran.refusal().contains("WORKLETE_ENV=development"), "{ran:?}");
    }
    assert_eq!(database.rows("SELECT count(*) FROM users"), ["(0)"]);
    let place = Place::on(&database).with(&[("WORKLETE_ENV", "development")]);
    let counts = || {
        database.rows(
            "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM memberships), (SELECT count(*) FROM teams), \
             (SELECT count(*) FROM courses), (SELECT count(*) FROM organizations), \
             (SELECT count(*) FROM course_versions WHERE status = 'published')",
        )
    };
    let first = place.run(&["seed-demo"]);
    assert!(first.success().starts_with("Demo data loaded.\n"), "{first:?}");
    assert_eq!(counts(), ["(23,21,2,12,1,12)"]);
    let kinds = "SELECT (SELECT count(*) FROM assignments WHERE state = 'completed') > 100, \
         (SELECT count(*) FROM assignments WHERE state IN ('assigned', 'in_progress')) > 2, \
         (SELECT count(*) FROM refinements) > 8, (SELECT count(*) FROM champion_certifications) = 1, \
         (SELECT max(received_at) <= now() AND min(received_at) < now() - interval '50 days' FROM progress_events)";
    assert_eq!(database.rows(kinds), ["(t,t,t,t,t)"], "two months in which people learned");
    let second = place.run(&["seed-demo"]);
    assert!(second.success().starts_with("The demo data is there already.\n"), "{second:?}");
    assert_eq!(counts(), ["(23,21,2,12,1,12)"]);

    let server = place.serve(&[]);
    let client = client();
    for username in ["demo-staff", "demo-employee", "demo-admin", "demo-lead", "demo-learner"] {
        assert!(second.stdout.contains(username), "{second:?}");
        assert_eq!(sign_in(&client, &server, username, "worklete123").await.status(), 200, "{username}");
    }
}

#[test]
fn the_document_is_printed_without_any_configuration() {
    let place = Place { folder: tempfile::tempdir().expect("a folder"), variables: vec![] };
    let ran = place.run(&["openapi"]);
    assert_eq!(ran.success(), api::openapi::render(&api::openapi::document()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_stop_finishes_what_is_under_way() {
    let database = TestDatabase::create();
    let place = Place::on(&database).with(&[("BCRYPT_COST", "13")]);
    let admin = ["create-admin", "--username", "first-admin", "--password-stdin"];
    assert_eq!(place.run_with(&admin, "worklete123\n").code, Some(0));
    for signal in ["TERM", "INT"] {
        let mut server = place.serve(&[]);
        let client = client();
        // A connection that stays open without a request does not hold the server up.
        let idle = client.get(server.url("/healthz")).send().await.expect("an answer");
        assert_eq!(idle.status(), 200);
        let (slow, url) = (client.clone(), server.url("/api/v1/auth/sign_in"));
        let body = json!({ "username": "first-admin", "password": "worklete123" });
        let under_way = tokio::spawn(async move { slow.post(url).json(&body).send().await });
        let start = Instant::now();
        loop {
            let numbers = client.get(server.url("/metrics")).send().await.expect("an answer");
            if numbers.text().await.expect("text").contains("worklete_bcrypt_running 1\n") {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "no password is hashed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!under_way.is_finished());
        server.signal(signal);
        let answer = under_way.await.expect("runs").expect("an answer");
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().contains_key("access-token"));
        let (status, output) = server.ended();
        assert_eq!(status.code(), Some(0), "{output}");
        assert!(output.contains("stopping: finishing requests under way") && output.contains("stopped"));
        assert!(client.get(server.url("/healthz")).send().await.is_err(), "nobody listens any more");
    }
}

#[test]
fn who_works_does_not_listen_and_ends_when_told() {
    let database = TestDatabase::create();
    let place = Place::on(&database);
    for signal in ["TERM", "INT"] {
        let mut working = place.start(&["work"], "working");
        working.signal(signal);
        let (status, output) = working.ended();
        assert_eq!(status.code(), Some(0), "{output}");
        assert!(output.contains("stopping: finishing jobs under way") && output.contains("stopped"));
        assert!(!output.contains("serving"), "{output}");
    }
    let idle = place.with(&[("WORKERS", "0")]);
    let ran = idle.run(&["work"]);
    assert!(ran.refusal().starts_with("worklete: WORKERS: must be at least 1"), "{ran:?}");
}

type Session = Vec<(&'static str, String)>;

/// Collects what must never be logged.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn keep(&mut self, secret: &str) -> String {
        assert!(secret.len() >= 6, "{secret} is too short to be looked for");
        self.0.push(secret.to_owned());
        secret.to_owned()
    }

    /// The three headers of a session.
    fn session(&mut self, answer: &Response) -> Session {
        assert!(answer.status().is_success(), "{answer:?}");
        let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
        self.keep(&header("access-token"));
        self.keep(header("authorization").trim_start_matches("Bearer "));
        ["access-token", "client", "uid"].map(|name| (name, header(name))).into()
    }
}

/// The token in the one mail of the folder.
async fn mailed_token(folder: &std::path::Path) -> String {
    let start = Instant::now();
    loop {
        let mails: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
        let texts = mails.iter().filter_map(|mail| std::fs::read_to_string(mail.path()).ok());
        for text in texts {
            // Quoted-printable: long lines are broken by a `=` at the end, and `=` itself is `=3D`.
            let text = text.replace("=\r\n", "").replace("=3D", "=");
            if let Some((_, rest)) = text.split_once("reset_password_token=") {
                let is_token = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
                return rest.chars().take_while(is_token).collect();
            }
        }
        assert!(start.elapsed() < Duration::from_secs(20), "no mail came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A server that is told many secrets.
struct Told {
    secrets: Secrets,
    database: TestDatabase,
    place: Place,
    server: Serving,
    client: Client,
    api: String,
}

fn signed(mut request: RequestBuilder, session: &Session) -> RequestBuilder {
    for (name, value) in session {
        request = request.header(*name, value);
    }
    request
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}

impl Told {
    fn start() -> Self {
        let database = TestDatabase::create();
        let mut secrets = Secrets::default();
        let place = Place::on(&database).with(&[
            ("LOG_FILTER", "debug,api=trace"),
            ("MAIL_FOLDER", "mail"),
            ("METRICS_TOKEN", &secrets.keep("metrics-token-1")),
            ("AUTH_REDIRECT_ALLOWLIST", "https://app.example.org/reset"),
            ("DATABASE_ACQUIRE_TIMEOUT_SECONDS", "1"),
        ]);
        let database_password = url::Url::parse(database.url()).expect("a URL").password().map(str::to_owned);
        if let Some(password) = database_password.filter(|password| password.len() >= 6) {
            secrets.keep(&password);
        }
        let admin = ["create-admin", "--username", "first-admin", "--password-stdin"];
        assert_eq!(place.run_with(&admin, &secrets.keep("first-admin-password-1")).code, Some(0));
        let server = place.serve(&[]);
        let api = format!("{}/api/v1", server.origin);
        Self { secrets, database, place, server, client: client(), api }
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.api))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.api))
    }

    /// Right, wrong, in the query, and what cannot be read.
    async fn sign_ins(&mut self) -> Session {
        let right = sign_in(&self.client, &self.server, "first-admin", "first-admin-password-1").await;
        let staff = self.secrets.session(&right);
        let wrong = self.secrets.keep("wrong-password-2");
        for username in ["first-admin", "nobody-here"] {
            assert_eq!(sign_in(&self.client, &self.server, username, &wrong).await.status(), 401);
        }
        let in_query = self.secrets.keep("query-password-3");
        let path = format!("/auth/sign_in?username=first-admin&password={in_query}");
        assert_eq!(status(self.post(&path)).await, 401);
        assert_eq!(status(self.get(&format!("/nothing?password={in_query}"))).await, 404);
        for (body, expected) in [
            (format!("{{\"password\":\"{}", self.secrets.keep("broken-password-4")), 400),
            (format!("{{\"password\":{{\"a\":\"{}\"}}}}", self.secrets.keep("nested-password-5")), 422),
            (format!("{{\"password\":[\"{}\"]}}", self.secrets.keep("listed-password-6")), 422),
            (format!("\"{}\"", self.secrets.keep("bare-password-7")), 400),
        ] {
            let request = self.post("/auth/sign_in").header("content-type", "application/json");
            assert_eq!(status(request.body(body.clone())).await, expected, "{body}");
        }
        staff
    }

    /// Invite codes in bodies and paths.
    async fn codes(&mut self, staff: &Session) -> [String; 2] {
        let request = signed(self.post("/worklete_admin/organizations"), staff);
        let answer = request.json(&json!({ "name": "Harbor" })).send().await.expect("an answer");
        let organization: Value = answer.json().await.expect("JSON");
        let roster = format!("/organizations/{}/memberships", organization["id"].as_str().expect("an id"));
        let mut codes = [String::new(), String::new()];
        for code in &mut codes {
            let body = json!({ "first_name": "Demo", "last_name": "Learner" });
            let answer = signed(self.post(&roster), staff).json(&body).send().await.expect("an answer");
            let membership: Value = answer.json().await.expect("JSON");
            *code = self.secrets.keep(membership["invite_code"].as_str().expect("a code"));
        }
        let lower = self.secrets.keep(&codes[0].to_lowercase());
        for (path, expected) in [
            (format!("/invitations/{}", codes[0]), 200),
            (format!("/invitations/{lower}"), 200),
            (format!("/invitations/{lower}/nothing"), 404),
            (format!("/invitations/{lower}/accept"), 405),
            (format!("/nothing?invite_code={lower}"), 404),
        ] {
            assert_eq!(status(self.get(&path)).await, expected, "{path}");
        }
        codes
    }

    /// Codes that are mailed, resent, replaced and listed; and one whose mail cannot be written.
    async fn invitations(&mut self, staff: &Session) {
        let read = async |request: RequestBuilder| -> Value {
            let answer = signed(request, staff).send().await.expect("an answer");
            assert!(answer.status().is_success(), "{answer:?}");
            answer.json().await.expect("JSON")
        };
        let made = read(self.post("/worklete_admin/organizations").json(&json!({ "name": "Yard" }))).await;
        let place = format!("/organizations/{}", made["id"].as_str().expect("an id"));
        let body = json!({ "first_name": "Demo", "last_name": "Learner", "email": "mailed@example.org" });
        let membership = read(self.post(&format!("{place}/memberships")).json(&body)).await;
        let mut invitation = membership["invitation"].clone();
        let folder = self.place.folder.path().join("mail");
        for verb in ["resend", "reissue", "resend"] {
            self.secrets.keep(invitation["code"].as_str().expect("a code"));
            let id = invitation["id"].as_str().expect("an id");
            invitation = read(self.post(&format!("{place}/invitations/{id}/{verb}"))).await;
        }
        assert_eq!(read(self.get(&format!("{place}/invitations"))).await.as_array().map(Vec::len), Some(2));
        // One for the membership, and one for each of the three.
        self.until(|| std::fs::read_dir(&folder).is_ok_and(|mails| mails.count() == 4)).await;
        std::fs::rename(&folder, folder.with_extension("kept")).expect("the folder moves");
        std::fs::write(&folder, "in the way").expect("a file");
        let id = invitation["id"].as_str().expect("an id");
        read(self.post(&format!("{place}/invitations/{id}/resend"))).await;
        self.until(|| self.server.output().contains("an invitation could not be mailed")).await;
        std::fs::remove_file(&folder).expect("the file goes");
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_secs(20), "it never came: {}", self.server.output());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn sign_up(&self, username: &str, code: &str) -> RequestBuilder {
        self.post("/auth").json(&json!({
            "username": username, "first_name": "Demo", "last_name": "Learner", "password": "learner-password-8",
            "invite_code": code
        }))
    }

    /// Taken, wrong, right, and as a form.
    async fn sign_ups(&mut self, codes: &[String; 2]) -> Session {
        self.secrets.keep("learner-password-8");
        assert_eq!(status(self.sign_up("first-admin", &codes[0])).await, 422);
        assert_eq!(status(self.sign_up("learner@example.org", "ZZZZZZ")).await, 404);
        let learner = self.sign_up("learner@example.org", &codes[0]).send().await.expect("an answer");
        let form = [
            ("username", "second-learner"),
            ("first_name", "Demo"),
            ("last_name", "Learner"),
            ("password", &self.secrets.keep("form-password-9")),
            ("invite_code", &codes[1]),
        ];
        let second = self.post("/auth").form(&form).send().await.expect("an answer");
        self.secrets.session(&second);
        self.secrets.session(&learner)
    }

    /// Good ones and bad ones.
    async fn bearers(&mut self) {
        for bad in ["garbage-bearer-10", "eyJhY2Nlc3MtdG9rZW4iOiJnYXJiYWdlLTExIn0="] {
            let request = self.get("/auth/validate_token");
            assert_eq!(status(request.bearer_auth(self.secrets.keep(bad))).await, 401);
        }
        let wrong = self.secrets.keep("wrong-metrics-token-12");
        for (token, expected) in [(wrong.as_str(), 401), ("metrics-token-1", 200)] {
            let request = self.client.get(self.server.url("/metrics"));
            assert_eq!(status(request.bearer_auth(token)).await, expected);
        }
    }

    /// A change by the query, and a reset; gives the password that counts in the end.
    async fn new_passwords(&mut self, learner: &Session) -> String {
        let changed = self.secrets.keep("changed-password-13");
        let url = format!("{}/auth/password", self.api);
        let query = format!("password={changed}&password_confirmation={changed}");
        let answer = signed(self.client.put(format!("{url}?{query}")), learner).send().await;
        self.secrets.session(&answer.expect("an answer"));
        let body = json!({ "email": "learner@example.org", "redirect_url": "https://app.example.org/reset" });
        assert_eq!(status(self.post("/auth/password").json(&body)).await, 200);
        let token = mailed_token(&self.place.folder.path().join("mail")).await;
        let unknown = self.secrets.keep("unknown-reset-token-14");
        for (token, expected) in [(self.secrets.keep(&token), 302), (unknown, 404)] {
            let path = format!("/auth/password/edit?reset_password_token={token}");
            assert_eq!(status(self.get(&path)).await, expected);
        }
        let reset = self.secrets.keep("reset-password-15");
        let body =
            json!({ "password": reset, "password_confirmation": reset, "reset_password_token": token });
        let answer = self.client.put(url).json(&body).send().await.expect("an answer");
        self.secrets.session(&answer);
        reset
    }

    /// The database goes away while people come.
    async fn outage(&self, staff: &Session, password: &str, code: &str) {
        self.database.allow_connections(false);
        self.database.cut_connections();
        let lost = sign_in(&self.client, &self.server, "learner@example.org", password).await;
        assert_eq!(lost.status(), 503);
        assert_eq!(status(self.sign_up("third-learner", code)).await, 503);
        assert_eq!(status(signed(self.get("/auth/validate_token"), staff)).await, 503);
        assert_eq!(status(self.get(&format!("/invitations/{code}"))).await, 503);
        self.database.allow_connections(true);
    }
}

#[tokio::test]
async fn secrets_never_reach_the_log() {
    let mut told = Told::start();
    let staff = told.sign_ins().await;
    let codes = told.codes(&staff).await;
    told.invitations(&staff).await;
    let learner = told.sign_ups(&codes).await;
    told.bearers().await;
    let password = told.new_passwords(&learner).await;
    told.outage(&staff, &password, &codes[0]).await;
    told.server.signal("TERM");
    let (_, output) = told.server.ended();
    for line in output.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    for expected in [
        "PUT /api/v1/auth/password",
        "POST /api/v1/auth/sign_in",
        "GET /api/v1/invitations/{code}",
        "POST /api/v1/organizations/{organization_id}/invitations/{id}/reissue",
        "\"status\":503",
        "\"request_id\":\"",
    ] {
        assert!(output.contains(expected), "{expected} in {output}");
    }
    for secret in &told.secrets.0 {
        let leak = output.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(leak, None, "{secret} is in the log");
    }
}
