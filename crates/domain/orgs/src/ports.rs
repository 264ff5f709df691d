//! What the organizations domain needs from the outside.

use async_trait::async_trait;
use domain_kernel::{AuditEntry, OrgId, Page, PageRequest};

use crate::{OrgError, Organization};

/// A pure change of an organization, run while the row is locked. Gives the audit row of the change, or none when nothing
/// changed.
pub type OrganizationEdit = Box<dyn FnOnce(&mut Organization) -> Result<Option<AuditEntry>, OrgError> + Send>;

/// Stores organizations.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait OrganizationRepository: Send + Sync {
    /// One atomic fact: adds the organization and its audit row. Fails with [`OrgError::FolderTaken`], writing nothing,
    /// if another organization uses the folder, one above it or one below it: nobody may read what lies in another's.
    async fn insert(&self, organization: Organization, audit: AuditEntry) -> Result<(), OrgError>;

    /// One atomic fact: loads the organization for update, runs `edit`, saves its identity provider, and writes the audit
    /// row. Fails, writing nothing, with a not-found refusal if there is no such organization, and with whatever `edit`
    /// says.
    async fn update(&self, id: OrgId, edit: OrganizationEdit) -> Result<Organization, OrgError>;

    /// Those of the organizations that exist, with their counts, by name with case ignored and then by id.
    async fn list_by_ids(&self, ids: Vec<OrgId>, page: PageRequest) -> Result<Page<Organization>, OrgError>;
}
