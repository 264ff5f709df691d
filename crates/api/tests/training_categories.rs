//! Training categories and job titles in the staff area, and what memberships tell of them.

mod common;

use common::{Answer, Person, TestApp, column, expect_by_role, id_of, keys};
use reqwest::Method;
use serde_json::{Value, json};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";

fn categories(organization: &str) -> String {
    format!("/worklete_admin/organizations/{organization}/training_categories")
}

async fn create(app: &TestApp, staff: &Person, organization: &str, body: Value) -> Answer {
    app.call_as(staff, Method::POST, &categories(organization), Some(body)).await
}

async fn given(app: &TestApp, staff: &Person, organization: &str, name: &str) -> String {
    let created = create(app, staff, organization, json!({ "name": name })).await;
    assert_eq!(created.status, 201, "{created:?}");
    id_of(&created.json)
}

async fn patch(app: &TestApp, staff: &Person, organization: &str, id: &str, body: Value) -> Answer {
    app.call_as(staff, Method::PATCH, &format!("{}/{id}", categories(organization)), Some(body)).await
}

async fn course(app: &TestApp, staff: &Person, fields: Value) -> String {
    let body = common::with(&json!({ "name": "Lifting" }), &fields);
    let created = app.call_as(staff, Method::POST, "/worklete_admin/courses", Some(body)).await;
    assert_eq!(created.status, 201, "{created:?}");
    id_of(&created.json)
}

/// Of each category the field, by name.
fn by_name(list: &Value, field: &str) -> Value {
    let rows = list.as_array().expect("a list");
    rows.iter().map(|row| (row["name"].as_str().expect("a name").to_owned(), row[field].clone())).collect()
}

#[tokio::test]
async fn a_category_is_answered_whole_and_read_back_the_same() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let employee = app.staff("staff-employee", "employee").await;
    let organization = app.organization(&staff, "Harbor").await;
    let body = json!({ "name": " Truck  drivers ", "is_default": true, "job_titles": ["ignored"] });
    let answer = create(&app, &staff, &organization, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let category = &answer.json;
    assert_eq!(
        keys(category),
        [
            "course_ids",
            "created_at",
            "id",
            "is_default",
            "job_titles",
            "name",
            "organization_id",
            "updated_at"
        ]
    );
    for (field, expected) in [
        ("name", json!("Truck drivers")),
        ("organization_id", json!(organization)),
        ("job_titles", json!([])),
        ("course_ids", json!([])),
        ("is_default", json!(true)),
        ("updated_at", category["created_at"].clone()),
    ] {
        assert_eq!(category[field], expected, "{field}");
    }
    for reader in [&staff, &employee] {
        let list = app.call_as(reader, Method::GET, &categories(&organization), None).await;
        assert_eq!((list.status, &list.json), (200, &json!([category])));
        assert_eq!(list.header("x-total-count"), Some("1"));
    }
    let audit = app.audit();
    let row = audit.last().expect("a row");
    for (column, expected) in [
        ("organization_id", json!(organization)),
        ("action", json!("training_category.create")),
        ("subject_kind", json!("training_category")),
        ("subject_id", category["id"].clone()),
        ("after", json!({ "name": "Truck drivers", "is_default": true })),
    ] {
        assert_eq!(row[column], expected, "{column}");
    }
}

#[tokio::test]
async fn a_name_is_needed_and_taken_once_in_an_organization() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let elsewhere = app.organization(&staff, "Elsewhere").await;
    given(&app, &staff, &organization, "Drivers").await;
    given(&app, &staff, &elsewhere, "Drivers").await;
    let loaders = given(&app, &staff, &organization, "Loaders").await;
    let rows = app.audit().len();
    for (body, fields) in [
        (json!({}), json!({ "name": ["blank"] })),
        (json!({ "name": null }), json!({ "name": ["blank"] })),
        (json!({ "name": "x".repeat(201) }), json!({ "name": ["too_long"] })),
        (json!({ "name": 5 }), json!({ "name": ["invalid"] })),
        (json!({ "name": "A", "is_default": "yes" }), json!({ "is_default": ["invalid"] })),
    ] {
        let refused = create(&app, &staff, &organization, body.clone()).await;
        assert_eq!(refused.fields(), &fields, "{body}");
    }
    let created = create(&app, &staff, &organization, json!({ "name": "DRIVERS" })).await;
    let renamed = patch(&app, &staff, &organization, &loaders, json!({ "name": "drivers" })).await;
    for taken in [created, renamed] {
        let problem = taken.problem(409, "category_name_taken");
        assert_eq!(problem["fields"], json!({ "name": ["taken"] }));
    }
    let own = patch(&app, &staff, &organization, &loaders, json!({ "name": "LOADERS" })).await;
    assert_eq!(own.status, 200, "its own name in another case: {own:?}");
    assert_eq!(app.audit().len(), rows + 1);
}

