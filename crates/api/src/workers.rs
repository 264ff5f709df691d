//! Workers: they claim jobs and do them, beside the server or without one.

use std::io;
use std::time::Duration;

use adapter_security::UuidV7;
use chrono::TimeDelta;
use domain_jobs::{Attempt, End, JobService};
use domain_kernel::IdGenerator;
use tokio::sync::watch;

use crate::config::Config;
use crate::maintenance::warn;

/// How long a worker waits at least when there was no job.
const PAUSE: TimeDelta = TimeDelta::seconds(2);

/// How long it waits when the queue could not be asked.
const LONG_PAUSE: TimeDelta = TimeDelta::seconds(10);

/// What is added by chance, at most: workers that began together do not ask together.
const CHANCE: Duration = Duration::from_secs(3);

/// How long what is under way may go on when the workers are to stop.
const GRACE: Duration = Duration::from_secs(10);

/// What putting a job back may take beyond that.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// All workers of this process. They stop when this is dropped, too.
#[derive(Clone)]
pub(crate) struct Workers {
    stopping: watch::Sender<bool>,
    grace: Duration,
}

impl Workers {
    /// Starts them, each on a thread of its own: a handler that computes holds up neither requests nor other workers. None without
    /// a handler.
    pub(crate) fn start(jobs: &JobService, config: &Config) -> io::Result<Self> {
        let count = if jobs.handlers.is_empty() { 0 } else { config.workers };
        let workers = Self::of(jobs, count, config.shutdown_timeout.min(GRACE))?;
        tracing::info!(workers = count, "working");
        Ok(workers)
    }

    fn of(jobs: &JobService, count: u32, grace: Duration) -> io::Result<Self> {
        let workers = Self { stopping: watch::Sender::new(false), grace };
        // Not the host's name: two processes of one host are two.
        let process = UuidV7.next();
        for number in 1..=count {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let worker = Worker {
                jobs: jobs.clone(),
                name: format!("{process}-{number}"),
                stopping: workers.stopping.subscribe(),
                grace,
            };
            let work = move || {
                runtime.block_on(worker.run());
                // What a handler left on threads of its own is not waited for.
                runtime.shutdown_background();
            };
            std::thread::Builder::new().name(format!("worker-{number}")).spawn(work)?;
        }
        Ok(workers)
    }

    /// Has them claim no more, and waits until they ended. What is not done after a grace is put back; a worker that does not listen
    /// even then is left behind.
    pub(crate) async fn stop(&self) {
        self.stopping.send_replace(true);
        let ended = tokio::time::timeout(self.grace + LAST_WORDS, self.stopping.closed()).await;
        if ended.is_err() {
            tracing::warn!("a worker did not end: its job goes on elsewhere when its lease has ended");
        }
    }
}

struct Worker {
    jobs: JobService,
    name: String,
    stopping: watch::Receiver<bool>,
    grace: Duration,
}

impl Worker {
    async fn run(self) {
        while !self.is_stopped() {
            let enough = async {
                self.stopped().await;
                tokio::time::sleep(self.grace).await;
            };
            // Not dropped halfway: what has been claimed by then would wait until its lease ends.
            match self.jobs.work(&self.name, enough).await {
                Ok(Some(attempt)) => self.tell(&attempt),
                Ok(None) => self.pause(PAUSE).await,
                Err(error) => {
                    warn(error.into(), "the queue of jobs could not be asked");
                    self.pause(LONG_PAUSE).await;
                }
            }
        }
    }

    fn is_stopped(&self) -> bool {
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
    }

    async fn stopped(&self) {
        // An error means that nobody is left to say so, which is the same.
        drop(self.stopping.clone().wait_for(|stopping| *stopping).await);
    }

    async fn pause(&self, pause: TimeDelta) {
        let more = TimeDelta::from_std(CHANCE.mul_f64(self.jobs.dice.roll())).unwrap_or_default();
        tokio::select! {
            () = self.stopped() => {}
            () = self.jobs.timer.sleep(pause + more) => {}
        }
    }

