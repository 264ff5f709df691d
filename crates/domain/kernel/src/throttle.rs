/// A limited number of attempts. Each counts separately per key: an address, or an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Failed sign-ins in a row for one account.
    SignInFailuresOfAccount,
    /// Failed sign-ins from one address.
    SignInFailuresOfAddress,
    /// Sign-ups from one address.
    SignUpsOfAddress,
    /// Look-ups of a username's availability from one address.
    UsernameLookupsOfAddress,
    /// Wrong invite codes from one address.
    WrongInviteCodesOfAddress,
    /// Requests for a reset mail from one address.
    ResetMailsOfAddress,
    /// Reset mails to one account.
    ResetMailsOfAccount,
    /// Invitation mails for one membership.
    InvitationMailsOfMembership,
    /// New passwords of one account: each costs a slow hash.
    PasswordChangesOfAccount,
}

/// The budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts, try again in {seconds} seconds")]
pub struct RetryAfter {
    /// Whole seconds until the next attempt is let through, at least 1.
    pub seconds: u64,
    /// How many attempts the budget allows, where there is a number.
    pub limit: Option<u64>,
}

/// Slows down guessing. One key never affects another.
pub trait Throttle: Send + Sync {
    /// Passes when another attempt may be made; counts nothing.
    fn check(&self, budget: Budget, key: &str) -> Result<(), RetryAfter>;

    /// Counts an attempt. Fails, counting nothing, when the budget was used up already: of many attempts made at the
    /// same time only as many succeed here as the budget allows.
    fn record(&self, budget: Budget, key: &str) -> Result<(), RetryAfter>;

    /// Forgets what was counted.
    fn clear(&self, budget: Budget, key: &str);
}
