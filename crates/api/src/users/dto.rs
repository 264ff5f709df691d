use chrono::{DateTime, Utc};
use domain_kernel::{EmailAddress, FieldErrors, FieldProblem, InviteCode, PersonName, StaffRole};
use domain_users::{
    AccessToken, Account, ChangePassword, Login, MembershipBrief, MembershipStatus, Password, ProfileChange,
    Provider, RequestPasswordReset, ResetPassword, SeenUser, SignIn, SignUp, UpdateAccount, User, Username,
    ValidCertification,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::visitor::Visitor;

/// What kind of name the username is: an e-mail address, or a name of its own.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Provider)]
#[expect(dead_code, reason = "documents the words that Provider knows")]
pub(crate) enum ProviderWord {
    /// The username is an e-mail address.
    Email,
    /// The username is a name of its own.
    Username,
}

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(default)]
#[derive(Default)]
#[schema(example = json!({
    "username": "workleteuser", "first_name": "Demo", "last_name": "Learner", "password": "worklete123",
    "invite_code": "289BZP", "provider": "username"
}))]
pub(crate) struct SignUpRequest {
    /// The sign-in name: 4 to 254 printable ASCII characters without blanks, unique over all users with case ignored. With
    /// provider `email` an address; with provider `username` without `@`.
    #[schema(required = true, min_length = 4, max_length = 254)]
    username: Option<String>,
    /// Instead of `username`, for client libraries that call the login so.
    #[schema(required = false)]
    email: Option<String>,
    /// 1 to 100 characters.
    #[schema(required = true, max_length = 100)]
    first_name: Option<String>,
    /// 1 to 100 characters.
    #[schema(required = true, max_length = 100)]
    last_name: Option<String>,
    /// At least 6 characters, at most 72 bytes in UTF-8.
    #[schema(required = true, min_length = 6, max_length = 72)]
    password: Option<String>,
    /// The same again; compared when it is there.
    #[schema(required = false)]
    password_confirmation: Option<String>,
    /// The code of the membership to take: 6 letters or digits, case ignored. May be absent only where the deployment allows
    /// open registration.
    #[schema(required = true, min_length = 6, max_length = 6)]
    invite_code: Option<String>,
    /// Absent: `email` if the username holds an `@`.
    #[schema(required = false, value_type = ProviderWord)]
    provider: Option<String>,
}

impl SignUpRequest {
    /// The login key of the client libraries is `email`.
    fn name(&self) -> Option<&str> {
        self.username.as_deref().or(self.email.as_deref())
    }

    pub(crate) fn is_empty(&self) -> bool {
        let fields = [
            &self.username,
            &self.email,
            &self.first_name,
            &self.last_name,
            &self.password,
            &self.invite_code,
        ];
        fields.iter().all(|field| field.is_none())
    }

    /// What a refused sign-up sends back: the user as it would have been, without secrets.
    pub(crate) fn echo(&self) -> Value {
        json!({
            "id": null,
            "username": self.name(),
            "email": self.email,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "provider": self.provider,
            "uid": "",
            "created_at": null,
            "updated_at": null,
        })
    }

