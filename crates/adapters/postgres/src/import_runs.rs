use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::connection::SimpleConnection;
use diesel::pg::{CopyFormat, PgConnection};
use diesel::prelude::*;
use diesel::result::Error::DatabaseError;
use diesel::result::{DatabaseErrorKind, QueryResult};
use diesel::sql_types::{Array, BigInt, Bool, Date, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{
    EmailAddress, ExternalId, ImportId, InviteCode, JobTitle, MembershipId, OrgId, PersonName, StorageError,
    TeamId, UserId,
};
use domain_memberships::ports::{Begun, ImportRun, InviteCodeGenerator, RunEnd, RunLease};
use domain_memberships::roster::{
    Batch, Decision, ImportCounts, Known, Plan, Planner, RosterRow, RowKey, StagedLine, Survey,
};
use domain_memberships::{Invitation, Membership, MembershipError, MembershipStatus, WantedStatus};
use serde_json::Value;
use uuid::Uuid;

use crate::assignments::withdraw_open;
use crate::error::{PgError, unreadable};
use crate::imports::{ImportColumns, ImportRow, PgImports, import_columns, problems_value, read_problems};
use crate::invitations::revoke_pending;
use crate::membership_view::{MembershipColumns, MembershipRow, membership_columns};
use crate::memberships::{Outcome, end_sessions_of_departed};
use crate::orgs::lock_organization;
use crate::schema::{imports, memberships, roster_stage, users};
use crate::sql::{row, statement};
use crate::team_links::{Link, appoint, join};
use crate::training::{Affected, withdraw_unlisted};

/// Draws of codes for the invitations of a batch; each draws only those that are in use.
const CODE_ATTEMPTS: usize = 20;

/// How often a batch is begun anew because somebody else was faster.
const APPLY_ATTEMPTS: usize = 3;

row! {
    /// What a run has to know of its import.
    struct OwnRow, OwnColumns {
        organization: Uuid => SqlUuid,
        dry_run: bool => Bool,
        applied_line: i64 => BigInt,
        missing_after: Option<Uuid> => Nullable<SqlUuid>,
        reported: i64 => BigInt,
    }
}

/// Locks the import as long as it is the run's.
fn own(connection: &mut PgConnection, lease: RunLease) -> QueryResult<Option<OwnRow>> {
    statement(
        "SELECT organization_id, dry_run, applied_line, missing_after, reported FROM imports \
         WHERE id = {} AND run = {} AND state = 'running' FOR NO KEY UPDATE",
    )
    .bind::<SqlUuid, _>(lease.import.uuid())
    .bind::<SqlUuid, _>(lease.run)
    .rows::<OwnColumns>()
    .get_result(connection)
    .optional()
}

// --- Beginning and staging -----------------------------------------------------------------------------------------

const WAITS: &str = "SELECT EXISTS (SELECT FROM imports i WHERE i.organization_id = {} AND i.id <> {} \
     AND (i.state = 'running' OR (i.state = 'queued' AND (i.created_at, i.id) < ({}, {}))))";

fn begin(connection: &mut PgConnection, id: ImportId, run: Uuid, now: DateTime<Utc>) -> Outcome<Begun> {
    let load = concat!("SELECT ", import_columns!(), " FROM imports i WHERE i.id = {} FOR NO KEY UPDATE");
    let load = statement(load).bind::<SqlUuid, _>(id.uuid()).rows::<ImportColumns>();
    let Some(row) = load.get_result::<ImportRow>(connection).optional()? else { return Ok(Begun::Over) };
    let import = row.read().map_err(|error| PgError::Refused(error.into()))?;
    match import.state.as_str() {
        "running" => {}
        "queued" => {
            // Two that want to begin look one after the other.
            lock_organization::<MembershipError>(connection, import.organization)?;
            let waits = statement(WAITS)
                .bind::<SqlUuid, _>(import.organization.uuid())
                .bind::<SqlUuid, _>(id.uuid())
                .bind::<Timestamptz, _>(import.created_at)
                .bind::<SqlUuid, _>(id.uuid());
            if waits.rows::<Bool>().get_result(connection)? {
                return Ok(Begun::Later);
            }
        }
        _ => return Ok(Begun::Over),
    }
    let begun = (
        imports::state.eq("running"),
        imports::run.eq(Some(run)),
        imports::started_at.eq(Some(import.started_at.unwrap_or(now))),
        imports::trouble_code.eq(None::<String>),
        imports::trouble_message.eq(None::<String>),
    );
    diesel::update(imports::table.find(id.uuid())).set(begun).execute(connection)?;
    diesel::delete(roster_stage::table.filter(roster_stage::import_id.eq(id.uuid()))).execute(connection)?;
    Ok(Begun::Now(Box::new(import)))
}

/// A line as COPY reads it. The number comes first: a line that begins otherwise could end the copy.
fn write_line(csv: &mut csv::Writer<impl Write>, import: &str, staged: &StagedLine) -> csv::Result<()> {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let flag = |value: Option<bool>| value.map(|is| is.to_string()).unwrap_or_default();
    let head = [staged.line.to_string(), import.to_owned(), text(staged.key.as_deref())];
    let address = text(staged.address.as_deref());
    let rest = match &staged.row {
        Err(problems) => {
            let mut rest = [const { String::new() }; 11];
            rest[0] = problems_value(problems).to_string();
            rest[2] = address;
            rest
        }
        Ok(row) => [
            String::new(),
            match &row.key {
                RowKey::ExternalId(id) => id.as_str().to_owned(),
                RowKey::Email(_) => String::new(),
            },
            address,
            row.first_name.as_str().to_owned(),
            row.last_name.as_str().to_owned(),
            text(row.job_title.as_ref().map(JobTitle::as_str)),
            text(row.team.as_deref()),
            flag(row.org_admin),
            flag(row.team_admin),
            row.hired_on.map(|day| day.to_string()).unwrap_or_default(),
            text(row.status.map(|status| match status {
                WantedStatus::Active => "active",
                WantedStatus::Deactivated => "deactivated",
            })),
        ],
    };
    csv.write_record(head.iter().chain(&rest))
}

#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error(transparent)]
    Sql(#[from] diesel::result::Error),
    #[error("a line could not be written")]
    Line,
}

fn stage(connection: &mut PgConnection, import: Uuid, lines: &[StagedLine]) -> Result<(), CopyError> {
    let import = import.to_string();
    diesel::copy_from(roster_stage::table)
        .from_raw_data(roster_stage::table, |copy| {
            let mut csv = csv::Writer::from_writer(copy);
            for line in lines {
                write_line(&mut csv, &import, line).map_err(|_| CopyError::Line)?;
            }
            csv.flush().map_err(|_| CopyError::Line)
        })
        .with_format(CopyFormat::Csv)
        .execute(connection)
        .map(drop)
}

/// Of lines about the same person the last good one counts.
const REJECT_DUPLICATES: &str = "UPDATE roster_stage s SET problems = jsonb_build_array(jsonb_build_object( \
        'column', {}::text, 'code', 'duplicate_in_file', 'message', 'is in line ' || d.last || ' again, which is the one that counts', \
        'value', left(s.key, 100))) \
     FROM (SELECT key, max(line) AS last FROM roster_stage WHERE import_id = {} AND problems IS NULL \
        GROUP BY key HAVING count(*) > 1) d \
     WHERE s.import_id = {} AND s.key = d.key AND s.line < d.last AND s.problems IS NULL";

/// Who has no number may be found by the address.
const SURVEY: &str = "SELECT count(*), count(*) FILTER (WHERE p.leaves), count(*) FILTER (WHERE p.runs), \
        count(*) FILTER (WHERE p.runs AND NOT p.leaves AND NOT p.demoted), \
        (SELECT count(*) FROM roster_stage WHERE import_id = {} AND key IS NULL) \
     FROM (SELECT m.org_admin AND m.status = 'active' AS runs, coalesce(k.demoted, a.demoted, false) AS demoted, \
            (k.key IS NULL AND a.email IS NULL) OR coalesce(k.leaves, a.leaves, false) AS leaves \
        FROM memberships m LEFT JOIN (SELECT key, bool_or(problems IS NULL AND status = 'deactivated') AS leaves, \
            bool_or(problems IS NULL AND org_admin = false) AS demoted FROM roster_stage \
            WHERE import_id = {} AND key IS NOT NULL GROUP BY key) k \
            ON k.key = CASE WHEN {} THEN m.external_id ELSE m.email::text END \
        LEFT JOIN (SELECT email, bool_or(problems IS NULL AND status = 'deactivated') AS leaves, \
            bool_or(problems IS NULL AND org_admin = false) AS demoted FROM roster_stage \
            WHERE import_id = {} AND email IS NOT NULL GROUP BY email) a \
            ON {} AND m.external_id IS NULL AND a.email = m.email::text \
        WHERE m.organization_id = {} AND m.status <> 'deactivated') p";

fn survey(connection: &mut PgConnection, lease: RunLease, by_number: bool) -> Outcome<Option<Survey>> {
    let import = lease.import.uuid();
    let Some(own) = own(connection, lease)? else { return Ok(None) };
    for_large_sets(connection)?;
    statement(REJECT_DUPLICATES)
        .bind::<Text, _>(if by_number { "external_id" } else { "email" })
        .bind::<SqlUuid, _>(import)
        .bind::<SqlUuid, _>(import)
        .execute(connection)?;
    statement("UPDATE imports SET rows_count = (SELECT count(*) FROM roster_stage WHERE import_id = {}) WHERE id = {}")
        .bind::<SqlUuid, _>(import)
        .bind::<SqlUuid, _>(import)
        .execute(connection)?;
    let (present, leaving, org_admins, staying_org_admins, lines_without_key) = statement(SURVEY)
        .bind::<SqlUuid, _>(import)
        .bind::<SqlUuid, _>(import)
        .bind::<Bool, _>(by_number)
        .bind::<SqlUuid, _>(import)
        .bind::<Bool, _>(by_number)
        .bind::<SqlUuid, _>(own.organization)
        .rows::<(BigInt, BigInt, BigInt, BigInt, BigInt)>()
        .get_result(connection)?;
    Ok(Some(Survey { present, leaving, org_admins, staying_org_admins, lines_without_key }))
}

/// For a statement that compares whole files with whole organizations: planned for what there is, and with memory for that.
fn for_large_sets(connection: &mut PgConnection) -> QueryResult<()> {
    connection.batch_execute("SET LOCAL work_mem = '64MB'; SET LOCAL plan_cache_mode = auto")
}

// --- What a batch is about -----------------------------------------------------------------------------------------

row! {
    struct StageRow, StageColumns {
        line: i64 => BigInt,
        key: Option<String> => Nullable<Text>,
        problems: Option<Value> => Nullable<Jsonb>,
        external_id: Option<String> => Nullable<Text>,
        email: Option<String> => Nullable<Text>,
        first_name: Option<String> => Nullable<Text>,
        last_name: Option<String> => Nullable<Text>,
        job_title: Option<String> => Nullable<Text>,
        team: Option<String> => Nullable<Text>,
        org_admin: Option<bool> => Nullable<Bool>,
        team_admin: Option<bool> => Nullable<Bool>,
        hired_on: Option<NaiveDate> => Nullable<Date>,
        status: Option<String> => Nullable<Text>,
    }
}

impl StageRow {
    fn read(self) -> Result<StagedLine, StorageError> {
        let incomplete = || unreadable("roster_stage", "complete line");
        let line = self.line.unsigned_abs();
        if let Some(problems) = &self.problems {
            return Ok(StagedLine {
                line: self.line,
                key: self.key,
                address: self.email,
                row: Err(read_problems(line, problems)),
            });
        }
        let address = self.email.clone();
        let email = self.email.map(EmailAddress::from_stored);
        let key = match (self.external_id, &email) {
            (Some(id), _) => RowKey::ExternalId(ExternalId::from_stored(id)),
            (None, Some(email)) => RowKey::Email(email.clone()),
            (None, None) => return Err(incomplete()),
        };
        let row = RosterRow {
            line,
            key,
            first_name: PersonName::from_stored(self.first_name.ok_or_else(incomplete)?),
            last_name: PersonName::from_stored(self.last_name.ok_or_else(incomplete)?),
            email,
            job_title: self.job_title.map(JobTitle::from_stored),
            team: self.team,
            org_admin: self.org_admin,
            team_admin: self.team_admin,
            hired_on: self.hired_on,
            status: self.status.map(|status| match status.as_str() {
                "deactivated" => WantedStatus::Deactivated,
                _ => WantedStatus::Active,
            }),
        };
        Ok(StagedLine { line: self.line, key: self.key, address, row: Ok(Box::new(row)) })
    }
}

const STAGED: &str = "SELECT line, key, problems, external_id, email, first_name, last_name, job_title, team, org_admin, \
        team_admin, hired_on, status \
     FROM roster_stage WHERE import_id = {} AND line > {} ORDER BY line LIMIT {}";

fn staged(connection: &mut PgConnection, import: Uuid, after: i64, limit: i64) -> Outcome<Vec<StagedLine>> {
    let rows: Vec<StageRow> = statement(STAGED)
        .bind::<SqlUuid, _>(import)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit)
        .rows::<StageColumns>()
        .load(connection)?;
    let lines = rows.into_iter().map(StageRow::read).collect::<Result<_, _>>();
    lines.map_err(|error| PgError::Refused(error.into()))
}

