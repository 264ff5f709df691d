//! Opening organizations.

mod common;

use common::{Answer, Person, TestApp, id_of, keys};
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/worklete_admin/organizations";

async fn open(app: &TestApp, person: &Person, body: Value) -> Answer {
    app.call_as(person, Method::POST, PATH, Some(body)).await
}

#[tokio::test]
async fn an_organization_is_answered_whole() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let metadata = "<EntityDescriptor entityID=\"https://idp.example.org\"/>";
    let body = json!({
        "name": "  Demo   Logistics ", "s3_integrations_folder": "/demo/hr_feed-1/", "saml_info": metadata, "cadence": "monthly"
    });
    let answer = open(&app, &staff, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(
        keys(&answer.json),
        [
            "cadence",
            "created_at",
            "id",
            "memberships_count",
            "name",
            "s3_integrations_folder",
            "saml_info",
            "sso_enabled",
            "teams_count",
            "time_zone",
            "updated_at"
        ]
    );
    for (field, expected) in [
        ("name", json!("Demo Logistics")),
        ("s3_integrations_folder", json!("demo/hr_feed-1")),
        ("saml_info", json!(metadata)),
        ("sso_enabled", json!(true)),
        ("time_zone", json!("UTC")),
        ("cadence", json!("weekly")),
        ("teams_count", json!(0)),
        ("memberships_count", json!(0)),
    ] {
        assert_eq!(answer.json[field], expected, "{field}");
    }
    let made = answer.json["created_at"].as_str().expect("a time");
    assert!(made.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(made).is_ok());
    assert_eq!(answer.json["updated_at"], made);

    let plain = open(&app, &staff, json!({ "name": "Harbor", "saml_info": null })).await;
    assert_eq!(keys(&plain.json), keys(&answer.json));
    assert_eq!((&plain.json["saml_info"], &plain.json["sso_enabled"]), (&Value::Null, &json!(false)));
    let id = id_of(&plain.json).replace('-', "");
    assert_eq!(plain.json["s3_integrations_folder"], format!("harbor-{}", &id[24..]));
}

#[tokio::test]
async fn two_organizations_may_share_a_name_but_not_a_folder() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let body = || json!({ "name": "Harbor", "s3_integrations_folder": "harbor" });
    assert_eq!(open(&app, &staff, body()).await.status, 201);
    let taken = open(&app, &staff, body()).await;
    assert_eq!(
        taken.problem(409, "s3_integrations_folder_taken")["fields"],
        json!({ "s3_integrations_folder": ["taken"] })
    );
    assert_eq!(open(&app, &staff, json!({ "name": "Harbor" })).await.status, 201);
    let race = || json!({ "name": "Race", "s3_integrations_folder": "race" });
    let (one, other) = tokio::join!(open(&app, &staff, race()), open(&app, &staff, race()));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!(app.audit().len(), 3, "refused ones leave no row");
}

#[tokio::test]
async fn what_is_wrong_is_told_field_by_field() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let (folder, metadata) = ("x".repeat(201), "x".repeat(256 * 1024 + 1));
    for (body, fields) in [
        (json!({}), json!({ "name": ["blank"] })),
        (json!({ "name": null }), json!({ "name": ["blank"] })),
        (json!({ "name": " " }), json!({ "name": ["blank"] })),
        (json!({ "name": "x".repeat(201) }), json!({ "name": ["too_long"] })),
        (json!({ "name": 5 }), json!({ "name": ["invalid"] })),
        (json!({ "name": "a\u{0}" }), json!({ "name": ["invalid"] })),
        (
            json!({ "name": "A", "s3_integrations_folder": "../b", "saml_info": " " }),
            json!({ "s3_integrations_folder": ["invalid"], "saml_info": ["blank"] }),
        ),
        (
            json!({ "name": "A", "s3_integrations_folder": "" }),
            json!({ "s3_integrations_folder": ["blank"] }),
        ),
        (
            json!({ "name": "A", "s3_integrations_folder": folder, "saml_info": metadata }),
            json!({ "s3_integrations_folder": ["too_long"], "saml_info": ["too_long"] }),
        ),
        (json!({ "name": "A", "saml_info": "a\u{0}" }), json!({ "saml_info": ["invalid"] })),
        (json!({ "name": "A", "saml_info": {} }), json!({ "saml_info": ["invalid"] })),
    ] {
        let answer = open(&app, &staff, body).await;
        assert_eq!(answer.problem(400, "validation_failed")["fields"], fields, "{answer:?}");
    }
    assert_eq!(app.database.rows("SELECT count(*) FROM organizations"), ["(0)"]);
    assert_eq!(app.audit(), [] as [Value; 0]);
}

#[tokio::test]
async fn only_staff_admins_open_organizations() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    for (role, person) in &cast.people {
        let before = app.audit().len();
        let answer =
            app.call_by(person.as_ref(), Method::POST, PATH, Some(json!({ "name": "Another" }))).await;
        match *role {
            "anonymous" => drop(answer.problem(401, "not_signed_in")),
            "staff employee" => drop(answer.problem(403, "forbidden")),
            "staff admin" => assert_eq!(answer.status, 201, "{answer:?}"),
            _ => drop(answer.problem(403, "staff_only")),
        }
        let rows = usize::from(*role == "staff admin");
        assert_eq!(app.audit().len(), before + rows, "{role}");
    }
}

#[tokio::test]
async fn each_opening_leaves_an_audit_row_without_the_metadata() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let request = staff.sign(app.request(Method::POST, PATH)).header("x-request-id", "audit-me-2");
    let body =
        json!({ "name": "Harbor", "s3_integrations_folder": "harbor", "saml_info": "<EntityDescriptor/>" });
    let answer = app.send(request.json(&body)).await;
    let audit = app.audit();
    let [row] = audit.as_slice() else { panic!("one row, not {audit:?}") };
    for (column, expected) in [
        ("actor_id", &staff.data["id"]),
        ("organization_id", &answer.json["id"]),
        ("action", &json!("organization.create")),
        ("subject_kind", &json!("organization")),
        ("subject_id", &answer.json["id"]),
        ("request_id", &json!("audit-me-2")),
        ("after", &json!({ "name": "Harbor", "s3_integrations_folder": "harbor", "sso_enabled": true })),
    ] {
        assert_eq!(&row[column], expected, "{column}");
    }
    assert!(!row.to_string().contains("EntityDescriptor"));
}
