//! Every operation by name. Paths and methods stand above the handlers.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::openapi::OpenApi;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::error::{ApiError, ApiResult};
use crate::{courses, docs_page, health, memberships, orgs, teams, users};

/// Mounts all operations.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(health::healthz)
        .service(health::readyz)
        .service(health::metrics)
        .service(docs_page::docs)
        .service(docs_page::openapi_json)
        .service(
            scope("/api/v1")
                .service(users::handlers::sign_up)
                .service(users::handlers::update_account)
                .service(users::handlers::replace_account)
                .service(users::handlers::delete_account)
                .service(users::handlers::change_password)
                .service(users::handlers::patch_password)
                .service(users::handlers::request_password_reset)
                .service(users::handlers::open_password_reset)
                .service(users::handlers::sign_in)
                .service(users::handlers::sign_out)
                .service(users::handlers::validate_token)
                .service(users::handlers::username_availability)
                .service(memberships::handlers::preview_invitation)
                .service(memberships::handlers::accept_invitation)
                .service(memberships::handlers::create_membership)
                .service(teams::handlers::create_team)
                .service(orgs::handlers::create_organization)
                .service(courses::handlers::create_course)
                .service(courses::handlers::get_course)
                .default_service(web::to(nothing_here)),
        )
        .map(|config| config.service(docs_page::docs_asset).default_service(web::to(nothing_here)));
}

/// The methods that each documented path answers to.
pub(crate) struct KnownMethods(Vec<(Vec<String>, String)>);

impl KnownMethods {
    pub(crate) fn of(document: &OpenApi) -> Self {
        let methods = |item: &utoipa::openapi::PathItem| {
            let known = [
                ("GET", &item.get),
                ("POST", &item.post),
                ("PUT", &item.put),
                ("PATCH", &item.patch),
                ("DELETE", &item.delete),
            ];
            let has = known.iter().filter(|(_, operation)| operation.is_some());
            has.map(|(method, _)| *method).collect::<Vec<_>>().join(", ")
        };
        let segments = |path: &String| path.split('/').map(str::to_owned).collect();
        Self(document.paths.paths.iter().map(|(path, item)| (segments(path), methods(item))).collect())
    }

    fn of_path(&self, path: &str) -> Option<&str> {
        let asked: Vec<&str> = path.split('/').collect();
        let fits = |pattern: &[String]| {
            pattern.len() == asked.len()
                && pattern.iter().zip(&asked).all(|(known, part)| known.starts_with('{') || known == part)
        };
        self.0.iter().find(|(pattern, _)| fits(pattern)).map(|(_, methods)| methods.as_str())
    }
}

/// 405 with the methods that would do, or 404.
async fn nothing_here(request: HttpRequest, methods: Data<KnownMethods>) -> ApiResult<HttpResponse> {
    match methods.of_path(request.path()) {
        Some(allowed) => Err(ApiError::method_not_allowed(allowed)),
        None => Err(ApiError::not_found()),
    }
}
