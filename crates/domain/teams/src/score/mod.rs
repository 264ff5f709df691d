//! The Worklete score: how well a team keeps up its training, as one number from 0 to 100.

mod credit;
mod facts;
mod formula;
mod period;
mod window;

pub use credit::{AssignmentFacts, Credit, Participation};
pub use facts::{AssignmentHistory, MemberFacts, ProgressReport, Stint};
pub use formula::{Band, Component, ComponentName, FORMULA_VERSION, Ratio, Score, ScoreInput, ScoreStatus};
pub use period::{Period, PeriodKind, WeekKey};
pub use window::{LateWindow, ScoreWindow};
