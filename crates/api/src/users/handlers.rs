use std::future::Future;

use actix_web::http::header::{LOCATION, WARNING};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put};
use domain_kernel::{FieldErrors, OrgId, StorageError, UserId};
use domain_users::{AccessToken, Provider, RequestPasswordReset, UserError, UserService, Username};
use uuid::Uuid;

use super::dto::{
    AccountDeletedResponse, AccountSavedResponse, ChangeEmailRequest, ChangeUsernameRequest, EmailBody,
    PasswordChangedResponse, PasswordRequest, PasswordResetRequest, ResetLinkParams, SignInRequest,
    SignUpRequest, SignedInResponse, SuccessMessageResponse, SuccessResponse, TokenValidResponse,
    UpdateAccountRequest, UserResponse, UsernameAvailabilityResponse,
};
use crate::body::{Json, Params};
use crate::caller::{Caller, CredentialParams, authenticate, follow_rename, forget, hand_over, rename};
use crate::error::{ApiError, ApiResult};
use crate::paging::{FirstPage, PageParams, Unasked};
use crate::search::SearchParams;
use crate::visitor::Visitor;

/// Sign up
///
/// Opens an account, takes the membership that the invite code names, and signs in. Takes JSON, a form or the query. Of
/// several sign-ups with one code exactly one succeeds.
#[utoipa::path(
    tag = "authentication",
    security(()),
    request_body(
        content((SignUpRequest = "application/json"), (SignUpRequest = "application/x-www-form-urlencoded"))
    ),
    responses(
        (status = 200, description = "User session; the session headers hand it over", body = AccountSavedResponse),
        (status = 404, description = "`invitation_not_usable`: the code is unknown, used, revoked or expired"),
        (status = 422, description = "Fields are wrong, or the username is taken"),
    )
)]
#[post("/auth")]
pub(crate) async fn sign_up(
    request: HttpRequest,
    visitor: Visitor,
    users: Data<UserService>,
    params: Params<SignUpRequest>,
) -> ApiResult<HttpResponse> {
    let form = params.values;
    if form.is_empty() {
        return Err(ApiError::nothing_sent());
    }
    let echo = |error: ApiError| error.with_data(form.echo());
    let command = form.command(visitor).map_err(ApiError::invalid).map_err(echo)?;
    let (account, keys) = users.sign_up(command).await.map_err(|error| match error {
        UserError::Invalid(_) | UserError::Taken(_) => ApiError::from(error).with_data(form.echo()),
        other => other.into(),
    })?;
    hand_over(&request, keys);
    Ok(HttpResponse::Ok().json(AccountSavedResponse::from(&account)))
}

/// Update own account
///
/// Name, username, provider and, as some client libraries do, the password. A new username is a new `uid`: the answer
/// carries it, and all sessions follow.
#[utoipa::path(
    tag = "authentication",
    request_body(
        content(
            (UpdateAccountRequest = "application/json"),
            (UpdateAccountRequest = "application/x-www-form-urlencoded")
        )
    ),
    responses(
        (status = 200, description = "The account as it is now", body = AccountSavedResponse),
        (status = 404, description = "Not signed in"),
        (status = 422, description = "Fields are wrong, the username is taken, or nothing was sent"),
    )
)]
#[patch("/auth")]
pub(crate) async fn update_account(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
    params: Params<UpdateAccountRequest>,
) -> ApiResult<HttpResponse> {
    save_account(&request, &caller, &users, &params.values).await
}

/// Update own account (same as PATCH)
#[utoipa::path(
    tag = "authentication",
    request_body(
        content(
            (UpdateAccountRequest = "application/json"),
            (UpdateAccountRequest = "application/x-www-form-urlencoded")
        )
    ),
    responses(
        (status = 200, description = "The account as it is now", body = AccountSavedResponse),
        (status = 404, description = "Not signed in"),
        (status = 422, description = "Fields are wrong, the username is taken, or nothing was sent"),
    )
)]
#[put("/auth")]
pub(crate) async fn replace_account(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
    params: Params<UpdateAccountRequest>,
) -> ApiResult<HttpResponse> {
    save_account(&request, &caller, &users, &params.values).await
}

