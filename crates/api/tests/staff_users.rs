//! What Worklete's staff does with accounts: reading and changing them, locking, and new passwords.

mod common;

use common::{Answer, Cast, PASSWORD, Person, TestApp, column, expect_by_role, id_of, keys, token_of, with};
use reqwest::Method;
use serde_json::{Value, json};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";
const FIELDS: [&str; 15] = [
    "champion_certification",
    "created_at",
    "email",
    "first_name",
    "id",
    "language",
    "last_name",
    "last_sign_in_at",
    "locked_at",
    "must_change_password",
    "provider",
    "uid",
    "updated_at",
    "username",
    "worklete_role",
];
const RESET: &str = "/worklete_admin/users/reset_password";

fn path_of(person: &Person) -> String {
    format!("/worklete_admin/users/{}", id_of(&person.data))
}

async fn change(app: &TestApp, by: &Person, target: &Person, body: Value) -> Answer {
    app.call_as(by, Method::PATCH, &path_of(target), Some(body)).await
}

async fn sign_in(app: &TestApp, username: &str, password: &str) -> Answer {
    let body = json!({ "username": username, "password": password });
    app.call(Method::POST, "/auth/sign_in", Some(body)).await
}

async fn issue(app: &TestApp, by: &Person, target: &Person) -> Answer {
    app.call_as(by, Method::POST, RESET, Some(json!({ "user_id": id_of(&target.data) }))).await
}

/// The password that staff reads out.
async fn issued(app: &TestApp, cast: &Cast, role: &str) -> String {
    let answer = issue(app, cast.person("staff admin"), cast.person(role)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["password"].as_str().expect("a password").to_owned()
}

#[tokio::test]
async fn staff_lists_all_accounts_and_reads_one_with_its_memberships() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let employee = cast.person("staff employee");
    let list = app.call_as(employee, Method::GET, "/worklete_admin/users?page=1&size=3", None).await;
    assert_eq!((list.status, list.header("x-total-count")), (200, Some("7")), "{list:?}");
    assert_eq!(column(&list.json, "id").len(), 3);
    for user in list.json.as_array().expect("a list") {
        assert_eq!(keys(user), FIELDS);
    }
    let read = app.call_as(employee, Method::GET, &path_of(cast.person("member")), None).await;
    assert_eq!(read.status, 200, "{read:?}");
    let mut expected = [&FIELDS[..], &["memberships"]].concat();
    expected.sort_unstable();
    assert_eq!(read.keys(), expected);
    assert_eq!(read.json["memberships"][0]["organization_id"], cast.organization.as_str());
    assert_eq!(read.json["memberships"][0]["team_ids"], json!([cast.team]));
    let unknown = app.call_as(employee, Method::GET, &format!("/worklete_admin/users/{UNKNOWN}"), None).await;
    unknown.problem(404, "not_found");
    let typo = app.call_as(employee, Method::GET, "/worklete_admin/users?sort=name", None).await;
    assert_eq!(typo.fields()["sort"], json!(["unknown"]));
}

#[tokio::test]
async fn each_role_may_as_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let member = path_of(cast.person("member"));
    let reading = [401, 403, 403, 403, 403, 403, 200, 200];
    let writing = [401, 403, 403, 403, 403, 403, 403, 200];
    expect_by_role(&app, &cast, Method::GET, "/worklete_admin/users", None, reading).await;
    expect_by_role(&app, &cast, Method::GET, &member, None, reading).await;
    expect_by_role(&app, &cast, Method::PATCH, &member, Some(json!({ "language": "es" })), writing).await;
    let user = json!({ "user_id": id_of(&cast.person("member").data) });
    expect_by_role(&app, &cast, Method::POST, RESET, Some(user), writing).await;
}

