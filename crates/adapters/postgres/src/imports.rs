use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_jobs::{JobKind, NewJob};
use domain_kernel::{
    AuditEntry, ImportId, ImportMode, JobId, MembershipId, OrgId, Page, PageRequest, StorageError, UserId,
};
use domain_memberships::ports::{ImportEdit, ImportQueries, ImportRepository, RosterFolder};
use domain_memberships::roster::{
    Import, ImportCounts, ImportState, ImportTrouble, NewImport, ReportRow, RosterProblem, RowAction,
};
use domain_memberships::{FileKey, MembershipError};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::{PgError, unreadable};
use crate::jobs::enqueue;
use crate::memberships::Outcome;
use crate::schema::{imports, roster_stage};
use crate::sql::{PageColumns, PageRow, read_page, row, statement};
use crate::{Pg, audit};

/// Imports in PostgreSQL.
#[derive(Clone)]
pub struct PgImports {
    pub(crate) pg: Pg,
}

impl PgImports {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }
}

macro_rules! import_columns {
    () => {
        "i.id, i.organization_id, i.key, i.etag, i.mode, i.dry_run, i.state, i.is_confirmed, i.rows_count, \
         i.created_count, i.updated_count, i.unchanged_count, i.reactivated_count, i.deactivated_count, i.rejected_count, \
         i.errors_total, i.trouble_code, i.trouble_message, i.warnings, i.created_by, i.created_at, i.started_at, \
         i.finished_at"
    };
}
pub(crate) use import_columns;

row! {
    pub(crate) struct ImportRow, ImportColumns {
        id: Uuid => SqlUuid,
        organization_id: Uuid => SqlUuid,
        key: String => Text,
        etag: Option<String> => Nullable<Text>,
        mode: String => Text,
        dry_run: bool => Bool,
        state: String => Text,
        is_confirmed: bool => Bool,
        rows: i64 => BigInt,
        created: i64 => BigInt,
        updated: i64 => BigInt,
        unchanged: i64 => BigInt,
        reactivated: i64 => BigInt,
        deactivated: i64 => BigInt,
        rejected: i64 => BigInt,
        errors_total: i64 => BigInt,
        trouble_code: Option<String> => Nullable<Text>,
        trouble_message: Option<String> => Nullable<Text>,
        warnings: Value => Jsonb,
        created_by: Option<Uuid> => Nullable<SqlUuid>,
        created_at: DateTime<Utc> => Timestamptz,
        started_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        finished_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
    }
}

fn mode(text: &str) -> Result<ImportMode, StorageError> {
    ImportMode::parse(text).ok_or_else(|| unreadable("imports", "known mode"))
}

impl ImportRow {
    pub(crate) fn read(self) -> Result<Import, StorageError> {
        let trouble = self.trouble_code.map(|code| ImportTrouble {
            code: code.into(),
            message: self.trouble_message.unwrap_or_default(),
        });
        Ok(Import {
            id: ImportId::new(self.id),
            organization: OrgId::new(self.organization_id),
            key: FileKey::from_stored(self.key),
            etag: self.etag,
            mode: mode(&self.mode)?,
            dry_run: self.dry_run,
            state: ImportState::parse(&self.state).ok_or_else(|| unreadable("imports", "known state"))?,
            is_confirmed: self.is_confirmed,
            counts: ImportCounts {
                rows: self.rows,
                created: self.created,
                updated: self.updated,
                unchanged: self.unchanged,
                reactivated: self.reactivated,
                deactivated: self.deactivated,
                rejected: self.rejected,
            },
            errors_total: self.errors_total,
            trouble,
            warnings: read_problems(1, &self.warnings),
            created_by: self.created_by.map(UserId::new),
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
        })
    }
}

/// What is wrong with a line, as it is stored beside the line.
pub(crate) fn problems_value(problems: &[RosterProblem]) -> Value {
    let value = |problem: &RosterProblem| {
        json!({
            "column": problem.column, "code": problem.code, "message": problem.message, "value": problem.value
        })
    };
    problems.iter().map(value).collect()
}

