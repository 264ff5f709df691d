//! What the users domain needs from the outside.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain_kernel::{
    AuditEntry, ChampionCertificationId, InviteCode, NameKey, OrgId, Page, PageRequest, PasswordResetId,
    SearchWords, SessionId, Sort, TeamId, UserId,
};

use crate::{
    Account, AuditFilter, AuditPlace, AuditRow, Certified, ChampionCertification, ClientId, Erasure,
    ExportPlace, ExportRecord, Login, Password, PasswordHash, PasswordReset, Secret, SeenUser, Session,
    TokenHash, TokenState, User, UserError, Username,
};

/// What is needed to check a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredentials {
    /// Whose they are.
    pub user: UserId,
    /// The stored hash; none for people who only use single sign-on.
    pub password_hash: Option<PasswordHash>,
    /// Whether the account is neither locked nor deleted.
    pub is_active: bool,
}

/// Everything a sign-up writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The new user.
    pub user: User,
    /// Their password.
    pub password_hash: PasswordHash,
    /// The code of the membership they take; none with open registration.
    pub invite_code: Option<InviteCode>,
    /// Their first session.
    pub session: Session,
}

/// What a pure change makes of a user.
#[derive(Debug, Clone, PartialEq)]
pub enum UserChange {
    /// Nothing.
    None,
    /// The user as edited, by the person themselves.
    Own,
    /// The user as edited, by somebody who leaves an audit row.
    ByOther(Box<AuditEntry>),
}

/// A pure change of a user, run while the row is locked. Only the user of the account is saved.
pub type UserEdit = Box<dyn FnOnce(&mut Account) -> Result<UserChange, UserError> + Send>;

/// Decides about an erasure while the account is locked: gives its audit row, or none when nothing is to be written.
pub type ErasureDecision = Box<dyn FnOnce(&Erasure) -> Result<Option<AuditEntry>, UserError> + Send>;

/// A new password, and what becomes of the sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordUpdate {
    /// Whose password.
    pub user: UserId,
    /// The new hash.
    pub password_hash: PasswordHash,
    /// When.
    pub at: DateTime<Utc>,
    /// Why it may be changed.
    pub ground: PasswordGround,
}

/// What entitles to a new password.
#[expect(clippy::large_enum_variant, reason = "made once per change of password, never stored")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordGround {
    /// A session, which is the only one to stay.
    Session(SessionId),
    /// A reset link, which is used up; all sessions end and this one begins.
    Reset(PasswordResetId, Session),
    /// The person was given it by somebody else, even while they are locked out; all sessions end.
    Issued,
}

