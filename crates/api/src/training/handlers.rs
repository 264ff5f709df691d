use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, patch, post, put};
use domain_courses::TrainingService;
use domain_kernel::{OrgId, TrainingCategoryId};
use uuid::Uuid;

use super::dto::{
    CoursePoolParams, CoursePoolResponse, CreateTrainingCategoryRequest, JobTitleParams, JobTitleResponse,
    SetCoursePoolRequest, TrainingCategoryResponse, UpdateTrainingCategoryRequest, pool_changes,
};
use crate::body::{Json, JsonList};
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};

/// List the training categories of an organization
///
/// By name; everything when no page is asked for. For staff.
#[utoipa::path(
    tag = "training",
    params(("organization_id" = Uuid, Path, description = "The organization"), PageParams),
    responses(
        (status = 200, description = "An array of training categories", body = [TrainingCategoryResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such organization"),
    )
)]
#[get("/worklete_admin/organizations/{organization_id}/training_categories")]
pub(crate) async fn list_training_categories(
    request: HttpRequest,
    caller: Caller,
    training: Data<TrainingService>,
    organization: Path<Uuid>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let organization = OrgId::new(organization.into_inner());
    let page = training.list_categories(&caller.actor, organization, paging.request()).await?;
    Ok(paging.answer::<_, TrainingCategoryResponse>(&request, page))
}

/// Create a training category
///
/// Without job titles and courses: they are set by changing it. For staff admins.
#[utoipa::path(
    tag = "training",
    params(("organization_id" = Uuid, Path, description = "The organization")),
    request_body = CreateTrainingCategoryRequest,
    responses(
        (status = 201, description = "The training category", body = TrainingCategoryResponse),
        (status = 400, description = "The name is missing or too long"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such organization"),
        (status = 409, description = "`category_name_taken`: the organization has a training category of this name"),
    )
)]
#[post("/worklete_admin/organizations/{organization_id}/training_categories")]
pub(crate) async fn create_training_category(
    caller: Caller,
    training: Data<TrainingService>,
    organization: Path<Uuid>,
    body: Json<CreateTrainingCategoryRequest>,
) -> ApiResult<HttpResponse> {
    let command = body.0.command(OrgId::new(organization.into_inner())).map_err(ApiError::invalid)?;
    let category = training.create_category(&caller.actor, command).await?;
    Ok(HttpResponse::Created().json(TrainingCategoryResponse::from(category)))
}

/// Change a training category
///
/// Answers **all** categories of the organization, by name: a job title is in one category at most, so one that is named here
/// leaves the other that had it, and so does being the default one. Assignments of a course pool that are not begun and are in
/// no list of their member any more are withdrawn. For staff admins.
#[utoipa::path(
    tag = "training",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("training_category_id" = Uuid, Path, description = "The training category"),
    ),
    request_body = UpdateTrainingCategoryRequest,
    responses(
        (status = 200, description = "A list of training categories", body = [TrainingCategoryResponse]),
        (status = 400, description = "Fields are wrong; or a course is one of the basics, archived, or not of the library or \
            the organization: the text names it"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such organization, or no such training category of it"),
        (status = 409, description = "`category_name_taken`: the organization has a training category of this name"),
    )
)]
#[patch("/worklete_admin/organizations/{organization_id}/training_categories/{training_category_id}")]
pub(crate) async fn update_training_category(
    caller: Caller,
    training: Data<TrainingService>,
    path: Path<(Uuid, Uuid)>,
    body: Json<UpdateTrainingCategoryRequest>,
) -> ApiResult<HttpResponse> {
    change_category(&caller, &training, path.into_inner(), body.0).await
}

/// Change a training category
///
/// The same as PATCH: absent fields stay. For staff admins.
#[utoipa::path(
    tag = "training",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("training_category_id" = Uuid, Path, description = "The training category"),
    ),
    request_body = UpdateTrainingCategoryRequest,
    responses(
        (status = 200, description = "A list of training categories", body = [TrainingCategoryResponse]),
        (status = 400, description = "Fields are wrong, or a course cannot be trained: the text names it"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such organization, or no such training category of it"),
        (status = 409, description = "`category_name_taken`: the organization has a training category of this name"),
    )
)]
#[put("/worklete_admin/organizations/{organization_id}/training_categories/{training_category_id}")]
pub(crate) async fn replace_training_category(
    caller: Caller,
    training: Data<TrainingService>,
    path: Path<(Uuid, Uuid)>,
    body: Json<UpdateTrainingCategoryRequest>,
) -> ApiResult<HttpResponse> {
    change_category(&caller, &training, path.into_inner(), body.0).await
}

