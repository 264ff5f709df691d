use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain_kernel::{AssignmentId, CourseId, MembershipId, Page, PageRequest, TeamId, UserId};

use crate::{Assignment, CourseError, Learner, LearnerCourse, ProgressEvent, Situation, StoredEvent};

/// Where a membership stands in its training.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Whose it is.
    pub learner: Learner,
    /// What the choice of the next course depends on. With an open assignment only that one: nothing else decides then.
    pub situation: Situation,
    /// The oldest open assignment with its course and version.
    pub open: Option<LearnerCourse>,
}

/// An assignment that was decided on.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// What is to be given.
    pub assignment: Assignment,
    /// How many assignments the membership had, in every state, when this was decided. One more means that somebody else
    /// decided meanwhile.
    pub seen: usize,
}

/// A course as somebody may have it, and what tells whether they may.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundLesson {
    /// The course in the version of the newest own assignment, else in the published one.
    pub lesson: LearnerCourse,
    /// Where the memberships stand; empty if there is an own assignment.
    pub situations: Vec<Situation>,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Whether it was known already; then nothing was written.
    pub duplicate: bool,
    /// Whether something that happened later was known already.
    pub stale: bool,
    /// The assignment after all events of the call.
    pub assignment: Assignment,
}

/// What was told of an assignment, and what tells who may read it.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Whose assignment it is.
    pub learner: Learner,
    /// The live teams that the member is on.
    pub teams: Vec<TeamId>,
    /// The events, the latest first.
    pub events: Page<StoredEvent>,
}

/// Reads where people stand in their training. Each method is one statement, however many are asked for.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait AssignmentQueries: Send + Sync {
    /// Where memberships stand at `now`, those that nobody has taken left out. In no particular order.
    async fn find_standings(
        &self,
        memberships: Vec<MembershipId>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Standing>, CourseError>;

    /// A course for a person with these active memberships. None if there is no such course.
    async fn find_lesson(
        &self,
        memberships: Vec<MembershipId>,
        course: CourseId,
        now: DateTime<Utc>,
    ) -> Result<Option<FoundLesson>, CourseError>;

    /// What was told of an assignment, by the time that is believed, of one instant the last received first. None if there is
    /// no such assignment.
    async fn list_events(
        &self,
        assignment: AssignmentId,
        page: PageRequest,
    ) -> Result<Option<History>, CourseError>;
}

/// Stores assignments and what phones report of them.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait AssignmentRepository: Send + Sync {
    /// One atomic fact: adds the assignment in the version of the course that is published then, and gives the oldest open
    /// one of the membership with its course and version: of several calls at once all give the same.
    ///
    /// Gives none, having written nothing, if the offer no longer stands and nothing is open: the membership left, or got
    /// an assignment meanwhile that is done already, or the course is given to nobody any more.
    async fn give(&self, offer: Offer) -> Result<Option<LearnerCourse>, CourseError>;

    /// One atomic fact: adds the events that are not known yet to the person's assignments of their courses, each to the
    /// one that [`EventTarget::choose`](crate::EventTarget::choose) says, and saves what the assignments are then. Of
    /// several calls at once each sees what those before it made. The answers are in the order of the events; none where
    /// the person never had the course.
    async fn record(
        &self,
        user: UserId,
        events: Vec<(CourseId, ProgressEvent)>,
        received_at: DateTime<Utc>,
    ) -> Result<Vec<Option<Recorded>>, CourseError>;

    /// Gives the events of the month of `now` and of the next one a place of their own, so that they can be dropped as a whole
    /// some day. What is there already is moved. Gives how many months are new; several calls at once do no harm.
    async fn open_months(&self, now: DateTime<Utc>) -> Result<usize, CourseError>;
}
