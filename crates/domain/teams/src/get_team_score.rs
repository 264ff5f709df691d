use chrono::{DateTime, Utc};
use domain_kernel::{Actor, Permission, Refusal, Scope, TeamId};

use crate::score::ScoreSheet;
use crate::{TeamError, TeamService};

/// The score of a team as somebody may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamScore {
    /// The score.
    pub sheet: ScoreSheet,
    /// Whether components, trend and number of members may be shown, too: not to those who are only on the team.
    pub shows_details: bool,
    /// When it was counted.
    pub computed_at: DateTime<Utc>,
}

impl TeamService {
    /// The score of a live team: whole for those who run it, the organization's admins and staff; the total for who is on it.
    pub async fn get_team_score(&self, actor: &Actor, team: TeamId) -> Result<TeamScore, TeamError> {
        let now = self.clock.now();
        let (calendar, team, counts) = self.scores.count_team(team, now).await?.ok_or(Refusal::NotFound)?;
        let scope = Scope::Team(team.organization, team.id);
        let shows_details = actor.require(Permission::ScoreRead, scope).is_ok();
        if !shows_details {
            actor.require(Permission::TeamRead, scope)?;
        }
        Ok(TeamScore { sheet: ScoreSheet::of(calendar, &counts, now), shows_details, computed_at: now })
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use crate::score::Counts;
    use crate::tests::{FOREIGN, Fixture, OWN, TEAM, WEEKLY, a_champion, a_team, on_the_team};

    #[tokio::test]
    async fn who_runs_the_team_sees_all_who_is_on_it_the_total_and_others_nothing() {
        for (actor, organization, expected) in [
            (on_the_team(true), OWN, Ok(true)),
            (member_of(OWN, true), OWN, Ok(true)),
            (staff(StaffRole::Employee), FOREIGN, Ok(true)),
            (on_the_team(false), OWN, Ok(false)),
            (a_champion(), OWN, Ok(false)),
            (member_of(OWN, false), OWN, Err(ErrorKind::Forbidden)),
            (on_the_team(true), FOREIGN, Err(ErrorKind::NotFound)),
        ] {
            let mut fixture = Fixture::default();
            let counted = (WEEKLY, a_team(organization), Counts::new());
            fixture.scores.expect_count_team().return_once(move |_, _| Ok(Some(counted)));
            let score = fixture.service().get_team_score(&actor, TEAM).await;
            assert_eq!(
                score.map(|score| score.shows_details).map_err(|error| error.kind()),
                expected,
                "{actor:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_team_that_is_not_there_has_none() {
        let mut fixture = Fixture::default();
        fixture.scores.expect_count_team().return_once(|_, _| Ok(None));
        let refused = fixture.service().get_team_score(&staff(StaffRole::Admin), TEAM).await;
        assert_eq!(refused.expect_err("none").kind(), ErrorKind::NotFound);
    }
}
