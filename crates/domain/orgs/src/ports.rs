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

    /// One atomic fact: loads the organization for update, runs `edit`, saves, and writes the audit row. Gives the
    /// organization as it is then, with its counts. Another calendar or late window makes kept scores that are not final be
    /// counted anew.
    ///
    /// Fails, writing nothing, with a not-found refusal if there is no such organization, with [`OrgError::FolderTaken`] for
    /// a new folder as [`insert`](Self::insert) does, with [`OrgError::Invalid`] naming `time_zone` if the store cannot count
    /// in a new time zone, and with whatever `edit` says.
    async fn update(&self, id: OrgId, edit: OrganizationEdit) -> Result<Organization, OrgError>;

    /// The organization with its counts.
    async fn find(&self, id: OrgId) -> Result<Option<Organization>, OrgError>;

    /// All organizations with their counts, by name with case ignored and then by id.
    async fn list(&self, page: PageRequest) -> Result<Page<Organization>, OrgError>;

    /// Those of the organizations that exist, with their counts, by name with case ignored and then by id.
    async fn list_by_ids(&self, ids: Vec<OrgId>, page: PageRequest) -> Result<Page<Organization>, OrgError>;
}
