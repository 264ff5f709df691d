use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    ChampionCertificationId, CourseId, CourseVersionId, InvitationId, MembershipId, OrgId, Origin,
    RefinementId, TeamId, UserId,
};

/// What an audited write was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditSubject {
    /// An organization.
    Organization(OrgId),
    /// A membership.
    Membership(MembershipId),
    /// A team.
    Team(TeamId),
    /// A course.
    Course(CourseId),
    /// A version of a course.
    CourseVersion(CourseVersionId),
    /// An account.
    User(UserId),
    /// An invitation.
    Invitation(InvitationId),
    /// A certification as champion.
    ChampionCertification(ChampionCertificationId),
    /// A refinement.
    Refinement(RefinementId),
}

impl AuditSubject {
    /// The kind as stored, and the id.
    pub fn parts(self) -> (&'static str, Uuid) {
        match self {
            Self::Organization(id) => ("organization", id.uuid()),
            Self::Membership(id) => ("membership", id.uuid()),
            Self::Team(id) => ("team", id.uuid()),
            Self::Course(id) => ("course", id.uuid()),
            Self::CourseVersion(id) => ("course_version", id.uuid()),
            Self::User(id) => ("user", id.uuid()),
            Self::Invitation(id) => ("invitation", id.uuid()),
            Self::ChampionCertification(id) => ("champion_certification", id.uuid()),
            Self::Refinement(id) => ("refinement", id.uuid()),
        }
    }
}

/// One row of the audit trail: a write by staff or by an organization admin.
///
/// Stored in the same transaction as the write it tells of; never changed or deleted afterwards.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Id of the row.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: UserId,
    /// In which organization, if in one.
    pub organization: Option<OrgId>,
    /// What was done, such as `membership.create`.
    pub action: &'static str,
    /// To what.
    pub subject: AuditSubject,
    /// The fields before, without secrets.
    pub before: Option<Value>,
    /// The fields after, without secrets.
    pub after: Option<Value>,
    /// From where.
    pub origin: Origin,
}

impl AuditEntry {
    /// Sets what the subject looked like before the write.
    #[must_use]
    pub fn before(mut self, before: Value) -> Self {
        self.before = Some(before);
        self
    }

    /// Sets what the subject looks like after the write.
    #[must_use]
    pub fn after(mut self, after: Value) -> Self {
        self.after = Some(after);
        self
    }
}
