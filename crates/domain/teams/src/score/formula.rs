use super::Participation;

/// Which formula a score was made with. A snapshot keeps it, so that numbers of two formulas are never compared.
pub const FORMULA_VERSION: i32 = 1;

/// Fewer members than this have no score: the number would tell about persons.
const FEWEST_MEMBERS: u32 = 3;

/// One champion is enough for so many members.
const MEMBERS_PER_CHAMPION: u32 = 15;

/// What a score is made of, counted over its window. [`ScoreInput::of`] says how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScoreInput {
    /// Member-weeks, each with the members of its own week.
    pub participation: Participation,
    /// Members who count in any week.
    pub eligible: u32,
    /// Those of them who have joined and reported something in the window.
    pub activated: u32,
    /// Weeks with at least one refinement.
    pub weeks_practised: u8,
    /// Weeks of the window.
    pub weeks: u8,
    /// Members who count in any week and hold a valid certification on the last day of the window.
    pub champions: u32,
}

/// A fraction, exact until it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    /// Above the line.
    pub numerator: u64,
    /// Below the line, never zero.
    pub denominator: u64,
}

impl Ratio {
    /// The nearest float, to show it.
    #[expect(clippy::cast_precision_loss, reason = "counts of people and weeks stay far below 2^53")]
    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

/// A part of the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentName {
    /// Lessons done, of those that were due.
    Participation,
    /// Members who have joined and were seen.
    Activation,
    /// Weeks in which the team practised.
    Practice,
    /// Champions, of those the team should have.
    Champions,
}

impl ComponentName {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Participation => "participation",
            Self::Activation => "activation",
            Self::Practice => "practice",
            Self::Champions => "champions",
        }
    }

    /// Its weight in percent while all components have a value.
    fn weight(self) -> u64 {
        match self {
            Self::Participation => 45,
            Self::Practice => 25,
            Self::Activation | Self::Champions => 15,
        }
    }
}

/// A part of the score with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// Which.
    pub name: ComponentName,
    /// Its share of the score; the shares of all add up to one. Zero when it has no value.
    pub weight: Ratio,
    /// What the team has. Whole, but for participation: half and quarter credits make fractions.
    pub numerator: Ratio,
    /// What would be perfect.
    pub denominator: u32,
}

impl Component {
    fn new(name: ComponentName, numerator: Ratio, denominator: u32) -> Self {
        Self { name, weight: Ratio { numerator: name.weight(), denominator: 100 }, numerator, denominator }
    }

    fn whole(name: ComponentName, numerator: u32, denominator: u32) -> Self {
        Self::new(name, Ratio { numerator: numerator.into(), denominator: 1 }, denominator)
    }

    /// From 0 to 1: more than perfect counts as perfect. None when nothing was to be had.
    pub fn value(&self) -> Option<Ratio> {
        let denominator = self.numerator.denominator * u64::from(self.denominator);
        let numerator = self.numerator.numerator.min(denominator);
        (denominator > 0).then_some(Ratio { numerator, denominator })
    }
}

/// How a score reads in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// 0 to 39.
    Starting,
    /// 40 to 69.
    Building,
    /// 70 to 84.
    Strong,
    /// 85 to 100.
    Leading,
}

impl Band {
    /// The band of a score.
    pub fn of(score: u8) -> Self {
        match score {
            0..40 => Self::Starting,
            40..70 => Self::Building,
            70..85 => Self::Strong,
            85.. => Self::Leading,
        }
    }

    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Building => "building",
            Self::Strong => "strong",
            Self::Leading => "leading",
        }
    }
}

/// Whether there is a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreStatus {
    /// There is.
    Ok,
    /// Too few members count.
    InsufficientData,
}

impl ScoreStatus {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::InsufficientData => "insufficient_data",
        }
    }
}

/// A score, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// 0 to 100.
    pub score: Option<u8>,
    /// The score in a word.
    pub band: Option<Band>,
    /// Whether there is a score.
    pub status: ScoreStatus,
    /// What it is made of, in the order of [`ComponentName`]. Empty when there is no score: the numbers of so few members
    /// are numbers of persons.
    pub components: Vec<Component>,
    /// Members who count in any week.
    pub eligible_members: u32,
}

impl ScoreInput {
    /// The formula.
    pub fn score(&self) -> Score {
        let components = self.components();
        let score = components.as_ref().map(points);
        Score {
            score,
            band: score.map(Band::of),
            status: if score.is_some() { ScoreStatus::Ok } else { ScoreStatus::InsufficientData },
            components: components.map(Vec::from).unwrap_or_default(),
            eligible_members: self.eligible,
        }
    }

    /// The components; none when too few members count.
    pub(super) fn components(&self) -> Option<[Component; 4]> {
        let Participation { credits, expected } = self.participation;
        let lessons = Ratio { numerator: credits.0, denominator: super::Credit::ON_TIME.0 };
        let components = [
            Component::new(ComponentName::Participation, lessons, expected),
            Component::whole(ComponentName::Activation, self.activated, self.eligible),
            Component::whole(ComponentName::Practice, self.weeks_practised.into(), self.weeks.into()),
            Component::whole(
                ComponentName::Champions,
                self.champions,
                self.eligible.div_ceil(MEMBERS_PER_CHAMPION),
            ),
        ];
        (self.eligible >= FEWEST_MEMBERS).then(|| weighed(components))
    }
}

