use chrono::{DateTime, NaiveDate, Utc};
use domain_kernel::{
    Actor, AuditSubject, EmailAddress, ExternalId, InvitationId, JobTitle, MembershipId, OrgId, Patch,
    Permission, PersonName, Refusal, Scope, TeamId,
};
use serde_json::{Map, Value, json};

use crate::ports::RosterSettings;
use crate::{Invitation, Membership, MembershipError, MembershipService, MembershipStatus, MembershipView};

/// Where a membership is wanted to stand. `pending` is not for asking: that is what it is until its person signs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedStatus {
    /// The person is here.
    Active,
    /// The person has left.
    Deactivated,
}

/// New values for what the roster says of a person; absent ones stay.
#[derive(Debug, Clone, Default)]
pub struct RosterChange {
    /// First name.
    pub first_name: Option<PersonName>,
    /// Last name.
    pub last_name: Option<PersonName>,
    /// Address.
    pub email: Patch<EmailAddress>,
    /// The customer's own number.
    pub external_id: Patch<ExternalId>,
    /// What the person does.
    pub job_title: Patch<JobTitle>,
    /// First day of work.
    pub hired_on: Patch<NaiveDate>,
    /// Whether they run the organization.
    pub org_admin: Option<bool>,
    /// Teams they are on, all of them.
    pub teams: Option<Vec<TeamId>>,
    /// Teams they run, all of them.
    pub administered_teams: Option<Vec<TeamId>>,
    /// Whether they are here or have left.
    pub status: Option<WantedStatus>,
}

impl MembershipService {
    /// Changes what the roster says of a person, and whether they are here.
    ///
    /// Deactivating takes their say in the organization and in teams, and their invitation. Activating takes the same
    /// membership up again: at once if its person has an account, else pending with a new invitation.
    pub async fn update_membership(
        &self,
        actor: &Actor,
        organization: OrgId,
        id: MembershipId,
        change: RosterChange,
    ) -> Result<(MembershipView, Option<InvitationId>), MembershipError> {
        actor.require(Permission::MembershipUpdate, Scope::Organization(organization))?;
        let settings = self.memberships.find_settings(organization).await?.ok_or(Refusal::NotFound)?;
        let now = self.clock.now();
        let mut drawn = None;
        let write = || {
            let (actor, audit_id) = (actor.clone(), self.ids.next());
            let invitation = self.new_invitation(organization, id, now);
            drawn = Some(invitation.id);
            let (change, settings) = (change.clone(), settings.clone());
            let edit = Box::new(move |view: &mut MembershipView| {
                if view.membership.organization != organization {
                    return Err(Refusal::NotFound.into());
                }
                let before = view.membership.clone();
                apply(change, view, invitation, &settings, now)?;
                if view.membership == before {
                    return Ok(None);
                }
                view.membership.updated_at = now;
                let (old, new) = differences(&before, &view.membership);
                let action = match (before.status, view.membership.status) {
                    (from, to) if from == to => "membership.update",
                    (_, MembershipStatus::Deactivated) => "membership.deactivate",
                    _ => "membership.reactivate",
                };
                let subject = AuditSubject::Membership(id);
                Ok(Some(
                    actor.audit(audit_id, now, action, Some(organization), subject).before(old).after(new),
                ))
            });
            self.memberships.update(id, edit)
        };
        let view = Self::with_free_code(write).await?;
        let invited = view.invitation.as_ref().map(|invitation| invitation.id);
        let invited = invited.filter(|id| Some(*id) == drawn && self.may_mail(&view.membership));
        Ok((view.at(now), invited))
    }
}

fn apply(
    change: RosterChange,
    view: &mut MembershipView,
    invitation: Invitation,
    settings: &RosterSettings,
    now: DateTime<Utc>,
) -> Result<(), MembershipError> {
    let has_account = view.user.is_some();
    let membership = &mut view.membership;
    if let Some(name) = change.first_name {
        membership.first_name = name;
    }
    if let Some(name) = change.last_name {
        membership.last_name = name;
    }
    change.email.apply(&mut membership.email);
    change.external_id.apply(&mut membership.external_id);
    change.job_title.apply(&mut membership.job_title);
    let was_hired_on = membership.hired_on;
    change.hired_on.apply(&mut membership.hired_on);
    if membership.hired_on != was_hired_on {
        let known_since = membership.first_seen_at;
        membership.reporting_starts_on =
            Membership::reporting_start(membership.hired_on, known_since, settings);
    }
    match (change.status, membership.status) {
        (Some(WantedStatus::Active), MembershipStatus::Pending) => return Err(MembershipError::NotJoined),
        (Some(WantedStatus::Active), MembershipStatus::Deactivated) => {
            membership.deactivated_at = None;
            if has_account {
                membership.status = MembershipStatus::Active;
            } else {
                membership.status = MembershipStatus::Pending;
                membership.user = None;
                view.invitation = Some(invitation);
            }
        }
        (Some(WantedStatus::Deactivated), MembershipStatus::Pending | MembershipStatus::Active) => {
            membership.deactivate(now);
        }
        _ => {}
    }
    let wants_say = change.org_admin == Some(true)
        || change.administered_teams.as_ref().is_some_and(|teams| !teams.is_empty());
    if wants_say && membership.status == MembershipStatus::Deactivated {
        return Err(MembershipError::Deactivated);
    }
    if let Some(org_admin) = change.org_admin {
        membership.org_admin = org_admin;
    }
    if let Some(teams) = change.teams {
        replace(&mut membership.teams, teams);
    }
    if let Some(teams) = change.administered_teams {
        replace(&mut membership.administered_teams, teams);
    }
    Ok(())
}

