//! `POST /auth/sign_in`, and what stands between it and somebody who guesses.

mod common;

use common::{Answer, PASSWORD, TestApp, keys_of};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/auth/sign_in";

/// The user on this route and on `validate_token`: without `created_at` and `updated_at`.
const USER: [&str; 13] = [
    "champion_certification",
    "email",
    "first_name",
    "id",
    "language",
    "last_name",
    "last_sign_in_at",
    "memberships",
    "must_change_password",
    "provider",
    "uid",
    "username",
    "worklete_role",
];

async fn try_in(app: &TestApp, body: Value) -> Answer {
    app.call(Method::POST, PATH, Some(body)).await
}

fn credentials(username: &str, password: &str) -> Value {
    json!({ "username": username, "password": password })
}

/// The body without the one member that differs from answer to answer.
fn without_request_id(answer: &Answer) -> Value {
    let mut json = answer.json.clone();
    json.as_object_mut().expect("an object").remove("request_id");
    json
}

#[tokio::test]
async fn a_sign_in_hands_over_a_session_and_says_who_it_is() {
    let app = TestApp::start().await;
    let staff = app.staff("first-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    app.member(&staff, &organization, "Demo.Learner", json!({ "job_title": "Picker" })).await;

    let answer = try_in(&app, credentials("demo.learner", PASSWORD)).await;
    assert_eq!((answer.status, answer.keys()), (200, vec!["data"]));
    assert!(answer.carries_session());
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let data = &answer.json["data"];
    assert_eq!(keys_of(data), USER);
    assert_eq!(
        (&data["username"], &data["uid"], &data["provider"], &data["worklete_role"]),
        (&json!("Demo.Learner"), &json!("Demo.Learner"), &json!("username"), &Value::Null)
    );
    assert!(data["last_sign_in_at"].as_str().is_some_and(|time| time.ends_with('Z')));
    let brief = &data["memberships"][0];
    assert_eq!(
        keys_of(brief),
        [
            "administered_team_ids",
            "id",
            "job_title",
            "org_admin",
            "organization_id",
            "organization_name",
            "status",
            "team_ids"
        ]
    );
    assert_eq!(brief["job_title"], "Picker");
    let (token, client) = (answer.header("access-token"), answer.header("client"));
    assert_eq!((token.map(str::len), client.map(str::len)), (Some(43), Some(22)));
}

#[tokio::test]
async fn json_forms_multipart_and_the_query_are_all_read_and_the_body_wins() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer("annlee").await;
    let fields = [("username", "annlee"), ("password", PASSWORD)];
    let multipart = || {
        let form = reqwest::multipart::Form::new();
        form.text("username", "annlee").text("password", PASSWORD)
    };
    let post = || app.request(Method::POST, PATH);
    let odd_json = credentials("annlee", PASSWORD).to_string();
    let ways = [
        ("json", post().json(&credentials("annlee", PASSWORD))),
        ("json of another name", post().header("content-type", "application/vnd.api+json").body(odd_json.clone())),
        ("json with a charset", post().header("content-type", "application/json; charset=UTF-8").body(odd_json.clone())),
        ("json that does not say so", post().body(odd_json)),
        ("form", post().form(&fields)),
        ("multipart", post().multipart(multipart())),
        ("query", post().query(&fields)),
        ("half and half", post().query(&fields[..1]).form(&fields[1..])),
        ("the body wins", post().query(&[("username", "nobody")]).form(&fields)),
        ("a null hides the query", post().query(&fields[1..]).json(&json!({ "username": "annlee", "password": null, "email": null }))),
        ("unknown fields", post().json(&json!({ "username": "annlee", "password": PASSWORD, "resource_class": "Admin", "config_name": "x" }))),
    ];
    for (way, request) in ways {
        let answer = app.send(request).await;
        // The body wins even when it says nothing.
        let expected = if way == "a null hides the query" { 401 } else { 200 };
        assert_eq!((answer.status, answer.carries_session()), (expected, expected == 200), "{way}");
    }
}

#[tokio::test]
async fn names_are_found_in_any_case_by_username_or_address() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer("Ann.Lee").await;
    app.newcomer("Ann@Example.org").await;
    for (body, uid) in [
        (json!({ "username": "Ann.Lee" }), "Ann.Lee"),
        (json!({ "username": " aNN.lEE " }), "Ann.Lee"),
        (json!({ "username": "ann.lee", "provider": "username" }), "Ann.Lee"),
        (json!({ "username": "ann.lee", "email": "ann@example.org" }), "Ann.Lee"),
        (json!({ "email": "ann.lee" }), "Ann.Lee"),
        (json!({ "email": " ANN@example.org " }), "ann@example.org"),
        (json!({ "username": "ann@EXAMPLE.org" }), "ann@example.org"),
        (json!({ "username": "ann@example.org", "provider": "email" }), "ann@example.org"),
    ] {
        let mut body = body;
        body["password"] = PASSWORD.into();
        let answer = try_in(&app, body.clone()).await;
        assert_eq!((answer.status, answer.header("uid")), (200, Some(uid)), "{body}");
    }
}

