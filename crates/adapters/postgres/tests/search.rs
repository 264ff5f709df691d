//! Contract tests of `MembershipQueries`, and of the names that people are found by.

mod common;

use adapter_postgres::testing::TestDatabase;
use domain_kernel::{MembershipId, OrgId, Page, TeamId, UserId};
use domain_memberships::ports::{MemberSearch, MembershipSelection};
use domain_memberships::{FoundMember, MembershipStatus, MembershipView};
use domain_users::User;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::common::{
    ALL, Ports, a_membership, a_registration, a_user, at, edited, membership_audit, name, next_id, own, page,
    sort, words,
};

/// Somebody invited to North and its team, with these names on the roster.
async fn given_invited(
    ports: &Ports,
    staff: UserId,
    organization: OrgId,
    teams: &[TeamId],
    [first, last]: [&str; 2],
) -> MembershipView {
    let mut new = a_membership(staff, organization, &a_code());
    new.membership.first_name = name(first);
    new.membership.last_name = name(last);
    new.membership.teams = teams.to_vec();
    ports.given_membership(new).await
}

/// A code that nobody has.
fn a_code() -> String {
    let n = next_id().as_u128();
    format!("C{:05}", n % 100_000).replace('0', "Z").replace('1', "Y")
}

/// The same person after the sign-up, with other names on the account.
async fn given_joined(
    ports: &Ports,
    view: &MembershipView,
    [first, last]: [&str; 2],
) -> (User, MembershipView) {
    let user = User {
        first_name: name(first),
        last_name: name(last),
        ..a_user(&format!("person-{}", view.membership.id))
    };
    let invitation = view.invitation.as_ref().expect("invited");
    let registration = a_registration(&user, Some(invitation.code.as_str()));
    let user = ports.users.register(registration).await.expect("the code is good").user;
    (user, ports.view(view.membership.id).await)
}

/// The ports, a staff admin, North and its team.
async fn ready(db: &TestDatabase) -> (Ports, UserId, OrgId, TeamId) {
    let (ports, staff, organization) = Ports::ready(db).await;
    let team = ports.given_team(staff, organization, "Day shift").await;
    (ports, staff, organization, team)
}

// --- list_of_team ------------------------------------------------------------------------------------------------

#[tokio::test]
async fn those_on_a_team_are_listed_by_where_they_stand() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let other_team = ports.given_team(staff, organization, "Night shift").await;
    let pending = given_invited(&ports, staff, organization, &[team, other_team], ["Ann", "Lee"]).await;
    let active = given_invited(&ports, staff, organization, &[team], ["Bob", "Lee"]).await;
    let (_, active) = given_joined(&ports, &active, ["Robert", "Lee"]).await;
    let left = given_invited(&ports, staff, organization, &[team], ["Cid", "Lee"]).await;
    let left = ports.given_departure(staff, left.membership.id, at(50)).await;
    given_invited(&ports, staff, organization, &[other_team], ["Dan", "Lee"]).await;
    for (status, view) in [
        (MembershipStatus::Pending, pending),
        (MembershipStatus::Active, active),
        (MembershipStatus::Deactivated, left),
    ] {
        let listed = ports.membership_queries.list_of_team(team, status, ALL).await.expect("a read");
        assert_eq!(listed, Some((organization, Page { items: vec![view], total: 1 })), "{status:?}");
    }
}

#[tokio::test]
async fn those_on_a_team_come_by_last_and_first_name_with_case_ignored_and_then_by_id() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let mut people = Vec::new();
    // In the order that is wanted; they are made in another one.
    let wanted = [["zoe", "adams"], ["Anna", "Baker"], ["anna", "BAKER"], ["Bea", "baker"], ["Al", "Zorn"]];
    for index in [4, 1, 3, 0, 2] {
        people.push((index, given_invited(&ports, staff, organization, &[team], wanted[index]).await));
    }
    people.sort_by_key(|(index, _)| *index);
    let views: Vec<MembershipView> = people.into_iter().map(|(_, view)| view).collect();
    let list = |part| ports.membership_queries.list_of_team(team, MembershipStatus::Pending, part);
    let listed = list(ALL).await.expect("a read");
    assert_eq!(listed, Some((organization, Page { items: views.clone(), total: 5 })));
    for (offset, items) in [(0, &views[..3]), (3, &views[3..]), (9, &[])] {
        let listed = list(page(offset, 3)).await.expect("a read");
        assert_eq!(listed, Some((organization, Page { items: items.to_vec(), total: 5 })), "{offset}");
    }
}

