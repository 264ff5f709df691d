use domain_kernel::{DomainError, ErrorKind, FieldErrors, FieldProblem, MembershipId, Refusal, StorageError};

/// Why something about teams was refused.
#[derive(Debug, thiserror::Error)]
pub enum TeamError {
    /// The actor may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The organization has a live team of this name.
    #[error("The organization has a team of this name already.")]
    NameTaken(FieldErrors),
    /// The organization has a live team of this number.
    #[error("Another team of the organization has this external id.")]
    ExternalIdTaken(FieldErrors),
    /// Fields break rules.
    #[error("Some fields are wrong.")]
    Invalid(FieldErrors),
    /// Below a port.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl TeamError {
    /// The organization has a live team of this name.
    pub fn name_taken() -> Self {
        Self::NameTaken(FieldErrors::of("name", "taken", "is used by another team of the organization"))
    }

    /// The organization has a live team of this number.
    pub fn external_id_taken() -> Self {
        Self::ExternalIdTaken(FieldErrors::of("external_id", "taken", "belongs to another team"))
    }

    /// What is wrong with a list that names these: they are no members of the organization, or have left it.
    pub fn no_members(memberships: &[MembershipId]) -> FieldProblem {
        let ids = memberships.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let message = format!("are not pending or active memberships of the organization: {ids}");
        FieldProblem { code: "unknown", message }
    }
}

impl From<FieldErrors> for TeamError {
    fn from(fields: FieldErrors) -> Self {
        Self::Invalid(fields)
    }
}

impl DomainError for TeamError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refusal) => refusal.kind(),
            Self::NameTaken(_) | Self::ExternalIdTaken(_) => ErrorKind::Conflict,
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::Storage(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::NameTaken(_) => "team_name_taken",
            Self::ExternalIdTaken(_) => "external_id_taken",
            Self::Invalid(_) => "validation_failed",
            Self::Storage(error) => error.code(),
        }
    }

    fn fields(&self) -> Option<&FieldErrors> {
        match self {
            Self::NameTaken(fields) | Self::ExternalIdTaken(fields) | Self::Invalid(fields) => Some(fields),
            Self::Refused(_) | Self::Storage(_) => None,
        }
    }
}
