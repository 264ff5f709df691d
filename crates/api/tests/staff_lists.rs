//! Memberships and invitations of all organizations, in the staff area.

mod common;

use std::collections::BTreeSet;

use common::{Answer, Person, TestApp, column, expect_by_role, id_of, with};
use reqwest::Method;
use serde_json::{Value, json};

const MEMBERSHIPS: &str = "/worklete_admin/memberships";
const INVITATIONS: &str = "/worklete_admin/invitations";
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";

async fn get(app: &TestApp, person: &Person, path: &str) -> Answer {
    app.call_as(person, Method::GET, path, None).await
}

/// The ids of a list, which must be as long as it says.
async fn ids(app: &TestApp, person: &Person, path: &str) -> BTreeSet<String> {
    let answer = get(app, person, path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let ids: BTreeSet<String> = column(&answer.json, "id").into_iter().map(str::to_owned).collect();
    assert_eq!(answer.header("x-total-count"), Some(&*ids.len().to_string()), "{answer:?}");
    ids
}

/// The id of the newest invitation of a membership.
async fn invitation_of(app: &TestApp, staff: &Person, membership: &str) -> String {
    id_of(&get(app, staff, &format!("{INVITATIONS}?membership_id={membership}")).await.json[0])
}

fn set<const N: usize>(ids: [&String; N]) -> BTreeSet<String> {
    ids.into_iter().cloned().collect()
}

#[tokio::test]
async fn filters_hold_alternatives_with_commas_or_repeated_and_must_all_fit() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, employee) = (cast.person("staff admin"), cast.person("staff employee"));
    let [member, lead, admin, gone, outsider] =
        ["member", "team admin", "org admin", "gone", "outsider"].map(|role| cast.person(role).membership());
    let team = app.team(staff, &cast.organization, "Early shift").await;
    let late = id_of(&app.membership(staff, &cast.organization, json!({ "team_ids": [team] })).await);
    let (here, there) =
        (&cast.organization, get(&app, staff, &format!("{MEMBERSHIPS}/{outsider}")).await.json);
    let there = there["organization_id"].as_str().expect("an id").to_owned();
    let of_here = set([&member, &lead, &admin, &gone, &late]);
    for (query, expected) in [
        (String::new(), &of_here | &set([&outsider])),
        (format!("?organization_id={here}"), of_here.clone()),
        (format!("?organization_id={here},{there}"), &of_here | &set([&outsider])),
        (format!("?organization_id={here}&organization_id={there}"), &of_here | &set([&outsider])),
        (format!("?id={gone},{outsider}&id={late}"), set([&gone, &outsider, &late])),
        (format!("?id={gone},{outsider}&organization_id={there}"), set([&outsider])),
        (format!("?team_id={},{team}", cast.team), set([&member, &late])),
        (format!("?team_id={}&id={late},{lead}", cast.team), set([])),
        (format!("?team_id={team}&organization_id={here}&id={late}"), set([&late])),
        (format!("?id={UNKNOWN}"), set([])),
    ] {
        assert_eq!(ids(&app, employee, &format!("{MEMBERSHIPS}{query}")).await, expected, "{query}");
    }
    let page = get(&app, employee, &format!("{MEMBERSHIPS}?organization_id={here}&size=2&page=3")).await;
    assert_eq!((column(&page.json, "id").len(), page.header("x-total-count")), (1, Some("5")));
    let link = page.header("link").expect("links");
    assert!(link.contains(&format!("organization_id={here}")) && !link.contains("next"), "{link}");

    let (of_member, of_late) =
        (invitation_of(&app, staff, &member).await, invitation_of(&app, staff, &late).await);
    for (query, expected) in [
        (format!("?id={of_member},{of_late}"), set([&of_member, &of_late])),
        (format!("?id={of_member}&id={of_late}"), set([&of_member, &of_late])),
        (format!("?membership_id={member},{late}"), set([&of_member, &of_late])),
        (format!("?membership_id={member}&id={of_late}"), set([])),
        (format!("?membership_id={UNKNOWN}"), set([])),
    ] {
        assert_eq!(ids(&app, employee, &format!("{INVITATIONS}{query}")).await, expected, "{query}");
    }
    assert_eq!(ids(&app, employee, INVITATIONS).await.len(), 6);
}

