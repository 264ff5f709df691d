//! What the jobs domain needs from the outside.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain_kernel::{OrgId, Page, PageRequest};

use crate::{Job, JobError, JobKind, JobState, Lease};

/// Which jobs are wanted; absent parts let all pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Those of this kind.
    pub kind: Option<JobKind>,
    /// Those that stand so.
    pub state: Option<JobState>,
    /// Those of this organization.
    pub organization: Option<OrgId>,
}

/// Hands out jobs.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// One atomic fact: gives the worker until then the job of these kinds that has been due longest, or whose lease has ended, and
    /// begins an attempt. Of several calls at once no two get the same job, and none waits for another. A job whose last attempt
    /// allowed ended without a word is dead instead, and the next one is given.
    async fn claim(
        &self,
        worker: &str,
        kinds: &[JobKind],
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<Job>, JobError>;

    /// Keeps the job until then and notes how far it is. False, changing nothing, if it is not the worker's any more.
    async fn extend(&self, lease: &Lease, percent: f64, until: DateTime<Utc>) -> Result<bool, JobError>;

    /// Notes that the job is done. False, changing nothing, if it is not the worker's any more.
    async fn finish(&self, lease: &Lease, now: DateTime<Utc>) -> Result<bool, JobError>;

    /// Notes what went wrong, and puts the job back until `run_at`; without one it is dead. False, changing nothing, if it is not
    /// the worker's any more.
    async fn fail(
        &self,
        lease: &Lease,
        error: String,
        run_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<bool, JobError>;

    /// Puts the job back until `run_at` as if this attempt had not been begun. False, changing nothing, if it is not the worker's any
    /// more.
    async fn postpone(&self, lease: &Lease, run_at: DateTime<Utc>) -> Result<bool, JobError>;
}

/// Reads jobs. Each method is one statement.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait JobQueries: Send + Sync {
    /// Jobs that pass the filter, the newest first.
    async fn list(&self, filter: JobFilter, page: PageRequest) -> Result<Page<Job>, JobError>;

    /// How many are queued, running and dead, of each kind.
    async fn count(&self) -> Result<BTreeMap<(JobKind, JobState), u64>, JobError>;
}

/// Chance.
#[cfg_attr(test, mockall::automock)]
pub trait Dice: Send + Sync {
    /// A number from 0 to 1.
    fn roll(&self) -> f64;
}

/// Lets time pass.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Timer: Send + Sync {
    /// Comes back after a while.
    async fn sleep(&self, time: chrono::TimeDelta);
}
