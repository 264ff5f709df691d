use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use domain_courses::ports::{AssignmentRepository, FoundLesson, Recorded, Standing};
use domain_courses::{
    Assignment, AssignmentSource, AssignmentState, Cadence, Calendar, CatalogCourse, CategoryName,
    ClientTime, CourseError, CourseList, EventStamp, JobTitleKey, JoinedTeam, Learner, LearnerCourse,
    PastAssignment, Percent, PoolOverride, ProgressData, ProgressEvent, ProgressHash, PublishedVersion,
    Situation, TrainingCategory, VersionContent, VersionData,
};
use domain_kernel::{
    AssignmentId, CourseId, CourseVersionId, MembershipId, OrgId, Refusal, StorageError, TeamId,
    TrainingCategoryId, UserId,
};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::Pg;
use crate::courses::{CourseColumns, CourseRow, course_columns};
use crate::error::{PgError, unreadable};
use crate::schema::{assignments, memberships};
use crate::sql::{row, statement};

/// Assignments and progress in PostgreSQL.
#[derive(Clone)]
pub struct PgAssignments {
    pg: Pg,
}

impl PgAssignments {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }
}

type Outcome<T> = Result<T, PgError<CourseError>>;

/// The columns of [`AssignmentRow`], of an assignment `a`.
macro_rules! assignment_columns {
    () => {
        "a.id, a.organization_id, a.membership_id, a.user_id, a.course_id, a.course_version_id, a.state, a.source, \
         a.percent, a.progress, a.progress_effective_at, a.progress_client_ms, a.progress_hash, a.assigned_at, a.due_at, \
         a.started_at, a.completed_at, a.last_event_at, a.withdrawn_at"
    };
}

row! {
    struct AssignmentRow, AssignmentColumns {
        id: Uuid => SqlUuid,
        organization_id: Uuid => SqlUuid,
        membership_id: Uuid => SqlUuid,
        user_id: Uuid => SqlUuid,
        course_id: Uuid => SqlUuid,
        course_version_id: Uuid => SqlUuid,
        state: String => Text,
        source: String => Text,
        percent: f64 => Double,
        progress: Value => Jsonb,
        progress_effective_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        progress_client_ms: Option<i64> => Nullable<BigInt>,
        progress_hash: Option<Vec<u8>> => Nullable<Bytea>,
        assigned_at: DateTime<Utc> => Timestamptz,
        due_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        started_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        completed_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        last_event_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        withdrawn_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
    }
}

fn object(value: Value, rule: &'static str) -> Result<serde_json::Map<String, Value>, StorageError> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(unreadable("assignments", rule)),
    }
}

fn state(text: &str) -> Result<AssignmentState, StorageError> {
    AssignmentState::parse(text).ok_or_else(|| unreadable("assignments", "known state"))
}

fn source(text: &str) -> Result<AssignmentSource, StorageError> {
    AssignmentSource::parse(text).ok_or_else(|| unreadable("assignments", "known source"))
}

impl AssignmentRow {
    fn read(self) -> Result<Assignment, StorageError> {
        let hash = match self.progress_hash {
            Some(bytes) => Some(bytes.try_into().map_err(|_| unreadable("assignments", "hash of 32 bytes"))?),
            None => None,
        };
        let stamp = (self.progress_effective_at, self.progress_client_ms, hash);
        let progress_stamp = match stamp {
            (Some(effective_at), Some(ms), Some(hash)) => Some(EventStamp {
                effective_at,
                client_time: ClientTime::from_stored(ms),
                hash: ProgressHash::new(hash),
            }),
            _ => None,
        };
        Ok(Assignment {
            id: AssignmentId::new(self.id),
            organization: OrgId::new(self.organization_id),
            membership: MembershipId::new(self.membership_id),
            user: UserId::new(self.user_id),
            course: CourseId::new(self.course_id),
            version: CourseVersionId::new(self.course_version_id),
            state: state(&self.state)?,
            source: source(&self.source)?,
            percent: Percent::from_stored(self.percent),
            progress: ProgressData::from_stored(object(self.progress, "progress is an object")?),
            progress_stamp,
            assigned_at: self.assigned_at,
            due_at: self.due_at,
            started_at: self.started_at,
            completed_at: self.completed_at,
            last_event_at: self.last_event_at,
            withdrawn_at: self.withdrawn_at,
        })
    }
}

