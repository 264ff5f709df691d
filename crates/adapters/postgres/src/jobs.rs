use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_jobs::ports::{JobFilter, JobQueries, JobQueue};
use domain_jobs::{Job, JobError, JobKind, JobState, Lease, NewJob};
use domain_kernel::{JobId, OrgId, Page, PageRequest, StorageError};
use uuid::Uuid;

use crate::Pg;
use crate::error::{PgError, unreadable};
use crate::schema::jobs;
use crate::sql::{PageColumns, PageRow, read_page, row, statement};

/// Jobs in PostgreSQL.
#[derive(Clone)]
pub struct PgJobs {
    pg: Pg,
}

impl PgJobs {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }
}

macro_rules! job_columns {
    () => {
        "j.id, j.organization_id, j.kind, j.subject, j.state, j.attempt, j.run_at, j.locked_until, j.worker, j.percent, \
         j.error, j.created_at, j.started_at, j.finished_at"
    };
}

row! {
    struct JobRow, JobColumns {
        id: Uuid => SqlUuid,
        organization_id: Option<Uuid> => Nullable<SqlUuid>,
        kind: String => Text,
        subject: Uuid => SqlUuid,
        state: String => Text,
        attempt: i32 => Integer,
        run_at: DateTime<Utc> => Timestamptz,
        locked_until: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        worker: Option<String> => Nullable<Text>,
        percent: f64 => Double,
        error: Option<String> => Nullable<Text>,
        created_at: DateTime<Utc> => Timestamptz,
        started_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        finished_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
    }
}

fn kind(text: &str) -> Result<JobKind, StorageError> {
    JobKind::parse(text).ok_or_else(|| unreadable("jobs", "known kind"))
}

fn state(text: &str) -> Result<JobState, StorageError> {
    JobState::parse(text).ok_or_else(|| unreadable("jobs", "known state"))
}

impl JobRow {
    fn read(self) -> Result<Job, StorageError> {
        Ok(Job {
            id: JobId::new(self.id),
            organization: self.organization_id.map(OrgId::new),
            kind: kind(&self.kind)?,
            subject: self.subject,
            state: state(&self.state)?,
            attempt: self.attempt.unsigned_abs(),
            run_at: self.run_at,
            locked_until: self.locked_until,
            worker: self.worker,
            percent: self.percent,
            error: self.error,
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
        })
    }
}

