use chrono::{DateTime, Utc};
use domain_courses::{Course, CourseName, CreateCourse, Description, LanguageCode};
use domain_kernel::{FieldErrors, FieldProblem, OrgId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

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
        let codes: Result<Vec<_>, _> =
            request.language_codes.iter().map(|code| LanguageCode::parse(code)).collect();
        let codes = codes.and_then(|codes| {
            let too_many = FieldProblem { code: "too_many", message: "are too many (maximum is 50)".into() };
            if codes.len() > 50 { Err(too_many) } else { Ok(codes) }
        });
        let language_codes = errors.take("language_codes", codes);
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
            // Versions come with their own operations; until then no course has one.
            published_version_id: None,
            published_version_number: None,
            archived_at: course.archived_at,
            created_at: course.created_at,
            updated_at: course.updated_at,
        }
    }
}
