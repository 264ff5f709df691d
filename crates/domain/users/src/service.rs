use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::{Clock, IdGenerator, SessionId, Throttle, UserId};

use crate::ports::{
    AccountMailer, AuditTrail, ChampionRepository, PasswordHasher, PasswordResetRepository, SecretGenerator,
    SessionRepository, UserArchive, UserQueries, UserRepository,
};
use crate::{
    AccessToken, Account, ClientId, Device, RedirectAllowlist, Secret, Session, SessionKeys, TokenState,
};

/// How long sessions live.
#[derive(Debug, Clone)]
pub struct SessionPolicy {
    /// Life of a session that is not used.
    pub lifespan: TimeDelta,
    /// Longest life of a session that is used.
    pub absolute_lifespan: TimeDelta,
    /// Sessions per user.
    pub limit: u32,
    /// How often a use is written down.
    pub touch_interval: TimeDelta,
    /// Key for rotating tokens; none means that a session keeps its token.
    pub rotation_key: Option<Secret>,
    /// How long a token is still good after its successor was first used.
    pub rotation_window: TimeDelta,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            lifespan: TimeDelta::days(14),
            absolute_lifespan: TimeDelta::days(90),
            limit: 10,
            touch_interval: TimeDelta::minutes(5),
            rotation_key: None,
            rotation_window: TimeDelta::seconds(60),
        }
    }
}

/// Settings of the users domain.
#[derive(Debug, Clone)]
pub struct UserPolicy {
    /// How long sessions live.
    pub sessions: SessionPolicy,
    /// Whether people may sign up without an invite code.
    pub open_registration: bool,
    /// Where reset links may lead.
    pub redirects: RedirectAllowlist,
    /// Where they lead when the client does not say.
    pub default_redirect: Option<String>,
    /// The address that reset links start with: `{…}?reset_password_token=…`.
    pub reset_link: String,
    /// How long reset links work.
    pub reset_lifespan: TimeDelta,
    /// How long the personal fields of a deleted account are kept.
    pub erasure_delay: TimeDelta,
    /// How long ended sessions are kept.
    pub ended_session_retention: TimeDelta,
    /// How long a certification as champion is valid.
    pub certification_lifespan: TimeDelta,
}

impl Default for UserPolicy {
    fn default() -> Self {
        Self {
            sessions: SessionPolicy::default(),
            open_registration: false,
            redirects: RedirectAllowlist::default(),
            default_redirect: None,
            reset_link: "http://localhost:3001/api/v1/auth/password/edit".into(),
            reset_lifespan: TimeDelta::hours(1),
            erasure_delay: TimeDelta::days(30),
            ended_session_retention: TimeDelta::days(14),
            certification_lifespan: TimeDelta::days(365),
        }
    }
}

/// The outside of the users domain.
#[derive(Clone)]
#[expect(missing_docs, reason = "the ports say what they are")]
pub struct UserPorts {
    pub users: Arc<dyn UserRepository>,
    pub queries: Arc<dyn UserQueries>,
    pub archive: Arc<dyn UserArchive>,
    pub audit: Arc<dyn AuditTrail>,
    pub sessions: Arc<dyn SessionRepository>,
    pub resets: Arc<dyn PasswordResetRepository>,
    pub champions: Arc<dyn ChampionRepository>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub secrets: Arc<dyn SecretGenerator>,
    pub mailer: Arc<dyn AccountMailer>,
    pub throttle: Arc<dyn Throttle>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
}

/// The use cases of the users domain.
#[derive(Clone)]
pub struct UserService {
    pub(crate) ports: UserPorts,
    pub(crate) policy: Arc<UserPolicy>,
}

impl UserService {
    /// Wires the use cases to the outside.
    pub fn new(ports: UserPorts, policy: UserPolicy) -> Self {
        Self { ports, policy: Arc::new(policy) }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.ports.clock.now()
    }

    /// A fresh session for `user`, and the token that opens it.
    pub(crate) fn new_session(
        &self,
        user: UserId,
        device: Device,
        now: DateTime<Utc>,
    ) -> (Session, AccessToken) {
        let policy = &self.policy.sessions;
        let token = AccessToken::generate(&self.ports.secrets.secret());
        let client = ClientId::generate(&self.ports.secrets.secret());
        let next = policy.rotation_key.as_ref().map(|key| token.successor(&client, key).digest());
        let session = Session {
            id: SessionId::new(self.ports.ids.next()),
            user,
            client,
            tokens: TokenState { current: token.digest(), next, previous: None },
            created_at: now,
            last_used_at: now,
            expires_at: now + policy.lifespan.min(policy.absolute_lifespan),
            absolute_expires_at: now + policy.absolute_lifespan,
            device,
        };
        (session, token)
    }

    /// The headers that hand a new session to its client.
    pub(crate) fn keys(session: &Session, token: AccessToken, account: &Account) -> SessionKeys {
        SessionKeys {
            token,
            client: session.client.clone(),
            uid: account.user.uid().to_owned(),
            expires_at: session.expires_at,
        }
    }
}
