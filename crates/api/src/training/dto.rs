use chrono::{DateTime, Utc};
use domain_courses::ports::PoolFilter;
use domain_courses::{
    CategoryChange, CategoryName, CourseList, CoursePool, CreateCategory, JobTitleInUse, PoolChange,
    TrainingCategory,
};
use domain_kernel::{CourseId, FieldErrors, FieldProblem, JobTitle, OrgId, TeamId, TrainingCategoryId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::body::Patched;
use crate::id_list::id_list;

/// Most pools of one request.
const MAX_POOLS: usize = 200;

/// A new training category.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "name": "Drivers", "is_default": false }))]
pub(crate) struct CreateTrainingCategoryRequest {
    /// 1 to 200 characters, unique in the organization with case ignored.
    #[serde(default)]
    #[schema(required = true, max_length = 200)]
    name: Option<String>,
    /// Whether it is for everybody whose job title is in no category. The one that was is not any more.
    #[serde(default)]
    #[schema(required = false, default = false)]
    is_default: bool,
}

impl CreateTrainingCategoryRequest {
    pub(crate) fn command(&self, organization: OrgId) -> Result<CreateCategory, FieldErrors> {
        let name = FieldProblem::required(self.name.as_deref(), CategoryName::parse);
        let name = name.map_err(|problem| FieldErrors::of("name", problem.code, problem.message))?;
        Ok(CreateCategory { organization, name, is_default: self.is_default })
    }
}

/// New values for a training category; absent fields stay.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "name": "Drivers", "job_titles": ["Truck driver", "Forklift driver"],
    "course_ids": ["01a20942-1abb-770f-ad98-0d13bd12f950"], "is_default": false
}))]
pub(crate) struct UpdateTrainingCategoryRequest {
    /// 1 to 200 characters, unique in the organization with case ignored.
    #[serde(default)]
    #[schema(required = false, value_type = String, max_length = 200)]
    name: Patched<String>,
    /// All its job titles, at most 500 of 1 to 100 characters. Case, accents and blanks do not tell them apart. Other
    /// categories lose those that are named here.
    #[serde(default)]
    #[schema(required = false, value_type = Vec<String>, max_items = 500)]
    job_titles: Patched<Vec<String>>,
    /// All its courses in the order of training, at most 500: of the library or of the organization, no basics and none that
    /// is archived.
    #[serde(default)]
    #[schema(required = false, value_type = Vec<Uuid>, max_items = 500)]
    course_ids: Patched<Vec<Uuid>>,
    /// `true` takes it from the one that was the default, `false` leaves the organization without one.
    #[serde(default)]
    #[schema(required = false, value_type = bool)]
    is_default: Patched<bool>,
}

impl UpdateTrainingCategoryRequest {
    pub(crate) fn change(self) -> Result<CategoryChange, FieldErrors> {
        let mut errors = FieldErrors::new();
        let e = &mut errors;
        let change = CategoryChange {
            name: self.name.value(e, "name", |raw| CategoryName::parse(&raw)),
            job_titles: self.job_titles.value(e, "job_titles", |raw| parse_job_titles(&raw)),
            courses: self.course_ids.value(e, "course_ids", parse_courses),
            is_default: self.is_default.value(e, "is_default", Ok),
        };
        errors.into_result().map(|()| change)
    }
}

fn parse_job_titles(raw: &[String]) -> Result<Vec<JobTitle>, FieldProblem> {
    let most = TrainingCategory::MAX_JOB_TITLES;
    if raw.len() > most {
        return Err(FieldProblem { code: "too_many", message: format!("are too many (maximum is {most})") });
    }
    let parse = |(index, raw): (usize, &String)| {
        JobTitle::parse(raw).map_err(|problem| FieldProblem {
            code: problem.code,
            message: format!("holds one, number {}, that {}", index + 1, problem.message),
        })
    };
    raw.iter().enumerate().map(parse).collect()
}

fn parse_courses(ids: Vec<Uuid>) -> Result<CourseList, FieldProblem> {
    CourseList::parse(ids.into_iter().map(CourseId::new).collect())
}

