use domain_kernel::{Actor, AuditSubject, Budget, EmailAddress, Refusal, UserId};
use serde_json::json;

use crate::ports::UserChange;
use crate::{Account, ProfileChange, User, UserError, UserService};

impl UserService {
    /// Changes or clears the address of a user. Gives the account, and whether the address was another one before.
    ///
    /// With an address as sign-in name both change. For the person, the admin of their only organization and staff admins.
    pub async fn change_email(
        &self,
        actor: &Actor,
        id: UserId,
        email: Option<EmailAddress>,
    ) -> Result<(Account, bool), UserError> {
        let now = self.now();
        self.change_login(actor, id, "user.email", move |account| {
            if account.user.email == email {
                return Ok(());
            }
            Ok(account.user.change_email(email, now)?)
        })
        .await
    }

    /// Changes the sign-in name of a user, which is the `uid` of their sessions, too. Gives the account, and whether the name
    /// was another one before.
    pub async fn change_username(
        &self,
        actor: &Actor,
        id: UserId,
        username: String,
    ) -> Result<(Account, bool), UserError> {
        let now = self.now();
        self.change_login(actor, id, "user.username", move |account| {
            if account.user.uid() == username.trim() {
                return Ok(());
            }
            let change = ProfileChange { username: Some(username), ..ProfileChange::default() };
            Ok(account.user.change_profile(change, now)?)
        })
        .await
    }

    async fn change_login(
        &self,
        actor: &Actor,
        id: UserId,
        action: &'static str,
        change: impl FnOnce(&mut Account) -> Result<(), UserError> + Send + 'static,
    ) -> Result<(Account, bool), UserError> {
        let (actor, now, audit_id) = (actor.clone(), self.now(), self.ports.ids.next());
        let origin = actor.origin.clone();
        let edit = Box::new(move |account: &mut Account| {
            account.require_rename(&actor)?;
            let before = account.user.clone();
            change(account)?;
            let login = |user: &User| (user.username.clone(), user.provider, user.email.clone());
            if login(&account.user) == login(&before) {
                return Ok(UserChange::None);
            }
            if account.user.id == actor.user {
                return Ok(UserChange::Own);
            }
            // The trail outlives the person's data, so it says what changed and not to what.
            let mut changed = Vec::new();
            if account.user.username != before.username {
                changed.push("username");
            }
            if account.user.email != before.email {
                changed.push("email");
            }
            // Of an organization only if it is the only one: else staff did it, for the platform.
            let organization = match account.memberships.as_slice() {
                [only] => Some(only.organization),
                _ => None,
            };
            let audit = actor.audit(audit_id, now, action, organization, AuditSubject::User(id));
            Ok(UserChange::ByOther(Box::new(audit.after(json!({ "changed": changed })))))
        });
        // That a name is taken tells who has an account, so it is limited like looking names up.
        let address = origin.throttle_key();
        self.ports.throttle.check(Budget::UsernameLookupsOfAddress, &address)?;
        let updated = self.ports.users.update(id, edit, None).await;
        if let Err(UserError::Taken(_)) = updated {
            self.ports.throttle.record(Budget::UsernameLookupsOfAddress, &address)?;
        }
        Ok(updated?.ok_or(Refusal::NotFound)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use domain_kernel::testing::{member_of, nobody, staff};
    use domain_kernel::{DomainError, ErrorKind, MembershipId, OrgId, StaffRole};
    use uuid::Uuid;

    use super::*;
    use crate::tests::{Fixture, a_user, an_account};
    use crate::{MembershipBrief, MembershipStatus, Provider, Username};

    const ORG: OrgId = OrgId::new(Uuid::from_u128(1));
    const OTHER: OrgId = OrgId::new(Uuid::from_u128(2));

    fn in_organizations(organizations: &[(OrgId, MembershipStatus)]) -> Account {
        let briefs = organizations.iter().map(|(organization, status)| MembershipBrief {
            id: MembershipId::new(Uuid::from_u128(3)),
            organization: *organization,
            organization_name: "Harbor".into(),
            org_admin: false,
            status: *status,
            job_title: None,
            teams: vec![],
            administered_teams: vec![],
        });
        Account { memberships: briefs.collect(), ..an_account() }
    }

    fn in_one() -> Account {
        in_organizations(&[(ORG, MembershipStatus::Active)])
    }

    fn person() -> Actor {
        Actor { user: a_user().id, ..nobody() }
    }

    async fn set_email(
        actor: &Actor,
        stored: Account,
        email: Option<&str>,
    ) -> Result<(Account, bool, UserChange), UserError> {
        let mut fixture = Fixture::default();
        let change = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&change);
        fixture.users.expect_update().return_once(move |_, edit, _| {
            let mut account = stored;
            let change = edit(&mut account)?;
            let is_changed = change != UserChange::None;
            *seen.lock().expect("lock") = Some(change);
            Ok(Some((account, is_changed)))
        });
        let email = email.map(|raw| EmailAddress::parse(raw).expect("an address"));
        let (account, is_changed) = fixture.service().change_email(actor, a_user().id, email).await?;
        let change = change.lock().expect("lock").take().expect("the edit ran");
        Ok((account, is_changed, change))
    }

    #[tokio::test]
    async fn a_change_is_told_from_what_was_so_already() {
        let (account, is_changed, change) =
            set_email(&person(), in_one(), Some("ann@example.org")).await.expect("changes");
        assert_eq!((is_changed, change), (true, UserChange::Own));
        assert!(account.user.email.is_some());
        let (_, is_changed, change) = set_email(&person(), in_one(), None).await.expect("answers");
        assert_eq!((is_changed, change), (false, UserChange::None));
    }

    #[tokio::test]
    async fn an_admin_leaves_a_row_without_the_address() {
        let (_, _, change) =
            set_email(&member_of(ORG, true), in_one(), Some("ann@example.org")).await.expect("changes");
        let UserChange::ByOther(audit) = change else { panic!("no row: {change:?}") };
        assert_eq!((audit.action, audit.organization), ("user.email", Some(ORG)));
        assert_eq!(audit.after, Some(json!({ "changed": ["email"] })));
    }

    #[tokio::test]
    async fn an_address_that_is_the_sign_in_name_changes_both_and_cannot_be_cleared() {
        let mut stored = in_one();
        stored.user.username = Username::parse("old@example.org", Provider::Email).expect("an address");
        stored.user.provider = Provider::Email;
        stored.user.email = EmailAddress::parse("old@example.org").ok();
        let (account, _, _) =
            set_email(&person(), stored.clone(), Some("new@example.org")).await.expect("changes");
        assert_eq!(account.user.uid(), "new@example.org");
        let refused = set_email(&person(), stored, None).await.expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Invalid);
    }

