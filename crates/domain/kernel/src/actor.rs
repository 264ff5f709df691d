use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::policy::{self, Permission, Role, StaffRole};
use crate::{AuditEntry, AuditSubject, MembershipId, OrgId, Refusal, TeamId, UserId};

/// Where a request came from: key of the throttles, and part of the audit trail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The request id of the answer's `x-request-id`.
    pub request_id: String,
    /// Address of the client.
    pub ip: Option<IpAddr>,
}

impl Origin {
    /// What the per-address throttles count by: the IPv4 address, or the /64 network of an IPv6 address, since one
    /// device can pick any address of its network.
    pub fn throttle_key(&self) -> String {
        match self.ip.map(|ip| ip.to_canonical()) {
            Some(IpAddr::V6(ip)) => {
                let [a, b, c, d, ..] = ip.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
            Some(IpAddr::V4(ip)) => ip.to_string(),
            None => "unknown".to_owned(),
        }
    }
}

/// The part of an active membership that permissions are decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorMembership {
    /// The membership.
    pub id: MembershipId,
    /// Its organization.
    pub organization: OrgId,
    /// Whether it runs the organization.
    pub org_admin: bool,
    /// Teams it is on.
    pub teams: Vec<TeamId>,
    /// Teams it runs.
    pub administered_teams: Vec<TeamId>,
}

/// Who is asking: loaded once per request, together with the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person.
    pub user: UserId,
    /// The person's role at Worklete, if any.
    pub staff: Option<StaffRole>,
    /// Active memberships only.
    pub memberships: Vec<ActorMembership>,
    /// Whether the person holds a valid certification as champion: one on each of their teams.
    pub is_champion: bool,
    /// Where the request came from.
    pub origin: Origin,
}

/// What an action is about, as far as permissions care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The platform itself: the staff area.
    Platform,
    /// An organization.
    Organization(OrgId),
    /// A team of an organization.
    Team(OrgId, TeamId),
}

impl Actor {
    /// Passes when the actor's role in `scope` allows `permission`.
    ///
    /// A scope in an organization the actor has no part in is refused with [`Refusal::NotFound`], so that nothing
    /// about other organizations is revealed; a known one with [`Refusal::Forbidden`].
    pub fn require(&self, permission: Permission, scope: Scope) -> Result<(), Refusal> {
        match (self.staff_role(), self.own_role(scope)) {
            (None, None) if scope == Scope::Platform => Err(Refusal::StaffOnly),
            (None, None) => Err(Refusal::NotFound),
            // A staff employee who also runs an organization keeps what that role allows, so either may say yes.
            roles
                if [roles.0, roles.1].into_iter().flatten().any(|role| policy::allows(role, permission)) =>
            {
                Ok(())
            }
            _ => Err(Refusal::Forbidden),
        }
    }

    /// The organizations that the actor can see anything of; none for staff, who see all.
    pub fn horizon(&self) -> Option<Vec<OrgId>> {
        let own = || self.memberships.iter().map(|membership| membership.organization).collect();
        self.staff.is_none().then(own)
    }

    /// The actor's highest role in `scope`, or `None` when the actor has no part in it.
    pub fn role_in(&self, scope: Scope) -> Option<Role> {
        self.staff_role().max(self.own_role(scope))
    }

    fn staff_role(&self) -> Option<Role> {
        self.staff.map(|role| match role {
            StaffRole::Employee => Role::StaffEmployee,
            StaffRole::Admin => Role::StaffAdmin,
        })
    }

    fn own_role(&self, scope: Scope) -> Option<Role> {
        let organization = match scope {
            Scope::Platform => return None,
            Scope::Organization(organization) | Scope::Team(organization, _) => organization,
        };
        self.memberships.iter().find(|m| m.organization == organization).map(|m| match scope {
            _ if m.org_admin => Role::OrgAdmin,
            Scope::Team(_, team) if m.administered_teams.contains(&team) => Role::TeamAdmin,
            Scope::Team(_, team) if m.teams.contains(&team) && self.is_champion => Role::Champion,
            Scope::Team(_, team) if m.teams.contains(&team) => Role::TeamMember,
            _ => Role::Member,
        })
    }

