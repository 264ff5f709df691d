//! Contract tests of `TeamRepository`.

mod common;

use adapter_postgres::testing::TestDatabase;
use domain_kernel::{DomainError, ErrorKind, OrgId, Refusal};
use domain_teams::{Team, TeamError};
use serde_json::{Value, json};

use crate::common::{
    Ports, a_team, all_at_once, at, audit_json, count, everything, fields_of, next_id, team_audit,
};

fn team_json(team: &Team) -> Value {
    json!({
        "id": team.id.to_string(),
        "organization_id": team.organization.to_string(),
        "name": team.name.as_str(),
        "deleted_at": team.deleted_at.map(|at| at.to_rfc3339()),
        "created_at": team.created_at.to_rfc3339(),
        "updated_at": team.updated_at.to_rfc3339(),
    })
}

#[tokio::test]
async fn a_team_and_its_audit_row_are_stored_whole() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let live = a_team(organization, "Équipe de nuit");
    let deleted = Team { deleted_at: Some(at(9)), ..a_team(organization, "Équipe de nuit") };
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
