use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{
    AuditEntry, ExternalId, FieldErrors, MembershipId, OrgId, Page, PageRequest, PersonName, Refusal, TeamId,
    UserId,
};
use domain_teams::ports::{MembershipOwner, RosterEdit, TeamEdit, TeamQueries, TeamRepository};
use domain_teams::{AddedAdmin, Team, TeamAdmin, TeamError, TeamName, TeamPeople};
use uuid::Uuid;

use crate::error::PgError;
use crate::orgs::lock_organization;
use crate::schema::{memberships, team_admins, team_memberships, teams};
use crate::sql::{PageColumns, PageRow, read_page, row, statement};
use crate::team_links::{Link, appoint, join};
use crate::training::{Affected, withdraw_unlisted};
use crate::{Pg, audit};

/// Teams in PostgreSQL.
#[derive(Clone)]
pub struct PgTeams {
    pub(crate) pg: Pg,
}

impl PgTeams {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }
}

/// A team `t` with its counts.
macro_rules! team_columns {
    () => {
        "t.id, t.organization_id, t.name, t.external_id, t.created_at, t.updated_at, t.deleted_at, \
         (SELECT count(*) FROM team_memberships tm JOIN memberships m ON m.id = tm.membership_id \
            WHERE tm.team_id = t.id AND m.status = 'active') AS memberships_count, \
         (SELECT count(*) FROM team_admins ta WHERE ta.team_id = t.id) AS admins_count"
    };
}
pub(crate) use team_columns;

const TEAM: &str = concat!("SELECT ", team_columns!(), " FROM teams t WHERE t.id = {}");

/// One row for each team of the page, or one row of nulls; each with the total. No row: no such organization. Only the teams
/// of the page are counted through, so they are picked first.
const TEAMS_OF_ORGANIZATION: &str = concat!(
    "SELECT counted.total, page.* FROM organizations o CROSS JOIN LATERAL ( \
        SELECT count(*) AS total FROM teams WHERE organization_id = o.id AND deleted_at IS NULL) counted \
     LEFT JOIN LATERAL (SELECT ",
    team_columns!(),
    " FROM (SELECT * FROM teams t WHERE t.organization_id = o.id AND t.deleted_at IS NULL \
        ORDER BY lower(t.name), t.id LIMIT {} OFFSET {}) t) page ON true WHERE o.id = {} \
      ORDER BY lower(page.name), page.id"
);

/// One row for each team of the page, or one row of nulls; each with total and whose membership it is. No row: no such
/// membership.
const TEAMS_OF_MEMBERSHIP: &str = concat!(
    "SELECT m.organization_id, CASE WHEN m.status = 'active' THEN m.user_id END, counted.total, page.* \
     FROM memberships m CROSS JOIN LATERAL (SELECT count(*) AS total FROM team_memberships x \
        JOIN teams t ON t.id = x.team_id WHERE x.membership_id = m.id AND t.deleted_at IS NULL) counted \
     LEFT JOIN LATERAL (SELECT ",
    team_columns!(),
    " FROM team_memberships x JOIN teams t ON t.id = x.team_id WHERE x.membership_id = m.id AND t.deleted_at IS NULL \
      ORDER BY lower(t.name), t.id LIMIT {} OFFSET {}) page ON true WHERE m.id = {} ORDER BY lower(page.name), page.id"
);

const TEAMS_BY_IDS: &str = concat!(
    "SELECT whole.total, page.* \
     FROM (SELECT count(*) AS total FROM teams WHERE id = ANY({}) AND deleted_at IS NULL) whole \
     LEFT JOIN LATERAL (SELECT ",
    team_columns!(),
    " FROM teams t WHERE t.id = ANY({}) AND t.deleted_at IS NULL \
      ORDER BY lower(t.name), t.id LIMIT {} OFFSET {}) page ON true ORDER BY lower(page.name), page.id"
);

macro_rules! admin_columns {
    () => {
        "ta.team_id, ta.membership_id, m.user_id, m.first_name, m.last_name, ta.created_at"
    };
}

const ADMIN: &str = concat!(
    "SELECT ",
    admin_columns!(),
    " FROM team_admins ta JOIN memberships m ON m.id = ta.membership_id WHERE ta.team_id = {} AND ta.membership_id = {}"
);

