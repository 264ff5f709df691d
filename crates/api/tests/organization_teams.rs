//! Teams with their people, in the staff area.

mod common;

use common::{Answer, Cast, Person, TestApp, column, expect_by_role, id_of, with};
use reqwest::Method;
use serde_json::{Value, json};

fn teams(organization: &str) -> String {
    format!("/worklete_admin/organizations/{organization}/teams")
}

async fn open(app: &TestApp, person: &Person, organization: &str, body: Value) -> Answer {
    app.call_as(person, Method::POST, &teams(organization), Some(body)).await
}

async fn change(app: &TestApp, person: &Person, cast: &Cast, body: Value) -> Answer {
    let path = format!("{}/{}", teams(&cast.organization), cast.team);
    app.call_as(person, Method::PATCH, &path, Some(body)).await
}

/// The ids of the memberships on the cast's team and of those who run it.
async fn people(app: &TestApp, cast: &Cast) -> [Vec<String>; 2] {
    let staff = cast.person("staff admin");
    let mut lists = Vec::new();
    for (list, field) in [("memberships", "id"), ("pending_memberships", "id"), ("admins", "membership_id")] {
        let path = format!("/teams/{}/{list}", cast.team);
        let answer = app.call_as(staff, Method::GET, &path, None).await;
        lists.push(column(&answer.json, field).into_iter().map(str::to_owned).collect::<Vec<_>>());
    }
    let [mut members, pending, mut admins]: [Vec<String>; 3] = lists.try_into().expect("three");
    members.extend(pending);
    members.sort_unstable();
    admins.sort_unstable();
    [members, admins]
}

fn sorted<const N: usize>(mut ids: [String; N]) -> Vec<String> {
    ids.sort_unstable();
    ids.to_vec()
}

#[tokio::test]
async fn staff_lists_and_reads_the_teams_of_an_organization() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, employee) = (cast.person("staff admin"), cast.person("staff employee"));
    let path = teams(&cast.organization);
    for name in ["bravo", "Alpha"] {
        app.team(staff, &cast.organization, name).await;
    }
    let all = app.call_as(employee, Method::GET, &path, None).await;
    assert_eq!(column(&all.json, "name"), ["Alpha", "bravo", "Night shift"]);
    assert_eq!(all.header("x-total-count"), Some("3"));
    let page = app.call_as(employee, Method::GET, &format!("{path}?page=2&size=2"), None).await;
    assert_eq!(column(&page.json, "name"), ["Night shift"], "pages count from 1");
    app.call_as(employee, Method::GET, &format!("{path}?page=0"), None)
        .await
        .problem(400, "validation_failed");
    let unknown = app.call_as(employee, Method::GET, &format!("{path}?name=bravo"), None).await;
    assert_eq!(unknown.fields(), &json!({ "name": ["unknown"] }));
    let team = app.call_as(employee, Method::GET, &format!("{path}/{}", cast.team), None).await;
    assert_eq!((team.status, &team.json), (200, &all.json[2]));
    assert_eq!((&team.json["memberships_count"], &team.json["admins_count"]), (&json!(1), &json!(1)));

    let elsewhere = app.organization(staff, "Port").await;
    for path in [
        teams("00000000-0000-4000-8000-000000000001"),
        format!("{path}/nonsense"),
        format!("{path}/00000000-0000-4000-8000-000000000001"),
        format!("{}/{}", teams(&elsewhere), cast.team),
    ] {
        app.call_as(staff, Method::GET, &path, None).await.problem(404, "not_found");
    }
    app.call_as(staff, Method::DELETE, &format!("/teams/{}", cast.team), None).await;
    let deleted = app.call_as(staff, Method::GET, &format!("{path}/{}", cast.team), None).await;
    deleted.problem(404, "not_found");
    change(&app, staff, &cast, json!({})).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_team_is_opened_with_its_people_wrapped_or_bare() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let staff = cast.person("staff admin");
    let (member, lead) = (cast.person("member").membership(), cast.person("team admin").membership());
    let pending = id_of(&app.membership(staff, &cast.organization, json!({})).await);
    let fields = json!({
        "name": " Day   shift ", "external_id": " T-12 ", "membership_ids": [member, pending, member],
        "admin_membership_ids": [lead]
    });
    let made = open(&app, staff, &cast.organization, json!({ "data": fields })).await;
    assert_eq!(made.status, 201, "{made:?}");
    for (field, expected) in [
        ("name", json!("Day shift")),
        ("external_id", json!("T-12")),
        ("memberships_count", json!(1)),
        ("admins_count", json!(1)),
        ("organization_id", json!(cast.organization)),
    ] {
        assert_eq!(made.json[field], expected, "{field}");
    }
    let row = app.audit().pop().expect("a row");
    let mut told = row["after"].clone();
    let ids = told["membership_ids"].as_array_mut().expect("a list");
    ids.sort_by_key(Value::to_string);
    assert_eq!(told["membership_ids"], json!(sorted([member.clone(), pending])));
    assert_eq!((&row["action"], &told["admin_membership_ids"]), (&json!("team.create"), &json!([lead])));
    let bare = json!({ "name": "Early shift", "external_id": null });
    let bare = open(&app, staff, &cast.organization, bare).await;
    assert_eq!((bare.status, &bare.json["external_id"]), (201, &Value::Null));

    // The member is on the new team from the next request on.
    let path = format!("/teams/{}", id_of(&made.json));
    assert_eq!(app.call_as(cast.person("member"), Method::GET, &path, None).await.status, 200);
}

