//! Teams, the people on them, and those who run them.

mod common;

use common::{Answer, Person, TestApp, column, expect_by_role, keys};
use reqwest::Method;
use serde_json::{Value, json};

async fn open(app: &TestApp, person: &Person, organization: &str, body: Value) -> Answer {
    let path = format!("/organizations/{organization}/teams");
    app.call_as(person, Method::POST, &path, Some(body)).await
}

#[tokio::test]
async fn a_team_is_answered_whole_and_leaves_an_audit_row() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let answer = open(&app, admin, &cast.organization, json!({ "name": " Day   shift " })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(
        keys(&answer.json),
        [
            "admins_count",
            "created_at",
            "deleted_at",
            "external_id",
            "id",
            "memberships_count",
            "name",
            "organization_id",
            "updated_at"
        ]
    );
    for (field, expected) in [
        ("organization_id", json!(cast.organization)),
        ("name", json!("Day shift")),
        ("memberships_count", json!(0)),
        ("admins_count", json!(0)),
        ("deleted_at", Value::Null),
        ("external_id", Value::Null),
        ("updated_at", answer.json["created_at"].clone()),
    ] {
        assert_eq!(answer.json[field], expected, "{field}");
    }
    let audit = app.audit();
    let row = audit.last().expect("a row");
    for (column, expected) in [
        ("actor_id", &admin.data["id"]),
        ("organization_id", &json!(cast.organization)),
        ("action", &json!("team.create")),
        ("subject_kind", &json!("team")),
        ("subject_id", &answer.json["id"]),
        ("request_id", &answer_id(&answer)),
        ("after", &json!({ "name": "Day shift" })),
    ] {
        assert_eq!(&row[column], expected, "{column}");
    }
}

fn answer_id(answer: &Answer) -> Value {
    json!(answer.header("x-request-id"))
}

#[tokio::test]
async fn a_name_is_used_once_among_the_live_teams_of_an_organization() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let elsewhere = app.organization(&staff, "Elsewhere").await;
    let team = app.team(&staff, &organization, "Night shift").await;
    for name in ["Night shift", "NIGHT SHIFT", " night   Shift "] {
        let answer = open(&app, &staff, &organization, json!({ "name": name })).await;
        assert_eq!(answer.problem(409, "team_name_taken")["fields"], json!({ "name": ["taken"] }));
    }
    app.team(&staff, &elsewhere, "Night shift").await;
    app.database.execute(&format!("UPDATE teams SET deleted_at = now() WHERE id = '{team}'"));
    app.team(&staff, &organization, "night shift").await;
    let race = || json!({ "name": "Race" });
    let (one, other) =
        tokio::join!(open(&app, &staff, &organization, race()), open(&app, &staff, &organization, race()));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn a_name_has_one_to_a_hundred_characters() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    for (body, code) in [
        (json!({}), "blank"),
        (json!({ "name": null }), "blank"),
        (json!({ "name": "\t" }), "blank"),
        (json!({ "name": "x".repeat(101) }), "too_long"),
        (json!({ "name": "a\u{7}" }), "invalid"),
        (json!({ "name": ["a"] }), "invalid"),
    ] {
        let answer = open(&app, &staff, &organization, body).await;
        assert_eq!(answer.problem(400, "validation_failed")["fields"], json!({ "name": [code] }));
    }
    let longest = "ö".repeat(100);
    assert_eq!(open(&app, &staff, &organization, json!({ "name": longest })).await.status, 201);
    assert_eq!(app.audit().len(), 2, "the organization's and the one team's");
}

#[tokio::test]
async fn org_admins_and_staff_admins_open_teams() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let path = format!("/organizations/{}/teams", cast.organization);
    for (role, person) in &cast.people {
        let before = app.audit().len();
        let body = json!({ "name": format!("Team of {role}") });
        let answer = app.call_by(person.as_ref(), Method::POST, &path, Some(body)).await;
        let is_allowed = matches!(*role, "org admin" | "staff admin");
        match *role {
            "anonymous" => drop(answer.problem(401, "not_signed_in")),
            "outsider" | "gone" => drop(answer.problem(404, "not_found")),
            _ if is_allowed => assert_eq!(answer.status, 201, "{role}: {answer:?}"),
            _ => drop(answer.problem(403, "forbidden")),
        }
        assert_eq!(app.audit().len(), before + usize::from(is_allowed), "{role}");
    }
    let unknown = "00000000-0000-4000-8000-000000000001";
    for role in ["org admin", "staff admin"] {
        let answer = open(&app, cast.person(role), unknown, json!({ "name": "Nowhere" })).await;
        answer.problem(404, "not_found");
    }
}

