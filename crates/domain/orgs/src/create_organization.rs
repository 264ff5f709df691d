use domain_kernel::{Actor, AuditSubject, ImportMode, OrgId, Permission, Scope};
use serde_json::json;

use crate::{
    Cadence, Folder, GraceDays, LateWindowDays, OrgError, OrgName, OrgService, Organization, RecycleDays,
    SamlInfo, TimeZone,
};

/// What is needed to open an organization.
#[derive(Debug, Clone)]
pub struct CreateOrganization {
    /// Its name.
    pub name: OrgName,
    /// Where its files lie; made from the name when absent.
    pub s3_integrations_folder: Option<Folder>,
    /// Its identity provider.
    pub saml_info: Option<SamlInfo>,
}

impl OrgService {
    /// Opens an organization: weekly lessons, UTC, no grace days, and whatever else new ones have, until its settings say
    /// otherwise.
    pub async fn create_organization(
        &self,
        actor: &Actor,
        command: CreateOrganization,
    ) -> Result<Organization, OrgError> {
        actor.require(Permission::OrganizationCreate, Scope::Platform)?;
        let (id, now) = (OrgId::new(self.ids.next()), self.clock.now());
        let folder = command.s3_integrations_folder.unwrap_or_else(|| Folder::default_for(&command.name, id));
        let organization = Organization {
            id,
            name: command.name,
            s3_integrations_folder: folder,
            saml_info: command.saml_info,
            sso_enforced: false,
            time_zone: TimeZone::utc(),
            cadence: Cadence::Weekly,
            import_mode: ImportMode::Delta,
            reporting_grace_days: GraceDays::DEFAULT,
            late_window_days: LateWindowDays::DEFAULT,
            recycle_after_days: RecycleDays::DEFAULT,
            teams_count: 0,
            memberships_count: 0,
            created_at: now,
            updated_at: now,
        };
        let subject = AuditSubject::Organization(id);
        let audit =
            actor.audit(self.ids.next(), now, "organization.create", Some(id), subject).after(json!({
                "name": organization.name.as_str(),
                "s3_integrations_folder": organization.s3_integrations_folder.as_str(),
                "sso_enabled": organization.saml_info.is_some(),
            }));
        self.organizations.insert(organization.clone(), audit).await?;
        Ok(organization)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::tests::Fixture;

    fn command() -> CreateOrganization {
        let saml_info = SamlInfo::parse("<EntityDescriptor/>").ok();
        CreateOrganization {
            name: OrgName::parse("Harbor").expect("a name"),
            s3_integrations_folder: None,
            saml_info,
        }
    }

    #[tokio::test]
    async fn a_staff_admin_opens_one_with_a_folder_of_its_own_and_an_audit_row_without_the_metadata() {
        let mut fixture = Fixture::default();
        fixture.organizations.expect_insert().times(1).return_once(|_, audit| {
            assert_eq!(audit.action, "organization.create");
            assert!(!format!("{audit:?}").contains("EntityDescriptor"));
            Ok(())
        });
        let opened = fixture.service().create_organization(&staff(StaffRole::Admin), command()).await;
        assert_eq!(opened.expect("opens").s3_integrations_folder.as_str(), "harbor-00000001");
    }

    #[tokio::test]
    async fn employees_and_customers_may_not() {
        for (actor, code) in [
            (staff(StaffRole::Employee), "forbidden"),
            (member_of(OrgId::new(uuid::Uuid::from_u128(7)), true), "staff_only"),
        ] {
            let refused = Fixture::default()
                .service()
                .create_organization(&actor, command())
                .await
                .expect_err("refused");
            assert_eq!((refused.kind(), refused.code()), (ErrorKind::Forbidden, code));
        }
    }
}
