use domain_kernel::{Actor, OrgId, Page, PageRequest, Permission, Refusal, Scope};

use crate::{Team, TeamError, TeamService};

impl TeamService {
    /// The live teams of an organization by name, for its members and for staff.
    pub async fn list_teams(
        &self,
        actor: &Actor,
        organization: OrgId,
        page: PageRequest,
    ) -> Result<Page<Team>, TeamError> {
        actor.require(Permission::TeamList, Scope::Organization(organization))?;
        let found = self.queries.list_of_organization(organization, page).await?;
        found.ok_or_else(|| Refusal::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::tests::{FOREIGN, Fixture, OWN, a_team};

    const PAGE: PageRequest = PageRequest { offset: 0, limit: 25 };

    #[tokio::test]
    async fn a_member_sees_the_teams_of_the_own_organization_only() {
        let mut fixture = Fixture::default();
        let page = Page { items: vec![a_team(OWN)], total: 1 };
        fixture.queries.expect_list_of_organization().return_once(move |_, _| Ok(Some(page)));
        let seen = fixture.service().list_teams(&member_of(OWN, false), OWN, PAGE).await.expect("a page");
        assert_eq!(seen.items, [a_team(OWN)]);

        let refused = Fixture::default().service().list_teams(&member_of(OWN, true), FOREIGN, PAGE).await;
        assert_eq!(refused.expect_err("refused").kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn an_organization_that_does_not_exist_is_not_found_for_staff() {
        let mut fixture = Fixture::default();
        fixture.queries.expect_list_of_organization().return_once(|_, _| Ok(None));
        let refused = fixture.service().list_teams(&staff(StaffRole::Employee), OWN, PAGE).await;
        assert_eq!(refused.expect_err("none there").kind(), ErrorKind::NotFound);
    }
}
