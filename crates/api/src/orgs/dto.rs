use chrono::{DateTime, Utc};
use domain_kernel::{Actor, FieldErrors, FieldProblem, Patch, Role, Scope};
use domain_orgs::{
    Cadence, CreateOrganization, Days, Folder, OrgName, Organization, OrganizationChange, SamlInfo, TimeZone,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::body::{Patched, Wrapped};
use crate::rosters::parse_mode;

/// A new organization.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "name": "Demo Logistics", "s3_integrations_folder": "demo-logistics", "saml_info": null }))]
pub(crate) struct CreateOrganizationRequest {
    /// 1 to 200 characters.
    #[serde(default)]
    #[schema(required = true, max_length = 200)]
    name: Option<String>,
    /// Where its files lie in the integrations bucket: letters, digits, `/`, `_` and `-`, at most 200. Unique. Absent: made
    /// from the name.
    #[serde(default)]
    #[schema(required = false, max_length = 200, pattern = "^[A-Za-z0-9/_-]+$")]
    s3_integrations_folder: Option<String>,
    /// The metadata document (XML) of its identity provider, at most 256 KiB; null leaves single sign-on off.
    #[serde(default)]
    #[schema(required = false)]
    saml_info: Option<String>,
}

pub(crate) type CreateOrganizationBody = Wrapped<CreateOrganizationRequest>;

impl TryFrom<CreateOrganizationRequest> for CreateOrganization {
    type Error = FieldErrors;

    fn try_from(request: CreateOrganizationRequest) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let name = errors.take("name", FieldProblem::required(request.name.as_deref(), OrgName::parse));
        let folder = request.s3_integrations_folder.as_deref();
        let folder = folder.and_then(|raw| errors.take("s3_integrations_folder", Folder::parse(raw)));
        let saml_info =
            request.saml_info.as_deref().and_then(|raw| errors.take("saml_info", SamlInfo::parse(raw)));
        match name {
            Some(name) if errors.is_empty() => Ok(Self { name, s3_integrations_folder: folder, saml_info }),
            _ => Err(errors),
        }
    }
}

/// What an organization says of itself; absent fields stay.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "saml_info": "<EntityDescriptor …/>" }))]
pub(crate) struct UpdateOrganizationRequest {
    /// The metadata document (XML) of its identity provider, at most 256 KiB; null turns single sign-on off.
    #[serde(default)]
    #[schema(required = false, value_type = Option<String>, max_length = 262_144)]
    saml_info: Patched<String>,
}

impl UpdateOrganizationRequest {
    pub(crate) fn saml_info(self) -> Result<Patch<SamlInfo>, FieldErrors> {
        let mut errors = FieldErrors::new();
        let saml_info = self.saml_info.patch(&mut errors, "saml_info", |raw| SamlInfo::parse(&raw));
        errors.into_result().map(|()| saml_info)
    }
}

/// New values for an organization; absent fields stay.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "time_zone": "America/Chicago", "cadence": "weekly", "reporting_grace_days": 14 }))]
pub(crate) struct ChangeOrganizationRequest {
    /// 1 to 200 characters.
    #[serde(default)]
    #[schema(required = false, value_type = String, max_length = 200)]
    name: Patched<String>,
    /// Where its files lie in the integrations bucket: letters, digits, `/`, `_` and `-`, at most 200. Unique, and not within
    /// the folder of another organization. Files stay where they are.
    #[serde(default)]
    #[schema(required = false, value_type = String, max_length = 200, pattern = "^[A-Za-z0-9/_-]+$")]
    s3_integrations_folder: Patched<String>,
    /// The metadata document (XML) of its identity provider, at most 256 KiB; null turns single sign-on off, enforcing it
    /// included.
    #[serde(default)]
    #[schema(required = false, value_type = Option<String>, max_length = 262_144)]
    saml_info: Patched<String>,
    /// Whether its members may sign in through the identity provider only. Needs one.
    #[serde(default)]
    #[schema(required = false, value_type = bool)]
    sso_enforced: Patched<bool>,
    /// IANA name of the time zone that weeks and months are counted in.
    #[serde(default)]
    #[schema(required = false, value_type = String)]
    time_zone: Patched<String>,
    /// How often a lesson is due: `weekly`, `monthly` or `self_paced`. What is assigned keeps its date.
    #[serde(default)]
    #[schema(required = false, value_type = String)]
    cadence: Patched<String>,
    /// How a roster file is meant that nobody said anything about: `delta`, it holds changes only; `snapshot`, who is not in it
    /// has left.
    #[serde(default)]
    #[schema(required = false, value_type = String)]
    import_mode: Patched<String>,
    /// Days that people who are put on the roster from now on stay out of reports.
    #[serde(default)]
    #[schema(required = false, value_type = i32, minimum = 0, maximum = 365)]
    reporting_grace_days: Patched<i64>,
    /// Days for which a report that comes late counts when the work was done. Scores that are final stay.
    #[serde(default)]
    #[schema(required = false, value_type = i32, minimum = 0, maximum = 60)]
    late_window_days: Patched<i64>,
    /// Days after which a completed course may come again.
    #[serde(default)]
    #[schema(required = false, value_type = i32, minimum = 1, maximum = 3650)]
    recycle_after_days: Patched<i64>,
}

