use crate::{UserError, UserService};

impl UserService {
    /// Erases accounts whose hold is over and forgets sessions that ended long ago. Gives both numbers.
    pub async fn clean_up_accounts(&self) -> Result<(u64, u64), UserError> {
        let now = self.now();
        let erased = self.ports.users.erase_deleted(now - self.policy.erasure_delay, now).await?;
        let purged = self.ports.sessions.purge(now - self.policy.ended_session_retention).await?;
        Ok((erased, purged))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain_kernel::Clock;

    use crate::tests::Fixture;

    #[tokio::test]
    async fn accounts_are_erased_after_thirty_days_and_sessions_forgotten_after_fourteen() {
        let mut fixture = Fixture::default();
        let now = fixture.clock.now();
        fixture
            .users
            .expect_erase_deleted()
            .withf(move |before, _| *before == now - TimeDelta::days(30))
            .return_once(|_, _| Ok(2));
        fixture
            .sessions
            .expect_purge()
            .withf(move |before| *before == now - TimeDelta::days(14))
            .return_once(|_| Ok(3));
        assert_eq!(fixture.service().clean_up_accounts().await.expect("runs"), (2, 3));
    }
}
