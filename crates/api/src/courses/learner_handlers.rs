use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, post};
use domain_courses::LearningService;
use domain_kernel::{AssignmentId, CourseId};
use uuid::Uuid;

use super::learner_dto::{
    CurrentCourseParams, LearnerCourseResponse, ProgressBatchRequest, ProgressBatchResponse,
    ProgressEventRequest, ProgressEventResponse, ProgressReceiptResponse, no_assignment,
};
use crate::body::Json;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};

/// Get the current course
///
/// The course to do now: an open one, else the first of the basics that was never completed, else the next of the course pool,
/// one a period. Asking gives it to the person; several calls at once get the same. With nothing due `course` and `assignment`
/// are null. Without a `membership_id` it is about the oldest active membership.
#[utoipa::path(
    tag = "learning",
    params(CurrentCourseParams),
    responses(
        (status = 200, description = "The current course, or when the next one comes", body = LearnerCourseResponse),
        (status = 400, description = "`membership_id` is no UUID, or `explain` is neither `true` nor `false`"),
        (status = 403, description = "The membership is not active, or you have none that is"),
        (status = 404, description = "Not a membership of yours"),
    )
)]
#[get("/courses/current")]
pub(crate) async fn get_current_course(
    caller: Caller,
    learning: Data<LearningService>,
    params: Query<CurrentCourseParams>,
) -> ApiResult<HttpResponse> {
    let membership = params.membership().map_err(ApiError::invalid)?;
    let explain = params.explain().map_err(ApiError::invalid)?;
    let current = learning.get_current_course(&caller.actor, membership).await?;
    Ok(HttpResponse::Ok().json(LearnerCourseResponse::current(current, explain)))
}

/// Get a course as a learner
///
/// In the version of the newest own assignment, else in the published one. For people who have or had the course in an active
/// membership, or have it in their course pool, and for staff. `next_available_at` is always null here.
#[utoipa::path(
    tag = "learning",
    params(("course_id" = Uuid, Path, description = "The course")),
    responses(
        (status = 200, description = "The course", body = LearnerCourseResponse),
        (status = 403, description = "A course that you neither have nor had, and that is not in your pool"),
        (status = 404, description = "No such course, or one of an organization that you do not belong to"),
    )
)]
#[get("/courses/{course_id}")]
pub(crate) async fn get_learner_course(
    caller: Caller,
    learning: Data<LearningService>,
    course: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let lesson = learning.get_learner_course(&caller.actor, CourseId::new(course.into_inner())).await?;
    Ok(HttpResponse::Ok().json(LearnerCourseResponse::from(lesson)))
}

/// Report progress
///
/// Repeated, late and disordered events are fine: phones retry. The assignment only ever moves forward. Only `complete` completes
/// a course. An event of a course that was taken back is kept, too.
#[utoipa::path(
    tag = "learning",
    params(("course_id" = Uuid, Path, description = "The course")),
    request_body = ProgressEventRequest,
    responses(
        (status = 200, description = "The server acknowledges", body = ProgressReceiptResponse),
        (status = 400, description = "A field is missing or wrong; `fields` names it"),
        (status = 404, description = "The course was never given to you"),
    )
)]
#[post("/courses/{course_id}/events")]
pub(crate) async fn report_progress(
    caller: Caller,
    learning: Data<LearningService>,
    course: Path<Uuid>,
    body: Json<ProgressEventRequest>,
) -> ApiResult<HttpResponse> {
    let event = body.0.event().map_err(ApiError::invalid)?;
    let course = CourseId::new(course.into_inner());
    let recorded = learning.report_progress(&caller.actor, course, event).await?;
    Ok(HttpResponse::Ok().json(ProgressReceiptResponse::from(recorded)))
}

/// Report progress of many lessons
///
/// The queue of a phone that was offline, at most 500 events in any order. A wrong event does not stop the others: each gets
/// a receipt or an error of its own, in the order of the events. The assignments are as they are after all of them.
#[utoipa::path(
    tag = "learning",
    request_body = ProgressBatchRequest,
    responses(
        (status = 200, description = "What became of each event", body = ProgressBatchResponse),
        (status = 400, description = "`events` is missing, no list, or too long"),
    )
)]
#[post("/courses/events")]
pub(crate) async fn report_progress_batch(
    caller: Caller,
    learning: Data<LearningService>,
    body: Json<ProgressBatchRequest>,
) -> ApiResult<HttpResponse> {
    let read = body.0.events().map_err(ApiError::invalid)?;
    let good = read.iter().filter_map(|event| event.as_ref().ok()).cloned().collect();
    let mut recorded = learning.report_progress_batch(&caller.actor, good).await?.into_iter();
    let results =
        read.into_iter().map(|event| event.and_then(|_| recorded.next().flatten().ok_or_else(no_assignment)));
    Ok(HttpResponse::Ok().json(ProgressBatchResponse::new(results.collect())))
}

/// List the progress events of an assignment
///
/// What players reported, the latest first by the time that is believed. For the person, admins of a team that the person is on,
/// admins of the organization, and staff.
#[utoipa::path(
    tag = "learning",
    params(("assignment_id" = Uuid, Path, description = "The assignment"), PageParams),
    responses(
        (status = 200, description = "An array of events", body = [ProgressEventResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
        (status = 403, description = "The assignment of somebody whom you do not lead"),
        (status = 404, description = "No such assignment, or one of another organization"),
    )
)]
#[get("/assignments/{assignment_id}/events")]
pub(crate) async fn list_progress_events(
    request: HttpRequest,
    caller: Caller,
    learning: Data<LearningService>,
    assignment: Path<Uuid>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Size(25))?;
    let assignment = AssignmentId::new(assignment.into_inner());
    let page = learning.list_progress_events(&caller.actor, assignment, paging.request()).await?;
    Ok(paging.answer::<_, ProgressEventResponse>(&request, page))
}
