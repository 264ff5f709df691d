use std::sync::Arc;

use domain_kernel::{Actor, AuditSubject, CourseId, CourseVersionId, Permission, Scope};
use serde_json::json;

use crate::{CourseError, CourseService, CourseVersion, Shelf, VersionData};

/// What shall be different; absent parts stay.
#[derive(Debug, Clone, Default)]
pub struct VersionChange {
    /// Takes the place of the whole content.
    pub data: Option<VersionData>,
    /// The state of the draft that the editor last saw.
    pub expected: Option<i32>,
    /// Whether it is given to learners from now on.
    pub publish: bool,
}

impl VersionChange {
    /// The change that gives a draft to learners.
    pub fn publishing() -> Self {
        Self { publish: true, ..Self::default() }
    }
}

impl CourseService {
    /// Changes a draft, publishes it, or both at once.
    pub async fn update_version(
        &self,
        actor: &Actor,
        course: CourseId,
        id: CourseVersionId,
        change: VersionChange,
    ) -> Result<CourseVersion, CourseError> {
        actor.require(Permission::CourseVersionManage, Scope::Platform)?;
        let (actor, now, ids) = (actor.clone(), self.clock.now(), Arc::clone(&self.ids));
        let edit = Box::new(move |shelf: &Shelf, version: &mut CourseVersion| {
            let audit = |action, id| {
                let subject = AuditSubject::CourseVersion(id);
                actor.audit(ids.next(), now, action, shelf.organization, subject)
            };
            let mut audits = Vec::new();
            version.expect_seen(change.expected)?;
            if let Some(data) = change.data {
                let before = json!({ "data_bytes": version.data.size() });
                if version.revise(data, change.expected, now)? {
                    let after = json!({ "data_bytes": version.data.size() });
                    audits.push(audit("course_version.update", version.id).before(before).after(after));
                }
            }
            if change.publish && version.publish(now)? {
                let (draft, published) = (json!({ "status": "draft" }), json!({ "status": "published" }));
                if let Some(replaced) = shelf.published {
                    let archived = json!({ "status": "archived" });
                    let row = audit("course_version.archive", replaced.id);
                    audits.push(row.before(published.clone()).after(archived));
                }
                audits.push(audit("course_version.publish", version.id).before(draft).after(published));
            }
            Ok(audits)
        });
        self.versions.update(course, id, edit).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{AuditEntry, DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::tests::{COURSE, DRAFT, Fixture, ORGANIZATION, PUBLISHED, a_draft, a_shelf, data, now};
    use crate::{Edition, VersionStatus};

    type Outcome = (Result<CourseVersion, CourseError>, Vec<AuditEntry>);

    async fn changed(version: CourseVersion, change: VersionChange) -> Outcome {
        let published = Some(Edition { id: PUBLISHED, number: 2 });
        let (fixture, audits) = Fixture::holding(Shelf { published, ..a_shelf() }, version);
        let updated = fixture.service().update_version(&staff(StaffRole::Admin), COURSE, DRAFT, change).await;
        let audits = audits.lock().expect("no panic").clone();
        (updated, audits)
    }

    fn actions(audits: &[AuditEntry]) -> Vec<(&str, AuditSubject)> {
        audits.iter().map(|row| (row.action, row.subject)).collect()
    }

    #[tokio::test]
    async fn new_content_leaves_its_size_in_the_trail() {
        let change = VersionChange { data: Some(data("Pull")), expected: Some(0), publish: false };
        let (version, audits) = changed(a_draft(), change).await;
        let version = version.expect("changes");
        assert_eq!((version.data, version.lock_version, version.updated_at), (data("Pull"), 1, now()));
        let own = AuditSubject::CourseVersion(DRAFT);
        assert_eq!(actions(&audits), [("course_version.update", own)]);
        assert_eq!(audits[0].before, Some(json!({ "data_bytes": 19 })));
        assert_eq!(audits[0].after, Some(json!({ "data_bytes": 16 })));
    }

    #[tokio::test]
    async fn changing_and_publishing_at_once_archives_the_published_version() {
        let change = VersionChange { data: Some(data("Pull")), expected: None, publish: true };
        let (version, audits) = changed(a_draft(), change).await;
        let version = version.expect("changes");
        assert_eq!((version.status, version.published_at), (VersionStatus::Published, Some(now())));
        assert_eq!(version.data, data("Pull"));
        let own = AuditSubject::CourseVersion(DRAFT);
        let replaced = AuditSubject::CourseVersion(PUBLISHED);
        assert_eq!(
            actions(&audits),
            [
                ("course_version.update", own),
                ("course_version.archive", replaced),
                ("course_version.publish", own)
            ]
        );
    }

    #[tokio::test]
    async fn nothing_new_leaves_no_row() {
        let published = CourseVersion { status: VersionStatus::Published, ..a_draft() };
        let publish = VersionChange::publishing();
        for (version, change) in [
            (a_draft(), VersionChange::default()),
            (a_draft(), VersionChange { data: Some(a_draft().data), ..VersionChange::default() }),
            (published, publish),
        ] {
            let (answer, audits) = changed(version.clone(), change).await;
            assert_eq!((answer.expect("answers"), audits), (version, vec![]));
        }
    }

    #[tokio::test]
    async fn what_the_rules_forbid_is_refused() {
        let in_status = |status| CourseVersion { status, ..a_draft() };
        let publish = VersionChange::publishing();
        let revise = VersionChange { data: Some(data("Pull")), ..VersionChange::default() };
        let stale = VersionChange { expected: Some(7), ..publish.clone() };
        for (status, change, code) in [
            (VersionStatus::Draft, stale, "version_conflict"),
            (VersionStatus::Published, revise.clone(), "version_not_draft"),
            (VersionStatus::Archived, revise, "version_not_draft"),
            (VersionStatus::Archived, publish, "version_archived"),
        ] {
            let (refused, audits) = changed(in_status(status), change).await;
            let refused = refused.expect_err("refused");
            assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, code));
            assert_eq!(audits, []);
        }
    }

    #[tokio::test]
    async fn only_staff_admins_change_and_publish_versions() {
        for actor in [staff(StaffRole::Employee), member_of(ORGANIZATION, true)] {
            let service = Fixture::default().service();
            let refused = service.update_version(&actor, COURSE, DRAFT, VersionChange::publishing()).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
        }
    }
}
