//! Contract tests of `InvitationRepository`.

mod common;

use adapter_postgres::testing::TestDatabase;
use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::{
    AuditEntry, AuditSubject, EmailAddress, InvitationId, OrgId, Page, PageRequest, Refusal, UserId,
};
use domain_memberships::ports::{
    InvitationChange, InvitationEdit, InvitationFilter, InvitationSelection, NewMembership,
};
use domain_memberships::{
    Invitation, InvitationDetails, InvitationStatus, MembershipError, MembershipStatus,
};

use crate::common::{
    ALL, Lock, Ports, a_membership, an_audit, at, audit_json, code, count, everything, in_order, name,
    next_id, page,
};

/// What the invitation of a person on the roster of North is, before anything happens to it.
fn details_of(new: &NewMembership) -> InvitationDetails {
    InvitationDetails {
        invitation: new.invitation.clone(),
        organization_name: "North".into(),
        membership_name: format!("{} {}", new.membership.first_name, new.membership.last_name),
        membership_status: MembershipStatus::Pending,
        gives_say: new.membership.org_admin || !new.membership.administered_teams.is_empty(),
        email: new.membership.email.clone(),
        sent: None,
        accepted: None,
        revoked_at: None,
    }
}

/// A person who was invited at this time.
async fn given_invited(
    ports: &Ports,
    staff: UserId,
    organization: OrgId,
    invite_code: &str,
    invited_at: DateTime<Utc>,
) -> InvitationDetails {
    let mut new = a_membership(staff, organization, invite_code);
    new.membership.first_name = name(&format!("Ann {invite_code}"));
    new.invitation.created_at = invited_at;
    let details = details_of(&new);
    ports.given_membership(new).await;
    details
}

async fn found(ports: &Ports, id: InvitationId) -> InvitationDetails {
    ports.invitations.find(id).await.expect("looked up").expect("there is one")
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("an address")
}

fn audit_of(actor: UserId, details: &InvitationDetails) -> AuditEntry {
    let invitation = &details.invitation;
    let subject = AuditSubject::Invitation(invitation.id);
    an_audit(actor, "invitation.resend", Some(invitation.organization), subject)
}

/// The change that lets the code work longer.
fn resent(audit: AuditEntry, expires_at: DateTime<Utc>) -> InvitationEdit {
    Box::new(move |details| {
        if details.invitation.status != InvitationStatus::Pending {
            return Err(MembershipError::InvitationEnded(details.invitation.status));
        }
        details.invitation.expires_at = expires_at;
        Ok(InvitationChange::Saved(Box::new(audit)))
    })
}

/// Another invitation to the same membership.
fn another(invitation: &Invitation, text: &str) -> Invitation {
    Invitation {
        id: InvitationId::new(next_id()),
        code: code(text),
        expires_at: at(70) + TimeDelta::days(2),
        created_at: at(70),
        ..invitation.clone()
    }
}

fn replaced(audit: AuditEntry, invitation: Invitation) -> InvitationEdit {
    Box::new(move |_| Ok(InvitationChange::Replaced(invitation, Box::new(audit))))
}

// --- find --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_invitation_is_found_with_what_belongs_to_it() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let pending = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    assert_eq!(found(&ports, pending.invitation.id).await, pending);
    let missed = ports.invitations.find(InvitationId::new(next_id())).await;
    assert_eq!(missed.expect("looked up"), None);
}

#[tokio::test]
async fn an_invitation_tells_when_and_by_whom_it_was_accepted_and_when_it_was_taken_back() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let accepted = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    let revoked = given_invited(&ports, staff, organization, "BBBB22", at(20)).await;
    let (user, _) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    ports.given_departure(staff, revoked.invitation.membership, at(50)).await;
    let expected = InvitationDetails {
        invitation: Invitation { status: InvitationStatus::Accepted, ..accepted.invitation.clone() },
        membership_status: MembershipStatus::Active,
        accepted: Some((at(10), user.id)),
        ..accepted
    };
    assert_eq!(found(&ports, expected.invitation.id).await, expected);
    let expected = InvitationDetails {
        invitation: Invitation { status: InvitationStatus::Revoked, ..revoked.invitation.clone() },
        membership_status: MembershipStatus::Deactivated,
        revoked_at: Some(at(50)),
        ..revoked
    };
    assert_eq!(found(&ports, expected.invitation.id).await, expected);
}

