use chrono::{DateTime, Utc};
use domain_courses::ports::CourseFilter;
use domain_courses::{Course, CourseChange, CourseName, CreateCourse, Description};
use domain_kernel::{FieldErrors, FieldProblem, LanguageCode, OrgId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::body::Patched;
use crate::id_list::parse_id;

/// Most languages of a course.
const MAX_LANGUAGES: usize = 50;

fn parse_languages(raw: &[String]) -> Result<Vec<LanguageCode>, FieldProblem> {
    if raw.len() > MAX_LANGUAGES {
        let message = format!("are too many (maximum is {MAX_LANGUAGES})");
        return Err(FieldProblem { code: "too_many", message });
    }
    raw.iter().map(|code| LanguageCode::parse(code)).collect()
}

/// A new course.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "name": "Lifting from the floor", "description": "Bend the knees, keep the load close.", "basics": true,
    "position": 1, "organization_id": null, "language_codes": ["en", "es"]
}))]
pub(crate) struct CreateCourseRequest {
    /// 1 to 200 characters.
    #[serde(default)]
    #[schema(required = true, max_length = 200)]
    name: Option<String>,
    /// What it is about, at most 5,000 characters.
    #[serde(default)]
    #[schema(required = false, max_length = 5000)]
    description: Option<String>,
    /// Whether everybody takes it first.
    #[serde(default)]
    #[schema(required = false, default = false)]
    basics: bool,
    /// Place in the order of the basics, smallest first.
    #[serde(default)]
    #[schema(required = false, default = 0)]
    position: i32,
    /// For one organization; null for the library that all may use.
    #[serde(default)]
    #[schema(required = false)]
    organization_id: Option<Uuid>,
    /// Languages it comes in, two letters each (ISO 639-1), at most 50.
    #[serde(default)]
    #[schema(required = false, max_items = 50)]
    language_codes: Vec<String>,
}

impl TryFrom<CreateCourseRequest> for CreateCourse {
    type Error = FieldErrors;

    fn try_from(request: CreateCourseRequest) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let name = errors.take("name", FieldProblem::required(request.name.as_deref(), CourseName::parse));
        let description = request.description.as_deref();
        let description = description.and_then(|raw| errors.take("description", Description::parse(raw)));
        let language_codes = errors.take("language_codes", parse_languages(&request.language_codes));
        match (name, language_codes) {
            (Some(name), Some(language_codes)) if errors.is_empty() => Ok(Self {
                organization: request.organization_id.map(OrgId::new),
                name,
                description,
                basics: request.basics,
                position: request.position,
                language_codes,
            }),
            _ => Err(errors),
        }
    }
}

/// A change of a course. What is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "name": "Lifting from a shelf", "description": null, "archived": false }))]
pub(crate) struct UpdateCourseRequest {
    /// 1 to 200 characters.
    #[serde(default)]
    #[schema(required = false, value_type = String, max_length = 200)]
    name: Patched<String>,
    /// What it is about, at most 5,000 characters; null for none.
    #[serde(default)]
    #[schema(required = false, value_type = Option<String>, max_length = 5000)]
    description: Patched<String>,
    /// Whether everybody takes it first.
    #[serde(default)]
    #[schema(required = false, value_type = bool)]
    basics: Patched<bool>,
    /// Place in the order of the basics, smallest first.
    #[serde(default)]
    #[schema(required = false, value_type = i32)]
    position: Patched<i32>,
    /// For one organization; null for the library that all may use.
    #[serde(default)]
    #[schema(required = false, value_type = Option<Uuid>)]
    organization_id: Patched<Uuid>,
    /// All languages it comes in, two letters each (ISO 639-1), at most 50.
    #[serde(default)]
    #[schema(required = false, value_type = Vec<String>, max_items = 50)]
    language_codes: Patched<Vec<String>>,
    /// True takes it back from everybody who has not completed it and gives it to nobody any more; false offers it again.
    #[serde(default)]
    #[schema(required = false, value_type = bool)]
    archived: Patched<bool>,
}

