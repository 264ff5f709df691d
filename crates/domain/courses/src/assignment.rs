use chrono::{DateTime, Utc};
use domain_kernel::{AssignmentId, CourseId, CourseVersionId, MembershipId, OrgId, UserId};

use crate::{EventStamp, Percent, ProgressData};

/// How far a learner is. Ordered: progress only ever moves an assignment up.
///
/// `completed` stands above `withdrawn`: what was completed offline counts, even if the assignment was withdrawn before
/// word of it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AssignmentState {
    /// Not begun.
    Assigned,
    /// Begun.
    InProgress,
    /// Taken back before it was completed.
    Withdrawn,
    /// Done.
    Completed,
}

impl AssignmentState {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::InProgress => "in_progress",
            Self::Withdrawn => "withdrawn",
            Self::Completed => "completed",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Assigned, Self::InProgress, Self::Withdrawn, Self::Completed]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// Whether the learner still has it to do.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Assigned | Self::InProgress)
    }
}

/// Why a course was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssignmentSource {
    /// It is one of the basics.
    Basics,
    /// It was next in the course pool.
    CoursePool,
    /// A person decided so.
    Manual,
}

impl AssignmentSource {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basics => "basics",
            Self::CoursePool => "course_pool",
            Self::Manual => "manual",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Basics, Self::CoursePool, Self::Manual].into_iter().find(|source| source.as_str() == text)
    }
}

/// Who is given a course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learner {
    /// In which organization.
    pub organization: OrgId,
    /// As which member.
    pub membership: MembershipId,
    /// Who it is.
    pub user: UserId,
}

/// A course that is to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lesson {
    /// Which course.
    pub course: CourseId,
    /// In which version.
    pub version: CourseVersionId,
    /// Why.
    pub source: AssignmentSource,
    /// Until when it should be done.
    pub due_at: Option<DateTime<Utc>>,
}

/// A course given to a member, and how far they are.
///
/// What events tell ([`absorb`](Self::absorb)) only ever adds up: `state` and `percent` rise, `started_at` and
/// `completed_at` move to earlier times, `last_event_at` and `progress_stamp` to later ones. So the order in which
/// events arrive does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Key.
    pub id: AssignmentId,
    /// In which organization.
    pub organization: OrgId,
    /// Whose.
    pub membership: MembershipId,
    /// Who the member is.
    pub user: UserId,
    /// Which course.
    pub course: CourseId,
    /// In which version.
    pub version: CourseVersionId,
    /// How far it is.
    pub state: AssignmentState,
    /// Why it was given.
    pub source: AssignmentSource,
    /// The greatest share of the course that any event told of; 100 once completed.
    pub percent: Percent,
    /// What the player keeps for itself, as the latest event had it, with counters merged over all events.
    pub progress: ProgressData,
    /// Which event `progress` is of, so that an older one that arrives later does not replace it. None before the first
    /// event that had any.
    pub progress_stamp: Option<EventStamp>,
    /// When it was given.
    pub assigned_at: DateTime<Utc>,
    /// Until when it should be done.
    pub due_at: Option<DateTime<Utc>>,
    /// When the earliest event happened.
    pub started_at: Option<DateTime<Utc>>,
    /// When the earliest completion happened. Set exactly when the state is `completed`.
    pub completed_at: Option<DateTime<Utc>>,
    /// When the latest event happened.
    pub last_event_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub withdrawn_at: Option<DateTime<Utc>>,
}

impl Assignment {
    /// Gives a lesson to a learner.
    pub fn give(id: AssignmentId, learner: Learner, lesson: Lesson, now: DateTime<Utc>) -> Self {
        Self {
            id,
            organization: learner.organization,
            membership: learner.membership,
            user: learner.user,
            course: lesson.course,
            version: lesson.version,
            state: AssignmentState::Assigned,
            source: lesson.source,
            percent: Percent::ZERO,
            progress: ProgressData::default(),
            progress_stamp: None,
            assigned_at: now,
            due_at: lesson.due_at,
            started_at: None,
            completed_at: None,
            last_event_at: None,
            withdrawn_at: None,
        }
    }

    /// Takes it back. Tells whether anything changed: what is completed stays completed.
    pub fn withdraw(&mut self, now: DateTime<Utc>) -> bool {
        let open = self.state.is_open();
        if open {
            self.state = AssignmentState::Withdrawn;
            self.withdrawn_at = Some(now);
        }
        open
    }

    /// Follows the course to a newly published version, if nothing was begun yet. Tells whether anything changed.
    pub fn follow(&mut self, version: CourseVersionId) -> bool {
        let moves = self.state == AssignmentState::Assigned && self.version != version;
        if moves {
            self.version = version;
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    fn version(n: u128) -> CourseVersionId {
        CourseVersionId::new(Uuid::from_u128(n))
    }

    fn in_state(state: AssignmentState) -> Assignment {
        let learner = Learner {
            organization: OrgId::new(Uuid::from_u128(2)),
            membership: MembershipId::new(Uuid::from_u128(3)),
            user: UserId::new(Uuid::from_u128(4)),
        };
        let lesson = Lesson {
            course: CourseId::new(Uuid::from_u128(5)),
            version: version(6),
            source: AssignmentSource::CoursePool,
            due_at: None,
        };
        let given =
            Assignment::give(AssignmentId::new(Uuid::from_u128(1)), learner, lesson, DateTime::UNIX_EPOCH);
        Assignment { state, ..given }
    }

    #[test]
    fn only_what_is_open_can_be_withdrawn() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        for (state, changes, becomes) in [
            (AssignmentState::Assigned, true, AssignmentState::Withdrawn),
            (AssignmentState::InProgress, true, AssignmentState::Withdrawn),
            (AssignmentState::Withdrawn, false, AssignmentState::Withdrawn),
            (AssignmentState::Completed, false, AssignmentState::Completed),
        ] {
            let mut assignment = in_state(state);
            assert_eq!(assignment.withdraw(now), changes, "{state:?}");
            assert_eq!(assignment.state, becomes);
            assert_eq!(assignment.withdrawn_at, changes.then_some(now));
        }
    }

    #[test]
    fn only_what_is_not_begun_follows_to_a_new_version() {
        let mut assignment = in_state(AssignmentState::Assigned);
        assert!(assignment.follow(version(7)));
        assert!(!assignment.follow(version(7)), "it is there already");
        for state in [AssignmentState::InProgress, AssignmentState::Withdrawn, AssignmentState::Completed] {
            let mut assignment = in_state(state);
            assert!(!assignment.follow(version(7)), "{state:?}");
            assert_eq!(assignment.version, version(6));
        }
    }

    #[test]
    fn states_and_sources_are_read_as_they_are_written() {
        use AssignmentState::{Assigned, Completed, InProgress, Withdrawn};
        for state in [Assigned, InProgress, Withdrawn, Completed] {
            assert_eq!(AssignmentState::parse(state.as_str()), Some(state));
        }
        for source in [AssignmentSource::Basics, AssignmentSource::CoursePool, AssignmentSource::Manual] {
            assert_eq!(AssignmentSource::parse(source.as_str()), Some(source));
        }
        assert_eq!((AssignmentState::parse("done"), AssignmentSource::parse("auto")), (None, None));
    }
}
