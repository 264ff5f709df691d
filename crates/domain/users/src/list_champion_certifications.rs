use domain_kernel::{Actor, Page, PageRequest, Permission, Scope};

use crate::ports::CertificationFilter;
use crate::{ChampionCertification, UserError, UserService};

impl UserService {
    /// The certifications that pass the filter, the latest first, revoked and expired ones too. For staff.
    pub async fn list_champion_certifications(
        &self,
        actor: &Actor,
        filter: CertificationFilter,
        page: PageRequest,
    ) -> Result<Page<ChampionCertification>, UserError> {
        actor.require(Permission::CertificationRead, Scope::Platform)?;
        self.ports.champions.list(filter, page).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, OrgId, StaffRole};
    use uuid::Uuid;

    use super::*;
    use crate::tests::Fixture;

    const PAGE: PageRequest = PageRequest { offset: 0, limit: 25 };

    #[tokio::test]
    async fn staff_reads_and_nobody_else() {
        let organization = OrgId::new(Uuid::from_u128(1));
        let filter = CertificationFilter { user: None, organization: Some(organization) };
        let mut fixture = Fixture::default();
        fixture
            .champions
            .expect_list()
            .withf(move |asked, page| *asked == filter && *page == PAGE)
            .return_once(|_, _| Ok(Page { items: vec![], total: 0 }));
        let reader = staff(StaffRole::Employee);
        assert!(fixture.service().list_champion_certifications(&reader, filter, PAGE).await.is_ok());

        let service = Fixture::default().service();
        let admin = member_of(organization, true);
        let refused = service.list_champion_certifications(&admin, filter, PAGE).await;
        assert_eq!(refused.expect_err("refused").code(), "staff_only");
    }
}
