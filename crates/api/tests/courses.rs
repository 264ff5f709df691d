//! Courses in the staff area.

mod common;

use common::{Answer, Person, TestApp, column, id_of, keys, time, with};
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

async fn change(app: &TestApp, person: &Person, id: &str, body: Value) -> Answer {
    app.call_as(person, Method::PATCH, &format!("{PATH}/{id}"), Some(body)).await
}

#[tokio::test]
async fn a_course_is_changed_field_by_field_and_null_clears_what_may_be_absent() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let body = json!({ "name": "Lifting", "description": "Bend the knees.", "language_codes": ["en"] });
    let mut course = create(&app, &staff, body).await.json;
    let id = id_of(&course);
    for (method, sent, seen) in [
        (Method::PATCH, json!({ "name": " Pulling " }), json!({ "name": "Pulling" })),
        (Method::PUT, json!({ "description": null }), json!({ "description": null })),
        (Method::PATCH, json!({ "basics": true, "position": -2 }), json!({ "basics": true, "position": -2 })),
        (
            Method::PUT,
            json!({ "language_codes": ["FR", "es", "fr"] }),
            json!({ "language_codes": ["es", "fr"] }),
        ),
        (
            Method::PATCH,
            json!({ "organization_id": organization }),
            json!({ "organization_id": organization }),
        ),
        (Method::PATCH, json!({ "organization_id": null, "id": 7 }), json!({ "organization_id": null })),
    ] {
        let rows = app.audit().len();
        let answer = app.call_as(&staff, method, &format!("{PATH}/{id}"), Some(sent.clone())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let expected = with(&with(&course, &seen), &json!({ "updated_at": answer.json["updated_at"] }));
        assert_eq!(answer.json, expected, "{sent}");
        assert!(time(&answer.json["updated_at"]) > time(&course["updated_at"]));
        assert_eq!(get(&app, &staff, &id).await.json, expected);
        let again = change(&app, &staff, &id, sent).await;
        assert_eq!((again.status, &again.json), (200, &expected), "the same again is no change");
        let audit = app.audit();
        assert_eq!(audit.len(), rows + 1);
        assert_eq!(audit[rows]["action"], "course.update");
        assert_eq!(audit[rows]["after"], seen);
        course = expected;
    }
    assert_eq!(change(&app, &staff, &id, json!({})).await.json, course);
}

#[tokio::test]
async fn an_archived_course_is_kept_and_can_be_brought_back() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let course = create(&app, &staff, json!({ "name": "Lifting" })).await.json;
    let id = id_of(&course);
    let archived = change(&app, &staff, &id, json!({ "archived": true })).await;
    assert_eq!(archived.json["archived_at"], archived.json["updated_at"]);
    let again = change(&app, &staff, &id, json!({ "archived": true })).await;
    assert_eq!(again.json, archived.json);
    let back = change(&app, &staff, &id, json!({ "archived": false })).await;
    assert_eq!(back.json["archived_at"], Value::Null);
    let actions: Vec<_> = app.audit().iter().map(|row| row["after"]["archived"].clone()).collect();
    assert_eq!(actions, [Value::Null, json!(true), json!(false)]);
}

