//! Contract tests of `MembershipRepository`.

mod common;

use adapter_postgres::testing::TestDatabase;
use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;
use domain_kernel::{ExternalId, OrgId, TeamId, UserId};
use domain_memberships::ports::{NewMembership, RosterSettings};
use domain_memberships::{
    Added, Invitation, InvitationPreview, InvitationStatus, Membership, MembershipError, MembershipStatus,
    MembershipView, UserBrief,
};
use domain_users::User;
use serde_json::json;

use crate::common::{
    Ports, a_membership, all_at_once, at, audit_json, code, count, everything, fields_of, name, next_id,
};

fn brief(user: &User) -> UserBrief {
    UserBrief {
        id: user.id,
        username: user.uid().to_owned(),
        first_name: user.first_name.to_string(),
        last_name: user.last_name.to_string(),
    }
}

fn with_external_id(mut new: NewMembership, external_id: &str) -> NewMembership {
    new.membership.external_id = ExternalId::parse(external_id).ok();
    new
}

/// What a membership that somebody took at `at(30)` looks like.
fn taken_by(view: &MembershipView, user: &User) -> MembershipView {
    let membership = Membership {
        user: Some(user.id),
        status: MembershipStatus::Active,
        updated_at: at(30),
        ..view.membership.clone()
    };
    let invitation = view
        .invitation
        .clone()
        .map(|invitation| Invitation { status: InvitationStatus::Accepted, ..invitation });
    MembershipView { membership, invitation, user: Some(brief(user)), ..view.clone() }
}

// --- find_settings -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_settings_of_an_organization_are_found_and_of_an_unknown_one_are_none() {
    let db = TestDatabase::create();
    let (ports, _, organization) = Ports::ready(&db).await;
    let expected = RosterSettings { time_zone: Tz::America__Chicago, reporting_grace_days: 14 };
    let found = ports.memberships.find_settings(organization).await;
    assert_eq!(found.expect("looked up"), Some(expected));
    let found = ports.memberships.find_settings(OrgId::new(next_id())).await;
    assert_eq!(found.expect("looked up"), None);
}

#[tokio::test]
async fn a_time_zone_that_nobody_knows_is_an_error_and_not_another_zone() {
    let db = TestDatabase::create();
    let (ports, _, organization) = Ports::ready(&db).await;
    db.execute("UPDATE organizations SET time_zone = 'Mars/Olympus'");
    let failed = ports.memberships.find_settings(organization).await;
    assert!(matches!(failed, Err(MembershipError::Storage(_))), "{failed:?}");
}

// --- add ---------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_membership_is_stored_whole_with_teams_invitation_and_audit_row() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let day = ports.given_team(staff, organization, "Day shift").await;
    let night = ports.given_team(staff, organization, "Night shift").await;
    let mut new = a_membership(staff, organization, "AAAA22");
    new.membership.org_admin = true;
    new.membership.teams = vec![day, night];
    new.membership.administered_teams = vec![night];
    let expected = MembershipView {
        membership: new.membership.clone(),
        invitation: Some(new.invitation.clone()),
        user: None,
        training_category: None,
    };
    let added = ports.memberships.add(new.clone()).await.expect("all is new");
    assert_eq!(added, Added::Created(expected.clone()));
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&new.audit)));

    // Read back by the one method that gives a membership again.
    let (user, _) = ports.given_user("forklift-fan").await;
    let accepted =
        ports.memberships.accept(&code("AAAA22"), user.id, at(30)).await.expect("the code is good");
    assert_eq!(accepted, taken_by(&expected, &user));
}

#[tokio::test]
async fn a_membership_with_nothing_optional_is_stored_whole() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    for code in ["AAAA22", "BBBB22"] {
        let mut new = a_membership(staff, organization, code);
        new.membership.external_id = None;
        new.membership.email = None;
        new.membership.job_title = None;
        new.membership.hired_on = None;
        let expected = MembershipView {
            membership: new.membership.clone(),
            invitation: Some(new.invitation.clone()),
            user: None,
            training_category: None,
        };
        let added = ports.memberships.add(new).await.expect("no external id is not the same external id");
        assert_eq!(added, Added::Created(expected));
    }
}

