//! What the contract tests share: the ports over a test's own database, and builders of values that are filled in
//! completely, so that a column which is not stored shows.

#![expect(dead_code, reason = "each test file needs a part of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use adapter_postgres::testing::TestDatabase;
use adapter_postgres::{
    Pg, PgCourses, PgError, PgMemberships, PgOrganizations, PgSettings, PgTeams, PgTraining, PgUsers,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Jsonb;
use domain_courses::ports::{
    CourseQueries, CourseRepository, TrainingQueries, TrainingRepository, VersionQueries, VersionRepository,
};
use domain_courses::{CategoryName, CourseList, ListedCourse, TrainingCategory};
use domain_kernel::{
    AuditEntry, AuditSubject, CourseId, DomainError, EmailAddress, ExternalId, ImportId, ImportMode,
    InvitationId, InviteCode, JobTitle, LanguageCode, MembershipId, NameKey, OrgId, Origin, PageRequest,
    PasswordResetId, PersonName, SearchWords, SessionId, Sort, StaffRole, TeamId, TrainingCategoryId, UserId,
};
use domain_memberships::ports::{
    InvitationRepository, MembershipEdit, MembershipQueries, MembershipRepository, NewMembership,
};
use domain_memberships::roster::NewImport;
use domain_memberships::{
    Added, FileKey, Invitation, InvitationStatus, Membership, MembershipStatus, MembershipView,
};
use domain_orgs::ports::OrganizationRepository;
use domain_orgs::{
    Cadence, Folder, GraceDays, LateWindowDays, OrgName, Organization, RecycleDays, SamlInfo, TimeZone,
};
use domain_teams::ports::{RefinementRepository, TeamQueries, TeamRepository};
use domain_teams::{Team, TeamName};
use domain_users::ports::{
    AuditTrail, ChampionRepository, PasswordResetRepository, Registration, SessionRepository, UserArchive,
    UserChange, UserEdit, UserQueries, UserRepository,
};
use domain_users::{
    Account, ClientId, Device, Login, MembershipBrief, PasswordHash, PasswordReset, Provider, RedirectTarget,
    Secret, Session, TokenHash, TokenState, User, Username,
};
use serde_json::{Value, json};
use uuid::Uuid;

static COUNTER: AtomicU64 = AtomicU64::new(1);

fn next() -> u64 {
    COUNTER.fetch_add(1, Ordering::Relaxed)
}

/// Ids 1, 2, 3, …
pub(crate) fn next_id() -> Uuid {
    Uuid::from_u128(u128::from(next()))
}

/// So many minutes after 2026-01-05T08:00:00Z.
pub(crate) fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_600_000, 0).expect("a time") + TimeDelta::minutes(minutes)
}

pub(crate) fn code(text: &str) -> InviteCode {
    InviteCode::parse(text).expect("a code")
}

pub(crate) fn name(text: &str) -> PersonName {
    PersonName::parse(text).expect("a name")
}

pub(crate) fn language(code: &str) -> LanguageCode {
    LanguageCode::from_stored(code.to_owned())
}

pub(crate) fn username(text: &str) -> Username {
    Username::parse(text, Provider::of(text)).expect("a username")
}

pub(crate) fn login(text: &str) -> Login {
    Login::parse(text, None).expect("a login")
}

pub(crate) fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(text.to_owned())
}

/// A change by the person themselves.
pub(crate) fn own(change: impl FnOnce(&mut User) + Send + 'static) -> UserEdit {
    Box::new(move |account| {
        change(&mut account.user);
        Ok(UserChange::Own)
    })
}

/// 32 bytes that differ from all others.
fn bytes() -> [u8; 32] {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&next().to_be_bytes());
    bytes
}

pub(crate) fn token() -> TokenHash {
    TokenHash::new(bytes())
}

pub(crate) fn tokens(until: DateTime<Utc>) -> TokenState {
    TokenState { current: token(), next: Some(token()), previous: Some((token(), until)) }
}

/// A new person whose name is a username, or an address if it has an `@`.
pub(crate) fn a_user(text: &str) -> User {
    let provider = Provider::of(text);
    User {
        id: UserId::new(next_id()),
        username: username(text),
        provider,
        email: EmailAddress::parse(text).ok(),
        first_name: name("Zoë"),
        last_name: name("van Dijk"),
        staff_role: None,
        language: language("nl"),
        must_change_password: true,
        locked_at: None,
        deleted_at: None,
        last_sign_in_at: Some(at(0)),
        former_uid: None,
        champion_certification: None,
        created_at: at(0),
        updated_at: at(1),
    }
}

