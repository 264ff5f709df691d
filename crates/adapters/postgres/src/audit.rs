use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{AuditEntry, AuditSubject, OrgId, UserId};
use domain_users::ports::AuditTrail;
use domain_users::{AuditFilter, AuditPlace, AuditRow, UserError};
use serde_json::Value;
use uuid::Uuid;

use crate::error::PgError;
use crate::schema::audit_log;
use crate::sql::{Statement, row, statement};
use crate::users::PgUsers;

/// Writes an audit row; called inside the transaction of the write that it tells of.
pub(crate) fn insert(connection: &mut PgConnection, entry: AuditEntry) -> QueryResult<()> {
    let (subject_kind, subject_id) = entry.subject.parts();
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::id.eq(entry.id),
            audit_log::at.eq(entry.at),
            audit_log::actor_id.eq(entry.actor.uuid()),
            audit_log::organization_id.eq(entry.organization.map(OrgId::uuid)),
            audit_log::action.eq(entry.action),
            audit_log::subject_kind.eq(subject_kind),
            audit_log::subject_id.eq(subject_id),
            audit_log::before.eq(entry.before),
            audit_log::after.eq(entry.after),
            audit_log::request_id.eq(entry.origin.request_id),
            audit_log::ip.eq(entry.origin.ip.map(|ip| ip.to_string())),
        ))
        .execute(connection)
        .map(drop)
}

row! {
    struct StoredRow, StoredColumns {
        id: Uuid => SqlUuid,
        at: DateTime<Utc> => Timestamptz,
        actor_id: Uuid => SqlUuid,
        organization_id: Option<Uuid> => Nullable<SqlUuid>,
        action: String => Text,
        subject_kind: String => Text,
        subject_id: Uuid => SqlUuid,
        before: Option<Value> => Nullable<Jsonb>,
        after: Option<Value> => Nullable<Jsonb>,
        request_id: String => Text,
        ip: Option<String> => Nullable<Text>,
    }
}

impl From<StoredRow> for AuditRow {
    fn from(row: StoredRow) -> Self {
        Self {
            place: AuditPlace { at: row.at, id: row.id },
            actor: UserId::new(row.actor_id),
            organization: row.organization_id.map(OrgId::new),
            action: row.action,
            subject_kind: row.subject_kind,
            subject: row.subject_id,
            before: row.before,
            after: row.after,
            request_id: row.request_id,
            ip: row.ip,
        }
    }
}

/// Only the conditions that are asked for: so each filter is planned by itself, with the index that knows it.
fn list(filter: &AuditFilter, after: Option<AuditPlace>, limit: i64) -> Statement {
    let mut list = statement(
        "SELECT id, at, actor_id, organization_id, action, subject_kind, subject_id, before, after, request_id, ip \
         FROM audit_log WHERE true",
    );
    if let Some(organization) = filter.organization {
        list = list.then(" AND organization_id = {}").bind::<SqlUuid, _>(organization.uuid());
    }
    if let Some(actor) = filter.actor {
        list = list.then(" AND actor_id = {}").bind::<SqlUuid, _>(actor.uuid());
    }
    match (filter.subject, filter.subject_kind) {
        (Some(subject), kind) => {
            // An id is one of any kind, and the index begins with the kind.
            let kinds = kind.map_or_else(|| AuditSubject::KINDS.to_vec(), |kind| vec![kind]);
            list = list.then(" AND subject_kind = ANY({}) AND subject_id = {}");
            list = list.bind::<Array<Text>, _>(kinds).bind::<SqlUuid, _>(subject);
        }
        // One of few words of our own, in the text so that it is planned by how many rows are of that kind.
        (None, Some(kind)) => list = list.then(&format!(" AND subject_kind = '{kind}'")),
        (None, None) => {}
    }
    if let Some(from) = filter.from {
        list = list.then(" AND at >= {}").bind::<Timestamptz, _>(from);
    }
    if let Some(to) = filter.to {
        list = list.then(" AND at < {}").bind::<Timestamptz, _>(to);
    }
    if let Some(place) = after {
        list = list
            .then(" AND (at, id) < ({}, {})")
            .bind::<Timestamptz, _>(place.at)
            .bind::<SqlUuid, _>(place.id);
    }
    list.then(" ORDER BY at DESC, id DESC LIMIT {}").bind::<BigInt, _>(limit)
}

#[async_trait]
impl AuditTrail for PgUsers {
    async fn list(
        &self,
        filter: AuditFilter,
        after: Option<AuditPlace>,
        limit: i64,
    ) -> Result<Vec<AuditRow>, UserError> {
        let found = self.pg.read(move |connection| {
            Ok(list(&filter, after, limit).rows::<StoredColumns>().load::<StoredRow>(connection)?)
        });
        let rows = found.await.map_err(PgError::<UserError>::into_storage)?;
        Ok(rows.into_iter().map(AuditRow::from).collect())
    }
}