#[tokio::test]
async fn the_address_is_that_of_the_roster_and_may_be_missing() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let mut new = a_membership(staff, organization, "AAAA22");
    new.membership.email = None;
    let expected = details_of(&new);
    ports.given_membership(new).await;
    assert_eq!(expected.email, None);
    assert_eq!(found(&ports, expected.invitation.id).await, expected);
}

// --- list_of_organization ----------------------------------------------------------------------------------------

async fn list(
    ports: &Ports,
    organization: OrgId,
    filter: InvitationFilter,
    part: PageRequest,
) -> Page<InvitationDetails> {
    let listed = ports.invitations.list_of_organization(organization, filter, at(100), part).await;
    listed.expect("a read").expect("there is such an organization")
}

/// One invitation of each kind at `at(100)`, oldest first.
async fn given_each_kind(
    db: &TestDatabase,
    ports: &Ports,
    staff: UserId,
    org: OrgId,
) -> Vec<InvitationDetails> {
    let mut kinds = Vec::new();
    for (n, text) in (20..).zip(["PENDNG", "ACCPTD", "STAMPD", "OVERRR", "REVKED"]) {
        kinds.push(given_invited(ports, staff, org, text, at(n)).await);
    }
    ports.given_member("colleague", Some("ACCPTD")).await;
    ports.given_departure(staff, kinds[4].invitation.membership, at(50)).await;
    db.execute(&format!(
        "UPDATE invitations SET status = 'expired' WHERE code = 'STAMPD'; \
         UPDATE invitations SET expires_at = '{}' WHERE code = 'OVERRR'",
        at(100).to_rfc3339()
    ));
    let mut stored = Vec::new();
    for kind in kinds {
        stored.push(found(ports, kind.invitation.id).await);
    }
    stored
}

#[tokio::test]
async fn all_invitations_are_listed_newest_first() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let mut all = given_each_kind(&db, &ports, staff, organization).await;
    all.reverse();
    let listed = list(&ports, organization, InvitationFilter::default(), ALL).await;
    assert_eq!(listed, Page { items: all, total: 5 });
}

#[tokio::test]
async fn a_status_lets_those_pass_that_stand_so_now() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let kinds = given_each_kind(&db, &ports, staff, organization).await;
    let [pending, accepted, stamped, over, revoked]: [InvitationDetails; 5] = kinds.try_into().expect("five");
    assert_eq!(over.invitation.status, InvitationStatus::Pending, "nothing has written it down");
    for (status, items) in [
        (InvitationStatus::Pending, vec![pending]),
        (InvitationStatus::Accepted, vec![accepted]),
        (InvitationStatus::Expired, vec![over.clone(), stamped]),
        (InvitationStatus::Revoked, vec![revoked]),
    ] {
        let filter = InvitationFilter { status: Some(status), membership: None };
        let total = i64::try_from(items.len()).expect("few");
        assert_eq!(list(&ports, organization, filter, ALL).await, Page { items, total }, "{status:?}");
    }
    let filter = InvitationFilter { status: Some(InvitationStatus::Pending), membership: None };
    let earlier = at(100) - TimeDelta::microseconds(1);
    let listed = ports.invitations.list_of_organization(organization, filter, earlier, ALL).await;
    let listed = listed.expect("a read").expect("it exists");
    assert!(listed.items.contains(&over) && listed.total == 2, "its time is not over then: {listed:?}");
}

#[tokio::test]
async fn a_membership_lets_its_own_invitations_pass_and_no_others() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let first = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    given_invited(&ports, staff, organization, "BBBB22", at(20)).await;
    let new = another(&first.invitation, "CCCC22");
    let edit = replaced(audit_of(staff, &first), new.clone());
    ports.invitations.update(first.invitation.id, edit).await.expect("changes");
    let items = vec![found(&ports, new.id).await, found(&ports, first.invitation.id).await];
    let own = InvitationFilter { status: None, membership: Some(first.invitation.membership) };
    assert_eq!(list(&ports, organization, own.clone(), ALL).await, Page { items: items.clone(), total: 2 });
    let both = InvitationFilter { status: Some(InvitationStatus::Revoked), ..own };
    assert_eq!(list(&ports, organization, both, ALL).await, Page { items: items[1..].to_vec(), total: 1 });
}

