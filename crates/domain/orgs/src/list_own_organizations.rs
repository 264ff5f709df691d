use domain_kernel::{Actor, Page, PageRequest};

use crate::{OrgError, OrgService, Organization};

impl OrgService {
    /// The organizations that the actor is an active member of, by name. Anybody signed in has some, if only none.
    pub async fn list_own_organizations(
        &self,
        actor: &Actor,
        page: PageRequest,
    ) -> Result<Page<Organization>, OrgError> {
        let own = actor.memberships.iter().map(|membership| membership.organization).collect();
        self.organizations.list_by_ids(own, page).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, nobody};

    use super::*;
    use crate::tests::{Fixture, OWN, an_organization};

    #[tokio::test]
    async fn only_the_own_ones_are_asked_for() {
        for (actor, asked) in [(member_of(OWN, false), vec![OWN]), (nobody(), vec![])] {
            let mut fixture = Fixture::default();
            let page = Page { items: vec![an_organization()], total: 1 };
            fixture
                .organizations
                .expect_list_by_ids()
                .withf(move |ids, _| *ids == asked)
                .return_once(|_, _| Ok(page));
            let all = PageRequest { offset: 0, limit: 1000 };
            assert!(fixture.service().list_own_organizations(&actor, all).await.is_ok());
        }
    }
}
