//! Contract tests of `TeamRepository` and `TeamQueries`.

mod common;

use std::sync::Arc;

use adapter_postgres::PgTeams;
use adapter_postgres::testing::TestDatabase;
use domain_kernel::{
    AuditEntry, DomainError, ErrorKind, ExternalId, MembershipId, OrgId, Page, PageRequest, Refusal, TeamId,
};
use domain_teams::ports::{MembershipOwner, RosterEdit, TeamEdit, TeamQueries};
use domain_teams::{Team, TeamError, TeamName, TeamPeople};
use serde_json::{Value, json};

use crate::common::{
    ALL, Ports, a_membership, a_team, all_at_once, at, audit_json, count, everything, fields_of, next_id,
    page, team_audit,
};

fn team_json(team: &Team) -> Value {
    json!({
        "id": team.id.to_string(),
        "organization_id": team.organization.to_string(),
        "name": team.name.as_str(),
        "external_id": team.external_id.as_ref().map(ExternalId::as_str),
        "deleted_at": team.deleted_at.map(|at| at.to_rfc3339()),
        "created_at": team.created_at.to_rfc3339(),
        "updated_at": team.updated_at.to_rfc3339(),
    })
}

fn number(text: &str) -> Option<ExternalId> {
    ExternalId::parse(text).ok()
}

#[tokio::test]
async fn a_team_and_its_audit_row_are_stored_whole() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let live = Team { external_id: number("T-1"), ..a_team(organization, "Équipe de nuit") };
    let deleted = Team { deleted_at: Some(at(9)), ..live.clone() };
    let deleted = Team { id: TeamId::new(next_id()), ..deleted };
    let audits = [team_audit(staff, &live), team_audit(staff, &deleted)];
    for (team, audit) in [&live, &deleted].into_iter().zip(audits.clone()) {
        ports.teams.insert(team.clone(), audit).await.expect("it is new");
    }
    let stored = ports.json("SELECT to_jsonb(t) AS value FROM teams t ORDER BY id").await;
    assert_eq!(stored, [team_json(&live), team_json(&deleted)]);
    assert_eq!(ports.audit_rows().await[1..], audits.each_ref().map(audit_json));
}

#[tokio::test]
async fn the_name_of_a_live_team_is_taken_in_any_case_and_nothing_is_written() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    ports.given_team(staff, organization, "Équipe de nuit").await;
    let before = everything(&db);
    for same in ["Équipe de nuit", "équipe DE NUIT"] {
        let team = a_team(organization, same);
        let refused = ports.teams.insert(team.clone(), team_audit(staff, &team)).await;
        let refused = refused.expect_err("the name is in use");
        assert!(matches!(refused, TeamError::NameTaken(_)), "{refused:?}");
        assert_eq!(fields_of(&refused), [("name".to_owned(), "taken")]);
        assert_eq!(everything(&db), before);
    }
}

#[tokio::test]
async fn the_name_is_free_in_another_organization_and_after_the_team_is_deleted() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let elsewhere = ports.given_organization(staff, "South").await;
    ports.given_team(staff, organization, "Night shift").await;
    ports.given_team(staff, elsewhere, "Night shift").await;
    db.execute("UPDATE teams SET deleted_at = now()");
    ports.given_team(staff, organization, "Night shift").await;
    assert_eq!(count(&db, "teams WHERE name = 'Night shift'"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_teams_of_one_name_made_at_once_exactly_one_is_made() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let inserts = (0..6).map(|_| {
        let (ports, team) = (ports.clone(), a_team(organization, "Night shift"));
        async move { ports.teams.insert(team.clone(), team_audit(staff, &team)).await }
    });
    let results = all_at_once(inserts).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let is_taken = |result: &&Result<(), TeamError>| matches!(result, Err(TeamError::NameTaken(_)));
    assert_eq!(results.iter().filter(is_taken).count(), 5, "{results:?}");
    assert_eq!(count(&db, "audit_log WHERE action = 'team.create'"), 1);
}

#[tokio::test]
async fn a_team_of_no_organization_is_not_found_and_nothing_is_written() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let before = everything(&db);
    let team = a_team(OrgId::new(next_id()), "Night shift");
    let refused = ports.teams.insert(team.clone(), team_audit(staff, &team)).await;
    let refused = refused.expect_err("there is no such organization");
    assert!(matches!(refused, TeamError::Refused(Refusal::NotFound)), "{refused:?}");
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn without_its_audit_row_a_team_is_not_made() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let before = everything(&db);
    let team = a_team(organization, "Night shift");
    let audit = team_audit(domain_kernel::UserId::new(next_id()), &team);
    let failed = ports.teams.insert(team, audit).await;
    assert!(matches!(failed, Err(TeamError::Storage(_))), "{failed:?}");
    assert_eq!(everything(&db), before);
}

