//! Files in S3, or in whatever speaks its language.
//!
//! [`S3`] is the way to a storage, one for the whole process; [`S3Files`] keeps the roster files of the customers in a bucket of
//! it. With the feature `embedded` there is also a small storage of our own for development and tests, so that the same code,
//! signatures and errors are at work there.

mod connect;
#[cfg(feature = "embedded")]
pub mod embedded;
mod error;
mod files;

pub use connect::{AccessKeys, S3, S3Server};
pub use files::S3Files;
