//! How people leave the platform: first the account, then everything that tells who they were.

use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{Refusal, UserId};
use domain_users::ports::ErasureDecision;
use domain_users::{Erasure, Kept, Replaced, UserError};
use uuid::Uuid;

use crate::assignments::withdraw_open;
use crate::audit;
use crate::error::PgError;
use crate::schema::{memberships, users};
use crate::sql::{row, statement};
use crate::users::{Outcome, end_sessions, load_account, refuse};

/// Locks the organizations of a user's active memberships until the transaction ends: in the order of ids, so that two last
/// admins who leave at once neither dead-lock nor both get away; and all of them, so that nobody is made an admin meanwhile.
pub(crate) fn hold_organizations(connection: &mut PgConnection, user: UserId) -> QueryResult<()> {
    let organizations = statement(
        "SELECT o.id FROM organizations o WHERE o.id IN (SELECT organization_id FROM memberships \
         WHERE user_id = {} AND status = 'active') ORDER BY o.id FOR NO KEY UPDATE",
    );
    organizations.bind::<SqlUuid, _>(user.uuid()).execute(connection).map(drop)
}

/// Fails if one of the held organizations would be left without an active admin.
pub(crate) fn require_other_admins(connection: &mut PgConnection, user: UserId) -> Outcome<()> {
    let own = memberships::user_id.eq(user.uuid()).and(memberships::org_admin);
    let administered: Vec<Uuid> = memberships::table
        .filter(own.and(memberships::status.eq("active")))
        .select(memberships::organization_id)
        .load(connection)?;
    let other_admins = memberships::table
        .filter(memberships::organization_id.eq_any(&administered))
        .filter(memberships::org_admin.and(memberships::status.eq("active")))
        .filter(memberships::user_id.ne(user.uuid()))
        .select(memberships::organization_id)
        .distinct();
    let covered: Vec<Uuid> = other_admins.load(connection)?;
    if covered.len() < administered.len() { refuse(UserError::LastOrgAdmin) } else { Ok(()) }
}

/// Marks the user deleted, ends all sessions and reset links and deactivates all memberships. False, changing nothing, if the
/// user is gone already.
pub(crate) fn leave(connection: &mut PgConnection, id: UserId, at: DateTime<Utc>) -> QueryResult<bool> {
    let user = id.uuid();
    let marked = diesel::update(users::table.find(user).filter(users::deleted_at.is_null()))
        .set((users::deleted_at.eq(at), users::updated_at.eq(at)))
        .execute(connection)?;
    if marked == 0 {
        return Ok(false);
    }
    end_sessions(connection, id, at)?;
    let active =
        memberships::table.filter(memberships::user_id.eq(user).and(memberships::status.eq("active")));
    diesel::update(active)
        .set((
            memberships::status.eq("deactivated"),
            memberships::org_admin.eq(false),
            memberships::deactivated_at.eq(at),
            memberships::updated_at.eq(at),
        ))
        .execute(connection)?;
    let own = memberships::table.filter(memberships::user_id.eq(user)).select(memberships::id);
    let own: Vec<Uuid> = own.load(connection)?;
    withdraw_open(connection, &own, at)?;
    statement(
        "DELETE FROM team_admins WHERE membership_id IN (SELECT id FROM memberships WHERE user_id = {})",
    )
    .bind::<SqlUuid, _>(user)
    .execute(connection)?;
    Ok(true)
}

/// The invitations of the users `due` that were mailed: the latest ones of their memberships, and those that they accepted for
/// places which are no longer theirs.
macro_rules! mailed_invitations {
    () => {
        "SELECT i.id FROM due JOIN invitations i ON i.accepted_by = due.id AND i.sent_to IS NOT NULL \
         UNION SELECT i.id FROM due JOIN memberships m ON m.user_id = due.id \
         JOIN invitations i ON i.membership_id = m.id AND i.sent_to IS NOT NULL"
    };
}

/// Puts tombstones in the place of everything that tells who the users were: the one list of what is personal.
const ERASE: &str = concat!(
    "WITH due AS (SELECT unnest({}::uuid[]) AS id), \
     roster AS (UPDATE memberships m SET first_name = 'Erased', last_name = 'Person', email = NULL, \
        external_id = NULL, updated_at = {} FROM due WHERE m.user_id = due.id), \
     reports AS (UPDATE import_rows r SET key = NULL, problems = (SELECT jsonb_agg(p || jsonb_build_object('value', '')) \
        FROM jsonb_array_elements(r.problems) p) FROM due JOIN memberships m ON m.user_id = due.id \
        JOIN imports i ON i.organization_id = m.organization_id \
        WHERE r.import_id = i.id AND r.problems IS NOT NULL AND r.key IN (m.external_id, m.email::text)), \
     mails AS (UPDATE invitations SET sent_to = NULL, sent_at = NULL WHERE id IN (",
    mailed_invitations!(),
    ")) \
     UPDATE users u SET username = 'erased-' || gen_random_uuid(), provider = 'username', email = NULL, \
        first_name = 'Erased', last_name = 'Person', password_hash = NULL, staff_role = NULL, \
        former_uid = NULL, uid_changed_at = NULL, last_sign_in_at = NULL, erased_at = {}, updated_at = {} \
     FROM due WHERE u.id = due.id"
);

