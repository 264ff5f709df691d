//! A running server with a database of its own, and people who use it.
#![expect(dead_code, unreachable_pub, reason = "each test file uses its part of it")]

mod document;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use adapter_postgres::testing::TestDatabase;
use api::compose::Composition;
use api::config::Config;
use api::server;
use base64::Engine;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// The password of everybody in the tests.
pub const PASSWORD: &str = "worklete123";

/// A server on a port of its own.
pub struct TestApp {
    /// Such as `http://127.0.0.1:40001`.
    pub origin: String,
    /// The database behind it.
    pub database: TestDatabase,
    /// The HTTP client of the tests; follows no redirects.
    pub client: Client,
    /// Where reset mails are written.
    pub mail: tempfile::TempDir,
    pg: adapter_postgres::Pg,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

/// A signed-in person: the three headers that name a session.
#[derive(Debug, Clone)]
pub struct Person {
    /// `access-token`.
    pub token: String,
    /// `client`.
    pub client: String,
    /// `uid`.
    pub uid: String,
    /// The `data` of the answer that opened the session.
    pub data: Value,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON, null if it is none.
    pub json: Value,
}

impl Answer {
    async fn of(mut response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let is_endless = headers.get("content-type").is_some_and(|mime| mime == "text/event-stream");
        let text = if is_endless {
            let first = response.chunk().await.expect("a body").expect("a beginning");
            String::from_utf8(first.to_vec()).expect("text")
        } else {
            response.text().await.expect("a body")
        };
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, json }
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The person whose session the five headers hand over.
    pub fn person(&self) -> Person {
        let header = |name: &str| {
            let value = self.header(name).filter(|value| !value.is_empty());
            value.unwrap_or_else(|| panic!("no header {name} in {self:?}")).to_owned()
        };
        assert!(header("expiry").parse::<i64>().is_ok(), "{self:?}");
        assert_eq!(header("token-type"), "Bearer");
        let data = self.json["data"].clone();
        Person { token: header("access-token"), client: header("client"), uid: header("uid"), data }
    }

