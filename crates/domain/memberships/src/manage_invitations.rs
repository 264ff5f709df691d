use domain_kernel::{
    Actor, AuditSubject, Budget, InvitationId, OrgId, Page, PageRequest, Permission, Refusal, Scope,
};
use serde_json::json;

use crate::ports::{InvitationChange, InvitationEdit, InvitationFilter};
use crate::{InvitationDetails, InvitationStatus, MembershipError, MembershipService, MembershipStatus};

impl MembershipService {
    /// The invitations of an organization, newest first, for its admins.
    pub async fn list_invitations(
        &self,
        actor: &Actor,
        organization: OrgId,
        filter: InvitationFilter,
        page: PageRequest,
    ) -> Result<Page<InvitationDetails>, MembershipError> {
        actor.require(Permission::InvitationManage, Scope::Organization(organization))?;
        let now = self.clock.now();
        let found = self.invitations.list_of_organization(organization, filter, now, page).await?;
        Ok(found.ok_or(Refusal::NotFound)?.map(|details| details.at(now)))
    }

    /// Lets the code of a pending invitation work for the full time again. Limited per membership, as a mail goes out.
    pub async fn resend_invitation(
        &self,
        actor: &Actor,
        organization: OrgId,
        id: InvitationId,
    ) -> Result<InvitationDetails, MembershipError> {
        actor.require(Permission::InvitationManage, Scope::Organization(organization))?;
        let throttle = self.throttle.clone();
        let (actor, now, audit_id) = (actor.clone(), self.clock.now(), self.ids.next());
        let expires_at = now + self.invitation_lifespan;
        let edit: InvitationEdit = Box::new(move |details| {
            is_of(organization, details)?;
            let status = details.invitation.status_at(now);
            if status != InvitationStatus::Pending {
                return Err(MembershipError::InvitationEnded(status));
            }
            throttle
                .record(Budget::InvitationMailsOfMembership, &details.invitation.membership.to_string())?;
            let audit = actor
                .audit(audit_id, now, "invitation.resend", Some(organization), AuditSubject::Invitation(id))
                .before(json!({ "expires_at": details.invitation.expires_at.to_rfc3339() }))
                .after(json!({ "expires_at": expires_at.to_rfc3339() }));
            details.invitation.expires_at = expires_at;
            Ok(InvitationChange::Saved(Box::new(audit)))
        });
        self.invitations.update(id, edit).await.map(|details| details.at(now))
    }

    /// Takes a code back. Doing it again changes nothing.
    pub async fn revoke_invitation(
        &self,
        actor: &Actor,
        organization: OrgId,
        id: InvitationId,
    ) -> Result<InvitationDetails, MembershipError> {
        actor.require(Permission::InvitationManage, Scope::Organization(organization))?;
        let (actor, now, audit_id) = (actor.clone(), self.clock.now(), self.ids.next());
        let edit: InvitationEdit = Box::new(move |details| {
            is_of(organization, details)?;
            match details.invitation.status_at(now) {
                InvitationStatus::Revoked => return Ok(InvitationChange::None),
                InvitationStatus::Pending => {}
                ended => return Err(MembershipError::InvitationEnded(ended)),
            }
            let audit = actor
                .audit(audit_id, now, "invitation.revoke", Some(organization), AuditSubject::Invitation(id))
                .before(json!({ "status": InvitationStatus::Pending.as_str() }))
                .after(json!({ "status": InvitationStatus::Revoked.as_str() }));
            details.invitation.status = InvitationStatus::Revoked;
            details.revoked_at = Some(now);
            Ok(InvitationChange::Saved(Box::new(audit)))
        });
        self.invitations.update(id, edit).await.map(|details| details.at(now))
    }

    /// Replaces a code by a new one: the old one is taken back if it still worked. Limited per membership, as a mail goes
    /// out.
    pub async fn reissue_invitation(
        &self,
        actor: &Actor,
        organization: OrgId,
        id: InvitationId,
    ) -> Result<InvitationDetails, MembershipError> {
        actor.require(Permission::InvitationManage, Scope::Organization(organization))?;
        let now = self.clock.now();
        let write = || {
            let throttle = self.throttle.clone();
            let (actor, audit_id) = (actor.clone(), self.ids.next());
            let (new_id, code, lifespan) =
                (InvitationId::new(self.ids.next()), self.codes.code(), self.invitation_lifespan);
            let edit: InvitationEdit = Box::new(move |details| {
                is_of(organization, details)?;
                let old = &details.invitation;
                match details.membership_status {
                    MembershipStatus::Pending => {}
                    MembershipStatus::Deactivated => return Err(MembershipError::Deactivated),
                    MembershipStatus::Active => {
                        return Err(MembershipError::InvitationEnded(InvitationStatus::Accepted));
                    }
                }
                if old.status == InvitationStatus::Accepted {
                    return Err(MembershipError::InvitationEnded(InvitationStatus::Accepted));
                }
                throttle.record(Budget::InvitationMailsOfMembership, &old.membership.to_string())?;
                let subject = AuditSubject::Invitation(new_id);
                let audit = actor
                    .audit(audit_id, now, "invitation.reissue", Some(organization), subject)
                    .before(json!({ "invitation_id": id.to_string() }))
                    .after(json!({ "membership_id": old.membership.to_string() }));
                let new = crate::Invitation {
                    id: new_id,
                    code,
                    status: InvitationStatus::Pending,
                    expires_at: now + lifespan,
                    created_at: now,
                    ..old.clone()
                };
                Ok(InvitationChange::Replaced(new, Box::new(audit)))
            });
            self.invitations.update(id, edit)
        };
        Self::with_free_code(write).await.map(|details| details.at(now))
    }
}

