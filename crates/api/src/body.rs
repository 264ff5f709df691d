//! Reading bodies: JSON everywhere, and on the auth routes forms, multipart and the query as well.

use std::borrow::Cow;
use std::future::{Future, ready};
use std::pin::Pin;

use actix_multipart::Multipart;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use domain_kernel::{FieldErrors, FieldProblem, Patch};
use futures_util::{StreamExt, stream};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::compose::Runtime;
use crate::error::{ApiError, ApiResult};

/// Largest body of an auth route: names and passwords are short.
const MAX_PARAMS_BYTES: usize = 64 * 1024;

type LocalFuture<T> = Pin<Box<dyn Future<Output = ApiResult<T>>>>;

/// A JSON body. A wrong one is answered 400 naming the field.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = LocalFuture<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = read_json(&request, payload).await?;
            // serde would read the fields of a struct from an array, too.
            if body.trim_ascii_start().first() == Some(&b'[') {
                return Err(ApiError::malformed("The body must be a JSON object."));
            }
            parse(&mut serde_json::Deserializer::from_slice(&body)).map(Self)
        })
    }
}

/// A JSON object of fields that may also come in a field `data`. In the document it has to be named without angle brackets, by
/// an alias such as `type UpdateTeamBody = Wrapped<UpdateTeamRequest>`.
pub(crate) struct Wrapped<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Wrapped<T> {
    type Error = ApiError;
    type Future = LocalFuture<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { parse_wrapped(&read_json(&request, payload).await?).map(Self) })
    }
}

fn parse_wrapped<T: DeserializeOwned>(body: &[u8]) -> ApiResult<T> {
    let Value::Object(mut fields) = parse(&mut serde_json::Deserializer::from_slice(body))? else {
        return Err(ApiError::malformed("The body must be a JSON object."));
    };
    let fields = match fields.remove("data") {
        None => Value::Object(fields),
        Some(Value::Object(wrapped)) => Value::Object(wrapped),
        Some(_) => return Err(ApiError::invalid(FieldErrors::of("data", "invalid", "must be an object"))),
    };
    serde_path_to_error::deserialize(fields).map_err(|error| wrong_field(&error))
}

impl<T: ToSchema> PartialSchema for Wrapped<T> {
    fn schema() -> RefOr<Schema> {
        let fields = || Ref::from_schema_name(T::name());
        let mut either = AnyOfBuilder::new()
            .description(Some("The fields, or an object `data` that holds them."))
            .item(ObjectBuilder::new().property("data", fields()).required("data"))
            .item(fields())
            .build();
        if let RefOr::T(Schema::Object(object)) = T::schema() {
            either.example = object.example.map(|example| json!({ "data": example }));
        }
        Schema::AnyOf(either).into()
    }
}

impl<T: ToSchema> ToSchema for Wrapped<T> {
    fn name() -> Cow<'static, str> {
        format!("Wrapped{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// A JSON array of objects. A wrong one is answered 400 naming entry and field, such as `[2].team_id`.
pub(crate) struct JsonList<T>(pub(crate) Vec<T>);

impl<T: DeserializeOwned + 'static> FromRequest for JsonList<T> {
    type Error = ApiError;
    type Future = LocalFuture<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { parse_list(&read_json(&request, payload).await?).map(Self) })
    }
}

fn parse_list<T: DeserializeOwned>(body: &[u8]) -> ApiResult<Vec<T>> {
    let Value::Array(entries) = parse(&mut serde_json::Deserializer::from_slice(body))? else {
        return Err(ApiError::malformed("The body must be a JSON array."));
    };
    // serde would read the fields of a struct from an array, too.
    if let Some(index) = entries.iter().position(|entry| !entry.is_object()) {
        return Err(ApiError::invalid(FieldErrors::of(
            &format!("[{index}]"),
            "invalid",
            "must be an object",
        )));
    }
    serde_path_to_error::deserialize(Value::Array(entries)).map_err(|error| wrong_field(&error))
}

/// A body that says it is JSON, up to the limit of the configuration.
async fn read_json(request: &HttpRequest, payload: Payload) -> ApiResult<Bytes> {
    let is_json = |mime: &str| mime == "application/json" || mime.ends_with("+json");
    if !is_json(&request.content_type().to_ascii_lowercase()) {
        return Err(ApiError::unsupported("application/json"));
    }
    let runtime = request.app_data::<Data<Runtime>>();
    let limit = runtime.map_or(MAX_PARAMS_BYTES, |runtime| runtime.max_body_bytes);
    read(request, payload, limit).await
}

/// A field of a merge patch: absent, null or there.
#[derive(Debug, Clone, Default)]
pub(crate) enum Patched<T> {
    /// Not sent.
    #[default]
    Absent,
    /// Sent as null.
    Null,
    /// Sent.
    There(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patched<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        // An absent field never comes here: it is the default.
        Ok(Option::deserialize(value)?.map_or(Self::Null, Self::There))
    }
}

