use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::{Budget, Clock, RetryAfter, Throttle};

/// Entries kept before old ones are looked for; bounds the memory that made-up names and addresses can take.
const MAX_KEYS: usize = 100_000;

/// What each budget allows.
#[derive(Debug, Clone)]
pub struct ThrottleLimits {
    /// The window that addresses are counted in.
    pub window: TimeDelta,
    /// Failed sign-ins in a row for one account before it has to wait.
    pub sign_in_failures_of_account: usize,
    /// First wait of an account; doubles with each further failure.
    pub first_wait: TimeDelta,
    /// Longest wait of an account.
    pub longest_wait: TimeDelta,
    /// Failed sign-ins of an address in a window.
    pub sign_in_failures_of_address: usize,
    /// Sign-ups of an address in a window.
    pub sign_ups_of_address: usize,
    /// Username look-ups of an address in a window.
    pub username_lookups_of_address: usize,
    /// Wrong invite codes of an address in a window.
    pub wrong_invite_codes_of_address: usize,
    /// Requests for a reset mail of an address in a window.
    pub reset_mails_of_address: usize,
    /// Reset mails to an account in a window.
    pub reset_mails_of_account: usize,
    /// Invitation mails for a membership in a window.
    pub invitation_mails_of_membership: usize,
    /// New passwords of an account in a window.
    pub password_changes_of_account: usize,
}

impl Default for ThrottleLimits {
    fn default() -> Self {
        Self {
            window: TimeDelta::minutes(10),
            sign_in_failures_of_account: 10,
            first_wait: TimeDelta::seconds(30),
            longest_wait: TimeDelta::minutes(15),
            sign_in_failures_of_address: 100,
            sign_ups_of_address: 30,
            username_lookups_of_address: 60,
            wrong_invite_codes_of_address: 10,
            reset_mails_of_address: 10,
            reset_mails_of_account: 3,
            invitation_mails_of_membership: 5,
            password_changes_of_account: 10,
        }
    }
}

/// What is remembered of a key.
#[derive(Debug)]
enum Entry {
    /// The times of what still counts, oldest first.
    Recent(VecDeque<DateTime<Utc>>),
    /// Failures in a row, the last one, and until when the account waits.
    InARow { failures: usize, last: DateTime<Utc>, wait_until: DateTime<Utc> },
}

/// Counts in the memory of this process: several instances of the server count separately.
pub struct WindowThrottle {
    limits: ThrottleLimits,
    clock: Arc<dyn Clock>,
    entries: Mutex<HashMap<(Budget, String), Entry>>,
}

impl WindowThrottle {
    /// An empty throttle.
    pub fn new(limits: ThrottleLimits, clock: Arc<dyn Clock>) -> Self {
        Self { limits, clock, entries: Mutex::default() }
    }

    fn limit(&self, budget: Budget) -> usize {
        match budget {
            Budget::SignInFailuresOfAccount => self.limits.sign_in_failures_of_account,
            Budget::SignInFailuresOfAddress => self.limits.sign_in_failures_of_address,
            Budget::SignUpsOfAddress => self.limits.sign_ups_of_address,
            Budget::UsernameLookupsOfAddress => self.limits.username_lookups_of_address,
            Budget::WrongInviteCodesOfAddress => self.limits.wrong_invite_codes_of_address,
            Budget::ResetMailsOfAddress => self.limits.reset_mails_of_address,
            Budget::ResetMailsOfAccount => self.limits.reset_mails_of_account,
            Budget::InvitationMailsOfMembership => self.limits.invitation_mails_of_membership,
            Budget::PasswordChangesOfAccount => self.limits.password_changes_of_account,
        }
    }

    fn wait_after(&self, failures: usize) -> TimeDelta {
        let beyond = failures.saturating_sub(self.limits.sign_in_failures_of_account);
        let doublings = u32::try_from(beyond).unwrap_or(u32::MAX).min(20);
        (self.limits.first_wait * 2_i32.pow(doublings)).min(self.limits.longest_wait)
    }

    /// Until when the key has to wait, if it has to.
    fn blocked_until(&self, budget: Budget, entry: &mut Entry, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match entry {
            Entry::InARow { wait_until, .. } => (now < *wait_until).then_some(*wait_until),
            Entry::Recent(times) => {
                while times.front().is_some_and(|time| now - *time >= self.limits.window) {
                    times.pop_front();
                }
                let oldest = times.front().copied();
                oldest.filter(|_| times.len() >= self.limit(budget)).map(|oldest| oldest + self.limits.window)
            }
        }
    }

    /// Failures of an account are forgotten after a day without another one.
    fn is_stale(&self, entry: &Entry, now: DateTime<Utc>) -> bool {
        match entry {
            Entry::Recent(times) => times.back().is_none_or(|last| now - *last >= self.limits.window),
            Entry::InARow { last, .. } => now - *last >= TimeDelta::days(1),
        }
    }
}

