//! A team's progress as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, HeaderName};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use domain_courses::ports::{Feed, ProgressSignal};
use domain_courses::{AssignmentState, FeedPlace, LearningService, ProgressChange};
use domain_kernel::{FieldErrors, Origin, SessionId, TeamId};
use domain_users::{ClientId, SessionKeys, UserError, UserService};
use futures_util::stream;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Caller;
use crate::compose::Runtime;
use crate::error::{ApiError, ApiResult};
use crate::streams::OpenStream;

/// How often a stream looks whether its session still is good, and whether a signal got lost.
const LOOK: Duration = Duration::from_secs(5);

/// How long a stream may be silent: proxies and phones give up on silent connections.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long it waits for something that is being written.
const PAUSE: Duration = Duration::from_millis(100);

/// What a client waits before it connects anew, in milliseconds.
const RETRY_MS: u32 = 3000;

/// How somebody on the team came forward: the `data` of an event of the stream.
#[derive(Serialize, ToSchema)]
#[schema(as = TeamProgress)]
pub(crate) struct TeamProgressResponse {
    membership_id: Uuid,
    user_id: Uuid,
    /// As on the roster.
    #[schema(example = "Demo")]
    first_name: String,
    /// As on the roster.
    #[schema(example = "Learner")]
    last_name: String,
    assignment_id: Uuid,
    course_id: Uuid,
    #[schema(example = "Lifting from the floor")]
    course_name: String,
    /// The assignment since: `in_progress`, `completed`, or `withdrawn` if it was taken back before the report came.
    #[schema(example = "completed")]
    state: &'static str,
    /// 0 to 100.
    #[schema(example = 100)]
    percent: f64,
    /// When it happened, as far as the phone's clock is believed. RFC 3339 in UTC.
    occurred_at: DateTime<Utc>,
    /// When the phone told it. RFC 3339 in UTC.
    received_at: DateTime<Utc>,
}

impl From<ProgressChange> for TeamProgressResponse {
    fn from(change: ProgressChange) -> Self {
        Self {
            membership_id: change.learner.membership.uuid(),
            user_id: change.learner.user.uuid(),
            first_name: change.first_name,
            last_name: change.last_name,
            assignment_id: change.assignment.uuid(),
            course_id: change.course.uuid(),
            course_name: change.course_name,
            state: change.state.as_str(),
            percent: change.percent.value(),
            occurred_at: change.effective_at,
            received_at: change.received_at,
        }
    }
}

