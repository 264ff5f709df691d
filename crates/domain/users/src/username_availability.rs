use domain_kernel::{Budget, Origin};

use crate::{UserError, UserService, Username};

impl UserService {
    /// Whether nobody has this name yet, case ignored. Throttled per address, since the answer tells who has an account.
    pub async fn username_availability(
        &self,
        username: &Username,
        origin: &Origin,
    ) -> Result<bool, UserError> {
        self.ports.throttle.record(Budget::UsernameLookupsOfAddress, &origin.throttle_key())?;
        Ok(!self.ports.users.exists_username(username).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provider;
    use crate::tests::Fixture;

    #[tokio::test]
    async fn a_name_is_available_when_nobody_has_it() {
        let name = Username::parse("workleteuser", Provider::Username).expect("a name");
        let mut fixture = Fixture::default();
        fixture.users.expect_exists_username().return_once(|_| Ok(false));
        let available = fixture.service().username_availability(&name, &Origin::default()).await;
        assert!(available.expect("answers"));

        let throttled = Fixture::with_used_up(Budget::UsernameLookupsOfAddress).service();
        let refused = throttled.username_availability(&name, &Origin::default()).await;
        assert!(matches!(refused, Err(UserError::Throttled(_))));
    }
}
