//! The Worklete score over HTTP.

mod common;

use common::{Cast, Person, TestApp, expect_by_role, keys};
use reqwest::Method;
use serde_json::{Value, json};

/// Before this week: since when the cast is on the team. Weeks are those of UTC, as the organization's are.
const LONG_AGO: &str = "date_trunc('week', now() AT TIME ZONE 'UTC') - interval '10 weeks'";

fn path(team: &str) -> String {
    format!("/teams/{team}/worklete_score")
}

/// A team of 20 that has been there for ten weeks, with a lesson in each of the last four. Members 1 to 14 do theirs in time, 15
/// and 16 finish theirs after it was due, 17 and 18 do half of it, 19 and 20 have none and were never seen.
async fn example(app: &TestApp) -> Cast {
    let cast = app.cast().await;
    let (organization, team) = (&cast.organization, &cast.team);
    app.database.execute(&format!(
        "UPDATE teams SET created_at = {LONG_AGO};
         DELETE FROM team_memberships; DELETE FROM team_stints;
         INSERT INTO courses (id, name, created_at, updated_at) VALUES ('{COURSE}', 'Lifting', now(), now());
         INSERT INTO course_versions (id, course_id, number, status, data, created_by, created_at, updated_at)
            SELECT '{COURSE}', '{COURSE}', 1, 'draft', '{{}}', id, now(), now() FROM users LIMIT 1;
         INSERT INTO users (id, username, provider, first_name, last_name, created_at, updated_at)
            SELECT md5('u' || n)::uuid, 'worker-' || n, 'username', 'A', 'B', now(), now() FROM generate_series(1, 20) n;
         INSERT INTO memberships (id, organization_id, user_id, first_name, last_name, status, first_seen_at,
                reporting_starts_on, created_at, updated_at)
            SELECT md5('m' || n)::uuid, '{organization}', md5('u' || n)::uuid, 'A', 'B', 'active', {LONG_AGO}, {LONG_AGO}, now(),
                now() FROM generate_series(1, 20) n;
         INSERT INTO team_memberships (team_id, membership_id, organization_id, joined_at)
            SELECT '{team}', md5('m' || n)::uuid, '{organization}', {LONG_AGO} FROM generate_series(1, 20) n;
         INSERT INTO assignments (id, organization_id, membership_id, user_id, course_id, course_version_id, state, source,
                assigned_at, due_at, updated_at)
            SELECT md5('a' || n || '-' || week)::uuid, '{organization}', md5('m' || n)::uuid, md5('u' || n)::uuid, '{COURSE}',
                '{COURSE}', 'assigned', 'manual', {LONG_AGO}, {WEEKS_AGO} + interval '1 week', now()
            FROM generate_series(1, 20) n, generate_series(1, 4) week",
        WEEKS_AGO = "date_trunc('week', now() AT TIME ZONE 'UTC') - week * interval '1 week'",
    ));
    app.database.execute(
        "UPDATE assignments SET due_at = due_at - interval '8 days' WHERE membership_id IN (md5('m15')::uuid, md5('m16')::uuid);
         DELETE FROM assignments WHERE membership_id IN (md5('m19')::uuid, md5('m20')::uuid);
         INSERT INTO progress_events (dedupe_key, client_at, organization_id, assignment_id, event_type, player_session_id,
                client_ms, effective_at, credited_at, received_at, percent, progress, stale)
            SELECT sha256(a.id::text::bytea), a.done, a.organization_id, a.id, a.kind, a.id, 0, a.done, a.done, a.done, 50, '{}',
                false
            FROM (SELECT a.*, CASE WHEN membership_id IN (md5('m17')::uuid, md5('m18')::uuid) THEN 'update_progress'
                    ELSE 'complete' END AS kind,
                    CASE WHEN membership_id IN (md5('m15')::uuid, md5('m16')::uuid) THEN due_at + interval '2 days'
                    ELSE due_at - interval '2 days' END AS done FROM assignments a) a"
    );
    cast
}

const COURSE: &str = "00000000-0000-4000-8000-00000000c001";

async fn score(app: &TestApp, person: &Person, team: &str) -> Value {
    let answer = app.call_as(person, Method::GET, &path(team), None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json
}

fn component<'a>(score: &'a Value, name: &str) -> &'a Value {
    let all = score["components"].as_array().expect("components");
    all.iter().find(|component| component["name"] == name).expect("it is there")
}

