use std::fs::File;
use std::sync::Arc;

use domain_kernel::{DomainError, ImportId, ImportMode, Refusal};
use uuid::Uuid;

use super::{
    Entry, Import, ImportState, ImportTrouble, Planner, RosterFailure, RosterProblem, RosterService,
    RosterTable, StagedLine,
};
use crate::MembershipError;
use crate::ports::{Begun, RunEnd, RunLease};

/// Lines that are applied in one transaction.
const APPLIED_AT_ONCE: i64 = 500;

/// Lines that are staged in one transaction.
const STAGED_AT_ONCE: usize = 5000;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There is nothing more to do, for now or for ever.
    Done,
    /// Another import of the organization comes first.
    Later,
}

/// Why a run ends before its time.
enum Stop {
    /// The file is of no use.
    Useless(ImportTrouble),
    /// Somebody has to confirm it.
    Held(ImportTrouble),
    /// Somebody else is at it, or nobody wants it any more.
    Lost,
    /// Something is not available, or went wrong.
    Broken(MembershipError),
}

impl From<MembershipError> for Stop {
    fn from(error: MembershipError) -> Self {
        match error {
            MembershipError::FileChanged | MembershipError::FileTooLarge(_) => {
                Self::Useless(ImportTrouble { code: error.code().into(), message: error.to_string() })
            }
            error => Self::Broken(error),
        }
    }
}

impl From<RosterFailure> for Stop {
    fn from(failure: RosterFailure) -> Self {
        Self::Useless(ImportTrouble { code: failure.code().into(), message: failure.to_string() })
    }
}

/// How far it is: reading is a fifth of it.
#[expect(clippy::cast_precision_loss, reason = "for people")]
fn percent(applied: usize, of: usize) -> f64 {
    20.0 + 79.0 * applied.min(of) as f64 / of.max(1) as f64
}

impl RosterService {
    /// Applies an import, or goes on with one that was broken off. `run` names this run and no other; `told` hears how far it is,
    /// 0 to 100.
    ///
    /// A failure is one of something below: what was applied stays, and the next run goes on from there.
    pub async fn run_import(
        &self,
        id: ImportId,
        run: Uuid,
        told: &(dyn Fn(f64) + Send + Sync),
    ) -> Result<Ended, MembershipError> {
        let import = match self.runs.begin(id, run, self.clock.now()).await? {
            Begun::Now(import) => *import,
            Begun::Later => return Ok(Ended::Later),
            Begun::Over => return Ok(Ended::Done),
        };
        let lease = RunLease { import: id, run };
        let mut warnings = Vec::new();
        let (state, trouble) = match self.carry_out(&import, lease, &mut warnings, told).await {
            Ok(trouble) => (ImportState::Done, trouble),
            Err(Stop::Useless(trouble)) => (ImportState::Failed, Some(trouble)),
            Err(Stop::Held(trouble)) => (ImportState::Held, Some(trouble)),
            Err(Stop::Lost) => return Ok(Ended::Done),
            Err(Stop::Broken(error)) => return Err(error),
        };
        self.runs.end(lease, RunEnd { state, trouble, warnings }, self.clock.now()).await?;
        Ok(Ended::Done)
    }

