use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use async_trait::async_trait;
use chrono::TimeDelta;

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

/// What a handler says that nothing was wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// It is done.
    Done,
    /// It is not possible yet: to be asked again after this time. Does not count as an attempt, so this may go on for ever.
    Later(TimeDelta),
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
    /// Does it. Dropped when the lease is lost or the server stops, so what it starts must not outlive it. The worker gives word
    /// only while this waits: long computing belongs on another thread.
    async fn handle(&self, job: &Job, progress: &Progress) -> Result<Handled, Failure>;
}

/// A job that a worker had.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// As it was claimed.
    pub job: Job,
    /// How it ended for the worker.
    pub end: End,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The job is done.
    Done,
    /// It was put off.
    Later,
    /// It failed, and is tried again.
    Failed(String),
    /// It failed, and is given up.
    Dead(String),
    /// Somebody else has it by now.
    Lost,
    /// It was broken off and put back, because the worker is to stop.
    Stopped,
}

impl JobService {
    /// Claims a job and does it; gives what became of it, if there was one. What is not done when `enough` comes is put back.
    pub async fn work(
        &self,
        worker: &str,
        enough: impl Future<Output = ()>,
    ) -> Result<Option<Attempt>, JobError> {
        let kinds: Vec<JobKind> = self.handlers.keys().copied().collect();
        let now = self.clock.now();
        let Some(job) = self.queue.claim(worker, &kinds, now, now + self.lease).await? else {
            return Ok(None);
        };
        let end = self.attempt(&job, enough).await?;
        Ok(Some(Attempt { job, end }))
    }

    async fn attempt(&self, job: &Job, enough: impl Future<Output = ()>) -> Result<End, JobError> {
        let lease = job.lease();
        let end = match self.handle(job, enough).await {
            Ended::Handled(handled) => handled,
            Ended::Lost => return Ok(End::Lost),
            Ended::Stopped => {
                let is_ours = self.queue.postpone(&lease, self.clock.now()).await?;
                return Ok(if is_ours { End::Stopped } else { End::Lost });
            }
        };
        let now = self.clock.now();
        let (is_ours, end) = match end {
            Ok(Handled::Done) => (self.queue.finish(&lease, now).await?, End::Done),
            Ok(Handled::Later(time)) => (self.queue.postpone(&lease, now + time).await?, End::Later),
            Err(Failure { error, may_retry }) => {
                let run_at = job.next_try(now, self.dice.roll()).filter(|_| may_retry);
                let is_ours = self.queue.fail(&lease, error.clone(), run_at, now).await?;
                (is_ours, if run_at.is_some() { End::Failed(error) } else { End::Dead(error) })
            }
        };
        Ok(if is_ours { end } else { End::Lost })
    }

    /// Has the handler do it, and gives word meanwhile.
    async fn handle(&self, job: &Job, enough: impl Future<Output = ()>) -> Ended {
        let Some(handler) = self.handlers.get(&job.kind) else {
            let error = format!("nobody here does {}", job.kind.as_str());
            return Ended::Handled(Err(Failure { error, may_retry: true }));
        };
        let (lease, progress) = (job.lease(), Progress::default());
        let beating = async {
            loop {
                self.timer.sleep(self.lease / 4).await;
                let until = self.clock.now() + self.lease;
                // After an error the database may be back before the lease ends; the next word tells.
                if let Ok(false) = self.queue.extend(&lease, progress.percent(), until).await {
                    return;
                }
            }
        };
        let (mut beating, mut enough) = (pin!(beating), pin!(enough));
        let mut handling = pin!(handler.handle(job, &progress));
        poll_fn(|context| {
            let polled = catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(context)));
            // It is not polled again, and the worker goes on.
            let polled = polled.unwrap_or_else(|_| {
                Poll::Ready(Err(Failure { error: "the handler panicked".into(), may_retry: true }))
            });
            if let Poll::Ready(handled) = polled {
                return Poll::Ready(Ended::Handled(handled));
            }
            if beating.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ended::Lost);
            }
            enough.as_mut().poll(context).map(|()| Ended::Stopped)
        })
        .await
    }
}

/// Why a handler is not asked any more.
enum Ended {
    /// It said so.
    Handled(Result<Handled, Failure>),
    /// Somebody else has the job by now.
    Lost,
    /// The worker is to stop.
    Stopped,
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Arc;

    use super::*;
    use crate::ports::Timer;
    use crate::tests::{Fixture, LEASE, a_job, now};

    type Answer = Result<Handled, Failure>;

    /// What the handler does.
    #[derive(Clone)]
    enum Does {
        Ends(Answer),
        Goes,
        Panics,
    }

    #[async_trait]
    impl Handler for Does {
        async fn handle(&self, _: &Job, progress: &Progress) -> Answer {
            progress.set(40.0);
            match self {
                Self::Ends(end) => end.clone(),
                Self::Goes => pending().await,
                Self::Panics => panic!("as it was told"),
            }
        }
    }

    /// No time passes.
    struct Standstill;

    #[async_trait]
    impl Timer for Standstill {
        async fn sleep(&self, _: TimeDelta) {
            pending::<()>().await;
        }
    }

