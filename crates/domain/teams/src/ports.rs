//! What the teams domain needs from the outside.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain_kernel::{AuditEntry, MembershipId, OrgId, Page, PageRequest, RefinementId, TeamId, UserId};

pub use crate::score::Counts;
use crate::score::ScoreCalendar;
use crate::{AddedAdmin, Refinement, Team, TeamAdmin, TeamError, TeamPeople, TeamPlace};

/// A pure change of a team, run while the row is locked. Gives the audit row of the change, or none when nothing changed.
pub type TeamEdit = Box<dyn FnOnce(&mut Team) -> Result<Option<AuditEntry>, TeamError> + Send>;

/// The same for a team with its people.
pub type RosterEdit =
    Box<dyn FnOnce(&mut Team, &mut TeamPeople) -> Result<Option<AuditEntry>, TeamError> + Send>;

/// Stores teams.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait TeamRepository: Send + Sync {
    /// One atomic fact: adds the team and its audit row. Fails, writing nothing, with [`TeamError::NameTaken`] if the
    /// organization has a live team of that name, case ignored, and with a not-found refusal if there is no such
    /// organization.
    async fn insert(&self, team: Team, audit: AuditEntry) -> Result<(), TeamError>;

    /// One atomic fact: loads the team for update, runs `edit`, saves, and writes the audit row. A team that `edit` marks
    /// deleted loses its members and admins, and assignments of a course pool that are not begun and whose course is in no
    /// list of their member any more are withdrawn. Gives the team as it is then, with its counts.
    ///
    /// Fails, writing nothing, with a not-found refusal if there is no such team, live or deleted, with
    /// [`TeamError::NameTaken`] if another live team of the organization has the new name, and with whatever `edit` says.
    async fn update(&self, id: TeamId, edit: TeamEdit) -> Result<Team, TeamError>;

    /// One atomic fact: adds the team with its people and its audit row. Gives it with its counts.
    ///
    /// Fails, writing nothing, as [`insert`](Self::insert) does, with [`TeamError::ExternalIdTaken`] if the organization has a
    /// live team of that number, and with [`TeamError::Invalid`] naming `membership_ids` and `admin_membership_ids` if they
    /// hold what is no pending or active membership of the organization.
    async fn insert_with_people(
        &self,
        team: Team,
        people: TeamPeople,
        audit: AuditEntry,
    ) -> Result<Team, TeamError>;

    /// The same as [`update`](Self::update) for a team with its people. Who joins or leaves loses assignments of a course pool
    /// that are not begun and whose course is in no list of theirs any more. Who stays keeps the time of joining.
    ///
    /// Fails, writing nothing, as [`update`](Self::update) does, and as [`insert_with_people`](Self::insert_with_people) does
    /// for the number and for people who are new.
    async fn update_with_people(&self, id: TeamId, edit: RosterEdit) -> Result<Team, TeamError>;

    /// One atomic fact: lets the membership run the team, and writes the audit row. Nothing is written if it runs the team
    /// already.
    ///
    /// Fails, writing nothing, with a not-found refusal if there is no such live team, or no membership of its organization
    /// that is pending or active.
    async fn add_admin(
        &self,
        team: TeamId,
        membership: MembershipId,
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<AddedAdmin, TeamError>;

    /// One atomic fact: takes the membership's say in the team, and writes the audit row. Gives who it was; none, writing
    /// nothing, if it did not run the team.
    async fn remove_admin(
        &self,
        team: TeamId,
        membership: MembershipId,
        audit: AuditEntry,
    ) -> Result<Option<TeamAdmin>, TeamError>;
}

/// Whose a membership is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MembershipOwner {
    /// In which organization.
    pub organization: OrgId,
    /// Who took it; none while pending and once it is deactivated: whoever has left does not follow the teams any more.
    pub user: Option<UserId>,
}

