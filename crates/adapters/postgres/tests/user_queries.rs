//! Contract tests of `UserQueries`.

mod common;

use adapter_postgres::testing::TestDatabase;
use domain_kernel::{MembershipId, OrgId, Page, TeamId, UserId};
use domain_users::ports::VisiblePlaces;
use domain_users::{Account, SeenUser, User};

use crate::common::{
    ALL, Ports, a_membership, a_registration, a_user, at, brief_of, code, edited, hash, membership_audit,
    name, next_id, own, page, sort, words,
};

fn of(items: &[User]) -> Page<User> {
    Page { items: items.to_vec(), total: i64::try_from(items.len()).expect("few") }
}

/// Somebody with these names on the account, and no membership.
async fn given_named(ports: &Ports, [first, last]: [&str; 2]) -> User {
    let user =
        User { first_name: name(first), last_name: name(last), ..a_user(&format!("person-{}", next_id())) };
    ports.users.register(a_registration(&user, None)).await.expect("all is new").user
}

// --- find_account ------------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_account_is_found_with_all_memberships() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let first = ports.given_membership(a_membership(staff, organization, "AAAA22")).await.membership;
    let second = ports.given_membership(a_membership(staff, elsewhere, "BBBB22")).await.membership;
    let (user, _) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    ports.memberships.accept(&code("BBBB22"), user.id, at(30)).await.expect("the code is good");
    let memberships = vec![brief_of(&first, "North"), brief_of(&second, "South")];
    let found = ports.user_queries.find_account(user.id).await;
    assert_eq!(found.expect("looked up"), Some(Account { user, memberships }));
}

#[tokio::test]
async fn no_account_is_found_of_somebody_who_deleted_it_or_never_had_one() {
    let db = TestDatabase::create();
    let (ports, ..) = Ports::ready(&db).await;
    let (user, _) = ports.given_user("deleted-one").await;
    ports.users.delete(user.id, at(60)).await.expect("deletes");
    for id in [user.id, UserId::new(next_id())] {
        assert_eq!(ports.user_queries.find_account(id).await.expect("looked up"), None);
    }
}

// --- list_all ----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn all_users_are_listed_oldest_first_without_those_who_deleted_the_account() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let empty = ports.user_queries.list_all(ALL).await.expect("a read");
    assert_eq!(empty, of(&[]));
    let mut users = Vec::new();
    for text in ["zoe@example.org", "deleted-one", "Anna.Lee", "locked-one"] {
        users.push(ports.given_user(text).await.0);
    }
    let deleted = users.remove(1);
    ports.users.delete(deleted.id, at(60)).await.expect("deletes");
    let lock = own(|user| user.locked_at = Some(at(61)));
    users[2] = ports.users.update(users[2].id, lock, None).await.expect("locks").expect("there").0.user;
    assert_eq!(ports.user_queries.list_all(ALL).await.expect("a read"), of(&users));
    for (offset, items) in [(0, &users[..2]), (2, &users[2..]), (9, &[])] {
        let part = ports.user_queries.list_all(page(offset, 2)).await.expect("a read");
        assert_eq!(part, Page { items: items.to_vec(), total: 3 });
    }
}

// --- list_visible ------------------------------------------------------------------------------------------------

/// An active member of the teams.
async fn given_active(
    ports: &Ports,
    staff: UserId,
    org: OrgId,
    teams: &[TeamId],
    text: &str,
) -> (User, MembershipId) {
    let mut new = a_membership(staff, org, &text.to_uppercase());
    new.membership.teams = teams.to_vec();
    let id = ports.given_membership(new).await.membership.id;
    (ports.given_member(&format!("{text}@example.org"), Some(text)).await.0, id)
}

async fn visible(ports: &Ports, own: UserId, organizations: &[OrgId], teams: &[TeamId]) -> Page<SeenUser> {
    let places = VisiblePlaces { own, organizations: organizations.to_vec(), teams: teams.to_vec() };
    ports.user_queries.list_visible(places, ALL).await.expect("a read")
}

fn seen(items: &[(&User, bool)]) -> Page<SeenUser> {
    let one = |(user, shows_private): &(&User, bool)| SeenUser {
        user: (*user).clone(),
        shows_private: *shows_private,
    };
    Page { items: items.iter().map(one).collect(), total: i64::try_from(items.len()).expect("few") }
}

