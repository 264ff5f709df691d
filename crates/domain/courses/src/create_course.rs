use domain_kernel::{Actor, AuditSubject, CourseId, LanguageCode, OrgId, Permission, Scope};
use serde_json::json;

use crate::{Course, CourseError, CourseName, CourseService, Description};

/// What is needed to open a course.
#[derive(Debug, Clone)]
pub struct CreateCourse {
    /// For one organization, or for the library.
    pub organization: Option<OrgId>,
    /// Its name.
    pub name: CourseName,
    /// What it is about.
    pub description: Option<Description>,
    /// Whether everybody takes it first.
    pub basics: bool,
    /// Place in the order of the basics.
    pub position: i32,
    /// The languages it comes in.
    pub language_codes: Vec<LanguageCode>,
}

impl CourseService {
    /// Opens a course without a published version.
    pub async fn create_course(&self, actor: &Actor, command: CreateCourse) -> Result<Course, CourseError> {
        actor.require(Permission::CourseCreate, Scope::Platform)?;
        let (id, now) = (CourseId::new(self.ids.next()), self.clock.now());
        let course = Course {
            id,
            organization: command.organization,
            name: command.name,
            description: command.description,
            basics: command.basics,
            position: command.position,
            language_codes: Course::in_order(command.language_codes),
            published: None,
            archived_at: None,
            created_at: now,
            updated_at: now,
        };
        let audit = actor
            .audit(self.ids.next(), now, "course.create", course.organization, AuditSubject::Course(id))
            .after(
                json!({ "name": course.name.as_str(), "basics": course.basics, "position": course.position }),
            );
        self.courses.insert(course.clone(), audit).await?;
        Ok(course)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::ports::MockCourseRepository;
    use crate::tests::Fixture;

    fn command() -> CreateCourse {
        let languages = ["es", "en", "es"].map(|code| LanguageCode::parse(code).expect("a code"));
        CreateCourse {
            organization: None,
            name: CourseName::parse("Lifting").expect("a name"),
            description: None,
            basics: true,
            position: 1,
            language_codes: languages.to_vec(),
        }
    }

    #[tokio::test]
    async fn a_staff_admin_opens_a_course_and_each_language_counts_once() {
        let mut courses = MockCourseRepository::new();
        courses.expect_insert().withf(|_, audit| audit.action == "course.create").return_once(|_, _| Ok(()));
        let service = Fixture { courses, ..Fixture::default() }.service();
        let course = service.create_course(&staff(StaffRole::Admin), command()).await.expect("opens");
        assert_eq!(course.language_codes.iter().map(LanguageCode::as_str).collect::<Vec<_>>(), ["en", "es"]);
    }

    #[tokio::test]
    async fn a_member_may_not_create_a_course() {
        let actor = member_of(OrgId::new(uuid::Uuid::from_u128(1)), true);
        let refused = Fixture::default().service().create_course(&actor, command()).await;
        assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
    }
}
