use domain_kernel::{Actor, ImportId, OrgId, Page, PageRequest, Permission, Refusal, Scope};

use super::{Import, ImportState, ReportRow, RosterProblem, RosterService};
use crate::MembershipError;

/// Problems that are shown with an import; the report has all.
const SHOWN_PROBLEMS: usize = 1000;

impl RosterService {
    /// Rows of a report that are read together.
    pub const REPORT_ROWS: u16 = 2000;

    /// The imports of an organization, the newest first.
    pub async fn list_imports(
        &self,
        actor: &Actor,
        organization: OrgId,
        state: Option<ImportState>,
        page: PageRequest,
    ) -> Result<Page<Import>, MembershipError> {
        actor.require(Permission::RosterRead, Scope::Organization(organization))?;
        self.queries.list(organization, state, page).await?.ok_or_else(|| Refusal::NotFound.into())
    }

    /// One import, with the first thousand things that are wrong with its lines.
    pub async fn get_import(
        &self,
        actor: &Actor,
        organization: OrgId,
        id: ImportId,
    ) -> Result<(Import, Vec<RosterProblem>), MembershipError> {
        actor.require(Permission::RosterRead, Scope::Organization(organization))?;
        let found = self.queries.find(organization, id, SHOWN_PROBLEMS).await?;
        found.ok_or_else(|| Refusal::NotFound.into())
    }

    /// The next rows of an import's report after a place, so many that fewer are the last.
    pub async fn read_report(
        &self,
        actor: &Actor,
        organization: OrgId,
        id: ImportId,
        after: i64,
    ) -> Result<Vec<ReportRow>, MembershipError> {
        actor.require(Permission::RosterRead, Scope::Organization(organization))?;
        let rows = self.queries.report(organization, id, after, Self::REPORT_ROWS.into()).await?;
        rows.ok_or_else(|| Refusal::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::roster::tests::{Fixture, an_import};
    use crate::tests::ORG;

    const ALL: PageRequest = PageRequest { offset: 0, limit: 25 };

    #[tokio::test]
    async fn staff_reads_them_and_others_do_not() {
        let mut fixture = Fixture::default();
        fixture
            .queries
            .expect_list()
            .return_once(|_, _, _| Ok(Some(Page { items: vec![an_import()], total: 1 })));
        fixture.queries.expect_find().return_once(|_, _, limit| {
            assert_eq!(limit, 1000);
            Ok(None)
        });
        fixture.queries.expect_report().return_once(|_, _, after, _| {
            assert_eq!(after, 7);
            Ok(None)
        });
        let (service, employee) = (fixture.service(), staff(StaffRole::Employee));
        assert_eq!(service.list_imports(&employee, ORG, None, ALL).await.expect("a page").total, 1);
        let missing = service.get_import(&employee, ORG, an_import().id).await.expect_err("none");
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let missing = service.read_report(&employee, ORG, an_import().id, 7).await.expect_err("none");
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let refused = service.list_imports(&member_of(ORG, true), ORG, None, ALL).await.expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
    }
}