pub(crate) fn a_session(user: UserId, start: DateTime<Utc>) -> Session {
    Session {
        id: SessionId::new(next_id()),
        user,
        client: ClientId::generate(&Secret::new(bytes())),
        tokens: tokens(start + TimeDelta::seconds(60)),
        created_at: start,
        last_used_at: start,
        expires_at: start + TimeDelta::days(14),
        absolute_expires_at: start + TimeDelta::days(90),
        device: Device { user_agent: Some("Browser/1.0".into()), ip: Some([192, 0, 2, 7].into()) },
    }
}

pub(crate) fn a_registration(user: &User, invite_code: Option<&str>) -> Registration {
    Registration {
        user: user.clone(),
        password_hash: hash("first hash"),
        invite_code: invite_code.map(code),
        session: a_session(user.id, at(10)),
    }
}

pub(crate) fn a_reset(user: UserId, created_at: DateTime<Utc>) -> PasswordReset {
    PasswordReset {
        id: PasswordResetId::new(next_id()),
        user,
        token: token(),
        redirect: RedirectTarget::from_stored("https://app.example.org/reset?from=mail#/top")
            .expect("a target"),
        created_at,
        expires_at: created_at + TimeDelta::hours(1),
        used_at: None,
    }
}

pub(crate) fn an_organization(text: &str) -> Organization {
    Organization {
        id: OrgId::new(next_id()),
        name: OrgName::parse(text).expect("a name"),
        s3_integrations_folder: Folder::parse(&format!("{}/feed", text.to_lowercase())).expect("a folder"),
        saml_info: SamlInfo::parse("<EntityDescriptor/>").ok(),
        sso_enforced: true,
        time_zone: TimeZone::parse("America/Chicago").expect("a time zone"),
        cadence: Cadence::Monthly,
        import_mode: ImportMode::Snapshot,
        reporting_grace_days: GraceDays::parse(14).expect("in bounds"),
        late_window_days: LateWindowDays::parse(21).expect("in bounds"),
        recycle_after_days: RecycleDays::parse(90).expect("in bounds"),
        teams_count: 0,
        memberships_count: 0,
        created_at: at(2),
        updated_at: at(3),
    }
}

pub(crate) fn a_team(organization: OrgId, text: &str) -> Team {
    let team = TeamName::parse(text).expect("a name");
    Team { updated_at: at(5), ..Team::new(TeamId::new(next_id()), organization, team, at(4)) }
}

pub(crate) fn an_audit(
    actor: UserId,
    action: &'static str,
    organization: Option<OrgId>,
    subject: AuditSubject,
) -> AuditEntry {
    AuditEntry {
        id: next_id(),
        at: at(6),
        actor,
        organization,
        action,
        subject,
        before: Some(json!({ "name": "before" })),
        after: Some(json!({ "name": "after", "list": [1, null] })),
        origin: Origin { request_id: "req-1".into(), ip: Some([192, 0, 2, 9].into()) },
    }
}

/// A category without job titles and courses.
pub(crate) fn a_category(organization: OrgId, text: &str) -> TrainingCategory {
    TrainingCategory {
        id: TrainingCategoryId::new(next_id()),
        organization,
        name: CategoryName::parse(text).expect("a name"),
        job_titles: vec![],
        courses: CourseList::default(),
        is_default: false,
        created_at: at(4),
        updated_at: at(5),
    }
}

pub(crate) fn category_audit(actor: UserId, category: &TrainingCategory) -> AuditEntry {
    let subject = AuditSubject::TrainingCategory(category.id);
    an_audit(actor, "training_category.update", Some(category.organization), subject)
}

/// A course of the library or of an organization, as far as lists need one.
pub(crate) fn given_course(db: &TestDatabase, organization: Option<OrgId>, text: &str) -> CourseId {
    let id = CourseId::new(next_id());
    let owner = organization.map_or_else(|| "NULL".to_owned(), |id| format!("'{id}'"));
    db.execute(&format!(
        "INSERT INTO courses (id, organization_id, name, created_at, updated_at) \
         VALUES ('{id}', {owner}, '{text}', now(), now())"
    ));
    id
}

