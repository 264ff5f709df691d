use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use domain_kernel::Clock;

use crate::ports::{Dice, JobQueries, JobQueue, Timer};
use crate::{Handler, JobKind};

/// The use cases of the jobs domain.
#[derive(Clone)]
#[expect(missing_docs, reason = "the ports say what they are")]
pub struct JobService {
    pub queue: Arc<dyn JobQueue>,
    pub queries: Arc<dyn JobQueries>,
    /// Who does which kind.
    pub handlers: BTreeMap<JobKind, Arc<dyn Handler>>,
    /// How long a worker has a job without a word. It gives word four times as often.
    pub lease: TimeDelta,
    pub clock: Arc<dyn Clock>,
    pub timer: Arc<dyn Timer>,
    pub dice: Arc<dyn Dice>,
}
