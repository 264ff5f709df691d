use chrono::{DateTime, Utc};
use domain_jobs::ports::JobFilter;
use domain_jobs::{Job, JobKind, JobState};
use domain_kernel::{FieldErrors, FieldProblem, OrgId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::id_list::parse_id;

/// Which jobs are wanted. All that are sent must fit.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobParams {
    /// Only those of this kind: `roster_import`.
    #[param(required = false, example = "roster_import")]
    kind: Option<String>,
    /// Only those that stand so: `queued`, `running`, `done`, `dead` or `cancelled`.
    #[param(required = false, example = "dead")]
    state: Option<String>,
    /// Only those of this organization.
    #[param(required = false, value_type = Uuid)]
    organization_id: Option<String>,
}

impl JobParams {
    pub(crate) fn filter(&self) -> Result<JobFilter, FieldErrors> {
        let mut errors = FieldErrors::new();
        let kind = self.kind.as_deref().and_then(|raw| errors.take("kind", parse_kind(raw)));
        let state = self.state.as_deref().and_then(|raw| errors.take("state", parse_state(raw)));
        let organization =
            self.organization_id.as_deref().and_then(|raw| errors.take("organization_id", parse_id(raw)));
        errors.into_result().map(|()| JobFilter { kind, state, organization: organization.map(OrgId::new) })
    }
}

fn parse_kind(raw: &str) -> Result<JobKind, FieldProblem> {
    JobKind::parse(raw).ok_or_else(|| none_of(&JobKind::ALL.map(JobKind::as_str)))
}

fn parse_state(raw: &str) -> Result<JobState, FieldProblem> {
    JobState::parse(raw).ok_or_else(|| none_of(&JobState::ALL.map(JobState::as_str)))
}

fn none_of(words: &[&str]) -> FieldProblem {
    FieldProblem { code: "invalid", message: format!("must be one of: {}", words.join(", ")) }
}

/// Work that goes on after an answer.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobResponse {
    id: Uuid,
    /// For which organization; null for what belongs to none.
    organization_id: Option<Uuid>,
    /// What is to be done: `roster_import`.
    #[schema(example = "roster_import")]
    kind: &'static str,
    /// With what: for `roster_import` the import.
    subject_id: Uuid,
    /// `queued`, `running`, `done`, `dead` (failed too often, or in a way that no repetition mends) or `cancelled`.
    #[schema(example = "running")]
    state: &'static str,
    /// How often it was begun.
    #[schema(example = 1)]
    attempt: u32,
    /// How often it is begun before it is given up.
    #[schema(example = 6)]
    max_attempts: u32,
    /// How far it is.
    #[schema(example = 40.0, minimum = 0, maximum = 100)]
    percent: f64,
    /// What went wrong the last time, in words for operators; without secrets and without names of people.
    error: Option<String>,
    /// The worker that has or had it, as the log names it.
    worker: Option<String>,
    /// Not before this time; RFC 3339 in UTC.
    run_at: DateTime<Utc>,
    /// Until when the worker has it unless it gives word; null when nobody has it.
    locked_until: Option<DateTime<Utc>>,
    /// When it was queued.
    created_at: DateTime<Utc>,
    /// When it was begun first.
    started_at: Option<DateTime<Utc>>,
    /// When it ended, in whichever way.
    finished_at: Option<DateTime<Utc>>,
}

impl From<Job> for JobResponse {
    fn from(job: Job) -> Self {
        Self {
            id: job.id.uuid(),
            organization_id: job.organization.map(OrgId::uuid),
            kind: job.kind.as_str(),
            subject_id: job.subject,
            state: job.state.as_str(),
            attempt: job.attempt,
            max_attempts: Job::MAX_ATTEMPTS,
            percent: job.percent,
            error: job.error,
            worker: job.worker,
            run_at: job.run_at,
            locked_until: job.locked_until,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
        }
    }
}
