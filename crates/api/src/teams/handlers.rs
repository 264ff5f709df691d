use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put};
use domain_kernel::{MembershipId, OrgId, TeamId};
use domain_teams::{AddedAdmin, TeamService};
use uuid::Uuid;

use super::dto::{
    AddTeamAdminRequest, CreateTeamRequest, RenameTeamRequest, TeamAdminResponse, TeamResponse,
};
use crate::body::Json;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};

/// Create a team
///
/// For admins of the organization and staff admins.
#[utoipa::path(
    tag = "teams",
    params(("organization_id" = Uuid, Path, description = "The organization")),
    request_body = CreateTeamRequest,
    responses(
        (status = 201, description = "A team", body = TeamResponse),
        (status = 400, description = "The name is missing or too long"),
        (status = 403, description = "Members do not open teams"),
        (status = 404, description = "No such organization, or not one of yours"),
        (status = 409, description = "`team_name_taken`: the organization has a team of this name"),
    )
)]
#[post("/organizations/{organization_id}/teams")]
pub(crate) async fn create_team(
    caller: Caller,
    teams: Data<TeamService>,
    organization: Path<Uuid>,
    body: Json<CreateTeamRequest>,
) -> ApiResult<HttpResponse> {
    let command = body.0.command(OrgId::new(organization.into_inner())).map_err(ApiError::invalid)?;
    let team = teams.create_team(&caller.actor, command).await?;
    Ok(HttpResponse::Created().json(TeamResponse::from(team)))
}

/// List the teams of an organization
///
/// By name. Pages count from **0** here, and here only. For members of the organization and staff.
#[utoipa::path(
    tag = "teams",
    params(("organization_id" = Uuid, Path, description = "The organization"), PageParams),
    responses(
        (status = 200, description = "An array of teams", body = [TeamResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
        (status = 404, description = "No such organization, or not one of yours"),
    )
)]
#[get("/organizations/{organization_id}/teams")]
pub(crate) async fn list_teams(
    request: HttpRequest,
    caller: Caller,
    teams: Data<TeamService>,
    organization: Path<Uuid>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::Zero, Unasked::Size(25))?;
    let organization = OrgId::new(organization.into_inner());
    let page = teams.list_teams(&caller.actor, organization, paging.request()).await?;
    Ok(paging.answer::<_, TeamResponse>(&request, page))
}

/// List the teams one administers
///
/// By name; everything when no page is asked for. Only teams that name the caller as admin: the admin of an organization
/// sees all teams in the full list.
#[utoipa::path(
    tag = "teams",
    params(("organization_id" = Uuid, Path, description = "The organization"), PageParams),
    responses(
        (status = 200, description = "An array of teams", body = [TeamResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
        (status = 404, description = "No such organization, or not one of yours"),
    )
)]
#[get("/organizations/{organization_id}/teams/administered")]
pub(crate) async fn list_administered_teams(
    request: HttpRequest,
    caller: Caller,
    teams: Data<TeamService>,
    organization: Path<Uuid>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let organization = OrgId::new(organization.into_inner());
    let page = teams.list_administered_teams(&caller.actor, organization, paging.request()).await?;
    Ok(paging.answer::<_, TeamResponse>(&request, page))
}

/// List the teams of a membership
///
/// By name; everything when no page is asked for. For the person, admins of the organization and staff.
#[utoipa::path(
    tag = "memberships",
    params(("membership_id" = Uuid, Path, description = "The membership"), PageParams),
    responses(
        (status = 200, description = "An array of teams", body = [TeamResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
        (status = 403, description = "Somebody else of your organization"),
        (status = 404, description = "No such membership, or not one of your organization"),
    )
)]
#[get("/memberships/{membership_id}/teams")]
pub(crate) async fn list_teams_of_membership(
    request: HttpRequest,
    caller: Caller,
    teams: Data<TeamService>,
    membership: Path<Uuid>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let membership = MembershipId::new(membership.into_inner());
    let page = teams.list_teams_of_membership(&caller.actor, membership, paging.request()).await?;
    Ok(paging.answer::<_, TeamResponse>(&request, page))
}

/// Get a team
///
/// For members of the team, admins of the organization and staff.
#[utoipa::path(
    tag = "teams",
    params(("team_id" = Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "A team", body = TeamResponse),
        (status = 403, description = "A team of your organization that you are not on"),
        (status = 404, description = "No such team, or not one of your organization"),
    )
)]
#[get("/teams/{team_id}")]
pub(crate) async fn get_team(
    caller: Caller,
    teams: Data<TeamService>,
    team: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let team = teams.get_team(&caller.actor, TeamId::new(team.into_inner())).await?;
    Ok(HttpResponse::Ok().json(TeamResponse::from(team)))
}

/// Update a team
///
/// Without a name nothing changes. For admins of the team and of the organization, and staff admins.
#[utoipa::path(
    tag = "teams",
    params(("team_id" = Uuid, Path, description = "The team")),
    request_body = RenameTeamRequest,
    responses(
        (status = 200, description = "The team as it is now", body = TeamResponse),
        (status = 400, description = "The name is blank or too long"),
        (status = 403, description = "Members do not rename teams"),
        (status = 404, description = "No such team, or not one of your organization"),
        (status = 409, description = "`team_name_taken`: the organization has a team of this name"),
    )
)]
#[patch("/teams/{team_id}")]
pub(crate) async fn update_team(
    caller: Caller,
    teams: Data<TeamService>,
    team: Path<Uuid>,
    body: Json<RenameTeamRequest>,
) -> ApiResult<HttpResponse> {
    let name = body.0.change().map_err(ApiError::invalid)?;
    let team = teams.rename_team(&caller.actor, TeamId::new(team.into_inner()), name).await?;
    Ok(HttpResponse::Ok().json(TeamResponse::from(team)))
}

