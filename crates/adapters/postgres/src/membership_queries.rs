use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use domain_kernel::{MembershipId, OrgId, Page, PageRequest, TeamId};
use domain_memberships::ports::{MemberSearch, MembershipQueries, MembershipSelection};
use domain_memberships::{FoundMember, MembershipError, MembershipStatus, MembershipView};
use uuid::Uuid;

use crate::error::PgError;
use crate::membership_view::{ViewColumns, ViewRow, view_columns, view_joins};
use crate::memberships::PgMemberships;
use crate::sql::{PageColumns, PageRow, Statement, order_by, read_page, row, statement};

/// One row for each member of the page, or one row of nulls; each with total and organization. No row: no such live team.
const OF_TEAM: &str = concat!(
    "SELECT t.organization_id AS team_organization_id, counted.total, true AS on_team, page.* \
     FROM teams t CROSS JOIN LATERAL (SELECT count(*) AS total FROM team_memberships x \
        JOIN memberships m ON m.id = x.membership_id WHERE x.team_id = t.id AND m.status = {}) counted \
     LEFT JOIN LATERAL (SELECT ",
    view_columns!(),
    " FROM (SELECT m.* FROM team_memberships x JOIN memberships m ON m.id = x.membership_id \
        WHERE x.team_id = t.id AND m.status = {} \
        ORDER BY lower(m.last_name), lower(m.first_name), m.id LIMIT {} OFFSET {}) m ",
    view_joins!(),
    ") page ON true WHERE t.id = {} AND t.deleted_at IS NULL \
     ORDER BY lower(page.last_name), lower(page.first_name), page.id"
);

/// Who is on the team `t` and is found. The team first: it is small, however many namesakes the organization has.
const HITS_ON_TEAM: &str = "members AS MATERIALIZED ( \
        SELECT m.id, m.first_name, m.last_name, m.search FROM team_memberships x \
        JOIN memberships m ON m.id = x.membership_id WHERE x.team_id = t.id AND m.status <> 'deactivated'), \
     hits AS MATERIALIZED (SELECT m.id, m.first_name, m.last_name, true AS on_team \
        FROM asked JOIN members m ON m.search @@ asked.words)";

/// Who is in the organization of the team `t` and is found: the keys know the organization.
const HITS_IN_ORGANIZATION: &str = "hits AS MATERIALIZED (SELECT m.id, m.first_name, m.last_name, \
        EXISTS (SELECT FROM team_memberships x WHERE x.team_id = t.id AND x.membership_id = m.id) AS on_team \
        FROM asked JOIN memberships m ON m.search @@ asked.words AND m.status <> 'deactivated')";

/// The hits are put in order by their names alone, and only those of the page are looked at closer.
fn search_sql(search: &MemberSearch, is_limited: bool) -> String {
    let hits = if search.whole_organization { HITS_IN_ORGANIZATION } else { HITS_ON_TEAM };
    let (inner, outer) = (order_by(&search.sort, "hits"), order_by(&search.sort, "found"));
    let (columns, joins) = (view_columns!(), view_joins!());
    let horizon = if is_limited { "AND t.organization_id = ANY({})" } else { "" };
    format!(
        "SELECT t.organization_id AS team_organization_id, found.* FROM teams t CROSS JOIN LATERAL ( \
         WITH asked AS MATERIALIZED (SELECT name_query(t.organization_id::text, {{}}) AS words), {hits} \
         SELECT counted.total, page.* FROM (SELECT count(*) AS total FROM hits) counted LEFT JOIN LATERAL ( \
            SELECT hit.on_team, {columns} FROM (SELECT * FROM hits {inner} LIMIT {{}} OFFSET {{}}) hit \
            JOIN memberships m ON m.id = hit.id {joins}) page ON true \
         ) found WHERE t.id = {{}} AND t.deleted_at IS NULL {horizon} {outer}"
    )
}