#[tokio::test]
async fn lists_replace_as_a_whole_and_absent_fields_stay() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let staff = cast.person("staff admin");
    let (member, lead) = (cast.person("member").membership(), cast.person("team admin").membership());
    let admin = cast.person("org admin").membership();
    let none: Vec<String> = vec![];
    let mut expected = [vec![member.clone()], vec![lead.clone()]];
    assert_eq!(people(&app, &cast).await, expected);
    for (body, on_team, runs_it) in [
        (json!({ "membership_ids": [member, admin] }), Some(sorted([member.clone(), admin.clone()])), None),
        (json!({ "data": { "admin_membership_ids": [admin] } }), None, Some(vec![admin.clone()])),
        (json!({ "name": "Late shift", "external_id": "T-9" }), None, None),
        (
            json!({ "data": { "membership_ids": [lead], "admin_membership_ids": [] } }),
            Some(vec![lead.clone()]),
            Some(none.clone()),
        ),
        (json!({ "membership_ids": [], "external_id": null }), Some(none), None),
        (json!({ "membership_ids": [member] }), Some(vec![member.clone()]), None),
    ] {
        let [on_before, runs_before] = expected;
        expected = [on_team.unwrap_or(on_before), runs_it.unwrap_or(runs_before)];
        for is_new in [true, false] {
            let rows = app.audit().len();
            let answer = change(&app, staff, &cast, body.clone()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.json["memberships_count"], expected[0].len());
            assert_eq!(answer.json["admins_count"], expected[1].len());
            assert_eq!(people(&app, &cast).await, expected);
            assert_eq!(app.audit().len(), rows + usize::from(is_new), "the second time nothing changes");
        }
    }
    let row = app.audit().pop().expect("a row");
    assert_eq!((&row["action"], &row["subject_id"]), (&json!("team.update"), &json!(cast.team)));
    assert_eq!(
        (&row["before"], &row["after"]),
        (&json!({ "membership_ids": [] }), &json!({ "membership_ids": [member] }))
    );
}

