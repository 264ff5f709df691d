use chrono::{DateTime, Utc};
use domain_kernel::{CourseId, CourseVersionId, FieldProblem, OrgId, UserId};
use serde_json::{Map, Value};

use crate::{CourseError, json};

/// The content of a version: any JSON object of at most 1 MiB. What is in it is between the editor and the player.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionData(Map<String, Value>);

impl VersionData {
    /// Most KiB, written without blanks.
    pub const MAX_KIB: usize = 1024;

    /// Checks kind and size.
    pub fn parse(raw: Value) -> Result<Self, FieldProblem> {
        json::parse_object(raw, Self::MAX_KIB).map(Self)
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// The fields of the object.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Bytes of it, written without blanks: what the audit trail notes in the place of the content.
    pub fn size(&self) -> usize {
        serde_json::to_string(&self.0).map_or(0, |text| text.len())
    }

    /// The fields of the object, for the wire.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// The object, for storage.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// Where a version stands: `draft`, then `published`, then `archived`; a draft may be archived too. There is no way
/// back: rolling back is a new draft with the old content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionStatus {
    /// Being written.
    Draft,
    /// What learners who start now are given. Its content never changes.
    Published,
    /// No longer given; those who started with it stay on it.
    Archived,
}

impl VersionStatus {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Archived => "archived",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Draft, Self::Published, Self::Archived].into_iter().find(|status| status.as_str() == text)
    }
}

/// A version by its key and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edition {
    /// Key.
    pub id: CourseVersionId,
    /// Counts the versions of the course, from 1.
    pub number: i32,
}

/// What a change of one version needs to know of its course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shelf {
    /// Which course.
    pub course: CourseId,
    /// Whose it is; none for the library.
    pub organization: Option<OrgId>,
    /// The greatest number so far; 0 when there is no version yet.
    pub last_number: i32,
    /// The open draft. There is one at most.
    pub draft: Option<Edition>,
    /// The published version. There is one at most.
    pub published: Option<Edition>,
}

/// By what versions are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionKey {
    /// When it was opened.
    CreatedAt,
    /// When learners were first given it; those that never were come last.
    PublishedAt,
}

impl VersionKey {
    /// What a client may write.
    pub const WORDS: [(&str, Self); 2] =
        [("created_at", Self::CreatedAt), ("published_at", Self::PublishedAt)];
}

/// A version in a list, with its content only where it was asked for: it may be long.
pub type ListedVersion = CourseVersion<Option<VersionData>>;

/// One edition of a course's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourseVersion<D = VersionData> {
    /// Key.
    pub id: CourseVersionId,
    /// Of which course.
    pub course: CourseId,
    /// Counts the versions of the course, from 1.
    pub number: i32,
    /// Where it stands.
    pub status: VersionStatus,
    /// The content.
    pub data: D,
    /// Who opened it.
    pub created_by: UserId,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When learners were first given it.
    pub published_at: Option<DateTime<Utc>>,
    /// When it was taken away.
    pub archived_at: Option<DateTime<Utc>>,
    /// Counts its changes, so that two editors do not overwrite each other.
    pub lock_version: i32,
}

impl CourseVersion {
    /// Opens a draft.
    pub fn draft(
        id: CourseVersionId,
        course: CourseId,
        number: i32,
        data: VersionData,
        created_by: UserId,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            course,
            number,
            status: VersionStatus::Draft,
            data,
            created_by,
            created_at: now,
            updated_at: now,
            published_at: None,
            archived_at: None,
            lock_version: 0,
        }
    }

    /// Replaces the content of a draft. `expected` is the [`lock_version`](Self::lock_version) the editor last saw; none
    /// overwrites whatever is there. Tells whether anything changed.
    pub fn revise(
        &mut self,
        data: VersionData,
        expected: Option<i32>,
        now: DateTime<Utc>,
    ) -> Result<bool, CourseError> {
        if self.status != VersionStatus::Draft {
            return Err(CourseError::VersionNotDraft);
        }
        self.expect_seen(expected)?;
        if data == self.data {
            return Ok(false);
        }
        self.data = data;
        self.touch(now);
        Ok(true)
    }

    /// Refuses an editor who saw a draft in an older state. What is no draft is not compared: nobody edits it.
    pub fn expect_seen(&self, expected: Option<i32>) -> Result<(), CourseError> {
        let is_old = expected.is_some_and(|seen| seen != self.lock_version);
        if is_old && self.status == VersionStatus::Draft { Err(CourseError::VersionConflict) } else { Ok(()) }
    }

    /// Which one it is.
    pub fn edition(&self) -> Edition {
        Edition { id: self.id, number: self.number }
    }

    /// Gives the version to learners. Tells whether anything changed: publishing a published version is no mistake, but
    /// an archived one stays archived.
    pub fn publish(&mut self, now: DateTime<Utc>) -> Result<bool, CourseError> {
        match self.status {
            VersionStatus::Draft => {
                self.status = VersionStatus::Published;
                self.published_at = Some(now);
                self.touch(now);
                Ok(true)
            }
            VersionStatus::Published => Ok(false),
            VersionStatus::Archived => Err(CourseError::VersionArchived),
        }
    }

    /// Takes the version away. Tells whether anything changed.
    pub fn archive(&mut self, now: DateTime<Utc>) -> bool {
        if self.status == VersionStatus::Archived {
            return false;
        }
        self.status = VersionStatus::Archived;
        self.archived_at = Some(now);
        self.touch(now);
        true
    }

    fn touch(&mut self, now: DateTime<Utc>) {
        self.updated_at = now;
        self.lock_version += 1;
    }
}

