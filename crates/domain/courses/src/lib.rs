//! Courses: what is taught, and who trains which of it when.
//!
//! The rules of training are pure: [`CourseVersion`] and its life, [`Calendar`] for weeks and months, [`Situation`] for
//! the course that is current, and [`Assignment::absorb`] for what phones report, late and in any order.
//!
//! Use cases of [`CourseService`]: `create_course`, `get_course`, `list_courses`, `update_course`, `create_version`,
//! `get_version`, `list_versions`, `update_version` (which publishes, too), `archive_version`.
//!
//! Use cases of [`LearningService`]: `get_current_course`, `get_learner_course`, `report_progress`, `report_progress_batch`,
//! `list_progress_events`.

mod archive_version;
mod assignment;
mod canonical;
mod category;
mod course;
mod create_course;
mod create_version;
mod current;
mod error;
mod get_course;
mod get_current_course;
mod get_learner_course;
mod get_version;
mod job_title;
mod learner_course;
mod learning;
mod list_courses;
mod list_progress_events;
mod list_versions;
mod period;
pub mod ports;
mod progress;
mod progress_data;
mod report_progress;
mod service;
#[cfg(test)]
mod tests;
mod update_course;
mod update_version;
mod version;

use domain_kernel::json;

pub use assignment::{Assignment, AssignmentSource, AssignmentState, Learner, Lesson};
pub use category::{
    CategoryName, CourseList, CoursePool, CoursePoolId, PoolCourse, PoolOverride, TrainingCategory,
};
pub use course::{Course, CourseName, Description, LanguageCode};
pub use create_course::CreateCourse;
pub use create_version::CreateVersion;
pub use current::{
    CatalogCourse, CurrentCourse, Decision, JoinedTeam, PastAssignment, PublishedVersion, Rule, Situation,
};
pub use error::CourseError;
pub use job_title::{JobTitle, JobTitleKey};
pub use learner_course::{Current, LearnerCourse, VersionContent};
pub use learning::LearningService;
pub use period::{Cadence, Calendar, Period};
pub use progress::{
    Absorbed, ClientTime, DedupeKey, EventStamp, EventTarget, EventType, PlayerSessionId, ProgressEvent,
    StoredEvent,
};
pub use progress_data::{Percent, ProgressData, ProgressHash};
pub use service::CourseService;
pub use update_course::CourseChange;
pub use update_version::VersionChange;
pub use version::{CourseVersion, Edition, ListedVersion, Shelf, VersionData, VersionKey, VersionStatus};
