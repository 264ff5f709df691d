//! What the unit tests of this crate share.

use std::sync::Arc;

use domain_kernel::testing::{CountingIds, FixedClock};
use domain_kernel::{Clock, OrgId};
use uuid::Uuid;

use crate::ports::MockOrganizationRepository;
use crate::{Cadence, Folder, OrgName, OrgService, Organization};

pub(crate) const OWN: OrgId = OrgId::new(Uuid::from_u128(1));

/// A call to a mock that a test did not prepare fails the test.
#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) organizations: MockOrganizationRepository,
}

impl Fixture {
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
        time_zone: "UTC".into(),
        cadence: Cadence::Weekly,
        reporting_grace_days: 0,
        teams_count: 0,
        memberships_count: 0,
        created_at: now,
        updated_at: now,
    }
}
