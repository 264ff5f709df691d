//! Organizations: the customers, and how each has set up its training.
//!
//! Use cases of [`OrgService`]: `create_organization`, `list_organizations`, `get_organization`, `change_organization`,
//! `list_own_organizations`, `set_identity_provider`.

mod change_organization;
mod create_organization;
mod error;
mod get_organization;
mod list_organizations;
mod list_own_organizations;
mod organization;
pub mod ports;
mod service;
mod set_identity_provider;
#[cfg(test)]
mod tests;

pub use change_organization::OrganizationChange;
pub use create_organization::CreateOrganization;
pub use error::OrgError;
pub use organization::{
    Cadence, Days, Folder, GraceDays, LateWindowDays, OrgName, Organization, RecycleDays, SamlInfo, TimeZone,
};
pub use service::OrgService;
