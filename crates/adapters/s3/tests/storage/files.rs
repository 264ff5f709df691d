//! The contract of `RosterFiles`, kept by `S3Files` against the embedded storage.

use std::error::Error;
use std::time::{Duration, Instant};

use adapter_s3::{AccessKeys, S3Server};
use chrono::TimeDelta;
use domain_kernel::{Clock, DomainError, ErrorKind, FileStoreError};
use domain_memberships::ports::RosterFiles;
use domain_memberships::{FileKey, MembershipError, RosterFile, UploadTicket};
use url::Url;
use uuid::Uuid;

use crate::{Ahead, BUCKET, FOLDER, SECRET, Storage, files_of, key, status};

fn keys(files: &[RosterFile]) -> Vec<&str> {
    files.iter().map(|file| file.key.as_str()).collect()
}

#[tokio::test]
async fn a_signed_upload_lands_as_it_was_sent() {
    let storage = Storage::start();
    let key = FileKey::random(FOLDER, Uuid::from_u128(7));
    let before = Ahead(TimeDelta::zero()).now();
    let ticket = storage.ticket(&key).await;
    assert_eq!(ticket.method, "PUT");
    let mut headers = ticket.headers.clone();
    headers.sort();
    assert_eq!(headers, [("content-type".into(), "text/csv".into()), ("if-none-match".into(), "*".into())]);
    let lifespan = ticket.expires_at - before;
    assert!(lifespan > TimeDelta::seconds(898) && lifespan <= TimeDelta::seconds(901), "{lifespan}");
    assert_eq!(status(storage.upload(&ticket, "first_name\nAnn\n")).await, 200);
    let file = storage.files.find(&key).await.expect("an answer").expect("a file");
    assert_eq!((&file.key, file.size), (&key, 15));
    assert!((file.modified_at - before).abs() < TimeDelta::seconds(60), "{file:?}");
    assert_eq!(storage.read(&file, 15).await.expect("opens"), "first_name\nAnn\n");
}

#[tokio::test]
async fn names_may_hold_what_people_type() {
    let storage = Storage::start();
    for name in
        ["Müller & Söhne.csv", "a b+c%25.csv", "?x=1#y.csv", "2026/05/été 🙂.csv", "a'(b)*~;,:=@$!.csv"]
    {
        let file = storage.put(name, "content").await;
        assert_eq!(file.key, key(name));
    }
    assert_eq!(storage.files.list(FOLDER, None, 10).await.expect("a list").len(), 5);
}

#[tokio::test]
async fn a_ticket_is_good_for_its_own_csv_file_only() {
    let storage = Storage::start();
    let ticket = storage.ticket(&key("a.csv")).await;
    let with_header = |name: &str, value: Option<&str>| {
        let mut changed = ticket.clone();
        changed.headers.retain(|(known, _)| known != name);
        changed.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        changed
    };
    let with_url = |from: &str, to: &str| {
        assert!(ticket.url.contains(from), "{from}");
        UploadTicket { url: ticket.url.replacen(from, to, 1), ..ticket.clone() }
    };
    let (_, digits) = ticket.url.split_once("X-Amz-Signature=").expect("a signature");
    let (digit, other) = (&digits[..1], if digits.starts_with('0') { "1" } else { "0" });
    let (signature, another) = (format!("X-Amz-Signature={digit}"), format!("X-Amz-Signature={other}"));
    for (what, changed) in [
        ("another type", with_header("content-type", Some("text/html"))),
        ("no type", with_header("content-type", None)),
        ("overwriting", with_header("if-none-match", None)),
        ("another method", UploadTicket { method: "GET".into(), ..ticket.clone() }),
        ("another key", with_url("a.csv", "b.csv")),
        ("another folder", with_url("acme/", "acme2/")),
        ("longer", with_url("X-Amz-Expires=900", "X-Amz-Expires=9000")),
        ("another signature", with_url(&signature, &another)),
    ] {
        assert_eq!(status(storage.upload(&changed, "x")).await, 403, "{what}");
    }
    assert_eq!(storage.files.list(FOLDER, None, 10).await.expect("a list"), []);
    assert_eq!(status(storage.upload(&ticket, "x")).await, 200);
}

#[tokio::test]
async fn a_second_upload_is_refused_and_changes_nothing() {
    let storage = Storage::start();
    let first = storage.put("a.csv", "first").await;
    let ticket = storage.ticket(&first.key).await;
    assert_eq!(status(storage.upload(&ticket, "second")).await, 412);
    assert_eq!(storage.files.find(&first.key).await.expect("an answer"), Some(first));
}

#[tokio::test]
async fn a_ticket_ends() {
    let storage = Storage::start();
    let earlier = files_of(storage.embedded.server().clone(), BUCKET, TimeDelta::minutes(-16));
    let ticket = earlier.presign_upload(&key("a.csv"), TimeDelta::minutes(15)).await.expect("a ticket");
    assert_eq!(status(storage.upload(&ticket, "x")).await, 403);
    assert_eq!(storage.files.find(&key("a.csv")).await.expect("an answer"), None);
}

#[tokio::test]
async fn a_ticket_names_the_endpoint_that_uploaders_know() {
    let storage = Storage::start();
    let public = Url::parse("https://files.example.org").expect("a URL");
    let server = S3Server { public_endpoint: Some(public), ..storage.embedded.server().clone() };
    let files = files_of(server, BUCKET, TimeDelta::zero());
    let ticket = files.presign_upload(&key("a.csv"), TimeDelta::minutes(15)).await.expect("a ticket");
    assert!(ticket.url.starts_with("https://files.example.org/rosters/acme/a.csv?"), "{}", ticket.url);
    assert!(!ticket.url.contains(SECRET));
    assert_eq!(files.find(&key("a.csv")).await.expect("asked where it is near"), None);
}