#[tokio::test]
async fn a_change_answers_the_whole_list_and_takes_titles_and_the_default_from_others() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let drivers = given(&app, &staff, &organization, "Drivers").await;
    let loaders = given(&app, &staff, &organization, "loaders").await;
    given(&app, &staff, &organization, "Clerks").await;
    let (one, two) = (
        course(&app, &staff, json!({})).await,
        course(&app, &staff, json!({ "organization_id": organization })).await,
    );
    let body = json!({
        "job_titles": ["Driver", "Picker", " PICKER "], "course_ids": [two, one, two], "is_default": true
    });
    let answer = patch(&app, &staff, &organization, &drivers, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(column(&answer.json, "name"), ["Clerks", "Drivers", "loaders"]);
    assert_eq!(answer.json[1]["course_ids"], json!([two, one]), "in the order of training, each once");
    let body = json!({ "job_titles": ["picker", "Loader"], "is_default": true, "name": "Loaders" });
    let put = format!("{}/{loaders}", categories(&organization));
    let answer = app.call_as(&staff, Method::PUT, &put, Some(body.clone())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let titles = json!({ "Clerks": [], "Drivers": ["Driver"], "Loaders": ["picker", "Loader"] });
    assert_eq!(by_name(&answer.json, "job_titles"), titles);
    let defaults = json!({ "Clerks": false, "Drivers": false, "Loaders": true });
    assert_eq!(by_name(&answer.json, "is_default"), defaults);
    assert_eq!(answer.json[1]["updated_at"], answer.json[2]["updated_at"], "losing is a change, too");
    let listed = app.call_as(&staff, Method::GET, &categories(&organization), None).await;
    assert_eq!(listed.json, answer.json);

    let audit = app.audit();
    let row = audit.last().expect("a row");
    assert_eq!(row["action"], "training_category.update");
    assert_eq!(row["before"], json!({ "name": "loaders", "job_titles": [], "is_default": false }));
    assert_eq!(row["after"]["taken_from"], json!([drivers]));
    for same in [body, json!({})] {
        let again = patch(&app, &staff, &organization, &loaders, same).await;
        assert_eq!((again.status, &again.json), (200, &answer.json));
    }
    assert_eq!(app.audit().len(), audit.len(), "nothing changed");
    let none = patch(&app, &staff, &organization, &loaders, json!({ "is_default": false })).await;
    assert!(none.json.as_array().expect("a list").iter().all(|row| row["is_default"] == false));
}

#[tokio::test]
async fn wrong_fields_and_courses_that_cannot_be_trained_are_named() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let elsewhere = app.organization(&staff, "Elsewhere").await;
    let drivers = given(&app, &staff, &organization, "Drivers").await;
    let good = course(&app, &staff, json!({})).await;
    let basics = course(&app, &staff, json!({ "basics": true })).await;
    let foreign = course(&app, &staff, json!({ "organization_id": elsewhere })).await;
    let archived = course(&app, &staff, json!({})).await;
    let path = format!("/worklete_admin/courses/{archived}");
    app.call_as(&staff, Method::PATCH, &path, Some(json!({ "archived": true }))).await;
    let rows = app.audit().len();
    for (id, code) in [
        (&basics, "basics"),
        (&foreign, "unknown"),
        (&archived, "archived"),
        (&UNKNOWN.to_owned(), "unknown"),
    ] {
        let refused = patch(&app, &staff, &organization, &drivers, json!({ "course_ids": [good, id] })).await;
        assert_eq!(refused.fields(), &json!({ "course_ids": [code] }), "{refused:?}");
        let text = refused.json["errors"][0].as_str().expect("a text");
        assert!(text.contains(id) && !text.contains(&good), "{text}");
    }
    for (body, fields) in [
        (json!({ "name": null }), json!({ "name": ["blank"] })),
        (json!({ "name": " ", "job_titles": [" "] }), json!({ "name": ["blank"], "job_titles": ["blank"] })),
        (json!({ "job_titles": null }), json!({ "job_titles": ["blank"] })),
        (json!({ "job_titles": "Driver" }), json!({ "job_titles": ["invalid"] })),
        (json!({ "job_titles": [5] }), json!({ "job_titles[0]": ["invalid"] })),
        (json!({ "job_titles": ["x".repeat(101)] }), json!({ "job_titles": ["too_long"] })),
        (json!({ "job_titles": vec!["x"; 501] }), json!({ "job_titles": ["too_many"] })),
        (json!({ "course_ids": null }), json!({ "course_ids": ["blank"] })),
        (json!({ "course_ids": ["x"] }), json!({ "course_ids[0]": ["invalid"] })),
        (json!({ "is_default": null }), json!({ "is_default": ["blank"] })),
    ] {
        let refused = patch(&app, &staff, &organization, &drivers, body.clone()).await;
        assert_eq!(refused.fields(), &fields, "{body}");
    }
    assert_eq!(app.audit().len(), rows);
}

