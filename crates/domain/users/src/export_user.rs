use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain_kernel::{Actor, Permission, Refusal, Scope, UserId};
use uuid::Uuid;

use crate::ports::UserArchive;
use crate::{UserError, UserService};

/// Records read at once: what is held of however much there is.
const CHUNK: i64 = 200;

/// A kind of record that is kept of a person, in the order in which an export tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExportSection {
    /// The account; exactly one record, the first.
    Account,
    /// Places on rosters, with the time on each team.
    Memberships,
    /// Invitations to them.
    Invitations,
    /// Signed-in devices.
    Sessions,
    /// Certifications as champion.
    ChampionCertifications,
    /// Notes of practice that the person wrote.
    Refinements,
    /// Courses that were given.
    Assignments,
    /// What players reported of them.
    ProgressEvents,
}

impl ExportSection {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Account,
        Self::Memberships,
        Self::Invitations,
        Self::Sessions,
        Self::ChampionCertifications,
        Self::Refinements,
        Self::Assignments,
        Self::ProgressEvents,
    ];

    /// The spelling of the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Memberships => "memberships",
            Self::Invitations => "invitations",
            Self::Sessions => "sessions",
            Self::ChampionCertifications => "champion_certifications",
            Self::Refinements => "refinements",
            Self::Assignments => "assignments",
            Self::ProgressEvents => "progress_events",
        }
    }
}

/// Where a record stands in the order of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExportPlace {
    /// Its kind.
    pub section: ExportSection,
    /// Its id, or for an event that of the assignment.
    pub id: Uuid,
    /// When an event happened; the same for all else.
    pub at: DateTime<Utc>,
    /// Tells events of one instant apart.
    pub number: i64,
}

/// One record of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRecord {
    /// Where it stands.
    pub place: ExportPlace,
    /// The record as a JSON object.
    pub json: String,
}

/// All records of a person, read in parts while they are taken.
pub struct UserExport {
    archive: Arc<dyn UserArchive>,
    user: UserId,
    ready: Option<Vec<ExportRecord>>,
    /// After which record to go on; none at the end.
    last: Option<ExportPlace>,
}

impl UserService {
    /// Everything that is kept of somebody, deleted and erased accounts too. For staff admins.
    ///
    /// The records are those of the moments when they are read, and no connection is held between two parts: whoever takes them
    /// slowly holds up nobody.
    pub async fn export_user(&self, actor: &Actor, id: UserId) -> Result<UserExport, UserError> {
        actor.require(Permission::UserExport, Scope::Platform)?;
        let archive = Arc::clone(&self.ports.archive);
        let mut export = UserExport { archive, user: id, ready: None, last: None };
        // Read before anything is answered, so that nobody is told apart from somebody without records.
        let first = export.read().await?;
        if first.is_empty() {
            return Err(Refusal::NotFound.into());
        }
        export.ready = Some(first);
        Ok(export)
    }
}

impl UserExport {
    /// The next records, in order; none at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<ExportRecord>>, UserError> {
        if let Some(ready) = self.ready.take() {
            return Ok(Some(ready));
        }
        if self.last.is_none() {
            return Ok(None);
        }
        let records = self.read().await?;
        Ok((!records.is_empty()).then_some(records))
    }

    async fn read(&mut self) -> Result<Vec<ExportRecord>, UserError> {
        let records = self.archive.list(self.user, self.last, CHUNK).await?;
        let may_go_on = i64::try_from(records.len()) == Ok(CHUNK);
        self.last = records.last().map(|record| record.place).filter(|_| may_go_on);
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{Clock, DomainError, ErrorKind, OrgId, StaffRole};

    use super::*;
    use crate::tests::{Fixture, a_user};

    fn record(number: i64) -> ExportRecord {
        let section = if number == 0 { ExportSection::Account } else { ExportSection::ProgressEvents };
        let at = Fixture::default().clock.now();
        ExportRecord { place: ExportPlace { section, id: a_user().id.uuid(), at, number }, json: "{}".into() }
    }

    async fn exported(records: i64) -> Result<Vec<usize>, UserError> {
        let mut fixture = Fixture::default();
        fixture.archive.expect_list().returning(move |_, after, limit| {
            let from = after.map_or(0, |place| place.number + 1);
            Ok((from..records).take(usize::try_from(limit).expect("small")).map(record).collect())
        });
        let mut export = fixture.service().export_user(&staff(StaffRole::Admin), a_user().id).await?;
        let mut parts = Vec::new();
        while let Some(part) = export.next().await? {
            parts.push(part.len());
        }
        Ok(parts)
    }

    #[tokio::test]
    async fn an_export_comes_in_parts_and_ends() {
        assert_eq!(exported(1).await.expect("exports"), [1]);
        assert_eq!(exported(200).await.expect("exports"), [200]);
        assert_eq!(exported(450).await.expect("exports"), [200, 200, 50]);
        assert_eq!(exported(0).await.expect_err("nobody").kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn only_staff_admins_take_out_a_person() {
        for actor in [staff(StaffRole::Employee), member_of(OrgId::new(Uuid::from_u128(1)), true)] {
            let refused = Fixture::default().service().export_user(&actor, a_user().id).await;
            assert_eq!(refused.err().map(|error| error.kind()), Some(ErrorKind::Forbidden));
        }
    }

    #[test]
    fn sections_stand_in_their_order() {
        assert!(ExportSection::ALL.is_sorted());
        assert_eq!(ExportSection::ALL[0], ExportSection::Account);
    }
}
