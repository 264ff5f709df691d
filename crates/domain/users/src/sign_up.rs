use domain_kernel::{Budget, FieldErrors, InviteCode, Origin, PersonName, UserId};

use crate::ports::Registration;
use crate::{Account, Device, Password, Provider, SessionKeys, User, UserError, UserService, Username};

/// What is needed to open an account.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// The sign-in name.
    pub username: Username,
    /// What kind of name it is.
    pub provider: Provider,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// The password.
    pub password: Password,
    /// The code of the membership to take; needed unless the deployment allows open registration.
    pub invite_code: Option<InviteCode>,
    /// The device, which is signed in at once.
    pub device: Device,
    /// Where the request came from.
    pub origin: Origin,
}

impl UserService {
    /// Opens an account, takes the membership that the invite code names, and signs the device in: one atomic fact.
    pub async fn sign_up(&self, command: SignUp) -> Result<(Account, SessionKeys), UserError> {
        let address = command.origin.throttle_key();
        let throttle = &self.ports.throttle;
        match &command.invite_code {
            None if !self.policy.open_registration => {
                return Err(FieldErrors::of("invite_code", "blank", "can't be blank").into());
            }
            None => throttle.record(Budget::SignUpsOfAddress, &address)?,
            Some(code) => {
                throttle.check(Budget::WrongInviteCodesOfAddress, &address)?;
                throttle.record(Budget::SignUpsOfAddress, &address)?;
                // Checked before the slow hash, so that guessing codes costs the guesser more than the server.
                if !self.ports.users.exists_usable_invitation(code, self.now()).await? {
                    throttle.record(Budget::WrongInviteCodesOfAddress, &address)?;
                    return Err(UserError::InvitationNotUsable);
                }
            }
        }
        if self.ports.users.exists_username(&command.username).await? {
            return Err(UserError::username_taken());
        }
        let password_hash = self.ports.hasher.hash(command.password).await?;
        let now = self.now();
        let id = UserId::new(self.ports.ids.next());
        let names = (command.first_name, command.last_name);
        let mut user = User::new(id, (command.username, command.provider), names, now);
        user.last_sign_in_at = Some(now);
        let (session, token) = self.new_session(user.id, command.device, now);
        let registration =
            Registration { user, password_hash, invite_code: command.invite_code, session: session.clone() };
        let account = self.ports.users.register(registration).await?;
        let keys = Self::keys(&session, token, &account);
        Ok((account, keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Fixture, an_account};

    fn command() -> SignUp {
        SignUp {
            username: Username::parse("workleteuser", Provider::Username).expect("a name"),
            provider: Provider::Username,
            first_name: PersonName::parse("Demo").expect("a name"),
            last_name: PersonName::parse("Learner").expect("a name"),
            password: Password::parse("worklete123").expect("a password"),
            invite_code: InviteCode::parse("289BZP").ok(),
            device: Device::default(),
            origin: Origin::default(),
        }
    }

    #[tokio::test]
    async fn a_good_code_registers_and_signs_in() {
        let mut fixture = Fixture::default();
        fixture.users.expect_exists_usable_invitation().return_once(|_, _| Ok(true));
        fixture.users.expect_exists_username().return_once(|_| Ok(false));
        fixture
            .users
            .expect_register()
            .withf(|r| r.session.user == r.user.id && r.invite_code.is_some())
            .return_once(|registration| Ok(Account { user: registration.user, ..an_account() }));
        let (account, keys) = fixture.hashing().service().sign_up(command()).await.expect("signs up");
        assert_eq!(account.user.uid(), "workleteuser");
        assert_eq!(keys.uid, "workleteuser");
        assert_eq!(keys.expires_at - account.user.created_at, chrono::TimeDelta::days(14));
    }

    #[tokio::test]
    async fn a_wrong_code_is_counted_and_no_password_is_hashed() {
        let mut fixture = Fixture::default();
        fixture.users.expect_exists_usable_invitation().return_once(|_, _| Ok(false));
        let throttle = fixture.throttle.clone();
        let refused = fixture.service().sign_up(command()).await.expect_err("wrong code");
        assert!(matches!(refused, UserError::InvitationNotUsable));
        let recorded: Vec<_> =
            throttle.recorded.lock().expect("lock").iter().map(|(budget, _)| *budget).collect();
        assert_eq!(recorded, [Budget::SignUpsOfAddress, Budget::WrongInviteCodesOfAddress]);
    }

    #[tokio::test]
    async fn after_too_many_wrong_codes_not_even_a_look_up_is_made() {
        let fixture = Fixture::with_used_up(Budget::WrongInviteCodesOfAddress);
        let refused = fixture.service().sign_up(command()).await.expect_err("throttled");
        assert!(matches!(refused, UserError::Throttled(_)));
    }

    #[tokio::test]
    async fn without_a_code_only_an_open_deployment_takes_people() {
        let closed = Fixture::default().service();
        let refused = closed.sign_up(SignUp { invite_code: None, ..command() }).await.expect_err("closed");
        assert!(matches!(refused, UserError::Invalid(_)));

        let mut fixture = Fixture::default();
        fixture.policy.open_registration = true;
        fixture.users.expect_exists_username().return_once(|_| Ok(false));
        fixture.users.expect_register().return_once(|_| Ok(an_account()));
        let open = fixture.hashing().service();
        assert!(open.sign_up(SignUp { invite_code: None, ..command() }).await.is_ok());
    }

    #[tokio::test]
    async fn a_taken_name_is_said_before_hashing() {
        let mut fixture = Fixture::default();
        fixture.users.expect_exists_usable_invitation().return_once(|_, _| Ok(true));
        fixture.users.expect_exists_username().return_once(|_| Ok(true));
        assert!(matches!(fixture.service().sign_up(command()).await, Err(UserError::Taken(_))));
    }
}
