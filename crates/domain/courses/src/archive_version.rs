use std::sync::Arc;

use domain_kernel::{Actor, AuditSubject, CourseId, CourseVersionId, Permission, Scope};
use serde_json::json;

use crate::{CourseError, CourseService, CourseVersion, Shelf};

impl CourseService {
    /// Drops a draft, or takes the published version away: then nobody is given the course until another is published.
    /// Doing it again changes nothing.
    pub async fn archive_version(
        &self,
        actor: &Actor,
        course: CourseId,
        id: CourseVersionId,
    ) -> Result<CourseVersion, CourseError> {
        actor.require(Permission::CourseVersionManage, Scope::Platform)?;
        let (actor, now, ids) = (actor.clone(), self.clock.now(), Arc::clone(&self.ids));
        let edit = Box::new(move |shelf: &Shelf, version: &mut CourseVersion| {
            let before = json!({ "status": version.status.as_str() });
            if !version.archive(now) {
                return Ok(vec![]);
            }
            let subject = AuditSubject::CourseVersion(version.id);
            let audit = actor.audit(ids.next(), now, "course_version.archive", shelf.organization, subject);
            Ok(vec![audit.before(before).after(json!({ "status": version.status.as_str() }))])
        });
        self.versions.update(course, id, edit).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::VersionStatus;
    use crate::tests::{COURSE, DRAFT, Fixture, ORGANIZATION, a_draft, a_shelf, now};

    #[tokio::test]
    async fn drafts_and_published_versions_are_archived_once() {
        let admin = staff(StaffRole::Admin);
        let mut version = a_draft();
        for (status, before) in [(VersionStatus::Draft, "draft"), (VersionStatus::Published, "published")] {
            let (fixture, audits) = Fixture::holding(a_shelf(), CourseVersion { status, ..a_draft() });
            let archived = fixture.service().archive_version(&admin, COURSE, DRAFT).await;
            version = archived.expect("archives");
            assert_eq!((version.status, version.archived_at), (VersionStatus::Archived, Some(now())));
            let rows = audits.lock().expect("no panic");
            assert_eq!((rows.len(), rows[0].action), (1, "course_version.archive"));
            assert_eq!(rows[0].before, Some(json!({ "status": before })));
        }
        let (fixture, audits) = Fixture::holding(a_shelf(), version.clone());
        let again = fixture.service().archive_version(&admin, COURSE, DRAFT).await.expect("answers");
        assert_eq!(again, version);
        assert!(audits.lock().expect("no panic").is_empty());
    }

    #[tokio::test]
    async fn only_staff_admins_archive_versions() {
        for actor in [staff(StaffRole::Employee), member_of(ORGANIZATION, true)] {
            let refused = Fixture::default().service().archive_version(&actor, COURSE, DRAFT).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
        }
    }
}
