use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{AuditEntry, ImportMode, OrgId, Page, PageRequest, Refusal};
use domain_orgs::ports::{OrganizationEdit, OrganizationRepository};
use domain_orgs::{
    Cadence, Folder, GraceDays, LateWindowDays, OrgError, OrgName, Organization, RecycleDays, SamlInfo,
    TimeZone,
};
use uuid::Uuid;

use crate::error::{PgError, unreadable};
use crate::schema::organizations;
use crate::sql::{PageColumns, PageRow, Statement, read_page, row, statement};
use crate::{Pg, audit};

/// An organization `o` with its counts.
macro_rules! organization_columns {
    () => {
        "o.id, o.name, o.s3_integrations_folder, o.saml_info, o.sso_enforced, o.time_zone, o.cadence, o.import_mode, \
         o.reporting_grace_days, o.late_window_days, o.recycle_after_days, o.created_at, o.updated_at, \
         (SELECT count(*) FROM teams t WHERE t.organization_id = o.id AND t.deleted_at IS NULL) AS teams_count, \
         (SELECT count(*) FROM memberships m WHERE m.organization_id = o.id AND m.status <> 'deactivated') \
            AS memberships_count"
    };
}

const ORGANIZATION: &str =
    concat!("SELECT ", organization_columns!(), " FROM organizations o WHERE o.id = {}");

/// One row for each organization of the page, or one row of nulls; each with the total. Only those of the page are counted
/// through, so they are picked first.
const ORGANIZATIONS: &str = concat!(
    "SELECT whole.total, page.* FROM (SELECT count(*) AS total FROM organizations) whole LEFT JOIN LATERAL (SELECT ",
    organization_columns!(),
    " FROM (SELECT * FROM organizations ORDER BY lower(name), id LIMIT {} OFFSET {}) o) page ON true \
     ORDER BY lower(page.name), page.id"
);

const ORGANIZATIONS_BY_IDS: &str = concat!(
    "SELECT whole.total, page.* FROM (SELECT count(*) AS total FROM organizations WHERE id = ANY({})) whole \
     LEFT JOIN LATERAL (SELECT ",
    organization_columns!(),
    " FROM organizations o WHERE o.id = ANY({}) ORDER BY lower(o.name), o.id LIMIT {} OFFSET {}) page ON true \
     ORDER BY lower(page.name), page.id"
);

row! {
    struct OrganizationRow, OrganizationColumns {
        id: Uuid => SqlUuid,
        name: String => Text,
        s3_integrations_folder: String => Text,
        saml_info: Option<String> => Nullable<Text>,
        sso_enforced: bool => Bool,
        time_zone: String => Text,
        cadence: String => Text,
        import_mode: String => Text,
        reporting_grace_days: i32 => Integer,
        late_window_days: i32 => Integer,
        recycle_after_days: i32 => Integer,
        created_at: DateTime<Utc> => Timestamptz,
        updated_at: DateTime<Utc> => Timestamptz,
        teams_count: i64 => BigInt,
        memberships_count: i64 => BigInt,
    }
}

