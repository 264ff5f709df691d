//! The `worklete` binary.

use std::future::Future;
use std::io::{self, BufRead, IsTerminal};
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;

use adapter_postgres::SchemaState;
use adapter_security::SecureRandom;
use clap::{Args, Parser, Subcommand};
use domain_kernel::{FieldProblem, PersonName, StaffRole};
use domain_users::ports::SecretGenerator;
use domain_users::{AccessToken, CreateStaffMember, Password, Provider, UserError, Username};
use tracing_subscriber::EnvFilter;

use crate::compose::Composition;
use crate::config::{Config, Environment, LogFormat};
use crate::error::ApiError;
use crate::import_command::ImportCommand;
use crate::workers::Workers;
use crate::{doctor, maintenance, openapi, seed, server};

/// The backend of the Worklete training platform.
///
/// Configured by environment variables (.env.example shows them all), and by a .env file unless `WORKLETE_ENV=production`
/// is set.
#[derive(Parser)]
#[command(name = "worklete", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API until SIGTERM or Ctrl-C, then finish what is under way
    Serve {
        /// Bring the database's schema up to date first
        #[arg(long)]
        migrate: bool,
    },
    /// Do jobs only, without serving, until SIGTERM or Ctrl-C
    ///
    /// As many at a time as WORKERS says. What is not done ten seconds after the signal is put back for others.
    Work,
    /// Bring the database's schema up to date
    Migrate,
    /// Load demo data once: somebody in each role, two months of lessons (development only)
    ///
    /// Does nothing when there is a user demo-staff: what was changed since, or not made because the loading was interrupted,
    /// stays as it is. To start over, remove the private database with `scripts/postgres remove .local/postgres`; the next
    /// scripts/run makes a new one.
    SeedDemo,
    /// Make the first staff admin of an installation
    CreateAdmin(CreateAdmin),
    /// Import a roster file, and print what became of it; fails when lines were rejected
    Import(ImportCommand),
    /// Print the OpenAPI document
    Openapi,
    /// Check the configuration without connecting to anything
    CheckConfig,
    /// Check everything that the server needs: a line each, with how to mend it; fails if the server could not run
    Doctor,
}

#[derive(Args)]
struct CreateAdmin {
    /// Sign-in name; with an @ it is an e-mail address
    #[arg(long)]
    username: String,
    /// First name
    #[arg(long, default_value = "Worklete")]
    first_name: String,
    /// Last name
    #[arg(long, default_value = "Admin")]
    last_name: String,
    /// Read the password from the first line of standard input instead of making one
    #[arg(long)]
    password_stdin: bool,
    /// Make one more although there is a staff admin already
    #[arg(long)]
    another: bool,
}

/// What ends the process with a message of one line.
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> ExitCode {
        match self.dispatch() {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure(message)) => {
                eprintln!("worklete: {}", message.replace('\n', " "));
                ExitCode::FAILURE
            }
        }
    }

    fn dispatch(self) -> Result<(), Failure> {
        match self.command {
            Command::Openapi => {
                print!("{}", openapi::render(&openapi::document()));
                Ok(())
            }
            Command::CheckConfig => check_config().map(|_| println!("The configuration is fine.")),
            Command::Migrate => migrate(&Config::from_env()?),
            Command::SeedDemo => block_on(seed_demo(Config::from_env()?)),
            Command::CreateAdmin(args) => block_on(create_admin(Config::from_env()?, args)),
            Command::Doctor => block_on(doctor()),
            Command::Import(import) => {
                let config = Config::from_env()?;
                require_current_schema(&config)?;
                block_on(async { import.run(&config).await.map_err(Failure) })
            }
            Command::Serve { migrate } => serve(&Config::from_env()?, migrate),
            Command::Work => work(&Config::from_env()?),
        }
    }
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    actix_web::rt::System::new().block_on(work)
}

/// The configuration, if all of it can be used.
fn check_config() -> Result<Config, Failure> {
    let config = Config::from_env()?;
    filter(&config)?;
    if let Some(files) = &config.tls {
        server::tls(files)?;
    }
    Composition::check(&config)?;
    Ok(config)
}

async fn doctor() -> Result<(), Failure> {
    let findings = doctor::examine(check_config().map_err(|Failure(problem)| problem)).await;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.iter().filter(|finding| finding.is_failure()).count() {
        0 => Ok(()),
        failed => Err(Failure(format!("{failed} of {} checks failed", findings.len()))),
    }
}

fn migrate(config: &Config) -> Result<(), Failure> {
    let applied = adapter_postgres::migrate(&config.database.url)?;
    match applied.len() {
        0 => println!("The schema is up to date."),
        count => println!("Applied {count} migration(s): {}", applied.join(", ")),
    }
    Ok(())
}

async fn seed_demo(config: Config) -> Result<(), Failure> {
    if config.environment == Environment::Production {
        return Err(Failure(
            "seed-demo: its passwords are known to all; set WORKLETE_ENV=development".into(),
        ));
    }
    require_current_schema(&config)?;
    let clock = Arc::new(seed::MovableClock::default());
    let composition = Composition::with_clock(&config, clock.clone())?;
    let loaded = seed::load(composition.services(), &clock).await;
    composition.database().close();
    let loaded = loaded.map_err(|error| explain(&error))?;
    println!(
        "{}\n{}",
        if loaded { "Demo data loaded." } else { "The demo data is there already." },
        seed::table()
    );
    Ok(())
}

