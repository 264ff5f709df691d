//! Rosters over HTTP: putting files, and what was made of them.

mod dto;
pub(crate) mod handlers;
mod notifications;
mod report;

pub(crate) use notifications::notify_of_files;
