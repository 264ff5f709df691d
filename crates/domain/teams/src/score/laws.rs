//! Laws of the score, over whole teams.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{
    AssignmentHistory, Component, ComponentName, Credit, LateWindow, MemberFacts, Participation, Period,
    PeriodKind, ProgressReport, ScoreInput, ScoreWindow, Stint,
};

fn late() -> LateWindow {
    LateWindow::of_days(14)
}

/// The four weeks from Monday 2 March 2026, in a zone that puts its clocks forward in one of them; or the two months that
/// end with March.
fn window(kind: PeriodKind) -> ScoreWindow {
    let now = "2026-04-01T15:00:00Z".parse().expect("an instant");
    ScoreWindow::before(kind, Tz::America__Chicago, now)
}

fn kind() -> impl Strategy<Value = PeriodKind> {
    prop_oneof![Just(PeriodKind::Week), Just(PeriodKind::Month)]
}

/// Any instant from some weeks before either window to some weeks after, often on the border of a week.
fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    let start = window(PeriodKind::Month).starts_at;
    let day = (-30_i64..90).prop_map(move |days| start + TimeDelta::days(days));
    let minute = (-30_i64 * 1440..90 * 1440).prop_map(move |minutes| start + TimeDelta::minutes(minutes));
    let mut borders = window(PeriodKind::Week).periods;
    borders.extend(window(PeriodKind::Month).periods);
    let border = any::<Index>().prop_map(move |index| index.get(&borders).ends_at);
    prop_oneof![day, minute, border]
}

fn report() -> impl Strategy<Value = ProgressReport> {
    let delay = prop_oneof![Just(0_i64), 0_i64..40 * 1440, Just(14 * 1440)];
    (instant(), delay, 0_u8..=100, weighted(0.3)).prop_map(|(effective_at, delay, percent, completes)| {
        let received_at = effective_at + TimeDelta::minutes(delay);
        ProgressReport { effective_at, received_at, percent, completes }
    })
}

fn assignment() -> impl Strategy<Value = AssignmentHistory> {
    (option::weighted(0.9, instant()), weighted(0.1), vec(report(), 0..5))
        .prop_map(|(due_at, withdrawn, reports)| AssignmentHistory { due_at, withdrawn, reports })
}

fn member() -> impl Strategy<Value = MemberFacts> {
    let stint = (instant(), option::of(instant())).prop_map(|(one, other)| {
        let joined_at = other.map_or(one, |other| one.min(other));
        Stint { joined_at, left_at: other.map(|other| one.max(other)) }
    });
    let starts = instant().prop_map(|instant| instant.date_naive());
    (vec(stint, 1..3), starts, weighted(0.8), weighted(0.1), vec(assignment(), 0..5)).prop_map(
        |(stints, reporting_starts_on, joined, champion, assignments)| MemberFacts {
            stints,
            reporting_starts_on,
            joined,
            champion,
            assignments,
        },
    )
}

fn team() -> impl Strategy<Value = Vec<MemberFacts>> {
    vec(member(), 0..40)
}

fn refinements() -> impl Strategy<Value = Vec<NaiveDate>> {
    vec(instant().prop_map(|instant| instant.date_naive()), 0..6)
}

fn count(kind: PeriodKind, team: &[MemberFacts], refinements: &[NaiveDate]) -> ScoreInput {
    ScoreInput::of(&window(kind), late(), team, refinements)
}

fn any_input() -> impl Strategy<Value = ScoreInput> {
    any::<(u64, u32, u32, u32, u8, u8, u32)>().prop_map(
        |(credits, expected, eligible, activated, weeks_practised, weeks, champions)| ScoreInput {
            participation: Participation { credits: Credit(credits), expected },
            eligible,
            activated,
            weeks_practised,
            weeks,
            champions,
        },
    )
}

/// A member who was always there and finished each lesson the given time before it was due.
fn perfect_member(window: &ScoreWindow, ahead: TimeDelta, champion: bool) -> MemberFacts {
    let lesson = |period: &Period| {
        let effective_at = period.ends_at - ahead;
        let report =
            ProgressReport { effective_at, received_at: effective_at, percent: 100, completes: true };
        AssignmentHistory { due_at: Some(period.ends_at), withdrawn: false, reports: vec![report] }
    };
    MemberFacts {
        stints: vec![Stint { joined_at: window.starts_at, left_at: None }],
        reporting_starts_on: window.from,
        joined: true,
        champion,
        assignments: window.periods.iter().map(lesson).collect(),
    }
}

