//! What reading costs: at most two statements for a GET, and no write.

mod common;

use std::time::{Duration, Instant};

use common::{Person, TestApp, id_of};
use reqwest::Method;
use serde_json::{Value, json};

/// A person who may read everything, and every GET that takes a session, filled in. One is none that reads: the published API
/// has a GET for the permission to put a file, and makes the import that will take it.
async fn reads(app: &TestApp) -> (Person, Vec<(String, String)>) {
    let staff = app.staff("staff-admin", "admin").await;
    let course = app
        .call_as(&staff, Method::POST, "/worklete_admin/courses", Some(json!({ "name": "Lifting" })))
        .await;
    let versions = format!("/worklete_admin/courses/{}/versions", id_of(&course.json));
    let version = app.call_as(&staff, Method::POST, &versions, Some(json!({ "data": {} }))).await;
    let organization = app.organization(&staff, "Harbor").await;
    let team = app.team(&staff, &organization, "Night shift").await;
    let invited = app.membership(&staff, &organization, json!({})).await;
    let (membership, invitation) = (id_of(&invited), id_of(&invited["invitation"]));
    let learner = app.member(&staff, &organization, "learner", json!({})).await;
    // The staff member learns, too: what is current is there already, so that asking for it writes nothing.
    let place = app.membership(&staff, &organization, json!({})).await;
    let accept = format!("/invitations/{}/accept", place["invite_code"].as_str().expect("a code"));
    let accepted = app.call_as(&staff, Method::POST, &accept, None).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    app.basics(&staff, 1).await;
    let current = app.call_as(&staff, Method::GET, "/courses/current", None).await;
    let refinements = format!("/worklete_admin/teams/{team}/refinements");
    let refinement = app.call_as(&staff, Method::POST, &refinements, Some(json!({ "data": {} }))).await;
    let import = "00000000-0000-4000-8000-00000000001a";
    app.database.execute(&format!(
        "INSERT INTO imports (id, organization_id, key, etag, mode, dry_run, state, created_at) \
         VALUES ('{import}', '{organization}', 'harbor/a.csv', 'e', 'delta', false, 'held', now())"
    ));
    let samples = [
        ("imports/{id}", format!("imports/{import}")),
        ("{refinement_id}", id_of(&refinement.json)),
        ("{assignment_id}", id_of(&current.json["assignment"])),
        ("{user_id}", id_of(&learner.data)),
        ("courses/{id}", format!("courses/{}", id_of(&course.json))),
        ("invitations/{id}", format!("invitations/{invitation}")),
        ("{course_id}", id_of(&course.json)),
        ("{version_id}", id_of(&version.json)),
        ("{organization_id}", organization.clone()),
        ("{team_id}", team),
        ("{membership_id}", membership),
    ];
    let document = serde_json::to_value(api::openapi::document()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let takes_session = |item: &Value| item["get"].is_object() && item["get"].get("security").is_none();
    let reads: Vec<_> = paths
        .iter()
        .filter(|(path, item)| takes_session(item) && !path.ends_with("/upload_memberships_csv"))
        .map(|(path, _)| {
            let fill = |path: String, (part, value): &(&str, String)| path.replace(part, value);
            let concrete = samples.iter().fold(path.clone(), fill);
            assert!(!concrete.contains('{'), "add a sample for {path}");
            let query = match path.as_str() {
                path if path.contains("/search/") => "?q=demo".to_owned(),
                "/api/v1/worklete_admin/courses" => format!("?organization_id={organization}"),
                _ => String::new(),
            };
            (path.clone(), format!("{concrete}{query}"))
        })
        .collect();
    assert!(reads.len() >= 2, "{reads:?}");
    (staff, reads)
}

#[tokio::test]
async fn a_read_costs_at_most_two_statements() {
    let app = TestApp::start().await;
    let (staff, reads) = reads(&app).await;
    for (path, concrete) in reads {
        let mut counts = Vec::new();
        // The fewest of some: now and then the server does something by itself.
        for _ in 0..3 {
            let before = app.statements();
            let answer = app.call_as(&staff, Method::GET, &format!("/{concrete}"), None).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            counts.push(app.statements() - before);
        }
        let fewest = counts.into_iter().min().expect("three");
        let expected = match path.as_str() {
            "/api/v1/auth/validate_token" => 1..=1,
            _ => 1..=2,
        };
        assert!(expected.contains(&fewest), "{path} takes {fewest} statements");
    }
}

#[tokio::test]
async fn an_anonymous_read_costs_at_most_one_statement() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let membership = app.membership(&staff, &organization, json!({})).await;
    let code = membership["invite_code"].as_str().expect("a code");
    for (path, status, most) in [
        (format!("/invitations/{code}"), 200, 1),
        ("/invitations/ZZZZZZ".into(), 404, 1),
        ("/invitations/nonsense".into(), 404, 0),
        ("/auth/usernames/somebody".into(), 200, 1),
        ("//healthz".into(), 200, 0),
        ("//readyz".into(), 200, 1),
        ("//metrics".into(), 200, 1),
        ("//docs".into(), 200, 0),
        ("//openapi.json".into(), 200, 0),
        ("/nothing".into(), 404, 0),
        ("/auth/validate_token".into(), 401, 0),
    ] {
        let mut fewest = u64::MAX;
        for _ in 0..3 {
            let before = app.statements();
            let answer = app.call(Method::GET, &path, None).await;
            assert_eq!(answer.status, status, "{path}");
            fewest = fewest.min(app.statements() - before);
        }
        assert!(fewest <= most, "{path} takes {fewest} statements");
    }
}

