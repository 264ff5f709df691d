//! How errors become answers: the only place that knows HTTP statuses.
//!
//! Handlers give an [`ApiError`] by `?`; [`crate::finish`] renders it, because the shape depends on the route and the body
//! holds the request id. Everywhere the body is a problem document, except on the routes of the token-auth client
//! libraries, whose clients read the shapes they know.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use domain_kernel::{DomainError, ErrorKind, FieldErrors, FieldProblem, RetryAfter};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// When to come back to a server that is too busy or has lost its database.
const SOON: RetryAfter = RetryAfter { seconds: 2, limit: None };

/// What a handler gives.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// An error on its way to a client. One pointer, so that results stay small.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: Status,
    code: &'static str,
    detail: String,
    fields: Option<FieldErrors>,
    retry_after: Option<RetryAfter>,
    data: Option<Value>,
    allow: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Debug, Clone, Copy)]
enum Status {
    /// Depends on the route.
    Of(ErrorKind),
    /// The same everywhere.
    Fixed(StatusCode),
}

impl<E: DomainError> From<E> for ApiError {
    fn from(error: E) -> Self {
        let is_away = error.kind() == ErrorKind::Unavailable;
        let is_ours = matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unavailable);
        Self(Box::new(Parts {
            status: Status::Of(error.kind()),
            code: error.code(),
            detail: error.to_string(),
            fields: error.fields().cloned(),
            retry_after: error.retry_after().or(is_away.then_some(SOON)),
            data: None,
            allow: None,
            source: is_ours.then(|| Box::new(error) as Box<dyn Error + Send + Sync>),
        }))
    }
}

impl ApiError {
    fn new(status: Status, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self(Box::new(Parts {
            status,
            code,
            detail,
            fields: None,
            retry_after: None,
            data: None,
            allow: None,
            source: None,
        }))
    }

