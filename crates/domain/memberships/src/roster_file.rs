use std::fmt;

use chrono::{DateTime, Utc};
use domain_kernel::FieldProblem;
use uuid::Uuid;

/// The name of a file in the storage: the folder of its organization, a slash, and what the organization calls it. At most
/// 1,024 bytes, without control characters, and without segments that are empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileKey(String);

impl FileKey {
    /// Most bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Parses a name, which must lie below the organization's folder.
    pub fn parse(raw: &str, folder: &str) -> Result<Self, FieldProblem> {
        let problem = |code, message: &str| Err(FieldProblem { code, message: message.into() });
        if raw.len() > Self::MAX_BYTES {
            return problem("too_long", "is too long (maximum is 1024 bytes)");
        }
        // With the slash: `harbor` must not see what lies in `harbor2`.
        if !raw.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')) {
            return problem("invalid", "must lie in the folder of the organization");
        }
        if raw.chars().any(char::is_control) {
            return problem("invalid", "must not contain control characters");
        }
        if raw.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return problem("invalid", "must not contain an empty segment, . or ..");
        }
        Ok(Self(raw.to_owned()))
    }

    /// A name for a CSV file that nobody has used yet.
    pub fn random(folder: &str, id: Uuid) -> Self {
        Self(format!("{folder}/{id}.csv"))
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(key: String) -> Self {
        Self(key)
    }

    /// The name, with the folder.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A file that a customer has put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterFile {
    /// Its name.
    pub key: FileKey,
    /// What the storage calls this content. Another content under the same name is called otherwise.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// When it was put.
    pub modified_at: DateTime<Utc>,
}

/// The permission to put one file: whoever has it needs no other.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadTicket {
    /// The method of the request.
    pub method: String,
    /// Its address, which holds the signature.
    pub url: String,
    /// Headers that it must carry.
    pub headers: Vec<(String, String)>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// Hidden: whoever reads the address in a log could put the file.
impl fmt::Debug for UploadTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadTicket(…)")
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::FixedClock;
    use domain_kernel::{Clock, DomainError, ErrorKind, FileStoreError};

    use super::*;
    use crate::MembershipError;

    fn parsed(raw: &str) -> Result<String, &'static str> {
        FileKey::parse(raw, "harbor/hr").map(|key| key.as_str().to_owned()).map_err(|problem| problem.code)
    }

    #[test]
    fn a_key_lies_below_the_folder_of_its_organization() {
        for good in ["harbor/hr/a.csv", "harbor/hr/2026/05/Müller & Söhne.csv", "harbor/hr/..csv"] {
            assert_eq!(parsed(good), Ok(good.into()));
        }
        for foreign in ["harbor/hr2/a.csv", "harbor/hr", "a.csv", "", "/harbor/hr/a.csv", "Harbor/hr/a.csv"] {
            assert_eq!(parsed(foreign), Err("invalid"), "{foreign}");
        }
    }

    #[test]
    fn a_key_cannot_leave_the_folder() {
        for bad in [
            "harbor/hr/../other/a.csv",
            "harbor/hr/..",
            "harbor/hr/./a.csv",
            "harbor/hr//a.csv",
            "harbor/hr/",
            "harbor/hr/a\u{0}.csv",
            "harbor/hr/a\nb.csv",
            "harbor/hr/a\u{85}b.csv",
        ] {
            assert_eq!(parsed(bad), Err("invalid"), "{bad:?}");
        }
    }

    #[test]
    fn a_key_has_at_most_1024_bytes() {
        let key = |bytes: usize| format!("harbor/hr/{}", "x".repeat(bytes - "harbor/hr/".len()));
        assert_eq!(parsed(&key(1024)), Ok(key(1024)));
        assert_eq!(parsed(&key(1025)), Err("too_long"));
        assert_eq!(
            parsed(&format!("harbor/hr/{}", "é".repeat(508))),
            Err("too_long"),
            "bytes, not characters"
        );
    }

    #[test]
    fn a_random_key_is_one_that_can_be_parsed() {
        let key = FileKey::random("harbor/hr", Uuid::from_u128(7));
        assert_eq!(key.as_str(), "harbor/hr/00000000-0000-0000-0000-000000000007.csv");
        assert_eq!(FileKey::parse(key.as_str(), "harbor/hr"), Ok(key));
    }

    #[test]
    fn a_ticket_does_not_show_its_address() {
        let ticket = UploadTicket {
            method: "PUT".into(),
            url: "https://storage.example.org/key?X-Amz-Signature=secret".into(),
            headers: vec![],
            expires_at: FixedClock::default().now(),
        };
        assert_eq!(format!("{ticket:?}"), "UploadTicket(…)");
    }

    #[test]
    fn without_a_storage_the_answer_says_so() {
        let away: Box<dyn std::error::Error + Send + Sync> = "connection refused".into();
        for (error, kind, code) in [
            (FileStoreError::NotConfigured, ErrorKind::Unavailable, "storage_not_configured"),
            (FileStoreError::Unavailable(away), ErrorKind::Unavailable, "unavailable"),
        ] {
            let error = MembershipError::from(error);
            assert_eq!((error.kind(), error.code()), (kind, code));
        }
    }
}
