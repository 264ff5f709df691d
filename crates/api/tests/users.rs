//! Who sees whom, and changing what somebody signs in with.

mod common;

use common::{Answer, Cast, PASSWORD, Person, TestApp, column, expect_by_role, id_of, keys, token_of, with};
use reqwest::Method;
use serde_json::{Value, json};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";
const FIELDS: [&str; 13] = [
    "champion_certification",
    "created_at",
    "email",
    "first_name",
    "id",
    "language",
    "last_name",
    "last_sign_in_at",
    "provider",
    "uid",
    "updated_at",
    "username",
    "worklete_role",
];

fn path_of(person: &Person) -> String {
    format!("/users/{}", id_of(&person.data))
}

async fn set(app: &TestApp, by: &Person, target: &Person, what: &str, body: Value) -> Answer {
    app.call_as(by, Method::PUT, &format!("{}/{what}", path_of(target)), Some(body)).await
}

async fn set_email(app: &TestApp, by: &Person, target: &Person, body: Value) -> Answer {
    set(app, by, target, "email", body).await
}

async fn set_username(app: &TestApp, by: &Person, target: &Person, username: &str) -> Answer {
    set(app, by, target, "username", json!({ "username": username })).await
}

/// Whether it was changed.
fn changed(answer: &Answer) -> bool {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.carries_session());
    answer.json.as_bool().unwrap_or_else(|| panic!("neither true nor false but {answer:?}"))
}

/// A user as they see themselves.
async fn own(app: &TestApp, person: &Person) -> Value {
    let answer = app.call_as(person, Method::GET, &path_of(person), None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json
}

/// The session of somebody who changed the own name, as the answer hands it over.
fn renamed(answer: &Answer, before: &Person) -> Person {
    assert!(changed(answer));
    let person = Person { data: before.data.clone(), ..answer.person() };
    assert_eq!((&person.token, &person.client), (&before.token, &before.client));
    person
}

async fn can_sign_in(app: &TestApp, name: &str) -> bool {
    let body = json!({ "username": name, "password": PASSWORD });
    let status = app.call(Method::POST, "/auth/sign_in", Some(body)).await.status;
    assert!([200, 401].contains(&status), "{status}");
    status == 200
}

/// Gives somebody all the private fields.
async fn with_private_fields(app: &TestApp, cast: &Cast, role: &str) {
    let person = cast.person(role);
    let email = json!(format!("{}@example.org", person.uid));
    assert!(changed(&set_email(app, person, person, email).await));
    app.sign_in(&person.uid).await;
}

#[tokio::test]
async fn everybody_lists_whom_they_may_see_oldest_first() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    app.membership(admin, &cast.organization, json!({ "team_ids": [cast.team] })).await;
    for (role, names) in [
        ("outsider", vec!["outsider"]),
        ("gone", vec!["gone"]),
        ("member", vec!["member"]),
        ("team admin", vec!["member", "team-admin"]),
        ("org admin", vec!["member", "team-admin", "org-admin"]),
        (
            "staff employee",
            vec!["staff-admin", "staff-employee", "outsider", "member", "team-admin", "org-admin", "gone"],
        ),
    ] {
        let answer = app.call_as(cast.person(role), Method::GET, "/users", None).await;
        assert_eq!(answer.status, 200, "{role}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        let mut found = column(&answer.json, "username");
        if role == "staff employee" {
            // The ids of the staff do not tell their age: they came by another way.
            found.retain(|name| !name.starts_with("staff"));
            assert_eq!(found, names[2..], "{role}");
        } else {
            assert_eq!(found, names, "{role}");
        }
        assert_eq!(answer.header("x-total-count"), Some(&*names.len().to_string()), "{role}");
        for user in answer.json.as_array().expect("a list") {
            assert_eq!(keys(user), FIELDS, "{role}");
        }
    }
    app.call(Method::GET, "/users", None).await.problem(401, "not_signed_in");
}

#[tokio::test]
async fn private_fields_show_to_the_person_and_those_who_run_the_organization() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    app.database.execute("UPDATE users SET staff_role = 'employee' WHERE username = 'member'");
    with_private_fields(&app, &cast, "member").await;
    with_private_fields(&app, &cast, "team admin").await;
    let member = cast.person("member");
    let whole = own(&app, member).await;
    assert_eq!(keys(&whole), FIELDS);
    assert_eq!(
        (&whole["email"], &whole["worklete_role"]),
        (&json!("member@example.org"), &json!("employee"))
    );
    assert!(whole["last_sign_in_at"].is_string(), "{whole}");
    let hidden = with(&whole, &json!({ "email": null, "worklete_role": null, "last_sign_in_at": null }));
    for (role, expected) in
        [("team admin", &hidden), ("org admin", &whole), ("staff employee", &whole), ("staff admin", &whole)]
    {
        let one = app.call_as(cast.person(role), Method::GET, &path_of(member), None).await;
        assert_eq!((one.status, &one.json), (200, expected), "{role}");
        let list = app.call_as(cast.person(role), Method::GET, "/users", None).await.json;
        let listed = list.as_array().expect("a list").iter().find(|user| user["id"] == whole["id"]);
        assert_eq!(listed, Some(expected), "{role}");
    }
    // In one list: the own fields show, those of the team do not.
    let list = app.call_as(cast.person("team admin"), Method::GET, "/users", None).await.json;
    let emails: Vec<_> = list.as_array().expect("a list").iter().map(|user| &user["email"]).collect();
    assert_eq!(emails, [&Value::Null, &json!("team-admin@example.org")]);
}

