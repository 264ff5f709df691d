//! Contract tests of the categories and job titles of `TrainingRepository` and `TrainingQueries`, and of what memberships tell
//! of them.

mod common;

use std::sync::{Arc, Mutex};

use adapter_postgres::testing::TestDatabase;
use domain_courses::ports::CategoriesEdit;
use domain_courses::{CategoryName, CourseError, CourseList, JobTitleInUse, ListedCourse, TrainingCategory};
use domain_kernel::{
    AuditEntry, CourseId, DomainError, ErrorKind, JobTitle, OrgId, Page, Refusal, TrainingCategoryId, UserId,
};
use domain_memberships::MembershipStatus;
use domain_memberships::ports::MemberSearch;
use serde_json::{Value, json};

use crate::common::{
    ALL, Lock, Ports, a_category, a_membership, all_at_once, at, audit_json, category_audit, edited,
    everything, fields_of, given_course, membership_audit, next_id, page, sort, until_waiting, words,
};

fn titles(raw: &[&str]) -> Vec<JobTitle> {
    raw.iter().map(|title| JobTitle::parse(title).expect("a title")).collect()
}

/// A change of one category at `at(30)` that leaves this audit row.
fn change(
    id: TrainingCategoryId,
    audit: AuditEntry,
    change: impl FnOnce(&mut TrainingCategory) + Send + 'static,
) -> CategoriesEdit {
    Box::new(move |categories, _| {
        let category = categories.iter_mut().find(|category| category.id == id).ok_or(Refusal::NotFound)?;
        change(category);
        category.updated_at = at(30);
        let taker = category.clone();
        for other in categories.iter_mut().filter(|other| other.id != id) {
            other.give_up(&taker, at(30));
            if taker.is_default && other.is_default {
                other.is_default = false;
                other.updated_at = at(30);
            }
        }
        Ok(Some(audit))
    })
}

async fn list(ports: &Ports, organization: OrgId) -> Vec<TrainingCategory> {
    let found = ports.training_queries.categories(organization, ALL).await.expect("a read");
    found.expect("there is one").items
}

#[tokio::test]
async fn a_category_and_its_audit_row_are_stored_whole() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let category = TrainingCategory { is_default: true, ..a_category(organization, "Drivers") };
    let audit = category_audit(staff, &category);
    ports.training.insert(category.clone(), audit.clone()).await.expect("it is new");
    let stored = ports.json("SELECT to_jsonb(c) AS value FROM training_categories c").await;
    let expected = json!({
        "id": category.id.to_string(), "organization_id": organization.to_string(), "name": "Drivers",
        "is_default": true, "created_at": at(4).to_rfc3339(), "updated_at": at(5).to_rfc3339(),
    });
    assert_eq!(stored, [expected]);
    assert_eq!(list(&ports, organization).await, [category]);
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));
}

#[tokio::test]
async fn a_name_is_taken_in_any_case_in_its_organization_and_an_unknown_organization_is_not_found() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    ports.given_category(staff, organization, "Équipe", &[], &[]).await;
    ports.given_category(staff, south, "Équipe", &[], &[]).await;
    let before = everything(&db);
    for same in ["Équipe", "éQUIPE"] {
        // Even one that would be the default leaves nothing.
        let category = TrainingCategory { is_default: true, ..a_category(organization, same) };
        let refused = ports.training.insert(category.clone(), category_audit(staff, &category)).await;
        let refused = refused.expect_err("the name is in use");
        assert!(matches!(refused, CourseError::CategoryNameTaken(_)), "{refused:?}");
        assert_eq!(fields_of(&refused), [("name".to_owned(), "taken")]);
    }
    let nowhere = a_category(OrgId::new(next_id()), "Drivers");
    let mut audit = category_audit(staff, &nowhere);
    audit.organization = None;
    let refused = ports.training.insert(nowhere, audit).await.expect_err("nowhere");
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn a_new_default_takes_it_from_the_old_one_of_its_organization_alone() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let mut first = None;
    for (place, text) in [(organization, "First"), (south, "Foreign"), (organization, "Second")] {
        let updated_at = if text == "Second" { at(9) } else { at(5) };
        let category = TrainingCategory { is_default: true, updated_at, ..a_category(place, text) };
        let audit = category_audit(staff, &category).after(json!({ "name": text }));
        ports.training.insert(category.clone(), audit).await.expect("it is new");
        let told = ports.audit_rows().await.last().expect("a row")["after"].clone();
        let expected = match (text, &first) {
            ("Second", Some(first)) => json!({ "name": text, "taken_from": [first] }),
            _ => json!({ "name": text }),
        };
        assert_eq!(told, expected);
        first = first.or_else(|| Some(category.id.to_string()));
    }
    let seen = |categories: Vec<TrainingCategory>| {
        let seen = categories.into_iter().map(|c| (c.name.as_str().to_owned(), c.is_default, c.updated_at));
        seen.collect::<Vec<_>>()
    };
    let expected = [("First".to_owned(), false, at(9)), ("Second".to_owned(), true, at(9))];
    assert_eq!(seen(list(&ports, organization).await), expected);
    assert_eq!(seen(list(&ports, south).await), [("Foreign".to_owned(), true, at(5))]);
}

