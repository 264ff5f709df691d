use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use domain_kernel::{Actor, AssignmentId, CourseId, Permission, Refusal, Scope, TeamId};

use crate::ports::{Feed, ProgressSignal};
use crate::{AssignmentState, CourseError, Learner, LearningService, Percent};

/// Changes that are read at once.
const AT_ONCE: usize = 200;

/// A place in the stream of everything that phones reported. Ordered as the stream is. To clients it is a word without meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedPlace {
    /// The transaction that wrote it.
    pub transaction: i64,
    /// The number of the event.
    pub event: i64,
    /// When that was, to find it fast.
    pub at: DateTime<Utc>,
}

impl fmt::Display for FeedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.transaction, self.event, self.at.timestamp_millis())
    }
}

impl FromStr for FeedPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let numbers: Vec<i64> = text.split('-').map(str::parse).collect::<Result<_, _>>().map_err(drop)?;
        let [transaction, event, ms] = numbers[..] else { return Err(()) };
        Ok(Self { transaction, event, at: DateTime::from_timestamp_millis(ms).ok_or(())? })
    }
}

/// How somebody's assignment came forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressChange {
    /// Where in the stream.
    pub place: FeedPlace,
    /// Whose assignment.
    pub learner: Learner,
    /// The member's name on the roster.
    pub first_name: String,
    /// The member's name on the roster.
    pub last_name: String,
    /// Which assignment.
    pub assignment: AssignmentId,
    /// Of which course.
    pub course: CourseId,
    /// Its name.
    pub course_name: String,
    /// What it is since.
    pub state: AssignmentState,
    /// How far it is since.
    pub percent: Percent,
    /// When it happened, as far as the phone is believed.
    pub effective_at: DateTime<Utc>,
    /// When it was told.
    pub received_at: DateTime<Utc>,
}

impl LearningService {
    /// What is new in the progress of a team, after `place` or from now on: for those who run the team or the organization, and
    /// for staff. Reading does not wait; [`follow_team`](Self::follow_team) tells when it is worth while.
    pub async fn list_team_progress(
        &self,
        actor: &Actor,
        team: TeamId,
        place: Option<FeedPlace>,
    ) -> Result<Feed, CourseError> {
        let feed = self.queries.list_changes(team, place, AT_ONCE, self.clock.now()).await?;
        let feed = feed.ok_or(Refusal::NotFound)?;
        actor.require(Permission::ProgressRead, Scope::Team(feed.organization, team))?;
        Ok(feed)
    }

    /// Tells when something is new in a team. It says no more than that, so anybody may ask.
    pub fn follow_team(&self, team: TeamId) -> Box<dyn ProgressSignal> {
        self.signals.follow(team)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, nobody, staff};
    use domain_kernel::{DomainError, ErrorKind, OrgId, StaffRole};
    use uuid::Uuid;

    use super::*;
    use crate::learning::tests::{Fixture, ORGANIZATION, TEAM, learner, now};

    fn a_place() -> FeedPlace {
        FeedPlace { transaction: 7, event: 9, at: now() }
    }

    fn a_feed() -> Feed {
        Feed { organization: ORGANIZATION, changes: vec![], place: a_place(), has_more: false }
    }

    async fn read(actor: &Actor, feed: Option<Feed>) -> Result<Feed, ErrorKind> {
        let mut fixture = Fixture::default();
        fixture.queries.expect_list_changes().return_once(|team, place, limit, time| {
            assert_eq!((team, place, limit, time), (TEAM, Some(a_place()), AT_ONCE, now()));
            Ok(feed)
        });
        let read = fixture.service().list_team_progress(actor, TEAM, Some(a_place())).await;
        read.map_err(|error| error.kind())
    }

    #[test]
    fn a_place_is_read_as_it_is_written() {
        assert_eq!(a_place().to_string().parse(), Ok(a_place()));
        assert!(FeedPlace { transaction: 6, event: 10, ..a_place() } < a_place());
        for text in ["", "7", "7-9", "7-9-", "-7-9-1", "7-9-1-1", "a-b-c", "7-9-9223372036854775807"] {
            assert_eq!(text.parse::<FeedPlace>(), Err(()), "{text}");
        }
    }

    #[tokio::test]
    async fn those_who_run_the_team_or_the_organization_and_staff_follow_it() {
        let mut lead = member_of(ORGANIZATION, false);
        lead.memberships[0].administered_teams = vec![TEAM];
        let boss = member_of(ORGANIZATION, true);
        for actor in [lead, boss, staff(StaffRole::Employee), staff(StaffRole::Admin)] {
            assert_eq!(read(&actor, Some(a_feed())).await, Ok(a_feed()), "{actor:?}");
        }
    }

    #[tokio::test]
    async fn members_may_not_and_for_outsiders_there_is_no_team() {
        assert_eq!(read(&learner(), Some(a_feed())).await, Err(ErrorKind::Forbidden));
        for actor in [nobody(), member_of(OrgId::new(Uuid::from_u128(99)), true)] {
            assert_eq!(read(&actor, Some(a_feed())).await, Err(ErrorKind::NotFound), "{actor:?}");
        }
        assert_eq!(read(&staff(StaffRole::Admin), None).await, Err(ErrorKind::NotFound));
    }
}
