//! Changing and ending memberships.

mod common;

use common::{Answer, Cast, Person, TestApp, expect_by_role, id_of, time, with};
use reqwest::Method;
use serde_json::{Value, json};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";

fn path_of(cast: &Cast, membership: &str) -> String {
    format!("/organizations/{}/memberships/{membership}", cast.organization)
}

/// A change by the admin of the organization.
async fn change(app: &TestApp, cast: &Cast, membership: &str, body: Value) -> Answer {
    app.call_as(cast.person("org admin"), Method::PATCH, &path_of(cast, membership), Some(body)).await
}

async fn end(app: &TestApp, cast: &Cast, membership: &str) -> Answer {
    app.call_as(cast.person("org admin"), Method::DELETE, &path_of(cast, membership), None).await
}

/// A membership as the admin of the organization reads it.
async fn read(app: &TestApp, cast: &Cast, membership: &str) -> Value {
    let path = format!("/memberships/{membership}");
    let answer = app.call_as(cast.person("org admin"), Method::GET, &path, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json
}

async fn add(app: &TestApp, cast: &Cast, fields: Value) -> Value {
    app.membership(cast.person("org admin"), &cast.organization, fields).await
}

fn code_of(membership: &Value) -> &str {
    membership["invite_code"].as_str().unwrap_or_else(|| panic!("no code in {membership}"))
}

/// The actions in the audit trail about one membership.
fn actions(app: &TestApp, membership: &str) -> Vec<String> {
    let about = app.audit().into_iter().filter(|row| row["subject_id"] == membership);
    about.map(|row| row["action"].as_str().expect("an action").to_owned()).collect()
}

#[tokio::test]
async fn each_field_is_changed_alone_and_again_changes_nothing() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let yard = app.team(cast.person("org admin"), &cast.organization, "Yard").await;
    let made = add(&app, &cast, json!({ "hired_on": "2026-11-02", "team_ids": [cast.team] })).await;
    let id = id_of(&made);
    let mut expected = made;
    for (body, changed) in [
        (json!({ "first_name": " Ann " }), json!({ "first_name": "Ann", "name": "Ann Learner" })),
        (json!({ "last_name": "van  Dijk" }), json!({ "last_name": "van Dijk", "name": "Ann van Dijk" })),
        (json!({ "email": " Ann@Example.org" }), json!({ "email": "ann@example.org" })),
        (json!({ "external_id": " E-7 " }), json!({ "external_id": "E-7" })),
        (json!({ "job_title": "Picker" }), json!({ "job_title": "Picker" })),
        (
            json!({ "hired_on": "2026-11-30" }),
            json!({ "hired_on": "2026-11-30", "reporting_starts_on": "2026-11-30" }),
        ),
        (json!({ "org_admin": true }), json!({ "org_admin": true })),
        (json!({ "team_ids": [yard, yard] }), json!({ "team_ids": [yard] })),
        (json!({ "team_ids": [cast.team, yard] }), json!({ "team_ids": [yard, cast.team] })),
        (json!({ "administered_team_ids": [yard] }), json!({ "administered_team_ids": [yard] })),
        (json!({ "team_ids": [], "something_unknown": 5 }), json!({ "team_ids": [] })),
        (json!({ "administered_team_ids": [] }), json!({ "administered_team_ids": [] })),
    ] {
        let answer = change(&app, &cast, &id, body.clone()).await;
        let updated_at = answer.json["updated_at"].clone();
        assert!(time(&updated_at) > time(&expected["updated_at"]), "{body}: {answer:?}");
        expected = with(&expected, &changed);
        expected["updated_at"] = updated_at;
        assert_eq!((answer.status, &answer.json), (200, &expected), "{body}");
        let rows = app.audit().len();
        let again = change(&app, &cast, &id, body.clone()).await;
        assert_eq!((again.status, &again.json), (200, &expected), "{body} again");
        assert_eq!(app.audit().len(), rows, "{body} again leaves no row");
        assert_eq!(read(&app, &cast, &id).await, expected, "{body}");
    }
    let nothing = change(&app, &cast, &id, json!({})).await;
    assert_eq!((nothing.status, &nothing.json), (200, &expected));
}

