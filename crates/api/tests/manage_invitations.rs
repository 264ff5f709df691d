//! Invitations over their whole life, as the admins of an organization manage them.

mod common;

use common::{Answer, Cast, TestApp, column, expect_by_role, id_of, keys, time, with};
use reqwest::Method;
use serde_json::{Value, json};

/// Enough wrong codes for a test that tries many.
const PATIENT: (&str, &str) = ("RATE_WRONG_INVITE_CODES_PER_ADDRESS", "1000");
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";
const VERBS: [&str; 3] = ["resend", "revoke", "reissue"];
/// In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
const ADMINS_ONLY: [u16; 8] = [401, 404, 404, 403, 403, 200, 403, 200];

fn list_path(cast: &Cast) -> String {
    format!("/organizations/{}/invitations", cast.organization)
}

fn path_of(cast: &Cast, invitation: &str, verb: &str) -> String {
    format!("{}/{invitation}/{verb}", list_path(cast))
}

async fn list(app: &TestApp, cast: &Cast, query: &str) -> Answer {
    let path = format!("{}{query}", list_path(cast));
    app.call_as(cast.person("org admin"), Method::GET, &path, None).await
}

async fn act(app: &TestApp, cast: &Cast, invitation: &str, verb: &str) -> Answer {
    app.call_as(cast.person("org admin"), Method::POST, &path_of(cast, invitation, verb), None).await
}

async fn invite(app: &TestApp, cast: &Cast, fields: Value) -> Value {
    app.membership(cast.person("org admin"), &cast.organization, fields).await
}

fn invitation_of(membership: &Value) -> String {
    id_of(&membership["invitation"])
}

fn code_of(json: &Value) -> &str {
    let code = json.get("invite_code").unwrap_or(&json["code"]);
    code.as_str().unwrap_or_else(|| panic!("no code in {json}"))
}

async fn works(app: &TestApp, code: &str) -> bool {
    let answer = app.call(Method::GET, &format!("/invitations/{code}"), None).await;
    if answer.status != 200 {
        answer.problem(404, "invitation_not_usable");
    }
    answer.status == 200
}

#[tokio::test]
async fn an_invitation_is_shown_whole_from_its_making_to_its_acceptance() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let made = invite(&app, &cast, json!({ "first_name": "Ann", "last_name": "Lee" })).await;
    let query = format!("?membership_id={}", id_of(&made));
    let listed = list(&app, &cast, &query).await;
    assert_eq!(listed.header("content-type"), Some("application/json; charset=utf-8"));
    let expected = json!({
        "id": made["invitation"]["id"], "membership_id": made["id"], "organization_id": cast.organization,
        "code": made["invite_code"], "status": "pending", "membership_name": "Ann Lee", "organization_name": "Harbor",
        "sent_to": null, "sent_at": null, "expires_at": made["invitation"]["expires_at"], "accepted_at": null,
        "accepted_by_user_id": null, "revoked_at": null, "created_at": made["created_at"]
    });
    assert_eq!((listed.status, &listed.json), (200, &json!([expected])));

    let person = app.sign_up("annlee", code_of(&made)).await.person();
    let accepted = list(&app, &cast, &query).await.json[0].take();
    let also = json!({
        "status": "accepted", "accepted_by_user_id": person.data["id"], "accepted_at": accepted["accepted_at"]
    });
    assert_eq!(accepted, with(&expected, &also));
    assert!(time(&accepted["accepted_at"]) > time(&accepted["created_at"]));
    assert!(!works(&app, code_of(&made)).await);
}

