use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, patch, post, put};
use domain_courses::CourseService;
use domain_kernel::{Actor, CourseId};
use uuid::Uuid;

use super::dto::{CourseListParams, CourseResponse, CreateCourseRequest, UpdateCourseRequest};
use crate::body::Json;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};

/// List the courses of an organization
///
/// Those of the library and its own, without the archived ones: basics first, by position, the older ones first among equals.
/// Everything when no page is asked for. For staff.
#[utoipa::path(
    tag = "courses",
    params(CourseListParams, PageParams),
    responses(
        (status = 200, description = "An array of courses", body = [CourseResponse]),
        (status = 400, description = "`organization_id` is missing, or a parameter is wrong or unknown"),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such organization"),
    )
)]
#[get("/worklete_admin/courses")]
pub(crate) async fn list_courses(
    request: HttpRequest,
    caller: Caller,
    courses: Data<CourseService>,
    params: Query<CourseListParams>,
    page: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let (organization, filter) = params.parse().map_err(ApiError::invalid)?;
    let paging = page.paging(FirstPage::One, Unasked::Everything)?;
    let page = courses.list_courses(&caller.actor, organization, filter, paging.request()).await?;
    Ok(paging.answer::<_, CourseResponse>(&request, page))
}

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

/// Change a course
///
/// What is absent stays. Archiving takes the course back from all learners who have not completed it. For staff admins.
#[utoipa::path(
    tag = "courses",
    params(("id" = Uuid, Path, description = "The course")),
    request_body = UpdateCourseRequest,
    responses(
        (status = 200, description = "The course as it is now", body = CourseResponse),
        (status = 400, description = "Fields are wrong, or there is no such organization"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such course"),
    )
)]
#[patch("/worklete_admin/courses/{id}")]
pub(crate) async fn update_course(
    caller: Caller,
    courses: Data<CourseService>,
    id: Path<Uuid>,
    body: Json<UpdateCourseRequest>,
) -> ApiResult<HttpResponse> {
    save(&caller.actor, &courses, id, body.0).await
}

/// Change a course (PUT)
///
/// The same as PATCH. For staff admins.
#[utoipa::path(
    tag = "courses",
    params(("id" = Uuid, Path, description = "The course")),
    request_body = UpdateCourseRequest,
    responses(
        (status = 200, description = "The course as it is now", body = CourseResponse),
        (status = 400, description = "Fields are wrong, or there is no such organization"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such course"),
    )
)]
#[put("/worklete_admin/courses/{id}")]
pub(crate) async fn replace_course(
    caller: Caller,
    courses: Data<CourseService>,
    id: Path<Uuid>,
    body: Json<UpdateCourseRequest>,
) -> ApiResult<HttpResponse> {
    save(&caller.actor, &courses, id, body.0).await
}

async fn save(
    actor: &Actor,
    courses: &CourseService,
    id: Path<Uuid>,
    request: UpdateCourseRequest,
) -> ApiResult<HttpResponse> {
    let change = request.try_into().map_err(ApiError::invalid)?;
    let course = courses.update_course(actor, CourseId::new(id.into_inner()), change).await?;
    Ok(HttpResponse::Ok().json(CourseResponse::from(course)))
}