#[tokio::test]
async fn why_a_sign_in_fails_is_never_told() {
    let app = TestApp::start_open(&[]).await;
    for username in ["annlee", "locked", "deleted", "ann@example.org"] {
        app.newcomer(username).await;
    }
    app.database.execute(
        "UPDATE users SET locked_at = now() WHERE username = 'locked'; \
         UPDATE users SET deleted_at = now() WHERE username = 'deleted'",
    );
    let wrong = try_in(&app, credentials("annlee", "wrong-password")).await;
    assert_eq!(wrong.error(), (401, "invalid_credentials"));
    assert_eq!(wrong.keys(), ["code", "errors", "request_id", "success"]);
    assert_eq!(wrong.json["success"], false);
    assert!(wrong.json["errors"][0].is_string() && wrong.json["errors"].as_array().map(Vec::len) == Some(1));
    for body in [
        credentials("nobody", PASSWORD),
        credentials("locked", PASSWORD),
        credentials("locked", "wrong-password"),
        credentials("deleted", PASSWORD),
        credentials("annlee", ""),
        credentials("annlee", "short"),
        credentials("annlee", &"x".repeat(73)),
        credentials("annlee", "nul\u{0}nul"),
        credentials("ann\u{0}lee", PASSWORD),
        credentials("", PASSWORD),
        json!({ "username": "annlee" }),
        json!({ "password": PASSWORD }),
        json!({}),
        json!({ "username": "annlee", "password": PASSWORD, "provider": "email" }),
        json!({ "username": "ann@example.org", "password": PASSWORD, "provider": "username" }),
        json!({ "email": "annlee", "password": PASSWORD, "provider": "email" }),
    ] {
        let answer = try_in(&app, body.clone()).await;
        assert_eq!(answer.status, 401, "{body}");
        assert_eq!(without_request_id(&answer), without_request_id(&wrong), "{body}");
        assert_eq!(answer.headers.keys().len(), wrong.headers.keys().len(), "{body}");
        assert!(!answer.carries_session());
    }
    let empty = app.send(app.request(Method::POST, PATH)).await;
    assert_eq!(without_request_id(&empty), without_request_id(&wrong));
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_in_the_shape_of_the_client_libraries() {
    let app = TestApp::start().await;
    let send = |mime: &'static str, body: Vec<u8>| {
        let request = app.request(Method::POST, PATH).header("content-type", mime).body(body);
        app.send(request)
    };
    let cases: [(&str, Vec<u8>, u16, &str); 11] = [
        ("application/json", br#"{"username":5}"#.to_vec(), 422, "validation_failed"),
        ("application/json", br#"{"username":{"a":[1]}}"#.to_vec(), 422, "validation_failed"),
        ("application/json", br#"{"provider":"facebook"}"#.to_vec(), 422, "validation_failed"),
        ("application/json", b"[]".to_vec(), 400, "malformed_body"),
        ("application/json", b"{\"username\":".to_vec(), 400, "malformed_body"),
        ("application/json", b"{\"username\":\"\xff\"}".to_vec(), 400, "malformed_body"),
        ("application/x-www-form-urlencoded", b"username=\xff".to_vec(), 400, "malformed_body"),
        ("multipart/form-data", b"--x".to_vec(), 400, "malformed_body"),
        ("text/plain", b"username=annlee".to_vec(), 415, "unsupported_media_type"),
        ("application/json", vec![b' '; 64 * 1024 + 1], 413, "body_too_large"),
        ("application/x-www-form-urlencoded", vec![b'a'; 64 * 1024 + 1], 413, "body_too_large"),
    ];
    for (mime, body, status, code) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let answer = send(mime, body).await;
        assert_eq!(answer.error(), (status, code), "{shown}");
        assert_eq!(answer.keys(), ["code", "errors", "request_id", "success"], "{shown}");
        assert_eq!(answer.json["errors"].is_object(), status == 422, "{shown}");
        assert!(!answer.carries_session());
    }
}

#[tokio::test]
async fn a_get_of_the_sign_in_is_a_405() {
    let app = TestApp::start().await;
    let answer = app.call(Method::GET, PATH, None).await;
    assert_eq!(answer.error(), (405, "method_not_allowed"));
    assert_eq!(answer.keys(), ["code", "errors", "request_id", "success"]);
    assert!(!answer.carries_session());
}

#[tokio::test]
async fn passwords_in_request_headers_are_not_read() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer("annlee").await;
    let request = app.request(Method::POST, PATH).header("username", "annlee");
    assert_eq!(app.send(request.header("password", PASSWORD)).await.status, 401);
}

#[tokio::test]
async fn each_sign_in_is_a_session_of_its_own_whatever_client_is_sent() {
    let app = TestApp::start_open(&[]).await;
    let first = app.newcomer("annlee").await;
    let body = credentials("annlee", PASSWORD);
    let second = app.call_as(&first, Method::POST, PATH, Some(body)).await.person();
    assert_ne!(first.client, second.client);
    assert_ne!(first.token, second.token);
    assert!(app.knows(&first).await && app.knows(&second).await);
}

#[tokio::test]
async fn an_eleventh_session_ends_the_one_that_was_unused_for_longest() {
    let app = TestApp::start_open(&[]).await;
    let mut sessions = vec![app.newcomer("annlee").await];
    for _ in 0..9 {
        sessions.push(app.sign_in("annlee").await);
    }
    // The first one was used just now, the fourth one longest ago; expiry does not matter.
    app.database.execute(&format!(
        "UPDATE sessions SET last_used_at = last_used_at - interval '1 hour'; \
         UPDATE sessions SET last_used_at = now(), expires_at = now() + interval '1 minute' WHERE client_id = '{}'; \
         UPDATE sessions SET last_used_at = now() - interval '2 hours' WHERE client_id = '{}'",
        sessions[0].client, sessions[3].client
    ));
    sessions.push(app.sign_in("annlee").await);
    for (place, session) in sessions.iter().enumerate() {
        assert_eq!(app.knows(session).await, place != 3, "{place}");
    }
}

#[tokio::test]
async fn ten_wrong_passwords_make_an_account_wait_and_nobody_else() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    app.newcomer("bobray").await;
    for _ in 0..10 {
        let refused = try_in(&app, credentials("AnnLee", "wrong-password")).await;
        assert_eq!(refused.status, 401);
    }
    for password in ["wrong-password", PASSWORD] {
        let throttled = try_in(&app, credentials("annlee", password)).await;
        assert_eq!(throttled.error(), (429, "too_many_attempts"));
        assert_eq!(throttled.keys(), ["code", "errors", "request_id", "success"]);
        assert!(throttled.json["errors"][0].is_string());
        let number = |name: &str| throttled.header(name).and_then(|value| value.parse::<u32>().ok());
        assert!(number("retry-after").is_some_and(|seconds| (1..=30).contains(&seconds)));
        assert_eq!(number("ratelimit-reset"), number("retry-after"));
        assert_eq!((number("ratelimit-limit"), number("ratelimit-remaining")), (Some(10), Some(0)));
        assert!(!throttled.carries_session());
    }
    assert!(app.knows(&ann).await, "sessions go on");
    assert_eq!(try_in(&app, credentials("bobray", "wrong-password")).await.status, 401);
    assert_eq!(try_in(&app, credentials("bobray", PASSWORD)).await.status, 200);
}

