use domain_kernel::{DomainError, ErrorKind, FieldErrors, Refusal, StorageError};

use crate::TimeZone;

/// Why something about organizations was refused.
#[derive(Debug, thiserror::Error)]
pub enum OrgError {
    /// The actor may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another organization has this folder.
    #[error("Another organization uses this folder.")]
    FolderTaken(FieldErrors),
    /// Fields break rules.
    #[error("Some fields are wrong.")]
    Invalid(FieldErrors),
    /// Nobody could sign in.
    #[error("Single sign-on cannot be enforced without an identity provider. Set saml_info first.")]
    IdentityProviderMissing,
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

    /// Weeks and months cannot be counted in this time zone.
    pub fn time_zone_unknown() -> Self {
        let mut fields = FieldErrors::new();
        fields.add("time_zone", TimeZone::unknown());
        Self::Invalid(fields)
    }
}

impl DomainError for OrgError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refusal) => refusal.kind(),
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::FolderTaken(_) | Self::IdentityProviderMissing => ErrorKind::Conflict,
            Self::Storage(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::FolderTaken(_) => "s3_integrations_folder_taken",
            Self::Invalid(_) => "validation_failed",
            Self::IdentityProviderMissing => "identity_provider_missing",
            Self::Storage(error) => error.code(),
        }
    }

    fn fields(&self) -> Option<&FieldErrors> {
        match self {
            Self::FolderTaken(fields) | Self::Invalid(fields) => Some(fields),
            Self::Refused(_) | Self::IdentityProviderMissing | Self::Storage(_) => None,
        }
    }
}
