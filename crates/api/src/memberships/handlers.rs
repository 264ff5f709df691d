use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use domain_kernel::{InvitationId, MembershipId, OrgId, TeamId};
use domain_memberships::ports::MemberSearch;
use domain_memberships::{Added, MembershipService, Reader, RosterChange, WantedStatus};
use uuid::Uuid;

use super::dto::{
    CreateMembershipRequest, FoundMemberResponse, InvitationParams, InvitationPreviewResponse,
    InvitationResponse, MembershipResponse, OrgAdminParams, ScopeParams, TeamMemberResponse,
    UpdateMembershipRequest, parse_code,
};
use crate::body::{Json, Params};
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};
use crate::search::SearchParams;
use crate::visitor::Visitor;

/// Create a membership
///
/// Puts a person on the roster and makes the invitation whose code they sign up with. If the external id belongs to somebody
/// who had left, that membership is taken up again and answered 200. For admins of the organization and staff admins.
#[utoipa::path(
    tag = "memberships",
    params(("organization_id" = Uuid, Path, description = "The organization")),
    request_body = CreateMembershipRequest,
    responses(
        (status = 201, description = "The new membership with its invite code", body = MembershipResponse),
        (status = 200, description = "The membership that was taken up again", body = MembershipResponse),
        (status = 400, description = "Fields are wrong, or a team is not one of the organization"),
        (status = 403, description = "Members do not change the roster"),
        (status = 404, description = "No such organization, or not one of yours"),
        (status = 409, description = "`external_id_taken`: it belongs to another member"),
    )
)]
#[post("/organizations/{organization_id}/memberships")]
pub(crate) async fn create_membership(
    caller: Caller,
    memberships: Data<MembershipService>,
    organization: Path<Uuid>,
    body: Json<CreateMembershipRequest>,
) -> ApiResult<HttpResponse> {
    let command = body.0.command(OrgId::new(organization.into_inner())).map_err(ApiError::invalid)?;
    let (added, invited) = memberships.create_membership(&caller.actor, command).await?;
    let (mut response, view) = match added {
        Added::Created(view) => (HttpResponse::Created(), view),
        Added::Reactivated(view) => (HttpResponse::Ok(), view),
    };
    mail_later(&memberships, &caller, invited);
    Ok(response.json(MembershipResponse::new(view, Reader::Admin)))
}

/// Mails an invitation after the answer: a mail server may be slow, and the invitation is good without the mail.
fn mail_later(memberships: &Data<MembershipService>, caller: &Caller, invitation: Option<InvitationId>) {
    let Some(id) = invitation else { return };
    let (memberships, request_id) = (memberships.clone(), caller.actor.origin.request_id.clone());
    actix_web::rt::spawn(async move {
        if let Err(error) = memberships.mail_invitation(id).await {
            let cause = ApiError::from(error).causes();
            tracing::error!(request_id, cause, "an invitation could not be mailed");
        }
    });
}

/// Change a membership
///
/// Deactivating ends the person's rights, their invitation, and their sessions if they belong nowhere else. Activating takes
/// the same membership up again: at once, or pending with a new invite code if its person has no account. The last active
/// admin of the organization stays. For admins of the organization and staff admins.
#[utoipa::path(
    tag = "memberships",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("id" = Uuid, Path, description = "The membership"),
    ),
    request_body = UpdateMembershipRequest,
    responses(
        (status = 200, description = "The membership as it is now", body = MembershipResponse),
        (status = 400, description = "Fields are wrong, or a team is not one of the organization"),
        (status = 403, description = "Members do not change the roster"),
        (status = 404, description = "No such membership in this organization, or not one of yours"),
        (status = 409, description = "`not_joined`, `membership_deactivated`, `last_org_admin` or `external_id_taken`"),
    )
)]
#[patch("/organizations/{organization_id}/memberships/{id}")]
pub(crate) async fn update_membership(
    caller: Caller,
    memberships: Data<MembershipService>,
    path: Path<(Uuid, Uuid)>,
    body: Json<UpdateMembershipRequest>,
) -> ApiResult<HttpResponse> {
    let change = body.0.change().map_err(ApiError::invalid)?;
    change_membership(&caller, &memberships, path.into_inner(), change).await
}