/// The port over the same database.
fn queries(db: &TestDatabase) -> Arc<dyn TeamQueries> {
    Arc::new(PgTeams::new(db.pg()))
}

fn edit(
    change: impl FnOnce(&mut Team) -> Result<Option<AuditEntry>, TeamError> + Send + 'static,
) -> TeamEdit {
    Box::new(change)
}

#[tokio::test]
async fn a_team_is_found_whole_deleted_or_not() {
    let db = TestDatabase::create();
    let (ports, queries) = (Ports::over(&db), queries(&db));
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let live = a_team(organization, "Dock");
    let deleted = Team { deleted_at: Some(at(9)), ..a_team(organization, "Dock") };
    for team in [&live, &deleted] {
        ports.teams.insert(team.clone(), team_audit(staff, team)).await.expect("it is new");
        assert_eq!(queries.find(team.id).await.expect("a read").as_ref(), Some(team));
    }
    assert_eq!(queries.find(TeamId::new(next_id())).await.expect("a read"), None);
}

#[tokio::test]
async fn lists_hold_live_teams_by_name_and_say_how_many_there_are_even_past_the_end() {
    let db = TestDatabase::create();
    let (ports, queries) = (Ports::over(&db), queries(&db));
    let staff = ports.given_staff().await;
    let [north, south] = ["North", "South"].map(|name| (name, ports.given_organization(staff, name)));
    let (north, south) = (north.1.await, south.1.await);
    let mut teams = ["bravo", "Alpha", "charlie"].map(|name| a_team(north, name)).to_vec();
    let deleted = Team { deleted_at: Some(at(9)), ..a_team(north, "Aaron") };
    let foreign = a_team(south, "Abel");
    for team in teams.iter().chain([&deleted, &foreign]) {
        ports.teams.insert(team.clone(), team_audit(staff, team)).await.expect("it is new");
    }
    teams.sort_by_key(|team| team.name.as_str().to_lowercase());
    let whole = queries.list_of_organization(north, ALL).await.expect("a read").expect("it exists");
    assert_eq!(whole, Page { items: teams.clone(), total: 3 });
    let second = PageRequest { offset: 1, limit: 1 };
    let part = queries.list_of_organization(north, second).await.expect("a read").expect("it exists");
    assert_eq!(part, Page { items: vec![teams[1].clone()], total: 3 });
    let beyond = PageRequest { offset: 9, limit: 1 };
    let none = queries.list_of_organization(north, beyond).await.expect("a read").expect("it exists");
    assert_eq!(none, Page { items: vec![], total: 3 });
    assert_eq!(queries.list_of_organization(OrgId::new(next_id()), ALL).await.expect("a read"), None);

    let ids = vec![teams[2].id, deleted.id, teams[0].id];
    let chosen = queries.list_by_ids(ids, ALL).await.expect("a read");
    assert_eq!(chosen, Page { items: vec![teams[0].clone(), teams[2].clone()], total: 2 });
    assert_eq!(queries.list_by_ids(vec![], ALL).await.expect("a read"), Page { items: vec![], total: 0 });
}

