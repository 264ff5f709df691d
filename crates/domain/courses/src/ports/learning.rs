use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain_kernel::{AssignmentId, CourseId, MembershipId, OrgId, Page, PageRequest, TeamId, UserId};

use crate::{
    Assignment, CourseError, FeedPlace, Learner, LearnerCourse, ProgressChange, ProgressEvent, Round,
    RoundMark, Situation, StoredEvent,
};

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

/// Decides what is given to somebody who stands so, if anything.
pub type Judge = Box<dyn FnMut(Standing) -> Option<Offer> + Send>;

/// What a visit of members made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visited {
    /// So many assignments are new.
    pub given: usize,
    /// Whether nobody is left to visit.
    pub is_done: bool,
}

/// What is new in the progress of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The organization of the team.
    pub organization: OrgId,
    /// The changes, in the order in which they became known.
    pub changes: Vec<ProgressChange>,
    /// Where to read on.
    pub place: FeedPlace,
    /// Whether there is more: beyond the number asked for, or being written.
    pub has_more: bool,
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

    /// Changes of the progress of those who are on the team, after `place` or from now on, at most so many. None is left out and
    /// none comes twice when each call is given the place of the one before. A place that is not known is now. Gives none if
    /// there is no such live team.
    async fn list_changes(
        &self,
        team: TeamId,
        place: Option<FeedPlace>,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Option<Feed>, CourseError>;

    /// How far the rounds of all organizations are.
    async fn list_rounds(&self) -> Result<Vec<Round>, CourseError>;
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

    /// One atomic fact: visits the next members of a round that are in the slots that are due, at most so many, gives what
    /// `decide` offers, and notes the place, so that each active member is visited once a round. Members with an open assignment
    /// are passed over, as nothing else would decide for them. Gives none, having done nothing, while anybody else is at it.
    async fn advance_round(
        &self,
        organization: OrgId,
        due: RoundMark,
        now: DateTime<Utc>,
        limit: usize,
        decide: Judge,
    ) -> Result<Option<Visited>, CourseError>;

    /// Gives the events of the month of `now` and of the next one a place of their own, so that they can be dropped as a whole
    /// some day. What is there already is moved. Gives how many months are new; several calls at once do no harm.
    async fn open_months(&self, now: DateTime<Utc>) -> Result<usize, CourseError>;
}

/// Tells of progress, on all servers of the platform. Only that there is something new: what it is, is read.
#[cfg_attr(test, mockall::automock)]
pub trait ProgressSignals: Send + Sync {
    /// Tells those who follow a team that the member is on. Soon, without waiting for it; a signal can get lost.
    fn announce(&self, membership: MembershipId);

    /// Signals for the team from now on.
    fn follow(&self, team: TeamId) -> Box<dyn ProgressSignal>;
}

/// What wakes somebody who follows a team.
#[async_trait]
pub trait ProgressSignal: Send {
    /// Waits until there was a signal since the last time, or since the beginning.
    async fn wait(&mut self);
}
