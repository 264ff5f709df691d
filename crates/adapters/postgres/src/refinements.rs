use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Date, Jsonb, Nullable, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{
    AuditEntry, CourseId, FieldErrors, FieldProblem, MembershipId, OrgId, Page, PageRequest, RefinementId,
    Refusal, StorageError, TeamId, UserId,
};
use domain_teams::ports::{RefinementEdit, RefinementRepository};
use domain_teams::{Refinement, RefinementData, TeamError, TeamPlace};
use serde_json::Value;
use uuid::Uuid;

use crate::audit;
use crate::error::{PgError, unreadable};
use crate::schema::{organizations, refinements, teams};
use crate::sql::{PageColumns, PageRow, read_page, row, statement};
use crate::teams::PgTeams;

type Outcome<T> = Result<T, PgError<TeamError>>;

/// The columns of [`RefinementRow`], of a refinement `r`.
macro_rules! refinement_columns {
    () => {
        "r.id, r.organization_id, r.team_id, r.data, r.occurred_on, r.created_by, r.created_at, r.updated_at"
    };
}

/// One row, whose refinement is nulls if the team has none of this id. No row: no such live team.
const REFINEMENT: &str = concat!(
    "SELECT t.organization_id AS place_id, ",
    refinement_columns!(),
    " FROM teams t LEFT JOIN refinements r ON r.team_id = t.id AND r.id = {} \
      WHERE t.id = {} AND t.deleted_at IS NULL"
);

/// One row for each refinement of the page, or one row of nulls; each with total and organization. No row: no such live team.
const REFINEMENTS: &str = concat!(
    "SELECT t.organization_id AS place_id, counted.total, page.* FROM teams t \
     CROSS JOIN LATERAL (SELECT count(*) AS total FROM refinements WHERE team_id = t.id) counted \
     LEFT JOIN LATERAL (SELECT ",
    refinement_columns!(),
    " FROM refinements r WHERE r.team_id = t.id ORDER BY r.created_at DESC, r.id DESC LIMIT {} OFFSET {}) page \
     ON true WHERE t.id = {} AND t.deleted_at IS NULL ORDER BY page.created_at DESC, page.id DESC"
);

macro_rules! all_are_memberships {
    () => {
        "NOT EXISTS (SELECT FROM unnest({}) AS named(id) WHERE NOT EXISTS \
            (SELECT FROM memberships m WHERE m.id = named.id AND m.organization_id = {}))"
    };
}

const KNOWN: &str = concat!(
    "SELECT ",
    all_are_memberships!(),
    " AS led_by, ",
    all_are_memberships!(),
    " AS members, NOT EXISTS (SELECT FROM unnest({}) AS named(id) WHERE NOT EXISTS (SELECT FROM courses c \
        WHERE c.id = named.id AND (c.organization_id IS NULL OR c.organization_id = {}))) AS course"
);

row! {
    struct Known, KnownColumns {
        led_by: bool => Bool,
        members: bool => Bool,
        course: bool => Bool,
    }
}

row! {
    #[derive(Selectable)]
    #[diesel(table_name = refinements)]
    struct RefinementRow, RefinementColumns {
        id: Uuid => SqlUuid,
        organization_id: Uuid => SqlUuid,
        team_id: Uuid => SqlUuid,
        data: Value => Jsonb,
        occurred_on: NaiveDate => Date,
        created_by: Uuid => SqlUuid,
        created_at: DateTime<Utc> => Timestamptz,
        updated_at: DateTime<Utc> => Timestamptz,
    }
}

impl TryFrom<RefinementRow> for Refinement {
    type Error = StorageError;

