use std::sync::Arc;

use domain_kernel::{Actor, AuditSubject, CourseId, CourseVersionId, Permission, Scope};
use serde_json::json;

use crate::{CourseError, CourseService, CourseVersion, Shelf, VersionData};

/// What is needed to open a draft.
#[derive(Debug, Clone)]
pub struct CreateVersion {
    /// Of which course.
    pub course: CourseId,
    /// The content.
    pub data: VersionData,
    /// Whether an open draft is archived to make room.
    pub force: bool,
}

impl CourseService {
    /// Opens a draft. A course has one at most.
    pub async fn create_version(
        &self,
        actor: &Actor,
        command: CreateVersion,
    ) -> Result<CourseVersion, CourseError> {
        actor.require(Permission::CourseVersionManage, Scope::Platform)?;
        let (actor, now, ids) = (actor.clone(), self.clock.now(), Arc::clone(&self.ids));
        let CreateVersion { course, data, force } = command;
        let opening = Box::new(move |shelf: &Shelf| {
            let audit = |action, id| {
                let subject = AuditSubject::CourseVersion(id);
                actor.audit(ids.next(), now, action, shelf.organization, subject)
            };
            let (id, number) = (CourseVersionId::new(ids.next()), shelf.last_number + 1);
            let created = json!({ "number": number, "data_bytes": data.size() });
            let mut audits = vec![audit("course_version.create", id).after(created)];
            if let Some(open) = shelf.draft {
                if !force {
                    return Err(CourseError::DraftExists { id: open.id, number: open.number });
                }
                let (before, after) = (json!({ "status": "draft" }), json!({ "status": "archived" }));
                audits.push(audit("course_version.archive", open.id).before(before).after(after));
            }
            Ok((CourseVersion::draft(id, shelf.course, number, data, actor.user, now), audits))
        });
        self.versions.open_draft(course, opening).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::Edition;
    use crate::tests::{COURSE, DRAFT, Fixture, ORGANIZATION, a_shelf, data, now};

    fn command(force: bool) -> CreateVersion {
        CreateVersion { course: COURSE, data: data("Lifting"), force }
    }

    #[tokio::test]
    async fn a_draft_gets_the_next_number_and_the_trail_holds_its_size_but_not_its_content() {
        let (fixture, audits) = Fixture::with_shelf(Shelf { last_number: 4, ..a_shelf() });
        let actor = staff(StaffRole::Admin);
        let opened = fixture.service().create_version(&actor, command(false)).await.expect("opens");
        assert_eq!((opened.number, opened.created_by, opened.created_at), (5, actor.user, now()));
        assert_eq!(opened.data, data("Lifting"));
        let audits = audits.lock().expect("no panic");
        let rows: Vec<_> = audits.iter().map(|row| (row.action, row.subject, row.organization)).collect();
        let subject = AuditSubject::CourseVersion(opened.id);
        assert_eq!(rows, [("course_version.create", subject, Some(ORGANIZATION))]);
        assert_eq!(audits[0].after, Some(json!({ "number": 5, "data_bytes": 19 })));
    }

    #[tokio::test]
    async fn a_second_draft_is_refused_naming_the_first_unless_it_is_forced() {
        let open = Edition { id: DRAFT, number: 4 };
        let shelf = Shelf { last_number: 4, draft: Some(open), ..a_shelf() };
        let (fixture, audits) = Fixture::with_shelf(shelf);
        let refused = fixture.service().create_version(&staff(StaffRole::Admin), command(false)).await;
        let refused = refused.expect_err("there is a draft");
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "draft_exists"));
        assert!(refused.to_string().contains("Version 4"), "{refused}");
        assert!(refused.to_string().contains(&DRAFT.to_string()), "{refused}");
        assert!(audits.lock().expect("no panic").is_empty());

        let (fixture, audits) = Fixture::with_shelf(shelf);
        let opened = fixture.service().create_version(&staff(StaffRole::Admin), command(true)).await;
        assert_eq!(opened.expect("opens").number, 5);
        let audits = audits.lock().expect("no panic");
        let archived: Vec<_> = audits.iter().skip(1).map(|row| (row.action, row.subject)).collect();
        assert_eq!(archived, [("course_version.archive", AuditSubject::CourseVersion(DRAFT))]);
    }

    #[tokio::test]
    async fn only_staff_admins_open_drafts() {
        for actor in [staff(StaffRole::Employee), member_of(ORGANIZATION, true)] {
            let refused = Fixture::default().service().create_version(&actor, command(true)).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
        }
    }
}