impl TryFrom<UpdateCourseRequest> for CourseChange {
    type Error = FieldErrors;

    fn try_from(request: UpdateCourseRequest) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let problems = &mut errors;
        let change = Self {
            organization: request.organization_id.patch(problems, "organization_id", |id| Ok(OrgId::new(id))),
            name: request.name.value(problems, "name", |raw| CourseName::parse(&raw)),
            description: request.description.patch(problems, "description", |raw| Description::parse(&raw)),
            basics: request.basics.value(problems, "basics", Ok),
            position: request.position.value(problems, "position", Ok),
            language_codes: request
                .language_codes
                .value(problems, "language_codes", |raw| parse_languages(&raw)),
            archived: request.archived.value(problems, "archived", Ok),
        };
        errors.into_result().map(|()| change)
    }
}

/// Whose courses, and which of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CourseListParams {
    /// The organization that may use them: those of the library and its own.
    #[param(required = true, value_type = Uuid)]
    organization_id: Option<String>,
    /// `not_basics` or `basics`, or `archived` for the archived ones instead of the others.
    #[param(required = false, example = "not_basics")]
    filter: Option<String>,
}

impl CourseListParams {
    pub(crate) fn parse(&self) -> Result<(OrgId, CourseFilter), FieldErrors> {
        let mut errors = FieldErrors::new();
        let id = FieldProblem::required(self.organization_id.as_deref(), parse_id);
        let id = errors.take("organization_id", id.map(OrgId::new));
        let filter = self.filter.as_deref().map_or(Ok(CourseFilter::Live), parse_filter);
        let filter = errors.take("filter", filter);
        id.zip(filter).ok_or(errors)
    }
}

fn parse_filter(raw: &str) -> Result<CourseFilter, FieldProblem> {
    let known = CourseFilter::WORDS.iter().find(|(word, _)| *word == raw);
    known.map(|(_, filter)| *filter).ok_or_else(|| FieldProblem {
        code: "invalid",
        message: "must be one of: not_basics, basics, archived".into(),
    })
}

/// A course.
#[derive(Serialize, ToSchema)]
#[schema(as = Course)]
pub(crate) struct CourseResponse {
    id: Uuid,
    /// Whose it is; null for the library.
    organization_id: Option<Uuid>,
    #[schema(example = "Lifting from the floor")]
    name: String,
    #[schema(example = "Bend the knees, keep the load close.")]
    description: Option<String>,
    /// Whether everybody takes it first.
    #[schema(example = true)]
    basics: bool,
    /// Place in the order of the basics, smallest first.
    #[schema(example = 1)]
    position: i32,
    /// Languages it comes in, in alphabetical order.
    #[schema(example = json!(["en", "es"]))]
    language_codes: Vec<String>,
    /// The version that learners get; null while none is published.
    published_version_id: Option<Uuid>,
    /// The number of that version.
    published_version_number: Option<i32>,
    /// Set once it is archived.
    archived_at: Option<DateTime<Utc>>,
    /// RFC 3339 in UTC.
    created_at: DateTime<Utc>,
    /// RFC 3339 in UTC.
    updated_at: DateTime<Utc>,
}

impl From<Course> for CourseResponse {
    fn from(course: Course) -> Self {
        Self {
            id: course.id.uuid(),
            organization_id: course.organization.map(OrgId::uuid),
            name: course.name.as_str().to_owned(),
            description: course.description.map(|text| text.as_str().to_owned()),
            basics: course.basics,
            position: course.position,
            language_codes: course.language_codes.iter().map(|code| code.as_str().to_owned()).collect(),
            published_version_id: course.published.map(|edition| edition.id.uuid()),
            published_version_number: course.published.map(|edition| edition.number),
            archived_at: course.archived_at,
            created_at: course.created_at,
            updated_at: course.updated_at,
        }
    }
}
