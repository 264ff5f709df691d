use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, DateTime as S3Time};
use chrono::{DateTime, DurationRound, TimeDelta};
use domain_kernel::{Clock, FileStoreError};
use domain_memberships::ports::RosterFiles;
use domain_memberships::{FileKey, MembershipError, RosterFile, UploadTicket};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt, BufWriter};

use crate::S3;
use crate::error::{because, root, unavailable};

/// Most files that the storage lists at once.
const LIST_PAGE: usize = 1000;

const WRITE_BUFFER: usize = 256 * 1024;

/// The roster files of the customers, in a bucket.
#[derive(Clone)]
pub struct S3Files {
    s3: S3,
    bucket: String,
    clock: Arc<dyn Clock>,
}

impl S3Files {
    /// The files of this bucket. The clock must be right: a storage refuses signatures of another time.
    pub fn new(s3: S3, bucket: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self { s3, bucket: bucket.into(), clock }
    }

    /// Whether the storage can be reached and has the bucket.
    pub async fn ping(&self) -> Result<(), FileStoreError> {
        self.s3.ping(&self.bucket).await
    }
}

#[async_trait]
impl RosterFiles for S3Files {
    async fn presign_upload(
        &self,
        key: &FileKey,
        lifespan: TimeDelta,
    ) -> Result<UploadTicket, MembershipError> {
        // Signatures count in seconds.
        let now = self.clock.now();
        let start = now.duration_trunc(TimeDelta::seconds(1)).unwrap_or(now);
        let signing = PresigningConfig::builder()
            .start_time(start.into())
            .expires_in(lifespan.to_std().unwrap_or_default())
            .build()
            .map_err(|error| because(root(&error)))?;
        let upload = self.s3.signer().await.put_object().bucket(&self.bucket).key(key.as_str());
        let signed = upload.content_type("text/csv").if_none_match("*").presigned(signing).await;
        let signed = signed.map_err(unavailable)?;
        let headers = signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(UploadTicket {
            method: signed.method().to_owned(),
            url: signed.uri().to_owned(),
            headers: headers.collect(),
            expires_at: start + lifespan,
        })
    }

    async fn list(
        &self,
        folder: &str,
        after: Option<FileKey>,
        limit: usize,
    ) -> Result<Vec<RosterFile>, MembershipError> {
        let mut after = after.map(|key| key.as_str().to_owned());
        let mut files = Vec::new();
        while files.len() < limit {
            let wanted = i32::try_from((limit - files.len()).min(LIST_PAGE)).unwrap_or(i32::MAX);
            let request = self.s3.client().await.list_objects_v2().bucket(&self.bucket);
            let request = request.prefix(format!("{folder}/")).set_start_after(after.take()).max_keys(wanted);
            let page = request.send().await.map_err(unavailable)?;
            for object in page.contents() {
                let Some(key) = object.key().and_then(|key| FileKey::parse(key, folder).ok()) else {
                    continue;
                };
                let file = described(&key, object.e_tag(), object.size(), object.last_modified());
                // Some storages leave the tag out of lists.
                files.extend(if file.is_some() { file } else { self.find(&key).await? });
            }
            after = page.contents().last().and_then(|object| object.key()).map(str::to_owned);
            if after.is_none() || page.is_truncated() != Some(true) {
                break;
            }
        }
        Ok(files)
    }

    async fn find(&self, key: &FileKey) -> Result<Option<RosterFile>, MembershipError> {
        let request = self.s3.client().await.head_object().bucket(&self.bucket).key(key.as_str());
        let object = match request.send().await {
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => {
                return Ok(None);
            }
            answer => answer.map_err(unavailable)?,
        };
        let file = described(key, object.e_tag(), object.content_length(), object.last_modified());
        Ok(Some(file.ok_or_else(|| because("the storage told too little of a file"))?))
    }

    async fn open(&self, file: &RosterFile, max_bytes: u64) -> Result<std::fs::File, MembershipError> {
        let request = self.s3.client().await.get_object().bucket(&self.bucket).key(file.key.as_str());
        let answer = request.if_match(&file.etag).send().await;
        let object = answer.map_err(|error| {
            if is_another(&error) { MembershipError::FileChanged } else { unavailable(error).into() }
        })?;
        // Some storages do not know the condition.
        if object.e_tag() != Some(file.etag.as_str()) {
            return Err(MembershipError::FileChanged);
        }
        keep(object.body, max_bytes).await
    }

    async fn put(&self, key: &FileKey, content: &Path) -> Result<(), MembershipError> {
        let body = ByteStream::from_path(content).await;
        let body = body.map_err(|error| FileStoreError::Failed(error.into()))?;
        let request = self.s3.client().await.put_object().bucket(&self.bucket).key(key.as_str());
        let request = request.content_type("text/csv").if_none_match("*").body(body);
        request.send().await.map(drop).map_err(|error| unavailable(error).into())
    }
}

fn described(
    key: &FileKey,
    etag: Option<&str>,
    size: Option<i64>,
    modified_at: Option<&S3Time>,
) -> Option<RosterFile> {
    let modified_at = modified_at?;
    Some(RosterFile {
        key: key.clone(),
        etag: etag?.to_owned(),
        size: u64::try_from(size?).ok()?,
        modified_at: DateTime::from_timestamp(modified_at.secs(), modified_at.subsec_nanos())?,
    })
}

/// Whether the file is gone, or has another content by now.
fn is_another(error: &SdkError<GetObjectError>) -> bool {
    let is_gone = error.as_service_error().is_some_and(GetObjectError::is_no_such_key);
    is_gone || error.code() == Some("PreconditionFailed")
}

/// Writes the content to a file without a name, as far as it may be long.
async fn keep(mut content: ByteStream, max_bytes: u64) -> Result<std::fs::File, MembershipError> {
    let failed = |error: std::io::Error| FileStoreError::Failed(error.into());
    let file = File::from_std(tempfile::tempfile().map_err(failed)?);
    let mut file = BufWriter::with_capacity(WRITE_BUFFER, file);
    let mut left = max_bytes;
    while let Some(chunk) = content.next().await {
        let chunk = chunk.map_err(|error| because(format!("the storage broke off: {}", root(&error))))?;
        let remaining = left.checked_sub(chunk.len() as u64);
        left = remaining.ok_or(MembershipError::FileTooLarge(max_bytes))?;
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    file.rewind().await.map_err(failed)?;
    Ok(file.into_inner().into_std().await)
}
