use chrono::{DateTime, NaiveDate, Utc};
use domain_kernel::{
    Actor, AuditSubject, Budget, EmailAddress, ExternalId, InvitationId, JobTitle, MembershipId, OrgId,
    Permission, PersonName, Refusal, Scope, TeamId, UserId,
};
use serde_json::Value;

use crate::ports::NewMembership;
use crate::update_membership::{differences, facts};
use crate::{
    Added, Invitation, InvitationStatus, Membership, MembershipError, MembershipService, MembershipStatus,
};

/// Codes are random over 887 million; more collisions than this in a row mean that something else is wrong.
const CODE_ATTEMPTS: usize = 5;

/// What is needed to put a person on the roster.
#[derive(Debug, Clone)]
pub struct CreateMembership {
    /// In which organization.
    pub organization: OrgId,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Address.
    pub email: Option<EmailAddress>,
    /// The customer's own number.
    pub external_id: Option<ExternalId>,
    /// What the person does.
    pub job_title: Option<JobTitle>,
    /// First day of work.
    pub hired_on: Option<NaiveDate>,
    /// Whether they will run the organization.
    pub org_admin: bool,
    /// Teams they are on.
    pub teams: Vec<TeamId>,
    /// Teams they run.
    pub administered_teams: Vec<TeamId>,
}

impl MembershipService {
    /// Puts a person on the roster, with an invitation whose code they sign up with. Somebody who had left and comes back
    /// under the same external id gets the old membership again. Gives the invitation beside it if it is to be mailed.
    pub async fn create_membership(
        &self,
        actor: &Actor,
        command: CreateMembership,
    ) -> Result<(Added, Option<InvitationId>), MembershipError> {
        let organization = command.organization;
        actor.require(Permission::MembershipCreate, Scope::Organization(organization))?;
        let settings = self.memberships.find_settings(organization).await?.ok_or(Refusal::NotFound)?;
        let now = self.clock.now();
        let id = MembershipId::new(self.ids.next());
        let membership = Membership {
            id,
            organization,
            user: None,
            external_id: command.external_id,
            first_name: command.first_name,
            last_name: command.last_name,
            email: command.email,
            job_title: command.job_title,
            org_admin: command.org_admin,
            status: MembershipStatus::Pending,
            hired_on: command.hired_on,
            first_seen_at: now,
            reporting_starts_on: Membership::reporting_start(command.hired_on, now, &settings),
            deactivated_at: None,
            created_at: now,
            updated_at: now,
            teams: command.teams,
            administered_teams: command.administered_teams,
        };
        let audit = actor
            .audit(
                self.ids.next(),
                now,
                "membership.create",
                Some(organization),
                AuditSubject::Membership(id),
            )
            .after(Value::Object(
                facts(&membership).into_iter().map(|(name, is)| (name.into(), is)).collect(),
            ));
        let write = || {
            let new = NewMembership {
                invitation: self.new_invitation(organization, id, now),
                membership: membership.clone(),
                audit: audit.clone(),
            };
            self.memberships.add(new)
        };
        let added = Self::with_free_code(write).await?.at(now);
        let (Added::Created(view) | Added::Reactivated(view)) = &added;
        let invited =
            view.invitation.as_ref().filter(|_| view.membership.status == MembershipStatus::Pending);
        let invited = invited.map(|invitation| invitation.id).filter(|_| self.may_mail(&view.membership));
        Ok((added, invited))
    }

    /// Whether a mail with a code is to go out, which counts it: not without an address, nor after too many of late.
    pub(crate) fn may_mail(&self, membership: &Membership) -> bool {
        let key = membership.id.to_string();
        membership.email.is_some() && self.throttle.record(Budget::InvitationMailsOfMembership, &key).is_ok()
    }

    /// Runs a write that draws an invite code, again while the code is in use.
    pub(crate) async fn with_free_code<T, F>(mut write: impl FnMut() -> F) -> Result<T, MembershipError>
    where
        F: Future<Output = Result<T, MembershipError>>,
    {
        for _ in 1..CODE_ATTEMPTS {
            match write().await {
                Err(MembershipError::CodeTaken) => {}
                done => return done,
            }
        }
        write().await
    }

    pub(crate) fn new_invitation(
        &self,
        organization: OrgId,
        membership: MembershipId,
        now: DateTime<Utc>,
    ) -> Invitation {
        Invitation {
            id: InvitationId::new(self.ids.next()),
            organization,
            membership,
            code: self.codes.code(),
            status: InvitationStatus::Pending,
            expires_at: now + self.invitation_lifespan,
            created_at: now,
        }
    }
}

