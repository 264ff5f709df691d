//! Contract tests of `RefinementRepository`.

mod common;

use adapter_postgres::testing::TestDatabase;
use chrono::NaiveDate;
use domain_courses::{Course, CourseName};
use domain_kernel::{
    AuditEntry, AuditSubject, CourseId, DomainError, ErrorKind, OrgId, Page, RefinementId, Refusal, TeamId,
    UserId,
};
use domain_teams::ports::RefinementEdit;
use domain_teams::{Refinement, RefinementData, TeamError, TeamPlace};
use serde_json::{Value, json};

use crate::common::{
    ALL, Ports, a_membership, an_audit, at, audit_json, everything, fields_of, next_id, page,
};

fn data(raw: Value) -> RefinementData {
    RefinementData::parse(raw).expect("good data")
}

fn a_refinement(author: UserId, organization: OrgId, team: TeamId, raw: Value, minutes: i64) -> Refinement {
    Refinement {
        id: RefinementId::new(next_id()),
        organization,
        team,
        data: data(raw),
        occurred_on: NaiveDate::from_ymd_opt(2026, 1, 3).expect("a day"),
        created_by: author,
        created_at: at(minutes),
        updated_at: at(minutes + 1),
    }
}

fn audit_of(actor: UserId, refinement: &Refinement) -> AuditEntry {
    let subject = AuditSubject::Refinement(refinement.id);
    an_audit(actor, "refinement.create", Some(refinement.organization), subject)
}

/// The ports, somebody who notes, and a team of North.
async fn ready(db: &TestDatabase) -> (Ports, UserId, OrgId, TeamId) {
    let (ports, staff, organization) = Ports::ready(db).await;
    let team = ports.given_team(staff, organization, "Dock").await;
    (ports, staff, organization, team)
}

async fn given(ports: &Ports, refinement: &Refinement) {
    let audit = audit_of(refinement.created_by, refinement);
    let stored = ports.refinements.insert(refinement.clone(), audit).await.expect("it is new");
    assert_eq!(stored, *refinement);
}

async fn given_course(ports: &Ports, staff: UserId, organization: Option<OrgId>) -> CourseId {
    let id = CourseId::new(next_id());
    let course = Course {
        id,
        organization,
        name: CourseName::parse("Lifting").expect("a name"),
        description: None,
        basics: false,
        position: 0,
        language_codes: vec![],
        published: None,
        archived_at: Some(at(3)),
        created_at: at(1),
        updated_at: at(2),
    };
    let audit = an_audit(staff, "course.create", organization, AuditSubject::Course(id));
    ports.courses.insert(course, audit).await.expect("it is new");
    id
}

fn edited(audit: AuditEntry, change: impl FnOnce(&mut Refinement) + Send + 'static) -> RefinementEdit {
    Box::new(move |refinement| {
        change(refinement);
        Ok(Some(audit))
    })
}

#[tokio::test]
async fn a_live_team_has_a_place_and_a_deleted_or_unknown_one_none() {
    let db = TestDatabase::create();
    let (ports, _, organization, team) = ready(&db).await;
    // The organizations of these tests are in Chicago.
    let expected = TeamPlace::from_stored(organization, "America/Chicago");
    assert_eq!(ports.refinements.find_place(team).await.expect("a read"), Some(expected));
    db.execute("UPDATE teams SET deleted_at = now()");
    for team in [team, TeamId::new(next_id())] {
        assert_eq!(ports.refinements.find_place(team).await.expect("a read"), None);
    }
}

#[tokio::test]
async fn a_refinement_and_its_audit_row_are_stored_whole() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let free = json!({ "notes": "knees \u{1f9be}", "moves": [1.5, null, { "a": true }], "occurred_on": "2025-12-01" });
    let refinement = a_refinement(staff, organization, team, free.clone(), 5);
    let audit = audit_of(staff, &refinement);
    ports.refinements.insert(refinement.clone(), audit.clone()).await.expect("it is new");
    let stored = ports.json("SELECT to_jsonb(r) AS value FROM refinements r").await;
    let expected = json!({
        "id": refinement.id.to_string(), "organization_id": organization.to_string(), "team_id": team.to_string(),
        "data": free, "occurred_on": "2026-01-03", "created_by": staff.to_string(),
        "created_at": at(5).to_rfc3339(), "updated_at": at(6).to_rfc3339(),
    });
    assert_eq!(stored, [expected]);
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));
    let found = ports.refinements.find(team, refinement.id).await.expect("a read");
    assert_eq!(found, Some((organization, Some(refinement))));
}

