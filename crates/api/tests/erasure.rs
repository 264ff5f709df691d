//! Erasing and exporting a person.

mod common;

use common::{Answer, Cast, PASSWORD, Person, TestApp, expect_by_role, id_of, keys};
use reqwest::Method;
use serde_json::{Value, json};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";

fn path_of(person: &Person, what: &str) -> String {
    format!("/worklete_admin/users/{}/{what}", id_of(&person.data))
}

async fn erase(app: &TestApp, cast: &Cast, role: &str, body: Value) -> Answer {
    let path = path_of(cast.person(role), "erase");
    app.call_as(cast.person("staff admin"), Method::POST, &path, Some(body)).await
}

async fn export(app: &TestApp, cast: &Cast, role: &str) -> Answer {
    app.call_as(cast.person("staff admin"), Method::GET, &path_of(cast.person(role), "export"), None).await
}

/// A member with everything that tells who somebody is, and with something done.
async fn with_traces(app: &TestApp) -> Cast {
    let cast = app.cast().await;
    let (staff, member) = (cast.person("staff admin"), cast.person("member"));
    let names =
        json!({ "first_name": "Secretfirst", "last_name": "Secretlast", "email": "secret@example.org" });
    app.call_as(staff, Method::PATCH, path_of(member, "").trim_end_matches('/'), Some(names.clone())).await;
    let mut roster = names;
    roster["external_id"] = "secret-7".into();
    let path = format!("/organizations/{}/memberships/{}", cast.organization, member.membership());
    assert_eq!(app.call_as(staff, Method::PATCH, &path, Some(roster)).await.status, 200);
    app.database.execute(
        "UPDATE invitations SET sent_to = 'secret@example.org', sent_at = now() \
         WHERE accepted_by = (SELECT id FROM users WHERE username = 'member')",
    );
    let course = app.basics(staff, 1).await;
    assert_eq!(app.call_as(member, Method::GET, "/courses/current", None).await.status, 200);
    for minute in 0..3 {
        let event = json!({
            "event_type": "update_progress", "player_session_id": course,
            "client_supplied_occured_at_in_ms": 1_767_600_000_000_i64 + minute, "progress": { "percent": minute }
        });
        let path = format!("/courses/{course}/events");
        assert_eq!(app.call_as(member, Method::POST, &path, Some(event)).await.status, 200);
    }
    cast
}

/// Rows outside the trail that tell who the person was.
fn traces(app: &TestApp) -> usize {
    let tables = ["users", "memberships", "invitations", "sessions", "password_resets"];
    let rows = tables.map(|table| {
        app.database.rows(&format!("SELECT t::text FROM {table} t WHERE t::text ILIKE '%secret%'")).len()
    });
    rows.iter().sum()
}

#[tokio::test]
async fn a_dry_run_tells_what_would_go_and_writes_nothing() {
    let app = TestApp::start().await;
    let cast = with_traces(&app).await;
    let (before, rows) = (traces(&app), app.audit().len());
    assert!(before >= 3, "{before}");
    for body in [json!({}), json!({ "dry_run": true })] {
        let answer = erase(&app, &cast, "member", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let expected = ["dry_run", "erased_at", "kept", "receipt_id", "replaced", "user_id"];
        assert_eq!(answer.keys(), expected);
        assert_eq!((&answer.json["dry_run"], &answer.json["erased_at"]), (&json!(true), &Value::Null));
        let replaced =
            json!({ "accounts": 1, "memberships": 1, "invitations": 1, "sessions": 1, "reset_links": 0 });
        assert_eq!(answer.json["replaced"], replaced);
        assert_eq!(
            (&answer.json["kept"]["assignments"], &answer.json["kept"]["progress_events"]),
            (&json!(1), &json!(3))
        );
    }
    assert_eq!((traces(&app), app.audit().len()), (before, rows));
    assert!(app.knows(cast.person("member")).await);
}

#[tokio::test]
async fn erasing_takes_the_person_and_keeps_what_was_trained() {
    let app = TestApp::start().await;
    let cast = with_traces(&app).await;
    let answer = erase(&app, &cast, "member", json!({ "dry_run": false })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        (&answer.json["dry_run"], &answer.json["replaced"]["memberships"]),
        (&json!(false), &json!(1))
    );
    assert!(answer.json["erased_at"].is_string(), "{answer:?}");
    assert_eq!(traces(&app), 0);
    assert!(!app.knows(cast.person("member")).await);
    let body = json!({ "username": "member", "password": PASSWORD });
    assert_eq!(app.call(Method::POST, "/auth/sign_in", Some(body)).await.status, 401);
    let events = app.database.rows("SELECT count(*) FROM progress_events");
    assert_eq!(events, ["(3)"], "what was trained stays");
    let open = "SELECT count(*) FROM assignments WHERE state IN ('assigned', 'in_progress')";
    assert_eq!(app.database.rows(open), ["(0)"], "and nothing more is due");

    let receipt = answer.json["receipt_id"].clone();
    let row = app.audit().into_iter().find(|row| row["id"] == receipt).expect("the receipt");
    assert_eq!((&row["action"], &row["subject_kind"]), (&json!("user.erase"), &json!("user")));
    assert_eq!((&row["after"]["kept"]["progress_events"], &row["before"]), (&json!(3), &Value::Null));

    let again = erase(&app, &cast, "member", json!({ "dry_run": false })).await;
    assert_eq!((&again.json["receipt_id"], &again.json["erased_at"]), (&receipt, &answer.json["erased_at"]));
    assert_eq!(again.json["replaced"]["accounts"], 0);
    let rows = app.audit().into_iter().filter(|row| row["action"] == "user.erase").count();
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn who_deleted_the_account_can_be_erased_before_the_hold_is_over() {
    let app = TestApp::start().await;
    let cast = with_traces(&app).await;
    let member = cast.person("member");
    assert_eq!(app.call_as(member, Method::DELETE, "/auth", None).await.status, 200);
    assert!(traces(&app) > 0);
    let answer = erase(&app, &cast, "member", json!({ "dry_run": false })).await;
    assert_eq!((answer.status, &answer.json["replaced"]["sessions"]), (200, &json!(0)), "{answer:?}");
    assert_eq!(traces(&app), 0);
}

#[tokio::test]
async fn staff_and_last_admins_are_not_erased() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    for dry_run in [true, false] {
        let body = json!({ "dry_run": dry_run });
        for role in ["staff admin", "staff employee"] {
            erase(&app, &cast, role, body.clone()).await.problem(403, "forbidden");
        }
        erase(&app, &cast, "org admin", body.clone()).await.problem(409, "last_org_admin");
        let path = format!("/worklete_admin/users/{UNKNOWN}/erase");
        let unknown = app.call_as(cast.person("staff admin"), Method::POST, &path, Some(body)).await;
        unknown.problem(404, "not_found");
    }
    for body in [json!({ "dry_run": null }), json!({ "dry_run": "no" })] {
        let refused = erase(&app, &cast, "member", body).await;
        assert_eq!(keys(refused.fields()), ["dry_run"]);
    }
    assert!(app.knows(cast.person("org admin")).await);
}

#[tokio::test]
async fn each_role_may_as_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let member = cast.person("member");
    let expected = [401, 403, 403, 403, 403, 403, 403, 200];
    let dry = Some(json!({ "dry_run": true }));
    expect_by_role(&app, &cast, Method::POST, &path_of(member, "erase"), dry, expected).await;
    expect_by_role(&app, &cast, Method::GET, &path_of(member, "export"), None, expected).await;
}