#[tokio::test]
async fn a_malformed_filter_is_named_and_never_widens_the_list() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let many = [UNKNOWN; 3].join(",");
    let too_many: Vec<String> = (0..201).map(|n| format!("00000000-0000-4000-8000-{n:012}")).collect();
    for (path, names) in
        [(MEMBERSHIPS, &["organization_id", "id", "team_id"][..]), (INVITATIONS, &["id", "membership_id"])]
    {
        for name in names {
            assert_eq!(get(&app, &staff, &format!("{path}?{name}={many}")).await.json, json!([]));
            for (value, code) in [
                (String::new(), "invalid"),
                ("x".into(), "invalid"),
                (format!("{UNKNOWN},"), "invalid"),
                (format!("{UNKNOWN}&{name}="), "invalid"),
                (too_many.join(","), "too_many"),
            ] {
                let answer = get(&app, &staff, &format!("{path}?{name}={value}")).await;
                assert_eq!(answer.fields(), &json!({ *name: [code] }), "{path} {name} {value}");
            }
        }
        for unknown in ["status", "organisation_id", "q"] {
            let answer = get(&app, &staff, &format!("{path}?{unknown}=x")).await;
            assert_eq!(answer.fields(), &json!({ unknown: ["unknown"] }));
        }
        for (query, field) in [("page=0", "page"), ("size=x", "size")] {
            let answer = get(&app, &staff, &format!("{path}?{query}")).await;
            assert_eq!(answer.fields(), &json!({ field: ["invalid"] }));
        }
        for id in [UNKNOWN, "nonsense"] {
            get(&app, &staff, &format!("{path}/{id}")).await.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn staff_sees_what_the_admins_see_but_who_only_reads_gets_no_further_by_a_code() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, employee) = (cast.person("staff admin"), cast.person("staff employee"));
    for (fields, is_open) in [
        (json!({}), true),
        (json!({ "org_admin": true }), false),
        (json!({ "administered_team_ids": [cast.team] }), false),
        (json!({ "team_ids": [cast.team] }), true),
    ] {
        let made = app.membership(cast.person("org admin"), &cast.organization, fields).await;
        let hidden = with(&made, &json!({ "invite_code": null, "invitation": null }));
        let (membership, invitation) = (id_of(&made), id_of(&made["invitation"]));
        let for_reader = if is_open { &made } else { &hidden };
        for (person, expected) in [(staff, &made), (employee, for_reader)] {
            let read = get(&app, person, &format!("{MEMBERSHIPS}/{membership}")).await;
            assert_eq!((read.status, &read.json), (200, expected));
            let listed = get(&app, person, &format!("{MEMBERSHIPS}?id={membership}")).await;
            assert_eq!(listed.json, json!([expected]));
        }
        let path = format!("/organizations/{}/invitations?membership_id={membership}", cast.organization);
        let whole = get(&app, cast.person("org admin"), &path).await.json[0].take();
        assert!(whole["code"].is_string(), "{whole}");
        let hidden = with(&whole, &json!({ "code": null }));
        let for_reader = if is_open { &whole } else { &hidden };
        for (person, expected) in [(staff, &whole), (employee, for_reader)] {
            let read = get(&app, person, &format!("{INVITATIONS}/{invitation}")).await;
            assert_eq!((read.status, &read.json), (200, expected));
            let listed = get(&app, person, &format!("{INVITATIONS}?id={invitation}")).await;
            assert_eq!(listed.json, json!([expected]));
        }
    }
}

#[tokio::test]
async fn invitations_come_newest_first_and_as_they_stand_now() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, organization) = (cast.person("staff admin"), &cast.organization);
    let first = app.membership(staff, organization, json!({})).await;
    let second = app.membership(staff, organization, json!({})).await;
    let of = |made: &Value| id_of(&made["invitation"]);
    app.database.execute(&format!(
        "UPDATE invitations SET expires_at = now() - interval '1 second' WHERE id = '{}'",
        of(&first)
    ));
    let listed = get(&app, staff, &format!("{INVITATIONS}?size=2")).await;
    assert_eq!(column(&listed.json, "id"), [of(&second), of(&first)]);
    assert_eq!(column(&listed.json, "status"), ["pending", "expired"]);
    let read = get(&app, staff, &format!("{INVITATIONS}/{}", of(&first))).await;
    assert_eq!(read.json, listed.json[1]);
}

#[tokio::test]
async fn each_role_may_read_what_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let made = app.membership(cast.person("staff admin"), &cast.organization, json!({})).await;
    for path in [
        MEMBERSHIPS.to_owned(),
        format!("{MEMBERSHIPS}/{}", id_of(&made)),
        INVITATIONS.to_owned(),
        format!("{INVITATIONS}/{}", id_of(&made["invitation"])),
    ] {
        // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
        let expected = [401, 403, 403, 403, 403, 403, 200, 200];
        expect_by_role(&app, &cast, Method::GET, &path, None, expected).await;
    }
}
