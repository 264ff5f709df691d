use chrono_tz::Tz;
use domain_kernel::{JobTitle, MembershipId, OrgId, TrainingCategoryId, UserId};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::*;
use crate::{
    Cadence, CategoryName, ClientTime, EventType, Learner, PlayerSessionId, ProgressData, ProgressEvent,
};

fn course(n: u128) -> CourseId {
    CourseId::new(Uuid::from_u128(n))
}

fn version(n: u128) -> CourseVersionId {
    CourseVersionId::new(Uuid::from_u128(n))
}

fn team(n: u128) -> TeamId {
    TeamId::new(Uuid::from_u128(n))
}

fn assignment(n: u128) -> AssignmentId {
    AssignmentId::new(Uuid::from_u128(n))
}

fn list(courses: &[u128]) -> CourseList {
    CourseList::from_stored(courses.iter().copied().map(course).collect())
}

/// A time of January 2026, of which the 5th, 12th, 19th and 26th are Mondays.
fn january(day: i64, hour: i64) -> DateTime<Utc> {
    let new_year = DateTime::from_timestamp(1_767_225_600, 0).expect("2026-01-01T00:00:00Z");
    new_year + TimeDelta::days(day - 1) + TimeDelta::hours(hour)
}

/// Course `n` whose published version is `n * 10`.
fn published(n: u128) -> CatalogCourse {
    let published_at = january(1, 0) - TimeDelta::days(400);
    let published = Some(PublishedVersion { id: version(n * 10), published_at });
    CatalogCourse { id: course(n), basics: false, position: 0, archived: false, published }
}

