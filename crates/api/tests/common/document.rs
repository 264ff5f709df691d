//! Every answer that a test sees is held against the OpenAPI document.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::to_value(api::openapi::document()).expect("JSON"))
}

/// The path of the document that a request's path is an instance of; one without parameters wins.
fn template(path: &str) -> Option<&'static str> {
    let asked: Vec<&str> = path.split('/').collect();
    let fits = |template: &&String| {
        let parts: Vec<&str> = template.split('/').collect();
        parts.len() == asked.len()
            && parts.iter().zip(&asked).all(|(part, asked)| part.starts_with('{') || part == asked)
    };
    let paths = document()["paths"].as_object().expect("paths");
    paths.keys().filter(fits).min_by_key(|template| template.matches('{').count()).map(String::as_str)
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => document().pointer(reference.trim_start_matches('#')).expect("a known reference"),
        None => value,
    }
}

/// Fails the test when the document does not tell of an answer like this.
pub(crate) fn check(method: &str, path: &str, status: u16, content_type: Option<&str>, body: &str) {
    let path = path.trim_end_matches('/').trim_end_matches(".json");
    let Some(template) = template(path) else { return };
    let operation = &document()["paths"][template][method.to_lowercase()];
    // Another method than the document knows: the answer is the one for unknown methods.
    let Some(responses) = operation["responses"].as_object() else {
        return;
    };
    let place = format!("{method} {template} {status}");
    let known = responses.get(&status.to_string()).or_else(|| responses.get("default"));
    let response = resolved(known.unwrap_or_else(|| panic!("{place} is not in the document: {body}")));
    let Some(contents) = response["content"].as_object() else {
        assert!(body.is_empty(), "{place} has no body in the document: {body}");
        return;
    };
    let sent = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let content =
        contents.get(sent).unwrap_or_else(|| panic!("{place}: content type {sent:?} is not in the document"));
    if sent.ends_with("json") {
        let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{place}: no JSON: {body}"));
        validate(&place, &content["schema"], &body);
    }
}

fn validate(place: &str, schema: &Value, body: &Value) {
    static VALIDATORS: OnceLock<Mutex<HashMap<String, Validator>>> = OnceLock::new();
    let mut validators =
        VALIDATORS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let validator = validators.entry(schema.to_string()).or_insert_with(|| {
        let whole = json!({ "allOf": [schema], "components": document()["components"] });
        jsonschema::draft202012::new(&whole).expect("a good schema")
    });
    let problems: Vec<String> = validator
        .iter_errors(body)
        .map(|problem| format!("{}: {problem}", problem.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{place}: the answer violates the document: {problems:?}\n{body}");
}
