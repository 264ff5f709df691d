//! Certifications as champion over HTTP.

mod dto;
pub(crate) mod handlers;
