//! Contract tests of `OrganizationRepository` and of the audit trail.

mod common;

use adapter_postgres::testing::TestDatabase;
use domain_kernel::{AuditEntry, AuditSubject, ImportMode, OrgId, Page, Refusal, UserId};
use domain_orgs::ports::OrganizationEdit;
use domain_orgs::{
    Cadence, Folder, GraceDays, LateWindowDays, OrgError, OrgName, Organization, RecycleDays, SamlInfo,
    TimeZone,
};
use serde_json::json;

use crate::common::{
    ALL, Ports, a_membership, a_team, all_at_once, an_audit, an_organization, at, audit_json, everything,
    fields_of, next_id, page, team_audit,
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
        time_zone: TimeZone::utc(),
        cadence: Cadence::SelfPaced,
        import_mode: ImportMode::Delta,
        reporting_grace_days: GraceDays::DEFAULT,
        late_window_days: LateWindowDays::DEFAULT,
        recycle_after_days: RecycleDays::DEFAULT,
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
            "cadence": "monthly", "import_mode": "snapshot", "reporting_grace_days": 14, "late_window_days": 21, "recycle_after_days": 90,
            "created_at": at(2).to_rfc3339(), "updated_at": at(3).to_rfc3339(),
        }),
        json!({
            "id": plain.id.to_string(), "name": "South", "s3_integrations_folder": "south/feed",
            "saml_info": null, "sso_enforced": false, "time_zone": "UTC",
            "cadence": "self_paced", "import_mode": "delta", "reporting_grace_days": 0, "late_window_days": 14, "recycle_after_days": 180,
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

// --- update ------------------------------------------------------------------------------------------------------

/// The change that sets or takes away the identity provider.
fn with_provider(saml_info: Option<&str>, audit: AuditEntry) -> OrganizationEdit {
    let saml_info = saml_info.map(|document| SamlInfo::parse(document).expect("a document"));
    Box::new(move |organization| {
        organization.saml_info = saml_info;
        organization.updated_at = at(50);
        Ok(Some(audit))
    })
}

#[tokio::test]
async fn the_identity_provider_is_saved_with_the_audit_row() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let stored = an_organization("North");
    ports.organizations.insert(stored.clone(), audit_of(staff, &stored)).await.expect("it is new");
    let other = an_organization("South");
    ports.organizations.insert(other.clone(), audit_of(staff, &other)).await.expect("it is new");
    ports.given_team(staff, stored.id, "Night shift").await;
    ports.given_membership(a_membership(staff, stored.id, "AAAA22")).await;
    let counted = Organization { teams_count: 1, memberships_count: 1, ..stored };
    for saml_info in [Some("<Other/>"), None] {
        let audit = audit_of(staff, &counted);
        let edit = with_provider(saml_info, audit.clone());
        let updated = ports.organizations.update(counted.id, edit).await.expect("changes");
        let saml_info = saml_info.map(|document| SamlInfo::parse(document).expect("a document"));
        let expected = Organization { saml_info, updated_at: at(50), ..counted.clone() };
        assert_eq!(updated, expected);
        let read = ports.organizations.list_by_ids(vec![counted.id], ALL).await.expect("a read");
        assert_eq!(read.items, [expected]);
        assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));
    }
    let read = ports.organizations.list_by_ids(vec![other.id], ALL).await.expect("a read");
    assert_eq!(read.items, [other], "others stay as they are");
}

/// The change of an organization that leaves this audit row.
fn edited(audit: AuditEntry, change: impl FnOnce(&mut Organization) + Send + 'static) -> OrganizationEdit {
    Box::new(move |organization| {
        change(organization);
        Ok(Some(audit))
    })
}

