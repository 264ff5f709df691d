//! Accounts: who a person is, how they prove it, and on which devices they are signed in.
//!
//! Use cases of [`UserService`]: `sign_up`, `sign_in`, `authenticate`, `sign_out`, `update_account`, `change_password`,
//! `delete_account`, `username_availability`, `request_password_reset`, `open_password_reset`, `reset_password`,
//! `list_users`, `get_user`, `search_users`, `search_organization_users`, `change_email`, `change_username`,
//! `list_all_users`, `get_account`, `update_user`, `issue_password`, `erase_user`, `export_user`, `list_audit_log`,
//! `create_staff_member`, `clean_up_accounts`, `list_champion_certifications`, `certify_champion`, `revoke_champion`,
//! `revoke_champion_certification`.
//!
//! Sessions work as the token-auth client libraries expect: three values (token, client, uid) name a session. A token is
//! 256 random bits, so its SHA-256 is all that is stored; slow hashing is for passwords only.

mod account;
mod error;
mod password;
pub mod ports;
mod redirect;
mod service;
mod session;
#[cfg(test)]
mod tests;
mod username;

mod authenticate;
mod certify_champion;
mod champion_certification;
mod change_login;
mod change_password;
mod clean_up_accounts;
mod create_staff_member;
mod delete_account;
mod erase_user;
mod export_user;
mod issue_password;
mod list_audit_log;
mod list_champion_certifications;
mod password_reset;
mod read_users;
mod revoke_champion_certification;
mod sign_in;
mod sign_out;
mod sign_up;
mod update_account;
mod update_user;
mod username_availability;

pub use account::{Account, FormerUid, MembershipBrief, MembershipStatus, ProfileChange, SeenUser, User};
pub use authenticate::{Authenticated, Credentials};
pub use certify_champion::{Certified, CertifyChampion};
pub use champion_certification::{ChampionCertification, ValidCertification};
pub use change_password::ChangePassword;
pub use create_staff_member::CreateStaffMember;
pub use erase_user::{Erasure, Kept, Replaced};
pub use error::UserError;
pub use export_user::{ExportPlace, ExportRecord, ExportSection, UserExport};
pub use list_audit_log::{AuditFilter, AuditPart, AuditPlace, AuditRow};
pub use password::{Password, PasswordHash};
pub use password_reset::{PasswordReset, PendingResetMail, RequestPasswordReset, ResetPassword};
pub use redirect::{RedirectAllowlist, RedirectTarget};
pub use service::{SessionPolicy, UserPolicy, UserPorts, UserService};
pub use session::{AccessToken, ClientId, Device, Secret, Session, SessionKeys, TokenHash, TokenState};
pub use sign_in::SignIn;
pub use sign_up::SignUp;
pub use update_account::UpdateAccount;
pub use update_user::UpdateUser;
pub use username::{Login, Provider, Username};
