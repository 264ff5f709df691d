use domain_kernel::{Actor, CourseId, Permission, Refusal, Scope};

use crate::{Course, CourseError, CourseService};

impl CourseService {
    /// A course as staff sees it.
    pub async fn get_course(&self, actor: &Actor, id: CourseId) -> Result<Course, CourseError> {
        actor.require(Permission::CourseRead, Scope::Platform)?;
        self.courses.find(id).await?.ok_or_else(|| Refusal::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain_kernel::testing::{CountingIds, FixedClock, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::ports::MockCourseRepository;

    #[tokio::test]
    async fn an_unknown_course_is_not_found() {
        let mut courses = MockCourseRepository::new();
        courses.expect_find().return_once(|_| Ok(None));
        let service = CourseService::new(
            Arc::new(courses),
            Arc::new(FixedClock::default()),
            Arc::new(CountingIds::default()),
        );
        let id = CourseId::new(uuid::Uuid::from_u128(1));
        let refused = service.get_course(&staff(StaffRole::Employee), id).await.expect_err("none there");
        assert_eq!(refused.kind(), ErrorKind::NotFound);
    }
}
