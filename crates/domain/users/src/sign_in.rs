use domain_kernel::{Budget, Origin};

use crate::change_password::account_key;
use crate::{Account, Device, Login, Password, SessionKeys, UserError, UserService};

/// A try to sign in.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// Who they say they are; none when no user could be called so.
    pub login: Option<Login>,
    /// What they say the password is; none when it could not be anybody's.
    pub password: Option<Password>,
    /// The device.
    pub device: Device,
    /// Where the request came from.
    pub origin: Origin,
}

impl UserService {
    /// Checks name and password and opens a session.
    ///
    /// Unknown names, wrong passwords and locked accounts get the same answer after the same work. Failed tries count
    /// against the account and against the address; successful ones against neither.
    pub async fn sign_in(&self, command: SignIn) -> Result<(Account, SessionKeys), UserError> {
        let address = command.origin.throttle_key();
        let throttle = &self.ports.throttle;
        throttle.check(Budget::SignInFailuresOfAddress, &address)?;

        let stored = match &command.login {
            Some(login) => self.ports.users.find_credentials(login).await?,
            None => None,
        };
        // Unknown names are counted just as accounts are. A name that nobody could have is no account's, so it has no
        // budget that others would share.
        let account = match (&stored, &command.login) {
            (Some(credentials), _) => Some(account_key(credentials.user)),
            (None, Some(login)) => Some(format!("name:{}", login.name)),
            (None, None) => None,
        };
        let stored = stored.filter(|credentials| credentials.is_active);
        let hash = stored.as_ref().and_then(|credentials| credentials.password_hash.clone());
        let guess = match &account {
            Some(account) => self.guess(account, command.password, hash).await,
            None => Ok(false),
        };
        if matches!(guess, Ok(false)) {
            throttle.record(Budget::SignInFailuresOfAddress, &address)?;
        }
        let stored = stored.filter(|_| matches!(guess, Ok(true)));
        guess?;
        let stored = stored.ok_or(UserError::InvalidCredentials)?;

        let (session, token) = self.new_session(stored.user, command.device, self.now());
        let account = self.ports.sessions.open(session.clone(), self.policy.sessions.limit).await?;
        let keys = Self::keys(&session, token, &account);
        Ok((account, keys))
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::UserId;

    use super::*;
    use crate::ports::StoredCredentials;
    use crate::tests::{Fixture, a_user, an_account};
    use crate::{PasswordHash, Provider};

    fn command() -> SignIn {
        SignIn {
            login: Login::parse("workleteuser", Some(Provider::Username)),
            password: Password::parse("worklete123").ok(),
            device: Device::default(),
            origin: Origin::default(),
        }
    }

    fn stored(is_active: bool) -> StoredCredentials {
        let user: UserId = a_user().id;
        StoredCredentials { user, password_hash: Some(PasswordHash::new("hash".into())), is_active }
    }

    #[tokio::test]
    async fn the_right_password_opens_a_session_and_clears_the_failures() {
        let mut fixture = Fixture::default();
        fixture.users.expect_find_credentials().return_once(|_| Ok(Some(stored(true))));
        fixture.hasher.expect_verify().withf(|_, hash| hash.is_some()).return_once(|_, _| Ok(true));
        fixture
            .sessions
            .expect_open()
            .withf(|s, limit| s.user == a_user().id && *limit == 10)
            .return_once(|_, _| Ok(an_account()));
        let throttle = fixture.throttle.clone();
        let (_, keys) = fixture.service().sign_in(command()).await.expect("signs in");
        assert_eq!(keys.token.reveal().len(), 43);
        assert_eq!(throttle.cleared.lock().expect("lock").len(), 1);
        assert_eq!(throttle.recorded.lock().expect("lock").len(), 0, "successful sign-ins never count");
    }

    #[tokio::test]
    async fn unknown_wrong_and_locked_cost_the_same_hash_and_say_the_same() {
        for (found, fits) in [(None, false), (Some(stored(true)), false), (Some(stored(false)), false)] {
            let mut fixture = Fixture::default();
            fixture.users.expect_find_credentials().return_once(move |_| Ok(found));
            fixture.hasher.expect_verify().times(1).return_once(move |_, _| Ok(fits));
            let throttle = fixture.throttle.clone();
            let refused = fixture.service().sign_in(command()).await.expect_err("refused");
            assert!(matches!(refused, UserError::InvalidCredentials));
            assert_eq!(throttle.recorded.lock().expect("lock").len(), 2);
        }
    }

    #[tokio::test]
    async fn a_locked_account_is_checked_against_no_hash() {
        let mut fixture = Fixture::default();
        fixture.users.expect_find_credentials().return_once(|_| Ok(Some(stored(false))));
        fixture.hasher.expect_verify().withf(|_, hash| hash.is_none()).return_once(|_, _| Ok(false));
        assert!(fixture.service().sign_in(command()).await.is_err());
    }

    #[tokio::test]
    async fn no_password_is_checked_for_a_throttled_account_or_address() {
        for budget in [Budget::SignInFailuresOfAccount, Budget::SignInFailuresOfAddress] {
            let mut fixture = Fixture::with_used_up(budget);
            fixture.users.expect_find_credentials().returning(|_| Ok(Some(stored(true))));
            let refused = fixture.service().sign_in(command()).await.expect_err("throttled");
            assert!(matches!(refused, UserError::Throttled(wait) if wait.seconds == 30));
        }
    }
}
