use domain_kernel::{Actor, AuditSubject, Permission, RefinementId, Refusal, Scope, TeamId};
use serde_json::json;

use crate::{Refinement, RefinementData, TeamError, TeamPlace, TeamService};

impl TeamService {
    /// Notes a refinement of a team, for its champions, those who run it and staff admins.
    pub async fn create_refinement(
        &self,
        actor: &Actor,
        team: TeamId,
        data: RefinementData,
    ) -> Result<Refinement, TeamError> {
        let place = self.practised_team(actor, team).await?;
        let (id, now) = (RefinementId::new(self.ids.next()), self.clock.now());
        let refinement = Refinement::new(id, (team, place), data, actor.user, now)?;
        // What was noted is free text about people and stays out of the trail.
        let audit = actor
            .audit(
                self.ids.next(),
                now,
                "refinement.create",
                Some(place.organization),
                AuditSubject::Refinement(id),
            )
            .after(json!({
                "team_id": team.to_string(),
                "occurred_on": refinement.occurred_on.to_string(),
            }));
        self.refinements.insert(refinement, audit).await
    }

    /// Where the team is, if the actor may note its refinements.
    pub(crate) async fn practised_team(&self, actor: &Actor, team: TeamId) -> Result<TeamPlace, TeamError> {
        let place = self.refinements.find_place(team).await?.ok_or(Refusal::NotFound)?;
        actor.require(Permission::RefinementWrite, Scope::Team(place.organization, team))?;
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{Clock, DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::tests::{FOREIGN, Fixture, OWN, TEAM, a_champion, on_the_team};

    fn data(raw: serde_json::Value) -> RefinementData {
        RefinementData::parse(raw).expect("good data")
    }

    fn on_team_of(organization: domain_kernel::OrgId) -> Fixture {
        let mut fixture = Fixture::default();
        let place = TeamPlace::from_stored(organization, "UTC");
        fixture.refinements.expect_find_place().return_once(move |_| Ok(Some(place)));
        fixture
    }

    #[tokio::test]
    async fn champions_those_who_run_the_team_and_staff_admins_note_it() {
        for actor in [a_champion(), on_the_team(true), member_of(OWN, true), staff(StaffRole::Admin)] {
            let mut fixture = on_team_of(OWN);
            let now = fixture.clock.now();
            fixture
                .refinements
                .expect_insert()
                .withf(|refinement, audit| {
                    audit.subject == AuditSubject::Refinement(refinement.id)
                        && audit.organization == Some(OWN)
                        && !format!("{audit:?}").contains("knees")
                })
                .return_once(|refinement, _| Ok(refinement));
            let noted =
                fixture.service().create_refinement(&actor, TEAM, data(json!({ "notes": "knees" }))).await;
            let noted = noted.expect("a refinement");
            assert_eq!((noted.organization, noted.team, noted.created_by), (OWN, TEAM, actor.user));
            assert_eq!((noted.occurred_on, noted.created_at), (now.date_naive(), now));
        }
    }

    #[tokio::test]
    async fn others_may_not_and_outsiders_see_nothing() {
        for (actor, organization, kind) in [
            (on_the_team(false), OWN, ErrorKind::Forbidden),
            (staff(StaffRole::Employee), OWN, ErrorKind::Forbidden),
            (a_champion(), FOREIGN, ErrorKind::NotFound),
        ] {
            let service = on_team_of(organization).service();
            let refused = service.create_refinement(&actor, TEAM, data(json!({}))).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
        let mut fixture = Fixture::default();
        fixture.refinements.expect_find_place().return_once(|_| Ok(None));
        let refused =
            fixture.service().create_refinement(&staff(StaffRole::Admin), TEAM, data(json!({}))).await;
        assert_eq!(refused.expect_err("no such team").kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn practice_to_come_is_refused() {
        let ahead = data(json!({ "occurred_on": "2026-02-01" }));
        let refused = on_team_of(OWN).service().create_refinement(&a_champion(), TEAM, ahead).await;
        assert_eq!(refused.expect_err("refused").code(), "validation_failed");
    }
}
