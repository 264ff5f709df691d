//! Contract tests of `ScoreRepository`: what SQL counts is what the domain says it is.

mod common;

use std::fmt::Write as _;

use adapter_postgres::PgTeams;
use adapter_postgres::testing::TestDatabase;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use domain_kernel::{OrgId, TeamId};
use domain_teams::ports::{Counts, ScoreRepository};
use domain_teams::score::{
    AssignmentHistory, LateWindow, MemberFacts, Period, PeriodKind, ProgressReport, ScoreCalendar,
    ScoreInput, ScoreWindow, Stint,
};
use uuid::Uuid;

use crate::common::{count, next_id};

const COURSE: &str = "00000000-0000-4000-8000-00000000c001";
const VERSION: &str = "00000000-0000-4000-8000-00000000c002";
const AUTHOR: &str = "00000000-0000-4000-8000-00000000c003";

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// By the clock of the database, which says what is final.
fn the_time(db: &TestDatabase) -> DateTime<Utc> {
    let rows = db.rows("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");
    instant(rows[0].trim_matches(['(', ')', '"']))
}

/// The same numbers in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).expect("31 bits") % n
    }

    fn one_in(&mut self, n: i64) -> bool {
        self.below(n) == 0
    }
}

/// A certification: its first and last day, and when it was revoked.
type Certification = (NaiveDate, NaiveDate, Option<DateTime<Utc>>);

struct Member {
    facts: MemberFacts,
    certification: Option<Certification>,
}

impl Member {
    fn in_window(&self, window: &ScoreWindow) -> MemberFacts {
        let champion = self.certification.is_some_and(|(date, expires_on, revoked_at)| {
            (date..=expires_on).contains(&window.to) && revoked_at.is_none_or(|at| at >= window.ends_at)
        });
        MemberFacts { champion, ..self.facts.clone() }
    }
}

struct Team {
    id: TeamId,
    members: Vec<Member>,
    refinements: Vec<NaiveDate>,
}

/// Writes down, in plain SQL, what the domain is told in Rust.
struct World {
    sql: String,
    organization: OrgId,
    calendar: ScoreCalendar,
    late_days: i32,
    now: DateTime<Utc>,
    dice: Dice,
}

impl World {
    fn new(cadence: &str, zone: Tz, late_days: i32, now: &str, seed: u64) -> Self {
        let organization = next_id();
        let mut world = Self {
            sql: String::new(),
            organization: OrgId::new(organization),
            calendar: ScoreCalendar::from_stored(cadence, zone.name()),
            late_days,
            now: instant(now),
            dice: Dice(seed),
        };
        world.add(&format!(
            "INSERT INTO organizations (id, name, s3_integrations_folder, time_zone, cadence, late_window_days, created_at, \
             updated_at) VALUES ('{organization}', 'North', 'f{organization}', '{zone}', '{cadence}', {late_days}, now(), now())"
        ));
        world
    }

    fn add(&mut self, sql: &str) {
        writeln!(self.sql, "{sql};").expect("text");
    }

    fn late(&self) -> LateWindow {
        LateWindow::of_days(self.late_days)
    }

    /// Some time in the last half of a year; often the very start of a period, where mistakes live.
    fn some_time(&mut self) -> DateTime<Utc> {
        if self.dice.one_in(4) {
            let back = usize::try_from(self.dice.below(10)).expect("a few");
            let period = Period::last_complete(self.calendar.kind, self.calendar.time_zone, self.now);
            return period.run_of(back + 1)[0].starts_at;
        }
        self.now - TimeDelta::minutes(self.dice.below(180 * 24 * 60))
    }

    fn stints(&mut self) -> Vec<Stint> {
        let (a, b) = (self.some_time(), self.some_time());
        let first = Stint { joined_at: a.min(b), left_at: Some(a.max(b)) };
        let again = Stint { joined_at: a.max(b) + TimeDelta::days(3), left_at: None };
        match self.dice.below(4) {
            0 => vec![first],
            1 => vec![first, again],
            _ => vec![Stint { left_at: None, ..first }],
        }
    }

