use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use domain_kernel::{InvitationId, MembershipId};
use domain_memberships::MembershipService;
use uuid::Uuid;

use super::dto::{
    InvitationResponse, InvitationSelectionParams, MembershipResponse, MembershipSelectionParams,
};
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};

/// List memberships
///
/// Those of all organizations, pending, active and deactivated ones, in the order of their making; everything when no page is
/// asked for. Staff who only read do not see invite codes of people who will run an organization or a team. For staff.
#[utoipa::path(
    tag = "memberships",
    params(MembershipSelectionParams, PageParams),
    responses(
        (status = 200, description = "An array of memberships", body = [MembershipResponse]),
        (status = 400, description = "An id is no UUID, there are more than 200 of them, or `page` or `size` is no number, or \
            too small"),
        (status = 403, description = "`staff_only`"),
    )
)]
#[get("/worklete_admin/memberships")]
pub(crate) async fn list_memberships(
    request: HttpRequest,
    caller: Caller,
    memberships: Data<MembershipService>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let query = request.query_string();
    let selection = MembershipSelectionParams::parse(query).map_err(ApiError::invalid)?.selection();
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let page = memberships.list_memberships(&caller.actor, selection, paging.request()).await?;
    let page = page.map(|(view, reader)| MembershipResponse::new(view, reader));
    Ok(paging.answer::<_, MembershipResponse>(&request, page))
}

/// Get a membership of any organization
///
/// For staff.
#[utoipa::path(
    tag = "memberships",
    params(("membership_id" = Uuid, Path, description = "The membership")),
    responses(
        (status = 200, description = "A membership", body = MembershipResponse),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such membership"),
    )
)]
#[get("/worklete_admin/memberships/{membership_id}")]
pub(crate) async fn get_any_membership(
    caller: Caller,
    memberships: Data<MembershipService>,
    membership: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let id = MembershipId::new(membership.into_inner());
    let (view, reader) = memberships.get_membership(&caller.actor, id).await?;
    Ok(HttpResponse::Ok().json(MembershipResponse::new(view, reader)))
}

/// List invitations
///
/// Those of all organizations, the newest first; everything when no page is asked for. For staff.
#[utoipa::path(
    tag = "invitations",
    params(InvitationSelectionParams, PageParams),
    responses(
        (status = 200, description = "An array of invitations", body = [InvitationResponse]),
        (status = 400, description = "An id is no UUID, there are more than 200 of them, or `page` or `size` is no number, or \
            too small"),
        (status = 403, description = "`staff_only`"),
    )
)]
#[get("/worklete_admin/invitations")]
pub(crate) async fn list_all_invitations(
    request: HttpRequest,
    caller: Caller,
    memberships: Data<MembershipService>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let query = request.query_string();
    let selection = InvitationSelectionParams::parse(query).map_err(ApiError::invalid)?.selection();
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let page = memberships.list_all_invitations(&caller.actor, selection, paging.request()).await?;
    Ok(paging.answer::<_, InvitationResponse>(&request, page))
}

/// Get an invitation
///
/// For staff.
#[utoipa::path(
    tag = "invitations",
    params(("id" = Uuid, Path, description = "The invitation")),
    responses(
        (status = 200, description = "An invitation", body = InvitationResponse),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such invitation"),
    )
)]
#[get("/worklete_admin/invitations/{id}")]
pub(crate) async fn get_invitation(
    caller: Caller,
    memberships: Data<MembershipService>,
    id: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let id = InvitationId::new(id.into_inner());
    let found = memberships.get_invitation(&caller.actor, id).await?;
    Ok(HttpResponse::Ok().json(InvitationResponse::from(found)))
}
