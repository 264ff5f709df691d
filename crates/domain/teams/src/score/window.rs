use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::period::monday_of;
use super::{Period, PeriodKind, WeekKey};

/// Periods that the trend shows.
const TREND: usize = 12;

/// What a score looks at: the last four weeks, or the last two months, that are over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreWindow {
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// First instant after it.
    pub ends_at: DateTime<Utc>,
    /// Names the score: its last period.
    pub key: WeekKey,
    /// What participation is counted in, the oldest first.
    pub periods: Vec<Period>,
    /// Mondays of the weeks that practice is counted in, the oldest first: those that lie in the window as a whole, also
    /// where the periods are months.
    pub weeks: Vec<NaiveDate>,
}

impl ScoreWindow {
    /// The window of a score that is asked for at `now`.
    pub fn before(kind: PeriodKind, time_zone: Tz, now: DateTime<Utc>) -> Self {
        Self::ending_with(Period::last_complete(kind, time_zone, now))
    }

    /// The window whose last period is `last`.
    pub fn ending_with(last: Period) -> Self {
        let count = match last.kind {
            PeriodKind::Week => 4,
            PeriodKind::Month => 2,
        };
        let periods = last.run_of(count);
        let oldest = periods.first().copied().unwrap_or(last);
        let first_monday = monday_of(oldest.first + Days::new(6));
        let weeks =
            first_monday.iter_weeks().take_while(|monday| *monday + Days::new(6) <= last.last).collect();
        Self {
            from: oldest.first,
            to: last.last,
            starts_at: oldest.starts_at,
            ends_at: last.ends_at,
            key: last.key(),
            periods,
            weeks,
        }
    }

    /// Whether `instant` lies in it.
    pub fn contains(&self, instant: DateTime<Utc>) -> bool {
        self.starts_at <= instant && instant < self.ends_at
    }

    /// The windows of the twelve scores that the trend shows, the oldest first; this one is the last, and the one before it
    /// is that of the previous score.
    pub fn trend(&self) -> Vec<Self> {
        let last = self.periods.last().copied();
        last.map_or_else(Vec::new, |last| last.run_of(TREND).into_iter().map(Self::ending_with).collect())
    }
}

/// How long a phone may have been offline for its reports to count when the work was done, not when they came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateWindow(TimeDelta);

impl LateWindow {
    /// So many times 24 hours; none when negative.
    pub fn of_days(days: i32) -> Self {
        Self(TimeDelta::days(i64::from(days.max(0))))
    }

    /// The instant at which a report counts: when the work was done, or when it was received if that was too late.
    pub fn credited_at(self, effective_at: DateTime<Utc>, received_at: DateTime<Utc>) -> DateTime<Utc> {
        if received_at - effective_at > self.0 { received_at } else { effective_at }
    }

    /// From when on no report can change what `period` counts.
    pub fn closes_at(self, period: &Period) -> DateTime<Utc> {
        period.ends_at.checked_add_signed(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Whether the snapshot that is named after `period` is final at `now`. It covers earlier periods too; those close
    /// first.
    pub fn is_final(self, period: &Period, now: DateTime<Utc>) -> bool {
        self.closes_at(period) <= now
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).expect("a day")
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn weekly_teams_are_measured_over_the_last_four_weeks_that_are_over_where_they_work() {
        let window = |now| ScoreWindow::before(PeriodKind::Week, Tz::America__Chicago, at(now));
        let before = window("2026-02-02T05:59:59Z");
        assert_eq!((before.from, before.to), (day(2025, 12, 29), day(2026, 1, 25)), "still Sunday there");
        let after = window("2026-02-02T06:00:00Z");
        assert_eq!((after.from, after.to), (day(2026, 1, 5), day(2026, 2, 1)));
        assert_eq!(after.weeks, [5, 12, 19, 26].map(|d| day(2026, 1, d)));
        assert_eq!(after.key.as_str(), "2026-W05");
    }

    #[test]
    fn monthly_teams_are_measured_over_two_months_and_practise_in_the_whole_weeks_of_them() {
        let window = ScoreWindow::before(PeriodKind::Month, Tz::UTC, at("2026-07-20T12:00:00Z"));
        assert_eq!((window.from, window.to), (day(2026, 5, 1), day(2026, 6, 30)));
        assert_eq!(window.key.as_str(), "2026-06");
        assert_eq!(window.weeks.len(), 8);
        assert_eq!(
            (window.weeks.first(), window.weeks.last()),
            (Some(&day(2026, 5, 4)), Some(&day(2026, 6, 22)))
        );
    }

    #[test]
    fn the_trend_ends_with_the_window_itself() {
        let window = ScoreWindow::before(PeriodKind::Week, Tz::UTC, at("2026-02-04T00:00:00Z"));
        let trend = window.trend();
        assert_eq!(trend.len(), 12);
        assert_eq!(trend.last(), Some(&window));
        let keys: Vec<_> = trend.iter().map(|window| window.key.as_str()).collect();
        assert_eq!(keys.first(), Some(&"2025-W46"));
        assert_eq!(keys.get(10), Some(&"2026-W04"));
    }

    #[test]
    fn a_week_is_final_when_the_late_window_after_its_end_is_over() {
        let week = Period::holding(PeriodKind::Week, Tz::UTC, day(2026, 1, 26));
        let late = LateWindow::of_days(14);
        assert!(!late.is_final(&week, at("2026-02-15T23:59:59Z")));
        assert!(late.is_final(&week, at("2026-02-16T00:00:00Z")));
        assert!(LateWindow::of_days(-1).is_final(&week, week.ends_at));
    }

    #[test]
    fn a_report_counts_when_the_work_was_done_unless_it_comes_too_late() {
        let late = LateWindow::of_days(14);
        let (done, in_time) = (at("2026-01-05T10:00:00Z"), at("2026-01-19T10:00:00Z"));
        assert_eq!(late.credited_at(done, in_time), done);
        let too_late = in_time + TimeDelta::seconds(1);
        assert_eq!(late.credited_at(done, too_late), too_late);
    }

    proptest! {
        #[test]
        fn nothing_received_once_a_week_is_final_counts_in_it(
            done in 0_i64..5_000_000, delay in 0_i64..5_000_000, days in 0_i32..40,
        ) {
            let start = at("2026-01-05T00:00:00Z");
            let (done, received) = (start + TimeDelta::seconds(done), start + TimeDelta::seconds(done + delay));
            let late = LateWindow::of_days(days);
            for week in ScoreWindow::before(PeriodKind::Week, Tz::UTC, at("2026-02-04T00:00:00Z")).periods {
                if late.is_final(&week, received) {
                    prop_assert!(!week.contains(late.credited_at(done, received)));
                }
            }
        }

        #[test]
        fn the_weeks_of_practice_lie_in_the_window(seconds in 0_i64..4_000_000_000) {
            let now = DateTime::from_timestamp(seconds, 0).expect("an instant");
            for (kind, fewest) in [(PeriodKind::Week, 4), (PeriodKind::Month, 7)] {
                let window = ScoreWindow::before(kind, Tz::UTC, now);
                prop_assert!((fewest..=8).contains(&window.weeks.len()));
                for monday in &window.weeks {
                    prop_assert!(window.from <= *monday && *monday + Days::new(6) <= window.to);
                }
            }
        }
    }
}
