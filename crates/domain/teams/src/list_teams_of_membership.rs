use domain_kernel::{Actor, MembershipId, Page, PageRequest, Permission, Refusal, Scope};

use crate::{Team, TeamError, TeamService};

impl TeamService {
    /// The live teams that a membership is on, for the person, admins of the organization and staff.
    pub async fn list_teams_of_membership(
        &self,
        actor: &Actor,
        membership: MembershipId,
        page: PageRequest,
    ) -> Result<Page<Team>, TeamError> {
        let found = self.queries.list_of_membership(membership, page).await?;
        let (owner, teams) = found.ok_or(Refusal::NotFound)?;
        if owner.user != Some(actor.user) {
            actor.require(Permission::MembershipTeamsRead, Scope::Organization(owner.organization))?;
        }
        Ok(teams)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};
    use uuid::Uuid;

    use super::*;
    use crate::ports::MembershipOwner;
    use crate::tests::{FOREIGN, Fixture, OWN, a_team, on_the_team};

    async fn list(actor: &Actor, owner: MembershipOwner) -> Result<i64, ErrorKind> {
        let mut fixture = Fixture::default();
        let page = Page { items: vec![a_team(owner.organization)], total: 1 };
        fixture.queries.expect_list_of_membership().return_once(move |_, _| Ok(Some((owner, page))));
        let id = MembershipId::new(Uuid::from_u128(4));
        let all = PageRequest { offset: 0, limit: 1000 };
        let listed = fixture.service().list_teams_of_membership(actor, id, all).await;
        listed.map(|page| page.total).map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn the_person_and_those_above_may_and_others_may_not() {
        let others = MembershipOwner { organization: OWN, user: None };
        let person = member_of(OWN, false);
        assert_eq!(list(&person, MembershipOwner { user: Some(person.user), ..others }).await, Ok(1));
        for actor in [member_of(OWN, true), staff(StaffRole::Employee)] {
            assert_eq!(list(&actor, others).await, Ok(1));
        }
        for actor in [member_of(OWN, false), on_the_team(true)] {
            assert_eq!(list(&actor, others).await, Err(ErrorKind::Forbidden));
        }
        let foreign = MembershipOwner { organization: FOREIGN, user: None };
        assert_eq!(list(&member_of(OWN, true), foreign).await, Err(ErrorKind::NotFound));
    }
}
