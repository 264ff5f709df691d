//! Contract tests of `JobQueue` and `JobQueries`.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use adapter_postgres::PgJobs;
use adapter_postgres::testing::TestDatabase;
use chrono::{DateTime, TimeDelta, Utc};
use domain_jobs::ports::{JobFilter, JobQueries, JobQueue};
use domain_jobs::{Job, JobKind, JobState};
use domain_kernel::OrgId;
use uuid::Uuid;

use crate::common::{Lock, Ports, all_at_once, at, everything, next_id, page, pool};

const KINDS: [JobKind; 1] = [JobKind::RosterImport];
const LEASE: TimeDelta = TimeDelta::minutes(1);

/// An empty queue.
fn queue() -> (TestDatabase, Arc<PgJobs>) {
    let db = TestDatabase::create();
    let jobs = Arc::new(PgJobs::new(pool(&db, 8, 5000, 5000)));
    (db, jobs)
}

fn given(db: &TestDatabase, run_at: DateTime<Utc>) -> Uuid {
    let id = next_id();
    db.execute(&format!(
        "INSERT INTO jobs (id, kind, subject, run_at, created_at) \
         VALUES ('{id}', 'roster_import', '{}', '{run_at}', '{}')",
        next_id(),
        at(0)
    ));
    id
}

async fn claim(jobs: &PgJobs, worker: &str, now: DateTime<Utc>) -> Option<Job> {
    jobs.claim(worker, &KINDS, now, now + LEASE).await.expect("asked")
}

async fn stored(jobs: &PgJobs, id: Uuid) -> Job {
    let all = jobs.list(JobFilter::default(), page(0, 1000)).await.expect("a page");
    all.items.into_iter().find(|job| job.id.uuid() == id).expect("a job")
}

#[tokio::test]
async fn the_job_that_is_due_longest_is_claimed_and_none_before_its_time() {
    let (db, jobs) = queue();
    let [later, sooner] = [given(&db, at(5)), given(&db, at(1))];
    assert_eq!(claim(&jobs, "w1", at(0)).await, None);
    let job = claim(&jobs, "w1", at(10)).await.expect("a job");
    assert_eq!((job.id.uuid(), job.state, job.attempt), (sooner, JobState::Running, 1));
    assert_eq!((job.worker.as_deref(), job.locked_until), (Some("w1"), Some(at(11))));
    assert_eq!(job.started_at, Some(at(10)));
    assert_eq!(stored(&jobs, sooner).await, job);
    assert_eq!(claim(&jobs, "w2", at(10)).await.map(|job| job.id.uuid()), Some(later));
    assert_eq!(claim(&jobs, "w3", at(10)).await, None);
    assert_eq!(jobs.claim("w3", &[], at(99), at(100)).await.expect("asked"), None, "of no kind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_workers_at_once_no_two_get_the_same_job() {
    let (db, jobs) = queue();
    let all: BTreeSet<Uuid> = (0..20).map(|_| given(&db, at(0))).collect();
    let claims = (0..30).map(|n| {
        let jobs = Arc::clone(&jobs);
        async move { claim(&jobs, &format!("w{n}"), at(1)).await }
    });
    let mut claimed: Vec<Uuid> =
        all_at_once(claims).await.into_iter().flatten().map(|job| job.id.uuid()).collect();
    let count = claimed.len();
    claimed.sort_unstable();
    claimed.dedup();
    assert_eq!(claimed.len(), count, "none twice");
    while let Some(job) = claim(&jobs, "late", at(1)).await {
        claimed.push(job.id.uuid());
    }
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), all, "and none left");
}

#[tokio::test]
async fn who_claims_waits_for_nobody_who_is_about_to_claim() {
    let (db, jobs) = queue();
    let [first, second] = [given(&db, at(0)), given(&db, at(1))];
    let lock = Lock::take(&db, &format!("SELECT 1 FROM jobs WHERE id = '{first}' FOR UPDATE"));
    assert_eq!(claim(&jobs, "w1", at(2)).await.map(|job| job.id.uuid()), Some(second));
    assert_eq!(claim(&jobs, "w2", at(2)).await, None);
    lock.release();
    assert_eq!(claim(&jobs, "w2", at(2)).await.map(|job| job.id.uuid()), Some(first));
}

