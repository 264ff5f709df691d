use std::sync::Arc;

use domain_kernel::{Clock, IdGenerator};

use crate::ports::TeamRepository;

/// The use cases of the teams domain.
#[derive(Clone)]
pub struct TeamService {
    pub(crate) teams: Arc<dyn TeamRepository>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGenerator>,
}

impl TeamService {
    /// Wires the use cases to the outside.
    pub fn new(teams: Arc<dyn TeamRepository>, clock: Arc<dyn Clock>, ids: Arc<dyn IdGenerator>) -> Self {
        Self { teams, clock, ids }
    }
}