    /// The audit row for a write by this actor. `before` and `after` must hold no secrets.
    pub fn audit(
        &self,
        id: Uuid,
        at: DateTime<Utc>,
        action: &'static str,
        organization: Option<OrgId>,
        subject: AuditSubject,
    ) -> AuditEntry {
        AuditEntry {
            id,
            at,
            actor: self.user,
            organization,
            action,
            subject,
            before: None,
            after: None,
            origin: self.origin.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: OrgId = OrgId::new(Uuid::from_u128(1));
    const FOREIGN: OrgId = OrgId::new(Uuid::from_u128(2));
    const TEAM: TeamId = TeamId::new(Uuid::from_u128(3));
    const OTHER_TEAM: TeamId = TeamId::new(Uuid::from_u128(4));

    fn actor(staff: Option<StaffRole>, org_admin: bool, administered_teams: Vec<TeamId>) -> Actor {
        let id = MembershipId::new(Uuid::from_u128(5));
        let membership =
            ActorMembership { id, organization: OWN, org_admin, teams: vec![], administered_teams };
        Actor {
            user: UserId::new(Uuid::from_u128(6)),
            staff,
            memberships: vec![membership],
            is_champion: false,
            origin: Origin::default(),
        }
    }

    #[test]
    fn roles_are_found_per_scope() {
        let lead = actor(None, false, vec![TEAM]);
        assert_eq!(lead.role_in(Scope::Team(OWN, TEAM)), Some(Role::TeamAdmin));
        assert_eq!(lead.role_in(Scope::Team(OWN, OTHER_TEAM)), Some(Role::Member));
        assert_eq!(lead.role_in(Scope::Organization(OWN)), Some(Role::Member));
        assert_eq!(lead.role_in(Scope::Organization(FOREIGN)), None);
        assert_eq!(lead.role_in(Scope::Platform), None);
        assert_eq!(actor(None, true, vec![]).role_in(Scope::Team(OWN, OTHER_TEAM)), Some(Role::OrgAdmin));
    }

    #[test]
    fn a_champion_is_one_on_the_own_teams_only() {
        let mut champion = actor(None, false, vec![]);
        champion.is_champion = true;
        for membership in &mut champion.memberships {
            membership.teams = vec![TEAM];
        }
        assert_eq!(champion.role_in(Scope::Team(OWN, TEAM)), Some(Role::Champion));
        assert_eq!(champion.role_in(Scope::Team(OWN, OTHER_TEAM)), Some(Role::Member));
        assert_eq!(champion.role_in(Scope::Team(FOREIGN, TEAM)), None);
        champion.is_champion = false;
        assert_eq!(champion.role_in(Scope::Team(OWN, TEAM)), Some(Role::TeamMember));
    }

    #[test]
    fn staff_outranks_a_membership_and_reaches_every_organization() {
        let staff = actor(Some(StaffRole::Employee), true, vec![]);
        assert_eq!(staff.role_in(Scope::Organization(OWN)), Some(Role::StaffEmployee));
        assert_eq!(staff.role_in(Scope::Organization(FOREIGN)), Some(Role::StaffEmployee));
    }

    #[test]
    fn an_employee_keeps_the_rights_of_an_own_membership() {
        let admin_of_own = actor(Some(StaffRole::Employee), true, vec![]);
        assert_eq!(admin_of_own.require(Permission::MembershipCreate, Scope::Organization(OWN)), Ok(()));
        let foreign = Scope::Organization(FOREIGN);
        assert_eq!(admin_of_own.require(Permission::MembershipCreate, foreign), Err(Refusal::Forbidden));
    }

    #[test]
    fn a_foreign_organization_is_not_found_and_the_own_one_forbidden() {
        let member = actor(None, false, vec![]);
        let ask = |scope| member.require(Permission::MembershipCreate, scope);
        assert_eq!(ask(Scope::Organization(OWN)), Err(Refusal::Forbidden));
        assert_eq!(ask(Scope::Organization(FOREIGN)), Err(Refusal::NotFound));
        assert_eq!(ask(Scope::Platform), Err(Refusal::StaffOnly));
    }

    #[test]
    fn an_employee_reads_and_an_admin_writes() {
        let ask = |staff| {
            actor(Some(staff), false, vec![]).require(Permission::OrganizationCreate, Scope::Platform)
        };
        assert_eq!(ask(StaffRole::Employee), Err(Refusal::Forbidden));
        assert_eq!(ask(StaffRole::Admin), Ok(()));
    }
}
