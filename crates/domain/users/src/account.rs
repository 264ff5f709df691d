use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::{
    Actor, ActorMembership, EmailAddress, FieldErrors, FieldProblem, LanguageCode, MembershipId, OrgId,
    Origin, Permission, PersonName, Refusal, Scope, StaffRole, TeamId, UserId,
};

use crate::{Provider, UserError, Username, ValidCertification};

/// How long requests that were under way during a change of username may still carry the old `uid`.
const FORMER_UID_WINDOW: TimeDelta = TimeDelta::seconds(60);

/// A `uid` that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerUid {
    /// The old name.
    pub uid: String,
    /// When it was given up.
    pub changed_at: DateTime<Utc>,
}

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Key.
    pub id: UserId,
    /// The sign-in name, and the `uid` of the session headers.
    pub username: Username,
    /// What kind of name it is.
    pub provider: Provider,
    /// Address for mail. With [`Provider::Email`] the same as the username.
    pub email: Option<EmailAddress>,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Role at Worklete.
    pub staff_role: Option<StaffRole>,
    /// Preferred language.
    pub language: LanguageCode,
    /// Whether the password was set by somebody else: see [`require_own_password`](Self::require_own_password).
    pub must_change_password: bool,
    /// Set while the account is locked by staff.
    pub locked_at: Option<DateTime<Utc>>,
    /// Set once the person deleted the account.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Last sign-in with a password.
    pub last_sign_in_at: Option<DateTime<Utc>>,
    /// The `uid` before the last change of name.
    pub former_uid: Option<FormerUid>,
    /// The newest certification as champion that is valid today. Storing a user does not store it.
    pub champion_certification: Option<ValidCertification>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// New values for the own profile; absent ones stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The new name as typed: what is valid depends on the provider, which may be the stored one.
    pub username: Option<String>,
    /// The new kind of name.
    pub provider: Option<Provider>,
    /// The new first name.
    pub first_name: Option<PersonName>,
    /// The new last name.
    pub last_name: Option<PersonName>,
}

impl User {
    /// Somebody new, without a role at Worklete and not signed in yet. An address as username is the address for mail, too.
    pub fn new(
        id: UserId,
        (username, provider): (Username, Provider),
        (first_name, last_name): (PersonName, PersonName),
        now: DateTime<Utc>,
    ) -> Self {
        let email = match provider {
            Provider::Email => EmailAddress::parse(username.as_str()).ok(),
            Provider::Username => None,
        };
        Self {
            id,
            username,
            provider,
            email,
            first_name,
            last_name,
            staff_role: None,
            language: LanguageCode::default(),
            must_change_password: false,
            locked_at: None,
            deleted_at: None,
            last_sign_in_at: None,
            former_uid: None,
            champion_certification: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether sign-in and existing sessions work. Locked and deleted people are out at once.
    pub fn is_active(&self) -> bool {
        self.locked_at.is_none() && self.deleted_at.is_none()
    }

    /// Passes unless somebody else set the password: two people know it then, so it opens nothing but the way to another one.
    pub fn require_own_password(&self) -> Result<(), UserError> {
        if self.must_change_password { Err(UserError::PasswordChangeRequired) } else { Ok(()) }
    }

    /// Passes unless the person is of Worklete's staff, the actor included: nobody takes over or erases a colleague.
    pub(crate) fn require_not_staff(&self) -> Result<(), Refusal> {
        if self.staff_role.is_some() { Err(Refusal::Forbidden) } else { Ok(()) }
    }

    /// The value of the `uid` header.
    pub fn uid(&self) -> &str {
        self.username.as_str()
    }

    /// Whether a `uid` sent by a client means this user.
    pub fn answers_to(&self, uid: &str, now: DateTime<Utc>) -> bool {
        let is_former = |former: &FormerUid| {
            former.uid.eq_ignore_ascii_case(uid) && now - former.changed_at < FORMER_UID_WINDOW
        };
        self.uid().eq_ignore_ascii_case(uid) || self.former_uid.as_ref().is_some_and(is_former)
    }

    /// Changes the address for mail, or clears it. With [`Provider::Email`] the address is the sign-in name, too: both change,
    /// and neither can be cleared.
    pub fn change_email(
        &mut self,
        email: Option<EmailAddress>,
        now: DateTime<Utc>,
    ) -> Result<(), FieldErrors> {
        match (email, self.provider) {
            (Some(address), Provider::Email) => {
                let name = ProfileChange { username: Some(address.to_string()), ..ProfileChange::default() };
                return self.change_profile(name, now);
            }
            (None, Provider::Email) => {
                let message = "is what this person signs in with and cannot be cleared";
                return Err(FieldErrors::of("email", "blank", message));
            }
            (email, Provider::Username) => self.email = email,
        }
        self.updated_at = now;
        Ok(())
    }

    /// Changes the profile. Fails, changing nothing, when the resulting name does not fit the resulting provider.
    pub fn change_profile(&mut self, change: ProfileChange, now: DateTime<Utc>) -> Result<(), FieldErrors> {
        let provider = match (change.provider, &change.username) {
            (Some(provider), _) => provider,
            (None, Some(name)) => Provider::of(name),
            (None, None) => self.provider,
        };
        let raw = change.username.as_deref().unwrap_or(self.username.as_str());
        let wrong = |problem: FieldProblem| FieldErrors::of("username", problem.code, problem.message);
        let username = Username::parse(raw, provider).map_err(wrong)?;
        if provider == Provider::Email {
            self.email = EmailAddress::parse(username.as_str()).ok();
        }
        if !username.as_str().eq_ignore_ascii_case(self.uid()) {
            self.former_uid = Some(FormerUid { uid: self.uid().to_owned(), changed_at: now });
        }
        self.username = username;
        self.provider = provider;
        self.first_name = change.first_name.unwrap_or_else(|| self.first_name.clone());
        self.last_name = change.last_name.unwrap_or_else(|| self.last_name.clone());
        self.updated_at = now;
        Ok(())
    }
}

/// A user as somebody else is shown them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenUser {
    /// The person.
    pub user: User,
    /// Whether the private fields are shown: address, role at Worklete, last sign-in.
    pub shows_private: bool,
}

/// Where a membership stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipStatus {
    /// Taken by this person.
    Active,
    /// Ended.
    Deactivated,
}