#[tokio::test]
async fn an_edit_is_stored_whole_with_its_audit_row_and_all_categories_are_given_by_name() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let [first, second, third] = ["a", "b", "c"].map(|text| given_course(&db, None, text));
    let other = ports.given_category(staff, organization, "bravo", &["Picker", "Packer"], &[first]).await;
    let untouched = ports.given_category(staff, organization, "Charlie", &["Loader"], &[third]).await;
    let drivers = ports.given_category(staff, organization, "Alpha", &["Driver"], &[first, second]).await;
    let audit = category_audit(staff, &drivers);
    let edit = change(drivers.id, audit.clone(), move |category| {
        category.name = CategoryName::parse("Zulu").expect("a name");
        category.take(titles(&["Loader of trucks", "PICKER", "Driver"]), at(30));
        category.courses = CourseList::from_stored(vec![third, first]);
        category.is_default = true;
    });
    let all = ports.training.update(organization, vec![], edit).await.expect("changes");
    let zulu = TrainingCategory {
        name: CategoryName::parse("Zulu").expect("a name"),
        job_titles: titles(&["Loader of trucks", "PICKER", "Driver"]),
        courses: CourseList::from_stored(vec![third, first]),
        is_default: true,
        updated_at: at(30),
        ..drivers
    };
    let bravo = TrainingCategory { job_titles: titles(&["Packer"]), updated_at: at(30), ..other };
    let expected = [bravo, untouched, zulu];
    assert_eq!(all, expected);
    assert_eq!(list(&ports, organization).await, expected);
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));
}

#[tokio::test]
async fn an_edit_sees_those_of_the_courses_that_exist_as_they_will_stay() {
    let db = TestDatabase::create();
    let (ports, _, organization) = Ports::ready(&db).await;
    let (library, own) = (given_course(&db, None, "a"), given_course(&db, Some(organization), "b"));
    db.execute("UPDATE courses SET basics = true WHERE name = 'b'");
    let lock = Lock::take(&db, "UPDATE courses SET archived_at = now() WHERE name = 'a'");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (ports, heard) = (ports.clone(), Arc::clone(&seen));
    let update = tokio::spawn(async move {
        let edit: CategoriesEdit = Box::new(move |_, known| {
            heard.lock().expect("lock").extend_from_slice(known);
            Ok(None)
        });
        ports.training.update(organization, vec![own, CourseId::new(next_id()), library], edit).await
    });
    until_waiting(&db, 1).await;
    lock.release();
    assert_eq!(update.await.expect("no panic").expect("answers"), []);
    let expected = [
        ListedCourse { id: library, organization: None, basics: false, archived: true },
        ListedCourse { id: own, organization: Some(organization), basics: true, archived: false },
    ];
    assert_eq!(*seen.lock().expect("lock"), expected);
}

#[tokio::test]
async fn an_edit_that_changes_nothing_or_is_refused_writes_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let drivers = ports.given_category(staff, organization, "Drivers", &["Driver"], &[]).await;
    ports.given_category(staff, organization, "Loaders", &["Loader"], &[]).await;
    let all = list(&ports, organization).await;
    let before = everything(&db);
    let nothing: CategoriesEdit = Box::new(|categories, _| {
        for category in categories {
            category.take(vec![], at(30));
        }
        Ok(None)
    });
    assert_eq!(ports.training.update(organization, vec![], nothing).await.expect("answers"), all);
    let refused =
        ports.training.update(organization, vec![], Box::new(|_, _| Err(Refusal::Forbidden.into())));
    assert_eq!(refused.await.expect_err("refused").kind(), ErrorKind::Forbidden);
    let nowhere = ports.training.update(OrgId::new(next_id()), vec![], Box::new(|_, _| Ok(None)));
    assert_eq!(nowhere.await.expect_err("nowhere").kind(), ErrorKind::NotFound);
    let edit = change(drivers.id, category_audit(staff, &drivers), |category| {
        category.name = CategoryName::parse("LOADERS").expect("a name");
        category.take(titles(&["Loader"]), at(30));
    });
    let taken = ports.training.update(organization, vec![], edit).await.expect_err("the name is in use");
    assert!(matches!(taken, CourseError::CategoryNameTaken(_)), "{taken:?}");
    assert_eq!(everything(&db), before);
}