#[tokio::test]
async fn null_and_blank_text_clear_what_may_be_absent() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let full = json!({
        "email": "ann@example.org", "external_id": "E-7", "job_title": "Picker", "hired_on": "2020-02-03"
    });
    for nothing in [Value::Null, json!(""), json!("  ")] {
        let made = add(&app, &cast, full.clone()).await;
        let mut expected = made.clone();
        for field in ["email", "external_id", "job_title", "hired_on"] {
            let answer = change(&app, &cast, &id_of(&made), json!({ field: nothing })).await;
            expected[field] = Value::Null;
            expected["updated_at"] = answer.json["updated_at"].clone();
            if field == "hired_on" {
                let first_seen = made["created_at"].as_str().expect("a time");
                expected["reporting_starts_on"] = json!(first_seen[..10]);
            }
            assert_eq!((answer.status, &answer.json), (200, &expected), "{field} {nothing:?}");
        }
        assert_eq!(read(&app, &cast, &id_of(&made)).await, expected);
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_written() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let staff = cast.person("staff admin");
    let elsewhere = app.organization(staff, "Far away").await;
    let foreign = app.team(staff, &elsewhere, "Dock").await;
    let deleted = app.team(staff, &cast.organization, "Closed").await;
    let team = format!("/teams/{deleted}");
    assert_eq!(app.call_as(staff, Method::DELETE, &team, None).await.status, 200);
    let made = add(&app, &cast, json!({ "job_title": "Picker", "team_ids": [cast.team] })).await;
    let (id, rows) = (id_of(&made), app.audit().len());
    let many: Vec<_> = (0..201).map(|n| format!("00000000-0000-4000-8000-{n:012}")).collect();
    let long = "x".repeat(101);
    let mut cases = vec![
        (json!({ "hired_on": "2026-02-30" }), json!({ "hired_on": ["invalid"] })),
        (json!({ "hired_on": 20_261_102 }), json!({ "hired_on": ["invalid"] })),
        (json!({ "email": "nobody" }), json!({ "email": ["invalid"] })),
        (json!({ "org_admin": null }), json!({ "org_admin": ["blank"] })),
        (json!({ "org_admin": "true" }), json!({ "org_admin": ["invalid"] })),
        (json!({ "org_admin": 1 }), json!({ "org_admin": ["invalid"] })),
        (json!({ "status": null }), json!({ "status": ["blank"] })),
        (json!({ "status": "pending" }), json!({ "status": ["invalid"] })),
        (json!({ "status": "Active" }), json!({ "status": ["invalid"] })),
        (json!({ "status": "" }), json!({ "status": ["invalid"] })),
        (json!({ "status": true }), json!({ "status": ["invalid"] })),
        (
            json!({ "first_name": "", "last_name": long, "email": "@", "job_title": "a\u{7}", "status": "gone" }),
            json!({
                "first_name": ["blank"], "last_name": ["too_long"], "email": ["invalid"], "job_title": ["invalid"],
                "status": ["invalid"]
            }),
        ),
    ];
    for name in ["first_name", "last_name"] {
        for nothing in [Value::Null, json!(""), json!(" \t")] {
            cases.push((json!({ name: nothing }), json!({ name: ["blank"] })));
        }
        cases.push((json!({ name: "a\u{0}b" }), json!({ name: ["invalid"] })));
    }
    for text in ["first_name", "last_name", "external_id", "job_title"] {
        cases.push((json!({ text: long }), json!({ text: ["too_long"] })));
    }
    for text in ["first_name", "last_name", "email", "external_id", "job_title", "hired_on"] {
        for value in [json!(5), json!(["a"]), json!({ "a": "b" }), json!(true)] {
            cases.push((json!({ text: value }), json!({ text: ["invalid"] })));
        }
    }
    for teams in ["team_ids", "administered_team_ids"] {
        cases.extend([
            (json!({ teams: null }), json!({ teams: ["blank"] })),
            (json!({ teams: "x" }), json!({ teams: ["invalid"] })),
            (json!({ teams: [cast.team, "x"] }), json!({ format!("{teams}[1]"): ["invalid"] })),
            (json!({ teams: [null] }), json!({ format!("{teams}[0]"): ["invalid"] })),
            (json!({ teams: many }), json!({ teams: ["too_many"] })),
            (json!({ teams: [cast.team, foreign] }), json!({ teams: ["unknown"] })),
            (json!({ teams: [deleted] }), json!({ teams: ["unknown"] })),
            (json!({ teams: [UNKNOWN] }), json!({ teams: ["unknown"] })),
        ]);
    }
    for (wrong, fields) in cases {
        // Something good beside it is not written either.
        let body = with(&json!({ "job_title": "Driver" }), &wrong);
        let answer = change(&app, &cast, &id, body).await;
        assert_eq!(answer.fields(), &fields, "{wrong}");
    }
    assert_eq!(read(&app, &cast, &id).await, made);
    assert_eq!(app.audit().len(), rows);
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let made = add(&app, &cast, json!({})).await;
    let (admin, path) = (cast.person("org admin"), path_of(&cast, &id_of(&made)));
    let large = format!("{{\"job_title\":\"{}\"}}", "x".repeat(2 << 20));
    for (kind, body, status, code) in [
        ("application/json", "[]", 400, "malformed_body"),
        ("application/json", "\"active\"", 400, "malformed_body"),
        ("application/json", "null", 400, "malformed_body"),
        ("application/json", "", 400, "malformed_body"),
        ("application/json", "{\"status\":", 400, "malformed_body"),
        ("application/json", "{} {}", 400, "malformed_body"),
        ("application/json", "{\"job_title\":\"\\ud800\"}", 400, "malformed_body"),
        ("application/json", &large, 413, "body_too_large"),
        ("text/plain", "{}", 415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", "status=active", 415, "unsupported_media_type"),
    ] {
        let request = admin.sign(app.request(Method::PATCH, &path)).header("content-type", kind);
        app.send(request.body(body.to_owned())).await.problem(status, code);
    }
    assert_eq!(read(&app, &cast, &id_of(&made)).await, made);
}

#[tokio::test]
async fn an_external_id_of_somebody_else_is_refused_even_if_they_left() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let present = add(&app, &cast, json!({ "external_id": "E-1" })).await;
    let left = add(&app, &cast, json!({ "external_id": "E-2" })).await;
    assert_eq!(end(&app, &cast, &id_of(&left)).await.status, 200);
    let made = add(&app, &cast, json!({ "external_id": "E-3", "job_title": "Picker" })).await;
    let id = id_of(&made);
    for taken in ["E-1", "E-2", " E-1 "] {
        let body = json!({ "external_id": taken, "job_title": "Driver" });
        let answer = change(&app, &cast, &id, body).await;
        let problem = answer.problem(409, "external_id_taken");
        assert_eq!(problem["fields"], json!({ "external_id": ["taken"] }), "{taken}");
    }
    assert_eq!(read(&app, &cast, &id).await, made, "nothing of it was kept");
    // The number of another organization, one's own, and one that was given up are free.
    let elsewhere = app.organization(cast.person("staff admin"), "Far away").await;
    app.membership(cast.person("staff admin"), &elsewhere, json!({ "external_id": "E-9" })).await;
    assert_eq!(change(&app, &cast, &id, json!({ "external_id": "E-9" })).await.status, 200);
    assert_eq!(change(&app, &cast, &id_of(&present), json!({ "external_id": null })).await.status, 200);
    assert_eq!(change(&app, &cast, &id, json!({ "external_id": "E-1" })).await.status, 200);
}

