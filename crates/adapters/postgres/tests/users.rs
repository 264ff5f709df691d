//! Contract tests of `UserRepository`; those of new passwords by mail are in `password_resets.rs`.

mod common;

use std::sync::{Arc, Barrier};
use std::time::Duration;

use adapter_postgres::testing::TestDatabase;
use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::{
    AuditEntry, AuditSubject, EmailAddress, FieldErrors, OrgId, PersonName, StaffRole, UserId,
};
use domain_users::ports::{PasswordGround, PasswordUpdate, StoredCredentials, UserChange, UserEdit};
use domain_users::{
    Account, FormerUid, MembershipBrief, MembershipStatus, PasswordHash, Provider, Session, User, UserError,
};
use serde_json::json;

use crate::common::{
    Ports, a_membership, a_registration, a_reset, a_session, a_user, all_at_once, an_audit, at, audit_json,
    brief_of, code, count, everything, fields_of, hash, language, login, name, next_id, own, username,
};

fn taken(field: &str) -> Vec<(String, &'static str)> {
    vec![(field.to_owned(), "taken")]
}

fn by_session(user: UserId, session: &Session, at: DateTime<Utc>) -> PasswordUpdate {
    PasswordUpdate {
        user,
        password_hash: hash("second hash"),
        at,
        ground: PasswordGround::Session(session.id),
    }
}

async fn hash_of(ports: &Ports, user: UserId) -> Option<PasswordHash> {
    let found = ports.users.find_credentials_by_id(user).await.expect("looked up");
    found.expect("a user").password_hash
}

// --- register ----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_sign_up_writes_user_membership_invitation_and_session() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let teams = [
        ports.given_team(staff, organization, "Day shift").await,
        ports.given_team(staff, organization, "Night shift").await,
    ];
    let mut new = a_membership(staff, organization, "AAAA22");
    new.membership.teams = teams.to_vec();
    new.membership.administered_teams = vec![teams[1]];
    new.membership.org_admin = true;
    let view = ports.given_membership(new).await;

    let user = a_user("Zoe.van.Dijk");
    let registration = a_registration(&user, Some("AAAA22"));
    let session = registration.session.clone();
    let account = ports.users.register(registration).await.expect("the code is good");

    let expected = Account { user: user.clone(), memberships: vec![brief_of(&view.membership, "North")] };
    assert_eq!(account, expected);
    let found = ports.sessions.find(&session.client).await.expect("looked up");
    assert_eq!(found, Some((session, expected)));
    assert_eq!(ports.users.find(user.id).await.expect("looked up"), Some(user.clone()));
    assert_eq!(hash_of(&ports, user.id).await, Some(hash("first hash")));
    let invitation = ports
        .json(
            "SELECT jsonb_build_object('status', status, 'at', accepted_at, 'by', accepted_by, 'changed', updated_at) \
             AS value FROM invitations",
        )
        .await;
    let time = at(10).to_rfc3339();
    let accepted = json!({ "status": "accepted", "at": time, "by": user.id.to_string(), "changed": time });
    assert_eq!(invitation, [accepted]);
    let linked = format!("memberships WHERE user_id = '{}' AND status = 'active'", user.id);
    assert_eq!(count(&db, &linked), 1);
}

#[tokio::test]
async fn a_sign_up_without_a_code_writes_user_and_session() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let user = a_user("zoe@example.org");
    let registration = a_registration(&user, None);
    let session = registration.session.clone();
    let account = ports.users.register(registration).await.expect("no code is needed");
    let expected = Account { user, memberships: vec![] };
    assert_eq!(account, expected);
    let found = ports.sessions.find(&session.client).await.expect("looked up");
    assert_eq!(found, Some((session, expected)));
}

#[tokio::test]
async fn unknown_used_revoked_and_expired_codes_sign_nobody_up_and_write_nothing() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let mut over = a_membership(staff, organization, "EXPIRD");
    over.invitation.expires_at = at(10);
    ports.given_membership(over).await;
    for code in ["REVKED", "STAMPD", "ACCPTD"] {
        ports.given_membership(a_membership(staff, organization, code)).await;
    }
    db.execute(
        "UPDATE invitations SET status = 'revoked', revoked_at = now() WHERE code = 'REVKED'; \
         UPDATE invitations SET status = 'expired' WHERE code = 'STAMPD'",
    );
    ports.given_member("colleague", Some("ACCPTD")).await;
    let before = everything(&db);
    for code in ["UNKNWN", "REVKED", "STAMPD", "ACCPTD", "EXPIRD"] {
        let user = a_user("newcomer");
        let registration = a_registration(&user, Some(code));
        assert_eq!(registration.session.created_at, at(10), "the very end of EXPIRD");
        let refused = ports.users.register(registration).await.expect_err(code);
        assert!(matches!(refused, UserError::InvitationNotUsable), "{code}: {refused:?}");
        assert_eq!(everything(&db), before, "{code}");
    }
}

