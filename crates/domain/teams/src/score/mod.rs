//! The Worklete score: how well a team keeps up its training, as one number from 0 to 100.
//!
//! Everything here is pure. [`ScoreInput`] is what has to be counted, in sums that one statement can make for many teams;
//! [`ScoreInput::score`] is the formula. What exactly is counted is said by [`ScoreInput::of`], from the raw facts about
//! each member: slow and plain, it is the measure for whatever counts faster. [`ScoreWindow`] says which weeks are looked
//! at, [`LateWindow`] when they no longer change.
//!
//! Nothing is a float before the answer is written, so the order of a sum never moves a score by a point.

mod credit;
mod facts;
mod formula;
#[cfg(test)]
mod laws;
mod period;
mod ranking;
mod sheet;
mod window;

pub use credit::{AssignmentFacts, Credit, Participation};
pub use facts::{AssignmentHistory, MemberFacts, ProgressReport, Stint};
pub use formula::{Band, Component, ComponentName, FORMULA_VERSION, Ratio, Score, ScoreInput, ScoreStatus};
pub use period::{Period, PeriodKind, ScoreCalendar, WeekKey};
pub use ranking::{Rank, median};
pub use sheet::{Counts, RankedTeam, ScoreSheet, TrendPoint, rank_teams};
pub use window::{LateWindow, ScoreWindow};