#[tokio::test]
async fn of_two_who_take_one_external_id_at_once_one_gets_it() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let ids = [id_of(&add(&app, &cast, json!({})).await), id_of(&add(&app, &cast, json!({})).await)];
    for round in 0..5 {
        let body = || json!({ "external_id": format!("E-{round}") });
        let (one, other) =
            tokio::join!(change(&app, &cast, &ids[0], body()), change(&app, &cast, &ids[1], body()));
        let (winner, loser) = if one.status == 200 { (one, other) } else { (other, one) };
        assert_eq!(winner.json["external_id"], format!("E-{round}"), "{winner:?} {loser:?}");
        loser.problem(409, "external_id_taken");
    }
}

#[tokio::test]
async fn nobody_is_made_active_before_they_join() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let made = add(&app, &cast, json!({})).await;
    let id = id_of(&made);
    let body = json!({ "status": "active", "job_title": "Driver" });
    change(&app, &cast, &id, body).await.problem(409, "not_joined");
    assert_eq!(read(&app, &cast, &id).await, made);
    assert_eq!(app.sign_up("newcomer", code_of(&made)).await.status, 200, "the code still works");
    let so_already = change(&app, &cast, &id, json!({ "status": "active" })).await;
    assert_eq!((so_already.status, so_already.json["status"].as_str()), (200, Some("active")));
    assert_eq!(actions(&app, &id), ["membership.create"], "joining was not the admin's doing");
}

