//! Contract tests of `MembershipRepository::update`, and of changes that meet it.

mod common;

use adapter_postgres::testing::TestDatabase;
use chrono::{NaiveDate, TimeDelta};
use domain_kernel::{
    AuditEntry, AuditSubject, EmailAddress, ExternalId, InvitationId, JobTitle, MembershipId, OrgId, Refusal,
    TeamId, UserId,
};
use domain_memberships::ports::MembershipEdit;
use domain_memberships::{
    Invitation, InvitationStatus, Membership, MembershipError, MembershipStatus, MembershipView,
};
use domain_teams::Team;
use domain_users::UserError;
use tokio::runtime::Handle;

use crate::common::{
    Lock, Ports, a_membership, a_session, all_at_once, an_audit, at, audit_json, code, count, departure,
    edited, everything, fields_of, in_order, membership_audit, name, next_id, own, until_waiting,
};

/// Changes every field that the roster has, and nothing else.
fn change_roster(membership: &mut Membership) {
    membership.external_id = ExternalId::parse("E-changed").ok();
    membership.first_name = name("Zoë");
    membership.last_name = name("van Dijk");
    membership.email = EmailAddress::parse("zoe@example.org").ok();
    membership.job_title = JobTitle::parse("Crane driver").ok();
    membership.org_admin = true;
    membership.hired_on = NaiveDate::from_ymd_opt(2024, 2, 29);
    membership.reporting_starts_on = NaiveDate::from_ymd_opt(2024, 3, 14).expect("a day");
    membership.updated_at = at(50);
}

/// An edit that must not run.
fn nobody_to_edit() -> MembershipEdit {
    Box::new(|_| panic!("there is nobody to edit"))
}

fn renamed(audit: AuditEntry) -> MembershipEdit {
    edited(audit, |view| view.membership.first_name = name("Renamed"))
}

/// A pending membership, and its audit row for a change.
async fn given_pending(ports: &Ports, staff: UserId, org: OrgId, code: &str) -> (MembershipId, AuditEntry) {
    let view = ports.given_membership(a_membership(staff, org, code)).await;
    (view.membership.id, membership_audit(staff, &view.membership))
}

// --- what is saved -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn every_field_of_the_roster_is_saved_with_the_audit_row() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let before = ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let other = ports.given_membership(a_membership(staff, organization, "BBBB22")).await;
    let audit = membership_audit(staff, &before.membership);
    let seen = before.clone();
    let edit = edited(audit.clone(), move |view| {
        assert_eq!(*view, seen);
        change_roster(&mut view.membership);
    });

    let updated = ports.memberships.update(before.membership.id, edit).await.expect("changes");

    let mut expected = before.clone();
    change_roster(&mut expected.membership);
    assert_eq!(updated, expected);
    assert_eq!(ports.view(expected.membership.id).await, expected);
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));
    assert_eq!(ports.view(other.membership.id).await, other, "others stay as they are");
}

#[tokio::test]
async fn what_is_optional_can_be_taken_away() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (id, audit) = given_pending(&ports, staff, organization, "AAAA22").await;
    let clear = |membership: &mut Membership| {
        membership.external_id = None;
        membership.email = None;
        membership.job_title = None;
        membership.hired_on = None;
    };
    let mut expected = ports.view(id).await;
    clear(&mut expected.membership);
    let updated = ports.memberships.update(id, edited(audit, move |view| clear(&mut view.membership))).await;
    assert_eq!(updated.expect("changes"), expected);
    assert_eq!(ports.view(id).await, expected);
}