#[tokio::test]
async fn an_empty_team_has_an_empty_list_and_a_deleted_or_unknown_one_none() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let deleted = ports.given_team(staff, organization, "Dissolved").await;
    given_invited(&ports, staff, organization, &[deleted], ["Ann", "Lee"]).await;
    db.execute("UPDATE teams SET deleted_at = now() WHERE name = 'Dissolved'");
    for (team, expected) in [(team, Some(organization)), (deleted, None), (TeamId::new(next_id()), None)] {
        let listed = ports.membership_queries.list_of_team(team, MembershipStatus::Pending, ALL).await;
        let empty = expected.map(|organization| (organization, Page { items: vec![], total: 0 }));
        assert_eq!(listed.expect("a read"), empty);
        for whole_organization in [false, true] {
            let search =
                MemberSearch { team, words: words("nobody"), whole_organization, sort: sort("last_name") };
            let found = ports.membership_queries.search_around_team(search, None, ALL).await.expect("a read");
            let empty = expected.map(|organization| (organization, Page { items: vec![], total: 0 }));
            assert_eq!(found, empty);
        }
    }
}

// --- list --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn those_of_all_organizations_are_listed_whole_in_the_order_of_ids_and_may_be_selected() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let other_team = ports.given_team(staff, organization, "Early shift").await;
    let mut views = Vec::new();
    for (organization, teams, invite_code) in [
        (organization, vec![team], "AAAA22"),
        (elsewhere, vec![], "BBBB22"),
        (organization, vec![other_team, team], "CCCC22"),
        (organization, vec![], "DDDD22"),
    ] {
        let mut new = a_membership(staff, organization, invite_code);
        new.membership.teams = teams;
        views.push(ports.given_membership(new).await.membership.id);
    }
    ports.given_member("person", Some("AAAA22")).await;
    ports.given_departure(staff, views[3], at(40)).await;
    let [a, b, c, d] = views[..] else { panic!("four memberships") };
    let none = MembershipSelection::default();
    let organizations = |ids: &[OrgId]| Some(ids.to_vec());
    for (selection, expected) in [
        (none.clone(), vec![a, b, c, d]),
        (
            MembershipSelection { organizations: organizations(&[organization]), ..none.clone() },
            vec![a, c, d],
        ),
        (
            MembershipSelection { organizations: organizations(&[organization, elsewhere]), ..none.clone() },
            vec![a, b, c, d],
        ),
        (
            MembershipSelection { ids: Some(vec![d, b, MembershipId::new(next_id())]), ..none.clone() },
            vec![b, d],
        ),
        (MembershipSelection { teams: Some(vec![team, other_team]), ..none.clone() }, vec![a, c]),
        (MembershipSelection { teams: Some(vec![other_team]), ids: Some(vec![a]), ..none.clone() }, vec![]),
        (
            MembershipSelection {
                teams: Some(vec![team]),
                ids: Some(vec![a, b]),
                organizations: organizations(&[organization]),
            },
            vec![a],
        ),
    ] {
        let mut items = Vec::new();
        for id in &expected {
            items.push(ports.view(*id).await);
        }
        let total = i64::try_from(items.len()).expect("few");
        let listed = ports.membership_queries.list(selection.clone(), ALL).await.expect("a read");
        assert_eq!(listed, Page { items: items.clone(), total }, "{selection:?}");
        let second = ports.membership_queries.list(selection, page(1, 1)).await.expect("a read");
        assert_eq!(second, Page { items: items.into_iter().skip(1).take(1).collect(), total });
    }
}

// --- search_around_team ------------------------------------------------------------------------------------------

/// Who is found, by last and first name.
async fn found(ports: &Ports, team: TeamId, typed: &str, whole_organization: bool) -> Vec<FoundMember> {
    let sort = sort("last_name,first_name");
    let search = MemberSearch { team, words: words(typed), whole_organization, sort };
    let found = ports.membership_queries.search_around_team(search, None, ALL).await;
    let (_, page) = found.expect("never fails").expect("there is such a team");
    assert_eq!(i64::try_from(page.items.len()), Ok(page.total), "{typed}");
    page.items
}

/// The same as ids.
async fn found_ids(ports: &Ports, team: TeamId, typed: &str) -> Vec<MembershipId> {
    found(ports, team, typed, true).await.into_iter().map(|found| found.view.membership.id).collect()
}

