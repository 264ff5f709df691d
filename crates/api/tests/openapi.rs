//! The committed document is the one the handlers make, and it is whole.

mod common;

use std::collections::BTreeSet;

use common::TestApp;
use reqwest::Method;
use serde_json::Value;

fn document() -> Value {
    serde_json::to_value(api::openapi::document()).expect("JSON")
}

/// Every operation of the document as (method, path, operation).
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let item = item.as_object().expect("an item");
            item.iter()
                .map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
        })
        .collect()
}

fn is_anonymous(operation: &Value) -> bool {
    operation["security"].as_array().is_some_and(Vec::is_empty)
}

#[test]
fn the_committed_document_is_the_one_that_the_handlers_make() {
    let committed = include_str!("../../../docs/openapi.json");
    let made = api::openapi::render(&api::openapi::document());
    assert!(committed == made, "regenerate it: cargo run -p api -- openapi > docs/openapi.json");
}

/// The operations that come with later parts, by their number. It only ever gets shorter.
const TO_COME: [std::ops::RangeInclusive<u32>; 4] = [7..=7, 11..=11, 55..=55, 64..=64];

#[test]
fn every_documented_operation_is_there_or_still_to_come() {
    let known: Vec<Value> = serde_json::from_str(include_str!("data/operations.json")).expect("JSON");
    assert_eq!(known.len(), 80);
    let document = document();
    let there: BTreeSet<(String, String)> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    for operation in known {
        let number = u32::try_from(operation["n"].as_u64().expect("a number")).expect("small");
        let method = operation["method"].as_str().expect("a method").to_owned();
        let path = format!("/api/v1{}", operation["path"].as_str().expect("a path"));
        let is_there = there.contains(&(method.clone(), path.clone()));
        let is_to_come = TO_COME.iter().any(|range| range.contains(&number));
        assert_eq!(is_there, !is_to_come, "#{number} {method} {path}");
        if is_there {
            let made = &document["paths"][&path][method.to_lowercase()];
            assert_eq!(is_anonymous(made), operation["anonymous"] == true, "#{number}: anonymous or not");
            for status in operation["success"].as_array().expect("statuses") {
                assert!(made["responses"][status.to_string()].is_object(), "#{number} answers {status}");
            }
        }
    }
}

/// The operations that need no session. Reviewed: each has a reason to be open.
const ANONYMOUS: [&str; 12] = [
    "GET /api/v1/auth/password/edit",
    "GET /api/v1/auth/usernames/{username}",
    "GET /api/v1/invitations/{code}",
    "GET /docs",
    "GET /healthz",
    "GET /metrics",
    "GET /openapi.json",
    "GET /readyz",
    "POST /api/v1/auth",
    "POST /api/v1/auth/password",
    "POST /api/v1/auth/sign_in",
    "POST /api/v1/storage/events",
];

#[test]
fn only_the_listed_operations_are_anonymous() {
    let open: BTreeSet<String> = operations(&document())
        .into_iter()
        .filter(|(_, _, operation)| is_anonymous(operation))
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    let listed: BTreeSet<String> = ANONYMOUS.iter().map(|&line| line.into()).collect();
    assert_eq!(open, listed);
}

/// A path with something in the place of each parameter.
fn filled(path: &str) -> String {
    let part = |part: &str| {
        let filling = match part {
            "{username}" => "workleteuser",
            "{code}" => "289BZP",
            _ if part.starts_with('{') => "01a20942-1abb-770f-ad98-0d13bd12f950",
            _ => return part.to_owned(),
        };
        filling.to_owned()
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_operation_is_routed_and_wants_a_session_unless_it_is_anonymous() {
    let app = TestApp::start().await;
    for (method, path, operation) in operations(&document()) {
        let url = format!("{}{}", app.origin, filled(&path));
        let method = method.parse::<Method>().expect("a method");
        let answer = app.send(app.client.request(method.clone(), url)).await;
        let code = answer.json["code"].as_str().unwrap_or_default();
        assert!(
            !matches!(code, "not_found" | "method_not_allowed"),
            "{method} {path} is not routed: {answer:?}"
        );
        if !is_anonymous(&operation) {
            // Client libraries expect 404 on a few routes.
            let hides = matches!(&*path, "/api/v1/auth" | "/api/v1/auth/sign_out");
            assert_eq!(answer.status, if hides { 404 } else { 401 }, "{method} {path}: {answer:?}");
            assert!(!answer.has_session(), "{method} {path}");
        }
    }
}

#[test]
fn every_operation_is_described_and_every_error_has_an_example() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let place = format!("{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{place}: summary");
        assert!(operation["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{place}: one tag");
        let id = operation["operationId"].as_str().expect("an operation id").to_owned();
        assert!(ids.insert(id), "{place}: an operation id of its own");
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let response = match response["$ref"].as_str() {
                Some(reference) => {
                    document.pointer(reference.trim_start_matches('#')).expect("a shared response")
                }
                None => response,
            };
            let is_problem =
                path.starts_with("/api/v1") && (status == "default" || status.starts_with(['4', '5']));
            if is_problem {
                let contents =
                    response["content"].as_object().unwrap_or_else(|| panic!("{place} {status}: content"));
                assert!(
                    contents.values().all(|content| content["example"].is_object()),
                    "{place} {status}: example"
                );
            }
        }
        if path.starts_with("/api/v1") {
            assert!(operation["responses"]["default"].is_object(), "{place}: default");
            assert!(operation["responses"]["429"].is_object(), "{place}: 429");
        }
    }
}

#[test]
fn the_three_token_headers_are_the_security_schemes() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let schemes = document["components"]["securitySchemes"].as_object().expect("schemes");
    let headers: BTreeSet<&str> = schemes.values().filter_map(|scheme| scheme["name"].as_str()).collect();
    assert_eq!(headers, BTreeSet::from(["access-token", "client", "uid"]));
    assert!(document["servers"][0]["url"].is_string());
}

#[test]
fn every_object_that_is_sent_or_answered_has_an_example() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        if name.ends_with("Request") {
            assert!(schema["example"].is_object(), "{name}");
        }
    }
}
