//! Teams: who works, practises and is led together.
//!
//! Use cases of [`TeamService`]: `create_team`.

mod create_team;
mod error;
pub mod ports;
mod service;
mod team;

pub use create_team::CreateTeam;
pub use error::TeamError;
pub use service::TeamService;
pub use team::{Team, TeamName};