/// A set of job titles of an organization, and what people with them train.
#[derive(Serialize, ToSchema)]
#[schema(as = TrainingCategory)]
pub(crate) struct TrainingCategoryResponse {
    id: Uuid,
    organization_id: Uuid,
    #[schema(example = "Drivers")]
    name: String,
    /// Whose training it is. A job title is in one category at most.
    #[schema(example = json!(["Truck driver", "Forklift driver"]))]
    job_titles: Vec<String>,
    /// What is trained, in order. A course that was archived since stays in the list and is given to nobody.
    course_ids: Vec<Uuid>,
    /// Whether it is for everybody whose job title is in no category. At most one is.
    #[schema(example = false)]
    is_default: bool,
    /// RFC 3339 in UTC.
    created_at: DateTime<Utc>,
    /// RFC 3339 in UTC. Losing a job title to another category is a change, too.
    updated_at: DateTime<Utc>,
}

impl From<TrainingCategory> for TrainingCategoryResponse {
    fn from(category: TrainingCategory) -> Self {
        Self {
            id: category.id.uuid(),
            organization_id: category.organization.uuid(),
            name: category.name.as_str().to_owned(),
            job_titles: category.job_titles.iter().map(|title| title.as_str().to_owned()).collect(),
            course_ids: category.courses.as_slice().iter().map(|course| course.uuid()).collect(),
            is_default: category.is_default,
            created_at: category.created_at,
            updated_at: category.updated_at,
        }
    }
}

/// How much is wanted of job titles.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobTitleParams {
    /// `true` for objects with how many people have the title and where they train, in the place of texts.
    #[param(required = false, value_type = bool, example = false)]
    detail: Option<String>,
}

impl JobTitleParams {
    pub(crate) fn wants_detail(&self) -> Result<bool, FieldErrors> {
        match self.detail.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(FieldErrors::of("detail", "invalid", "must be one of: true, false")),
        }
    }
}

/// A job title with what is known of it.
#[derive(Serialize, ToSchema)]
#[schema(as = JobTitleDetail)]
pub(crate) struct JobTitleDetailResponse {
    /// As most people have it written.
    #[schema(example = "Forklift driver")]
    job_title: String,
    /// How many people on the roster have it, in whatever spelling; pending ones count.
    #[schema(example = 12)]
    memberships_count: i64,
    /// The category of the title, else the organization's default one; null if there is neither.
    training_category_id: Option<Uuid>,
}

/// A job title, as a text or with what is known of it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = JobTitle)]
pub(crate) enum JobTitleResponse {
    /// As most people have it written.
    Text(String),
    /// With `detail=true`.
    Detail(JobTitleDetailResponse),
}

impl JobTitleResponse {
    pub(crate) fn new(title: &JobTitleInUse, wants_detail: bool) -> Self {
        let job_title = title.title.as_str().to_owned();
        if !wants_detail {
            return Self::Text(job_title);
        }
        Self::Detail(JobTitleDetailResponse {
            job_title,
            memberships_count: title.memberships_count,
            training_category_id: title.category.map(TrainingCategoryId::uuid),
        })
    }
}

/// Which course pools are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CoursePoolParams {
    /// Only those of these teams: at most 200 ids, with commas between them or as repeated parameters.
    #[param(required = false, value_type = Vec<Uuid>)]
    team_ids: Option<Vec<Uuid>>,
    /// Only those of these categories: at most 200 ids, with commas between them or as repeated parameters.
    #[param(required = false, value_type = Vec<Uuid>)]
    training_category_ids: Option<Vec<Uuid>>,
}

impl CoursePoolParams {
    pub(crate) fn parse(query: &str) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let mut ids = |name: &str| errors.take(name, id_list(query, name)).flatten();
        let params = Self { team_ids: ids("team_ids"), training_category_ids: ids("training_category_ids") };
        errors.into_result().map(|()| params)
    }

    pub(crate) fn filter(self) -> PoolFilter {
        PoolFilter {
            teams: self.team_ids.map(|ids| ids.into_iter().map(TeamId::new).collect()),
            categories: self
                .training_category_ids
                .map(|ids| ids.into_iter().map(TrainingCategoryId::new).collect()),
        }
    }
}

