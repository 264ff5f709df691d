//! Opening, reading and changing organizations, listing the own ones, and setting their identity provider.

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
            "import_mode",
            "late_window_days",
            "memberships_count",
            "name",
            "recycle_after_days",
            "reporting_grace_days",
            "s3_integrations_folder",
            "saml_info",
            "sso_enabled",
            "sso_enforced",
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
        ("import_mode", json!("delta")),
        ("sso_enforced", json!(false)),
        ("reporting_grace_days", json!(0)),
        ("late_window_days", json!(14)),
        ("recycle_after_days", json!(180)),
        ("teams_count", json!(0)),
        ("memberships_count", json!(0)),
    ] {
        assert_eq!(answer.json[field], expected, "{field}");
    }
    let made = answer.json["created_at"].as_str().expect("a time");
    assert!(made.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(made).is_ok());
    assert_eq!(answer.json["updated_at"], made);

    let plain = open(&app, &staff, json!({ "data": { "name": "Harbor", "saml_info": null } })).await;
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
    let for_admins = with(whole, &json!({ "s3_integrations_folder": null, "import_mode": null }));
    let settings = json!({
        "saml_info": null, "time_zone": null, "cadence": null, "sso_enforced": null, "reporting_grace_days": null,
        "late_window_days": null, "recycle_after_days": null
    });
    let for_members = with(&for_admins, &settings);
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

// --- The staff area ------------------------------------------------------------------------------

fn staff_path(organization: &str) -> String {
    format!("{PATH}/{organization}")
}

async fn change(app: &TestApp, person: &Person, organization: &str, body: Value) -> Answer {
    app.call_as(person, Method::PATCH, &staff_path(organization), Some(body)).await
}

#[tokio::test]
async fn staff_lists_and_reads_all_organizations() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, employee) = (cast.person("staff admin"), cast.person("staff employee"));
    for name in ["alpha", "Zulu", "harbor"] {
        app.organization(staff, name).await;
    }
    let all = app.call_as(employee, Method::GET, PATH, None).await;
    assert_eq!(column(&all.json, "name")[..2], ["alpha", "Elsewhere"]);
    assert_eq!((column(&all.json, "name").len(), all.header("x-total-count")), (5, Some("5")));
    for listed in all.json.as_array().expect("a list") {
        let read = app.call_as(employee, Method::GET, &staff_path(&id_of(listed)), None).await;
        assert_eq!((read.status, &read.json), (200, listed));
    }
    let harbor = app.call_as(employee, Method::GET, &staff_path(&cast.organization), None).await.json;
    assert_eq!((&harbor["teams_count"], &harbor["memberships_count"]), (&json!(1), &json!(3)));
    assert!(harbor["s3_integrations_folder"].is_string() && harbor["late_window_days"] == 14, "{harbor}");
    let page = app.call_as(employee, Method::GET, &format!("{PATH}?page=3&size=2"), None).await;
    assert_eq!(column(&page.json, "name"), ["Zulu"]);
    let past = app.call_as(employee, Method::GET, &format!("{PATH}?page=9"), None).await;
    assert_eq!((past.status, &past.json, past.header("x-total-count")), (200, &json!([]), Some("5")));
    let unknown = app.call_as(employee, Method::GET, &format!("{PATH}?name=alpha"), None).await;
    assert_eq!(unknown.fields(), &json!({ "name": ["unknown"] }));
    for unknown in ["00000000-0000-4000-8000-000000000001", "nonsense", &cast.team] {
        app.call_as(staff, Method::GET, &staff_path(unknown), None).await.problem(404, "not_found");
        change(&app, staff, unknown, json!({ "name": "Port" })).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn every_setting_changes_wrapped_or_bare_and_the_rest_stays() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, organization) = (cast.person("staff admin"), &*cast.organization);
    let mut expected = app.call_as(staff, Method::GET, &staff_path(organization), None).await.json;
    for fields in [
        json!({ "name": "  Demo   Port " }),
        json!({ "s3_integrations_folder": "port/feed" }),
        json!({ "saml_info": "<EntityDescriptor/>", "sso_enforced": true }),
        json!({ "time_zone": "America/Chicago", "cadence": "monthly" }),
        json!({ "cadence": "self_paced", "reporting_grace_days": 365 }),
        json!({ "late_window_days": 0, "recycle_after_days": 3650 }),
        json!({ "late_window_days": 60, "recycle_after_days": 1, "reporting_grace_days": 0 }),
        json!({ "cadence": "weekly", "teams_count": 7, "unknown": [] }),
        json!({ "saml_info": null }),
    ] {
        for body in [json!({ "data": fields, "name": "Beside" }), fields.clone()] {
            let rows = app.audit().len();
            let answer = change(&app, staff, organization, body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let is_changed = answer.json["updated_at"] != expected["updated_at"];
            assert_eq!(app.audit().len(), rows + usize::from(is_changed), "the second time nothing changes");
            expected = with(&expected, &json!({ "updated_at": answer.json["updated_at"] }));
            let known = fields.as_object().expect("an object").iter();
            for (name, value) in
                known.filter(|(name, _)| !["teams_count", "unknown"].contains(&name.as_str()))
            {
                expected[name] = value.clone();
            }
            expected["sso_enabled"] = json!(!expected["saml_info"].is_null());
            if expected["saml_info"].is_null() {
                expected["sso_enforced"] = json!(false);
            }
            if expected["name"] == "  Demo   Port " {
                expected["name"] = json!("Demo Port");
            }
            assert_eq!(answer.json, expected);
        }
    }
    let read = app.call_as(staff, Method::GET, &staff_path(organization), None).await;
    assert_eq!(read.json, expected);
}

