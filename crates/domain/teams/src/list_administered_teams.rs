use domain_kernel::{Actor, OrgId, Page, PageRequest, Permission, Scope};

use crate::{Team, TeamError, TeamService};

impl TeamService {
    /// The teams that the actor runs in an organization: a team lead's home screen. Only teams whose admins name them; an
    /// organization's admin sees all teams in the full list.
    pub async fn list_administered_teams(
        &self,
        actor: &Actor,
        organization: OrgId,
        page: PageRequest,
    ) -> Result<Page<Team>, TeamError> {
        actor.require(Permission::TeamList, Scope::Organization(organization))?;
        let own = actor.memberships.iter().filter(|membership| membership.organization == organization);
        let ids = own.flat_map(|membership| membership.administered_teams.clone()).collect();
        self.queries.list_by_ids(ids, page).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Fixture, OWN, TEAM, a_team, on_the_team};

    #[tokio::test]
    async fn a_lead_sees_the_teams_they_run_and_a_member_none() {
        for (runs_it, ids) in [(true, vec![TEAM]), (false, vec![])] {
            let mut fixture = Fixture::default();
            let page = Page { items: vec![a_team(OWN)], total: 1 };
            fixture
                .queries
                .expect_list_by_ids()
                .withf(move |asked, _| *asked == ids)
                .return_once(|_, _| Ok(page));
            let page = PageRequest { offset: 0, limit: 1000 };
            let seen = fixture.service().list_administered_teams(&on_the_team(runs_it), OWN, page).await;
            assert!(seen.is_ok());
        }
    }
}