impl ListedVersion {
    /// The version with its content, if that was read.
    pub fn whole(self) -> Option<CourseVersion> {
        Some(CourseVersion {
            data: self.data?,
            id: self.id,
            course: self.course,
            number: self.number,
            status: self.status,
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
            published_at: self.published_at,
            archived_at: self.archived_at,
            lock_version: self.lock_version,
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain_kernel::{DomainError, ErrorKind};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn data(text: &str) -> VersionData {
        VersionData::parse(json!({ "title": text })).expect("an object")
    }

    fn monday() -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_600_000, 0).expect("2026-01-05T08:00:00Z")
    }

    fn a_draft() -> CourseVersion {
        CourseVersion::draft(
            CourseVersionId::new(Uuid::from_u128(1)),
            CourseId::new(Uuid::from_u128(2)),
            3,
            data("Lifting"),
            UserId::new(Uuid::from_u128(4)),
            monday(),
        )
    }

    #[test]
    fn content_is_an_object_of_at_most_one_mebibyte() {
        assert!(VersionData::parse(json!({})).is_ok());
        assert_eq!(VersionData::parse(json!([1])).map_err(|p| p.code), Err("invalid"));
        let long = json!({ "text": "x".repeat(1024 * 1024) });
        assert_eq!(VersionData::parse(long).map_err(|p| p.code), Err("too_long"));
    }

    #[test]
    fn content_is_kept_as_it_was_sent() {
        let sent = json!({ "b": 1.0, "a": [1e5, "x"] });
        assert_eq!(VersionData::parse(sent.clone()).expect("an object").into_value(), sent);
    }

    #[test]
    fn a_draft_takes_new_content_and_counts_the_change() {
        let (mut version, later) = (a_draft(), monday() + TimeDelta::hours(1));
        version.revise(data("Pulling"), Some(0), later).expect("a draft");
        assert_eq!((version.data, version.lock_version, version.updated_at), (data("Pulling"), 1, later));
    }

    #[test]
    fn an_editor_who_saw_an_older_state_changes_nothing() {
        let mut version = a_draft();
        assert!(version.revise(data("first"), Some(0), monday()).expect("a draft"));
        let before = version.clone();
        let refused = version.revise(data("second"), Some(0), monday()).expect_err("seen too early");
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "version_conflict"));
        assert_eq!(version, before);
        version.revise(data("second"), None, monday()).expect("no state named, nothing compared");
    }

    #[test]
    fn the_same_content_again_is_no_change() {
        let mut version = a_draft();
        assert!(!version.revise(data("Lifting"), Some(0), monday() + TimeDelta::hours(1)).expect("a draft"));
        assert_eq!(version, a_draft());
        assert!(version.expect_seen(Some(1)).is_err());
        version.publish(monday()).expect("a draft");
        assert!(version.expect_seen(Some(0)).is_ok(), "nobody edits it any more");
    }

    #[test]
    fn published_and_archived_content_stays() {
        let mut version = a_draft();
        version.publish(monday()).expect("a draft");
        for _ in 0..2 {
            let before = version.clone();
            let refused = version.revise(data("other"), Some(99), monday()).expect_err("no draft");
            assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "version_not_draft"));
            assert_eq!(version, before);
            version.archive(monday());
        }
    }

    #[test]
    fn publishing_twice_is_publishing_once() {
        let (mut version, later) = (a_draft(), monday() + TimeDelta::hours(1));
        assert!(version.publish(monday()).expect("a draft"));
        let published = version.clone();
        assert_eq!((published.status, published.published_at), (VersionStatus::Published, Some(monday())));
        assert!(!version.publish(later).expect("published already"));
        assert_eq!(version, published);
    }

    #[test]
    fn an_archived_version_is_not_published_again() {
        let (mut version, later) = (a_draft(), monday() + TimeDelta::hours(1));
        assert!(version.archive(monday()), "a draft may be dropped");
        assert!(!version.archive(later), "once is enough");
        assert_eq!((version.archived_at, version.published_at), (Some(monday()), None));
        let refused = version.publish(later).expect_err("archived");
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "version_archived"));
    }

    #[test]
    fn a_status_is_read_as_it_is_written() {
        for status in [VersionStatus::Draft, VersionStatus::Published, VersionStatus::Archived] {
            assert_eq!(VersionStatus::parse(status.as_str()), Some(status));
        }
        assert_eq!(VersionStatus::parse("live"), None);
    }
}
