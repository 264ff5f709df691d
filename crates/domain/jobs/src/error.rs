use domain_kernel::{DomainError, ErrorKind, FieldErrors, Refusal, StorageError};

/// Why something about jobs was refused.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The actor may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Below a port.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl DomainError for JobError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refusal) => refusal.kind(),
            Self::Storage(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Storage(error) => error.code(),
        }
    }

    fn fields(&self) -> Option<&FieldErrors> {
        None
    }
}
