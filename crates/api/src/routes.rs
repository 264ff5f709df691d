//! Every operation by name. Paths and methods stand above the handlers.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::door::Operations;
use crate::error::{ApiError, ApiResult};
use crate::{
    audit, champions, courses, docs_page, health, jobs, memberships, orgs, refinements, rosters, teams,
    training, users,
};

/// Mounts all operations.
#[expect(clippy::too_many_lines, reason = "a table, which grows with the operations")]
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
                .service(memberships::handlers::get_membership)
                .service(memberships::handlers::set_org_admin)
                .service(memberships::handlers::update_membership)
                .service(memberships::handlers::deactivate_membership)
                .service(memberships::handlers::list_team_memberships)
                .service(memberships::handlers::list_pending_memberships)
                .service(memberships::handlers::list_invitations)
                .service(memberships::handlers::resend_invitation)
                .service(memberships::handlers::revoke_invitation)
                .service(memberships::handlers::reissue_invitation)
                .service(memberships::handlers::search_members)
                .service(memberships::staff_handlers::list_memberships)
                .service(memberships::staff_handlers::get_any_membership)
                .service(memberships::staff_handlers::list_all_invitations)
                .service(memberships::staff_handlers::get_invitation)
                .service(users::handlers::list_users)
                .service(users::handlers::get_user)
                .service(users::handlers::change_email)
                .service(users::handlers::change_username)
                .service(users::handlers::search_organization_users)
                .service(users::handlers::search_users)
                .service(users::staff_handlers::list_all_users)
                .service(users::staff_handlers::issue_password)
                // Not a user whose id is "reset_password".
                .route("/worklete_admin/users/reset_password", web::to(nothing_here))
                .service(users::staff_handlers::get_account)
                .service(users::staff_handlers::update_user)
                .service(users::staff_handlers::erase_user)
                .service(users::staff_handlers::export_user)
                .service(audit::handlers::list_audit_log)
                .service(jobs::handlers::list_jobs)
                .service(teams::handlers::list_teams_of_membership)
                .service(teams::handlers::create_team)
                .service(teams::handlers::list_teams)
                .service(teams::score_handlers::list_team_scores)
                .service(teams::score_handlers::get_team_score)
                .service(teams::handlers::list_administered_teams)
                .service(teams::handlers::get_team)
                .service(teams::handlers::update_team)
                .service(teams::handlers::replace_team)
                .service(teams::handlers::delete_team)
                .service(teams::handlers::list_team_admins)
                .service(teams::handlers::add_team_admin)
                .service(teams::handlers::remove_team_admin)
                .service(orgs::handlers::list_own_organizations)
                .service(orgs::handlers::update_organization)
                .service(orgs::handlers::list_organizations)
                .service(orgs::handlers::create_organization)
                .service(orgs::handlers::get_organization)
                .service(orgs::handlers::change_organization)
                .service(teams::staff_handlers::list_organization_teams)
                .service(teams::staff_handlers::create_organization_team)
                .service(teams::staff_handlers::get_organization_team)
                .service(teams::staff_handlers::change_organization_team)
                .service(courses::learner_handlers::get_current_course)
                .service(courses::learner_handlers::report_progress_batch)
                // Not a course whose id is "events".
                .route("/courses/events", web::to(nothing_here))
                .service(courses::learner_handlers::get_learner_course)
                .service(courses::learner_handlers::report_progress)
                .service(courses::learner_handlers::list_progress_events)
                .service(courses::progress_stream::stream_team_progress)
                .service(champions::handlers::list_champion_certifications)
                .service(champions::handlers::certify_champion)
                .service(champions::handlers::revoke_champion)
                .service(champions::handlers::revoke_champion_certification)
                .service(refinements::handlers::list_refinements)
                .service(refinements::handlers::create_refinement)
                .service(refinements::handlers::get_refinement)
                .service(refinements::handlers::update_refinement)
                .service(courses::handlers::create_course)
                .service(courses::handlers::get_course)
                .service(courses::handlers::list_courses)
                .service(courses::handlers::update_course)
                .service(courses::handlers::replace_course)
                .service(courses::version_handlers::list_versions)
                .service(courses::version_handlers::create_version)
                .service(courses::version_handlers::get_version)
                .service(courses::version_handlers::update_version)
                .service(courses::version_handlers::replace_version)
                .service(courses::version_handlers::publish_version)
                .service(courses::version_handlers::archive_version)
                .service(training::handlers::list_training_categories)
                .service(training::handlers::create_training_category)
                .service(training::handlers::update_training_category)
                .service(training::handlers::replace_training_category)
                .service(training::handlers::list_job_titles)
                .service(training::handlers::list_course_pools)
                .service(training::handlers::set_course_pools)
                .service(rosters::handlers::get_roster_upload)
                .service(rosters::handlers::create_roster_upload)
                .service(rosters::handlers::list_imports)
                .service(rosters::handlers::start_import)
                .service(rosters::handlers::get_import)
                .service(rosters::handlers::get_import_report)
                .service(rosters::handlers::confirm_import)
                .service(rosters::handlers::cancel_import)
                .service(rosters::notify_of_files)
                .default_service(web::to(nothing_here)),
        )
        .map(|config| config.service(docs_page::docs_asset).default_service(web::to(nothing_here)));
}

/// 405 with the methods that would do, or 404.
async fn nothing_here(request: HttpRequest, operations: Data<Operations>) -> ApiResult<HttpResponse> {
    match operations.methods_of(request.path()) {
        Some(allowed) => Err(ApiError::method_not_allowed(&allowed)),
        None => Err(ApiError::not_found()),
    }
}
