use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain_kernel::{ChampionCertificationId, FieldErrors, UserId};

/// Says that a user is a champion: somebody trained to lead practice on the floor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChampionCertification {
    /// Key.
    pub id: ChampionCertificationId,
    /// Whose it is.
    pub user: UserId,
    /// The day of the certification; one user has at most one of a day.
    pub date: NaiveDate,
    /// The last day on which it is valid.
    pub expires_on: NaiveDate,
    /// Who noted it.
    pub created_by: UserId,
    /// When it was noted.
    pub created_at: DateTime<Utc>,
    /// Set once it is taken back.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What a user shows of a certification that is valid today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidCertification {
    /// Key.
    pub id: ChampionCertificationId,
    /// The day of the certification.
    pub date: NaiveDate,
    /// The last day on which it is valid.
    pub expires_on: NaiveDate,
}

impl ChampionCertification {
    /// A certification of `date`, valid for `lifespan`. Fails if the date has not come yet, in UTC. One of long ago may have
    /// expired already: it is history.
    pub(crate) fn new(
        id: ChampionCertificationId,
        (user, date): (UserId, NaiveDate),
        lifespan: TimeDelta,
        created_by: UserId,
        now: DateTime<Utc>,
    ) -> Result<Self, FieldErrors> {
        if date > now.date_naive() {
            return Err(FieldErrors::of("date", "in_future", "must not be in the future"));
        }
        let expires_on = date + lifespan;
        Ok(Self { id, user, date, expires_on, created_by, created_at: now, revoked_at: None })
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::Clock;
    use domain_kernel::testing::FixedClock;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_certification_is_valid_for_its_lifespan_and_begins_today_at_the_latest() {
        let now = FixedClock::default().now();
        let (id, user) = (ChampionCertificationId::new(Uuid::from_u128(1)), UserId::new(Uuid::from_u128(2)));
        let of = |days| {
            let date = now.date_naive() + TimeDelta::days(days);
            ChampionCertification::new(id, (user, date), TimeDelta::days(365), user, now)
        };
        let today = of(0).expect("today");
        assert_eq!(
            (today.date.to_string(), today.expires_on.to_string()),
            ("2026-01-05".into(), "2027-01-05".into())
        );
        assert!(of(-4000).is_ok());
        assert_eq!(of(1), Err(FieldErrors::of("date", "in_future", "must not be in the future")));
    }
}
