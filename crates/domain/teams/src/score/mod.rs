//! The Worklete score: how well a team keeps up its training, as one number from 0 to 100.

mod period;
mod window;

pub use period::{Period, PeriodKind, WeekKey};
pub use window::{LateWindow, ScoreWindow};