/// Stores users.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// Credentials for a login: by address or by username, case ignored. Deleted accounts are found, as inactive.
    async fn find_credentials(&self, login: &Login) -> Result<Option<StoredCredentials>, UserError>;

    /// A user who is not deleted.
    async fn find(&self, id: UserId) -> Result<Option<User>, UserError>;

    /// Credentials of a known user.
    async fn find_credentials_by_id(&self, user: UserId) -> Result<Option<StoredCredentials>, UserError>;

    /// Whether any user, active or not, has this name, or keeps it as address, case ignored.
    async fn exists_username(&self, username: &Username) -> Result<bool, UserError>;

    /// Whether the code belongs to an invitation that is pending and not expired at `now`.
    async fn exists_usable_invitation(
        &self,
        code: &InviteCode,
        now: DateTime<Utc>,
    ) -> Result<bool, UserError>;

    /// One atomic fact: adds the user, links the membership that the code names, makes it active, marks the invitation
    /// accepted and opens the session. Of several sign-ups with one code exactly one succeeds.
    ///
    /// Fails, writing nothing, with [`UserError::InvitationNotUsable`] if the code is unknown, used, revoked or expired
    /// at the session's start, and with [`UserError::Taken`] if the name or address is in use.
    async fn register(&self, registration: Registration) -> Result<Account, UserError>;

    /// Adds a user without membership and session. Fails with [`UserError::Taken`], and with
    /// [`UserError::StaffAdminExists`] if `only_first` and an active staff admin exists.
    async fn insert_staff(
        &self,
        user: User,
        password_hash: PasswordHash,
        only_first: bool,
    ) -> Result<(), UserError>;

    /// One atomic fact: loads the account for update, runs `edit`, saves the user, writes the audit row, and does what
    /// [`update_password`](Self::update_password) does if there is a new password. Another address ends all reset links, and
    /// locking ends them and all sessions.
    ///
    /// Gives the account as it is then, and whether `edit` changed anything; none, writing nothing, if there is no such user.
    /// Fails, writing nothing, with [`UserError::Taken`] if the new name or address is in use, and with whatever `edit` says.
    async fn update(
        &self,
        id: UserId,
        edit: UserEdit,
        password: Option<PasswordUpdate>,
    ) -> Result<Option<(Account, bool)>, UserError>;

    /// One atomic fact: stores the hash, clears `must_change_password` or sets it if the password was issued, ends the
    /// sessions and reset links that the ground does not keep, and opens the ground's new session if it has one. Fails with [`UserError::ResetTokenNotUsable`] if
    /// the reset link was used meanwhile.
    async fn update_password(&self, update: PasswordUpdate) -> Result<Account, UserError>;

    /// One atomic fact: marks the user deleted, ends all sessions and reset links and deactivates all memberships. Fails
    /// with [`UserError::LastOrgAdmin`], writing nothing, if an organization would be left without an active admin, and with
    /// [`UserError::NotSignedIn`] if the user is gone already.
    async fn delete(&self, id: UserId, at: DateTime<Utc>) -> Result<(), UserError>;

    /// Erases the personal fields of all users deleted before `deleted_before`: tombstones replace them, the rows stay.
    /// Gives the number erased.
    async fn erase_deleted(&self, deleted_before: DateTime<Utc>, at: DateTime<Utc>)
    -> Result<u64, UserError>;

    /// One atomic fact: loads the account for update, deleted or not, counts what erasing it replaces and keeps, and runs
    /// `decide`. If that gives an audit row, does what [`delete`](Self::delete) does unless that is done, erases the account as
    /// [`erase_deleted`](Self::erase_deleted) does, and writes the row. Gives what was counted, with time and receipt of the
    /// erasure if the account is erased now.
    ///
    /// Fails, writing nothing, with a not-found refusal if there is no such user, with whatever `decide` says, and with
    /// [`UserError::LastOrgAdmin`] if an organization would be left without an active admin, even when nothing is to be written.
    async fn erase(
        &self,
        id: UserId,
        at: DateTime<Utc>,
        decide: ErasureDecision,
    ) -> Result<Erasure, UserError>;
}

/// Reads everything that is kept of one person.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait UserArchive: Send + Sync {
    /// The first records after a place, in their order: of no other person, and without secrets. The account comes first, deleted
    /// and erased ones too; without one there is none.
    async fn list(
        &self,
        user: UserId,
        after: Option<ExportPlace>,
        limit: i64,
    ) -> Result<Vec<ExportRecord>, UserError>;
}

/// Reads the audit trail.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// The first rows after a place that pass the filter, newest first, among equals the greatest id. A filter that names
    /// nothing known finds nothing.
    async fn list(
        &self,
        filter: AuditFilter,
        after: Option<AuditPlace>,
        limit: i64,
    ) -> Result<Vec<AuditRow>, UserError>;
}

/// The places whose users somebody may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisiblePlaces {
    /// The person themselves.
    pub own: UserId,
    /// Organizations they run.
    pub organizations: Vec<OrgId>,
    /// Teams they run.
    pub teams: Vec<TeamId>,
}

/// Reads users. None of these gives users who deleted their account. As everywhere, users come with their newest
/// certification as champion that is neither revoked nor, today in UTC, expired.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait UserQueries: Send + Sync {
    /// The user with all memberships.
    async fn find_account(&self, id: UserId) -> Result<Option<Account>, UserError>;

    /// All users, oldest first.
    async fn list_all(&self, page: PageRequest) -> Result<Page<User>, UserError>;

    /// The person themselves and the active members of the places, each once, oldest account first. Those who are only on
    /// a team the person runs do not show private fields.
    async fn list_visible(
        &self,
        places: VisiblePlaces,
        page: PageRequest,
    ) -> Result<Page<SeenUser>, UserError>;

    /// The users whose names hold, for each word, one that begins so, case and accents ignored. Words without a letter or
    /// digit find nobody.
    async fn search_all(
        &self,
        words: SearchWords,
        sort: Sort<NameKey>,
        page: PageRequest,
    ) -> Result<Page<User>, UserError>;

    /// The same among the active members of an organization, whose names on the roster count, too. None if there is no such
    /// organization.
    async fn search_organization(
        &self,
        organization: OrgId,
        words: SearchWords,
        sort: Sort<NameKey>,
        page: PageRequest,
    ) -> Result<Option<Page<User>>, UserError>;
}

