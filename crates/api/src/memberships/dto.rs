use chrono::{DateTime, NaiveDate, Utc};
use domain_kernel::{EmailAddress, FieldErrors, FieldProblem, InviteCode, OrgId, PersonName, TeamId, UserId};
use domain_memberships::{
    CreateMembership, ExternalId, Invitation, InvitationPreview, InvitationStatus, JobTitle, MembershipView,
    Reader,
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::users::UserBriefResponse;

/// A person for the roster.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "first_name": "Demo", "last_name": "Newcomer", "email": null, "external_id": "E-1007", "job_title": "Picker",
    "hired_on": "2026-11-02", "org_admin": false, "team_ids": [], "administered_team_ids": []
}))]
pub(crate) struct CreateMembershipRequest {
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(required = true, max_length = 100)]
    first_name: Option<String>,
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(required = true, max_length = 100)]
    last_name: Option<String>,
    /// An e-mail address.
    #[serde(default)]
    #[schema(required = false)]
    email: Option<String>,
    /// The customer's own number for the person, at most 100 characters, unique in the organization. If it belongs to a
    /// deactivated membership, that one is taken up again.
    #[serde(default)]
    #[schema(required = false, max_length = 100)]
    external_id: Option<String>,
    /// At most 100 characters.
    #[serde(default)]
    #[schema(required = false, max_length = 100)]
    job_title: Option<String>,
    /// First day of work, `YYYY-MM-DD`.
    #[serde(default)]
    #[schema(required = false)]
    hired_on: Option<String>,
    /// Whether they will run the organization.
    #[serde(default)]
    #[schema(required = false, default = false)]
    org_admin: bool,
    /// Teams they are on, at most 200.
    #[serde(default)]
    #[schema(required = false, max_items = 200)]
    team_ids: Vec<Uuid>,
    /// Teams they run, at most 200.
    #[serde(default)]
    #[schema(required = false, max_items = 200)]
    administered_team_ids: Vec<Uuid>,
}

fn teams(field: &str, ids: &[Uuid], errors: &mut FieldErrors) -> Vec<TeamId> {
    if ids.len() > 200 {
        errors.add(field, FieldProblem { code: "too_many", message: "are too many (maximum is 200)".into() });
    }
    let mut seen = std::collections::HashSet::new();
    ids.iter().filter(|id| seen.insert(**id)).map(|id| TeamId::new(*id)).collect()
}

/// An empty text counts as absent: that is what forms send.
fn optional<T>(
    errors: &mut FieldErrors,
    field: &str,
    raw: Option<&str>,
    parse: impl Fn(&str) -> Result<T, FieldProblem>,
) -> Option<T> {
    raw.filter(|raw| !raw.trim().is_empty()).and_then(|raw| errors.take(field, parse(raw)))
}

fn parse_day(raw: &str) -> Result<NaiveDate, FieldProblem> {
    let wrong = || FieldProblem { code: "invalid", message: "must be a date such as 2026-11-02".into() };
    let day = NaiveDate::parse_from_str(raw.trim(), "%Y-%m-%d").map_err(|_| wrong())?;
    let years = 1900..=2200;
    if years.contains(&chrono::Datelike::year(&day)) { Ok(day) } else { Err(wrong()) }
}

impl CreateMembershipRequest {
    pub(crate) fn command(&self, organization: OrgId) -> Result<CreateMembership, FieldErrors> {
        let mut errors = FieldErrors::new();
        let name = |raw: Option<&str>| FieldProblem::required(raw, PersonName::parse);
        let first_name = errors.take("first_name", name(self.first_name.as_deref()));
        let last_name = errors.take("last_name", name(self.last_name.as_deref()));
        let email = optional(&mut errors, "email", self.email.as_deref(), EmailAddress::parse);
        let external_id =
            optional(&mut errors, "external_id", self.external_id.as_deref(), ExternalId::parse);
        let job_title = optional(&mut errors, "job_title", self.job_title.as_deref(), JobTitle::parse);
        let hired_on = optional(&mut errors, "hired_on", self.hired_on.as_deref(), parse_day);
        let team_ids = teams("team_ids", &self.team_ids, &mut errors);
        let administered_teams = teams("administered_team_ids", &self.administered_team_ids, &mut errors);
        match (first_name, last_name) {
            (Some(first_name), Some(last_name)) if errors.is_empty() => Ok(CreateMembership {
                organization,
                first_name,
                last_name,
                email,
                external_id,
                job_title,
                hired_on,
                org_admin: self.org_admin,
                teams: team_ids,
                administered_teams,
            }),
            _ => Err(errors),
        }
    }
}

/// Whether somebody runs the organization.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrgAdminParams {
    /// `true` or `false`. May stand in the body instead, which wins.
    #[serde(deserialize_with = "flag")]
    #[param(required = false, value_type = bool, example = false)]
    org_admin: Option<bool>,
}

impl OrgAdminParams {
    pub(crate) fn org_admin(&self) -> Result<bool, FieldErrors> {
        self.org_admin.ok_or_else(|| FieldErrors::of("org_admin", "blank", "can't be blank"))
    }
}

/// In a body it is a boolean, in a query a word.
fn flag<'de, D: Deserializer<'de>>(value: D) -> Result<Option<bool>, D::Error> {
    match serde_json::Value::deserialize(value)? {
        serde_json::Value::Bool(flag) => Ok(Some(flag)),
        serde_json::Value::String(word) if word == "true" => Ok(Some(true)),
        serde_json::Value::String(word) if word == "false" => Ok(Some(false)),
        _ => Err(serde::de::Error::custom("expected true or false")),
    }
}

