use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use diesel::connection::AnsiTransactionManager;
use diesel::connection::{Connection, InstrumentationEvent, SimpleConnection, TransactionManager};
use diesel::pg::PgConnection;
use tokio::sync::oneshot;

use crate::PgError;
use crate::connect::connect;
use crate::error::{Verdict, verdict};

/// How to reach the database.
#[derive(Clone)]
pub struct PgSettings {
    /// libpq URL. Holds the password, so it is never shown.
    pub url: String,
    /// Connections, and so statements at the same time.
    pub pool_size: u32,
    /// How long a request waits for a connection before it is told that the database is not available.
    pub acquire_timeout: Duration,
    /// How long a statement may take.
    pub statement_timeout: Duration,
}

/// How busy the pool is, for metrics.
#[derive(Debug, Default)]
pub struct PoolLoad {
    in_use: AtomicUsize,
    waiting: AtomicUsize,
    statements: AtomicU64,
}

impl PoolLoad {
    /// Connections in use.
    pub fn in_use(&self) -> usize {
        self.in_use.load(Ordering::Relaxed)
    }

    /// Requests waiting for a connection.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Statements sent since the start.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }
}

/// Counts itself out when dropped.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// For many short statements: pages in no order cost hardly more than pages in a row (the default is for disks that turn,
/// and reads tables from end to end where an index is at hand); neither compiling a statement nor starting other processes
/// for it ever pays; and planning it anew for each set of values costs more than most of them take.
const SHORT_STATEMENTS: &str = "SET random_page_cost = 1.1; SET jit = off; SET max_parallel_workers_per_gather = 0; \
     SET plan_cache_mode = force_generic_plan";

/// A connection with what the pool has to know of it.
struct Tracked {
    connection: PgConnection,
    /// Set while a closure runs, so that a panic or an unclear error takes the connection out of the pool.
    suspect: bool,
    generation: u64,
}

/// Whether connections may still be made. Two things and not one value under the lock: with many connections being made there
/// is always a reader, and who wants to close would wait for ever.
#[derive(Default)]
struct Gate {
    is_closed: AtomicBool,
    /// Held for reading while a connection is made.
    connecting: RwLock<()>,
}

impl Gate {
    /// Nobody connects any more; waits until whoever is connecting is done, at most until the deadline.
    fn close(&self, deadline: Instant) {
        self.is_closed.store(true, Ordering::SeqCst);
        while self.connecting.try_write().is_err() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Closes the gate when the last handle of the database goes.
struct GateKeeper {
    gate: Arc<Gate>,
    patience: Duration,
}

impl GateKeeper {
    fn close(&self) {
        self.gate.close(Instant::now() + self.patience);
    }
}

impl Drop for GateKeeper {
    fn drop(&mut self) {
        self.close();
    }
}

/// Opens connections. Our own and not diesel's, because that one tests a connection by a statement of its own before each
/// use, which doubles the round trips of every read.
struct Connector {
    settings: PgSettings,
    load: Arc<PoolLoad>,
    generation: Arc<AtomicU64>,
    gate: Arc<Gate>,
}

impl r2d2::ManageConnection for Connector {
    type Connection = Tracked;
    type Error = diesel::result::Error;

    fn connect(&self) -> Result<Tracked, Self::Error> {
        let unreachable = |reason: String| diesel::result::Error::QueryBuilderError(reason.into());
        let _connecting = self.gate.connecting.read();
        if self.gate.is_closed.load(Ordering::SeqCst) {
            return Err(unreachable("closed".into()));
        }
        let generation = self.generation.load(Ordering::Acquire);
        let mut connection = connect(&self.settings.url).map_err(unreachable)?;
        let milliseconds = self.settings.statement_timeout.as_millis();
        connection.batch_execute(&format!(
            "SET statement_timeout = {milliseconds}; SET lock_timeout = {milliseconds}; \
             SET idle_in_transaction_session_timeout = {milliseconds}; SET timezone = 'UTC'; \
             SET application_name = 'worklete'; {SHORT_STATEMENTS}"
        ))?;
        let load = Arc::clone(&self.load);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::StartQuery { .. }) {
                load.statements.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Tracked { connection, suspect: false, generation })
    }

    fn is_valid(&self, tracked: &mut Tracked) -> Result<(), Self::Error> {
        tracked.connection.batch_execute("SELECT 1")
    }

    fn has_broken(&self, tracked: &mut Tracked) -> bool {
        tracked.suspect || AnsiTransactionManager::is_broken_transaction_manager(&mut tracked.connection)
    }
}

#[derive(Debug)]
struct QuietErrors;

impl<E: std::error::Error> r2d2::HandleError<E> for QuietErrors {
    fn handle_error(&self, error: E) {
        // The message of a failed connection names the host, never the password.
        tracing::warn!(error = %error, "cannot connect to the database");
    }
}

/// A connection outside the pool, for whoever listens. The database does not close before it is gone.
pub(crate) struct Listening<'a> {
    pub(crate) connection: PgConnection,
    gate: &'a Gate,
    _open: RwLockReadGuard<'a, ()>,
}