    fn fixed(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Status::Fixed(status), code, detail)
    }

    /// Fields break rules.
    pub(crate) fn invalid(fields: FieldErrors) -> Self {
        let mut error =
            Self::new(Status::Of(ErrorKind::Invalid), "validation_failed", "Some fields are wrong.");
        error.0.fields = Some(fields);
        error
    }

    /// None of the fields that the operation knows were sent.
    pub(crate) fn nothing_sent() -> Self {
        let detail = "Please send at least one of the fields that this operation takes.";
        Self::new(Status::Of(ErrorKind::Invalid), "nothing_sent", detail)
    }

    /// A new password without itself or without its confirmation: the client libraries read a list of texts here.
    pub(crate) fn password_missing() -> Self {
        let detail = "Please send both password and password_confirmation.";
        Self::new(Status::Of(ErrorKind::Invalid), "password_missing", detail)
    }

    /// The body cannot be read.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::fixed(StatusCode::BAD_REQUEST, "malformed_body", detail)
    }

    /// The query cannot be read.
    pub(crate) fn malformed_query(detail: impl Into<String>) -> Self {
        Self::fixed(StatusCode::BAD_REQUEST, "malformed_query", detail)
    }

    /// The body is larger than this route takes.
    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("The body is larger than {limit} bytes.");
        Self::fixed(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    }

    /// The body does not come in time.
    pub(crate) fn too_slow() -> Self {
        Self::fixed(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body did not arrive in time.")
    }

    /// The body is of another type.
    pub(crate) fn unsupported(accepted: &str) -> Self {
        let detail = format!("The content type must be {accepted}.");
        Self::fixed(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// Nothing is here.
    pub(crate) fn not_found() -> Self {
        Self::new(Status::Of(ErrorKind::NotFound), "not_found", "There is nothing here.")
    }

    /// Something is here, for other methods.
    pub(crate) fn method_not_allowed(allowed: &str) -> Self {
        let detail = format!("This path answers to {allowed} only.");
        let mut error = Self::fixed(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        error.0.allow = Some(allowed.to_owned());
        error
    }

    /// A browser asks before a call from a page that may not make it.
    pub(crate) fn refused_preflight() -> Self {
        let detail = "Pages of this origin may not call with this method and these headers (CORS).";
        Self::fixed(StatusCode::BAD_REQUEST, "cors_refused", detail)
    }

    /// Too many requests.
    pub(crate) fn throttled(wait: RetryAfter) -> Self {
        let detail = "Too many requests. Please slow down.";
        let mut error = Self::new(Status::Of(ErrorKind::Throttled), "too_many_requests", detail);
        error.0.retry_after = Some(wait);
        error
    }

    /// As many streams as the server can take.
    pub(crate) fn too_many_streams() -> Self {
        let detail = "There are too many open streams. Please try again soon.";
        let mut error = Self::new(Status::Of(ErrorKind::Unavailable), "too_many_streams", detail);
        error.0.retry_after = Some(SOON);
        error
    }

    /// Wrong credentials for an endpoint outside the API.
    pub(crate) fn unauthenticated(detail: &str) -> Self {
        Self::new(Status::Of(ErrorKind::Unauthenticated), "unauthenticated", detail)
    }

    /// Adds what some routes send back beside the errors.
    pub(crate) fn with_data(mut self, data: Value) -> Self {
        self.0.data = Some(data);
        self
    }

    /// The status on a route of this style.
    pub(crate) fn status(&self, style: Style) -> StatusCode {
        match self.0.status {
            Status::Fixed(status) => status,
            Status::Of(ErrorKind::Invalid) if style.shape == Shape::Problem => StatusCode::BAD_REQUEST,
            Status::Of(ErrorKind::Invalid) => StatusCode::UNPROCESSABLE_ENTITY,
            // A name that is taken is a wrong field to the client libraries.
            Status::Of(ErrorKind::Conflict) if style.shape != Shape::Problem && self.0.fields.is_some() => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Status::Of(ErrorKind::Unauthenticated) if style.hides_unauthenticated => StatusCode::NOT_FOUND,
            Status::Of(ErrorKind::Unauthenticated) => StatusCode::UNAUTHORIZED,
            Status::Of(ErrorKind::Forbidden) => StatusCode::FORBIDDEN,
            Status::Of(ErrorKind::NotFound) => StatusCode::NOT_FOUND,
            Status::Of(ErrorKind::Conflict) => StatusCode::CONFLICT,
            Status::Of(ErrorKind::Throttled) => StatusCode::TOO_MANY_REQUESTS,
            Status::Of(ErrorKind::Unavailable) => StatusCode::SERVICE_UNAVAILABLE,
            Status::Of(ErrorKind::Internal) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The error in a few words, for one of many results.
    pub(crate) fn summary(&self) -> ProblemSummary {
        let texts: Vec<String> = self.texts().into_iter().flat_map(|(_, messages)| messages).collect();
        ProblemSummary {
            status: self.status(Style::PROBLEM).as_u16(),
            code: self.0.code,
            detail: if texts.is_empty() { self.public_detail().to_owned() } else { texts.join(", ") },
            fields: self.0.fields.as_ref().map(codes_by_field),
        }
    }

    /// When to come back.
    pub(crate) fn retry_after(&self) -> Option<RetryAfter> {
        self.0.retry_after
    }

    /// The methods that would do.
    pub(crate) fn allow(&self) -> Option<&str> {
        self.0.allow.as_deref()
    }

    /// The chain of causes, for the log.
    pub(crate) fn causes(&self) -> Option<String> {
        let mut causes = Vec::new();
        let mut next = self.0.source.as_deref().map(|source| source as &(dyn Error + 'static));
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        (!causes.is_empty()).then(|| causes.join(": "))
    }

    /// The code, for the log.
    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    /// What the client reads: never the cause of our own failures.
    fn public_detail(&self) -> &str {
        match self.0.status {
            Status::Of(ErrorKind::Internal) => {
                "Something went wrong on our side. The request id helps us find it."
            }
            Status::Of(ErrorKind::Unavailable) => {
                "The service is not available right now. Please try again in a moment."
            }
            _ => &self.0.detail,
        }
    }

    /// The body on a route of this style.
    pub(crate) fn body(&self, style: Style, request_id: &str) -> Value {
        let texts = self.texts();
        let list: Vec<&String> = texts.iter().flat_map(|(_, messages)| messages).collect();
        let errors = if list.is_empty() { json!([self.public_detail()]) } else { json!(list) };
        let mut body = match style.shape {
            Shape::Problem => {
                let status = self.status(style);
                let mut problem = json!({
                    "type": "about:blank",
                    "title": status.canonical_reason().unwrap_or("Error"),
                    "status": status.as_u16(),
                    "detail": self.public_detail(),
                    "success": false,
                    "errors": errors,
                });
                if let Some(fields) = &self.0.fields {
                    problem["fields"] = json!(codes_by_field(fields));
                }
                problem
            }
            // Without fields the list of texts; with fields an object by field, as the client libraries show them.
            Shape::Success if self.0.fields.is_none() => json!({ "success": false, "errors": errors }),
            Shape::Success => json!({ "success": false, "errors": self.by_field() }),
            Shape::Status if self.0.fields.is_none() => {
                json!({ "status": "error", "success": false, "errors": errors })
            }
            Shape::Status => json!({ "status": "error", "errors": self.by_field() }),
        };
        body["code"] = self.0.code.into();
        body["request_id"] = request_id.into();
        if let Some(data) = &self.0.data {
            body["data"] = data.clone();
        }
        body
    }

    /// The messages by field, each reading as a sentence with the field's name in front.
    fn texts(&self) -> Vec<(String, Vec<String>)> {
        let Some(fields) = &self.0.fields else {
            return Vec::new();
        };
        let sentence = |field: &str, message: &str| format!("{} {message}", humanized(field));
        fields
            .iter()
            .map(|(field, problems)| {
                (field.to_owned(), problems.iter().map(|problem| sentence(field, &problem.message)).collect())
            })
            .collect()
    }

    fn by_field(&self) -> Value {
        let mut errors = Map::new();
        if let Some(fields) = &self.0.fields {
            for (field, problems) in fields.iter() {
                let messages = problems.iter().map(|problem| problem.message.clone()).collect();
                errors.insert(field.to_owned(), messages);
            }
        }
        let full: Vec<String> = self.texts().into_iter().flat_map(|(_, messages)| messages).collect();
        errors.insert("full_messages".into(), full.into());
        Value::Object(errors)
    }
}

fn codes_by_field(fields: &FieldErrors) -> BTreeMap<String, Vec<&'static str>> {
    let codes = |(field, problems): (&str, &[FieldProblem])| {
        (field.to_owned(), problems.iter().map(|p| p.code).collect())
    };
    fields.iter().map(codes).collect()
}

/// `invite_code` as people read it: `Invite code`.
fn humanized(field: &str) -> String {
    let mut words = field.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status(Style::PROBLEM)
    }

    /// A placeholder that [`crate::finish`] replaces.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

/// The shape of an error's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A problem document.
    Problem,
    /// Client libraries: `{"success":false,"errors":…}`.
    Success,
    /// Client libraries, on the account itself: `{"status":"error","errors":…}`.
    Status,
}

/// How a route answers errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// The shape of the body.
    pub(crate) shape: Shape,
    /// Whether a missing session is answered as 404: the client libraries expect it on a few routes.
    hides_unauthenticated: bool,
}

impl Style {
    /// All routes but those of the client libraries.
    pub(crate) const PROBLEM: Self = Self { shape: Shape::Problem, hides_unauthenticated: false };

    /// The style of a route.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let Some(route) = path.strip_prefix("/api/v1/auth") else {
            return Self::PROBLEM;
        };
        let (shape, hides_unauthenticated) = match route {
            "" => (Shape::Status, *method != Method::POST),
            "/sign_out" => (Shape::Success, true),
            "/sign_in" | "/validate_token" | "/password" | "/password/edit" => (Shape::Success, false),
            _ => return Self::PROBLEM,
        };
        Self { shape, hides_unauthenticated }
    }

    /// The content type of an error's body.
    pub(crate) fn content_type(self) -> &'static str {
        match self.shape {
            Shape::Problem => "application/problem+json",
            Shape::Success | Shape::Status => "application/json; charset=utf-8",
        }
    }
}

/// An error (RFC 9457), with two members more so that token-auth clients understand it, too.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// Always `about:blank`: `code` tells problems apart.
    #[schema(example = "about:blank")]
    r#type: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// Stable word for programs.
    code: String,
    /// What is wrong, for people.
    detail: String,
    /// The value of the `x-request-id` header; helps support to find the request in the logs.
    request_id: String,
    /// Always false.
    success: bool,
    /// What is wrong, for people; one sentence each.
    errors: Vec<String>,
    /// Stable words by field, when fields are wrong.
    #[schema(required = false)]
    fields: Option<BTreeMap<String, Vec<String>>>,
}

