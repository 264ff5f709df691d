use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::{AuditEntry, ImportId, ImportMode, JobId, OrgId, Page, PageRequest};
use uuid::Uuid;

use crate::roster::{
    Import, ImportState, ImportTrouble, NewImport, Planner, ReportRow, RosterProblem, StagedLine, Survey,
};
use crate::{FileKey, MembershipError};

/// Where an organization puts its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterFolder {
    /// Which organization.
    pub organization: OrgId,
    /// The folder, without a slash at its end.
    pub folder: String,
    /// How a file is meant that nobody said anything about.
    pub mode: ImportMode,
}

/// A pure change of an import, run while it is locked. Gives the audit row, or none when nothing changed. An import that is
/// queued by it gets a job.
pub type ImportEdit = Box<dyn FnOnce(&mut Import) -> Result<Option<AuditEntry>, MembershipError> + Send>;

/// Stores imports.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait ImportRepository: Send + Sync {
    /// Where the organization puts its files.
    async fn find_folder(&self, organization: OrgId) -> Result<Option<RosterFolder>, MembershipError>;

    /// In whose folder a file of this name lies.
    async fn find_owner(&self, key: &str) -> Result<Option<RosterFolder>, MembershipError>;

    /// Folders of the organizations after this one, by id.
    async fn list_folders(
        &self,
        after: Option<OrgId>,
        limit: i64,
    ) -> Result<Vec<RosterFolder>, MembershipError>;

    /// Which of these files, by key and content, no import is about yet: their places in the list.
    async fn find_unknown(
        &self,
        organization: OrgId,
        files: Vec<(FileKey, String)>,
    ) -> Result<Vec<usize>, MembershipError>;

    /// One atomic fact: makes an import whose file is still to be put, and the audit row.
    async fn offer(&self, new: NewImport, audit: AuditEntry) -> Result<Import, MembershipError>;

    /// One atomic fact: the import of a file that is there, with a job that does it, and the audit row. Gives whether it was made
    /// or queued by this call.
    ///
    /// An import that waits for the file is taken; the mode stays as it was when it was made. If there is one of the same file
    /// and content that was not in vain, that one is given back, and nothing is written. A dry run is always a new one.
    async fn add(
        &self,
        new: NewImport,
        job: JobId,
        audit: Option<AuditEntry>,
    ) -> Result<(Import, bool), MembershipError>;

    /// One atomic fact: loads the import of the organization for update, runs `edit`, saves its state, whether it is confirmed and
    /// when it ended, queues a job if it is queued now, drops what is staged if it ended, and writes the audit row.
    ///
    /// Fails, writing nothing, with a not-found refusal if the organization has no such import, and with whatever `edit` says.
    async fn update(
        &self,
        organization: OrgId,
        id: ImportId,
        job: JobId,
        edit: ImportEdit,
    ) -> Result<Import, MembershipError>;

    /// Ends imports that wait in vain: for a file that was not put in `patience`, or for a job that was given up, and drops
    /// what is staged of them. Gives their number.
    async fn expire(&self, patience: TimeDelta, now: DateTime<Utc>) -> Result<u64, MembershipError>;

    /// Deletes the reports of some imports that ended before a time; the imports and their counts stay. Gives how many reports.
    async fn forget_reports(&self, ended_before: DateTime<Utc>) -> Result<u64, MembershipError>;
}

/// What somebody who applies an import shows: of whom another one took over from, nothing is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLease {
    /// Which import.
    pub import: ImportId,
    /// Who is at it.
    pub run: Uuid,
}

/// What became of the wish to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Begun.
    Now(Box<Import>),
    /// Another import of the organization comes first.
    Later,
    /// There is nothing to do any more.
    Over,
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// Done, held or failed.
    pub state: ImportState,
    /// Why it is held or failed.
    pub trouble: Option<ImportTrouble>,
    /// What is worth knowing of the file.
    pub warnings: Vec<RosterProblem>,
}

/// Applies imports. All but [`begin`](Self::begin) give none, having written nothing, if the import is not the run's any more.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait ImportRun: Send + Sync {
    /// One atomic fact: begins a run of an import that is queued, or takes one over that is running. Of one organization one
    /// import runs at a time, and those that wait come in the order of their making. What an earlier run staged is dropped; what
    /// it applied stays.
    async fn begin(&self, id: ImportId, run: Uuid, now: DateTime<Utc>) -> Result<Begun, MembershipError>;

    /// Stages more lines.
    async fn stage(&self, lease: RunLease, lines: Vec<StagedLine>) -> Result<Option<()>, MembershipError>;

    /// To be called when all lines are staged: notes how many there are, rejects those that are there again further down, as
    /// `duplicate_in_file`, and looks at what a snapshot would do. `by_number` says whether people are found by their number.
    async fn survey(&self, lease: RunLease, by_number: bool) -> Result<Option<Survey>, MembershipError>;

    /// One atomic fact: decides the next `limit` staged lines that are not applied yet, writes what was decided unless it is a dry
    /// run, and the report. Gives the number of lines, 0 at the end.
    ///
    /// Whoever leaves loses what [`update`](super::MembershipRepository::update) takes. A code that is in use is drawn again. The
    /// decisions are made anew with what they are about locked, so that nothing is overwritten that somebody else wrote meanwhile.
    async fn apply(
        &self,
        lease: RunLease,
        planner: Arc<Planner>,
        limit: i64,
    ) -> Result<Option<usize>, MembershipError>;

    /// The same for at most `limit` people who are in no staged line. Gives their number, 0 at the end.
    async fn apply_missing(
        &self,
        lease: RunLease,
        planner: Arc<Planner>,
        by_number: bool,
        limit: i64,
    ) -> Result<Option<usize>, MembershipError>;

    /// Ends the run, and drops what it staged.
    async fn end(
        &self,
        lease: RunLease,
        end: RunEnd,
        now: DateTime<Utc>,
    ) -> Result<Option<()>, MembershipError>;
}

/// Reads imports. Each method is one statement.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait ImportQueries: Send + Sync {
    /// Those of the organization that stand so, the newest first. None if there is no such organization.
    async fn list(
        &self,
        organization: OrgId,
        state: Option<ImportState>,
        page: PageRequest,
    ) -> Result<Option<Page<Import>>, MembershipError>;

    /// One of the organization, with what is wrong with lines, at most `limit` of that, in the order of the file.
    async fn find(
        &self,
        organization: OrgId,
        id: ImportId,
        limit: usize,
    ) -> Result<Option<(Import, Vec<RosterProblem>)>, MembershipError>;

    /// Rows of the report after a place, at most `limit`. None if the organization has no such import.
    async fn report(
        &self,
        organization: OrgId,
        id: ImportId,
        after: i64,
        limit: i64,
    ) -> Result<Option<Vec<ReportRow>>, MembershipError>;
}
