use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain_kernel::{FieldProblem, ImportMode, OrgId, TextRule, parse_text};
use sha2::{Digest, Sha256};

/// Name of an organization: 1 to 200 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgName(String);

impl OrgName {
    /// Parses what a person typed.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        parse_text(raw, TextRule { min: 1, max: 200 }).map(Self)
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in lower-case ASCII letters and digits with single hyphens, at most 40 characters. `organization` when
    /// nothing of the name is left.
    pub fn slug(&self) -> String {
        let ascii =
            self.0.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
        let words: String = ascii.collect();
        let slug: String = words.split_whitespace().collect::<Vec<_>>().join("-").chars().take(40).collect();
        if slug.is_empty() { "organization".into() } else { slug.trim_end_matches('-').to_owned() }
    }
}

/// Where the organization's files lie in the integrations bucket: a key prefix of letters, digits, `/`, `_` and `-`,
/// 1 to 200 characters, without slashes at the ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(String);

impl Folder {
    /// Parses what a person typed; slashes at the ends are dropped.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        let folder = raw.trim().trim_matches('/');
        if folder.is_empty() {
            return Err(FieldProblem::blank());
        }
        if folder.len() > 200 {
            return Err(FieldProblem {
                code: "too_long",
                message: "is too long (maximum is 200 characters)".into(),
            });
        }
        let is_key = folder.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b));
        if !is_key || folder.contains("//") {
            let message = "may only hold letters, digits, /, _ and -, and no empty segment".into();
            return Err(FieldProblem { code: "invalid", message });
        }
        Ok(Self(folder.to_owned()))
    }

    /// The folder of an organization that named none: its slug and the end of its id.
    pub fn default_for(name: &OrgName, id: OrgId) -> Self {
        let id = id.uuid().simple().to_string();
        Self(format!("{}-{}", name.slug(), &id[id.len() - 8..]))
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(folder: String) -> Self {
        Self(folder)
    }

    /// The prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The metadata document of the organization's identity provider: 1 byte to 256 KiB.
#[derive(Clone, PartialEq, Eq)]
pub struct SamlInfo(String);

impl SamlInfo {
    /// Most bytes.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// Checks the size.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        if raw.trim().is_empty() {
            return Err(FieldProblem {
                code: "blank",
                message: "can't be blank; send null to turn it off".into(),
            });
        }
        if raw.len() > Self::MAX_BYTES {
            return Err(FieldProblem {
                code: "too_long",
                message: "is too long (maximum is 256 KiB)".into(),
            });
        }
        if raw.contains('\0') {
            return Err(FieldProblem { code: "invalid", message: "must not contain a NUL character".into() });
        }
        Ok(Self(raw.to_owned()))
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(document: String) -> Self {
        Self(document)
    }

    /// The document.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the document in hexadecimal digits.
    pub fn digest(&self) -> String {
        Sha256::digest(self.0.as_bytes()).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    }
}

impl fmt::Debug for SamlInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SamlInfo(…)")
    }
}

/// A time zone by its IANA name, such as `America/Chicago`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeZone(String);

impl TimeZone {
    /// The zone of an organization that has not said where it is.
    pub fn utc() -> Self {
        Self(Tz::UTC.name().to_owned())
    }

    /// Parses a name; case counts.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        let zone: Tz = raw.trim().parse().map_err(|_| Self::unknown())?;
        Ok(Self(zone.name().to_owned()))
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn unknown() -> FieldProblem {
        let message = "must be the IANA name of a time zone, such as America/Chicago".into();
        FieldProblem { code: "invalid", message }
    }
}

/// How often a lesson is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// One a week.
    Weekly,
    /// One a month.
    Monthly,
    /// The next one as soon as the last is done.
    SelfPaced,
}

impl Cadence {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::SelfPaced => "self_paced",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Weekly, Self::Monthly, Self::SelfPaced].into_iter().find(|cadence| cadence.as_str() == text)
    }
}

/// A setting that counts days. `MIN` and `MAX` are the fewest and the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days<const MIN: i32, const MAX: i32>(i32);

