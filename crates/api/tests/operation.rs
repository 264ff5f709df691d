//! What operators see: health, numbers, documentation, the database going away, and limits.

mod common;

use std::time::{Duration, Instant};

use common::{Answer, Person, TestApp, id_of};
use reqwest::Method;
use serde_json::json;

async fn get(app: &TestApp, path: &str) -> Answer {
    app.call(Method::GET, path, None).await
}

async fn validate(app: &TestApp, person: &Person) -> Answer {
    app.call_as(person, Method::GET, "/auth/validate_token", None).await
}

/// Asks until the answer is that of a ready server.
async fn until_ready(app: &TestApp) {
    let start = Instant::now();
    while get(app, "//readyz").await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(20), "not ready again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_running_server_is_alive_and_ready() {
    let app = TestApp::start().await;
    let ready = json!({ "status": "degraded", "reason": "no storage for files is configured" });
    for (path, expected) in [("//healthz", json!({ "status": "ok", "reason": null })), ("//readyz", ready)] {
        let answer = get(&app, path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json, expected);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(!answer.has_session());
    }
}

#[tokio::test]
async fn a_server_is_ready_whether_or_not_its_storage_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let embedded =
        [("WORKLETE_ENV", "development"), ("S3_EMBEDDED_FOLDER", folder.path().to_str().expect("a path"))];
    let away =
        [("S3_BUCKET", "rosters"), ("S3_REGION", "eu-central-1"), ("S3_ENDPOINT", "http://127.0.0.1:1")];
    let trouble = json!({ "status": "degraded", "reason": "the storage for files is not available" });
    for (variables, expected) in
        [(&embedded as &[_], json!({ "status": "ok", "reason": null })), (&away, trouble)]
    {
        let app = TestApp::start_with(variables).await;
        for _ in 0..2 {
            let answer = get(&app, "//readyz").await;
            assert_eq!((answer.status, &answer.json), (200, &expected));
        }
    }
}

#[tokio::test]
async fn the_numbers_count_answers_by_operation_and_hold_nothing_private() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    assert_eq!(get(&app, "/invitations/ZZZZZZ").await.status, 404);
    assert_eq!(get(&app, "/auth/usernames/secretive").await.status, 200);
    assert_eq!(get(&app, "/some/secretive/path").await.status, 404);
    assert_eq!(validate(&app, &staff).await.status, 200);
    let answer = get(&app, "//metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let text = answer.text;
    assert!(text.ends_with("# EOF\n"), "{text}");
    for line in [
        "worklete_http_requests_total{operation=\"GET /api/v1/invitations/{code}\",status=\"404\"} 1",
        "worklete_http_requests_total{operation=\"GET /api/v1/auth/validate_token\",status=\"200\"} 1",
        "worklete_http_requests_total{operation=\"GET unmatched\",status=\"404\"} 1",
        "worklete_db_connections_in_use 0",
        "worklete_bcrypt_running 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    for name in [
        "worklete_http_request_seconds_bucket",
        "worklete_db_requests_waiting",
        "worklete_db_statements",
        "worklete_bcrypt_waiting",
    ] {
        assert!(text.contains(name), "{name} in {text}");
    }
    for private in ["ZZZZZZ", "secretive", "staff-admin", staff.token.as_str()] {
        assert!(!text.contains(private), "{private} in {text}");
    }
}

#[tokio::test]
async fn the_numbers_want_their_token_when_there_is_one() {
    let app = TestApp::start_with(&[("METRICS_TOKEN", "numbers-please")]).await;
    for sent in [
        None,
        Some("numbers-please"),
        Some("Bearer numbers"),
        Some("Bearer numbers-please2"),
        Some("Basic numbers-please"),
    ] {
        let mut request = app.request(Method::GET, "//metrics");
        if let Some(sent) = sent {
            request = request.header("authorization", sent);
        }
        let refused = app.send(request).await;
        refused.problem(401, "unauthenticated");
        assert!(!refused.text.contains("worklete_"));
    }
    let request = app.request(Method::GET, "//metrics").header("authorization", "Bearer numbers-please");
    assert_eq!(app.send(request).await.status, 200);
    assert_eq!(get(&app, "//healthz").await.status, 200, "the others stay open");
}

