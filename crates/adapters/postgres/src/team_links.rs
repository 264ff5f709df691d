//! Who is on which team, and who runs it.

use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use domain_kernel::{MembershipId, OrgId, TeamId};

use crate::schema::{team_admins, team_memberships};

/// A membership and a team of one organization.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    pub(crate) organization: OrgId,
    pub(crate) team: TeamId,
    pub(crate) membership: MembershipId,
    /// Since when.
    pub(crate) at: DateTime<Utc>,
}

/// Puts people on teams. Who is there already stays so.
pub(crate) fn join(connection: &mut PgConnection, links: impl Iterator<Item = Link>) -> QueryResult<()> {
    let rows: Vec<_> = links
        .map(|link| {
            (
                team_memberships::team_id.eq(link.team.uuid()),
                team_memberships::membership_id.eq(link.membership.uuid()),
                team_memberships::organization_id.eq(link.organization.uuid()),
                team_memberships::joined_at.eq(link.at),
            )
        })
        .collect();
    let insert = diesel::insert_into(team_memberships::table).values(rows);
    insert.on_conflict_do_nothing().execute(connection).map(drop)
}

/// Lets people run teams. Who runs one already stays so.
pub(crate) fn appoint(connection: &mut PgConnection, links: impl Iterator<Item = Link>) -> QueryResult<()> {
    let rows: Vec<_> = links
        .map(|link| {
            (
                team_admins::team_id.eq(link.team.uuid()),
                team_admins::membership_id.eq(link.membership.uuid()),
                team_admins::organization_id.eq(link.organization.uuid()),
                team_admins::created_at.eq(link.at),
            )
        })
        .collect();
    let insert = diesel::insert_into(team_admins::table).values(rows);
    insert.on_conflict_do_nothing().execute(connection).map(drop)
}
