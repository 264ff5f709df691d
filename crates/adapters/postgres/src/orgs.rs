use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{AuditEntry, OrgId, Page, PageRequest, Refusal};
use domain_orgs::ports::{OrganizationEdit, OrganizationRepository};
use domain_orgs::{Cadence, Folder, OrgError, OrgName, Organization, SamlInfo};
use uuid::Uuid;

use crate::error::{PgError, unreadable};
use crate::schema::organizations;
use crate::sql::{PageColumns, PageRow, read_page, row, statement};
use crate::{Pg, audit};

/// An organization `o` with its counts.
macro_rules! organization_columns {
    () => {
        "o.id, o.name, o.s3_integrations_folder, o.saml_info, o.sso_enforced, o.time_zone, o.cadence, \
         o.reporting_grace_days, o.created_at, o.updated_at, \
         (SELECT count(*) FROM teams t WHERE t.organization_id = o.id AND t.deleted_at IS NULL) AS teams_count, \
         (SELECT count(*) FROM memberships m WHERE m.organization_id = o.id AND m.status <> 'deactivated') \
            AS memberships_count"
    };
}

const ORGANIZATION: &str =
    concat!("SELECT ", organization_columns!(), " FROM organizations o WHERE o.id = {}");

const ORGANIZATIONS_BY_IDS: &str = concat!(
    "SELECT whole.total, page.* FROM (SELECT count(*) AS total FROM organizations WHERE id = ANY({})) whole \
     LEFT JOIN LATERAL (SELECT ",
    organization_columns!(),
    " FROM organizations o WHERE o.id = ANY({}) ORDER BY lower(o.name), o.id LIMIT {} OFFSET {}) page ON true \
     ORDER BY lower(page.name), page.id"
);

row! {
    struct OrganizationRow, OrganizationColumns {
        id: Uuid => SqlUuid,
        name: String => Text,
        s3_integrations_folder: String => Text,
        saml_info: Option<String> => Nullable<Text>,
        sso_enforced: bool => Bool,
        time_zone: String => Text,
        cadence: String => Text,
        reporting_grace_days: i32 => Integer,
        created_at: DateTime<Utc> => Timestamptz,
        updated_at: DateTime<Utc> => Timestamptz,
        teams_count: i64 => BigInt,
        memberships_count: i64 => BigInt,
    }
}

impl OrganizationRow {
    fn read(self) -> Result<Organization, OrgError> {
        Ok(Organization {
            id: OrgId::new(self.id),
            name: OrgName::from_stored(self.name),
            s3_integrations_folder: Folder::from_stored(self.s3_integrations_folder),
            saml_info: self.saml_info.map(SamlInfo::from_stored),
            sso_enforced: self.sso_enforced,
            time_zone: self.time_zone,
            cadence: Cadence::parse(&self.cadence)
                .ok_or_else(|| unreadable("organizations", "known cadence"))?,
            reporting_grace_days: self.reporting_grace_days,
            teams_count: self.teams_count,
            memberships_count: self.memberships_count,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

fn load(connection: &mut PgConnection, id: OrgId) -> Result<Organization, PgError<OrgError>> {
    let row: OrganizationRow = statement(ORGANIZATION)
        .bind::<SqlUuid, _>(id.uuid())
        .rows::<OrganizationColumns>()
        .get_result(connection)?;
    row.read().map_err(PgError::Refused)
}

/// Organizations in PostgreSQL.
#[derive(Clone)]
pub struct PgOrganizations {
    pg: Pg,
}

impl PgOrganizations {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }
}

#[async_trait]
impl OrganizationRepository for PgOrganizations {
    async fn insert(&self, organization: Organization, audit: AuditEntry) -> Result<(), OrgError> {
        self.pg
            .write(move |connection| {
                let is_nested: bool = statement(
                    "SELECT EXISTS (SELECT FROM organizations WHERE starts_with(s3_integrations_folder || '/', {} || '/') \
                     OR starts_with({} || '/', s3_integrations_folder || '/'))",
                )
                .bind::<Text, _>(organization.s3_integrations_folder.as_str().to_owned())
                .bind::<Text, _>(organization.s3_integrations_folder.as_str().to_owned())
                .rows::<Bool>()
                .get_result(connection)?;
                if is_nested {
                    return Err(PgError::Refused(OrgError::folder_taken()));
                }
                diesel::insert_into(organizations::table)
                    .values((
                        organizations::id.eq(organization.id.uuid()),
                        organizations::name.eq(organization.name.as_str()),
                        organizations::s3_integrations_folder
                            .eq(organization.s3_integrations_folder.as_str()),
                        organizations::saml_info.eq(organization.saml_info.as_ref().map(SamlInfo::as_str)),
                        organizations::sso_enforced.eq(organization.sso_enforced),
                        organizations::time_zone.eq(&organization.time_zone),
                        organizations::cadence.eq(organization.cadence.as_str()),
                        organizations::reporting_grace_days.eq(organization.reporting_grace_days),
                        organizations::created_at.eq(organization.created_at),
                        organizations::updated_at.eq(organization.updated_at),
                    ))
                    .execute(connection)?;
                Ok(audit::insert(connection, audit)?)
            })
            .await
            .map_err(|error| {
                error.into_domain(|constraint| {
                    (constraint == "organizations_s3_integrations_folder_key").then(OrgError::folder_taken)
                })
            })
    }

    async fn update(&self, id: OrgId, edit: OrganizationEdit) -> Result<Organization, OrgError> {
        let updated = self.pg.write(move |connection| {
            let row = organizations::table.find(id.uuid()).select(organizations::id);
            let locked: Option<Uuid> = row.for_no_key_update().first(connection).optional()?;
            if locked.is_none() {
                return Err(PgError::Refused(Refusal::NotFound.into()));
            }
            let mut organization = load(connection, id)?;
            let Some(audit) = edit(&mut organization).map_err(PgError::Refused)? else {
                return Ok(organization);
            };
            diesel::update(organizations::table.find(id.uuid()))
                .set((
                    organizations::saml_info.eq(organization.saml_info.as_ref().map(SamlInfo::as_str)),
                    organizations::updated_at.eq(organization.updated_at),
                ))
                .execute(connection)?;
            audit::insert(connection, audit)?;
            load(connection, id)
        });
        updated.await.map_err(PgError::into_storage)
    }

    async fn list_by_ids(&self, ids: Vec<OrgId>, page: PageRequest) -> Result<Page<Organization>, OrgError> {
        let ids: Vec<Uuid> = ids.into_iter().map(OrgId::uuid).collect();
        let rows = self.pg.read(move |connection| {
            let list = statement(ORGANIZATIONS_BY_IDS)
                .bind::<Array<SqlUuid>, _>(ids.clone())
                .bind::<Array<SqlUuid>, _>(ids)
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset);
            Ok(list.rows::<PageColumns<OrganizationColumns>>().load(connection)?)
        });
        let rows: Vec<PageRow<OrganizationRow>> = rows.await.map_err(PgError::<OrgError>::into_storage)?;
        read_page(rows).unwrap_or_default().try_map(OrganizationRow::read)
    }
}