    #[tokio::test]
    async fn only_the_admin_of_the_only_organization_may_and_never_for_staff() {
        use MembershipStatus::{Active, Deactivated};
        let mut employee = in_one();
        employee.user.staff_role = Some(StaffRole::Employee);
        for (actor, stored, expected) in [
            (staff(StaffRole::Admin), in_organizations(&[]), Ok(())),
            (staff(StaffRole::Employee), in_one(), Err(ErrorKind::Forbidden)),
            (staff(StaffRole::Employee), in_organizations(&[]), Err(ErrorKind::Forbidden)),
            (member_of(ORG, true), in_one(), Ok(())),
            (member_of(ORG, false), in_one(), Err(ErrorKind::Forbidden)),
            (member_of(OTHER, true), in_one(), Err(ErrorKind::NotFound)),
            (member_of(ORG, true), employee, Err(ErrorKind::Forbidden)),
            (
                member_of(ORG, true),
                in_organizations(&[(ORG, Active), (OTHER, Active)]),
                Err(ErrorKind::Forbidden),
            ),
            (
                member_of(ORG, true),
                in_organizations(&[(ORG, Active), (OTHER, Deactivated)]),
                Err(ErrorKind::Forbidden),
            ),
            (member_of(ORG, true), in_organizations(&[(ORG, Deactivated)]), Err(ErrorKind::NotFound)),
        ] {
            let done = set_email(&actor, stored, Some("ann@example.org")).await;
            assert_eq!(done.map(drop).map_err(|error| error.kind()), expected, "{actor:?}");
        }
    }

    #[tokio::test]
    async fn a_new_name_is_a_new_uid() {
        let mut fixture = Fixture::default();
        fixture.users.expect_update().returning(|_, edit, _| {
            let mut account = in_one();
            edit(&mut account).map(|change| Some((account, change != UserChange::None)))
        });
        let service = fixture.service();
        let renamed = service.change_username(&person(), a_user().id, "newname".into()).await;
        let (account, is_changed) = renamed.expect("changes");
        assert_eq!((account.user.uid(), is_changed), ("newname", true));
        let same = service.change_username(&person(), a_user().id, a_user().uid().into()).await;
        assert!(!same.expect("answers").1);
        let short = service.change_username(&person(), a_user().id, "abc".into()).await;
        assert_eq!(short.expect_err("refused").kind(), ErrorKind::Invalid);
    }
}
