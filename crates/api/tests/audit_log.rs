//! Reading the audit trail.

mod common;

use common::{Answer, Cast, Person, TestApp, column, expect_by_role, id_of};
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/worklete_admin/audit_log";

async fn list(app: &TestApp, cast: &Cast, query: &str) -> Answer {
    let path = format!("{PATH}{query}");
    let answer = app.call_as(cast.person("staff employee"), Method::GET, &path, None).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer
}

/// The path of the next part.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?;
    let path = link.strip_prefix("</api/v1").and_then(|link| link.strip_suffix(">; rel=\"next\""));
    Some(path.unwrap_or_else(|| panic!("one link, to the next part: {link}")).to_owned())
}

async fn rename(app: &TestApp, by: &Person, team: &str, name: &str) {
    let answer =
        app.call_as(by, Method::PATCH, &format!("/teams/{team}"), Some(json!({ "name": name }))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn staff_reads_all_rows_newest_first() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    rename(&app, cast.person("org admin"), &cast.team, "Late shift").await;
    let answer = list(&app, &cast, "?size=200").await;
    let mut stored: Vec<Value> = app.audit().into_iter().map(|row| row["id"].clone()).collect();
    stored.reverse();
    assert_eq!(column(&answer.json, "id"), stored);
    assert_eq!(next(&answer), None);
    let newest = &answer.json[0];
    let fields = [
        "action",
        "actor_id",
        "after",
        "at",
        "before",
        "id",
        "ip",
        "organization_id",
        "request_id",
        "subject_id",
        "subject_kind",
    ];
    assert_eq!(common::keys(newest), fields);
    assert_eq!((&newest["action"], &newest["subject_id"]), (&json!("team.rename"), &json!(cast.team)));
    assert_eq!(newest["after"]["name"], "Late shift");
    common::time(&newest["at"]);
}

#[tokio::test]
async fn parts_hold_every_row_once_even_of_one_instant_and_while_rows_are_added() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    app.database.execute(
        "INSERT INTO audit_log (id, at, actor_id, action, subject_kind, subject_id, request_id) \
         SELECT gen_random_uuid(), '2026-01-05 08:00:00.123456+00', u.id, 'user.update', 'user', u.id, 'r' \
         FROM users u, generate_series(1, 20)",
    );
    let total = app.audit().len();
    let mut path = Some(format!("{PATH}?size=7"));
    let mut seen: Vec<String> = Vec::new();
    while let Some(part) = path {
        let answer = app.call_as(cast.person("staff admin"), Method::GET, &part, None).await;
        assert_eq!(answer.status, 200, "{part}: {answer:?}");
        assert_eq!(answer.header("x-total-count"), None, "nobody counts the whole trail");
        seen.extend(column(&answer.json, "id").iter().map(|id| (*id).to_owned()));
        path = next(&answer);
        rename(&app, cast.person("org admin"), &cast.team, &format!("Shift {}", seen.len())).await;
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((seen.len(), count), (total, total));
}

#[tokio::test]
async fn filters_narrow_and_all_that_are_sent_must_fit() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, staff) = (cast.person("org admin"), cast.person("staff admin"));
    rename(&app, admin, &cast.team, "Late shift").await;
    let elsewhere = app.organization(staff, "Elsewhere").await;
    let all = list(&app, &cast, "?size=200").await.json;
    let rows = all.as_array().expect("a list");
    let (admin, staff) = (id_of(&admin.data), id_of(&staff.data));
    for (query, field, value) in [
        (format!("organization_id={}", cast.organization), "organization_id", cast.organization.clone()),
        (format!("actor_id={admin}"), "actor_id", admin.clone()),
        ("subject_kind=membership".to_owned(), "subject_kind", "membership".to_owned()),
        (format!("subject_id={}", cast.team), "subject_id", cast.team.clone()),
        (format!("subject_id={elsewhere}&subject_kind=organization"), "subject_id", elsewhere.clone()),
    ] {
        let expected: Vec<&Value> = rows.iter().filter(|row| row[field] == value.as_str()).collect();
        assert!(!expected.is_empty() && expected.len() < rows.len(), "{query}");
        let found = list(&app, &cast, &format!("?size=200&{query}")).await.json;
        assert_eq!(found.as_array().expect("a list").iter().collect::<Vec<_>>(), expected, "{query}");
    }
    for query in [
        format!("actor_id={admin}&subject_kind=membership"),
        format!("subject_kind=user&subject_id={}", cast.team),
        format!("organization_id={staff}"),
    ] {
        assert_eq!(list(&app, &cast, &format!("?{query}")).await.json, json!([]), "{query}");
    }
    let middle = rows[rows.len() / 2]["at"].as_str().expect("a time");
    let before = list(&app, &cast, &format!("?size=200&to={middle}")).await.json;
    let after = list(&app, &cast, &format!("?size=200&from={middle}")).await.json;
    let count = |list: &Value| list.as_array().expect("a list").len();
    assert_eq!(count(&before) + count(&after), rows.len());
    assert!(column(&after, "at").contains(&middle), "from is inside, to outside");
    let linked = list(&app, &cast, "?size=1&subject_kind=membership").await;
    let following = next(&linked).expect("more");
    assert!(following.contains("subject_kind=membership") && following.contains("size=1"), "{following}");
}

#[tokio::test]
async fn nonsense_is_named() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    for (query, named) in [
        ("organization_id=x", "organization_id"),
        ("actor_id=", "actor_id"),
        ("subject_kind=planet", "subject_kind"),
        ("subject_id=7", "subject_id"),
        ("from=yesterday", "from"),
        ("to=2026-01-05", "to"),
        ("after=x", "after"),
        ("size=0", "size"),
        ("page=2", "page"),
        ("q=x", "q"),
    ] {
        let path = format!("{PATH}?{query}");
        let refused = app.call_as(cast.person("staff admin"), Method::GET, &path, None).await;
        assert_eq!(common::keys(refused.fields()), [named], "{query}");
    }
}

#[tokio::test]
async fn the_trail_is_for_staff() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    expect_by_role(&app, &cast, Method::GET, PATH, None, [401, 403, 403, 403, 403, 403, 200, 200]).await;
}
