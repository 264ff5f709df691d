//! Opening teams.

mod common;

use common::{Answer, Person, TestApp, keys};
use reqwest::Method;
use serde_json::{Value, json};

async fn open(app: &TestApp, person: &Person, organization: &str, body: Value) -> Answer {
    let path = format!("/organizations/{organization}/teams");
    app.call_as(person, Method::POST, &path, Some(body)).await
}

#[tokio::test]
async fn a_team_is_answered_whole_and_leaves_an_audit_row() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let answer = open(&app, admin, &cast.organization, json!({ "name": " Day   shift " })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(
        keys(&answer.json),
        [
            "admins_count",
            "created_at",
            "deleted_at",
            "id",
            "memberships_count",
            "name",
            "organization_id",
            "updated_at"
        ]
    );
    for (field, expected) in [
        ("organization_id", json!(cast.organization)),
        ("name", json!("Day shift")),
        ("memberships_count", json!(0)),
        ("admins_count", json!(0)),
        ("deleted_at", Value::Null),
        ("updated_at", answer.json["created_at"].clone()),
    ] {
        assert_eq!(answer.json[field], expected, "{field}");
    }
    let audit = app.audit();
    let row = audit.last().expect("a row");
    for (column, expected) in [
        ("actor_id", &admin.data["id"]),
        ("organization_id", &json!(cast.organization)),
        ("action", &json!("team.create")),
        ("subject_kind", &json!("team")),
        ("subject_id", &answer.json["id"]),
        ("request_id", &answer_id(&answer)),
        ("after", &json!({ "name": "Day shift" })),
    ] {
        assert_eq!(&row[column], expected, "{column}");
    }
}

fn answer_id(answer: &Answer) -> Value {
    json!(answer.header("x-request-id"))
}

#[tokio::test]
async fn a_name_is_used_once_among_the_live_teams_of_an_organization() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let elsewhere = app.organization(&staff, "Elsewhere").await;
    let team = app.team(&staff, &organization, "Night shift").await;
    for name in ["Night shift", "NIGHT SHIFT", " night   Shift "] {
        let answer = open(&app, &staff, &organization, json!({ "name": name })).await;
        assert_eq!(answer.problem(409, "team_name_taken")["fields"], json!({ "name": ["taken"] }));
    }
    app.team(&staff, &elsewhere, "Night shift").await;
    app.database.execute(&format!("UPDATE teams SET deleted_at = now() WHERE id = '{team}'"));
    app.team(&staff, &organization, "night shift").await;
    let race = || json!({ "name": "Race" });
    let (one, other) =
        tokio::join!(open(&app, &staff, &organization, race()), open(&app, &staff, &organization, race()));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn a_name_has_one_to_a_hundred_characters() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    for (body, code) in [
        (json!({}), "blank"),
        (json!({ "name": null }), "blank"),
        (json!({ "name": "\t" }), "blank"),
        (json!({ "name": "x".repeat(101) }), "too_long"),
        (json!({ "name": "a\u{7}" }), "invalid"),
        (json!({ "name": ["a"] }), "invalid"),
    ] {
        let answer = open(&app, &staff, &organization, body).await;
        assert_eq!(answer.problem(400, "validation_failed")["fields"], json!({ "name": [code] }));
    }
    let longest = "ö".repeat(100);
    assert_eq!(open(&app, &staff, &organization, json!({ "name": longest })).await.status, 201);
    assert_eq!(app.audit().len(), 2, "the organization's and the one team's");
}

#[tokio::test]
async fn org_admins_and_staff_admins_open_teams() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let path = format!("/organizations/{}/teams", cast.organization);
    for (role, person) in &cast.people {
        let before = app.audit().len();
        let body = json!({ "name": format!("Team of {role}") });
        let answer = app.call_by(person.as_ref(), Method::POST, &path, Some(body)).await;
        let is_allowed = matches!(*role, "org admin" | "staff admin");
        match *role {
            "anonymous" => drop(answer.problem(401, "not_signed_in")),
            "outsider" | "gone" => drop(answer.problem(404, "not_found")),
            _ if is_allowed => assert_eq!(answer.status, 201, "{role}: {answer:?}"),
            _ => drop(answer.problem(403, "forbidden")),
        }
        assert_eq!(app.audit().len(), before + usize::from(is_allowed), "{role}");
    }
    let unknown = "00000000-0000-4000-8000-000000000001";
    for role in ["org admin", "staff admin"] {
        let answer = open(&app, cast.person(role), unknown, json!({ "name": "Nowhere" })).await;
        answer.problem(404, "not_found");
    }
}
