use chrono::{DateTime, Utc};
use domain_kernel::{Budget, Origin, PasswordResetId, UserId};

use crate::ports::{PasswordGround, PasswordResetMail, PasswordUpdate};
use crate::{
    AccessToken, Account, Device, Login, Password, RedirectTarget, SessionKeys, TokenHash, User, UserError,
    UserService,
};

/// A request for a new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordReset {
    /// Key.
    pub id: PasswordResetId,
    /// Whose password.
    pub user: UserId,
    /// SHA-256 of the token in the mail.
    pub token: TokenHash,
    /// Where the link leads: kept here and not in the link, where it could be changed.
    pub redirect: RedirectTarget,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it works.
    pub expires_at: DateTime<Utc>,
    /// When it was used.
    pub used_at: Option<DateTime<Utc>>,
}

impl PasswordReset {
    fn is_usable(&self, now: DateTime<Utc>) -> bool {
        self.used_at.is_none() && now < self.expires_at
    }
}

/// A request for the mail.
#[derive(Debug, Clone)]
pub struct RequestPasswordReset {
    /// The address as typed; none when the client sent none.
    pub email: Option<String>,
    /// Where the link shall lead.
    pub redirect_url: Option<String>,
    /// Where the request came from.
    pub origin: Origin,
}

/// A new password by the token of a reset mail.
#[derive(Debug, Clone)]
pub struct ResetPassword {
    /// The token; none when it could be nobody's.
    pub token: Option<AccessToken>,
    /// The new password.
    pub password: Password,
    /// The device, which is signed in.
    pub device: Device,
}

/// A mail that is still to be made. Whether anybody has the address is found out only when it runs.
pub struct PendingResetMail {
    service: UserService,
    login: Option<Login>,
    redirect: RedirectTarget,
}

impl UserService {
    /// Checks a request for a reset mail. The answer says nothing about whether the address is known, and neither does
    /// its time: the returned work is to be run after the answer has gone out.
    pub fn request_password_reset(
        &self,
        request: &RequestPasswordReset,
    ) -> Result<PendingResetMail, UserError> {
        let throttle = &self.ports.throttle;
        let wanted = request.redirect_url.as_deref().or(self.policy.default_redirect.as_deref());
        let wanted = wanted.ok_or(UserError::RedirectMissing)?;
        let redirect = self.policy.redirects.allow(wanted).ok_or(UserError::RedirectNotAllowed)?;
        let email = request.email.as_deref().ok_or(UserError::EmailMissing)?;
        throttle.record(Budget::ResetMailsOfAddress, &request.origin.throttle_key())?;
        let login = Login::parse(email, Some(crate::Provider::Email));
        Ok(PendingResetMail { service: self.clone(), login, redirect })
    }

    /// Where an opened link leads. Opening uses nothing up: mail scanners open links, too.
    pub async fn open_password_reset(&self, token: &AccessToken) -> Result<String, UserError> {
        let found = self.ports.resets.find(&token.digest()).await?;
        let reset = found.filter(|reset| reset.is_usable(self.now())).ok_or(UserError::ResetLinkNotFound)?;
        // The list may have changed since the mail went out.
        let redirect =
            self.policy.redirects.allow(reset.redirect.as_str()).ok_or(UserError::RedirectNotAllowed)?;
        Ok(redirect.with_query(&[("reset_password_token", token.reveal())]))
    }

    /// Sets a new password, ends all sessions and opens a fresh one. Works once per mail.
    pub async fn reset_password(&self, command: ResetPassword) -> Result<(Account, SessionKeys), UserError> {
        let token = command.token.ok_or(UserError::ResetTokenNotUsable)?;
        let found = self.ports.resets.find(&token.digest()).await?;
        let reset =
            found.filter(|reset| reset.is_usable(self.now())).ok_or(UserError::ResetTokenNotUsable)?;
        let password_hash = self.ports.hasher.hash(command.password).await?;
        let now = self.now();
        let (session, token) = self.new_session(reset.user, command.device, now);
        let ground = PasswordGround::Reset(reset.id, session.clone());
        let update = PasswordUpdate { user: reset.user, password_hash, at: now, ground };
        let account = self.ports.users.update_password(update).await?;
        let keys = Self::keys(&session, token, &account);
        Ok((account, keys))
    }

    async fn make_reset(
        &self,
        user: &User,
        redirect: RedirectTarget,
    ) -> Result<PasswordResetMail, UserError> {
        let email = user.email.clone().ok_or(UserError::EmailMissing)?;
        let token = AccessToken::generate(&self.ports.secrets.secret());
        let now = self.now();
        let reset = PasswordReset {
            id: PasswordResetId::new(self.ports.ids.next()),
            user: user.id,
            token: token.digest(),
            redirect,
            created_at: now,
            expires_at: now + self.policy.reset_lifespan,
            used_at: None,
        };
        self.ports.resets.insert(reset).await?;
        Ok(PasswordResetMail {
            to: email,
            link: format!("{}?reset_password_token={}", self.policy.reset_link, token.reveal()),
            valid_minutes: self.policy.reset_lifespan.num_minutes(),
        })
    }
}

