//! Sessions: where credentials may stand, how long they live, how tokens rotate, how they end.

mod common;

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Answer, PASSWORD, Person, TestApp, keys_of};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

const VALIDATE: &str = "/auth/validate_token";
const SIGN_OUT: &str = "/auth/sign_out";
const ERROR: [&str; 4] = ["code", "errors", "request_id", "success"];
const ROTATION: [(&str, &str); 2] =
    [("AUTH_ROTATE_TOKENS", "true"), ("AUTH_TOKEN_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")];

async fn validate(app: &TestApp, person: &Person) -> Answer {
    app.call_as(person, Method::GET, VALIDATE, None).await
}

/// An answer that goes on with the session.
async fn go_on(app: &TestApp, person: &Person) -> Person {
    let answer = validate(app, person).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.carries_session());
    answer.person()
}

fn bearer(person: &Person) -> String {
    let json = json!({
        "access-token": person.token, "token-type": "Bearer", "client": person.client, "expiry": "1", "uid": person.uid
    });
    format!("Bearer {}", STANDARD.encode(json.to_string()))
}

fn expiry(answer: &Answer) -> i64 {
    let header = answer.header("expiry").and_then(|value| value.parse().ok());
    header.unwrap_or_else(|| panic!("no expiry in {answer:?}"))
}

/// Moves the times of all sessions back, as if that much time had gone by.
fn let_pass(app: &TestApp, interval: &str) {
    app.database.execute(&format!(
        "UPDATE sessions SET created_at = created_at - interval '{interval}', \
         last_used_at = last_used_at - interval '{interval}', expires_at = expires_at - interval '{interval}', \
         absolute_expires_at = absolute_expires_at - interval '{interval}', \
         prev_valid_until = prev_valid_until - interval '{interval}'"
    ));
}

#[tokio::test]
async fn a_good_session_is_told_whose_it_is_and_echoed_whole() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let signed_in = app
        .call(Method::POST, "/auth/sign_in", Some(json!({ "username": "annlee", "password": PASSWORD })))
        .await;
    let session = signed_in.person();
    for _ in 0..2 {
        let answer = validate(&app, &session).await;
        assert_eq!((answer.status, answer.keys()), (200, vec!["data", "success"]));
        assert_eq!(answer.json["success"], true);
        assert_eq!(keys_of(&answer.json["data"]), keys_of(&signed_in.json["data"]));
        assert_eq!(answer.json["data"]["id"], ann.data["id"]);
        assert!(answer.carries_session());
        let same = ["access-token", "client", "uid", "expiry", "token-type", "authorization"];
        assert!(same.iter().all(|name| answer.header(name) == signed_in.header(name)), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    }
}

#[tokio::test]
async fn answers_to_sessions_are_never_stored_and_never_not_modified() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let request = ann.sign(app.request(Method::GET, VALIDATE));
    let request = request.header("if-modified-since", "Mon, 26 Jul 1997 05:00:00 GMT");
    let answer = app.send(request.header("if-none-match", "*")).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    assert_eq!(
        (answer.header("etag"), answer.header("last-modified"), answer.header("set-cookie")),
        (None, None, None)
    );
}

#[tokio::test]
async fn a_use_of_a_session_writes_nothing_and_no_token_is_kept() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let rows = || app.database.rows("SELECT xmin::text, * FROM sessions");
    let before = rows();
    for _ in 0..3 {
        go_on(&app, &ann).await;
    }
    assert_eq!(rows(), before);
    assert!(!before.concat().contains(&ann.token));
}

