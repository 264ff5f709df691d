//! Who is calling, as far as the connection tells: request id, address, device.

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header::{AUTHORIZATION, HeaderMap, USER_AGENT};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use domain_kernel::Origin;
use domain_users::Device;
use ipnet::IpNet;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Name of the header that carries the request id both ways.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// What a request without a session is known by. Every handler may ask for it.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// Request id and address.
    pub(crate) origin: Origin,
    /// The device, for a session that is opened.
    pub(crate) device: Device,
}

impl Visitor {
    /// Reads the request, and remembers what was read in it.
    pub(crate) fn note(request: &ServiceRequest, trusted_proxies: &[IpNet]) -> String {
        let headers = request.headers();
        let ip = request.peer_addr().map(|peer| client_address(peer.ip(), headers, trusted_proxies));
        let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let device = Device { user_agent: user_agent.map(|agent| agent.chars().take(200).collect()), ip };
        let request_id = request_id(headers);
        let origin = Origin { request_id: request_id.clone(), ip };
        request.extensions_mut().insert(Self { origin, device });
        request_id
    }
}

impl FromRequest for Visitor {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visitor = request.extensions().get::<Self>().cloned();
        ready(Ok(visitor.unwrap_or_else(|| Self { origin: Origin::default(), device: Device::default() })))
    }
}

/// Whether a machine shows this token, as `Authorization: Bearer …`. How long it takes tells nothing of the token.
pub(crate) fn shows_token(request: &HttpRequest, token: &str) -> bool {
    let expected = format!("Bearer {token}");
    request
        .headers()
        .get(AUTHORIZATION)
        .is_some_and(|sent| bool::from(sent.as_bytes().ct_eq(expected.as_bytes())))
}

/// The id that came with the request if it is 1 to 128 visible ASCII characters, else a new one.
#[expect(clippy::disallowed_methods, reason = "a request id means nothing to the domain and no test sets it")]
fn request_id(headers: &HeaderMap) -> String {
    let is_fit = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_fit);
    sent.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

/// The address that the nearest proxy we do not know saw. Without a trusted proxy that is the peer: anybody can write an
/// `X-Forwarded-For`.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(&ip.to_canonical()));
    if !is_trusted(&peer) {
        return peer;
    }
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|v| v.split(','))
        .collect();
    let mut nearest = peer;
    for hop in forwarded.iter().rev() {
        let Ok(ip) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        nearest = ip;
        if !is_trusted(&ip) {
            break;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: &'static str, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
        let (proxy, stranger) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([198, 51, 100, 7]));
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
        let sent = headers("x-forwarded-for", &["6.6.6.6, 203.0.113.9", "10.0.0.2"]);
        assert_eq!(client_address(stranger, &sent, &trusted), stranger);
        assert_eq!(client_address(proxy, &sent, &trusted), IpAddr::from([203, 0, 113, 9]));
        assert_eq!(client_address(proxy, &headers("x-forwarded-for", &["nonsense"]), &trusted), proxy);
    }

    #[test]
    fn a_request_id_is_kept_when_it_is_fit_for_a_header_and_a_log() {
        assert_eq!(request_id(&headers(REQUEST_ID, &["abc-1"])), "abc-1");
        assert_eq!(request_id(&headers(REQUEST_ID, &["a b"])).len(), 36);
        assert_eq!(request_id(&HeaderMap::new()).len(), 36);
    }
}