fn retry_after(until: DateTime<Utc>, now: DateTime<Utc>, limit: usize) -> RetryAfter {
    let milliseconds = u64::try_from((until - now).num_milliseconds()).unwrap_or(0);
    RetryAfter { seconds: milliseconds.div_ceil(1000).max(1), limit: u64::try_from(limit).ok() }
}

impl Throttle for WindowThrottle {
    fn check(&self, budget: Budget, key: &str) -> Result<(), RetryAfter> {
        let now = self.clock.now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let blocked = entries
            .get_mut(&(budget, key.to_owned()))
            .and_then(|entry| self.blocked_until(budget, entry, now));
        blocked.map_or(Ok(()), |until| Err(retry_after(until, now, self.limit(budget))))
    }

    fn record(&self, budget: Budget, key: &str) -> Result<(), RetryAfter> {
        let now = self.clock.now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAX_KEYS {
            entries.retain(|_, entry| !self.is_stale(entry, now));
        }
        if entries.len() >= MAX_KEYS {
            // Under attack from that many keys, forgetting is the lesser harm: memory stays bounded and others get in.
            entries.clear();
        }
        let entry = entries.entry((budget, key.to_owned())).or_insert_with(|| match budget {
            Budget::SignInFailuresOfAccount => Entry::InARow { failures: 0, last: now, wait_until: now },
            _ => Entry::Recent(VecDeque::new()),
        });
        if let Some(until) = self.blocked_until(budget, entry, now) {
            return Err(retry_after(until, now, self.limit(budget)));
        }
        if self.is_stale(entry, now)
            && let Entry::InARow { failures, .. } = entry
        {
            *failures = 0;
        }
        match entry {
            Entry::Recent(times) => times.push_back(now),
            Entry::InARow { failures, last, wait_until } => {
                *failures += 1;
                *last = now;
                if *failures >= self.limits.sign_in_failures_of_account {
                    *wait_until = now + self.wait_after(*failures);
                }
            }
        }
        Ok(())
    }

    fn clear(&self, budget: Budget, key: &str) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(&(budget, key.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::FixedClock;

    use super::*;

    fn throttle() -> (WindowThrottle, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::default());
        (WindowThrottle::new(ThrottleLimits::default(), Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    const ADDRESS: Budget = Budget::WrongInviteCodesOfAddress;
    const ACCOUNT: Budget = Budget::SignInFailuresOfAccount;

    #[test]
    fn an_address_gets_its_budget_back_as_time_passes() {
        let (throttle, clock) = throttle();
        for _ in 0..10 {
            assert_eq!(throttle.record(ADDRESS, "a"), Ok(()));
            clock.advance(TimeDelta::seconds(30));
        }
        assert_eq!(throttle.check(ADDRESS, "a"), Err(RetryAfter { seconds: 300, limit: Some(10) }));
        assert_eq!(throttle.record(ADDRESS, "a"), Err(RetryAfter { seconds: 300, limit: Some(10) }));
        clock.advance(TimeDelta::seconds(300));
        assert_eq!(throttle.record(ADDRESS, "a"), Ok(()));
        assert!(throttle.record(ADDRESS, "a").is_err(), "one place was free");
    }

    #[test]
    fn one_key_and_one_budget_never_hurt_another() {
        let (throttle, _) = throttle();
        for _ in 0..10 {
            assert_eq!(throttle.record(ADDRESS, "a"), Ok(()));
        }
        assert_eq!(throttle.check(ADDRESS, "b"), Ok(()));
        assert_eq!(throttle.check(Budget::SignUpsOfAddress, "a"), Ok(()));
    }

    #[test]
    fn an_account_waits_after_ten_failures_in_a_row_twice_as_long_each_time() {
        let (throttle, clock) = throttle();
        for _ in 0..10 {
            assert_eq!(throttle.check(ACCOUNT, "ann"), Ok(()));
            assert_eq!(throttle.record(ACCOUNT, "ann"), Ok(()));
        }
        for seconds in [30, 60, 120, 240, 480, 900, 900] {
            assert_eq!(throttle.check(ACCOUNT, "ann"), Err(RetryAfter { seconds, limit: Some(10) }));
            assert_eq!(
                throttle.record(ACCOUNT, "ann"),
                Err(RetryAfter { seconds, limit: Some(10) }),
                "parallel tries learn nothing"
            );
            clock.advance(TimeDelta::seconds(i64::try_from(seconds).expect("small")));
            assert_eq!(throttle.check(ACCOUNT, "ann"), Ok(()));
            assert_eq!(throttle.record(ACCOUNT, "ann"), Ok(()));
        }
    }

    #[test]
    fn a_success_or_a_quiet_day_forgets_the_failures() {
        let (throttle, clock) = throttle();
        let fail_ten_times = || (0..10).all(|_| throttle.record(ACCOUNT, "ann").is_ok());
        assert!(fail_ten_times());
        throttle.clear(ACCOUNT, "ann");
        assert!(fail_ten_times());
        clock.advance(TimeDelta::days(1));
        assert!(fail_ten_times());
    }
}