#[tokio::test]
async fn pages_of_users_hold_everybody_once() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let all = app.call_as(admin, Method::GET, "/users", None).await;
    let facts = ["x-total-count", "x-page", "x-per-page"].map(|name| all.header(name));
    assert_eq!(facts, [Some("3"), Some("1"), Some("1000")]);
    let mut seen = Vec::new();
    for page in 1..=3 {
        let answer = app.call_as(admin, Method::GET, &format!("/users?size=1&page={page}"), None).await;
        assert_eq!(answer.header("x-total-count"), Some("3"));
        seen.extend(answer.json.as_array().expect("a list").clone());
    }
    assert_eq!(json!(seen), all.json);
    let past = app.call_as(admin, Method::GET, "/users?page=9", None).await;
    assert_eq!((past.status, &past.json, past.header("x-total-count")), (200, &json!([]), Some("3")));
    let middle = app.call_as(admin, Method::GET, "/users?page=2&size=1&unknown=kept", None).await;
    let to = |page: u8, relation: &str| {
        format!("</api/v1/users?unknown=kept&page={page}&size=1>; rel=\"{relation}\"")
    };
    let links = [to(1, "first"), to(1, "prev"), to(3, "next"), to(3, "last")].join(", ");
    assert_eq!(middle.header("link"), Some(&*links));
    for (query, field) in [("page=0", "page"), ("size=0", "size"), ("page=x", "page"), ("size=-1", "size")] {
        let answer = app.call_as(admin, Method::GET, &format!("/users?{query}"), None).await;
        assert_eq!(answer.fields(), &json!({ field: ["invalid"] }), "{query}");
    }
}

#[tokio::test]
async fn a_list_counts_somebody_once_who_is_seen_for_many_reasons() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, admin) = (cast.person("staff admin"), cast.person("org admin"));
    // The admin runs a second organization, is on a team, runs it, and shares both places with somebody.
    let second = app.organization(staff, "Second").await;
    let yard = app.team(staff, &second, "Yard").await;
    for person in [admin, cast.person("member")] {
        let fields = json!({ "org_admin": person.uid == "org-admin", "team_ids": [yard] });
        let made = app.membership(staff, &second, fields).await;
        let path = format!("/invitations/{}/accept", made["invite_code"].as_str().expect("a code"));
        assert_eq!(app.call_as(person, Method::POST, &path, None).await.status, 200);
    }
    let list = app.call_as(admin, Method::GET, "/users", None).await;
    assert_eq!(column(&list.json, "username"), ["member", "team-admin", "org-admin"]);
    assert_eq!(list.header("x-total-count"), Some("3"));
}

