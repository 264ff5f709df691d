//! What the teams domain needs from the outside.

use async_trait::async_trait;
use domain_kernel::AuditEntry;

use crate::{Team, TeamError};

/// Stores teams.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait TeamRepository: Send + Sync {
    /// One atomic fact: adds the team and its audit row. Fails, writing nothing, with [`TeamError::NameTaken`] if the
    /// organization has a live team of that name, case ignored, and with a not-found refusal if there is no such
    /// organization.
    async fn insert(&self, team: Team, audit: AuditEntry) -> Result<(), TeamError>;
}
