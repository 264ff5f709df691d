use domain_kernel::{Actor, AuditSubject, CourseId, LanguageCode, OrgId, Patch, Permission, Scope};
use serde_json::{Value, json};

use crate::{Course, CourseError, CourseName, CourseService, Description};

/// What shall be different; absent parts stay.
#[derive(Debug, Clone, Default)]
pub struct CourseChange {
    /// Whose it is; cleared for the library.
    pub organization: Patch<OrgId>,
    /// Its name.
    pub name: Option<CourseName>,
    /// What it is about.
    pub description: Patch<Description>,
    /// Whether everybody takes it first.
    pub basics: Option<bool>,
    /// Place in the order of the basics.
    pub position: Option<i32>,
    /// The languages it comes in.
    pub language_codes: Option<Vec<LanguageCode>>,
    /// Whether it is given to nobody any more.
    pub archived: Option<bool>,
}

impl CourseService {
    /// Changes a course, archives it, or brings an archived one back.
    pub async fn update_course(
        &self,
        actor: &Actor,
        id: CourseId,
        change: CourseChange,
    ) -> Result<Course, CourseError> {
        actor.require(Permission::CourseUpdate, Scope::Platform)?;
        let (actor, now, audit_id) = (actor.clone(), self.clock.now(), self.ids.next());
        let edit = Box::new(move |course: &mut Course| {
            let before = noted(course);
            change.organization.apply(&mut course.organization);
            change.description.apply(&mut course.description);
            course.name = change.name.unwrap_or_else(|| course.name.clone());
            course.basics = change.basics.unwrap_or(course.basics);
            course.position = change.position.unwrap_or(course.position);
            if let Some(codes) = change.language_codes {
                course.language_codes = Course::in_order(codes);
            }
            match change.archived {
                Some(true) => course.archived_at = course.archived_at.or(Some(now)),
                Some(false) => course.archived_at = None,
                None => {}
            }
            let subject = AuditSubject::Course(course.id);
            let entry = actor.audit(audit_id, now, "course.update", course.organization, subject);
            let audit = entry.differing(before, noted(course));
            if audit.is_some() {
                course.updated_at = now;
            }
            Ok(audit)
        });
        self.courses.update(id, edit).await
    }
}

/// What can be changed, as the audit trail has it.
fn noted(course: &Course) -> [(&'static str, Value); 7] {
    let codes: Vec<_> = course.language_codes.iter().map(LanguageCode::as_str).collect();
    [
        ("organization_id", json!(course.organization.map(|id| id.to_string()))),
        ("name", json!(course.name.as_str())),
        ("description", json!(course.description.as_ref().map(Description::as_str))),
        ("basics", json!(course.basics)),
        ("position", json!(course.position)),
        ("language_codes", json!(codes)),
        ("archived", json!(course.archived_at.is_some())),
    ]
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{AuditEntry, DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::tests::{COURSE, Fixture, ORGANIZATION, a_course, now};

    async fn changed(course: Course, change: CourseChange) -> (Course, Option<AuditEntry>) {
        let (fixture, audits) = Fixture::holding_course(course);
        let service = fixture.service();
        let updated = service.update_course(&staff(StaffRole::Admin), COURSE, change).await;
        let audit = audits.lock().expect("no panic").pop();
        (updated.expect("changes"), audit)
    }

    #[tokio::test]
    async fn each_field_is_set_or_cleared_and_the_trail_holds_what_changed() {
        let spanish = LanguageCode::parse("es").expect("a code");
        let change = CourseChange {
            organization: Patch::Set(ORGANIZATION),
            name: CourseName::parse("Pulling").ok(),
            description: Patch::Clear,
            basics: Some(false),
            position: Some(7),
            language_codes: Some(vec![spanish.clone(), spanish]),
            archived: Some(true),
        };
        let (course, audit) = changed(a_course(), change).await;
        assert_eq!((course.organization, course.name.as_str()), (Some(ORGANIZATION), "Pulling"));
        assert_eq!((course.description, course.basics, course.position), (None, false, 7));
        assert_eq!((course.language_codes.len(), course.archived_at), (1, Some(now())));
        let audit = audit.expect("a row");
        assert_eq!((audit.action, audit.organization), ("course.update", Some(ORGANIZATION)));
        let after = json!({
            "organization_id": ORGANIZATION.to_string(), "name": "Pulling", "description": null, "basics": false,
            "position": 7, "language_codes": ["es"], "archived": true
        });
        assert_eq!(audit.after, Some(after));
    }

    #[tokio::test]
    async fn what_is_absent_stays_and_what_is_the_same_is_no_change() {
        for change in [
            CourseChange::default(),
            CourseChange { name: Some(a_course().name), archived: Some(false), ..CourseChange::default() },
        ] {
            assert_eq!(changed(a_course(), change).await, (a_course(), None));
        }
        let change = CourseChange { position: Some(2), ..CourseChange::default() };
        let (course, audit) = changed(a_course(), change).await;
        assert_eq!(course, Course { position: 2, updated_at: now(), ..a_course() });
        let audit = audit.expect("a row");
        assert_eq!(audit.before, Some(json!({ "position": 1 })));
        assert_eq!(audit.after, Some(json!({ "position": 2 })));
    }

    #[tokio::test]
    async fn archiving_twice_is_archiving_once_and_an_archived_course_comes_back() {
        let archived = Course { archived_at: Some(a_course().created_at), ..a_course() };
        let change = |archived| CourseChange { archived: Some(archived), ..CourseChange::default() };
        assert_eq!(changed(archived.clone(), change(true)).await, (archived.clone(), None));
        let (course, audit) = changed(archived, change(false)).await;
        assert_eq!(course.archived_at, None);
        assert_eq!(audit.and_then(|audit| audit.after), Some(json!({ "archived": false })));
    }

    #[tokio::test]
    async fn only_staff_admins_change_courses() {
        for actor in [staff(StaffRole::Employee), member_of(ORGANIZATION, true)] {
            let service = Fixture::default().service();
            let refused = service.update_course(&actor, COURSE, CourseChange::default()).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
        }
    }
}