async fn at_once(
    ports: &Ports,
    organization: OrgId,
    staff: UserId,
    categories: &[TrainingCategory],
    what: fn(&mut TrainingCategory),
) {
    let updates = categories.iter().map(|category| {
        let (ports, audit, id) = (ports.clone(), category_audit(staff, category), category.id);
        async move { ports.training.update(organization, vec![], change(id, audit, what)).await }
    });
    for outcome in all_at_once(updates).await {
        outcome.expect("they queue up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_that_take_a_job_title_or_the_default_at_once_one_ends_up_with_it() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let mut categories = Vec::new();
    for text in ["Alpha", "Bravo", "Charlie", "Delta"] {
        categories.push(ports.given_category(staff, organization, text, &[text], &[]).await);
    }
    at_once(&ports, organization, staff, &categories, |category| {
        let mut wanted = category.job_titles.clone();
        wanted.extend(titles(&["Driver"]));
        category.take(wanted, at(30));
    })
    .await;
    at_once(&ports, organization, staff, &categories, |category| category.is_default = true).await;
    let all = list(&ports, organization).await;
    let key = JobTitle::parse("driver").expect("a title");
    assert_eq!(all.iter().filter(|category| category.is_for(key.key())).count(), 1, "{all:?}");
    assert_eq!(all.iter().filter(|category| category.is_default).count(), 1, "{all:?}");
    for category in &all {
        assert_eq!(category.job_titles[0].as_str(), category.name.as_str(), "nothing else was lost");
    }
}

#[tokio::test]
async fn categories_are_listed_by_name_part_by_part() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let course = given_course(&db, None, "a");
    for (text, title) in [("bravo", "B"), ("Alpha", "A"), ("charlie", "C")] {
        ports.given_category(staff, organization, text, &[title], &[course]).await;
    }
    ports.given_category(staff, south, "Abel", &["A"], &[]).await;
    let whole = list(&ports, organization).await;
    let names: Vec<&str> = whole.iter().map(|category| category.name.as_str()).collect();
    assert_eq!(names, ["Alpha", "bravo", "charlie"]);
    for (offset, items) in [(0, &whole[..2]), (2, &whole[2..]), (9, &[])] {
        let part = ports.training_queries.categories(organization, page(offset, 2)).await.expect("a read");
        assert_eq!(part, Some(Page { items: items.to_vec(), total: 3 }));
    }
    let nowhere = ports.training_queries.categories(OrgId::new(next_id()), ALL).await;
    assert_eq!(nowhere.expect("a read"), None);
}

// --- Job titles and memberships ------------------------------------------------------------------------------------

#[tokio::test]
async fn job_titles_of_the_roster_are_one_by_key_in_the_commonest_spelling() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let all = async |ports: &Ports, part| {
        ports.training_queries.job_titles(organization, part).await.expect("a read")
    };
    assert_eq!(all(&ports, ALL).await, Some(Page { items: vec![], total: 0 }));
    let people = [
        (organization, Some("Forklift driver")),
        (organization, Some("forklift  DRIVER")),
        (organization, Some("Forklift driver")),
        (organization, Some("Élagueur")),
        (organization, Some("Elagueur")),
        (organization, Some("Zoo keeper")),
        (organization, Some("Left behind")),
        (organization, None),
        (south, Some("Foreign")),
    ];
    for (index, (place, title)) in people.into_iter().enumerate() {
        let mut new = a_membership(staff, place, &format!("AAAA{index}2"));
        new.membership.job_title = title.and_then(|title| JobTitle::parse(title).ok());
        ports.given_membership(new).await;
    }
    ports.given_member("forklift-fan", Some("AAAA02")).await;
    db.execute("UPDATE memberships SET status = 'deactivated', deactivated_at = now() WHERE job_title = 'Left behind'");
    let drivers = ports.given_category(staff, organization, "Drivers", &["Forklift Driver"], &[]).await;
    ports.given_category(staff, south, "Zoo", &["Zoo keeper"], &[]).await;
    let of = |text: &str, memberships_count, category| JobTitleInUse {
        title: JobTitle::parse(text).expect("a title"),
        memberships_count,
        category,
    };
    let mut expected =
        vec![of("Elagueur", 2, None), of("Forklift driver", 3, Some(drivers.id)), of("Zoo keeper", 1, None)];
    // Both spellings of the first are as frequent; which one comes first is the database's order of letters.
    let first = db.rows("SELECT min(job_title) FROM memberships WHERE job_title_key = 'elagueur'");
    if first[0].contains("Élagueur") {
        expected[0] = of("Élagueur", 2, None);
    }
    assert_eq!(all(&ports, ALL).await, Some(Page { items: expected.clone(), total: 3 }));
    let rest = TrainingCategory { is_default: true, ..a_category(organization, "Rest") };
    ports.training.insert(rest.clone(), category_audit(staff, &rest)).await.expect("it is new");
    expected[0].category = Some(rest.id);
    expected[2].category = Some(rest.id);
    for (offset, items) in [(0, &expected[..2]), (2, &expected[2..]), (9, &[])] {
        assert_eq!(all(&ports, page(offset, 2)).await, Some(Page { items: items.to_vec(), total: 3 }));
    }
    let nowhere = ports.training_queries.job_titles(OrgId::new(next_id()), ALL).await;
    assert_eq!(nowhere.expect("a read"), None);
}

