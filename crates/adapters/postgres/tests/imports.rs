//! Contract tests of `ImportRepository` and `ImportQueries`.

mod common;

use std::sync::Arc;

use adapter_postgres::PgImports;
use adapter_postgres::testing::TestDatabase;
use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::{
    AuditEntry, AuditSubject, ImportId, ImportMode, JobId, MembershipId, OrgId, Refusal, UserId,
};
use domain_memberships::ports::{ImportEdit, ImportQueries, ImportRepository, RosterFolder};
use domain_memberships::roster::{
    Import, ImportCounts, ImportState, ImportTrouble, NewImport, ReportRow, RosterProblem, RowAction,
};
use domain_memberships::{FileKey, MembershipError};

use crate::common::{
    Ports, a_membership, all_at_once, an_audit, an_import, at, audit_json, count, everything, import_audit,
    next_id, page,
};

struct World {
    db: TestDatabase,
    ports: Ports,
    staff: UserId,
    organization: OrgId,
    imports: Arc<PgImports>,
}

impl World {
    async fn new() -> Self {
        let db = TestDatabase::create();
        let (ports, staff, organization) = Ports::ready(&db).await;
        let imports = Arc::new(PgImports::new(ports.pg.clone()));
        Self { db, ports, staff, organization, imports }
    }

    fn new_import(&self, file: &str) -> NewImport {
        an_import(self.organization, file)
    }

    async fn add(&self, new: &NewImport) -> (Import, bool) {
        let job = JobId::new(next_id());
        self.imports.add(new.clone(), job, Some(import_audit(self.staff, new))).await.expect("added")
    }

    async fn offer(&self, file: &str) -> Import {
        let new = NewImport { etag: None, mode: ImportMode::Delta, ..self.new_import(file) };
        let audit = import_audit(self.staff, &new);
        self.imports.offer(new, audit).await.expect("offered")
    }

    /// An import that stands so, its job done.
    async fn given(&self, file: &str, state: ImportState) -> Import {
        let (import, _) = self.add(&self.new_import(file)).await;
        self.db.execute(&format!(
            "UPDATE jobs SET state = 'done', finished_at = now() WHERE subject = '{0}'; \
             UPDATE imports SET state = '{1}', finished_at = CASE WHEN {2} THEN '{3}'::timestamptz END WHERE id = '{0}'",
            import.id,
            state.as_str(),
            state.has_ended(),
            at(120)
        ));
        self.stored(import.id).await
    }

    async fn stored(&self, id: ImportId) -> Import {
        let found = self.imports.find(self.organization, id, 10).await.expect("looked up");
        found.expect("there is one").0
    }

    async fn update(&self, id: ImportId, edit: ImportEdit) -> Result<Import, MembershipError> {
        self.imports.update(self.organization, id, JobId::new(next_id()), edit).await
    }

    fn audit(&self, action: &'static str, id: ImportId) -> AuditEntry {
        an_audit(self.staff, action, Some(self.organization), AuditSubject::Import(id))
    }

    /// Jobs of the import that wait.
    fn waiting_jobs(&self, id: ImportId) -> usize {
        let jobs = format!(
            "jobs WHERE kind = 'roster_import' AND state = 'queued' AND subject = '{id}' AND organization_id = '{}'",
            self.organization
        );
        count(&self.db, &jobs)
    }
}

/// What is stored of a new import.
fn made(new: &NewImport, state: ImportState) -> Import {
    Import {
        id: new.id,
        organization: new.organization,
        key: new.key.clone(),
        etag: new.etag.clone(),
        mode: new.mode,
        dry_run: new.dry_run,
        state,
        is_confirmed: false,
        counts: ImportCounts::default(),
        errors_total: 0,
        trouble: None,
        warnings: vec![],
        created_by: new.created_by,
        created_at: new.at,
        started_at: None,
        finished_at: None,
    }
}

fn to_state(state: ImportState, audit: AuditEntry) -> ImportEdit {
    Box::new(move |import| {
        import.state = state;
        import.finished_at = state.has_ended().then_some(at(130));
        Ok(Some(audit))
    })
}

/// The same entry by somebody whom nobody knows, which cannot be written.
fn by_nobody(audit: AuditEntry) -> AuditEntry {
    AuditEntry { actor: UserId::new(next_id()), ..audit }
}

fn folder(organization: OrgId, folder: &str, mode: ImportMode) -> RosterFolder {
    RosterFolder { organization, folder: folder.into(), mode }
}

