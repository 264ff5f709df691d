//! Contract tests of `AuditTrail`.

mod common;

use adapter_postgres::testing::TestDatabase;
use chrono::{DateTime, Utc};
use domain_kernel::{AuditEntry, AuditSubject, OrgId, TeamId, UserId};
use domain_users::ports::UserChange;
use domain_users::{AuditFilter, AuditPlace, AuditRow};
use uuid::Uuid;

use crate::common::{Ports, an_audit, at, next_id};

/// Writes a row as a change of an account does.
async fn given_row(ports: &Ports, user: UserId, entry: AuditEntry) -> Uuid {
    let id = entry.id;
    let edit = Box::new(move |_: &mut domain_users::Account| Ok(UserChange::ByOther(Box::new(entry))));
    ports.users.update(user, edit, None).await.expect("updates");
    id
}

fn entry(actor: UserId, organization: Option<OrgId>, subject: AuditSubject, at: DateTime<Utc>) -> AuditEntry {
    AuditEntry { at, ..an_audit(actor, "user.update", organization, subject) }
}

async fn found(ports: &Ports, filter: AuditFilter) -> Vec<Uuid> {
    let rows = ports.audit.list(filter, None, 100).await.expect("lists");
    rows.into_iter().map(|row| row.place.id).collect()
}

#[tokio::test]
async fn a_row_comes_back_as_it_was_written() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let team = TeamId::new(next_id());
    let written = entry(staff, Some(organization), AuditSubject::Team(team), at(50));
    given_row(&ports, staff, written.clone()).await;
    let filter = AuditFilter { subject: Some(team.uuid()), ..AuditFilter::default() };
    let rows = ports.audit.list(filter, None, 10).await.expect("lists");
    let expected = AuditRow {
        place: AuditPlace { at: at(50), id: written.id },
        actor: staff,
        organization: Some(organization),
        action: "user.update".into(),
        subject_kind: "team".into(),
        subject: team.uuid(),
        before: written.before,
        after: written.after,
        request_id: "req-1".into(),
        ip: Some("192.0.2.9".into()),
    };
    assert_eq!(rows, [expected]);
}

#[tokio::test]
async fn rows_come_newest_first_and_go_on_after_any_of_them() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let subject = AuditSubject::User(staff);
    let mut expected = Vec::new();
    for minute in [50, 51, 51, 51, 52] {
        expected.push(given_row(&ports, staff, entry(staff, None, subject, at(minute))).await);
    }
    expected.reverse();
    assert_eq!(found(&ports, AuditFilter::default()).await, expected, "among equals the greatest id");
    let rows = ports.audit.list(AuditFilter::default(), None, 100).await.expect("lists");
    for (n, row) in rows.iter().enumerate() {
        let rest = ports.audit.list(AuditFilter::default(), Some(row.place), 2).await.expect("lists");
        assert_eq!(rest, rows[n + 1..].iter().take(2).cloned().collect::<Vec<_>>(), "after {n}");
    }
}

#[tokio::test]
async fn all_parts_of_a_filter_must_fit_and_unknown_things_find_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, north) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let (boss, _) = ports.given_user("boss-one").await;
    db.execute("ALTER TABLE audit_log DISABLE TRIGGER USER; DELETE FROM audit_log; ALTER TABLE audit_log ENABLE TRIGGER USER");
    let (user, team) = (AuditSubject::User(boss.id), AuditSubject::Team(TeamId::new(boss.id.uuid())));
    let mut rows = Vec::new();
    for (actor, organization, subject, minute) in [
        (staff, None, user, 50),
        (staff, Some(north), team, 51),
        (boss.id, Some(north), user, 52),
        (boss.id, Some(south), team, 53),
    ] {
        rows.push(given_row(&ports, staff, entry(actor, organization, subject, at(minute))).await);
    }
    let all = AuditFilter::default;
    for (filter, expected) in [
        (AuditFilter { organization: Some(north), ..all() }, vec![2, 1]),
        (AuditFilter { actor: Some(boss.id), ..all() }, vec![3, 2]),
        (AuditFilter { subject_kind: Some("user"), ..all() }, vec![2, 0]),
        (AuditFilter { subject: Some(boss.id.uuid()), ..all() }, vec![3, 2, 1, 0]),
        (AuditFilter { subject: Some(boss.id.uuid()), subject_kind: Some("team"), ..all() }, vec![3, 1]),
        (AuditFilter { from: Some(at(51)), to: Some(at(53)), ..all() }, vec![2, 1]),
        (AuditFilter { organization: Some(north), actor: Some(boss.id), ..all() }, vec![2]),
        (AuditFilter { organization: Some(OrgId::new(next_id())), ..all() }, vec![]),
        (AuditFilter { subject: Some(next_id()), ..all() }, vec![]),
        (AuditFilter { from: Some(at(54)), ..all() }, vec![]),
    ] {
        let expected: Vec<Uuid> = expected.into_iter().map(|n: usize| rows[n]).collect();
        assert_eq!(found(&ports, filter.clone()).await, expected, "{filter:?}");
    }
}