impl<const MIN: i32, const MAX: i32> Days<MIN, MAX> {
    /// Checks the bounds.
    pub fn parse(raw: i64) -> Result<Self, FieldProblem> {
        let days = i32::try_from(raw).ok().filter(|days| (MIN..=MAX).contains(days));
        days.map(Self).ok_or_else(|| FieldProblem {
            code: "invalid",
            message: format!("must be a whole number from {MIN} to {MAX}"),
        })
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(days: i32) -> Self {
        Self(days)
    }

    /// How many.
    pub fn get(self) -> i32 {
        self.0
    }
}

/// Days that new people stay out of reports.
pub type GraceDays = Days<0, 365>;

impl GraceDays {
    /// What a new organization has.
    pub const DEFAULT: Self = Self(0);
}

/// Days for which a report that comes late counts when the work was done. At most so many that a score is final before it
/// leaves the twelve that a trend shows.
pub type LateWindowDays = Days<0, 60>;

impl LateWindowDays {
    /// What a new organization has.
    pub const DEFAULT: Self = Self(14);
}

/// Days after which a completed course may come again.
pub type RecycleDays = Days<1, 3650>;

impl RecycleDays {
    /// What a new organization has.
    pub const DEFAULT: Self = Self(180);
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Key.
    pub id: OrgId,
    /// Name.
    pub name: OrgName,
    /// Where its files lie.
    pub s3_integrations_folder: Folder,
    /// Its identity provider; none while single sign-on is off.
    pub saml_info: Option<SamlInfo>,
    /// Whether members may sign in through the identity provider only.
    pub sso_enforced: bool,
    /// The time zone that weeks and months are counted in.
    pub time_zone: TimeZone,
    /// How often a lesson is due.
    pub cadence: Cadence,
    /// What people mean who are not in a roster file, when nobody says so.
    pub import_mode: ImportMode,
    /// Days that new people stay out of reports.
    pub reporting_grace_days: GraceDays,
    /// Days for which a report that comes late counts when the work was done.
    pub late_window_days: LateWindowDays,
    /// Days after which a completed course may come again.
    pub recycle_after_days: RecycleDays,
    /// Live teams.
    pub teams_count: i64,
    /// Memberships that are pending or active.
    pub memberships_count: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_plain_key_prefix() {
        let parsed = |raw| Folder::parse(raw).map(|folder| folder.as_str().to_owned()).map_err(|p| p.code);
        assert_eq!(parsed("/acme/hr_feed-1/"), Ok("acme/hr_feed-1".into()));
        for raw in ["a/../b", "a//b", "a b", "ä", "a\u{0}"] {
            assert_eq!(parsed(raw), Err("invalid"), "{raw:?}");
        }
        assert_eq!(parsed("//"), Err("blank"));
    }

    #[test]
    fn the_default_folder_tells_organizations_of_one_name_apart() {
        let name = OrgName::parse("Müller & Söhne GmbH").expect("a name");
        let id = |n| OrgId::new(uuid::Uuid::from_u128(n));
        assert_eq!(Folder::default_for(&name, id(1)).as_str(), "m-ller-s-hne-gmbh-00000001");
        assert_ne!(Folder::default_for(&name, id(1)), Folder::default_for(&name, id(2)));
        assert_eq!(OrgName::parse("物流").expect("a name").slug(), "organization");
    }

    #[test]
    fn a_time_zone_has_an_iana_name() {
        for name in ["UTC", "America/Chicago", "Pacific/Kiritimati", "Asia/Kathmandu"] {
            assert_eq!(TimeZone::parse(name).map(|zone| zone.as_str().to_owned()), Ok(name.to_owned()));
        }
        for name in ["", "Mars/Phobos", "america/chicago", "+02:00", "America/Chicago\u{0}"] {
            assert_eq!(TimeZone::parse(name).map_err(|problem| problem.code), Err("invalid"), "{name:?}");
        }
    }

    #[test]
    fn settings_in_days_have_bounds() {
        let late = |raw| LateWindowDays::parse(raw).map(LateWindowDays::get).map_err(|p| p.message);
        assert_eq!((late(0), late(60)), (Ok(0), Ok(60)));
        for raw in [-1, 61, i64::MIN, i64::MAX] {
            assert_eq!(late(raw), Err("must be a whole number from 0 to 60".into()));
        }
        assert!(RecycleDays::parse(0).is_err() && RecycleDays::parse(1).is_ok());
    }

    #[test]
    fn metadata_is_limited_in_size() {
        assert!(SamlInfo::parse(&"x".repeat(SamlInfo::MAX_BYTES)).is_ok());
        assert!(SamlInfo::parse(&"x".repeat(SamlInfo::MAX_BYTES + 1)).is_err());
        assert!(SamlInfo::parse("  ").is_err());
    }
}