    /// Checks all fields at once.
    pub(crate) fn command(&self, visitor: Visitor) -> Result<SignUp, FieldErrors> {
        let mut errors = FieldErrors::new();
        let name = self.name();
        let provider = match &self.provider {
            Some(provider) => errors.take("provider", Provider::parse(provider)),
            None => Some(Provider::of(name.unwrap_or_default())),
        };
        let username = match (name, provider) {
            (Some(name), Some(provider)) => errors.take("username", Username::parse(name, provider)),
            (None, _) => errors.take("username", Err(FieldProblem::blank())),
            (Some(_), None) => None,
        };
        let first_name =
            errors.take("first_name", FieldProblem::required(self.first_name.as_deref(), PersonName::parse));
        let last_name =
            errors.take("last_name", FieldProblem::required(self.last_name.as_deref(), PersonName::parse));
        let password =
            errors.take("password", FieldProblem::required(self.password.as_deref(), Password::parse));
        let confirmation = self.password_confirmation.as_deref();
        check_confirmation(&mut errors, self.password.as_deref(), confirmation);
        let invite_code = self.invite_code.as_deref().filter(|code| !code.trim().is_empty());
        let invite_code = invite_code.and_then(|code| errors.take("invite_code", InviteCode::parse(code)));
        errors.into_result()?;
        match (username, provider, first_name, last_name, password) {
            (Some(username), Some(provider), Some(first_name), Some(last_name), Some(password)) => {
                Ok(SignUp {
                    username,
                    provider,
                    first_name,
                    last_name,
                    password,
                    invite_code,
                    device: visitor.device,
                    origin: visitor.origin,
                })
            }
            _ => Err(FieldErrors::of("username", "invalid", "is invalid")),
        }
    }
}

/// A confirmation that is there must match.
fn check_confirmation(errors: &mut FieldErrors, password: Option<&str>, confirmation: Option<&str>) {
    if confirmation.is_some_and(|confirmation| Some(confirmation) != password) {
        let message = "doesn't match Password".into();
        errors.add("password_confirmation", FieldProblem { code: "confirmation", message });
    }
}

/// Name and password.
#[derive(Deserialize, ToSchema, Default)]
#[serde(default)]
#[schema(example = json!({ "username": "demo-learner", "password": "worklete123", "provider": "username" }))]
pub(crate) struct SignInRequest {
    /// The sign-in name, case ignored.
    #[schema(required = true)]
    username: Option<String>,
    /// Instead of `username`, for client libraries that call the login so.
    #[schema(required = false)]
    email: Option<String>,
    /// The password.
    #[schema(required = true)]
    password: Option<String>,
    /// Absent: `email` if the username holds an `@`.
    #[schema(required = false, value_type = ProviderWord)]
    provider: Option<String>,
}

impl SignInRequest {
    pub(crate) fn command(&self, visitor: Visitor) -> Result<SignIn, FieldErrors> {
        let mut errors = FieldErrors::new();
        let provider =
            self.provider.as_deref().and_then(|word| errors.take("provider", Provider::parse(word)));
        errors.into_result()?;
        // Some libraries call the login `email` whatever it is.
        let name = self.username.as_deref().or(self.email.as_deref());
        let login = name.and_then(|name| Login::parse(name, provider));
        let password = self.password.as_deref().and_then(|password| Password::parse(password).ok());
        Ok(SignIn { login, password, device: visitor.device, origin: visitor.origin })
    }
}

/// New values for the own account; absent fields stay as they are.
#[derive(Deserialize, ToSchema, Default)]
#[serde(default)]
#[schema(example = json!({ "first_name": "Demo", "last_name": "Learner" }))]
pub(crate) struct UpdateAccountRequest {
    /// A new sign-in name, which is the new `uid`, too. What fits depends on the provider.
    #[schema(required = false, min_length = 4, max_length = 254)]
    username: Option<String>,
    /// Instead of `username`, for client libraries that call the login so.
    #[schema(required = false)]
    email: Option<String>,
    /// 1 to 100 characters.
    #[schema(required = false, max_length = 100)]
    first_name: Option<String>,
    /// 1 to 100 characters.
    #[schema(required = false, max_length = 100)]
    last_name: Option<String>,
    /// Absent: as the new username tells, else as it is.
    #[schema(required = false, value_type = ProviderWord)]
    provider: Option<String>,
    /// A new password; all other sessions of the user end.
    #[schema(required = false, min_length = 6, max_length = 72)]
    password: Option<String>,
    /// The new password again; compared when it is there.
    #[schema(required = false)]
    password_confirmation: Option<String>,
    /// The password so far; checked when it is there.
    #[schema(required = false)]
    current_password: Option<String>,
}

