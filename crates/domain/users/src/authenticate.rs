use domain_kernel::SessionId;

use crate::session::Standing;
use crate::{AccessToken, Account, ClientId, Session, SessionKeys, TokenState, UserError, UserService};

/// What a client shows to name its session.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The `client` header.
    pub client: ClientId,
    /// The `access-token` header.
    pub token: AccessToken,
    /// The `uid` header. May be absent; when it is there it must be the user's.
    pub uid: Option<String>,
}

/// A request with a good session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub account: Account,
    /// What the answer tells the client to use from now on.
    pub keys: SessionKeys,
}

impl UserService {
    /// Finds the session that the credentials name.
    ///
    /// Costs one read. Writes only when the last noted use is older than the touch interval, or when tokens rotate.
    pub async fn authenticate(&self, credentials: Credentials) -> Result<Authenticated, UserError> {
        let now = self.now();
        let found = self.ports.sessions.find(&credentials.client).await?;
        let (session, account) = found.ok_or(UserError::NotSignedIn)?;
        let standing = session.tokens.standing(&credentials.token, now);
        if standing == Standing::Reused {
            // A token that was replaced long ago is only shown by somebody who kept a copy: end the session for both.
            self.ports.sessions.delete(session.id).await?;
        }
        let uid_fits = credentials.uid.as_deref().is_none_or(|uid| account.user.answers_to(uid, now));
        let is_known = !matches!(standing, Standing::Reused | Standing::Unknown);
        if !is_known || session.is_over(now) || !account.user.is_active() || !uid_fits {
            return Err(UserError::NotSignedIn);
        }

        let token = self.rotate(&session, standing, credentials.token).await?;
        let mut expires_at = session.expires_at;
        if let Some(extended) = session.touched(now, &self.policy.sessions) {
            self.ports.sessions.touch(session.id, now, extended).await?;
            expires_at = extended;
        }
        let keys =
            SessionKeys { token, client: session.client, uid: account.user.uid().to_owned(), expires_at };
        Ok(Authenticated { session: session.id, account, keys })
    }

    /// Whether a session that was good still is, for what lasts longer than a request: the account as it is now. Writes nothing,
    /// so it is no use of the session.
    pub async fn follow_session(&self, client: &ClientId, id: SessionId) -> Result<Account, UserError> {
        let found = self.ports.sessions.find(client).await?;
        let (session, account) = found.ok_or(UserError::NotSignedIn)?;
        if session.id != id || session.is_over(self.now()) || !account.user.is_active() {
            return Err(UserError::NotSignedIn);
        }
        Ok(account)
    }