#[tokio::test]
async fn who_never_joined_leaves_with_the_code_and_comes_back_with_another() {
    let app = TestApp::start_with(&[("RATE_WRONG_INVITE_CODES_PER_ADDRESS", "1000")]).await;
    let cast = app.cast().await;
    let made = add(&app, &cast, json!({ "org_admin": true, "team_ids": [cast.team] })).await;
    let (id, old) = (id_of(&made), code_of(&made));
    let left = end(&app, &cast, &id).await;
    let expected = json!({
        "status": "deactivated", "org_admin": false, "invite_code": null,
        "invitation": with(&made["invitation"], &json!({ "status": "revoked" })),
        "deactivated_at": left.json["updated_at"], "updated_at": left.json["updated_at"]
    });
    assert_eq!((left.status, &left.json), (200, &with(&made, &expected)));
    assert!(time(&left.json["updated_at"]) > time(&made["updated_at"]));
    let code_is_dead = async || {
        let preview = app.call(Method::GET, &format!("/invitations/{old}"), None).await;
        preview.problem(404, "invitation_not_usable");
        assert_eq!(app.sign_up("too-late", old).await.error(), (404, "invitation_not_usable"));
    };
    code_is_dead().await;

    let back = change(&app, &cast, &id, json!({ "status": "active" })).await;
    assert_eq!((back.status, back.json["status"].as_str()), (200, Some("pending")), "{back:?}");
    let facts = ["deactivated_at", "user_id", "user"].map(|field| &back.json[field]);
    assert_eq!(facts, [&Value::Null; 3]);
    assert_eq!(back.json["org_admin"], false, "a say has to be given anew");
    assert_eq!(back.json["team_ids"], json!([cast.team]));
    assert_eq!(back.json["invitation"]["status"], "pending");
    assert_ne!(back.json["invitation"]["id"], made["invitation"]["id"]);
    let new = code_of(&back.json);
    assert_ne!(new, old);
    code_is_dead().await;
    // Wanting it active once more tells that nobody has joined yet.
    change(&app, &cast, &id, json!({ "status": "active" })).await.problem(409, "not_joined");
    let person = app.sign_up("newcomer", new).await.person();
    assert_eq!(person.membership(), id);
}

#[tokio::test]
async fn who_has_an_account_leaves_with_all_rights_and_comes_back_at_once() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let fields = json!({ "org_admin": true, "team_ids": [cast.team], "administered_team_ids": [cast.team] });
    let person = app.member(cast.person("org admin"), &cast.organization, "leaver", fields).await;
    let other_device = app.sign_in("leaver").await;
    let id = person.membership();
    let joined = read(&app, &cast, &id).await;
    let left = change(&app, &cast, &id, json!({ "status": "deactivated" })).await;
    let expected = json!({
        "status": "deactivated", "org_admin": false, "administered_team_ids": [],
        "deactivated_at": left.json["updated_at"], "updated_at": left.json["updated_at"]
    });
    assert_eq!((left.status, &left.json), (200, &with(&joined, &expected)), "teams stay, for history");
    assert!(!app.knows(&person).await && !app.knows(&other_device).await, "all sessions end");

    let again = app.sign_in("leaver").await;
    assert_eq!(again.data["memberships"][0]["status"], "deactivated");
    for (method, path) in [
        (Method::GET, format!("/memberships/{}", cast.person("member").membership())),
        (Method::GET, format!("/teams/{}", cast.team)),
        (Method::GET, format!("/teams/{}/memberships", cast.team)),
        (Method::GET, format!("/organizations/{}/invitations", cast.organization)),
        (Method::DELETE, path_of(&cast, &id)),
        (Method::DELETE, path_of(&cast, &cast.person("member").membership())),
    ] {
        app.call_as(&again, method, &path, None).await.problem(404, "not_found");
    }
    let team = format!("/teams/{}", cast.team);
    let team = app.call_as(cast.person("org admin"), Method::GET, &team, None).await.json;
    assert_eq!((&team["memberships_count"], &team["admins_count"]), (&json!(1), &json!(1)));

    let back = change(&app, &cast, &id, json!({ "status": "active" })).await;
    let expected = json!({
        "org_admin": false, "administered_team_ids": [], "updated_at": back.json["updated_at"]
    });
    assert_eq!((back.status, &back.json), (200, &with(&joined, &expected)));
    let team = app.call_as(&again, Method::GET, &format!("/teams/{}", cast.team), None).await;
    assert_eq!(team.status, 200, "{team:?}");
    app.call_as(&again, Method::DELETE, &path_of(&cast, &id), None).await.problem(403, "forbidden");
    assert_eq!(actions(&app, &id), ["membership.create", "membership.deactivate", "membership.reactivate"]);
}

