use domain_kernel::{Actor, Page, PageRequest, Permission, Scope};

use crate::ports::JobFilter;
use crate::{Job, JobError, JobService};

impl JobService {
    /// What was and is to be done, the newest first: for staff.
    pub async fn list_jobs(
        &self,
        actor: &Actor,
        filter: JobFilter,
        page: PageRequest,
    ) -> Result<Page<Job>, JobError> {
        actor.require(Permission::JobRead, Scope::Platform)?;
        self.queries.list(filter, page).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{nobody, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::tests::{Fixture, a_job};

    const ALL: PageRequest = PageRequest { offset: 0, limit: 25 };

    #[tokio::test]
    async fn staff_sees_them() {
        let mut fixture = Fixture::default();
        fixture.queries.expect_list().return_once(|_, _| Ok(Page { items: vec![a_job()], total: 1 }));
        let jobs = fixture.service().list_jobs(&staff(StaffRole::Employee), JobFilter::default(), ALL).await;
        assert_eq!(jobs.expect("a page").items, [a_job()]);
    }

    #[tokio::test]
    async fn others_do_not() {
        let refused = Fixture::default().service().list_jobs(&nobody(), JobFilter::default(), ALL).await;
        assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
    }
}