/// Deactivate a membership
///
/// The same as changing its `status`. Doing it again changes nothing. For admins of the organization and staff admins.
#[utoipa::path(
    tag = "memberships",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("id" = Uuid, Path, description = "The membership"),
    ),
    responses(
        (status = 200, description = "The membership as it is now", body = MembershipResponse),
        (status = 403, description = "Members do not change the roster"),
        (status = 404, description = "No such membership in this organization, or not one of yours"),
        (status = 409, description = "`last_org_admin`: nobody would be left to run the organization"),
    )
)]
#[delete("/organizations/{organization_id}/memberships/{id}")]
pub(crate) async fn deactivate_membership(
    caller: Caller,
    memberships: Data<MembershipService>,
    path: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let change = RosterChange { status: Some(WantedStatus::Deactivated), ..RosterChange::default() };
    change_membership(&caller, &memberships, path.into_inner(), change).await
}

async fn change_membership(
    caller: &Caller,
    memberships: &Data<MembershipService>,
    (organization, id): (Uuid, Uuid),
    change: RosterChange,
) -> ApiResult<HttpResponse> {
    let (organization, id) = (OrgId::new(organization), MembershipId::new(id));
    let (view, invited) = memberships.update_membership(&caller.actor, organization, id, change).await?;
    mail_later(memberships, caller, invited);
    Ok(HttpResponse::Ok().json(MembershipResponse::new(view, Reader::Admin)))
}

/// List the members of a team
///
/// The active ones by last and first name; everything when no page is asked for. Members of the team see names only. For
/// members and admins of the team, admins of the organization and staff.
#[utoipa::path(
    tag = "teams",
    params(("team_id" = Uuid, Path, description = "The team"), PageParams),
    responses(
        (status = 200, description = "An array of memberships", body = [TeamMemberResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
        (status = 403, description = "A team of your organization that you are not on"),
        (status = 404, description = "No such team, or not one of your organization"),
    )
)]
#[get("/teams/{team_id}/memberships")]
pub(crate) async fn list_team_memberships(
    request: HttpRequest,
    caller: Caller,
    memberships: Data<MembershipService>,
    team: Path<Uuid>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let team = TeamId::new(team.into_inner());
    let page = memberships.list_team_memberships(&caller.actor, team, paging.request()).await?;
    let page = page.map(TeamMemberResponse::new);
    Ok(paging.answer::<_, TeamMemberResponse>(&request, page))
}

/// List who of a team has not joined yet
///
/// With the invite codes to hand out, by last and first name; everything when no page is asked for. For admins of the team
/// and of the organization, and staff.
#[utoipa::path(
    tag = "teams",
    params(("team_id" = Uuid, Path, description = "The team"), PageParams),
    responses(
        (status = 200, description = "An array of pending memberships", body = [MembershipResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
        (status = 403, description = "Members do not see invite codes"),
        (status = 404, description = "No such team, or not one of your organization"),
    )
)]
#[get("/teams/{team_id}/pending_memberships")]
pub(crate) async fn list_pending_memberships(
    request: HttpRequest,
    caller: Caller,
    memberships: Data<MembershipService>,
    team: Path<Uuid>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let team = TeamId::new(team.into_inner());
    let page = memberships.list_pending_memberships(&caller.actor, team, paging.request()).await?;
    let page = page.map(|(view, reader)| MembershipResponse::new(view, reader));
    Ok(paging.answer::<_, MembershipResponse>(&request, page))
}

/// Search the members of a team
///
/// Pending and active ones, by name. With `scope=organization` those of the whole organization, so that an admin of a team
/// finds whom to add; of people on none of their teams they see who it is and no more. For admins of the team and of the
/// organization, and staff.
#[utoipa::path(
    tag = "search",
    params(("team_id" = Uuid, Path, description = "The team"), SearchParams, ScopeParams, PageParams),
    responses(
        (status = 200, description = "An array of memberships", body = [FoundMemberResponse]),
        (status = 400, description = "`q` is missing, or another parameter is wrong or unknown"),
        (status = 403, description = "Members do not search"),
        (status = 404, description = "No such team, or not one of your organization"),
    )
)]
#[get("/search/teams/{team_id}/members")]
pub(crate) async fn search_members(
    request: HttpRequest,
    caller: Caller,
    memberships: Data<MembershipService>,
    team: Path<Uuid>,
    search: Query<SearchParams>,
    scope: Query<ScopeParams>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Size(25))?;
    let (words, sort) = search.parse()?;
    let whole_organization = scope.whole_organization().map_err(ApiError::invalid)?;
    let search = MemberSearch { team: TeamId::new(team.into_inner()), words, whole_organization, sort };
    let page = memberships.search_members(&caller.actor, search, paging.request()).await?;
    Ok(paging.answer::<_, FoundMemberResponse>(&request, page))
}

