//! HTTPS by the server itself.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use common::TestApp;
use reqwest::Method;
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use rustls_pki_types::CertificateDer;

/// A server with a certificate of its own for `localhost`.
struct Secure {
    app: TestApp,
    certificate: CertificateDer<'static>,
    _files: tempfile::TempDir,
}

async fn secure() -> Secure {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]);
    let made = made.expect("a certificate");
    let files = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("writes");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("writes");
    let app = TestApp::start_with(&[
        ("TLS_CERT", certificate.to_str().expect("a path")),
        ("TLS_KEY", key.to_str().expect("a path")),
    ])
    .await;
    Secure { app, certificate: made.cert.der().clone(), _files: files }
}

/// Connects, checking the certificate, and offers these protocols.
fn connect(
    server: &Secure,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(server.certificate.clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = "localhost".try_into().expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    let address = server.app.origin.trim_start_matches("https://");
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).expect("connects"));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).expect("shakes hands");
    }
    stream
}

#[tokio::test]
async fn the_api_is_served_over_https_and_browsers_are_told_to_stay_there() {
    let server = secure().await;
    let app = &server.app;
    assert!(app.origin.starts_with("https://"), "{}", app.origin);
    let staff = app.staff("staff-admin", "admin").await;
    for path in ["/auth/validate_token", "/nothing", "//healthz", "//docs", "//openapi.json"] {
        let answer = app.call_as(&staff, Method::GET, path, None).await;
        assert!([200, 404].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{path}");
    }
    app.organization(&staff, "Harbor").await;
}

#[tokio::test]
async fn the_certificate_is_the_configured_one_and_old_versions_are_refused() {
    let server = secure().await;
    for (version, expected) in [
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
    ] {
        let mut stream = connect(&server, &[version], &[b"http/1.1"]);
        assert_eq!(stream.conn.protocol_version(), Some(expected));
        assert_eq!(stream.conn.peer_certificates(), Some([server.certificate.clone()].as_slice()));
        write!(stream, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .expect("sends");
        let mut start = [0; 15];
        stream.read_exact(&mut start).expect("answers");
        assert_eq!(&start, b"HTTP/1.1 200 OK");
    }
}

#[tokio::test]
async fn a_client_that_can_gets_http_2() {
    let server = secure().await;
    let chosen = |protocols: &[&[u8]]| {
        let stream = connect(&server, rustls::ALL_VERSIONS, protocols);
        stream.conn.alpn_protocol().map(<[u8]>::to_vec)
    };
    assert_eq!(chosen(&[b"h2", b"http/1.1"]), Some(b"h2".to_vec()));
    assert_eq!(chosen(&[b"http/1.1"]), Some(b"http/1.1".to_vec()));
    assert_eq!(chosen(&[]), None);

    let mut stream = connect(&server, rustls::ALL_VERSIONS, &[b"h2"]);
    // The preface and an empty SETTINGS frame; the answer begins with the server's own SETTINGS frame (type 4).
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").expect("sends");
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).expect("answers");
    assert_eq!(frame[3], 4, "{frame:?}");
}

#[tokio::test]
async fn plain_http_and_nonsense_hurt_nobody_else() {
    let server = secure().await;
    let address = server.app.origin.trim_start_matches("https://").to_owned();
    for sent in [b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".as_slice(), b"\x16\x03\x01\xff\xff", b""]
    {
        let mut stream = TcpStream::connect(&address).expect("connects");
        stream.write_all(sent).expect("sends");
        stream.shutdown(std::net::Shutdown::Write).expect("ends");
        let mut answer = Vec::new();
        // Cut off or closed: both are fine, plain content is not.
        drop(stream.read_to_end(&mut answer));
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
        assert_eq!(server.app.call(Method::GET, "//healthz", None).await.status, 200);
    }
}
