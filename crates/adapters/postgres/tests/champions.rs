//! Contract tests of `ChampionRepository`, and of the certification that users come with.

mod common;

use adapter_postgres::testing::TestDatabase;
use chrono::NaiveDate;
use domain_kernel::{
    AuditEntry, AuditSubject, ChampionCertificationId, DomainError, ErrorKind, OrgId, Page, UserId,
};
use domain_users::ports::{CertificationFilter, VisiblePlaces};
use domain_users::{Certified, ChampionCertification, UserError, ValidCertification};
use serde_json::{Value, json};

use crate::common::{
    ALL, Ports, a_membership, all_at_once, an_audit, at, audit_json, count, everything, next_id, page, sort,
    words,
};

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn a_certification(actor: UserId, user: UserId, date: &str, minutes: i64) -> ChampionCertification {
    ChampionCertification {
        id: ChampionCertificationId::new(next_id()),
        user,
        date: day(date),
        expires_on: day("2200-12-31"),
        created_by: actor,
        created_at: at(minutes),
        revoked_at: None,
    }
}

fn audit_of(actor: UserId, certification: &ChampionCertification) -> AuditEntry {
    let subject = AuditSubject::ChampionCertification(certification.id);
    an_audit(actor, "champion.certify", None, subject)
}

fn audit_of_user(actor: UserId, user: UserId) -> AuditEntry {
    an_audit(actor, "champion.revoke", None, AuditSubject::User(user))
}

async fn given(ports: &Ports, certification: &ChampionCertification) {
    let audit = audit_of(certification.created_by, certification);
    let made = ports.champions.insert(certification.clone(), audit).await.expect("it is new");
    assert_eq!(made, Certified::Created(certification.clone()));
}

async fn listed(ports: &Ports, filter: CertificationFilter) -> Vec<ChampionCertification> {
    let list = ports.champions.list(filter, ALL).await.expect("a read");
    assert_eq!(list.total, i64::try_from(list.items.len()).expect("few"));
    list.items
}

const EVERYBODY: CertificationFilter = CertificationFilter { user: None, organization: None };

#[tokio::test]
async fn a_certification_and_its_audit_row_are_stored_whole() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let (user, _) = ports.given_user("forklift-fan").await;
    let mut certification = a_certification(staff, user.id, "2026-01-04", 5);
    certification.revoked_at = Some(at(6));
    let audit = audit_of(staff, &certification);
    ports.champions.insert(certification.clone(), audit.clone()).await.expect("it is new");
    let stored: Vec<Value> = ports.json("SELECT to_jsonb(c) AS value FROM champion_certifications c").await;
    let expected = json!({
        "id": certification.id.to_string(), "user_id": user.id.to_string(), "date": "2026-01-04",
        "expires_on": "2200-12-31", "created_by": staff.to_string(), "created_at": at(5).to_rfc3339(),
        "revoked_at": at(6).to_rfc3339(),
    });
    assert_eq!(stored, [expected]);
    assert_eq!(ports.audit_rows().await, [audit_json(&audit)]);
    assert_eq!(listed(&ports, EVERYBODY).await, [certification]);
}

#[tokio::test]
async fn the_same_day_again_gives_what_is_there_and_writes_nothing() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let (user, _) = ports.given_user("forklift-fan").await;
    let mut first = a_certification(staff, user.id, "2026-01-04", 5);
    given(&ports, &first).await;
    for revoked_at in [None, Some(at(7))] {
        if let Some(time) = revoked_at {
            ports.champions.revoke(first.id, time, audit_of(staff, &first)).await.expect("revokes");
        }
        first.revoked_at = revoked_at;
        let before = everything(&db);
        let again = a_certification(staff, user.id, "2026-01-04", 8);
        let there = ports.champions.insert(again.clone(), audit_of(staff, &again)).await.expect("answers");
        assert_eq!(there, Certified::AlreadyThere(first.clone()));
        assert_eq!(everything(&db), before);
    }
    given(&ports, &a_certification(staff, user.id, "2026-01-05", 9)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_of_one_day_at_once_exactly_one_is_new() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let (user, _) = ports.given_user("forklift-fan").await;
    let inserts = (0..6).map(|n| {
        let (ports, certification) = (ports.clone(), a_certification(staff, user.id, "2026-01-04", n));
        async move {
            let audit = audit_of(staff, &certification);
            ports.champions.insert(certification, audit).await.expect("answers")
        }
    });
    let results = all_at_once(inserts).await;
    let is_new = |certified: &&Certified| matches!(certified, Certified::Created(_));
    assert_eq!(results.iter().filter(is_new).count(), 1, "{results:?}");
    assert_eq!(count(&db, "champion_certifications"), 1);
    assert_eq!(count(&db, "audit_log"), 1);
}