async fn save_account(
    request: &HttpRequest,
    caller: &Caller,
    users: &UserService,
    form: &UpdateAccountRequest,
) -> ApiResult<HttpResponse> {
    let account = users.update_account(form.command(caller)?).await?;
    rename(request, &account);
    Ok(HttpResponse::Ok().json(AccountSavedResponse::from(&account)))
}

/// Delete own account
///
/// All sessions end at once and memberships are deactivated. Names and addresses are erased after 30 days; training records
/// stay without a name.
#[utoipa::path(
    tag = "authentication",
    responses(
        (status = 200, description = "Successful", body = AccountDeletedResponse),
        (status = 404, description = "Not signed in"),
        (status = 409, description = "`last_org_admin`: nobody would be left to run an organization"),
    )
)]
#[delete("/auth")]
pub(crate) async fn delete_account(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
) -> ApiResult<HttpResponse> {
    users.delete_account(caller.account.user.id).await?;
    forget(&request);
    let message = format!("The account {} has been deleted.", caller.account.user.uid());
    Ok(HttpResponse::Ok().json(AccountDeletedResponse { status: "success", message }))
}

/// Change password
///
/// With a session, or with the token of a reset mail instead of one. All other sessions of the user end; with a reset token
/// all sessions end and a fresh one begins. The fields may stand in the body, which wins, or in the query, which is
/// deprecated.
#[utoipa::path(
    tag = "authentication",
    params(PasswordRequest),
    request_body(
        content((PasswordRequest = "application/json"), (PasswordRequest = "application/x-www-form-urlencoded"))
    ),
    responses(
        (status = 200, description = "Successful", body = PasswordChangedResponse),
        (status = 401, description = "`not_signed_in`, or `unauthorized` for a reset token that cannot be used"),
        (status = 422, description = "Too short, too long, or the two do not match"),
    )
)]
#[put("/auth/password")]
pub(crate) async fn change_password(
    request: HttpRequest,
    visitor: Visitor,
    users: Data<UserService>,
    params: Params<PasswordRequest>,
) -> ApiResult<HttpResponse> {
    new_password(&request, visitor, &users, &params).await
}

/// Change password (same as PUT)
#[utoipa::path(
    tag = "authentication",
    params(PasswordRequest),
    request_body(
        content((PasswordRequest = "application/json"), (PasswordRequest = "application/x-www-form-urlencoded"))
    ),
    responses(
        (status = 200, description = "Successful", body = PasswordChangedResponse),
        (status = 401, description = "`not_signed_in`, or `unauthorized` for a reset token that cannot be used"),
        (status = 422, description = "Too short, too long, or the two do not match"),
    )
)]
#[patch("/auth/password")]
pub(crate) async fn patch_password(
    request: HttpRequest,
    visitor: Visitor,
    users: Data<UserService>,
    params: Params<PasswordRequest>,
) -> ApiResult<HttpResponse> {
    new_password(&request, visitor, &users, &params).await
}

async fn new_password(
    request: &HttpRequest,
    visitor: Visitor,
    users: &UserService,
    params: &Params<PasswordRequest>,
) -> ApiResult<HttpResponse> {
    let form = &params.values;
    let token = form.reset_password_token.as_deref().filter(|token| !token.trim().is_empty());
    let account = if let Some(token) = token {
        let (account, keys) = users.reset_password(form.reset(token, visitor)?).await?;
        hand_over(request, keys);
        account
    } else {
        let caller = authenticate(request, CredentialParams::default()).await?;
        users.change_password(form.change(&caller)?).await?
    };
    let mut response = HttpResponse::Ok();
    if params.in_query.iter().any(|name| name.contains("password")) {
        response.insert_header(("deprecation", "true"));
        response.insert_header((
            WARNING,
            "299 - \"passwords in the query are deprecated: send them in the body\"",
        ));
    }
    let message = "Your password has been changed.";
    Ok(response.json(PasswordChangedResponse { success: true, data: (&account).into(), message }))
}

