//! What all answers have in common: shape of errors, request ids, headers, and requests that cannot be read.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::{Answer, Person, TestApp};
use reqwest::Method;
use serde_json::json;

const COURSES: &str = "/worklete_admin/courses";

/// Sends a body as it is.
async fn post(
    app: &TestApp,
    person: &Person,
    path: &str,
    content_type: &str,
    body: impl Into<Vec<u8>>,
) -> Answer {
    let mut request = person.sign(app.request(Method::POST, path));
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    app.send(request.body(body.into())).await
}

#[tokio::test]
async fn unknown_paths_are_not_found() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    for path in [
        "//",
        "//api",
        "//api/v1",
        "//api/v2/auth",
        "//index.html",
        "//docs/assets/none.js",
        "//docs/assets/..%2Findex.html",
        "/nothing",
        "/teams",
        "/search",
        "/worklete_admin",
        "/worklete_admin/courses/1/2/3",
        "/%00",
        "/%FF%FE",
        "/invitations",
    ] {
        for method in [Method::GET, Method::POST] {
            let answer = app.call(method.clone(), path, None).await;
            answer.problem(404, "not_found");
            let answer = app.call_as(&staff, method, path, None).await;
            answer.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let app = TestApp::start().await;
    let document = serde_json::to_value(api::openapi::document()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() > 10);
    for (path, item) in paths {
        let concrete = path
            .replace("{code}", "ZZZZZZ")
            .replace("{username}", "somebody")
            .replace("{id}", "00000000-0000-4000-8000-000000000001")
            .replace("{organization_id}", "00000000-0000-4000-8000-000000000001")
            .replace("{team_id}", "00000000-0000-4000-8000-000000000001")
            .replace("{user_id}", "00000000-0000-4000-8000-000000000001")
            .replace("{membership_id}", "00000000-0000-4000-8000-000000000001")
            .replace("{training_category_id}", "00000000-0000-4000-8000-000000000001")
            .replace("{course_id}", "00000000-0000-4000-8000-000000000001")
            .replace("{version_id}", "00000000-0000-4000-8000-000000000001")
            .replace("{refinement_id}", "00000000-0000-4000-8000-000000000001")
            .replace("{assignment_id}", "00000000-0000-4000-8000-000000000001")
            .replace("{admin_id}", "00000000-0000-4000-8000-000000000001");
        assert!(!concrete.contains('{'), "no sample for {path}");
        let known = ["GET", "POST", "PUT", "PATCH", "DELETE"];
        let allowed: Vec<_> =
            known.into_iter().filter(|method| item.get(method.to_lowercase()).is_some()).collect();
        for method in known.into_iter().filter(|method| !allowed.contains(method)) {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let answer = app.call(method.clone(), &format!("/{concrete}"), None).await;
            assert_eq!(answer.status, 405, "{method} {concrete}: {answer:?}");
            assert_eq!(answer.json["code"], "method_not_allowed");
            assert_eq!(answer.header("allow"), Some(allowed.join(", ").as_str()), "{method} {concrete}");
            for method in &allowed {
                assert!(answer.text.contains(method), "{answer:?}");
            }
        }
    }
    app.call(Method::DELETE, COURSES, None).await.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_whether_they_say_their_length_or_not() {
    let app = TestApp::start_with(&[("MAX_BODY_BYTES", "2048")]).await;
    let staff = app.staff("staff-admin", "admin").await;
    let body = |length: usize| {
        let frame = json!({ "name": "Lifting", "padding": "" }).to_string().len();
        json!({ "name": "Lifting", "padding": "x".repeat(length - frame) }).to_string()
    };
    let just = post(&app, &staff, COURSES, "application/json", body(2048)).await;
    assert_eq!(just.status, 201, "{just:?}");
    let over = post(&app, &staff, COURSES, "application/json", body(2049)).await;
    over.problem(413, "body_too_large");

    let address = app.origin.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).expect("connects");
    let (token, client) = (&staff.token, &staff.client);
    let head = format!(
        "POST /api/v1{COURSES} HTTP/1.1\r\nhost: localhost\r\naccess-token: {token}\r\nclient: {client}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    let chunk = body(2049);
    write!(stream, "{head}{:x}\r\n{chunk}\r\n0\r\n\r\n", chunk.len()).expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answers");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("body_too_large"), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up_in_time() {
    let app = TestApp::start_with(&[("BODY_TIMEOUT_SECONDS", "1")]).await;
    let staff = app.staff("staff-admin", "admin").await;
    let (address, token, client) =
        (app.origin.trim_start_matches("http://").to_owned(), staff.token, staff.client);
    let answered = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
        write!(
            stream,
            "POST /api/v1{COURSES} HTTP/1.1\r\nhost: localhost\r\naccess-token: {token}\r\nclient: {client}\r\n\
             content-type: application/json\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{\"name\":"
        )
        .expect("sends");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("answers");
        String::from_utf8_lossy(&answer).into_owned()
    });
    assert_eq!(answered.await.expect("reads"), "HTTP/1.1 408");
}