#[tokio::test]
async fn each_role_may_do_with_teams_what_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let team = format!("/teams/{}", cast.team);
    let teams = format!("/organizations/{}/teams", cast.organization);
    let rename = Some(json!({ "name": "Late shift" }));
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    expect_by_role(&app, &cast, Method::GET, &team, None, [401, 404, 404, 200, 200, 200, 200, 200]).await;
    expect_by_role(&app, &cast, Method::GET, &teams, None, [401, 404, 404, 200, 200, 200, 200, 200]).await;
    let administered = format!("{teams}/administered");
    expect_by_role(&app, &cast, Method::GET, &administered, None, [401, 404, 404, 200, 200, 200, 200, 200])
        .await;
    expect_by_role(
        &app,
        &cast,
        Method::PATCH,
        &team,
        rename.clone(),
        [401, 404, 404, 403, 200, 200, 403, 200],
    )
    .await;
    expect_by_role(&app, &cast, Method::PUT, &team, rename, [401, 404, 404, 403, 200, 200, 403, 200]).await;
    expect_by_role(&app, &cast, Method::DELETE, &team, None, [401, 404, 404, 403, 403, 200, 403, 200]).await;
}

#[tokio::test]
async fn a_member_of_the_organization_who_is_not_on_the_team_may_not_see_it() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let other = app.team(cast.person("org admin"), &cast.organization, "Yard").await;
    let answer = app.call_as(cast.person("member"), Method::GET, &format!("/teams/{other}"), None).await;
    answer.problem(403, "forbidden");
}

#[tokio::test]
async fn a_team_counts_its_active_members_and_its_admins() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    app.membership(admin, &cast.organization, json!({ "team_ids": [cast.team] })).await;
    let team = app.call_as(admin, Method::GET, &format!("/teams/{}", cast.team), None).await;
    let counts = (team.json["memberships_count"].as_i64(), team.json["admins_count"].as_i64());
    assert_eq!(counts, (Some(1), Some(1)), "a pending membership does not count: {team:?}");
}

#[tokio::test]
async fn pages_of_teams_count_from_zero_and_say_where_they_are() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    for name in ["alpha", "Bravo", "charlie", "Delta"] {
        app.team(admin, &cast.organization, name).await;
    }
    let path = format!("/organizations/{}/teams", cast.organization);
    let page = app.call_as(admin, Method::GET, &format!("{path}?size=2&page=1"), None).await;
    let names: Vec<&str> =
        page.json.as_array().expect("a bare array").iter().filter_map(|team| team["name"].as_str()).collect();
    assert_eq!(names, ["charlie", "Delta"], "by name, case ignored");
    let facts = ["x-total-count", "x-page", "x-per-page"].map(|name| page.header(name));
    assert_eq!(facts, [Some("5"), Some("1"), Some("2")]);
    let link = page.header("link").expect("links");
    let to = |page: u8, relation: &str| format!("</api/v1{path}?page={page}&size=2>; rel=\"{relation}\"");
    assert_eq!(link, [to(0, "first"), to(0, "prev"), to(2, "next"), to(2, "last")].join(", "));

    let first = app.call_as(admin, Method::GET, &path, None).await;
    assert_eq!((first.header("x-page"), first.header("x-per-page")), (Some("0"), Some("25")));
    let past = app.call_as(admin, Method::GET, &format!("{path}?page=9"), None).await;
    assert_eq!((past.status, &past.json, past.header("x-total-count")), (200, &json!([]), Some("5")));
    let clamped = app.call_as(admin, Method::GET, &format!("{path}?size=5000"), None).await;
    assert_eq!(clamped.header("x-per-page"), Some("200"));
    for query in ["page=-1", "page=x", "size=0", "page=2147483648"] {
        let answer = app.call_as(admin, Method::GET, &format!("{path}?{query}"), None).await;
        answer.problem(400, "validation_failed");
    }
}