#[tokio::test]
async fn a_lease_that_ends_without_a_word_is_taken_over_and_lost() {
    let (db, jobs) = queue();
    let id = given(&db, at(0));
    let first = claim(&jobs, "w1", at(0)).await.expect("a job");
    assert!(jobs.extend(&first.lease(), 40.0, at(3)).await.expect("told"));
    let running = stored(&jobs, id).await;
    assert_eq!(running, Job { percent: 40.0, locked_until: Some(at(3)), ..first.clone() });
    assert_eq!(claim(&jobs, "w2", at(3) - TimeDelta::seconds(1)).await, None, "the word counts");
    let second = claim(&jobs, "w2", at(3)).await.expect("taken over");
    assert_eq!((second.attempt, second.worker.as_deref()), (2, Some("w2")));
    assert_eq!(second.started_at, first.started_at);
    let before = everything(&db);
    let lease = first.lease();
    assert!(!jobs.extend(&lease, 50.0, at(9)).await.expect("told"));
    assert!(!jobs.finish(&lease, at(9)).await.expect("told"));
    assert!(!jobs.fail(&lease, "late".into(), None, at(9)).await.expect("told"));
    assert!(!jobs.postpone(&lease, at(9)).await.expect("told"));
    assert_eq!(everything(&db), before, "nothing of a lost lease is taken");
    assert!(jobs.finish(&second.lease(), at(9)).await.expect("told"));
    let done = stored(&jobs, id).await;
    assert_eq!((done.state, done.percent, done.finished_at), (JobState::Done, 100.0, Some(at(9))));
    assert_eq!(done.locked_until, None);
}

#[tokio::test]
async fn what_failed_comes_back_at_its_time_or_is_dead() {
    let (db, jobs) = queue();
    let id = given(&db, at(0));
    let job = claim(&jobs, "w1", at(0)).await.expect("a job");
    assert!(jobs.fail(&job.lease(), "no network".into(), Some(at(5)), at(1)).await.expect("told"));
    let waiting = stored(&jobs, id).await;
    assert_eq!((waiting.state, waiting.run_at), (JobState::Queued, at(5)));
    assert_eq!((waiting.error.as_deref(), waiting.finished_at), (Some("no network"), None));
    assert_eq!(claim(&jobs, "w1", at(4)).await, None);
    let again = claim(&jobs, "w1", at(5)).await.expect("a job");
    assert_eq!(again.attempt, 2);
    assert!(jobs.fail(&again.lease(), "no such file".into(), None, at(6)).await.expect("told"));
    let dead = stored(&jobs, id).await;
    assert_eq!((dead.state, dead.finished_at), (JobState::Dead, Some(at(6))));
    assert_eq!(claim(&jobs, "w1", at(999)).await, None);
}

#[tokio::test]
async fn what_is_put_off_comes_back_at_its_time_and_has_used_up_no_attempt() {
    let (db, jobs) = queue();
    let id = given(&db, at(0));
    for minutes in 0..i64::from(Job::MAX_ATTEMPTS) * 2 {
        let job = claim(&jobs, "w1", at(minutes)).await.expect("a job");
        assert_eq!(job.attempt, 1);
        assert!(jobs.postpone(&job.lease(), at(minutes + 1)).await.expect("told"));
        let waiting = stored(&jobs, id).await;
        let (state, attempt, run_at) = (JobState::Queued, 0, at(minutes + 1));
        assert_eq!(waiting, Job { state, attempt, run_at, locked_until: None, ..job.clone() });
        assert!(!jobs.finish(&job.lease(), at(minutes)).await.expect("told"), "given back");
        assert_eq!(claim(&jobs, "w2", at(minutes)).await, None);
    }
}

