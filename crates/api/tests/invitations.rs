//! Invite codes: looking one up, and joining a second organization with one.

mod common;

use common::{Answer, Person, TestApp, id_of, keys};
use reqwest::Method;
use serde_json::{Value, json};

/// Enough wrong codes for a test that tries many.
const PATIENT: (&str, &str) = ("RATE_WRONG_INVITE_CODES_PER_ADDRESS", "1000");

fn code_of(membership: &Value) -> String {
    membership["invite_code"].as_str().expect("a code").to_owned()
}

async fn preview(app: &TestApp, code: &str) -> Answer {
    app.call(Method::GET, &format!("/invitations/{code}"), None).await
}

async fn accept(app: &TestApp, person: &Person, code: &str) -> Answer {
    app.call_as(person, Method::POST, &format!("/invitations/{code}/accept"), None).await
}

#[tokio::test]
async fn a_code_shows_where_it_leads_in_any_case_and_nothing_more() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let membership = app.membership(&staff, &organization, json!({ "email": "secret@example.org" })).await;
    let code = code_of(&membership);
    let mixed: String =
        code.chars().enumerate().map(|(n, c)| if n % 2 == 0 { c.to_ascii_lowercase() } else { c }).collect();
    for typed in [code.clone(), code.to_lowercase(), mixed, format!("%20{code}%20")] {
        let answer = preview(&app, &typed).await;
        assert_eq!(answer.status, 200, "{typed}: {answer:?}");
        let expected = json!({
            "code": code, "organization_name": "Harbor", "membership_name": "Demo Learner", "status": "pending",
            "expires_at": membership["invitation"]["expires_at"], "sso_required": false
        });
        assert_eq!(answer.json, expected);
        assert!(!answer.has_session());
    }
    app.database.execute("UPDATE organizations SET sso_enforced = true WHERE name = 'Harbor'");
    assert_eq!(preview(&app, &code).await.json["sso_required"], true);
}

#[tokio::test]
async fn codes_that_cannot_be_used_are_answered_alike_to_everybody() {
    let app = TestApp::start_with(&[PATIENT]).await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let mut codes = vec![
        "ZZZZZZ".to_owned(),
        "12345".into(),
        "1234567".into(),
        "a-code".into(),
        "%00%00%00".into(),
        "%C3%A9%C3%A9%C3%A9".into(),
    ];
    for (n, spoil) in [
        "",
        "UPDATE invitations SET status = 'revoked', revoked_at = now() WHERE membership_id = ",
        "UPDATE invitations SET expires_at = now() WHERE membership_id = ",
        "UPDATE invitations SET status = 'expired', expires_at = now() WHERE membership_id = ",
        "UPDATE memberships SET status = 'deactivated', deactivated_at = now() WHERE id = ",
    ]
    .iter()
    .enumerate()
    {
        let membership = app.membership(&staff, &organization, json!({})).await;
        let code = code_of(&membership);
        if spoil.is_empty() {
            assert_eq!(app.sign_up(&format!("learner-{n}"), &code).await.status, 200);
        } else {
            app.database.execute(&format!("{spoil} '{}'", id_of(&membership)));
        }
        codes.push(code);
    }
    let without_id = |answer: &Answer| {
        let mut body = answer.problem(404, "invitation_not_usable").clone();
        body["request_id"].take();
        body
    };
    let learner = app.sign_in("learner-0").await;
    let expected = without_id(&preview(&app, "ABCDEF").await);
    for code in &codes {
        assert_eq!(without_id(&preview(&app, code).await), expected, "{code}");
        for person in [&learner, &staff] {
            let path = format!("/invitations/{code}");
            let seen = app.call_as(person, Method::GET, &path, None).await;
            assert_eq!(without_id(&seen), expected, "{code}");
            assert_eq!(without_id(&accept(&app, person, code).await), expected, "{code}");
        }
    }
    assert_eq!(app.database.rows("SELECT count(*) FROM memberships WHERE status = 'active'"), ["(1)"]);
}

