use chrono::{DateTime, NaiveDate, Utc};

use super::period::monday_of;
use super::{AssignmentFacts, LateWindow, Participation, Period, ScoreInput, ScoreWindow};

/// A time that somebody was on the team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stint {
    /// When it began.
    pub joined_at: DateTime<Utc>,
    /// When it ended, by leaving the team or the organization.
    pub left_at: Option<DateTime<Utc>>,
}

/// What a phone reported about an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgressReport {
    /// When the work was done, never after it was received.
    pub effective_at: DateTime<Utc>,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// How far the lesson is.
    pub percent: u8,
    /// Whether the lesson is finished.
    pub completes: bool,
}

/// An assignment with all that was ever reported about it, in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentHistory {
    /// The first instant that is too late.
    pub due_at: Option<DateTime<Utc>>,
    /// Whether it was taken back.
    pub withdrawn: bool,
    /// What was reported.
    pub reports: Vec<ProgressReport>,
}

impl AssignmentHistory {
    /// As far as `period` is concerned.
    pub fn in_period(&self, period: &Period, late: LateWindow) -> AssignmentFacts {
        let credited = |report: &ProgressReport| late.credited_at(report.effective_at, report.received_at);
        let percent_before = |instant| {
            let earlier = self.reports.iter().filter(|report| credited(report) < instant);
            earlier.map(|report| report.percent.min(100)).max().unwrap_or(0)
        };
        AssignmentFacts {
            due_at: self.due_at,
            completed_at: self.reports.iter().filter(|report| report.completes).map(credited).min(),
            percent_gained: percent_before(period.ends_at) - percent_before(period.starts_at),
            withdrawn: self.withdrawn,
        }
    }
}

/// All that the score wants to know about a member of the team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFacts {
    /// When the person was on the team.
    pub stints: Vec<Stint>,
    /// First day that counts in reports.
    pub reporting_starts_on: NaiveDate,
    /// Whether the person has signed up.
    pub joined: bool,
    /// Whether the person holds a champion certification that is valid on the last day of the window.
    pub champion: bool,
    /// What the person had to do.
    pub assignments: Vec<AssignmentHistory>,
}

impl MemberFacts {
    /// Whether the member counts in `period`: on the team at any time of it, and in reports by its last day. Not having
    /// signed up is no excuse.
    pub fn counts_in(&self, period: &Period) -> bool {
        let on_the_team = |stint: &Stint| {
            stint.joined_at < period.ends_at && stint.left_at.is_none_or(|left_at| left_at > period.starts_at)
        };
        self.reporting_starts_on <= period.last && self.stints.iter().any(on_the_team)
    }

    /// What the member was expected to do in `period`, and earned.
    pub fn participation(&self, period: &Period, late: LateWindow) -> Participation {
        if !self.counts_in(period) {
            return Participation::default();
        }
        Participation::of_member(
            period,
            self.assignments.iter().map(|assignment| assignment.in_period(period, late)),
        )
    }

    /// Whether the member has joined and was seen in the window.
    fn is_active_in(&self, window: &ScoreWindow, late: LateWindow) -> bool {
        let seen = |report: &ProgressReport| {
            window.contains(late.credited_at(report.effective_at, report.received_at))
        };
        self.joined && self.assignments.iter().any(|assignment| assignment.reports.iter().any(seen))
    }
}

impl ScoreInput {
    /// Counts a team: its members, past ones included, and the days on which it practised.
    ///
    /// Participation takes who counts in each period; the rest takes who counts in any period of the window.
    pub fn of(
        window: &ScoreWindow,
        late: LateWindow,
        members: &[MemberFacts],
        refinements: &[NaiveDate],
    ) -> Self {
        let counting =
            || members.iter().filter(|member| window.periods.iter().any(|period| member.counts_in(period)));
        let practised = |monday: &&NaiveDate| refinements.iter().any(|day| monday_of(*day) == **monday);
        Self {
            participation: counting()
                .flat_map(|member| window.periods.iter().map(|period| member.participation(period, late)))
                .sum(),
            eligible: count(counting()),
            activated: count(counting().filter(|member| member.is_active_in(window, late))),
            weeks_practised: count(window.weeks.iter().filter(practised)),
            weeks: count(window.weeks.iter()),
            champions: count(counting().filter(|member| member.champion)),
        }
    }
}