impl Listening<'_> {
    /// Whether this connection is waited for.
    pub(crate) fn is_closing(&self) -> bool {
        self.gate.is_closed.load(Ordering::SeqCst)
    }
}

/// Makes connections outside the pool. Holding it does not keep the database open.
pub(crate) struct ListenerDoor {
    url: String,
    gate: Arc<Gate>,
}

impl ListenerDoor {
    /// Connects; none once the database closes.
    pub(crate) fn connect(&self) -> Option<Result<Listening<'_>, String>> {
        let open = self.gate.connecting.read().unwrap_or_else(PoisonError::into_inner);
        if self.gate.is_closed.load(Ordering::SeqCst) {
            return None;
        }
        let connected = connect(&self.url);
        Some(connected.map(|connection| Listening { connection, gate: &self.gate, _open: open }))
    }
}

/// What a database thread does next.
type Job = Box<dyn FnOnce(&Shared) + Send>;

/// Where a job stands, so that either a thread begins it or whoever waits gives it up, never both.
const QUEUED: u8 = 0;
const BEGUN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// What the database threads share.
struct Shared {
    pool: r2d2::Pool<Connector>,
    load: Arc<PoolLoad>,
    generation: Arc<AtomicU64>,
}

/// The database.
#[derive(Clone)]
pub struct Pg(Arc<Handle>);

/// Jobs in the order in which they came. A thread without one sleeps until it is woken for it: one that kept looking would be
/// taken for ready, and be put off by the system just when there is much to do.
#[derive(Default)]
struct Jobs {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

impl Jobs {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False, dropping the job, once it is closed.
    fn push(&self, job: Job) -> bool {
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return false;
        }
        waiting.jobs.push_back(job);
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    /// The next one; none once it is closed.
    fn pop(&self) -> Option<Job> {
        let waiting = self.waiting();
        let is_idle = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.is_closed;
        let mut waiting = self.arrived.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner);
        waiting.jobs.pop_front()
    }

    /// Takes no more, drops those that nobody has begun, and sends the threads home.
    fn close(&self) {
        let mut waiting = self.waiting();
        waiting.is_closed = true;
        let dropped = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        drop(dropped);
        self.arrived.notify_all();
    }
}

/// When this is dropped, nobody can send jobs any more: the threads end, and the gate closes.
struct Handle {
    jobs: Arc<Jobs>,
    load: Arc<PoolLoad>,
    gate: GateKeeper,
    url: String,
    acquire_timeout: Duration,
    answer_timeout: Duration,
}

#[derive(Debug, thiserror::Error)]
enum Away {
    #[error("no database connection became free in time")]
    Full,
    #[error("no database connection could be made in time")]
    Unreachable,
    #[error("the database did not answer in time")]
    Silent,
    #[error("the database is gone or too busy: {0}")]
    Lost(String),
}

impl<E> From<Away> for PgError<E> {
    fn from(away: Away) -> Self {
        Self::Unavailable(Box::new(away))
    }
}

impl Pg {
    /// Makes the pool, with a thread for each connection. Connects in the background: a database that is away now may come
    /// later.
    ///
    /// # Panics
    ///
    /// If the system starts no more threads.
    pub fn new(settings: PgSettings) -> Self {
        let (load, generation) = (Arc::<PoolLoad>::default(), Arc::<AtomicU64>::default());
        let gate = Arc::<Gate>::default();
        let (acquire_timeout, statement_timeout) = (settings.acquire_timeout, settings.statement_timeout);
        let (url, threads) = (settings.url.clone(), settings.pool_size);
        let builder = r2d2::Pool::builder()
            .max_size(settings.pool_size)
            .min_idle(Some(1))
            .connection_timeout(settings.acquire_timeout)
            .test_on_check_out(false)
            .error_handler(Box::new(QuietErrors));
        let connector = Connector {
            settings,
            load: Arc::clone(&load),
            generation: Arc::clone(&generation),
            gate: Arc::clone(&gate),
        };
        let pool = builder.build_unchecked(connector);
        let shared = Arc::new(Shared { pool, load: Arc::clone(&load), generation });
        let jobs = Arc::<Jobs>::default();
        for number in 1..=threads {
            let (shared, jobs) = (Arc::clone(&shared), Arc::clone(&jobs));
            let work = move || {
                while let Some(job) = jobs.pop() {
                    job(&shared);
                }
            };
            let thread = std::thread::Builder::new().name(format!("database-{number}")).spawn(work);
            thread.expect("a thread can be started");
        }
        Self(Arc::new(Handle {
            jobs,
            load,
            gate: GateKeeper { gate, patience: acquire_timeout },
            url,
            acquire_timeout,
            // The server gives up first; this is for one that has stopped answering at all.
            answer_timeout: statement_timeout + Duration::from_secs(1),
        }))
    }