row! {
    struct KnownRow, KnownColumns {
        has_account: bool => Bool,
        membership: MembershipRow => MembershipColumns,
    }
}

macro_rules! known {
    ($which:literal) => {
        concat!(
            "SELECT u.id IS NOT NULL, ",
            membership_columns!(),
            " FROM memberships m LEFT JOIN users u ON u.id = m.user_id AND u.deleted_at IS NULL WHERE ",
            $which
        )
    };
}

const BY_NUMBER: &str = known!("m.organization_id = {} AND m.external_id = ANY({})");
const BY_ADDRESS: &str = known!("m.organization_id = {} AND m.email = ANY({}::citext[])");
const BY_ID: &str = known!("m.id = ANY({})");

fn read_known(rows: Vec<KnownRow>) -> Outcome<Vec<Known>> {
    let read = |row: KnownRow| Ok(Known { membership: row.membership.read()?, has_account: row.has_account });
    let known = rows.into_iter().map(read).collect::<Result<_, StorageError>>();
    known.map_err(|error| PgError::Refused(error.into()))
}

fn by_ids(connection: &mut PgConnection, ids: &[Uuid]) -> Outcome<Vec<Known>> {
    let found = statement(BY_ID).bind::<Array<SqlUuid>, _>(ids.to_vec());
    read_known(found.rows::<KnownColumns>().load(connection)?)
}

