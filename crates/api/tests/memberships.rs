//! Putting people on a roster.

mod common;

use common::{Answer, Person, TestApp, id_of, keys};
use reqwest::Method;
use serde_json::{Value, json};

const FIELDS: [&str; 22] = [
    "administered_team_ids",
    "created_at",
    "deactivated_at",
    "email",
    "external_id",
    "first_name",
    "hired_on",
    "id",
    "invitation",
    "invite_code",
    "job_title",
    "last_name",
    "name",
    "org_admin",
    "organization_id",
    "reporting_starts_on",
    "status",
    "team_ids",
    "training_category_id",
    "updated_at",
    "user",
    "user_id",
];

async fn add(app: &TestApp, person: &Person, organization: &str, body: Value) -> Answer {
    let path = format!("/organizations/{organization}/memberships");
    app.call_as(person, Method::POST, &path, Some(body)).await
}

fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
}

fn deactivate(app: &TestApp, membership: &Value) {
    let id = id_of(membership);
    app.database.execute(&format!(
        "UPDATE invitations SET status = 'revoked', revoked_at = now() WHERE membership_id = '{id}' AND status = 'pending'; \
         UPDATE memberships SET status = 'deactivated', deactivated_at = now() WHERE id = '{id}'"
    ));
}

#[tokio::test]
async fn a_membership_with_everything_given_is_answered_whole() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let (dock, night) =
        (app.team(&staff, &organization, "Dock").await, app.team(&staff, &organization, "Night").await);
    let body = json!({
        "first_name": "  Zoë ", "last_name": "van   Dijk", "email": "Zoe@Example.org", "external_id": "E-1007",
        "job_title": "Picker", "hired_on": "2026-11-02", "org_admin": true, "team_ids": [night, dock, night],
        "administered_team_ids": [dock], "status": "active", "something_unknown": { "is": "ignored" }
    });
    let answer = add(&app, &staff, &organization, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let membership = &answer.json;
    assert_eq!(keys(membership), FIELDS);
    for (field, expected) in [
        ("organization_id", json!(organization)),
        ("user_id", Value::Null),
        ("name", json!("Zoë van Dijk")),
        ("first_name", json!("Zoë")),
        ("last_name", json!("van Dijk")),
        ("email", json!("zoe@example.org")),
        ("external_id", json!("E-1007")),
        ("job_title", json!("Picker")),
        ("training_category_id", Value::Null),
        ("org_admin", json!(true)),
        ("status", json!("pending")),
        ("administered_team_ids", json!([dock])),
        ("hired_on", json!("2026-11-02")),
        ("reporting_starts_on", json!("2026-11-02")),
        ("deactivated_at", Value::Null),
        ("user", Value::Null),
    ] {
        assert_eq!(membership[field], expected, "{field}");
    }
    let mut teams: Vec<_> = membership["team_ids"].as_array().expect("teams").clone();
    teams.sort_by_key(ToString::to_string);
    let mut expected = vec![json!(dock), json!(night)];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(teams, expected, "a team named twice counts once");
    assert!(is_time(&membership["created_at"]), "{membership}");
    assert_eq!(membership["created_at"], membership["updated_at"]);
}

#[tokio::test]
async fn a_membership_with_names_only_has_every_field_too() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    app.database.execute(
        "UPDATE organizations SET reporting_grace_days = 3, time_zone = 'Pacific/Kiritimati' WHERE name = 'Harbor'",
    );
    let blank = json!({
        "first_name": "Demo", "last_name": "Learner", "email": " ", "external_id": "", "job_title": null, "hired_on": ""
    });
    for body in [json!({ "first_name": "Demo", "last_name": "Learner" }), blank] {
        let answer = add(&app, &staff, &organization, body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let membership = &answer.json;
        assert_eq!(keys(membership), FIELDS);
        for field in ["email", "external_id", "job_title", "hired_on"] {
            assert_eq!(membership[field], Value::Null, "{field}");
        }
        assert_eq!(membership["org_admin"], false);
        assert_eq!((&membership["team_ids"], &membership["administered_team_ids"]), (&json!([]), &json!([])));
        let id = id_of(membership);
        let start = app.database.rows(&format!(
            "SELECT ((created_at AT TIME ZONE 'Pacific/Kiritimati')::date + 3)::text FROM memberships WHERE id = '{id}'"
        ));
        let day = membership["reporting_starts_on"].as_str().expect("a day");
        assert_eq!(start, [format!("({day})")]);
    }
}