/// Stores sessions.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// The session with this public id and its user's account, in one round trip. Ended ones are found, too.
    async fn find(&self, client: &ClientId) -> Result<Option<(Session, Account)>, UserError>;

    /// One atomic fact: adds the session, notes the sign-in time, and removes the user's longest unused other sessions
    /// until at most `limit` are left. Never removes the one just made. Fails with [`UserError::InvalidCredentials`] if the
    /// user was locked or deleted meanwhile.
    async fn open(&self, session: Session, limit: u32) -> Result<Account, UserError>;

    /// Notes a use and a new end. Never moves the end back.
    async fn touch(
        &self,
        id: SessionId,
        used_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), UserError>;

    /// Replaces the accepted tokens if `expected` is still the current one; else does nothing, because a parallel request
    /// with the same token has done it.
    async fn rotate(&self, id: SessionId, expected: TokenHash, tokens: TokenState) -> Result<(), UserError>;

    /// Ends a session. Fine if it has ended already.
    async fn delete(&self, id: SessionId) -> Result<(), UserError>;

    /// Removes sessions and reset links that ended before `ended_before`. Gives the number of sessions removed.
    async fn purge(&self, ended_before: DateTime<Utc>) -> Result<u64, UserError>;
}

/// Stores requests for a new password.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait PasswordResetRepository: Send + Sync {
    /// Adds a request; earlier ones of the same user stop working.
    async fn insert(&self, reset: PasswordReset) -> Result<(), UserError>;

    /// The request with this token, used or expired ones too.
    async fn find(&self, token: &TokenHash) -> Result<Option<PasswordReset>, UserError>;
}

/// Which certifications are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CertificationFilter {
    /// Those of this user only.
    pub user: Option<UserId>,
    /// Those of the active members of this organization only.
    pub organization: Option<OrgId>,
}

/// Stores certifications as champion.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait ChampionRepository: Send + Sync {
    /// One atomic fact: adds the certification and its audit row. If the user has one of that day, revoked or not, gives that
    /// one and writes nothing. Of several at once exactly one is new.
    ///
    /// Fails, writing nothing, with a not-found refusal if there is no such user, or they deleted the account.
    async fn insert(
        &self,
        certification: ChampionCertification,
        audit: AuditEntry,
    ) -> Result<Certified, UserError>;

    /// One atomic fact: revokes the certification and writes the audit row. Writes nothing if it is revoked already. Fails with
    /// a not-found refusal if there is no such certification.
    async fn revoke(
        &self,
        id: ChampionCertificationId,
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<(), UserError>;

    /// One atomic fact: revokes all certifications of the user that are not, and writes the audit row. Writes nothing if there
    /// is none.
    async fn revoke_of_user(
        &self,
        user: UserId,
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<(), UserError>;

    /// The certifications that pass the filter, the latest made first and then by id; revoked and expired ones, too. A filter
    /// that names nothing known finds nothing.
    async fn list(
        &self,
        filter: CertificationFilter,
        page: PageRequest,
    ) -> Result<Page<ChampionCertification>, UserError>;
}

/// Slow hashing for passwords.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes a password. Fails with [`UserError::Busy`] when the queue is full.
    async fn hash(&self, password: Password) -> Result<PasswordHash, UserError>;

    /// Whether the password fits the hash. Without a hash it takes the same time and says no, so that an unknown user
    /// cannot be told from a wrong password. Fails with [`UserError::Busy`] when the queue is full.
    async fn verify(&self, password: Password, hash: Option<PasswordHash>) -> Result<bool, UserError>;
}

/// Source of secrets.
#[cfg_attr(test, mockall::automock)]
pub trait SecretGenerator: Send + Sync {
    /// 256 bits from the operating system's secure generator.
    fn secret(&self) -> Secret;
}

/// A mail with the link to a new password. It names nobody: addresses are not verified, and a name could carry any text.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordResetMail {
    /// To whom.
    pub to: domain_kernel::EmailAddress,
    /// The link, which holds the reset token.
    pub link: String,
    /// How long it works.
    pub valid_minutes: i64,
}

/// Hidden: the link holds a token.
impl fmt::Debug for PasswordResetMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordResetMail(…)")
    }
}

/// Sends mail about accounts.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait AccountMailer: Send + Sync {
    /// Hands the mail over for delivery. Fails with [`UserError::Mail`].
    async fn send_password_reset(&self, mail: PasswordResetMail) -> Result<(), UserError>;
}