#[tokio::test]
async fn everything_that_is_said_of_an_organization_is_saved() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let id = ports.given_organization(staff, "North").await;
    let stored = ports.organizations.find(id).await.expect("a read").expect("it is there");
    let wanted = Organization {
        name: OrgName::parse("Port").expect("a name"),
        s3_integrations_folder: Folder::parse("north").expect("a folder"),
        saml_info: None,
        sso_enforced: false,
        time_zone: TimeZone::parse("Asia/Kathmandu").expect("a time zone"),
        cadence: Cadence::SelfPaced,
        import_mode: ImportMode::Delta,
        reporting_grace_days: GraceDays::parse(0).expect("in bounds"),
        late_window_days: LateWindowDays::parse(60).expect("in bounds"),
        recycle_after_days: RecycleDays::parse(3650).expect("in bounds"),
        updated_at: at(50),
        ..stored.clone()
    };
    let new = wanted.clone();
    let edit = edited(audit_of(staff, &stored), move |organization| *organization = new);
    assert_eq!(ports.organizations.update(id, edit).await.expect("changes"), wanted);
    assert_eq!(ports.organizations.find(id).await.expect("a read"), Some(wanted));
    assert_eq!(ports.organizations.find(OrgId::new(next_id())).await.expect("a read"), None);
}

#[tokio::test]
async fn a_changed_folder_is_free_of_others_but_may_lie_around_the_own_one() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let id = ports.given_organization(staff, "North").await;
    ports.given_organization(staff, "South").await;
    for (folder, is_free) in [
        ("south/feed", false),
        ("south", false),
        ("south/feed/daily", false),
        ("north/feed/daily", true),
        ("north", true),
        ("south/feeds", true),
    ] {
        let before = everything(&db);
        let stored = ports.organizations.find(id).await.expect("a read").expect("it is there");
        let wanted = Folder::parse(folder).expect("a folder");
        let edit = edited(audit_of(staff, &stored), |organization| {
            organization.s3_integrations_folder = wanted;
        });
        let changed = ports.organizations.update(id, edit).await;
        assert_eq!(changed.is_ok(), is_free, "{folder}: {changed:?}");
        if let Err(refused) = changed {
            assert_eq!(fields_of(&refused), [("s3_integrations_folder".to_owned(), "taken")]);
            assert_eq!(everything(&db), before);
        }
    }
}

#[tokio::test]
async fn a_time_zone_that_the_database_cannot_count_in_is_refused() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let stored = an_organization("North");
    ports.organizations.insert(stored.clone(), audit_of(staff, &stored)).await.expect("it is new");
    let before = everything(&db);
    let edit = edited(audit_of(staff, &stored), |organization| {
        organization.time_zone = TimeZone::from_stored("Mars/Phobos".into());
    });
    let refused = ports.organizations.update(stored.id, edit).await.expect_err("no such zone");
    assert_eq!(fields_of(&refused), [("time_zone".to_owned(), "invalid")]);
    assert_eq!(everything(&db), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_folders_that_are_taken_at_once_none_lies_within_the_other() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let taken = (0..4).map(|depth| {
        let folder = Folder::parse(&format!("feed{}", "/daily".repeat(depth))).expect("a folder");
        let organization =
            Organization { s3_integrations_folder: folder, ..an_organization(&format!("number-{depth}")) };
        let (ports, audit) = (ports.clone(), audit_of(staff, &organization));
        async move { ports.organizations.insert(organization, audit).await.is_ok() }
    });
    let taken = all_at_once(taken).await;
    assert_eq!(taken.iter().filter(|is_taken| **is_taken).count(), 1, "{taken:?}");
}

#[tokio::test]
async fn the_edit_sees_the_stored_organization_with_its_counts() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let stored = an_organization("North");
    ports.organizations.insert(stored.clone(), audit_of(staff, &stored)).await.expect("it is new");
    ports.given_team(staff, stored.id, "Night shift").await;
    let stored = Organization { teams_count: 1, ..stored };
    let (id, seen) = (stored.id, stored.clone());
    let before = everything(&db);
    let edit: OrganizationEdit = Box::new(move |organization| {
        assert_eq!(*organization, seen);
        Ok(None)
    });
    assert_eq!(ports.organizations.update(id, edit).await.expect("answers"), stored);
    assert_eq!(everything(&db), before, "nothing changed, nothing is written");
}