#[tokio::test]
async fn the_code_of_a_membership_that_has_ended_signs_nobody_up() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    db.execute("UPDATE memberships SET status = 'deactivated', deactivated_at = now()");
    let before = everything(&db);
    let registration = a_registration(&a_user("newcomer"), Some("AAAA22"));
    let refused = ports.users.register(registration).await;
    assert!(matches!(refused, Err(UserError::InvitationNotUsable)), "{refused:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_sign_ups_with_one_code_exactly_one_succeeds_and_the_others_leave_nothing_behind() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let sign_ups = (0..8).map(|n| {
        let ports = ports.clone();
        let registration = a_registration(&a_user(&format!("newcomer-{n}")), Some("AAAA22"));
        async move { ports.users.register(registration).await }
    });
    let (done, refused): (Vec<_>, Vec<_>) = all_at_once(sign_ups).await.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (1, 7));
    for result in refused {
        assert!(matches!(result, Err(UserError::InvitationNotUsable)), "{result:?}");
    }
    let winner = done.into_iter().next().expect("one").expect("it succeeded");
    assert_eq!(count(&db, "users WHERE staff_role IS NULL"), 1);
    assert_eq!(count(&db, &format!("sessions WHERE user_id = '{}'", winner.user.id)), 1);
    assert_eq!(count(&db, "sessions"), 1);
    let taken = format!("memberships WHERE user_id = '{}' AND status = 'active'", winner.user.id);
    assert_eq!(count(&db, &taken), 1);
    let accepted = format!("invitations WHERE accepted_by = '{}' AND status = 'accepted'", winner.user.id);
    assert_eq!(count(&db, &accepted), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_sign_ups_with_one_name_in_any_case_exactly_one_succeeds() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let sign_ups = (0..8).map(|n| {
        let ports = ports.clone();
        let registration = a_registration(&a_user(if n % 2 == 0 { "newcomer" } else { "NewComer" }), None);
        async move { ports.users.register(registration).await }
    });
    let (done, refused): (Vec<_>, Vec<_>) = all_at_once(sign_ups).await.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (1, 7));
    for result in refused {
        assert!(matches!(result, Err(UserError::Taken(_))), "{result:?}");
    }
    assert_eq!((count(&db, "users"), count(&db, "sessions")), (1, 1));
}

#[tokio::test]
async fn a_name_or_address_in_use_signs_nobody_up_and_leaves_the_code_usable() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    ports.given_user("Somebody").await;
    ports.given_user("else@example.org").await;
    let with_address = User { email: EmailAddress::parse("third@example.org").ok(), ..a_user("the-third") };
    ports.users.register(a_registration(&with_address, None)).await.expect("all is new");
    let before = everything(&db);
    for name in ["Somebody", "sOMEBODY", "else@example.org", "Else@Example.org", "third@example.org"] {
        let registration = a_registration(&a_user(name), Some("AAAA22"));
        let refused = ports.users.register(registration).await.expect_err(name);
        assert!(matches!(refused, UserError::Taken(_)), "{name}: {refused:?}");
        assert_eq!(fields_of(&refused), taken("username"), "{name}: what was typed is the username");
        assert_eq!(everything(&db), before, "{name}");
    }
    ports.given_member("newcomer", Some("AAAA22")).await;
}

#[tokio::test]
async fn a_name_is_not_free_again_when_its_owner_is_locked_or_deleted() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    ports.given_user("locked-one").await;
    ports.given_user("deleted-one").await;
    db.execute(
        "UPDATE users SET locked_at = now() WHERE username = 'locked-one'; \
         UPDATE users SET deleted_at = now() WHERE username = 'deleted-one'",
    );
    for name in ["locked-one", "deleted-one"] {
        let refused = ports.users.register(a_registration(&a_user(name), None)).await;
        assert!(matches!(refused, Err(UserError::Taken(_))), "{name}: {refused:?}");
    }
}

// --- looking up --------------------------------------------------------------------------------------------------

#[tokio::test]
async fn credentials_are_found_by_username_or_address_in_any_case() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (by_name, _) = ports.given_user("Forklift.Fan").await;
    let (by_address, _) = ports.given_user("zoe@example.org").await;
    for (text, user) in [
        ("Forklift.Fan", &by_name),
        ("fORKLIFT.fAN", &by_name),
        ("zoe@example.org", &by_address),
        ("ZOE@Example.Org", &by_address),
    ] {
        let expected =
            StoredCredentials { user: user.id, password_hash: Some(hash("first hash")), is_active: true };
        let found = ports.users.find_credentials(&login(text)).await.expect("looked up");
        assert_eq!(found, Some(expected.clone()), "{text}");
        let found = ports.users.find_credentials_by_id(user.id).await.expect("looked up");
        assert_eq!(found, Some(expected));
    }
    for text in ["nobody-here", "nobody@example.org", "forklift_fan"] {
        assert_eq!(ports.users.find_credentials(&login(text)).await.expect("looked up"), None, "{text}");
    }
    let unknown = ports.users.find_credentials_by_id(UserId::new(next_id())).await;
    assert_eq!(unknown.expect("looked up"), None);
}

#[tokio::test]
async fn somebody_with_a_username_and_an_address_is_found_by_both() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let user = User { email: EmailAddress::parse("zoe@example.org").ok(), ..a_user("forklift-fan") };
    ports.users.register(a_registration(&user, None)).await.expect("all is new");
    for text in ["forklift-fan", "zoe@example.org"] {
        let found = ports.users.find_credentials(&login(text)).await.expect("looked up");
        assert_eq!(found.map(|credentials| credentials.user), Some(user.id), "{text}");
    }
}

#[tokio::test]
async fn locked_and_deleted_accounts_are_found_as_inactive() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (locked, _) = ports.given_user("locked-one").await;
    let (deleted, _) = ports.given_user("deleted-one").await;
    db.execute("UPDATE users SET locked_at = now() WHERE username = 'locked-one'");
    ports.users.delete(deleted.id, at(60)).await.expect("deletes");
    for user in [&locked, &deleted] {
        let expected =
            StoredCredentials { user: user.id, password_hash: Some(hash("first hash")), is_active: false };
        let found = ports.users.find_credentials(&login(user.uid())).await.expect("looked up");
        assert_eq!(found, Some(expected.clone()));
        let found = ports.users.find_credentials_by_id(user.id).await.expect("looked up");
        assert_eq!(found, Some(expected));
    }
}

#[tokio::test]
async fn somebody_without_a_password_has_credentials_without_a_hash() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("sso-only").await;
    db.execute("UPDATE users SET password_hash = NULL");
    let found = ports.users.find_credentials(&login("sso-only")).await.expect("looked up");
    let expected = StoredCredentials { user: user.id, password_hash: None, is_active: true };
    assert_eq!(found, Some(expected));
}

