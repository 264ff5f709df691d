use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, Credentials, Region, RequestChecksumCalculation};
use domain_kernel::FileStoreError;
use tokio::sync::OnceCell;
use url::Url;

use crate::error::unavailable;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(25);
const ATTEMPTS: u32 = 3;

/// An id and its secret.
#[derive(Clone)]
pub struct AccessKeys {
    /// Names the key; stands in signed addresses.
    pub id: String,
    /// Signs.
    pub secret: String,
}

/// Hidden: the secret opens the whole storage.
impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKeys(…)")
    }
}

/// Which storage, and how to reach it.
#[derive(Debug, Clone, Default)]
pub struct S3Server {
    /// Where it is, if it is not that of AWS.
    pub endpoint: Option<Url>,
    /// Where those who upload find it, if they call it by another name than we do: a signature holds for one name only.
    pub public_endpoint: Option<Url>,
    /// The region; without it what the environment says, and `us-east-1` at an endpoint.
    pub region: Option<String>,
    /// Whether the bucket stands in the path of an address, and not in its host name.
    pub path_style: bool,
    /// Keys; without them the usual chain: environment, profile, web identity, container, instance.
    pub keys: Option<AccessKeys>,
}

struct Clients {
    near: Client,
    /// Signs addresses for others; sends nothing.
    signer: Client,
}

/// The way to a storage. Clones share one client.
#[derive(Clone)]
pub struct S3 {
    server: Arc<S3Server>,
    /// Made when the first request is: looking for credentials and region may take a while.
    clients: Arc<OnceCell<Clients>>,
}

impl S3 {
    /// Connects to nothing yet.
    pub fn new(server: S3Server) -> Self {
        Self { server: Arc::new(server), clients: Arc::default() }
    }

    /// Whether the bucket is there and lets us in. Gives up after one attempt.
    pub async fn ping(&self, bucket: &str) -> Result<(), FileStoreError> {
        let once = aws_sdk_s3::config::Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(CONNECT_TIMEOUT).build());
        let request = self.client().await.head_bucket().bucket(bucket);
        request.customize().config_override(once).send().await.map(drop).map_err(unavailable)
    }

    pub(crate) async fn client(&self) -> &Client {
        &self.clients().await.near
    }

    pub(crate) async fn signer(&self) -> &Client {
        &self.clients().await.signer
    }

    async fn clients(&self) -> &Clients {
        self.clients.get_or_init(|| connect(&self.server)).await
    }
}

async fn connect(server: &S3Server) -> Clients {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT);
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts.build())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    let at_endpoint = server.endpoint.is_some().then(|| "us-east-1".to_owned());
    if let Some(region) = server.region.clone().or(at_endpoint) {
        loader = loader.region(Region::new(region));
    }
    if let Some(AccessKeys { id, secret }) = server.keys.clone() {
        loader = loader.credentials_provider(Credentials::new(id, secret, None, None, "configuration"));
    }
    let shared = loader.load().await;
    let client = |endpoint: Option<&Url>| {
        let config = Builder::from(&shared)
            .force_path_style(server.path_style)
            // Other storages than that of AWS may not know checksums of their own; the signature guards what we send.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        let config = endpoint.into_iter().fold(config, |config, url| config.endpoint_url(url.as_str()));
        Client::from_conf(config.build())
    };
    let near = server.endpoint.as_ref();
    Clients { near: client(near), signer: client(server.public_endpoint.as_ref().or(near)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_does_not_show() {
        let keys = AccessKeys { id: "id".into(), secret: "hunter22".into() };
        let server = S3Server { keys: Some(keys), ..S3Server::default() };
        assert!(!format!("{server:?}").contains("hunter22"));
    }
}
