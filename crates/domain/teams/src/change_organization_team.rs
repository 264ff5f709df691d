use std::collections::BTreeSet;

use domain_kernel::{
    Actor, AuditSubject, ExternalId, MembershipId, OrgId, Patch, Permission, Refusal, Scope, TeamId,
};
use serde_json::{Value, json};

use crate::{Team, TeamError, TeamName, TeamPeople, TeamService};

/// What shall be different about a team; absent parts stay.
#[derive(Debug, Clone, Default)]
pub struct TeamChange {
    /// Its name.
    pub name: Option<TeamName>,
    /// The customer's own number for it.
    pub external_id: Patch<ExternalId>,
    /// Who is on it, all of them.
    pub members: Option<BTreeSet<MembershipId>>,
    /// Who runs it, all of them.
    pub admins: Option<BTreeSet<MembershipId>>,
}

impl TeamService {
    /// Changes a team and who is on it and runs it, for staff admins. Who is not named leaves; people who have left the
    /// organization keep their place.
    pub async fn change_organization_team(
        &self,
        actor: &Actor,
        organization: OrgId,
        id: TeamId,
        change: TeamChange,
    ) -> Result<Team, TeamError> {
        actor.require(Permission::TeamManage, Scope::Team(organization, id))?;
        let (actor, now, audit_id) = (actor.clone(), self.clock.now(), self.ids.next());
        let edit = Box::new(move |team: &mut Team, people: &mut TeamPeople| {
            if !team.is_live() || team.organization != organization {
                return Err(Refusal::NotFound.into());
            }
            let before = noted(team, people);
            team.name = change.name.unwrap_or_else(|| team.name.clone());
            change.external_id.apply(&mut team.external_id);
            people.members = change.members.unwrap_or_else(|| people.members.clone());
            people.admins = change.admins.unwrap_or_else(|| people.admins.clone());
            let subject = AuditSubject::Team(team.id);
            let entry = actor.audit(audit_id, now, "team.update", Some(organization), subject);
            let audit = entry.differing(before, noted(team, people));
            if audit.is_some() {
                team.updated_at = now;
            }
            Ok(audit)
        });
        self.teams.update_with_people(id, edit).await
    }
}

/// A team with its people, as the audit trail has it.
pub(crate) fn noted(team: &Team, people: &TeamPeople) -> [(&'static str, Value); 4] {
    let ids = |people: &BTreeSet<MembershipId>| people.iter().map(ToString::to_string).collect::<Vec<_>>();
    [
        ("name", json!(team.name.as_str())),
        ("external_id", json!(team.external_id.as_ref().map(ExternalId::as_str))),
        ("membership_ids", json!(ids(&people.members))),
        ("admin_membership_ids", json!(ids(&people.admins))),
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{AuditEntry, DomainError, ErrorKind, StaffRole};
    use uuid::Uuid;

    use super::*;
    use crate::tests::{FOREIGN, Fixture, OWN, TEAM, a_team};

    fn person(n: u128) -> MembershipId {
        MembershipId::new(Uuid::from_u128(n))
    }

    fn stored() -> TeamPeople {
        TeamPeople { members: [1, 2].map(person).into(), admins: [person(1)].into() }
    }

    /// Team, people and audit row after the change.
    async fn change(
        team: Team,
        change: TeamChange,
    ) -> Result<(Team, TeamPeople, Option<AuditEntry>), TeamError> {
        let (mut fixture, seen) = (Fixture::default(), Arc::new(Mutex::new(None)));
        let written = Arc::clone(&seen);
        fixture.teams.expect_update_with_people().return_once(move |_, edit| {
            let (mut team, mut people) = (team, stored());
            let audit = edit(&mut team, &mut people)?;
            *written.lock().expect("lock") = Some((people, audit));
            Ok(team)
        });
        let staff = staff(StaffRole::Admin);
        let team = fixture.service().change_organization_team(&staff, OWN, TEAM, change).await?;
        let (people, audit) = seen.lock().expect("lock").take().expect("the edit ran");
        Ok((team, people, audit))
    }

    #[tokio::test]
    async fn lists_replace_as_a_whole_and_the_trail_tells_what_changed() {
        let wanted = TeamChange {
            external_id: ExternalId::parse("T-1").map_or(Patch::Keep, Patch::Set),
            members: Some([2, 3].map(person).into()),
            ..TeamChange::default()
        };
        let (team, people, audit) = change(a_team(OWN), wanted).await.expect("changes");
        assert_eq!(team.external_id, ExternalId::parse("T-1").ok());
        assert_eq!(people, TeamPeople { members: [2, 3].map(person).into(), ..stored() });
        let ids = |all: [u128; 2]| all.map(|n| person(n).to_string());
        let row = audit.expect("a row");
        assert_eq!(row.before, Some(json!({ "external_id": null, "membership_ids": ids([1, 2]) })));
        assert_eq!(row.after, Some(json!({ "external_id": "T-1", "membership_ids": ids([2, 3]) })));
    }

    #[tokio::test]
    async fn what_is_so_already_leaves_no_trace() {
        let same = TeamChange {
            name: Some(a_team(OWN).name),
            external_id: Patch::Clear,
            members: Some(stored().members),
            admins: Some(stored().admins),
        };
        for wanted in [TeamChange::default(), same] {
            let answered = change(a_team(OWN), wanted).await.expect("answers");
            assert_eq!(answered, (a_team(OWN), stored(), None));
        }
    }

    #[tokio::test]
    async fn a_team_that_is_deleted_or_of_another_organization_is_not_found() {
        let deleted = Team { deleted_at: Some(a_team(OWN).created_at), ..a_team(OWN) };
        for team in [a_team(FOREIGN), deleted] {
            let refused = change(team, TeamChange::default()).await.expect_err("refused");
            assert_eq!(refused.kind(), ErrorKind::NotFound);
        }
    }

    #[tokio::test]
    async fn customers_and_staff_who_read_may_not_and_outsiders_see_nothing() {
        for (actor, organization, kind) in [
            (member_of(OWN, true), OWN, ErrorKind::Forbidden),
            (staff(StaffRole::Employee), OWN, ErrorKind::Forbidden),
            (member_of(OWN, true), FOREIGN, ErrorKind::NotFound),
        ] {
            let service = Fixture::default().service();
            let change = TeamChange::default();
            let refused = service.change_organization_team(&actor, organization, TEAM, change).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