    /// Gives what would have to be confirmed, which only a dry run passes over.
    async fn carry_out(
        &self,
        import: &Import,
        lease: RunLease,
        warnings: &mut Vec<RosterProblem>,
        told: &(dyn Fn(f64) + Send + Sync),
    ) -> Result<Option<ImportTrouble>, Stop> {
        let settings = self.memberships.find_settings(import.organization).await?;
        let settings = settings.ok_or(MembershipError::from(Refusal::NotFound))?;
        let mut table = RosterTable::open(self.open(import).await?)?;
        warnings.extend_from_slice(table.unknown_columns());
        let (staged, by_number) = (self.stage(lease, &mut table).await?, table.has_numbers());
        drop(table);
        told(20.0);
        let survey = self.runs.survey(lease, by_number).await?.ok_or(Stop::Lost)?;
        let held = Some(survey).filter(|_| import.mode == ImportMode::Snapshot).and_then(|s| s.held());
        // One that was broken off has been through this.
        let is_fresh =
            import.counts == super::ImportCounts { rows: import.counts.rows, ..Default::default() };
        if let Some(trouble) = held.clone().filter(|_| is_fresh && !import.is_confirmed && !import.dry_run) {
            return Err(Stop::Held(trouble));
        }
        let planner = Arc::new(Planner {
            organization: import.organization,
            settings,
            is_confirmed: import.is_confirmed,
            now: self.clock.now(),
            invitation_lifespan: self.limits.invitation_lifespan,
            ids: Arc::clone(&self.ids),
            codes: Arc::clone(&self.codes),
        });
        let mut applied = 0;
        loop {
            let some = self.runs.apply(lease, Arc::clone(&planner), APPLIED_AT_ONCE).await?;
            match some.ok_or(Stop::Lost)? {
                0 => break,
                more => applied += more,
            }
            told(percent(applied, staged));
        }
        if import.mode == ImportMode::Snapshot {
            let missing = || self.runs.apply_missing(lease, Arc::clone(&planner), by_number, APPLIED_AT_ONCE);
            while missing().await?.ok_or(Stop::Lost)? > 0 {}
        }
        Ok(held.filter(|_| import.dry_run))
    }

    async fn open(&self, import: &Import) -> Result<File, Stop> {
        let useless = |code: &'static str, message: &str| {
            Stop::Useless(ImportTrouble { code: code.into(), message: message.into() })
        };
        let file = self.files.find(&import.key).await?;
        let file = file.ok_or_else(|| useless("file_missing", "The file is not there any more."))?;
        if import.etag.as_deref() != Some(file.etag.as_str()) {
            return Err(MembershipError::FileChanged.into());
        }
        if file.size > self.limits.max_bytes {
            return Err(MembershipError::FileTooLarge(self.limits.max_bytes).into());
        }
        Ok(self.files.open(&file, self.limits.max_bytes).await?)
    }

    /// Gives the number of lines.
    async fn stage(&self, lease: RunLease, table: &mut RosterTable<File>) -> Result<usize, Stop> {
        let (mut lines, mut count) = (Vec::new(), 0);
        loop {
            let entry = table.next_entry()?;
            let is_end = entry.is_none();
            lines.extend(entry.map(StagedLine::from));
            if lines.len() == STAGED_AT_ONCE || (is_end && !lines.is_empty()) {
                count += lines.len();
                self.runs.stage(lease, std::mem::take(&mut lines)).await?.ok_or(Stop::Lost)?;
            }
            if is_end {
                return Ok(count);
            }
        }
    }
}

impl From<Entry> for StagedLine {
    fn from(entry: Entry) -> Self {
        let line = i64::try_from(entry.line()).unwrap_or(i64::MAX);
        let key = entry.key().map(|key| key.as_str().to_owned());
        let address = entry.address().map(|address| address.as_str().to_owned());
        let row = match entry {
            Entry::Row(row) => Ok(row),
            Entry::Rejected { problems, .. } => Err(problems),
        };
        Self { line, key, address, row }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};
    use std::sync::Mutex;

    use domain_kernel::StorageError;

    use super::*;
    use crate::roster::tests::{Fixture, a_file, an_import, settings};
    use crate::roster::{ImportCounts, Survey};

    const ROSTER: &str = "external_id,first_name,last_name,shoe size\nE-1,Ann,Lee,\nE-2,,Ek,\n";

    fn file(text: &str) -> File {
        let path = std::env::temp_dir().join(format!("roster-{}-{:p}", std::process::id(), text));
        let mut file =
            File::options().create(true).truncate(true).read(true).write(true).open(&path).expect("a file");
        std::fs::remove_file(&path).expect("unnamed");
        file.write_all(text.as_bytes()).expect("written");
        file.rewind().expect("rewound");
        file
    }

