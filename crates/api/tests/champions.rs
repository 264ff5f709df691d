//! Certifying champions, and what shows of it.

mod common;

use common::{TestApp, column, expect_by_role, id_of};
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/worklete_admin/champion_certifications";

/// A day so many days from now, in UTC.
fn day(app: &TestApp, days: i32) -> String {
    let rows = app.database.rows(&format!("SELECT (now() AT TIME ZONE 'UTC')::date + {days}"));
    rows[0].trim_matches(['(', ')']).to_owned()
}

#[tokio::test]
async fn a_champion_is_certified_shown_and_revoked() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let learner = app.member(&staff, &organization, "forklift-fan", json!({})).await;
    let user = id_of(&learner.data);
    assert_eq!(learner.data["champion_certification"], Value::Null);

    let body = json!({ "user_id": user, "date": day(&app, 0) });
    let made = app.call_as(&staff, Method::POST, PATH, Some(body.clone())).await;
    assert_eq!(made.status, 201, "{made:?}");
    let names = ["created_at", "created_by_id", "date", "expires_on", "id", "revoked_at", "user_id"];
    assert_eq!(made.keys(), names);
    assert_eq!(made.json["user_id"], user.as_str());
    assert_eq!(made.json["date"], day(&app, 0));
    assert_eq!(made.json["expires_on"], day(&app, 365));
    assert_eq!(made.json["created_by_id"], staff.data["id"]);
    assert_eq!(made.json["revoked_at"], Value::Null);
    let again = app.call_as(&staff, Method::POST, PATH, Some(body.clone())).await;
    assert_eq!((again.status, &again.json), (200, &made.json));

    let brief = json!({ "id": made.json["id"], "date": day(&app, 0), "expires_on": day(&app, 365) });
    let own = app.call_as(&learner, Method::GET, "/auth/validate_token", None).await;
    assert_eq!(own.json["data"]["champion_certification"], brief);
    let own = app.sign_in("forklift-fan").await;
    assert_eq!(own.data["champion_certification"], brief);
    let one = app.call_as(&staff, Method::GET, &format!("/users/{user}"), None).await;
    assert_eq!(one.json["champion_certification"], brief);
    let all = app.call_as(&staff, Method::GET, "/users", None).await;
    let all = all.json.as_array().expect("a list").clone();
    assert_eq!(all.len(), 2);
    for seen in all {
        let expected = if seen["id"] == user.as_str() { &brief } else { &Value::Null };
        assert_eq!(&seen["champion_certification"], expected);
    }

    let path = format!("{PATH}/{}", id_of(&made.json));
    for _ in 0..2 {
        let revoked = app.call_as(&staff, Method::DELETE, &path, None).await;
        assert_eq!((revoked.status, &revoked.json), (200, &json!({ "success": true })));
    }
    let own = app.call_as(&learner, Method::GET, "/auth/validate_token", None).await;
    assert_eq!(own.json["data"]["champion_certification"], Value::Null);
    let there = app.call_as(&staff, Method::POST, PATH, Some(body)).await;
    assert_eq!(there.status, 200, "the same day is still there");
    assert!(there.json["revoked_at"].is_string(), "and still revoked: {there:?}");

    let trail = app.audit();
    let of_champions: Vec<_> =
        trail.iter().filter(|row| row["subject_kind"] == "champion_certification").collect();
    let actions: Vec<_> = of_champions.iter().map(|row| row["action"].as_str()).collect();
    assert_eq!(actions, [Some("champion.certify"), Some("champion.revoke")], "one row for each change");
    assert_eq!(of_champions[0]["after"]["user_id"], user.as_str());
    assert_eq!(of_champions[0]["subject_id"], made.json["id"]);
}

#[tokio::test]
async fn a_person_is_revoked_as_a_whole_by_body_or_query() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let [one, other] = ["first", "second"].map(|name| app.member(&staff, &organization, name, json!({})));
    let (one, other) = (id_of(&one.await.data), id_of(&other.await.data));
    for user in [&one, &other] {
        for date in ["2026-01-05", "2025-01-05"] {
            let made =
                app.call_as(&staff, Method::POST, PATH, Some(json!({ "user_id": user, "date": date }))).await;
            assert_eq!(made.status, 201, "{made:?}");
        }
    }
    let open = || app.database.rows("SELECT count(*) FROM champion_certifications WHERE revoked_at IS NULL");
    let unknown = "00000000-0000-4000-8000-000000000001";
    for (query, body, left) in [
        (format!("?user_id={unknown}"), None, "(4)"),
        (String::new(), Some(json!({ "user_id": one })), "(2)"),
        (String::new(), Some(json!({ "user_id": one })), "(2)"),
        (format!("?user_id={other}"), Some(json!({ "user_id": one })), "(2)"),
        (format!("?user_id={other}"), None, "(0)"),
    ] {
        let answer = app.call_as(&staff, Method::DELETE, &format!("{PATH}{query}"), body).await;
        assert_eq!((answer.status, &answer.json), (200, &json!({ "success": true })));
        assert_eq!(open(), [left], "{query}");
    }
    let rows = app.audit().iter().filter(|row| row["action"] == "champion.revoke").count();
    assert_eq!(rows, 2, "nothing to revoke leaves no row");
    for (query, body, code) in [
        ("", None, "blank"),
        ("", Some(json!({})), "blank"),
        ("", Some(json!({ "user_id": null })), "blank"),
        ("", Some(json!({ "user_id": 5 })), "invalid"),
        ("?user_id=me", None, "invalid"),
    ] {
        let answer = app.call_as(&staff, Method::DELETE, &format!("{PATH}{query}"), body).await;
        assert_eq!(answer.fields(), &json!({ "user_id": [code] }), "{query}");
    }
}

