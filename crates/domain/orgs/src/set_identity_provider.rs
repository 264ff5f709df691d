use domain_kernel::{Actor, OrgId, Patch, Permission, Scope};

use crate::{OrgError, OrgService, Organization, OrganizationChange, SamlInfo};

impl OrgService {
    /// Sets the metadata of the organization's identity provider, or turns single sign-on off.
    pub async fn set_identity_provider(
        &self,
        actor: &Actor,
        id: OrgId,
        saml_info: Patch<SamlInfo>,
    ) -> Result<Organization, OrgError> {
        actor.require(Permission::OrganizationUpdate, Scope::Organization(id))?;
        let change = OrganizationChange { saml_info, ..OrganizationChange::default() };
        self.organizations.update(id, self.edit(actor, "organization.saml_info", change)).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::tests::{Fixture, OWN, an_organization};

    async fn set(saml_info: Patch<SamlInfo>) -> (Organization, bool) {
        let (fixture, written) = Fixture::holding(an_organization());
        let admin = member_of(OWN, true);
        let changed = fixture.service().set_identity_provider(&admin, OWN, saml_info).await.expect("changes");
        let audit = written.lock().expect("lock").take().expect("the edit ran");
        assert!(!format!("{audit:?}").contains("EntityDescriptor"));
        (changed, audit.is_some())
    }

    #[tokio::test]
    async fn an_admin_sets_it_and_turns_it_off_and_what_is_so_already_leaves_no_trace() {
        let document = SamlInfo::parse("<EntityDescriptor/>").expect("a document");
        let (changed, is_audited) = set(Patch::Set(document.clone())).await;
        assert_eq!((changed.saml_info, is_audited), (Some(document), true));
        for nothing in [Patch::Keep, Patch::Clear] {
            assert_eq!(set(nothing).await, (an_organization(), false));
        }
    }

    #[tokio::test]
    async fn members_and_staff_who_read_may_not_and_outsiders_see_nothing() {
        let elsewhere = OrgId::new(uuid::Uuid::from_u128(99));
        for (actor, kind) in [
            (member_of(OWN, false), ErrorKind::Forbidden),
            (staff(StaffRole::Employee), ErrorKind::Forbidden),
            (member_of(elsewhere, true), ErrorKind::NotFound),
        ] {
            let refused = Fixture::default().service().set_identity_provider(&actor, OWN, Patch::Clear).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
