use domain_kernel::{DomainError, ErrorKind, FieldErrors, Refusal, RetryAfter, StorageError};

/// Why something about accounts and sessions was refused.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The actor may not, or there is no such user.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Fields break rules.
    #[error("Some fields are wrong.")]
    Invalid(FieldErrors),
    /// The username or address belongs to somebody else.
    #[error("This is taken already.")]
    Taken(FieldErrors),
    /// Unknown user, wrong password, locked account: one answer for all, so that none can be told from another.
    #[error("Invalid login credentials. Please try again.")]
    InvalidCredentials,
    /// No session, or one that has ended.
    #[error("You need to sign in or sign up before continuing.")]
    NotSignedIn,
    /// Somebody else set the password.
    #[error("Please choose a password of your own first.")]
    PasswordChangeRequired,
    /// The reset token is unknown, used or too old.
    #[error("Unauthorized")]
    ResetTokenNotUsable,
    /// A reset link that leads nowhere any more.
    #[error("This link is no longer valid. Please ask for a new one.")]
    ResetLinkNotFound,
    /// No reset without an address.
    #[error("You must provide an email address.")]
    EmailMissing,
    /// No reset without a place to lead to.
    #[error("Missing redirect URL.")]
    RedirectMissing,
    /// The place is not on the allow-list.
    #[error("Redirect to this URL is not allowed.")]
    RedirectNotAllowed,
    /// Unknown, used, revoked or expired: one answer for all, so that codes cannot be probed.
    #[error("This invite code cannot be used.")]
    InvitationNotUsable,
    /// Nobody would be left to run an organization.
    #[error("This is the last admin of an organization. Make somebody else admin first.")]
    LastOrgAdmin,
    /// There is a staff admin already.
    #[error("a staff admin exists already")]
    StaffAdminExists,
    /// Too many attempts.
    #[error("Too many attempts. Please try again later.")]
    Throttled(RetryAfter),
    /// More passwords wait to be checked than the machine can hash in time.
    #[error("The server is busy. Please try again in a moment.")]
    Busy,
    /// A password could not be hashed or checked.
    #[error("the password could not be hashed")]
    Hashing(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The mail could not be handed over.
    #[error("the mail could not be sent")]
    Mail(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Below a port.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl DomainError for UserError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refusal) => refusal.kind(),
            Self::Invalid(_) | Self::RedirectNotAllowed => ErrorKind::Invalid,
            Self::InvalidCredentials
            | Self::NotSignedIn
            | Self::ResetTokenNotUsable
            | Self::EmailMissing
            | Self::RedirectMissing => ErrorKind::Unauthenticated,
            Self::PasswordChangeRequired => ErrorKind::Forbidden,
            Self::ResetLinkNotFound | Self::InvitationNotUsable => ErrorKind::NotFound,
            Self::Taken(_) | Self::LastOrgAdmin | Self::StaffAdminExists => ErrorKind::Conflict,
            Self::Throttled(_) => ErrorKind::Throttled,
            Self::Busy => ErrorKind::Unavailable,
            Self::Hashing(_) | Self::Mail(_) => ErrorKind::Internal,
            Self::Storage(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Invalid(_) => "validation_failed",
            Self::Taken(_) => "taken",
            Self::InvalidCredentials => "invalid_credentials",
            Self::NotSignedIn => "not_signed_in",
            Self::PasswordChangeRequired => "password_change_required",
            Self::ResetTokenNotUsable => "unauthorized",
            Self::ResetLinkNotFound => "reset_link_not_found",
            Self::EmailMissing => "email_missing",
            Self::RedirectMissing => "redirect_url_missing",
            Self::RedirectNotAllowed => "redirect_url_not_allowed",
            Self::InvitationNotUsable => "invitation_not_usable",
            Self::LastOrgAdmin => "last_org_admin",
            Self::StaffAdminExists => "staff_admin_exists",
            Self::Throttled(_) => "too_many_attempts",
            Self::Busy => "busy",
            Self::Hashing(_) | Self::Mail(_) => "internal_error",
            Self::Storage(error) => error.code(),
        }
    }

    fn fields(&self) -> Option<&FieldErrors> {
        match self {
            Self::Invalid(fields) | Self::Taken(fields) => Some(fields),
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

impl From<RetryAfter> for UserError {
    fn from(wait: RetryAfter) -> Self {
        Self::Throttled(wait)
    }
}

impl From<FieldErrors> for UserError {
    fn from(fields: FieldErrors) -> Self {
        Self::Invalid(fields)
    }
}

impl UserError {
    /// The username is in use.
    pub fn username_taken() -> Self {
        Self::Taken(FieldErrors::of("username", "taken", "has already been taken"))
    }

    /// The address is in use.
    pub fn email_taken() -> Self {
        Self::Taken(FieldErrors::of("email", "taken", "has already been taken"))
    }
}
