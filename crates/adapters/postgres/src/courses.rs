use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_courses::ports::CourseRepository;
use domain_courses::{Course, CourseError, CourseName, Description, LanguageCode};
use domain_kernel::{AuditEntry, CourseId, OrgId};
use uuid::Uuid;

use crate::error::PgError;
use crate::schema::courses;
use crate::{Pg, audit};

/// Courses in PostgreSQL.
#[derive(Clone)]
pub struct PgCourses {
    pg: Pg,
}

impl PgCourses {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }
}

/// The columns of [`CourseRow`], of a course `c`.
macro_rules! course_columns {
    () => {
        "c.id, c.organization_id, c.name, c.description, c.basics, c.position, c.language_codes, c.archived_at, c.created_at, \
         c.updated_at"
    };
}
pub(crate) use course_columns;

/// The columns of [`CourseRow`] in a hand-written statement.
pub(crate) type CourseColumns = (
    SqlUuid,
    Nullable<SqlUuid>,
    Text,
    Nullable<Text>,
    Bool,
    Integer,
    Array<Nullable<Text>>,
    Nullable<Timestamptz>,
    Timestamptz,
    Timestamptz,
);

#[derive(Queryable, Selectable)]
#[diesel(table_name = courses)]
pub(crate) struct CourseRow {
    id: Uuid,
    organization_id: Option<Uuid>,
    name: String,
    description: Option<String>,
    basics: bool,
    position: i32,
    language_codes: Vec<Option<String>>,
    archived_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<CourseRow> for Course {
    fn from(row: CourseRow) -> Self {
        Self {
            id: CourseId::new(row.id),
            organization: row.organization_id.map(OrgId::new),
            name: CourseName::from_stored(row.name),
            description: row.description.map(Description::from_stored),
            basics: row.basics,
            position: row.position,
            language_codes: row.language_codes.into_iter().flatten().map(LanguageCode::from_stored).collect(),
            archived_at: row.archived_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

#[async_trait]
impl CourseRepository for PgCourses {
    async fn insert(&self, course: Course, audit: AuditEntry) -> Result<(), CourseError> {
        self.pg
            .write(move |connection| {
                let languages: Vec<_> = course.language_codes.iter().map(LanguageCode::as_str).collect();
                diesel::insert_into(courses::table)
                    .values((
                        courses::id.eq(course.id.uuid()),
                        courses::organization_id.eq(course.organization.map(OrgId::uuid)),
                        courses::name.eq(course.name.as_str()),
                        courses::description.eq(course.description.as_ref().map(Description::as_str)),
                        courses::basics.eq(course.basics),
                        courses::position.eq(course.position),
                        courses::language_codes.eq(languages),
                        courses::archived_at.eq(course.archived_at),
                        courses::created_at.eq(course.created_at),
                        courses::updated_at.eq(course.updated_at),
                    ))
                    .execute(connection)?;
                Ok(audit::insert(connection, audit)?)
            })
            .await
            .map_err(|error| {
                error.into_domain(|constraint| {
                    (constraint == "courses_organization_id_fkey").then(CourseError::organization_unknown)
                })
            })
    }

    async fn find(&self, id: CourseId) -> Result<Option<Course>, CourseError> {
        let row = self
            .pg
            .read(move |connection| {
                let found = courses::table.find(id.uuid()).select(CourseRow::as_select());
                Ok(found.first(connection).optional()?)
            })
            .await
            .map_err(PgError::<CourseError>::into_storage)?;
        Ok(row.map(Course::from))
    }
}