#[tokio::test]
async fn a_locked_user_is_found_and_a_deleted_or_unknown_one_is_not() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let locked = User {
        locked_at: Some(at(5)),
        staff_role: Some(StaffRole::Employee),
        last_sign_in_at: None,
        former_uid: Some(FormerUid { uid: "Old.Name".into(), changed_at: at(4) }),
        ..a_user("locked-one")
    };
    ports.users.register(a_registration(&locked, None)).await.expect("all is new");
    let (deleted, _) = ports.given_user("deleted-one").await;
    ports.users.delete(deleted.id, at(60)).await.expect("deletes");
    assert_eq!(ports.users.find(locked.id).await.expect("looked up"), Some(locked));
    for id in [deleted.id, UserId::new(next_id())] {
        assert_eq!(ports.users.find(id).await.expect("looked up"), None);
    }
}

#[tokio::test]
async fn a_name_exists_in_any_case_and_whether_its_owner_is_active_or_not() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    for name in ["active-one", "locked-one", "deleted-one", "zoe@example.org"] {
        ports.given_user(name).await;
    }
    db.execute(
        "UPDATE users SET locked_at = now() WHERE username = 'locked-one'; \
         UPDATE users SET deleted_at = now() WHERE username = 'deleted-one'",
    );
    for (name, exists) in [
        ("active-one", true),
        ("ACTIVE-One", true),
        ("Locked-One", true),
        ("Deleted-One", true),
        ("zoe@example.org", true),
        ("active_one", false),
        ("active-on", false),
    ] {
        let answer = ports.users.exists_username(&username(name)).await;
        assert_eq!(answer.expect("looked up"), exists, "{name}");
    }
}

#[tokio::test]
async fn an_address_that_somebody_keeps_under_another_name_exists_as_a_name_too() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let user = User { email: EmailAddress::parse("zoe@example.org").ok(), ..a_user("forklift-fan") };
    ports.users.register(a_registration(&user, None)).await.expect("all is new");
    for (name, exists) in [("zoe@example.org", true), ("ZOE@example.org", true), ("ann@example.org", false)] {
        let answer = ports.users.exists_username(&username(name)).await;
        assert_eq!(answer.expect("looked up"), exists, "{name}");
    }
}

#[tokio::test]
async fn only_a_pending_code_before_its_end_is_usable() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    for code in ["PENDNG", "REVKED", "STAMPD", "ACCPTD"] {
        ports.given_membership(a_membership(staff, organization, code)).await;
    }
    db.execute(
        "UPDATE invitations SET status = 'revoked' WHERE code = 'REVKED'; \
         UPDATE invitations SET status = 'expired' WHERE code = 'STAMPD'",
    );
    ports.given_member("colleague", Some("ACCPTD")).await;
    let end = at(20) + TimeDelta::days(1);
    for (text, now, usable) in [
        ("PENDNG", at(20), true),
        ("PENDNG", end - TimeDelta::microseconds(1), true),
        ("PENDNG", end, false),
        ("UNKNWN", at(20), false),
        ("REVKED", at(20), false),
        ("STAMPD", at(20), false),
        ("ACCPTD", at(20), false),
    ] {
        let answer = ports.users.exists_usable_invitation(&code(text), now).await;
        assert_eq!(answer.expect("looked up"), usable, "{text} at {now}");
    }
}

// --- insert_staff ------------------------------------------------------------------------------------------------

fn a_staff_admin(text: &str) -> User {
    User { staff_role: Some(StaffRole::Admin), last_sign_in_at: None, ..a_user(text) }
}

#[tokio::test]
async fn a_staff_member_is_stored_whole_without_membership_and_session() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let user = a_staff_admin("First.Admin");
    ports.users.insert_staff(user.clone(), hash("staff"), true).await.expect("there is none yet");
    assert_eq!(ports.users.find(user.id).await.expect("looked up"), Some(user.clone()));
    assert_eq!(hash_of(&ports, user.id).await, Some(hash("staff")));
    assert_eq!((count(&db, "memberships"), count(&db, "sessions")), (0, 0));
}

#[tokio::test]
async fn a_staff_member_cannot_have_a_name_or_address_in_use() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let user = User { email: EmailAddress::parse("zoe@example.org").ok(), ..a_user("forklift-fan") };
    ports.users.register(a_registration(&user, None)).await.expect("all is new");
    let before = everything(&db);
    for (name, field) in [("FORKLIFT-fan", "username"), ("zoe@example.org", "email")] {
        let refused = ports.users.insert_staff(a_staff_admin(name), hash("staff"), false).await;
        let refused = refused.expect_err(name);
        assert!(matches!(refused, UserError::Taken(_)), "{refused:?}");
        assert_eq!(fields_of(&refused), taken(field));
        assert_eq!(everything(&db), before);
    }
}

#[tokio::test]
async fn only_the_first_is_refused_while_an_active_staff_admin_exists() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let employee = User { staff_role: Some(StaffRole::Employee), ..a_user("an-employee") };
    let insert = |user: User, only_first| ports.users.insert_staff(user, hash("staff"), only_first);
    insert(employee, true).await.expect("new");
    insert(a_staff_admin("first-admin"), true).await.expect("an employee is no admin");
    let before = everything(&db);
    let refused = insert(a_staff_admin("second-admin"), true).await;
    assert!(matches!(refused, Err(UserError::StaffAdminExists)), "{refused:?}");
    assert_eq!(everything(&db), before);
    insert(a_staff_admin("second-admin"), false).await.expect("it need not be the first");
}

