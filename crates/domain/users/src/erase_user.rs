use chrono::{DateTime, Utc};
use domain_kernel::{Actor, AuditSubject, Permission, Scope, UserId};
use serde_json::json;
use uuid::Uuid;

use crate::{Account, UserError, UserService};

/// What a tombstone is put in the place of, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replaced {
    /// The account: names, sign-in name, address, password.
    pub accounts: i64,
    /// Places on rosters: names, address, the customer's own number.
    pub memberships: i64,
    /// Invitations that were mailed: where to.
    pub invitations: i64,
    /// Sessions, which end.
    pub sessions: i64,
    /// Reset links that still work, which end.
    pub reset_links: i64,
}

/// What stays without a name, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Courses that were given.
    pub assignments: i64,
    /// What players reported.
    pub progress_events: i64,
    /// Certifications as champion.
    pub champion_certifications: i64,
    /// Notes of practice that the person wrote.
    pub refinements: i64,
    /// Rows of the audit trail about the account and about what the person did.
    pub audit_rows: i64,
}

/// A person as erasing finds them, and leaves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The account as it was found.
    pub account: Account,
    /// When it was erased, if it is.
    pub erased_at: Option<DateTime<Utc>>,
    /// The audit row of that; none if the account was erased because its owner had deleted it.
    pub receipt: Option<Uuid>,
    /// What is to be replaced, or was by this call. Nothing of somebody who was erased before.
    pub replaced: Replaced,
    /// What stays.
    pub kept: Kept,
}

impl UserService {
    /// Erases the personal data of somebody at once, or only tells what that would do. For staff admins, and not for staff.
    ///
    /// The account is deleted first, with all that this means, unless its owner did so. Doing it again changes nothing and gives
    /// the same receipt.
    pub async fn erase_user(
        &self,
        actor: &Actor,
        id: UserId,
        is_dry_run: bool,
    ) -> Result<Erasure, UserError> {
        actor.require(Permission::UserErase, Scope::Platform)?;
        let (actor, now, audit_id) = (actor.clone(), self.now(), self.ports.ids.next());
        let decide = Box::new(move |found: &Erasure| {
            found.account.user.require_not_staff()?;
            if is_dry_run || found.erased_at.is_some() {
                return Ok(None);
            }
            let Erasure { replaced, kept, .. } = found;
            let audit = actor.audit(audit_id, now, "user.erase", None, AuditSubject::User(id)).after(json!({
                "replaced": {
                    "memberships": replaced.memberships, "invitations": replaced.invitations,
                    "sessions": replaced.sessions, "reset_links": replaced.reset_links,
                },
                "kept": {
                    "assignments": kept.assignments, "progress_events": kept.progress_events,
                    "champion_certifications": kept.champion_certifications, "refinements": kept.refinements,
                    "audit_rows": kept.audit_rows,
                },
            }));
            Ok(Some(audit))
        });
        self.ports.users.erase(id, now, decide).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{AuditEntry, Clock, DomainError, ErrorKind, OrgId, StaffRole};

    use super::*;
    use crate::tests::{Fixture, a_user, an_account};

    fn found() -> Erasure {
        Erasure {
            account: an_account(),
            erased_at: None,
            receipt: None,
            replaced: Replaced { accounts: 1, memberships: 2, ..Replaced::default() },
            kept: Kept { assignments: 3, ..Kept::default() },
        }
    }

    /// The audit row that decides whether anything is written.
    async fn decided(
        actor: &Actor,
        found: Erasure,
        is_dry_run: bool,
    ) -> Result<Option<AuditEntry>, ErrorKind> {
        let mut fixture = Fixture::default();
        let seen = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&seen);
        fixture.users.expect_erase().return_once(move |_, _, decide| {
            *noted.lock().expect("lock") = decide(&found)?;
            Ok(found)
        });
        let erased = fixture.service().erase_user(actor, a_user().id, is_dry_run).await;
        erased.map_err(|error| error.kind())?;
        Ok(seen.lock().expect("lock").take())
    }

    #[tokio::test]
    async fn erasing_leaves_a_row_that_counts_and_a_dry_run_none() {
        let admin = staff(StaffRole::Admin);
        assert_eq!(decided(&admin, found(), true).await, Ok(None));
        let audit = decided(&admin, found(), false).await.expect("decides").expect("a row");
        assert_eq!((audit.action, audit.subject), ("user.erase", AuditSubject::User(a_user().id)));
        let after = audit.after.expect("counts");
        assert_eq!(
            (&after["replaced"]["memberships"], &after["kept"]["assignments"]),
            (&json!(2), &json!(3))
        );
    }

    #[tokio::test]
    async fn who_is_erased_is_not_erased_again() {
        let erased = Erasure { erased_at: Some(Fixture::default().clock.now()), ..found() };
        assert_eq!(decided(&staff(StaffRole::Admin), erased, false).await, Ok(None));
    }

    #[tokio::test]
    async fn staff_is_not_erased_and_only_staff_admins_erase() {
        let mut colleague = found();
        colleague.account.user.staff_role = Some(StaffRole::Employee);
        for is_dry_run in [true, false] {
            let refused = decided(&staff(StaffRole::Admin), colleague.clone(), is_dry_run).await;
            assert_eq!(refused, Err(ErrorKind::Forbidden));
            for actor in [staff(StaffRole::Employee), member_of(OrgId::new(Uuid::from_u128(1)), true)] {
                let refused = Fixture::default().service().erase_user(&actor, a_user().id, is_dry_run).await;
                assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
            }
        }
    }
}