/// Ask for a reset mail
///
/// The answer is the same whether or not anybody has the address.
#[utoipa::path(
    tag = "authentication",
    security(()),
    request_body(
        content(
            (PasswordResetRequest = "application/json"),
            (PasswordResetRequest = "application/x-www-form-urlencoded")
        )
    ),
    responses(
        (status = 200, description = "Accepted", body = SuccessMessageResponse),
        (status = 401, description = "`email_missing` or `redirect_url_missing`"),
        (status = 422, description = "`redirect_url_not_allowed`: the deployment does not lead there"),
    )
)]
#[post("/auth/password")]
pub(crate) async fn request_password_reset(
    visitor: Visitor,
    users: Data<UserService>,
    params: Params<PasswordResetRequest>,
) -> ApiResult<HttpResponse> {
    let request = RequestPasswordReset { origin: visitor.origin, ..params.values.into() };
    let pending = users.request_password_reset(&request).map_err(|error| match error {
        UserError::RedirectNotAllowed => ApiError::from(error).with_data(serde_json::Value::Null),
        other => other.into(),
    })?;
    let request_id = request.origin.request_id;
    // After the answer, so that its time does not tell whether the address is known.
    actix_web::rt::spawn(async move {
        if let Err(error) = pending.send().await {
            let cause = ApiError::from(error).causes();
            tracing::error!(request_id, cause, "a reset mail could not be sent");
        }
    });
    let message = "If the address belongs to an account, a mail with a link is on its way.";
    Ok(HttpResponse::Ok().json(SuccessMessageResponse { success: true, message }))
}

/// Open the link of a reset mail
///
/// Leads to the place that was asked for, with `reset_password_token` as its only new parameter. Opening uses nothing up
/// and signs nobody in.
#[utoipa::path(
    tag = "authentication",
    security(()),
    params(ResetLinkParams),
    responses(
        (status = 302, description = "To the app", headers(("location" = String))),
        (status = 404, description = "`reset_link_not_found`: the token is unknown, used or expired"),
        (status = 422, description = "`redirect_url_not_allowed`: the deployment no longer leads there"),
    )
)]
#[get("/auth/password/edit")]
pub(crate) async fn open_password_reset(
    users: Data<UserService>,
    params: Query<ResetLinkParams>,
) -> ApiResult<HttpResponse> {
    let token = params.into_inner().reset_password_token.as_deref().and_then(AccessToken::parse);
    let location = users.open_password_reset(&token.ok_or(UserError::ResetLinkNotFound)?).await?;
    Ok(HttpResponse::Found().insert_header((LOCATION, location)).finish())
}

/// Runs to its end even if the client goes away meanwhile: a guess whose answer nobody waits for has cost a slow hash and
/// must count all the same.
async fn detached<T: 'static>(
    work: impl Future<Output = Result<T, UserError>> + 'static,
) -> Result<T, UserError> {
    let done = actix_web::rt::spawn(work).await;
    done.unwrap_or_else(|stopped| Err(StorageError::Failed(Box::new(stopped)).into()))
}

/// Sign in
///
/// Each sign-in opens a session of its own; at most ten a user, the longest unused one goes. Takes JSON, a form or the query.
#[utoipa::path(
    tag = "authentication",
    security(()),
    request_body(
        content((SignInRequest = "application/json"), (SignInRequest = "application/x-www-form-urlencoded"))
    ),
    responses(
        (status = 200, description = "The session headers hand the session over", body = SignedInResponse),
        (status = 401, description = "`invalid_credentials`: wrong name or password, or a locked account; one answer for all"),
        (status = 422, description = "A field has the wrong type"),
    )
)]
#[post("/auth/sign_in")]
pub(crate) async fn sign_in(
    request: HttpRequest,
    visitor: Visitor,
    users: Data<UserService>,
    params: Params<SignInRequest>,
) -> ApiResult<HttpResponse> {
    let command = params.values.command(visitor).map_err(ApiError::invalid)?;
    let (account, keys) = detached(async move { users.sign_in(command).await }).await?;
    hand_over(&request, keys);
    Ok(HttpResponse::Ok().json(SignedInResponse { data: (&account).into() }))
}

