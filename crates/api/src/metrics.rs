//! Numbers for Prometheus.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use adapter_postgres::PoolLoad;
use adapter_security::HashingLoad;
use domain_jobs::{JobKind, JobState};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answer {
    operation: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Operation {
    operation: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct JobLabel {
    kind: &'static str,
    state: &'static str,
}

/// Jobs by kind and state.
pub(crate) type JobCounts = BTreeMap<(JobKind, JobState), u64>;

/// Upper bounds of the latency histogram, in seconds: a read takes one or two milliseconds, a sign-in some hundred.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answer, Counter>,
    latency: Family<Operation, Histogram>,
    pool: Arc<PoolLoad>,
    hashing: Arc<HashingLoad>,
    jobs: Family<JobLabel, Gauge>,
    gauges: Gauges,
}

#[derive(Default)]
struct Gauges {
    pool_in_use: Gauge,
    pool_waiting: Gauge,
    hashing_running: Gauge,
    hashing_waiting: Gauge,
    statements: Counter<u64, AtomicU64>,
}

impl Metrics {
    pub(crate) fn new(pool: Arc<PoolLoad>, hashing: Arc<HashingLoad>) -> Self {
        let mut registry = Registry::with_prefix("worklete");
        let requests = Family::<Answer, Counter>::default();
        let latency = Family::<Operation, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let jobs = Family::<JobLabel, Gauge>::default();
        let gauges = Gauges::default();
        registry.register("http_requests", "Requests by operation and status", requests.clone());
        registry.register("http_request_seconds", "Time to answer by operation", latency.clone());
        let mut gauge = |name, help, gauge: &Gauge| registry.register(name, help, gauge.clone());
        gauge("db_connections_in_use", "Database connections in use", &gauges.pool_in_use);
        gauge("db_requests_waiting", "Requests waiting for a database connection", &gauges.pool_waiting);
        gauge("bcrypt_running", "Passwords being hashed", &gauges.hashing_running);
        gauge("bcrypt_waiting", "Passwords waiting to be hashed", &gauges.hashing_waiting);
        registry.register("db_statements", "Statements sent since the start", gauges.statements.clone());
        registry.register("jobs", "Jobs that are queued, running and dead, of all instances", jobs.clone());
        Self { registry, requests, latency, pool, hashing, jobs, gauges }
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, operation: String, status: u16, took: Duration) {
        let label = Operation { operation: operation.clone() };
        self.latency.get_or_create(&label).observe(took.as_secs_f64());
        self.requests.get_or_create(&Answer { operation, status }).inc();
    }

    /// The numbers in the text format of Prometheus. Of jobs nothing is said when nobody knows.
    pub(crate) fn render(&self, jobs: Option<&JobCounts>) -> String {
        let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        if jobs.is_none() {
            self.jobs.clear();
        }
        for ((kind, state), count) in jobs.into_iter().flatten() {
            let label = JobLabel { kind: kind.as_str(), state: state.as_str() };
            self.jobs.get_or_create(&label).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        self.gauges.pool_in_use.set(whole(self.pool.in_use()));
        self.gauges.pool_waiting.set(whole(self.pool.waiting()));
        self.gauges.hashing_running.set(whole(self.hashing.running()));
        self.gauges.hashing_waiting.set(whole(self.hashing.waiting()));
        self.gauges.statements.inner().store(self.pool.statements(), Ordering::Relaxed);
        let mut text = String::new();
        // Writing to a string does not fail; if it did, no numbers are the honest answer.
        encode(&mut text, &self.registry).map(|()| text).unwrap_or_default()
    }
}
