use std::collections::BTreeSet;

use domain_kernel::{Actor, CourseId, Refusal};

use crate::ports::Recorded;
use crate::{CourseError, LearningService, ProgressEvent};

impl LearningService {
    /// Takes what a phone reports of a course. Repeated and late events are fine: phones retry. Fails with a not-found refusal
    /// if the person never had the course.
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
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let recorded = self.assignments.record(actor.user, events, self.clock.now()).await?;
        let news = recorded.iter().flatten().filter(|recorded| !recorded.duplicate);
        let members: BTreeSet<_> = news.map(|recorded| recorded.assignment.membership).collect();
        for membership in members {
            self.signals.announce(membership);
        }
        Ok(recorded)
    }

    /// Prepares the store for the events of this month and the next. Gives how many months are new.
    pub async fn open_event_months(&self) -> Result<usize, CourseError> {
        self.assignments.open_months(self.clock.now()).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::{DomainError, ErrorKind};

    use super::*;
    use crate::learning::tests::{COURSE, Fixture, MEMBERSHIP, an_assignment, an_event, learner, now};

    #[tokio::test]
    async fn an_event_is_recorded_for_the_person_at_the_time_of_receipt() {
        let actor = learner();
        let recorded = Recorded { duplicate: false, stale: true, assignment: an_assignment(&actor) };
        let (mut fixture, answer, user) = (Fixture::default(), recorded.clone(), actor.user);
        fixture.assignments.expect_record().return_once(move |person, events, received_at| {
            assert_eq!((person, events, received_at), (user, vec![(COURSE, an_event())], now()));
            Ok(vec![Some(answer)])
        });
        fixture.signals.expect_announce().times(1).return_once(|member| assert_eq!(member, MEMBERSHIP));
        let told = fixture.service().report_progress(&actor, COURSE, an_event()).await;
        assert_eq!(told.expect("taken"), recorded);
    }

    #[tokio::test]
    async fn a_member_is_announced_once_and_for_a_repetition_not_at_all() {
        let actor = learner();
        let new = Recorded { duplicate: false, stale: false, assignment: an_assignment(&actor) };
        let again = Recorded { duplicate: true, ..new.clone() };
        for (recorded, signals) in [(vec![new.clone(), new.clone(), again.clone()], 1), (vec![again], 0)] {
            let mut fixture = Fixture::default();
            let events = vec![(COURSE, an_event()); recorded.len()];
            fixture
                .assignments
                .expect_record()
                .return_once(|_, _, _| Ok(recorded.into_iter().map(Some).collect()));
            fixture.signals.expect_announce().times(signals).return_const(());
            fixture.service().report_progress_batch(&actor, events).await.expect("taken");
        }
    }

    #[tokio::test]
    async fn a_course_that_the_person_never_had_is_not_found() {
        let mut fixture = Fixture::default();
        fixture.assignments.expect_record().return_once(|_, _, _| Ok(vec![None]));
        let refused = fixture.service().report_progress(&learner(), COURSE, an_event()).await;
        assert_eq!(refused.expect_err("refused").kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn the_months_are_those_of_the_clock() {
        let mut fixture = Fixture::default();
        fixture.assignments.expect_open_months().return_once(|at| Ok(usize::from(at == now())));
        assert_eq!(fixture.service().open_event_months().await.expect("prepares"), 1);
    }

    #[tokio::test]
    async fn an_empty_batch_costs_nothing() {
        let told = Fixture::default().service().report_progress_batch(&learner(), vec![]).await;
        assert_eq!(told.expect("nothing to do"), []);
    }
}