/// What a signed-in person is told about an own membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipBrief {
    /// Key.
    pub id: MembershipId,
    /// The organization.
    pub organization: OrgId,
    /// The organization's name.
    pub organization_name: String,
    /// Whether the person runs it.
    pub org_admin: bool,
    /// Where it stands.
    pub status: MembershipStatus,
    /// Job title from the roster.
    pub job_title: Option<String>,
    /// Teams the person is on.
    pub teams: Vec<TeamId>,
    /// Teams the person runs.
    pub administered_teams: Vec<TeamId>,
}

/// A user with all memberships, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The person.
    pub user: User,
    /// Their places in organizations.
    pub memberships: Vec<MembershipBrief>,
}

impl Account {
    /// As what the actor may see this account: the own one and those of the own organization whole, and of the teams one
    /// runs without the private fields.
    pub(crate) fn seen_by(self, actor: &Actor) -> Result<SeenUser, Refusal> {
        let is_above = |scope| actor.require(Permission::UserRead, scope).is_ok();
        let shows_private = self.user.id == actor.user
            || is_above(Scope::Platform)
            || self.active().any(|m| is_above(Scope::Organization(m.organization)));
        if !shows_private {
            let places = self.active().flat_map(|m| {
                m.teams.iter().map(|team| Scope::Team(m.organization, *team)).collect::<Vec<_>>()
            });
            let organizations = self.active().map(|m| Scope::Organization(m.organization));
            require_in_any(actor, Permission::UserRead, places.chain(organizations))?;
        }
        Ok(SeenUser { user: self.user, shows_private })
    }

