//! Contract tests of `CourseRepository` and `CourseQueries`.

mod common;

use adapter_postgres::testing::TestDatabase;
use domain_courses::ports::{CourseEdit, CourseFilter};
use domain_courses::{Course, CourseError, CourseName, Description, Edition};
use domain_kernel::{
    AuditEntry, AuditSubject, CourseId, CourseVersionId, LanguageCode, OrgId, Page, Refusal, UserId,
};

use crate::common::{
    ALL, Ports, a_membership, an_audit, at, audit_json, count, everything, fields_of, next_id, page,
};

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
        published: None,
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
    let found = ports.course_queries.find(course.id).await.expect("found");
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
    let found = ports.course_queries.find(course.id).await.expect("found");
    assert_eq!(found, Some(course));
    assert_eq!(ports.audit_rows().await, [audit_json(&audit)]);
}

#[tokio::test]
async fn an_unknown_course_is_none() {
    let db = TestDatabase::create();
    let found = Ports::over(&db).course_queries.find(CourseId::new(next_id())).await;
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

fn edit(
    change: impl FnOnce(&mut Course) -> Result<Option<AuditEntry>, CourseError> + Send + 'static,
) -> CourseEdit {
    Box::new(change)
}

async fn given(ports: &Ports, staff: UserId, course: &Course) {
    ports.courses.insert(course.clone(), audit_of(staff, course)).await.expect("it is new");
}

/// A live course of the library.
fn a_live_course() -> Course {
    Course { archived_at: None, ..a_course(None) }
}

#[tokio::test]
async fn an_edit_is_stored_whole_with_its_audit_row() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let course = a_live_course();
    given(&ports, staff, &course).await;
    let wanted = Course {
        organization: Some(organization),
        name: CourseName::parse("Pulling").expect("a name"),
        description: None,
        basics: false,
        position: 9,
        language_codes: vec![LanguageCode::parse("fr").expect("a language")],
        archived_at: Some(at(31)),
        updated_at: at(31),
        ..course.clone()
    };
    let audit = audit_of(staff, &wanted);
    let (edited, audited) = (wanted.clone(), audit.clone());
    let change = edit(move |found| {
        assert_eq!(*found, course);
        *found = edited;
        Ok(Some(audit))
    });
    let updated = ports.courses.update(wanted.id, change).await.expect("changes");
    assert_eq!(updated, wanted);
    assert_eq!(ports.course_queries.find(wanted.id).await.expect("found"), Some(wanted));
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audited)));
}

#[tokio::test]
async fn an_edit_that_is_refused_or_changes_nothing_writes_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, _) = Ports::ready(&db).await;
    let course = a_live_course();
    given(&ports, staff, &course).await;
    let before = everything(&db);
    let same = ports.courses.update(course.id, edit(|_| Ok(None))).await;
    assert_eq!(same.expect("answers"), course);
    let refused = edit(|course| {
        course.position = 5;
        Err(Refusal::Forbidden.into())
    });
    let refused = ports.courses.update(course.id, refused).await;
    assert!(matches!(refused, Err(CourseError::Refused(Refusal::Forbidden))), "{refused:?}");
    let unknown = ports.courses.update(CourseId::new(next_id()), edit(|_| Ok(None))).await;
    assert!(matches!(unknown, Err(CourseError::Refused(Refusal::NotFound))), "{unknown:?}");
    let audit = audit_of(staff, &course);
    let moved = edit(move |course| {
        course.organization = Some(OrgId::new(next_id()));
        Ok(Some(audit))
    });
    let refused = ports.courses.update(course.id, moved).await.expect_err("no such organization");
    assert_eq!(fields_of(&refused), [("organization_id".to_owned(), "unknown")]);
    assert_eq!(everything(&db), before);
}

/// Assignments of a course in each state, one for each of four people.
async fn given_assignments(
    db: &TestDatabase,
    ports: &Ports,
    staff: UserId,
    organization: OrgId,
    course: &Course,
) {
    db.execute(&format!(
        "INSERT INTO course_versions (id, course_id, number, status, data, created_by, created_at, updated_at, published_at) \
         VALUES ('{}', '{}', 1, 'published', '{{}}', '{staff}', now(), now(), now())",
        next_id(),
        course.id
    ));
    for (code, state) in
        [("AAAA22", "assigned"), ("AAAA23", "in_progress"), ("AAAA24", "completed"), ("AAAA25", "withdrawn")]
    {
        let membership = ports.given_membership(a_membership(staff, organization, code)).await.membership.id;
        let (user, _) = ports.given_member(&format!("learner-{code}"), Some(code)).await;
        let completed = if state == "completed" { "now()" } else { "NULL" };
        let withdrawn = if state == "withdrawn" { "now()" } else { "NULL" };
        db.execute(&format!(
            "INSERT INTO assignments (id, organization_id, membership_id, user_id, course_id, course_version_id, state, \
             source, assigned_at, completed_at, withdrawn_at, updated_at) SELECT '{}', '{organization}', '{membership}', \
             '{}', course_id, id, '{state}', 'manual', now(), {completed}, {withdrawn}, now() FROM course_versions \
             WHERE course_id = '{}' AND status = 'published'",
            next_id(),
            user.id,
            course.id
        ));
    }
}