#[tokio::test]
async fn teams_are_joined_and_left_and_who_stays_keeps_the_day_of_joining() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let mut teams = Vec::new();
    for text in ["Day shift", "Night shift", "Weekend"] {
        teams.push(ports.given_team(staff, organization, text).await);
    }
    let (left, kept, joined) = (teams[0], teams[1], teams[2]);
    let mut new = a_membership(staff, organization, "AAAA22");
    new.membership.teams = vec![left, kept];
    new.membership.administered_teams = vec![left, kept];
    let before = ports.given_membership(new).await.membership;
    let mut other = a_membership(staff, organization, "BBBB22");
    other.membership.teams = vec![left];
    other.membership.administered_teams = vec![left];
    let other = ports.given_membership(other).await;

    let edit = edited(membership_audit(staff, &before), move |view| {
        view.membership.teams = vec![kept, joined];
        view.membership.administered_teams = vec![joined, kept];
        view.membership.updated_at = at(50);
    });
    let updated = ports.memberships.update(before.id, edit).await.expect("changes");

    let teams = vec![kept, joined];
    let expected =
        Membership { teams: teams.clone(), administered_teams: teams, updated_at: at(50), ..before.clone() };
    assert_eq!(updated.membership, expected, "in the order of joining");
    assert_eq!(ports.view(before.id).await, updated);
    for (table, time) in [("team_memberships", "joined_at"), ("team_admins", "created_at")] {
        let since = |team: TeamId, at: chrono::DateTime<chrono::Utc>| {
            let row = format!(
                "{table} WHERE membership_id = '{}' AND organization_id = '{organization}' AND team_id = '{team}' \
                 AND {time} = '{}'",
                before.id,
                at.to_rfc3339()
            );
            count(&db, &row)
        };
        assert_eq!((since(kept, at(20)), since(joined, at(50))), (1, 1), "{table}");
    }
    assert_eq!(ports.view(other.membership.id).await, other);
}

#[tokio::test]
async fn an_edit_that_changes_nothing_writes_nothing_and_gives_what_is_stored() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let stored = ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let before = everything(&db);
    let edit: MembershipEdit = Box::new(|view| {
        change_roster(&mut view.membership);
        Ok(None)
    });
    assert_eq!(ports.memberships.update(stored.membership.id, edit).await.expect("answers"), stored);
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn the_account_of_somebody_who_deleted_it_is_loaded_as_none() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (id, audit) = given_pending(&ports, staff, organization, "AAAA22").await;
    let (user, _) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    let loaded = |expects_account: bool, audit: AuditEntry| {
        edited(audit, move |view| assert_eq!(view.user.is_some(), expects_account))
    };
    let updated = ports.memberships.update(id, loaded(true, audit)).await.expect("changes");
    assert_eq!(updated.user.map(|brief| brief.id), Some(user.id));
    ports.users.delete(user.id, at(40)).await.expect("deletes");
    let audit = membership_audit(staff, &updated.membership);
    let updated = ports.memberships.update(id, loaded(false, audit)).await.expect("changes");
    assert_eq!((updated.user, updated.membership.user), (None, Some(user.id)));
}

// --- who leaves, and who is back ---------------------------------------------------------------------------------

#[tokio::test]
async fn who_leaves_while_invited_loses_the_pending_invitation() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let before = ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    ports.given_membership(a_membership(staff, organization, "BBBB22")).await;

    let left = ports.given_departure(staff, before.membership.id, at(50)).await;

    let revoked = before
        .invitation
        .clone()
        .map(|invitation| Invitation { status: InvitationStatus::Revoked, ..invitation });
    let membership = Membership {
        status: MembershipStatus::Deactivated,
        deactivated_at: Some(at(50)),
        updated_at: at(50),
        ..before.membership
    };
    assert_eq!(left, MembershipView { membership, invitation: revoked, user: None, training_category: None });
    let stamped = format!(
        "invitations WHERE code = 'AAAA22' AND status = 'revoked' AND revoked_at = '{time}' AND updated_at = '{time}'",
        time = at(50).to_rfc3339()
    );
    assert_eq!(count(&db, &stamped), 1);
    assert_eq!(
        count(&db, "invitations WHERE code = 'BBBB22' AND status = 'pending'"),
        1,
        "others keep theirs"
    );
}

#[tokio::test]
async fn who_leaves_keeps_the_teams_for_history_and_runs_none() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let team = ports.given_team(staff, organization, "Day shift").await;
    let mut new = a_membership(staff, organization, "AAAA22");
    new.membership.teams = vec![team];
    new.membership.administered_teams = vec![team];
    let before = ports.given_membership(new).await;
    ports.given_member("forklift-fan", Some("AAAA22")).await;
    let before = ports.view(before.membership.id).await;

    let left = ports.given_departure(staff, before.membership.id, at(50)).await;

    let membership = Membership {
        status: MembershipStatus::Deactivated,
        deactivated_at: Some(at(50)),
        updated_at: at(50),
        administered_teams: vec![],
        ..before.membership.clone()
    };
    assert_eq!(left, MembershipView { membership, ..before }, "the accepted invitation stays, too");
    let since = format!("team_memberships WHERE joined_at = '{}'", at(20).to_rfc3339());
    assert_eq!((count(&db, &since), count(&db, "team_admins")), (1, 0));
}

