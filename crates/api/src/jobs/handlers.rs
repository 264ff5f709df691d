use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use domain_jobs::JobService;

use super::dto::{JobParams, JobResponse};
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};

/// List jobs
///
/// What is done after an answer, such as roster imports, and how far it is; the newest first. For staff.
#[utoipa::path(
    tag = "jobs",
    params(JobParams, PageParams),
    responses(
        (status = 200, description = "An array of jobs", body = [JobResponse]),
        (status = 400, description = "A filter is wrong, or `page` or `size` is no number, or too small"),
        (status = 403, description = "`staff_only`"),
    )
)]
#[get("/worklete_admin/jobs")]
pub(crate) async fn list_jobs(
    request: HttpRequest,
    caller: Caller,
    jobs: Data<JobService>,
    filter: Query<JobParams>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Size(25))?;
    let filter = filter.filter().map_err(ApiError::invalid)?;
    let page = jobs.list_jobs(&caller.actor, filter, paging.request()).await?;
    Ok(paging.answer::<_, JobResponse>(&request, page))
}
