//! Contract tests of `VersionRepository` and `VersionQueries`.

mod common;

use adapter_postgres::testing::TestDatabase;
use domain_courses::ports::{DraftOpening, VersionEdit};
use domain_courses::{
    Course, CourseError, CourseName, CourseVersion, Edition, ListedVersion, Shelf, VersionData, VersionKey,
    VersionStatus,
};
use domain_kernel::{
    AuditEntry, AuditSubject, CourseId, CourseVersionId, OrgId, Page, Refusal, Sort, UserId,
};
use serde_json::{Value, json};

use crate::common::{
    ALL, Ports, a_membership, all_at_once, an_audit, at, audit_json, count, everything, next_id, page,
};

fn data(raw: Value) -> VersionData {
    VersionData::parse(raw).expect("an object")
}

/// Everything that JSON has.
fn rich() -> VersionData {
    data(json!({
        "title": "Heben & \"Tragen\" – 作業 \\u0041 🏋", "empty": {}, "list": [], "nested": [[1, [2.5, {"a": null}]]],
        "numbers": [0, -1, 1.5, 9_007_199_254_740_993_i64, 1e300, 1e-7], "flag": true, "": "nameless"
    }))
}

async fn given_course(ports: &Ports, staff: UserId, organization: Option<OrgId>) -> CourseId {
    let course = Course {
        id: CourseId::new(next_id()),
        organization,
        name: CourseName::parse("Lifting").expect("a name"),
        description: None,
        basics: false,
        position: 0,
        language_codes: vec![],
        published: None,
        archived_at: None,
        created_at: at(0),
        updated_at: at(0),
    };
    let audit = an_audit(staff, "course.create", organization, AuditSubject::Course(course.id));
    ports.courses.insert(course.clone(), audit).await.expect("it is new");
    course.id
}

fn audit_of(staff: UserId, action: &'static str) -> AuditEntry {
    an_audit(staff, action, None, AuditSubject::CourseVersion(CourseVersionId::new(next_id())))
}

/// Opens a draft, whatever is there.
fn opening(staff: UserId, content: VersionData, minutes: i64) -> DraftOpening {
    Box::new(move |shelf: &Shelf| {
        let (id, number) = (CourseVersionId::new(next_id()), shelf.last_number + 1);
        let draft = CourseVersion::draft(id, shelf.course, number, content, staff, at(minutes));
        Ok((draft, vec![audit_of(staff, "course_version.create")]))
    })
}

async fn given_draft(ports: &Ports, staff: UserId, course: CourseId, minutes: i64) -> CourseVersion {
    ports.versions.open_draft(course, opening(staff, rich(), minutes)).await.expect("opens")
}

fn edit(
    change: impl FnOnce(&Shelf, &mut CourseVersion) -> Result<Vec<AuditEntry>, CourseError> + Send + 'static,
) -> VersionEdit {
    Box::new(change)
}

fn publishing(staff: UserId, minutes: i64) -> VersionEdit {
    edit(move |_, version| {
        let changed = version.publish(at(minutes))?;
        Ok(changed.then(|| audit_of(staff, "course_version.publish")).into_iter().collect())
    })
}

fn archiving(staff: UserId, minutes: i64) -> VersionEdit {
    edit(move |_, version| {
        version.archive(at(minutes));
        Ok(vec![audit_of(staff, "course_version.archive")])
    })
}

async fn given_published(ports: &Ports, staff: UserId, course: CourseId, minutes: i64) -> CourseVersion {
    let draft = given_draft(ports, staff, course, minutes).await;
    ports.versions.update(course, draft.id, publishing(staff, minutes + 1)).await.expect("publishes")
}

async fn found(ports: &Ports, version: &CourseVersion) -> CourseVersion {
    let found = ports.version_queries.find(version.course, version.id).await;
    found.expect("a read").expect("there is one")
}

fn is_not_found<T>(result: &Result<T, CourseError>) -> bool {
    matches!(result, Err(CourseError::Refused(Refusal::NotFound)))
}

