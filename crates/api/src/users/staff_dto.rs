use chrono::{DateTime, Utc};
use domain_kernel::{EmailAddress, FieldErrors, FieldProblem, LanguageCode, PersonName, StaffRole, UserId};
use domain_users::{Account, Erasure, Kept, ProfileChange, Provider, Replaced, SeenUser, UpdateUser, User};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::dto::{MembershipBriefResponse, ProviderWord, UserResponse};
use crate::body::{Patched, Wrapped};

/// A person, as Worklete's staff sees them.
#[derive(Serialize, ToSchema)]
#[schema(as = StaffUser)]
pub(crate) struct StaffUserResponse {
    #[serde(flatten)]
    user: UserResponse,
    /// Set while the person is locked out, RFC 3339 in UTC.
    locked_at: Option<DateTime<Utc>>,
    /// Whether the password was set by somebody else and has to be changed.
    must_change_password: bool,
}

impl From<User> for StaffUserResponse {
    fn from(user: User) -> Self {
        let (locked_at, must_change_password) = (user.locked_at, user.must_change_password);
        let user = SeenUser { user, shows_private: true }.into();
        Self { user, locked_at, must_change_password }
    }
}

/// A person with all memberships, as Worklete's staff sees them.
#[derive(Serialize, ToSchema)]
#[schema(as = StaffAccount)]
pub(crate) struct StaffAccountResponse {
    #[serde(flatten)]
    user: StaffUserResponse,
    /// Oldest first.
    memberships: Vec<MembershipBriefResponse>,
}

impl From<Account> for StaffAccountResponse {
    fn from(account: Account) -> Self {
        let memberships = account.memberships.iter().map(Into::into).collect();
        Self { user: account.user.into(), memberships }
    }
}

/// Who needs a new password.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "user_id": "01a20942-1cc0-7306-9dae-728ba404bc81" }))]
pub(crate) struct IssuePasswordRequest {
    /// The user.
    #[serde(default)]
    #[schema(required = true)]
    user_id: Option<Uuid>,
}

impl IssuePasswordRequest {
    pub(crate) fn user(&self) -> Result<UserId, FieldErrors> {
        self.user_id.map(UserId::new).ok_or_else(|| FieldErrors::of("user_id", "blank", "can't be blank"))
    }
}

/// A new password, which is told this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedPasswordResponse {
    /// The user.
    pub(crate) id: Uuid,
    /// To be read out: three groups of three syllables.
    #[schema(example = "bagoti-muravo-sinuka")]
    pub(crate) password: String,
}

/// Whose personal data goes, and whether it really does.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "dry_run": true }))]
pub(crate) struct EraseUserRequest {
    /// True only tells what would be replaced and kept. There is no way back from false.
    #[serde(default = "yes")]
    #[schema(required = false, default = true)]
    pub(crate) dry_run: bool,
}

fn yes() -> bool {
    true
}

/// What a tombstone is put in the place of, counted.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErasureReplaced {
    /// The account: names, username, address, password, role, last sign-in.
    accounts: i64,
    /// Memberships: names, address, `external_id`.
    memberships: i64,
    /// Invitations that were mailed: where to.
    invitations: i64,
    /// Sessions, which end.
    sessions: i64,
    /// Reset links that were not used, which end.
    reset_links: i64,
}

impl From<Replaced> for ErasureReplaced {
    fn from(replaced: Replaced) -> Self {
        let Replaced { accounts, memberships, invitations, sessions, reset_links } = replaced;
        Self { accounts, memberships, invitations, sessions, reset_links }
    }
}

/// What stays, without a name, so that the history of teams adds up; counted.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErasureKept {
    /// Courses that were given.
    assignments: i64,
    /// What players reported.
    progress_events: i64,
    /// Certifications as champion.
    champion_certifications: i64,
    /// Refinements that the person noted.
    refinements: i64,
    /// Rows of the audit trail about the account and about what the person did.
    audit_rows: i64,
}

impl From<Kept> for ErasureKept {
    fn from(kept: Kept) -> Self {
        let Kept { assignments, progress_events, champion_certifications, refinements, audit_rows } = kept;
        Self { assignments, progress_events, champion_certifications, refinements, audit_rows }
    }
}

/// What erasing does, or did.
#[derive(Serialize, ToSchema)]
#[schema(as = Erasure)]
pub(crate) struct ErasureResponse {
    /// The user; the id stays.
    user_id: Uuid,
    /// Whether nothing was written.
    dry_run: bool,
    /// When the personal data was erased, RFC 3339 in UTC; null if it is there.
    erased_at: Option<DateTime<Utc>>,
    /// The row of the audit trail; null before, and for those who deleted the account themselves.
    receipt_id: Option<Uuid>,
    /// All 0 for somebody who was erased before.
    replaced: ErasureReplaced,
    kept: ErasureKept,
}

