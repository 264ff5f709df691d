use domain_kernel::{Actor, AuditSubject, ExternalId, OrgId, Permission, Scope, TeamId};
use serde_json::Value;

use crate::change_organization_team::noted;
use crate::{Team, TeamError, TeamName, TeamPeople, TeamService};

/// What is needed to open a team with its people.
#[derive(Debug, Clone)]
pub struct CreateOrganizationTeam {
    /// In which organization.
    pub organization: OrgId,
    /// Its name.
    pub name: TeamName,
    /// The customer's own number for it.
    pub external_id: Option<ExternalId>,
    /// Who is on it and who runs it.
    pub people: TeamPeople,
}

impl TeamService {
    /// Opens a team with its people, for staff admins.
    pub async fn create_organization_team(
        &self,
        actor: &Actor,
        command: CreateOrganizationTeam,
    ) -> Result<Team, TeamError> {
        let CreateOrganizationTeam { organization, name, external_id, people } = command;
        actor.require(Permission::TeamManage, Scope::Organization(organization))?;
        let (id, now) = (TeamId::new(self.ids.next()), self.clock.now());
        let team = Team { external_id, ..Team::new(id, organization, name, now) };
        let after = noted(&team, &people).map(|(name, is)| (name.to_owned(), is));
        let audit = actor
            .audit(self.ids.next(), now, "team.create", Some(organization), AuditSubject::Team(id))
            .after(Value::Object(after.into_iter().collect()));
        self.teams.insert_with_people(team, people, audit).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, MembershipId, StaffRole};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::tests::{FOREIGN, Fixture, OWN};

    fn command(organization: OrgId) -> CreateOrganizationTeam {
        let person = MembershipId::new(Uuid::from_u128(4));
        CreateOrganizationTeam {
            organization,
            name: TeamName::parse("Night shift").expect("a name"),
            external_id: ExternalId::parse("T-1").ok(),
            people: TeamPeople { members: [person].into(), admins: [person].into() },
        }
    }

    #[tokio::test]
    async fn a_staff_admin_opens_a_team_and_the_trail_tells_with_whom() {
        let mut fixture = Fixture::default();
        fixture.teams.expect_insert_with_people().return_once(|team, people, audit| {
            assert_eq!(people, command(OWN).people);
            let ids = json!(["00000000-0000-0000-0000-000000000004"]);
            let told = json!({
                "name": "Night shift", "external_id": "T-1", "membership_ids": ids, "admin_membership_ids": ids
            });
            assert_eq!((audit.action, audit.after), ("team.create", Some(told)));
            Ok(team)
        });
        let staff = staff(StaffRole::Admin);
        let team = fixture.service().create_organization_team(&staff, command(OWN)).await.expect("opens");
        assert_eq!(team.external_id, ExternalId::parse("T-1").ok());
    }

    #[tokio::test]
    async fn customers_and_staff_who_read_may_not_and_outsiders_see_nothing() {
        for (actor, organization, kind) in [
            (member_of(OWN, true), OWN, ErrorKind::Forbidden),
            (staff(StaffRole::Employee), OWN, ErrorKind::Forbidden),
            (member_of(OWN, true), FOREIGN, ErrorKind::NotFound),
        ] {
            let service = Fixture::default().service();
            let refused = service.create_organization_team(&actor, command(organization)).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
