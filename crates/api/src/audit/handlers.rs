use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use domain_users::UserService;

use super::dto::{AuditParams, AuditRowResponse};
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::paging::CursorParams;

/// List the audit trail
///
/// What staff and admins of organizations changed, newest first. There are no numbered pages and no total: follow `next` of
/// `link` until it is not there any more. For staff.
#[utoipa::path(
    tag = "audit",
    params(AuditParams, CursorParams),
    responses(
        (
            status = 200,
            description = "An array of rows",
            body = [AuditRowResponse],
            headers(("link" = String, description = "The next part (RFC 8288); not there at the end"))
        ),
        (status = 400, description = "A filter, `after` or `size` is wrong; or a parameter is unknown"),
        (status = 403, description = "`staff_only`"),
    )
)]
#[get("/worklete_admin/audit_log")]
pub(crate) async fn list_audit_log(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
    filter: Query<AuditParams>,
    params: Query<CursorParams>,
) -> ApiResult<HttpResponse> {
    let part = params.part()?;
    let filter = filter.filter().map_err(ApiError::invalid)?;
    let after = part.after.map(Into::into);
    let found = users.list_audit_log(&caller.actor, filter, after, part.size).await?;
    Ok(part.answer::<_, AuditRowResponse>(&request, found.rows, found.next.map(Into::into)))
}
