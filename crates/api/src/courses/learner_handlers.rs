use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use domain_courses::CourseService;
use domain_kernel::CourseId;
use uuid::Uuid;

use super::learner_dto::{
    CurrentCourseParams, LearnerCourseResponse, ProgressBatchRequest, ProgressBatchResponse,
    ProgressEventRequest, ProgressReceiptResponse, no_assignment,
};
use crate::body::Json;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};

/// Get the current course
///
/// The course to do now: an open one, else the next of the basics, else the next of the course pool, one a period. Asking gives
/// it to the person; two calls at once get the same. With nothing due `course` and `assignment` are null.
#[utoipa::path(
    tag = "learning",
    params(CurrentCourseParams),
    responses(
        (status = 200, description = "The current course, or when the next one comes", body = LearnerCourseResponse),
        (status = 400, description = "A parameter is wrong"),
        (status = 403, description = "No active membership"),
        (status = 404, description = "Not one of your memberships"),
    )
)]
#[get("/courses/current")]
pub(crate) async fn get_current_course(
    caller: Caller,
    courses: Data<CourseService>,
    params: Query<CurrentCourseParams>,
) -> ApiResult<HttpResponse> {
    let membership = params.membership().map_err(ApiError::invalid)?;
    let explain = params.explain().map_err(ApiError::invalid)?;
    let current = courses.get_current_course(&caller.actor, membership).await?;
    Ok(HttpResponse::Ok().json(LearnerCourseResponse::current(current, explain)))
}

/// Get a course as a learner
///
/// In the version of the own assignment, else in the published one. For people who have or had the course, or have it in
/// their pool, and for staff.
#[utoipa::path(
    tag = "learning",
    params(("course_id" = Uuid, Path, description = "The course")),
    responses(
        (status = 200, description = "The course", body = LearnerCourseResponse),
        (status = 403, description = "A course that you neither have nor will be given"),
        (status = 404, description = "No such course, or not one of your organization"),
    )
)]
#[get("/courses/{course_id}")]
pub(crate) async fn get_learner_course(
    caller: Caller,
    courses: Data<CourseService>,
    course: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let lesson = courses.get_learner_course(&caller.actor, CourseId::new(course.into_inner())).await?;
    Ok(HttpResponse::Ok().json(LearnerCourseResponse::from(lesson)))
}

/// Report progress
///
/// Repeated, late and disordered events are fine: phones retry. The assignment only ever moves forward.
#[utoipa::path(
    tag = "learning",
    params(("course_id" = Uuid, Path, description = "The course")),
    request_body = ProgressEventRequest,
    responses(
        (status = 200, description = "The server acknowledges", body = ProgressReceiptResponse),
        (status = 400, description = "Fields are wrong"),
        (status = 404, description = "The course was never given to you"),
    )
)]
#[post("/courses/{course_id}/events")]
pub(crate) async fn report_progress(
    caller: Caller,
    courses: Data<CourseService>,
    course: Path<Uuid>,
    body: Json<ProgressEventRequest>,
) -> ApiResult<HttpResponse> {
    let event = body.0.event().map_err(ApiError::invalid)?;
    let course = CourseId::new(course.into_inner());
    let recorded = courses.report_progress(&caller.actor, course, event).await?;
    Ok(HttpResponse::Ok().json(ProgressReceiptResponse::from(recorded)))
}

/// Report progress of many lessons
///
/// The queue of a phone that was offline, at most 500 events in any order. A wrong event does not stop the others: each gets
/// a receipt or an error of its own.
#[utoipa::path(
    tag = "learning",
    request_body = ProgressBatchRequest,
    responses(
        (status = 200, description = "What became of each event", body = ProgressBatchResponse),
        (status = 400, description = "`events` is missing or too long"),
    )
)]
#[post("/courses/events")]
pub(crate) async fn report_progress_batch(
    caller: Caller,
    courses: Data<CourseService>,
    body: Json<ProgressBatchRequest>,
) -> ApiResult<HttpResponse> {
    let read = body.0.events().map_err(ApiError::invalid)?;
    let good = read.iter().filter_map(|event| event.as_ref().ok()).cloned().collect();
    let mut recorded = courses.report_progress_batch(&caller.actor, good).await?.into_iter();
    let results =
        read.into_iter().map(|event| event.and_then(|_| recorded.next().flatten().ok_or_else(no_assignment)));
    Ok(HttpResponse::Ok().json(ProgressBatchResponse::new(results.collect())))
}
