//! Contract tests of `UserArchive`.

mod common;

use adapter_postgres::testing::TestDatabase;
use domain_kernel::UserId;
use domain_users::{ExportPlace, ExportRecord, ExportSection};
use serde_json::{Value, json};

use crate::common::{Ports, a_membership, a_reset, at, given_course, next_id};

async fn list(ports: &Ports, user: UserId, after: Option<ExportPlace>, limit: i64) -> Vec<ExportRecord> {
    ports.archive.list(user, after, limit).await.expect("lists")
}

/// All records, read in parts of so many.
async fn whole(ports: &Ports, user: UserId, limit: i64) -> Vec<ExportRecord> {
    let mut records: Vec<ExportRecord> = Vec::new();
    loop {
        let after = records.last().map(|record| record.place);
        let part = list(ports, user, after, limit).await;
        if part.is_empty() {
            return records;
        }
        records.extend(part);
    }
}

fn json_of(record: &ExportRecord) -> Value {
    serde_json::from_str(&record.json).expect("JSON")
}

/// A member of an organization and of a team, with a record of every section; and somebody else with as much.
async fn given_people(ports: &Ports, db: &TestDatabase) -> [UserId; 2] {
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let team = ports.given_team(staff, organization, "Night shift").await;
    let course = given_course(db, None, "Lifting");
    let mut people = Vec::new();
    for (name, code) in [("zoe-one", "AAAA22"), ("other-one", "BBBB22")] {
        let mut new = a_membership(staff, organization, code);
        new.membership.teams = vec![team];
        ports.given_membership(new).await;
        let (user, _) = ports.given_member(name, Some(code)).await;
        ports.resets.insert(a_reset(user.id, at(23))).await.expect("inserts");
        people.push(user.id);
    }
    db.execute(&format!(
        "INSERT INTO course_versions (id, course_id, number, status, data, created_by, created_at, updated_at, published_at) \
            VALUES ('{version}', '{course}', 1, 'published', '{{}}', '{staff}', now(), now(), now()); \
         INSERT INTO champion_certifications (id, user_id, date, expires_on, created_by, created_at) \
            SELECT gen_random_uuid(), id, '2026-01-05', '2027-01-05', id, now() FROM users WHERE staff_role IS NULL; \
         INSERT INTO refinements (id, organization_id, team_id, data, occurred_on, created_by, created_at, updated_at) \
            SELECT gen_random_uuid(), '{organization}', '{team}', '{{\"notes\": \"knees\"}}', now(), id, now(), now() \
            FROM users WHERE staff_role IS NULL; \
         INSERT INTO assignments (id, organization_id, membership_id, user_id, course_id, course_version_id, state, source, \
                assigned_at, updated_at) \
            SELECT gen_random_uuid(), m.organization_id, m.id, m.user_id, '{course}', '{version}', state, 'manual', now(), now() \
            FROM memberships m, unnest('{{assigned,in_progress}}'::text[]) state; \
         INSERT INTO progress_events (dedupe_key, client_at, organization_id, assignment_id, event_type, player_session_id, \
                client_ms, effective_at, credited_at, received_at, percent, progress, stale) \
            SELECT sha256((a.id::text || n)::bytea), now(), a.organization_id, a.id, 'update_progress', gen_random_uuid(), n, \
                '2026-01-05 08:00+00'::timestamptz + (n / 3) * interval '1 second', now(), now(), 1, '{{}}', false \
            FROM assignments a, generate_series(1, 10) n",
        version = next_id(),
    ));
    people.try_into().expect("two")
}

#[tokio::test]
async fn the_records_of_a_person_come_in_order_and_are_of_nobody_else() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let [user, other] = given_people(&ports, &db).await;
    let records = whole(&ports, user, 1000).await;
    let of = |section| records.iter().filter(move |record| record.place.section == section).map(json_of);
    let counts = ExportSection::ALL.map(|section| of(section).count());
    assert_eq!(counts, [1, 1, 1, 1, 1, 1, 2, 20]);
    assert!(records.is_sorted_by_key(|record| record.place));
    assert!(records.iter().all(|record| !record.json.contains(&other.to_string())));

    let account = of(ExportSection::Account).next().expect("an account");
    assert_eq!((&account["id"], &account["username"]), (&json!(user.to_string()), &json!("zoe-one")));
    assert_eq!(account["created_at"], "2026-01-05T08:00:00.000000Z");
    let membership = of(ExportSection::Memberships).next().expect("a membership");
    assert_eq!(
        (&membership["organization_name"], &membership["status"]),
        (&json!("North"), &json!("active"))
    );
    assert_eq!(membership["teams"].as_array().map(Vec::len), Some(1));
    let refinement = of(ExportSection::Refinements).next().expect("a refinement");
    assert_eq!(refinement["data"], json!({ "notes": "knees" }));
    let session = of(ExportSection::Sessions).next().expect("a session");
    assert_eq!((&session["ip"], &session["user_agent"]), (&json!("192.0.2.7"), &json!("Browser/1.0")));
}

#[tokio::test]
async fn parts_of_any_size_are_the_whole() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let [user, _] = given_people(&ports, &db).await;
    let expected = whole(&ports, user, 1000).await;
    for limit in [1, 2, 3, 7, 28] {
        assert_eq!(whole(&ports, user, limit).await, expected, "{limit}");
    }
}

#[tokio::test]
async fn no_record_tells_a_secret() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let [user, _] = given_people(&ports, &db).await;
    for record in whole(&ports, user, 1000).await {
        for secret in ["hash", "token", "AAAA22", "client_id"] {
            assert!(!record.json.contains(secret), "{secret} in {}", record.json);
        }
    }
}

#[tokio::test]
async fn deleted_people_have_records_and_nobody_has_none() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("zoe-one").await;
    ports.users.delete(user.id, at(60)).await.expect("deletes");
    let records = list(&ports, user.id, None, 10).await;
    assert_eq!(records.len(), 1, "the account; its sessions have ended");
    assert!(json_of(&records[0])["deleted_at"].is_string());
    assert_eq!(list(&ports, UserId::new(next_id()), None, 10).await, []);
}
