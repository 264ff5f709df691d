use chrono::{Datelike, NaiveDate};

use crate::FieldProblem;

/// Parses a day of the years 1900 to 2200, written as `2026-11-02`.
pub fn parse_day(raw: &str) -> Result<NaiveDate, FieldProblem> {
    let wrong = || FieldProblem { code: "invalid", message: "must be a date such as 2026-11-02".into() };
    let day = NaiveDate::parse_from_str(raw.trim(), "%Y-%m-%d").map_err(|_| wrong())?;
    if (1900..=2200).contains(&day.year()) { Ok(day) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_one_of_the_calendar_and_of_our_times() {
        assert_eq!(parse_day(" 2024-02-29 ").ok(), NaiveDate::from_ymd_opt(2024, 2, 29));
        for raw in [
            "",
            "2026-02-29",
            "1899-12-31",
            "2201-01-01",
            "-4800-01-01",
            "02/11/2026",
            "2026-11-02T00:00:00Z",
        ] {
            assert_eq!(parse_day(raw).map_err(|problem| problem.code), Err("invalid"), "{raw}");
        }
    }
}