#[tokio::test]
async fn the_list_is_of_one_organization_newest_first_and_can_be_narrowed() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let mut made = Vec::new();
    for name in ["Pending", "Revoked", "Expired", "Stamped"] {
        made.push(invite(&app, &cast, json!({ "last_name": name })).await);
    }
    assert_eq!(act(&app, &cast, &invitation_of(&made[1]), "revoke").await.status, 200);
    let expire = |membership: &Value, status: &str| {
        app.database.execute(&format!(
            "UPDATE invitations SET expires_at = now(), status = '{status}' WHERE membership_id = '{}'",
            id_of(membership)
        ));
    };
    expire(&made[2], "pending");
    expire(&made[3], "expired");
    // Four of the cast have joined this organization; the fifth is elsewhere.
    for (query, names) in [
        ("", vec!["Stamped", "Expired", "Revoked", "Pending", "Learner", "Learner", "Learner", "Learner"]),
        ("?status=pending", vec!["Pending"]),
        ("?status=revoked", vec!["Revoked"]),
        ("?status=expired", vec!["Stamped", "Expired"]),
        ("?status=accepted", vec!["Learner"; 4]),
        ("?status=pending&status_of=ignored", vec!["Pending"]),
        ("?size=3", vec!["Stamped", "Expired", "Revoked"]),
        ("?size=3&page=3", vec!["Learner", "Learner"]),
        ("?size=1&page=2&status=expired", vec!["Expired"]),
        ("?page=9", vec![]),
    ] {
        let answer = list(&app, &cast, query).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        let found = column(&answer.json, "membership_name");
        let last_names: Vec<_> = found.iter().filter_map(|name| name.rsplit(' ').next()).collect();
        assert_eq!(last_names, names, "{query}");
    }
    let one = format!("?membership_id={}", id_of(&made[0]));
    assert_eq!(column(&list(&app, &cast, &one).await.json, "id"), [invitation_of(&made[0])]);
    for none in [
        format!("{one}&status=accepted"),
        format!("?membership_id={UNKNOWN}"),
        format!("?membership_id={}", cast.person("outsider").membership()),
    ] {
        let answer = list(&app, &cast, &none).await;
        assert_eq!((answer.status, &answer.json), (200, &json!([])), "{none}");
        assert_eq!(answer.header("x-total-count"), Some("0"));
    }
    for (query, fields) in [
        ("?status=gone", json!({ "status": ["invalid"] })),
        ("?status=", json!({ "status": ["invalid"] })),
        ("?membership_id=5", json!({ "membership_id": ["invalid"] })),
        ("?status=Pending&membership_id=%00", json!({ "status": ["invalid"], "membership_id": ["invalid"] })),
        ("?page=0", json!({ "page": ["invalid"] })),
        ("?page=2147483648&size=x", json!({ "page": ["invalid"], "size": ["invalid"] })),
    ] {
        assert_eq!(list(&app, &cast, query).await.fields(), &fields, "{query}");
    }
}

#[tokio::test]
async fn the_list_tells_where_it_is_and_its_links_keep_the_filters() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let answer = list(&app, &cast, "?status=accepted&size=1&page=2").await;
    let facts = ["x-total-count", "x-page", "x-per-page"].map(|name| answer.header(name));
    assert_eq!(facts, [Some("4"), Some("2"), Some("1")]);
    let path = list_path(&cast);
    let to = |page: u8, relation: &str| {
        format!("</api/v1{path}?status=accepted&page={page}&size=1>; rel=\"{relation}\"")
    };
    let links = [to(1, "first"), to(1, "prev"), to(3, "next"), to(4, "last")].join(", ");
    assert_eq!(answer.header("link"), Some(&*links));
    let all = list(&app, &cast, "").await;
    assert_eq!(all.header("x-total-count"), Some("4"));
    assert_eq!(all.json.as_array().map(Vec::len), Some(4), "everything when no page is asked for");
}

#[tokio::test]
async fn each_role_may_do_with_invitations_what_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    expect_by_role(&app, &cast, Method::GET, &list_path(&cast), None, ADMINS_ONLY).await;
    let made = invite(&app, &cast, json!({ "team_ids": [cast.team] })).await;
    let path = |verb| path_of(&cast, &invitation_of(&made), verb);
    expect_by_role(&app, &cast, Method::POST, &path("resend"), None, ADMINS_ONLY).await;
    expect_by_role(&app, &cast, Method::POST, &path("revoke"), None, ADMINS_ONLY).await;
    let made_new = ADMINS_ONLY.map(|status| if status == 200 { 201 } else { status });
    expect_by_role(&app, &cast, Method::POST, &path("reissue"), None, made_new).await;
}

