use domain_kernel::{Actor, OrgId, Permission, Refusal, Scope, TeamId};

use crate::{Team, TeamError, TeamService};

impl TeamService {
    /// A live team of an organization, for those who are on it or above it.
    pub async fn get_organization_team(
        &self,
        actor: &Actor,
        organization: OrgId,
        id: TeamId,
    ) -> Result<Team, TeamError> {
        actor.require(Permission::TeamRead, Scope::Team(organization, id))?;
        let found = self.queries.find(id).await?;
        let found = found.filter(|team| team.is_live() && team.organization == organization);
        found.ok_or_else(|| Refusal::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{Clock, DomainError, ErrorKind, StaffRole};

    use crate::tests::{FOREIGN, Fixture, OWN, TEAM, a_team};

    #[tokio::test]
    async fn staff_reads_a_live_team_below_its_own_organization_only() {
        let mut deleted = a_team(OWN);
        deleted.delete(Fixture::default().clock.now());
        for (stored, is_there) in [(a_team(OWN), true), (a_team(FOREIGN), false), (deleted, false)] {
            let service = Fixture::holding(stored).service();
            let read = service.get_organization_team(&staff(StaffRole::Employee), OWN, TEAM).await;
            match read {
                Ok(team) => assert!(is_there, "{team:?}"),
                Err(refused) => assert_eq!((is_there, refused.kind()), (false, ErrorKind::NotFound)),
            }
        }
    }

    #[tokio::test]
    async fn others_of_the_organization_may_not_and_outsiders_see_nothing() {
        for (organization, kind) in [(OWN, ErrorKind::Forbidden), (FOREIGN, ErrorKind::NotFound)] {
            let service = Fixture::default().service();
            let refused = service.get_organization_team(&member_of(OWN, false), organization, TEAM).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
