//! `PUT` and `PATCH /auth/password` with a session.

mod common;

use common::{Answer, PASSWORD, Person, TestApp, keys_of};
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/auth/password";
const NEW: &str = "worklete456";
const ERROR: [&str; 4] = ["code", "errors", "request_id", "success"];

fn twice(password: &str) -> Value {
    json!({ "password": password, "password_confirmation": password })
}

async fn change(app: &TestApp, person: &Person, body: Value) -> Answer {
    app.call_as(person, Method::PUT, PATH, Some(body)).await
}

async fn sign_in(app: &TestApp, password: &str) -> u16 {
    let body = json!({ "username": "annlee", "password": password });
    app.call(Method::POST, "/auth/sign_in", Some(body)).await.status
}

#[tokio::test]
async fn a_new_password_is_answered_with_the_full_user_and_a_message() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    for (method, password) in [(Method::PUT, "worklete-1"), (Method::PATCH, "worklete-2")] {
        let answer = app.call_as(&ann, method, PATH, Some(twice(password))).await;
        assert_eq!((answer.status, answer.keys()), (200, vec!["data", "message", "success"]));
        assert!(answer.json["message"].is_string() && answer.json["success"] == true);
        assert_eq!(keys_of(&answer.json["data"]), keys_of(&ann.data));
        assert!(answer.carries_session() && !answer.text.contains(password));
        assert_eq!((answer.header("deprecation"), answer.header("warning")), (None, None));
        assert_eq!(sign_in(&app, password).await, 200);
    }
    assert_eq!(sign_in(&app, PASSWORD).await, 401);
}

#[tokio::test]
async fn a_new_password_ends_every_session_but_the_one_that_asked() {
    let app = TestApp::start_open(&[]).await;
    let first = app.newcomer("annlee").await;
    let asking = app.sign_in("annlee").await;
    let last = app.sign_in("annlee").await;
    let bystander = app.newcomer("bobray").await;
    // The others are younger and live longer.
    app.database.execute(&format!(
        "UPDATE sessions SET expires_at = expires_at + interval '9 days' WHERE client_id <> '{}'",
        asking.client
    ));
    assert_eq!(change(&app, &asking, twice(NEW)).await.status, 200);
    assert!(app.knows(&asking).await && app.knows(&bystander).await);
    assert!(!app.knows(&first).await && !app.knows(&last).await);
}

#[tokio::test]
async fn the_fields_may_stand_in_body_or_query_and_the_query_is_deprecated() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let put = || ann.sign(app.request(Method::PUT, PATH));
    let fields = |password: &str| {
        vec![("password", password.to_owned()), ("password_confirmation", password.to_owned())]
    };
    for (password, request, is_deprecated) in [
        ("by-json", put().json(&twice("by-json")), false),
        ("by-form", put().form(&fields("by-form")), false),
        ("by-query", put().query(&fields("by-query")), true),
        ("by-both", put().query(&fields("by-both")).json(&twice("by-both")), true),
        ("body-wins", put().query(&fields("query-loses")).form(&fields("body-wins")), true),
        ("halves", put().query(&fields("halves")[..1]).form(&fields("halves")[1..]), true),
        ("other-query", put().query(&[("app_id", "5")]).form(&fields("other-query")), false),
    ] {
        let answer = app.send(request).await;
        assert_eq!((answer.status, answer.carries_session()), (200, true), "{password}");
        assert_eq!(answer.header("deprecation").is_some(), is_deprecated, "{password}");
        assert_eq!(
            answer.header("warning").is_some_and(|text| text.starts_with("299 ")),
            is_deprecated,
            "{password}"
        );
        assert_eq!(sign_in(&app, password).await, 200, "{password}");
    }
    assert_eq!(sign_in(&app, "query-loses").await, 401);
}

#[tokio::test]
async fn without_a_session_or_a_usable_reset_token_it_is_unauthorized() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let stranger = Person { token: "x".repeat(43), ..ann.clone() };
    let with_token = |token: &str| {
        let mut body = twice(NEW);
        body["reset_password_token"] = token.into();
        body
    };
    for (method, person, body) in [
        (Method::PUT, None, twice(NEW)),
        (Method::PATCH, None, twice(NEW)),
        (Method::PUT, None, json!({})),
        (Method::PUT, Some(&stranger), twice(NEW)),
        (Method::PUT, None, with_token(&"x".repeat(43))),
        (Method::PUT, None, with_token("")),
        (Method::PUT, None, with_token("nul\u{0} and blanks")),
        (Method::PUT, None, with_token(&ann.token)),
        (Method::PUT, Some(&ann), with_token(&"x".repeat(43))),
    ] {
        let answer = match person {
            Some(person) => app.call_as(person, method.clone(), PATH, Some(body.clone())).await,
            None => app.call(method.clone(), PATH, Some(body.clone())).await,
        };
        let (status, code) = answer.error();
        assert!(
            status == 401 && ["not_signed_in", "unauthorized"].contains(&code),
            "{method} {body} {answer:?}"
        );
        assert_eq!(answer.keys(), ERROR);
        assert_eq!(answer.json["success"], false);
        assert!(answer.json["errors"][0].is_string() && !answer.carries_session());
    }
    assert_eq!(sign_in(&app, PASSWORD).await, 200);
}

#[tokio::test]
async fn a_password_or_confirmation_that_is_missing_is_told_as_a_text() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    for body in [
        json!({}),
        json!({ "password": NEW }),
        json!({ "password_confirmation": NEW }),
        json!({ "password": null, "password_confirmation": NEW }),
        json!({ "current_password": PASSWORD }),
    ] {
        let answer = change(&app, &ann, body.clone()).await;
        assert_eq!((answer.error(), answer.keys()), ((422, "password_missing"), ERROR.to_vec()), "{body}");
        assert!(answer.json["errors"][0].is_string() && answer.carries_session(), "{body}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_password_is_told_by_field_and_changes_nothing() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let other = app.sign_in("annlee").await;
    let with_current = |current: Value| json!({ "password": NEW, "password_confirmation": NEW, "current_password": current });
    for (body, named) in [
        (json!({ "password": NEW, "password_confirmation": "worklete457" }), "password_confirmation"),
        (json!({ "password": NEW, "password_confirmation": "" }), "password_confirmation"),
        (twice("12345"), "password"),
        (twice(""), "password"),
        (twice(&"x".repeat(73)), "password"),
        (twice("nul\u{0}nul"), "password"),
        (with_current(json!("wrong-password")), "current_password"),
        (with_current(json!("")), "current_password"),
        (with_current(json!("x".repeat(73))), "current_password"),
    ] {
        let answer = change(&app, &ann, body.clone()).await;
        assert_eq!((answer.error(), answer.keys()), ((422, "validation_failed"), ERROR.to_vec()), "{body}");
        assert!(answer.json["errors"][named][0].is_string(), "{body} {answer:?}");
        assert!(answer.json["errors"]["full_messages"][0].is_string(), "{body}");
        assert!(answer.carries_session(), "{body}");
    }
    assert!(app.knows(&other).await);
    assert_eq!(sign_in(&app, PASSWORD).await, 200);
    assert_eq!(change(&app, &ann, with_current(json!(PASSWORD))).await.status, 200);
}

#[tokio::test]
async fn a_password_set_by_somebody_else_need_not_be_changed_twice() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    app.database.execute("UPDATE users SET must_change_password = true");
    let told = app.call_as(&ann, Method::GET, "/auth/validate_token", None).await;
    assert_eq!(told.json["data"]["must_change_password"], true);
    assert_eq!(change(&app, &ann, twice(NEW)).await.json["data"]["must_change_password"], false);
}
