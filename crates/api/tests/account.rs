//! `PATCH`, `PUT` and `DELETE /auth`: people change and delete their own account.

mod common;

use common::{Answer, PASSWORD, Person, TestApp, keys_of};
use reqwest::Method;
use serde_json::{Value, json};

const BARE_ERROR: [&str; 5] = ["code", "errors", "request_id", "status", "success"];
const FIELD_ERROR: [&str; 4] = ["code", "errors", "request_id", "status"];

async fn change(app: &TestApp, person: &Person, body: Value) -> Answer {
    app.call_as(person, Method::PATCH, "/auth", Some(body)).await
}

async fn sign_in(app: &TestApp, username: &str, password: &str) -> u16 {
    let body = json!({ "username": username, "password": password });
    app.call(Method::POST, "/auth/sign_in", Some(body)).await.status
}

#[tokio::test]
async fn without_a_session_the_account_is_not_found() {
    let app = TestApp::start().await;
    let good = json!({ "first_name": "New" });
    for (method, body) in [
        (Method::PATCH, good.clone()),
        (Method::PUT, good),
        (Method::PATCH, json!({})),
        (Method::PUT, json!([])),
        (Method::DELETE, json!({})),
    ] {
        let answer = app.call(method.clone(), "/auth", Some(body.clone())).await;
        assert_eq!(answer.error(), (404, "not_signed_in"), "{method} {body}");
        assert_eq!(answer.keys(), BARE_ERROR);
        assert_eq!((&answer.json["status"], &answer.json["success"]), (&json!("error"), &json!(false)));
        assert!(answer.json["errors"][0].is_string() && !answer.carries_session());
    }
}

#[tokio::test]
async fn a_change_is_answered_with_the_full_user_and_the_session() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    for (method, fields) in [
        (Method::PATCH, json!({ "first_name": "  Ann " })),
        (Method::PUT, json!({ "last_name": "Li" })),
        (Method::PATCH, json!({ "first_name": null, "last_name": "Lee", "nickname": "x" })),
        (
            Method::PATCH,
            json!({ "first_name": "An", "worklete_role": "admin", "id": "x", "uid": "x", "must_change_password": true }),
        ),
        (Method::PUT, json!({ "username": "AnnLee" })),
    ] {
        let before = app.call_as(&ann, Method::GET, "/auth/validate_token", None).await;
        let answer = app.call_as(&ann, method, "/auth", Some(fields.clone())).await;
        assert_eq!((answer.status, answer.keys()), (200, vec!["data", "status"]), "{fields}");
        assert_eq!(answer.json["status"], "success");
        assert!(answer.carries_session());
        assert_eq!(answer.person().token, ann.token);
        let data = &answer.json["data"];
        assert_eq!(keys_of(data), keys_of(&ann.data));
        for field in [
            "username",
            "first_name",
            "last_name",
            "provider",
            "email",
            "id",
            "worklete_role",
            "must_change_password",
        ] {
            let old = &before.json["data"][field];
            let sent = fields[field].as_str().map(|text| Value::from(text.trim()));
            let may_change = ["username", "first_name", "last_name"].contains(&field);
            let expected = sent.filter(|_| may_change).unwrap_or_else(|| old.clone());
            assert_eq!(data[field], expected, "{field} after {fields}");
        }
    }
    let form = ann.sign(app.request(Method::PUT, "/auth")).form(&[("first_name", "Form")]);
    assert_eq!(app.send(form).await.json["data"]["first_name"], "Form");
}

