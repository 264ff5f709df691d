use async_trait::async_trait;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use domain_kernel::{NameKey, OrgId, Page, PageRequest, SearchWords, Sort, TeamId, UserId};
use domain_users::ports::{UserQueries, VisiblePlaces};
use domain_users::{Account, SeenUser, User, UserError};
use uuid::Uuid;

use crate::error::PgError;
use crate::sql::{PageColumns, PageRow, Statement, order_by, read_page, statement};
use crate::users::{ACCOUNT, AccountColumns, AccountRow, PgUsers, UserColumns, UserRow, user_columns};

/// One row for each user of the page, or one row of nulls; each with the total.
const ALL: &str = concat!(
    "SELECT counted.total, true AS shows_private, page.* \
     FROM (SELECT count(*) AS total FROM users WHERE deleted_at IS NULL) counted LEFT JOIN LATERAL (SELECT ",
    user_columns!(),
    " FROM (SELECT * FROM users WHERE deleted_at IS NULL ORDER BY id LIMIT {} OFFSET {}) u) page \
     ON true ORDER BY page.id"
);

/// The active members of one organization, in the order of the index that knows them.
const OF_ORGANIZATION: &str = concat!(
    "SELECT counted.total, true AS shows_private, page.* FROM (SELECT count(*) AS total FROM memberships m \
        WHERE m.organization_id = {} AND m.status = 'active' AND m.status <> 'deactivated') counted \
     LEFT JOIN LATERAL (SELECT ",
    user_columns!(),
    " FROM (SELECT m.user_id FROM memberships m \
            WHERE m.organization_id = {} AND m.status = 'active' AND m.status <> 'deactivated' \
            ORDER BY m.user_id LIMIT {} OFFSET {}) shown JOIN users u ON u.id = shown.user_id) page \
     ON true ORDER BY page.id"
);

/// Everybody once; private fields show when any of the reasons shows them. Only those of the page are looked at closer.
const VISIBLE: &str = concat!(
    "WITH reasons AS ( \
        SELECT id AS user_id, true AS shows_private FROM users WHERE id = {} AND deleted_at IS NULL \
        UNION ALL SELECT m.user_id, true FROM memberships m \
            WHERE m.organization_id = ANY({}) AND m.status = 'active' AND m.status <> 'deactivated' \
        UNION ALL SELECT m.user_id, false FROM team_memberships x JOIN memberships m ON m.id = x.membership_id \
            WHERE x.team_id = ANY({}) AND m.status = 'active'), \
     people AS MATERIALIZED (SELECT user_id, bool_or(shows_private) AS shows_private FROM reasons GROUP BY user_id) \
     SELECT counted.total, page.* FROM (SELECT count(*) AS total FROM people) counted LEFT JOIN LATERAL ( \
        SELECT shown.shows_private, ",
    user_columns!(),
    " FROM (SELECT * FROM people ORDER BY user_id LIMIT {} OFFSET {}) shown JOIN users u ON u.id = shown.user_id) page \
     ON true ORDER BY page.id"
);

const HITS_ANYWHERE: &str = "SELECT u.id, u.first_name, u.last_name \
    FROM asked JOIN users u ON u.search @@ asked.words AND u.deleted_at IS NULL";

/// The names of the accounts stand beside those of the roster, so that no account has to be looked at; and the keys know
/// the organization.
const HITS_IN_ORGANIZATION: &str = "SELECT m.user_id AS id, m.account_first_name AS first_name, m.account_last_name AS last_name \
     FROM asked JOIN memberships m ON m.search @@ asked.words AND m.status <> 'deactivated' AND m.status = 'active'";

/// What finds `hits` for the words of a `scope`, puts them in order by their names alone and gives a page of them.
fn search_sql(scope: &str, hits: &str, sort: &Sort<NameKey>) -> String {
    let (inner, outer) = (order_by(sort, "hits"), order_by(sort, "page"));
    let columns = user_columns!();
    format!(
        "WITH asked AS MATERIALIZED (SELECT name_query({scope}, {{}}) AS words), hits AS MATERIALIZED ({hits}) \
         SELECT counted.total, true AS shows_private, page.* \
         FROM (SELECT count(*) AS total FROM hits) counted LEFT JOIN LATERAL ( \
            SELECT {columns} FROM (SELECT * FROM hits {inner} LIMIT {{}} OFFSET {{}}) hit \
            JOIN users u ON u.id = hit.id) page ON true {outer}"
    )
}

/// Whether the private fields show, and the user.
type SeenColumns = (Bool, UserColumns);
type SeenRow = (bool, UserRow);