#[tokio::test]
async fn those_made_at_one_time_are_in_the_order_of_ids_and_on_one_page_each() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let mut all = Vec::new();
    for text in ["AAAA22", "BBBB22", "CCCC22"] {
        all.push(given_invited(&ports, staff, organization, text, at(20)).await);
    }
    all.sort_by_key(|details| std::cmp::Reverse(details.invitation.id.uuid()));
    let whole = list(&ports, organization, InvitationFilter::default(), ALL).await;
    assert_eq!(whole, Page { items: all.clone(), total: 3 });
    for (offset, expected) in (0..).zip(&all) {
        let part = list(&ports, organization, InvitationFilter::default(), page(offset, 1)).await;
        assert_eq!(part, Page { items: vec![expected.clone()], total: 3 });
    }
}

#[tokio::test]
async fn an_empty_page_still_says_how_many_there_are() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let empty = list(&ports, organization, InvitationFilter::default(), ALL).await;
    assert_eq!(empty, Page { items: vec![], total: 0 });
    given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    let beyond = list(&ports, organization, InvitationFilter::default(), page(9, 5)).await;
    assert_eq!(beyond, Page { items: vec![], total: 1 });
}

#[tokio::test]
async fn another_organizations_invitations_are_not_listed_and_an_unknown_ones_are_none() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let own = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    let foreign = given_invited(&ports, staff, elsewhere, "BBBB22", at(20)).await;
    let listed = list(&ports, organization, InvitationFilter::default(), ALL).await;
    assert_eq!(listed, Page { items: vec![own], total: 1 });
    let filter = InvitationFilter { status: None, membership: Some(foreign.invitation.membership) };
    let listed = list(&ports, organization, filter.clone(), ALL).await;
    assert_eq!(listed, Page { items: vec![], total: 0 });
    let unknown = OrgId::new(next_id());
    for filter in [InvitationFilter::default(), filter] {
        let missed = ports.invitations.list_of_organization(unknown, filter, at(100), ALL).await;
        assert_eq!(missed.expect("a read"), None);
    }
}

// --- update ------------------------------------------------------------------------------------------------------

// --- list --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn those_of_all_organizations_are_listed_newest_first_and_may_be_selected() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let first = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    let foreign = given_invited(&ports, staff, elsewhere, "BBBB22", at(21)).await;
    let foreign = InvitationDetails { organization_name: "South".into(), ..foreign };
    let last = given_invited(&ports, staff, organization, "CCCC22", at(22)).await;
    let of = |details: &InvitationDetails| (details.invitation.id, details.invitation.membership);
    let [(a, _), (b, of_b), (c, of_c)] = [of(&first), of(&foreign), of(&last)];
    let unknown = InvitationId::new(next_id());
    for (ids, memberships, expected) in [
        (None, None, vec![&last, &foreign, &first]),
        (Some(vec![a, b, unknown]), None, vec![&foreign, &first]),
        (None, Some(vec![of_b, of_c]), vec![&last, &foreign]),
        (Some(vec![a, b]), Some(vec![of_b, of_c]), vec![&foreign]),
        (Some(vec![c]), Some(vec![of_b]), vec![]),
        (Some(vec![]), None, vec![]),
    ] {
        let selection = InvitationSelection { ids, memberships };
        let expected: Vec<InvitationDetails> = expected.into_iter().cloned().collect();
        let total = i64::try_from(expected.len()).expect("few");
        let listed = ports.invitations.list(selection.clone(), ALL).await.expect("a read");
        assert_eq!(listed, Page { items: expected.clone(), total }, "{selection:?}");
        let second = ports.invitations.list(selection, page(1, 1)).await.expect("a read");
        assert_eq!(second, Page { items: expected.into_iter().skip(1).take(1).collect(), total });
    }
}

