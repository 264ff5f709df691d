use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain_kernel::{ExternalId, FieldErrors, FieldProblem, MembershipId, OrgId, UserId};
use domain_teams::{CreateOrganizationTeam, CreateTeam, Team, TeamAdmin, TeamChange, TeamName, TeamPeople};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::body::{Patched, Wrapped};
use crate::id_list::id_set;

/// A new team.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "name": "Night shift" }))]
pub(crate) struct CreateTeamRequest {
    /// 1 to 100 characters, unique in the organization with case ignored.
    #[serde(default)]
    #[schema(required = true, max_length = 100)]
    name: Option<String>,
}

impl CreateTeamRequest {
    pub(crate) fn command(&self, organization: OrgId) -> Result<CreateTeam, FieldErrors> {
        Ok(CreateTeam { organization, name: required_name(self.name.as_deref())? })
    }
}

/// Another name for a team.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "name": "Early shift" }))]
pub(crate) struct RenameTeamRequest {
    /// 1 to 100 characters, unique in the organization with case ignored.
    #[serde(default)]
    #[schema(required = false, max_length = 100)]
    name: Option<String>,
}

impl RenameTeamRequest {
    /// PATCH: without a name everything stays.
    pub(crate) fn change(&self) -> Result<Option<TeamName>, FieldErrors> {
        self.name.as_deref().map(|name| required_name(Some(name))).transpose()
    }

    /// PUT: the name is needed.
    pub(crate) fn replacement(&self) -> Result<TeamName, FieldErrors> {
        required_name(self.name.as_deref())
    }
}

fn required_name(raw: Option<&str>) -> Result<TeamName, FieldErrors> {
    let name = FieldProblem::required(raw, TeamName::parse);
    name.map_err(|problem| FieldErrors::of("name", problem.code, problem.message))
}

/// Most people that one request puts on a team, or lets run it.
const MAX_PEOPLE: usize = 1000;

fn parse_people(ids: &[Uuid]) -> Result<BTreeSet<MembershipId>, FieldProblem> {
    id_set(ids, MAX_PEOPLE, MembershipId::new)
}

/// A new team with its people.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "name": "Night shift", "external_id": "T-12", "membership_ids": ["01a20942-1cc0-7306-9dae-728ba404bc81"],
    "admin_membership_ids": []
}))]
pub(crate) struct CreateOrganizationTeamRequest {
    /// 1 to 100 characters, unique in the organization with case ignored.
    #[serde(default)]
    #[schema(required = true, max_length = 100)]
    name: Option<String>,
    /// The customer's own number for the team, at most 100 characters, unique in the organization.
    #[serde(default)]
    #[schema(required = false, max_length = 100)]
    external_id: Option<String>,
    /// Who is on it, at most 1,000: pending or active memberships of the organization.
    #[serde(default)]
    #[schema(required = false, max_items = 1000)]
    membership_ids: Vec<Uuid>,
    /// Who runs it, at most 1,000. They need not be on it.
    #[serde(default)]
    #[schema(required = false, max_items = 1000)]
    admin_membership_ids: Vec<Uuid>,
}

pub(crate) type CreateOrganizationTeamBody = Wrapped<CreateOrganizationTeamRequest>;

impl CreateOrganizationTeamRequest {
    pub(crate) fn command(&self, organization: OrgId) -> Result<CreateOrganizationTeam, FieldErrors> {
        let mut errors = FieldErrors::new();
        let name = errors.take("name", FieldProblem::required(self.name.as_deref(), TeamName::parse));
        let external_id = self.external_id.as_deref();
        let external_id = external_id.and_then(|raw| errors.take("external_id", ExternalId::parse(raw)));
        let members = errors.take("membership_ids", parse_people(&self.membership_ids));
        let admins = errors.take("admin_membership_ids", parse_people(&self.admin_membership_ids));
        match (name, members, admins) {
            (Some(name), Some(members), Some(admins)) if errors.is_empty() => {
                let people = TeamPeople { members, admins };
                Ok(CreateOrganizationTeam { organization, name, external_id, people })
            }
            _ => Err(errors),
        }
    }
}

