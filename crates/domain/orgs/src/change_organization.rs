use domain_kernel::{Actor, AuditSubject, ImportMode, OrgId, Patch, Permission, Scope};
use serde_json::{Value, json};

use crate::ports::OrganizationEdit;
use crate::{
    Cadence, Folder, GraceDays, LateWindowDays, OrgError, OrgName, OrgService, Organization, RecycleDays,
    SamlInfo, TimeZone,
};

/// What shall be different; absent parts stay.
#[derive(Debug, Clone, Default)]
pub struct OrganizationChange {
    /// Its name.
    pub name: Option<OrgName>,
    /// Where its files lie.
    pub s3_integrations_folder: Option<Folder>,
    /// Its identity provider.
    pub saml_info: Patch<SamlInfo>,
    /// Whether members may sign in through the identity provider only.
    pub sso_enforced: Option<bool>,
    /// The time zone that weeks and months are counted in.
    pub time_zone: Option<TimeZone>,
    /// How often a lesson is due.
    pub cadence: Option<Cadence>,
    /// What people mean who are not in a roster file, when nobody says so.
    pub import_mode: Option<ImportMode>,
    /// Days that new people stay out of reports.
    pub reporting_grace_days: Option<GraceDays>,
    /// Days for which a report that comes late counts when the work was done.
    pub late_window_days: Option<LateWindowDays>,
    /// Days after which a completed course may come again.
    pub recycle_after_days: Option<RecycleDays>,
}

impl OrgService {
    /// Changes what an organization is called, where its files lie, and how it has set up its training.
    ///
    /// Without an identity provider single sign-on cannot be enforced: it ends with the provider.
    pub async fn change_organization(
        &self,
        actor: &Actor,
        id: OrgId,
        change: OrganizationChange,
    ) -> Result<Organization, OrgError> {
        actor.require(Permission::OrganizationManage, Scope::Organization(id))?;
        self.organizations.update(id, self.edit(actor, "organization.update", change)).await
    }

    /// The change as the store runs it.
    pub(crate) fn edit(
        &self,
        actor: &Actor,
        action: &'static str,
        change: OrganizationChange,
    ) -> OrganizationEdit {
        let (actor, now, audit_id) = (actor.clone(), self.clock.now(), self.ids.next());
        Box::new(move |organization: &mut Organization| {
            let before = noted(organization);
            change.apply(organization)?;
            let subject = AuditSubject::Organization(organization.id);
            let entry = actor.audit(audit_id, now, action, Some(organization.id), subject);
            let audit = entry.differing(before, noted(organization));
            if audit.is_some() {
                organization.updated_at = now;
            }
            Ok(audit)
        })
    }
}

impl OrganizationChange {
    fn apply(self, organization: &mut Organization) -> Result<(), OrgError> {
        fn set<T>(value: &mut T, wanted: Option<T>) {
            if let Some(wanted) = wanted {
                *value = wanted;
            }
        }
        set(&mut organization.name, self.name);
        set(&mut organization.s3_integrations_folder, self.s3_integrations_folder);
        set(&mut organization.sso_enforced, self.sso_enforced);
        set(&mut organization.time_zone, self.time_zone);
        set(&mut organization.cadence, self.cadence);
        set(&mut organization.import_mode, self.import_mode);
        set(&mut organization.reporting_grace_days, self.reporting_grace_days);
        set(&mut organization.late_window_days, self.late_window_days);
        set(&mut organization.recycle_after_days, self.recycle_after_days);
        self.saml_info.apply(&mut organization.saml_info);
        if organization.saml_info.is_none() {
            if self.sso_enforced == Some(true) {
                return Err(OrgError::IdentityProviderMissing);
            }
            // Nobody could sign in any more.
            organization.sso_enforced = false;
        }
        Ok(())
    }
}

