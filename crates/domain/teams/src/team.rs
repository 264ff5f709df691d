use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain_kernel::{
    ExternalId, FieldProblem, MembershipId, OrgId, PersonName, TeamId, TextRule, UserId, parse_text,
};

/// Name of a team: 1 to 100 characters, unique among the live teams of an organization with case ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamName(String);

impl TeamName {
    /// Parses what a person typed.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        parse_text(raw, TextRule { min: 1, max: 100 }).map(Self)
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A team of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Key.
    pub id: TeamId,
    /// Whose it is.
    pub organization: OrgId,
    /// Name.
    pub name: TeamName,
    /// The customer's own number for it, unique among the live teams of the organization.
    pub external_id: Option<ExternalId>,
    /// Active memberships on it.
    pub memberships_count: i64,
    /// Memberships that run it.
    pub admins_count: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Set once it is deleted.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Who is on a team and who runs it. People who have left do not count, though their place is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamPeople {
    /// Memberships on it, pending or active.
    pub members: BTreeSet<MembershipId>,
    /// Memberships that run it.
    pub admins: BTreeSet<MembershipId>,
}

/// Somebody who runs a team. They need not be on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamAdmin {
    /// The team.
    pub team: TeamId,
    /// Their membership in the organization.
    pub membership: MembershipId,
    /// Their account; none while the membership is pending.
    pub user: Option<UserId>,
    /// First name as on the roster.
    pub first_name: PersonName,
    /// Last name as on the roster.
    pub last_name: PersonName,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

impl Team {
    /// A new team without members.
    pub fn new(id: TeamId, organization: OrgId, name: TeamName, now: DateTime<Utc>) -> Self {
        Self {
            id,
            organization,
            name,
            external_id: None,
            memberships_count: 0,
            admins_count: 0,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }

    /// Whether it can be seen and changed.
    pub fn is_live(&self) -> bool {
        self.deleted_at.is_none()
    }

    /// Gives it another name.
    pub fn rename(&mut self, name: TeamName, now: DateTime<Utc>) {
        self.name = name;
        self.updated_at = now;
    }

    /// Ends it. Memberships stay; their link to the team ends.
    pub fn delete(&mut self, now: DateTime<Utc>) {
        self.deleted_at = Some(now);
        self.updated_at = now;
    }
}
