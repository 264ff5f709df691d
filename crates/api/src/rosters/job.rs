use async_trait::async_trait;
use chrono::TimeDelta;
use domain_jobs::{Failure, Handled, Handler, Job, Progress};
use domain_kernel::{DomainError, ImportId};
use domain_memberships::roster::{Ended, RosterService};

/// How long an import waits for another one of its organization before it asks again.
const TURN: TimeDelta = TimeDelta::seconds(3);

/// Does the jobs of imports.
pub(crate) struct RosterJob(pub(crate) RosterService);

#[async_trait]
impl Handler for RosterJob {
    async fn handle(&self, job: &Job, progress: &Progress) -> Result<Handled, Failure> {
        let (import, run) = (ImportId::new(job.subject), self.0.ids.next());
        match self.0.run_import(import, run, &|percent| progress.set(percent)).await {
            Ok(Ended::Done) => Ok(Handled::Done),
            Ok(Ended::Later) => Ok(Handled::Later(TURN)),
            // What is wrong with a file ends the import; this is the storage or the database.
            Err(error) => Err(Failure { error: format!("{}: {error}", error.code()), may_retry: true }),
        }
    }
}
