use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_courses::ports::{CourseEdit, CourseFilter, CourseQueries, CourseRepository};
use domain_courses::{Course, CourseError, CourseName, Description, Edition};
use domain_kernel::{AuditEntry, CourseId, CourseVersionId, LanguageCode, OrgId, Page, PageRequest, Refusal};
use uuid::Uuid;

use crate::assignments::Withdrawal;
use crate::error::PgError;
use crate::schema::{assignments, courses};
use crate::sql::{PageColumns, PageRow, read_page, row, statement};
use crate::{Pg, audit};

/// Courses and their versions in PostgreSQL.
#[derive(Clone)]
pub struct PgCourses {
    pub(crate) pg: Pg,
}

impl PgCourses {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }
}

/// A course `c` with its published version `v`.
macro_rules! course_columns {
    () => {
        "c.id, c.organization_id, c.name, c.description, c.basics, c.position, c.language_codes, c.archived_at, \
         c.created_at, c.updated_at, v.id AS published_id, v.number AS published_number"
    };
}
pub(crate) use course_columns;

macro_rules! published_version {
    () => {
        " LEFT JOIN course_versions v ON v.course_id = c.id AND v.status = 'published'"
    };
}
pub(crate) use published_version;

const COURSE: &str =
    concat!("SELECT ", course_columns!(), " FROM courses c", published_version!(), " WHERE c.id = {}");

/// One row for each course of the page, or one row of nulls; each with the total. No row: no such organization.
///
/// Only the conditions that are asked for stand in the statement: one for all cases would get one plan for all cases.
fn list_sql(filter: CourseFilter) -> String {
    let wanted = match filter {
        CourseFilter::Live => "c.archived_at IS NULL",
        CourseFilter::Basics => "c.archived_at IS NULL AND c.basics",
        CourseFilter::NotBasics => "c.archived_at IS NULL AND NOT c.basics",
        CourseFilter::Archived => "c.archived_at IS NOT NULL",
    };
    let passes = format!("(c.organization_id IS NULL OR c.organization_id = o.id) AND {wanted}");
    let (columns, published) = (course_columns!(), published_version!());
    format!(
        "SELECT counted.total, page.* FROM organizations o \
         CROSS JOIN LATERAL (SELECT count(*) AS total FROM courses c WHERE {passes}) counted \
         LEFT JOIN LATERAL (SELECT {columns} FROM (SELECT * FROM courses c WHERE {passes} \
            ORDER BY c.basics DESC, c.position, c.id LIMIT {{}} OFFSET {{}}) c{published}) page ON true \
         WHERE o.id = {{}} ORDER BY page.basics DESC, page.position, page.id"
    )
}

row! {
    pub(crate) struct CourseRow, CourseColumns {
        id: Uuid => SqlUuid,
        organization_id: Option<Uuid> => Nullable<SqlUuid>,
        name: String => Text,
        description: Option<String> => Nullable<Text>,
        basics: bool => Bool,
        position: i32 => Integer,
        language_codes: Vec<Option<String>> => Array<Nullable<Text>>,
        archived_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        created_at: DateTime<Utc> => Timestamptz,
        updated_at: DateTime<Utc> => Timestamptz,
        published_id: Option<Uuid> => Nullable<SqlUuid>,
        published_number: Option<i32> => Nullable<Integer>,
    }
}

