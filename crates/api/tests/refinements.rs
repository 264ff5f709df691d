//! Notes of practice on the floor: who keeps them, and what they may hold.

mod common;

use common::{Cast, Person, TestApp, column, expect_by_role, id_of};
use reqwest::Method;
use serde_json::{Value, json};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";

fn path(team: &str) -> String {
    format!("/worklete_admin/teams/{team}/refinements")
}

async fn noted(app: &TestApp, by: &Person, team: &str, data: Value) -> Value {
    let answer = app.call_as(by, Method::POST, &path(team), Some(json!({ "data": data }))).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json
}

/// Makes the member of the cast a champion; gives the certification's id.
async fn certify(app: &TestApp, cast: &Cast) -> String {
    let user = id_of(&cast.person("member").data);
    let body = json!({ "user_id": user, "date": "2020-01-05" });
    let certifications = "/worklete_admin/champion_certifications";
    let made = app.call_as(cast.person("staff admin"), Method::POST, certifications, Some(body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    // A date of long ago has expired: valid again without waiting for another day.
    app.database.execute("UPDATE champion_certifications SET expires_on = (now() AT TIME ZONE 'UTC')::date");
    id_of(&made.json)
}

#[tokio::test]
async fn a_refinement_is_noted_read_and_changed() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let lead = cast.person("team admin");
    let data = json!({ "notes": "Feet wider apart \u{1f9be}", "moves": [{ "name": "squat", "load": 12.5 }], "b": null });
    let made = noted(&app, lead, &cast.team, data.clone()).await;
    assert_eq!(common::keys(&made), ["created_at", "created_by_id", "data", "id", "team_id", "updated_at"]);
    assert_eq!((&made["data"], &made["team_id"]), (&data, &json!(cast.team)));
    assert_eq!((&made["created_by_id"], &made["updated_at"]), (&lead.data["id"], &made["created_at"]));
    let one = format!("{}/{}", path(&cast.team), id_of(&made));
    let read = app.call_as(lead, Method::GET, &one, None).await;
    assert_eq!((read.status, &read.json), (200, &made));

    let kept = app.call_as(lead, Method::PATCH, &one, Some(json!({}))).await;
    assert_eq!((kept.status, &kept.json), (200, &made), "without data nothing changes");
    let kept = app.call_as(lead, Method::PATCH, &one, Some(json!({ "data": data }))).await;
    assert_eq!((kept.status, &kept.json), (200, &made), "nor with the same");
    let new = json!({ "occurred_on": "2025-12-01" });
    let changed = app.call_as(lead, Method::PATCH, &one, Some(json!({ "data": new }))).await;
    assert_eq!((changed.status, &changed.json["data"]), (200, &new), "the whole is replaced");
    assert!(common::time(&changed.json["updated_at"]) > common::time(&made["updated_at"]));
    assert_eq!(changed.json["created_at"], made["created_at"]);

    let trail = app.audit();
    let rows: Vec<_> = trail.iter().filter(|row| row["subject_kind"] == "refinement").collect();
    let actions: Vec<_> = rows.iter().map(|row| row["action"].as_str()).collect();
    assert_eq!(actions, [Some("refinement.create"), Some("refinement.update")]);
    assert_eq!(rows[1]["after"], json!({ "occurred_on": "2025-12-01" }));
    assert!(!format!("{trail:?}").contains("Feet"), "the document stays out of the trail");
}

#[tokio::test]
async fn the_day_is_the_one_that_is_told_or_the_one_of_the_organization() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let lead = cast.person("team admin");
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        app.database.execute(&format!("UPDATE organizations SET time_zone = '{zone}'"));
        let made = noted(&app, lead, &cast.team, json!({})).await;
        let check = "occurred_on = (r.created_at AT TIME ZONE o.time_zone)::date";
        let sql = format!(
            "SELECT {check} FROM refinements r JOIN organizations o ON o.id = r.organization_id WHERE r.id = '{}'",
            id_of(&made)
        );
        assert_eq!(app.database.rows(&sql), ["(t)"], "{zone}");
    }
    let made = noted(&app, lead, &cast.team, json!({ "occurred_on": "2025-12-01" })).await;
    let sql = format!("SELECT occurred_on FROM refinements WHERE id = '{}'", id_of(&made));
    assert_eq!(app.database.rows(&sql), ["(2025-12-01)"]);
    // Tomorrow in UTC is today somewhere; the day after is not.
    let days =
        app.database.rows("SELECT (now() AT TIME ZONE 'UTC')::date + d FROM generate_series(1, 3, 2) d");
    let days: Vec<_> = days.iter().map(|row| row.trim_matches(['(', ')'])).collect();
    noted(&app, lead, &cast.team, json!({ "occurred_on": days[0] })).await;
    let ahead = json!({ "data": { "occurred_on": days[1] } });
    let answer = app.call_as(lead, Method::POST, &path(&cast.team), Some(ahead)).await;
    assert_eq!(answer.fields(), &json!({ "data.occurred_on": ["in_future"] }));
}