#[tokio::test]
async fn the_invitation_of_a_new_membership_is_pending_for_thirty_days() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let mut codes = Vec::new();
    for _ in 0..5 {
        let membership = app.membership(&staff, &organization, json!({})).await;
        let invitation = &membership["invitation"];
        assert_eq!(keys(invitation), ["code", "expires_at", "id", "status"]);
        assert_eq!(invitation["status"], "pending");
        assert_eq!(invitation["code"], membership["invite_code"]);
        let time = |value: &Value| {
            let text = value.as_str().expect("a time");
            chrono::DateTime::parse_from_rfc3339(text).expect("RFC 3339")
        };
        let life = time(&invitation["expires_at"]) - time(&membership["created_at"]);
        assert_eq!(life, chrono::TimeDelta::days(30));
        let code = invitation["code"].as_str().expect("a code").to_owned();
        assert_eq!(code.len(), 6);
        assert!(code.bytes().all(|b| b"23456789ABCDEFGHJKMNPQRSTUVWXYZ".contains(&b)), "{code}");
        assert!(!codes.contains(&code), "{code} twice");
        codes.push(code);
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_field_by_field_and_nothing_is_written() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let elsewhere = app.organization(&staff, "Elsewhere").await;
    let foreign_team = app.team(&staff, &elsewhere, "Dock").await;
    let deleted = app.team(&staff, &organization, "Closed").await;
    app.database.execute(&format!("UPDATE teams SET deleted_at = now() WHERE id = '{deleted}'"));
    let before = app.audit().len();
    let many: Vec<_> = (0..201).map(|n| format!("00000000-0000-4000-8000-{n:012}")).collect();
    let long = "x".repeat(101);
    let cases = [
        (
            json!({ "first_name": null, "last_name": null }),
            json!({ "first_name": ["blank"], "last_name": ["blank"] }),
        ),
        (
            json!({ "first_name": "  ", "last_name": long }),
            json!({ "first_name": ["blank"], "last_name": ["too_long"] }),
        ),
        (json!({ "first_name": "a\u{0}b" }), json!({ "first_name": ["invalid"] })),
        (json!({ "first_name": 5 }), json!({ "first_name": ["invalid"] })),
        (json!({ "email": "nobody" }), json!({ "email": ["invalid"] })),
        (json!({ "external_id": long }), json!({ "external_id": ["too_long"] })),
        (json!({ "job_title": long }), json!({ "job_title": ["too_long"] })),
        (json!({ "hired_on": "2026-02-30" }), json!({ "hired_on": ["invalid"] })),
        (json!({ "hired_on": "02.11.2026" }), json!({ "hired_on": ["invalid"] })),
        (json!({ "hired_on": "9999-12-31" }), json!({ "hired_on": ["invalid"] })),
        (json!({ "org_admin": "yes" }), json!({ "org_admin": ["invalid"] })),
        (json!({ "team_ids": ["nope"] }), json!({ "team_ids[0]": ["invalid"] })),
        (json!({ "team_ids": many }), json!({ "team_ids": ["too_many"] })),
        (json!({ "administered_team_ids": many }), json!({ "administered_team_ids": ["too_many"] })),
        (json!({ "team_ids": [foreign_team] }), json!({ "team_ids": ["unknown"] })),
        (json!({ "team_ids": [deleted] }), json!({ "team_ids": ["unknown"] })),
        (json!({ "administered_team_ids": [foreign_team] }), json!({ "administered_team_ids": ["unknown"] })),
    ];
    for (wrong, fields) in cases {
        let mut body = json!({ "first_name": "Demo", "last_name": "Learner" });
        let all = body.as_object_mut().expect("an object");
        all.extend(wrong.as_object().expect("an object").clone());
        let answer = add(&app, &staff, &organization, body).await;
        assert_eq!(answer.problem(400, "validation_failed")["fields"], fields, "{wrong}");
    }
    assert_eq!(app.database.rows("SELECT count(*) FROM memberships"), ["(0)"], "nothing of it was kept");
    assert_eq!(app.audit().len(), before);
}

