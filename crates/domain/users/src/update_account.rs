use domain_kernel::{SessionId, UserId};

use crate::ports::{PasswordGround, UserChange};
use crate::{Account, Password, ProfileChange, UserError, UserService};

/// New values for the own account. Some client libraries change the password here, too.
#[derive(Debug, Clone)]
pub struct UpdateAccount {
    /// Whose.
    pub user: UserId,
    /// The session that asks.
    pub session: SessionId,
    /// The profile.
    pub profile: ProfileChange,
    /// The new password.
    pub password: Option<Password>,
    /// The old one, checked when it is sent. `Some(None)` is a text that could be nobody's password.
    pub current_password: Option<Option<Password>>,
}

impl UserService {
    /// Changes name, username, provider and password of the own account.
    ///
    /// A new username is a new `uid`: sessions follow it, and requests under way may carry the old one for a minute.
    pub async fn update_account(&self, command: UpdateAccount) -> Result<Account, UserError> {
        if let Some(current) = command.current_password {
            self.check_current_password(command.user, current).await?;
        }
        let password = match command.password {
            Some(password) => Some(
                self.new_password(command.user, password, PasswordGround::Session(command.session)).await?,
            ),
            None => None,
        };
        let (now, profile) = (self.now(), command.profile);
        let edit = Box::new(move |account: &mut Account| {
            account.user.change_profile(profile, now)?;
            Ok(UserChange::Own)
        });
        let updated = self.ports.users.update(command.user, edit, password).await?;
        updated.map(|(account, _)| account).ok_or(UserError::NotSignedIn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Fixture, a_session, a_user, an_account};

    fn command(username: &str) -> UpdateAccount {
        UpdateAccount {
            user: a_user().id,
            session: a_session().id,
            profile: ProfileChange { username: Some(username.into()), ..ProfileChange::default() },
            password: None,
            current_password: None,
        }
    }

    fn fixture() -> Fixture {
        let mut fixture = Fixture::default();
        fixture.users.expect_update().returning(|_, edit, _| {
            let mut account = an_account();
            edit(&mut account).map(|_| Some((account, true)))
        });
        fixture
    }

    #[tokio::test]
    async fn a_new_username_is_the_new_uid() {
        let account = fixture().service().update_account(command("newname")).await.expect("changes");
        assert_eq!(account.user.uid(), "newname");
    }

    #[tokio::test]
    async fn a_bad_username_is_refused_by_the_entity() {
        assert!(matches!(
            fixture().service().update_account(command("abc")).await,
            Err(UserError::Invalid(_))
        ));
    }

    #[tokio::test]
    async fn a_password_among_the_fields_is_part_of_the_same_write() {
        let mut fixture = Fixture::default();
        let keeps = PasswordGround::Session(a_session().id);
        fixture
            .users
            .expect_update()
            .withf(move |_, _, password| password.as_ref().is_some_and(|update| update.ground == keeps))
            .return_once(|_, _, _| Ok(Some((an_account(), true))));
        let command = UpdateAccount { password: Password::parse("worklete456").ok(), ..command("newname") };
        assert!(fixture.hashing().service().update_account(command).await.is_ok());
    }
}
