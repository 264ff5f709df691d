use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_courses::ports::{
    CategoriesEdit, PoolFacts, PoolFilter, PoolJudge, TrainingQueries, TrainingRepository,
};
use domain_courses::{
    CategoryName, CourseError, CourseList, CourseName, CoursePool, CoursePoolId, JobTitleInUse, ListedCourse,
    PoolChange, PoolCourse, PoolOverride, TrainingCategory,
};
use domain_kernel::{AuditEntry, CourseId, JobTitle, OrgId, Page, PageRequest, TeamId, TrainingCategoryId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::PgError;
use crate::orgs::lock_organization;
use crate::schema::{course_pool_overrides, courses, teams, training_categories};
use crate::sql::{PageColumns, PageRow, Statement, read_page, row, statement};
use crate::{Pg, audit};

/// Who trains what, in PostgreSQL.
#[derive(Clone)]
pub struct PgTraining {
    pg: Pg,
}

impl PgTraining {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }
}

type Outcome<T> = Result<T, PgError<CourseError>>;

/// The whole of any list.
const ALL: PageRequest = PageRequest { offset: 0, limit: i64::MAX };

/// One row for each category of the page, or one row of nulls; each with the total. No row: no such organization.
const CATEGORIES: &str = "SELECT counted.total, page.* FROM organizations o CROSS JOIN LATERAL ( \
        SELECT count(*) AS total FROM training_categories WHERE organization_id = o.id) counted \
     LEFT JOIN LATERAL (SELECT c.id, c.organization_id, c.name, c.is_default, c.created_at, c.updated_at, \
        ARRAY(SELECT j.job_title FROM category_job_titles j WHERE j.category_id = c.id ORDER BY j.position) AS job_titles, \
        ARRAY(SELECT k.course_id FROM category_courses k WHERE k.category_id = c.id ORDER BY k.position) AS course_ids \
        FROM (SELECT * FROM training_categories c WHERE c.organization_id = o.id \
            ORDER BY lower(c.name), c.id LIMIT {} OFFSET {}) c) page ON true \
     WHERE o.id = {} ORDER BY lower(page.name), page.id";

/// The same for job titles. Spellings with one key are one; the spelling is chosen from the titles alone, before anything is
/// looked up for those of the page.
const JOB_TITLES: &str = "SELECT found.total, found.job_title, found.memberships_count, found.category_id \
     FROM organizations o CROSS JOIN LATERAL (WITH titles AS MATERIALIZED (SELECT DISTINCT ON (s.job_title_key) s.job_title_key, s.job_title, \
            (sum(s.members) OVER (PARTITION BY s.job_title_key))::bigint AS memberships_count \
        FROM (SELECT m.job_title_key, m.job_title, count(*) AS members FROM memberships m \
            WHERE m.organization_id = o.id AND m.status <> 'deactivated' AND m.job_title_key IS NOT NULL \
            GROUP BY m.job_title_key, m.job_title) s \
        ORDER BY s.job_title_key, s.members DESC, s.job_title) \
     SELECT counted.total, page.* FROM (SELECT count(*) AS total FROM titles) counted LEFT JOIN LATERAL ( \
        SELECT t.job_title_key, t.job_title, t.memberships_count, coalesce(j.category_id, d.id) AS category_id \
        FROM (SELECT * FROM titles ORDER BY job_title_key LIMIT {} OFFSET {}) t \
        LEFT JOIN category_job_titles j ON j.organization_id = o.id AND j.job_title_key = t.job_title_key \
        LEFT JOIN training_categories d ON d.organization_id = o.id AND d.is_default) page ON true) found \
     WHERE o.id = {} ORDER BY found.job_title_key";

