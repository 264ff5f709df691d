use domain_kernel::{Actor, AssignmentId, MembershipId, Refusal};

use crate::ports::Standing;
use crate::{Assignment, CourseError, CourseService, Current, Decision};

impl CourseService {
    /// The course that the person has to do now, in the given membership or the oldest active one. If the rule says so, a
    /// new one is given; of two calls at once both get the same.
    pub async fn get_current_course(
        &self,
        actor: &Actor,
        membership: Option<MembershipId>,
    ) -> Result<Current, CourseError> {
        let own = |wanted: MembershipId| actor.memberships.iter().find(|own| own.id == wanted);
        let membership = match membership {
            Some(wanted) => own(wanted).ok_or(Refusal::NotFound)?,
            None => actor.memberships.first().ok_or(Refusal::Forbidden)?,
        };
        let now = self.clock.now();
        let standing = self.assignments.find_standing(membership.id, now).await?.ok_or(Refusal::Forbidden)?;
        let Standing { learner, situation, open } = standing;
        let choice = situation.current_course()?;
        let (lesson, next_available_at) = match choice.decision {
            Decision::Existing(_) => (open, None),
            Decision::Gate { next_available_at } => (None, Some(next_available_at)),
            Decision::Nothing => (None, None),
            Decision::Assign(lesson) => {
                let id = AssignmentId::new(self.ids.next());
                let given = self.assignments.give(Assignment::give(id, learner, lesson, now)).await?;
                (Some(given), None)
            }
        };
        Ok(Current { lesson, next_available_at, choice })
    }
}