/// The invitation of a membership.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationBrief {
    id: Uuid,
    /// What the person types to sign up.
    #[schema(example = "289BZP")]
    code: String,
    /// `pending`, `accepted`, `expired` or `revoked`.
    #[schema(example = "pending")]
    status: &'static str,
    /// Until when the code works, RFC 3339 in UTC.
    expires_at: DateTime<Utc>,
}

/// A person's place in an organization, as its admins see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Membership)]
pub(crate) struct MembershipResponse {
    id: Uuid,
    organization_id: Uuid,
    /// Who took it; null while pending.
    user_id: Option<Uuid>,
    /// First and last name.
    #[schema(example = "Demo Newcomer")]
    name: String,
    #[schema(example = "Demo")]
    first_name: String,
    #[schema(example = "Newcomer")]
    last_name: String,
    email: Option<String>,
    /// The customer's own number for the person.
    #[schema(example = "E-1007")]
    external_id: Option<String>,
    #[schema(example = "Picker")]
    job_title: Option<String>,
    /// The training category that the job title falls into.
    training_category_id: Option<Uuid>,
    /// Whether the person runs the organization.
    org_admin: bool,
    /// `pending` until the person signs up, then `active`; `deactivated` once they left.
    #[schema(example = "pending")]
    status: &'static str,
    /// What the person types to sign up; pending only.
    #[schema(example = "289BZP")]
    invite_code: Option<String>,
    invitation: Option<InvitationBrief>,
    /// Teams the person is on.
    team_ids: Vec<Uuid>,
    /// Teams the person runs.
    administered_team_ids: Vec<Uuid>,
    /// First day of work.
    #[schema(example = "2026-11-02")]
    hired_on: Option<NaiveDate>,
    /// First day that counts in reports.
    #[schema(example = "2026-11-02")]
    reporting_starts_on: NaiveDate,
    /// When it ended, RFC 3339 in UTC.
    deactivated_at: Option<DateTime<Utc>>,
    /// RFC 3339 in UTC.
    created_at: DateTime<Utc>,
    /// RFC 3339 in UTC.
    updated_at: DateTime<Utc>,
    /// The account behind it.
    user: Option<UserBriefResponse>,
}

impl MembershipResponse {
    pub(crate) fn new(view: MembershipView, reader: Reader) -> Self {
        let MembershipView { membership, invitation, user } = view;
        let invitation = invitation.filter(|_| reader == Reader::Admin);
        let is_pending = |i: &&Invitation| i.status == InvitationStatus::Pending;
        let invite_code = invitation.as_ref().filter(is_pending).map(|i| i.code.as_str().to_owned());
        let ids = |teams: &[TeamId]| teams.iter().map(|team| team.uuid()).collect();
        Self {
            id: membership.id.uuid(),
            organization_id: membership.organization.uuid(),
            user_id: membership.user.map(UserId::uuid),
            name: format!("{} {}", membership.first_name, membership.last_name),
            first_name: membership.first_name.to_string(),
            last_name: membership.last_name.to_string(),
            email: membership.email.map(|email| email.to_string()),
            external_id: membership.external_id.map(|id| id.as_str().to_owned()),
            job_title: membership.job_title.map(|title| title.as_str().to_owned()),
            // Training categories come with their own operations; until then no job title falls into one.
            training_category_id: None,
            org_admin: membership.org_admin,
            status: membership.status.as_str(),
            invite_code,
            invitation: invitation.map(|i| InvitationBrief {
                id: i.id.uuid(),
                code: i.code.as_str().to_owned(),
                status: i.status.as_str(),
                expires_at: i.expires_at,
            }),
            team_ids: ids(&membership.teams),
            administered_team_ids: ids(&membership.administered_teams),
            hired_on: membership.hired_on,
            reporting_starts_on: membership.reporting_starts_on,
            deactivated_at: membership.deactivated_at,
            created_at: membership.created_at,
            updated_at: membership.updated_at,
            user: user.map(|user| UserBriefResponse {
                id: user.id.uuid(),
                username: user.username,
                first_name: user.first_name,
                last_name: user.last_name,
            }),
        }
    }
}

/// Where an invite code leads.
#[derive(Serialize, ToSchema)]
#[schema(as = InvitationPreview)]
pub(crate) struct InvitationPreviewResponse {
    #[schema(example = "289BZP")]
    code: String,
    #[schema(example = "Demo Logistics")]
    organization_name: String,
    #[schema(example = "Demo Newcomer")]
    membership_name: String,
    /// Always `pending`: other codes are answered 404.
    #[schema(example = "pending")]
    status: &'static str,
    /// Until when the code works, RFC 3339 in UTC.
    expires_at: DateTime<Utc>,
    /// Whether the organization wants its people to sign in through its own identity provider.
    sso_required: bool,
}

impl From<InvitationPreview> for InvitationPreviewResponse {
    fn from(preview: InvitationPreview) -> Self {
        Self {
            code: preview.code.as_str().to_owned(),
            organization_name: preview.organization_name,
            membership_name: preview.membership_name,
            status: InvitationStatus::Pending.as_str(),
            expires_at: preview.expires_at,
            sso_required: preview.sso_required,
        }
    }
}

/// A code that could be nobody's is answered like one that is.
pub(crate) fn parse_code(raw: &str) -> Result<InviteCode, domain_memberships::MembershipError> {
    InviteCode::parse(raw).map_err(|_| domain_memberships::MembershipError::InvitationNotUsable)
}