/// Takes back what is not begun and stands in no list of its member: of each live team the team's own list or the
/// category's, without a team the category's. Whoever begins meanwhile keeps it, because the state is looked at again once
/// the row is locked. Between the parts stands whose assignments they are.
const WITHDRAW: [&str; 2] = [
    "WITH open AS MATERIALIZED ( \
        SELECT a.id, a.course_id, a.membership_id, coalesce(j.category_id, d.id) AS category_id \
        FROM memberships m JOIN assignments a ON a.membership_id = m.id \
        LEFT JOIN category_job_titles j ON j.organization_id = m.organization_id AND j.job_title_key = m.job_title_key \
        LEFT JOIN training_categories d ON d.organization_id = m.organization_id AND d.is_default \
        WHERE a.state = 'assigned' AND a.source = 'course_pool' AND ",
    "), taught AS MATERIALIZED (SELECT x.membership_id, x.team_id FROM open \
        JOIN team_memberships x ON x.membership_id = open.membership_id \
        JOIN teams t ON t.id = x.team_id AND t.deleted_at IS NULL), \
     listed AS (SELECT open.id FROM open JOIN taught ON taught.membership_id = open.membership_id \
            LEFT JOIN course_pool_overrides v ON v.team_id = taught.team_id AND v.training_category_id = open.category_id \
            LEFT JOIN category_courses k ON k.category_id = open.category_id AND k.course_id = open.course_id \
            WHERE CASE WHEN v.team_id IS NULL THEN k.course_id IS NOT NULL ELSE open.course_id = ANY (v.course_ids) END \
        UNION ALL SELECT open.id FROM open \
            JOIN category_courses k ON k.category_id = open.category_id AND k.course_id = open.course_id \
            WHERE NOT EXISTS (SELECT FROM taught WHERE taught.membership_id = open.membership_id)) \
     UPDATE assignments a SET state = 'withdrawn', withdrawn_at = {}, updated_at = {} FROM open \
     WHERE a.id = open.id AND a.state = 'assigned' AND NOT EXISTS (SELECT FROM listed WHERE listed.id = open.id)",
];

/// Whose assignments may have fallen out of their lists.
pub(crate) enum Affected {
    /// Anybody of the organization.
    Organization(Uuid),
    /// These members.
    Memberships(Vec<Uuid>),
}

/// Takes back assignments that are not begun and are not in their member's lists any more. To be called with the
/// organization locked, so that two changes of what the lists are made of see each other.
pub(crate) fn withdraw_unlisted(
    connection: &mut PgConnection,
    affected: &Affected,
    at: DateTime<Utc>,
) -> QueryResult<()> {
    let withdrawal = |whose: &str| statement(WITHDRAW.join(whose));
    let withdrawal = match affected {
        Affected::Organization(id) => withdrawal("m.organization_id = {}").bind::<SqlUuid, _>(*id),
        Affected::Memberships(ids) => withdrawal("m.id = ANY({})").bind::<Array<SqlUuid>, _>(ids.clone()),
    };
    withdrawal.bind::<Timestamptz, _>(at).bind::<Timestamptz, _>(at).execute(connection).map(drop)
}

// --- Categories ----------------------------------------------------------------------------------------------------

row! {
    struct CategoryRow, CategoryColumns {
        id: Uuid => SqlUuid,
        organization_id: Uuid => SqlUuid,
        name: String => Text,
        is_default: bool => Bool,
        created_at: DateTime<Utc> => Timestamptz,
        updated_at: DateTime<Utc> => Timestamptz,
        job_titles: Vec<String> => Array<Text>,
        course_ids: Vec<Uuid> => Array<SqlUuid>,
    }
}