#[tokio::test]
async fn resending_keeps_the_code_and_starts_its_time_anew() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let made = invite(&app, &cast, json!({})).await;
    app.database
        .execute("UPDATE invitations SET expires_at = now() + interval '1 hour' WHERE status = 'pending'");
    let before = list(&app, &cast, "?status=pending").await.json[0].take();
    let sent = act(&app, &cast, &invitation_of(&made), "resend").await;
    let moved = json!({ "expires_at": sent.json["expires_at"] });
    assert_eq!((sent.status, &sent.json), (200, &with(&before, &moved)));
    let gained = time(&sent.json["expires_at"]) - time(&before["expires_at"]);
    assert!(gained > chrono::TimeDelta::days(29), "{gained}");
    assert_eq!(list(&app, &cast, "?status=pending").await.json, json!([sent.json]));
    let membership = format!("/memberships/{}", id_of(&made));
    let membership = app.call_as(cast.person("org admin"), Method::GET, &membership, None).await;
    assert_eq!(membership.json["invitation"]["expires_at"], sent.json["expires_at"]);
    assert!(works(&app, code_of(&made)).await);
}

#[tokio::test]
async fn a_revoked_code_opens_nothing_and_revoking_again_changes_nothing() {
    let app = TestApp::start_with(&[PATIENT]).await;
    let cast = app.cast().await;
    let made = invite(&app, &cast, json!({})).await;
    let id = invitation_of(&made);
    let before = list(&app, &cast, "?status=pending").await.json[0].take();
    let revoked = act(&app, &cast, &id, "revoke").await;
    let also = json!({ "status": "revoked", "revoked_at": revoked.json["revoked_at"] });
    assert_eq!((revoked.status, &revoked.json), (200, &with(&before, &also)));
    assert!(time(&revoked.json["revoked_at"]) > time(&before["created_at"]));
    let rows = app.audit().len();
    let again = act(&app, &cast, &id, "revoke").await;
    assert_eq!((again.status, &again.json), (200, &revoked.json));
    act(&app, &cast, &id, "resend").await.problem(409, "invitation_ended");
    assert_eq!(app.audit().len(), rows);

    let code = code_of(&made);
    assert!(!works(&app, code).await);
    assert_eq!(app.sign_up("too-late", code).await.error(), (404, "invitation_not_usable"));
    let path = format!("/invitations/{code}/accept");
    let accepted = app.call_as(cast.person("outsider"), Method::POST, &path, None).await;
    accepted.problem(404, "invitation_not_usable");
    let membership = format!("/memberships/{}", id_of(&made));
    let membership = app.call_as(cast.person("org admin"), Method::GET, &membership, None).await.json;
    assert_eq!((&membership["status"], &membership["invite_code"]), (&json!("pending"), &Value::Null));
    assert_eq!(membership["invitation"]["status"], "revoked");
}

#[tokio::test]
async fn a_reissued_invitation_has_a_new_code_and_the_old_one_opens_nothing() {
    let app = TestApp::start_with(&[PATIENT]).await;
    let cast = app.cast().await;
    let made = invite(&app, &cast, json!({ "first_name": "Ann" })).await;
    let query = format!("?membership_id={}", id_of(&made));
    let before = list(&app, &cast, &query).await.json[0].take();
    let new = act(&app, &cast, &invitation_of(&made), "reissue").await;
    assert_eq!(new.status, 201, "{new:?}");
    let own = ["id", "code", "expires_at", "created_at"];
    let own: serde_json::Map<_, _> = own.iter().map(|f| ((*f).to_owned(), new.json[*f].clone())).collect();
    assert_eq!(new.json, with(&before, &Value::Object(own)), "all else is as it was");
    for field in ["id", "code"] {
        assert_ne!(new.json[field], before[field], "{field}");
    }
    let life = time(&new.json["expires_at"]) - time(&new.json["created_at"]);
    assert_eq!(life, chrono::TimeDelta::days(30));
    let listed = list(&app, &cast, &query).await;
    assert_eq!(listed.json[0], new.json);
    assert_eq!(column(&listed.json, "status"), ["pending", "revoked"]);
    assert!(listed.json[1]["revoked_at"].is_string());
    assert_eq!([works(&app, code_of(&made)).await, works(&app, code_of(&new.json)).await], [false, true]);
    assert_eq!(app.sign_up("too-late", code_of(&made)).await.error(), (404, "invitation_not_usable"));

    let membership = format!("/memberships/{}", id_of(&made));
    let membership = app.call_as(cast.person("org admin"), Method::GET, &membership, None).await.json;
    assert_eq!(membership["invite_code"], new.json["code"]);
    assert_eq!(membership["invitation"]["id"], new.json["id"]);
    let person = app.sign_up("annlee", code_of(&new.json)).await.person();
    assert_eq!(person.membership(), id_of(&made));
    // The one that was replaced never changes either, now that the person is in.
    act(&app, &cast, &invitation_of(&made), "reissue").await.problem(409, "invitation_accepted");
}