// --- Folders -----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_folder_of_an_organization_is_found_with_its_mode() {
    let world = World::new().await;
    let south = world.ports.given_organization(world.staff, "South").await;
    world.db.execute(&format!("UPDATE organizations SET import_mode = 'delta' WHERE id = '{south}'"));
    for (id, expected) in [
        (world.organization, Some(folder(world.organization, "north/feed", ImportMode::Snapshot))),
        (south, Some(folder(south, "south/feed", ImportMode::Delta))),
        (OrgId::new(next_id()), None),
    ] {
        assert_eq!(world.imports.find_folder(id).await.expect("looked up"), expected);
    }
}

#[tokio::test]
async fn a_file_belongs_to_the_longest_folder_that_it_lies_in() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for (name, folder) in [("A", "acme"), ("B", "acme/x"), ("C", "acme2"), ("D", "acme/x%")] {
        let id = world.ports.given_organization(world.staff, name).await;
        let mode = if name == "B" { "snapshot" } else { "delta" };
        world.db.execute(&format!(
            "UPDATE organizations SET s3_integrations_folder = '{folder}', import_mode = '{mode}' WHERE id = '{id}'"
        ));
        ids.push(id);
    }
    for (key, owner) in [
        ("acme/a.csv", Some(ids[0])),
        ("acme/xy/a.csv", Some(ids[0])),
        ("acme/x/a.csv", Some(ids[1])),
        ("acme/x/y/z/a.csv", Some(ids[1])),
        ("acme2/x", Some(ids[2])),
        ("acme2/x/a.csv", Some(ids[2])),
        ("acme3/a.csv", None),
        ("Acme/a.csv", None),
        ("acme", None),
        ("acme2", None),
        ("x/acme/a.csv", None),
        ("/acme/a.csv", None),
        ("", None),
    ] {
        let found = world.imports.find_owner(key).await.expect("looked up");
        assert_eq!(found.as_ref().map(|found| found.organization), owner, "{key}");
        if owner == Some(ids[1]) {
            assert_eq!(found, Some(folder(ids[1], "acme/x", ImportMode::Snapshot)));
        }
    }
}

#[tokio::test]
async fn folders_are_listed_by_id_some_at_a_time() {
    let world = World::new().await;
    let mut expected = vec![folder(world.organization, "north/feed", ImportMode::Snapshot)];
    for name in ["South", "East", "West"] {
        let id = world.ports.given_organization(world.staff, name).await;
        expected.push(folder(id, &format!("{}/feed", name.to_lowercase()), ImportMode::Snapshot));
    }
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let some = world.imports.list_folders(after, 3).await.expect("a list");
        assert!(some.len() <= 3);
        let Some(last) = some.last() else { break };
        after = Some(last.organization);
        listed.extend(some);
    }
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn files_are_unknown_until_an_import_is_about_their_content() {
    let world = World::new().await;
    world.add(&world.new_import("a.csv")).await;
    world.given("cancelled.csv", ImportState::Cancelled).await;
    world.given("failed.csv", ImportState::Failed).await;
    world.add(&NewImport { dry_run: true, ..world.new_import("tried.csv") }).await;
    world.offer("offered.csv").await;
    let files = |names: &[(&str, &str)]| {
        let file = |(name, etag): &(&str, &str)| (world.new_import(name).key, format!("\"{etag}\""));
        names.iter().map(file).collect::<Vec<(FileKey, String)>>()
    };
    let names = files(&[
        ("new.csv", "e1"),
        ("a.csv", "e1"),
        ("a.csv", "e2"),
        ("cancelled.csv", "e1"),
        ("failed.csv", "e1"),
        ("tried.csv", "e1"),
        ("offered.csv", "e1"),
        ("A.csv", "e1"),
    ]);
    let unknown = world.imports.find_unknown(world.organization, names.clone()).await;
    assert_eq!(unknown.expect("looked up"), [0, 2, 5, 6, 7]);
    assert_eq!(world.imports.find_unknown(world.organization, vec![]).await.expect("looked up"), [0; 0]);
    let south = world.ports.given_organization(world.staff, "South").await;
    let elsewhere = world.imports.find_unknown(south, names).await.expect("looked up");
    assert_eq!(elsewhere, (0..8).collect::<Vec<_>>());
}

// --- Offering and adding -----------------------------------------------------------------------------------------

