use chrono::{DateTime, Utc};
use domain_kernel::{EmailAddress, InvitationId, InviteCode, MembershipId, OrgId, UserId};

use crate::MembershipStatus;

/// Where an invitation stands. Only `pending` ever changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationStatus {
    /// Its code can be used.
    Pending,
    /// Its code was used.
    Accepted,
    /// Its code was not used in time.
    Expired,
    /// Its code was taken back.
    Revoked,
}

impl InvitationStatus {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Accepted, Self::Expired, Self::Revoked].into_iter().find(|s| s.as_str() == text)
    }
}

/// The code that lets a person take a membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Key.
    pub id: InvitationId,
    /// In which organization.
    pub organization: OrgId,
    /// Which membership.
    pub membership: MembershipId,
    /// What to type; unique among pending invitations.
    pub code: InviteCode,
    /// Where it was left.
    pub status: InvitationStatus,
    /// Until when the code works.
    pub expires_at: DateTime<Utc>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Invitation {
    /// Where it stands at `now`: time makes a pending one expired before anything writes that down.
    pub fn status_at(&self, now: DateTime<Utc>) -> InvitationStatus {
        match self.status {
            InvitationStatus::Pending if now >= self.expires_at => InvitationStatus::Expired,
            status => status,
        }
    }
}

/// An invitation with all that its organization's admins are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationDetails {
    /// The invitation.
    pub invitation: Invitation,
    /// Who invites.
    pub organization_name: String,
    /// Who is invited, first and last name.
    pub membership_name: String,
    /// Where the membership stands.
    pub membership_status: MembershipStatus,
    /// Whether whoever takes the membership runs the organization or a team.
    pub gives_say: bool,
    /// The person's address on the roster.
    pub email: Option<EmailAddress>,
    /// The last mail with the code: to whom, and when.
    pub sent: Option<(EmailAddress, DateTime<Utc>)>,
    /// When its code was used, and by whom.
    pub accepted: Option<(DateTime<Utc>, UserId)>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl InvitationDetails {
    /// The same as it stands at `now`.
    #[must_use]
    pub fn at(mut self, now: DateTime<Utc>) -> Self {
        self.invitation.status = self.invitation.status_at(now);
        self
    }
}

/// What anybody who holds a code is shown before signing up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationPreview {
    /// The code.
    pub code: InviteCode,
    /// Who invites.
    pub organization_name: String,
    /// Who is invited.
    pub membership_name: String,
    /// Until when the code works.
    pub expires_at: DateTime<Utc>,
    /// Whether the organization wants its people to sign in through its own identity provider.
    pub sso_required: bool,
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::tests::an_invitation;

    #[test]
    fn time_expires_a_pending_invitation_and_no_other() {
        let pending = an_invitation();
        let end = pending.expires_at;
        assert_eq!(pending.status_at(end - TimeDelta::seconds(1)), InvitationStatus::Pending);
        assert_eq!(pending.status_at(end), InvitationStatus::Expired);
        let accepted = Invitation { status: InvitationStatus::Accepted, ..pending };
        assert_eq!(accepted.status_at(end), InvitationStatus::Accepted);
    }
}
