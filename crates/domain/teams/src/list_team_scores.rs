use chrono::TimeDelta;
use domain_kernel::{Actor, OrgId, Page, PageRequest, Permission, Refusal, Scope};

use crate::score::{RankedTeam, median, rank_teams};
use crate::{TeamError, TeamService};

/// How long after its end a week enters the table: until then the teams of a large organization are still being counted, and
/// whoever looks would have to wait for it.
const COUNTING: TimeDelta = TimeDelta::minutes(30);

/// A part of the table of an organization's teams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamScores {
    /// The teams that the reader may compare, the best first.
    pub page: Page<RankedTeam>,
    /// The middle score of all teams of the organization. None when no team has a score.
    pub median: Option<u8>,
}

impl TeamService {
    /// The teams of an organization with their scores: all for its admins and staff, the own ones for who runs some.
    pub async fn list_team_scores(
        &self,
        actor: &Actor,
        organization: OrgId,
        page: PageRequest,
    ) -> Result<TeamScores, TeamError> {
        let own = match actor.require(Permission::ScoreRead, Scope::Organization(organization)) {
            Ok(()) => None,
            Err(refusal) => {
                let memberships = actor.memberships.iter().filter(|own| own.organization == organization);
                let own: Vec<_> = memberships.flat_map(|own| own.administered_teams.clone()).collect();
                Some(own).filter(|own| !own.is_empty()).ok_or(refusal).map(Some)?
            }
        };
        let now = self.clock.now() - COUNTING;
        let counted = self.scores.count_organization(organization, now).await?;
        let (calendar, teams) = counted.ok_or(Refusal::NotFound)?;
        let ranked = rank_teams(calendar, teams, now);
        let median = median(ranked.iter().filter_map(|team| team.score));
        let may_see = |team: &RankedTeam| own.as_ref().is_none_or(|own| own.contains(&team.team.id));
        let shown: Vec<_> = ranked.into_iter().filter(may_see).collect();
        let total = i64::try_from(shown.len()).unwrap_or(i64::MAX);
        let (offset, limit) = (usize::try_from(page.offset), usize::try_from(page.limit));
        let items = shown.into_iter().skip(offset.unwrap_or(usize::MAX)).take(limit.unwrap_or(0));
        Ok(TeamScores { page: Page { items: items.collect(), total }, median })
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{Clock, DomainError, ErrorKind, StaffRole, TeamId};
    use uuid::Uuid;

    use super::*;
    use crate::Team;
    use crate::score::Counts;
    use crate::tests::{FOREIGN, Fixture, OWN, TEAM, WEEKLY, a_team, on_the_team};

    fn two_teams() -> Vec<(Team, Counts)> {
        let other = Team { id: TeamId::new(Uuid::from_u128(77)), ..a_team(OWN) };
        vec![(other, Counts::new()), (a_team(OWN), Counts::new())]
    }

    const ALL: PageRequest = PageRequest { offset: 0, limit: 1000 };

    #[tokio::test]
    async fn admins_and_staff_see_all_teams_a_lead_the_own_ones_and_others_none() {
        let expected_own = Ok(vec![TEAM]);
        for (actor, organization, expected) in [
            (member_of(OWN, true), OWN, Ok(2)),
            (staff(StaffRole::Employee), FOREIGN, Ok(2)),
            (on_the_team(true), OWN, Ok(1)),
            (on_the_team(false), OWN, Err(ErrorKind::Forbidden)),
            (on_the_team(true), FOREIGN, Err(ErrorKind::NotFound)),
        ] {
            let mut fixture = Fixture::default();
            fixture.scores.expect_count_organization().returning(|_, _| Ok(Some((WEEKLY, two_teams()))));
            let listed = fixture.service().list_team_scores(&actor, organization, ALL).await;
            let listed = listed.map_err(|error| error.kind());
            let count = listed.as_ref().map(|scores| scores.page.items.len()).map_err(|kind| *kind);
            assert_eq!(count, expected, "{actor:?}");
            if expected == Ok(1) {
                let ids = |scores: TeamScores| scores.page.items.iter().map(|row| row.team.id).collect();
                assert_eq!(listed.map(ids), expected_own);
            }
        }
    }

    #[tokio::test]
    async fn a_week_enters_the_table_half_an_hour_after_its_end() {
        let mut fixture = Fixture::default();
        let then = fixture.clock.now() - TimeDelta::minutes(30);
        let scores = fixture.scores.expect_count_organization().withf(move |_, now| *now == then);
        scores.return_once(|_, _| Ok(Some((WEEKLY, two_teams()))));
        let listed = fixture.service().list_team_scores(&member_of(OWN, true), OWN, ALL).await;
        assert!(listed.is_ok());
    }

    #[tokio::test]
    async fn a_page_is_a_part_of_what_may_be_seen() {
        for (offset, limit, count) in [(0, 1, 1), (1, 5, 1), (2, 5, 0)] {
            let mut fixture = Fixture::default();
            fixture.scores.expect_count_organization().returning(|_, _| Ok(Some((WEEKLY, two_teams()))));
            let page = PageRequest { offset, limit };
            let listed = fixture.service().list_team_scores(&member_of(OWN, true), OWN, page).await;
            let page = listed.expect("a page").page;
            assert_eq!((page.items.len(), page.total), (count, 2));
        }
    }

    #[tokio::test]
    async fn an_organization_that_is_not_there_has_no_table() {
        let mut fixture = Fixture::default();
        fixture.scores.expect_count_organization().returning(|_, _| Ok(None));
        let refused = fixture.service().list_team_scores(&staff(StaffRole::Admin), OWN, ALL).await;
        assert_eq!(refused.expect_err("none").kind(), ErrorKind::NotFound);
    }
}
