//! Wires adapters to domains.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adapter_mail::{MailSetupError, Mailer};
use adapter_postgres::{
    Pg, PgAssignments, PgCourses, PgImports, PgJobs, PgMemberships, PgOrganizations, PgSignals, PgTeams,
    PgTraining, PgUsers, SignalExchange,
};
use adapter_security::{BcryptHasher, SecureRandom, SystemClock, UuidV7, WindowThrottle};
use domain_courses::{CourseService, LearningService, TrainingService};
use domain_jobs::{Handler, JobKind, JobService};
use domain_kernel::{Clock, IdGenerator, Throttle};
use domain_memberships::MembershipService;
use domain_memberships::roster::RosterService;
use domain_orgs::OrgService;
use domain_teams::TeamService;
use domain_users::{UserError, UserPorts, UserService};
use ipnet::IpNet;

use crate::config::{Config, ConfigError};
use crate::metrics::Metrics;
use crate::rosters::RosterJob;
use crate::storage::{NoFiles, Storage};
use crate::streams::Streams;

/// What cannot be wired.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The mail settings.
    #[error("{name}: {0}", name = mail_variable(.0))]
    Mail(#[from] MailSetupError),
    /// The password hasher.
    #[error("BCRYPT_COST: {0}")]
    Hasher(#[from] UserError),
}

fn mail_variable(error: &MailSetupError) -> &'static str {
    match error {
        MailSetupError::Sender => "MAIL_FROM",
        MailSetupError::Server => "SMTP_URL",
    }
}

/// The use cases of all domains.
#[derive(Clone)]
#[expect(missing_docs, reason = "the services say what they are")]
pub struct Services {
    pub users: UserService,
    pub orgs: OrgService,
    pub teams: TeamService,
    pub courses: CourseService,
    pub training: TrainingService,
    /// Courses as learners have them.
    pub learning: LearningService,
    pub memberships: MembershipService,
    pub rosters: RosterService,
    pub jobs: JobService,
}

/// What the HTTP layer itself needs.
pub(crate) struct Runtime {
    pub(crate) pg: Pg,
    pub(crate) metrics: Metrics,
    pub(crate) metrics_token: Option<String>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) speaks_tls: bool,
    pub(crate) max_body_bytes: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) streams: Streams,
    pub(crate) storage: Storage,
    pub(crate) storage_events: Option<StorageEvents>,
}

/// What a storage shows that tells of new files, and of which bucket.
pub(crate) struct StorageEvents {
    pub(crate) token: String,
    pub(crate) bucket: String,
}

/// Who does which kind of job, with the use cases as they are with their files. What nobody does is left to other servers.
fn handlers(services: &Services) -> BTreeMap<JobKind, Arc<dyn Handler>> {
    let rosters: Arc<dyn Handler> = Arc::new(RosterJob(services.rosters.clone()));
    [(JobKind::RosterImport, rosters)].into()
}

/// Jobs that nobody does yet.
fn jobs(pg: &Pg, config: &Config, clock: Arc<dyn Clock>) -> JobService {
    let jobs = Arc::new(PgJobs::new(pg.clone()));
    JobService {
        queue: jobs.clone(),
        queries: jobs,
        handlers: BTreeMap::new(),
        lease: config.worker_lease,
        clock,
        timer: Arc::new(SystemClock),
        dice: Arc::new(SecureRandom),
    }
}

/// Everything wired.
pub struct Composition {
    pub(crate) services: Services,
    pub(crate) runtime: Runtime,
    pub(crate) signals: SignalExchange,
}

impl Composition {
    /// Checks the settings that only the adapters understand.
    pub fn check(config: &Config) -> Result<(), ComposeError> {
        Mailer::new(config.mail.clone(), &config.mail_from, config.sign_up_url.clone())?;
        Ok(())
    }

    /// Wires everything. Connections are made in the background.
    pub fn new(config: &Config) -> Result<Self, ComposeError> {
        Self::with_clock(config, Arc::new(SystemClock))
    }