pub(crate) fn team_audit(actor: UserId, team: &Team) -> AuditEntry {
    an_audit(actor, "team.create", Some(team.organization), AuditSubject::Team(team.id))
}

/// A person on the roster whose invitation works for a day from `at(20)`.
pub(crate) fn a_membership(actor: UserId, organization: OrgId, invite_code: &str) -> NewMembership {
    let n = next();
    let membership = Membership {
        id: MembershipId::new(next_id()),
        organization,
        user: None,
        external_id: ExternalId::parse(&format!("E-{n}")).ok(),
        first_name: name("Ann"),
        last_name: name("Lee"),
        email: EmailAddress::parse("ann.lee@example.org").ok(),
        job_title: JobTitle::parse("Forklift driver").ok(),
        org_admin: false,
        status: MembershipStatus::Pending,
        hired_on: NaiveDate::from_ymd_opt(2025, 12, 1),
        first_seen_at: at(19),
        reporting_starts_on: NaiveDate::from_ymd_opt(2025, 12, 15).expect("a day"),
        deactivated_at: None,
        created_at: at(20),
        updated_at: at(20),
        teams: vec![],
        administered_teams: vec![],
    };
    let invitation = Invitation {
        id: InvitationId::new(next_id()),
        organization,
        membership: membership.id,
        code: code(invite_code),
        status: InvitationStatus::Pending,
        expires_at: at(20) + TimeDelta::days(1),
        created_at: at(20),
    };
    let subject = AuditSubject::Membership(membership.id);
    let audit = an_audit(actor, "membership.create", Some(organization), subject);
    NewMembership { membership, invitation, audit }
}

/// What the account of the person who took the membership says of it.
pub(crate) fn brief_of(membership: &Membership, organization_name: &str) -> MembershipBrief {
    MembershipBrief {
        id: membership.id,
        organization: membership.organization,
        organization_name: organization_name.to_owned(),
        org_admin: membership.org_admin,
        status: domain_users::MembershipStatus::Active,
        job_title: membership.job_title.as_ref().map(|title| title.as_str().to_owned()),
        teams: membership.teams.clone(),
        administered_teams: membership.administered_teams.clone(),
    }
}

/// An import of a file of North that is there, as a snapshot.
pub(crate) fn an_import(organization: OrgId, file: &str) -> NewImport {
    NewImport {
        id: ImportId::new(next_id()),
        organization,
        key: FileKey::parse(&format!("north/feed/{file}"), "north/feed").expect("a key"),
        etag: Some("\"e1\"".into()),
        mode: ImportMode::Snapshot,
        dry_run: false,
        created_by: None,
        at: at(100),
    }
}

pub(crate) fn import_audit(actor: UserId, new: &NewImport) -> AuditEntry {
    an_audit(actor, "import.start", Some(new.organization), AuditSubject::Import(new.id))
}

/// The whole of any list here.
pub(crate) const ALL: PageRequest = PageRequest { offset: 0, limit: 1000 };

pub(crate) fn page(offset: i64, limit: i64) -> PageRequest {
    PageRequest { offset, limit }
}

pub(crate) fn words(text: &str) -> SearchWords {
    SearchWords::parse(text).expect("words")
}

/// An order as a client writes it.
pub(crate) fn sort(text: &str) -> Sort<NameKey> {
    Sort::parse(text, &NameKey::WORDS).expect("an order")
}

/// An audit row about a membership.
pub(crate) fn membership_audit(actor: UserId, membership: &Membership) -> AuditEntry {
    let subject = AuditSubject::Membership(membership.id);
    an_audit(actor, "membership.update", Some(membership.organization), subject)
}

/// A change of a membership that leaves this audit row.
pub(crate) fn edited(
    audit: AuditEntry,
    change: impl FnOnce(&mut MembershipView) + Send + 'static,
) -> MembershipEdit {
    Box::new(move |view| {
        change(view);
        Ok(Some(audit))
    })
}

/// The change by which somebody leaves.
pub(crate) fn departure(audit: AuditEntry, time: DateTime<Utc>) -> MembershipEdit {
    edited(audit, move |view| {
        view.membership.deactivate(time);
        view.membership.updated_at = time;
    })
}

