use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_courses::ports::{DraftOpening, VersionEdit, VersionQueries, VersionRepository};
use domain_courses::{
    CourseError, CourseVersion, Edition, ListedVersion, Shelf, VersionData, VersionKey, VersionStatus,
};
use domain_kernel::{CourseId, CourseVersionId, Page, PageRequest, Refusal, Sort, UserId};
use serde_json::Value;
use uuid::Uuid;

use crate::assignments::Withdrawal;
use crate::audit;
use crate::courses::{PgCourses, lock_course};
use crate::error::{PgError, unreadable};
use crate::schema::{assignments, course_versions};
use crate::sql::{PageColumns, PageRow, SortColumn, order_by, read_page, row, statement};

macro_rules! head_columns {
    () => {
        "v.id, v.course_id, v.number, v.status, v.created_by, v.created_at, v.updated_at, v.published_at, v.archived_at, \
         v.lock_version"
    };
}

const VERSION: &str = concat!(
    "SELECT ",
    head_columns!(),
    ", v.data FROM course_versions v WHERE v.course_id = {} AND v.id = {}"
);

/// One row for each version of the page, or one row of nulls; each with the total. No row: no such course. The content is
/// fetched for the rows of the page only, and only if it is asked for.
fn list_sql(with_data: bool, sort: &Sort<VersionKey>) -> String {
    let data = if with_data { "v.data" } else { "NULL::jsonb AS data" };
    let (inner, outer) = (order_by(sort, "v"), order_by(sort, "page"));
    let columns = head_columns!();
    format!(
        "SELECT counted.total, page.* FROM courses c \
         CROSS JOIN LATERAL (SELECT count(*) AS total FROM course_versions WHERE course_id = c.id) counted \
         LEFT JOIN LATERAL (SELECT {columns}, {data} FROM course_versions v WHERE v.course_id = c.id \
            {inner} LIMIT {{}} OFFSET {{}}) page ON true WHERE c.id = {{}} {outer}"
    )
}

impl SortColumn for VersionKey {
    const NULLS: &str = " NULLS LAST";

    fn of(self, table: &str) -> String {
        let name = match self {
            Self::CreatedAt => "created_at",
            Self::PublishedAt => "published_at",
        };
        format!("{table}.{name}")
    }
}

row! {
    struct VersionRow, VersionColumns {
        id: Uuid => SqlUuid,
        course_id: Uuid => SqlUuid,
        number: i32 => Integer,
        status: String => Text,
        created_by: Uuid => SqlUuid,
        created_at: DateTime<Utc> => Timestamptz,
        updated_at: DateTime<Utc> => Timestamptz,
        published_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        archived_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        lock_version: i32 => Integer,
        data: Option<Value> => Nullable<Jsonb>,
    }
}

impl VersionRow {
    fn read(self) -> Result<ListedVersion, CourseError> {
        let status = VersionStatus::parse(&self.status);
        let status = status.ok_or_else(|| unreadable("course_versions", "a known status"))?;
        let data = match self.data {
            None => None,
            Some(Value::Object(fields)) => Some(VersionData::from_stored(fields)),
            Some(_) => return Err(unreadable("course_versions", "content is an object").into()),
        };
        Ok(CourseVersion {
            id: CourseVersionId::new(self.id),
            course: CourseId::new(self.course_id),
            number: self.number,
            status,
            data,
            created_by: UserId::new(self.created_by),
            created_at: self.created_at,
            updated_at: self.updated_at,
            published_at: self.published_at,
            archived_at: self.archived_at,
            lock_version: self.lock_version,
        })
    }

    fn read_whole(self) -> Result<CourseVersion, CourseError> {
        let whole = self.read()?.whole();
        whole.ok_or_else(|| unreadable("course_versions", "content is there").into())
    }
}

fn load(
    connection: &mut PgConnection,
    course: CourseId,
    id: CourseVersionId,
) -> QueryResult<Option<VersionRow>> {
    let found = statement(VERSION).bind::<SqlUuid, _>(course.uuid()).bind::<SqlUuid, _>(id.uuid());
    found.rows::<VersionColumns>().get_result(connection).optional()
}

/// How the versions of a course stand, with the course and the versions that may still change locked. Whoever gives the
/// published version to a learner locks its row, too, and so comes before or after.
fn lock_shelf(connection: &mut PgConnection, course: CourseId) -> Result<Shelf, PgError<CourseError>> {
    let organization = lock_course(connection, course)?;
    let of_course = course_versions::table.filter(course_versions::course_id.eq(course.uuid()));
    let last_number: Option<i32> =
        of_course.select(diesel::dsl::max(course_versions::number)).first(connection)?;
    let living: Vec<(Uuid, i32, String)> = of_course
        .filter(course_versions::status.ne("archived"))
        .select((course_versions::id, course_versions::number, course_versions::status))
        .for_update()
        .load(connection)?;
    let in_status = |wanted: VersionStatus| {
        let found = living.iter().find(|(_, _, status)| status == wanted.as_str());
        found.map(|(id, number, _)| Edition { id: CourseVersionId::new(*id), number: *number })
    };
    Ok(Shelf {
        course,
        organization,
        last_number: last_number.unwrap_or(0),
        draft: in_status(VersionStatus::Draft),
        published: in_status(VersionStatus::Published),
    })
}

