use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text, Timestamptz};

use crate::MigrationError;
use crate::connect::connect;
use crate::error::without_quotes;
use crate::sql::statement;

/// What a database server tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct ServerFacts {
    /// Its version as it spells it.
    pub version: String,
    /// The number before the dot.
    pub major_version: i32,
    /// Its clock.
    pub now: DateTime<Utc>,
}

/// Asks the server. Fails with [`MigrationError::Unreachable`].
pub fn server_facts(url: &str) -> Result<ServerFacts, MigrationError> {
    let mut connection = connect(url).map_err(MigrationError::Unreachable)?;
    let facts = statement(
        "SELECT current_setting('server_version'), current_setting('server_version_num')::integer / 10000, \
         clock_timestamp()",
    );
    let facts = facts.rows::<(Text, Integer, Timestamptz)>().get_result(&mut connection);
    facts.map_err(|error| MigrationError::Unreachable(without_quotes(&error.to_string())))
}
