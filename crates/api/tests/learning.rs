//! Courses as learners have them: what is current, what phones report, and who reads it.

mod common;

use std::time::Duration;

use common::{Answer, Cast, Person, TestApp, expect_by_role, id_of, keys, with};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";
const SESSION: &str = "00000000-0000-4000-8000-000000000007";

/// An organization whose member is on a team, and two basics of the library.
struct Place {
    app: TestApp,
    cast: Cast,
    basics: [String; 2],
}

impl Place {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let cast = app.cast().await;
        let staff = cast.person("staff admin");
        let basics = [app.basics(staff, 1).await, app.basics(staff, 2).await];
        Self { app, cast, basics }
    }

    fn member(&self) -> &Person {
        self.cast.person("member")
    }

    fn staff(&self) -> &Person {
        self.cast.person("staff admin")
    }

    async fn current(&self, person: &Person, query: &str) -> Answer {
        self.app.call_as(person, Method::GET, &format!("/courses/current{query}"), None).await
    }

    /// Gives the member the first course, an hour ago; gives the phone's time a minute ago.
    async fn begun(&self) -> i64 {
        self.current(self.member(), "").await;
        self.app.database.execute("UPDATE assignments SET assigned_at = now() - interval '1 hour'");
        now_ms(self) - 60_000
    }

    async fn course(&self, person: &Person, course: &str) -> Answer {
        self.app.call_as(person, Method::GET, &format!("/courses/{course}"), None).await
    }

    async fn tell(&self, person: &Person, course: &str, event: Value) -> Answer {
        self.app.call_as(person, Method::POST, &format!("/courses/{course}/events"), Some(event)).await
    }

    async fn tell_all(&self, person: &Person, body: Value) -> Answer {
        self.app.call_as(person, Method::POST, "/courses/events", Some(body)).await
    }

    async fn history(&self, person: &Person, assignment: &str, query: &str) -> Answer {
        let path = format!("/assignments/{assignment}/events{query}");
        self.app.call_as(person, Method::GET, &path, None).await
    }

    /// A course of the organization with a published version, in the pool of everybody.
    async fn pool_course(&self, position: u32) -> String {
        let body = json!({ "name": "Pool", "organization_id": self.cast.organization });
        let course =
            self.app.call_as(self.staff(), Method::POST, "/worklete_admin/courses", Some(body)).await;
        let course = id_of(&course.json);
        self.app.publish(self.staff(), &course, json!({})).await;
        let organization = &self.cast.organization;
        self.app.database.execute(&format!(
            "INSERT INTO training_categories (id, organization_id, name, is_default, created_at, updated_at) \
             VALUES (gen_random_uuid(), '{organization}', 'All', true, now(), now()) ON CONFLICT DO NOTHING; \
             INSERT INTO category_courses SELECT id, '{course}', {position} FROM training_categories"
        ));
        course
    }
}

fn event(event_type: &str, ms: i64, progress: impl Into<Value>) -> Value {
    let progress: Value = progress.into();
    json!({
        "event_type": event_type, "player_session_id": SESSION, "client_supplied_occured_at_in_ms": ms,
        "progress": progress
    })
}

/// The phone's clock, which is right.
fn now_ms(place: &Place) -> i64 {
    let rows = place.app.database.rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
    rows[0].trim_matches(['(', ')']).parse().expect("a number")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text but {value}"))
}

