use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, post};
use domain_kernel::{ImportId, OrgId};
use domain_memberships::roster::RosterService;
use uuid::Uuid;

use super::dto::{
    ImportDetailsResponse, ImportParams, ImportResponse, StartImportRequest, UploadParams, UploadResponse,
};
use super::report::Report;
use crate::body::Json;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};

/// Get a signed upload for a roster
///
/// For putting one CSV file into the organization's folder, within 15 minutes, with exactly the method and the headers that are told,
/// and once. What the file says is applied soon after; the import can be read at once. See the guide to rosters for the columns.
/// For staff.
#[utoipa::path(
    tag = "rosters",
    params(("organization_id" = Uuid, Path, description = "The organization"), UploadParams),
    responses(
        (status = 200, description = "What the request must be like", body = UploadResponse),
        (status = 400, description = "`mode` is neither `delta` nor `snapshot`"),
        (status = 403, description = "`forbidden` for staff who only read; `staff_only`"),
        (status = 404, description = "No such organization"),
        (status = 503, description = "`storage_not_configured`, or the storage does not answer"),
    )
)]
#[get("/worklete_admin/organizations/{organization_id}/upload_memberships_csv")]
pub(crate) async fn get_roster_upload(
    caller: Caller,
    rosters: Data<RosterService>,
    organization: Path<Uuid>,
    params: Query<UploadParams>,
) -> ApiResult<HttpResponse> {
    offer_upload(&caller, &rosters, organization.into_inner(), &params).await
}

/// Get a signed upload for a roster
///
/// The same as with GET, for clients that keep answers to GET.
#[utoipa::path(
    tag = "rosters",
    params(("organization_id" = Uuid, Path, description = "The organization"), UploadParams),
    responses(
        (status = 200, description = "What the request must be like", body = UploadResponse),
        (status = 400, description = "`mode` is neither `delta` nor `snapshot`"),
        (status = 403, description = "`forbidden` for staff who only read; `staff_only`"),
        (status = 404, description = "No such organization"),
        (status = 503, description = "`storage_not_configured`, or the storage does not answer"),
    )
)]
#[post("/worklete_admin/organizations/{organization_id}/upload_memberships_csv")]
pub(crate) async fn create_roster_upload(
    caller: Caller,
    rosters: Data<RosterService>,
    organization: Path<Uuid>,
    params: Query<UploadParams>,
) -> ApiResult<HttpResponse> {
    offer_upload(&caller, &rosters, organization.into_inner(), &params).await
}

async fn offer_upload(
    caller: &Caller,
    rosters: &RosterService,
    organization: Uuid,
    params: &UploadParams,
) -> ApiResult<HttpResponse> {
    let mode = params.mode().map_err(ApiError::invalid)?;
    let offer = rosters.request_upload(&caller.actor, OrgId::new(organization), mode).await?;
    Ok(HttpResponse::Ok().json(UploadResponse::from(offer)))
}

/// List imports
///
/// Those of an organization, the newest first, 25 unless asked otherwise. For staff.
#[utoipa::path(
    tag = "rosters",
    params(("organization_id" = Uuid, Path, description = "The organization"), ImportParams, PageParams),
    responses(
        (status = 200, description = "An array of imports", body = [ImportResponse]),
        (status = 400, description = "`state` is unknown, or `page` or `size` is no number, or too small"),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such organization"),
    )
)]
#[get("/worklete_admin/organizations/{organization_id}/imports")]
pub(crate) async fn list_imports(
    request: HttpRequest,
    caller: Caller,
    rosters: Data<RosterService>,
    organization: Path<Uuid>,
    wanted: Query<ImportParams>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let state = wanted.state().map_err(ApiError::invalid)?;
    let paging = params.paging(FirstPage::One, Unasked::Size(25))?;
    let organization = OrgId::new(organization.into_inner());
    let page = rosters.list_imports(&caller.actor, organization, state, paging.request()).await?;
    Ok(paging.answer::<_, ImportResponse>(&request, page))
}