#[tokio::test]
async fn sessions_stay_while_somebody_belongs_anywhere_else() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let staff = cast.person("staff admin");
    let join = async |person: &Person| {
        let made = add(&app, &cast, json!({ "org_admin": true })).await;
        let path = format!("/invitations/{}/accept", code_of(&made));
        assert_eq!(app.call_as(person, Method::POST, &path, None).await.status, 200);
        id_of(&made)
    };
    let (outsider, employee) = (cast.person("outsider"), cast.person("staff employee"));
    for person in [outsider, employee] {
        let id = join(person).await;
        let rename = Some(json!({ "name": format!("Team of {}", person.uid) }));
        let team = format!("/teams/{}", cast.team);
        assert_eq!(app.call_as(person, Method::PATCH, &team, rename.clone()).await.status, 200);
        assert_eq!(end(&app, &cast, &id).await.status, 200);
        assert!(app.knows(person).await, "{}", person.uid);
        let status = app.call_as(person, Method::PATCH, &team, rename).await.status;
        assert_eq!(status, if person.uid == outsider.uid { 404 } else { 403 }, "{}", person.uid);
    }
    // The last place of the outsider: their own organization has another admin, so they can go.
    let home = outsider.data["memberships"][0]["organization_id"].as_str().expect("an id");
    app.member(staff, home, "successor", json!({ "org_admin": true })).await;
    let path = format!("/organizations/{home}/memberships/{}", outsider.membership());
    assert_eq!(app.call_as(staff, Method::DELETE, &path, None).await.status, 200);
    assert!(!app.knows(outsider).await);
}

#[tokio::test]
async fn the_last_admin_of_an_organization_stays() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, staff) = (cast.person("org admin"), cast.person("staff admin"));
    // Neither one who has not joined nor one who has left counts.
    add(&app, &cast, json!({ "org_admin": true })).await;
    let (id, rows) = (admin.membership(), app.audit().len());
    let before = read(&app, &cast, &id).await;
    for person in [admin, staff] {
        for (method, body) in [
            (Method::DELETE, None),
            (Method::PATCH, Some(json!({ "status": "deactivated" }))),
            (Method::PATCH, Some(json!({ "org_admin": false, "job_title": "Former admin" }))),
        ] {
            let answer = app.call_as(person, method, &path_of(&cast, &id), body).await;
            answer.problem(409, "last_org_admin");
        }
    }
    assert_eq!((read(&app, &cast, &id).await, app.audit().len()), (before, rows));
    assert!(app.knows(admin).await);

    let member = cast.person("member").membership();
    assert_eq!(change(&app, &cast, &member, json!({ "org_admin": true })).await.status, 200);
    assert_eq!(end(&app, &cast, &id).await.status, 200, "with another one there the admin may go");
    assert!(!app.knows(admin).await);
}

