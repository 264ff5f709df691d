use domain_kernel::{Actor, CourseId, Page, PageRequest, Permission, Refusal, Scope, Sort};

use crate::{CourseError, CourseService, ListedVersion, VersionKey};

impl CourseService {
    /// The versions of a course, with their content only when it is asked for.
    pub async fn list_versions(
        &self,
        actor: &Actor,
        course: CourseId,
        with_data: bool,
        sort: Sort<VersionKey>,
        page: PageRequest,
    ) -> Result<Page<ListedVersion>, CourseError> {
        actor.require(Permission::CourseRead, Scope::Platform)?;
        let found = self.version_queries.list(course, with_data, sort, page).await?;
        found.ok_or_else(|| Refusal::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};
    use mockall::predicate::eq;

    use super::*;
    use crate::ports::MockVersionQueries;
    use crate::tests::{COURSE, Fixture, ORGANIZATION};

    const PAGE: PageRequest = PageRequest { offset: 25, limit: 25 };

    #[tokio::test]
    async fn staff_lists_versions_in_the_order_asked_for() {
        let sort = Sort::by([VersionKey::PublishedAt]);
        let mut version_queries = MockVersionQueries::new();
        version_queries
            .expect_list()
            .with(eq(COURSE), eq(true), eq(sort.clone()), eq(PAGE))
            .return_once(|_, _, _, _| Ok(Some(Page { items: vec![], total: 3 })));
        let service = Fixture { version_queries, ..Fixture::default() }.service();
        let listed = service.list_versions(&staff(StaffRole::Employee), COURSE, true, sort, PAGE).await;
        assert_eq!(listed.expect("lists").total, 3);
    }

    #[tokio::test]
    async fn the_versions_of_an_unknown_course_are_not_found_and_members_do_not_list() {
        let mut version_queries = MockVersionQueries::new();
        version_queries.expect_list().return_once(|_, _, _, _| Ok(None));
        let service = Fixture { version_queries, ..Fixture::default() }.service();
        for (actor, kind) in [
            (staff(StaffRole::Employee), ErrorKind::NotFound),
            (member_of(ORGANIZATION, true), ErrorKind::Forbidden),
        ] {
            let sort = Sort::by([VersionKey::CreatedAt]);
            let refused = service.list_versions(&actor, COURSE, false, sort, PAGE).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
