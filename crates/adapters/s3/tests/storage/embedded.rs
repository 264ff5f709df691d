//! The embedded storage as browsers and strangers see it.

use adapter_s3::embedded::{EmbeddedError, EmbeddedS3};
use domain_memberships::ports::RosterFiles;
use reqwest::{Method, Response};

use crate::{BUCKET, FOLDER, ORIGIN, Storage, files_of, key, settings, status};

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).and_then(|value| value.to_str().ok())
}

#[tokio::test]
async fn a_page_of_the_web_app_may_upload_and_no_other() {
    let storage = Storage::start();
    let ticket = storage.ticket(&key("a.csv")).await;
    for (origin, expected) in [(ORIGIN, 204), ("https://elsewhere.example.org", 403)] {
        let request = storage.http.request(Method::OPTIONS, &ticket.url).header("origin", origin);
        let request = request.header("access-control-request-method", "PUT");
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), expected);
        let allowed = header(&answer, "access-control-allow-origin");
        assert_eq!(allowed, (expected == 204).then_some(ORIGIN));
        if allowed.is_some() {
            assert!(header(&answer, "access-control-allow-methods").is_some_and(|all| all.contains("PUT")));
            let headers = header(&answer, "access-control-allow-headers");
            assert_eq!(headers, Some("content-type, if-none-match"));
        }
    }
    let answer = storage.upload(&ticket, "x").header("origin", ORIGIN).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(header(&answer, "access-control-expose-headers"), Some("etag"));
    assert!(header(&answer, "etag").is_some());
}

#[tokio::test]
async fn strangers_get_nothing() {
    let storage = Storage::start();
    storage.put("a.csv", "x").await;
    let endpoint = storage.embedded.server().endpoint.clone().expect("an endpoint");
    for path in ["", BUCKET, "rosters/acme/a.csv"] {
        assert_eq!(status(storage.http.get(format!("{endpoint}{path}"))).await, 403, "{path}");
    }
}

#[tokio::test]
async fn a_name_that_leads_out_of_its_bucket_is_refused() {
    let storage = Storage::start();
    let ticket = storage.ticket(&key("a.csv")).await;
    for name in ["acme%2F..%2F..%2Fx", "acme%2F%2Fx", "acme%2F.%2Fx"] {
        let mut changed = ticket.clone();
        changed.url = ticket.url.replacen("acme/a.csv", name, 1);
        assert_eq!(status(storage.upload(&changed, "x")).await, 400, "{name}");
    }
}

#[tokio::test]
async fn what_was_put_outlives_the_server_and_half_an_upload_in_parts_does_not() {
    let storage = Storage::start();
    storage.put("a.csv", "x").await;
    let Storage { folder, embedded, files, .. } = storage;
    drop(embedded);
    tokio::task::yield_now().await;
    assert!(files.ping().await.is_err(), "nobody listens any more");
    let part = folder.path().join(".upload_id-1.part-1");
    std::fs::write(&part, "half").expect("writes");
    let again = EmbeddedS3::start(settings(folder.path().to_owned())).expect("starts again");
    let files = files_of(again.server().clone(), BUCKET, chrono::TimeDelta::zero());
    assert_eq!(files.list(FOLDER, None, 10).await.expect("a list").len(), 1);
    assert!(!part.exists());
}

#[tokio::test]
async fn it_is_for_this_machine_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut open = settings(folder.path().to_owned());
    open.address = ([0, 0, 0, 0], 0).into();
    assert!(matches!(EmbeddedS3::start(open), Err(EmbeddedError::NotLoopback)));
    let mut no_folder = settings(folder.path().join("file"));
    std::fs::write(folder.path().join("file"), "in the way").expect("writes");
    no_folder.buckets.clear();
    assert!(matches!(EmbeddedS3::start(no_folder), Err(EmbeddedError::Folder(..))));
}