proptest! {
    #[test]
    fn a_score_lies_between_0_and_100(input in any_input()) {
        let score = input.score();
        prop_assert_eq!(score.score.is_some(), input.eligible >= 3);
        prop_assert!(score.score.is_none_or(|score| score <= 100));
        let shares: u64 = score.components.iter().map(|component| component.weight.numerator).sum();
        prop_assert!(score.components.iter().all(|component| component.weight.denominator == shares));
    }

    #[test]
    fn the_order_of_members_lessons_and_reports_changes_nothing_nor_does_saying_things_twice(
        kind in kind(),
        (team, mut shuffled) in team().prop_flat_map(|team| (Just(team.clone()), Just(team).prop_shuffle())),
        (days, shuffled_days) in refinements().prop_flat_map(|days| (Just(days.clone()), Just(days).prop_shuffle())),
        turn in any::<usize>(),
    ) {
        for member in &mut shuffled {
            member.stints.reverse();
            member.assignments.reverse();
            for assignment in &mut member.assignments {
                let reports = &mut assignment.reports;
                let turned = turn % reports.len().max(1);
                reports.rotate_left(turned);
                reports.extend(reports.clone().into_iter().rev().take(turn % 3));
            }
        }
        let twice = [shuffled_days.clone(), shuffled_days].concat();
        prop_assert_eq!(count(kind, &team, &days), count(kind, &shuffled, &twice));
    }

    #[test]
    fn reports_that_come_within_the_late_window_count_as_if_sent_in_time(
        kind in kind(), team in team(), days in refinements(),
    ) {
        let mut in_time = team.clone();
        let assignments = in_time.iter_mut().flat_map(|member| &mut member.assignments);
        for report in assignments.flat_map(|assignment| &mut assignment.reports) {
            if report.received_at - report.effective_at <= TimeDelta::days(14) {
                report.received_at = report.effective_at;
            }
        }
        prop_assert_eq!(count(kind, &team, &days), count(kind, &in_time, &days));
    }

    #[test]
    fn one_more_refinement_never_lowers_a_score(
        kind in kind(), team in team(), days in refinements(), one_more in instant(),
    ) {
        let more = [days.clone(), vec![one_more.date_naive()]].concat();
        prop_assert!(count(kind, &team, &days).score().score <= count(kind, &team, &more).score().score);
    }

    #[test]
    fn one_more_champion_never_lowers_a_score(
        kind in kind(), team in vec(member(), 1..40), days in refinements(), who in any::<Index>(),
    ) {
        let mut more = team.clone();
        who.get_mut(&mut more).champion = true;
        prop_assert!(count(kind, &team, &days).score().score <= count(kind, &more, &days).score().score);
    }

    #[test]
    fn more_credit_for_the_same_expected_work_never_lowers_a_score(input in any_input(), more in any::<u64>()) {
        let credits = Credit(input.participation.credits.0.saturating_add(more));
        let better = ScoreInput { participation: Participation { credits, ..input.participation }, ..input };
        prop_assert!(input.score().score <= better.score().score);
    }

    #[test]
    fn a_team_twice_as_large_has_the_same_participation_activation_and_practice_and_no_fewer_champions(
        kind in kind(), team in team(), days in refinements(),
    ) {
        let one = count(kind, &team, &days);
        let two = count(kind, &[team.clone(), team].concat(), &[days.clone(), days].concat());
        prop_assert_eq!((one.eligible * 2, one.activated * 2), (two.eligible, two.activated));
        for (one, two) in one.score().components.iter().zip(&two.score().components) {
            let cross = |a: &Component, b: &Component| {
                Some(u128::from(a.value()?.numerator) * u128::from(b.value()?.denominator))
            };
            let (of_one, of_two) = (cross(one, two), cross(two, one));
            if one.name == ComponentName::Champions {
                prop_assert!(of_one <= of_two);
            } else {
                prop_assert_eq!(of_one, of_two);
            }
        }
        prop_assert!(one.score().score <= two.score().score);
    }

    #[test]
    fn a_team_that_does_everything_has_100_whatever_its_size(
        kind in kind(), size in 3_usize..60, minutes in 1_i64..9000,
    ) {
        let window = window(kind);
        let champions = size.div_ceil(15);
        let ahead = TimeDelta::minutes(minutes);
        let team: Vec<_> = (0..size).map(|n| perfect_member(&window, ahead, n < champions)).collect();
        prop_assert_eq!(count(kind, &team, &window.weeks).score().score, Some(100));
    }

    #[test]
    fn a_team_that_does_nothing_has_0_whatever_its_size(kind in kind(), size in 3_usize..60) {
        let mut idle = perfect_member(&window(kind), TimeDelta::hours(1), false);
        for assignment in &mut idle.assignments {
            assignment.reports.clear();
        }
        prop_assert_eq!(count(kind, &vec![idle; size], &[]).score().score, Some(0));
    }
}

