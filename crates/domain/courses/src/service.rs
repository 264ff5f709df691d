use std::sync::Arc;

use domain_kernel::{Clock, IdGenerator};

use crate::ports::{AssignmentRepository, CourseRepository};

/// The use cases of the courses domain.
#[derive(Clone)]
pub struct CourseService {
    pub(crate) courses: Arc<dyn CourseRepository>,
    pub(crate) assignments: Arc<dyn AssignmentRepository>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGenerator>,
}

impl CourseService {
    /// Wires the use cases to the outside.
    pub fn new(
        courses: Arc<dyn CourseRepository>,
        assignments: Arc<dyn AssignmentRepository>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Self {
        Self { courses, assignments, clock, ids }
    }
}
