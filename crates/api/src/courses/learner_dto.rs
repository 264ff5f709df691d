use chrono::{DateTime, Utc};
use domain_courses::ports::Recorded;
use domain_courses::{
    Assignment, ClientTime, CourseError, Current, EventType, LearnerCourse, PlayerSessionId, ProgressData,
    ProgressEvent, StoredEvent, VersionContent,
};
use domain_kernel::{CourseId, FieldErrors, FieldProblem, MembershipId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::dto::CourseResponse;
use crate::body::from_value;
use crate::error::{ApiError, ApiResult, ProblemSummary};
use crate::id_list::parse_id;

/// Most events of one batch.
const MAX_EVENTS: usize = 500;

/// Which membership, and whether to say why.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CurrentCourseParams {
    /// One of the own active memberships; absent: the oldest one.
    #[param(required = false, value_type = Uuid)]
    membership_id: Option<String>,
    /// `true` adds `explanation`.
    #[param(required = false, value_type = bool, example = true)]
    explain: Option<String>,
}

impl CurrentCourseParams {
    pub(crate) fn membership(&self) -> Result<Option<MembershipId>, FieldErrors> {
        let wrong = |problem: FieldProblem| FieldErrors::of("membership_id", problem.code, problem.message);
        let id = self.membership_id.as_deref().map(parse_id).transpose().map_err(wrong)?;
        Ok(id.map(MembershipId::new))
    }

    pub(crate) fn explain(&self) -> Result<bool, FieldErrors> {
        match self.explain.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(FieldErrors::of("explain", "invalid", "must be true or false")),
        }
    }
}

/// The content that a learner works through.
#[derive(Serialize, ToSchema)]
#[schema(as = CourseContent)]
pub(crate) struct CourseContentResponse {
    id: Uuid,
    /// Its number in the course.
    #[schema(example = 3)]
    number: i32,
    /// The document, as its author wrote it.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<VersionContent> for CourseContentResponse {
    fn from(version: VersionContent) -> Self {
        Self { id: version.id.uuid(), number: version.number, data: version.data.into_value() }
    }
}

/// A course with the content to work through.
#[derive(Serialize, ToSchema)]
#[schema(as = CourseWithContent)]
pub(crate) struct CourseWithContentResponse {
    #[serde(flatten)]
    course: CourseResponse,
    /// Null when the course is published no more and the learner never had it.
    version: Option<CourseContentResponse>,
}

/// A course given to a member, and how far they are.
#[derive(Serialize, ToSchema)]
#[schema(as = Assignment)]
pub(crate) struct AssignmentResponse {
    id: Uuid,
    membership_id: Uuid,
    user_id: Uuid,
    course_id: Uuid,
    course_version_id: Uuid,
    /// `assigned`, `in_progress`, `completed` or `withdrawn`.
    #[schema(example = "in_progress")]
    state: &'static str,
    /// Why it was given: `basics`, `course_pool` or `manual`.
    #[schema(example = "basics")]
    source: &'static str,
    /// 0 to 100; never falls.
    #[schema(example = 40.0)]
    percent: f64,
    /// What the player keeps for itself, with its counters merged over all events.
    #[schema(value_type = Object)]
    progress: Value,
    /// RFC 3339 in UTC.
    assigned_at: DateTime<Utc>,
    /// The first instant that is too late, RFC 3339 in UTC.
    due_at: Option<DateTime<Utc>>,
    /// RFC 3339 in UTC.
    started_at: Option<DateTime<Utc>>,
    /// RFC 3339 in UTC.
    completed_at: Option<DateTime<Utc>>,
    /// RFC 3339 in UTC.
    last_event_at: Option<DateTime<Utc>>,
}

impl From<Assignment> for AssignmentResponse {
    fn from(assignment: Assignment) -> Self {
        Self {
            id: assignment.id.uuid(),
            membership_id: assignment.membership.uuid(),
            user_id: assignment.user.uuid(),
            course_id: assignment.course.uuid(),
            course_version_id: assignment.version.uuid(),
            state: assignment.state.as_str(),
            source: assignment.source.as_str(),
            percent: assignment.percent.value(),
            progress: assignment.progress.into_value(),
            assigned_at: assignment.assigned_at,
            due_at: assignment.due_at,
            started_at: assignment.started_at,
            completed_at: assignment.completed_at,
            last_event_at: assignment.last_event_at,
        }
    }
}

/// Which rule chose the course.
#[derive(Serialize, ToSchema)]
#[schema(as = CourseExplanation)]
pub(crate) struct ExplanationResponse {
    /// `open_assignment`, `basics`, `pool`, `recycled`, `cadence_gate` or `nothing_left`.
    #[schema(example = "basics")]
    rule: &'static str,
    /// The reason, for people.
    #[schema(example = "Course 1 of 3 basics, which come first.")]
    detail: String,
}

