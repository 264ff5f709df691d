use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, patch, post};
use domain_kernel::{MembershipId, OrgId};
use domain_memberships::{Added, MembershipService, Reader};
use uuid::Uuid;

use super::dto::{
    CreateMembershipRequest, InvitationPreviewResponse, MembershipResponse, OrgAdminParams, parse_code,
};
use crate::body::{Json, Params};
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
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
    let added = memberships.create_membership(&caller.actor, command).await?;
    let (mut response, view) = match added {
        Added::Created(view) => (HttpResponse::Created(), view),
        Added::Reactivated(view) => (HttpResponse::Ok(), view),
    };
    Ok(response.json(MembershipResponse::new(view, Reader::Admin)))
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
