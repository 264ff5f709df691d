use crate::{TeamError, TeamService};

impl TeamService {
    /// Counts what is over and not counted yet, so that reading scores costs little, and so that they stay as they are once no
    /// late report can change them. Gives how many counts were new. To be called now and then.
    pub async fn keep_scores(&self) -> Result<usize, TeamError> {
        self.scores.keep(self.clock.now()).await
    }
}
