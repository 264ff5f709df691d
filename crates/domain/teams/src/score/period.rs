use std::fmt;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// What the score counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeriodKind {
    /// ISO weeks, Monday to Sunday: for organizations with weekly and with self-paced lessons.
    Week,
    /// Calendar months: for organizations with monthly lessons.
    Month,
}

/// By whose calendar an organization's teams are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreCalendar {
    /// What is counted in.
    pub kind: PeriodKind,
    /// Where days begin.
    pub time_zone: Tz,
}

impl ScoreCalendar {
    /// Reads an organization's cadence and zone as stored; a zone that is not known counts as UTC.
    pub fn from_stored(cadence: &str, time_zone: &str) -> Self {
        let kind = if cadence == "monthly" { PeriodKind::Month } else { PeriodKind::Week };
        Self { kind, time_zone: time_zone.parse().unwrap_or(Tz::UTC) }
    }
}

/// Names a period in the `week` of a snapshot and of the trend: `2026-W05`, or `2026-05` where months are counted.
///
/// Keys of one kind sort by time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WeekKey(String);

impl WeekKey {
    /// Reads back what [`Period::key`] made.
    pub fn from_stored(key: String) -> Self {
        Self(key)
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WeekKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A week or a month as the organization's own calendar has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    /// Week or month.
    pub kind: PeriodKind,
    /// Whose calendar.
    pub time_zone: Tz,
    /// First day.
    pub first: NaiveDate,
    /// Last day.
    pub last: NaiveDate,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// First instant after it.
    pub ends_at: DateTime<Utc>,
}

impl Period {
    /// The one that holds `day`.
    pub fn holding(kind: PeriodKind, time_zone: Tz, day: NaiveDate) -> Self {
        let (first, following) = match kind {
            PeriodKind::Week => {
                let monday = monday_of(day);
                (monday, monday + Days::new(7))
            }
            PeriodKind::Month => {
                let first = day - Days::new(u64::from(day.day0()));
                (first, first + Months::new(1))
            }
        };
        Self {
            kind,
            time_zone,
            first,
            last: following - Days::new(1),
            starts_at: first_instant(time_zone, first),
            ends_at: first_instant(time_zone, following),
        }
    }

    /// The last one that is over at `now`.
    pub fn last_complete(kind: PeriodKind, time_zone: Tz, now: DateTime<Utc>) -> Self {
        // A clock that is put back over midnight leaves a period and enters it again, so the local date alone does not
        // tell whether the period is over.
        let tomorrow = now.with_timezone(&time_zone).date_naive() + Days::new(1);
        let mut period = Self::holding(kind, time_zone, tomorrow);
        while period.ends_at > now {
            period = period.previous();
        }
        period
    }

    /// The one before.
    #[must_use]
    pub fn previous(&self) -> Self {
        Self::holding(self.kind, self.time_zone, self.first - Days::new(1))
    }

    /// The one after.
    #[must_use]
    pub fn next(&self) -> Self {
        Self::holding(self.kind, self.time_zone, self.last + Days::new(1))
    }

    /// This one and those before it, `count` in all, the oldest first.
    pub fn run_of(self, count: usize) -> Vec<Self> {
        let mut run: Vec<_> =
            std::iter::successors(Some(self), |period| Some(period.previous())).take(count).collect();
        run.reverse();
        run
    }

    /// Whether `instant` lies in it.
    pub fn contains(&self, instant: DateTime<Utc>) -> bool {
        self.starts_at <= instant && instant < self.ends_at
    }

    /// Whether work that must be done before `due_at` is due in it. A lesson of a week is due at the first instant after
    /// that week, hence the end belongs to the period and the start does not.
    pub fn has_due(&self, due_at: DateTime<Utc>) -> bool {
        self.starts_at < due_at && due_at <= self.ends_at
    }