#[tokio::test]
async fn an_edit_is_stored_with_its_audit_row_and_one_that_changes_nothing_writes_nothing() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let team = a_team(organization, "Dock");
    ports.teams.insert(team.clone(), team_audit(staff, &team)).await.expect("it is new");
    let audit = team_audit(staff, &team);
    let audited = audit.clone();
    let name = TeamName::parse("Yard").expect("a name");
    let renamed = edit(move |team| {
        team.rename(name, at(5));
        Ok(Some(audit))
    });
    let renamed = ports.teams.update(team.id, renamed).await.expect("renames");
    assert_eq!((renamed.name.as_str(), renamed.updated_at), ("Yard", at(5)));
    assert_eq!(queries(&db).find(team.id).await.expect("a read"), Some(renamed));
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audited)));

    let before = everything(&db);
    let nothing = edit(|team| {
        team.rename(TeamName::parse("Gone").expect("a name"), at(6));
        Ok(None)
    });
    ports.teams.update(team.id, nothing).await.expect("answers");
    let refused = edit(|_| Err(Refusal::Forbidden.into()));
    let refused = ports.teams.update(team.id, refused).await.expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    let unknown = ports.teams.update(TeamId::new(next_id()), edit(|_| Ok(None))).await.expect_err("unknown");
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn of_two_teams_that_take_one_name_at_once_one_gets_it() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let teams = ["Dock", "Yard"].map(|name| a_team(organization, name));
    for team in &teams {
        ports.teams.insert(team.clone(), team_audit(staff, team)).await.expect("it is new");
    }
    let rename = |team: &Team| {
        let audit = team_audit(staff, team);
        ports.teams.update(
            team.id,
            edit(move |team| {
                team.rename(TeamName::parse("Gate").expect("a name"), at(5));
                Ok(Some(audit))
            }),
        )
    };
    let (first, second) = tokio::join!(rename(&teams[0]), rename(&teams[1]));
    let outcomes = [first, second];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(
        outcomes
            .iter()
            .filter_map(|outcome| outcome.as_ref().err())
            .all(|e| matches!(e, TeamError::NameTaken(_)))
    );
}

// --- list_of_membership ------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_live_teams_of_a_membership_are_listed_by_name_with_their_counts_and_whose_it_is() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let mut teams = Vec::new();
    for text in ["bravo", "Alpha", "charlie", "Dissolved", "only run"] {
        teams.push(ports.given_team(staff, organization, text).await);
    }
    let mut new = a_membership(staff, organization, "AAAA22");
    new.membership.teams = teams[..4].to_vec();
    new.membership.administered_teams = vec![teams[0], teams[4]];
    let id = ports.given_membership(new).await.membership.id;
    let mut other = a_membership(staff, organization, "BBBB22");
    other.membership.teams = vec![teams[0], teams[4]];
    ports.given_membership(other).await;
    ports.given_member("somebody-else", Some("BBBB22")).await;
    db.execute("UPDATE teams SET deleted_at = now() WHERE name = 'Dissolved'");

    let mut expected = Vec::new();
    for index in [1, 0, 2] {
        expected.push(ports.team_queries.find(teams[index]).await.expect("a read").expect("there is one"));
    }
    assert_eq!((expected[1].memberships_count, expected[1].admins_count), (1, 1), "of the active ones");
    let list = |part| ports.team_queries.list_of_membership(id, part);
    let mut owner = MembershipOwner { organization, user: None };
    let listed = list(ALL).await.expect("a read");
    assert_eq!(listed, Some((owner, Page { items: expected.clone(), total: 3 })));
    for (offset, items) in [(0, &expected[..2]), (2, &expected[2..]), (9, &[])] {
        let listed = list(page(offset, 2)).await.expect("a read");
        assert_eq!(listed, Some((owner, Page { items: items.to_vec(), total: 3 })));
    }
    let (user, _) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    owner.user = Some(user.id);
    for team in &mut expected {
        team.memberships_count += 1;
    }
    let listed = list(ALL).await.expect("a read");
    assert_eq!(listed, Some((owner, Page { items: expected, total: 3 })));
}