#[tokio::test]
async fn pending_and_active_members_are_found_on_the_team_or_in_the_whole_organization() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let on_team = given_invited(&ports, staff, organization, &[team], ["Ann", "Lee"]).await;
    let (_, on_team) = given_joined(&ports, &on_team, ["Ann", "Lee"]).await;
    let beside = given_invited(&ports, staff, organization, &[], ["Bob", "Lee"]).await;
    let left = given_invited(&ports, staff, organization, &[team], ["Cid", "Lee"]).await;
    ports.given_departure(staff, left.membership.id, at(50)).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let foreign_team = ports.given_team(staff, elsewhere, "Day shift").await;
    given_invited(&ports, staff, elsewhere, &[foreign_team], ["Dan", "Lee"]).await;

    let on_team = FoundMember { view: on_team, on_team: true };
    let beside = FoundMember { view: beside, on_team: false };
    let both = [on_team, beside];
    assert_eq!(found(&ports, team, "lee", false).await, both[..1]);
    assert_eq!(found(&ports, team, "lee", true).await, both);
}

#[tokio::test]
async fn the_organization_of_the_team_comes_with_the_page() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let view = given_invited(&ports, staff, organization, &[team], ["Ann", "Lee"]).await;
    for whole_organization in [false, true] {
        let search = MemberSearch { team, words: words("ann"), whole_organization, sort: sort("first_name") };
        let found = ports.membership_queries.search_around_team(search, None, ALL).await.expect("a read");
        let items = vec![FoundMember { view: view.clone(), on_team: true }];
        assert_eq!(found, Some((organization, Page { items, total: 1 })));
    }
}

#[tokio::test]
async fn people_are_found_by_the_names_of_the_roster_and_of_the_account() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let invited = given_invited(&ports, staff, organization, &[], ["Elizabeth", "Windsor"]).await;
    let id = invited.membership.id;
    assert_eq!(found_ids(&ports, team, "liz").await, []);
    given_joined(&ports, &invited, ["Liz", "Mountbatten"]).await;
    for typed in ["elizabeth", "windsor", "liz", "mountbatten", "liz windsor", "mount eliza"] {
        assert_eq!(found_ids(&ports, team, typed).await, [id], "{typed}");
    }
    assert_eq!(found_ids(&ports, team, "liz windsor tudor").await, [], "each word must be there");
}

#[tokio::test]
async fn for_each_word_a_name_must_begin_so_whatever_its_case_and_accents() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let ann = given_invited(&ports, staff, organization, &[], ["Ann", "Lee"]).await.membership.id;
    let zoe = given_invited(&ports, staff, organization, &[], ["Zoë", "O'Brien-Łódź"]).await.membership.id;
    for (typed, expected) in [
        ("ann", vec![ann]),
        ("an le", vec![ann]),
        ("LEE ANN", vec![ann]),
        ("zoe", vec![zoe]),
        ("ZOË", vec![zoe]),
        ("obrien", vec![zoe]),
        ("o'brien", vec![zoe]),
        ("brien lodz", vec![zoe]),
        ("nn", vec![]),
        ("ee", vec![]),
        ("annx", vec![]),
        ("ann zoe", vec![]),
    ] {
        assert_eq!(found_ids(&ports, team, typed).await, expected, "{typed}");
    }
}

#[tokio::test]
async fn what_was_found_is_put_in_order_by_each_key_in_its_direction_and_then_by_id() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let names = [["Bea", "Lee"], ["ann", "lee"], ["Ann", "Leeson"], ["Ann", "LEE"], ["Cid", "Leeson"]];
    let mut people = Vec::new();
    for (index, names) in names.into_iter().enumerate() {
        let teams: &[TeamId] = if index % 2 == 0 { &[team] } else { &[] };
        let view = given_invited(&ports, staff, organization, teams, names).await;
        people.push(FoundMember { view, on_team: !teams.is_empty() });
    }
    for (order, expected) in [
        ("last_name,first_name", [1, 3, 0, 2, 4]),
        ("first_name,last_name", [1, 3, 2, 0, 4]),
        ("-last_name,first_name", [2, 4, 1, 3, 0]),
        ("last_name,-first_name", [0, 1, 3, 4, 2]),
        ("-first_name", [4, 0, 1, 2, 3]),
        ("last_name", [0, 1, 3, 2, 4]),
    ] {
        for whole_organization in [true, false] {
            let expected: Vec<FoundMember> = expected
                .into_iter()
                .map(|index| people[index].clone())
                .filter(|found| whole_organization || found.on_team)
                .collect();
            let total = i64::try_from(expected.len()).expect("few");
            let search = |part| {
                let search =
                    MemberSearch { team, words: words("lee"), whole_organization, sort: sort(order) };
                ports.membership_queries.search_around_team(search, None, part)
            };
            let whole = search(ALL).await.expect("a read");
            assert_eq!(whole, Some((organization, Page { items: expected.clone(), total })), "{order}");
            for (offset, items) in [(0, &expected[..2]), (2, &expected[2..]), (9, &[])] {
                let part = search(page(offset, if offset == 0 { 2 } else { 9 })).await.expect("a read");
                assert_eq!(part, Some((organization, Page { items: items.to_vec(), total })), "{order}");
            }
        }
    }
}