#[tokio::test]
async fn what_cannot_be_is_named_and_nothing_is_written() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (lead, staff) = (cast.person("team admin"), cast.person("staff admin"));
    let elsewhere = cast.person("outsider").membership();
    let foreign = app.organization(staff, "Foreign").await;
    let course = json!({ "name": "Lifting", "organization_id": foreign });
    let course = app.call_as(staff, Method::POST, "/worklete_admin/courses", Some(course)).await;
    let made = noted(&app, lead, &cast.team, json!({})).await;
    let one = format!("{}/{}", path(&cast.team), id_of(&made));
    let trail = app.audit().len();
    for (data, fields) in [
        (json!(null), json!({ "data": ["blank"] })),
        (json!([]), json!({ "data": ["invalid"] })),
        (json!("x"), json!({ "data": ["invalid"] })),
        (json!({ "notes": "a\u{0}b" }), json!({ "data": ["invalid"] })),
        (json!({ "a": [{ "\u{0}": 1 }] }), json!({ "data": ["invalid"] })),
        (json!({ "notes": "x".repeat(64 * 1024) }), json!({ "data": ["too_long"] })),
        (json!({ "occurred_on": "soon" }), json!({ "data.occurred_on": ["invalid"] })),
        (json!({ "occurred_on": 5 }), json!({ "data.occurred_on": ["invalid"] })),
        (json!({ "occurred_on": "-4800-01-01" }), json!({ "data.occurred_on": ["invalid"] })),
        (
            json!({ "led_by_membership_id": "me", "membership_ids": ["me"], "course_id": 1 }),
            json!({
                "data.led_by_membership_id": ["invalid"], "data.membership_ids": ["invalid"], "data.course_id": ["invalid"]
            }),
        ),
        (
            json!({ "led_by_membership_id": elsewhere, "membership_ids": [elsewhere], "course_id": course.json["id"] }),
            json!({
                "data.led_by_membership_id": ["unknown"], "data.membership_ids": ["unknown"], "data.course_id": ["unknown"]
            }),
        ),
    ] {
        for (method, path) in [(Method::POST, path(&cast.team)), (Method::PATCH, one.clone())] {
            let answer = app.call_as(lead, method, &path, Some(json!({ "data": data }))).await;
            assert_eq!(answer.fields(), &fields);
        }
    }
    let missing = app.call_as(lead, Method::POST, &path(&cast.team), Some(json!({}))).await;
    assert_eq!(missing.fields(), &json!({ "data": ["blank"] }));
    let kept = app.call_as(lead, Method::GET, &path(&cast.team), None).await;
    assert_eq!(kept.json, json!([made]));
    assert_eq!(app.audit().len(), trail);

    let member = cast.person("member").membership();
    let library =
        app.call_as(staff, Method::POST, "/worklete_admin/courses", Some(json!({ "name": "Lifting" }))).await;
    let good = json!({
        "led_by_membership_id": lead.membership(), "membership_ids": [member, member], "course_id": library.json["id"]
    });
    assert_eq!(noted(&app, lead, &cast.team, good.clone()).await["data"], good);
}

#[tokio::test]
async fn a_list_gives_the_latest_first_and_only_the_teams_own() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let staff = cast.person("staff admin");
    let other = app.team(staff, &cast.organization, "Early shift").await;
    let foreign = noted(&app, staff, &other, json!({})).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.insert(0, id_of(&noted(&app, staff, &cast.team, json!({ "n": n })).await));
    }
    let list = app.call_as(staff, Method::GET, &path(&cast.team), None).await;
    assert_eq!(column(&list.json, "id"), ids);
    assert_eq!(list.header("x-total-count"), Some("3"));
    let part = app.call_as(staff, Method::GET, &format!("{}?page=2&size=2", path(&cast.team)), None).await;
    assert_eq!(column(&part.json, "id"), ids[2..]);
    let one = format!("{}/{}", path(&cast.team), id_of(&foreign));
    app.call_as(staff, Method::GET, &one, None).await.problem(404, "not_found");
    let body = Some(json!({ "data": {} }));
    app.call_as(staff, Method::PATCH, &one, body).await.problem(404, "not_found");
    let deleted = app.call_as(staff, Method::DELETE, &format!("/teams/{other}"), None).await;
    assert_eq!(deleted.status, 200);
    app.call_as(staff, Method::GET, &path(&other), None).await.problem(404, "not_found");
}

