use std::cmp::Reverse;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::{AssignmentId, FieldProblem};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Assignment, AssignmentState, Percent, ProgressData, ProgressHash};

/// What a player reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// The course is done. Nothing else says so, 100 percent neither.
    Complete,
    /// The course is being worked on.
    UpdateProgress,
}

impl EventType {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::UpdateProgress => "update_progress",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Complete, Self::UpdateProgress].into_iter().find(|event_type| event_type.as_str() == text)
    }
}

/// One run of a player on a device, named by the player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlayerSessionId(Uuid);

impl PlayerSessionId {
    /// Wraps the player's UUID.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The UUID itself, for storage.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// What the clock of a phone showed, in milliseconds since 1970: up to the end of the year 9999, right or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientTime(i64);

impl ClientTime {
    /// The last millisecond of the year 9999.
    pub const MAX_MS: i64 = 253_402_300_799_999;

    /// Checks the range.
    pub fn parse(ms: i64) -> Result<Self, FieldProblem> {
        if (0..=Self::MAX_MS).contains(&ms) {
            return Ok(Self(ms));
        }
        Err(FieldProblem { code: "invalid", message: format!("must be from 0 to {}", Self::MAX_MS) })
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(ms: i64) -> Self {
        Self(ms)
    }

    /// The milliseconds.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// The same as a time.
    pub fn instant(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// Something that happened in a player, told by the phone when it had a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressEvent {
    /// What happened.
    pub event_type: EventType,
    /// In which run of the player.
    pub player_session: PlayerSessionId,
    /// When, by the phone's clock.
    pub client_time: ClientTime,
    /// What the player told with it; empty if nothing.
    pub progress: ProgressData,
}

/// Equal for an event and its repetitions, different for any two other events.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DedupeKey([u8; 32]);

impl DedupeKey {
    /// The bytes, for storage.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DedupeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DedupeKey(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Which of two events is the later one: by [`effective_at`](Self::effective_at), among those of one instant (clocks
/// before the assignment or after the receipt) by what the phone's clock showed, and then by the hash. Never by arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventStamp {
    /// When it happened, as far as we believe it.
    pub effective_at: DateTime<Utc>,
    /// When it happened by the phone's clock.
    pub client_time: ClientTime,
    /// What was told.
    pub hash: ProgressHash,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absorbed {
    /// When it happened, as far as we believe it.
    pub effective_at: DateTime<Utc>,
    /// Whether something that happened later was known already.
    pub stale: bool,
    /// Whether it completed the assignment, which nothing had before.
    pub completes: bool,
}

/// An event as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// What was told.
    pub event: ProgressEvent,
    /// When it happened, as far as we believe it.
    pub effective_at: DateTime<Utc>,
    /// The time it counts for in reports.
    pub credited_at: DateTime<Utc>,
    /// When we were told.
    pub received_at: DateTime<Utc>,
    /// Whether something that happened later was known already.
    pub stale: bool,
}

/// An assignment that an event may belong to: a learner can have had a course several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTarget {
    /// The assignment.
    pub assignment: Assignment,
    /// The runs of players that reported to it, at least those that matter here.
    pub sessions: Vec<PlayerSessionId>,
}

impl EventTarget {
    /// Which of the assignments of one course an event belongs to: the open one, else the newest. A phone that repeats what
    /// it told before a newer assignment was given means the older one: its clock says so, and so does its run of the
    /// player, which reported to that one. The clock alone would not do, since clocks are wrong.
    pub fn choose<'a>(
        targets: impl IntoIterator<Item = &'a Self>,
        event: &ProgressEvent,
    ) -> Option<AssignmentId> {
        let mut newest_first: Vec<&Self> = targets.into_iter().collect();
        newest_first.sort_by_key(|target| Reverse((target.assignment.assigned_at, target.assignment.id)));
        let is_open = |target: &&&Self| target.assignment.state.is_open();
        let current = newest_first.iter().find(is_open).or(newest_first.first())?;
        let repeats = |target: &&&Self| {
            event.client_time.instant() < current.assignment.assigned_at
                && target.assignment.assigned_at < current.assignment.assigned_at
                && target.sessions.contains(&event.player_session)
        };
        Some(newest_first.iter().find(repeats).unwrap_or(current).assignment.id)
    }
}

impl ProgressEvent {
    /// By what a repetition of the event is recognised.
    pub fn dedupe_key(&self, assignment: AssignmentId) -> DedupeKey {
        let hash = Sha256::new()
            .chain_update(assignment.uuid().as_bytes())
            .chain_update(self.player_session.uuid().as_bytes())
            .chain_update([match self.event_type {
                EventType::Complete => 1,
                EventType::UpdateProgress => 2,
            }])
            .chain_update(self.client_time.ms().to_be_bytes())
            .chain_update(self.progress.hash().as_bytes())
            .finalize();
        DedupeKey(hash.into())
    }

