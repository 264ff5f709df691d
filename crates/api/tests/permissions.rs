//! The permission proof: every operation is called as everybody, on data of the own and of a foreign organization, and what
//! comes back is held against `docs/permissions-matrix.md`. A new operation fails the test until it has a case here.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use common::{PASSWORD, Person, TestApp};
use reqwest::Method;
use serde_json::Value;

const MATRIX: &str = include_str!("../../../docs/permissions-matrix.md");

/// The columns of the matrix, from the least to the most.
const ROLES: [&str; 8] = [
    "anonymous",
    "outsider",
    "member",
    "champion",
    "team admin",
    "org admin",
    "staff employee",
    "staff admin",
];

/// An operation with the thing it is tried on.
struct Case {
    method: &'static str,
    /// As the document has it.
    path: &'static str,
    /// What is special about the thing; empty when there is only one kind.
    what: &'static str,
    /// Names of [`Place::values`] for the parameters of the path.
    filling: &'static [(&'static str, &'static str)],
    /// After the path.
    query: &'static str,
    /// With `<name>` for a value.
    body: &'static str,
    targets: Targets,
}

#[derive(Clone, Copy, PartialEq)]
enum Targets {
    /// A thing of an organization: tried on the own and on a foreign one.
    OwnAndForeign,
    /// The same, for an operation where the code or secret that is sent opens the foreign one by design.
    Opened,
    /// Nothing of an organization: the caller's own account, the platform.
    One,
}

impl Case {
    const fn new(method: &'static str, path: &'static str) -> Self {
        let targets = Targets::OwnAndForeign;
        Self { method, path, what: "", filling: &[], query: "", body: "", targets }
    }

    const fn one(method: &'static str, path: &'static str) -> Self {
        Self { targets: Targets::One, ..Self::new(method, path) }
    }

    const fn what(self, what: &'static str, filling: &'static [(&'static str, &'static str)]) -> Self {
        Self { what, filling, ..self }
    }

    const fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    const fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    const fn opened(self) -> Self {
        Self { targets: Targets::Opened, ..self }
    }
}

const TEAM: &[(&str, &str)] = &[("team_id", "team")];
const OTHER_TEAM: &[(&str, &str)] = &[("team_id", "other team")];
const ORGANIZATION: &[(&str, &str)] = &[("organization_id", "organization")];
const ORGANIZATION_TEAM: &[(&str, &str)] = &[("organization_id", "organization"), ("team_id", "team")];
const TEAMMATE: &[(&str, &str)] = &[("membership_id", "teammate.membership")];
const COLLEAGUE: &[(&str, &str)] = &[("membership_id", "colleague.membership")];
const PENDING: &[(&str, &str)] = &[("membership_id", "pending.membership")];
const USER: &[(&str, &str)] = &[("user_id", "teammate.user")];
const ROSTER: &[(&str, &str)] = &[("organization_id", "organization"), ("id", "colleague.membership")];
const INVITATION: &[(&str, &str)] = &[("organization_id", "organization"), ("id", "pending.invitation")];
const VERSION: &[(&str, &str)] = &[("course_id", "course"), ("version_id", "version")];
const CERTIFICATION: &[(&str, &str)] = &[("id", "certification")];
const REFINEMENT: &[(&str, &str)] = &[("team_id", "team"), ("refinement_id", "refinement")];
const OWN_REFINEMENT: &[(&str, &str)] = &[("team_id", "team"), ("refinement_id", "self.refinement")];
const CATEGORY: &[(&str, &str)] =
    &[("organization_id", "organization"), ("training_category_id", "category")];
const COURSE: &[(&str, &str)] = &[("course_id", "course")];
const OTHER_COURSE: &[(&str, &str)] = &[("course_id", "other course")];
const IMPORT: &[(&str, &str)] = &[("organization_id", "organization"), ("id", "import")];
const ADMIN: &[(&str, &str)] = &[("team_id", "team"), ("admin_id", "lead.membership")];