#[tokio::test]
async fn a_membership_on_no_team_has_an_empty_list_and_an_unknown_one_none() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let id = ports.given_membership(a_membership(staff, organization, "AAAA22")).await.membership.id;
    let owner = MembershipOwner { organization, user: None };
    let listed = ports.team_queries.list_of_membership(id, ALL).await.expect("a read");
    assert_eq!(listed, Some((owner, Page { items: vec![], total: 0 })));
    let unknown = MembershipId::new(next_id());
    assert_eq!(ports.team_queries.list_of_membership(unknown, ALL).await.expect("a read"), None);
}

// --- A team with its people --------------------------------------------------------------------------------------

/// The change to these people that leaves this audit row.
fn staffed(audit: AuditEntry, people: TeamPeople) -> RosterEdit {
    Box::new(move |team, present| {
        *present = people;
        team.updated_at = at(50);
        Ok(Some(audit))
    })
}

/// Who is on the team and who runs it, with the time since when.
fn links(db: &TestDatabase, team: TeamId) -> Vec<String> {
    db.rows(&format!(
        "SELECT 'on', membership_id, joined_at FROM team_memberships WHERE team_id = '{team}' \
         UNION ALL SELECT 'runs', membership_id, created_at FROM team_admins WHERE team_id = '{team}' ORDER BY 1, 2"
    ))
}

fn link(kind: &str, membership: MembershipId, since: &str) -> String {
    format!("({kind},{membership},\"2026-01-05 {since}+00\")")
}

#[tokio::test]
async fn a_team_is_added_with_its_people_and_answered_with_its_counts() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let (_, active) = ports.given_named_member(staff, organization, ["An", "Active"], "AAAA22").await;
    let pending = ports.given_membership(a_membership(staff, organization, "BBBB22")).await.membership.id;
    let people = TeamPeople { members: [active, pending].into(), admins: [pending].into() };
    let team = Team { external_id: number("T-1"), ..a_team(organization, "Dock") };
    let audit = team_audit(staff, &team);
    let made = ports.teams.insert_with_people(team.clone(), people, audit.clone()).await.expect("it is new");
    assert_eq!(made, Team { memberships_count: 1, admins_count: 1, ..team.clone() });
    assert_eq!(ports.team_queries.find(team.id).await.expect("a read"), Some(made));
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));
    let since = team.updated_at.format("%H:%M:%S").to_string();
    let mut expected =
        vec![link("on", active, &since), link("on", pending, &since), link("runs", pending, &since)];
    expected.sort();
    assert_eq!(links(&db, team.id), expected);
}

#[tokio::test]
async fn lists_replace_as_a_whole_but_who_stays_keeps_the_time_and_who_has_left_the_place() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let mut people = Vec::new();
    for code in ["AAAA22", "BBBB22", "CCCC22", "DDDD22"] {
        people.push(ports.given_membership(a_membership(staff, organization, code)).await.membership.id);
    }
    let [stays, leaves, comes, gone] = people[..] else { panic!("four people") };
    let team = a_team(organization, "Dock");
    let first = TeamPeople { members: [stays, leaves, gone].into(), admins: [stays, leaves].into() };
    let audit = team_audit(staff, &team);
    ports.teams.insert_with_people(team.clone(), first.clone(), audit).await.expect("it is new");
    ports.given_departure(staff, gone, at(40)).await;
    let other = ports.given_team(staff, organization, "Yard").await;
    db.execute(&format!(
        "INSERT INTO team_memberships SELECT '{other}', membership_id, organization_id, joined_at FROM team_memberships"
    ));

    let present = TeamPeople { members: [stays, leaves].into(), ..first };
    let before = everything(&db);
    let nothing: RosterEdit = Box::new(move |_, seen| {
        assert_eq!(*seen, present, "who has left is not shown");
        seen.members.clear();
        Ok(None)
    });
    ports.teams.update_with_people(team.id, nothing).await.expect("answers");
    assert_eq!(everything(&db), before, "nothing changed, nothing is written");

    let wanted = TeamPeople { members: [stays, comes].into(), admins: [stays, comes].into() };
    let audit = team_audit(staff, &team);
    let changed = ports.teams.update_with_people(team.id, staffed(audit.clone(), wanted)).await;
    let changed = changed.expect("changes");
    assert_eq!((changed.admins_count, changed.updated_at), (2, at(50)));
    let since = team.updated_at.format("%H:%M:%S").to_string();
    let now = at(50).format("%H:%M:%S").to_string();
    let mut expected = vec![
        link("on", stays, &since),
        link("on", gone, &since),
        link("on", comes, &now),
        link("runs", stays, &since),
        link("runs", comes, &now),
    ];
    expected.sort();
    assert_eq!(links(&db, team.id), expected);
    assert_eq!(links(&db, other).len(), 3, "other teams stay as they are");
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));
    let ended = count(&db, &format!("team_stints WHERE team_id = '{}' AND left_at IS NOT NULL", team.id));
    assert_eq!(ended, 1, "the score knows who left");
}

