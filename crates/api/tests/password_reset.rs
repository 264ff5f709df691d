//! A new password by mail: asking, the mail, its link, and the one use of it.

mod common;

use common::{Answer, PASSWORD, TestApp, keys_of, token_of};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/auth/password";
const EDIT: &str = "/auth/password/edit";
const APP: &str = "https://app.example.org/reset";
const NEW: &str = "worklete456";
const ANN: &str = "ann@example.org";
const ERROR: [&str; 4] = ["code", "errors", "request_id", "success"];

async fn ask(app: &TestApp, body: Value) -> Answer {
    app.call(Method::POST, PATH, Some(body)).await
}

/// The token of a mail that was just asked for: the one that no other mail had.
async fn new_token(app: &TestApp, redirect: &str) -> String {
    let before: Vec<String> = app.mails().iter().map(|mail| token_of(mail)).collect();
    let answer = ask(app, json!({ "email": ANN, "redirect_url": redirect })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let after = app.mails_after(before.len() + 1).await;
    let new = after.iter().map(|mail| token_of(mail)).find(|token| !before.contains(token));
    new.expect("a new token")
}

async fn open(app: &TestApp, token: &str) -> Answer {
    app.send(app.request(Method::GET, EDIT).query(&[("reset_password_token", token)])).await
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    let body =
        json!({ "password": password, "password_confirmation": password, "reset_password_token": token });
    app.call(Method::PUT, PATH, Some(body)).await
}

async fn sign_in(app: &TestApp, password: &str) -> u16 {
    let body = json!({ "email": ANN, "password": password });
    app.call(Method::POST, "/auth/sign_in", Some(body)).await.status
}

#[tokio::test]
async fn a_mail_leads_to_the_app_and_its_token_sets_one_new_password() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer(ANN).await;
    let other = app.sign_in(ANN).await;
    let bystander = app.newcomer("bobray").await;

    let answer =
        ask(&app, json!({ "email": " Ann@Example.org ", "redirect_url": APP, "config_name": "default" }))
            .await;
    assert_eq!((answer.status, answer.keys()), (200, vec!["message", "success"]));
    assert!(
        answer.json["success"] == true && answer.json["message"].is_string() && !answer.carries_session()
    );
    let mails = app.mails_after(1).await;
    assert!(mails[0].contains("To: ann@example.org"), "{}", mails[0]);
    assert!(mails[0].contains("http://localhost:3001/api/v1/auth/password/edit?reset_password_token="));
    assert!(!mails[0].contains("redirect_url"), "the target is kept on the server");
    let token = token_of(&mails[0]);
    assert_eq!(token.len(), 43);
    let stored = app.database.rows("SELECT * FROM password_resets").concat();
    assert!(!stored.contains(&token), "hashed at rest");

    for _ in 0..2 {
        let opened = open(&app, &token).await;
        let location = format!("{APP}?reset_password_token={token}");
        assert_eq!((opened.status, opened.header("location")), (302, Some(&*location)));
        assert_eq!(opened.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(opened.header("cache-control"), Some("no-store"));
        assert!(!opened.carries_session());
    }
    assert!(app.knows(&ann).await && app.knows(&other).await, "opening does nothing");
    assert_eq!(sign_in(&app, PASSWORD).await, 200);

    let answer = reset(&app, &token, NEW).await;
    assert_eq!((answer.status, answer.keys()), (200, vec!["data", "message", "success"]));
    assert!(answer.carries_session());
    assert_eq!(keys_of(&answer.json["data"]), keys_of(&ann.data));
    let fresh = answer.person();
    assert!(app.knows(&fresh).await && app.knows(&bystander).await);
    assert!(!app.knows(&ann).await && !app.knows(&other).await);
    assert_eq!([sign_in(&app, PASSWORD).await, sign_in(&app, NEW).await], [401, 200]);

    let again = reset(&app, &token, "worklete789").await;
    assert_eq!(
        (again.error(), again.keys(), again.carries_session()),
        ((401, "unauthorized"), ERROR.to_vec(), false)
    );
    assert_eq!(again.json["errors"], json!(["Unauthorized"]));
    assert_eq!(open(&app, &token).await.error(), (404, "reset_link_not_found"));
    assert!(app.knows(&fresh).await);
}

#[tokio::test]
async fn nobody_learns_whether_an_address_has_an_account() {
    let app = TestApp::start_open(&[]).await;
    for username in [ANN, "locked@example.org", "deleted@example.org", "annlee"] {
        app.newcomer(username).await;
    }
    app.database.execute(
        "UPDATE users SET locked_at = now() WHERE username = 'locked@example.org'; \
         UPDATE users SET deleted_at = now() WHERE username = 'deleted@example.org'",
    );
    let mut bodies = Vec::new();
    for email in [
        "nobody@example.org",
        "locked@example.org",
        "deleted@example.org",
        "annlee",
        "nul\u{0}@example.org",
        "no address",
        ANN,
    ] {
        let mut answer = ask(&app, json!({ "email": email, "redirect_url": APP })).await;
        assert_eq!((answer.status, answer.keys()), (200, vec!["message", "success"]), "{email}");
        answer.headers.remove("x-request-id");
        answer.headers.remove("date");
        bodies.push((answer.text, format!("{:?}", answer.headers)));
    }
    assert!(
        bodies.iter().all(|body| body.0 == bodies[0].0 && body.1.len() == bodies[0].1.len()),
        "{bodies:?}"
    );
    let mails = app.mails_after(1).await;
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("To: ann@example.org"));
}

