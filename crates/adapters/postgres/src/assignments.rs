use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use domain_courses::ports::{
    AssignmentQueries, AssignmentRepository, Feed, FoundLesson, History, Judge, Offer, Recorded, Standing,
    Visited,
};
use domain_courses::{
    Assignment, AssignmentSource, AssignmentState, Cadence, Calendar, CatalogCourse, CategoryName,
    ClientTime, CourseError, CourseList, EventStamp, EventTarget, EventType, FeedPlace, JoinedTeam, Learner,
    LearnerCourse, PastAssignment, Percent, PlayerSessionId, PoolOverride, ProgressData, ProgressEvent,
    ProgressHash, PublishedVersion, Round, RoundMark, Situation, StoredEvent, TrainingCategory,
    VersionContent, VersionData,
};
use domain_kernel::{
    AssignmentId, CourseId, CourseVersionId, MembershipId, OrgId, Page, PageRequest, StorageError, TeamId,
    TrainingCategoryId, UserId,
};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::Pg;
use crate::courses::{CourseColumns, CourseRow, course_columns, published_version};
use crate::error::{PgError, unreadable};
use crate::feed;
use crate::rounds::{self, RoundRow};
use crate::schema::assignments;
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

pub(crate) type Outcome<T> = Result<T, PgError<CourseError>>;

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

pub(crate) fn state(text: &str) -> Result<AssignmentState, StorageError> {
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
            ", w.id AS version_id, w.number, w.data, ",
            assignment_columns!(),
            " FROM assignments a JOIN courses c ON c.id = a.course_id JOIN course_versions w ON w.id = a.course_version_id",
            published_version!(),
            " WHERE a.membership_id = m.id AND a.state IN ('assigned', 'in_progress') ORDER BY a.assigned_at, a.id LIMIT 1"
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
                WHERE (c.organization_id IS NULL OR c.organization_id = o.id) AND c.id IN ( \
                    SELECT b.id FROM courses b WHERE b.basics \
                    UNION ALL SELECT cc.course_id FROM category_courses cc WHERE cc.category_id = category.id \
                    UNION ALL SELECT unnest(p.course_ids) FROM course_pool_overrides p \
                        JOIN team_memberships x ON x.team_id = p.team_id \
                        WHERE x.membership_id = m.id AND p.training_category_id = category.id))) \
         FROM (SELECT coalesce( \
            (SELECT j.category_id FROM category_job_titles j \
                WHERE j.organization_id = o.id AND j.job_title_key = m.job_title_key), \
            (SELECT t.id FROM training_categories t WHERE t.organization_id = o.id AND t.is_default)) AS id) category)"
    };
}

/// With an open assignment nothing else decides, and who is not active gets nothing: then no more is read.
const STANDINGS: &str = concat!(
    "SELECT m.id, m.organization_id, m.user_id, m.status = 'active', o.cadence, o.time_zone, o.recycle_after_days, \
     CASE WHEN lesson.membership_id IS NULL AND m.status = 'active' THEN ",
    situation!(),
    "::text END, lesson.* FROM memberships m JOIN organizations o ON o.id = m.organization_id LEFT JOIN LATERAL (",
    open_lesson!(),
    ") lesson ON true WHERE m.id = ANY({}) AND m.user_id IS NOT NULL"
);

