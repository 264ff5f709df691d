use std::sync::Arc;

use domain_kernel::{Clock, IdGenerator};

use crate::ports::OrganizationRepository;

/// The use cases of the organizations domain.
#[derive(Clone)]
pub struct OrgService {
    pub(crate) organizations: Arc<dyn OrganizationRepository>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGenerator>,
}

impl OrgService {
    /// Wires the use cases to the outside.
    pub fn new(
        organizations: Arc<dyn OrganizationRepository>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Self {
        Self { organizations, clock, ids }
    }
}