#[tokio::test]
async fn the_person_and_the_active_members_of_the_places_are_seen_each_once() {
    let db = TestDatabase::create();
    let (ports, staff, north) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let team = ports.given_team(staff, north, "Day shift").await;
    let other_team = ports.given_team(staff, north, "Night shift").await;
    let (on_team, _) = given_active(&ports, staff, north, &[team], "aaaa22").await;
    let (own, of_own) = given_active(&ports, staff, north, &[team], "bbbb22").await;
    let (on_both, _) = given_active(&ports, staff, north, &[team, other_team], "cccc22").await;
    let (on_other, _) = given_active(&ports, staff, north, &[other_team], "dddd22").await;
    let (in_south, _) = given_active(&ports, staff, south, &[], "eeee22").await;
    let (has_left, of_left) = given_active(&ports, staff, north, &[team], "ffff22").await;
    ports.given_departure(staff, of_left, at(50)).await;
    let mut pending = a_membership(staff, north, "GGGG22");
    pending.membership.teams = vec![team];
    ports.given_membership(pending).await;

    assert_eq!(visible(&ports, own.id, &[], &[]).await, seen(&[(&own, true)]));
    let seen_on_day = [(&on_team, false), (&own, true), (&on_both, false)];
    assert_eq!(visible(&ports, own.id, &[], &[team]).await, seen(&seen_on_day));
    let of_teams = [(&on_team, false), (&own, true), (&on_both, false), (&on_other, false)];
    assert_eq!(visible(&ports, own.id, &[], &[team, other_team]).await, seen(&of_teams));
    let of_north = [(&on_team, true), (&own, true), (&on_both, true), (&on_other, true)];
    assert_eq!(visible(&ports, own.id, &[north], &[]).await, seen(&of_north));
    assert_eq!(visible(&ports, own.id, &[north, north], &[team]).await, seen(&of_north), "whoever shows it");
    let of_south = [(&on_team, false), (&own, true), (&on_both, false), (&in_south, true)];
    assert_eq!(visible(&ports, own.id, &[south], &[team]).await, seen(&of_south));
    assert_eq!(visible(&ports, has_left.id, &[], &[]).await, seen(&[(&has_left, true)]));

    for (offset, items) in [(0, &of_north[..3]), (3, &of_north[3..]), (9, &[])] {
        let places = VisiblePlaces { own: own.id, organizations: vec![north], teams: vec![] };
        let part = ports.user_queries.list_visible(places, page(offset, 3)).await.expect("a read");
        assert_eq!(part, Page { total: 4, ..seen(items) });
    }
    ports.given_departure(staff, of_own, at(51)).await;
    assert_eq!(visible(&ports, own.id, &[], &[team]).await, seen(&seen_on_day), "the person is always there");
}

#[tokio::test]
async fn nobody_who_deleted_the_account_is_seen() {
    let db = TestDatabase::create();
    let (ports, staff, north) = Ports::ready(&db).await;
    let team = ports.given_team(staff, north, "Day shift").await;
    let (own, _) = given_active(&ports, staff, north, &[team], "aaaa22").await;
    let (deleted, _) = given_active(&ports, staff, north, &[team], "bbbb22").await;
    ports.users.delete(deleted.id, at(60)).await.expect("deletes");
    assert_eq!(visible(&ports, own.id, &[north], &[team]).await, seen(&[(&own, true)]));
    for gone in [deleted.id, UserId::new(next_id())] {
        assert_eq!(visible(&ports, gone, &[], &[]).await, seen(&[]));
        assert_eq!(visible(&ports, gone, &[north], &[]).await, seen(&[(&own, true)]));
    }
}

// --- search_all --------------------------------------------------------------------------------------------------

async fn found(ports: &Ports, typed: &str) -> Vec<UserId> {
    let found = ports.user_queries.search_all(words(typed), sort("last_name,first_name"), ALL).await;
    let page = found.expect("never fails");
    assert_eq!(i64::try_from(page.items.len()), Ok(page.total), "{typed}");
    page.items.into_iter().map(|user| user.id).collect()
}

#[tokio::test]
async fn users_are_found_whole_and_those_who_deleted_the_account_are_not() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let user = given_named(&ports, ["Ann", "Lee"]).await;
    let deleted = given_named(&ports, ["Ann", "Lee"]).await;
    ports.users.delete(deleted.id, at(60)).await.expect("deletes");
    let staff = User {
        first_name: name("Anna"),
        staff_role: Some(domain_kernel::StaffRole::Employee),
        ..a_user("staff-one")
    };
    ports.users.insert_staff(staff.clone(), hash("staff"), false).await.expect("is new");
    let page = ports.user_queries.search_all(words("an"), sort("first_name"), ALL).await.expect("a read");
    assert_eq!(page, of(&[user, staff]));
}

