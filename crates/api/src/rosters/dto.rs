use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain_kernel::{FieldErrors, FieldProblem, ImportMode, OrgId, UserId};
use domain_memberships::roster::{
    Import, ImportCounts, ImportState, RosterProblem, StartImport, UploadOffer,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A mode as clients write it.
pub(crate) fn parse_mode(raw: &str) -> Result<ImportMode, FieldProblem> {
    ImportMode::parse(raw)
        .ok_or_else(|| FieldProblem { code: "invalid", message: "must be one of: delta, snapshot".into() })
}

/// How the file will be meant.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadParams {
    /// `delta`: the file holds changes only. `snapshot`: it holds everybody, and who is not in it has left.
    #[param(required = false, value_type = String, example = "delta")]
    mode: Option<String>,
}

impl UploadParams {
    pub(crate) fn mode(&self) -> Result<ImportMode, FieldErrors> {
        let mut errors = FieldErrors::new();
        let mode = self.mode.as_deref().and_then(|raw| errors.take("mode", parse_mode(raw)));
        errors.into_result().map(|()| mode.unwrap_or(ImportMode::Delta))
    }
}

/// The permission to put one CSV file: whoever has it needs no other.
#[derive(Serialize, ToSchema)]
#[schema(as = RosterUpload)]
pub(crate) struct UploadResponse {
    /// Where to put the file. Holds the signature.
    #[schema(example = "https://integrations.example.org/demo-logistics/0196….csv?X-Amz-Signature=…")]
    url: String,
    /// The method of the request.
    #[schema(example = "PUT")]
    method: String,
    /// Headers that the request must carry, just so.
    #[schema(example = json!({ "Content-Type": "text/csv", "If-None-Match": "*" }))]
    headers: BTreeMap<String, String>,
    /// What the file will be called in the storage.
    #[schema(example = "demo-logistics/0196a942-1abb-470f-ad98-0d13bd12f950.csv")]
    key: String,
    /// Until when. RFC 3339 in UTC.
    expires_at: DateTime<Utc>,
    /// The import that takes the file; it can be read at once.
    import_id: Uuid,
}

/// As HTTP clients show it: `Content-Type`.
fn title_case(name: &str) -> String {
    let mut is_first = true;
    let case = |c: char| {
        let c = if is_first { c.to_ascii_uppercase() } else { c };
        is_first = c == '-';
        c
    };
    name.chars().map(case).collect()
}

impl From<UploadOffer> for UploadResponse {
    fn from(offer: UploadOffer) -> Self {
        let headers = offer.ticket.headers.into_iter().map(|(name, value)| (title_case(&name), value));
        Self {
            url: offer.ticket.url,
            method: offer.ticket.method,
            headers: headers.collect(),
            key: offer.key.as_str().to_owned(),
            expires_at: offer.ticket.expires_at,
            import_id: offer.import.uuid(),
        }
    }
}

/// A file that is to be imported.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "key": "demo-logistics/2026-05-04.csv", "mode": "snapshot", "dry_run": true }))]
pub(crate) struct StartImportRequest {
    /// The file, with the organization's folder; at most 1,024 bytes.
    #[serde(default)]
    #[schema(required = true)]
    key: Option<String>,
    /// `delta` or `snapshot`; else as the organization has it.
    #[serde(default)]
    #[schema(required = false, value_type = String)]
    mode: Option<String>,
    /// Only tell what would be done.
    #[serde(default)]
    #[schema(required = false, value_type = bool)]
    dry_run: Option<bool>,
}

impl StartImportRequest {
    pub(crate) fn command(self, organization: OrgId) -> Result<StartImport, FieldErrors> {
        let mut errors = FieldErrors::new();
        let key = errors.take("key", FieldProblem::required(self.key.as_deref(), |raw| Ok(raw.to_owned())));
        let mode = self.mode.as_deref().and_then(|raw| errors.take("mode", parse_mode(raw)));
        match key {
            Some(key) if errors.is_empty() => {
                Ok(StartImport { organization, key, mode, dry_run: self.dry_run.unwrap_or_default() })
            }
            _ => Err(errors),
        }
    }
}

/// Which imports are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportParams {
    /// Those that stand so: `awaiting_upload`, `queued`, `running`, `held`, `done`, `failed` or `cancelled`.
    #[param(required = false, value_type = String, example = "held")]
    state: Option<String>,
}

impl ImportParams {
    pub(crate) fn state(&self) -> Result<Option<ImportState>, FieldErrors> {
        let mut errors = FieldErrors::new();
        let parse = |raw: &str| {
            ImportState::parse(raw).ok_or_else(|| {
                let all = ImportState::ALL.map(ImportState::as_str).join(", ");
                FieldProblem { code: "invalid", message: format!("must be one of: {all}") }
            })
        };
        let state = self.state.as_deref().and_then(|raw| errors.take("state", parse(raw)));
        errors.into_result().map(|()| state)
    }
}

