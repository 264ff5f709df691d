//! Jobs over HTTP.

mod dto;
pub(crate) mod handlers;
