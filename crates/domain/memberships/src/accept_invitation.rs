use domain_kernel::{Actor, Budget, InviteCode};

use crate::{MembershipError, MembershipService, MembershipView};

impl MembershipService {
    /// Takes a membership in another organization with an account one has already. Wrong codes are counted per address.
    pub async fn accept_invitation(
        &self,
        actor: &Actor,
        code: &InviteCode,
    ) -> Result<MembershipView, MembershipError> {
        let address = actor.origin.throttle_key();
        self.throttle.check(Budget::WrongInviteCodesOfAddress, &address)?;
        let now = self.clock.now();
        let accepted = self.memberships.accept(code, actor.user, now).await;
        if let Err(MembershipError::InvitationNotUsable) = accepted {
            self.throttle.record(Budget::WrongInviteCodesOfAddress, &address)?;
        }
        accepted.map(|view| view.at(now))
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::nobody;

    use super::*;
    use crate::tests::{Fixture, a_code};

    #[tokio::test]
    async fn only_codes_that_cannot_be_used_are_counted() {
        for (error, counted) in
            [(MembershipError::InvitationNotUsable, 1), (MembershipError::AlreadyMember, 0)]
        {
            let mut fixture = Fixture::default();
            fixture.memberships.expect_accept().return_once(move |_, _, _| Err(error));
            let throttle = fixture.throttle.clone();
            assert!(fixture.service().accept_invitation(&nobody(), &a_code()).await.is_err());
            assert_eq!(throttle.recorded.lock().expect("lock").len(), counted);
        }
    }
}