    fn history(&mut self) -> AssignmentHistory {
        let due_at = (!self.dice.one_in(8)).then(|| self.some_time());
        let mut reports = vec![];
        for _ in 0..self.dice.below(5) {
            let effective_at = self.some_time();
            let delay = if self.dice.one_in(3) { self.dice.below(40 * 24) } else { 0 };
            reports.push(ProgressReport {
                effective_at,
                received_at: (effective_at + TimeDelta::hours(delay)).min(self.now),
                percent: u8::try_from(self.dice.below(101)).expect("a percentage"),
                completes: self.dice.one_in(3),
            });
        }
        AssignmentHistory { due_at, withdrawn: self.dice.one_in(8), reports }
    }

    fn member(&mut self, team: TeamId) -> Member {
        let (id, joined, organization) = (next_id(), !self.dice.one_in(5), self.organization);
        let user = joined.then(next_id);
        let reporting_starts_on = self.some_time().date_naive() - Days::new(60);
        if let Some(user) = user {
            self.add(&format!(
                "INSERT INTO users (id, username, provider, first_name, last_name, created_at, updated_at) \
                 VALUES ('{user}', 'u{user}', 'username', 'A', 'B', now(), now())"
            ));
        }
        let (owner, status) = user.map_or(("NULL".into(), "pending"), |user| (format!("'{user}'"), "active"));
        self.add(&format!(
            "INSERT INTO memberships (id, organization_id, user_id, first_name, last_name, status, first_seen_at, \
             reporting_starts_on, created_at, updated_at) VALUES ('{id}', '{organization}', {owner}, 'A', 'B', '{status}', \
             now(), '{reporting_starts_on}', now(), now())"
        ));
        let stints = self.stints();
        for stint in &stints {
            let left = stint.left_at.map_or("NULL".into(), |at| format!("'{at}'"));
            self.add(&format!(
                "INSERT INTO team_stints (team_id, membership_id, organization_id, joined_at, left_at) \
                 VALUES ('{team}', '{id}', '{organization}', '{}', {left})",
                stint.joined_at
            ));
        }
        let mut assignments = vec![];
        let mut certification = None;
        if let Some(user) = user {
            for _ in 0..self.dice.below(8) {
                let history = self.history();
                self.assignment(id, user, &history);
                assignments.push(history);
            }
            if self.dice.one_in(3) {
                let (a, b) = (self.some_time().date_naive(), self.some_time().date_naive());
                let revoked_at = self.dice.one_in(3).then(|| self.some_time());
                let revoked = revoked_at.map_or("NULL".into(), |at| format!("'{at}'"));
                self.add(&format!(
                    "INSERT INTO champion_certifications (id, user_id, date, expires_on, created_by, created_at, revoked_at) \
                     VALUES ('{}', '{user}', '{}', '{}', '{user}', now(), {revoked})",
                    next_id(), a.min(b), a.max(b)
                ));
                certification = Some((a.min(b), a.max(b), revoked_at));
            }
        }
        let facts = MemberFacts { stints, reporting_starts_on, joined, champion: false, assignments };
        Member { facts, certification }
    }

    fn assignment(&mut self, membership: Uuid, user: Uuid, history: &AssignmentHistory) {
        let (id, organization, late) = (next_id(), self.organization, self.late());
        let done = history.reports.iter().filter(|report| report.completes).map(|r| r.effective_at).min();
        let time = |at: Option<DateTime<Utc>>| at.map_or("NULL".into(), |at| format!("'{at}'"));
        let (state, completed_at) = match done {
            _ if history.withdrawn => ("withdrawn", None),
            Some(_) => ("completed", done),
            None => ("assigned", None),
        };
        let withdrawn = if history.withdrawn { "now()" } else { "NULL" };
        self.add(&format!(
            "INSERT INTO assignments (id, organization_id, membership_id, user_id, course_id, course_version_id, state, source, \
             assigned_at, due_at, completed_at, withdrawn_at, updated_at) VALUES ('{id}', '{organization}', '{membership}', \
             '{user}', '{COURSE}', '{VERSION}', '{state}', 'manual', '2020-01-01', {}, {}, {withdrawn}, now())",
            time(history.due_at), time(completed_at)
        ));
        for report in &history.reports {
            let kind = if report.completes { "complete" } else { "update_progress" };
            let credited_at = late.credited_at(report.effective_at, report.received_at);
            let key = format!("{:064x}", next_id().as_u128());
            self.add(&format!(
                "INSERT INTO progress_events (dedupe_key, client_at, organization_id, assignment_id, event_type, \
                 player_session_id, client_ms, effective_at, credited_at, received_at, percent, progress, stale) \
                 VALUES ('\\x{key}', '{}', '{organization}', '{id}', '{kind}', '{id}', 0, '{}', '{credited_at}', '{}', {}.4, \
                 '{{}}', false)",
                report.effective_at, report.effective_at, report.received_at, report.percent.min(99)
            ));
        }
    }

