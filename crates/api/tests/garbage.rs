//! Thousands of requests that no client would send: each is answered, none breaks anything.

mod common;

use std::collections::BTreeMap;

use common::{Answer, Cast, PASSWORD, Person, TestApp, id_of};
use futures_util::StreamExt;
use futures_util::stream;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::{Union, ValueTree};
use proptest::test_runner::TestRunner;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};

const REQUESTS: usize = 2000;
const AT_ONCE: usize = 16;

/// Budgets that hide nothing.
const GENEROUS: [(&str, &str); 9] = [
    ("RATE_SIGN_IN_FAILURES_PER_ACCOUNT", "1000000"),
    ("RATE_SIGN_IN_FAILURES_PER_ADDRESS", "1000000"),
    ("RATE_SIGN_UPS_PER_ADDRESS", "1000000"),
    ("RATE_USERNAME_LOOKUPS_PER_ADDRESS", "1000000"),
    ("RATE_WRONG_INVITE_CODES_PER_ADDRESS", "1000000"),
    ("RATE_RESET_MAILS_PER_ADDRESS", "1000000"),
    ("RATE_RESET_MAILS_PER_ACCOUNT", "1000000"),
    ("RATE_SESSION_PER_SECOND", "100000"),
    ("RATE_SESSION_BURST", "100000"),
];

const ROUTES: [(&str, &str); 13] = [
    ("POST", "/auth"),
    ("PATCH", "/auth"),
    ("PUT", "/auth"),
    ("DELETE", "/auth"),
    ("POST", "/auth/sign_in"),
    ("GET", "/auth/sign_in"),
    ("DELETE", "/auth/sign_out"),
    ("GET", "/auth/validate_token"),
    ("POST", "/auth/password"),
    ("GET", "/auth/password/edit"),
    ("PUT", "/auth/password"),
    ("PATCH", "/auth/password"),
    ("GET", "/auth/usernames/workleteuser"),
];

/// The fields that any auth route knows.
const FIELDS: [&str; 16] = [
    "username",
    "email",
    "password",
    "password_confirmation",
    "current_password",
    "reset_password_token",
    "first_name",
    "last_name",
    "invite_code",
    "provider",
    "redirect_url",
    "access-token",
    "client",
    "uid",
    "config_name",
    "",
];

/// Values that come near to good ones, and some that break careless readers.
const TEXTS: [&str; 20] = [
    "workleteuser",
    "ann@example.org",
    PASSWORD,
    "email",
    "username",
    "289BZP",
    "https://app.example.org/reset",
    "https://app.example.org\\@evil.org/reset",
    "",
    " ",
    "\0",
    "work\0lete",
    "a\r\nset-cookie: x=y",
    "İıſK",
    "\u{202e}\u{feff}\u{10ffff}",
    "' OR 1=1; DROP TABLE users; --",
    "%00%ff%2e%2e",
    "${jndi:ldap://127.0.0.1/a}",
    "-1",
    "null",
];

#[derive(Debug, Clone)]
struct Garbage {
    method: &'static str,
    path: String,
    query: Option<String>,
    content_type: Option<&'static str>,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
    signed: bool,
}

/// What requests are made of.
#[derive(Debug, Clone)]
struct Words {
    fields: Vec<&'static str>,
    texts: Vec<String>,
}

impl Words {
    fn new(fields: &[&'static str], texts: &[&str]) -> Self {
        Self { fields: fields.to_vec(), texts: texts.iter().map(|text| (*text).to_owned()).collect() }
    }
}

fn text(words: &Words) -> BoxedStrategy<String> {
    let long = (1_usize..6000).prop_map(|length| "é".repeat(length));
    prop_oneof![6 => select(words.texts.clone()), 2 => any::<String>(), 1 => long].boxed()
}

fn json(words: &Words) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        4 => text(words).prop_map(Value::String),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let key = text(words);
    let nested = leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key.clone(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let name = prop_oneof![9 => select(words.fields.clone()).prop_map(str::to_owned), 1 => text(words)];
    let object = vec((name, nested.clone()), 0..8).prop_map(|members| Value::Object(Map::from_iter(members)));
    prop_oneof![9 => object, 1 => nested].boxed()
}

fn pairs(words: &Words) -> BoxedStrategy<String> {
    let pair = (select(words.fields.clone()), text(words)).prop_map(|(name, value)| {
        let mut encoded = form_urlencoded(name);
        encoded.push('=');
        encoded.push_str(&form_urlencoded(&value));
        encoded
    });
    let odd =
        select(&["%", "%f", "%ff=%ff", "a=b=c", "&&", "=", "username=%00", "username[]=1", "a;b", "+"][..]);
    vec(prop_oneof![5 => pair, 1 => odd.prop_map(str::to_owned)], 0..6)
        .prop_map(|parts| parts.join("&"))
        .boxed()
}

fn form_urlencoded(text: &str) -> String {
    text.bytes()
        .take(3000)
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02x}")
                }
            },
        )
        .collect()
}

