use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::{AssignmentId, OrgId};

use crate::ports::{Judge, Standing};
use crate::{Calendar, CourseError, LearningService};

/// Members that are visited at once: so many that it pays, so few that nobody waits for it.
const AT_ONCE: usize = 500;

/// How far the round that gives everybody their course at the start of a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// Whose members are visited.
    pub organization: OrgId,
    /// How the organization counts its periods.
    pub calendar: Calendar,
    /// The round that was begun last.
    pub begun: Option<RoundMark>,
}

/// The beginning of a period, and what of its round is due or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundMark {
    /// First instant of the period.
    pub period_start: DateTime<Utc>,
    /// The members in the first so many of [`Round::SLOTS`].
    pub slots: u16,
}

impl Round {
    /// Each member is in one of so many slots, at random.
    pub const SLOTS: u16 = 256;

    /// So long it takes from the first slot to the last, lest all members of all organizations are visited at midnight.
    pub const SPREAD: TimeDelta = TimeDelta::hours(1);

    /// What of the present period's round should be done by now; none if it is, or the organization has no periods. A
    /// round that nobody made in time is made up for at once.
    pub fn due(&self, now: DateTime<Utc>) -> Option<RoundMark> {
        let period_start = self.calendar.period_at(now)?.start;
        let passed = (now - period_start).min(Self::SPREAD).num_seconds();
        let slots = passed * i64::from(Self::SLOTS) / Self::SPREAD.num_seconds();
        let slots = u16::try_from(slots).unwrap_or(Self::SLOTS);
        let done =
            self.begun.filter(|begun| begun.period_start == period_start).map_or(0, |begun| begun.slots);
        (slots > done).then_some(RoundMark { period_start, slots })
    }
}