#[tokio::test]
async fn a_lead_finds_the_teams_they_run() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let path = format!("/organizations/{}/teams/administered", cast.organization);
    for (role, expected) in [("team admin", vec![&*cast.team]), ("member", vec![]), ("staff admin", vec![])] {
        let answer = app.call_as(cast.person(role), Method::GET, &path, None).await;
        let ids: Vec<&str> =
            answer.json.as_array().expect("an array").iter().filter_map(|team| team["id"].as_str()).collect();
        assert_eq!(ids, expected, "{role}");
    }
}

#[tokio::test]
async fn put_needs_a_name_and_patch_does_not() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (lead, path) = (cast.person("team admin"), format!("/teams/{}", cast.team));
    let before = app.audit().len();
    let nothing = app.call_as(lead, Method::PATCH, &path, Some(json!({}))).await;
    assert_eq!((nothing.status, nothing.json["name"].as_str()), (200, Some("Night shift")));
    assert_eq!(app.audit().len(), before, "nothing changed");
    let missing = app.call_as(lead, Method::PUT, &path, Some(json!({}))).await;
    assert_eq!(missing.problem(400, "validation_failed")["fields"], json!({ "name": ["blank"] }));
    let renamed = app.call_as(lead, Method::PUT, &path, Some(json!({ "name": "Late shift" }))).await;
    assert_eq!((renamed.status, renamed.json["name"].as_str()), (200, Some("Late shift")));
    let row = app.audit().pop().expect("a row");
    assert_eq!(
        (&row["before"], &row["after"]),
        (&json!({ "name": "Night shift" }), &json!({ "name": "Late shift" }))
    );

    app.team(cast.person("org admin"), &cast.organization, "Yard").await;
    let taken = app.call_as(lead, Method::PATCH, &path, Some(json!({ "name": "yard" }))).await;
    taken.problem(409, "team_name_taken");
    let cased = app.call_as(lead, Method::PATCH, &path, Some(json!({ "name": "LATE shift" }))).await;
    assert_eq!(cased.status, 200, "its own name in another case");
}

#[tokio::test]
async fn a_deleted_team_is_gone_but_can_be_deleted_again_for_thirty_days() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, path) = (cast.person("org admin"), format!("/teams/{}", cast.team));
    let deleted = app.call_as(admin, Method::DELETE, &path, None).await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    assert!(deleted.json["deleted_at"].is_string() && deleted.json["admins_count"] == 0, "{deleted:?}");
    let again = app.call_as(admin, Method::DELETE, &path, None).await;
    assert_eq!((again.status, &again.json), (200, &deleted.json));
    app.call_as(admin, Method::GET, &path, None).await.problem(404, "not_found");
    app.call_as(admin, Method::PATCH, &path, Some(json!({ "name": "Yard" }))).await.problem(404, "not_found");
    let actions: Vec<Value> = app.audit().iter().map(|row| row["action"].clone()).collect();
    assert_eq!(actions.iter().filter(|action| **action == "team.delete").count(), 1);
    // Its name is free again, its members are members still, and it shows in no list.
    app.team(admin, &cast.organization, "Night shift").await;
    let member = app.call_as(cast.person("member"), Method::GET, "/auth/validate_token", None).await;
    assert_eq!(member.json["data"]["memberships"][0]["team_ids"], json!([]));

    app.database
        .execute("UPDATE teams SET deleted_at = now() - interval '30 days' WHERE deleted_at IS NOT NULL");
    app.call_as(admin, Method::DELETE, &path, None).await.problem(404, "not_found");
}