#[tokio::test]
async fn a_change_comes_wrapped_or_bare_and_leaves_a_row_without_names() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, member) = (cast.person("staff admin"), cast.person("member"));
    let fields =
        json!({ "first_name": "Secretfirst", "last_name": "Secretlast", "email": "secret@example.org" });
    let bare = change(&app, staff, member, fields.clone()).await;
    assert_eq!((bare.status, bare.keys()), (200, FIELDS.to_vec()), "{bare:?}");
    assert_eq!(bare.json["first_name"], "Secretfirst");
    let wrapped = json!({ "data": { "language": "ES", "worklete_role": "employee" } });
    let wrapped = change(&app, staff, member, wrapped).await;
    assert_eq!(wrapped.json["worklete_role"], "employee", "{wrapped:?}");
    assert_eq!((&wrapped.json["language"], &wrapped.json["email"]), (&json!("es"), &fields["email"]));
    let nothing = change(&app, staff, member, json!({})).await;
    assert_eq!((nothing.status, &nothing.json), (200, &wrapped.json));

    let rows: Vec<Value> = app.audit().into_iter().filter(|row| row["action"] == "user.update").collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows.iter().all(|row| !row.to_string().to_lowercase().contains("secret")), "{rows:?}");
    assert_eq!(rows[0]["after"]["changed"], json!(["email", "first_name", "last_name"]));
    assert_eq!(rows[1]["before"], json!({ "worklete_role": null, "locked": false }));
    assert_eq!(rows[1]["after"]["worklete_role"], "employee");
}

#[tokio::test]
async fn a_new_username_is_the_new_uid_and_an_address_as_username_is_both() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, member) = (cast.person("staff admin"), cast.person("member"));
    let renamed = change(&app, staff, member, json!({ "username": "newname" })).await;
    assert_eq!((&renamed.json["username"], &renamed.json["uid"]), (&json!("newname"), &json!("newname")));
    assert!(app.knows(member).await, "the old uid is good for a minute");
    assert_eq!(sign_in(&app, "newname", PASSWORD).await.status, 200);
    assert_eq!(sign_in(&app, "member", PASSWORD).await.status, 401);

    let address = json!({ "provider": "email", "email": "new@example.org" });
    let both = change(&app, staff, member, address).await;
    assert_eq!((&both.json["uid"], &both.json["provider"]), (&json!("new@example.org"), &json!("email")));
    let cleared = change(&app, staff, member, json!({ "email": null })).await;
    assert_eq!(cleared.fields(), &json!({ "email": ["blank"] }));

    let own = change(&app, staff, staff, json!({ "username": "chief-of-staff" })).await;
    assert_eq!(own.person().uid, "chief-of-staff", "the answer hands over the own new uid");
}

#[tokio::test]
async fn wrong_and_taken_fields_are_named_and_change_nothing() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, member) = (cast.person("staff admin"), cast.person("member"));
    let before = app.call_as(staff, Method::GET, &path_of(member), None).await.json;
    for (body, named) in [
        (json!({ "username": "abc" }), "username"),
        (json!({ "username": null }), "username"),
        (json!({ "username": "one@example.org", "email": "two@example.org" }), "email"),
        (json!({ "provider": "email" }), "username"),
        (json!({ "provider": "phone" }), "provider"),
        (json!({ "email": "nonsense" }), "email"),
        (json!({ "first_name": " " }), "first_name"),
        (json!({ "last_name": null }), "last_name"),
        (json!({ "language": "english" }), "language"),
        (json!({ "worklete_role": "owner" }), "worklete_role"),
        (json!({ "locked": null }), "locked"),
        (json!({ "locked": "yes" }), "locked"),
        (json!({ "data": [] }), "data"),
    ] {
        let refused = change(&app, staff, member, with(&body, &json!({ "x": 1 }))).await;
        assert_eq!(keys(refused.fields()), [named], "{body}");
    }
    for username in ["Org-Admin", "staff-admin"] {
        let taken = change(&app, staff, member, json!({ "username": username, "first_name": "Other" })).await;
        assert_eq!(taken.problem(409, "taken")["fields"], json!({ "username": ["taken"] }));
    }
    assert_eq!(app.call_as(staff, Method::GET, &path_of(member), None).await.json, before);
    let nobody = format!("/worklete_admin/users/{UNKNOWN}");
    let unknown = app.call_as(staff, Method::PATCH, &nobody, Some(json!({}))).await;
    unknown.problem(404, "not_found");
}

