//! Course pools in the staff area.

mod common;

use common::{Answer, Cast, Person, TestApp, column, expect_by_role, id_of, keys, with};
use reqwest::Method;
use serde_json::{Value, json};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";

/// An organization with two teams, a category for drivers with one course, and a default one.
struct Place {
    app: TestApp,
    cast: Cast,
    path: String,
    other_team: String,
    drivers: String,
    rest: String,
    one: String,
    two: String,
}

impl Place {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let cast = app.cast().await;
        let (staff, organization) = (cast.person("staff admin"), cast.organization.as_str());
        let other_team = app.team(staff, organization, "Early shift").await;
        let base = format!("/worklete_admin/organizations/{organization}");
        let new = async |path: &str, body: Value| {
            let created = app.call_as(staff, Method::POST, path, Some(body)).await;
            assert_eq!(created.status, 201, "{created:?}");
            id_of(&created.json)
        };
        let one = new("/worklete_admin/courses", json!({ "name": "Lifting" })).await;
        let two =
            new("/worklete_admin/courses", json!({ "name": "Turning", "organization_id": organization }))
                .await;
        let categories = format!("{base}/training_categories");
        let drivers = new(&categories, json!({ "name": "Drivers" })).await;
        let rest = new(&categories, json!({ "name": "Rest", "is_default": true })).await;
        let body = json!({ "job_titles": ["Driver"], "course_ids": [one] });
        let changed = app.call_as(staff, Method::PATCH, &format!("{categories}/{drivers}"), Some(body)).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        // "member" of the cast is on the first team, without a title.
        let teams = json!({ "job_title": "DRIVER", "team_ids": [other_team, cast.team] });
        app.membership(staff, organization, teams).await;
        let path = format!("{base}/course_pools");
        Self { app, cast, path, other_team, drivers, rest, one, two }
    }

    fn staff(&self) -> &Person {
        self.cast.person("staff admin")
    }

    async fn get(&self, query: &str) -> Answer {
        self.app.call_as(self.staff(), Method::GET, &format!("{}{query}", self.path), None).await
    }

    async fn put(&self, body: Value) -> Answer {
        self.app.call_as(self.staff(), Method::PUT, &self.path, Some(body)).await
    }

    fn wish(&self, courses: &Value) -> Value {
        json!({ "team_id": self.cast.team, "training_category_id": self.drivers, "course_ids": courses })
    }
}

/// Team and category of each pool.
fn pairs(answer: &Answer) -> Vec<(&str, &str)> {
    assert_eq!(answer.status, 200, "{answer:?}");
    column(&answer.json, "team_id").into_iter().zip(column(&answer.json, "training_category_id")).collect()
}

#[tokio::test]
async fn there_is_a_pool_for_each_team_and_category_with_members() {
    let place = Place::new().await;
    let pools = place.get("").await;
    let (early, night) = (place.other_team.as_str(), place.cast.team.as_str());
    let (drivers, rest) = (place.drivers.as_str(), place.rest.as_str());
    assert_eq!(pairs(&pools), [(early, drivers), (night, drivers), (night, rest)]);
    assert_eq!(pools.header("x-total-count"), Some("3"));
    let pool = &pools.json[1];
    assert_eq!(
        keys(pool),
        [
            "course_ids",
            "courses",
            "id",
            "memberships_count",
            "organization_id",
            "overridden",
            "team_id",
            "training_category_id",
            "updated_at"
        ]
    );
    for (field, expected) in [
        ("organization_id", json!(place.cast.organization)),
        ("course_ids", json!([place.one])),
        ("courses", json!([{ "id": place.one, "name": "Lifting", "position": 1 }])),
        ("memberships_count", json!(1)),
        ("overridden", json!(false)),
    ] {
        assert_eq!(pool[field], expected, "{field}");
    }
    assert_eq!(place.get("").await.json, pools.json, "ids stay");
}

