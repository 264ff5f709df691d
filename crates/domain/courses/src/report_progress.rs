use domain_kernel::{Actor, CourseId, Refusal};

use crate::ports::Recorded;
use crate::{CourseError, CourseService, ProgressEvent};

impl CourseService {
    /// Takes what a phone reports of a course. Repeated and late events are fine: phones retry.
    pub async fn report_progress(
        &self,
        actor: &Actor,
        course: CourseId,
        event: ProgressEvent,
    ) -> Result<Recorded, CourseError> {
        let mut recorded = self.report_progress_batch(actor, vec![(course, event)]).await?;
        recorded.pop().flatten().ok_or_else(|| Refusal::NotFound.into())
    }

    /// The same for many events at once, such as the queue of a phone that was offline. The answers are in the order of the
    /// events; none where the person never had the course.
    pub async fn report_progress_batch(
        &self,
        actor: &Actor,
        events: Vec<(CourseId, ProgressEvent)>,
    ) -> Result<Vec<Option<Recorded>>, CourseError> {
        self.assignments.record(actor.user, events, self.clock.now()).await
    }
}