#[tokio::test]
async fn each_role_may_read_a_user_as_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    for (role, expected) in [
        ("member", [401, 404, 404, 200, 200, 200, 200, 200]),
        ("team admin", [401, 404, 404, 403, 200, 200, 200, 200]),
        ("org admin", [401, 404, 404, 403, 403, 200, 200, 200]),
        ("gone", [401, 404, 200, 404, 404, 404, 200, 200]),
        ("outsider", [401, 200, 404, 404, 404, 404, 200, 200]),
        ("staff admin", [401, 404, 404, 404, 404, 404, 200, 200]),
    ] {
        expect_by_role(&app, &cast, Method::GET, &path_of(cast.person(role)), None, expected).await;
    }
    for unknown in [UNKNOWN, "nonsense", "%00"] {
        let path = format!("/users/{unknown}");
        for role in ["org admin", "staff admin"] {
            app.call_as(cast.person(role), Method::GET, &path, None).await.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn who_deleted_the_account_is_nobody_any_more() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (member, staff) = (cast.person("member"), cast.person("staff admin"));
    assert_eq!(app.call_as(member, Method::DELETE, "/auth", None).await.status, 200);
    for role in ["org admin", "staff employee", "staff admin"] {
        let person = cast.person(role);
        app.call_as(person, Method::GET, &path_of(member), None).await.problem(404, "not_found");
        let list = app.call_as(person, Method::GET, "/users", None).await;
        assert!(!list.text.contains(&id_of(&member.data)), "{role}: {list:?}");
    }
    set_email(&app, staff, member, json!("member@example.org")).await.problem(404, "not_found");
    set_username(&app, staff, member, "another").await.problem(404, "not_found");
}

#[tokio::test]
async fn an_address_comes_bare_or_as_a_field_and_null_clears_it() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let member = cast.person("member");
    for (body, is_changed, stored) in [
        (json!("ann@example.org"), true, json!("ann@example.org")),
        (json!("ann@example.org"), false, json!("ann@example.org")),
        (json!(" Ann@Example.ORG "), false, json!("ann@example.org")),
        (json!({ "email": "lee@example.org" }), true, json!("lee@example.org")),
        (json!({ "email": "lee@example.org", "other": 5 }), false, json!("lee@example.org")),
        (Value::Null, true, Value::Null),
        (Value::Null, false, Value::Null),
        (json!({ "email": null }), false, Value::Null),
        (json!("ann@example.org"), true, json!("ann@example.org")),
        (json!({ "email": null }), true, Value::Null),
    ] {
        let answer = set_email(&app, member, member, body.clone()).await;
        assert_eq!(changed(&answer), is_changed, "{body}");
        assert_eq!(answer.header("uid"), Some("member"), "the sign-in name stays");
        assert_eq!(own(&app, member).await["email"], stored, "{body}");
    }
    assert!(changed(&set_email(&app, member, member, json!("ann@example.org")).await));
    let before = own(&app, member).await;
    for (body, code) in [
        (json!(5), "invalid"),
        (json!(true), "invalid"),
        (json!({ "email": 5 }), "invalid"),
        (json!({ "email": ["a@example.org"] }), "invalid"),
        (json!({}), "blank"),
        (json!({ "mail": "a@example.org" }), "blank"),
        (json!(""), "invalid"),
        (json!("nobody"), "invalid"),
        (json!("a@b"), "invalid"),
        (json!("a b@example.org"), "invalid"),
        (json!("a\u{0}@example.org"), "invalid"),
        (json!("a@example.org\r\nbcc: b@example.org"), "invalid"),
        (json!(format!("{}@example.org", "x".repeat(300))), "invalid"),
    ] {
        let answer = set_email(&app, member, member, body.clone()).await;
        assert_eq!(answer.fields(), &json!({ "email": [code] }), "{body}");
    }
    for (kind, body, status, code) in [
        ("application/json", "", 400, "malformed_body"),
        ("application/json", "ann@example.org", 400, "malformed_body"),
        ("application/json", "[\"ann@example.org\"]", 400, "malformed_body"),
        ("application/json", "null null", 400, "malformed_body"),
        ("text/plain", "ann@example.org", 415, "unsupported_media_type"),
    ] {
        let request = app.request(Method::PUT, &format!("{}/email", path_of(member)));
        let request = member.sign(request).header("content-type", kind).body(body);
        app.send(request).await.problem(status, code);
    }
    assert_eq!(own(&app, member).await, before);
}