impl From<CourseRow> for Course {
    fn from(row: CourseRow) -> Self {
        let published = row.published_id.zip(row.published_number);
        Self {
            id: CourseId::new(row.id),
            organization: row.organization_id.map(OrgId::new),
            name: CourseName::from_stored(row.name),
            description: row.description.map(Description::from_stored),
            basics: row.basics,
            position: row.position,
            language_codes: row.language_codes.into_iter().flatten().map(LanguageCode::from_stored).collect(),
            published: published.map(|(id, number)| Edition { id: CourseVersionId::new(id), number }),
            archived_at: row.archived_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

fn languages(course: &Course) -> Vec<&str> {
    course.language_codes.iter().map(LanguageCode::as_str).collect()
}

fn named(constraint: &str) -> Option<CourseError> {
    (constraint == "courses_organization_id_fkey").then(CourseError::organization_unknown)
}

/// Lets nobody else change the course or its versions until the transaction ends. Gives whose it is.
pub(crate) fn lock_course(
    connection: &mut PgConnection,
    id: CourseId,
) -> Result<Option<OrgId>, PgError<CourseError>> {
    let course = courses::table.find(id.uuid()).select(courses::organization_id);
    let locked: Option<Option<Uuid>> = course.for_update().first(connection).optional()?;
    let organization = locked.ok_or_else(|| PgError::Refused(Refusal::NotFound.into()))?;
    Ok(organization.map(OrgId::new))
}

fn load(connection: &mut PgConnection, id: CourseId) -> QueryResult<Course> {
    let course = statement(COURSE).bind::<SqlUuid, _>(id.uuid()).rows::<CourseColumns>();
    course.get_result::<CourseRow>(connection).map(Course::from)
}

/// Takes the course back from everybody who has not completed it.
fn withdraw_open(connection: &mut PgConnection, id: CourseId, at: DateTime<Utc>) -> QueryResult<()> {
    let open = assignments::table
        .filter(assignments::course_id.eq(id.uuid()))
        .filter(assignments::state.eq_any(["assigned", "in_progress"]));
    diesel::update(open).set(Withdrawal::at(at)).execute(connection).map(drop)
}

fn update(
    connection: &mut PgConnection,
    id: CourseId,
    edit: CourseEdit,
) -> Result<Course, PgError<CourseError>> {
    lock_course(connection, id)?;
    let mut course = load(connection, id)?;
    let was_archived = course.archived_at.is_some();
    let Some(audit) = edit(&mut course).map_err(PgError::Refused)? else { return Ok(course) };
    diesel::update(courses::table.find(id.uuid()))
        .set((
            courses::organization_id.eq(course.organization.map(OrgId::uuid)),
            courses::name.eq(course.name.as_str()),
            courses::description.eq(course.description.as_ref().map(Description::as_str)),
            courses::basics.eq(course.basics),
            courses::position.eq(course.position),
            courses::language_codes.eq(languages(&course)),
            courses::archived_at.eq(course.archived_at),
            courses::updated_at.eq(course.updated_at),
        ))
        .execute(connection)?;
    if let Some(at) = course.archived_at.filter(|_| !was_archived) {
        withdraw_open(connection, id, at)?;
    }
    audit::insert(connection, audit)?;
    Ok(course)
}

#[async_trait]
impl CourseRepository for PgCourses {
    async fn insert(&self, course: Course, audit: AuditEntry) -> Result<(), CourseError> {
        self.pg
            .write(move |connection| {
                diesel::insert_into(courses::table)
                    .values((
                        courses::id.eq(course.id.uuid()),
                        courses::organization_id.eq(course.organization.map(OrgId::uuid)),
                        courses::name.eq(course.name.as_str()),
                        courses::description.eq(course.description.as_ref().map(Description::as_str)),
                        courses::basics.eq(course.basics),
                        courses::position.eq(course.position),
                        courses::language_codes.eq(languages(&course)),
                        courses::archived_at.eq(course.archived_at),
                        courses::created_at.eq(course.created_at),
                        courses::updated_at.eq(course.updated_at),
                    ))
                    .execute(connection)?;
                Ok(audit::insert(connection, audit)?)
            })
            .await
            .map_err(|error| error.into_domain(named))
    }

    async fn update(&self, id: CourseId, edit: CourseEdit) -> Result<Course, CourseError> {
        let updated = self.pg.write(move |connection| update(connection, id, edit));
        updated.await.map_err(|error| error.into_domain(named))
    }
}

#[async_trait]
impl CourseQueries for PgCourses {
    async fn find(&self, id: CourseId) -> Result<Option<Course>, CourseError> {
        let found = self.pg.read(move |connection| Ok(load(connection, id).optional()?));
        found.await.map_err(PgError::into_storage)
    }

    async fn list_usable(
        &self,
        organization: OrgId,
        filter: CourseFilter,
        page: PageRequest,
    ) -> Result<Option<Page<Course>>, CourseError> {
        let found = self.pg.read(move |connection| {
            let rows: Vec<PageRow<CourseRow>> = statement(list_sql(filter))
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset)
                .bind::<SqlUuid, _>(organization.uuid())
                .rows::<PageColumns<CourseColumns>>()
                .load(connection)?;
            Ok(read_page(rows).map(|page| page.map(Course::from)))
        });
        found.await.map_err(PgError::into_storage)
    }
}
