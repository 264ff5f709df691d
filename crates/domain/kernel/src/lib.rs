//! What every Worklete domain shares.
//!
//! Typed ids, the [`Actor`] behind a request, the permission table ([`policy`]), validated values that occur in more
//! than one domain ([`PersonName`], [`EmailAddress`], [`JobTitle`], [`ExternalId`], [`LanguageCode`]), the rules of free JSON
//! ([`json`]), how errors describe themselves ([`DomainError`]), the audit entry, and the ports that every domain needs:
//! [`Clock`], [`IdGenerator`] and [`Throttle`].
//!
//! This crate knows no database, no HTTP and no other domain.

mod actor;
mod audit;
mod clock;
mod day;
mod error;
mod ids;
mod import_mode;
mod invite_code;
mod job_title;
pub mod json;
mod language;
mod page;
mod patch;
pub mod policy;
mod sort;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod throttle;

pub use actor::{Actor, ActorMembership, Origin, Scope};
pub use audit::{AuditEntry, AuditSubject};
pub use clock::{Clock, IdGenerator};
pub use day::parse_day;
pub use error::{DomainError, ErrorKind, FieldErrors, FieldProblem, FileStoreError, Refusal, StorageError};
pub use ids::{
    AssignmentId, ChampionCertificationId, CourseId, CourseVersionId, ImportId, InvitationId, JobId,
    MembershipId, OrgId, PasswordResetId, RefinementId, SessionId, TeamId, TrainingCategoryId, UserId,
};
pub use import_mode::ImportMode;
pub use invite_code::InviteCode;
pub use job_title::{JobTitle, JobTitleKey};
pub use language::LanguageCode;
pub use page::{MAX_ROWS, Page, PageRequest};
pub use patch::Patch;
pub use policy::{Permission, Role, StaffRole};
pub use sort::{NameKey, Sort, SortKey};
pub use text::{EmailAddress, ExternalId, PersonName, SearchWords, TextRule, parse_text};
pub use throttle::{Budget, RetryAfter, Throttle};
