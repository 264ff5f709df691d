//! The stream of a team's progress.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Double, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_courses::ports::Feed;
use domain_courses::{FeedPlace, Learner, Percent, ProgressChange};
use domain_kernel::{AssignmentId, CourseId, MembershipId, OrgId, StorageError, TeamId, UserId};
use uuid::Uuid;

use crate::assignments::state;
use crate::sql::{row, statement};

/// So long somebody may have been away without missing anything.
const MEMORY: TimeDelta = TimeDelta::days(1);

/// What a transaction can last, and clocks of servers differ, at the very most.
const MARGIN: TimeDelta = TimeDelta::minutes(1);

/// Changes after a place, or one row of nulls when there is none. `horizon` is the oldest transaction that is under way: what
/// those before it wrote is all there is, so nothing can appear in front of the last of it any more.
///
/// The time leaves out all assignments that nobody reported to since; it decides nothing.
const CHANGES: &str = "SELECT t.organization_id, here.horizon, change.* FROM teams t CROSS JOIN LATERAL \
        (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) here \
     LEFT JOIN LATERAL (SELECT e.written_in, e.number, a.membership_id, a.user_id, m.first_name, m.last_name, a.id, a.course_id, \
            c.name, e.state_after, e.percent_after, e.effective_at, e.received_at \
        FROM team_memberships x JOIN memberships m ON m.id = x.membership_id \
        JOIN assignments a ON a.membership_id = m.id AND a.updated_at >= {} \
        JOIN progress_events e ON e.assignment_id = a.id AND e.received_at >= {} AND e.state_after IS NOT NULL \
            AND (e.written_in, e.number) > ({}, {}) \
        JOIN courses c ON c.id = a.course_id \
        WHERE x.team_id = t.id ORDER BY e.written_in, e.number LIMIT {}) change ON true \
     WHERE t.id = {} AND t.deleted_at IS NULL ORDER BY change.written_in, change.number";

row! {
    pub(crate) struct FeedRow, FeedColumns {
        organization_id: Uuid => SqlUuid,
        horizon: i64 => BigInt,
        change: Option<ChangeRow> => Nullable<ChangeColumns>,
    }
}

row! {
    pub(crate) struct ChangeRow, ChangeColumns {
        written_in: i64 => BigInt,
        number: i64 => BigInt,
        membership_id: Uuid => SqlUuid,
        user_id: Uuid => SqlUuid,
        first_name: String => Text,
        last_name: String => Text,
        assignment_id: Uuid => SqlUuid,
        course_id: Uuid => SqlUuid,
        course_name: String => Text,
        state_after: String => Text,
        percent_after: f64 => Double,
        effective_at: DateTime<Utc> => Timestamptz,
        received_at: DateTime<Utc> => Timestamptz,
    }
}

impl ChangeRow {
    fn read(self, organization: OrgId) -> Result<ProgressChange, StorageError> {
        let (membership, user) = (MembershipId::new(self.membership_id), UserId::new(self.user_id));
        Ok(ProgressChange {
            place: FeedPlace { transaction: self.written_in, event: self.number, at: self.received_at },
            learner: Learner { organization, membership, user },
            first_name: self.first_name,
            last_name: self.last_name,
            assignment: AssignmentId::new(self.assignment_id),
            course: CourseId::new(self.course_id),
            course_name: self.course_name,
            state: state(&self.state_after)?,
            percent: Percent::from_stored(self.percent_after),
            effective_at: self.effective_at,
            received_at: self.received_at,
        })
    }
}

pub(crate) fn changes(
    connection: &mut PgConnection,
    team: TeamId,
    place: Option<FeedPlace>,
    limit: usize,
    now: DateTime<Utc>,
) -> QueryResult<Vec<FeedRow>> {
    let (transaction, event) = place.map_or((i64::MAX, 0), |place| (place.transaction, place.event));
    let since = place.map_or(now, |place| place.at.max(now - MEMORY) - MARGIN);
    statement(CHANGES)
        .bind::<Timestamptz, _>(since)
        .bind::<Timestamptz, _>(since)
        .bind::<BigInt, _>(transaction)
        .bind::<BigInt, _>(event)
        .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind::<SqlUuid, _>(team.uuid())
        .rows::<FeedColumns>()
        .load(connection)
}

/// The feed that these rows are; none when there is no such team.
pub(crate) fn feed(
    rows: Vec<FeedRow>,
    place: Option<FeedPlace>,
    limit: usize,
    now: DateTime<Utc>,
) -> Result<Option<Feed>, StorageError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let (organization, horizon) = (OrgId::new(first.organization_id), first.horizon);
    let found: Vec<ChangeRow> = rows.into_iter().filter_map(|row| row.change).collect();
    let is_settled = |change: &ChangeRow| change.written_in < horizon;
    let has_more = found.len() >= limit || !found.iter().all(is_settled);
    let changes = found.into_iter().take_while(is_settled).map(|change| change.read(organization));
    let changes: Vec<ProgressChange> = changes.collect::<Result<_, _>>()?;
    // A place of another life of the database lies beyond everything: a copy counts its transactions anew.
    let known = place.filter(|place| place.transaction <= horizon);
    let start = known.unwrap_or(FeedPlace { transaction: horizon, event: 0, at: now });
    let place = match changes.last() {
        Some(last) if has_more => last.place,
        Some(last) => FeedPlace { at: now, ..last.place },
        None => FeedPlace { at: if has_more { start.at } else { now }, ..start },
    };
    Ok(Some(Feed { organization, changes, place, has_more }))
}