#[tokio::test]
async fn every_wrong_field_is_named_and_nothing_is_written() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let user = staff.data["id"].clone();
    for (body, fields) in [
        (json!({}), json!({ "user_id": ["blank"], "date": ["blank"] })),
        (json!({ "user_id": user, "date": null }), json!({ "date": ["blank"] })),
        (json!({ "user_id": "me", "date": "2026-01-05" }), json!({ "user_id": ["invalid"] })),
        (json!({ "user_id": user, "date": "yesterday" }), json!({ "date": ["invalid"] })),
        (json!({ "user_id": user, "date": "2026-02-29" }), json!({ "date": ["invalid"] })),
        (json!({ "user_id": user, "date": "-4800-01-01" }), json!({ "date": ["invalid"] })),
        (json!({ "user_id": user, "date": "+10000-01-01" }), json!({ "date": ["invalid"] })),
        (json!({ "user_id": user, "date": 20_260_105 }), json!({ "date": ["invalid"] })),
        (json!({ "user_id": user, "date": day(&app, 1) }), json!({ "date": ["in_future"] })),
    ] {
        let answer = app.call_as(&staff, Method::POST, PATH, Some(body)).await;
        assert_eq!(answer.fields(), &fields);
    }
    let unknown = json!({ "user_id": "00000000-0000-4000-8000-000000000001", "date": "2026-01-05" });
    app.call_as(&staff, Method::POST, PATH, Some(unknown)).await.problem(404, "not_found");
    let path = format!("{PATH}/00000000-0000-4000-8000-000000000001");
    app.call_as(&staff, Method::DELETE, &path, None).await.problem(404, "not_found");
    assert_eq!(app.database.rows("SELECT count(*) FROM champion_certifications"), ["(0)"]);
    assert_eq!(app.audit(), [] as [Value; 0]);
}

#[tokio::test]
async fn the_list_is_filtered_and_paged() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let [north, south] = ["North", "South"].map(|name| app.organization(&staff, name));
    let (north, south) = (north.await, south.await);
    let mut users = Vec::new();
    for (organization, name) in [(&north, "in-north"), (&south, "in-south")] {
        let user = id_of(&app.member(&staff, organization, name, json!({})).await.data);
        let body = json!({ "user_id": user, "date": "2026-01-05" });
        assert_eq!(app.call_as(&staff, Method::POST, PATH, Some(body)).await.status, 201);
        users.push(user);
    }
    let (first, second) = (users[0].as_str(), users[1].as_str());
    for (query, expected) in [
        (String::new(), vec![second, first]),
        (format!("?organization_id={north}"), vec![first]),
        (format!("?user_id={second}"), vec![second]),
        (format!("?user_id={second}&organization_id={north}"), vec![]),
        ("?page=2&size=1".into(), vec![first]),
    ] {
        let list = app.call_as(&staff, Method::GET, &format!("{PATH}{query}"), None).await;
        assert_eq!(list.status, 200, "{list:?}");
        assert_eq!(column(&list.json, "user_id"), expected, "{query}");
        let total = if query.contains("_id") { expected.len() } else { 2 };
        assert_eq!(list.header("x-total-count"), Some(total.to_string().as_str()), "{query}");
    }
    for (query, field) in
        [("?user_id=me", "user_id"), ("?organization_id=", "organization_id"), ("?size=0", "size")]
    {
        let answer = app.call_as(&staff, Method::GET, &format!("{PATH}{query}"), None).await;
        assert_eq!(answer.fields(), &json!({ field: ["invalid"] }));
    }
    let typo = app.call_as(&staff, Method::GET, &format!("{PATH}?user={first}"), None).await;
    assert_eq!(typo.fields(), &json!({ "user": ["unknown"] }));
}

#[tokio::test]
async fn staff_admins_write_and_employees_read() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let user = id_of(&cast.person("member").data);
    let body = json!({ "user_id": user, "date": "2026-01-05" });
    let staff_only = |employee, admin| [401, 403, 403, 403, 403, 403, employee, admin];
    expect_by_role(&app, &cast, Method::POST, PATH, Some(body.clone()), staff_only(403, 201)).await;
    expect_by_role(&app, &cast, Method::GET, PATH, None, staff_only(200, 200)).await;
    expect_by_role(&app, &cast, Method::DELETE, PATH, Some(body), staff_only(403, 200)).await;
    let path = format!("{PATH}/00000000-0000-4000-8000-000000000001");
    expect_by_role(&app, &cast, Method::DELETE, &path, None, staff_only(403, 404)).await;
}

#[tokio::test]
async fn how_long_it_is_valid_can_be_set() {
    let app = TestApp::start_with(&[("CHAMPION_CERTIFICATION_DAYS", "10")]).await;
    let staff = app.staff("staff-admin", "admin").await;
    for (days, valid) in [(-11, false), (-10, true)] {
        let body = json!({ "user_id": staff.data["id"], "date": day(&app, days) });
        let made = app.call_as(&staff, Method::POST, PATH, Some(body)).await;
        assert_eq!((made.status, &made.json["expires_on"]), (201, &json!(day(&app, days + 10))));
        let own = app.call_as(&staff, Method::GET, "/auth/validate_token", None).await;
        let shown = &own.json["data"]["champion_certification"];
        assert_eq!(shown.is_object(), valid, "{shown}");
    }
}
