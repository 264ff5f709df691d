//! What every answer gets, once: request id, session headers, security headers, the shape of errors, a log line, metrics.

use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpResponse};
use domain_users::SessionKeys;

use crate::caller::{SignedIn, session_headers};
use crate::compose::Runtime;
use crate::error::{ApiError, Style};
use crate::visitor::{REQUEST_ID, Visitor};

/// The middleware around everything.
pub(crate) async fn finish(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let runtime = request.app_data::<Data<Runtime>>().cloned();
    let proxies = runtime.as_ref().map_or(&[][..], |runtime| &runtime.trusted_proxies);
    let request_id = Visitor::note(&request, proxies);
    let mut response = next.call(request).await?.map_into_boxed_body();

    let style = Style::of(response.request().method(), response.request().match_info().as_str());
    let error_code = response.response().error().map(|error| {
        let error = error.as_error::<ApiError>();
        (error.map_or("framework", ApiError::code), error.and_then(ApiError::causes))
    });
    if response.response().error().is_some() {
        response = render(response, style, &request_id);
    }
    add_headers(&mut response, &request_id, runtime.as_ref().is_some_and(|runtime| runtime.speaks_tls));
    let (operation, took) = (operation(&response), started.elapsed());
    log(&response, &request_id, &operation, took, error_code);
    if let Some(runtime) = runtime {
        runtime.metrics.answered(operation, response.status().as_u16(), took);
    }
    Ok(response)
}

/// Gives an error its body. Headers that inner layers set (CORS) stay.
fn render(response: ServiceResponse<BoxBody>, style: Style, request_id: &str) -> ServiceResponse<BoxBody> {
    let (request, old) = response.into_parts();
    let own = old.error().and_then(|error| error.as_error::<ApiError>());
    let foreign = foreign(request.method(), old.status());
    let error = own.unwrap_or(&foreign);
    let status = if own.is_some() { error.status(style) } else { old.status() };
    let mut new = HttpResponse::build(status);
    for (name, value) in old.headers() {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            new.append_header((name, value));
        }
    }
    if let Some(wait) = error.retry_after() {
        new.insert_header((RETRY_AFTER, wait.seconds.to_string()));
        if let Some(limit) = wait.limit {
            new.insert_header(("ratelimit-limit", limit.to_string()));
            new.insert_header(("ratelimit-remaining", "0"));
            new.insert_header(("ratelimit-reset", wait.seconds.to_string()));
        }
    }
    if let Some(allow) = own.and_then(ApiError::allow) {
        new.insert_header((ALLOW, allow));
    }
    new.insert_header((CONTENT_TYPE, style.content_type()));
    let new = new.body(error.body(style, request_id).to_string());
    ServiceResponse::new(request, new)
}

/// An error that the framework made.
fn foreign(method: &Method, status: StatusCode) -> ApiError {
    match status {
        StatusCode::NOT_FOUND => ApiError::not_found(),
        _ if *method == Method::OPTIONS => ApiError::refused_preflight(),
        _ => ApiError::malformed("The request cannot be read."),
    }
}

fn add_headers(response: &mut ServiceResponse<BoxBody>, request_id: &str, speaks_tls: bool) {
    let path = response.request().match_info().as_str();
    let is_private = path.starts_with("/api/v1/");
    let session = response.request().extensions().get::<SessionKeys>().map(session_headers);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static(REQUEST_ID), id);
    }
    for (name, value) in session.into_iter().flatten() {
        headers.insert(name, value);
    }
    if is_private {
        set_default(headers, CACHE_CONTROL, "no-store");
        if headers.get(CONTENT_TYPE).is_some_and(|value| value == "application/json") {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        }
    }
    set_default(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set_default(headers, REFERRER_POLICY, "no-referrer");
    set_default(headers, CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    if speaks_tls {
        set_default(headers, STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    if !headers.contains_key(&name) {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// The operation as the document names its path; never the path itself, which may hold an invite code.
fn operation(response: &ServiceResponse<BoxBody>) -> String {
    let pattern = response.request().match_pattern().unwrap_or_else(|| "unmatched".into());
    // Anybody may make up a method; metrics must not grow by it.
    let method = match response.request().method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "OTHER",
    };
    format!("{method} {pattern}")
}

fn log(
    response: &ServiceResponse<BoxBody>,
    request_id: &str,
    operation: &str,
    took: Duration,
    error: Option<(&'static str, Option<String>)>,
) {
    let (code, cause) = error.unzip();
    let cause = cause.flatten();
    let extensions = response.request().extensions();
    let user = extensions.get::<SignedIn>().map(|user| user.0.to_string());
    let ip = extensions.get::<Visitor>().and_then(|visitor| visitor.origin.ip).map(|ip| ip.to_string());
    let status = response.status().as_u16();
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                request_id,
                operation,
                status,
                milliseconds,
                user = user.as_deref(),
                ip = ip.as_deref(),
                code,
                cause = cause.as_deref(),
                "answered"
            )
        };
    }
    if response.status().is_server_error() {
        line!(error);
    } else {
        line!(info);
    }
}