#[tokio::test]
async fn who_leaves_the_last_organization_is_signed_out_everywhere() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let (north, _) = given_pending(&ports, staff, organization, "AAAA22").await;
    let (south, _) = given_pending(&ports, staff, elsewhere, "BBBB22").await;
    let (user, _) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    ports.memberships.accept(&code("BBBB22"), user.id, at(30)).await.expect("the code is good");
    ports.sessions.open(a_session(user.id, at(31)), 10).await.expect("opens");
    ports.given_user("somebody-else").await;
    let of_user = format!("sessions WHERE user_id = '{}'", user.id);

    ports.given_departure(staff, north, at(50)).await;
    assert_eq!(count(&db, &of_user), 2, "an active membership is left");
    ports.given_departure(staff, south, at(51)).await;
    assert_eq!(count(&db, &of_user), 0);
    assert_eq!(count(&db, "sessions"), 1, "others keep theirs");
}

#[tokio::test]
async fn staff_who_leave_an_organization_stay_signed_in() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (id, _) = given_pending(&ports, staff, organization, "AAAA22").await;
    ports.given_member("forklift-fan", Some("AAAA22")).await;
    db.execute("UPDATE users SET staff_role = 'employee' WHERE username = 'forklift-fan'");
    ports.given_departure(staff, id, at(50)).await;
    assert_eq!(count(&db, "sessions"), 1);
}

#[tokio::test]
async fn a_change_that_deactivates_nobody_signs_nobody_out() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (id, audit) = given_pending(&ports, staff, organization, "AAAA22").await;
    let (user, _) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    ports.memberships.update(id, renamed(audit)).await.expect("changes");
    assert_eq!(count(&db, "sessions"), 1);
    ports.given_departure(staff, id, at(50)).await;
    ports.sessions.open(a_session(user.id, at(51)), 10).await.expect("opens");
    let audit = membership_audit(staff, &ports.view(id).await.membership);
    ports.memberships.update(id, renamed(audit)).await.expect("changes");
    assert_eq!(count(&db, "sessions"), 1, "who had left before signs in to read");
}

/// The invitation by which somebody is invited anew.
fn a_replacement(membership: &Membership, text: &str) -> Invitation {
    Invitation {
        id: InvitationId::new(next_id()),
        organization: membership.organization,
        membership: membership.id,
        code: code(text),
        status: InvitationStatus::Pending,
        expires_at: at(60) + TimeDelta::days(1),
        created_at: at(60),
    }
}

/// The change that puts an invitation in the place of the newest one.
fn reinvited(audit: AuditEntry, invitation: Invitation) -> MembershipEdit {
    edited(audit, move |view| {
        view.membership.updated_at = invitation.created_at;
        view.invitation = Some(invitation);
    })
}

#[tokio::test]
async fn a_new_invitation_is_added_and_earlier_pending_ones_are_revoked() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let before = ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let invitation = a_replacement(&before.membership, "BBBB22");
    let edit = reinvited(membership_audit(staff, &before.membership), invitation.clone());
    let updated = ports.memberships.update(before.membership.id, edit).await.expect("changes");
    let membership = Membership { updated_at: at(60), ..before.membership };
    assert_eq!(
        updated,
        MembershipView { membership, invitation: Some(invitation), user: None, training_category: None }
    );
    let revoked = format!("invitations WHERE code = 'AAAA22' AND revoked_at = '{}'", at(60).to_rfc3339());
    assert_eq!((count(&db, "invitations"), count(&db, &revoked)), (2, 1));
}