/// The database says which names are the same: it lower-cases some letters otherwise than we do.
const TEAMS: &str = "SELECT t.id, n.name FROM unnest({}::text[]) n (name) JOIN teams t ON t.organization_id = {} \
        AND lower(t.name) = lower(n.name) AND t.deleted_at IS NULL";

const ADMINS: &str =
    "SELECT count(*) FROM memberships WHERE organization_id = {} AND org_admin AND status = 'active'";

/// What the organization has that the lines may be about.
fn batch(connection: &mut PgConnection, organization: Uuid, lines: Vec<StagedLine>) -> Outcome<Batch> {
    let rows = || lines.iter().filter_map(|line| line.row.as_ref().ok());
    let numbers: Vec<String> = rows()
        .filter_map(|row| match &row.key {
            RowKey::ExternalId(id) => Some(id.as_str().to_owned()),
            RowKey::Email(_) => None,
        })
        .collect();
    let mut known = Vec::new();
    if !numbers.is_empty() {
        let found = statement(BY_NUMBER).bind::<SqlUuid, _>(organization).bind::<Array<Text>, _>(numbers);
        known = read_known(found.rows::<KnownColumns>().load(connection)?)?;
    }
    let addresses: Vec<String> = {
        let found: HashSet<&str> = known
            .iter()
            .filter_map(|known| known.membership.external_id.as_ref())
            .map(ExternalId::as_str)
            .collect();
        rows()
            .filter(|row| !found.contains(row.key.as_str()))
            .filter_map(|row| row.email.as_ref())
            .map(|email| email.as_str().to_owned())
            .collect()
    };
    if !addresses.is_empty() {
        let found = statement(BY_ADDRESS).bind::<SqlUuid, _>(organization).bind::<Array<Text>, _>(addresses);
        let there: HashSet<MembershipId> = known.iter().map(|known| known.membership.id).collect();
        let found = read_known(found.rows::<KnownColumns>().load(connection)?)?;
        known.extend(found.into_iter().filter(|known| !there.contains(&known.membership.id)));
    }
    let names: BTreeSet<String> = rows().filter_map(|row| row.team.clone()).collect();
    let mut teams = BTreeMap::new();
    if !names.is_empty() {
        let found = statement(TEAMS)
            .bind::<Array<Text>, _>(names.into_iter().collect::<Vec<_>>())
            .bind::<SqlUuid, _>(organization);
        let found: Vec<(Uuid, String)> = found.rows::<(SqlUuid, Text)>().load(connection)?;
        teams = found.into_iter().map(|(id, name)| (name.to_lowercase(), TeamId::new(id))).collect();
    }
    let org_admins =
        statement(ADMINS).bind::<SqlUuid, _>(organization).rows::<BigInt>().get_result(connection)?;
    Ok(Batch { lines, known, teams, org_admins })
}