impl OrganizationRow {
    fn read(self) -> Result<Organization, OrgError> {
        Ok(Organization {
            id: OrgId::new(self.id),
            name: OrgName::from_stored(self.name),
            s3_integrations_folder: Folder::from_stored(self.s3_integrations_folder),
            saml_info: self.saml_info.map(SamlInfo::from_stored),
            sso_enforced: self.sso_enforced,
            time_zone: TimeZone::from_stored(self.time_zone),
            cadence: Cadence::parse(&self.cadence)
                .ok_or_else(|| unreadable("organizations", "known cadence"))?,
            import_mode: ImportMode::parse(&self.import_mode)
                .ok_or_else(|| unreadable("organizations", "known import mode"))?,
            reporting_grace_days: GraceDays::from_stored(self.reporting_grace_days),
            late_window_days: LateWindowDays::from_stored(self.late_window_days),
            recycle_after_days: RecycleDays::from_stored(self.recycle_after_days),
            teams_count: self.teams_count,
            memberships_count: self.memberships_count,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

type Outcome<T> = Result<T, PgError<OrgError>>;

/// Makes changes in one organization queue up. Refused if there is none.
pub(crate) fn lock_organization<E: From<Refusal>>(
    connection: &mut PgConnection,
    id: OrgId,
) -> Result<(), PgError<E>> {
    let row = organizations::table.find(id.uuid()).select(organizations::id);
    let locked: Option<Uuid> = row.for_no_key_update().first(connection).optional()?;
    locked.map(drop).ok_or_else(|| PgError::Refused(Refusal::NotFound.into()))
}

fn load(connection: &mut PgConnection, id: OrgId) -> Outcome<Option<Organization>> {
    let row: Option<OrganizationRow> = statement(ORGANIZATION)
        .bind::<SqlUuid, _>(id.uuid())
        .rows::<OrganizationColumns>()
        .get_result(connection)
        .optional()?;
    row.map(OrganizationRow::read).transpose().map_err(PgError::Refused)
}

/// What is said of an organization; the same for a new one and for one that is changed.
macro_rules! settings {
    ($organization:expr) => {
        (
            organizations::name.eq($organization.name.as_str()),
            organizations::s3_integrations_folder.eq($organization.s3_integrations_folder.as_str()),
            organizations::saml_info.eq($organization.saml_info.as_ref().map(SamlInfo::as_str)),
            organizations::sso_enforced.eq($organization.sso_enforced),
            organizations::time_zone.eq($organization.time_zone.as_str()),
            organizations::cadence.eq($organization.cadence.as_str()),
            organizations::import_mode.eq($organization.import_mode.as_str()),
            organizations::reporting_grace_days.eq($organization.reporting_grace_days.get()),
            organizations::late_window_days.eq($organization.late_window_days.get()),
            organizations::recycle_after_days.eq($organization.recycle_after_days.get()),
            organizations::updated_at.eq($organization.updated_at),
        )
    };
}

/// Refuses the folder if it is, holds or lies within one of another organization. Others who take a folder wait until the
/// transaction ends.
fn take_folder(connection: &mut PgConnection, organization: &Organization) -> Outcome<()> {
    statement("SELECT pg_advisory_xact_lock(hashtext('folders'))").execute(connection)?;
    let folder = organization.s3_integrations_folder.as_str();
    let is_nested: bool = statement(
        "SELECT EXISTS (SELECT FROM organizations WHERE id <> {} \
         AND (starts_with(s3_integrations_folder || '/', {} || '/') OR starts_with({} || '/', s3_integrations_folder || '/')))",
    )
    .bind::<SqlUuid, _>(organization.id.uuid())
    .bind::<Text, _>(folder.to_owned())
    .bind::<Text, _>(folder.to_owned())
    .rows::<Bool>()
    .get_result(connection)?;
    if is_nested { Err(PgError::Refused(OrgError::folder_taken())) } else { Ok(()) }
}

/// Refuses a time zone that PostgreSQL cannot count in: its own list may be older than the domain's.
fn require_time_zone(connection: &mut PgConnection, time_zone: &TimeZone) -> Outcome<()> {
    let is_known: bool = statement("SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = {})")
        .bind::<Text, _>(time_zone.as_str().to_owned())
        .rows::<Bool>()
        .get_result(connection)?;
    if is_known { Ok(()) } else { Err(PgError::Refused(OrgError::time_zone_unknown())) }
}

fn named(constraint: &str) -> Option<OrgError> {
    (constraint == "organizations_s3_integrations_folder_key").then(OrgError::folder_taken)
}

fn update(connection: &mut PgConnection, id: OrgId, edit: OrganizationEdit) -> Outcome<Organization> {
    let not_found = || PgError::Refused(Refusal::NotFound.into());
    lock_organization::<OrgError>(connection, id)?;
    let before = load(connection, id)?.ok_or_else(not_found)?;
    let mut organization = before.clone();
    let Some(audit) = edit(&mut organization).map_err(PgError::Refused)? else { return Ok(before) };
    if organization.s3_integrations_folder != before.s3_integrations_folder {
        take_folder(connection, &organization)?;
    }
    if organization.time_zone != before.time_zone {
        require_time_zone(connection, &organization.time_zone)?;
    }
    diesel::update(organizations::table.find(id.uuid())).set(settings!(organization)).execute(connection)?;
    audit::insert(connection, audit)?;
    load(connection, id)?.ok_or_else(not_found)
}

/// Organizations in PostgreSQL.
#[derive(Clone)]
pub struct PgOrganizations {
    pg: Pg,
}

impl PgOrganizations {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }

    async fn page(&self, list: Statement) -> Result<Page<Organization>, OrgError> {
        let rows = self
            .pg
            .read(move |connection| Ok(list.rows::<PageColumns<OrganizationColumns>>().load(connection)?));
        let rows: Vec<PageRow<OrganizationRow>> = rows.await.map_err(PgError::<OrgError>::into_storage)?;
        read_page(rows).unwrap_or_default().try_map(OrganizationRow::read)
    }
}

#[async_trait]
impl OrganizationRepository for PgOrganizations {
    async fn insert(&self, organization: Organization, audit: AuditEntry) -> Result<(), OrgError> {
        let inserted = self.pg.write(move |connection| {
            take_folder(connection, &organization)?;
            diesel::insert_into(organizations::table)
                .values((
                    organizations::id.eq(organization.id.uuid()),
                    organizations::created_at.eq(organization.created_at),
                    settings!(organization),
                ))
                .execute(connection)?;
            Ok(audit::insert(connection, audit)?)
        });
        inserted.await.map_err(|error| error.into_domain(named))
    }

    async fn update(&self, id: OrgId, edit: OrganizationEdit) -> Result<Organization, OrgError> {
        let updated = self.pg.write(move |connection| update(connection, id, edit));
        updated.await.map_err(|error| error.into_domain(named))
    }

    async fn find(&self, id: OrgId) -> Result<Option<Organization>, OrgError> {
        let found = self.pg.read(move |connection| load(connection, id));
        found.await.map_err(PgError::into_storage)
    }

    async fn list(&self, page: PageRequest) -> Result<Page<Organization>, OrgError> {
        let list = statement(ORGANIZATIONS).bind::<BigInt, _>(page.limit).bind::<BigInt, _>(page.offset);
        self.page(list).await
    }

    async fn list_by_ids(&self, ids: Vec<OrgId>, page: PageRequest) -> Result<Page<Organization>, OrgError> {
        let ids: Vec<Uuid> = ids.into_iter().map(OrgId::uuid).collect();
        let list = statement(ORGANIZATIONS_BY_IDS)
            .bind::<Array<SqlUuid>, _>(ids.clone())
            .bind::<Array<SqlUuid>, _>(ids)
            .bind::<BigInt, _>(page.limit)
            .bind::<BigInt, _>(page.offset);
        self.page(list).await
    }
}