#[tokio::test]
async fn words_without_a_letter_or_digit_find_nobody() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    given_invited(&ports, staff, organization, &[team], ["Ann", "O'Lee-Smith"]).await;
    for typed in [
        "&", "|", "!", "(", ")", ":", "*", "'", "\"", "\\", "<", ">", ":*", "<->", "<1>", "''", "\\'",
        "' | '", "!!", "()", "-", "_", "%", ".", ",", ";", "--", "$1", "{}", "…", "’",
    ] {
        for whole_organization in [false, true] {
            assert_eq!(found(&ports, team, typed, whole_organization).await, [], "{typed}");
        }
    }
}

#[tokio::test]
async fn operators_between_words_mean_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let id = given_invited(&ports, staff, organization, &[team], ["Ann", "Lee"]).await.membership.id;
    for typed in
        ["ann & lee", "ann | lee", "!ann", "(ann", "ann)", "ann:*", "ann <-> lee", "lee'", "\\lee", "\"lee\""]
    {
        assert_eq!(found_ids(&ports, team, typed).await, [id], "{typed}");
    }
    for typed in ["ann | bob", "!bob", "ann & !bob", "a' | 'b", "ann:B", "%", "a_n"] {
        assert_eq!(found_ids(&ports, team, typed).await, [], "{typed}");
    }
}

/// Texts that are made of what a query language is made of, and of what else people type.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[&|!():*'\"\\\\<>{}%_ a-zÀ-žא-ת一-龥0-9㌀-㏿ﬀ-ﷺ.-]{1,60}",
        proptest::collection::vec(any::<char>(), 1..200).prop_map(String::from_iter),
    ]
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn no_text_makes_a_search_fail() {
    let db = TestDatabase::create();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (ports, _, organization, team) = runtime.block_on(ready(&db));
    let searched = runner(400).run(&texts(), |typed| {
        let Ok(words) = domain_kernel::SearchWords::parse(&typed) else { return Ok(()) };
        runtime.block_on(async {
            for whole_organization in [false, true] {
                let words = words.clone();
                let search = MemberSearch { team, words, whole_organization, sort: sort("last_name") };
                let found = ports.membership_queries.search_around_team(search, None, ALL).await;
                prop_assert_eq!(
                    found.map_err(|error| error.to_string()).map(|found| found.is_some()),
                    Ok(true)
                );
            }
            let found = ports.user_queries.search_all(words.clone(), sort("last_name"), ALL).await;
            prop_assert!(found.is_ok(), "{:?}", found);
            let order = sort("first_name");
            let found = ports.user_queries.search_organization(organization, words, order, ALL).await;
            prop_assert!(found.is_ok(), "{:?}", found);
            Ok(())
        })
    });
    searched.expect("never fails");
}

#[test]
fn everybody_can_be_stored_and_is_found_by_the_own_name_in_whole() {
    let db = TestDatabase::create();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (ports, staff, organization, team) = runtime.block_on(ready(&db));
    let membership =
        runtime.block_on(given_invited(&ports, staff, organization, &[team], ["Ann", "Lee"])).membership;
    let stored = runner(200).run(&texts(), |text| {
        let Ok(first) = domain_kernel::PersonName::parse(&text) else { return Ok(()) };
        runtime.block_on(async {
            // The second word is there to be found even where the text holds no letter.
            let (typed, mut audit) = (format!("{first} lee"), membership_audit(staff, &membership));
            audit.id = uuid::Uuid::from_u128(u128::MAX - next_id().as_u128());
            let edit = edited(audit, move |view| view.membership.first_name = first);
            let updated = ports.memberships.update(membership.id, edit).await;
            prop_assert!(updated.is_ok(), "{:?}", updated);
            prop_assert_eq!(found_ids(&ports, team, &typed).await, [membership.id]);
            Ok(())
        })
    });
    stored.expect("found");
}

#[tokio::test]
async fn a_word_that_grows_when_it_is_normalized_finds_nobody_and_never_fails() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    // One character that stands for six.
    let long = "㌖".repeat(100);
    let id = given_invited(&ports, staff, organization, &[team], [&long, &long]).await.membership.id;
    assert_eq!(found_ids(&ports, team, &long).await, [id]);
    assert_eq!(found_ids(&ports, team, "キロメートル").await, [id]);
    for length in [101, 111, 112, 113, 114, 200] {
        let typed = "㌖".repeat(length);
        for whole_organization in [false, true] {
            found(&ports, team, &typed, whole_organization).await;
        }
        let found = ports.user_queries.search_all(words(&typed), sort("last_name"), ALL).await;
        assert_eq!(found.expect("never fails").total, 0);
    }
}

