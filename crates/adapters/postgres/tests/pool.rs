//! Tests of the pool: panics, errors, a database that goes away and comes back, and too many requests.

mod common;

use std::convert::Infallible;
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use adapter_postgres::testing::TestDatabase;
use adapter_postgres::{Pg, PgError};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use domain_kernel::StorageError;
use domain_users::UserError;

use crate::common::{Ports, a_registration, a_user, all_at_once, count, everything, pool};

type Outcome<T> = Result<T, PgError<Infallible>>;

const INSERT: &str = "INSERT INTO organizations (id, name, s3_integrations_folder, created_at, updated_at) \
     VALUES ('00000000-0000-0000-0000-000000000001', 'North', 'north', now(), now())";

fn batch(connection: &mut PgConnection, sql: &str) -> Outcome<()> {
    Ok(connection.batch_execute(sql)?)
}

/// The pool's own connections as the server sees them.
fn connections(db: &TestDatabase, condition: &str) -> usize {
    count(
        db,
        &format!(
            "pg_stat_activity WHERE datname = current_database() AND application_name = 'worklete' AND {condition}"
        ),
    )
}

/// Asks again and again, for half a minute at most.
async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), asking).await;
    in_time.expect("what the test waits for happens");
}

/// Uses all `n` connections of the pool at the same time, so that all are open.
async fn open_all(pg: &Pg, n: usize) {
    let meeting = Arc::new(Barrier::new(n));
    let reads = (0..n).map(|_| {
        let (pg, meeting) = (pg.clone(), Arc::clone(&meeting));
        async move {
            let read = pg.read(move |connection| {
                meeting.wait();
                batch(connection, "SELECT 1")
            });
            read.await.expect("the database is there");
        }
    });
    all_at_once(reads).await;
}

/// A request that holds its connection until it is told to go on.
fn hold(pg: &Pg) -> (tokio::task::JoinHandle<Outcome<()>>, mpsc::Sender<()>) {
    let (go_on, told) = mpsc::channel::<()>();
    let pg = pg.clone();
    let held = tokio::spawn(async move {
        let write = pg.write(move |connection| {
            batch(connection, INSERT)?;
            told.recv().expect("told to go on");
            Ok(())
        });
        write.await
    });
    (held, go_on)
}

// --- closures ----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_panic_in_a_closure_reaches_the_caller_and_leaves_the_pool_usable() {
    let db = TestDatabase::create();
    let pg = pool(&db, 1, 5_000, 5_000);
    for _ in 0..3 {
        let this = pg.clone();
        let write = tokio::spawn(async move {
            let write = this.write(|connection| -> Outcome<()> {
                batch(connection, INSERT)?;
                panic!("on purpose")
            });
            write.await
        });
        let panic = write.await.expect_err("the closure panics").into_panic();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
        assert_eq!((pg.load().in_use(), pg.load().waiting()), (0, 0));
    }
    // A connection that was left in a transaction which the pool did not begin is not used again either.
    let this = pg.clone();
    let read = tokio::spawn(async move {
        let read = this.read(|connection| -> Outcome<()> {
            batch(connection, "BEGIN")?;
            batch(connection, INSERT)?;
            panic!("on purpose")
        });
        read.await
    });
    assert!(read.await.expect_err("the closure panics").is_panic());
    // The same key: this would wait for a transaction that was left open, and fail after one that was committed.
    pg.write(|connection| batch(connection, INSERT)).await.expect("nothing is left of the panics");
    assert_eq!(count(&db, "organizations"), 1);
    assert_eq!(connections(&db, "state LIKE 'idle in transaction%'"), 0);
}