#[tokio::test]
async fn a_team_named_twice_is_joined_once() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let team = ports.given_team(staff, organization, "Day shift").await;
    let mut new = a_membership(staff, organization, "AAAA22");
    new.membership.teams = vec![team, team];
    new.membership.administered_teams = vec![team, team];
    let view = ports.given_membership(new).await;
    assert_eq!((view.membership.teams, view.membership.administered_teams), (vec![team], vec![team]));
}

#[tokio::test]
async fn teams_that_are_foreign_deleted_or_unknown_are_refused_by_field_and_id_and_nothing_is_written() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let own = ports.given_team(staff, organization, "Day shift").await;
    let deleted = ports.given_team(staff, organization, "Dissolved").await;
    db.execute("UPDATE teams SET deleted_at = now() WHERE name = 'Dissolved'");
    let elsewhere = ports.given_organization(staff, "South").await;
    let foreign = ports.given_team(staff, elsewhere, "Day shift").await;
    let unknown = TeamId::new(next_id());
    let before = everything(&db);
    for field in ["team_ids", "administered_team_ids"] {
        for wrong in [vec![foreign], vec![deleted], vec![unknown], vec![foreign, deleted, unknown]] {
            let mut new = a_membership(staff, organization, "AAAA22");
            let teams = [vec![own], wrong.clone()].concat();
            if field == "team_ids" {
                new.membership.teams = teams;
            } else {
                new.membership.teams = vec![own];
                new.membership.administered_teams = teams;
            }
            let refused = ports.memberships.add(new).await.expect_err("not all are live teams");
            let MembershipError::Invalid(errors) = &refused else { panic!("{refused:?}") };
            assert_eq!(fields_of(&refused), [(field.to_owned(), "unknown")]);
            let (_, problems) = errors.iter().next().expect("one");
            let message = &problems[0].message;
            assert!(wrong.iter().all(|team| message.contains(&team.to_string())), "{message}");
            assert!(!message.contains(&own.to_string()), "{message}");
            assert_eq!(everything(&db), before);
        }
    }
}

#[tokio::test]
async fn the_external_id_of_a_pending_or_active_member_is_taken_and_nothing_is_written() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    ports.given_membership(with_external_id(a_membership(staff, organization, "AAAA22"), "E-pending")).await;
    ports.given_membership(with_external_id(a_membership(staff, organization, "BBBB22"), "E-active")).await;
    ports.given_member("forklift-fan", Some("BBBB22")).await;
    let before = everything(&db);
    for external_id in ["E-pending", "E-active"] {
        let new = with_external_id(a_membership(staff, organization, "CCCC22"), external_id);
        let refused = ports.memberships.add(new).await.expect_err("it is taken");
        assert!(matches!(refused, MembershipError::ExternalIdTaken(_)), "{refused:?}");
        assert_eq!(fields_of(&refused), [("external_id".to_owned(), "taken")]);
        assert_eq!(everything(&db), before);
    }
    let elsewhere = ports.given_organization(staff, "South").await;
    ports.given_membership(with_external_id(a_membership(staff, elsewhere, "CCCC22"), "E-pending")).await;
}

#[tokio::test]
async fn the_code_of_a_pending_invitation_is_taken_and_nothing_is_written() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let before = everything(&db);
    for organization in [organization, elsewhere] {
        let refused = ports.memberships.add(a_membership(staff, organization, "AAAA22")).await;
        assert!(matches!(refused, Err(MembershipError::CodeTaken)), "{refused:?}");
        assert_eq!(everything(&db), before);
    }
    db.execute("UPDATE invitations SET status = 'expired'");
    ports.given_membership(a_membership(staff, elsewhere, "AAAA22")).await;
}