#[tokio::test]
async fn admins_of_a_team_are_added_once_listed_and_removed_once() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, path) = (cast.person("org admin"), format!("/teams/{}/admins", cast.team));
    let membership = app.membership(admin, &cast.organization, json!({ "last_name": "Aaron" })).await;
    let body = json!({ "membership_id": membership["id"], "team_id": cast.team });
    let added = app.call_as(admin, Method::POST, &path, Some(body.clone())).await;
    assert_eq!(added.status, 201, "{added:?}");
    let fields = ["created_at", "first_name", "id", "last_name", "membership_id", "team_id", "user_id"];
    assert_eq!(keys(&added.json), fields);
    assert_eq!((&added.json["id"], &added.json["user_id"]), (&membership["id"], &Value::Null));
    let again = app.call_as(admin, Method::POST, &path, Some(body)).await;
    assert_eq!((again.status, &again.json), (200, &added.json));

    let list = app.call_as(cast.person("member"), Method::GET, &path, None).await;
    let names: Vec<&str> =
        list.json.as_array().expect("an array").iter().filter_map(|row| row["last_name"].as_str()).collect();
    assert_eq!((names, list.header("x-total-count")), (vec!["Aaron", "Learner"], Some("2")));

    let one = format!("{path}/{}", membership["id"].as_str().expect("an id"));
    let removed = app.call_as(admin, Method::DELETE, &one, None).await;
    assert_eq!((removed.status, &removed.json), (200, &added.json));
    app.call_as(admin, Method::DELETE, &one, None).await.problem(404, "not_found");
    let actions: Vec<Value> = app.audit().into_iter().map(|row| row["action"].clone()).collect();
    let count = |action: &str| actions.iter().filter(|known| *known == action).count();
    assert_eq!((count("team_admin.add"), count("team_admin.remove")), (1, 1));
}

#[tokio::test]
async fn a_new_admin_runs_the_team_from_the_next_request_on() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, member) = (cast.person("org admin"), cast.person("member"));
    let membership = member.data["memberships"][0]["id"].clone();
    let team = format!("/teams/{}", cast.team);
    let rename = Some(json!({ "name": "Late shift" }));
    assert_eq!(app.call_as(member, Method::PATCH, &team, rename.clone()).await.status, 403);
    let body = Some(json!({ "membership_id": membership }));
    assert_eq!(app.call_as(admin, Method::POST, &format!("{team}/admins"), body).await.status, 201);
    assert_eq!(app.call_as(member, Method::PATCH, &team, rename).await.status, 200);
}

#[tokio::test]
async fn only_memberships_of_the_organization_can_run_its_teams() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, path) = (cast.person("org admin"), format!("/teams/{}/admins", cast.team));
    let foreign = cast.person("outsider").data["memberships"][0]["id"].clone();
    let left = cast.person("gone").data["memberships"][0]["id"].clone();
    for (body, status, code) in [
        (json!({ "membership_id": foreign }), 404, "not_found"),
        (json!({ "membership_id": left }), 404, "not_found"),
        (json!({ "membership_id": "01a20942-1abb-770f-ad98-0d13bd12f950" }), 404, "not_found"),
        (json!({ "membership_id": foreign, "team_id": foreign }), 400, "validation_failed"),
        (json!({}), 400, "validation_failed"),
        (json!({ "membership_id": 5 }), 400, "validation_failed"),
    ] {
        app.call_as(admin, Method::POST, &path, Some(body)).await.problem(status, code);
    }
}

#[tokio::test]
async fn each_role_may_do_with_team_admins_what_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let path = format!("/teams/{}/admins", cast.team);
    let lead = cast.person("team admin").data["memberships"][0]["id"].clone();
    let one = format!("{path}/{}", lead.as_str().expect("an id"));
    let body = Some(json!({ "membership_id": lead }));
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    expect_by_role(&app, &cast, Method::GET, &path, None, [401, 404, 404, 200, 200, 200, 200, 200]).await;
    expect_by_role(&app, &cast, Method::POST, &path, body, [401, 404, 404, 403, 403, 200, 403, 200]).await;
    expect_by_role(&app, &cast, Method::DELETE, &one, None, [401, 404, 404, 403, 403, 200, 403, 404]).await;
}

/// The fields of a member, as the other members see them.
const NAME_FIELDS: [&str; 5] = ["first_name", "id", "last_name", "name", "organization_id"];

