//! Rounds at the start of a period.

use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_courses::ports::{Judge, Offer, Visited};
use domain_courses::{Round, RoundMark};
use domain_kernel::{OrgId, StorageError};
use uuid::Uuid;

use crate::assignments::{Outcome, add_offers, calendar, load_standings};
use crate::sql::{row, statement, try_alone};

const ALL: &str = "SELECT o.id, o.cadence, o.time_zone, r.period_start, r.slot \
     FROM organizations o LEFT JOIN assignment_rounds r ON r.organization_id = o.id ORDER BY o.id";

row! {
    pub(crate) struct RoundRow, RoundColumns {
        organization_id: Uuid => SqlUuid,
        cadence: String => Text,
        time_zone: String => Text,
        period_start: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        slot: Option<i32> => Nullable<Integer>,
    }
}

impl RoundRow {
    pub(crate) fn read(self) -> Result<Round, StorageError> {
        let begun = self.period_start.zip(self.slot).map(|(period_start, slot)| RoundMark {
            period_start,
            slots: u16::try_from(slot).unwrap_or(Round::SLOTS),
        });
        Ok(Round {
            organization: OrgId::new(self.organization_id),
            calendar: calendar(&self.cadence, &self.time_zone)?,
            begun,
        })
    }
}

pub(crate) fn list(connection: &mut PgConnection) -> QueryResult<Vec<RoundRow>> {
    statement(ALL).rows::<RoundColumns>().load(connection)
}

/// Members from the first slot to the last, within one by id: everybody up to here was visited.
type Place = (i32, Uuid);

const PLACE: &str =
    "SELECT slot, after_id FROM assignment_rounds WHERE organization_id = {} AND period_start = {}";

/// Those with an open assignment are left out.
const NEXT_MEMBERS: &str = "SELECT get_byte(uuid_send(m.id), 15), m.id FROM memberships m \
     WHERE m.organization_id = {} AND m.status = 'active' AND m.user_id IS NOT NULL \
        AND (get_byte(uuid_send(m.id), 15), m.id) > ({}::integer, {}::uuid) AND get_byte(uuid_send(m.id), 15) < {}::integer \
        AND NOT EXISTS (SELECT FROM assignments a WHERE a.membership_id = m.id AND a.state IN ('assigned', 'in_progress')) \
     ORDER BY get_byte(uuid_send(m.id), 15), m.id LIMIT {}";

const NOTE_PLACE: &str = "INSERT INTO assignment_rounds (organization_id, period_start, slot, after_id) \
     VALUES ({}, {}, {}, {}) ON CONFLICT (organization_id) \
        DO UPDATE SET period_start = excluded.period_start, slot = excluded.slot, after_id = excluded.after_id";

pub(crate) fn advance(
    connection: &mut PgConnection,
    organization: OrgId,
    due: RoundMark,
    now: DateTime<Utc>,
    limit: usize,
    mut decide: Judge,
) -> Outcome<Option<Visited>> {
    let lock = statement("SELECT pg_try_advisory_xact_lock(hashtext('assignment rounds'))");
    if !try_alone(connection, lock)? {
        return Ok(None);
    }
    let known: Option<Place> = statement(PLACE)
        .bind::<SqlUuid, _>(organization.uuid())
        .bind::<Timestamptz, _>(due.period_start)
        .rows::<(Integer, SqlUuid)>()
        .get_result(connection)
        .optional()?;
    let (slot, after) = known.unwrap_or((0, Uuid::nil()));
    let next: Vec<Place> = statement(NEXT_MEMBERS)
        .bind::<SqlUuid, _>(organization.uuid())
        .bind::<Integer, _>(slot)
        .bind::<SqlUuid, _>(after)
        .bind::<Integer, _>(i32::from(due.slots))
        .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX))
        .rows::<(Integer, SqlUuid)>()
        .load(connection)?;
    let place = next.last().copied().filter(|_| next.len() >= limit);
    let members: Vec<Uuid> = next.into_iter().map(|(_, id)| id).collect();
    let standings = load_standings(connection, members, now)?;
    let offers: Vec<Offer> = standings.into_iter().filter_map(&mut decide).collect();
    let given = if offers.is_empty() { 0 } else { add_offers(connection, &offers)? };
    let (slot, after) = place.unwrap_or((i32::from(due.slots), Uuid::nil()));
    statement(NOTE_PLACE)
        .bind::<SqlUuid, _>(organization.uuid())
        .bind::<Timestamptz, _>(due.period_start)
        .bind::<Integer, _>(slot)
        .bind::<SqlUuid, _>(after)
        .execute(connection)?;
    Ok(Some(Visited { given, is_done: place.is_none() }))
}
