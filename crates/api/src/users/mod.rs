//! Accounts, sessions and passwords over HTTP, in the shapes of the token-auth client libraries.

mod dto;
mod export;
pub(crate) mod handlers;
mod staff_dto;
pub(crate) mod staff_handlers;

pub(crate) use dto::{ProviderWord, SuccessResponse, UserBriefResponse};