#[tokio::test]
async fn nobody_and_who_deleted_the_account_are_not_found_and_nothing_is_written() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let (gone, _) = ports.given_user("long-gone").await;
    ports.users.delete(gone.id, at(30)).await.expect("deletes");
    let before = everything(&db);
    for user in [gone.id, UserId::new(next_id())] {
        let certification = a_certification(staff, user, "2026-01-04", 5);
        let refused = ports.champions.insert(certification.clone(), audit_of(staff, &certification)).await;
        assert_eq!(refused.expect_err("no such user").kind(), ErrorKind::NotFound);
        assert_eq!(everything(&db), before);
    }
}

#[tokio::test]
async fn without_its_audit_row_nothing_is_written() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let (user, _) = ports.given_user("forklift-fan").await;
    let certification = a_certification(staff, user.id, "2026-01-04", 5);
    given(&ports, &certification).await;
    let before = everything(&db);
    let nobody = UserId::new(next_id());
    let other = a_certification(staff, user.id, "2026-01-05", 6);
    let failed = ports.champions.insert(other.clone(), audit_of(nobody, &other)).await;
    assert!(matches!(failed, Err(UserError::Storage(_))), "{failed:?}");
    let failed = ports.champions.revoke(certification.id, at(7), audit_of(nobody, &certification)).await;
    assert!(matches!(failed, Err(UserError::Storage(_))), "{failed:?}");
    let failed = ports.champions.revoke_of_user(user.id, at(7), audit_of_user(nobody, user.id)).await;
    assert!(matches!(failed, Err(UserError::Storage(_))), "{failed:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn revoking_twice_is_once_and_an_unknown_one_is_not_found() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let (user, _) = ports.given_user("forklift-fan").await;
    let mut certification = a_certification(staff, user.id, "2026-01-04", 5);
    given(&ports, &certification).await;
    let audit = audit_of(staff, &certification);
    ports.champions.revoke(certification.id, at(7), audit.clone()).await.expect("revokes");
    certification.revoked_at = Some(at(7));
    assert_eq!(listed(&ports, EVERYBODY).await, [certification.clone()]);
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));

    let before = everything(&db);
    ports.champions.revoke(certification.id, at(9), audit_of(staff, &certification)).await.expect("answers");
    let unknown = ChampionCertificationId::new(next_id());
    let refused = ports.champions.revoke(unknown, at(9), audit_of(staff, &certification)).await;
    assert_eq!(refused.expect_err("there is none").kind(), ErrorKind::NotFound);
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn all_open_ones_of_a_user_are_revoked_and_none_is_fine() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let (user, _) = ports.given_user("forklift-fan").await;
    let (other, _) = ports.given_user("somebody-else").await;
    let revoked =
        ChampionCertification { revoked_at: Some(at(4)), ..a_certification(staff, user.id, "2025-01-04", 1) };
    let [first, second] = ["2026-01-04", "2026-01-05"].map(|date| a_certification(staff, user.id, date, 2));
    let foreign = a_certification(staff, other.id, "2026-01-04", 2);
    for certification in [&revoked, &first, &second, &foreign] {
        let audit = audit_of(staff, certification);
        ports.champions.insert(certification.clone(), audit).await.expect("it is new");
    }
    let audit = audit_of_user(staff, user.id);
    ports.champions.revoke_of_user(user.id, at(9), audit.clone()).await.expect("revokes");
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));
    let of_user = CertificationFilter { user: Some(user.id), organization: None };
    let times: Vec<_> = listed(&ports, of_user).await.iter().map(|c| (c.id, c.revoked_at)).collect();
    assert_eq!(times, [(second.id, Some(at(9))), (first.id, Some(at(9))), (revoked.id, Some(at(4)))]);
    let of_other = CertificationFilter { user: Some(other.id), organization: None };
    assert_eq!(listed(&ports, of_other).await, [foreign]);

    let before = everything(&db);
    for nobody in [user.id, UserId::new(next_id())] {
        let audit = audit_of_user(staff, nobody);
        ports.champions.revoke_of_user(nobody, at(12), audit).await.expect("there is none");
    }
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn lists_are_filtered_and_say_how_many_there_are_even_past_the_end() {
    let db = TestDatabase::create();
    let (ports, staff, north) = Ports::ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let mut users = Vec::new();
    for (organization, code) in [(north, "AAAA22"), (south, "BBBB22"), (north, "CCCC22")] {
        let (user, id) = ports.given_named_member(staff, organization, ["Ann", "Lee"], code).await;
        users.push((user.id, id));
    }
    ports.given_departure(staff, users[2].1, at(40)).await;
    ports.given_membership(a_membership(staff, north, "DDDD22")).await;
    let all: Vec<_> =
        users.iter().zip(1..).map(|((user, _), n)| a_certification(staff, *user, "2026-01-04", n)).collect();
    for certification in &all {
        given(&ports, certification).await;
    }
    let of = |indexes: &[usize]| indexes.iter().map(|index| all[*index].clone()).collect::<Vec<_>>();
    assert_eq!(listed(&ports, EVERYBODY).await, of(&[2, 1, 0]));
    let filter =
        |user: Option<UserId>, organization: Option<OrgId>| CertificationFilter { user, organization };
    assert_eq!(listed(&ports, filter(None, Some(north))).await, of(&[0]), "active members only");
    assert_eq!(listed(&ports, filter(None, Some(south))).await, of(&[1]));
    assert_eq!(listed(&ports, filter(Some(users[1].0), None)).await, of(&[1]));
    assert_eq!(listed(&ports, filter(Some(users[1].0), Some(south))).await, of(&[1]));
    assert_eq!(listed(&ports, filter(Some(users[1].0), Some(north))).await, []);
    assert_eq!(listed(&ports, filter(Some(UserId::new(next_id())), None)).await, []);
    assert_eq!(listed(&ports, filter(None, Some(OrgId::new(next_id())))).await, []);
    for (offset, items) in [(0, of(&[2, 1])), (2, of(&[0])), (9, vec![])] {
        let part = ports.champions.list(EVERYBODY, page(offset, 2)).await.expect("a read");
        assert_eq!(part, Page { items, total: 3 });
    }
}

