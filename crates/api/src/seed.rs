//! Demo data for a laptop: one organization, two teams, somebody in each role, courses for them, and two months in which people
//! learned. Made through the use cases, so it is what real use would make.

mod history;

use std::sync::{Mutex, PoisonError};

use adapter_security::SystemClock;
use chrono::{DateTime, TimeDelta, Utc};
use domain_courses::{
    CategoryChange, CategoryName, CourseList, CourseName, CreateCategory, CreateCourse, CreateVersion,
    Description, VersionChange, VersionData,
};
use domain_kernel::{
    Actor, Clock, CourseId, ExternalId, FieldErrors, FieldProblem, JobTitle, LanguageCode, OrgId, Origin,
    PersonName, StaffRole, TeamId,
};
use domain_memberships::{Added, CreateMembership};
use domain_orgs::{CreateOrganization, Folder, OrgName};
use domain_teams::{CreateTeam, TeamName};
use domain_users::{CreateStaffMember, Device, Password, Provider, SignUp, Username};
use serde_json::json;

use crate::compose::Services;
use crate::error::ApiError;
use crate::seed::history::History;

/// The password of everybody in the demo data.
const PASSWORD: &str = "worklete123";

/// The sign-ins, with what each is for. The first one is made first and so tells whether the data was loaded.
pub(crate) const SIGN_INS: [(&str, &str); 5] = [
    ("demo-staff", "Worklete staff, reads and writes everything"),
    ("demo-employee", "Worklete staff, reads the staff area"),
    ("demo-admin", "runs the organization Demo Logistics"),
    ("demo-lead", "runs the team Loading dock"),
    ("demo-learner", "is on the team Loading dock"),
];

/// A clock that shows the time that it was set to, and until then the right one.
#[derive(Default)]
pub(crate) struct MovableClock(Mutex<Option<DateTime<Utc>>>);

impl MovableClock {
    fn set(&self, time: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(time);
    }
}

impl Clock for MovableClock {
    fn now(&self) -> DateTime<Utc> {
        let set = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        set.unwrap_or_else(|| SystemClock.now())
    }
}

struct DemoCourse {
    name: &'static str,
    description: &'static str,
    basics: bool,
    languages: &'static [&'static str],
}

/// The basics in their order, and then courses for a pool.
const COURSES: [DemoCourse; 12] = [
    DemoCourse {
        name: "Welcome to moving well",
        description: "Why the way we move matters, and how these lessons work.",
        basics: true,
        languages: &["en", "es"],
    },
    DemoCourse {
        name: "Lifting from the floor",
        description: "Bend the knees, keep the load close.",
        basics: true,
        languages: &["en", "es"],
    },
    DemoCourse {
        name: "Speaking up",
        description: "What to do when a task does not feel safe.",
        basics: true,
        languages: &["en", "es"],
    },
    DemoCourse {
        name: "Pushing and pulling carts",
        description: "Push rather than pull, and look where you are going.",
        basics: false,
        languages: &["en", "es"],
    },
    DemoCourse {
        name: "Reaching above the shoulder",
        description: "Step closer or step up before you reach.",
        basics: false,
        languages: &["en", "es"],
    },
    DemoCourse {
        name: "Getting in and out of a truck",
        description: "Three points of contact, every time.",
        basics: false,
        languages: &["en"],
    },
    DemoCourse {
        name: "Turning with a load",
        description: "Move the feet, not the back.",
        basics: false,
        languages: &["en", "es"],
    },
    DemoCourse {
        name: "Lifting in pairs",
        description: "One counts, both lift.",
        basics: false,
        languages: &["en", "es"],
    },
    DemoCourse {
        name: "Pallets and straps",
        description: "Hands where they cannot be caught.",
        basics: false,
        languages: &["en", "es"],
    },
    DemoCourse {
        name: "Standing for hours",
        description: "Shift your weight, and change your place.",
        basics: false,
        languages: &["en", "es"],
    },
    DemoCourse {
        name: "Low shelves",
        description: "Kneel on one knee rather than bend.",
        basics: false,
        languages: &["en", "es"],
    },
    DemoCourse {
        name: "Wet floors and ramps",
        description: "Short steps, no hurry.",
        basics: false,
        languages: &["en"],
    },
];

