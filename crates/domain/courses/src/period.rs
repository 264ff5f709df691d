use chrono::{
    DateTime, Datelike, MappedLocalTime, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc, Weekday,
};
use chrono_tz::{GapInfo, Tz};

/// How often a course of the pool is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// One in each ISO week.
    Weekly,
    /// One in each calendar month.
    Monthly,
    /// The next one as soon as the last is done.
    SelfPaced,
}

impl Cadence {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::SelfPaced => "self_paced",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Weekly, Self::Monthly, Self::SelfPaced].into_iter().find(|cadence| cadence.as_str() == text)
    }
}

/// A week or a month of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first day: a Monday, or the first of a month.
    pub first_day: NaiveDate,
    /// Its first instant.
    pub start: DateTime<Utc>,
    /// The first instant after it, which is the start of the next one.
    pub end: DateTime<Utc>,
}

/// How an organization counts its periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// Weeks, months, or none at all.
    pub cadence: Cadence,
    /// Where a day begins.
    pub time_zone: Tz,
}

impl Calendar {
    /// With less than this left of a period, a course is given for the next one.
    pub const LEAST_TIME: TimeDelta = TimeDelta::hours(72);

    /// The period that holds `instant`; none when self-paced. Every instant is in exactly one.
    pub fn period_at(self, instant: DateTime<Utc>) -> Option<Period> {
        let day = instant.with_timezone(&self.time_zone).date_naive();
        let (first_day, next) = match self.cadence {
            Cadence::Weekly => {
                let week = day.week(Weekday::Mon);
                (week.checked_first_day()?, week.checked_last_day()?.succ_opt()?)
            }
            Cadence::Monthly => {
                let first_day = day.with_day(1)?;
                (first_day, first_day.checked_add_months(Months::new(1))?)
            }
            Cadence::SelfPaced => return None,
        };
        let (start, end) = (self.first_instant_of(first_day), self.first_instant_of(next));
        // Clocks put back across midnight show the old day once more after the new one has begun.
        if instant >= end { self.period_at(end) } else { Some(Period { first_day, start, end }) }
    }

    /// The period after `period`; none when self-paced.
    pub fn next(self, period: Period) -> Option<Period> {
        self.period_at(period.end)
    }

    /// The period that an assignment made at `assigned_at` is for, and uses up: the one it was made in, or the next one
    /// when less than [`LEAST_TIME`](Self::LEAST_TIME) was left. The assignment is due at its end, and the next one can
    /// be made from that instant on. None when self-paced.
    pub fn period_used_by(self, assigned_at: DateTime<Utc>) -> Option<Period> {
        let period = self.period_at(assigned_at)?;
        if period.end - assigned_at < Self::LEAST_TIME { self.next(period) } else { Some(period) }
    }

