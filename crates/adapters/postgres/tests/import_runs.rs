//! Contract tests of `ImportRun`.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adapter_postgres::PgImports;
use adapter_postgres::testing::TestDatabase;
use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;
use domain_kernel::{
    AuditSubject, CourseId, EmailAddress, ExternalId, IdGenerator, ImportId, InviteCode, JobId, JobTitle,
    MembershipId, OrgId, PersonName, TeamId, UserId,
};
use domain_memberships::ports::{
    Begun, ImportQueries, ImportRepository, ImportRun, InviteCodeGenerator, RosterSettings, RunEnd, RunLease,
};
use domain_memberships::roster::{
    Import, ImportCounts, ImportState, ImportTrouble, NewImport, Planner, ReportRow, RosterProblem,
    RosterRow,
    RowAction::{self, Created, Deactivated, Reactivated, Rejected, Unchanged, Updated},
    RowKey, StagedLine, Survey,
};
use domain_memberships::{
    Invitation, InvitationStatus, Membership, MembershipError, MembershipStatus, MembershipView, WantedStatus,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::common::{
    Lock, Ports, a_membership, a_session, all_at_once, an_audit, an_import, at, code, count, edited,
    everything, given_course, import_audit, in_order, membership_audit, name, next_id, until_waiting,
};

struct Ids;

impl IdGenerator for Ids {
    fn next(&self) -> Uuid {
        next_id()
    }
}

/// The codes of a list, one after the other, and then new ones.
#[derive(Default)]
struct Codes {
    first: Vec<&'static str>,
    drawn: AtomicUsize,
}

impl InviteCodeGenerator for Codes {
    fn code(&self) -> InviteCode {
        let n = self.drawn.fetch_add(1, Ordering::Relaxed);
        if let Some(text) = self.first.get(n) {
            return code(text);
        }
        let number = usize::try_from(next_id().as_u128()).expect("small");
        InviteCode::from_indices([30, number / 29_791, number / 961, number / 31, number, 30])
    }
}

fn a_planner(organization: OrgId) -> Planner {
    Planner {
        organization,
        settings: RosterSettings { time_zone: Tz::UTC, reporting_grace_days: 14 },
        is_confirmed: false,
        now: at(200),
        invitation_lifespan: TimeDelta::days(30),
        ids: Arc::new(Ids),
        codes: Arc::new(Codes::default()),
    }
}

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

    // --- What is there ---

    /// An import that is queued.
    async fn queued(&self, new: NewImport) -> ImportId {
        let audit = import_audit(self.staff, &new);
        self.imports.add(new, JobId::new(next_id()), Some(audit)).await.expect("added").0.id
    }

    fn new_import(&self, file: &str) -> NewImport {
        an_import(self.organization, file)
    }

    /// The run of a new import.
    async fn begun(&self, file: &str) -> RunLease {
        let import = self.queued(self.new_import(file)).await;
        self.begin(import).await
    }

    async fn begun_dry(&self) -> RunLease {
        let import = self.queued(NewImport { dry_run: true, ..self.new_import("dry.csv") }).await;
        self.begin(import).await
    }

    async fn begin(&self, import: ImportId) -> RunLease {
        let run = next_id();
        let begun = self.imports.begin(import, run, at(150)).await.expect("asked");
        assert!(matches!(begun, Begun::Now(_)), "{begun:?}");
        RunLease { import, run }
    }

    /// Somebody on the roster, changed as it says.
    async fn given(&self, invite_code: &str, change: impl FnOnce(&mut Membership)) -> Membership {
        let mut new = a_membership(self.staff, self.organization, invite_code);
        change(&mut new.membership);
        self.ports.given_membership(new).await.membership
    }

    /// The same, who has an account.
    async fn given_active(
        &self,
        invite_code: &str,
        change: impl FnOnce(&mut Membership),
    ) -> (MembershipView, UserId) {
        let id = self.given(invite_code, change).await.id;
        let (user, _) = self.ports.given_member(&format!("user-{invite_code}"), Some(invite_code)).await;
        (self.ports.view(id).await, user.id)
    }

    async fn given_team(&self, text: &str) -> TeamId {
        self.ports.given_team(self.staff, self.organization, text).await
    }

    /// Ends whatever runs, so that the next import may begin.
    async fn end(&self, lease: RunLease) -> Import {
        let end = RunEnd { state: ImportState::Done, trouble: None, warnings: vec![] };
        self.imports.end(lease, end, at(300)).await.expect("asked").expect("it is the run's");
        self.import(lease).await
    }

    // --- What is done ---

    fn planner(&self) -> Arc<Planner> {
        Arc::new(a_planner(self.organization))
    }

    async fn stage(&self, lease: RunLease, lines: Vec<StagedLine>) {
        self.imports.stage(lease, lines).await.expect("asked").expect("it is the run's");
    }

    async fn survey(&self, lease: RunLease, by_number: bool) -> Survey {
        self.imports.survey(lease, by_number).await.expect("asked").expect("it is the run's")
    }

    /// Applies at most so many lines.
    async fn apply(&self, lease: RunLease, limit: i64) -> usize {
        self.imports.apply(lease, self.planner(), limit).await.expect("asked").expect("it is the run's")
    }

    async fn apply_missing(&self, lease: RunLease, by_number: bool, limit: i64) -> usize {
        let applied = self.imports.apply_missing(lease, self.planner(), by_number, limit).await;
        applied.expect("asked").expect("it is the run's")
    }

    /// Stages and applies lines of a new import, which goes on.
    async fn applied(&self, file: &str, lines: Vec<StagedLine>) -> RunLease {
        let lease = self.begun(file).await;
        self.stage(lease, lines).await;
        while self.apply(lease, 100).await > 0 {}
        lease
    }

    /// A whole run of a snapshot, and its end.
    async fn run(&self, file: &str, by_number: bool, lines: Vec<StagedLine>) -> Import {
        let lease = self.begun(file).await;
        self.finish(lease, by_number, lines).await
    }

    async fn finish(&self, lease: RunLease, by_number: bool, lines: Vec<StagedLine>) -> Import {
        self.stage(lease, lines).await;
        self.survey(lease, by_number).await;
        let planner = Arc::new(Planner { is_confirmed: true, ..a_planner(self.organization) });
        for is_missing in [false, true] {
            loop {
                let planner = Arc::clone(&planner);
                let some = if is_missing {
                    self.imports.apply_missing(lease, planner, by_number, 3).await
                } else {
                    self.imports.apply(lease, planner, 3).await
                };
                if some.expect("asked").expect("it is the run's") == 0 {
                    break;
                }
            }
        }
        self.end(lease).await
    }

    // --- What is so then ---

    async fn import(&self, lease: RunLease) -> Import {
        let id = lease.import;
        let found = self.imports.find(self.organization, id, 0).await.expect("looked up");
        found.expect("there is one").0
    }

    /// The whole report.
    async fn rows(&self, import: ImportId) -> Vec<ReportRow> {
        let rows = self.imports.report(self.organization, import, 0, 1000).await.expect("a report");
        rows.expect("there is the import")
    }

    /// Line, action, person and codes of problems of each row of the report.
    async fn report(&self, lease: RunLease) -> Vec<(i64, RowAction, Option<MembershipId>, String)> {
        let rows = self.rows(lease.import).await;
        let places: Vec<i64> = rows.iter().map(|row| row.position).collect();
        assert_eq!(places, (1..=rows.len()).map(|n| i64::try_from(n).expect("small")).collect::<Vec<_>>());
        let codes = |problems: &[RosterProblem]| {
            problems.iter().map(|problem| problem.code.as_ref()).collect::<Vec<_>>().join(" ")
        };
        rows.into_iter()
            .map(|row| (row.line.unwrap_or(0), row.action, row.membership, codes(&row.problems)))
            .collect()
    }

    async fn actions(&self, lease: RunLease) -> Vec<RowAction> {
        self.report(lease).await.into_iter().map(|row| row.1).collect()
    }

    async fn by_number(&self, number: &str) -> MembershipView {
        let sql = format!(
            "SELECT id FROM memberships WHERE external_id = '{number}' AND organization_id = '{}'",
            self.organization
        );
        let rows = self.db.rows(&sql);
        let [row] = &rows[..] else { panic!("one {number} but {rows:?}") };
        let id = Uuid::parse_str(row.trim_matches(['(', ')'])).expect("an id");
        self.ports.view(MembershipId::new(id)).await
    }

    /// Everything but what imports note of themselves.
    fn roster(&self) -> Vec<String> {
        let mut rows = everything(&self.db);
        rows.retain(|row| {
            !["(imports,", "(import_rows,", "(roster_stage,"].iter().any(|table| row.starts_with(table))
        });
        rows
    }

    /// Shows that nothing is taken of a run, in whatever it tries.
    async fn has_lost(&self, lease: RunLease) {
        let before = everything(&self.db);
        let end = RunEnd { state: ImportState::Done, trouble: None, warnings: vec![] };
        assert_eq!(self.imports.stage(lease, vec![said(99, "N-99", |_| {})]).await.expect("asked"), None);
        assert_eq!(self.imports.survey(lease, true).await.expect("asked"), None);
        assert_eq!(self.imports.apply(lease, self.planner(), 9).await.expect("asked"), None);
        let missing = self.imports.apply_missing(lease, self.planner(), true, 9).await;
        assert_eq!(missing.expect("asked"), None);
        assert_eq!(self.imports.end(lease, end, at(300)).await.expect("asked"), None);
        assert_eq!(everything(&self.db), before);
    }
}

// --- Lines -------------------------------------------------------------------------------------------------------

fn number(text: &str) -> Option<ExternalId> {
    ExternalId::parse(text).ok()
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("an address")
}

fn title(text: &str) -> Option<JobTitle> {
    JobTitle::parse(text).ok()
}

fn a_row(line: i64, key: RowKey) -> RosterRow {
    RosterRow {
        line: line.unsigned_abs(),
        key,
        first_name: name("Ann"),
        last_name: name("Lee"),
        email: None,
        job_title: None,
        team: None,
        org_admin: None,
        team_admin: None,
        hired_on: None,
        status: None,
    }
}

fn address_of(row: &RosterRow) -> Option<String> {
    row.email.as_ref().map(|email| email.as_str().to_owned())
}

/// A line about the person with this number, who is called Ann Lee unless it says more.
fn said(line: i64, number: &str, change: impl FnOnce(&mut RosterRow)) -> StagedLine {
    let mut row = a_row(line, RowKey::ExternalId(ExternalId::from_stored(number.to_owned())));
    change(&mut row);
    StagedLine { line, key: Some(number.to_owned()), address: address_of(&row), row: Ok(Box::new(row)) }
}

/// The same in a file without numbers.
fn said_of_address(line: i64, address: &str, change: impl FnOnce(&mut RosterRow)) -> StagedLine {
    let mut row = a_row(line, RowKey::Email(email(address)));
    row.email = Some(email(address));
    change(&mut row);
    StagedLine { line, key: Some(address.to_owned()), address: address_of(&row), row: Ok(Box::new(row)) }
}

fn a_problem(line: i64, value: &str) -> RosterProblem {
    RosterProblem {
        line: line.unsigned_abs(),
        column: "hired_on".into(),
        code: "invalid".into(),
        message: "must be a date".into(),
        value: value.into(),
    }
}

fn bad(line: i64, key: Option<&str>) -> StagedLine {
    StagedLine { line, key: key.map(str::to_owned), address: None, row: Err(vec![a_problem(line, "x")]) }
}

fn gone(row: &mut RosterRow) {
    row.status = Some(WantedStatus::Deactivated);
}

// --- Beginning ---------------------------------------------------------------------------------------------------

#[tokio::test]
async fn what_is_queued_begins_and_runs() {
    let world = World::new().await;
    let id = world.queued(world.new_import("a.csv")).await;
    let begun = world.imports.begin(id, next_id(), at(150)).await.expect("asked");
    let Begun::Now(begun) = begun else { panic!("{begun:?}") };
    let stored = world.import(RunLease { import: id, run: Uuid::nil() }).await;
    assert_eq!((stored.state, stored.started_at), (ImportState::Running, Some(at(150))));
    assert_eq!(Import { state: begun.state, started_at: begun.started_at, ..stored }, *begun);
}