fn multipart(words: &Words) -> BoxedStrategy<Vec<u8>> {
    let part =
        (select(words.fields.clone()), text(words), any::<bool>()).prop_map(|(name, value, is_whole)| {
            let end = if is_whole { "\r\n" } else { "" };
            format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}{end}")
        });
    (vec(part, 0..4), select(&["--x--\r\n", "--x--", "--x", "--", ""][..]))
        .prop_map(|(parts, end)| (parts.concat() + end).into_bytes())
        .boxed()
}

fn body(words: &Words) -> BoxedStrategy<Vec<u8>> {
    let deep = (100_usize..20_000, select(&["[", "{\"username\":", "[{\"a\":"][..]));
    let broken: [&[u8]; 8] = [
        b"{",
        b"{\"username\":\"\\ud800\"}",
        b"{\"username\":\"\xff\xfe\"}",
        b"{\"username\":\"a\",\"username\":5}",
        b"{\"username\":1e999}",
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"\0",
    ];
    prop_oneof![
        8 => json(words).prop_map(|json| json.to_string().into_bytes()),
        3 => pairs(words).prop_map(String::into_bytes),
        3 => multipart(words),
        2 => select(broken.to_vec()).prop_map(<[u8]>::to_vec),
        1 => deep.prop_map(|(depth, open)| open.repeat(depth).into_bytes()),
        1 => vec(any::<u8>(), 0..300),
        1 => (65_000_usize..80_000).prop_map(|length| vec![b' '; length]),
        2 => Just(Vec::new()),
    ]
    .boxed()
}