#[tokio::test]
async fn pools_are_filtered_by_comma_lists_and_repeated_parameters() {
    let place = Place::new().await;
    let (early, night) = (place.other_team.as_str(), place.cast.team.as_str());
    let (drivers, rest) = (place.drivers.as_str(), place.rest.as_str());
    let all = vec![(early, drivers), (night, drivers), (night, rest)];
    for (query, expected) in [
        (format!("?team_ids={night}"), all[1..].to_vec()),
        (format!("?team_ids={night},{early},{night}"), all.clone()),
        (format!("?team_ids={early}&team_ids={night}&training_category_ids={rest}"), all[2..].to_vec()),
        (format!("?training_category_ids={rest},{drivers}&page=2&size=2"), all[2..].to_vec()),
        (format!("?team_ids={UNKNOWN}"), vec![]),
        (format!("?training_category_ids={UNKNOWN}&training_category_ids={drivers}"), all[..2].to_vec()),
    ] {
        assert_eq!(pairs(&place.get(&query).await), expected, "{query}");
    }
    let paged = place.get(&format!("?team_ids={early}&team_ids={night}&size=1")).await;
    let link = paged.header("link").expect("links");
    assert!(link.contains(&format!("team_ids={early}&team_ids={night}&page=2&size=1")), "{link}");
    let many = vec![UNKNOWN; 200].join(",");
    assert_eq!(place.get(&format!("?team_ids={many},{many}")).await.status, 200, "each counts once");
    let too_many: Vec<String> = (0..201).map(|n| format!("00000000-0000-4000-8000-{n:012}")).collect();
    for (query, field, code) in [
        ("?team_ids=".to_owned(), "team_ids", "invalid"),
        (format!("?team_ids={night},"), "team_ids", "invalid"),
        ("?training_category_ids=nonsense".to_owned(), "training_category_ids", "invalid"),
        (format!("?team_ids={}", too_many.join(",")), "team_ids", "too_many"),
        (format!("?team_id={night}"), "team_id", "unknown"),
        ("?size=0".to_owned(), "size", "invalid"),
    ] {
        assert_eq!(place.get(&query).await.fields(), &json!({ field: [code] }), "{query}");
    }
}

#[tokio::test]
async fn a_team_gets_a_list_of_its_own_and_gives_it_back() {
    let place = Place::new().await;
    let before = place.get("").await.json;
    let set = place.put(json!([place.wish(&json!([place.two, place.one]))])).await;
    assert_eq!(set.status, 200, "{set:?}");
    let pools = place.get("").await.json;
    assert_eq!(set.json, json!([pools[1]]));
    let courses = json!([
        { "id": place.two, "name": "Turning", "position": 1 }, { "id": place.one, "name": "Lifting", "position": 2 }
    ]);
    let changed = json!({
        "overridden": true, "course_ids": [place.two, place.one], "courses": courses, "updated_at": pools[1]["updated_at"]
    });
    assert_eq!(pools, json!([before[0], with(&before[1], &changed), before[2]]));
    let audit = place.app.audit();
    let row = audit.last().expect("a row");
    assert_eq!((&row["action"], &row["subject_kind"]), (&json!("course_pools.set"), &json!("organization")));
    assert_eq!(row["before"], json!([place.wish(&Value::Null)]));
    assert_eq!(row["after"], json!([place.wish(&json!([place.two, place.one]))]));
    let again = place.put(json!([place.wish(&json!([place.two, place.one]))])).await;
    assert_eq!((again.json, place.app.audit().len()), (set.json, audit.len()), "nothing changed");

    // An empty list is a list; null is none. A pool without members is answered when it is named.
    let empty = json!({ "team_id": place.other_team, "training_category_id": place.rest, "course_ids": [] });
    let set = place.put(json!([place.wish(&Value::Null), empty])).await;
    assert_eq!(
        pairs(&set),
        [
            (place.other_team.as_str(), place.rest.as_str()),
            (place.cast.team.as_str(), place.drivers.as_str())
        ]
    );
    assert_eq!((&set.json[0]["overridden"], &set.json[0]["memberships_count"]), (&json!(true), &json!(0)));
    assert_eq!(set.json[1], before[1]);
    assert_eq!(place.get("").await.json.as_array().map(Vec::len), Some(4), "a list of its own shows");
    let cleared = json!([with(&empty, &json!({ "course_ids": null }))]);
    assert_eq!(place.put(cleared).await.json[0]["overridden"], false);
    assert_eq!(place.get("").await.json, before);
    assert_eq!(place.put(json!([])).await.json, json!([]));
}