#[tokio::test]
async fn a_learner_goes_through_the_basics_and_then_through_the_pool_one_a_week() {
    let place = Place::start().await;
    let member = place.member();
    let pool = [place.pool_course(1).await, place.pool_course(2).await];
    for (course, source) in
        [(&place.basics[0], "basics"), (&place.basics[1], "basics"), (&pool[0], "course_pool")]
    {
        let answer = place.current(member, "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let current = &answer.json;
        assert_eq!(keys(current), ["assignment", "course", "next_available_at"]);
        assert_eq!(current["next_available_at"], Value::Null);
        assert_eq!(
            keys(&current["course"]),
            [
                "archived_at",
                "basics",
                "created_at",
                "description",
                "id",
                "language_codes",
                "name",
                "organization_id",
                "position",
                "published_version_id",
                "published_version_number",
                "updated_at",
                "version"
            ]
        );
        assert_eq!(keys(&current["course"]["version"]), ["data", "id", "number"]);
        let assignment = &current["assignment"];
        for (field, expected) in [
            ("course_id", json!(course)),
            ("membership_id", json!(member.membership())),
            ("user_id", member.data["id"].clone()),
            ("course_version_id", current["course"]["version"]["id"].clone()),
            ("state", json!("assigned")),
            ("source", json!(source)),
            ("percent", json!(0.0)),
            ("progress", json!({})),
            ("started_at", Value::Null),
            ("completed_at", Value::Null),
            ("last_event_at", Value::Null),
        ] {
            assert_eq!(assignment[field], expected, "{field}");
        }
        assert!(assignment["due_at"].is_string() && assignment["assigned_at"].is_string(), "{assignment}");
        assert_eq!(place.current(member, "").await.json, answer.json, "asking again changes nothing");

        let told = place.tell(member, course, event("complete", now_ms(&place), json!({}))).await;
        assert_eq!((told.status, &told.json["assignment"]["state"]), (200, &json!("completed")));
        assert_eq!(told.json["assignment"]["percent"], json!(100.0));
    }
    let gate = place.current(member, "?explain=true").await.json;
    assert_eq!((&gate["course"], &gate["assignment"]), (&Value::Null, &Value::Null));
    assert!(gate["next_available_at"].is_string(), "{gate}");
    assert_eq!(gate["explanation"]["rule"], "cadence_gate");

    place.app.database.execute("UPDATE organizations SET cadence = 'self_paced'");
    assert_eq!(place.current(member, "").await.json["course"]["id"], json!(pool[1]));
    place.tell(member, &pool[1], event("complete", now_ms(&place), json!({}))).await;
    let nothing = place.current(member, "?explain=true").await.json;
    assert_eq!((&nothing["course"], &nothing["next_available_at"]), (&Value::Null, &Value::Null));
    assert_eq!(nothing["explanation"]["rule"], "nothing_left");
    assert_eq!(keys(&nothing["explanation"]), ["detail", "rule"]);
}

#[tokio::test]
async fn many_calls_at_once_give_one_assignment() {
    let place = Place::start().await;
    let answers = join_all((0..12).map(|_| place.current(place.member(), ""))).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.json), (200, &answers[0].json));
    }
    assert_eq!(place.app.database.rows("SELECT count(*) FROM assignments"), ["(1)"]);
}

#[tokio::test]
async fn the_current_course_is_that_of_the_oldest_active_membership_or_of_the_one_asked_for() {
    let place = Place::start().await;
    let member = place.member();
    let elsewhere = place.app.organization(place.staff(), "Second").await;
    let second = place.app.membership(place.staff(), &elsewhere, json!({})).await;
    let accept = format!("/invitations/{}/accept", text(&second["invite_code"]));
    assert_eq!(place.app.call_as(member, Method::POST, &accept, None).await.status, 200);
    let second = id_of(&second);
    let first = place.current(member, "").await;
    assert_eq!(first.json["assignment"]["membership_id"], json!(member.membership()));
    let other = place.current(member, &format!("?membership_id={second}&unknown=1")).await;
    assert_eq!(other.json["assignment"]["membership_id"], json!(second));

    place.app.database.execute(&format!(
        "UPDATE memberships SET status = 'deactivated', deactivated_at = now() WHERE id = '{second}'"
    ));
    place.current(member, &format!("?membership_id={second}")).await.problem(403, "forbidden");
    let others = place.cast.person("team admin").membership();
    place.current(member, &format!("?membership_id={others}")).await.problem(404, "not_found");
    place.current(member, &format!("?membership_id={UNKNOWN}")).await.problem(404, "not_found");
    for (query, field) in
        [("?membership_id=x", "membership_id"), ("?explain=yes", "explain"), ("?explain=", "explain")]
    {
        let refused = place.current(member, query).await;
        assert_eq!(refused.problem(400, "validation_failed")["fields"], json!({ field: ["invalid"] }));
    }
    for role in ["gone", "staff employee", "staff admin"] {
        place.current(place.cast.person(role), "").await.problem(403, "forbidden");
    }
}