#[tokio::test]
async fn of_the_last_two_admins_removed_at_once_one_stays() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    for round in 0..4 {
        let organization = app.organization(&staff, &format!("Harbor {round}")).await;
        let fields = || json!({ "org_admin": true });
        let first = app.member(&staff, &organization, &format!("first-{round}"), fields()).await;
        let second = app.member(&staff, &organization, &format!("second-{round}"), fields()).await;
        let path =
            |person: &Person| format!("/organizations/{organization}/memberships/{}", person.membership());
        let (of_first, of_second) = (path(&first), path(&second));
        let unmake = Some(json!({ "org_admin": false }));
        // Each round another pair of ways; nobody acts on the other, so that rights cannot be lost on the way.
        let (one, other) = match round {
            0 => tokio::join!(
                app.call_as(&first, Method::DELETE, &of_first, None),
                app.call_as(&second, Method::DELETE, &of_second, None),
            ),
            1 => tokio::join!(
                app.call_as(&staff, Method::DELETE, &of_first, None),
                app.call_as(&staff, Method::PATCH, &of_second, unmake),
            ),
            2 => tokio::join!(
                app.call_as(&first, Method::PATCH, &of_first, unmake.clone()),
                app.call_as(&second, Method::PATCH, &of_second, unmake),
            ),
            _ => {
                let published = format!("/memberships/{}?org_admin=false", second.membership());
                tokio::join!(
                    app.call_as(&staff, Method::DELETE, &of_first, None),
                    app.call_as(&second, Method::PATCH, &published, None),
                )
            }
        };
        let (winner, loser) = if one.status == 200 { (one, other) } else { (other, one) };
        assert_eq!(winner.status, 200, "{winner:?} {loser:?}");
        loser.problem(409, "last_org_admin");
        let left = app.database.rows(&format!(
            "SELECT count(*) FROM memberships WHERE organization_id = '{organization}' AND org_admin AND status = 'active'"
        ));
        assert_eq!(left, ["(1)"], "round {round}");
    }
}

#[tokio::test]
async fn of_two_admins_who_remove_each_other_at_once_one_stays() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    for round in 0..4 {
        let organization = app.organization(&staff, &format!("Harbor {round}")).await;
        let fields = || json!({ "org_admin": true });
        let first = app.member(&staff, &organization, &format!("first-{round}"), fields()).await;
        let second = app.member(&staff, &organization, &format!("second-{round}"), fields()).await;
        let path =
            |person: &Person| format!("/organizations/{organization}/memberships/{}", person.membership());
        let (of_first, of_second) = (path(&first), path(&second));
        let (one, other) = tokio::join!(
            app.call_as(&first, Method::DELETE, &of_second, None),
            app.call_as(&second, Method::DELETE, &of_first, None),
        );
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        // Who comes second is the last admin, or is out before the request is looked at.
        assert!(statuses[0] == 200 && [401, 404, 409].contains(&statuses[1]), "{one:?} {other:?}");
        assert_eq!([app.knows(&first).await, app.knows(&second).await].iter().filter(|is| **is).count(), 1);
    }
}

#[tokio::test]
async fn two_changes_of_one_membership_at_once_both_count() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let id = id_of(&add(&app, &cast, json!({})).await);
    for round in 0..5 {
        let (title, number) = (format!("Title {round}"), format!("E-{round}"));
        let (one, other) = tokio::join!(
            change(&app, &cast, &id, json!({ "job_title": title })),
            change(&app, &cast, &id, json!({ "external_id": number, "team_ids": [cast.team] })),
        );
        assert_eq!((one.status, other.status), (200, 200), "{one:?} {other:?}");
        let stored = read(&app, &cast, &id).await;
        assert_eq!((&stored["job_title"], &stored["external_id"]), (&json!(title), &json!(number)));
        assert_eq!(stored["team_ids"], json!([cast.team]));
    }
}

#[tokio::test]
async fn leaving_and_joining_at_once_never_leave_somebody_in_with_a_dead_membership() {
    let app = TestApp::start_with(&[("RATE_WRONG_INVITE_CODES_PER_ADDRESS", "1000")]).await;
    let cast = app.cast().await;
    for round in 0..6 {
        let made = add(&app, &cast, json!({})).await;
        let (id, username) = (id_of(&made), format!("racer-{round}"));
        let (left, joined) = tokio::join!(end(&app, &cast, &id), app.sign_up(&username, code_of(&made)));
        assert_eq!(left.status, 200, "{left:?}");
        assert!([200, 404].contains(&joined.status), "{joined:?}");
        assert_eq!(read(&app, &cast, &id).await["status"], "deactivated");
        if joined.status == 200 {
            assert!(!app.knows(&joined.person()).await, "whoever came first is out again");
        }
    }
}

