use domain_kernel::{Actor, AssignmentId, Page, PageRequest, Permission, Refusal, Scope};

use crate::ports::History;
use crate::{CourseError, LearningService, StoredEvent};

impl LearningService {
    /// What was told of an assignment, the latest first: for the person, for those who run a team that the person is on, or the
    /// organization, and for staff.
    pub async fn list_progress_events(
        &self,
        actor: &Actor,
        assignment: AssignmentId,
        page: PageRequest,
    ) -> Result<Page<StoredEvent>, CourseError> {
        let history = self.queries.list_events(assignment, page).await?.ok_or(Refusal::NotFound)?;
        history.require_reader(actor)?;
        Ok(history.events)
    }
}

impl History {
    fn require_reader(&self, actor: &Actor) -> Result<(), Refusal> {
        let organization = self.learner.organization;
        let reads = |scope| actor.require(Permission::ProgressRead, scope);
        let runs_team = |team| reads(Scope::Team(organization, team)).is_ok();
        if self.learner.user == actor.user || self.teams.iter().copied().any(runs_team) {
            return Ok(());
        }
        reads(Scope::Organization(organization))
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, nobody, staff};
    use domain_kernel::{DomainError, ErrorKind, OrgId, StaffRole, TeamId, UserId};
    use uuid::Uuid;

    use super::*;
    use crate::learning::tests::{
        ASSIGNMENT, Fixture, ORGANIZATION, TEAM, an_event, learner, learner_of, now,
    };

    const ALL: PageRequest = PageRequest { offset: 0, limit: 25 };

    fn a_history() -> History {
        let event = StoredEvent {
            event: an_event(),
            effective_at: now(),
            credited_at: now(),
            received_at: now(),
            stale: false,
        };
        History {
            learner: learner_of(&learner()),
            teams: vec![TEAM],
            events: Page { items: vec![event], total: 1 },
        }
    }

    async fn read(actor: &Actor, history: Option<History>) -> Result<Page<StoredEvent>, ErrorKind> {
        let mut fixture = Fixture::default();
        fixture.queries.expect_list_events().return_once(|assignment, page| {
            assert_eq!((assignment, page), (ASSIGNMENT, ALL));
            Ok(history)
        });
        let read = fixture.service().list_progress_events(actor, ASSIGNMENT, ALL).await;
        read.map_err(|error| error.kind())
    }

    /// Somebody else of the organization, who runs this team.
    fn lead_of(team: TeamId) -> Actor {
        let mut lead = member_of(ORGANIZATION, false);
        lead.user = UserId::new(Uuid::from_u128(0xA1));
        lead.memberships[0].administered_teams = vec![team];
        lead
    }

    #[tokio::test]
    async fn the_person_and_those_who_run_the_team_the_organization_or_worklete_read_it() {
        let boss = Actor { user: UserId::new(Uuid::from_u128(0xA2)), ..member_of(ORGANIZATION, true) };
        for actor in [learner(), lead_of(TEAM), boss, staff(StaffRole::Employee), staff(StaffRole::Admin)] {
            assert_eq!(read(&actor, Some(a_history())).await, Ok(a_history().events), "{actor:?}");
        }
    }

    #[tokio::test]
    async fn others_of_the_organization_may_not_and_for_outsiders_there_is_nothing() {
        let colleague = Actor { user: UserId::new(Uuid::from_u128(0xA3)), ..learner() };
        let other_lead = lead_of(TeamId::new(Uuid::from_u128(0x41)));
        for actor in [colleague, other_lead] {
            assert_eq!(read(&actor, Some(a_history())).await, Err(ErrorKind::Forbidden), "{actor:?}");
        }
        let mut history = a_history();
        history.learner.user = UserId::new(Uuid::from_u128(0xA9));
        for actor in [nobody(), member_of(OrgId::new(Uuid::from_u128(99)), true)] {
            assert_eq!(read(&actor, Some(history.clone())).await, Err(ErrorKind::NotFound), "{actor:?}");
        }
        assert_eq!(
            read(&staff(StaffRole::Admin), None).await,
            Err(ErrorKind::NotFound),
            "no such assignment"
        );
    }
}
