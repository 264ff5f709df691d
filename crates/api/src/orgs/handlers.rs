use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, patch, post};
use domain_kernel::OrgId;
use domain_orgs::OrgService;
use uuid::Uuid;

use super::dto::{
    ChangeOrganizationBody, CreateOrganizationBody, OrganizationResponse, UpdateOrganizationRequest,
};
use crate::body::Json;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};

/// Create an organization
///
/// Weekly lessons, UTC and no grace days, until its settings say otherwise. For staff admins.
#[utoipa::path(
    tag = "organizations",
    request_body = CreateOrganizationBody,
    responses(
        (status = 201, description = "The organization", body = OrganizationResponse),
        (status = 400, description = "Fields are wrong"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 409, description = "`s3_integrations_folder_taken`: another organization uses the folder"),
    )
)]
#[post("/worklete_admin/organizations")]
pub(crate) async fn create_organization(
    caller: Caller,
    orgs: Data<OrgService>,
    body: CreateOrganizationBody,
) -> ApiResult<HttpResponse> {
    let organization =
        orgs.create_organization(&caller.actor, body.0.try_into().map_err(ApiError::invalid)?).await?;
    Ok(HttpResponse::Created().json(OrganizationResponse::new(organization, &caller.actor)))
}

/// List organizations
///
/// All there are, by name; everything when no page is asked for. For staff.
#[utoipa::path(
    tag = "organizations",
    params(PageParams),
    responses(
        (status = 200, description = "An array of organizations", body = [OrganizationResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
        (status = 403, description = "`staff_only`"),
    )
)]
#[get("/worklete_admin/organizations")]
pub(crate) async fn list_organizations(
    request: HttpRequest,
    caller: Caller,
    orgs: Data<OrgService>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let page = orgs.list_organizations(&caller.actor, paging.request()).await?;
    let page = page.map(|organization| OrganizationResponse::new(organization, &caller.actor));
    Ok(paging.answer::<_, OrganizationResponse>(&request, page))
}

/// Get an organization
///
/// With all of its settings. For staff.
#[utoipa::path(
    tag = "organizations",
    params(("organization_id" = Uuid, Path, description = "The organization")),
    responses(
        (status = 200, description = "The organization", body = OrganizationResponse),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such organization"),
    )
)]
#[get("/worklete_admin/organizations/{organization_id}")]
pub(crate) async fn get_organization(
    caller: Caller,
    orgs: Data<OrgService>,
    organization: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let id = OrgId::new(organization.into_inner());
    let organization = orgs.get_organization(&caller.actor, id).await?;
    Ok(HttpResponse::Ok().json(OrganizationResponse::new(organization, &caller.actor)))
}

/// Change an organization
///
/// Its name, its folder and its settings. Another calendar or late window makes the scores that are not final be counted anew.
/// For staff admins.
#[utoipa::path(
    tag = "organizations",
    params(("organization_id" = Uuid, Path, description = "The organization")),
    request_body = ChangeOrganizationBody,
    responses(
        (status = 200, description = "The organization as it is now", body = OrganizationResponse),
        (status = 400, description = "Fields are wrong"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such organization"),
        (status = 409, description = "`s3_integrations_folder_taken`, or `identity_provider_missing`: single sign-on cannot be \
            enforced without one"),
    )
)]
#[patch("/worklete_admin/organizations/{organization_id}")]
pub(crate) async fn change_organization(
    caller: Caller,
    orgs: Data<OrgService>,
    organization: Path<Uuid>,
    body: ChangeOrganizationBody,
) -> ApiResult<HttpResponse> {
    let change = body.0.try_into().map_err(ApiError::invalid)?;
    let id = OrgId::new(organization.into_inner());
    let organization = orgs.change_organization(&caller.actor, id, change).await?;
    Ok(HttpResponse::Ok().json(OrganizationResponse::new(organization, &caller.actor)))
}

/// List own organizations
///
/// Those that the caller is an active member of, by name; everything when no page is asked for. Its admins read the settings
/// of an organization, too.
#[utoipa::path(
    tag = "organizations",
    params(PageParams),
    responses(
        (status = 200, description = "An array of organizations", body = [OrganizationResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
    )
)]
#[get("/organizations")]
pub(crate) async fn list_own_organizations(
    request: HttpRequest,
    caller: Caller,
    orgs: Data<OrgService>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let page = orgs.list_own_organizations(&caller.actor, paging.request()).await?;
    let page = page.map(|organization| OrganizationResponse::new(organization, &caller.actor));
    Ok(paging.answer::<_, OrganizationResponse>(&request, page))
}

/// Set the identity provider of an organization
///
/// For admins of the organization and staff admins.
#[utoipa::path(
    tag = "organizations",
    params(("organization_id" = Uuid, Path, description = "The organization")),
    request_body = UpdateOrganizationRequest,
    responses(
        (status = 200, description = "The organization as it is now", body = OrganizationResponse),
        (status = 400, description = "The document is blank or too long"),
        (status = 403, description = "Only admins of the organization set its identity provider"),
        (status = 404, description = "No such organization, or not one of yours"),
    )
)]
#[patch("/organizations/{organization_id}")]
pub(crate) async fn update_organization(
    caller: Caller,
    orgs: Data<OrgService>,
    organization: Path<Uuid>,
    body: Json<UpdateOrganizationRequest>,
) -> ApiResult<HttpResponse> {
    let saml_info = body.0.saml_info().map_err(ApiError::invalid)?;
    let id = OrgId::new(organization.into_inner());
    let organization = orgs.set_identity_provider(&caller.actor, id, saml_info).await?;
    Ok(HttpResponse::Ok().json(OrganizationResponse::new(organization, &caller.actor)))
}