#[tokio::test]
async fn who_is_back_without_an_account_is_pending_and_can_take_the_membership_again() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (id, _) = given_pending(&ports, staff, organization, "AAAA22").await;
    let (gone, _) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    ports.users.delete(gone.id, at(40)).await.expect("deletes");
    let before = ports.view(id).await;
    let invitation = a_replacement(&before.membership, "BBBB22");
    let wanted = invitation.clone();
    let edit = edited(membership_audit(staff, &before.membership), move |view| {
        view.membership.status = MembershipStatus::Pending;
        view.membership.deactivated_at = None;
        view.membership.user = None;
        view.invitation = Some(wanted);
    });
    let back = ports.memberships.update(id, edit).await.expect("changes");
    let membership = Membership {
        status: MembershipStatus::Pending,
        deactivated_at: None,
        user: None,
        ..before.membership
    };
    assert_eq!(
        back,
        MembershipView { membership, invitation: Some(invitation), user: None, training_category: None }
    );
    let (user, _) = ports.given_user("a-new-account").await;
    let taken = ports.memberships.accept(&code("BBBB22"), user.id, at(61)).await.expect("the code is good");
    assert_eq!((taken.membership.id, taken.membership.user), (id, Some(user.id)));
}

#[tokio::test]
async fn who_is_back_with_an_account_is_active_at_once() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (id, _) = given_pending(&ports, staff, organization, "AAAA22").await;
    ports.given_member("forklift-fan", Some("AAAA22")).await;
    let active = ports.view(id).await;
    let left = ports.given_departure(staff, id, at(50)).await;
    let edit = edited(membership_audit(staff, &left.membership), |view| {
        view.membership.status = MembershipStatus::Active;
        view.membership.deactivated_at = None;
        view.membership.updated_at = at(10);
    });
    assert_eq!(ports.memberships.update(id, edit).await.expect("changes"), active);
    assert_eq!(count(&db, "invitations"), 1, "nobody is invited anew");
}

// --- what is refused ---------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_unknown_membership_is_not_found() {
    let db = TestDatabase::create();
    let (ports, ..) = Ports::ready(&db).await;
    let before = everything(&db);
    let missed = ports.memberships.update(MembershipId::new(next_id()), nobody_to_edit()).await;
    assert!(matches!(missed, Err(MembershipError::Refused(Refusal::NotFound))), "{missed:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn whatever_the_edit_says_against_it_nothing_is_written() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (id, _) = given_pending(&ports, staff, organization, "AAAA22").await;
    let before = everything(&db);
    let edit: MembershipEdit = Box::new(|view| {
        change_roster(&mut view.membership);
        Err(MembershipError::NotJoined)
    });
    let refused = ports.memberships.update(id, edit).await;
    assert!(matches!(refused, Err(MembershipError::NotJoined)), "{refused:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn the_external_id_of_anybody_else_is_taken_and_nothing_is_written() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let external_id = |text: &str| ExternalId::parse(text).ok();
    for (text, organization, invite_code) in [
        ("E-pending", organization, "AAAA22"),
        ("E-left", organization, "BBBB22"),
        ("E-south", elsewhere, "CCCC22"),
    ] {
        let mut new = a_membership(staff, organization, invite_code);
        new.membership.external_id = external_id(text);
        let id = ports.given_membership(new).await.membership.id;
        if text == "E-left" {
            ports.given_departure(staff, id, at(50)).await;
        }
    }
    let (id, _) = given_pending(&ports, staff, organization, "DDDD22").await;
    let membership = ports.view(id).await.membership;
    let number = |text: &str| {
        let external_id = external_id(text);
        edited(membership_audit(staff, &membership), move |view| view.membership.external_id = external_id)
    };
    let before = everything(&db);
    for text in ["E-pending", "E-left"] {
        let refused = ports.memberships.update(id, number(text)).await.expect_err(text);
        assert!(matches!(refused, MembershipError::ExternalIdTaken(_)), "{refused:?}");
        assert_eq!(fields_of(&refused), [("external_id".to_owned(), "taken")]);
        assert_eq!(everything(&db), before);
    }
    ports.memberships.update(id, number("E-south")).await.expect("it is free here");
}

#[tokio::test]
async fn teams_that_are_foreign_deleted_or_unknown_are_refused_by_field_and_nothing_is_written() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let own = ports.given_team(staff, organization, "Day shift").await;
    let deleted = ports.given_team(staff, organization, "Dissolved").await;
    db.execute("UPDATE teams SET deleted_at = now() WHERE name = 'Dissolved'");
    let elsewhere = ports.given_organization(staff, "South").await;
    let foreign = ports.given_team(staff, elsewhere, "Day shift").await;
    let unknown = TeamId::new(next_id());
    let (id, _) = given_pending(&ports, staff, organization, "AAAA22").await;
    let membership = ports.view(id).await.membership;
    let before = everything(&db);
    for field in ["team_ids", "administered_team_ids"] {
        for wrong in [foreign, deleted, unknown] {
            let edit = edited(membership_audit(staff, &membership), move |view| {
                let wanted = vec![own, wrong];
                if field == "team_ids" {
                    view.membership.teams = wanted;
                } else {
                    view.membership.administered_teams = wanted;
                }
            });
            let refused = ports.memberships.update(id, edit).await.expect_err("it is no live team of North");
            let MembershipError::Invalid(errors) = &refused else { panic!("{refused:?}") };
            assert_eq!(fields_of(&refused), [(field.to_owned(), "unknown")]);
            let message = &errors.iter().next().expect("one").1[0].message;
            assert!(message.contains(&wrong.to_string()) && !message.contains(&own.to_string()), "{message}");
            assert_eq!(everything(&db), before);
        }
    }
}

