//! Accounts, sessions and passwords over HTTP, in the shapes of the token-auth client libraries.

mod dto;
pub(crate) mod handlers;

pub(crate) use dto::{ProviderWord, SuccessResponse, UserBriefResponse};
