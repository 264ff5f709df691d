use domain_kernel::{Actor, OrgId, Permission, Refusal, Scope};

use crate::{OrgError, OrgService, Organization};

impl OrgService {
    /// An organization with all of its settings, for staff.
    pub async fn get_organization(&self, actor: &Actor, id: OrgId) -> Result<Organization, OrgError> {
        actor.require(Permission::OrganizationRead, Scope::Organization(id))?;
        self.organizations.find(id).await?.ok_or_else(|| Refusal::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use crate::tests::{Fixture, OWN, an_organization};

    #[tokio::test]
    async fn staff_reads_what_is_there() {
        for found in [Some(an_organization()), None] {
            let mut fixture = Fixture::default();
            let stored = found.clone();
            fixture.organizations.expect_find().return_once(|_| Ok(stored));
            let read = fixture.service().get_organization(&staff(StaffRole::Employee), OWN).await;
            match found {
                Some(organization) => assert_eq!(read.expect("reads"), organization),
                None => assert_eq!(read.expect_err("none there").kind(), ErrorKind::NotFound),
            }
        }
    }

    #[tokio::test]
    async fn customers_may_not() {
        let refused = Fixture::default().service().get_organization(&member_of(OWN, true), OWN).await;
        assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
    }
}