#[tokio::test]
async fn ending_a_membership_twice_is_ending_it_once() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let id = cast.person("member").membership();
    let once = end(&app, &cast, &id).await;
    assert_eq!(once.status, 200, "{once:?}");
    for _ in 0..2 {
        let again = end(&app, &cast, &id).await;
        assert_eq!((again.status, &again.json), (200, &once.json));
    }
    let by_status = change(&app, &cast, &id, json!({ "status": "deactivated" })).await;
    assert_eq!((by_status.status, &by_status.json), (200, &once.json));
    assert_eq!(actions(&app, &id), ["membership.create", "membership.deactivate"]);
    assert_eq!(read(&app, &cast, &id).await, once.json, "it can be read still");
}

#[tokio::test]
async fn who_has_left_gets_no_say_but_may_be_described() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let id = cast.person("member").membership();
    end(&app, &cast, &id).await;
    for body in [json!({ "org_admin": true }), json!({ "administered_team_ids": [cast.team] })] {
        change(&app, &cast, &id, body).await.problem(409, "membership_deactivated");
    }
    let published = format!("/memberships/{id}?org_admin=true");
    let answer = app.call_as(cast.person("org admin"), Method::PATCH, &published, None).await;
    answer.problem(409, "membership_deactivated");
    let both = json!({ "status": "deactivated", "org_admin": true });
    change(&app, &cast, &cast.person("team admin").membership(), both)
        .await
        .problem(409, "membership_deactivated");
    let described = change(&app, &cast, &id, json!({ "job_title": "Driver", "org_admin": false })).await;
    assert_eq!((described.status, described.json["job_title"].as_str()), (200, Some("Driver")));
    let back = change(&app, &cast, &id, json!({ "status": "active", "org_admin": true })).await;
    assert_eq!((back.status, &back.json["org_admin"]), (200, &json!(true)), "both at once");
}

#[tokio::test]
async fn a_membership_is_found_under_its_own_organization_only() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, staff, outsider) =
        (cast.person("org admin"), cast.person("staff admin"), cast.person("outsider"));
    let foreign = outsider.membership();
    let elsewhere = outsider.data["memberships"][0]["organization_id"].as_str().expect("an id");
    let own = cast.person("member").membership();
    let rows = app.audit().len();
    for (person, path) in [
        (admin, path_of(&cast, &foreign)),
        (staff, path_of(&cast, &foreign)),
        (outsider, path_of(&cast, &foreign)),
        (admin, format!("/organizations/{elsewhere}/memberships/{own}")),
        (staff, format!("/organizations/{elsewhere}/memberships/{own}")),
        (outsider, format!("/organizations/{elsewhere}/memberships/{own}")),
        (staff, format!("/organizations/{UNKNOWN}/memberships/{own}")),
        (admin, path_of(&cast, UNKNOWN)),
        (admin, path_of(&cast, "nonsense")),
        (admin, format!("/organizations/nonsense/memberships/{own}")),
    ] {
        for body in [json!({ "job_title": "Driver" }), json!({}), json!({ "status": "active" })] {
            app.call_as(person, Method::PATCH, &path, Some(body)).await.problem(404, "not_found");
        }
        app.call_as(person, Method::DELETE, &path, None).await.problem(404, "not_found");
    }
    assert_eq!(app.audit().len(), rows);
    assert!(app.knows(outsider).await && app.knows(cast.person("member")).await);
}

#[tokio::test]
async fn each_role_may_change_the_roster_as_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let made = add(&app, &cast, json!({ "team_ids": [cast.team] })).await;
    let path = path_of(&cast, &id_of(&made));
    let rename = Some(json!({ "job_title": "Driver" }));
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    let expected = [401, 404, 404, 403, 403, 200, 403, 200];
    expect_by_role(&app, &cast, Method::PATCH, &path, rename.clone(), expected).await;
    expect_by_role(&app, &cast, Method::DELETE, &path, None, expected).await;
    // Nobody changes the roster for themselves.
    let member = cast.person("member");
    let own = path_of(&cast, &member.membership());
    app.call_as(member, Method::PATCH, &own, rename).await.problem(403, "forbidden");
    app.call_as(member, Method::DELETE, &own, None).await.problem(403, "forbidden");
}