impl UpdateAccountRequest {
    pub(crate) fn command(&self, caller: &Caller) -> ApiResult<UpdateAccount> {
        let username = self.username.clone().or_else(|| self.email.clone());
        let fields = [&username, &self.first_name, &self.last_name, &self.provider, &self.password];
        if fields.iter().all(|field| field.is_none()) {
            return Err(ApiError::nothing_sent());
        }
        let mut errors = FieldErrors::new();
        let name = |raw: &Option<String>, field, errors: &mut FieldErrors| {
            raw.as_deref().and_then(|raw| errors.take(field, PersonName::parse(raw)))
        };
        let profile = ProfileChange {
            username,
            provider: self
                .provider
                .as_deref()
                .and_then(|word| errors.take("provider", Provider::parse(word))),
            first_name: name(&self.first_name, "first_name", &mut errors),
            last_name: name(&self.last_name, "last_name", &mut errors),
        };
        let password = self.password.as_deref().and_then(|raw| errors.take("password", Password::parse(raw)));
        check_confirmation(&mut errors, self.password.as_deref(), self.password_confirmation.as_deref());
        errors.into_result().map_err(ApiError::invalid)?;
        Ok(UpdateAccount {
            user: caller.account.user.id,
            session: caller.session,
            profile,
            password,
            current_password: self.current_password.as_deref().map(|raw| Password::parse(raw).ok()),
        })
    }
}

/// A new password, either of the signed-in person or by the token of a reset mail.
#[derive(Deserialize, ToSchema, IntoParams, Default)]
#[serde(default)]
#[into_params(parameter_in = Query)]
#[schema(example = json!({ "password": "worklete456", "password_confirmation": "worklete456" }))]
pub(crate) struct PasswordRequest {
    /// At least 6 characters, at most 72 bytes in UTF-8. In the query deprecated: a query ends up in logs and histories.
    #[schema(required = true, min_length = 6, max_length = 72)]
    #[param(required = false)]
    pub(crate) password: Option<String>,
    /// The same again. In the query deprecated.
    #[schema(required = true)]
    #[param(required = false)]
    pub(crate) password_confirmation: Option<String>,
    /// The password so far; checked when it is there.
    #[schema(required = false)]
    #[param(required = false)]
    pub(crate) current_password: Option<String>,
    /// The token of a reset mail, instead of a session.
    #[schema(required = false)]
    #[param(required = false)]
    pub(crate) reset_password_token: Option<String>,
}

impl PasswordRequest {
    fn new_password(&self) -> ApiResult<Password> {
        let (Some(password), Some(confirmation)) = (&self.password, &self.password_confirmation) else {
            return Err(ApiError::password_missing());
        };
        let mut errors = FieldErrors::new();
        let parsed = errors.take("password", Password::parse(password));
        check_confirmation(&mut errors, Some(password), Some(confirmation));
        errors.into_result().map_err(ApiError::invalid)?;
        parsed.ok_or_else(ApiError::password_missing)
    }

    pub(crate) fn change(&self, caller: &Caller) -> ApiResult<ChangePassword> {
        Ok(ChangePassword {
            user: caller.account.user.id,
            session: caller.session,
            password: self.new_password()?,
            current_password: self.current_password.as_deref().map(|raw| Password::parse(raw).ok()),
        })
    }

    pub(crate) fn reset(&self, token: &str, visitor: Visitor) -> ApiResult<ResetPassword> {
        let token = AccessToken::parse(token);
        Ok(ResetPassword { token, password: self.new_password()?, device: visitor.device })
    }
}

/// Where to send a reset mail.
#[derive(Deserialize, ToSchema, Default)]
#[serde(default)]
#[schema(example = json!({ "email": "learner@example.org", "redirect_url": "https://app.example.org/reset" }))]
pub(crate) struct PasswordResetRequest {
    /// The address of the account.
    #[schema(required = true)]
    email: Option<String>,
    /// Instead of `email`, for clients that are set up to sign in by `username`.
    #[schema(required = false)]
    username: Option<String>,
    /// Where the link in the mail leads; must be allowed by the deployment. Absent: the deployment's default.
    #[schema(required = false)]
    redirect_url: Option<String>,
}

