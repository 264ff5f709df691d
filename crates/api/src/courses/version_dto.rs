use chrono::{DateTime, Utc};
use domain_courses::{CourseVersion, CreateVersion, ListedVersion, VersionChange, VersionData, VersionKey};
use domain_kernel::{CourseId, FieldErrors, FieldProblem, Sort};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::body::Patched;

/// The order of a list that asks for none.
const NEWEST_FIRST: &str = "-created_at";

/// The content of a new draft.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "data": { "title": "Lifting from the floor", "pages": [{ "kind": "video" }] } }))]
pub(crate) struct CreateVersionRequest {
    /// Any JSON object of at most 1 MiB (counted without blanks), kept as it is sent. Numbers are 64-bit integers or doubles;
    /// texts hold no NUL character; nothing is nested deeper than 120.
    #[serde(default)]
    #[schema(required = true, value_type = Object)]
    data: Patched<Value>,
}

impl CreateVersionRequest {
    pub(crate) fn command(
        self,
        course: CourseId,
        params: &DraftParams,
    ) -> Result<CreateVersion, FieldErrors> {
        let mut errors = FieldErrors::new();
        let data = match self.data {
            Patched::Absent => Patched::Null,
            data => data,
        };
        let data = data.value(&mut errors, "data", VersionData::parse);
        let force = errors.take("force", parse_force(params.force.as_deref()));
        let both = data.zip(force);
        both.map(|(data, force)| CreateVersion { course, data, force }).ok_or(errors)
    }
}

/// What happens to an open draft.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DraftParams {
    /// Whether a draft that is open already is archived to make room.
    #[param(required = false, value_type = bool, example = false)]
    force: Option<String>,
}

fn parse_force(raw: Option<&str>) -> Result<bool, FieldProblem> {
    match raw {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(FieldProblem { code: "invalid", message: "must be true or false".into() }),
    }
}

/// A change of a draft. What is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "data": { "title": "Lifting from the floor", "pages": [] }, "lock_version": 0 }))]
pub(crate) struct UpdateVersionRequest {
    /// Takes the place of the whole content: any JSON object of at most 1 MiB.
    #[serde(default)]
    #[schema(required = false, value_type = Object)]
    data: Patched<Value>,
    /// The `lock_version` that was read before; if somebody else has changed the draft since, nothing is.
    #[serde(default)]
    #[schema(required = false, value_type = i32)]
    lock_version: Patched<i32>,
    /// `published` gives it to learners, like the operation of that name.
    #[serde(default)]
    #[schema(required = false, value_type = String)]
    status: Patched<String>,
}

impl TryFrom<UpdateVersionRequest> for VersionChange {
    type Error = FieldErrors;

    fn try_from(request: UpdateVersionRequest) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let published = |raw: String| match raw.as_str() {
            "published" => Ok(()),
            _ => Err(FieldProblem { code: "invalid", message: "must be one of: published".into() }),
        };
        let change = Self {
            data: request.data.value(&mut errors, "data", VersionData::parse),
            expected: request.lock_version.value(&mut errors, "lock_version", Ok),
            publish: request.status.value(&mut errors, "status", published).is_some(),
        };
        errors.into_result().map(|()| change)
    }
}

/// In which order, and how much of each version.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionListParams {
    /// `created_at` and `published_at`, comma-separated, each with `-` in front for descending. Ties go by id; versions that
    /// were never published come last when it goes by that.
    #[param(required = false, default = "-created_at", example = "-created_at")]
    sort: Option<String>,
    /// `data` adds the content; then at most 25 versions come at once.
    #[param(required = false, example = "data")]
    include: Option<String>,
}

impl VersionListParams {
    /// Whether the content is wanted, and the order.
    pub(crate) fn parse(&self) -> Result<(bool, Sort<VersionKey>), FieldErrors> {
        let mut errors = FieldErrors::new();
        let with_data = match self.include.as_deref() {
            None => Ok(false),
            Some("data") => Ok(true),
            Some(_) => Err(FieldProblem { code: "invalid", message: "must be one of: data".into() }),
        };
        let with_data = errors.take("include", with_data);
        let sort = Sort::parse(self.sort.as_deref().unwrap_or(NEWEST_FIRST), &VersionKey::WORDS);
        let sort = errors.take("sort", sort);
        with_data.zip(sort).ok_or(errors)
    }
}

/// A version of a course without its content.
#[derive(Serialize, ToSchema)]
pub(crate) struct CourseVersionHead {
    id: Uuid,
    course_id: Uuid,
    /// Counts the versions of the course, from 1.
    #[schema(example = 3)]
    number: i32,
    /// `draft`, `published` or `archived`.
    #[schema(example = "draft")]
    status: &'static str,
    /// Who opened it.
    created_by_id: Uuid,
    /// RFC 3339 in UTC.
    created_at: DateTime<Utc>,
    /// RFC 3339 in UTC.
    updated_at: DateTime<Utc>,
    /// When learners were first given it.
    published_at: Option<DateTime<Utc>>,
    /// When it was taken away.
    archived_at: Option<DateTime<Utc>>,
    /// Counts its changes. Send it with the next one, so that two editors do not overwrite each other.
    #[schema(example = 0)]
    lock_version: i32,
}

impl<D> From<&CourseVersion<D>> for CourseVersionHead {
    fn from(version: &CourseVersion<D>) -> Self {
        Self {
            id: version.id.uuid(),
            course_id: version.course.uuid(),
            number: version.number,
            status: version.status.as_str(),
            created_by_id: version.created_by.uuid(),
            created_at: version.created_at,
            updated_at: version.updated_at,
            published_at: version.published_at,
            archived_at: version.archived_at,
            lock_version: version.lock_version,
        }
    }
}

/// A version of a course.
#[derive(Serialize, ToSchema)]
#[schema(as = CourseVersion)]
pub(crate) struct VersionResponse {
    #[serde(flatten)]
    head: CourseVersionHead,
    /// The content: a JSON object as it was sent.
    #[schema(value_type = Object)]
    data: Map<String, Value>,
}

impl From<CourseVersion> for VersionResponse {
    fn from(version: CourseVersion) -> Self {
        Self { head: CourseVersionHead::from(&version), data: version.data.into_map() }
    }
}

/// A version of a course in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedCourseVersion)]
pub(crate) struct ListedVersionResponse {
    #[serde(flatten)]
    head: CourseVersionHead,
    /// The content; there only when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    data: Option<Map<String, Value>>,
}

impl From<ListedVersion> for ListedVersionResponse {
    fn from(version: ListedVersion) -> Self {
        Self { head: CourseVersionHead::from(&version), data: version.data.map(VersionData::into_map) }
    }
}
