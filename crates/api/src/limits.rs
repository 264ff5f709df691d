//! How many requests one session may make.

use std::num::NonZeroU32;

use domain_kernel::{RetryAfter, SessionId};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::config::SessionRate;
use crate::error::ApiError;

/// A bucket for each session, in the memory of this process.
pub(crate) struct SessionLimiter {
    buckets: DefaultKeyedRateLimiter<SessionId>,
    burst: u64,
}

impl SessionLimiter {
    pub(crate) fn new(rate: SessionRate) -> Self {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(rate.per_second)).allow_burst(at_least_one(rate.burst));
        Self { buckets: RateLimiter::keyed(quota), burst: rate.burst.into() }
    }

    /// Counts a request.
    pub(crate) fn check(&self, session: SessionId) -> Result<(), ApiError> {
        self.buckets.check_key(&session).map_err(|wait| {
            let seconds = wait.wait_time_from(DefaultClock::default().now()).as_secs_f64().ceil();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a few seconds at most"
            )]
            ApiError::throttled(RetryAfter { seconds: (seconds as u64).max(1), limit: Some(self.burst) })
        })
    }

    /// Forgets sessions whose bucket is full again.
    pub(crate) fn forget_idle(&self) {
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_session_may_burst_and_never_hurts_another() {
        let limiter = SessionLimiter::new(SessionRate { per_second: 1, burst: 5 });
        let [one, other] = [1, 2].map(|n| SessionId::new(Uuid::from_u128(n)));
        assert!((0..5).all(|_| limiter.check(one).is_ok()));
        let refused = limiter.check(one).expect_err("the burst is used up");
        assert_eq!(refused.retry_after(), Some(RetryAfter { seconds: 1, limit: Some(5) }));
        assert!(limiter.check(other).is_ok());
    }
}
