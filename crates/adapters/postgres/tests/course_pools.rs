//! Contract tests of the course pools of `TrainingRepository` and `TrainingQueries`, and of the assignments that fall out of
//! them.

mod common;

use std::sync::{Arc, Mutex};

use adapter_postgres::testing::TestDatabase;
use domain_courses::ports::{PoolFacts, PoolFilter, PoolJudge};
use domain_courses::{
    CourseError, CourseList, CourseName, CoursePool, CoursePoolId, ListedCourse, PoolChange, PoolCourse,
    PoolOverride, TrainingCategory,
};
use domain_kernel::{
    AuditEntry, AuditSubject, CourseId, DomainError, ErrorKind, JobTitle, MembershipId, OrgId, Page, Refusal,
    TeamId, TrainingCategoryId, UserId,
};
use domain_teams::ports::RosterEdit;
use domain_teams::{Team, TeamPeople};

use crate::common::{
    ALL, Lock, Ports, a_category, a_membership, an_audit, at, audit_json, category_audit, edited, everything,
    given_course, in_order, membership_audit, next_id, page, until_waiting,
};

fn pool_audit(actor: UserId, organization: OrgId) -> AuditEntry {
    let subject = AuditSubject::Organization(organization);
    let audit = an_audit(actor, "course_pools.set", Some(organization), subject);
    AuditEntry { at: at(30), ..audit }
}

/// Passes whatever is asked.
fn passing(audit: AuditEntry) -> PoolJudge {
    Box::new(move |_| Ok(Some(audit)))
}

fn wish(team: TeamId, category: TrainingCategoryId, courses: Option<&[CourseId]>) -> PoolChange {
    PoolChange { team, category, courses: courses.map(|list| CourseList::from_stored(list.to_vec())) }
}

/// A pending member of these teams with this job title.
async fn given_trainee(
    ports: &Ports,
    staff: UserId,
    organization: OrgId,
    title: Option<&str>,
    teams: &[TeamId],
) -> MembershipId {
    let number = next_id().as_u128();
    let mut new = a_membership(staff, organization, &format!("{number:06}"));
    new.membership.job_title = title.and_then(|title| JobTitle::parse(title).ok());
    new.membership.teams = teams.to_vec();
    ports.given_membership(new).await.membership.id
}

fn a_pool(
    organization: OrgId,
    team: TeamId,
    category: &TrainingCategory,
    courses: &[(CourseId, &str)],
    memberships_count: i64,
) -> CoursePool {
    let listed = courses.iter().zip(1..).map(|((id, name), position)| PoolCourse {
        id: *id,
        name: CourseName::parse(name).expect("a name"),
        position,
    });
    CoursePool {
        id: CoursePoolId::of(team, category.id),
        organization,
        team,
        category: category.id,
        courses: listed.collect(),
        overridden: false,
        memberships_count,
        updated_at: category.updated_at,
    }
}

