//! Courses: what is taught.
//!
//! Use cases of [`CourseService`]: `create_course`, `get_course`.

mod course;
mod create_course;
mod error;
mod get_course;
pub mod ports;
mod service;

pub use course::{Course, CourseName, Description, LanguageCode};
pub use create_course::CreateCourse;
pub use error::CourseError;
pub use service::CourseService;