/// Replace a team
///
/// Like PATCH, but the name is needed. For admins of the team and of the organization, and staff admins.
#[utoipa::path(
    tag = "teams",
    params(("team_id" = Uuid, Path, description = "The team")),
    request_body = RenameTeamRequest,
    responses(
        (status = 200, description = "The team as it is now", body = TeamResponse),
        (status = 400, description = "The name is missing, blank or too long"),
        (status = 403, description = "Members do not rename teams"),
        (status = 404, description = "No such team, or not one of your organization"),
        (status = 409, description = "`team_name_taken`: the organization has a team of this name"),
    )
)]
#[put("/teams/{team_id}")]
pub(crate) async fn replace_team(
    caller: Caller,
    teams: Data<TeamService>,
    team: Path<Uuid>,
    body: Json<RenameTeamRequest>,
) -> ApiResult<HttpResponse> {
    let name = body.0.replacement().map_err(ApiError::invalid)?;
    let team = teams.rename_team(&caller.actor, TeamId::new(team.into_inner()), Some(name)).await?;
    Ok(HttpResponse::Ok().json(TeamResponse::from(team)))
}

/// Delete a team
///
/// Its members and admins are let go; their memberships stay. Deleting it again within 30 days answers the same. For admins
/// of the organization and staff admins.
#[utoipa::path(
    tag = "teams",
    params(("team_id" = Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "The team with `deleted_at`", body = TeamResponse),
        (status = 403, description = "Only admins of the organization delete teams"),
        (status = 404, description = "No such team, or not one of your organization"),
    )
)]
#[delete("/teams/{team_id}")]
pub(crate) async fn delete_team(
    caller: Caller,
    teams: Data<TeamService>,
    team: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let team = teams.delete_team(&caller.actor, TeamId::new(team.into_inner())).await?;
    Ok(HttpResponse::Ok().json(TeamResponse::from(team)))
}

/// List the admins of a team
///
/// By last and first name; everything when no page is asked for. For members of the team, admins of the organization and
/// staff.
#[utoipa::path(
    tag = "teams",
    params(("team_id" = Uuid, Path, description = "The team"), PageParams),
    responses(
        (status = 200, description = "An array of team admins", body = [TeamAdminResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
        (status = 403, description = "A team of your organization that you are not on"),
        (status = 404, description = "No such team, or not one of your organization"),
    )
)]
#[get("/teams/{team_id}/admins")]
pub(crate) async fn list_team_admins(
    request: HttpRequest,
    caller: Caller,
    teams: Data<TeamService>,
    team: Path<Uuid>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let team = TeamId::new(team.into_inner());
    let page = teams.list_team_admins(&caller.actor, team, paging.request()).await?;
    Ok(paging.answer::<_, TeamAdminResponse>(&request, page))
}

/// Add an admin to a team
///
/// Doing it again changes nothing and answers 200. For admins of the organization and staff admins.
#[utoipa::path(
    tag = "teams",
    params(("team_id" = Uuid, Path, description = "The team")),
    request_body = AddTeamAdminRequest,
    responses(
        (status = 201, description = "Who runs the team from now on", body = TeamAdminResponse),
        (status = 200, description = "Who ran it already", body = TeamAdminResponse),
        (status = 400, description = "`membership_id` is missing, or `team_id` is not the one of the path"),
        (status = 403, description = "Only admins of the organization say who runs a team"),
        (status = 404, description = "No such team or membership, or not of your organization"),
    )
)]
#[post("/teams/{team_id}/admins")]
pub(crate) async fn add_team_admin(
    caller: Caller,
    teams: Data<TeamService>,
    team: Path<Uuid>,
    body: Json<AddTeamAdminRequest>,
) -> ApiResult<HttpResponse> {
    let membership = body.0.membership(*team).map_err(ApiError::invalid)?;
    let added = teams.add_team_admin(&caller.actor, TeamId::new(*team), membership).await?;
    let (mut response, admin) = match added {
        AddedAdmin::Added(admin) => (HttpResponse::Created(), admin),
        AddedAdmin::AlreadyThere(admin) => (HttpResponse::Ok(), admin),
    };
    Ok(response.json(TeamAdminResponse::from(admin)))
}

/// Remove an admin from a team
///
/// The membership stays. For admins of the organization and staff admins.
#[utoipa::path(
    tag = "teams",
    params(
        ("team_id" = Uuid, Path, description = "The team"),
        ("admin_id" = Uuid, Path, description = "The membership of the admin"),
    ),
    responses(
        (status = 200, description = "Who ran the team until now", body = TeamAdminResponse),
        (status = 403, description = "Only admins of the organization say who runs a team"),
        (status = 404, description = "No such team, not of your organization, or they do not run it"),
    )
)]
#[delete("/teams/{team_id}/admins/{admin_id}")]
pub(crate) async fn remove_team_admin(
    caller: Caller,
    teams: Data<TeamService>,
    path: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let (team, admin) = path.into_inner();
    let removed = teams.remove_team_admin(&caller.actor, TeamId::new(team), MembershipId::new(admin)).await?;
    Ok(HttpResponse::Ok().json(TeamAdminResponse::from(removed)))
}
