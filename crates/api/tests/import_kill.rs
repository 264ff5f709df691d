//! A server that is killed while it imports a roster: the next one does the rest, once.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use adapter_postgres::testing::TestDatabase;

const ORGANIZATION: &str = "00000000-0000-4000-8000-000000000001";
const LINES: usize = 6000;

/// Ends with the test.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Worker {
    /// `worklete work` with a storage in the folder.
    fn start(database: &TestDatabase, folder: &std::path::Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worklete"));
        let variables = [
            ("DATABASE_URL", database.url()),
            ("WORKLETE_ENV", "development"),
            ("S3_EMBEDDED_FOLDER", folder.to_str().expect("a path")),
            ("WORKERS", "1"),
            ("WORKER_LEASE_SECONDS", "5"),
            ("ROSTER_POLL_SECONDS", "1"),
        ];
        command.arg("work").env_clear().envs(variables).current_dir(folder);
        Self(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("starts"),
        )
    }

    /// As the kernel does it: nothing is put in order.
    fn kill(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        self.kill();
        if let Some(stderr) = &mut self.0.stderr {
            drop(stderr.read_to_string(&mut text));
        }
        text
    }
}

/// People of whom some are there already, some are new, some leave, and some lines are bad.
fn roster() -> String {
    let line = |n: usize| match n % 10 {
        7 => format!("E-{n},,Lee,,,,\n"),
        8 => format!("E-{n},Ann,Lee,Driver,Team {},,deactivated\n", n % 3),
        _ => format!("E-{n},Ann,Lee,Picker,Team {},{},\n", n % 3, n.is_multiple_of(100)),
    };
    "external_id,first_name,last_name,job_title,team,team_admin,status\n".to_owned()
        + &(0..LINES).map(line).collect::<String>()
}

fn prepare(folder: &std::path::Path) -> TestDatabase {
    let database = TestDatabase::create();
    database.execute(&format!(
        "INSERT INTO organizations (id, name, s3_integrations_folder, created_at, updated_at) \
         VALUES ('{ORGANIZATION}', 'Harbor', 'harbor', now(), now()); \
         INSERT INTO memberships (id, organization_id, external_id, first_name, last_name, status, first_seen_at, \
            reporting_starts_on, created_at, updated_at) \
         SELECT gen_random_uuid(), '{ORGANIZATION}', 'E-' || n, 'Old', 'Name', 'pending', now(), now(), now(), now() \
         FROM generate_series(0, 2999) n; \
         INSERT INTO memberships (id, organization_id, external_id, first_name, last_name, status, first_seen_at, \
            reporting_starts_on, created_at, updated_at) \
         SELECT gen_random_uuid(), '{ORGANIZATION}', 'M-' || n, 'Not', 'There', 'pending', now(), now(), now(), now() \
         FROM generate_series(1, 300) n"
    ));
    let bucket = folder.join("integrations/harbor");
    std::fs::create_dir_all(&bucket).expect("a folder");
    std::fs::write(bucket.join("roster.csv"), roster()).expect("a file");
    database.execute("UPDATE organizations SET import_mode = 'snapshot'");
    database
}

/// What is in the database, without ids and times.
fn outcome(database: &TestDatabase) -> Vec<String> {
    let mut rows = database.rows(
        "SELECT m.external_id, m.first_name, m.job_title, m.status, \
            ARRAY(SELECT t.name FROM team_memberships x JOIN teams t ON t.id = x.team_id WHERE x.membership_id = m.id), \
            ARRAY(SELECT t.name FROM team_admins x JOIN teams t ON t.id = x.team_id WHERE x.membership_id = m.id), \
            (SELECT count(*) FROM invitations i WHERE i.membership_id = m.id) FROM memberships m ORDER BY m.external_id",
    );
    rows.extend(database.rows(
        "SELECT state, rows_count, created_count, updated_count, unchanged_count, reactivated_count, deactivated_count, \
            rejected_count, errors_total, reported FROM imports",
    ));
    rows.extend(database.rows("SELECT line, action, count(*) FROM import_rows GROUP BY 1, 2 ORDER BY 1, 2"));
    rows.extend(database.rows("SELECT name, count(*) FROM teams GROUP BY name ORDER BY name"));
    rows
}

fn is(database: &TestDatabase, condition: &str) -> bool {
    database.rows(&format!("SELECT 1 FROM imports WHERE {condition}")).len() == 1
}

fn until(database: &TestDatabase, worker: &mut Worker, condition: &str) {
    let start = Instant::now();
    while !is(database, condition) {
        if start.elapsed() > Duration::from_secs(90) {
            let seen = database.rows("SELECT state, applied_line, trouble_code FROM imports");
            panic!("not {condition}: {seen:?} {}", worker.errors());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn whenever_a_worker_dies_the_import_ends_once_and_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let undisturbed = prepare(folder.path());
    let confirm = |database: &TestDatabase| {
        database.execute("UPDATE imports SET state = 'queued', is_confirmed = true, trouble_code = NULL WHERE state = 'held'");
    };
    let mut worker = Worker::start(&undisturbed, folder.path());
    until(&undisturbed, &mut worker, "state = 'held'");
    confirm(&undisturbed);
    until(&undisturbed, &mut worker, "state = 'done'");
    worker.kill();
    let expected = outcome(&undisturbed);

    let folder = tempfile::tempdir().expect("a folder");
    let database = prepare(folder.path());
    let mut worker = Worker::start(&database, folder.path());
    until(&database, &mut worker, "state IN ('running', 'held')");
    worker.kill();
    let mut worker = Worker::start(&database, folder.path());
    until(&database, &mut worker, "state = 'held'");
    worker.kill();
    confirm(&database);
    // While it stages, soon after it began to apply, later, and among those who are missing.
    for stage in [
        "run IS NOT NULL AND state = 'running'",
        "applied_line > 500",
        "applied_line > 3000",
        "missing_after IS NOT NULL",
    ] {
        let mut worker = Worker::start(&database, folder.path());
        until(&database, &mut worker, &format!("{stage} OR state = 'done'"));
        assert!(
            !is(&database, "state = 'done'") || stage.starts_with("missing"),
            "it was too fast to be killed: {stage}"
        );
        worker.kill();
    }
    let mut worker = Worker::start(&database, folder.path());
    until(&database, &mut worker, "state = 'done'");
    worker.kill();
    assert_eq!(outcome(&database), expected);
    assert_eq!(
        database.rows("SELECT state FROM jobs WHERE state IN ('queued', 'dead')"),
        Vec::<String>::new()
    );
}