#[tokio::test]
async fn who_is_no_member_or_has_left_is_named_and_nothing_is_written() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let member = ports.given_membership(a_membership(staff, organization, "AAAA22")).await.membership.id;
    let gone = ports.given_membership(a_membership(staff, organization, "BBBB22")).await.membership.id;
    ports.given_departure(staff, gone, at(40)).await;
    let foreign = ports.given_membership(a_membership(staff, elsewhere, "CCCC22")).await.membership.id;
    let (unknown, team) = (MembershipId::new(next_id()), a_team(organization, "Dock"));
    ports.teams.insert(team.clone(), team_audit(staff, &team)).await.expect("it is new");
    let people = TeamPeople { members: [member, gone, foreign].into(), admins: [member, unknown].into() };
    let before = everything(&db);
    let new = a_team(organization, "Yard");
    let inserted = ports.teams.insert_with_people(new.clone(), people.clone(), team_audit(staff, &new)).await;
    let changed = ports.teams.update_with_people(team.id, staffed(team_audit(staff, &team), people)).await;
    for refused in [inserted, changed] {
        let refused = refused.expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        let fields: Vec<_> = fields_of(&refused);
        let named = ["admin_membership_ids", "membership_ids"].map(|field| (field.to_owned(), "unknown"));
        assert_eq!(fields, named);
        let text = format!("{:?}", refused.fields());
        for (id, is_named) in [(gone, true), (foreign, true), (unknown, true), (member, false)] {
            assert_eq!(text.contains(&id.to_string()), is_named, "{text}");
        }
        assert_eq!(everything(&db), before);
    }
    let nowhere = a_team(OrgId::new(next_id()), "Yard");
    let audit = team_audit(staff, &nowhere);
    let refused = ports.teams.insert_with_people(nowhere, TeamPeople::default(), audit).await;
    assert_eq!(refused.expect_err("no such organization").kind(), ErrorKind::NotFound);
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn the_number_of_a_live_team_is_taken_and_free_elsewhere_and_after_it_is_deleted() {
    let db = TestDatabase::create();
    let (ports, staff, organization) = Ports::ready(&db).await;
    let elsewhere = ports.given_organization(staff, "South").await;
    let numbered = |organization, name| Team { external_id: number("T-1"), ..a_team(organization, name) };
    let insert = |team: Team| {
        let audit = team_audit(staff, &team);
        ports.teams.insert_with_people(team, TeamPeople::default(), audit)
    };
    let first = insert(numbered(organization, "Dock")).await.expect("it is new");
    insert(numbered(elsewhere, "Dock")).await.expect("it is free there");
    let plain = ports.given_team(staff, organization, "Yard").await;
    let before = everything(&db);
    let audit = team_audit(staff, &first);
    let taking: RosterEdit = Box::new(move |team, _| {
        team.external_id = number("T-1");
        Ok(Some(audit))
    });
    for refused in
        [insert(numbered(organization, "Gate")).await, ports.teams.update_with_people(plain, taking).await]
    {
        let refused = refused.expect_err("it is in use");
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "external_id_taken"));
        assert_eq!(fields_of(&refused), [("external_id".to_owned(), "taken")]);
        assert_eq!(everything(&db), before);
    }
    db.execute("UPDATE teams SET deleted_at = now()");
    insert(numbered(organization, "Gate")).await.expect("it is free again");
}
