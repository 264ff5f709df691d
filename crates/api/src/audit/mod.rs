//! The audit trail over HTTP.

mod dto;
pub(crate) mod handlers;