#[tokio::test]
async fn an_offered_import_waits_for_its_file_and_has_no_job() {
    let world = World::new().await;
    let new = NewImport { etag: None, created_by: Some(world.staff), ..world.new_import("a.csv") };
    let audit = import_audit(world.staff, &new);
    let import = world.imports.offer(new.clone(), audit.clone()).await.expect("offered");
    assert_eq!(import, made(&new, ImportState::AwaitingUpload));
    assert_eq!(world.stored(new.id).await, import);
    assert_eq!(world.ports.audit_rows().await.last(), Some(&audit_json(&audit)));
    assert_eq!(count(&world.db, "jobs"), 0);
}

#[tokio::test]
async fn without_its_audit_row_nothing_is_offered_or_added() {
    let world = World::new().await;
    let awaiting = world.offer("offered.csv").await;
    let before = everything(&world.db);
    let new = world.new_import("a.csv");
    let audit = by_nobody(import_audit(world.staff, &new));
    world.imports.offer(NewImport { etag: None, ..new.clone() }, audit.clone()).await.expect_err("fails");
    for new in [new, NewImport { key: awaiting.key, ..world.new_import("offered.csv") }] {
        let added = world.imports.add(new, JobId::new(next_id()), Some(audit.clone())).await;
        assert!(matches!(added, Err(MembershipError::Storage(_))), "{added:?}");
    }
    assert_eq!(everything(&world.db), before);
}

#[tokio::test]
async fn an_added_import_is_queued_with_its_job_and_the_audit_row() {
    let world = World::new().await;
    let new = NewImport { created_by: Some(world.staff), ..world.new_import("a.csv") };
    let (audit, job) = (import_audit(world.staff, &new), JobId::new(next_id()));
    let added = world.imports.add(new.clone(), job, Some(audit.clone())).await.expect("added");
    assert_eq!(added, (made(&new, ImportState::Queued), true));
    assert_eq!(world.stored(new.id).await, added.0);
    assert_eq!(world.ports.audit_rows().await.last(), Some(&audit_json(&audit)));
    let queued = format!("jobs WHERE id = '{job}' AND run_at = '{}' AND created_at = run_at", new.at);
    assert_eq!((world.waiting_jobs(new.id), count(&world.db, &queued)), (1, 1));
}

#[tokio::test]
async fn nobody_is_named_for_a_file_that_was_found() {
    let world = World::new().await;
    let rows = world.ports.audit_rows().await.len();
    let new = world.new_import("a.csv");
    let added = world.imports.add(new.clone(), JobId::new(next_id()), None).await.expect("added");
    assert!(added.1);
    assert_eq!((world.waiting_jobs(new.id), world.ports.audit_rows().await.len()), (1, rows));
}

#[tokio::test]
async fn the_same_file_and_content_is_given_back_and_nothing_is_written() {
    let world = World::new().await;
    for state in [ImportState::Queued, ImportState::Running, ImportState::Held, ImportState::Done] {
        let import = world.given(&format!("{}.csv", state.as_str()), state).await;
        let before = everything(&world.db);
        let again = NewImport { key: import.key.clone(), ..world.new_import("x") };
        assert_eq!(world.add(&again).await, (import, false));
        assert_eq!(everything(&world.db), before);
    }
}

#[tokio::test]
async fn what_was_in_vain_can_be_added_again() {
    let world = World::new().await;
    for state in [ImportState::Failed, ImportState::Cancelled] {
        let import = world.given(&format!("{}.csv", state.as_str()), state).await;
        let again = NewImport { key: import.key.clone(), ..world.new_import("x") };
        assert_eq!(world.add(&again).await, (made(&again, ImportState::Queued), true));
        assert_eq!(world.waiting_jobs(again.id), 1);
        assert_eq!(world.stored(import.id).await, import);
        assert_eq!(
            world.add(&NewImport { id: ImportId::new(next_id()), ..again.clone() }).await.0.id,
            again.id
        );
    }
}

#[tokio::test]
async fn another_content_another_name_and_another_organization_are_imports_of_their_own() {
    let world = World::new().await;
    let first = world.new_import("a.csv");
    let other = |change: &dyn Fn(&mut NewImport)| {
        let mut new = NewImport { id: ImportId::new(next_id()), ..first.clone() };
        change(&mut new);
        new
    };
    let south = world.ports.given_organization(world.staff, "South").await;
    for new in [
        first.clone(),
        other(&|new| new.etag = Some("\"e2\"".into())),
        other(&|new| new.key = FileKey::from_stored("north/feed/A.csv".into())),
        other(&|new| new.organization = south),
    ] {
        assert_eq!(world.add(&new).await, (made(&new, ImportState::Queued), true));
    }
    assert_eq!((count(&world.db, "imports"), count(&world.db, "jobs")), (4, 4));
}