impl From<PasswordResetRequest> for RequestPasswordReset {
    fn from(request: PasswordResetRequest) -> Self {
        Self {
            email: request.email.or(request.username).filter(|email| !email.trim().is_empty()),
            redirect_url: request.redirect_url.filter(|url| !url.trim().is_empty()),
            origin: domain_kernel::Origin::default(),
        }
    }
}

/// The token of an opened reset link.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResetLinkParams {
    /// The token of the mail.
    pub(crate) reset_password_token: Option<String>,
}

/// A valid champion certification of a user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChampionCertificationBrief {
    id: Uuid,
    date: chrono::NaiveDate,
    expires_on: chrono::NaiveDate,
}

impl From<ValidCertification> for ChampionCertificationBrief {
    fn from(certification: ValidCertification) -> Self {
        let ValidCertification { id, date, expires_on } = certification;
        Self { id: id.uuid(), date, expires_on }
    }
}

/// A person, as they see themselves.
#[derive(Serialize, ToSchema)]
pub(crate) struct OwnUser {
    id: Uuid,
    /// The sign-in name.
    #[schema(example = "demo-learner")]
    username: String,
    /// Address for mail.
    email: Option<String>,
    #[schema(example = "Demo")]
    first_name: String,
    #[schema(example = "Learner")]
    last_name: String,
    #[schema(value_type = ProviderWord)]
    provider: &'static str,
    /// The value of the `uid` header; the same as the username.
    #[schema(example = "demo-learner")]
    uid: String,
    /// `employee` (reads) or `admin` (reads and writes) for Worklete's own staff.
    #[schema(example = json!(null))]
    worklete_role: Option<&'static str>,
    /// Preferred language, ISO 639-1.
    #[schema(example = "en")]
    language: String,
    /// The newest certification as champion that is valid today (UTC).
    champion_certification: Option<ChampionCertificationBrief>,
    /// Last sign-in with a password, RFC 3339 in UTC.
    last_sign_in_at: Option<DateTime<Utc>>,
    /// Whether the password was set by somebody else. Until it is changed, everything but changing it, signing out and
    /// checking the session is 403 `password_change_required`.
    must_change_password: bool,
}

impl From<&User> for OwnUser {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.uuid(),
            username: user.username.to_string(),
            email: user.email.as_ref().map(ToString::to_string),
            first_name: user.first_name.to_string(),
            last_name: user.last_name.to_string(),
            provider: user.provider.as_str(),
            uid: user.uid().to_owned(),
            worklete_role: user.staff_role.map(StaffRole::as_str),
            language: user.language.as_str().to_owned(),
            champion_certification: user.champion_certification.map(Into::into),
            last_sign_in_at: user.last_sign_in_at,
            must_change_password: user.must_change_password,
        }
    }
}

/// A person.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserResponse {
    id: Uuid,
    /// The sign-in name.
    #[schema(example = "demo-learner")]
    username: String,
    /// Address for mail. For the person, admins of their organization and staff; null for others.
    email: Option<String>,
    #[schema(example = "Demo")]
    first_name: String,
    #[schema(example = "Learner")]
    last_name: String,
    #[schema(value_type = ProviderWord)]
    provider: &'static str,
    /// The value of the `uid` header; the same as the username.
    #[schema(example = "demo-learner")]
    uid: String,
    /// `employee` or `admin` for Worklete's own staff. For the person, admins of their organization and staff; null for
    /// others.
    #[schema(example = json!(null))]
    worklete_role: Option<&'static str>,
    /// Preferred language, ISO 639-1.
    #[schema(example = "en")]
    language: String,
    /// The newest certification as champion that is valid today (UTC).
    champion_certification: Option<ChampionCertificationBrief>,
    /// Last sign-in with a password, RFC 3339 in UTC. For the person, admins of their organization and staff; null for
    /// others.
    last_sign_in_at: Option<DateTime<Utc>>,
    /// RFC 3339 in UTC.
    created_at: DateTime<Utc>,
    /// RFC 3339 in UTC.
    updated_at: DateTime<Utc>,
}

