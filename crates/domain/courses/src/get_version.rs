use domain_kernel::{Actor, CourseId, CourseVersionId, Permission, Refusal, Scope};

use crate::{CourseError, CourseService, CourseVersion};

impl CourseService {
    /// A version of a course with its content, whatever its status.
    pub async fn get_version(
        &self,
        actor: &Actor,
        course: CourseId,
        id: CourseVersionId,
    ) -> Result<CourseVersion, CourseError> {
        actor.require(Permission::CourseRead, Scope::Platform)?;
        self.version_queries.find(course, id).await?.ok_or_else(|| Refusal::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};
    use mockall::predicate::eq;

    use crate::ports::MockVersionQueries;
    use crate::tests::{COURSE, DRAFT, Fixture, ORGANIZATION, a_draft};

    #[tokio::test]
    async fn staff_reads_a_version() {
        let mut version_queries = MockVersionQueries::new();
        let expected = version_queries.expect_find().with(eq(COURSE), eq(DRAFT));
        expected.return_once(|_, _| Ok(Some(a_draft())));
        let service = Fixture { version_queries, ..Fixture::default() }.service();
        let found = service.get_version(&staff(StaffRole::Employee), COURSE, DRAFT).await;
        assert_eq!(found.expect("found"), a_draft());
    }

    #[tokio::test]
    async fn an_unknown_version_is_not_found_and_members_do_not_read() {
        let mut version_queries = MockVersionQueries::new();
        version_queries.expect_find().return_once(|_, _| Ok(None));
        let service = Fixture { version_queries, ..Fixture::default() }.service();
        for (actor, kind) in [
            (staff(StaffRole::Employee), ErrorKind::NotFound),
            (member_of(ORGANIZATION, true), ErrorKind::Forbidden),
        ] {
            let refused = service.get_version(&actor, COURSE, DRAFT).await.expect_err("refused");
            assert_eq!(refused.kind(), kind);
        }
    }
}