/// Every port over one pool.
#[derive(Clone)]
pub(crate) struct Ports {
    pub(crate) pg: Pg,
    pub(crate) users: Arc<dyn UserRepository>,
    pub(crate) user_queries: Arc<dyn UserQueries>,
    pub(crate) archive: Arc<dyn UserArchive>,
    pub(crate) audit: Arc<dyn AuditTrail>,
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) resets: Arc<dyn PasswordResetRepository>,
    pub(crate) champions: Arc<dyn ChampionRepository>,
    pub(crate) memberships: Arc<dyn MembershipRepository>,
    pub(crate) membership_queries: Arc<dyn MembershipQueries>,
    pub(crate) invitations: Arc<dyn InvitationRepository>,
    pub(crate) organizations: Arc<dyn OrganizationRepository>,
    pub(crate) teams: Arc<dyn TeamRepository>,
    pub(crate) team_queries: Arc<dyn TeamQueries>,
    pub(crate) refinements: Arc<dyn RefinementRepository>,
    pub(crate) courses: Arc<dyn CourseRepository>,
    pub(crate) course_queries: Arc<dyn CourseQueries>,
    pub(crate) versions: Arc<dyn VersionRepository>,
    pub(crate) version_queries: Arc<dyn VersionQueries>,
    pub(crate) training: Arc<dyn TrainingRepository>,
    pub(crate) training_queries: Arc<dyn TrainingQueries>,
}

impl Ports {
    pub(crate) fn over(db: &TestDatabase) -> Self {
        Self::on(db.pg())
    }

    pub(crate) fn on(pg: Pg) -> Self {
        let users = Arc::new(PgUsers::new(pg.clone()));
        let memberships = Arc::new(PgMemberships::new(pg.clone()));
        let teams = Arc::new(PgTeams::new(pg.clone()));
        let training = Arc::new(PgTraining::new(pg.clone()));
        let courses = Arc::new(PgCourses::new(pg.clone()));
        Self {
            users: users.clone(),
            user_queries: users.clone(),
            archive: users.clone(),
            audit: users.clone(),
            sessions: users.clone(),
            resets: users.clone(),
            champions: users,
            memberships: memberships.clone(),
            membership_queries: memberships.clone(),
            invitations: memberships,
            organizations: Arc::new(PgOrganizations::new(pg.clone())),
            teams: teams.clone(),
            team_queries: teams.clone(),
            refinements: teams,
            courses: courses.clone(),
            course_queries: courses.clone(),
            versions: courses.clone(),
            version_queries: courses,
            training: training.clone(),
            training_queries: training,
            pg,
        }
    }

    /// The ports, a staff admin and the organization North.
    pub(crate) async fn ready(db: &TestDatabase) -> (Self, UserId, OrgId) {
        let ports = Self::over(db);
        let staff = ports.given_staff().await;
        let organization = ports.given_organization(staff, "North").await;
        (ports, staff, organization)
    }

    /// A staff admin, who does what is audited.
    pub(crate) async fn given_staff(&self) -> UserId {
        let user = User { staff_role: Some(StaffRole::Admin), ..a_user("staff-admin") };
        let inserted = self.users.insert_staff(user.clone(), hash("staff"), false).await;
        inserted.expect("the staff admin is new");
        user.id
    }

    pub(crate) async fn given_organization(&self, actor: UserId, text: &str) -> OrgId {
        let organization = an_organization(text);
        let id = organization.id;
        let audit = an_audit(actor, "organization.create", Some(id), AuditSubject::Organization(id));
        let inserted = self.organizations.insert(organization, audit).await;
        inserted.expect("the organization is new");
        id
    }

    pub(crate) async fn given_team(&self, actor: UserId, organization: OrgId, text: &str) -> TeamId {
        let team = a_team(organization, text);
        let inserted = self.teams.insert(team.clone(), team_audit(actor, &team)).await;
        inserted.expect("the team is new");
        team.id
    }

