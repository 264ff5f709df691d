use domain_kernel::{Actor, AssignmentId, MembershipId, Refusal, StorageError};

use crate::ports::{Offer, Standing};
use crate::{Assignment, CourseError, Current, Decision, LearningService};

/// How often a choice is made anew because somebody else was faster. Twice is rare already.
const ATTEMPTS: usize = 4;

impl LearningService {
    /// The course that the person has to do now, in the given membership of theirs or the oldest active one. If the rule says
    /// so, a new one is given; of several calls at once all get the same. With an open assignment nothing is written.
    ///
    /// Fails with a not-found refusal if it is not a membership of the person, and with a forbidden one if it is not active,
    /// or none is.
    pub async fn get_current_course(
        &self,
        actor: &Actor,
        membership: Option<MembershipId>,
    ) -> Result<Current, CourseError> {
        let oldest = || actor.memberships.first().map(|own| own.id).ok_or(Refusal::Forbidden);
        let membership = membership.map_or_else(oldest, Ok)?;
        for _ in 0..ATTEMPTS {
            let standings = self.queries.find_standings(vec![membership], self.clock.now()).await?;
            let is_own = |standing: &Standing| standing.learner.user == actor.user;
            let standing = standings.into_iter().find(is_own).ok_or(Refusal::NotFound)?;
            let (mut current, offer) = standing.decide(AssignmentId::new(self.ids.next()))?;
            let Some(offer) = offer else { return Ok(current) };
            if let Some(given) = self.assignments.give(offer).await? {
                current.lesson = Some(given);
                return Ok(current);
            }
        }
        Err(StorageError::Unavailable("the member's courses change all the time".into()).into())
    }
}

impl Standing {
    /// Which course is current, and the assignment `id` to give if it is a new one. Refused unless the membership is active.
    pub fn decide(self, id: AssignmentId) -> Result<(Current, Option<Offer>), Refusal> {
        let Self { learner, situation, open } = self;
        let choice = situation.current_course()?;
        let decision = choice.decision;
        let mut current = Current { lesson: None, next_available_at: None, choice };
        let mut offer = None;
        match decision {
            Decision::Existing(_) => current.lesson = open,
            Decision::Gate { next_available_at } => current.next_available_at = Some(next_available_at),
            Decision::Nothing => {}
            Decision::Assign(lesson) => {
                let assignment = Assignment::give(id, learner, lesson, situation.now);
                offer = Some(Offer { assignment, seen: situation.assignments.len() });
            }
        }
        Ok((current, offer))
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{nobody, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole, UserId};
    use uuid::Uuid;

    use super::*;
    use crate::learning::tests::{
        COURSE, Fixture, MEMBERSHIP, VERSION, a_lesson, a_standing, a_standing_with_open, learner, now,
    };
    use crate::{LearnerCourse, Rule};

    /// Finds these, one after the other, always for the same membership.
    fn finding(standings: Vec<Standing>) -> Fixture {
        let mut fixture = Fixture::default();
        let mut standings = standings.into_iter();
        fixture.queries.expect_find_standings().returning(move |memberships, at| {
            assert_eq!((memberships, at), (vec![MEMBERSHIP], now()));
            Ok(standings.next().into_iter().collect())
        });
        fixture
    }

    fn given(offer: Offer) -> LearnerCourse {
        LearnerCourse { assignment: Some(offer.assignment), ..a_lesson() }
    }

    #[tokio::test]
    async fn an_open_assignment_is_current_and_nothing_is_written() {
        let actor = learner();
        let standing = a_standing_with_open(&actor);
        let service = finding(vec![standing.clone()]).service();
        let current = service.get_current_course(&actor, None).await.expect("answers");
        assert_eq!(current.lesson, standing.open);
        assert_eq!(current.choice.rule, Rule::OpenAssignment);
    }

    #[tokio::test]
    async fn what_the_rule_says_is_given() {
        let actor = learner();
        let mut fixture = finding(vec![a_standing(&actor)]);
        fixture.assignments.expect_give().return_once(|offer| {
            assert_eq!((offer.assignment.course, offer.assignment.version, offer.seen), (COURSE, VERSION, 0));
            assert_eq!((offer.assignment.membership, offer.assignment.assigned_at), (MEMBERSHIP, now()));
            Ok(Some(given(offer)))
        });
        let current = fixture.service().get_current_course(&actor, Some(MEMBERSHIP)).await.expect("gives");
        let assignment = current.lesson.and_then(|lesson| lesson.assignment).expect("an assignment");
        assert_eq!((assignment.user, current.choice.rule), (actor.user, Rule::Basics));
    }

    #[tokio::test]
    async fn who_comes_second_chooses_anew() {
        let actor = learner();
        let mut fixture = finding(vec![a_standing(&actor), a_standing_with_open(&actor)]);
        fixture.assignments.expect_give().return_once(|_| Ok(None));
        let current = fixture.service().get_current_course(&actor, None).await.expect("answers");
        assert_eq!(current.choice.rule, Rule::OpenAssignment);
    }

    #[tokio::test]
    async fn choosing_ends_some_time() {
        let actor = learner();
        let mut fixture = finding(vec![a_standing(&actor); 9]);
        fixture.assignments.expect_give().times(ATTEMPTS).returning(|_| Ok(None));
        let error = fixture.service().get_current_course(&actor, None).await.expect_err("gives up");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn nothing_due_is_an_answer_too() {
        let actor = learner();
        let mut standing = a_standing(&actor);
        standing.situation.courses.clear();
        let current =
            finding(vec![standing]).service().get_current_course(&actor, None).await.expect("answers");
        assert_eq!((current.lesson, current.next_available_at), (None, None));
        assert_eq!(current.choice.rule, Rule::NothingLeft);
    }

    #[tokio::test]
    async fn only_an_active_membership_of_ones_own_has_a_course() {
        let actor = learner();
        for somebody in [nobody(), staff(StaffRole::Admin)] {
            let refused = Fixture::default().service().get_current_course(&somebody, None).await;
            assert_eq!(refused.expect_err("no membership").kind(), ErrorKind::Forbidden);
        }
        let mut left = a_standing(&actor);
        left.situation.active = false;
        let mut foreign = a_standing(&actor);
        foreign.learner.user = UserId::new(Uuid::from_u128(99));
        for (found, kind) in [
            (vec![left], ErrorKind::Forbidden),
            (vec![foreign], ErrorKind::NotFound),
            (vec![], ErrorKind::NotFound),
        ] {
            let refused = finding(found).service().get_current_course(&actor, Some(MEMBERSHIP)).await;
            assert_eq!(refused.expect_err("refused").kind(), kind);
        }
    }
}