    /// The share of the course that the event tells of, if it tells of one.
    pub fn percent(&self) -> Option<Percent> {
        match self.event_type {
            EventType::Complete => Some(Percent::FULL),
            EventType::UpdateProgress => self.progress.percent(),
        }
    }
}

impl Assignment {
    /// When an event happened, as far as we believe the phone's clock: not before the course was given, and not after
    /// we were told.
    pub fn effective_at(&self, event: &ProgressEvent, received_at: DateTime<Utc>) -> DateTime<Utc> {
        event.client_time.instant().min(received_at).max(self.assigned_at)
    }

    /// The time an event counts for in reports: when it happened, or when we were told if that was more than
    /// `late_window_days` later, because the numbers of that week are final by then.
    pub fn credited_at(
        &self,
        event: &ProgressEvent,
        received_at: DateTime<Utc>,
        late_window_days: i32,
    ) -> DateTime<Utc> {
        let effective_at = self.effective_at(event, received_at);
        let late = received_at - effective_at > TimeDelta::days(i64::from(late_window_days));
        if late { received_at } else { effective_at }
    }

    /// Adds what an event tells. As long as no phone's clock is ahead of ours, neither the order of events nor their
    /// repetition matters: all end in the same assignment.
    ///
    /// - Every field is a maximum, a minimum or a union over the events, so an event after completion finds state and
    ///   percent at their top. A re-watch can still move `progress`.
    /// - A withdrawn assignment stays withdrawn, unless it turns out to have been completed.
    /// - The latest event that told anything brings the `progress`; the counters in it are of all events. An event with
    ///   an empty `progress` leaves it alone.
    pub fn absorb(&mut self, event: &ProgressEvent, received_at: DateTime<Utc>) -> Absorbed {
        let effective_at = self.effective_at(event, received_at);
        let stale = self.last_event_at.is_some_and(|last| last > effective_at);
        let completes = event.event_type == EventType::Complete && self.completed_at.is_none();

        self.last_event_at = self.last_event_at.max(Some(effective_at));
        self.started_at = Some(earliest(self.started_at, effective_at));
        self.percent = self.percent.max(event.percent().unwrap_or(Percent::ZERO));
        let reached = match event.event_type {
            EventType::Complete => {
                self.completed_at = Some(earliest(self.completed_at, effective_at));
                AssignmentState::Completed
            }
            EventType::UpdateProgress => AssignmentState::InProgress,
        };
        self.state = self.state.max(reached);

        if !event.progress.is_empty() {
            let hash = event.progress.hash();
            let stamp = Some(EventStamp { effective_at, client_time: event.client_time, hash });
            let before = std::mem::take(&mut self.progress);
            self.progress = if stamp > self.progress_stamp {
                event.progress.clone().counting(&before)
            } else {
                before.counting(&event.progress)
            };
            self.progress_stamp = self.progress_stamp.max(stamp);
        }
        Absorbed { effective_at, stale, completes }
    }
}

fn earliest(known: Option<DateTime<Utc>>, told: DateTime<Utc>) -> DateTime<Utc> {
    known.map_or(told, |known| known.min(told))
}

#[cfg(test)]
mod tests {
    use domain_kernel::{CourseId, CourseVersionId, MembershipId, OrgId, UserId};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{AssignmentSource, Learner, Lesson};

