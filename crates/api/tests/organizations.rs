//! Opening organizations, listing the own ones, and setting their identity provider.

mod common;

use common::{Answer, Person, TestApp, column, expect_by_role, id_of, keys, time, with};
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

fn path_of(organization: &str) -> String {
    format!("/organizations/{organization}")
}

async fn own(app: &TestApp, person: &Person) -> Answer {
    app.call_as(person, Method::GET, "/organizations", None).await
}

async fn set(app: &TestApp, person: &Person, organization: &str, body: Value) -> Answer {
    app.call_as(person, Method::PATCH, &path_of(organization), Some(body)).await
}

#[tokio::test]
async fn everybody_lists_the_own_organizations_with_what_the_role_shows() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, admin) = (cast.person("staff admin"), cast.person("org admin"));
    let document = json!({ "saml_info": "<EntityDescriptor/>" });
    let set = set(&app, staff, &cast.organization, document).await;
    let whole = &set.json;
    assert_eq!((set.status, whole["saml_info"].as_str()), (200, Some("<EntityDescriptor/>")), "{set:?}");
    let for_admins = with(whole, &json!({ "s3_integrations_folder": null }));
    let for_members = with(&for_admins, &json!({ "saml_info": null, "time_zone": null, "cadence": null }));
    assert_eq!((&for_members["sso_enabled"], &for_members["teams_count"]), (&json!(true), &json!(1)));
    // The pending and the active count; who has left does not.
    app.membership(admin, &cast.organization, json!({})).await;
    let counted = |organization: &Value| json!([with(organization, &json!({ "memberships_count": 4 }))]);
    for (role, expected) in [
        ("member", counted(&for_members)),
        ("team admin", counted(&for_members)),
        ("org admin", counted(&for_admins)),
        ("gone", json!([])),
        ("staff employee", json!([])),
        ("staff admin", json!([])),
    ] {
        let answer = own(&app, cast.person(role)).await;
        assert_eq!((answer.status, &answer.json), (200, &expected), "{role}");
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    }
    let elsewhere = own(&app, cast.person("outsider")).await;
    assert_eq!(column(&elsewhere.json, "name"), ["Elsewhere"]);
    app.call(Method::GET, "/organizations", None).await.problem(401, "not_signed_in");
    // Staff who are members see all of the own one.
    let made = app.membership(admin, &cast.organization, json!({})).await;
    let path = format!("/invitations/{}/accept", made["invite_code"].as_str().expect("a code"));
    let employee = cast.person("staff employee");
    assert_eq!(app.call_as(employee, Method::POST, &path, None).await.status, 200);
    let expected = json!([with(whole, &json!({ "memberships_count": 5 }))]);
    assert_eq!(own(&app, employee).await.json, expected);
}

#[tokio::test]
async fn the_own_organizations_come_by_name_and_in_pages() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, member) = (cast.person("staff admin"), cast.person("member"));
    for (name, is_admin) in [("alpha", false), ("Zulu", true), ("Bravo", false)] {
        let organization = app.organization(staff, name).await;
        let made = app.membership(staff, &organization, json!({ "org_admin": is_admin })).await;
        let path = format!("/invitations/{}/accept", made["invite_code"].as_str().expect("a code"));
        assert_eq!(app.call_as(member, Method::POST, &path, None).await.status, 200);
    }
    let all = own(&app, member).await;
    assert_eq!(column(&all.json, "name"), ["alpha", "Bravo", "Harbor", "Zulu"]);
    assert_eq!(all.header("x-total-count"), Some("4"));
    let shown: Vec<_> =
        all.json.as_array().expect("a list").iter().map(|row| row["cadence"].is_string()).collect();
    assert_eq!(shown, [false, false, false, true], "the role in each one counts");
    let page = app.call_as(member, Method::GET, "/organizations?page=2&size=3", None).await;
    assert_eq!(column(&page.json, "name"), ["Zulu"]);
    let facts = ["x-total-count", "x-page", "x-per-page"].map(|name| page.header(name));
    assert_eq!(facts, [Some("4"), Some("2"), Some("3")]);
    let to =
        |page: u8, relation: &str| format!("</api/v1/organizations?page={page}&size=3>; rel=\"{relation}\"");
    assert_eq!(page.header("link"), Some(&*[to(1, "first"), to(1, "prev"), to(2, "last")].join(", ")));
    let past = app.call_as(member, Method::GET, "/organizations?page=9", None).await;
    assert_eq!((past.status, &past.json, past.header("x-total-count")), (200, &json!([]), Some("4")));
    for (query, field) in [("page=0", "page"), ("size=0", "size"), ("page=2147483648", "page")] {
        let answer = app.call_as(member, Method::GET, &format!("/organizations?{query}"), None).await;
        assert_eq!(answer.fields(), &json!({ field: ["invalid"] }), "{query}");
    }
}

