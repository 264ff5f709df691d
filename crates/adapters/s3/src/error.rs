use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use domain_kernel::FileStoreError;

/// The storage did not do what it was asked for. The cause is in words of ours: those of the SDK may hold the signed address.
#[expect(clippy::needless_pass_by_value, reason = "made for `map_err`")]
pub(crate) fn unavailable<E: ProvideErrorMetadata + Error + 'static>(error: SdkError<E>) -> FileStoreError {
    let cause = match &error {
        SdkError::ServiceError(refused) => {
            let (status, code) = (refused.raw().status().as_u16(), refused.err().code());
            format!("the storage answered {status} {}", code.unwrap_or("without a code"))
        }
        SdkError::TimeoutError(_) => "the storage did not answer in time".into(),
        SdkError::ResponseError(_) => "the answer of the storage cannot be read".into(),
        _ => format!("the storage was not asked: {}", root(&error)),
    };
    because(cause)
}

/// The storage is not available, for this reason.
pub(crate) fn because(cause: impl Into<Box<dyn Error + Send + Sync>>) -> FileStoreError {
    FileStoreError::Unavailable(cause.into())
}

/// What is at the bottom of an error.
pub(crate) fn root(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
