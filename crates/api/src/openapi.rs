//! The OpenAPI document, made from the handlers.
//!
//! Handlers say what is particular to them; what all have in common (session headers, request ids, the shape of errors) is
//! added here, so that it cannot be forgotten.

use actix_web::App;
use serde_json::json;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder, Schema};
use utoipa::openapi::{ObjectBuilder, Type};
use utoipa::{OpenApi as Describe, ToSchema};
use utoipa_actix_web::AppExt;

use crate::error::{AuthErrorDocument, ProblemDocument, Shape, Style};
use crate::routes;
use crate::users::ProviderWord;

#[derive(Describe)]
#[openapi(
    info(
        title = "Worklete API",
        description = include_str!("openapi.md"),
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = "authentication", description = "Accounts, sessions and passwords"),
        (name = "invitations", description = "Codes that bring people in"),
        (name = "memberships", description = "Who belongs to an organization"),
        (name = "teams", description = "Teams of an organization"),
        (name = "organizations", description = "Customers; for Worklete's staff"),
        (name = "courses", description = "What is taught; for Worklete's staff"),
        (name = "operation", description = "For operators; outside the API's permissions")
    ),
    components(schemas(ProblemDocument, AuthErrorDocument, ProviderWord))
)]
struct Base;

/// The whole document.
pub fn document() -> OpenApi {
    let (_, mut document) = App::new()
        .into_utoipa_app()
        .openapi(Base::openapi())
        .configure(routes::configure)
        .split_for_parts();
    add_security(&mut document);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            complete(path, method, operation);
        }
    }
    document
}

/// The document as indented JSON with a line feed at the end, as it is committed.
pub fn render(document: &OpenApi) -> String {
    let json = serde_json::to_string_pretty(document).unwrap_or_default();
    json + "\n"
}

fn operations(item: &mut PathItem) -> Vec<(HttpMethod, &mut Operation)> {
    let all = [
        (HttpMethod::Get, item.get.as_mut()),
        (HttpMethod::Post, item.post.as_mut()),
        (HttpMethod::Put, item.put.as_mut()),
        (HttpMethod::Patch, item.patch.as_mut()),
        (HttpMethod::Delete, item.delete.as_mut()),
    ];
    all.into_iter()
        .filter_map(|(method, operation)| Some((method, operation?)))
        .collect()
}

const SCHEMES: [(&str, &str, &str); 3] = [
    ("access_token", "access-token", "The session's secret"),
    ("client", "client", "The session's public id, one for each device"),
    (
        "uid",
        "uid",
        "The username; may be absent, but when it is there it must be the session's",
    ),
];

fn add_security(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    let mut all = SecurityRequirement::default();
    for (key, header, description) in SCHEMES {
        let value = ApiKeyValue::with_description(header, description);
        components.add_security_scheme(key, SecurityScheme::ApiKey(ApiKey::Header(value)));
        all = all.add(key, Vec::<String>::new());
    }
    document.security = Some(vec![all]);
}

/// Adds to an operation what all have in common.
fn complete(path: &str, method: HttpMethod, operation: &mut Operation) {
    let is_api = path.starts_with("/api/v1/");
    let is_anonymous = operation.security.is_some();
    if is_anonymous {
        operation.security = Some(Vec::new());
    }
    let style = Style::of(&http_method(&method), path);
    let responses = &mut operation.responses.responses;
    if is_api {
        let mut add = |status: &str, description: &str| {
            let response = || RefOr::T(ResponseBuilder::new().description(description).build());
            responses.entry(status.to_owned()).or_insert_with(response);
        };
        if !is_anonymous && style.shape == Shape::Problem {
            add("401", "Not signed in");
        }
        if operation.request_body.is_some() {
            add("400", "The body cannot be read");
            add("408", "The body did not arrive in time");
            add("413", "The body is too large");
            add("415", "The content type is another one");
        }
        add("429", "Too many requests; `retry-after` says when to come back");
        add("503", "The database is away or the server is too busy");
        add("default", "Any other error");
    }
    for (status, response) in responses.iter_mut() {
        let RefOr::T(response) = response else { continue };
        describe(status, response, style);
        let opens_session = status == "200" && is_api && (!is_anonymous || hands_over_session(path, &method));
        if opens_session {
            for (name, description) in SESSION_HEADERS {
                response.headers.insert(name.into(), text_header(description));
            }
        }
        response.headers.insert(
            "x-request-id".into(),
            text_header("Names the request in the logs"),
        );
    }
}