    /// 2026-01-05T08:00:00Z, when the course is given.
    const START: i64 = 1_767_600_000_000;
    const DAY: i64 = 86_400_000;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(ms).expect("a time")
    }

    fn given() -> Assignment {
        let learner = Learner {
            organization: OrgId::new(Uuid::from_u128(2)),
            membership: MembershipId::new(Uuid::from_u128(3)),
            user: UserId::new(Uuid::from_u128(4)),
        };
        let lesson = Lesson {
            course: CourseId::new(Uuid::from_u128(5)),
            version: CourseVersionId::new(Uuid::from_u128(6)),
            source: AssignmentSource::CoursePool,
            due_at: None,
        };
        Assignment::give(AssignmentId::new(Uuid::from_u128(1)), learner, lesson, at(START))
    }

    fn event(event_type: EventType, ms: i64, progress: Value) -> ProgressEvent {
        ProgressEvent {
            event_type,
            player_session: PlayerSessionId::new(Uuid::from_u128(7)),
            client_time: ClientTime::parse(ms).expect("a time"),
            progress: ProgressData::parse(progress).expect("progress"),
        }
    }

    fn update(ms: i64, progress: Value) -> ProgressEvent {
        event(EventType::UpdateProgress, ms, progress)
    }

    fn complete(ms: i64, progress: Value) -> ProgressEvent {
        event(EventType::Complete, ms, progress)
    }

    /// Absorbs events told a day later.
    fn after(events: &[ProgressEvent]) -> Assignment {
        let mut assignment = given();
        for event in events {
            assignment.absorb(event, at(START + DAY));
        }
        assignment
    }

    #[test]
    fn any_time_up_to_the_year_9999_is_taken() {
        for ms in [0, 1, ClientTime::MAX_MS] {
            assert_eq!(ClientTime::parse(ms).map(ClientTime::ms), Ok(ms));
        }
        for ms in [-1, i64::MIN, ClientTime::MAX_MS + 1, i64::MAX] {
            assert_eq!(ClientTime::parse(ms).map_err(|problem| problem.code), Err("invalid"), "{ms}");
        }
        let last = ClientTime::parse(ClientTime::MAX_MS).expect("a time").instant();
        assert_eq!(last.to_rfc3339(), "9999-12-31T23:59:59.999+00:00");
    }

    #[test]
    fn a_repetition_has_the_same_key_and_every_other_event_another() {
        let one = AssignmentId::new(Uuid::from_u128(1));
        let original = update(START, json!({ "a": 1, "b": 2.0 }));
        assert_eq!(original.dedupe_key(one), update(START, json!({ "b": 2, "a": 1.0 })).dedupe_key(one));
        let mut other_session = original.clone();
        other_session.player_session = PlayerSessionId::new(Uuid::from_u128(8));
        for other in [
            complete(START, json!({ "a": 1, "b": 2 })),
            update(START + 1, json!({ "a": 1, "b": 2 })),
            update(START, json!({ "a": 1, "b": 3 })),
            other_session,
        ] {
            assert_ne!(other.dedupe_key(one), original.dedupe_key(one), "{other:?}");
        }
        assert_ne!(original.dedupe_key(AssignmentId::new(Uuid::from_u128(2))), original.dedupe_key(one));
    }

    #[test]
    fn a_wrong_clock_counts_as_the_nearest_possible_time() {
        let (assignment, received) = (given(), at(START + DAY));
        for (ms, believed) in [
            (0, START),
            (START - 1, START),
            (START + 5, START + 5),
            (START + DAY, START + DAY),
            (START + DAY + 1, START + DAY),
            (ClientTime::MAX_MS, START + DAY),
        ] {
            assert_eq!(assignment.effective_at(&update(ms, json!({})), received), at(believed), "{ms}");
        }
    }

    #[test]
    fn what_is_told_after_the_late_window_counts_when_it_is_told() {
        let (assignment, happened) = (given(), START + DAY);
        let credited = |told| assignment.credited_at(&update(happened, json!({})), at(told), 14);
        assert_eq!(credited(happened + 14 * DAY), at(happened));
        assert_eq!(credited(happened + 14 * DAY + 1), at(happened + 14 * DAY + 1));
        let clock_of_1970 = assignment.credited_at(&update(0, json!({})), at(START + DAY), 14);
        assert_eq!(clock_of_1970, at(START), "a wrong clock alone is not late");
    }

