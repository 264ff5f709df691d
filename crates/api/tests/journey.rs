//! From an empty installation to a person who learns: the way every customer takes.

mod common;

use common::{TestApp, id_of};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn staff_opens_an_organization_and_a_person_joins_it_by_code() {
    let app = TestApp::start().await;
    let staff = app.staff("first-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let membership = app.membership(&staff, &organization, json!({ "external_id": "E-1" })).await;
    assert_eq!((membership["status"].as_str(), membership["user_id"].is_null()), (Some("pending"), true));
    let code = membership["invite_code"].as_str().expect("a code");

    let preview = app.call(Method::GET, &format!("/invitations/{}", code.to_lowercase()), None).await;
    assert_eq!(preview.json["organization_name"], "Harbor");

    let person = app.sign_up("newcomer", code).await.person();
    let both = [("first-admin", &staff), ("newcomer", &person)];
    for (username, session) in both {
        let valid = app.call_as(session, Method::GET, "/auth/validate_token", None).await;
        assert_eq!((valid.status, valid.json["data"]["username"].as_str()), (200, Some(username)));
    }
    let valid = app.call_as(&person, Method::GET, "/auth/validate_token", None).await;
    let brief = &valid.json["data"]["memberships"][0];
    assert_eq!(brief["id"].as_str(), Some(id_of(&membership).as_str()));
    assert_eq!(
        (brief["organization_id"].as_str(), brief["status"].as_str()),
        (Some(&*organization), Some("active"))
    );
    assert_eq!(app.call(Method::GET, &format!("/invitations/{code}"), None).await.status, 404);
}
