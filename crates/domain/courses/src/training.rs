use std::sync::Arc;

use domain_kernel::{Clock, IdGenerator};

use crate::ports::{TrainingQueries, TrainingRepository};

/// The use cases around who trains what.
#[derive(Clone)]
#[expect(missing_docs, reason = "the ports say what they are")]
pub struct TrainingService {
    pub training: Arc<dyn TrainingRepository>,
    pub queries: Arc<dyn TrainingQueries>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
}

#[cfg(test)]
pub(crate) mod tests {
    use domain_kernel::testing::{CountingIds, FixedClock};
    use domain_kernel::{JobTitle, OrgId, TrainingCategoryId};
    use uuid::Uuid;

    use super::*;
    use crate::ports::{MockTrainingQueries, MockTrainingRepository};
    use crate::{CategoryName, CourseList, TrainingCategory};

    pub(crate) const ORG: OrgId = OrgId::new(Uuid::from_u128(1));

    /// A call to a mock that a test did not prepare fails the test.
    #[derive(Default)]
    pub(crate) struct Fixture {
        pub(crate) training: MockTrainingRepository,
        pub(crate) queries: MockTrainingQueries,
    }

    impl Fixture {
        pub(crate) fn service(self) -> TrainingService {
            TrainingService {
                training: Arc::new(self.training),
                queries: Arc::new(self.queries),
                clock: Arc::new(FixedClock::default()),
                ids: Arc::new(CountingIds::default()),
            }
        }
    }

    /// A category with this id, name and job titles.
    pub(crate) fn a_category(id: u128, name: &str, job_titles: &[&str]) -> TrainingCategory {
        TrainingCategory {
            id: TrainingCategoryId::new(Uuid::from_u128(id)),
            organization: ORG,
            name: CategoryName::parse(name).expect("a name"),
            job_titles: job_titles.iter().map(|title| JobTitle::parse(title).expect("a title")).collect(),
            courses: CourseList::default(),
            is_default: false,
            created_at: chrono::DateTime::UNIX_EPOCH,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        }
    }
}