/// Ways to show a good session, by whether the two routes that read more than headers take it.
fn good_ways(
    app: &TestApp,
    person: &Person,
    method: &Method,
    path: &str,
) -> Vec<(&'static str, RequestBuilder)> {
    let three = [("access-token", &*person.token), ("client", &*person.client), ("uid", &*person.uid)];
    let plain = || app.request(method.clone(), path);
    let signed = || person.sign(plain());
    let object: Value = three.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let raw = format!("Bearer {}", person.token);
    let encoded = |text: &str| format!("Bearer {}", STANDARD.encode(text));
    vec![
        ("headers", signed()),
        ("five headers", signed().header("expiry", "0").header("token-type", "Bearer")),
        (
            "headers with blanks around",
            plain().header("access-token", format!(" {} ", person.token)).header("client", &person.client),
        ),
        ("no uid", plain().header("access-token", &person.token).header("client", &person.client)),
        (
            "blank uid",
            plain().header("access-token", &person.token).header("client", &person.client).header("uid", ""),
        ),
        (
            "uid in another case",
            plain()
                .header("access-token", &person.token)
                .header("client", &person.client)
                .header("uid", person.uid.to_uppercase()),
        ),
        ("query", plain().query(&three)),
        ("query without uid", plain().query(&three[..2])),
        ("query with a blank uid", plain().query(&[three[0], three[1], ("uid", "")])),
        ("json body", plain().json(&object)),
        ("form body", plain().form(&three)),
        ("half header, half query", plain().header("client", &person.client).query(&three[..1])),
        ("bearer", plain().header("authorization", bearer(person))),
        ("bearer in lower case", plain().header("authorization", bearer(person).replacen('B', "b", 1))),
        (
            "bearer that fills in",
            plain().header("client", &person.client).header("authorization", bearer(person)),
        ),
        (
            "bearer beside blank headers",
            plain()
                .header("client", "")
                .header("access-token", " ")
                .header("uid", "")
                .header("authorization", bearer(person)),
        ),
        (
            "bearer beside a blank query",
            plain().query(&[("client", ""), ("access-token", "")]).header("authorization", bearer(person)),
        ),
        (
            "raw bearer beside client and uid",
            plain().header("authorization", &raw).header("client", &person.client).header("uid", &person.uid),
        ),
        ("raw bearer beside all", signed().header("authorization", &raw)),
        ("bearer of a number", signed().header("authorization", encoded("5"))),
        ("bearer of an array", signed().header("authorization", encoded("[1]"))),
        ("bearer of other types", signed().header("authorization", encoded(r#"{"client":5,"uid":null}"#))),
        ("bearer of nonsense", signed().header("authorization", "Bearer %%%")),
        ("another scheme", signed().header("authorization", "Basic dXNlcjpwYXNz")),
        (
            "headers win over a query",
            signed().query(&[("access-token", "wrong"), ("client", "wrong"), ("uid", "wrong")]),
        ),
        (
            "headers win over a bearer",
            signed().header(
                "authorization",
                encoded(r#"{"access-token":"wrong","client":"wrong","uid":"wrong"}"#),
            ),
        ),
        (
            "headers beside a body that cannot be read",
            signed().header("content-type", "application/json").body("{{{"),
        ),
        (
            "headers beside a body of another type",
            signed().header("content-type", "text/plain").body("hello"),
        ),
        ("headers beside credentials of other types", signed().json(&json!({ "client": 5, "uid": [] }))),
    ]
}

#[tokio::test]
async fn credentials_are_read_from_headers_query_body_and_bearer() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    for (way, request) in good_ways(&app, &ann, &Method::GET, VALIDATE) {
        let answer = app.send(request).await;
        assert_eq!((answer.status, answer.header("uid")), (200, Some("annlee")), "{way}: {answer:?}");
        assert!(answer.carries_session(), "{way}");
    }
}

#[tokio::test]
async fn a_sign_out_takes_credentials_from_the_same_places_and_ends_one_session_only() {
    let app = TestApp::start_open(&[]).await;
    let kept = app.newcomer("annlee").await;
    let ways = good_ways(&app, &kept, &Method::DELETE, SIGN_OUT).len();
    for way in 0..ways {
        let leaving = app.sign_in("annlee").await;
        let (name, request) = good_ways(&app, &leaving, &Method::DELETE, SIGN_OUT).swap_remove(way);
        let answer = app.send(request).await;
        assert_eq!((answer.status, &answer.json), (200, &json!({ "success": true })), "{name}: {answer:?}");
        assert!(!answer.carries_session(), "{name}");
        let again = app.call_as(&leaving, Method::DELETE, SIGN_OUT, None).await;
        assert_eq!(again.error(), (404, "not_signed_in"), "{name}");
    }
    assert!(app.knows(&kept).await);
}

#[tokio::test]
async fn what_is_no_good_credential_is_one_answer_whatever_is_wrong() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let bob = app.newcomer("bobray").await;
    let ann_as = |token: &str, client: &str, uid: &str| Person {
        token: token.into(),
        client: client.into(),
        uid: uid.into(),
        data: Value::Null,
    };
    let flipped: String = ann.token.chars().rev().collect();
    for (method, path, status) in [(Method::GET, VALIDATE, 401), (Method::DELETE, SIGN_OUT, 404)] {
        let plain = || app.request(method.clone(), path);
        let mut requests = vec![
            plain(),
            plain().header("access-token", &ann.token),
            plain().header("client", &ann.client),
            plain().header("uid", "annlee"),
            plain().header("authorization", format!("Bearer {}", ann.token)),
            plain().header("authorization", "Bearer"),
            plain().header("authorization", format!("Basic {}", &bearer(&ann)[7..])),
            plain().header("authorization", format!("Bearer {}", STANDARD.encode("[[]]"))),
            plain()
                .header("cookie", format!("access-token={}; client={}; uid=annlee", ann.token, ann.client)),
            plain().query(&[("access-token", &ann.token)]),
            plain().header("access-token", &b"\xff\xfe"[..]).header("client", &ann.client),
        ];
        for person in [
            ann_as(&flipped, &ann.client, "annlee"),
            ann_as(&ann.token[..42], &ann.client, "annlee"),
            ann_as(&ann.token, "default", "annlee"),
            ann_as(&ann.token, &bob.client, "annlee"),
            ann_as(&ann.token, &ann.client, "bobray"),
            ann_as(&ann.token, &ann.client, "nobody"),
            ann_as(&bob.token, &ann.client, "annlee"),
            ann_as(&"x".repeat(5000), &ann.client, "annlee"),
            ann_as("' OR 1=1 --", "' OR 1=1 --", "annlee"),
        ] {
            requests.push(person.sign(plain()));
            requests.push(plain().header("authorization", bearer(&person)));
        }
        for (place, request) in requests.into_iter().enumerate() {
            let answer = app.send(request).await;
            assert_eq!(answer.error(), (status, "not_signed_in"), "{place} {path}");
            assert_eq!(answer.keys(), ERROR, "{place} {path}");
            assert_eq!(answer.json["errors"].as_array().map(Vec::len), Some(1));
            assert!(!answer.carries_session(), "{place} {path}");
        }
    }
    assert!(app.knows(&ann).await && app.knows(&bob).await);
}

#[tokio::test]
async fn credentials_in_query_or_body_are_for_those_two_routes_only() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let query = [("access-token", &*ann.token), ("client", &*ann.client), ("uid", "annlee")];
    for (method, path, statuses) in [
        (Method::PATCH, "/auth", [404, 200]),
        (Method::PUT, "/auth/password", [401, 200]),
        (Method::POST, "/invitations/ZZZZZZ/accept", [401, 404]),
        (Method::DELETE, "/auth", [404, 200]),
    ] {
        let body = json!({
            "access-token": ann.token, "client": ann.client, "uid": "annlee", "first_name": "New", "password": PASSWORD,
            "password_confirmation": PASSWORD
        });
        let request = || app.request(method.clone(), path).query(&query).json(&body);
        assert_eq!(app.send(request()).await.status, statuses[0], "{method} {path}");
        assert_eq!(app.send(ann.sign(request())).await.status, statuses[1], "{method} {path}");
    }
}

#[tokio::test]
async fn ended_sessions_and_those_of_locked_or_deleted_people_are_out_at_once() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let set = |table: &str, column: &str, value: &str| {
        app.database.execute(&format!("UPDATE {table} SET {column} = {value}"));
    };
    for (table, column, bad, good) in [
        ("sessions", "expires_at", "now() - interval '1 second'", "now() + interval '1 day'"),
        ("sessions", "absolute_expires_at", "now() - interval '1 second'", "now() + interval '2 days'"),
        ("users", "locked_at", "now()", "NULL"),
        ("users", "deleted_at", "now()", "NULL"),
    ] {
        set(table, column, bad);
        let answer = validate(&app, &ann).await;
        assert_eq!((answer.error(), answer.carries_session()), ((401, "not_signed_in"), false), "{column}");
        let update = app.call_as(&ann, Method::PATCH, "/auth", Some(json!({ "first_name": "New" }))).await;
        assert_eq!(update.status, 404, "{column}");
        set(table, column, good);
        assert!(app.knows(&ann).await, "{column}");
    }
}