impl<T> Patched<T> {
    /// For the domain; a problem is noted under `field`.
    pub(crate) fn patch<U>(
        self,
        errors: &mut FieldErrors,
        field: &str,
        parse: impl FnOnce(T) -> Result<U, FieldProblem>,
    ) -> Patch<U> {
        match self {
            Self::Absent => Patch::Keep,
            Self::Null => Patch::Clear,
            Self::There(raw) => errors.take(field, parse(raw)).map_or(Patch::Keep, Patch::Set),
        }
    }

    /// For a value that is always there: null is a blank.
    pub(crate) fn value<U>(
        self,
        errors: &mut FieldErrors,
        field: &str,
        parse: impl FnOnce(T) -> Result<U, FieldProblem>,
    ) -> Option<U> {
        match self {
            Self::Absent => None,
            Self::Null => errors.take(field, Err(FieldProblem::blank())),
            Self::There(raw) => errors.take(field, parse(raw)),
        }
    }
}

/// Flat parameters of an auth route: query and body (JSON, form or multipart) merged, the body wins.
pub(crate) struct Params<T> {
    /// The values.
    pub(crate) values: T,
    /// Names that came in the query.
    pub(crate) in_query: Vec<String>,
}

impl<T: DeserializeOwned + 'static> FromRequest for Params<T> {
    type Error = ApiError;
    type Future = LocalFuture<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let query = pairs(request.query_string().as_bytes());
            let in_query = query.keys().cloned().collect();
            let mut merged = query;
            merged.extend(body_params(&request, payload).await?);
            let mut source = Value::Object(merged);
            // A parameter that is null counts as absent.
            if let Value::Object(values) = &mut source {
                values.retain(|_, value| !value.is_null());
            }
            let values = serde_path_to_error::deserialize(source).map_err(|error| wrong_field(&error))?;
            Ok(Self { values, in_query })
        })
    }
}

async fn body_params(request: &HttpRequest, payload: Payload) -> ApiResult<Map<String, Value>> {
    match request.content_type().to_ascii_lowercase().as_str() {
        "multipart/form-data" => multipart(request, payload).await,
        "application/x-www-form-urlencoded" => {
            let body = read(request, payload, MAX_PARAMS_BYTES).await?;
            match std::str::from_utf8(&body) {
                Ok(_) => Ok(pairs(&body)),
                Err(_) => Err(ApiError::malformed("The form is not UTF-8.")),
            }
        }
        mime => {
            let body = read(request, payload, MAX_PARAMS_BYTES).await?;
            match mime {
                _ if body.is_empty() => Ok(Map::new()),
                "application/json" | "" => parse(&mut serde_json::Deserializer::from_slice(&body)),
                mime if mime.ends_with("+json") => parse(&mut serde_json::Deserializer::from_slice(&body)),
                _ => Err(ApiError::unsupported(
                    "application/json, application/x-www-form-urlencoded or multipart/form-data",
                )),
            }
        }
    }
}

fn pairs(encoded: &[u8]) -> Map<String, Value> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(encoded).unwrap_or_default();
    pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
}

async fn multipart(request: &HttpRequest, payload: Payload) -> ApiResult<Map<String, Value>> {
    let unreadable = |_| ApiError::malformed("The multipart body cannot be read.");
    // Read whole before it is taken apart: only so does the limit hold for names and empty parts, too.
    let body = read(request, payload, MAX_PARAMS_BYTES).await?;
    let mut parts = Multipart::new(request.headers(), stream::once(ready(Ok::<_, PayloadError>(body))));
    let mut values = Map::new();
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(unreadable)?;
        let name = part.name().unwrap_or_default().to_owned();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = part.next().await {
            bytes.extend_from_slice(&chunk.map_err(unreadable)?);
        }
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| {
            let message = "must be text in UTF-8";
            ApiError::invalid(FieldErrors::of(&name, "invalid", message))
        })?;
        values.insert(name, Value::String(text));
    }
    Ok(values)
}

/// Reads a body up to `limit` bytes, in the time that the configuration allows.
async fn read(request: &HttpRequest, mut payload: Payload, limit: usize) -> ApiResult<Bytes> {
    let all = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| ApiError::malformed("The body was cut off."))?;
            if body.len() + chunk.len() > limit {
                return Err(ApiError::too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    in_time(request, all).await
}

async fn in_time<T>(request: &HttpRequest, work: impl Future<Output = ApiResult<T>>) -> ApiResult<T> {
    let Some(runtime) = request.app_data::<Data<Runtime>>() else {
        return work.await;
    };
    tokio::time::timeout(runtime.body_timeout, work).await.unwrap_or_else(|_| Err(ApiError::too_slow()))
}

/// Reads a part of a body that was read as it is; a wrong field is named.
pub(crate) fn from_value<T: DeserializeOwned>(value: &Value) -> ApiResult<T> {
    serde_path_to_error::deserialize(value.clone()).map_err(|error| wrong_field(&error))
}

fn parse<'de, T: DeserializeOwned>(
    json: &mut serde_json::Deserializer<impl serde_json::de::Read<'de>>,
) -> ApiResult<T> {
    let value = serde_path_to_error::deserialize(&mut *json).map_err(|error| {
        if error.inner().is_data() {
            return wrong_field(&error);
        }
        let (line, column) = (error.inner().line(), error.inner().column());
        ApiError::malformed(format!("The body is not valid JSON (line {line}, column {column})."))
    })?;
    json.end().map_err(|_| ApiError::malformed("There is something after the JSON value."))?;
    Ok(value)
}