row! {
    struct StandingRow, StandingColumns {
        id: Uuid => SqlUuid,
        organization_id: Uuid => SqlUuid,
        user_id: Uuid => SqlUuid,
        is_active: bool => Bool,
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

pub(crate) fn calendar(cadence: &str, time_zone: &str) -> Result<Calendar, StorageError> {
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
            job_title: None,
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
    fn read(self, now: DateTime<Utc>) -> Result<Standing, StorageError> {
        let organization = OrgId::new(self.organization_id);
        let open = self.open.map(LessonRow::read).transpose()?;
        let situation = match &self.situation {
            Some(json) => from_json::<SituationJson>(json)?.read(organization, now)?,
            None => Situation {
                active: self.is_active,
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
        let learner =
            Learner { organization, membership: MembershipId::new(self.id), user: UserId::new(self.user_id) };
        Ok(Standing { learner, situation, open })
    }
}

pub(crate) fn load_standings(
    connection: &mut PgConnection,
    memberships: Vec<Uuid>,
    now: DateTime<Utc>,
) -> Outcome<Vec<Standing>> {
    let standings = statement(STANDINGS).bind::<Array<SqlUuid>, _>(memberships).rows::<StandingColumns>();
    let rows: Vec<StandingRow> = standings.load(connection)?;
    let standings = rows.into_iter().map(|row| row.read(now)).collect::<Result<_, StorageError>>();
    standings.map_err(|error| PgError::Refused(error.into()))
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
    ", w.id, w.number, w.data, ",
    assignment_columns!(),
    " FROM courses c LEFT JOIN LATERAL (SELECT * FROM assignments a WHERE a.membership_id = ANY({}) AND a.course_id = c.id \
        ORDER BY a.assigned_at DESC, a.id DESC LIMIT 1) a ON true",
    published_version!(),
    " LEFT JOIN course_versions w ON w.course_id = c.id AND w.id = CASE WHEN a.id IS NULL THEN v.id ELSE a.course_version_id END \
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

const HISTORY: &str = "SELECT a.organization_id, a.membership_id, a.user_id, \
     ARRAY(SELECT x.team_id FROM team_memberships x JOIN teams t ON t.id = x.team_id \
        WHERE x.membership_id = a.membership_id AND t.deleted_at IS NULL), counted.total, page.event_type, \
     page.player_session_id, page.client_ms, page.progress, page.effective_at, page.credited_at, page.received_at, page.stale \
     FROM assignments a CROSS JOIN LATERAL (SELECT count(*) AS total FROM progress_events e WHERE e.assignment_id = a.id) counted \
     LEFT JOIN LATERAL (SELECT * FROM progress_events e WHERE e.assignment_id = a.id \
        ORDER BY e.effective_at DESC, e.number DESC LIMIT {} OFFSET {}) page ON true \
     WHERE a.id = {} ORDER BY page.effective_at DESC, page.number DESC";

row! {
    struct HistoryRow, HistoryColumns {
        organization_id: Uuid => SqlUuid,
        membership_id: Uuid => SqlUuid,
        user_id: Uuid => SqlUuid,
        team_ids: Vec<Uuid> => Array<SqlUuid>,
        total: i64 => BigInt,
        event: Option<EventRow> => Nullable<EventColumns>,
    }
}

row! {
    struct EventRow, EventColumns {
        event_type: String => Text,
        player_session_id: Uuid => SqlUuid,
        client_ms: i64 => BigInt,
        progress: Value => Jsonb,
        effective_at: DateTime<Utc> => Timestamptz,
        credited_at: DateTime<Utc> => Timestamptz,
        received_at: DateTime<Utc> => Timestamptz,
        stale: bool => Bool,
    }
}

impl EventRow {
    fn read(self) -> Result<StoredEvent, StorageError> {
        let event_type = EventType::parse(&self.event_type);
        let event = ProgressEvent {
            event_type: event_type.ok_or_else(|| unreadable("progress_events", "known type"))?,
            player_session: PlayerSessionId::new(self.player_session_id),
            client_time: ClientTime::from_stored(self.client_ms),
            progress: ProgressData::from_stored(object(self.progress, "progress is an object")?),
        };
        Ok(StoredEvent {
            event,
            effective_at: self.effective_at,
            credited_at: self.credited_at,
            received_at: self.received_at,
            stale: self.stale,
        })
    }
}

/// The page that these rows are; none when there is no such assignment.
fn history(rows: Vec<HistoryRow>) -> Result<Option<History>, StorageError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let learner = Learner {
        organization: OrgId::new(first.organization_id),
        membership: MembershipId::new(first.membership_id),
        user: UserId::new(first.user_id),
    };
    let teams = first.team_ids.iter().copied().map(TeamId::new).collect();
    let total = first.total;
    let items = rows.into_iter().filter_map(|row| row.event).map(EventRow::read);
    let items = items.collect::<Result<_, _>>()?;
    Ok(Some(History { learner, teams, events: Page { items, total } }))
}

/// The person's assignments of these courses, each with the late window of its organization, and with the transaction that
/// changed it last: as long as that is the same, the assignment is. Of those that are not the newest of their course also which
/// of these runs of players reported to them.
const TOUCHED: &str = concat!(
    "SELECT o.late_window_days, a.xmin::text::bigint, CASE WHEN EXISTS (SELECT FROM assignments n WHERE n.user_id = a.user_id \
        AND n.course_id = a.course_id AND (n.assigned_at, n.id) > (a.assigned_at, a.id)) \
        THEN ARRAY(SELECT DISTINCT e.player_session_id FROM progress_events e \
            WHERE e.assignment_id = a.id AND e.player_session_id = ANY({})) \
        ELSE ARRAY[]::uuid[] END, ",
    assignment_columns!(),
    " FROM assignments a JOIN organizations o ON o.id = a.organization_id WHERE a.user_id = {} AND a.course_id = ANY({}) \
     ORDER BY a.id"
);

row! {
    struct TouchedRow, TouchedColumns {
        late_window_days: i32 => Integer,
        revision: i64 => BigInt,
        sessions: Vec<Uuid> => Array<SqlUuid>,
        assignment: AssignmentRow => AssignmentColumns,
    }
}

/// Assignments that events are about to change.
struct Touched {
    targets: Vec<EventTarget>,
    late_window_days: BTreeMap<AssignmentId, i32>,
    revisions: BTreeMap<AssignmentId, i64>,
}

impl Touched {
    fn load(
        connection: &mut PgConnection,
        user: UserId,
        events: &[(CourseId, ProgressEvent)],
    ) -> Outcome<Self> {
        let courses: BTreeSet<Uuid> = events.iter().map(|(course, _)| course.uuid()).collect();
        let sessions: BTreeSet<Uuid> = events.iter().map(|(_, event)| event.player_session.uuid()).collect();
        let rows: Vec<TouchedRow> = statement(TOUCHED)
            .bind::<Array<SqlUuid>, _>(sessions.into_iter().collect::<Vec<_>>())
            .bind::<SqlUuid, _>(user.uuid())
            .bind::<Array<SqlUuid>, _>(courses.into_iter().collect::<Vec<_>>())
            .rows::<TouchedColumns>()
            .load(connection)?;
        let mut touched =
            Self { targets: Vec::new(), late_window_days: BTreeMap::new(), revisions: BTreeMap::new() };
        for row in rows {
            let assignment = row.assignment.read().map_err(|error| PgError::Refused(error.into()))?;
            touched.late_window_days.insert(assignment.id, row.late_window_days);
            touched.revisions.insert(assignment.id, row.revision);
            let sessions = row.sessions.into_iter().map(PlayerSessionId::new).collect();
            touched.targets.push(EventTarget { assignment, sessions });
        }
        Ok(touched)
    }

    /// Which assignment the event is of.
    fn choose(&self, course: CourseId, event: &ProgressEvent) -> Option<AssignmentId> {
        EventTarget::choose(self.targets.iter().filter(|target| target.assignment.course == course), event)
    }

    fn assignment(&mut self, id: AssignmentId) -> Option<&mut Assignment> {
        self.targets.iter_mut().map(|target| &mut target.assignment).find(|assignment| assignment.id == id)
    }
}

const KNOWN: &str = "SELECT dedupe_key FROM progress_events \
     WHERE (dedupe_key, client_at) IN (SELECT * FROM unnest({}::bytea[], {}::timestamptz[]))";

/// Adds events, and saves what the assignments are with all of them: nothing unless the assignments are still what they were when
/// they were read, which is sure until the end once they are locked; and no assignment is saved unless all events are new. Tells
/// how many assignments were the same, and how many events are new.
const WRITE: &str = "WITH same AS (SELECT a.id FROM unnest({}::uuid[], {}::bigint[]) n (id, revision) \
        JOIN assignments a ON a.id = n.id AND a.xmin::text::bigint = n.revision ORDER BY a.id FOR NO KEY UPDATE OF a), \
     new AS (INSERT INTO progress_events (dedupe_key, client_at, organization_id, assignment_id, event_type, \
        player_session_id, client_ms, effective_at, credited_at, received_at, percent, progress, stale, state_after, \
        percent_after) \
        SELECT * FROM unnest({}::bytea[], {}::timestamptz[], {}::uuid[], {}::uuid[], {}::text[], {}::uuid[], {}::bigint[], \
            {}::timestamptz[], {}::timestamptz[], {}::timestamptz[], {}::double precision[], {}::jsonb[], {}::boolean[], \
            {}::text[], {}::double precision[]) WHERE (SELECT count(*) FROM same) = {} \
        ON CONFLICT DO NOTHING RETURNING 1), \
     saved AS (UPDATE assignments a SET state = n.state, percent = n.percent, progress = n.progress, \
        progress_effective_at = n.stamp_at, progress_client_ms = n.stamp_ms, progress_hash = n.stamp_hash, \
        started_at = n.started_at, completed_at = n.completed_at, last_event_at = n.last_event_at, updated_at = {} \
        FROM unnest({}::uuid[], {}::text[], {}::double precision[], {}::jsonb[], {}::timestamptz[], {}::bigint[], \
            {}::bytea[], {}::timestamptz[], {}::timestamptz[], {}::timestamptz[]) \
            n (id, state, percent, progress, stamp_at, stamp_ms, stamp_hash, started_at, completed_at, last_event_at) \
        WHERE a.id = n.id AND (SELECT count(*) FROM new) = {}) \
     SELECT (SELECT count(*) FROM same), (SELECT count(*) FROM new)";

/// What became of a write.
#[derive(PartialEq, Eq)]
enum Written {
    All,
    /// Nothing was written: an assignment is not any more what it was when it was read.
    Overtaken,
    /// No assignment was saved: some of the events were there already.
    Known,
}

type Key = Vec<u8>;

/// The columns of new events, one list each: so many rows, one statement.
#[derive(Default)]
struct NewEvents {
    keys: Vec<Key>,
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
    state_after: Vec<Option<&'static str>>,
    percent_after: Vec<Option<f64>>,
}

impl NewEvents {
    /// Adds the event to the assignment and to the list. Tells whether it is stale.
    fn push(
        &mut self,
        key: Key,
        event: &ProgressEvent,
        assignment: &mut Assignment,
        late_window_days: i32,
        at: DateTime<Utc>,
    ) -> bool {
        let credited_at = assignment.credited_at(event, at, late_window_days);
        let before = (assignment.state, assignment.percent);
        let absorbed = assignment.absorb(event, at);
        let after = (assignment.state, assignment.percent);
        let forward = (after != before).then_some(after);
        self.keys.push(key);
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
        self.state_after.push(forward.map(|(state, _)| state.as_str()));
        self.percent_after.push(forward.map(|(_, percent)| percent.value()));
        absorbed.stale
    }

    /// Writes them with the assignments that they changed.
    fn write(
        self,
        connection: &mut PgConnection,
        revisions: &BTreeMap<AssignmentId, i64>,
        changed: &[&Assignment],
        at: DateTime<Utc>,
    ) -> QueryResult<Written> {
        let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let (read, count) = (length(revisions.len()), length(self.keys.len()));
        let stamp = |assignment: &Assignment| assignment.progress_stamp;
        let (same, added): (i64, i64) = statement(WRITE)
            .bind::<Array<SqlUuid>, _>(revisions.keys().map(|id| id.uuid()).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(revisions.values().copied().collect::<Vec<_>>())
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
            .bind::<Array<Nullable<Text>>, _>(self.state_after)
            .bind::<Array<Nullable<Double>>, _>(self.percent_after)
            .bind::<BigInt, _>(read)
            .bind::<Timestamptz, _>(at)
            .bind::<Array<SqlUuid>, _>(each(changed, |a| a.id.uuid()))
            .bind::<Array<Text>, _>(each(changed, |a| a.state.as_str()))
            .bind::<Array<Double>, _>(each(changed, |a| a.percent.value()))
            .bind::<Array<Jsonb>, _>(each(changed, |a| a.progress.clone().into_value()))
            .bind::<Array<Nullable<Timestamptz>>, _>(each(changed, |a| {
                stamp(a).map(|stamp| stamp.effective_at)
            }))
            .bind::<Array<Nullable<BigInt>>, _>(each(changed, |a| {
                stamp(a).map(|stamp| stamp.client_time.ms())
            }))
            .bind::<Array<Nullable<Bytea>>, _>(each(changed, |a| {
                stamp(a).map(|stamp| stamp.hash.as_bytes().to_vec())
            }))
            .bind::<Array<Nullable<Timestamptz>>, _>(each(changed, |a| a.started_at))
            .bind::<Array<Nullable<Timestamptz>>, _>(each(changed, |a| a.completed_at))
            .bind::<Array<Nullable<Timestamptz>>, _>(each(changed, |a| a.last_event_at))
            .bind::<BigInt, _>(count)
            .rows::<(BigInt, BigInt)>()
            .get_result(connection)?;
        Ok(match (same == read, added == count) {
            (false, _) => Written::Overtaken,
            (true, true) => Written::All,
            (true, false) => Written::Known,
        })
    }
}

fn each<T>(assignments: &[&Assignment], column: impl Fn(&Assignment) -> T) -> Vec<T> {
    assignments.iter().map(|assignment| column(assignment)).collect()
}

/// Which of these events are known. Asked after their assignments were read, it is true as long as they are the same.
fn known(connection: &mut PgConnection, events: &[(Key, DateTime<Utc>)]) -> QueryResult<BTreeSet<Key>> {
    let keys: Vec<Key> = statement(KNOWN)
        .bind::<Array<Bytea>, _>(events.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(events.iter().map(|(_, at)| *at).collect::<Vec<_>>())
        .rows::<Bytea>()
        .load(connection)?;
    Ok(keys.into_iter().collect())
}

/// How often events are added anew because somebody else was faster, before the others are made to wait.
const ATTEMPTS: usize = 3;

const LOCK_TOUCHED: &str =
    "SELECT id FROM assignments WHERE user_id = {} AND course_id = ANY({}) ORDER BY id FOR NO KEY UPDATE";

/// Without a lock and a transaction around it: the one statement that writes makes sure that nothing changed since the
/// assignments were read. Who is overtaken again and again locks them first.
fn record(
    connection: &mut PgConnection,
    user: UserId,
    events: &[(CourseId, ProgressEvent)],
    received_at: DateTime<Utc>,
) -> Outcome<Vec<Option<Recorded>>> {
    for _ in 0..ATTEMPTS {
        if let Some(recorded) = try_record(connection, user, events, received_at)? {
            return Ok(recorded);
        }
    }
    let courses: BTreeSet<Uuid> = events.iter().map(|(course, _)| course.uuid()).collect();
    let locked = connection.transaction(|connection| -> Outcome<_> {
        statement(LOCK_TOUCHED)
            .bind::<SqlUuid, _>(user.uuid())
            .bind::<Array<SqlUuid>, _>(courses.into_iter().collect::<Vec<_>>())
            .rows::<SqlUuid>()
            .load::<Uuid>(connection)?;
        try_record(connection, user, events, received_at)
    })?;
    // Still overtaken only if the course was given anew since the lock, and somebody was faster with an event of that.
    locked.ok_or_else(|| PgError::Unavailable("the person's assignments change all the time".into()))
}

/// None, having written nothing, if somebody else was faster.
fn try_record(
    connection: &mut PgConnection,
    user: UserId,
    events: &[(CourseId, ProgressEvent)],
    received_at: DateTime<Utc>,
) -> Outcome<Option<Vec<Option<Recorded>>>> {
    let mut touched = Touched::load(connection, user, events)?;
    // Chosen before anything changes: so the order of a batch does not matter.
    let keyed: Vec<_> = events
        .iter()
        .map(|(course, event)| {
            let assignment = touched.choose(*course, event)?;
            Some((assignment, event.dedupe_key(assignment).as_bytes().to_vec()))
        })
        .collect();
    let with_time = |(keyed, (_, event)): (&Option<_>, &(CourseId, ProgressEvent))| {
        let (_, key): &(AssignmentId, Key) = keyed.as_ref()?;
        Some((key.clone(), event.client_time.instant()))
    };
    let all: Vec<_> = keyed.iter().zip(events).filter_map(with_time).collect();
    // A single event, the usual case, is found out to be known when it is added: that saves a round trip.
    let mut seen = if all.len() > 1 { known(connection, &all)? } else { BTreeSet::new() };
    let untouched: Vec<EventTarget> = if all.len() > 1 { Vec::new() } else { touched.targets.clone() };

    let (mut new, mut changed, mut outcomes) = (NewEvents::default(), BTreeSet::new(), Vec::new());
    for (keyed, (_, event)) in keyed.iter().zip(events) {
        let Some((id, key)) = keyed else {
            outcomes.push(None);
            continue;
        };
        let late_window_days = touched.late_window_days.get(id).copied().unwrap_or_default();
        let Some(assignment) = touched.assignment(*id) else { continue };
        let is_new = seen.insert(key.clone());
        let stale = if is_new {
            changed.insert(*id);
            new.push(key.clone(), event, assignment, late_window_days, received_at)
        } else {
            assignment.clone().absorb(event, received_at).stale
        };
        outcomes.push(Some((*id, !is_new, stale)));
    }
    if !changed.is_empty() {
        let assignments = touched.targets.iter().map(|target| &target.assignment);
        let changed: Vec<_> = assignments.filter(|assignment| changed.contains(&assignment.id)).collect();
        let write = |connection: &mut PgConnection| -> Outcome<Written> {
            match new.write(connection, &touched.revisions, &changed, received_at)? {
                Written::Known if all.len() > 1 => {
                    Err(PgError::Unavailable("events were added past their assignment".into()))
                }
                written => Ok(written),
            }
        };
        // A single event is one statement, which needs no transaction around it.
        let written = if all.len() > 1 { connection.transaction(write)? } else { write(connection)? };
        match written {
            Written::All => {}
            Written::Overtaken => return Ok(None),
            Written::Known => {
                // A repetition: as if it had not come.
                touched.targets = untouched;
                outcomes.iter_mut().flatten().for_each(|(_, duplicate, _)| *duplicate = true);
            }
        }
    } else if !all.is_empty() {
        // What is known may have been written after the assignments were read, and no write has told.
        touched = Touched::load(connection, user, events)?;
    }
    let recorded = outcomes.into_iter().map(|outcome| {
        let (id, duplicate, stale) = outcome?;
        let assignment = touched.assignment(id)?.clone();
        Some(Recorded { duplicate, stale, assignment })
    });
    Ok(Some(recorded.collect()))
}

/// What taking an assignment back writes.
#[derive(AsChangeset)]
#[diesel(table_name = assignments)]
pub(crate) struct Withdrawal {
    state: &'static str,
    withdrawn_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Withdrawal {
    pub(crate) fn at(time: DateTime<Utc>) -> Self {
        Self { state: "withdrawn", withdrawn_at: time, updated_at: time }
    }
}

/// Takes back what the member has not completed: whoever has left has nothing to do any more.
pub(crate) fn withdraw_open(
    connection: &mut PgConnection,
    memberships: &[Uuid],
    at: DateTime<Utc>,
) -> QueryResult<()> {
    let open = assignments::membership_id
        .eq_any(memberships)
        .and(assignments::state.eq_any(["assigned", "in_progress"]));
    diesel::update(assignments::table.filter(open)).set(Withdrawal::at(at)).execute(connection).map(drop)
}

/// Of the offers those that still stand: the member has not left, and the course is not archived. Until the transaction ends
/// no member leaves, nobody else gives them a course, and no course is archived or gets another published version.
const LOCK_OFFERS: &str = "SELECT n.id FROM unnest({}::uuid[], {}::uuid[], {}::uuid[]) n (id, membership_id, course_id) \
     JOIN memberships m ON m.id = n.membership_id AND m.status = 'active' \
     JOIN courses c ON c.id = n.course_id AND c.archived_at IS NULL \
     ORDER BY m.id FOR NO KEY UPDATE OF m FOR SHARE OF c";

/// In the version that is published now. Not if the member got another assignment since the offer was made.
const ADD_OFFERS: &str = "INSERT INTO assignments (id, organization_id, membership_id, user_id, course_id, course_version_id, \
        state, source, assigned_at, due_at, updated_at) \
     SELECT n.id, m.organization_id, m.id, n.user_id, n.course_id, v.id, 'assigned', n.source, n.assigned_at, n.due_at, \
        n.assigned_at \
     FROM unnest({}::uuid[], {}::uuid[], {}::uuid[], {}::uuid[], {}::text[], {}::timestamptz[], {}::timestamptz[], \
        {}::bigint[]) n (id, membership_id, user_id, course_id, source, assigned_at, due_at, seen) \
     JOIN memberships m ON m.id = n.membership_id AND m.user_id = n.user_id \
     JOIN course_versions v ON v.course_id = n.course_id AND v.status = 'published' \
     WHERE n.id = ANY({}) AND n.seen = (SELECT count(*) FROM assignments a WHERE a.membership_id = m.id) \
     ON CONFLICT (membership_id) WHERE state IN ('assigned', 'in_progress') AND source <> 'manual' DO NOTHING";

/// Gives what is offered, of however many members, in two statements. An offer that no longer stands is passed over. Tells how
/// many were given.
pub(crate) fn add_offers(connection: &mut PgConnection, offers: &[Offer]) -> QueryResult<usize> {
    let given: Vec<&Assignment> = offers.iter().map(|offer| &offer.assignment).collect();
    let ids = each(&given, |a| a.id.uuid());
    let memberships = each(&given, |a| a.membership.uuid());
    let courses = each(&given, |a| a.course.uuid());
    let standing: Vec<Uuid> = statement(LOCK_OFFERS)
        .bind::<Array<SqlUuid>, _>(ids.clone())
        .bind::<Array<SqlUuid>, _>(memberships.clone())
        .bind::<Array<SqlUuid>, _>(courses.clone())
        .rows::<SqlUuid>()
        .load(connection)?;
    // A statement of its own: only one that begins after the locks are held sees what was done before.
    let seen = offers.iter().map(|offer| i64::try_from(offer.seen).unwrap_or(i64::MAX));
    statement(ADD_OFFERS)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<SqlUuid>, _>(memberships)
        .bind::<Array<SqlUuid>, _>(each(&given, |a| a.user.uuid()))
        .bind::<Array<SqlUuid>, _>(courses)
        .bind::<Array<Text>, _>(each(&given, |a| a.source.as_str()))
        .bind::<Array<Timestamptz>, _>(each(&given, |a| a.assigned_at))
        .bind::<Array<Nullable<Timestamptz>>, _>(each(&given, |a| a.due_at))
        .bind::<Array<BigInt>, _>(seen.collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(standing)
        .execute(connection)
}

fn give(connection: &mut PgConnection, offer: Offer) -> Outcome<Option<LearnerCourse>> {
    let membership = offer.assignment.membership.uuid();
    add_offers(connection, &[offer])?;
    let open = statement(OPEN_LESSON).bind::<SqlUuid, _>(membership).rows::<LessonColumns>();
    let row: Option<LessonRow> = open.get_result(connection).optional()?;
    row.map(LessonRow::read).transpose().map_err(|error| PgError::Refused(error.into()))
}

/// Makes the partition of the month that begins with `first`, unless it is there.
///
/// Attaching it locks `assignments`, which its foreign key refers to, and the partition of the rest, where no event may be of
/// that month any more. Who writes events has a lock of `assignments` before touching a partition; so this begins with a lock
/// that waits for all of them to end, or both could wait for each other.
fn open_month(connection: &mut PgConnection, first: NaiveDate, next: NaiveDate) -> QueryResult<bool> {
    let name = format!("progress_events_{}", first.format("%Y_%m"));
    let is_there = |connection: &mut PgConnection| -> QueryResult<bool> {
        let known =
            statement("SELECT to_regclass({}) IS NOT NULL").bind::<Text, _>(name.clone()).rows::<Bool>();
        known.get_result(connection)
    };
    if is_there(connection)? {
        return Ok(false);
    }
    connection.batch_execute("LOCK TABLE assignments IN EXCLUSIVE MODE; LOCK TABLE progress_events_rest")?;
    // Somebody else may have made it while this one waited.
    if is_there(connection)? {
        return Ok(false);
    }
    connection.batch_execute(&format!(
        "CREATE TABLE {name} (LIKE progress_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS); \
         WITH moved AS (DELETE FROM progress_events_rest WHERE client_at >= '{first}T00:00:00Z' \
            AND client_at < '{next}T00:00:00Z' RETURNING *) INSERT INTO {name} SELECT * FROM moved; \
         ALTER TABLE progress_events ATTACH PARTITION {name} \
            FOR VALUES FROM ('{first}T00:00:00Z') TO ('{next}T00:00:00Z')"
    ))?;
    Ok(true)
}

#[async_trait]
impl AssignmentQueries for PgAssignments {
    async fn find_standings(
        &self,
        memberships: Vec<MembershipId>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Standing>, CourseError> {
        let memberships = memberships.into_iter().map(MembershipId::uuid).collect();
        let standings = self.pg.read(move |connection| load_standings(connection, memberships, now));
        standings.await.map_err(PgError::into_storage)
    }

    async fn find_lesson(
        &self,
        memberships: Vec<MembershipId>,
        course: CourseId,
        now: DateTime<Utc>,
    ) -> Result<Option<FoundLesson>, CourseError> {
        let row = self.pg.read(move |connection| {
            let memberships: Vec<Uuid> = memberships.into_iter().map(MembershipId::uuid).collect();
            let lesson = statement(LESSON)
                .bind::<Array<SqlUuid>, _>(memberships.clone())
                .bind::<Array<SqlUuid>, _>(memberships)
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
        let situations = situations.collect::<Result<_, _>>()?;
        Ok(Some(FoundLesson { lesson: row.lesson.read()?, situations }))
    }

    async fn list_events(
        &self,
        assignment: AssignmentId,
        page: PageRequest,
    ) -> Result<Option<History>, CourseError> {
        let rows = self.pg.read(move |connection| {
            let history = statement(HISTORY)
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset)
                .bind::<SqlUuid, _>(assignment.uuid())
                .rows::<HistoryColumns>();
            Ok(history.load::<HistoryRow>(connection)?)
        });
        Ok(history(rows.await.map_err(PgError::<CourseError>::into_storage)?)?)
    }

    async fn list_changes(
        &self,
        team: TeamId,
        place: Option<FeedPlace>,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Option<Feed>, CourseError> {
        let rows = self.pg.read(move |connection| Ok(feed::changes(connection, team, place, limit, now)?));
        Ok(feed::feed(rows.await.map_err(PgError::<CourseError>::into_storage)?, place, limit, now)?)
    }

    async fn list_rounds(&self) -> Result<Vec<Round>, CourseError> {
        let rows = self.pg.read(|connection| Ok(rounds::list(connection)?));
        let rows = rows.await.map_err(PgError::<CourseError>::into_storage)?;
        Ok(rows.into_iter().map(RoundRow::read).collect::<Result<_, _>>()?)
    }
}

#[async_trait]
impl AssignmentRepository for PgAssignments {
    async fn give(&self, offer: Offer) -> Result<Option<LearnerCourse>, CourseError> {
        let given = self.pg.write(move |connection| give(connection, offer));
        given.await.map_err(PgError::into_storage)
    }

    async fn record(
        &self,
        user: UserId,
        events: Vec<(CourseId, ProgressEvent)>,
        received_at: DateTime<Utc>,
    ) -> Result<Vec<Option<Recorded>>, CourseError> {
        let recorded = self.pg.read(move |connection| record(connection, user, &events, received_at));
        recorded.await.map_err(PgError::into_storage)
    }

    async fn advance_round(
        &self,
        organization: OrgId,
        due: RoundMark,
        now: DateTime<Utc>,
        limit: usize,
        decide: Judge,
    ) -> Result<Option<Visited>, CourseError> {
        let visited = self
            .pg
            .write(move |connection| rounds::advance(connection, organization, due, now, limit, decide));
        visited.await.map_err(PgError::into_storage)
    }

    async fn open_months(&self, now: DateTime<Utc>) -> Result<usize, CourseError> {
        let today = now.date_naive();
        let month =
            |offset| today.with_day(1).and_then(|first| first.checked_add_months(Months::new(offset)));
        let months: Vec<_> = [0, 1].into_iter().filter_map(|n| month(n).zip(month(n + 1))).collect();
        let mut opened = 0;
        for (first, next) in months {
            let made = self.pg.write(move |connection| Ok(open_month(connection, first, next)?));
            opened += usize::from(made.await.map_err(PgError::<CourseError>::into_storage)?);
        }
        Ok(opened)
    }
}