#[tokio::test]
async fn names_are_found_in_any_script_with_case_accents_apostrophes_and_hyphens_ignored() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let cases: [([&str; 2], &[&str]); 13] = [
        (
            ["Seán", "O'Brien"],
            &["sean", "SEÁN", "obrien", "OBRIEN", "o'brien", "o’brien", "brien", "o'bri sea"],
        ),
        (["Fiona", "D’Arcy"], &["darcy", "d'arcy", "d’arcy", "arcy fio"]),
        (
            ["Anne-Marie", "Smith-Jones"],
            &["annemarie", "anne-marie", "marie", "smithjones anne", "jones marie"],
        ),
        (["Jürgen", "Müller"], &["jurgen", "JÜRGEN", "muller", "mu\u{308}ller", "MU\u{308}LLER"]),
        (["Zuzanna", "Łódź"], &["lodz", "ŁÓDŹ", "łod zuz"]),
        (["Heinz", "Weiß"], &["weiss", "weiß", "WEISS"]),
        (["Søren", "Ærø"], &["soren", "SØREN", "aero"]),
        (["Иван", "Петров"], &["иван", "ИВАН", "петр ив"]),
        (["Νίκος", "Παππάς"], &["νίκ", "ΝΊΚ"]),
        (["太郎", "山田"], &["太郎", "山田", "山", "山 太"]),
        (["محمد", "الحسن"], &["محمد", "محم", "الحسن محمد"]),
        (["דוד", "כהן"], &["דוד", "כה", "כהן דוד"]),
        (["Henry", "Tudor 8th"], &["8th", "henry 8", "tudor"]),
    ];
    let mut people = Vec::new();
    for (names, typed) in cases {
        people.push((given_named(&ports, names).await.id, typed));
    }
    for (id, typed) in people {
        for typed in typed {
            assert_eq!(found(&ports, typed).await, [id], "{typed}");
        }
    }
    for typed in ["rien", "iller", "an muller", "田", "郎", "fan", "obrienx", "henry 9", "person"] {
        assert_eq!(found(&ports, typed).await, [], "{typed}");
    }
}

#[tokio::test]
async fn dots_signs_and_slashes_part_words_of_names_and_of_what_is_typed() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let user = given_named(&ports, ["dr.no", "-5/a@b.org <x>"]).await;
    for typed in ["dr", "no", "dr.no", "5", "-5", "a@b.org", "org", "x", "<x>", "dr/no"] {
        assert_eq!(found(&ports, typed).await, [user.id], "{typed}");
    }
    assert_eq!(found(&ports, "drno").await, []);
}

#[tokio::test]
async fn words_without_a_letter_or_digit_find_no_user() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    ports.given_named_member(staff, organization, ["Ann", "O'Lee"], "AAAA22").await;
    for typed in ["&", "|", "!", "(", ")", ":", "*", "'", "\"", "\\", "<", ">", ":*", "''", "-", "%", "_"] {
        assert_eq!(found(&ports, typed).await, [], "{typed}");
        assert_eq!(found_in(&ports, organization, typed).await, [], "{typed}");
    }
}

#[tokio::test]
async fn found_users_are_put_in_order_by_each_key_in_its_direction_and_then_by_id() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let names = [["Bea", "Lee"], ["ann", "lee"], ["Ann", "Leeson"], ["Ann", "LEE"], ["Cid", "Leeson"]];
    let mut people = Vec::new();
    for (n, names) in names.into_iter().enumerate() {
        people.push(ports.given_named_member(staff, organization, names, &format!("AAAA2{}", n + 2)).await.0);
    }
    for (order, expected) in [
        ("last_name,first_name", [1, 3, 0, 2, 4]),
        ("first_name,last_name", [1, 3, 2, 0, 4]),
        ("-last_name,first_name", [2, 4, 1, 3, 0]),
        ("last_name,-first_name", [0, 1, 3, 4, 2]),
        ("-first_name", [4, 0, 1, 2, 3]),
        ("last_name", [0, 1, 3, 2, 4]),
    ] {
        let expected = expected.map(|index| people[index].clone());
        for (offset, limit, items) in
            [(0, 9, &expected[..]), (0, 2, &expected[..2]), (2, 2, &expected[2..4]), (9, 2, &[])]
        {
            let part = Page { items: items.to_vec(), total: 5 };
            let all = ports.user_queries.search_all(words("lee"), sort(order), page(offset, limit)).await;
            assert_eq!(all.expect("a read"), part, "{order}");
            let (words, sort) = (words("lee"), sort(order));
            let of_north =
                ports.user_queries.search_organization(organization, words, sort, page(offset, limit)).await;
            assert_eq!(of_north.expect("a read"), Some(part), "{order}");
        }
    }
}

