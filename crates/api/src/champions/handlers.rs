use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use domain_kernel::ChampionCertificationId;
use domain_users::{Certified, UserService};
use uuid::Uuid;

use super::dto::{
    CertificationFilterParams, CertificationResponse, CertifyChampionRequest, RevokeChampionRequest,
};
use crate::body::{Json, Params};
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};
use crate::users::SuccessResponse;

/// List champion certifications
///
/// The latest made first, revoked and expired ones too; everything when no page is asked for. For staff.
#[utoipa::path(
    tag = "champions",
    params(CertificationFilterParams, PageParams),
    responses(
        (status = 200, description = "An array of certifications", body = [CertificationResponse]),
        (status = 400, description = "An id is no UUID, or `page` or `size` is no number, or too small"),
        (status = 403, description = "`staff_only`"),
    )
)]
#[get("/worklete_admin/champion_certifications")]
pub(crate) async fn list_champion_certifications(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
    filter: Query<CertificationFilterParams>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let filter = filter.filter().map_err(ApiError::invalid)?;
    let page = users.list_champion_certifications(&caller.actor, filter, paging.request()).await?;
    Ok(paging.answer::<_, CertificationResponse>(&request, page))
}

/// Certify a champion
///
/// Valid for 365 days, unless the deployment says otherwise. The same user and day again changes nothing and answers 200 with
/// what is there, even if it was revoked. For staff admins.
#[utoipa::path(
    tag = "champions",
    request_body = CertifyChampionRequest,
    responses(
        (status = 201, description = "The certification", body = CertificationResponse),
        (status = 200, description = "The one that is there already", body = CertificationResponse),
        (status = 400, description = "A field is missing, or the date is none or in the future"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such user"),
    )
)]
#[post("/worklete_admin/champion_certifications")]
pub(crate) async fn certify_champion(
    caller: Caller,
    users: Data<UserService>,
    body: Json<CertifyChampionRequest>,
) -> ApiResult<HttpResponse> {
    let command = body.0.try_into().map_err(ApiError::invalid)?;
    let (mut response, certification) = match users.certify_champion(&caller.actor, command).await? {
        Certified::Created(certification) => (HttpResponse::Created(), certification),
        Certified::AlreadyThere(certification) => (HttpResponse::Ok(), certification),
    };
    Ok(response.json(CertificationResponse::from(certification)))
}

/// Revoke all champion certifications of a user
///
/// Fine if there is none. The user stands in the body, or in the query. For staff admins.
#[utoipa::path(
    tag = "champions",
    params(RevokeChampionRequest),
    request_body = RevokeChampionRequest,
    responses(
        (status = 200, description = "Done", body = SuccessResponse),
        (status = 400, description = "The user is missing, or no UUID"),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
    )
)]
#[delete("/worklete_admin/champion_certifications")]
pub(crate) async fn revoke_champion(
    caller: Caller,
    users: Data<UserService>,
    params: Params<RevokeChampionRequest>,
) -> ApiResult<HttpResponse> {
    let user = params.values.user().map_err(ApiError::invalid)?;
    users.revoke_champion(&caller.actor, user).await?;
    Ok(HttpResponse::Ok().json(SuccessResponse { success: true }))
}

/// Revoke a champion certification
///
/// It stays in the list with `revoked_at`. Doing it again changes nothing. For staff admins.
#[utoipa::path(
    tag = "champions",
    params(("id" = Uuid, Path, description = "The certification")),
    responses(
        (status = 200, description = "Done", body = SuccessResponse),
        (status = 403, description = "`staff_only`, or `forbidden` for staff who only read"),
        (status = 404, description = "No such certification"),
    )
)]
#[delete("/worklete_admin/champion_certifications/{id}")]
pub(crate) async fn revoke_champion_certification(
    caller: Caller,
    users: Data<UserService>,
    id: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let id = ChampionCertificationId::new(id.into_inner());
    users.revoke_champion_certification(&caller.actor, id).await?;
    Ok(HttpResponse::Ok().json(SuccessResponse { success: true }))
}