#[tokio::test]
async fn an_address_that_is_the_sign_in_name_changes_both() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("ann@example.org").await;
    let other_device = app.sign_in("ann@example.org").await;
    let answer = set_email(&app, &ann, &ann, json!("lee@example.org")).await;
    let renamed = renamed(&answer, &ann);
    assert_eq!(renamed.uid, "lee@example.org");
    let user = own(&app, &renamed).await;
    let facts = ["username", "uid", "email", "provider"].map(|field| user[field].as_str());
    assert_eq!(
        facts,
        [Some("lee@example.org"), Some("lee@example.org"), Some("lee@example.org"), Some("email")]
    );
    for session in
        [&renamed, &ann, &other_device, &Person { uid: renamed.uid.clone(), ..other_device.clone() }]
    {
        assert!(app.knows(session).await, "all sessions follow, and the old name is good for a minute");
    }
    let old_name = app.call_as(&other_device, Method::GET, "/auth/validate_token", None).await;
    assert_eq!(old_name.header("uid"), Some("lee@example.org"), "each device learns the new one");
    assert_eq!(
        [can_sign_in(&app, "lee@example.org").await, can_sign_in(&app, "ann@example.org").await],
        [true, false]
    );
    for cleared in [Value::Null, json!({ "email": null })] {
        let refused = set_email(&app, &renamed, &renamed, cleared).await;
        assert_eq!(refused.fields(), &json!({ "email": ["blank"] }));
    }
    assert!(!changed(&set_email(&app, &renamed, &renamed, json!("LEE@example.org")).await));
    // The old address is free for others.
    app.newcomer("ann@example.org").await;
}

#[tokio::test]
async fn a_taken_name_or_address_is_refused_in_any_case() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let bob = app.newcomer("bob@example.org").await;
    let carl = app.newcomer("carl-1").await;
    assert!(changed(&set_email(&app, &carl, &carl, json!("carl@example.org")).await));
    let before = own(&app, &ann).await;
    for taken in ["bob@example.org", "BOB@Example.org", "carl@example.org"] {
        let refused = set_email(&app, &ann, &ann, json!(taken)).await;
        assert_eq!(refused.problem(409, "taken")["fields"], json!({ "email": ["taken"] }), "{taken}");
        assert_eq!(refused.header("uid"), Some("annlee"));
    }
    for taken in ["carl-1", "CARL-1", " carl-1 ", "bob@example.org", "Bob@example.org", "carl@example.org"] {
        let refused = set_username(&app, &ann, &ann, taken).await;
        assert!(refused.problem(409, "taken")["fields"].is_object(), "{taken}");
        assert_eq!(refused.header("uid"), Some("annlee"));
    }
    let refused = set_email(&app, &bob, &bob, json!("carl@example.org")).await;
    refused.problem(409, "taken");
    assert_eq!(own(&app, &ann).await, before);
    assert!(can_sign_in(&app, "annlee").await && can_sign_in(&app, "bob@example.org").await);
}