#[tokio::test]
async fn those_who_run_the_team_keep_them_and_outsiders_see_nothing() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let body = || Some(json!({ "data": { "notes": "knees" } }));
    let list = path(&cast.team);
    // anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin
    expect_by_role(&app, &cast, Method::POST, &list, body(), [401, 404, 404, 403, 201, 201, 403, 201]).await;
    expect_by_role(&app, &cast, Method::GET, &list, None, [401, 404, 404, 403, 200, 200, 200, 200]).await;
    let made = noted(&app, cast.person("team admin"), &cast.team, json!({})).await;
    let one = format!("{list}/{}", id_of(&made));
    expect_by_role(&app, &cast, Method::GET, &one, None, [401, 404, 404, 403, 200, 200, 200, 200]).await;
    expect_by_role(&app, &cast, Method::PATCH, &one, body(), [401, 404, 404, 403, 200, 403, 403, 200]).await;
    let missing = format!("{list}/{UNKNOWN}");
    expect_by_role(&app, &cast, Method::GET, &missing, None, [401, 404, 404, 403, 404, 404, 404, 404]).await;
    let nowhere = path(UNKNOWN);
    expect_by_role(&app, &cast, Method::GET, &nowhere, None, [401, 404, 404, 404, 404, 404, 404, 404]).await;
    let member = cast.person("member");
    app.call_as(member, Method::GET, &list, None).await.problem(403, "forbidden");
    let typo = app.call_as(cast.person("team admin"), Method::GET, &format!("{list}?pge=1"), None).await;
    assert_eq!(typo.fields(), &json!({ "pge": ["unknown"] }));
    app.call_as(member, Method::GET, "/worklete_admin/teams", None).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_champion_keeps_the_notes_of_the_own_teams_for_as_long_as_the_certification_is_valid() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (champion, staff) = (cast.person("member"), cast.person("staff admin"));
    let other = app.team(staff, &cast.organization, "Early shift").await;
    let list = path(&cast.team);
    let statuses = async || {
        let mut statuses = Vec::new();
        for team in [&cast.team, &other] {
            let body = Some(json!({ "data": { "notes": "by the champion" } }));
            statuses.push(app.call_as(champion, Method::GET, &path(team), None).await.status);
            statuses.push(app.call_as(champion, Method::POST, &path(team), body).await.status);
        }
        statuses
    };
    assert_eq!(statuses().await, [403, 403, 403, 403], "on the team, but no champion");
    let certification = certify(&app, &cast).await;
    assert_eq!(statuses().await, [200, 201, 403, 403], "of the own team only");

    let made = noted(&app, champion, &cast.team, json!({})).await;
    let (own, of_staff) = (id_of(&made), id_of(&noted(&app, staff, &cast.team, json!({})).await));
    let body = || Some(json!({ "data": { "notes": "knees" } }));
    let change = async |id: &str| app.call_as(champion, Method::PATCH, &format!("{list}/{id}"), body()).await;
    assert_eq!(change(&own).await.status, 200);
    change(&of_staff).await.problem(403, "forbidden");
    let team = format!("/teams/{}", cast.team);
    let rename = app.call_as(champion, Method::PATCH, &team, Some(json!({ "name": "Mine" }))).await;
    rename.problem(403, "forbidden");

    app.database.execute("UPDATE champion_certifications SET expires_on = expires_on - 1");
    assert_eq!(statuses().await, [403, 403, 403, 403], "expired yesterday");
    change(&own).await.problem(403, "forbidden");
    app.database.execute("UPDATE champion_certifications SET expires_on = expires_on + 1");
    assert_eq!(statuses().await, [200, 201, 403, 403]);
    let revoke = format!("/worklete_admin/champion_certifications/{certification}");
    assert_eq!(app.call_as(staff, Method::DELETE, &revoke, None).await.status, 200);
    assert_eq!(statuses().await, [403, 403, 403, 403], "revoked");

    app.database.execute("UPDATE champion_certifications SET revoked_at = NULL");
    app.database.execute("DELETE FROM team_memberships");
    assert_eq!(statuses().await, [403, 403, 403, 403], "not on the team any more");
}
