use chrono::{DateTime, NaiveDate, Utc};
use domain_kernel::{
    EmailAddress, ExternalId, FieldErrors, FieldProblem, InvitationId, InviteCode, JobTitle, MembershipId,
    OrgId, PersonName, TeamId, TrainingCategoryId, UserId, parse_day,
};
use domain_memberships::ports::{InvitationFilter, InvitationSelection, MembershipSelection};
use domain_memberships::{
    CreateMembership, FoundMember, Invitation, InvitationDetails, InvitationPreview, InvitationStatus,
    MembershipView, Reader, RosterChange, WantedStatus,
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::body::Patched;
use crate::id_list::{id_list, id_set, parse_id};
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

fn parse_teams(ids: &[Uuid]) -> Result<Vec<TeamId>, FieldProblem> {
    Ok(id_set(ids, 200, TeamId::new)?.into_iter().collect())
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
        let teams = errors.take("team_ids", parse_teams(&self.team_ids));
        let administered_teams =
            errors.take("administered_team_ids", parse_teams(&self.administered_team_ids));
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
                teams: teams.unwrap_or_default(),
                administered_teams: administered_teams.unwrap_or_default(),
            }),
            _ => Err(errors),
        }
    }
}

/// New values for what the roster says of a person; absent fields stay, null clears.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "job_title": "Shift lead", "email": null, "status": "active" }))]
pub(crate) struct UpdateMembershipRequest {
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(required = false, value_type = String, max_length = 100)]
    first_name: Patched<String>,
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(required = false, value_type = String, max_length = 100)]
    last_name: Patched<String>,
    /// An e-mail address.
    #[serde(default)]
    #[schema(required = false, value_type = Option<String>)]
    email: Patched<String>,
    /// The customer's own number for the person, at most 100 characters, unique in the organization.
    #[serde(default)]
    #[schema(required = false, value_type = Option<String>, max_length = 100)]
    external_id: Patched<String>,
    /// At most 100 characters.
    #[serde(default)]
    #[schema(required = false, value_type = Option<String>, max_length = 100)]
    job_title: Patched<String>,
    /// First day of work, `YYYY-MM-DD`. Moves `reporting_starts_on`.
    #[serde(default)]
    #[schema(required = false, value_type = Option<String>)]
    hired_on: Patched<String>,
    /// Whether they run the organization.
    #[serde(default)]
    #[schema(required = false, value_type = bool)]
    org_admin: Patched<bool>,
    /// All teams they are on, at most 200: others are left.
    #[serde(default)]
    #[schema(required = false, value_type = Vec<Uuid>, max_items = 200)]
    team_ids: Patched<Vec<Uuid>>,
    /// All teams they run, at most 200.
    #[serde(default)]
    #[schema(required = false, value_type = Vec<Uuid>, max_items = 200)]
    administered_team_ids: Patched<Vec<Uuid>>,
    /// `active` or `deactivated`.
    #[serde(default)]
    #[schema(required = false, value_type = String)]
    status: Patched<String>,
}

/// An empty text counts as null: that is what forms send.
fn clearing(field: Patched<String>) -> Patched<String> {
    match field {
        Patched::There(raw) if raw.trim().is_empty() => Patched::Null,
        field => field,
    }
}

fn parse_status(raw: &str) -> Result<WantedStatus, FieldProblem> {
    match raw {
        "active" => Ok(WantedStatus::Active),
        "deactivated" => Ok(WantedStatus::Deactivated),
        _ => Err(FieldProblem { code: "invalid", message: "must be one of: active, deactivated".into() }),
    }
}

