use domain_kernel::{Actor, AuditSubject, MembershipId, Permission, Refusal, Scope};
use serde_json::json;

use crate::{MembershipError, MembershipService, MembershipStatus, MembershipView};

impl MembershipService {
    /// Makes somebody an admin of the organization, or takes it back; the last active admin stays. Works on a pending
    /// membership, too: it counts from the day the person joins.
    pub async fn set_org_admin(
        &self,
        actor: &Actor,
        id: MembershipId,
        org_admin: bool,
    ) -> Result<MembershipView, MembershipError> {
        // Looked at first, without a lock: nobody waits for somebody who may not.
        let organization = self.memberships.find(id).await?.ok_or(Refusal::NotFound)?.membership.organization;
        actor.require(Permission::OrgAdminManage, Scope::Organization(organization))?;
        let (actor, now, audit_id) = (actor.clone(), self.clock.now(), self.ids.next());
        let edit = Box::new(move |view: &mut MembershipView| {
            let membership = &mut view.membership;
            if membership.org_admin == org_admin {
                return Ok(None);
            }
            if membership.status == MembershipStatus::Deactivated {
                return Err(MembershipError::Deactivated);
            }
            let subject = AuditSubject::Membership(membership.id);
            let audit = actor
                .audit(audit_id, now, "membership.org_admin", Some(organization), subject)
                .before(json!({ "org_admin": membership.org_admin }))
                .after(json!({ "org_admin": org_admin }));
            membership.org_admin = org_admin;
            membership.updated_at = now;
            Ok(Some(audit))
        });
        self.memberships.update(id, edit).await.map(|view| view.at(now))
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, OrgId, StaffRole};
    use uuid::Uuid;

    use super::*;
    use crate::tests::{Fixture, ORG, a_view};

    fn service() -> MembershipService {
        let mut fixture = Fixture::default();
        fixture.memberships.expect_find().returning(|_| Ok(Some(a_view())));
        fixture.memberships.expect_update().returning(|_, edit| {
            let mut view = a_view();
            let audit = edit(&mut view)?;
            assert_eq!(audit.is_some(), view != a_view(), "a row for each change, and no other");
            Ok(view)
        });
        fixture.service()
    }

    #[tokio::test]
    async fn an_org_admin_makes_another_one() {
        for actor in [member_of(ORG, true), staff(StaffRole::Admin)] {
            let view = service().set_org_admin(&actor, a_view().membership.id, true).await.expect("changes");
            assert!(view.membership.org_admin);
        }
    }

    #[tokio::test]
    async fn what_is_so_already_stays_without_an_audit_row() {
        let view = service().set_org_admin(&member_of(ORG, true), a_view().membership.id, false).await;
        assert_eq!(view.expect("answers"), a_view());
    }

    #[tokio::test]
    async fn others_may_not_and_outsiders_see_nothing() {
        let elsewhere = OrgId::new(Uuid::from_u128(99));
        for (actor, kind) in [
            (member_of(ORG, false), ErrorKind::Forbidden),
            (staff(StaffRole::Employee), ErrorKind::Forbidden),
            (member_of(elsewhere, true), ErrorKind::NotFound),
        ] {
            let refused = service().set_org_admin(&actor, a_view().membership.id, true).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
