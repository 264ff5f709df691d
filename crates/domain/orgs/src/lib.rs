//! Organizations: the customers, and how each has set up its training.
//!
//! Use cases of [`OrgService`]: `create_organization`.

mod create_organization;
mod error;
mod organization;
pub mod ports;
mod service;

pub use create_organization::CreateOrganization;
pub use error::OrgError;
pub use organization::{Cadence, Folder, OrgName, Organization, SamlInfo};
pub use service::OrgService;