fn path(words: &Words) -> BoxedStrategy<(&'static str, String)> {
    let methods =
        select(&["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "SPILL", "get"][..]);
    let suffix =
        select(&["", "/", ".json", "//", "%00", "%ff", "/..", "/%2e%2e/auth", ";x=y", "/%2f", "~"][..]);
    let segment = prop_oneof![
        text(words).prop_map(|text| form_urlencoded(&text)),
        select(&["%", "%f", "%ff%fe", "..", "{username}"][..]).prop_map(str::to_owned)
    ];
    Union::new_weighted(vec![
        (6, select(&ROUTES[..]).prop_map(|(method, path)| (method, path.to_owned())).boxed()),
        (
            2,
            (select(&ROUTES[..]), suffix)
                .prop_map(|((method, path), suffix)| (method, format!("{path}{suffix}")))
                .boxed(),
        ),
        (
            1,
            (methods.clone(), select(&ROUTES[..]))
                .prop_map(|(method, (_, path))| (method, path.to_owned()))
                .boxed(),
        ),
        (1, segment.clone().prop_map(|segment| ("GET", format!("/auth/usernames/{segment}"))).boxed()),
        (
            1,
            (methods, vec(segment, 0..4))
                .prop_map(|(method, segments)| (method, format!("/auth/{}", segments.join("/"))))
                .boxed(),
        ),
    ])
    .boxed()
}

fn header(words: &Words) -> BoxedStrategy<(&'static str, Vec<u8>)> {
    let names = [
        "access-token",
        "client",
        "uid",
        "expiry",
        "token-type",
        "authorization",
        "x-request-id",
        "x-forwarded-for",
        "cookie",
        "origin",
        "access-control-request-method",
        "access-control-request-headers",
        "if-modified-since",
        "accept",
        "accept-encoding",
        "content-encoding",
        "user-agent",
        "forwarded",
    ];
    let near = [
        "default",
        "Bearer",
        "Bearer ",
        "Bearer NQ==",
        "Bearer WzFd",
        "Bearer e30=",
        "Basic eDp5",
        "gzip",
        "null",
        "POST",
        "*",
    ];
    let value = prop_oneof![
        3 => select(near.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        2 => "[A-Za-z0-9_-]{1,130}".prop_map(String::into_bytes),
        // All that HTTP allows in a value.
        2 => vec(prop_oneof![Just(b'\t'), 0x20_u8..=0x7e, 0x80_u8..=0xff], 0..80),
        1 => "[!-~]{4000}".prop_map(String::into_bytes),
        1 => json(words).prop_map(|json| format!("Bearer {}", base64(json.to_string().as_bytes())).into_bytes()),
    ];
    (select(names.to_vec()), value).boxed()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(&bytes[..bytes.len().min(4000)])
}

/// Requests to paths; most bodies are what they say they are, so that the handlers see something.
fn garbage(words: &Words, path: BoxedStrategy<(&'static str, String)>) -> BoxedStrategy<Garbage> {
    let content_types = [
        "application/json",
        "application/json; charset=latin-1",
        "application/x+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "multipart/mixed; boundary=x",
        "text/plain",
        "not a type",
        ";",
    ];
    let content_type = proptest::option::weighted(0.9, select(content_types.to_vec()));
    let fitting = prop_oneof![
        2 => json(words).prop_map(|json| (Some("application/json"), json.to_string().into_bytes())),
        1 => pairs(words).prop_map(|pairs| (Some("application/x-www-form-urlencoded"), pairs.into_bytes())),
        1 => multipart(words).prop_map(|body| (Some("multipart/form-data; boundary=x"), body)),
    ];
    let payload = prop_oneof![fitting, (content_type, body(words))];
    let query = proptest::option::weighted(0.4, pairs(words));
    (path, query, payload, vec(header(words), 0..4), any::<bool>())
        .prop_map(|((method, path), query, (content_type, body), headers, signed)| Garbage {
            method,
            path,
            query,
            content_type,
            headers,
            body,
            signed,
        })
        .boxed()
}

async fn send(app: &TestApp, person: &Person, garbage: &Garbage) -> Answer {
    let method = Method::from_bytes(garbage.method.as_bytes()).expect("a method");
    let mut url = Url::parse(&format!("{}/api/v1{}", app.origin, garbage.path)).expect("a URL");
    url.set_query(garbage.query.as_deref());
    let mut request = app.client.request(method, url);
    // A session gets deeper; but not where it would end at once.
    if garbage.signed && (garbage.method != "DELETE" || garbage.path.starts_with("/worklete_admin/")) {
        request = person.sign(request);
    }
    if let Some(content_type) = garbage.content_type {
        request = request.header("content-type", content_type);
    }
    for (name, value) in &garbage.headers {
        let name = HeaderName::from_static(name);
        request = request.header(name, HeaderValue::from_bytes(value).expect("a value that HTTP allows"));
    }
    app.send(request.body(garbage.body.clone())).await
}

/// Sends them all, some at once, and checks what holds for every answer. Gives how often each status came.
async fn throw(app: &TestApp, people: &[Person], strategy: BoxedStrategy<Garbage>) -> BTreeMap<u16, usize> {
    let mut runner = TestRunner::deterministic();
    let all: Vec<Garbage> =
        (0..REQUESTS).map(|_| strategy.new_tree(&mut runner).expect("a request").current()).collect();
    let answers = stream::iter(all.iter().enumerate())
        .map(|(n, garbage)| async move { (garbage, send(app, &people[n % people.len()], garbage).await) })
        .buffer_unordered(AT_ONCE);
    let mut by_status = BTreeMap::<u16, usize>::new();
    let mut answers = std::pin::pin!(answers);
    while let Some((garbage, answer)) = answers.next().await {
        assert!((200..500).contains(&answer.status), "{garbage:?}\n{answer:?}");
        *by_status.entry(answer.status).or_default() += 1;
        answer.carries_session();
        assert!(answer.header("x-request-id").is_some(), "{garbage:?}\n{answer:?}");
        if answer.status >= 400 && garbage.method != "HEAD" {
            answer.error();
        }
    }
    by_status
}

#[tokio::test]
async fn whatever_is_sent_gets_an_answer_that_is_never_our_failure() {
    let app = TestApp::start_open(&GENEROUS).await;
    app.newcomer("ann@example.org").await;
    let mut people = Vec::new();
    for n in 0..AT_ONCE {
        people.push(app.newcomer(&format!("person-{n}")).await);
    }
    let words = Words::new(&FIELDS, &TEXTS);
    let by_status = throw(&app, &people, garbage(&words, path(&words))).await;
    // The generator still reaches the handlers, and the server is still there.
    for status in [200, 400, 401, 404, 405, 413, 415, 422] {
        assert!(by_status.contains_key(&status), "{status} in {by_status:?}");
    }
    let fresh = app.newcomer("after-it-all").await;
    assert!(app.knows(&fresh).await);
    assert_eq!(app.call(Method::GET, "//readyz", None).await.status, 200);
}

/// The fields that any operation on people, invitations, organizations and searches knows.
const ROSTER_FIELDS: [&str; 20] = [
    "first_name",
    "last_name",
    "email",
    "external_id",
    "job_title",
    "hired_on",
    "org_admin",
    "team_ids",
    "administered_team_ids",
    "status",
    "username",
    "saml_info",
    "membership_id",
    "q",
    "sort",
    "scope",
    "page",
    "size",
    "name",
    "",
];

/// Values that some of these fields take, beside those that no field takes.
const ROSTER_TEXTS: [&str; 18] = [
    "Demo",
    "active",
    "deactivated",
    "pending",
    "revoked",
    "2026-11-02",
    "9999-12-31",
    "true",
    "1",
    "200",
    "2147483647",
    "9223372036854775808",
    "organization",
    "-last_name,first_name",
    "o'brien & ':* | !(",
    "\\'",
    "E-1",
    "ann@example.org",
];

/// The operations that an admin of an organization runs it with.
const ROSTER_ROUTES: [(&str, &str); 25] = [
    ("POST", "/organizations/{}/memberships"),
    ("PATCH", "/organizations/{}/memberships/{}"),
    ("PATCH", "/organizations/{}/memberships/{}"),
    ("DELETE", "/organizations/{}/memberships/{}"),
    ("GET", "/memberships/{}"),
    ("PATCH", "/memberships/{}"),
    ("GET", "/memberships/{}/teams"),
    ("GET", "/teams/{}/memberships"),
    ("GET", "/teams/{}/pending_memberships"),
    ("GET", "/organizations/{}/invitations"),
    ("POST", "/organizations/{}/invitations/{}/resend"),
    ("POST", "/organizations/{}/invitations/{}/revoke"),
    ("POST", "/organizations/{}/invitations/{}/reissue"),
    ("GET", "/users"),
    ("GET", "/users/{}"),
    ("PUT", "/users/{}/email"),
    ("PUT", "/users/{}/username"),
    ("GET", "/organizations"),
    ("PATCH", "/organizations/{}"),
    ("GET", "/search/organizations/{}/users"),
    ("GET", "/search/organizations/{}/users"),
    ("GET", "/search/teams/{}/members"),
    ("GET", "/search/teams/{}/members"),
    ("GET", "/search/users"),
    ("GET", "/organizations/{}/teams"),
];

/// What stands in the paths: by the part before it the ids that fit, so that mostly something is found.
struct Ids(BTreeMap<&'static str, Vec<String>>);

impl Ids {
    /// The ids that fit behind a part of a path.
    fn fitting(&self, before: &str) -> Vec<String> {
        let last = before.trim_end_matches('/').rsplit('/').next().expect("a part");
        self.0.get(last).unwrap_or_else(|| panic!("no ids of {last}")).clone()
    }

    /// Paths of a route, which has `{}` in the place of each id.
    fn fill(&self, route: &'static str, words: &Words) -> BoxedStrategy<String> {
        let parts: Vec<&'static str> = route.split("{}").collect();
        let (last, others) = parts.split_last().expect("a part");
        let mut path = Just(String::new()).boxed();
        for part in others.iter().copied() {
            let id = prop_oneof![
                18 => select(self.fitting(part)),
                1 => Just("00000000-0000-4000-8000-000000000001".to_owned()),
                1 => text(words).prop_map(|text| form_urlencoded(&text)),
            ];
            path = (path, id).prop_map(move |(path, id)| format!("{path}{part}{id}")).boxed();
        }
        let last = *last;
        path.prop_map(move |path| path + last).boxed()
    }

    fn paths(
        &self,
        routes: &[(&'static str, &'static str)],
        words: &Words,
    ) -> BoxedStrategy<(&'static str, String)> {
        let route = |(method, route): &(&'static str, &'static str)| {
            let method = *method;
            (1, self.fill(route, words).prop_map(move |path| (method, path)).boxed())
        };
        Union::new_weighted(routes.iter().map(route).collect()).boxed()
    }

    /// All of them.
    fn all(&self) -> Vec<String> {
        self.0.values().flatten().cloned().collect()
    }
}

#[tokio::test]
async fn whatever_an_admin_sends_about_people_gets_an_answer_that_is_never_our_failure() {
    let generous = [("RATE_INVITATION_MAILS_PER_MEMBERSHIP", "1000000")];
    let app = TestApp::start_with(&[&GENEROUS[..], &generous[..]].concat()).await;
    let cast = app.cast().await;
    let mut people = Vec::new();
    // As many sessions as one person may have.
    for _ in 0..10 {
        people.push(app.sign_in("org-admin").await);
    }
    let mut memberships = vec![people[0].membership()];
    let mut invitations = Vec::new();
    let mut users = vec![id_of(&cast.person("outsider").data)];
    for n in 0..12 {
        let fields = json!({ "external_id": format!("E-{n}"), "team_ids": [cast.team] });
        let membership = app.membership(&people[0], &cast.organization, fields).await;
        memberships.push(id_of(&membership));
        invitations.push(id_of(&membership["invitation"]));
        if n % 3 == 0 {
            let code = membership["invite_code"].as_str().expect("a code");
            let person = app.sign_up(&format!("member-{n}"), code).await.person();
            users.push(id_of(&person.data));
        }
    }
    let mut words = Words::new(&ROSTER_FIELDS, &[&ROSTER_TEXTS[..], &TEXTS[..]].concat());
    words.texts.extend([vec![cast.team.clone()], memberships.clone(), users.clone()].concat());
    let ids = Ids(BTreeMap::from([
        ("organizations", vec![cast.organization.clone()]),
        ("teams", vec![cast.team.clone()]),
        ("memberships", memberships),
        ("invitations", invitations),
        ("users", users),
    ]));
    let by_status = throw(&app, &people, garbage(&words, ids.paths(&ROSTER_ROUTES, &words))).await;
    for status in [200, 201, 400, 401, 403, 404, 409, 413, 415] {
        assert!(by_status.contains_key(&status), "{status} in {by_status:?}");
    }
    // The admin who did all that is the last one still.
    let path = format!("/organizations/{}/memberships/{}", cast.organization, people[0].membership());
    let refused = app.call_as(&people[0], Method::DELETE, &path, None).await;
    refused.problem(409, "last_org_admin");
    assert_eq!(app.call(Method::GET, "//readyz", None).await.status, 200);
}

/// The fields that any operation of the staff area knows; more often those that much needs.
const STAFF_FIELDS: [&str; 60] = [
    "name",
    "name",
    "name",
    "name",
    "data",
    "data",
    "data",
    "description",
    "basics",
    "position",
    "language_codes",
    "organization_id",
    "archived",
    "data",
    "lock_version",
    "status",
    "force",
    "filter",
    "include",
    "sort",
    "page",
    "size",
    "is_default",
    "job_titles",
    "course_ids",
    "detail",
    "team_id",
    "training_category_id",
    "team_ids",
    "training_category_ids",
    "user_id",
    "date",
    "occurred_on",
    "led_by_membership_id",
    "membership_ids",
    "course_id",
    "s3_integrations_folder",
    "saml_info",
    "sso_enforced",
    "time_zone",
    "cadence",
    "import_mode",
    "reporting_grace_days",
    "late_window_days",
    "recycle_after_days",
    "external_id",
    "admin_membership_ids",
    "id",
    "membership_id",
    "username",
    "email",
    "provider",
    "language",
    "worklete_role",
    "locked",
    "dry_run",
    "subject_kind",
    "from",
    "after",
    "",
];

/// Values that some of these fields take, beside those that no field takes.
const STAFF_TEXTS: [&str; 18] = [
    "Drivers",
    "Forklift driver",
    "FORKLIFT  DRIVER",
    "published",
    "archived",
    "draft",
    "not_basics",
    "data",
    "-created_at",
    "2026-11-02",
    "2020-02-30",
    "true",
    "false",
    "en",
    "America/Chicago",
    "monthly",
    "2147483647",
    "9223372036854775808",
];

/// The operations of the staff area.
const STAFF_ROUTES: [(&str, &str); 53] = [
    ("GET", "/worklete_admin/organizations/{}/training_categories"),
    ("POST", "/worklete_admin/organizations/{}/training_categories"),
    ("PATCH", "/worklete_admin/organizations/{}/training_categories/{}"),
    ("PUT", "/worklete_admin/organizations/{}/training_categories/{}"),
    ("GET", "/worklete_admin/organizations/{}/job_titles"),
    ("GET", "/worklete_admin/organizations/{}/imports"),
    ("POST", "/worklete_admin/organizations/{}/imports"),
    ("GET", "/worklete_admin/organizations/{}/imports/{}"),
    ("GET", "/worklete_admin/organizations/{}/imports/{}/report.csv"),
    ("POST", "/worklete_admin/organizations/{}/imports/{}/confirm"),
    ("POST", "/worklete_admin/organizations/{}/imports/{}/cancel"),
    ("GET", "/worklete_admin/organizations/{}/course_pools"),
    ("PUT", "/worklete_admin/organizations/{}/course_pools"),
    ("GET", "/worklete_admin/organizations"),
    ("POST", "/worklete_admin/organizations"),
    ("GET", "/worklete_admin/organizations/{}"),
    ("PATCH", "/worklete_admin/organizations/{}"),
    ("GET", "/worklete_admin/invitations"),
    ("GET", "/worklete_admin/invitations/{}"),
    ("GET", "/worklete_admin/memberships"),
    ("GET", "/worklete_admin/memberships/{}"),
    ("GET", "/worklete_admin/organizations/{}/teams"),
    ("POST", "/worklete_admin/organizations/{}/teams"),
    ("GET", "/worklete_admin/organizations/{}/teams/{}"),
    ("PATCH", "/worklete_admin/organizations/{}/teams/{}"),
    ("GET", "/worklete_admin/courses"),
    ("POST", "/worklete_admin/courses"),
    ("GET", "/worklete_admin/courses/{}"),
    ("PATCH", "/worklete_admin/courses/{}"),
    ("PUT", "/worklete_admin/courses/{}"),
    ("GET", "/worklete_admin/courses/{}/versions"),
    ("POST", "/worklete_admin/courses/{}/versions"),
    ("GET", "/worklete_admin/courses/{}/versions/{}"),
    ("PATCH", "/worklete_admin/courses/{}/versions/{}"),
    ("PUT", "/worklete_admin/courses/{}/versions/{}"),
    ("POST", "/worklete_admin/courses/{}/versions/{}/publish"),
    ("POST", "/worklete_admin/courses/{}/versions/{}/archive"),
    ("GET", "/worklete_admin/champion_certifications"),
    ("POST", "/worklete_admin/champion_certifications"),
    ("DELETE", "/worklete_admin/champion_certifications"),
    ("DELETE", "/worklete_admin/champion_certifications/{}"),
    ("GET", "/worklete_admin/teams/{}/refinements"),
    ("POST", "/worklete_admin/teams/{}/refinements"),
    ("GET", "/worklete_admin/teams/{}/refinements/{}"),
    ("PATCH", "/worklete_admin/teams/{}/refinements/{}"),
    ("GET", "/worklete_admin/audit_log"),
    ("GET", "/worklete_admin/jobs"),
    ("GET", "/worklete_admin/users"),
    ("GET", "/worklete_admin/users/{}"),
    ("PATCH", "/worklete_admin/users/{}"),
    ("POST", "/worklete_admin/users/{}/erase"),
    ("GET", "/worklete_admin/users/{}/export"),
    ("POST", "/worklete_admin/users/reset_password"),
];

/// The id of what staff makes.
async fn made(app: &TestApp, staff: &Person, path: &str, body: Value) -> String {
    let answer = app.call_as(staff, Method::POST, path, Some(body)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    id_of(&answer.json)
}

/// Courses with a version each, and whatever else the routes above name.
async fn staff_ids(app: &TestApp, staff: &Person, cast: &Cast) -> Ids {
    let area = format!("/worklete_admin/organizations/{}", cast.organization);
    let (mut courses, mut versions, mut categories) = (Vec::new(), Vec::new(), Vec::new());
    let (mut certifications, mut refinements) = (Vec::new(), Vec::new());
    for n in 0..3 {
        let course = made(app, staff, "/worklete_admin/courses", json!({ "name": "Lifting" })).await;
        let path = format!("/worklete_admin/courses/{course}/versions");
        versions.push(made(app, staff, &path, json!({ "data": {} })).await);
        courses.push(course);
        let name = json!({ "name": format!("Category {n}") });
        categories.push(made(app, staff, &format!("{area}/training_categories"), name).await);
        let user = id_of(&cast.person("member").data);
        let certified = json!({ "user_id": user, "date": format!("2026-0{}-02", n + 1) });
        certifications.push(made(app, staff, "/worklete_admin/champion_certifications", certified).await);
        let path = format!("/worklete_admin/teams/{}/refinements", cast.team);
        refinements.push(made(app, staff, &path, json!({ "data": {} })).await);
    }
    let imports: Vec<String> = (1..4).map(|n| format!("00000000-0000-4000-8000-00000000100{n}")).collect();
    for id in &imports {
        app.database.execute(&format!(
            "INSERT INTO imports (id, organization_id, key, etag, mode, dry_run, state, created_at) \
             VALUES ('{id}', '{}', '{id}.csv', 'e', 'delta', false, 'held', now())",
            cast.organization
        ));
    }
    let invited = app.membership(staff, &cast.organization, json!({})).await;
    Ids(BTreeMap::from([
        ("organizations", vec![cast.organization.clone()]),
        ("teams", vec![cast.team.clone()]),
        ("invitations", vec![id_of(&invited["invitation"])]),
        ("courses", courses),
        ("versions", versions),
        ("training_categories", categories),
        ("imports", imports),
        ("champion_certifications", certifications),
        ("refinements", refinements),
        (
            "memberships",
            ["member", "team admin", "org admin"].map(|role| cast.person(role).membership()).to_vec(),
        ),
        ("users", vec![id_of(&cast.person("member").data), id_of(&cast.person("outsider").data)]),
    ]))
}

/// An object of these fields.
fn object(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    values
        .prop_map(move |values| names.iter().map(|name| (*name).to_owned()).zip(values).collect::<Value>())
        .boxed()
}

/// An object of some of these fields, wrapped in `data` or not.
fn some_of(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let count = fields.len();
    (object(fields), vec(any::<bool>(), count), any::<bool>())
        .prop_map(|(object, kept, is_wrapped)| {
            let fields = object.as_object().expect("an object").clone().into_iter().zip(kept);
            let fields: Value = fields.filter(|(_, is_kept)| *is_kept).map(|(field, _)| field).collect();
            if is_wrapped { json!({ "data": fields }) } else { fields }
        })
        .boxed()
}

/// Changes of which many are good; all at once they get in each other's way.
fn nearly_good(ids: &Ids, words: &Words, cast: &Cast) -> BoxedStrategy<Garbage> {
    let id = |kind: &str| {
        let fitting = select(ids.fitting(kind));
        prop_oneof![15 => fitting, 1 => select(ids.all())].prop_map(Value::from).boxed()
    };
    let or_junk = |value: BoxedStrategy<Value>| prop_oneof![15 => value, 1 => json(words)].boxed();
    let text = || select(STAFF_TEXTS.to_vec()).prop_map(Value::from).boxed();
    let flag = || or_junk(any::<bool>().prop_map(Value::from).boxed());
    let day = || or_junk((1..29).prop_map(|day| json!(format!("2026-02-{day:02}"))).boxed());
    let content = || or_junk(Just(json!({ "pages": [] })).boxed());
    let courses = || or_junk(vec(id("courses"), 0..4).prop_map(Value::from).boxed());
    let own_list = prop_oneof![3 => courses(), 1 => Just(Value::Null)].boxed();
    let pool = object(vec![
        ("team_id", id("teams")),
        ("training_category_id", id("training_categories")),
        ("course_ids", own_list),
    ]);
    let titles = or_junk(vec(text(), 0..6).prop_map(Value::from).boxed());
    let category = vec![("course_ids", courses()), ("job_titles", titles), ("is_default", flag())];
    let practice = object(vec![("occurred_on", day()), ("course_id", id("courses")), ("notes", json(words))]);
    let version = vec![
        ("status", select(vec!["draft", "published", "archived"]).prop_map(Value::from).boxed()),
        ("lock_version", or_junk((0..3).prop_map(Value::from).boxed())),
        ("data", content()),
    ];

    let area = format!("/worklete_admin/organizations/{}", cast.organization);
    let category_path = |n: usize| format!("{area}/training_categories/{}", ids.0["training_categories"][n]);
    let refinements = format!("/worklete_admin/teams/{}/refinements", cast.team);
    let course = format!("/worklete_admin/courses/{}", ids.0["courses"][0]);
    let versions = format!("{course}/versions");
    let certifications = "/worklete_admin/champion_certifications".to_owned();
    let day_count = || or_junk((-1_i64..400).prop_map(Value::from).boxed());
    let settings = vec![
        ("name", text()),
        ("s3_integrations_folder", or_junk("[a-z/_-]{1,8}".prop_map(Value::from).boxed())),
        ("saml_info", or_junk(select(vec![json!("<a/>"), Value::Null]).boxed())),
        ("sso_enforced", flag()),
        ("time_zone", or_junk(select(vec!["UTC", "Asia/Tokyo"]).prop_map(Value::from).boxed())),
        ("cadence", or_junk(select(vec!["weekly", "monthly", "self_paced"]).prop_map(Value::from).boxed())),
        ("reporting_grace_days", day_count()),
        ("late_window_days", day_count()),
        ("recycle_after_days", day_count()),
    ];
    let people = || or_junk(vec(id("memberships"), 0..4).prop_map(Value::from).boxed());
    let roster = vec![
        ("name", text()),
        ("external_id", or_junk(select(vec![json!("T-1"), json!("T-2"), Value::Null]).boxed())),
        ("membership_ids", people()),
        ("admin_membership_ids", people()),
    ];
    let wishes = [
        ("PATCH", area.clone(), some_of(settings)),
        ("POST", format!("{area}/teams"), some_of(roster.clone())),
        ("PATCH", format!("{area}/teams/{}", cast.team), some_of(roster)),
        ("PUT", format!("{area}/course_pools"), vec(pool, 0..3).prop_map(Value::from).boxed()),
        ("PATCH", category_path(0), object(category.clone())),
        ("PUT", category_path(1), object(category)),
        (
            "POST",
            format!("{area}/training_categories"),
            object(vec![("name", text()), ("is_default", flag())]),
        ),
        ("POST", certifications.clone(), object(vec![("user_id", id("users")), ("date", day())])),
        ("DELETE", certifications, object(vec![("user_id", id("users"))])),
        ("POST", refinements.clone(), object(vec![("data", practice.clone())])),
        ("PATCH", format!("{refinements}/{}", ids.0["refinements"][0]), object(vec![("data", practice)])),
        ("PATCH", course, object(vec![("archived", flag()), ("name", text())])),
        ("POST", versions.clone(), object(vec![("data", content())])),
        ("PATCH", format!("{versions}/{}", ids.0["versions"][0]), object(version)),
    ];
    let wish = wishes.map(|(method, path, body)| (Just((method, path)), body).boxed());
    let force = proptest::option::weighted(0.2, Just("force=true".to_owned()));
    (Union::new(wish), force)
        .prop_map(|(((method, path), body), force)| Garbage {
            method,
            query: force.filter(|_| method == "POST" && path.ends_with("/versions")),
            path,
            content_type: Some("application/json"),
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
            signed: true,
        })
        .boxed()
}

#[tokio::test]
async fn whatever_staff_sends_gets_an_answer_that_is_never_our_failure() {
    let app = TestApp::start_with(&GENEROUS).await;
    let cast = app.cast().await;
    let mut people = Vec::new();
    for _ in 0..8 {
        people.push(app.sign_in("staff-admin").await);
    }
    let ids = staff_ids(&app, &people[0], &cast).await;
    people.push(app.sign_in("staff-employee").await);
    people.push(app.sign_in("team-admin").await);

    let mut words = Words::new(&STAFF_FIELDS, &[&STAFF_TEXTS[..], &TEXTS[..]].concat());
    words.texts.extend(ids.all());
    // Within other fields, too: in `data` they mean something.
    words.texts.extend(STAFF_FIELDS.map(str::to_owned));
    let by_status = throw(&app, &people, garbage(&words, ids.paths(&STAFF_ROUTES, &words))).await;
    for status in [200, 400, 401, 403, 404, 415] {
        assert!(by_status.contains_key(&status), "{status} in {by_status:?}");
    }
    let by_status = throw(&app, &people[..8], nearly_good(&ids, &words, &cast)).await;
    for status in [200, 201, 400, 409] {
        assert!(by_status.contains_key(&status), "{status} in {by_status:?}");
    }
    let trail = app.audit();
    for action in [
        "organization.update",
        "team.create",
        "team.update",
        "course.create",
        "course.update",
        "course_version.create",
        "training_category.update",
        "course_pools.set",
        "champion.certify",
        "champion.revoke",
        "refinement.create",
        "refinement.update",
    ] {
        assert!(trail.iter().any(|row| row["action"] == action), "no {action} among {} rows", trail.len());
    }
    assert_eq!(app.call(Method::GET, "//readyz", None).await.status, 200);
}

/// The fields that any operation of a learner knows.
const LEARNING_FIELDS: [&str; 12] = [
    "event_type",
    "player_session_id",
    "client_supplied_occured_at_in_ms",
    "progress",
    "events",
    "course_id",
    "membership_id",
    "explain",
    "percent",
    "page",
    "size",
    "",
];

/// Events that are right but for one thing, most of them.
fn learning(courses: &[String], assignment: &str) -> BoxedStrategy<Garbage> {
    let words = Words::new(
        &LEARNING_FIELDS,
        &[&["true", "complete", "update_progress", "1", "-1"][..], &TEXTS].concat(),
    );
    let odd = || {
        prop_oneof![
            json(&words),
            Just(json!(-1)),
            Just(json!(1.5)),
            Just(json!(i64::MAX)),
            Just(json!(u64::MAX)),
            Just(json!({ "percent": 1e300, "answered": { "a": [1e-300, -0.0] }, "furthest_ms": "x" })),
            Just(json!({ "a\u{0}": "\u{0}" })),
            Just(json!({ "percent": 100, "answered": vec![1; 2000], "page": null })),
        ]
        .boxed()
    };
    let field = select(vec![
        "course_id",
        "event_type",
        "player_session_id",
        "client_supplied_occured_at_in_ms",
        "progress",
        "progress",
    ]);
    let event = (
        select(courses.to_vec()),
        select(vec!["complete", "update_progress"]),
        0..4_u32,
        0..2_000_000_000_000_i64,
        proptest::option::of((field, odd())),
    )
        .prop_map(|(course, event_type, run, ms, wrong)| {
            let mut event = json!({
                "course_id": course, "event_type": event_type, "client_supplied_occured_at_in_ms": ms,
                "player_session_id": format!("00000000-0000-4000-8000-00000000000{run}"), "progress": { "percent": run }
            });
            if let Some((field, value)) = wrong {
                event[field] = value;
            }
            event
        })
        .boxed();
    let batch = vec(prop_oneof![5 => event.clone(), 1 => json(&words)], 0..12)
        .prop_map(|events| json!({ "events": events }));
    let sent = |path: BoxedStrategy<String>, body: BoxedStrategy<Value>| {
        (path, body)
            .prop_map(|(path, body)| Garbage {
                method: "POST",
                path,
                query: None,
                content_type: Some("application/json"),
                headers: vec![],
                body: body.to_string().into_bytes(),
                signed: true,
            })
            .boxed()
    };
    let single = select(courses.to_vec()).prop_map(|course| format!("/courses/{course}/events")).boxed();
    let paths = [
        ("GET", "/courses/current".to_owned()),
        ("POST", "/courses/events".to_owned()),
        ("GET", format!("/courses/{}", courses[0])),
        ("POST", format!("/courses/{}/events", courses[0])),
        ("GET", format!("/assignments/{assignment}/events")),
        ("GET", "/courses/events".to_owned()),
        ("GET", "/assignments/current/events".to_owned()),
    ];
    prop_oneof![
        3 => sent(single, event),
        3 => sent(Just("/courses/events".to_owned()).boxed(), batch.boxed()),
        2 => garbage(&words, select(paths.to_vec()).boxed()),
    ]
    .boxed()
}

#[tokio::test]
async fn whatever_a_phone_sends_gets_an_answer_that_is_never_our_failure() {
    let app = TestApp::start_with(&GENEROUS).await;
    let cast = app.cast().await;
    let staff = cast.person("staff admin");
    let mut courses = vec!["00000000-0000-4000-8000-000000000001".to_owned()];
    for position in 0..2 {
        courses.insert(0, app.basics(staff, position).await);
    }
    app.sign_in("member").await;
    let mut people = Vec::new();
    for _ in 0..8 {
        people.push(app.sign_in("member").await);
    }
    let current = app.call_as(&people[0], Method::GET, "/courses/current", None).await;
    let by_status = throw(&app, &people, learning(&courses, &id_of(&current.json["assignment"]))).await;
    for status in [200, 400, 401, 404, 405, 415] {
        assert!(by_status.contains_key(&status), "{status} in {by_status:?}");
    }
    let events = app.database.rows("SELECT count(*) > 100 FROM progress_events");
    assert_eq!(events, ["(t)"], "some of it was right");
    assert_eq!(app.call(Method::GET, "//readyz", None).await.status, 200);
}