#[tokio::test]
async fn a_locked_or_deleted_staff_admin_does_not_count_as_active() {
    for gone in ["locked_at", "deleted_at"] {
        let db = TestDatabase::create();
        let ports = Ports::over(&db);
        ports.given_staff().await;
        db.execute(&format!("UPDATE users SET {gone} = now()"));
        let inserted = ports.users.insert_staff(a_staff_admin("second-admin"), hash("staff"), true).await;
        assert!(inserted.is_ok(), "{gone}: {inserted:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_first_staff_admins_exactly_one_is_made() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    for _ in 0..6 {
        let inserts = (0..6).map(|n| {
            let (ports, user) = (ports.clone(), a_staff_admin(&format!("admin-{n}")));
            async move { ports.users.insert_staff(user, hash("staff"), true).await }
        });
        let results = all_at_once(inserts).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        let is_refused = |result: &&Result<(), UserError>| matches!(result, Err(UserError::StaffAdminExists));
        assert_eq!(results.iter().filter(is_refused).count(), 5, "{results:?}");
        assert_eq!(count(&db, "users"), 1);
        db.execute("DELETE FROM users");
    }
}

// --- update ------------------------------------------------------------------------------------------------------

/// The account after an update that changes something.
async fn updated(ports: &Ports, id: UserId, edit: UserEdit, password: Option<PasswordUpdate>) -> Account {
    let updated = ports.users.update(id, edit, password).await.expect("updates");
    let (account, is_changed) = updated.expect("there is such a user");
    assert!(is_changed);
    account
}

/// A change by somebody else, who leaves this audit row.
fn by_other(audit: AuditEntry, change: impl FnOnce(&mut User) + Send + 'static) -> UserEdit {
    Box::new(move |account| {
        change(&mut account.user);
        Ok(UserChange::ByOther(Box::new(audit)))
    })
}

/// Changes every field that may change.
fn change_all(user: &mut User) {
    user.username = username("new@example.org");
    user.provider = Provider::Email;
    user.email = EmailAddress::parse("new@example.org").ok();
    user.first_name = name("Anna");
    user.last_name = name("Lee");
    user.staff_role = Some(StaffRole::Employee);
    user.language = language("es");
    user.must_change_password = false;
    user.locked_at = Some(at(71));
    user.last_sign_in_at = Some(at(72));
    user.former_uid = Some(FormerUid { uid: "Old.Name".into(), changed_at: at(73) });
    user.updated_at = at(74);
}

#[tokio::test]
async fn an_update_sees_the_stored_user_and_saves_every_field() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let view = ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let (user, _) = ports.given_member("Old.Name", Some("AAAA22")).await;
    let (other, _) = ports.given_user("somebody-else").await;

    let seen = user.clone();
    let edit = own(move |stored| {
        assert_eq!(*stored, seen);
        change_all(stored);
    });
    let account = updated(&ports, user.id, edit, None).await;
    let mut changed = user.clone();
    change_all(&mut changed);
    let expected = Account { user: changed.clone(), memberships: vec![brief_of(&view.membership, "North")] };
    assert_eq!(account, expected);
    let stored = ports.user_queries.find_account(user.id).await.expect("looked up");
    assert_eq!(stored, Some(expected));
    assert_eq!(ports.users.find(user.id).await.expect("looked up"), Some(changed));
    assert_eq!(hash_of(&ports, user.id).await, Some(hash("first hash")), "no new password was set");
    assert_eq!(ports.users.find(other.id).await.expect("looked up"), Some(other));
}

#[tokio::test]
async fn whatever_the_edit_says_against_it_nothing_is_written() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, session) = ports.given_user("forklift-fan").await;
    let before = everything(&db);
    let edit: UserEdit = Box::new(|account| {
        change_all(&mut account.user);
        Err(FieldErrors::of("username", "too_odd", "is too odd").into())
    });
    let password = by_session(user.id, &session, at(75));
    let refused = ports.users.update(user.id, edit, Some(password)).await.expect_err("the edit says no");
    assert!(matches!(refused, UserError::Invalid(_)), "{refused:?}");
    assert_eq!(fields_of(&refused), [("username".to_owned(), "too_odd")]);
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn a_name_or_address_in_use_rolls_everything_back() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let other = User { email: EmailAddress::parse("taken@example.org").ok(), ..a_user("taken-name") };
    ports.users.register(a_registration(&other, None)).await.expect("all is new");
    let (user, session) = ports.given_user("forklift-fan").await;
    ports.sessions.open(a_session(user.id, at(11)), 10).await.expect("opens");
    ports.resets.insert(a_reset(user.id, at(12))).await.expect("inserts");
    let before = everything(&db);
    let rename = own(|user| {
        user.username = username("TAKEN-Name");
        user.first_name = name("Changed");
    });
    let address = own(|user| {
        user.email = EmailAddress::parse("taken@example.org").ok();
        user.first_name = name("Changed");
    });
    for (edit, field) in [(rename, "username"), (address, "email")] {
        let password = by_session(user.id, &session, at(75));
        let refused = ports.users.update(user.id, edit, Some(password)).await.expect_err(field);
        assert!(matches!(refused, UserError::Taken(_)), "{refused:?}");
        assert_eq!(fields_of(&refused), taken(field));
        assert_eq!(everything(&db), before, "{field}");
    }
}

#[tokio::test]
async fn somebody_may_change_the_case_of_the_own_name() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("forklift-fan").await;
    let edit = own(|user| {
        user.username = username("Forklift-Fan");
    });
    let account = updated(&ports, user.id, edit, None).await;
    assert_eq!(account.user.uid(), "Forklift-Fan");
}

#[tokio::test]
async fn a_deleted_or_unknown_user_is_not_updated_and_the_edit_not_run() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (deleted, session) = ports.given_user("deleted-one").await;
    ports.users.delete(deleted.id, at(60)).await.expect("deletes");
    let before = everything(&db);
    for id in [deleted.id, UserId::new(next_id())] {
        let edit: UserEdit = Box::new(|_| panic!("there is nobody to edit"));
        let missed = ports.users.update(id, edit, None).await.expect("answers");
        assert_eq!(missed, None);
        let refused = ports.users.update_password(by_session(id, &session, at(61))).await;
        assert!(matches!(refused, Err(UserError::NotSignedIn)), "{refused:?}");
        assert_eq!(everything(&db), before);
    }
}

