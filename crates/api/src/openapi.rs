//! The OpenAPI document, made from the handlers.
//!
//! Handlers say what is particular to them; what all have in common (session headers, request ids, the shape of errors) is
//! added here, so that it cannot be forgotten.

use std::collections::BTreeMap;

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
        (name = "users", description = "People with an account, as others see them"),
        (name = "accounts", description = "All accounts of the platform; for Worklete's staff"),
        (name = "search", description = "People by name"),
        (name = "invitations", description = "Codes that bring people in"),
        (name = "memberships", description = "Who belongs to an organization"),
        (name = "teams", description = "Teams of an organization"),
        (name = "organizations", description = "Customers"),
        (name = "champions", description = "Who is certified to lead practice; for Worklete's staff"),
        (name = "refinements", description = "Practice on a team's floor"),
        (name = "learning", description = "Courses as learners have them, and their progress"),
        (name = "courses", description = "What is taught; for Worklete's staff"),
        (name = "training", description = "Who trains what; for Worklete's staff"),
        (name = "rosters", description = "Files with the people of an organization, and what was made of them; for Worklete's staff"),
        (name = "audit", description = "Who changed what; for Worklete's staff"),
        (name = "jobs", description = "Work that goes on after an answer; for Worklete's staff"),
        (name = "operation", description = "For operators; outside the API's permissions")
    ),
    components(schemas(ProblemDocument, AuthErrorDocument, ProviderWord))
)]
struct Base;

/// The whole document.
pub fn document() -> OpenApi {
    let (_, mut document) =
        App::new().into_utoipa_app().openapi(Base::openapi()).configure(routes::configure).split_for_parts();
    add_security(&mut document);
    require_all_of_answers(&mut document);
    let mut shared = BTreeMap::new();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            complete(path, &method, operation, &mut shared);
        }
    }
    document.components.get_or_insert_default().responses.extend(shared);
    document
}

/// Fields of answers that are there only when they are asked for, only for some readers, or only when there is something to tell.
const ON_DEMAND: [(&str, &str); 7] = [
    ("ListedCourseVersion", "data"),
    ("LearnerCourse", "explanation"),
    ("ProblemSummary", "fields"),
    ("WorkleteScore", "components"),
    ("WorkleteScore", "previous_score"),
    ("WorkleteScore", "trend"),
    ("WorkleteScore", "eligible_members"),
];

/// Answers always hold all their fields, null where there is nothing; only the bodies of errors and of requests vary.
fn require_all_of_answers(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    for (name, schema) in &mut components.schemas {
        let varies = name.ends_with("Request")
            || name.ends_with("Params")
            || matches!(&**name, "Problem" | "AuthError");
        let parts = match schema {
            RefOr::T(Schema::Object(object)) => vec![object],
            RefOr::T(Schema::AllOf(all)) => {
                let objects = all.items.iter_mut().filter_map(|item| match item {
                    RefOr::T(Schema::Object(object)) => Some(object),
                    _ => None,
                });
                objects.collect()
            }
            _ => Vec::new(),
        };
        for object in parts.into_iter().filter(|_| !varies) {
            let is_always_there = |field: &&String| !ON_DEMAND.contains(&(name.as_str(), field.as_str()));
            object.required = object.properties.keys().filter(is_always_there).cloned().collect();
        }
    }
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
    all.into_iter().filter_map(|(method, operation)| Some((method, operation?))).collect()
}

const SCHEMES: [(&str, &str, &str); 3] = [
    ("access_token", "access-token", "The session's secret"),
    ("client", "client", "The session's public id, one for each device"),
    ("uid", "uid", "The username; may be absent, but when it is there it must be the session's"),
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

/// Adds to an operation what all have in common. Errors that are the same everywhere are described once, in `shared`.
fn complete(
    path: &str,
    method: &HttpMethod,
    operation: &mut Operation,
    shared: &mut BTreeMap<String, RefOr<Response>>,
) {
    let is_api = path.starts_with("/api/v1/");
    let is_anonymous = operation.security.is_some();
    if is_anonymous {
        operation.security = Some(Vec::new());
    }
    let style = Style::of(&http_method(method), path);
    let is_paged = operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.name == "page",
        RefOr::Ref(_) => false,
    });
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut() {
        let RefOr::T(response) = response else { continue };
        describe(status, response, style);
        if status == "200" && is_paged {
            for (name, description) in LIST_HEADERS {
                response.headers.insert(name.into(), text_header(description));
            }
        }
        if status.starts_with('2') && is_api && hands_over_session(path, method, is_anonymous) {
            for (name, description) in SESSION_HEADERS {
                response.headers.insert(name.into(), text_header(description));
            }
        }
    }
    if !is_api {
        return;
    }
    let mut usual = vec!["429", "503", "default"];
    if !is_anonymous && style.shape == Shape::Problem {
        usual.push("401");
    }
    if operation.request_body.is_some() {
        usual.extend(["400", "408", "413", "415"]);
    }
    for status in usual {
        if responses.contains_key(status) {
            continue;
        }
        let name = format!("{:?}{}", style.shape, if status == "default" { "Error" } else { status });
        shared.entry(name.clone()).or_insert_with(|| {
            let mut response = ResponseBuilder::new().description(usual_error(status).2).build();
            describe(status, &mut response, style);
            RefOr::T(response)
        });
        responses.insert(status.to_owned(), RefOr::Ref(Ref::from_response_name(name)));
    }
}

