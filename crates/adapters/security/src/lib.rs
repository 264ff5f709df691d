//! Password hashing, secrets, the system clock, ids and throttles.

mod bcrypt_hasher;
mod generators;
mod system;
mod window_throttle;

pub use bcrypt_hasher::{BcryptHasher, HashingLoad};
pub use generators::SecureRandom;
pub use system::{SystemClock, UuidV7};
pub use window_throttle::{ThrottleLimits, WindowThrottle};