    /// Whether any of the five headers is there.
    pub fn has_session(&self) -> bool {
        ["access-token", "client", "uid", "expiry", "token-type"]
            .iter()
            .any(|name| self.headers.contains_key(*name))
    }
}

impl TestApp {
    /// A server with the settings of production, but for cheap passwords.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with some variables set.
    #[expect(clippy::unused_async, reason = "so that all ways to start read alike")]
    pub async fn start_with(variables: &[(&str, &str)]) -> Self {
        // Fails when it is installed already, which is fine.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let database = TestDatabase::create();
        let mail = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut all: BTreeMap<String, String> = [
            ("DATABASE_URL", database.url()),
            ("DATABASE_POOL_SIZE", "8"),
            ("DATABASE_ACQUIRE_TIMEOUT_SECONDS", "2"),
            ("BCRYPT_COST", "4"),
            // Statements are counted.
            ("WORKERS", "0"),
            ("MAIL_FOLDER", mail.path().to_str().expect("a path")),
            ("AUTH_REDIRECT_ALLOWLIST", "https://app.example.org/reset"),
            ("CORS_ALLOWED_ORIGINS", "https://app.example.org"),
        ]
        .into_iter()
        .chain(variables.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        let scheme = if all.contains_key("TLS_CERT") { "https" } else { "http" };
        all.insert("LISTEN_ADDRESS".into(), listener.local_addr().expect("an address").to_string());
        let config = Config::from_variables(&|name| all.get(name).cloned()).expect("good settings");
        let (sender, receiver) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let composition = Composition::new(&config).expect("composes");
                let pg = composition.database().clone();
                let running = server::start(&config, composition, listener).expect("starts");
                sender.send((running.address, running.server.handle(), pg)).expect("the test waits");
                running.server.await.expect("serves");
            });
        });
        let (address, handle, pg) = receiver.recv().expect("the server starts");
        let builder = Client::builder().redirect(reqwest::redirect::Policy::none());
        let client = builder.danger_accept_invalid_certs(true).build().expect("a client");
        let origin = format!("{scheme}://{address}");
        Self { origin, database, client, mail, pg, handle, thread: Some(thread) }
    }

    /// Statements that the server has sent to the database so far.
    pub fn statements(&self) -> u64 {
        self.pg.load().statements()
    }

    /// A request to a path below `/api/v1`, or to one outside when it starts with `//`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = match path.strip_prefix("//") {
            Some(outside) => format!("{}/{outside}", self.origin),
            None => format!("{}/api/v1{path}", self.origin),
        };
        self.client.request(method, url)
    }

    /// Sends, reads, and holds the answer against the OpenAPI document.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().expect("a request");
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let answer = Answer::of(self.client.execute(request).await.expect("an answer")).await;
        document::check(method.as_str(), &path, answer.status, answer.header("content-type"), &answer.text);
        answer
    }

    /// An anonymous call.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.request(method, path);
        self.send(if let Some(body) = body { request.json(&body) } else { request }).await
    }

    /// A call by a person.
    pub async fn call_as(&self, person: &Person, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = person.sign(self.request(method, path));
        self.send(if let Some(body) = body { request.json(&body) } else { request }).await
    }

    /// Signs in; fails the test if that fails.
    pub async fn sign_in(&self, username: &str) -> Person {
        let body = json!({ "username": username, "password": PASSWORD });
        let answer = self.call(Method::POST, "/auth/sign_in", Some(body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.person()
    }

    /// A new staff member, signed in. `role` is `admin` or `employee`.
    pub async fn staff(&self, username: &str, role: &str) -> Person {
        // There is no operation that makes the first one: that is the operator's command line.
        let hash = "$2b$04$1hHfygF4hDXFbQHCiwmQM.5H0P.duZoEQoc9Gy6VwxW8bTQl1C1hW";
        self.database.execute(&format!(
            "INSERT INTO users (id, username, provider, first_name, last_name, password_hash, staff_role, created_at, \
             updated_at) VALUES (gen_random_uuid(), '{username}', 'username', 'Demo', 'Staff', '{hash}', '{role}', now(), now())"
        ));
        self.sign_in(username).await
    }

    /// A new organization; gives its id.
    pub async fn organization(&self, staff: &Person, name: &str) -> String {
        let answer = self
            .call_as(staff, Method::POST, "/worklete_admin/organizations", Some(json!({ "name": name })))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        id_of(&answer.json)
    }

    /// A new pending membership with these fields beside the names; gives it whole.
    pub async fn membership(&self, admin: &Person, organization: &str, fields: Value) -> Value {
        let mut body = json!({ "first_name": "Demo", "last_name": "Learner" });
        if let (Some(body), Some(fields)) = (body.as_object_mut(), fields.as_object()) {
            body.extend(fields.clone());
        }
        let path = format!("/organizations/{organization}/memberships");
        let answer = self.call_as(admin, Method::POST, &path, Some(body)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json
    }

    /// Signs somebody up with a code.
    pub async fn sign_up(&self, username: &str, code: &str) -> Answer {
        self.call(Method::POST, "/auth", Some(sign_up_body(username, code))).await
    }

    /// A new member with an account, signed in.
    pub async fn member(&self, admin: &Person, organization: &str, username: &str, fields: Value) -> Person {
        let membership = self.membership(admin, organization, fields).await;
        let answer = self.sign_up(username, membership["invite_code"].as_str().expect("a code")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.person()
    }
}

impl TestApp {
    /// A course of the library that is one of the basics, with a published version; gives its id.
    pub async fn basics(&self, staff: &Person, position: i32) -> String {
        let body = json!({ "name": format!("Basics {position}"), "basics": true, "position": position });
        let course = self.call_as(staff, Method::POST, "/worklete_admin/courses", Some(body)).await;
        let course = id_of(&course.json);
        self.publish(staff, &course, json!({ "title": "first" })).await;
        course
    }

    /// Publishes a new version of a course; gives its id.
    pub async fn publish(&self, staff: &Person, course: &str, data: Value) -> String {
        let versions = format!("/worklete_admin/courses/{course}/versions");
        let draft = self.call_as(staff, Method::POST, &versions, Some(json!({ "data": data }))).await;
        let version = id_of(&draft.json);
        let published =
            self.call_as(staff, Method::POST, &format!("{versions}/{version}/publish"), None).await;
        assert_eq!(published.status, 200, "{published:?}");
        version
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            self.pg.close();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

impl Person {
    /// Adds the three headers.
    pub fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("access-token", &self.token).header("client", &self.client).header("uid", &self.uid)
    }
}

/// The `id` of an object.
pub fn id_of(json: &Value) -> String {
    json["id"].as_str().unwrap_or_else(|| panic!("no id in {json}")).to_owned()
}

/// A sign-up that only the code can spoil.
pub fn sign_up_body(username: &str, code: &str) -> Value {
    json!({
        "username": username, "first_name": "Demo", "last_name": "Learner", "password": PASSWORD, "invite_code": code,
        "provider": "username"
    })
}

impl Answer {
    /// Checks that this is a problem document of the given status and code, and gives it.
    pub fn problem(&self, status: u16, code: &str) -> &Value {
        assert_eq!((self.status, self.json["code"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let mut expected =
            vec!["code", "detail", "errors", "request_id", "status", "success", "title", "type"];
        if self.json.get("fields").is_some() {
            expected.insert(3, "fields");
        }
        assert_eq!(keys(&self.json), expected, "{self:?}");
        assert_eq!(self.json["status"], status);
        assert_eq!(self.json["success"], false);
        assert_eq!(self.json["request_id"].as_str(), self.header("x-request-id"));
        let texts = self.json["errors"].as_array().expect("a list");
        assert!(!texts.is_empty() && texts.iter().all(Value::is_string), "{self:?}");
        assert!(["title", "detail", "type"].iter().all(|name| self.json[name].is_string()), "{self:?}");
        &self.json
    }
}

/// The names in an object, in alphabetical order.
pub fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// An organization with a team, and somebody in each role; `None` has no session.
pub struct Cast {
    /// The organization.
    pub organization: String,
    /// A team of it.
    pub team: String,
    /// Everybody, by role.
    pub people: Vec<(&'static str, Option<Person>)>,
}

impl Cast {
    /// Somebody who is signed in.
    pub fn person(&self, role: &str) -> &Person {
        let found = self.people.iter().find(|(name, _)| *name == role);
        found.and_then(|(_, person)| person.as_ref()).expect("a known role")
    }
}

impl TestApp {
    /// A new team; gives its id.
    pub async fn team(&self, admin: &Person, organization: &str, name: &str) -> String {
        let path = format!("/organizations/{organization}/teams");
        let answer = self.call_as(admin, Method::POST, &path, Some(json!({ "name": name }))).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        id_of(&answer.json)
    }

    /// Somebody in each role.
    pub async fn cast(&self) -> Cast {
        let staff = self.staff("staff-admin", "admin").await;
        let employee = self.staff("staff-employee", "employee").await;
        let organization = self.organization(&staff, "Harbor").await;
        let elsewhere = self.organization(&staff, "Elsewhere").await;
        let team = self.team(&staff, &organization, "Night shift").await;
        let outsider = json!({ "org_admin": true });
        let outsider = self.member(&staff, &elsewhere, "outsider", outsider).await;
        let member = self.member(&staff, &organization, "member", json!({ "team_ids": [team] })).await;
        let lead = json!({ "administered_team_ids": [team] });
        let lead = self.member(&staff, &organization, "team-admin", lead).await;
        let admin = self.member(&staff, &organization, "org-admin", json!({ "org_admin": true })).await;
        let gone = self.member(&staff, &organization, "gone", json!({ "org_admin": true })).await;
        self.database.execute(
            "UPDATE memberships SET status = 'deactivated', deactivated_at = now() \
             WHERE user_id = (SELECT id FROM users WHERE username = 'gone')",
        );
        let people = vec![
            ("anonymous", None),
            ("outsider", Some(outsider)),
            ("gone", Some(gone)),
            ("member", Some(member)),
            ("team admin", Some(lead)),
            ("org admin", Some(admin)),
            ("staff employee", Some(employee)),
            ("staff admin", Some(staff)),
        ];
        Cast { organization, team, people }
    }

    /// A call by somebody, or by nobody.
    pub async fn call_by(
        &self,
        person: Option<&Person>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        match person {
            Some(person) => self.call_as(person, method, path, body).await,
            None => self.call(method, path, body).await,
        }
    }

    /// The audit trail, oldest row first.
    pub fn audit(&self) -> Vec<Value> {
        let rows = self.database.rows("SELECT to_json(a)::text FROM audit_log a ORDER BY at, id");
        let read = |row: &String| {
            // A row of one column, in PostgreSQL's own notation: ("…"), with quotes and backslashes doubled.
            let inner = row.trim_start_matches("(\"").trim_end_matches("\")");
            let json = inner.replace("\"\"", "\"").replace("\\\\", "\\");
            serde_json::from_str(&json).expect("JSON")
        };
        rows.iter().map(read).collect()
    }
}

impl Answer {
    /// The names at the top of the body, in the order of the alphabet.
    pub fn keys(&self) -> Vec<&str> {
        keys_of(&self.json)
    }

    /// Whether the answer carries a session. Fails the test when it carries a part of one, a blank, or two different ones.
    pub fn carries_session(&self) -> bool {
        let names = ["access-token", "client", "expiry", "token-type", "uid"];
        let Some(bearer) = self.headers.get("authorization") else {
            assert!(!self.has_session(), "a part of a session in {self:?}");
            return false;
        };
        let word = bearer.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        let json = base64::engine::general_purpose::STANDARD.decode(word.expect("a bearer"));
        let bearer: Value = serde_json::from_slice(&json.expect("base64")).expect("JSON");
        assert_eq!(keys_of(&bearer), names);
        for name in names {
            let value = self.header(name).filter(|value| !value.trim().is_empty());
            assert_eq!(value, bearer[name].as_str(), "{name} in {self:?}");
            assert_eq!(self.headers.get_all(name).iter().count(), 1, "{name} in {self:?}");
        }
        self.person();
        true
    }

    /// Status and code of an error, which must hold what every error holds.
    pub fn error(&self) -> (u16, &str) {
        assert!(self.header("content-type").is_some_and(|mime| mime.contains("json")), "{self:?}");
        assert!(self.json["request_id"].is_string(), "{self:?}");
        assert_eq!(self.header("x-request-id"), self.json["request_id"].as_str(), "{self:?}");
        let code = self.json["code"].as_str();
        (self.status, code.unwrap_or_else(|| panic!("no code in {self:?}")))
    }
}

/// The names of an object, in the order of the alphabet.
pub fn keys_of(json: &Value) -> Vec<&str> {
    let object = json.as_object().unwrap_or_else(|| panic!("no object but {json}"));
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Whether each role gets its status, in the order of the cast: a foreign thing is 404, a known one without the right 403.
pub async fn expect_by_role(
    app: &TestApp,
    cast: &Cast,
    method: Method,
    path: &str,
    body: Option<Value>,
    expected: [u16; 8],
) {
    for ((role, person), status) in cast.people.iter().zip(expected) {
        let answer = app.call_by(person.as_ref(), method.clone(), path, body.clone()).await;
        assert_eq!(answer.status, status, "{method} {path} as {role}: {answer:?}");
    }
}

/// `base` with some of its fields replaced.
pub fn with(base: &Value, fields: &Value) -> Value {
    let mut changed = base.clone();
    let fields = fields.as_object().expect("an object").clone();
    changed.as_object_mut().expect("an object").extend(fields);
    changed
}

/// One field of each object of a list, as text.
pub fn column<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let rows = list.as_array().unwrap_or_else(|| panic!("no list but {list}"));
    rows.iter().map(|row| row[field].as_str().unwrap_or_else(|| panic!("no {field} in {row}"))).collect()
}

/// A time of an answer, which must be in UTC.
pub fn time(value: &Value) -> chrono::DateTime<chrono::FixedOffset> {
    let text = value.as_str().filter(|text| text.ends_with('Z'));
    let parsed = text.and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    parsed.unwrap_or_else(|| panic!("{value} is no time"))
}

impl Answer {
    /// The wrong fields of an answer that names them.
    pub fn fields(&self) -> &Value {
        &self.problem(400, "validation_failed")["fields"]
    }
}

impl Person {
    /// The id of the oldest own membership.
    pub fn membership(&self) -> String {
        id_of(&self.data["memberships"][0])
    }
}

/// The token in a reset mail.
pub fn token_of(mail: &str) -> String {
    let (_, rest) = mail.split_once("?reset_password_token=").expect("a link");
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}

impl TestApp {
    /// The mails that were written.
    pub fn mails(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.mail.path()).expect("the folder").flatten();
        let mails = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        mails.map(|mail| mail.replace("=\r\n", "").replace("=3D", "=")).collect()
    }

    /// Waits for this many mails, which are written after the answer went out.
    pub async fn mails_after(&self, number: usize) -> Vec<String> {
        for _ in 0..500 {
            let mails = self.mails();
            // The last line tells that a file is whole.
            if mails.len() >= number && mails.iter().all(|mail| mail.trim_end().ends_with("--")) {
                return mails;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{} mails instead of {number}", self.mails().len());
    }

    /// Asks for a path again and again until the answer is as wanted.
    pub async fn until(&self, person: &Person, path: &str, is_so: impl Fn(&Answer) -> bool) -> Answer {
        let mut last = None;
        for _ in 0..500 {
            let answer = self.call_as(person, Method::GET, path, None).await;
            if is_so(&answer) {
                return answer;
            }
            last = Some(answer);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("it stays {last:?}");
    }
}

impl TestApp {
    /// A server where people sign up without a code.
    pub async fn start_open(variables: &[(&str, &str)]) -> Self {
        Self::start_with(&[&[("OPEN_REGISTRATION", "true")], variables].concat()).await
    }

    /// A new account without memberships, signed in. Only on a server of [`start_open`](Self::start_open).
    pub async fn newcomer(&self, username: &str) -> Person {
        let mut body = sign_up_body(username, "");
        if username.contains('@') {
            body["provider"] = "email".into();
        }
        let answer = self.call(Method::POST, "/auth", Some(body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.person()
    }

    /// Whether a session is good.
    pub async fn knows(&self, person: &Person) -> bool {
        let answer = self.call_as(person, Method::GET, "/auth/validate_token", None).await;
        assert!([200, 401].contains(&answer.status), "{answer:?}");
        answer.status == 200
    }
}