/// An error of one of many results.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProblemSummary {
    /// The HTTP status that it would be by itself.
    #[schema(example = 404)]
    status: u16,
    /// Stable word for programs.
    #[schema(example = "not_found")]
    code: &'static str,
    /// What is wrong, for people.
    #[schema(example = "There is nothing here.")]
    detail: String,
    /// Codes of the fields that are wrong; not there when none is.
    #[schema(required = false, value_type = BTreeMap<String, Vec<String>>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<BTreeMap<String, Vec<&'static str>>>,
}

/// An error on the routes of the token-auth client libraries.
#[derive(Serialize, ToSchema)]
#[schema(as = AuthError)]
pub(crate) struct AuthErrorDocument {
    /// False, where the libraries expect it.
    #[schema(required = false)]
    success: Option<bool>,
    /// `error`, where the libraries expect it.
    #[schema(required = false)]
    status: Option<String>,
    /// A list of sentences; or, when fields are wrong, the messages by field and all of them as `full_messages`.
    errors: Value,
    /// What was sent, without secrets; after a refused sign-up only.
    #[schema(required = false)]
    data: Option<Value>,
    /// Stable word for programs.
    code: String,
    /// The value of the `x-request-id` header.
    request_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(method: &Method, path: &str) -> Style {
        Style::of(method, path)
    }

