//! Contract tests of `OrganizationRepository` and of the audit trail.

mod common;

use adapter_postgres::testing::TestDatabase;
use domain_kernel::{AuditEntry, AuditSubject, UserId};
use domain_orgs::{Cadence, Folder, OrgError, Organization};
use serde_json::json;

use crate::common::{
    Ports, an_audit, an_organization, at, audit_json, everything, fields_of, next_id, team_audit,
};

fn audit_of(actor: UserId, organization: &Organization) -> AuditEntry {
    let subject = AuditSubject::Organization(organization.id);
    an_audit(actor, "organization.create", Some(organization.id), subject)
}

const ORGANIZATIONS: &str = "SELECT to_jsonb(o) AS value FROM organizations o ORDER BY id";

#[tokio::test]
async fn an_organization_and_its_audit_row_are_stored_whole() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let full = an_organization("North");
    let plain = Organization {
        saml_info: None,
        sso_enforced: false,
        time_zone: "UTC".into(),
        cadence: Cadence::SelfPaced,
        reporting_grace_days: 0,
        ..an_organization("South")
    };
    let audits = [audit_of(staff, &full), audit_of(staff, &plain)];
    for (organization, audit) in [&full, &plain].into_iter().zip(audits.clone()) {
        ports.organizations.insert(organization.clone(), audit).await.expect("it is new");
    }
    let stored = ports.json(ORGANIZATIONS).await;
    let expected = [
        json!({
            "id": full.id.to_string(), "name": "North", "s3_integrations_folder": "north/feed",
            "saml_info": "<EntityDescriptor/>", "sso_enforced": true, "time_zone": "America/Chicago",
            "cadence": "monthly", "reporting_grace_days": 14,
            "created_at": at(2).to_rfc3339(), "updated_at": at(3).to_rfc3339(),
        }),
        json!({
            "id": plain.id.to_string(), "name": "South", "s3_integrations_folder": "south/feed",
            "saml_info": null, "sso_enforced": false, "time_zone": "UTC",
            "cadence": "self_paced", "reporting_grace_days": 0,
            "created_at": at(2).to_rfc3339(), "updated_at": at(3).to_rfc3339(),
        }),
    ];
    assert_eq!(stored, expected);
    assert_eq!(ports.audit_rows().await, audits.each_ref().map(audit_json));
}

#[tokio::test]
async fn a_folder_of_another_organization_is_refused_and_nothing_is_written() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    ports.given_organization(staff, "North").await;
    let before = everything(&db);
    let same_folder = an_organization("north");
    let audit = audit_of(staff, &same_folder);
    let refused = ports.organizations.insert(same_folder, audit).await.expect_err("the folder is in use");
    assert!(matches!(refused, OrgError::FolderTaken(_)), "{refused:?}");
    assert_eq!(fields_of(&refused), [("s3_integrations_folder".to_owned(), "taken")]);
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn two_organizations_may_have_one_name() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    ports.given_organization(staff, "North").await;
    let namesake = Organization { name: an_organization("North").name, ..an_organization("Elsewhere") };
    let audit = audit_of(staff, &namesake);
    ports.organizations.insert(namesake, audit).await.expect("names need not differ");
}

#[tokio::test]
async fn without_its_audit_row_a_write_does_not_happen() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let organization = an_organization("North");
    let audit = audit_of(UserId::new(next_id()), &organization);
    let failed = ports.organizations.insert(organization, audit).await;
    assert!(matches!(failed, Err(OrgError::Storage(_))), "the actor does not exist: {failed:?}");
    assert_eq!(everything(&db), Vec::<String>::new());
}

#[tokio::test]
async fn the_audit_trail_can_only_grow() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let organization = ports.given_organization(staff, "North").await;
    let before = everything(&db);
    for forbidden in [
        "UPDATE audit_log SET action = 'nothing.happened'",
        "UPDATE audit_log SET ip = NULL",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "TRUNCATE users CASCADE",
        "INSERT INTO audit_log SELECT * FROM audit_log ON CONFLICT (id) DO UPDATE SET action = 'none'",
    ] {
        let refused = db.try_execute(forbidden).expect_err(forbidden);
        assert!(refused.contains("audit_log is append-only"), "{forbidden}: {refused}");
        assert_eq!(everything(&db), before, "{forbidden}");
    }
    let team = common::a_team(organization, "Night shift");
    ports.teams.insert(team.clone(), team_audit(staff, &team)).await.expect("more can be added");
    assert_eq!(ports.audit_rows().await.len(), 2);
}

#[tokio::test]
async fn what_happened_stays_when_somebody_would_remove_the_actor() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    ports.given_organization(staff, "North").await;
    let refused = db.try_execute("DELETE FROM users").expect_err("the trail names the actor");
    assert!(refused.contains("audit_log_actor_id_fkey"), "{refused}");
}

#[tokio::test]
async fn no_folder_lies_within_another_organizations() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    ports.given_organization(staff, "North").await;
    for (folder, is_free) in
        [("north", false), ("north/feed/daily", false), ("north/feeds", true), ("nor", true)]
    {
        let organization = Organization {
            s3_integrations_folder: Folder::parse(folder).expect("a folder"),
            ..an_organization(folder)
        };
        let audit = audit_of(staff, &organization);
        let inserted = ports.organizations.insert(organization, audit).await;
        assert_eq!(inserted.is_ok(), is_free, "{folder}: {inserted:?}");
    }
}