/// How many lines ended how. Who is not in a snapshot counts as deactivated and is no row.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportCounts)]
pub(crate) struct CountsResponse {
    /// Lines after the first one that are not blank.
    #[schema(example = 1000)]
    rows: i64,
    /// New memberships, each with an invitation.
    #[schema(example = 12)]
    created: i64,
    #[schema(example = 3)]
    updated: i64,
    #[schema(example = 980)]
    unchanged: i64,
    /// People who had left and are back.
    #[schema(example = 1)]
    reactivated: i64,
    /// People who have left.
    #[schema(example = 2)]
    deactivated: i64,
    /// Lines that could not be used.
    #[schema(example = 2)]
    rejected: i64,
}

impl From<ImportCounts> for CountsResponse {
    fn from(counts: ImportCounts) -> Self {
        let ImportCounts { rows, created, updated, unchanged, reactivated, deactivated, rejected } = counts;
        Self { rows, created, updated, unchanged, reactivated, deactivated, rejected }
    }
}

/// Something wrong, or worth knowing, about a value.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportProblem)]
pub(crate) struct ProblemResponse {
    /// Line of the file; the first one, which names the columns, is 1.
    #[schema(example = 17)]
    line: u64,
    /// The column; empty when it is about the whole line.
    #[schema(example = "email")]
    column: String,
    #[schema(example = "invalid")]
    code: String,
    #[schema(example = "is not an e-mail address")]
    message: String,
    /// The first 100 characters of the value.
    #[schema(example = "ann@")]
    value: String,
}

impl From<RosterProblem> for ProblemResponse {
    fn from(problem: RosterProblem) -> Self {
        let RosterProblem { line, column, code, message, value } = problem;
        Self { line, column, code: code.into_owned(), message, value }
    }
}

/// A file and what was or will be made of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Import)]
pub(crate) struct ImportResponse {
    id: Uuid,
    organization_id: Uuid,
    /// The file in the storage.
    #[schema(example = "demo-logistics/2026-05-04.csv")]
    key: String,
    /// `delta` or `snapshot`.
    #[schema(example = "delta")]
    mode: &'static str,
    /// Whether it only tells what would be done.
    #[schema(example = false)]
    dry_run: bool,
    /// `awaiting_upload`, `queued`, `running`, `held` (to be confirmed or cancelled), `done`, `failed` (the file cannot be read:
    /// nothing of it was applied, unless the code is `given_up`) or `cancelled`.
    #[schema(example = "done")]
    state: &'static str,
    counts: CountsResponse,
    /// What is wrong with lines, altogether.
    #[schema(example = 2)]
    errors_total: i64,
    /// Why it is held, or would be if it were no dry run: `too_many_deactivations`, `last_org_admin` or `lines_without_key`.
    #[schema(example = json!(null))]
    held_reason: Option<String>,
    /// Why it failed.
    #[schema(example = json!(null))]
    failure_code: Option<String>,
    /// The same for people.
    #[schema(example = json!(null))]
    message: Option<String>,
    /// What is worth knowing of the file as a whole, such as columns that nobody understands.
    warnings: Vec<ProblemResponse>,
    /// The user who asked for it; null when the file was found in the folder.
    created_by: Option<Uuid>,
    /// RFC 3339 in UTC.
    created_at: DateTime<Utc>,
    /// RFC 3339 in UTC.
    started_at: Option<DateTime<Utc>>,
    /// RFC 3339 in UTC.
    finished_at: Option<DateTime<Utc>>,
}

impl From<Import> for ImportResponse {
    fn from(import: Import) -> Self {
        let has_failed = import.state == ImportState::Failed;
        let (code, message) =
            import.trouble.map(|trouble| (trouble.code.into_owned(), trouble.message)).unzip();
        let (failure_code, held_reason) = if has_failed { (code, None) } else { (None, code) };
        Self {
            id: import.id.uuid(),
            organization_id: import.organization.uuid(),
            key: import.key.as_str().to_owned(),
            mode: import.mode.as_str(),
            dry_run: import.dry_run,
            state: import.state.as_str(),
            counts: import.counts.into(),
            errors_total: import.errors_total,
            held_reason,
            failure_code,
            message,
            warnings: import.warnings.into_iter().map(ProblemResponse::from).collect(),
            created_by: import.created_by.map(UserId::uuid),
            created_at: import.created_at,
            started_at: import.started_at,
            finished_at: import.finished_at,
        }
    }
}

/// An import with what is wrong with lines.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportDetails)]
pub(crate) struct ImportDetailsResponse {
    #[serde(flatten)]
    import: ImportResponse,
    /// The first 1,000 things that are wrong, in the order of the lines; the report has all.
    errors: Vec<ProblemResponse>,
}

impl From<(Import, Vec<RosterProblem>)> for ImportDetailsResponse {
    fn from((import, problems): (Import, Vec<RosterProblem>)) -> Self {
        Self { import: import.into(), errors: problems.into_iter().map(ProblemResponse::from).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_written_as_clients_show_them() {
        assert_eq!(title_case("content-type"), "Content-Type");
        assert_eq!(title_case("if-none-match"), "If-None-Match");
    }
}