async fn change_category(
    caller: &Caller,
    training: &TrainingService,
    (organization, category): (Uuid, Uuid),
    body: UpdateTrainingCategoryRequest,
) -> ApiResult<HttpResponse> {
    let change = body.change().map_err(ApiError::invalid)?;
    let (organization, category) = (OrgId::new(organization), TrainingCategoryId::new(category));
    let all = training.update_category(&caller.actor, organization, category, change).await?;
    let all: Vec<_> = all.into_iter().map(TrainingCategoryResponse::from).collect();
    Ok(HttpResponse::Ok().json(all))
}

/// List the job titles of an organization
///
/// Those that people on the roster have, pending ones included and those who left not, in alphabetical order; everything when
/// no page is asked for. Spellings that differ in case, accents or blanks are one. For staff.
#[utoipa::path(
    tag = "training",
    params(("organization_id" = Uuid, Path, description = "The organization"), JobTitleParams, PageParams),
    responses(
        (status = 200, description = "An array of texts, or of objects with `detail=true`", body = [JobTitleResponse]),
        (status = 400, description = "`detail` is neither `true` nor `false`, or `page` or `size` is no number, or too small"),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such organization"),
    )
)]
#[get("/worklete_admin/organizations/{organization_id}/job_titles")]
pub(crate) async fn list_job_titles(
    request: HttpRequest,
    caller: Caller,
    training: Data<TrainingService>,
    organization: Path<Uuid>,
    detail: Query<JobTitleParams>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let wants_detail = detail.wants_detail().map_err(ApiError::invalid)?;
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let organization = OrgId::new(organization.into_inner());
    let page = training.list_job_titles(&caller.actor, organization, paging.request()).await?;
    let page = page.map(|title| JobTitleResponse::new(&title, wants_detail));
    Ok(paging.answer::<_, JobTitleResponse>(&request, page))
}

/// List the course pools of an organization
///
/// One for each team and training category with a member of the team in it, and one for each list of its own that a team has;
/// by the names of team and category. Everything when no page is asked for. For staff.
#[utoipa::path(
    tag = "training",
    params(("organization_id" = Uuid, Path, description = "The organization"), CoursePoolParams, PageParams),
    responses(
        (status = 200, description = "An array of course pools", body = [CoursePoolResponse]),
        (status = 400, description = "An id is no UUID, there are more than 200 of them, or `page` or `size` is no number, or \
            too small"),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such organization"),
    )
)]
#[get("/worklete_admin/organizations/{organization_id}/course_pools")]
pub(crate) async fn list_course_pools(
    request: HttpRequest,
    caller: Caller,
    training: Data<TrainingService>,
    organization: Path<Uuid>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let filter = CoursePoolParams::parse(request.query_string()).map_err(ApiError::invalid)?.filter();
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let organization = OrgId::new(organization.into_inner());
    let page = training.list_course_pools(&caller.actor, organization, filter, paging.request()).await?;
    Ok(paging.answer::<_, CoursePoolResponse>(&request, page))
}

/// Give teams lists of their own
///
/// In the place of a category's list, for at most 200 pairs of team and category; pools that are not named stay as they are. All
/// or nothing. A mistake is named by its place in the array, such as `[2].course_ids`. Answers the pools that are named, by the
/// names of team and category. Assignments of a course pool that are not begun and are in no list of their member any more are
/// withdrawn. For staff admins.
#[utoipa::path(
    tag = "training",
    params(("organization_id" = Uuid, Path, description = "The organization")),
    request_body = [SetCoursePoolRequest],
    responses(
        (status = 200, description = "The course pools as they are now", body = [CoursePoolResponse]),
        (status = 400, description = "Fields are wrong, a pool is named twice, or a team, category or course is not there for \
            this: the text names it"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such organization"),
    )
)]
#[put("/worklete_admin/organizations/{organization_id}/course_pools")]
pub(crate) async fn set_course_pools(
    caller: Caller,
    training: Data<TrainingService>,
    organization: Path<Uuid>,
    body: JsonList<SetCoursePoolRequest>,
) -> ApiResult<HttpResponse> {
    let changes = pool_changes(body.0).map_err(ApiError::invalid)?;
    let organization = OrgId::new(organization.into_inner());
    let pools = training.set_course_pools(&caller.actor, organization, changes).await?;
    let pools: Vec<_> = pools.into_iter().map(CoursePoolResponse::from).collect();
    Ok(HttpResponse::Ok().json(pools))
}
