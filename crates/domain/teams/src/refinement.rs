use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use domain_kernel::{FieldErrors, OrgId, RefinementId, TeamId, UserId};

use crate::RefinementData;

/// Where a team is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TeamPlace {
    /// Its organization.
    pub organization: OrgId,
    /// Where the organization's days begin.
    pub time_zone: Tz,
}

impl TeamPlace {
    /// Reads the zone as stored; one that is not known counts as UTC.
    pub fn from_stored(organization: OrgId, time_zone: &str) -> Self {
        Self { organization, time_zone: time_zone.parse().unwrap_or(Tz::UTC) }
    }
}

/// A dated record of practice on a team's floor: somebody watched and corrected how the others move.
#[derive(Debug, Clone, PartialEq)]
pub struct Refinement {
    /// Key.
    pub id: RefinementId,
    /// The organization of the team.
    pub organization: OrgId,
    /// Whose practice it was.
    pub team: TeamId,
    /// What was noted.
    pub data: RefinementData,
    /// The day of the practice: what `data` says, else the day it was noted in the organization's time zone.
    pub occurred_on: NaiveDate,
    /// Who noted it.
    pub created_by: UserId,
    /// When it was noted.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Refinement {
    /// A new note. Fails if the practice has not happened yet anywhere on earth.
    pub(crate) fn new(
        id: RefinementId,
        (team, place): (TeamId, TeamPlace),
        data: RefinementData,
        created_by: UserId,
        now: DateTime<Utc>,
    ) -> Result<Self, FieldErrors> {
        let occurred_on = day_of(&data, place, now, now)?;
        Ok(Self {
            id,
            organization: place.organization,
            team,
            data,
            occurred_on,
            created_by,
            created_at: now,
            updated_at: now,
        })
    }

    /// Says something else. Fails, changing nothing, as [`new`](Self::new) does.
    pub(crate) fn replace(
        &mut self,
        data: RefinementData,
        place: TeamPlace,
        now: DateTime<Utc>,
    ) -> Result<(), FieldErrors> {
        self.occurred_on = day_of(&data, place, self.created_at, now)?;
        self.data = data;
        self.updated_at = now;
        Ok(())
    }
}

fn day_of(
    data: &RefinementData,
    place: TeamPlace,
    created_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<NaiveDate, FieldErrors> {
    let Some(day) = data.occurred_on() else {
        return Ok(created_at.with_timezone(&place.time_zone).date_naive());
    };
    // It may be tomorrow already where they are.
    if day > now.date_naive() + Days::new(1) {
        return Err(FieldErrors::of("data.occurred_on", "in_future", "must not be in the future"));
    }
    Ok(day)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::tests::{OWN, TEAM};

    const AUTHOR: UserId = UserId::new(Uuid::from_u128(5));

    fn noted(zone: &str, at: &str, data: serde_json::Value) -> Result<Refinement, FieldErrors> {
        let place = TeamPlace::from_stored(OWN, zone);
        let id = RefinementId::new(Uuid::from_u128(9));
        let data = RefinementData::parse(data).expect("good data");
        Refinement::new(id, (TEAM, place), data, AUTHOR, at.parse().expect("a time"))
    }

    #[test]
    fn without_a_day_it_is_the_one_of_the_organization() {
        for (zone, day) in [
            ("UTC", "2026-01-05"),
            ("Pacific/Auckland", "2026-01-06"),
            ("America/Chicago", "2026-01-05"),
            ("Atlantis", "2026-01-05"),
        ] {
            let refinement = noted(zone, "2026-01-05T20:00:00Z", json!({})).expect("a note");
            assert_eq!(refinement.occurred_on.to_string(), day, "{zone}");
        }
    }

    #[test]
    fn a_day_that_is_told_rules_unless_it_is_yet_to_come_everywhere() {
        let told = |day: &str| noted("UTC", "2026-01-05T20:00:00Z", json!({ "occurred_on": day }));
        for day in ["2025-12-01", "2026-01-05", "2026-01-06"] {
            assert_eq!(told(day).expect("a note").occurred_on.to_string(), day);
        }
        let refused = told("2026-01-07").expect_err("too far ahead");
        assert_eq!(refused.iter().map(|(field, _)| field).collect::<Vec<_>>(), ["data.occurred_on"]);
    }

    #[test]
    fn a_change_goes_back_to_the_day_it_was_noted_when_it_tells_none() {
        let mut refinement =
            noted("UTC", "2026-01-05T20:00:00Z", json!({ "occurred_on": "2025-12-01" })).expect("a note");
        let (place, later) = (TeamPlace::from_stored(OWN, "UTC"), refinement.created_at + TimeDelta::days(9));
        let before = refinement.clone();
        let ahead = RefinementData::parse(json!({ "occurred_on": "2026-02-01" })).expect("good data");
        assert!(refinement.replace(ahead, place, later).is_err());
        assert_eq!(refinement, before);
        let silent = RefinementData::parse(json!({ "notes": "knees" })).expect("good data");
        assert_eq!(refinement.replace(silent.clone(), place, later), Ok(()));
        let expected = Refinement {
            data: silent,
            occurred_on: before.created_at.date_naive(),
            updated_at: later,
            ..before
        };
        assert_eq!(refinement, expected);
    }
}
