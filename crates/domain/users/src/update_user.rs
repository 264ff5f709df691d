use chrono::{DateTime, Utc};
use domain_kernel::{
    Actor, AuditSubject, EmailAddress, FieldErrors, LanguageCode, Patch, Permission, Refusal, Scope,
    StaffRole, UserId,
};
use serde_json::json;

use crate::ports::UserChange;
use crate::{Account, ProfileChange, Provider, User, UserError, UserService};

/// What staff changes of an account; absent parts stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateUser {
    /// Names and sign-in name.
    pub profile: ProfileChange,
    /// Address for mail.
    pub email: Patch<EmailAddress>,
    /// Preferred language.
    pub language: Option<LanguageCode>,
    /// Role at Worklete.
    pub staff_role: Patch<StaffRole>,
    /// Whether the person is kept out.
    pub is_locked: Option<bool>,
}

impl UserService {
    /// Changes an account, for staff admins. Locking ends all sessions at once.
    ///
    /// Nobody changes the own role or locks themselves: so there is always somebody left who may undo it.
    pub async fn update_user(
        &self,
        actor: &Actor,
        id: UserId,
        change: UpdateUser,
    ) -> Result<Account, UserError> {
        actor.require(Permission::UserUpdate, Scope::Platform)?;
        let ends_own_say = change.staff_role != Patch::Keep || change.is_locked == Some(true);
        if id == actor.user && ends_own_say {
            return Err(Refusal::Forbidden.into());
        }
        let (actor, now, audit_id) = (actor.clone(), self.now(), self.ports.ids.next());
        let edit = Box::new(move |account: &mut Account| {
            let before = account.user.clone();
            change.apply(&mut account.user, now)?;
            let changed = changed_fields(&before, &account.user);
            if changed.is_empty() {
                account.user = before;
                return Ok(UserChange::None);
            }
            account.user.updated_at = now;
            // The trail outlives the person's data, so of names and addresses it says that they changed and not to what.
            let facts = |user: &User| (user.staff_role.map(StaffRole::as_str), user.locked_at.is_some());
            let ((role_before, locked_before), (role, locked)) = (facts(&before), facts(&account.user));
            let audit = actor
                .audit(audit_id, now, "user.update", None, AuditSubject::User(id))
                .before(json!({ "worklete_role": role_before, "locked": locked_before }))
                .after(json!({ "changed": changed, "worklete_role": role, "locked": locked }));
            Ok(UserChange::ByOther(Box::new(audit)))
        });
        let updated = self.ports.users.update(id, edit, None).await?;
        Ok(updated.map(|(account, _)| account).ok_or(Refusal::NotFound)?)
    }
}

impl UpdateUser {
    fn apply(mut self, user: &mut User, now: DateTime<Utc>) -> Result<(), FieldErrors> {
        // With an address as sign-in name the two are one, whichever of them is sent.
        if let (None, Some(Provider::Email), Patch::Set(address)) =
            (&self.profile.username, self.profile.provider, &self.email)
        {
            self.profile.username = Some(address.to_string());
        }
        let is_named = self.profile.username.is_some();
        if self.profile != ProfileChange::default() {
            user.change_profile(self.profile, now)?;
        }
        let is_address = is_named && user.provider == Provider::Email;
        match self.email {
            Patch::Keep => {}
            Patch::Clear => user.change_email(None, now)?,
            Patch::Set(address) if is_address && user.email.as_ref() != Some(&address) => {
                let message = "must be the same as the username, which is an address";
                return Err(FieldErrors::of("email", "invalid", message));
            }
            Patch::Set(address) => user.change_email(Some(address), now)?,
        }
        if let Some(language) = self.language {
            user.language = language;
        }
        self.staff_role.apply(&mut user.staff_role);
        match self.is_locked {
            Some(true) if user.locked_at.is_none() => user.locked_at = Some(now),
            Some(false) => user.locked_at = None,
            _ => {}
        }
        Ok(())
    }
}

