use domain_kernel::UserId;

use crate::{UserError, UserService};

impl UserService {
    /// Deletes the own account: all sessions end at once, memberships are deactivated, and after a hold the personal
    /// fields are erased. Training records stay, without a name.
    ///
    /// Refused to the last admin of an organization.
    pub async fn delete_account(&self, user: UserId) -> Result<(), UserError> {
        self.ports.users.delete(user, self.now()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Fixture, a_user};

    #[tokio::test]
    async fn the_last_admin_cannot_leave() {
        let mut fixture = Fixture::default();
        fixture.users.expect_delete().return_once(|_, _| Err(UserError::LastOrgAdmin));
        let refused = fixture.service().delete_account(a_user().id).await;
        assert!(matches!(refused, Err(UserError::LastOrgAdmin)));
    }
}
