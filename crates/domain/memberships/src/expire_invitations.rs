use crate::{MembershipError, MembershipService};

impl MembershipService {
    /// Stamps invitations whose time is over, for lists and reports; using a code never depends on it.
    pub async fn expire_invitations(&self) -> Result<u64, MembershipError> {
        self.memberships.expire_invitations(self.clock.now()).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::Clock;

    use crate::tests::Fixture;

    #[tokio::test]
    async fn expiry_is_judged_by_the_clock_of_the_domain() {
        let mut fixture = Fixture::default();
        let now = fixture.clock.now();
        fixture.memberships.expect_expire_invitations().withf(move |at| *at == now).return_once(|_| Ok(4));
        assert_eq!(fixture.service().expire_invitations().await.expect("runs"), 4);
    }
}
