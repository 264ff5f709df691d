use domain_kernel::{Actor, InvitationId, Page, PageRequest, Permission, Refusal, Scope};

use crate::ports::InvitationSelection;
use crate::{InvitationDetails, MembershipError, MembershipService, Reader};

impl MembershipService {
    /// Invitations of all organizations, for staff.
    pub async fn list_all_invitations(
        &self,
        actor: &Actor,
        selection: InvitationSelection,
        page: PageRequest,
    ) -> Result<Page<(InvitationDetails, Reader)>, MembershipError> {
        actor.require(Permission::MembershipRead, Scope::Platform)?;
        let (page, now) = (self.invitations.list(selection, page).await?, self.clock.now());
        Ok(page.map(|details| {
            let reader = Reader::above(actor, details.invitation.organization);
            (details.at(now), reader)
        }))
    }

    /// An invitation of whatever organization, for staff.
    pub async fn get_invitation(
        &self,
        actor: &Actor,
        id: InvitationId,
    ) -> Result<(InvitationDetails, Reader), MembershipError> {
        actor.require(Permission::MembershipRead, Scope::Platform)?;
        let details = self.invitations.find(id).await?.ok_or(Refusal::NotFound)?;
        let reader = Reader::above(actor, details.invitation.organization);
        Ok((details.at(self.clock.now()), reader))
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::InvitationStatus;
    use crate::tests::{Fixture, ORG, an_invitation, details};

    const PAGE: PageRequest = PageRequest { offset: 0, limit: 25 };

    #[tokio::test]
    async fn staff_reads_those_of_all_organizations_as_they_stand_now() {
        for (role, reader) in [(StaffRole::Employee, Reader::Lead), (StaffRole::Admin, Reader::Admin)] {
            let mut fixture = Fixture::default();
            let mut stored = details();
            stored.invitation.expires_at = stored.invitation.created_at;
            let (found, page) = (stored.clone(), Page { items: vec![stored], total: 1 });
            fixture.invitations.expect_find().return_once(|_| Ok(Some(found)));
            fixture.invitations.expect_list().return_once(|_, _| Ok(page));
            let (service, actor) = (fixture.service(), staff(role));
            let all = InvitationSelection::default();
            let mut seen = service.list_all_invitations(&actor, all, PAGE).await.expect("lists").items;
            seen.push(service.get_invitation(&actor, an_invitation().id).await.expect("reads"));
            let seen: Vec<_> =
                seen.iter().map(|(details, reader)| (details.invitation.status, *reader)).collect();
            assert_eq!(seen, [(InvitationStatus::Expired, reader); 2]);
        }
    }

    #[tokio::test]
    async fn an_unknown_one_is_not_found_and_customers_may_not() {
        let mut fixture = Fixture::default();
        fixture.invitations.expect_find().return_once(|_| Ok(None));
        let id = an_invitation().id;
        let unknown = fixture.service().get_invitation(&staff(StaffRole::Employee), id).await;
        assert_eq!(unknown.expect_err("none there").kind(), ErrorKind::NotFound);

        let (service, customer) = (Fixture::default().service(), member_of(ORG, true));
        let read = service.get_invitation(&customer, id).await.expect_err("refused");
        let all = InvitationSelection::default();
        let listed = service.list_all_invitations(&customer, all, PAGE).await.expect_err("refused");
        assert_eq!((read.code(), listed.code()), ("staff_only", "staff_only"));
    }
}