#[tokio::test]
async fn an_invitation_tells_whether_it_gives_a_say() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let team = ports.given_team(staff, organization, "Night shift").await;
    for (org_admin, teams, invite_code) in
        [(false, vec![], "AAAA22"), (true, vec![], "BBBB22"), (false, vec![team], "CCCC22")]
    {
        let mut new = a_membership(staff, organization, invite_code);
        new.membership.org_admin = org_admin;
        new.membership.administered_teams = teams;
        let expected = details_of(&new);
        ports.given_membership(new).await;
        assert_eq!(found(&ports, expected.invitation.id).await, expected);
    }
}

#[tokio::test]
async fn an_edited_invitation_is_saved_with_its_audit_row() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let before = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    let other = given_invited(&ports, staff, organization, "BBBB22", at(20)).await;
    let audit = audit_of(staff, &before);
    let (seen, entry) = (before.clone(), audit.clone());
    let edit: InvitationEdit = Box::new(move |details| {
        assert_eq!(*details, seen);
        details.invitation.status = InvitationStatus::Revoked;
        details.invitation.expires_at = at(90);
        details.revoked_at = Some(at(80));
        Ok(InvitationChange::Saved(Box::new(entry)))
    });
    let saved = ports.invitations.update(before.invitation.id, edit).await.expect("changes");
    let invitation =
        Invitation { status: InvitationStatus::Revoked, expires_at: at(90), ..before.invitation.clone() };
    let expected = InvitationDetails { invitation, revoked_at: Some(at(80)), ..before };
    assert_eq!(saved, expected);
    assert_eq!(found(&ports, expected.invitation.id).await, expected);
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));
    assert_eq!(found(&ports, other.invitation.id).await, other, "others stay as they are");
}

#[tokio::test]
async fn a_replacement_is_added_and_the_pending_one_is_revoked() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let before = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    let other = given_invited(&ports, staff, organization, "BBBB22", at(20)).await;
    let new = another(&before.invitation, "CCCC22");
    let audit = AuditEntry { at: at(71), ..audit_of(staff, &before) };
    let edit = replaced(audit.clone(), new.clone());
    let shown = ports.invitations.update(before.invitation.id, edit).await.expect("changes");
    let expected = InvitationDetails { invitation: new, ..before.clone() };
    assert_eq!(shown, expected);
    assert_eq!(found(&ports, expected.invitation.id).await, expected);
    let invitation = Invitation { status: InvitationStatus::Revoked, ..before.invitation.clone() };
    let revoked = InvitationDetails { invitation, revoked_at: Some(at(71)), ..before };
    assert_eq!(found(&ports, revoked.invitation.id).await, revoked);
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));
    assert_eq!(found(&ports, other.invitation.id).await, other, "others keep theirs");
}

#[tokio::test]
async fn an_old_invitation_is_replaced_after_the_pending_one_of_its_membership_is_revoked() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let first = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    let second = another(&first.invitation, "BBBB22");
    let third = Invitation { created_at: at(72), ..another(&first.invitation, "BBBB22") };
    for new in [second, third.clone()] {
        let edit = replaced(audit_of(staff, &first), new);
        ports.invitations.update(first.invitation.id, edit).await.expect("the old code is free by then");
    }
    assert_eq!(count(&db, "invitations WHERE status = 'revoked'"), 2);
    assert_eq!(found(&ports, third.id).await.invitation, third);
}