#[tokio::test]
async fn an_export_holds_everything_but_secrets() {
    let app = TestApp::start().await;
    let cast = with_traces(&app).await;
    let answer = export(&app, &cast, "member").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json; charset=utf-8"))
    );
    let name = format!("attachment; filename=\"worklete-user-{}.json\"", id_of(&cast.person("member").data));
    assert_eq!(answer.header("content-disposition"), Some(&*name));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.carries_session());
    let whole = &answer.json;
    assert_eq!((&whole["format"], &whole["account"]["email"]), (&json!(1), &json!("secret@example.org")));
    assert_eq!(whole["memberships"][0]["external_id"], "secret-7");
    assert_eq!(whole["memberships"][0]["teams"][0]["team_id"], cast.team.as_str());
    assert_eq!(whole["invitations"][0]["sent_to"], "secret@example.org");
    assert_eq!(whole["sessions"].as_array().expect("a list").len(), 1);
    let events = whole["progress_events"].as_array().expect("a list");
    assert_eq!(events.iter().map(|event| &event["percent"]).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(events[0]["assignment_id"], whole["assignments"][0]["id"]);
    common::time(&whole["account"]["created_at"]);
    common::time(&events[0]["effective_at"]);
    for secret in ["hash", "token", "code", "$2b$"] {
        assert!(!answer.text.contains(secret), "{secret} in {}", answer.text);
    }
    assert!(!answer.text.contains(&*id_of(&cast.person("org admin").data)), "nobody else's records");
}

#[tokio::test]
async fn an_export_of_many_events_comes_whole_and_in_order() {
    let app = TestApp::start().await;
    let cast = with_traces(&app).await;
    // Many of one instant, so that a part ends among them.
    app.database.execute(
        "INSERT INTO progress_events (dedupe_key, client_at, organization_id, assignment_id, event_type, player_session_id, \
            client_ms, effective_at, credited_at, received_at, percent, progress, stale) \
         SELECT sha256(n::text::bytea), now(), a.organization_id, a.id, 'update_progress', gen_random_uuid(), n, \
            now() + (n / 300) * interval '1 second', now(), now(), 1, '{}', true \
         FROM assignments a, generate_series(1, 1234) n",
    );
    let answer = export(&app, &cast, "member").await;
    let events = answer.json["progress_events"].as_array().expect("a list");
    assert_eq!(events.len(), 1237);
    let times: Vec<&str> =
        events.iter().map(|event| event["effective_at"].as_str().expect("a time")).collect();
    assert!(times.is_sorted());
    let mut told: Vec<i64> =
        events.iter().filter_map(|e| e["client_supplied_occured_at_in_ms"].as_i64()).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 1237, "each once");
}

#[tokio::test]
async fn what_is_left_of_an_erased_person_can_be_exported_and_nobody_cannot() {
    let app = TestApp::start().await;
    let cast = with_traces(&app).await;
    erase(&app, &cast, "member", json!({ "dry_run": false })).await;
    let answer = export(&app, &cast, "member").await;
    assert_eq!((answer.status, &answer.json["account"]["first_name"]), (200, &json!("Erased")));
    assert!(!answer.text.to_lowercase().contains("secret"), "{}", answer.text);
    assert_eq!(answer.json["progress_events"].as_array().expect("a list").len(), 3);
    let path = format!("/worklete_admin/users/{UNKNOWN}/export");
    let unknown = app.call_as(cast.person("staff admin"), Method::GET, &path, None).await;
    unknown.problem(404, "not_found");
}