    fn team(&mut self, size: usize) -> Team {
        let (id, organization) = (TeamId::new(next_id()), self.organization);
        self.add(&format!(
            "INSERT INTO teams (id, organization_id, name, created_at, updated_at) \
             VALUES ('{id}', '{organization}', 'T{id}', '2020-01-01', now())"
        ));
        let members = (0..size).map(|_| self.member(id)).collect();
        let refinements: Vec<_> = (0..self.dice.below(12)).map(|_| self.some_time().date_naive()).collect();
        for day in &refinements {
            self.add(&format!(
                "INSERT INTO refinements (id, organization_id, team_id, data, occurred_on, created_by, created_at, updated_at) \
                 VALUES ('{}', '{organization}', '{id}', '{{}}', '{day}', '{AUTHOR}', now(), now())",
                next_id()
            ));
        }
        Team { id, members, refinements }
    }

    fn windows(&self) -> Vec<ScoreWindow> {
        ScoreWindow::before(self.calendar.kind, self.calendar.time_zone, self.now).trend()
    }

    fn expected(&self, team: &Team) -> Counts {
        let count = |window: ScoreWindow| {
            let members: Vec<_> = team.members.iter().map(|member| member.in_window(&window)).collect();
            (window.key.clone(), ScoreInput::of(&window, self.late(), &members, &team.refinements))
        };
        self.windows().into_iter().map(count).collect()
    }

    fn write(&mut self, db: &TestDatabase) {
        db.execute(&std::mem::take(&mut self.sql));
    }
}

fn a_database() -> (TestDatabase, PgTeams) {
    let db = TestDatabase::create();
    db.execute(&format!(
        "INSERT INTO users (id, username, provider, first_name, last_name, created_at, updated_at) \
         VALUES ('{AUTHOR}', 'author', 'username', 'A', 'B', now(), now()); \
         INSERT INTO courses (id, name, created_at, updated_at) VALUES ('{COURSE}', 'Lifting', now(), now()); \
         INSERT INTO course_versions (id, course_id, number, status, data, created_by, created_at, updated_at) \
         VALUES ('{VERSION}', '{COURSE}', 1, 'draft', '{{}}', '{AUTHOR}', now(), now())"
    ));
    let scores = PgTeams::new(db.pg());
    (db, scores)
}

fn sorted(counts: &Counts) -> Vec<(String, ScoreInput)> {
    let mut rows: Vec<_> = counts.iter().map(|(key, input)| (key.to_string(), *input)).collect();
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    rows
}

/// Weekly and monthly ones; zones with and without daylight saving, on its change, and where midnight comes twice.
fn worlds() -> Vec<World> {
    vec![
        World::new("weekly", Tz::UTC, 14, "2026-02-04T08:00:00Z", 1),
        World::new("self_paced", Tz::America__Chicago, 0, "2026-03-11T05:00:00Z", 2),
        World::new("weekly", Tz::Europe__Amsterdam, 7, "2025-11-03T00:30:00Z", 3),
        World::new("monthly", Tz::Asia__Kathmandu, 14, "2026-02-01T00:00:00Z", 4),
        World::new("monthly", Tz::America__Havana, 30, "2026-04-20T12:00:00Z", 5),
        World::new("weekly", Tz::Australia__Lord_Howe, 14, "2026-04-12T14:00:00Z", 6),
    ]
}

