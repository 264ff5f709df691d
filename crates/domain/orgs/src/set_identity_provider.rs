use domain_kernel::{Actor, AuditSubject, OrgId, Patch, Permission, Scope};
use serde_json::json;

use crate::{OrgError, OrgService, Organization, SamlInfo};

impl OrgService {
    /// Sets the metadata of the organization's identity provider, or turns single sign-on off.
    pub async fn set_identity_provider(
        &self,
        actor: &Actor,
        id: OrgId,
        saml_info: Patch<SamlInfo>,
    ) -> Result<Organization, OrgError> {
        actor.require(Permission::OrganizationUpdate, Scope::Organization(id))?;
        let (actor, now, audit_id) = (actor.clone(), self.clock.now(), self.ids.next());
        let edit = Box::new(move |organization: &mut Organization| {
            let before = organization.saml_info.clone();
            saml_info.apply(&mut organization.saml_info);
            if organization.saml_info == before {
                return Ok(None);
            }
            organization.updated_at = now;
            // The document itself stays out of the trail, as it can be large; its digest tells which one it was.
            let digest =
                |info: &Option<SamlInfo>| json!({ "saml_info_sha256": info.as_ref().map(SamlInfo::digest) });
            let audit = actor
                .audit(audit_id, now, "organization.saml_info", Some(id), AuditSubject::Organization(id))
                .before(digest(&before))
                .after(digest(&organization.saml_info));
            Ok(Some(audit))
        });
        self.organizations.update(id, edit).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::tests::{Fixture, OWN, an_organization};

    async fn set(saml_info: Patch<SamlInfo>) -> (Organization, bool) {
        let (mut fixture, audited) = (Fixture::default(), std::sync::Arc::new(std::sync::Mutex::new(None)));
        let seen = audited.clone();
        fixture.organizations.expect_update().return_once(move |_, edit| {
            let mut organization = an_organization();
            let audit = edit(&mut organization)?;
            assert!(!format!("{audit:?}").contains("EntityDescriptor"));
            *seen.lock().expect("lock") = Some(audit.is_some());
            Ok(organization)
        });
        let admin = member_of(OWN, true);
        let changed = fixture.service().set_identity_provider(&admin, OWN, saml_info).await.expect("changes");
        let is_audited = audited.lock().expect("lock").expect("the edit ran");
        (changed, is_audited)
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
