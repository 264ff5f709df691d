use domain_kernel::{Actor, MembershipId, Refusal, TeamId};

use crate::{TeamAdmin, TeamError, TeamService};

impl TeamService {
    /// Takes a membership's say in a team; it stays a member of the organization. Gives who it was.
    pub async fn remove_team_admin(
        &self,
        actor: &Actor,
        id: TeamId,
        membership: MembershipId,
    ) -> Result<TeamAdmin, TeamError> {
        let team = self.managed_team(actor, id).await?;
        let audit = self.admin_audit(actor, "team_admin.remove", &team, membership);
        let removed = self.teams.remove_admin(id, membership, audit).await?;
        removed.ok_or_else(|| Refusal::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::member_of;
    use domain_kernel::{DomainError, ErrorKind};

    use crate::tests::{Fixture, OWN, TEAM, a_team, an_admin};

    #[tokio::test]
    async fn removing_somebody_who_does_not_run_the_team_is_not_found() {
        for (removed, kind) in [(Some(an_admin()), None), (None, Some(ErrorKind::NotFound))] {
            let mut fixture = Fixture::holding(a_team(OWN));
            fixture.teams.expect_remove_admin().return_once(move |_, _, _| Ok(removed));
            let service = fixture.service();
            let answer = service.remove_team_admin(&member_of(OWN, true), TEAM, an_admin().membership).await;
            assert_eq!(answer.err().map(|error| error.kind()), kind);
        }
    }
}