    /// A category with these job titles and courses.
    pub(crate) async fn given_category(
        &self,
        actor: UserId,
        organization: OrgId,
        text: &str,
        job_titles: &[&str],
        courses: &[CourseId],
    ) -> TrainingCategory {
        let category = a_category(organization, text);
        let id = category.id;
        let inserted = self.training.insert(category.clone(), category_audit(actor, &category)).await;
        inserted.expect("the category is new");
        let titles = job_titles.iter().map(|title| JobTitle::parse(title).expect("a title")).collect();
        let (audit, list) = (category_audit(actor, &category), CourseList::from_stored(courses.to_vec()));
        let edit = Box::new(move |categories: &mut [TrainingCategory], _: &[ListedCourse]| {
            let category = categories.iter_mut().find(|category| category.id == id).expect("it is there");
            category.take(titles, at(8));
            category.courses = list;
            Ok(Some(audit))
        });
        let all = self.training.update(organization, courses.to_vec(), edit).await.expect("changes");
        all.into_iter().find(|category| category.id == id).expect("it is there")
    }

    /// Somebody who signed up without a code, and their first session.
    pub(crate) async fn given_user(&self, text: &str) -> (User, Session) {
        self.given_member(text, None).await
    }

    /// Somebody who signed up with a code.
    pub(crate) async fn given_member(&self, text: &str, invite_code: Option<&str>) -> (User, Session) {
        let user = a_user(text);
        let registration = a_registration(&user, invite_code);
        let session = registration.session.clone();
        let account = self.users.register(registration).await.expect("the sign-up works");
        (account.user, session)
    }

    pub(crate) async fn given_membership(&self, new: NewMembership) -> MembershipView {
        match self.memberships.add(new).await.expect("the membership is new") {
            Added::Created(view) | Added::Reactivated(view) => view,
        }
    }

    /// The membership as it is stored.
    pub(crate) async fn view(&self, id: MembershipId) -> MembershipView {
        self.memberships.find(id).await.expect("looked up").expect("there is one")
    }

    /// Somebody with these names on the roster and on the account who took the membership.
    pub(crate) async fn given_named_member(
        &self,
        actor: UserId,
        organization: OrgId,
        [first, last]: [&str; 2],
        invite_code: &str,
    ) -> (User, MembershipId) {
        let mut new = a_membership(actor, organization, invite_code);
        new.membership.first_name = name(first);
        new.membership.last_name = name(last);
        let view = self.given_membership(new).await;
        let user =
            User { first_name: name(first), last_name: name(last), ..a_user(&format!("person-{}", next())) };
        let account = self.users.register(a_registration(&user, Some(invite_code))).await;
        (account.expect("the sign-up works").user, view.membership.id)
    }

    /// Ends a membership, as an admin does.
    pub(crate) async fn given_departure(
        &self,
        actor: UserId,
        id: MembershipId,
        time: DateTime<Utc>,
    ) -> MembershipView {
        let audit = membership_audit(actor, &self.view(id).await.membership);
        self.memberships
            .update(id, departure(audit, time))
            .await
            .expect("somebody else runs the organization")
    }

    /// A person who runs the organization.
    pub(crate) async fn given_org_admin(
        &self,
        actor: UserId,
        organization: OrgId,
        text: &str,
        invite_code: &str,
    ) -> (User, Session) {
        let mut new = a_membership(actor, organization, invite_code);
        new.membership.org_admin = true;
        self.given_membership(new).await;
        self.given_member(text, Some(invite_code)).await
    }

    /// The account behind a session, read back.
    pub(crate) async fn account_of(&self, session: &Session) -> Account {
        let found = self.sessions.find(&session.client).await.expect("found");
        found.expect("the session is open").1
    }

    /// The `value` column of a query.
    pub(crate) async fn json(&self, sql: &'static str) -> Vec<Value> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Jsonb)]
            value: Value,
        }
        let rows = self.pg.read(move |connection| {
            Ok::<Vec<Row>, PgError<std::convert::Infallible>>(diesel::sql_query(sql).load(connection)?)
        });
        rows.await.expect("the query runs").into_iter().map(|row| row.value).collect()
    }

    /// All audit rows in the order of their making.
    pub(crate) async fn audit_rows(&self) -> Vec<Value> {
        self.json("SELECT to_jsonb(a) AS value FROM audit_log a ORDER BY id").await
    }
}

