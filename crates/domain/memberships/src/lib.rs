//! Memberships: who belongs to which organization with which role, and the invitations that bring people in.
//!
//! A membership exists before its person has an account: the roster makes it, pending, with an invitation whose code the
//! person signs up with.
//!
//! Use cases of [`MembershipService`]: `create_membership`, `get_membership`, `set_org_admin`, `update_membership`,
//! `list_memberships`, `list_team_memberships`, `list_pending_memberships`, `search_members`, `preview_invitation`,
//! `accept_invitation`, `list_invitations`, `list_all_invitations`, `get_invitation`, `resend_invitation`, `revoke_invitation`, `reissue_invitation`, `mail_invitation`,
//! `expire_invitations`.

mod accept_invitation;
mod create_membership;
mod error;
mod expire_invitations;
mod get_membership;
mod invitation;
mod invitation_mail;
mod list_memberships;
mod list_team_memberships;
mod manage_invitations;
mod membership;
pub mod ports;
mod preview_invitation;
mod read_invitations;
pub mod roster;
mod roster_file;
mod service;
mod set_org_admin;
#[cfg(test)]
mod tests;
mod update_membership;

pub use create_membership::CreateMembership;
pub use error::MembershipError;
pub use get_membership::Reader;
pub use invitation::{Invitation, InvitationDetails, InvitationPreview, InvitationStatus};
pub use membership::{Added, FoundMember, Membership, MembershipStatus, MembershipView, UserBrief};
pub use roster_file::{FileKey, RosterFile, UploadTicket};
pub use service::MembershipService;
pub use update_membership::{RosterChange, WantedStatus};
