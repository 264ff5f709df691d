//! What the server does by itself, now and then.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use crate::compose::Services;
use crate::config::Config;
use crate::error::ApiError;

/// The beginning of a period is to be spread over an hour.
const INTERVAL: Duration = Duration::from_mins(1);

/// Rounds from one clean-up to the next.
const CLEAN_UP_EVERY: u32 = 10;

/// Goes on for ever. Several instances may do so at once: each finds nothing to do a second time. What is too much for one round
/// is left for the next.
pub(crate) async fn run(services: Services) {
    // Not at once: a server that has just started has people waiting.
    let mut ticks = tokio::time::interval_at(Instant::now() + INTERVAL, INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in (0..CLEAN_UP_EVERY).cycle() {
        ticks.tick().await;
        match services.learning.begin_periods().await {
            Ok(0) => {}
            Ok(given) => tracing::info!(given, "gave courses for a new period"),
            Err(error) => warn(error.into(), "could not give courses for a new period"),
        }
        if round == 0 {
            clean_up(&services).await;
        }
    }
}

/// Begins to look for new files in the folders of organizations, if there is a storage and somebody wants it.
pub(crate) fn watch_rosters(services: &Services, config: &Config) {
    let Some(interval) = config.roster_poll.filter(|_| config.storage.is_some()) else { return };
    let rosters = services.rosters.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(interval).await;
            match rosters.notice_files().await {
                Ok(0) => {}
                Ok(noticed) => tracing::info!(noticed, "found roster files"),
                Err(error) => warn(error.into(), "could not look for roster files"),
            }
        }
    });
}

async fn clean_up(services: &Services) {
    match services.users.clean_up_accounts().await {
        Ok((0, 0)) => {}
        Ok((erased, purged)) => tracing::info!(erased, purged, "cleaned up accounts and sessions"),
        Err(error) => warn(error.into(), "could not clean up accounts and sessions"),
    }
    match services.learning.open_event_months().await {
        Ok(0) => {}
        Ok(opened) => tracing::info!(opened, "made partitions for progress events"),
        Err(error) => warn(error.into(), "could not make partitions for progress events"),
    }
    match services.memberships.expire_invitations().await {
        Ok(0) => {}
        Ok(expired) => tracing::info!(expired, "stamped expired invitations"),
        Err(error) => warn(error.into(), "could not stamp expired invitations"),
    }
    match services.rosters.forget_reports().await {
        Ok(0) => {}
        Ok(forgotten) => tracing::info!(forgotten, "deleted reports of imports"),
        Err(error) => warn(error.into(), "could not delete reports of imports"),
    }
    match services.teams.keep_scores().await {
        Ok(0) => {}
        Ok(kept) => tracing::info!(kept, "counted scores"),
        Err(error) => warn(error.into(), "could not count scores"),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "made for this call")]
pub(crate) fn warn(error: ApiError, what: &str) {
    tracing::warn!(code = error.code(), cause = error.causes(), "{what}");
}