#[tokio::test]
async fn without_its_audit_row_a_membership_is_not_added() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let team = ports.given_team(staff, organization, "Day shift").await;
    let before = everything(&db);
    let mut new = a_membership(UserId::new(next_id()), organization, "AAAA22");
    new.membership.teams = vec![team];
    let failed = ports.memberships.add(new).await;
    assert!(matches!(failed, Err(MembershipError::Storage(_))), "{failed:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_memberships_with_one_external_id_added_at_once_exactly_one_is_made() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let adds = (0..8).map(|n| {
        let new = with_external_id(a_membership(staff, organization, &format!("AAAA2{n}")), "E-1");
        let ports = ports.clone();
        async move { ports.memberships.add(new).await }
    });
    let results = all_at_once(adds).await;
    assert_eq!(results.iter().filter(|result| matches!(result, Ok(Added::Created(_)))).count(), 1);
    let is_taken =
        |result: &&Result<Added, MembershipError>| matches!(result, Err(MembershipError::ExternalIdTaken(_)));
    assert_eq!(results.iter().filter(is_taken).count(), 7, "{results:?}");
    assert_eq!((count(&db, "memberships"), count(&db, "invitations")), (1, 1));
    assert_eq!(count(&db, "audit_log WHERE subject_kind = 'membership'"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_memberships_with_one_code_added_at_once_exactly_one_is_made() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let adds = (0..6).map(|_| {
        let (ports, new) = (ports.clone(), a_membership(staff, organization, "AAAA22"));
        async move { ports.memberships.add(new).await }
    });
    let results = all_at_once(adds).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let is_taken =
        |result: &&Result<Added, MembershipError>| matches!(result, Err(MembershipError::CodeTaken));
    assert_eq!(results.iter().filter(is_taken).count(), 5, "{results:?}");
    assert_eq!(count(&db, "memberships"), 1);
}

// --- add, of somebody who is back --------------------------------------------------------------------------------

/// The new values for somebody who had left: as many as possible differ from [`a_membership`].
fn comes_back(staff: UserId, organization: OrgId, invite_code: &str, external_id: &str) -> NewMembership {
    let mut new = with_external_id(a_membership(staff, organization, invite_code), external_id);
    new.membership.first_name = name("Anna");
    new.membership.last_name = name("Lee-Smith");
    new.membership.email = None;
    new.membership.job_title = None;
    new.membership.org_admin = true;
    new.membership.hired_on = NaiveDate::from_ymd_opt(2026, 3, 1);
    new.membership.reporting_starts_on = NaiveDate::from_ymd_opt(2026, 3, 15).expect("a day");
    new.membership.first_seen_at = at(1000);
    new.membership.created_at = at(1000);
    new.membership.updated_at = at(1000);
    new.invitation.created_at = at(1000);
    new.invitation.expires_at = at(2000);
    new
}

/// The new values on the old row.
fn taken_up_again(old: &Membership, new: &Membership) -> Membership {
    Membership {
        id: old.id,
        user: old.user,
        first_seen_at: old.first_seen_at,
        created_at: old.created_at,
        ..new.clone()
    }
}

const DEACTIVATE: &str = "UPDATE memberships SET status = 'deactivated', deactivated_at = now(); \
     UPDATE invitations SET status = 'revoked' WHERE status = 'pending'";

#[tokio::test]
async fn somebody_with_a_user_who_comes_back_is_active_at_once_with_the_new_values() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let old = with_external_id(a_membership(staff, organization, "AAAA22"), "E-1");
    let old = ports.given_membership(old).await;
    let (user, _) = ports.given_user("forklift-fan").await;
    let old_view =
        ports.memberships.accept(&code("AAAA22"), user.id, at(30)).await.expect("the code is good");
    assert_eq!(old_view, taken_by(&old, &user));
    db.execute(DEACTIVATE);

    let new = comes_back(staff, organization, "BBBB22", "E-1");
    let added = ports.memberships.add(new.clone()).await.expect("the old one has ended");

    let mut membership = taken_up_again(&old_view.membership, &new.membership);
    membership.status = MembershipStatus::Active;
    let expected = MembershipView { membership, ..old_view.clone() };
    assert_eq!(added, Added::Reactivated(expected), "with the invitation that was accepted, and no new one");
    assert_eq!((count(&db, "memberships"), count(&db, "invitations")), (1, 1));
    let row = ports.audit_rows().await.pop().expect("a row");
    assert_eq!(
        (&row["action"], &row["subject_id"]),
        (&json!("membership.reactivate"), &json!(old_view.membership.id.uuid()))
    );
    let status = (&row["before"]["status"], &row["after"]["status"]);
    assert_eq!(status, (&json!("deactivated"), &json!("active")), "{row}");
}

