//! Contract tests of the migrations.

mod common;

use adapter_postgres::testing::TestDatabase;
use adapter_postgres::{SchemaState, migrate, schema_state};

fn tables(db: &TestDatabase) -> Vec<String> {
    db.rows(
        "SELECT table_name, column_name, data_type FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name <> '__diesel_schema_migrations' ORDER BY 1, 2",
    )
}

fn constraints(db: &TestDatabase) -> Vec<String> {
    db.rows(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint \
         WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
    )
}

fn indexes(db: &TestDatabase) -> Vec<String> {
    db.rows("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")
}

#[test]
fn all_steps_apply_to_an_empty_database_can_be_undone_and_apply_again() {
    let db = TestDatabase::create_empty();
    let steps = migrate(db.url()).expect("migrates");
    assert!(!steps.is_empty());
    let made = (tables(&db), constraints(&db), indexes(&db));
    assert!(!made.0.is_empty());

    assert_eq!(db.revert_migrations(), steps.len());
    assert_eq!(tables(&db), Vec::<String>::new());
    let left = "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' \
         UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace";
    assert_eq!(db.rows(left), Vec::<String>::new(), "functions and extensions are undone, too");

    assert_eq!(migrate(db.url()).expect("migrates again"), steps);
    assert_eq!((tables(&db), constraints(&db), indexes(&db)), made);
}

#[test]
fn migrating_a_current_database_does_nothing() {
    let db = TestDatabase::create();
    assert_eq!(migrate(db.url()).expect("runs"), Vec::<String>::new());
}

#[test]
fn an_empty_database_is_older_and_lacks_all_steps() {
    let db = TestDatabase::create_empty();
    let state = schema_state(db.url()).expect("compares");
    assert!(matches!(&state, SchemaState::Older(missing) if !missing.is_empty()), "{state:?}");
    let applied = migrate(db.url()).expect("migrates");
    let SchemaState::Older(missing) = state else { panic!("checked above") };
    assert_eq!(missing.len(), applied.len());
    assert_eq!(schema_state(db.url()).expect("compares"), SchemaState::Current);
}

#[test]
fn a_database_with_steps_of_a_later_release_is_newer() {
    let db = TestDatabase::create();
    db.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000001')");
    assert_eq!(schema_state(db.url()).expect("compares"), SchemaState::Newer);
    assert_eq!(migrate(db.url()).expect("runs"), Vec::<String>::new());
}

#[test]
fn two_servers_that_migrate_at_once_both_succeed() {
    let db = TestDatabase::create_empty();
    let (first, second) = std::thread::scope(|scope| {
        let [first, second] = [(); 2].map(|()| scope.spawn(|| migrate(db.url())));
        (first.join().expect("no panic"), second.join().expect("no panic"))
    });
    let (first, second) = (first.expect("migrates"), second.expect("migrates"));
    assert!(first.is_empty() != second.is_empty(), "{first:?} {second:?}");
    assert_eq!(schema_state(db.url()).expect("compares"), SchemaState::Current);
}

#[test]
fn a_server_that_is_away_is_told_from_a_step_that_fails() {
    let db = TestDatabase::create_empty();
    db.allow_connections(false);
    let away = migrate(db.url()).expect_err("nobody may connect");
    assert!(matches!(away, adapter_postgres::MigrationError::Unreachable(_)), "{away:?}");
    db.allow_connections(true);
    db.execute("CREATE TABLE users ()");
    let failed = migrate(db.url()).expect_err("the table is there already");
    assert!(matches!(failed, adapter_postgres::MigrationError::Failed(_)), "{failed:?}");
    assert_eq!(tables(&db), Vec::<String>::new(), "a step that fails leaves nothing behind");
}

#[test]
fn a_backup_is_restored_with_an_empty_search_path() {
    let db = TestDatabase::create();
    // What pg_restore does: rows come back, and generated columns and triggers with them, without any schema in the path.
    db.execute(
        "SET search_path = ''; \
         INSERT INTO public.users (id, username, provider, first_name, last_name, created_at, updated_at) \
            VALUES ('00000000-0000-4000-8000-000000000001', 'zoe1', 'username', 'Zoë', 'Lee', now(), now()); \
         INSERT INTO public.organizations (id, name, s3_integrations_folder, created_at, updated_at) \
            VALUES ('00000000-0000-4000-8000-000000000002', 'North', 'north', now(), now()); \
         INSERT INTO public.memberships (id, organization_id, user_id, first_name, last_name, status, first_seen_at, \
            reporting_starts_on, created_at, updated_at) VALUES ('00000000-0000-4000-8000-000000000003', \
            '00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', 'Zoe', 'Lee', 'active', now(), \
            now(), now(), now()); \
         UPDATE public.users SET last_name = 'Renamed'",
    );
    let found = "SELECT account_last_name FROM memberships \
         WHERE search @@ name_query('00000000-0000-4000-8000-000000000002', 'zoe ren')";
    assert_eq!(db.rows(found), ["(Renamed)"]);
}
