use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{OrgId, StorageError, TeamId};
use domain_teams::ports::{CountedTeams, Counts, ScoreRepository};
use domain_teams::score::{Credit, FORMULA_VERSION, Participation, ScoreCalendar, ScoreInput, WeekKey};
use domain_teams::{Team, TeamError};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::error::PgError;
use crate::schema::{organizations, score_snapshots};
use crate::sql::{row, statement, try_alone};
use crate::teams::{PgTeams, TeamColumns, TeamRow, team_columns};

/// Counts what the score is made of, for the teams `asked` in the windows `wanted`.
///
/// Everything is counted for all teams at once. `place` is the organization, its calendar and the instant; `wanted` are the
/// windows of which there is no snapshot. `counts` has a row for each of them, whose `components` are what a snapshot keeps.
/// Binds the formula, the instant, what `$from` wants and what `$asked` wants.
macro_rules! count {
    ($from:literal, $asked:expr, $only:expr) => {
        concat!(
            "WITH place AS MATERIALIZED (SELECT o.id, o.time_zone, o.cadence, o.late_window_days, \
                CASE WHEN o.cadence = 'monthly' THEN 2 ELSE 4 END AS span, {}::integer AS formula, {}::timestamptz AS at FROM ",
            $from,
            "), periods AS MATERIALIZED (SELECT p.* FROM place, \
                LATERAL score_periods(place.time_zone, place.cadence, place.at, 11 + place.span) p), \
             windows AS MATERIALIZED (SELECT p.n, p.key, p.last_day, p.ends_at, o.starts_at, \
                    date_trunc('week', (o.first_day + 6)::timestamp)::date AS first_monday \
                FROM place, periods p JOIN periods o ON true WHERE o.n = p.n + place.span - 1 AND p.n <= 12), \
             asked AS MATERIALIZED (SELECT t.* FROM teams t WHERE t.deleted_at IS NULL AND ",
            $asked,
            "), wanted AS MATERIALIZED (SELECT t.id AS team_id, w.n FROM asked t, windows w, place \
                WHERE t.created_at < w.ends_at AND NOT EXISTS (SELECT FROM score_snapshots s \
                    WHERE s.team_id = t.id AND s.week = w.key AND s.formula_version = place.formula)",
            $only,
            "), \
             present AS MATERIALIZED (SELECT DISTINCT x.team_id, x.n, s.membership_id, m.user_id FROM ( \
                    SELECT DISTINCT wanted.team_id, wanted.n + k AS n FROM wanted, place, generate_series(0, place.span - 1) k) x \
                JOIN periods p ON p.n = x.n \
                JOIN team_stints s ON s.team_id = x.team_id AND s.joined_at < p.ends_at \
                    AND (s.left_at IS NULL OR s.left_at > p.starts_at) \
                JOIN memberships m ON m.id = s.membership_id AND m.reporting_starts_on <= p.last_day), \
             earned AS MATERIALIZED (SELECT a.membership_id, p.n, max(CASE \
                    WHEN a.credited_at < a.due_at THEN 400 WHEN a.credited_at < p.ends_at THEN 200 \
                    ELSE (SELECT floor(coalesce(max(g.percent), 0)) - floor(coalesce(max(g.percent) \
                            FILTER (WHERE g.credited_from < p.starts_at), 0)) \
                        FROM progress_marks g WHERE g.assignment_id = a.id AND g.credited_from < p.ends_at) END)::bigint AS credits \
                FROM (SELECT DISTINCT membership_id FROM present) x \
                JOIN assignments a ON a.membership_id = x.membership_id AND a.state <> 'withdrawn' \
                JOIN periods p ON a.due_at <= p.ends_at \
                    AND (a.due_at > p.starts_at OR a.credited_at IS NULL OR a.credited_at >= p.starts_at) \
                WHERE p.n IN (SELECT n FROM present) GROUP BY a.membership_id, p.n), \
             weeks AS MATERIALIZED (SELECT x.team_id, x.n, sum(e.credits) AS credits, count(e.credits) AS expected \
                FROM present x JOIN earned e ON e.membership_id = x.membership_id AND e.n = x.n GROUP BY x.team_id, x.n), \
             members AS MATERIALIZED (SELECT y.team_id, y.n, count(*) AS eligible, \
                    count(*) FILTER (WHERE y.user_id IS NOT NULL AND EXISTS (SELECT FROM progress_marks g \
                        WHERE g.membership_id = y.membership_id AND g.credited_from >= w.starts_at AND g.credited_from < w.ends_at)) \
                        AS activated, \
                    count(*) FILTER (WHERE EXISTS (SELECT FROM champion_certifications c WHERE c.user_id = y.user_id \
                        AND c.date <= w.last_day AND c.expires_on >= w.last_day \
                        AND (c.revoked_at IS NULL OR c.revoked_at >= w.ends_at))) AS champions \
                FROM (SELECT DISTINCT wanted.team_id, wanted.n, x.membership_id, x.user_id FROM wanted, place, present x \
                    WHERE x.team_id = wanted.team_id AND x.n >= wanted.n AND x.n < wanted.n + place.span) y \
                JOIN windows w ON w.n = y.n GROUP BY y.team_id, y.n), \
             practised AS MATERIALIZED (SELECT wanted.team_id, wanted.n, count(DISTINCT date_trunc('week', r.occurred_on::timestamp)) AS weeks \
                FROM wanted JOIN windows w ON w.n = wanted.n JOIN refinements r ON r.team_id = wanted.team_id \
                    AND r.occurred_on BETWEEN w.first_monday AND w.first_monday + (w.last_day + 1 - w.first_monday) / 7 * 7 - 1 \
                GROUP BY wanted.team_id, wanted.n), \
             counts AS MATERIALIZED (SELECT wanted.team_id, w.key, jsonb_build_object( \
                    'credits', coalesce(sum(weeks.credits), 0), 'expected', coalesce(sum(weeks.expected), 0), \
                    'eligible', coalesce(max(members.eligible), 0), 'activated', coalesce(max(members.activated), 0), \
                    'weeks_practised', coalesce(max(practised.weeks), 0), \
                    'weeks', max((w.last_day + 1 - w.first_monday) / 7), \
                    'champions', coalesce(max(members.champions), 0)) AS components \
                FROM place CROSS JOIN wanted JOIN windows w ON w.n = wanted.n \
                LEFT JOIN members ON members.team_id = wanted.team_id AND members.n = wanted.n \
                LEFT JOIN practised ON practised.team_id = wanted.team_id AND practised.n = wanted.n \
                LEFT JOIN weeks ON weeks.team_id = wanted.team_id AND weeks.n >= wanted.n AND weeks.n < wanted.n + place.span \
                GROUP BY wanted.team_id, w.key)"
        )
    };
}