#[tokio::test]
async fn who_has_not_begun_follows_to_a_new_version_and_who_has_stays() {
    let place = Place::start().await;
    let member = place.member();
    let course = &place.basics[0];
    let first = place.current(member, "").await.json["course"]["version"]["id"].clone();
    let second = place.app.publish(place.staff(), course, json!({ "title": "second" })).await;
    let moved = place.current(member, "").await.json;
    assert_ne!(first, json!(second));
    assert_eq!(
        moved["course"]["version"],
        json!({ "id": second, "number": 2, "data": { "title": "second" } })
    );
    place.tell(member, course, event("update_progress", now_ms(&place), json!({ "percent": 1 }))).await;
    let third = place.app.publish(place.staff(), course, json!({ "title": "third" })).await;
    let stayed = place.course(member, course).await.json;
    assert_eq!(stayed["course"]["version"]["id"], json!(second));
    assert_eq!(stayed["course"]["published_version_id"], json!(third));
    assert_eq!(stayed["assignment"]["course_version_id"], json!(second));
    let staff = place.course(place.staff(), course).await.json;
    assert_eq!((&staff["course"]["version"]["id"], &staff["assignment"]), (&json!(third), &Value::Null));
}

#[tokio::test]
async fn a_course_is_read_by_those_who_have_it_or_will_have_it() {
    let place = Place::start().await;
    let member = place.member();
    place.current(member, "").await;
    let in_pool = place.pool_course(1).await;
    let body = json!({ "name": "Unlisted", "organization_id": place.cast.organization });
    let unlisted =
        place.app.call_as(place.staff(), Method::POST, "/worklete_admin/courses", Some(body)).await;
    let unlisted = id_of(&unlisted.json);
    // anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin
    for (course, statuses) in [
        (place.basics[0].as_str(), [401, 403, 403, 200, 403, 403, 200, 200]),
        (in_pool.as_str(), [401, 404, 404, 200, 200, 200, 200, 200]),
        (unlisted.as_str(), [401, 404, 404, 403, 403, 403, 200, 200]),
        (UNKNOWN, [401, 404, 404, 404, 404, 404, 404, 404]),
        ("nonsense", [401, 404, 404, 404, 404, 404, 404, 404]),
    ] {
        let path = format!("/courses/{course}");
        expect_by_role(&place.app, &place.cast, Method::GET, &path, None, statuses).await;
    }
    let answer = place.course(member, &in_pool).await.json;
    assert_eq!((&answer["assignment"], &answer["course"]["id"]), (&Value::Null, &json!(in_pool)));
    assert_eq!(place.course(place.staff(), &unlisted).await.json["course"]["version"], Value::Null);
    place.app.database.execute("UPDATE courses SET archived_at = now()");
    place.course(member, &in_pool).await.problem(403, "forbidden");
}

