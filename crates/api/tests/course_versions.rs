//! Versions of courses: drafts, publishing, archiving, and what learners keep.

mod common;

use common::{Answer, Person, TestApp, expect_by_role, id_of, keys, time, with};
use reqwest::Method;
use serde_json::{Value, json};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";

/// A server, a staff admin and a course of the library.
struct Place {
    app: TestApp,
    staff: Person,
    course: String,
}

impl Place {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let staff = app.staff("staff-admin", "admin").await;
        let course = course(&app, &staff).await;
        Self { app, staff, course }
    }

    fn versions(&self) -> String {
        format!("/worklete_admin/courses/{}/versions", self.course)
    }

    async fn call(&self, method: Method, rest: &str, body: Option<Value>) -> Answer {
        self.app.call_as(&self.staff, method, &format!("{}{rest}", self.versions()), body).await
    }

    async fn get(&self, rest: &str) -> Answer {
        self.call(Method::GET, rest, None).await
    }

    async fn open(&self, data: Value) -> Answer {
        self.call(Method::POST, "", Some(json!({ "data": data }))).await
    }

    async fn draft(&self, title: &str) -> Value {
        let answer = self.open(json!({ "title": title })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json
    }

    async fn change(&self, version: &Value, body: Value) -> Answer {
        self.call(Method::PATCH, &format!("/{}", id_of(version)), Some(body)).await
    }

    async fn act(&self, version: &Value, verb: &str) -> Answer {
        self.call(Method::POST, &format!("/{}/{verb}", id_of(version)), None).await
    }

    async fn published(&self, title: &str) -> Value {
        let draft = self.draft(title).await;
        let answer = self.act(&draft, "publish").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json
    }

    async fn course(&self) -> Value {
        let path = format!("/worklete_admin/courses/{}", self.course);
        self.app.call_as(&self.staff, Method::GET, &path, None).await.json
    }

    /// The audit rows from this one on, as action and subject.
    fn audit_from(&self, row: usize) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let rows = self.app.audit();
        rows.iter().skip(row).map(|row| (text(&row["action"]), text(&row["subject_id"]))).collect()
    }
}

