use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use domain_kernel::{SessionId, UserId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::SessionPolicy;

/// Random bytes or key material. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Wraps 256 bits.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The public id of a session, sent in the `client` header: 1 to 64 characters of `A-Z a-z 0-9 - _`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId(String);

impl ClientId {
    /// A new id of 22 characters from 128 of the secret's bits.
    pub fn generate(secret: &Secret) -> Self {
        Self(URL_SAFE_NO_PAD.encode(&secret.0[..16]))
    }

    /// Reads what a client sent; `None` when it cannot be one of ours.
    pub fn parse(raw: &str) -> Option<Self> {
        is_url_safe(raw, 64).then(|| Self(raw.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_url_safe(raw: &str, max: usize) -> bool {
    !raw.is_empty()
        && raw.len() <= max
        && raw.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// The secret of a session, or of a reset link: 43 characters of URL-safe base64. Never shown, never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// A new token from 256 random bits.
    pub fn generate(secret: &Secret) -> Self {
        Self(URL_SAFE_NO_PAD.encode(secret.0))
    }

    /// Reads what a client sent; `None` when it cannot be one of ours.
    pub fn parse(raw: &str) -> Option<Self> {
        is_url_safe(raw, 128).then(|| Self(raw.to_owned()))
    }

    /// What is stored of it.
    pub fn digest(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The token that follows this one when tokens rotate.
    ///
    /// A function of the token itself, so every one of several parallel requests with the same token yields the same
    /// successor and a lost answer costs nothing; nothing has to be kept in clear.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes keys of any length")]
    pub fn successor(&self, client: &ClientId, key: &Secret) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes keys of any length");
        mac.update(client.0.as_bytes());
        mac.update(b".");
        mac.update(self.0.as_bytes());
        Self(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    /// The token itself, for the answer or the mail.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// SHA-256 of a token. Compared in constant time.
#[derive(Debug, Clone, Copy, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Reads a stored hash.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for storage.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The tokens a session accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenState {
    /// The token in use.
    pub current: TokenHash,
    /// Its successor, announced but not used yet. Only with rotation.
    pub next: Option<TokenHash>,
    /// The token before, and until when it is still good. Only with rotation.
    pub previous: Option<(TokenHash, DateTime<Utc>)>,
}

/// What a presented token is to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The token in use.
    Current,
    /// The announced successor: its first use retires the current one.
    Next,
    /// The one before, still inside its window: an answer got lost or requests overlapped.
    Previous,
    /// The one before, after its window: somebody kept a copy.
    Reused,
    /// None of the session's tokens.
    Unknown,
}

impl TokenState {
    pub(crate) fn standing(&self, token: &AccessToken, now: DateTime<Utc>) -> Standing {
        let presented = token.digest();
        match self.previous {
            _ if presented == self.current => Standing::Current,
            _ if self.next == Some(presented) => Standing::Next,
            Some((previous, until)) if presented == previous && now < until => Standing::Previous,
            Some((previous, _)) if presented == previous => Standing::Reused,
            _ => Standing::Unknown,
        }
    }
}

/// What is known of the device a session lives on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// Its `User-Agent`, cut to 200 characters.
    pub user_agent: Option<String>,
    /// Its address at sign-in.
    pub ip: Option<IpAddr>,
}

/// A signed-in device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Key of the session.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// Its public id.
    pub client: ClientId,
    /// The tokens it accepts.
    pub tokens: TokenState,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// Last use, to within the touch interval.
    pub last_used_at: DateTime<Utc>,
    /// When it ends unless it is used before.
    pub expires_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub absolute_expires_at: DateTime<Utc>,
    /// Where it lives.
    pub device: Device,
}

impl Session {
    /// Whether it has ended.
    pub(crate) fn is_over(&self, now: DateTime<Utc>) -> bool {
        now >= self.expires_at || now >= self.absolute_expires_at
    }

    /// The end after a use at `now`, if that use is to be written down.
    ///
    /// Written at most once per touch interval, so that an ordinary request writes nothing; extended only when less than
    /// half of the lifespan is left. Never earlier than before: clients ignore answers whose expiry goes back.
    pub(crate) fn touched(&self, now: DateTime<Utc>, policy: &SessionPolicy) -> Option<DateTime<Utc>> {
        if now - self.last_used_at < policy.touch_interval {
            return None;
        }
        let runs_low = self.expires_at - now < policy.lifespan / 2;
        let extended = (now + policy.lifespan).min(self.absolute_expires_at).max(self.expires_at);
        Some(if runs_low { extended } else { self.expires_at })
    }
}

/// What a client needs to go on with a session: the values of the five response headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKeys {
    /// `access-token`.
    pub token: AccessToken,
    /// `client`.
    pub client: ClientId,
    /// `uid`.
    pub uid: String,
    /// `expiry`.
    pub expires_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain_kernel::Clock;
    use domain_kernel::testing::FixedClock;

    use super::*;
    use crate::tests::a_session;

    #[test]
    fn tokens_have_43_characters_and_clients_22() {
        let secret = Secret::new([255; 32]);
        assert_eq!(AccessToken::generate(&secret).reveal().len(), 43);
        assert_eq!(ClientId::generate(&secret).as_str().len(), 22);
    }

    #[test]
    fn nothing_secret_shows_in_debug_output() {
        let secret = Secret::new([7; 32]);
        assert_eq!(format!("{:?} {secret:?}", AccessToken::generate(&secret)), "AccessToken(…) Secret(…)");
    }

    #[test]
    fn the_successor_depends_on_token_client_and_key_only() {
        let (key, other_key) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let token = AccessToken::generate(&Secret::new([3; 32]));
        let client = ClientId::generate(&Secret::new([4; 32]));
        assert_eq!(token.successor(&client, &key), token.successor(&client, &key));
        assert_ne!(token.successor(&client, &key), token.successor(&client, &other_key));
        assert_ne!(token.successor(&client, &key), token);
    }

    #[test]
    fn a_previous_token_is_good_inside_its_window_and_a_theft_signal_after() {
        let now = FixedClock::default().now();
        let [old, current, next, foreign] =
            [1, 2, 3, 4].map(|n| AccessToken::generate(&Secret::new([n; 32])));
        let until = now + TimeDelta::seconds(60);
        let state = TokenState {
            current: current.digest(),
            next: Some(next.digest()),
            previous: Some((old.digest(), until)),
        };
        assert_eq!(state.standing(&current, now), Standing::Current);
        assert_eq!(state.standing(&next, now), Standing::Next);
        assert_eq!(state.standing(&old, now), Standing::Previous);
        assert_eq!(state.standing(&old, until), Standing::Reused);
        assert_eq!(state.standing(&foreign, now), Standing::Unknown);
    }

    #[test]
    fn a_session_slides_when_half_is_gone_but_never_past_its_absolute_end() {
        let policy = SessionPolicy::default();
        let session = a_session();
        let start = session.created_at;
        assert_eq!(session.touched(start + TimeDelta::minutes(4), &policy), None, "used a moment ago");
        assert_eq!(
            session.touched(start + TimeDelta::days(6), &policy),
            Some(session.expires_at),
            "plenty left"
        );
        let late = start + TimeDelta::days(8);
        assert_eq!(session.touched(late, &policy), Some(late + policy.lifespan));
        let old = Session { expires_at: start + TimeDelta::days(88), ..session };
        assert_eq!(old.touched(start + TimeDelta::days(85), &policy), Some(old.absolute_expires_at));
    }
}