#[tokio::test]
async fn pools_follow_from_members_and_their_titles_and_from_lists_of_their_own() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let (one, two) = (given_course(&db, None, "one"), given_course(&db, Some(organization), "two"));
    let drivers = ports.given_category(staff, organization, "drivers", &["Driver"], &[two, one]).await;
    let loaders = ports.given_category(staff, organization, "Loaders", &["Loader"], &[one]).await;
    let mut teams = Vec::new();
    for text in ["bravo", "Alpha", "charlie", "Dissolved"] {
        teams.push(ports.given_team(staff, organization, text).await);
    }
    let [bravo, alpha, charlie, dissolved] = teams[..] else { unreachable!() };
    let pools = async |filter| ports.training_queries.pools(organization, filter, ALL).await.expect("a read");
    let everything = PoolFilter::default;
    assert_eq!(pools(everything()).await, Some(Page { items: vec![], total: 0 }));

    for (title, on) in [
        (Some("DRIVER"), &[alpha, bravo][..]),
        (Some("driver"), &[bravo]),
        (Some("Loader"), &[alpha, dissolved]),
        (Some("Nothing known"), &[alpha]),
        (None, &[bravo]),
    ] {
        given_trainee(&ports, staff, organization, title, on).await;
    }
    let left = given_trainee(&ports, staff, organization, Some("Loader"), &[bravo]).await;
    ports.given_departure(staff, left, at(25)).await;
    let foreign = ports.given_team(staff, south, "Foreign").await;
    ports.given_category(staff, south, "Drivers", &["Driver"], &[]).await;
    given_trainee(&ports, staff, south, Some("Driver"), &[foreign]).await;
    db.execute("UPDATE teams SET deleted_at = now() WHERE name = 'Dissolved'");

    let listed = [(two, "two"), (one, "one")];
    let mut expected = vec![
        a_pool(organization, alpha, &drivers, &listed, 1),
        a_pool(organization, alpha, &loaders, &[(one, "one")], 1),
        a_pool(organization, bravo, &drivers, &listed, 2),
    ];
    assert_eq!(pools(everything()).await, Some(Page { items: expected.clone(), total: 3 }));

    // A list of its own shows even where nobody trains it, but not of a team that is gone.
    let own = [wish(charlie, loaders.id, Some(&[two])), wish(alpha, drivers.id, Some(&[]))];
    let set = ports.training.set_pools(organization, own.to_vec(), passing(pool_audit(staff, organization)));
    let set = set.await.expect("stores");
    expected[0] =
        CoursePool { overridden: true, updated_at: at(30), ..a_pool(organization, alpha, &drivers, &[], 1) };
    let of_charlie = a_pool(organization, charlie, &loaders, &[(two, "two")], 0);
    expected.push(CoursePool { overridden: true, updated_at: at(30), ..of_charlie });
    assert_eq!(set, [expected[0].clone(), expected[3].clone()]);
    db.execute(&format!(
        "INSERT INTO course_pool_overrides VALUES ('{dissolved}', '{}', '{organization}', '{{}}', now())",
        drivers.id
    ));
    assert_eq!(pools(everything()).await, Some(Page { items: expected.clone(), total: 4 }));

    for (offset, items) in [(0, &expected[..3]), (3, &expected[3..]), (9, &[])] {
        let part = ports.training_queries.pools(organization, everything(), page(offset, 3)).await;
        assert_eq!(part.expect("a read"), Some(Page { items: items.to_vec(), total: 4 }));
    }
    for (teams, categories, items) in [
        (Some(vec![alpha, charlie]), None, vec![0, 1, 3]),
        (None, Some(vec![drivers.id]), vec![0, 2]),
        (Some(vec![alpha, foreign]), Some(vec![loaders.id, TrainingCategoryId::new(next_id())]), vec![1]),
        (Some(vec![foreign]), None, vec![]),
        (Some(vec![]), None, vec![]),
    ] {
        let found = pools(PoolFilter { teams, categories }).await.expect("there is one");
        let items: Vec<CoursePool> = items.into_iter().map(|index: usize| expected[index].clone()).collect();
        assert_eq!((found.total, found.items), (i64::try_from(items.len()).expect("few"), items));
    }

    // The default one is for those with another title, or with none.
    let rest = TrainingCategory { is_default: true, ..a_category(organization, "Rest") };
    ports.training.insert(rest.clone(), category_audit(staff, &rest)).await.expect("it is new");
    let filter = PoolFilter { categories: Some(vec![rest.id]), ..PoolFilter::default() };
    let of_rest = [alpha, bravo].map(|team| a_pool(organization, team, &rest, &[], 1)).to_vec();
    assert_eq!(pools(filter).await, Some(Page { items: of_rest, total: 2 }));
    let nowhere = ports.training_queries.pools(OrgId::new(next_id()), everything(), ALL).await;
    assert_eq!(nowhere.expect("a read"), None);
}

