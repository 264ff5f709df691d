use domain_kernel::{Actor, OrgId, Page, PageRequest, Permission, Refusal, Scope};

use crate::ports::CourseFilter;
use crate::{Course, CourseError, CourseService};

impl CourseService {
    /// The courses that an organization may use: those of the library and its own.
    pub async fn list_courses(
        &self,
        actor: &Actor,
        organization: OrgId,
        filter: CourseFilter,
        page: PageRequest,
    ) -> Result<Page<Course>, CourseError> {
        actor.require(Permission::CourseRead, Scope::Platform)?;
        let found = self.queries.list_usable(organization, filter, page).await?;
        found.ok_or_else(|| Refusal::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};
    use mockall::predicate::eq;

    use super::*;
    use crate::ports::MockCourseQueries;
    use crate::tests::{Fixture, ORGANIZATION, a_course};

    const PAGE: PageRequest = PageRequest { offset: 0, limit: 25 };

    #[tokio::test]
    async fn staff_lists_the_courses_of_an_organization() {
        let listed = Page { items: vec![a_course()], total: 1 };
        let answer = listed.clone();
        let mut queries = MockCourseQueries::new();
        queries
            .expect_list_usable()
            .with(eq(ORGANIZATION), eq(CourseFilter::NotBasics), eq(PAGE))
            .return_once(|_, _, _| Ok(Some(answer)));
        let service = Fixture { queries, ..Fixture::default() }.service();
        let actor = staff(StaffRole::Employee);
        let found = service.list_courses(&actor, ORGANIZATION, CourseFilter::NotBasics, PAGE).await;
        assert_eq!(found.expect("lists"), listed);
    }

    #[tokio::test]
    async fn an_unknown_organization_is_not_found_and_members_do_not_list() {
        let mut queries = MockCourseQueries::new();
        queries.expect_list_usable().return_once(|_, _, _| Ok(None));
        let service = Fixture { queries, ..Fixture::default() }.service();
        for (actor, kind) in [
            (staff(StaffRole::Admin), ErrorKind::NotFound),
            (member_of(ORGANIZATION, true), ErrorKind::Forbidden),
        ] {
            let refused = service.list_courses(&actor, ORGANIZATION, CourseFilter::Live, PAGE).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