#[tokio::test]
async fn who_may_put_people_on_the_roster() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let path = format!("/organizations/{}/memberships", cast.organization);
    let body = || Some(json!({ "first_name": "Demo", "last_name": "Learner" }));
    for (role, person) in &cast.people {
        let before = app.audit().len();
        let answer = app.call_by(person.as_ref(), Method::POST, &path, body()).await;
        let expected = match *role {
            "anonymous" => Some((401, "not_signed_in")),
            "outsider" | "gone" => Some((404, "not_found")),
            "member" | "team admin" | "staff employee" => Some((403, "forbidden")),
            _ => None,
        };
        if let Some((status, code)) = expected {
            answer.problem(status, code);
        } else {
            assert_eq!(answer.status, 201, "{role}: {answer:?}");
            assert!(answer.json["invite_code"].is_string(), "{role}");
        }
        assert_eq!(app.audit().len(), before + usize::from(expected.is_none()), "{role}");
    }
    let unknown = "/organizations/00000000-0000-4000-8000-000000000001/memberships";
    for role in ["org admin", "staff admin"] {
        let answer = app.call_as(cast.person(role), Method::POST, unknown, body()).await;
        answer.problem(404, "not_found");
    }
}

#[tokio::test]
async fn an_employee_who_runs_an_organization_keeps_what_that_allows() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let membership =
        app.membership(cast.person("staff admin"), &cast.organization, json!({ "org_admin": true })).await;
    let code = membership["invite_code"].as_str().expect("a code");
    let employee = cast.person("staff employee");
    let accepted = app.call_as(employee, Method::POST, &format!("/invitations/{code}/accept"), None).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    app.membership(employee, &cast.organization, json!({})).await;
}

#[tokio::test]
async fn an_external_id_belongs_to_one_member_of_an_organization() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let elsewhere = app.organization(&staff, "Elsewhere").await;
    let body = || json!({ "first_name": "Demo", "last_name": "Learner", "external_id": "E-1" });
    let pending = app.membership(&staff, &organization, json!({ "external_id": "E-1" })).await;
    let refused = add(&app, &staff, &organization, body()).await;
    assert_eq!(refused.problem(409, "external_id_taken")["fields"], json!({ "external_id": ["taken"] }));
    let code = pending["invite_code"].as_str().expect("a code");
    assert_eq!(app.sign_up("learner", code).await.status, 200);
    add(&app, &staff, &organization, body()).await.problem(409, "external_id_taken");
    assert_eq!(add(&app, &staff, &elsewhere, body()).await.status, 201);
    let nameless = json!({ "first_name": "Demo", "last_name": "Learner" });
    for _ in 0..2 {
        assert_eq!(add(&app, &staff, &organization, nameless.clone()).await.status, 201);
    }
}

#[tokio::test]
async fn of_two_at_once_with_one_external_id_one_is_added() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    for round in 0..5 {
        let body =
            || json!({ "first_name": "Demo", "last_name": "Learner", "external_id": format!("E-{round}") });
        let (one, other) =
            tokio::join!(add(&app, &staff, &organization, body()), add(&app, &staff, &organization, body()));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{one:?} {other:?}");
    }
    assert_eq!(app.database.rows("SELECT count(*) FROM memberships"), ["(5)"]);
}

#[tokio::test]
async fn somebody_with_an_account_who_comes_back_is_active_at_once() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let (dock, night) =
        (app.team(&staff, &organization, "Dock").await, app.team(&staff, &organization, "Night").await);
    let before = json!({
        "external_id": "E-1", "org_admin": true, "team_ids": [dock], "administered_team_ids": [dock], "job_title": "Lead"
    });
    let old = app.membership(&staff, &organization, before).await;
    let code = old["invite_code"].as_str().expect("a code");
    let person = app.sign_up("returner", code).await.person();
    deactivate(&app, &old);
    let is_in = async || {
        let valid = app.call_as(&person, Method::GET, "/auth/validate_token", None).await;
        let briefs = valid.json["data"]["memberships"].as_array().expect("briefs").clone();
        briefs.iter().any(|brief| brief["status"] == "active")
    };
    assert!(!is_in().await);

    let body =
        json!({ "first_name": "Demo", "last_name": "Back", "external_id": "E-1", "team_ids": [night] });
    let answer = add(&app, &staff, &organization, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let back = &answer.json;
    assert_eq!(keys(back), FIELDS);
    assert_eq!(id_of(back), id_of(&old));
    for (field, expected) in [
        ("status", json!("active")),
        ("deactivated_at", Value::Null),
        ("invite_code", Value::Null),
        ("name", json!("Demo Back")),
        ("org_admin", json!(false)),
        ("job_title", Value::Null),
        ("team_ids", json!([night])),
        ("administered_team_ids", json!([])),
        ("created_at", old["created_at"].clone()),
    ] {
        assert_eq!(back[field], expected, "{field}");
    }
    assert_eq!(keys(&back["user"]), ["first_name", "id", "last_name", "username"]);
    assert_eq!(
        (&back["user"]["id"], back["user"]["username"].as_str()),
        (&back["user_id"], Some("returner"))
    );
    assert!(is_in().await);
    let again = json!({ "first_name": "Demo", "last_name": "Back", "external_id": "E-1" });
    add(&app, &staff, &organization, again).await.problem(409, "external_id_taken");
    let audit = app.audit();
    let last = audit.last().expect("a row");
    assert_eq!(
        (last["action"].as_str(), last["subject_id"].as_str()),
        (Some("membership.reactivate"), Some(id_of(&old).as_str()))
    );
}

