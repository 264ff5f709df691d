use domain_kernel::{
    Actor, NameKey, OrgId, Page, PageRequest, Permission, Refusal, Scope, SearchWords, Sort, UserId,
};

use crate::ports::VisiblePlaces;
use crate::{Account, SeenUser, User, UserError, UserService};

impl UserService {
    /// Everybody the actor may see, oldest account first: staff all users, the admin of an organization its active members,
    /// the admin of a team its active members, and each person themselves.
    pub async fn list_users(&self, actor: &Actor, page: PageRequest) -> Result<Page<SeenUser>, UserError> {
        if actor.require(Permission::UserRead, Scope::Platform).is_ok() {
            return Ok(self.ports.queries.list_all(page).await?.map(whole));
        }
        let (run, other): (Vec<_>, Vec<_>) =
            actor.memberships.iter().partition(|membership| membership.org_admin);
        let places = VisiblePlaces {
            own: actor.user,
            organizations: run.iter().map(|membership| membership.organization).collect(),
            teams: other.iter().flat_map(|membership| membership.administered_teams.clone()).collect(),
        };
        self.ports.queries.list_visible(places, page).await
    }

    /// All users, oldest account first, for staff.
    pub async fn list_all_users(&self, actor: &Actor, page: PageRequest) -> Result<Page<User>, UserError> {
        actor.require(Permission::UserRead, Scope::Platform)?;
        self.ports.queries.list_all(page).await
    }

    /// A user with all memberships, for staff.
    pub async fn get_account(&self, actor: &Actor, id: UserId) -> Result<Account, UserError> {
        actor.require(Permission::UserRead, Scope::Platform)?;
        Ok(self.ports.queries.find_account(id).await?.ok_or(Refusal::NotFound)?)
    }

    /// A user, for themselves, admins over them and staff.
    pub async fn get_user(&self, actor: &Actor, id: UserId) -> Result<SeenUser, UserError> {
        let account = self.ports.queries.find_account(id).await?.ok_or(Refusal::NotFound)?;
        Ok(account.seen_by(actor)?)
    }

    /// Users found by name on the whole platform, for staff.
    pub async fn search_users(
        &self,
        actor: &Actor,
        words: SearchWords,
        sort: Sort<NameKey>,
        page: PageRequest,
    ) -> Result<Page<SeenUser>, UserError> {
        actor.require(Permission::UserRead, Scope::Platform)?;
        Ok(self.ports.queries.search_all(words, sort, page).await?.map(whole))
    }

    /// Users found by name in an organization, for its admins and staff.
    pub async fn search_organization_users(
        &self,
        actor: &Actor,
        organization: OrgId,
        words: SearchWords,
        sort: Sort<NameKey>,
        page: PageRequest,
    ) -> Result<Page<SeenUser>, UserError> {
        actor.require(Permission::UserRead, Scope::Organization(organization))?;
        let found = self.ports.queries.search_organization(organization, words, sort, page).await?;
        Ok(found.ok_or(Refusal::NotFound)?.map(whole))
    }
}

