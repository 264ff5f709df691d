//! Rosters over HTTP: putting files, and what was made of them.

mod dto;
pub(crate) mod handlers;
mod job;
mod notifications;
mod report;

pub(crate) use dto::parse_mode;
pub(crate) use job::RosterJob;
pub(crate) use notifications::notify_of_files;
