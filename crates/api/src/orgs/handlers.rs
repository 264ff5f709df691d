use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use domain_orgs::OrgService;

use super::dto::{CreateOrganizationRequest, StaffOrganizationResponse};
use crate::body::Json;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};

/// Create an organization
///
/// Weekly lessons, UTC and no grace days, until its settings say otherwise. For staff admins.
#[utoipa::path(
    tag = "organizations",
    request_body = CreateOrganizationRequest,
    responses(
        (status = 201, description = "The organization", body = StaffOrganizationResponse),
        (status = 400, description = "Fields are wrong"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 409, description = "`s3_integrations_folder_taken`: another organization uses the folder"),
    )
)]
#[post("/worklete_admin/organizations")]
pub(crate) async fn create_organization(
    caller: Caller,
    orgs: Data<OrgService>,
    body: Json<CreateOrganizationRequest>,
) -> ApiResult<HttpResponse> {
    let organization =
        orgs.create_organization(&caller.actor, body.0.try_into().map_err(ApiError::invalid)?).await?;
    Ok(HttpResponse::Created().json(StaffOrganizationResponse::from(organization)))
}