/// A course as a learner has it.
#[derive(Serialize, ToSchema)]
#[schema(as = LearnerCourse)]
pub(crate) struct LearnerCourseResponse {
    /// Null when nothing is due.
    course: Option<CourseWithContentResponse>,
    /// Null when it was never given to the person.
    assignment: Option<AssignmentResponse>,
    /// When the next course can be given; null while one is due, and when none is to come.
    next_available_at: Option<DateTime<Utc>>,
    /// Which rule chose the course; there only if asked for.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<ExplanationResponse>,
}

impl From<LearnerCourse> for LearnerCourseResponse {
    fn from(lesson: LearnerCourse) -> Self {
        Self {
            course: Some(CourseWithContentResponse {
                course: lesson.course.into(),
                version: lesson.version.map(Into::into),
            }),
            assignment: lesson.assignment.map(Into::into),
            next_available_at: None,
            explanation: None,
        }
    }
}

impl LearnerCourseResponse {
    pub(crate) fn current(current: Current, explain: bool) -> Self {
        let Current { lesson, next_available_at, choice } = current;
        let nothing = Self { course: None, assignment: None, next_available_at, explanation: None };
        let explanation = ExplanationResponse { rule: choice.rule.as_str(), detail: choice.detail };
        Self { explanation: explain.then_some(explanation), ..lesson.map_or(nothing, Self::from) }
    }
}

/// What a player reports.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "event_type": "update_progress", "player_session_id": "01a20942-1abb-770f-ad98-0d13bd12f950",
    "client_supplied_occured_at_in_ms": 1_796_715_163_000_i64, "progress": { "percent": 40, "furthest_ms": 61_000 }
}))]
pub(crate) struct ProgressEventRequest {
    /// `update_progress`, or `complete` once the course is done: nothing else completes it.
    #[serde(default)]
    #[schema(required = true)]
    event_type: Option<String>,
    /// One run of the player, named by it.
    #[serde(default)]
    #[schema(required = true)]
    player_session_id: Option<Uuid>,
    /// When it happened by the phone's clock, in milliseconds since 1970 (64 bits). A wrong clock loses no progress.
    #[serde(default)]
    #[schema(required = true, minimum = 0, maximum = 253_402_300_799_999_i64)]
    client_supplied_occured_at_in_ms: Option<i64>,
    /// At most 64 KiB. `percent` (0 to 100), `furthest_ms` and `answered` are merged over all events; of the rest the latest
    /// event counts.
    #[serde(default)]
    #[schema(required = false, value_type = Object)]
    progress: Option<Value>,
}

impl ProgressEventRequest {
    pub(crate) fn event(self) -> Result<ProgressEvent, FieldErrors> {
        let mut errors = FieldErrors::new();
        let unknown =
            || FieldProblem { code: "invalid", message: "must be one of: complete, update_progress".into() };
        let event_type = FieldProblem::required(self.event_type.as_deref(), |raw| {
            EventType::parse(raw).ok_or_else(unknown)
        });
        let event_type = errors.take("event_type", event_type);
        let session = self.player_session_id.ok_or_else(FieldProblem::blank);
        let session = errors.take("player_session_id", session);
        let time = self.client_supplied_occured_at_in_ms.ok_or_else(FieldProblem::blank);
        let time = errors.take("client_supplied_occured_at_in_ms", time.and_then(ClientTime::parse));
        let progress = self.progress.map_or_else(|| Ok(ProgressData::default()), ProgressData::parse);
        let progress = errors.take("progress", progress);
        match (event_type, session, time, progress) {
            (Some(event_type), Some(session), Some(client_time), Some(progress)) => Ok(ProgressEvent {
                event_type,
                player_session: PlayerSessionId::new(session),
                client_time,
                progress,
            }),
            _ => Err(errors),
        }
    }
}

/// The queue of a phone that was offline.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "events": [{
    "course_id": "01a20942-1abb-770f-ad98-0d13bd12f950", "event_type": "complete",
    "player_session_id": "01a20942-1abb-770f-ad98-0d13bd12f951", "client_supplied_occured_at_in_ms": 1_796_715_163_000_i64
}] }))]
pub(crate) struct ProgressBatchRequest {
    /// At most 500, in any order.
    #[schema(max_items = 500, value_type = Vec<Object>)]
    events: Vec<Value>,
}

/// The course of an event in a batch; the other fields are those of a single one.
#[derive(Deserialize)]
struct CourseOfEvent {
    #[serde(default)]
    course_id: Option<Uuid>,
}