#[tokio::test]
async fn events_only_ever_move_an_assignment_forward() {
    let place = Place::start().await;
    let (member, course) = (place.member(), &place.basics[0]);
    let start = place.begun().await;
    let told = place
        .tell(member, course, event("update_progress", start + 20, json!({ "percent": 60, "page": 6 })))
        .await;
    assert_eq!(keys(&told.json), ["acknowledged", "assignment", "duplicate", "stale"]);
    let facts = |answer: &Answer| {
        assert_eq!(answer.status, 200, "{answer:?}");
        let json = &answer.json;
        assert_eq!(json["acknowledged"], true);
        let assignment = &json["assignment"];
        (
            json["duplicate"] == true,
            json["stale"] == true,
            assignment["percent"].clone(),
            assignment["progress"]["page"].clone(),
        )
    };
    assert_eq!(facts(&told), (false, false, json!(60.0), json!(6)));
    let same = event("update_progress", start + 20, json!({ "page": 6.0, "percent": 60 }));
    assert_eq!(facts(&place.tell(member, course, same).await), (true, false, json!(60.0), json!(6)));
    let older = event("update_progress", start + 10, json!({ "percent": 70, "page": 3 }));
    assert_eq!(facts(&place.tell(member, course, older).await), (false, true, json!(70.0), json!(6)));
    let done = event("complete", start + 30, Value::Null);
    let done = place.tell(member, course, done).await;
    assert_eq!(facts(&done), (false, false, json!(100.0), json!(6)));
    let again = event("update_progress", start + 40, json!({ "percent": 1, "page": 1 }));
    let again = place.tell(member, course, again).await;
    assert_eq!(facts(&again), (false, false, json!(100.0), json!(1)));
    for field in ["state", "completed_at", "started_at"] {
        assert_eq!(again.json["assignment"][field], done.json["assignment"][field]);
    }
}

#[tokio::test]
async fn a_wrong_clock_is_taken_and_a_time_beyond_all_clocks_is_not() {
    let place = Place::start().await;
    let (member, course) = (place.member(), &place.basics[0]);
    let given = place.current(member, "").await.json["assignment"]["assigned_at"].clone();
    let told = place.tell(member, course, event("update_progress", 0, json!({}))).await;
    assert_eq!((told.status, &told.json["assignment"]["started_at"]), (200, &given));
    let told = place.tell(member, course, event("complete", 253_402_300_799_999, json!({}))).await;
    let completed = text(&told.json["assignment"]["completed_at"]);
    assert!(completed.starts_with("20"), "not the year 9999: {completed}");
}

#[tokio::test]
async fn a_wrong_event_is_told_which_field_is_wrong() {
    let place = Place::start().await;
    let (member, course) = (place.member(), &place.basics[0]);
    place.current(member, "").await;
    let right = event("update_progress", 1, json!({ "percent": 1 }));
    let huge = "x".repeat(64 * 1024);
    let mut cases: Vec<(Value, &str)> = vec![
        (json!({ "event_type": "watched" }), "event_type"),
        (json!({ "event_type": null }), "event_type"),
        (json!({ "event_type": 1 }), "event_type"),
        (json!({ "player_session_id": "x" }), "player_session_id"),
        (json!({ "player_session_id": null }), "player_session_id"),
        (json!({ "progress": [] }), "progress"),
        (json!({ "progress": "x" }), "progress"),
        (json!({ "progress": { "percent": 100.1 } }), "progress"),
        (json!({ "progress": { "percent": -1 } }), "progress"),
        (json!({ "progress": { "percent": "half" } }), "progress"),
        (json!({ "progress": { "a": huge } }), "progress"),
        (json!({ "progress": { "a": "\0" } }), "progress"),
    ];
    for time in [
        json!(null),
        json!(-1),
        json!(1.5),
        json!("1"),
        json!(253_402_300_800_000_i64),
        json!(u64::MAX),
        json!(1e30),
    ] {
        cases.push((json!({ "client_supplied_occured_at_in_ms": time }), "client_supplied_occured_at_in_ms"));
    }
    for (wrong, field) in &cases {
        let body = with(&right, wrong);
        let refused = place.tell(member, course, body.clone()).await;
        let problem = refused.problem(400, "validation_failed");
        assert_eq!(keys(&problem["fields"]), [*field], "{wrong}");
        // The same in a batch, beside a right one.
        let wrong = with(&body, &json!({ "course_id": course }));
        let answer = place
            .tell_all(member, json!({ "events": [wrong, with(&right, &json!({ "course_id": course }))] }))
            .await;
        let results = &answer.json["results"];
        assert_eq!(
            (&results[0]["error"]["status"], &results[0]["error"]["code"]),
            (&json!(400), &json!("validation_failed"))
        );
        assert_eq!(keys(&results[0]["error"]["fields"]), [*field], "{answer:?}");
        assert_eq!(results[1]["acknowledged"], true);
    }
    let empty = place.tell(member, course, json!({})).await;
    let problem = empty.problem(400, "validation_failed");
    assert_eq!(
        keys(&problem["fields"]),
        ["client_supplied_occured_at_in_ms", "event_type", "player_session_id"]
    );
    for (person, course) in [
        (member, UNKNOWN),
        (member, "nonsense"),
        (member, place.basics[1].as_str()),
        (place.staff(), course.as_str()),
        (place.cast.person("team admin"), course.as_str()),
    ] {
        place.tell(person, course, right.clone()).await.problem(404, "not_found");
    }
    assert_eq!(place.app.database.rows("SELECT count(*) FROM progress_events"), ["(1)"], "the right one");
}