    fn doing(does: Does) -> Fixture {
        let mut fixture = Fixture::default();
        fixture.handlers.insert(JobKind::RosterImport, Arc::new(does));
        fixture.queue.expect_claim().return_once(|worker, kinds, at, until| {
            assert_eq!((worker, kinds, at), ("w1", &[JobKind::RosterImport][..], now()));
            assert_eq!(until, now() + LEASE);
            Ok(Some(a_job()))
        });
        fixture
    }

    /// What became of the job of a worker that is never told to stop.
    async fn end_of(fixture: Fixture) -> End {
        let attempt = fixture.service().work("w1", pending()).await.expect("works").expect("a job");
        assert_eq!(attempt.job, a_job());
        attempt.end
    }

    fn failure(may_retry: bool) -> Failure {
        Failure { error: "the file is gone".into(), may_retry }
    }

    #[tokio::test]
    async fn without_a_job_nothing_is_done() {
        let mut fixture = Fixture::default();
        fixture.queue.expect_claim().return_once(|_, _, _, _| Ok(None));
        assert_eq!(fixture.service().work("w1", pending()).await.expect("asked"), None);
    }

    #[tokio::test]
    async fn a_job_that_was_done_is_noted() {
        let mut fixture = doing(Does::Ends(Ok(Handled::Done)));
        fixture.queue.expect_finish().times(1).returning(|lease, at| {
            assert_eq!((lease, at), (&a_job().lease(), now()));
            Ok(true)
        });
        assert_eq!(end_of(fixture).await, End::Done);
    }

    #[tokio::test]
    async fn what_is_not_possible_yet_is_put_off() {
        let later = TimeDelta::seconds(20);
        let mut fixture = doing(Does::Ends(Ok(Handled::Later(later))));
        fixture.queue.expect_postpone().times(1).returning(move |lease, run_at| {
            assert_eq!((lease, run_at), (&a_job().lease(), now() + later));
            Ok(true)
        });
        assert_eq!(end_of(fixture).await, End::Later);
    }

    #[tokio::test]
    async fn what_may_go_better_is_put_back_and_what_may_not_is_given_up() {
        let error = failure(true).error;
        for (may_retry, run_at, expected) in [
            (true, Some(now() + TimeDelta::seconds(30)), End::Failed(error.clone())),
            (false, None, End::Dead(error.clone())),
        ] {
            let mut fixture = doing(Does::Ends(Err(failure(may_retry))));
            fixture.dice.expect_roll().return_const(0.0);
            fixture.queue.expect_fail().times(1).returning(move |_, error, at, _| {
                assert_eq!((error.as_str(), at), ("the file is gone", run_at));
                Ok(true)
            });
            assert_eq!(end_of(fixture).await, expected);
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_like_others() {
        let mut fixture = doing(Does::Panics);
        fixture.dice.expect_roll().return_const(0.0);
        fixture.queue.expect_fail().times(1).returning(|_, _, run_at, _| {
            assert!(run_at.is_some());
            Ok(true)
        });
        assert_eq!(end_of(fixture).await, End::Failed("the handler panicked".into()));
    }

    #[tokio::test]
    async fn word_is_given_as_long_as_it_takes_and_a_lost_lease_ends_the_work() {
        let mut fixture = doing(Does::Goes);
        fixture.timer.expect_sleep().times(4).returning(|time| assert_eq!(time, LEASE / 4));
        let away = || domain_kernel::StorageError::Unavailable("away".into());
        let mut answers = [Ok(true), Err(away().into()), Ok(true), Ok(false)].into_iter();
        fixture.queue.expect_extend().times(4).returning(move |lease, percent, until| {
            assert_eq!((lease, percent, until), (&a_job().lease(), 40.0, now() + LEASE));
            answers.next().expect("asked four times")
        });
        assert_eq!(end_of(fixture).await, End::Lost);
    }

    #[tokio::test]
    async fn a_lease_that_was_lost_unnoticed_is_noticed_at_the_end() {
        let mut fixture = doing(Does::Ends(Ok(Handled::Done)));
        fixture.queue.expect_finish().return_once(|_, _| Ok(false));
        assert_eq!(end_of(fixture).await, End::Lost);
    }

    #[tokio::test]
    async fn who_is_to_stop_puts_back_what_is_not_done() {
        let mut fixture = doing(Does::Goes);
        fixture.queue.expect_postpone().times(1).returning(|lease, run_at| {
            assert_eq!((lease, run_at), (&a_job().lease(), now()));
            Ok(true)
        });
        let service = JobService { timer: Arc::new(Standstill), ..fixture.service() };
        let attempt = service.work("w1", ready(())).await.expect("works");
        assert_eq!(attempt.map(|attempt| attempt.end), Some(End::Stopped));
    }

    #[tokio::test]
    async fn what_is_done_by_then_is_done_although_one_is_to_stop() {
        let mut fixture = doing(Does::Ends(Ok(Handled::Done)));
        fixture.queue.expect_finish().times(1).returning(|_, _| Ok(true));
        let attempt = fixture.service().work("w1", ready(())).await.expect("works");
        assert_eq!(attempt.map(|attempt| attempt.end), Some(End::Done));
    }
}