impl UpdateMembershipRequest {
    pub(crate) fn change(self) -> Result<RosterChange, FieldErrors> {
        let mut errors = FieldErrors::new();
        let e = &mut errors;
        let change = RosterChange {
            first_name: self.first_name.value(e, "first_name", |raw| PersonName::parse(&raw)),
            last_name: self.last_name.value(e, "last_name", |raw| PersonName::parse(&raw)),
            email: clearing(self.email).patch(e, "email", |raw| EmailAddress::parse(&raw)),
            external_id: clearing(self.external_id).patch(e, "external_id", |raw| ExternalId::parse(&raw)),
            job_title: clearing(self.job_title).patch(e, "job_title", |raw| JobTitle::parse(&raw)),
            hired_on: clearing(self.hired_on).patch(e, "hired_on", |raw| parse_day(&raw)),
            org_admin: self.org_admin.value(e, "org_admin", Ok),
            teams: self.team_ids.value(e, "team_ids", |ids| parse_teams(&ids)),
            administered_teams: self
                .administered_team_ids
                .value(e, "administered_team_ids", |ids| parse_teams(&ids)),
            status: self.status.value(e, "status", |raw| parse_status(&raw)),
        };
        errors.into_result().map(|()| change)
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
    /// The training category that the job title falls into, else the organization's default one; null if there is neither.
    training_category_id: Option<Uuid>,
    /// Whether the person runs the organization.
    org_admin: bool,
    /// `pending` until the person signs up, then `active`; `deactivated` once they left.
    #[schema(example = "pending")]
    status: &'static str,
    /// What the person types to sign up; pending only. Of people who will run the organization or a team only its admins see
    /// it: whoever reads a code can use it.
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
    reporting_starts_on: Option<NaiveDate>,
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
        let MembershipView { membership, invitation, user, training_category } = view;
        let gives_say = membership.org_admin || !membership.administered_teams.is_empty();
        let invitation = invitation.filter(|_| reader.sees_code(gives_say));
        // A colleague learns who it is, and neither how to reach them nor what the roster knows beside.
        let is_near = reader != Reader::Colleague;
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
            email: membership.email.filter(|_| is_near).map(|email| email.to_string()),
            external_id: membership.external_id.filter(|_| is_near).map(|id| id.as_str().to_owned()),
            job_title: membership.job_title.map(|title| title.as_str().to_owned()),
            training_category_id: training_category.map(TrainingCategoryId::uuid),
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
            hired_on: membership.hired_on.filter(|_| is_near),
            reporting_starts_on: is_near.then_some(membership.reporting_starts_on),
            deactivated_at: membership.deactivated_at,
            created_at: membership.created_at,
            updated_at: membership.updated_at,
            user: user.filter(|_| is_near).map(|user| UserBriefResponse {
                id: user.id.uuid(),
                username: user.username,
                first_name: user.first_name,
                last_name: user.last_name,
            }),
        }
    }
}

/// A member of a team, as the other members see them.
#[derive(Serialize, ToSchema)]
// For the document: a whole membership has these fields, too, and must not fit both.
#[serde(deny_unknown_fields)]
#[schema(as = TeamMate)]
pub(crate) struct TeamMateResponse {
    id: Uuid,
    organization_id: Uuid,
    /// First and last name.
    #[schema(example = "Demo Learner")]
    name: String,
    #[schema(example = "Demo")]
    first_name: String,
    #[schema(example = "Learner")]
    last_name: String,
}

/// A member of a team, as the reader may see them.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = TeamMember)]
pub(crate) enum TeamMemberResponse {
    /// For admins of the team and of the organization, and for staff.
    Whole(Box<MembershipResponse>),
    /// For members of the team.
    Name(TeamMateResponse),
}

impl TeamMemberResponse {
    pub(crate) fn new((view, reader): (MembershipView, Reader)) -> Self {
        if matches!(reader, Reader::Admin | Reader::Lead) {
            return Self::Whole(Box::new(MembershipResponse::new(view, reader)));
        }
        let membership = view.membership;
        Self::Name(TeamMateResponse {
            id: membership.id.uuid(),
            organization_id: membership.organization.uuid(),
            name: format!("{} {}", membership.first_name, membership.last_name),
            first_name: membership.first_name.to_string(),
            last_name: membership.last_name.to_string(),
        })
    }
}

/// How far a search around a team goes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ScopeParams {
    /// `team` for the people of the team, `organization` for those one could add to it, too.
    #[param(required = false, example = "team")]
    scope: Option<String>,
}

impl ScopeParams {
    pub(crate) fn whole_organization(&self) -> Result<bool, FieldErrors> {
        match self.scope.as_deref() {
            None | Some("team") => Ok(false),
            Some("organization") => Ok(true),
            Some(_) => Err(FieldErrors::of("scope", "invalid", "must be one of: team, organization")),
        }
    }
}

/// A membership that a search found. What the searching person may not see reads null.
#[derive(Serialize, ToSchema)]
#[schema(as = FoundMember)]
pub(crate) struct FoundMemberResponse {
    #[serde(flatten)]
    membership: MembershipResponse,
    /// Whether the person is on the team.
    on_team: bool,
}

impl From<(FoundMember, Reader)> for FoundMemberResponse {
    fn from((found, reader): (FoundMember, Reader)) -> Self {
        Self { membership: MembershipResponse::new(found.view, reader), on_team: found.on_team }
    }
}

/// Which invitations are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InvitationParams {
    /// `pending`, `accepted`, `expired` or `revoked`.
    #[param(required = false, example = "pending")]
    status: Option<String>,
    /// Those of one membership.
    #[param(required = false, value_type = Uuid)]
    membership_id: Option<String>,
}

impl InvitationParams {
    pub(crate) fn filter(&self) -> Result<InvitationFilter, FieldErrors> {
        let mut errors = FieldErrors::new();
        let unknown = || FieldProblem {
            code: "invalid",
            message: "must be one of: pending, accepted, expired, revoked".into(),
        };
        let status = |raw: &str| InvitationStatus::parse(raw).ok_or_else(unknown);
        let id = |raw: &str| parse_id(raw).map(MembershipId::new);
        let filter = InvitationFilter {
            status: self.status.as_deref().and_then(|raw| errors.take("status", status(raw))),
            membership: self.membership_id.as_deref().and_then(|raw| errors.take("membership_id", id(raw))),
        };
        errors.into_result().map(|()| filter)
    }
}

