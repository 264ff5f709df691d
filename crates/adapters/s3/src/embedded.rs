//! A small S3 server in this process, on the loopback address, that keeps its files in a folder.
//!
//! It is made of a sample implementation (s3s-fs) and is for development and tests only. It differs from S3: lists leave the tags
//! out, a file cannot lie below the name of another one, and buckets appear when something is put into them. Two servers on one
//! folder see the same files, but must not be written to at the same moment.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use percent_encoding::percent_decode_str;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use crate::{AccessKeys, S3Server};

/// The pages that may upload from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebOrigins {
    /// Those of every origin.
    Any,
    /// Those of these origins.
    Listed(Vec<String>),
}

/// How to start the server.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// Where the files lie; made if it is not there.
    pub folder: PathBuf,
    /// Where to listen: a loopback address. Port 0 is a free one.
    pub address: SocketAddr,
    /// The only keys that it knows.
    pub keys: AccessKeys,
    /// Who may upload from a browser.
    pub origins: WebOrigins,
    /// Buckets to make.
    pub buckets: Vec<String>,
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Others must not reach it.
    #[error("must be a loopback address")]
    NotLoopback,
    /// It cannot listen there.
    #[error("cannot listen on {0}: {1}")]
    Address(SocketAddr, #[source] io::Error),
    /// The folder cannot be used.
    #[error("cannot use {folder}: {1}", folder = .0.display())]
    Folder(PathBuf, #[source] io::Error),
}

/// A running server. Dropping it stops it.
pub struct EmbeddedS3 {
    server: S3Server,
    task: JoinHandle<()>,
}

impl EmbeddedS3 {
    /// Binds and starts, inside of a tokio runtime.
    pub fn start(settings: EmbeddedSettings) -> Result<Self, EmbeddedError> {
        let EmbeddedSettings { folder, address, keys, origins, buckets } = settings;
        if !address.ip().is_loopback() {
            return Err(EmbeddedError::NotLoopback);
        }
        let files = open(&folder, &buckets).map_err(|error| EmbeddedError::Folder(folder, error))?;
        let (listener, address) = bind(address).map_err(|error| EmbeddedError::Address(address, error))?;
        let endpoint = Url::parse(&format!("http://{address}")).ok();
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(keys.id.clone(), keys.secret.clone()));
        let front = Arc::new(Front { service: builder.build(), origins });
        let server = S3Server { endpoint, path_style: true, keys: Some(keys), ..S3Server::default() };
        Ok(Self { server, task: tokio::spawn(serve(listener, front)) })
    }

    /// How to reach it.
    pub fn server(&self) -> &S3Server {
        &self.server
    }
}

impl Drop for EmbeddedS3 {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Makes the buckets, and removes what uploads in parts left that nobody has finished.
fn open(folder: &Path, buckets: &[String]) -> io::Result<FileSystem> {
    for bucket in buckets {
        std::fs::create_dir_all(folder.join(bucket))?;
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(".upload") {
            std::fs::remove_file(entry.path())?;
        }
    }
    FileSystem::new(folder).map_err(|error| io::Error::other(format!("{error:?}")))
}

fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = StdListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, address))
}

/// Serves until it is aborted, which ends the connections as well.
async fn serve(listener: TcpListener, front: Arc<Front>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Arc::clone(&front)));
                }
                Err(error) => tracing::warn!(%error, "the embedded storage cannot take a connection"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, front: Arc<Front>) {
    let service = service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    });
    let served = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of the embedded storage broke");
    }
}

/// What stands before the storage: it does not answer browsers, and takes names that lead out of a bucket.
struct Front {
    service: S3Service,
    origins: WebOrigins,
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let allowed = self.allowed_origin(request.headers());
        if request.method() == Method::OPTIONS {
            return preflight(allowed);
        }
        let mut response = if leads_elsewhere(request.uri().path()) {
            plain(StatusCode::BAD_REQUEST)
        } else {
            let answered = self.service.call(request.map(Body::from)).await;
            answered.unwrap_or_else(|error| {
                tracing::warn!(?error, "the embedded storage failed");
                plain(StatusCode::INTERNAL_SERVER_ERROR)
            })
        };
        if let Some(origin) = allowed {
            response.headers_mut().extend([
                (ACCESS_CONTROL_ALLOW_ORIGIN, origin),
                (ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag")),
                (VARY, HeaderValue::from_static("origin")),
            ]);
        }
        response
    }

    fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        match &self.origins {
            WebOrigins::Any => Some(HeaderValue::from_static("*")),
            WebOrigins::Listed(listed) => {
                listed.iter().any(|one| one.as_bytes() == origin.as_bytes()).then(|| origin.clone())
            }
        }
    }
}

fn preflight(allowed: Option<HeaderValue>) -> Response<Body> {
    let Some(origin) = allowed else { return plain(StatusCode::FORBIDDEN) };
    let mut response = plain(StatusCode::NO_CONTENT);
    response.headers_mut().extend([
        (ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, PUT")),
        (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, if-none-match")),
        (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600")),
        (VARY, HeaderValue::from_static("origin")),
    ]);
    response
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Whether a path, read as the file system would, is none of a bucket and a plain name in it.
fn leads_elsewhere(path: &str) -> bool {
    let path = percent_decode_str(path).decode_utf8_lossy();
    let name = path.strip_prefix('/').unwrap_or(&path);
    // The address of a bucket may end with a slash.
    let name = name.strip_suffix('/').unwrap_or(name);
    !name.is_empty() && name.split('/').any(|segment| matches!(segment, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_of_their_bucket_are_seen_in_every_spelling() {
        for good in ["/", "/bucket", "/bucket/", "/bucket/acme/a.csv", "/bucket/acme/..csv", "/bucket/a%20b"]
        {
            assert!(!leads_elsewhere(good), "{good}");
        }
        for bad in
            ["/bucket/../x", "/bucket/a/%2e%2E/x", "/bucket/a%2F..%2Fx", "/bucket//x", "/bucket/./x", "/.."]
        {
            assert!(leads_elsewhere(bad), "{bad}");
        }
    }
}
