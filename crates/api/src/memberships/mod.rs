//! Memberships and invitations over HTTP.

mod dto;
pub(crate) mod handlers;
pub(crate) mod staff_handlers;