    /// A run that begins, of a file with this content.
    fn begun(import: Import, text: &'static str) -> Fixture {
        let mut fixture = Fixture::default();
        fixture.runs.expect_begin().return_once(|_, _, _| Ok(Begun::Now(Box::new(import))));
        fixture.memberships.expect_find_settings().returning(|_| Ok(Some(settings())));
        fixture.files.expect_find().returning(|_| Ok(Some(a_file("harbor/a.csv"))));
        fixture.files.expect_open().returning(|_, _| Ok(file(text)));
        fixture
    }

    fn ends(fixture: &mut Fixture, state: ImportState, code: Option<&'static str>) {
        fixture.runs.expect_end().times(1).returning(move |_, end, _| {
            let told = end.trouble.as_ref().map(|trouble| trouble.code.as_ref());
            assert_eq!((end.state, told), (state, code));
            Ok(Some(()))
        });
    }

    async fn run(fixture: Fixture) -> Result<Ended, MembershipError> {
        fixture.service().run_import(an_import().id, Uuid::from_u128(9), &|_| {}).await
    }

    fn survey(fixture: &mut Fixture, survey: Survey) {
        fixture.runs.expect_survey().returning(move |_, by_number| {
            assert!(by_number);
            Ok(Some(survey))
        });
    }

    /// Applies so many lines, and then none.
    fn applies(fixture: &mut Fixture, mut lines: Vec<usize>) {
        lines.reverse();
        let lines = Mutex::new(lines);
        fixture
            .runs
            .expect_apply()
            .returning(move |_, _, _| Ok(Some(lines.lock().expect("lock").pop().unwrap_or(0))));
    }

    #[tokio::test]
    async fn lines_are_staged_looked_at_and_applied_until_none_is_left() {
        let mut fixture = begun(an_import(), ROSTER);
        fixture.runs.expect_stage().times(1).returning(|lease, lines| {
            assert_eq!(lease.run, Uuid::from_u128(9));
            let told: Vec<_> = lines.iter().map(|l| (l.line, l.key.as_deref(), l.row.is_ok())).collect();
            assert_eq!(told, [(2, Some("E-1"), true), (3, Some("E-2"), false)]);
            Ok(Some(()))
        });
        // A delta does not care.
        survey(&mut fixture, Survey { present: 1, leaving: 1, ..Survey::default() });
        applies(&mut fixture, vec![1, 1]);
        fixture.runs.expect_end().times(1).returning(|_, end, _| {
            assert_eq!((end.state, end.trouble), (ImportState::Done, None));
            assert_eq!(end.warnings[0].column, "shoe size");
            Ok(Some(()))
        });
        let heard = Mutex::new(Vec::new());
        let service = fixture.service();
        let told = |percent| heard.lock().expect("lock").push(percent);
        let ended = service.run_import(an_import().id, Uuid::from_u128(9), &told).await;
        assert_eq!(ended.expect("runs"), Ended::Done);
        drop(service);
        assert_eq!(heard.into_inner().expect("lock"), [20.0, 59.5, 99.0]);
    }

    #[tokio::test]
    async fn a_snapshot_ends_with_those_who_are_missing() {
        let import = Import { mode: ImportMode::Snapshot, ..an_import() };
        let mut fixture = begun(import, ROSTER);
        fixture.runs.expect_stage().returning(|_, _| Ok(Some(())));
        survey(
            &mut fixture,
            Survey { present: 100, leaving: 1, org_admins: 1, staying_org_admins: 1, ..Survey::default() },
        );
        applies(&mut fixture, vec![2]);
        let missing = Mutex::new(vec![0, 1]);
        fixture
            .runs
            .expect_apply_missing()
            .times(2)
            .returning(move |_, _, _, _| Ok(missing.lock().expect("lock").pop()));
        ends(&mut fixture, ImportState::Done, None);
        assert_eq!(run(fixture).await.expect("runs"), Ended::Done);
    }