#[tokio::test]
async fn an_update_with_a_password_keeps_only_the_presented_session() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, first) = ports.given_user("forklift-fan").await;
    let (_, of_another) = ports.given_user("somebody-else").await;
    let presented = a_session(user.id, at(11));
    ports.sessions.open(presented.clone(), 10).await.expect("opens");
    let third = a_session(user.id, at(12));
    ports.sessions.open(third.clone(), 10).await.expect("opens");
    let reset = a_reset(user.id, at(13));
    ports.resets.insert(reset.clone()).await.expect("inserts");

    let edit = own(|user| {
        user.first_name = name("Anna");
    });
    let password = by_session(user.id, &presented, at(75));
    let account = updated(&ports, user.id, edit, Some(password)).await;

    let expected = User {
        first_name: name("Anna"),
        must_change_password: false,
        last_sign_in_at: Some(at(12)),
        updated_at: at(75),
        ..user.clone()
    };
    assert_eq!(account.user, expected);
    assert_eq!(hash_of(&ports, user.id).await, Some(hash("second hash")));
    let found = ports.sessions.find(&presented.client).await.expect("looked up");
    assert_eq!(found, Some((presented, account)));
    for ended in [&first, &third] {
        assert_eq!(ports.sessions.find(&ended.client).await.expect("looked up"), None);
    }
    assert!(ports.sessions.find(&of_another.client).await.expect("looked up").is_some());
    let reset = ports.resets.find(&reset.token).await.expect("looked up").expect("kept");
    assert_eq!(reset.used_at, Some(at(75)), "a link that was under way works no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_of_one_user_at_once_lose_nothing() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("forklift-fan").await;
    let updates = (0..8).map(|n| {
        let ports = ports.clone();
        let edit = own(move |user| {
            user.language = language(&format!("{}{n}", user.language.as_str()));
        });
        async move { ports.users.update(user.id, edit, None).await.expect("updates") }
    });
    all_at_once(updates).await;
    let found = ports.users.find(user.id).await.expect("looked up").expect("there");
    let mut digits: Vec<char> = found.language.as_str().trim_start_matches("nl").chars().collect();
    digits.sort_unstable();
    assert_eq!(digits.iter().collect::<String>(), "01234567", "{found:?}");
}

#[tokio::test]
async fn a_user_that_somebody_else_holds_for_too_long_is_unavailable_and_unchanged() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("forklift-fan").await;
    let impatient = Ports::on(common::pool(&db, 1, 5_000, 200));
    let before = everything(&db);
    let edit: UserEdit = Box::new(move |held| {
        change_all(&mut held.user);
        let inner = own(|user| {
            user.language = language("xx");
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let waited = runtime.block_on(impatient.users.update(user.id, inner, None));
        assert!(matches!(waited, Err(UserError::Storage(domain_kernel::StorageError::Unavailable(_)))));
        Err(UserError::Busy)
    });
    let refused =
        tokio::time::timeout(Duration::from_secs(20), ports.users.update(user.id, edit, None)).await;
    assert!(matches!(refused, Ok(Err(UserError::Busy))));
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn a_change_by_somebody_else_leaves_its_audit_row() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let (user, _) = ports.given_user("forklift-fan").await;
    let audit = an_audit(staff, "user.update", None, AuditSubject::User(user.id));
    let edit = by_other(audit.clone(), change_all);
    let account = updated(&ports, user.id, edit, None).await;
    let mut changed = user.clone();
    change_all(&mut changed);
    assert_eq!(account, Account { user: changed, memberships: vec![] });
    let stored = ports.user_queries.find_account(user.id).await.expect("looked up");
    assert_eq!(stored, Some(account));
    assert_eq!(ports.audit_rows().await, [audit_json(&audit)]);
    let edit = own(|user| user.first_name = name("Mary"));
    updated(&ports, user.id, edit, None).await;
    assert_eq!(ports.audit_rows().await.len(), 1, "what people do to themselves is not audited");
}

#[tokio::test]
async fn a_change_of_nothing_writes_nothing_and_says_so() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, session) = ports.given_user("forklift-fan").await;
    let account = ports.account_of(&session).await;
    let before = everything(&db);
    let password = by_session(user.id, &session, at(75));
    let edit: UserEdit = Box::new(|_| Ok(UserChange::None));
    let answer = ports.users.update(user.id, edit, Some(password)).await.expect("answers");
    assert_eq!(answer, Some((account, false)));
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn without_its_audit_row_a_change_by_somebody_else_does_not_happen() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("forklift-fan").await;
    let before = everything(&db);
    let audit = an_audit(UserId::new(next_id()), "user.update", None, AuditSubject::User(user.id));
    let failed = ports.users.update(user.id, by_other(audit, change_all), None).await;
    assert!(matches!(failed, Err(UserError::Storage(_))), "{failed:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_change_each_other_at_once_do_not_wait_for_each_other() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (first, _) = ports.given_user("first-one").await;
    let (second, _) = ports.given_user("second-one").await;
    // Each is held before the other's audit row is written.
    let meeting = Arc::new(Barrier::new(2));
    let changes = [(first.id, second.id), (second.id, first.id)].map(|(actor, changed)| {
        let (ports, meeting) = (ports.clone(), Arc::clone(&meeting));
        let audit = an_audit(actor, "user.update", None, AuditSubject::User(changed));
        let edit = by_other(audit, move |user| {
            // The keys of the row: changing them must not lock it for those who only refer to it.
            user.username = username(&format!("renamed-{}", user.id));
            user.email = EmailAddress::parse(&format!("{}@example.org", user.id)).ok();
            user.staff_role = Some(StaffRole::Admin);
            meeting.wait();
        });
        async move { ports.users.update(changed, edit, None).await }
    });
    let results = all_at_once(changes).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!((count(&db, "users WHERE staff_role = 'admin'"), count(&db, "audit_log")), (2, 2));
}

// --- update_password by a session ----------------------------------------------------------------------------------