#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    vec![
        Case::one("POST", "/auth").body(r#"{"username":"<fresh>","first_name":"A","last_name":"B","password":"worklete123","provider":"username","invite_code":"<pending.code>"}"#),
        Case::one("PATCH", "/auth").body(r#"{"first_name":"Zoe"}"#),
        Case::one("PUT", "/auth").body(r#"{"first_name":"Zoe"}"#),
        Case::one("DELETE", "/auth"),
        Case::one("PUT", "/auth/password").body(r#"{"password":"worklete456","password_confirmation":"worklete456"}"#),
        Case::one("PATCH", "/auth/password").body(r#"{"password":"worklete456","password_confirmation":"worklete456"}"#),
        Case::one("POST", "/auth/password").body(r#"{"email":"nobody@example.org","redirect_url":"https://app.example.org/reset"}"#),
        Case::one("GET", "/auth/password/edit").query("?reset_password_token=unknown"),
        Case::one("POST", "/auth/sign_in").body(r#"{"username":"<colleague.username>","password":"worklete123"}"#),
        Case::one("DELETE", "/auth/sign_out"),
        Case::one("GET", "/auth/validate_token"),
        Case::one("GET", "/auth/usernames/{username}").what("", &[("username", "colleague.username")]),
        Case::new("GET", "/invitations/{code}").what("", &[("code", "pending.code")]).opened(),
        Case::new("POST", "/invitations/{code}/accept").what("", &[("code", "pending.code")]).opened(),
        Case::one("GET", "/memberships/{membership_id}").what("own", &[("membership_id", "self.membership")]),
        Case::new("GET", "/memberships/{membership_id}").what("on the team", TEAMMATE),
        Case::new("GET", "/memberships/{membership_id}").what("pending, on the team", PENDING),
        Case::new("GET", "/memberships/{membership_id}").what("not on the team", COLLEAGUE),
        Case::one("PATCH", "/memberships/{membership_id}").what("own", &[("membership_id", "self.membership")]).query("?org_admin=true"),
        Case::new("PATCH", "/memberships/{membership_id}").what("on the team", TEAMMATE).query("?org_admin=true"),
        Case::one("GET", "/memberships/{membership_id}/teams").what("own", &[("membership_id", "self.membership")]),
        Case::new("GET", "/memberships/{membership_id}/teams").what("on the team", TEAMMATE),
        Case::one("GET", "/courses/current"),
        Case::new("GET", "/courses/{course_id}").what("assigned to those of the organization", COURSE),
        Case::new("GET", "/courses/{course_id}").what("assigned to nobody", OTHER_COURSE),
        Case::new("POST", "/courses/{course_id}/events").what("assigned to those of the organization", COURSE).body(r#"{"event_type":"complete","player_session_id":"00000000-0000-4000-8000-000000000001","client_supplied_occured_at_in_ms":1}"#),
        Case::new("POST", "/courses/{course_id}/events").what("assigned to nobody", OTHER_COURSE).body(r#"{"event_type":"complete","player_session_id":"00000000-0000-4000-8000-000000000001","client_supplied_occured_at_in_ms":1}"#),
        Case::one("POST", "/courses/events").body(r#"{"events":[]}"#),
        Case::one("GET", "/assignments/{assignment_id}/events").what("own", &[("assignment_id", "self.assignment")]),
        Case::new("GET", "/assignments/{assignment_id}/events").what("of somebody on the team", &[("assignment_id", "teammate.assignment")]),
        Case::new("GET", "/assignments/{assignment_id}/events").what("of somebody not on the team", &[("assignment_id", "colleague.assignment")]),
        Case::new("GET", "/teams/{team_id}/progress/stream").what("one's team", TEAM),
        Case::new("GET", "/teams/{team_id}/progress/stream").what("another team", OTHER_TEAM),
        Case::one("GET", "/organizations"),
        Case::new("PATCH", "/organizations/{organization_id}").what("", ORGANIZATION).body(r#"{"saml_info":null}"#),
        Case::new("GET", "/organizations/{organization_id}/invitations").what("", ORGANIZATION),
        Case::new("POST", "/organizations/{organization_id}/invitations/{id}/reissue").what("", INVITATION),
        Case::new("POST", "/organizations/{organization_id}/invitations/{id}/resend").what("", INVITATION),
        Case::new("POST", "/organizations/{organization_id}/invitations/{id}/revoke").what("", INVITATION),
        Case::one("POST", "/organizations/{organization_id}/invitations/{id}/revoke").what("a foreign one, below the own organization", &[("organization_id", "organization"), ("id", "foreign.invitation")]),
        Case::new("POST", "/organizations/{organization_id}/memberships").what("", ORGANIZATION).body(r#"{"first_name":"A","last_name":"B"}"#),
        Case::new("PATCH", "/organizations/{organization_id}/memberships/{id}").what("", ROSTER).body(r#"{"job_title":"Driver"}"#),
        Case::new("DELETE", "/organizations/{organization_id}/memberships/{id}").what("", ROSTER),
        Case::new("GET", "/organizations/{organization_id}/teams").what("", ORGANIZATION),
        Case::new("POST", "/organizations/{organization_id}/teams").what("", ORGANIZATION).body(r#"{"name":"Brand-new"}"#),
        Case::new("GET", "/organizations/{organization_id}/teams/administered").what("", ORGANIZATION),
        Case::new("GET", "/organizations/{organization_id}/teams/scores").what("", ORGANIZATION),
        Case::new("GET", "/search/organizations/{organization_id}/users").what("", ORGANIZATION).query("?q=demo"),
        Case::new("GET", "/search/teams/{team_id}/members").what("one's team", TEAM).query("?q=demo"),
        Case::new("GET", "/search/teams/{team_id}/members").what("one's team, whole organization", TEAM).query("?q=demo&scope=organization"),
        Case::new("GET", "/search/teams/{team_id}/members").what("another team", OTHER_TEAM).query("?q=demo"),
        Case::one("GET", "/search/users").query("?q=demo"),
        Case::new("GET", "/teams/{team_id}").what("one's team", TEAM),
        Case::new("GET", "/teams/{team_id}").what("another team", OTHER_TEAM),
        Case::new("PATCH", "/teams/{team_id}").what("one's team", TEAM).body(r#"{"name":"Renamed"}"#),
        Case::new("PATCH", "/teams/{team_id}").what("another team", OTHER_TEAM).body(r#"{"name":"Renamed"}"#),
        Case::new("PUT", "/teams/{team_id}").what("one's team", TEAM).body(r#"{"name":"Renamed"}"#),
        Case::new("DELETE", "/teams/{team_id}").what("one's team", TEAM),
        Case::new("GET", "/teams/{team_id}/admins").what("one's team", TEAM),
        Case::new("GET", "/teams/{team_id}/admins").what("another team", OTHER_TEAM),
        Case::new("POST", "/teams/{team_id}/admins").what("one's team", TEAM).body(r#"{"membership_id":"<teammate.membership>"}"#),
        Case::new("DELETE", "/teams/{team_id}/admins/{admin_id}").what("one's team", ADMIN),
        Case::new("GET", "/teams/{team_id}/memberships").what("one's team", TEAM),
        Case::new("GET", "/teams/{team_id}/memberships").what("another team", OTHER_TEAM),
        Case::new("GET", "/teams/{team_id}/pending_memberships").what("one's team", TEAM),
        Case::new("GET", "/teams/{team_id}/pending_memberships").what("another team", OTHER_TEAM),
        Case::new("GET", "/teams/{team_id}/worklete_score").what("one's team", TEAM),
        Case::new("GET", "/teams/{team_id}/worklete_score").what("another team", OTHER_TEAM),
        Case::one("GET", "/users"),
        Case::one("GET", "/users/{user_id}").what("own", &[("user_id", "self.user")]),
        Case::new("GET", "/users/{user_id}").what("on the team", &[("user_id", "teammate.user")]),
        Case::new("GET", "/users/{user_id}").what("not on the team", &[("user_id", "colleague.user")]),
        Case::one("PUT", "/users/{id}/email").what("own", &[("id", "self.user")]).body(r#""<fresh>@example.org""#),
        Case::new("PUT", "/users/{id}/email").what("on the team", &[("id", "teammate.user")]).body(r#""<fresh>@example.org""#),
        Case::new("PUT", "/users/{id}/email").what("member elsewhere, too", &[("id", "double.user")]).body(r#""<fresh>@example.org""#),
        Case::one("PUT", "/users/{id}/username").what("own", &[("id", "self.user")]).body(r#"{"username":"<fresh>"}"#),
        Case::new("PUT", "/users/{id}/username").what("on the team", &[("id", "teammate.user")]).body(r#"{"username":"<fresh>"}"#),
        Case::new("PUT", "/users/{id}/username").what("member elsewhere, too", &[("id", "double.user")]).body(r#"{"username":"<fresh>"}"#),
        Case::one("GET", "/worklete_admin/audit_log"),
        Case::one("GET", "/worklete_admin/champion_certifications"),
        Case::one("POST", "/worklete_admin/champion_certifications").body(r#"{"user_id":"<teammate.user>","date":"2020-01-31"}"#),
        Case::one("DELETE", "/worklete_admin/champion_certifications").body(r#"{"user_id":"<double.user>"}"#),
        Case::one("DELETE", "/worklete_admin/champion_certifications/{id}").what("", CERTIFICATION),
        Case::one("POST", "/worklete_admin/courses").body(r#"{"name":"Lifting"}"#),
        Case::new("GET", "/worklete_admin/courses/{id}").what("of the organization", &[("id", "course")]),
        Case::new("GET", "/worklete_admin/courses").what("", &[("organization", "organization")]).query("?organization_id={organization}"),
        Case::new("PATCH", "/worklete_admin/courses/{id}").what("of the organization", &[("id", "course")]).body(r#"{"name":"Pulling"}"#),
        Case::new("PUT", "/worklete_admin/courses/{id}").what("of the organization", &[("id", "course")]).body(r#"{"name":"Pulling"}"#),
        Case::new("GET", "/worklete_admin/courses/{course_id}/versions").what("of the organization", &[("course_id", "course")]),
        Case::new("POST", "/worklete_admin/courses/{course_id}/versions").what("of the organization", &[("course_id", "course")]).query("?force=true").body(r#"{"data":{}}"#),
        Case::new("GET", "/worklete_admin/courses/{course_id}/versions/{version_id}").what("of the organization", VERSION),
        Case::new("PATCH", "/worklete_admin/courses/{course_id}/versions/{version_id}").what("of the organization", VERSION).body(r#"{"data":{"a":1}}"#),
        Case::new("PUT", "/worklete_admin/courses/{course_id}/versions/{version_id}").what("of the organization", VERSION).body(r#"{"data":{"a":1}}"#),
        Case::new("POST", "/worklete_admin/courses/{course_id}/versions/{version_id}/publish").what("of the organization", VERSION),
        Case::new("POST", "/worklete_admin/courses/{course_id}/versions/{version_id}/archive").what("of the organization", VERSION),
        Case::one("GET", "/worklete_admin/invitations"),
        Case::new("GET", "/worklete_admin/invitations/{id}").what("", &[("id", "pending.invitation")]),
        Case::one("GET", "/worklete_admin/jobs"),
        Case::one("GET", "/worklete_admin/memberships"),
        Case::new("GET", "/worklete_admin/memberships/{membership_id}").what("on the team", TEAMMATE),
        Case::one("GET", "/worklete_admin/organizations"),
        Case::one("POST", "/worklete_admin/organizations").body(r#"{"name":"New one"}"#),
        Case::new("GET", "/worklete_admin/organizations/{organization_id}").what("", ORGANIZATION),
        Case::new("PATCH", "/worklete_admin/organizations/{organization_id}").what("", ORGANIZATION).body(r#"{"data":{"name":"Renamed"}}"#),
        Case::new("GET", "/worklete_admin/organizations/{organization_id}/course_pools").what("", ORGANIZATION),
        Case::new("PUT", "/worklete_admin/organizations/{organization_id}/course_pools").what("", ORGANIZATION).body(r#"[{"team_id":"<team>","training_category_id":"<category>","course_ids":["<course>"]}]"#),
        Case::new("GET", "/worklete_admin/organizations/{organization_id}/job_titles").what("", ORGANIZATION),
        Case::new("GET", "/worklete_admin/organizations/{organization_id}/upload_memberships_csv").what("", ORGANIZATION),
        Case::new("POST", "/worklete_admin/organizations/{organization_id}/upload_memberships_csv").what("", ORGANIZATION),
        Case::new("GET", "/worklete_admin/organizations/{organization_id}/imports").what("", ORGANIZATION),
        Case::new("POST", "/worklete_admin/organizations/{organization_id}/imports").what("", ORGANIZATION).body(r#"{"key":"<roster>"}"#),
        Case::new("GET", "/worklete_admin/organizations/{organization_id}/imports/{id}").what("", IMPORT),
        Case::new("GET", "/worklete_admin/organizations/{organization_id}/imports/{id}/report.csv").what("", IMPORT),
        Case::new("POST", "/worklete_admin/organizations/{organization_id}/imports/{id}/confirm").what("", IMPORT),
        Case::new("POST", "/worklete_admin/organizations/{organization_id}/imports/{id}/cancel").what("", IMPORT),
        Case::one("POST", "/storage/events").body(r#"{"Records":[]}"#),
        Case::new("GET", "/worklete_admin/organizations/{organization_id}/teams").what("", ORGANIZATION),
        Case::new("POST", "/worklete_admin/organizations/{organization_id}/teams").what("", ORGANIZATION).body(r#"{"data":{"name":"Brand-new","membership_ids":["<colleague.membership>"]}}"#),
        Case::new("GET", "/worklete_admin/organizations/{organization_id}/teams/{team_id}").what("", ORGANIZATION_TEAM),
        Case::new("PATCH", "/worklete_admin/organizations/{organization_id}/teams/{team_id}").what("", ORGANIZATION_TEAM).body(r#"{"data":{"membership_ids":["<colleague.membership>"]}}"#),
        Case::one("PATCH", "/worklete_admin/organizations/{organization_id}/teams/{team_id}").what("a foreign one, below the own organization", &[("organization_id", "organization"), ("team_id", "foreign.team")]).body(r#"{"name":"Renamed"}"#),
        Case::new("GET", "/worklete_admin/organizations/{organization_id}/training_categories").what("", ORGANIZATION),
        Case::new("POST", "/worklete_admin/organizations/{organization_id}/training_categories").what("", ORGANIZATION).body(r#"{"name":"Brand-new"}"#),
        Case::new("PATCH", "/worklete_admin/organizations/{organization_id}/training_categories/{training_category_id}").what("", CATEGORY).body(r#"{"job_titles":["Driver"]}"#),
        Case::new("PUT", "/worklete_admin/organizations/{organization_id}/training_categories/{training_category_id}").what("", CATEGORY).body(r#"{"job_titles":["Driver"]}"#),
        Case::new("GET", "/worklete_admin/teams/{team_id}/refinements").what("one's team", TEAM),
        Case::new("GET", "/worklete_admin/teams/{team_id}/refinements").what("another team", OTHER_TEAM),
        Case::new("POST", "/worklete_admin/teams/{team_id}/refinements").what("one's team", TEAM).body(r#"{"data":{}}"#),
        Case::new("POST", "/worklete_admin/teams/{team_id}/refinements").what("another team", OTHER_TEAM).body(r#"{"data":{}}"#),
        Case::new("GET", "/worklete_admin/teams/{team_id}/refinements/{refinement_id}").what("one's team", REFINEMENT),
        Case::one("PATCH", "/worklete_admin/teams/{team_id}/refinements/{refinement_id}").what("one's team, own note", OWN_REFINEMENT).body(r#"{"data":{"notes":"knees"}}"#),
        Case::new("PATCH", "/worklete_admin/teams/{team_id}/refinements/{refinement_id}").what("one's team, note of another", REFINEMENT).body(r#"{"data":{"notes":"knees"}}"#),
        Case::one("GET", "/worklete_admin/users"),
        Case::new("GET", "/worklete_admin/users/{user_id}").what("a member", USER),
        Case::new("PATCH", "/worklete_admin/users/{user_id}").what("a member", USER).body(r#"{"data":{"language":"es"}}"#),
        Case::one("PATCH", "/worklete_admin/users/{user_id}").what("the own role", &[("user_id", "self.user")]).body(r#"{"worklete_role":null}"#),
        Case::new("POST", "/worklete_admin/users/{user_id}/erase").what("a member", USER).body(r#"{"dry_run":false}"#),
        Case::one("POST", "/worklete_admin/users/{user_id}/erase").what("own", &[("user_id", "self.user")]).body(r#"{"dry_run":false}"#),
        Case::new("GET", "/worklete_admin/users/{user_id}/export").what("a member", USER),
        Case::one("POST", "/worklete_admin/users/reset_password").what("a member", &[]).body(r#"{"user_id":"<teammate.user>"}"#),
        Case::one("POST", "/worklete_admin/users/reset_password").what("own", &[]).body(r#"{"user_id":"<self.user>"}"#),
    ]
}

/// An organization with what the cases need, by name.
#[derive(Default)]
struct Place {
    values: BTreeMap<String, String>,
}

/// Two organizations, made afresh: writes of one cell never show in another.
struct World {
    own: Place,
    foreign: Place,
    /// By role; nobody for the anonymous.
    people: BTreeMap<&'static str, Person>,
    /// Their own things, by role.
    selves: BTreeMap<&'static str, Place>,
}

/// Makes worlds with plain SQL: a session of a known token costs no password.
struct Maker<'a> {
    app: &'a TestApp,
    storage: &'a Path,
    number: u32,
    next: u32,
    sql: String,
}

impl<'a> Maker<'a> {
    fn new(app: &'a TestApp, storage: &'a Path) -> Self {
        Self { app, storage, number: 0, next: 0, sql: String::new() }
    }

    fn id(&mut self) -> String {
        self.next += 1;
        format!("00000000-{:04x}-7000-8000-{:012x}", self.number, self.next)
    }

    fn add(&mut self, sql: &str) {
        writeln!(self.sql, "{sql};").expect("text");
    }

    fn organization(&mut self, name: &str) -> Place {
        let (organization, team, other, course) = (self.id(), self.id(), self.id(), self.id());
        let number = self.number;
        self.add(&format!(
            "INSERT INTO organizations (id, name, s3_integrations_folder, created_at, updated_at) \
             VALUES ('{organization}', '{name}', '{name}-{number}', now(), now())"
        ));
        for (id, name) in [(&team, "Night shift"), (&other, "Early shift")] {
            self.add(&format!(
                "INSERT INTO teams (id, organization_id, name, created_at, updated_at) \
                 VALUES ('{id}', '{organization}', '{name}', now(), now())"
            ));
        }
        self.add(&format!(
            "INSERT INTO courses (id, organization_id, name, created_at, updated_at) \
             VALUES ('{course}', '{organization}', 'Lifting', now(), now())"
        ));
        let (version, editor) = (self.id(), self.user(&format!("{name}-editor-{number}"), Some("admin")));
        self.add(&format!(
            "INSERT INTO course_versions (id, course_id, number, status, data, created_by, created_at, updated_at) \
             VALUES ('{version}', '{course}', 1, 'draft', '{{}}', '{editor}', now(), now())"
        ));
        let category = self.id();
        self.add(&format!(
            "INSERT INTO training_categories (id, organization_id, name, created_at, updated_at) \
             VALUES ('{category}', '{organization}', 'Drivers', now(), now())"
        ));
        let (published, other_course) = (self.id(), self.id());
        self.add(&format!(
            "INSERT INTO course_versions (id, course_id, number, status, data, created_by, created_at, updated_at, published_at) \
             VALUES ('{published}', '{course}', 2, 'published', '{{}}', '{editor}', now(), now(), now()); \
             INSERT INTO courses (id, organization_id, name, created_at, updated_at) \
             VALUES ('{other_course}', '{organization}', 'Carrying', now(), now())"
        ));
        let (import, roster) = (self.id(), format!("{name}-{number}/roster.txt"));
        self.add(&format!(
            "INSERT INTO imports (id, organization_id, key, etag, mode, dry_run, state, created_at) \
             VALUES ('{import}', '{organization}', '{name}-{number}/a.csv', 'e', 'delta', false, 'held', now())"
        ));
        let file = self.storage.join("integrations").join(&roster);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, "external_id,first_name,last_name\n").expect("a file");
        let mut place = Place::default();
        place.values.insert("category".into(), category);
        place.values.insert("import".into(), import);
        place.values.insert("roster".into(), roster);
        let fresh = format!("{name}-name-{number}");
        for (key, value) in [
            ("organization", organization),
            ("team", team),
            ("other team", other),
            ("course", course),
            ("version", version),
            ("published", published),
            ("other course", other_course),
            ("fresh", fresh),
        ] {
            place.values.insert(key.into(), value);
        }
        place
    }

    fn user(&mut self, username: &str, staff_role: Option<&str>) -> String {
        // The password of all tests, hashed as cheaply as can be.
        let hash = "$2b$04$1hHfygF4hDXFbQHCiwmQM.5H0P.duZoEQoc9Gy6VwxW8bTQl1C1hW";
        let id = self.id();
        let role = staff_role.map_or_else(|| "NULL".into(), |role| format!("'{role}'"));
        self.add(&format!(
            "INSERT INTO users (id, username, provider, first_name, last_name, password_hash, staff_role, created_at, \
             updated_at) VALUES ('{id}', '{username}', 'username', 'Demo', 'Person', '{hash}', {role}, now(), now())"
        ));
        id
    }

    /// A person of the place; remembered as `name.user`, `name.membership`, `name.assignment` and `name.username`.
    fn member(&mut self, place: &mut Place, name: &str, role: Membership) {
        let username = format!("{name}-{}-{}", self.number, self.next);
        let user = self.user(&username, None);
        let membership = self.membership(place, &user, role);
        let assignment = self.assignment(place, &user, &membership);
        for (key, value) in
            [("user", user), ("membership", membership), ("assignment", assignment), ("username", username)]
        {
            place.values.insert(format!("{name}.{key}"), value);
        }
    }

    fn membership(&mut self, place: &Place, user: &str, role: Membership) -> String {
        let id = self.id();
        let (organization, team) = (&place.values["organization"], &place.values["team"]);
        let org_admin = role == Membership::OrgAdmin;
        self.add(&format!(
            "INSERT INTO memberships (id, organization_id, user_id, first_name, last_name, org_admin, status, first_seen_at, \
             reporting_starts_on, created_at, updated_at) VALUES ('{id}', '{organization}', '{user}', 'Demo', 'Person', \
             {org_admin}, 'active', now(), now(), now(), now())"
        ));
        if role == Membership::OnTeam {
            self.add(&format!(
                "INSERT INTO team_memberships VALUES ('{team}', '{id}', '{organization}', now())"
            ));
        }
        if role == Membership::TeamAdmin {
            self.add(&format!("INSERT INTO team_admins VALUES ('{team}', '{id}', '{organization}', now())"));
        }
        id
    }

    /// Gives the course of the place to a member; gives the assignment's id.
    fn assignment(&mut self, place: &Place, user: &str, membership: &str) -> String {
        let id = self.id();
        let (organization, course) = (&place.values["organization"], &place.values["course"]);
        let version = &place.values["published"];
        self.add(&format!(
            "INSERT INTO assignments (id, organization_id, membership_id, user_id, course_id, course_version_id, state, source, \
             assigned_at, updated_at) VALUES ('{id}', '{organization}', '{membership}', '{user}', '{course}', '{version}', \
             'assigned', 'basics', now(), now())"
        ));
        id
    }

    fn pending(&mut self, place: &mut Place) {
        let (membership, invitation) = (self.id(), self.id());
        let (organization, team) = (place.values["organization"].clone(), place.values["team"].clone());
        let code = format!("{:06}", self.next);
        self.add(&format!(
            "INSERT INTO memberships (id, organization_id, first_name, last_name, status, first_seen_at, \
             reporting_starts_on, created_at, updated_at) VALUES ('{membership}', '{organization}', 'Demo', 'Newcomer', \
             'pending', now(), now(), now(), now()); \
             INSERT INTO team_memberships VALUES ('{team}', '{membership}', '{organization}', now()); \
             INSERT INTO invitations (id, organization_id, membership_id, code, status, expires_at, created_at, updated_at) \
             VALUES ('{invitation}', '{organization}', '{membership}', '{code}', 'pending', now() + interval '1 day', now(), \
             now())"
        ));
        for (key, value) in [("membership", membership), ("invitation", invitation), ("code", code)] {
            place.values.insert(format!("pending.{key}"), value);
        }
    }

    /// Makes somebody a champion; gives the certification's id.
    fn certification(&mut self, user: &str) -> String {
        let id = self.id();
        self.add(&format!(
            "INSERT INTO champion_certifications (id, user_id, date, expires_on, created_by, created_at) \
             VALUES ('{id}', '{user}', '2020-01-01', '2200-01-01', '{user}', now())"
        ));
        id
    }

    /// A note of practice on the team of the place; gives its id.
    fn refinement(&mut self, place: &Place, author: &str) -> String {
        let id = self.id();
        let (organization, team) = (&place.values["organization"], &place.values["team"]);
        self.add(&format!(
            "INSERT INTO refinements (id, organization_id, team_id, data, occurred_on, created_by, created_at, updated_at) \
             VALUES ('{id}', '{organization}', '{team}', '{{}}', now(), '{author}', now(), now())"
        ));
        id
    }

    fn session(&mut self, user: &str, username: &str) -> Person {
        let id = self.id();
        let (token, client) = (format!("token-{}-{}", self.number, self.next), format!("client-{id}"));
        self.add(&format!(
            "INSERT INTO sessions (id, user_id, client_id, token_hash, created_at, last_used_at, expires_at, \
             absolute_expires_at) VALUES ('{id}', '{user}', '{client}', sha256('{token}'), now(), now(), \
             now() + interval '14 days', now() + interval '90 days')"
        ));
        Person { token, client, uid: username.into(), data: Value::Null }
    }

    fn world(&mut self) -> World {
        self.number += 1;
        let mut own = self.organization("own");
        let mut foreign = self.organization("foreign");
        let (mut elsewhere, beyond) = (self.organization("elsewhere"), self.organization("beyond"));
        for place in [&mut own, &mut foreign] {
            self.member(place, "lead", Membership::TeamAdmin);
            self.member(place, "teammate", Membership::OnTeam);
            self.member(place, "colleague", Membership::Plain);
            self.member(place, "boss", Membership::OrgAdmin);
            self.member(place, "double", Membership::OnTeam);
            self.pending(place);
            let double = place.values["double.user"].clone();
            self.membership(&beyond, &double, Membership::Plain);
            let certification = self.certification(&double);
            place.values.insert("certification".into(), certification);
            let refinement = self.refinement(place, &double);
            place.values.insert("refinement".into(), refinement);
        }
        for (key, value) in [("foreign.invitation", "pending.invitation"), ("foreign.team", "team")] {
            own.values.insert(key.into(), foreign.values[value].clone());
        }
        let (mut people, mut selves) = (BTreeMap::new(), BTreeMap::new());
        for (role, membership) in [
            ("outsider", Membership::OrgAdmin),
            ("member", Membership::OnTeam),
            ("champion", Membership::OnTeam),
            ("team admin", Membership::TeamAdmin),
            ("org admin", Membership::OrgAdmin),
        ] {
            let place = if role == "outsider" { &mut elsewhere } else { &mut own };
            self.member(place, "self", membership);
            let mut take = |key: &str| place.values.remove(key).expect("just made");
            let (user, username) = (take("self.user"), take("self.username"));
            let own_things = [
                ("self.membership", take("self.membership")),
                ("self.assignment", take("self.assignment")),
                ("self.user", user.clone()),
            ];
            people.insert(role, self.session(&user, &username));
            let mut values: BTreeMap<_, _> = own_things.map(|(key, value)| (key.to_owned(), value)).into();
            if role == "champion" {
                self.certification(&user);
            }
            if role != "outsider" {
                values.insert("self.refinement".to_owned(), self.refinement(&own, &user));
            }
            selves.insert(role, Place { values });
        }
        // The last admin of an organization cannot leave; that is another test's business.
        self.member(&mut elsewhere, "boss", Membership::OrgAdmin);
        for (role, staff_role) in [("staff employee", "employee"), ("staff admin", "admin")] {
            let username = format!("{staff_role}-{}", self.number);
            let user = self.user(&username, Some(staff_role));
            people.insert(role, self.session(&user, &username));
            let refinement = self.refinement(&own, &user);
            let values = [("self.user".to_owned(), user), ("self.refinement".to_owned(), refinement)];
            selves.insert(role, Place { values: values.into() });
        }
        self.app.database.execute(&std::mem::take(&mut self.sql));
        World { own, foreign, people, selves }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Membership {
    Plain,
    OnTeam,
    TeamAdmin,
    OrgAdmin,
}

/// `text` with the values of the role itself or of the place in it; `None` when the role has no such thing.
fn filled(case: &Case, place: &Place, own: Option<&Place>) -> Option<(String, String)> {
    let value = |name: &str| {
        let known = if name.starts_with("self.") { own } else { Some(place) };
        known.and_then(|known| known.values.get(name)).cloned()
    };
    let mut path = format!("{}{}", case.path, case.query);
    for (parameter, name) in case.filling {
        path = path.replace(&format!("{{{parameter}}}"), &value(name)?);
    }
    let mut body = case.body.to_owned();
    while let Some((before, rest)) = body.clone().split_once('<') {
        let (name, after) = rest.split_once('>').expect("a closed name");
        body = format!("{before}{}{after}", value(name)?);
    }
    assert!(!path.contains('{'), "nothing fills {path}");
    Some((path, body))
}

/// Everything in the database but when sessions were last used: what a refused call must leave alone.
fn fingerprint(app: &TestApp) -> Vec<String> {
    let tables = [
        "users",
        "memberships",
        "invitations",
        "organizations",
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
        "jobs",
        "audit_log",
    ];
    let sums = tables
        .map(|table| format!("(SELECT sum(hashtextextended(t::text, 0)) || '/' || count(*) FROM {table} t)"));
    app.database.rows(&format!("SELECT {}", sums.join(", ")))
}

async fn row(
    app: &TestApp,
    maker: &mut Maker<'_>,
    world: &mut World,
    case: &Case,
    is_own: bool,
) -> Vec<String> {
    let method: Method = case.method.parse().expect("a method");
    let mut cells = Vec::new();
    for role in ROLES {
        let place = if is_own { &world.own } else { &world.foreign };
        // Whoever has no such thing of their own asks for one that does not exist.
        let nothing = Place {
            values: ["self.user", "self.membership", "self.refinement", "self.assignment"]
                .map(|key| (key.to_owned(), "00000000-0000-4000-8000-000000000001".to_owned()))
                .into(),
        };
        let own = world.selves.get(role).unwrap_or(&nothing);
        let Some((path, body)) = filled(case, place, Some(own)) else {
            cells.push("–".to_owned());
            continue;
        };
        let body = (!body.is_empty()).then(|| serde_json::from_str(&body).expect("JSON"));
        let before = (method != Method::GET).then(|| fingerprint(app));
        let answer = app.call_by(world.people.get(role), method.clone(), &path, body).await;
        assert!(answer.status < 500, "{role}: {path}: {answer:?}");
        let is_done = answer.status < 400;
        if !is_done && let Some(before) = before {
            assert_eq!(fingerprint(app), before, "{role} was refused and {path} was written all the same");
        }
        let code = answer.json["code"].as_str().unwrap_or_default();
        cells.push(match answer.status {
            403 if code == "staff_only" => "403 s".to_owned(),
            409 => format!("409 {code}"),
            status => status.to_string(),
        });
        if is_done && method != Method::GET {
            *world = maker.world();
        }
    }
    // A wall between organizations: nobody but staff gets anything else than a session's or staff's own refusal.
    if !is_own && case.targets == Targets::OwnAndForeign {
        let is_staff_only = case.path.starts_with("/worklete_admin/") && !case.path.contains("/refinements");
        let wall = if is_staff_only { "403 s" } else { "404" };
        assert_eq!(cells[0], "401", "{} {}", case.method, case.path);
        assert_eq!(cells[1..6], [wall; 5], "{} {} on foreign data", case.method, case.path);
    }
    cells
}

fn operations() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(api::openapi::document()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").clone();
    let all = paths.into_iter().filter_map(|(path, item)| {
        let path = path.strip_prefix("/api/v1")?.to_owned();
        let methods: Vec<String> = item.as_object()?.keys().map(|method| method.to_uppercase()).collect();
        Some(methods.into_iter().map(move |method| (method, path.clone())).collect::<Vec<_>>())
    });
    all.flatten().collect()
}

#[test]
fn every_operation_has_a_case() {
    let tried: BTreeSet<(String, String)> =
        cases().iter().map(|case| (case.method.to_owned(), case.path.to_owned())).collect();
    assert_eq!(operations(), tried, "add a case for each new operation");
}

#[tokio::test]
async fn everybody_gets_from_every_operation_what_the_matrix_says() {
    assert_eq!(PASSWORD, "worklete123", "the cases sign in with it");
    let many = "100000";
    let storage = tempfile::tempdir().expect("a folder");
    let app = TestApp::start_with(&[
        ("WORKLETE_ENV", "development"),
        ("S3_EMBEDDED_FOLDER", storage.path().to_str().expect("a path")),
        ("STORAGE_EVENTS_TOKEN", "the storage's own word"),
        ("RATE_SIGN_UPS_PER_ADDRESS", many),
        ("RATE_WRONG_INVITE_CODES_PER_ADDRESS", many),
        ("RATE_RESET_MAILS_PER_ADDRESS", many),
        ("RATE_USERNAME_LOOKUPS_PER_ADDRESS", many),
        ("RATE_SESSION_BURST", many),
    ])
    .await;
    let mut maker = Maker::new(&app, storage.path());
    let mut world = maker.world();
    let mut made = MATRIX.split("\n| operation |").next().unwrap_or_default().to_owned();
    write!(
        made,
        "\n| operation | on | data | {} |\n|{}\n",
        ROLES.join(" | "),
        "---|".repeat(ROLES.len() + 3)
    )
    .expect("text");
    for case in cases() {
        let targets: &[(&str, bool)] = match case.targets {
            Targets::One => &[("", true)],
            Targets::OwnAndForeign | Targets::Opened => &[("own", true), ("foreign", false)],
        };
        for (data, is_own) in targets {
            let cells = row(&app, &mut maker, &mut world, &case, *is_own).await;
            writeln!(
                made,
                "| {} `{}` | {} | {data} | {} |",
                case.method,
                case.path,
                case.what,
                cells.join(" | ")
            )
            .expect("text");
        }
    }
    if made != MATRIX {
        let file = std::env::temp_dir().join("permissions-matrix.md");
        std::fs::write(&file, &made).expect("written");
        let changed: Vec<&str> = made.lines().filter(|line| !MATRIX.contains(*line)).collect();
        panic!(
            "docs/permissions-matrix.md says otherwise; what was seen is in {}. If it is right, copy it there. New:\n{}",
            file.display(),
            changed.join("\n")
        );
    }
}