#[tokio::test]
async fn numbers_come_back_as_they_are_stored() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let refinement = a_refinement(staff, organization, team, json!({ "load": 1e18 }), 5);
    let stored = ports.refinements.insert(refinement.clone(), audit_of(staff, &refinement)).await;
    let stored = stored.expect("it is new");
    assert_eq!(stored.data, data(json!({ "load": 1_000_000_000_000_000_000_u64 })));
    let found = ports.refinements.find(team, refinement.id).await.expect("a read");
    assert_eq!(found, Some((organization, Some(stored))));
}

#[tokio::test]
async fn what_data_names_must_be_there_and_of_the_organization() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let south = ports.given_organization(staff, "South").await;
    let (_, left) = ports.given_named_member(staff, organization, ["Ann", "Lee"], "AAAA22").await;
    ports.given_departure(staff, left, at(40)).await;
    let pending = ports.given_membership(a_membership(staff, organization, "BBBB22")).await.membership.id;
    let foreign = ports.given_membership(a_membership(staff, south, "CCCC22")).await.membership.id;
    let library = given_course(&ports, staff, None).await;
    let own = given_course(&ports, staff, Some(organization)).await;
    let foreign_course = given_course(&ports, staff, Some(south)).await;
    let [left, pending, foreign] = [left, pending, foreign].map(|id| id.to_string());
    let [library, own, foreign_course] = [library, own, foreign_course].map(|id| id.to_string());
    for good in [
        json!({ "led_by_membership_id": left, "membership_ids": [pending, left, pending], "course_id": library }),
        json!({ "led_by_membership_id": pending, "membership_ids": [], "course_id": own }),
    ] {
        given(&ports, &a_refinement(staff, organization, team, good, 5)).await;
    }
    let stored = a_refinement(staff, organization, team, json!({}), 5);
    given(&ports, &stored).await;
    let before = everything(&db);
    let unknown = next_id().to_string();
    for (bad, fields) in [
        (json!({ "led_by_membership_id": foreign }), vec!["data.led_by_membership_id"]),
        (json!({ "led_by_membership_id": unknown }), vec!["data.led_by_membership_id"]),
        (json!({ "membership_ids": [pending, foreign] }), vec!["data.membership_ids"]),
        (json!({ "course_id": foreign_course }), vec!["data.course_id"]),
        (
            json!({ "led_by_membership_id": foreign, "membership_ids": [unknown], "course_id": unknown }),
            vec!["data.course_id", "data.led_by_membership_id", "data.membership_ids"],
        ),
    ] {
        let expected: Vec<_> = fields.into_iter().map(|field| (field.to_owned(), "unknown")).collect();
        let refinement = a_refinement(staff, organization, team, bad, 5);
        let refused = ports.refinements.insert(refinement.clone(), audit_of(staff, &refinement)).await;
        let refused = refused.expect_err("it is not there");
        assert!(matches!(refused, TeamError::Invalid(_)), "{refused:?}");
        assert_eq!(fields_of(&refused), expected);
        let edit = edited(audit_of(staff, &stored), move |stored| stored.data = refinement.data);
        let refused = ports.refinements.update(team, stored.id, edit).await.expect_err("it is not there");
        assert_eq!(fields_of(&refused), expected);
        assert_eq!(everything(&db), before);
    }
}