#[tokio::test]
async fn an_import_that_waits_for_the_file_is_taken_and_keeps_its_mode() {
    let world = World::new().await;
    let awaiting = world.offer("a.csv").await;
    let new = NewImport { at: at(110), ..world.new_import("a.csv") };
    let audit = import_audit(world.staff, &new);
    let job = JobId::new(next_id());
    let added = world.imports.add(new.clone(), job, Some(audit.clone())).await.expect("added");
    let taken = Import { etag: new.etag.clone(), state: ImportState::Queued, ..awaiting.clone() };
    assert_eq!(added, (taken.clone(), true));
    assert_eq!(world.stored(awaiting.id).await, taken);
    let about = AuditEntry { subject: AuditSubject::Import(awaiting.id), ..audit };
    assert_eq!(world.ports.audit_rows().await.last(), Some(&audit_json(&about)));
    assert_eq!((world.waiting_jobs(awaiting.id), count(&world.db, "imports")), (1, 1));
    assert_eq!(world.add(&new).await, (taken, false), "and no other one is made");
}

#[tokio::test]
async fn a_content_that_was_imported_already_takes_no_import_that_waits() {
    let world = World::new().await;
    let done = world.given("a.csv", ImportState::Done).await;
    world.offer("a.csv").await;
    let before = everything(&world.db);
    assert_eq!(world.add(&world.new_import("a.csv")).await, (done, false));
    assert_eq!(everything(&world.db), before);
}

#[tokio::test]
async fn a_dry_run_is_always_a_new_one() {
    let world = World::new().await;
    let awaiting = world.offer("a.csv").await;
    world.given("b.csv", ImportState::Done).await;
    for file in ["a.csv", "b.csv", "b.csv"] {
        let new = NewImport { dry_run: true, ..world.new_import(file) };
        assert_eq!(world.add(&new).await, (made(&new, ImportState::Queued), true));
        assert_eq!(world.waiting_jobs(new.id), 1);
    }
    assert_eq!(world.stored(awaiting.id).await, awaiting);
    let (real, is_new) = world.add(&world.new_import("b.csv")).await;
    assert!(!is_new && !real.dry_run, "and is not given back for a real one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_add_the_same_file_at_once_one_makes_the_import() {
    for is_offered in [false, true] {
        let world = World::new().await;
        if is_offered {
            world.offer("a.csv").await;
        }
        let rows = world.ports.audit_rows().await.len();
        let adds = (0..8).map(|_| {
            let (imports, new) = (Arc::clone(&world.imports), world.new_import("a.csv"));
            let audit = import_audit(world.staff, &new);
            async move { imports.add(new, JobId::new(next_id()), Some(audit)).await.expect("added") }
        });
        let added = all_at_once(adds).await;
        assert_eq!(added.iter().filter(|(_, is_new)| *is_new).count(), 1);
        assert!(added.iter().all(|(import, _)| import == &added[0].0), "{added:?}");
        assert_eq!((count(&world.db, "imports"), count(&world.db, "jobs")), (1, 1));
        assert_eq!(world.ports.audit_rows().await.len(), rows + 1);
    }
}

// --- Changing ----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_import_of_another_organization_is_not_found() {
    let world = World::new().await;
    let (import, _) = world.add(&world.new_import("a.csv")).await;
    let south = world.ports.given_organization(world.staff, "South").await;
    let before = everything(&world.db);
    for (organization, id) in [(south, import.id), (world.organization, ImportId::new(next_id()))] {
        let edit: ImportEdit = Box::new(|_| panic!("there is nothing to edit"));
        let missed = world.imports.update(organization, id, JobId::new(next_id()), edit).await;
        assert!(matches!(missed, Err(MembershipError::Refused(Refusal::NotFound))), "{missed:?}");
    }
    assert_eq!(everything(&world.db), before);
}

#[tokio::test]
async fn who_confirms_queues_a_job() {
    let world = World::new().await;
    let held = world.given("a.csv", ImportState::Held).await;
    world.db.execute("UPDATE imports SET trouble_code = 'last_org_admin', trouble_message = 'Nobody.'");
    let trouble = ImportTrouble { code: "last_org_admin".into(), message: "Nobody.".into() };
    let expected = Import { trouble: Some(trouble), ..held.clone() };
    let audit = world.audit("import.confirm", held.id);
    let written = audit.clone();
    let edit: ImportEdit = Box::new(move |import| {
        assert_eq!(*import, expected);
        import.state = ImportState::Queued;
        import.is_confirmed = true;
        import.trouble = None;
        Ok(Some(written))
    });
    let confirmed = world.update(held.id, edit).await.expect("changes");
    let expected = Import { state: ImportState::Queued, is_confirmed: true, ..held.clone() };
    assert_eq!(confirmed, expected);
    assert_eq!(world.stored(held.id).await, expected);
    assert_eq!(world.waiting_jobs(held.id), 1);
    assert_eq!(world.ports.audit_rows().await.last(), Some(&audit_json(&audit)));
}

