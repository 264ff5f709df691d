use chrono::{DateTime, Utc};
use domain_kernel::CourseVersionId;

use crate::{Assignment, Course, CurrentCourse, VersionData};

/// What a learner works through: the content of one version.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionContent {
    /// Key.
    pub id: CourseVersionId,
    /// Its number in the course.
    pub number: i32,
    /// The document.
    pub data: VersionData,
}

/// A course as a learner has it: in the version of the own assignment, or in the published one.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnerCourse {
    /// The course.
    pub course: Course,
    /// The version to work through; none when the course is published no more and the learner never had it.
    pub version: Option<VersionContent>,
    /// How far the learner is; none when it was never given to them.
    pub assignment: Option<Assignment>,
}

/// The answer to which course is current.
#[derive(Debug, Clone, PartialEq)]
pub struct Current {
    /// The course; none when nothing is due.
    pub lesson: Option<LearnerCourse>,
    /// When the next one can be given, if that is known and nothing is due.
    pub next_available_at: Option<DateTime<Utc>>,
    /// Which rule decided, and why.
    pub choice: CurrentCourse,
}