pub(crate) fn read_problems(line: u64, stored: &Value) -> Vec<RosterProblem> {
    let read = |problem: &Value| {
        let text = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
        RosterProblem {
            line,
            column: text("column"),
            code: text("code").into(),
            message: text("message"),
            value: text("value"),
        }
    };
    stored.as_array().map(|problems| problems.iter().map(read).collect()).unwrap_or_default()
}

fn load(connection: &mut PgConnection, whose: &str, ids: [Uuid; 2]) -> Outcome<Option<Import>> {
    let [organization, id] = ids;
    let sql = format!(
        concat!(
            "SELECT ",
            import_columns!(),
            " FROM imports i WHERE i.organization_id = {{}} AND i.id = {{}}{}"
        ),
        whose
    );
    let row: Option<ImportRow> = statement(sql)
        .bind::<SqlUuid, _>(organization)
        .bind::<SqlUuid, _>(id)
        .rows::<ImportColumns>()
        .get_result(connection)
        .optional()?;
    row.map(ImportRow::read).transpose().map_err(|error| PgError::Refused(error.into()))
}

fn loaded(connection: &mut PgConnection, organization: OrgId, id: Uuid) -> Outcome<Import> {
    let import = load(connection, "", [organization.uuid(), id])?;
    import.ok_or(PgError::Sql(diesel::result::Error::NotFound))
}

