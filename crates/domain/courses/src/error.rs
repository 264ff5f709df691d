use domain_kernel::{DomainError, ErrorKind, FieldErrors, Refusal, StorageError};

/// Why something about courses was refused.
#[derive(Debug, thiserror::Error)]
pub enum CourseError {
    /// The actor may not, or there is no such course.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The course names an organization that does not exist.
    #[error("There is no such organization.")]
    OrganizationUnknown(FieldErrors),
    /// Below a port.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl CourseError {
    /// The course names an organization that does not exist.
    pub fn organization_unknown() -> Self {
        Self::OrganizationUnknown(FieldErrors::of("organization_id", "unknown", "is not an organization"))
    }
}

impl DomainError for CourseError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refusal) => refusal.kind(),
            Self::OrganizationUnknown(_) => ErrorKind::Invalid,
            Self::Storage(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::OrganizationUnknown(_) => "validation_failed",
            Self::Storage(error) => error.code(),
        }
    }

    fn fields(&self) -> Option<&FieldErrors> {
        match self {
            Self::OrganizationUnknown(fields) => Some(fields),
            Self::Refused(_) | Self::Storage(_) => None,
        }
    }
}
