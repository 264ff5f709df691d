//! For operators: alive, ready, numbers. Outside the API and its permissions.

use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use domain_jobs::JobService;
use serde::Serialize;
use utoipa::ToSchema;

use crate::compose::Runtime;
use crate::error::{ApiError, ApiResult};
use crate::visitor::shows_token;

/// How the server is.
#[derive(Serialize, ToSchema)]
pub(crate) struct HealthResponse {
    /// `ok`; `degraded` when all works but what needs the storage for files; or `unavailable`.
    #[schema(example = "ok")]
    status: &'static str,
    /// What is wrong; null when nothing is.
    reason: Option<&'static str>,
}

impl HealthResponse {
    const OK: Self = Self { status: "ok", reason: None };
}

/// Whether the process runs
///
/// For a supervisor that restarts it: says nothing of the database.
#[utoipa::path(tag = "operation", security(()), responses((status = 200, body = HealthResponse)))]
#[get("/healthz")]
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(HealthResponse::OK)
}

/// Whether the server can do its work
///
/// For a load balancer: 503 with the reason while the database is away. When there is no storage for files, or it does not
/// answer, that is 200 as well, with the status `degraded` and the reason: all operations work that need no files. The storage is
/// asked at most every five seconds.
#[utoipa::path(
    tag = "operation",
    security(()),
    responses(
        (status = 200, body = HealthResponse),
        (status = 503, description = "The database does not answer", body = HealthResponse),
    )
)]
#[get("/readyz")]
pub(crate) async fn readyz(runtime: Data<Runtime>) -> HttpResponse {
    let mut response = match tokio::join!(runtime.pg.ping(), runtime.storage.trouble()) {
        (Ok(()), None) => HttpResponse::Ok().json(HealthResponse::OK),
        (Ok(()), reason) => HttpResponse::Ok().json(HealthResponse { status: "degraded", reason }),
        (Err(_), _) => HttpResponse::ServiceUnavailable()
            .json(HealthResponse { status: "unavailable", reason: Some("the database does not answer") }),
    };
    response
        .headers_mut()
        .insert(CACHE_CONTROL, actix_web::http::header::HeaderValue::from_static("no-store"));
    response
}

/// Numbers for Prometheus
///
/// Requests by operation and status, time to answer, database connections in use and waited for, passwords being hashed and
/// waiting; and, of all instances together, jobs that are queued, running and dead, unless the database is away. Wants
/// `Authorization: Bearer <METRICS_TOKEN>` when the deployment sets such a token.
#[utoipa::path(
    tag = "operation",
    security(()),
    responses(
        (status = 200, description = "Text format", body = String, content_type = "application/openmetrics-text"),
        (status = 401, description = "The token is missing or wrong"),
    )
)]
#[get("/metrics")]
pub(crate) async fn metrics(
    request: HttpRequest,
    runtime: Data<Runtime>,
    jobs: Data<JobService>,
) -> ApiResult<HttpResponse> {
    if runtime.metrics_token.as_ref().is_some_and(|token| !shows_token(&request, token)) {
        return Err(ApiError::unauthenticated("The metrics token is missing or wrong."));
    }
    // The other numbers are wanted most when the database is away.
    let counted = tokio::time::timeout(Duration::from_secs(1), jobs.count_jobs()).await;
    let counted = counted.ok().and_then(Result::ok);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(runtime.metrics.render(counted.as_ref())))
}