#[tokio::test]
async fn a_course_that_cannot_be_trained_any_more_stays_in_the_list_until_the_list_is_set_anew() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let elsewhere = app.organization(&staff, "Elsewhere").await;
    let drivers = given(&app, &staff, &organization, "Drivers").await;
    for (n, (change, code)) in [
        (json!({ "basics": true }), "basics"),
        (json!({ "archived": true }), "archived"),
        (json!({ "organization_id": elsewhere }), "unknown"),
    ]
    .into_iter()
    .enumerate()
    {
        let list = json!([course(&app, &staff, json!({})).await, course(&app, &staff, json!({})).await]);
        let set = patch(&app, &staff, &organization, &drivers, json!({ "course_ids": list })).await;
        assert_eq!((set.status, &set.json[0]["course_ids"]), (200, &list), "{set:?}");
        let path = format!("/worklete_admin/courses/{}", list[0].as_str().expect("an id"));
        let changed = app.call_as(&staff, Method::PATCH, &path, Some(change)).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let other = json!({ "name": format!("Drivers {n}"), "job_titles": [format!("Driver {n}")] });
        let kept = patch(&app, &staff, &organization, &drivers, other).await;
        assert_eq!((kept.status, &kept.json[0]["course_ids"]), (200, &list), "{kept:?}");
        let same = patch(&app, &staff, &organization, &drivers, json!({ "course_ids": list })).await;
        assert_eq!(same.fields(), &json!({ "course_ids": [code] }), "{same:?}");
        let rest = json!({ "course_ids": [list[1]] });
        let set = patch(&app, &staff, &organization, &drivers, rest).await;
        assert_eq!((set.status, &set.json[0]["course_ids"]), (200, &json!([list[1]])), "{set:?}");
    }
}

#[tokio::test]
async fn only_staff_admins_write_and_foreign_categories_are_not_found() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let staff = cast.person("staff admin");
    let elsewhere = app.organization(staff, "Far away").await;
    let foreign = given(&app, staff, &elsewhere, "Drivers").await;
    let (path, reading) = (categories(&cast.organization), [401, 403, 403, 403, 403, 403, 200, 200]);
    expect_by_role(&app, &cast, Method::GET, &path, None, reading).await;
    let titles = format!("/worklete_admin/organizations/{}/job_titles", cast.organization);
    expect_by_role(&app, &cast, Method::GET, &titles, None, reading).await;
    let body = Some(json!({ "name": "Drivers" }));
    let writing = [401, 403, 403, 403, 403, 403, 403, 201];
    expect_by_role(&app, &cast, Method::POST, &path, body.clone(), writing).await;
    let own = app.call_as(staff, Method::GET, &path, None).await;
    let own = format!("{path}/{}", id_of(&own.json[0]));
    let writing = [401, 403, 403, 403, 403, 403, 403, 200];
    expect_by_role(&app, &cast, Method::PATCH, &own, body.clone(), writing).await;
    for id in [foreign.as_str(), UNKNOWN, "nonsense"] {
        patch(&app, staff, &cast.organization, id, json!({})).await.problem(404, "not_found");
    }
    for (method, path) in [
        (Method::GET, categories(UNKNOWN)),
        (Method::POST, categories(UNKNOWN)),
        (Method::PATCH, format!("{}/{foreign}", categories(UNKNOWN))),
        (Method::GET, format!("/worklete_admin/organizations/{UNKNOWN}/job_titles")),
    ] {
        let body = (method != Method::GET).then(|| json!({ "name": "Anybody" }));
        app.call_as(staff, method, &path, body).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn lists_are_paged_on_request_and_unknown_parameters_are_refused() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    for name in ["c", "A", "b"] {
        given(&app, &staff, &organization, name).await;
    }
    let path = categories(&organization);
    let part = app.call_as(&staff, Method::GET, &format!("{path}?page=2&size=2"), None).await;
    assert_eq!((column(&part.json, "name"), part.header("x-total-count")), (vec!["c"], Some("3")));
    let beyond = app.call_as(&staff, Method::GET, &format!("{path}?page=9"), None).await;
    assert_eq!((beyond.status, &beyond.json), (200, &json!([])));
    for (query, field) in [("page=0", "page"), ("size=x", "size"), ("name=A", "name")] {
        let refused = app.call_as(&staff, Method::GET, &format!("{path}?{query}"), None).await;
        assert!(refused.fields()[field].is_array(), "{query}: {refused:?}");
    }
}

