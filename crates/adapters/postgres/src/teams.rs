use async_trait::async_trait;
use diesel::prelude::*;
use domain_kernel::{AuditEntry, Refusal};
use domain_teams::ports::TeamRepository;
use domain_teams::{Team, TeamError};

use crate::schema::teams;
use crate::{Pg, audit};

/// Teams in PostgreSQL.
#[derive(Clone)]
pub struct PgTeams {
    pg: Pg,
}

impl PgTeams {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }
}

#[async_trait]
impl TeamRepository for PgTeams {
    async fn insert(&self, team: Team, audit: AuditEntry) -> Result<(), TeamError> {
        self.pg
            .write(move |connection| {
                diesel::insert_into(teams::table)
                    .values((
                        teams::id.eq(team.id.uuid()),
                        teams::organization_id.eq(team.organization.uuid()),
                        teams::name.eq(team.name.as_str()),
                        teams::created_at.eq(team.created_at),
                        teams::updated_at.eq(team.updated_at),
                        teams::deleted_at.eq(team.deleted_at),
                    ))
                    .execute(connection)?;
                Ok(audit::insert(connection, audit)?)
            })
            .await
            .map_err(|error| {
                error.into_domain(|constraint| match constraint {
                    "teams_live_name_key" => Some(TeamError::name_taken()),
                    "teams_organization_id_fkey" => Some(Refusal::NotFound.into()),
                    _ => None,
                })
            })
    }
}
