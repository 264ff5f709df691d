//! What the unit tests of rosters share.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use domain_kernel::testing::{CountingIds, FixedClock};
use domain_kernel::{Clock, EmailAddress, ExternalId, ImportId, ImportMode, PersonName};
use uuid::Uuid;

use super::{Import, ImportCounts, ImportState, Planner, RosterLimits, RosterRow, RosterService, RowKey};
use crate::ports::{
    MockImportQueries, MockImportRepository, MockImportRun, MockInviteCodeGenerator,
    MockMembershipRepository, MockRosterFiles, RosterFolder, RosterSettings,
};
use crate::tests::{ORG, a_code};
use crate::{FileKey, RosterFile};

/// Mocks of all ports; a call that was not prepared fails the test.
#[derive(Default)]
pub(super) struct Fixture {
    pub(super) imports: MockImportRepository,
    pub(super) runs: MockImportRun,
    pub(super) queries: MockImportQueries,
    pub(super) memberships: MockMembershipRepository,
    pub(super) files: MockRosterFiles,
}

fn codes() -> MockInviteCodeGenerator {
    let mut codes = MockInviteCodeGenerator::new();
    codes.expect_code().returning(a_code);
    codes
}

impl Fixture {
    /// With an organization whose folder is `harbor`.
    pub(super) fn with_folder() -> Self {
        let mut fixture = Self::default();
        fixture.imports.expect_find_folder().returning(|organization| Ok(Some(folder(organization))));
        fixture
    }

    pub(super) fn service(self) -> RosterService {
        RosterService {
            imports: Arc::new(self.imports),
            runs: Arc::new(self.runs),
            queries: Arc::new(self.queries),
            memberships: Arc::new(self.memberships),
            files: Arc::new(self.files),
            codes: Arc::new(codes()),
            clock: Arc::new(FixedClock::default()),
            ids: Arc::new(CountingIds::default()),
            limits: RosterLimits {
                max_bytes: 1000,
                upload_lifespan: TimeDelta::minutes(15),
                invitation_lifespan: TimeDelta::days(30),
            },
        }
    }
}

pub(super) fn folder(organization: domain_kernel::OrgId) -> RosterFolder {
    RosterFolder { organization, folder: "harbor".into(), mode: ImportMode::Delta }
}

pub(super) fn now() -> DateTime<Utc> {
    FixedClock::default().now()
}

pub(super) fn a_file(key: &str) -> RosterFile {
    RosterFile {
        key: FileKey::parse(key, "harbor").expect("a key"),
        etag: "\"e1\"".into(),
        size: 100,
        modified_at: now(),
    }
}

pub(super) fn an_import() -> Import {
    Import {
        id: ImportId::new(Uuid::from_u128(0x1A)),
        organization: ORG,
        key: FileKey::parse("harbor/a.csv", "harbor").expect("a key"),
        etag: Some("\"e1\"".into()),
        mode: ImportMode::Delta,
        dry_run: false,
        state: ImportState::Queued,
        is_confirmed: false,
        counts: ImportCounts::default(),
        errors_total: 0,
        trouble: None,
        warnings: vec![],
        created_by: None,
        created_at: now(),
        started_at: None,
        finished_at: None,
    }
}

pub(super) fn settings() -> RosterSettings {
    RosterSettings { time_zone: Tz::UTC, reporting_grace_days: 0 }
}

pub(super) fn a_planner() -> Planner {
    Planner {
        organization: ORG,
        settings: settings(),
        is_confirmed: false,
        now: now(),
        invitation_lifespan: TimeDelta::days(30),
        ids: Arc::new(CountingIds::default()),
        codes: Arc::new(codes()),
    }
}

/// A line that says no more than who it is about.
pub(super) fn a_row(number: &str) -> RosterRow {
    let name = |text| PersonName::parse(text).expect("a name");
    RosterRow {
        line: 2,
        key: RowKey::ExternalId(ExternalId::parse(number).expect("a number")),
        first_name: name("Ann"),
        last_name: name("Lee"),
        email: None,
        job_title: None,
        team: None,
        org_admin: None,
        team_admin: None,
        hired_on: None,
        status: None,
    }
}

pub(super) fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("an address")
}