impl PendingResetMail {
    /// Sends the mail if the address is somebody's, and if that person has not been sent too many of late.
    pub async fn send(self) -> Result<(), UserError> {
        let ports = &self.service.ports;
        let Some(login) = self.login else { return Ok(()) };
        let stored = ports.users.find_credentials(&login).await?.filter(|credentials| credentials.is_active);
        let Some(stored) = stored else { return Ok(()) };
        if ports.throttle.record(Budget::ResetMailsOfAccount, &login.name).is_err() {
            return Ok(());
        }
        let Some(user) = ports.users.find(stored.user).await? else {
            return Ok(());
        };
        let mail = self.service.make_reset(&user, self.redirect).await?;
        ports.mailer.send_password_reset(mail).await
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain_kernel::{Clock, EmailAddress};

    use super::*;
    use crate::RedirectAllowlist;
    use crate::ports::StoredCredentials;
    use crate::tests::{Fixture, a_token, a_user, an_account};

    fn fixture() -> Fixture {
        let mut fixture = Fixture::default();
        fixture.policy.redirects =
            RedirectAllowlist::parse(["https://app.example.org/reset"]).expect("a list");
        fixture
    }

    fn request() -> RequestPasswordReset {
        RequestPasswordReset {
            email: Some("demo@example.org".into()),
            redirect_url: Some("https://app.example.org/reset".into()),
            origin: Origin::default(),
        }
    }

    fn a_reset() -> PasswordReset {
        let now = Fixture::default().clock.now();
        PasswordReset {
            id: PasswordResetId::new(uuid::Uuid::from_u128(77)),
            user: a_user().id,
            token: a_token().digest(),
            redirect: RedirectTarget::from_stored("https://app.example.org/reset").expect("a target"),
            created_at: now,
            expires_at: now + TimeDelta::hours(1),
            used_at: None,
        }
    }

    #[tokio::test]
    async fn a_known_address_gets_a_link_with_a_token_that_is_stored_hashed() {
        let mut fixture = fixture();
        let user = a_user();
        let stored = StoredCredentials { user: user.id, password_hash: None, is_active: true };
        fixture.users.expect_find_credentials().return_once(move |_| Ok(Some(stored)));
        let user = User { email: EmailAddress::parse("demo@example.org").ok(), ..user };
        fixture.users.expect_find().return_once(move |_| Ok(Some(user)));
        fixture.resets.expect_insert().times(1).return_once(|_| Ok(()));
        fixture.mailer.expect_send_password_reset().times(1).return_once(|mail| {
            assert!(mail.link.contains("?reset_password_token="), "{}", mail.link);
            assert_eq!(mail.valid_minutes, 60);
            Ok(())
        });
        let pending = fixture.service().request_password_reset(&request()).expect("accepted");
        assert!(pending.send().await.is_ok());
    }

    #[tokio::test]
    async fn an_unknown_address_gets_the_same_answer_and_no_mail() {
        let mut fixture = fixture();
        fixture.users.expect_find_credentials().return_once(|_| Ok(None));
        let pending = fixture.service().request_password_reset(&request()).expect("accepted");
        assert!(pending.send().await.is_ok());
    }

    #[test]
    fn the_redirect_is_checked_before_the_address() {
        let service = fixture().service();
        let ask = |email: Option<&str>, redirect_url: Option<&str>| {
            let request = RequestPasswordReset {
                email: email.map(Into::into),
                redirect_url: redirect_url.map(Into::into),
                origin: Origin::default(),
            };
            service.request_password_reset(&request).err().map(|error| error.to_string())
        };
        let allowed = Some("https://app.example.org/reset");
        assert_eq!(ask(None, None), Some(UserError::RedirectMissing.to_string()));
        assert_eq!(
            ask(None, Some("https://evil.example.org/")),
            Some(UserError::RedirectNotAllowed.to_string())
        );
        assert_eq!(ask(None, allowed), Some(UserError::EmailMissing.to_string()));
        assert_eq!(ask(Some("demo@example.org"), allowed), None);
    }

    #[tokio::test]
    async fn a_link_can_be_opened_again_but_leads_nowhere_once_used_or_expired() {
        let now = Fixture::default().clock.now();
        for (reset, works) in [
            (a_reset(), true),
            (PasswordReset { used_at: Some(now), ..a_reset() }, false),
            (PasswordReset { expires_at: now, ..a_reset() }, false),
        ] {
            let mut fixture = fixture();
            fixture.resets.expect_find().returning(move |_| Ok(Some(reset.clone())));
            let service = fixture.service();
            for _ in 0..2 {
                assert_eq!(service.open_password_reset(&a_token()).await.is_ok(), works);
            }
        }
    }

    #[tokio::test]
    async fn a_reset_uses_up_the_link_and_signs_in_afresh() {
        let mut fixture = fixture();
        fixture.resets.expect_find().return_once(|_| Ok(Some(a_reset())));
        fixture
            .users
            .expect_update_password()
            .withf(|update| matches!(&update.ground, PasswordGround::Reset(id, _) if *id == a_reset().id))
            .return_once(|_| Ok(an_account()));
        let password = Password::parse("worklete456").expect("a password");
        let command = ResetPassword { token: Some(a_token()), password, device: Device::default() };
        let (_, keys) = fixture.hashing().service().reset_password(command).await.expect("resets");
        assert_ne!(keys.token, a_token());
    }
}
