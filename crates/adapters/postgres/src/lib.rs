//! All SQL: the pool, the migrations and one module per domain.
//!
//! Two verbs reach the database: [`Pg::read`] and [`Pg::write`]. A port method is one call of one of them.

mod assignments;
mod audit;
mod champions;
mod connect;
mod course_versions;
mod courses;
mod erasure;
mod error;
mod feed;
mod import_runs;
mod imports;
mod invitations;
mod jobs;
mod membership_queries;
mod membership_view;
mod memberships;
mod migrations;
mod orgs;
mod pool;
mod refinements;
mod rounds;
#[expect(unreachable_pub, reason = "the diesel command writes it")]
mod schema;
mod scores;
mod server_facts;
mod signals;
mod sql;
mod team_links;
mod teams;
#[cfg(feature = "testing")]
pub mod testing;
mod training;
mod user_archive;
mod user_queries;
mod users;

pub use assignments::PgAssignments;
pub use courses::PgCourses;
pub use error::PgError;
pub use imports::PgImports;
pub use jobs::PgJobs;
pub use memberships::PgMemberships;
pub use migrations::{MigrationError, SchemaState, migrate, schema_state};
pub use orgs::PgOrganizations;
pub use pool::{Pg, PgSettings, PoolLoad};
pub use server_facts::{ServerFacts, server_facts};
pub use signals::{PgSignals, SignalExchange};
pub use teams::PgTeams;
pub use training::PgTraining;
pub use users::PgUsers;
