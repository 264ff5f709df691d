//! `GET /auth/usernames/{username}`: whether a name can be had.

mod common;

use common::{Answer, TestApp};
use reqwest::Method;
use serde_json::json;

async fn look_up(app: &TestApp, name: &str) -> Answer {
    app.call(Method::GET, &format!("/auth/usernames/{name}"), None).await
}

#[tokio::test]
async fn a_name_is_available_until_somebody_has_it_in_any_case() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer("Ann.Lee").await;
    app.newcomer("ann@example.org").await;
    for (sent, name, available) in [
        ("free-name", "free-name", true),
        ("Ann.Lee", "Ann.Lee", false),
        ("aNN.lEE", "aNN.lEE", false),
        ("ann%2Elee", "ann.lee", false),
        ("ann.lee/", "ann.lee", false),
        ("ann.lee.json", "ann.lee.json", true),
        ("free%2Fname", "free/name", true),
        ("100%25", "100%", true),
        ("ANN@example.org", "ann@example.org", false),
        ("bob%40example.org", "bob@example.org", true),
    ] {
        let answer = look_up(&app, sent).await;
        assert_eq!(
            (answer.status, &answer.json),
            (200, &json!({ "username": name, "available": available })),
            "{sent}"
        );
        assert!(!answer.carries_session());
    }
}

#[tokio::test]
async fn a_name_that_nobody_could_have_is_a_400_that_names_the_rule() {
    let app = TestApp::start().await;
    for (sent, code) in [
        ("abc", "too_short"),
        ("abcd%00", "invalid"),
        ("with%20blank", "invalid"),
        ("zo%C3%AB-long", "invalid"),
        ("%ff%fe%fd%fc", "invalid"),
        ("no@address", "invalid"),
        (&*"x".repeat(255), "too_long"),
    ] {
        let answer = look_up(&app, sent).await;
        assert_eq!(answer.error(), (400, "validation_failed"), "{sent}");
        assert_eq!(answer.json["fields"]["username"], json!([code]), "{sent}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    for (path, status) in [("/auth/usernames", 404), ("/auth/usernames/", 404), ("/auth/usernames/a/b", 404)]
    {
        assert_eq!(app.call(Method::GET, path, None).await.error(), (status, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn an_address_that_tries_many_names_waits_and_no_other_address_does() {
    let app = TestApp::start_with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let from = |address: &'static str, n: usize| {
        let request = app.request(Method::GET, &format!("/auth/usernames/name-{n}"));
        app.send(request.header("x-forwarded-for", address))
    };
    for n in 0..60 {
        assert_eq!(from("198.51.100.1", n).await.status, 200);
    }
    let throttled = from("198.51.100.1", 60).await;
    assert_eq!(throttled.error(), (429, "too_many_attempts"));
    assert_eq!(
        (throttled.header("ratelimit-limit"), throttled.header("ratelimit-remaining")),
        (Some("60"), Some("0"))
    );
    assert!(throttled.header("retry-after").is_some() && throttled.header("ratelimit-reset").is_some());
    assert_eq!(from("198.51.100.2", 61).await.status, 200);
}

#[tokio::test]
async fn an_address_that_somebody_gave_up_as_a_name_but_keeps_for_mail_is_not_available() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("ann@example.org").await;
    let renamed = app.call_as(&ann, Method::PATCH, "/auth", Some(json!({ "username": "annlee" }))).await;
    assert_eq!((renamed.status, &renamed.json["data"]["email"]), (200, &json!("ann@example.org")));
    let answer = look_up(&app, "ann@example.org").await;
    let sign_up = app
        .call(
            Method::POST,
            "/auth",
            Some(json!({ "username": "ann@example.org", "first_name": "A", "last_name": "L", "password": "worklete123" })),
        )
        .await;
    assert_eq!(sign_up.error(), (422, "taken"));
    assert_eq!(answer.json["available"], false, "as a sign-up would say");
}
