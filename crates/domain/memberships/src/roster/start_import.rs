use std::path::Path;

use chrono::{DateTime, Utc};
use domain_kernel::{
    Actor, AuditEntry, AuditSubject, FieldErrors, ImportId, ImportMode, JobId, OrgId, Permission, Refusal,
    Scope,
};
use serde_json::json;

use super::{Import, NewImport, RosterService};
use crate::{FileKey, MembershipError, RosterFile, UploadTicket};

/// The permission to put a file, and the import that will take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadOffer {
    /// What the request must be like.
    pub ticket: UploadTicket,
    /// Where the file will be.
    pub key: FileKey,
    /// What becomes of it.
    pub import: ImportId,
}

/// What is needed to import a file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartImport {
    /// Whose people.
    pub organization: OrgId,
    /// The file, with the organization's folder.
    pub key: String,
    /// What people mean who are not in it; else as the organization has it.
    pub mode: Option<ImportMode>,
    /// Only tells what would be done.
    pub dry_run: bool,
}

impl RosterService {
    /// Gives somebody the permission to put one CSV file into the organization's folder. The import that takes it can be read at
    /// once.
    pub async fn request_upload(
        &self,
        actor: &Actor,
        organization: OrgId,
        mode: ImportMode,
    ) -> Result<UploadOffer, MembershipError> {
        actor.require(Permission::RosterImport, Scope::Organization(organization))?;
        let folder = self.imports.find_folder(organization).await?.ok_or(Refusal::NotFound)?;
        let key = FileKey::random(&folder.folder, self.ids.next());
        let ticket = self.files.presign_upload(&key, self.limits.upload_lifespan).await?;
        let new = NewImport {
            id: ImportId::new(self.ids.next()),
            organization,
            key: key.clone(),
            etag: None,
            mode,
            dry_run: false,
            created_by: Some(actor.user),
            at: self.clock.now(),
        };
        let audit = self.trail(actor, &new, "import.request");
        let import = self.imports.offer(new, audit).await?.id;
        Ok(UploadOffer { ticket, key, import })
    }

    /// Imports a file that is in the organization's folder. Of a file that was imported already, with the content that it has now,
    /// gives that import and does nothing.
    ///
    /// Fails, naming `key`, if it lies elsewhere, is not there, or is too large.
    pub async fn start_import(
        &self,
        actor: &Actor,
        command: StartImport,
    ) -> Result<(Import, bool), MembershipError> {
        let organization = command.organization;
        actor.require(Permission::RosterImport, Scope::Organization(organization))?;
        let folder = self.imports.find_folder(organization).await?.ok_or(Refusal::NotFound)?;
        let wrong = |code, message: String| MembershipError::Invalid(FieldErrors::of("key", code, message));
        let key = FileKey::parse(&command.key, &folder.folder)
            .map_err(|problem| wrong(problem.code, problem.message))?;
        let file = self.files.find(&key).await?;
        let file = file.ok_or_else(|| wrong("not_found", "is not in the storage".into()))?;
        if file.size > self.limits.max_bytes {
            let message = format!("is too large (maximum is {} bytes)", self.limits.max_bytes);
            return Err(wrong("too_large", message));
        }
        let mode = command.mode.unwrap_or(folder.mode);
        let mut new = self.new_import(organization, file, mode, self.clock.now());
        new.dry_run = command.dry_run;
        new.created_by = Some(actor.user);
        let audit = self.trail(actor, &new, "import.start");
        self.imports.add(new, JobId::new(self.ids.next()), Some(audit)).await
    }

    /// Puts a local file into the organization's folder and queues its import: for operators, who need no permission.
    pub async fn import_local(
        &self,
        organization: OrgId,
        content: &Path,
        mode: Option<ImportMode>,
        dry_run: bool,
    ) -> Result<Import, MembershipError> {
        let folder = self.imports.find_folder(organization).await?.ok_or(Refusal::NotFound)?;
        let key = FileKey::random(&folder.folder, self.ids.next());
        self.files.put(&key, content).await?;
        let file = self.files.find(&key).await?.ok_or(MembershipError::FileChanged)?;
        let mut new = self.new_import(organization, file, mode.unwrap_or(folder.mode), self.clock.now());
        new.dry_run = dry_run;
        Ok(self.imports.add(new, JobId::new(self.ids.next()), None).await?.0)
    }

    pub(super) fn new_import(
        &self,
        organization: OrgId,
        file: RosterFile,
        mode: ImportMode,
        at: DateTime<Utc>,
    ) -> NewImport {
        NewImport {
            id: ImportId::new(self.ids.next()),
            organization,
            key: file.key,
            etag: Some(file.etag),
            mode,
            dry_run: false,
            created_by: None,
            at,
        }
    }