#[tokio::test]
async fn an_error_of_the_closure_rolls_back_and_keeps_the_connection() {
    let db = TestDatabase::create();
    let pg = pool(&db, 1, 5_000, 5_000);
    let pid = |pg: Pg| async move {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Integer)]
            pid: i32,
        }
        let row = pg.read(|connection| -> Outcome<Row> {
            Ok(diesel::sql_query("SELECT pg_backend_pid() AS pid").get_result(connection)?)
        });
        row.await.expect("the database is there").pid
    };
    let first = pid(pg.clone()).await;

    let refused = pg.write(|connection| -> Result<(), PgError<&str>> {
        connection.batch_execute(INSERT)?;
        Err(PgError::Refused("no"))
    });
    let refused = refused.await;
    assert!(matches!(refused, Err(PgError::Refused("no"))), "{refused:?}");
    assert_eq!(count(&db, "organizations"), 0);

    let failed = pg.write(|connection| {
        batch(connection, INSERT)?;
        batch(connection, INSERT)
    });
    let failed = failed.await;
    assert!(matches!(failed, Err(PgError::Sql(_))), "{failed:?}");
    assert_eq!(count(&db, "organizations"), 0);

    pg.write(|connection| batch(connection, INSERT)).await.expect("the connection is fine");
    assert_eq!(count(&db, "organizations"), 1);
    assert_eq!(pid(pg).await, first, "no new connection was needed");
}

#[tokio::test]
async fn a_write_is_committed_even_if_the_request_has_given_up() {
    let db = TestDatabase::create();
    let pg = pool(&db, 1, 100, 5_000);
    let (held, go_on) = hold(&pg);
    until(async || pg.load().in_use() == 1).await;
    held.abort();
    assert!(held.await.expect_err("given up").is_cancelled());
    let full = pg.ping().await;
    assert!(matches!(full, Err(PgError::Unavailable(_))), "its connection is still in use: {full:?}");
    go_on.send(()).expect("the closure waits");
    until(async || pg.load().in_use() == 0).await;
    assert_eq!(count(&db, "organizations"), 1);
    pg.ping().await.expect("the connection is free again");
}

