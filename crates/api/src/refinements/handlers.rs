use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, patch, post};
use domain_kernel::{RefinementId, TeamId};
use domain_teams::TeamService;
use uuid::Uuid;

use super::dto::{CreateRefinementRequest, RefinementResponse, UpdateRefinementRequest};
use crate::body::Json;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};

/// List the refinements of a team
///
/// The latest noted first; everything when no page is asked for. For champions on the team, its admins, admins of the
/// organization and staff.
#[utoipa::path(
    tag = "refinements",
    params(("team_id" = Uuid, Path, description = "The team"), PageParams),
    responses(
        (status = 200, description = "An array of refinements", body = [RefinementResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
        (status = 403, description = "A team of your organization that you neither run nor are a champion on"),
        (status = 404, description = "No such team, or not one of your organization"),
    )
)]
#[get("/worklete_admin/teams/{team_id}/refinements")]
pub(crate) async fn list_refinements(
    request: HttpRequest,
    caller: Caller,
    teams: Data<TeamService>,
    team: Path<Uuid>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let page =
        teams.list_refinements(&caller.actor, TeamId::new(team.into_inner()), paging.request()).await?;
    Ok(paging.answer::<_, RefinementResponse>(&request, page))
}

/// Create a refinement
///
/// Notes practice on the floor. For champions on the team, its admins, admins of the organization and staff admins.
#[utoipa::path(
    tag = "refinements",
    params(("team_id" = Uuid, Path, description = "The team")),
    request_body = CreateRefinementRequest,
    responses(
        (status = 201, description = "The refinement", body = RefinementResponse),
        (status = 400, description = "The data is missing, no object or too long, or a key of it is wrong, which is named"),
        (status = 403, description = "A team of your organization that you neither run nor are a champion on"),
        (status = 404, description = "No such team, or not one of your organization"),
    )
)]
#[post("/worklete_admin/teams/{team_id}/refinements")]
pub(crate) async fn create_refinement(
    caller: Caller,
    teams: Data<TeamService>,
    team: Path<Uuid>,
    body: Json<CreateRefinementRequest>,
) -> ApiResult<HttpResponse> {
    let data = body.0.data().map_err(ApiError::invalid)?;
    let refinement = teams.create_refinement(&caller.actor, TeamId::new(team.into_inner()), data).await?;
    Ok(HttpResponse::Created().json(RefinementResponse::from(refinement)))
}

/// Get a refinement
///
/// For champions on the team, its admins, admins of the organization and staff.
#[utoipa::path(
    tag = "refinements",
    params(
        ("team_id" = Uuid, Path, description = "The team"),
        ("refinement_id" = Uuid, Path, description = "The refinement"),
    ),
    responses(
        (status = 200, description = "The refinement", body = RefinementResponse),
        (status = 403, description = "A team of your organization that you neither run nor are a champion on"),
        (status = 404, description = "No such team or refinement, or not one of your organization"),
    )
)]
#[get("/worklete_admin/teams/{team_id}/refinements/{refinement_id}")]
pub(crate) async fn get_refinement(
    caller: Caller,
    teams: Data<TeamService>,
    path: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let (team, id) = path.into_inner();
    let refinement = teams.get_refinement(&caller.actor, TeamId::new(team), RefinementId::new(id)).await?;
    Ok(HttpResponse::Ok().json(RefinementResponse::from(refinement)))
}

/// Update a refinement
///
/// `data` is replaced as a whole; without it nothing changes. For those who may create refinements of the team: their own
/// ones. Staff admins change all.
#[utoipa::path(
    tag = "refinements",
    params(
        ("team_id" = Uuid, Path, description = "The team"),
        ("refinement_id" = Uuid, Path, description = "The refinement"),
    ),
    request_body = UpdateRefinementRequest,
    responses(
        (status = 200, description = "The refinement as it is now", body = RefinementResponse),
        (status = 400, description = "The data is null, no object or too long, or a key of it is wrong, which is named"),
        (status = 403, description = "Somebody else noted it, or you may not note refinements of this team"),
        (status = 404, description = "No such team or refinement, or not one of your organization"),
    )
)]
#[patch("/worklete_admin/teams/{team_id}/refinements/{refinement_id}")]
pub(crate) async fn update_refinement(
    caller: Caller,
    teams: Data<TeamService>,
    path: Path<(Uuid, Uuid)>,
    body: Json<UpdateRefinementRequest>,
) -> ApiResult<HttpResponse> {
    let (team, id) = path.into_inner();
    let data = body.0.data().map_err(ApiError::invalid)?;
    let (team, id) = (TeamId::new(team), RefinementId::new(id));
    let refinement = teams.update_refinement(&caller.actor, team, id, data).await?;
    Ok(HttpResponse::Ok().json(RefinementResponse::from(refinement)))
}
