//! A clock that stands still and ids that count, for unit tests of use cases.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{
    Actor, ActorMembership, Budget, Clock, IdGenerator, MembershipId, OrgId, Origin, RetryAfter, StaffRole,
    Throttle, UserId,
};

/// A clock that tests move by hand.
#[derive(Debug)]
pub struct FixedClock(Mutex<DateTime<Utc>>);

impl Default for FixedClock {
    /// Stands at 2026-01-05T08:00:00Z, a Monday.
    fn default() -> Self {
        Self(Mutex::new(DateTime::from_timestamp(1_767_600_000, 0).unwrap_or_default()))
    }
}

impl FixedClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += by;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Ids 1, 2, 3, …
#[derive(Debug, Default)]
pub struct CountingIds(AtomicU64);

impl IdGenerator for CountingIds {
    fn next(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 1)
    }
}

/// A throttle that refuses the budgets it is told to, and remembers what was recorded and cleared.
#[derive(Debug, Default)]
pub struct FakeThrottle {
    /// Budgets that are used up.
    pub used_up: Vec<Budget>,
    /// What was recorded.
    pub recorded: Mutex<Vec<(Budget, String)>>,
    /// What was cleared.
    pub cleared: Mutex<Vec<(Budget, String)>>,
}

impl Throttle for FakeThrottle {
    fn check(&self, budget: Budget, _key: &str) -> Result<(), RetryAfter> {
        if self.used_up.contains(&budget) { Err(RetryAfter { seconds: 30, limit: None }) } else { Ok(()) }
    }

    fn record(&self, budget: Budget, key: &str) -> Result<(), RetryAfter> {
        self.check(budget, key)?;
        self.recorded
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push((budget, key.to_owned()));
        Ok(())
    }

    fn clear(&self, budget: Budget, key: &str) {
        self.cleared.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((budget, key.to_owned()));
    }
}

/// An actor with one membership in `organization`.
pub fn member_of(organization: OrgId, org_admin: bool) -> Actor {
    let id = MembershipId::new(Uuid::from_u128(0xB0));
    let membership =
        ActorMembership { id, organization, org_admin, teams: Vec::new(), administered_teams: Vec::new() };
    Actor { memberships: vec![membership], ..nobody() }
}

/// A member of Worklete's staff.
pub fn staff(role: StaffRole) -> Actor {
    Actor { staff: Some(role), ..nobody() }
}

/// A signed-in person without any membership.
pub fn nobody() -> Actor {
    let user = UserId::new(Uuid::from_u128(0xA0));
    Actor { user, staff: None, memberships: Vec::new(), is_champion: false, origin: Origin::default() }
}