#[tokio::test]
async fn the_code_of_a_pending_invitation_is_taken_and_nothing_is_written() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (id, audit) = given_pending(&ports, staff, organization, "AAAA22").await;
    given_pending(&ports, staff, organization, "BBBB22").await;
    let invitation = a_replacement(&ports.view(id).await.membership, "BBBB22");
    let before = everything(&db);
    let refused = ports.memberships.update(id, reinvited(audit, invitation)).await;
    assert!(matches!(refused, Err(MembershipError::CodeTaken)), "{refused:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn without_its_audit_row_a_change_does_not_happen() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (id, audit) = given_pending(&ports, staff, organization, "AAAA22").await;
    let before = everything(&db);
    let audit = AuditEntry { actor: UserId::new(next_id()), ..audit };
    let failed = ports.memberships.update(id, departure(audit, at(50))).await;
    assert!(matches!(failed, Err(MembershipError::Storage(_))), "{failed:?}");
    assert_eq!(everything(&db), before);
}

/// The change by which somebody does not run the organization any more.
fn demoted(audit: AuditEntry) -> MembershipEdit {
    edited(audit, |view| view.membership.org_admin = false)
}

#[tokio::test]
async fn the_last_active_admin_stays_and_nothing_is_written() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let admin = |invite_code: &str, organization| {
        let mut new = a_membership(staff, organization, invite_code);
        new.membership.org_admin = true;
        new
    };
    let last = ports.given_membership(admin("AAAA22", organization)).await.membership;
    ports.given_member("the-admin", Some("AAAA22")).await;
    // Neither a member, nor an admin who has not come, nor an admin of another organization counts.
    ports.given_named_member(staff, organization, ["A", "Member"], "BBBB22").await;
    let pending = ports.given_membership(admin("CCCC22", organization)).await.membership;
    ports.given_org_admin(staff, elsewhere, "elsewhere", "DDDD22").await;
    let before = everything(&db);
    for edit in [demoted(membership_audit(staff, &last)), departure(membership_audit(staff, &last), at(50))] {
        let refused = ports.memberships.update(last.id, edit).await;
        assert!(matches!(refused, Err(MembershipError::LastOrgAdmin)), "{refused:?}");
        assert_eq!(everything(&db), before);
    }
    ports.memberships.update(last.id, renamed(membership_audit(staff, &last))).await.expect("runs it still");
    ports
        .memberships
        .update(pending.id, demoted(membership_audit(staff, &pending)))
        .await
        .expect("ran nothing yet");
    ports.given_org_admin(staff, organization, "another-admin", "EEEE22").await;
    ports
        .memberships
        .update(last.id, demoted(membership_audit(staff, &last)))
        .await
        .expect("another one is there");
}

// --- at once -----------------------------------------------------------------------------------------------------

