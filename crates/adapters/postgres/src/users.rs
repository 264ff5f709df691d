use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Bool, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{
    EmailAddress, InviteCode, LanguageCode, MembershipId, OrgId, PasswordResetId, PersonName, Refusal,
    SessionId, StaffRole, StorageError, TeamId, UserId,
};
use domain_users::ports::{
    ErasureDecision, PasswordGround, PasswordResetRepository, PasswordUpdate, Registration,
    SessionRepository, StoredCredentials, UserChange, UserEdit, UserQueries, UserRepository,
};
use domain_users::{
    Account, ClientId, Device, Erasure, FormerUid, Login, MembershipBrief, MembershipStatus, PasswordHash,
    PasswordReset, Provider, RedirectTarget, Session, TokenHash, TokenState, User, UserError, Username,
};
use serde::Deserialize;
use uuid::Uuid;

use crate::champions::read_champion;
use crate::erasure::{erase, erase_due, hold_organizations, leave, require_other_admins};
use crate::error::{PgError, unreadable};
use crate::invitations::take_membership;
use crate::schema::{invitations, password_resets, sessions, users};
use crate::sql::{row, statement};
use crate::{Pg, audit};

/// Users, sessions and password resets in PostgreSQL.
#[derive(Clone)]
pub struct PgUsers {
    pub(crate) pg: Pg,
}

impl PgUsers {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }
}

pub(crate) type Outcome<T> = Result<T, PgError<UserError>>;

pub(crate) fn refuse<T>(error: UserError) -> Outcome<T> {
    Err(PgError::Refused(error))
}

fn taken(constraint: &str) -> Option<UserError> {
    match constraint {
        "users_username_key" => Some(UserError::username_taken()),
        "users_email_key" => Some(UserError::email_taken()),
        _ => None,
    }
}

/// The columns of [`UserRow`], of a user `u`.
macro_rules! user_columns {
    () => {
        concat!(
            "u.id, u.username::text AS username, u.provider, u.email::text AS email, u.first_name, u.last_name, \
             u.must_change_password, u.staff_role, u.language, u.former_uid, u.uid_changed_at, u.last_sign_in_at, \
             u.locked_at, u.deleted_at, u.created_at, u.updated_at, ",
            $crate::champions::champion_column!()
        )
    };
}
pub(crate) use user_columns;

/// A user with all memberships as one JSON value: an account is one row, so it costs one round trip.
macro_rules! account_sql {
    ($columns:literal, $from:literal) => {
        concat!(
            "SELECT ",
            $columns,
            user_columns!(),
            ", \
             (SELECT coalesce(json_agg(json_build_object( \
                'id', m.id, 'organization_id', m.organization_id, 'organization_name', o.name, \
                'org_admin', m.org_admin, 'status', m.status, 'job_title', m.job_title, \
                'team_ids', (SELECT coalesce(json_agg(tm.team_id ORDER BY tm.joined_at, tm.team_id), '[]') \
                    FROM team_memberships tm JOIN teams t ON t.id = tm.team_id \
                    WHERE tm.membership_id = m.id AND t.deleted_at IS NULL), \
                'administered_team_ids', (SELECT coalesce(json_agg(ta.team_id ORDER BY ta.created_at, ta.team_id), '[]') \
                    FROM team_admins ta JOIN teams t ON t.id = ta.team_id \
                    WHERE ta.membership_id = m.id AND t.deleted_at IS NULL) \
              ) ORDER BY m.created_at, m.id), '[]')::text \
              FROM memberships m JOIN organizations o ON o.id = m.organization_id WHERE m.user_id = u.id) AS memberships \
              FROM ",
            $from
        )
    };
}

pub(crate) const ACCOUNT: &str = account_sql!("", "users u WHERE u.id = {}");

const SESSION: &str = account_sql!(
    "s.id AS session_id, s.client_id, s.token_hash, s.next_hash, s.prev_hash, s.prev_valid_until, \
     s.created_at AS session_created_at, s.last_used_at, s.expires_at, s.absolute_expires_at, s.user_agent, s.ip, ",
    "sessions s JOIN users u ON u.id = s.user_id WHERE s.client_id = {}"
);