#[tokio::test]
async fn who_tries_many_wrong_codes_waits_and_others_do_not() {
    let app = TestApp::start_with(&[
        ("RATE_WRONG_INVITE_CODES_PER_ADDRESS", "3"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let code = code_of(&app.membership(&staff, &organization, json!({})).await);
    let from = async |address: &str, method: Method, path: String| {
        let request = app.request(method, &path).header("x-forwarded-for", address);
        app.send(staff.sign(request)).await
    };
    for _ in 0..10 {
        let right = from("203.0.113.1", Method::GET, format!("/invitations/{code}")).await;
        assert_eq!(right.status, 200, "right codes are not counted");
    }
    for (method, path) in [
        (Method::GET, "/invitations/ZZZZZ2"),
        (Method::POST, "/invitations/ZZZZZ3/accept"),
        (Method::GET, "/invitations/ZZZZZ4"),
    ] {
        let wrong = from("203.0.113.1", method, path.to_owned()).await;
        wrong.problem(404, "invitation_not_usable");
    }
    for (method, path) in [
        (Method::GET, "/invitations/ZZZZZ5".to_owned()),
        (Method::GET, format!("/invitations/{code}")),
        (Method::POST, format!("/invitations/{code}/accept")),
    ] {
        let throttled = from("203.0.113.1", method, path).await;
        throttled.problem(429, "too_many_attempts");
        let number = |name: &str| {
            let text = throttled.header(name).unwrap_or_default();
            text.parse::<u64>().unwrap_or_else(|_| panic!("{name} of {throttled:?}"))
        };
        assert!((1..=600).contains(&number("retry-after")));
        assert_eq!((number("ratelimit-limit"), number("ratelimit-remaining")), (3, 0));
        assert_eq!(number("ratelimit-reset"), number("retry-after"));
    }
    let other = from("203.0.113.2", Method::GET, format!("/invitations/{code}")).await;
    assert_eq!(other.status, 200, "{other:?}");
}

#[tokio::test]
async fn somebody_with_an_account_joins_a_second_organization() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, person) = (cast.person("staff admin"), cast.person("outsider"));
    let invited = app
        .membership(staff, &cast.organization, json!({ "team_ids": [cast.team], "external_id": "E-7" }))
        .await;
    let code = code_of(&invited);
    let answer = accept(&app, person, &code.to_lowercase()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut expected = invited.clone();
    for (field, value) in [
        ("status", json!("active")),
        ("user_id", person.data["id"].clone()),
        ("invite_code", Value::Null),
        ("invitation", Value::Null),
        ("updated_at", answer.json["updated_at"].clone()),
        (
            "user",
            json!({
                "id": person.data["id"], "username": "outsider", "first_name": "Demo", "last_name": "Learner"
            }),
        ),
    ] {
        expected[field] = value;
    }
    assert_eq!(answer.json, expected);
    assert_eq!(keys(&answer.json), keys(&invited));
    let valid = app.call_as(person, Method::GET, "/auth/validate_token", None).await;
    let briefs = valid.json["data"]["memberships"].as_array().expect("briefs");
    assert_eq!(briefs.len(), 2);
    accept(&app, person, &code).await.problem(404, "invitation_not_usable");
    let stored = app.database.rows(&format!(
        "SELECT accepted_by = '{}' AND accepted_at IS NOT NULL FROM invitations WHERE code = '{code}' AND status = 'accepted'",
        id_of(&person.data)
    ));
    assert_eq!(stored, ["(t)"]);
}

#[tokio::test]
async fn a_member_cannot_join_again_and_the_code_stays_good() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let code = code_of(&app.membership(cast.person("staff admin"), &cast.organization, json!({})).await);
    for role in ["member", "org admin", "gone"] {
        accept(&app, cast.person(role), &code).await.problem(409, "already_member");
    }
    assert_eq!(preview(&app, &code).await.status, 200);
    assert_eq!(accept(&app, cast.person("outsider"), &code).await.status, 200);
}

#[tokio::test]
async fn accepting_takes_a_session() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let code = code_of(&app.membership(&staff, &organization, json!({})).await);
    let stranger = Person { token: "x".repeat(20), ..staff.clone() };
    for code in [code.as_str(), "ZZZZZZ"] {
        let path = format!("/invitations/{code}/accept");
        let anonymous = app.call(Method::POST, &path, None).await;
        anonymous.problem(401, "not_signed_in");
        assert!(!anonymous.has_session());
        let answer = accept(&app, &stranger, code).await;
        answer.problem(401, "not_signed_in");
    }
    assert_eq!(preview(&app, &code).await.status, 200);
}

#[tokio::test]
async fn of_two_people_who_accept_one_code_at_once_one_gets_it() {
    let app = TestApp::start_with(&[PATIENT]).await;
    let staff = app.staff("staff-admin", "admin").await;
    let home = app.organization(&staff, "Home").await;
    let one = app.member(&staff, &home, "first-racer", json!({})).await;
    let other = app.member(&staff, &home, "second-racer", json!({})).await;
    for round in 0..6 {
        let organization = app.organization(&staff, &format!("Race {round}")).await;
        let code = code_of(&app.membership(&staff, &organization, json!({})).await);
        let (mine, theirs) = tokio::join!(accept(&app, &one, &code), accept(&app, &other, &code));
        let (winner, loser) = if mine.status == 200 { (mine, theirs) } else { (theirs, mine) };
        assert_eq!(winner.status, 200, "{winner:?} {loser:?}");
        loser.problem(404, "invitation_not_usable");
    }
    let taken = "SELECT count(*) FROM memberships WHERE status = 'active' AND user_id IS NOT NULL";
    assert_eq!(app.database.rows(taken), ["(8)"]);
}

#[tokio::test]
async fn a_sign_up_and_an_acceptance_with_one_code_never_both_succeed() {
    let app = TestApp::start_with(&[PATIENT]).await;
    let staff = app.staff("staff-admin", "admin").await;
    let home = app.organization(&staff, "Home").await;
    let person = app.member(&staff, &home, "racer", json!({})).await;
    for round in 0..6 {
        let organization = app.organization(&staff, &format!("Race {round}")).await;
        let code = code_of(&app.membership(&staff, &organization, json!({})).await);
        let username = format!("newcomer-{round}");
        let (accepted, signed_up) = tokio::join!(accept(&app, &person, &code), app.sign_up(&username, &code));
        let mut statuses = [accepted.status, signed_up.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404], "{accepted:?} {signed_up:?}");
        let users = format!("SELECT count(*) FROM users WHERE username = '{username}'");
        let expected = if signed_up.status == 200 { "(1)" } else { "(0)" };
        assert_eq!(app.database.rows(&users), [expected]);
    }
}

#[tokio::test]
async fn of_two_codes_of_one_organization_a_person_gets_one() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let home = app.organization(&staff, "Home").await;
    let person = app.member(&staff, &home, "racer", json!({})).await;
    for round in 0..4 {
        let organization = app.organization(&staff, &format!("Race {round}")).await;
        let one = code_of(&app.membership(&staff, &organization, json!({})).await);
        let other = code_of(&app.membership(&staff, &organization, json!({})).await);
        let (first, second) = tokio::join!(accept(&app, &person, &one), accept(&app, &person, &other));
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{first:?} {second:?}");
    }
}