#[tokio::test]
async fn who_cancels_queues_none_and_what_was_staged_is_dropped() {
    let world = World::new().await;
    let running = world.given("a.csv", ImportState::Running).await;
    let other = world.given("b.csv", ImportState::Held).await;
    world.db.execute("INSERT INTO roster_stage (line, import_id) SELECT 2, id FROM imports");
    let audit = world.audit("import.cancel", running.id);
    let cancelled = world.update(running.id, to_state(ImportState::Cancelled, audit)).await.expect("changes");
    let expected = Import { state: ImportState::Cancelled, finished_at: Some(at(130)), ..running.clone() };
    assert_eq!(cancelled, expected);
    assert_eq!(world.stored(running.id).await, expected);
    assert_eq!(world.waiting_jobs(running.id), 0);
    assert_eq!(world.stored(other.id).await, other);
    let staged = format!("roster_stage WHERE import_id = '{}'", other.id);
    assert_eq!((count(&world.db, "roster_stage"), count(&world.db, &staged)), (1, 1));
}

#[tokio::test]
async fn a_job_that_waits_or_goes_on_is_enough() {
    let world = World::new().await;
    let held = world.given("a.csv", ImportState::Held).await;
    world.db.execute("UPDATE jobs SET state = 'running', finished_at = NULL, locked_until = now()");
    let audit = world.audit("import.confirm", held.id);
    world.update(held.id, to_state(ImportState::Queued, audit)).await.expect("changes");
    assert_eq!(count(&world.db, "jobs"), 1);
}

