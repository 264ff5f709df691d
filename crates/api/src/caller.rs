//! The session of a request, and the headers that carry it.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain_kernel::{Actor, SessionId, UserId};
use domain_users::{AccessToken, Account, ClientId, Credentials, SessionKeys, UserError, UserService};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, ApiResult};
use crate::limits::SessionLimiter;
use crate::visitor::Visitor;

/// The signed-in person. A handler that takes one answers 401 without a session.
pub(crate) struct Caller {
    /// For the domain's permissions.
    pub(crate) actor: Actor,
    /// The person and their memberships.
    pub(crate) account: Account,
    /// The session.
    pub(crate) session: SessionId,
}

/// The user behind a request, for its log line.
#[derive(Clone, Copy)]
pub(crate) struct SignedIn(pub(crate) UserId);

/// Credentials in the query or in the body, which two routes accept for the client libraries that send them so.
#[derive(Default, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct CredentialParams {
    /// Instead of the `access-token` header.
    #[serde(rename = "access-token")]
    #[param(required = false)]
    access_token: Option<String>,
    /// Instead of the `client` header.
    #[param(required = false)]
    client: Option<String>,
    /// Instead of the `uid` header.
    #[param(required = false)]
    uid: Option<String>,
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Put there by the door, which lets nobody past it without one.
        ready(request.extensions_mut().remove::<Self>().ok_or_else(|| UserError::NotSignedIn.into()))
    }
}

/// Finds the session that a request names, counts the request against it, and has the answer carry its headers.
pub(crate) async fn authenticate(request: &HttpRequest, fallback: CredentialParams) -> ApiResult<Caller> {
    let users = request.app_data::<Data<UserService>>().expect("the server registers its services");
    let limiter = request.app_data::<Data<SessionLimiter>>().expect("the server registers its limiter");
    let credentials = credentials(request.headers(), fallback).ok_or(UserError::NotSignedIn)?;
    let authenticated = users.authenticate(credentials).await?;
    request.extensions_mut().insert(authenticated.keys);
    request.extensions_mut().insert(SignedIn(authenticated.account.user.id));
    limiter.check(authenticated.session)?;
    let origin =
        request.extensions().get::<Visitor>().map(|visitor| visitor.origin.clone()).unwrap_or_default();
    let actor = authenticated.account.actor(origin);
    Ok(Caller { actor, account: authenticated.account, session: authenticated.session })
}

/// Each of the three values from the first place that has it: header, parameter, bearer. What is blank or cannot be read
/// counts as absent.
fn credentials(headers: &HeaderMap, fallback: CredentialParams) -> Option<Credentials> {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let bearer_word = header("authorization").and_then(|value| {
        let (scheme, word) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| word.trim().to_owned())
    });
    let bearer = bearer_word.as_deref().and_then(decode_bearer).unwrap_or_default();
    let filled = |value: Option<String>| value.filter(|value| !value.trim().is_empty());
    let client = header("client").or(filled(fallback.client)).or(bearer.client)?;
    let token = header("access-token").or(filled(fallback.access_token)).or(bearer.access_token);
    // A plain bearer token is the access token itself, when the client header stands beside it.
    let token = token.or_else(|| bearer_word.filter(|_| headers.contains_key("client")))?;
    let uid = header("uid").or(filled(fallback.uid)).or(filled(bearer.uid));
    Some(Credentials { client: ClientId::parse(&client)?, token: AccessToken::parse(&token)?, uid })
}

/// The base64 of a JSON object with the five headers.
fn decode_bearer(word: &str) -> Option<CredentialParams> {
    let json = STANDARD.decode(word).ok()?;
    let object: serde_json::Map<String, Value> = serde_json::from_slice(&json).ok()?;
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(CredentialParams { access_token: text("access-token"), client: text("client"), uid: text("uid") })
}

/// Has the answer carry the headers of this session from now on.
pub(crate) fn hand_over(request: &HttpRequest, keys: SessionKeys) {
    request.extensions_mut().insert(keys);
}