impl NewMembership {
    /// Makes it somebody who comes back, whose membership was `old` until they left: that one with the new values, active at
    /// once when `user` still has an account. The trail then tells what changed.
    pub fn take_up(&mut self, old: &Membership, user: Option<UserId>) {
        let membership = &mut self.membership;
        membership.id = old.id;
        membership.user = user;
        membership.status = if user.is_some() { MembershipStatus::Active } else { MembershipStatus::Pending };
        self.invitation.membership = old.id;
        let (before, after) = differences(old, membership);
        self.audit.action = "membership.reactivate";
        self.audit.subject = AuditSubject::Membership(old.id);
        self.audit.before = Some(before);
        self.audit.after = Some(after);
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::MembershipView;
    use crate::tests::{Fixture, ORG};

    fn command() -> CreateMembership {
        CreateMembership {
            organization: ORG,
            first_name: PersonName::parse("Demo").expect("a name"),
            last_name: PersonName::parse("Learner").expect("a name"),
            email: EmailAddress::parse("ann@example.org").ok(),
            external_id: ExternalId::parse("E-1").ok(),
            job_title: None,
            hired_on: None,
            org_admin: false,
            teams: vec![],
            administered_teams: vec![],
        }
    }

    fn created(new: NewMembership) -> Added {
        let NewMembership { membership, invitation, .. } = new;
        let invitation = Some(invitation);
        Added::Created(MembershipView { membership, invitation, user: None, training_category: None })
    }

    #[tokio::test]
    async fn an_org_admin_gets_a_pending_membership_with_a_code_for_thirty_days() {
        let mut fixture = Fixture::with_settings();
        fixture.memberships.expect_add().return_once(|new| Ok(created(new)));
        let added = fixture.service().create_membership(&member_of(ORG, true), command()).await;
        let (Added::Created(view), Some(invited)) = added.expect("adds") else {
            panic!("expected a new membership and a mail")
        };
        let invitation = view.invitation.expect("an invitation");
        assert_eq!(view.membership.status, MembershipStatus::Pending);
        assert_eq!((invitation.membership, invitation.id), (view.membership.id, invited));
        assert_eq!(invitation.expires_at - invitation.created_at, chrono::TimeDelta::days(30));
    }

    #[tokio::test]
    async fn somebody_who_comes_back_has_the_old_membership_with_the_new_values() {
        let mut fixture = Fixture::with_settings();
        let user = UserId::new(uuid::Uuid::from_u128(8));
        fixture.memberships.expect_add().return_once(move |new| {
            for (user, status) in [(Some(user), MembershipStatus::Active), (None, MembershipStatus::Pending)]
            {
                let mut back = new.clone();
                let mut old = new.membership.clone();
                old.id = MembershipId::new(uuid::Uuid::from_u128(7));
                old.status = MembershipStatus::Deactivated;
                old.job_title = JobTitle::parse("Picker").ok();
                back.take_up(&old, user);
                assert_eq!((back.membership.id, back.invitation.membership), (old.id, old.id));
                assert_eq!((back.membership.user, back.membership.status), (user, status));
                let audit = back.audit;
                assert_eq!(
                    (audit.action, audit.subject),
                    ("membership.reactivate", AuditSubject::Membership(old.id))
                );
                let before = serde_json::json!({ "status": "deactivated", "job_title": "Picker" });
                let after = serde_json::json!({ "status": status.as_str(), "job_title": null });
                assert_eq!((audit.before, audit.after), (Some(before), Some(after)));
            }
            Ok(created(new))
        });
        assert!(fixture.service().create_membership(&member_of(ORG, true), command()).await.is_ok());
    }

    #[tokio::test]
    async fn a_code_that_is_in_use_is_drawn_again() {
        let mut fixture = Fixture::with_settings();
        let mut calls = 0;
        fixture.memberships.expect_add().times(2).returning(move |new| {
            calls += 1;
            if calls == 1 { Err(MembershipError::CodeTaken) } else { Ok(created(new)) }
        });
        assert!(fixture.service().create_membership(&member_of(ORG, true), command()).await.is_ok());
    }

    #[tokio::test]
    async fn members_and_staff_employees_may_not_and_outsiders_see_nothing() {
        let elsewhere = OrgId::new(uuid::Uuid::from_u128(99));
        for (actor, kind) in [
            (member_of(ORG, false), ErrorKind::Forbidden),
            (staff(StaffRole::Employee), ErrorKind::Forbidden),
            (member_of(elsewhere, true), ErrorKind::NotFound),
        ] {
            let refused = Fixture::default().service().create_membership(&actor, command()).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }

    #[tokio::test]
    async fn an_organization_that_does_not_exist_is_not_found() {
        let mut fixture = Fixture::default();
        fixture.memberships.expect_find_settings().return_once(|_| Ok(None));
        let refused = fixture.service().create_membership(&staff(StaffRole::Admin), command()).await;
        assert_eq!(refused.expect_err("refused").kind(), ErrorKind::NotFound);
    }
}
