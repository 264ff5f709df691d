//! What the courses domain needs from the outside.

mod training;

use async_trait::async_trait;
use domain_kernel::{AuditEntry, CourseId, CourseVersionId, OrgId, Page, PageRequest, Sort};

use crate::{Course, CourseError, CourseVersion, ListedVersion, Shelf, VersionKey};

mod learning;

pub use learning::{
    AssignmentQueries, AssignmentRepository, Feed, FoundLesson, History, Judge, Offer, ProgressSignal,
    ProgressSignals, Recorded, Standing, Visited,
};
#[cfg(test)]
pub(crate) use learning::{MockAssignmentQueries, MockAssignmentRepository, MockProgressSignals};

/// A pure change of a course, run while the row is locked. Gives the audit row of the change, or none when nothing changed.
pub type CourseEdit = Box<dyn FnOnce(&mut Course) -> Result<Option<AuditEntry>, CourseError> + Send>;

/// Makes the draft that is opened, knowing the course's other versions. Gives it with the audit rows.
pub type DraftOpening =
    Box<dyn FnOnce(&Shelf) -> Result<(CourseVersion, Vec<AuditEntry>), CourseError> + Send>;

/// A pure change of a version, run while it and its course are locked. Gives the audit rows of the change; none when
/// nothing changed.
pub type VersionEdit =
    Box<dyn FnOnce(&Shelf, &mut CourseVersion) -> Result<Vec<AuditEntry>, CourseError> + Send>;

/// Which of the courses that an organization may use are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CourseFilter {
    /// All that are not archived.
    #[default]
    Live,
    /// The basics among them.
    Basics,
    /// Those among them that are no basics.
    NotBasics,
    /// The archived ones instead.
    Archived,
}

impl CourseFilter {
    /// What a client may write.
    pub const WORDS: [(&str, Self); 3] =
        [("not_basics", Self::NotBasics), ("basics", Self::Basics), ("archived", Self::Archived)];
}

pub use training::{CategoriesEdit, PoolFacts, PoolFilter, PoolJudge, TrainingQueries, TrainingRepository};
#[cfg(test)]
pub use training::{MockTrainingQueries, MockTrainingRepository};

/// Stores courses.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait CourseRepository: Send + Sync {
    /// One atomic fact: adds the course and its audit row. Fails with [`CourseError::OrganizationUnknown`], writing
    /// nothing, if it names an organization that does not exist.
    async fn insert(&self, course: Course, audit: AuditEntry) -> Result<(), CourseError>;

    /// One atomic fact: loads the course for update, runs `edit`, saves, and writes the audit row. Nothing is written when
    /// `edit` gives none. A course that `edit` archives is taken from all who have not completed it: their open assignments
    /// are withdrawn. Gives the course as it is then.
    ///
    /// Fails, writing nothing, with a not-found refusal if there is no such course, with
    /// [`CourseError::OrganizationUnknown`] if it now names an organization that does not exist, and with whatever `edit`
    /// says.
    async fn update(&self, id: CourseId, edit: CourseEdit) -> Result<Course, CourseError>;
}

/// Reads courses, each with its published version. Each method is one statement.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait CourseQueries: Send + Sync {
    /// The course with this id, archived ones too.
    async fn find(&self, id: CourseId) -> Result<Option<Course>, CourseError>;

    /// The courses of the library and of the organization, basics first, by position, the older ones first among equals.
    /// Gives `None` if there is no such organization.
    async fn list_usable(
        &self,
        organization: OrgId,
        filter: CourseFilter,
        page: PageRequest,
    ) -> Result<Option<Page<Course>>, CourseError>;
}

/// Stores versions of courses.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait VersionRepository: Send + Sync {
    /// One atomic fact: locks the course, runs `opening`, adds the draft it gives and writes the audit rows. A draft that was
    /// open before is archived at the time when the new one was made. Of several at once each sees what those before it
    /// made. Gives the new draft.
    ///
    /// Fails, writing nothing, with a not-found refusal if there is no such course, and with whatever `opening` says.
    async fn open_draft(&self, course: CourseId, opening: DraftOpening)
    -> Result<CourseVersion, CourseError>;

    /// One atomic fact: locks the course, loads the version for update, runs `edit`, saves, and writes the audit rows.
    /// Nothing is written when `edit` gives none. Gives the version as it is then.
    ///
    /// A version that `edit` publishes takes the place of the published one, which is archived, and all assignments of the
    /// course that nobody has started move to it; started ones stay on theirs. When `edit` archives the published version,
    /// the assignments on it that nobody has started are withdrawn.
    ///
    /// Fails, writing nothing, with a not-found refusal if the course has no such version, and with whatever `edit` says.
    async fn update(
        &self,
        course: CourseId,
        id: CourseVersionId,
        edit: VersionEdit,
    ) -> Result<CourseVersion, CourseError>;
}

/// Reads versions of courses. Each method is one statement.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait VersionQueries: Send + Sync {
    /// The version with this id, if it is one of the course.
    async fn find(&self, course: CourseId, id: CourseVersionId)
    -> Result<Option<CourseVersion>, CourseError>;

    /// The versions of a course in this order, ties by id, those that were never published last when it goes by that.
    /// The content is read only `with_data`. Gives `None` if there is no such course.
    async fn list(
        &self,
        course: CourseId,
        with_data: bool,
        sort: Sort<VersionKey>,
        page: PageRequest,
    ) -> Result<Option<Page<ListedVersion>>, CourseError>;
}