#[tokio::test]
async fn who_runs_a_team_sees_what_its_score_is_made_of_and_members_the_total() {
    let app = TestApp::start().await;
    let cast = example(&app).await;
    let whole = score(&app, cast.person("team admin"), &cast.team).await;
    assert_eq!(
        keys(&whole),
        [
            "band",
            "components",
            "computed_at",
            "eligible_members",
            "formula_version",
            "previous_score",
            "score",
            "status",
            "team_id",
            "trend",
            "window"
        ]
    );
    assert_eq!((&whole["team_id"], &whole["formula_version"]), (&json!(cast.team), &json!(1)));
    assert_eq!((&whole["status"], &whole["eligible_members"]), (&json!("ok"), &json!(20)));
    assert_eq!(whole["window"]["weeks"], 4);
    assert_eq!(whole["trend"].as_array().map(Vec::len), Some(12));
    assert_eq!(whole["trend"][11]["score"], whole["score"]);
    assert_eq!(whole["trend"][10]["score"], whole["previous_score"]);
    let activation = component(&whole, "activation");
    assert_eq!((&activation["numerator"], &activation["denominator"]), (&json!(18.0), &json!(20)));
    assert_eq!(component(&whole, "champions")["denominator"], 2);

    // Somebody who is only on the team.
    app.database.execute(&format!(
        "INSERT INTO team_memberships SELECT '{}', m.id, m.organization_id, now() FROM memberships m \
         JOIN users u ON u.id = m.user_id WHERE u.username = 'member'",
        cast.team
    ));
    let total = score(&app, cast.person("member"), &cast.team).await;
    assert_eq!(
        keys(&total),
        ["band", "computed_at", "formula_version", "score", "status", "team_id", "window"]
    );
    assert_eq!((&total["score"], &total["band"]), (&whole["score"], &whole["band"]));
}

#[tokio::test]
async fn a_refinement_of_a_past_week_counts_at_once_and_one_of_this_week_does_not() {
    let app = TestApp::start().await;
    let cast = example(&app).await;
    let lead = cast.person("team admin");
    let before = score(&app, lead, &cast.team).await;
    assert_eq!(component(&before, "practice")["numerator"], 0.0);
    let refinements = format!("/worklete_admin/teams/{}/refinements", cast.team);
    let to = before["window"]["to"].as_str().expect("a day").to_owned();
    for (day, counted) in [(None, 0.0), (Some(to), 1.0)] {
        let data = day.map_or_else(|| json!({}), |day| json!({ "occurred_on": day }));
        let noted = app.call_as(lead, Method::POST, &refinements, Some(json!({ "data": data }))).await;
        assert_eq!(noted.status, 201, "{noted:?}");
        let after = score(&app, lead, &cast.team).await;
        assert_eq!(component(&after, "practice")["numerator"], counted);
    }
    let after = score(&app, lead, &cast.team).await;
    // A quarter of 25 points.
    let points = |score: &Value| score["score"].as_i64().expect("a score");
    assert!((6..=7).contains(&(points(&after) - points(&before))), "{before} {after}");
}

#[tokio::test]
async fn teams_are_compared_by_admins_and_leads_see_their_own_beside_the_median() {
    let app = TestApp::start().await;
    let cast = example(&app).await;
    let admin = cast.person("org admin");
    app.team(cast.person("staff admin"), &cast.organization, "Empty").await;
    let list = format!("/organizations/{}/teams/scores", cast.organization);
    let all = app.call_as(admin, Method::GET, &list, None).await;
    assert_eq!(all.status, 200, "{all:?}");
    let rows = all.json.as_array().expect("a list");
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str()).collect();
    assert_eq!(names, [Some("Night shift"), Some("Empty")], "without a score last");
    assert_eq!(keys(&rows[0]["worklete_score"]), ["band", "score", "trend"]);
    assert_eq!(rows[1]["worklete_score"]["score"], Value::Null);
    let whole = score(&app, admin, &cast.team).await;
    assert_eq!(rows[0]["worklete_score"]["trend"], whole["trend"]);
    let median = whole["score"].to_string();
    assert_eq!(all.header("x-organization-median-score"), Some(median.as_str()));
    assert_eq!(all.header("x-total-count"), Some("2"));

    let own = app.call_as(cast.person("team admin"), Method::GET, &list, None).await;
    assert_eq!((own.status, own.json.as_array().map(Vec::len)), (200, Some(1)), "{own:?}");
    assert_eq!(own.header("x-organization-median-score"), Some(median.as_str()));
    let second = app.call_as(admin, Method::GET, &format!("{list}?size=1&page=2"), None).await;
    assert_eq!(second.json[0]["name"], "Empty");
}

#[tokio::test]
async fn who_may_see_scores() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    expect_by_role(
        &app,
        &cast,
        Method::GET,
        &path(&cast.team),
        None,
        [401, 404, 404, 200, 200, 200, 200, 200],
    )
    .await;
    let list = format!("/organizations/{}/teams/scores", cast.organization);
    expect_by_role(&app, &cast, Method::GET, &list, None, [401, 404, 404, 403, 200, 200, 200, 200]).await;
}