    /// How busy it is.
    pub fn load(&self) -> Arc<PoolLoad> {
        Arc::clone(&self.0.load)
    }

    /// Runs a read, or a write that is one statement: without a transaction around it.
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&mut PgConnection) -> Result<T, PgError<E>> + Send + 'static,
    ) -> Result<T, PgError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.run(work).await
    }

    /// Runs a write in a transaction: whatever error the closure gives rolls it back.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut PgConnection) -> Result<T, PgError<E>> + Send + 'static,
    ) -> Result<T, PgError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.run(|connection| connection.transaction(work)).await
    }

    /// Lets nobody reach the database any more; who waits is told that it is not available. To be called before the process
    /// ends: a connection that is being made then crashes it, because its cryptography has been torn down.
    pub fn close(&self) {
        self.0.jobs.close();
        self.0.gate.close();
    }

    /// Where to connect for listening.
    pub(crate) fn listener_door(&self) -> ListenerDoor {
        ListenerDoor { url: self.0.url.clone(), gate: Arc::clone(&self.0.gate.gate) }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), PgError<std::convert::Infallible>> {
        self.read(|connection| Ok(connection.batch_execute("SELECT 1")?)).await
    }

    /// Has a database thread do it. Not one of the runtime's: under load each of ours takes the next job at once, where those
    /// would have to be woken for it, by somebody who has to be woken first.
    async fn run<T, E>(
        &self,
        work: impl FnOnce(&mut PgConnection) -> Result<T, PgError<E>> + Send + 'static,
    ) -> Result<T, PgError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let handle = &*self.0;
        let deadline = Instant::now() + handle.acquire_timeout;
        let (answer, mut answered) = oneshot::channel();
        let stage = Arc::new(AtomicU8::new(QUEUED));
        let job = {
            let (stage, load) = (Arc::clone(&stage), Arc::clone(&handle.load));
            move |shared: &Shared| {
                if stage.compare_exchange(QUEUED, BEGUN, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                    load.waiting.fetch_sub(1, Ordering::Relaxed);
                    let result = catch_unwind(AssertUnwindSafe(|| shared.run(deadline, work)));
                    // Whoever waited may have given up.
                    drop(answer.send(result));
                }
            }
        };
        handle.load.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = GivesUp { stage, load: &handle.load };
        if !handle.jobs.push(Box::new(job)) {
            return Err(Away::Full.into());
        }
        let answered = match tokio::time::timeout(handle.acquire_timeout, &mut answered).await {
            Ok(answered) => answered,
            Err(_) if waiting.give_up() => return Err(Away::Full.into()),
            Err(_) => match tokio::time::timeout(handle.answer_timeout, answered).await {
                Ok(answered) => answered,
                Err(_) => return Err(Away::Silent.into()),
            },
        };
        match answered {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            // The queue was emptied because the database closes.
            Err(_) => Err(Away::Full.into()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.jobs.close();
    }
}

/// Somebody who waits for a job. Gives it up when dropped, unless it was begun: a request that was given up costs the database
/// nothing.
struct GivesUp<'a> {
    stage: Arc<AtomicU8>,
    load: &'a PoolLoad,
}

impl GivesUp<'_> {
    /// Whether nobody has begun it, and nobody will.
    fn give_up(&self) -> bool {
        let given_up =
            self.stage.compare_exchange(QUEUED, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if given_up {
            self.load.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        given_up
    }
}

impl Drop for GivesUp<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Shared {
    fn run<T, E>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&mut PgConnection) -> Result<T, PgError<E>>,
    ) -> Result<T, PgError<E>> {
        let mut tracked = self.check_out(deadline)?;
        let _in_use = Counted::new(&self.load.in_use);
        tracked.suspect = true;
        let result = work(&mut tracked.connection);
        let Err(PgError::Sql(error)) = &result else {
            tracked.suspect = false;
            return result;
        };
        let verdict = verdict(error);
        tracked.suspect = matches!(verdict, Verdict::Unclear | Verdict::Lost);
        if verdict == Verdict::Lost {
            self.generation.fetch_max(tracked.generation + 1, Ordering::AcqRel);
        }
        if matches!(verdict, Verdict::Busy | Verdict::Lost) {
            Err(Away::Lost(error.to_string()).into())
        } else {
            result
        }
    }

    /// A connection that was made after the last time the server was lost.
    fn check_out<E>(&self, deadline: Instant) -> Result<r2d2::PooledConnection<Connector>, PgError<E>> {
        loop {
            let time_left = deadline.saturating_duration_since(Instant::now());
            let mut tracked = self.pool.get_timeout(time_left).map_err(|_| Away::Unreachable)?;
            if tracked.generation >= self.generation.load(Ordering::Acquire) {
                return Ok(tracked);
            }
            tracked.suspect = true;
        }
    }
}