fn explain(error: &ApiError) -> Failure {
    let cause = error.causes().map(|causes| format!(": {causes}")).unwrap_or_default();
    Failure(format!("{error}{cause}"))
}

async fn create_admin(config: Config, args: CreateAdmin) -> Result<(), Failure> {
    require_current_schema(&config)?;
    let named =
        |field: &'static str| move |problem: FieldProblem| Failure(format!("--{field} {}", problem.message));
    let provider = Provider::of(&args.username);
    let (password, is_generated) = read_password(args.password_stdin)?;
    let command = CreateStaffMember {
        username: Username::parse(&args.username, provider).map_err(named("username"))?,
        provider,
        first_name: PersonName::parse(&args.first_name).map_err(named("first-name"))?,
        last_name: PersonName::parse(&args.last_name).map_err(named("last-name"))?,
        password: Password::parse(&password)
            .map_err(|problem| Failure(format!("the password {}", problem.message)))?,
        role: StaffRole::Admin,
        only_first: !args.another,
    };
    let composition = Composition::new(&config)?;
    let made = composition.services().users.create_staff_member(command).await;
    composition.database().close();
    let user = made.map_err(|error| match error {
        UserError::Taken(_) => Failure("--username is taken".into()),
        UserError::StaffAdminExists => {
            Failure("there is a staff admin already; --another makes one more".into())
        }
        other => explain(&other.into()),
    })?;
    println!("Made the staff admin {}.", user.username);
    if is_generated {
        println!("Password (shown once): {password}");
    }
    Ok(())
}

fn read_password(from_stdin: bool) -> Result<(String, bool), Failure> {
    if !from_stdin {
        let token = AccessToken::generate(&SecureRandom.secret());
        return Ok((token.reveal().chars().take(20).collect(), true));
    }
    if io::stdin().is_terminal() {
        eprintln!("Type the password and press Enter (it will show):");
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok((line.trim_end_matches(['\r', '\n']).to_owned(), false))
}

fn require_current_schema(config: &Config) -> Result<(), Failure> {
    match adapter_postgres::schema_state(&config.database.url)? {
        SchemaState::Current => Ok(()),
        SchemaState::Newer => {
            eprintln!("worklete: the database's schema is newer than this binary");
            Ok(())
        }
        SchemaState::Older(missing) => {
            let missing = missing.join(", ");
            Err(Failure(format!(
                "the database's schema is older than this binary; run `worklete migrate` ({missing})"
            )))
        }
    }
}

fn serve(config: &Config, migrate_first: bool) -> Result<(), Failure> {
    start_logging(config)?;
    if migrate_first {
        migrate(config)?;
    }
    require_current_schema(config)?;
    let listener = TcpListener::bind(config.listen)
        .map_err(|error| Failure(format!("LISTEN_ADDRESS: cannot listen on {}: {error}", config.listen)))?;
    actix_web::rt::System::new().block_on(async {
        let composition = Composition::new(config)?;
        let pg = composition.database().clone();
        let running = server::start(config, composition, listener)?;
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        tracing::info!(address = %format!("{scheme}://{}", running.address), "serving");
        let stop = running.stopper();
        let stopper = actix_web::rt::spawn(async move {
            wait_for_signal().await;
            tracing::info!("stopping: finishing requests under way");
            stop.await;
        });
        let served = running.serve().await;
        stopper.abort();
        pg.close();
        tracing::info!("stopped");
        Ok(served?)
    })
}

fn work(config: &Config) -> Result<(), Failure> {
    if config.workers == 0 {
        return Err(Failure("WORKERS: must be at least 1 to work".into()));
    }
    start_logging(config)?;
    require_current_schema(config)?;
    block_on(async {
        let mut composition = Composition::new(config)?;
        composition.open_storage(config)?;
        let workers = Workers::start(&composition.services().jobs, config)?;
        maintenance::watch_rosters(composition.services(), config);
        wait_for_signal().await;
        tracing::info!("stopping: finishing jobs under way");
        workers.stop().await;
        composition.database().close();
        tracing::info!("stopped");
        Ok(())
    })
}

/// Until the process is asked to stop.
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Finer lines of these libraries hold signed addresses, so that nobody gets them, whatever is asked for.
const KEPT_QUIET: [&str; 4] = ["aws_sigv4=info", "aws_smithy_runtime=info", "s3s=warn", "s3s_fs=warn"];

fn filter(config: &Config) -> Result<EnvFilter, Failure> {
    let wanted = EnvFilter::try_new(&config.log_filter)
        .map_err(|_| Failure("LOG_FILTER: must look like info or info,api=debug".into()))?;
    let quiet = KEPT_QUIET.iter().filter_map(|directive| directive.parse().ok());
    Ok(quiet.fold(wanted, EnvFilter::add_directive))
}

fn start_logging(config: &Config) -> Result<(), Failure> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(config)?)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Json => {
            let json = builder.json().flatten_event(true).with_current_span(false).with_span_list(false);
            json.init();
        }
        LogFormat::Text => builder.with_target(false).init(),
    }
    Ok(())
}
