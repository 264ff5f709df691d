//! Contract tests of `UserRepository::erase`; those of the erasure that the owner asked for are in `users.rs`.

mod common;

use std::sync::Arc;

use adapter_postgres::testing::TestDatabase;
use domain_kernel::{AuditEntry, AuditSubject, DomainError, EmailAddress, ErrorKind, OrgId, Refusal, UserId};
use domain_users::ports::ErasureDecision;
use domain_users::{Erasure, Kept, Replaced, UserError};

use crate::common::{Ports, a_membership, a_reset, an_audit, at, audit_json, count, everything, next_id};

fn erasing(audit: AuditEntry) -> ErasureDecision {
    Box::new(move |found| {
        assert_eq!((found.erased_at, found.receipt), (None, None));
        Ok(Some(audit))
    })
}

fn a_dry_run() -> ErasureDecision {
    Box::new(|_| Ok(None))
}

fn receipt(staff: UserId, user: UserId) -> AuditEntry {
    an_audit(staff, "user.erase", None, AuditSubject::User(user))
}

/// Somebody with a membership whose invitation was mailed, a second session, a reset link and a certification.
async fn given_person(ports: &Ports, db: &TestDatabase, staff: UserId, organization: OrgId) -> UserId {
    let invited = ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let to = EmailAddress::parse("secret@example.org").expect("an address");
    let invitation = invited.invitation.expect("invited").id;
    ports.invitations.note_sent(invitation, to, at(21)).await.expect("notes");
    let (user, _) = ports.given_member("secret-name", Some("AAAA22")).await;
    ports.sessions.open(common::a_session(user.id, at(22)), 10).await.expect("opens");
    ports.resets.insert(a_reset(user.id, at(23))).await.expect("inserts");
    // A line of a roster about them that was wrong.
    db.execute(&format!(
        "UPDATE memberships SET external_id = 'secret-number' WHERE user_id = '{}'; \
         INSERT INTO imports (id, organization_id, key, etag, mode, dry_run, state, created_at, finished_at) \
         VALUES (gen_random_uuid(), '{organization}', 'a.csv', 'e', 'delta', false, 'done', now(), now()); \
         INSERT INTO import_rows (import_id, position, line, key, action, problems) SELECT id, 1, 2, 'secret-number', 'rejected', \
         '[{{\"column\": \"email\", \"code\": \"invalid\", \"message\": \"m\", \"value\": \"secret\"}}]' FROM imports",
        user.id
    ));
    db.execute(&format!(
        "INSERT INTO champion_certifications (id, user_id, date, expires_on, created_by, created_at) \
         VALUES (gen_random_uuid(), '{}', '2026-01-05', '2027-01-05', '{staff}', now())",
        user.id
    ));
    user.id
}

fn expected(found: &Erasure) -> Erasure {
    Erasure {
        account: found.account.clone(),
        erased_at: None,
        receipt: None,
        replaced: Replaced { accounts: 1, memberships: 1, invitations: 1, sessions: 2, reset_links: 1 },
        kept: Kept { champion_certifications: 1, ..Kept::default() },
    }
}

#[tokio::test]
async fn what_is_there_is_counted_and_without_an_audit_row_nothing_is_written() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let user = given_person(&ports, &db, staff, organization).await;
    let before = everything(&db);
    let found = ports.users.erase(user, at(60), a_dry_run()).await.expect("counts");
    assert_eq!(found, expected(&found));
    assert_eq!(found.account.user.uid(), "secret-name");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn erasing_deletes_the_account_takes_all_that_is_personal_and_leaves_the_row() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let user = given_person(&ports, &db, staff, organization).await;
    let audit = receipt(staff, user);
    let erased = ports.users.erase(user, at(60), erasing(audit.clone())).await.expect("erases");
    let counted = expected(&erased);
    assert_eq!(erased, Erasure { erased_at: Some(at(60)), receipt: Some(audit.id), ..counted });
    assert_eq!(count(&db, "users WHERE username LIKE 'erased-%' AND deleted_at IS NOT NULL"), 1);
    assert_eq!(count(&db, "memberships WHERE status = 'deactivated' AND first_name = 'Erased'"), 1);
    assert_eq!((count(&db, "sessions"), count(&db, "invitations WHERE sent_to IS NOT NULL")), (0, 0));
    assert_eq!(count(&db, "champion_certifications"), 1);
    assert!(everything(&db).iter().all(|row| !row.contains("secret")));
    let rows = ports.json("SELECT to_jsonb(a) AS value FROM audit_log a WHERE action = 'user.erase'").await;
    assert_eq!(rows, [audit_json(&audit)]);
}

