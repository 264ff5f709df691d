use domain_kernel::{Actor, AuditSubject, Permission, RefinementId, Scope, TeamId};
use serde_json::json;

use crate::{Refinement, RefinementData, TeamError, TeamService};

impl TeamService {
    /// Replaces what a refinement says: the own ones, for those who may note them; staff admins all. Without data nothing
    /// changes, but the actor must still be allowed to.
    pub async fn update_refinement(
        &self,
        actor: &Actor,
        team: TeamId,
        id: RefinementId,
        data: Option<RefinementData>,
    ) -> Result<Refinement, TeamError> {
        let place = self.practised_team(actor, team).await?;
        let (actor, now, audit_id) = (actor.clone(), self.clock.now(), self.ids.next());
        let edit = Box::new(move |refinement: &mut Refinement| {
            if refinement.created_by != actor.user {
                actor.require(Permission::RefinementManage, Scope::Team(place.organization, team))?;
            }
            let Some(data) = data.filter(|data| *data != refinement.data) else { return Ok(None) };
            let before = refinement.occurred_on;
            refinement.replace(data, place, now)?;
            let subject = AuditSubject::Refinement(refinement.id);
            let audit = actor
                .audit(audit_id, now, "refinement.update", Some(place.organization), subject)
                .before(json!({ "occurred_on": before.to_string() }))
                .after(json!({ "occurred_on": refinement.occurred_on.to_string() }));
            Ok(Some(audit))
        });
        self.refinements.update(team, id, edit).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, OrgId, StaffRole, UserId};
    use uuid::Uuid;

    use super::*;
    use crate::TeamPlace;
    use crate::tests::{FOREIGN, Fixture, OWN, TEAM, a_champion, a_refinement, on_the_team};

    fn data(raw: serde_json::Value) -> Option<RefinementData> {
        RefinementData::parse(raw).ok()
    }

    fn holding(refinement: Refinement, changes: bool) -> TeamService {
        let mut fixture = Fixture::default();
        let place = TeamPlace::from_stored(refinement.organization, "UTC");
        fixture.refinements.expect_find_place().return_once(move |_| Ok(Some(place)));
        fixture.refinements.expect_update().return_once(move |_, _, edit| {
            let mut refinement = refinement;
            let audit = edit(&mut refinement)?;
            assert_eq!(audit.is_some(), changes);
            Ok(refinement)
        });
        fixture.service()
    }

    async fn changed_by(actor: &Actor, author: UserId, organization: OrgId) -> Result<Refinement, ErrorKind> {
        let refinement = Refinement { created_by: author, ..a_refinement(organization) };
        let (id, new) = (refinement.id, data(json!({ "notes": "knees" })));
        let changed = holding(refinement, true).update_refinement(actor, TEAM, id, new).await;
        changed.map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn everybody_changes_the_own_ones_and_only_staff_admins_those_of_others() {
        let somebody_else = UserId::new(Uuid::from_u128(77));
        for actor in [a_champion(), on_the_team(true), member_of(OWN, true), staff(StaffRole::Admin)] {
            let changed = changed_by(&actor, actor.user, OWN).await.expect("the own one");
            assert_eq!(Some(changed.data), data(json!({ "notes": "knees" })));
            let of_others = changed_by(&actor, somebody_else, OWN).await;
            assert_eq!(of_others.is_ok(), actor.staff.is_some(), "{of_others:?}");
            assert_eq!(of_others.err(), actor.staff.is_none().then_some(ErrorKind::Forbidden));
        }
    }

    #[tokio::test]
    async fn who_is_no_champion_any_more_may_not_even_change_the_own_ones() {
        for (actor, organization, kind) in [
            (on_the_team(false), OWN, ErrorKind::Forbidden),
            (staff(StaffRole::Employee), OWN, ErrorKind::Forbidden),
            (a_champion(), FOREIGN, ErrorKind::NotFound),
        ] {
            assert_eq!(changed_by(&actor, actor.user, organization).await, Err(kind));
        }
    }

    #[tokio::test]
    async fn nothing_or_the_same_changes_nothing_and_leaves_no_audit_row() {
        let refinement = Refinement { created_by: a_champion().user, ..a_refinement(OWN) };
        for new in [None, Some(refinement.data.clone())] {
            let service = holding(refinement.clone(), false);
            let kept = service.update_refinement(&a_champion(), TEAM, refinement.id, new).await;
            assert_eq!(kept.expect("answers"), refinement);
        }
    }
}