#[tokio::test]
async fn what_is_counted_is_what_the_domain_says() {
    let (db, scores) = a_database();
    let mut credits = 0;
    for mut world in worlds() {
        let teams: Vec<_> = [0, 1, 6, 25].map(|size| world.team(size)).into();
        world.write(&db);
        let counted = scores.count_organization(world.organization, world.now).await.expect("counts");
        let (calendar, mut all) = counted.expect("an organization");
        assert_eq!(calendar, world.calendar);
        assert_eq!(all.len(), teams.len());
        for team in &teams {
            let expected = world.expected(team);
            let counted = scores.count_team(team.id, world.now).await.expect("counts");
            let (calendar, read, counts) = counted.expect("a team");
            assert_eq!((calendar, read.id), (world.calendar, team.id));
            assert_eq!(sorted(&counts), sorted(&expected), "{calendar:?}");
            let at = all.iter().position(|(row, _)| row.id == team.id).expect("it is listed");
            assert_eq!(sorted(&all.swap_remove(at).1), sorted(&expected));
            credits += expected.values().map(|input| input.participation.credits.0).sum::<u64>();
        }
    }
    assert!(credits > 10_000, "there was something to count: {credits}");
}

#[tokio::test]
async fn what_is_counted_is_kept_and_stays_for_good_once_it_is_final() {
    let (db, scores) = a_database();
    let mut world = World::new("weekly", Tz::America__Chicago, 14, "2026-02-04T08:00:00Z", 9);
    let team = world.team(12);
    let new_team = world.team(3);
    world.write(&db);
    db.execute(&format!("UPDATE teams SET created_at = '2026-01-21' WHERE id = '{}'", new_team.id));
    let expected = world.expected(&team);
    // Twelve of the one, and of the other those that end on 25 January and 1 February.
    let (one, two) = tokio::join!(scores.keep(world.now), scores.keep(world.now));
    assert_eq!(one.expect("kept") + two.expect("kept"), 14);
    assert_eq!(scores.keep(world.now).await.expect("nothing new"), 0);
    let kept = db.rows(&format!(
        "SELECT week || ' ' || coalesce(score::text, '-') || ' ' || (final_at AT TIME ZONE 'UTC') FROM score_snapshots \
         WHERE team_id = '{}' ORDER BY week",
        team.id
    ));
    let windows = world.windows();
    let said: Vec<_> = sorted(&expected)
        .iter()
        .zip(&windows)
        .map(|((key, input), window)| {
            let score = input.score().score.map_or("-".into(), |score| score.to_string());
            let final_at = world.late().closes_at(window.periods.last().expect("periods"));
            format!("(\"{key} {score} {}\")", final_at.format("%Y-%m-%d %H:%M:%S"))
        })
        .collect();
    assert_eq!(kept, said);

    // All of that is long ago: whatever happens later.
    db.execute(
        "DELETE FROM team_stints; DELETE FROM refinements; UPDATE organizations SET late_window_days = 3",
    );
    let (_, _, counts) = scores.count_team(team.id, world.now).await.expect("counts").expect("a team");
    assert_eq!(sorted(&counts), sorted(&expected));
    for sql in ["UPDATE score_snapshots SET score = 100", "DELETE FROM score_snapshots"] {
        let refused = db.try_execute(sql).expect_err("final");
        assert!(refused.contains("never change"), "{refused}");
    }

    // A week later one more is, of both teams.
    assert_eq!(scores.keep(world.now + TimeDelta::days(7)).await.expect("kept"), 2);
    assert_eq!(count(&db, "score_snapshots"), 16);
}

#[tokio::test]
async fn what_has_just_ended_is_counted_for_who_asks_and_not_kept() {
    let (db, scores) = a_database();
    let mut world = World::new("weekly", Tz::UTC, 14, "2026-02-02T00:10:00Z", 9);
    let team = world.team(5);
    world.write(&db);
    assert_eq!(scores.keep(world.now).await.expect("kept"), 11);
    let (_, _, counts) = scores.count_team(team.id, world.now).await.expect("counts").expect("a team");
    assert_eq!(sorted(&counts), sorted(&world.expected(&team)));
    assert_eq!(scores.keep(world.now + TimeDelta::minutes(5)).await.expect("kept"), 1);
}