/// Follow the progress of a team
///
/// Server-sent events, for team admins and above: an event `progress` for each change of somebody's percent or state, and
/// `completed` when a course is done; `data` is a `TeamProgress`. In the order in which the changes became known, none twice and
/// none left out, whichever server took the report. Every 15 seconds at the latest something comes, if only a comment.
///
/// The stream begins now. With the `Last-Event-ID` of an earlier stream it begins with what was missed since, up to a day.
/// It ends when the session ends, the right is lost or the server stops: connect anew after the `retry` it names. Browsers'
/// `EventSource` sends no headers; use a client that does, such as one made on `fetch`.
#[utoipa::path(
    tag = "learning",
    params(
        ("team_id" = Uuid, Path, description = "The team"),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was received"),
    ),
    responses(
        (
            status = 200, description = "The stream", body = String, content_type = "text/event-stream",
            example = "event: completed\nid: 812-77-1796715163000\ndata: {\"percent\":100.0,\"state\":\"completed\"}\n\n",
        ),
        (status = 400, description = "`Last-Event-ID` is none of ours"),
        (status = 403, description = "You neither run the team nor the organization"),
        (status = 404, description = "No such team, or one of another organization"),
        (status = 503, description = "`too_many_streams` The server has as many streams as it can take"),
    )
)]
#[get("/teams/{team_id}/progress/stream")]
pub(crate) async fn stream_team_progress(
    request: HttpRequest,
    caller: Caller,
    users: Data<UserService>,
    learning: Data<LearningService>,
    runtime: Data<Runtime>,
    team: Path<Uuid>,
) -> ApiResult<HttpResponse> {
    let team = TeamId::new(team.into_inner());
    let place = last_event_id(&request).map_err(ApiError::invalid)?;
    let open = runtime.streams.open()?;
    // Before the first look, so that nothing falls between the two.
    let signal = learning.follow_team(team);
    let feed = learning.list_team_progress(&caller.actor, team, place).await?;
    let client = request.extensions().get::<SessionKeys>().map(|keys| keys.client.clone());
    let mut follower = Follower {
        users,
        learning,
        client: client.ok_or(UserError::NotSignedIn)?,
        session: caller.session,
        origin: caller.actor.origin,
        team,
        place: feed.place,
        has_more: false,
        signal,
        open,
        unsent: VecDeque::new(),
        sent_at: Instant::now(),
    };
    // Not the place behind what is yet to come: if the stream breaks off before, that would be lost.
    let start = place.filter(|_| !feed.changes.is_empty()).unwrap_or(feed.place);
    follower.unsent.push_back(Bytes::from(format!("retry: {RETRY_MS}\nid: {start}\n\n")));
    follower.take(feed);
    let events = stream::unfold(follower, |mut follower| async {
        let block = follower.next().await?;
        Some((Ok::<_, Infallible>(block), follower))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        // Proxies that gather answers would hold events back.
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(events))
}

fn last_event_id(request: &HttpRequest) -> Result<Option<FeedPlace>, FieldErrors> {
    let Some(value) = request.headers().get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or("?").trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |()| FieldErrors::of("Last-Event-ID", "invalid", "must be the id of an event of this stream");
    text.parse().map(Some).map_err(wrong)
}

/// Somebody who follows a team.
struct Follower {
    users: Data<UserService>,
    learning: Data<LearningService>,
    client: ClientId,
    session: SessionId,
    origin: Origin,
    team: TeamId,
    place: FeedPlace,
    has_more: bool,
    signal: Box<dyn ProgressSignal>,
    open: OpenStream,
    unsent: VecDeque<Bytes>,
    sent_at: Instant,
}

impl Follower {
    /// The next block of the stream; none at its end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(block) = self.unsent.pop_front() {
                self.sent_at = Instant::now();
                return Some(block);
            }
            self.wait().await?;
            // Whatever goes wrong, the client comes back and is told what.
            let account = self.users.follow_session(&self.client, self.session).await.ok()?;
            let actor = account.actor(self.origin.clone());
            let feed = self.learning.list_team_progress(&actor, self.team, Some(self.place)).await.ok()?;
            self.take(feed);
            if self.unsent.is_empty() && self.sent_at.elapsed() + LOOK > HEARTBEAT {
                self.unsent.push_back(Bytes::from(format!(": still here\nid: {}\n\n", self.place)));
            }
        }
    }

    /// Until it is worth while to look; none when the stream has to end.
    async fn wait(&mut self) -> Option<()> {
        let Self { has_more, signal, open, .. } = self;
        let wake = async {
            if *has_more {
                tokio::time::sleep(PAUSE).await;
            } else {
                drop(tokio::time::timeout(LOOK, signal.wait()).await);
            }
        };
        tokio::select! {
            () = open.closed() => None,
            () = wake => Some(()),
        }
    }

    fn take(&mut self, feed: Feed) {
        self.has_more = feed.has_more;
        self.place = feed.place;
        self.unsent.extend(feed.changes.into_iter().map(block));
    }
}

fn block(change: ProgressChange) -> Bytes {
    let event = if change.state == AssignmentState::Completed { "completed" } else { "progress" };
    let place = change.place;
    let data = serde_json::to_string(&TeamProgressResponse::from(change)).unwrap_or_default();
    Bytes::from(format!("event: {event}\nid: {place}\ndata: {data}\n\n"))
}