fn erase_all(connection: &mut PgConnection, users: Vec<Uuid>, at: DateTime<Utc>) -> QueryResult<usize> {
    statement(ERASE)
        .bind::<Array<SqlUuid>, _>(users)
        .bind::<Timestamptz, _>(at)
        .bind::<Timestamptz, _>(at)
        .bind::<Timestamptz, _>(at)
        .execute(connection)
}

/// Erases users who were deleted before a time, as many as one round takes. Gives their number.
pub(crate) fn erase_due(
    connection: &mut PgConnection,
    deleted_before: DateTime<Utc>,
    at: DateTime<Utc>,
) -> QueryResult<usize> {
    let due = statement(
        "SELECT id FROM users WHERE deleted_at < {} AND erased_at IS NULL LIMIT 1000 FOR UPDATE SKIP LOCKED",
    );
    let due: Vec<Uuid> = due.bind::<Timestamptz, _>(deleted_before).rows::<SqlUuid>().load(connection)?;
    if due.is_empty() { Ok(0) } else { erase_all(connection, due, at) }
}

/// What is there of a user. Nothing is to be replaced of one who is erased.
const FOUND: &str = concat!(
    "WITH due AS (SELECT id FROM users WHERE id = {} AND erased_at IS NULL) \
     SELECT u.erased_at, \
        (SELECT a.id FROM audit_log a WHERE a.subject_kind = 'user' AND a.subject_id = u.id AND a.action = 'user.erase' \
            ORDER BY a.at DESC LIMIT 1) AS receipt, \
        (SELECT count(*) FROM due) AS accounts, \
        (SELECT count(*) FROM due JOIN memberships m ON m.user_id = due.id) AS memberships, \
        (SELECT count(*) FROM (",
    mailed_invitations!(),
    ") mailed) AS invitations, \
        (SELECT count(*) FROM due JOIN sessions s ON s.user_id = due.id) AS sessions, \
        (SELECT count(*) FROM due JOIN password_resets r ON r.user_id = due.id AND r.used_at IS NULL) AS reset_links, \
        (SELECT count(*) FROM assignments a WHERE a.user_id = u.id) AS assignments, \
        (SELECT count(*) FROM assignments a JOIN progress_events e ON e.assignment_id = a.id WHERE a.user_id = u.id) \
            AS progress_events, \
        (SELECT count(*) FROM champion_certifications c WHERE c.user_id = u.id) AS champion_certifications, \
        (SELECT count(*) FROM refinements r WHERE r.created_by = u.id) AS refinements, \
        (SELECT count(*) FROM audit_log a WHERE a.actor_id = u.id) \
            + (SELECT count(*) FROM audit_log a WHERE a.subject_kind = 'user' AND a.subject_id = u.id AND a.actor_id <> u.id) \
            AS audit_rows \
     FROM users u WHERE u.id = {}"
);

row! {
    struct FoundRow, FoundColumns {
        erased_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        receipt: Option<Uuid> => Nullable<SqlUuid>,
        accounts: i64 => BigInt,
        memberships: i64 => BigInt,
        invitations: i64 => BigInt,
        sessions: i64 => BigInt,
        reset_links: i64 => BigInt,
        assignments: i64 => BigInt,
        progress_events: i64 => BigInt,
        champion_certifications: i64 => BigInt,
        refinements: i64 => BigInt,
        audit_rows: i64 => BigInt,
    }
}

fn find(connection: &mut PgConnection, id: UserId) -> Outcome<Erasure> {
    let account = load_account(connection, id)?;
    let found = statement(FOUND).bind::<SqlUuid, _>(id.uuid()).bind::<SqlUuid, _>(id.uuid());
    let row: FoundRow = found.rows::<FoundColumns>().get_result(connection)?;
    Ok(Erasure {
        account,
        erased_at: row.erased_at,
        receipt: row.receipt.filter(|_| row.erased_at.is_some()),
        replaced: Replaced {
            accounts: row.accounts,
            memberships: row.memberships,
            invitations: row.invitations,
            sessions: row.sessions,
            reset_links: row.reset_links,
        },
        kept: Kept {
            assignments: row.assignments,
            progress_events: row.progress_events,
            champion_certifications: row.champion_certifications,
            refinements: row.refinements,
            audit_rows: row.audit_rows,
        },
    })
}

/// See [`UserRepository::erase`](domain_users::ports::UserRepository::erase).
pub(crate) fn erase(
    connection: &mut PgConnection,
    id: UserId,
    at: DateTime<Utc>,
    decide: ErasureDecision,
) -> Outcome<Erasure> {
    // The organizations before the user, as deleting an account does.
    hold_organizations(connection, id)?;
    let user = users::table.find(id.uuid()).select(users::id).for_no_key_update();
    let locked: Option<Uuid> = user.first(connection).optional()?;
    if locked.is_none() {
        return refuse(Refusal::NotFound.into());
    }
    let found = find(connection, id)?;
    let audit = decide(&found).map_err(PgError::Refused)?;
    require_other_admins(connection, id)?;
    let Some(audit) = audit else { return Ok(found) };
    leave(connection, id, at)?;
    erase_all(connection, vec![id.uuid()], at)?;
    let receipt = audit.id;
    audit::insert(connection, audit)?;
    Ok(Erasure { erased_at: Some(at), receipt: Some(receipt), ..found })
}