/// The stored form of an audit entry.
pub(crate) fn audit_json(entry: &AuditEntry) -> Value {
    let (subject_kind, subject_id) = entry.subject.parts();
    json!({
        "id": entry.id.to_string(),
        "at": entry.at.to_rfc3339(),
        "actor_id": entry.actor.to_string(),
        "organization_id": entry.organization.map(|id| id.to_string()),
        "action": entry.action,
        "subject_kind": subject_kind,
        "subject_id": subject_id.to_string(),
        "before": entry.before,
        "after": entry.after,
        "request_id": entry.origin.request_id,
        "ip": entry.origin.ip.map(|ip| ip.to_string()),
    })
}

/// A pool with these settings.
pub(crate) fn pool(db: &TestDatabase, pool_size: u32, acquire_ms: u64, statement_ms: u64) -> Pg {
    Pg::new(PgSettings {
        url: db.url().to_owned(),
        pool_size,
        acquire_timeout: Duration::from_millis(acquire_ms),
        statement_timeout: Duration::from_millis(statement_ms),
    })
}

/// Every row of every table: the same before and after means that nothing was written.
pub(crate) fn everything(db: &TestDatabase) -> Vec<String> {
    let tables = [
        "users",
        "sessions",
        "password_resets",
        "organizations",
        "memberships",
        "invitations",
        "teams",
        "team_memberships",
        "team_admins",
        "courses",
        "course_versions",
        "training_categories",
        "category_job_titles",
        "category_courses",
        "course_pool_overrides",
        "assignments",
        "progress_events",
        "champion_certifications",
        "refinements",
        "imports",
        "import_rows",
        "roster_stage",
        "jobs",
        "audit_log",
    ];
    let selects =
        tables.map(|table| format!("SELECT '{table}' AS name, to_jsonb(t) AS content FROM {table} t"));
    db.rows(&format!("SELECT * FROM ({}) a ORDER BY name, content", selects.join(" UNION ALL ")))
}

/// The number of rows, such as `count(&db, "users WHERE …")`.
pub(crate) fn count(db: &TestDatabase, from: &str) -> usize {
    db.rows(&format!("SELECT 1 FROM {from}")).len()
}

/// The fields that an error names, with the codes of their problems.
pub(crate) fn fields_of(error: &dyn DomainError) -> Vec<(String, &'static str)> {
    let Some(fields) = error.fields() else {
        return vec![];
    };
    fields
        .iter()
        .flat_map(|(field, problems)| problems.iter().map(move |problem| (field.to_owned(), problem.code)))
        .collect()
}

/// Runs all at once, each on a task of its own, and gives what they gave.
pub(crate) async fn all_at_once<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::new();
    for task in running {
        done.push(task.await.expect("no panic"));
    }
    done
}

/// A transaction of the test's own that has locked rows.
pub(crate) struct Lock(PgConnection);

impl Lock {
    /// Takes the locks of a statement, such as `SELECT FROM memberships FOR UPDATE`.
    pub(crate) fn take(db: &TestDatabase, sql: &str) -> Self {
        let mut connection = PgConnection::establish(db.url()).expect("connects");
        connection.batch_execute(&format!("BEGIN; {sql}")).expect("nobody else holds them");
        Self(connection)
    }

    /// Lets those who wait go on.
    pub(crate) fn release(mut self) {
        self.0.batch_execute("COMMIT").expect("commits");
    }
}

/// Comes back once so many transactions wait for locks of others.
pub(crate) async fn until_waiting(db: &TestDatabase, number: usize) {
    let waiting = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let all_wait = async {
        while count(db, waiting) < number {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(8), all_wait).await.expect("they wait for what is locked");
}

/// Starts one after the other while the lock is held, the first one first if `is_in_order`, and lets them go.
pub(crate) async fn in_order<A: Send + 'static, B: Send + 'static>(
    db: &TestDatabase,
    lock: Lock,
    is_in_order: bool,
    first: impl Future<Output = A> + Send + 'static,
    second: impl Future<Output = B> + Send + 'static,
) -> (A, B) {
    let (first, second) = if is_in_order {
        let first = tokio::spawn(first);
        until_waiting(db, 1).await;
        (first, tokio::spawn(second))
    } else {
        let second = tokio::spawn(second);
        until_waiting(db, 1).await;
        (tokio::spawn(first), second)
    };
    until_waiting(db, 2).await;
    lock.release();
    (first.await.expect("no panic"), second.await.expect("no panic"))
}