#[tokio::test]
async fn what_the_edit_refuses_or_leaves_as_it_is_is_not_written_nor_is_anything_without_its_audit_row() {
    let world = World::new().await;
    let held = world.given("a.csv", ImportState::Held).await;
    let before = everything(&world.db);
    let refused = world
        .update(
            held.id,
            Box::new(|import| {
                import.state = ImportState::Queued;
                Err(MembershipError::ImportNotHeld(ImportState::Done))
            }),
        )
        .await;
    assert!(matches!(refused, Err(MembershipError::ImportNotHeld(ImportState::Done))), "{refused:?}");
    let same = world.update(held.id, Box::new(|_| Ok(None))).await;
    assert_eq!(same.expect("answers"), held);
    for state in [ImportState::Queued, ImportState::Cancelled] {
        let audit = by_nobody(world.audit("import.confirm", held.id));
        let failed = world.update(held.id, to_state(state, audit)).await;
        assert!(matches!(failed, Err(MembershipError::Storage(_))), "{failed:?}");
    }
    assert_eq!(everything(&world.db), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_confirm_at_once_one_does() {
    let world = World::new().await;
    let held = world.given("a.csv", ImportState::Held).await;
    let confirms = (0..6).map(|_| {
        let (imports, organization) = (Arc::clone(&world.imports), world.organization);
        let audit = world.audit("import.confirm", held.id);
        let edit: ImportEdit = Box::new(move |import| match import.state {
            ImportState::Held => {
                import.state = ImportState::Queued;
                Ok(Some(audit))
            }
            state => Err(MembershipError::ImportNotHeld(state)),
        });
        async move { imports.update(organization, held.id, JobId::new(next_id()), edit).await.is_ok() }
    });
    let done = all_at_once(confirms).await;
    assert_eq!(done.iter().filter(|is_done| **is_done).count(), 1);
    assert_eq!(world.waiting_jobs(held.id), 1);
}

// --- Waiting in vain ---------------------------------------------------------------------------------------------

#[tokio::test]
async fn what_waits_for_a_file_that_was_not_put_in_time_has_failed() {
    let world = World::new().await;
    let awaiting = world.offer("a.csv").await;
    let others =
        [world.add(&world.new_import("b.csv")).await.0, world.given("c.csv", ImportState::Held).await];
    let expire = |now: DateTime<Utc>| {
        let imports = Arc::clone(&world.imports);
        async move { imports.expire(TimeDelta::minutes(15), now).await.expect("expires") }
    };
    let before = everything(&world.db);
    assert_eq!(expire(at(115)).await, 0, "it is time yet");
    assert_eq!(everything(&world.db), before);
    assert_eq!(expire(at(116)).await, 1);
    let failed = world.stored(awaiting.id).await;
    assert_eq!((failed.state, failed.finished_at), (ImportState::Failed, Some(at(116))));
    assert_eq!(failed.trouble.map(|trouble| trouble.code.into_owned()).as_deref(), Some("not_uploaded"));
    for other in others {
        assert_eq!(world.stored(other.id).await, other);
    }
    assert_eq!(expire(at(117)).await, 0);
}

#[tokio::test]
async fn what_waits_for_a_job_that_was_given_up_has_failed_and_what_was_staged_is_dropped() {
    let world = World::new().await;
    let mut cases = Vec::new();
    for (state, jobs, expected) in [
        (ImportState::Queued, &["dead"][..], ImportState::Failed),
        (ImportState::Running, &["dead"], ImportState::Failed),
        (ImportState::Running, &["done", "dead"], ImportState::Failed),
        (ImportState::Queued, &["dead", "queued"], ImportState::Queued),
        (ImportState::Running, &["dead", "running"], ImportState::Running),
        (ImportState::Held, &["dead"], ImportState::Held),
        (ImportState::Done, &["dead"], ImportState::Done),
        (ImportState::Cancelled, &["dead"], ImportState::Cancelled),
    ] {
        // Of one organization only one runs.
        let organization = world.ports.given_organization(world.staff, &format!("Org{}", cases.len())).await;
        let new = NewImport { organization, ..world.new_import("a.csv") };
        world.add(&new).await;
        world.db.execute(&format!(
            "DELETE FROM jobs WHERE subject = '{0}'; UPDATE imports SET state = '{1}', run = '{0}', \
             finished_at = CASE WHEN {2} THEN now() END WHERE id = '{0}'; \
             INSERT INTO roster_stage (line, import_id) VALUES (2, '{0}')",
            new.id,
            state.as_str(),
            state.has_ended()
        ));
        for job in jobs {
            world.db.execute(&format!(
                "INSERT INTO jobs (id, kind, subject, state, run_at, locked_until, created_at, finished_at) VALUES \
                 ('{}', 'roster_import', '{}', '{job}', now(), CASE WHEN '{job}' = 'running' THEN now() END, now(), \
                  CASE WHEN '{job}' IN ('done', 'dead') THEN now() END)",
                next_id(),
                new.id
            ));
        }
        cases.push((new, jobs, expected));
    }
    assert_eq!(world.imports.expire(TimeDelta::days(999), at(200)).await.expect("expires"), 3);
    for (new, jobs, expected) in cases {
        let found = world.imports.find(new.organization, new.id, 1).await.expect("looked up");
        let import = found.expect("there is one").0;
        assert_eq!(import.state, expected, "{jobs:?}");
        let has_failed = expected == ImportState::Failed;
        let given_up = import.trouble.is_some_and(|trouble| trouble.code == "given_up");
        assert_eq!(given_up, has_failed);
        assert_eq!(import.finished_at == Some(at(200)), has_failed);
        let staged = format!("roster_stage WHERE import_id = '{}'", new.id);
        assert_eq!(count(&world.db, &staged), usize::from(!has_failed));
    }
}

#[tokio::test]
async fn what_is_queued_without_a_job_gets_one() {
    let world = World::new().await;
    let queued = world.given("a.csv", ImportState::Queued).await;
    let (waiting, _) = world.add(&world.new_import("b.csv")).await;
    let held = world.given("c.csv", ImportState::Held).await;
    assert_eq!(world.waiting_jobs(queued.id), 0);
    for _ in 0..2 {
        assert_eq!(world.imports.expire(TimeDelta::days(1), at(200)).await.expect("expires"), 0);
        let jobs = [queued.id, waiting.id, held.id].map(|id| world.waiting_jobs(id));
        assert_eq!(jobs, [1, 1, 0]);
    }
    assert_eq!(world.stored(queued.id).await, queued);
}

// --- Reading -----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn imports_are_listed_newest_first_by_state_and_page() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for (n, minutes) in [3, 1, 2, 3].into_iter().enumerate() {
        let new = NewImport { at: at(100 + minutes), ..world.new_import(&format!("{n}.csv")) };
        ids.push(world.add(&new).await.0.id);
    }
    world.db.execute(&format!("UPDATE imports SET state = 'held' WHERE id = '{}'", ids[2]));
    let south = world.ports.given_organization(world.staff, "South").await;
    let empty = world.ports.given_organization(world.staff, "East").await;
    world.add(&NewImport { organization: south, ..world.new_import("0.csv") }).await;
    for (state, request, expected, total) in [
        (None, page(0, 10), vec![ids[3], ids[0], ids[2], ids[1]], 4),
        (None, page(1, 2), vec![ids[0], ids[2]], 4),
        (None, page(4, 10), vec![], 4),
        (Some(ImportState::Held), page(0, 10), vec![ids[2]], 1),
        (Some(ImportState::Queued), page(0, 2), vec![ids[3], ids[0]], 3),
        (Some(ImportState::Failed), page(0, 10), vec![], 0),
    ] {
        let list = world.imports.list(world.organization, state, request).await.expect("a list");
        let list = list.expect("there is the organization");
        let listed: Vec<_> = list.items.iter().map(|import| import.id).collect();
        assert_eq!((listed, list.total), (expected, total), "{state:?} {request:?}");
        for import in list.items {
            assert_eq!(world.stored(import.id).await, import);
        }
    }
    let none = world.imports.list(empty, None, page(0, 10)).await.expect("a list").expect("the organization");
    assert_eq!((none.items, none.total), (vec![], 0));
    let nowhere = world.imports.list(OrgId::new(next_id()), None, page(0, 10)).await.expect("looked up");
    assert_eq!(nowhere, None);
}

