use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, patch, post, put};
use domain_courses::{CourseService, VersionChange};
use domain_kernel::{Actor, CourseId, CourseVersionId};
use uuid::Uuid;

use super::version_dto::{
    CreateVersionRequest, DraftParams, ListedVersionResponse, UpdateVersionRequest, VersionListParams,
    VersionResponse,
};
use crate::body::Json;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};

/// Rows of a page without `size`, and most rows of a page with content.
const PAGE_SIZE: i64 = 25;

/// List the versions of a course
///
/// The newest first, archived ones, too; without their content unless `include=data`. For staff.
#[utoipa::path(
    tag = "courses",
    params(("course_id" = Uuid, Path, description = "The course"), VersionListParams, PageParams),
    responses(
        (status = 200, description = "An array of versions", body = [ListedVersionResponse]),
        (status = 400, description = "`sort`, `include`, `page` or `size` is wrong, or a parameter is unknown"),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such course"),
    )
)]
#[get("/worklete_admin/courses/{course_id}/versions")]
pub(crate) async fn list_versions(
    request: HttpRequest,
    caller: Caller,
    courses: Data<CourseService>,
    course: Path<Uuid>,
    params: Query<VersionListParams>,
    page: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let (with_data, sort) = params.parse().map_err(ApiError::invalid)?;
    let paging = page.paging(FirstPage::One, Unasked::Size(PAGE_SIZE))?;
    let paging = if with_data { paging.at_most(PAGE_SIZE) } else { paging };
    let course = CourseId::new(course.into_inner());
    let page = courses.list_versions(&caller.actor, course, with_data, sort, paging.request()).await?;
    Ok(paging.answer::<_, ListedVersionResponse>(&request, page))
}

/// Open a draft of a course
///
/// It gets the next number of the course. A course has one draft at most. For staff admins.
#[utoipa::path(
    tag = "courses",
    params(("course_id" = Uuid, Path, description = "The course"), DraftParams),
    request_body = CreateVersionRequest,
    responses(
        (status = 201, description = "The draft", body = VersionResponse),
        (status = 400, description = "`data` is missing, no object or too large, or `force` is neither true nor false"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such course"),
        (status = 409, description = "`draft_exists`: the text names the draft that is open"),
    )
)]
#[post("/worklete_admin/courses/{course_id}/versions")]
pub(crate) async fn create_version(
    caller: Caller,
    courses: Data<CourseService>,
    course: Path<Uuid>,
    params: Query<DraftParams>,
    body: Json<CreateVersionRequest>,
) -> ApiResult<HttpResponse> {
    let command = body.0.command(CourseId::new(course.into_inner()), &params).map_err(ApiError::invalid)?;
    let version = courses.create_version(&caller.actor, command).await?;
    Ok(HttpResponse::Created().json(VersionResponse::from(version)))
}

/// Get a version of a course
///
/// With its content, whatever its status. For staff.
#[utoipa::path(
    tag = "courses",
    params(
        ("course_id" = Uuid, Path, description = "The course"),
        ("version_id" = Uuid, Path, description = "The version"),
    ),
    responses(
        (status = 200, description = "The version", body = VersionResponse),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such version of this course"),
    )
)]
#[get("/worklete_admin/courses/{course_id}/versions/{version_id}")]
pub(crate) async fn get_version(
    caller: Caller,
    courses: Data<CourseService>,
    path: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let (course, id) = ids(path);
    let version = courses.get_version(&caller.actor, course, id).await?;
    Ok(HttpResponse::Ok().json(VersionResponse::from(version)))
}

