//! The documentation page: everything it loads comes from this binary.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};

use crate::error::{ApiError, ApiResult};

/// Scripts from here only; styles inline as well, because the vendored page sets them so.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
    font-src 'self'; connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The OpenAPI document as text, made once at the start.
pub(crate) struct OpenApiText(pub(crate) String);

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal as $content_type:literal),* $(,)?) => {
        &[$(Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../assets/docs/", $name)),
        }),*]
    };
}

const PAGE: &[u8] = include_bytes!("../assets/docs/index.html");

const ASSETS: &[Asset] = assets![
    "init.js" as "text/javascript; charset=utf-8",
    "docs.css" as "text/css; charset=utf-8",
    "favicon.svg" as "image/svg+xml",
    "scalar-api-reference.js" as "text/javascript; charset=utf-8",
    "inter-latin-wght-normal.woff2" as "font/woff2",
    "jetbrains-mono-latin-wght-normal.woff2" as "font/woff2",
];

/// This page
#[utoipa::path(
    tag = "operation",
    security(()),
    responses((status = 200, description = "The documentation", body = String, content_type = "text/html"))
)]
#[get("/docs")]
pub(crate) async fn docs(request: HttpRequest) -> HttpResponse {
    cached(&request, "text/html; charset=utf-8", PAGE)
}

#[get("/docs/assets/{name}")]
pub(crate) async fn docs_asset(request: HttpRequest, name: Path<String>) -> ApiResult<HttpResponse> {
    let asset = ASSETS.iter().find(|asset| asset.name == *name).ok_or_else(ApiError::not_found)?;
    Ok(cached(&request, asset.content_type, asset.bytes))
}

/// The OpenAPI 3.1 document
#[utoipa::path(
    tag = "operation",
    security(()),
    responses((status = 200, description = "This document", body = Object, content_type = "application/json"))
)]
#[get("/openapi.json")]
pub(crate) async fn openapi_json(document: Data<OpenApiText>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(document.0.clone())
}

fn cached(request: &HttpRequest, content_type: &'static str, bytes: &'static [u8]) -> HttpResponse {
    // The files change with the binary only, so its version and their length tell them apart.
    let tag = format!("\"{}-{}\"", env!("CARGO_PKG_VERSION"), bytes.len());
    let has_it = request.headers().get(IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == tag.as_bytes());
    let mut response = if has_it { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, tag))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY));
    if has_it { response.finish() } else { response.insert_header((CONTENT_TYPE, content_type)).body(bytes) }
}