#[tokio::test]
async fn a_wrong_change_is_told_field_by_field_and_changes_nothing() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let course = create(&app, &staff, json!({ "name": "Lifting" })).await.json;
    let id = id_of(&course);
    let unknown = "00000000-0000-4000-8000-000000000001";
    for (wrong, fields) in [
        (json!({ "name": null, "basics": null }), json!({ "name": ["blank"], "basics": ["blank"] })),
        (
            json!({ "position": null, "archived": null }),
            json!({ "position": ["blank"], "archived": ["blank"] }),
        ),
        (json!({ "language_codes": null }), json!({ "language_codes": ["blank"] })),
        (json!({ "language_codes": [""] }), json!({ "language_codes": ["invalid"] })),
        (json!({ "language_codes": vec!["en"; 51] }), json!({ "language_codes": ["too_many"] })),
        (json!({ "name": "a\u{0}" }), json!({ "name": ["invalid"] })),
        (json!({ "description": "" }), json!({ "description": ["blank"] })),
        (json!({ "archived": "yes" }), json!({ "archived": ["invalid"] })),
        (json!({ "position": 1e10 }), json!({ "position": ["invalid"] })),
        (json!({ "organization_id": unknown }), json!({ "organization_id": ["unknown"] })),
    ] {
        let answer = change(&app, &staff, &id, wrong.clone()).await;
        assert_eq!(answer.fields(), &fields, "{wrong}");
    }
    assert_eq!(get(&app, &staff, &id).await.json, course);
    for id in [unknown, "lifting"] {
        change(&app, &staff, id, json!({ "name": "Pulling" })).await.problem(404, "not_found");
    }
    assert_eq!(app.audit().len(), 1);
}

#[tokio::test]
async fn the_list_holds_what_an_organization_may_use_and_can_be_narrowed() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let employee = app.staff("staff-employee", "employee").await;
    let organization = app.organization(&staff, "Harbor").await;
    let elsewhere = app.organization(&staff, "Elsewhere").await;
    for (name, basics, position, owner) in [
        ("Pallets", false, 2, None),
        ("Welcome", true, 2, None),
        ("Own lift", false, 1, Some(&organization)),
        ("First day", true, 1, Some(&organization)),
        ("Foreign", false, 0, Some(&elsewhere)),
        ("Old", false, 0, None),
    ] {
        let body = json!({ "name": name, "basics": basics, "position": position, "organization_id": owner });
        let course = create(&app, &staff, body).await.json;
        if name == "Old" {
            change(&app, &staff, &id_of(&course), json!({ "archived": true })).await;
        }
    }
    let base = format!("{PATH}?organization_id={organization}");
    for (query, names) in [
        ("", vec!["First day", "Welcome", "Own lift", "Pallets"]),
        ("&filter=not_basics", vec!["Own lift", "Pallets"]),
        ("&filter=basics", vec!["First day", "Welcome"]),
        ("&filter=archived", vec!["Old"]),
        ("&size=3", vec!["First day", "Welcome", "Own lift"]),
        ("&size=3&page=2", vec!["Pallets"]),
        ("&page=9", vec![]),
    ] {
        let answer = app.call_as(&employee, Method::GET, &format!("{base}{query}"), None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(column(&answer.json, "name"), names, "{query}");
        let total = match query {
            "&filter=archived" => "1",
            "&filter=not_basics" | "&filter=basics" => "2",
            _ => "4",
        };
        assert_eq!(answer.header("x-total-count"), Some(total), "{query}");
        for course in answer.json.as_array().expect("a list") {
            assert_eq!(&get(&app, &employee, &id_of(course)).await.json, course);
        }
    }
    let second = app.call_as(&staff, Method::GET, &format!("{base}&filter=basics&size=1"), None).await;
    let link = second.header("link").expect("a link");
    assert!(link.contains("filter=basics&page=2&size=1>; rel=\"next\""), "{link}");
    for (query, fields) in [
        (String::new(), json!({ "organization_id": ["blank"] })),
        ("?organization_id=harbor".into(), json!({ "organization_id": ["invalid"] })),
        (format!("?organization_id={organization}&filter=all"), json!({ "filter": ["invalid"] })),
        (format!("?organization_id={organization}&filters=basics"), json!({ "filters": ["unknown"] })),
        (format!("?organization_id={organization}&size=0"), json!({ "size": ["invalid"] })),
    ] {
        let answer = app.call_as(&staff, Method::GET, &format!("{PATH}{query}"), None).await;
        assert_eq!(answer.fields(), &fields, "{query}");
    }
    let unknown = format!("{PATH}?organization_id=00000000-0000-4000-8000-000000000001");
    app.call_as(&staff, Method::GET, &unknown, None).await.problem(404, "not_found");
}