fn insert(connection: &mut PgConnection, new: &NewImport, state: ImportState) -> QueryResult<usize> {
    diesel::insert_into(imports::table)
        .values((
            imports::id.eq(new.id.uuid()),
            imports::organization_id.eq(new.organization.uuid()),
            imports::key.eq(new.key.as_str()),
            imports::etag.eq(new.etag.as_deref()),
            imports::mode.eq(new.mode.as_str()),
            imports::dry_run.eq(new.dry_run),
            imports::state.eq(state.as_str()),
            imports::created_by.eq(new.created_by.map(UserId::uuid)),
            imports::created_at.eq(new.at),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
}

fn queue(
    connection: &mut PgConnection,
    organization: OrgId,
    import: Uuid,
    job: JobId,
    at: DateTime<Utc>,
) -> QueryResult<()> {
    let organization = Some(organization);
    let job = NewJob { id: job, organization, kind: JobKind::RosterImport, subject: import, run_at: at };
    enqueue(connection, &job, at)
}

/// Not if the content was imported under this name already.
const TAKE: &str = "UPDATE imports w SET etag = {}, state = 'queued' \
     WHERE w.organization_id = {} AND w.key = {} AND w.state = 'awaiting_upload' \
        AND NOT EXISTS (SELECT FROM imports i WHERE i.organization_id = w.organization_id AND i.key = w.key AND i.etag = {} \
            AND NOT i.dry_run AND i.state NOT IN ('failed', 'cancelled')) \
     RETURNING w.id";

/// Drops what was staged of imports that have ended: it is about people, and nobody needs it any more.
fn drop_staged(connection: &mut PgConnection, imports: &[Uuid]) -> QueryResult<()> {
    diesel::delete(roster_stage::table.filter(roster_stage::import_id.eq_any(imports)))
        .execute(connection)
        .map(drop)
}

fn add(
    connection: &mut PgConnection,
    new: &NewImport,
    job: JobId,
    audit: Option<AuditEntry>,
) -> Outcome<(Import, bool)> {
    let mut id = new.id.uuid();
    if !new.dry_run {
        let (organization, key, etag) = (new.organization.uuid(), new.key.as_str(), new.etag.as_deref());
        let taken: Option<Uuid> = statement(TAKE)
            .bind::<Nullable<Text>, _>(etag.map(str::to_owned))
            .bind::<SqlUuid, _>(organization)
            .bind::<Text, _>(key.to_owned())
            .bind::<Nullable<Text>, _>(etag.map(str::to_owned))
            .rows::<SqlUuid>()
            .get_result(connection)
            .optional()?;
        if let Some(taken) = taken {
            id = taken;
        } else if insert(connection, new, ImportState::Queued)? == 0 {
            let same: Uuid = imports::table
                .filter(imports::organization_id.eq(organization))
                .filter(imports::key.eq(key).and(imports::etag.eq(etag)))
                .filter(imports::dry_run.eq(false).and(imports::state.ne_all(["failed", "cancelled"])))
                .select(imports::id)
                .first(connection)?;
            return Ok((loaded(connection, new.organization, same)?, false));
        }
    } else if insert(connection, new, ImportState::Queued)? == 0 {
        return Err(PgError::Sql(diesel::result::Error::NotFound));
    }
    queue(connection, new.organization, id, job, new.at)?;
    if let Some(mut audit) = audit {
        audit.subject = domain_kernel::AuditSubject::Import(ImportId::new(id));
        audit::insert(connection, audit)?;
    }
    Ok((loaded(connection, new.organization, id)?, true))
}

row! {
    struct FolderRow, FolderColumns {
        organization_id: Uuid => SqlUuid,
        folder: String => Text,
        mode: String => Text,
    }
}

impl FolderRow {
    fn read(self) -> Result<RosterFolder, StorageError> {
        let organization = OrgId::new(self.organization_id);
        Ok(RosterFolder { organization, folder: self.folder, mode: mode(&self.mode)? })
    }
}

/// The folder of a file is one of the beginnings of its key that end before a slash.
const OWNER: &str = "SELECT id, s3_integrations_folder, import_mode FROM organizations \
     WHERE s3_integrations_folder = ANY({}) ORDER BY length(s3_integrations_folder) DESC LIMIT 1";

const FOLDERS: &str = "SELECT id, s3_integrations_folder, import_mode FROM organizations \
     WHERE ({} IS NULL OR id > {}) ORDER BY id LIMIT {}";

const UNKNOWN: &str = "SELECT n.place FROM unnest({}::text[], {}::text[]) WITH ORDINALITY n (key, etag, place) \
     WHERE NOT EXISTS (SELECT FROM imports i WHERE i.organization_id = {} AND i.key = n.key AND i.etag = n.etag AND NOT i.dry_run) \
     ORDER BY n.place";

/// An import without a job, which is one whose job ended in the moment in which somebody queued it again, gets one.
const REQUEUE: &str = "INSERT INTO jobs (id, organization_id, kind, subject, run_at, created_at) \
     SELECT gen_random_uuid(), i.organization_id, 'roster_import', i.id, {}, {} FROM imports i WHERE i.state = 'queued' \
        AND NOT EXISTS (SELECT FROM jobs j WHERE j.kind = 'roster_import' AND j.subject = i.id AND j.state IN ('queued', 'running')) \
     ON CONFLICT DO NOTHING";

const EXPIRE: &str = "UPDATE imports i SET state = 'failed', finished_at = {}, \
        trouble_code = CASE i.state WHEN 'awaiting_upload' THEN 'not_uploaded' ELSE 'given_up' END, \
        trouble_message = CASE i.state WHEN 'awaiting_upload' THEN 'No file was put in time.' \
            ELSE 'It failed again and again. What was applied stays; importing the file anew does the rest.' END \
     WHERE (i.state = 'awaiting_upload' AND i.created_at < {}) OR (i.state IN ('queued', 'running') \
        AND EXISTS (SELECT FROM jobs j WHERE j.kind = 'roster_import' AND j.subject = i.id AND j.state = 'dead') \
        AND NOT EXISTS (SELECT FROM jobs j WHERE j.kind = 'roster_import' AND j.subject = i.id AND j.state IN ('queued', 'running'))) \
     RETURNING i.id";

/// A few reports at a time: each may have as many rows as its file.
const FORGET_REPORTS: &str = "WITH old AS (UPDATE imports SET reported = 0 WHERE id IN (SELECT id FROM imports \
        WHERE finished_at < {} AND reported > 0 ORDER BY finished_at LIMIT 10) RETURNING id), \
     gone AS (DELETE FROM import_rows r USING old WHERE r.import_id = old.id) SELECT count(*) FROM old";

#[async_trait]
impl ImportRepository for PgImports {
    async fn find_folder(&self, organization: OrgId) -> Result<Option<RosterFolder>, MembershipError> {
        let found = self.pg.read(move |connection| {
            let found =
                statement("SELECT id, s3_integrations_folder, import_mode FROM organizations WHERE id = {}")
                    .bind::<SqlUuid, _>(organization.uuid());
            Ok(found.rows::<FolderColumns>().get_result::<FolderRow>(connection).optional()?)
        });
        let row = found.await.map_err(PgError::<MembershipError>::into_storage)?;
        Ok(row.map(FolderRow::read).transpose()?)
    }

    async fn find_owner(&self, key: &str) -> Result<Option<RosterFolder>, MembershipError> {
        let folders: Vec<String> = key.match_indices('/').map(|(end, _)| key[..end].to_owned()).collect();
        let found = self.pg.read(move |connection| {
            let found = statement(OWNER).bind::<Array<Text>, _>(folders);
            Ok(found.rows::<FolderColumns>().get_result::<FolderRow>(connection).optional()?)
        });
        let row = found.await.map_err(PgError::<MembershipError>::into_storage)?;
        Ok(row.map(FolderRow::read).transpose()?)
    }

    async fn list_folders(
        &self,
        after: Option<OrgId>,
        limit: i64,
    ) -> Result<Vec<RosterFolder>, MembershipError> {
        let rows = self.pg.read(move |connection| {
            let after = after.map(OrgId::uuid);
            let folders = statement(FOLDERS)
                .bind::<Nullable<SqlUuid>, _>(after)
                .bind::<Nullable<SqlUuid>, _>(after)
                .bind::<BigInt, _>(limit);
            Ok(folders.rows::<FolderColumns>().load::<FolderRow>(connection)?)
        });
        let rows = rows.await.map_err(PgError::<MembershipError>::into_storage)?;
        Ok(rows.into_iter().map(FolderRow::read).collect::<Result<_, _>>()?)
    }

    async fn find_unknown(
        &self,
        organization: OrgId,
        files: Vec<(FileKey, String)>,
    ) -> Result<Vec<usize>, MembershipError> {
        let (keys, etags): (Vec<String>, Vec<String>) =
            files.into_iter().map(|(key, etag)| (key.as_str().to_owned(), etag)).unzip();
        let places = self.pg.read(move |connection| {
            let places = statement(UNKNOWN)
                .bind::<Array<Text>, _>(keys)
                .bind::<Array<Text>, _>(etags)
                .bind::<SqlUuid, _>(organization.uuid());
            Ok(places.rows::<BigInt>().load::<i64>(connection)?)
        });
        let places = places.await.map_err(PgError::<MembershipError>::into_storage)?;
        Ok(places.into_iter().filter_map(|place| usize::try_from(place - 1).ok()).collect())
    }

    async fn offer(&self, new: NewImport, audit: AuditEntry) -> Result<Import, MembershipError> {
        let offered = self.pg.write(move |connection| {
            insert(connection, &new, ImportState::AwaitingUpload)?;
            audit::insert(connection, audit)?;
            loaded(connection, new.organization, new.id.uuid())
        });
        offered.await.map_err(PgError::into_storage)
    }

    async fn add(
        &self,
        new: NewImport,
        job: JobId,
        audit: Option<AuditEntry>,
    ) -> Result<(Import, bool), MembershipError> {
        self.pg
            .write(move |connection| add(connection, &new, job, audit))
            .await
            .map_err(PgError::into_storage)
    }

    async fn update(
        &self,
        organization: OrgId,
        id: ImportId,
        job: JobId,
        edit: ImportEdit,
    ) -> Result<Import, MembershipError> {
        let updated = self.pg.write(move |connection| {
            let ids = [organization.uuid(), id.uuid()];
            let Some(mut import) = load(connection, " FOR NO KEY UPDATE", ids)? else {
                return Err(PgError::Refused(domain_kernel::Refusal::NotFound.into()));
            };
            let Some(audit) = edit(&mut import).map_err(PgError::Refused)? else { return Ok(import) };
            let trouble = import.trouble.as_ref();
            diesel::update(imports::table.find(id.uuid()))
                .set((
                    imports::state.eq(import.state.as_str()),
                    imports::is_confirmed.eq(import.is_confirmed),
                    imports::trouble_code.eq(trouble.map(|trouble| trouble.code.as_ref())),
                    imports::trouble_message.eq(trouble.map(|trouble| trouble.message.as_str())),
                    imports::finished_at.eq(import.finished_at),
                ))
                .execute(connection)?;
            if import.state.has_ended() {
                drop_staged(connection, &[id.uuid()])?;
            }
            if import.state == ImportState::Queued {
                queue(connection, organization, id.uuid(), job, audit.at)?;
            }
            audit::insert(connection, audit)?;
            Ok(import)
        });
        updated.await.map_err(PgError::into_storage)
    }

    async fn expire(&self, patience: TimeDelta, now: DateTime<Utc>) -> Result<u64, MembershipError> {
        let expired = self.pg.write(move |connection| {
            let expire = statement(EXPIRE).bind::<Timestamptz, _>(now).bind::<Timestamptz, _>(now - patience);
            let expired: Vec<Uuid> = expire.rows::<SqlUuid>().load(connection)?;
            if !expired.is_empty() {
                drop_staged(connection, &expired)?;
            }
            let requeue = statement(REQUEUE).bind::<Timestamptz, _>(now).bind::<Timestamptz, _>(now);
            requeue.execute(connection)?;
            Ok(expired.len() as u64)
        });
        expired.await.map_err(PgError::into_storage)
    }

    async fn forget_reports(&self, ended_before: DateTime<Utc>) -> Result<u64, MembershipError> {
        let forgotten = self.pg.write(move |connection| {
            let forget = statement(FORGET_REPORTS).bind::<Timestamptz, _>(ended_before);
            Ok(forget.rows::<BigInt>().get_result::<i64>(connection)?.unsigned_abs())
        });
        forgotten.await.map_err(PgError::into_storage)
    }
}

const LIST: &str = concat!(
    "SELECT counted.total, page.* FROM (SELECT (SELECT count(*) FROM imports i WHERE i.organization_id = o.id \
        AND ({} IS NULL OR i.state = {})) AS total, o.id FROM organizations o WHERE o.id = {}) counted \
     LEFT JOIN LATERAL (SELECT ",
    import_columns!(),
    " FROM imports i WHERE i.organization_id = counted.id AND ({} IS NULL OR i.state = {}) \
        ORDER BY i.created_at DESC, i.id DESC LIMIT {} OFFSET {}) page ON true ORDER BY page.created_at DESC, page.id DESC"
);

const FIND: &str = concat!(
    "SELECT coalesce((SELECT jsonb_agg(jsonb_build_array(p.line, p.problems) ORDER BY p.position) FROM (SELECT position, line, problems \
        FROM import_rows WHERE import_id = i.id AND problems IS NOT NULL ORDER BY position LIMIT {}) p), '[]'), ",
    import_columns!(),
    " FROM imports i WHERE i.organization_id = {} AND i.id = {}"
);

row! {
    struct FoundRow, FoundColumns {
        problems: Value => Jsonb,
        import: ImportRow => ImportColumns,
    }
}

const REPORT: &str = "SELECT i.id, page.* FROM imports i LEFT JOIN LATERAL (SELECT r.position, r.line, \
        coalesce(r.key, m.external_id, m.email::text), r.action, r.membership_id, r.problems \
        FROM import_rows r LEFT JOIN memberships m ON m.id = r.membership_id \
        WHERE r.import_id = i.id AND r.position > {} ORDER BY r.position LIMIT {}) page ON true \
     WHERE i.organization_id = {} AND i.id = {} ORDER BY page.position";

row! {
    struct StoredReportRow, StoredReportColumns {
        position: i64 => BigInt,
        line: Option<i64> => Nullable<BigInt>,
        key: Option<String> => Nullable<Text>,
        action: String => Text,
        membership: Option<Uuid> => Nullable<SqlUuid>,
        problems: Option<Value> => Nullable<Jsonb>,
    }
}

impl StoredReportRow {
    fn read(self) -> Result<ReportRow, StorageError> {
        let line = self.line.unwrap_or_default().unsigned_abs();
        Ok(ReportRow {
            position: self.position,
            line: self.line,
            key: self.key,
            action: RowAction::parse(&self.action)
                .ok_or_else(|| unreadable("import_rows", "known action"))?,
            membership: self.membership.map(MembershipId::new),
            problems: self.problems.map(|problems| read_problems(line, &problems)).unwrap_or_default(),
        })
    }
}

#[async_trait]
impl ImportQueries for PgImports {
    async fn list(
        &self,
        organization: OrgId,
        state: Option<ImportState>,
        page: PageRequest,
    ) -> Result<Option<Page<Import>>, MembershipError> {
        let rows = self.pg.read(move |connection| {
            let state = state.map(ImportState::as_str);
            let list = statement(LIST)
                .bind::<Nullable<Text>, _>(state)
                .bind::<Nullable<Text>, _>(state)
                .bind::<SqlUuid, _>(organization.uuid())
                .bind::<Nullable<Text>, _>(state)
                .bind::<Nullable<Text>, _>(state)
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset);
            Ok(list.rows::<PageColumns<ImportColumns>>().load::<PageRow<ImportRow>>(connection)?)
        });
        let rows = rows.await.map_err(PgError::<MembershipError>::into_storage)?;
        Ok(read_page(rows).map(|page| page.try_map(ImportRow::read)).transpose()?)
    }

    async fn find(
        &self,
        organization: OrgId,
        id: ImportId,
        limit: usize,
    ) -> Result<Option<(Import, Vec<RosterProblem>)>, MembershipError> {
        let found = self.pg.read(move |connection| {
            let found = statement(FIND)
                .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX))
                .bind::<SqlUuid, _>(organization.uuid())
                .bind::<SqlUuid, _>(id.uuid());
            Ok(found.rows::<FoundColumns>().get_result::<FoundRow>(connection).optional()?)
        });
        let Some(row) = found.await.map_err(PgError::<MembershipError>::into_storage)? else {
            return Ok(None);
        };
        let of_line = |pair: &Value| read_problems(pair[0].as_u64().unwrap_or_default(), &pair[1]);
        let lines = row.problems.as_array().map(Vec::as_slice).unwrap_or_default();
        let problems = lines.iter().flat_map(of_line).take(limit).collect();
        Ok(Some((row.import.read()?, problems)))
    }

    async fn report(
        &self,
        organization: OrgId,
        id: ImportId,
        after: i64,
        limit: i64,
    ) -> Result<Option<Vec<ReportRow>>, MembershipError> {
        let rows = self.pg.read(move |connection| {
            let rows = statement(REPORT)
                .bind::<BigInt, _>(after)
                .bind::<BigInt, _>(limit)
                .bind::<SqlUuid, _>(organization.uuid())
                .bind::<SqlUuid, _>(id.uuid())
                .rows::<(SqlUuid, Nullable<StoredReportColumns>)>();
            Ok(rows.load::<(Uuid, Option<StoredReportRow>)>(connection)?)
        });
        let rows = rows.await.map_err(PgError::<MembershipError>::into_storage)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let rows = rows.into_iter().filter_map(|(_, row)| row).map(StoredReportRow::read);
        Ok(Some(rows.collect::<Result<_, _>>()?))
    }
}
