use crate::{TeamError, TeamService};

impl TeamService {
    /// Writes down all scores that no late report can change any more. Gives how many. To be called now and then.
    pub async fn freeze_scores(&self) -> Result<usize, TeamError> {
        self.scores.freeze(self.clock.now()).await
    }
}