/// What can be changed, as the audit trail has it. The metadata document itself stays out of it, as it can be large; its digest
/// tells which one it was.
fn noted(organization: &Organization) -> [(&'static str, Value); 10] {
    [
        ("name", json!(organization.name.as_str())),
        ("s3_integrations_folder", json!(organization.s3_integrations_folder.as_str())),
        ("saml_info_sha256", json!(organization.saml_info.as_ref().map(SamlInfo::digest))),
        ("sso_enforced", json!(organization.sso_enforced)),
        ("time_zone", json!(organization.time_zone.as_str())),
        ("cadence", json!(organization.cadence.as_str())),
        ("import_mode", json!(organization.import_mode.as_str())),
        ("reporting_grace_days", json!(organization.reporting_grace_days.get())),
        ("late_window_days", json!(organization.late_window_days.get())),
        ("recycle_after_days", json!(organization.recycle_after_days.get())),
    ]
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{FixedClock, member_of, staff};
    use domain_kernel::{AuditEntry, Clock, DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::tests::{Fixture, OWN, an_organization};

    /// The organization after the change, and the audit row.
    async fn change(
        stored: Organization,
        change: OrganizationChange,
    ) -> Result<(Organization, Option<AuditEntry>), OrgError> {
        let (fixture, written) = Fixture::holding(stored);
        let changed = fixture.service().change_organization(&staff(StaffRole::Admin), OWN, change).await?;
        let audit = written.lock().expect("lock").take().expect("the edit ran");
        Ok((changed, audit))
    }

    fn with_provider() -> Organization {
        let saml_info = SamlInfo::parse("<EntityDescriptor/>").ok();
        Organization { saml_info, ..an_organization() }
    }

    #[tokio::test]
    async fn every_setting_is_changed_and_told_in_the_trail() {
        let wanted = OrganizationChange {
            name: OrgName::parse("Port").ok(),
            s3_integrations_folder: Folder::parse("port").ok(),
            saml_info: SamlInfo::parse("<EntityDescriptor/>").map_or(Patch::Keep, Patch::Set),
            sso_enforced: Some(true),
            time_zone: TimeZone::parse("America/Chicago").ok(),
            cadence: Some(Cadence::Monthly),
            import_mode: Some(ImportMode::Snapshot),
            reporting_grace_days: GraceDays::parse(30).ok(),
            late_window_days: LateWindowDays::parse(7).ok(),
            recycle_after_days: RecycleDays::parse(90).ok(),
        };
        let (changed, audit) = change(an_organization(), wanted).await.expect("changes");
        let audit = audit.expect("a row");
        assert!(!format!("{audit:?}").contains("EntityDescriptor"));
        let mut after = audit.after.expect("what it is now");
        assert!(after["saml_info_sha256"].take().is_string());
        let told = json!({
            "name": "Port", "s3_integrations_folder": "port", "saml_info_sha256": null, "sso_enforced": true,
            "time_zone": "America/Chicago", "cadence": "monthly", "import_mode": "snapshot", "reporting_grace_days": 30, "late_window_days": 7,
            "recycle_after_days": 90,
        });
        assert_eq!(after, told);
        assert_eq!((changed.name.as_str(), changed.updated_at), ("Port", FixedClock::default().now()));
    }

    #[tokio::test]
    async fn what_is_so_already_leaves_no_trace() {
        let same = OrganizationChange {
            name: Some(an_organization().name),
            cadence: Some(Cadence::Weekly),
            import_mode: Some(ImportMode::Delta),
            saml_info: Patch::Clear,
            sso_enforced: Some(false),
            ..OrganizationChange::default()
        };
        for wanted in [OrganizationChange::default(), same] {
            let answered = change(an_organization(), wanted).await.expect("answers");
            assert_eq!(answered, (an_organization(), None));
        }
    }

    #[tokio::test]
    async fn single_sign_on_is_not_enforced_without_a_provider_and_ends_with_it() {
        let enforced = OrganizationChange { sso_enforced: Some(true), ..OrganizationChange::default() };
        let refused = change(an_organization(), enforced.clone()).await.expect_err("no provider");
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "identity_provider_missing"));
        let both = OrganizationChange { saml_info: Patch::Clear, ..enforced.clone() };
        let refused = change(with_provider(), both).await.expect_err("none is left");
        assert_eq!(refused.code(), "identity_provider_missing");

        let (changed, _) = change(with_provider(), enforced).await.expect("changes");
        assert!(changed.sso_enforced);
        let off = OrganizationChange { saml_info: Patch::Clear, ..OrganizationChange::default() };
        let (changed, audit) = change(changed, off).await.expect("changes");
        assert!(!changed.sso_enforced);
        assert_eq!(
            audit.and_then(|row| row.after).map(|after| after["sso_enforced"].clone()),
            Some(json!(false))
        );
    }

    #[tokio::test]
    async fn admins_of_it_and_staff_who_read_may_not_and_outsiders_see_nothing() {
        let elsewhere = OrgId::new(uuid::Uuid::from_u128(99));
        for (actor, kind) in [
            (member_of(OWN, true), ErrorKind::Forbidden),
            (staff(StaffRole::Employee), ErrorKind::Forbidden),
            (member_of(elsewhere, true), ErrorKind::NotFound),
        ] {
            let service = Fixture::default().service();
            let refused = service.change_organization(&actor, OWN, OrganizationChange::default()).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
