use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, patch, post};
use domain_kernel::{OrgId, TeamId};
use domain_teams::TeamService;
use uuid::Uuid;

use super::dto::{ChangeOrganizationTeamBody, CreateOrganizationTeamBody, TeamResponse};
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};

/// List the teams of an organization
///
/// By name; everything when no page is asked for. Pages count from 1. For staff.
#[utoipa::path(
    tag = "teams",
    params(("organization_id" = Uuid, Path, description = "The organization"), PageParams),
    responses(
        (status = 200, description = "An array of teams", body = [TeamResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such organization"),
    )
)]
#[get("/worklete_admin/organizations/{organization_id}/teams")]
pub(crate) async fn list_organization_teams(
    request: HttpRequest,
    caller: Caller,
    teams: Data<TeamService>,
    organization: Path<Uuid>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let organization = OrgId::new(organization.into_inner());
    let page = teams.list_teams(&caller.actor, organization, paging.request()).await?;
    Ok(paging.answer::<_, TeamResponse>(&request, page))
}

/// Create a team with its people
///
/// For staff admins.
#[utoipa::path(
    tag = "teams",
    params(("organization_id" = Uuid, Path, description = "The organization")),
    request_body = CreateOrganizationTeamBody,
    responses(
        (status = 201, description = "A team", body = TeamResponse),
        (status = 400, description = "Fields are wrong; or somebody is no member of the organization, or has left: the text \
            names them"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such organization"),
        (status = 409, description = "`team_name_taken` or `external_id_taken`: the organization has such a team"),
    )
)]
#[post("/worklete_admin/organizations/{organization_id}/teams")]
pub(crate) async fn create_organization_team(
    caller: Caller,
    teams: Data<TeamService>,
    organization: Path<Uuid>,
    body: CreateOrganizationTeamBody,
) -> ApiResult<HttpResponse> {
    let command = body.0.command(OrgId::new(organization.into_inner())).map_err(ApiError::invalid)?;
    let team = teams.create_organization_team(&caller.actor, command).await?;
    Ok(HttpResponse::Created().json(TeamResponse::from(team)))
}

/// Get a team of an organization
///
/// For staff.
#[utoipa::path(
    tag = "teams",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("team_id" = Uuid, Path, description = "The team"),
    ),
    responses(
        (status = 200, description = "A team", body = TeamResponse),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such team in this organization"),
    )
)]
#[get("/worklete_admin/organizations/{organization_id}/teams/{team_id}")]
pub(crate) async fn get_organization_team(
    caller: Caller,
    teams: Data<TeamService>,
    path: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let (organization, team) = (OrgId::new(path.0), TeamId::new(path.1));
    let team = teams.get_organization_team(&caller.actor, organization, team).await?;
    Ok(HttpResponse::Ok().json(TeamResponse::from(team)))
}

/// Change a team and its people
///
/// The lists replace as a whole, in one step: who is not named leaves the team or loses their say in it; who stays keeps the
/// time of joining. Who joins or leaves loses an assignment of a course pool that is not begun and whose course is in none of
/// their lists any more. For staff admins.
#[utoipa::path(
    tag = "teams",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("team_id" = Uuid, Path, description = "The team"),
    ),
    request_body = ChangeOrganizationTeamBody,
    responses(
        (status = 200, description = "The team as it is now", body = TeamResponse),
        (status = 400, description = "Fields are wrong; or somebody is no member of the organization, or has left: the text \
            names them"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such team in this organization"),
        (status = 409, description = "`team_name_taken` or `external_id_taken`: the organization has such a team"),
    )
)]
#[patch("/worklete_admin/organizations/{organization_id}/teams/{team_id}")]
pub(crate) async fn change_organization_team(
    caller: Caller,
    teams: Data<TeamService>,
    path: Path<(Uuid, Uuid)>,
    body: ChangeOrganizationTeamBody,
) -> ApiResult<HttpResponse> {
    let change = body.0.try_into().map_err(ApiError::invalid)?;
    let (organization, team) = (OrgId::new(path.0), TeamId::new(path.1));
    let team = teams.change_organization_team(&caller.actor, organization, team, change).await?;
    Ok(HttpResponse::Ok().json(TeamResponse::from(team)))
}
