use chrono::{DateTime, Utc};
use domain_kernel::{AuditSubject, FieldErrors, FieldProblem, OrgId, UserId};
use domain_users::{AuditFilter, AuditPlace, AuditRow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::id_list::parse_id;
use crate::paging::Cursor;

/// Which rows of the trail are wanted. All that are sent must fit.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditParams {
    /// Only what happened in this organization.
    #[param(required = false, value_type = Uuid)]
    organization_id: Option<String>,
    /// Only what this user did.
    #[param(required = false, value_type = Uuid)]
    actor_id: Option<String>,
    /// Only what was done to things of this kind, such as `membership`.
    #[param(required = false, example = "membership")]
    subject_kind: Option<String>,
    /// Only what was done to this thing.
    #[param(required = false, value_type = Uuid)]
    subject_id: Option<String>,
    /// Not before: RFC 3339, such as `2026-11-02T00:00:00Z`.
    #[param(required = false, value_type = DateTime<Utc>)]
    from: Option<String>,
    /// Before: RFC 3339.
    #[param(required = false, value_type = DateTime<Utc>)]
    to: Option<String>,
}

impl AuditParams {
    pub(crate) fn filter(&self) -> Result<AuditFilter, FieldErrors> {
        let mut errors = FieldErrors::new();
        let problems = &mut errors;
        let filter = AuditFilter {
            organization: take(problems, "organization_id", self.organization_id.as_deref(), parse_id)
                .map(OrgId::new),
            actor: take(problems, "actor_id", self.actor_id.as_deref(), parse_id).map(UserId::new),
            subject_kind: take(problems, "subject_kind", self.subject_kind.as_deref(), parse_kind),
            subject: take(problems, "subject_id", self.subject_id.as_deref(), parse_id),
            from: take(problems, "from", self.from.as_deref(), parse_time),
            to: take(problems, "to", self.to.as_deref(), parse_time),
        };
        errors.into_result().map(|()| filter)
    }
}

fn take<T>(
    errors: &mut FieldErrors,
    name: &str,
    raw: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, FieldProblem>,
) -> Option<T> {
    raw.and_then(|raw| errors.take(name, parse(raw)))
}

fn parse_kind(raw: &str) -> Result<&'static str, FieldProblem> {
    let known = AuditSubject::KINDS.into_iter().find(|kind| *kind == raw);
    known.ok_or_else(|| {
        let message = format!("must be one of: {}", AuditSubject::KINDS.join(", "));
        FieldProblem { code: "invalid", message }
    })
}

fn parse_time(raw: &str) -> Result<DateTime<Utc>, FieldProblem> {
    let message = "must be a time such as 2026-11-02T00:00:00Z";
    let parsed = DateTime::parse_from_rfc3339(raw);
    parsed.map(Into::into).map_err(|_| FieldProblem { code: "invalid", message: message.into() })
}

impl From<AuditPlace> for Cursor {
    fn from(place: AuditPlace) -> Self {
        Self { at: place.at, id: place.id }
    }
}

impl From<Cursor> for AuditPlace {
    fn from(cursor: Cursor) -> Self {
        Self { at: cursor.at, id: cursor.id }
    }
}

/// Something that staff, or an admin of an organization, changed.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditRow)]
pub(crate) struct AuditRowResponse {
    id: Uuid,
    /// When, RFC 3339 in UTC.
    at: DateTime<Utc>,
    /// The user who did it.
    actor_id: Uuid,
    /// In which organization; null for what belongs to none.
    organization_id: Option<Uuid>,
    /// What was done.
    #[schema(example = "membership.update")]
    action: String,
    /// To what kind of thing.
    #[schema(example = "membership")]
    subject_kind: String,
    /// To which thing.
    subject_id: Uuid,
    /// The fields before, without secrets and without names of people; null where there is nothing to tell.
    before: Option<Value>,
    /// The fields after.
    after: Option<Value>,
    /// The `x-request-id` of the request that did it.
    request_id: String,
    /// The address that it came from.
    ip: Option<String>,
}

impl From<AuditRow> for AuditRowResponse {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.place.id,
            at: row.place.at,
            actor_id: row.actor.uuid(),
            organization_id: row.organization.map(OrgId::uuid),
            action: row.action,
            subject_kind: row.subject_kind,
            subject_id: row.subject,
            before: row.before,
            after: row.after,
            request_id: row.request_id,
            ip: row.ip,
        }
    }
}