fn whole(user: User) -> SeenUser {
    SeenUser { user, shows_private: true }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, nobody, staff};
    use domain_kernel::{DomainError, ErrorKind, MembershipId, StaffRole, TeamId};
    use uuid::Uuid;

    use super::*;
    use crate::tests::{Fixture, a_user, an_account};
    use crate::{MembershipBrief, MembershipStatus};

    const ORG: OrgId = OrgId::new(Uuid::from_u128(1));
    const TEAM: TeamId = TeamId::new(Uuid::from_u128(5));
    const PAGE: PageRequest = PageRequest { offset: 0, limit: 25 };

    fn on_team_of(organization: OrgId, status: MembershipStatus) -> Account {
        let brief = MembershipBrief {
            id: MembershipId::new(Uuid::from_u128(3)),
            organization,
            organization_name: "Harbor".into(),
            org_admin: false,
            status,
            job_title: None,
            teams: vec![TEAM],
            administered_teams: vec![],
        };
        Account { memberships: vec![brief], ..an_account() }
    }

    fn lead_of(team: TeamId) -> Actor {
        let mut actor = member_of(ORG, false);
        for membership in &mut actor.memberships {
            membership.administered_teams = vec![team];
        }
        actor
    }

    async fn read_by(actor: &Actor, account: Account) -> Result<bool, ErrorKind> {
        let mut fixture = Fixture::default();
        fixture.queries.expect_find_account().return_once(move |_| Ok(Some(account)));
        let read = fixture.service().get_user(actor, a_user().id).await;
        read.map(|seen| seen.shows_private).map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn the_person_and_those_above_see_all_and_a_lead_no_private_fields() {
        let account = || on_team_of(ORG, MembershipStatus::Active);
        let person = Actor { user: a_user().id, ..nobody() };
        for (actor, shows_private) in [
            (person, true),
            (member_of(ORG, true), true),
            (staff(StaffRole::Employee), true),
            (lead_of(TEAM), false),
        ] {
            assert_eq!(read_by(&actor, account()).await, Ok(shows_private), "{actor:?}");
        }
    }

    #[tokio::test]
    async fn others_of_the_organization_may_not_and_outsiders_see_nothing() {
        let account = || on_team_of(ORG, MembershipStatus::Active);
        let (elsewhere, other_team) = (OrgId::new(Uuid::from_u128(99)), TeamId::new(Uuid::from_u128(6)));
        assert_eq!(read_by(&member_of(ORG, false), account()).await, Err(ErrorKind::Forbidden));
        assert_eq!(read_by(&lead_of(other_team), account()).await, Err(ErrorKind::Forbidden));
        assert_eq!(read_by(&member_of(elsewhere, true), account()).await, Err(ErrorKind::NotFound));
        let left = on_team_of(ORG, MembershipStatus::Deactivated);
        assert_eq!(read_by(&member_of(ORG, true), left).await, Err(ErrorKind::NotFound), "has left");
    }

    #[tokio::test]
    async fn a_list_asks_for_what_the_actor_runs() {
        for (actor, organizations, teams) in [
            (member_of(ORG, false), vec![], vec![]),
            (lead_of(TEAM), vec![], vec![TEAM]),
            (member_of(ORG, true), vec![ORG], vec![]),
        ] {
            let mut fixture = Fixture::default();
            let places = VisiblePlaces { own: actor.user, organizations, teams };
            fixture
                .queries
                .expect_list_visible()
                .withf(move |asked, _| *asked == places)
                .return_once(|_, _| Ok(Page { items: vec![], total: 0 }));
            assert!(fixture.service().list_users(&actor, PAGE).await.is_ok());
        }
        let mut fixture = Fixture::default();
        let all = Page { items: vec![a_user()], total: 1 };
        fixture.queries.expect_list_all().return_once(|_| Ok(all));
        let seen = fixture.service().list_users(&staff(StaffRole::Employee), PAGE).await.expect("lists");
        assert!(seen.items.iter().all(|seen| seen.shows_private));
    }

    #[tokio::test]
    async fn the_lists_of_the_staff_area_are_for_staff() {
        let mut fixture = Fixture::default();
        fixture.queries.expect_list_all().return_once(|_| Ok(Page { items: vec![a_user()], total: 1 }));
        fixture
            .queries
            .expect_find_account()
            .times(2)
            .returning(|id| Ok((id == a_user().id).then(an_account)));
        let service = fixture.service();
        let employee = staff(StaffRole::Employee);
        assert_eq!(service.list_all_users(&employee, PAGE).await.expect("lists").total, 1);
        assert_eq!(service.get_account(&employee, a_user().id).await.expect("reads"), an_account());
        let unknown = service.get_account(&employee, UserId::new(Uuid::from_u128(404))).await;
        assert_eq!(unknown.expect_err("nobody").kind(), ErrorKind::NotFound);
        let admin = member_of(ORG, true);
        assert_eq!(service.list_all_users(&admin, PAGE).await.expect_err("refused").code(), "staff_only");
        assert_eq!(service.get_account(&admin, a_user().id).await.expect_err("refused").code(), "staff_only");
    }

    #[tokio::test]
    async fn searching_is_for_admins_of_the_organization_and_for_staff() {
        let words = || SearchWords::parse("demo").expect("words");
        let sort = || Sort::by([NameKey::First]);
        for (actor, kind) in [
            (member_of(ORG, false), ErrorKind::Forbidden),
            (lead_of(TEAM), ErrorKind::Forbidden),
            (member_of(OrgId::new(Uuid::from_u128(99)), true), ErrorKind::NotFound),
        ] {
            let service = Fixture::default().service();
            let refused = service.search_organization_users(&actor, ORG, words(), sort(), PAGE).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
            let refused = service.search_users(&actor, words(), sort(), PAGE).await;
            assert_eq!(refused.expect_err("refused").code(), "staff_only");
        }
    }
}
