use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Band, Score, ScoreCalendar, ScoreInput, ScoreWindow, WeekKey};
use crate::Team;

/// What was counted of a team, by the key of the window; without those that ended before the team was made.
pub type Counts = HashMap<WeekKey, ScoreInput>;

/// A score of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrendPoint {
    /// The last period of its window.
    pub week: WeekKey,
    /// The score. None when too few members counted, or the team was not there yet.
    pub score: Option<u8>,
}

/// The score of a team with what came before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreSheet {
    /// What the score looks at.
    pub window: ScoreWindow,
    /// The score.
    pub score: Score,
    /// The score of the period before.
    pub previous_score: Option<u8>,
    /// Twelve scores, the oldest first; the last one is the score.
    pub trend: Vec<TrendPoint>,
}

impl ScoreSheet {
    pub(crate) fn of(calendar: ScoreCalendar, counts: &Counts, now: DateTime<Utc>) -> Self {
        let window = ScoreWindow::before(calendar.kind, calendar.time_zone, now);
        let trend = trend(&window.trend(), counts);
        Self {
            score: counts.get(&window.key).copied().unwrap_or_default().score(),
            previous_score: trend.iter().rev().nth(1).and_then(|point| point.score),
            trend,
            window,
        }
    }
}

fn trend(windows: &[ScoreWindow], counts: &Counts) -> Vec<TrendPoint> {
    let point = |window: &ScoreWindow| TrendPoint {
        week: window.key.clone(),
        score: counts.get(&window.key).and_then(|input| input.score().score),
    };
    windows.iter().map(point).collect()
}

/// A team in the table of an organization's teams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedTeam {
    /// The team.
    pub team: Team,
    /// Its score. None when too few members count.
    pub score: Option<u8>,
    /// The score in a word.
    pub band: Option<Band>,
    /// Twelve scores, the oldest first; the last one is the score.
    pub trend: Vec<TrendPoint>,
}

/// All teams of an organization, the best first. Equal ones by name with case ignored, then by id.
pub fn rank_teams(
    calendar: ScoreCalendar,
    teams: Vec<(Team, Counts)>,
    now: DateTime<Utc>,
) -> Vec<RankedTeam> {
    let window = ScoreWindow::before(calendar.kind, calendar.time_zone, now);
    let windows = window.trend();
    let current = |counts: &Counts| counts.get(&window.key).copied().unwrap_or_default();
    let organization = teams.iter().map(|(_, counts)| current(counts).participation).sum();
    let mut ranked: Vec<_> = teams
        .into_iter()
        .map(|(team, counts)| {
            let input = current(&counts);
            let score = input.score();
            let place =
                (Reverse(input.rank(organization)), team.name.as_str().to_lowercase(), team.id.uuid());
            (
                place,
                RankedTeam { team, score: score.score, band: score.band, trend: trend(&windows, &counts) },
            )
        })
        .collect();
    ranked.sort_by(|(one, _), (other, _)| one.cmp(other));
    ranked.into_iter().map(|(_, team)| team).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TeamName;
    use crate::score::{Credit, Participation};
    use crate::tests::{OWN, WEEKLY, a_team};

    fn now() -> DateTime<Utc> {
        "2026-02-04T08:00:00Z".parse().expect("an instant")
    }

    fn counts(scores: &[(&str, u64, u32)]) -> Counts {
        let input = |lessons: u64, expected| ScoreInput {
            participation: Participation { credits: Credit(lessons * Credit::ON_TIME.0), expected },
            eligible: 5,
            weeks: 4,
            ..ScoreInput::default()
        };
        let counted = |(week, lessons, expected): &(&str, u64, u32)| {
            (WeekKey::from_stored((*week).into()), input(*lessons, *expected))
        };
        scores.iter().map(counted).collect()
    }

    fn named(name: &str, id: u128) -> Team {
        let id = domain_kernel::TeamId::new(uuid::Uuid::from_u128(id));
        Team { id, name: TeamName::parse(name).expect("a name"), ..a_team(OWN) }
    }

    #[test]
    fn a_sheet_has_the_score_the_one_before_and_twelve_in_all() {
        let sheet = ScoreSheet::of(WEEKLY, &counts(&[("2026-W05", 10, 10), ("2026-W04", 5, 10)]), now());
        assert_eq!((sheet.score.score, sheet.previous_score), (Some(45), Some(23)));
        assert_eq!(sheet.trend.len(), 12);
        let last: Vec<_> = sheet.trend[9..].iter().map(|point| (point.week.as_str(), point.score)).collect();
        assert_eq!(last, [("2026-W03", None), ("2026-W04", Some(23)), ("2026-W05", Some(45))]);
    }

    #[test]
    fn a_team_of_which_nothing_was_counted_has_no_score() {
        let sheet = ScoreSheet::of(WEEKLY, &Counts::new(), now());
        assert_eq!((sheet.score.score, sheet.score.eligible_members, sheet.previous_score), (None, 0, None));
        assert!(sheet.trend.iter().all(|point| point.score.is_none()));
    }

    #[test]
    fn teams_are_ranked_and_equal_ones_sorted_by_name() {
        let week = |lessons| counts(&[("2026-W05", lessons, 100)]);
        let teams = vec![
            (named("none", 1), Counts::new()),
            (named("b", 2), week(50)),
            (named("A", 3), week(50)),
            (named("best", 4), week(90)),
            (named("a", 5), week(50)),
        ];
        let ranked = rank_teams(WEEKLY, teams, now());
        let order: Vec<_> = ranked.iter().map(|row| (row.team.name.as_str(), row.score)).collect();
        assert_eq!(
            order,
            [("best", Some(41)), ("A", Some(23)), ("a", Some(23)), ("b", Some(23)), ("none", None)]
        );
        assert_eq!(ranked[0].trend.last().map(|point| point.score), Some(Some(41)));
    }
}
