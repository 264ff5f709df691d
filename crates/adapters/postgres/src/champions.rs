use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Date, Nullable, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{
    AuditEntry, ChampionCertificationId, OrgId, Page, PageRequest, Refusal, StorageError, UserId,
};
use domain_users::ports::{CertificationFilter, ChampionRepository};
use domain_users::{Certified, ChampionCertification, UserError, ValidCertification};
use serde::Deserialize;
use uuid::Uuid;

use crate::audit;
use crate::error::PgError;
use crate::schema::{champion_certifications, users};
use crate::sql::{PageColumns, PageRow, Statement, read_page, row, statement};
use crate::users::PgUsers;

/// What makes a user `u` a champion today, as the text of a JSON value: what [`read_champion`] reads.
macro_rules! champion_column {
    () => {
        "(SELECT json_build_object('id', c.id, 'date', c.date, 'expires_on', c.expires_on)::text \
          FROM champion_certifications c WHERE c.user_id = u.id AND c.revoked_at IS NULL \
            AND c.expires_on >= (now() AT TIME ZONE 'UTC')::date ORDER BY c.date DESC LIMIT 1) AS champion"
    };
}
pub(crate) use champion_column;

#[derive(Deserialize)]
struct ChampionJson {
    id: Uuid,
    date: NaiveDate,
    expires_on: NaiveDate,
}

/// Reads a [`champion_column`].
pub(crate) fn read_champion(column: Option<&str>) -> Result<Option<ValidCertification>, StorageError> {
    let Some(json) = column else { return Ok(None) };
    let read: ChampionJson =
        serde_json::from_str(json).map_err(|error| StorageError::Failed(Box::new(error)))?;
    let id = ChampionCertificationId::new(read.id);
    Ok(Some(ValidCertification { id, date: read.date, expires_on: read.expires_on }))
}

row! {
    #[derive(Selectable)]
    #[diesel(table_name = champion_certifications)]
    struct CertificationRow, CertificationColumns {
        id: Uuid => SqlUuid,
        user_id: Uuid => SqlUuid,
        date: NaiveDate => Date,
        expires_on: NaiveDate => Date,
        created_by: Uuid => SqlUuid,
        created_at: DateTime<Utc> => Timestamptz,
        revoked_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
    }
}

