use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use domain_kernel::AuditEntry;

use crate::schema::audit_log;

/// Writes an audit row; called inside the transaction of the write that it tells of.
pub(crate) fn insert(connection: &mut PgConnection, entry: AuditEntry) -> QueryResult<()> {
    let (subject_kind, subject_id) = entry.subject.parts();
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::id.eq(entry.id),
            audit_log::at.eq(entry.at),
            audit_log::actor_id.eq(entry.actor.uuid()),
            audit_log::organization_id.eq(entry.organization.map(domain_kernel::OrgId::uuid)),
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
