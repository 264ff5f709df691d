use domain_kernel::{
    DomainError, ErrorKind, FieldErrors, FileStoreError, Refusal, RetryAfter, StorageError, TeamId,
};

use crate::InvitationStatus;
use crate::roster::ImportState;

/// Why something about memberships was refused.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// The actor may not, or there is no such organization.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Fields break rules.
    #[error("Some fields are wrong.")]
    Invalid(FieldErrors),
    /// Somebody else on the roster has this number.
    #[error("Another member of the organization has this external id.")]
    ExternalIdTaken(FieldErrors),
    /// A pending invitation has this code already; another one will do.
    #[error("the invite code is in use")]
    CodeTaken,
    /// Unknown, used, revoked or expired: one answer for all, so that codes cannot be probed.
    #[error("This invite code cannot be used.")]
    InvitationNotUsable,
    /// Nobody would be left to run the organization.
    #[error("This is the last admin of the organization. Make somebody else admin first.")]
    LastOrgAdmin,
    /// Nobody has signed up for the membership, so it cannot be made active.
    #[error(
        "This person has not joined yet: the membership becomes active when they sign up with their invite code."
    )]
    NotJoined,
    /// It has ended.
    #[error("This membership is deactivated. Activate it first.")]
    Deactivated,
    /// The code was used, has expired or was taken back, and none of that ever changes.
    #[error("This invitation is {} and cannot be changed. {}", .0.as_str(), way_out(*.0))]
    InvitationEnded(InvitationStatus),
    /// The mail could not be handed over.
    #[error("the mail could not be sent")]
    Mail(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The person is a member of the organization already.
    #[error("You are a member of this organization already.")]
    AlreadyMember,
    /// Too many attempts.
    #[error("Too many attempts. Please try again later.")]
    Throttled(#[from] RetryAfter),
    /// It is not what it was when it was found: replaced, or gone.
    #[error("The file has changed since it was found.")]
    FileChanged,
    /// It has more bytes than are taken.
    #[error("The file is too large (maximum is {0} bytes).")]
    FileTooLarge(u64),
    /// Nobody has to confirm it.
    #[error("This import is {} and not held.", .0.as_str())]
    ImportNotHeld(ImportState),
    /// It is over.
    #[error("This import is {} already.", .0.as_str())]
    ImportEnded(ImportState),
    /// Below the port of files.
    #[error(transparent)]
    Files(#[from] FileStoreError),
    /// Below a port.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl MembershipError {
    /// Somebody else on the roster has this number.
    pub fn external_id_taken() -> Self {
        Self::ExternalIdTaken(FieldErrors::of("external_id", "taken", "belongs to another member"))
    }

    /// `field` names teams that are not live teams of the organization.
    pub fn teams_unknown(field: &str, teams: &[TeamId]) -> Self {
        let ids = teams.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Self::Invalid(FieldErrors::of(field, "unknown", format!("are not teams of the organization: {ids}")))
    }
}

/// What helps instead.
fn way_out(status: InvitationStatus) -> &'static str {
    match status {
        InvitationStatus::Accepted => "The person has joined.",
        _ => "Reissue it to get a new code.",
    }
}

impl DomainError for MembershipError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refusal) => refusal.kind(),
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::ExternalIdTaken(_)
            | Self::LastOrgAdmin
            | Self::AlreadyMember
            | Self::NotJoined
            | Self::Deactivated
            | Self::InvitationEnded(_)
            | Self::ImportNotHeld(_)
            | Self::ImportEnded(_)
            | Self::FileChanged
            | Self::FileTooLarge(_) => ErrorKind::Conflict,
            Self::CodeTaken | Self::Mail(_) => ErrorKind::Internal,
            Self::InvitationNotUsable => ErrorKind::NotFound,
            Self::Throttled(_) => ErrorKind::Throttled,
            Self::Files(error) => error.kind(),
            Self::Storage(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Invalid(_) => "validation_failed",
            Self::ExternalIdTaken(_) => "external_id_taken",
            Self::CodeTaken | Self::Mail(_) => "internal_error",
            Self::NotJoined => "not_joined",
            Self::Deactivated => "membership_deactivated",
            Self::InvitationEnded(InvitationStatus::Accepted) => "invitation_accepted",
            Self::InvitationEnded(_) => "invitation_ended",
            Self::InvitationNotUsable => "invitation_not_usable",
            Self::LastOrgAdmin => "last_org_admin",
            Self::AlreadyMember => "already_member",
            Self::Throttled(_) => "too_many_attempts",
            Self::ImportNotHeld(_) => "import_not_held",
            Self::ImportEnded(_) => "import_ended",
            Self::FileChanged => "file_changed",
            Self::FileTooLarge(_) => "file_too_large",
            Self::Files(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }

    fn fields(&self) -> Option<&FieldErrors> {
        match self {
            Self::Invalid(fields) | Self::ExternalIdTaken(fields) => Some(fields),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<RetryAfter> {
        match self {
            Self::Throttled(wait) => Some(*wait),
            _ => None,
        }
    }
}