/// Import a file
///
/// Of a file that lies in the organization's folder. Files are found there by themselves, too, but not at once. The same file with the same
/// content is imported once: asking again gives the import that there is. A dry run only tells what would be done, each time anew.
/// For staff.
#[utoipa::path(
    tag = "rosters",
    params(("organization_id" = Uuid, Path, description = "The organization")),
    request_body = StartImportRequest,
    responses(
        (status = 200, description = "The import that there was already", body = ImportResponse),
        (status = 201, description = "A new import, queued", body = ImportResponse),
        (status = 400, description = "`validation_failed`: `key` does not lie in the organization's folder, is not there, or is too \
            large; `mode` is unknown"),
        (status = 403, description = "`forbidden` for staff who only read; `staff_only`"),
        (status = 404, description = "No such organization"),
        (status = 503, description = "`storage_not_configured`, or the storage does not answer"),
    )
)]
#[post("/worklete_admin/organizations/{organization_id}/imports")]
pub(crate) async fn start_import(
    caller: Caller,
    rosters: Data<RosterService>,
    organization: Path<Uuid>,
    body: Json<StartImportRequest>,
) -> ApiResult<HttpResponse> {
    let command = body.0.command(OrgId::new(organization.into_inner())).map_err(ApiError::invalid)?;
    let (import, is_new) = rosters.start_import(&caller.actor, command).await?;
    let mut answer = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.json(ImportResponse::from(import)))
}

/// Get an import
///
/// With the first 1,000 things that are wrong with lines. For staff.
#[utoipa::path(
    tag = "rosters",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("id" = Uuid, Path, description = "The import")
    ),
    responses(
        (status = 200, description = "An import", body = ImportDetailsResponse),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "The organization has no such import"),
    )
)]
#[get("/worklete_admin/organizations/{organization_id}/imports/{id}")]
pub(crate) async fn get_import(
    caller: Caller,
    rosters: Data<RosterService>,
    ids: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let (organization, id) = ids.into_inner();
    let found = rosters.get_import(&caller.actor, OrgId::new(organization), ImportId::new(id)).await?;
    Ok(HttpResponse::Ok().json(ImportDetailsResponse::from(found)))
}

/// Get the report of an import
///
/// What became of each line, as CSV: `line`, `action`, `key` (number or address), `membership_id`, `column`, `code`, `message`, `value`; a
/// line with several things wrong stands there several times, and who is not in a snapshot has no line. Values that a spreadsheet
/// would take for a formula begin with `'`. For staff.
#[utoipa::path(
    tag = "rosters",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("id" = Uuid, Path, description = "The import")
    ),
    responses(
        (status = 200, description = "The report so far", body = String, content_type = "text/csv"),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "The organization has no such import"),
    )
)]
#[get("/worklete_admin/organizations/{organization_id}/imports/{id}/report.csv")]
pub(crate) async fn get_import_report(
    caller: Caller,
    rosters: Data<RosterService>,
    ids: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let (organization, id) = ids.into_inner();
    let (organization, import) = (OrgId::new(organization), ImportId::new(id));
    let rows = rosters.read_report(&caller.actor, organization, import, 0).await?;
    let rosters = rosters.get_ref().clone();
    Ok(Report { rosters, actor: caller.actor, organization, import, rows }.answer())
}

/// Confirm an import
///
/// Of one that is held: it is applied, whatever it does. For staff.
#[utoipa::path(
    tag = "rosters",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("id" = Uuid, Path, description = "The import")
    ),
    responses(
        (status = 200, description = "The import, queued", body = ImportResponse),
        (status = 403, description = "`forbidden` for staff who only read; `staff_only`"),
        (status = 404, description = "The organization has no such import"),
        (status = 409, description = "`import_not_held`"),
    )
)]
#[post("/worklete_admin/organizations/{organization_id}/imports/{id}/confirm")]
pub(crate) async fn confirm_import(
    caller: Caller,
    rosters: Data<RosterService>,
    ids: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let (organization, id) = ids.into_inner();
    let import = rosters.confirm_import(&caller.actor, OrgId::new(organization), ImportId::new(id)).await?;
    Ok(HttpResponse::Ok().json(ImportResponse::from(import)))
}

/// Cancel an import
///
/// Of one that has not ended. What was applied of it stays. Cancelling again does nothing. For staff.
#[utoipa::path(
    tag = "rosters",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("id" = Uuid, Path, description = "The import")
    ),
    responses(
        (status = 200, description = "The import, cancelled", body = ImportResponse),
        (status = 403, description = "`forbidden` for staff who only read; `staff_only`"),
        (status = 404, description = "The organization has no such import"),
        (status = 409, description = "`import_ended`: it is done or has failed"),
    )
)]
#[post("/worklete_admin/organizations/{organization_id}/imports/{id}/cancel")]
pub(crate) async fn cancel_import(
    caller: Caller,
    rosters: Data<RosterService>,
    ids: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let (organization, id) = ids.into_inner();
    let import = rosters.cancel_import(&caller.actor, OrgId::new(organization), ImportId::new(id)).await?;
    Ok(HttpResponse::Ok().json(ImportResponse::from(import)))
}
