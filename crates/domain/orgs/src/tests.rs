//! What the unit tests of this crate share.

use std::sync::{Arc, Mutex};

use domain_kernel::testing::{CountingIds, FixedClock};
use domain_kernel::{AuditEntry, Clock, ImportMode, OrgId};
use uuid::Uuid;

use crate::ports::MockOrganizationRepository;
use crate::{
    Cadence, Folder, GraceDays, LateWindowDays, OrgName, OrgService, Organization, RecycleDays, TimeZone,
};

pub(crate) const OWN: OrgId = OrgId::new(Uuid::from_u128(1));

/// A call to a mock that a test did not prepare fails the test.
#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) organizations: MockOrganizationRepository,
}

/// The audit row that an edit gave, once it ran.
pub(crate) type Written = Arc<Mutex<Option<Option<AuditEntry>>>>;

impl Fixture {
    /// A store that holds this organization only, and edits it.
    pub(crate) fn holding(organization: Organization) -> (Self, Written) {
        let (mut fixture, written) = (Self::default(), Written::default());
        let seen = written.clone();
        fixture.organizations.expect_update().return_once(move |_, edit| {
            let mut organization = organization;
            *seen.lock().expect("lock") = Some(edit(&mut organization)?);
            Ok(organization)
        });
        (fixture, written)
    }

    pub(crate) fn service(self) -> OrgService {
        OrgService::new(
            Arc::new(self.organizations),
            Arc::new(FixedClock::default()),
            Arc::new(CountingIds::default()),
        )
    }
}

pub(crate) fn an_organization() -> Organization {
    let now = FixedClock::default().now();
    Organization {
        id: OWN,
        name: OrgName::parse("Harbor").expect("a name"),
        s3_integrations_folder: Folder::parse("harbor").expect("a folder"),
        saml_info: None,
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
    }
}