    /// The same with a clock that shows another time.
    #[expect(clippy::too_many_lines, reason = "a list, which grows with the services")]
    pub fn with_clock(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, ComposeError> {
        let pg = Pg::new(config.database.clone());
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let hasher = BcryptHasher::new(config.bcrypt_cost, threads, config.bcrypt_queue)?;
        let ids: Arc<dyn IdGenerator> = Arc::new(UuidV7);
        let throttle: Arc<dyn Throttle> =
            Arc::new(WindowThrottle::new(config.throttle.clone(), Arc::clone(&clock)));
        let users = Arc::new(PgUsers::new(pg.clone()));
        let teams = PgTeams::new(pg.clone());
        let courses = Arc::new(PgCourses::new(pg.clone()));
        let training = Arc::new(PgTraining::new(pg.clone()));
        let assignments = Arc::new(PgAssignments::new(pg.clone()));
        let (signals, exchange) = PgSignals::new(pg.clone());
        let hashing = hasher.load();
        let mailer =
            Arc::new(Mailer::new(config.mail.clone(), &config.mail_from, config.sign_up_url.clone())?);
        let memberships = Arc::new(PgMemberships::new(pg.clone()));
        let imports = Arc::new(PgImports::new(pg.clone()));
        let ports = UserPorts {
            users: users.clone(),
            queries: users.clone(),
            archive: users.clone(),
            audit: users.clone(),
            sessions: users.clone(),
            resets: users.clone(),
            champions: users,
            hasher: Arc::new(hasher),
            secrets: Arc::new(SecureRandom),
            mailer: mailer.clone(),
            throttle: Arc::clone(&throttle),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
        };
        let services = Services {
            users: UserService::new(ports, config.users.clone()),
            orgs: OrgService::new(
                Arc::new(PgOrganizations::new(pg.clone())),
                Arc::clone(&clock),
                Arc::clone(&ids),
            ),
            teams: TeamService {
                teams: Arc::new(teams.clone()),
                queries: Arc::new(teams.clone()),
                refinements: Arc::new(teams.clone()),
                scores: Arc::new(teams),
                clock: Arc::clone(&clock),
                ids: Arc::clone(&ids),
            },
            courses: CourseService {
                courses: courses.clone(),
                queries: courses.clone(),
                versions: courses.clone(),
                version_queries: courses,
                clock: Arc::clone(&clock),
                ids: Arc::clone(&ids),
            },
            training: TrainingService {
                training: training.clone(),
                queries: training,
                clock: Arc::clone(&clock),
                ids: Arc::clone(&ids),
            },
            learning: LearningService {
                assignments: assignments.clone(),
                queries: assignments,
                signals: Arc::new(signals),
                clock: Arc::clone(&clock),
                ids: Arc::clone(&ids),
            },
            jobs: jobs(&pg, config, Arc::clone(&clock)),
            memberships: MembershipService {
                memberships: memberships.clone(),
                queries: memberships.clone(),
                invitations: memberships.clone(),
                mailer,
                codes: Arc::new(SecureRandom),
                throttle,
                clock: Arc::clone(&clock),
                ids: Arc::clone(&ids),
                invitation_lifespan: config.invitation_lifespan,
            },
            rosters: RosterService {
                imports: imports.clone(),
                runs: imports.clone(),
                queries: imports,
                memberships,
                files: Arc::new(NoFiles),
                codes: Arc::new(SecureRandom),
                clock,
                ids,
                limits: config.rosters,
            },
        };
        let runtime = Runtime {
            metrics: Metrics::new(pg.load(), hashing),
            pg,
            metrics_token: config.metrics_token.clone(),
            trusted_proxies: config.trusted_proxies.clone(),
            speaks_tls: config.tls.is_some(),
            max_body_bytes: config.max_body_bytes,
            body_timeout: config.body_timeout,
            streams: Streams::new(config.max_streams),
            storage: Storage::default(),
            storage_events: config
                .storage
                .as_ref()
                .zip(config.storage_events_token.clone())
                .map(|(storage, token)| StorageEvents { token, bucket: storage.roster_bucket.clone() }),
        };
        Ok(Self { services, runtime, signals: exchange })
    }

    /// Gives the use cases their files, and jobs those who do them. Without it there are none, as commands that need none do not
    /// start a storage.
    pub fn open_storage(&mut self, config: &Config) -> Result<(), ConfigError> {
        let storage = Storage::open(config)?;
        if let Some(files) = storage.roster_files() {
            self.services.rosters.files = Arc::new(files.clone());
        }
        self.services.jobs.handlers = handlers(&self.services);
        self.runtime.storage = storage;
        Ok(())
    }

    /// The use cases, for commands that need no server.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The database, for counting statements.
    pub fn database(&self) -> &Pg {
        &self.runtime.pg
    }
}