#[tokio::test]
async fn who_is_erased_keeps_the_time_and_the_receipt_and_has_nothing_left_to_replace() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let user = given_person(&ports, &db, staff, organization).await;
    let audit = receipt(staff, user);
    ports.users.erase(user, at(60), erasing(audit.clone())).await.expect("erases");
    let before = everything(&db);
    let again = ports.users.erase(user, at(70), a_dry_run()).await.expect("counts");
    assert_eq!((again.erased_at, again.receipt), (Some(at(60)), Some(audit.id)));
    assert_eq!(again.replaced, Replaced::default());
    assert_eq!(again.kept, Kept { champion_certifications: 1, audit_rows: 1, ..Kept::default() });
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn who_deleted_the_account_is_erased_without_waiting_and_by_the_job_without_a_receipt() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let user = given_person(&ports, &db, staff, organization).await;
    ports.users.delete(user, at(50)).await.expect("deletes");
    let erased = ports.users.erase(user, at(60), erasing(receipt(staff, user))).await.expect("erases");
    assert_eq!((erased.replaced.sessions, erased.replaced.memberships), (0, 1));
    assert_eq!(count(&db, "users WHERE deleted_at < erased_at"), 1, "the time of leaving stays");

    let (other, _) = ports.given_user("other-one").await;
    ports.users.delete(other.id, at(50)).await.expect("deletes");
    assert_eq!(ports.users.erase_deleted(at(51), at(80)).await.expect("erases"), 1);
    let found = ports.users.erase(other.id, at(90), a_dry_run()).await.expect("counts");
    assert_eq!((found.erased_at, found.receipt), (Some(at(80)), None));
}

#[tokio::test]
async fn nobody_the_last_admin_and_a_decision_against_it_write_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let mut admin = a_membership(staff, organization, "BBBB22");
    admin.membership.org_admin = true;
    ports.given_membership(admin).await;
    let (admin, _) = ports.given_member("last-admin", Some("BBBB22")).await;
    let before = everything(&db);
    for decision in [a_dry_run(), erasing(receipt(staff, admin.id))] {
        let refused = ports.users.erase(admin.id, at(60), decision).await;
        assert!(matches!(refused, Err(UserError::LastOrgAdmin)), "{refused:?}");
    }
    let unknown = ports.users.erase(UserId::new(next_id()), at(60), a_dry_run()).await;
    assert_eq!(unknown.expect_err("nobody").kind(), ErrorKind::NotFound);
    let against: ErasureDecision = Box::new(|_| Err(Refusal::Forbidden.into()));
    let refused = ports.users.erase(admin.id, at(60), against).await;
    assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
    assert_eq!(everything(&db), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_erasures_at_once_one_is_done() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let user = given_person(&ports, &db, staff, organization).await;
    let erasures = (0..4).map(|_| {
        let (users, audit) = (Arc::clone(&ports.users), receipt(staff, user));
        let decide: ErasureDecision = Box::new(move |found| Ok(found.erased_at.is_none().then_some(audit)));
        async move { users.erase(user, at(60), decide).await.expect("answers").receipt }
    });
    let receipts = common::all_at_once(erasures).await;
    assert!(receipts.iter().all(|receipt| *receipt == receipts[0] && receipt.is_some()), "{receipts:?}");
    assert_eq!(count(&db, "audit_log WHERE action = 'user.erase'"), 1);
}