/// Sign out
///
/// Ends this session only. The credentials may stand in the headers, in the body or in the query.
#[utoipa::path(
    tag = "authentication",
    params(CredentialParams),
    request_body(content((CredentialParams = "application/json"))),
    responses(
        (status = 200, description = "Successful", body = SuccessResponse),
        (status = 404, description = "Not signed in"),
    )
)]
#[delete("/auth/sign_out")]
pub(crate) async fn sign_out(
    request: HttpRequest,
    users: Data<UserService>,
    params: Result<Params<CredentialParams>, ApiError>,
) -> ApiResult<HttpResponse> {
    let caller = authenticate(&request, readable(params)).await?;
    users.sign_out(caller.session).await?;
    forget(&request);
    Ok(HttpResponse::Ok().json(SuccessResponse { success: true }))
}

/// Check a session
///
/// An app calls it when it starts. The credentials may stand in the headers or in the query.
#[utoipa::path(
    tag = "authentication",
    params(CredentialParams),
    responses(
        (status = 200, description = "Successful", body = TokenValidResponse),
        (status = 401, description = "Not signed in"),
    )
)]
#[get("/auth/validate_token")]
pub(crate) async fn validate_token(
    request: HttpRequest,
    params: Result<Params<CredentialParams>, ApiError>,
) -> ApiResult<HttpResponse> {
    let caller = authenticate(&request, readable(params)).await?;
    Ok(HttpResponse::Ok().json(TokenValidResponse { success: true, data: (&caller.account).into() }))
}

/// Credentials that cannot be read count as absent.
fn readable(params: Result<Params<CredentialParams>, ApiError>) -> CredentialParams {
    params.map(|params| params.values).unwrap_or_default()
}

/// Username availability
///
/// Whether nobody has the name yet, case ignored. Limited per address.
#[utoipa::path(
    tag = "authentication",
    security(()),
    params(("username" = String, Path, description = "The name to look up", example = "workleteuser", min_length = 4)),
    responses(
        (status = 200, description = "Successful", body = UsernameAvailabilityResponse),
        (status = 400, description = "No user could have such a name"),
    )
)]
#[get("/auth/usernames/{username}")]
pub(crate) async fn username_availability(
    visitor: Visitor,
    users: Data<UserService>,
    path: Path<String>,
) -> ApiResult<HttpResponse> {
    let username = Username::parse(&path, Provider::of(&path))
        .map_err(|problem| ApiError::invalid(FieldErrors::of("username", problem.code, problem.message)))?;
    let available = users.username_availability(&username, &visitor.origin).await?;
    let username = username.to_string();
    Ok(HttpResponse::Ok().json(UsernameAvailabilityResponse { username, available }))
}

/// List users
///
/// Whom the caller may see, oldest account first: staff sees all, admins of an organization its active members, admins of a
/// team its active members, and everybody themselves. Everything, up to 1,000, when no page is asked for.
#[utoipa::path(
    tag = "users",
    params(PageParams),
    responses(
        (status = 200, description = "An array of users", body = [UserResponse]),
        (status = 400, description = "`page` or `size` is no number, or too small"),
    )
)]
#[get("/users")]
pub(crate) async fn list_users(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Everything)?;
    let page = users.list_users(&caller.actor, paging.request()).await?;
    Ok(paging.answer::<_, UserResponse>(&request, page))
}

/// Get a user
///
/// For the person, admins of a team or an organization they are an active member of, and staff. Admins of a team do not see
/// the private fields.
#[utoipa::path(
    tag = "users",
    params(("user_id" = Uuid, Path, description = "The user")),
    responses(
        (status = 200, description = "The user", body = UserResponse),
        (status = 403, description = "Somebody else of your organization"),
        (status = 404, description = "No such user, or not one of your organization"),
    )
)]
#[get("/users/{user_id}")]
pub(crate) async fn get_user(
    caller: Caller,
    users: Data<UserService>,
    user: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let seen = users.get_user(&caller.actor, UserId::new(user.into_inner())).await?;
    Ok(HttpResponse::Ok().json(UserResponse::from(seen)))
}

