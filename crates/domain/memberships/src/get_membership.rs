use domain_kernel::{Actor, MembershipId, OrgId, Permission, Refusal, Scope};

use crate::{Membership, MembershipError, MembershipService, MembershipView};

/// As what somebody reads a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Runs the organization, or is a staff admin: sees every invite code.
    Admin,
    /// Runs a team of the person, or is staff that reads: sees the invite codes of people who get no say with them. Whoever
    /// reads a code can take the membership, so nobody may get further by it than they are.
    Lead,
    /// The person themselves.
    Person,
    /// Somebody else of the organization: sees who it is, and not how to reach them.
    Colleague,
}

impl Reader {
    /// As what somebody reads of an organization's people who may read memberships there.
    pub(crate) fn above(actor: &Actor, organization: OrgId) -> Self {
        let manages = actor.require(Permission::InvitationManage, Scope::Organization(organization));
        if manages.is_ok() { Self::Admin } else { Self::Lead }
    }

    /// Whether the invite code is shown; `gives_say` tells that whoever takes the membership runs the organization or a team.
    pub fn sees_code(self, gives_say: bool) -> bool {
        match self {
            Self::Admin => true,
            Self::Lead => !gives_say,
            Self::Person | Self::Colleague => false,
        }
    }
}

impl MembershipService {
    /// A membership, for the person and for those above them.
    pub async fn get_membership(
        &self,
        actor: &Actor,
        id: MembershipId,
    ) -> Result<(MembershipView, Reader), MembershipError> {
        let view = self.memberships.find(id).await?.ok_or(Refusal::NotFound)?;
        let reader = view.membership.reader(actor)?;
        Ok((view.at(self.clock.now()), reader))
    }
}

impl Membership {
    /// As what the actor may read it: the person, an admin of a team they are on, or anybody above.
    pub(crate) fn reader(&self, actor: &Actor) -> Result<Reader, Refusal> {
        if self.user == Some(actor.user) {
            return Ok(Reader::Person);
        }
        let runs =
            |team| actor.require(Permission::MembershipRead, Scope::Team(self.organization, team)).is_ok();
        if !self.teams.iter().copied().any(runs) {
            actor.require(Permission::MembershipRead, Scope::Organization(self.organization))?;
        }
        Ok(self.admin_reader(actor))
    }

    /// As what somebody reads it who may read memberships here.
    pub(crate) fn admin_reader(&self, actor: &Actor) -> Reader {
        Reader::above(actor, self.organization)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole, TeamId};
    use uuid::Uuid;

    use super::*;
    use crate::tests::{Fixture, ORG, a_view};

    const TEAM: TeamId = TeamId::new(Uuid::from_u128(5));
    const OTHER_TEAM: TeamId = TeamId::new(Uuid::from_u128(6));

    fn lead_of(team: TeamId) -> Actor {
        let mut actor = member_of(ORG, false);
        for membership in &mut actor.memberships {
            membership.administered_teams = vec![team];
        }
        actor
    }

    async fn read_by(actor: &Actor, view: MembershipView) -> Result<Reader, ErrorKind> {
        let mut fixture = Fixture::default();
        let id = view.membership.id;
        fixture.memberships.expect_find().return_once(move |_| Ok(Some(view)));
        let read = fixture.service().get_membership(actor, id).await;
        read.map(|(_, reader)| reader).map_err(|error| error.kind())
    }

    fn on(team: TeamId) -> MembershipView {
        let mut view = a_view();
        view.membership.teams = vec![team];
        view
    }

    #[tokio::test]
    async fn the_person_and_those_above_may_read() {
        let mut own = on(TEAM);
        let person = member_of(ORG, false);
        own.membership.user = Some(person.user);
        assert_eq!(read_by(&person, own).await, Ok(Reader::Person));
        for (actor, reader) in [
            (lead_of(TEAM), Reader::Lead),
            (staff(StaffRole::Employee), Reader::Lead),
            (member_of(ORG, true), Reader::Admin),
            (staff(StaffRole::Admin), Reader::Admin),
        ] {
            assert_eq!(read_by(&actor, on(TEAM)).await, Ok(reader));
        }
    }

    #[tokio::test]
    async fn others_of_the_organization_may_not_and_outsiders_see_nothing() {
        let elsewhere = OrgId::new(Uuid::from_u128(99));
        assert_eq!(read_by(&lead_of(OTHER_TEAM), on(TEAM)).await, Err(ErrorKind::Forbidden));
        assert_eq!(read_by(&member_of(ORG, false), on(TEAM)).await, Err(ErrorKind::Forbidden));
        assert_eq!(read_by(&member_of(elsewhere, true), on(TEAM)).await, Err(ErrorKind::NotFound));
    }
}
