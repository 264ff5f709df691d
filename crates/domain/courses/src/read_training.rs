use domain_kernel::{Actor, OrgId, Page, PageRequest, Permission, Refusal, Scope};

use crate::ports::PoolFilter;
use crate::{CourseError, CoursePool, JobTitleInUse, TrainingCategory, TrainingService};

impl TrainingService {
    /// The training categories of an organization, by name.
    pub async fn list_categories(
        &self,
        actor: &Actor,
        organization: OrgId,
        page: PageRequest,
    ) -> Result<Page<TrainingCategory>, CourseError> {
        actor.require(Permission::TrainingRead, Scope::Organization(organization))?;
        self.queries.categories(organization, page).await?.ok_or_else(|| Refusal::NotFound.into())
    }

    /// The job titles of the people on an organization's roster.
    pub async fn list_job_titles(
        &self,
        actor: &Actor,
        organization: OrgId,
        page: PageRequest,
    ) -> Result<Page<JobTitleInUse>, CourseError> {
        actor.require(Permission::TrainingRead, Scope::Organization(organization))?;
        self.queries.job_titles(organization, page).await?.ok_or_else(|| Refusal::NotFound.into())
    }

    /// What the teams of an organization train, by category.
    pub async fn list_course_pools(
        &self,
        actor: &Actor,
        organization: OrgId,
        filter: PoolFilter,
        page: PageRequest,
    ) -> Result<Page<CoursePool>, CourseError> {
        actor.require(Permission::TrainingRead, Scope::Organization(organization))?;
        self.queries.pools(organization, filter, page).await?.ok_or_else(|| Refusal::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, nobody, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::training::tests::{Fixture, ORG, a_category};

    const PART: PageRequest = PageRequest { offset: 0, limit: 10 };

    #[tokio::test]
    async fn staff_reads_and_an_unknown_organization_is_not_found() {
        for role in [StaffRole::Employee, StaffRole::Admin] {
            let actor = staff(role);
            let mut fixture = Fixture::default();
            let found = Page { items: vec![a_category(5, "Drivers", &[])], total: 1 };
            let answer = found.clone();
            fixture.queries.expect_categories().return_once(|_, _| Ok(Some(answer)));
            fixture.queries.expect_job_titles().return_once(|_, _| Ok(None));
            fixture.queries.expect_pools().return_once(|_, _, _| Ok(None));
            let service = fixture.service();
            assert_eq!(service.list_categories(&actor, ORG, PART).await.expect("reads"), found);
            let titles = service.list_job_titles(&actor, ORG, PART).await.expect_err("unknown");
            let pools = service.list_course_pools(&actor, ORG, PoolFilter::default(), PART).await;
            let kinds = [titles.kind(), pools.expect_err("unknown").kind()];
            assert_eq!(kinds, [ErrorKind::NotFound; 2]);
        }
    }

    #[tokio::test]
    async fn members_and_strangers_read_nothing() {
        for (actor, kind) in [(member_of(ORG, true), ErrorKind::Forbidden), (nobody(), ErrorKind::NotFound)] {
            let service = Fixture::default().service();
            let categories = service.list_categories(&actor, ORG, PART).await.expect_err("refused").kind();
            let titles = service.list_job_titles(&actor, ORG, PART).await.expect_err("refused").kind();
            let pools = service.list_course_pools(&actor, ORG, PoolFilter::default(), PART).await;
            assert_eq!([categories, titles, pools.expect_err("refused").kind()], [kind; 3]);
        }
    }
}
