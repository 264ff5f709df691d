//! The HTTP server: middleware, TLS, and how it stops.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::HeaderName;
use actix_web::middleware::{Next, NormalizePath, TrailingSlash, from_fn};
use actix_web::web::{Data, PathConfig, QueryConfig};
use actix_web::{App, Error, HttpServer};
use domain_users::UserService;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use utoipa_actix_web::AppExt;

use crate::compose::{Composition, Runtime};
use crate::config::{Config, ConfigError, CorsOrigins, TlsFiles};
use crate::docs_page::OpenApiText;
use crate::door::{Operations, door};
use crate::error::ApiError;
use crate::finish::finish;
use crate::limits::SessionLimiter;
use crate::streams::Streams;
use crate::workers::Workers;
use crate::{maintenance, openapi, routes};

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on, or serving failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Headers that a browser lets scripts read: without them a client library signs in and finds no session.
const EXPOSED: [&str; 18] = [
    "access-token",
    "client",
    "uid",
    "expiry",
    "token-type",
    "authorization",
    "x-request-id",
    "link",
    "x-total-count",
    "x-page",
    "x-per-page",
    "x-organization-median-score",
    "retry-after",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "deprecation",
    "warning",
];

/// Headers that the client libraries send.
const ACCEPTED: [&str; 12] = [
    "access-token",
    "client",
    "uid",
    "expiry",
    "token-type",
    "authorization",
    "content-type",
    "accept",
    "if-modified-since",
    "last-event-id",
    "x-requested-with",
    "x-request-id",
];

fn cors(origins: &CorsOrigins) -> Cors {
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    let mut cors = Cors::default()
        .allowed_methods(methods)
        .allowed_headers(ACCEPTED.map(HeaderName::from_static))
        .expose_headers(EXPOSED.map(HeaderName::from_static))
        .max_age(3600);
    match origins {
        CorsOrigins::Any => cors = cors.allow_any_origin().send_wildcard(),
        CorsOrigins::Listed(listed) => {
            for origin in listed {
                cors = cors.allowed_origin(origin);
            }
        }
    }
    cors
}

/// HEAD is GET without the body, which the HTTP layer leaves out. And some clients ask for `/auth/sign_in.json`; but a
/// username may end so, too.
async fn normalize(
    mut request: ServiceRequest,
    next: Next<impl actix_web::body::MessageBody + 'static>,
) -> Result<ServiceResponse<impl actix_web::body::MessageBody>, Error> {
    if *request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    let path = request.path();
    let is_auth_route = path.starts_with("/api/v1/auth") && !path.starts_with("/api/v1/auth/usernames/");
    if let Some(plain) = path.strip_suffix(".json").filter(|_| is_auth_route).map(str::to_owned) {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        if let Ok(uri) = format!("{plain}{query}").parse::<actix_web::http::Uri>() {
            request.match_info_mut().get_mut().update(&uri);
            request.head_mut().uri = uri;
        }
    }
    next.call(request).await
}

/// A server that is bound and runs as long as it is awaited.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// The server.
    pub server: Server,
    streams: Streams,
    workers: Workers,
    /// Workers need its storage after the server has ended.
    _runtime: Data<Runtime>,
}

impl Running {
    /// What stops it: requests under way may end, streams have to, and workers begin nothing new.
    pub fn stopper(&self) -> impl Future<Output = ()> + use<> {
        let (handle, streams, workers) = (self.server.handle(), self.streams.clone(), self.workers.clone());
        async move {
            streams.close();
            tokio::join!(handle.stop(true), workers.stop());
        }
    }

    /// Serves until it is stopped, and gives back when the workers have ended, too.
    pub async fn serve(self) -> io::Result<()> {
        let served = self.server.await;
        self.workers.stop().await;
        served
    }
}

/// Binds and starts.
pub fn start(
    config: &Config,
    mut composition: Composition,
    listener: TcpListener,
) -> Result<Running, ServeError> {
    let address = listener.local_addr()?;
    composition.open_storage(config)?;
    let Composition { services, runtime, signals } = composition;
    let streams = runtime.streams.clone();
    let document = openapi::document();
    let operations = Data::new(Operations::of(&document));
    let text = Data::new(OpenApiText(openapi::render(&document)));
    let workers = Workers::start(&services.jobs, config)?;
    let runtime: Data<Runtime> = Data::new(runtime);
    let limiter = Data::new(SessionLimiter::new(config.session_rate));
    tokio::spawn(signals.run());
    tokio::spawn(maintenance::run(services.clone()));
    maintenance::watch_rosters(&services, config);
    tokio::spawn(forget_idle_sessions(Arc::clone(&limiter)));
    let origins = config.cors_origins.clone();
    let kept = runtime.clone();
    let factory = move || {
        App::new()
            .app_data(runtime.clone())
            .app_data(limiter.clone())
            .app_data(operations.clone())
            .app_data(text.clone())
            .app_data(Data::<UserService>::new(services.users.clone()))
            .app_data(Data::new(services.orgs.clone()))
            .app_data(Data::new(services.teams.clone()))
            .app_data(Data::new(services.courses.clone()))
            .app_data(Data::new(services.training.clone()))
            .app_data(Data::new(services.learning.clone()))
            .app_data(Data::new(services.memberships.clone()))
            .app_data(Data::new(services.rosters.clone()))
            .app_data(Data::new(services.jobs.clone()))
            // An id that is no UUID names nothing.
            .app_data(PathConfig::default().error_handler(|_, _| ApiError::not_found().into()))
            .app_data(QueryConfig::default().error_handler(|error, _| {
                ApiError::malformed_query(format!("The query cannot be read: {error}.")).into()
            }))
            .into_utoipa_app()
            .configure(routes::configure)
            .into_app()
            .wrap(from_fn(door))
            .wrap(from_fn(normalize))
            .wrap(NormalizePath::new(TrailingSlash::Trim))
            .wrap(cors(&origins))
            .wrap(from_fn(finish))
    };
    let server = HttpServer::new(factory)
        .workers(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
        .shutdown_timeout(config.shutdown_timeout.as_secs())
        .client_request_timeout(Duration::from_secs(10))
        .keep_alive(Duration::from_secs(75))
        .disable_signals();
    let server = match &config.tls {
        None => server.listen(listener)?,
        Some(files) => server.listen_rustls_0_23(listener, tls(files)?)?,
    };
    Ok(Running { address, server: server.run(), streams, workers, _runtime: kept })
}

async fn forget_idle_sessions(limiter: Arc<SessionLimiter>) {
    let mut ticks = tokio::time::interval(Duration::from_mins(1));
    loop {
        ticks.tick().await;
        limiter.forget_idle();
    }
}

/// Reads certificate and key.
pub fn tls(files: &TlsFiles) -> Result<ServerConfig, ConfigError> {
    let unreadable = |name, path: &std::path::Path| {
        ConfigError::new(name, format!("cannot read a PEM file at {}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|_| unreadable("TLS_CERT", &files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|_| unreadable("TLS_KEY", &files.key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::new("TLS_CERT", error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| ConfigError::new("TLS_CERT", error))
}
