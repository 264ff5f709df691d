//! What the courses domain needs from the outside.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain_kernel::{AuditEntry, CourseId, MembershipId, UserId};

use crate::{Assignment, Course, CourseError, Learner, LearnerCourse, ProgressEvent, Situation};

/// Stores courses.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait CourseRepository: Send + Sync {
    /// One atomic fact: adds the course and its audit row. Fails with [`CourseError::OrganizationUnknown`], writing
    /// nothing, if it names an organization that does not exist.
    async fn insert(&self, course: Course, audit: AuditEntry) -> Result<(), CourseError>;

    /// The course with this id, archived ones too.
    async fn find(&self, id: CourseId) -> Result<Option<Course>, CourseError>;
}

/// Where a membership stands in its training.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Whose it is.
    pub learner: Learner,
    /// What the choice of the next course depends on. With an open assignment only that one: nothing else decides then.
    pub situation: Situation,
    /// The oldest open assignment with its course and version.
    pub open: Option<LearnerCourse>,
}

/// A course as somebody may have it, and what tells whether they may.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundLesson {
    /// The course in the version of the newest own assignment, else in the published one.
    pub lesson: LearnerCourse,
    /// Where the memberships stand; empty if there is an own assignment.
    pub situations: Vec<Situation>,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Whether it was known already; then nothing was written.
    pub duplicate: bool,
    /// Whether something that happened later was known already.
    pub stale: bool,
    /// The assignment after all events of the call.
    pub assignment: Assignment,
}

/// Stores assignments and what phones report of them.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait AssignmentRepository: Send + Sync {
    /// Where an active membership stands at `now`, in one read. None if it is not active.
    async fn find_standing(
        &self,
        membership: MembershipId,
        now: DateTime<Utc>,
    ) -> Result<Option<Standing>, CourseError>;

    /// Adds the assignment unless the membership has an open automatic one, and gives the one that is open then: of two
    /// calls at once both give the same.
    async fn give(&self, assignment: Assignment) -> Result<LearnerCourse, CourseError>;

    /// A course for a person with these active memberships, in one read. None if there is no such course.
    async fn find_lesson(
        &self,
        user: UserId,
        memberships: Vec<MembershipId>,
        course: CourseId,
        now: DateTime<Utc>,
    ) -> Result<Option<FoundLesson>, CourseError>;

    /// One atomic fact: adds the events that are not known yet to the person's assignments of their courses, an open one
    /// before a closed one and the newest first, and saves what the assignments are then. The answers are in the order of
    /// the events; none, writing nothing, where the person has no assignment of the course.
    async fn record(
        &self,
        user: UserId,
        events: Vec<(CourseId, ProgressEvent)>,
        received_at: DateTime<Utc>,
    ) -> Result<Vec<Option<Recorded>>, CourseError>;
}