/// Locks memberships, their users first and all in the order of their ids, as everybody does who changes both.
fn lock(connection: &mut PgConnection, known: &[&Known]) -> QueryResult<()> {
    let people: Vec<Uuid> = known.iter().filter_map(|known| Some(known.membership.user?.uuid())).collect();
    if !people.is_empty() {
        let people = users::table.filter(users::id.eq_any(people)).select(users::id).order(users::id);
        people.for_no_key_update().load::<Uuid>(connection)?;
    }
    let ids: Vec<Uuid> = known.iter().map(|known| known.membership.id.uuid()).collect();
    let rows = memberships::table.filter(memberships::id.eq_any(ids)).select(memberships::id);
    rows.order(memberships::id).for_no_key_update().load::<Uuid>(connection).map(drop)
}

// --- Writing -------------------------------------------------------------------------------------------------------

/// A membership that is written, with what it was.
struct Written<'a> {
    before: Option<&'a Membership>,
    after: &'a Membership,
    invitation: Option<&'a Invitation>,
}

fn written(decisions: &[Decision]) -> Vec<Written<'_>> {
    fn write(decision: &Decision) -> Option<Written<'_>> {
        let Decision::Write { before, after, invitation, .. } = decision else { return None };
        Some(Written { before: before.as_deref(), after, invitation: invitation.as_deref() })
    }
    decisions.iter().filter_map(write).collect()
}

const INSERT_TEAMS: &str = "INSERT INTO teams (id, organization_id, name, created_at, updated_at) \
     SELECT n.id, {}, n.name, {}, {} FROM unnest({}::uuid[], {}::text[]) n (id, name) ON CONFLICT DO NOTHING";

/// Which team has the name of one that was to be made.
const SAME_TEAMS: &str = "SELECT n.id, t.id FROM unnest({}::uuid[], {}::text[]) n (id, name) JOIN teams t ON t.organization_id = {} \
        AND lower(t.name) = lower(n.name) AND t.deleted_at IS NULL WHERE t.id <> n.id";

/// Makes the teams of a plan. Where there is one by now, because somebody made it meanwhile or because the database takes two
/// names for the same, the plan is about that one.
fn make_teams(
    connection: &mut PgConnection,
    organization: OrgId,
    plan: &mut Plan,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    if plan.teams.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = plan.teams.iter().map(|team| team.id.uuid()).collect();
    let names: Vec<String> = plan.teams.iter().map(|team| team.name.clone()).collect();
    let made = statement(INSERT_TEAMS)
        .bind::<SqlUuid, _>(organization.uuid())
        .bind::<Timestamptz, _>(now)
        .bind::<Timestamptz, _>(now)
        .bind::<Array<SqlUuid>, _>(ids.clone())
        .bind::<Array<Text>, _>(names.clone())
        .execute(connection)?;
    if made == ids.len() {
        return Ok(());
    }
    let same: Vec<(Uuid, Uuid)> = statement(SAME_TEAMS)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Text>, _>(names)
        .bind::<SqlUuid, _>(organization.uuid())
        .rows::<(SqlUuid, SqlUuid)>()
        .load(connection)?;
    let same: BTreeMap<TeamId, TeamId> =
        same.into_iter().map(|(id, there)| (TeamId::new(id), TeamId::new(there))).collect();
    for decision in &mut plan.decisions {
        let Decision::Write { after, .. } = decision else { continue };
        let Membership { teams, administered_teams, .. } = &mut **after;
        for team in teams.iter_mut().chain(administered_teams) {
            *team = same.get(team).copied().unwrap_or(*team);
        }
    }
    Ok(())
}

const NEW_ROWS: &str = "unnest({}::uuid[], {}::uuid[], {}::text[], {}::text[], {}::text[], {}::text[], {}::text[], {}::text[], \
        {}::boolean[], {}::text[], {}::date[], {}::date[], {}::timestamptz[]) \
     n (id, user_id, external_id, first_name, last_name, email, job_title, job_title_key, org_admin, status, hired_on, \
        reporting_starts_on, deactivated_at)";