#[tokio::test]
async fn of_two_who_want_one_name_or_address_at_once_one_gets_it() {
    let app = TestApp::start_open(&[]).await;
    let (ann, bob) = (app.newcomer("annlee").await, app.newcomer("bobray").await);
    for round in 0..4 {
        let email = || json!(format!("wanted-{round}@example.org"));
        let (one, other) =
            tokio::join!(set_email(&app, &ann, &ann, email()), set_email(&app, &bob, &bob, email()),);
        let (winner, loser) = if one.status == 200 { (one, other) } else { (other, one) };
        assert!(changed(&winner));
        loser.problem(409, "taken");
    }
    let (one, other) =
        tokio::join!(set_username(&app, &ann, &ann, "wanted"), set_username(&app, &bob, &bob, "WANTED"));
    let (winner, loser) = if one.status == 200 { (one, other) } else { (other, one) };
    assert!(changed(&winner));
    loser.problem(409, "taken");
}

#[tokio::test]
async fn a_new_username_is_the_new_uid_and_the_new_sign_in_name() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    for (name, is_changed, stored) in [
        ("annlee", false, "annlee"),
        (" annlee ", false, "annlee"),
        ("AnnLee", true, "AnnLee"),
        ("AnnLee", false, "AnnLee"),
        ("ann4", true, "ann4"),
        ("!#$%", true, "!#$%"),
    ] {
        let answer = set_username(&app, &ann, &ann, name).await;
        assert_eq!(changed(&answer), is_changed, "{name:?}");
        assert_eq!(answer.header("uid"), Some(stored), "{name:?}");
        let session = Person { uid: stored.to_owned(), ..ann.clone() };
        let user = own(&app, &session).await;
        let facts = ["username", "uid", "provider"].map(|field| user[field].as_str());
        assert_eq!(facts, [Some(stored), Some(stored), Some("username")], "{name:?}");
        // For a minute the name before is good, too; here it is sent all the time, so it has to be kept up.
        app.database.execute("UPDATE users SET former_uid = 'annlee' WHERE former_uid IS NOT NULL");
    }
    assert_eq!([can_sign_in(&app, "!#$%").await, can_sign_in(&app, "annlee").await], [true, false]);
    app.database.execute("UPDATE users SET uid_changed_at = now() - interval '60 seconds'");
    assert!(!app.knows(&ann).await, "the old uid has had its minute");
    assert!(app.knows(&Person { uid: "!#$%".into(), ..ann }).await);
}

#[tokio::test]
async fn an_at_sign_makes_the_username_an_address() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    assert!(changed(&set_email(&app, &ann, &ann, json!("private@example.org")).await));
    let answer = set_username(&app, &ann, &ann, "Ann@Example.org").await;
    let ann = renamed(&answer, &ann);
    assert_eq!(ann.uid, "ann@example.org");
    let user = own(&app, &ann).await;
    let facts = ["username", "email", "provider"].map(|field| user[field].as_str());
    assert_eq!(facts, [Some("ann@example.org"), Some("ann@example.org"), Some("email")]);
    assert!(can_sign_in(&app, "ann@example.org").await);

    let answer = set_username(&app, &ann, &ann, "annlee").await;
    let ann = renamed(&answer, &ann);
    let user = own(&app, &ann).await;
    let facts = ["username", "email", "provider"].map(|field| user[field].as_str());
    assert_eq!(
        facts,
        [Some("annlee"), Some("ann@example.org"), Some("username")],
        "the address stays for mail"
    );
    assert!(changed(&set_email(&app, &ann, &ann, Value::Null).await), "and can be cleared now");
}

#[tokio::test]
async fn a_username_has_four_printable_characters_at_least() {
    let app = TestApp::start_open(&[]).await;
    let ann = app.newcomer("annlee").await;
    let before = own(&app, &ann).await;
    for (body, code) in [
        (json!({}), "blank"),
        (json!({ "username": null }), "blank"),
        (json!({ "name": "annlee2" }), "blank"),
        (json!({ "username": "" }), "too_short"),
        (json!({ "username": "abc" }), "too_short"),
        (json!({ "username": "  abc  " }), "too_short"),
        (json!({ "username": "x".repeat(255) }), "too_long"),
        (json!({ "username": "ann lee" }), "invalid"),
        (json!({ "username": "annlée" }), "invalid"),
        (json!({ "username": "ann\u{0}lee" }), "invalid"),
        (json!({ "username": "ann\r\nset-cookie: a" }), "invalid"),
        (json!({ "username": "@annlee" }), "invalid"),
        (json!({ "username": "ann@lee" }), "invalid"),
        (json!({ "username": 12345 }), "invalid"),
        (json!({ "username": ["annlee2"] }), "invalid"),
    ] {
        let answer = set(&app, &ann, &ann, "username", body.clone()).await;
        assert_eq!(answer.fields(), &json!({ "username": [code] }), "{body}");
        assert_eq!(answer.header("uid"), Some("annlee"));
    }
    for body in [json!("annlee2"), json!(["annlee2"]), Value::Null, json!(5)] {
        set(&app, &ann, &ann, "username", body).await.problem(400, "malformed_body");
    }
    assert_eq!(own(&app, &ann).await, before);
}