/// The selected memberships of all organizations: one row for each of the page, or one row of nulls; each with the total. Their
/// ids alone are put in order, and only those of the page are looked at closer.
fn selection_sql(selection: &MembershipSelection) -> String {
    let ids = selection.ids.as_ref().map_or("", |_| " AND m.id = ANY({})");
    let organizations = selection.organizations.as_ref().map_or("", |_| " AND m.organization_id = ANY({})");
    let teams = selection.teams.as_ref().map_or(
        "",
        |_| " AND m.id IN (SELECT x.membership_id FROM team_memberships x WHERE x.team_id = ANY({}))",
    );
    let passing = format!("FROM memberships m WHERE true{ids}{organizations}{teams}");
    let (columns, joins) = (view_columns!(), view_joins!());
    format!(
        "SELECT counted.total, page.* FROM (SELECT count(*) AS total {passing}) counted LEFT JOIN LATERAL (SELECT {columns} \
            FROM (SELECT m.id {passing} ORDER BY m.id LIMIT {{}} OFFSET {{}}) hit \
            JOIN memberships m ON m.id = hit.id {joins}) page ON true ORDER BY page.id"
    )
}

fn bind_selection(list: Statement, selection: &MembershipSelection) -> Statement {
    list.bind_ids(selection.ids.as_deref(), MembershipId::uuid)
        .bind_ids(selection.organizations.as_deref(), OrgId::uuid)
        .bind_ids(selection.teams.as_deref(), TeamId::uuid)
}

row! {
    struct TeamPageRow, TeamPageColumns {
        team_organization_id: Uuid => SqlUuid,
        page: PageRow<(bool, ViewRow)> => PageColumns<(Bool, ViewColumns)>,
    }
}

type TeamPage<T> = Option<(OrgId, Page<T>)>;

fn read_team_page(rows: Vec<TeamPageRow>) -> Result<TeamPage<FoundMember>, MembershipError> {
    let organization = rows.first().map(|row| OrgId::new(row.team_organization_id));
    let read = |(on_team, view): (bool, ViewRow)| view.read().map(|view| FoundMember { view, on_team });
    let page = read_page(rows.into_iter().map(|row| row.page)).map(|page| page.try_map(read)).transpose()?;
    Ok(organization.zip(page))
}

#[async_trait]
impl MembershipQueries for PgMemberships {
    async fn list_of_team(
        &self,
        team: TeamId,
        status: MembershipStatus,
        page: PageRequest,
    ) -> Result<TeamPage<MembershipView>, MembershipError> {
        let rows = self.pg.read(move |connection| {
            let list = statement(OF_TEAM)
                .bind::<Text, _>(status.as_str())
                .bind::<Text, _>(status.as_str())
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset)
                .bind::<SqlUuid, _>(team.uuid());
            Ok(list.rows::<TeamPageColumns>().load::<TeamPageRow>(connection)?)
        });
        let found = read_team_page(rows.await.map_err(PgError::<MembershipError>::into_storage)?)?;
        Ok(found.map(|(organization, page)| (organization, page.map(|found| found.view))))
    }

    async fn list(
        &self,
        selection: MembershipSelection,
        page: PageRequest,
    ) -> Result<Page<MembershipView>, MembershipError> {
        let rows = self.pg.read(move |connection| {
            // Once for the total and once for the page.
            let list = bind_selection(statement(selection_sql(&selection)), &selection);
            let list = bind_selection(list, &selection);
            let list = list.bind::<BigInt, _>(page.limit).bind::<BigInt, _>(page.offset);
            Ok(list.rows::<PageColumns<ViewColumns>>().load(connection)?)
        });
        let rows: Vec<PageRow<ViewRow>> = rows.await.map_err(PgError::<MembershipError>::into_storage)?;
        Ok(read_page(rows).unwrap_or_default().try_map(ViewRow::read)?)
    }

    async fn search_around_team(
        &self,
        search: MemberSearch,
        horizon: Option<Vec<OrgId>>,
        page: PageRequest,
    ) -> Result<TeamPage<FoundMember>, MembershipError> {
        let rows = self.pg.read(move |connection| {
            let mut hits = statement(search_sql(&search, horizon.is_some()))
                .bind::<Text, _>(search.words.as_str().to_owned())
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset)
                .bind::<SqlUuid, _>(search.team.uuid());
            if let Some(organizations) = horizon {
                let organizations: Vec<Uuid> = organizations.into_iter().map(OrgId::uuid).collect();
                hits = hits.bind::<Array<SqlUuid>, _>(organizations);
            }
            Ok(hits.rows::<TeamPageColumns>().load::<TeamPageRow>(connection)?)
        });
        read_team_page(rows.await.map_err(PgError::<MembershipError>::into_storage)?)
    }
}