impl From<SeenUser> for UserResponse {
    fn from(SeenUser { user, shows_private }: SeenUser) -> Self {
        Self {
            id: user.id.uuid(),
            username: user.username.to_string(),
            email: user.email.as_ref().filter(|_| shows_private).map(ToString::to_string),
            first_name: user.first_name.to_string(),
            last_name: user.last_name.to_string(),
            provider: user.provider.as_str(),
            uid: user.uid().to_owned(),
            worklete_role: user.staff_role.filter(|_| shows_private).map(StaffRole::as_str),
            language: user.language.as_str().to_owned(),
            champion_certification: user.champion_certification.map(Into::into),
            last_sign_in_at: user.last_sign_in_at.filter(|_| shows_private),
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// A new address, as a bare JSON value or as a field; null clears it.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!({ "email": "learner@example.org" }))]
#[expect(dead_code, reason = "describes the body; `EmailBody` reads it")]
pub(crate) enum ChangeEmailRequest {
    /// An e-mail address, or null.
    Bare(Option<String>),
    /// The same as a field.
    Field {
        /// An e-mail address, or null.
        #[schema(required = true)]
        email: Option<String>,
    },
}

/// Reads what [`ChangeEmailRequest`] describes.
#[derive(Deserialize)]
pub(crate) struct EmailBody(serde_json::Value);

impl EmailBody {
    pub(crate) fn email(&self) -> Result<Option<EmailAddress>, FieldErrors> {
        let wrong = |code, message| FieldErrors::of("email", code, message);
        let value = match &self.0 {
            serde_json::Value::Object(fields) => {
                fields.get("email").ok_or_else(|| wrong("blank", "can't be blank; send null to clear it"))?
            }
            bare => bare,
        };
        match value {
            serde_json::Value::Null => Ok(None),
            serde_json::Value::String(raw) => EmailAddress::parse(raw)
                .map(Some)
                .map_err(|problem| FieldErrors::of("email", problem.code, problem.message)),
            _ => Err(wrong("invalid", "must be a string or null")),
        }
    }
}

/// A new sign-in name.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "username": "demo-learner-2" }))]
pub(crate) struct ChangeUsernameRequest {
    /// At least 4 characters; an e-mail address if it holds an `@`. Unique over all users, case ignored.
    #[serde(default)]
    #[schema(required = true, min_length = 4, max_length = 254)]
    username: Option<String>,
}

impl ChangeUsernameRequest {
    pub(crate) fn username(self) -> Result<String, FieldErrors> {
        self.username.ok_or_else(|| FieldErrors::of("username", "blank", "can't be blank"))
    }
}

/// An own place in an organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct MembershipBriefResponse {
    id: Uuid,
    organization_id: Uuid,
    #[schema(example = "Demo Logistics")]
    organization_name: String,
    /// Whether the person runs the organization.
    org_admin: bool,
    /// `active` or `deactivated`.
    #[schema(example = "active")]
    status: &'static str,
    #[schema(example = "Picker")]
    job_title: Option<String>,
    /// Teams the person is on.
    team_ids: Vec<Uuid>,
    /// Teams the person runs.
    administered_team_ids: Vec<Uuid>,
}

impl From<&MembershipBrief> for MembershipBriefResponse {
    fn from(brief: &MembershipBrief) -> Self {
        let status = match brief.status {
            MembershipStatus::Active => "active",
            MembershipStatus::Deactivated => "deactivated",
        };
        Self {
            id: brief.id.uuid(),
            organization_id: brief.organization.uuid(),
            organization_name: brief.organization_name.clone(),
            org_admin: brief.org_admin,
            status,
            job_title: brief.job_title.clone(),
            team_ids: brief.teams.iter().map(|team| team.uuid()).collect(),
            administered_team_ids: brief.administered_teams.iter().map(|team| team.uuid()).collect(),
        }
    }
}

/// The signed-in person with all memberships.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountResponse {
    #[serde(flatten)]
    user: OwnUser,
    /// Oldest first.
    memberships: Vec<MembershipBriefResponse>,
}

impl From<&Account> for AccountResponse {
    fn from(account: &Account) -> Self {
        let memberships = account.memberships.iter().map(Into::into).collect();
        Self { user: (&account.user).into(), memberships }
    }
}

/// The signed-in person with all memberships and times.
#[derive(Serialize, ToSchema)]
pub(crate) struct FullAccountResponse {
    #[serde(flatten)]
    account: AccountResponse,
    /// RFC 3339 in UTC.
    created_at: DateTime<Utc>,
    /// RFC 3339 in UTC.
    updated_at: DateTime<Utc>,
    /// Part of the client libraries' shape. Always false: a new password by mail needs the token of that mail.
    #[schema(example = false)]
    allow_password_change: bool,
}

impl From<&Account> for FullAccountResponse {
    fn from(account: &Account) -> Self {
        let (created_at, updated_at) = (account.user.created_at, account.user.updated_at);
        Self { account: account.into(), created_at, updated_at, allow_password_change: false }
    }
}

/// Answer to signing up and to changing the account.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountSavedResponse {
    /// Always `success`.
    #[schema(example = "success")]
    status: &'static str,
    data: FullAccountResponse,
}