impl From<CategoryRow> for TrainingCategory {
    fn from(row: CategoryRow) -> Self {
        Self {
            id: TrainingCategoryId::new(row.id),
            organization: OrgId::new(row.organization_id),
            name: CategoryName::from_stored(row.name),
            job_titles: row.job_titles.into_iter().map(JobTitle::from_stored).collect(),
            courses: stored_list(row.course_ids),
            is_default: row.is_default,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

fn stored_list(ids: Vec<Uuid>) -> CourseList {
    CourseList::from_stored(ids.into_iter().map(CourseId::new).collect())
}

fn load_categories(
    connection: &mut PgConnection,
    organization: OrgId,
    page: PageRequest,
) -> QueryResult<Option<Page<TrainingCategory>>> {
    let rows: Vec<PageRow<CategoryRow>> = statement(CATEGORIES)
        .bind::<BigInt, _>(page.limit)
        .bind::<BigInt, _>(page.offset)
        .bind::<SqlUuid, _>(organization.uuid())
        .rows::<PageColumns<CategoryColumns>>()
        .load(connection)?;
    Ok(read_page(rows).map(|page| page.map(TrainingCategory::from)))
}

fn all_categories(connection: &mut PgConnection, organization: OrgId) -> QueryResult<Vec<TrainingCategory>> {
    Ok(load_categories(connection, organization, ALL)?.map(|page| page.items).unwrap_or_default())
}

/// Those of the courses that exist; they stay as they are until the transaction ends.
fn lock_courses(connection: &mut PgConnection, ids: Vec<Uuid>) -> QueryResult<Vec<ListedCourse>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let columns =
        (courses::id, courses::organization_id, courses::basics, courses::archived_at.is_not_null());
    // In one order for all, so that two that lock some of the same never wait for each other.
    let rows: Vec<(Uuid, Option<Uuid>, bool, bool)> = courses::table
        .filter(courses::id.eq_any(ids))
        .order(courses::id)
        .select(columns)
        .for_share()
        .load(connection)?;
    let listed = |(id, owner, basics, archived): (Uuid, Option<Uuid>, _, _)| ListedCourse {
        id: CourseId::new(id),
        organization: owner.map(OrgId::new),
        basics,
        archived,
    };
    Ok(rows.into_iter().map(listed).collect())
}

/// Takes being the default one from the category that is, and gives its id.
fn unset_default(
    connection: &mut PgConnection,
    organization: OrgId,
    at: DateTime<Utc>,
) -> QueryResult<Option<Uuid>> {
    let present = training_categories::table.filter(
        training_categories::organization_id.eq(organization.uuid()).and(training_categories::is_default),
    );
    diesel::update(present)
        .set((training_categories::is_default.eq(false), training_categories::updated_at.eq(at)))
        .returning(training_categories::id)
        .get_result(connection)
        .optional()
}

fn insert(connection: &mut PgConnection, category: &TrainingCategory, mut audit: AuditEntry) -> Outcome<()> {
    lock_organization::<CourseError>(connection, category.organization)?;
    if category.is_default {
        let loser = unset_default(connection, category.organization, category.updated_at)?;
        if let (Some(loser), Some(Value::Object(after))) = (loser, &mut audit.after) {
            after.insert("taken_from".into(), json!([loser]));
        }
    }
    diesel::insert_into(training_categories::table)
        .values((
            training_categories::id.eq(category.id.uuid()),
            training_categories::organization_id.eq(category.organization.uuid()),
            training_categories::name.eq(category.name.as_str()),
            training_categories::is_default.eq(category.is_default),
            training_categories::created_at.eq(category.created_at),
            training_categories::updated_at.eq(category.updated_at),
        ))
        .execute(connection)?;
    if category.is_default {
        let affected = Affected::Organization(category.organization.uuid());
        withdraw_unlisted(connection, &affected, category.updated_at)?;
    }
    Ok(audit::insert(connection, audit)?)
}

fn update(
    connection: &mut PgConnection,
    organization: OrgId,
    courses: Vec<CourseId>,
    edit: CategoriesEdit,
) -> Outcome<Vec<TrainingCategory>> {
    lock_organization::<CourseError>(connection, organization)?;
    let before = all_categories(connection, organization)?;
    let known = lock_courses(connection, courses.into_iter().map(CourseId::uuid).collect())?;
    let mut after = before.clone();
    let Some(audit) = edit(&mut after, &known).map_err(PgError::Refused)? else { return Ok(before) };
    save(connection, organization, &before, &after)?;
    let trains = |c: &TrainingCategory| (c.job_titles.clone(), c.courses.clone(), c.is_default);
    if before.iter().map(trains).ne(after.iter().map(trains)) {
        withdraw_unlisted(connection, &Affected::Organization(organization.uuid()), audit.at)?;
    }
    audit::insert(connection, audit)?;
    Ok(all_categories(connection, organization)?)
}

/// Writes the categories that differ, each kind of row in one statement.
fn save(
    connection: &mut PgConnection,
    organization: OrgId,
    before: &[TrainingCategory],
    after: &[TrainingCategory],
) -> QueryResult<()> {
    let pairs = || after.iter().zip(before).filter(|(new, old)| new != old);
    // First those that are not the default one: the index allows one at any moment.
    for is_default in [false, true] {
        let changed: Vec<_> =
            pairs().map(|(new, _)| new).filter(|new| new.is_default == is_default).collect();
        save_rows(connection, is_default, &changed)?;
    }
    let titles: Vec<_> =
        pairs().filter(|(new, old)| new.job_titles != old.job_titles).map(|(new, _)| new).collect();
    save_job_titles(connection, organization, &titles)?;
    let lists: Vec<_> = pairs().filter(|(new, old)| new.courses != old.courses).map(|(new, _)| new).collect();
    save_courses(connection, &lists)
}

fn ids_of(categories: &[&TrainingCategory]) -> Vec<Uuid> {
    categories.iter().map(|category| category.id.uuid()).collect()
}

fn save_rows(
    connection: &mut PgConnection,
    is_default: bool,
    categories: &[&TrainingCategory],
) -> QueryResult<()> {
    if categories.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = categories.iter().map(|category| category.name.as_str().to_owned()).collect();
    let times: Vec<DateTime<Utc>> = categories.iter().map(|category| category.updated_at).collect();
    statement(
        "UPDATE training_categories c SET name = n.name, is_default = {}, updated_at = n.updated_at \
         FROM unnest({}, {}, {}) n(id, name, updated_at) WHERE c.id = n.id",
    )
    .bind::<Bool, _>(is_default)
    .bind::<Array<SqlUuid>, _>(ids_of(categories))
    .bind::<Array<Text>, _>(names)
    .bind::<Array<Timestamptz>, _>(times)
    .execute(connection)
    .map(drop)
}

/// 1, 2, 3, …
fn positions() -> impl Iterator<Item = i32> {
    1..
}

fn save_job_titles(
    connection: &mut PgConnection,
    organization: OrgId,
    categories: &[&TrainingCategory],
) -> QueryResult<()> {
    if categories.is_empty() {
        return Ok(());
    }
    // All go first: a title moves from one category to another.
    statement("DELETE FROM category_job_titles WHERE category_id = ANY({})")
        .bind::<Array<SqlUuid>, _>(ids_of(categories))
        .execute(connection)?;
    let (mut ids, mut keys, mut texts, mut places) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for category in categories {
        for (title, place) in category.job_titles.iter().zip(positions()) {
            ids.push(category.id.uuid());
            keys.push(title.key().as_str().to_owned());
            texts.push(title.as_str().to_owned());
            places.push(place);
        }
    }
    statement(
        "INSERT INTO category_job_titles (organization_id, category_id, job_title_key, job_title, position) \
         SELECT {}, n.* FROM unnest({}, {}, {}, {}) n",
    )
    .bind::<SqlUuid, _>(organization.uuid())
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Text>, _>(keys)
    .bind::<Array<Text>, _>(texts)
    .bind::<Array<Integer>, _>(places)
    .execute(connection)
    .map(drop)
}

fn save_courses(connection: &mut PgConnection, categories: &[&TrainingCategory]) -> QueryResult<()> {
    if categories.is_empty() {
        return Ok(());
    }
    statement("DELETE FROM category_courses WHERE category_id = ANY({})")
        .bind::<Array<SqlUuid>, _>(ids_of(categories))
        .execute(connection)?;
    let (mut ids, mut courses, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for category in categories {
        for (course, place) in category.courses.as_slice().iter().zip(positions()) {
            ids.push(category.id.uuid());
            courses.push(course.uuid());
            places.push(place);
        }
    }
    statement(
        "INSERT INTO category_courses (category_id, course_id, position) SELECT * FROM unnest({}, {}, {})",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<SqlUuid>, _>(courses)
    .bind::<Array<Integer>, _>(places)
    .execute(connection)
    .map(drop)
}

fn named(constraint: &str) -> Option<CourseError> {
    (constraint == "training_categories_name_key").then(CourseError::category_name_taken)
}

// --- Job titles ----------------------------------------------------------------------------------------------------

row! {
    struct JobTitleRow, JobTitleColumns {
        job_title: String => Text,
        memberships_count: i64 => BigInt,
        category_id: Option<Uuid> => Nullable<SqlUuid>,
    }
}

impl From<JobTitleRow> for JobTitleInUse {
    fn from(row: JobTitleRow) -> Self {
        Self {
            title: JobTitle::from_stored(row.job_title),
            memberships_count: row.memberships_count,
            category: row.category_id.map(TrainingCategoryId::new),
        }
    }
}

// --- Course pools --------------------------------------------------------------------------------------------------

/// Which pools a statement is about.
enum Wanted {
    /// Those with members or a list of their own that pass.
    Passing(PoolFilter),
    /// These, whatever they hold: teams, and the category of each.
    Named(Vec<Uuid>, Vec<Uuid>),
}

impl Wanted {
    /// One row for each pool of the page, or one row of nulls; each with the total. No row: no such organization. Which pools
    /// there are is counted from teams, members and titles alone; names and courses are looked up for the page. Only the
    /// conditions that are asked for stand in the statement: one for all cases would get one plan for all cases.
    fn sql(&self) -> String {
        let (of_teams, beside, passes) = match self {
            Self::Passing(filter) => {
                let of_teams = filter.teams.as_ref().map_or("", |_| " AND t.id = ANY({})");
                let own = "SELECT t.id, v.training_category_id, 0 FROM course_pool_overrides v \
                     JOIN teams t ON t.id = v.team_id WHERE t.organization_id = o.id AND t.deleted_at IS NULL";
                let passes = filter.categories.as_ref().map_or("", |_| " AND x.category_id = ANY({})");
                (of_teams, format!("{own}{of_teams}"), passes)
            }
            Self::Named(..) => {
                let passes = " AND (x.team_id, x.category_id) IN (SELECT * FROM unnest({}, {}))";
                (" AND t.id = ANY({})", "SELECT n.*, 0 FROM unnest({}, {}) n".to_owned(), passes)
            }
        };
        format!(
            "SELECT found.total, found.organization_id, found.team_id, found.category_id, found.memberships_count, found.overridden, \
                found.updated_at, found.course_ids, found.course_names FROM organizations o CROSS JOIN LATERAL (WITH pairs AS MATERIALIZED ( \
                SELECT x.team_id, x.category_id, sum(x.members)::bigint AS memberships_count FROM ( \
                    SELECT g.team_id, coalesce(j.category_id, d.id) AS category_id, g.members FROM ( \
                        SELECT t.id AS team_id, m.job_title_key, count(*) AS members FROM teams t \
                        JOIN team_memberships tm ON tm.team_id = t.id JOIN memberships m ON m.id = tm.membership_id \
                        WHERE t.organization_id = o.id AND t.deleted_at IS NULL AND m.status <> 'deactivated'{of_teams} \
                        GROUP BY t.id, m.job_title_key) g \
                    LEFT JOIN category_job_titles j ON j.organization_id = o.id AND j.job_title_key = g.job_title_key \
                    LEFT JOIN training_categories d ON d.organization_id = o.id AND d.is_default \
                    UNION ALL {beside}) x \
                WHERE x.category_id IS NOT NULL{passes} GROUP BY x.team_id, x.category_id) \
             SELECT counted.total, page.* FROM (SELECT count(*) AS total FROM pairs) counted LEFT JOIN LATERAL ( \
                SELECT p.*, v.team_id IS NOT NULL AS overridden, coalesce(v.updated_at, p.category_updated_at) AS updated_at, \
                    list.course_ids, list.course_names \
                FROM (SELECT pairs.*, o.id AS organization_id, lower(t.name) AS team_name, lower(c.name) AS category_name, \
                        c.updated_at AS category_updated_at \
                    FROM pairs JOIN teams t ON t.id = pairs.team_id JOIN training_categories c ON c.id = pairs.category_id \
                    ORDER BY lower(t.name), t.id, lower(c.name), c.id LIMIT {{}} OFFSET {{}}) p \
                LEFT JOIN course_pool_overrides v ON v.team_id = p.team_id AND v.training_category_id = p.category_id \
                CROSS JOIN LATERAL (SELECT coalesce(array_agg(k.id ORDER BY u.n), ARRAY[]::uuid[]) AS course_ids, \
                        coalesce(array_agg(k.name ORDER BY u.n), ARRAY[]::text[]) AS course_names \
                    FROM unnest(CASE WHEN v.team_id IS NULL THEN ARRAY(SELECT i.course_id FROM category_courses i \
                        WHERE i.category_id = p.category_id ORDER BY i.position) ELSE v.course_ids END) \
                        WITH ORDINALITY u(id, n) JOIN courses k ON k.id = u.id) list) page ON true) found \
             WHERE o.id = {{}} ORDER BY found.team_name, found.team_id, found.category_name, found.category_id"
        )
    }

    /// Binds the values of [`sql`](Self::sql) that stand before those of the page.
    fn bind(self, statement: Statement) -> Statement {
        let ids = |statement: Statement, ids: Vec<Uuid>| statement.bind::<Array<SqlUuid>, _>(ids);
        match self {
            Self::Passing(filter) => {
                let teams = filter.teams.map(|teams| teams.into_iter().map(TeamId::uuid).collect::<Vec<_>>());
                let categories =
                    filter.categories.map(|all| all.into_iter().map(TrainingCategoryId::uuid).collect());
                [teams.clone(), teams, categories].into_iter().flatten().fold(statement, ids)
            }
            Self::Named(teams, categories) => {
                let pairs = [teams.clone(), categories.clone(), teams.clone(), categories];
                [teams].into_iter().chain(pairs).fold(statement, ids)
            }
        }
    }
}

row! {
    struct PoolRow, PoolColumns {
        organization_id: Uuid => SqlUuid,
        team_id: Uuid => SqlUuid,
        category_id: Uuid => SqlUuid,
        memberships_count: i64 => BigInt,
        overridden: bool => Bool,
        updated_at: DateTime<Utc> => Timestamptz,
        course_ids: Vec<Uuid> => Array<SqlUuid>,
        course_names: Vec<String> => Array<Text>,
    }
}

impl From<PoolRow> for CoursePool {
    fn from(row: PoolRow) -> Self {
        let (team, category) = (TeamId::new(row.team_id), TrainingCategoryId::new(row.category_id));
        let named = row.course_ids.into_iter().zip(row.course_names);
        let courses = named.zip(positions()).map(|((id, name), position)| PoolCourse {
            id: CourseId::new(id),
            name: CourseName::from_stored(name),
            position,
        });
        Self {
            id: CoursePoolId::of(team, category),
            organization: OrgId::new(row.organization_id),
            team,
            category,
            courses: courses.collect(),
            overridden: row.overridden,
            memberships_count: row.memberships_count,
            updated_at: row.updated_at,
        }
    }
}

fn load_pools(
    connection: &mut PgConnection,
    organization: OrgId,
    wanted: Wanted,
    page: PageRequest,
) -> QueryResult<Option<Page<CoursePool>>> {
    let sql = statement(wanted.sql());
    let rows: Vec<PageRow<PoolRow>> = wanted
        .bind(sql)
        .bind::<BigInt, _>(page.limit)
        .bind::<BigInt, _>(page.offset)
        .bind::<SqlUuid, _>(organization.uuid())
        .rows::<PageColumns<PoolColumns>>()
        .load(connection)?;
    Ok(read_page(rows).map(|page| page.map(CoursePool::from)))
}

/// What the wish is judged by, kept as it is until the transaction ends.
fn load_facts(
    connection: &mut PgConnection,
    organization: OrgId,
    changes: &[PoolChange],
) -> QueryResult<PoolFacts> {
    let team_ids: Vec<Uuid> = changes.iter().map(|change| change.team.uuid()).collect();
    let category_ids: Vec<Uuid> = changes.iter().map(|change| change.category.uuid()).collect();
    let live: Vec<Uuid> = teams::table
        .filter(teams::organization_id.eq(organization.uuid()).and(teams::id.eq_any(&team_ids)))
        .filter(teams::deleted_at.is_null())
        .order(teams::id)
        .select(teams::id)
        .for_share()
        .load(connection)?;
    let there: Vec<Uuid> = training_categories::table
        .filter(training_categories::organization_id.eq(organization.uuid()))
        .filter(training_categories::id.eq_any(category_ids))
        .select(training_categories::id)
        .load(connection)?;
    let listed = changes.iter().filter_map(|change| change.courses.as_ref()).flat_map(CourseList::as_slice);
    let mut course_ids: Vec<Uuid> = listed.map(|course| course.uuid()).collect();
    course_ids.sort_unstable();
    course_ids.dedup();
    let courses = lock_courses(connection, course_ids)?;
    let columns = (
        course_pool_overrides::team_id,
        course_pool_overrides::training_category_id,
        course_pool_overrides::course_ids,
    );
    let own: Vec<(Uuid, Uuid, Vec<Option<Uuid>>)> = course_pool_overrides::table
        .filter(course_pool_overrides::organization_id.eq(organization.uuid()))
        .filter(course_pool_overrides::team_id.eq_any(&team_ids))
        .select(columns)
        .load(connection)?;
    let overrides = own.into_iter().map(|(team, category, ids)| PoolOverride {
        team: TeamId::new(team),
        category: TrainingCategoryId::new(category),
        courses: stored_list(ids.into_iter().flatten().collect()),
    });
    Ok(PoolFacts {
        teams: live.into_iter().map(TeamId::new).collect(),
        categories: there.into_iter().map(TrainingCategoryId::new).collect(),
        courses,
        overrides: overrides.collect(),
    })
}

fn set_pools(
    connection: &mut PgConnection,
    organization: OrgId,
    changes: &[PoolChange],
    judge: PoolJudge,
) -> Outcome<Vec<CoursePool>> {
    lock_organization::<CourseError>(connection, organization)?;
    let facts = load_facts(connection, organization, changes)?;
    if let Some(audit) = judge(&facts).map_err(PgError::Refused)? {
        let present = |change: &PoolChange| {
            let own = |own: &&PoolOverride| own.team == change.team && own.category == change.category;
            facts.overrides.iter().find(own).map(|own| &own.courses)
        };
        let differing: Vec<&PoolChange> =
            changes.iter().filter(|change| present(change) != change.courses.as_ref()).collect();
        store_overrides(connection, organization, &differing, audit.at)?;
        withdraw_unlisted(connection, &Affected::Organization(organization.uuid()), audit.at)?;
        audit::insert(connection, audit)?;
    }
    let (teams, categories) =
        changes.iter().map(|change| (change.team.uuid(), change.category.uuid())).unzip();
    let pools = load_pools(connection, organization, Wanted::Named(teams, categories), ALL)?;
    Ok(pools.map(|page| page.items).unwrap_or_default())
}

/// All go first, then come those that are wanted: two statements, however many.
fn store_overrides(
    connection: &mut PgConnection,
    organization: OrgId,
    changes: &[&PoolChange],
    at: DateTime<Utc>,
) -> QueryResult<()> {
    let (teams, categories): (Vec<Uuid>, Vec<Uuid>) =
        changes.iter().map(|change| (change.team.uuid(), change.category.uuid())).unzip();
    statement(
        "DELETE FROM course_pool_overrides v USING unnest({}, {}) n(team_id, category_id) \
         WHERE v.team_id = n.team_id AND v.training_category_id = n.category_id",
    )
    .bind::<Array<SqlUuid>, _>(teams)
    .bind::<Array<SqlUuid>, _>(categories)
    .execute(connection)?;
    let own: Vec<_> = changes
        .iter()
        .filter_map(|change| change.courses.as_ref().map(|list| (change, list)))
        .map(|(change, list)| {
            let ids: Vec<Uuid> = list.as_slice().iter().map(|course| course.uuid()).collect();
            (
                course_pool_overrides::team_id.eq(change.team.uuid()),
                course_pool_overrides::training_category_id.eq(change.category.uuid()),
                course_pool_overrides::organization_id.eq(organization.uuid()),
                course_pool_overrides::course_ids.eq(ids),
                course_pool_overrides::updated_at.eq(at),
            )
        })
        .collect();
    diesel::insert_into(course_pool_overrides::table).values(own).execute(connection).map(drop)
}

#[async_trait]
impl TrainingRepository for PgTraining {
    async fn insert(&self, category: TrainingCategory, audit: AuditEntry) -> Result<(), CourseError> {
        let inserted = self.pg.write(move |connection| insert(connection, &category, audit));
        inserted.await.map_err(|error| error.into_domain(named))
    }

    async fn update(
        &self,
        organization: OrgId,
        courses: Vec<CourseId>,
        edit: CategoriesEdit,
    ) -> Result<Vec<TrainingCategory>, CourseError> {
        let updated = self.pg.write(move |connection| update(connection, organization, courses, edit));
        updated.await.map_err(|error| error.into_domain(named))
    }

    async fn set_pools(
        &self,
        organization: OrgId,
        changes: Vec<PoolChange>,
        judge: PoolJudge,
    ) -> Result<Vec<CoursePool>, CourseError> {
        let set = self.pg.write(move |connection| set_pools(connection, organization, &changes, judge));
        set.await.map_err(PgError::into_storage)
    }
}

#[async_trait]
impl TrainingQueries for PgTraining {
    async fn categories(
        &self,
        organization: OrgId,
        page: PageRequest,
    ) -> Result<Option<Page<TrainingCategory>>, CourseError> {
        let found = self.pg.read(move |connection| Ok(load_categories(connection, organization, page)?));
        found.await.map_err(PgError::into_storage)
    }

    async fn job_titles(
        &self,
        organization: OrgId,
        page: PageRequest,
    ) -> Result<Option<Page<JobTitleInUse>>, CourseError> {
        let found = self.pg.read(move |connection| {
            let rows: Vec<PageRow<JobTitleRow>> = statement(JOB_TITLES)
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset)
                .bind::<SqlUuid, _>(organization.uuid())
                .rows::<PageColumns<JobTitleColumns>>()
                .load(connection)?;
            Ok(read_page(rows).map(|page| page.map(JobTitleInUse::from)))
        });
        found.await.map_err(PgError::into_storage)
    }

    async fn pools(
        &self,
        organization: OrgId,
        filter: PoolFilter,
        page: PageRequest,
    ) -> Result<Option<Page<CoursePool>>, CourseError> {
        let wanted = Wanted::Passing(filter);
        let found = self.pg.read(move |connection| Ok(load_pools(connection, organization, wanted, page)?));
        found.await.map_err(PgError::into_storage)
    }
}
