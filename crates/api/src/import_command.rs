//! `worklete import`: a roster from the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use domain_kernel::{ImportMode, OrgId};
use domain_memberships::roster::{Import, ImportCounts, ImportState, RosterProblem, RosterService};
use indicatif::{ProgressBar, ProgressStyle};

use crate::compose::Composition;
use crate::config::Config;
use crate::error::ApiError;
use crate::workers::Workers;

/// How often it is asked how far the import is.
const LOOK: Duration = Duration::from_millis(200);

/// Problems that are printed; the report has all.
const SHOWN: usize = 20;

#[derive(Args)]
pub(crate) struct ImportCommand {
    /// The CSV file; docs/rosters.md describes the columns
    file: PathBuf,
    /// Id of the organization, or its folder in the integrations bucket
    #[arg(long)]
    organization: String,
    /// What people mean who are not in the file; else as the organization has it
    #[arg(long)]
    mode: Option<Mode>,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// Nothing: the file holds changes only
    Delta,
    /// That they have left: the file holds everybody
    Snapshot,
}

impl From<Mode> for ImportMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Delta => Self::Delta,
            Mode::Snapshot => Self::Snapshot,
        }
    }
}

impl ImportCommand {
    /// Puts the file into the storage, has it imported by a worker of this process or whichever is faster, and prints what became of it.
    /// Gives why it was not all good.
    pub(crate) async fn run(self, config: &Config) -> Result<(), String> {
        if !self.file.is_file() {
            return Err(format!("{}: no such file", self.file.display()));
        }
        let mut composition = Composition::new(config).map_err(|error| error.to_string())?;
        composition.open_storage(config).map_err(|error| error.to_string())?;
        let workers = Workers::start(&composition.services().jobs, &Config { workers: 1, ..config.clone() });
        let workers = workers.map_err(|error| error.to_string())?;
        let ended = self.carry_out(&composition.services().rosters).await;
        workers.stop().await;
        composition.database().close();
        let (import, problems) = ended.map_err(|error| {
            let cause = error.causes().map(|causes| format!(": {causes}")).unwrap_or_default();
            format!("{error}{cause}")
        })?;
        print(&import, &problems);
        judge(&import)
    }

    async fn carry_out(self, rosters: &RosterService) -> Result<(Import, Vec<RosterProblem>), ApiError> {
        let organization = if let Ok(id) = self.organization.parse() {
            OrgId::new(id)
        } else {
            let owner = rosters.imports.find_owner(&format!("{}/", self.organization)).await?;
            owner.ok_or_else(ApiError::not_found)?.organization
        };
        let mode = self.mode.map(ImportMode::from);
        let import = rosters.import_local(organization, &self.file, mode, self.dry_run).await?;
        let style = "{bar:40} {pos}/{len} lines, {elapsed}";
        let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(0).with_style(style);
        loop {
            let found = rosters.queries.find(organization, import.id, SHOWN).await?;
            let (import, problems) = found.ok_or_else(ApiError::not_found)?;
            bar.set_length(import.counts.rows.unsigned_abs());
            bar.set_position(decided(import.counts));
            if import.state.has_ended() || import.state == ImportState::Held {
                bar.finish_and_clear();
                return Ok((import, problems));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Lines that something became of.
fn decided(counts: ImportCounts) -> u64 {
    let ImportCounts { rows, created, updated, unchanged, reactivated, deactivated, rejected } = counts;
    (created + updated + unchanged + reactivated + deactivated + rejected).min(rows).unsigned_abs()
}

fn print(import: &Import, problems: &[RosterProblem]) {
    let ImportCounts { rows, created, updated, unchanged, reactivated, deactivated, rejected } =
        import.counts;
    println!(
        "import       {} ({}{})",
        import.id,
        import.mode.as_str(),
        if import.dry_run { ", dry run" } else { "" }
    );
    println!("state        {}", import.state.as_str());
    for (name, count) in [
        ("rows", rows),
        ("created", created),
        ("updated", updated),
        ("unchanged", unchanged),
        ("reactivated", reactivated),
        ("deactivated", deactivated),
        ("rejected", rejected),
    ] {
        println!("{name:<12} {count}");
    }
    for problem in import.warnings.iter().chain(problems) {
        let RosterProblem { line, column, message, value, .. } = problem;
        println!(
            "line {line}: {column} {message}{}",
            if value.is_empty() { String::new() } else { format!(" ({value:?})") }
        );
    }
    let more = import.errors_total - i64::try_from(problems.len()).unwrap_or(i64::MAX);
    if more > 0 {
        println!("and {more} more; the report of the import has all");
    }
}

fn judge(import: &Import) -> Result<(), String> {
    let reason = import.trouble.as_ref().map(|trouble| trouble.message.as_str()).unwrap_or_default();
    match import.state {
        ImportState::Held => Err(format!("held, to be confirmed or cancelled: {reason}")),
        ImportState::Failed => Err(format!("the import failed: {reason}")),
        ImportState::Cancelled => Err("somebody cancelled the import".into()),
        _ if import.counts.rejected > 0 => Err(format!("{} lines were rejected", import.counts.rejected)),
        _ => Ok(()),
    }
}