#[tokio::test]
async fn a_new_password_ends_all_other_sessions_and_all_reset_links() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let view = ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let (user, first) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    let presented = a_session(user.id, at(11));
    ports.sessions.open(presented.clone(), 10).await.expect("opens");
    let reset = a_reset(user.id, at(13));
    ports.resets.insert(reset.clone()).await.expect("inserts");
    let (other, of_another) = ports.given_user("somebody-else").await;
    let reset_of_another = a_reset(other.id, at(13));
    ports.resets.insert(reset_of_another.clone()).await.expect("inserts");

    let account =
        ports.users.update_password(by_session(user.id, &presented, at(75))).await.expect("updates");
    let expected = Account {
        user: User {
            must_change_password: false,
            last_sign_in_at: Some(at(11)),
            updated_at: at(75),
            ..user.clone()
        },
        memberships: vec![brief_of(&view.membership, "North")],
    };
    assert_eq!(account, expected);
    assert_eq!(hash_of(&ports, user.id).await, Some(hash("second hash")));
    let found = ports.sessions.find(&presented.client).await.expect("looked up");
    assert_eq!(found, Some((presented, expected)));
    assert_eq!(ports.sessions.find(&first.client).await.expect("looked up"), None);
    let reset = ports.resets.find(&reset.token).await.expect("looked up").expect("kept");
    assert_eq!(reset.used_at, Some(at(75)));

    assert!(ports.sessions.find(&of_another.client).await.expect("looked up").is_some());
    assert_eq!(hash_of(&ports, other.id).await, Some(hash("first hash")));
    let found = ports.resets.find(&reset_of_another.token).await.expect("looked up");
    assert_eq!(found, Some(reset_of_another));
}

// --- locking, and passwords that somebody else gave ----------------------------------------------------------------

#[tokio::test]
async fn locking_ends_all_sessions_and_reset_links_and_unlocking_none() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, first) = ports.given_user("zoe@example.org").await;
    let (_, of_another) = ports.given_user("somebody-else").await;
    let reset = a_reset(user.id, at(13));
    ports.resets.insert(reset.clone()).await.expect("inserts");
    let lock = own(|user| {
        user.locked_at = Some(at(20));
        user.updated_at = at(20);
    });
    updated(&ports, user.id, lock, None).await;
    assert_eq!(ports.sessions.find(&first.client).await.expect("looked up"), None);
    let ended = ports.resets.find(&reset.token).await.expect("looked up").expect("it is there");
    assert_eq!(ended.used_at, Some(at(20)));
    assert!(ports.sessions.find(&of_another.client).await.expect("looked up").is_some());
    updated(&ports, user.id, own(|user| user.locked_at = None), None).await;
    let session = a_session(user.id, at(21));
    ports.sessions.open(session.clone(), 10).await.expect("opens");
    updated(&ports, user.id, own(|user| user.language = language("es")), None).await;
    assert!(ports.sessions.find(&session.client).await.expect("looked up").is_some());
}

#[tokio::test]
async fn an_issued_password_ends_everything_and_has_to_be_changed_even_of_somebody_locked_out() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let (user, first) = ports.given_user("zoe@example.org").await;
    for (locked_at, text) in [(None, "first issued"), (Some(at(30)), "second issued")] {
        updated(&ports, user.id, own(move |user| user.locked_at = locked_at), None).await;
        ports.resets.insert(a_reset(user.id, at(31))).await.expect("inserts");
        let audit = an_audit(staff, "user.password", None, AuditSubject::User(user.id));
        let issued = PasswordUpdate {
            user: user.id,
            password_hash: hash(text),
            at: at(32),
            ground: PasswordGround::Issued,
        };
        let account = updated(&ports, user.id, by_other(audit, |_| {}), Some(issued)).await;
        assert!(account.user.must_change_password, "{text}");
        assert_eq!(hash_of(&ports, user.id).await, Some(hash(text)));
        assert_eq!(ports.sessions.find(&first.client).await.expect("looked up"), None);
        assert_eq!(count(&db, "password_resets WHERE used_at IS NULL"), 0);
    }
    updated(&ports, user.id, own(|user| user.locked_at = None), None).await;
    let session = a_session(user.id, at(40));
    ports.sessions.open(session.clone(), 10).await.expect("opens");
    let chosen = ports.users.update_password(by_session(user.id, &session, at(41))).await.expect("changes");
    assert!(!chosen.user.must_change_password);
}

// --- delete ------------------------------------------------------------------------------------------------------

fn deactivated(brief: MembershipBrief) -> MembershipBrief {
    MembershipBrief {
        status: MembershipStatus::Deactivated,
        org_admin: false,
        administered_teams: vec![],
        ..brief
    }
}

#[tokio::test]
async fn deleting_marks_the_user_ends_sessions_and_links_and_deactivates_all_memberships() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let north = ports.given_organization(staff, "North").await;
    let south = ports.given_organization(staff, "South").await;
    ports.given_org_admin(staff, north, "other-admin", "STAYS2").await;
    let team = ports.given_team(staff, north, "Night shift").await;
    let mut new = a_membership(staff, north, "AAAA22");
    new.membership.org_admin = true;
    new.membership.teams = vec![team];
    new.membership.administered_teams = vec![team];
    let first = ports.given_membership(new).await.membership;
    let (user, session) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    ports.given_membership(a_membership(staff, south, "BBBB22")).await;
    let second =
        ports.memberships.accept(&code("BBBB22"), user.id, at(30)).await.expect("accepts").membership;
    ports.sessions.open(a_session(user.id, at(31)), 10).await.expect("opens");
    let reset = a_reset(user.id, at(32));
    ports.resets.insert(reset.clone()).await.expect("inserts");

    ports.users.delete(user.id, at(60)).await.expect("another admin is left");

    assert_eq!(ports.users.find(user.id).await.expect("looked up"), None);
    assert_eq!(ports.sessions.find(&session.client).await.expect("looked up"), None);
    assert_eq!(count(&db, &format!("sessions WHERE user_id = '{}'", user.id)), 0);
    let reset = ports.resets.find(&reset.token).await.expect("looked up").expect("kept");
    assert_eq!(reset.used_at, Some(at(60)));
    let ended = count(
        &db,
        &format!(
            "memberships WHERE user_id = '{}' AND status = 'deactivated' AND NOT org_admin \
             AND deactivated_at = '{time}' AND updated_at = '{time}'",
            user.id,
            time = at(60).to_rfc3339()
        ),
    );
    assert_eq!(ended, 2);
    assert_eq!(count(&db, "memberships WHERE status = 'active'"), 1, "others keep theirs");
    assert_eq!(count(&db, "sessions"), 1, "others keep theirs");

    // The account as a whole, by a session put back by hand.
    db.execute("UPDATE users SET deleted_at = NULL WHERE username = 'forklift-fan'");
    let session = a_session(user.id, at(61));
    let account = ports.sessions.open(session, 10).await.expect("opens");
    let expected = Account {
        user: User { last_sign_in_at: Some(at(61)), updated_at: at(60), ..user },
        memberships: vec![deactivated(brief_of(&first, "North")), deactivated(brief_of(&second, "South"))],
    };
    assert_eq!(account, expected);
}