fn count<N: TryFrom<usize> + Default>(items: impl Iterator) -> N {
    N::try_from(items.count()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chrono::{Days, TimeDelta};
    use chrono_tz::Tz;

    use super::*;
    use crate::score::{Credit, PeriodKind};

    const LATE: i32 = 14;

    /// The four weeks from Monday 5 January 2026.
    fn window() -> ScoreWindow {
        let now = "2026-02-02T08:00:00Z".parse().expect("an instant");
        ScoreWindow::before(PeriodKind::Week, Tz::UTC, now)
    }

    fn member() -> MemberFacts {
        let joined_at = window().starts_at - TimeDelta::days(100);
        MemberFacts {
            stints: vec![Stint { joined_at, left_at: None }],
            reporting_starts_on: joined_at.date_naive(),
            joined: true,
            champion: false,
            assignments: vec![],
        }
    }

    fn report(hours: i64, delay: i64, percent: u8, completes: bool) -> ProgressReport {
        let effective_at = window().starts_at + TimeDelta::hours(hours);
        ProgressReport {
            effective_at,
            received_at: effective_at + TimeDelta::hours(delay),
            percent,
            completes,
        }
    }

    fn weeks_counted(member: &MemberFacts) -> Vec<bool> {
        window().periods.iter().map(|week| member.counts_in(week)).collect()
    }

    #[test]
    fn a_member_counts_in_each_week_that_any_part_of_a_stint_lies_in() {
        let at = |hours| window().starts_at + TimeDelta::hours(hours);
        let stints = vec![
            Stint { joined_at: at(-500), left_at: Some(at(0)) },
            Stint { joined_at: at(2 * 168 - 1), left_at: Some(at(2 * 168 + 1)) },
        ];
        assert_eq!(weeks_counted(&MemberFacts { stints, ..member() }), [false, true, true, false]);
        let next_monday = vec![Stint { joined_at: window().ends_at, left_at: None }];
        assert_eq!(weeks_counted(&MemberFacts { stints: next_monday, ..member() }), [false; 4]);
    }

    #[test]
    fn a_new_hire_counts_from_the_week_in_which_reports_start() {
        let sunday = window().from + Days::new(6);
        let starting = |reporting_starts_on| MemberFacts { reporting_starts_on, ..member() };
        assert_eq!(weeks_counted(&starting(sunday)), [true; 4]);
        assert_eq!(weeks_counted(&starting(sunday + Days::new(1))), [false, true, true, true]);
    }

    #[test]
    fn only_what_a_week_adds_is_gained_in_it() {
        let reports = vec![
            report(30, 0, 40, false),
            report(10, 0, 60, false),
            report(200, 0, 50, false),
            report(210, 0, 75, false),
        ];
        let lesson = AssignmentHistory { due_at: Some(window().ends_at), withdrawn: false, reports };
        let gained = |week| lesson.in_period(week, LateWindow::of_days(LATE)).percent_gained;
        assert_eq!(window().periods.iter().map(gained).collect::<Vec<_>>(), [60, 15, 0, 0]);
    }

    #[test]
    fn work_that_was_reported_too_late_counts_when_it_was_received() {
        let weekly = |delay| {
            let due_at = Some(window().starts_at + TimeDelta::days(7));
            let reports = vec![report(100, delay, 0, true)];
            let member = MemberFacts {
                assignments: vec![AssignmentHistory { due_at, withdrawn: false, reports }],
                ..member()
            };
            let earned = |week| member.participation(week, LateWindow::of_days(LATE));
            window().periods.iter().map(earned).map(|week| (week.credits, week.expected)).collect::<Vec<_>>()
        };
        let (done, half, open, nothing) =
            ((Credit::ON_TIME, 1), (Credit::OVERDUE, 1), (Credit::NONE, 1), (Credit::NONE, 0));
        assert_eq!(weekly(14 * 24), [done, nothing, nothing, nothing]);
        assert_eq!(weekly(14 * 24 + 1), [open, open, half, nothing]);
    }

    #[test]
    fn the_first_of_several_completions_counts() {
        let reports = vec![report(300, 0, 100, true), report(100, 0, 100, true)];
        let lesson = AssignmentHistory { due_at: Some(window().ends_at), withdrawn: false, reports };
        let facts = lesson.in_period(&window().periods[0], LateWindow::of_days(LATE));
        assert_eq!(facts.completed_at, Some(window().starts_at + TimeDelta::hours(100)));
    }

    #[test]
    fn a_member_is_active_who_has_joined_and_reported_something_in_the_window() {
        let seen_at = |hours, joined| {
            let reports = vec![report(hours, 0, 10, false)];
            let lesson = AssignmentHistory { due_at: None, withdrawn: true, reports };
            let member = MemberFacts { joined, assignments: vec![lesson], ..member() };
            ScoreInput::of(&window(), LateWindow::of_days(LATE), &[member], &[]).activated
        };
        assert_eq!([seen_at(0, true), seen_at(4 * 168 - 1, true)], [1, 1]);
        assert_eq!([seen_at(-1, true), seen_at(4 * 168, true), seen_at(5, false)], [0, 0, 0]);
    }

    #[test]
    fn nothing_is_expected_in_a_week_in_which_the_member_does_not_count() {
        let lesson =
            AssignmentHistory { due_at: Some(window().starts_at), withdrawn: false, reports: vec![] };
        let second_week = window().from + Days::new(7);
        let new = MemberFacts { assignments: vec![lesson], reporting_starts_on: second_week, ..member() };
        let input = ScoreInput::of(&window(), LateWindow::of_days(LATE), &[new], &[]);
        assert_eq!((input.eligible, input.participation.expected), (1, 3));
    }

    #[test]
    fn a_member_who_is_seen_but_counts_in_no_week_is_left_out_of_everything() {
        let lesson = AssignmentHistory {
            due_at: Some(window().ends_at),
            withdrawn: false,
            reports: vec![report(5, 0, 0, true)],
        };
        let new = MemberFacts {
            champion: true,
            assignments: vec![lesson],
            reporting_starts_on: NaiveDate::MAX,
            ..member()
        };
        let input = ScoreInput::of(&window(), LateWindow::of_days(LATE), &[new], &[]);
        assert_eq!(input, ScoreInput { weeks: 4, ..ScoreInput::default() });
    }

    #[test]
    fn several_refinements_in_a_week_are_one_week_of_practice() {
        let days = [0, 6, 7, 27, 28].map(|d| window().from + Days::new(d));
        let input = ScoreInput::of(&window(), LateWindow::of_days(LATE), &[], &days);
        assert_eq!((input.weeks_practised, input.weeks), (3, 4));
    }
}
