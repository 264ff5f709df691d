use domain_kernel::{Actor, CourseId, Permission, Refusal, Scope};

use crate::{Course, CourseError, CourseService};

impl CourseService {
    /// A course as staff sees it.
    pub async fn get_course(&self, actor: &Actor, id: CourseId) -> Result<Course, CourseError> {
        actor.require(Permission::CourseRead, Scope::Platform)?;
        self.queries.find(id).await?.ok_or_else(|| Refusal::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::staff;
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::ports::MockCourseQueries;
    use crate::tests::Fixture;

    #[tokio::test]
    async fn an_unknown_course_is_not_found() {
        let mut queries = MockCourseQueries::new();
        queries.expect_find().return_once(|_| Ok(None));
        let service = Fixture { queries, ..Fixture::default() }.service();
        let id = CourseId::new(uuid::Uuid::from_u128(1));
        let refused = service.get_course(&staff(StaffRole::Employee), id).await.expect_err("none there");
        assert_eq!(refused.kind(), ErrorKind::NotFound);
    }
}