#[tokio::test]
async fn a_batch_answers_each_event_and_one_bad_one_spoils_none() {
    let place = Place::start().await;
    let (member, course) = (place.member(), &place.basics[0]);
    let start = place.begun().await;
    let of = |course: &str, event: Value| with(&event, &json!({ "course_id": course }));
    let events = json!({ "events": [
        of(course, event("update_progress", start + 2, json!({ "percent": 20 }))),
        of(UNKNOWN, event("complete", start, json!({}))),
        of(course, event("update_progress", start + 1, json!({ "percent": 10 }))),
        event("complete", start, json!({})),
        "nonsense",
        [],
        of(course, event("update_progress", start + 2, json!({ "percent": 20 }))),
        of("x", event("complete", start, json!({}))),
        of(course, event("complete", start + 3, json!({}))),
    ]});
    let answer = place.tell_all(member, events).await;
    assert_eq!((answer.status, keys(&answer.json)), (200, vec!["results"]), "{answer:?}");
    let results = answer.json["results"].as_array().expect("a list");
    let facts: Vec<Value> = results
        .iter()
        .map(|result| match &result["error"] {
            Value::Null => {
                json!([result["index"], result["duplicate"], result["stale"], result["assignment"]["state"]])
            }
            error => json!([result["index"], error["status"], error["code"], error["fields"]]),
        })
        .collect();
    assert_eq!(
        json!(facts),
        json!([
            [0, false, false, "completed"],
            [1, 404, "not_found", null],
            [2, false, true, "completed"],
            [3, 400, "validation_failed", { "course_id": ["blank"] }],
            [4, 400, "malformed_body", null],
            [5, 400, "malformed_body", null],
            [6, true, false, "completed"],
            [7, 400, "validation_failed", { "course_id": ["invalid"] }],
            [8, false, false, "completed"],
        ])
    );
    assert_eq!(keys(&results[0]), ["acknowledged", "assignment", "duplicate", "index", "stale"]);
    assert_eq!(keys(&results[1]["error"]), ["code", "detail", "status"]);
    assert_eq!(place.app.database.rows("SELECT count(*) FROM progress_events"), ["(3)"]);

    assert_eq!(place.tell_all(member, json!({ "events": [] })).await.json, json!({ "results": [] }));
    let many: Vec<Value> =
        (0..501).map(|n| of(course, event("update_progress", start + n, json!({})))).collect();
    let refused = place.tell_all(member, json!({ "events": many })).await;
    assert_eq!(refused.problem(400, "validation_failed")["fields"], json!({ "events": ["too_many"] }));
    let most = place.tell_all(member, json!({ "events": many[..500] })).await;
    assert_eq!(most.json["results"].as_array().map(Vec::len), Some(500));
    for body in [json!({}), json!({ "events": null }), json!({ "events": {} }), json!({ "events": "x" })] {
        let refused = place.tell_all(member, body).await;
        assert_eq!(keys(&refused.problem(400, "validation_failed")["fields"]), ["events"]);
    }
    for method in [Method::GET, Method::PUT] {
        let refused = place.app.call_as(member, method, "/courses/events", None).await;
        refused.problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn the_history_of_an_assignment_is_for_the_person_and_those_above() {
    let place = Place::start().await;
    let (member, course) = (place.member(), &place.basics[0]);
    let start = place.begun().await;
    let assignment = id_of(&place.current(member, "").await.json["assignment"]);
    for n in [0, 2, 1] {
        place.tell(member, course, event("update_progress", start + n, json!({ "page": n }))).await;
    }
    let answer = place.history(member, &assignment, "").await;
    assert_eq!((answer.status, answer.header("x-total-count")), (200, Some("3")));
    let events = answer.json.as_array().expect("a list");
    assert_eq!(
        keys(&events[0]),
        [
            "client_supplied_occured_at_in_ms",
            "credited_at",
            "effective_at",
            "event_type",
            "player_session_id",
            "progress",
            "received_at",
            "stale"
        ]
    );
    let mut told: Vec<&Value> =
        events.iter().map(|event| &event["client_supplied_occured_at_in_ms"]).collect();
    told.sort_by_key(|ms| ms.as_i64());
    assert_eq!(told, [&json!(start), &json!(start + 1), &json!(start + 2)]);
    let page = place.history(member, &assignment, "?page=2&size=2").await;
    assert_eq!((&page.json, page.header("x-page")), (&json!([events[2]]), Some("2")));
    let refused = place.history(member, &assignment, "?page=0").await;
    assert_eq!(refused.problem(400, "validation_failed")["fields"], json!({ "page": ["invalid"] }));
    let path = format!("/assignments/{assignment}/events");
    let statuses = [401, 404, 404, 200, 200, 200, 200, 200];
    expect_by_role(&place.app, &place.cast, Method::GET, &path, None, statuses).await;
    place.app.database.execute("DELETE FROM team_memberships");
    place.history(place.cast.person("team admin"), &assignment, "").await.problem(403, "forbidden");
    for nowhere in [UNKNOWN, "nonsense"] {
        place.history(place.staff(), nowhere, "").await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn who_left_can_still_hand_in_what_was_done() {
    let place = Place::start().await;
    let (member, course) = (place.member(), &place.basics[0]);
    let other = place.app.organization(place.staff(), "Second").await;
    let second = place.app.membership(place.staff(), &other, json!({})).await;
    let accept = format!("/invitations/{}/accept", text(&second["invite_code"]));
    assert_eq!(place.app.call_as(member, Method::POST, &accept, None).await.status, 200);
    let assignment = place.current(member, "").await.json["assignment"].clone();
    let path = format!("/organizations/{}/memberships/{}", place.cast.organization, member.membership());
    assert_eq!(place.app.call_as(place.staff(), Method::DELETE, &path, None).await.status, 200);
    let done = event("complete", now_ms(&place), json!({}));
    let told = place.tell(member, course, done).await;
    assert_eq!(
        (&told.json["assignment"]["id"], &told.json["assignment"]["state"]),
        (&assignment["id"], &json!("completed"))
    );
    place.course(member, course).await.problem(403, "forbidden");
}

// --- The stream of a team --------------------------------------------------------------------------

/// A stream that somebody reads.
struct Stream {
    response: reqwest::Response,
    unread: String,
}

/// An event of a stream: name, id and data.
type Event = (String, String, Value);

impl Stream {
    /// Begins where an earlier one ended, or now.
    async fn open(app: &TestApp, person: &Person, team: &str, last: Option<&str>) -> Self {
        let mut request = person.sign(app.request(Method::GET, &format!("/teams/{team}/progress/stream")));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut stream = Self { response, unread: String::new() };
        assert!(stream.block().await.expect("a beginning").starts_with("retry: "));
        stream
    }

    /// The next block; none at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                return Some(block);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.response.chunk()).await;
            let chunk = chunk.expect("something within 30 seconds").ok()??;
            self.unread.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    /// The next event; none at the end.
    async fn event(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                let mut lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                lines.next().map(str::to_owned)
            };
            if let (Some(event), Some(id), Some(data)) = (field("event"), field("id"), field("data")) {
                return Some((event, id, serde_json::from_str(&data).expect("JSON")));
            }
        }
    }
}

#[tokio::test]
async fn who_runs_the_team_sees_progress_as_it_happens_and_catches_up_after_a_break() {
    let place = Place::start().await;
    let (app, lead, team) = (&place.app, place.cast.person("team admin"), place.cast.team.as_str());
    let minute_ago = place.begun().await;
    let mut stream = Stream::open(app, lead, team, None).await;
    place
        .tell(
            place.member(),
            &place.basics[0],
            event("update_progress", minute_ago, json!({ "percent": 40 })),
        )
        .await;
    let (name, id, data) = stream.event().await.expect("an event");
    assert_eq!(name, "progress");
    assert_eq!((&data["percent"], &data["state"]), (&json!(40.0), &json!("in_progress")));
    assert_eq!((&data["last_name"], &data["course_id"]), (&json!("Learner"), &json!(place.basics[0])));
    assert_eq!(
        keys(&data),
        [
            "assignment_id",
            "course_id",
            "course_name",
            "first_name",
            "last_name",
            "membership_id",
            "occurred_at",
            "percent",
            "received_at",
            "state",
            "user_id"
        ]
    );
    drop(stream);
    // Nothing new, and then something while nobody looks.
    place
        .tell(
            place.member(),
            &place.basics[0],
            event("update_progress", minute_ago, json!({ "percent": 40 })),
        )
        .await;
    place
        .tell(
            place.member(),
            &place.basics[0],
            event("update_progress", minute_ago + 1, json!({ "percent": 70 })),
        )
        .await;
    let mut stream = Stream::open(app, lead, team, Some(&id)).await;
    assert_eq!(stream.event().await.expect("what was missed").2["percent"], 70.0);
    place.tell(place.member(), &place.basics[0], event("complete", minute_ago + 2, json!({}))).await;
    let (name, _, data) = stream.event().await.expect("an event");
    assert_eq!(
        (name.as_str(), &data["percent"], &data["state"]),
        ("completed", &json!(100.0), &json!("completed"))
    );
}

#[tokio::test]
async fn a_stream_ends_with_the_session_or_the_right() {
    let place = Place::start().await;
    let (app, team) = (&place.app, place.cast.team.as_str());
    let lead = place.cast.person("team admin");
    let mut with_session = Stream::open(app, lead, team, None).await;
    assert_eq!(app.call_as(lead, Method::DELETE, "/auth/sign_out", None).await.status, 200);
    assert_eq!(with_session.event().await, None);
    let boss = place.cast.person("org admin");
    let mut with_right = Stream::open(app, boss, team, None).await;
    app.database.execute("UPDATE memberships SET org_admin = false");
    assert_eq!(with_right.event().await, None);
}

#[tokio::test]
async fn a_stream_refuses_what_is_no_place_of_its_own_and_too_many_readers() {
    let app = TestApp::start_with(&[("MAX_STREAMS", "1")]).await;
    let cast = app.cast().await;
    let (lead, team) = (cast.person("team admin"), cast.team.as_str());
    let path = format!("/teams/{team}/progress/stream");
    for id in ["nonsense", "1-2", "1-2-99999999999999999999"] {
        let request = lead.sign(app.request(Method::GET, &path)).header("Last-Event-ID", id);
        let refused = app.send(request).await;
        refused.problem(400, "validation_failed");
        assert_eq!(refused.json["fields"], json!({ "Last-Event-ID": ["invalid"] }));
    }
    let _first = Stream::open(&app, lead, team, None).await;
    let refused = app.call_as(lead, Method::GET, &path, None).await;
    refused.problem(503, "too_many_streams");
    assert!(refused.header("retry-after").is_some());
}
