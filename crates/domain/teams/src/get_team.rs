use domain_kernel::{Actor, Permission, Refusal, Scope, TeamId};

use crate::{Team, TeamError, TeamService};

impl TeamService {
    /// A live team, for those who are on it or above it.
    pub async fn get_team(&self, actor: &Actor, id: TeamId) -> Result<Team, TeamError> {
        let found = self.queries.find(id).await?.filter(Team::is_live);
        let team = found.ok_or(Refusal::NotFound)?;
        actor.require(Permission::TeamRead, Scope::Team(team.organization, team.id))?;
        Ok(team)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{Clock, DomainError, ErrorKind, StaffRole};

    use crate::tests::{FOREIGN, Fixture, OWN, TEAM, a_team, on_the_team};

    #[tokio::test]
    async fn people_on_the_team_and_above_it_see_it() {
        for actor in [on_the_team(false), on_the_team(true), member_of(OWN, true), staff(StaffRole::Employee)]
        {
            let seen = Fixture::holding(a_team(OWN)).service().get_team(&actor, TEAM).await;
            assert_eq!(seen.expect("a team"), a_team(OWN));
        }
    }

    #[tokio::test]
    async fn others_of_the_organization_may_not_and_outsiders_see_nothing() {
        for (organization, kind) in [(OWN, ErrorKind::Forbidden), (FOREIGN, ErrorKind::NotFound)] {
            let service = Fixture::holding(a_team(organization)).service();
            let refused = service.get_team(&member_of(OWN, false), TEAM).await.expect_err("refused");
            assert_eq!(refused.kind(), kind);
        }
    }

    #[tokio::test]
    async fn a_deleted_team_is_gone_even_for_staff() {
        let mut team = a_team(OWN);
        team.delete(Fixture::default().clock.now());
        let refused = Fixture::holding(team).service().get_team(&staff(StaffRole::Admin), TEAM).await;
        assert_eq!(refused.expect_err("gone").kind(), ErrorKind::NotFound);
    }
}