// --- the names of accounts beside those of the roster --------------------------------------------------------------

/// The account's names as the roster knows them.
fn account_names(db: &TestDatabase, id: MembershipId) -> String {
    let row = format!("SELECT account_first_name, account_last_name FROM memberships WHERE id = '{id}'");
    db.rows(&row).remove(0)
}

#[tokio::test]
async fn the_names_of_an_account_follow_sign_up_renaming_and_the_loss_of_the_account() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let invited = given_invited(&ports, staff, organization, &[team], ["Ann", "Lee"]).await;
    let id = invited.membership.id;
    assert_eq!(account_names(&db, id), "(,)");
    let (user, _) = given_joined(&ports, &invited, ["Liz", "Stuart"]).await;
    assert_eq!(account_names(&db, id), "(Liz,Stuart)");

    let rename = own(|user| {
        user.first_name = name("Mary");
        user.last_name = name("Tudor");
    });
    ports.users.update(user.id, rename, None).await.expect("renames");
    assert_eq!(account_names(&db, id), "(Mary,Tudor)");
    assert_eq!(found_ids(&ports, team, "mary tudor").await, [id]);
    assert_eq!(found_ids(&ports, team, "liz").await, []);

    ports.users.delete(user.id, at(60)).await.expect("deletes");
    assert_eq!(ports.users.erase_deleted(at(61), at(62)).await.expect("erases"), 1);
    assert_eq!(account_names(&db, id), "(Erased,Person)");
    let edit = edited(membership_audit(staff, &invited.membership), |view| {
        view.membership.status = MembershipStatus::Pending;
        view.membership.deactivated_at = None;
        view.membership.user = None;
        view.membership.first_name = name("Anna");
    });
    ports.memberships.update(id, edit).await.expect("changes");
    assert_eq!(account_names(&db, id), "(,)", "nobody has taken it");
    assert_eq!(found_ids(&ports, team, "anna").await, [id]);
    assert_eq!(
        found_ids(&ports, team, "erased").await,
        [],
        "only the last name of the roster is left of that"
    );
}

#[tokio::test]
async fn the_names_of_an_account_follow_acceptance_in_each_organization() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let (user, _) = ports.given_user("forklift-fan").await;
    let mut ids = Vec::new();
    for organization in [organization, elsewhere] {
        let view = given_invited(&ports, staff, organization, &[], ["Ann", "Lee"]).await;
        let code = view.invitation.expect("invited").code;
        ports.memberships.accept(&code, user.id, at(30)).await.expect("the code is good");
        ids.push(view.membership.id);
    }
    let other = given_invited(&ports, staff, organization, &[], ["Bob", "Lee"]).await.membership.id;
    for (first, expected) in [("Zoë", "(Zoë,\"van Dijk\")"), ("Mary", "(Mary,\"van Dijk\")")] {
        let rename = own(move |user| user.first_name = name(first));
        ports.users.update(user.id, rename, None).await.expect("renames");
        assert_eq!(ids.iter().map(|id| account_names(&db, *id)).collect::<Vec<_>>(), [expected; 2]);
    }
    assert_eq!(account_names(&db, other), "(,)");
    assert_eq!(found_ids(&ports, team, "mary").await, ids[..1]);
}

#[tokio::test]
async fn a_renamed_person_of_the_roster_is_found_by_the_new_name_at_once() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let membership = given_invited(&ports, staff, organization, &[], ["Ann", "Lee"]).await.membership;
    let edit = edited(membership_audit(staff, &membership), |view| view.membership.last_name = name("Tudor"));
    ports.memberships.update(membership.id, edit).await.expect("changes");
    assert_eq!(found_ids(&ports, team, "tudor").await, [membership.id]);
    assert_eq!(found_ids(&ports, team, "lee").await, []);
}

#[tokio::test]
async fn beyond_the_horizon_there_is_no_team() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let team = ports.given_team(staff, organization, "Dock").await;
    let search =
        || MemberSearch { team, words: words("anybody"), whole_organization: true, sort: sort("first_name") };
    for (horizon, is_found) in [(None, true), (Some(vec![organization]), true), (Some(vec![]), false)] {
        let found =
            ports.membership_queries.search_around_team(search(), horizon, ALL).await.expect("a read");
        assert_eq!(found.is_some(), is_found);
    }
}