    #[test]
    fn an_update_begins_the_course_and_never_completes_it() {
        let assignment = after(&[update(START + 10, json!({ "percent": 100 }))]);
        assert_eq!((assignment.state, assignment.percent), (AssignmentState::InProgress, Percent::FULL));
        assert_eq!((assignment.started_at, assignment.completed_at), (Some(at(START + 10)), None));
    }

    #[test]
    fn a_completion_needs_nothing_before_it_and_means_100_percent() {
        for progress in [json!({}), json!({ "percent": 40 })] {
            let mut assignment = given();
            let absorbed = assignment.absorb(&complete(START + 10, progress.clone()), at(START + 10));
            assert!(absorbed.completes);
            assert_eq!((assignment.state, assignment.percent), (AssignmentState::Completed, Percent::FULL));
            assert_eq!(assignment.completed_at, Some(at(START + 10)));
            assert_eq!(assignment.started_at, assignment.completed_at);
            assert_eq!(assignment.progress.into_value(), progress);
            assert_eq!(assignment.last_event_at, Some(at(START + 10)));
        }
    }

    #[test]
    fn a_re_watch_moves_the_free_progress_and_nothing_else() {
        let done = after(&[complete(START + 10, json!({ "page": 9 }))]);
        let mut watched_again = done.clone();
        let absorbed =
            watched_again.absorb(&update(START + 20, json!({ "page": 1, "percent": 5 })), at(START + 20));
        assert!(!absorbed.completes && !absorbed.stale);
        assert_eq!(watched_again.progress.as_map()["page"], json!(1));
        assert_eq!(
            (watched_again.state, watched_again.percent, watched_again.completed_at),
            (done.state, done.percent, done.completed_at)
        );
    }

    #[test]
    fn a_second_completion_is_no_news_but_an_earlier_one_corrects_the_time() {
        let mut assignment = after(&[complete(START + 20, json!({}))]);
        let absorbed = assignment.absorb(&complete(START + 10, json!({})), at(START + DAY));
        assert!(absorbed.stale && !absorbed.completes);
        assert_eq!(assignment.completed_at, Some(at(START + 10)));
    }

    #[test]
    fn an_event_belongs_to_the_open_assignment_and_a_repetition_to_the_one_it_was_told_of() {
        let assignment = |id: u128, state, days: i64| Assignment {
            id: AssignmentId::new(Uuid::from_u128(id)),
            state,
            assigned_at: at(START + days * DAY),
            ..given()
        };
        let chosen = |targets: &[EventTarget], event: &ProgressEvent| {
            EventTarget::choose(targets, event).map(|id| id.uuid().as_u128())
        };
        let target = |assignment, sessions: &[u128]| EventTarget {
            assignment,
            sessions: sessions.iter().map(|id| PlayerSessionId::new(Uuid::from_u128(*id))).collect(),
        };
        let told = |ms| complete(ms, json!({})); // in session 7
        assert_eq!(chosen(&[], &told(START)), None);

        let done = target(assignment(1, AssignmentState::Completed, 0), &[7]);
        let withdrawn = target(assignment(2, AssignmentState::Withdrawn, 5), &[]);
        let again = target(assignment(3, AssignmentState::Assigned, 10), &[]);
        let [before, after] = [told(START + DAY), told(START + 11 * DAY)];
        assert_eq!(chosen(std::slice::from_ref(&done), &before), Some(1), "the only one, whatever its state");
        assert_eq!(chosen(&[done.clone(), withdrawn.clone()], &after), Some(2), "the newest");
        let all = [again.clone(), done.clone(), withdrawn];
        assert_eq!(chosen(&all, &after), Some(3));
        assert_eq!(chosen(&all, &before), Some(1), "a repetition does not complete the course once more");
        let stranger = target(done.assignment, &[8]);
        assert_eq!(chosen(&[again, stranger], &before), Some(3), "a clock that is slow loses nothing");
    }