/// The values of memberships, one list for each column, in the order of [`NEW_ROWS`].
fn bind_rows(statement: crate::sql::Statement, rows: &[&Membership]) -> crate::sql::Statement {
    fn each<T>(rows: &[&Membership], column: impl Fn(&Membership) -> T) -> Vec<T> {
        rows.iter().map(|row| column(row)).collect()
    }
    let text = |value: Option<&str>| value.map(str::to_owned);
    statement
        .bind::<Array<SqlUuid>, _>(each(rows, |m| m.id.uuid()))
        .bind::<Array<Nullable<SqlUuid>>, _>(each(rows, |m| m.user.map(UserId::uuid)))
        .bind::<Array<Nullable<Text>>, _>(each(rows, |m| {
            text(m.external_id.as_ref().map(ExternalId::as_str))
        }))
        .bind::<Array<Text>, _>(each(rows, |m| m.first_name.as_str().to_owned()))
        .bind::<Array<Text>, _>(each(rows, |m| m.last_name.as_str().to_owned()))
        .bind::<Array<Nullable<Text>>, _>(each(rows, |m| text(m.email.as_ref().map(EmailAddress::as_str))))
        .bind::<Array<Nullable<Text>>, _>(each(rows, |m| text(m.job_title.as_ref().map(JobTitle::as_str))))
        .bind::<Array<Nullable<Text>>, _>(each(rows, |m| {
            m.job_title.as_ref().map(|title| title.key().as_str().to_owned())
        }))
        .bind::<Array<Bool>, _>(each(rows, |m| m.org_admin))
        .bind::<Array<Text>, _>(each(rows, |m| m.status.as_str()))
        .bind::<Array<Nullable<Date>>, _>(each(rows, |m| m.hired_on))
        .bind::<Array<Date>, _>(each(rows, |m| m.reporting_starts_on))
        .bind::<Array<Nullable<Timestamptz>>, _>(each(rows, |m| m.deactivated_at))
}

fn write_memberships(
    connection: &mut PgConnection,
    organization: Uuid,
    rows: &[Written<'_>],
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let (old, new): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.before.is_some());
    let new: Vec<&Membership> = new.into_iter().map(|row| row.after).collect();
    if !new.is_empty() {
        let insert = statement(format!(
            "INSERT INTO memberships (id, organization_id, user_id, external_id, first_name, last_name, email, job_title, \
                job_title_key, org_admin, status, hired_on, reporting_starts_on, deactivated_at, first_seen_at, created_at, \
                updated_at) \
             SELECT n.id, {{}}, n.user_id, n.external_id, n.first_name, n.last_name, n.email::citext, n.job_title, \
                n.job_title_key, n.org_admin, n.status, n.hired_on, n.reporting_starts_on, n.deactivated_at, {{}}, {{}}, {{}} \
             FROM {NEW_ROWS}"
        ));
        let insert = insert
            .bind::<SqlUuid, _>(organization)
            .bind::<Timestamptz, _>(now)
            .bind::<Timestamptz, _>(now)
            .bind::<Timestamptz, _>(now);
        bind_rows(insert, &new).execute(connection)?;
    }
    let old: Vec<&Membership> = old.into_iter().map(|row| row.after).collect();
    if !old.is_empty() {
        let update = statement(
            "UPDATE memberships m SET user_id = n.user_id, external_id = n.external_id, first_name = n.first_name, \
                last_name = n.last_name, email = n.email::citext, job_title = n.job_title, job_title_key = n.job_title_key, \
                org_admin = n.org_admin, status = n.status, hired_on = n.hired_on, \
                reporting_starts_on = n.reporting_starts_on, deactivated_at = n.deactivated_at, updated_at = {} FROM ",
        );
        let update = update.then(NEW_ROWS).then(" WHERE m.id = n.id").bind::<Timestamptz, _>(now);
        bind_rows(update, &old).execute(connection)?;
    }
    Ok(())
}

type TeamsOf = fn(&Membership) -> &Vec<TeamId>;

/// Pairs of a membership and a team of it that the other state of it has not.
fn beyond(rows: &[Written<'_>], teams: TeamsOf, is_new: bool) -> Vec<(MembershipId, TeamId)> {
    let none = Vec::new();
    let pairs = |row: &Written<'_>| {
        let (before, after) = (row.before.map_or(&none, teams), teams(row.after));
        let (these, others) = if is_new { (after, before) } else { (before, after) };
        these
            .iter()
            .filter(|team| !others.contains(team))
            .map(|team| (row.after.id, *team))
            .collect::<Vec<_>>()
    };
    rows.iter().flat_map(pairs).collect()
}

