//! Courses: what is taught.
//!
//! Use cases of [`CourseService`]: `create_course`, `get_course`.

mod course;
mod create_course;
mod error;
mod get_course;
mod json;
pub mod ports;
mod service;
mod version;

pub use course::{Course, CourseName, Description, LanguageCode};
pub use create_course::CreateCourse;
pub use error::CourseError;
pub use service::CourseService;
pub use version::{CourseVersion, VersionData, VersionStatus};
