//! The adapter against the embedded storage: each test has one of its own.

mod embedded;
mod files;

use std::path::PathBuf;
use std::sync::Arc;

use adapter_s3::embedded::{EmbeddedS3, EmbeddedSettings, WebOrigins};
use adapter_s3::{AccessKeys, S3, S3Files, S3Server};
use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::Clock;
use domain_memberships::ports::RosterFiles;
use domain_memberships::{FileKey, MembershipError, RosterFile, UploadTicket};
use reqwest::{Client, RequestBuilder};

pub(crate) const BUCKET: &str = "rosters";
pub(crate) const FOLDER: &str = "acme";
pub(crate) const ORIGIN: &str = "https://app.example.org";
pub(crate) const SECRET: &str = "a-secret-of-the-tests";

/// A clock that is ahead by so much.
pub(crate) struct Ahead(pub(crate) TimeDelta);

impl Clock for Ahead {
    #[expect(clippy::disallowed_methods, reason = "signatures are held against the time of the machine")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.0
    }
}

/// A running server with an empty bucket, and the files in it.
pub(crate) struct Storage {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) embedded: EmbeddedS3,
    pub(crate) files: S3Files,
    pub(crate) http: Client,
}

pub(crate) fn settings(folder: PathBuf) -> EmbeddedSettings {
    EmbeddedSettings {
        folder,
        address: ([127, 0, 0, 1], 0).into(),
        keys: AccessKeys { id: "tests".into(), secret: SECRET.into() },
        origins: WebOrigins::Listed(vec![ORIGIN.into()]),
        buckets: vec![BUCKET.into()],
    }
}

impl Storage {
    pub(crate) fn start() -> Self {
        // Fails when it is installed already, which is fine. A client wants it although nothing here speaks TLS.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let folder = tempfile::tempdir().expect("a folder");
        let embedded = EmbeddedS3::start(settings(folder.path().to_owned())).expect("starts");
        let files = files_of(embedded.server().clone(), BUCKET, TimeDelta::zero());
        Self { folder, embedded, files, http: Client::new() }
    }

    /// Where a file lies on the disk.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(key)
    }

    /// Puts a file past the server.
    pub(crate) fn write(&self, key: &str, content: &str) {
        let path = self.path(key);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("writes");
    }

    pub(crate) async fn ticket(&self, key: &FileKey) -> UploadTicket {
        self.files.presign_upload(key, TimeDelta::minutes(15)).await.expect("a ticket")
    }

    /// The upload that a ticket is for.
    pub(crate) fn upload(&self, ticket: &UploadTicket, content: &str) -> RequestBuilder {
        let method = ticket.method.parse().expect("a method");
        let request = self.http.request(method, &ticket.url).body(content.to_owned());
        ticket.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// Puts a file as a customer does; gives it as it is found then.
    pub(crate) async fn put(&self, name: &str, content: &str) -> RosterFile {
        let key = key(name);
        let ticket = self.ticket(&key).await;
        assert_eq!(status(self.upload(&ticket, content)).await, 200);
        self.files.find(&key).await.expect("an answer").expect("a file")
    }

    /// What is in the file.
    pub(crate) async fn read(&self, file: &RosterFile, max_bytes: u64) -> Result<String, MembershipError> {
        let opened = self.files.open(file, max_bytes).await?;
        Ok(std::io::read_to_string(opened).expect("text"))
    }
}

pub(crate) fn files_of(server: S3Server, bucket: &str, ahead: TimeDelta) -> S3Files {
    S3Files::new(S3::new(server), bucket, Arc::new(Ahead(ahead)))
}

/// The key of this name in the folder.
pub(crate) fn key(name: &str) -> FileKey {
    FileKey::parse(&format!("{FOLDER}/{name}"), FOLDER).expect("a key")
}

pub(crate) async fn status(request: RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}