#[tokio::test]
async fn the_identity_provider_is_set_kept_and_turned_off() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, organization) = (cast.person("org admin"), &*cast.organization);
    let largest = format!("<a>{}</a>", "é".repeat(128 * 1024 - 4) + "x");
    assert_eq!(largest.len(), 256 * 1024);
    let before = own(&app, admin).await.json[0].take();
    let mut expected = before.clone();
    for (body, saml_info, is_changed) in [
        (json!({ "saml_info": null }), Value::Null, false),
        (json!({ "saml_info": "<EntityDescriptor/>" }), json!("<EntityDescriptor/>"), true),
        (json!({ "saml_info": "<EntityDescriptor/>" }), json!("<EntityDescriptor/>"), false),
        (json!({}), json!("<EntityDescriptor/>"), false),
        (json!({ "name": "Ignored", "time_zone": 5 }), json!("<EntityDescriptor/>"), false),
        (json!({ "saml_info": largest }), json!(largest), true),
        (json!({ "saml_info": null }), Value::Null, true),
    ] {
        let rows = app.audit().len();
        let answer = set(&app, admin, organization, body.clone()).await;
        if is_changed {
            assert!(time(&answer.json["updated_at"]) > time(&expected["updated_at"]));
            expected["updated_at"] = answer.json["updated_at"].clone();
        }
        expected["sso_enabled"] = json!(!saml_info.is_null());
        expected["saml_info"] = saml_info;
        assert_eq!((answer.status, &answer.json), (200, &expected));
        assert_eq!(own(&app, admin).await.json, json!([expected]));
        assert_eq!(app.audit().len(), rows + usize::from(is_changed));
    }
    assert_eq!((&expected["name"], &expected["s3_integrations_folder"]), (&json!("Harbor"), &Value::Null));
    let by_staff = set(&app, cast.person("staff admin"), organization, json!({})).await;
    assert!(by_staff.json["s3_integrations_folder"].is_string(), "{by_staff:?}");
}

#[tokio::test]
async fn a_document_that_is_blank_or_too_large_is_refused() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, organization) = (cast.person("org admin"), &*cast.organization);
    let document = json!({ "saml_info": "<EntityDescriptor/>" });
    let before = set(&app, admin, organization, document).await.json;
    let rows = app.audit().len();
    for (saml_info, code) in [
        (json!(""), "blank"),
        (json!(" \n"), "blank"),
        (json!("x".repeat(256 * 1024 + 1)), "too_long"),
        (json!("é".repeat(128 * 1024 + 1)), "too_long"),
        (json!("x".repeat(1000 * 1024)), "too_long"),
        (json!("<a>\u{0}</a>"), "invalid"),
        (json!(5), "invalid"),
        (json!(["<a/>"]), "invalid"),
        (json!({ "xml": "<a/>" }), "invalid"),
    ] {
        let answer = set(&app, admin, organization, json!({ "saml_info": saml_info })).await;
        assert_eq!(answer.fields(), &json!({ "saml_info": [code] }), "{code}");
    }
    let of_length = |length: usize| {
        let (open, close) = ("{\"saml_info\":\"", "\"}");
        format!("{open}{}{close}", "x".repeat(length - open.len() - close.len()))
    };
    for (kind, body, status, code) in [
        ("application/json", of_length((2 << 20) + 1), 413, "body_too_large"),
        ("application/json", of_length(1 << 20), 400, "validation_failed"),
        ("application/json", "[]".into(), 400, "malformed_body"),
        ("application/json", "null".into(), 400, "malformed_body"),
        ("application/json", "{\"saml_info\":".into(), 400, "malformed_body"),
        ("application/xml", "<EntityDescriptor/>".into(), 415, "unsupported_media_type"),
    ] {
        let request = admin.sign(app.request(Method::PATCH, &path_of(organization)));
        app.send(request.header("content-type", kind).body(body)).await.problem(status, code);
    }
    assert_eq!(own(&app, admin).await.json, json!([before]));
    assert_eq!(app.audit().len(), rows);
}

#[tokio::test]
async fn each_role_may_set_the_identity_provider_as_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    let expected = [401, 404, 404, 403, 403, 200, 403, 200];
    let body = || json!({ "saml_info": "<EntityDescriptor/>" });
    let path = path_of(&cast.organization);
    expect_by_role(&app, &cast, Method::PATCH, &path, Some(body()), expected).await;
    let set_rows = || app.audit().iter().filter(|row| row["action"] == "organization.saml_info").count();
    assert_eq!(set_rows(), 1, "those who may not change nothing, and the second who may finds it so");
    for unknown in ["00000000-0000-4000-8000-000000000001", "nonsense", &cast.team] {
        for role in ["org admin", "staff admin"] {
            set(&app, cast.person(role), unknown, body()).await.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn the_trail_tells_that_single_sign_on_was_set_without_the_document() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    for (body, before, after) in [
        (json!({ "saml_info": "<EntityDescriptor a=\"1\"/>" }), false, true),
        (json!({ "saml_info": "<EntityDescriptor a=\"2\"/>" }), true, true),
        (json!({ "saml_info": null }), true, false),
    ] {
        let request = admin.sign(app.request(Method::PATCH, &path_of(&cast.organization)));
        let answer = app.send(request.header("x-request-id", "audit-me-8").json(&body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let row = app.audit().pop().expect("a row");
        for (column, expected) in [
            ("actor_id", admin.data["id"].clone()),
            ("organization_id", json!(cast.organization)),
            ("action", json!("organization.saml_info")),
            ("subject_kind", json!("organization")),
            ("subject_id", json!(cast.organization)),
            ("request_id", json!("audit-me-8")),
        ] {
            assert_eq!(row[column], expected, "{column}");
        }
        // A digest tells which document it was, before and after.
        let digests = ["before", "after"].map(|side| row[side]["saml_info_sha256"].clone());
        for (digest, is_there) in digests.iter().zip([before, after]) {
            assert_eq!(digest.as_str().map(str::len), is_there.then_some(64), "{row}");
        }
        assert_ne!(digests[0], digests[1]);
        assert!(!row.to_string().contains("EntityDescriptor"));
    }
}
