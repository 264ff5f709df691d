use chrono::{DateTime, Utc};
use domain_kernel::{Actor, FieldErrors, FieldProblem, Patch, Role, Scope};
use domain_orgs::{CreateOrganization, Folder, OrgName, Organization, SamlInfo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::body::{Patched, Wrapped};

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
            time_zone: is_admin.then_some(organization.time_zone),
            cadence: is_admin.then_some(organization.cadence.as_str()),
            s3_integrations_folder: is_staff.then(|| organization.s3_integrations_folder.as_str().to_owned()),
            created_at: organization.created_at,
            updated_at: organization.updated_at,
        }
    }
}
