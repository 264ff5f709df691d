use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use domain_kernel::AuditEntry;
use domain_orgs::ports::OrganizationRepository;
use domain_orgs::{OrgError, Organization, SamlInfo};

use crate::error::PgError;
use crate::schema::organizations;
use crate::sql::statement;
use crate::{Pg, audit};

#[derive(QueryableByName)]
struct Nested {
    #[diesel(sql_type = Bool)]
    nested: bool,
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
                let nested: Nested = statement(
                    "SELECT EXISTS (SELECT FROM organizations WHERE starts_with(s3_integrations_folder || '/', {} || '/') \
                     OR starts_with({} || '/', s3_integrations_folder || '/')) AS nested",
                )
                .bind::<Text, _>(organization.s3_integrations_folder.as_str().to_owned())
                .bind::<Text, _>(organization.s3_integrations_folder.as_str().to_owned())
                .get_result(connection)?;
                if nested.nested {
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
}