#[tokio::test]
async fn each_role_may_list_the_people_and_teams_as_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let team = format!("/teams/{}", cast.team);
    let teams_of = |role: &str| format!("/memberships/{}/teams", cast.person(role).membership());
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    for (path, expected) in [
        (format!("{team}/memberships"), [401, 404, 404, 200, 200, 200, 200, 200]),
        (format!("{team}/pending_memberships"), [401, 404, 404, 403, 200, 200, 200, 200]),
        (teams_of("member"), [401, 404, 404, 200, 403, 200, 200, 200]),
        (teams_of("team admin"), [401, 404, 404, 403, 200, 200, 200, 200]),
        (teams_of("gone"), [401, 404, 404, 403, 403, 200, 200, 200]),
        (teams_of("outsider"), [401, 200, 404, 404, 404, 404, 200, 200]),
    ] {
        expect_by_role(&app, &cast, Method::GET, &path, None, expected).await;
    }
    let (admin, lead) = (cast.person("org admin"), cast.person("team admin"));
    let yard = app.team(admin, &cast.organization, "Yard").await;
    let closed = app.team(admin, &cast.organization, "Closed").await;
    assert_eq!(app.call_as(admin, Method::DELETE, &format!("/teams/{closed}"), None).await.status, 200);
    for list in ["memberships", "pending_memberships"] {
        for person in [lead, cast.person("member")] {
            let other = app.call_as(person, Method::GET, &format!("/teams/{yard}/{list}"), None).await;
            other.problem(403, "forbidden");
        }
        for unknown in [&*closed, &*cast.organization, "nonsense"] {
            for role in ["org admin", "staff admin"] {
                let path = format!("/teams/{unknown}/{list}");
                app.call_as(cast.person(role), Method::GET, &path, None).await.problem(404, "not_found");
            }
        }
    }
    for unknown in [&*cast.team, "nonsense"] {
        let path = format!("/memberships/{unknown}/teams");
        app.call_as(cast.person("staff admin"), Method::GET, &path, None).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn members_of_a_team_see_names_and_those_above_see_all() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let fields = json!({
        "first_name": "Ann", "last_name": "Lee", "email": "ann@example.org", "external_id": "E-7", "job_title": "Picker",
        "hired_on": "2026-11-02", "team_ids": [cast.team]
    });
    let ann = app.member(admin, &cast.organization, "annlee", fields).await;
    let path = format!("/teams/{}/memberships", cast.team);
    let seen = app.call_as(cast.person("member"), Method::GET, &path, None).await;
    assert_eq!(seen.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(column(&seen.json, "name"), ["Demo Learner", "Ann Lee"]);
    for row in seen.json.as_array().expect("a list") {
        assert_eq!(keys(row), NAME_FIELDS);
        assert_eq!(row["organization_id"], cast.organization);
    }
    assert_eq!(seen.json[1]["id"], ann.membership());
    for private in ["ann@example.org", "E-7", "Picker", "annlee"] {
        assert!(!seen.text.contains(private), "{private} in {}", seen.text);
    }
    let mut expected = Vec::new();
    for person in [cast.person("member"), &ann] {
        let one = format!("/memberships/{}", person.membership());
        expected.push(app.call_as(admin, Method::GET, &one, None).await.json);
    }
    assert_eq!(keys(&expected[1]).len(), 22);
    for role in ["team admin", "org admin", "staff employee", "staff admin"] {
        let answer = app.call_as(cast.person(role), Method::GET, &path, None).await;
        assert_eq!(answer.json, json!(expected), "{role}");
    }
}

#[tokio::test]
async fn who_is_on_a_team_is_listed_by_last_and_first_name_as_joined_or_not() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let mut pending = Vec::new();
    for (first, last) in [("bea", "Zorn"), ("Ada", "zorn"), ("Carl", "Adler")] {
        let fields = json!({ "first_name": first, "last_name": last, "team_ids": [cast.team] });
        app.member(admin, &cast.organization, &format!("{first}-{last}"), fields.clone()).await;
        pending.push(app.membership(admin, &cast.organization, fields).await);
    }
    // On no team, and gone: in neither list.
    app.membership(admin, &cast.organization, json!({ "last_name": "Elsewhere" })).await;
    let gone = json!({ "last_name": "Gone", "team_ids": [cast.team] });
    let joined = app.member(admin, &cast.organization, "gone-joined", gone.clone()).await.membership();
    let invited =
        app.membership(admin, &cast.organization, gone).await["id"].as_str().expect("an id").to_owned();
    for id in [joined, invited] {
        let path = format!("/organizations/{}/memberships/{id}", cast.organization);
        assert_eq!(app.call_as(admin, Method::DELETE, &path, None).await.status, 200);
    }
    let lists = format!("/teams/{}", cast.team);
    let (members, waiting) = (format!("{lists}/memberships"), format!("{lists}/pending_memberships"));
    let by_name = ["Carl Adler", "Demo Learner", "Ada zorn", "bea Zorn"];
    for role in ["member", "team admin"] {
        let answer = app.call_as(cast.person(role), Method::GET, &members, None).await;
        assert_eq!(column(&answer.json, "name"), by_name, "{role}");
        assert_eq!(answer.header("x-total-count"), Some("4"), "{role}");
        let page =
            app.call_as(cast.person(role), Method::GET, &format!("{members}?size=3&page=2"), None).await;
        assert_eq!(column(&page.json, "name"), by_name[3..], "{role}");
        let facts = ["x-total-count", "x-page", "x-per-page"].map(|name| page.header(name));
        assert_eq!(facts, [Some("4"), Some("2"), Some("3")]);
    }
    let answer = app.call_as(cast.person("team admin"), Method::GET, &waiting, None).await;
    let expected = json!([pending[2], pending[1], pending[0]]);
    assert_eq!((answer.status, &answer.json), (200, &expected), "whole, with the codes");
    assert_eq!(answer.header("x-total-count"), Some("3"));
    for row in answer.json.as_array().expect("a list") {
        assert_eq!(
            (row["status"].as_str(), row["invite_code"].as_str().map(str::len)),
            (Some("pending"), Some(6))
        );
    }
    for path in [&members, &waiting] {
        let past = app.call_as(admin, Method::GET, &format!("{path}?page=9"), None).await;
        assert_eq!((past.status, &past.json), (200, &json!([])));
        let wrong = app.call_as(admin, Method::GET, &format!("{path}?page=0&size=x"), None).await;
        assert_eq!(wrong.fields(), &json!({ "page": ["invalid"], "size": ["invalid"] }));
    }
    // A code that time has ended is not handed out.
    app.database.execute("UPDATE invitations SET expires_at = now() WHERE status = 'pending'");
    let answer = app.call_as(cast.person("team admin"), Method::GET, &waiting, None).await;
    for row in answer.json.as_array().expect("a list") {
        assert_eq!((&row["invite_code"], &row["invitation"]["status"]), (&Value::Null, &json!("expired")));
    }
}