#[tokio::test]
async fn the_trail_tells_what_changed_without_names_addresses_and_codes() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let fields = json!({ "first_name": "Ottilie", "email": "ottilie@example.org", "external_id": "E-1" });
    let made = add(&app, &cast, fields).await;
    let (id, path) = (id_of(&made), path_of(&cast, &id_of(&made)));
    let body = json!({
        "first_name": "Wilhelmine", "last_name": "Zauberhaft", "email": "wilhelmine@example.org", "external_id": "E-2",
        "job_title": "Driver", "hired_on": "2026-11-02", "org_admin": true, "team_ids": [cast.team],
        "administered_team_ids": [cast.team]
    });
    let request = admin.sign(app.request(Method::PATCH, &path)).header("x-request-id", "audit-me-3");
    assert_eq!(app.send(request.json(&body)).await.status, 200);
    let row = app.audit().pop().expect("a row");
    for (column, expected) in [
        ("actor_id", admin.data["id"].clone()),
        ("organization_id", json!(cast.organization)),
        ("action", json!("membership.update")),
        ("subject_kind", json!("membership")),
        ("subject_id", json!(id)),
        ("request_id", json!("audit-me-3")),
        ("ip", json!("127.0.0.1")),
        (
            "before",
            json!({
                "external_id": "E-1", "job_title": null, "hired_on": null, "org_admin": false, "team_ids": [],
                "administered_team_ids": []
            }),
        ),
        (
            "after",
            json!({
                "external_id": "E-2", "job_title": "Driver", "hired_on": "2026-11-02", "org_admin": true,
                "team_ids": [cast.team], "administered_team_ids": [cast.team],
                "changed": ["first_name", "last_name", "email"]
            }),
        ),
    ] {
        assert_eq!(row[column], expected, "{column}");
    }
    end(&app, &cast, &id).await;
    let row = app.audit().pop().expect("a row");
    assert_eq!(
        (&row["action"], &row["before"]["status"], &row["after"]["status"]),
        (&json!("membership.deactivate"), &json!("pending"), &json!("deactivated"))
    );
    let back = change(&app, &cast, &id, json!({ "status": "active" })).await;
    let row = app.audit().pop().expect("a row");
    assert_eq!(
        (&row["action"], &row["before"]["status"], &row["after"]["status"]),
        (&json!("membership.reactivate"), &json!("deactivated"), &json!("pending"))
    );
    let trail = json!(app.audit()).to_string();
    let secrets = ["Ottilie", "Wilhelmine", "Zauberhaft", "ottilie@", code_of(&made), code_of(&back.json)];
    for secret in secrets.into_iter().chain([admin.token.as_str()]) {
        assert!(!trail.contains(secret), "{secret} in {trail}");
    }
}

#[tokio::test]
async fn a_known_external_id_takes_up_the_same_membership_again() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let fields = json!({ "external_id": "E-7", "team_ids": [cast.team], "email": "ann@example.org" });
    let person = app.member(admin, &cast.organization, "rehired", fields).await;
    let id = person.membership();
    end(&app, &cast, &id).await;
    let path = format!("/organizations/{}/memberships", cast.organization);
    let body = json!({ "first_name": "Ann", "last_name": "Lee", "external_id": "E-7" });
    let answer = app.call_as(admin, Method::POST, &path, Some(body.clone())).await;
    assert_eq!((answer.status, id_of(&answer.json)), (200, id.clone()), "{answer:?}");
    for (field, expected) in [
        ("status", json!("active")),
        ("name", json!("Ann Lee")),
        ("user_id", person.data["id"].clone()),
        ("deactivated_at", Value::Null),
        ("invite_code", Value::Null),
        ("team_ids", json!([])),
        ("email", Value::Null),
    ] {
        assert_eq!(answer.json[field], expected, "{field}");
    }
    assert_eq!(read(&app, &cast, &id).await, answer.json);
    app.sign_in("rehired").await;
    let twice = app.call_as(admin, Method::POST, &path, Some(body)).await;
    twice.problem(409, "external_id_taken");
    assert_eq!(actions(&app, &id), ["membership.create", "membership.deactivate", "membership.reactivate"]);
}
