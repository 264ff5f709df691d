use domain_kernel::{Actor, Page, PageRequest, Permission, Refusal, Scope, TeamId};

use crate::ports::MemberSearch;
use crate::{FoundMember, MembershipError, MembershipService, MembershipStatus, MembershipView, Reader};

impl MembershipService {
    /// The active members of a team by name. Members of the team see names only.
    pub async fn list_team_memberships(
        &self,
        actor: &Actor,
        team: TeamId,
        page: PageRequest,
    ) -> Result<Page<(MembershipView, Reader)>, MembershipError> {
        let found = self.queries.list_of_team(team, MembershipStatus::Active, page).await?;
        let (organization, page) = found.ok_or(Refusal::NotFound)?;
        let scope = Scope::Team(organization, team);
        actor.require(Permission::TeamRead, scope)?;
        let is_admin = actor.require(Permission::MembershipRead, scope).is_ok();
        Ok(page.map(|view| {
            let reader = if is_admin { view.membership.admin_reader(actor) } else { Reader::Colleague };
            (view, reader)
        }))
    }

    /// Who of a team has not joined yet, with the codes to hand out, for the team's admins and those above.
    pub async fn list_pending_memberships(
        &self,
        actor: &Actor,
        team: TeamId,
        page: PageRequest,
    ) -> Result<Page<(MembershipView, Reader)>, MembershipError> {
        let found = self.queries.list_of_team(team, MembershipStatus::Pending, page).await?;
        let (organization, page) = found.ok_or(Refusal::NotFound)?;
        actor.require(Permission::MembershipRead, Scope::Team(organization, team))?;
        let now = self.clock.now();
        Ok(page.map(|view| {
            let reader = view.membership.admin_reader(actor);
            (view.at(now), reader)
        }))
    }

    /// People found by name on a team, or around it in the whole organization, for the team's admins and those above.
    pub async fn search_members(
        &self,
        actor: &Actor,
        search: MemberSearch,
        page: PageRequest,
    ) -> Result<Page<(FoundMember, Reader)>, MembershipError> {
        let team = search.team;
        let found = self.queries.search_around_team(search, actor.horizon(), page).await?;
        let (organization, page) = found.ok_or(Refusal::NotFound)?;
        actor.require(Permission::MembershipRead, Scope::Team(organization, team))?;
        let now = self.clock.now();
        Ok(page.map(|mut found| {
            found.view = found.view.at(now);
            // The admin of a team finds all of the organization, but reads only about the own people.
            let reader = found.view.membership.reader(actor).unwrap_or(Reader::Colleague);
            (found, reader)
        }))
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, NameKey, OrgId, SearchWords, Sort, StaffRole};
    use uuid::Uuid;

    use super::*;
    use crate::tests::{Fixture, ORG, a_view};

    const TEAM: TeamId = TeamId::new(Uuid::from_u128(5));
    const ALL: PageRequest = PageRequest { offset: 0, limit: 1000 };

    fn on_team(runs_it: bool) -> Actor {
        let mut actor = member_of(ORG, false);
        for membership in &mut actor.memberships {
            membership.teams = vec![TEAM];
            membership.administered_teams = if runs_it { vec![TEAM] } else { vec![] };
        }
        actor
    }

    fn holding() -> Fixture {
        let mut fixture = Fixture::default();
        let page = Page { items: vec![a_view()], total: 1 };
        fixture.queries.expect_list_of_team().returning(move |_, _, _| Ok(Some((ORG, page.clone()))));
        fixture
    }

    #[tokio::test]
    async fn members_of_a_team_see_names_and_those_above_see_all() {
        for (actor, expected) in [
            (on_team(false), Reader::Colleague),
            (on_team(true), Reader::Lead),
            (member_of(ORG, true), Reader::Admin),
            (staff(StaffRole::Employee), Reader::Lead),
        ] {
            let page = holding().service().list_team_memberships(&actor, TEAM, ALL).await.expect("lists");
            let readers: Vec<Reader> = page.items.into_iter().map(|(_, reader)| reader).collect();
            assert_eq!(readers, [expected]);
        }
    }

    #[tokio::test]
    async fn codes_are_for_those_who_run_the_team() {
        let service = holding().service();
        assert!(service.list_pending_memberships(&on_team(true), TEAM, ALL).await.is_ok());
        let refused = service.list_pending_memberships(&on_team(false), TEAM, ALL).await;
        assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
    }

    #[tokio::test]
    async fn others_of_the_organization_may_not_and_outsiders_see_nothing() {
        let elsewhere = OrgId::new(Uuid::from_u128(99));
        for (actor, kind) in
            [(member_of(ORG, false), ErrorKind::Forbidden), (member_of(elsewhere, true), ErrorKind::NotFound)]
        {
            let service = holding().service();
            let members = service.list_team_memberships(&actor, TEAM, ALL).await;
            assert_eq!(members.expect_err("refused").kind(), kind);
            let pending = service.list_pending_memberships(&actor, TEAM, ALL).await;
            assert_eq!(pending.expect_err("refused").kind(), kind);
        }
    }

    #[tokio::test]
    async fn the_admin_of_a_team_finds_everybody_but_reads_only_about_the_own_people() {
        let mut fixture = Fixture::default();
        let mut own = a_view();
        own.membership.teams = vec![TEAM];
        let other = FoundMember { view: a_view(), on_team: false };
        let page = Page { items: vec![FoundMember { view: own, on_team: true }, other], total: 2 };
        fixture.queries.expect_search_around_team().returning(move |_, _, _| Ok(Some((ORG, page.clone()))));
        let service = fixture.service();
        let search = || MemberSearch {
            team: TEAM,
            words: SearchWords::parse("demo").expect("words"),
            whole_organization: true,
            sort: Sort::by([NameKey::First]),
        };
        let readers = |page: Page<(FoundMember, Reader)>| {
            page.items.into_iter().map(|(_, reader)| reader).collect::<Vec<_>>()
        };
        let lead = service.search_members(&on_team(true), search(), ALL).await.expect("finds");
        assert_eq!(readers(lead), [Reader::Lead, Reader::Colleague]);
        let admin = service.search_members(&member_of(ORG, true), search(), ALL).await.expect("finds");
        assert_eq!(readers(admin), [Reader::Admin, Reader::Admin]);
        let member = service.search_members(&on_team(false), search(), ALL).await;
        assert_eq!(member.expect_err("refused").kind(), ErrorKind::Forbidden);
    }
}