/// The order that teams are named in means nothing: those that stay keep the order of joining.
fn replace(present: &mut Vec<TeamId>, wanted: Vec<TeamId>) {
    present.retain(|team| wanted.contains(team));
    let new: Vec<TeamId> = wanted.into_iter().filter(|team| !present.contains(team)).collect();
    present.extend(new);
}

/// What the trail tells of a membership: nothing that names the person.
pub(crate) fn facts(membership: &Membership) -> [(&'static str, Value); 7] {
    let teams = |teams: &[TeamId]| teams.iter().map(ToString::to_string).collect::<Vec<_>>();
    [
        ("external_id", json!(membership.external_id.as_ref().map(ExternalId::as_str))),
        ("job_title", json!(membership.job_title.as_ref().map(JobTitle::as_str))),
        ("hired_on", json!(membership.hired_on.map(|day| day.to_string()))),
        ("org_admin", json!(membership.org_admin)),
        ("status", json!(membership.status.as_str())),
        ("team_ids", json!(teams(&membership.teams))),
        ("administered_team_ids", json!(teams(&membership.administered_teams))),
    ]
}

/// What changed, before and after. Of names and addresses only that they changed: the trail outlives the person's data.
pub(crate) fn differences(before: &Membership, after: &Membership) -> (Value, Value) {
    let (mut old, mut new) = (Map::new(), Map::new());
    for ((name, was), (_, is)) in facts(before).into_iter().zip(facts(after)) {
        if was != is {
            old.insert(name.into(), was);
            new.insert(name.into(), is);
        }
    }
    let personal = [
        ("first_name", before.first_name != after.first_name),
        ("last_name", before.last_name != after.last_name),
        ("email", before.email != after.email),
    ];
    let changed: Vec<&str> = personal.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect();
    if !changed.is_empty() {
        new.insert("changed".into(), json!(changed));
    }
    (Value::Object(old), Value::Object(new))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{AuditEntry, DomainError, ErrorKind, StaffRole, UserId};
    use uuid::Uuid;

    use super::*;
    use crate::UserBrief;
    use crate::tests::{Fixture, ORG, a_view};

    /// The audit row that the edit gave, if it ran.
    type Written = Arc<Mutex<Option<Option<AuditEntry>>>>;

    fn holding(stored: MembershipView) -> (MembershipService, Written) {
        let mut fixture = Fixture::with_settings();
        let written = Written::default();
        let seen = Arc::clone(&written);
        fixture.memberships.expect_update().returning(move |_, edit| {
            let mut view = stored.clone();
            let audit = edit(&mut view)?;
            *seen.lock().expect("lock") = Some(audit);
            Ok(view)
        });
        (fixture.service(), written)
    }

    fn active() -> MembershipView {
        let mut view = a_view();
        let id = UserId::new(Uuid::from_u128(0xA1));
        view.membership.status = MembershipStatus::Active;
        view.membership.user = Some(id);
        view.membership.org_admin = true;
        view.membership.administered_teams = vec![TeamId::new(Uuid::from_u128(7))];
        view.membership.teams = vec![TeamId::new(Uuid::from_u128(7))];
        let brief = |text: &str| text.to_owned();
        view.user =
            Some(UserBrief { id, username: brief("demo"), first_name: brief("D"), last_name: brief("L") });
        view
    }

    fn left(mut view: MembershipView) -> MembershipView {
        let now = view.membership.created_at;
        view.membership.deactivate(now);
        view
    }

    async fn change(
        stored: MembershipView,
        change: RosterChange,
    ) -> Result<(MembershipView, Option<AuditEntry>), MembershipError> {
        let id = stored.membership.id;
        let was_deactivated = stored.membership.status == MembershipStatus::Deactivated;
        let (service, written) = holding(stored);
        let (view, invited) = service.update_membership(&member_of(ORG, true), ORG, id, change).await?;
        let is_back = view.membership.status == MembershipStatus::Pending && was_deactivated;
        let has_address = view.membership.email.is_some();
        assert_eq!(invited.is_some(), is_back && has_address, "a mail for a new invitation only");
        let audit = written.lock().expect("lock").take().expect("the edit ran");
        Ok((view, audit))
    }

    fn to(status: WantedStatus) -> RosterChange {
        RosterChange { status: Some(status), ..RosterChange::default() }
    }

    #[tokio::test]
    async fn who_leaves_loses_every_say_and_keeps_the_history_of_teams() {
        let (view, audit) = change(active(), to(WantedStatus::Deactivated)).await.expect("changes");
        let membership = view.membership;
        assert_eq!(membership.status, MembershipStatus::Deactivated);
        assert!(membership.deactivated_at.is_some() && !membership.org_admin);
        assert_eq!((membership.administered_teams.len(), membership.teams.len()), (0, 1));
        let audit = audit.expect("a row");
        assert_eq!(audit.action, "membership.deactivate");
        assert_eq!(audit.before.expect("before")["org_admin"], true);
    }

    #[tokio::test]
    async fn who_is_back_is_active_at_once_or_invited_anew() {
        let (view, audit) = change(left(active()), to(WantedStatus::Active)).await.expect("changes");
        assert_eq!(
            (view.membership.status, view.membership.deactivated_at),
            (MembershipStatus::Active, None)
        );
        assert!(!view.membership.org_admin, "a say has to be given anew");
        assert_eq!(audit.map(|audit| audit.action), Some("membership.reactivate"));

        let mut gone = left(active());
        gone.user = None;
        gone.membership.email = EmailAddress::parse("ann@example.org").ok();
        let old = gone.invitation.clone();
        let (view, _) = change(gone, to(WantedStatus::Active)).await.expect("changes");
        assert_eq!((view.membership.status, view.membership.user), (MembershipStatus::Pending, None));
        assert_ne!(view.invitation.map(|i| i.id), old.map(|i| i.id));
    }

    #[tokio::test]
    async fn nobody_is_made_active_by_somebody_else() {
        let refused = change(a_view(), to(WantedStatus::Active)).await.expect_err("pending");
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "not_joined"));
    }

    #[tokio::test]
    async fn what_is_so_already_leaves_no_trace() {
        for (stored, wanted) in [
            (active(), RosterChange::default()),
            (active(), to(WantedStatus::Active)),
            (left(active()), to(WantedStatus::Deactivated)),
            (active(), RosterChange { org_admin: Some(true), ..RosterChange::default() }),
        ] {
            let (view, audit) = change(stored.clone(), wanted).await.expect("answers");
            assert_eq!((view, audit), (stored, None));
        }
    }

    #[tokio::test]
    async fn nobody_who_has_left_gets_a_say() {
        let wants = RosterChange { org_admin: Some(true), ..RosterChange::default() };
        let both = RosterChange { org_admin: Some(true), ..to(WantedStatus::Deactivated) };
        for (stored, wanted) in [(left(active()), wants), (active(), both)] {
            let refused = change(stored, wanted).await.expect_err("refused");
            assert_eq!(refused.code(), "membership_deactivated");
        }
    }

    #[tokio::test]
    async fn names_and_addresses_stay_out_of_the_trail_and_the_day_of_work_moves_the_reports() {
        let wanted = RosterChange {
            first_name: PersonName::parse("Zoe").ok(),
            email: EmailAddress::parse("zoe@example.org").map_or(Patch::Keep, Patch::Set),
            job_title: JobTitle::parse("Driver").map_or(Patch::Keep, Patch::Set),
            hired_on: NaiveDate::from_ymd_opt(2026, 2, 1).map_or(Patch::Keep, Patch::Set),
            ..RosterChange::default()
        };
        let (view, audit) = change(active(), wanted).await.expect("changes");
        assert_eq!(view.membership.reporting_starts_on.to_string(), "2026-02-01");
        let audit = audit.expect("a row");
        let text = format!("{audit:?}");
        assert!(!text.contains("Zoe") && !text.contains("zoe@"), "{text}");
        assert_eq!(
            audit.after,
            Some(
                json!({ "job_title": "Driver", "hired_on": "2026-02-01", "changed": ["first_name", "email"] })
            )
        );
    }

    #[tokio::test]
    async fn teams_are_replaced_as_a_whole_and_those_that_stay_keep_their_place() {
        let team = |n| TeamId::new(Uuid::from_u128(n));
        let mut stored = active();
        stored.membership.teams = vec![team(1), team(2), team(3)];
        let wanted = RosterChange { teams: Some(vec![team(4), team(3), team(1)]), ..RosterChange::default() };
        let (view, _) = change(stored, wanted).await.expect("changes");
        assert_eq!(view.membership.teams, [team(1), team(3), team(4)]);
    }

    #[tokio::test]
    async fn a_membership_of_another_organization_is_not_found() {
        let mut foreign = active();
        foreign.membership.organization = OrgId::new(Uuid::from_u128(99));
        let refused = change(foreign, to(WantedStatus::Deactivated)).await.expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn members_and_staff_who_read_may_not_and_outsiders_see_nothing() {
        let elsewhere = OrgId::new(Uuid::from_u128(99));
        for (actor, kind) in [
            (member_of(ORG, false), ErrorKind::Forbidden),
            (staff(StaffRole::Employee), ErrorKind::Forbidden),
            (member_of(elsewhere, true), ErrorKind::NotFound),
        ] {
            let id = a_view().membership.id;
            let refused = Fixture::default()
                .service()
                .update_membership(&actor, ORG, id, RosterChange::default())
                .await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
