use domain_kernel::{Actor, Page, PageRequest, Permission, Scope};

use crate::ports::MembershipSelection;
use crate::{MembershipError, MembershipService, MembershipView, Reader};

impl MembershipService {
    /// Memberships of all organizations, for staff.
    pub async fn list_memberships(
        &self,
        actor: &Actor,
        selection: MembershipSelection,
        page: PageRequest,
    ) -> Result<Page<(MembershipView, Reader)>, MembershipError> {
        actor.require(Permission::MembershipRead, Scope::Platform)?;
        let (page, now) = (self.queries.list(selection, page).await?, self.clock.now());
        Ok(page.map(|view| {
            let reader = view.membership.admin_reader(actor);
            (view.at(now), reader)
        }))
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, StaffRole};

    use super::*;
    use crate::tests::{Fixture, ORG, a_view};

    const PAGE: PageRequest = PageRequest { offset: 0, limit: 25 };

    #[tokio::test]
    async fn staff_reads_those_of_all_organizations_and_who_only_reads_gets_no_further_by_it() {
        for (role, reader) in [(StaffRole::Employee, Reader::Lead), (StaffRole::Admin, Reader::Admin)] {
            let mut fixture = Fixture::default();
            let wanted =
                MembershipSelection { organizations: Some(vec![ORG]), ..MembershipSelection::default() };
            let asked = wanted.clone();
            let page = Page { items: vec![a_view()], total: 1 };
            fixture
                .queries
                .expect_list()
                .withf(move |selection, page| *selection == asked && *page == PAGE)
                .return_once(|_, _| Ok(page));
            let listed = fixture.service().list_memberships(&staff(role), wanted, PAGE).await.expect("lists");
            assert_eq!(listed.items, [(a_view(), reader)]);
        }
    }

    #[tokio::test]
    async fn customers_may_not() {
        let service = Fixture::default().service();
        let all = MembershipSelection::default();
        let refused = service.list_memberships(&member_of(ORG, true), all, PAGE).await;
        assert_eq!(refused.expect_err("refused").code(), "staff_only");
    }
}