#[tokio::test]
async fn every_column_of_an_import_is_read() {
    let world = World::new().await;
    let (import, _) = world.add(&world.new_import("a.csv")).await;
    world.db.execute(&format!(
        "UPDATE imports SET mode = 'delta', dry_run = true, state = 'done', is_confirmed = true, rows_count = 28, \
            created_count = 1, updated_count = 2, unchanged_count = 3, reactivated_count = 4, deactivated_count = 5, \
            rejected_count = 6, errors_total = 7, trouble_code = 'odd', trouble_message = 'It is odd.', \
            warnings = '[{{\"column\": \"shoe\", \"code\": \"unknown_column\", \"message\": \"is not known\", \"value\": \"\"}}]', \
            created_by = '{}', started_at = '{}', finished_at = '{}'",
        world.staff,
        at(111),
        at(112)
    ));
    let warning = RosterProblem {
        line: 1,
        column: "shoe".into(),
        code: "unknown_column".into(),
        message: "is not known".into(),
        value: String::new(),
    };
    let expected = Import {
        mode: ImportMode::Delta,
        dry_run: true,
        state: ImportState::Done,
        is_confirmed: true,
        counts: ImportCounts {
            rows: 28,
            created: 1,
            updated: 2,
            unchanged: 3,
            reactivated: 4,
            deactivated: 5,
            rejected: 6,
        },
        errors_total: 7,
        trouble: Some(ImportTrouble { code: "odd".into(), message: "It is odd.".into() }),
        warnings: vec![warning],
        created_by: Some(world.staff),
        started_at: Some(at(111)),
        finished_at: Some(at(112)),
        ..import
    };
    assert_eq!(world.stored(expected.id).await, expected);
}