#[tokio::test]
async fn what_is_wrong_is_told_field_by_field_and_nothing_is_written() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let staff = cast.person("staff admin");
    let taken = json!({ "name": "Day shift", "external_id": "T-1" });
    assert_eq!(open(&app, staff, &cast.organization, taken).await.status, 201);
    let (gone, foreign) = (cast.person("gone").membership(), cast.person("outsider").membership());
    let unknown = "00000000-0000-4000-8000-000000000001";
    let rows = app.audit().len();
    let many = vec![unknown; 1001];
    for (fields, expected) in [
        (json!({ "name": " " }), json!({ "name": ["blank"] })),
        (json!({ "name": "x".repeat(101) }), json!({ "name": ["too_long"] })),
        (json!({ "name": "A", "external_id": " " }), json!({ "external_id": ["blank"] })),
        (json!({ "name": "A", "external_id": "x".repeat(101) }), json!({ "external_id": ["too_long"] })),
        (json!({ "name": "A", "membership_ids": "all" }), json!({ "membership_ids": ["invalid"] })),
        (json!({ "name": "A", "membership_ids": many }), json!({ "membership_ids": ["too_many"] })),
        (
            json!({ "name": "A", "admin_membership_ids": ["x"] }),
            json!({ "admin_membership_ids[0]": ["invalid"] }),
        ),
        (
            json!({ "name": "A", "membership_ids": [gone, unknown], "admin_membership_ids": [foreign] }),
            json!({ "membership_ids": ["unknown"], "admin_membership_ids": ["unknown"] }),
        ),
    ] {
        for body in [fields.clone(), json!({ "data": fields })] {
            let opened = open(&app, staff, &cast.organization, body.clone()).await;
            assert_eq!(opened.fields(), &expected, "{opened:?}");
            let changed = change(&app, staff, &cast, body).await;
            assert_eq!(changed.fields(), &expected, "{changed:?}");
        }
    }
    let named = change(&app, staff, &cast, json!({ "membership_ids": [gone, foreign] })).await;
    let text = named.json["errors"][0].as_str().expect("a text");
    assert!(text.contains(&gone) && text.contains(&foreign), "{text}");
    for (fields, expected) in [
        (json!({ "name": null }), json!({ "name": ["blank"] })),
        (json!({ "membership_ids": null }), json!({ "membership_ids": ["blank"] })),
        (json!({ "admin_membership_ids": null }), json!({ "admin_membership_ids": ["blank"] })),
    ] {
        assert_eq!(change(&app, staff, &cast, fields).await.fields(), &expected);
    }
    assert_eq!(
        open(&app, staff, &cast.organization, json!({})).await.fields(),
        &json!({ "name": ["blank"] })
    );
    for (fields, code, field) in [
        (json!({ "name": "DAY shift" }), "team_name_taken", "name"),
        (json!({ "name": "A", "external_id": "T-1" }), "external_id_taken", "external_id"),
    ] {
        for answer in [
            open(&app, staff, &cast.organization, fields.clone()).await,
            change(&app, staff, &cast, fields.clone()).await,
        ] {
            assert_eq!(answer.problem(409, code)["fields"], json!({ field: ["taken"] }));
        }
    }
    assert_eq!(app.audit().len(), rows);
    let own = [vec![cast.person("member").membership()], vec![cast.person("team admin").membership()]];
    assert_eq!(people(&app, &cast).await, own);
}

#[tokio::test]
async fn each_role_may_do_in_the_staff_area_what_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let path = teams(&cast.organization);
    let team = format!("{path}/{}", cast.team);
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    let reads = [401, 403, 403, 403, 403, 403, 200, 200];
    expect_by_role(&app, &cast, Method::GET, &path, None, reads).await;
    expect_by_role(&app, &cast, Method::GET, &team, None, reads).await;
    let rows = app.audit().len();
    let body = || Some(json!({ "name": "Brand-new" }));
    expect_by_role(&app, &cast, Method::POST, &path, body(), [401, 403, 403, 403, 403, 403, 403, 201]).await;
    let body = Some(with(&json!({ "name": "Renamed" }), &json!({ "membership_ids": [] })));
    expect_by_role(&app, &cast, Method::PATCH, &team, body, [401, 403, 403, 403, 403, 403, 403, 200]).await;
    assert_eq!(app.audit().len(), rows + 2);
}