#[tokio::test]
async fn an_edit_that_changes_nothing_writes_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let stored = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    let before = everything(&db);
    let edit: InvitationEdit = Box::new(|_| Ok(InvitationChange::None));
    assert_eq!(ports.invitations.update(stored.invitation.id, edit).await.expect("answers"), stored);
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn refusals_write_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let stored = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    given_invited(&ports, staff, organization, "BBBB22", at(20)).await;
    let id = stored.invitation.id;
    let before = everything(&db);

    let unknown: InvitationEdit = Box::new(|_| panic!("there is nothing to edit"));
    let refused = ports.invitations.update(InvitationId::new(next_id()), unknown).await;
    assert!(matches!(refused, Err(MembershipError::Refused(Refusal::NotFound))), "{refused:?}");
    assert_eq!(everything(&db), before);

    let says_no: InvitationEdit = Box::new(|details| {
        details.invitation.expires_at = at(90);
        Err(MembershipError::Deactivated)
    });
    let refused = ports.invitations.update(id, says_no).await;
    assert!(matches!(refused, Err(MembershipError::Deactivated)), "{refused:?}");
    assert_eq!(everything(&db), before);

    let in_use = another(&stored.invitation, "BBBB22");
    let refused = ports.invitations.update(id, replaced(audit_of(staff, &stored), in_use)).await;
    assert!(matches!(refused, Err(MembershipError::CodeTaken)), "{refused:?}");
    assert_eq!(everything(&db), before, "the old one is not revoked");

    for edit in [
        resent(audit_of(UserId::new(next_id()), &stored), at(90)),
        replaced(audit_of(UserId::new(next_id()), &stored), another(&stored.invitation, "CCCC22")),
    ] {
        let failed = ports.invitations.update(id, edit).await;
        assert!(matches!(failed, Err(MembershipError::Storage(_))), "no audit row, no change: {failed:?}");
        assert_eq!(everything(&db), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_resending_and_accepting_at_once_the_second_sees_what_the_first_did() {
    for accepts_first in [false, true] {
        let db = TestDatabase::create();
        let (ports, staff, organization) = Ports::ready(&db).await;
        let stored = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
        let (user, _) = ports.given_user("forklift-fan").await;
        let id = stored.invitation.id;
        let lock = Lock::take(&db, "SELECT FROM memberships FOR UPDATE");
        let (accepting, resending) = (ports.clone(), ports.clone());
        let accept = async move { accepting.memberships.accept(&code("AAAA22"), user.id, at(30)).await };
        let edit = resent(audit_of(staff, &stored), at(9000));
        let resend = async move { resending.invitations.update(id, edit).await };
        let (accepted, answer) = in_order(&db, lock, accepts_first, accept, resend).await;
        assert_eq!(accepted.expect("works either way").membership.user, Some(user.id));
        let end = found(&ports, id).await.invitation;
        assert_eq!(end.status, InvitationStatus::Accepted);
        if accepts_first {
            let ended = MembershipError::InvitationEnded(InvitationStatus::Accepted);
            assert_eq!(answer.expect_err("it has ended").to_string(), ended.to_string());
            assert_eq!(end.expires_at, stored.invitation.expires_at);
        } else {
            assert_eq!(answer.expect("it was pending").invitation.expires_at, at(9000));
            assert_eq!(end.expires_at, at(9000));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_replacements_at_once_the_last_one_is_pending() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let stored = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    let replacements = (0..6).map(|n| {
        let new = another(&stored.invitation, &format!("BBBB2{n}"));
        let (ports, edit) = (ports.clone(), replaced(audit_of(staff, &stored), new));
        let id = stored.invitation.id;
        async move { ports.invitations.update(id, edit).await }
    });
    let results = common::all_at_once(replacements).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(count(&db, "invitations WHERE status = 'pending'"), 1);
    assert_eq!(count(&db, "invitations WHERE status = 'revoked'"), 6);
}

// --- note_sent ---------------------------------------------------------------------------------------------------

#[tokio::test]
async fn to_whom_and_when_the_code_was_mailed_last_is_noted() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let stored = given_invited(&ports, staff, organization, "AAAA22", at(20)).await;
    let other = given_invited(&ports, staff, organization, "BBBB22", at(20)).await;
    let id = stored.invitation.id;
    for (to, time) in [("first@example.org", at(40)), ("second@example.org", at(41))] {
        ports.invitations.note_sent(id, address(to), time).await.expect("notes");
        let expected = InvitationDetails { sent: Some((address(to), time)), ..stored.clone() };
        assert_eq!(found(&ports, id).await, expected);
    }
    assert_eq!(found(&ports, other.invitation.id).await, other);
    let before = everything(&db);
    let unknown = ports.invitations.note_sent(InvitationId::new(next_id()), address("a@example.org"), at(42));
    unknown.await.expect("there is nothing to note");
    assert_eq!(everything(&db), before);
}