    #[test]
    fn an_older_event_adds_its_counters_and_leaves_the_rest() {
        let mut assignment = after(&[update(START + 20, json!({ "page": 2, "answered": ["q2"] }))]);
        let older =
            update(START + 10, json!({ "page": 1, "furthest_ms": 7, "answered": ["q1"], "percent": 30 }));
        assert!(assignment.absorb(&older, at(START + DAY)).stale);
        assert_eq!(
            assignment.progress.into_value(),
            json!({ "page": 2, "furthest_ms": 7, "answered": ["q1", "q2"], "percent": 30 })
        );
        assert_eq!(assignment.started_at, Some(at(START + 10)));
        assert_eq!(assignment.last_event_at, Some(at(START + 20)));
    }

    #[test]
    fn an_event_that_tells_nothing_leaves_the_progress_alone() {
        let assignment = after(&[update(START + 10, json!({ "page": 1 })), complete(START + 20, json!({}))]);
        assert_eq!(assignment.progress.into_value(), json!({ "page": 1 }));
    }

    #[test]
    fn clocks_ahead_of_ours_keep_their_own_order_when_told_together() {
        let ahead =
            [update(START + 3 * DAY, json!({ "page": 2 })), update(START + 2 * DAY, json!({ "page": 1 }))];
        assert_eq!(after(&ahead).progress.into_value(), json!({ "page": 2 }));
        let behind = [update(2, json!({ "page": 2 })), update(1, json!({ "page": 1 }))];
        assert_eq!(after(&behind).progress.into_value(), json!({ "page": 2 }));
    }

    #[test]
    fn a_withdrawn_assignment_stays_withdrawn_until_it_turns_out_to_be_completed() {
        let mut assignment = given();
        assignment.withdraw(at(START + 50));
        assignment.absorb(&update(START + 10, json!({ "percent": 30 })), at(START + 60));
        assert_eq!((assignment.state, assignment.completed_at), (AssignmentState::Withdrawn, None));
        assert!(assignment.absorb(&complete(START + 20, json!({})), at(START + 70)).completes);
        assert_eq!(
            (assignment.state, assignment.completed_at),
            (AssignmentState::Completed, Some(at(START + 20)))
        );
        assert_eq!(assignment.withdrawn_at, Some(at(START + 50)), "what happened stays on record");
    }

    #[test]
    fn an_event_type_is_read_as_it_is_written() {
        for event_type in [EventType::Complete, EventType::UpdateProgress] {
            assert_eq!(EventType::parse(event_type.as_str()), Some(event_type));
        }
        assert_eq!(EventType::parse("finish"), None);
    }

    /// Values that are right, wrong, equal in other spellings, and of kinds that do not go together.
    fn field_value() -> impl Strategy<Value = Value> {
        let answers = prop_oneof![
            vec(0_u8..4, 0..4).prop_map(|answers| json!(answers)),
            proptest::collection::btree_map("[ab]", 0_u8..3, 0..3).prop_map(|answers| json!(answers)),
        ];
        prop_oneof![
            3 => answers,
            1 => (0_u8..4).prop_map(|n| json!(n)),
            1 => (0_u8..4).prop_map(|n| json!(f64::from(n))),
            1 => prop_oneof![Just(json!(null)), Just(json!("x")), Just(json!(2.5))],
        ]
    }

    fn progress() -> impl Strategy<Value = Value> {
        let percent =
            proptest::option::weighted(0.6, prop_oneof![(0_u8..=100).prop_map(f64::from), 0.0..100.0]);
        let others = proptest::collection::btree_map("furthest_ms|answered|page|note", field_value(), 0..4);
        (percent, others).prop_map(|(percent, others)| {
            let mut progress = json!(others);
            if let Some(percent) = percent {
                progress["percent"] = json!(percent);
            }
            progress
        })
    }

    /// An event no clock of which is ahead of ours, and when it is told. Few different times, so that many are equal.
    fn told() -> impl Strategy<Value = (ProgressEvent, DateTime<Utc>)> {
        let ms = prop_oneof![Just(0), START - 3..START + 6, Just(START + DAY)];
        let event_type = prop_oneof![1 => Just(EventType::Complete), 4 => Just(EventType::UpdateProgress)];
        (event_type, ms, progress(), 0..3 * DAY).prop_map(|(event_type, ms, progress, delay)| {
            (event(event_type, ms, progress), at(ms.max(START) + delay))
        })
    }