#[tokio::test]
async fn each_role_may_rename_as_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    for (role, expected) in [
        ("member", [401, 404, 404, 200, 403, 200, 403, 200]),
        ("team admin", [401, 404, 404, 403, 200, 200, 403, 200]),
        ("org admin", [401, 404, 404, 403, 403, 200, 403, 200]),
        ("gone", [401, 404, 200, 404, 404, 404, 403, 200]),
        ("outsider", [401, 200, 404, 404, 404, 404, 403, 200]),
        ("staff employee", [401, 404, 404, 404, 404, 404, 200, 200]),
        ("staff admin", [401, 404, 404, 404, 404, 404, 403, 200]),
    ] {
        let person = cast.person(role);
        let path = path_of(person);
        let email = Some(json!(format!("{}@example.org", person.uid)));
        expect_by_role(&app, &cast, Method::PUT, &format!("{path}/email"), email, expected).await;
        let username = Some(json!({ "username": person.uid.to_uppercase() }));
        expect_by_role(&app, &cast, Method::PUT, &format!("{path}/username"), username, expected).await;
    }
    for unknown in [UNKNOWN, "nonsense"] {
        for what in ["email", "username"] {
            let path = format!("/users/{unknown}/{what}");
            let body = Some(json!({ "email": null, "username": "another" }));
            let answer = app.call_as(cast.person("staff admin"), Method::PUT, &path, body).await;
            answer.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn an_admin_renames_who_belongs_to_the_own_organization_alone() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, staff, outsider) =
        (cast.person("org admin"), cast.person("staff admin"), cast.person("outsider"));
    let member = cast.person("member");
    // An address set by the admin is one that the account could be taken over with: so never for somebody shared.
    let made = app.membership(staff, &cast.organization, json!({})).await;
    let path = format!("/invitations/{}/accept", made["invite_code"].as_str().expect("a code"));
    assert_eq!(app.call_as(outsider, Method::POST, &path, None).await.status, 200);
    let before = own(&app, outsider).await;
    let refused = async || {
        set_email(&app, admin, outsider, json!("mine@example.org")).await.problem(403, "forbidden");
        set_username(&app, admin, outsider, "mine-now").await.problem(403, "forbidden");
    };
    refused().await;
    // Not even once they have left the other one: it may take them back.
    let home = outsider.data["memberships"][0]["organization_id"].as_str().expect("an id");
    app.member(staff, home, "successor", json!({ "org_admin": true })).await;
    let home = format!("/organizations/{home}/memberships/{}", outsider.membership());
    assert_eq!(app.call_as(staff, Method::DELETE, &home, None).await.status, 200);
    refused().await;
    assert_eq!(own(&app, outsider).await, before);

    app.database.execute("UPDATE users SET staff_role = 'employee' WHERE username = 'member'");
    set_email(&app, admin, member, json!("mine@example.org")).await.problem(403, "forbidden");
    set_username(&app, admin, member, "mine-now").await.problem(403, "forbidden");
    app.database.execute("UPDATE users SET staff_role = NULL WHERE username = 'member'");
    assert!(changed(&set_email(&app, admin, member, json!("mine@example.org")).await));
    let answer = set_username(&app, admin, member, "mine-now").await;
    assert!(changed(&answer));
    assert_eq!(answer.header("uid"), Some("org-admin"), "the caller's own name stays");
    assert!(app.knows(&Person { uid: "mine-now".into(), ..member.clone() }).await, "their sessions follow");
}