const LIST_HEADERS: [(&str, &str); 4] = [
    ("x-total-count", "Rows of the whole list"),
    ("x-page", "Number of this page"),
    ("x-per-page", "Rows of a page"),
    ("link", "The first, previous, next and last page (RFC 8288)"),
];

const SESSION_HEADERS: [(&str, &str); 5] = [
    ("access-token", "The session's secret"),
    ("client", "The session's public id"),
    ("uid", "The username"),
    ("expiry", "When the session ends unless it is used before: Unix time in seconds"),
    ("token-type", "Always `Bearer`"),
];

/// Whether the answer carries a session: on all routes of the signed-in but those that end the session.
fn hands_over_session(path: &str, method: &HttpMethod, is_anonymous: bool) -> bool {
    let opens = *method == HttpMethod::Post && matches!(path, "/api/v1/auth" | "/api/v1/auth/sign_in");
    let ends = *method == HttpMethod::Delete && matches!(path, "/api/v1/auth" | "/api/v1/auth/sign_out");
    opens || (!is_anonymous && !ends)
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
    let mut header = Header::new(Schema::Object(ObjectBuilder::new().schema_type(Type::String).build()));
    header.description = Some(description.to_owned());
    RefOr::T(header)
}

/// Gives an error its body and an example, and every answer the request id.
fn describe(status: &str, response: &mut Response, style: Style) {
    response.headers.insert("x-request-id".into(), text_header("Names the request in the logs"));
    let is_error = status == "default" || status.starts_with(['4', '5']);
    if !is_error || !response.content.is_empty() {
        return;
    }
    if status == "429" {
        for (name, description) in [
            ("retry-after", "Whole seconds until another try makes sense"),
            ("ratelimit-limit", "Tries that are allowed"),
            ("ratelimit-remaining", "Tries that are left"),
            ("ratelimit-reset", "Whole seconds until there are tries again"),
        ] {
            response.headers.insert(name.into(), text_header(description));
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

/// Code, text and description of the error that a status usually stands for.
fn usual_error(status: &str) -> (&'static str, &'static str, &'static str) {
    match status {
        "400" => (
            "malformed_body",
            "The body is not valid JSON (line 1, column 12).",
            "The request cannot be read",
        ),
        "401" => ("not_signed_in", "You need to sign in or sign up before continuing.", "Not signed in"),
        "403" => ("forbidden", "Your role does not allow this.", "Forbidden"),
        "404" => ("not_found", "There is nothing here.", "Not found"),
        "408" => ("body_too_slow", "The body did not arrive in time.", "The body did not arrive in time"),
        "409" => ("conflict", "The state does not allow this.", "The state does not allow it"),
        "413" => ("body_too_large", "The body is larger than 65536 bytes.", "The body is too large"),
        "415" => {
            ("unsupported_media_type", "The content type must be application/json.", "Another content type")
        }
        "422" => ("validation_failed", "First name can't be blank", "Fields are wrong"),
        "429" => ("too_many_requests", "Too many requests. Please slow down.", "Too many requests"),
        "503" => (
            "unavailable",
            "The service is not available right now. Please try again in a moment.",
            "The database is away or the server is too busy",
        ),
        _ => (
            "internal_error",
            "Something went wrong on our side. The request id helps us find it.",
            "Any other error",
        ),
    }
}

/// An example of the shape. The code is the first word in backticks of the description, if there is one.
fn example(status: &str, description: &str, style: Style) -> serde_json::Value {
    let (usual_code, usual_text, usual_description) = usual_error(status);
    let named = description.split('`').nth(1);
    let fields_are_wrong =
        matches!(status, "400" | "422") && named.is_none() && description != usual_description;
    let not_signed_in = status == "404" && style.shape != Shape::Problem && named.is_none();
    let (code, text) = match named {
        Some(code) => (code, description.split_once(": ").map_or(usual_text, |(_, text)| text)),
        None if fields_are_wrong => ("validation_failed", "First name can't be blank"),
        None if not_signed_in => (usual_error("401").0, usual_error("401").1),
        None => (usual_code, usual_text),
    };
    let request_id = "5f1c7a52-8f0e-4c1b-9a57-0d6f1f0f3a11";
    match style.shape {
        Shape::Problem => {
            let number: u16 = status.parse().unwrap_or(500);
            let title = actix_web::http::StatusCode::from_u16(number).ok().and_then(|s| s.canonical_reason());
            let mut problem = json!({
                "type": "about:blank", "title": title, "status": number, "code": code, "detail": text,
                "request_id": request_id, "success": false, "errors": [text],
            });
            if fields_are_wrong {
                problem["detail"] = "Some fields are wrong.".into();
                problem["fields"] = json!({ "first_name": ["blank"] });
            }
            problem
        }
        Shape::Success | Shape::Status => {
            let errors = if fields_are_wrong {
                json!({ "first_name": ["can't be blank"], "full_messages": [text] })
            } else {
                json!([text])
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
