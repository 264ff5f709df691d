use super::formula::{weighed, weighted_sum};
use super::{ComponentName, Credit, Participation, Ratio, ScoreInput};

/// Member-weeks of average participation that each team is given when teams are compared.
const BORROWED: u128 = 8;

/// Steps in which participation is told apart when teams are compared: fine enough, and fewer than the exact fraction
/// may have, so that the weighted sum has room to be multiplied by [`FULL_RANK`].
const STEPS: u128 = 1_000_000_000;

/// The rank of a team that has everything.
const FULL_RANK: u32 = 1_000_000;

/// Where a team stands among the teams of its organization, the greater the better; to sort by, never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(u32);

impl ScoreInput {
    /// Where the team stands, given the participation of all teams of the organization together. None, and so behind all
    /// others, without a score.
    ///
    /// It is the score, in ten-thousandths of a point, with participation drawn towards that of the organization: as if the
    /// team had had eight more member-weeks, average ones. Few member-weeks are a matter of luck, so a small team
    /// neither leads nor trails by them alone.
    pub fn rank(&self, organization: Participation) -> Option<Rank> {
        let mut components = self.components()?;
        let drawn = drawn_towards(self.participation, organization);
        for component in components.iter_mut().filter(|part| part.name == ComponentName::Participation) {
            component.denominator = drawn.map_or(0, |_| 1);
            component.numerator = drawn.unwrap_or(component.numerator);
        }
        let (above, below) = weighted_sum(&weighed(components));
        Some(Rank(u32::try_from(u128::from(FULL_RANK) * above / below).unwrap_or(FULL_RANK)))
    }
}

/// (credits + 8 x mean of the organization) / (expected + 8). None when nothing was expected in the whole organization.
fn drawn_towards(team: Participation, organization: Participation) -> Option<Ratio> {
    let full = u128::from(Credit::ON_TIME.0);
    let credits = |part: Participation| u128::from(part.credits.0).min(full * u128::from(part.expected));
    let (expected, all_expected) = (u128::from(team.expected), u128::from(organization.expected));
    let above = STEPS * (credits(team) * all_expected + BORROWED * credits(organization));
    let drawn = above.checked_div(full * all_expected * (expected + BORROWED))?;
    Some(Ratio { numerator: u64::try_from(drawn).ok()?, denominator: u64::try_from(STEPS).ok()? })
}

/// The middle score: half of the teams are not above, half are not below. Between two middle ones, their mean rounded
/// half up. None when no team has a score.
pub fn median(scores: impl IntoIterator<Item = u8>) -> Option<u8> {
    let mut scores: Vec<u8> = scores.into_iter().collect();
    scores.sort_unstable();
    let upper = *scores.get(scores.len() / 2)?;
    let lower = *scores.get((scores.len() - 1) / 2)?;
    Some(lower + (upper - lower).div_ceil(2))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn part(lessons: u64, expected: u32) -> Participation {
        Participation { credits: Credit(lessons * Credit::ON_TIME.0), expected }
    }

    fn team(participation: Participation) -> ScoreInput {
        ScoreInput { participation, eligible: 10, activated: 10, weeks_practised: 2, weeks: 4, champions: 1 }
    }

    #[test]
    fn a_small_perfect_team_ranks_below_a_large_good_one_although_its_score_is_higher() {
        let (small, large) = (team(part(4, 4)), team(part(90, 100)));
        let organization = part(300, 600);
        assert!(small.score().score > large.score().score);
        assert!(small.rank(organization) < large.rank(organization));
    }

    #[test]
    fn participation_is_drawn_by_eight_average_member_weeks() {
        // (8 + 8 x 0.5) / (8 + 8) = 0.75
        let drawn = drawn_towards(part(8, 8), part(100, 200));
        assert_eq!(drawn.map(Ratio::to_f64), Some(0.75));
    }

    #[test]
    fn a_team_of_which_nothing_was_expected_ranks_as_an_average_one() {
        let organization = part(100, 200);
        assert_eq!(team(part(0, 0)).rank(organization), team(part(50, 100)).rank(organization));
    }

    #[test]
    fn where_nothing_was_expected_of_anybody_the_rest_decides() {
        // (15 x 1 + 25 x 0.5 + 15 x 1) / 55 = 0.7727…
        assert_eq!(team(part(0, 0)).rank(part(0, 0)), Some(Rank(772_727)));
    }

    #[test]
    fn a_team_without_a_score_ranks_behind_all() {
        let few = ScoreInput { eligible: 2, ..team(part(8, 8)) };
        let worst = ScoreInput { eligible: 3, weeks: 4, ..ScoreInput::default() };
        assert_eq!(few.rank(part(8, 8)), None);
        assert!(few.rank(part(0, 8)) < worst.rank(part(0, 8)));
    }

    #[test]
    fn the_median_is_the_middle_score() {
        assert_eq!(median([]), None);
        assert_eq!(median([80]), Some(80));
        assert_eq!(median([90, 10, 40]), Some(40));
        assert_eq!(median([71, 40]), Some(56), "55.5");
        assert_eq!(median([100, 100]), Some(100));
    }

    proptest! {
        #[test]
        fn the_drawn_participation_lies_between_the_team_and_the_organization(
            (done, expected) in (1_u32..500).prop_flat_map(|n| (0..=u64::from(n), Just(n))),
            (all_done, all_expected) in (1_u32..500).prop_flat_map(|n| (0..=u64::from(n), Just(n))),
        ) {
            let (own, all) = (part(done, expected), part(all_done, all_expected));
            let value = |p: Participation| Ratio { numerator: p.credits.0, denominator: u64::from(p.expected) * 400 };
            let (low, high) = (value(own).to_f64().min(value(all).to_f64()), value(own).to_f64().max(value(all).to_f64()));
            let drawn = drawn_towards(own, all).expect("something was expected").to_f64();
            prop_assert!(low - 1e-8 <= drawn && drawn <= high + 1e-8);
        }

        #[test]
        fn a_rank_never_overflows(
            (credits, expected, all_credits, all_expected) in any::<(u64, u32, u64, u32)>(),
            (eligible, activated, champions, weeks_practised, weeks) in any::<(u32, u32, u32, u8, u8)>(),
        ) {
            let participation = Participation { credits: Credit(credits), expected };
            let input = ScoreInput { participation, eligible, activated, weeks_practised, weeks, champions };
            let rank = input.rank(Participation { credits: Credit(all_credits), expected: all_expected });
            prop_assert!(rank.is_none_or(|rank| rank <= Rank(FULL_RANK)));
        }

        #[test]
        fn the_median_does_not_depend_on_the_order(scores in vec(0_u8..=100, 1..20)) {
            let middle = median(scores.clone()).expect("scores");
            prop_assert_eq!(median(scores.iter().rev().copied()), Some(middle));
            let not_above = scores.iter().filter(|score| **score <= middle).count();
            let not_below = scores.iter().filter(|score| **score >= middle).count();
            prop_assert!(not_above * 2 >= scores.len() && (not_below + 1) * 2 >= scores.len());
        }
    }
}
