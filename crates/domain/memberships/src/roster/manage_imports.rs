use domain_kernel::{Actor, AuditSubject, ImportId, JobId, OrgId, Permission, Scope};
use serde_json::json;

use super::{Import, ImportState, RosterService};
use crate::MembershipError;

/// What somebody wants of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportChange {
    /// Apply it whatever it does.
    Confirm,
    /// Do no more of it.
    Cancel,
}

impl RosterService {
    /// Has an import that is held applied.
    pub async fn confirm_import(
        &self,
        actor: &Actor,
        organization: OrgId,
        id: ImportId,
    ) -> Result<Import, MembershipError> {
        self.change(actor, organization, id, ImportChange::Confirm).await
    }

    /// Ends an import. What it has applied stays.
    pub async fn cancel_import(
        &self,
        actor: &Actor,
        organization: OrgId,
        id: ImportId,
    ) -> Result<Import, MembershipError> {
        self.change(actor, organization, id, ImportChange::Cancel).await
    }

    async fn change(
        &self,
        actor: &Actor,
        organization: OrgId,
        id: ImportId,
        change: ImportChange,
    ) -> Result<Import, MembershipError> {
        actor.require(Permission::RosterImport, Scope::Organization(organization))?;
        let (now, audit, actor) = (self.clock.now(), self.ids.next(), actor.clone());
        let edit = Box::new(move |import: &mut Import| {
            let before = import.state;
            let action = match (change, before) {
                (ImportChange::Confirm, ImportState::Held) => {
                    import.state = ImportState::Queued;
                    import.is_confirmed = true;
                    import.trouble = None;
                    "import.confirm"
                }
                (ImportChange::Cancel, ImportState::Cancelled) => return Ok(None),
                (ImportChange::Cancel, state) if !state.has_ended() => {
                    import.state = ImportState::Cancelled;
                    import.finished_at = Some(now);
                    "import.cancel"
                }
                (ImportChange::Confirm, _) => return Err(MembershipError::ImportNotHeld(before)),
                (ImportChange::Cancel, _) => return Err(MembershipError::ImportEnded(before)),
            };
            let subject = AuditSubject::Import(id);
            let row = actor.audit(audit, now, action, Some(organization), subject);
            let row = row.before(json!({ "state": before.as_str() }));
            Ok(Some(row.after(json!({ "state": import.state.as_str() }))))
        });
        self.imports.update(organization, id, JobId::new(self.ids.next()), edit).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::roster::tests::{Fixture, an_import};
    use crate::tests::ORG;

    async fn change(from: ImportState, change: ImportChange) -> Result<(Import, bool), MembershipError> {
        let mut fixture = Fixture::default();
        fixture.imports.expect_update().return_once(move |_, _, _, edit| {
            let mut import = Import { state: from, ..an_import() };
            let audit = edit(&mut import)?;
            // Borrowed to tell whether a row was written.
            import.dry_run = audit.is_some();
            Ok(import)
        });
        let (service, admin, id) = (fixture.service(), staff(StaffRole::Admin), an_import().id);
        let changed = match change {
            ImportChange::Confirm => service.confirm_import(&admin, ORG, id).await,
            ImportChange::Cancel => service.cancel_import(&admin, ORG, id).await,
        };
        changed.map(|import| (import.clone(), import.dry_run))
    }

    #[tokio::test]
    async fn what_is_held_can_be_confirmed_and_nothing_else() {
        let (import, written) = change(ImportState::Held, ImportChange::Confirm).await.expect("confirms");
        assert_eq!((import.state, import.is_confirmed, written), (ImportState::Queued, true, true));
        for state in ImportState::ALL.into_iter().filter(|state| *state != ImportState::Held) {
            let refused = change(state, ImportChange::Confirm).await.expect_err("refused");
            assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "import_not_held"));
        }
    }

    #[tokio::test]
    async fn what_has_not_ended_can_be_cancelled_and_twice_is_once() {
        for state in ImportState::ALL {
            match (state, change(state, ImportChange::Cancel).await) {
                (ImportState::Done | ImportState::Failed, Err(refused)) => {
                    assert_eq!(refused.code(), "import_ended");
                }
                (ImportState::Cancelled, Ok((_, written))) => assert!(!written),
                (_, Ok((import, written))) => {
                    assert!(written && import.finished_at.is_some());
                    assert_eq!(import.state, ImportState::Cancelled);
                }
                (state, Err(refused)) => panic!("{state:?}: {refused:?}"),
            }
        }
    }

    #[tokio::test]
    async fn only_staff_admins_may() {
        for actor in [member_of(ORG, true), staff(StaffRole::Employee)] {
            let refused = Fixture::default().service().cancel_import(&actor, ORG, an_import().id).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
        }
    }
}