#[tokio::test]
async fn a_session_slides_when_less_than_half_is_left_and_ends_after_90_days() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let day = 86_400;
    let is_near = |number: i64, days: i64| (number - days * day).abs() < 60;
    let now = expiry(&validate(&app, &ann).await) - 14 * day;
    let_pass(&app, "6 days");
    assert!(is_near(expiry(&validate(&app, &ann).await) - now, 8), "more than half is left");
    let used = app.database.rows("SELECT 1 FROM sessions WHERE last_used_at > now() - interval '1 minute'");
    assert_eq!(used.len(), 1, "the use is written down after five minutes");
    let_pass(&app, "2 days");
    assert!(is_near(expiry(&validate(&app, &ann).await) - now, 14), "extended");
    assert!(is_near(expiry(&validate(&app, &ann).await) - now, 14), "and stays so");
    for day in [12, 24, 36, 48, 60, 72] {
        let_pass(&app, "12 days");
        let left = 90 - 8 - day;
        assert!(is_near(expiry(&validate(&app, &ann).await) - now, left.min(14)), "{day}");
    }
    let_pass(&app, "10 days");
    assert!(!app.knows(&ann).await);
}

#[tokio::test]
async fn an_expiry_never_goes_back_even_when_lifetimes_are_cut() {
    let app = TestApp::start_open(&[("SESSION_LIFETIME_DAYS", "1")]).await;
    let ann = app.newcomer("annlee").await;
    // As of a time when sessions lived longer.
    app.database.execute("UPDATE sessions SET expires_at = now() + interval '14 days', last_used_at = now() - interval '1 hour'");
    let first = expiry(&validate(&app, &ann).await);
    assert!(expiry(&validate(&app, &ann).await) >= first);
    let [left] = &app.database.rows("SELECT expires_at > now() + interval '13 days' FROM sessions")[..]
    else {
        panic!("one session")
    };
    assert_eq!(left, "(t)");
}