row! {
    pub(crate) struct UserRow, UserColumns {
        id: Uuid => SqlUuid,
        username: String => Text,
        provider: String => Text,
        email: Option<String> => Nullable<Text>,
        first_name: String => Text,
        last_name: String => Text,
        must_change_password: bool => Bool,
        staff_role: Option<String> => Nullable<Text>,
        language: String => Text,
        former_uid: Option<String> => Nullable<Text>,
        uid_changed_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        last_sign_in_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        locked_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        deleted_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        created_at: DateTime<Utc> => Timestamptz,
        updated_at: DateTime<Utc> => Timestamptz,
        champion: Option<String> => Nullable<Text>,
    }
}

impl TryFrom<UserRow> for User {
    type Error = StorageError;

    fn try_from(row: UserRow) -> Result<Self, StorageError> {
        let provider = Provider::parse(&row.provider).map_err(|problem| unreadable("users", problem.code))?;
        Ok(Self {
            id: UserId::new(row.id),
            username: Username::from_stored(row.username),
            provider,
            email: row.email.map(EmailAddress::from_stored),
            first_name: PersonName::from_stored(row.first_name),
            last_name: PersonName::from_stored(row.last_name),
            staff_role: row.staff_role.as_deref().and_then(StaffRole::parse),
            language: LanguageCode::from_stored(row.language),
            must_change_password: row.must_change_password,
            locked_at: row.locked_at,
            deleted_at: row.deleted_at,
            last_sign_in_at: row.last_sign_in_at,
            former_uid: row
                .former_uid
                .zip(row.uid_changed_at)
                .map(|(uid, changed_at)| FormerUid { uid, changed_at }),
            champion_certification: read_champion(row.champion.as_deref())?,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

row! {
    pub(crate) struct AccountRow, AccountColumns {
        user: UserRow => UserColumns,
        memberships: String => Text,
    }
}

#[derive(Deserialize)]
struct BriefJson {
    id: Uuid,
    organization_id: Uuid,
    organization_name: String,
    org_admin: bool,
    status: String,
    job_title: Option<String>,
    team_ids: Vec<Uuid>,
    administered_team_ids: Vec<Uuid>,
}

impl From<BriefJson> for MembershipBrief {
    fn from(json: BriefJson) -> Self {
        let teams = |ids: Vec<Uuid>| ids.into_iter().map(TeamId::new).collect();
        Self {
            id: MembershipId::new(json.id),
            organization: OrgId::new(json.organization_id),
            organization_name: json.organization_name,
            org_admin: json.org_admin,
            status: if json.status == "active" {
                MembershipStatus::Active
            } else {
                MembershipStatus::Deactivated
            },
            job_title: json.job_title,
            teams: teams(json.team_ids),
            administered_teams: teams(json.administered_team_ids),
        }
    }
}

impl AccountRow {
    pub(crate) fn read(self) -> Result<Account, UserError> {
        let user = User::try_from(self.user)?;
        let briefs: Vec<BriefJson> =
            serde_json::from_str(&self.memberships).map_err(|error| StorageError::Failed(Box::new(error)))?;
        Ok(Account { user, memberships: briefs.into_iter().map(MembershipBrief::from).collect() })
    }
}

/// A user, whether they deleted the account or not.
pub(crate) fn load_account(connection: &mut PgConnection, id: UserId) -> Outcome<Account> {
    let row: AccountRow =
        statement(ACCOUNT).bind::<SqlUuid, _>(id.uuid()).rows::<AccountColumns>().get_result(connection)?;
    row.read().map_err(PgError::Refused)
}

row! {
    struct SessionRow, SessionColumns {
        session_id: Uuid => SqlUuid,
        client_id: String => Text,
        token_hash: Vec<u8> => Bytea,
        next_hash: Option<Vec<u8>> => Nullable<Bytea>,
        prev_hash: Option<Vec<u8>> => Nullable<Bytea>,
        prev_valid_until: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        session_created_at: DateTime<Utc> => Timestamptz,
        last_used_at: DateTime<Utc> => Timestamptz,
        expires_at: DateTime<Utc> => Timestamptz,
        absolute_expires_at: DateTime<Utc> => Timestamptz,
        user_agent: Option<String> => Nullable<Text>,
        ip: Option<String> => Nullable<Text>,
        account: AccountRow => AccountColumns,
    }
}

fn token_hash(bytes: &[u8]) -> Result<TokenHash, UserError> {
    let bytes = bytes.try_into().map_err(|_| unreadable("sessions", "hash of 32 bytes"))?;
    Ok(TokenHash::new(bytes))
}

impl SessionRow {
    fn read(self) -> Result<(Session, Account), UserError> {
        let account = self.account.read()?;
        let client = ClientId::parse(&self.client_id).ok_or_else(|| unreadable("sessions", "client id"))?;
        let previous = self.prev_hash.as_deref().map(token_hash).transpose()?.zip(self.prev_valid_until);
        let next = self.next_hash.as_deref().map(token_hash).transpose()?;
        let session = Session {
            id: SessionId::new(self.session_id),
            user: account.user.id,
            client,
            tokens: TokenState { current: token_hash(&self.token_hash)?, next, previous },
            created_at: self.session_created_at,
            last_used_at: self.last_used_at,
            expires_at: self.expires_at,
            absolute_expires_at: self.absolute_expires_at,
            device: Device { user_agent: self.user_agent, ip: self.ip.and_then(|ip| ip.parse().ok()) },
        };
        Ok((session, account))
    }
}

/// What an insert and an update of a user have in common.
macro_rules! user_values {
    ($user:expr) => {
        (
            users::username.eq($user.username.as_str()),
            users::provider.eq($user.provider.as_str()),
            users::email.eq($user.email.as_ref().map(EmailAddress::as_str)),
            users::first_name.eq($user.first_name.as_str()),
            users::last_name.eq($user.last_name.as_str()),
            users::staff_role.eq($user.staff_role.map(StaffRole::as_str)),
            users::language.eq($user.language.as_str()),
            users::must_change_password.eq($user.must_change_password),
            users::locked_at.eq($user.locked_at),
            users::deleted_at.eq($user.deleted_at),
            users::last_sign_in_at.eq($user.last_sign_in_at),
            users::former_uid.eq($user.former_uid.as_ref().map(|former| &former.uid)),
            users::uid_changed_at.eq($user.former_uid.as_ref().map(|former| former.changed_at)),
            users::updated_at.eq($user.updated_at),
        )
    };
}
fn insert_user(connection: &mut PgConnection, user: &User, password_hash: &PasswordHash) -> QueryResult<()> {
    diesel::insert_into(users::table)
        .values((
            (
                users::id.eq(user.id.uuid()),
                users::created_at.eq(user.created_at),
                users::password_hash.eq(password_hash.reveal()),
            ),
            user_values!(user),
        ))
        .execute(connection)
        .map(drop)
}

fn insert_session(connection: &mut PgConnection, session: &Session) -> QueryResult<()> {
    let tokens = &session.tokens;
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(session.id.uuid()),
            sessions::user_id.eq(session.user.uuid()),
            sessions::client_id.eq(session.client.as_str()),
            sessions::token_hash.eq(tokens.current.bytes().as_slice()),
            sessions::next_hash.eq(tokens.next.as_ref().map(|hash| hash.bytes().as_slice())),
            sessions::prev_hash.eq(tokens.previous.as_ref().map(|(hash, _)| hash.bytes().as_slice())),
            sessions::prev_valid_until.eq(tokens.previous.map(|(_, until)| until)),
            sessions::created_at.eq(session.created_at),
            sessions::last_used_at.eq(session.last_used_at),
            sessions::expires_at.eq(session.expires_at),
            sessions::absolute_expires_at.eq(session.absolute_expires_at),
            sessions::user_agent.eq(&session.device.user_agent),
            sessions::ip.eq(session.device.ip.map(|ip| ip.to_string())),
        ))
        .execute(connection)
        .map(drop)
}

/// Stores the hash and ends what the ground does not keep.
fn set_password(connection: &mut PgConnection, update: &PasswordUpdate) -> Outcome<()> {
    let user = update.user.uuid();
    let is_issued = update.ground == PasswordGround::Issued;
    let let_in = users::locked_at.is_null().or(is_issued.into_sql::<Bool>());
    let changed = diesel::update(users::table.find(user).filter(users::deleted_at.is_null().and(let_in)))
        .set((
            users::password_hash.eq(update.password_hash.reveal()),
            users::must_change_password.eq(is_issued),
            users::updated_at.eq(update.at),
        ))
        .execute(connection)?;
    if changed == 0 {
        return refuse(match update.ground {
            PasswordGround::Session(_) => UserError::NotSignedIn,
            PasswordGround::Reset(..) => UserError::ResetTokenNotUsable,
            PasswordGround::Issued => Refusal::NotFound.into(),
        });
    }
    match &update.ground {
        PasswordGround::Session(kept) => {
            // The user's row is locked by now: a session that another change of password has ended is gone for good.
            let own = sessions::table.find(kept.uuid()).filter(sessions::user_id.eq(user));
            if !diesel::select(diesel::dsl::exists(own)).get_result::<bool>(connection)? {
                return refuse(UserError::NotSignedIn);
            }
            let others = sessions::table.filter(sessions::user_id.eq(user).and(sessions::id.ne(kept.uuid())));
            diesel::delete(others).execute(connection)?;
        }
        PasswordGround::Reset(reset, session) => {
            let usable = password_resets::table
                .find(reset.uuid())
                .filter(password_resets::used_at.is_null().and(password_resets::expires_at.gt(update.at)));
            let count =
                diesel::update(usable).set(password_resets::used_at.eq(update.at)).execute(connection)?;
            if count == 0 {
                return refuse(UserError::ResetTokenNotUsable);
            }
            diesel::delete(sessions::table.filter(sessions::user_id.eq(user))).execute(connection)?;
            insert_session(connection, session)?;
        }
        PasswordGround::Issued => {
            diesel::delete(sessions::table.filter(sessions::user_id.eq(user))).execute(connection)?;
        }
    }
    end_resets(connection, update.user, update.at)?;
    Ok(())
}

/// Ends all sessions of a user, and what could open one without the password.
pub(crate) fn end_sessions(
    connection: &mut PgConnection,
    user: UserId,
    at: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::delete(sessions::table.filter(sessions::user_id.eq(user.uuid()))).execute(connection)?;
    end_resets(connection, user, at)
}

/// Uses up all reset links of a user.
fn end_resets(connection: &mut PgConnection, user: UserId, at: DateTime<Utc>) -> QueryResult<()> {
    let open = password_resets::user_id.eq(user.uuid()).and(password_resets::used_at.is_null());
    diesel::update(password_resets::table.filter(open))
        .set(password_resets::used_at.eq(at))
        .execute(connection)
        .map(drop)
}

type CredentialsRow = (Uuid, Option<String>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

fn read_credentials((user, hash, locked_at, deleted_at): CredentialsRow) -> StoredCredentials {
    StoredCredentials {
        user: UserId::new(user),
        password_hash: hash.map(PasswordHash::new),
        is_active: locked_at.is_none() && deleted_at.is_none(),
    }
}

const CREDENTIALS: (users::id, users::password_hash, users::locked_at, users::deleted_at) =
    (users::id, users::password_hash, users::locked_at, users::deleted_at);

#[async_trait]
impl UserRepository for PgUsers {
    async fn find_credentials(&self, login: &Login) -> Result<Option<StoredCredentials>, UserError> {
        let login = login.clone();
        let found = self.pg.read(move |connection| {
            let columns = users::table.select(CREDENTIALS);
            let row: Option<CredentialsRow> = match login.provider {
                Provider::Email => {
                    columns.filter(users::email.eq(login.name)).first(connection).optional()?
                }
                Provider::Username => {
                    columns.filter(users::username.eq(login.name)).first(connection).optional()?
                }
            };
            Ok(row.map(read_credentials))
        });
        found.await.map_err(PgError::into_storage)
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, UserError> {
        Ok(self.find_account(id).await?.map(|account| account.user))
    }

    async fn find_credentials_by_id(&self, user: UserId) -> Result<Option<StoredCredentials>, UserError> {
        let found = self.pg.read(move |connection| {
            let row: Option<CredentialsRow> =
                users::table.find(user.uuid()).select(CREDENTIALS).first(connection).optional()?;
            Ok(row.map(read_credentials))
        });
        found.await.map_err(PgError::into_storage)
    }

    async fn exists_username(&self, username: &Username) -> Result<bool, UserError> {
        let name = username.as_str().to_owned();
        let found = self.pg.read(move |connection| {
            // An address stays taken by whoever keeps it for mail under another name.
            let same = users::table.filter(users::username.eq(&name).or(users::email.eq(&name)));
            Ok(diesel::select(diesel::dsl::exists(same)).get_result(connection)?)
        });
        found.await.map_err(PgError::into_storage)
    }

    async fn exists_usable_invitation(
        &self,
        code: &InviteCode,
        now: DateTime<Utc>,
    ) -> Result<bool, UserError> {
        let code = code.as_str().to_owned();
        let found = self.pg.read(move |connection| {
            let usable = invitations::table
                .filter(invitations::code.eq(code).and(invitations::status.eq("pending")))
                .filter(invitations::expires_at.gt(now));
            Ok(diesel::select(diesel::dsl::exists(usable)).get_result(connection)?)
        });
        found.await.map_err(PgError::into_storage)
    }

    async fn register(&self, registration: Registration) -> Result<Account, UserError> {
        let Registration { user, password_hash, invite_code, session } = registration;
        let registered = self.pg.write(move |connection| {
            insert_user(connection, &user, &password_hash)?;
            if let Some(code) = invite_code {
                let taken = take_membership(connection, &code, user.id, session.created_at)?;
                taken.ok_or(PgError::Refused(UserError::InvitationNotUsable))?;
            }
            insert_session(connection, &session)?;
            load_account(connection, user.id)
        });
        registered.await.map_err(|error| {
            error.into_domain(|constraint| match constraint {
                // Somebody who signs up with an address typed it as the username.
                "users_username_key" | "users_email_key" => Some(UserError::username_taken()),
                _ => None,
            })
        })
    }

    async fn insert_staff(
        &self,
        user: User,
        password_hash: PasswordHash,
        only_first: bool,
    ) -> Result<(), UserError> {
        let inserted = self.pg.write(move |connection| {
            if only_first {
                diesel::sql_query("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE").execute(connection)?;
            }
            let admins = users::table
                .filter(users::staff_role.eq("admin"))
                .filter(users::locked_at.is_null().and(users::deleted_at.is_null()));
            if only_first && diesel::select(diesel::dsl::exists(admins)).get_result(connection)? {
                return refuse(UserError::StaffAdminExists);
            }
            Ok(insert_user(connection, &user, &password_hash)?)
        });
        inserted.await.map_err(|error| error.into_domain(taken))
    }

    async fn update(
        &self,
        id: UserId,
        edit: UserEdit,
        password: Option<PasswordUpdate>,
    ) -> Result<Option<(Account, bool)>, UserError> {
        let updated = self.pg.write(move |connection| {
            let present = users::table.find(id.uuid()).filter(users::deleted_at.is_null());
            // Two who change each other at once need each other's key for the audit row: it stays free.
            let locked: Option<Uuid> =
                present.select(users::id).for_no_key_update().first(connection).optional()?;
            if locked.is_none() {
                return Ok(None);
            }
            let mut account = load_account(connection, id)?;
            let (old_address, was_active) = (account.user.email.clone(), account.user.is_active());
            let entry = match edit(&mut account).map_err(PgError::Refused)? {
                UserChange::None => return Ok(Some((account, false))),
                UserChange::Own => None,
                UserChange::ByOther(entry) => Some(entry),
            };
            let user = account.user;
            diesel::update(users::table.find(id.uuid())).set(user_values!(user)).execute(connection)?;
            if user.email != old_address {
                // Whoever reads the old mailbox must not be able to use a link that was sent there.
                end_resets(connection, id, user.updated_at)?;
            }
            if was_active && !user.is_active() {
                end_sessions(connection, id, user.updated_at)?;
            }
            if let Some(password) = &password {
                set_password(connection, password)?;
            }
            if let Some(entry) = entry {
                audit::insert(connection, *entry)?;
            }
            Ok(Some((load_account(connection, id)?, true)))
        });
        updated.await.map_err(|error| error.into_domain(taken))
    }

    async fn update_password(&self, update: PasswordUpdate) -> Result<Account, UserError> {
        let updated = self.pg.write(move |connection| {
            set_password(connection, &update)?;
            load_account(connection, update.user)
        });
        updated.await.map_err(PgError::into_storage)
    }

    async fn delete(&self, id: UserId, at: DateTime<Utc>) -> Result<(), UserError> {
        let deleted = self.pg.write(move |connection| {
            hold_organizations(connection, id)?;
            require_other_admins(connection, id)?;
            if leave(connection, id, at)? { Ok(()) } else { refuse(UserError::NotSignedIn) }
        });
        deleted.await.map_err(PgError::into_storage)
    }

    async fn erase_deleted(
        &self,
        deleted_before: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Result<u64, UserError> {
        let erased = self.pg.write(move |connection| Ok(erase_due(connection, deleted_before, at)? as u64));
        erased.await.map_err(PgError::into_storage)
    }

    async fn erase(
        &self,
        id: UserId,
        at: DateTime<Utc>,
        decide: ErasureDecision,
    ) -> Result<Erasure, UserError> {
        let erased = self.pg.write(move |connection| erase(connection, id, at, decide));
        erased.await.map_err(PgError::into_storage)
    }
}

#[async_trait]
impl SessionRepository for PgUsers {
    async fn find(&self, client: &ClientId) -> Result<Option<(Session, Account)>, UserError> {
        let client = client.as_str().to_owned();
        let row = self
            .pg
            .read(move |connection| {
                Ok(statement(SESSION)
                    .bind::<Text, _>(client)
                    .rows::<SessionColumns>()
                    .get_result::<SessionRow>(connection)
                    .optional()?)
            })
            .await
            .map_err(PgError::<UserError>::into_storage)?;
        row.map(SessionRow::read).transpose()
    }

    async fn open(&self, session: Session, limit: u32) -> Result<Account, UserError> {
        let opened = self.pg.write(move |connection| {
            let user = session.user.uuid();
            // First, because it locks the user's row: sign-ins of one user then count each other's sessions.
            let active =
                users::table.find(user).filter(users::locked_at.is_null().and(users::deleted_at.is_null()));
            let noted = diesel::update(active)
                .set(users::last_sign_in_at.eq(session.created_at))
                .execute(connection)?;
            if noted == 0 {
                return refuse(UserError::InvalidCredentials);
            }
            insert_session(connection, &session)?;
            let surplus = sessions::table
                .filter(sessions::user_id.eq(user).and(sessions::id.ne(session.id.uuid())))
                .order((sessions::last_used_at.desc(), sessions::id.desc()))
                .offset(i64::from(limit.saturating_sub(1)))
                .select(sessions::id);
            let surplus: Vec<Uuid> = surplus.load(connection)?;
            if !surplus.is_empty() {
                diesel::delete(sessions::table.filter(sessions::id.eq_any(surplus))).execute(connection)?;
            }
            load_account(connection, session.user)
        });
        opened.await.map_err(PgError::into_storage)
    }

    async fn touch(
        &self,
        id: SessionId,
        used_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), UserError> {
        let touched = self.pg.write(move |connection| {
            statement(
                "UPDATE sessions SET last_used_at = greatest(last_used_at, {}), expires_at = greatest(expires_at, {}) \
                 WHERE id = {}",
            )
            .bind::<Timestamptz, _>(used_at)
            .bind::<Timestamptz, _>(expires_at)
            .bind::<SqlUuid, _>(id.uuid())
            .execute(connection)?;
            Ok(())
        });
        touched.await.map_err(PgError::into_storage)
    }

    async fn rotate(&self, id: SessionId, expected: TokenHash, tokens: TokenState) -> Result<(), UserError> {
        let rotated = self.pg.write(move |connection| {
            let presented = sessions::token_hash.eq(expected.bytes().as_slice());
            diesel::update(sessions::table.find(id.uuid()).filter(presented))
                .set((
                    sessions::token_hash.eq(tokens.current.bytes().as_slice()),
                    sessions::next_hash.eq(tokens.next.as_ref().map(|hash| hash.bytes().as_slice())),
                    sessions::prev_hash.eq(tokens.previous.as_ref().map(|(hash, _)| hash.bytes().as_slice())),
                    sessions::prev_valid_until.eq(tokens.previous.map(|(_, until)| until)),
                ))
                .execute(connection)?;
            Ok(())
        });
        rotated.await.map_err(PgError::into_storage)
    }

    async fn delete(&self, id: SessionId) -> Result<(), UserError> {
        let deleted = self.pg.write(move |connection| {
            diesel::delete(sessions::table.find(id.uuid())).execute(connection)?;
            Ok(())
        });
        deleted.await.map_err(PgError::into_storage)
    }

    async fn purge(&self, ended_before: DateTime<Utc>) -> Result<u64, UserError> {
        let purged = self.pg.write(move |connection| {
            let resets = password_resets::table.filter(password_resets::expires_at.lt(ended_before));
            diesel::delete(resets).execute(connection)?;
            let ended = sessions::table.filter(sessions::expires_at.lt(ended_before));
            Ok(diesel::delete(ended).execute(connection)? as u64)
        });
        purged.await.map_err(PgError::into_storage)
    }
}

type ResetRow = (Uuid, Uuid, Vec<u8>, String, DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>);

fn read_reset(row: ResetRow) -> Result<PasswordReset, UserError> {
    let (id, user, token, redirect_url, created_at, expires_at, used_at) = row;
    Ok(PasswordReset {
        id: PasswordResetId::new(id),
        user: UserId::new(user),
        token: token_hash(&token)?,
        redirect: RedirectTarget::from_stored(&redirect_url)
            .ok_or_else(|| unreadable("password_resets", "URL"))?,
        created_at,
        expires_at,
        used_at,
    })
}

#[async_trait]
impl PasswordResetRepository for PgUsers {
    async fn insert(&self, reset: PasswordReset) -> Result<(), UserError> {
        let inserted = self.pg.write(move |connection| {
            // Locked first, so that of two requests at once the second sees and ends the first.
            let user = users::table.find(reset.user.uuid()).select(users::id);
            user.for_no_key_update().execute(connection)?;
            end_resets(connection, reset.user, reset.created_at)?;
            diesel::insert_into(password_resets::table)
                .values((
                    password_resets::id.eq(reset.id.uuid()),
                    password_resets::user_id.eq(reset.user.uuid()),
                    password_resets::token_hash.eq(reset.token.bytes().as_slice()),
                    password_resets::redirect_url.eq(reset.redirect.as_str()),
                    password_resets::created_at.eq(reset.created_at),
                    password_resets::expires_at.eq(reset.expires_at),
                    password_resets::used_at.eq(reset.used_at),
                ))
                .execute(connection)?;
            Ok(())
        });
        inserted.await.map_err(PgError::into_storage)
    }

    async fn find(&self, token: &TokenHash) -> Result<Option<PasswordReset>, UserError> {
        let token = *token;
        let row = self
            .pg
            .read(move |connection| {
                let found = password_resets::table
                    .filter(password_resets::token_hash.eq(token.bytes().as_slice()))
                    .select((
                        password_resets::id,
                        password_resets::user_id,
                        password_resets::token_hash,
                        password_resets::redirect_url,
                        password_resets::created_at,
                        password_resets::expires_at,
                        password_resets::used_at,
                    ));
                Ok(found.first::<ResetRow>(connection).optional()?)
            })
            .await
            .map_err(PgError::<UserError>::into_storage)?;
        row.map(read_reset).transpose()
    }
}
