use std::time::Duration;

use diesel::migration::Migration;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::connect::connect;

/// The steps of `migrations/`, embedded.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../../migrations");

/// Any number that nothing else locks: two servers that start at once migrate one after the other.
const LOCK: i64 = 0x776f_726b_6c65;

/// Why migrating or looking at the schema failed.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database cannot be reached.
    #[error("cannot connect to the database: {0}")]
    Unreachable(String),
    /// A step failed.
    #[error("a migration failed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How the database's schema compares to the binary's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    /// They are the same.
    Current,
    /// The database lacks these steps.
    Older(Vec<String>),
    /// The database has steps that this binary does not know: a newer release was here. Steps only add until a release
    /// later, so the binary can serve.
    Newer,
}

/// Applies the steps that are missing. Gives their names.
pub fn migrate(url: &str) -> Result<Vec<String>, MigrationError> {
    let mut connection = connect(url).map_err(MigrationError::Unreachable)?;
    wait_for_turn(&mut connection)?;
    let applied = connection.run_pending_migrations(MIGRATIONS).map_err(MigrationError::Failed)?;
    Ok(applied.iter().map(ToString::to_string).collect())
}

/// Takes the lock. Asks again and again instead of waiting inside a statement: an index that is built concurrently waits
/// for every statement that is under way, and so would wait for the one that waits for it.
fn wait_for_turn(connection: &mut PgConnection) -> Result<(), MigrationError> {
    let ask = format!("SELECT pg_try_advisory_lock({LOCK}) AS taken");
    loop {
        let turn: Turn = diesel::sql_query(&ask).get_result(connection).map_err(boxed)?;
        if turn.taken {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[derive(QueryableByName)]
struct Turn {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    taken: bool,
}

/// Compares the schemas.
pub fn schema_state(url: &str) -> Result<SchemaState, MigrationError> {
    let mut connection = connect(url).map_err(MigrationError::Unreachable)?;
    let pending = connection.pending_migrations(MIGRATIONS).map_err(MigrationError::Failed)?;
    if !pending.is_empty() {
        return Ok(SchemaState::Older(pending.iter().map(|step| step.name().to_string()).collect()));
    }
    let known: Vec<Box<dyn Migration<Pg>>> =
        diesel::migration::MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(MigrationError::Failed)?;
    let applied = connection.applied_migrations().map_err(MigrationError::Failed)?;
    Ok(if applied.len() > known.len() { SchemaState::Newer } else { SchemaState::Current })
}

fn boxed(error: diesel::result::Error) -> MigrationError {
    MigrationError::Failed(Box::new(error))
}

#[cfg(feature = "testing")]
pub(crate) fn revert_all(connection: &mut PgConnection) -> Result<usize, MigrationError> {
    let reverted = connection.revert_all_migrations(MIGRATIONS).map_err(MigrationError::Failed)?;
    Ok(reverted.len())
}