/// What one team trains of a category.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "team_id": "01a20942-1cc0-7306-9dae-728ba404bc81",
    "training_category_id": "01a20942-1cc0-7306-9dae-728ba404bc82",
    "course_ids": ["01a20942-1abb-770f-ad98-0d13bd12f950"]
}))]
pub(crate) struct SetCoursePoolRequest {
    /// A team of the organization.
    #[serde(default)]
    #[schema(required = true)]
    team_id: Option<Uuid>,
    /// A training category of the organization.
    #[serde(default)]
    #[schema(required = true)]
    training_category_id: Option<Uuid>,
    /// The team's own list in the order of training, at most 500 courses as for a category; an empty one means that the team
    /// trains nothing of the category. Null takes the own list away, so that the category's counts again.
    #[serde(default)]
    #[schema(required = true, value_type = Option<Vec<Uuid>>, max_items = 500)]
    course_ids: Patched<Vec<Uuid>>,
}

/// Checks all entries, so that all mistakes are reported at once.
pub(crate) fn pool_changes(requests: Vec<SetCoursePoolRequest>) -> Result<Vec<PoolChange>, FieldErrors> {
    if requests.len() > MAX_POOLS {
        let message = format!("are too many (maximum is {MAX_POOLS})");
        return Err(FieldErrors::of("course_pools", "too_many", message));
    }
    let mut errors = FieldErrors::new();
    let mut changes = Vec::new();
    for (index, request) in requests.into_iter().enumerate() {
        let field = |name: &str| format!("[{index}].{name}");
        let team = errors.take(&field("team_id"), request.team_id.ok_or_else(FieldProblem::blank));
        let category = request.training_category_id.ok_or_else(FieldProblem::blank);
        let category = errors.take(&field("training_category_id"), category);
        // A field that is missing may be a slip of the pen, and must not throw a list away.
        let absent = || FieldProblem { code: "blank", message: "can't be blank; send null for none".into() };
        let courses = match request.course_ids {
            Patched::Absent => Err(absent()),
            Patched::Null => Ok(None),
            Patched::There(ids) => parse_courses(ids).map(Some),
        };
        let courses = errors.take(&field("course_ids"), courses);
        if let (Some(team), Some(category), Some(courses)) = (team, category, courses) {
            let (team, category) = (TeamId::new(team), TrainingCategoryId::new(category));
            changes.push(PoolChange { team, category, courses });
        }
    }
    errors.into_result().map(|()| changes)
}

/// A course of a pool.
#[derive(Serialize, ToSchema)]
#[schema(as = PoolCourse)]
pub(crate) struct PoolCourseResponse {
    id: Uuid,
    #[schema(example = "Lifting from the floor")]
    name: String,
    /// Place in the pool, from 1.
    #[schema(example = 1)]
    position: i32,
}

/// What the members of a team who belong to a category train, in order.
#[derive(Serialize, ToSchema)]
#[schema(as = CoursePool)]
pub(crate) struct CoursePoolResponse {
    /// Made from team and category: the same whenever this pool is looked at.
    id: Uuid,
    organization_id: Uuid,
    team_id: Uuid,
    training_category_id: Uuid,
    /// What is trained, in order. Courses that were archived since, or have no published version, are given to nobody.
    course_ids: Vec<Uuid>,
    /// The same with their names.
    courses: Vec<PoolCourseResponse>,
    /// Whether the team has a list of its own in the place of the category's.
    #[schema(example = false)]
    overridden: bool,
    /// Members of the team who belong to the category; pending ones count.
    #[schema(example = 12)]
    memberships_count: i64,
    /// When the team's own list was last changed, or else the category, RFC 3339 in UTC.
    updated_at: DateTime<Utc>,
}

impl From<CoursePool> for CoursePoolResponse {
    fn from(pool: CoursePool) -> Self {
        let courses = pool.courses.into_iter().map(|course| PoolCourseResponse {
            id: course.id.uuid(),
            name: course.name.as_str().to_owned(),
            position: course.position,
        });
        let courses: Vec<_> = courses.collect();
        Self {
            id: pool.id.uuid(),
            organization_id: pool.organization.uuid(),
            team_id: pool.team.uuid(),
            training_category_id: pool.category.uuid(),
            course_ids: courses.iter().map(|course| course.id).collect(),
            courses,
            overridden: pool.overridden,
            memberships_count: pool.memberships_count,
            updated_at: pool.updated_at,
        }
    }
}
