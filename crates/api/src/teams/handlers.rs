use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, post};
use domain_kernel::OrgId;
use domain_teams::TeamService;
use uuid::Uuid;

use super::dto::{CreateTeamRequest, TeamResponse};
use crate::body::Json;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};

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