#[tokio::test]
async fn archiving_withdraws_the_open_assignments_of_the_course_and_no_others() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (course, other) = (a_live_course(), a_live_course());
    given(&ports, staff, &course).await;
    given(&ports, staff, &other).await;
    given_assignments(&db, &ports, staff, organization, &course).await;
    let states = || db.rows("SELECT state, withdrawn_at FROM assignments ORDER BY id");
    let before = states();
    for (course, archived_at) in [(&other, Some(at(40))), (&course, None)] {
        let audit = audit_of(staff, course);
        let change = edit(move |course| {
            course.archived_at = archived_at;
            course.updated_at = at(41);
            Ok(Some(audit))
        });
        ports.courses.update(course.id, change).await.expect("changes");
        assert_eq!(states(), before, "another course, or not archived");
    }
    let audit = audit_of(staff, &course);
    let change = edit(move |course| {
        course.archived_at = Some(at(40));
        Ok(Some(audit))
    });
    ports.courses.update(course.id, change).await.expect("archives");
    let at_that_time = "2026-01-05 08:40:00+00";
    let withdrawn = format!("assignments WHERE state = 'withdrawn' AND withdrawn_at = '{at_that_time}'");
    assert_eq!(count(&db, &withdrawn), 2);
    assert_eq!(count(&db, "assignments WHERE state = 'withdrawn'"), 3);
    assert_eq!(count(&db, "assignments WHERE state = 'completed' AND withdrawn_at IS NULL"), 1);
}

#[tokio::test]
async fn a_course_is_read_with_its_published_version() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let course = a_live_course();
    given(&ports, staff, &course).await;
    let id = next_id();
    for (key, number, status) in [(next_id(), 1, "archived"), (id, 2, "published"), (next_id(), 3, "draft")] {
        db.execute(&format!(
            "INSERT INTO course_versions (id, course_id, number, status, data, created_by, created_at, updated_at, \
             published_at, archived_at) VALUES ('{key}', '{}', {number}, '{status}', '{{}}', '{staff}', now(), now(), now(), \
             CASE WHEN {number} = 1 THEN now() END)",
            course.id
        ));
    }
    let expected = Course { published: Some(Edition { id: CourseVersionId::new(id), number: 2 }), ..course };
    assert_eq!(ports.course_queries.find(expected.id).await.expect("found").as_ref(), Some(&expected));
    let listed = ports.course_queries.list_usable(organization, CourseFilter::Live, ALL).await;
    assert_eq!(listed.expect("a read"), Some(Page { items: vec![expected.clone()], total: 1 }));
    let same = ports.courses.update(expected.id, edit(|_| Ok(None))).await;
    assert_eq!(same.expect("answers"), expected);
}

#[tokio::test]
async fn usable_are_the_courses_of_the_library_and_the_own_basics_first_then_by_position_and_age() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let course = |organization, basics, position| Course {
        basics,
        position,
        archived_at: None,
        ..a_course(organization)
    };
    let late = course(None, false, 2);
    let basics = [course(None, true, 1), course(Some(organization), true, 1)];
    let [early, own] = [course(Some(organization), false, -1), course(Some(organization), false, 2)];
    let archived = a_course(Some(organization));
    let foreign = [course(Some(elsewhere), true, 0), a_course(Some(elsewhere))];
    for course in [&late, &basics[0], &basics[1], &early, &own, &archived].into_iter().chain(&foreign) {
        given(&ports, staff, course).await;
    }
    let [first, second] = basics;
    let whole = [first, second, early, late, own];
    let list = |filter, part| ports.course_queries.list_usable(organization, filter, part);
    for (filter, expected) in [
        (CourseFilter::Live, &whole[..]),
        (CourseFilter::Basics, &whole[..2]),
        (CourseFilter::NotBasics, &whole[2..]),
        (CourseFilter::Archived, &[archived][..]),
    ] {
        let total = i64::try_from(expected.len()).expect("few");
        let listed = list(filter, ALL).await.expect("a read");
        assert_eq!(listed, Some(Page { items: expected.to_vec(), total }), "{filter:?}");
    }
    for (offset, expected) in [(0, &whole[..2]), (2, &whole[2..4]), (4, &whole[4..]), (9, &[][..])] {
        let listed = list(CourseFilter::Live, page(offset, 2)).await.expect("a read");
        assert_eq!(listed, Some(Page { items: expected.to_vec(), total: 5 }));
    }
}

#[tokio::test]
async fn of_an_unknown_organization_there_is_no_list_and_of_one_without_courses_an_empty_one() {
    let db = TestDatabase::create();
    let (ports, _, organization) = Ports::ready(&db).await;
    let list = |organization| ports.course_queries.list_usable(organization, CourseFilter::Live, ALL);
    assert_eq!(list(organization).await.expect("a read"), Some(Page { items: vec![], total: 0 }));
    assert_eq!(list(OrgId::new(next_id())).await.expect("a read"), None);
}
