use domain_kernel::{Actor, Page, PageRequest, Permission, Refusal, Scope, TeamId};

use crate::{TeamAdmin, TeamError, TeamService};

impl TeamService {
    /// Who runs a team, for those who may see it.
    pub async fn list_team_admins(
        &self,
        actor: &Actor,
        id: TeamId,
        page: PageRequest,
    ) -> Result<Page<TeamAdmin>, TeamError> {
        let found = self.queries.list_admins(id, page).await?;
        let (organization, admins) = found.ok_or(Refusal::NotFound)?;
        actor.require(Permission::TeamRead, Scope::Team(organization, id))?;
        Ok(admins)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::member_of;
    use domain_kernel::{DomainError, ErrorKind, OrgId};

    use super::*;
    use crate::tests::{FOREIGN, Fixture, OWN, TEAM, an_admin, on_the_team};

    const ALL: PageRequest = PageRequest { offset: 0, limit: 1000 };

    fn holding(organization: OrgId) -> Fixture {
        let mut fixture = Fixture::default();
        let admins = Page { items: vec![an_admin()], total: 1 };
        fixture.queries.expect_list_admins().return_once(move |_, _| Ok(Some((organization, admins))));
        fixture
    }

    #[tokio::test]
    async fn who_may_see_the_team_sees_who_runs_it() {
        let seen = holding(OWN).service().list_team_admins(&on_the_team(false), TEAM, ALL).await;
        assert_eq!(seen.expect("a page").items, [an_admin()]);
        for (organization, kind) in [(OWN, ErrorKind::Forbidden), (FOREIGN, ErrorKind::NotFound)] {
            let service = holding(organization).service();
            let refused = service.list_team_admins(&member_of(OWN, false), TEAM, ALL).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