#[tokio::test]
async fn somebody_without_a_user_who_comes_back_is_pending_again_with_the_new_invitation() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let old = with_external_id(a_membership(staff, organization, "AAAA22"), "E-1");
    let old = ports.given_membership(old).await.membership;
    db.execute(DEACTIVATE);

    let new = comes_back(staff, organization, "BBBB22", "E-1");
    let added = ports.memberships.add(new.clone()).await.expect("the old one has ended");

    let expected = MembershipView {
        membership: taken_up_again(&old, &new.membership),
        invitation: Some(Invitation { membership: old.id, ..new.invitation }),
        user: None,
        training_category: None,
    };
    assert_eq!(added, Added::Reactivated(expected.clone()));
    assert_eq!((count(&db, "memberships"), count(&db, "invitations")), (1, 2));
    let row = ports.audit_rows().await.pop().expect("a row");
    assert_eq!(
        (&row["action"], &row["subject_id"]),
        (&json!("membership.reactivate"), &json!(old.id.uuid()))
    );
    let status = (&row["before"]["status"], &row["after"]["status"]);
    assert_eq!(status, (&json!("deactivated"), &json!("pending")), "{row}");

    let (user, _) = ports.given_user("forklift-fan").await;
    let refused = ports.memberships.accept(&code("AAAA22"), user.id, at(30)).await;
    assert!(matches!(refused, Err(MembershipError::InvitationNotUsable)), "{refused:?}");
    let accepted = ports.memberships.accept(&code("BBBB22"), user.id, at(30)).await;
    assert_eq!(accepted.expect("the code is good"), taken_by(&expected, &user));
}

#[tokio::test]
async fn somebody_who_deleted_the_account_and_comes_back_is_pending_again_with_the_new_invitation() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let old = with_external_id(a_membership(staff, organization, "AAAA22"), "E-1");
    let old = ports.given_membership(old).await.membership;
    let (gone, _) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    ports.users.delete(gone.id, at(40)).await.expect("deletes");

    let new = comes_back(staff, organization, "BBBB22", "E-1");
    let added = ports.memberships.add(new.clone()).await.expect("the old one has ended");

    let expected = MembershipView {
        membership: taken_up_again(&old, &new.membership),
        invitation: Some(Invitation { membership: old.id, ..new.invitation }),
        user: None,
        training_category: None,
    };
    assert_eq!(added, Added::Reactivated(expected.clone()));
    let (user, _) = ports.given_user("a-new-account").await;
    let accepted = ports.memberships.accept(&code("BBBB22"), user.id, at(30)).await;
    let expected = taken_by(&expected, &user);
    assert_eq!(accepted.expect("the code is good"), expected);

    assert_eq!(ports.users.erase_deleted(at(41), at(42)).await.expect("erases"), 1);
    let still_named = format!("memberships WHERE first_name = 'Anna' AND user_id = '{}'", user.id);
    assert_eq!(count(&db, &still_named), 1, "the old account takes nothing of the new one with it");
}

#[tokio::test]
async fn somebody_who_comes_back_is_on_the_new_teams_only() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let mut teams = Vec::new();
    for name in ["Day shift", "Night shift", "Weekend"] {
        teams.push(ports.given_team(staff, organization, name).await);
    }
    let mut old = with_external_id(a_membership(staff, organization, "AAAA22"), "E-1");
    old.membership.teams = teams[..2].to_vec();
    old.membership.administered_teams = teams[..2].to_vec();
    let old = ports.given_membership(old).await.membership;
    let mut other = a_membership(staff, organization, "CCCC22");
    other.membership.teams.clone_from(&teams);
    other.membership.administered_teams.clone_from(&teams);
    ports.given_membership(other).await;
    db.execute(&format!(
        "UPDATE memberships SET status = 'deactivated', deactivated_at = now() WHERE id = '{}'; \
         UPDATE invitations SET status = 'revoked' WHERE code = 'AAAA22'",
        old.id
    ));
    let mut new = comes_back(staff, organization, "BBBB22", "E-1");
    new.membership.teams = teams[1..].to_vec();
    new.membership.administered_teams = vec![teams[2]];
    let view = ports.given_membership(new.clone()).await;
    assert_eq!(view.membership, taken_up_again(&old, &new.membership));
    assert_eq!(
        (count(&db, "team_memberships"), count(&db, "team_admins")),
        (2 + 3, 1 + 3),
        "others keep theirs"
    );
}

