//! What the memberships domain needs from the outside.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain_kernel::{AuditEntry, InviteCode, MembershipId, OrgId, UserId};

use crate::{Added, Invitation, InvitationPreview, Membership, MembershipError, MembershipView};

/// The settings of an organization that the roster depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterSettings {
    /// The time zone that days are counted in.
    pub time_zone: Tz,
    /// Days that new people stay out of reports.
    pub reporting_grace_days: i32,
}

/// Everything that putting a person on the roster writes.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMembership {
    /// The membership, pending and without a user.
    pub membership: Membership,
    /// Its invitation.
    pub invitation: Invitation,
    /// The audit row.
    pub audit: AuditEntry,
}

/// A pure change of a membership, run while the row is locked. Gives the audit row of the change, or none when nothing
/// changed.
pub type MembershipEdit =
    Box<dyn FnOnce(&mut Membership) -> Result<Option<AuditEntry>, MembershipError> + Send>;

/// Stores memberships and their invitations.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait MembershipRepository: Send + Sync {
    /// The roster settings of an organization.
    async fn find_settings(&self, organization: OrgId) -> Result<Option<RosterSettings>, MembershipError>;

    /// One atomic fact: adds the membership with its teams, its invitation and the audit row.
    ///
    /// If the organization has a deactivated membership with the same external id, that one gets the new values instead
    /// and keeps its history: active at once when its user still has an account, else pending again with the new
    /// invitation.
    ///
    /// Fails, writing nothing, with [`MembershipError::ExternalIdTaken`] if a pending or active membership has the
    /// external id, with [`MembershipError::Invalid`] naming `team_ids` or `administered_team_ids` if one is no live team
    /// of the organization, and with [`MembershipError::CodeTaken`] if a pending invitation has the code.
    async fn add(&self, new: NewMembership) -> Result<Added, MembershipError>;

    /// The membership with its newest invitation and its account.
    async fn find(&self, id: MembershipId) -> Result<Option<MembershipView>, MembershipError>;

    /// One atomic fact: loads the membership for update, runs `edit`, saves its role, and writes the audit row. Changes of
    /// one organization's admins queue up, so that of two who are dismissed at once one stays.
    ///
    /// Fails, writing nothing, with a not-found refusal if there is no such membership, with
    /// [`MembershipError::LastOrgAdmin`] if the organization would lose its last active admin, and with whatever `edit`
    /// says.
    async fn update(&self, id: MembershipId, edit: MembershipEdit)
    -> Result<MembershipView, MembershipError>;

    /// What the holder of a code is shown; none unless the invitation is pending and not expired at `now`.
    async fn preview(
        &self,
        code: &InviteCode,
        now: DateTime<Utc>,
    ) -> Result<Option<InvitationPreview>, MembershipError>;

    /// One atomic fact: links the user to the membership that the code names, makes it active and marks the invitation
    /// accepted.
    ///
    /// Fails, writing nothing, with [`MembershipError::InvitationNotUsable`] if the code is unknown, used, revoked or
    /// expired at `now` or the user has no active account any more, and with [`MembershipError::AlreadyMember`] if the user has a membership in the organization.
    async fn accept(
        &self,
        code: &InviteCode,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<MembershipView, MembershipError>;

    /// Marks pending invitations whose time is over as expired. Gives their number.
    async fn expire_invitations(&self, now: DateTime<Utc>) -> Result<u64, MembershipError>;
}

/// Source of invite codes.
#[cfg_attr(test, mockall::automock)]
pub trait InviteCodeGenerator: Send + Sync {
    /// A random code of letters and digits that people do not mix up.
    fn code(&self) -> InviteCode;
}