#[tokio::test]
async fn an_accepted_invitation_never_changes() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let made = invite(&app, &cast, json!({})).await;
    let person = app.sign_up("joined", code_of(&made)).await.person();
    let (before, rows) = (list(&app, &cast, "").await.json, app.audit().len());
    for verb in VERBS {
        let answer = act(&app, &cast, &invitation_of(&made), verb).await;
        answer.problem(409, "invitation_accepted");
    }
    assert_eq!((list(&app, &cast, "").await.json, app.audit().len()), (before, rows));
    assert!(app.knows(&person).await);
    let path = format!("/organizations/{}/memberships/{}", cast.organization, id_of(&made));
    assert_eq!(app.call_as(cast.person("org admin"), Method::DELETE, &path, None).await.status, 200);
    for (verb, code) in
        VERBS.into_iter().zip(["invitation_accepted", "invitation_accepted", "membership_deactivated"])
    {
        act(&app, &cast, &invitation_of(&made), verb).await.problem(409, code);
    }
}

#[tokio::test]
async fn time_ends_an_invitation_and_only_a_new_code_helps() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    for status in ["pending", "expired"] {
        let made = invite(&app, &cast, json!({})).await;
        let id = invitation_of(&made);
        app.database.execute(&format!(
            "UPDATE invitations SET expires_at = now(), status = '{status}' WHERE id = '{id}'"
        ));
        for verb in ["resend", "revoke"] {
            act(&app, &cast, &id, verb).await.problem(409, "invitation_ended");
        }
        assert!(!works(&app, code_of(&made)).await);
        let new = act(&app, &cast, &id, "reissue").await;
        assert_eq!((new.status, new.json["status"].as_str()), (201, Some("pending")), "{new:?}");
        assert!(works(&app, code_of(&new.json)).await);
    }
}

#[tokio::test]
async fn who_has_left_gets_no_new_code() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let made = invite(&app, &cast, json!({})).await;
    let path = format!("/organizations/{}/memberships/{}", cast.organization, id_of(&made));
    assert_eq!(app.call_as(cast.person("org admin"), Method::DELETE, &path, None).await.status, 200);
    let id = invitation_of(&made);
    act(&app, &cast, &id, "reissue").await.problem(409, "membership_deactivated");
    act(&app, &cast, &id, "resend").await.problem(409, "invitation_ended");
    let revoked = act(&app, &cast, &id, "revoke").await;
    assert_eq!((revoked.status, revoked.json["status"].as_str()), (200, Some("revoked")), "it is so already");
}

#[tokio::test]
async fn an_invitation_is_found_under_its_own_organization_only() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (staff, outsider) = (cast.person("staff admin"), cast.person("outsider"));
    let elsewhere = outsider.data["memberships"][0]["organization_id"].as_str().expect("an id");
    let foreign = app.membership(staff, elsewhere, json!({})).await;
    let rows = app.audit().len();
    for verb in VERBS {
        for (role, path) in [
            ("org admin", path_of(&cast, &invitation_of(&foreign), verb)),
            ("staff admin", path_of(&cast, &invitation_of(&foreign), verb)),
            ("outsider", path_of(&cast, &invitation_of(&foreign), verb)),
            (
                "org admin",
                format!("/organizations/{elsewhere}/invitations/{}/{verb}", invitation_of(&foreign)),
            ),
            ("org admin", path_of(&cast, UNKNOWN, verb)),
            ("org admin", path_of(&cast, "nonsense", verb)),
            ("staff admin", format!("/organizations/{UNKNOWN}/invitations/{UNKNOWN}/{verb}")),
        ] {
            let answer = app.call_as(cast.person(role), Method::POST, &path, None).await;
            answer.problem(404, "not_found");
        }
    }
    for (role, organization) in
        [("org admin", elsewhere), ("staff admin", UNKNOWN), ("staff admin", "nonsense")]
    {
        let path = format!("/organizations/{organization}/invitations");
        app.call_as(cast.person(role), Method::GET, &path, None).await.problem(404, "not_found");
    }
    assert!(works(&app, code_of(&foreign)).await);
    assert_eq!(app.audit().len(), rows);
}