#[tokio::test]
async fn somebody_without_an_account_who_comes_back_is_pending_with_a_fresh_code() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let old = app.membership(&staff, &organization, json!({ "external_id": "E-1" })).await;
    deactivate(&app, &old);
    let body = json!({ "first_name": "Demo", "last_name": "Back", "external_id": "E-1" });
    let answer = add(&app, &staff, &organization, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(id_of(&answer.json), id_of(&old));
    assert_eq!((answer.json["status"].as_str(), &answer.json["user"]), (Some("pending"), &Value::Null));
    let (old_code, code) =
        (old["invite_code"].as_str().expect("a code"), answer.json["invite_code"].as_str().expect("a code"));
    assert_ne!(old_code, code);
    app.sign_up("too-early", old_code).await.json.get("errors").expect("the old code is dead");
    let person = app.sign_up("returner", code).await.person();
    assert_eq!(person.data["memberships"][0]["id"].as_str(), Some(id_of(&old).as_str()));
}

#[tokio::test]
async fn each_addition_leaves_an_audit_row_without_secrets() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let path = format!("/organizations/{}/memberships", cast.organization);
    let body = json!({
        "first_name": "Demo", "last_name": "Learner", "external_id": "E-1", "job_title": "Picker", "email": "d@example.org"
    });
    let request = admin.sign(app.request(Method::POST, &path)).header("x-request-id", "audit-me-1");
    let answer = app.send(request.json(&body)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let code = answer.json["invite_code"].as_str().expect("a code");
    let audit = app.audit();
    let row = audit.last().expect("a row");
    for (column, expected) in [
        ("actor_id", admin.data["id"].clone()),
        ("organization_id", json!(cast.organization)),
        ("action", json!("membership.create")),
        ("subject_kind", json!("membership")),
        ("subject_id", answer.json["id"].clone()),
        ("request_id", json!("audit-me-1")),
        ("ip", json!("127.0.0.1")),
        ("before", Value::Null),
        (
            "after",
            json!({
                "external_id": "E-1", "job_title": "Picker", "hired_on": null, "org_admin": false, "status": "pending",
                "team_ids": [], "administered_team_ids": []
            }),
        ),
    ] {
        assert_eq!(row[column], expected, "{column}");
    }
    let text = row.to_string();
    for secret in [code, &admin.token] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_membership_is_read_by_the_person_and_by_those_above_and_the_code_by_admins_only() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let made = app.membership(admin, &cast.organization, json!({ "team_ids": [cast.team] })).await;
    let path = format!("/memberships/{}", common::id_of(&made));
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    let expected = [401, 404, 404, 403, 200, 200, 200, 200];
    for ((role, person), status) in cast.people.iter().zip(expected) {
        let answer = app.call_by(person.as_ref(), Method::GET, &path, None).await;
        assert_eq!(answer.status, status, "{role}: {answer:?}");
        if status == 200 {
            assert_eq!(answer.json, made, "{role}");
        }
    }

    let person = app.sign_up("newcomer", made["invite_code"].as_str().expect("a code")).await.person();
    let own = app.call_as(&person, Method::GET, &path, None).await;
    assert_eq!((own.status, own.json["status"].as_str()), (200, Some("active")));
    assert!(own.json["invitation"].is_null() && own.json["invite_code"].is_null(), "{own:?}");
    assert_eq!(own.json["user"]["username"], "newcomer");
    let seen = app.call_as(admin, Method::GET, &path, None).await;
    assert_eq!(seen.json["invitation"]["status"], "accepted", "{seen:?}");
    assert!(seen.json["invite_code"].is_null(), "{seen:?}");
}