#[tokio::test]
async fn what_is_kept_is_forgotten_when_something_of_the_past_changes() {
    let (db, scores) = a_database();
    let now = the_time(&db);
    let mut world = World::new("weekly", Tz::UTC, 14, &now.to_rfc3339(), 9);
    let team = world.team(12);
    let other = world.team(4);
    world.write(&db);
    let open =
        |team: TeamId| count(&db, &format!("score_snapshots WHERE final_at > now() AND team_id = '{team}'"));
    let event = |at: &str| {
        format!(
            "INSERT INTO progress_events (dedupe_key, client_at, organization_id, assignment_id, event_type, player_session_id, \
             client_ms, effective_at, credited_at, received_at, percent, progress, stale) SELECT sha256(random()::text::bytea), now(), \
             organization_id, id, 'update_progress', id, 0, {at}, {at}, now(), 3, '{{}}', false FROM assignments \
             WHERE membership_id IN (SELECT membership_id FROM team_stints WHERE team_id = '{}') LIMIT 1",
            team.id
        )
    };
    let of_team = format!(
        "membership_id = (SELECT membership_id FROM team_stints WHERE team_id = '{}' LIMIT 1)",
        team.id
    );
    let of_learner = format!(
        "id = (SELECT a.id FROM assignments a JOIN team_stints s ON s.membership_id = a.membership_id \
         WHERE s.team_id = '{}' AND a.due_at < now() AND a.state <> 'withdrawn' LIMIT 1)",
        team.id
    );
    for (change, forgets) in [
        (event("now()"), false),
        (event("(now() - interval '1 day')"), true),
        (
            format!(
                "INSERT INTO refinements (id, organization_id, team_id, data, occurred_on, created_by, created_at, updated_at) \
                 VALUES ('{}', '{}', '{}', '{{}}', current_date - 8, '{AUTHOR}', now(), now())",
                next_id(),
                world.organization,
                team.id
            ),
            true,
        ),
        (format!("UPDATE refinements SET occurred_on = occurred_on - 7 WHERE team_id = '{}'", team.id), true),
        (format!("UPDATE team_stints SET left_at = now() WHERE left_at IS NULL AND {of_team}"), false),
        (format!("UPDATE team_stints SET left_at = now() - interval '20 days' WHERE {of_team}"), true),
        (
            format!(
                "INSERT INTO team_stints SELECT '{}', id, organization_id, now() FROM memberships LIMIT 1",
                team.id
            ),
            false,
        ),
        (
            format!(
                "INSERT INTO team_stints SELECT '{}', id, organization_id, now() - interval '9 days' FROM memberships LIMIT 1",
                team.id
            ),
            true,
        ),
        (
            format!(
                "UPDATE memberships SET reporting_starts_on = current_date - 9 \
                 WHERE id = (SELECT membership_id FROM team_stints WHERE team_id = '{}' LIMIT 1)",
                team.id
            ),
            true,
        ),
        (format!("UPDATE assignments SET percent = 4 WHERE {of_learner}"), false),
        (format!("UPDATE assignments SET due_at = due_at - interval '1 day' WHERE {of_learner}"), true),
        (
            format!(
                "UPDATE assignments SET state = 'withdrawn', completed_at = NULL, withdrawn_at = now() WHERE {of_learner}"
            ),
            true,
        ),
        (
            format!(
                "INSERT INTO champion_certifications (id, user_id, date, expires_on, created_by, created_at) \
                 SELECT '{}', m.user_id, current_date - 300, current_date + 65, m.user_id, now() FROM memberships m \
                 JOIN team_stints s ON s.membership_id = m.id WHERE s.team_id = '{}' AND m.user_id IS NOT NULL LIMIT 1",
                next_id(),
                team.id
            ),
            true,
        ),
        ("UPDATE champion_certifications SET revoked_at = now() - interval '10 days'".into(), true),
        ("UPDATE organizations SET name = 'South'".into(), false),
        ("UPDATE organizations SET cadence = 'monthly'".into(), true),
    ] {
        scores.keep(now).await.expect("kept");
        let all = open(team.id);
        assert!(all > 0, "{change}");
        db.execute(&change);
        assert_eq!(open(team.id), if forgets { 0 } else { all }, "{change}");
        if change.contains("INTO refinements") {
            assert_eq!(open(other.id), all, "the other team is left alone");
        }
        let counted = scores.count_team(team.id, now).await.expect("counts").expect("a team").2;
        scores.keep(now).await.expect("kept");
        let kept = scores.count_team(team.id, now).await.expect("counts").expect("a team").2;
        assert_eq!(sorted(&kept), sorted(&counted), "{change}");
    }
}