#[tokio::test]
async fn of_one_organization_one_runs_at_a_time_in_the_order_of_their_making() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for (n, minutes) in [2, 1, 2, 0].into_iter().enumerate() {
        let new = NewImport { at: at(100 + minutes), ..world.new_import(&format!("{n}.csv")) };
        ids.push(world.queued(NewImport { dry_run: n == 1, ..new }).await);
    }
    let south = world.ports.given_organization(world.staff, "South").await;
    let elsewhere = world.queued(NewImport { at: at(999), ..an_import(south, "0.csv") }).await;
    world.begin(elsewhere).await;
    for (place, next) in [3, 1, 0, 2].into_iter().enumerate() {
        let before = everything(&world.db);
        for later in [3, 1, 0, 2].into_iter().skip(place + 1) {
            let begun = world.imports.begin(ids[later], next_id(), at(150)).await.expect("asked");
            assert_eq!(begun, Begun::Later, "{later} before {next}");
        }
        assert_eq!(everything(&world.db), before);
        let lease = world.begin(ids[next]).await;
        for later in [3, 1, 0, 2].into_iter().skip(place + 1) {
            let begun = world.imports.begin(ids[later], next_id(), at(150)).await.expect("asked");
            assert_eq!(begun, Begun::Later, "{later} beside {next}");
        }
        // One that is held lets others pass.
        let state = if place == 0 { ImportState::Held } else { ImportState::Done };
        let end = RunEnd { state, trouble: None, warnings: vec![] };
        world.imports.end(lease, end, at(160)).await.expect("asked").expect("it is the run's");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_begin_at_once_the_earlier_one_does() {
    for is_in_order in [true, false] {
        let world = World::new().await;
        let earlier = world.queued(world.new_import("a.csv")).await;
        let later = world.queued(NewImport { at: at(101), ..world.new_import("b.csv") }).await;
        let (first, second) = (Arc::clone(&world.imports), Arc::clone(&world.imports));
        let lock = Lock::take(&world.db, "SELECT FROM organizations FOR UPDATE");
        let (first, second) = in_order(
            &world.db,
            lock,
            is_in_order,
            async move { first.begin(earlier, next_id(), at(150)).await.expect("asked") },
            async move { second.begin(later, next_id(), at(150)).await.expect("asked") },
        )
        .await;
        assert!(matches!((&first, &second), (Begun::Now(_), Begun::Later)), "{first:?} {second:?}");
        assert_eq!(count(&world.db, "imports WHERE state = 'running'"), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_runs_of_one_import_at_once_one_has_it_in_the_end() {
    let world = World::new().await;
    let id = world.queued(world.new_import("a.csv")).await;
    let runs: Vec<Uuid> = (0..6).map(|_| next_id()).collect();
    let begins = runs.iter().copied().map(|run| {
        let imports = Arc::clone(&world.imports);
        async move { imports.begin(id, run, at(150)).await.expect("asked") }
    });
    for begun in all_at_once(begins).await {
        assert!(matches!(begun, Begun::Now(_)), "{begun:?}");
    }
    let mut owners = 0;
    for run in runs {
        let staged = world.imports.stage(RunLease { import: id, run }, vec![]).await.expect("asked");
        owners += usize::from(staged.is_some());
    }
    assert_eq!(owners, 1);
}

#[tokio::test]
async fn what_has_ended_or_does_not_wait_for_a_worker_is_over() {
    let world = World::new().await;
    let mut ids = vec![ImportId::new(next_id())];
    for state in ImportState::ALL {
        if matches!(state, ImportState::Queued | ImportState::Running) {
            continue;
        }
        let id = world.queued(world.new_import(&format!("{}.csv", state.as_str()))).await;
        let finished = if state.has_ended() { "now()" } else { "NULL" };
        let state = state.as_str();
        world.db.execute(&format!(
            "UPDATE imports SET state = '{state}', finished_at = {finished} WHERE id = '{id}'"
        ));
        ids.push(id);
    }
    let before = everything(&world.db);
    for id in ids {
        assert_eq!(world.imports.begin(id, next_id(), at(150)).await.expect("asked"), Begun::Over);
    }
    assert_eq!(everything(&world.db), before);
}

#[tokio::test]
async fn who_takes_over_drops_what_was_staged_keeps_what_was_applied_and_nothing_more_is_taken_of_the_other()
{
    let world = World::new().await;
    let first = world.begun("a.csv").await;
    world.stage(first, vec![said(2, "N-2", |_| {}), said(3, "N-3", |_| {})]).await;
    assert_eq!(world.apply(first, 1).await, 1);
    let before = world.import(first).await;
    let run = next_id();
    let begun = world.imports.begin(first.import, run, at(170)).await.expect("asked");
    assert_eq!(begun, Begun::Now(Box::new(before.clone())));
    assert_eq!(world.import(first).await, before, "it has begun before, and keeps its counts");
    assert_eq!((count(&world.db, "roster_stage"), count(&world.db, "memberships")), (0, 1));
    world.has_lost(first).await;
    let second = RunLease { run, ..first };
    world.stage(second, vec![said(2, "N-2", |_| {}), said(3, "N-3", |_| {})]).await;
    world.has_lost(first).await;
    assert_eq!((world.apply(second, 9).await, world.apply(second, 9).await), (1, 0));
    assert_eq!(world.actions(second).await, [Created; 2]);
    world.end(second).await;
    world.has_lost(first).await;
    world.has_lost(second).await;
    world.has_lost(RunLease { import: ImportId::new(next_id()), run }).await;
}

#[tokio::test]
async fn who_confirms_a_held_import_has_its_trouble_forgotten_when_it_begins() {
    let world = World::new().await;
    let lease = world.begun("a.csv").await;
    let trouble = ImportTrouble { code: "last_org_admin".into(), message: "Nobody.".into() };
    let end = RunEnd { state: ImportState::Held, trouble: Some(trouble), warnings: vec![] };
    world.imports.end(lease, end, at(160)).await.expect("asked").expect("it is the run's");
    world.db.execute("UPDATE imports SET state = 'queued'");
    let again = world.begin(lease.import).await;
    let import = world.import(again).await;
    assert_eq!((import.trouble, import.started_at), (None, Some(at(150))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_cancelled_between_or_within_two_batches_has_lost_it() {
    for is_in_order in [true, false] {
        let world = World::new().await;
        let lease = world.begun("a.csv").await;
        world.stage(lease, vec![said(2, "N-2", |_| {}), said(3, "N-3", |_| {})]).await;
        let subject = AuditSubject::Import(lease.import);
        let audit = an_audit(world.staff, "import.cancel", Some(world.organization), subject);
        let (cancelling, applying) = (Arc::clone(&world.imports), Arc::clone(&world.imports));
        let (organization, planner) = (world.organization, world.planner());
        let edit = Box::new(move |import: &mut Import| {
            import.state = ImportState::Cancelled;
            import.finished_at = Some(at(210));
            Ok(Some(audit))
        });
        let lock = Lock::take(&world.db, "SELECT FROM imports FOR UPDATE");
        let (cancelled, applied) = in_order(
            &world.db,
            lock,
            is_in_order,
            async move { cancelling.update(organization, lease.import, JobId::new(next_id()), edit).await },
            async move { applying.apply(lease, planner, 1).await },
        )
        .await;
        assert_eq!(cancelled.expect("cancels").state, ImportState::Cancelled);
        assert_eq!(applied.expect("asked"), (!is_in_order).then_some(1));
        assert_eq!(count(&world.db, "memberships"), usize::from(!is_in_order), "what was applied stays");
        world.has_lost(lease).await;
        let again = world.imports.begin(lease.import, next_id(), at(220)).await.expect("asked");
        assert_eq!(again, Begun::Over);
    }
}

// --- Staging -----------------------------------------------------------------------------------------------------

const ODD: [&str; 26] = [
    "O\"Brien",
    "\"",
    "\"\"",
    "a,b",
    ",",
    "a;b\tc",
    "a\nb",
    "a\r\nb",
    "\r",
    "\\.",
    "\\",
    "\\N",
    "\\\"",
    "\\n",
    "NULL",
    "null",
    "  leading",
    "trailing  ",
    "'; DROP TABLE users; --",
    "{}",
    "$1",
    "漢字 🚚 Zoë",
    "\u{feff}x",
    "x\u{85}\u{200b}y",
    "=1+1",
    "true",
];

#[tokio::test]
async fn odd_values_are_staged_as_they_are_and_none_becomes_nothing() {
    let world = World::new().await;
    let lease = world.begun("a.csv").await;
    let lines = (2..).zip(ODD).map(|(line, odd)| {
        said(line, odd, |row| {
            row.first_name = PersonName::from_stored(odd.to_owned());
            row.last_name = PersonName::from_stored(odd.to_owned());
            row.email = Some(EmailAddress::from_stored(odd.to_owned()));
            row.job_title = Some(JobTitle::from_stored(odd.to_owned()));
            row.team = Some(odd.to_owned());
        })
    });
    world.stage(lease, lines.collect()).await;
    let staged = world.ports.json("SELECT to_jsonb(s) AS value FROM roster_stage s ORDER BY line").await;
    assert_eq!(staged.len(), ODD.len());
    for ((line, odd), row) in (2..).zip(ODD).zip(&staged) {
        let expected = json!({
            "line": line, "import_id": lease.import.to_string(), "key": odd, "problems": null, "external_id": odd,
            "email": odd, "first_name": odd, "last_name": odd, "job_title": odd, "team": odd, "org_admin": null,
            "team_admin": null, "hired_on": null, "status": null,
        });
        assert_eq!(row, &expected);
    }
}

#[tokio::test]
async fn what_a_line_does_not_say_is_nothing_and_the_rest_is_what_it_says() {
    let world = World::new().await;
    let lease = world.begun("a.csv").await;
    let full = |row: &mut RosterRow| {
        row.email = Some(email("ann@example.org"));
        row.job_title = title("Picker");
        row.team = Some("Dock".into());
        row.org_admin = Some(false);
        row.team_admin = Some(true);
        row.hired_on = NaiveDate::from_ymd_opt(1900, 2, 3);
        row.status = Some(WantedStatus::Active);
    };
    world.stage(lease, vec![]).await;
    world.stage(lease, vec![said(2, "N-2", |_| {}), said(3, "N-3", full)]).await;
    world.stage(lease, vec![said_of_address(4, "bo@example.org", gone), bad(5, None)]).await;
    let staged = world
        .ports
        .json(
            "SELECT jsonb_strip_nulls(to_jsonb(s) - 'import_id') AS value FROM roster_stage s ORDER BY line",
        )
        .await;
    let names = |mut value: Value| {
        value["first_name"] = "Ann".into();
        value["last_name"] = "Lee".into();
        value
    };
    let problem =
        json!({ "column": "hired_on", "code": "invalid", "message": "must be a date", "value": "x" });
    assert_eq!(
        staged,
        [
            names(json!({ "line": 2, "key": "N-2", "external_id": "N-2" })),
            names(json!({
                "line": 3, "key": "N-3", "external_id": "N-3", "email": "ann@example.org", "job_title": "Picker",
                "team": "Dock", "org_admin": false, "team_admin": true, "hired_on": "1900-02-03", "status": "active",
            })),
            names(json!({
                "line": 4, "key": "bo@example.org", "email": "bo@example.org", "status": "deactivated",
            })),
            json!({ "line": 5, "problems": [problem] }),
        ]
    );
}

#[tokio::test]
async fn odd_values_come_out_as_they_went_in() {
    let world = World::new().await;
    let lines = (2..).zip(ODD).map(|(line, odd)| {
        said(line, odd, |row| {
            row.first_name = PersonName::from_stored(odd.to_owned());
            row.last_name = PersonName::from_stored(odd.to_owned());
            row.email = Some(EmailAddress::from_stored(odd.to_owned()));
            row.job_title = Some(JobTitle::from_stored(odd.to_owned()));
            row.team = Some(odd.to_owned());
        })
    });
    let lease = world.applied("a.csv", lines.collect()).await;
    for ((line, action, membership, _), odd) in world.report(lease).await.into_iter().zip(ODD) {
        assert_eq!(action, Created, "line {line}");
        let made = world.ports.view(membership.expect("somebody")).await.membership;
        let values = [
            made.external_id.as_ref().map(ExternalId::as_str),
            Some(made.first_name.as_str()),
            Some(made.last_name.as_str()),
            made.email.as_ref().map(EmailAddress::as_str),
            made.job_title.as_ref().map(JobTitle::as_str),
        ];
        assert_eq!(values, [Some(odd); 5]);
        let team = world.ports.team_queries.find(made.teams[0]).await.expect("looked up").expect("a team");
        // `NULL` and `null` are one team.
        assert_eq!(team.name.as_str().to_lowercase(), odd.to_lowercase());
    }
}

#[tokio::test]
async fn lines_that_are_rejected_keep_their_problems_and_a_key_only_if_they_had_one() {
    let world = World::new().await;
    let mut expected = Vec::new();
    let mut lines = Vec::new();
    for (n, odd) in ODD.iter().enumerate() {
        let line = i64::try_from(n).expect("small") + 2;
        let of_all =
            RosterProblem { line: line.unsigned_abs(), column: String::new(), ..a_problem(line, "") };
        let problems = vec![a_problem(line, odd), of_all];
        let key = (n % 2 == 0).then(|| (*odd).to_owned());
        lines.push(StagedLine { line, key: key.clone(), address: None, row: Err(problems.clone()) });
        expected.push((Some(line), key, problems));
    }
    let lease = world.applied("a.csv", lines).await;
    let rows = world.rows(lease.import).await;
    assert!(rows.iter().all(|row| row.action == Rejected && row.membership.is_none()));
    let told: Vec<_> = rows.into_iter().map(|row| (row.line, row.key, row.problems)).collect();
    assert_eq!(told, expected);
    let import = world.import(lease).await;
    assert_eq!((import.counts.rejected, import.errors_total), (26, 52));
    assert_eq!(count(&world.db, "memberships"), 0);
}

// --- Surveying ---------------------------------------------------------------------------------------------------

#[tokio::test]
async fn of_lines_about_the_same_person_the_last_good_one_counts() {
    for by_number in [true, false] {
        let world = World::new().await;
        let lease = world.begun("a.csv").await;
        let key = |n: u32| if by_number { format!("N-{n}") } else { format!("e{n}@example.org") };
        let good = |line: i64, n: u32, first: &str| {
            let change = |row: &mut RosterRow| row.first_name = name(first);
            if by_number { said(line, &key(n), change) } else { said_of_address(line, &key(n), change) }
        };
        world.stage(lease, vec![good(2, 1, "First"), good(3, 1, "Second"), bad(4, None)]).await;
        world.stage(lease, vec![good(5, 2, "Other"), bad(6, Some(&key(1))), good(7, 1, "Third")]).await;
        world.stage(lease, vec![bad(8, Some(&key(1))), bad(9, Some(&key(2))), bad(10, None)]).await;
        // Another import has lines of its own.
        world.db.execute(&format!(
            "INSERT INTO roster_stage (line, import_id, key) VALUES (99, '{}', '{}')",
            next_id(),
            key(1)
        ));
        for _ in 0..2 {
            world.survey(lease, by_number).await;
            assert_eq!(world.import(lease).await.counts.rows, 9);
        }
        while world.apply(lease, 2).await > 0 {}
        let report = world.report(lease).await;
        let told: Vec<(i64, &str)> = report.iter().map(|row| (row.0, row.3.as_str())).collect();
        let twice = "duplicate_in_file";
        let invalid = "invalid";
        assert_eq!(
            told,
            [
                (2, twice),
                (3, twice),
                (4, invalid),
                (5, ""),
                (6, invalid),
                (7, ""),
                (8, invalid),
                (9, invalid),
                (10, invalid)
            ]
        );
        let rows = world.rows(lease.import).await;
        let [problem] = &rows[0].problems[..] else { panic!("one problem") };
        assert_eq!(problem.column, if by_number { "external_id" } else { "email" });
        assert!(problem.message.contains("line 7"), "{}", problem.message);
        assert_eq!((&problem.value, rows[0].key.as_ref()), (&key(1), Some(&key(1))));
        let names = "memberships WHERE first_name IN ('Third', 'Other')";
        assert_eq!((count(&world.db, names), count(&world.db, "memberships")), (2, 2));
    }
}

#[tokio::test]
async fn a_snapshot_with_numbers_is_surveyed() {
    let world = World::new().await;
    // Not present, not counted: who has left, and who is elsewhere.
    let left = world.given("AAAA22", |m| m.external_id = number("N-left")).await;
    world.ports.given_departure(world.staff, left.id, at(50)).await;
    let south = world.ports.given_organization(world.staff, "South").await;
    world.ports.given_org_admin(world.staff, south, "south-admin", "SSSS22").await;
    let people: [(&str, Option<&str>, Option<&str>, bool); 12] = [
        ("AAAA23", Some("N-1"), None, true),
        ("AAAA24", Some("N-2"), None, true),
        ("AAAA25", Some("N-3"), None, true),
        ("AAAA26", Some("N-4"), None, true),
        ("AAAA27", Some("N-5"), None, false),
        ("AAAA28", Some("N-6"), None, false),
        ("AAAA29", None, Some("in@example.org"), false),
        ("AAAA2A", None, Some("out@example.org"), false),
        ("AAAA2B", None, None, false),
        ("AAAA2C", Some("N-9"), Some("in@example.org"), false),
        ("AAAA2D", Some("N-7"), None, false),
        ("AAAA2E", Some("N-8"), None, false),
    ];
    for (invite_code, external_id, address, is_admin) in people {
        let change = |m: &mut Membership| {
            m.external_id = external_id.and_then(number);
            m.email = address.map(email);
            m.org_admin = is_admin;
        };
        if is_admin {
            world.given_active(invite_code, change).await;
        } else {
            world.given(invite_code, change).await;
        }
    }
    // Runs nothing yet.
    world.db.execute("UPDATE memberships SET org_admin = true WHERE external_id = 'N-5'");
    let lease = world.begun("a.csv").await;
    let lines = vec![
        said(2, "N-1", |_| {}),
        said(3, "N-2", |row| row.org_admin = Some(false)),
        said(4, "N-3", gone),
        // E-4 is not in the file.
        said(5, "N-5", |_| {}),
        bad(6, Some("N-6")),
        said(7, "N-new", |row| row.email = Some(email("in@example.org"))),
        said(8, "N-7", gone),
        said(9, "N-7", |_| {}),
        said(10, "N-8", |_| {}),
        said(11, "N-8", gone),
        bad(12, Some("N-8")),
        bad(13, None),
        bad(14, None),
        said(15, "N-left", gone),
    ];
    world.stage(lease, lines).await;
    // Leave: E-3, E-4, who is out, who has nothing, E-9 and E-8.
    let expected =
        Survey { present: 12, leaving: 6, org_admins: 4, staying_org_admins: 1, lines_without_key: 2 };
    assert_eq!(world.survey(lease, true).await, expected);
    assert_eq!(world.survey(lease, true).await, expected, "twice is once");
}

#[tokio::test]
async fn who_has_no_number_is_surveyed_by_the_address_even_of_a_bad_line() {
    let world = World::new().await;
    let with = |address: &'static str| {
        move |m: &mut Membership| {
            m.external_id = None;
            m.email = EmailAddress::parse(address).ok();
        }
    };
    world.given("AAAA22", with("bad@example.org")).await;
    world.given("AAAA33", with("gone@example.org")).await;
    world.given("AAAA44", with("missing@example.org")).await;
    let lease = world.begun("a.csv").await;
    let bad = StagedLine { address: Some("bad@example.org".into()), ..bad(2, Some("N-1")) };
    let gone = said(3, "N-2", |row| {
        row.email = EmailAddress::parse("gone@example.org").ok();
        row.status = Some(WantedStatus::Deactivated);
    });
    world.stage(lease, vec![bad, gone]).await;
    let survey = world.survey(lease, true).await;
    assert_eq!((survey.present, survey.leaving), (3, 2), "who is in a bad line stays");
    let missing = world.imports.apply_missing(lease, world.planner(), true, 9).await.expect("asked");
    assert_eq!(missing, Some(1), "the others are in the file");
}

#[tokio::test]
async fn a_snapshot_without_numbers_is_surveyed() {
    let world = World::new().await;
    for (invite_code, address, is_admin) in [
        ("AAAA23", Some("in@example.org"), true),
        ("AAAA24", Some("in@example.org"), false),
        ("AAAA25", Some("out@example.org"), true),
        ("AAAA26", None, false),
        ("AAAA27", Some("gone@example.org"), false),
        ("AAAA28", Some("bad@example.org"), false),
    ] {
        let change = |m: &mut Membership| {
            m.email = address.map(email);
            m.org_admin = is_admin;
        };
        if is_admin {
            world.given_active(invite_code, change).await;
        } else {
            world.given(invite_code, change).await;
        }
    }
    let lease = world.begun("a.csv").await;
    let lines = vec![
        said_of_address(2, "in@example.org", |_| {}),
        said_of_address(3, "gone@example.org", gone),
        bad(4, Some("bad@example.org")),
    ];
    world.stage(lease, lines).await;
    let expected =
        Survey { present: 6, leaving: 3, org_admins: 2, staying_org_admins: 1, lines_without_key: 0 };
    assert_eq!(world.survey(lease, false).await, expected);
}

#[tokio::test]
async fn a_file_without_lines_would_let_everybody_go() {
    let world = World::new().await;
    let none = Survey::default();
    let lease = world.begun("a.csv").await;
    assert_eq!(world.survey(lease, true).await, none);
    world.given("AAAA22", |_| {}).await;
    for by_number in [true, false] {
        let expected = Survey { present: 1, leaving: 1, ..none };
        assert_eq!(world.survey(lease, by_number).await, expected);
    }
}

// --- Applying ----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn who_is_new_is_on_the_roster_with_every_column_and_invited() {
    let world = World::new().await;
    let dock = world.given_team("Dock").await;
    let lines = vec![
        said(2, "N-2", |row| {
            row.first_name = name("Zoë");
            row.last_name = name("van Dijk");
            row.email = Some(email("zoe@example.org"));
            row.job_title = title("Crane  Driver");
            row.team = Some("dock".into());
            row.org_admin = Some(true);
            row.team_admin = Some(true);
            row.hired_on = NaiveDate::from_ymd_opt(2024, 2, 29);
            row.status = Some(WantedStatus::Active);
        }),
        said(3, "N-3", |_| {}),
        said_of_address(4, "bo@example.org", |_| {}),
    ];
    let lease = world.applied("a.csv", lines).await;
    let report = world.report(lease).await;
    let ids: Vec<_> = report.iter().map(|row| row.2.expect("somebody")).collect();
    let blank = |id, starts: (i32, u32, u32)| Membership {
        id,
        organization: world.organization,
        user: None,
        external_id: None,
        first_name: name("Ann"),
        last_name: name("Lee"),
        email: None,
        job_title: None,
        org_admin: false,
        status: MembershipStatus::Pending,
        hired_on: None,
        first_seen_at: at(200),
        reporting_starts_on: NaiveDate::from_ymd_opt(starts.0, starts.1, starts.2).expect("a day"),
        deactivated_at: None,
        created_at: at(200),
        updated_at: at(200),
        teams: vec![],
        administered_teams: vec![],
    };
    let expected = [
        Membership {
            external_id: number("N-2"),
            first_name: name("Zoë"),
            last_name: name("van Dijk"),
            email: Some(email("zoe@example.org")),
            job_title: title("Crane Driver"),
            org_admin: true,
            hired_on: NaiveDate::from_ymd_opt(2024, 2, 29),
            teams: vec![dock],
            administered_teams: vec![dock],
            ..blank(ids[0], (2024, 3, 14))
        },
        Membership { external_id: number("N-3"), ..blank(ids[1], (2026, 1, 19)) },
        Membership { email: Some(email("bo@example.org")), ..blank(ids[2], (2026, 1, 19)) },
    ];
    for membership in expected {
        let view = world.ports.view(membership.id).await;
        let invitation = view.invitation.clone().expect("is invited");
        let invited = Invitation {
            organization: world.organization,
            membership: membership.id,
            status: InvitationStatus::Pending,
            expires_at: at(200) + TimeDelta::days(30),
            created_at: at(200),
            ..invitation.clone()
        };
        assert_eq!(invitation, invited);
        let expected =
            MembershipView { membership, invitation: Some(invitation), user: None, training_category: None };
        assert_eq!(view, expected);
    }
    assert_eq!((count(&world.db, "memberships"), count(&world.db, "invitations")), (3, 3));
    assert_eq!(count(&world.db, "memberships WHERE job_title_key = 'crane driver'"), 1);
    let since = format!("team_memberships WHERE joined_at = '{}'", at(200));
    assert_eq!((count(&world.db, &since), count(&world.db, "teams")), (1, 1));
    // The code is good.
    let invite = world.ports.view(ids[1]).await.invitation.expect("is invited").code;
    let (user, _) = world.ports.given_user("a-user").await;
    let taken = world.ports.memberships.accept(&invite, user.id, at(201)).await.expect("the code is good");
    assert_eq!(taken.membership.id, ids[1]);
}

#[tokio::test]
async fn what_a_line_says_of_somebody_who_is_there_is_taken_over_and_the_account_is_left_alone() {
    let world = World::new().await;
    let (before, _) = world.given_active("AAAA22", |m| m.external_id = number("N-2")).await;
    let (other, _) = world.given_active("BBBB22", |_| {}).await;
    let dock = world.given_team("Dock").await;
    let accounts = || {
        let mut rows = everything(&world.db);
        rows.retain(|row| {
            ["(users,", "(sessions,", "(invitations,"].iter().any(|table| row.starts_with(table))
        });
        rows.extend(
            world.db.rows("SELECT id, account_first_name, account_last_name FROM memberships ORDER BY id"),
        );
        rows
    };
    let (untouched, audited) = (accounts(), world.ports.audit_rows().await.len());
    let lines = vec![said(2, "N-2", |row| {
        row.first_name = name("Zoë");
        row.last_name = name("van Dijk");
        row.email = Some(email("zoe@example.org"));
        row.job_title = title("Crane driver");
        row.team = Some("DOCK".into());
        row.org_admin = Some(true);
        row.team_admin = Some(true);
        row.hired_on = NaiveDate::from_ymd_opt(2024, 2, 29);
    })];
    let lease = world.applied("a.csv", lines).await;
    assert_eq!(world.report(lease).await, [(2, Updated, Some(before.membership.id), String::new())]);
    let membership = Membership {
        first_name: name("Zoë"),
        last_name: name("van Dijk"),
        email: Some(email("zoe@example.org")),
        job_title: title("Crane driver"),
        org_admin: true,
        hired_on: NaiveDate::from_ymd_opt(2024, 2, 29),
        reporting_starts_on: NaiveDate::from_ymd_opt(2024, 3, 14).expect("a day"),
        updated_at: at(200),
        teams: vec![dock],
        administered_teams: vec![dock],
        ..before.membership.clone()
    };
    assert_eq!(world.ports.view(before.membership.id).await, MembershipView { membership, ..before });
    assert_eq!(world.ports.view(other.membership.id).await, other);
    assert_eq!(accounts(), untouched);
    assert_eq!(count(&world.db, "memberships WHERE job_title_key = 'crane driver'"), 1);
    assert_eq!(world.ports.audit_rows().await.len(), audited + 1, "the import's own");
}

#[tokio::test]
async fn who_has_no_number_yet_is_found_by_the_address_and_gets_it() {
    let world = World::new().await;
    let nameless = |m: &mut Membership| {
        m.external_id = None;
        m.email = Some(email("ann@example.org"));
    };
    let before = world.given("AAAA22", nameless).await;
    let lines = vec![
        said(2, "N-2", |row| row.email = Some(email("ann@example.org"))),
        said(3, "N-3", |row| row.email = Some(email("ann@example.org"))),
    ];
    let lease = world.applied("a.csv", lines).await;
    assert_eq!(world.actions(lease).await, [Updated, Created]);
    let expected = Membership { external_id: number("N-2"), updated_at: at(200), ..before.clone() };
    assert_eq!(world.ports.view(before.id).await.membership, expected);
}

#[tokio::test]
async fn what_is_so_already_is_not_written() {
    let world = World::new().await;
    let dock = world.given_team("Dock").await;
    world
        .given("AAAA22", |m| {
            m.external_id = number("N-2");
            m.teams = vec![dock];
        })
        .await;
    let (left, _) = world.given_active("BBBB22", |m| m.external_id = number("N-3")).await;
    world.ports.given_departure(world.staff, left.membership.id, at(50)).await;
    let lease = world.begun("a.csv").await;
    let before = world.roster();
    let lines = vec![
        said(2, "N-2", |row| {
            row.email = Some(email("ann.lee@example.org"));
            row.team = Some("DOCK".into());
            row.org_admin = Some(false);
            row.team_admin = Some(false);
            row.hired_on = NaiveDate::from_ymd_opt(2025, 12, 1);
        }),
        said(3, "N-3", gone),
        said(4, "N-nobody", gone),
    ];
    world.stage(lease, lines).await;
    assert_eq!(world.apply(lease, 9).await, 3);
    assert_eq!(world.roster(), before);
    let rows = world.rows(lease.import).await;
    assert!(rows.iter().all(|row| row.action == Unchanged));
    assert_eq!(rows[1].membership, Some(left.membership.id));
    assert_eq!((rows[2].membership, rows[2].key.as_deref()), (None, Some("N-nobody")));
}

#[tokio::test]
async fn a_team_is_made_once_however_it_is_spelled() {
    let world = World::new().await;
    let arzte = world.given_team("ÄRZTE").await;
    let street = world.given_team("ΟΔΟΣ").await;
    let gone = world.given_team("Yard").await;
    world.db.execute(&format!("UPDATE teams SET deleted_at = now() WHERE id = '{gone}'"));
    let south = world.ports.given_organization(world.staff, "South").await;
    world.ports.given_team(world.staff, south, "Yard").await;
    let on = |line: i64, team: &'static str| {
        said(line, &format!("N-{line}"), move |row| row.team = Some(team.into()))
    };
    let lease = world.begun("a.csv").await;
    let names = [
        "Yard", "YARD", "ärzte", "ÄrZTE", "Οδος", "ΟΔΟΣ", "yard", "İzmir", "i̇zmir", "İZMIR", "ΣΑΣ", "σας",
        "σασ", "Σας",
    ];
    let lines = (2..).zip(names).map(|(line, team)| on(line, team)).collect();
    world.stage(lease, lines).await;
    while world.apply(lease, 5).await > 0 {}
    let mut teams = Vec::new();
    for (_, action, membership, codes) in world.report(lease).await {
        assert_eq!((action, codes.as_str()), (Created, ""));
        let made = world.ports.view(membership.expect("somebody")).await.membership;
        assert_eq!(made.teams.len(), 1);
        teams.push(made.teams[0]);
    }
    assert_eq!(teams[1], teams[0]);
    assert_eq!(teams[6], teams[0]);
    assert_ne!(teams[0], gone);
    let team = world.ports.team_queries.find(teams[0]).await.expect("looked up").expect("a team");
    assert_eq!((team.name.as_str(), team.organization), ("Yard", world.organization));
    assert_eq!((team.created_at, team.updated_at, team.deleted_at), (at(200), at(200), None));
    assert_eq!(teams[2], arzte);
    assert_eq!(teams[5], street);
    let unique =
        "SELECT lower(name) FROM teams WHERE deleted_at IS NULL GROUP BY organization_id, lower(name)";
    assert_eq!(world.db.rows(unique).len(), count(&world.db, "teams WHERE deleted_at IS NULL"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_that_somebody_makes_meanwhile_is_the_one() {
    let world = World::new().await;
    let lease = world.begun("a.csv").await;
    let lines = vec![said(2, "N-2", |row| {
        row.team = Some("yard".into());
        row.team_admin = Some(true);
    })];
    world.stage(lease, lines).await;
    let team = next_id();
    let lock = Lock::take(
        &world.db,
        &format!(
            "INSERT INTO teams (id, organization_id, name, created_at, updated_at) VALUES ('{team}', '{}', 'Yard', now(), now())",
            world.organization
        ),
    );
    let (imports, planner) = (Arc::clone(&world.imports), world.planner());
    let applying = tokio::spawn(async move { imports.apply(lease, planner, 9).await });
    until_waiting(&world.db, 1).await;
    lock.release();
    assert_eq!(applying.await.expect("no panic").expect("asked"), Some(1));
    let made = world.by_number("N-2").await.membership;
    let team = vec![TeamId::new(team)];
    assert_eq!((made.teams, made.administered_teams), (team.clone(), team));
    assert_eq!(count(&world.db, "teams"), 1);
}

#[tokio::test]
async fn a_team_takes_the_place_of_others_and_a_say_is_given_and_taken() {
    let world = World::new().await;
    let [dock, yard] = [world.given_team("Dock").await, world.given_team("Yard").await];
    let both = |number_text: &'static str| {
        move |m: &mut Membership| {
            m.external_id = number(number_text);
            m.teams = vec![dock, yard];
            m.administered_teams = vec![dock, yard];
        }
    };
    let mut ids = Vec::new();
    for (invite_code, number) in [("AAAA22", "N-2"), ("BBBB22", "N-3"), ("CCCC22", "N-4"), ("DDDD22", "N-5")]
    {
        ids.push(world.given(invite_code, both(number)).await.id);
    }
    let to = |line, number: &str, team: &'static str, team_admin| {
        said(line, number, move |row| {
            row.team = Some(team.into());
            row.team_admin = team_admin;
        })
    };
    let lines = vec![
        to(2, "N-2", "Dock", None),
        to(3, "N-3", "Dock", Some(false)),
        to(4, "N-4", "Gate", Some(true)),
        said(5, "N-5", |row| row.team_admin = Some(false)),
    ];
    let lease = world.applied("a.csv", lines).await;
    assert_eq!(world.actions(lease).await, [Updated, Updated, Updated, Unchanged]);
    let mut teams = Vec::new();
    for id in &ids {
        let membership = world.ports.view(*id).await.membership;
        teams.push((membership.teams, membership.administered_teams));
    }
    let gate = teams[2].0[0];
    assert_eq!(teams[0], (vec![dock], vec![dock, yard]));
    assert_eq!(teams[1], (vec![dock], vec![yard]));
    assert_eq!(teams[2], (vec![gate], vec![dock, yard, gate]));
    assert_eq!(teams[3], (vec![dock, yard], vec![dock, yard]));
    let since = |table: &str, column: &str, team: TeamId, minutes| {
        count(&world.db, &format!("{table} WHERE team_id = '{team}' AND {column} = '{}'", at(minutes)))
    };
    assert_eq!(since("team_memberships", "joined_at", dock, 20), 3, "who stays keeps the day of joining");
    assert_eq!(since("team_memberships", "joined_at", gate, 200), 1);
    assert_eq!(since("team_admins", "created_at", gate, 200), 1);
    assert_eq!(since("team_admins", "created_at", yard, 20), 4);
}

/// An assignment of a course to a member who has an account.
fn given_assignment(db: &TestDatabase, member: MembershipId, course: CourseId, state: &str) -> Uuid {
    let (id, version) = (next_id(), next_id());
    db.execute(&format!(
        "INSERT INTO course_versions (id, course_id, number, status, data, created_by, created_at, updated_at, published_at) \
         SELECT '{version}', '{course}', 1, 'published', '{{}}', u.id, now(), now(), now() FROM users u LIMIT 1 \
         ON CONFLICT DO NOTHING; \
         INSERT INTO assignments (id, organization_id, membership_id, user_id, course_id, course_version_id, state, source, \
            assigned_at, completed_at, updated_at) \
         SELECT '{id}', m.organization_id, m.id, m.user_id, '{course}', v.id, '{state}', 'course_pool', now(), \
            CASE WHEN '{state}' = 'completed' THEN now() END, now() \
         FROM memberships m, course_versions v WHERE m.id = '{member}' AND v.course_id = '{course}'"
    ));
    id
}

fn is_withdrawn(db: &TestDatabase, assignment: Uuid) -> bool {
    let withdrawn = format!(
        "assignments WHERE id = '{assignment}' AND state = 'withdrawn' AND withdrawn_at = '{0}' AND updated_at = '{0}'",
        at(200)
    );
    count(db, &withdrawn) == 1
}

#[tokio::test]
async fn who_leaves_loses_what_leaving_takes() {
    let world = World::new().await;
    let dock = world.given_team("Dock").await;
    let course = given_course(&world.db, None, "Lifting");
    let full = |text: &'static str| {
        move |m: &mut Membership| {
            m.external_id = number(text);
            m.teams = vec![dock];
            m.administered_teams = vec![dock];
            m.org_admin = true;
        }
    };
    let (active, user) = world.given_active("AAAA22", full("N-2")).await;
    let pending = world.given("BBBB22", full("N-3")).await;
    let (other, _) = world.given_active("CCCC22", full("N-4")).await;
    let of_active = |invitation: Option<Invitation>| invitation.map(|invitation| invitation.status);
    let open = given_assignment(&world.db, active.membership.id, course, "in_progress");
    let done = given_assignment(&world.db, active.membership.id, course, "completed");
    let of_other = given_assignment(&world.db, other.membership.id, course, "assigned");
    world.ports.sessions.open(a_session(user, at(31)), 10).await.expect("opens");

    let lines = vec![
        said(2, "N-2", |row| {
            gone(row);
            row.job_title = title("Was a picker");
            row.org_admin = Some(true);
            row.team = Some("Never made".into());
        }),
        said(3, "N-3", gone),
    ];
    let lease = world.applied("a.csv", lines).await;
    assert_eq!(world.actions(lease).await, [Deactivated; 2]);
    let left = |before: &Membership| Membership {
        org_admin: false,
        status: MembershipStatus::Deactivated,
        deactivated_at: Some(at(200)),
        updated_at: at(200),
        administered_teams: vec![],
        ..before.clone()
    };
    let view = world.ports.view(active.membership.id).await;
    let expected = Membership { job_title: title("Was a picker"), ..left(&active.membership) };
    assert_eq!(view.membership, expected, "teams stay, for history");
    assert_eq!(of_active(view.invitation), Some(InvitationStatus::Accepted));
    let view = world.ports.view(pending.id).await;
    assert_eq!(view.membership, left(&pending));
    assert_eq!(of_active(view.invitation), Some(InvitationStatus::Revoked));
    let revoked = format!("invitations WHERE revoked_at = '{}' AND code = 'BBBB22'", at(200));
    assert_eq!(count(&world.db, &revoked), 1);
    assert_eq!(count(&world.db, &format!("sessions WHERE user_id = '{user}'")), 0);
    let withdrawn = [open, done, of_other].map(|id| is_withdrawn(&world.db, id));
    assert_eq!(withdrawn, [true, false, false]);
    assert_eq!(world.ports.view(other.membership.id).await, other);
    assert_eq!(count(&world.db, "sessions"), 1, "others keep theirs");
    assert_eq!(count(&world.db, "teams"), 1);
}

#[tokio::test]
async fn who_belongs_elsewhere_and_staff_stay_signed_in() {
    let world = World::new().await;
    let south = world.ports.given_organization(world.staff, "South").await;
    let (_, both) = world.given_active("AAAA22", |m| m.external_id = number("N-2")).await;
    world.ports.given_membership(a_membership(world.staff, south, "SSSS22")).await;
    world.ports.memberships.accept(&code("SSSS22"), both, at(30)).await.expect("the code is good");
    let (_, employee) = world.given_active("BBBB22", |m| m.external_id = number("N-3")).await;
    world.db.execute(&format!("UPDATE users SET staff_role = 'employee' WHERE id = '{employee}'"));
    let (_, nobody) = world.given_active("CCCC22", |m| m.external_id = number("N-4")).await;
    let lines = vec![said(2, "N-2", gone), said(3, "N-3", gone), said(4, "N-4", gone)];
    let lease = world.applied("a.csv", lines).await;
    assert_eq!(world.actions(lease).await, [Deactivated; 3]);
    let sessions =
        [both, employee, nobody].map(|user| count(&world.db, &format!("sessions WHERE user_id = '{user}'")));
    assert_eq!(sessions, [1, 1, 0]);
}

#[tokio::test]
async fn who_is_back_is_active_at_once_with_an_account_and_else_invited_anew() {
    let world = World::new().await;
    let (with, _) = world.given_active("AAAA22", |m| m.external_id = number("N-2")).await;
    let (without, user) = world.given_active("BBBB22", |m| m.external_id = number("N-3")).await;
    let never = world.given("CCCC22", |m| m.external_id = number("N-4")).await;
    for id in [with.membership.id, without.membership.id, never.id] {
        world.ports.given_departure(world.staff, id, at(50)).await;
    }
    world.ports.users.delete(user, at(60)).await.expect("deletes");
    let dock = world.given_team("Dock").await;
    let back = |row: &mut RosterRow| {
        row.team = Some("Dock".into());
        row.org_admin = Some(true);
    };
    let lines = vec![said(2, "N-2", back), said(3, "N-3", back), said(4, "N-4", back)];
    let lease = world.applied("a.csv", lines).await;
    assert_eq!(world.actions(lease).await, [Reactivated; 3]);
    let is_back = |before: Membership, status| Membership {
        status,
        deactivated_at: None,
        org_admin: true,
        teams: vec![dock],
        updated_at: at(200),
        ..before
    };
    let view = world.ports.view(with.membership.id).await;
    let membership = is_back(with.membership.clone(), MembershipStatus::Active);
    assert_eq!(view, MembershipView { membership, ..with }, "with the account and the accepted invitation");
    for before in [without.membership, never] {
        let view = world.ports.view(before.id).await;
        let expected = Membership { user: None, ..is_back(before, MembershipStatus::Pending) };
        assert_eq!((view.membership, view.user), (expected, None));
        let invitation = view.invitation.expect("is invited");
        assert_eq!((invitation.status, invitation.created_at), (InvitationStatus::Pending, at(200)));
        let all = format!("invitations WHERE membership_id = '{}'", invitation.membership);
        assert_eq!(count(&world.db, &all), 2);
    }
    let names = "memberships WHERE user_id IS NULL AND account_first_name IS NOT NULL";
    assert_eq!(count(&world.db, names), 0, "nothing of an account that is gone");
}

#[tokio::test]
async fn another_job_title_or_team_takes_back_what_is_in_no_list_any_more() {
    let world = World::new().await;
    let [kept, dropped] = ["kept", "dropped"].map(|text| given_course(&world.db, None, text));
    let (staff, organization) = (world.staff, world.organization);
    world.ports.given_category(staff, organization, "Drivers", &["Driver"], &[dropped, kept]).await;
    world.ports.given_category(staff, organization, "Loaders", &["Loader"], &[kept]).await;
    let mut cases = Vec::new();
    for (invite_code, text, course, state, withdrawn) in [
        ("AAAA22", "N-2", dropped, "assigned", true),
        ("BBBB22", "N-3", kept, "assigned", false),
        ("CCCC22", "N-4", dropped, "in_progress", false),
        ("DDDD22", "N-5", dropped, "assigned", false),
    ] {
        let change = |m: &mut Membership| {
            m.external_id = number(text);
            m.job_title = title("Driver");
        };
        let (view, _) = world.given_active(invite_code, change).await;
        cases.push((text, given_assignment(&world.db, view.membership.id, course, state), withdrawn));
    }
    let to =
        |line, number: &str, text: &'static str| said(line, number, move |row| row.job_title = title(text));
    let lines =
        vec![to(2, "N-2", "Loader"), to(3, "N-3", "Loader"), to(4, "N-4", "Loader"), to(5, "N-5", "driver")];
    world.applied("a.csv", lines).await;
    for (text, assignment, withdrawn) in cases {
        assert_eq!(is_withdrawn(&world.db, assignment), withdrawn, "{text}");
    }
}

#[tokio::test]
async fn a_code_that_is_in_use_is_drawn_again() {
    let world = World::new().await;
    world.given("AAAA22", |_| {}).await;
    let left = world.given("BBBB22", |m| m.external_id = number("N-4")).await;
    world.ports.given_departure(world.staff, left.id, at(50)).await;
    let lease = world.begun("a.csv").await;
    world.stage(lease, vec![said(2, "N-2", |_| {}), said(3, "N-3", |_| {}), said(4, "N-4", |_| {})]).await;
    // The plan is made twice, because somebody is touched.
    let first = vec!["CCCC22", "CCCC22", "AAAA22", "CCCC22", "CCCC22", "AAAA22", "AAAA22", "CCCC22"];
    let codes = Arc::new(Codes { first, ..Codes::default() });
    let planner = Arc::new(Planner { codes, ..a_planner(world.organization) });
    let applied = world.imports.apply(lease, planner, 9).await;
    assert_eq!(applied.expect("asked"), Some(3));
    assert_eq!(count(&world.db, "invitations WHERE status = 'pending'"), 4);
    for text in ["N-2", "N-3", "N-4"] {
        let invitation = world.by_number(text).await.invitation.expect("is invited");
        assert_eq!(invitation.status, InvitationStatus::Pending, "{text}");
    }
    let codes = "invitations WHERE status = 'pending' AND code IN ('AAAA22', 'CCCC22')";
    assert_eq!(count(&world.db, codes), 2);
}

#[tokio::test]
async fn whoever_draws_nothing_but_codes_in_use_writes_nothing() {
    let world = World::new().await;
    world.given("AAAA22", |_| {}).await;
    let lease = world.begun("a.csv").await;
    world.stage(lease, vec![said(2, "N-2", |row| row.team = Some("Dock".into()))]).await;
    let before = everything(&world.db);
    let codes = Arc::new(Codes { first: vec!["AAAA22"; 999], ..Codes::default() });
    let planner = Arc::new(Planner { codes, ..a_planner(world.organization) });
    let refused = world.imports.apply(lease, planner, 9).await;
    assert!(matches!(refused, Err(MembershipError::CodeTaken)), "{refused:?}");
    assert_eq!(everything(&world.db), before);
    assert_eq!(world.apply(lease, 9).await, 1, "and may be tried again");
}

#[tokio::test]
async fn what_is_rejected_is_reported_and_stops_no_other_line() {
    let world = World::new().await;
    world
        .given_active("AAAA22", |m| {
            m.external_id = number("N-2");
            m.org_admin = true;
        })
        .await;
    for invite_code in ["BBBB22", "CCCC22"] {
        world.given(invite_code, |m| m.email = Some(email("two@example.org"))).await;
    }
    let before = world.roster();
    let lines = [
        said(2, "N-2", |row| row.org_admin = Some(false)),
        said_of_address(3, "two@example.org", gone),
        bad(4, None),
        said(5, "N-5", |_| {}),
    ];
    let lease = world.begun("a.csv").await;
    world.stage(lease, lines[..3].to_vec()).await;
    let queued = world.roster().len() - before.len();
    assert_eq!((world.apply(lease, 9).await, queued), (3, 2), "the import's own job and audit row");
    assert_eq!(world.roster().len(), before.len() + 2, "nothing is written");
    world.stage(lease, lines[3..].to_vec()).await;
    assert_eq!(world.apply(lease, 9).await, 1);
    let told: Vec<_> = world.report(lease).await.into_iter().map(|row| (row.0, row.1, row.3)).collect();
    let row = |line, action, codes: &str| (line, action, codes.to_owned());
    let expected = [
        row(2, Rejected, "last_org_admin"),
        row(3, Rejected, "ambiguous"),
        row(4, Rejected, "invalid"),
        row(5, Created, ""),
    ];
    assert_eq!(told, expected);
    let import = world.import(lease).await;
    assert_eq!((import.counts.rejected, import.counts.created, import.errors_total), (3, 1, 3));
    assert!(world.by_number("N-2").await.membership.org_admin);
    let keys: Vec<_> = world.rows(lease.import).await;
    let keys: Vec<_> = keys.iter().map(|row| row.key.as_deref()).collect();
    assert_eq!(keys, [Some("N-2"), Some("two@example.org"), None, Some("N-5")]);
    let kept = format!("import_rows WHERE import_id = '{}' AND key IS NOT NULL", lease.import);
    assert_eq!(count(&world.db, &kept), 2, "who is on the roster is named there alone");
}

#[tokio::test]
async fn a_confirmed_import_lets_the_last_admin_go() {
    let world = World::new().await;
    let admin = |m: &mut Membership| {
        m.external_id = number("N-2");
        m.org_admin = true;
    };
    let (admin, _) = world.given_active("AAAA22", admin).await;
    let lease = world.begun("a.csv").await;
    world.stage(lease, vec![said(2, "N-2", gone)]).await;
    let planner = Arc::new(Planner { is_confirmed: true, ..a_planner(world.organization) });
    assert_eq!(world.imports.apply(lease, planner, 9).await.expect("asked"), Some(1));
    let left = world.ports.view(admin.membership.id).await.membership;
    assert_eq!((left.status, left.org_admin), (MembershipStatus::Deactivated, false));
}

/// One member for each thing that may happen, and the lines that make it happen.
async fn one_of_each(world: &World) -> Vec<StagedLine> {
    world.given_active("AAAA22", |m| m.external_id = number("N-updated")).await;
    world.given("BBBB22", |m| m.external_id = number("N-unchanged")).await;
    let left = world.given("CCCC22", |m| m.external_id = number("N-back")).await;
    world.ports.given_departure(world.staff, left.id, at(50)).await;
    world.given_active("DDDD22", |m| m.external_id = number("N-gone")).await;
    world.given("EEEE22", |m| m.external_id = number("N-missing")).await;
    vec![
        said(2, "N-new", |row| row.team = Some("Yard".into())),
        said(3, "N-updated", |row| row.team = Some("Yard".into())),
        said(4, "N-unchanged", |_| {}),
        said(5, "N-back", |_| {}),
        said(6, "N-gone", gone),
        bad(7, Some("N-bad")),
    ]
}

const ONE_OF_EACH: ImportCounts = ImportCounts {
    rows: 6,
    created: 1,
    updated: 1,
    unchanged: 1,
    reactivated: 1,
    deactivated: 2,
    rejected: 1,
};

#[tokio::test]
async fn everything_is_counted_and_reported_in_the_order_of_the_file() {
    let world = World::new().await;
    let lines = one_of_each(&world).await;
    let import = world.run("a.csv", true, lines).await;
    assert_eq!((import.counts, import.errors_total), (ONE_OF_EACH, 1));
    let lease = RunLease { import: import.id, run: Uuid::nil() };
    let told: Vec<_> = world.report(lease).await.into_iter().map(|row| (row.0, row.1)).collect();
    let expected = [
        (2, Created),
        (3, Updated),
        (4, Unchanged),
        (5, Reactivated),
        (6, Deactivated),
        (7, Rejected),
        (0, Deactivated),
    ];
    assert_eq!(told, expected);
    let rows = world.rows(import.id).await;
    let keys: Vec<_> = rows.iter().map(|row| row.key.as_deref().expect("a key")).collect();
    assert_eq!(keys, ["N-new", "N-updated", "N-unchanged", "N-back", "N-gone", "N-bad", "N-missing"]);
    for row in &rows {
        assert_eq!(row.membership.is_some(), row.action != Rejected);
    }
}

#[tokio::test]
async fn a_dry_run_writes_the_report_and_the_counts_and_nothing_else() {
    let world = World::new().await;
    let lines = one_of_each(&world).await;
    let lease = world.begun_dry().await;
    let before = world.roster();
    let import = world.finish(lease, true, lines.clone()).await;
    assert_eq!(world.roster(), before);
    assert_eq!((import.counts, import.errors_total), (ONE_OF_EACH, 1));
    let told = world.rows(import.id).await;
    let real = world.run("a.csv", true, lines).await;
    assert_eq!(real.counts, import.counts, "as it is done then");
    let done = world.rows(real.id).await;
    for (told, mut done) in told.into_iter().zip(done) {
        if done.action == Created {
            // Nobody has this membership yet.
            done.membership = None;
        }
        assert_eq!(told, done);
    }
}

#[tokio::test]
async fn a_batch_goes_on_where_the_last_one_ended() {
    let world = World::new().await;
    let lease = world.begun("a.csv").await;
    let lines = [2, 3, 5, 8, 13, 1000].map(|line| said(line, &format!("N-{line}"), |_| {}));
    world.stage(lease, lines.to_vec()).await;
    for (limit, expected, all) in [(4, 4, 4), (1, 1, 5), (4, 1, 6), (4, 0, 6), (4, 0, 6)] {
        assert_eq!(world.apply(lease, limit).await, expected);
        let counts = world.import(lease).await.counts;
        assert_eq!(
            (counts.created, world.report(lease).await.len()),
            (all, usize::try_from(all).expect("small"))
        );
    }
    let told: Vec<i64> = world.report(lease).await.into_iter().map(|row| row.0).collect();
    assert_eq!(told, [2, 3, 5, 8, 13, 1000]);
}

#[tokio::test]
async fn a_line_that_is_about_the_same_address_as_an_earlier_batch_sees_what_that_made() {
    let world = World::new().await;
    let nameless = |m: &mut Membership| {
        m.external_id = None;
        m.email = Some(email("ann@example.org"));
    };
    let before = world.given("AAAA22", nameless).await;
    let lease = world.begun("a.csv").await;
    let line = |line: i64| {
        said(line, &format!("N-{line}"), |row| {
            row.email = Some(email("ann@example.org"));
            row.team = Some("Yard".into());
        })
    };
    world.stage(lease, vec![line(2), line(3)]).await;
    while world.apply(lease, 1).await > 0 {}
    assert_eq!(world.actions(lease).await, [Updated, Created]);
    assert_eq!(world.ports.view(before.id).await.membership.external_id, number("N-2"));
    assert_eq!((count(&world.db, "teams"), count(&world.db, "memberships")), (1, 2));
}

#[tokio::test]
async fn people_of_other_organizations_with_the_same_numbers_and_addresses_are_left_alone() {
    let world = World::new().await;
    let south = world.ports.given_organization(world.staff, "South").await;
    let yard = world.ports.given_team(world.staff, south, "Yard").await;
    for (invite_code, text) in [("AAAA22", Some("N-2")), ("BBBB22", None), ("CCCC22", Some("N-9"))] {
        let mut new = a_membership(world.staff, south, invite_code);
        new.membership.external_id = text.and_then(number);
        new.membership.email = Some(email("ann@example.org"));
        new.membership.org_admin = true;
        new.membership.teams = vec![yard];
        world.ports.given_membership(new).await;
        world.ports.given_member(&format!("south-{invite_code}"), Some(invite_code)).await;
    }
    world.given("DDDD22", |m| m.external_id = number("N-10")).await;
    let of_south = || {
        let mut rows = world.roster();
        rows.retain(|row| row.contains(&south.to_string()) || row.starts_with("(users,"));
        rows.extend(world.db.rows("SELECT * FROM sessions ORDER BY id"));
        rows
    };
    let before = of_south();
    let lines = vec![
        said(2, "N-2", |row| {
            row.email = Some(email("ann@example.org"));
            row.team = Some("Yard".into());
        }),
        said(3, "N-3", |row| row.email = Some(email("ann@example.org"))),
        said(4, "N-9", gone),
    ];
    let import = world.run("a.csv", true, lines).await;
    let counts =
        ImportCounts { rows: 3, created: 2, unchanged: 1, deactivated: 1, ..ImportCounts::default() };
    assert_eq!(import.counts, counts);
    assert_eq!(of_south(), before);
    assert_ne!(world.by_number("N-2").await.membership.teams, [yard]);
    let import = world
        .run(
            "b.csv",
            false,
            vec![said_of_address(2, "ann@example.org", gone), said_of_address(3, "bo@example.org", |_| {})],
        )
        .await;
    assert_eq!((import.counts.created, import.counts.rejected), (1, 1));
    assert_eq!(of_south(), before);
}

// --- At once -----------------------------------------------------------------------------------------------------

fn all_memberships(db: &TestDatabase) -> Lock {
    Lock::take(db, "SELECT FROM memberships FOR UPDATE")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_accepts_meanwhile_has_the_membership_or_is_gone_for_good() {
    for (accepts_first, leaves) in [(true, false), (true, true), (false, false), (false, true)] {
        let world = World::new().await;
        let pending = world.given("AAAA22", |m| m.external_id = number("N-2")).await;
        let (user, _) = world.ports.given_user("forklift-fan").await;
        let user = user.id;
        let lease = world.begun("a.csv").await;
        let line = said(2, "N-2", move |row| {
            row.first_name = name("Renamed");
            row.status = leaves.then_some(WantedStatus::Deactivated);
        });
        world.stage(lease, vec![line]).await;
        let lock = all_memberships(&world.db);
        let (ports, imports, planner) = (world.ports.clone(), Arc::clone(&world.imports), world.planner());
        let (accepted, applied) = in_order(
            &world.db,
            lock,
            accepts_first,
            async move { ports.memberships.accept(&code("AAAA22"), user, at(199)).await },
            async move { imports.apply(lease, planner, 9).await },
        )
        .await;
        assert_eq!(applied.expect("asked"), Some(1));
        let is_taken = accepts_first || !leaves;
        assert_eq!(accepted.is_ok(), is_taken, "{accepted:?}");
        let membership = world.ports.view(pending.id).await.membership;
        let status = if leaves { MembershipStatus::Deactivated } else { MembershipStatus::Active };
        assert_eq!((membership.user, membership.status), (is_taken.then_some(user), status));
        assert_eq!(membership.first_name, name("Renamed"));
        let sessions = usize::from(!(accepts_first && leaves));
        assert_eq!(count(&world.db, "sessions"), sessions);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_admin_changes_meanwhile_is_not_overwritten() {
    for is_in_order in [true, false] {
        let world = World::new().await;
        let before = world.given("AAAA22", |m| m.external_id = number("N-2")).await;
        let lease = world.begun("a.csv").await;
        world.stage(lease, vec![said(2, "N-2", |row| row.org_admin = Some(true))]).await;
        let edit = edited(membership_audit(world.staff, &before), |view| {
            view.membership.job_title = title("Crane driver");
        });
        let (ports, imports, planner) = (world.ports.clone(), Arc::clone(&world.imports), world.planner());
        let lock = all_memberships(&world.db);
        let (updated, applied) = in_order(
            &world.db,
            lock,
            is_in_order,
            async move { ports.memberships.update(before.id, edit).await },
            async move { imports.apply(lease, planner, 9).await },
        )
        .await;
        updated.expect("changes");
        assert_eq!(applied.expect("asked"), Some(1));
        let membership = world.ports.view(before.id).await.membership;
        assert_eq!((membership.job_title, membership.org_admin), (title("Crane driver"), true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_deletes_the_account_meanwhile_has_left() {
    for is_in_order in [true, false] {
        let world = World::new().await;
        let (before, user) = world.given_active("AAAA22", |m| m.external_id = number("N-2")).await;
        let lease = world.begun("a.csv").await;
        world.stage(lease, vec![said(2, "N-2", |row| row.first_name = name("Renamed"))]).await;
        let (ports, imports, planner) = (world.ports.clone(), Arc::clone(&world.imports), world.planner());
        let lock = all_memberships(&world.db);
        let (deleted, applied) = in_order(
            &world.db,
            lock,
            is_in_order,
            async move { ports.users.delete(user, at(199)).await },
            async move { imports.apply(lease, planner, 9).await },
        )
        .await;
        deleted.expect("deletes");
        assert_eq!(applied.expect("asked"), Some(1));
        let membership = world.ports.view(before.membership.id).await.membership;
        assert_eq!(membership.first_name, name("Renamed"));
        let (action, status) = if is_in_order {
            (Reactivated, MembershipStatus::Pending)
        } else {
            (Updated, MembershipStatus::Deactivated)
        };
        assert_eq!((world.actions(lease).await, membership.status), (vec![action], status));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_is_added_meanwhile_is_found() {
    let world = World::new().await;
    let lease = world.begun("a.csv").await;
    let lines = vec![said(2, "N-2", |row| row.first_name = name("Renamed")), said(3, "N-3", |_| {})];
    world.stage(lease, lines).await;
    let id = next_id();
    let insert = format!(
        "INSERT INTO memberships (id, organization_id, external_id, first_name, last_name, status, first_seen_at, \
            reporting_starts_on, created_at, updated_at) \
         VALUES ('{id}', '{}', 'N-2', 'Ann', 'Lee', 'pending', now(), now(), now(), now())",
        world.organization
    );
    let lock = Lock::take(&world.db, &insert);
    let (imports, planner) = (Arc::clone(&world.imports), world.planner());
    let applying = tokio::spawn(async move { imports.apply(lease, planner, 9).await });
    until_waiting(&world.db, 1).await;
    lock.release();
    assert_eq!(applying.await.expect("no panic").expect("asked"), Some(2));
    let report = world.report(lease).await;
    assert_eq!((report[0].1, report[0].2), (Updated, Some(MembershipId::new(id))));
    assert_eq!(report[1].1, Created);
    assert_eq!(world.by_number("N-2").await.membership.first_name, name("Renamed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_admin_who_is_dismissed_and_one_whom_a_file_lets_go_at_once_one_stays() {
    for is_in_order in [true, false] {
        let world = World::new().await;
        let admin = |text: &'static str| {
            move |m: &mut Membership| {
                m.external_id = number(text);
                m.org_admin = true;
            }
        };
        let (first, _) = world.given_active("AAAA22", admin("N-2")).await;
        world.given_active("BBBB22", admin("N-3")).await;
        let lease = world.begun("a.csv").await;
        world.stage(lease, vec![said(2, "N-3", gone)]).await;
        let id = first.membership.id;
        let edit = edited(membership_audit(world.staff, &first.membership), |view| {
            view.membership.org_admin = false;
        });
        let (ports, imports, planner) = (world.ports.clone(), Arc::clone(&world.imports), world.planner());
        let lock = all_memberships(&world.db);
        let (updated, applied) = in_order(
            &world.db,
            lock,
            is_in_order,
            async move { ports.memberships.update(id, edit).await },
            async move { imports.apply(lease, planner, 9).await },
        )
        .await;
        assert_eq!(applied.expect("asked"), Some(1));
        assert_eq!(updated.is_ok(), is_in_order, "{updated:?}");
        assert_eq!(world.actions(lease).await[0] == Rejected, is_in_order);
        assert_eq!(count(&world.db, "memberships WHERE org_admin AND status = 'active'"), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_that_is_deleted_meanwhile_is_not_joined() {
    for is_in_order in [true, false] {
        let world = World::new().await;
        let dock = world.given_team("Dock").await;
        let lease = world.begun("a.csv").await;
        world.stage(lease, vec![said(2, "N-2", |row| row.team = Some("Dock".into()))]).await;
        let deleted =
            an_audit(world.staff, "team.delete", Some(world.organization), AuditSubject::Team(dock));
        let delete = Box::new(move |team: &mut domain_teams::Team| {
            team.deleted_at = Some(at(199));
            Ok(Some(deleted))
        });
        let (ports, imports, planner) = (world.ports.clone(), Arc::clone(&world.imports), world.planner());
        let lock = Lock::take(&world.db, "SELECT FROM organizations FOR UPDATE");
        let (gone, applied) = in_order(
            &world.db,
            lock,
            is_in_order,
            async move { ports.teams.update(dock, delete).await },
            async move { imports.apply(lease, planner, 9).await },
        )
        .await;
        gone.expect("deletes");
        assert_eq!(applied.expect("asked"), Some(1));
        let teams = world.by_number("N-2").await.membership.teams;
        assert_eq!(teams.len(), usize::from(is_in_order), "a new one takes its place");
        let of_deleted = format!("team_memberships WHERE team_id = '{dock}'");
        assert_eq!(count(&world.db, &of_deleted), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_people_while_a_file_is_applied_nobody_waits_for_ever() {
    let world = World::new().await;
    let dock = world.given_team("Dock").await;
    let (mut people, mut lines) = (Vec::new(), Vec::new());
    for (n, letter) in ('A'..='R').enumerate() {
        let text = format!("N-{n}");
        let change = |m: &mut Membership| {
            m.external_id = number(&text);
            m.teams = vec![dock];
        };
        let invite_code = format!("{letter}AAA22");
        let user = if n % 3 == 0 {
            world.given(&invite_code, change).await;
            world.ports.given_user(&format!("user-{n}")).await.0.id
        } else {
            world.given_active(&invite_code, change).await.1
        };
        people.push((n, invite_code, user, world.by_number(&text).await.membership));
        // From the last to the first, so that locks in the order of the file would be locks in the other order.
        let line = 100 - i64::try_from(n).expect("small");
        lines.push(said(line, &text, move |row| {
            row.first_name = name("Renamed");
            row.team = Some(["Yard", "Gate"][n % 2].into());
            row.team_admin = Some(n % 5 == 0);
            row.status = (n % 4 == 1).then_some(WantedStatus::Deactivated);
        }));
    }
    lines.extend((200..209).map(|line| said(line, &format!("N-{line}"), |_| {})));
    let lease = world.begun("a.csv").await;
    world.stage(lease, lines).await;
    let (imports, planner) = (Arc::clone(&world.imports), world.planner());
    let applying = tokio::spawn(async move {
        let mut all = 0;
        loop {
            match imports.apply(lease, Arc::clone(&planner), 6).await.expect("applies") {
                Some(0) => break all,
                some => all += some.expect("it is the run's"),
            }
        }
    });
    let changes = people.into_iter().map(|(n, invite_code, user, membership)| {
        let (ports, staff, organization) = (world.ports.clone(), world.staff, world.organization);
        async move {
            let audit = || membership_audit(staff, &membership);
            let edit = edited(audit(), |view| view.membership.job_title = title("Crane driver"));
            // Refused or not, but by the domain.
            let done = match n % 6 {
                0 => ports.memberships.accept(&code(&invite_code), user, at(199)).await.map(drop),
                1 => {
                    let departure = common::departure(audit(), at(199));
                    ports.memberships.update(membership.id, departure).await.map(drop)
                }
                2 => ports.users.delete(user, at(199)).await.map_err(|error| panic!("{error:?}")),
                3 => {
                    let mut new = a_membership(staff, organization, &format!("Z{}AA22", n % 10));
                    new.membership.external_id = number(&format!("N-{}", 200 + n / 2));
                    ports.memberships.add(new).await.map(drop)
                }
                _ => ports.memberships.update(membership.id, edit).await.map(drop),
            };
            assert!(!matches!(done, Err(MembershipError::Storage(_))), "{n}: {done:?}");
        }
    });
    all_at_once(changes).await;
    assert_eq!(applying.await.expect("no panic"), 27);
    let counts = world.import(lease).await.counts;
    assert_eq!(counts.rejected, 0);
    assert_eq!(count(&world.db, "import_rows"), 27);
    let wrong = "memberships WHERE external_id ~ '^N-1?[0-9]$' AND first_name <> 'Renamed'";
    assert_eq!(count(&world.db, wrong), 0);
}

// --- Who is missing ----------------------------------------------------------------------------------------------

/// People and who of them stays: those whose number is in the file in whatever line, and those without one whose address is.
async fn given_people(world: &World) -> Vec<(MembershipId, &'static str, bool)> {
    let mut people = Vec::new();
    for (invite_code, external_id, address, stays) in [
        ("AAAA22", Some("N-good"), None, true),
        ("AAAA23", Some("N-bad"), None, true),
        ("AAAA24", Some("N-twice"), None, true),
        ("AAAA25", None, Some("in@example.org"), true),
        ("AAAA26", Some("N-out"), Some("in@example.org"), false),
        ("AAAA27", Some("N-away"), None, false),
        ("AAAA28", None, Some("out@example.org"), false),
        ("AAAA29", None, None, false),
        ("AAAA2A", Some("n-good"), None, false),
    ] {
        let change = |m: &mut Membership| {
            m.external_id = external_id.and_then(number);
            m.email = address.map(email);
        };
        let id = if invite_code == "AAAA27" {
            world.given_active(invite_code, change).await.0.membership.id
        } else {
            world.given(invite_code, change).await.id
        };
        people.push((id, invite_code, stays));
    }
    people
}

fn lines_about_people() -> Vec<StagedLine> {
    vec![
        said(2, "N-good", |_| {}),
        bad(3, Some("N-bad")),
        said(4, "N-twice", gone),
        said(5, "N-twice", |_| {}),
        said(6, "N-new", |row| row.email = Some(email("in@example.org"))),
        bad(7, None),
    ]
}

#[tokio::test]
async fn who_is_in_no_line_of_a_snapshot_has_left_some_at_a_time() {
    let world = World::new().await;
    let people = given_people(&world).await;
    let left = world.given("BBBB22", |_| {}).await;
    let left = world.ports.given_departure(world.staff, left.id, at(50)).await;
    let lease = world.begun("a.csv").await;
    world.stage(lease, lines_about_people()).await;
    world.survey(lease, true).await;
    // Not applied: whoever is found by the address has no number yet.
    for (limit, expected, all) in [(2, 2, 2), (2, 2, 4), (2, 1, 5), (2, 0, 5), (2, 0, 5)] {
        assert_eq!(world.apply_missing(lease, true, limit).await, expected);
        assert_eq!(world.import(lease).await.counts.deactivated, all);
    }
    let mut gone = Vec::new();
    for (id, invite_code, stays) in &people {
        let membership = world.ports.view(*id).await.membership;
        assert_eq!(membership.status != MembershipStatus::Deactivated, *stays, "{invite_code}");
        if !stays {
            assert_eq!((membership.deactivated_at, membership.updated_at), (Some(at(200)), at(200)));
            gone.push((0, Deactivated, Some(*id), String::new()));
        }
    }
    gone.sort_by_key(|row| row.2.map(MembershipId::uuid));
    assert_eq!(world.report(lease).await, gone);
    assert_eq!(world.ports.view(left.membership.id).await, left);
    assert_eq!(count(&world.db, "sessions"), 0, "who has left is signed out");
    let pending = "invitations i WHERE status = 'pending' AND EXISTS (SELECT FROM memberships m \
                   WHERE m.id = i.membership_id AND m.status = 'deactivated')";
    assert_eq!(count(&world.db, pending), 0);
}

#[tokio::test]
async fn in_a_snapshot_without_numbers_people_are_missing_by_their_address() {
    let world = World::new().await;
    let mut people = Vec::new();
    for (invite_code, external_id, address, stays) in [
        ("AAAA22", None, Some("in@example.org"), true),
        ("AAAA23", Some("N-2"), Some("in@example.org"), true),
        ("AAAA24", Some("in@example.org"), Some("out@example.org"), false),
        ("AAAA25", None, Some("bad@example.org"), true),
        ("AAAA26", Some("N-3"), None, false),
    ] {
        let change = |m: &mut Membership| {
            m.external_id = external_id.and_then(number);
            m.email = address.map(email);
        };
        people.push((world.given(invite_code, change).await.id, invite_code, stays));
    }
    let lease = world.begun("a.csv").await;
    world
        .stage(lease, vec![said_of_address(2, "in@example.org", |_| {}), bad(3, Some("bad@example.org"))])
        .await;
    while world.apply_missing(lease, false, 1).await > 0 {}
    for (id, invite_code, stays) in people {
        let status = world.ports.view(id).await.membership.status;
        assert_eq!(status == MembershipStatus::Pending, stays, "{invite_code}");
    }
}

#[tokio::test]
async fn a_dry_run_only_tells_who_is_missing() {
    let world = World::new().await;
    let people = given_people(&world).await;
    let lease = world.begun_dry().await;
    world.stage(lease, lines_about_people()).await;
    let before = world.roster();
    let mut all = 0;
    loop {
        match world.apply_missing(lease, true, 2).await {
            0 => break,
            some => all += some,
        }
    }
    assert_eq!(world.roster(), before);
    let told: Vec<_> = world.report(lease).await.into_iter().map(|row| row.2).collect();
    let mut missing: Vec<_> = people.iter().filter(|row| !row.2).map(|row| Some(row.0)).collect();
    missing.sort_by_key(|id| id.map(MembershipId::uuid));
    assert_eq!((told, all), (missing, 5));
    assert_eq!(world.import(lease).await.counts.deactivated, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gets_a_number_of_the_file_meanwhile_is_not_missing() {
    let world = World::new().await;
    let before = world.given("AAAA22", |m| m.external_id = None).await;
    let lease = world.begun("a.csv").await;
    world.stage(lease, vec![said(2, "N-2", |_| {})]).await;
    let edit = edited(membership_audit(world.staff, &before), |view| {
        view.membership.external_id = number("N-2");
    });
    let (ports, imports, planner) = (world.ports.clone(), Arc::clone(&world.imports), world.planner());
    let lock = all_memberships(&world.db);
    let (updated, applied) = in_order(
        &world.db,
        lock,
        true,
        async move { ports.memberships.update(before.id, edit).await },
        async move { imports.apply_missing(lease, planner, true, 9).await },
    )
    .await;
    updated.expect("changes");
    assert_eq!(applied.expect("asked"), Some(0));
    assert_eq!(world.ports.view(before.id).await.membership.status, MembershipStatus::Pending);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_missing_and_accepts_or_is_let_go_meanwhile_has_left_once() {
    for leaves in [false, true] {
        let world = World::new().await;
        let before = world.given("AAAA22", |_| {}).await;
        let (user, _) = world.ports.given_user("forklift-fan").await;
        let user = user.id;
        let lease = world.begun("a.csv").await;
        let audit = membership_audit(world.staff, &before);
        let (ports, imports, planner) = (world.ports.clone(), Arc::clone(&world.imports), world.planner());
        let lock = all_memberships(&world.db);
        let (first, applied) = in_order(
            &world.db,
            lock,
            true,
            async move {
                if leaves {
                    let departure = common::departure(audit, at(199));
                    ports.memberships.update(before.id, departure).await.map(drop)
                } else {
                    ports.memberships.accept(&code("AAAA22"), user, at(199)).await.map(drop)
                }
            },
            async move { imports.apply_missing(lease, planner, true, 9).await },
        )
        .await;
        first.expect("comes first");
        applied.expect("asked").expect("it is the run's");
        let membership = world.ports.view(before.id).await.membership;
        assert_eq!(membership.status, MembershipStatus::Deactivated);
        assert_eq!(membership.user, (!leaves).then_some(user));
        assert_eq!(membership.deactivated_at, Some(if leaves { at(199) } else { at(200) }));
        assert_eq!(world.actions(lease).await.len(), usize::from(!leaves));
        assert_eq!(count(&world.db, "sessions"), usize::from(leaves), "who was never here is not signed out");
        assert_eq!(world.apply_missing(lease, true, 9).await, 0);
    }
}

// --- Ending ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_end_is_noted_and_what_was_staged_is_dropped() {
    let world = World::new().await;
    let other = next_id();
    world.db.execute(&format!("INSERT INTO roster_stage (line, import_id) VALUES (2, '{other}')"));
    for (state, finished_at) in
        [(ImportState::Held, None), (ImportState::Failed, Some(at(300))), (ImportState::Done, Some(at(300)))]
    {
        let lease = world.begun(&format!("{}.csv", state.as_str())).await;
        world.stage(lease, vec![said(2, "N-2", |_| {})]).await;
        let before = world.import(lease).await;
        let trouble = ImportTrouble { code: "odd".into(), message: "It is \"odd\".".into() };
        let trouble = (state != ImportState::Done).then_some(trouble);
        let warnings = vec![RosterProblem { line: 1, ..a_problem(1, "shoe\nsize") }; 2];
        let end = RunEnd { state, trouble: trouble.clone(), warnings: warnings.clone() };
        let ended = world.imports.end(lease, end, at(300)).await.expect("asked");
        assert_eq!(ended, Some(()));
        assert_eq!(world.import(lease).await, Import { state, trouble, warnings, finished_at, ..before });
        assert_eq!(world.db.rows("SELECT import_id FROM roster_stage"), [format!("({other})")]);
        world.has_lost(lease).await;
    }
}

// --- Broken off, and once more -----------------------------------------------------------------------------------

/// Rows of the organization without what differs from one run to another: ids, codes and times.
fn likeness(world: &World) -> Vec<Vec<String>> {
    [
        "SELECT external_id, first_name, last_name, email, job_title, org_admin, status, hired_on, \
            (user_id IS NOT NULL) AS is_taken, deactivated_at IS NOT NULL AS has_left, \
            ARRAY(SELECT t.name FROM team_memberships x JOIN teams t ON t.id = x.team_id WHERE x.membership_id = m.id ORDER BY 1), \
            ARRAY(SELECT t.name FROM team_admins x JOIN teams t ON t.id = x.team_id WHERE x.membership_id = m.id ORDER BY 1), \
            ARRAY(SELECT i.status FROM invitations i WHERE i.membership_id = m.id ORDER BY 1) \
         FROM memberships m ORDER BY external_id, email, first_name",
        "SELECT name, deleted_at FROM teams ORDER BY name",
        "SELECT state, rows_count, created_count, updated_count, unchanged_count, reactivated_count, deactivated_count, \
            rejected_count, errors_total, reported FROM imports ORDER BY key",
        "SELECT line, action, key, problems, membership_id IS NULL FROM import_rows ORDER BY position",
        "SELECT count(*) FROM sessions",
    ]
    .map(|sql| world.db.rows(sql))
    .into()
}

async fn a_long_file(world: &World) -> Vec<StagedLine> {
    let mut lines = one_of_each(world).await;
    for (invite_code, text) in [("FFFF22", "N-m1"), ("GGGG22", "N-m2"), ("HHHH22", "N-m3")] {
        world.given(invite_code, |m| m.external_id = number(text)).await;
    }
    lines.extend((8..15).map(|line| {
        said(line, &format!("N-{}", line % 5), move |row| {
            row.team = Some(format!("Team {}", line % 3));
            row.team_admin = Some(line % 2 == 0);
        })
    }));
    lines
}

#[tokio::test]
async fn a_run_that_is_killed_and_taken_over_ends_as_one_in_one_go() {
    let in_one_go = World::new().await;
    let lines = a_long_file(&in_one_go).await;
    let import = in_one_go.run("a.csv", true, lines).await;
    let expected = likeness(&in_one_go);
    assert_eq!((import.counts.rows, import.counts.deactivated), (13, 5));

    for killed_after in 0..9 {
        let world = World::new().await;
        let lines = a_long_file(&world).await;
        let mut lease = world.begun("a.csv").await;
        // Each step in a run of its own: staged, so many batches applied, and so many of the missing.
        for steps in [killed_after, 1] {
            world.stage(lease, lines.clone()).await;
            world.survey(lease, true).await;
            for _ in 0..steps {
                if world.apply(lease, 3).await == 0 {
                    world.apply_missing(lease, true, 2).await;
                }
            }
            lease = world.begin(lease.import).await;
        }
        world.finish(lease, true, lines).await;
        assert_eq!(likeness(&world), expected, "killed after {killed_after}");
    }
}

#[tokio::test]
async fn a_snapshot_that_was_applied_changes_nothing_the_second_time() {
    let world = World::new().await;
    let lines = a_long_file(&world).await;
    world.run("a.csv", true, lines.clone()).await;
    let (before, jobs) = (world.roster(), count(&world.db, "jobs"));
    let again = world.run("b.csv", true, lines).await;
    assert_eq!(again.counts.unchanged + again.counts.rejected, again.counts.rows);
    assert_eq!(again.counts.deactivated, 0);
    let after = world.roster();
    let is_own = |row: &&String| row.starts_with("(jobs,") || row.starts_with("(audit_log,");
    assert!(before.iter().filter(|row| !is_own(row)).eq(after.iter().filter(|row| !is_own(row))));
    assert_eq!(count(&world.db, "jobs"), jobs + 1);
}

/// A line of a file with a few people, who may be in it more than once.
fn any_line(by_number: bool) -> impl Strategy<Value = (u8, RosterRow)> {
    let status = prop_oneof![Just(WantedStatus::Active), Just(WantedStatus::Deactivated)];
    let texts = (option::of(0..3_u8), option::of(0..4_u8), option::of(0..8_u8), 0..3_u8);
    (0..9_u8, texts, any::<[Option<bool>; 2]>(), option::of(0..3_u32), option::of(status)).prop_map(
        move |(person, (job_title, team, address, first), [org_admin, team_admin], day, status)| {
            let of_person = email(&format!("p{person}@example.org"));
            let key = if by_number {
                RowKey::ExternalId(ExternalId::from_stored(format!("P-{person}")))
            } else {
                RowKey::Email(of_person.clone())
            };
            let address = address.map(|n| email(&format!("p{n}@example.org")));
            let row = RosterRow {
                first_name: name(["Ann", "Bo", "Cy"][usize::from(first)]),
                email: if by_number { address } else { Some(of_person) },
                job_title: job_title.and_then(|n| title(["Driver", "driver", "Loader"][usize::from(n)])),
                team: team.map(|n| ["Dock", "DOCK", "Yard", "Gate"][usize::from(n)].to_owned()),
                org_admin,
                team_admin: team_admin.filter(|_| team.is_some()),
                hired_on: day.and_then(|day| NaiveDate::from_ymd_opt(2026, 1, day + 1)),
                status,
                ..a_row(0, key)
            };
            (person, row)
        },
    )
}

#[tokio::test]
async fn whatever_a_file_says_the_second_time_it_changes_nothing() {
    let mut runner = TestRunner::deterministic();
    for case in 0..16 {
        let by_number = case % 2 == 0;
        let world = World::new().await;
        for person in 0..4_u8 {
            let change = |m: &mut Membership| {
                m.external_id = number(&format!("P-{person}")).filter(|_| person > 1);
                m.email = Some(email(&format!("p{person}@example.org")));
                m.org_admin = person == 2;
            };
            let invite_code = format!("AAAA2{person}");
            let id = if person % 2 == 0 {
                world.given_active(&invite_code, change).await.0.membership.id
            } else {
                world.given(&invite_code, change).await.id
            };
            if person == 3 {
                world.ports.given_departure(world.staff, id, at(50)).await;
            }
        }
        let tree = vec(any_line(by_number), 0..20).new_tree(&mut runner).expect("a file");
        let lines: Vec<StagedLine> = (2..)
            .zip(tree.current())
            .map(|(line, (_, row))| {
                let key = Some(row.key.as_str().to_owned());
                StagedLine {
                    line,
                    key,
                    address: address_of(&row),
                    row: Ok(Box::new(RosterRow { line: line.unsigned_abs(), ..row })),
                }
            })
            .collect();
        let first = world.run("a.csv", by_number, lines.clone()).await;
        let before: BTreeMap<_, _> = likeness(&world).into_iter().take(2).enumerate().collect();
        let roster = world.roster();
        let again = world.run("b.csv", by_number, lines.clone()).await;
        let counts = again.counts;
        assert_eq!(
            (counts.unchanged, counts.rejected, counts.deactivated),
            (counts.rows - first.counts.rejected, first.counts.rejected, 0),
            "{lines:#?}"
        );
        let after: BTreeMap<_, _> = likeness(&world).into_iter().take(2).enumerate().collect();
        assert_eq!(after, before);
        let is_own = |row: &&String| row.starts_with("(jobs,") || row.starts_with("(audit_log,");
        let now = world.roster();
        assert!(roster.iter().filter(|row| !is_own(row)).eq(now.iter().filter(|row| !is_own(row))));
    }
}
