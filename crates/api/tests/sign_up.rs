//! `POST /auth`: accounts, invite codes, and who gets one that several want.

mod common;

use common::{Answer, PASSWORD, Person, TestApp, id_of, keys_of, sign_up_body};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

const ERROR: [&str; 5] = ["code", "errors", "request_id", "status", "success"];
const INVALID: [&str; 5] = ["code", "data", "errors", "request_id", "status"];

async fn sign_up(app: &TestApp, body: &Value) -> Answer {
    app.call(Method::POST, "/auth", Some(body.clone())).await
}

/// A server with an organization and its staff.
async fn harbor(variables: &[(&str, &str)]) -> (TestApp, Person, String) {
    let app = TestApp::start_with(variables).await;
    let staff = app.staff("first-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    (app, staff, organization)
}

async fn code(app: &TestApp, staff: &Person, organization: &str) -> String {
    let membership = app.membership(staff, organization, json!({})).await;
    membership["invite_code"].as_str().expect("a code").to_owned()
}

#[tokio::test]
async fn a_sign_up_opens_the_account_takes_the_membership_and_signs_in() {
    let (app, staff, organization) = harbor(&[]).await;
    let membership = app.membership(&staff, &organization, json!({ "org_admin": true })).await;
    let code = membership["invite_code"].as_str().expect("a code").to_lowercase();

    let answer = sign_up(&app, &sign_up_body("Newcomer", &code)).await;
    assert_eq!((answer.status, answer.keys()), (200, vec!["data", "status"]));
    assert_eq!(answer.json["status"], "success");
    assert!(answer.carries_session());
    let data = &answer.json["data"];
    assert_eq!(
        keys_of(data),
        [
            "allow_password_change",
            "champion_certification",
            "created_at",
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
            "updated_at",
            "username",
            "worklete_role"
        ]
    );
    assert_eq!(
        (&data["username"], &data["uid"], &data["email"]),
        (&json!("Newcomer"), &json!("Newcomer"), &Value::Null)
    );
    let brief = &data["memberships"][0];
    assert_eq!(
        (brief["id"].as_str(), &brief["status"], &brief["org_admin"]),
        (Some(&*id_of(&membership)), &json!("active"), &json!(true))
    );
    assert!(!answer.text.contains(PASSWORD) && !answer.text.contains("$2"));
    assert!(app.knows(&answer.person()).await);
    app.sign_in("newcomer").await;
}

#[tokio::test]
async fn nothing_that_the_operation_knows_is_a_422_without_data() {
    let app = TestApp::start().await;
    for body in [
        json!({}),
        json!({ "confirm_success_url": "https://app.example.org", "nickname": "x" }),
        json!({ "username": null }),
    ] {
        let answer = sign_up(&app, &body).await;
        assert_eq!(answer.error(), (422, "nothing_sent"), "{body}");
        assert_eq!(answer.keys(), ERROR);
        assert_eq!((&answer.json["status"], &answer.json["success"]), (&json!("error"), &json!(false)));
        assert!(answer.json["errors"][0].is_string() && !answer.carries_session());
    }
}

#[tokio::test]
async fn each_wrong_field_is_named_and_what_was_sent_comes_back_without_secrets() {
    let (app, staff, organization) = harbor(&[]).await;
    app.staff("Existing", "employee").await;
    let code = code(&app, &staff, &organization).await;
    let long = |length: usize| Value::from("x".repeat(length));
    let cases = [
        ("username", json!("abc"), "username"),
        ("username", json!("with blank"), "username"),
        ("username", json!("zoë-long"), "username"),
        ("username", json!("line\nfeed"), "username"),
        ("username", json!("nul\u{0}nul"), "username"),
        ("username", json!("an@example.org"), "username"),
        ("username", long(255), "username"),
        ("username", json!("eXISTING"), "username"),
        ("username", json!(null), "username"),
        ("username", json!(5), "username"),
        ("first_name", json!("  "), "first_name"),
        ("first_name", json!(null), "first_name"),
        ("first_name", json!("nul\u{0}"), "first_name"),
        ("last_name", long(101), "last_name"),
        ("password", json!("12345"), "password"),
        ("password", long(73), "password"),
        ("password", Value::from("é".repeat(37)), "password"),
        ("password", json!("nul\u{0}nul"), "password"),
        ("password", json!(null), "password"),
        ("password_confirmation", json!("something else"), "password_confirmation"),
        ("invite_code", json!("12345"), "invite_code"),
        ("invite_code", json!("ÄÖÜ"), "invite_code"),
        ("invite_code", json!(""), "invite_code"),
        ("invite_code", json!(null), "invite_code"),
        ("provider", json!("facebook"), "provider"),
        ("provider", json!("email"), "username"),
    ];
    for (field, value, named) in cases {
        let mut body = sign_up_body("newcomer", &code);
        body[field] = value.clone();
        let answer = sign_up(&app, &body).await;
        assert_eq!(answer.status, 422, "{field} {value}");
        assert!(!answer.carries_session() && !answer.text.contains(PASSWORD), "{answer:?}");
        let errors = &answer.json["errors"];
        assert_eq!(keys_of(errors).len(), 2, "{field} {value}: {errors}");
        assert!(
            errors[named][0].is_string() && errors["full_messages"][0].is_string(),
            "{field} {value}: {errors}"
        );
        if value == json!(5) {
            continue; // Before the fields are known there is nothing to send back.
        }
        assert_eq!(answer.keys(), INVALID, "{field} {value}");
        let data = &answer.json["data"];
        assert_eq!(
            (&data["id"], &data["uid"], &data["last_name"]),
            (&Value::Null, &json!(""), &body["last_name"])
        );
        assert!(
            !keys_of(data)
                .iter()
                .any(|key| key.contains("password") || key.contains("token") || *key == "invite_code")
        );
    }
    assert_eq!(app.sign_up("newcomer", &code).await.status, 200, "no failure has used the code up");
}

#[tokio::test]
async fn full_messages_read_as_sentences() {
    let app = TestApp::start().await;
    let mut body = sign_up_body("newcomer", "");
    body["first_name"] = "".into();
    let answer = sign_up(&app, &body).await;
    assert_eq!(answer.json["errors"]["full_messages"], json!(["First name can't be blank"]));
}

#[tokio::test]
async fn passwords_of_6_characters_and_of_72_bytes_are_taken_whole() {
    let app = TestApp::start_open(&[]).await;
    for (username, password) in [("shortest", "éééééé".to_owned()), ("longest", "x".repeat(72))] {
        let mut body = sign_up_body(username, "");
        body["password"] = password.clone().into();
        body["password_confirmation"] = password.clone().into();
        assert_eq!(sign_up(&app, &body).await.status, 200, "{username}");
        for (tried, status) in [
            (password.clone(), 200),
            (password[..password.len() - 2].to_owned(), 401),
            (format!("{password}x"), 401),
        ] {
            let body = json!({ "username": username, "password": tried });
            let answer = app.call(Method::POST, "/auth/sign_in", Some(body)).await;
            assert_eq!(answer.status, status, "{username}");
        }
    }
}

#[tokio::test]
async fn unknown_used_revoked_and_expired_codes_get_one_answer() {
    let (app, staff, organization) = harbor(&[]).await;
    let [used, revoked, expired, lapsed] = [
        code(&app, &staff, &organization).await,
        code(&app, &staff, &organization).await,
        code(&app, &staff, &organization).await,
        code(&app, &staff, &organization).await,
    ];
    assert_eq!(app.sign_up("first-one", &used).await.status, 200);
    app.database.execute(&format!(
        "UPDATE invitations SET status = 'revoked', revoked_at = now() WHERE code = '{revoked}'; \
         UPDATE invitations SET status = 'expired' WHERE code = '{expired}'; \
         UPDATE invitations SET expires_at = now() - interval '1 second' WHERE code = '{lapsed}'"
    ));
    let mut bodies = Vec::new();
    for code in ["ZZZZZZ", &used, &revoked, &expired, &lapsed] {
        let answer = app.sign_up("newcomer", code).await;
        assert_eq!(answer.error(), (404, "invitation_not_usable"), "{code}");
        assert_eq!(answer.keys(), ERROR);
        assert!(!answer.carries_session());
        bodies.push(answer.json["errors"].clone());
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[tokio::test]
async fn without_a_code_people_come_in_only_where_registration_is_open() {
    let app = TestApp::start_open(&[]).await;
    let answer = sign_up(&app, &sign_up_body("newcomer", "")).await;
    assert_eq!((answer.status, &answer.json["data"]["memberships"]), (200, &json!([])));
    let unknown = app.sign_up("another", "ZZZZZZ").await;
    assert_eq!(unknown.error(), (404, "invitation_not_usable"), "a code that is sent must be good");
}

#[tokio::test]
async fn with_the_provider_email_the_username_is_the_address() {
    let app = TestApp::start_open(&[]).await;
    let base = sign_up_body("unused", "");
    let cases = [
        json!({ "username": "Ann@Example.ORG", "provider": "email" }),
        json!({ "username": "bob@example.org", "provider": null }),
        json!({ "username": null, "email": "cat@example.org", "provider": null }),
    ];
    for (fields, address) in cases.iter().zip(["ann@example.org", "bob@example.org", "cat@example.org"]) {
        let mut body = base.clone();
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        let answer = sign_up(&app, &body).await;
        assert_eq!((answer.status, answer.header("uid")), (200, Some(address)), "{fields}");
        let data = &answer.json["data"];
        assert_eq!(
            (&data["email"], &data["username"], &data["provider"]),
            (&json!(address), &json!(address), &json!("email"))
        );
        let again = sign_up(&app, &body).await;
        assert_eq!(again.error(), (422, "taken"));
        assert!(again.json["errors"]["username"][0].is_string());
    }
}

#[tokio::test]
async fn what_the_client_libraries_send_besides_is_ignored() {
    let app = TestApp::start_open(&[]).await;
    let fields = |username: &'static str| {
        vec![
            ("username", username),
            ("first_name", "Demo"),
            ("last_name", "Learner"),
            ("password", PASSWORD),
            ("password_confirmation", PASSWORD),
            ("confirm_success_url", "https://evil.example.org/"),
            ("config_name", "default"),
            ("resource_class", "Admin"),
            ("worklete_role", "admin"),
            ("id", "0198c0de-0000-7000-8000-000000000000"),
        ]
    };
    let post = |path: &str| app.request(Method::POST, path);
    for (username, request) in [
        ("by-form", post("/auth").form(&fields("by-form"))),
        ("by-query", post("/auth").query(&fields("by-query"))),
        ("with-slash", post("/auth/").form(&fields("with-slash"))),
        ("with-suffix", post("/auth.json").form(&fields("with-suffix"))),
        ("with-app-id", post("/auth/?app_id=5").form(&fields("with-app-id"))),
        (
            "with-old-session",
            post("/auth").header("client", "x").header("access-token", "y").form(&fields("with-old-session")),
        ),
    ] {
        let answer = app.send(request).await;
        assert_eq!((answer.status, answer.header("uid")), (200, Some(username)), "{answer:?}");
        assert!(answer.carries_session() && answer.json["data"]["worklete_role"].is_null());
    }
}

#[tokio::test]
async fn of_eight_sign_ups_at_once_with_one_code_exactly_one_succeeds() {
    let (app, staff, organization) = harbor(&[]).await;
    let code = code(&app, &staff, &organization).await;
    let names: Vec<String> = (0..8).map(|n| format!("racer-{n}")).collect();
    let answers = join_all(names.iter().map(|name| app.sign_up(name, &code))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(won[0].carries_session());
    assert!(lost.iter().all(|answer| answer.error() == (404, "invitation_not_usable")), "{lost:?}");
    assert_eq!(app.database.rows("SELECT 1 FROM users WHERE username::text LIKE 'racer-%'").len(), 1);
}

#[tokio::test]
async fn of_eight_sign_ups_at_once_for_one_name_exactly_one_succeeds() {
    let (app, staff, organization) = harbor(&[]).await;
    let mut codes = Vec::new();
    for _ in 0..8 {
        codes.push(code(&app, &staff, &organization).await);
    }
    let answers = join_all(codes.iter().map(|code| app.sign_up("wanted", code))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "{answers:?}");
    for answer in lost {
        assert_eq!((answer.error(), answer.keys()), ((422, "taken"), INVALID.to_vec()));
        assert!(answer.json["errors"]["username"][0].is_string());
    }
    let pending = "SELECT 1 FROM invitations WHERE status = 'pending'";
    assert_eq!(app.database.rows(pending).len(), 7, "no code of the others is used up");
}

#[tokio::test]
async fn an_address_that_guesses_codes_waits_and_no_other_address_does() {
    let (app, staff, organization) = harbor(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let code = code(&app, &staff, &organization).await;
    let from = |address: &'static str, code: String| {
        let request = app.request(Method::POST, "/auth").header("x-forwarded-for", address);
        app.send(request.json(&sign_up_body("newcomer", &code)))
    };
    for n in 0..10 {
        let guess = from("198.51.100.1", format!("ZZZZZ{n}")).await;
        assert_eq!(guess.error(), (404, "invitation_not_usable"));
    }
    let throttled = from("198.51.100.1", code.clone()).await;
    assert_eq!(throttled.error(), (429, "too_many_attempts"));
    assert_eq!(throttled.keys(), ERROR);
    assert!(!throttled.carries_session());
    for name in ["retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
        assert!(throttled.header(name).is_some_and(|value| value.parse::<u32>().is_ok()), "{name}");
    }
    assert_eq!(from("198.51.100.2", code).await.status, 200);
}

#[tokio::test]
async fn an_address_may_sign_up_as_often_as_is_set() {
    let app = TestApp::start_open(&[("RATE_SIGN_UPS_PER_ADDRESS", "3")]).await;
    for n in 0..3 {
        app.newcomer(&format!("newcomer-{n}")).await;
    }
    let throttled = sign_up(&app, &sign_up_body("newcomer-4", "")).await;
    assert_eq!(throttled.error(), (429, "too_many_attempts"));
    assert_eq!(throttled.header("ratelimit-limit"), Some("3"));
    app.sign_in("newcomer-0").await;
}
