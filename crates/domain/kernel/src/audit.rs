use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    ChampionCertificationId, CourseId, CourseVersionId, ImportId, InvitationId, MembershipId, OrgId, Origin,
    RefinementId, TeamId, TrainingCategoryId, UserId,
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
    /// A training category.
    TrainingCategory(TrainingCategoryId),
    /// A certification as champion.
    ChampionCertification(ChampionCertificationId),
    /// A refinement.
    Refinement(RefinementId),
    /// An import of a roster.
    Import(ImportId),
}

impl AuditSubject {
    /// All kinds, as stored.
    pub const KINDS: [&'static str; 11] = [
        "organization",
        "membership",
        "team",
        "course",
        "course_version",
        "user",
        "invitation",
        "training_category",
        "champion_certification",
        "refinement",
        "import",
    ];

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
            Self::TrainingCategory(id) => ("training_category", id.uuid()),
            Self::ChampionCertification(id) => ("champion_certification", id.uuid()),
            Self::Refinement(id) => ("refinement", id.uuid()),
            Self::Import(id) => ("import", id.uuid()),
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

    /// The row with the fields that are different after the write. None when all are the same: there is nothing to tell.
    pub fn differing<const N: usize>(self, before: Fields<N>, after: Fields<N>) -> Option<Self> {
        let (mut was, mut is) = (Map::new(), Map::new());
        for ((name, old), (_, new)) in before.into_iter().zip(after).filter(|((_, old), (_, new))| old != new)
        {
            was.insert(name.to_owned(), old);
            is.insert(name.to_owned(), new);
        }
        (!is.is_empty()).then(|| self.before(Value::Object(was)).after(Value::Object(is)))
    }
}

/// What the trail tells of a thing: names and values, always in the same order.
type Fields<const N: usize> = [(&'static str, Value); N];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry() -> AuditEntry {
        AuditEntry {
            id: Uuid::nil(),
            at: DateTime::UNIX_EPOCH,
            actor: UserId::new(Uuid::nil()),
            organization: None,
            action: "team.update",
            subject: AuditSubject::Team(TeamId::new(Uuid::nil())),
            before: None,
            after: None,
            origin: Origin::default(),
        }
    }

    #[test]
    fn a_row_tells_what_changed_and_there_is_none_for_no_change() {
        let fields = |name: &str| [("name", json!(name)), ("external_id", Value::Null)];
        assert_eq!(entry().differing(fields("Dock"), fields("Dock")), None);
        let row = entry().differing(fields("Dock"), fields("Yard")).expect("the name changed");
        assert_eq!(
            (row.before, row.after),
            (Some(json!({ "name": "Dock" })), Some(json!({ "name": "Yard" })))
        );
    }

    #[test]
    fn every_kind_is_listed_once() {
        let id = Uuid::from_u128(1);
        let kinds = [
            AuditSubject::Organization(OrgId::new(id)),
            AuditSubject::Membership(MembershipId::new(id)),
            AuditSubject::Team(TeamId::new(id)),
            AuditSubject::Course(CourseId::new(id)),
            AuditSubject::CourseVersion(CourseVersionId::new(id)),
            AuditSubject::User(UserId::new(id)),
            AuditSubject::Invitation(InvitationId::new(id)),
            AuditSubject::TrainingCategory(TrainingCategoryId::new(id)),
            AuditSubject::ChampionCertification(ChampionCertificationId::new(id)),
            AuditSubject::Refinement(RefinementId::new(id)),
            AuditSubject::Import(ImportId::new(id)),
        ];
        assert_eq!(kinds.map(|subject| subject.parts().0), AuditSubject::KINDS);
    }
}