#[tokio::test]
async fn the_last_admin_of_an_organization_stays_and_nothing_is_written() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let north = ports.given_organization(staff, "North").await;
    let south = ports.given_organization(staff, "South").await;
    let (admin, _) = ports.given_org_admin(staff, north, "the-admin", "ADMIN2").await;
    // Neither a member, nor an admin who has not come or has left, nor an admin of another organization counts.
    ports.given_membership(a_membership(staff, north, "MEMBR2")).await;
    ports.given_member("a-member", Some("MEMBR2")).await;
    let mut pending = a_membership(staff, north, "PENDG2");
    pending.membership.org_admin = true;
    ports.given_membership(pending).await;
    let (left, _) = ports.given_org_admin(staff, north, "has-left", "LEFTT2").await;
    db.execute(&format!(
        "UPDATE memberships SET status = 'deactivated', deactivated_at = now() WHERE user_id = '{}'",
        left.id
    ));
    ports.given_org_admin(staff, south, "elsewhere", "SOUTH2").await;
    ports.resets.insert(a_reset(admin.id, at(32))).await.expect("inserts");

    let before = everything(&db);
    let refused = ports.users.delete(admin.id, at(60)).await;
    assert!(matches!(refused, Err(UserError::LastOrgAdmin)), "{refused:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn an_admin_of_two_organizations_stays_while_one_of_them_has_no_other() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let north = ports.given_organization(staff, "North").await;
    let south = ports.given_organization(staff, "South").await;
    let (admin, _) = ports.given_org_admin(staff, north, "the-admin", "NORTH2").await;
    let mut in_south = a_membership(staff, south, "SOUTH2");
    in_south.membership.org_admin = true;
    ports.given_membership(in_south).await;
    ports.memberships.accept(&code("SOUTH2"), admin.id, at(30)).await.expect("accepts");
    ports.given_org_admin(staff, north, "other-north", "NORTH3").await;
    let before = everything(&db);
    let refused = ports.users.delete(admin.id, at(60)).await;
    assert!(matches!(refused, Err(UserError::LastOrgAdmin)), "{refused:?}");
    assert_eq!(everything(&db), before);
    ports.given_org_admin(staff, south, "other-south", "SOUTH3").await;
    ports.users.delete(admin.id, at(60)).await.expect("both have another admin now");
}

async fn two_admins(db: &TestDatabase) -> (Ports, OrgId, [UserId; 2]) {
    let ports = Ports::over(db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let (first, _) = ports.given_org_admin(staff, organization, "first-admin", "FIRST2").await;
    let (second, _) = ports.given_org_admin(staff, organization, "second-admin", "SECND2").await;
    (ports, organization, [first.id, second.id])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_last_two_admins_who_leave_at_once_exactly_one_gets_away() {
    for _ in 0..5 {
        let db = TestDatabase::create();
        let (ports, organization, admins) = two_admins(&db).await;
        let deletes = admins.map(|admin| {
            let ports = ports.clone();
            async move { ports.users.delete(admin, at(60)).await }
        });
        let results = all_at_once(deletes).await;
        let refused = results.iter().filter(|result| matches!(result, Err(UserError::LastOrgAdmin))).count();
        assert_eq!((results.iter().filter(|result| result.is_ok()).count(), refused), (1, 1), "{results:?}");
        let left = format!(
            "memberships WHERE organization_id = '{organization}' AND org_admin AND status = 'active'"
        );
        assert_eq!(count(&db, &left), 1);
        assert_eq!(count(&db, "users WHERE deleted_at IS NOT NULL"), 1);
        assert_eq!(count(&db, "sessions"), 1);
    }
}

#[tokio::test]
async fn a_user_is_deleted_once() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("forklift-fan").await;
    ports.users.delete(user.id, at(60)).await.expect("deletes");
    let before = everything(&db);
    for id in [user.id, UserId::new(next_id())] {
        let refused = ports.users.delete(id, at(61)).await;
        assert!(matches!(refused, Err(UserError::NotSignedIn)), "{refused:?}");
        assert_eq!(everything(&db), before, "the hold is not prolonged");
    }
}

// --- erase_deleted -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn erasing_leaves_no_personal_field_and_keeps_the_rows() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let mut user = User {
        former_uid: Some(FormerUid { uid: "former.secret".into(), changed_at: at(4) }),
        ..a_user("secret@example.org")
    };
    user.first_name = name("Secretfirst");
    user.last_name = name("Secretlast");
    ports.users.register(a_registration(&user, Some("AAAA22"))).await.expect("the code is good");
    ports.resets.insert(a_reset(user.id, at(13))).await.expect("inserts");
    db.execute(
        "UPDATE memberships SET first_name = 'Secretfirst', last_name = 'Secretlast', \
         email = 'secret@example.org', external_id = 'secret-7'",
    );
    ports.users.delete(user.id, at(60)).await.expect("deletes");
    let rows = everything(&db).len();

    let erased = ports.users.erase_deleted(at(61), at(90)).await;
    assert_eq!(erased.expect("erases"), 1);

    let left = everything(&db);
    assert_eq!(left.len(), rows, "the rows stay");
    let is_personal = |row: &&String| {
        let row = row.to_lowercase();
        row.contains("secret") || row.contains("first hash") || row.contains("192.0.2.7")
    };
    assert_eq!(left.iter().filter(is_personal).collect::<Vec<_>>(), Vec::<&String>::new());
    let tombstone = ports
        .json(
            "SELECT to_jsonb(u) - 'username' || jsonb_build_object('is_tombstone', username LIKE 'erased-%') AS value \
             FROM users u WHERE deleted_at IS NOT NULL",
        )
        .await;
    let expected = json!({
        "id": user.id.to_string(), "is_tombstone": true, "provider": "username", "email": null,
        "first_name": "Erased", "last_name": "Person", "password_hash": null, "must_change_password": true,
        "staff_role": null, "language": "nl", "former_uid": null, "uid_changed_at": null, "last_sign_in_at": null,
        "locked_at": null, "deleted_at": at(60).to_rfc3339(), "erased_at": at(90).to_rfc3339(),
        "created_at": at(0).to_rfc3339(), "updated_at": at(90).to_rfc3339(), "search": "'erased' 'person'",
    });
    assert_eq!(tombstone, [expected]);
    let roster = "memberships WHERE first_name = 'Erased' AND last_name = 'Person' AND email IS NULL \
         AND external_id IS NULL AND user_id IS NOT NULL AND job_title IS NOT NULL";
    assert_eq!(count(&db, roster), 1);
}

