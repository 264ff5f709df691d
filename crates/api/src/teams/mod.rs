//! Teams over HTTP.

mod dto;
pub(crate) mod handlers;
mod score_dto;
pub(crate) mod score_handlers;
pub(crate) mod staff_handlers;