#[tokio::test]
async fn the_redirect_is_checked_before_the_address() {
    let app = TestApp::start().await;
    let refused = [
        "http://app.example.org/reset",
        "https://app.example.org",
        "https://app.example.org/resets",
        "https://app.example.org/reset/../other",
        "https://app.example.org:8443/reset",
        "https://app.example.org.evil.org/reset",
        "https://evil.org/https://app.example.org/reset",
        "https://app.example.org@evil.org/reset",
        "https://user@app.example.org/reset",
        "https://app.example.org\\@evil.org/reset",
        "https://app.example.org/reset\r\nx: y",
        "//app.example.org/reset",
        "/reset",
        "javascript:alert(1)",
        "*",
    ];
    for url in refused {
        for body in [json!({ "redirect_url": url }), json!({ "email": ANN, "redirect_url": url })] {
            let answer = ask(&app, body).await;
            assert_eq!(answer.error(), (422, "redirect_url_not_allowed"), "{url}");
            assert_eq!(answer.keys(), ["code", "data", "errors", "request_id", "success"], "{url}");
            assert!(
                answer.json["data"].is_null()
                    && answer.json["errors"][0].is_string()
                    && !answer.carries_session()
            );
        }
    }
    for (body, code) in [
        (json!({}), "redirect_url_missing"),
        (json!({ "email": ANN }), "redirect_url_missing"),
        (json!({ "email": ANN, "redirect_url": "" }), "redirect_url_missing"),
        (json!({ "redirect_url": APP }), "email_missing"),
        (json!({ "email": " ", "redirect_url": APP }), "email_missing"),
    ] {
        let answer = ask(&app, body.clone()).await;
        assert_eq!((answer.error(), answer.keys()), ((401, code), ERROR.to_vec()), "{body}");
        assert!(answer.json["errors"][0].is_string() && !answer.carries_session());
    }
}

#[tokio::test]
async fn a_deployment_may_have_a_place_of_its_own_to_lead_to() {
    let app = TestApp::start_open(&[("AUTH_DEFAULT_REDIRECT_URL", APP)]).await;
    app.newcomer(ANN).await;
    let form = app.request(Method::POST, PATH).form(&[("email", ANN)]);
    assert_eq!(app.send(form).await.status, 200);
    let token = token_of(&app.mails_after(1).await[0]);
    let opened = open(&app, &token).await;
    assert_eq!(opened.header("location"), Some(&*format!("{APP}?reset_password_token={token}")));
}

#[tokio::test]
async fn a_link_keeps_the_query_and_the_fragment_of_its_target_and_reads_no_other() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer(ANN).await;
    let token = new_token(&app, &format!("{APP}/now?x=1#/form")).await;
    let request = app.request(Method::GET, EDIT).query(&[
        ("reset_password_token", &*token),
        ("redirect_url", "https://evil.org/"),
        ("config", "default"),
    ]);
    let opened = app.send(request).await;
    let expected =
        format!("{APP}/now?x=1&reset_password_token={token}#/form?x=1&reset_password_token={token}");
    assert_eq!((opened.status, opened.header("location")), (302, Some(&*expected)));
}

#[tokio::test]
async fn links_that_never_were_or_are_no_more_are_not_found() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer(ANN).await;
    let token = new_token(&app, APP).await;
    for query in [
        "",
        "?reset_password_token=",
        "?reset_password_token=x",
        "?reset_password_token=%00",
        "?reset_password_token=%ff",
        "?token=x",
    ] {
        let answer = app.call(Method::GET, &format!("{EDIT}{query}"), None).await;
        assert_eq!(
            (answer.error(), answer.keys()),
            ((404, "reset_link_not_found"), ERROR.to_vec()),
            "{query}"
        );
        assert!(answer.header("location").is_none() && !answer.carries_session());
    }
    app.database.execute("UPDATE password_resets SET expires_at = now() - interval '1 second'");
    assert_eq!(open(&app, &token).await.status, 404);
    assert_eq!(reset(&app, &token, NEW).await.error(), (401, "unauthorized"));
    assert_eq!(sign_in(&app, PASSWORD).await, 200);
}

#[tokio::test]
async fn a_link_lives_for_an_hour() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer(ANN).await;
    new_token(&app, APP).await;
    let lives = app.database.rows("SELECT expires_at - created_at = interval '1 hour' FROM password_resets");
    assert_eq!(lives, ["(t)"]);
}