/// Locks every membership, so that changes started now meet each other before they can end.
fn all_memberships(db: &TestDatabase) -> Lock {
    Lock::take(db, "SELECT FROM memberships FOR UPDATE")
}

/// The two admins of North: user and membership.
async fn two_admins(ports: &Ports, staff: UserId, organization: OrgId) -> [(UserId, Membership); 2] {
    let mut admins = Vec::new();
    for (text, invite_code) in [("first-admin", "AAAA22"), ("second-admin", "BBBB22")] {
        let mut new = a_membership(staff, organization, invite_code);
        new.membership.org_admin = true;
        let membership = ports.given_membership(new).await.membership;
        let (user, _) = ports.given_member(text, Some(invite_code)).await;
        admins.push((user.id, membership));
    }
    admins.try_into().expect("two")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_admins_who_dismiss_each_other_at_once_exactly_one_stays() {
    for leaves in [false, true] {
        let db = TestDatabase::create();
        let (ports, staff, organization) = Ports::ready(&db).await;
        let [(first, of_first), (second, of_second)] = two_admins(&ports, staff, organization).await;
        let lock = all_memberships(&db);
        let both = [(first, of_second), (second, of_first)].map(|(actor, dismissed)| {
            let (ports, audit) = (ports.clone(), membership_audit(actor, &dismissed));
            let edit = if leaves { departure(audit, at(50)) } else { demoted(audit) };
            tokio::spawn(async move { ports.memberships.update(dismissed.id, edit).await })
        });
        until_waiting(&db, 2).await;
        lock.release();
        let mut results = Vec::new();
        for task in both {
            results.push(task.await.expect("no panic"));
        }
        let refused = |result: &&Result<_, _>| matches!(result, Err(MembershipError::LastOrgAdmin));
        assert_eq!(results.iter().filter(refused).count(), 1, "{results:?}");
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        assert_eq!(count(&db, "memberships WHERE org_admin AND status = 'active'"), 1);
        assert_eq!(count(&db, "audit_log WHERE action = 'membership.update'"), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_admin_who_is_dismissed_and_one_who_deletes_the_account_at_once_one_stays() {
    for deletes_first in [false, true] {
        let db = TestDatabase::create();
        let (ports, staff, organization) = Ports::ready(&db).await;
        let [(leaver, _), (_, dismissed)] = two_admins(&ports, staff, organization).await;
        let lock = all_memberships(&db);
        let (deleting, updating) = (ports.clone(), ports.clone());
        let delete = async move { deleting.users.delete(leaver, at(50)).await };
        let edit = demoted(membership_audit(staff, &dismissed));
        let update = async move { updating.memberships.update(dismissed.id, edit).await };
        let (deleted, updated) = in_order(&db, lock, deletes_first, delete, update).await;
        match (&deleted, &updated) {
            (Ok(()), Err(MembershipError::LastOrgAdmin)) | (Err(UserError::LastOrgAdmin), Ok(_)) => {}
            _ => panic!("{deleted:?} {updated:?}"),
        }
        assert_eq!(deleted.is_ok(), deletes_first, "who comes first is served first");
        assert_eq!(count(&db, "memberships WHERE org_admin AND status = 'active'"), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_let_go_by_two_organizations_at_once_is_signed_out() {
    let db = TestDatabase::create();
    let (ports, staff, north) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let (in_north, of_north) = given_pending(&ports, staff, north, "AAAA22").await;
    let (in_south, of_south) = given_pending(&ports, staff, south, "BBBB22").await;
    let (user, _) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    ports.memberships.accept(&code("BBBB22"), user.id, at(30)).await.expect("the code is good");
    // Neither can end before both have done all but the audit row.
    let lock = Lock::take(&db, "LOCK TABLE audit_log IN EXCLUSIVE MODE");
    let (first, second) = (ports.clone(), ports.clone());
    let (first, second) = in_order(
        &db,
        lock,
        true,
        async move { first.memberships.update(in_north, departure(of_north, at(50))).await },
        async move { second.memberships.update(in_south, departure(of_south, at(50))).await },
    )
    .await;
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    assert_eq!(count(&db, "sessions"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_membership_at_once_lose_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (id, _) = given_pending(&ports, staff, organization, "AAAA22").await;
    let membership = ports.view(id).await.membership;
    let updates = (0..8).map(|n| {
        let (ports, audit) = (ports.clone(), membership_audit(staff, &membership));
        let edit = edited(audit, move |view| {
            let title = view.membership.job_title.as_ref().map_or("", JobTitle::as_str).to_owned();
            view.membership.job_title = JobTitle::parse(&format!("{title}{n}")).ok();
        });
        async move { ports.memberships.update(id, edit).await.expect("changes") }
    });
    all_at_once(updates).await;
    let title = ports.view(id).await.membership.job_title.expect("there is one");
    let mut digits: Vec<char> = title.as_str().trim_start_matches("Forklift driver").chars().collect();
    digits.sort_unstable();
    assert_eq!(digits.iter().collect::<String>(), "01234567", "{title:?}");
    assert_eq!(count(&db, "audit_log WHERE action = 'membership.update'"), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_accepts_just_before_being_let_go_is_signed_out() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (id, audit) = given_pending(&ports, staff, organization, "AAAA22").await;
    let (user, _) = ports.given_user("forklift-fan").await;
    let lock = all_memberships(&db);
    let (accepting, updating) = (ports.clone(), ports.clone());
    let (accepted, left) = in_order(
        &db,
        lock,
        true,
        async move { accepting.memberships.accept(&code("AAAA22"), user.id, at(30)).await },
        async move { updating.memberships.update(id, departure(audit, at(50))).await },
    )
    .await;
    accepted.expect("comes first");
    let left = left.expect("comes second");
    assert_eq!(
        (left.membership.user, left.membership.status),
        (Some(user.id), MembershipStatus::Deactivated)
    );
    assert_eq!(left.invitation.map(|invitation| invitation.status), Some(InvitationStatus::Accepted));
    assert_eq!(count(&db, "sessions"), 0, "no active membership is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_accepts_just_after_being_let_go_is_refused() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (id, audit) = given_pending(&ports, staff, organization, "AAAA22").await;
    let (user, _) = ports.given_user("forklift-fan").await;
    let lock = all_memberships(&db);
    let (accepting, updating) = (ports.clone(), ports.clone());
    let (left, accepted) = in_order(
        &db,
        lock,
        true,
        async move { updating.memberships.update(id, departure(audit, at(50))).await },
        async move { accepting.memberships.accept(&code("AAAA22"), user.id, at(30)).await },
    )
    .await;
    assert_eq!(left.expect("comes first"), ports.view(id).await);
    assert!(matches!(accepted, Err(MembershipError::InvitationNotUsable)), "{accepted:?}");
    assert_eq!(count(&db, "memberships WHERE user_id IS NULL AND status = 'deactivated'"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_and_an_acceptance_at_once_are_both_done() {
    for accepts_first in [false, true] {
        let db = TestDatabase::create();
        let (ports, staff, organization) = Ports::ready(&db).await;
        let (id, audit) = given_pending(&ports, staff, organization, "AAAA22").await;
        let (user, _) = ports.given_user("forklift-fan").await;
        let lock = all_memberships(&db);
        let (accepting, updating) = (ports.clone(), ports.clone());
        let accept = async move { accepting.memberships.accept(&code("AAAA22"), user.id, at(30)).await };
        let update = async move { updating.memberships.update(id, renamed(audit)).await };
        let (accepted, updated) = in_order(&db, lock, accepts_first, accept, update).await;
        assert!(accepted.is_ok() && updated.is_ok(), "{accepted:?} {updated:?}");
        let membership = ports.view(id).await.membership;
        assert_eq!(
            (membership.user, membership.status, membership.first_name),
            (Some(user.id), MembershipStatus::Active, name("Renamed"))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_and_the_deletion_of_the_account_at_once_are_both_done() {
    for (deletes_first, leaves) in [(false, false), (false, true), (true, false), (true, true)] {
        let db = TestDatabase::create();
        let (ports, staff, organization) = Ports::ready(&db).await;
        let (id, audit) = given_pending(&ports, staff, organization, "AAAA22").await;
        let (user, _) = ports.given_member("forklift-fan", Some("AAAA22")).await;
        let lock = all_memberships(&db);
        let (deleting, updating) = (ports.clone(), ports.clone());
        let delete = async move { deleting.users.delete(user.id, at(50)).await };
        let edit = if leaves { departure(audit, at(60)) } else { renamed(audit) };
        let update = async move { updating.memberships.update(id, edit).await };
        let (deleted, updated) = in_order(&db, lock, deletes_first, delete, update).await;
        assert!(deleted.is_ok() && updated.is_ok(), "{deleted:?} {updated:?}");
        let view = ports.view(id).await;
        assert_eq!((view.membership.status, view.user), (MembershipStatus::Deactivated, None));
        assert_eq!(view.membership.first_name, name(if leaves { "Ann" } else { "Renamed" }));
        assert_eq!(count(&db, "sessions"), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_and_a_new_name_of_the_account_at_once_are_both_done() {
    for names_first in [false, true] {
        let db = TestDatabase::create();
        let (ports, staff, organization) = Ports::ready(&db).await;
        let (id, audit) = given_pending(&ports, staff, organization, "AAAA22").await;
        let (user, _) = ports.given_member("forklift-fan", Some("AAAA22")).await;
        let lock = all_memberships(&db);
        let (naming, updating) = (ports.clone(), ports.clone());
        let edit = own(|user| user.first_name = name("Anna"));
        let rename = async move { naming.users.update(user.id, edit, None).await };
        let update = async move { updating.memberships.update(id, renamed(audit)).await };
        let (named, updated) = in_order(&db, lock, names_first, rename, update).await;
        assert!(named.is_ok() && updated.is_ok(), "{named:?} {updated:?}");
        let both = "memberships WHERE first_name = 'Renamed' AND account_first_name = 'Anna'";
        assert_eq!(count(&db, both), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_say_in_a_team_that_is_taken_meanwhile_does_not_come_back() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let team = ports.given_team(staff, organization, "Day shift").await;
    let mut new = a_membership(staff, organization, "AAAA22");
    new.membership.administered_teams = vec![team];
    let membership = ports.given_membership(new).await.membership;
    let id = membership.id;
    let subject = AuditSubject::Team(team);
    let taken = an_audit(staff, "team.remove_admin", Some(organization), subject);
    let (other, runtime) = (ports.clone(), Handle::current());
    let edit = edited(membership_audit(staff, &membership), move |view| {
        view.membership.first_name = name("Renamed");
        let removed = runtime.block_on(other.teams.remove_admin(team, id, taken));
        removed.expect("removes").expect("ran the team");
    });
    let updated = ports.memberships.update(id, edit).await.expect("changes");
    assert_eq!(updated.membership.administered_teams, vec![]);
    assert_eq!(count(&db, "team_admins"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_that_is_deleted_at_the_same_time_is_not_joined_again() {
    for is_in_order in [true, false] {
        let db = TestDatabase::create();
        let (ports, staff, organization) = Ports::ready(&db).await;
        let team = ports.given_team(staff, organization, "Day shift").await;
        let mut new = a_membership(staff, organization, "AAAA22");
        new.membership.teams = vec![team];
        let membership = ports.given_membership(new).await.membership;
        let deleted = an_audit(staff, "team.delete", Some(organization), AuditSubject::Team(team));
        let (first, second) = (ports.clone(), ports.clone());
        let edit = edited(membership_audit(staff, &membership), |view| {
            view.membership.first_name = name("Renamed");
        });
        let delete = Box::new(move |team: &mut Team| {
            team.deleted_at = Some(at(50));
            Ok(Some(deleted))
        });
        let lock = Lock::take(&db, "SELECT FROM organizations FOR UPDATE");
        let (updated, gone) = in_order(
            &db,
            lock,
            is_in_order,
            async move { first.memberships.update(membership.id, edit).await },
            async move { second.teams.update(team, delete).await },
        )
        .await;
        gone.expect("deletes");
        let left = if is_in_order { vec![team] } else { vec![] };
        assert_eq!(updated.expect("changes").membership.teams, left);
        assert_eq!(count(&db, "team_memberships"), 0, "a deleted team has no members");
    }
}