/// Has the answer carry the new uid.
pub(crate) fn rename(request: &HttpRequest, account: &Account) {
    if let Some(keys) = request.extensions_mut().get_mut::<SessionKeys>() {
        account.user.uid().clone_into(&mut keys.uid);
    }
}

/// The same, if the account is the caller's own.
pub(crate) fn follow_rename(request: &HttpRequest, caller: &Caller, account: &Account) {
    if account.user.id == caller.actor.user {
        rename(request, account);
    }
}

/// Has the answer carry no session: it has ended.
pub(crate) fn forget(request: &HttpRequest) {
    request.extensions_mut().remove::<SessionKeys>();
}

/// The five headers that make a session, all or none, and the same as a bearer.
pub(crate) fn session_headers(keys: &SessionKeys) -> Vec<(HeaderName, HeaderValue)> {
    let expiry = keys.expires_at.timestamp().to_string();
    let values = [
        ("access-token", keys.token.reveal()),
        ("token-type", "Bearer"),
        ("client", keys.client.as_str()),
        ("expiry", expiry.as_str()),
        ("uid", keys.uid.as_str()),
    ];
    let bearer: serde_json::Map<String, Value> =
        values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let bearer = format!("Bearer {}", STANDARD.encode(Value::Object(bearer).to_string()));
    let all = values
        .iter()
        .map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?)));
    let bearer = HeaderValue::from_str(&bearer).ok().map(|value| (AUTHORIZATION, value));
    all.chain([bearer]).collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            let value = HeaderValue::from_str(value).expect("a header value");
            headers.insert(HeaderName::from_static(name), value);
        }
        headers
    }

    fn read(values: &[(&'static str, &str)]) -> Option<(String, String, Option<String>)> {
        let found = credentials(&headers(values), CredentialParams::default())?;
        Some((found.client.as_str().into(), found.token.reveal().into(), found.uid))
    }

    fn expected() -> (String, String, Option<String>) {
        ("c1".into(), "t1".into(), Some("ann".into()))
    }

    #[test]
    fn headers_win_and_the_bearer_fills_what_is_missing() {
        let bearer = STANDARD.encode(r#"{"access-token":"t1","client":"c1","uid":"ann","expiry":"1"}"#);
        let bearer = format!("Bearer {bearer}");
        assert_eq!(read(&[("access-token", "t1"), ("client", "c1"), ("uid", "ann")]), Some(expected()));
        assert_eq!(read(&[("authorization", &bearer)]), Some(expected()));
        assert_eq!(
            read(&[("authorization", &bearer), ("access-token", "t2")]).map(|found| found.1),
            Some("t2".into())
        );
    }

    #[test]
    fn a_plain_bearer_is_the_token_when_the_client_stands_beside_it() {
        assert_eq!(
            read(&[("authorization", "Bearer t1"), ("client", "c1"), ("uid", "ann")]),
            Some(expected())
        );
        assert_eq!(read(&[("authorization", "Bearer t1")]), None);
    }

    #[test]
    fn a_bearer_that_cannot_be_read_neither_overrides_nor_rejects_good_headers() {
        let good = [("access-token", "t1"), ("client", "c1"), ("uid", "ann")];
        for json in ["5", "[1]", "null", "{\"client\":5}", "not json"] {
            let bearer = format!("Bearer {}", STANDARD.encode(json));
            assert_eq!(
                read(&[good[0], good[1], good[2], ("authorization", &bearer)]),
                Some(expected()),
                "{json}"
            );
            assert_eq!(read(&[("authorization", &bearer)]), None, "{json}");
        }
        assert_eq!(read(&[("authorization", "Bearer"), good[0], good[1], good[2]]), Some(expected()));
    }

    #[test]
    fn what_cannot_be_a_token_is_no_credential() {
        assert_eq!(read(&[("access-token", "t 1"), ("client", "c1")]), None);
        assert_eq!(read(&[("access-token", " "), ("client", "c1")]), None);
    }
}
