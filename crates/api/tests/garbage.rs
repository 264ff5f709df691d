//! Thousands of requests that no client would send: each is answered, none breaks anything.

mod common;

use common::{Answer, PASSWORD, Person, TestApp};
use futures_util::StreamExt;
use futures_util::stream;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::{Union, ValueTree};
use proptest::test_runner::TestRunner;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::{Map, Value};

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

fn text() -> BoxedStrategy<String> {
    let long = (1_usize..6000).prop_map(|length| "é".repeat(length));
    prop_oneof![6 => select(&TEXTS[..]).prop_map(str::to_owned), 2 => any::<String>(), 1 => long].boxed()
}

fn json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::String),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let nested = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let name = prop_oneof![9 => select(&FIELDS[..]).prop_map(str::to_owned), 1 => text()];
    let object = vec((name, nested.clone()), 0..8).prop_map(|members| Value::Object(Map::from_iter(members)));
    prop_oneof![9 => object, 1 => nested].boxed()
}

fn pairs() -> BoxedStrategy<String> {
    let pair = (select(&FIELDS[..]), text()).prop_map(|(name, value)| {
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

fn multipart() -> BoxedStrategy<Vec<u8>> {
    let part = (select(&FIELDS[..]), text(), any::<bool>()).prop_map(|(name, value, is_whole)| {
        let end = if is_whole { "\r\n" } else { "" };
        format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}{end}")
    });
    (vec(part, 0..4), select(&["--x--\r\n", "--x--", "--x", "--", ""][..]))
        .prop_map(|(parts, end)| (parts.concat() + end).into_bytes())
        .boxed()
}

fn body() -> BoxedStrategy<Vec<u8>> {
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
        8 => json().prop_map(|json| json.to_string().into_bytes()),
        3 => pairs().prop_map(String::into_bytes),
        3 => multipart(),
        2 => select(broken.to_vec()).prop_map(<[u8]>::to_vec),
        1 => deep.prop_map(|(depth, open)| open.repeat(depth).into_bytes()),
        1 => vec(any::<u8>(), 0..300),
        1 => (65_000_usize..80_000).prop_map(|length| vec![b' '; length]),
        2 => Just(Vec::new()),
    ]
    .boxed()
}

fn path() -> BoxedStrategy<(&'static str, String)> {
    let methods =
        select(&["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "SPILL", "get"][..]);
    let suffix =
        select(&["", "/", ".json", "//", "%00", "%ff", "/..", "/%2e%2e/auth", ";x=y", "/%2f", "~"][..]);
    let segment = prop_oneof![
        text().prop_map(|text| form_urlencoded(&text)),
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

fn header() -> BoxedStrategy<(&'static str, Vec<u8>)> {
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
        1 => json().prop_map(|json| format!("Bearer {}", base64(json.to_string().as_bytes())).into_bytes()),
    ];
    (select(names.to_vec()), value).boxed()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(&bytes[..bytes.len().min(4000)])
}

fn garbage() -> BoxedStrategy<Garbage> {
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
    // Most bodies are what they say they are, so that the handlers see something.
    let fitting = prop_oneof![
        json().prop_map(|json| (Some("application/json"), json.to_string().into_bytes())),
        pairs().prop_map(|pairs| (Some("application/x-www-form-urlencoded"), pairs.into_bytes())),
        multipart().prop_map(|body| (Some("multipart/form-data; boundary=x"), body)),
    ];
    let payload = prop_oneof![fitting, (content_type, body())];
    let query = proptest::option::weighted(0.4, pairs());
    (path(), query, payload, vec(header(), 0..4), any::<bool>())
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
    if garbage.signed && garbage.method != "DELETE" {
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

#[tokio::test]
async fn whatever_is_sent_gets_an_answer_that_is_never_our_failure() {
    let app = TestApp::start_open(&GENEROUS).await;
    app.newcomer("ann@example.org").await;
    let mut people = Vec::new();
    for n in 0..AT_ONCE {
        people.push(app.newcomer(&format!("person-{n}")).await);
    }
    let (mut runner, strategy) = (TestRunner::deterministic(), garbage());
    let all: Vec<Garbage> =
        (0..REQUESTS).map(|_| strategy.new_tree(&mut runner).expect("a request").current()).collect();
    let answers = stream::iter(all.iter().enumerate())
        .map(|(n, garbage)| {
            let (app, person) = (&app, &people[n % AT_ONCE]);
            async move { (garbage, send(app, person, garbage).await) }
        })
        .buffer_unordered(AT_ONCE);
    let mut by_status = std::collections::BTreeMap::<u16, usize>::new();
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
    // The generator still reaches the handlers, and the server is still there.
    for status in [200, 400, 401, 404, 405, 413, 415, 422] {
        assert!(by_status.contains_key(&status), "{status} in {by_status:?}");
    }
    let fresh = app.newcomer("after-it-all").await;
    assert!(app.knows(&fresh).await);
    assert_eq!(app.call(Method::GET, "//readyz", None).await.status, 200);
}
