use chrono::{DateTime, NaiveDate, Utc};
use domain_kernel::{FieldErrors, FieldProblem, OrgId, UserId, parse_day};
use domain_users::ports::CertificationFilter;
use domain_users::{CertifyChampion, ChampionCertification};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::id_list::parse_id;

/// Whose certifications are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CertificationFilterParams {
    /// Only those of this user.
    #[param(required = false, value_type = Uuid)]
    user_id: Option<String>,
    /// Only those of the active members of this organization.
    #[param(required = false, value_type = Uuid)]
    organization_id: Option<String>,
}

impl CertificationFilterParams {
    pub(crate) fn filter(&self) -> Result<CertificationFilter, FieldErrors> {
        let mut errors = FieldErrors::new();
        let mut id =
            |field, raw: &Option<String>| raw.as_deref().and_then(|raw| errors.take(field, parse_id(raw)));
        let user = id("user_id", &self.user_id).map(UserId::new);
        let organization = id("organization_id", &self.organization_id).map(OrgId::new);
        errors.into_result().map(|()| CertificationFilter { user, organization })
    }
}

/// A new champion.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "user_id": "01a20942-1cc0-7306-9dae-728ba404bc81", "date": "2026-11-02" }))]
pub(crate) struct CertifyChampionRequest {
    /// Who is certified.
    #[serde(default)]
    #[schema(required = true)]
    user_id: Option<Uuid>,
    /// Since when; today (UTC) at the latest.
    #[serde(default)]
    #[schema(required = true, format = Date)]
    date: Option<String>,
}

impl TryFrom<CertifyChampionRequest> for CertifyChampion {
    type Error = FieldErrors;

    fn try_from(request: CertifyChampionRequest) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let user = errors.take("user_id", request.user_id.ok_or_else(FieldProblem::blank));
        let date = errors.take("date", FieldProblem::required(request.date.as_deref(), parse_day));
        match (user, date) {
            (Some(user), Some(date)) => Ok(Self { user: UserId::new(user), date }),
            _ => Err(errors),
        }
    }
}

/// Somebody who shall be no champion any more.
#[derive(Deserialize, ToSchema, IntoParams, Default)]
#[serde(default)]
#[into_params(parameter_in = Query)]
#[schema(example = json!({ "user_id": "01a20942-1cc0-7306-9dae-728ba404bc81" }))]
pub(crate) struct RevokeChampionRequest {
    /// The user. In the query for clients whose proxies drop the body of a DELETE; the body wins.
    #[schema(required = true)]
    #[param(required = false)]
    user_id: Option<Uuid>,
}

impl RevokeChampionRequest {
    pub(crate) fn user(&self) -> Result<UserId, FieldErrors> {
        self.user_id.map(UserId::new).ok_or_else(|| FieldErrors::of("user_id", "blank", "can't be blank"))
    }
}

/// Says that a user is a champion: somebody trained to lead practice on the floor. Valid while it is neither revoked nor
/// expired.
#[derive(Serialize, ToSchema)]
#[schema(as = ChampionCertification)]
pub(crate) struct CertificationResponse {
    id: Uuid,
    user_id: Uuid,
    /// Since when.
    #[schema(example = "2026-11-02")]
    date: NaiveDate,
    /// The last day (UTC) on which it is valid.
    #[schema(example = "2027-11-02")]
    expires_on: NaiveDate,
    /// Who noted it.
    created_by_id: Uuid,
    /// RFC 3339 in UTC.
    created_at: DateTime<Utc>,
    /// Set once it is revoked.
    revoked_at: Option<DateTime<Utc>>,
}

impl From<ChampionCertification> for CertificationResponse {
    fn from(certification: ChampionCertification) -> Self {
        Self {
            id: certification.id.uuid(),
            user_id: certification.user.uuid(),
            date: certification.date,
            expires_on: certification.expires_on,
            created_by_id: certification.created_by.uuid(),
            created_at: certification.created_at,
            revoked_at: certification.revoked_at,
        }
    }
}
