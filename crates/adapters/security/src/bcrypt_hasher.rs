use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use async_trait::async_trait;
use domain_users::ports::PasswordHasher;
use domain_users::{Password, PasswordHash, UserError};
use tokio::sync::{Semaphore, oneshot};

/// bcrypt on threads of its own, which everything else goes before: at most as many at once as there are cores, a bounded
/// number waiting.
#[derive(Clone)]
pub struct BcryptHasher {
    cost: u32,
    jobs: mpsc::Sender<Job>,
    threads: Arc<Semaphore>,
    queue: usize,
    load: Arc<HashingLoad>,
    /// Compared against when there is no user: same cost, so same time.
    decoy: Arc<str>,
}

/// What a thread does next.
type Job = Box<dyn FnOnce() + Send>;

/// How busy the hasher is, for metrics.
#[derive(Debug, Default)]
pub struct HashingLoad {
    waiting: AtomicUsize,
    running: AtomicUsize,
}

impl HashingLoad {
    /// Passwords waiting for a thread.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Passwords being hashed.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }
}

/// Counts itself out when dropped, so that a request that is given up while waiting is not counted for ever.
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

impl BcryptHasher {
    /// A hasher of this cost (4 to 31, each step doubles the work) on `threads` threads, with at most `queue` waiting.
    /// Fails when the cost is out of range.
    pub fn new(cost: u32, threads: usize, queue: usize) -> Result<Self, UserError> {
        let decoy = bcrypt::hash("a password that nobody has", cost).map_err(failed)?;
        let (jobs, next) = mpsc::channel::<Job>();
        let next = Arc::new(Mutex::new(next));
        // They stay: a thread that begins or ends holds the memory of the process for a moment, and one that steps aside just then
        // holds everybody up.
        for _ in 0..threads {
            let next = Arc::clone(&next);
            std::thread::Builder::new().name("bcrypt".into()).spawn(move || work(&next)).map_err(failed)?;
        }
        let threads = Arc::new(Semaphore::new(threads));
        Ok(Self { cost, jobs, threads, queue, load: Arc::default(), decoy: decoy.into() })
    }

    /// How busy it is.
    pub fn load(&self) -> Arc<HashingLoad> {
        Arc::clone(&self.load)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, bcrypt::BcryptError> + Send + 'static,
    ) -> Result<T, UserError> {
        let waiting = Counted::new(&self.load.waiting);
        if self.load.waiting() > self.queue {
            return Err(UserError::Busy);
        }
        let permit = Arc::clone(&self.threads).acquire_owned().await.map_err(failed)?;
        drop(waiting);
        let load = Arc::clone(&self.load);
        // The permit moves into the thread: a request that is given up leaves its work behind, which still uses a core.
        let (answer, answered) = oneshot::channel();
        let work = move || {
            let running = Counted::new(&load.running);
            let worked = work();
            drop((running, permit));
            // Nobody may wait for it any more.
            drop(answer.send(worked));
        };
        self.jobs.send(Box::new(work)).map_err(|_| failed(std::io::Error::other("the threads are gone")))?;
        answered.await.map_err(failed)?.map_err(failed)
    }
}

/// What a thread does until there is nobody to send it anything.
fn work(next: &Mutex<mpsc::Receiver<Job>>) {
    step_aside();
    loop {
        let job = next.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        job();
    }
}

/// Has this thread get what the others leave: a password takes a quarter of a second of a core, and hundreds of requests could
/// be answered meanwhile. Where that cannot be done, passwords just compete with them.
fn step_aside() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(10);
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> UserError {
    UserError::Hashing(Box::new(error))
}

#[async_trait]
impl PasswordHasher for BcryptHasher {
    async fn hash(&self, password: Password) -> Result<PasswordHash, UserError> {
        let cost = self.cost;
        // A `Password` has at most the 72 bytes that bcrypt reads, so nothing is cut.
        self.run(move || bcrypt::hash(password.reveal(), cost)).await.map(PasswordHash::new)
    }

    async fn verify(&self, password: Password, hash: Option<PasswordHash>) -> Result<bool, UserError> {
        let decoy = Arc::clone(&self.decoy);
        self.run(move || match hash {
            Some(hash) => bcrypt::verify(password.reveal(), hash.reveal()),
            None => bcrypt::verify(password.reveal(), &decoy).map(|_| false),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(text).expect("a password")
    }

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let hasher = BcryptHasher::new(4, 2, 8).expect("a hasher");
        let hash = hasher.hash(password("worklete123")).await.expect("hashes");
        assert!(hash.reveal().starts_with("$2b$04$"));
        assert!(hasher.verify(password("worklete123"), Some(hash.clone())).await.expect("verifies"));
        assert!(!hasher.verify(password("worklete124"), Some(hash)).await.expect("verifies"));
    }

    #[tokio::test]
    async fn seventy_two_bytes_all_count() {
        let hasher = BcryptHasher::new(4, 2, 8).expect("a hasher");
        let hash = hasher.hash(password(&"x".repeat(72))).await.expect("hashes");
        assert!(!hasher.verify(password(&"x".repeat(71)), Some(hash)).await.expect("verifies"));
    }

    #[tokio::test]
    async fn without_a_hash_the_answer_is_no_even_for_the_decoys_own_password() {
        let hasher = BcryptHasher::new(4, 2, 8).expect("a hasher");
        assert!(!hasher.verify(password("a password that nobody has"), None).await.expect("verifies"));
    }

    #[tokio::test]
    async fn a_full_queue_says_busy_at_once_and_empties_again() {
        let hasher = BcryptHasher::new(8, 1, 2).expect("a hasher");
        let tries: Vec<_> = (0..12)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.hash(password("worklete123")).await.is_ok() })
            })
            .collect();
        let mut done = 0;
        for one in tries {
            done += usize::from(one.await.expect("runs"));
        }
        assert!((1..12).contains(&done), "{done} of 12 were hashed");
        assert_eq!((hasher.load().waiting(), hasher.load().running()), (0, 0));
    }

    #[test]
    fn a_cost_out_of_range_is_refused() {
        assert!(BcryptHasher::new(3, 1, 1).is_err());
    }
}