row! {
    struct VersionRow, VersionColumns {
        id: Uuid => SqlUuid,
        number: i32 => Integer,
        data: Value => Jsonb,
    }
}

impl VersionRow {
    fn read(self) -> Result<VersionContent, StorageError> {
        Ok(VersionContent {
            id: CourseVersionId::new(self.id),
            number: self.number,
            data: VersionData::from_stored(object(self.data, "data is an object")?),
        })
    }
}

row! {
    struct LessonRow, LessonColumns {
        course: CourseRow => CourseColumns,
        version: Option<VersionRow> => Nullable<VersionColumns>,
        assignment: Option<AssignmentRow> => Nullable<AssignmentColumns>,
    }
}

impl LessonRow {
    fn read(self) -> Result<LearnerCourse, StorageError> {
        Ok(LearnerCourse {
            course: self.course.into(),
            version: self.version.map(VersionRow::read).transpose()?,
            assignment: self.assignment.map(AssignmentRow::read).transpose()?,
        })
    }
}

/// The oldest open assignment of a membership `m` with its course and version, as [`LessonRow`].
macro_rules! open_lesson {
    () => {
        concat!(
            "SELECT ",
            course_columns!(),
            ", v.id AS version_id, v.number, v.data, ",
            assignment_columns!(),
            " FROM assignments a JOIN courses c ON c.id = a.course_id JOIN course_versions v ON v.id = a.course_version_id \
             WHERE a.membership_id = m.id AND a.state IN ('assigned', 'in_progress') ORDER BY a.assigned_at, a.id LIMIT 1"
        )
    };
}

/// What the choice of the next course of a membership `m` of the organization `o` depends on, as [`SituationJson`]: its
/// category, the lists of its teams, and the courses that are named there or are basics.
macro_rules! situation {
    () => {
        "(SELECT json_build_object( \
            'cadence', o.cadence, 'time_zone', o.time_zone, 'recycle_after_days', o.recycle_after_days, \
            'category', (SELECT json_build_object('id', t.id, 'name', t.name, 'course_ids', (SELECT \
                coalesce(json_agg(cc.course_id ORDER BY cc.position), '[]') FROM category_courses cc WHERE cc.category_id = t.id)) \
                FROM training_categories t WHERE t.id = category.id), \
            'overrides', (SELECT coalesce(json_agg(json_build_object('team_id', p.team_id, 'course_ids', p.course_ids)), '[]') \
                FROM course_pool_overrides p JOIN team_memberships x ON x.team_id = p.team_id \
                WHERE x.membership_id = m.id AND p.training_category_id = category.id), \
            'teams', (SELECT coalesce(json_agg(json_build_object('id', t.id, 'joined_at', x.joined_at)), '[]') \
                FROM team_memberships x JOIN teams t ON t.id = x.team_id WHERE x.membership_id = m.id AND t.deleted_at IS NULL), \
            'assignments', (SELECT coalesce(json_agg(json_build_object('id', a.id, 'course_id', a.course_id, \
                'version_id', a.course_version_id, 'state', a.state, 'source', a.source, 'assigned_at', a.assigned_at, \
                'completed_at', a.completed_at)), '[]') FROM assignments a WHERE a.membership_id = m.id), \
            'courses', (SELECT coalesce(json_agg(json_build_object('id', c.id, 'basics', c.basics, 'position', c.position, \
                'archived', c.archived_at IS NOT NULL, 'version_id', v.id, 'published_at', v.published_at)), '[]') \
                FROM courses c LEFT JOIN course_versions v ON v.course_id = c.id AND v.status = 'published' \
                WHERE (c.organization_id IS NULL OR c.organization_id = o.id) AND (c.basics \
                    OR c.id IN (SELECT cc.course_id FROM category_courses cc WHERE cc.category_id = category.id) \
                    OR c.id IN (SELECT unnest(p.course_ids) FROM course_pool_overrides p \
                        JOIN team_memberships x ON x.team_id = p.team_id \
                        WHERE x.membership_id = m.id AND p.training_category_id = category.id)))) \
         FROM (SELECT coalesce( \
            (SELECT j.category_id FROM category_job_titles j \
                WHERE j.organization_id = o.id AND j.job_title_key = m.job_title_key), \
            (SELECT t.id FROM training_categories t WHERE t.organization_id = o.id AND t.is_default)) AS id) category)"
    };
}