#[tokio::test]
async fn job_titles_are_texts_or_objects_and_memberships_tell_their_category() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let mut ids = Vec::new();
    for title in [
        json!("Forklift driver"),
        json!("forklift DRIVER"),
        json!("Forklift driver"),
        json!("Clerk"),
        Value::Null,
    ] {
        let membership = app.membership(&staff, &organization, json!({ "job_title": title })).await;
        assert_eq!(membership["training_category_id"], Value::Null);
        ids.push(id_of(&membership));
    }
    let path = format!("/worklete_admin/organizations/{organization}/job_titles");
    let titles = app.call_as(&staff, Method::GET, &path, None).await;
    assert_eq!((titles.status, &titles.json), (200, &json!(["Clerk", "Forklift driver"])));
    assert_eq!(titles.header("x-total-count"), Some("2"));

    let drivers = given(&app, &staff, &organization, "Drivers").await;
    patch(&app, &staff, &organization, &drivers, json!({ "job_titles": ["Forklift  Driver"] })).await;
    let detailed = app.call_as(&staff, Method::GET, &format!("{path}?detail=true&page=1&size=1"), None).await;
    let clerk = json!({ "job_title": "Clerk", "memberships_count": 1, "training_category_id": null });
    assert_eq!(detailed.json, json!([clerk]));
    let rest = create(&app, &staff, &organization, json!({ "name": "Rest", "is_default": true })).await;
    let rest = id_of(&rest.json);
    let detailed = app.call_as(&staff, Method::GET, &format!("{path}?detail=true"), None).await;
    let expected = json!([
        { "job_title": "Clerk", "memberships_count": 1, "training_category_id": rest },
        { "job_title": "Forklift driver", "memberships_count": 3, "training_category_id": drivers },
    ]);
    assert_eq!(detailed.json, expected);
    for (query, field) in [("detail=yes", "detail"), ("details=true", "details")] {
        let refused = app.call_as(&staff, Method::GET, &format!("{path}?{query}"), None).await;
        assert!(refused.fields()[field].is_array(), "{query}: {refused:?}");
    }

    for (id, category) in ids.iter().zip([&drivers, &drivers, &drivers, &rest, &rest]) {
        let read = app.call_as(&staff, Method::GET, &format!("/memberships/{id}"), None).await;
        assert_eq!(read.json["training_category_id"], json!(category), "{read:?}");
    }
    let changed = format!("/organizations/{organization}/memberships/{}", ids[4]);
    let changed =
        app.call_as(&staff, Method::PATCH, &changed, Some(json!({ "job_title": "FORKLIFT driver" }))).await;
    assert_eq!(changed.json["training_category_id"], json!(drivers), "{changed:?}");
}

#[tokio::test]
async fn two_that_take_one_job_title_or_the_default_at_once_leave_it_with_one() {
    let app = TestApp::start().await;
    let staff = app.staff("staff-admin", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let (a, b) =
        (given(&app, &staff, &organization, "A").await, given(&app, &staff, &organization, "B").await);
    for _ in 0..5 {
        let body = || json!({ "job_titles": ["Driver"], "is_default": true });
        let (first, second) = tokio::join!(
            patch(&app, &staff, &organization, &a, body()),
            patch(&app, &staff, &organization, &b, body())
        );
        assert_eq!((first.status, second.status), (200, 200), "{first:?} {second:?}");
        let list = app.call_as(&staff, Method::GET, &categories(&organization), None).await;
        let rows = list.json.as_array().expect("a list");
        assert_eq!(rows.iter().filter(|row| row["job_titles"] == json!(["Driver"])).count(), 1, "{list:?}");
        assert_eq!(rows.iter().filter(|row| row["is_default"] == true).count(), 1, "{list:?}");
    }
}