#[tokio::test]
async fn a_draft_is_read_back_whole_and_stored_with_its_audit_rows() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let course = given_course(&ports, staff, Some(organization)).await;
    let audits = vec![audit_of(staff, "course_version.create"), audit_of(staff, "course_version.archive")];
    let stored = audits.clone();
    let opening = Box::new(move |shelf: &Shelf| {
        let expected =
            Shelf { course, organization: Some(organization), last_number: 0, draft: None, published: None };
        assert_eq!(*shelf, expected);
        Ok((CourseVersion::draft(CourseVersionId::new(next_id()), course, 1, rich(), staff, at(3)), audits))
    });
    let draft = ports.versions.open_draft(course, opening).await.expect("opens");
    assert_eq!((draft.number, draft.status, &draft.data), (1, VersionStatus::Draft, &rich()));
    assert_eq!(found(&ports, &draft).await, draft);
    assert_eq!(ports.audit_rows().await[2..], [audit_json(&stored[0]), audit_json(&stored[1])]);
}

#[tokio::test]
async fn a_draft_that_was_open_is_archived_when_a_new_one_is_made() {
    let db = TestDatabase::create();
    let (ports, staff, _) = Ports::ready(&db).await;
    let course = given_course(&ports, staff, None).await;
    let published = given_published(&ports, staff, course, 1).await;
    let first = given_draft(&ports, staff, course, 5).await;
    let (draft, now_published) = (first.edition(), published.edition());
    let opening = Box::new(move |shelf: &Shelf| {
        assert_eq!((shelf.last_number, shelf.draft, shelf.published), (2, Some(draft), Some(now_published)));
        let id = CourseVersionId::new(next_id());
        Ok((CourseVersion::draft(id, course, 3, rich(), staff, at(9)), vec![]))
    });
    let second = ports.versions.open_draft(course, opening).await.expect("opens");
    let archived = CourseVersion {
        status: VersionStatus::Archived,
        archived_at: Some(at(9)),
        updated_at: at(9),
        lock_version: 1,
        ..first
    };
    assert_eq!(found(&ports, &archived).await, archived);
    assert_eq!(found(&ports, &second).await, second);
    assert_eq!(found(&ports, &published).await, published);
}

#[tokio::test]
async fn what_an_opening_refuses_and_an_unknown_course_write_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, _) = Ports::ready(&db).await;
    let course = given_course(&ports, staff, None).await;
    given_draft(&ports, staff, course, 1).await;
    let before = everything(&db);
    let refusing = Box::new(|shelf: &Shelf| {
        let Edition { id, number } = shelf.draft.expect("one is open");
        Err(CourseError::DraftExists { id, number })
    });
    let refused = ports.versions.open_draft(course, refusing).await;
    assert!(matches!(refused, Err(CourseError::DraftExists { number: 1, .. })), "{refused:?}");
    let unknown = ports.versions.open_draft(CourseId::new(next_id()), opening(staff, rich(), 1)).await;
    assert!(is_not_found(&unknown), "{unknown:?}");
    let unaudited = ports.versions.open_draft(course, opening(UserId::new(next_id()), rich(), 1)).await;
    assert!(matches!(unaudited, Err(CourseError::Storage(_))), "{unaudited:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_drafts_opened_at_once_each_sees_those_before_it() {
    let db = TestDatabase::create();
    let (ports, staff, _) = Ports::ready(&db).await;
    let course = given_course(&ports, staff, None).await;
    let open = || {
        let ports = ports.clone();
        let polite = Box::new(move |shelf: &Shelf| match shelf.draft {
            Some(Edition { id, number }) => Err(CourseError::DraftExists { id, number }),
            None => opening(staff, rich(), 1)(shelf),
        });
        async move { ports.versions.open_draft(course, polite).await }
    };
    let results = all_at_once((0..6).map(|_| open())).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    let is_taken = |result: &&Result<_, _>| matches!(result, Err(CourseError::DraftExists { number: 1, .. }));
    assert_eq!(results.iter().filter(is_taken).count(), 5, "{results:?}");

    let force = || {
        let ports = ports.clone();
        async move { ports.versions.open_draft(course, opening(staff, rich(), 2)).await }
    };
    let results = all_at_once((0..6).map(|_| force())).await;
    let mut numbers: Vec<_> =
        results.into_iter().map(|result| result.expect("each takes its turn").number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5, 6, 7]);
    assert_eq!(count(&db, "course_versions WHERE status = 'archived'"), 6);
}

