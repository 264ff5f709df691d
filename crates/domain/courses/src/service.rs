use std::sync::Arc;

use domain_kernel::{Clock, IdGenerator};

use crate::ports::{CourseQueries, CourseRepository, VersionQueries, VersionRepository};

/// The use cases of the courses domain.
#[derive(Clone)]
#[expect(missing_docs, reason = "the ports say what they are")]
pub struct CourseService {
    pub courses: Arc<dyn CourseRepository>,
    pub queries: Arc<dyn CourseQueries>,
    pub versions: Arc<dyn VersionRepository>,
    pub version_queries: Arc<dyn VersionQueries>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
}