/// A value of the demo data, which is known to be good.
fn good<T>(parsed: Result<T, FieldProblem>) -> Result<T, ApiError> {
    parsed.map_err(|problem| ApiError::invalid(FieldErrors::of("demo", problem.code, problem.message)))
}

/// Loads the demo data unless `demo-staff` is there. Gives whether it was loaded.
///
/// The account that is made first decides, so that neither a learner's new name nor an interrupted loading makes it fail
/// for ever: what was not made then stays away. To start over, remove `.local/postgres`, with
/// `scripts/postgres remove .local/postgres`.
pub(crate) async fn load(services: &Services, clock: &MovableClock) -> Result<bool, ApiError> {
    let first = good(Username::parse(SIGN_INS[0].0, Provider::Username))?;
    if !services.users.username_availability(&first, &Origin::default()).await? {
        return Ok(false);
    }
    let today = clock.now();
    let start = history::start(today);
    clock.set(start - TimeDelta::days(30));
    let staff = staff_member(services, SIGN_INS[0].0, "Staff", StaffRole::Admin).await?;
    staff_member(services, SIGN_INS[1].0, "Employee", StaffRole::Employee).await?;
    let organization = CreateOrganization {
        name: good(OrgName::parse("Demo Logistics"))?,
        s3_integrations_folder: Some(good(Folder::parse("demo-logistics"))?),
        saml_info: None,
    };
    let organization = services.orgs.create_organization(&staff, organization).await?.id;
    let dock = team(services, &staff, organization, "Loading dock").await?;
    let night = team(services, &staff, organization, "Night shift").await?;
    let mut pool = Vec::new();
    for (index, demo) in COURSES.iter().enumerate() {
        let id = course(services, &staff, index, demo).await?;
        if !demo.basics {
            pool.push(id);
        }
    }
    category(services, &staff, organization, pool).await?;
    let person = |last_name: &str, job_title| Person {
        last_name: last_name.to_owned(),
        job_title,
        ..Person::default(organization)
    };
    clock.set(start);
    let admin = Person { org_admin: true, ..person("Admin", "Site manager") };
    member(services, &staff, SIGN_INS[2].0, admin).await?;
    let lead = Person { teams: vec![dock], administered_teams: vec![dock], ..person("Lead", "Shift lead") };
    let lead = member(services, &staff, SIGN_INS[3].0, lead).await?;
    let mut people = Vec::new();
    for number in 1..=history::PICKERS {
        // Not all in a minute: the same address may not sign up that many.
        clock.set(start + TimeDelta::minutes(30) * i32::try_from(number).unwrap_or_default());
        let team = if number % 2 == 0 { night } else { dock };
        let picker = Person { teams: vec![team], ..person(&format!("Picker {number}"), "Picker") };
        people.push(member(services, &staff, &format!("demo-picker-{number}"), picker).await?);
    }
    history::make(services, clock, today, &History { staff: &staff, lead, teams: [dock, night], people })
        .await?;
    clock.set(today);
    let learner = Person { teams: vec![dock], ..person("Learner", "Picker") };
    member(services, &staff, SIGN_INS[4].0, learner).await?;
    Ok(true)
}

async fn staff_member(
    services: &Services,
    username: &str,
    last_name: &str,
    role: StaffRole,
) -> Result<Actor, ApiError> {
    let command = CreateStaffMember {
        username: good(Username::parse(username, Provider::Username))?,
        provider: Provider::Username,
        first_name: good(PersonName::parse("Demo"))?,
        last_name: good(PersonName::parse(last_name))?,
        password: good(Password::parse(PASSWORD))?,
        role,
        only_first: false,
    };
    let user = services.users.create_staff_member(command).await?.id;
    Ok(Actor {
        user,
        staff: Some(role),
        memberships: Vec::new(),
        is_champion: false,
        origin: Origin::default(),
    })
}

