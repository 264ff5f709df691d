use std::sync::Arc;

use domain_kernel::{Clock, IdGenerator};

use crate::ports::{RefinementRepository, TeamQueries, TeamRepository};

/// The use cases of the teams domain.
#[derive(Clone)]
#[expect(missing_docs, reason = "the ports say what they are")]
pub struct TeamService {
    pub teams: Arc<dyn TeamRepository>,
    pub queries: Arc<dyn TeamQueries>,
    pub refinements: Arc<dyn RefinementRepository>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
}