#[tokio::test]
async fn lists_are_set_and_taken_away_with_an_audit_row_and_those_that_are_so_already_keep_their_time() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (one, two) = (given_course(&db, None, "one"), given_course(&db, None, "two"));
    let drivers = ports.given_category(staff, organization, "Drivers", &["Driver"], &[one]).await;
    let [alpha, bravo] = [
        ports.given_team(staff, organization, "Alpha").await,
        ports.given_team(staff, organization, "Bravo").await,
    ];
    let set = async |changes: &[PoolChange], audit: AuditEntry| {
        let set = ports.training.set_pools(organization, changes.to_vec(), passing(audit.clone())).await;
        assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));
        let seen = |pool: CoursePool| {
            let courses: Vec<CourseId> = pool.courses.into_iter().map(|course| course.id).collect();
            (pool.team, courses, pool.overridden, pool.updated_at)
        };
        set.expect("stores").into_iter().map(seen).collect::<Vec<_>>()
    };
    let audit = || pool_audit(staff, organization);
    let both = [wish(bravo, drivers.id, Some(&[two, one])), wish(alpha, drivers.id, Some(&[two]))];
    let expected = [(alpha, vec![two], true, at(30)), (bravo, vec![two, one], true, at(30))];
    assert_eq!(set(&both, audit()).await, expected);

    let later = AuditEntry { at: at(40), ..audit() };
    let again = [wish(alpha, drivers.id, Some(&[two])), wish(bravo, drivers.id, None)];
    let expected = [(alpha, vec![two], true, at(30)), (bravo, vec![one], false, drivers.updated_at)];
    assert_eq!(set(&again, later).await, expected);
    let stored = ports.json("SELECT to_jsonb(v.team_id) AS value FROM course_pool_overrides v").await;
    assert_eq!(stored, [serde_json::json!(alpha.to_string())]);
}

#[tokio::test]
async fn a_wish_is_judged_by_what_the_organization_has_and_a_refused_one_writes_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let (course, own) = (given_course(&db, Some(south), "foreign"), given_course(&db, None, "own"));
    let drivers = ports.given_category(staff, organization, "Drivers", &[], &[]).await.id;
    let foreign_category = ports.given_category(staff, south, "Drivers", &[], &[]).await.id;
    let alpha = ports.given_team(staff, organization, "Alpha").await;
    let gone = ports.given_team(staff, organization, "Gone").await;
    let foreign_team = ports.given_team(staff, south, "Alpha").await;
    let first = vec![wish(alpha, drivers, Some(&[own])), wish(gone, drivers, Some(&[]))];
    let set = ports.training.set_pools(organization, first, passing(pool_audit(staff, organization))).await;
    set.expect("stores");
    db.execute("UPDATE teams SET deleted_at = now() WHERE name = 'Gone'");

    let before = everything(&db);
    let seen = Arc::new(Mutex::new(PoolFacts::default()));
    let wishes = vec![
        wish(alpha, drivers, Some(&[course, CourseId::new(next_id())])),
        wish(gone, foreign_category, None),
        wish(foreign_team, TrainingCategoryId::new(next_id()), None),
        wish(TeamId::new(next_id()), drivers, None),
    ];
    for refusal in [None, Some(Refusal::Forbidden)] {
        let heard = Arc::clone(&seen);
        let judge: PoolJudge = Box::new(move |facts| {
            *heard.lock().expect("lock") = facts.clone();
            refusal.map_or(Ok(None), |refusal| Err(CourseError::from(refusal)))
        });
        let answer = ports.training.set_pools(organization, wishes.clone(), judge).await;
        assert_eq!(answer.is_err(), refusal.is_some());
    }
    let facts = seen.lock().expect("lock").clone();
    assert_eq!((facts.teams, facts.categories), (vec![alpha], vec![drivers]));
    let foreign = ListedCourse { id: course, organization: Some(south), basics: false, archived: false };
    assert_eq!(facts.courses, [foreign]);
    let list = CourseList::from_stored(vec![own]);
    assert!(facts.overrides.contains(&PoolOverride { team: alpha, category: drivers, courses: list }));
    let nowhere = ports.training.set_pools(OrgId::new(next_id()), vec![], Box::new(|_| Ok(None))).await;
    assert_eq!(nowhere.expect_err("nowhere").kind(), ErrorKind::NotFound);
    assert_eq!(everything(&db), before);
}

// --- Assignments ---------------------------------------------------------------------------------------------------

