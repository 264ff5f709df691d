//! What staff and operators see of jobs.

mod common;

use std::time::{Duration, Instant};

use common::{Answer, Cast, TestApp, column, expect_by_role};
use reqwest::Method;
use serde_json::json;

const PATH: &str = "/worklete_admin/jobs";

async fn list(app: &TestApp, cast: &Cast, query: &str) -> Answer {
    let path = format!("{PATH}{query}");
    let answer = app.call_as(cast.person("staff employee"), Method::GET, &path, None).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer
}

fn id(number: u32) -> String {
    format!("00000000-0000-7000-8000-{number:012x}")
}

/// A job that was queued so many minutes after the first of January, in this state.
fn given(app: &TestApp, number: u32, state: &str, organization: Option<&str>) {
    let at = format!("'2026-01-01 00:{number:02}:00+00'::timestamptz");
    let organization = organization.map_or_else(|| "NULL".into(), |id| format!("'{id}'"));
    let (running, ended) = (state == "running", matches!(state, "done" | "dead" | "cancelled"));
    app.database.execute(&format!(
        "INSERT INTO jobs (id, organization_id, kind, subject, state, run_at, created_at, locked_until, finished_at) \
         VALUES ('{}', {organization}, 'roster_import', '{}', '{state}', {at}, {at}, CASE WHEN {running} THEN {at} END, \
         CASE WHEN {ended} THEN {at} END)",
        id(number),
        id(1000 + number),
    ));
}

#[tokio::test]
async fn staff_sees_all_of_a_job() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    assert_eq!(list(&app, &cast, "").await.json, json!([]));
    given(&app, 1, "queued", Some(&cast.organization));
    app.database.execute(
        "UPDATE jobs SET state = 'running', attempt = 2, percent = 40.5, worker = 'w-1', error = 'the file is gone', \
         locked_until = '2026-01-01 01:00:00+00', started_at = '2026-01-01 00:02:00+00'",
    );
    let answer = list(&app, &cast, "").await;
    let expected = json!([{
        "id": id(1), "organization_id": cast.organization, "kind": "roster_import", "subject_id": id(1001),
        "state": "running", "attempt": 2, "max_attempts": 6, "percent": 40.5, "error": "the file is gone",
        "worker": "w-1", "run_at": "2026-01-01T00:01:00Z", "locked_until": "2026-01-01T01:00:00Z",
        "created_at": "2026-01-01T00:01:00Z", "started_at": "2026-01-01T00:02:00Z", "finished_at": null
    }]);
    assert_eq!(answer.json, expected);
}

#[tokio::test]
async fn the_newest_come_first_page_by_page_and_filters_must_all_fit() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let here = cast.organization.as_str();
    for (number, state, organization) in [
        (3, "dead", None),
        (1, "queued", Some(here)),
        (5, "done", Some(here)),
        (2, "cancelled", None),
        (4, "queued", None),
    ] {
        given(&app, number, state, organization);
    }
    for (query, expected) in [
        (String::new(), vec![5, 4, 3, 2, 1]),
        ("?kind=roster_import".into(), vec![5, 4, 3, 2, 1]),
        ("?state=queued".into(), vec![4, 1]),
        ("?state=running".into(), vec![]),
        (format!("?organization_id={here}"), vec![5, 1]),
        (format!("?organization_id={here}&state=queued&kind=roster_import"), vec![1]),
        (format!("?organization_id={}", id(7)), vec![]),
    ] {
        let answer = list(&app, &cast, &query).await;
        assert_eq!(
            column(&answer.json, "id"),
            expected.iter().copied().map(id).collect::<Vec<_>>(),
            "{query}"
        );
        assert_eq!(answer.header("x-total-count"), Some(&*expected.len().to_string()), "{query}");
    }
    let page = list(&app, &cast, "?size=2&page=2").await;
    assert_eq!(column(&page.json, "id"), [id(3), id(2)]);
    assert_eq!((page.header("x-total-count"), page.header("x-per-page")), (Some("5"), Some("2")));
    assert_eq!(list(&app, &cast, "?size=2&page=4").await.json, json!([]));
    assert_eq!(list(&app, &cast, "").await.header("x-per-page"), Some("25"));
}

#[tokio::test]
async fn nonsense_is_named() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    for (query, named) in [
        ("kind=tea", "kind"),
        ("kind=", "kind"),
        ("state=tired", "state"),
        ("organization_id=x", "organization_id"),
        ("page=0", "page"),
        ("size=0", "size"),
        ("q=x", "q"),
    ] {
        let path = format!("{PATH}?{query}");
        let refused = app.call_as(cast.person("staff admin"), Method::GET, &path, None).await;
        assert_eq!(common::keys(refused.fields()), [named], "{query}");
    }
}

#[tokio::test]
async fn jobs_are_for_staff() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    expect_by_role(&app, &cast, Method::GET, PATH, None, [401, 403, 403, 403, 403, 403, 200, 200]).await;
}

/// The lines of the numbers that tell of jobs.
async fn numbers(app: &TestApp) -> Vec<String> {
    let answer = app.call(Method::GET, "//metrics", None).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.ends_with("# EOF\n"), "{answer:?}");
    answer.text.lines().filter(|line| line.starts_with("worklete_jobs")).map(str::to_owned).collect()
}

fn lines(queued: u32, running: u32, dead: u32) -> Vec<String> {
    let line = |state, count| format!("worklete_jobs{{kind=\"roster_import\",state=\"{state}\"}} {count}");
    let mut lines = vec![line("queued", queued), line("running", running), line("dead", dead)];
    lines.sort();
    lines
}

#[tokio::test]
async fn the_numbers_count_jobs_as_long_as_the_database_is_there() {
    let app = TestApp::start().await;
    let sorted = async || {
        let mut lines = numbers(&app).await;
        lines.sort();
        lines
    };
    assert_eq!(sorted().await, lines(0, 0, 0));
    for (number, state) in [(1, "queued"), (2, "queued"), (3, "running"), (4, "dead"), (5, "done")] {
        given(&app, number, state, None);
    }
    assert_eq!(sorted().await, lines(2, 1, 1));
    app.database.execute("UPDATE jobs SET state = 'cancelled' WHERE state = 'dead'");
    assert_eq!(sorted().await, lines(2, 1, 0));
    app.database.allow_connections(false);
    app.database.cut_connections();
    let start = Instant::now();
    assert_eq!(numbers(&app).await, Vec::<String>::new());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    app.database.allow_connections(true);
    while sorted().await != lines(2, 1, 0) {
        assert!(start.elapsed() < Duration::from_secs(20), "the numbers do not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