/// Passes when the invitation is one of the organization.
fn is_of(organization: OrgId, details: &InvitationDetails) -> Result<(), Refusal> {
    if details.invitation.organization == organization { Ok(()) } else { Err(Refusal::NotFound) }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::tests::{Fixture, ORG, an_invitation, details};

    #[derive(Debug, Clone, Copy)]
    enum Verb {
        Resend,
        Revoke,
        Reissue,
    }
    const VERBS: [Verb; 3] = [Verb::Resend, Verb::Revoke, Verb::Reissue];

    async fn run(
        verb: Verb,
        actor: &Actor,
        fixture: Fixture,
        stored: InvitationDetails,
    ) -> Result<InvitationDetails, MembershipError> {
        let mut fixture = fixture;
        fixture.invitations.expect_update().returning(move |_, edit| {
            let mut details = stored.clone();
            match edit(&mut details)? {
                InvitationChange::Replaced(new, _) => Ok(InvitationDetails { invitation: new, ..details }),
                InvitationChange::Saved(_) | InvitationChange::None => Ok(details),
            }
        });
        let (service, id) = (fixture.service(), an_invitation().id);
        match verb {
            Verb::Resend => service.resend_invitation(actor, ORG, id).await,
            Verb::Revoke => service.revoke_invitation(actor, ORG, id).await,
            Verb::Reissue => service.reissue_invitation(actor, ORG, id).await,
        }
    }

    #[tokio::test]
    async fn resending_keeps_the_code_and_starts_its_time_anew() {
        let mut stored = details();
        stored.invitation.expires_at = stored.invitation.created_at + TimeDelta::days(1);
        let sent = run(Verb::Resend, &member_of(ORG, true), Fixture::default(), stored).await.expect("sends");
        assert_eq!(sent.invitation, an_invitation());
    }

    #[tokio::test]
    async fn revoking_twice_is_revoking_once() {
        let admin = member_of(ORG, true);
        let once = run(Verb::Revoke, &admin, Fixture::default(), details()).await.expect("revokes");
        assert_eq!(once.invitation.status, InvitationStatus::Revoked);
        assert!(once.revoked_at.is_some());
        let twice = run(Verb::Revoke, &admin, Fixture::default(), once.clone()).await;
        assert_eq!(twice.expect("answers"), once);
    }

    #[tokio::test]
    async fn reissuing_makes_a_new_code_even_for_an_expired_or_revoked_one() {
        for status in [InvitationStatus::Pending, InvitationStatus::Expired, InvitationStatus::Revoked] {
            let mut stored = details();
            stored.invitation.status = status;
            let new = run(Verb::Reissue, &member_of(ORG, true), Fixture::default(), stored).await;
            let new = new.expect("reissues").invitation;
            assert_ne!(new.id, an_invitation().id);
            assert_eq!((new.status, new.membership), (InvitationStatus::Pending, an_invitation().membership));
        }
    }

    #[tokio::test]
    async fn an_accepted_invitation_never_changes() {
        for verb in VERBS {
            let mut stored = details();
            stored.invitation.status = InvitationStatus::Accepted;
            stored.membership_status = MembershipStatus::Active;
            let refused = run(verb, &member_of(ORG, true), Fixture::default(), stored).await;
            let refused = refused.expect_err("refused");
            assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "invitation_accepted"));
        }
    }

    #[tokio::test]
    async fn time_ends_an_invitation_and_only_a_new_code_helps() {
        for verb in [Verb::Resend, Verb::Revoke] {
            let mut stored = details();
            stored.invitation.expires_at = stored.invitation.created_at;
            let refused = run(verb, &member_of(ORG, true), Fixture::default(), stored).await;
            assert_eq!(refused.expect_err("refused").code(), "invitation_ended");
        }
    }

    #[tokio::test]
    async fn mails_are_limited_per_membership() {
        for verb in [Verb::Resend, Verb::Reissue] {
            let fixture = Fixture::with_used_up(Budget::InvitationMailsOfMembership);
            let refused = run(verb, &member_of(ORG, true), fixture, details()).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Throttled);
        }
    }

    #[tokio::test]
    async fn only_admins_of_the_organization_may() {
        for verb in VERBS {
            let elsewhere = OrgId::new(uuid::Uuid::from_u128(99));
            for (actor, kind) in [
                (member_of(ORG, false), ErrorKind::Forbidden),
                (staff(StaffRole::Employee), ErrorKind::Forbidden),
                (member_of(elsewhere, true), ErrorKind::NotFound),
            ] {
                let refused = run(verb, &actor, Fixture::default(), details()).await;
                assert_eq!(refused.expect_err("refused").kind(), kind, "{verb:?}");
            }
            let mut foreign = details();
            foreign.invitation.organization = elsewhere;
            let refused = run(verb, &member_of(ORG, true), Fixture::default(), foreign).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::NotFound, "{verb:?}");
        }
    }

    #[tokio::test]
    async fn a_list_shows_what_time_has_ended_as_expired() {
        let mut fixture = Fixture::default();
        let mut stored = details();
        stored.invitation.expires_at = stored.invitation.created_at;
        let page = Page { items: vec![stored], total: 1 };
        fixture.invitations.expect_list_of_organization().return_once(|_, _, _, _| Ok(Some(page)));
        let all = PageRequest { offset: 0, limit: 25 };
        let list = fixture
            .service()
            .list_invitations(&member_of(ORG, true), ORG, InvitationFilter::default(), all)
            .await;
        let seen: Vec<_> =
            list.expect("lists").items.into_iter().map(|details| details.invitation.status).collect();
        assert_eq!(seen, [InvitationStatus::Expired]);
    }
}