fn write_teams(
    connection: &mut PgConnection,
    organization: OrgId,
    rows: &[Written<'_>],
    at: DateTime<Utc>,
) -> QueryResult<()> {
    let teams: [(TeamsOf, &str); 2] =
        [(|m| &m.teams, "team_memberships"), (|m| &m.administered_teams, "team_admins")];
    for (of, table) in teams {
        let gone = beyond(rows, of, false);
        // Who has left keeps the teams, for history; their say is taken.
        if !gone.is_empty() {
            let (members, teams): (Vec<Uuid>, Vec<Uuid>) =
                gone.into_iter().map(|(membership, team)| (membership.uuid(), team.uuid())).unzip();
            statement(format!(
                "DELETE FROM {table} t USING unnest({{}}::uuid[], {{}}::uuid[]) n (membership_id, team_id) \
                 WHERE t.membership_id = n.membership_id AND t.team_id = n.team_id"
            ))
            .bind::<Array<SqlUuid>, _>(members)
            .bind::<Array<SqlUuid>, _>(teams)
            .execute(connection)?;
        }
    }
    let links = |of: TeamsOf| {
        let link = move |(membership, team)| Link { organization, team, membership, at };
        beyond(rows, of, true).into_iter().map(link)
    };
    join(connection, links(|m| &m.teams))?;
    appoint(connection, links(|m| &m.administered_teams))
}

const INSERT_INVITATIONS: &str = "INSERT INTO invitations (id, organization_id, membership_id, code, status, expires_at, \
        created_at, updated_at) \
     SELECT n.id, {}, n.membership_id, n.code::char(6), 'pending', {}, {}, {} \
     FROM unnest({}::uuid[], {}::uuid[], {}::text[]) n (id, membership_id, code) \
     ON CONFLICT (code) WHERE status = 'pending' DO NOTHING RETURNING id";

/// Those whose code is in use get another one.
fn write_invitations(
    connection: &mut PgConnection,
    invitations: &[&Invitation],
    codes: &dyn InviteCodeGenerator,
) -> Outcome<()> {
    let Some(first) = invitations.first() else { return Ok(()) };
    let (organization, expires_at, at) = (first.organization.uuid(), first.expires_at, first.created_at);
    let mut open: Vec<(Uuid, Uuid, InviteCode)> =
        invitations.iter().map(|i| (i.id.uuid(), i.membership.uuid(), i.code.clone())).collect();
    for _ in 0..CODE_ATTEMPTS {
        let column = |of: fn(&(Uuid, Uuid, InviteCode)) -> Uuid| open.iter().map(of).collect::<Vec<_>>();
        let written: Vec<Uuid> = statement(INSERT_INVITATIONS)
            .bind::<SqlUuid, _>(organization)
            .bind::<Timestamptz, _>(expires_at)
            .bind::<Timestamptz, _>(at)
            .bind::<Timestamptz, _>(at)
            .bind::<Array<SqlUuid>, _>(column(|(id, ..)| *id))
            .bind::<Array<SqlUuid>, _>(column(|(_, membership, _)| *membership))
            .bind::<Array<Text>, _>(
                open.iter().map(|(.., code)| code.as_str().to_owned()).collect::<Vec<_>>(),
            )
            .rows::<SqlUuid>()
            .load(connection)?;
        let written: HashSet<Uuid> = written.into_iter().collect();
        open.retain(|(id, ..)| !written.contains(id));
        if open.is_empty() {
            return Ok(());
        }
        for (.., code) in &mut open {
            *code = codes.code();
        }
    }
    Err(PgError::Refused(MembershipError::CodeTaken))
}

fn write(
    connection: &mut PgConnection,
    organization: OrgId,
    plan: &mut Plan,
    planner: &Planner,
) -> Outcome<()> {
    let now = planner.now;
    make_teams(connection, organization, plan, now)?;
    let rows = written(&plan.decisions);
    if rows.is_empty() {
        return Ok(());
    }
    write_memberships(connection, organization.uuid(), &rows, now)?;
    write_teams(connection, organization, &rows, now)?;
    let ids = |which: &dyn Fn(&Membership, &Membership) -> bool| -> Vec<Uuid> {
        let is_one = |row: &&Written<'_>| row.before.is_some_and(|before| which(before, row.after));
        rows.iter().filter(is_one).map(|row| row.after.id.uuid()).collect()
    };
    let moved = ids(&|before, after| before.job_title != after.job_title || before.teams != after.teams);
    if !moved.is_empty() {
        withdraw_unlisted(connection, &Affected::Memberships(moved), now)?;
    }
    let turned = ids(&|before, after| before.status != after.status);
    if !turned.is_empty() {
        revoke_pending(connection, &turned, now)?;
    }
    let invitations: Vec<&Invitation> = rows.iter().filter_map(|row| row.invitation).collect();
    write_invitations(connection, &invitations, &*planner.codes)?;
    let has_left = |before: &Membership, after: &Membership| {
        after.status == MembershipStatus::Deactivated && before.status != after.status
    };
    let left = ids(&has_left);
    if !left.is_empty() {
        withdraw_open(connection, &left, now)?;
        let gone = rows.iter().filter(|row| row.before.is_some_and(|before| has_left(before, row.after)));
        let people: Vec<UserId> = gone.filter_map(|row| row.after.user).collect();
        end_sessions_of_departed(connection, &people)?;
    }
    Ok(())
}

// --- Reporting -----------------------------------------------------------------------------------------------------

/// What the report says of a decision.
struct Told {
    line: Option<i64>,
    key: Option<String>,
}

const REPORT: &str = "INSERT INTO import_rows (import_id, position, line, key, action, membership_id, problems) \
     SELECT {}, {} + n.place, n.line, n.key, n.action, n.membership_id, n.problems \
     FROM unnest({}::bigint[], {}::text[], {}::text[], {}::uuid[], {}::jsonb[]) \
        WITH ORDINALITY n (line, key, action, membership_id, problems, place)";

const COUNT: &str = "UPDATE imports SET reported = reported + {}, errors_total = errors_total + {}, \
        created_count = created_count + {}, updated_count = updated_count + {}, unchanged_count = unchanged_count + {}, \
        reactivated_count = reactivated_count + {}, deactivated_count = deactivated_count + {}, \
        rejected_count = rejected_count + {}, applied_line = {}, missing_after = {} WHERE id = {}";

/// Notes what was decided, and how far the import is.
fn report(
    connection: &mut PgConnection,
    import: Uuid,
    own: &OwnRow,
    told: Vec<Told>,
    decisions: &[Decision],
) -> QueryResult<()> {
    let (mut counts, mut errors) = (ImportCounts::default(), 0_i64);
    for decision in decisions {
        counts.add(decision.action());
        if let Decision::Rejected(problems) = decision {
            errors += i64::try_from(problems.len()).unwrap_or(i64::MAX);
        }
    }
    let problems = decisions.iter().map(|decision| match decision {
        Decision::Rejected(problems) => Some(problems_value(problems)),
        _ => None,
    });
    // In a dry run nobody gets the membership that is told of.
    let membership = |decision: &Decision| match decision {
        Decision::Write { before: None, .. } if own.dry_run => None,
        decision => decision.membership().map(MembershipId::uuid),
    };
    let (lines, keys): (Vec<Option<i64>>, Vec<Option<String>>) = told
        .into_iter()
        .zip(decisions)
        .map(|(told, decision)| (told.line, told.key.filter(|_| membership(decision).is_none())))
        .unzip();
    statement(REPORT)
        .bind::<SqlUuid, _>(import)
        .bind::<BigInt, _>(own.reported)
        .bind::<Array<Nullable<BigInt>>, _>(lines)
        .bind::<Array<Nullable<Text>>, _>(keys)
        .bind::<Array<Text>, _>(
            decisions.iter().map(|decision| decision.action().as_str()).collect::<Vec<_>>(),
        )
        .bind::<Array<Nullable<SqlUuid>>, _>(decisions.iter().map(membership).collect::<Vec<_>>())
        .bind::<Array<Nullable<Jsonb>>, _>(problems.collect::<Vec<_>>())
        .execute(connection)?;
    statement(COUNT)
        .bind::<BigInt, _>(i64::try_from(decisions.len()).unwrap_or(i64::MAX))
        .bind::<BigInt, _>(errors)
        .bind::<BigInt, _>(counts.created)
        .bind::<BigInt, _>(counts.updated)
        .bind::<BigInt, _>(counts.unchanged)
        .bind::<BigInt, _>(counts.reactivated)
        .bind::<BigInt, _>(counts.deactivated)
        .bind::<BigInt, _>(counts.rejected)
        .bind::<BigInt, _>(own.applied_line)
        .bind::<Nullable<SqlUuid>, _>(own.missing_after)
        .bind::<SqlUuid, _>(import)
        .execute(connection)
        .map(drop)
}

/// Decides, locks what is to be changed, and decides anew with what it is then.
fn decide(connection: &mut PgConnection, planner: &Planner, batch: &mut Batch) -> Outcome<Plan> {
    let plan = planner.plan(batch);
    let touched: HashSet<MembershipId> = plan
        .decisions
        .iter()
        .filter(|decision| matches!(decision, Decision::Write { before: Some(_), .. }))
        .filter_map(Decision::membership)
        .collect();
    if touched.is_empty() {
        return Ok(plan);
    }
    let is_touched = |known: &&Known| touched.contains(&known.membership.id);
    lock(connection, &batch.known.iter().filter(is_touched).collect::<Vec<_>>())?;
    let fresh = by_ids(connection, &touched.iter().map(|id| id.uuid()).collect::<Vec<_>>())?;
    batch.known.retain(|known| !is_touched(&known));
    batch.known.extend(fresh);
    Ok(planner.plan(batch))
}

fn apply(
    connection: &mut PgConnection,
    lease: RunLease,
    planner: &Planner,
    limit: i64,
) -> Outcome<Option<usize>> {
    let Some(mut own) = own(connection, lease)? else { return Ok(None) };
    let import = lease.import.uuid();
    let lines = staged(connection, import, own.applied_line, limit)?;
    let Some(last) = lines.last() else { return Ok(Some(0)) };
    own.applied_line = last.line;
    let organization = OrgId::new(own.organization);
    if !own.dry_run {
        lock_organization::<MembershipError>(connection, organization)?;
    }
    let mut batch = batch(connection, own.organization, lines)?;
    let plan = if own.dry_run {
        planner.plan(&batch)
    } else {
        let mut plan = decide(connection, planner, &mut batch)?;
        write(connection, organization, &mut plan, planner)?;
        plan
    };
    let count = batch.lines.len();
    let told = batch.lines.into_iter().map(|line| Told { line: Some(line.line), key: line.key }).collect();
    report(connection, import, &own, told, &plan.decisions)?;
    Ok(Some(count))
}

/// Present members after a place who are in no line. Without a number there may still be the address.
const MISSING: &str = "SELECT m.id FROM memberships m WHERE m.organization_id = {} AND m.status <> 'deactivated' \
     AND ({} IS NULL OR m.id > {}) \
     AND NOT coalesce(CASE WHEN {} THEN m.external_id ELSE m.email::text END IN (SELECT key FROM roster_stage \
        WHERE import_id = {} AND key IS NOT NULL), false) \
     AND NOT ({} AND m.external_id IS NULL AND coalesce(m.email::text IN (SELECT email FROM roster_stage \
        WHERE import_id = {} AND email IS NOT NULL), false)) \
     ORDER BY m.id LIMIT {}";

fn apply_missing(
    connection: &mut PgConnection,
    lease: RunLease,
    planner: &Planner,
    by_number: bool,
    limit: i64,
) -> Outcome<Option<usize>> {
    let Some(mut own) = own(connection, lease)? else { return Ok(None) };
    let import = lease.import.uuid();
    let organization = OrgId::new(own.organization);
    if !own.dry_run {
        // Before looking: nobody gets a number of the file from now on.
        lock_organization::<MembershipError>(connection, organization)?;
    }
    for_large_sets(connection)?;
    let ids: Vec<Uuid> = statement(MISSING)
        .bind::<SqlUuid, _>(own.organization)
        .bind::<Nullable<SqlUuid>, _>(own.missing_after)
        .bind::<Nullable<SqlUuid>, _>(own.missing_after)
        .bind::<Bool, _>(by_number)
        .bind::<SqlUuid, _>(import)
        .bind::<Bool, _>(by_number)
        .bind::<SqlUuid, _>(import)
        .bind::<BigInt, _>(limit)
        .rows::<SqlUuid>()
        .load(connection)?;
    let Some(last) = ids.last() else { return Ok(Some(0)) };
    own.missing_after = Some(*last);
    let mut known = by_ids(connection, &ids)?;
    if !own.dry_run {
        lock(connection, &known.iter().collect::<Vec<_>>())?;
        known = by_ids(connection, &ids)?;
    }
    known.retain(|known| known.membership.status != MembershipStatus::Deactivated);
    let decisions: Vec<Decision> = known.iter().map(|known| planner.leave(known)).collect();
    let mut plan = Plan { teams: vec![], decisions };
    if !own.dry_run {
        write(connection, organization, &mut plan, planner)?;
    }
    let told = plan.decisions.iter().map(|_| Told { line: None, key: None }).collect();
    report(connection, import, &own, told, &plan.decisions)?;
    Ok(Some(ids.len()))
}

fn end(
    connection: &mut PgConnection,
    lease: RunLease,
    end: &RunEnd,
    now: DateTime<Utc>,
) -> Outcome<Option<()>> {
    if own(connection, lease)?.is_none() {
        return Ok(None);
    }
    let import = lease.import.uuid();
    diesel::delete(roster_stage::table.filter(roster_stage::import_id.eq(import))).execute(connection)?;
    let trouble = end.trouble.as_ref();
    diesel::update(imports::table.find(import))
        .set((
            imports::state.eq(end.state.as_str()),
            imports::run.eq(None::<Uuid>),
            imports::trouble_code.eq(trouble.map(|trouble| trouble.code.as_ref())),
            imports::trouble_message.eq(trouble.map(|trouble| trouble.message.as_str())),
            imports::warnings.eq(problems_value(&end.warnings)),
            imports::finished_at.eq(end.state.has_ended().then_some(now)),
        ))
        .execute(connection)?;
    Ok(Some(()))
}

#[async_trait]
impl ImportRun for PgImports {
    async fn begin(&self, id: ImportId, run: Uuid, now: DateTime<Utc>) -> Result<Begun, MembershipError> {
        let begun = self.pg.write(move |connection| begin(connection, id, run, now));
        begun.await.map_err(PgError::into_storage)
    }

    async fn stage(&self, lease: RunLease, lines: Vec<StagedLine>) -> Result<Option<()>, MembershipError> {
        let staged = self.pg.write(move |connection| {
            if own(connection, lease)?.is_none() {
                return Ok(None);
            }
            stage(connection, lease.import.uuid(), &lines).map_err(|error| match error {
                CopyError::Sql(error) => PgError::Sql(error),
                CopyError::Line => PgError::Unavailable(Box::new(error)),
            })?;
            Ok(Some(()))
        });
        staged.await.map_err(PgError::into_storage)
    }

    async fn survey(&self, lease: RunLease, by_number: bool) -> Result<Option<Survey>, MembershipError> {
        let survey = self.pg.write(move |connection| survey(connection, lease, by_number));
        survey.await.map_err(PgError::into_storage)
    }

    async fn apply(
        &self,
        lease: RunLease,
        planner: Arc<Planner>,
        limit: i64,
    ) -> Result<Option<usize>, MembershipError> {
        let mut attempts = 1;
        loop {
            let planner = Arc::clone(&planner);
            let applied = self.pg.write(move |connection| apply(connection, lease, &planner, limit)).await;
            match applied {
                // Somebody was put on the roster with a number of these lines, and is found now.
                Err(PgError::Sql(DatabaseError(DatabaseErrorKind::UniqueViolation, _)))
                    if attempts < APPLY_ATTEMPTS =>
                {
                    attempts += 1;
                }
                applied => return applied.map_err(PgError::into_storage),
            }
        }
    }

    async fn apply_missing(
        &self,
        lease: RunLease,
        planner: Arc<Planner>,
        by_number: bool,
        limit: i64,
    ) -> Result<Option<usize>, MembershipError> {
        let applied =
            self.pg.write(move |connection| apply_missing(connection, lease, &planner, by_number, limit));
        applied.await.map_err(PgError::into_storage)
    }

    async fn end(
        &self,
        lease: RunLease,
        run_end: RunEnd,
        now: DateTime<Utc>,
    ) -> Result<Option<()>, MembershipError> {
        let ended = self.pg.write(move |connection| end(connection, lease, &run_end, now));
        ended.await.map_err(PgError::into_storage)
    }
}