/// Queues a job, in the transaction that makes it necessary. One of the same kind and subject that waits or goes on is enough.
pub(crate) fn enqueue(connection: &mut PgConnection, job: &NewJob, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::insert_into(jobs::table)
        .values((
            jobs::id.eq(job.id.uuid()),
            jobs::organization_id.eq(job.organization.map(OrgId::uuid)),
            jobs::kind.eq(job.kind.as_str()),
            jobs::subject.eq(job.subject),
            jobs::run_at.eq(job.run_at),
            jobs::created_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .map(drop)
}

/// Passed over is what another worker is looking at. Whoever was silent in the last attempt has died of it.
const CLAIM: &str = concat!(
    "WITH next AS (SELECT id FROM jobs WHERE state IN ('queued', 'running') AND coalesce(locked_until, run_at) <= {} \
        AND kind = ANY({}) ORDER BY coalesce(locked_until, run_at) LIMIT 1 FOR UPDATE SKIP LOCKED), \
     claimed AS (UPDATE jobs j SET \
        state = CASE WHEN j.attempt < {} THEN 'running' ELSE 'dead' END, \
        attempt = CASE WHEN j.attempt < {} THEN j.attempt + 1 ELSE j.attempt END, \
        locked_until = CASE WHEN j.attempt < {} THEN {} END, \
        finished_at = CASE WHEN j.attempt < {} THEN NULL ELSE {} END, \
        error = CASE WHEN j.attempt < {} THEN j.error ELSE 'the worker died in the last attempt' END, \
        worker = {}, started_at = coalesce(j.started_at, {}) \
        FROM next WHERE j.id = next.id RETURNING ",
    job_columns!(),
    ") SELECT * FROM claimed"
);

const LIST: &str = concat!(
    "SELECT counted.total, page.* FROM (SELECT count(*) AS total FROM jobs j \
        WHERE ({} IS NULL OR j.kind = {}) AND ({} IS NULL OR j.state = {}) AND ({} IS NULL OR j.organization_id = {})) counted \
     LEFT JOIN LATERAL (SELECT ",
    job_columns!(),
    " FROM jobs j WHERE ({} IS NULL OR j.kind = {}) AND ({} IS NULL OR j.state = {}) AND ({} IS NULL OR j.organization_id = {}) \
        ORDER BY j.created_at DESC, j.id DESC LIMIT {} OFFSET {}) page ON true ORDER BY page.created_at DESC, page.id DESC"
);

/// In two, so that each finds its index: those that are done, which are most, are not looked at.
const COUNT: &str = "\
    SELECT kind, state, count(*) FROM jobs WHERE state IN ('queued', 'running') GROUP BY kind, state \
    UNION ALL SELECT kind, state, count(*) FROM jobs WHERE state = 'dead' GROUP BY kind, state";

impl PgJobs {
    /// Changes a job that is the worker's.
    async fn change(
        &self,
        lease: &Lease,
        change: impl FnOnce(&mut PgConnection, OwnJob) -> QueryResult<usize> + Send + 'static,
    ) -> Result<bool, JobError> {
        let lease = lease.clone();
        let changed = self.pg.read(move |connection| Ok(change(connection, OwnJob(lease))? > 0));
        changed.await.map_err(PgError::into_storage)
    }
}

/// A job as long as it is the worker's.
struct OwnJob(Lease);

type Own = diesel::dsl::Filter<
    jobs::table,
    diesel::dsl::And<
        diesel::dsl::And<diesel::dsl::Eq<jobs::id, Uuid>, diesel::dsl::Eq<jobs::worker, String>>,
        diesel::dsl::And<diesel::dsl::Eq<jobs::attempt, i32>, diesel::dsl::Eq<jobs::state, &'static str>>,
    >,
>;

impl OwnJob {
    fn rows(self) -> Own {
        let Lease { job, worker, attempt } = self.0;
        let attempt = i32::try_from(attempt).unwrap_or(i32::MAX);
        let is_its = jobs::id.eq(job.uuid()).and(jobs::worker.eq(worker));
        jobs::table.filter(is_its.and(jobs::attempt.eq(attempt).and(jobs::state.eq("running"))))
    }
}

#[async_trait]
impl JobQueue for PgJobs {
    async fn claim(
        &self,
        worker: &str,
        kinds: &[JobKind],
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<Job>, JobError> {
        let (worker, kinds) = (worker.to_owned(), kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
        let most = i32::try_from(Job::MAX_ATTEMPTS).unwrap_or(i32::MAX);
        let row = self.pg.read(move |connection| {
            loop {
                let claim = statement(CLAIM)
                    .bind::<Timestamptz, _>(now)
                    .bind::<Array<Text>, _>(kinds.clone())
                    .bind::<Integer, _>(most)
                    .bind::<Integer, _>(most)
                    .bind::<Integer, _>(most)
                    .bind::<Timestamptz, _>(until)
                    .bind::<Integer, _>(most)
                    .bind::<Timestamptz, _>(now)
                    .bind::<Integer, _>(most)
                    .bind::<Text, _>(worker.clone())
                    .bind::<Timestamptz, _>(now)
                    .rows::<JobColumns>();
                let row = claim.get_result::<JobRow>(connection).optional()?;
                if row.as_ref().is_none_or(|row| row.state == "running") {
                    return Ok(row);
                }
            }
        });
        let row = row.await.map_err(PgError::<JobError>::into_storage)?;
        Ok(row.map(JobRow::read).transpose()?)
    }

    async fn extend(&self, lease: &Lease, percent: f64, until: DateTime<Utc>) -> Result<bool, JobError> {
        let extend = move |connection: &mut PgConnection, own: OwnJob| {
            let word = (jobs::locked_until.eq(Some(until)), jobs::percent.eq(percent));
            diesel::update(own.rows()).set(word).execute(connection)
        };
        self.change(lease, extend).await
    }

    async fn finish(&self, lease: &Lease, now: DateTime<Utc>) -> Result<bool, JobError> {
        let finish = move |connection: &mut PgConnection, own: OwnJob| {
            let done = (
                jobs::state.eq("done"),
                jobs::locked_until.eq(None::<DateTime<Utc>>),
                jobs::percent.eq(100.0),
                jobs::error.eq(None::<String>),
                jobs::finished_at.eq(Some(now)),
            );
            diesel::update(own.rows()).set(done).execute(connection)
        };
        self.change(lease, finish).await
    }

    async fn fail(
        &self,
        lease: &Lease,
        error: String,
        run_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<bool, JobError> {
        let fail = move |connection: &mut PgConnection, own: OwnJob| {
            let failed = (
                jobs::state.eq(if run_at.is_some() { "queued" } else { "dead" }),
                jobs::locked_until.eq(None::<DateTime<Utc>>),
                jobs::run_at.eq(run_at.unwrap_or(now)),
                jobs::error.eq(Some(error)),
                jobs::finished_at.eq(run_at.is_none().then_some(now)),
            );
            diesel::update(own.rows()).set(failed).execute(connection)
        };
        self.change(lease, fail).await
    }

    async fn postpone(&self, lease: &Lease, run_at: DateTime<Utc>) -> Result<bool, JobError> {
        let postpone = move |connection: &mut PgConnection, own: OwnJob| {
            let waiting = (
                jobs::state.eq("queued"),
                jobs::attempt.eq(jobs::attempt - 1),
                jobs::locked_until.eq(None::<DateTime<Utc>>),
                jobs::run_at.eq(run_at),
            );
            diesel::update(own.rows()).set(waiting).execute(connection)
        };
        self.change(lease, postpone).await
    }
}

#[async_trait]
impl JobQueries for PgJobs {
    async fn list(&self, filter: JobFilter, page: PageRequest) -> Result<Page<Job>, JobError> {
        let rows = self.pg.read(move |connection| {
            let kind = filter.kind.map(JobKind::as_str);
            let state = filter.state.map(JobState::as_str);
            let organization = filter.organization.map(OrgId::uuid);
            let mut list = statement(LIST);
            for _ in 0..2 {
                list = list
                    .bind::<Nullable<Text>, _>(kind)
                    .bind::<Nullable<Text>, _>(kind)
                    .bind::<Nullable<Text>, _>(state)
                    .bind::<Nullable<Text>, _>(state)
                    .bind::<Nullable<SqlUuid>, _>(organization)
                    .bind::<Nullable<SqlUuid>, _>(organization);
            }
            let list = list.bind::<BigInt, _>(page.limit).bind::<BigInt, _>(page.offset);
            Ok(list.rows::<PageColumns<JobColumns>>().load::<PageRow<JobRow>>(connection)?)
        });
        let rows = rows.await.map_err(PgError::<JobError>::into_storage)?;
        Ok(read_page(rows).unwrap_or_default().try_map(JobRow::read)?)
    }

    async fn count(&self) -> Result<BTreeMap<(JobKind, JobState), u64>, JobError> {
        let rows = self.pg.read(|connection| {
            Ok(statement(COUNT).rows::<(Text, Text, BigInt)>().load::<(String, String, i64)>(connection)?)
        });
        let rows = rows.await.map_err(PgError::<JobError>::into_storage)?;
        let counted = rows.into_iter().map(|(kind_text, state_text, count)| {
            Ok(((kind(&kind_text)?, state(&state_text)?), count.unsigned_abs()))
        });
        Ok(counted.collect::<Result<_, StorageError>>()?)
    }
}