/// With an open assignment nothing else decides, so nothing else is read.
const STANDING: &str = concat!(
    "SELECT m.organization_id, m.user_id, o.cadence, o.time_zone, o.recycle_after_days, \
     CASE WHEN lesson.id IS NULL THEN ",
    situation!(),
    "::text END, lesson.* FROM memberships m JOIN organizations o ON o.id = m.organization_id LEFT JOIN LATERAL (",
    open_lesson!(),
    ") lesson ON true WHERE m.id = {} AND m.status = 'active'"
);

row! {
    struct StandingRow, StandingColumns {
        organization_id: Uuid => SqlUuid,
        user_id: Uuid => SqlUuid,
        cadence: String => Text,
        time_zone: String => Text,
        recycle_after_days: i32 => Integer,
        situation: Option<String> => Nullable<Text>,
        open: Option<LessonRow> => Nullable<LessonColumns>,
    }
}

#[derive(Deserialize)]
struct SituationJson {
    cadence: String,
    time_zone: String,
    recycle_after_days: i32,
    category: Option<CategoryJson>,
    overrides: Vec<OverrideJson>,
    teams: Vec<TeamJson>,
    assignments: Vec<PastJson>,
    courses: Vec<CatalogJson>,
}

#[derive(Deserialize)]
struct CategoryJson {
    id: Uuid,
    name: String,
    course_ids: Vec<Uuid>,
}

#[derive(Deserialize)]
struct OverrideJson {
    team_id: Uuid,
    course_ids: Vec<Uuid>,
}