#[tokio::test]
async fn an_expired_invitation_shows_as_expired_before_anything_stamps_it() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let made = app.membership(admin, &cast.organization, json!({})).await;
    app.database.execute("UPDATE invitations SET expires_at = now() WHERE status = 'pending'");
    let read = app.call_as(admin, Method::GET, &format!("/memberships/{}", common::id_of(&made)), None).await;
    assert_eq!(read.json["invitation"]["status"], "expired", "{read:?}");
    assert!(read.json["invite_code"].is_null(), "{read:?}");
}

#[tokio::test]
async fn org_admins_are_made_and_unmade_but_the_last_one_stays() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let path = |person: &common::Person| {
        let membership = &person.data["memberships"][0]["id"];
        format!("/memberships/{}", membership.as_str().expect("an id"))
    };
    let (own, other) = (path(admin), path(cast.person("member")));
    // "gone" is an admin whose membership has ended: it does not count.
    let last = app.call_as(admin, Method::PATCH, &format!("{own}?org_admin=false"), None).await;
    last.problem(409, "last_org_admin");
    let made = app.call_as(admin, Method::PATCH, &other, Some(json!({ "org_admin": true }))).await;
    assert_eq!((made.status, &made.json["org_admin"]), (200, &json!(true)), "{made:?}");
    let again = app.call_as(admin, Method::PATCH, &format!("{other}?org_admin=true"), None).await;
    assert_eq!((again.status, &again.json), (200, &made.json));
    let unmade = app.call_as(admin, Method::PATCH, &format!("{own}?org_admin=false"), None).await;
    assert_eq!((unmade.status, &unmade.json["org_admin"]), (200, &json!(false)), "{unmade:?}");
    let over = app.call_as(admin, Method::PATCH, &format!("{other}?org_admin=false"), None).await;
    over.problem(403, "forbidden");
    let rows: Vec<Value> =
        app.audit().into_iter().filter(|row| row["action"] == "membership.org_admin").collect();
    assert_eq!(rows.len(), 2, "one for each change: {rows:?}");
}

#[tokio::test]
async fn a_pending_admin_does_not_count_as_one_who_is_left() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    app.membership(admin, &cast.organization, json!({ "org_admin": true })).await;
    let own = admin.data["memberships"][0]["id"].as_str().expect("an id");
    let answer =
        app.call_as(admin, Method::PATCH, &format!("/memberships/{own}?org_admin=false"), None).await;
    answer.problem(409, "last_org_admin");
}

#[tokio::test]
async fn of_two_last_admins_who_unmake_each_other_at_once_one_stays() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let first = cast.person("org admin");
    let second = app.member(first, &cast.organization, "second", json!({ "org_admin": true })).await;
    let path = |person: &common::Person| {
        let membership = &person.data["memberships"][0]["id"];
        format!("/memberships/{}?org_admin=false", membership.as_str().expect("an id"))
    };
    let (of_first, of_second) = (path(first), path(&second));
    let (one, other) = tokio::join!(
        app.call_as(first, Method::PATCH, &of_second, None),
        app.call_as(&second, Method::PATCH, &of_first, None),
    );
    let statuses = [one.status, other.status];
    assert!(
        statuses.contains(&200) && statuses.iter().any(|status| matches!(status, 403 | 409)),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn each_role_may_make_org_admins_as_the_table_says_and_nonsense_is_named() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let made = app.membership(admin, &cast.organization, json!({})).await;
    let path = format!("/memberships/{}", common::id_of(&made));
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    let expected = [401, 404, 404, 403, 403, 200, 403, 200];
    for ((role, person), status) in cast.people.iter().zip(expected) {
        let answer =
            app.call_by(person.as_ref(), Method::PATCH, &format!("{path}?org_admin=true"), None).await;
        assert_eq!(answer.status, status, "{role}: {answer:?}");
    }
    for (query, body) in [("", None), ("?org_admin=yes", None), ("", Some(json!({ "org_admin": "perhaps" })))]
    {
        let answer = app.call_as(admin, Method::PATCH, &format!("{path}{query}"), body).await;
        assert!(answer.problem(400, "validation_failed")["fields"]["org_admin"].is_array(), "{answer:?}");
    }
}