/// One row for each admin of the page, or one row of nulls; each with total and organization. No row: no such live team.
const ADMINS: &str = concat!(
    "SELECT t.organization_id, counted.total, page.* FROM teams t \
     CROSS JOIN LATERAL (SELECT count(*) AS total FROM team_admins WHERE team_id = t.id) counted \
     LEFT JOIN LATERAL (SELECT ",
    admin_columns!(),
    " FROM team_admins ta JOIN memberships m ON m.id = ta.membership_id WHERE ta.team_id = t.id \
      ORDER BY lower(m.last_name), lower(m.first_name), m.id LIMIT {} OFFSET {}) page ON true \
     WHERE t.id = {} AND t.deleted_at IS NULL \
     ORDER BY lower(page.last_name), lower(page.first_name), page.membership_id"
);

row! {
    pub(crate) struct TeamRow, TeamColumns {
        id: Uuid => SqlUuid,
        organization_id: Uuid => SqlUuid,
        name: String => Text,
        external_id: Option<String> => Nullable<Text>,
        created_at: DateTime<Utc> => Timestamptz,
        updated_at: DateTime<Utc> => Timestamptz,
        deleted_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        memberships_count: i64 => BigInt,
        admins_count: i64 => BigInt,
    }
}

impl From<TeamRow> for Team {
    fn from(row: TeamRow) -> Self {
        Self {
            id: TeamId::new(row.id),
            organization: OrgId::new(row.organization_id),
            name: TeamName::from_stored(row.name),
            external_id: row.external_id.map(ExternalId::from_stored),
            memberships_count: row.memberships_count,
            admins_count: row.admins_count,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
        }
    }
}

row! {
    /// A row of a page of a membership's teams.
    struct OwnedPageRow, OwnedPageColumns {
        owner_organization_id: Uuid => SqlUuid,
        owner_user_id: Option<Uuid> => Nullable<SqlUuid>,
        page: PageRow<TeamRow> => PageColumns<TeamColumns>,
    }
}