#[derive(Deserialize)]
struct TeamJson {
    id: Uuid,
    joined_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct PastJson {
    id: Uuid,
    course_id: Uuid,
    version_id: Uuid,
    state: String,
    source: String,
    assigned_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct CatalogJson {
    id: Uuid,
    basics: bool,
    position: i32,
    archived: bool,
    version_id: Option<Uuid>,
    published_at: Option<DateTime<Utc>>,
}

fn courses(ids: Vec<Uuid>) -> CourseList {
    CourseList::from_stored(ids.into_iter().map(CourseId::new).collect())
}

fn calendar(cadence: &str, time_zone: &str) -> Result<Calendar, StorageError> {
    Ok(Calendar {
        cadence: Cadence::parse(cadence).ok_or_else(|| unreadable("organizations", "known cadence"))?,
        time_zone: time_zone.parse().map_err(|_| unreadable("organizations", "known time zone"))?,
    })
}

impl SituationJson {
    fn read(self, organization: OrgId, now: DateTime<Utc>) -> Result<Situation, StorageError> {
        let past = |json: PastJson| {
            Ok(PastAssignment {
                id: AssignmentId::new(json.id),
                course: CourseId::new(json.course_id),
                version: CourseVersionId::new(json.version_id),
                state: state(&json.state)?,
                source: source(&json.source)?,
                assigned_at: json.assigned_at,
                completed_at: json.completed_at,
            })
        };
        let category = self.category.as_ref().map(|category| TrainingCategoryId::new(category.id));
        let overrides = self.overrides.into_iter().filter_map(|own| {
            Some(PoolOverride {
                team: TeamId::new(own.team_id),
                category: category?,
                courses: courses(own.course_ids),
            })
        });
        let catalog = self.courses.into_iter().map(|course| CatalogCourse {
            id: CourseId::new(course.id),
            basics: course.basics,
            position: course.position,
            archived: course.archived,
            published: course
                .version_id
                .zip(course.published_at)
                .map(|(id, published_at)| PublishedVersion { id: CourseVersionId::new(id), published_at }),
        });
        // The statement has chosen the category already, by the member's job title or else the default one.
        let categories = self.category.map(|category| TrainingCategory {
            id: TrainingCategoryId::new(category.id),
            organization,
            name: CategoryName::from_stored(category.name),
            job_titles: Vec::new(),
            courses: courses(category.course_ids),
            is_default: true,
            created_at: now,
            updated_at: now,
        });
        Ok(Situation {
            active: true,
            job_title: None::<JobTitleKey>,
            teams: self
                .teams
                .into_iter()
                .map(|team| JoinedTeam { team: TeamId::new(team.id), joined_at: team.joined_at })
                .collect(),
            assignments: self.assignments.into_iter().map(past).collect::<Result<_, StorageError>>()?,
            courses: catalog.collect(),
            categories: categories.into_iter().collect(),
            overrides: overrides.collect(),
            calendar: calendar(&self.cadence, &self.time_zone)?,
            recycle_after_days: self.recycle_after_days,
            now,
        })
    }
}

fn from_json<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, StorageError> {
    serde_json::from_str(text).map_err(|error| StorageError::Failed(Box::new(error)))
}

impl StandingRow {
    fn read(self, membership: MembershipId, now: DateTime<Utc>) -> Result<Standing, StorageError> {
        let organization = OrgId::new(self.organization_id);
        let open = self.open.map(LessonRow::read).transpose()?;
        let situation = match &self.situation {
            Some(json) => from_json::<SituationJson>(json)?.read(organization, now)?,
            None => Situation {
                active: true,
                job_title: None,
                teams: Vec::new(),
                assignments: open
                    .iter()
                    .filter_map(|lesson| lesson.assignment.as_ref())
                    .map(PastAssignment::from)
                    .collect(),
                courses: Vec::new(),
                categories: Vec::new(),
                overrides: Vec::new(),
                calendar: calendar(&self.cadence, &self.time_zone)?,
                recycle_after_days: self.recycle_after_days,
                now,
            },
        };
        let learner = Learner { organization, membership, user: UserId::new(self.user_id) };
        Ok(Standing { learner, situation, open })
    }
}

const OPEN_LESSON: &str = concat!(
    "SELECT lesson.* FROM memberships m CROSS JOIN LATERAL (",
    open_lesson!(),
    ") lesson WHERE m.id = {}"
);

/// The newest own assignment decides the version, else the published one; without an assignment the standing of the
/// memberships comes along, which tells whether the course is in their pool.
const LESSON: &str = concat!(
    "SELECT CASE WHEN a.id IS NULL THEN (SELECT json_agg(json_build_object('organization_id', o.id, 'situation', ",
    situation!(),
    ")) FROM memberships m JOIN organizations o ON o.id = m.organization_id \
        WHERE m.id = ANY({}) AND m.status = 'active')::text END, ",
    course_columns!(),
    ", v.id, v.number, v.data, ",
    assignment_columns!(),
    " FROM courses c LEFT JOIN LATERAL (SELECT * FROM assignments a WHERE a.user_id = {} AND a.course_id = c.id \
        ORDER BY a.assigned_at DESC, a.id DESC LIMIT 1) a ON true \
     LEFT JOIN course_versions v ON v.course_id = c.id \
        AND CASE WHEN a.id IS NULL THEN v.status = 'published' ELSE v.id = a.course_version_id END \
     WHERE c.id = {}"
);

row! {
    struct FoundRow, FoundColumns {
        situations: Option<String> => Nullable<Text>,
        lesson: LessonRow => LessonColumns,
    }
}

#[derive(Deserialize)]
struct OwnedSituation {
    organization_id: Uuid,
    situation: SituationJson,
}

/// The assignments that events of these courses belong to, locked, each with the late window of its organization.
const TOUCHED: &str = concat!(
    "SELECT o.late_window_days, ",
    assignment_columns!(),
    " FROM assignments a JOIN organizations o ON o.id = a.organization_id WHERE a.id IN (SELECT DISTINCT ON (course_id) id \
        FROM assignments WHERE user_id = {} AND course_id = ANY({}) \
        ORDER BY course_id, state IN ('assigned', 'in_progress') DESC, assigned_at DESC, id DESC) \
     ORDER BY a.id FOR UPDATE OF a"
);

row! {
    struct TouchedRow, TouchedColumns {
        late_window_days: i32 => Integer,
        assignment: AssignmentRow => AssignmentColumns,
    }
}

const ADD_EVENTS: &str = "INSERT INTO progress_events (dedupe_key, client_at, organization_id, assignment_id, event_type, \
     player_session_id, client_ms, effective_at, credited_at, received_at, percent, progress, stale) \
     SELECT * FROM unnest({}::bytea[], {}::timestamptz[], {}::uuid[], {}::uuid[], {}::text[], {}::uuid[], {}::bigint[], \
        {}::timestamptz[], {}::timestamptz[], {}::timestamptz[], {}::double precision[], {}::jsonb[], {}::boolean[]) \
     ON CONFLICT DO NOTHING RETURNING dedupe_key";

row! {
    struct KeyRow, KeyColumns {
        dedupe_key: Vec<u8> => Bytea,
    }
}

/// The columns of new events, one list each: so many rows, one statement.
#[derive(Default)]
struct NewEvents {
    keys: Vec<Vec<u8>>,
    client_at: Vec<DateTime<Utc>>,
    organizations: Vec<Uuid>,
    assignments: Vec<Uuid>,
    types: Vec<&'static str>,
    sessions: Vec<Uuid>,
    client_ms: Vec<i64>,
    effective_at: Vec<DateTime<Utc>>,
    credited_at: Vec<DateTime<Utc>>,
    received_at: Vec<DateTime<Utc>>,
    percents: Vec<Option<f64>>,
    progress: Vec<Value>,
    stale: Vec<bool>,
}

impl NewEvents {
    fn push(
        &mut self,
        event: &ProgressEvent,
        assignment: &mut Assignment,
        late_window_days: i32,
        at: DateTime<Utc>,
    ) {
        let credited_at = assignment.credited_at(event, at, late_window_days);
        let absorbed = assignment.absorb(event, at);
        self.keys.push(event.dedupe_key(assignment.id).as_bytes().to_vec());
        self.client_at.push(event.client_time.instant());
        self.organizations.push(assignment.organization.uuid());
        self.assignments.push(assignment.id.uuid());
        self.types.push(event.event_type.as_str());
        self.sessions.push(event.player_session.uuid());
        self.client_ms.push(event.client_time.ms());
        self.effective_at.push(absorbed.effective_at);
        self.credited_at.push(credited_at);
        self.received_at.push(at);
        self.percents.push(event.percent().map(Percent::value));
        self.progress.push(event.progress.clone().into_value());
        self.stale.push(absorbed.stale);
    }

    /// Adds those that are not known yet; gives their keys.
    fn insert(self, connection: &mut PgConnection) -> diesel::QueryResult<BTreeSet<Vec<u8>>> {
        let rows: Vec<KeyRow> = statement(ADD_EVENTS)
            .bind::<Array<Bytea>, _>(self.keys)
            .bind::<Array<Timestamptz>, _>(self.client_at)
            .bind::<Array<SqlUuid>, _>(self.organizations)
            .bind::<Array<SqlUuid>, _>(self.assignments)
            .bind::<Array<Text>, _>(self.types)
            .bind::<Array<SqlUuid>, _>(self.sessions)
            .bind::<Array<BigInt>, _>(self.client_ms)
            .bind::<Array<Timestamptz>, _>(self.effective_at)
            .bind::<Array<Timestamptz>, _>(self.credited_at)
            .bind::<Array<Timestamptz>, _>(self.received_at)
            .bind::<Array<Nullable<Double>>, _>(self.percents)
            .bind::<Array<Jsonb>, _>(self.progress)
            .bind::<Array<Bool>, _>(self.stale)
            .rows::<KeyColumns>()
            .load(connection)?;
        Ok(rows.into_iter().map(|row| row.dedupe_key).collect())
    }
}

/// What events change of assignments; the rest of them stays.
fn save(
    connection: &mut PgConnection,
    changed: &[&Assignment],
    at: DateTime<Utc>,
) -> diesel::QueryResult<()> {
    let stamp = |assignment: &Assignment| assignment.progress_stamp;
    statement(
        "UPDATE assignments a SET state = n.state, percent = n.percent, progress = n.progress, \
            progress_effective_at = n.stamp_at, progress_client_ms = n.stamp_ms, progress_hash = n.stamp_hash, \
            started_at = n.started_at, completed_at = n.completed_at, last_event_at = n.last_event_at, updated_at = {} \
         FROM unnest({}::uuid[], {}::text[], {}::double precision[], {}::jsonb[], {}::timestamptz[], {}::bigint[], \
            {}::bytea[], {}::timestamptz[], {}::timestamptz[], {}::timestamptz[]) \
            n (id, state, percent, progress, stamp_at, stamp_ms, stamp_hash, started_at, completed_at, last_event_at) \
         WHERE a.id = n.id",
    )
    .bind::<Timestamptz, _>(at)
    .bind::<Array<SqlUuid>, _>(changed.iter().map(|a| a.id.uuid()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(changed.iter().map(|a| a.state.as_str()).collect::<Vec<_>>())
    .bind::<Array<Double>, _>(changed.iter().map(|a| a.percent.value()).collect::<Vec<_>>())
    .bind::<Array<Jsonb>, _>(changed.iter().map(|a| a.progress.clone().into_value()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(
        changed.iter().map(|a| stamp(a).map(|stamp| stamp.effective_at)).collect::<Vec<_>>(),
    )
    .bind::<Array<Nullable<BigInt>>, _>(
        changed.iter().map(|a| stamp(a).map(|stamp| stamp.client_time.ms())).collect::<Vec<_>>(),
    )
    .bind::<Array<Nullable<Bytea>>, _>(
        changed.iter().map(|a| stamp(a).map(|stamp| stamp.hash.as_bytes().to_vec())).collect::<Vec<_>>(),
    )
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|a| a.started_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|a| a.completed_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(changed.iter().map(|a| a.last_event_at).collect::<Vec<_>>())
    .execute(connection)
    .map(drop)
}

fn record(
    connection: &mut PgConnection,
    user: UserId,
    events: &[(CourseId, ProgressEvent)],
    received_at: DateTime<Utc>,
) -> Outcome<Vec<Option<Recorded>>> {
    let wanted: BTreeSet<Uuid> = events.iter().map(|(course, _)| course.uuid()).collect();
    let rows: Vec<TouchedRow> = statement(TOUCHED)
        .bind::<SqlUuid, _>(user.uuid())
        .bind::<Array<SqlUuid>, _>(wanted.into_iter().collect::<Vec<_>>())
        .rows::<TouchedColumns>()
        .load(connection)?;
    let mut touched = BTreeMap::new();
    for row in rows {
        let late_window_days = row.late_window_days;
        let assignment = row.assignment.read().map_err(|error| PgError::Refused(error.into()))?;
        touched.insert(assignment.course, (assignment, late_window_days));
    }
    let mut new = NewEvents::default();
    let mut ahead = touched.clone();
    for (course, event) in events {
        if let Some((assignment, late_window_days)) = ahead.get_mut(course) {
            new.push(event, assignment, *late_window_days, received_at);
        }
    }
    let mut fresh = new.insert(connection)?;
    let mut outcomes = Vec::new();
    let mut changed = BTreeSet::new();
    // A repetition would be taken for later than the first time when the phone's clock is ahead: it changes nothing.
    for (course, event) in events {
        let outcome = touched.get_mut(course).map(|(assignment, _)| {
            let is_new = fresh.remove(event.dedupe_key(assignment.id).as_bytes().as_slice());
            let stale = if is_new {
                changed.insert(*course);
                assignment.absorb(event, received_at).stale
            } else {
                assignment.clone().absorb(event, received_at).stale
            };
            (!is_new, stale)
        });
        outcomes.push(outcome);
    }
    let saved: Vec<&Assignment> =
        changed.iter().filter_map(|course| touched.get(course)).map(|(assignment, _)| assignment).collect();
    if !saved.is_empty() {
        save(connection, &saved, received_at)?;
    }
    let recorded = events.iter().zip(outcomes).map(|((course, _), outcome)| {
        let (duplicate, stale) = outcome?;
        let (assignment, _) = touched.get(course)?;
        Some(Recorded { duplicate, stale, assignment: assignment.clone() })
    });
    Ok(recorded.collect())
}

/// Takes back what the member has not completed: whoever has left has nothing to do any more.
pub(crate) fn withdraw_open(
    connection: &mut PgConnection,
    memberships: &[Uuid],
    at: DateTime<Utc>,
) -> diesel::QueryResult<()> {
    let open = assignments::membership_id
        .eq_any(memberships)
        .and(assignments::state.eq_any(["assigned", "in_progress"]));
    diesel::update(assignments::table.filter(open))
        .set((
            assignments::state.eq("withdrawn"),
            assignments::withdrawn_at.eq(at),
            assignments::updated_at.eq(at),
        ))
        .execute(connection)
        .map(drop)
}

fn give(connection: &mut PgConnection, assignment: &Assignment) -> Outcome<LearnerCourse> {
    // Kept from leaving until the assignment is there, so that nobody who has left has one.
    let active: Option<Uuid> = memberships::table
        .find(assignment.membership.uuid())
        .filter(memberships::status.eq("active"))
        .select(memberships::id)
        .for_share()
        .first(connection)
        .optional()?;
    if active.is_none() {
        return Err(PgError::Refused(Refusal::Forbidden.into()));
    }
    diesel::insert_into(assignments::table)
        .values((
            assignments::id.eq(assignment.id.uuid()),
            assignments::organization_id.eq(assignment.organization.uuid()),
            assignments::membership_id.eq(assignment.membership.uuid()),
            assignments::user_id.eq(assignment.user.uuid()),
            assignments::course_id.eq(assignment.course.uuid()),
            assignments::course_version_id.eq(assignment.version.uuid()),
            assignments::state.eq(assignment.state.as_str()),
            assignments::source.eq(assignment.source.as_str()),
            assignments::percent.eq(assignment.percent.value()),
            assignments::progress.eq(assignment.progress.clone().into_value()),
            assignments::assigned_at.eq(assignment.assigned_at),
            assignments::due_at.eq(assignment.due_at),
            assignments::updated_at.eq(assignment.assigned_at),
        ))
        .on_conflict_do_nothing()
        .execute(connection)?;
    let open =
        statement(OPEN_LESSON).bind::<SqlUuid, _>(assignment.membership.uuid()).rows::<LessonColumns>();
    let row: LessonRow = open.get_result(connection)?;
    row.read().map_err(|error| PgError::Refused(error.into()))
}

#[async_trait]
impl AssignmentRepository for PgAssignments {
    async fn find_standing(
        &self,
        membership: MembershipId,
        now: DateTime<Utc>,
    ) -> Result<Option<Standing>, CourseError> {
        let row = self.pg.read(move |connection| {
            let standing =
                statement(STANDING).bind::<SqlUuid, _>(membership.uuid()).rows::<StandingColumns>();
            Ok(standing.get_result::<StandingRow>(connection).optional()?)
        });
        let row = row.await.map_err(PgError::<CourseError>::into_storage)?;
        Ok(row.map(|row| row.read(membership, now)).transpose()?)
    }

    async fn give(&self, assignment: Assignment) -> Result<LearnerCourse, CourseError> {
        let given = self.pg.write(move |connection| give(connection, &assignment));
        given.await.map_err(PgError::into_storage)
    }

    async fn find_lesson(
        &self,
        user: UserId,
        memberships: Vec<MembershipId>,
        course: CourseId,
        now: DateTime<Utc>,
    ) -> Result<Option<FoundLesson>, CourseError> {
        let row = self.pg.read(move |connection| {
            let memberships: Vec<Uuid> = memberships.into_iter().map(MembershipId::uuid).collect();
            let lesson = statement(LESSON)
                .bind::<Array<SqlUuid>, _>(memberships)
                .bind::<SqlUuid, _>(user.uuid())
                .bind::<SqlUuid, _>(course.uuid())
                .rows::<FoundColumns>();
            Ok(lesson.get_result::<FoundRow>(connection).optional()?)
        });
        let row = row.await.map_err(PgError::<CourseError>::into_storage)?;
        let Some(row) = row else { return Ok(None) };
        let owned: Vec<OwnedSituation> = match &row.situations {
            Some(json) => from_json(json)?,
            None => Vec::new(),
        };
        let situations =
            owned.into_iter().map(|owned| owned.situation.read(OrgId::new(owned.organization_id), now));
        Ok(Some(FoundLesson {
            situations: situations.collect::<Result<_, _>>()?,
            lesson: row.lesson.read()?,
        }))
    }

    async fn record(
        &self,
        user: UserId,
        events: Vec<(CourseId, ProgressEvent)>,
        received_at: DateTime<Utc>,
    ) -> Result<Vec<Option<Recorded>>, CourseError> {
        let recorded = self.pg.write(move |connection| record(connection, user, &events, received_at));
        recorded.await.map_err(PgError::into_storage)
    }
}