/// Reads teams.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait TeamQueries: Send + Sync {
    /// The team with its counts, deleted ones too.
    async fn find(&self, id: TeamId) -> Result<Option<Team>, TeamError>;

    /// The live teams of an organization with their counts, by name with case ignored and then by id. None if there is no
    /// such organization.
    async fn list_of_organization(
        &self,
        organization: OrgId,
        page: PageRequest,
    ) -> Result<Option<Page<Team>>, TeamError>;

    /// Who runs a live team, by last and first name with case ignored and then by id; with the team's organization, in one
    /// read. None if there is no such live team.
    async fn list_admins(
        &self,
        team: TeamId,
        page: PageRequest,
    ) -> Result<Option<(OrgId, Page<TeamAdmin>)>, TeamError>;

    /// The live teams that a membership is on, with their counts, by name with case ignored and then by id; with whose
    /// membership it is, in one read. None if there is no such membership.
    async fn list_of_membership(
        &self,
        membership: MembershipId,
        page: PageRequest,
    ) -> Result<Option<(MembershipOwner, Page<Team>)>, TeamError>;

    /// Those of the teams that are live, with their counts, by name and then by id.
    async fn list_by_ids(&self, ids: Vec<TeamId>, page: PageRequest) -> Result<Page<Team>, TeamError>;
}

/// A pure change of a refinement, run while the row is locked. Gives the audit row of the change, or none when nothing
/// changed.
pub type RefinementEdit = Box<dyn FnOnce(&mut Refinement) -> Result<Option<AuditEntry>, TeamError> + Send>;

/// Stores refinements.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait RefinementRepository: Send + Sync {
    /// Where a team is. None if there is no such live team.
    async fn find_place(&self, team: TeamId) -> Result<Option<TeamPlace>, TeamError>;

    /// One atomic fact: adds the refinement and its audit row. Gives it as it is stored, which may spell numbers otherwise.
    ///
    /// Fails, writing nothing, with a not-found refusal if there is no such live team, and with [`TeamError::Invalid`] naming
    /// each key of the data that holds a membership, in whatever state, of no or of another organization, or a course that is
    /// neither the organization's own nor of the library.
    async fn insert(&self, refinement: Refinement, audit: AuditEntry) -> Result<Refinement, TeamError>;

    /// One atomic fact: loads the refinement for update, runs `edit`, saves data, day and time of the change, and writes the
    /// audit row. Gives it as it is stored then.
    ///
    /// Fails, writing nothing, with a not-found refusal if there is no such live team, or it has no such refinement, with
    /// whatever `edit` says, and for new data as [`insert`](Self::insert) does.
    async fn update(
        &self,
        team: TeamId,
        id: RefinementId,
        edit: RefinementEdit,
    ) -> Result<Refinement, TeamError>;

    /// A refinement of a team, with the team's organization, in one read. None if there is no such live team, and no refinement
    /// if it has none of this id.
    async fn find(
        &self,
        team: TeamId,
        id: RefinementId,
    ) -> Result<Option<(OrgId, Option<Refinement>)>, TeamError>;

    /// The refinements of a team, the latest noted first and then by id; with the team's organization, in one read. None if
    /// there is no such live team.
    async fn list(
        &self,
        team: TeamId,
        page: PageRequest,
    ) -> Result<Option<(OrgId, Page<Refinement>)>, TeamError>;
}

/// The teams of an organization with what was counted of them, and by whose calendar.
pub type CountedTeams = (ScoreCalendar, Vec<(Team, Counts)>);

/// Counts what scores are made of, as [`ScoreInput::of`](crate::ScoreInput::of) says, and keeps what was counted.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait ScoreRepository: Send + Sync {
    /// A live team with its counts in the windows of the last twelve scores that are over at `now`, and the organization's
    /// calendar. What is kept is read, the rest is counted. None if there is no such live team.
    async fn count_team(
        &self,
        team: TeamId,
        now: DateTime<Utc>,
    ) -> Result<Option<(ScoreCalendar, Team, Counts)>, TeamError>;

    /// The same for all live teams of an organization, in no order. None if there is no such organization.
    async fn count_organization(
        &self,
        organization: OrgId,
        now: DateTime<Utc>,
    ) -> Result<Option<CountedTeams>, TeamError>;

    /// Counts all live teams in those windows of the last twelve scores that are over at `now` for a quarter of an hour and
    /// not kept, and keeps that. It is forgotten when something it is made of changes; from the end of the late window on it
    /// stays for good. Gives how many were new. May be called by several servers at once.
    async fn keep(&self, now: DateTime<Utc>) -> Result<usize, TeamError>;
}