    fn tell(&self, Attempt { job, end }: &Attempt) {
        let (worker, id, kind, attempt) = (&self.name, job.id.uuid(), job.kind.as_str(), job.attempt);
        match end {
            End::Done => tracing::info!(worker, job = %id, kind, attempt, "did a job"),
            End::Later => tracing::debug!(worker, job = %id, kind, attempt, "put off a job"),
            End::Stopped => tracing::info!(worker, job = %id, kind, attempt, "put back a job"),
            End::Lost => tracing::warn!(worker, job = %id, kind, attempt, "lost a job to another worker"),
            End::Failed(error) => tracing::warn!(worker, job = %id, kind, attempt, error, "a job failed"),
            End::Dead(error) => tracing::error!(worker, job = %id, kind, attempt, error, "a job is given up"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Instant;

    use adapter_security::{SecureRandom, SystemClock};
    use async_trait::async_trait;
    use chrono::{DateTime, Utc};
    use domain_jobs::ports::{JobFilter, JobQueries, JobQueue, Timer};
    use domain_jobs::{Failure, Handled, Handler, Job, JobError, JobKind, JobState, Lease, Progress};
    use domain_kernel::{Clock, JobId, Page, PageRequest, StorageError};
    use uuid::Uuid;

    use super::*;

    const GRACE: Duration = Duration::from_millis(50);

    /// What a claim gives, and what was said.
    #[derive(Default)]
    struct Queue {
        answers: Mutex<VecDeque<Result<Uuid, ()>>>,
        said: Mutex<Vec<String>>,
    }

    impl Queue {
        fn with(answers: impl IntoIterator<Item = Result<u128, ()>>) -> Arc<Self> {
            let answers = answers.into_iter().map(|answer| answer.map(Uuid::from_u128)).collect();
            Arc::new(Self { answers: Mutex::new(answers), ..Self::default() })
        }

        fn say(&self, word: &str, job: JobId) {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            said.push(format!("{word} {}", job.uuid().as_u128()));
        }

        fn said(&self) -> Vec<String> {
            self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }

        async fn until_said(&self, count: usize) -> Vec<String> {
            let start = Instant::now();
            while self.said().len() < count {
                assert!(start.elapsed() < Duration::from_secs(20), "{:?}", self.said());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            self.said()
        }
    }

    #[async_trait]
    impl JobQueue for Queue {
        async fn claim(
            &self,
            worker: &str,
            _: &[JobKind],
            now: DateTime<Utc>,
            until: DateTime<Utc>,
        ) -> Result<Option<Job>, JobError> {
            let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(answer) = answer else { return Ok(None) };
            let id = answer.map_err(|()| StorageError::Unavailable("away".into()))?;
            Ok(Some(Job {
                id: JobId::new(id),
                organization: None,
                kind: JobKind::RosterImport,
                subject: id,
                state: JobState::Running,
                attempt: 1,
                run_at: now,
                locked_until: Some(until),
                worker: Some(worker.to_owned()),
                percent: 0.0,
                error: None,
                created_at: now,
                started_at: Some(now),
                finished_at: None,
            }))
        }

        async fn extend(&self, _: &Lease, _: f64, _: DateTime<Utc>) -> Result<bool, JobError> {
            Ok(true)
        }

        async fn finish(&self, lease: &Lease, _: DateTime<Utc>) -> Result<bool, JobError> {
            self.say("finish", lease.job);
            Ok(true)
        }

        async fn fail(
            &self,
            lease: &Lease,
            _: String,
            _: Option<DateTime<Utc>>,
            _: DateTime<Utc>,
        ) -> Result<bool, JobError> {
            self.say("fail", lease.job);
            Ok(true)
        }

        async fn postpone(&self, lease: &Lease, _: DateTime<Utc>) -> Result<bool, JobError> {
            self.say("postpone", lease.job);
            Ok(true)
        }
    }

    #[async_trait]
    impl JobQueries for Queue {
        async fn list(&self, _: JobFilter, _: PageRequest) -> Result<Page<Job>, JobError> {
            Ok(Page::default())
        }

        async fn count(&self) -> Result<BTreeMap<(JobKind, JobState), u64>, JobError> {
            Ok(BTreeMap::new())
        }
    }

    /// Pauses are short, and word is given as ever.
    struct Hurry;

    #[async_trait]
    impl Timer for Hurry {
        async fn sleep(&self, time: TimeDelta) {
            SystemClock.sleep(time / 1000).await;
        }
    }

    /// Does everything but job 9, which takes for ever; job 8 fails.
    struct Does;

    #[async_trait]
    impl Handler for Does {
        async fn handle(&self, job: &Job, _: &Progress) -> Result<Handled, Failure> {
            match job.subject.as_u128() {
                9 => std::future::pending().await,
                8 => Err(Failure { error: "the file is gone".into(), may_retry: false }),
                _ => Ok(Handled::Done),
            }
        }
    }

    fn jobs(queue: &Arc<Queue>, handlers: BTreeMap<JobKind, Arc<dyn Handler>>) -> JobService {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        JobService {
            queue: queue.clone(),
            queries: queue.clone(),
            handlers,
            lease: TimeDelta::seconds(60),
            clock,
            timer: Arc::new(Hurry),
            dice: Arc::new(SecureRandom),
        }
    }

    fn start(queue: &Arc<Queue>, count: u32) -> Workers {
        let handlers = BTreeMap::from([(JobKind::RosterImport, Arc::new(Does) as Arc<dyn Handler>)]);
        Workers::of(&jobs(queue, handlers), count, GRACE).expect("threads")
    }

    #[tokio::test]
    async fn one_job_after_the_other_is_done_and_trouble_is_waited_out() {
        let queue = Queue::with([Ok(1), Err(()), Ok(8), Err(()), Ok(3)]);
        let workers = start(&queue, 1);
        assert_eq!(queue.until_said(3).await, ["finish 1", "fail 8", "finish 3"]);
        workers.stop().await;
        queue.answers.lock().expect("whole").push_back(Ok(Uuid::nil()));
        tokio::time::sleep(GRACE).await;
        assert_eq!(queue.answers.lock().expect("whole").len(), 1, "nobody asks any more");
    }

    #[tokio::test]
    async fn what_is_under_way_gets_a_grace_and_is_put_back_then() {
        let queue = Queue::with([Ok(9), Ok(1)]);
        let workers = start(&queue, 2);
        assert_eq!(queue.until_said(1).await, ["finish 1"]);
        let start = Instant::now();
        workers.stop().await;
        assert!(start.elapsed() >= GRACE, "{:?}", start.elapsed());
        assert_eq!(queue.said(), ["finish 1", "postpone 9"]);
    }

    #[tokio::test]
    async fn workers_that_nobody_keeps_stop_as_well() {
        let queue = Queue::with([Ok(9)]);
        let workers = start(&queue, 1);
        while !queue.answers.lock().expect("whole").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(workers);
        assert_eq!(queue.until_said(1).await, ["postpone 9"]);
    }

    #[tokio::test]
    async fn without_a_handler_nobody_asks() {
        let queue = Queue::with([Ok(1)]);
        let get = |name: &str| (name == "DATABASE_URL").then(|| "postgres://localhost/worklete".to_owned());
        let config = Config::from_variables(&get).expect("defaults");
        let workers = Workers::start(&jobs(&queue, BTreeMap::new()), &config).expect("threads");
        tokio::time::sleep(GRACE).await;
        workers.stop().await;
        assert_eq!(queue.answers.lock().expect("whole").len(), 1);
    }
}