/// List the invitations of an organization
///
/// Newest first; everything when no page is asked for. For admins of the organization and staff admins.
#[utoipa::path(
    tag = "invitations",
    params(("organization_id" = Uuid, Path, description = "The organization"), InvitationParams, PageParams),
    responses(
        (status = 200, description = "An array of invitations", body = [InvitationResponse]),
        (status = 400, description = "A filter, `page` or `size` is wrong"),
        (status = 403, description = "Members do not see invite codes"),
        (status = 404, description = "No such organization, or not one of yours"),
    )
)]
#[get("/organizations/{organization_id}/invitations")]
pub(crate) async fn list_invitations(
    request: HttpRequest,
    caller: Caller,
    memberships: Data<MembershipService>,
    organization: Path<Uuid>,
    filter: Query<InvitationParams>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let filter = filter.filter().map_err(ApiError::invalid)?;
    let organization = OrgId::new(organization.into_inner());
    let page = memberships.list_invitations(&caller.actor, organization, filter, paging.request()).await?;
    Ok(paging.answer::<_, InvitationResponse>(&request, page))
}

/// Resend an invitation
///
/// The same code works for the full time again, and goes out by mail if the roster has an address. For admins of the
/// organization and staff admins.
#[utoipa::path(
    tag = "invitations",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("id" = Uuid, Path, description = "The invitation"),
    ),
    responses(
        (status = 200, description = "The invitation as it is now", body = InvitationResponse),
        (status = 403, description = "Members do not invite"),
        (status = 404, description = "No such invitation in this organization, or not one of yours"),
        (status = 409, description = "`invitation_accepted`, or `invitation_ended`: expired or revoked ones are reissued"),
    )
)]
#[post("/organizations/{organization_id}/invitations/{id}/resend")]
pub(crate) async fn resend_invitation(
    caller: Caller,
    memberships: Data<MembershipService>,
    path: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let (organization, id) = (OrgId::new(path.0), InvitationId::new(path.1));
    let details = memberships.resend_invitation(&caller.actor, organization, id).await?;
    mail_later(&memberships, &caller, Some(details.invitation.id));
    Ok(HttpResponse::Ok().json(InvitationResponse::from(details)))
}

/// Revoke an invitation
///
/// The code works no more. Doing it again changes nothing. For admins of the organization and staff admins.
#[utoipa::path(
    tag = "invitations",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("id" = Uuid, Path, description = "The invitation"),
    ),
    responses(
        (status = 200, description = "The invitation as it is now", body = InvitationResponse),
        (status = 403, description = "Members do not invite"),
        (status = 404, description = "No such invitation in this organization, or not one of yours"),
        (status = 409, description = "`invitation_accepted`, or `invitation_ended`: it has expired"),
    )
)]
#[post("/organizations/{organization_id}/invitations/{id}/revoke")]
pub(crate) async fn revoke_invitation(
    caller: Caller,
    memberships: Data<MembershipService>,
    path: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let (organization, id) = (OrgId::new(path.0), InvitationId::new(path.1));
    let details = memberships.revoke_invitation(&caller.actor, organization, id).await?;
    Ok(HttpResponse::Ok().json(InvitationResponse::from(details)))
}

/// Reissue an invitation
///
/// Makes a new code, takes the old one back, and sends the new one by mail if the roster has an address. For admins of the
/// organization and staff admins.
#[utoipa::path(
    tag = "invitations",
    params(
        ("organization_id" = Uuid, Path, description = "The organization"),
        ("id" = Uuid, Path, description = "The invitation to replace"),
    ),
    responses(
        (status = 201, description = "The new invitation", body = InvitationResponse),
        (status = 403, description = "Members do not invite"),
        (status = 404, description = "No such invitation in this organization, or not one of yours"),
        (status = 409, description = "`invitation_accepted`, or `membership_deactivated`"),
    )
)]
#[post("/organizations/{organization_id}/invitations/{id}/reissue")]
pub(crate) async fn reissue_invitation(
    caller: Caller,
    memberships: Data<MembershipService>,
    path: Path<(Uuid, Uuid)>,
) -> ApiResult<HttpResponse> {
    let (organization, id) = (OrgId::new(path.0), InvitationId::new(path.1));
    let details = memberships.reissue_invitation(&caller.actor, organization, id).await?;
    mail_later(&memberships, &caller, Some(details.invitation.id));
    Ok(HttpResponse::Created().json(InvitationResponse::from(details)))
}

