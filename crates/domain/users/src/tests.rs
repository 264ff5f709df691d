//! What the unit tests of this crate share: one fixture with a mock for each port, and sample values.

use std::sync::Arc;

use chrono::TimeDelta;
use domain_kernel::testing::{CountingIds, FakeThrottle, FixedClock};
use domain_kernel::{Budget, Clock, LanguageCode, PersonName, SessionId, UserId};
use uuid::Uuid;

use crate::ports::{
    MockAccountMailer, MockAuditTrail, MockChampionRepository, MockPasswordHasher,
    MockPasswordResetRepository, MockSecretGenerator, MockSessionRepository, MockUserArchive,
    MockUserQueries, MockUserRepository,
};
use crate::{
    AccessToken, Account, ClientId, Device, PasswordHash, Provider, Secret, Session, TokenState, User,
    UserPolicy, UserPorts, UserService, Username,
};

/// A call to a mock that a test did not prepare fails the test.
pub(crate) struct Fixture {
    pub(crate) users: MockUserRepository,
    pub(crate) queries: MockUserQueries,
    pub(crate) archive: MockUserArchive,
    pub(crate) audit: MockAuditTrail,
    pub(crate) sessions: MockSessionRepository,
    pub(crate) resets: MockPasswordResetRepository,
    pub(crate) champions: MockChampionRepository,
    pub(crate) hasher: MockPasswordHasher,
    pub(crate) mailer: MockAccountMailer,
    pub(crate) throttle: Arc<FakeThrottle>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) policy: UserPolicy,
}

impl Default for Fixture {
    fn default() -> Self {
        Self {
            users: MockUserRepository::new(),
            queries: MockUserQueries::new(),
            archive: MockUserArchive::new(),
            audit: MockAuditTrail::new(),
            sessions: MockSessionRepository::new(),
            resets: MockPasswordResetRepository::new(),
            champions: MockChampionRepository::new(),
            hasher: MockPasswordHasher::new(),
            mailer: MockAccountMailer::new(),
            throttle: Arc::default(),
            clock: Arc::default(),
            policy: UserPolicy::default(),
        }
    }
}

impl Fixture {
    pub(crate) fn with_used_up(budget: Budget) -> Self {
        let throttle = Arc::new(FakeThrottle { used_up: vec![budget], ..FakeThrottle::default() });
        Self { throttle, ..Self::default() }
    }

    /// Expects one password to be hashed.
    pub(crate) fn hashing(mut self) -> Self {
        self.hasher.expect_hash().times(1).return_once(|_| Ok(PasswordHash::new("hash".into())));
        self
    }

    pub(crate) fn service(self) -> UserService {
        let mut secrets = MockSecretGenerator::new();
        let mut next = 100u8;
        secrets.expect_secret().returning(move || {
            next += 1;
            Secret::new([next; 32])
        });
        let ports = UserPorts {
            users: Arc::new(self.users),
            queries: Arc::new(self.queries),
            archive: Arc::new(self.archive),
            audit: Arc::new(self.audit),
            sessions: Arc::new(self.sessions),
            resets: Arc::new(self.resets),
            champions: Arc::new(self.champions),
            hasher: Arc::new(self.hasher),
            secrets: Arc::new(secrets),
            mailer: Arc::new(self.mailer),
            throttle: self.throttle,
            clock: self.clock,
            ids: Arc::new(CountingIds::default()),
        };
        UserService::new(ports, self.policy)
    }
}

pub(crate) fn a_user() -> User {
    let now = FixedClock::default().now();
    User {
        id: UserId::new(Uuid::from_u128(0xA)),
        username: Username::parse("workleteuser", Provider::Username).expect("a name"),
        provider: Provider::Username,
        email: None,
        first_name: PersonName::parse("Demo").expect("a name"),
        last_name: PersonName::parse("Learner").expect("a name"),
        staff_role: None,
        language: LanguageCode::default(),
        must_change_password: false,
        locked_at: None,
        deleted_at: None,
        last_sign_in_at: None,
        former_uid: None,
        champion_certification: None,
        created_at: now,
        updated_at: now,
    }
}

pub(crate) fn an_account() -> Account {
    Account { user: a_user(), memberships: vec![] }
}

pub(crate) fn a_token() -> AccessToken {
    AccessToken::generate(&Secret::new([1; 32]))
}

pub(crate) fn a_session() -> Session {
    let now = FixedClock::default().now();
    Session {
        id: SessionId::new(Uuid::from_u128(0xB)),
        user: a_user().id,
        client: ClientId::generate(&Secret::new([2; 32])),
        tokens: TokenState { current: a_token().digest(), next: None, previous: None },
        created_at: now,
        last_used_at: now,
        expires_at: now + TimeDelta::days(14),
        absolute_expires_at: now + TimeDelta::days(90),
        device: Device::default(),
    }
}
