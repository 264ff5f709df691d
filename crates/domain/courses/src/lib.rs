//! Courses: what is taught, and who trains which of it when.
//!
//! The rules of training are pure: [`CourseVersion`] and its life, [`Calendar`] for weeks and months, [`Situation`] for
//! the course that is current, and [`Assignment::absorb`] for what phones report, late and in any order.
//!
//! Use cases of [`CourseService`]: `create_course`, `get_course`, `get_current_course`, `get_learner_course`, `report_progress`,
//! `report_progress_batch`.

mod assignment;
mod canonical;
mod category;
mod course;
mod create_course;
mod current;
mod error;
mod get_course;
mod get_current_course;
mod get_learner_course;
mod job_title;
mod json;
mod learner_course;
mod period;
pub mod ports;
mod progress;
mod progress_data;
mod report_progress;
mod service;
mod version;

pub use assignment::{Assignment, AssignmentSource, AssignmentState, Learner, Lesson};
pub use category::{
    CategoryName, CourseList, CoursePool, CoursePoolId, PoolCourse, PoolOverride, TrainingCategory,
};
pub use course::{Course, CourseName, Description, LanguageCode};
pub use create_course::CreateCourse;
pub use current::{
    CatalogCourse, CurrentCourse, Decision, JoinedTeam, PastAssignment, PublishedVersion, Rule, Situation,
};
pub use error::CourseError;
pub use job_title::{JobTitle, JobTitleKey};
pub use learner_course::{Current, LearnerCourse, VersionContent};
pub use period::{Cadence, Calendar, Period};
pub use progress::{Absorbed, ClientTime, DedupeKey, EventStamp, EventType, PlayerSessionId, ProgressEvent};
pub use progress_data::{Percent, ProgressData, ProgressHash};
pub use service::CourseService;
pub use version::{CourseVersion, VersionData, VersionStatus};
