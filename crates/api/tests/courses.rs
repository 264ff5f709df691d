//! Courses in the staff area.

mod common;

use common::{Answer, Person, TestApp, id_of, keys};
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/worklete_admin/courses";

async fn create(app: &TestApp, person: &Person, body: Value) -> Answer {
    app.call_as(person, Method::POST, PATH, Some(body)).await
}

async fn get(app: &TestApp, person: &Person, id: &str) -> Answer {
    app.call_as(person, Method::GET, &format!("{PATH}/{id}"), None).await
}

#[tokio::test]
async fn a_course_is_answered_whole_and_read_back_the_same() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let employee = app.staff("staff-employee", "employee").await;
    let organization = app.organization(&staff, "Harbor").await;
    let body = json!({
        "name": " Lifting  from the floor ", "description": "Bend the knees,\nkeep the load close.", "basics": true,
        "position": -3, "organization_id": organization, "language_codes": ["ES", "en", "es"], "archived_at": "2026-01-01"
    });
    let answer = create(&app, &staff, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let course = &answer.json;
    assert_eq!(
        keys(course),
        [
            "archived_at",
            "basics",
            "created_at",
            "description",
            "id",
            "language_codes",
            "name",
            "organization_id",
            "position",
            "published_version_id",
            "published_version_number",
            "updated_at"
        ]
    );
    for (field, expected) in [
        ("name", json!("Lifting from the floor")),
        ("description", json!("Bend the knees,\nkeep the load close.")),
        ("basics", json!(true)),
        ("position", json!(-3)),
        ("organization_id", json!(organization)),
        ("language_codes", json!(["en", "es"])),
        ("published_version_id", Value::Null),
        ("published_version_number", Value::Null),
        ("archived_at", Value::Null),
        ("updated_at", course["created_at"].clone()),
    ] {
        assert_eq!(course[field], expected, "{field}");
    }
    for reader in [&staff, &employee] {
        let read = get(&app, reader, &id_of(course)).await;
        assert_eq!((read.status, &read.json), (200, course));
    }
    let audit = app.audit();
    let row = audit.last().expect("a row");
    for (column, expected) in [
        ("actor_id", &staff.data["id"]),
        ("organization_id", &json!(organization)),
        ("action", &json!("course.create")),
        ("subject_kind", &json!("course")),
        ("subject_id", &course["id"]),
        ("request_id", &json!(answer.header("x-request-id"))),
    ] {
        assert_eq!(&row[column], expected, "{column}");
    }
}

#[tokio::test]
async fn a_course_with_a_name_only_is_in_the_library() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let course = create(&app, &staff, json!({ "name": "Lifting" })).await.json;
    for (field, expected) in [
        ("organization_id", Value::Null),
        ("description", Value::Null),
        ("basics", json!(false)),
        ("position", json!(0)),
        ("language_codes", json!([])),
    ] {
        assert_eq!(course[field], expected, "{field}");
    }
    let id = id_of(&course);
    app.database.execute(&format!("UPDATE courses SET archived_at = now() WHERE id = '{id}'"));
    let archived = get(&app, &staff, &id).await;
    assert_eq!(archived.status, 200);
    assert!(archived.json["archived_at"].is_string());
}

#[tokio::test]
async fn what_is_wrong_is_told_field_by_field() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let unknown = "00000000-0000-4000-8000-000000000001";
    for (wrong, fields) in [
        (json!({ "name": null, "description": " " }), json!({ "name": ["blank"], "description": ["blank"] })),
        (json!({ "name": "x".repeat(201) }), json!({ "name": ["too_long"] })),
        (json!({ "description": "x".repeat(5001) }), json!({ "description": ["too_long"] })),
        (json!({ "description": "a\u{0}" }), json!({ "description": ["invalid"] })),
        (json!({ "basics": 1 }), json!({ "basics": ["invalid"] })),
        (json!({ "position": 1.5 }), json!({ "position": ["invalid"] })),
        (json!({ "position": 2_147_483_648_i64 }), json!({ "position": ["invalid"] })),
        (json!({ "language_codes": ["eng"] }), json!({ "language_codes": ["invalid"] })),
        (json!({ "language_codes": vec!["en"; 51] }), json!({ "language_codes": ["too_many"] })),
        (json!({ "language_codes": "en" }), json!({ "language_codes": ["invalid"] })),
        (json!({ "organization_id": "harbor" }), json!({ "organization_id": ["invalid"] })),
        (json!({ "organization_id": unknown }), json!({ "organization_id": ["unknown"] })),
    ] {
        let mut body = json!({ "name": "Lifting" });
        let all = body.as_object_mut().expect("an object");
        all.extend(wrong.as_object().expect("an object").clone());
        let answer = create(&app, &staff, body).await;
        assert_eq!(answer.problem(400, "validation_failed")["fields"], fields, "{wrong}");
    }
    assert_eq!(app.database.rows("SELECT count(*) FROM courses"), ["(0)"]);
    assert_eq!(app.audit(), [] as [Value; 0]);
}

#[tokio::test]
async fn staff_admins_write_and_employees_read() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let course = create(&app, cast.person("staff admin"), json!({ "name": "Lifting" })).await;
    let (known, unknown) =
        (format!("{PATH}/{}", id_of(&course.json)), format!("{PATH}/00000000-0000-4000-8000-000000000001"));
    for (role, person) in &cast.people {
        let person = person.as_ref();
        let before = app.audit().len();
        let created = app.call_by(person, Method::POST, PATH, Some(json!({ "name": "Another" }))).await;
        let read = app.call_by(person, Method::GET, &known, None).await;
        let missing = app.call_by(person, Method::GET, &unknown, None).await;
        match *role {
            "anonymous" => {
                for answer in [created, read, missing] {
                    answer.problem(401, "not_signed_in");
                }
            }
            "staff employee" => {
                created.problem(403, "forbidden");
                assert_eq!((read.status, &read.json), (200, &course.json));
                missing.problem(404, "not_found");
            }
            "staff admin" => {
                assert_eq!((created.status, read.status), (201, 200));
                missing.problem(404, "not_found");
            }
            _ => {
                for answer in [created, read, missing] {
                    answer.problem(403, "staff_only");
                }
            }
        }
        let rows = usize::from(*role == "staff admin");
        assert_eq!(app.audit().len(), before + rows, "{role}");
    }
}