/// One row for each live team asked for, or one row of nulls; each with the organization's calendar, and the counts by the key
/// of their window. No row: no such organization or live team.
macro_rules! scores {
    ($from:literal, $asked:literal) => {
        concat!(
            count!($from, $asked, ""),
            ", known AS (SELECT team_id, key, components FROM counts UNION ALL \
                SELECT s.team_id, s.week, s.components FROM place, asked t JOIN score_snapshots s ON s.team_id = t.id \
                WHERE s.formula_version = place.formula AND s.week IN (SELECT key FROM windows)) \
             SELECT place.time_zone, place.cadence, ",
            team_columns!(),
            ", k.counts FROM place LEFT JOIN asked t ON true LEFT JOIN (SELECT team_id, \
                jsonb_object_agg(key, components)::text AS counts FROM known GROUP BY team_id) k ON k.team_id = t.id"
        )
    };
}

const OF_TEAM: &str = scores!(
    "teams t JOIN organizations o ON o.id = t.organization_id WHERE t.id = {} AND t.deleted_at IS NULL",
    "t.id = {}"
);

const OF_ORGANIZATION: &str = scores!("organizations o WHERE o.id = {}", "t.organization_id = {}");

/// What happens now, give or take a few minutes, may not be committed yet.
macro_rules! is_over {
    () => {
        " AND w.ends_at <= place.at - interval '15 minutes'"
    };
}

/// Teams that are counted at once: so many that it pays, so few that nobody waits for it.
const TEAMS_AT_ONCE: i64 = 200;

/// The counts that are not kept yet, of some teams of an organization, with when they become final.
const UNKEPT: &str = concat!(
    count!(
        "organizations o WHERE o.id = {}",
        concat!(
            "t.organization_id = {} AND EXISTS (SELECT FROM windows w, place WHERE t.created_at < w.ends_at",
            is_over!(),
            " AND NOT EXISTS (SELECT FROM score_snapshots s \
                WHERE s.team_id = t.id AND s.week = w.key AND s.formula_version = place.formula)) LIMIT {}"
        ),
        is_over!()
    ),
    " SELECT c.team_id, c.key, c.components, w.ends_at + make_interval(hours => 24 * place.late_window_days) \
      FROM place CROSS JOIN counts c JOIN windows w ON w.key = c.key ORDER BY c.team_id, c.key"
);

row! {
    struct ScoresRow, ScoresColumns {
        time_zone: String => Text,
        cadence: String => Text,
        team: Option<TeamRow> => Nullable<TeamColumns>,
        counts: Option<String> => Nullable<Text>,
    }
}

row! {
    struct UnkeptRow, UnkeptColumns {
        team_id: Uuid => SqlUuid,
        key: String => Text,
        components: Value => Jsonb,
        final_at: DateTime<Utc> => Timestamptz,
    }
}

/// What a snapshot keeps.
#[derive(Deserialize)]
struct CountsJson {
    credits: u64,
    expected: u32,
    eligible: u32,
    activated: u32,
    weeks_practised: u8,
    weeks: u8,
    champions: u32,
}

impl From<CountsJson> for ScoreInput {
    fn from(json: CountsJson) -> Self {
        Self {
            participation: Participation { credits: Credit(json.credits), expected: json.expected },
            eligible: json.eligible,
            activated: json.activated,
            weeks_practised: json.weeks_practised,
            weeks: json.weeks,
            champions: json.champions,
        }
    }
}

