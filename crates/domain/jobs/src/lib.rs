//! Jobs: work that goes on after an answer, on whichever server has time for it, and that survives all of them.
//!
//! A job is queued in the transaction that makes it necessary. A worker claims it for a while, its **lease**, and extends the lease
//! as long as it works. A worker that dies extends nothing, and another one takes over. What fails is tried again, later each time,
//! until it is given up.
//!
//! Use cases of [`JobService`]: `list_jobs`, `count_jobs`, `work` (claims a job and does it).

mod count_jobs;
mod error;
mod job;
mod list_jobs;
pub mod ports;
mod service;
#[cfg(test)]
mod tests;
mod work;

pub use error::JobError;
pub use job::{Job, JobKind, JobState, Lease, NewJob};
pub use service::JobService;
pub use work::{Attempt, End, Failure, Handled, Handler, Progress};
