//! What the unit tests of this crate share.

use std::sync::Arc;

use domain_kernel::testing::{CountingIds, FixedClock, member_of};
use domain_kernel::{Actor, Clock, MembershipId, OrgId, PersonName, RefinementId, TeamId, UserId};
use uuid::Uuid;

use crate::ports::{MockRefinementRepository, MockTeamQueries, MockTeamRepository};
use crate::{Refinement, RefinementData, Team, TeamAdmin, TeamName, TeamService};

pub(crate) const OWN: OrgId = OrgId::new(Uuid::from_u128(1));
pub(crate) const FOREIGN: OrgId = OrgId::new(Uuid::from_u128(2));
pub(crate) const TEAM: TeamId = TeamId::new(Uuid::from_u128(3));

/// A call to a mock that a test did not prepare fails the test.
#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) teams: MockTeamRepository,
    pub(crate) queries: MockTeamQueries,
    pub(crate) refinements: MockRefinementRepository,
    pub(crate) clock: Arc<FixedClock>,
}

impl Fixture {
    /// A store that holds [`a_team`] only, and edits it.
    pub(crate) fn holding(team: Team) -> Self {
        let mut fixture = Self::default();
        let stored = team.clone();
        fixture.queries.expect_find().returning(move |_| Ok(Some(stored.clone())));
        fixture.teams.expect_update().returning(move |_, edit| {
            let mut team = team.clone();
            edit(&mut team).map(|_| team)
        });
        fixture
    }

    pub(crate) fn service(self) -> TeamService {
        TeamService {
            teams: Arc::new(self.teams),
            queries: Arc::new(self.queries),
            refinements: Arc::new(self.refinements),
            clock: self.clock,
            ids: Arc::new(CountingIds::default()),
        }
    }
}

pub(crate) fn a_team(organization: OrgId) -> Team {
    Team::new(
        TEAM,
        organization,
        TeamName::parse("Loading dock").expect("a name"),
        FixedClock::default().now(),
    )
}

pub(crate) fn an_admin() -> TeamAdmin {
    TeamAdmin {
        team: TEAM,
        membership: MembershipId::new(Uuid::from_u128(4)),
        user: None,
        first_name: PersonName::parse("Demo").expect("a name"),
        last_name: PersonName::parse("Lead").expect("a name"),
        created_at: FixedClock::default().now(),
    }
}

/// Somebody of the own organization who is on the team, or runs it.
pub(crate) fn on_the_team(runs_it: bool) -> Actor {
    let mut actor = member_of(OWN, false);
    for membership in &mut actor.memberships {
        membership.teams = vec![TEAM];
        membership.administered_teams = if runs_it { vec![TEAM] } else { vec![] };
    }
    actor
}

/// Somebody who is on the team and certified.
pub(crate) fn a_champion() -> Actor {
    Actor { is_champion: true, ..on_the_team(false) }
}

/// What somebody else noted.
pub(crate) fn a_refinement(organization: OrgId) -> Refinement {
    let now = FixedClock::default().now();
    Refinement {
        id: RefinementId::new(Uuid::from_u128(9)),
        organization,
        team: TEAM,
        data: RefinementData::parse(serde_json::json!({ "notes": "backs" })).expect("good data"),
        occurred_on: now.date_naive(),
        created_by: UserId::new(Uuid::from_u128(5)),
        created_at: now,
        updated_at: now,
    }
}