    /// Passes when the actor may change the name and the address that this person signs in with: the own ones, and as admin
    /// of the only organization that the person has ever been in. Whoever holds these can take the account, so an admin of
    /// one of several organizations, or of a member of Worklete's staff, may not.
    pub(crate) fn require_rename(&self, actor: &Actor) -> Result<(), Refusal> {
        if self.user.id == actor.user || actor.require(Permission::UserRename, Scope::Platform).is_ok() {
            return Ok(());
        }
        // First whether the actor may know of the person at all.
        require_in_any(
            actor,
            Permission::UserRename,
            self.active().map(|m| Scope::Organization(m.organization)),
        )?;
        let has_one_organization = self.memberships.len() == 1;
        if has_one_organization && self.user.staff_role.is_none() { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    fn active(&self) -> impl Iterator<Item = &MembershipBrief> {
        self.memberships.iter().filter(|membership| membership.status == MembershipStatus::Active)
    }

    /// The actor that permissions are decided on: only active memberships count.
    pub fn actor(&self, origin: Origin) -> Actor {
        let memberships = self.active().map(|m| ActorMembership {
            id: m.id,
            organization: m.organization,
            org_admin: m.org_admin,
            teams: m.teams.clone(),
            administered_teams: m.administered_teams.clone(),
        });
        Actor {
            user: self.user.id,
            staff: self.user.staff_role,
            memberships: memberships.collect(),
            is_champion: self.user.champion_certification.is_some(),
            origin,
        }
    }
}

/// Passes when the actor has the permission in one of the places. In none of them known: there is nothing; known, but not
/// allowed anywhere: forbidden.
fn require_in_any(
    actor: &Actor,
    permission: Permission,
    places: impl Iterator<Item = Scope>,
) -> Result<(), Refusal> {
    let mut verdict = match actor.staff {
        Some(_) => Refusal::Forbidden,
        None => Refusal::NotFound,
    };
    for place in places {
        match actor.require(permission, place) {
            Ok(()) => return Ok(()),
            Err(Refusal::NotFound) => {}
            Err(refusal) => verdict = refusal,
        }
    }
    Err(verdict)
}

#[cfg(test)]
mod tests {
    use domain_kernel::Clock;
    use domain_kernel::testing::FixedClock;

    use super::*;
    use crate::tests::a_user;

    #[test]
    fn a_new_username_keeps_the_old_uid_good_for_a_minute() {
        let (mut user, now) = (a_user(), FixedClock::default().now());
        let change = ProfileChange { username: Some("newname".into()), ..ProfileChange::default() };
        assert_eq!(user.change_profile(change, now), Ok(()));
        assert!(user.answers_to("NewName", now));
        assert!(user.answers_to("workleteuser", now + TimeDelta::seconds(59)));
        assert!(!user.answers_to("workleteuser", now + TimeDelta::seconds(60)));
        assert!(!user.answers_to("someoneelse", now));
    }

    #[test]
    fn an_address_as_username_becomes_the_email() {
        let (mut user, now) = (a_user(), FixedClock::default().now());
        let change = ProfileChange { username: Some("Ann@Example.org".into()), ..ProfileChange::default() };
        assert_eq!(user.change_profile(change, now), Ok(()));
        assert_eq!((user.provider, user.uid()), (Provider::Email, "ann@example.org"));
        assert_eq!(user.email.as_ref().map(EmailAddress::as_str), Some("ann@example.org"));
    }

    #[test]
    fn a_provider_that_does_not_fit_the_name_changes_nothing() {
        let mut user = a_user();
        let change = ProfileChange { provider: Some(Provider::Email), ..ProfileChange::default() };
        let errors = user.change_profile(change, FixedClock::default().now()).expect_err("no address");
        assert_eq!(errors.iter().map(|(field, _)| field).collect::<Vec<_>>(), ["username"]);
        assert_eq!(user, a_user());
    }

    #[test]
    fn a_deactivated_membership_gives_no_rights() {
        let brief = MembershipBrief {
            id: MembershipId::new(uuid()),
            organization: OrgId::new(uuid()),
            organization_name: "North".into(),
            org_admin: true,
            status: MembershipStatus::Deactivated,
            job_title: None,
            teams: vec![],
            administered_teams: vec![],
        };
        let account = Account { user: a_user(), memberships: vec![brief] };
        assert_eq!(account.actor(Origin::default()).memberships, vec![]);
    }

    #[test]
    fn a_valid_certification_makes_the_actor_a_champion() {
        let mut account = Account { user: a_user(), memberships: vec![] };
        assert!(!account.actor(Origin::default()).is_champion);
        let date = FixedClock::default().now().date_naive();
        let id = domain_kernel::ChampionCertificationId::new(uuid());
        account.user.champion_certification = Some(ValidCertification { id, date, expires_on: date });
        assert!(account.actor(Origin::default()).is_champion);
    }

    fn uuid() -> uuid::Uuid {
        uuid::Uuid::from_u128(9)
    }
}