#[tokio::test]
async fn mails_for_one_membership_are_limited_and_no_other_one_waits() {
    let app = TestApp::start_with(&[("RATE_INVITATION_MAILS_PER_MEMBERSHIP", "1")]).await;
    let cast = app.cast().await;
    let made = invite(&app, &cast, json!({})).await;
    let other = invite(&app, &cast, json!({})).await;
    let id = invitation_of(&made);
    let sent = act(&app, &cast, &id, "resend").await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let rows = app.audit().len();
    for verb in ["resend", "reissue", "resend"] {
        let answer = act(&app, &cast, &id, verb).await;
        answer.problem(429, "too_many_attempts");
        let number = |name: &str| {
            let text = answer.header(name).unwrap_or_default();
            text.parse::<u64>().unwrap_or_else(|_| panic!("{name} of {answer:?}"))
        };
        assert!((1..=600).contains(&number("retry-after")), "{answer:?}");
        assert_eq!((number("ratelimit-limit"), number("ratelimit-remaining")), (1, 0));
        assert_eq!(number("ratelimit-reset"), number("retry-after"));
    }
    assert_eq!(app.audit().len(), rows);
    let listed = list(&app, &cast, &format!("?membership_id={}", id_of(&made))).await;
    assert_eq!(listed.json, json!([sent.json]), "nothing of it happened");
    assert_eq!(act(&app, &cast, &invitation_of(&other), "reissue").await.status, 201);
    assert_eq!(act(&app, &cast, &id, "revoke").await.status, 200, "no mail goes out for that");
}

