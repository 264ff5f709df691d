//! The door of the API: decides from the OpenAPI document who may come in, before a handler reads anything of a request.
//!
//! The framework starts on all arguments of a handler at once. Were the session one of them, a wrong id or body could be
//! answered before the missing session.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use domain_kernel::{FieldErrors, Refusal};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, PathItem};

use crate::caller::{CredentialParams, authenticate};
use crate::error::{ApiError, ApiResult};

/// Routes that look for the session themselves: it may stand in the query or the body, or a reset token in its place. Who has
/// to change the password gets in by these and no other.
const SELF_SERVICE: [&str; 3] =
    ["/api/v1/auth/validate_token", "/api/v1/auth/sign_out", "/api/v1/auth/password"];

/// Operations below `/worklete_admin` that are not for staff alone: whoever runs a team, and the champions on it, keep the
/// notes of its practice. Which teams those are is known to the use case only, so it decides.
const NOT_ONLY_STAFF: [&str; 2] = [
    "/api/v1/worklete_admin/teams/{team_id}/refinements",
    "/api/v1/worklete_admin/teams/{team_id}/refinements/{refinement_id}",
];

struct Known {
    segments: Vec<String>,
    method: Method,
    is_anonymous: bool,
    is_staff_only: bool,
    query: Vec<String>,
}

/// What the document says of each operation.
pub(crate) struct Operations(Vec<Known>);

impl Operations {
    pub(crate) fn of(document: &OpenApi) -> Self {
        let known = document.paths.paths.iter().flat_map(|(path, item)| {
            methods(item).into_iter().map(move |(method, operation)| Known {
                segments: path.split('/').map(str::to_owned).collect(),
                method,
                is_staff_only: is_staff_area(path) && !NOT_ONLY_STAFF.contains(&path.as_str()),
                is_anonymous: operation.security.as_ref().is_some_and(Vec::is_empty),
                query: query_parameters(operation),
            })
        });
        Self(known.collect())
    }

    /// The operations whose path fits best: of two paths that fit, the one with fewer parameters is meant.
    fn fitting(&self, path: &str) -> Vec<&Known> {
        let asked: Vec<&str> = path.split('/').collect();
        let is_parameter = |segment: &str| segment.starts_with('{');
        let fits = |known: &&Known| {
            known.segments.len() == asked.len()
                && known.segments.iter().zip(&asked).all(|(known, part)| is_parameter(known) || known == part)
        };
        let mut fitting: Vec<&Known> = self.0.iter().filter(fits).collect();
        let parameters = |known: &Known| known.segments.iter().filter(|part| is_parameter(part)).count();
        let fewest = fitting.iter().map(|known| parameters(known)).min();
        fitting.retain(|known| Some(parameters(known)) == fewest);
        fitting
    }

    fn find(&self, method: &Method, path: &str) -> Option<&Known> {
        self.fitting(path).into_iter().find(|known| known.method == method)
    }

    /// The methods that a path answers to, or `None` if nothing is there.
    pub(crate) fn methods_of(&self, path: &str) -> Option<String> {
        let methods: Vec<&str> = self.fitting(path).into_iter().map(|known| known.method.as_str()).collect();
        (!methods.is_empty()).then(|| methods.join(", "))
    }
}

fn is_staff_area(path: &str) -> bool {
    path.starts_with("/api/v1/worklete_admin/")
}

fn methods(item: &PathItem) -> Vec<(Method, &Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?))).collect()
}

fn query_parameters(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    let parameters = parameters.filter_map(|parameter| match parameter {
        utoipa::openapi::RefOr::T(parameter) => Some(parameter),
        utoipa::openapi::RefOr::Ref(_) => None,
    });
    let in_query = parameters.filter(|parameter| matches!(parameter.parameter_in, ParameterIn::Query));
    in_query.map(|parameter| parameter.name.clone()).collect()
}

/// The middleware.
pub(crate) async fn door<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match enter(&request).await {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(error) => Ok(request.error_response(error).map_into_right_body()),
    }
}

async fn enter(request: &ServiceRequest) -> ApiResult<()> {
    // As the router sees it: decoded, so that no spelling of a path slips past.
    let path = request.match_info().as_str();
    let Some(operations) = request.app_data::<Data<Operations>>() else { return Ok(()) };
    let Some(operation) = operations.find(request.method(), path) else { return Ok(()) };
    if !operation.is_anonymous && !SELF_SERVICE.contains(&path) {
        let caller = authenticate(request.request(), CredentialParams::default()).await?;
        caller.account.user.require_own_password()?;
        let is_staff = caller.actor.staff.is_some();
        request.extensions_mut().insert(caller);
        if operation.is_staff_only && !is_staff {
            return Err(Refusal::StaffOnly.into());
        }
    }
    // A typo in a filter must never widen what is found.
    if is_staff_area(path) || path.starts_with("/api/v1/search/") {
        only_known_parameters(request.query_string(), &operation.query)?;
    }
    Ok(())
}

fn only_known_parameters(query: &str, known: &[String]) -> ApiResult<()> {
    let mut errors = FieldErrors::new();
    let allowed = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let sent: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    for (name, _) in sent.iter().filter(|(name, _)| !known.contains(name)) {
        let message = format!("is not a parameter of this operation (allowed: {allowed})");
        errors.add(name, domain_kernel::FieldProblem { code: "unknown", message });
    }
    errors.into_result().map_err(ApiError::invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_tells_methods_and_who_may_come_in() {
        let operations = Operations::of(&crate::openapi::document());
        assert_eq!(operations.methods_of("/api/v1/auth/sign_in").as_deref(), Some("POST"));
        assert_eq!(operations.methods_of("/api/v1/nothing"), None);
        assert_eq!(operations.methods_of("/api/v1/courses/events").as_deref(), Some("POST"));
        let open = |method, path| operations.find(&method, path).map(|known| known.is_anonymous);
        assert_eq!(open(Method::GET, "/api/v1/invitations/289BZP"), Some(true));
        assert_eq!(open(Method::POST, "/api/v1/invitations/289BZP/accept"), Some(false));
        assert_eq!(open(Method::GET, "/api/v1/invitations/289BZP/accept"), None);
    }

    #[test]
    fn the_staff_area_is_for_staff_but_for_what_is_listed_with_a_reason() {
        let document = crate::openapi::document();
        let open: Vec<&String> = document
            .paths
            .paths
            .keys()
            .filter(|path| is_staff_area(path) && NOT_ONLY_STAFF.contains(&path.as_str()))
            .collect();
        assert_eq!(open, NOT_ONLY_STAFF.each_ref(), "each of the list is there");
        let operations = Operations::of(&document);
        let is_staff_only = |path| operations.find(&Method::GET, path).map(|known| known.is_staff_only);
        assert_eq!(is_staff_only("/api/v1/worklete_admin/teams/1/refinements"), Some(false));
        assert_eq!(is_staff_only("/api/v1/worklete_admin/courses/1"), Some(true));
        assert_eq!(is_staff_only("/api/v1/teams/1"), Some(false));
    }

    #[test]
    fn an_unknown_parameter_is_named_with_those_that_are_allowed() {
        let known = ["sort".to_owned(), "page".to_owned()];
        assert!(only_known_parameters("sort=name&page=2", &known).is_ok());
        let error = only_known_parameters("srot=name", &known).expect_err("a typo");
        let body = error.body(crate::error::Style::PROBLEM, "r").to_string();
        assert!(body.contains("srot") && body.contains("sort, page"), "{body}");
    }
}
