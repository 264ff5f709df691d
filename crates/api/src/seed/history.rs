//! Two months in which people of the demo organization learned, each in their own way.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use domain_courses::{ClientTime, EventType, PlayerSessionId, ProgressData, ProgressEvent};
use domain_kernel::{Actor, TeamId};
use domain_teams::RefinementData;
use domain_users::CertifyChampion;
use serde_json::json;
use uuid::Uuid;

use super::{MovableClock, good};
use crate::compose::Services;
use crate::error::ApiError;

/// People who learned all the time.
pub(super) const PICKERS: usize = 18;

const WEEKS: i64 = 9;
const BASICS: u32 = 3;

/// Who took part.
pub(super) struct History<'a> {
    pub(super) staff: &'a Actor,
    pub(super) lead: Actor,
    pub(super) teams: [TeamId; 2],
    pub(super) people: Vec<Actor>,
}

/// How somebody goes about it.
#[derive(Clone, Copy)]
enum Habit {
    /// Does each lesson in its week.
    Steady,
    /// Begins, and ends it the week after.
    Late,
    /// Comes every third week.
    Rare,
}

impl Habit {
    fn of(person: i64) -> Self {
        match person % 9 {
            2 | 6 => Self::Late,
            8 => Self::Rare,
            _ => Self::Steady,
        }
    }
}

/// The Monday on which it begins, at six in the morning.
pub(super) fn start(today: DateTime<Utc>) -> DateTime<Utc> {
    let since_monday = TimeDelta::days(today.weekday().num_days_from_monday().into());
    let monday = today.date_naive() - since_monday - TimeDelta::weeks(WEEKS);
    monday.and_hms_opt(6, 0, 0).unwrap_or_default().and_utc()
}

/// Week by week until today.
pub(super) async fn make(
    services: &Services,
    clock: &MovableClock,
    today: DateTime<Utc>,
    history: &History<'_>,
) -> Result<(), ApiError> {
    let play = Play { services, clock, today };
    let certified = CertifyChampion { user: history.lead.user, date: start(today).date_naive() };
    services.users.certify_champion(history.staff, certified).await?;
    for week in 0..=WEEKS {
        let monday = start(today) + TimeDelta::weeks(week);
        if monday > today {
            break;
        }
        clock.set(monday);
        services.learning.begin_periods().await?;
        for (number, person) in (0..).zip(history.people.iter().chain([&history.lead])) {
            // Tuesday to Thursday, some time after the shift began.
            let hours = 26 + 24 * (number % 3) + number / 3;
            play.week(person, Habit::of(number), week, monday + TimeDelta::hours(hours)).await?;
        }
        for (team, every) in history.teams.into_iter().zip([1, 3]) {
            let friday = monday + TimeDelta::hours(4 * 24 + 8);
            if week % every == 0 && week > 0 && friday <= today {
                clock.set(friday);
                let data = json!({
                    "occurred_on": friday.date_naive(),
                    "moves": ["lifting from the floor"],
                    "notes": "Watched ten lifts at the dock and talked about three of them."
                });
                let data = RefinementData::parse(data).map_err(ApiError::invalid)?;
                services.teams.create_refinement(history.staff, team, data).await?;
            }
        }
    }
    Ok(())
}

struct Play<'a> {
    services: &'a Services,
    clock: &'a MovableClock,
    today: DateTime<Utc>,
}

impl Play<'_> {
    /// What somebody does in a week.
    async fn week(&self, person: &Actor, habit: Habit, week: i64, at: DateTime<Utc>) -> Result<(), ApiError> {
        if week == 0 {
            for lesson in 0..BASICS {
                self.learn(person, at + TimeDelta::hours(lesson.into()), 100).await?;
            }
            return Ok(());
        }
        match habit {
            Habit::Rare if week % 3 != 0 => Ok(()),
            Habit::Steady | Habit::Rare => self.learn(person, at, 100).await,
            // What was begun last week, and then the new one.
            Habit::Late => {
                self.learn(person, at - TimeDelta::hours(24), 100).await?;
                self.learn(person, at, 40).await
            }
        }
    }

    /// Opens the course that is current and gets so far in it.
    async fn learn(&self, person: &Actor, at: DateTime<Utc>, percent: u32) -> Result<(), ApiError> {
        if at > self.today {
            return Ok(());
        }
        self.clock.set(at);
        let learning = &self.services.learning;
        let Some(lesson) = learning.get_current_course(person, None).await?.lesson else { return Ok(()) };
        let player_session =
            PlayerSessionId::new(Uuid::from_u128(at.timestamp_millis().unsigned_abs().into()));
        let mut events = Vec::new();
        for step in 1..=percent / 20 {
            let time = at + TimeDelta::minutes(2) * i32::try_from(step).unwrap_or_default();
            let event_type = if step == 5 { EventType::Complete } else { EventType::UpdateProgress };
            let progress = good(ProgressData::parse(json!({ "percent": step * 20 })))?;
            let client_time = good(ClientTime::parse(time.timestamp_millis()))?;
            events.push((
                lesson.course.id,
                ProgressEvent { event_type, player_session, client_time, progress },
            ));
        }
        self.clock.set((at + TimeDelta::minutes(10)).min(self.today));
        learning.report_progress_batch(person, events).await?;
        Ok(())
    }
}