#[tokio::test]
async fn a_slash_at_the_end_and_a_json_suffix_change_nothing() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let body = json!({ "username": "annlee", "password": PASSWORD });
    for suffix in ["", "/", ".json", ".json/", "/?app_id=5", ".json?app_id=5"] {
        let at = |path: &str| format!("{path}{suffix}");
        let signed_in = app.call(Method::POST, &at("/auth/sign_in"), Some(body.clone())).await;
        assert_eq!((signed_in.status, signed_in.carries_session()), (200, true), "{suffix}");
        let leaving = signed_in.person();
        let statuses = [
            (Method::GET, "/auth/validate_token", 200),
            (Method::PATCH, "/auth", 422),
            (Method::PUT, "/auth/password", 422),
            (Method::DELETE, "/auth/sign_out", 200),
            (Method::DELETE, "/auth/sign_out", 404),
            (Method::GET, "/auth/validate_token", 401),
            (Method::DELETE, "/auth", 404),
            (Method::GET, "/auth/password/edit", 404),
            (Method::POST, "/auth/password", 401),
            (Method::GET, "/auth/sign_in", 405),
        ];
        for (method, path, status) in statuses {
            let answer = app.call_as(&leaving, method.clone(), &at(path), None).await;
            assert_eq!(answer.status, status, "{method} {path}{suffix}");
            let is_ours = answer.header("content-type") == Some("application/json; charset=utf-8");
            assert!(is_ours, "the shapes of the client libraries: {method} {path}{suffix} {answer:?}");
        }
    }
    assert!(app.knows(&ann).await);
}

