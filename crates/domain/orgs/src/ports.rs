//! What the organizations domain needs from the outside.

use async_trait::async_trait;
use domain_kernel::AuditEntry;

use crate::{OrgError, Organization};

/// Stores organizations.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait OrganizationRepository: Send + Sync {
    /// One atomic fact: adds the organization and its audit row. Fails with [`OrgError::FolderTaken`], writing nothing,
    /// if another organization uses the folder, one above it or one below it: nobody may read what lies in another's.
    async fn insert(&self, organization: Organization, audit: AuditEntry) -> Result<(), OrgError>;
}