impl From<CertificationRow> for ChampionCertification {
    fn from(row: CertificationRow) -> Self {
        Self {
            id: ChampionCertificationId::new(row.id),
            user: UserId::new(row.user_id),
            date: row.date,
            expires_on: row.expires_on,
            created_by: UserId::new(row.created_by),
            created_at: row.created_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// The list: one row for each certification of the page, or one row of nulls; each with the total.
fn list_sql(filter: &CertificationFilter) -> String {
    let user = if filter.user.is_some() { " AND c.user_id = {}" } else { "" };
    let organization = if filter.organization.is_some() {
        " AND c.user_id IN (SELECT m.user_id FROM memberships m \
            WHERE m.organization_id = {} AND m.status = 'active' AND m.status <> 'deactivated')"
    } else {
        ""
    };
    let passing = format!("FROM champion_certifications c WHERE true{user}{organization}");
    format!(
        "SELECT counted.total, page.* FROM (SELECT count(*) AS total {passing}) counted LEFT JOIN LATERAL ( \
            SELECT c.id, c.user_id, c.date, c.expires_on, c.created_by, c.created_at, c.revoked_at {passing} \
            ORDER BY c.created_at DESC, c.id DESC LIMIT {{}} OFFSET {{}}) page \
         ON true ORDER BY page.created_at DESC, page.id DESC"
    )
}

fn bind_filter(mut list: Statement, filter: &CertificationFilter) -> Statement {
    if let Some(user) = filter.user {
        list = list.bind::<SqlUuid, _>(user.uuid());
    }
    if let Some(organization) = filter.organization.map(OrgId::uuid) {
        list = list.bind::<SqlUuid, _>(organization);
    }
    list
}

#[async_trait]
impl ChampionRepository for PgUsers {
    async fn insert(
        &self,
        certification: ChampionCertification,
        audit: AuditEntry,
    ) -> Result<Certified, UserError> {
        let inserted = self.pg.write(move |connection| {
            let user = certification.user.uuid();
            // Kept from deleting the account until the certification is there.
            let present = users::table.find(user).filter(users::deleted_at.is_null());
            let found: Option<Uuid> = present.select(users::id).for_share().first(connection).optional()?;
            if found.is_none() {
                return Err(PgError::Refused(Refusal::NotFound.into()));
            }
            let added = diesel::insert_into(champion_certifications::table)
                .values((
                    champion_certifications::id.eq(certification.id.uuid()),
                    champion_certifications::user_id.eq(user),
                    champion_certifications::date.eq(certification.date),
                    champion_certifications::expires_on.eq(certification.expires_on),
                    champion_certifications::created_by.eq(certification.created_by.uuid()),
                    champion_certifications::created_at.eq(certification.created_at),
                    champion_certifications::revoked_at.eq(certification.revoked_at),
                ))
                .on_conflict((champion_certifications::user_id, champion_certifications::date))
                .do_nothing()
                .execute(connection)?;
            if added == 0 {
                let of_that_day = champion_certifications::table
                    .filter(champion_certifications::user_id.eq(user))
                    .filter(champion_certifications::date.eq(certification.date));
                let there = of_that_day.select(CertificationRow::as_select()).first(connection)?;
                return Ok(Certified::AlreadyThere(there.into()));
            }
            audit::insert(connection, audit)?;
            Ok(Certified::Created(certification))
        });
        inserted.await.map_err(PgError::into_storage)
    }

    async fn revoke(
        &self,
        id: ChampionCertificationId,
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<(), UserError> {
        let revoked = self.pg.write(move |connection| {
            let row = champion_certifications::table.find(id.uuid());
            let open = row.filter(champion_certifications::revoked_at.is_null());
            let changed =
                diesel::update(open).set(champion_certifications::revoked_at.eq(at)).execute(connection)?;
            if changed > 0 {
                return Ok(audit::insert(connection, audit)?);
            }
            let is_there: bool = diesel::select(diesel::dsl::exists(row)).get_result(connection)?;
            if is_there { Ok(()) } else { Err(PgError::Refused(Refusal::NotFound.into())) }
        });
        revoked.await.map_err(PgError::into_storage)
    }

    async fn revoke_of_user(
        &self,
        user: UserId,
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<(), UserError> {
        let revoked = self.pg.write(move |connection| {
            let open = champion_certifications::table
                .filter(champion_certifications::user_id.eq(user.uuid()))
                .filter(champion_certifications::revoked_at.is_null());
            let changed =
                diesel::update(open).set(champion_certifications::revoked_at.eq(at)).execute(connection)?;
            if changed > 0 {
                audit::insert(connection, audit)?;
            }
            Ok(())
        });
        revoked.await.map_err(PgError::into_storage)
    }

    async fn list(
        &self,
        filter: CertificationFilter,
        page: PageRequest,
    ) -> Result<Page<ChampionCertification>, UserError> {
        let rows = self.pg.read(move |connection| {
            // Once for the total and once for the page.
            let list = bind_filter(bind_filter(statement(list_sql(&filter)), &filter), &filter);
            let list = list.bind::<BigInt, _>(page.limit).bind::<BigInt, _>(page.offset);
            Ok(list.rows::<PageColumns<CertificationColumns>>().load(connection)?)
        });
        let rows: Vec<PageRow<CertificationRow>> = rows.await.map_err(PgError::<UserError>::into_storage)?;
        Ok(read_page(rows).unwrap_or_default().map(ChampionCertification::from))
    }
}