#[tokio::test]
async fn what_is_wrong_with_a_change_is_told_field_by_field_and_changes_nothing() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, organization) = (cast.person("staff admin"), &*cast.organization);
    let before = app.call_as(staff, Method::GET, &staff_path(organization), None).await.json;
    let rows = app.audit().len();
    for (body, fields) in [
        (json!({ "name": null }), json!({ "name": ["blank"] })),
        (json!({ "name": " ", "cadence": "daily" }), json!({ "name": ["blank"], "cadence": ["invalid"] })),
        (json!({ "s3_integrations_folder": null }), json!({ "s3_integrations_folder": ["blank"] })),
        (json!({ "s3_integrations_folder": "a/../b" }), json!({ "s3_integrations_folder": ["invalid"] })),
        (json!({ "saml_info": "" }), json!({ "saml_info": ["blank"] })),
        (json!({ "time_zone": "Mars/Phobos" }), json!({ "time_zone": ["invalid"] })),
        (
            json!({ "time_zone": null, "cadence": null }),
            json!({ "time_zone": ["blank"], "cadence": ["blank"] }),
        ),
        (json!({ "sso_enforced": null }), json!({ "sso_enforced": ["blank"] })),
        (json!({ "sso_enforced": "yes" }), json!({ "sso_enforced": ["invalid"] })),
        (json!({ "reporting_grace_days": -1 }), json!({ "reporting_grace_days": ["invalid"] })),
        (json!({ "reporting_grace_days": 366 }), json!({ "reporting_grace_days": ["invalid"] })),
        (json!({ "late_window_days": 61 }), json!({ "late_window_days": ["invalid"] })),
        (json!({ "late_window_days": 1.5 }), json!({ "late_window_days": ["invalid"] })),
        (json!({ "late_window_days": "7" }), json!({ "late_window_days": ["invalid"] })),
        (json!({ "recycle_after_days": 0 }), json!({ "recycle_after_days": ["invalid"] })),
        (
            json!({ "recycle_after_days": 9_223_372_036_854_775_807_i64 }),
            json!({ "recycle_after_days": ["invalid"] }),
        ),
        (json!({ "recycle_after_days": null }), json!({ "recycle_after_days": ["blank"] })),
        (json!({ "data": null }), json!({ "data": ["invalid"] })),
        (json!({ "data": [] }), json!({ "data": ["invalid"] })),
        (json!({ "data": { "name": 5 } }), json!({ "name": ["invalid"] })),
    ] {
        let answer = change(&app, staff, organization, body).await;
        assert_eq!(answer.fields(), &fields, "{answer:?}");
    }
    for body in [json!([]), json!(null), json!("name")] {
        change(&app, staff, organization, body).await.problem(400, "malformed_body");
    }
    let enforced = change(&app, staff, organization, json!({ "name": "Port", "sso_enforced": true })).await;
    enforced.problem(409, "identity_provider_missing");
    let taken = app.organization(staff, "Port").await;
    let folder =
        app.call_as(staff, Method::GET, &staff_path(&taken), None).await.json["s3_integrations_folder"]
            .take();
    let refused =
        change(&app, staff, organization, json!({ "name": "Port", "s3_integrations_folder": folder })).await;
    let fields = &refused.problem(409, "s3_integrations_folder_taken")["fields"];
    assert_eq!(fields, &json!({ "s3_integrations_folder": ["taken"] }));
    assert_eq!(app.call_as(staff, Method::GET, &staff_path(organization), None).await.json, before);
    assert_eq!(app.audit().len(), rows + 1, "the other organization's");
}