#[tokio::test]
async fn a_refused_change_of_an_organization_writes_nothing() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let stored = an_organization("North");
    ports.organizations.insert(stored.clone(), audit_of(staff, &stored)).await.expect("it is new");
    let before = everything(&db);
    let unknown: OrganizationEdit = Box::new(|_| panic!("there is nothing to edit"));
    let refused = ports.organizations.update(OrgId::new(next_id()), unknown).await;
    assert!(matches!(refused, Err(OrgError::Refused(Refusal::NotFound))), "{refused:?}");
    let says_no: OrganizationEdit = Box::new(|organization| {
        organization.saml_info = None;
        Err(Refusal::Forbidden.into())
    });
    let refused = ports.organizations.update(stored.id, says_no).await;
    assert!(matches!(refused, Err(OrgError::Refused(Refusal::Forbidden))), "{refused:?}");
    let no_actor = with_provider(None, audit_of(UserId::new(next_id()), &stored));
    let failed = ports.organizations.update(stored.id, no_actor).await;
    assert!(matches!(failed, Err(OrgError::Storage(_))), "no audit row, no change: {failed:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_organization_at_once_lose_nothing() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let stored = an_organization("North");
    ports.organizations.insert(stored.clone(), audit_of(staff, &stored)).await.expect("it is new");
    let updates = (0..6).map(|n| {
        let (ports, id, audit) = (ports.clone(), stored.id, audit_of(staff, &stored));
        let edit: OrganizationEdit = Box::new(move |organization| {
            let document = organization.saml_info.as_ref().map_or("", SamlInfo::as_str);
            organization.saml_info = SamlInfo::parse(&format!("{document}{n}")).ok();
            Ok(Some(audit))
        });
        async move { ports.organizations.update(id, edit).await.expect("changes") }
    });
    all_at_once(updates).await;
    let read = ports.organizations.list_by_ids(vec![stored.id], ALL).await.expect("a read");
    let document = read.items[0].saml_info.clone().expect("there is one");
    let mut digits: Vec<char> = document.as_str().trim_start_matches("<EntityDescriptor/>").chars().collect();
    digits.sort_unstable();
    assert_eq!(digits.iter().collect::<String>(), "012345", "{}", document.as_str());
}

// --- list_by_ids -------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_organizations_that_exist_are_listed_by_name_with_their_counts() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let mut all = Vec::new();
    for (folder, text) in
        [("one", "bravo"), ("two", "Alpha"), ("three", "BRAVO"), ("four", "charlie"), ("five", "zulu")]
    {
        let named = Organization { name: OrgName::parse(text).expect("a name"), ..an_organization(folder) };
        ports.organizations.insert(named.clone(), audit_of(staff, &named)).await.expect("it is new");
        all.push(named);
    }
    let bravo = all[0].id;
    ports.given_team(staff, bravo, "Night shift").await;
    let deleted = domain_teams::Team { deleted_at: Some(at(9)), ..a_team(bravo, "Dissolved") };
    ports.teams.insert(deleted.clone(), team_audit(staff, &deleted)).await.expect("it is new");
    ports.given_named_member(staff, bravo, ["An", "Active"], "AAAA22").await;
    ports.given_membership(a_membership(staff, bravo, "BBBB22")).await;
    let left = ports.given_membership(a_membership(staff, bravo, "CCCC22")).await.membership.id;
    ports.given_departure(staff, left, at(50)).await;
    all[0] = Organization { teams_count: 1, memberships_count: 2, ..all[0].clone() };

    let expected = [1, 0, 2, 3].map(|index| all[index].clone());
    let every = [1, 0, 2, 3, 4].map(|index| all[index].clone());
    for (offset, limit, items) in [(0, 9, &every[..]), (1, 2, &every[1..3]), (9, 2, &[])] {
        let part = ports.organizations.list(page(offset, limit)).await.expect("a read");
        assert_eq!(part, Page { items: items.to_vec(), total: 5 });
    }

    let ids: Vec<OrgId> = vec![all[3].id, all[2].id, OrgId::new(next_id()), all[0].id, all[1].id, all[0].id];
    let listed = ports.organizations.list_by_ids(ids.clone(), ALL).await.expect("a read");
    assert_eq!(listed, Page { items: expected.to_vec(), total: 4 });
    for (offset, items) in [(0, &expected[..2]), (2, &expected[2..]), (9, &[])] {
        let part = ports.organizations.list_by_ids(ids.clone(), page(offset, 2)).await.expect("a read");
        assert_eq!(part, Page { items: items.to_vec(), total: 4 });
    }
    for none in [vec![], vec![OrgId::new(next_id())]] {
        let listed = ports.organizations.list_by_ids(none, ALL).await.expect("a read");
        assert_eq!(listed, Page { items: vec![], total: 0 });
    }
}