#[tokio::test]
async fn where_the_invitations_of_somebody_erased_were_mailed_is_forgotten_and_that_of_others_kept() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    for (text, invite_code) in [("deleted-one", "AAAA22"), ("living-one", "BBBB22")] {
        let invited = ports.given_membership(a_membership(staff, organization, invite_code)).await;
        let to = EmailAddress::parse(&format!("{text}@example.org")).expect("an address");
        let invitation = invited.invitation.expect("invited").id;
        ports.invitations.note_sent(invitation, to, at(21)).await.expect("notes");
        let (user, _) = ports.given_member(text, Some(invite_code)).await;
        if text == "deleted-one" {
            ports.users.delete(user.id, at(60)).await.expect("deletes");
        }
    }
    let mailed = || db.rows("SELECT code, sent_to, sent_at IS NULL FROM invitations ORDER BY code");
    assert_eq!(mailed(), ["(AAAA22,deleted-one@example.org,f)", "(BBBB22,living-one@example.org,f)"]);
    assert_eq!(ports.users.erase_deleted(at(61), at(90)).await.expect("erases"), 1);
    assert_eq!(mailed(), ["(AAAA22,,t)", "(BBBB22,living-one@example.org,f)"]);
}

#[tokio::test]
async fn only_users_deleted_before_the_time_are_erased_and_each_once() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (living, _) = ports.given_user("living-one").await;
    let (early, _) = ports.given_user("early-one").await;
    let (late, _) = ports.given_user("late-one").await;
    ports.users.delete(early.id, at(60)).await.expect("deletes");
    ports.users.delete(late.id, at(62)).await.expect("deletes");
    let erase = |before, now| ports.users.erase_deleted(before, now);
    assert_eq!(erase(at(60), at(90)).await.expect("erases"), 0, "not before, but at this time");
    assert_eq!(erase(at(62), at(91)).await.expect("erases"), 1);
    assert_eq!(count(&db, "users WHERE username = 'late-one' AND erased_at IS NULL"), 1);
    let before = everything(&db);
    assert_eq!(erase(at(62), at(92)).await.expect("erases"), 0, "done already");
    assert_eq!(everything(&db), before);
    assert_eq!(ports.users.find(living.id).await.expect("looked up"), Some(living));
    assert_eq!(erase(at(63), at(93)).await.expect("erases"), 1);
}

#[tokio::test]
async fn the_name_and_address_of_somebody_erased_are_free_again() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    for (n, name) in [(1, "forklift-fan"), (2, "zoe@example.org")] {
        let (user, _) = ports.given_user(name).await;
        ports.users.delete(user.id, at(60)).await.expect("deletes");
        let erased = ports.users.erase_deleted(at(61), at(90)).await;
        assert_eq!(erased.expect("erases"), 1, "{n}");
        assert!(!ports.users.exists_username(&username(name)).await.expect("looked up"));
        assert_eq!(ports.users.find_credentials(&login(name)).await.expect("looked up"), None);
        ports.given_user(name).await;
    }
}

#[tokio::test]
async fn a_session_that_has_ended_sets_no_password_and_ends_no_other_session() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, first) = ports.given_user("forklift-fan").await;
    let owner = a_session(user.id, at(11));
    ports.sessions.open(owner.clone(), 10).await.expect("opens");
    ports.sessions.delete(first.id).await.expect("ends");
    let before = everything(&db);
    let refused = ports.users.update_password(by_session(user.id, &first, at(75))).await;
    assert!(matches!(refused, Err(UserError::NotSignedIn)), "{refused:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn a_new_address_ends_the_reset_links_that_went_to_the_old_one() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("old@example.org").await;
    let reset = a_reset(user.id, at(13));
    ports.resets.insert(reset.clone()).await.expect("inserts");
    let same_address = own(|user| {
        user.last_name = PersonName::parse("Changed").expect("a name");
    });
    ports.users.update(user.id, same_address, None).await.expect("changes");
    let kept = ports.resets.find(&reset.token).await.expect("looked up").expect("it is there");
    assert_eq!(kept.used_at, None);
    let new_address = own(|user| {
        user.email = EmailAddress::parse("new@example.org").ok();
        user.updated_at = at(20);
    });
    ports.users.update(user.id, new_address, None).await.expect("changes");
    let ended = ports.resets.find(&reset.token).await.expect("looked up").expect("it is there");
    assert_eq!(ended.used_at, Some(at(20)));
}
