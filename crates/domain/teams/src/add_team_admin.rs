use domain_kernel::{Actor, AuditEntry, AuditSubject, MembershipId, Permission, Refusal, Scope, TeamId};
use serde_json::json;

use crate::{Team, TeamAdmin, TeamError, TeamService};

/// What became of a new admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddedAdmin {
    /// They run the team from now on.
    Added(TeamAdmin),
    /// They ran it already.
    AlreadyThere(TeamAdmin),
}

impl TeamService {
    /// Lets a membership of the team's organization run the team. Doing it again changes nothing.
    pub async fn add_team_admin(
        &self,
        actor: &Actor,
        id: TeamId,
        membership: MembershipId,
    ) -> Result<AddedAdmin, TeamError> {
        let team = self.managed_team(actor, id).await?;
        let audit = self.admin_audit(actor, "team_admin.add", &team, membership);
        self.teams.add_admin(id, membership, self.clock.now(), audit).await
    }

    /// The team, if the actor may say who runs it.
    pub(crate) async fn managed_team(&self, actor: &Actor, id: TeamId) -> Result<Team, TeamError> {
        let found = self.queries.find(id).await?.filter(Team::is_live);
        let team = found.ok_or(Refusal::NotFound)?;
        actor.require(Permission::TeamAdminManage, Scope::Team(team.organization, team.id))?;
        Ok(team)
    }

    pub(crate) fn admin_audit(
        &self,
        actor: &Actor,
        action: &'static str,
        team: &Team,
        membership: MembershipId,
    ) -> AuditEntry {
        let subject = AuditSubject::Team(team.id);
        actor
            .audit(self.ids.next(), self.clock.now(), action, Some(team.organization), subject)
            .after(json!({ "membership_id": membership.to_string() }))
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::member_of;
    use domain_kernel::{DomainError, ErrorKind};

    use super::*;
    use crate::tests::{FOREIGN, Fixture, OWN, TEAM, a_team, an_admin, on_the_team};

    #[tokio::test]
    async fn an_org_admin_makes_somebody_run_a_team() {
        let mut fixture = Fixture::holding(a_team(OWN));
        fixture
            .teams
            .expect_add_admin()
            .withf(|_, _, _, audit| audit.action == "team_admin.add")
            .return_once(|_, _, _, _| Ok(AddedAdmin::Added(an_admin())));
        let added =
            fixture.service().add_team_admin(&member_of(OWN, true), TEAM, an_admin().membership).await;
        assert_eq!(added.expect("adds"), AddedAdmin::Added(an_admin()));
    }

    #[tokio::test]
    async fn a_lead_may_not_and_outsiders_see_nothing() {
        for (actor, organization, kind) in [
            (on_the_team(true), OWN, ErrorKind::Forbidden),
            (member_of(OWN, true), FOREIGN, ErrorKind::NotFound),
        ] {
            let service = Fixture::holding(a_team(organization)).service();
            let refused = service.add_team_admin(&actor, TEAM, an_admin().membership).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