#[tokio::test]
async fn a_target_that_is_no_longer_allowed_is_not_led_to() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer(ANN).await;
    let token = new_token(&app, APP).await;
    app.database.execute("UPDATE password_resets SET redirect_url = 'https://formerly.example.org/'");
    let opened = open(&app, &token).await;
    assert_eq!(opened.error(), (422, "redirect_url_not_allowed"));
    assert!(opened.header("location").is_none());
}

#[tokio::test]
async fn a_second_mail_and_a_changed_password_end_the_links_before() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer(ANN).await;
    let first = new_token(&app, APP).await;
    let second = new_token(&app, APP).await;
    assert_eq!([open(&app, &first).await.status, open(&app, &second).await.status], [404, 302]);
    let body = json!({ "password": NEW, "password_confirmation": NEW });
    assert_eq!(app.call_as(&ann, Method::PUT, PATH, Some(body)).await.status, 200);
    assert_eq!(open(&app, &second).await.status, 404);
    assert_eq!(reset(&app, &second, "worklete789").await.status, 401);
}

#[tokio::test]
async fn a_refused_password_does_not_use_the_link_up() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer(ANN).await;
    let token = new_token(&app, APP).await;
    let missing =
        app.call(Method::PUT, PATH, Some(json!({ "reset_password_token": token, "password": NEW }))).await;
    assert_eq!((missing.error(), missing.carries_session()), ((422, "password_missing"), false));
    for (password, confirmation) in
        [("12345", "12345"), (NEW, "other-one"), (&*"x".repeat(73), &*"x".repeat(73))]
    {
        let body = json!({ "password": password, "password_confirmation": confirmation, "reset_password_token": token });
        let answer = app.call(Method::PATCH, PATH, Some(body)).await;
        assert_eq!((answer.error(), answer.carries_session()), ((422, "validation_failed"), false));
        assert!(answer.json["errors"]["full_messages"][0].is_string());
    }
    assert_eq!(reset(&app, &token, NEW).await.status, 200);
}

#[tokio::test]
async fn of_eight_uses_of_one_link_at_once_exactly_one_succeeds() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer(ANN).await;
    let token = new_token(&app, APP).await;
    let passwords: Vec<String> = (0..8).map(|n| format!("worklete-{n}")).collect();
    let answers = join_all(passwords.iter().map(|password| reset(&app, &token, password))).await;
    let won: Vec<usize> = (0..8).filter(|n| answers[*n].status == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    let lost = answers.iter().filter(|answer| answer.status != 200);
    assert!(lost.into_iter().all(|answer| answer.error() == (401, "unauthorized")), "{answers:?}");
    assert_eq!(sign_in(&app, &passwords[won[0]]).await, 200);
    assert!(app.knows(&answers[won[0]].person()).await);
}

#[tokio::test]
async fn a_link_of_a_person_locked_or_deleted_since_lets_nobody_in() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer(ANN).await;
    for column in ["locked_at", "deleted_at"] {
        let token = new_token(&app, APP).await;
        app.database.execute(&format!("UPDATE users SET {column} = now()"));
        let answer = reset(&app, &token, NEW).await;
        assert_eq!((answer.error(), answer.carries_session()), ((401, "unauthorized"), false), "{column}");
        app.database.execute(&format!("UPDATE users SET {column} = NULL"));
    }
}

#[tokio::test]
async fn an_address_that_asks_for_many_mails_waits_and_no_other_address_does() {
    let app = TestApp::start_open(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let from = |address: &'static str| {
        let request = app.request(Method::POST, PATH).header("x-forwarded-for", address);
        app.send(request.json(&json!({ "email": "nobody@example.org", "redirect_url": APP })))
    };
    for _ in 0..10 {
        assert_eq!(from("198.51.100.1").await.status, 200);
    }
    let throttled = from("198.51.100.1").await;
    assert_eq!((throttled.error(), throttled.keys()), ((429, "too_many_attempts"), ERROR.to_vec()));
    assert!(throttled.header("retry-after").is_some() && throttled.header("ratelimit-limit") == Some("10"));
    assert_eq!(from("198.51.100.2").await.status, 200);
}

#[tokio::test]
async fn nobody_can_fill_the_mailbox_of_another() {
    let app = TestApp::start_open(&[("RATE_RESET_MAILS_PER_ACCOUNT", "2")]).await;
    app.newcomer(ANN).await;
    app.newcomer("bob@example.org").await;
    for email in [ANN, ANN, ANN, ANN, "bob@example.org"] {
        let answer = ask(&app, json!({ "email": email, "redirect_url": APP })).await;
        assert_eq!(answer.status, 200, "and the answer does not tell");
        app.mails_after(usize::from(email == ANN)).await;
    }
    let mails = app.mails_after(3).await;
    assert_eq!(mails.iter().filter(|mail| mail.contains("To: ann@example.org")).count(), 2);
}
