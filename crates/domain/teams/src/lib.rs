//! Teams: who works, practises and is led together.
//!
//! Use cases of [`TeamService`]: `create_team`, `get_team`, `list_teams`, `list_administered_teams`,
//! `list_teams_of_membership`, `rename_team`, `delete_team`, `list_team_admins`, `add_team_admin`, `remove_team_admin`,
//! `list_refinements`, `create_refinement`, `get_refinement`, `update_refinement`.
//!
//! The [`score`] module measures how well a team keeps up its training; no use case asks for it yet.

mod add_team_admin;
mod create_refinement;
mod create_team;
mod delete_team;
mod error;
mod get_refinement;
mod get_team;
mod list_administered_teams;
mod list_refinements;
mod list_team_admins;
mod list_teams;
mod list_teams_of_membership;
pub mod ports;
mod refinement;
mod refinement_data;
mod remove_team_admin;
mod rename_team;
pub mod score;
mod service;
mod team;
#[cfg(test)]
mod tests;
mod update_refinement;

pub use add_team_admin::AddedAdmin;
pub use create_team::CreateTeam;
pub use error::TeamError;
pub use refinement::{Refinement, TeamPlace};
pub use refinement_data::{References, RefinementData};
pub use score::{LateWindow, Score, ScoreInput, ScoreWindow};
pub use service::TeamService;
pub use team::{Team, TeamAdmin, TeamName};
