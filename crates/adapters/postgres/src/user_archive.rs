use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text, Timestamptz, Uuid as SqlUuid};
use domain_kernel::UserId;
use domain_users::ports::UserArchive;
use domain_users::{ExportPlace, ExportRecord, ExportSection, UserError};
use uuid::Uuid;

use crate::error::{PgError, unreadable};
use crate::sql::{row, statement};
use crate::users::PgUsers;

/// A time as the API spells it.
macro_rules! time {
    ($column:literal) => {
        concat!("to_char(", $column, ", 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    };
}

/// The records of one section that come after the place, few enough: of rows `r` that have an id.
macro_rules! section {
    ($number:literal, $fields:expr, $rows:literal) => {
        concat!(
            "(SELECT ",
            $number,
            " AS section, r.id, asked.start AS at, 0::bigint AS number, json_build_object('id', r.id, ",
            $fields,
            ")::text AS json FROM asked JOIN ",
            $rows,
            " WHERE asked.section < ",
            $number,
            " OR (asked.section = ",
            $number,
            " AND r.id > asked.id) ORDER BY r.id LIMIT (SELECT most FROM asked)) UNION ALL "
        )
    };
}

/// Numbers are those of [`ExportSection`]'s order. What opens anything (hashes, tokens, codes) is not named. Within an assignment
/// the index gives the events after the place; those before it are never looked at.
const RECORDS: &str = concat!(
    "WITH asked AS MATERIALIZED (SELECT {}::uuid AS person, {}::integer AS section, {}::uuid AS id, {}::timestamptz AS at, \
        {}::bigint AS number, {}::bigint AS most, 'epoch'::timestamptz AS start) \
     SELECT section, id, at, number, json FROM (",
    section!(
        0,
        concat!(
            "'username', r.username, 'provider', r.provider, 'email', r.email, 'first_name', r.first_name, \
             'last_name', r.last_name, 'language', r.language, 'worklete_role', r.staff_role, \
             'must_change_password', r.must_change_password, 'created_at', ",
            time!("r.created_at"),
            ", 'updated_at', ",
            time!("r.updated_at"),
            ", 'last_sign_in_at', ",
            time!("r.last_sign_in_at"),
            ", 'locked_at', ",
            time!("r.locked_at"),
            ", 'deleted_at', ",
            time!("r.deleted_at"),
            ", 'erased_at', ",
            time!("r.erased_at")
        ),
        "users r ON r.id = asked.person"
    ),
    section!(
        1,
        concat!(
            "'organization_id', r.organization_id, 'organization_name', \
                (SELECT o.name FROM organizations o WHERE o.id = r.organization_id), \
             'first_name', r.first_name, 'last_name', r.last_name, 'email', r.email, 'external_id', r.external_id, \
             'job_title', r.job_title, 'org_admin', r.org_admin, 'status', r.status, 'hired_on', r.hired_on, \
             'reporting_starts_on', r.reporting_starts_on, 'teams', \
                (SELECT coalesce(json_agg(json_build_object('team_id', s.team_id, 'joined_at', ",
            time!("s.joined_at"),
            ", 'left_at', ",
            time!("s.left_at"),
            ") ORDER BY s.joined_at, s.team_id), '[]') FROM team_stints s WHERE s.membership_id = r.id), \
             'administered_team_ids', (SELECT coalesce(json_agg(t.team_id ORDER BY t.created_at, t.team_id), '[]') \
                FROM team_admins t WHERE t.membership_id = r.id), 'created_at', ",
            time!("r.created_at"),
            ", 'updated_at', ",
            time!("r.updated_at"),
            ", 'deactivated_at', ",
            time!("r.deactivated_at")
        ),
        "memberships r ON r.user_id = asked.person"
    ),
    section!(
        2,
        concat!(
            "'membership_id', r.membership_id, 'organization_id', r.organization_id, 'status', r.status, \
             'sent_to', r.sent_to, 'sent_at', ",
            time!("r.sent_at"),
            ", 'accepted_at', ",
            time!("r.accepted_at"),
            ", 'expires_at', ",
            time!("r.expires_at"),
            ", 'created_at', ",
            time!("r.created_at")
        ),
        "(SELECT i.id AS found_id FROM asked JOIN invitations i ON i.accepted_by = asked.person \
            UNION SELECT i.id FROM asked JOIN memberships m ON m.user_id = asked.person \
            JOIN invitations i ON i.membership_id = m.id) own ON true JOIN invitations r ON r.id = own.found_id"
    ),
    section!(
        3,
        concat!(
            "'user_agent', r.user_agent, 'ip', r.ip, 'created_at', ",
            time!("r.created_at"),
            ", 'last_used_at', ",
            time!("r.last_used_at"),
            ", 'expires_at', ",
            time!("r.expires_at")
        ),
        "sessions r ON r.user_id = asked.person"
    ),
    section!(
        4,
        concat!(
            "'date', r.date, 'expires_on', r.expires_on, 'created_by_id', r.created_by, 'created_at', ",
            time!("r.created_at"),
            ", 'revoked_at', ",
            time!("r.revoked_at")
        ),
        "champion_certifications r ON r.user_id = asked.person"
    ),
    section!(
        5,
        concat!(
            "'team_id', r.team_id, 'occurred_on', r.occurred_on, 'data', r.data, 'created_at', ",
            time!("r.created_at"),
            ", 'updated_at', ",
            time!("r.updated_at")
        ),
        "refinements r ON r.created_by = asked.person"
    ),
    section!(
        6,
        concat!(
            "'membership_id', r.membership_id, 'course_id', r.course_id, 'course_version_id', r.course_version_id, \
             'state', r.state, 'source', r.source, 'percent', r.percent, 'progress', r.progress, 'assigned_at', ",
            time!("r.assigned_at"),
            ", 'due_at', ",
            time!("r.due_at"),
            ", 'started_at', ",
            time!("r.started_at"),
            ", 'completed_at', ",
            time!("r.completed_at"),
            ", 'withdrawn_at', ",
            time!("r.withdrawn_at")
        ),
        "assignments r ON r.user_id = asked.person"
    ),
    "(SELECT 7, e.assignment_id, e.effective_at, e.number, json_build_object('assignment_id', e.assignment_id, \
        'event_type', e.event_type, 'player_session_id', e.player_session_id, \
        'client_supplied_occured_at_in_ms', e.client_ms, 'percent', e.percent, 'progress', e.progress, \
        'stale', e.stale, 'effective_at', ",
    time!("e.effective_at"),
    ", 'received_at', ",
    time!("e.received_at"),
    ")::text FROM asked CROSS JOIN LATERAL (SELECT a.id, \
            CASE WHEN asked.section = 7 AND a.id = asked.id THEN asked.at ELSE '-infinity' END AS at, \
            CASE WHEN asked.section = 7 AND a.id = asked.id THEN asked.number ELSE 0 END AS number \
            FROM assignments a WHERE a.user_id = asked.person AND (asked.section < 7 OR a.id >= asked.id) ORDER BY a.id) a \
        CROSS JOIN LATERAL (SELECT * FROM progress_events e \
            WHERE e.assignment_id = a.id AND (e.effective_at, e.number) > (a.at, a.number) \
            ORDER BY e.effective_at, e.number LIMIT (SELECT most FROM asked)) e \
        ORDER BY e.assignment_id, e.effective_at, e.number LIMIT (SELECT most FROM asked))) found \
     ORDER BY section, id, at, number LIMIT {}"
);

row! {
    struct RecordRow, RecordColumns {
        section: i32 => Integer,
        id: Uuid => SqlUuid,
        at: DateTime<Utc> => Timestamptz,
        number: i64 => BigInt,
        json: String => Text,
    }
}

impl TryFrom<RecordRow> for ExportRecord {
    type Error = UserError;

    fn try_from(row: RecordRow) -> Result<Self, UserError> {
        let section = usize::try_from(row.section).ok().and_then(|number| ExportSection::ALL.get(number));
        let section = *section.ok_or_else(|| unreadable("users", "section"))?;
        let RecordRow { id, at, number, json, .. } = row;
        Ok(Self { place: ExportPlace { section, id, at, number }, json })
    }
}

#[async_trait]
impl UserArchive for PgUsers {
    async fn list(
        &self,
        user: UserId,
        after: Option<ExportPlace>,
        limit: i64,
    ) -> Result<Vec<ExportRecord>, UserError> {
        let (section, id, at, number) = match after {
            Some(place) => (place.section as i32, place.id, place.at, place.number),
            None => (-1, Uuid::nil(), DateTime::UNIX_EPOCH, 0),
        };
        let found = self.pg.read(move |connection| {
            let records = statement(RECORDS)
                .bind::<SqlUuid, _>(user.uuid())
                .bind::<Integer, _>(section)
                .bind::<SqlUuid, _>(id)
                .bind::<Timestamptz, _>(at)
                .bind::<BigInt, _>(number)
                .bind::<BigInt, _>(limit)
                .bind::<BigInt, _>(limit);
            Ok(records.rows::<RecordColumns>().load::<RecordRow>(connection)?)
        });
        let rows = found.await.map_err(PgError::<UserError>::into_storage)?;
        rows.into_iter().map(ExportRecord::try_from).collect()
    }
}