#[tokio::test]
async fn a_code_is_mailed_whenever_it_is_new_or_resent_to_who_has_an_address() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let silent = invite(&app, &cast, json!({})).await;
    let fields = json!({ "email": "Ann@Example.org", "external_id": "E-7" });
    let made = invite(&app, &cast, fields).await;
    let (id, path) = (invitation_of(&made), format!("{}?membership_id={}", list_path(&cast), id_of(&made)));
    let holds = |mails: &[String], code: &str| mails.iter().filter(|mail| mail.contains(code)).count();
    // Waits for the mail to be noted, and checks that it is the one to this address with this code.
    let mailed = async |number: usize, address: &str, code: &str| {
        let mails = app.mails_after(number).await;
        assert_eq!((mails.len(), holds(&mails, code) > 0), (number, true), "{code} in {mails:#?}");
        let to = format!("To: {address}");
        assert!(mails.iter().any(|mail| mail.contains(&to) && mail.contains(code)), "{mails:#?}");
        app.until(admin, &path, |answer| answer.json[0]["sent_to"] == address).await.json[0].take()
    };
    let first = mailed(1, "ann@example.org", code_of(&made)).await;
    assert_eq!(first["id"], id);
    assert!(time(&first["sent_at"]) > time(&first["created_at"]), "{first}");
    let mail = app.mails().pop().expect("a mail");
    assert!(mail.contains("Harbor") && mail.contains("Subject: Your invitation to Worklete"), "{mail}");

    assert_eq!(act(&app, &cast, &invitation_of(&silent), "resend").await.status, 200);
    assert_eq!(act(&app, &cast, &id, "resend").await.status, 200);
    app.mails_after(2).await;
    let is_later = |answer: &Answer| time(&answer.json[0]["sent_at"]) > time(&first["sent_at"]);
    app.until(admin, &path, is_later).await;
    assert_eq!(holds(&app.mails(), code_of(&made)), 2, "the same code again");

    let new = act(&app, &cast, &id, "reissue").await.json;
    assert_eq!((&new["sent_to"], &new["sent_at"]), (&Value::Null, &Value::Null), "not yet");
    mailed(3, "ann@example.org", code_of(&new)).await;

    let membership = format!("/organizations/{}/memberships/{}", cast.organization, id_of(&made));
    let end = async || {
        let answer = app.call_as(admin, Method::DELETE, &membership, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    end().await;
    let body = json!({ "status": "active", "email": "ann.lee@example.org" });
    let back = app.call_as(admin, Method::PATCH, &membership, Some(body)).await.json;
    mailed(4, "ann.lee@example.org", code_of(&back)).await;
    end().await;
    let roster = format!("/organizations/{}/memberships", cast.organization);
    let body =
        json!({ "first_name": "Ann", "last_name": "Lee", "external_id": "E-7", "email": "al@example.org" });
    let again = app.call_as(admin, Method::POST, &roster, Some(body)).await;
    assert_eq!(again.status, 200, "{again:?}");
    mailed(5, "al@example.org", code_of(&again.json)).await;

    let silent = list(&app, &cast, &format!("?membership_id={}", id_of(&silent))).await.json[0].take();
    assert_eq!((&silent["sent_to"], &silent["sent_at"]), (&Value::Null, &Value::Null));
    assert_eq!(holds(&app.mails(), code_of(&silent)), 0);
}

#[tokio::test]
async fn a_mail_goes_to_the_address_that_the_roster_has_now() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let made = invite(&app, &cast, json!({ "email": "old@example.org" })).await;
    let id = invitation_of(&made);
    let membership = format!("/organizations/{}/memberships/{}", cast.organization, id_of(&made));
    let path = format!("{}?membership_id={}", list_path(&cast), id_of(&made));
    let address = async |email: Value| {
        let answer = app.call_as(admin, Method::PATCH, &membership, Some(json!({ "email": email }))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    app.until(admin, &path, |answer| answer.json[0]["sent_to"] == "old@example.org").await;
    address(json!("new@example.org")).await;
    assert_eq!(act(&app, &cast, &id, "resend").await.status, 200);
    app.until(admin, &path, |answer| answer.json[0]["sent_to"] == "new@example.org").await;
    address(Value::Null).await;
    assert_eq!(act(&app, &cast, &id, "resend").await.status, 200, "the code is good without a mail");
    address(json!("last@example.org")).await;
    assert_eq!(act(&app, &cast, &id, "resend").await.status, 200);
    app.until(admin, &path, |answer| answer.json[0]["sent_to"] == "last@example.org").await;
    let mails = app.mails();
    for address in ["old@example.org", "new@example.org", "last@example.org"] {
        let to = format!("To: {address}");
        assert!(mails.iter().any(|mail| mail.contains(&to)), "{address} in {mails:#?}");
    }
    // The one between went nowhere, unless it was so late that it met the last address.
    assert!((3..=4).contains(&mails.len()), "{mails:#?}");
}

#[tokio::test]
async fn who_has_an_account_comes_back_without_a_mail() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let made = invite(&app, &cast, json!({ "email": "ann@example.org" })).await;
    // Before the code is taken: an invitation that is accepted by then is not mailed any more.
    app.mails_after(1).await;
    assert_eq!(app.sign_up("returner", code_of(&made)).await.status, 200);
    let membership = format!("/organizations/{}/memberships/{}", cast.organization, id_of(&made));
    assert_eq!(app.call_as(admin, Method::DELETE, &membership, None).await.status, 200);
    let body = Some(json!({ "status": "active" }));
    let back = app.call_as(admin, Method::PATCH, &membership, body).await;
    assert_eq!((back.json["status"].as_str(), &back.json["invite_code"]), (Some("active"), &Value::Null));
    // Another one's mail, asked for after that, is there: so would be theirs.
    invite(&app, &cast, json!({ "email": "other@example.org" })).await;
    let mails = app.mails_after(2).await;
    assert_eq!(mails.iter().filter(|mail| mail.contains("To: ann@example.org")).count(), 1, "{mails:#?}");
}

#[tokio::test]
async fn a_mail_that_cannot_be_sent_spoils_nothing() {
    let app = TestApp::start_with(&[("MAIL_FOLDER", "/dev/null/mail")]).await;
    let cast = app.cast().await;
    let made = invite(&app, &cast, json!({ "email": "ann@example.org" })).await;
    let sent = act(&app, &cast, &invitation_of(&made), "resend").await;
    assert_eq!((sent.status, &sent.json["sent_at"]), (200, &Value::Null), "{sent:?}");
    assert_eq!(app.sign_up("annlee", code_of(&made)).await.status, 200);
    let listed = list(&app, &cast, &format!("?membership_id={}", id_of(&made))).await;
    assert_eq!((&listed.json[0]["sent_to"], &listed.json[0]["sent_at"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn the_trail_tells_who_did_what_to_which_invitation_without_codes() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let made = invite(&app, &cast, json!({ "first_name": "Ottilie", "email": "ottilie@example.org" })).await;
    let id = invitation_of(&made);
    let start = app.audit().len();
    let mut codes = vec![code_of(&made).to_owned()];
    let mut subjects = Vec::new();
    for (verb, request_id) in [("resend", "audit-me-4"), ("reissue", "audit-me-5"), ("revoke", "audit-me-6")]
    {
        let target = subjects.last().unwrap_or(&id).clone();
        let request = admin.sign(app.request(Method::POST, &path_of(&cast, &target, verb)));
        let answer = app.send(request.header("x-request-id", request_id)).await;
        codes.push(code_of(&answer.json).to_owned());
        subjects.push(id_of(&answer.json));
    }
    let rows = app.audit().split_off(start);
    let actions = ["invitation.resend", "invitation.reissue", "invitation.revoke"];
    assert_eq!(column(&json!(rows), "action"), actions);
    assert_eq!(column(&json!(rows), "subject_id"), subjects.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(column(&json!(rows), "request_id"), ["audit-me-4", "audit-me-5", "audit-me-6"]);
    for row in &rows {
        assert_eq!(row["actor_id"], admin.data["id"]);
        assert_eq!(
            (&row["organization_id"], &row["subject_kind"]),
            (&json!(cast.organization), &json!("invitation"))
        );
        assert_eq!(keys(row), keys(&rows[0]));
    }
    let trail = json!(app.audit()).to_string();
    for secret in codes.iter().map(String::as_str).chain(["Ottilie", "ottilie@"]) {
        assert!(!trail.contains(secret), "{secret} in {trail}");
    }
}

#[tokio::test]
async fn of_two_new_codes_made_at_once_one_works() {
    let app = TestApp::start_with(&[PATIENT]).await;
    let cast = app.cast().await;
    for _ in 0..4 {
        let made = invite(&app, &cast, json!({})).await;
        let id = invitation_of(&made);
        let (one, other) = tokio::join!(act(&app, &cast, &id, "reissue"), act(&app, &cast, &id, "reissue"));
        assert_eq!((one.status, other.status), (201, 201), "{one:?} {other:?}");
        let mut good = 0;
        for code in [code_of(&made), code_of(&one.json), code_of(&other.json)] {
            good += u8::from(works(&app, code).await);
        }
        assert_eq!(good, 1);
    }
}

#[tokio::test]
async fn a_sign_up_and_a_new_code_at_once_never_both_count() {
    let app = TestApp::start_with(&[PATIENT]).await;
    let cast = app.cast().await;
    for (round, verb) in
        ["reissue", "revoke", "reissue", "revoke", "reissue", "revoke"].into_iter().enumerate()
    {
        let made = invite(&app, &cast, json!({})).await;
        let id = invitation_of(&made);
        let username = format!("racer-{round}");
        let (changed, joined) =
            tokio::join!(act(&app, &cast, &id, verb), app.sign_up(&username, code_of(&made)));
        if joined.status == 200 {
            changed.problem(409, "invitation_accepted");
        } else {
            assert_eq!(joined.error(), (404, "invitation_not_usable"));
            assert_eq!(changed.status, if verb == "reissue" { 201 } else { 200 }, "{changed:?}");
        }
    }
}

#[tokio::test]
async fn nobody_reads_a_code_that_would_make_them_more_than_they_are() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let plain = app.membership(admin, &cast.organization, json!({ "team_ids": [cast.team] })).await;
    let boss = json!({ "team_ids": [cast.team], "org_admin": true });
    let boss = app.membership(admin, &cast.organization, boss).await;
    let lead = json!({ "team_ids": [cast.team], "administered_team_ids": [cast.team] });
    let lead = app.membership(admin, &cast.organization, lead).await;
    for (reader, sees_all) in
        [("team admin", false), ("staff employee", false), ("org admin", true), ("staff admin", true)]
    {
        let person = cast.person(reader);
        let path = format!("/teams/{}/pending_memberships", cast.team);
        let list = app.call_as(person, Method::GET, &path, None).await;
        for (membership, shows) in [(&plain, true), (&boss, sees_all), (&lead, sees_all)] {
            let path = format!("/memberships/{}", id_of(membership));
            let single = app.call_as(person, Method::GET, &path, None).await.json;
            let all = list.json.as_array().expect("an array");
            let listed = all.iter().find(|row| row["id"] == membership["id"]).expect("in the list");
            for seen in [&single, listed] {
                let shown = (seen["invite_code"].is_string(), seen["invitation"].is_object());
                assert_eq!(shown, (shows, shows), "{reader}: {seen}");
            }
        }
    }
}