    fn trail(&self, actor: &Actor, new: &NewImport, action: &'static str) -> AuditEntry {
        let subject = AuditSubject::Import(new.id);
        let after = json!({ "key": new.key.as_str(), "mode": new.mode.as_str(), "dry_run": new.dry_run });
        actor.audit(self.ids.next(), new.at, action, Some(new.organization), subject).after(after)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::roster::tests::{Fixture, a_file, an_import, now};
    use crate::tests::ORG;

    fn command(key: &str) -> StartImport {
        StartImport { organization: ORG, key: key.into(), mode: None, dry_run: false }
    }

    #[tokio::test]
    async fn an_upload_is_offered_with_the_import_that_will_take_it() {
        let mut fixture = Fixture::with_folder();
        fixture.files.expect_presign_upload().return_once(|_, lifespan| {
            assert_eq!(lifespan, chrono::TimeDelta::minutes(15));
            Ok(UploadTicket { method: "PUT".into(), url: "u".into(), headers: vec![], expires_at: now() })
        });
        fixture.imports.expect_offer().return_once(|new, audit| {
            assert_eq!((new.mode, new.etag, new.dry_run), (ImportMode::Snapshot, None, false));
            assert!(new.key.as_str().starts_with("harbor/"));
            assert_eq!((audit.action, audit.subject), ("import.request", AuditSubject::Import(new.id)));
            Ok(Import { id: new.id, key: new.key, ..an_import() })
        });
        let offer =
            fixture.service().request_upload(&staff(StaffRole::Admin), ORG, ImportMode::Snapshot).await;
        assert!(offer.expect("offered").key.as_str().strip_suffix(".csv").is_some());
    }

    #[tokio::test]
    async fn a_file_that_is_there_is_queued_as_the_organization_has_it() {
        let mut fixture = Fixture::with_folder();
        fixture.files.expect_find().return_once(|key| Ok(Some(a_file(key.as_str()))));
        fixture.imports.expect_add().return_once(|new, _, audit| {
            assert_eq!((new.mode, new.etag.as_deref()), (ImportMode::Delta, Some("\"e1\"")));
            assert_eq!(audit.expect("an audit row").action, "import.start");
            Ok((an_import(), true))
        });
        let started = fixture.service().start_import(&staff(StaffRole::Admin), command("harbor/a.csv")).await;
        assert!(started.expect("starts").1);
    }

    #[tokio::test]
    async fn a_local_file_is_put_and_queued() {
        let mut fixture = Fixture::with_folder();
        fixture.files.expect_put().times(1).returning(|key, content| {
            assert!(key.as_str().starts_with("harbor/") && content == Path::new("roster.csv"));
            Ok(())
        });
        fixture.files.expect_find().return_once(|key| Ok(Some(a_file(key.as_str()))));
        fixture.imports.expect_add().return_once(|new, _, audit| {
            assert_eq!((new.mode, new.dry_run, new.created_by, audit), (ImportMode::Delta, true, None, None));
            Ok((an_import(), true))
        });
        let queued = fixture.service().import_local(ORG, Path::new("roster.csv"), None, true).await;
        assert_eq!(queued.expect("queued").id, an_import().id);
    }

    #[tokio::test]
    async fn a_key_that_is_foreign_unknown_or_of_too_much_is_named() {
        let large = RosterFile { size: 1001, ..a_file("harbor/a.csv") };
        for (key, found, code) in [
            ("pier/a.csv", None, "invalid"),
            ("harbor/../pier/a.csv", None, "invalid"),
            ("harbor/a.csv", None, "not_found"),
            ("harbor/a.csv", Some(large), "too_large"),
        ] {
            let mut fixture = Fixture::with_folder();
            fixture.files.expect_find().return_once(move |_| Ok(found));
            let refused = fixture.service().start_import(&staff(StaffRole::Admin), command(key)).await;
            let refused = refused.expect_err("refused");
            assert_eq!(refused.kind(), ErrorKind::Invalid);
            let fields = format!("{:?}", refused.fields().expect("fields"));
            assert!(fields.contains("\"key\"") && fields.contains(code), "{fields}");
        }
    }

    #[tokio::test]
    async fn only_staff_admins_may() {
        for actor in [member_of(ORG, true), staff(StaffRole::Employee)] {
            let refused = Fixture::default().service().start_import(&actor, command("harbor/a.csv")).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
            let refused = Fixture::default().service().request_upload(&actor, ORG, ImportMode::Delta).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
        }
    }
}