/// Shares out the whole weight among the components that have a value.
pub(super) fn weighed(mut components: [Component; 4]) -> [Component; 4] {
    let weight = |component: &Component| component.value().map_or(0, |_| component.name.weight());
    let denominator = components.iter().map(weight).sum::<u64>().max(1);
    for component in &mut components {
        component.weight = Ratio { numerator: weight(component), denominator };
    }
    components
}

/// The weighted sum of the values as an exact fraction from 0 to 1: above and below the line.
///
/// Below the line stand the weights (at most 100), credits (400 times a `u32`), members (a `u32`), weeks (a `u8`) and
/// champions (a `u32` over 15): less than 2^116, and above it no more, so that there is room to multiply by 200.
pub(super) fn weighted_sum(components: &[Component; 4]) -> (u128, u128) {
    let shares = components[0].weight.denominator;
    let (above, below) = components
        .iter()
        .filter_map(|component| Some((component, component.value()?)))
        .fold((0_u128, 1_u128), |(above, below), (component, value)| {
            let (numerator, denominator) = (u128::from(value.numerator), u128::from(value.denominator));
            let share = u128::from(component.weight.numerator);
            (above * denominator + share * numerator * below, below * denominator)
        });
    (above, below * u128::from(shares))
}

/// A hundred times the weighted sum, rounded half up.
fn points(components: &[Component; 4]) -> u8 {
    let (above, below) = weighted_sum(components);
    u8::try_from((200 * above + below) / (2 * below)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Credit;

    /// 20 members over 4 weeks: 56 lessons on time, 8 overdue ones finished, 16 weeks in which half a lesson was done.
    fn example() -> ScoreInput {
        let credits = Credit(56 * Credit::ON_TIME.0 + 8 * Credit::OVERDUE.0 + 16 * Credit::gained(50).0);
        ScoreInput {
            participation: Participation { credits, expected: 80 },
            eligible: 20,
            activated: 18,
            weeks_practised: 3,
            weeks: 4,
            champions: 1,
        }
    }

    fn shown(score: &Score) -> Vec<(&str, f64, Option<f64>, f64, u32)> {
        let show = |component: &Component| {
            (
                component.name.as_str(),
                component.weight.to_f64(),
                component.value().map(Ratio::to_f64),
                component.numerator.to_f64(),
                component.denominator,
            )
        };
        score.components.iter().map(show).collect()
    }

    #[test]
    fn the_worked_example_is_75_and_strong() {
        let score = example().score();
        assert_eq!((score.score, score.band, score.status), (Some(75), Some(Band::Strong), ScoreStatus::Ok));
        assert_eq!(
            shown(&score),
            [
                ("participation", 0.45, Some(0.775), 62.0, 80),
                ("activation", 0.15, Some(0.9), 18.0, 20),
                ("practice", 0.25, Some(0.75), 3.0, 4),
                ("champions", 0.15, Some(0.5), 1.0, 2),
            ]
        );
    }

    #[test]
    fn where_nothing_was_expected_the_other_weights_share_the_whole() {
        let score = ScoreInput { participation: Participation::default(), ..example() }.score();
        // (15 x 0.9 + 25 x 0.75 + 15 x 0.5) / 55 = 0.7227…
        assert_eq!(score.score, Some(72));
        assert_eq!(
            shown(&score),
            [
                ("participation", 0.0, None, 0.0, 0),
                ("activation", 15.0 / 55.0, Some(0.9), 18.0, 20),
                ("practice", 25.0 / 55.0, Some(0.75), 3.0, 4),
                ("champions", 15.0 / 55.0, Some(0.5), 1.0, 2),
            ]
        );
    }

    #[test]
    fn fewer_than_three_members_have_neither_score_nor_components() {
        for eligible in 0..3 {
            let score = ScoreInput { eligible, activated: eligible, ..example() }.score();
            assert_eq!((score.score, score.band, score.status), (None, None, ScoreStatus::InsufficientData));
            assert_eq!((score.components, score.eligible_members), (vec![], eligible));
        }
        assert!(ScoreInput { eligible: 3, activated: 3, ..example() }.score().score.is_some());
    }

    #[test]
    fn exactly_half_a_point_is_rounded_up() {
        // 0.45 x 31/90 = 0.155, all else nothing.
        let half = Participation { credits: Credit(31 * Credit::ON_TIME.0), expected: 90 };
        let input =
            ScoreInput { participation: half, activated: 0, weeks_practised: 0, champions: 0, ..example() };
        assert_eq!(input.score().score, Some(16));
        let less = Participation { credits: Credit(31 * Credit::ON_TIME.0 - 1), expected: 90 };
        assert_eq!(ScoreInput { participation: less, ..input }.score().score, Some(15));
    }

    #[test]
    fn bands_begin_at_0_40_70_and_85() {
        let bands = [0, 39, 40, 69, 70, 84, 85, 100].map(|score| Band::of(score).as_str());
        assert_eq!(
            bands,
            ["starting", "starting", "building", "building", "strong", "strong", "leading", "leading"]
        );
    }

    #[test]
    fn one_champion_is_asked_for_every_fifteen_members_begun() {
        for (eligible, wanted) in [(3, 1), (15, 1), (16, 2), (30, 2), (31, 3)] {
            let components = ScoreInput { eligible, ..example() }.score().components;
            assert_eq!(components.last().map(|champions| champions.denominator), Some(wanted), "{eligible}");
        }
    }
}