    #[tokio::test]
    async fn a_snapshot_that_would_do_too_much_is_held_once_and_a_dry_run_tells() {
        let much =
            Survey { present: 10, leaving: 5, org_admins: 1, staying_org_admins: 1, ..Survey::default() };
        let import = Import { mode: ImportMode::Snapshot, ..an_import() };
        let mut fixture = begun(import.clone(), ROSTER);
        fixture.runs.expect_stage().returning(|_, _| Ok(Some(())));
        survey(&mut fixture, much);
        ends(&mut fixture, ImportState::Held, Some("too_many_deactivations"));
        assert_eq!(run(fixture).await.expect("runs"), Ended::Done);

        let begun_before = ImportCounts { updated: 1, ..ImportCounts::default() };
        for (passed, told) in [
            (Import { is_confirmed: true, ..import.clone() }, None),
            (Import { counts: begun_before, ..import.clone() }, None),
            (Import { dry_run: true, ..import }, Some("too_many_deactivations")),
        ] {
            let mut fixture = begun(passed, ROSTER);
            fixture.runs.expect_stage().returning(|_, _| Ok(Some(())));
            survey(&mut fixture, much);
            applies(&mut fixture, vec![2]);
            fixture.runs.expect_apply_missing().returning(|_, _, _, _| Ok(Some(0)));
            ends(&mut fixture, ImportState::Done, told);
            assert_eq!(run(fixture).await.expect("runs"), Ended::Done);
        }
    }

    #[tokio::test]
    async fn a_file_of_no_use_fails_with_its_reason() {
        for (text, code) in [("", "empty_file"), ("PK\u{3}\u{4}", "not_text"), ("a,b\n\"x", "unclosed_quote")]
        {
            let mut fixture = begun(an_import(), text);
            ends(&mut fixture, ImportState::Failed, Some(code));
            assert_eq!(run(fixture).await.expect("runs"), Ended::Done);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_gone_replaced_or_too_large_fails_without_being_fetched() {
        let replaced = crate::RosterFile { etag: "\"e2\"".into(), ..a_file("harbor/a.csv") };
        let large = crate::RosterFile { size: 1001, ..a_file("harbor/a.csv") };
        for (found, code) in
            [(None, "file_missing"), (Some(replaced), "file_changed"), (Some(large), "file_too_large")]
        {
            let mut fixture = Fixture::default();
            fixture.runs.expect_begin().return_once(|_, _, _| Ok(Begun::Now(Box::new(an_import()))));
            fixture.memberships.expect_find_settings().returning(|_| Ok(Some(settings())));
            fixture.files.expect_find().return_once(move |_| Ok(found));
            ends(&mut fixture, ImportState::Failed, Some(code));
            assert_eq!(run(fixture).await.expect("runs"), Ended::Done);
        }
    }

    #[tokio::test]
    async fn who_comes_too_early_or_too_late_does_nothing() {
        for (begun, ended) in [(Begun::Later, Ended::Later), (Begun::Over, Ended::Done)] {
            let mut fixture = Fixture::default();
            fixture.runs.expect_begin().return_once(|_, _, _| Ok(begun));
            assert_eq!(run(fixture).await.expect("asked"), ended);
        }
    }

    #[tokio::test]
    async fn a_run_that_was_taken_over_ends_without_a_word() {
        let mut fixture = begun(an_import(), ROSTER);
        fixture.runs.expect_stage().returning(|_, _| Ok(Some(())));
        survey(&mut fixture, Survey::default());
        fixture.runs.expect_apply().times(1).returning(|_, _, _| Ok(None));
        assert_eq!(run(fixture).await.expect("ends"), Ended::Done);
    }

    #[tokio::test]
    async fn what_is_away_is_told_and_the_import_stays_as_it_is() {
        let mut fixture = begun(an_import(), ROSTER);
        fixture.runs.expect_stage().returning(|_, _| Err(StorageError::Unavailable("away".into()).into()));
        assert!(run(fixture).await.is_err());
    }
}
