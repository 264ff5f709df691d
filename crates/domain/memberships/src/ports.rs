//! What the memberships domain needs from the outside.

mod imports;
mod roster_files;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain_kernel::{
    AuditEntry, EmailAddress, InvitationId, InviteCode, MembershipId, NameKey, OrgId, Page, PageRequest,
    SearchWords, Sort, TeamId, UserId,
};

use crate::{
    Added, FoundMember, Invitation, InvitationDetails, InvitationPreview, InvitationStatus, Membership,
    MembershipError, MembershipStatus, MembershipView,
};

pub use imports::{
    Begun, ImportEdit, ImportQueries, ImportRepository, ImportRun, RosterFolder, RunEnd, RunLease,
};
#[cfg(test)]
pub(crate) use imports::{MockImportQueries, MockImportRepository, MockImportRun};
#[cfg(test)]
pub(crate) use roster_files::MockRosterFiles;
pub use roster_files::RosterFiles;

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

/// A pure change of a membership, run while the row is locked. May put a new invitation in the place of the newest one.
/// Gives the audit row of the change, or none when nothing changed.
pub type MembershipEdit =
    Box<dyn FnOnce(&mut MembershipView) -> Result<Option<AuditEntry>, MembershipError> + Send>;

/// What a pure change makes of an invitation.
#[derive(Debug, Clone, PartialEq)]
pub enum InvitationChange {
    /// Nothing.
    None,
    /// The invitation as it was edited.
    Saved(Box<AuditEntry>),
    /// This one takes its place.
    Replaced(Invitation, Box<AuditEntry>),
}

/// A change of an invitation, decided while it and its membership are locked.
pub type InvitationEdit =
    Box<dyn FnOnce(&mut InvitationDetails) -> Result<InvitationChange, MembershipError> + Send>;

/// Which invitations of an organization are wanted; absent parts let all pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvitationFilter {
    /// Those that stand so.
    pub status: Option<InvitationStatus>,
    /// Those of this membership.
    pub membership: Option<MembershipId>,
}

/// Which invitations of all organizations are wanted: those that are in each of the lists; absent ones let all pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvitationSelection {
    /// These.
    pub ids: Option<Vec<InvitationId>>,
    /// Those of these memberships.
    pub memberships: Option<Vec<MembershipId>>,
}

/// The same for memberships.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MembershipSelection {
    /// These.
    pub ids: Option<Vec<MembershipId>>,
    /// Those in these organizations.
    pub organizations: Option<Vec<OrgId>>,
    /// Those on these teams.
    pub teams: Option<Vec<TeamId>>,
}

/// Who is looked for around a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSearch {
    /// The team.
    pub team: TeamId,
    /// Parts of names.
    pub words: SearchWords,
    /// In the whole organization of the team, and not only on the team.
    pub whole_organization: bool,
    /// In which order.
    pub sort: Sort<NameKey>,
}

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

    /// One atomic fact: loads the membership for update, runs `edit`, saves it with its teams, and writes the audit row.
    /// The account of somebody who deleted it is loaded as none. Changes of one organization's admins queue up, so that of
    /// two who are dismissed at once one stays.
    ///
    /// A new invitation in the view is added, and earlier pending ones are revoked. One that is deactivated by `edit`
    /// loses its pending invitation, and its person all sessions if no active membership is left and they are not staff.
    ///
    /// Another job title, and other teams, withdraw an assignment of a course pool that is not begun and whose course is in
    /// no list of the member any more.
    ///
    /// Fails, writing nothing, with a not-found refusal if there is no such membership, with
    /// [`MembershipError::LastOrgAdmin`] if the organization would lose its last active admin, with
    /// [`MembershipError::ExternalIdTaken`], [`MembershipError::Invalid`] and [`MembershipError::CodeTaken`] as in
    /// [`add`](Self::add), and with whatever `edit` says.
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

/// Stores invitations.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait InvitationRepository: Send + Sync {
    /// The invitation with what belongs to it.
    async fn find(&self, id: InvitationId) -> Result<Option<InvitationDetails>, MembershipError>;

    /// The invitations of an organization that pass the filter as they stand at `now`, newest first, among equals the
    /// greatest id. None if
    /// there is no such organization.
    async fn list_of_organization(
        &self,
        organization: OrgId,
        filter: InvitationFilter,
        now: DateTime<Utc>,
        page: PageRequest,
    ) -> Result<Option<Page<InvitationDetails>>, MembershipError>;

    /// The selected invitations of all organizations, the greatest id first, which is the newest.
    async fn list(
        &self,
        selection: InvitationSelection,
        page: PageRequest,
    ) -> Result<Page<InvitationDetails>, MembershipError>;

    /// One atomic fact: loads the invitation for update, its membership first, runs `edit`, saves, and writes the audit
    /// row. A replacement is added after all pending invitations of the membership are revoked. Gives the invitation as it
    /// is then, or the replacement.
    ///
    /// Fails, writing nothing, with a not-found refusal if there is no such invitation, with
    /// [`MembershipError::CodeTaken`] if another pending invitation has the new code, and with whatever `edit` says.
    async fn update(
        &self,
        id: InvitationId,
        edit: InvitationEdit,
    ) -> Result<InvitationDetails, MembershipError>;

    /// Notes that the code was mailed.
    async fn note_sent(
        &self,
        id: InvitationId,
        to: EmailAddress,
        at: DateTime<Utc>,
    ) -> Result<(), MembershipError>;
}

/// Reads lists of memberships.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait MembershipQueries: Send + Sync {
    /// Those on a live team that stand so, by last and first name with case ignored and then by id; with the team's
    /// organization, in one read. None if there is no such live team.
    async fn list_of_team(
        &self,
        team: TeamId,
        status: MembershipStatus,
        page: PageRequest,
    ) -> Result<Option<(OrgId, Page<MembershipView>)>, MembershipError>;

    /// The selected memberships of all organizations, whatever they stand at, by id, which is in the order of their making.
    async fn list(
        &self,
        selection: MembershipSelection,
        page: PageRequest,
    ) -> Result<Page<MembershipView>, MembershipError>;

    /// The pending and active memberships whose names on the roster or on the account hold, for each word, one that begins
    /// so, case and accents ignored; with the team's organization, in one read. None if there is no such live team. Words
    /// without a letter or digit find nobody. Outside of `horizon` there is no team: nothing is looked for there.
    async fn search_around_team(
        &self,
        search: MemberSearch,
        horizon: Option<Vec<OrgId>>,
        page: PageRequest,
    ) -> Result<Option<(OrgId, Page<FoundMember>)>, MembershipError>;
}

/// A mail with an invite code.
#[derive(Clone, PartialEq, Eq)]
pub struct InvitationMail {
    /// To whom.
    pub to: EmailAddress,
    /// Who invites.
    pub organization_name: String,
    /// What to type.
    pub code: InviteCode,
    /// Until when it works.
    pub expires_at: DateTime<Utc>,
}

/// Hidden: whoever reads a code in a log could take the membership.
impl fmt::Debug for InvitationMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvitationMail(…)")
    }
}

/// Sends invitations.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait InvitationMailer: Send + Sync {
    /// Hands the mail over for delivery. Fails with [`MembershipError::Mail`].
    async fn send_invitation(&self, mail: InvitationMail) -> Result<(), MembershipError>;
}

/// Source of invite codes.
#[cfg_attr(test, mockall::automock)]
pub trait InviteCodeGenerator: Send + Sync {
    /// A random code of letters and digits that people do not mix up.
    fn code(&self) -> InviteCode;
}
