//! Organizations: the customers, and how each has set up its training.
//!
//! Use cases of [`OrgService`]: `create_organization`, `list_own_organizations`, `set_identity_provider`.

mod create_organization;
mod error;
mod list_own_organizations;
mod organization;
pub mod ports;
mod service;
mod set_identity_provider;
#[cfg(test)]
mod tests;

pub use create_organization::CreateOrganization;
pub use error::OrgError;
pub use organization::{Cadence, Folder, OrgName, Organization, SamlInfo};
pub use service::OrgService;
