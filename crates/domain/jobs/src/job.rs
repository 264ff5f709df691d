use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::{JobId, OrgId};
use uuid::Uuid;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// Apply a roster file; the subject is the import.
    RosterImport,
}

impl JobKind {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::RosterImport];

    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RosterImport => "roster_import",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    /// Waits for its time and for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Done.
    Done,
    /// Failed too often, or in a way that no repetition mends.
    Dead,
    /// Not wanted any more.
    Cancelled,
}

impl JobState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Done, Self::Dead, Self::Cancelled];

    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Work to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Key.
    pub id: JobId,
    /// For which organization, if for one.
    pub organization: Option<OrgId>,
    /// What is to be done.
    pub kind: JobKind,
    /// With what.
    pub subject: Uuid,
    /// Not before this time.
    pub run_at: DateTime<Utc>,
}

/// Work that is or was to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Key.
    pub id: JobId,
    /// For which organization, if for one.
    pub organization: Option<OrgId>,
    /// What is to be done.
    pub kind: JobKind,
    /// With what.
    pub subject: Uuid,
    /// Where it stands.
    pub state: JobState,
    /// How often it was begun; those times do not count after which it was put off.
    pub attempt: u32,
    /// When it is due.
    pub run_at: DateTime<Utc>,
    /// Until when the worker has it.
    pub locked_until: Option<DateTime<Utc>>,
    /// Which worker has or had it.
    pub worker: Option<String>,
    /// How far it is, 0 to 100.
    pub percent: f64,
    /// What went wrong the last time.
    pub error: Option<String>,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// When it was begun first.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, in whichever way.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What a worker shows to change a job that it has: of a lease that was lost, because it ended and another worker took over, nothing is
/// taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which job.
    pub job: JobId,
    /// Which worker.
    pub worker: String,
    /// Which attempt.
    pub attempt: u32,
}

impl Job {
    /// How often a job is begun before it is given up.
    pub const MAX_ATTEMPTS: u32 = 6;

    const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(30);

    /// What the worker that has it shows.
    pub fn lease(&self) -> Lease {
        Lease { job: self.id, worker: self.worker.clone().unwrap_or_default(), attempt: self.attempt }
    }

    /// When to try again after this attempt failed: half a minute later, then twice as long each time, and up to a half more, so that
    /// what failed together does not come back together. None if it is given up.
    pub fn next_try(&self, now: DateTime<Utc>, share: f64) -> Option<DateTime<Utc>> {
        if self.attempt >= Self::MAX_ATTEMPTS {
            return None;
        }
        let pause = Self::FIRST_PAUSE * i32::try_from(1_u32 << (self.attempt.max(1) - 1)).unwrap_or(i32::MAX);
        let more = pause.to_std().unwrap_or_default().mul_f64(share.clamp(0.0, 1.0) / 2.0);
        Some(now + pause + TimeDelta::from_std(more).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{a_job, now};

    #[test]
    fn what_fails_is_tried_again_later_each_time_and_given_up_some_time() {
        let pause = |attempt, share| {
            let next = Job { attempt, ..a_job() }.next_try(now(), share)?;
            Some((next - now()).num_seconds())
        };
        let pauses: Vec<_> = (1..=7).map(|attempt| pause(attempt, 0.0)).collect();
        assert_eq!(pauses, [Some(30), Some(60), Some(120), Some(240), Some(480), None, None]);
        assert_eq!((pause(1, 1.0), pause(5, 0.5), pause(1, 7.0)), (Some(45), Some(600), Some(45)));
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        assert!(JobKind::ALL.iter().all(|kind| JobKind::parse(kind.as_str()) == Some(*kind)));
        assert!(JobState::ALL.iter().all(|state| JobState::parse(state.as_str()) == Some(*state)));
        assert_eq!((JobKind::parse("tea"), JobState::parse("")), (None, None));
    }
}