#[tokio::test]
async fn a_reset_link_dies_with_the_address_it_was_mailed_to() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, member) = (cast.person("org admin"), cast.person("member"));
    let mut mails = 0;
    for (round, (by, body, is_changed)) in [
        (admin, json!("new@example.org"), true),
        (member, Value::Null, true),
        (admin, json!("old@example.org"), false),
    ]
    .into_iter()
    .enumerate()
    {
        changed(&set_email(&app, member, member, json!("old@example.org")).await);
        let ask = json!({ "email": "old@example.org", "redirect_url": "https://app.example.org/reset" });
        assert_eq!(app.call(Method::POST, "/auth/password", Some(ask)).await.status, 200);
        mails += 1;
        let tokens: Vec<String> = app.mails_after(mails).await.iter().map(|mail| token_of(mail)).collect();
        let stored = app.database.rows("SELECT count(*) FROM password_resets WHERE used_at IS NULL");
        assert_eq!(stored, ["(1)"], "round {round}");
        assert_eq!(changed(&set_email(&app, by, member, body).await), is_changed, "round {round}");
        let mut opened = 0;
        for token in &tokens {
            let path = format!("/auth/password/edit?reset_password_token={token}");
            let answer = app.call(Method::GET, &path, None).await;
            if answer.status == 302 {
                opened += 1;
                continue;
            }
            assert_eq!(answer.error(), (404, "reset_link_not_found"), "round {round}");
            let body = json!({
                "password": "worklete456", "password_confirmation": "worklete456", "reset_password_token": token
            });
            let reset = app.call(Method::PUT, "/auth/password", Some(body)).await;
            assert_eq!(reset.error(), (401, "unauthorized"), "round {round}");
        }
        assert_eq!(opened, usize::from(!is_changed), "round {round}");
    }
    assert!(can_sign_in(&app, "member").await, "the password is the old one");
}

#[tokio::test]
async fn what_an_admin_changes_leaves_a_row_without_the_new_name_and_the_own_change_none() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, staff, member) =
        (cast.person("org admin"), cast.person("staff admin"), cast.person("member"));
    let rows = app.audit().len();
    assert!(changed(&set_email(&app, member, member, json!("ottilie@example.org")).await));
    assert!(changed(&set_username(&app, member, member, "Member").await));
    set_email(&app, admin, member, json!("nobody")).await.problem(400, "validation_failed");
    assert!(!changed(&set_email(&app, admin, member, json!("ottilie@example.org")).await));
    assert_eq!(app.audit().len(), rows);

    let request = app.request(Method::PUT, &format!("{}/username", path_of(member)));
    let request = admin.sign(request).header("x-request-id", "audit-me-7");
    let body = json!({ "username": "wilhelmine@example.org" });
    assert!(changed(&app.send(request.json(&body)).await));
    let row = app.audit().pop().expect("a row");
    for (column, expected) in [
        ("actor_id", admin.data["id"].clone()),
        ("organization_id", json!(cast.organization)),
        ("action", json!("user.username")),
        ("subject_kind", json!("user")),
        ("subject_id", member.data["id"].clone()),
        ("request_id", json!("audit-me-7")),
        ("before", Value::Null),
        ("after", json!({ "changed": ["username", "email"] })),
    ] {
        assert_eq!(row[column], expected, "{column}");
    }
    let outsider = cast.person("outsider");
    assert!(changed(&set_email(&app, staff, outsider, json!("zora@example.org")).await));
    let row = app.audit().pop().expect("a row");
    assert_eq!((&row["action"], &row["after"]), (&json!("user.email"), &json!({ "changed": ["email"] })));
    let trail = json!(app.audit()).to_string();
    for secret in ["ottilie", "wilhelmine", "zora@", "example.org"] {
        assert!(!trail.contains(secret), "{secret} in {trail}");
    }
}