    /// Its name.
    pub fn key(&self) -> WeekKey {
        let format = match self.kind {
            PeriodKind::Week => "%G-W%V",
            PeriodKind::Month => "%Y-%m",
        };
        WeekKey(self.first.format(format).to_string())
    }
}

/// The Monday of the week of `day`.
pub(super) fn monday_of(day: NaiveDate) -> NaiveDate {
    day - Days::new(u64::from(day.weekday().num_days_from_monday()))
}

/// The first instant at which clocks of the zone show `day`. Midnight of it may never come, when clocks are put forward
/// over it, and may come twice, when they are put back.
fn first_instant(time_zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    let earliest =
        |minutes| time_zone.from_local_datetime(&(midnight + TimeDelta::minutes(minutes))).earliest();
    // Clocks have been put forward by a whole day (across the date line), never by more.
    (0..=25 * 60).find_map(earliest).map_or_else(|| midnight.and_utc(), |instant| instant.to_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).expect("a day")
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn a_week_runs_from_monday_to_sunday_in_the_zones_own_time() {
        let week = Period::holding(PeriodKind::Week, Tz::America__Chicago, day(2026, 1, 29));
        assert_eq!((week.first, week.last), (day(2026, 1, 26), day(2026, 2, 1)));
        assert_eq!((week.starts_at, week.ends_at), (at("2026-01-26T06:00:00Z"), at("2026-02-02T06:00:00Z")));
        assert_eq!(week.key().as_str(), "2026-W05");
    }

    #[test]
    fn a_month_is_a_calendar_month() {
        let month = Period::holding(PeriodKind::Month, Tz::UTC, day(2028, 2, 29));
        assert_eq!((month.first, month.last), (day(2028, 2, 1), day(2028, 2, 29)));
        assert_eq!(month.previous().last, day(2028, 1, 31));
        assert_eq!(month.next().first, day(2028, 3, 1));
        assert_eq!(month.key().as_str(), "2028-02");
    }

    #[test]
    fn the_days_around_new_year_belong_to_the_iso_year_of_their_week() {
        let key = |day| Period::holding(PeriodKind::Week, Tz::UTC, day).key().to_string();
        assert_eq!(key(day(2024, 12, 30)), "2025-W01");
        assert_eq!(key(day(2027, 1, 3)), "2026-W53");
    }

    #[test]
    fn weeks_in_which_clocks_change_are_an_hour_shorter_or_longer() {
        let hours = |day| {
            let week = Period::holding(PeriodKind::Week, Tz::Europe__Berlin, day);
            (week.ends_at - week.starts_at).num_hours()
        };
        assert_eq!(hours(day(2026, 3, 29)), 167);
        assert_eq!(hours(day(2026, 10, 25)), 169);
        assert_eq!(hours(day(2026, 6, 1)), 168);
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_starts_when_the_clocks_go_on() {
        assert_eq!(first_instant(Tz::Africa__Cairo, day(2026, 4, 24)), at("2026-04-23T22:00:00Z"));
        // Put forward from 23:30 to 00:30.
        assert_eq!(first_instant(Tz::America__Toronto, day(1919, 3, 31)), at("1919-03-31T04:30:00Z"));
        // The whole day was skipped.
        assert_eq!(first_instant(Tz::Pacific__Apia, day(2011, 12, 30)), at("2011-12-30T10:00:00Z"));
    }

    #[test]
    fn a_day_whose_midnight_comes_twice_starts_with_the_first() {
        // Sunday 1 November 2026: put back from 01:00 to 00:00.
        let month = Period::holding(PeriodKind::Month, Tz::America__Havana, day(2026, 11, 1));
        assert_eq!(month.starts_at, at("2026-11-01T04:00:00Z"));
    }

    #[test]
    fn what_is_due_at_the_end_of_a_week_is_due_in_that_week_and_not_in_the_next() {
        let week = Period::holding(PeriodKind::Week, Tz::UTC, day(2026, 1, 26));
        assert!(week.has_due(week.ends_at) && !week.next().has_due(week.ends_at));
        assert!(!week.contains(week.ends_at) && week.next().contains(week.ends_at));
    }

    fn zone() -> impl Strategy<Value = Tz> {
        select(chrono_tz::TZ_VARIANTS.to_vec())
    }

    fn kind() -> impl Strategy<Value = PeriodKind> {
        select(vec![PeriodKind::Week, PeriodKind::Month])
    }

    fn instant() -> impl Strategy<Value = DateTime<Utc>> {
        (0_i64..4_000_000_000).prop_map(|seconds| DateTime::from_timestamp(seconds, 0).expect("an instant"))
    }

    proptest! {
        #[test]
        fn periods_follow_one_another_without_gap_or_overlap(zone in zone(), kind in kind(), now in instant()) {
            let period = Period::last_complete(kind, zone, now);
            prop_assert!(period.starts_at < period.ends_at && period.first < period.last);
            prop_assert_eq!(period.next().previous(), period);
            prop_assert_eq!(period.previous().ends_at, period.starts_at);
            prop_assert!(period.previous().key() < period.key());
        }

        #[test]
        fn the_last_complete_period_is_over_and_the_next_is_not(zone in zone(), kind in kind(), now in instant()) {
            let period = Period::last_complete(kind, zone, now);
            prop_assert!(period.ends_at <= now && now < period.next().ends_at);
        }
    }
}
