use chrono::{DateTime, NaiveDate, Utc};
use domain_teams::TeamScore;
use domain_teams::score::{Band, Component, FORMULA_VERSION, RankedTeam, Ratio, ScoreWindow, TrendPoint};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::dto::TeamResponse;

/// The days that a score looks at.
#[derive(Serialize, ToSchema)]
#[schema(as = ScoreWindow)]
struct WindowResponse {
    /// First day.
    #[schema(example = "2026-10-26")]
    from: NaiveDate,
    /// Last day.
    #[schema(example = "2026-11-22")]
    to: NaiveDate,
    /// Whole weeks in it.
    #[schema(example = 4)]
    weeks: usize,
}

impl From<&ScoreWindow> for WindowResponse {
    fn from(window: &ScoreWindow) -> Self {
        Self { from: window.from, to: window.to, weeks: window.weeks.len() }
    }
}

/// A part of a score.
#[derive(Serialize, ToSchema)]
#[schema(as = ScoreComponent)]
struct ComponentResponse {
    /// `participation`, `activation`, `practice` or `champions`.
    #[schema(example = "participation")]
    name: &'static str,
    /// Its share of the score, 0 to 1. All together are 1.
    #[schema(example = 0.45)]
    weight: f64,
    /// 0 to 1; null when there was nothing to be had.
    #[schema(example = 0.775)]
    value: Option<f64>,
    /// What was had.
    #[schema(example = 62.0)]
    numerator: f64,
    /// What was to be had.
    #[schema(example = 80)]
    denominator: u32,
}

impl From<&Component> for ComponentResponse {
    fn from(component: &Component) -> Self {
        Self {
            name: component.name.as_str(),
            weight: component.weight.to_f64(),
            value: component.value().map(Ratio::to_f64),
            numerator: component.numerator.to_f64(),
            denominator: component.denominator,
        }
    }
}

/// A score of the past.
#[derive(Serialize, ToSchema)]
#[schema(as = ScoreTrendPoint)]
struct TrendPointResponse {
    /// The last week of its window, or the last month where lessons are monthly (`2026-11`).
    #[schema(example = "2026-W47")]
    week: String,
    /// 0 to 100; null when there was none.
    #[schema(example = 75)]
    score: Option<u8>,
}

fn trend(points: &[TrendPoint]) -> Vec<TrendPointResponse> {
    let point = |point: &TrendPoint| TrendPointResponse { week: point.week.to_string(), score: point.score };
    points.iter().map(point).collect()
}

/// How well a team keeps up its training. People who are only on the team get the fields up to `computed_at`.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkleteScore)]
pub(crate) struct TeamScoreResponse {
    team_id: Uuid,
    /// Scores of different formulas are not to be compared.
    #[schema(example = 1)]
    formula_version: i32,
    window: WindowResponse,
    /// 0 to 100; null when too few members count.
    #[schema(example = 75)]
    score: Option<u8>,
    /// `starting` (0-39), `building` (40-69), `strong` (70-84) or `leading` (85-100).
    #[schema(example = "strong")]
    band: Option<&'static str>,
    /// `ok`, or `insufficient_data` when fewer than three members count.
    #[schema(example = "ok")]
    status: &'static str,
    /// When it was counted, RFC 3339 in UTC.
    computed_at: DateTime<Utc>,
    /// What it is made of; empty without a score.
    #[serde(skip_serializing_if = "Option::is_none")]
    components: Option<Vec<ComponentResponse>>,
    /// The score of the week before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u8>, example = 71)]
    #[expect(clippy::option_option, reason = "absent for some readers, null without such a score")]
    previous_score: Option<Option<u8>>,
    /// Twelve scores, the oldest first; the last one is the score.
    #[serde(skip_serializing_if = "Option::is_none")]
    trend: Option<Vec<TrendPointResponse>>,
    /// Members who count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 20)]
    eligible_members: Option<u32>,
}

impl TeamScoreResponse {
    pub(crate) fn new(team: Uuid, score: &TeamScore) -> Self {
        let sheet = &score.sheet;
        let detailed = score.shows_details.then_some(sheet);
        Self {
            team_id: team,
            formula_version: FORMULA_VERSION,
            window: (&sheet.window).into(),
            score: sheet.score.score,
            band: sheet.score.band.map(Band::as_str),
            status: sheet.score.status.as_str(),
            computed_at: score.computed_at,
            components: detailed.map(|sheet| sheet.score.components.iter().map(Into::into).collect()),
            previous_score: detailed.map(|sheet| sheet.previous_score),
            trend: detailed.map(|sheet| trend(&sheet.trend)),
            eligible_members: detailed.map(|sheet| sheet.score.eligible_members),
        }
    }
}

/// The score of a team in the table of teams.
#[derive(Serialize, ToSchema)]
#[schema(as = TeamScoreBrief)]
struct BriefScoreResponse {
    /// 0 to 100; null when too few members count.
    #[schema(example = 75)]
    score: Option<u8>,
    /// `starting`, `building`, `strong` or `leading`.
    #[schema(example = "strong")]
    band: Option<&'static str>,
    /// Twelve scores, the oldest first; the last one is the score.
    trend: Vec<TrendPointResponse>,
}

/// A team with its score.
#[derive(Serialize, ToSchema)]
#[schema(as = TeamWithScore)]
pub(crate) struct ScoredTeamResponse {
    #[serde(flatten)]
    team: TeamResponse,
    worklete_score: BriefScoreResponse,
}

impl From<RankedTeam> for ScoredTeamResponse {
    fn from(ranked: RankedTeam) -> Self {
        Self {
            team: ranked.team.into(),
            worklete_score: BriefScoreResponse {
                score: ranked.score,
                band: ranked.band.map(Band::as_str),
                trend: trend(&ranked.trend),
            },
        }
    }
}