#[tokio::test]
async fn what_is_wrong_is_named_by_its_place_and_nothing_is_set() {
    let place = Place::new().await;
    let elsewhere = place.app.organization(place.staff(), "Far away").await;
    let foreign_team = place.app.team(place.staff(), &elsewhere, "Night shift").await;
    let basics = json!({ "name": "Basics", "basics": true });
    let basics =
        place.app.call_as(place.staff(), Method::POST, "/worklete_admin/courses", Some(basics)).await;
    let basics = id_of(&basics.json);
    let (before, rows) = (place.get("").await.json, place.app.audit().len());
    let good = place.wish(&json!([place.two]));
    for (wrong, field, code) in [
        (json!({ "team_id": foreign_team }), "[1].team_id", "unknown"),
        (json!({ "team_id": null }), "[1].team_id", "blank"),
        (json!({ "team_id": "x" }), "[1].team_id", "invalid"),
        (json!({ "training_category_id": UNKNOWN }), "[1].training_category_id", "unknown"),
        (json!({ "course_ids": [UNKNOWN] }), "[1].course_ids", "unknown"),
        (json!({ "course_ids": [basics] }), "[1].course_ids", "basics"),
        (json!({ "course_ids": place.one }), "[1].course_ids", "invalid"),
        (json!({}), "[1]", "duplicate"),
    ] {
        let second = with(&good, &json!({ "team_id": place.other_team }));
        let second = if field == "[1]" { good.clone() } else { with(&second, &wrong) };
        let refused = place.put(json!([good, second])).await;
        assert_eq!(refused.fields(), &json!({ field: [code] }), "{wrong}");
    }
    let slip =
        json!([{ "team_id": place.cast.team, "training_category_id": place.drivers, "courses_ids": [] }]);
    assert_eq!(place.put(slip).await.fields(), &json!({ "[0].course_ids": ["blank"] }));
    assert_eq!(place.put(json!([good, 5])).await.fields(), &json!({ "[1]": ["invalid"] }));
    let too_many = Value::Array(vec![good.clone(); 201]);
    assert_eq!(place.put(too_many).await.fields(), &json!({ "course_pools": ["too_many"] }));
    for body in [good, json!("x"), Value::Null] {
        place.put(body).await.problem(400, "malformed_body");
    }
    let bare = place.staff().sign(place.app.request(Method::PUT, &place.path)).body("[]");
    place.app.send(bare).await.problem(415, "unsupported_media_type");
    assert_eq!((place.get("").await.json, place.app.audit().len()), (before, rows));
}

#[tokio::test]
async fn staff_reads_and_staff_admins_write() {
    let place = Place::new().await;
    let (app, cast) = (&place.app, &place.cast);
    let reading = [401, 403, 403, 403, 403, 403, 200, 200];
    expect_by_role(app, cast, Method::GET, &place.path, None, reading).await;
    let body = Some(json!([place.wish(&json!([]))]));
    let writing = [401, 403, 403, 403, 403, 403, 403, 200];
    expect_by_role(app, cast, Method::PUT, &place.path, body.clone(), writing).await;
    let nowhere = format!("/worklete_admin/organizations/{UNKNOWN}/course_pools");
    app.call_as(place.staff(), Method::GET, &nowhere, None).await.problem(404, "not_found");
    app.call_as(place.staff(), Method::PUT, &nowhere, body).await.problem(404, "not_found");
}
