use chrono::TimeDelta;
use domain_kernel::{Actor, AuditSubject, Permission, Refusal, Scope, TeamId};
use serde_json::json;

use crate::{Team, TeamError, TeamService};

/// How long deleting a team again still answers with it, for clients that repeat a request whose answer got lost.
const REPEATABLE: TimeDelta = TimeDelta::days(30);

impl TeamService {
    /// Deletes a team: its members and admins are let go, their memberships stay. Deleting it again within 30 days changes
    /// nothing and gives it again.
    pub async fn delete_team(&self, actor: &Actor, id: TeamId) -> Result<Team, TeamError> {
        let (actor, now, audit_id) = (actor.clone(), self.clock.now(), self.ids.next());
        let edit = Box::new(move |team: &mut Team| {
            actor.require(Permission::TeamDelete, Scope::Team(team.organization, team.id))?;
            match team.deleted_at {
                Some(deleted_at) if now - deleted_at < REPEATABLE => return Ok(None),
                Some(_) => return Err(Refusal::NotFound.into()),
                None => {}
            }
            let subject = AuditSubject::Team(team.id);
            let audit = actor
                .audit(audit_id, now, "team.delete", Some(team.organization), subject)
                .before(json!({ "name": team.name.as_str() }));
            team.delete(now);
            Ok(Some(audit))
        });
        self.teams.update(id, edit).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::member_of;
    use domain_kernel::{Clock, DomainError, ErrorKind};

    use super::*;
    use crate::tests::{Fixture, OWN, TEAM, a_team, on_the_team};

    #[tokio::test]
    async fn an_org_admin_deletes_a_team_and_a_lead_may_not() {
        let deleted = Fixture::holding(a_team(OWN)).service().delete_team(&member_of(OWN, true), TEAM).await;
        assert!(deleted.expect("deletes").deleted_at.is_some());
        let refused = Fixture::holding(a_team(OWN)).service().delete_team(&on_the_team(true), TEAM).await;
        assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
    }

    #[tokio::test]
    async fn deleting_again_changes_nothing_for_thirty_days_and_is_not_found_after() {
        let mut team = a_team(OWN);
        team.delete(Fixture::default().clock.now());
        for (days, is_there) in [(29, true), (30, false)] {
            let fixture = Fixture::holding(team.clone());
            fixture.clock.advance(TimeDelta::days(days));
            let again = fixture.service().delete_team(&member_of(OWN, true), TEAM).await;
            assert_eq!(again.ok(), is_there.then(|| team.clone()));
        }
    }
}
