use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::future::{Either, select};

use crate::{Job, JobError, JobKind, JobService};

/// How far a job is; told to the queue with the next word of the worker.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

impl Progress {
    /// Notes that so much of 100 is done.
    pub fn set(&self, percent: f64) {
        self.0.store(percent.clamp(0.0, 100.0).to_bits(), Ordering::Relaxed);
    }

    /// What was noted last.
    pub fn percent(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// Why a job was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, for operators: no secrets, nothing of persons.
    pub error: String,
    /// Whether it may go better another time.
    pub may_retry: bool,
}

/// Does jobs of one kind. May be begun again at any time after it was broken off, on another server, and must end with the same then.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Does it. Dropped when the lease is lost.
    async fn handle(&self, job: &Job, progress: &Progress) -> Result<(), Failure>;
}

impl JobService {
    /// Claims a job and does it. Gives whether there was one.
    pub async fn work(&self, worker: &str) -> Result<bool, JobError> {
        let kinds: Vec<JobKind> = self.handlers.keys().copied().collect();
        let Some(job) = self.queue.claim(worker, &kinds, self.clock.now()).await? else { return Ok(false) };
        let Some(handler) = self.handlers.get(&job.kind).map(Arc::clone) else { return Ok(false) };
        let (lease, progress) = (job.lease(), Progress::default());
        let trouble = Mutex::new(None);
        let beating = async {
            loop {
                self.timer.sleep(Job::HEARTBEAT).await;
                match self.queue.extend(&lease, progress.percent(), self.clock.now()).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    // The database may be back before the lease ends; the next word tells.
                    Err(error) => *trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
                }
            }
        };
        let handling = handler.handle(&job, &progress);
        let done = match select(Box::pin(handling), Box::pin(beating)).await {
            Either::Left((done, _)) => done,
            // Somebody else has it by now.
            Either::Right(((), _)) => return Ok(true),
        };
        let now = self.clock.now();
        match done {
            Ok(()) => self.queue.finish(&lease, now).await?,
            Err(failure) => {
                let run_at = job.next_try(now, self.dice.roll()).filter(|_| failure.may_retry);
                self.queue.fail(&lease, failure.error, run_at, now).await?
            }
        };
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::tests::{Fixture, a_job, now};

    /// Ends at once with this, or never.
    struct Ends(Option<Result<(), Failure>>);

    #[async_trait]
    impl Handler for Ends {
        async fn handle(&self, _: &Job, progress: &Progress) -> Result<(), Failure> {
            progress.set(40.0);
            match self.0.clone() {
                Some(end) => end,
                None => std::future::pending().await,
            }
        }
    }

    fn doing(end: Option<Result<(), Failure>>) -> Fixture {
        let mut fixture = Fixture::default();
        fixture.handlers.insert(JobKind::RosterImport, Arc::new(Ends(end)));
        fixture.queue.expect_claim().return_once(|worker, kinds, at| {
            assert_eq!((worker, kinds, at), ("w1", &[JobKind::RosterImport][..], now()));
            Ok(Some(a_job()))
        });
        fixture
    }

    #[tokio::test]
    async fn without_a_job_nothing_is_done() {
        let mut fixture = Fixture::default();
        fixture.queue.expect_claim().return_once(|_, _, _| Ok(None));
        assert!(!fixture.service().work("w1").await.expect("asked"));
    }

    #[tokio::test]
    async fn a_job_that_was_done_is_noted() {
        let mut fixture = doing(Some(Ok(())));
        fixture.queue.expect_finish().times(1).returning(|lease, at| {
            assert_eq!((lease, at), (&a_job().lease(), now()));
            Ok(true)
        });
        assert!(fixture.service().work("w1").await.expect("works"));
    }

    #[tokio::test]
    async fn what_may_go_better_is_put_back_and_what_may_not_is_given_up() {
        for (may_retry, run_at) in [(true, Some(now() + TimeDelta::seconds(30))), (false, None)] {
            let failure = Failure { error: "the file is gone".into(), may_retry };
            let mut fixture = doing(Some(Err(failure)));
            fixture.dice.expect_roll().return_const(0.0);
            fixture.queue.expect_fail().times(1).returning(move |_, error, at, _| {
                assert_eq!((error.as_str(), at), ("the file is gone", run_at));
                Ok(true)
            });
            assert!(fixture.service().work("w1").await.expect("works"));
        }
    }

    #[tokio::test]
    async fn word_is_given_as_long_as_it_takes_and_a_lost_lease_ends_the_work() {
        let mut fixture = doing(None);
        fixture.timer.expect_sleep().times(3).returning(|time| assert_eq!(time, Job::HEARTBEAT));
        let mut answers = [true, true, false].into_iter();
        fixture.queue.expect_extend().times(3).returning(move |lease, percent, _| {
            assert_eq!((lease, percent), (&a_job().lease(), 40.0));
            Ok(answers.next().unwrap_or_default())
        });
        assert!(fixture.service().work("w1").await.expect("works"));
    }
}