/// Change or clear an email
///
/// `true` when it was changed, `false` when it was so already. Somebody who signs in with the address signs in with the new
/// one from then on. Reset links that were mailed before work no more. For the person, staff admins, and admins of the only
/// organization that the person has ever been a member of, unless the person is staff.
#[utoipa::path(
    tag = "users",
    params(("id" = Uuid, Path, description = "The user")),
    request_body = ChangeEmailRequest,
    responses(
        (status = 200, description = "Whether it was changed", body = bool, content_type = "application/json", example = true),
        (status = 400, description = "No address, or it cannot be cleared because the person signs in with it"),
        (status = 403, description = "Somebody else of your organization, or they belong to another one, too"),
        (status = 404, description = "No such user, or not one of your organization"),
        (status = 409, description = "`taken`: the address belongs to somebody else"),
    )
)]
#[put("/users/{id}/email")]
pub(crate) async fn change_email(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
    id: Path<Uuid>,
    body: Json<EmailBody>,
) -> ApiResult<HttpResponse> {
    let email = body.0.email().map_err(ApiError::invalid)?;
    let (account, is_changed) =
        users.change_email(&caller.actor, UserId::new(id.into_inner()), email).await?;
    follow_rename(&request, &caller, &account);
    Ok(HttpResponse::Ok().json(is_changed))
}

/// Change a username
///
/// `true` when it was changed, `false` when it was so already. It is the `uid` of the person's sessions, too: they follow,
/// and requests under way may carry the old one for a minute. For whom an email may be changed by.
#[utoipa::path(
    tag = "users",
    params(("id" = Uuid, Path, description = "The user")),
    request_body = ChangeUsernameRequest,
    responses(
        (status = 200, description = "Whether it was changed", body = bool, content_type = "application/json", example = true),
        (status = 400, description = "The name is missing, too short or of other characters"),
        (status = 403, description = "Somebody else of your organization, or they belong to another one, too"),
        (status = 404, description = "No such user, or not one of your organization"),
        (status = 409, description = "`taken`: the name belongs to somebody else"),
    )
)]
#[put("/users/{id}/username")]
pub(crate) async fn change_username(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
    id: Path<Uuid>,
    body: Json<ChangeUsernameRequest>,
) -> ApiResult<HttpResponse> {
    let username = body.0.username().map_err(ApiError::invalid)?;
    let (account, is_changed) =
        users.change_username(&caller.actor, UserId::new(id.into_inner()), username).await?;
    follow_rename(&request, &caller, &account);
    Ok(HttpResponse::Ok().json(is_changed))
}

/// Search the users of an organization
///
/// The active members, by the names of their accounts or of the roster. For admins of the organization and staff.
#[utoipa::path(
    tag = "search",
    params(("organization_id" = Uuid, Path, description = "The organization"), SearchParams, PageParams),
    responses(
        (status = 200, description = "An array of users", body = [UserResponse]),
        (status = 400, description = "`q` is missing, or another parameter is wrong or unknown"),
        (status = 403, description = "Members do not search"),
        (status = 404, description = "No such organization, or not one of yours"),
    )
)]
#[get("/search/organizations/{organization_id}/users")]
pub(crate) async fn search_organization_users(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
    organization: Path<Uuid>,
    search: Query<SearchParams>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Size(25))?;
    let (words, sort) = search.parse()?;
    let (organization, part) = (OrgId::new(organization.into_inner()), paging.request());
    let page = users.search_organization_users(&caller.actor, organization, words, sort, part).await?;
    Ok(paging.answer::<_, UserResponse>(&request, page))
}

/// Search all users
///
/// By the names of their accounts. For staff.
#[utoipa::path(
    tag = "search",
    params(SearchParams, PageParams),
    responses(
        (status = 200, description = "An array of users", body = [UserResponse]),
        (status = 400, description = "`q` is missing, or another parameter is wrong or unknown"),
        (status = 403, description = "`staff_only`: Only Worklete staff may do this."),
    )
)]
#[get("/search/users")]
pub(crate) async fn search_users(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
    search: Query<SearchParams>,
    params: Query<PageParams>,
) -> ApiResult<HttpResponse> {
    let paging = params.paging(FirstPage::One, Unasked::Size(25))?;
    let (words, sort) = search.parse()?;
    let page = users.search_users(&caller.actor, words, sort, paging.request()).await?;
    Ok(paging.answer::<_, UserResponse>(&request, page))
}