#[tokio::test]
async fn a_refused_return_leaves_the_old_membership_as_it_was() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    ports.given_membership(with_external_id(a_membership(staff, organization, "AAAA22"), "E-1")).await;
    db.execute(DEACTIVATE);
    ports.given_membership(a_membership(staff, organization, "BBBB22")).await;
    let before = everything(&db);
    let refused = ports.memberships.add(comes_back(staff, organization, "BBBB22", "E-1")).await;
    assert!(matches!(refused, Err(MembershipError::CodeTaken)), "{refused:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn a_membership_that_ended_in_another_organization_is_not_taken_up() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    ports.given_membership(with_external_id(a_membership(staff, elsewhere, "AAAA22"), "E-1")).await;
    db.execute(DEACTIVATE);
    let new = with_external_id(a_membership(staff, organization, "BBBB22"), "E-1");
    let added = ports.memberships.add(new.clone()).await.expect("it is new here");
    assert!(matches!(added, Added::Created(view) if view.membership == new.membership));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_returns_of_one_person_at_once_exactly_one_is_done() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    ports.given_membership(with_external_id(a_membership(staff, organization, "AAAA22"), "E-1")).await;
    db.execute(DEACTIVATE);
    let adds = (0..6).map(|n| {
        let new = comes_back(staff, organization, &format!("BBBB2{n}"), "E-1");
        let ports = ports.clone();
        async move { ports.memberships.add(new).await }
    });
    let results = all_at_once(adds).await;
    assert_eq!(results.iter().filter(|result| matches!(result, Ok(Added::Reactivated(_)))).count(), 1);
    let is_taken =
        |result: &&Result<Added, MembershipError>| matches!(result, Err(MembershipError::ExternalIdTaken(_)));
    assert_eq!(results.iter().filter(is_taken).count(), 5, "{results:?}");
    assert_eq!(count(&db, "audit_log WHERE action = 'membership.reactivate'"), 1);
    assert_eq!(count(&db, "invitations WHERE status = 'pending'"), 1);
}

// --- preview -----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_holder_of_a_code_is_shown_the_organization_and_the_own_name() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let view = ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let expected = InvitationPreview {
        code: code("AAAA22"),
        organization_name: "North".into(),
        membership_name: "Ann Lee".into(),
        expires_at: view.invitation.expect("there is one").expires_at,
        sso_required: true,
    };
    let before = everything(&db);
    let preview = ports.memberships.preview(&code("aaaa22"), at(30)).await;
    assert_eq!(preview.expect("looked up"), Some(expected.clone()));
    assert_eq!(everything(&db), before, "looking uses nothing up");
    db.execute("UPDATE organizations SET sso_enforced = false");
    let expected = InvitationPreview { sso_required: false, ..expected };
    let preview = ports.memberships.preview(&code("AAAA22"), at(30)).await;
    assert_eq!(preview.expect("looked up"), Some(expected));
}

/// Five codes that do not work at `at(30)`, each for a reason of its own.
async fn given_useless_codes(
    db: &TestDatabase,
    ports: &Ports,
    staff: UserId,
    organization: OrgId,
) -> [&'static str; 5] {
    let mut over = a_membership(staff, organization, "EXPIRD");
    over.invitation.expires_at = at(30);
    ports.given_membership(over).await;
    for code in ["REVKED", "STAMPD", "ACCPTD"] {
        ports.given_membership(a_membership(staff, organization, code)).await;
    }
    db.execute(
        "UPDATE invitations SET status = 'revoked' WHERE code = 'REVKED'; \
         UPDATE invitations SET status = 'expired' WHERE code = 'STAMPD'",
    );
    ports.given_member("colleague", Some("ACCPTD")).await;
    ["UNKNWN", "REVKED", "STAMPD", "ACCPTD", "EXPIRD"]
}

#[tokio::test]
async fn the_holder_of_an_unknown_used_revoked_or_expired_code_is_shown_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    for text in given_useless_codes(&db, &ports, staff, organization).await {
        let preview = ports.memberships.preview(&code(text), at(30)).await;
        assert_eq!(preview.expect("looked up"), None, "{text}");
    }
    let a_moment_before = at(30) - TimeDelta::microseconds(1);
    let preview = ports.memberships.preview(&code("EXPIRD"), a_moment_before).await;
    assert!(preview.expect("looked up").is_some());
}