#[tokio::test]
async fn the_documentation_page_brings_everything_it_needs() {
    let app = TestApp::start().await;
    let page = get(&app, "//docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(!page.text.contains("http://") && !page.text.contains("https://"), "loads from elsewhere");
    let referred: Vec<_> = page
        .text
        .split(['"', '\''])
        .filter(|part| part.contains("/assets/"))
        .map(|part| part.rsplit('/').next().expect("a name").to_owned())
        .collect();
    assert!(referred.len() >= 3, "{}", page.text);
    let known = [
        ("init.js", "text/javascript; charset=utf-8"),
        ("docs.css", "text/css; charset=utf-8"),
        ("favicon.svg", "image/svg+xml"),
        ("scalar-api-reference.js", "text/javascript; charset=utf-8"),
        ("inter-latin-wght-normal.woff2", "font/woff2"),
        ("jetbrains-mono-latin-wght-normal.woff2", "font/woff2"),
    ];
    for name in &referred {
        assert!(known.iter().any(|(known, _)| known == name), "{name} is not served");
    }
    let mut pages = vec![("//docs".to_owned(), "text/html; charset=utf-8")];
    pages.extend(known.iter().map(|(name, kind)| (format!("//docs/assets/{name}"), *kind)));
    for (path, content_type) in pages {
        let request = app.request(Method::GET, &path).build().expect("a request");
        let full = app.client.execute(request).await.expect("an answer");
        assert_eq!(full.status(), 200, "{path}");
        let headers = full.headers().clone();
        assert_eq!(headers["content-type"], content_type, "{path}");
        assert_eq!(headers["cache-control"], "no-cache", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-eval"));
        assert!(!full.bytes().await.expect("a body").is_empty(), "{path}");

        let again = app
            .request(Method::GET, &path)
            .header("if-none-match", &headers["etag"])
            .build()
            .expect("a request");
        let again = app.client.execute(again).await.expect("an answer");
        assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &headers["etag"]));
        assert_eq!(again.headers()["content-security-policy"], policy);
        assert!(again.bytes().await.expect("a body").is_empty(), "{path}");
        let other = app
            .request(Method::GET, &path)
            .header("if-none-match", "\"another\"")
            .build()
            .expect("a request");
        let other = app.client.execute(other).await.expect("an answer");
        assert_eq!(other.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn the_document_is_the_one_of_the_binary() {
    let app = TestApp::start().await;
    let answer = get(&app, "//openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.text, api::openapi::render(&api::openapi::document()));
    assert_eq!(answer.json["openapi"], "3.1.0");
}

#[tokio::test]
async fn a_database_that_goes_away_is_answered_in_time_and_comes_back_by_itself() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    assert_eq!(get(&app, "//readyz").await.status, 200);
    app.database.allow_connections(false);
    app.database.cut_connections();
    let team = format!("/organizations/{organization}/teams");
    let sign_in = json!({ "username": "staff-admin", "password": common::PASSWORD });
    let started = Instant::now();
    let (valid, written, preview, ready, signed_in, alive) = tokio::join!(
        validate(&app, &staff),
        app.call_as(&staff, Method::POST, &team, Some(json!({ "name": "Lost" }))),
        get(&app, "/invitations/ZZZZZZ"),
        get(&app, "//readyz"),
        app.call(Method::POST, "/auth/sign_in", Some(sign_in)),
        async {
            let answer = get(&app, "//healthz").await;
            (answer.status, started.elapsed())
        },
    );
    // The time-out of the harness is 2 seconds; the rest is for a busy machine.
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(alive.0, 200, "the process is fine");
    for problem in [&written, &preview] {
        let body = problem.problem(503, "unavailable");
        assert!(!body.to_string().contains("postgres"), "{body}");
    }
    for auth in [&valid, &signed_in] {
        assert_eq!((auth.status, auth.json["code"].as_str()), (503, Some("unavailable")), "{auth:?}");
    }
    assert!(!signed_in.has_session());
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json, json!({ "status": "unavailable", "reason": "the database does not answer" }));
    let wrong = app.call(Method::POST, "/auth/sign_in", Some(json!({ "password": 5 }))).await;
    assert_eq!(wrong.status, 422, "what needs no database is answered as ever");

    app.database.allow_connections(true);
    until_ready(&app).await;
    for _ in 0..20 {
        let answer = validate(&app, &staff).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    app.team(&staff, &organization, "Lost").await;
}

#[tokio::test]
async fn many_requests_at_once_without_a_database_are_all_answered() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    app.database.allow_connections(false);
    app.database.cut_connections();
    let started = Instant::now();
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let request = staff.sign(app.request(Method::GET, "/auth/validate_token"));
        asked.spawn(async move { request.send().await.expect("an answer").status().as_u16() });
    }
    let statuses = asked.join_all().await;
    assert_eq!(statuses, [503; 40]);
    // Waiting for a place takes up to the time-out, and connecting takes up to the time-out once more.
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    app.database.allow_connections(true);
    until_ready(&app).await;
    assert_eq!(validate(&app, &staff).await.status, 200);
}

#[tokio::test]
async fn connections_that_the_database_cut_are_replaced() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    for _ in 0..3 {
        app.database.cut_connections();
        until_ready(&app).await;
        for _ in 0..10 {
            let answer = validate(&app, &staff).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_session_that_asks_too_much_waits_and_another_goes_on() {
    let app = TestApp::start_with(&[("RATE_SESSION_PER_SECOND", "1"), ("RATE_SESSION_BURST", "5")]).await;
    let one = app.staff("greedy", "admin").await;
    let same_person = app.sign_in("greedy").await;
    let other = app.staff("modest", "admin").await;
    let mut throttled = None;
    for n in 0..40 {
        let answer = app
            .call_as(&one, Method::GET, "/worklete_admin/courses/00000000-0000-4000-8000-000000000001", None)
            .await;
        if answer.status == 429 {
            throttled = Some(answer);
            assert!(n >= 5, "the burst of 5 was cut to {n}");
            break;
        }
        answer.problem(404, "not_found");
    }
    let throttled = throttled.expect("the burst is used up");
    throttled.problem(429, "too_many_requests");
    assert_eq!(throttled.header("retry-after"), Some("1"));
    for (name, expected) in [("ratelimit-limit", "5"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "1")]
    {
        assert_eq!(throttled.header(name), Some(expected), "{name}");
    }
    assert_eq!(throttled.header("access-token"), Some(one.token.as_str()), "a client keeps its session");
    for session in [&other, &same_person] {
        assert_eq!(validate(&app, session).await.status, 200);
    }
    let start = Instant::now();
    while validate(&app, &one).await.status == 429 {
        assert!(start.elapsed() < Duration::from_secs(10), "waits for ever");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_forwarded_address_is_believed_from_trusted_proxies_only() {
    for (proxies, sent, expected) in [
        ("", "203.0.113.9", "127.0.0.1"),
        ("10.0.0.0/8", "203.0.113.9", "127.0.0.1"),
        ("127.0.0.0/8", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1, 10.0.0.0/8", "6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
    ] {
        let app = TestApp::start_with(&[("TRUSTED_PROXIES", proxies)]).await;
        let staff = app.staff("staff-admin", "admin").await;
        let request =
            staff.sign(app.request(Method::POST, "/worklete_admin/courses")).header("x-forwarded-for", sent);
        let answer = app.send(request.json(&json!({ "name": "Lifting" }))).await;
        assert_eq!(answer.status, 201);
        let audit = app.audit();
        assert_eq!(audit[0]["subject_id"], id_of(&answer.json));
        assert_eq!(audit[0]["ip"], expected, "{proxies:?} {sent:?}");
    }
}
