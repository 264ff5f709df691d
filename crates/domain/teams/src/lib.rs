//! Teams: who works, practises and is led together.
//!
//! Use cases of [`TeamService`]: `create_team`, `get_team`, `list_teams`, `list_administered_teams`,
//! `list_teams_of_membership`, `rename_team`, `delete_team`, `get_organization_team`, `create_organization_team`,
//! `change_organization_team`, `list_team_admins`, `add_team_admin`, `remove_team_admin`,
//! `list_refinements`, `create_refinement`, `get_refinement`, `update_refinement`, `get_team_score`, `list_team_scores`,
//! `keep_scores`.
//!
//! The [`score`] module measures how well a team keeps up its training.

mod add_team_admin;
mod change_organization_team;
mod create_organization_team;
mod create_refinement;
mod create_team;
mod delete_team;
mod error;
mod get_organization_team;
mod get_refinement;
mod get_team;
mod get_team_score;
mod keep_scores;
mod list_administered_teams;
mod list_refinements;
mod list_team_admins;
mod list_team_scores;
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
pub use change_organization_team::TeamChange;
pub use create_organization_team::CreateOrganizationTeam;
pub use create_team::CreateTeam;
pub use error::TeamError;
pub use get_team_score::TeamScore;
pub use list_team_scores::TeamScores;
pub use refinement::{Refinement, TeamPlace};
pub use refinement_data::{References, RefinementData};
pub use score::{LateWindow, Score, ScoreInput, ScoreWindow};
pub use service::TeamService;
pub use team::{Team, TeamAdmin, TeamName, TeamPeople};