/// Which invitations of all organizations are wanted. One parameter holds alternatives, several must all fit.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InvitationSelectionParams {
    /// Only these: at most 200 ids, with commas between them or as repeated parameters.
    #[param(required = false, value_type = Vec<Uuid>)]
    id: Option<Vec<Uuid>>,
    /// Only those of these memberships: at most 200 ids, with commas between them or as repeated parameters.
    #[param(required = false, value_type = Vec<Uuid>)]
    membership_id: Option<Vec<Uuid>>,
}

impl InvitationSelectionParams {
    pub(crate) fn parse(query: &str) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let mut ids = |name: &str| errors.take(name, id_list(query, name)).flatten();
        let params = Self { id: ids("id"), membership_id: ids("membership_id") };
        errors.into_result().map(|()| params)
    }

    pub(crate) fn selection(self) -> InvitationSelection {
        InvitationSelection {
            ids: each(self.id, InvitationId::new),
            memberships: each(self.membership_id, MembershipId::new),
        }
    }
}

/// Which memberships of all organizations are wanted. One parameter holds alternatives, several must all fit.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MembershipSelectionParams {
    /// Only those in these organizations: at most 200 ids, with commas between them or as repeated parameters.
    #[param(required = false, value_type = Vec<Uuid>)]
    organization_id: Option<Vec<Uuid>>,
    /// Only these: at most 200 ids, with commas between them or as repeated parameters.
    #[param(required = false, value_type = Vec<Uuid>)]
    id: Option<Vec<Uuid>>,
    /// Only those on these teams: at most 200 ids, with commas between them or as repeated parameters.
    #[param(required = false, value_type = Vec<Uuid>)]
    team_id: Option<Vec<Uuid>>,
}

impl MembershipSelectionParams {
    pub(crate) fn parse(query: &str) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let mut ids = |name: &str| errors.take(name, id_list(query, name)).flatten();
        let params = Self { organization_id: ids("organization_id"), id: ids("id"), team_id: ids("team_id") };
        errors.into_result().map(|()| params)
    }

    pub(crate) fn selection(self) -> MembershipSelection {
        MembershipSelection {
            ids: each(self.id, MembershipId::new),
            organizations: each(self.organization_id, OrgId::new),
            teams: each(self.team_id, TeamId::new),
        }
    }
}

fn each<T>(ids: Option<Vec<Uuid>>, id: impl Fn(Uuid) -> T) -> Option<Vec<T>> {
    ids.map(|ids| ids.into_iter().map(id).collect())
}

/// An invitation, as the admins of its organization and staff see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationResponse {
    id: Uuid,
    membership_id: Uuid,
    organization_id: Uuid,
    /// What the person types to sign up. Null for staff who only read, if the person will run the organization or a team:
    /// whoever reads a code can use it.
    #[schema(example = "289BZP")]
    code: Option<String>,
    /// `pending`, `accepted`, `expired` or `revoked`; only `pending` ever changes.
    #[schema(example = "pending")]
    status: &'static str,
    /// Who is invited.
    #[schema(example = "Demo Newcomer")]
    membership_name: String,
    /// Who invites.
    #[schema(example = "Demo Logistics")]
    organization_name: String,
    /// Where the code was last mailed to.
    sent_to: Option<String>,
    /// When, RFC 3339 in UTC.
    sent_at: Option<DateTime<Utc>>,
    /// Until when the code works, RFC 3339 in UTC.
    expires_at: DateTime<Utc>,
    /// When the code was used, RFC 3339 in UTC.
    accepted_at: Option<DateTime<Utc>>,
    /// By whom.
    accepted_by_user_id: Option<Uuid>,
    /// When the code was taken back, RFC 3339 in UTC.
    revoked_at: Option<DateTime<Utc>>,
    /// RFC 3339 in UTC.
    created_at: DateTime<Utc>,
}

impl From<InvitationDetails> for InvitationResponse {
    fn from(details: InvitationDetails) -> Self {
        Self::from((details, Reader::Admin))
    }
}

impl From<(InvitationDetails, Reader)> for InvitationResponse {
    fn from((details, reader): (InvitationDetails, Reader)) -> Self {
        let InvitationDetails { invitation, sent, accepted, .. } = details;
        let code = reader.sees_code(details.gives_say).then(|| invitation.code.as_str().to_owned());
        let (sent_to, sent_at) = sent.unzip();
        let (accepted_at, accepted_by) = accepted.unzip();
        Self {
            id: invitation.id.uuid(),
            membership_id: invitation.membership.uuid(),
            organization_id: invitation.organization.uuid(),
            code,
            status: invitation.status.as_str(),
            membership_name: details.membership_name,
            organization_name: details.organization_name,
            sent_to: sent_to.map(|address| address.to_string()),
            sent_at,
            expires_at: invitation.expires_at,
            accepted_at,
            accepted_by_user_id: accepted_by.map(UserId::uuid),
            revoked_at: details.revoked_at,
            created_at: invitation.created_at,
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