    fn absorbed(events: &[(ProgressEvent, DateTime<Utc>)]) -> Assignment {
        let mut assignment = given();
        for (event, received_at) in events {
            assignment.absorb(event, *received_at);
        }
        assignment
    }

    /// Some events, and the same ones in another order, some of them several times and told at other times.
    fn told_twice() -> impl Strategy<Value = [Vec<(ProgressEvent, DateTime<Utc>)>; 2]> {
        vec(told(), 0..8).prop_flat_map(|events| {
            let again = vec((0..events.len().max(1), 0..DAY), 0..6);
            (Just(events), again).prop_flat_map(|(events, again)| {
                let mut repeated = events.clone();
                for (index, delay) in again {
                    repeated.extend(
                        events
                            .get(index)
                            .map(|(event, told)| (event.clone(), *told + TimeDelta::milliseconds(delay))),
                    );
                }
                (Just(events), Just(repeated).prop_shuffle())
                    .prop_map(|(events, repeated)| [events, repeated])
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn order_and_repetition_do_not_matter([events, repeated] in told_twice()) {
            prop_assert_eq!(absorbed(&events), absorbed(&repeated));
        }

        #[test]
        fn an_assignment_read_back_from_storage_merges_like_one_in_memory([events, repeated] in told_twice()) {
            let mut assignment = given();
            for (event, received_at) in &repeated {
                let stored = assignment.progress.into_value().to_string();
                let read = serde_json::from_str(&stored).expect("JSON");
                assignment.progress = ProgressData::from_stored(read);
                assignment.absorb(event, *received_at);
            }
            prop_assert_eq!(assignment, absorbed(&events));
        }

        #[test]
        fn a_withdrawal_between_events_loses_no_completion(
            [events, repeated] in told_twice(),
            index in 0_usize..8,
        ) {
            let mut assignment = given();
            for (i, (event, received_at)) in repeated.iter().enumerate() {
                if i == index {
                    assignment.withdraw(*received_at);
                }
                assignment.absorb(event, *received_at);
            }
            let undisturbed = absorbed(&events);
            prop_assert_eq!(assignment.completed_at, undisturbed.completed_at);
            prop_assert_eq!(assignment.progress, undisturbed.progress);
            prop_assert_eq!(
                assignment.state == AssignmentState::Completed,
                undisturbed.state == AssignmentState::Completed
            );
        }

        #[test]
        fn nothing_is_ever_taken_back(events in vec(told(), 1..10)) {
            let mut assignment = given();
            for (event, received_at) in &events {
                let before = assignment.clone();
                let absorbed = assignment.absorb(event, *received_at);
                prop_assert!(assignment.state >= before.state);
                prop_assert!(assignment.percent >= before.percent);
                prop_assert!(assignment.last_event_at >= before.last_event_at);
                prop_assert!(assignment.progress_stamp >= before.progress_stamp);
                prop_assert!(before.started_at.is_none_or(|time| assignment.started_at <= Some(time)));
                prop_assert!(before.completed_at.is_none_or(|time| assignment.completed_at <= Some(time)));
                prop_assert!(assignment.progress.percent() >= before.progress.percent());
                prop_assert_eq!(assignment.state == AssignmentState::Completed, assignment.completed_at.is_some());
                prop_assert!(absorbed.effective_at >= assignment.assigned_at);
                prop_assert!(absorbed.effective_at <= *received_at);
                prop_assert_eq!(absorbed.stale, Some(absorbed.effective_at) < before.last_event_at);
            }
        }

        #[test]
        fn an_event_absorbed_twice_changes_nothing_more(events in vec(told(), 1..6)) {
            let once = absorbed(&events);
            for (event, received_at) in &events {
                let mut twice = once.clone();
                prop_assert!(!twice.absorb(event, *received_at).completes);
                prop_assert_eq!(&twice, &once);
            }
        }
    }
}