async fn team(
    services: &Services,
    staff: &Actor,
    organization: OrgId,
    name: &str,
) -> Result<TeamId, ApiError> {
    let command = CreateTeam { organization, name: good(TeamName::parse(name))? };
    Ok(services.teams.create_team(staff, command).await?.id)
}

/// Who trains what: the same for everybody.
async fn category(
    services: &Services,
    staff: &Actor,
    organization: OrgId,
    courses: Vec<CourseId>,
) -> Result<(), ApiError> {
    let name = good(CategoryName::parse("Warehouse"))?;
    let command = CreateCategory { organization, name, is_default: true };
    let id = services.training.create_category(staff, command).await?.id;
    let courses = Some(good(CourseList::parse(courses))?);
    let change = CategoryChange { name: None, job_titles: None, courses, is_default: None };
    services.training.update_category(staff, organization, id, change).await?;
    Ok(())
}

/// A course of the library with one published version.
async fn course(
    services: &Services,
    staff: &Actor,
    index: usize,
    course: &DemoCourse,
) -> Result<CourseId, ApiError> {
    let languages = course.languages.iter().map(|code| good(LanguageCode::parse(code)));
    let command = CreateCourse {
        organization: None,
        name: good(CourseName::parse(course.name))?,
        description: Some(good(Description::parse(course.description))?),
        basics: course.basics,
        position: i32::try_from(index + 1).unwrap_or(i32::MAX),
        language_codes: languages.collect::<Result<_, _>>()?,
    };
    let id = services.courses.create_course(staff, command).await?.id;
    let data = json!({
        "title": course.name,
        "pages": [
            { "kind": "video", "path": format!("demo/{}.mp4", index + 1) },
            { "kind": "text", "text": course.description },
            { "kind": "question", "text": "What comes first?", "answers": ["Look", "Lift"], "right": 0 }
        ],
    });
    let draft = CreateVersion { course: id, data: good(VersionData::parse(data))?, force: false };
    let draft = services.courses.create_version(staff, draft).await?.id;
    services.courses.update_version(staff, id, draft, VersionChange::publishing()).await?;
    Ok(id)
}

struct Person {
    organization: OrgId,
    last_name: String,
    job_title: &'static str,
    org_admin: bool,
    teams: Vec<TeamId>,
    administered_teams: Vec<TeamId>,
}

impl Person {
    fn default(organization: OrgId) -> Self {
        let (teams, administered_teams) = (Vec::new(), Vec::new());
        Self {
            organization,
            last_name: "Person".into(),
            job_title: "Picker",
            org_admin: false,
            teams,
            administered_teams,
        }
    }
}

/// Puts somebody on the roster and signs them up with the code.
async fn member(
    services: &Services,
    staff: &Actor,
    username: &str,
    person: Person,
) -> Result<Actor, ApiError> {
    let (first_name, last_name) =
        (good(PersonName::parse("Demo"))?, good(PersonName::parse(&person.last_name))?);
    let command = CreateMembership {
        organization: person.organization,
        first_name: first_name.clone(),
        last_name: last_name.clone(),
        email: None,
        external_id: Some(good(ExternalId::parse(username))?),
        job_title: Some(good(JobTitle::parse(person.job_title))?),
        hired_on: None,
        org_admin: person.org_admin,
        teams: person.teams,
        administered_teams: person.administered_teams,
    };
    let (Added::Created(view) | Added::Reactivated(view), _) =
        services.memberships.create_membership(staff, command).await?;
    let sign_up = SignUp {
        username: good(Username::parse(username, Provider::Username))?,
        provider: Provider::Username,
        first_name,
        last_name,
        password: good(Password::parse(PASSWORD))?,
        invite_code: view.invitation.map(|invitation| invitation.code),
        device: Device::default(),
        origin: Origin::default(),
    };
    let (account, _) = services.users.sign_up(sign_up).await?;
    Ok(account.actor(Origin::default()))
}

/// The sign-ins as a table.
pub(crate) fn table() -> String {
    let rows = SIGN_INS.map(|(username, role)| format!("  {username:<14} {PASSWORD}   {role}"));
    format!("Demo sign-ins (username, password):\n{}", rows.join("\n"))
}