/// Change a draft
///
/// `data` takes the place of the whole content. With `status` it is published in the same step. The content of published
/// and archived versions stays. For staff admins.
#[utoipa::path(
    tag = "courses",
    params(
        ("course_id" = Uuid, Path, description = "The course"),
        ("version_id" = Uuid, Path, description = "The version"),
    ),
    request_body = UpdateVersionRequest,
    responses(
        (status = 200, description = "The version as it is now", body = VersionResponse),
        (status = 400, description = "`data` is no object or too large, or `lock_version` or `status` is wrong"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such version of this course"),
        (status = 409, description = "`version_not_draft`, `version_conflict` or `version_archived`"),
    )
)]
#[patch("/worklete_admin/courses/{course_id}/versions/{version_id}")]
pub(crate) async fn update_version(
    caller: Caller,
    courses: Data<CourseService>,
    path: Path<(Uuid, Uuid)>,
    body: Json<UpdateVersionRequest>,
) -> ApiResult<HttpResponse> {
    save(&caller.actor, &courses, path, body.0.try_into().map_err(ApiError::invalid)?).await
}

/// Change a draft (PUT)
///
/// The same as PATCH. For staff admins.
#[utoipa::path(
    tag = "courses",
    params(
        ("course_id" = Uuid, Path, description = "The course"),
        ("version_id" = Uuid, Path, description = "The version"),
    ),
    request_body = UpdateVersionRequest,
    responses(
        (status = 200, description = "The version as it is now", body = VersionResponse),
        (status = 400, description = "`data` is no object or too large, or `lock_version` or `status` is wrong"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such version of this course"),
        (status = 409, description = "`version_not_draft`, `version_conflict` or `version_archived`"),
    )
)]
#[put("/worklete_admin/courses/{course_id}/versions/{version_id}")]
pub(crate) async fn replace_version(
    caller: Caller,
    courses: Data<CourseService>,
    path: Path<(Uuid, Uuid)>,
    body: Json<UpdateVersionRequest>,
) -> ApiResult<HttpResponse> {
    save(&caller.actor, &courses, path, body.0.try_into().map_err(ApiError::invalid)?).await
}

/// Publish a version
///
/// Learners who have not started the course get it from now on, in the place of the version that was published before,
/// which is archived. Learners who have started stay on theirs. Doing it again changes nothing. For staff admins.
#[utoipa::path(
    tag = "courses",
    params(
        ("course_id" = Uuid, Path, description = "The course"),
        ("version_id" = Uuid, Path, description = "The version"),
    ),
    responses(
        (status = 200, description = "The version as it is now", body = VersionResponse),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such version of this course"),
        (status = 409, description = "`version_archived`: an archived version is not published again"),
    )
)]
#[post("/worklete_admin/courses/{course_id}/versions/{version_id}/publish")]
pub(crate) async fn publish_version(
    caller: Caller,
    courses: Data<CourseService>,
    path: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    save(&caller.actor, &courses, path, VersionChange::publishing()).await
}

/// Archive a version
///
/// A draft is dropped. The published version is given to nobody any more, and taken back from learners who have not started
/// it; those who have stay on it. Doing it again changes nothing. For staff admins.
#[utoipa::path(
    tag = "courses",
    params(
        ("course_id" = Uuid, Path, description = "The course"),
        ("version_id" = Uuid, Path, description = "The version"),
    ),
    responses(
        (status = 200, description = "The version as it is now", body = VersionResponse),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such version of this course"),
    )
)]
#[post("/worklete_admin/courses/{course_id}/versions/{version_id}/archive")]
pub(crate) async fn archive_version(
    caller: Caller,
    courses: Data<CourseService>,
    path: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let (course, id) = ids(path);
    let version = courses.archive_version(&caller.actor, course, id).await?;
    Ok(HttpResponse::Ok().json(VersionResponse::from(version)))
}

async fn save(
    actor: &Actor,
    courses: &CourseService,
    path: Path<(Uuid, Uuid)>,
    change: VersionChange,
) -> ApiResult<HttpResponse> {
    let (course, id) = ids(path);
    let version = courses.update_version(actor, course, id, change).await?;
    Ok(HttpResponse::Ok().json(VersionResponse::from(version)))
}

fn ids(path: Path<(Uuid, Uuid)>) -> (CourseId, CourseVersionId) {
    let (course, id) = path.into_inner();
    (CourseId::new(course), CourseVersionId::new(id))
}
