use domain_kernel::{Actor, Page, PageRequest, Permission, Refusal, Scope, TeamId};

use crate::{Refinement, TeamError, TeamService};

impl TeamService {
    /// The refinements of a team, the latest first, for its champions, those who run it and staff.
    pub async fn list_refinements(
        &self,
        actor: &Actor,
        team: TeamId,
        page: PageRequest,
    ) -> Result<Page<Refinement>, TeamError> {
        let found = self.refinements.list(team, page).await?;
        let (organization, refinements) = found.ok_or(Refusal::NotFound)?;
        actor.require(Permission::RefinementRead, Scope::Team(organization, team))?;
        Ok(refinements)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, OrgId, StaffRole};

    use super::*;
    use crate::tests::{FOREIGN, Fixture, OWN, TEAM, a_champion, a_refinement, on_the_team};

    const ALL: PageRequest = PageRequest { offset: 0, limit: 1000 };

    fn holding(organization: OrgId) -> TeamService {
        let mut fixture = Fixture::default();
        let page = Page { items: vec![a_refinement(organization)], total: 1 };
        fixture.refinements.expect_list().return_once(move |_, _| Ok(Some((organization, page))));
        fixture.service()
    }

    #[tokio::test]
    async fn champions_those_who_run_the_team_and_staff_see_them() {
        for actor in [a_champion(), on_the_team(true), member_of(OWN, true), staff(StaffRole::Employee)] {
            let seen = holding(OWN).list_refinements(&actor, TEAM, ALL).await;
            assert_eq!(seen.expect("a page").items, [a_refinement(OWN)]);
        }
    }

    #[tokio::test]
    async fn others_of_the_organization_may_not_and_outsiders_see_nothing() {
        let elsewhere = domain_kernel::Actor { is_champion: true, ..member_of(OWN, false) };
        for (actor, organization, kind) in [
            (on_the_team(false), OWN, ErrorKind::Forbidden),
            (elsewhere, OWN, ErrorKind::Forbidden),
            (a_champion(), FOREIGN, ErrorKind::NotFound),
        ] {
            let refused = holding(organization).list_refinements(&actor, TEAM, ALL).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