/// An assignment of a course to a member who has an account.
fn given_assignment(
    db: &TestDatabase,
    member: MembershipId,
    course: CourseId,
    state: &str,
    source: &str,
) -> String {
    let (id, version) = (next_id(), next_id());
    db.execute(&format!(
        "INSERT INTO course_versions (id, course_id, number, status, data, created_by, created_at, updated_at, published_at) \
         SELECT '{version}', '{course}', 1, 'published', '{{}}', u.id, now(), now(), now() FROM users u LIMIT 1 \
         ON CONFLICT DO NOTHING; \
         INSERT INTO assignments (id, organization_id, membership_id, user_id, course_id, course_version_id, state, source, \
            assigned_at, completed_at, updated_at) \
         SELECT '{id}', m.organization_id, m.id, u.id, '{course}', v.id, '{state}', '{source}', now(), \
            CASE WHEN '{state}' = 'completed' THEN now() END, now() \
         FROM memberships m, course_versions v, (SELECT id FROM users LIMIT 1) u \
         WHERE m.id = '{member}' AND v.course_id = '{course}'"
    ));
    id.to_string()
}

/// State and time of withdrawal of an assignment.
fn state(db: &TestDatabase, id: &str) -> String {
    let rows = db.rows(&format!(
        "SELECT state || coalesce(' at ' || extract(epoch FROM withdrawn_at - '{}')::integer, '') FROM assignments \
         WHERE id = '{id}'",
        at(0).to_rfc3339()
    ));
    rows[0].trim_matches(['(', ')', '"']).to_owned()
}

fn category_change(
    id: TrainingCategoryId,
    audit: AuditEntry,
    change: impl FnOnce(&mut TrainingCategory) + Send + 'static,
) -> domain_courses::ports::CategoriesEdit {
    Box::new(move |categories, _| {
        let category = categories.iter_mut().find(|category| category.id == id).ok_or(Refusal::NotFound)?;
        change(category);
        category.updated_at = at(30);
        Ok(Some(AuditEntry { at: at(30), ..audit }))
    })
}

#[tokio::test]
async fn what_is_not_begun_and_in_no_list_of_its_member_any_more_is_withdrawn() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let [kept, dropped] = ["kept", "dropped"].map(|text| given_course(&db, None, text));
    let drivers = ports.given_category(staff, organization, "Drivers", &["Driver"], &[dropped, kept]).await;
    ports.given_category(staff, organization, "Loaders", &["Loader"], &[dropped]).await;
    let alpha = ports.given_team(staff, organization, "Alpha").await;
    let bravo = ports.given_team(staff, organization, "Bravo").await;
    let own = vec![wish(bravo, drivers.id, Some(&[dropped]))];
    let set = ports.training.set_pools(organization, own, passing(pool_audit(staff, organization))).await;
    set.expect("stores");

    let mut cases = Vec::new();
    for (title, teams, course, from, source, to) in [
        ("Driver", &[alpha][..], dropped, "assigned", "course_pool", "withdrawn at 1800"),
        ("Driver", &[], dropped, "assigned", "course_pool", "withdrawn at 1800"),
        ("Driver", &[alpha], kept, "assigned", "course_pool", "assigned"),
        ("Driver", &[], kept, "assigned", "course_pool", "assigned"),
        ("Driver", &[alpha, bravo], dropped, "assigned", "course_pool", "assigned"),
        ("Driver", &[bravo], kept, "assigned", "course_pool", "withdrawn at 1800"),
        ("Loader", &[bravo], dropped, "assigned", "course_pool", "assigned"),
        ("Driver", &[alpha], dropped, "in_progress", "course_pool", "in_progress"),
        ("Driver", &[alpha], dropped, "completed", "course_pool", "completed"),
        ("Driver", &[alpha], dropped, "assigned", "basics", "assigned"),
        ("Driver", &[alpha], dropped, "assigned", "manual", "assigned"),
        ("Nobody knows", &[alpha], dropped, "assigned", "course_pool", "withdrawn at 1800"),
    ] {
        let member = given_trainee(&ports, staff, organization, Some(title), teams).await;
        let id = given_assignment(&db, member, course, from, source);
        cases.push((id, format!("{title} {teams:?} {course} {from} {source}"), to));
    }
    let south = ports.given_organization(staff, "South").await;
    let foreign = given_trainee(&ports, staff, south, None, &[]).await;
    let foreign = given_assignment(&db, foreign, dropped, "assigned", "course_pool");
    cases.push((foreign, "another organization".into(), "assigned"));

    let list = CourseList::from_stored(vec![kept]);
    let audit = category_audit(staff, &drivers);
    let edit = category_change(drivers.id, audit, move |category| category.courses = list);
    ports.training.update(organization, vec![], edit).await.expect("changes");
    for (id, case, expected) in &cases {
        assert_eq!(&state(&db, id), expected, "{case}");
    }
}