#[tokio::test]
async fn the_key_of_a_job_title_is_stored_wherever_the_title_is() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let keys = async |ports: &Ports| {
        ports.json("SELECT coalesce(to_jsonb(job_title_key), 'null') AS value FROM memberships").await
    };
    let mut new = a_membership(staff, organization, "AAAA22");
    new.membership.job_title = JobTitle::parse("Straßenwärter").ok();
    let membership = ports.given_membership(new.clone()).await.membership;
    assert_eq!(keys(&ports).await, [json!("strassenwarter")]);
    for (title, key) in [(None, Value::Null), (Some("Crane DRIVER"), json!("crane driver"))] {
        let edit = edited(membership_audit(staff, &membership), move |view| {
            view.membership.job_title = title.and_then(|title| JobTitle::parse(title).ok());
        });
        ports.memberships.update(membership.id, edit).await.expect("changes");
        assert_eq!(keys(&ports).await, [key]);
    }
    ports.given_departure(staff, membership.id, at(40)).await;
    let mut back = a_membership(staff, organization, "BBBB22");
    back.membership.external_id = new.membership.external_id;
    back.membership.job_title = JobTitle::parse("Loader").ok();
    ports.given_membership(back).await;
    assert_eq!(keys(&ports).await, [json!("loader")]);
}

#[tokio::test]
async fn a_membership_tells_the_category_of_its_title_else_the_default_one_of_its_organization() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let foreign = TrainingCategory { is_default: true, ..a_category(south, "Foreign") };
    ports.training.insert(foreign.clone(), category_audit(staff, &foreign)).await.expect("it is new");
    let team = ports.given_team(staff, organization, "Dock").await;
    let mut ids = Vec::new();
    for (title, code) in [(Some("forklift DRIVER"), "AAAA22"), (Some("Loader"), "BBBB22"), (None, "CCCC22")] {
        let mut new = a_membership(staff, organization, code);
        new.membership.job_title = title.and_then(|title| JobTitle::parse(title).ok());
        new.membership.teams = vec![team];
        ids.push(ports.given_membership(new).await.membership.id);
    }
    let categories = async |ports: &Ports| {
        let mut told = Vec::new();
        for id in &ids {
            told.push(ports.view(*id).await.training_category);
        }
        let listed = ports.membership_queries.list_of_team(team, MembershipStatus::Pending, ALL).await;
        let search =
            MemberSearch { team, words: words("ann"), whole_organization: true, sort: sort("first_name") };
        let found = ports.membership_queries.search_around_team(search, None, ALL).await;
        let (listed, found) =
            (listed.expect("a read").expect("a team").1, found.expect("a read").expect("a team").1);
        let listed: Vec<_> = listed.items.into_iter().map(|view| view.training_category).collect();
        let found: Vec<_> = found.items.into_iter().map(|found| found.view.training_category).collect();
        assert_eq!((&listed, &found), (&told, &told));
        told
    };
    assert_eq!(categories(&ports).await, [None, None, None]);
    let drivers = ports.given_category(staff, organization, "Drivers", &["Forklift driver"], &[]).await.id;
    assert_eq!(categories(&ports).await, [Some(drivers), None, None]);
    let rest = TrainingCategory { is_default: true, ..a_category(organization, "Rest") };
    ports.training.insert(rest.clone(), category_audit(staff, &rest)).await.expect("it is new");
    assert_eq!(categories(&ports).await, [Some(drivers), Some(rest.id), Some(rest.id)]);
}
