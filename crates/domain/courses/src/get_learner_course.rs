use domain_kernel::{Actor, CourseId, Permission, Refusal, Scope};

use crate::{CourseError, LearnerCourse, LearningService};

impl LearningService {
    /// A course for somebody who has it or had it in an active membership, or has it in their pool: in the version of the
    /// newest own assignment, else in the published one. Staff reads every course.
    pub async fn get_learner_course(
        &self,
        actor: &Actor,
        id: CourseId,
    ) -> Result<LearnerCourse, CourseError> {
        let memberships = actor.memberships.iter().map(|membership| membership.id).collect();
        let found = self.queries.find_lesson(memberships, id, self.clock.now()).await?;
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain_kernel::testing::{member_of, nobody, staff};
    use domain_kernel::{DomainError, ErrorKind, OrgId, StaffRole, TrainingCategoryId};
    use uuid::Uuid;

    use super::*;
    use crate::learning::tests::{
        COURSE, Fixture, MEMBERSHIP, ORGANIZATION, a_lesson, a_standing, an_assignment, learner, now,
    };
    use crate::ports::FoundLesson;
    use crate::{CategoryName, CourseList, Situation, TrainingCategory};

    fn finding(found: Option<FoundLesson>) -> Fixture {
        let mut fixture = Fixture::default();
        fixture.queries.expect_find_lesson().return_once(move |_, course, at| {
            assert_eq!((course, at), (COURSE, now()));
            Ok(found)
        });
        fixture
    }

    /// [`COURSE`] is in the pool of everybody.
    fn in_pool() -> Situation {
        let mut situation = a_standing(&learner()).situation;
        situation.courses[0].basics = false;
        situation.categories = vec![TrainingCategory {
            id: TrainingCategoryId::new(Uuid::from_u128(1)),
            organization: ORGANIZATION,
            name: CategoryName::parse("All").expect("a name"),
            job_titles: vec![],
            courses: CourseList::from_stored(vec![COURSE]),
            is_default: true,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }];
        situation
    }

    async fn kind(actor: &Actor, found: Option<FoundLesson>) -> Result<LearnerCourse, ErrorKind> {
        let read = finding(found).service().get_learner_course(actor, COURSE).await;
        read.map_err(|error| error.kind())
    }

    fn found(situations: Vec<Situation>) -> FoundLesson {
        FoundLesson { lesson: a_lesson(), situations }
    }

    #[tokio::test]
    async fn who_has_the_course_or_will_be_given_it_reads_it() {
        let actor = learner();
        let mut fixture = Fixture::default();
        let lesson = LearnerCourse { assignment: Some(an_assignment(&actor)), ..a_lesson() };
        let known = lesson.clone();
        fixture.queries.expect_find_lesson().return_once(|memberships, _, _| {
            assert_eq!(memberships, [MEMBERSHIP]);
            Ok(Some(FoundLesson { lesson: known, situations: vec![] }))
        });
        let read = fixture.service().get_learner_course(&actor, COURSE).await;
        assert_eq!(read.expect("reads"), lesson);
        assert_eq!(kind(&actor, Some(found(vec![in_pool()]))).await, Ok(a_lesson()));
    }

    #[tokio::test]
    async fn staff_reads_every_course() {
        for role in [StaffRole::Employee, StaffRole::Admin] {
            assert_eq!(kind(&staff(role), Some(found(vec![]))).await, Ok(a_lesson()));
        }
    }

    #[tokio::test]
    async fn a_course_of_the_own_organization_or_the_library_that_one_will_not_be_given_is_forbidden() {
        let elsewhere = a_standing(&learner()).situation;
        for actor in [learner(), member_of(ORGANIZATION, true)] {
            assert_eq!(kind(&actor, Some(found(vec![elsewhere.clone()]))).await, Err(ErrorKind::Forbidden));
        }
        let mut library = found(vec![]);
        library.lesson.course.organization = None;
        assert_eq!(kind(&nobody(), Some(library)).await, Err(ErrorKind::Forbidden));
    }

    #[tokio::test]
    async fn a_course_of_another_organization_is_not_there() {
        let stranger = member_of(OrgId::new(Uuid::from_u128(99)), true);
        for actor in [stranger, nobody()] {
            assert_eq!(kind(&actor, Some(found(vec![]))).await, Err(ErrorKind::NotFound));
        }
        assert_eq!(kind(&staff(StaffRole::Admin), None).await, Err(ErrorKind::NotFound), "no such course");
    }
}