/// What a learner may do in a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Nothing,
    SomeOfIt,
    AllButTheEnd,
    FinishOnTuesday,
    FinishOnSaturday,
}

const BEHAVIOURS: [Behaviour; 5] = [
    Behaviour::Nothing,
    Behaviour::SomeOfIt,
    Behaviour::AllButTheEnd,
    Behaviour::FinishOnTuesday,
    Behaviour::FinishOnSaturday,
];

/// Weeks of a history: the window, and two before it in which work can be left over.
const WEEKS: usize = 6;

/// Plays a history by the rules that hand out lessons, for a learner who never runs out of them: each Monday one is given
/// to who has none open, due at the end of the week; who finishes one is given the next at once, unless one was given in
/// that week already and lessons are not self-paced. With less than 72 hours left it is due a week later, and that
/// week's is given with it.
fn play(weeks: &[Period], history: &[Behaviour], self_paced: bool) -> MemberFacts {
    let mut lessons: Vec<AssignmentHistory> = Vec::new();
    let (mut open, mut weeks_given) = (false, 0);
    let lesson = |due_at| AssignmentHistory { due_at: Some(due_at), withdrawn: false, reports: vec![] };
    for (n, (week, behaviour)) in weeks.iter().zip(history).enumerate() {
        if !open && weeks_given <= n {
            lessons.push(lesson(week.ends_at));
            (open, weeks_given) = (true, n + 1);
        }
        let (hours, percent, completes) = match behaviour {
            Behaviour::Nothing => continue,
            Behaviour::SomeOfIt => (36, 40, false),
            Behaviour::AllButTheEnd => (36, 100, false),
            Behaviour::FinishOnTuesday => (36, 100, true),
            Behaviour::FinishOnSaturday => (132, 100, true),
        };
        let effective_at = week.starts_at + TimeDelta::hours(hours);
        if let Some(current) = lessons.last_mut().filter(|_| open) {
            let before = current.reports.iter().map(|report| report.percent).max().unwrap_or(0);
            let percent = (before + percent).min(100);
            current.reports.push(ProgressReport {
                effective_at,
                received_at: effective_at,
                percent,
                completes,
            });
            open = !completes;
        }
        if !open && (self_paced || weeks_given <= n) {
            let short = week.ends_at - effective_at < TimeDelta::hours(72);
            lessons.push(lesson(if short { week.next().ends_at } else { week.ends_at }));
            (open, weeks_given) = (true, if short { n + 2 } else { n + 1 });
        }
    }
    let joined_at = weeks.first().map_or(DateTime::UNIX_EPOCH, |week| week.starts_at);
    MemberFacts {
        stints: vec![Stint { joined_at, left_at: None }],
        reporting_starts_on: NaiveDate::MIN,
        joined: true,
        champion: false,
        assignments: lessons,
    }
}

/// Every history of six weeks, 15,625 in all: the `n`th, its digits to base five being the weeks.
fn history(n: usize) -> Vec<Behaviour> {
    (0..u32::try_from(WEEKS).expect("few")).map(|week| BEHAVIOURS[n / 5_usize.pow(week) % 5]).collect()
}

#[test]
fn finishing_a_lesson_in_any_week_instead_of_leaving_it_never_lowers_a_score() {
    let window = window(PeriodKind::Week);
    let weeks = window.periods.last().expect("four weeks").run_of(WEEKS);
    for self_paced in [false, true] {
        let played = |n| {
            let member = play(&weeks, &history(n), self_paced);
            window.periods.iter().map(|week| member.participation(week, late())).sum::<Participation>()
        };
        let outcomes: Vec<_> = (0..5_usize.pow(6)).map(played).collect();
        for (n, outcome) in outcomes.iter().enumerate() {
            for week in 2..WEEKS {
                let digit = 5_usize.pow(u32::try_from(week).expect("few"));
                let left = n / digit % 5;
                if left > 2 {
                    continue;
                }
                for finish in [3, 4] {
                    let better = outcomes[n + (finish - left) * digit];
                    // The same denominator, so the rest of the team cannot turn the comparison around.
                    assert_eq!(outcome.expected, better.expected, "{:?}, week {week}", history(n));
                    assert!(outcome.credits <= better.credits, "{:?}, week {week}", history(n));
                }
            }
        }
    }
}

#[test]
fn a_refinement_on_any_day_of_a_week_practises_that_week() {
    for kind in [PeriodKind::Week, PeriodKind::Month] {
        for monday in window(kind).weeks {
            let practised = (0..7).map(|n| count(kind, &[], &[monday + Days::new(n)]).weeks_practised);
            assert!(practised.into_iter().all(|weeks| weeks == 1));
        }
    }
}
