//! What the unit tests of the use cases share.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::testing::FixedClock;
use domain_kernel::{Clock, JobId};
use uuid::Uuid;

use crate::ports::{MockDice, MockJobQueries, MockJobQueue, MockTimer};
use crate::{Handler, Job, JobKind, JobService, JobState};

pub(crate) const LEASE: TimeDelta = TimeDelta::seconds(60);

/// Mocks of all ports; a call that was not prepared fails the test.
#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) queue: MockJobQueue,
    pub(crate) queries: MockJobQueries,
    pub(crate) handlers: BTreeMap<JobKind, Arc<dyn Handler>>,
    pub(crate) timer: MockTimer,
    pub(crate) dice: MockDice,
}

impl Fixture {
    pub(crate) fn service(self) -> JobService {
        JobService {
            queue: Arc::new(self.queue),
            queries: Arc::new(self.queries),
            handlers: self.handlers,
            lease: LEASE,
            clock: Arc::new(FixedClock::default()),
            timer: Arc::new(self.timer),
            dice: Arc::new(self.dice),
        }
    }
}

pub(crate) fn now() -> DateTime<Utc> {
    FixedClock::default().now()
}

/// The first attempt of the worker `w1`.
pub(crate) fn a_job() -> Job {
    Job {
        id: JobId::new(Uuid::from_u128(0x70)),
        organization: None,
        kind: JobKind::RosterImport,
        subject: Uuid::from_u128(0x71),
        state: JobState::Running,
        attempt: 1,
        run_at: now(),
        locked_until: Some(now() + LEASE),
        worker: Some("w1".into()),
        percent: 0.0,
        error: None,
        created_at: now(),
        started_at: Some(now()),
        finished_at: None,
    }
}