#[tokio::test]
async fn an_edit_is_stored_whole_with_its_audit_rows() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let course = given_course(&ports, staff, Some(organization)).await;
    let draft = given_draft(&ports, staff, course, 1).await;
    let audits = vec![audit_of(staff, "course_version.update"), audit_of(staff, "course_version.publish")];
    let (stored, before) = (audits.clone(), draft.clone());
    let change = edit(move |shelf, version| {
        let expected = Shelf {
            course,
            organization: Some(organization),
            last_number: 1,
            draft: Some(before.edition()),
            published: None,
        };
        assert_eq!((*shelf, &*version), (expected, &before));
        version.revise(data(json!({ "title": "new" })), Some(0), at(2))?;
        version.publish(at(3))?;
        Ok(audits)
    });
    let changed = ports.versions.update(course, draft.id, change).await.expect("changes");
    let expected = CourseVersion {
        data: data(json!({ "title": "new" })),
        status: VersionStatus::Published,
        published_at: Some(at(3)),
        updated_at: at(3),
        lock_version: 2,
        ..draft
    };
    assert_eq!(changed, expected);
    assert_eq!(found(&ports, &expected).await, expected);
    let rows = ports.audit_rows().await;
    assert_eq!(rows[rows.len() - 2..], [audit_json(&stored[0]), audit_json(&stored[1])]);
}

#[tokio::test]
async fn an_edit_that_is_refused_or_changes_nothing_writes_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, _) = Ports::ready(&db).await;
    let course = given_course(&ports, staff, None).await;
    let other = given_course(&ports, staff, None).await;
    let draft = given_draft(&ports, staff, course, 1).await;
    let before = everything(&db);
    let same = ports.versions.update(course, draft.id, edit(|_, _| Ok(vec![]))).await;
    assert_eq!(same.expect("answers"), draft);
    let refusing = edit(|_, version| {
        version.publish(at(2))?;
        Err(CourseError::VersionConflict)
    });
    let refused = ports.versions.update(course, draft.id, refusing).await;
    assert!(matches!(refused, Err(CourseError::VersionConflict)), "{refused:?}");
    for (course, id) in
        [(course, CourseVersionId::new(next_id())), (other, draft.id), (CourseId::new(next_id()), draft.id)]
    {
        let unknown = ports.versions.update(course, id, publishing(staff, 2)).await;
        assert!(is_not_found(&unknown), "{unknown:?}");
        assert_eq!(ports.version_queries.find(course, id).await.expect("a read"), None);
    }
    let unaudited = ports.versions.update(course, draft.id, publishing(UserId::new(next_id()), 2)).await;
    assert!(matches!(unaudited, Err(CourseError::Storage(_))), "{unaudited:?}");
    assert_eq!(everything(&db), before);
}

/// Assignments of the version in each state, one for each of four people.
async fn given_assignments(
    db: &TestDatabase,
    ports: &Ports,
    staff: UserId,
    organization: OrgId,
    version: &CourseVersion,
) {
    for (index, state) in ["assigned", "in_progress", "completed", "withdrawn"].into_iter().enumerate() {
        let code = format!("A{:02}B{:02}", index, version.number);
        let membership = ports.given_membership(a_membership(staff, organization, &code)).await.membership.id;
        let (user, _) = ports.given_member(&format!("learner-{code}"), Some(&code)).await;
        let completed = if state == "completed" { "now()" } else { "NULL" };
        let withdrawn = if state == "withdrawn" { "now()" } else { "NULL" };
        db.execute(&format!(
            "INSERT INTO assignments (id, organization_id, membership_id, user_id, course_id, course_version_id, state, \
             source, assigned_at, completed_at, withdrawn_at, updated_at) VALUES ('{}', '{organization}', '{membership}', \
             '{}', '{}', '{}', '{state}', 'manual', now(), {completed}, {withdrawn}, '2026-01-01T00:00:00Z')",
            next_id(),
            user.id,
            version.course,
            version.id
        ));
    }
}