#[tokio::test]
async fn a_change_is_stored_with_its_audit_row_and_none_writes_nothing() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let other = ports.given_team(staff, organization, "Yard").await;
    let refinement = a_refinement(staff, organization, team, json!({ "notes": "knees" }), 5);
    given(&ports, &refinement).await;
    let audit = audit_of(staff, &refinement);
    let day = NaiveDate::from_ymd_opt(2025, 11, 30).expect("a day");
    let edit = edited(audit.clone(), move |refinement| {
        refinement.data = data(json!({ "load": 1e18 }));
        refinement.occurred_on = day;
        refinement.updated_at = at(9);
    });
    let changed = ports.refinements.update(team, refinement.id, edit).await.expect("changes");
    let expected = Refinement {
        data: data(json!({ "load": 1_000_000_000_000_000_000_u64 })),
        occurred_on: day,
        updated_at: at(9),
        ..refinement.clone()
    };
    assert_eq!(changed, expected);
    let found = ports.refinements.find(team, refinement.id).await.expect("a read");
    assert_eq!(found, Some((organization, Some(expected.clone()))));
    assert_eq!(ports.audit_rows().await.last(), Some(&audit_json(&audit)));

    let before = everything(&db);
    let nothing: RefinementEdit = Box::new(|_| Ok(None));
    let kept = ports.refinements.update(team, refinement.id, nothing).await.expect("answers");
    assert_eq!(kept, expected);
    let refused: RefinementEdit = Box::new(|_| Err(Refusal::Forbidden.into()));
    let refused = ports.refinements.update(team, refinement.id, refused).await.expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    let failed = edited(audit_of(UserId::new(next_id()), &refinement), |_| ());
    let failed = ports.refinements.update(team, refinement.id, failed).await;
    assert!(matches!(failed, Err(TeamError::Storage(_))), "{failed:?}");
    for (team, id) in [
        (other, refinement.id),
        (TeamId::new(next_id()), refinement.id),
        (team, RefinementId::new(next_id())),
    ] {
        let edit = edited(audit_of(staff, &refinement), |_| ());
        let unknown = ports.refinements.update(team, id, edit).await.expect_err("not there");
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
    }
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn an_unknown_or_deleted_team_takes_no_refinement() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let refinement = a_refinement(staff, organization, team, json!({}), 5);
    given(&ports, &refinement).await;
    db.execute("UPDATE teams SET deleted_at = now()");
    let before = everything(&db);
    for team in [team, TeamId::new(next_id())] {
        let new = a_refinement(staff, organization, team, json!({}), 6);
        let refused = ports.refinements.insert(new.clone(), audit_of(staff, &new)).await;
        assert_eq!(refused.expect_err("no such team").kind(), ErrorKind::NotFound);
        let edit = edited(audit_of(staff, &refinement), |_| ());
        let refused = ports.refinements.update(team, refinement.id, edit).await;
        assert_eq!(refused.expect_err("no such team").kind(), ErrorKind::NotFound);
        assert_eq!(ports.refinements.find(team, refinement.id).await.expect("a read"), None);
        assert_eq!(ports.refinements.list(team, ALL).await.expect("a read"), None);
    }
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn without_its_audit_row_a_refinement_is_not_noted() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let before = everything(&db);
    let refinement = a_refinement(staff, organization, team, json!({}), 5);
    let failed =
        ports.refinements.insert(refinement.clone(), audit_of(UserId::new(next_id()), &refinement)).await;
    assert!(matches!(failed, Err(TeamError::Storage(_))), "{failed:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn a_team_lists_its_own_the_latest_first_and_says_how_many_there_are_even_past_the_end() {
    let db = TestDatabase::create();
    let (ports, staff, organization, team) = ready(&db).await;
    let other = ports.given_team(staff, organization, "Yard").await;
    let all = [7, 5, 7, 6].map(|minutes| a_refinement(staff, organization, team, json!({}), minutes));
    let foreign = a_refinement(staff, organization, other, json!({}), 8);
    for refinement in all.iter().chain([&foreign]) {
        given(&ports, refinement).await;
    }
    let of = |indexes: &[usize]| indexes.iter().map(|index| all[*index].clone()).collect::<Vec<_>>();
    for (part, items) in
        [(ALL, of(&[2, 0, 3, 1])), (page(0, 2), of(&[2, 0])), (page(2, 2), of(&[3, 1])), (page(9, 2), vec![])]
    {
        let listed = ports.refinements.list(team, part).await.expect("a read");
        assert_eq!(listed, Some((organization, Page { items, total: 4 })));
    }
    let listed = ports.refinements.list(other, ALL).await.expect("a read");
    assert_eq!(listed, Some((organization, Page { items: vec![foreign.clone()], total: 1 })));
    assert_eq!(ports.refinements.find(team, foreign.id).await.expect("a read"), Some((organization, None)));
    let empty = ports.given_team(staff, organization, "Gate").await;
    let listed = ports.refinements.list(empty, ALL).await.expect("a read");
    assert_eq!(listed, Some((organization, Page { items: vec![], total: 0 })));
}
