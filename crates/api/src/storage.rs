//! The storage for files: which one it is, and how it does.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "embedded-s3")]
use adapter_s3::embedded::EmbeddedS3;
use adapter_s3::{S3, S3Files};
use adapter_security::SystemClock;
use async_trait::async_trait;
use chrono::TimeDelta;
use domain_kernel::FileStoreError;
use domain_memberships::ports::RosterFiles;
use domain_memberships::{FileKey, MembershipError, RosterFile, UploadTicket};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::{Config, ConfigError, StorageServer};

/// How long it is taken to do as it did when it was asked.
const SEEN_FOR: Duration = Duration::from_secs(5);

/// The storage as this process reaches it. With the embedded server, if that is the one: it ends with this.
#[derive(Default)]
pub(crate) struct Storage {
    files: Option<S3Files>,
    seen: Mutex<Option<(Instant, Option<&'static str>)>>,
    #[cfg(feature = "embedded-s3")]
    embedded: Option<EmbeddedS3>,
}

impl Storage {
    /// Starts the embedded server, if that is the one; connects to no other yet.
    pub(crate) fn open(config: &Config) -> Result<Self, ConfigError> {
        let mut opened = Self::default();
        if let Some(storage) = &config.storage {
            let server = match &storage.server {
                StorageServer::S3(server) => server.clone(),
                #[cfg(feature = "embedded-s3")]
                StorageServer::Embedded { folder, address } => {
                    let settings = embedded::settings(config, folder, *address, &storage.roster_bucket);
                    let embedded = EmbeddedS3::start(settings).map_err(|error| embedded::explain(&error))?;
                    opened.embedded.insert(embedded).server().clone()
                }
            };
            opened.files = Some(S3Files::new(S3::new(server), &storage.roster_bucket, Arc::new(SystemClock)));
        }
        opened.announce();
        Ok(opened)
    }

    fn announce(&self) {
        #[cfg(feature = "embedded-s3")]
        if let Some(endpoint) = self.embedded.as_ref().and_then(|own| own.server().endpoint.as_ref()) {
            tracing::info!(address = %endpoint, "files are kept by this process");
            return;
        }
        if self.files.is_some() {
            tracing::info!("files are kept in S3");
        } else {
            tracing::warn!("no storage for files is configured (S3_BUCKET): what needs it answers 503");
        }
    }

    /// The roster files, if there is a storage.
    pub(crate) fn roster_files(&self) -> Option<&S3Files> {
        self.files.as_ref()
    }

    /// What is wrong with it, in words for everybody. Asks it now and then only, and once for all who want to know.
    pub(crate) async fn trouble(&self) -> Option<&'static str> {
        let Some(files) = &self.files else { return Some("no storage for files is configured") };
        let mut seen = self.seen.lock().await;
        let before = match *seen {
            Some((at, trouble)) if at.elapsed() < SEEN_FOR => return trouble,
            before => before.and_then(|(_, trouble)| trouble),
        };
        let trouble = files.ping().await.err().map(|error| {
            if before.is_none() {
                tracing::warn!(cause = error.source(), "the storage for files is not available");
            }
            "the storage for files is not available"
        });
        *seen = Some((Instant::now(), trouble));
        trouble
    }
}

/// Stands where the files would be.
pub(crate) struct NoFiles;

#[async_trait]
impl RosterFiles for NoFiles {
    async fn presign_upload(&self, _: &FileKey, _: TimeDelta) -> Result<UploadTicket, MembershipError> {
        Err(FileStoreError::NotConfigured.into())
    }

    async fn list(&self, _: &str, _: Option<FileKey>, _: usize) -> Result<Vec<RosterFile>, MembershipError> {
        Err(FileStoreError::NotConfigured.into())
    }

    async fn find(&self, _: &FileKey) -> Result<Option<RosterFile>, MembershipError> {
        Err(FileStoreError::NotConfigured.into())
    }

    async fn open(&self, _: &RosterFile, _: u64) -> Result<File, MembershipError> {
        Err(FileStoreError::NotConfigured.into())
    }

    async fn put(&self, _: &FileKey, _: &Path) -> Result<(), MembershipError> {
        Err(FileStoreError::NotConfigured.into())
    }
}

#[cfg(feature = "embedded-s3")]
mod embedded {
    use std::net::SocketAddr;
    use std::path::Path;

    use adapter_s3::AccessKeys;
    use adapter_s3::embedded::{EmbeddedError, EmbeddedSettings, WebOrigins};
    use adapter_security::SecureRandom;
    use domain_users::AccessToken;
    use domain_users::ports::SecretGenerator;

    use crate::config::{Config, ConfigError, CorsOrigins};

    /// With keys that nobody knows but this process.
    pub(super) fn settings(
        config: &Config,
        folder: &Path,
        address: SocketAddr,
        bucket: &str,
    ) -> EmbeddedSettings {
        let secret = AccessToken::generate(&SecureRandom.secret()).reveal().to_owned();
        EmbeddedSettings {
            folder: folder.to_owned(),
            address,
            keys: AccessKeys { id: "worklete".into(), secret },
            origins: match &config.cors_origins {
                CorsOrigins::Any => WebOrigins::Any,
                CorsOrigins::Listed(listed) => WebOrigins::Listed(listed.clone()),
            },
            buckets: vec![bucket.to_owned()],
        }
    }

    pub(super) fn explain(error: &EmbeddedError) -> ConfigError {
        let name = match error {
            EmbeddedError::NotLoopback | EmbeddedError::Address(..) => "S3_EMBEDDED_ADDRESS",
            EmbeddedError::Folder(..) => "S3_EMBEDDED_FOLDER",
        };
        ConfigError::new(name, error)
    }
}
