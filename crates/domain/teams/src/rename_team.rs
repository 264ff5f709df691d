use domain_kernel::{Actor, AuditSubject, Permission, Refusal, Scope, TeamId};
use serde_json::json;

use crate::{Team, TeamError, TeamName, TeamService};

impl TeamService {
    /// Gives a team another name. Without one nothing changes, but the actor must still be allowed to.
    pub async fn rename_team(
        &self,
        actor: &Actor,
        id: TeamId,
        name: Option<TeamName>,
    ) -> Result<Team, TeamError> {
        let (actor, now, audit_id) = (actor.clone(), self.clock.now(), self.ids.next());
        let edit = Box::new(move |team: &mut Team| {
            if !team.is_live() {
                return Err(Refusal::NotFound.into());
            }
            actor.require(Permission::TeamRename, Scope::Team(team.organization, team.id))?;
            let Some(name) = name.filter(|name| *name != team.name) else { return Ok(None) };
            let subject = AuditSubject::Team(team.id);
            let audit = actor
                .audit(audit_id, now, "team.rename", Some(team.organization), subject)
                .before(json!({ "name": team.name.as_str() }))
                .after(json!({ "name": name.as_str() }));
            team.rename(name, now);
            Ok(Some(audit))
        });
        self.teams.update(id, edit).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::tests::{FOREIGN, Fixture, OWN, TEAM, a_team, on_the_team};

    fn name() -> Option<TeamName> {
        TeamName::parse("Yard").ok()
    }

    #[tokio::test]
    async fn a_lead_renames_the_own_team() {
        let service = Fixture::holding(a_team(OWN)).service();
        let team = service.rename_team(&on_the_team(true), TEAM, name()).await.expect("renames");
        assert_eq!(team.name.as_str(), "Yard");
    }

    #[tokio::test]
    async fn no_name_or_the_same_name_changes_nothing_and_leaves_no_audit_row() {
        for name in [None, Some(a_team(OWN).name)] {
            let mut fixture = Fixture::default();
            fixture.teams.expect_update().return_once(|_, edit| {
                let mut team = a_team(OWN);
                assert_eq!(edit(&mut team)?, None);
                Ok(team)
            });
            let team = fixture.service().rename_team(&on_the_team(true), TEAM, name).await;
            assert_eq!(team.expect("answers"), a_team(OWN));
        }
    }

    #[tokio::test]
    async fn members_and_staff_who_read_may_not_and_outsiders_see_nothing() {
        for (actor, organization, kind) in [
            (on_the_team(false), OWN, ErrorKind::Forbidden),
            (staff(StaffRole::Employee), OWN, ErrorKind::Forbidden),
            (member_of(OWN, true), FOREIGN, ErrorKind::NotFound),
        ] {
            let refused =
                Fixture::holding(a_team(organization)).service().rename_team(&actor, TEAM, name()).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