#[tokio::test]
async fn who_is_locked_is_out_at_once_until_they_are_let_in_again() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, member) = (cast.person("staff admin"), cast.person("member"));
    let other_device = app.sign_in("member").await;
    let locked = change(&app, staff, member, json!({ "locked": true })).await;
    let since = locked.json["locked_at"].clone();
    assert!(since.is_string(), "{locked:?}");
    for session in [member, &other_device] {
        assert!(!app.knows(session).await);
    }
    let refused = sign_in(&app, "member", PASSWORD).await;
    assert_eq!(refused.error(), (401, "invalid_credentials"));
    let again = change(&app, staff, member, json!({ "locked": true })).await;
    assert_eq!(again.json["locked_at"], since, "doing it twice is doing it once");
    assert_eq!(change(&app, staff, member, json!({ "locked": false })).await.json["locked_at"], Value::Null);
    assert!(!app.knows(member).await, "what has ended stays ended");
    app.sign_in("member").await;
}

#[tokio::test]
async fn a_reset_link_dies_with_the_lock() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, member) = (cast.person("staff admin"), cast.person("member"));
    change(&app, staff, member, json!({ "email": "member@example.org" })).await;
    let wish = json!({ "email": "member@example.org", "redirect_url": "https://app.example.org/reset" });
    app.call(Method::POST, "/auth/password", Some(wish)).await;
    let token = token_of(&app.mails_after(1).await[0]);
    for is_locked in [true, false] {
        change(&app, staff, member, json!({ "locked": is_locked })).await;
    }
    let opened =
        app.call(Method::GET, &format!("/auth/password/edit?reset_password_token={token}"), None).await;
    assert_eq!(opened.error(), (404, "reset_link_not_found"));
}

#[tokio::test]
async fn nobody_changes_the_own_role_or_locks_themselves() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let staff = cast.person("staff admin");
    for body in [
        json!({ "worklete_role": null }),
        json!({ "worklete_role": "admin" }),
        json!({ "data": { "worklete_role": "employee", "first_name": "Other" } }),
        json!({ "locked": true }),
    ] {
        change(&app, staff, staff, body).await.problem(403, "forbidden");
    }
    assert_eq!(change(&app, staff, staff, json!({ "first_name": "Zoe", "locked": false })).await.status, 200);
    let colleague = cast.person("staff employee");
    let promoted = change(&app, staff, colleague, json!({ "worklete_role": "admin" })).await;
    assert_eq!(promoted.json["worklete_role"], "admin");
    assert_eq!(change(&app, colleague, staff, json!({ "worklete_role": null })).await.status, 200);
    let answer = app.call_as(staff, Method::GET, "/worklete_admin/users", None).await;
    answer.problem(403, "staff_only");
}