impl ErasureResponse {
    pub(crate) fn new(erasure: &Erasure, is_dry_run: bool) -> Self {
        Self {
            user_id: erasure.account.user.id.uuid(),
            dry_run: is_dry_run,
            erased_at: erasure.erased_at,
            receipt_id: erasure.receipt,
            replaced: erasure.replaced.into(),
            kept: erasure.kept.into(),
        }
    }
}

/// Everything that is kept of a person. Times are RFC 3339 in UTC. Without passwords, tokens and codes.
#[derive(Serialize, ToSchema)]
#[schema(as = UserExport)]
pub(crate) struct UserExportDocument {
    /// Counts up when what an archive holds means something else.
    #[schema(example = 1)]
    format: i32,
    #[schema(value_type = Object)]
    account: Value,
    /// With the time on each team.
    #[schema(value_type = Vec<Object>)]
    memberships: Value,
    #[schema(value_type = Vec<Object>)]
    invitations: Value,
    #[schema(value_type = Vec<Object>)]
    sessions: Value,
    #[schema(value_type = Vec<Object>)]
    champion_certifications: Value,
    /// Those that the person noted.
    #[schema(value_type = Vec<Object>)]
    refinements: Value,
    #[schema(value_type = Vec<Object>)]
    assignments: Value,
    /// In the order of their assignments, and then of their times.
    #[schema(value_type = Vec<Object>)]
    progress_events: Value,
}

/// New values for an account; absent fields stay as they are.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "first_name": "Demo", "email": null, "language": "es", "locked": false }))]
pub(crate) struct UpdateUserRequest {
    /// A new sign-in name, which is the new `uid`, too. What fits depends on the provider.
    #[serde(default)]
    #[schema(required = false, value_type = String, min_length = 4, max_length = 254)]
    username: Patched<String>,
    /// Address for mail; null for none. With provider `email` it is the username, too, and cannot be cleared.
    #[serde(default)]
    #[schema(required = false, value_type = Option<String>)]
    email: Patched<String>,
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(required = false, value_type = String, max_length = 100)]
    first_name: Patched<String>,
    /// 1 to 100 characters.
    #[serde(default)]
    #[schema(required = false, value_type = String, max_length = 100)]
    last_name: Patched<String>,
    /// Absent: as the new username tells, else as it is.
    #[serde(default)]
    #[schema(required = false, value_type = ProviderWord)]
    provider: Patched<String>,
    /// Two letters, ISO 639-1.
    #[serde(default)]
    #[schema(required = false, value_type = String, min_length = 2, max_length = 2)]
    language: Patched<String>,
    /// `employee` (reads) or `admin` (reads and writes); null for somebody who is not of Worklete's staff. Never one's own.
    #[serde(default)]
    #[schema(required = false, value_type = Option<String>)]
    worklete_role: Patched<String>,
    /// True ends all sessions at once and refuses sign-in, until it is false again. Never oneself.
    #[serde(default)]
    #[schema(required = false, value_type = bool)]
    locked: Patched<bool>,
}

pub(crate) type UpdateUserBody = Wrapped<UpdateUserRequest>;

impl TryFrom<UpdateUserRequest> for UpdateUser {
    type Error = FieldErrors;

    fn try_from(request: UpdateUserRequest) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let problems = &mut errors;
        let change = Self {
            profile: ProfileChange {
                username: request.username.value(problems, "username", Ok),
                provider: request.provider.value(problems, "provider", |raw| Provider::parse(&raw)),
                first_name: request.first_name.value(problems, "first_name", |raw| PersonName::parse(&raw)),
                last_name: request.last_name.value(problems, "last_name", |raw| PersonName::parse(&raw)),
            },
            email: request.email.patch(problems, "email", |raw| EmailAddress::parse(&raw)),
            language: request.language.value(problems, "language", |raw| LanguageCode::parse(&raw)),
            staff_role: request.worklete_role.patch(problems, "worklete_role", |raw| parse_role(&raw)),
            is_locked: request.locked.value(problems, "locked", Ok),
        };
        errors.into_result().map(|()| change)
    }
}

fn parse_role(raw: &str) -> Result<StaffRole, FieldProblem> {
    StaffRole::parse(raw).ok_or_else(|| FieldProblem {
        code: "invalid",
        message: "must be one of: employee, admin; or null".into(),
    })
}