#[tokio::test]
async fn other_content_types_are_refused() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let body = || json!({ "name": "Lifting" }).to_string();
    for content_type in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "nonsense",
    ] {
        let answer = post(&app, &staff, COURSES, content_type, body()).await;
        answer.problem(415, "unsupported_media_type");
    }
    for content_type in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.api+json",
    ] {
        let answer = post(&app, &staff, COURSES, content_type, body()).await;
        assert_eq!(answer.status, 201, "{content_type}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_json_object_is_refused_without_repeating_it() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let deep = format!("{{\"name\":\"hunter2\",\"padding\":{}", "[".repeat(10_000));
    let bodies: [&[u8]; 13] = [
        b"",
        b"{",
        b"{\"name\":\"hunter2",
        b"{\"name\":\"hunter2\"} x",
        b"{'name':'hunter2'}",
        b"[\"hunter2\"]",
        b" [{\"name\":\"hunter2\"}]",
        b"\"hunter2\"",
        b"5",
        b"null",
        b"{\"name\":\"\xff\xfehunter2\"}",
        b"{\"name\":\"hunter2 \\ud800\"}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let answer = post(&app, &staff, COURSES, "application/json", body).await;
        answer.problem(400, "malformed_body");
        assert!(!answer.text.contains("hunter2"), "{answer:?}");
    }
    let twice =
        post(&app, &staff, COURSES, "application/json", "{\"name\":\"a\",\"name\":\"hunter2\"}").await;
    assert_eq!(twice.status, 400, "{twice:?}");
    assert!(!twice.text.contains("hunter2"), "{twice:?}");
}

#[tokio::test]
async fn an_id_that_is_no_uuid_names_nothing() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let name = || Some(json!({ "name": "Lifting", "first_name": "Demo", "last_name": "Learner" }));
    for id in ["nope", "0", "%00", "123e4567-e89b-12d3-a456-42661417400", "null"] {
        for (method, path) in [
            (Method::GET, format!("{COURSES}/{id}")),
            (Method::POST, format!("/organizations/{id}/teams")),
            (Method::POST, format!("/organizations/{id}/memberships")),
        ] {
            let body = (method == Method::POST).then(name).flatten();
            app.call_as(&staff, method, &path, body).await.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn who_may_not_is_told_so_before_the_request_is_read() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let member = cast.person("org admin");
    for _ in 0..5 {
        for (content_type, body) in
            [("application/json", "{"), ("text/plain", "name"), ("application/json", "{\"name\":5}")]
        {
            for path in [COURSES, "/worklete_admin/organizations"] {
                let answer = post(&app, member, path, content_type, body).await;
                answer.problem(403, "staff_only");
            }
        }
        let answer = app.call_as(member, Method::GET, &format!("{COURSES}/nope"), None).await;
        answer.problem(403, "staff_only");
    }
    let nobody = Person { token: "x".repeat(20), ..member.clone() };
    for path in [
        COURSES.to_owned(),
        "/organizations/nope/teams".into(),
        format!("/organizations/{}/teams", cast.organization),
        format!("/organizations/{}/memberships", cast.organization),
    ] {
        for _ in 0..5 {
            let answer = post(&app, &nobody, &path, "application/json", "{").await;
            answer.problem(401, "not_signed_in");
        }
    }
}

#[tokio::test]
async fn a_typing_error_in_the_query_of_the_staff_area_is_refused() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let staff = cast.person("staff admin");
    let course = app.call_as(staff, Method::POST, COURSES, Some(json!({ "name": "Lifting" }))).await;
    let path = format!("{COURSES}/{}?filtr=basics", common::id_of(&course.json));
    let answer = app.call_as(staff, Method::GET, &path, None).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    app.call_as(cast.person("member"), Method::GET, &path, None).await.problem(403, "staff_only");
    let elsewhere = app.call_as(staff, Method::GET, "/auth/validate_token?filtr=basics", None).await;
    assert_eq!(elsewhere.status, 200);
}

#[tokio::test]
async fn a_request_id_is_kept_or_made_and_stands_in_header_and_body() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let longest = "x".repeat(128);
    for id in ["abc-1", "!~", longest.as_str()] {
        let kept = app.send(app.request(Method::GET, "/nothing").header("x-request-id", id)).await;
        assert_eq!(kept.header("x-request-id"), Some(id));
        assert_eq!(kept.json["request_id"], id);
    }
    let too_long = "x".repeat(129);
    for id in ["", "two words", "tab\there", "über", too_long.as_str()] {
        let made = app.send(app.request(Method::GET, "/nothing").header("x-request-id", id)).await;
        let header = made.header("x-request-id").expect("an id");
        assert!(header.len() == 36 && header != id && uuid::Uuid::parse_str(header).is_ok(), "{made:?}");
        assert_eq!(made.json["request_id"], header);
    }
    let mut seen = Vec::new();
    for path in ["//healthz", "//docs", "//openapi.json", "/nothing", "/auth/validate_token", "/auth/sign_in"]
    {
        let answer = app.call_as(&staff, Method::GET, path, None).await;
        let id = answer.header("x-request-id").expect("an id").to_owned();
        assert!(!seen.contains(&id), "{path}");
        seen.push(id);
    }
    let preflight = app
        .request(Method::OPTIONS, COURSES)
        .header("origin", "https://app.example.org")
        .header("access-control-request-method", "POST")
        .header("x-request-id", "preflight-1");
    let preflight = app.client.execute(preflight.build().expect("a request")).await;
    let preflight = preflight.expect("an answer");
    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()["x-request-id"], "preflight-1");
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_browsers_safe() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    for (path, status) in [
        ("/auth/validate_token", 200),
        ("/invitations/ZZZZZZ", 404),
        ("/invitations/ZZZZZZ/accept", 405),
        ("/nothing", 404),
        ("//nothing", 404),
        ("//healthz", 200),
        ("//readyz", 200),
        ("//metrics", 200),
        ("//docs", 200),
        ("//openapi.json", 200),
    ] {
        let answer = app.call_as(&staff, Method::GET, path, None).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(answer.header("strict-transport-security"), None, "only over TLS");
        let is_api = !path.starts_with("//");
        let caching = answer.header("cache-control");
        if is_api || ["//healthz", "//readyz", "//metrics"].contains(&path) {
            assert_eq!(caching, Some("no-store"), "{path}");
        }
        let content_type = match (is_api, status) {
            (true, 200) => "application/json; charset=utf-8",
            (_, 404 | 405) => "application/problem+json",
            _ => continue,
        };
        assert_eq!(answer.header("content-type"), Some(content_type), "{path}");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let answer = app.call_as(&staff, Method::GET, "/auth/validate_token/", None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(app.call(Method::GET, "//healthz/", None).await.status, 200);
}

#[tokio::test]
async fn no_spelling_of_a_path_slips_past_the_door() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let course = "/worklete%5Fadmin/courses/00000000-0000-4000-8000-000000000001";
    app.call(Method::GET, course, None).await.problem(401, "not_signed_in");
    app.call_as(cast.person("org admin"), Method::GET, course, None).await.problem(403, "staff_only");
    app.call_as(cast.person("staff admin"), Method::GET, course, None).await.problem(404, "not_found");
    let wrong = app.call(Method::POST, "/%61uth/sign_in", Some(json!({ "username": "nobody" }))).await;
    assert_eq!((wrong.status, wrong.header("content-type")), (401, Some("application/json; charset=utf-8")));
}