impl From<&Account> for AccountSavedResponse {
    fn from(account: &Account) -> Self {
        Self { status: "success", data: account.into() }
    }
}

/// Answer to signing in.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedInResponse {
    pub(crate) data: AccountResponse,
}

/// Answer to asking whether a session is good.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenValidResponse {
    /// Always true.
    #[schema(example = true)]
    pub(crate) success: bool,
    pub(crate) data: AccountResponse,
}

/// Answer to a new password.
#[derive(Serialize, ToSchema)]
pub(crate) struct PasswordChangedResponse {
    /// Always true.
    #[schema(example = true)]
    pub(crate) success: bool,
    pub(crate) data: FullAccountResponse,
    /// For people.
    #[schema(example = "Your password has been changed.")]
    pub(crate) message: &'static str,
}

/// Done, nothing to tell.
#[derive(Serialize, ToSchema)]
pub(crate) struct SuccessResponse {
    /// Always true.
    #[schema(example = true)]
    pub(crate) success: bool,
}

/// Done, with a word for people.
#[derive(Serialize, ToSchema)]
pub(crate) struct SuccessMessageResponse {
    /// Always true.
    #[schema(example = true)]
    pub(crate) success: bool,
    /// For people.
    #[schema(example = "If the address belongs to an account, a mail with a link is on its way.")]
    pub(crate) message: &'static str,
}

/// Answer to deleting the own account.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountDeletedResponse {
    /// Always `success`.
    #[schema(example = "success")]
    pub(crate) status: &'static str,
    /// For people.
    #[schema(example = "The account demo-learner has been deleted.")]
    pub(crate) message: String,
}

/// Whether a username can be had.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsernameAvailabilityResponse {
    /// The name that was asked for.
    #[schema(example = "workleteuser")]
    pub(crate) username: String,
    /// Whether nobody has it yet.
    #[schema(example = true)]
    pub(crate) available: bool,
}

/// A person, as others in the organization see them.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserBriefResponse {
    pub(crate) id: Uuid,
    #[schema(example = "demo-learner")]
    pub(crate) username: String,
    #[schema(example = "Demo")]
    pub(crate) first_name: String,
    #[schema(example = "Learner")]
    pub(crate) last_name: String,
}
