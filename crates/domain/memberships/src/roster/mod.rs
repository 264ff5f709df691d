//! Rosters: files with the people of an organization, which customers put into their folder, and what is made of them.
//!
//! An [`Import`] applies one file. It reads the file ([`RosterTable`]), decides line by line ([`Planner`]), and writes some
//! lines at a time, so that it may be broken off at any moment and goes on where it was.
//!
//! Use cases of [`RosterService`]: `request_upload`, `start_import`, `import_local`, `notice_file`, `notice_files`, `forget_reports`, `list_imports`,
//! `get_import`, `read_report`, `confirm_import`, `cancel_import`, `run_import`.

mod import;
mod manage_imports;
mod notice_files;
mod plan;
mod read_imports;
mod row;
mod run_import;
mod service;
mod start_import;
mod table;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;
use std::io;

pub use import::{
    HeldReason, Import, ImportCounts, ImportState, ImportTrouble, NewImport, ReportRow, RowAction,
};
pub use manage_imports::ImportChange;
pub use plan::{Batch, Decision, Known, NewTeam, Plan, Planner, StagedLine, Survey};
pub use row::{RosterRow, RowKey};
pub use run_import::Ended;
pub use service::{RosterLimits, RosterService};
pub use start_import::{StartImport, UploadOffer};
pub use table::{Entry, RosterTable};

/// A column that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// The customer's own number for a person, by which they are found again.
    ExternalId,
    /// First name.
    FirstName,
    /// Last name.
    LastName,
    /// Address; people are found by it where there are no numbers.
    Email,
    /// What the person does.
    JobTitle,
    /// The team the person is on, by its name.
    Team,
    /// Whether they run the organization.
    OrgAdmin,
    /// Whether they run that team.
    TeamAdmin,
    /// First day of work.
    HiredOn,
    /// Whether they are here or have left.
    Status,
}

impl Column {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ExternalId,
        Self::FirstName,
        Self::LastName,
        Self::Email,
        Self::JobTitle,
        Self::Team,
        Self::OrgAdmin,
        Self::TeamAdmin,
        Self::HiredOn,
        Self::Status,
    ];

    /// As it stands in the first line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExternalId => "external_id",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Email => "email",
            Self::JobTitle => "job_title",
            Self::Team => "team",
            Self::OrgAdmin => "org_admin",
            Self::TeamAdmin => "team_admin",
            Self::HiredOn => "hired_on",
            Self::Status => "status",
        }
    }
}

/// Something wrong, or worth knowing, about a value of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterProblem {
    /// Line of the file; the first one is 1.
    pub line: u64,
    /// The column as the file names it; empty if it is about the whole line.
    pub column: String,
    /// What is wrong, for programs.
    pub code: Cow<'static, str>,
    /// What is wrong, for people.
    pub message: String,
    /// The beginning of the value.
    pub value: String,
}

impl RosterProblem {
    /// Most characters of a value that a report shows.
    const SHOWN: usize = 100;

    fn new(line: u64, column: &str, code: &'static str, message: impl Into<String>, value: &str) -> Self {
        let value = value.chars().filter(|c| *c != '\0').take(Self::SHOWN).collect();
        Self { line, column: column.to_owned(), code: code.into(), message: message.into(), value }
    }
}

/// Why a file cannot be read at all. Nothing of it is applied then.
#[derive(Debug, thiserror::Error)]
pub enum RosterFailure {
    /// It is an archive or a document.
    #[error("this is not a text file; please save it as CSV")]
    NotText,
    /// Nothing is in it.
    #[error("the file is empty")]
    Empty,
    /// Nobody can be found again by it.
    #[error(
        "the first line must name the columns first_name, last_name, and external_id or email; {0} is missing"
    )]
    ColumnMissing(&'static str),
    /// Two columns of one name.
    #[error("the column {0} is there twice")]
    ColumnTwice(&'static str),
    /// More columns than any roster has.
    #[error("the first line has more than {max} columns", max = RosterTable::MAX_COLUMNS)]
    TooManyColumns,
    /// The rest of the file would be one value.
    #[error("a quote in line {0} is never closed")]
    OpenQuote(u64),
    /// More than is taken.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// Reading it failed.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
}

impl RosterFailure {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotText => "not_text",
            Self::Empty => "empty_file",
            Self::ColumnMissing(_) => "missing_column",
            Self::ColumnTwice(_) => "duplicate_column",
            Self::TooManyColumns => "too_many_columns",
            Self::OpenQuote(_) => "unclosed_quote",
            Self::TooLarge(_) => "file_too_large",
            Self::Unreadable(_) => "unreadable",
        }
    }

    fn unreadable(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}