#[tokio::test]
async fn only_staff_admins_change_an_organization_and_the_trail_tells_what() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (path, body) = (staff_path(&cast.organization), json!({ "data": { "late_window_days": 7 } }));
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    expect_by_role(&app, &cast, Method::GET, &path, None, [401, 403, 403, 403, 403, 403, 200, 200]).await;
    expect_by_role(&app, &cast, Method::GET, PATH, None, [401, 403, 403, 403, 403, 403, 200, 200]).await;
    let rows = app.audit().len();
    expect_by_role(&app, &cast, Method::PATCH, &path, Some(body), [401, 403, 403, 403, 403, 403, 403, 200])
        .await;
    let trail = app.audit();
    let [row] = &trail[rows..] else { panic!("one row, not {trail:?}") };
    for (column, expected) in [
        ("actor_id", &cast.person("staff admin").data["id"]),
        ("organization_id", &json!(cast.organization)),
        ("action", &json!("organization.update")),
        ("subject_id", &json!(cast.organization)),
        ("before", &json!({ "late_window_days": 14 })),
        ("after", &json!({ "late_window_days": 7 })),
    ] {
        assert_eq!(&row[column], expected, "{column}");
    }
}

#[tokio::test]
async fn another_calendar_forgets_scores_that_are_not_final() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, organization) = (cast.person("staff admin"), &*cast.organization);
    let kept = || {
        app.database.execute(&format!(
            "INSERT INTO score_snapshots (team_id, organization_id, week, formula_version, components, computed_at, final_at) \
             VALUES ('{team}', '{organization}', '2026-W01', 1, '{{}}', now(), now() + interval '1 day') \
             ON CONFLICT DO NOTHING; \
             INSERT INTO score_snapshots (team_id, organization_id, week, formula_version, components, computed_at, final_at) \
             VALUES ('{team}', '{organization}', '2020-W01', 1, '{{}}', now(), now()) ON CONFLICT DO NOTHING",
            team = cast.team
        ));
    };
    for (body, left) in [
        (json!({ "name": "Port", "reporting_grace_days": 3, "recycle_after_days": 9 }), 2),
        (json!({ "time_zone": "UTC", "cadence": "weekly", "late_window_days": 14 }), 2),
        (json!({ "time_zone": "Asia/Tokyo" }), 1),
        (json!({ "cadence": "monthly" }), 1),
        (json!({ "late_window_days": 3 }), 1),
    ] {
        kept();
        assert_eq!(change(&app, staff, organization, body.clone()).await.status, 200);
        let rows = app.database.rows("SELECT count(*) FROM score_snapshots");
        assert_eq!(rows, [format!("({left})")], "{body}");
    }
}