#[tokio::test]
async fn the_teams_of_a_membership_come_by_name() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let mut teams = vec![cast.team.clone()];
    for name in ["yard", "Alpha", "Closed"] {
        teams.push(app.team(admin, &cast.organization, name).await);
    }
    // One that is only run, and none that is on the list of anybody else.
    let fields = json!({ "team_ids": teams, "administered_team_ids": [teams[1]] });
    let person = app.member(admin, &cast.organization, "many-teams", fields).await;
    let run = app.team(admin, &cast.organization, "Only run").await;
    let member = format!("/organizations/{}/memberships/{}", cast.organization, person.membership());
    let body = Some(json!({ "administered_team_ids": [run] }));
    assert_eq!(app.call_as(admin, Method::PATCH, &member, body).await.status, 200);
    assert_eq!(app.call_as(admin, Method::DELETE, &format!("/teams/{}", teams[3]), None).await.status, 200);

    let path = format!("/memberships/{}/teams", person.membership());
    for reader in [&person, admin, cast.person("staff employee")] {
        let answer = app.call_as(reader, Method::GET, &path, None).await;
        assert_eq!(column(&answer.json, "name"), ["Alpha", "Night shift", "yard"], "{}", reader.uid);
        assert_eq!(answer.header("x-total-count"), Some("3"));
        let one = format!("/teams/{}", teams[2]);
        assert_eq!(answer.json[0], app.call_as(reader, Method::GET, &one, None).await.json);
    }
    let page = app.call_as(&person, Method::GET, &format!("{path}?size=1&page=2"), None).await;
    assert_eq!(column(&page.json, "name"), ["Night shift"]);
    let to = |page: u8, relation: &str| format!("</api/v1{path}?page={page}&size=1>; rel=\"{relation}\"");
    let links = [to(1, "first"), to(1, "prev"), to(3, "next"), to(3, "last")].join(", ");
    assert_eq!(page.header("link"), Some(&*links));
    let none = format!("/memberships/{}/teams", admin.membership());
    let none = app.call_as(admin, Method::GET, &none, None).await;
    assert_eq!((none.status, &none.json, none.header("x-total-count")), (200, &json!([]), Some("0")));
    let wrong = app.call_as(&person, Method::GET, &format!("{path}?page=0"), None).await;
    assert_eq!(wrong.fields(), &json!({ "page": ["invalid"] }));
}
