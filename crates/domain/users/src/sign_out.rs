use domain_kernel::SessionId;

use crate::{UserError, UserService};

impl UserService {
    /// Ends one session. The user's other devices stay signed in.
    pub async fn sign_out(&self, session: SessionId) -> Result<(), UserError> {
        self.ports.sessions.delete(session).await
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{Fixture, a_session};

    #[tokio::test]
    async fn only_the_presented_session_ends() {
        let mut fixture = Fixture::default();
        fixture.sessions.expect_delete().withf(|id| *id == a_session().id).times(1).return_once(|_| Ok(()));
        assert!(fixture.service().sign_out(a_session().id).await.is_ok());
    }
}
