use std::fs::File;
use std::path::Path;

use async_trait::async_trait;
use chrono::TimeDelta;

use crate::{FileKey, MembershipError, RosterFile, UploadTicket};

/// Where customers put roster files.
///
/// Each method fails with [`MembershipError::Files`] if the storage is not configured, away, lets nobody in, or has not the
/// bucket.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait RosterFiles: Send + Sync {
    /// What somebody needs to put one CSV file under the key, once and within `lifespan`. The storage refuses another
    /// content type, another key, a second file under the key, and whoever comes late.
    async fn presign_upload(
        &self,
        key: &FileKey,
        lifespan: TimeDelta,
    ) -> Result<UploadTicket, MembershipError>;

    /// The files below the folder whose keys come after `after`, in the order of the bytes of their keys, at most `limit`.
    /// Files under names that are no [`FileKey`] are left out. A folder that nobody has put anything into is empty.
    async fn list(
        &self,
        folder: &str,
        after: Option<FileKey>,
        limit: usize,
    ) -> Result<Vec<RosterFile>, MembershipError>;

    /// The file under the key, if there is one.
    async fn find(&self, key: &FileKey) -> Result<Option<RosterFile>, MembershipError>;

    /// The content, in a local file without a name, which is gone when it is closed.
    ///
    /// Fails with [`MembershipError::FileChanged`] if the content is not that of the `file` that was found, and with
    /// [`MembershipError::FileTooLarge`] if it has more than `max_bytes`.
    async fn open(&self, file: &RosterFile, max_bytes: u64) -> Result<File, MembershipError>;

    /// Puts a local file under a key that nothing is under yet.
    async fn put(&self, key: &FileKey, content: &Path) -> Result<(), MembershipError>;
}
