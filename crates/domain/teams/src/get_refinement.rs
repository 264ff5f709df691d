use domain_kernel::{Actor, Permission, RefinementId, Refusal, Scope, TeamId};

use crate::{Refinement, TeamError, TeamService};

impl TeamService {
    /// A refinement of a team, for its champions, those who run it and staff.
    pub async fn get_refinement(
        &self,
        actor: &Actor,
        team: TeamId,
        id: RefinementId,
    ) -> Result<Refinement, TeamError> {
        let (organization, found) = self.refinements.find(team, id).await?.ok_or(Refusal::NotFound)?;
        actor.require(Permission::RefinementRead, Scope::Team(organization, team))?;
        found.ok_or_else(|| Refusal::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::staff;
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use crate::tests::{FOREIGN, Fixture, OWN, TEAM, a_champion, a_refinement, on_the_team};

    #[tokio::test]
    async fn who_may_not_is_refused_whether_it_exists_or_not() {
        for (actor, organization, exists, expected) in [
            (a_champion(), OWN, true, None),
            (staff(StaffRole::Employee), FOREIGN, true, None),
            (a_champion(), OWN, false, Some(ErrorKind::NotFound)),
            (on_the_team(false), OWN, true, Some(ErrorKind::Forbidden)),
            (on_the_team(false), OWN, false, Some(ErrorKind::Forbidden)),
            (a_champion(), FOREIGN, true, Some(ErrorKind::NotFound)),
        ] {
            let mut fixture = Fixture::default();
            let found = (organization, exists.then(|| a_refinement(organization)));
            fixture.refinements.expect_find().return_once(move |_, _| Ok(Some(found)));
            let read = fixture.service().get_refinement(&actor, TEAM, a_refinement(OWN).id).await;
            assert_eq!(read.err().map(|error| error.kind()), expected, "{actor:?}");
        }
    }
}