/// Rows of a report: rejected ones with as many problems as it says, or a membership.
fn given_report(world: &World, id: ImportId, rows: &[(Option<i64>, usize, Option<MembershipId>)]) {
    for (place, (line, problems, membership)) in rows.iter().enumerate() {
        let problems: Vec<String> = (0..*problems)
            .map(|n| {
                format!(r#"{{"column": "c{n}", "code": "invalid", "message": "is wrong", "value": "v{n}"}}"#)
            })
            .collect();
        let problems =
            if problems.is_empty() { "NULL".into() } else { format!("'[{}]'", problems.join(", ")) };
        world.db.execute(&format!(
            "INSERT INTO import_rows VALUES ('{id}', {}, {}, {}, '{}', {}, {problems})",
            place + 1,
            line.map_or("NULL".into(), |line| line.to_string()),
            if membership.is_none() { "'the key'" } else { "NULL" },
            if problems == "NULL" { "updated" } else { "rejected" },
            membership.map_or("NULL".into(), |id| format!("'{id}'")),
        ));
    }
}

fn problem(line: u64, n: usize) -> RosterProblem {
    RosterProblem {
        line,
        column: format!("c{n}"),
        code: "invalid".into(),
        message: "is wrong".into(),
        value: format!("v{n}"),
    }
}

#[tokio::test]
async fn an_import_is_found_with_the_first_problems_in_the_order_of_the_file() {
    let world = World::new().await;
    let (import, _) = world.add(&world.new_import("a.csv")).await;
    let (other, _) = world.add(&world.new_import("b.csv")).await;
    given_report(
        &world,
        import.id,
        &[(Some(2), 0, None), (Some(3), 2, None), (Some(10), 1, None), (Some(11), 3, None)],
    );
    given_report(&world, other.id, &[(Some(2), 1, None)]);
    let all = [problem(3, 0), problem(3, 1), problem(10, 0), problem(11, 0), problem(11, 1), problem(11, 2)];
    for limit in [0, 1, 2, 3, 5, 6, 100] {
        let found = world.imports.find(world.organization, import.id, limit).await.expect("looked up");
        let (found, problems) = found.expect("there is one");
        assert_eq!((&found, &problems[..]), (&import, &all[..limit.min(6)]), "{limit}");
    }
    let south = world.ports.given_organization(world.staff, "South").await;
    for (organization, id) in [(south, import.id), (world.organization, ImportId::new(next_id()))] {
        assert_eq!(world.imports.find(organization, id, 10).await.expect("looked up"), None);
    }
}

#[tokio::test]
async fn the_report_is_read_some_rows_at_a_time_and_names_people_by_what_they_are_found_by() {
    let world = World::new().await;
    let (import, _) = world.add(&world.new_import("a.csv")).await;
    let numbered = a_membership(world.staff, world.organization, "AAAA22");
    let mut nameless = a_membership(world.staff, world.organization, "BBBB22");
    nameless.membership.external_id = None;
    let number = numbered.membership.external_id.as_ref().map(|number| number.as_str().to_owned());
    let numbered = world.ports.given_membership(numbered).await.membership.id;
    let nameless = world.ports.given_membership(nameless).await.membership.id;
    given_report(
        &world,
        import.id,
        &[
            (Some(2), 0, Some(numbered)),
            (Some(3), 0, Some(nameless)),
            (Some(4), 1, None),
            (None, 0, Some(numbered)),
        ],
    );
    let row = |position, line, key: Option<&str>, action, membership, problems| ReportRow {
        position,
        line,
        key: key.map(str::to_owned),
        action,
        membership,
        problems,
    };
    let expected = [
        row(1, Some(2), number.as_deref(), RowAction::Updated, Some(numbered), vec![]),
        row(2, Some(3), Some("ann.lee@example.org"), RowAction::Updated, Some(nameless), vec![]),
        row(3, Some(4), Some("the key"), RowAction::Rejected, None, vec![problem(4, 0)]),
        row(4, None, number.as_deref(), RowAction::Updated, Some(numbered), vec![]),
    ];
    for (after, limit, rows) in [(0, 10, 0..4), (0, 2, 0..2), (2, 1, 2..3), (3, 10, 3..4), (4, 10, 4..4)] {
        let report = world.imports.report(world.organization, import.id, after, limit).await;
        assert_eq!(report.expect("a report").as_deref(), Some(&expected[rows]), "after {after}");
    }
    let south = world.ports.given_organization(world.staff, "South").await;
    for (organization, id) in [(south, import.id), (world.organization, ImportId::new(next_id()))] {
        assert_eq!(world.imports.report(organization, id, 0, 10).await.expect("looked up"), None);
    }
}

#[tokio::test]
async fn reports_of_long_ago_are_deleted_and_the_imports_stay() {
    let world = World::new().await;
    let (old, new) =
        (world.given("a.csv", ImportState::Done).await, world.given("b.csv", ImportState::Done).await);
    for (import, ended) in [(&old, at(0)), (&new, at(9))] {
        world.db.execute(&format!(
            "UPDATE imports SET finished_at = '{ended}', reported = 2, created_count = 2 WHERE id = '{0}'; \
             INSERT INTO import_rows (import_id, position, line, action) VALUES ('{0}', 1, 2, 'created'), ('{0}', 2, 3, 'created')",
            import.id
        ));
    }
    assert_eq!(world.imports.forget_reports(at(5)).await.expect("deletes"), 1);
    assert_eq!(world.db.rows("SELECT DISTINCT import_id FROM import_rows"), [format!("({})", new.id)]);
    assert_eq!(count(&world.db, "imports WHERE created_count = 2"), 2);
    assert_eq!(world.imports.forget_reports(at(5)).await.expect("deletes"), 0, "once");
}