fn failed(error: serde_json::Error) -> StorageError {
    StorageError::Failed(Box::new(error))
}

impl ScoresRow {
    fn read(self) -> Result<Option<(Team, Counts)>, StorageError> {
        let Some(team) = self.team else { return Ok(None) };
        let counts: HashMap<String, CountsJson> = self
            .counts
            .map_or_else(|| Ok(HashMap::new()), |text| serde_json::from_str(&text))
            .map_err(failed)?;
        let counts = counts.into_iter().map(|(key, json)| (WeekKey::from_stored(key), json.into()));
        Ok(Some((team.into(), counts.collect())))
    }
}

/// Rows of [`scores!`].
fn read(rows: Vec<ScoresRow>) -> Result<Option<CountedTeams>, StorageError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let calendar = ScoreCalendar::from_stored(&first.cadence, &first.time_zone);
    let teams = rows.into_iter().filter_map(|row| row.read().transpose());
    Ok(Some((calendar, teams.collect::<Result<_, _>>()?)))
}

/// Counts some teams of an organization and keeps that. Gives how many counts were new.
fn keep_some(
    connection: &mut PgConnection,
    organization: Uuid,
    now: DateTime<Utc>,
) -> Result<usize, PgError<TeamError>> {
    // Waits for nobody: who changes what is counted now is waited for by the next round.
    let lock = statement("SELECT pg_try_advisory_xact_lock(hashtext('scores'), hashtext({}))")
        .bind::<Text, _>(organization.to_string());
    if !try_alone(connection, lock)? {
        return Ok(0);
    }
    let rows: Vec<UnkeptRow> = statement(UNKEPT)
        .bind::<Integer, _>(FORMULA_VERSION)
        .bind::<Timestamptz, _>(now)
        .bind::<SqlUuid, _>(organization)
        .bind::<SqlUuid, _>(organization)
        .bind::<BigInt, _>(TEAMS_AT_ONCE)
        .rows::<UnkeptColumns>()
        .load(connection)?;
    let mut snapshots = Vec::with_capacity(rows.len());
    for row in rows {
        let counts: CountsJson = serde_json::from_value(row.components.clone())
            .map_err(|error| PgError::Refused(failed(error).into()))?;
        let score = ScoreInput::from(counts).score();
        snapshots.push((
            score_snapshots::team_id.eq(row.team_id),
            score_snapshots::organization_id.eq(organization),
            score_snapshots::week.eq(row.key),
            score_snapshots::formula_version.eq(FORMULA_VERSION),
            score_snapshots::score.eq(score.score.map(i32::from)),
            score_snapshots::components.eq(row.components),
            score_snapshots::computed_at.eq(now),
            score_snapshots::final_at.eq(row.final_at),
        ));
    }
    Ok(diesel::insert_into(score_snapshots::table).values(snapshots).execute(connection)?)
}

impl PgTeams {
    /// Runs a statement of [`scores!`] for the team or the organization `id`.
    async fn count(
        &self,
        sql: &'static str,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<CountedTeams>, TeamError> {
        let rows = self.pg.read(move |connection| {
            let counted = statement(sql)
                .bind::<Integer, _>(FORMULA_VERSION)
                .bind::<Timestamptz, _>(now)
                .bind::<SqlUuid, _>(id)
                .bind::<SqlUuid, _>(id);
            Ok(counted.rows::<ScoresColumns>().load::<ScoresRow>(connection)?)
        });
        Ok(read(rows.await.map_err(PgError::<TeamError>::into_storage)?)?)
    }
}

#[async_trait]
impl ScoreRepository for PgTeams {
    async fn count_team(
        &self,
        team: TeamId,
        now: DateTime<Utc>,
    ) -> Result<Option<(ScoreCalendar, Team, Counts)>, TeamError> {
        let counted = self.count(OF_TEAM, team.uuid(), now).await?;
        let Some((calendar, teams)) = counted else { return Ok(None) };
        Ok(teams.into_iter().next().map(|(team, counts)| (calendar, team, counts)))
    }

    async fn count_organization(
        &self,
        organization: OrgId,
        now: DateTime<Utc>,
    ) -> Result<Option<CountedTeams>, TeamError> {
        self.count(OF_ORGANIZATION, organization.uuid(), now).await
    }

    async fn keep(&self, now: DateTime<Utc>) -> Result<usize, TeamError> {
        let all = self.pg.read(|connection| {
            let ids = organizations::table.select(organizations::id).order(organizations::id);
            Ok(ids.load::<Uuid>(connection)?)
        });
        let mut kept = 0;
        for organization in all.await.map_err(PgError::<TeamError>::into_storage)? {
            loop {
                let some = self.pg.write(move |connection| keep_some(connection, organization, now));
                match some.await.map_err(PgError::into_storage)? {
                    0 => break,
                    some => kept += some,
                }
            }
        }
        Ok(kept)
    }
}