row! {
    struct AdminRow, AdminColumns {
        team_id: Uuid => SqlUuid,
        membership_id: Uuid => SqlUuid,
        user_id: Option<Uuid> => Nullable<SqlUuid>,
        first_name: String => Text,
        last_name: String => Text,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

impl From<AdminRow> for TeamAdmin {
    fn from(row: AdminRow) -> Self {
        Self {
            team: TeamId::new(row.team_id),
            membership: MembershipId::new(row.membership_id),
            user: row.user_id.map(UserId::new),
            first_name: PersonName::from_stored(row.first_name),
            last_name: PersonName::from_stored(row.last_name),
            created_at: row.created_at,
        }
    }
}

row! {
    /// A row of a page of admins.
    struct AdminPageRow, AdminPageColumns {
        organization_id: Uuid => SqlUuid,
        page: PageRow<AdminRow> => PageColumns<AdminColumns>,
    }
}

fn load_admin(
    connection: &mut PgConnection,
    team: TeamId,
    membership: MembershipId,
) -> diesel::QueryResult<Option<TeamAdmin>> {
    let found = statement(ADMIN)
        .bind::<SqlUuid, _>(team.uuid())
        .bind::<SqlUuid, _>(membership.uuid())
        .rows::<AdminColumns>()
        .get_result::<AdminRow>(connection);
    Ok(found.optional()?.map(TeamAdmin::from))
}

fn add_admin(
    connection: &mut PgConnection,
    team: TeamId,
    membership: MembershipId,
    at: DateTime<Utc>,
    audit: AuditEntry,
) -> Result<AddedAdmin, PgError<TeamError>> {
    let not_found = || PgError::Refused(Refusal::NotFound.into());
    // Both rows are kept from changing until the link is there: a team from being deleted, a person from leaving.
    let live = teams::table.find(team.uuid()).filter(teams::deleted_at.is_null());
    let organization: Option<Uuid> =
        live.select(teams::organization_id).for_share().first(connection).optional()?;
    let organization = organization.ok_or_else(not_found)?;
    let present = memberships::table
        .find(membership.uuid())
        .filter(memberships::organization_id.eq(organization).and(memberships::status.ne("deactivated")));
    let found: Option<Uuid> = present.select(memberships::id).for_share().first(connection).optional()?;
    found.ok_or_else(not_found)?;
    let added = diesel::insert_into(team_admins::table)
        .values((
            team_admins::team_id.eq(team.uuid()),
            team_admins::membership_id.eq(membership.uuid()),
            team_admins::organization_id.eq(organization),
            team_admins::created_at.eq(at),
        ))
        .on_conflict_do_nothing()
        .execute(connection)?;
    let admin = load_admin(connection, team, membership)?.ok_or_else(not_found)?;
    if added == 0 {
        return Ok(AddedAdmin::AlreadyThere(admin));
    }
    audit::insert(connection, audit)?;
    Ok(AddedAdmin::Added(admin))
}

fn named(constraint: &str) -> Option<TeamError> {
    match constraint {
        "teams_live_name_key" => Some(TeamError::name_taken()),
        "teams_live_external_id_key" => Some(TeamError::external_id_taken()),
        "teams_organization_id_fkey" => Some(Refusal::NotFound.into()),
        _ => None,
    }
}

type Outcome<T> = Result<T, PgError<TeamError>>;

fn load(connection: &mut PgConnection, id: TeamId) -> QueryResult<Option<Team>> {
    let row =
        statement(TEAM).bind::<SqlUuid, _>(id.uuid()).rows::<TeamColumns>().get_result::<TeamRow>(connection);
    Ok(row.optional()?.map(Team::from))
}

fn insert(connection: &mut PgConnection, team: &Team, audit: AuditEntry) -> QueryResult<()> {
    diesel::insert_into(teams::table)
        .values((
            teams::id.eq(team.id.uuid()),
            teams::organization_id.eq(team.organization.uuid()),
            teams::name.eq(team.name.as_str()),
            teams::external_id.eq(team.external_id.as_ref().map(ExternalId::as_str)),
            teams::created_at.eq(team.created_at),
            teams::updated_at.eq(team.updated_at),
            teams::deleted_at.eq(team.deleted_at),
        ))
        .execute(connection)?;
    audit::insert(connection, audit)
}

/// Loads the team for update, edits and saves it. The edit may write what belongs to the team.
fn update(
    connection: &mut PgConnection,
    id: TeamId,
    edit: impl FnOnce(&mut PgConnection, &mut Team) -> Outcome<Option<AuditEntry>>,
) -> Outcome<Team> {
    let not_found = || PgError::Refused(Refusal::NotFound.into());
    let found: Option<Uuid> =
        teams::table.find(id.uuid()).select(teams::organization_id).first(connection).optional()?;
    let organization = found.ok_or_else(not_found)?;
    // The organization before its team, as everything does that changes what members train.
    lock_organization::<TeamError>(connection, OrgId::new(organization))?;
    let _: Uuid = teams::table.find(id.uuid()).select(teams::id).for_update().first(connection)?;
    let mut team = load(connection, id)?.ok_or_else(not_found)?;
    let was_live = team.is_live();
    let Some(audit) = edit(connection, &mut team)? else { return Ok(team) };
    diesel::update(teams::table.find(id.uuid()))
        .set((
            teams::name.eq(team.name.as_str()),
            teams::external_id.eq(team.external_id.as_ref().map(ExternalId::as_str)),
            teams::updated_at.eq(team.updated_at),
            teams::deleted_at.eq(team.deleted_at),
        ))
        .execute(connection)?;
    if was_live && !team.is_live() {
        diesel::delete(team_memberships::table.filter(team_memberships::team_id.eq(id.uuid())))
            .execute(connection)?;
        diesel::delete(team_admins::table.filter(team_admins::team_id.eq(id.uuid()))).execute(connection)?;
        withdraw_unlisted(connection, &Affected::Organization(organization), audit.at)?;
    }
    audit::insert(connection, audit)?;
    load(connection, id)?.ok_or_else(not_found)
}

// --- People ------------------------------------------------------------------------------------------------------

const PEOPLE: &str = "SELECT ARRAY(SELECT x.membership_id FROM team_memberships x \
        JOIN memberships m ON m.id = x.membership_id WHERE x.team_id = t.id AND m.status <> 'deactivated'), \
     ARRAY(SELECT a.membership_id FROM team_admins a WHERE a.team_id = t.id) FROM teams t WHERE t.id = {}";

row! {
    struct PeopleRow, PeopleColumns {
        members: Vec<Uuid> => Array<SqlUuid>,
        admins: Vec<Uuid> => Array<SqlUuid>,
    }
}

impl From<PeopleRow> for TeamPeople {
    fn from(row: PeopleRow) -> Self {
        let ids = |ids: Vec<Uuid>| ids.into_iter().map(MembershipId::new).collect();
        Self { members: ids(row.members), admins: ids(row.admins) }
    }
}

/// Refuses, naming the fields, unless all have a place in the organization and have not left it; they stay so until the
/// transaction ends.
fn require_members(
    connection: &mut PgConnection,
    organization: OrgId,
    wanted: [(&str, &[MembershipId]); 2],
) -> Outcome<()> {
    let ids: Vec<Uuid> = wanted.iter().flat_map(|(_, ids)| ids.iter().map(|id| id.uuid())).collect();
    // In one order for all, so that two that lock some of the same never wait for each other.
    let present: Vec<Uuid> = memberships::table
        .filter(memberships::organization_id.eq(organization.uuid()).and(memberships::id.eq_any(ids)))
        .filter(memberships::status.ne("deactivated"))
        .order(memberships::id)
        .select(memberships::id)
        .for_share()
        .load(connection)?;
    let mut errors = FieldErrors::new();
    for (field, ids) in wanted {
        let is_unknown = |id: &MembershipId| present.binary_search(&id.uuid()).is_err();
        let unknown: Vec<MembershipId> = ids.iter().copied().filter(is_unknown).collect();
        if !unknown.is_empty() {
            errors.add(field, TeamError::no_members(&unknown));
        }
    }
    errors.into_result().map_err(|fields| PgError::Refused(fields.into()))
}

/// Makes `after` of who is on the team and who runs it. Who stays keeps the row.
fn replace_people(
    connection: &mut PgConnection,
    team: &Team,
    before: &TeamPeople,
    after: &TeamPeople,
) -> Outcome<()> {
    let beyond = |wanted: &BTreeSet<MembershipId>, had: &BTreeSet<MembershipId>| -> Vec<MembershipId> {
        wanted.difference(had).copied().collect()
    };
    let uuids = |ids: &[MembershipId]| ids.iter().map(|id| id.uuid()).collect::<Vec<_>>();
    let (joined, left) = (beyond(&after.members, &before.members), beyond(&before.members, &after.members));
    let (raised, lowered) = (beyond(&after.admins, &before.admins), beyond(&before.admins, &after.admins));
    let wanted = [("membership_ids", &*joined), ("admin_membership_ids", &*raised)];
    require_members(connection, team.organization, wanted)?;
    let members = team_memberships::table
        .filter(team_memberships::team_id.eq(team.id.uuid()))
        .filter(team_memberships::membership_id.eq_any(uuids(&left)));
    diesel::delete(members).execute(connection)?;
    let admins = team_admins::table
        .filter(team_admins::team_id.eq(team.id.uuid()))
        .filter(team_admins::membership_id.eq_any(uuids(&lowered)));
    diesel::delete(admins).execute(connection)?;
    let link = |membership: &MembershipId| Link {
        organization: team.organization,
        team: team.id,
        membership: *membership,
        at: team.updated_at,
    };
    join(connection, joined.iter().map(link))?;
    appoint(connection, raised.iter().map(link))?;
    let moved = uuids(&[joined, left].concat());
    if !moved.is_empty() {
        withdraw_unlisted(connection, &Affected::Memberships(moved), team.updated_at)?;
    }
    Ok(())
}

#[async_trait]
impl TeamRepository for PgTeams {
    async fn insert(&self, team: Team, audit: AuditEntry) -> Result<(), TeamError> {
        let inserted = self.pg.write(move |connection| Ok(insert(connection, &team, audit)?));
        inserted.await.map_err(|error| error.into_domain(named))
    }

    async fn update(&self, id: TeamId, edit: TeamEdit) -> Result<Team, TeamError> {
        let updated = self
            .pg
            .write(move |connection| update(connection, id, |_, team| edit(team).map_err(PgError::Refused)));
        updated.await.map_err(|error| error.into_domain(named))
    }

    async fn insert_with_people(
        &self,
        team: Team,
        people: TeamPeople,
        audit: AuditEntry,
    ) -> Result<Team, TeamError> {
        let inserted = self.pg.write(move |connection| {
            lock_organization::<TeamError>(connection, team.organization)?;
            insert(connection, &team, audit)?;
            replace_people(connection, &team, &TeamPeople::default(), &people)?;
            load(connection, team.id)?.ok_or_else(|| PgError::Refused(Refusal::NotFound.into()))
        });
        inserted.await.map_err(|error| error.into_domain(named))
    }

    async fn update_with_people(&self, id: TeamId, edit: RosterEdit) -> Result<Team, TeamError> {
        let updated = self.pg.write(move |connection| {
            update(connection, id, |connection, team| {
                let people = statement(PEOPLE).bind::<SqlUuid, _>(id.uuid()).rows::<PeopleColumns>();
                let before = TeamPeople::from(people.get_result::<PeopleRow>(connection)?);
                let mut after = before.clone();
                let audit = edit(team, &mut after).map_err(PgError::Refused)?;
                if audit.is_some() && after != before {
                    replace_people(connection, team, &before, &after)?;
                }
                Ok(audit)
            })
        });
        updated.await.map_err(|error| error.into_domain(named))
    }

    async fn add_admin(
        &self,
        team: TeamId,
        membership: MembershipId,
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<AddedAdmin, TeamError> {
        let added = self.pg.write(move |connection| add_admin(connection, team, membership, at, audit));
        added.await.map_err(PgError::into_storage)
    }

    async fn remove_admin(
        &self,
        team: TeamId,
        membership: MembershipId,
        audit: AuditEntry,
    ) -> Result<Option<TeamAdmin>, TeamError> {
        let removed = self.pg.write(move |connection| {
            let Some(admin) = load_admin(connection, team, membership)? else { return Ok(None) };
            let row = team_admins::table.find((team.uuid(), membership.uuid()));
            if diesel::delete(row).execute(connection)? == 0 {
                return Ok(None);
            }
            audit::insert(connection, audit)?;
            Ok(Some(admin))
        });
        removed.await.map_err(PgError::into_storage)
    }
}

#[async_trait]
impl TeamQueries for PgTeams {
    async fn find(&self, id: TeamId) -> Result<Option<Team>, TeamError> {
        let found = self.pg.read(move |connection| Ok(load(connection, id)?));
        found.await.map_err(PgError::into_storage)
    }

    async fn list_of_organization(
        &self,
        organization: OrgId,
        page: PageRequest,
    ) -> Result<Option<Page<Team>>, TeamError> {
        let found = self.pg.read(move |connection| {
            let rows: Vec<PageRow<TeamRow>> = statement(TEAMS_OF_ORGANIZATION)
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset)
                .bind::<SqlUuid, _>(organization.uuid())
                .rows::<PageColumns<TeamColumns>>()
                .load(connection)?;
            Ok(read_page(rows).map(|page| page.map(Team::from)))
        });
        found.await.map_err(PgError::into_storage)
    }

    async fn list_admins(
        &self,
        team: TeamId,
        page: PageRequest,
    ) -> Result<Option<(OrgId, Page<TeamAdmin>)>, TeamError> {
        let found = self.pg.read(move |connection| {
            let rows: Vec<AdminPageRow> = statement(ADMINS)
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset)
                .bind::<SqlUuid, _>(team.uuid())
                .rows::<AdminPageColumns>()
                .load(connection)?;
            let organization = rows.first().map(|row| OrgId::new(row.organization_id));
            let page = read_page(rows.into_iter().map(|row| row.page));
            Ok(organization.zip(page.map(|page| page.map(TeamAdmin::from))))
        });
        found.await.map_err(PgError::into_storage)
    }

    async fn list_of_membership(
        &self,
        membership: MembershipId,
        page: PageRequest,
    ) -> Result<Option<(MembershipOwner, Page<Team>)>, TeamError> {
        let found = self.pg.read(move |connection| {
            let rows: Vec<OwnedPageRow> = statement(TEAMS_OF_MEMBERSHIP)
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset)
                .bind::<SqlUuid, _>(membership.uuid())
                .rows::<OwnedPageColumns>()
                .load(connection)?;
            let owner = rows.first().map(|row| MembershipOwner {
                organization: OrgId::new(row.owner_organization_id),
                user: row.owner_user_id.map(UserId::new),
            });
            let page = read_page(rows.into_iter().map(|row| row.page));
            Ok(owner.zip(page.map(|page| page.map(Team::from))))
        });
        found.await.map_err(PgError::into_storage)
    }

    async fn list_by_ids(&self, ids: Vec<TeamId>, page: PageRequest) -> Result<Page<Team>, TeamError> {
        let ids: Vec<Uuid> = ids.into_iter().map(TeamId::uuid).collect();
        let found = self.pg.read(move |connection| {
            let rows: Vec<PageRow<TeamRow>> = statement(TEAMS_BY_IDS)
                .bind::<Array<SqlUuid>, _>(ids.clone())
                .bind::<Array<SqlUuid>, _>(ids)
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset)
                .rows::<PageColumns<TeamColumns>>()
                .load(connection)?;
            Ok(read_page(rows).unwrap_or_default().map(Team::from))
        });
        found.await.map_err(PgError::into_storage)
    }
}