/// The field that has the wrong type. What was sent is not repeated: it may be a secret.
fn wrong_field(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let path = error.path().to_string();
    if path == "." {
        return match missing_field(&error.inner().to_string()) {
            Some(field) => ApiError::invalid(FieldErrors::of(&field, "blank", "can't be blank")),
            None => ApiError::malformed("The body must be a JSON object."),
        };
    }
    let message = format!("must be {}", expected(&error.inner().to_string()));
    ApiError::invalid(FieldErrors::of(&path, "invalid", message))
}

/// serde tells a missing field only in its message: "missing field `name`".
fn missing_field(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("missing field `")?;
    rest.split_once('`').map(|(field, _)| field.to_owned())
}

/// The end of serde's "invalid type: integer `5`, expected a string".
fn expected(message: &str) -> String {
    let tail = message.rsplit_once("expected ").map_or("a value of another type", |(_, tail)| tail);
    let tail = tail.split(" at line").next().unwrap_or(tail);
    match tail.trim_end_matches('.') {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" => "a whole number".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Style;

    #[derive(Debug, Deserialize)]
    struct Wanted {
        name: String,
        #[serde(default)]
        count: Option<i32>,
    }

    /// What came out of a body: the value, or the first text of the error.
    fn told<T>(outcome: ApiResult<T>, show: impl FnOnce(T) -> String) -> String {
        let text = |error: ApiError| error.body(Style::PROBLEM, "r")["errors"][0].as_str().map(str::to_owned);
        outcome.map_or_else(|error| text(error).unwrap_or_default(), show)
    }

    fn show(Wanted { name, count }: Wanted) -> String {
        format!("{name} {count:?}")
    }

    #[test]
    fn a_wrong_list_names_the_entry_and_never_repeats_the_value() {
        let problem = |json: &str| told(parse_list::<Wanted>(json.as_bytes()), |all| all.len().to_string());
        assert_eq!(problem("[]"), "0");
        assert_eq!(problem(r#"[{"name":"a"},{"name":"b"}]"#), "2");
        assert_eq!(problem(r#"[{"name":"a"},{"name":5}]"#), "[1].name must be a string");
        assert_eq!(problem(r#"[["hunter22",1]]"#), "[0] must be an object");
        assert_eq!(problem(r#"{"name":"a"}"#), "The body must be a JSON array.");
        assert_eq!(problem(r#"[{"name":"a"}"#), "The body is not valid JSON (line 1, column 13).");
    }

    #[test]
    fn fields_may_be_wrapped_and_are_named_the_same() {
        let problem = |json: &str| told(parse_wrapped(json.as_bytes()), show);
        assert_eq!(problem(r#"{"name":"a","count":2}"#), "a Some(2)");
        assert_eq!(problem(r#"{"data":{"name":"a","count":2},"name":"b"}"#), "a Some(2)");
        assert_eq!(problem(r#"{"data":{"name":5}}"#), "Name must be a string");
        for data in ["null", "5", "[]", r#""hunter22""#] {
            assert_eq!(problem(&format!(r#"{{"data":{data}}}"#)), "Data must be an object");
        }
        assert_eq!(problem("[]"), "The body must be a JSON object.");
        assert_eq!(problem("null"), "The body must be a JSON object.");
        assert!(problem(r#"{"data":"#).starts_with("The body is not valid JSON"));
    }

    #[test]
    fn a_wrong_body_names_the_field_and_never_repeats_the_value() {
        let problem = |json: &str| told(parse(&mut serde_json::Deserializer::from_str(json)), show);
        assert_eq!(problem(r#"{"name":"a","count":2}"#), "a Some(2)");
        assert_eq!(problem(r#"{"name":5}"#), "Name must be a string");
        assert_eq!(problem(r#"{"count":1}"#), "Name can't be blank");
        assert_eq!(problem(r#"{"name":"a","count":"hunter22"}"#), "Count must be a whole number");
        assert_eq!(problem("[]"), "The body must be a JSON object.");
        assert_eq!(problem(r#"{"name":"a"} x"#), "There is something after the JSON value.");
        assert!(problem("{\"name\":").starts_with("The body is not valid JSON"));
    }
}