#[tokio::test]
async fn who_is_silent_in_the_last_attempt_has_died_of_it() {
    let (db, jobs) = queue();
    let id = given(&db, at(0));
    for minutes in 0..i64::from(Job::MAX_ATTEMPTS) {
        assert!(claim(&jobs, "w1", at(minutes * 2)).await.is_some(), "attempt after {minutes}");
    }
    let next = given(&db, at(50));
    let given = claim(&jobs, "w1", at(100)).await.map(|job| job.id.uuid());
    assert_eq!(given, Some(next), "what comes after it does not wait");
    let dead = stored(&jobs, id).await;
    assert_eq!((dead.state, dead.attempt), (JobState::Dead, Job::MAX_ATTEMPTS));
    assert_eq!((dead.finished_at, dead.locked_until), (Some(at(100)), None));
    assert!(dead.error.is_some());
}

#[tokio::test]
async fn jobs_are_listed_newest_first_and_counted() {
    let (db, jobs) = queue();
    let ids: Vec<Uuid> = (0..3).map(|n| given(&db, at(n))).collect();
    db.execute(&format!("UPDATE jobs SET created_at = '{}' WHERE id = '{}'", at(9), ids[1]));
    let running = claim(&jobs, "w1", at(0)).await.expect("a job");
    let list = |filter: JobFilter, limit| {
        let jobs = Arc::clone(&jobs);
        async move {
            let page = jobs.list(filter, page(0, limit)).await.expect("a page");
            (page.items.into_iter().map(|job| job.id.uuid()).collect::<Vec<_>>(), page.total)
        }
    };
    assert_eq!(list(JobFilter::default(), 2).await, (vec![ids[1], ids[2]], 3));
    let filter = JobFilter { state: Some(JobState::Running), ..JobFilter::default() };
    assert_eq!(list(filter, 25).await, (vec![running.id.uuid()], 1));
    let counted = jobs.count().await.expect("counted");
    let of = |state| counted.get(&(JobKind::RosterImport, state)).copied();
    assert_eq!((of(JobState::Queued), of(JobState::Running), of(JobState::Dead)), (Some(2), Some(1), None));
    assert!(jobs.fail(&running.lease(), "no such file".into(), None, at(1)).await.expect("told"));
    let done = claim(&jobs, "w1", at(2)).await.expect("a job");
    assert!(jobs.finish(&done.lease(), at(2)).await.expect("told"));
    let counted: Vec<_> = jobs.count().await.expect("counted").into_iter().collect();
    let counts = [(JobState::Queued, 1), (JobState::Dead, 1)];
    assert_eq!(counted, counts.map(|(state, count)| ((JobKind::RosterImport, state), count)));
}

#[tokio::test]
async fn jobs_are_listed_by_kind_and_organization() {
    let (db, jobs) = queue();
    let (_, _, organization) = Ports::ready(&db).await;
    let [of_it, _of_none] = [given(&db, at(0)), given(&db, at(1))];
    db.execute(&format!("UPDATE jobs SET organization_id = '{}' WHERE id = '{of_it}'", organization.uuid()));
    let kind = Some(JobKind::RosterImport);
    for (filter, expected) in [
        (JobFilter { organization: Some(organization), ..JobFilter::default() }, 1),
        (JobFilter { organization: Some(organization), kind, state: Some(JobState::Queued) }, 1),
        (JobFilter { organization: Some(organization), kind, state: Some(JobState::Dead) }, 0),
        (JobFilter { organization: Some(OrgId::new(next_id())), ..JobFilter::default() }, 0),
        (JobFilter { kind, ..JobFilter::default() }, 2),
    ] {
        let page = jobs.list(filter, page(0, 25)).await.expect("a page");
        assert_eq!((page.items.len(), page.total), (expected, expected.try_into().expect("few")));
        let is_its = |job: &Job| job.id.uuid() == of_it && job.organization == Some(organization);
        assert_eq!(page.items.iter().any(is_its), expected > 0);
    }
}