#[tokio::test]
async fn each_way_to_change_the_lists_withdraws() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let course = given_course(&db, None, "course");
    let drivers = ports.given_category(staff, organization, "Drivers", &["Driver"], &[course]).await;
    let (alpha, bravo) = (
        ports.given_team(staff, organization, "Alpha").await,
        ports.given_team(staff, organization, "Bravo").await,
    );
    let own = vec![wish(bravo, drivers.id, Some(&[]))];
    let set = ports.training.set_pools(organization, own, passing(pool_audit(staff, organization))).await;
    set.expect("stores");
    let member = given_trainee(&ports, staff, organization, Some("Driver"), &[alpha]).await;
    let other = given_trainee(&ports, staff, organization, Some("Driver"), &[alpha]).await;
    let membership = ports.view(member).await.membership;
    let others = given_assignment(&db, other, course, "assigned", "course_pool");
    let with = |change: fn(&mut domain_memberships::Membership, TeamId)| {
        edited(membership_audit(staff, &membership), move |view| {
            change(&mut view.membership, bravo);
            view.membership.updated_at = at(50);
        })
    };

    // Another name changes no list; another title and another team do, of this member alone.
    let first = given_assignment(&db, member, course, "assigned", "course_pool");
    let renamed = with(|membership, _| membership.first_name = common::name("Zoe"));
    ports.memberships.update(member, renamed).await.expect("changes");
    assert_eq!(state(&db, &first), "assigned");
    let promoted = with(|membership, _| membership.job_title = JobTitle::parse("Shift lead").ok());
    ports.memberships.update(member, promoted).await.expect("changes");
    assert_eq!(state(&db, &first), "withdrawn at 3000");
    let back = with(|membership, _| membership.job_title = JobTitle::parse("DRIVER").ok());
    ports.memberships.update(member, back).await.expect("changes");
    let second = given_assignment(&db, member, course, "assigned", "course_pool");
    let moved = with(|membership, team| membership.teams = vec![team]);
    ports.memberships.update(member, moved).await.expect("changes");
    assert_eq!(state(&db, &second), "withdrawn at 3000");
    assert_eq!(state(&db, &others), "assigned");

    // The same when people are moved by the lists of the teams.
    let third = given_assignment(&db, member, course, "in_progress", "course_pool");
    let staffed = |people: &[MembershipId]| -> RosterEdit {
        let (members, audit) = (people.iter().copied().collect(), pool_audit(staff, organization));
        Box::new(move |team: &mut Team, present: &mut TeamPeople| {
            (present.members, team.updated_at) = (members, at(65));
            Ok(Some(audit))
        })
    };
    let moved = given_trainee(&ports, staff, organization, Some("Driver"), &[alpha]).await;
    let fourth = given_assignment(&db, moved, course, "assigned", "course_pool");
    ports.teams.update_with_people(bravo, staffed(&[member, moved])).await.expect("changes");
    assert_eq!(state(&db, &fourth), "assigned", "Alpha still trains it");
    ports.teams.update_with_people(alpha, staffed(&[other])).await.expect("changes");
    assert_eq!(state(&db, &fourth), "withdrawn at 3900");
    assert_eq!((state(&db, &third), state(&db, &others)), ("in_progress".into(), "assigned".into()));

    let own = vec![wish(alpha, drivers.id, Some(&[]))];
    let set = ports.training.set_pools(organization, own, passing(pool_audit(staff, organization))).await;
    set.expect("stores");
    assert_eq!(state(&db, &others), "withdrawn at 1800");

    let second = given_assignment(&db, other, course, "assigned", "course_pool");
    let own = vec![wish(alpha, drivers.id, Some(&[course]))];
    let set = ports.training.set_pools(organization, own, passing(pool_audit(staff, organization))).await;
    set.expect("stores");
    let emptied = category_change(drivers.id, category_audit(staff, &drivers), |category| {
        category.courses = CourseList::default();
    });
    ports.training.update(organization, vec![], emptied).await.expect("changes");
    assert_eq!(state(&db, &second), "assigned", "the team's own list still has it");
    let audit = AuditEntry { at: at(70), ..pool_audit(staff, organization) };
    let deleted = Box::new(move |team: &mut Team| {
        team.deleted_at = Some(at(70));
        Ok(Some(audit))
    });
    ports.teams.update(alpha, deleted).await.expect("deletes");
    assert_eq!(state(&db, &second), "withdrawn at 4200");
    let filled = category_change(drivers.id, category_audit(staff, &drivers), move |category| {
        category.courses = CourseList::from_stored(vec![course]);
    });
    ports.training.update(organization, vec![], filled).await.expect("changes");

    // Whoever trained with the old default one trains with the new one, which is empty.
    let audit = category_audit(staff, &drivers);
    let edit = category_change(drivers.id, audit, |category| category.is_default = true);
    ports.training.update(organization, vec![], edit).await.expect("changes");
    let untitled = given_trainee(&ports, staff, organization, None, &[]).await;
    let fifth = given_assignment(&db, untitled, course, "assigned", "course_pool");
    let rest = TrainingCategory { is_default: true, updated_at: at(60), ..a_category(organization, "Rest") };
    ports.training.insert(rest.clone(), category_audit(staff, &rest)).await.expect("it is new");
    assert_eq!(state(&db, &fifth), "withdrawn at 3600");
}

