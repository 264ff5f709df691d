use std::collections::BTreeMap;
use std::error::Error;

use crate::RetryAfter;

/// What went wrong, in the terms that every boundary (HTTP, command line, job) can translate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The input breaks a rule; [`DomainError::fields`] says where.
    Invalid,
    /// Nobody is signed in, or the credentials are wrong.
    Unauthenticated,
    /// The actor may know of the thing but not do this with it.
    Forbidden,
    /// The thing does not exist, or the actor may not know that it does.
    NotFound,
    /// The state of the thing forbids it.
    Conflict,
    /// Too many attempts; [`DomainError::retry_after`] says when to come back.
    Throttled,
    /// A component is overloaded or away; trying again later can help.
    Unavailable,
    /// Our fault. The cause is for the log only.
    Internal,
}

/// One rule that a field breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// Stable snake-case word for programs, such as `too_short`.
    pub code: &'static str,
    /// What is wrong, for people; reads well after the field's name, such as `is too short (minimum is 4 characters)`.
    pub message: String,
}

impl FieldProblem {
    /// A field that is needed is missing or empty.
    pub fn blank() -> Self {
        Self { code: "blank", message: "can't be blank".into() }
    }

    /// Parses a field that is needed.
    pub fn required<T>(raw: Option<&str>, parse: impl FnOnce(&str) -> Result<T, Self>) -> Result<T, Self> {
        raw.map_or_else(|| Err(Self::blank()), parse)
    }
}

/// Broken rules by field name, in the spelling of the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(BTreeMap<String, Vec<FieldProblem>>);

impl FieldErrors {
    /// No errors yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A single problem with a single field.
    pub fn of(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        let mut errors = Self::new();
        errors.add(field, FieldProblem { code, message: message.into() });
        errors
    }

    /// Adds a problem.
    pub fn add(&mut self, field: &str, problem: FieldProblem) {
        self.0.entry(field.to_owned()).or_default().push(problem);
    }

    /// Unwraps a parsed value, or notes its problem under `field` and gives `None`.
    pub fn take<T>(&mut self, field: &str, parsed: Result<T, FieldProblem>) -> Option<T> {
        parsed.map_err(|problem| self.add(field, problem)).ok()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Ok` when nothing is wrong, else itself as the error.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The problems by field, fields in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[FieldProblem])> {
        self.0.iter().map(|(field, problems)| (field.as_str(), problems.as_slice()))
    }
}

/// What every domain's error enum tells about itself.
pub trait DomainError: Error + Send + Sync + 'static {
    /// The kind, from which a boundary derives its own status.
    fn kind(&self) -> ErrorKind;

    /// Stable snake-case word for programs.
    fn code(&self) -> &'static str;

    /// The fields that are wrong, when the kind is [`ErrorKind::Invalid`] or a value is taken.
    fn fields(&self) -> Option<&FieldErrors> {
        None
    }

    /// When another attempt makes sense.
    fn retry_after(&self) -> Option<RetryAfter> {
        None
    }
}

/// A failure below a port that the domain cannot tell apart.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The store is away or has no free connection in time.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// Anything else.
    #[error("the database refused a statement")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl StorageError {
    /// [`ErrorKind::Unavailable`] or [`ErrorKind::Internal`].
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable(_) => ErrorKind::Unavailable,
            Self::Failed(_) => ErrorKind::Internal,
        }
    }

    /// `unavailable` or `internal_error`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Failed(_) => "internal_error",
        }
    }
}

/// A failure of the store of files that the domain cannot tell apart.
#[derive(Debug, thiserror::Error)]
pub enum FileStoreError {
    /// This installation has none.
    #[error("no storage for files is configured")]
    NotConfigured,
    /// It is away, lets nobody in, or has not the bucket.
    #[error("the storage for files is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// A file could not be written on this machine.
    #[error("a file could not be written")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl FileStoreError {
    /// [`ErrorKind::Unavailable`] or [`ErrorKind::Internal`].
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotConfigured | Self::Unavailable(_) => ErrorKind::Unavailable,
            Self::Failed(_) => ErrorKind::Internal,
        }
    }

    /// `storage_not_configured`, `unavailable` or `internal_error`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotConfigured => "storage_not_configured",
            Self::Unavailable(_) => "unavailable",
            Self::Failed(_) => "internal_error",
        }
    }
}

/// Why [`Actor::require`](crate::Actor::require) said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The thing belongs to an organization the actor is not part of: its existence is not revealed.
    #[error("There is nothing here.")]
    NotFound,
    /// The actor's role is too low.
    #[error("Your role does not allow this.")]
    Forbidden,
    /// Only Worklete staff may enter here.
    #[error("Only Worklete staff may do this.")]
    StaffOnly,
}

impl DomainError for Refusal {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::Forbidden | Self::StaffOnly => ErrorKind::Forbidden,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::StaffOnly => "staff_only",
        }
    }
}
