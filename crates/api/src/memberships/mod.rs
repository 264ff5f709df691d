//! Memberships and invitations over HTTP.

mod dto;
pub(crate) mod handlers;