#[tokio::test]
async fn giving_a_course_and_taking_an_event_cost_few_statements() {
    let app = TestApp::start().await;
    let (staff, _) = reads(&app).await;
    let reading = app.statements();
    let current = app.call_as(&staff, Method::GET, "/courses/current", None).await;
    assert_eq!(app.statements() - reading, 2);
    let course = id_of(&current.json["course"]);
    let path = format!("/courses/{course}/events");
    // The session, the assignment, event and assignment written.
    let mut counts = Vec::new();
    for minute in 0..3 {
        let event = json!({
            "event_type": "update_progress", "player_session_id": course,
            "client_supplied_occured_at_in_ms": 1_767_600_000_000_i64 + minute, "progress": { "percent": minute }
        });
        let before = app.statements();
        assert_eq!(app.call_as(&staff, Method::POST, &path, Some(event)).await.status, 200);
        counts.push(app.statements() - before);
    }
    assert!(counts.iter().any(|count| *count <= 3), "{counts:?}");
    // Taken back, it is given again: the session, the choice, BEGIN, the locks, the assignment, the lesson, COMMIT.
    let mut counts = Vec::new();
    for _ in 0..3 {
        app.database.execute("UPDATE assignments SET state = 'withdrawn', withdrawn_at = now()");
        let before = app.statements();
        let given = app.call_as(&staff, Method::GET, "/courses/current", None).await;
        assert_eq!(given.json["course"]["id"], course.as_str());
        counts.push(app.statements() - before);
    }
    assert!(counts.iter().any(|count| *count <= 7), "{counts:?}");
}

#[tokio::test]
async fn reads_are_answered_from_a_database_that_refuses_every_write() {
    let app = TestApp::start().await;
    let (staff, reads) = reads(&app).await;
    app.database.make_read_only();
    let start = Instant::now();
    while app.call(Method::GET, "//readyz", None).await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(20), "not ready again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (path, concrete) in &reads {
        for _ in 0..3 {
            let answer = app.call_as(&staff, Method::GET, &format!("/{concrete}"), None).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }
    }
    let refused = app
        .call_as(&staff, Method::POST, "/worklete_admin/courses", Some(json!({ "name": "Refused" })))
        .await;
    assert!(refused.status >= 500, "the database does refuse writes: {refused:?}");
}