// --- accept ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn unknown_used_revoked_and_expired_codes_are_not_accepted_and_nothing_is_written() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let codes = given_useless_codes(&db, &ports, staff, organization).await;
    let (user, _) = ports.given_user("forklift-fan").await;
    let before = everything(&db);
    for text in codes {
        let refused = ports.memberships.accept(&code(text), user.id, at(30)).await;
        assert!(matches!(refused, Err(MembershipError::InvitationNotUsable)), "{text}: {refused:?}");
        assert_eq!(everything(&db), before, "{text}");
    }
}

#[tokio::test]
async fn a_member_accepts_no_second_membership_of_the_organization_and_the_code_stays_usable() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    ports.given_membership(a_membership(staff, organization, "BBBB22")).await;
    let (user, _) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    let before = everything(&db);
    let refused = ports.memberships.accept(&code("BBBB22"), user.id, at(30)).await;
    assert!(matches!(refused, Err(MembershipError::AlreadyMember)), "{refused:?}");
    assert_eq!(everything(&db), before);
    let (other, _) = ports.given_user("somebody-else").await;
    ports.memberships.accept(&code("BBBB22"), other.id, at(30)).await.expect("the code is still good");
}

#[tokio::test]
async fn one_person_can_be_a_member_of_several_organizations() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let view = ports.given_membership(a_membership(staff, elsewhere, "BBBB22")).await;
    let (user, session) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    let accepted = ports.memberships.accept(&code("bbbb22"), user.id, at(30)).await;
    assert_eq!(accepted.expect("the code is good"), taken_by(&view, &user));
    assert_eq!(ports.account_of(&session).await.memberships.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_people_who_accept_one_code_at_once_exactly_one_gets_the_membership() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let view = ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let mut people = Vec::new();
    for n in 0..8 {
        people.push(ports.given_user(&format!("person-{n}")).await.0);
    }
    let accepts = people.clone().into_iter().map(|user| {
        let ports = ports.clone();
        async move { ports.memberships.accept(&code("AAAA22"), user.id, at(30)).await }
    });
    let results = all_at_once(accepts).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for (user, result) in people.iter().zip(&results) {
        match result {
            Ok(accepted) => assert_eq!(*accepted, taken_by(&view, user)),
            Err(refused) => assert!(matches!(refused, MembershipError::InvitationNotUsable), "{refused:?}"),
        }
    }
    assert_eq!(count(&db, "memberships WHERE user_id IS NOT NULL"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_codes_of_one_organization_that_one_person_accepts_at_once_exactly_one_is_used() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    for code in ["AAAA22", "BBBB22"] {
        ports.given_membership(a_membership(staff, organization, code)).await;
    }
    let (user, _) = ports.given_user("forklift-fan").await;
    let accepts = ["AAAA22", "BBBB22"].map(|text| {
        let ports = ports.clone();
        async move { ports.memberships.accept(&code(text), user.id, at(30)).await }
    });
    let results = all_at_once(accepts).await;
    let refused =
        results.iter().filter(|result| matches!(result, Err(MembershipError::AlreadyMember))).count();
    assert_eq!((results.iter().filter(|result| result.is_ok()).count(), refused), (1, 1), "{results:?}");
    assert_eq!(count(&db, "invitations WHERE status = 'accepted'"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_sign_up_and_an_acceptance_with_one_code_exactly_one_succeeds() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (user, _) = ports.given_user("forklift-fan").await;
    for n in 0..5 {
        let text = format!("AAAA2{n}");
        let elsewhere = ports.given_organization(staff, &format!("South-{n}")).await;
        ports.given_membership(a_membership(staff, elsewhere, &text)).await;
        let registration = common::a_registration(&common::a_user(&format!("newcomer-{n}")), Some(&text));
        let (signing_up, accepting) = (ports.clone(), ports.clone());
        let (signed_up, accepted) = tokio::join!(
            tokio::spawn(async move { signing_up.users.register(registration).await.is_ok() }),
            tokio::spawn(
                async move { accepting.memberships.accept(&code(&text), user.id, at(5)).await.is_ok() }
            ),
        );
        assert!(signed_up.expect("no panic") != accepted.expect("no panic"));
    }
    assert_eq!(
        count(&db, &format!("memberships WHERE organization_id <> '{organization}' AND status = 'active'")),
        5
    );
}

// --- expire_invitations ------------------------------------------------------------------------------------------

#[tokio::test]
async fn pending_invitations_whose_time_is_over_are_stamped_and_counted() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    for (text, end) in [("BEFORE", 29), ("ATTHAT", 30), ("LATERR", 31), ("REVKED", 29), ("ACCPTD", 29)] {
        let mut new = a_membership(staff, organization, text);
        new.invitation.expires_at = at(end);
        ports.given_membership(new).await;
    }
    db.execute("UPDATE invitations SET status = 'revoked' WHERE code = 'REVKED'");
    ports.given_member("colleague", Some("ACCPTD")).await;

    assert_eq!(ports.memberships.expire_invitations(at(30)).await.expect("runs"), 2);

    let statuses = db.rows("SELECT code, status FROM invitations ORDER BY code");
    let expected =
        ["(ACCPTD,accepted)", "(ATTHAT,expired)", "(BEFORE,expired)", "(LATERR,pending)", "(REVKED,revoked)"];
    assert_eq!(statuses, expected);
    let stamped = format!("invitations WHERE status = 'expired' AND updated_at = '{}'", at(30).to_rfc3339());
    assert_eq!(count(&db, &stamped), 2);
    let before = everything(&db);
    assert_eq!(ports.memberships.expire_invitations(at(30)).await.expect("runs"), 0);
    assert_eq!(everything(&db), before);
}

// --- what the schema refuses ---------------------------------------------------------------------------------------

#[tokio::test]
async fn no_row_can_tie_a_membership_to_a_team_of_another_organization() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let foreign = ports.given_team(staff, elsewhere, "Day shift").await;
    let member = ports.given_membership(a_membership(staff, organization, "AAAA22")).await.membership;
    let before = everything(&db);
    for (table, time) in [("team_memberships", "joined_at"), ("team_admins", "created_at")] {
        for claimed in [organization, elsewhere] {
            let refused = db.try_execute(&format!(
                "INSERT INTO {table} (team_id, membership_id, organization_id, {time}) \
                 VALUES ('{foreign}', '{}', '{claimed}', now())",
                member.id
            ));
            let refused = refused.expect_err("whichever organization the row claims");
            assert!(refused.contains(&format!("{table}_organization_id_")), "{refused}");
        }
    }
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn no_invitation_can_belong_to_another_organization_than_its_membership() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let before = everything(&db);
    let mut new = a_membership(staff, organization, "AAAA22");
    new.invitation.organization = elsewhere;
    let failed = ports.memberships.add(new).await;
    assert!(matches!(failed, Err(MembershipError::Storage(_))), "{failed:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn no_membership_can_be_active_without_a_user_or_pending_with_one() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    for change in [
        "status = 'active'".to_owned(),
        format!("user_id = '{staff}'"),
        "status = 'deactivated'".to_owned(),
        "deactivated_at = now()".to_owned(),
        "status = 'gone'".to_owned(),
    ] {
        let refused = db.try_execute(&format!("UPDATE memberships SET {change}")).expect_err(&change);
        assert!(refused.contains("check constraint"), "{change}: {refused}");
    }
}

#[tokio::test]
async fn somebody_who_deleted_the_account_accepts_nothing_and_the_code_stays_usable() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    let (user, _) = ports.given_user("forklift-fan").await;
    ports.users.delete(user.id, at(20)).await.expect("deletes");
    let before = everything(&db);
    let refused = ports.memberships.accept(&code("AAAA22"), user.id, at(21)).await;
    assert!(matches!(refused, Err(MembershipError::InvitationNotUsable)), "{refused:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn a_membership_is_found_as_it_was_added() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let view = ports.given_membership(a_membership(staff, organization, "AAAA22")).await;
    assert_eq!(ports.memberships.find(view.membership.id).await.expect("looked up"), Some(view));
    let unknown = domain_kernel::MembershipId::new(next_id());
    assert_eq!(ports.memberships.find(unknown).await.expect("looked up"), None);
}
