//! What the courses domain needs from the outside.

mod training;

use async_trait::async_trait;
use domain_kernel::{AuditEntry, CourseId};

use crate::{Course, CourseError};

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

    /// The course with this id, archived ones too.
    async fn find(&self, id: CourseId) -> Result<Option<Course>, CourseError>;
}
