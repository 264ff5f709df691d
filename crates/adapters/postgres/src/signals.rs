//! Signals of progress between servers, over LISTEN and NOTIFY.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use domain_courses::CourseError;
use domain_courses::ports::{ProgressSignal, ProgressSignals};
use domain_kernel::{MembershipId, TeamId};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::pool::{ListenerDoor, Listening};
use crate::sql::statement;
use crate::{Pg, PgError};

/// Signals that wait to be sent. More are dropped: who follows looks now and then anyway.
const WAITING: usize = 10_000;

/// What comes within this time is sent at once, so that a busy platform does not pay for each event.
const GATHER: Duration = Duration::from_millis(50);

/// How often the listener looks whether something came.
const LOOK: Duration = Duration::from_millis(50);

/// How long it waits before it connects anew.
const RECONNECT: Duration = Duration::from_secs(1);

/// Not sent by the transaction that writes an event: all transactions that notify commit one after the other.
const NOTIFY: &str = "SELECT pg_notify('team_progress', x.team_id::text) \
     FROM (SELECT DISTINCT team_id FROM team_memberships WHERE membership_id = ANY({})) x";

#[derive(Default)]
struct Followers(Mutex<HashMap<Uuid, watch::Sender<()>>>);

impl Followers {
    fn teams(&self) -> MutexGuard<'_, HashMap<Uuid, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, team: Uuid) -> watch::Receiver<()> {
        let mut teams = self.teams();
        teams.retain(|_, followed| !followed.is_closed());
        teams.entry(team).or_default().subscribe()
    }

    fn wake(&self, team: Uuid) {
        if let Some(followed) = self.teams().get(&team) {
            followed.send_replace(());
        }
    }

    fn wake_all(&self) {
        self.teams().values().for_each(|followed| {
            followed.send_replace(());
        });
    }
}

/// Signals of progress over PostgreSQL.
#[derive(Clone)]
pub struct PgSignals {
    followers: Arc<Followers>,
    outgoing: mpsc::Sender<Uuid>,
}

impl PgSignals {
    /// Over this database. Sends and hears nothing without the other half.
    pub fn new(pg: Pg) -> (Self, SignalExchange) {
        let (outgoing, waiting) = mpsc::channel(WAITING);
        let followers = Arc::<Followers>::default();
        (Self { followers: Arc::clone(&followers), outgoing }, SignalExchange { pg, followers, waiting })
    }
}

impl ProgressSignals for PgSignals {
    fn announce(&self, membership: MembershipId) {
        // With too many waiting it is lost, as a signal may be.
        let _ = self.outgoing.try_send(membership.uuid());
    }

    fn follow(&self, team: TeamId) -> Box<dyn ProgressSignal> {
        Box::new(Followed(self.followers.follow(team.uuid())))
    }
}

struct Followed(watch::Receiver<()>);

#[async_trait]
impl ProgressSignal for Followed {
    async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What carries signals from server to server.
pub struct SignalExchange {
    pg: Pg,
    followers: Arc<Followers>,
    waiting: mpsc::Receiver<Uuid>,
}

impl SignalExchange {
    /// Listens on a thread of its own until the database is closed, and sends as long as this is awaited.
    pub async fn run(self) {
        let Self { pg, followers, mut waiting } = self;
        let door = pg.listener_door();
        let listener =
            std::thread::Builder::new().name("signals".into()).spawn(move || listen(&door, &followers));
        if let Err(error) = listener {
            tracing::warn!(%error, "cannot listen for signals of progress");
        }
        let mut members = Vec::new();
        while waiting.recv_many(&mut members, WAITING).await > 0 {
            tokio::time::sleep(GATHER).await;
            while let Ok(member) = waiting.try_recv() {
                members.push(member);
            }
            let distinct: BTreeSet<Uuid> = members.drain(..).collect();
            let notify = pg.read(move |connection| Ok(notify(connection, distinct)?));
            if notify.await.map_err(PgError::<CourseError>::into_storage).is_err() {
                tracing::warn!("could not send signals of progress");
            }
        }
    }
}

fn notify(connection: &mut PgConnection, members: BTreeSet<Uuid>) -> QueryResult<()> {
    let members: Vec<Uuid> = members.into_iter().collect();
    statement(NOTIFY).bind::<Array<SqlUuid>, _>(members).execute(connection).map(drop)
}

fn listen(door: &ListenerDoor, followers: &Followers) {
    while let Some(connected) = door.connect() {
        let heard = match connected {
            Ok(listening) => hear(listening, followers),
            Err(reason) => Err(reason),
        };
        let Err(reason) = heard else { return };
        tracing::warn!(reason, "cannot listen for signals of progress; trying again");
        std::thread::sleep(RECONNECT);
    }
}

/// Hears until the database closes or the connection is lost.
fn hear(mut listening: Listening<'_>, followers: &Followers) -> Result<(), String> {
    let lost = |error: diesel::result::Error| crate::error::without_quotes(&error.to_string());
    statement("LISTEN team_progress").execute(&mut listening.connection).map_err(lost)?;
    // Whatever was said meanwhile, nobody heard it.
    followers.wake_all();
    while !listening.is_closing() {
        for notification in listening.connection.notifications_iter() {
            if let Ok(team) = notification.map_err(lost)?.payload.parse() {
                followers.wake(team);
            }
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