fn category(id: u128, job_titles: &[&str], courses: &[u128]) -> TrainingCategory {
    TrainingCategory {
        id: TrainingCategoryId::new(Uuid::from_u128(id)),
        organization: OrgId::new(Uuid::from_u128(1)),
        name: CategoryName::parse("A category").expect("a name"),
        job_titles: job_titles.iter().map(|title| JobTitle::parse(title).expect("a title")).collect(),
        courses: list(courses),
        is_default: job_titles.is_empty(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn own_list(of: u128, instead_of: u128, courses: &[u128]) -> PoolOverride {
    let category = TrainingCategoryId::new(Uuid::from_u128(instead_of));
    PoolOverride { team: team(of), category, courses: list(courses) }
}

/// A driver on team 1 on Tuesday 6 January at noon. Drivers train 11, 12, 13; everybody else 14.
fn driver() -> Situation {
    Situation {
        active: true,
        job_title: Some(JobTitleKey::parse("driver").expect("a title")),
        teams: vec![JoinedTeam { team: team(1), joined_at: january(1, 0) }],
        assignments: Vec::new(),
        courses: [11, 12, 13, 14].map(published).to_vec(),
        categories: vec![category(1, &["Driver"], &[11, 12, 13]), category(2, &[], &[14])],
        overrides: Vec::new(),
        calendar: Calendar { cadence: Cadence::Weekly, time_zone: Tz::UTC },
        recycle_after_days: 180,
        now: january(6, 12),
    }
}

/// Assignment `n` of course `n` from the pool, given at `assigned_at`.
fn given(n: u128, state: AssignmentState, assigned_at: DateTime<Utc>) -> PastAssignment {
    PastAssignment {
        id: assignment(n),
        course: course(n),
        version: version(n * 10),
        state,
        source: AssignmentSource::CoursePool,
        assigned_at,
        completed_at: (state == AssignmentState::Completed).then_some(assigned_at),
    }
}

/// Assignment `n` of course `n`, completed so many days before the driver's noon.
fn done(n: u128, days_ago: i64) -> PastAssignment {
    given(n, AssignmentState::Completed, january(6, 12) - TimeDelta::days(days_ago))
}

fn choose(situation: &Situation) -> (Decision, &'static str) {
    let current = situation.current_course().expect("an active member");
    assert!(!current.detail.is_empty());
    (current.decision, current.rule.as_str())
}

fn from_pool(n: u128, due_at: DateTime<Utc>) -> Decision {
    let (course, version) = (course(n), version(n * 10));
    Decision::Assign(Lesson { course, version, source: AssignmentSource::CoursePool, due_at: Some(due_at) })
}

fn closed_until(next_available_at: DateTime<Utc>) -> (Decision, &'static str) {
    (Decision::Gate { next_available_at }, "cadence_gate")
}

const NOTHING: (Decision, &str) = (Decision::Nothing, "nothing_left");

#[test]
fn only_an_active_member_has_a_course() {
    let situation = Situation { active: false, ..driver() };
    assert_eq!(situation.current_course(), Err(Refusal::Forbidden));
}

#[test]
fn the_oldest_open_assignment_stays_current_whatever_else_changed() {
    let mut situation = driver();
    situation.courses.push(CatalogCourse { basics: true, ..published(1) });
    situation.assignments = vec![
        given(12, AssignmentState::InProgress, january(2, 1)),
        PastAssignment {
            source: AssignmentSource::Manual,
            ..given(14, AssignmentState::Assigned, january(2, 0))
        },
        given(11, AssignmentState::Assigned, january(2, 0)),
        given(13, AssignmentState::Withdrawn, january(1, 0)),
    ];
    assert_eq!(choose(&situation), (Decision::Existing(assignment(11)), "open_assignment"), "then by id");
    situation.categories.clear();
    situation.courses.iter_mut().for_each(|course| course.archived = true);
    assert_eq!(choose(&situation), (Decision::Existing(assignment(11)), "open_assignment"));
}

#[test]
fn basics_come_first_by_position_then_id_and_without_waiting() {
    let basics = |n, position| CatalogCourse { basics: true, position, ..published(n) };
    let mut situation = driver();
    situation.courses.extend([basics(3, 1), basics(2, 2), basics(1, 2)]);
    // The period is used up, which does not matter.
    situation.assignments = vec![done(11, 0)];
    for next in [3, 1, 2] {
        let lesson = Lesson {
            course: course(next),
            version: version(next * 10),
            source: AssignmentSource::Basics,
            due_at: Some(january(13, 12)),
        };
        assert_eq!(choose(&situation), (Decision::Assign(lesson), "basics"));
        let source = AssignmentSource::Basics;
        situation.assignments.push(PastAssignment { source, ..done(next, 0) });
    }
    assert_eq!(choose(&situation).1, "cadence_gate");
}

#[test]
fn basics_that_are_not_on_offer_hold_nobody_up() {
    let basics = CatalogCourse { basics: true, ..published(1) };
    let mut situation = driver();
    situation.courses.push(CatalogCourse { archived: true, ..basics });
    situation.courses.push(CatalogCourse { published: None, id: course(2), ..basics });
    assert_eq!(choose(&situation).1, "pool");
}

#[test]
fn basics_completed_in_any_version_are_done_and_withdrawn_ones_are_not() {
    let mut situation = driver();
    situation.courses.push(CatalogCourse { basics: true, ..published(1) });
    let source = AssignmentSource::Basics;
    situation.assignments =
        vec![PastAssignment { source, ..given(1, AssignmentState::Withdrawn, january(1, 0)) }];
    assert_eq!(choose(&situation).1, "basics");
    situation.assignments = vec![PastAssignment { source, version: version(9), ..done(1, 999) }];
    assert_eq!(choose(&situation), (from_pool(11, january(12, 0)), "pool"));
}

#[test]
fn the_category_is_that_of_the_job_title_or_else_the_default() {
    let with_title = |title: &str| Situation { job_title: JobTitleKey::parse(title).ok(), ..driver() };
    assert_eq!(choose(&with_title("DRIVER")).0, from_pool(11, january(12, 0)));
    assert_eq!(choose(&with_title("Cook")).0, from_pool(14, january(12, 0)));
    assert_eq!(choose(&with_title("")).0, from_pool(14, january(12, 0)), "no title");
    let mut situation = with_title("Cook");
    situation.categories.retain(|category| !category.is_default);
    assert_eq!(choose(&situation), NOTHING);
}

#[test]
fn the_pool_is_the_lists_of_the_teams_in_order_of_joining() {
    let joined = |n, day| JoinedTeam { team: team(n), joined_at: january(day, 0) };
    for (teams, overrides, pool, why) in [
        (vec![joined(1, 5)], vec![], vec![11, 12, 13], "the category's list"),
        (vec![], vec![own_list(1, 1, &[13])], vec![11, 12, 13], "no team, the category's list"),
        (vec![joined(1, 5)], vec![own_list(1, 1, &[13, 11])], vec![13, 11], "the team's own list"),
        (vec![joined(1, 5)], vec![own_list(1, 1, &[])], vec![], "the team's own list is empty"),
        (vec![joined(1, 5)], vec![own_list(1, 2, &[13])], vec![11, 12, 13], "another category"),
        (vec![joined(1, 5)], vec![own_list(2, 1, &[13])], vec![11, 12, 13], "another team"),
        (
            vec![joined(1, 5), joined(2, 4)],
            vec![own_list(1, 1, &[12, 14]), own_list(2, 1, &[13, 12])],
            vec![13, 12, 14],
            "the team joined first, each course once",
        ),
        (
            vec![joined(2, 5), joined(1, 5)],
            vec![own_list(2, 1, &[13])],
            vec![11, 12, 13],
            "joined together, then by id",
        ),
    ] {
        let situation = Situation { teams, overrides, ..driver() };
        assert_eq!(situation.pool(), pool.into_iter().map(course).collect::<Vec<_>>(), "{why}");
    }
}

#[test]
fn an_empty_pool_gives_nothing() {
    let situation = Situation { overrides: vec![own_list(1, 1, &[])], ..driver() };
    assert_eq!(choose(&situation), NOTHING);
}

#[test]
fn only_courses_on_offer_are_in_the_pool() {
    let mut situation = driver();
    situation.categories = vec![category(1, &["Driver"], &[99, 11, 12, 13, 14])];
    situation.courses[0].archived = true;
    situation.courses[1].published = None;
    situation.courses[2].basics = true;
    situation.assignments = vec![PastAssignment { source: AssignmentSource::Basics, ..done(13, 30) }];
    assert_eq!(situation.pool(), [course(14)], "99 is unknown");
    assert_eq!(choose(&situation), (from_pool(14, january(12, 0)), "pool"));
}

#[test]
fn the_first_course_never_completed_is_given() {
    let mut situation = driver();
    situation.assignments = vec![
        PastAssignment { version: version(7), ..done(11, 60) },
        given(12, AssignmentState::Withdrawn, january(2, 0)),
    ];
    assert_eq!(choose(&situation), (from_pool(12, january(12, 0)), "pool"));
}

#[test]
fn a_late_course_is_due_at_the_end_of_the_next_period() {
    let situation = Situation { now: january(9, 1), ..driver() };
    assert_eq!(choose(&situation), (from_pool(11, january(19, 0)), "pool"));
    let situation = Situation { now: january(9, 0), ..driver() };
    assert_eq!(choose(&situation), (from_pool(11, january(12, 0)), "pool"), "72 hours are enough");
}

#[test]
fn one_course_of_the_pool_is_given_a_period() {
    use AssignmentState::{Completed, Withdrawn};
    let basics = |past| PastAssignment { source: AssignmentSource::Basics, ..past };
    let manual = |past| PastAssignment { source: AssignmentSource::Manual, ..past };
    let open = (from_pool(12, january(12, 0)), "pool");
    for (past, expected, why) in [
        (given(11, Completed, january(5, 0)), closed_until(january(12, 0)), "given this week"),
        (given(11, Completed, january(4, 23)), closed_until(january(12, 0)), "given for this week"),
        (given(11, Completed, january(2, 0)), open, "given for last week, with 72 hours left"),
        (given(11, Completed, january(2, 1)), closed_until(january(12, 0)), "given for this week"),
        (basics(given(11, Completed, january(5, 0))), open, "basics do not count"),
        (manual(given(11, Completed, january(5, 0))), open, "nor does what a person gave"),
        (
            given(13, Withdrawn, january(5, 0)),
            (from_pool(11, january(12, 0)), "pool"),
            "nor what was withdrawn",
        ),
    ] {
        let situation = Situation { assignments: vec![past], ..driver() };
        assert_eq!(choose(&situation), expected, "{why}");
    }
}

#[test]
fn a_course_given_late_uses_up_the_next_period() {
    let late = given(11, AssignmentState::Completed, january(10, 0));
    let at = |now| choose(&Situation { assignments: vec![late], now, ..driver() });
    assert_eq!(at(january(11, 0)), closed_until(january(19, 0)));
    assert_eq!(at(january(18, 23)), closed_until(january(19, 0)));
    assert_eq!(at(january(19, 0)), (from_pool(12, january(26, 0)), "pool"));
}

#[test]
fn months_and_zones_are_those_of_the_organization() {
    let calendar = Calendar { cadence: Cadence::Monthly, time_zone: Tz::America__Chicago };
    let past = given(11, AssignmentState::Completed, january(1, 7));
    let at = |now| choose(&Situation { assignments: vec![past], calendar, now, ..driver() });
    assert_eq!(at(january(32, 5)), closed_until(january(32, 6)), "still January there");
    assert_eq!(at(january(32, 6)), (from_pool(12, january(60, 6)), "pool"));
}

#[test]
fn self_paced_has_neither_gate_nor_due_date() {
    let calendar = Calendar { cadence: Cadence::SelfPaced, time_zone: Tz::UTC };
    let situation = Situation { assignments: vec![done(11, 0)], calendar, ..driver() };
    let lesson = Lesson {
        course: course(12),
        version: version(120),
        source: AssignmentSource::CoursePool,
        due_at: None,
    };
    assert_eq!(choose(&situation), (Decision::Assign(lesson), "pool"));
}

#[test]
fn with_all_completed_the_oldest_is_given_again_once_it_is_old_enough() {
    let all_done = |days| Situation {
        assignments: vec![done(11, days), done(12, days + 1), done(13, days), done(12, days + 400)],
        ..driver()
    };
    assert_eq!(choose(&all_done(180)), (from_pool(12, january(12, 0)), "recycled"));
    assert_eq!(choose(&all_done(200)), (from_pool(12, january(12, 0)), "recycled"), "all are old enough");
    assert_eq!(choose(&all_done(179)), NOTHING, "180 days are not more than 180");
}

#[test]
fn a_newer_version_brings_a_completed_course_back_early() {
    let mut situation = driver();
    situation.assignments = vec![done(11, 30), done(12, 40), done(13, 20)];
    assert_eq!(choose(&situation), NOTHING);
    let renewed_at = situation.now - TimeDelta::days(25);
    let renewed = PublishedVersion { id: version(111), published_at: renewed_at };
    situation.courses[0].published = Some(renewed);
    situation.courses[2].published = Some(PublishedVersion { id: version(131), ..renewed });
    let lesson = Lesson {
        course: course(11),
        version: version(111),
        source: AssignmentSource::CoursePool,
        due_at: Some(january(12, 0)),
    };
    assert_eq!(
        choose(&situation),
        (Decision::Assign(lesson), "recycled"),
        "13 was completed after the renewal"
    );
    situation.assignments[0].version = version(111);
    assert_eq!(choose(&situation), NOTHING, "this is the version that was completed");
}

#[test]
fn a_course_given_again_waits_for_its_period_too() {
    let mut situation = driver();
    situation.assignments = vec![done(11, 200), done(12, 199), done(13, 0)];
    assert_eq!(choose(&situation), closed_until(january(12, 0)));
}

#[test]
fn a_gate_is_announced_only_if_there_is_something_behind_it() {
    let mut situation = driver();
    situation.assignments = vec![done(11, 30), done(12, 20), done(13, 0)];
    assert_eq!(choose(&situation), NOTHING);
    situation.assignments[0] = done(11, 176);
    assert_eq!(choose(&situation), closed_until(january(12, 0)), "more than 180 days ago by then");
}

#[test]
fn a_completion_that_arrived_after_the_withdrawal_counts() {
    let mut late = Assignment::give(
        assignment(11),
        Learner {
            organization: OrgId::new(Uuid::from_u128(1)),
            membership: MembershipId::new(Uuid::from_u128(2)),
            user: UserId::new(Uuid::from_u128(3)),
        },
        Lesson {
            course: course(11),
            version: version(110),
            source: AssignmentSource::CoursePool,
            due_at: None,
        },
        january(5, 0),
    );
    late.withdraw(january(5, 1));
    let event = ProgressEvent {
        event_type: EventType::Complete,
        player_session: PlayerSessionId::new(Uuid::from_u128(4)),
        client_time: ClientTime::parse(january(5, 0).timestamp_millis()).expect("a time"),
        progress: ProgressData::default(),
    };
    let at = |late: &Assignment| choose(&Situation { assignments: vec![late.into()], ..driver() });
    assert_eq!(at(&late), (from_pool(11, january(12, 0)), "pool"));
    late.absorb(&event, january(6, 0));
    assert_eq!(at(&late), closed_until(january(12, 0)));
}

fn subset(of: &'static [u128]) -> impl Strategy<Value = Vec<u128>> {
    vec(select(of), 0..8)
}

fn past_assignment(n: u128) -> impl Strategy<Value = PastAssignment> {
    let states = [AssignmentState::Withdrawn, AssignmentState::Completed, AssignmentState::Completed];
    let open = [AssignmentState::Assigned, AssignmentState::InProgress];
    let state = prop_oneof![30 => select(states.to_vec()), 1 => select(open.to_vec())];
    let source = prop_oneof![
        1 => Just(AssignmentSource::Basics),
        3 => Just(AssignmentSource::CoursePool),
        1 => Just(AssignmentSource::Manual)
    ];
    (select(COURSES), state, 0_u128..2, source, prop_oneof![0_i64..7, 0_i64..300], 0_i64..5).prop_map(
        move |(of, state, edition, source, days_ago, took)| {
            let assigned_at = january(6, 12) - TimeDelta::days(days_ago);
            PastAssignment {
                id: assignment(n),
                course: course(of),
                version: version(of * 10 + edition),
                source,
                completed_at: (state == AssignmentState::Completed)
                    .then_some(assigned_at + TimeDelta::days(took.min(days_ago))),
                ..given(n, state, assigned_at)
            }
        },
    )
}

fn catalog_course(n: u128) -> impl Strategy<Value = CatalogCourse> {
    let published = (0_u128..2, 0_i64..400).prop_map(move |(edition, days_ago)| PublishedVersion {
        id: version(n * 10 + edition),
        published_at: january(6, 12) - TimeDelta::days(days_ago),
    });
    let published = proptest::option::weighted(0.8, published);
    (proptest::bool::weighted(0.1), 0..3, proptest::bool::weighted(0.2), published).prop_map(
        move |(basics, position, archived, published)| CatalogCourse {
            id: course(n),
            basics,
            position,
            archived,
            published,
        },
    )
}

const COURSES: &[u128] = &[1, 2, 3, 4, 5];

fn situation() -> impl Strategy<Value = Situation> {
    let courses: Vec<_> = COURSES.iter().map(|n| catalog_course(*n)).collect();
    let assignments = (0_u128..10).prop_flat_map(|count| (0..count).map(past_assignment).collect::<Vec<_>>());
    let categories =
        (subset(COURSES), subset(COURSES), any::<bool>()).prop_map(|(own, default, has_default)| {
            let mut categories = vec![category(1, &["Driver"], &own), category(2, &["Cook"], &[1])];
            categories.extend(has_default.then(|| category(3, &[], &default)));
            categories
        });
    let teams = btree_set(1_u128..4, 0..3).prop_flat_map(|teams| {
        let joined = vec(1_i64..3, teams.len());
        joined.prop_map(move |joined| {
            let joined = teams.iter().zip(joined);
            joined
                .map(|(n, day)| JoinedTeam { team: team(*n), joined_at: january(day, 0) })
                .collect::<Vec<_>>()
        })
    });
    let overrides = (btree_set((1_u128..4, 1_u128..4), 0..4), subset(COURSES)).prop_map(|(keys, courses)| {
        keys.iter().map(|(team, category)| own_list(*team, *category, &courses)).collect::<Vec<_>>()
    });
    let cadence = select(vec![Cadence::Weekly, Cadence::Monthly, Cadence::SelfPaced]);
    let title = select(vec![Some("driver"), Some("welder"), None]);
    let now = prop_oneof![2 => 0_i64..96, 1 => 0_i64..24 * 60]
        .prop_map(|hours| january(6, 12) + TimeDelta::hours(hours));
    (courses, assignments, categories, teams, overrides, cadence, title, now).prop_map(
        |(courses, assignments, categories, teams, overrides, cadence, title, now)| Situation {
            active: true,
            job_title: title.map(|title| JobTitleKey::parse(title).expect("a title")),
            teams,
            assignments,
            courses,
            categories,
            overrides,
            calendar: Calendar { cadence, time_zone: Tz::America__Chicago },
            recycle_after_days: 90,
            now,
        },
    )
}

/// A situation and the same one with its lists in another order.
fn told_twice() -> impl Strategy<Value = [Situation; 2]> {
    situation().prop_flat_map(|situation| {
        let Situation { teams, assignments, courses, categories, overrides, .. } = situation.clone();
        let shuffled = (
            Just(teams).prop_shuffle(),
            Just(assignments).prop_shuffle(),
            Just(courses).prop_shuffle(),
            Just(categories).prop_shuffle(),
            Just(overrides).prop_shuffle(),
        );
        shuffled.prop_map(move |(teams, assignments, courses, categories, overrides)| {
            let other = Situation { teams, assignments, courses, categories, overrides, ..situation.clone() };
            [situation.clone(), other]
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_order_of_the_lists_does_not_matter([situation, other] in told_twice()) {
        prop_assert_eq!(situation.current_course(), other.current_course());
        prop_assert_eq!(situation.pool(), other.pool());
    }

    #[test]
    fn only_what_is_on_offer_is_given_and_only_recycled_courses_twice(situation in situation()) {
        let current = situation.current_course().expect("an active member");
        prop_assert_eq!(Ok(current.clone()), situation.current_course(), "asked again");
        let Decision::Assign(lesson) = current.decision else { return Ok(()) };
        let chosen = situation.courses.iter().find(|course| course.id == lesson.course).expect("a known course");
        prop_assert!(!chosen.archived);
        prop_assert_eq!(chosen.published.map(|published| published.id), Some(lesson.version));
        prop_assert_eq!(chosen.basics, lesson.source == AssignmentSource::Basics);
        prop_assert_eq!(chosen.basics, current.rule == Rule::Basics);
        let completed = |past: &PastAssignment| past.course == lesson.course && past.completed_at.is_some();
        prop_assert_eq!(situation.assignments.iter().any(completed), current.rule == Rule::Recycled);
        prop_assert!(!situation.assignments.iter().any(|past| past.state.is_open()));
    }

    #[test]
    fn a_given_course_is_current_until_done_and_then_the_period_is_used_up(mut situation in situation()) {
        let current = situation.current_course().expect("an active member");
        let Decision::Assign(lesson) = current.decision else { return Ok(()) };
        let new = PastAssignment {
            course: lesson.course,
            version: lesson.version,
            source: lesson.source,
            ..given(100, AssignmentState::Assigned, situation.now)
        };
        situation.assignments.push(new);
        let again = situation.current_course().expect("an active member");
        prop_assert_eq!(again.decision, Decision::Existing(new.id));
        situation.assignments.pop();
        let completed_at = Some(situation.now);
        situation.assignments.push(PastAssignment { state: AssignmentState::Completed, completed_at, ..new });
        let next = situation.current_course().expect("an active member");
        match (next.decision, lesson.source, lesson.due_at) {
            (Decision::Gate { next_available_at }, AssignmentSource::CoursePool, Some(due_at)) => {
                prop_assert_eq!(next_available_at, due_at);
            }
            (Decision::Assign(_), AssignmentSource::CoursePool, Some(_)) => prop_assert!(false, "two in a period"),
            (Decision::Existing(_), ..) => prop_assert!(false, "nothing is open"),
            _ => {}
        }
    }

    #[test]
    fn a_gate_opens_when_it_says_and_something_is_behind_it(situation in situation()) {
        let current = situation.current_course().expect("an active member");
        let Decision::Gate { next_available_at } = current.decision else { return Ok(()) };
        prop_assert!(next_available_at > situation.now);
        let just_before = Situation { now: next_available_at - TimeDelta::microseconds(1), ..situation.clone() };
        prop_assert_eq!(just_before.current_course().expect("active").decision, current.decision);
        let then = Situation { now: next_available_at, ..situation };
        prop_assert!(matches!(then.current_course().expect("active").decision, Decision::Assign(_)));
    }
}