async fn course(app: &TestApp, staff: &Person) -> String {
    let body = json!({ "name": "Lifting" });
    let answer = app.call_as(staff, Method::POST, "/worklete_admin/courses", Some(body)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    id_of(&answer.json)
}

#[tokio::test]
async fn a_draft_is_answered_whole_read_back_the_same_and_audited_without_its_content() {
    let place = Place::start().await;
    let data = json!({
        "title": "Heben & \"Tragen\" – 作業 🏋", "pages": [{ "kind": "video", "s": 12.5 }, []], "": null, "big": 1e300,
        "many": 9_007_199_254_740_993_i64, "flag": false
    });
    let answer = place.open(data.clone()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let version = &answer.json;
    assert_eq!(
        keys(version),
        [
            "archived_at",
            "course_id",
            "created_at",
            "created_by_id",
            "data",
            "id",
            "lock_version",
            "number",
            "published_at",
            "status",
            "updated_at"
        ]
    );
    for (field, expected) in [
        ("course_id", json!(place.course)),
        ("number", json!(1)),
        ("status", json!("draft")),
        ("data", data),
        ("created_by_id", place.staff.data["id"].clone()),
        ("updated_at", version["created_at"].clone()),
        ("published_at", Value::Null),
        ("archived_at", Value::Null),
        ("lock_version", json!(0)),
    ] {
        assert_eq!(version[field], expected, "{field}");
    }
    let employee = place.app.staff("staff-employee", "employee").await;
    let path = format!("{}/{}", place.versions(), id_of(version));
    for reader in [&place.staff, &employee] {
        let read = place.app.call_as(reader, Method::GET, &path, None).await;
        assert_eq!((read.status, &read.json), (200, version));
    }
    let audit = place.app.audit();
    let row = audit.last().expect("a row");
    assert_eq!(
        (&row["action"], &row["subject_kind"]),
        (&json!("course_version.create"), &json!("course_version"))
    );
    assert_eq!((&row["subject_id"], &row["actor_id"]), (&version["id"], &place.staff.data["id"]));
    assert!(!row.to_string().contains("Heben"), "{row}");
    assert_eq!(keys(&row["after"]), ["data_bytes", "number"]);
}

#[tokio::test]
async fn a_course_has_one_draft_at_most_and_force_makes_room() {
    let place = Place::start().await;
    let first = place.draft("first").await;
    let refused = place.open(json!({ "title": "second" })).await;
    let problem = refused.problem(409, "draft_exists");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.contains("Version 1") && detail.contains(&id_of(&first)), "{detail}");
    let body = Some(json!({ "data": { "title": "second" } }));
    place.call(Method::POST, "?force=false", body.clone()).await.problem(409, "draft_exists");
    let rows = place.app.audit().len();
    let second = place.call(Method::POST, "?force=true", body).await;
    assert_eq!((second.status, &second.json["number"]), (201, &json!(2)));
    let dropped = place.get(&format!("/{}", id_of(&first))).await.json;
    let expected = json!({
        "status": "archived", "archived_at": second.json["created_at"], "updated_at": second.json["created_at"],
        "lock_version": 1
    });
    assert_eq!(dropped, with(&first, &expected));
    let expected = [("course_version.create", &second.json), ("course_version.archive", &first)];
    assert_eq!(place.audit_from(rows), expected.map(|(action, version)| (action.into(), id_of(version))));
}

#[tokio::test]
async fn an_editor_replaces_the_whole_content_and_never_overwrites_another_one() {
    let place = Place::start().await;
    let draft = place.draft("first").await;
    let changed = place.change(&draft, json!({ "data": { "pages": [1] }, "lock_version": 0 })).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let expected = json!({
        "data": { "pages": [1] }, "lock_version": 1, "updated_at": changed.json["updated_at"]
    });
    assert_eq!(changed.json, with(&draft, &expected));
    assert!(time(&changed.json["updated_at"]) > time(&draft["updated_at"]));
    let rows = place.app.audit().len();
    let late = place.change(&draft, json!({ "data": { "pages": [2] }, "lock_version": 0 })).await;
    late.problem(409, "version_conflict");
    let late = place.change(&draft, json!({ "status": "published", "lock_version": 0 })).await;
    late.problem(409, "version_conflict");
    for same in [json!({}), json!({ "lock_version": 1 }), json!({ "data": { "pages": [1] } })] {
        let answer = place.change(&draft, same.clone()).await;
        assert_eq!((answer.status, &answer.json), (200, &changed.json), "{same}");
    }
    assert_eq!(place.app.audit().len(), rows, "nothing was changed");
    let path = format!("/{}", id_of(&draft));
    let put = place.call(Method::PUT, &path, Some(json!({ "data": { "pages": [3] } }))).await;
    assert_eq!((put.status, &put.json["data"]), (200, &json!({ "pages": [3] })));
    assert_eq!(place.get(&path).await.json, put.json);
    let row = place.app.audit().pop().expect("a row");
    assert_eq!((&row["action"], keys(&row["after"])), (&json!("course_version.update"), vec!["data_bytes"]));
}

#[tokio::test]
async fn publishing_archives_the_version_before_and_shows_in_the_course() {
    let place = Place::start().await;
    assert_eq!(place.course().await["published_version_id"], Value::Null);
    let first = place.published("first").await;
    assert_eq!(first["published_at"], first["updated_at"]);
    let course = place.course().await;
    assert_eq!(
        (&course["published_version_id"], &course["published_version_number"]),
        (&first["id"], &json!(1))
    );
    let draft = place.draft("second").await;
    assert_eq!(place.course().await, course, "a draft does not show");
    let rows = place.app.audit().len();
    let body = json!({ "data": { "title": "better" }, "status": "published", "lock_version": 0 });
    let second = place.change(&draft, body).await;
    assert_eq!((second.status, &second.json["status"]), (200, &json!("published")), "{second:?}");
    assert_eq!(second.json["data"], json!({ "title": "better" }));
    let course = place.course().await;
    assert_eq!(
        (&course["published_version_id"], &course["published_version_number"]),
        (&draft["id"], &json!(2))
    );
    let replaced = place.get(&format!("/{}", id_of(&first))).await.json;
    assert_eq!((&replaced["status"], &replaced["data"]), (&json!("archived"), &first["data"]));
    assert_eq!(
        (&replaced["published_at"], &replaced["archived_at"]),
        (&first["published_at"], &second.json["published_at"])
    );
    let expected = [
        ("course_version.update", &draft),
        ("course_version.archive", &first),
        ("course_version.publish", &draft),
    ];
    assert_eq!(place.audit_from(rows), expected.map(|(action, version)| (action.into(), id_of(version))));

    for again in [
        place.act(&draft, "publish").await,
        place.change(&draft, json!({ "status": "published" })).await,
        place.change(&draft, json!({ "status": "published", "lock_version": 0 })).await,
    ] {
        assert_eq!((again.status, &again.json), (200, &second.json));
    }
    assert_eq!(place.audit_from(rows).len(), 3, "publishing twice is publishing once");
    let change = json!({ "data": { "title": "other" } });
    place.change(&draft, change.clone()).await.problem(409, "version_not_draft");
    place.change(&first, change).await.problem(409, "version_not_draft");
    place.act(&first, "publish").await.problem(409, "version_archived");
    place.change(&first, json!({ "status": "published" })).await.problem(409, "version_archived");
    assert_eq!(place.course().await, course);
}

#[tokio::test]
async fn an_archived_version_is_kept_and_the_course_has_none_until_another_is_published() {
    let place = Place::start().await;
    let version = place.published("first").await;
    let draft = place.draft("second").await;
    for version in [&draft, &version] {
        let rows = place.app.audit().len();
        let archived = place.act(version, "archive").await;
        assert_eq!((archived.status, &archived.json["status"]), (200, &json!("archived")));
        assert_eq!(archived.json["archived_at"], archived.json["updated_at"]);
        assert_eq!(archived.json["published_at"], version["published_at"]);
        assert_eq!(place.act(version, "archive").await.json, archived.json);
        assert_eq!(place.get(&format!("/{}", id_of(version))).await.json, archived.json);
        assert_eq!(place.audit_from(rows), [("course_version.archive".to_owned(), id_of(version))]);
    }
    assert_eq!(place.course().await["published_version_id"], Value::Null);
    let third = place.published("third").await;
    assert_eq!(third["number"], 3);
    assert_eq!(place.course().await["published_version_number"], 3);
}

#[tokio::test]
async fn learners_who_have_not_started_follow_and_an_archived_course_is_taken_back() {
    let place = Place::start().await;
    let (app, staff) = (&place.app, &place.staff);
    let organization = app.organization(staff, "Harbor").await;
    let first = place.published("first").await;
    for (username, state) in [("unstarted", "assigned"), ("started", "in_progress"), ("done", "completed")] {
        let learner = app.member(staff, &organization, username, json!({})).await;
        let completed = if state == "completed" { "now()" } else { "NULL" };
        app.database.execute(&format!(
            "INSERT INTO assignments (id, organization_id, membership_id, user_id, course_id, course_version_id, state, \
             source, assigned_at, completed_at, updated_at) VALUES (gen_random_uuid(), '{organization}', '{}', '{}', '{}', \
             '{}', '{state}', 'basics', now(), {completed}, now())",
            learner.membership(),
            id_of(&learner.data),
            place.course,
            id_of(&first)
        ));
    }
    let seen = || {
        app.database.rows(
            "SELECT u.username || ' ' || v.number || ' ' || a.state FROM assignments a JOIN users u ON u.id = a.user_id \
             JOIN course_versions v ON v.id = a.course_version_id ORDER BY u.username DESC",
        )
    };
    assert_eq!(
        seen(),
        ["(\"unstarted 1 assigned\")", "(\"started 1 in_progress\")", "(\"done 1 completed\")"]
    );
    place.published("second").await;
    assert_eq!(
        seen(),
        ["(\"unstarted 2 assigned\")", "(\"started 1 in_progress\")", "(\"done 1 completed\")"]
    );
    let path = format!("/worklete_admin/courses/{}", place.course);
    let archived = app.call_as(staff, Method::PATCH, &path, Some(json!({ "archived": true }))).await;
    assert_eq!(archived.status, 200, "{archived:?}");
    assert_eq!(
        seen(),
        ["(\"unstarted 2 withdrawn\")", "(\"started 1 withdrawn\")", "(\"done 1 completed\")"]
    );
}

#[tokio::test]
async fn the_list_is_newest_first_and_without_content_unless_asked() {
    let place = Place::start().await;
    for title in ["first", "second", "third"] {
        place.published(title).await;
    }
    place.draft("fourth").await;
    let numbers = |answer: &Answer| -> Vec<i64> {
        let rows = answer.json.as_array().expect("a list");
        rows.iter().map(|row| row["number"].as_i64().expect("a number")).collect()
    };
    for (query, expected) in [
        ("", vec![4, 3, 2, 1]),
        ("?sort=-created_at", vec![4, 3, 2, 1]),
        ("?sort=created_at", vec![1, 2, 3, 4]),
        ("?sort=-published_at", vec![3, 2, 1, 4]),
        ("?sort=published_at,-created_at", vec![1, 2, 3, 4]),
        ("?size=2&page=2", vec![2, 1]),
        ("?size=3", vec![4, 3, 2]),
        ("?page=9", vec![]),
    ] {
        let answer = place.get(query).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(numbers(&answer), expected, "{query}");
        assert_eq!(answer.header("x-total-count"), Some("4"));
        for row in answer.json.as_array().expect("a list") {
            assert!(row.get("data").is_none(), "{row}");
        }
    }
    let whole = place.get("?include=data").await;
    for row in whole.json.as_array().expect("a list") {
        assert_eq!(row, &place.get(&format!("/{}", id_of(row))).await.json);
    }
    let per_page = |answer: &Answer| answer.header("x-per-page").map(str::to_owned);
    assert_eq!(per_page(&place.get("").await).as_deref(), Some("25"));
    assert_eq!(per_page(&place.get("?size=1000").await).as_deref(), Some("200"));
    assert_eq!(per_page(&place.get("?size=1000&include=data").await).as_deref(), Some("25"));
    for (query, field, code) in [
        ("?sort=number", "sort", "unknown"),
        ("?include=everything", "include", "invalid"),
        ("?page=0", "page", "invalid"),
        ("?size=x", "size", "invalid"),
        ("?srot=created_at", "srot", "unknown"),
    ] {
        let answer = place.get(query).await;
        assert_eq!(answer.fields(), &json!({ field: [code] }), "{query}");
    }
}

#[tokio::test]
async fn a_version_is_of_its_course_only() {
    let place = Place::start().await;
    let version = place.draft("first").await;
    let other = course(&place.app, &place.staff).await;
    let version = id_of(&version);
    for (course, version) in [
        (other.as_str(), version.as_str()),
        (UNKNOWN, &version),
        (&place.course, UNKNOWN),
        (&place.course, "first"),
        ("lifting", &version),
    ] {
        let path = format!("/worklete_admin/courses/{course}/versions/{version}");
        let data = json!({ "data": {} });
        for (method, rest, body) in [
            (Method::GET, "", None),
            (Method::PATCH, "", Some(data.clone())),
            (Method::PUT, "", Some(data)),
            (Method::POST, "/publish", None),
            (Method::POST, "/archive", None),
        ] {
            let answer = place.app.call_as(&place.staff, method, &format!("{path}{rest}"), body).await;
            answer.problem(404, "not_found");
        }
    }
    for course in [UNKNOWN, "lifting"] {
        let path = format!("/worklete_admin/courses/{course}/versions");
        place.app.call_as(&place.staff, Method::GET, &path, None).await.problem(404, "not_found");
        let body = Some(json!({ "data": {} }));
        place.app.call_as(&place.staff, Method::POST, &path, body).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn what_is_no_content_is_told_by_field_and_never_breaks_the_server() {
    let place = Place::start().await;
    let draft = place.draft("first").await;
    for (wrong, fields) in [
        (json!({ "data": null }), json!({ "data": ["blank"] })),
        (json!({ "data": [] }), json!({ "data": ["invalid"] })),
        (json!({ "data": "text" }), json!({ "data": ["invalid"] })),
        (json!({ "data": { "a": ["\u{0}"] } }), json!({ "data": ["invalid"] })),
        (json!({ "data": { "a\u{0}": 1 } }), json!({ "data": ["invalid"] })),
        (json!({ "data": { "a": "x".repeat(1024 * 1024) } }), json!({ "data": ["too_long"] })),
    ] {
        let refused = place.call(Method::POST, "?force=true", Some(wrong.clone())).await;
        assert_eq!(refused.fields(), &fields);
        assert_eq!(place.change(&draft, wrong).await.fields(), &fields);
    }
    let missing = place.call(Method::POST, "?force=true", Some(json!({ "title": "first" }))).await;
    assert_eq!(missing.fields(), &json!({ "data": ["blank"] }));
    let both = place.call(Method::POST, "?force=yes", Some(json!({ "data": 1 }))).await;
    assert_eq!(both.fields(), &json!({ "data": ["invalid"], "force": ["invalid"] }));
    for (wrong, field, code) in [
        (json!({ "status": "draft" }), "status", "invalid"),
        (json!({ "status": "archived" }), "status", "invalid"),
        (json!({ "status": null }), "status", "blank"),
        (json!({ "lock_version": null }), "lock_version", "blank"),
        (json!({ "lock_version": "0" }), "lock_version", "invalid"),
        (json!({ "lock_version": 0.5 }), "lock_version", "invalid"),
        (json!({ "lock_version": 1e20 }), "lock_version", "invalid"),
    ] {
        assert_eq!(place.change(&draft, wrong).await.fields(), &json!({ field: [code] }));
    }
    let deep = format!("{{\"data\":{}{}}}", "{\"a\":".repeat(200), "1}".to_owned() + &"}".repeat(199));
    for raw in [
        deep.as_str(),
        r#"{"data":{"a":1e999}}"#,
        r#"{"data":{"a":"\ud800"}}"#,
        r#"{"data":{"a":01}}"#,
        r#"{"data":{}"#,
        r#"[{"a":1}]"#,
    ] {
        let request = place.app.request(Method::POST, &place.versions());
        let request = place.staff.sign(request).header("content-type", "application/json");
        let answer = place.app.send(request.body(raw.to_owned())).await;
        answer.problem(400, "malformed_body");
    }
    assert_eq!(place.get(&format!("/{}", id_of(&draft))).await.json, draft);
    assert_eq!(place.app.database.rows("SELECT count(*) FROM course_versions"), ["(1)"]);
}

#[tokio::test]
async fn odd_content_is_kept() {
    let place = Place::start().await;
    let deep = format!("{}1{}", "{\"a\":".repeat(120), "}".repeat(120));
    let digits = format!("{{\"a\":{}}}", "9".repeat(300));
    for raw in [
        deep.as_str(),
        &digits,
        r#"{"a":1,"a":2}"#,
        r#"{"a":1e-400,"b":-0.0,"c":1e5,"d":1e22,"e":18446744073709551615}"#,
        r#"{"\u0001":"\u001f\u2028\ufeff","'; DROP TABLE users; --":"$1 {} %s"}"#,
    ] {
        let request = place.app.request(Method::POST, &format!("{}?force=true", place.versions()));
        let request = place.staff.sign(request).header("content-type", "application/json");
        let answer = place.app.send(request.body(format!("{{\"data\":{raw}}}"))).await;
        assert_eq!(answer.status, 201, "{raw}: {answer:?}");
        let sent: Value = serde_json::from_str(raw).expect("JSON");
        assert_eq!(answer.json["data"], sent, "{raw}");
        let read = place.get(&format!("/{}", id_of(&answer.json))).await;
        let (read, sent) = (read.json["data"].to_string(), sent.to_string());
        // Storage writes some numbers in another way, never another number.
        let spelled =
            |text: String| text.replace("-0.0", "0").replace("0.0", "0").replace("100000.0", "100000");
        if !raw.contains("1e22") && !raw.contains("999") {
            assert_eq!(spelled(read), spelled(sent), "{raw}");
        }
    }
}

#[tokio::test]
async fn content_at_its_limit_is_taken_with_the_usual_settings() {
    let place = Place::start().await;
    let frame = json!({ "text": "" }).to_string().len();
    let data = json!({ "text": "x".repeat(1024 * 1024 - frame) });
    let draft = place.open(data.clone()).await;
    assert_eq!(draft.status, 201, "{}", draft.text.len());
    let read = place.get(&format!("/{}", id_of(&draft.json))).await;
    assert!(read.json["data"] == data, "read back whole");
    let longer = json!({ "data": { "text": "x".repeat(1024 * 1024 - frame + 1) } });
    let refused = place.change(&draft.json, longer).await;
    assert_eq!(refused.fields(), &json!({ "data": ["too_long"] }));
    let huge = json!({ "data": { "text": "x".repeat(3 * 1024 * 1024) } });
    place.change(&draft.json, huge).await.problem(413, "body_too_large");
}

#[tokio::test]
async fn of_two_drafts_at_once_one_is_made_and_of_many_publishers_all_agree() {
    let place = Place::start().await;
    for round in 1..=3 {
        let (a, b) = (place.open(json!({ "editor": "a" })), place.open(json!({ "editor": "b" })));
        let (a, b) = tokio::join!(a, b);
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{a:?} {b:?}");
        let (made, refused) = if a.status == 201 { (a, b) } else { (b, a) };
        refused.problem(409, "draft_exists");
        assert_eq!(made.json["number"], round);
        let rows = place.app.audit().len();
        let (a, b, c) = tokio::join!(
            place.act(&made.json, "publish"),
            place.act(&made.json, "publish"),
            place.change(&made.json, json!({ "data": { "editor": "c" } }))
        );
        assert_eq!((a.status, b.status), (200, 200), "{a:?} {b:?}");
        let revised = i32::from(c.status == 200);
        if revised == 0 {
            c.problem(409, "version_not_draft");
        }
        let published = place.get(&format!("/{}", id_of(&made.json))).await.json;
        let editor = if revised == 1 { &c.json["data"] } else { &made.json["data"] };
        assert_eq!((&published["status"], &published["data"]), (&json!("published"), editor));
        assert_eq!(published["lock_version"], 1 + revised);
        let actions = place.audit_from(rows);
        let publishings = actions.iter().filter(|(action, _)| action == "course_version.publish").count();
        assert_eq!(publishings, 1, "{actions:?}");
    }
    let published = place.app.database.rows("SELECT number FROM course_versions WHERE status = 'published'");
    assert_eq!(published, ["(3)"]);
}

#[tokio::test]
async fn staff_admins_write_versions_and_employees_read_them() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let staff = cast.person("staff admin");
    let course = course(&app, staff).await;
    let versions = format!("/worklete_admin/courses/{course}/versions");
    let body = Some(json!({ "data": {} }));
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    expect_by_role(
        &app,
        &cast,
        Method::POST,
        &versions,
        body.clone(),
        [401, 403, 403, 403, 403, 403, 403, 201],
    )
    .await;
    let listed = app.call_as(staff, Method::GET, &versions, None).await.json;
    let version = format!("{versions}/{}", id_of(&listed[0]));
    for path in [&versions, &version] {
        expect_by_role(&app, &cast, Method::GET, path, None, [401, 403, 403, 403, 403, 403, 200, 200]).await;
    }
    for method in [Method::PATCH, Method::PUT] {
        let expected = [401, 403, 403, 403, 403, 403, 403, 200];
        expect_by_role(&app, &cast, method, &version, body.clone(), expected).await;
    }
    for verb in ["publish", "archive"] {
        let (path, expected) = (format!("{version}/{verb}"), [401, 403, 403, 403, 403, 403, 403, 200]);
        expect_by_role(&app, &cast, Method::POST, &path, None, expected).await;
    }
}