#[tokio::test]
async fn wrong_fields_are_named_and_change_nothing() {
    let app = TestApp::start_open(&[]).await;
    app.newcomer("Existing").await;
    let ann = app.newcomer("annlee").await;
    let other = app.sign_in("annlee").await;
    for (fields, named) in [
        (json!({ "username": "abc" }), "username"),
        (json!({ "username": "eXISTING" }), "username"),
        (json!({ "username": "nul\u{0}nul" }), "username"),
        (json!({ "username": "ann@example.org", "provider": "username" }), "username"),
        (json!({ "provider": "email" }), "username"),
        (json!({ "provider": "facebook" }), "provider"),
        (json!({ "first_name": "" }), "first_name"),
        (json!({ "first_name": "nul\u{0}" }), "first_name"),
        (json!({ "last_name": "x".repeat(101) }), "last_name"),
        (json!({ "last_name": 5 }), "last_name"),
        (json!({ "password": "12345" }), "password"),
        (json!({ "password": "x".repeat(73) }), "password"),
        (
            json!({ "password": "worklete456", "password_confirmation": "worklete457" }),
            "password_confirmation",
        ),
        (json!({ "first_name": "New", "current_password": "wrong-password" }), "current_password"),
        (json!({ "first_name": "New", "current_password": "" }), "current_password"),
        (json!({ "password": "worklete456", "current_password": "x".repeat(73) }), "current_password"),
        (json!({ "password": "worklete456", "username": "abc" }), "username"),
    ] {
        let mut body = fields.clone();
        body.as_object_mut().expect("an object").entry("last_name").or_insert("Changed".into());
        let answer = change(&app, &ann, body).await;
        assert_eq!((answer.status, answer.keys()), (422, FIELD_ERROR.to_vec()), "{fields}: {answer:?}");
        assert_eq!(answer.json["status"], "error");
        assert!(answer.json["errors"][named][0].is_string(), "{fields}: {answer:?}");
        assert!(answer.json["errors"]["full_messages"][0].is_string());
        assert!(answer.carries_session(), "{fields}");
    }
    let now = app.call_as(&ann, Method::GET, "/auth/validate_token", None).await;
    assert_eq!(
        (&now.json["data"]["last_name"], &now.json["data"]["username"]),
        (&json!("Learner"), &json!("annlee"))
    );
    assert!(app.knows(&other).await, "no refused change ends sessions");
    assert_eq!(sign_in(&app, "annlee", PASSWORD).await, 200);
}

#[tokio::test]
async fn a_change_of_nothing_is_a_422_with_a_text() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    for body in [
        json!({}),
        json!({ "nickname": "x" }),
        json!({ "current_password": PASSWORD }),
        json!({ "username": null }),
    ] {
        let answer = change(&app, &ann, body.clone()).await;
        assert_eq!((answer.error(), answer.keys()), ((422, "nothing_sent"), BARE_ERROR.to_vec()), "{body}");
        assert!(answer.json["errors"][0].is_string());
    }
    let empty = app.call_as(&ann, Method::PUT, "/auth", None).await;
    assert_eq!(empty.error(), (422, "nothing_sent"));
}

#[tokio::test]
async fn a_new_username_is_a_new_uid_that_all_sessions_follow() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let other = app.sign_in("annlee").await;
    let answer = change(&app, &ann, json!({ "username": "ann.new" })).await;
    assert_eq!((answer.status, answer.header("uid")), (200, Some("ann.new")));
    assert!(answer.carries_session());
    assert_eq!(
        (&answer.json["data"]["uid"], &answer.json["data"]["username"]),
        (&json!("ann.new"), &json!("ann.new"))
    );
    let known_as = async |uid: &str| {
        let answer = app
            .call_as(&Person { uid: uid.into(), ..other.clone() }, Method::GET, "/auth/validate_token", None)
            .await;
        assert_eq!(answer.header("uid"), (answer.status == 200).then_some("ann.new"));
        answer.status
    };
    assert_eq!(
        [known_as("annlee").await, known_as("ann.new").await],
        [200, 200],
        "requests under way carry the old one"
    );
    app.database.execute("UPDATE users SET uid_changed_at = now() - interval '61 seconds'");
    assert_eq!([known_as("annlee").await, known_as("ann.new").await, known_as("").await], [401, 200, 200]);
    assert_eq!(
        [sign_in(&app, "annlee", PASSWORD).await, sign_in(&app, "ann.new", PASSWORD).await],
        [401, 200]
    );
    app.newcomer("annlee").await;
}

