use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use domain_courses::CourseService;
use domain_kernel::CourseId;
use uuid::Uuid;

use super::dto::{CourseResponse, CreateCourseRequest};
use crate::body::Json;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};

/// Create a course
///
/// Without a published version: no learner gets it yet. For staff admins.
#[utoipa::path(
    tag = "courses",
    request_body = CreateCourseRequest,
    responses(
        (status = 201, description = "The course", body = CourseResponse),
        (status = 400, description = "Fields are wrong, or there is no such organization"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
    )
)]
#[post("/worklete_admin/courses")]
pub(crate) async fn create_course(
    caller: Caller,
    courses: Data<CourseService>,
    body: Json<CreateCourseRequest>,
) -> ApiResult<HttpResponse> {
    let course = courses.create_course(&caller.actor, body.0.try_into().map_err(ApiError::invalid)?).await?;
    Ok(HttpResponse::Created().json(CourseResponse::from(course)))
}

/// Get a course
///
/// Archived ones, too. For staff.
#[utoipa::path(
    tag = "courses",
    params(("id" = Uuid, Path, description = "The course")),
    responses(
        (status = 200, description = "The course", body = CourseResponse),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such course"),
    )
)]
#[get("/worklete_admin/courses/{id}")]
pub(crate) async fn get_course(
    caller: Caller,
    courses: Data<CourseService>,
    id: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let course = courses.get_course(&caller.actor, CourseId::new(id.into_inner())).await?;
    Ok(HttpResponse::Ok().json(CourseResponse::from(course)))
}
