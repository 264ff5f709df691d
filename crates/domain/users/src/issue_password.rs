use domain_kernel::{Actor, AuditSubject, Permission, Refusal, Scope, UserId};
use serde_json::json;

use crate::ports::{PasswordGround, UserChange};
use crate::{Account, Password, UserError, UserService};

impl UserService {
    /// Makes a new password for somebody who cannot have a mail with a link, to be read out to them. For staff admins, and not
    /// for staff.
    ///
    /// All sessions and reset links of the person end. Whoever signs in with it can do nothing before they chose another one,
    /// because two people know it.
    pub async fn issue_password(&self, actor: &Actor, id: UserId) -> Result<Password, UserError> {
        actor.require(Permission::PasswordIssue, Scope::Platform)?;
        // Asked before the slow hash, and again while the account is locked.
        let user = self.ports.users.find(id).await?.ok_or(Refusal::NotFound)?;
        user.require_not_staff()?;
        let password = Password::pronounceable(&self.ports.secrets.secret());
        let update = self.new_password(id, password.clone(), PasswordGround::Issued).await?;
        let audit = actor
            .audit(self.ports.ids.next(), update.at, "user.password", None, AuditSubject::User(id))
            .after(json!({ "must_change_password": true }));
        let edit = Box::new(move |account: &mut Account| {
            account.user.require_not_staff()?;
            Ok(UserChange::ByOther(Box::new(audit)))
        });
        let updated = self.ports.users.update(id, edit, Some(update)).await?;
        updated.ok_or(Refusal::NotFound)?;
        Ok(password)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, OrgId, StaffRole};
    use uuid::Uuid;

    use super::*;
    use crate::User;
    use crate::tests::{Fixture, a_user, an_account};

    #[tokio::test]
    async fn the_password_is_hashed_and_the_row_does_not_tell_it() {
        let mut fixture = Fixture::default();
        fixture.users.expect_find().return_once(|_| Ok(Some(a_user())));
        fixture.users.expect_update().return_once(|_, edit, password| {
            let update = password.expect("a password");
            assert_eq!((update.user, update.ground), (a_user().id, PasswordGround::Issued));
            let mut account = an_account();
            let UserChange::ByOther(audit) = edit(&mut account)? else { panic!("no row") };
            assert_eq!((audit.action, audit.before), ("user.password", None));
            assert_eq!(audit.after, Some(json!({ "must_change_password": true })));
            Ok(Some((account, true)))
        });
        let service = fixture.hashing().service();
        let password = service.issue_password(&staff(StaffRole::Admin), a_user().id).await.expect("issues");
        assert_eq!(password.reveal().len(), 20);
    }

    #[tokio::test]
    async fn nobody_gets_into_an_account_of_staff_and_nothing_is_hashed_for_nobody() {
        let colleague = User { staff_role: Some(StaffRole::Employee), ..a_user() };
        for (found, kind) in [(Some(colleague), ErrorKind::Forbidden), (None, ErrorKind::NotFound)] {
            let mut fixture = Fixture::default();
            fixture.users.expect_find().return_once(move |_| Ok(found));
            let refused = fixture.service().issue_password(&staff(StaffRole::Admin), a_user().id).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
        let org_admin = member_of(OrgId::new(Uuid::from_u128(1)), true);
        for actor in [staff(StaffRole::Employee), org_admin] {
            let refused = Fixture::default().service().issue_password(&actor, a_user().id).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
        }
    }

    #[tokio::test]
    async fn who_becomes_staff_meanwhile_keeps_their_password() {
        let mut fixture = Fixture::default();
        fixture.users.expect_find().return_once(|_| Ok(Some(a_user())));
        fixture.users.expect_update().return_once(|_, edit, _| {
            let mut account = an_account();
            account.user.staff_role = Some(StaffRole::Employee);
            edit(&mut account).map(|_| None)
        });
        let service = fixture.hashing().service();
        let refused = service.issue_password(&staff(StaffRole::Admin), a_user().id).await;
        assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
    }
}
