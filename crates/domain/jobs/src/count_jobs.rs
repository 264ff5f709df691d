use std::collections::BTreeMap;

use crate::{JobError, JobKind, JobService, JobState};

impl JobService {
    /// How many are queued, running and dead, of each kind and none left out: for the numbers of the operator, which say nothing of
    /// anybody.
    pub async fn count_jobs(&self) -> Result<BTreeMap<(JobKind, JobState), u64>, JobError> {
        let counted = self.queries.count().await?;
        let states = [JobState::Queued, JobState::Running, JobState::Dead];
        let all = JobKind::ALL.into_iter().flat_map(|kind| states.map(|state| (kind, state)));
        Ok(all.map(|what| (what, counted.get(&what).copied().unwrap_or_default())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Fixture;

    #[tokio::test]
    async fn what_there_is_none_of_is_counted_as_well() {
        let mut fixture = Fixture::default();
        let waiting = (JobKind::RosterImport, JobState::Queued);
        fixture.queries.expect_count().return_once(move || Ok(BTreeMap::from([(waiting, 3)])));
        let counted = fixture.service().count_jobs().await.expect("counted");
        assert_eq!(counted.get(&waiting), Some(&3));
        assert_eq!(counted.get(&(JobKind::RosterImport, JobState::Dead)), Some(&0));
        assert_eq!(counted.len(), JobKind::ALL.len() * 3);
    }
}