#[tokio::test]
async fn tries_made_at_once_get_no_more_answers_than_tries_in_a_row() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer("annlee").await;
    let tries = (0..30).map(|_| try_in(&app, credentials("annlee", "wrong-password")));
    let statuses: Vec<u16> = join_all(tries).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 20);
}

#[tokio::test]
async fn a_good_sign_in_forgets_the_failures_before_it() {
    let app = TestApp::start_open(&[("RATE_SIGN_IN_FAILURES_PER_ACCOUNT", "3")]).await;
    app.newcomer("annlee").await;
    for _ in 0..3 {
        for password in ["wrong-password", "wrong-password"] {
            assert_eq!(try_in(&app, credentials("annlee", password)).await.status, 401);
        }
        assert_eq!(try_in(&app, credentials("annlee", PASSWORD)).await.status, 200);
    }
}

#[tokio::test]
async fn an_address_that_guesses_waits_and_no_other_address_does() {
    let variables = [("RATE_SIGN_IN_FAILURES_PER_ADDRESS", "5"), ("TRUSTED_PROXIES", "127.0.0.1")];
    let app = TestApp::start_open(&variables).await;
    app.newcomer("annlee").await;
    let from = |address: &'static str, username: String, password: &str| {
        let request = app.request(Method::POST, PATH).header("x-forwarded-for", address);
        app.send(request.json(&credentials(&username, password)))
    };
    for n in 0..12 {
        // Good sign-ins in between never count.
        assert_eq!(
            from("198.51.100.1", "annlee".into(), PASSWORD).await.status,
            if n < 5 { 200 } else { 429 }
        );
        let guess = from("198.51.100.1", format!("guess-{n}"), PASSWORD).await;
        assert_eq!(guess.status, if n < 5 { 401 } else { 429 });
    }
    assert_eq!(from("198.51.100.2", "annlee".into(), PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_multipart_body_of_empty_parts_counts_by_its_whole_length() {
    let app = TestApp::start().await;
    let part = |n: u32| format!("--x\r\ncontent-disposition: form-data; name=\"k{n}\"\r\n\r\n\r\n");
    let parts = (0..5000).map(part).collect::<Vec<_>>().concat();
    let request =
        app.request(Method::POST, "/auth/sign_in").header("content-type", "multipart/form-data; boundary=x");
    let answer = app.send(request.body(format!("{parts}--x--\r\n"))).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (413, Some("body_too_large")), "{answer:?}");
}

#[tokio::test]
async fn names_that_nobody_can_have_share_no_budget() {
    let app = TestApp::start().await;
    for _ in 0..12 {
        let answer = app.call(Method::POST, "/auth/sign_in", Some(json!({ "username": "abc" }))).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
}