    fn first_instant_of(self, day: NaiveDate) -> DateTime<Utc> {
        let midnight = day.and_time(NaiveTime::MIN);
        match self.time_zone.from_local_datetime(&midnight) {
            MappedLocalTime::Single(start) | MappedLocalTime::Ambiguous(start, _) => start.to_utc(),
            // Clocks put forward at midnight, or a whole day left out: the day begins where the gap ends.
            MappedLocalTime::None => GapInfo::new(&midnight, &self.time_zone)
                .and_then(|gap| gap.end)
                .map_or_else(|| midnight.and_utc(), |end| end.to_utc()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calendar(cadence: Cadence, time_zone: Tz) -> Calendar {
        Calendar { cadence, time_zone }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    /// First and last instant of the period, in minutes.
    fn bounds(cadence: Cadence, time_zone: Tz, instant: &str) -> String {
        let period = calendar(cadence, time_zone).period_at(at(instant)).expect("a period");
        format!("{} {}", period.start.format("%Y-%m-%dT%H:%M"), period.end.format("%Y-%m-%dT%H:%M"))
    }

    #[test]
    fn a_week_begins_with_the_first_instant_of_monday_there() {
        for (zone, instant, week) in [
            (Tz::UTC, "2026-01-04T23:59:59Z", "2025-12-29T00:00 2026-01-05T00:00"),
            (Tz::UTC, "2026-01-05T00:00:00Z", "2026-01-05T00:00 2026-01-12T00:00"),
            // Still Sunday in Chicago, Monday already in Tokyo.
            (Tz::America__Chicago, "2026-01-05T05:59:59Z", "2025-12-29T06:00 2026-01-05T06:00"),
            (Tz::Asia__Tokyo, "2026-01-04T15:00:00Z", "2026-01-04T15:00 2026-01-11T15:00"),
            // 167 and 169 hours.
            (Tz::America__Chicago, "2026-03-05T12:00:00Z", "2026-03-02T06:00 2026-03-09T05:00"),
            (Tz::America__Chicago, "2026-10-29T12:00:00Z", "2026-10-26T05:00 2026-11-02T06:00"),
            // Sunday had no midnight.
            (Tz::America__Sao_Paulo, "2018-11-04T12:00:00Z", "2018-10-29T03:00 2018-11-05T02:00"),
            // A week without Friday.
            (Tz::Pacific__Apia, "2011-12-31T12:00:00Z", "2011-12-26T10:00 2012-01-01T10:00"),
        ] {
            assert_eq!(bounds(Cadence::Weekly, zone, instant), week, "{zone} {instant}");
        }
    }

    #[test]
    fn a_month_begins_with_the_first_instant_of_its_first_day_there() {
        for (zone, instant, month) in [
            (Tz::UTC, "2024-02-29T12:00:00Z", "2024-02-01T00:00 2024-03-01T00:00"),
            (Tz::America__Chicago, "2026-01-01T05:59:59Z", "2025-12-01T06:00 2026-01-01T06:00"),
            // 1 October 2017 began at 1:00.
            (Tz::America__Asuncion, "2017-10-15T12:00:00Z", "2017-10-01T04:00 2017-11-01T03:00"),
            (Tz::America__Asuncion, "2017-10-01T03:59:59Z", "2017-09-01T04:00 2017-10-01T04:00"),
            // 1 November 2020 had two midnights.
            (Tz::America__Havana, "2020-11-01T04:30:00Z", "2020-11-01T04:00 2020-12-01T05:00"),
            (Tz::America__Havana, "2020-11-01T05:30:00Z", "2020-11-01T04:00 2020-12-01T05:00"),
            // A minute into 1 November 2009 it was 31 October again, for 59 minutes.
            (Tz::America__St_Johns, "2009-11-01T02:29:59Z", "2009-10-01T02:30 2009-11-01T02:30"),
            (Tz::America__St_Johns, "2009-11-01T02:30:00Z", "2009-11-01T02:30 2009-12-01T03:30"),
            (Tz::America__St_Johns, "2009-11-01T03:00:00Z", "2009-11-01T02:30 2009-12-01T03:30"),
            (Tz::America__St_Johns, "2009-11-01T03:30:00Z", "2009-11-01T02:30 2009-12-01T03:30"),
        ] {
            assert_eq!(bounds(Cadence::Monthly, zone, instant), month, "{zone} {instant}");
        }
    }

    #[test]
    fn a_period_is_named_by_its_first_day() {
        let first_day = |cadence| {
            let period = calendar(cadence, Tz::America__Chicago).period_at(at("2026-02-01T05:00:00Z"));
            period.map(|period| period.first_day.to_string())
        };
        assert_eq!(first_day(Cadence::Weekly).as_deref(), Some("2026-01-26"));
        assert_eq!(first_day(Cadence::Monthly).as_deref(), Some("2026-01-01"));
    }

    #[test]
    fn a_day_left_out_begins_with_the_day_after_it() {
        // Samoa left out Friday 30 December 2011.
        let calendar = calendar(Cadence::Weekly, Tz::Pacific__Apia);
        let friday = NaiveDate::from_ymd_opt(2011, 12, 30).expect("a day");
        assert_eq!(calendar.first_instant_of(friday), at("2011-12-30T10:00:00Z"));
    }

    #[test]
    fn self_paced_has_no_periods() {
        let calendar = calendar(Cadence::SelfPaced, Tz::UTC);
        assert_eq!(calendar.period_at(at("2026-01-05T00:00:00Z")), None);
        assert_eq!(calendar.period_used_by(at("2026-01-05T00:00:00Z")), None);
    }

    #[test]
    fn with_less_than_72_hours_left_the_next_period_is_used() {
        let end = |cadence, instant| {
            calendar(cadence, Tz::America__Chicago).period_used_by(at(instant)).map(|period| period.end)
        };
        for (cadence, assigned_at, due) in [
            (Cadence::Weekly, "2026-01-05T06:00:00Z", "2026-01-12T06:00:00Z"),
            (Cadence::Weekly, "2026-01-09T06:00:00Z", "2026-01-12T06:00:00Z"),
            (Cadence::Weekly, "2026-01-09T06:00:01Z", "2026-01-19T06:00:00Z"),
            (Cadence::Weekly, "2026-01-12T05:59:59Z", "2026-01-19T06:00:00Z"),
            (Cadence::Monthly, "2026-01-29T06:00:00Z", "2026-02-01T06:00:00Z"),
            (Cadence::Monthly, "2026-01-30T06:00:00Z", "2026-03-01T06:00:00Z"),
        ] {
            assert_eq!(end(cadence, assigned_at), Some(at(due)), "{cadence:?} {assigned_at}");
        }
    }

    #[test]
    fn a_cadence_is_read_as_it_is_written() {
        for cadence in [Cadence::Weekly, Cadence::Monthly, Cadence::SelfPaced] {
            assert_eq!(Cadence::parse(cadence.as_str()), Some(cadence));
        }
        assert_eq!(Cadence::parse("daily"), None);
    }

    proptest! {
        #[test]
        fn periods_follow_each_other_without_gap_or_overlap(
            seconds in 0_i64..4_102_444_800,
            zone in proptest::sample::select(&chrono_tz::TZ_VARIANTS[..]),
            weekly in any::<bool>(),
        ) {
            let calendar = calendar(if weekly { Cadence::Weekly } else { Cadence::Monthly }, zone);
            let instant = DateTime::from_timestamp(seconds, 0).expect("a time");
            let period = calendar.period_at(instant).expect("a period");
            prop_assert!(period.start <= instant && instant < period.end);
            prop_assert_eq!(calendar.period_at(period.start), Some(period));
            prop_assert_eq!(calendar.period_at(period.end - TimeDelta::microseconds(1)), Some(period));
            let next = calendar.next(period).expect("a period");
            prop_assert_eq!(next.start, period.end);
            let used = calendar.period_used_by(instant).expect("a period");
            prop_assert!(used.end - instant >= Calendar::LEAST_TIME);
            prop_assert!(used == period || used == next);
        }
    }
}