#[tokio::test]
async fn a_renamed_user_is_found_by_the_new_name_at_once() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (user, _) = ports.given_named_member(staff, organization, ["Ann", "Lee"], "AAAA22").await;
    let rename = own(|user| {
        user.first_name = name("Mary");
        user.last_name = name("Tudor");
    });
    ports.users.update(user.id, rename, None).await.expect("renames");
    for typed in ["mary", "tudor mary"] {
        assert_eq!(found(&ports, typed).await, [user.id]);
        assert_eq!(found_in(&ports, organization, typed).await, [user.id]);
    }
    assert_eq!(found(&ports, "lee").await, []);
    assert_eq!(found_in(&ports, organization, "lee").await, [user.id], "the roster has the old name");
}

// --- search_organization -----------------------------------------------------------------------------------------

async fn found_in(ports: &Ports, organization: OrgId, typed: &str) -> Vec<UserId> {
    let order = sort("last_name,first_name");
    let found = ports.user_queries.search_organization(organization, words(typed), order, ALL).await;
    let page = found.expect("never fails").expect("there is such an organization");
    assert_eq!(i64::try_from(page.items.len()), Ok(page.total), "{typed}");
    page.items.into_iter().map(|user| user.id).collect()
}

#[tokio::test]
async fn active_members_of_the_organization_are_found_whole_and_nobody_else() {
    let db = TestDatabase::create();
    let (ports, staff, north) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let (user, _) = ports.given_named_member(staff, north, ["Ann", "Lee"], "AAAA22").await;
    let (_, left) = ports.given_named_member(staff, north, ["Ann", "Lee"], "BBBB22").await;
    ports.given_departure(staff, left, at(50)).await;
    ports.given_membership(a_membership(staff, north, "CCCC22")).await;
    let (deleted, _) = ports.given_named_member(staff, north, ["Ann", "Lee"], "DDDD22").await;
    ports.users.delete(deleted.id, at(60)).await.expect("deletes");
    let (foreign, _) = ports.given_named_member(staff, south, ["Ann", "Lee"], "EEEE22").await;
    given_named(&ports, ["Ann", "Lee"]).await;
    for (organization, expected) in [(north, user), (south, foreign)] {
        let search =
            ports.user_queries.search_organization(organization, words("ann lee"), sort("first_name"), ALL);
        assert_eq!(search.await.expect("a read"), Some(of(&[expected])));
    }
}

#[tokio::test]
async fn the_names_on_the_roster_count_too_and_those_of_another_roster_do_not() {
    let db = TestDatabase::create();
    let (ports, staff, north) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let (user, in_north) = ports.given_named_member(staff, north, ["Ann", "Lee"], "AAAA22").await;
    ports.given_membership(a_membership(staff, south, "BBBB22")).await;
    ports.memberships.accept(&code("BBBB22"), user.id, at(30)).await.expect("the code is good");
    let audit = membership_audit(staff, &ports.view(in_north).await.membership);
    let edit = edited(audit, |view| view.membership.first_name = name("Elizabeth"));
    ports.memberships.update(in_north, edit).await.expect("changes");
    assert_eq!(found_in(&ports, north, "elizabeth").await, [user.id]);
    assert_eq!(found_in(&ports, north, "elizabeth ann lee").await, [user.id], "once, by the names of both");
    assert_eq!(found_in(&ports, south, "elizabeth").await, []);
    assert_eq!(found(&ports, "elizabeth").await, []);
}

#[tokio::test]
async fn an_organization_without_anybody_has_an_empty_page_and_an_unknown_one_none() {
    let db = TestDatabase::create();
    let (ports, _, organization) = Ports::ready(&db).await;
    let search = |organization| {
        ports.user_queries.search_organization(organization, words("ann"), sort("first_name"), ALL)
    };
    assert_eq!(search(organization).await.expect("a read"), Some(of(&[])));
    assert_eq!(search(OrgId::new(next_id())).await.expect("a read"), None);
}
