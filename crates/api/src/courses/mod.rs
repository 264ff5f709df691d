//! Courses and their versions over HTTP.

mod dto;
pub(crate) mod handlers;
mod learner_dto;
pub(crate) mod learner_handlers;
pub(crate) mod progress_stream;
mod version_dto;
pub(crate) mod version_handlers;