    /// The token the answer carries. Without rotation the presented one; with rotation its successor.
    async fn rotate(
        &self,
        session: &Session,
        standing: Standing,
        presented: AccessToken,
    ) -> Result<AccessToken, UserError> {
        let policy = &self.policy.sessions;
        let successor = policy.rotation_key.as_ref().map(|key| presented.successor(&session.client, key));
        let next = successor.as_ref().map(AccessToken::digest);
        let tokens = &session.tokens;
        let changed = match standing {
            Standing::Next => {
                let until = self.now() + policy.rotation_window;
                Some(TokenState {
                    current: presented.digest(),
                    next,
                    previous: Some((tokens.current, until)),
                })
            }
            Standing::Current if tokens.next != next => Some(TokenState { next, ..*tokens }),
            _ => None,
        };
        if let Some(changed) = changed {
            self.ports.sessions.rotate(session.id, tokens.current, changed).await?;
        }
        Ok(successor.unwrap_or(presented))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain_kernel::Clock;

    use super::*;
    use crate::tests::{Fixture, a_session, a_token, an_account};
    use crate::{Secret, User};

    fn credentials() -> Credentials {
        Credentials { client: a_session().client, token: a_token(), uid: Some("workleteuser".into()) }
    }

    fn fixture_with(session: Session, account: Account) -> Fixture {
        let mut fixture = Fixture::default();
        fixture.sessions.expect_find().return_once(move |_| Ok(Some((session, account))));
        fixture
    }

    #[tokio::test]
    async fn a_good_token_is_echoed_and_nothing_is_written() {
        let service = fixture_with(a_session(), an_account()).service();
        let authenticated = service.authenticate(credentials()).await.expect("good");
        assert_eq!(authenticated.keys.token, a_token());
        assert_eq!(authenticated.keys.expires_at, a_session().expires_at);
    }

    #[tokio::test]
    async fn a_session_is_followed_until_it_ends_or_its_person_is_locked() {
        let follow = |session: Session, account: Account| async move {
            let service = fixture_with(session, account).service();
            service.follow_session(&a_session().client, a_session().id).await.is_ok()
        };
        assert!(follow(a_session(), an_account()).await);
        let other = Session { id: SessionId::new(uuid::Uuid::from_u128(77)), ..a_session() };
        assert!(!follow(other, an_account()).await, "another session of the same client");
        let over = Session { expires_at: a_session().created_at, ..a_session() };
        assert!(!follow(over, an_account()).await);
        let mut locked = an_account();
        locked.user.locked_at = Some(a_session().created_at);
        assert!(!follow(a_session(), locked).await);
        let mut gone = Fixture::default();
        gone.sessions.expect_find().return_once(|_| Ok(None));
        assert!(gone.service().follow_session(&a_session().client, a_session().id).await.is_err());
    }

    #[tokio::test]
    async fn the_uid_may_be_absent_but_not_somebody_elses() {
        let absent = Credentials { uid: None, ..credentials() };
        assert!(fixture_with(a_session(), an_account()).service().authenticate(absent).await.is_ok());
        let wrong = Credentials { uid: Some("somebody".into()), ..credentials() };
        assert!(fixture_with(a_session(), an_account()).service().authenticate(wrong).await.is_err());
    }

    #[tokio::test]
    async fn ended_sessions_wrong_tokens_and_locked_people_are_out() {
        let now = Fixture::default().clock.now();
        let ended = Session { expires_at: now, ..a_session() };
        let too_old = Session { absolute_expires_at: now, ..a_session() };
        let tokens = TokenState {
            current: AccessToken::generate(&Secret::new([9; 32])).digest(),
            ..a_session().tokens
        };
        let other = Session { tokens, ..a_session() };
        let locked = Account { user: User { locked_at: Some(now), ..an_account().user }, ..an_account() };
        let deleted = Account { user: User { deleted_at: Some(now), ..an_account().user }, ..an_account() };
        for (session, account) in [
            (ended, an_account()),
            (too_old, an_account()),
            (other, an_account()),
            (a_session(), locked),
            (a_session(), deleted),
        ] {
            let refused = fixture_with(session, account).service().authenticate(credentials()).await;
            assert!(matches!(refused, Err(UserError::NotSignedIn)));
        }
    }

    #[tokio::test]
    async fn a_use_is_noted_after_five_minutes_and_extends_a_session_that_runs_low() {
        let now = Fixture::default().clock.now();
        let session = Session {
            last_used_at: now - TimeDelta::days(8),
            expires_at: now + TimeDelta::days(6),
            ..a_session()
        };
        let mut fixture = fixture_with(session, an_account());
        let end = now + TimeDelta::days(14);
        fixture
            .sessions
            .expect_touch()
            .withf(move |_, at, e| *at == now && *e == end)
            .return_once(|_, _, _| Ok(()));
        let authenticated = fixture.service().authenticate(credentials()).await.expect("good");
        assert_eq!(authenticated.keys.expires_at, end);
    }

    #[tokio::test]
    async fn with_rotation_parallel_requests_get_the_same_successor_and_its_first_use_retires_the_old_token()
    {
        let key = Secret::new([42; 32]);
        let successor = a_token().successor(&a_session().client, &key);
        let rotating = |session: Session| {
            let mut fixture = fixture_with(session, an_account());
            fixture.policy.sessions.rotation_key = Some(Secret::new([42; 32]));
            fixture
        };
        let next = Some(successor.digest());
        let session = Session { tokens: TokenState { next, ..a_session().tokens }, ..a_session() };
        for _ in 0..2 {
            let answer = rotating(session.clone()).service().authenticate(credentials()).await.expect("good");
            assert_eq!(answer.keys.token, successor);
        }

        let mut fixture = rotating(session.clone());
        let (old, new) = (a_token().digest(), successor.digest());
        fixture
            .sessions
            .expect_rotate()
            .withf(move |_, expected, state| {
                *expected == old
                    && state.current == new
                    && state.previous.is_some_and(|(hash, _)| hash == old)
            })
            .return_once(|_, _, _| Ok(()));
        let used = Credentials { token: successor.clone(), ..credentials() };
        let answer = fixture.service().authenticate(used).await.expect("good");
        assert_eq!(answer.keys.token, successor.successor(&session.client, &key));
    }

    #[tokio::test]
    async fn a_replaced_token_ends_the_session_once_its_window_is_over() {
        let now = Fixture::default().clock.now();
        let current = AccessToken::generate(&Secret::new([9; 32])).digest();
        let tokens = TokenState { current, next: None, previous: Some((a_token().digest(), now)) };
        let mut fixture = fixture_with(Session { tokens, ..a_session() }, an_account());
        fixture.sessions.expect_delete().times(1).return_once(|_| Ok(()));
        assert!(matches!(fixture.service().authenticate(credentials()).await, Err(UserError::NotSignedIn)));
    }
}
