use domain_kernel::{Actor, Page, PageRequest, Permission, Scope};

use crate::{OrgError, OrgService, Organization};

impl OrgService {
    /// All organizations by name, for staff.
    pub async fn list_organizations(
        &self,
        actor: &Actor,
        page: PageRequest,
    ) -> Result<Page<Organization>, OrgError> {
        actor.require(Permission::OrganizationRead, Scope::Platform)?;
        self.organizations.list(page).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, StaffRole};

    use super::*;
    use crate::tests::{Fixture, OWN, an_organization};

    const PAGE: PageRequest = PageRequest { offset: 0, limit: 25 };

    #[tokio::test]
    async fn staff_sees_all_and_customers_may_not() {
        let mut fixture = Fixture::default();
        let page = Page { items: vec![an_organization()], total: 1 };
        fixture.organizations.expect_list().return_once(|_| Ok(page));
        let listed = fixture.service().list_organizations(&staff(StaffRole::Employee), PAGE).await;
        assert_eq!(listed.expect("lists").items, [an_organization()]);

        let refused = Fixture::default().service().list_organizations(&member_of(OWN, true), PAGE).await;
        assert_eq!(refused.expect_err("refused").code(), "staff_only");
    }
}