fn read_seen((shows_private, row): SeenRow) -> Result<SeenUser, UserError> {
    Ok(SeenUser { user: row.try_into()?, shows_private })
}

fn read_user((_, row): SeenRow) -> Result<User, UserError> {
    Ok(row.try_into()?)
}

impl PgUsers {
    async fn rows(
        &self,
        list: impl FnOnce(&mut PgConnection) -> Result<Vec<PageRow<SeenRow>>, PgError<UserError>> + Send + 'static,
    ) -> Result<Vec<PageRow<SeenRow>>, UserError> {
        self.pg.read(list).await.map_err(PgError::into_storage)
    }
}

fn bind_search(sql: String, words: &SearchWords, page: PageRequest) -> Statement {
    statement(sql)
        .bind::<Text, _>(words.as_str().to_owned())
        .bind::<BigInt, _>(page.limit)
        .bind::<BigInt, _>(page.offset)
}

#[async_trait]
impl UserQueries for PgUsers {
    async fn find_account(&self, id: UserId) -> Result<Option<Account>, UserError> {
        let found = self.pg.read(move |connection| {
            let row = statement(ACCOUNT)
                .bind::<SqlUuid, _>(id.uuid())
                .rows::<AccountColumns>()
                .get_result::<AccountRow>(connection);
            row.optional()?.map(AccountRow::read).transpose().map_err(PgError::Refused)
        });
        let account = found.await.map_err(PgError::into_storage)?;
        Ok(account.filter(|account| account.user.deleted_at.is_none()))
    }

    async fn list_all(&self, page: PageRequest) -> Result<Page<User>, UserError> {
        let rows = self.rows(move |connection| {
            let list = statement(ALL).bind::<BigInt, _>(page.limit).bind::<BigInt, _>(page.offset);
            Ok(list.rows::<PageColumns<SeenColumns>>().load(connection)?)
        });
        read_page(rows.await?).unwrap_or_default().try_map(read_user)
    }

    async fn list_visible(
        &self,
        places: VisiblePlaces,
        page: PageRequest,
    ) -> Result<Page<SeenUser>, UserError> {
        let organizations: Vec<Uuid> = places.organizations.into_iter().map(OrgId::uuid).collect();
        let teams: Vec<Uuid> = places.teams.into_iter().map(TeamId::uuid).collect();
        let rows = self.rows(move |connection| {
            // Who runs one organization and nothing else is one of its members, so nobody can come twice.
            if let ([organization], []) = (organizations.as_slice(), teams.as_slice()) {
                let list = statement(OF_ORGANIZATION)
                    .bind::<SqlUuid, _>(*organization)
                    .bind::<SqlUuid, _>(*organization)
                    .bind::<BigInt, _>(page.limit)
                    .bind::<BigInt, _>(page.offset);
                return Ok(list.rows::<PageColumns<SeenColumns>>().load(connection)?);
            }
            let list = statement(VISIBLE)
                .bind::<SqlUuid, _>(places.own.uuid())
                .bind::<Array<SqlUuid>, _>(organizations)
                .bind::<Array<SqlUuid>, _>(teams)
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset);
            Ok(list.rows::<PageColumns<SeenColumns>>().load(connection)?)
        });
        read_page(rows.await?).unwrap_or_default().try_map(read_seen)
    }

    async fn search_all(
        &self,
        words: SearchWords,
        sort: Sort<NameKey>,
        page: PageRequest,
    ) -> Result<Page<User>, UserError> {
        let rows = self.rows(move |connection| {
            let sql = search_sql("''", HITS_ANYWHERE, &sort);
            Ok(bind_search(sql, &words, page).rows::<PageColumns<SeenColumns>>().load(connection)?)
        });
        read_page(rows.await?).unwrap_or_default().try_map(read_user)
    }

    async fn search_organization(
        &self,
        organization: OrgId,
        words: SearchWords,
        sort: Sort<NameKey>,
        page: PageRequest,
    ) -> Result<Option<Page<User>>, UserError> {
        let rows = self.rows(move |connection| {
            let sql = search_sql("o.id::text", HITS_IN_ORGANIZATION, &sort);
            let sql = format!(
                "SELECT found.* FROM organizations o CROSS JOIN LATERAL ({sql}) found WHERE o.id = {{}} {}",
                order_by(&sort, "found")
            );
            let found = bind_search(sql, &words, page).bind::<SqlUuid, _>(organization.uuid());
            Ok(found.rows::<PageColumns<SeenColumns>>().load(connection)?)
        });
        read_page(rows.await?).map(|page| page.try_map(read_user)).transpose()
    }
}
