use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, patch, post};
use domain_kernel::UserId;
use domain_users::UserService;
use uuid::Uuid;

use super::export;
use super::staff_dto::{
    EraseUserRequest, ErasureResponse, IssuePasswordRequest, IssuedPasswordResponse, StaffAccountResponse,
    StaffUserResponse, UpdateUserBody, UserExportDocument,
};
use crate::body::Json;
use crate::caller::{Caller, follow_rename};
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};

/// List all users
///
/// Oldest account first; everything, up to 1,000, when no page is asked for. Without those who deleted their account. For
/// staff.
#[utoipa::path(
    tag = "accounts",
    params(PageParams),
    responses(
        (status = 200, description = "An array of users", body = [StaffUserResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small; or a parameter is unknown"),
        (status = 403, description = "`staff_only`"),
    )
)]
#[get("/worklete_admin/users")]
pub(crate) async fn list_all_users(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let page = users.list_all_users(&caller.actor, paging.request()).await?;
    Ok(paging.answer::<_, StaffUserResponse>(&request, page))
}

/// Get an account
///
/// The person with all memberships. For staff.
#[utoipa::path(
    tag = "accounts",
    params(("user_id" = Uuid, Path, description = "The user")),
    responses(
        (status = 200, description = "The user and their memberships", body = StaffAccountResponse),
        (status = 403, description = "`staff_only`"),
        (status = 404, description = "No such user, or they deleted the account"),
    )
)]
#[get("/worklete_admin/users/{user_id}")]
pub(crate) async fn get_account(
    caller: Caller,
    users: Data<UserService>,
    user: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let account = users.get_account(&caller.actor, UserId::new(user.into_inner())).await?;
    Ok(HttpResponse::Ok().json(StaffAccountResponse::from(account)))
}

/// Change an account
///
/// A new username is a new `uid`: sessions follow, and requests under way may carry the old one for a minute. A new address
/// ends the reset links that were mailed before. For staff admins.
#[utoipa::path(
    tag = "accounts",
    params(("user_id" = Uuid, Path, description = "The user")),
    request_body = UpdateUserBody,
    responses(
        (status = 200, description = "The user", body = StaffUserResponse),
        (status = 400, description = "Fields are wrong, or do not fit each other"),
        (status = 403, description = "`forbidden` for staff who only read, and for the own role or locking oneself; `staff_only`"),
        (status = 404, description = "No such user, or they deleted the account"),
        (status = 409, description = "`taken`: the username or the address belongs to somebody else"),
    )
)]
#[patch("/worklete_admin/users/{user_id}")]
pub(crate) async fn update_user(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
    user: Path<Uuid>,
    body: UpdateUserBody,
) -> ApiResult<HttpResponse> {
    let change = body.0.try_into().map_err(ApiError::invalid)?;
    let account = users.update_user(&caller.actor, UserId::new(user.into_inner()), change).await?;
    follow_rename(&request, &caller, &account);
    Ok(HttpResponse::Ok().json(StaffUserResponse::from(account.user)))
}

/// Issue a new password
///
/// For people without an address, to be read out to them. It is shown this once. All sessions of the person end, and after
/// signing in with it everything but changing the password, signing out and checking the session is 403
/// `password_change_required`. For staff admins, and not for Worklete's own staff.
#[utoipa::path(
    tag = "accounts",
    request_body = IssuePasswordRequest,
    responses(
        (status = 200, description = "The new password", body = IssuedPasswordResponse),
        (status = 400, description = "The user is missing, or no UUID"),
        (status = 403, description = "`forbidden` for staff who only read, and for accounts of staff; `staff_only`"),
        (status = 404, description = "No such user, or they deleted the account"),
    )
)]
#[post("/worklete_admin/users/reset_password")]
pub(crate) async fn issue_password(
    caller: Caller,
    users: Data<UserService>,
    body: Json<IssuePasswordRequest>,
) -> ApiResult<HttpResponse> {
    let user = body.0.user().map_err(ApiError::invalid)?;
    let password = users.issue_password(&caller.actor, user).await?.reveal().to_owned();
    Ok(HttpResponse::Ok().json(IssuedPasswordResponse { id: user.uuid(), password }))
}

/// Erase the personal data of a user
///
/// Names, addresses, username, password and `external_id` are replaced by a tombstone; what was trained stays without a name.
/// The account is deleted with it: sessions end, memberships are deactivated. Tells what it would do unless `dry_run` is
/// false, and the same receipt when it is done again. Also for those who deleted the account and wait for it. For staff
/// admins, and not for Worklete's own staff.
#[utoipa::path(
    tag = "accounts",
    params(("user_id" = Uuid, Path, description = "The user")),
    request_body = EraseUserRequest,
    responses(
        (status = 200, description = "What is replaced and kept", body = ErasureResponse),
        (status = 400, description = "`dry_run` is neither true nor false"),
        (status = 403, description = "`forbidden` for staff who only read, and for accounts of staff; `staff_only`"),
        (status = 404, description = "No such user"),
        (status = 409, description = "`last_org_admin`: nobody would be left to run an organization"),
    )
)]
#[post("/worklete_admin/users/{user_id}/erase")]
pub(crate) async fn erase_user(
    caller: Caller,
    users: Data<UserService>,
    user: Path<Uuid>,
    body: Json<EraseUserRequest>,
) -> ApiResult<HttpResponse> {
    let is_dry_run = body.0.dry_run;
    let erasure = users.erase_user(&caller.actor, UserId::new(user.into_inner()), is_dry_run).await?;
    Ok(HttpResponse::Ok().json(ErasureResponse::new(&erasure, is_dry_run)))
}

/// Export a user
///
/// Everything that is kept of the person as one JSON file, read while it is sent: an answer that breaks off is not whole.
/// Also of deleted accounts, and what is left of erased ones. Without the audit trail, which has a list of its own. For
/// staff admins. The export is noted in the log of the server and not in the audit trail.
#[utoipa::path(
    tag = "accounts",
    params(("user_id" = Uuid, Path, description = "The user")),
    responses(
        (
            status = 200,
            description = "The archive",
            body = UserExportDocument,
            headers(("content-disposition" = String, description = "Names the file"))
        ),
        (status = 403, description = "`forbidden` for staff who only read; `staff_only`"),
        (status = 404, description = "No such user"),
    )
)]
#[get("/worklete_admin/users/{user_id}/export")]
pub(crate) async fn export_user(
    caller: Caller,
    users: Data<UserService>,
    user: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let user = UserId::new(user.into_inner());
    let export = users.export_user(&caller.actor, user).await?;
    let request_id = caller.actor.origin.request_id;
    // A read writes nothing, so it is the log that tells who took out whom.
    tracing::info!(request_id, actor = %caller.actor.user, subject = %user, "exporting a person");
    Ok(export::answer(user, export, request_id))
}
