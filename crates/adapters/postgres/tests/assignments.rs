//! Contract tests of `AssignmentQueries` and `AssignmentRepository`, and of the rule of the current course on what they read.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use adapter_postgres::testing::TestDatabase;
use adapter_postgres::{PgAssignments, PgSignals};
use chrono::{DateTime, TimeDelta, Utc};
use domain_courses::ports::{
    AssignmentQueries, AssignmentRepository, Feed, Offer, ProgressSignals, Recorded, Standing,
};
use domain_courses::{
    Assignment, AssignmentSource, AssignmentState, Cadence, Calendar, CatalogCourse, ClientTime, CourseError,
    Current, Edition, EventType, FeedPlace, JoinedTeam, Learner, LearnerCourse, LearningService, Lesson,
    PastAssignment, Percent, PlayerSessionId, ProgressData, ProgressEvent, PublishedVersion, RoundMark,
    StoredEvent, VersionContent, VersionData,
};
use domain_kernel::{
    Actor, AssignmentId, Clock, CourseId, CourseVersionId, IdGenerator, MembershipId, PageRequest, TeamId,
    UserId,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::common::{
    ALL, Lock, Ports, a_membership, all_at_once, at, count, everything, next_id, page, until_waiting,
};

const DAY: i64 = 24 * 60;

/// A clock that stands at a time of the test's choice.
struct At(DateTime<Utc>);

impl Clock for At {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

struct Ids;

impl IdGenerator for Ids {
    fn next(&self) -> Uuid {
        next_id()
    }
}

/// A member of the organization North (weekly, in UTC) on one team, since `at(0)`, which is a Monday at 8.
struct World {
    db: TestDatabase,
    ports: Ports,
    staff: UserId,
    learner: Learner,
    team: TeamId,
    queries: Arc<dyn AssignmentQueries>,
    assignments: Arc<dyn AssignmentRepository>,
}

/// A course with its published version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taught {
    course: CourseId,
    version: CourseVersionId,
}

impl World {
    async fn new() -> Self {
        let db = TestDatabase::create();
        let (ports, staff, organization) = Ports::ready(&db).await;
        let team = ports.given_team(staff, organization, "Night shift").await;
        let all = PgAssignments::new(ports.pg.clone());
        let (queries, assignments): (Arc<dyn AssignmentQueries>, Arc<dyn AssignmentRepository>) =
            (Arc::new(all.clone()), Arc::new(all));
        db.execute("UPDATE organizations SET cadence = 'weekly', time_zone = 'UTC'");
        let (user, membership) = (UserId::new(Uuid::nil()), MembershipId::new(Uuid::nil()));
        let learner = Learner { organization, membership, user };
        let mut world = Self { db, ports, staff, learner, team, queries, assignments };
        world.learner = world.another("AAAAAA").await;
        world.join(team, at(0));
        world
    }

    /// One more member, on no team.
    async fn another(&self, code: &str) -> Learner {
        let organization = self.learner.organization;
        let new = a_membership(self.staff, organization, code);
        let membership = self.ports.given_membership(new).await.membership.id;
        let (user, _) = self.ports.given_member(&format!("learner-{code}"), Some(code)).await;
        Learner { organization, membership, user: user.id }
    }

    fn join(&self, team: TeamId, since: DateTime<Utc>) {
        let Learner { organization, membership, .. } = self.learner;
        self.db.execute(&format!(
            "INSERT INTO team_memberships VALUES ('{team}', '{membership}', '{organization}', '{since}')"
        ));
    }

    /// A course of the library with a published version.
    fn teach(&self, basics: bool, position: i32) -> Taught {
        let course = CourseId::new(next_id());
        self.db.execute(&format!(
            "INSERT INTO courses (id, name, basics, position, created_at, updated_at) \
             VALUES ('{course}', 'Lifting', {basics}, {position}, '{0}', '{0}')",
            at(-DAY)
        ));
        Taught { course, version: self.publish(course, 1, at(-DAY)) }
    }

    /// Makes a new version of the course the published one.
    fn publish(&self, course: CourseId, number: i32, time: DateTime<Utc>) -> CourseVersionId {
        let version = CourseVersionId::new(next_id());
        self.db.execute(&self.publish_sql(course, version, number, time));
        version
    }

    fn publish_sql(&self, course: CourseId, id: CourseVersionId, number: i32, time: DateTime<Utc>) -> String {
        format!(
            "UPDATE course_versions SET status = 'archived', archived_at = '{time}' \
             WHERE course_id = '{course}' AND status = 'published'; \
             INSERT INTO course_versions (id, course_id, number, status, data, created_by, created_at, updated_at, published_at) \
             VALUES ('{id}', '{course}', {number}, 'published', '{{\"title\": \"v{number}\"}}', '{}', '{time}', '{time}', '{time}')",
            self.staff
        )
    }

    /// A category with these courses; without job titles the default one.
    fn category(&self, job_title_keys: &[&str], courses: &[CourseId]) -> Uuid {
        let (id, organization) = (next_id(), self.learner.organization);
        let is_default = job_title_keys.is_empty();
        self.db.execute(&format!(
            "INSERT INTO training_categories VALUES ('{id}', '{organization}', 'Category {id}', {is_default}, '{0}', '{0}')",
            at(0)
        ));
        for (position, key) in job_title_keys.iter().enumerate() {
            self.db.execute(&format!(
                "INSERT INTO category_job_titles VALUES ('{organization}', '{key}', '{id}', '{key}', {position})"
            ));
        }
        for (position, course) in courses.iter().enumerate() {
            self.db.execute(&format!("INSERT INTO category_courses VALUES ('{id}', '{course}', {position})"));
        }
        id
    }

    fn override_pool(&self, team: TeamId, category: Uuid, courses: &[CourseId]) {
        let courses: Vec<String> = courses.iter().map(|id| format!("'{id}'")).collect();
        self.db.execute(&format!(
            "INSERT INTO course_pool_overrides VALUES ('{team}', '{category}', '{}', ARRAY[{}]::uuid[], '{}')",
            self.learner.organization,
            courses.join(", "),
            at(0)
        ));
    }

    fn service(&self, now: DateTime<Utc>) -> LearningService {
        LearningService {
            assignments: self.assignments.clone(),
            queries: self.queries.clone(),
            signals: Arc::new(PgSignals::new(self.ports.pg.clone()).0),
            clock: Arc::new(At(now)),
            ids: Arc::new(Ids),
        }
    }

    fn actor(&self) -> Actor {
        Actor { user: self.learner.user, ..domain_kernel::testing::nobody() }
    }

    /// What is current at that time; gives a course if the rule says so.
    async fn current(&self, now: DateTime<Utc>) -> Current {
        let membership = Some(self.learner.membership);
        self.service(now).get_current_course(&self.actor(), membership).await.expect("an answer")
    }

    /// The assignment that is current then.
    async fn given(&self, now: DateTime<Utc>) -> Assignment {
        let current = self.current(now).await;
        current.lesson.and_then(|lesson| lesson.assignment).expect("something to do")
    }

    /// The rule that decides then, and when the next course comes.
    async fn rule(&self, now: DateTime<Utc>) -> (&'static str, Option<DateTime<Utc>>) {
        let current = self.current(now).await;
        (current.choice.rule.as_str(), current.next_available_at)
    }

    async fn standing(&self, now: DateTime<Utc>) -> Standing {
        let standings = self.queries.find_standings(vec![self.learner.membership], now).await;
        standings.expect("a read").pop().expect("a membership")
    }

    async fn tell(&self, course: CourseId, event: ProgressEvent, received_at: DateTime<Utc>) -> Recorded {
        let mut told = self.tell_all(vec![(course, event)], received_at).await;
        told.pop().flatten().expect("an assignment of the course")
    }

    async fn tell_all(
        &self,
        events: Vec<(CourseId, ProgressEvent)>,
        received_at: DateTime<Utc>,
    ) -> Vec<Option<Recorded>> {
        self.assignments.record(self.learner.user, events, received_at).await.expect("recorded")
    }

    async fn complete(&self, course: CourseId, time: DateTime<Utc>) {
        let told = self.tell(course, event(EventType::Complete, time, json!({})), time).await;
        assert_eq!(told.assignment.state, AssignmentState::Completed);
    }

    async fn history(&self, assignment: AssignmentId, page: PageRequest) -> (Vec<StoredEvent>, i64) {
        let found = self.queries.list_events(assignment, page).await.expect("a read").expect("an assignment");
        (found.events.items, found.events.total)
    }

    /// The assignment as it is stored.
    async fn stored(&self, assignment: &Assignment) -> Assignment {
        let course = self.queries.find_lesson(vec![assignment.membership], assignment.course, at(0)).await;
        let lesson = course.expect("a read").expect("a course").lesson;
        lesson.assignment.filter(|newest| newest.id == assignment.id).expect("the newest of its course")
    }
}

fn session(n: u128) -> PlayerSessionId {
    PlayerSessionId::new(Uuid::from_u128(n))
}

fn event(event_type: EventType, time: DateTime<Utc>, progress: Value) -> ProgressEvent {
    ProgressEvent {
        event_type,
        player_session: session(7),
        client_time: ClientTime::parse(time.timestamp_millis()).expect("a time"),
        progress: ProgressData::parse(progress).expect("progress"),
    }
}

fn update(time: DateTime<Utc>, progress: Value) -> ProgressEvent {
    event(EventType::UpdateProgress, time, progress)
}

fn complete(time: DateTime<Utc>) -> ProgressEvent {
    event(EventType::Complete, time, json!({}))
}

// --- What the rule is given --------------------------------------------------------------------

#[tokio::test]
async fn the_situation_holds_all_that_the_rule_needs_and_nothing_of_others() {
    let world = World::new().await;
    let basics = world.teach(true, 2);
    let [listed, own, unlisted] = [false; 3].map(|basics| world.teach(basics, 0));
    let other_category = world.category(&[], &[unlisted.course]);
    let category = world.category(&["forklift driver", "loader"], &[own.course, listed.course]);
    world.db.execute("UPDATE memberships SET job_title_key = 'forklift driver'");
    let other_team = world.ports.given_team(world.staff, world.learner.organization, "Day shift").await;
    let gone_team = world.ports.given_team(world.staff, world.learner.organization, "Gone").await;
    world.join(other_team, at(-5));
    world.join(gone_team, at(-6));
    world.db.execute(&format!("UPDATE teams SET deleted_at = '{}' WHERE id = '{gone_team}'", at(0)));
    world.override_pool(other_team, category, &[listed.course]);
    world.override_pool(world.team, other_category, &[unlisted.course]);
    world.db.execute(&format!("UPDATE courses SET archived_at = '{}' WHERE id = '{}'", at(1), listed.course));
    world.db.execute("UPDATE organizations SET recycle_after_days = 99");
    let done = world.given(at(10)).await;
    world.complete(basics.course, at(20)).await;

    let standing = world.standing(at(30)).await;
    assert_eq!((standing.learner, standing.open), (world.learner, None));
    let mut situation = standing.situation;
    situation.courses.sort_by_key(|course| course.id);
    let published = |version| Some(PublishedVersion { id: version, published_at: at(-DAY) });
    let taught = |taught: Taught, basics, position, archived| CatalogCourse {
        id: taught.course,
        basics,
        position,
        archived,
        published: published(taught.version),
    };
    assert_eq!(
        situation.courses,
        [taught(basics, true, 2, false), taught(listed, false, 0, true), taught(own, false, 0, false)]
    );
    situation.teams.sort_by_key(|joined| joined.joined_at);
    let joined = |team, joined_at| JoinedTeam { team, joined_at };
    assert_eq!(situation.teams, [joined(other_team, at(-5)), joined(world.team, at(0))]);
    let past = PastAssignment {
        state: AssignmentState::Completed,
        completed_at: Some(at(20)),
        ..PastAssignment::from(&done)
    };
    assert_eq!(situation.assignments, [past]);
    let chosen = situation.category().expect("a category");
    assert_eq!((chosen.id.uuid(), chosen.courses.as_slice()), (category, &[own.course, listed.course][..]));
    let overrides: Vec<_> =
        situation.overrides.iter().map(|own| (own.team, own.courses.as_slice())).collect();
    assert_eq!(overrides, [(other_team, &[listed.course][..])]);
    let time_zone = chrono_tz::Tz::UTC;
    assert_eq!(situation.calendar, Calendar { cadence: Cadence::Weekly, time_zone });
    assert_eq!((situation.active, situation.recycle_after_days, situation.now), (true, 99, at(30)));
    assert_eq!(situation.pool(), [own.course], "the other team's list has only what is archived");
}

#[tokio::test]
async fn many_standings_are_one_read_and_who_has_not_joined_has_none() {
    let world = World::new().await;
    let lesson = world.teach(true, 0);
    let busy = world.given(at(1)).await;
    let idle = world.another("BBBBBB").await;
    let left = world.another("CCCCCC").await;
    world.ports.given_departure(world.staff, left.membership, at(2)).await;
    let new = a_membership(world.staff, world.learner.organization, "DDDDDD");
    let pending = world.ports.given_membership(new).await.membership.id;
    let asked = vec![
        world.learner.membership,
        idle.membership,
        left.membership,
        pending,
        MembershipId::new(next_id()),
    ];
    let before = world.ports.pg.load().statements();
    let found = world.queries.find_standings(asked, at(3)).await.expect("a read");
    assert_eq!(world.ports.pg.load().statements() - before, 1);
    let by_learner = |learner: Learner| found.iter().find(|standing| standing.learner == learner);
    assert_eq!(found.len(), 3);
    let open = by_learner(world.learner).and_then(|standing| standing.open.as_ref()).expect("under way");
    assert_eq!(open.assignment.as_ref(), Some(&busy));
    let idle = by_learner(idle).expect("there");
    assert_eq!((idle.situation.active, &idle.open), (true, &None));
    assert_eq!(idle.situation.courses.iter().map(|course| course.id).collect::<Vec<_>>(), [lesson.course]);
    assert!(!by_learner(left).expect("there").situation.active);
}

#[tokio::test]
async fn an_organization_is_given_nothing_of_another_ones_courses() {
    let world = World::new().await;
    let foreign = world.ports.given_organization(world.staff, "South").await;
    let [basics, listed] = [world.teach(true, 0), world.teach(false, 0)];
    world.db.execute(&format!("UPDATE courses SET organization_id = '{foreign}'"));
    world.category(&[], &[listed.course]);
    assert_eq!(world.rule(at(1)).await, ("nothing_left", None));
    let own = world.learner.organization;
    world.db.execute(&format!("UPDATE courses SET organization_id = '{own}' WHERE id = '{}'", basics.course));
    assert_eq!(world.given(at(1)).await.course, basics.course);
}

// --- Giving ------------------------------------------------------------------------------------

#[tokio::test]
async fn what_is_given_is_read_back_whole_and_found_again_without_a_write() {
    let world = World::new().await;
    let taught = world.teach(true, 5);
    let current = world.current(at(10)).await;
    let lesson = current.lesson.clone().expect("a course");
    let assignment = lesson.assignment.clone().expect("an assignment");
    let expected = Assignment::give(
        assignment.id,
        world.learner,
        Lesson {
            course: taught.course,
            version: taught.version,
            source: AssignmentSource::Basics,
            due_at: Some(at(10) + TimeDelta::days(7)),
        },
        at(10),
    );
    assert_eq!(assignment, expected);
    let data = VersionData::parse(json!({ "title": "v1" })).expect("an object");
    assert_eq!(lesson.version, Some(VersionContent { id: taught.version, number: 1, data }));
    let course = world.ports.course_queries.find(taught.course).await.expect("a read").expect("a course");
    assert_eq!(course.published, Some(Edition { id: taught.version, number: 1 }));
    assert_eq!(lesson.course, course);
    assert_eq!(current.choice.rule.as_str(), "basics");

    let before = everything(&world.db);
    let again = world.current(at(9 * DAY)).await;
    assert_eq!((again.lesson, again.choice.rule.as_str()), (Some(lesson), "open_assignment"));
    assert_eq!(everything(&world.db), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_calls_at_once_all_get_the_same_assignment() {
    let world = Arc::new(World::new().await);
    let pool: Vec<CourseId> = (0..6).map(|_| world.teach(false, 0).course).collect();
    world.category(&[], &pool);
    world.db.execute("UPDATE organizations SET cadence = 'self_paced'");
    for (round, expected) in (0..3).zip(&pool) {
        let now = at(round * 10);
        let call = || {
            let world = Arc::clone(&world);
            async move { world.given(now).await }
        };
        let given = all_at_once((0..6).map(|_| call())).await;
        assert!(given.iter().all(|assignment| assignment == &given[0]), "{given:?}");
        assert_eq!(given[0].course, *expected);
        assert_eq!(count(&world.db, "assignments"), usize::try_from(round).expect("small") + 1);
        world.complete(*expected, now + TimeDelta::minutes(5)).await;
    }
}

/// An assignment of the course to the world's learner, as decided at `at(1)`.
fn an_offer(world: &World, taught: Taught, seen: usize) -> Offer {
    let Taught { course, version } = taught;
    let lesson = Lesson { course, version, source: AssignmentSource::CoursePool, due_at: None };
    Offer { assignment: Assignment::give(AssignmentId::new(next_id()), world.learner, lesson, at(1)), seen }
}

#[tokio::test]
async fn an_offer_that_was_overtaken_gives_what_is_open_or_nothing() {
    let world = World::new().await;
    let [first, second] = [world.teach(false, 0), world.teach(false, 0)];
    let given = world.assignments.give(an_offer(&world, first, 0)).await.expect("gives").expect("given");
    let open = world.assignments.give(an_offer(&world, second, 0)).await.expect("gives");
    assert_eq!(open, Some(given), "the one that is open");
    world.complete(first.course, at(2)).await;
    // Decided before the first was given; it is done by now. Giving it would be a second course in one period.
    assert_eq!(world.assignments.give(an_offer(&world, second, 0)).await.expect("answers"), None);
    assert_eq!(count(&world.db, "assignments"), 1);
    let next = world.assignments.give(an_offer(&world, second, 1)).await.expect("gives").expect("given");
    assert_eq!(next.course.id, second.course);
}

#[tokio::test]
async fn a_manual_assignment_does_not_keep_an_automatic_one_from_being_given() {
    let world = World::new().await;
    let [first, second] = [world.teach(false, 0), world.teach(false, 0)];
    let mut manual = an_offer(&world, first, 0);
    manual.assignment.source = AssignmentSource::Manual;
    let manual = world.assignments.give(manual).await.expect("gives").expect("given");
    let open = world.assignments.give(an_offer(&world, second, 1)).await.expect("gives");
    assert_eq!(open, Some(manual), "the oldest open one");
    assert_eq!(count(&world.db, "assignments WHERE state = 'assigned'"), 2);
}

/// Gives the first course while somebody else does something in a transaction of their own, which ends first.
async fn give_during(world: &Arc<World>, taught: Taught, lock_and_change: &str) -> Option<LearnerCourse> {
    let lock = Lock::take(&world.db, lock_and_change);
    let giving = {
        let world = Arc::clone(world);
        tokio::spawn(
            async move { world.assignments.give(an_offer(&world, taught, 0)).await.expect("answers") },
        )
    };
    until_waiting(&world.db, 1).await;
    lock.release();
    giving.await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assignment_is_of_the_version_that_is_published_when_it_is_given() {
    let world = Arc::new(World::new().await);
    let taught = world.teach(false, 0);
    let newer = CourseVersionId::new(next_id());
    let publish = format!(
        "SELECT FROM courses WHERE id = '{}' FOR UPDATE; {}",
        taught.course,
        world.publish_sql(taught.course, newer, 2, at(2))
    );
    let given = give_during(&world, taught, &publish).await.expect("given");
    assert_eq!(given.assignment.map(|assignment| assignment.version), Some(newer));
    assert_eq!(given.version.map(|version| (version.id, version.number)), Some((newer, 2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_archived_or_unpublished_meanwhile_is_not_given_and_who_leaves_gets_nothing() {
    for change in [
        "UPDATE courses SET archived_at = now()",
        "SELECT FROM courses FOR UPDATE; UPDATE course_versions SET status = 'archived', archived_at = now()",
        "UPDATE memberships SET status = 'deactivated', deactivated_at = now()",
    ] {
        let world = Arc::new(World::new().await);
        let taught = world.teach(false, 0);
        assert_eq!(give_during(&world, taught, change).await, None, "{change}");
        assert_eq!(count(&world.db, "assignments"), 0, "{change}");
    }
}

#[tokio::test]
async fn who_is_not_active_is_refused() {
    let world = World::new().await;
    world.teach(true, 0);
    world.ports.given_departure(world.staff, world.learner.membership, at(1)).await;
    let membership = Some(world.learner.membership);
    let refused = world.service(at(2)).get_current_course(&world.actor(), membership).await;
    assert!(matches!(refused, Err(CourseError::Refused(domain_kernel::Refusal::Forbidden))), "{refused:?}");
}

// --- The rule, on stored facts -----------------------------------------------------------------

#[tokio::test]
async fn basics_come_first_in_their_order_and_then_the_pool() {
    let world = World::new().await;
    let [second, first] = [world.teach(true, 2), world.teach(true, 1)];
    let pool = world.teach(false, 0);
    world.category(&[], &[pool.course]);
    for (taught, source) in [
        (first, AssignmentSource::Basics),
        (second, AssignmentSource::Basics),
        (pool, AssignmentSource::CoursePool),
    ] {
        let given = world.given(at(1)).await;
        assert_eq!((given.course, given.version, given.source), (taught.course, taught.version, source));
        world.complete(taught.course, at(2)).await;
    }
    assert_eq!(world.rule(at(3)).await, ("nothing_left", None));
}

#[tokio::test]
async fn the_pool_is_the_category_of_the_job_title_or_the_teams_own_list() {
    let world = World::new().await;
    let [everybodys, drivers, teams] = [false; 3].map(|basics| world.teach(basics, 0).course);
    world.category(&[], &[everybodys]);
    let category = world.category(&["driver"], &[drivers]);
    let pool = async || world.standing(at(1)).await.situation.pool();
    assert_eq!(pool().await, [everybodys]);
    world.db.execute("UPDATE memberships SET job_title_key = 'driver'");
    assert_eq!(pool().await, [drivers]);
    world.override_pool(world.team, category, &[teams]);
    assert_eq!(pool().await, [teams]);
    let older_team = world.ports.given_team(world.staff, world.learner.organization, "Day shift").await;
    world.join(older_team, at(-1));
    assert_eq!(pool().await, [drivers, teams], "the team that was joined first comes first");
}

#[tokio::test]
async fn a_week_ends_where_the_organization_is() {
    let world = World::new().await;
    world.db.execute("UPDATE organizations SET time_zone = 'America/Chicago'");
    let pool = [world.teach(false, 0).course, world.teach(false, 0).course];
    world.category(&[], &pool);
    // 2026-01-05T05:59Z is still Sunday in Chicago: less than 72 hours are left, so it is for the week that begins.
    let (sunday, monday) = (at(-121), at(-120));
    let given = world.given(sunday).await;
    assert_eq!((given.course, given.due_at), (pool[0], Some(monday + TimeDelta::days(7))));
    world.complete(pool[0], sunday).await;
    assert_eq!(world.rule(monday).await, ("cadence_gate", Some(monday + TimeDelta::days(7))));
    let last = monday + TimeDelta::days(7) - TimeDelta::microseconds(1);
    assert_eq!(world.rule(last).await, ("cadence_gate", Some(monday + TimeDelta::days(7))));
    let next = world.given(monday + TimeDelta::days(7)).await;
    assert_eq!((next.course, next.due_at), (pool[1], Some(monday + TimeDelta::days(14))));
}

#[tokio::test]
async fn a_month_has_one_course_and_a_self_paced_organization_has_no_gate() {
    let world = World::new().await;
    let pool = [0; 4].map(|position| world.teach(false, position).course);
    world.category(&[], &pool);
    world.db.execute("UPDATE organizations SET cadence = 'monthly', time_zone = 'Asia/Tokyo'");
    let february = "2026-01-31T15:00:00Z".parse().expect("a time");
    let given = world.given(at(1)).await;
    assert_eq!((given.course, given.due_at), (pool[0], Some(february)));
    world.complete(pool[0], at(2)).await;
    assert_eq!(world.rule(at(3)).await, ("cadence_gate", Some(february)));
    world.db.execute("UPDATE organizations SET cadence = 'self_paced'");
    for course in &pool[1..] {
        let given = world.given(at(4)).await;
        assert_eq!((given.course, given.due_at), (*course, None));
        world.complete(*course, at(4)).await;
    }
    assert_eq!(world.rule(at(5)).await, ("nothing_left", None));
}

#[tokio::test]
async fn a_course_comes_again_when_it_is_old_or_renewed() {
    let world = World::new().await;
    world.db.execute("UPDATE organizations SET cadence = 'self_paced', recycle_after_days = 30");
    let pool = [world.teach(false, 0).course, world.teach(false, 0).course];
    world.category(&[], &pool);
    for (minute, course) in (1..).zip(pool) {
        world.given(at(minute)).await;
        world.complete(course, at(minute)).await;
    }
    assert_eq!(world.rule(at(30 * DAY)).await, ("nothing_left", None));
    let newer = world.publish(pool[1], 2, at(5));
    let again = world.current(at(10)).await;
    assert_eq!(again.choice.rule.as_str(), "recycled");
    let again = again.lesson.and_then(|lesson| lesson.assignment).expect("an assignment");
    assert_eq!((again.course, again.version, again.state), (pool[1], newer, AssignmentState::Assigned));
    world.complete(pool[1], at(11)).await;
    assert_eq!(world.given(at(30 * DAY + 2)).await.course, pool[0], "older than 30 days");
}

// --- Progress ----------------------------------------------------------------------------------

#[tokio::test]
async fn an_event_is_stored_and_read_back_whole() {
    let world = World::new().await;
    let taught = world.teach(true, 0);
    let given = world.given(at(1)).await;
    let progress = json!({ "percent": 40.5, "furthest_ms": 61_000, "answered": ["q1"], "page": { "a": [1, null, "é"] } });
    let told = update(at(2), progress);
    let recorded = world.tell(taught.course, told.clone(), at(3)).await;
    let mut expected = given.clone();
    expected.absorb(&told, at(3));
    assert_eq!(recorded, Recorded { duplicate: false, stale: false, assignment: expected.clone() });
    assert_eq!(expected.percent, Percent::parse(40.5).expect("a percent"));
    assert_eq!(world.stored(&given).await, expected);
    let stored = StoredEvent {
        event: told,
        effective_at: at(2),
        credited_at: at(2),
        received_at: at(3),
        stale: false,
    };
    assert_eq!(world.history(given.id, ALL).await, (vec![stored], 1));
    let row = world.db.rows("SELECT client_at, percent, organization_id FROM progress_events");
    assert_eq!(row, [format!("(\"2026-01-05 08:02:00+00\",40.5,{})", world.learner.organization)]);
}

#[tokio::test]
async fn a_repetition_writes_nothing() {
    let world = World::new().await;
    let taught = world.teach(true, 0);
    world.given(at(1)).await;
    let told = update(at(2), json!({ "percent": 10, "b": 1.0 }));
    let first = world.tell(taught.course, told.clone(), at(3)).await;
    let before = everything(&world.db);
    let same = update(at(2), json!({ "b": 1, "percent": 10.0 }));
    for repetition in [told.clone(), same] {
        let again = world.tell(taught.course, repetition.clone(), at(50)).await;
        assert_eq!(again, Recorded { duplicate: true, ..first.clone() });
        let batch =
            world.tell_all(vec![(taught.course, repetition), (taught.course, told.clone())], at(60)).await;
        assert!(batch.iter().flatten().all(|recorded| recorded.duplicate), "{batch:?}");
    }
    assert_eq!(everything(&world.db), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_repetitions_at_once_one_is_new() {
    let world = Arc::new(World::new().await);
    let taught = world.teach(true, 0);
    world.given(at(1)).await;
    let call = |size: usize| {
        let world = Arc::clone(&world);
        async move { world.tell_all(vec![(taught.course, complete(at(2))); size], at(3)).await }
    };
    let told = all_at_once([1, 3, 1, 2, 1, 2].map(call)).await;
    let new = told.iter().flatten().flatten().filter(|recorded| !recorded.duplicate).count();
    assert_eq!((new, count(&world.db, "progress_events")), (1, 1));
    assert!(told.iter().flatten().flatten().all(|recorded| recorded.assignment.completed_at == Some(at(2))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_devices_that_report_at_once_none_is_sent_away() {
    let world = Arc::new(World::new().await);
    let taught = world.teach(true, 0);
    world.given(at(1)).await;
    let call = |n: i64| {
        let world = Arc::clone(&world);
        async move {
            let moment = |k: i64| at(2) + chrono::Duration::milliseconds(n * 10 + k);
            let events = (0..=n % 3).map(|k| (taught.course, update(moment(k), json!({ "percent": n }))));
            world.tell_all(events.collect(), at(3)).await
        }
    };
    let told = all_at_once((0..90).map(call)).await;
    let new = told.iter().flatten().flatten().filter(|recorded| !recorded.duplicate).count();
    assert_eq!((new, count(&world.db, "progress_events")), (180, 180));
}

#[tokio::test]
async fn a_clock_in_the_future_earns_no_time_and_loses_no_progress() {
    let world = World::new().await;
    let taught = world.teach(true, 0);
    let given = world.given(at(1)).await;
    let ahead = complete(at(1000 * DAY));
    let told = world.tell(taught.course, ahead.clone(), at(3)).await;
    assert_eq!((told.assignment.completed_at, told.assignment.last_event_at), (Some(at(3)), Some(at(3))));
    let before = everything(&world.db);
    let again = world.tell_all(vec![(taught.course, ahead.clone()), (taught.course, ahead)], at(90)).await;
    assert!(again.iter().flatten().all(|again| again.duplicate && again.assignment == told.assignment));
    assert_eq!(everything(&world.db), before, "a repetition would be believed at a later time");
    let (events, _) = world.history(given.id, ALL).await;
    assert_eq!((events[0].effective_at, events[0].event.client_time.instant()), (at(3), at(1000 * DAY)));
    let last = update(DateTime::from_timestamp_millis(ClientTime::MAX_MS).expect("a time"), json!({}));
    world.tell(taught.course, last, at(4)).await;
    let first = update(DateTime::UNIX_EPOCH, json!({ "percent": 1 }));
    let first = world.tell(taught.course, first, at(5)).await;
    assert!(first.stale);
    assert_eq!(first.assignment.started_at, Some(at(1)), "not before it was given");
}

#[tokio::test]
async fn what_is_told_after_the_late_window_changes_the_state_and_counts_when_it_is_told() {
    let world = World::new().await;
    let taught = world.teach(true, 0);
    world.db.execute("UPDATE organizations SET late_window_days = 3");
    let given = world.given(at(1)).await;
    let in_time = world.tell(taught.course, update(at(2), json!({ "percent": 1 })), at(2 + 3 * DAY)).await;
    assert!(!in_time.stale);
    let late = world.tell(taught.course, complete(at(3)), at(4 + 3 * DAY)).await;
    assert_eq!(late.assignment.state, AssignmentState::Completed);
    assert_eq!(late.assignment.completed_at, Some(at(3)));
    let (events, _) = world.history(given.id, ALL).await;
    let times: Vec<_> = events.iter().map(|event| (event.effective_at, event.credited_at)).collect();
    assert_eq!(times, [(at(3), at(4 + 3 * DAY)), (at(2), at(2))]);
}

#[tokio::test]
async fn events_of_a_withdrawn_assignment_are_kept_and_a_completion_counts() {
    let world = World::new().await;
    let taught = world.teach(true, 0);
    let given = world.given(at(1)).await;
    world.ports.given_departure(world.staff, world.learner.membership, at(10)).await;
    let told = world.tell(taught.course, update(at(5), json!({ "percent": 30 })), at(11)).await;
    assert_eq!((told.assignment.id, told.assignment.state), (given.id, AssignmentState::Withdrawn));
    assert_eq!(told.assignment.percent, Percent::parse(30.0).expect("a percent"));
    assert_eq!(told.assignment.withdrawn_at, Some(at(10)));
    let told = world.tell(taught.course, complete(at(6)), at(12)).await;
    assert_eq!(told.assignment.state, AssignmentState::Completed);
    assert_eq!(told.assignment.completed_at, Some(at(6)));
    assert_eq!(world.stored(&given).await, told.assignment);
    assert_eq!(world.history(given.id, ALL).await.1, 2);
}

#[tokio::test]
async fn who_never_had_the_course_is_told_so_and_nothing_is_written() {
    let world = World::new().await;
    let taught = world.teach(true, 0);
    world.given(at(1)).await;
    let stranger = world.another("BBBBBB").await;
    let before = everything(&world.db);
    let told = world.assignments.record(stranger.user, vec![(taught.course, complete(at(2)))], at(3)).await;
    assert_eq!(told.expect("answers"), [None]);
    assert_eq!(world.tell_all(vec![(CourseId::new(next_id()), complete(at(2)))], at(3)).await, [None]);
    assert_eq!(everything(&world.db), before);
}

#[tokio::test]
async fn a_batch_answers_each_event_in_its_place_in_few_statements() {
    let world = World::new().await;
    let basics = [world.teach(true, 1), world.teach(true, 2)];
    let first = world.given(at(1)).await;
    world.complete(basics[0].course, at(2)).await;
    let second = world.given(at(3)).await;
    let known = complete(at(2));
    let unknown = CourseId::new(next_id());
    let mut events = vec![
        (basics[1].course, update(at(5), json!({ "percent": 50 }))),
        (unknown, complete(at(4))),
        (basics[0].course, known),
        (basics[1].course, update(at(4), json!({ "percent": 20, "page": 1 }))),
        (basics[1].course, update(at(5), json!({ "percent": 50 }))),
        (basics[0].course, update(at(6), json!({ "page": 7 }))),
    ];
    for minute in 0..494 {
        events.push((basics[1].course, update(at(10 + minute), json!({ "percent": 60 }))));
    }
    assert_eq!(events.len(), 500);
    let before = world.ports.pg.load().statements();
    let told = world.tell_all(events, at(2000)).await;
    let statements = world.ports.pg.load().statements() - before;
    assert!(statements <= 5, "{statements} with BEGIN and COMMIT");
    let facts: Vec<_> = told[..6]
        .iter()
        .map(|told| told.as_ref().map(|told| (told.assignment.id, told.duplicate, told.stale)))
        .collect();
    assert_eq!(
        facts,
        [
            Some((second.id, false, false)),
            None,
            Some((first.id, true, false)),
            Some((second.id, false, true)),
            Some((second.id, true, false)),
            Some((first.id, false, false)),
        ]
    );
    let last = told[499].as_ref().expect("taken");
    assert_eq!(told[0].as_ref().map(|told| &told.assignment), Some(&last.assignment), "as it is after all");
    assert_eq!(world.stored(&second).await, last.assignment);
    assert_eq!(world.history(second.id, ALL).await.1, 496);
}

#[tokio::test]
async fn a_repetition_of_an_old_completion_does_not_complete_the_course_once_more() {
    let world = World::new().await;
    world.db.execute("UPDATE organizations SET cadence = 'self_paced'");
    let taught = world.teach(false, 0);
    world.category(&[], &[taught.course]);
    let first = world.given(at(1)).await;
    world.complete(taught.course, at(2)).await;
    world.publish(taught.course, 2, at(3));
    let second = world.given(at(10)).await;
    assert_ne!(first.id, second.id);
    let again = world.tell(taught.course, complete(at(2)), at(11)).await;
    assert_eq!((again.assignment.id, again.duplicate), (first.id, true));
    let late = update(at(1), json!({ "percent": 30 }));
    let late = world.tell(taught.course, late, at(12)).await;
    assert_eq!((late.assignment.id, late.duplicate, late.stale), (first.id, false, true), "of the same run");
    let mut other_run = complete(at(2));
    other_run.player_session = session(8);
    let slow = world.tell(taught.course, other_run, at(13)).await;
    assert_eq!((slow.assignment.id, slow.assignment.completed_at), (second.id, Some(at(10))), "a slow clock");
}

#[tokio::test]
async fn the_history_is_the_latest_first_in_pages() {
    let world = World::new().await;
    let taught = world.teach(true, 0);
    let given = world.given(at(1)).await;
    let other = world.another("BBBBBB").await;
    for minute in [4, 2, 3] {
        let told = update(at(minute), json!({ "percent": minute }));
        world.tell(taught.course, told, at(9)).await;
    }
    let (events, total) = world.history(given.id, ALL).await;
    assert_eq!(total, 3);
    let facts: Vec<_> = events.iter().map(|event| (event.effective_at, event.stale)).collect();
    assert_eq!(facts, [(at(4), false), (at(3), true), (at(2), true)]);
    assert_eq!(world.history(given.id, page(1, 1)).await, (vec![events[1].clone()], 3));
    assert_eq!(world.history(given.id, page(9, 1)).await, (vec![], 3));
    let found = world.queries.list_events(given.id, ALL).await.expect("a read").expect("there");
    assert_eq!((found.learner, found.teams), (world.learner, vec![world.team]));
    assert_ne!(found.learner, other);
    let nowhere = world.queries.list_events(AssignmentId::new(next_id()), ALL).await.expect("a read");
    assert_eq!(nowhere, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_of_a_month_have_a_partition_of_their_own_and_are_moved_into_it() {
    let world = Arc::new(World::new().await);
    let taught = world.teach(true, 0);
    let given = world.given(at(1)).await;
    let told = [
        update(at(2), json!({ "page": 1 })),
        update(at(40 * DAY), json!({})),
        update(at(-90 * DAY), json!({})),
    ];
    for event in &told {
        world.tell(taught.course, event.clone(), at(3)).await;
    }
    let before = world.history(given.id, ALL).await;
    let opening = || {
        let world = Arc::clone(&world);
        async move { world.assignments.open_months(at(5)).await.expect("prepares") }
    };
    let other = world.another("BBBBBB").await;
    let mut offer = an_offer(&world, taught, 0);
    (offer.assignment.membership, offer.assignment.user) = (other.membership, other.user);
    world.assignments.give(offer).await.expect("gives").expect("given");
    let telling = |run: u128| {
        let (world, mut told) = (Arc::clone(&world), told[0].clone());
        told.player_session = session(100 + run);
        // Of two, so that events are read before they are written.
        let events = vec![(taught.course, told.clone()), (taught.course, told)];
        async move { world.assignments.record(other.user, events, at(3)).await.expect("nobody waits in a circle") }
    };
    let busy = tokio::spawn(all_at_once((0..20).map(telling).collect::<Vec<_>>()));
    let opened = all_at_once((0..4).map(|_| opening())).await;
    assert_eq!(opened.iter().sum::<usize>(), 2, "{opened:?}");
    assert_eq!(busy.await.expect("no panic").len(), 20);
    assert_eq!(opening().await, 0);
    let places = format!(
        "SELECT tableoid::regclass::text, count(*) FROM progress_events WHERE assignment_id = '{}' GROUP BY 1 ORDER BY 1",
        given.id
    );
    let expected = ["(progress_events_2026_01,1)", "(progress_events_2026_02,1)", "(progress_events_rest,1)"];
    assert_eq!(world.db.rows(&places), expected);
    assert_eq!(world.history(given.id, ALL).await, before);
    for event in told {
        assert!(world.tell(taught.course, event, at(6)).await.duplicate, "known wherever it is");
    }
    world.tell(taught.course, update(at(7), json!({})), at(8)).await;
    assert_eq!(world.db.rows("SELECT count(*) FROM progress_events_2026_01"), ["(22)"]);
    let refused = world.db.try_execute("UPDATE progress_events SET stale = true").expect_err("append-only");
    assert!(refused.contains("append-only"), "{refused}");
    let orphan = "INSERT INTO progress_events SELECT number, sha256('x'), client_at, organization_id, gen_random_uuid(), \
        event_type, player_session_id, client_ms, effective_at, credited_at, received_at, percent, progress, stale \
        FROM progress_events_2026_01 LIMIT 1";
    assert!(world.db.try_execute(orphan).expect_err("of no assignment").contains("foreign key"));
    assert_eq!(world.assignments.open_months(at(40 * DAY)).await.expect("prepares"), 1, "March");
}

#[derive(Debug, Clone)]
enum Way {
    OneByOne,
    Batches(usize),
}

/// Events of the past, of two runs of a player, with what merges and what does not.
fn some_events() -> impl Strategy<Value = Vec<ProgressEvent>> {
    let progress = prop_oneof![
        Just(json!({})),
        (0..=100_u8).prop_map(|percent| json!({ "percent": percent })),
        (0..9_u8, 0..3_u8)
            .prop_map(|(page, q)| json!({ "page": page, "answered": [q], "furthest_ms": page })),
    ];
    let kind = prop_oneof![4 => Just(EventType::UpdateProgress), 1 => Just(EventType::Complete)];
    // Before the course is given, too; never after the receipt.
    let one = (kind, 0..2_u128, -20..90_i64, progress).prop_map(|(kind, run, minute, progress)| {
        ProgressEvent { player_session: session(run), ..event(kind, at(minute), progress) }
    });
    vec(one, 1..7)
}

#[tokio::test]
async fn any_order_and_any_repetition_of_events_ends_in_the_same_assignment() {
    let world = World::new().await;
    let mut runner = TestRunner::deterministic();
    for round in 0..25 {
        let events = some_events().new_tree(&mut runner).expect("events").current();
        let mut rows = BTreeSet::new();
        for attempt in 0..4 {
            let taught = world.teach(true, round);
            let given = world.given(at(1)).await;
            let doubled = [events.clone(), events.clone()].concat();
            let order =
                if attempt == 0 { Just(doubled).boxed() } else { Just(doubled).prop_shuffle().boxed() };
            let way = prop_oneof![Just(Way::OneByOne), (2..6_usize).prop_map(Way::Batches)];
            let (order, way) = (order, way).new_tree(&mut runner).expect("an order").current();
            let size = match way {
                Way::OneByOne => 1,
                Way::Batches(size) => size,
            };
            for (minute, batch) in (100..).zip(order.chunks(size)) {
                let batch = batch.iter().map(|event| (taught.course, event.clone())).collect();
                world.tell_all(batch, at(minute)).await;
            }
            let row = world.db.rows(&format!(
                "SELECT state, percent, progress, progress_effective_at, progress_client_ms, progress_hash, started_at, \
                 completed_at, last_event_at FROM assignments WHERE id = '{}'",
                given.id
            ));
            rows.extend(row);
            let told = format!(
                "SELECT DISTINCT client_ms, event_type, player_session_id, progress FROM progress_events \
                 WHERE assignment_id = '{}'",
                given.id
            );
            let distinct: BTreeSet<_> =
                events.iter().map(|event| event.dedupe_key(given.id).as_bytes().to_vec()).collect();
            assert_eq!(world.db.rows(&told).len(), distinct.len());
            // Out of the way for the next one.
            world.db.execute(&format!(
                "UPDATE assignments SET state = 'completed', completed_at = '{}' WHERE id = '{}'",
                at(1),
                given.id
            ));
        }
        assert_eq!(rows.len(), 1, "round {round}: {events:?}\n{rows:#?}");
    }
}

// --- A course as a learner has it --------------------------------------------------------------

#[tokio::test]
async fn a_lesson_is_of_the_newest_own_assignment_or_of_the_published_version() {
    let world = World::new().await;
    world.db.execute("UPDATE organizations SET cadence = 'self_paced'");
    let taught = world.teach(false, 0);
    let category = world.category(&[], &[taught.course]);
    let find = async |memberships: Vec<MembershipId>| {
        world.queries.find_lesson(memberships, taught.course, at(5)).await.expect("a read").expect("a course")
    };
    let own = world.learner.membership;

    let found = find(vec![own]).await;
    assert_eq!(found.lesson.assignment, None);
    assert_eq!(found.lesson.version.map(|version| version.id), Some(taught.version));
    assert_eq!(found.situations.len(), 1);
    assert_eq!(found.situations[0].pool(), [taught.course]);
    assert_eq!(found.situations[0], world.standing(at(5)).await.situation);

    let given = world.given(at(1)).await;
    world.tell(taught.course, update(at(2), json!({ "percent": 5 })), at(2)).await;
    let newer = world.publish(taught.course, 2, at(3));
    let found = find(vec![own]).await;
    assert_eq!(found.situations, []);
    assert_eq!(found.lesson.version.map(|version| version.id), Some(taught.version), "begun stays");
    assert_eq!(found.lesson.course.published.map(|edition| edition.id), Some(newer));
    assert_eq!(found.lesson.assignment.map(|assignment| assignment.id), Some(given.id));

    world.complete(taught.course, at(4)).await;
    let newest = world.publish(taught.course, 3, at(5));
    let again = world.given(at(6)).await;
    let found = find(vec![own]).await;
    assert_eq!(found.lesson.assignment, Some(again));
    assert_eq!(found.lesson.version.map(|version| version.id), Some(newest));

    let nobodys = find(vec![]).await;
    assert_eq!((nobodys.lesson.assignment, nobodys.situations), (None, vec![]));
    let other = world.another("BBBBBB").await;
    world.db.execute(&format!("UPDATE category_courses SET position = 5 WHERE category_id = '{category}'"));
    let others = find(vec![other.membership]).await;
    assert_eq!((others.lesson.assignment, others.situations.len()), (None, 1));
    world.db.execute(
        "UPDATE course_versions SET status = 'archived', archived_at = now() WHERE status = 'published'",
    );
    assert_eq!(find(vec![other.membership]).await.lesson.version, None);
    let nowhere =
        world.queries.find_lesson(vec![own], CourseId::new(next_id()), at(5)).await.expect("a read");
    assert_eq!(nowhere, None);
}

#[tokio::test]
async fn a_membership_that_is_not_active_has_no_pool() {
    let world = World::new().await;
    let taught = world.teach(false, 0);
    world.category(&[], &[taught.course]);
    world.ports.given_departure(world.staff, world.learner.membership, at(1)).await;
    let found = world.queries.find_lesson(vec![world.learner.membership], taught.course, at(5)).await;
    assert_eq!(found.expect("a read").expect("a course").situations, []);
}

// --- Leaving -----------------------------------------------------------------------------------

#[tokio::test]
async fn who_leaves_has_nothing_to_do_any_more_and_keeps_what_is_done() {
    for deletes_account in [false, true] {
        let world = World::new().await;
        let basics = [world.teach(true, 1), world.teach(true, 2)];
        world.given(at(1)).await;
        world.complete(basics[0].course, at(2)).await;
        world.given(at(3)).await;
        if deletes_account {
            world.ports.users.delete(world.learner.user, at(4)).await.expect("deletes");
        } else {
            world.ports.given_departure(world.staff, world.learner.membership, at(4)).await;
        }
        let rows = world.db.rows("SELECT state, withdrawn_at FROM assignments ORDER BY assigned_at");
        assert_eq!(rows, ["(completed,)", "(withdrawn,\"2026-01-05 08:04:00+00\")"], "{deletes_account}");
    }
}

// --- Rounds ----------------------------------------------------------------------------------------

/// Gives what the rule says, until nobody is left; gives how many were given in each visit, of two members at most.
async fn round(world: &World, slots: u16, now: DateTime<Utc>) -> Vec<usize> {
    let due = RoundMark { period_start: at(-8 * 60), slots };
    let mut given = Vec::new();
    loop {
        let decide = Box::new(|standing: Standing| {
            let (_, offer) = standing.decide(AssignmentId::new(next_id())).expect("an active member");
            offer
        });
        let visit = world.assignments.advance_round(world.learner.organization, due, now, 2, decide);
        let visited = visit.await.expect("visits").expect("alone");
        given.push(visited.given);
        if visited.is_done {
            return given;
        }
    }
}

async fn begun(world: &World) -> Option<RoundMark> {
    let rounds = world.queries.list_rounds().await.expect("a read");
    let own = rounds.into_iter().find(|round| round.organization == world.learner.organization);
    let round = own.expect("the round of the organization");
    assert_eq!(round.calendar, Calendar { cadence: Cadence::Weekly, time_zone: chrono_tz::Tz::UTC });
    round.begun
}

#[tokio::test]
async fn a_round_visits_each_active_member_once_and_passes_over_who_has_something_to_do() {
    let world = World::new().await;
    let [first, second] = [world.teach(true, 1), world.teach(true, 2)];
    for code in ["BBBBBB", "CCCCCC", "DDDDDD", "EEEEEE"] {
        world.another(code).await;
    }
    world.db.execute(
        "UPDATE memberships SET status = 'deactivated', deactivated_at = now() \
         WHERE user_id = (SELECT id FROM users WHERE username = 'learner-EEEEEE')",
    );
    let busy = world.given(at(0)).await;
    assert_eq!(begun(&world).await, None);
    assert_eq!(round(&world, 256, at(1)).await.into_iter().sum::<usize>(), 3);
    let mark = RoundMark { period_start: at(-8 * 60), slots: 256 };
    assert_eq!(begun(&world).await, Some(mark));
    let courses = format!("assignments WHERE course_id = '{}' AND state = 'assigned'", first.course);
    assert_eq!(count(&world.db, &courses), 4, "the one that was there, and three");
    // Done meanwhile; but everybody had their turn.
    world.complete(first.course, at(2)).await;
    assert_eq!(world.stored(&busy).await.state, AssignmentState::Completed);
    assert_eq!(round(&world, 256, at(3)).await, [0]);
    assert_eq!(count(&world.db, &format!("assignments WHERE course_id = '{}'", second.course)), 0);
}

#[tokio::test]
async fn a_round_goes_on_where_it_was_and_a_new_period_begins_anew() {
    let world = World::new().await;
    world.teach(true, 1);
    for n in 0..9 {
        world.another(&format!("BBBBB{n}")).await;
    }
    let first_half: usize = round(&world, 128, at(1)).await.into_iter().sum();
    let low = count(&world.db, "memberships WHERE get_byte(uuid_send(id), 15) < 128");
    assert_eq!(first_half, low, "who is in the slots that are due");
    let second_half: usize = round(&world, 256, at(2)).await.into_iter().sum();
    assert_eq!(first_half + second_half, 10);
    world.db.execute("UPDATE assignments SET state = 'withdrawn', withdrawn_at = now()");
    world.db.execute("UPDATE assignment_rounds SET period_start = period_start - interval '7 days'");
    assert_eq!(round(&world, 256, at(3)).await.into_iter().sum::<usize>(), 10);
}

#[tokio::test]
async fn while_somebody_else_is_at_it_nothing_is_done() {
    let world = World::new().await;
    world.teach(true, 1);
    let lock = Lock::take(&world.db, "SELECT pg_advisory_xact_lock(hashtext('assignment rounds'))");
    let before = everything(&world.db);
    let due = RoundMark { period_start: at(0), slots: 256 };
    let refuse = Box::new(|_: Standing| panic!("nobody is visited"));
    let visit = world.assignments.advance_round(world.learner.organization, due, at(1), 2, refuse).await;
    assert_eq!(visit.expect("an answer"), None);
    assert_eq!(everything(&world.db), before);
    lock.release();
}

// --- The stream of a team --------------------------------------------------------------------------

/// What is there at once, at most two changes.
async fn glimpse(world: &World, place: Option<FeedPlace>, now: DateTime<Utc>) -> Feed {
    let feed = world.queries.list_changes(world.team, place, 2, now).await.expect("a read").expect("a team");
    assert_eq!(feed.organization, world.learner.organization);
    feed
}

/// What is there once whatever other tests write to the same server is over.
async fn feed(world: &World, place: Option<FeedPlace>, now: DateTime<Utc>) -> Feed {
    for _ in 0..1000 {
        let feed = glimpse(world, place, now).await;
        if !feed.has_more || feed.changes.len() == 2 {
            return feed;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("others write all the time");
}

/// State and percent of each change.
fn steps(feed: &Feed) -> Vec<(&'static str, f64)> {
    feed.changes.iter().map(|change| (change.state.as_str(), change.percent.value())).collect()
}

#[tokio::test]
async fn a_feed_tells_each_change_of_the_team_once_and_whole() {
    let world = World::new().await;
    let taught = world.teach(true, 1);
    let given = world.given(at(0)).await;
    let start = feed(&world, None, at(2)).await;
    assert_eq!((steps(&start), start.has_more), (vec![], false), "from now on");
    world.tell(taught.course, update(at(2), json!({ "percent": 40 })), at(3)).await;
    // Neither moves the assignment.
    world.tell(taught.course, update(at(2), json!({ "percent": 40 })), at(3)).await;
    world.tell(taught.course, update(at(1), json!({ "percent": 20 })), at(3)).await;
    let news = feed(&world, Some(start.place), at(4)).await;
    assert_eq!(steps(&news), [("in_progress", 40.0)]);
    let change = &news.changes[0];
    assert_eq!((change.learner, change.assignment, change.course), (world.learner, given.id, taught.course));
    assert_eq!(
        (change.course_name.as_str(), change.effective_at, change.received_at),
        ("Lifting", at(2), at(3))
    );
    assert_eq!((change.first_name.as_str(), change.last_name.as_str()), ("Ann", "Lee"));
    assert_eq!(steps(&feed(&world, Some(news.place), at(5)).await), []);
    world.complete(taught.course, at(6)).await;
    let rest = feed(&world, Some(change.place), at(7)).await;
    assert_eq!(steps(&rest), [("completed", 100.0)], "after an event that was received");
}

#[tokio::test]
async fn a_feed_comes_in_pages_and_forgets_nothing() {
    let world = World::new().await;
    let taught = world.teach(true, 1);
    world.given(at(0)).await;
    let start = feed(&world, None, at(0)).await.place;
    for percent in 1..=5 {
        let event = update(at(percent), json!({ "percent": percent }));
        world.tell(taught.course, event, at(percent)).await;
    }
    let mut place = start;
    for (expected, has_more) in [(vec![1.0, 2.0], true), (vec![3.0, 4.0], true), (vec![5.0], false)] {
        let page = feed(&world, Some(place), at(6)).await;
        let percents: Vec<f64> = steps(&page).into_iter().map(|(_, percent)| percent).collect();
        assert_eq!((percents, page.has_more), (expected, has_more));
        place = page.place;
    }
}

#[tokio::test]
async fn what_a_transaction_under_way_may_come_before_waits_for_it() {
    let world = World::new().await;
    let taught = world.teach(true, 1);
    world.given(at(0)).await;
    let start = feed(&world, None, at(0)).await.place;
    let earlier = Lock::take(&world.db, "SELECT pg_current_xact_id()");
    world.tell(taught.course, update(at(1), json!({ "percent": 10 })), at(1)).await;
    let waiting = glimpse(&world, Some(start), at(2)).await;
    assert_eq!((steps(&waiting), waiting.has_more), (vec![], true));
    earlier.release();
    assert_eq!(steps(&feed(&world, Some(waiting.place), at(2)).await), [("in_progress", 10.0)]);
}

#[tokio::test]
async fn a_feed_is_of_the_team_only_and_a_place_of_another_database_is_now() {
    let world = World::new().await;
    let taught = world.teach(true, 1);
    world.given(at(0)).await;
    let start = feed(&world, None, at(0)).await.place;
    let other = world.ports.given_team(world.staff, world.learner.organization, "Day shift").await;
    world.tell(taught.course, update(at(1), json!({ "percent": 10 })), at(1)).await;
    let foreign = world.queries.list_changes(other, Some(start), 2, at(2)).await.expect("a read");
    assert_eq!(foreign.map(|feed| feed.changes), Some(vec![]));
    let nowhere = world.queries.list_changes(TeamId::new(next_id()), None, 2, at(2)).await;
    assert_eq!(nowhere.expect("a read"), None);
    let far = FeedPlace { transaction: i64::MAX, ..start };
    let from_now = feed(&world, Some(far), at(2)).await;
    assert_eq!(steps(&from_now), []);
    assert!(from_now.place.transaction < i64::MAX);
    world.complete(taught.course, at(3)).await;
    // What was written while an earlier transaction was under way is told again.
    let news = steps(&feed(&world, Some(from_now.place), at(4)).await);
    assert_eq!(news.last(), Some(&("completed", 100.0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_reaches_whoever_follows_a_team_of_the_member_on_any_server() {
    let world = World::new().await;
    let (here, exchange) = PgSignals::new(world.ports.pg.clone());
    let (there, other_exchange) = PgSignals::new(world.ports.pg.clone());
    let running = [tokio::spawn(exchange.run()), tokio::spawn(other_exchange.run())];
    let mut followed = there.follow(world.team);
    let wait = std::time::Duration::from_secs(20);
    // Once when it begins to listen.
    tokio::time::timeout(wait, followed.wait()).await.expect("listens");
    here.announce(world.learner.membership);
    tokio::time::timeout(wait, followed.wait()).await.expect("a signal");
    let other = world.ports.given_team(world.staff, world.learner.organization, "Day shift").await;
    let mut unconcerned = there.follow(other);
    here.announce(world.learner.membership);
    tokio::time::timeout(wait, followed.wait()).await.expect("a signal");
    let heard = tokio::time::timeout(std::time::Duration::ZERO, unconcerned.wait()).await;
    assert!(heard.is_err(), "nothing of another team");
    running.iter().for_each(tokio::task::JoinHandle::abort);
}
