use domain_kernel::{DomainError, ErrorKind, FieldErrors, Refusal, StorageError};

/// Why something about organizations was refused.
#[derive(Debug, thiserror::Error)]
pub enum OrgError {
    /// The actor may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another organization has this folder.
    #[error("Another organization uses this folder.")]
    FolderTaken(FieldErrors),
    /// Below a port.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl OrgError {
    /// Another organization has this folder.
    pub fn folder_taken() -> Self {
        let message = "is used by another organization";
        Self::FolderTaken(FieldErrors::of("s3_integrations_folder", "taken", message))
    }
}

impl DomainError for OrgError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refusal) => refusal.kind(),
            Self::FolderTaken(_) => ErrorKind::Conflict,
            Self::Storage(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::FolderTaken(_) => "s3_integrations_folder_taken",
            Self::Storage(error) => error.code(),
        }
    }

    fn fields(&self) -> Option<&FieldErrors> {
        match self {
            Self::FolderTaken(fields) => Some(fields),
            Self::Refused(_) | Self::Storage(_) => None,
        }
    }
}
