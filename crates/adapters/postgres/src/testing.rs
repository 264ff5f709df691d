//! Databases for tests: each test has its own, cloned from a migrated template, and drops it when it is done.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use url::Url;
use uuid::Uuid;

use crate::{Pg, PgSettings, migrations};

/// A database of a test's own.
pub struct TestDatabase {
    name: String,
    admin_url: String,
    url: String,
}

#[derive(QueryableByName)]
struct Exists {
    #[diesel(sql_type = Bool)]
    exists: bool,
}

impl TestDatabase {
    /// Clones the template, which the first test of a run makes.
    ///
    /// # Panics
    ///
    /// When `TEST_DATABASE_URL` does not name a server where databases may be made.
    pub fn create() -> Self {
        let admin_url = std::env::var("TEST_DATABASE_URL").expect(
            "TEST_DATABASE_URL must name a PostgreSQL server for tests: run `scripts/test -p <crate>`, which starts one",
        );
        let mut admin = connect(&admin_url);
        let template = template(&mut admin, &admin_url);
        let name = new_name();
        execute(&mut admin, &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        let url = with_database(&admin_url, &name);
        Self { name, admin_url, url }
    }

    /// A database without any table.
    ///
    /// # Panics
    ///
    /// Like [`create`](Self::create).
    pub fn create_empty() -> Self {
        let admin_url =
            std::env::var("TEST_DATABASE_URL").expect("TEST_DATABASE_URL must name a PostgreSQL server");
        let name = new_name();
        execute(&mut connect(&admin_url), &format!("CREATE DATABASE {name}"));
        let url = with_database(&admin_url, &name);
        Self { name, admin_url, url }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A small pool over it.
    pub fn pg(&self) -> Pg {
        Pg::new(PgSettings {
            url: self.url.clone(),
            pool_size: 8,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(10),
        })
    }

    /// Runs statements, such as those that prepare what no port writes yet.
    ///
    /// # Panics
    ///
    /// When one fails.
    pub fn execute(&self, sql: &str) {
        execute(&mut connect(&self.url), sql);
    }

    /// Runs statements and gives the error of the first that fails.
    pub fn try_execute(&self, sql: &str) -> Result<(), String> {
        use diesel::connection::SimpleConnection;
        connect(&self.url).batch_execute(sql).map_err(|error| error.to_string())
    }

    /// The rows of a query, each as one text.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            row: String,
        }
        let wrapped = format!("SELECT r::text AS row FROM ({sql}) AS r");
        let rows: Vec<Row> =
            diesel::sql_query(wrapped).load(&mut connect(&self.url)).expect("the query runs");
        rows.into_iter().map(|row| row.row).collect()
    }

    /// Undoes all migrations. Gives their number.
    ///
    /// # Panics
    ///
    /// When one cannot be undone.
    pub fn revert_migrations(&self) -> usize {
        migrations::revert_all(&mut connect(&self.url)).expect("each step can be undone")
    }

    /// Ends every connection to the database, as a restart of the server does.
    ///
    /// # Panics
    ///
    /// When the server is away.
    pub fn cut_connections(&self) {
        let name = &self.name;
        execute(
            &mut connect(&self.admin_url),
            &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
        );
    }

    /// Lets nobody connect (or lets them again).
    ///
    /// # Panics
    ///
    /// When the server is away.
    pub fn allow_connections(&self, allow: bool) {
        let name = &self.name;
        let sql = format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {allow}");
        execute(&mut connect(&self.admin_url), &sql);
    }

    /// Refuses every write from now on, for connections made after this.
    ///
    /// # Panics
    ///
    /// When the server is away.
    pub fn make_read_only(&self) {
        let name = &self.name;
        let sql = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
        execute(&mut connect(&self.admin_url), &sql);
        self.cut_connections();
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Ok(mut admin) = PgConnection::establish(&self.admin_url) {
            let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
            // Nothing to be done about a failure while dropping; the throw-away cluster takes the rest with it.
            drop(diesel::sql_query(sql).execute(&mut admin));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the name of a database means nothing to the domain")]
fn new_name() -> String {
    format!("test_{}", Uuid::now_v7().simple())
}

fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).expect("the PostgreSQL server for tests is there")
}

fn execute(connection: &mut PgConnection, sql: &str) {
    use diesel::connection::SimpleConnection;
    connection.batch_execute(sql).expect("the statement runs");
}

fn with_database(url: &str, name: &str) -> String {
    let mut url = Url::parse(url).expect("TEST_DATABASE_URL is a URL");
    url.set_path(name);
    url.into()
}

/// The name of the migrated database that all others are cloned from. It carries a digest of the steps, so that an edited
/// step makes a new one.
fn template(admin: &mut PgConnection, admin_url: &str) -> String {
    let mut hasher = DefaultHasher::new();
    let steps = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../migrations"));
    let mut files: Vec<_> = fs::read_dir(steps)
        .expect("the migrations are there")
        .flatten()
        .map(|entry| entry.path().join("up.sql"))
        .filter(|file| file.exists())
        .collect();
    files.sort();
    for file in files {
        fs::read(file).expect("a readable step").hash(&mut hasher);
    }
    let name = format!("template_{:016x}", hasher.finish());
    let half_made = format!("{name}_making");
    execute(admin, "SELECT pg_advisory_lock(7001)");
    let exists: Exists =
        diesel::sql_query("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) AS exists")
            .bind::<Text, _>(&name)
            .get_result(admin)
            .expect("the catalogue can be read");
    if !exists.exists {
        execute(admin, &format!("DROP DATABASE IF EXISTS {half_made}"));
        execute(admin, &format!("CREATE DATABASE {half_made}"));
        migrations::migrate(&with_database(admin_url, &half_made)).expect("the migrations run");
        execute(admin, &format!("ALTER DATABASE {half_made} RENAME TO {name}"));
    }
    execute(admin, "SELECT pg_advisory_unlock(7001)");
    name
}