    fn try_from(row: RefinementRow) -> Result<Self, StorageError> {
        let Value::Object(fields) = row.data else { return Err(unreadable("refinements", "object")) };
        Ok(Self {
            id: RefinementId::new(row.id),
            organization: OrgId::new(row.organization_id),
            team: TeamId::new(row.team_id),
            data: RefinementData::from_stored(fields),
            occurred_on: row.occurred_on,
            created_by: UserId::new(row.created_by),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

row! {
    struct PlacedRow, PlacedColumns {
        place_id: Uuid => SqlUuid,
        refinement: Option<RefinementRow> => Nullable<RefinementColumns>,
    }
}

row! {
    struct PlacedPageRow, PlacedPageColumns {
        place_id: Uuid => SqlUuid,
        page: PageRow<RefinementRow> => PageColumns<RefinementColumns>,
    }
}

fn not_found<T>() -> Outcome<T> {
    Err(PgError::Refused(Refusal::NotFound.into()))
}

fn read(row: RefinementRow) -> Outcome<Refinement> {
    Refinement::try_from(row).map_err(|error| PgError::Refused(error.into()))
}

fn stored(data: &RefinementData) -> Value {
    Value::Object(data.fields().clone())
}

/// Keeps a live team from being deleted until the transaction ends.
fn hold_team(connection: &mut PgConnection, team: TeamId) -> Outcome<()> {
    let live = teams::table.find(team.uuid()).filter(teams::deleted_at.is_null());
    let found: Option<Uuid> = live.select(teams::id).for_share().first(connection).optional()?;
    if found.is_some() { Ok(()) } else { not_found() }
}

/// Refuses data that names what the organization does not have.
fn check(connection: &mut PgConnection, refinement: &Refinement) -> Outcome<()> {
    let (named, organization) = (refinement.data.references(), refinement.organization.uuid());
    let led_by: Vec<Uuid> = named.led_by.into_iter().map(MembershipId::uuid).collect();
    let members: Vec<Uuid> = named.members.into_iter().map(MembershipId::uuid).collect();
    let course: Vec<Uuid> = named.course.into_iter().map(CourseId::uuid).collect();
    let known: Known = statement(KNOWN)
        .bind::<Array<SqlUuid>, _>(led_by)
        .bind::<SqlUuid, _>(organization)
        .bind::<Array<SqlUuid>, _>(members)
        .bind::<SqlUuid, _>(organization)
        .bind::<Array<SqlUuid>, _>(course)
        .bind::<SqlUuid, _>(organization)
        .rows::<KnownColumns>()
        .get_result(connection)?;
    let mut errors = FieldErrors::new();
    for (is_known, field, message) in [
        (known.led_by, "data.led_by_membership_id", "is not a membership of the organization"),
        (known.members, "data.membership_ids", "must be memberships of the organization"),
        (known.course, "data.course_id", "is not a course of the library or of the organization"),
    ] {
        if !is_known {
            errors.add(field, FieldProblem { code: "unknown", message: message.into() });
        }
    }
    errors.into_result().map_err(|errors| PgError::Refused(errors.into()))
}

fn update(
    connection: &mut PgConnection,
    team: TeamId,
    id: RefinementId,
    edit: RefinementEdit,
) -> Outcome<Refinement> {
    hold_team(connection, team)?;
    let own = refinements::table.find(id.uuid()).filter(refinements::team_id.eq(team.uuid()));
    let found = own.select(RefinementRow::as_select()).for_update().first(connection).optional()?;
    let Some(row) = found else { return not_found() };
    let mut refinement = read(row)?;
    let Some(audit) = edit(&mut refinement).map_err(PgError::Refused)? else { return Ok(refinement) };
    check(connection, &refinement)?;
    let saved = diesel::update(refinements::table.find(id.uuid()))
        .set((
            refinements::data.eq(stored(&refinement.data)),
            refinements::occurred_on.eq(refinement.occurred_on),
            refinements::updated_at.eq(refinement.updated_at),
        ))
        .returning(RefinementRow::as_returning())
        .get_result(connection)?;
    audit::insert(connection, audit)?;
    read(saved)
}

#[async_trait]
impl RefinementRepository for PgTeams {
    async fn find_place(&self, team: TeamId) -> Result<Option<TeamPlace>, TeamError> {
        let found = self.pg.read(move |connection| {
            let live = teams::table
                .inner_join(organizations::table)
                .filter(teams::id.eq(team.uuid()).and(teams::deleted_at.is_null()));
            let row: Option<(Uuid, String)> =
                live.select((organizations::id, organizations::time_zone)).first(connection).optional()?;
            Ok(row.map(|(organization, zone)| TeamPlace::from_stored(OrgId::new(organization), &zone)))
        });
        found.await.map_err(PgError::into_storage)
    }

    async fn insert(&self, refinement: Refinement, audit: AuditEntry) -> Result<Refinement, TeamError> {
        let inserted = self.pg.write(move |connection| {
            hold_team(connection, refinement.team)?;
            check(connection, &refinement)?;
            let row = diesel::insert_into(refinements::table)
                .values((
                    refinements::id.eq(refinement.id.uuid()),
                    refinements::organization_id.eq(refinement.organization.uuid()),
                    refinements::team_id.eq(refinement.team.uuid()),
                    refinements::data.eq(stored(&refinement.data)),
                    refinements::occurred_on.eq(refinement.occurred_on),
                    refinements::created_by.eq(refinement.created_by.uuid()),
                    refinements::created_at.eq(refinement.created_at),
                    refinements::updated_at.eq(refinement.updated_at),
                ))
                .returning(RefinementRow::as_returning())
                .get_result(connection)?;
            audit::insert(connection, audit)?;
            read(row)
        });
        inserted.await.map_err(PgError::into_storage)
    }

    async fn update(
        &self,
        team: TeamId,
        id: RefinementId,
        edit: RefinementEdit,
    ) -> Result<Refinement, TeamError> {
        let updated = self.pg.write(move |connection| update(connection, team, id, edit));
        updated.await.map_err(PgError::into_storage)
    }

    async fn find(
        &self,
        team: TeamId,
        id: RefinementId,
    ) -> Result<Option<(OrgId, Option<Refinement>)>, TeamError> {
        let found = self.pg.read(move |connection| {
            let row: Option<PlacedRow> = statement(REFINEMENT)
                .bind::<SqlUuid, _>(id.uuid())
                .bind::<SqlUuid, _>(team.uuid())
                .rows::<PlacedColumns>()
                .get_result(connection)
                .optional()?;
            let Some(row) = row else { return Ok(None) };
            Ok(Some((OrgId::new(row.place_id), row.refinement.map(read).transpose()?)))
        });
        found.await.map_err(PgError::into_storage)
    }

    async fn list(
        &self,
        team: TeamId,
        page: PageRequest,
    ) -> Result<Option<(OrgId, Page<Refinement>)>, TeamError> {
        let found = self.pg.read(move |connection| {
            let rows: Vec<PlacedPageRow> = statement(REFINEMENTS)
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset)
                .bind::<SqlUuid, _>(team.uuid())
                .rows::<PlacedPageColumns>()
                .load(connection)?;
            let organization = rows.first().map(|row| OrgId::new(row.place_id));
            let page = read_page(rows.into_iter().map(|row| row.page));
            Ok(organization.zip(page.map(|page| page.try_map(read)).transpose()?))
        });
        found.await.map_err(PgError::into_storage)
    }
}