    #[test]
    fn the_auth_routes_keep_the_statuses_and_shapes_of_the_client_libraries() {
        let fields = || ApiError::invalid(FieldErrors::of("invite_code", "blank", "can't be blank"));
        let sign_up = style(&Method::POST, "/api/v1/auth");
        assert_eq!(fields().status(sign_up), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(
            fields().body(sign_up, "r"),
            json!({
                "status": "error",
                "errors": { "invite_code": ["can't be blank"], "full_messages": ["Invite code can't be blank"] },
                "code": "validation_failed",
                "request_id": "r",
            })
        );
        let elsewhere = style(&Method::POST, "/api/v1/worklete_admin/organizations");
        assert_eq!(fields().status(elsewhere), StatusCode::BAD_REQUEST);
        assert_eq!(fields().body(elsewhere, "r")["fields"], json!({ "invite_code": ["blank"] }));
    }

    #[test]
    fn a_missing_session_is_404_where_the_libraries_expect_it() {
        let error = || ApiError::unauthenticated("no");
        for (method, path, status) in [
            (Method::PATCH, "/api/v1/auth", 404),
            (Method::PUT, "/api/v1/auth", 404),
            (Method::DELETE, "/api/v1/auth", 404),
            (Method::DELETE, "/api/v1/auth/sign_out", 404),
            (Method::POST, "/api/v1/auth/sign_in", 401),
            (Method::GET, "/api/v1/auth/validate_token", 401),
            (Method::PUT, "/api/v1/auth/password", 401),
            (Method::GET, "/api/v1/teams", 401),
        ] {
            assert_eq!(error().status(style(&method, path)).as_u16(), status, "{method} {path}");
        }
    }

    #[test]
    fn the_cause_of_our_own_failure_is_for_the_log_only() {
        let cause = domain_kernel::StorageError::Failed("a secret of the database".into());
        let error = ApiError::from(domain_users::UserError::from(cause));
        assert!(!error.body(Style::PROBLEM, "r").to_string().contains("secret"));
        assert!(error.causes().is_some_and(|causes| causes.contains("a secret of the database")));
    }
}
