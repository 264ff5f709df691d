//! What a storage tells of new files.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use domain_memberships::roster::RosterService;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::Json;
use crate::compose::Runtime;
use crate::error::{ApiError, ApiResult};
use crate::visitor::shows_token;

/// Files that one message may tell of; S3 tells of one.
const MOST: usize = 100;

/// An event notification of S3, or what `EventBridge` makes of one.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "Records": [{ "eventName": "ObjectCreated:Put", "s3": {
    "bucket": { "name": "integrations" }, "object": { "key": "demo-logistics/2026-05-04.csv" }
} }] }))]
pub(crate) struct FileNotificationRequest {
    /// What happened to files; only `ObjectCreated:…` matters. At most 100.
    #[serde(rename = "Records", default)]
    #[schema(required = false, value_type = Vec<Object>)]
    records: Vec<Record>,
    /// The same from `EventBridge`.
    #[serde(default)]
    #[schema(required = false, value_type = Object)]
    detail: Option<Place>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventName", default)]
    event_name: String,
    s3: Place,
}

#[derive(Deserialize)]
struct Place {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
}

impl FileNotificationRequest {
    /// Names of new files in the bucket.
    fn keys(self, bucket: &str) -> Vec<String> {
        let is_ours = |place: &Place| place.bucket.name == bucket;
        let created = self.records.into_iter().filter(|record| {
            record.event_name.trim_start_matches("s3:").starts_with("ObjectCreated:") && is_ours(&record.s3)
        });
        // S3 writes names as forms do; EventBridge writes them as they are.
        let plain = |key: &str| percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned();
        let mut keys: Vec<String> = created.map(|record| plain(&record.s3.object.key)).collect();
        keys.extend(self.detail.filter(is_ours).map(|place| place.object.key));
        keys
    }
}

/// How many imports were queued.
#[derive(Serialize, ToSchema)]
#[schema(as = FileNotificationAnswer)]
pub(crate) struct FileNotificationResponse {
    #[schema(example = 1)]
    queued: usize,
}

/// Tell of new files
///
/// For the storage: a message about a CSV file in an organization's folder queues its import at once. Messages about anything else, and about a
/// file that is known, do nothing. Wants `Authorization: Bearer <STORAGE_EVENTS_TOKEN>`; without such a token in the
/// deployment there is no such operation, and files are found by looking into the folders.
#[utoipa::path(
    tag = "rosters",
    security(()),
    request_body = FileNotificationRequest,
    responses(
        (status = 200, description = "Taken", body = FileNotificationResponse),
        (status = 400, description = "The body is no such message, or tells of more than 100 files"),
        (status = 401, description = "The token is missing or wrong"),
        (status = 404, description = "The deployment has no token for it"),
        (status = 503, description = "The storage does not answer"),
    )
)]
#[post("/storage/events")]
pub(crate) async fn notify_of_files(
    request: HttpRequest,
    runtime: Data<Runtime>,
    rosters: Data<RosterService>,
    body: Json<FileNotificationRequest>,
) -> ApiResult<HttpResponse> {
    let Some(events) = &runtime.storage_events else { return Err(ApiError::not_found()) };
    if !shows_token(&request, &events.token) {
        return Err(ApiError::unauthenticated("The token is missing or wrong."));
    }
    let keys = body.0.keys(&events.bucket);
    if keys.len() > MOST {
        let message = format!("must not tell of more than {MOST} files");
        return Err(ApiError::invalid(domain_kernel::FieldErrors::of("Records", "too_many", message)));
    }
    let mut queued = 0;
    for key in keys {
        queued += usize::from(rosters.notice_file(&key).await?);
    }
    Ok(HttpResponse::Ok().json(FileNotificationResponse { queued }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn keys(message: Value) -> Vec<String> {
        serde_json::from_value::<FileNotificationRequest>(message).expect("a message").keys("ours")
    }

    fn record(event: &str, bucket: &str, key: &str) -> Value {
        json!({ "eventName": event, "s3": { "bucket": { "name": bucket }, "object": { "key": key } } })
    }

    #[test]
    fn only_new_files_of_the_bucket_matter() {
        let message = json!({ "Records": [
            record("ObjectCreated:Put", "ours", "a/new+file%2B.csv"),
            record("s3:ObjectCreated:CompleteMultipartUpload", "ours", "a/large.csv"),
            record("ObjectRemoved:Delete", "ours", "a/gone.csv"),
            record("ObjectCreated:Put", "theirs", "a/other.csv"),
        ] });
        assert_eq!(keys(message), ["a/new file+.csv", "a/large.csv"]);
    }

    #[test]
    fn event_bridge_writes_names_as_they_are() {
        let detail = json!({ "bucket": { "name": "ours" }, "object": { "key": "a/new+file.csv" } });
        assert_eq!(keys(json!({ "detail-type": "Object Created", "detail": detail })), ["a/new+file.csv"]);
        assert!(keys(json!({})).is_empty());
    }
}
