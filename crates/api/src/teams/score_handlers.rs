use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use domain_kernel::{OrgId, TeamId};
use domain_teams::TeamService;
use uuid::Uuid;

use super::score_dto::{ScoredTeamResponse, TeamScoreResponse};
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::paging::{FirstPage, PageParams, Unasked};

const MEDIAN_SCORE: HeaderName = HeaderName::from_static("x-organization-median-score");

/// Get the score of a team
///
/// The Worklete score over the last four weeks that are over (the last two months where lessons are monthly), in the
/// organization's time zone. Whole for those who run the team, admins of the organization and staff; people on the team get
/// the total only.
#[utoipa::path(
    tag = "teams",
    params(("team_id" = Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "The score", body = TeamScoreResponse),
        (status = 403, description = "Not your team"),
        (status = 404, description = "No such team, or not one of your organization"),
    )
)]
#[get("/teams/{team_id}/worklete_score")]
pub(crate) async fn get_team_score(
    caller: Caller,
    teams: Data<TeamService>,
    team: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let team = team.into_inner();
    let score = teams.get_team_score(&caller.actor, TeamId::new(team)).await?;
    Ok(HttpResponse::Ok().json(TeamScoreResponse::new(team, &score)))
}

/// Compare the scores of an organization's teams
///
/// The best first. For the order, the participation of small teams is drawn towards the average of the organization, since few
/// lessons are a matter of luck; equal teams come by name, those without a score last. A new week enters half an hour after the
/// old one is over. Everything when no page is asked for.
/// All teams for admins of the organization and staff; those who run teams see their own ones, and the median of all.
#[utoipa::path(
    tag = "teams",
    params(("organization_id" = Uuid, Path, description = "The organization"), PageParams),
    responses(
        (status = 200, description = "An array of teams with their scores", body = [ScoredTeamResponse],
            headers(("x-organization-median-score" = u8, description = "The middle score of all teams of the organization; absent when no team has one"))),
        (status = 400, description = "`page` or `size` is no number, or too small"),
        (status = 403, description = "You run no team here"),
        (status = 404, description = "No such organization, or not one of yours"),
    )
)]
#[get("/organizations/{organization_id}/teams/scores")]
pub(crate) async fn list_team_scores(
    request: HttpRequest,
    caller: Caller,
    teams: Data<TeamService>,
    organization: Path<Uuid>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let organization = OrgId::new(organization.into_inner());
    let scores = teams.list_team_scores(&caller.actor, organization, paging.request()).await?;
    let mut answer = paging.answer::<_, ScoredTeamResponse>(&request, scores.page);
    if let Some(median) = scores.median {
        answer.headers_mut().insert(MEDIAN_SCORE, HeaderValue::from(u16::from(median)));
    }
    Ok(answer)
}