#[tokio::test]
async fn an_address_as_username_becomes_the_email() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let answer = change(&app, &ann, json!({ "username": "Ann@Example.org" })).await;
    let data = &answer.json["data"];
    assert_eq!(
        (&data["username"], &data["email"], &data["provider"]),
        (&json!("ann@example.org"), &json!("ann@example.org"), &json!("email"))
    );
    let by_key = change(&app, &ann, json!({ "email": "lee@example.org" })).await;
    assert_eq!(
        (by_key.header("uid"), &by_key.json["data"]["email"]),
        (Some("lee@example.org"), &json!("lee@example.org"))
    );
    assert_eq!(sign_in(&app, "lee@example.org", PASSWORD).await, 200);
}

#[tokio::test]
async fn a_password_changed_here_ends_all_other_sessions() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let other = app.sign_in("annlee").await;
    // The one with the latest expiry need not be the one that stays.
    app.database.execute(&format!(
        "UPDATE sessions SET expires_at = expires_at + interval '1 day' WHERE client_id = '{}'",
        other.client
    ));
    let body = json!({ "password": "worklete456", "password_confirmation": "worklete456", "current_password": PASSWORD });
    let answer = app.call_as(&ann, Method::PUT, "/auth", Some(body)).await;
    assert_eq!((answer.status, answer.carries_session()), (200, true), "{answer:?}");
    assert!(!answer.text.contains("worklete456"));
    assert!(app.knows(&ann).await && !app.knows(&other).await);
    assert_eq!(
        [sign_in(&app, "annlee", PASSWORD).await, sign_in(&app, "annlee", "worklete456").await],
        [401, 200]
    );
}

#[tokio::test]
async fn a_deleted_account_is_gone_from_all_devices_and_leaves_its_memberships() {
    let app = TestApp::start().await;
    let staff = app.staff("first-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let ann = app.member(&staff, &organization, "annlee", json!({})).await;
    let other = app.sign_in("annlee").await;
    let answer = app.call_as(&ann, Method::DELETE, "/auth", None).await;
    assert_eq!((answer.status, answer.keys()), (200, vec!["message", "status"]));
    assert_eq!(answer.json["status"], "success");
    assert!(answer.json["message"].as_str().is_some_and(|text| text.contains("annlee")));
    assert!(!answer.carries_session());
    assert!(!app.knows(&ann).await && !app.knows(&other).await);
    assert_eq!(sign_in(&app, "annlee", PASSWORD).await, 401);
    let again = app.call_as(&ann, Method::DELETE, "/auth", None).await;
    assert_eq!(again.error(), (404, "not_signed_in"));
    assert_eq!(app.database.rows("SELECT 1 FROM memberships WHERE status = 'deactivated'").len(), 1);
}

#[tokio::test]
async fn the_last_admin_of_an_organization_stays() {
    let app = TestApp::start().await;
    let staff = app.staff("first-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let admin = app.member(&staff, &organization, "org-admin", json!({ "org_admin": true })).await;
    // A pending admin does not count.
    let pending = app.membership(&staff, &organization, json!({ "org_admin": true })).await;
    let refused = app.call_as(&admin, Method::DELETE, "/auth", None).await;
    assert_eq!((refused.error(), refused.keys()), ((409, "last_org_admin"), BARE_ERROR.to_vec()));
    assert!(refused.carries_session() && app.knows(&admin).await);
    let code = pending["invite_code"].as_str().expect("a code");
    assert_eq!(app.sign_up("second-admin", code).await.status, 200);
    assert_eq!(app.call_as(&admin, Method::DELETE, "/auth", None).await.status, 200);
}