/// Get a membership
///
/// The invite code shows to admins only. For the person, admins of a team they are on, admins of the organization and staff.
#[utoipa::path(
    tag = "memberships",
    params(("membership_id" = Uuid, Path, description = "The membership")),
    responses(
        (status = 200, description = "The membership", body = MembershipResponse),
        (status = 403, description = "Somebody else of your organization"),
        (status = 404, description = "No such membership, or not one of your organization"),
    )
)]
#[get("/memberships/{membership_id}")]
pub(crate) async fn get_membership(
    caller: Caller,
    memberships: Data<MembershipService>,
    id: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let id = MembershipId::new(id.into_inner());
    let (view, reader) = memberships.get_membership(&caller.actor, id).await?;
    Ok(HttpResponse::Ok().json(MembershipResponse::new(view, reader)))
}

/// Make or unmake an admin of the organization
///
/// The last active admin cannot be unmade. For admins of the organization and staff admins.
#[utoipa::path(
    tag = "memberships",
    params(("membership_id" = Uuid, Path, description = "The membership"), OrgAdminParams),
    responses(
        (status = 200, description = "The updated membership object", body = MembershipResponse),
        (status = 400, description = "`org_admin` is missing or neither true nor false"),
        (status = 403, description = "Only admins of the organization say who else runs it"),
        (status = 404, description = "No such membership, or not one of your organization"),
        (status = 409, description = "`last_org_admin`: nobody would be left to run the organization"),
    )
)]
#[patch("/memberships/{membership_id}")]
pub(crate) async fn set_org_admin(
    caller: Caller,
    memberships: Data<MembershipService>,
    id: Path<Uuid>,
    params: Params<OrgAdminParams>,
) -> ApiResult<HttpResponse> {
    let (id, org_admin) =
        (MembershipId::new(id.into_inner()), params.values.org_admin().map_err(ApiError::invalid)?);
    let view = memberships.set_org_admin(&caller.actor, id, org_admin).await?;
    Ok(HttpResponse::Ok().json(MembershipResponse::new(view, Reader::Admin)))
}

/// Look up an invite code
///
/// For the sign-up screen. Wrong, used, revoked and expired codes get the same answer and are limited per address.
#[utoipa::path(
    tag = "invitations",
    security(()),
    params(("code" = String, Path, description = "6 letters or digits, case ignored", example = "289BZP")),
    responses(
        (status = 200, description = "Where the code leads", body = InvitationPreviewResponse),
        (status = 404, description = "`invitation_not_usable`"),
    )
)]
#[get("/invitations/{code}")]
pub(crate) async fn preview_invitation(
    visitor: Visitor,
    memberships: Data<MembershipService>,
    code: Path<String>,
) -> ApiResult<HttpResponse> {
    let preview = memberships.preview_invitation(&parse_code(&code)?, &visitor.origin).await?;
    Ok(HttpResponse::Ok().json(InvitationPreviewResponse::from(preview)))
}

/// Accept an invitation
///
/// Takes a membership in another organization with the account one has already.
#[utoipa::path(
    tag = "invitations",
    params(("code" = String, Path, description = "6 letters or digits, case ignored", example = "289BZP")),
    responses(
        (status = 200, description = "The membership", body = MembershipResponse),
        (status = 404, description = "`invitation_not_usable`: the code is unknown, used, revoked or expired"),
        (status = 409, description = "`already_member`"),
    )
)]
#[post("/invitations/{code}/accept")]
pub(crate) async fn accept_invitation(
    caller: Caller,
    memberships: Data<MembershipService>,
    code: Path<String>,
) -> ApiResult<HttpResponse> {
    let view = memberships.accept_invitation(&caller.actor, &parse_code(&code)?).await?;
    Ok(HttpResponse::Ok().json(MembershipResponse::new(view, Reader::Person)))
}
