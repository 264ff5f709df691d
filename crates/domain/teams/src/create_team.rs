use domain_kernel::{Actor, AuditSubject, OrgId, Permission, Scope, TeamId};
use serde_json::json;

use crate::{Team, TeamError, TeamName, TeamService};

/// What is needed to open a team.
#[derive(Debug, Clone)]
pub struct CreateTeam {
    /// In which organization.
    pub organization: OrgId,
    /// Its name.
    pub name: TeamName,
}

impl TeamService {
    /// Opens a team without members.
    pub async fn create_team(&self, actor: &Actor, command: CreateTeam) -> Result<Team, TeamError> {
        actor.require(Permission::TeamCreate, Scope::Organization(command.organization))?;
        let (id, now) = (TeamId::new(self.ids.next()), self.clock.now());
        let team = Team::new(id, command.organization, command.name, now);
        let audit = actor
            .audit(self.ids.next(), now, "team.create", Some(team.organization), AuditSubject::Team(id))
            .after(json!({ "name": team.name.as_str() }));
        self.teams.insert(team.clone(), audit).await?;
        Ok(team)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::member_of;
    use domain_kernel::{DomainError, ErrorKind};

    use super::*;
    use crate::tests::{FOREIGN, Fixture, OWN};

    fn command(organization: OrgId) -> CreateTeam {
        CreateTeam { organization, name: TeamName::parse("Night shift").expect("a name") }
    }

    #[tokio::test]
    async fn an_org_admin_opens_a_team() {
        let mut fixture = Fixture::default();
        fixture
            .teams
            .expect_insert()
            .withf(|_, audit| audit.action == "team.create")
            .return_once(|_, _| Ok(()));
        let team = fixture.service().create_team(&member_of(OWN, true), command(OWN)).await.expect("opens");
        assert_eq!((team.organization, team.memberships_count), (OWN, 0));
    }

    #[tokio::test]
    async fn members_may_not_and_outsiders_see_nothing() {
        for (organization, kind) in [(OWN, ErrorKind::Forbidden), (FOREIGN, ErrorKind::NotFound)] {
            let service = Fixture::default().service();
            let refused = service.create_team(&member_of(OWN, false), command(organization)).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
