//! Courses over HTTP.

mod dto;
pub(crate) mod handlers;
mod learner_dto;
pub(crate) mod learner_handlers;
