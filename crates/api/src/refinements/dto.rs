use chrono::{DateTime, Utc};
use domain_kernel::{FieldErrors, FieldProblem};
use domain_teams::{Refinement, RefinementData};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::body::Patched;

/// What was practised.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "data": {
    "occurred_on": "2026-11-02", "led_by_membership_id": null, "membership_ids": [], "course_id": null,
    "moves": ["squat", "hinge"], "notes": "Feet wider apart at the dock."
} }))]
pub(crate) struct CreateRefinementRequest {
    /// Any JSON object of at most 64 KiB, kept as it is. Some keys are checked if they are there and not null:
    /// `occurred_on` (a date, not in the future; else it is the day of the note), `led_by_membership_id` and `membership_ids`
    /// (memberships of the organization), `course_id` (a course of the library or of the organization).
    #[serde(default)]
    #[schema(required = true, value_type = Object)]
    data: Option<Value>,
}

impl CreateRefinementRequest {
    pub(crate) fn data(self) -> Result<RefinementData, FieldErrors> {
        RefinementData::parse(self.data.ok_or_else(blank)?)
    }
}

/// What was practised, told anew.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "data": { "occurred_on": "2026-11-03", "notes": "Feet wider apart at the dock." } }))]
pub(crate) struct UpdateRefinementRequest {
    /// Replaces what is there, under the same rules. Absent: nothing changes.
    #[serde(default)]
    #[schema(required = false, value_type = Object)]
    data: Patched<Value>,
}

impl UpdateRefinementRequest {
    pub(crate) fn data(self) -> Result<Option<RefinementData>, FieldErrors> {
        match self.data {
            Patched::Absent => Ok(None),
            Patched::Null => Err(blank()),
            Patched::There(raw) => RefinementData::parse(raw).map(Some),
        }
    }
}

fn blank() -> FieldErrors {
    let mut errors = FieldErrors::new();
    errors.add("data", FieldProblem::blank());
    errors
}

/// A record of practice on a team's floor.
#[derive(Serialize, ToSchema)]
#[schema(as = Refinement)]
pub(crate) struct RefinementResponse {
    id: Uuid,
    team_id: Uuid,
    /// As it was sent.
    #[schema(value_type = Object, example = json!({ "occurred_on": "2026-11-02", "moves": ["squat", "hinge"] }))]
    data: Map<String, Value>,
    /// The user who noted it.
    created_by_id: Uuid,
    /// RFC 3339 in UTC.
    created_at: DateTime<Utc>,
    /// RFC 3339 in UTC.
    updated_at: DateTime<Utc>,
}

impl From<Refinement> for RefinementResponse {
    fn from(refinement: Refinement) -> Self {
        Self {
            id: refinement.id.uuid(),
            team_id: refinement.team.uuid(),
            data: refinement.data.fields().clone(),
            created_by_id: refinement.created_by.uuid(),
            created_at: refinement.created_at,
            updated_at: refinement.updated_at,
        }
    }
}