/// Takes away a version that another one takes the place of.
fn archive(connection: &mut PgConnection, edition: Edition, at: DateTime<Utc>) -> QueryResult<()> {
    diesel::update(course_versions::table.find(edition.id.uuid()))
        .set((
            course_versions::status.eq(VersionStatus::Archived.as_str()),
            course_versions::archived_at.eq(at),
            course_versions::updated_at.eq(at),
            course_versions::lock_version.eq(course_versions::lock_version + 1),
        ))
        .execute(connection)
        .map(drop)
}

fn insert(connection: &mut PgConnection, version: &CourseVersion) -> QueryResult<()> {
    diesel::insert_into(course_versions::table)
        .values((
            course_versions::id.eq(version.id.uuid()),
            course_versions::course_id.eq(version.course.uuid()),
            course_versions::number.eq(version.number),
            course_versions::status.eq(version.status.as_str()),
            course_versions::data.eq(version.data.clone().into_value()),
            course_versions::created_by.eq(version.created_by.uuid()),
            course_versions::created_at.eq(version.created_at),
            course_versions::updated_at.eq(version.updated_at),
            course_versions::published_at.eq(version.published_at),
            course_versions::archived_at.eq(version.archived_at),
            course_versions::lock_version.eq(version.lock_version),
        ))
        .execute(connection)
        .map(drop)
}

fn open_draft(
    connection: &mut PgConnection,
    course: CourseId,
    opening: DraftOpening,
) -> Result<CourseVersion, PgError<CourseError>> {
    let shelf = lock_shelf(connection, course)?;
    let (version, audits) = opening(&shelf).map_err(PgError::Refused)?;
    if let Some(open) = shelf.draft {
        archive(connection, open, version.created_at)?;
    }
    insert(connection, &version)?;
    for entry in audits {
        audit::insert(connection, entry)?;
    }
    Ok(version)
}

fn update(
    connection: &mut PgConnection,
    course: CourseId,
    id: CourseVersionId,
    edit: VersionEdit,
) -> Result<CourseVersion, PgError<CourseError>> {
    let shelf = lock_shelf(connection, course)?;
    let row = load(connection, course, id)?.ok_or_else(|| PgError::Refused(Refusal::NotFound.into()))?;
    let mut version = row.read_whole().map_err(PgError::Refused)?;
    let (was, old_data) = (version.status, version.data.clone());
    let audits = edit(&shelf, &mut version).map_err(PgError::Refused)?;
    if audits.is_empty() {
        return Ok(version);
    }
    let at = version.updated_at;
    let is_published = was != version.status && version.status == VersionStatus::Published;
    if let Some(replaced) = shelf.published.filter(|_| is_published) {
        archive(connection, replaced, at)?;
    }
    // One statement: the content of what is published can no longer be set by the next one.
    let data =
        (version.data != old_data).then(|| course_versions::data.eq(version.data.clone().into_value()));
    diesel::update(course_versions::table.find(id.uuid()))
        .set((
            data,
            course_versions::status.eq(version.status.as_str()),
            course_versions::updated_at.eq(at),
            course_versions::published_at.eq(version.published_at),
            course_versions::archived_at.eq(version.archived_at),
            course_versions::lock_version.eq(version.lock_version),
        ))
        .execute(connection)?;
    let unstarted = assignments::course_id.eq(course.uuid()).and(assignments::state.eq("assigned"));
    if is_published {
        diesel::update(assignments::table.filter(unstarted))
            .set((assignments::course_version_id.eq(id.uuid()), assignments::updated_at.eq(at)))
            .execute(connection)?;
    } else if was == VersionStatus::Published && version.status == VersionStatus::Archived {
        let on_it = unstarted.and(assignments::course_version_id.eq(id.uuid()));
        diesel::update(assignments::table.filter(on_it)).set(Withdrawal::at(at)).execute(connection)?;
    }
    for entry in audits {
        audit::insert(connection, entry)?;
    }
    Ok(version)
}

#[async_trait]
impl VersionRepository for PgCourses {
    async fn open_draft(
        &self,
        course: CourseId,
        opening: DraftOpening,
    ) -> Result<CourseVersion, CourseError> {
        let opened = self.pg.write(move |connection| open_draft(connection, course, opening));
        opened.await.map_err(PgError::into_storage)
    }

    async fn update(
        &self,
        course: CourseId,
        id: CourseVersionId,
        edit: VersionEdit,
    ) -> Result<CourseVersion, CourseError> {
        let updated = self.pg.write(move |connection| update(connection, course, id, edit));
        updated.await.map_err(PgError::into_storage)
    }
}

#[async_trait]
impl VersionQueries for PgCourses {
    async fn find(
        &self,
        course: CourseId,
        id: CourseVersionId,
    ) -> Result<Option<CourseVersion>, CourseError> {
        let row = self.pg.read(move |connection| Ok(load(connection, course, id)?));
        let row = row.await.map_err(PgError::<CourseError>::into_storage)?;
        row.map(VersionRow::read_whole).transpose()
    }

    async fn list(
        &self,
        course: CourseId,
        with_data: bool,
        sort: Sort<VersionKey>,
        page: PageRequest,
    ) -> Result<Option<Page<ListedVersion>>, CourseError> {
        let rows = self.pg.read(move |connection| {
            let list = statement(list_sql(with_data, &sort))
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset)
                .bind::<SqlUuid, _>(course.uuid());
            Ok(list.rows::<PageColumns<VersionColumns>>().load::<PageRow<VersionRow>>(connection)?)
        });
        let page = read_page(rows.await.map_err(PgError::<CourseError>::into_storage)?);
        page.map(|page| page.try_map(VersionRow::read)).transpose()
    }
}