// --- load --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn statements_are_counted() {
    let db = TestDatabase::create();
    let pg = pool(&db, 1, 5_000, 5_000);
    let load = pg.load();
    pg.ping().await.expect("the database is there");
    assert_eq!(load.statements(), 1, "what sets a connection up is not counted");
    pg.write(|connection| batch(connection, INSERT)).await.expect("writes");
    assert_eq!(load.statements(), 4, "BEGIN, the statement, COMMIT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_too_long_for_the_only_connection_is_told_that_it_is_unavailable() {
    let db = TestDatabase::create();
    let pg = pool(&db, 1, 200, 10_000);
    let (held, go_on) = hold(&pg);
    until(async || pg.load().in_use() == 1).await;
    let waiting = (0..3).map(|_| {
        let pg = pg.clone();
        async move { pg.ping().await }
    });
    for result in all_at_once(waiting).await {
        assert!(matches!(result, Err(PgError::Unavailable(_))), "{result:?}");
    }
    go_on.send(()).expect("the closure waits");
    held.await.expect("no panic").expect("it was not disturbed");
    pg.ping().await.expect("the connection is free again");
    assert_eq!((pg.load().in_use(), pg.load().waiting()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_gets_the_connection_when_it_is_free_in_time() {
    let db = TestDatabase::create();
    let pg = pool(&db, 1, 10_000, 10_000);
    let (held, go_on) = hold(&pg);
    until(async || pg.load().in_use() == 1).await;
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let pg = pg.clone();
            tokio::spawn(async move { pg.ping().await })
        })
        .collect();
    until(async || pg.load().waiting() == 3).await;
    go_on.send(()).expect("the closure waits");
    held.await.expect("no panic").expect("it was not disturbed");
    for request in waiting {
        request.await.expect("no panic").expect("it was its turn");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_turns_away_who_waits_and_who_comes_and_lets_what_is_under_way_finish() {
    let db = TestDatabase::create();
    let pg = pool(&db, 1, 60_000, 10_000);
    let (held, go_on) = hold(&pg);
    until(async || pg.load().in_use() == 1).await;
    let this = pg.clone();
    let waiting = tokio::spawn(async move { this.ping().await });
    until(async || pg.load().waiting() == 1).await;
    pg.close();
    let waited = waiting.await.expect("no panic");
    assert!(matches!(waited, Err(PgError::Unavailable(_))), "{waited:?}");
    let late = pg.ping().await;
    assert!(matches!(late, Err(PgError::Unavailable(_))), "{late:?}");
    go_on.send(()).expect("the closure waits");
    held.await.expect("no panic").expect("it was under way");
    assert_eq!(count(&db, "organizations"), 1);
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_unavailable_and_rolled_back() {
    let db = TestDatabase::create();
    let pg = pool(&db, 1, 5_000, 200);
    let read = pg.read(|connection| batch(connection, "SELECT pg_sleep(30)")).await;
    assert!(matches!(read, Err(PgError::Unavailable(_))), "{read:?}");
    let write = pg.write(|connection| {
        batch(connection, INSERT)?;
        batch(connection, "SELECT pg_sleep(30)")
    });
    let write = write.await;
    assert!(matches!(write, Err(PgError::Unavailable(_))), "{write:?}");
    assert_eq!(count(&db, "organizations"), 0);
    pg.ping().await.expect("the connection is fine");
}

#[tokio::test]
async fn a_lock_that_takes_too_long_is_unavailable() {
    let db = TestDatabase::create();
    let holder = pool(&db, 1, 5_000, 10_000);
    let (held, go_on) = hold(&holder);
    until(async || connections(&db, "state = 'idle in transaction'") == 1).await;
    let pg = pool(&db, 1, 5_000, 200);
    let waited = pg.write(|connection| batch(connection, INSERT)).await;
    assert!(matches!(waited, Err(PgError::Unavailable(_))), "{waited:?}");
    go_on.send(()).expect("the closure waits");
    held.await.expect("no panic").expect("it was not disturbed");
}

// --- a database that goes away -----------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_fails_the_requests_under_way_and_no_later_one() {
    let db = TestDatabase::create();
    let pg = pool(&db, 4, 10_000, 30_000);
    open_all(&pg, 4).await;
    let under_way: Vec<_> = (0..3)
        .map(|_| {
            let pg = pg.clone();
            tokio::spawn(async move { pg.write(|connection| batch(connection, "SELECT pg_sleep(30)")).await })
        })
        .collect();
    until(async || connections(&db, "query LIKE '%pg_sleep%' AND state = 'active'") == 3).await;
    db.cut_connections();
    for request in under_way {
        let result = request.await.expect("no panic");
        assert!(matches!(result, Err(PgError::Unavailable(_))), "{result:?}");
    }
    let later = (0..8).map(|_| {
        let pg = pg.clone();
        async move { pg.ping().await }
    });
    for result in all_at_once(later).await {
        result.expect("the fourth connection, which nobody used, is known to be lost, too");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_while_nothing_is_under_way_fails_at_most_the_next_request() {
    let db = TestDatabase::create();
    let pg = pool(&db, 4, 10_000, 10_000);
    for _ in 0..2 {
        open_all(&pg, 4).await;
        db.cut_connections();
        until(async || connections(&db, "true") == 0).await;
        let next = pg.ping().await;
        assert!(matches!(next, Ok(()) | Err(PgError::Unavailable(_))), "{next:?}");
        for _ in 0..8 {
            pg.ping().await.expect("the lost connections are not used again");
        }
    }
}

#[tokio::test]
async fn a_write_that_loses_its_connection_is_unavailable_and_not_half_done() {
    let db = TestDatabase::create();
    let pg = pool(&db, 1, 10_000, 10_000);
    let (held, go_on) = hold(&pg);
    until(async || connections(&db, "state = 'idle in transaction'") == 1).await;
    db.cut_connections();
    until(async || connections(&db, "true") == 0).await;
    go_on.send(()).expect("the closure waits");
    let lost = held.await.expect("no panic");
    assert!(matches!(lost, Err(PgError::Unavailable(_))), "COMMIT cannot be sent: {lost:?}");
    assert_eq!(count(&db, "organizations"), 0);
    pg.write(|connection| batch(connection, INSERT)).await.expect("the next one works");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_requests_are_unavailable_in_time_and_it_recovers_by_itself() {
    let db = TestDatabase::create();
    let ports = Ports::on(pool(&db, 2, 300, 5_000));
    let (_, session) = ports.given_user("forklift-fan").await;
    open_all(&ports.pg, 2).await;
    let before = everything(&db);
    db.allow_connections(false);
    db.cut_connections();
    // The signal that ends a connection may come a moment after the first request.
    until(async || ports.pg.ping().await.is_err()).await;
    let requests = (0..6).map(|_| {
        let (ports, client) = (ports.clone(), session.client.clone());
        async move {
            let started = Instant::now();
            (ports.sessions.find(&client).await, started.elapsed())
        }
    });
    for (result, took) in all_at_once(requests).await {
        let is_unavailable = matches!(result, Err(UserError::Storage(StorageError::Unavailable(_))));
        assert!(is_unavailable, "{result:?}");
        // Waiting for a thread and waiting for a connection: each no longer than the acquire timeout of 300 ms.
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    let registration = a_registration(&a_user("newcomer"), None);
    let refused = ports.users.register(registration).await;
    assert!(matches!(refused, Err(UserError::Storage(StorageError::Unavailable(_)))), "{refused:?}");

    db.allow_connections(true);
    until(async || ports.pg.ping().await.is_ok()).await;
    assert!(ports.sessions.find(&session.client).await.expect("it is back").is_some());
    assert_eq!(everything(&db), before);
    open_all(&ports.pg, 2).await;
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_may_come_later() {
    let db = TestDatabase::create();
    db.allow_connections(false);
    let pg = pool(&db, 2, 300, 5_000);
    let away = pg.ping().await;
    assert!(matches!(away, Err(PgError::Unavailable(_))), "{away:?}");
    db.allow_connections(true);
    until(async || pg.ping().await.is_ok()).await;
    pg.write(|connection| batch(connection, INSERT)).await.expect("it is there");
}

#[tokio::test]
async fn a_read_only_database_refuses_writes_and_answers_reads() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (_, session) = ports.given_user("forklift-fan").await;
    let before = everything(&db);
    db.make_read_only();
    let fresh = Ports::over(&db);
    assert!(fresh.sessions.find(&session.client).await.expect("reads work").is_some());
    let refused = fresh.users.register(a_registration(&a_user("newcomer"), None)).await;
    assert!(matches!(refused, Err(UserError::Storage(_))), "{refused:?}");
    assert!(fresh.sessions.find(&session.client).await.expect("reads still work").is_some());
    assert_eq!(everything(&db), before);
}

// --- prepared statements -----------------------------------------------------------------------------------------

#[derive(QueryableByName)]
struct Prepared {
    #[diesel(sql_type = Text)]
    statement: String,
    #[diesel(sql_type = BigInt)]
    uses: i64,
}

#[tokio::test]
async fn a_session_looked_up_many_times_is_prepared_once() {
    let db = TestDatabase::create();
    let (_, session) = Ports::over(&db).given_user("forklift-fan").await;
    let ports = Ports::on(pool(&db, 1, 5_000, 5_000));
    for _ in 0..20 {
        assert!(ports.sessions.find(&session.client).await.expect("looked up").is_some());
    }
    let prepared = ports.pg.read(|connection| -> Outcome<Vec<Prepared>> {
        let query = "SELECT statement, generic_plans + custom_plans AS uses FROM pg_prepared_statements \
             WHERE statement LIKE '%FROM sessions%'";
        Ok(diesel::sql_query(query).load(connection)?)
    });
    let prepared = prepared.await.expect("the same connection answers");
    let [only] = prepared.as_slice() else { panic!("prepared {} times", prepared.len()) };
    assert!(only.statement.contains("s.client_id = $1"), "{}", only.statement);
    assert_eq!(only.uses, 20);
}
