//! What the server does by itself, now and then.

use std::time::Duration;

use tokio::time::Instant;

use crate::compose::Services;
use crate::error::ApiError;

const FIRST_DELAY: Duration = Duration::from_mins(1);
const INTERVAL: Duration = Duration::from_mins(10);

/// Cleans up for ever. Several instances may do so at once: each finds nothing to do a second time. What is
/// too much for one round is left for the next.
pub(crate) async fn run(services: Services) {
    // Not at once: a server that has just started has people waiting.
    let mut ticks = tokio::time::interval_at(Instant::now() + FIRST_DELAY, INTERVAL);
    loop {
        ticks.tick().await;
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
        match services.teams.keep_scores().await {
            Ok(0) => {}
            Ok(kept) => tracing::info!(kept, "counted scores"),
            Err(error) => warn(error.into(), "could not count scores"),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "made for this call")]
fn warn(error: ApiError, what: &str) {
    tracing::warn!(code = error.code(), cause = error.causes(), "{what}");
}
