use chrono::{DateTime, Utc};
use domain_kernel::{Actor, OrgId, Permission, Scope, UserId};
use serde_json::Value;
use uuid::Uuid;

use crate::{UserError, UserService};

/// Which rows of the audit trail are wanted; absent parts let all pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Those of this organization.
    pub organization: Option<OrgId>,
    /// What this person did.
    pub actor: Option<UserId>,
    /// What was done to things of this kind, one of [`AuditSubject::KINDS`](domain_kernel::AuditSubject::KINDS).
    pub subject_kind: Option<&'static str>,
    /// What was done to this thing.
    pub subject: Option<Uuid>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
}

/// Where a row stands in the order of the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditPlace {
    /// When it was written.
    pub at: DateTime<Utc>,
    /// Its id, for those of one instant.
    pub id: Uuid,
}

/// A row of the audit trail, as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Id and time.
    pub place: AuditPlace,
    /// Who did it.
    pub actor: UserId,
    /// In which organization, if in one.
    pub organization: Option<OrgId>,
    /// What was done, such as `membership.create`.
    pub action: String,
    /// To what kind of thing.
    pub subject_kind: String,
    /// To which thing.
    pub subject: Uuid,
    /// The fields before.
    pub before: Option<Value>,
    /// The fields after.
    pub after: Option<Value>,
    /// The request.
    pub request_id: String,
    /// The address it came from.
    pub ip: Option<String>,
}

/// A part of the trail.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditPart {
    /// The rows, newest first.
    pub rows: Vec<AuditRow>,
    /// After which row the next part begins; none at the end.
    pub next: Option<AuditPlace>,
}

impl UserService {
    /// What staff and admins of organizations changed, newest first, for staff.
    ///
    /// By the row to go on after and not by a page's number: the trail only grows, so pages of the newest rows would shift.
    pub async fn list_audit_log(
        &self,
        actor: &Actor,
        filter: AuditFilter,
        after: Option<AuditPlace>,
        limit: i64,
    ) -> Result<AuditPart, UserError> {
        actor.require(Permission::AuditRead, Scope::Platform)?;
        let mut rows = self.ports.audit.list(filter, after, limit + 1).await?;
        let shown = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > shown;
        rows.truncate(shown);
        let next = rows.last().map(|row| row.place).filter(|_| has_more);
        Ok(AuditPart { rows, next })
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{Clock, DomainError, StaffRole};

    use super::*;
    use crate::tests::{Fixture, a_user};

    fn row(n: u128) -> AuditRow {
        AuditRow {
            place: AuditPlace { at: Fixture::default().clock.now(), id: Uuid::from_u128(n) },
            actor: a_user().id,
            organization: None,
            action: "user.update".into(),
            subject_kind: "user".into(),
            subject: a_user().id.uuid(),
            before: None,
            after: None,
            request_id: "r".into(),
            ip: None,
        }
    }

    #[tokio::test]
    async fn a_part_tells_where_the_next_one_begins_unless_it_is_the_last() {
        for (stored, shown, next) in [(0, 0, None), (2, 2, None), (3, 2, Some(row(2).place))] {
            let mut fixture = Fixture::default();
            fixture.audit.expect_list().return_once(move |_, _, limit| {
                assert_eq!(limit, 3, "one more tells whether there are more");
                Ok((1..=stored).map(row).collect())
            });
            let (service, employee) = (fixture.service(), staff(StaffRole::Employee));
            let listed = service.list_audit_log(&employee, AuditFilter::default(), None, 2).await;
            let part = listed.expect("lists");
            assert_eq!((part.rows.len(), part.next), (shown, next));
        }
    }

    #[tokio::test]
    async fn the_trail_is_for_staff() {
        let admin = member_of(OrgId::new(Uuid::from_u128(1)), true);
        let service = Fixture::default().service();
        let refused = service.list_audit_log(&admin, AuditFilter::default(), None, 2).await;
        assert_eq!(refused.expect_err("refused").code(), "staff_only");
    }
}