fn read_event(raw: &Value) -> ApiResult<(CourseId, ProgressEvent)> {
    if !raw.is_object() {
        return Err(ApiError::malformed("The event must be a JSON object."));
    }
    let course: CourseOfEvent = from_value(raw)?;
    let missing = || ApiError::invalid(FieldErrors::of("course_id", "blank", "can't be blank"));
    let course = CourseId::new(course.course_id.ok_or_else(missing)?);
    let event: ProgressEventRequest = from_value(raw)?;
    Ok((course, event.event().map_err(ApiError::invalid)?))
}

impl ProgressBatchRequest {
    /// Each event by itself: a wrong one does not stop the others.
    pub(crate) fn events(self) -> Result<Vec<ApiResult<(CourseId, ProgressEvent)>>, FieldErrors> {
        if self.events.len() > MAX_EVENTS {
            return Err(FieldErrors::of("events", "too_many", "are too many (maximum is 500)"));
        }
        Ok(self.events.iter().map(read_event).collect())
    }
}

/// An event as it was stored.
#[derive(Serialize, ToSchema)]
#[schema(as = ProgressEvent)]
pub(crate) struct ProgressEventResponse {
    /// `update_progress` or `complete`.
    #[schema(example = "complete")]
    event_type: &'static str,
    /// The run of the player.
    player_session_id: Uuid,
    /// What the phone's clock showed.
    #[schema(example = 1_796_715_163_000_i64)]
    client_supplied_occured_at_in_ms: i64,
    /// What the player told with it.
    #[schema(value_type = Object)]
    progress: Value,
    /// When it happened as far as the server believes it: not before the assignment, not after the receipt. RFC 3339 in UTC.
    effective_at: DateTime<Utc>,
    /// The time it counts for in reports: when it happened, or the receipt if that was too late. RFC 3339 in UTC.
    credited_at: DateTime<Utc>,
    /// RFC 3339 in UTC.
    received_at: DateTime<Utc>,
    /// Whether something that happened later was known already.
    #[schema(example = false)]
    stale: bool,
}

impl From<StoredEvent> for ProgressEventResponse {
    fn from(stored: StoredEvent) -> Self {
        Self {
            event_type: stored.event.event_type.as_str(),
            player_session_id: stored.event.player_session.uuid(),
            client_supplied_occured_at_in_ms: stored.event.client_time.ms(),
            progress: stored.event.progress.into_value(),
            effective_at: stored.effective_at,
            credited_at: stored.credited_at,
            received_at: stored.received_at,
            stale: stored.stale,
        }
    }
}

/// What became of an event.
#[derive(Serialize, ToSchema)]
#[schema(as = ProgressReceipt)]
pub(crate) struct ProgressReceiptResponse {
    /// Always true: the phone need not send it again.
    #[schema(example = true)]
    acknowledged: bool,
    /// Whether it was known already.
    #[schema(example = false)]
    duplicate: bool,
    /// Whether something that happened later was known already.
    #[schema(example = false)]
    stale: bool,
    assignment: AssignmentResponse,
}

impl From<Recorded> for ProgressReceiptResponse {
    fn from(recorded: Recorded) -> Self {
        Self {
            acknowledged: true,
            duplicate: recorded.duplicate,
            stale: recorded.stale,
            assignment: recorded.assignment.into(),
        }
    }
}

/// What became of one event of a batch: a receipt, or an error.
#[derive(Serialize, ToSchema)]
#[schema(as = ProgressResult)]
pub(crate) struct ProgressResultResponse {
    /// Place in the batch, from 0.
    #[schema(example = 0)]
    index: usize,
    #[serde(flatten)]
    outcome: ProgressOutcome,
}

/// A receipt, or an error.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ProgressOutcome {
    /// Taken.
    Receipt(Box<ProgressReceiptResponse>),
    /// Not taken; sending it again does not help.
    Refused {
        /// Why.
        error: ProblemSummary,
    },
}

/// What became of a batch, in the order of its events.
#[derive(Serialize, ToSchema)]
#[schema(as = ProgressBatch)]
pub(crate) struct ProgressBatchResponse {
    results: Vec<ProgressResultResponse>,
}

impl ProgressBatchResponse {
    pub(crate) fn new(results: Vec<ApiResult<Recorded>>) -> Self {
        let results = results.into_iter().enumerate().map(|(index, result)| {
            let outcome = match result {
                Ok(recorded) => ProgressOutcome::Receipt(Box::new(recorded.into())),
                Err(error) => ProgressOutcome::Refused { error: error.summary() },
            };
            ProgressResultResponse { index, outcome }
        });
        Self { results: results.collect() }
    }
}

/// The error of an event whose course the person never had.
pub(crate) fn no_assignment() -> ApiError {
    CourseError::from(domain_kernel::Refusal::NotFound).into()
}