#[tokio::test]
async fn a_list_is_in_the_order_of_keys_and_of_one_folder() {
    let storage = Storage::start();
    for name in ["b.csv", "a/z.csv", "a.csv", "Z.csv", "é.csv"] {
        storage.put(name, name).await;
    }
    storage.write("acme2/other.csv", "x");
    storage.write("acm/other.csv", "x");
    storage.write("acme/tab\tin the name.csv", "x");
    let all = storage.files.list(FOLDER, None, 10).await.expect("a list");
    assert_eq!(keys(&all), ["acme/Z.csv", "acme/a.csv", "acme/a/z.csv", "acme/b.csv", "acme/é.csv"]);
    for file in &all {
        assert_eq!(storage.files.find(&file.key).await.expect("an answer").as_ref(), Some(file));
    }
    let last = |files: &Vec<RosterFile>| files.last().map(|file| file.key.clone());
    let mut paged = Vec::new();
    while let Ok(page) = storage.files.list(FOLDER, last(&paged), 2).await {
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
    assert_eq!(storage.files.list("nobody", None, 10).await.expect("a list"), []);
    assert_eq!(storage.files.list(FOLDER, None, 0).await.expect("a list"), []);
}

#[tokio::test]
async fn a_list_may_be_longer_than_the_storage_gives_at_once() {
    let storage = Storage::start();
    for number in 0..1003 {
        storage.write(&format!("acme/{number:04}.csv"), "x");
    }
    let all = storage.files.list(FOLDER, None, 1002).await.expect("a list");
    assert_eq!((all.len(), all[1001].key.as_str()), (1002, "acme/1001.csv"));
    let last = Some(all[1001].key.clone());
    let rest = storage.files.list(FOLDER, last, 5000).await.expect("a list");
    assert_eq!(keys(&rest), ["acme/1002.csv"]);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let storage = Storage::start();
    assert_eq!(storage.files.find(&key("a.csv")).await.expect("an answer"), None);
    let file = storage.put("a.csv", "x").await;
    std::fs::remove_file(storage.path("acme/a.csv")).expect("the file goes");
    let gone = storage.read(&file, 100).await.expect_err("it is gone");
    assert!(matches!(gone, MembershipError::FileChanged), "{gone:?}");
}

#[tokio::test]
async fn a_file_that_was_replaced_is_not_opened() {
    let storage = Storage::start();
    let found = storage.put("a.csv", "first").await;
    std::fs::remove_file(storage.path("acme/a.csv")).expect("the file goes");
    let replaced = storage.put("a.csv", "other").await;
    assert_ne!(found.etag, replaced.etag);
    let changed = storage.read(&found, 100).await.expect_err("it is another one");
    assert!(matches!(changed, MembershipError::FileChanged), "{changed:?}");
    assert_eq!(storage.read(&replaced, 100).await.expect("opens"), "other");
}

#[tokio::test]
async fn a_file_is_opened_up_to_the_largest_size() {
    let storage = Storage::start();
    let content = "0123456789".repeat(100_000);
    let file = storage.put("a.csv", &content).await;
    assert_eq!(storage.read(&file, 1_000_000).await.expect("opens"), content);
    let large = storage.read(&file, 999_999).await.expect_err("too large");
    assert!(matches!(large, MembershipError::FileTooLarge(999_999)), "{large:?}");
}

#[tokio::test]
async fn a_local_file_is_put_where_nothing_is() {
    let storage = Storage::start();
    let from = storage.folder.path().join("roster.csv");
    std::fs::write(&from, "first_name\nAnn\n").expect("writes");
    storage.files.put(&key("a.csv"), &from).await.expect("puts");
    let file = storage.files.find(&key("a.csv")).await.expect("an answer").expect("a file");
    assert_eq!(storage.read(&file, 100).await.expect("opens"), "first_name\nAnn\n");
    storage.files.put(&key("a.csv"), &from).await.expect_err("something is there");
    let nowhere = storage.folder.path().join("no/such/file.csv");
    let failed = storage.files.put(&key("b.csv"), &nowhere).await.expect_err("no such file");
    assert_eq!(failed.kind(), ErrorKind::Internal);
}

/// Error and causes, as the log shows them.
fn told(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn a_storage_that_does_not_do_its_work_is_unavailable_for_a_reason() {
    let storage = Storage::start();
    let near = storage.embedded.server().clone();
    let stranger = AccessKeys { id: "stranger".into(), secret: SECRET.into() };
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let endpoint = Url::parse(&format!("http://{nobody}")).expect("a URL");
    for (server, bucket, reason) in [
        (near.clone(), "missing", "404"),
        (S3Server { keys: Some(stranger), ..near.clone() }, BUCKET, "403"),
        (S3Server { endpoint: Some(endpoint), ..near }, BUCKET, "refused"),
    ] {
        let files = files_of(server, bucket, TimeDelta::zero());
        let started = Instant::now();
        let pinged = files.ping().await.expect_err("unavailable");
        assert!(matches!(pinged, FileStoreError::Unavailable(_)), "{pinged:?}");
        let listed = files.list(FOLDER, None, 10).await.expect_err("unavailable");
        assert_eq!((listed.kind(), listed.code()), (ErrorKind::Unavailable, "unavailable"));
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        for text in [told(&pinged), told(&listed)] {
            assert!(text.contains(reason), "{text}");
            assert!(!text.contains("http") && !text.contains(SECRET), "{text}");
        }
    }
    assert!(storage.files.ping().await.is_ok());
}
