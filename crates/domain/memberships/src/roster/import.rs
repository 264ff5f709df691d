use std::borrow::Cow;

use chrono::{DateTime, Utc};
use domain_kernel::{ImportId, ImportMode, MembershipId, OrgId, UserId};

use super::RosterProblem;
use crate::FileKey;

/// Where an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportState {
    /// Its file may still be put.
    AwaitingUpload,
    /// Waits for a worker, and for earlier imports of the organization.
    Queued,
    /// A worker is at it.
    Running,
    /// Would do something that somebody has to confirm first.
    Held,
    /// Every line was applied or rejected.
    Done,
    /// The file cannot be read.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
}

impl ImportState {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AwaitingUpload,
        Self::Queued,
        Self::Running,
        Self::Held,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingUpload => "awaiting_upload",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Held => "held",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing more happens to it.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// What somebody has to confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldReason {
    /// More than a tenth of the people would have left.
    TooManyDeactivations,
    /// Nobody would be left to run the organization.
    LastOrgAdmin,
    /// Of some lines it cannot be told whom they are about: these people would have left.
    LinesWithoutKey,
}

impl HeldReason {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooManyDeactivations => "too_many_deactivations",
            Self::LastOrgAdmin => "last_org_admin",
            Self::LinesWithoutKey => "lines_without_key",
        }
    }
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowAction {
    /// A new membership.
    Created,
    /// Something of the membership changed.
    Updated,
    /// All was so already.
    Unchanged,
    /// The person had left and is back.
    Reactivated,
    /// The person has left.
    Deactivated,
    /// The line could not be used.
    Rejected,
}

impl RowAction {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Created, Self::Updated, Self::Unchanged, Self::Reactivated, Self::Deactivated, Self::Rejected];

    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Reactivated => "reactivated",
            Self::Deactivated => "deactivated",
            Self::Rejected => "rejected",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// How many lines ended how. Who is not in a snapshot is counted among the deactivated, and is no row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Lines after the first one that are not blank.
    pub rows: i64,
    /// New memberships.
    pub created: i64,
    /// Changed memberships.
    pub updated: i64,
    /// Memberships that were so already.
    pub unchanged: i64,
    /// People who are back.
    pub reactivated: i64,
    /// People who have left.
    pub deactivated: i64,
    /// Lines that could not be used.
    pub rejected: i64,
}

impl ImportCounts {
    /// Counts one more.
    pub fn add(&mut self, action: RowAction) {
        *match action {
            RowAction::Created => &mut self.created,
            RowAction::Updated => &mut self.updated,
            RowAction::Unchanged => &mut self.unchanged,
            RowAction::Reactivated => &mut self.reactivated,
            RowAction::Deactivated => &mut self.deactivated,
            RowAction::Rejected => &mut self.rejected,
        } += 1;
    }
}

/// Why an import is held or has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportTrouble {
    /// For programs.
    pub code: Cow<'static, str>,
    /// For people.
    pub message: String,
}

/// One file and what was or will be made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Key.
    pub id: ImportId,
    /// Whose people.
    pub organization: OrgId,
    /// The file.
    pub key: FileKey,
    /// What the storage calls its content; unknown until it is there.
    pub etag: Option<String>,
    /// What people mean who are not in the file.
    pub mode: ImportMode,
    /// Only tells what would be done.
    pub dry_run: bool,
    /// Where it stands.
    pub state: ImportState,
    /// Whether somebody said that it is to be applied whatever it does.
    pub is_confirmed: bool,
    /// How many lines ended how, so far.
    pub counts: ImportCounts,
    /// What is wrong with lines, altogether.
    pub errors_total: i64,
    /// Why it is held or has failed.
    pub trouble: Option<ImportTrouble>,
    /// What is worth knowing of the file as a whole, such as columns that nobody understands.
    pub warnings: Vec<RosterProblem>,
    /// Who asked for it; nobody when the file was found.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When a worker began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, in whichever way.
    pub finished_at: Option<DateTime<Utc>>,
}

/// An import to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImport {
    /// Key.
    pub id: ImportId,
    /// Whose people.
    pub organization: OrgId,
    /// The file.
    pub key: FileKey,
    /// Its content, if it is there already.
    pub etag: Option<String>,
    /// What people mean who are not in the file.
    pub mode: ImportMode,
    /// Only tells what would be done.
    pub dry_run: bool,
    /// Who asks.
    pub created_by: Option<UserId>,
    /// Now.
    pub at: DateTime<Utc>,
}

/// What became of one line, or of somebody who is not in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow {
    /// Place in the report, from 1 on without order of meaning; lines come in the order of the file.
    pub position: i64,
    /// Line of the file; none for who is not in it.
    pub line: Option<i64>,
    /// By what the person is found.
    pub key: Option<String>,
    /// What was done.
    pub action: RowAction,
    /// With whom.
    pub membership: Option<MembershipId>,
    /// What is wrong with the line.
    pub problems: Vec<RosterProblem>,
}
