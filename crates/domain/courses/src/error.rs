use domain_kernel::{CourseVersionId, DomainError, ErrorKind, FieldErrors, Refusal, StorageError};

/// Why something about courses was refused.
#[derive(Debug, thiserror::Error)]
pub enum CourseError {
    /// The actor may not, or there is no such course.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The course names an organization that does not exist.
    #[error("There is no such organization.")]
    OrganizationUnknown(FieldErrors),
    /// The version is published or archived: its content stays.
    #[error("Only a draft can be changed, and this version is no draft. Open a new one.")]
    VersionNotDraft,
    /// Somebody else changed the version since the editor last saw it.
    #[error("Somebody else changed this version. Read it again before changing it.")]
    VersionConflict,
    /// An archived version is not given to learners again.
    #[error("This version is archived. Open a new one with its content.")]
    VersionArchived,
    /// The course has a draft already.
    #[error(
        "Version {number} of this course ({id}) is an open draft. Change, publish or archive it, or send force=true."
    )]
    DraftExists {
        /// The draft.
        id: CourseVersionId,
        /// Its number.
        number: i32,
    },
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
            Self::VersionNotDraft
            | Self::VersionConflict
            | Self::VersionArchived
            | Self::DraftExists { .. } => ErrorKind::Conflict,
            Self::Storage(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::OrganizationUnknown(_) => "validation_failed",
            Self::VersionNotDraft => "version_not_draft",
            Self::VersionConflict => "version_conflict",
            Self::VersionArchived => "version_archived",
            Self::DraftExists { .. } => "draft_exists",
            Self::Storage(error) => error.code(),
        }
    }

    fn fields(&self) -> Option<&FieldErrors> {
        match self {
            Self::OrganizationUnknown(fields) => Some(fields),
            _ => None,
        }
    }
}