// --- The certification that users come with ------------------------------------------------------

#[tokio::test]
async fn users_come_with_the_newest_certification_that_is_valid_today() {
    let db = TestDatabase::create();
    let (ports, staff, north) = Ports::ready(&db).await;
    ports.given_membership(a_membership(staff, north, "AAAA22")).await;
    let (user, session) = ports.given_member("forklift-fan", Some("AAAA22")).await;
    assert_eq!(user.champion_certification, None);
    let sql = |interval: &str| {
        format!(
            "UPDATE champion_certifications SET expires_on = (now() AT TIME ZONE 'UTC')::date + {interval} \
             WHERE date = '2026-01-03'"
        )
    };
    let older = a_certification(staff, user.id, "2026-01-02", 1);
    let newer = a_certification(staff, user.id, "2026-01-03", 2);
    let expired = ChampionCertification {
        expires_on: day("2026-01-05"),
        ..a_certification(staff, user.id, "2026-01-04", 3)
    };
    let revoked =
        ChampionCertification { revoked_at: Some(at(5)), ..a_certification(staff, user.id, "2026-01-05", 4) };
    for certification in [&older, &newer, &expired, &revoked] {
        let audit = audit_of(staff, certification);
        ports.champions.insert(certification.clone(), audit).await.expect("it is new");
    }
    for (days, expected) in [("0", &newer), ("-1", &older)] {
        // Valid through its last day, and not a day more.
        db.execute(&sql(days));
        let expected = listed(&ports, EVERYBODY).await.into_iter().find(|c| c.id == expected.id);
        let expected =
            expected.map(|c| ValidCertification { id: c.id, date: c.date, expires_on: c.expires_on });
        let account = ports.account_of(&session).await;
        assert_eq!(account.user.champion_certification, expected, "in a session");
        let found = ports.users.find(user.id).await.expect("a read").expect("there");
        assert_eq!(found.champion_certification, expected, "alone");
        let found = ports.user_queries.find_account(user.id).await.expect("a read").expect("there");
        assert_eq!(found, account, "with the account");

        let places = |organizations| VisiblePlaces { own: user.id, organizations, teams: vec![] };
        let queries = &ports.user_queries;
        let own = queries.list_visible(places(vec![]), ALL).await.expect("a read").map(|seen| seen.user);
        let run = queries.list_visible(places(vec![north]), ALL).await.expect("a read").map(|seen| seen.user);
        let all = queries.list_all(ALL).await.expect("a read");
        let (by_name, name) = (sort("first_name"), words(user.first_name.as_str()));
        let found = queries.search_all(name.clone(), by_name.clone(), ALL).await.expect("a read");
        let inside = queries.search_organization(north, name, by_name, ALL).await.expect("a read");
        for list in [own, run, all, found, inside.expect("an organization")] {
            let seen = list.items.iter().find(|seen| seen.id == user.id).expect("in the list");
            assert_eq!(seen.champion_certification, expected);
            let others = list.items.iter().filter(|seen| seen.id != user.id);
            assert!(others.clone().all(|seen| seen.champion_certification.is_none()));
        }
    }
    ports.champions.revoke_of_user(user.id, at(9), audit_of_user(staff, user.id)).await.expect("revokes");
    assert_eq!(ports.account_of(&session).await.user.champion_certification, None);
}