/// The fields that differ, in the spelling of the wire.
fn changed_fields(before: &User, after: &User) -> Vec<&'static str> {
    let differs = [
        ("username", before.username != after.username),
        ("provider", before.provider != after.provider),
        ("email", before.email != after.email),
        ("first_name", before.first_name != after.first_name),
        ("last_name", before.last_name != after.last_name),
        ("language", before.language != after.language),
        ("worklete_role", before.staff_role != after.staff_role),
        ("locked", before.locked_at != after.locked_at),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{Clock, DomainError, ErrorKind, OrgId};
    use uuid::Uuid;

    use super::*;
    use crate::tests::{Fixture, a_user, an_account};

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).expect("an address")
    }

    fn named(username: &str) -> ProfileChange {
        ProfileChange { username: Some(username.into()), ..ProfileChange::default() }
    }

    async fn updated(change: UpdateUser) -> Result<(User, UserChange), UserError> {
        let mut fixture = Fixture::default();
        let seen = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&seen);
        fixture.users.expect_update().return_once(move |_, edit, password| {
            assert_eq!(password, None);
            let mut account = an_account();
            let change = edit(&mut account)?;
            *noted.lock().expect("lock") = Some(change);
            Ok(Some((account, true)))
        });
        let account = fixture.service().update_user(&staff(StaffRole::Admin), a_user().id, change).await?;
        let change = seen.lock().expect("lock").take().expect("the edit ran");
        Ok((account.user, change))
    }

    async fn refused(change: UpdateUser) -> Vec<String> {
        let error = updated(change).await.expect_err("refused");
        error.fields().expect("names fields").iter().map(|(field, _)| field.to_owned()).collect()
    }

    #[tokio::test]
    async fn a_change_leaves_a_row_that_names_fields_and_tells_role_and_lock() {
        let change = UpdateUser {
            profile: named("newname"),
            email: Patch::Set(address("ann@example.org")),
            language: LanguageCode::parse("es").ok(),
            staff_role: Patch::Set(StaffRole::Employee),
            is_locked: Some(true),
        };
        let (user, change) = updated(change).await.expect("changes");
        let now = Fixture::default().clock.now();
        assert_eq!((user.uid(), user.language.as_str(), user.locked_at), ("newname", "es", Some(now)));
        assert!(user.answers_to("workleteuser", now), "requests under way carry the old one");
        let UserChange::ByOther(audit) = change else { panic!("no row: {change:?}") };
        assert_eq!(audit.before, Some(json!({ "worklete_role": null, "locked": false })));
        let changed = ["username", "email", "language", "worklete_role", "locked"];
        let after = json!({ "changed": changed, "worklete_role": "employee", "locked": true });
        assert_eq!((audit.action, audit.after), ("user.update", Some(after)));
    }

    #[tokio::test]
    async fn what_is_so_already_is_no_change() {
        let same = UpdateUser {
            profile: named(a_user().uid()),
            email: Patch::Clear,
            staff_role: Patch::Clear,
            is_locked: Some(false),
            ..UpdateUser::default()
        };
        for change in [UpdateUser::default(), same] {
            assert_eq!(updated(change).await.expect("answers"), (a_user(), UserChange::None));
        }
    }

    #[tokio::test]
    async fn an_address_as_sign_in_name_and_the_address_for_mail_are_one() {
        let by_email = ProfileChange { provider: Some(Provider::Email), ..ProfileChange::default() };
        let email = || Patch::Set(address("ann@example.org"));
        for profile in [by_email, named("ann@example.org")] {
            let change = UpdateUser { profile, email: email(), ..UpdateUser::default() };
            let (user, _) = updated(change).await.expect("changes");
            assert_eq!((user.uid(), user.provider), ("ann@example.org", Provider::Email));
        }
        let two = UpdateUser { profile: named("bo@example.org"), email: email(), ..UpdateUser::default() };
        assert_eq!(refused(two).await, ["email"]);
        let none =
            UpdateUser { profile: named("bo@example.org"), email: Patch::Clear, ..UpdateUser::default() };
        assert_eq!(refused(none).await, ["email"]);
        let unfit = ProfileChange { provider: Some(Provider::Email), ..ProfileChange::default() };
        assert_eq!(refused(UpdateUser { profile: unfit, ..UpdateUser::default() }).await, ["username"]);
    }

    #[tokio::test]
    async fn only_staff_admins_may_and_nobody_ends_the_own_say() {
        let lock = || UpdateUser { is_locked: Some(true), ..UpdateUser::default() };
        let role = || UpdateUser { staff_role: Patch::Clear, ..UpdateUser::default() };
        let (admin, employee) = (staff(StaffRole::Admin), staff(StaffRole::Employee));
        let org_admin = member_of(OrgId::new(Uuid::from_u128(1)), true);
        for (actor, user, change) in [
            (&employee, a_user().id, UpdateUser::default()),
            (&org_admin, a_user().id, lock()),
            (&admin, admin.user, lock()),
            (&admin, admin.user, role()),
        ] {
            let refused = Fixture::default().service().update_user(actor, user, change).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden, "{actor:?}");
        }
        let mut fixture = Fixture::default();
        fixture.users.expect_update().return_once(|_, _, _| Ok(None));
        let unknown = fixture.service().update_user(&admin, a_user().id, lock()).await;
        assert_eq!(unknown.expect_err("nobody").kind(), ErrorKind::NotFound);
    }
}
