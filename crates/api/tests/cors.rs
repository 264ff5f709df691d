//! Which pages may call from a browser, and what their scripts may read.

mod common;

use std::collections::BTreeSet;

use common::{Answer, PASSWORD, TestApp};
use reqwest::Method;
use serde_json::json;

const OURS: &str = "https://app.example.org";
/// What the client libraries send.
const SENT: &str = "access-token,client,uid,expiry,token-type,authorization,content-type,accept,if-modified-since,x-requested-with";
/// What the client libraries read.
const READ: [&str; 6] = ["access-token", "client", "uid", "expiry", "token-type", "authorization"];

fn words(answer: &Answer, header: &str) -> BTreeSet<String> {
    let text = answer.header(header).unwrap_or_default().to_lowercase();
    text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

async fn preflight(app: &TestApp, origin: &str, method: &str, path: &str, headers: &str) -> Answer {
    let request = app.request(Method::OPTIONS, path).header("origin", origin);
    let request = request.header("access-control-request-method", method);
    app.send(request.header("access-control-request-headers", headers)).await
}

#[tokio::test]
async fn a_page_of_ours_may_use_every_method_and_header_of_the_client_libraries() {
    let app = TestApp::start().await;
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        for path in [
            "/auth",
            "/auth/",
            "/auth/sign_in",
            "/auth/validate_token.json",
            "/auth/password",
            "/no/such/path",
        ] {
            let answer = preflight(&app, OURS, method, path, SENT).await;
            assert_eq!(
                (answer.status, answer.header("access-control-allow-origin")),
                (200, Some(OURS)),
                "{method} {path}"
            );
            let wanted: BTreeSet<String> = SENT.split(',').map(str::to_owned).collect();
            assert!(words(&answer, "access-control-allow-headers").is_superset(&wanted), "{answer:?}");
            assert!(
                words(&answer, "access-control-allow-methods").contains(&method.to_lowercase()),
                "{answer:?}"
            );
            assert!(answer.header("access-control-max-age").is_some());
            assert!(answer.header("access-control-allow-credentials").is_none() && !answer.carries_session());
        }
    }
}

#[tokio::test]
async fn a_page_of_ours_reads_the_session_from_good_and_bad_answers() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer("annlee").await;
    for (password, status) in [(PASSWORD, 200), ("wrong-password", 401), ("12345", 401)] {
        let request = app.request(Method::POST, "/auth/sign_in").header("origin", OURS);
        let answer = app.send(request.json(&json!({ "username": "annlee", "password": password }))).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, Some(OURS)));
        assert!(words(&answer, "vary").contains("origin"), "{answer:?}");
        let exposed = words(&answer, "access-control-expose-headers");
        for name in READ.iter().chain(&[
            "x-request-id",
            "retry-after",
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
        ]) {
            assert!(exposed.contains(*name), "{name}: {answer:?}");
        }
        assert_eq!(answer.carries_session(), status == 200);
    }
    let unknown = app.send(app.request(Method::GET, "/no/such/path").header("origin", OURS)).await;
    assert_eq!((unknown.error().0, unknown.header("access-control-allow-origin")), (404, Some(OURS)));
}

#[tokio::test]
async fn other_pages_may_neither_ask_nor_read() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    for origin in [
        "https://evil.example.org",
        "http://app.example.org",
        "https://app.example.org:8443",
        "https://app.example.org.evil.org",
        "https://sub.app.example.org",
        "null",
        "not an origin",
    ] {
        let answer = preflight(&app, origin, "POST", "/auth/sign_in", SENT).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (400, None), "{origin}");
        answer.error();
        let request = ann.sign(app.request(Method::GET, "/auth/validate_token")).header("origin", origin);
        let answer = app.send(request).await;
        assert!(answer.header("access-control-allow-origin").is_none(), "{origin}: {answer:?}");
        assert!(words(&answer, "vary").contains("origin"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_preflight_for_other_methods_or_headers_is_refused() {
    let app = TestApp::start().await;
    for (method, headers) in [("TRACE", "accept"), ("GET", "x-something-else")] {
        let answer = preflight(&app, OURS, method, "/auth", headers).await;
        assert_eq!(answer.error().0, 400, "{method} {headers}");
    }
}

#[tokio::test]
async fn where_every_origin_is_allowed_none_is_echoed_and_no_cookie_is_invited() {
    let app = TestApp::start_with(&[("CORS_ALLOWED_ORIGINS", "*")]).await;
    let answer =
        preflight(&app, "https://any.example.org", "GET", "/auth/validate_token", "access-token").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    assert!(answer.header("access-control-allow-credentials").is_none());
}

#[tokio::test]
async fn without_an_allowed_origin_no_page_gets_in() {
    let app = TestApp::start_with(&[("CORS_ALLOWED_ORIGINS", "")]).await;
    let answer = preflight(&app, OURS, "GET", "/auth/validate_token", "access-token").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (400, None));
}
