use domain_kernel::{Budget, FieldErrors, SessionId, UserId};

use crate::ports::{PasswordGround, PasswordUpdate};
use crate::{Account, Password, PasswordHash, UserError, UserService};

/// A new password for the signed-in person.
#[derive(Debug, Clone)]
pub struct ChangePassword {
    /// Whose.
    pub user: UserId,
    /// The session that asks; the only one that stays.
    pub session: SessionId,
    /// The new password.
    pub password: Password,
    /// The old one, checked when it is sent. `Some(None)` is a text that could be nobody's password.
    pub current_password: Option<Option<Password>>,
}

impl UserService {
    /// Changes the password and ends all other sessions of the user in the same transaction.
    pub async fn change_password(&self, command: ChangePassword) -> Result<Account, UserError> {
        if let Some(current) = command.current_password {
            self.check_current_password(command.user, current).await?;
        }
        let ground = PasswordGround::Session(command.session);
        let update = self.new_password(command.user, command.password, ground).await?;
        self.ports.users.update_password(update).await
    }

    pub(crate) async fn new_password(
        &self,
        user: UserId,
        password: Password,
        ground: PasswordGround,
    ) -> Result<PasswordUpdate, UserError> {
        self.ports.throttle.record(Budget::PasswordChangesOfAccount, &account_key(user))?;
        let password_hash = self.ports.hasher.hash(password).await?;
        Ok(PasswordUpdate { user, password_hash, at: self.now(), ground })
    }

    /// Fails, naming `current_password`, unless it is the user's. Wrong ones count like failed sign-ins, so that a session
    /// that was left open is no way to find out the password.
    pub(crate) async fn check_current_password(
        &self,
        user: UserId,
        current: Option<Password>,
    ) -> Result<(), UserError> {
        let stored = self.ports.users.find_credentials_by_id(user).await?;
        let hash = stored.and_then(|credentials| credentials.password_hash);
        if self.guess(&account_key(user), current, hash).await? {
            return Ok(());
        }
        Err(FieldErrors::of("current_password", "invalid", "is invalid").into())
    }

    /// Whether a password is the right one, with the budget of the account: the one way to check a password.
    pub(crate) async fn guess(
        &self,
        account: &str,
        password: Option<Password>,
        hash: Option<PasswordHash>,
    ) -> Result<bool, UserError> {
        let throttle = &self.ports.throttle;
        throttle.check(Budget::SignInFailuresOfAccount, account)?;
        let fits = match password {
            Some(password) => self.ports.hasher.verify(password, hash).await?,
            None => false,
        };
        if fits {
            // Tries made in parallel all pass the first check; what comes in after the last allowed failure learns nothing.
            throttle.check(Budget::SignInFailuresOfAccount, account)?;
            throttle.clear(Budget::SignInFailuresOfAccount, account);
        } else {
            throttle.record(Budget::SignInFailuresOfAccount, account)?;
        }
        Ok(fits)
    }
}

/// What the budgets of an account are counted by, whichever of its names is typed.
pub(crate) fn account_key(user: UserId) -> String {
    format!("id:{user}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Fixture, a_session, a_user, an_account};

    fn command() -> ChangePassword {
        ChangePassword {
            user: a_user().id,
            session: a_session().id,
            password: Password::parse("worklete456").expect("a password"),
            current_password: None,
        }
    }

    #[tokio::test]
    async fn the_presented_session_is_the_one_that_stays() {
        let mut fixture = Fixture::default();
        let keeps = |update: &PasswordUpdate| update.ground == PasswordGround::Session(a_session().id);
        fixture.users.expect_update_password().withf(keeps).return_once(|_| Ok(an_account()));
        assert!(fixture.hashing().service().change_password(command()).await.is_ok());
    }

    #[tokio::test]
    async fn a_current_password_that_is_sent_must_be_right() {
        for current in [Password::parse("wrong-one").ok(), None] {
            let mut fixture = Fixture::default();
            fixture.users.expect_find_credentials_by_id().return_once(|_| Ok(None));
            fixture.hasher.expect_verify().returning(|_, _| Ok(false));
            let command = ChangePassword { current_password: Some(current), ..command() };
            let throttle = fixture.throttle.clone();
            let refused = fixture.service().change_password(command).await;
            assert!(matches!(refused, Err(UserError::Invalid(_))));
            assert_eq!(throttle.recorded.lock().expect("lock").len(), 1, "counted like a failed sign-in");
        }
    }
}
