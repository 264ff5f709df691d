use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The current time.
pub trait Clock: Send + Sync {
    /// Now, in whole microseconds: the resolution that storage keeps, so that a value read back equals the one written.
    fn now(&self) -> DateTime<Utc>;
}

/// Source of new ids.
pub trait IdGenerator: Send + Sync {
    /// A UUID version 7: unique, and sorted by time of creation.
    fn next(&self) -> Uuid;
}