#[tokio::test]
async fn what_is_published_takes_the_place_of_the_old_version_and_of_what_nobody_has_started() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let course = given_course(&ports, staff, None).await;
    let other = given_course(&ports, staff, None).await;
    let first = given_published(&ports, staff, course, 1).await;
    let bystander = given_published(&ports, staff, other, 1).await;
    given_assignments(&db, &ports, staff, organization, &first).await;
    let draft = given_draft(&ports, staff, course, 5).await;
    let second = ports.versions.update(course, draft.id, publishing(staff, 7)).await.expect("publishes");
    assert_eq!(found(&ports, &second).await, second);
    let archived = CourseVersion {
        status: VersionStatus::Archived,
        archived_at: Some(at(7)),
        updated_at: at(7),
        lock_version: first.lock_version + 1,
        ..first.clone()
    };
    assert_eq!(found(&ports, &archived).await, archived);
    assert_eq!(found(&ports, &bystander).await, bystander);
    let moved = format!("course_version_id = '{}' AND updated_at = '2026-01-05T08:07:00Z'", second.id);
    assert_eq!(count(&db, &format!("assignments WHERE state = 'assigned' AND {moved}")), 1);
    assert_eq!(count(&db, &format!("assignments WHERE course_version_id = '{}'", first.id)), 3);
    let course = ports.course_queries.find(course).await.expect("a read").expect("there is one");
    assert_eq!(course.published, Some(second.edition()));
}

