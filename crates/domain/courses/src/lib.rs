//! Courses: what is taught, and who trains which of it when.
//!
//! The rules of training are pure: [`CourseVersion`] and its life, [`Calendar`] for weeks and months, [`Situation`] for
//! the course that is current, and [`Assignment::absorb`] for what phones report, late and in any order.
//!
//! Use cases of [`CourseService`]: `create_course`, `get_course`, `list_courses`, `update_course`, `create_version`,
//! `get_version`, `list_versions`, `update_version` (which publishes, too), `archive_version`.
//!
//! Use cases of [`TrainingService`]: `create_category`, `update_category`, `set_course_pools`, `list_categories`,
//! `list_job_titles`, `list_course_pools`.
//!
//! Use cases of [`LearningService`]: `get_current_course`, `get_learner_course`, `report_progress`, `report_progress_batch`,
//! `list_progress_events`, `follow_team`, `list_team_progress`, `begin_periods`.

mod archive_version;
mod assignment;
mod begin_periods;
mod canonical;
mod category;
mod course;
mod create_category;
mod create_course;
mod create_version;
mod current;
mod error;
mod follow_team;
mod get_course;
mod get_current_course;
mod get_learner_course;
mod get_version;
mod learner_course;
mod learning;
mod list_courses;
mod list_progress_events;
mod list_versions;
mod period;
pub mod ports;
mod progress;
mod progress_data;
mod read_training;
mod report_progress;
mod service;
mod set_course_pools;
#[cfg(test)]
mod tests;
mod training;
mod update_category;
mod update_course;
mod update_version;
mod version;

use domain_kernel::json;

pub use assignment::{Assignment, AssignmentSource, AssignmentState, Learner, Lesson};
pub use begin_periods::{Round, RoundMark};
pub use category::{
    CategoryName, CourseList, CoursePool, CoursePoolId, JobTitleInUse, ListedCourse, PoolChange, PoolCourse,
    PoolOverride, TrainingCategory,
};
pub use course::{Course, CourseName, Description};
pub use create_category::CreateCategory;
pub use create_course::CreateCourse;
pub use create_version::CreateVersion;
pub use current::{
    CatalogCourse, CurrentCourse, Decision, JoinedTeam, PastAssignment, PublishedVersion, Rule, Situation,
};
pub use error::CourseError;
pub use follow_team::{FeedPlace, ProgressChange};
pub use learner_course::{Current, LearnerCourse, VersionContent};
pub use learning::LearningService;
pub use period::{Cadence, Calendar, Period};
pub use progress::{
    Absorbed, ClientTime, DedupeKey, EventStamp, EventTarget, EventType, PlayerSessionId, ProgressEvent,
    StoredEvent,
};
pub use progress_data::{Percent, ProgressData, ProgressHash};
pub use service::CourseService;
pub use training::TrainingService;
pub use update_category::CategoryChange;
pub use update_course::CourseChange;
pub use update_version::VersionChange;
pub use version::{CourseVersion, Edition, ListedVersion, Shelf, VersionData, VersionKey, VersionStatus};