#[tokio::test]
async fn an_issued_password_is_told_once_and_opens_nothing_but_the_way_to_another_one() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, member) = (cast.person("staff admin"), cast.person("member"));
    let answer = issue(&app, staff, member).await;
    assert_eq!((answer.status, answer.keys()), (200, vec!["id", "password"]), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let password = answer.json["password"].as_str().expect("a password");
    assert_eq!(password.len(), 20, "{password}");
    assert!(!app.knows(member).await, "all sessions end");
    assert_eq!(sign_in(&app, "member", PASSWORD).await.status, 401);

    let signed_in = sign_in(&app, "member", password).await;
    assert_eq!((signed_in.status, &signed_in.json["data"]["must_change_password"]), (200, &json!(true)));
    let person = signed_in.person();
    for (method, path) in [
        (Method::GET, "/users"),
        (Method::GET, "/courses/current"),
        (Method::GET, "/worklete_admin/users"),
        (Method::DELETE, "/auth"),
    ] {
        let refused = app.call_as(&person, method.clone(), path, None).await;
        assert_eq!(refused.error(), (403, "password_change_required"), "{method} {path}");
        assert!(refused.carries_session(), "{method} {path}");
    }
    let refused = app.call_as(&person, Method::PATCH, "/auth", Some(json!({ "first_name": "Zoe" }))).await;
    assert_eq!(refused.error(), (403, "password_change_required"));
    let valid = app.call_as(&person, Method::GET, "/auth/validate_token", None).await;
    assert_eq!((valid.status, &valid.json["data"]["must_change_password"]), (200, &json!(true)));
    assert_eq!(app.call_as(&person, Method::DELETE, "/auth/sign_out", None).await.status, 200);

    let person = sign_in(&app, "member", password).await.person();
    let own = json!({ "password": "worklete789", "password_confirmation": "worklete789" });
    let chosen = app.call_as(&person, Method::PUT, "/auth/password", Some(own)).await;
    assert_eq!(chosen.json["data"]["must_change_password"], false, "{chosen:?}");
    assert_eq!(app.call_as(&person, Method::GET, "/users", None).await.status, 200);
    assert_eq!(sign_in(&app, "member", "worklete789").await.json["data"]["must_change_password"], false);

    let rows: Vec<Value> = app.audit().into_iter().filter(|row| row["action"] == "user.password").collect();
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].to_string().contains(password), "{rows:?}");
}

#[tokio::test]
async fn a_reset_by_mail_frees_from_an_issued_password_too() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, member) = (cast.person("staff admin"), cast.person("member"));
    change(&app, staff, member, json!({ "email": "member@example.org" })).await;
    issued(&app, &cast, "member").await;
    let wish = json!({ "email": "member@example.org", "redirect_url": "https://app.example.org/reset" });
    app.call(Method::POST, "/auth/password", Some(wish)).await;
    let token = token_of(&app.mails_after(1).await[0]);
    let own = json!({
        "password": "worklete789", "password_confirmation": "worklete789", "reset_password_token": token
    });
    let chosen = app.call(Method::PUT, "/auth/password", Some(own)).await;
    assert_eq!(chosen.json["data"]["must_change_password"], false, "{chosen:?}");
    assert_eq!(app.call_as(&chosen.person(), Method::GET, "/users", None).await.status, 200);
}

#[tokio::test]
async fn two_issued_passwords_differ_and_only_the_last_one_works() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (first, second) = (issued(&app, &cast, "member").await, issued(&app, &cast, "member").await);
    assert_ne!(first, second);
    assert_eq!(sign_in(&app, "member", &first).await.status, 401);
    assert_eq!(sign_in(&app, "member", &second).await.status, 200);
}

#[tokio::test]
async fn staff_and_nobody_get_no_password() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let staff = cast.person("staff admin");
    for colleague in ["staff admin", "staff employee"] {
        issue(&app, staff, cast.person(colleague)).await.problem(403, "forbidden");
    }
    assert!(app.knows(staff).await);
    for (body, status, code) in [
        (json!({ "user_id": UNKNOWN }), 404, "not_found"),
        (json!({}), 400, "validation_failed"),
        (json!({ "user_id": null }), 400, "validation_failed"),
        (json!({ "user_id": "member" }), 400, "validation_failed"),
    ] {
        app.call_as(staff, Method::POST, RESET, Some(body)).await.problem(status, code);
    }
    app.call_as(staff, Method::GET, RESET, None).await.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn who_is_locked_out_can_be_given_a_password_and_stays_out() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, member) = (cast.person("staff admin"), cast.person("member"));
    change(&app, staff, member, json!({ "locked": true })).await;
    let password = issued(&app, &cast, "member").await;
    assert_eq!(sign_in(&app, "member", &password).await.status, 401);
    change(&app, staff, member, json!({ "locked": false })).await;
    assert_eq!(sign_in(&app, "member", &password).await.status, 200);
}