const SESSION_HEADERS: [(&str, &str); 5] = [
    ("access-token", "The session's secret"),
    ("client", "The session's public id"),
    ("uid", "The username"),
    (
        "expiry",
        "When the session ends unless it is used before: Unix time in seconds",
    ),
    ("token-type", "Always `Bearer`"),
];

fn hands_over_session(path: &str, method: &HttpMethod) -> bool {
    *method == HttpMethod::Post && matches!(path, "/api/v1/auth" | "/api/v1/auth/sign_in")
}

fn http_method(method: &HttpMethod) -> actix_web::http::Method {
    match method {
        HttpMethod::Post => actix_web::http::Method::POST,
        HttpMethod::Put => actix_web::http::Method::PUT,
        HttpMethod::Patch => actix_web::http::Method::PATCH,
        HttpMethod::Delete => actix_web::http::Method::DELETE,
        _ => actix_web::http::Method::GET,
    }
}

fn text_header(description: &str) -> RefOr<Header> {
    let mut header = Header::new(Schema::Object(
        ObjectBuilder::new().schema_type(Type::String).build(),
    ));
    header.description = Some(description.to_owned());
    RefOr::T(header)
}

/// Gives an error its body and an example.
fn describe(status: &str, response: &mut Response, style: Style) {
    let is_error = status == "default" || status.starts_with(['4', '5']);
    if !is_error || !response.content.is_empty() {
        return;
    }
    if status == "429" {
        for name in [
            "retry-after",
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
        ] {
            response
                .headers
                .insert(name.into(), text_header("Whole seconds, or a number of attempts"));
        }
    }
    let (schema, content_type) = match style.shape {
        Shape::Problem => (ProblemDocument::name(), "application/problem+json"),
        Shape::Success | Shape::Status => (AuthErrorDocument::name(), "application/json"),
    };
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .example(Some(example(status, &response.description, style)))
        .build();
    response.content.insert(content_type.into(), RefOr::T(content));
}

/// An example of the shape. The code is the first word in backticks of the description, if there is one.
fn example(status: &str, description: &str, style: Style) -> serde_json::Value {
    let usual = match status {
        "400" | "422" => ("validation_failed", "First name can't be blank"),
        "401" | "404" if style.shape != Shape::Problem => (
            "not_signed_in",
            "You need to sign in or sign up before continuing.",
        ),
        "401" => (
            "not_signed_in",
            "You need to sign in or sign up before continuing.",
        ),
        "403" => ("forbidden", "Your role does not allow this."),
        "404" => ("not_found", "There is nothing here."),
        "408" => ("body_too_slow", "The body did not arrive in time."),
        "409" => ("conflict", "The state does not allow this."),
        "413" => ("body_too_large", "The body is larger than 1048576 bytes."),
        "415" => (
            "unsupported_media_type",
            "The content type must be application/json.",
        ),
        "429" => ("too_many_requests", "Too many requests. Please slow down."),
        "503" => (
            "unavailable",
            "The service is not available right now. Please try again in a moment.",
        ),
        _ => (
            "internal_error",
            "Something went wrong on our side. The request id helps us find it.",
        ),
    };
    let code = description.split('`').nth(1).unwrap_or(usual.0);
    let request_id = "5f1c7a52-8f0e-4c1b-9a57-0d6f1f0f3a11";
    let fields_are_wrong = matches!(status, "400" | "422") && code == "validation_failed";
    match style.shape {
        Shape::Problem => {
            let number: u16 = status.parse().unwrap_or(500);
            let title = actix_web::http::StatusCode::from_u16(number)
                .ok()
                .and_then(|s| s.canonical_reason());
            let mut problem = json!({
                "type": "about:blank", "title": title, "status": number, "code": code, "detail": usual.1,
                "request_id": request_id, "success": false, "errors": [usual.1],
            });
            if fields_are_wrong {
                problem["detail"] = "Some fields are wrong.".into();
                problem["fields"] = json!({ "first_name": ["blank"] });
            }
            problem
        }
        Shape::Success | Shape::Status => {
            let errors = if fields_are_wrong {
                json!({ "first_name": ["can't be blank"], "full_messages": ["First name can't be blank"] })
            } else {
                json!([usual.1])
            };
            let mut body = json!({ "errors": errors, "code": code, "request_id": request_id });
            if style.shape == Shape::Status {
                body["status"] = "error".into();
            } else {
                body["success"] = false.into();
            }
            body
        }
    }
}