#[tokio::test]
async fn archiving_the_published_version_withdraws_what_nobody_has_started() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let course = given_course(&ports, staff, None).await;
    let version = given_published(&ports, staff, course, 1).await;
    given_assignments(&db, &ports, staff, organization, &version).await;
    let draft = given_draft(&ports, staff, course, 5).await;
    let before = db.rows("SELECT * FROM assignments ORDER BY id");
    ports.versions.update(course, draft.id, archiving(staff, 6)).await.expect("archives");
    assert_eq!(db.rows("SELECT * FROM assignments ORDER BY id"), before, "nobody has a draft");
    let archived = ports.versions.update(course, version.id, archiving(staff, 7)).await.expect("archives");
    assert_eq!(found(&ports, &archived).await, archived);
    let states = db.rows("SELECT state FROM assignments ORDER BY id");
    assert_eq!(states, ["(withdrawn)", "(in_progress)", "(completed)", "(withdrawn)"]);
    assert_eq!(count(&db, "assignments WHERE withdrawn_at = '2026-01-05T08:07:00Z'"), 1);
    let course = ports.course_queries.find(course).await.expect("a read").expect("there is one");
    assert_eq!(course.published, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_publishing_and_changing_a_draft_at_once_each_comes_before_or_after_the_other() {
    let db = TestDatabase::create();
    let (ports, staff, _) = Ports::ready(&db).await;
    let course = given_course(&ports, staff, None).await;
    for round in 0..5 {
        let draft = given_draft(&ports, staff, course, 1).await;
        let change = |index: u32| {
            let (ports, id) = (ports.clone(), draft.id);
            let change = if index.is_multiple_of(2) {
                publishing(staff, 3)
            } else {
                edit(move |_, version| {
                    version.revise(data(json!({ "index": index })), None, at(2))?;
                    Ok(vec![audit_of(staff, "course_version.update")])
                })
            };
            async move { ports.versions.update(course, id, change).await }
        };
        let results = all_at_once((0..6).map(change)).await;
        let published = found(&ports, &draft).await;
        assert_eq!(published.status, VersionStatus::Published);
        let of_publishing = results.iter().step_by(2);
        assert!(of_publishing.clone().all(Result::is_ok), "{results:?}");
        let revised = results.iter().skip(1).step_by(2).filter(|result| result.is_ok()).count();
        let refused = |result: &&Result<_, _>| matches!(result, Err(CourseError::VersionNotDraft));
        assert_eq!(results.iter().filter(refused).count() + revised, 3, "{results:?}");
        assert_eq!(published.lock_version, i32::try_from(revised).expect("few") + 1);
        let rows = count(&db, "audit_log WHERE action = 'course_version.publish'");
        assert_eq!(rows, round + 1, "once for each round");
        assert_eq!(count(&db, "course_versions WHERE status = 'published'"), 1);
    }
}

/// A version as a list has it.
fn listed(version: &CourseVersion, with_data: bool) -> ListedVersion {
    ListedVersion {
        data: with_data.then(|| version.data.clone()),
        id: version.id,
        course: version.course,
        number: version.number,
        status: version.status,
        created_by: version.created_by,
        created_at: version.created_at,
        updated_at: version.updated_at,
        published_at: version.published_at,
        archived_at: version.archived_at,
        lock_version: version.lock_version,
    }
}

fn sort(text: &str) -> Sort<VersionKey> {
    Sort::parse(text, &VersionKey::WORDS).expect("an order")
}

#[tokio::test]
async fn versions_are_listed_in_any_order_with_their_content_only_when_asked() {
    let db = TestDatabase::create();
    let (ports, staff, _) = Ports::ready(&db).await;
    let course = given_course(&ports, staff, None).await;
    let other = given_course(&ports, staff, None).await;
    given_draft(&ports, staff, other, 1).await;
    // Published in another order than made: the second is the older one by its making.
    let mut versions = Vec::new();
    for (made, published) in [(5, Some(8)), (3, Some(9)), (4, None), (4, None)] {
        let draft = given_draft(&ports, staff, course, made).await;
        if let Some(minutes) = published {
            ports.versions.update(course, draft.id, publishing(staff, minutes)).await.expect("publishes");
        }
        versions.push(draft);
    }
    for version in &mut versions {
        *version = found(&ports, version).await;
    }
    let list = |text: &str, with_data, part| ports.version_queries.list(course, with_data, sort(text), part);
    for (text, order) in [
        ("created_at", [1, 2, 3, 0]),
        ("-created_at", [0, 2, 3, 1]),
        ("published_at", [0, 1, 2, 3]),
        ("-published_at", [1, 0, 2, 3]),
        ("-published_at,created_at", [1, 0, 2, 3]),
    ] {
        for with_data in [false, true] {
            let items: Vec<_> = order.iter().map(|index| listed(&versions[*index], with_data)).collect();
            let found = list(text, with_data, ALL).await.expect("a read");
            assert_eq!(found, Some(Page { items: items.clone(), total: 4 }), "{text}");
            for (offset, part) in [(0, &items[..3]), (3, &items[3..]), (9, &[][..])] {
                let found = list(text, with_data, page(offset, 3)).await.expect("a read");
                assert_eq!(found, Some(Page { items: part.to_vec(), total: 4 }), "{text} from {offset}");
            }
        }
    }
}

#[tokio::test]
async fn of_an_unknown_course_there_is_no_list_and_of_one_without_versions_an_empty_one() {
    let db = TestDatabase::create();
    let (ports, staff, _) = Ports::ready(&db).await;
    let course = given_course(&ports, staff, None).await;
    let list = |course| ports.version_queries.list(course, true, sort("-created_at"), ALL);
    assert_eq!(list(course).await.expect("a read"), Some(Page { items: vec![], total: 0 }));
    assert_eq!(list(CourseId::new(next_id())).await.expect("a read"), None);
}