impl LearningService {
    /// At the start of a period of an organization, decides for each active member as
    /// [`get_current_course`](Self::get_current_course) would, so that those who never open the app have something to do, too,
    /// and count in the score. To be called every minute: it does what is due by then and stops. It may be stopped at any time,
    /// and several servers may do so at once: only one is at it. Gives how many assignments were made.
    ///
    /// What fails for one organization does not keep the others from theirs.
    pub async fn begin_periods(&self) -> Result<usize, CourseError> {
        let (mut given, mut failed) = (0, None);
        for round in self.queries.list_rounds().await? {
            match self.make_round(round).await {
                Ok(count) => given += count,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(given), Err)
    }

    async fn make_round(&self, round: Round) -> Result<usize, CourseError> {
        let mut given = 0;
        let Some(due) = round.due(self.clock.now()) else { return Ok(given) };
        loop {
            let now = self.clock.now();
            let visit = self.assignments.advance_round(round.organization, due, now, AT_ONCE, self.judge());
            let Some(visited) = visit.await? else { return Ok(given) };
            given += visited.given;
            if visited.is_done {
                return Ok(given);
            }
        }
    }

    fn judge(&self) -> Judge {
        let ids = Arc::clone(&self.ids);
        Box::new(move |standing: Standing| {
            let (_, offer) = standing.decide(AssignmentId::new(ids.next())).ok()?;
            offer
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use domain_kernel::{DomainError, ErrorKind, StorageError};
    use uuid::Uuid;

    use super::*;
    use crate::Cadence;
    use crate::learning::tests::{COURSE, Fixture, ORGANIZATION, a_standing, learner, now};
    use crate::ports::Visited;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn a_round(cadence: Cadence, time_zone: Tz) -> Round {
        Round { organization: ORGANIZATION, calendar: Calendar { cadence, time_zone }, begun: None }
    }

    fn slots(round: &Round, time: &str) -> Option<u16> {
        round.due(at(time)).map(|due| due.slots)
    }

    #[test]
    fn members_are_visited_all_over_the_first_hour_of_a_period() {
        let round = a_round(Cadence::Weekly, Tz::UTC);
        for (time, due) in [
            ("2026-01-05T00:00:00Z", None),
            ("2026-01-05T00:00:15Z", Some(1)),
            ("2026-01-05T00:30:00Z", Some(128)),
            ("2026-01-05T00:59:59Z", Some(255)),
            ("2026-01-05T01:00:00Z", Some(256)),
            ("2026-01-11T23:59:59Z", Some(256)),
        ] {
            assert_eq!(slots(&round, time), due, "{time}");
        }
    }

    #[test]
    fn what_is_done_is_not_due_until_the_next_period() {
        let mut round = a_round(Cadence::Monthly, Tz::America__Chicago);
        let half = RoundMark { period_start: at("2026-03-01T06:00:00Z"), slots: 128 };
        round.begun = Some(half);
        assert_eq!(slots(&round, "2026-03-01T06:30:00Z"), None);
        assert_eq!(slots(&round, "2026-03-01T06:45:00Z"), Some(192));
        round.begun = Some(RoundMark { slots: Round::SLOTS, ..half });
        assert_eq!(slots(&round, "2026-04-01T04:59:59Z"), None, "still March in Chicago");
        let april = RoundMark { period_start: at("2026-04-01T05:00:00Z"), slots: 256 };
        assert_eq!(round.due(at("2026-04-01T06:00:00Z")), Some(april), "summer time by then");
    }

    #[test]
    fn a_self_paced_organization_has_no_rounds() {
        assert_eq!(slots(&a_round(Cadence::SelfPaced, Tz::UTC), "2026-01-05T02:00:00Z"), None);
    }

    /// A fixture that knows these rounds, each far behind.
    fn with_rounds(organizations: &[OrgId]) -> Fixture {
        let mut fixture = Fixture::default();
        let round =
            |organization: &OrgId| Round { organization: *organization, ..a_round(Cadence::Weekly, Tz::UTC) };
        let rounds: Vec<_> = organizations.iter().map(round).collect();
        fixture.queries.expect_list_rounds().return_once(|| Ok(rounds));
        fixture
    }

    #[tokio::test]
    async fn a_round_goes_on_until_it_is_done() {
        let mut fixture = with_rounds(&[ORGANIZATION]);
        let mut visits = [(500, false), (7, true)].into_iter();
        fixture.assignments.expect_advance_round().times(2).returning(move |whose, due, time, limit, _| {
            assert_eq!((whose, due.slots, time, limit), (ORGANIZATION, Round::SLOTS, now(), AT_ONCE));
            Ok(visits.next().map(|(given, is_done)| Visited { given, is_done }))
        });
        assert_eq!(fixture.service().begin_periods().await.expect("made"), 507);
    }

    #[tokio::test]
    async fn each_member_gets_what_the_rule_says() {
        let mut fixture = with_rounds(&[ORGANIZATION]);
        fixture.assignments.expect_advance_round().return_once(|_, _, _, _, mut decide| {
            let actor = learner();
            let offer = decide(a_standing(&actor)).expect("one of the basics");
            assert_eq!((offer.assignment.course, offer.assignment.user), (COURSE, actor.user));
            let mut nothing = a_standing(&actor);
            nothing.situation.courses.clear();
            let mut left = a_standing(&actor);
            left.situation.active = false;
            assert_eq!([decide(nothing), decide(left)], [None, None]);
            Ok(Some(Visited { given: 1, is_done: true }))
        });
        assert_eq!(fixture.service().begin_periods().await.expect("made"), 1);
    }

    #[tokio::test]
    async fn where_another_server_is_at_it_nothing_is_done() {
        let mut fixture = with_rounds(&[ORGANIZATION]);
        fixture.assignments.expect_advance_round().times(1).returning(|_, _, _, _, _| Ok(None));
        assert_eq!(fixture.service().begin_periods().await.expect("nothing to do"), 0);
    }

    #[tokio::test]
    async fn a_failure_is_told_after_the_others_had_their_turn() {
        let other = OrgId::new(Uuid::from_u128(0x11));
        let mut fixture = with_rounds(&[ORGANIZATION, other]);
        fixture.assignments.expect_advance_round().times(2).returning(move |whose, _, _, _, _| {
            if whose == ORGANIZATION {
                return Err(StorageError::Unavailable("locked".into()).into());
            }
            Ok(Some(Visited { given: 1, is_done: true }))
        });
        let error = fixture.service().begin_periods().await.expect_err("one failed");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
