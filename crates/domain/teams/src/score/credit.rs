use std::iter::Sum;
use std::ops::Add;

use chrono::{DateTime, Utc};

use super::Period;

/// What work earned, in four-hundredths of a lesson done on time: the smallest step is one percent of an unfinished lesson.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credit(pub u64);

impl Credit {
    /// A lesson that was finished before it was due.
    pub const ON_TIME: Self = Self(400);
    /// A lesson that was finished after it was due.
    pub const OVERDUE: Self = Self(200);
    /// No work.
    pub const NONE: Self = Self(0);

    /// A lesson that was not finished, but of which `percent` was done: a quarter of that.
    pub fn gained(percent: u8) -> Self {
        Self(u64::from(percent.min(100)))
    }
}

/// How many member-weeks were expected, and what was earned in them. Where lessons are monthly: member-months.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Participation {
    /// What was earned.
    pub credits: Credit,
    /// Member-weeks in which something had to be done.
    pub expected: u32,
}

impl Add for Participation {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            credits: Credit(self.credits.0.saturating_add(other.credits.0)),
            expected: self.expected.saturating_add(other.expected),
        }
    }
}

impl Sum for Participation {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

/// What became of one assignment, as far as one period is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssignmentFacts {
    /// The first instant that is too late. Without one nobody waits for it.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was finished, as [`LateWindow::credited_at`](super::LateWindow::credited_at) counts it.
    pub completed_at: Option<DateTime<Utc>>,
    /// Percent that was added in the period. Of no account once it is finished.
    pub percent_gained: u8,
    /// Whether it was taken back.
    pub withdrawn: bool,
}

impl AssignmentFacts {
    /// What it earned in `period`; none when nothing was expected of it then.
    ///
    /// It is expected in the period in which it is due, also if it was finished before, and in each later one at whose
    /// start it is still open: who never finishes stays in the count.
    pub fn credit(&self, period: &Period) -> Option<Credit> {
        let due_at = self.due_at.filter(|_| !self.withdrawn)?;
        let done_before = |instant| self.completed_at.is_some_and(|completed_at| completed_at < instant);
        let still_open = due_at <= period.starts_at && !done_before(period.starts_at);
        if !period.has_due(due_at) && !still_open {
            return None;
        }
        Some(if done_before(due_at) {
            Credit::ON_TIME
        } else if done_before(period.ends_at) {
            Credit::OVERDUE
        } else {
            Credit::gained(self.percent_gained)
        })
    }
}

impl Participation {
    /// One member in one period: the best of what the assignments earned. Nothing at all when nothing was expected.
    pub fn of_member(period: &Period, assignments: impl IntoIterator<Item = AssignmentFacts>) -> Self {
        let best = assignments.into_iter().filter_map(|assignment| assignment.credit(period)).max();
        best.map_or_else(Self::default, |credits| Self { credits, expected: 1 })
    }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeDelta};
    use chrono_tz::Tz;

    use super::*;
    use crate::score::PeriodKind;

    /// Monday 5 to Sunday 11 January 2026.
    fn week() -> Period {
        Period::holding(PeriodKind::Week, Tz::UTC, NaiveDate::from_ymd_opt(2026, 1, 5).expect("a day"))
    }

    /// Hours after the start of the week.
    fn hour(hours: i64) -> DateTime<Utc> {
        week().starts_at + TimeDelta::hours(hours)
    }

    /// Due at the end of the week, untouched.
    fn due() -> AssignmentFacts {
        AssignmentFacts {
            due_at: Some(week().ends_at),
            completed_at: None,
            percent_gained: 0,
            withdrawn: false,
        }
    }

    fn done(hours: i64) -> AssignmentFacts {
        AssignmentFacts { completed_at: Some(hour(hours)), ..due() }
    }

    #[test]
    fn a_lesson_finished_before_it_is_due_earns_one_in_the_week_it_is_due() {
        assert_eq!(done(100).credit(&week()), Some(Credit::ON_TIME));
        assert_eq!(done(-100).credit(&week()), Some(Credit::ON_TIME), "early");
        assert_eq!(done(100).credit(&week().previous()), None, "not due yet");
        assert_eq!(done(100).credit(&week().next()), None, "done");
    }

    #[test]
    fn a_lesson_finished_at_the_instant_it_is_due_is_overdue_work_of_the_next_week() {
        let at_the_end = AssignmentFacts { completed_at: Some(week().ends_at), ..due() };
        assert_eq!(at_the_end.credit(&week()), Some(Credit::NONE));
        assert_eq!(at_the_end.credit(&week().next()), Some(Credit::OVERDUE));
    }

    #[test]
    fn a_lesson_finished_after_it_is_due_earns_half_in_the_week_it_is_finished() {
        assert_eq!(done(24 * 9).credit(&week()), Some(Credit::NONE));
        assert_eq!(done(24 * 9).credit(&week().next()), Some(Credit::OVERDUE));
        assert_eq!(done(24 * 9).credit(&week().next().next()), None, "done");
        let due_on_wednesday = AssignmentFacts { due_at: Some(hour(48)), ..done(96) };
        assert_eq!(due_on_wednesday.credit(&week()), Some(Credit::OVERDUE));
    }

    #[test]
    fn an_unfinished_lesson_earns_a_quarter_of_what_was_added_and_is_expected_every_week() {
        let half = AssignmentFacts { percent_gained: 50, ..due() };
        assert_eq!(half.credit(&week()), Some(Credit(50)));
        assert_eq!(half.credit(&week().next()), Some(Credit(50)));
        assert_eq!(Credit::gained(100).0 * 4, Credit::ON_TIME.0);
    }

    #[test]
    fn withdrawn_lessons_and_those_without_a_date_are_not_expected() {
        assert_eq!(AssignmentFacts { withdrawn: true, ..done(10) }.credit(&week()), None);
        assert_eq!(AssignmentFacts { due_at: None, ..done(10) }.credit(&week()), None);
    }

    #[test]
    fn a_member_earns_the_best_of_several_lessons() {
        let overdue = AssignmentFacts { due_at: Some(week().starts_at), ..done(50) };
        let both = Participation::of_member(&week(), [overdue, done(60)]);
        assert_eq!(both, Participation { credits: Credit::ON_TIME, expected: 1 });
        assert_eq!(Participation::of_member(&week(), []), Participation::default());
    }
}