#[tokio::test]
async fn nothing_is_kept_while_somebody_changes_the_past() {
    let (db, scores) = a_database();
    let mut world = World::new("weekly", Tz::UTC, 14, &the_time(&db).to_rfc3339(), 9);
    let team = world.team(5);
    world.write(&db);
    let change = common::Lock::take(
        &db,
        &format!("UPDATE refinements SET occurred_on = occurred_on - 7 WHERE team_id = '{}'", team.id),
    );
    assert_eq!(scores.keep(world.now).await.expect("later"), 0);
    change.release();
    assert!(scores.keep(world.now).await.expect("kept") > 0);
}

#[tokio::test]
async fn deleted_and_unknown_teams_and_organizations_have_no_score() {
    let (db, scores) = a_database();
    let mut world = World::new("weekly", Tz::UTC, 14, "2026-02-04T08:00:00Z", 1);
    let team = world.team(3);
    world.write(&db);
    db.execute("UPDATE teams SET deleted_at = now()");
    assert!(scores.count_team(team.id, world.now).await.expect("reads").is_none());
    let (_, teams) =
        scores.count_organization(world.organization, world.now).await.expect("reads").expect("it is there");
    assert!(teams.is_empty());
    assert!(scores.count_team(TeamId::new(next_id()), world.now).await.expect("reads").is_none());
    assert!(scores.count_organization(OrgId::new(next_id()), world.now).await.expect("reads").is_none());
    assert_eq!(scores.keep(world.now).await.expect("nothing"), 0);
}

#[tokio::test]
async fn sql_and_the_domain_have_the_same_calendar() {
    let db = TestDatabase::create();
    let mut asked = String::new();
    let mut expected = vec![];
    // Zones that do odd things at midnight, at odd times.
    let zones = [
        Tz::America__Havana,
        Tz::America__Sao_Paulo,
        Tz::Asia__Beirut,
        Tz::Africa__Cairo,
        Tz::America__Asuncion,
        Tz::Asia__Tehran,
        Tz::Atlantic__Azores,
        Tz::America__Santiago,
        Tz::Pacific__Apia,
        Tz::Australia__Lord_Howe,
        Tz::Asia__Kathmandu,
        Tz::Asia__Amman,
        Tz::America__Chicago,
        Tz::Europe__Amsterdam,
    ];
    for zone in zones {
        for (kind, cadence) in [(PeriodKind::Week, "weekly"), (PeriodKind::Month, "monthly")] {
            for month in 0..25 {
                let now = instant("2011-12-30T22:45:00Z") + TimeDelta::hours(month * 30 * 24 * 7 + month * 5);
                let last = Period::last_complete(kind, zone, now);
                let mut periods = last.run_of(6);
                periods.reverse();
                for (n, period) in periods.iter().enumerate() {
                    expected.push(format!(
                        "{zone} {} {} {} {} {} {}",
                        n + 1,
                        period.key(),
                        period.first,
                        period.last,
                        period.starts_at.timestamp(),
                        period.ends_at.timestamp()
                    ));
                }
                let union = if asked.is_empty() { "" } else { " UNION ALL " };
                write!(
                    asked,
                    "{union}SELECT {} AS place, '{zone}' AS zone, p.* FROM score_periods('{zone}', '{cadence}', '{now}', 6) p",
                    expected.len()
                )
                .expect("text");
            }
        }
    }
    let rows = db.rows(&format!(
        "SELECT concat_ws(' ', zone, n, key, first_day, last_day, extract(epoch FROM starts_at)::bigint, \
         extract(epoch FROM ends_at)::bigint) FROM ({asked}) rows ORDER BY place, n"
    ));
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(&expected) {
        assert_eq!(row, &format!("(\"{expected}\")"));
    }
}