/// New values for a team; absent fields stay, null clears.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "membership_ids": ["01a20942-1cc0-7306-9dae-728ba404bc81"], "external_id": null }))]
pub(crate) struct ChangeOrganizationTeamRequest {
    /// 1 to 100 characters, unique in the organization with case ignored.
    #[serde(default)]
    #[schema(required = false, value_type = String, max_length = 100)]
    name: Patched<String>,
    /// The customer's own number for the team, at most 100 characters, unique in the organization.
    #[serde(default)]
    #[schema(required = false, value_type = Option<String>, max_length = 100)]
    external_id: Patched<String>,
    /// All who are on it, at most 1,000 pending or active memberships of the organization: others leave.
    #[serde(default)]
    #[schema(required = false, value_type = Vec<Uuid>, max_items = 1000)]
    membership_ids: Patched<Vec<Uuid>>,
    /// All who run it, at most 1,000: others lose their say.
    #[serde(default)]
    #[schema(required = false, value_type = Vec<Uuid>, max_items = 1000)]
    admin_membership_ids: Patched<Vec<Uuid>>,
}

pub(crate) type ChangeOrganizationTeamBody = Wrapped<ChangeOrganizationTeamRequest>;

impl TryFrom<ChangeOrganizationTeamRequest> for TeamChange {
    type Error = FieldErrors;

    fn try_from(request: ChangeOrganizationTeamRequest) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let e = &mut errors;
        let change = Self {
            name: request.name.value(e, "name", |raw| TeamName::parse(&raw)),
            external_id: request.external_id.patch(e, "external_id", |raw| ExternalId::parse(&raw)),
            members: request.membership_ids.value(e, "membership_ids", |ids| parse_people(&ids)),
            admins: request.admin_membership_ids.value(e, "admin_membership_ids", |ids| parse_people(&ids)),
        };
        errors.into_result().map(|()| change)
    }
}

/// A team.
#[derive(Serialize, ToSchema)]
#[schema(as = Team)]
pub(crate) struct TeamResponse {
    id: Uuid,
    organization_id: Uuid,
    #[schema(example = "Night shift")]
    name: String,
    /// The customer's own number for it.
    #[schema(example = "T-12")]
    external_id: Option<String>,
    /// Active memberships on it.
    #[schema(example = 0)]
    memberships_count: i64,
    /// Memberships that run it.
    #[schema(example = 0)]
    admins_count: i64,
    /// RFC 3339 in UTC.
    created_at: DateTime<Utc>,
    /// RFC 3339 in UTC.
    updated_at: DateTime<Utc>,
    /// Set once it is deleted.
    deleted_at: Option<DateTime<Utc>>,
}

impl From<Team> for TeamResponse {
    fn from(team: Team) -> Self {
        Self {
            id: team.id.uuid(),
            organization_id: team.organization.uuid(),
            name: team.name.as_str().to_owned(),
            external_id: team.external_id.map(|id| id.as_str().to_owned()),
            memberships_count: team.memberships_count,
            admins_count: team.admins_count,
            created_at: team.created_at,
            updated_at: team.updated_at,
            deleted_at: team.deleted_at,
        }
    }
}

/// Somebody who shall run a team.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "membership_id": "01a20942-1cc0-7306-9dae-728ba404bc81" }))]
pub(crate) struct AddTeamAdminRequest {
    /// May be absent: the path rules. Another one is refused.
    #[serde(default)]
    #[schema(required = false)]
    team_id: Option<Uuid>,
    /// A membership of the team's organization.
    #[serde(default)]
    #[schema(required = true)]
    membership_id: Option<Uuid>,
}

impl AddTeamAdminRequest {
    pub(crate) fn membership(&self, team: Uuid) -> Result<MembershipId, FieldErrors> {
        if self.team_id.is_some_and(|id| id != team) {
            return Err(FieldErrors::of("team_id", "mismatch", "is not the team of the path"));
        }
        let membership = self.membership_id.map(MembershipId::new);
        membership.ok_or_else(|| FieldErrors::of("membership_id", "blank", "can't be blank"))
    }
}

/// Somebody who runs a team.
#[derive(Serialize, ToSchema)]
#[schema(as = TeamAdmin)]
pub(crate) struct TeamAdminResponse {
    /// The same as `membership_id`.
    id: Uuid,
    team_id: Uuid,
    membership_id: Uuid,
    /// Their account; null while the membership is pending.
    user_id: Option<Uuid>,
    #[schema(example = "Demo")]
    first_name: String,
    #[schema(example = "Lead")]
    last_name: String,
    /// Since when, RFC 3339 in UTC.
    created_at: DateTime<Utc>,
}

impl From<TeamAdmin> for TeamAdminResponse {
    fn from(admin: TeamAdmin) -> Self {
        Self {
            id: admin.membership.uuid(),
            team_id: admin.team.uuid(),
            membership_id: admin.membership.uuid(),
            user_id: admin.user.map(UserId::uuid),
            first_name: admin.first_name.to_string(),
            last_name: admin.last_name.to_string(),
            created_at: admin.created_at,
        }
    }
}
