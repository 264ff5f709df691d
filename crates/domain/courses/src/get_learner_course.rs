use domain_kernel::{Actor, CourseId, Permission, Refusal, Scope};

use crate::{CourseError, CourseService, LearnerCourse};

impl CourseService {
    /// A course for somebody who has it, had it, or will have it: in the version of the newest own assignment, else in the
    /// published one. Staff reads every course.
    pub async fn get_learner_course(
        &self,
        actor: &Actor,
        id: CourseId,
    ) -> Result<LearnerCourse, CourseError> {
        let memberships = actor.memberships.iter().map(|membership| membership.id).collect();
        let found = self.assignments.find_lesson(actor.user, memberships, id, self.clock.now()).await?;
        let found = found.ok_or(Refusal::NotFound)?;
        let is_own = found.lesson.assignment.is_some()
            || found.situations.iter().any(|situation| situation.pool().contains(&id));
        if is_own || actor.require(Permission::CourseRead, Scope::Platform).is_ok() {
            return Ok(found.lesson);
        }
        // Whether there is such a course at all is for those who could be given it.
        let organization = found.lesson.course.organization;
        let is_known =
            organization.is_none_or(|owner| actor.memberships.iter().any(|m| m.organization == owner));
        Err(if is_known { Refusal::Forbidden } else { Refusal::NotFound }.into())
    }
}