#[tokio::test]
async fn whoever_begins_meanwhile_keeps_the_assignment() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let course = given_course(&db, None, "course");
    let drivers = ports.given_category(staff, organization, "Drivers", &["Driver"], &[course]).await;
    let member = given_trainee(&ports, staff, organization, Some("Driver"), &[]).await;
    let id = given_assignment(&db, member, course, "assigned", "course_pool");
    let lock = Lock::take(&db, "UPDATE assignments SET state = 'in_progress', started_at = now()");
    let audit = category_audit(staff, &drivers);
    let edit = category_change(drivers.id, audit, |category| category.courses = CourseList::default());
    let update = tokio::spawn(async move { ports.training.update(organization, vec![], edit).await });
    until_waiting(&db, 1).await;
    lock.release();
    update.await.expect("no panic").expect("changes");
    assert_eq!(state(&db, &id), "in_progress");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_and_a_category_that_change_at_once_see_each_other() {
    for is_in_order in [true, false] {
        let db = TestDatabase::create();
        let (ports, staff, organization) = Ports::ready(&db).await;
        let course = given_course(&db, None, "course");
        ports.given_category(staff, organization, "Drivers", &["Driver"], &[course]).await;
        let loaders = ports.given_category(staff, organization, "Loaders", &["Loader"], &[course]).await;
        let member = given_trainee(&ports, staff, organization, Some("Driver"), &[]).await;
        let id = given_assignment(&db, member, course, "assigned", "course_pool");
        let membership = ports.view(member).await.membership;
        // Each alone leaves the course in the member's list.
        let edit = edited(membership_audit(staff, &membership), |view| {
            view.membership.job_title = JobTitle::parse("Loader").ok();
        });
        let audit = category_audit(staff, &loaders);
        let emptied = category_change(loaders.id, audit, |category| category.courses = CourseList::default());
        let (first, second) = (ports.clone(), ports.clone());
        let lock = Lock::take(&db, "SELECT FROM organizations FOR UPDATE");
        let (moved, changed) = in_order(
            &db,
            lock,
            is_in_order,
            async move { first.memberships.update(member, edit).await },
            async move { second.training.update(organization, vec![], emptied).await },
        )
        .await;
        moved.expect("changes");
        changed.expect("changes");
        assert!(state(&db, &id).starts_with("withdrawn"), "in order: {is_in_order}");
    }
}
