//! Contract tests of `CourseRepository`.

mod common;

use adapter_postgres::testing::TestDatabase;
use domain_courses::{Course, CourseError, CourseName, Description, LanguageCode};
use domain_kernel::{AuditEntry, AuditSubject, CourseId, OrgId, UserId};

use crate::common::{Ports, an_audit, at, audit_json, everything, fields_of, next_id};

fn a_course(organization: Option<OrgId>) -> Course {
    let language = |code| LanguageCode::parse(code).expect("a language");
    Course {
        id: CourseId::new(next_id()),
        organization,
        name: CourseName::parse("Lifting without harm").expect("a name"),
        description: Description::parse("First line\nSecond line: 100 % \"quoted\"").ok(),
        basics: true,
        position: -3,
        language_codes: vec![language("es"), language("en")],
        archived_at: Some(at(30)),
        created_at: at(7),
        updated_at: at(8),
    }
}

fn audit_of(actor: UserId, course: &Course) -> AuditEntry {
    an_audit(actor, "course.create", course.organization, AuditSubject::Course(course.id))
}

#[tokio::test]
async fn a_course_of_an_organization_is_read_back_whole_even_when_archived() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let course = a_course(Some(organization));
    let audit = audit_of(staff, &course);
    ports.courses.insert(course.clone(), audit.clone()).await.expect("it is new");
    let found = ports.courses.find(course.id).await.expect("found");
    assert_eq!(found, Some(course));
    assert_eq!(ports.audit_rows().await[1..], [audit_json(&audit)]);
}

#[tokio::test]
async fn a_course_of_the_library_is_read_back_whole() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let course = Course {
        description: None,
        basics: false,
        position: 0,
        language_codes: vec![],
        archived_at: None,
        ..a_course(None)
    };
    let audit = audit_of(staff, &course);
    ports.courses.insert(course.clone(), audit.clone()).await.expect("it is new");
    let found = ports.courses.find(course.id).await.expect("found");
    assert_eq!(found, Some(course));
    assert_eq!(ports.audit_rows().await, [audit_json(&audit)]);
}

#[tokio::test]
async fn an_unknown_course_is_none() {
    let db = TestDatabase::create();
    let found = Ports::over(&db).courses.find(CourseId::new(next_id())).await;
    assert_eq!(found.expect("looked up"), None);
}

#[tokio::test]
async fn a_course_of_an_unknown_organization_is_refused_and_nothing_is_written() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let before = everything(&db);
    let course = a_course(Some(OrgId::new(next_id())));
    let audit = audit_of(staff, &course);
    let refused = ports.courses.insert(course, audit).await.expect_err("there is no such organization");
    assert!(matches!(refused, CourseError::OrganizationUnknown(_)), "{refused:?}");
    assert_eq!(fields_of(&refused), [("organization_id".to_owned(), "unknown")]);
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn without_its_audit_row_a_course_is_not_made() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let course = a_course(None);
    let audit = audit_of(UserId::new(next_id()), &course);
    let failed = ports.courses.insert(course, audit).await;
    assert!(matches!(failed, Err(CourseError::Storage(_))), "{failed:?}");
    assert_eq!(everything(&db), Vec::<String>::new());
}