#[tokio::test]
async fn a_session_that_asks_too_much_waits_and_keeps_its_headers() {
    let app = TestApp::start_open(&[("RATE_SESSION_BURST", "5"), ("RATE_SESSION_PER_SECOND", "1")]).await;
    let ann = app.newcomer("annlee").await;
    let other = app.sign_in("annlee").await;
    let answers = join_all((0..20).map(|_| validate(&app, &ann))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 10, "{answers:?}");
    for answer in refused {
        assert_eq!((answer.error(), answer.keys()), ((429, "too_many_requests"), ERROR.to_vec()));
        assert_eq!(
            (answer.header("ratelimit-limit"), answer.header("ratelimit-remaining")),
            (Some("5"), Some("0"))
        );
        assert!(answer.header("retry-after").is_some() && answer.header("ratelimit-reset").is_some());
        assert!(answer.carries_session());
    }
    assert!(app.knows(&other).await);
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_a_fit_one_is_kept() {
    let app = TestApp::start().await;
    for (sent, is_kept) in [("abc-123", true), ("a b", false), ("", false)] {
        let answer = app.send(app.request(Method::GET, VALIDATE).header("x-request-id", sent)).await;
        answer.error();
        assert_eq!(answer.header("x-request-id") == Some(sent), is_kept, "{sent}");
    }
}

#[tokio::test]
async fn rotation_gives_parallel_requests_one_successor_and_a_lost_answer_costs_nothing() {
    let app = TestApp::start_open(&ROTATION).await;
    let first = app.newcomer("annlee").await;
    let mut seen = HashSet::from([first.token.clone()]);
    let mut current = first.clone();
    for round in 0..3 {
        let answers = join_all((0..8).map(|_| go_on(&app, &current))).await;
        let tokens: HashSet<_> = answers.iter().map(|person| person.token.clone()).collect();
        assert_eq!(tokens.len(), 1, "round {round}");
        // All those answers may get lost: the token shown is good as long as its successor was not.
        let_pass(&app, "10 minutes");
        let next = go_on(&app, &current).await;
        assert!(tokens.contains(&next.token), "round {round}");
        assert!(seen.insert(next.token.clone()), "a new one each round");
        assert_eq!((&next.client, &next.uid), (&first.client, &first.uid));
        current = next;
    }
}

#[tokio::test]
async fn old_and_new_tokens_at_the_same_time_are_all_good() {
    let app = TestApp::start_open(&ROTATION).await;
    let old = app.newcomer("annlee").await;
    let new = go_on(&app, &old).await;
    let both = (0..16).map(|n| validate(&app, if n % 2 == 0 { &old } else { &new }));
    let answers = join_all(both).await;
    for (n, answer) in answers.iter().enumerate() {
        assert!(answer.status == 200 && answer.carries_session(), "{n}: {answer:?}");
        assert_eq!(answer.person().token == new.token, n % 2 == 0, "the same successor again");
    }
}

#[tokio::test]
async fn a_replaced_token_shown_late_ends_the_session_for_both() {
    let app = TestApp::start_open(&ROTATION).await;
    let old = app.newcomer("annlee").await;
    let other_device = app.sign_in("annlee").await;
    let new = go_on(&app, &old).await;
    let newer = go_on(&app, &new).await;
    assert_eq!(go_on(&app, &old).await.token, new.token, "inside the window");
    app.database.execute(
        "UPDATE sessions SET prev_valid_until = now() - interval '1 second' WHERE prev_hash IS NOT NULL",
    );
    assert!(app.knows(&new).await, "the window is over for the old one only");
    let late = validate(&app, &old).await;
    assert_eq!((late.error(), late.carries_session()), ((401, "not_signed_in"), false));
    for person in [&old, &new, &newer] {
        assert!(!app.knows(person).await);
    }
    assert!(app.knows(&other_device).await);
}

#[tokio::test]
async fn rotation_reaches_every_route_and_a_sign_out_carries_nothing() {
    let app = TestApp::start_open(&ROTATION).await;
    let mut ann = app.newcomer("annlee").await;
    for (method, path, body, status) in [
        (Method::PATCH, "/auth", json!({ "first_name": "New" }), 200),
        (Method::PATCH, "/auth", json!({ "first_name": "" }), 422),
        (
            Method::PUT,
            "/auth/password",
            json!({ "password": PASSWORD, "password_confirmation": PASSWORD }),
            200,
        ),
        (Method::GET, "/auth/validate_token", json!({ "unbatch": true }), 200),
    ] {
        let answer = app.call_as(&ann, method.clone(), path, Some(body)).await;
        assert_eq!((answer.status, answer.carries_session()), (status, true), "{method} {path}");
        let next = answer.person();
        assert_ne!(next.token, ann.token);
        ann = next;
    }
    let out = app.call_as(&ann, Method::DELETE, SIGN_OUT, None).await;
    assert_eq!((out.status, out.carries_session()), (200, false));
    assert!(!app.knows(&ann).await);
}

#[tokio::test]
async fn sessions_from_before_rotation_was_turned_on_go_on() {
    let app = TestApp::start_open(&ROTATION).await;
    let old = app.newcomer("annlee").await;
    app.database.execute("UPDATE sessions SET next_hash = NULL");
    let new = go_on(&app, &old).await;
    assert_ne!(new.token, old.token);
    assert_ne!(go_on(&app, &new).await.token, new.token);
}