pub(crate) type ChangeOrganizationBody = Wrapped<ChangeOrganizationRequest>;

fn parse_cadence(raw: &str) -> Result<Cadence, FieldProblem> {
    Cadence::parse(raw).ok_or_else(|| FieldProblem {
        code: "invalid",
        message: "must be one of: weekly, monthly, self_paced".into(),
    })
}

impl TryFrom<ChangeOrganizationRequest> for OrganizationChange {
    type Error = FieldErrors;

    fn try_from(request: ChangeOrganizationRequest) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let e = &mut errors;
        let folder = request.s3_integrations_folder;
        let change = Self {
            name: request.name.value(e, "name", |raw| OrgName::parse(&raw)),
            s3_integrations_folder: folder.value(e, "s3_integrations_folder", |raw| Folder::parse(&raw)),
            saml_info: request.saml_info.patch(e, "saml_info", |raw| SamlInfo::parse(&raw)),
            sso_enforced: request.sso_enforced.value(e, "sso_enforced", Ok),
            time_zone: request.time_zone.value(e, "time_zone", |raw| TimeZone::parse(&raw)),
            cadence: request.cadence.value(e, "cadence", |raw| parse_cadence(&raw)),
            import_mode: request.import_mode.value(e, "import_mode", |raw| parse_mode(&raw)),
            reporting_grace_days: request.reporting_grace_days.value(e, "reporting_grace_days", Days::parse),
            late_window_days: request.late_window_days.value(e, "late_window_days", Days::parse),
            recycle_after_days: request.recycle_after_days.value(e, "recycle_after_days", Days::parse),
        };
        errors.into_result().map(|()| change)
    }
}

/// An organization. Some fields are for its admins and for staff; others read null there.
#[derive(Serialize, ToSchema)]
#[schema(as = Organization)]
pub(crate) struct OrganizationResponse {
    id: Uuid,
    #[schema(example = "Demo Logistics")]
    name: String,
    /// Live teams.
    #[schema(example = 2)]
    teams_count: i64,
    /// Memberships that are pending or active.
    #[schema(example = 5)]
    memberships_count: i64,
    /// Whether it has an identity provider.
    #[schema(example = false)]
    sso_enabled: bool,
    /// The metadata document of its identity provider. For its admins and staff.
    saml_info: Option<String>,
    /// IANA name of the time zone that weeks and months are counted in. For its admins and staff.
    #[schema(example = "UTC")]
    time_zone: Option<String>,
    /// How often a lesson is due: `weekly`, `monthly` or `self_paced`. For its admins and staff.
    #[schema(example = "weekly")]
    cadence: Option<&'static str>,
    /// Whether its members may sign in through the identity provider only. For its admins and staff.
    #[schema(example = false)]
    sso_enforced: Option<bool>,
    /// Days that new people stay out of reports. For its admins and staff.
    #[schema(example = 0)]
    reporting_grace_days: Option<i32>,
    /// Days for which a report that comes late counts when the work was done. For its admins and staff.
    #[schema(example = 14)]
    late_window_days: Option<i32>,
    /// Days after which a completed course may come again. For its admins and staff.
    #[schema(example = 180)]
    recycle_after_days: Option<i32>,
    /// How a roster file is meant that nobody said anything about: `delta` or `snapshot`. For staff.
    #[schema(example = "delta")]
    import_mode: Option<&'static str>,
    /// Where its files lie. For staff.
    #[schema(example = "demo-logistics")]
    s3_integrations_folder: Option<String>,
    /// RFC 3339 in UTC.
    created_at: DateTime<Utc>,
    /// RFC 3339 in UTC.
    updated_at: DateTime<Utc>,
}

impl OrganizationResponse {
    /// What the actor's role in it shows.
    pub(crate) fn new(organization: Organization, actor: &Actor) -> Self {
        let role = actor.role_in(Scope::Organization(organization.id));
        let (is_admin, is_staff) = (role >= Some(Role::OrgAdmin), role >= Some(Role::StaffEmployee));
        let saml_info = organization.saml_info;
        Self {
            id: organization.id.uuid(),
            name: organization.name.as_str().to_owned(),
            teams_count: organization.teams_count,
            memberships_count: organization.memberships_count,
            sso_enabled: saml_info.is_some(),
            saml_info: saml_info.filter(|_| is_admin).map(|info| info.as_str().to_owned()),
            time_zone: is_admin.then(|| organization.time_zone.as_str().to_owned()),
            cadence: is_admin.then_some(organization.cadence.as_str()),
            sso_enforced: is_admin.then_some(organization.sso_enforced),
            reporting_grace_days: is_admin.then_some(organization.reporting_grace_days.get()),
            late_window_days: is_admin.then_some(organization.late_window_days.get()),
            recycle_after_days: is_admin.then_some(organization.recycle_after_days.get()),
            import_mode: is_staff.then_some(organization.import_mode.as_str()),
            s3_integrations_folder: is_staff.then(|| organization.s3_integrations_folder.as_str().to_owned()),
            created_at: organization.created_at,
            updated_at: organization.updated_at,
        }
    }
}
