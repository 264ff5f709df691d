//! What the unit tests of the use cases share.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::testing::{CountingIds, FixedClock};
use domain_kernel::{AuditEntry, Clock, CourseId, CourseVersionId, LanguageCode, OrgId, UserId};
use serde_json::json;
use uuid::Uuid;

use crate::ports::{MockCourseQueries, MockCourseRepository, MockVersionQueries, MockVersionRepository};
use crate::{Course, CourseName, CourseService, CourseVersion, Description, Shelf, VersionData};

pub(crate) const ORGANIZATION: OrgId = OrgId::new(Uuid::from_u128(0x10));
pub(crate) const COURSE: CourseId = CourseId::new(Uuid::from_u128(0x20));
pub(crate) const DRAFT: CourseVersionId = CourseVersionId::new(Uuid::from_u128(0x30));
pub(crate) const PUBLISHED: CourseVersionId = CourseVersionId::new(Uuid::from_u128(0x31));

/// What a use case gave to a port for the audit trail.
pub(crate) type Audits = Arc<Mutex<Vec<AuditEntry>>>;

/// Mocks of all ports; a call that was not prepared fails the test.
#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) courses: MockCourseRepository,
    pub(crate) queries: MockCourseQueries,
    pub(crate) versions: MockVersionRepository,
    pub(crate) version_queries: MockVersionQueries,
}

impl Fixture {
    /// One course, which may be changed.
    pub(crate) fn holding_course(mut course: Course) -> (Self, Audits) {
        let (mut fixture, audits) = (Self::default(), Audits::default());
        let noted = Arc::clone(&audits);
        fixture.courses.expect_update().return_once(move |_, edit| {
            noted.lock().expect("no panic").extend(edit(&mut course)?);
            Ok(course)
        });
        (fixture, audits)
    }

    /// A course whose versions stand so.
    pub(crate) fn with_shelf(shelf: Shelf) -> (Self, Audits) {
        let (mut fixture, audits) = (Self::default(), Audits::default());
        let noted = Arc::clone(&audits);
        fixture.versions.expect_open_draft().return_once(move |_, opening| {
            let (version, audits) = opening(&shelf)?;
            noted.lock().expect("no panic").extend(audits);
            Ok(version)
        });
        (fixture, audits)
    }

    /// One version of such a course, which may be changed.
    pub(crate) fn holding(shelf: Shelf, mut version: CourseVersion) -> (Self, Audits) {
        let (mut fixture, audits) = (Self::default(), Audits::default());
        let noted = Arc::clone(&audits);
        fixture.versions.expect_update().return_once(move |_, _, edit| {
            noted.lock().expect("no panic").extend(edit(&shelf, &mut version)?);
            Ok(version)
        });
        (fixture, audits)
    }

    pub(crate) fn service(self) -> CourseService {
        CourseService {
            courses: Arc::new(self.courses),
            queries: Arc::new(self.queries),
            versions: Arc::new(self.versions),
            version_queries: Arc::new(self.version_queries),
            clock: Arc::new(FixedClock::default()),
            ids: Arc::new(CountingIds::default()),
        }
    }
}

/// When the use cases run.
pub(crate) fn now() -> DateTime<Utc> {
    FixedClock::default().now()
}

fn earlier() -> DateTime<Utc> {
    now() - TimeDelta::days(1)
}

pub(crate) fn data(title: &str) -> VersionData {
    VersionData::parse(json!({ "title": title })).expect("an object")
}

pub(crate) fn a_course() -> Course {
    Course {
        id: COURSE,
        organization: None,
        name: CourseName::parse("Lifting").expect("a name"),
        description: Description::parse("Bend the knees.").ok(),
        basics: true,
        position: 1,
        language_codes: ["en", "es"].map(|code| LanguageCode::parse(code).expect("a code")).to_vec(),
        published: None,
        archived_at: None,
        created_at: earlier(),
        updated_at: earlier(),
    }
}

pub(crate) fn a_shelf() -> Shelf {
    Shelf { course: COURSE, organization: Some(ORGANIZATION), last_number: 0, draft: None, published: None }
}

pub(crate) fn a_draft() -> CourseVersion {
    CourseVersion::draft(DRAFT, COURSE, 3, data("Lifting"), UserId::new(Uuid::from_u128(0x40)), earlier())
}
