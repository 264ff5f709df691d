use std::error::Error;
use std::fmt;

use diesel::result::{DatabaseErrorKind, Error as SqlError};
use domain_kernel::StorageError;

/// What can go wrong in a closure over a connection: the domain says no (`E`), the database does, or it is away.
#[derive(Debug)]
pub enum PgError<E> {
    /// The domain's own error; what was written is rolled back.
    Refused(E),
    /// A statement failed.
    Sql(SqlError),
    /// No connection in time, or it broke, or a statement took too long.
    Unavailable(Box<dyn Error + Send + Sync>),
}

impl<E> From<SqlError> for PgError<E> {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl<E: From<StorageError>> PgError<E> {
    /// The domain error: `by_constraint` names the one that a violated constraint stands for; everything else is the
    /// opaque storage error.
    pub fn into_domain(self, by_constraint: impl FnOnce(&str) -> Option<E>) -> E {
        match self {
            Self::Refused(error) => error,
            Self::Unavailable(cause) => StorageError::Unavailable(cause).into(),
            Self::Sql(error) => {
                let known = match &error {
                    SqlError::DatabaseError(_, info) => info.constraint_name().and_then(by_constraint),
                    _ => None,
                };
                known.unwrap_or_else(|| StorageError::Failed(Box::new(Redacted::from(error))).into())
            }
        }
    }

    /// The domain error when no constraint stands for one.
    pub fn into_storage(self) -> E {
        self.into_domain(|_| None)
    }
}

/// A statement's error without the values in it: PostgreSQL quotes what a client sent, and that may be a secret.
#[derive(Debug)]
struct Redacted {
    kind: String,
    message: String,
}

impl From<SqlError> for Redacted {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::DatabaseError(kind, info) => Self {
                kind: format!("{kind:?}"),
                message: info
                    .constraint_name()
                    .or(info.table_name())
                    .map_or_else(|| without_quotes(info.message()), str::to_owned),
            },
            other => Self { kind: "Query".into(), message: without_quotes(&other.to_string()) },
        }
    }
}

/// Cuts what stands between quotes.
pub(crate) fn without_quotes(message: &str) -> String {
    message.split('"').enumerate().map(|(i, part)| if i % 2 == 0 { part } else { "…" }).collect()
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl Error for Redacted {}

/// A stored value that the domain cannot read: somebody wrote to the database around the domain.
#[derive(Debug, thiserror::Error)]
#[error("a stored value of {table} breaks the rule `{rule}`")]
struct Unreadable {
    table: &'static str,
    rule: &'static str,
}

pub(crate) fn unreadable(table: &'static str, rule: &'static str) -> StorageError {
    StorageError::Failed(Box::new(Unreadable { table, rule }))
}

/// What a statement's error says of its connection and of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Only the statement is at fault.
    Statement,
    /// Not sure: this one connection is given up.
    Unclear,
    /// The server is there but overloaded.
    Busy,
    /// The server is gone or was restarted: so are all connections made before.
    Lost,
}

/// libpq tells a lost server by these words only; diesel gives no SQLSTATE.
const LOST: [&str; 8] = [
    "server closed the connection",
    "terminating connection",
    "no connection to the server",
    "connection to server",
    "could not receive data from server",
    "could not send data to server",
    "the database system is",
    "SSL connection has been closed",
];

/// What a server that is there but overloaded says.
const BUSY: [&str; 4] = [
    "canceling statement due to",
    "deadlock detected",
    "could not serialize access",
    "too many clients already",
];

pub(crate) fn verdict(error: &SqlError) -> Verdict {
    use DatabaseErrorKind::{ClosedConnection, SerializationFailure, UnableToSendCommand, Unknown};
    let (kind, info) = match error {
        SqlError::DatabaseError(kind, info) => (kind, info),
        SqlError::BrokenTransactionManager => return Verdict::Lost,
        _ => return Verdict::Statement,
    };
    let says = |words: &[&str]| words.iter().any(|word| info.message().contains(word));
    match kind {
        _ if matches!(kind, ClosedConnection | UnableToSendCommand) || says(&LOST) => Verdict::Lost,
        _ if matches!(kind, SerializationFailure) || says(&BUSY) => Verdict::Busy,
        Unknown => Verdict::Unclear,
        _ => Verdict::Statement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database_error(kind: DatabaseErrorKind, message: &str) -> SqlError {
        SqlError::DatabaseError(kind, Box::new(message.to_owned()))
    }

    #[test]
    fn a_lost_server_is_told_from_a_failed_statement() {
        let judged = |kind, message| verdict(&database_error(kind, message));
        let (unknown, unique) = (DatabaseErrorKind::Unknown, DatabaseErrorKind::UniqueViolation);
        let restarted = "terminating connection due to administrator command";
        assert_eq!(judged(unknown, restarted), Verdict::Lost);
        assert_eq!(judged(unknown, "canceling statement due to statement timeout"), Verdict::Busy);
        assert_eq!(judged(unknown, "something odd"), Verdict::Unclear);
        assert_eq!(judged(unique, "duplicate key"), Verdict::Statement);
    }

    #[test]
    fn what_a_client_sent_is_cut_from_messages() {
        let error =
            database_error(DatabaseErrorKind::Unknown, "invalid input syntax: \"hunter22\" is no date");
        assert_eq!(Redacted::from(error).to_string(), "Unknown: invalid input syntax: … is no date");
    }
}
