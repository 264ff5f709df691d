//! Finding people by name.

mod common;

use common::{Answer, Cast, PASSWORD, Person, TestApp, column, expect_by_role, id_of, keys_of};
use reqwest::Method;
use serde_json::{Value, json};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";
/// More people than a usual address signs up, and more searches than a usual session makes.
const MANY: [(&str, &str); 3] = [
    ("RATE_SIGN_UPS_PER_ADDRESS", "1000"),
    ("RATE_SESSION_BURST", "100000"),
    ("RATE_SESSION_PER_SECOND", "100000"),
];

fn users_path(cast: &Cast) -> String {
    format!("/search/organizations/{}/users", cast.organization)
}

fn members_path(cast: &Cast) -> String {
    format!("/search/teams/{}/members", cast.team)
}

/// The three searches; each with somebody who may.
fn searches(cast: &Cast) -> [(String, &Person); 3] {
    let (admin, lead) = (cast.person("org admin"), cast.person("team admin"));
    [
        (users_path(cast), admin),
        (members_path(cast), lead),
        ("/search/users".into(), cast.person("staff employee")),
    ]
}

async fn find(app: &TestApp, by: &Person, path: &str, query: &[(&str, &str)]) -> Answer {
    app.send(by.sign(app.request(Method::GET, path)).query(query)).await
}

/// The field of those who are found, in the order of the answer.
async fn found(app: &TestApp, by: &Person, path: &str, query: &[(&str, &str)], field: &str) -> Vec<String> {
    let answer = find(app, by, path, query).await;
    assert_eq!(answer.status, 200, "{query:?}: {answer:?}");
    column(&answer.json, field).into_iter().map(str::to_owned).collect()
}

/// Somebody with the same names on the roster and on the account.
async fn join(
    app: &TestApp,
    admin: &Person,
    organization: &str,
    username: &str,
    names: (&str, &str),
) -> Person {
    let fields = json!({ "first_name": names.0, "last_name": names.1 });
    let made = app.membership(admin, organization, fields).await;
    let body = json!({
        "username": username, "first_name": names.0, "last_name": names.1, "password": PASSWORD,
        "invite_code": made["invite_code"]
    });
    let answer = app.call(Method::POST, "/auth", Some(body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.person()
}

async fn put_on_team(app: &TestApp, cast: &Cast, person: &Person) {
    let path = format!("/organizations/{}/memberships/{}", cast.organization, person.membership());
    let body = Some(json!({ "team_ids": [cast.team] }));
    assert_eq!(app.call_as(cast.person("org admin"), Method::PATCH, &path, body).await.status, 200);
}

#[tokio::test]
async fn words_are_needed_and_not_too_many() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    for (path, person) in searches(&cast) {
        for (query, code) in [
            ("", "blank"),
            ("?q=", "blank"),
            ("?q=%20%09%0a", "blank"),
            ("?q=%E3%80%80", "blank"),
            (&*format!("?q={}", "x".repeat(201)), "too_long"),
            (&*format!("?q={}", "%C3%A9".repeat(201)), "too_long"),
        ] {
            let answer = app.call_as(person, Method::GET, &format!("{path}{query}"), None).await;
            assert_eq!(answer.fields(), &json!({ "q": [code] }), "{path}{query}");
        }
        for most in ["x".repeat(200), "é".repeat(200), "作".repeat(200), "ab ".repeat(66)] {
            assert_eq!(find(&app, person, &path, &[("q", &most)]).await.status, 200, "{path} {most}");
        }
        for operators in
            ["&", "|", "!", "& | !", "():*<->", "'", "''", "\\", "-", "*", "%", "_", "@", "¡¿", "…", "\u{0}"]
        {
            let answer = find(&app, person, &path, &[("q", operators)]).await;
            assert_eq!((answer.status, &answer.json), (200, &json!([])), "{path} {operators:?}");
            assert_eq!(answer.header("x-total-count"), Some("0"), "{path} {operators:?}");
        }
    }
}

#[tokio::test]
async fn unknown_parameters_and_orders_are_refused_with_those_that_are_allowed() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    for (path, person) in searches(&cast) {
        let is_of_team = path.contains("/teams/");
        for typo in ["Q", "srot", "size[]", "filter", "organization_id", "access-token"] {
            let answer = find(&app, person, &path, &[("q", "demo"), (typo, "1")]).await;
            assert_eq!(answer.fields(), &json!({ typo: ["unknown"] }), "{path} {typo}");
            let text = answer.json["errors"][0].as_str().expect("a text");
            for allowed in ["q", "sort", "page", "size"] {
                assert!(text.contains(allowed), "{allowed} in {text}");
            }
            assert_eq!(text.contains("scope"), is_of_team, "{text}");
        }
        for sort in [
            "",
            "name",
            "id",
            "first_name,",
            "first_name;id",
            "--first_name",
            "FIRST_NAME",
            "created_at",
            "\u{0}",
        ] {
            let answer = find(&app, person, &path, &[("q", "demo"), ("sort", sort)]).await;
            assert_eq!(answer.fields(), &json!({ "sort": ["unknown"] }), "{path} {sort}");
            let text = answer.json["errors"][0].as_str().expect("a text");
            assert!(text.contains("first_name, last_name"), "{text}");
        }
        for (query, fields) in [
            ("q=demo&page=0", json!({ "page": ["invalid"] })),
            ("q=demo&size=0&page=2147483648", json!({ "page": ["invalid"], "size": ["invalid"] })),
            ("sort=name", json!({ "q": ["blank"], "sort": ["unknown"] })),
        ] {
            let answer = app.call_as(person, Method::GET, &format!("{path}?{query}"), None).await;
            assert_eq!(answer.fields(), &fields, "{path}?{query}");
        }
        for twice in ["q=demo&q=other", "q=demo&page=1&page=2", "q=demo&sort=first_name&sort=last_name"] {
            let answer = app.call_as(person, Method::GET, &format!("{path}?{twice}"), None).await;
            assert_eq!(answer.status, 400, "{path}?{twice}: {answer:?}");
        }
    }
    for scope in ["", "Team", "all", "organizations"] {
        let (path, lead) = (members_path(&cast), cast.person("team admin"));
        let answer = find(&app, lead, &path, &[("q", "demo"), ("scope", scope)]).await;
        assert_eq!(answer.fields(), &json!({ "scope": ["invalid"] }), "{scope}");
    }
}

#[tokio::test]
async fn each_role_may_search_as_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    // In the order of the cast: anonymous, outsider, gone, member, team admin, org admin, staff employee, staff admin.
    for (path, expected) in [
        (users_path(&cast), [401, 404, 404, 403, 403, 200, 200, 200]),
        (members_path(&cast), [401, 404, 404, 403, 200, 200, 200, 200]),
        (format!("{}?scope=organization", members_path(&cast)), [401, 404, 404, 403, 200, 200, 200, 200]),
        ("/search/users".into(), [401, 403, 403, 403, 403, 403, 200, 200]),
    ] {
        let and = if path.contains('?') { '&' } else { '?' };
        expect_by_role(&app, &cast, Method::GET, &format!("{path}{and}q=demo"), None, expected).await;
    }
    let everywhere = find(&app, cast.person("org admin"), "/search/users", &[("q", "demo")]).await;
    everywhere.problem(403, "staff_only");
    // Who runs another team of the organization, and who is on none.
    let yard = app.team(cast.person("org admin"), &cast.organization, "Yard").await;
    for scope in ["team", "organization"] {
        let path = format!("/search/teams/{yard}/members");
        let answer = find(&app, cast.person("team admin"), &path, &[("q", "demo"), ("scope", scope)]).await;
        answer.problem(403, "forbidden");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found_by_anybody() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let (admin, staff) = (cast.person("org admin"), cast.person("staff admin"));
    let closed = app.team(admin, &cast.organization, "Closed").await;
    assert_eq!(app.call_as(admin, Method::DELETE, &format!("/teams/{closed}"), None).await.status, 200);
    for place in [
        format!("/search/organizations/{UNKNOWN}/users"),
        "/search/organizations/nonsense/users".into(),
        format!("/search/organizations/{}/users", cast.team),
        format!("/search/teams/{UNKNOWN}/members"),
        "/search/teams/nonsense/members".into(),
        format!("/search/teams/{closed}/members"),
        format!("/search/teams/{}/members", cast.organization),
    ] {
        for person in [admin, staff] {
            for q in ["demo", "nobody", "&"] {
                find(&app, person, &place, &[("q", q)]).await.problem(404, "not_found");
            }
        }
    }
}

#[tokio::test]
async fn the_order_is_by_first_and_last_name_unless_said_and_then_by_id() {
    let app = TestApp::start_with(&MANY).await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    for (username, first, last) in [
        ("user-1", "Test bea", "Young"),
        ("user-2", "Test Ada", "Zorn"),
        ("user-3", "Test ada", "adler"),
        ("user-4", "Test Bea", "Adler"),
        ("user-5", "Test Ada", "Zorn"),
    ] {
        let person = join(&app, admin, &cast.organization, username, (first, last)).await;
        put_on_team(&app, &cast, &person).await;
    }
    for (path, person) in searches(&cast) {
        let is_of_team = path.contains("/teams/");
        for (sort, order) in [
            (None, "3 2 5 4 1"),
            (Some("first_name,last_name"), "3 2 5 4 1"),
            (Some("-first_name"), "1 4 2 3 5"),
            (Some("-first_name,-last_name"), "1 4 2 5 3"),
            (Some("last_name"), "3 4 1 2 5"),
            (Some("last_name,-first_name"), "4 3 1 2 5"),
            (Some("-last_name , first_name"), "2 5 1 3 4"),
            (Some("-last_name,last_name"), "2 5 1 3 4"),
            (Some("first_name"), "2 3 5 1 4"),
        ] {
            let mut query = vec![("q", "test")];
            query.extend(sort.map(|sort| ("sort", sort)));
            let answer = find(&app, person, &path, &query).await;
            let users = answer.json.as_array().expect("a list").iter();
            let names = users.map(|row| if is_of_team { &row["user"]["username"] } else { &row["username"] });
            let names: Vec<_> = names.filter_map(Value::as_str).collect();
            let expected: Vec<_> = order.split(' ').map(|n| format!("user-{n}")).collect();
            assert_eq!(names, expected, "{path} {sort:?}");
        }
    }
}

#[tokio::test]
async fn pages_tell_where_they_are_and_their_links_keep_the_search() {
    let app = TestApp::start_with(&MANY).await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    for n in 1..=7 {
        let names = (format!("Zoë & {n}"), "O'Brien".to_owned());
        let person = join(&app, admin, &cast.organization, &format!("user-{n}"), (&names.0, &names.1)).await;
        put_on_team(&app, &cast, &person).await;
    }
    for (path, person) in searches(&cast) {
        let query = [("sort", "-last_name,first_name"), ("q", "Zoë & o'b"), ("page", "2"), ("size", "3")];
        let answer = find(&app, person, &path, &query).await;
        assert_eq!(column(&answer.json, "first_name"), ["Zoë & 4", "Zoë & 5", "Zoë & 6"], "{path}");
        let facts = ["x-total-count", "x-page", "x-per-page"].map(|name| answer.header(name));
        assert_eq!(facts, [Some("7"), Some("2"), Some("3")]);
        let kept = "sort=-last_name%2Cfirst_name&q=Zo%C3%AB+%26+o%27b";
        let to = |page: u8, relation: &str| {
            format!("</api/v1{path}?{kept}&page={page}&size=3>; rel=\"{relation}\"")
        };
        let links = [to(1, "first"), to(1, "prev"), to(3, "next"), to(3, "last")].join(", ");
        assert_eq!(answer.header("link"), Some(&*links));
        // Following the links leads through everybody once.
        let (mut seen, mut next) = (Vec::new(), Some(format!("{path}?{kept}&size=3")));
        while let Some(path) = next {
            let answer = app.call_as(person, Method::GET, &path, None).await;
            seen.extend(column(&answer.json, "first_name").into_iter().map(str::to_owned));
            let links = answer.header("link").expect("links").to_owned();
            let link = links.split(", ").find_map(|link| link.strip_suffix(">; rel=\"next\""));
            next = link.and_then(|link| link.strip_prefix("</api/v1")).map(str::to_owned);
        }
        assert_eq!(seen, (1..=7).map(|n| format!("Zoë & {n}")).collect::<Vec<_>>(), "{path}");
        let past = find(&app, person, &path, &[("q", "Zoë"), ("page", "9"), ("size", "3")]).await;
        assert_eq!((past.status, &past.json, past.header("x-total-count")), (200, &json!([]), Some("7")));
        let usual = find(&app, person, &path, &[("q", "Zoë")]).await;
        assert_eq!((usual.header("x-page"), usual.header("x-per-page")), (Some("1"), Some("25")));
        let clamped = find(&app, person, &path, &[("q", "Zoë"), ("size", "5000")]).await;
        assert_eq!(clamped.header("x-per-page"), Some("200"));
        assert!(clamped.header("link").is_some_and(|links| links.contains("size=200")));
    }
}

#[tokio::test]
async fn names_of_all_scripts_are_found_by_their_beginnings() {
    let app = TestApp::start_with(&MANY).await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let people: [(&str, &str, &[&str]); 13] = [
        (
            "Siobhán",
            "O'Brien",
            &["o'brien", "OBRIEN", "brien", "siobhan o'b", "O’Brien", "obr sio", "Siobhán"],
        ),
        ("Anne-Marie", "Dupont", &["anne-marie", "marie", "annemarie", "anne marie dup", "Anne-M"]),
        ("Zoë", "van Dijk", &["zoe", "ZOË", "van dijk", "dijk zoe", "v d z"]),
        ("Łukasz", "Żółć", &["lukasz", "łukasz", "zolc", "żółć"]),
        ("Jürgen", "Größe", &["jurgen", "Jürgen", "grosse", "GRÖSSE"]),
        ("太郎", "作業員", &["太郎", "作業", "作業員 太"]),
        ("محمد", "عبدالله", &["محمد", "عبد", "عبدالله محمد"]),
        ("דוד", "כהן", &["דוד", "כה", "כהן דוד"]),
        ("Дмитрий", "Иванов", &["Дмитрий", "иван", "ДМИТ"]),
        ("Nguyễn", "Thị Hương", &["nguyen", "huong thi", "Nguyễn Thị Hương"]),
        ("Dr.No", "Smith.example.org", &["dr.no", "no", "smith", "example", "smith.example.org"]),
        ("Mary/Ann", "Lee-5", &["mary", "ann lee", "5", "mary/ann", "lee-5"]),
        ("Ｗｉｄｅ", "ﬁne", &["wide", "fine", "ｗｉｄｅ"]),
    ];
    for (n, (first, last, _)) in people.iter().enumerate() {
        let person = join(&app, admin, &cast.organization, &format!("user-{n:02}"), (first, last)).await;
        put_on_team(&app, &cast, &person).await;
    }
    for (path, person) in searches(&cast) {
        for (first, last, queries) in people {
            for q in queries {
                let names = found(&app, person, &path, &[("q", q)], "last_name").await;
                assert_eq!(names, [last], "{path}: {q} for {first} {last}");
            }
        }
        // Each word has to fit, from its beginning.
        for q in ["brien dupont", "rien", "ukasz", "zoe smith", "業員", "siobhan brien dijk", "zoe zoe2"] {
            assert_eq!(found(&app, person, &path, &[("q", q)], "id").await, [""; 0], "{path}: {q}");
        }
    }
}

#[tokio::test]
async fn nothing_that_is_typed_breaks_a_search() {
    let app = TestApp::start_with(&MANY).await;
    let cast = app.cast().await;
    let mut typed: Vec<String> = [
        "a\u{0}b",
        "\u{0}a",
        "\u{1}",
        "a\u{7f}",
        "a\u{85}b",
        "\u{feff}demo",
        "\u{202e}demo",
        "de\u{200d}mo",
        "\u{10ffff}",
        "'; DROP TABLE users; --",
        "demo' | 'x':*",
        "'demo':*",
        "!demo",
        "demo & !learner",
        "demo:*",
        "demo <-> learner",
        "(demo",
        "demo\\",
        "\\'demo",
        "\\",
        "\"demo\"",
        "demo%",
        "$1",
        "{}",
        "{0}",
        "a:b:c",
        "http://a.b/c?d=e",
        "-5",
        "1e9",
        "5.5",
        "a@b.example",
        "/usr/lib/x",
        "&amp;",
        "<b>demo</b>",
        "İıſK",
        "ß",
        "e\u{301}",
        "🙂 demo",
        "👩‍🚒",
        "ﷺﷺﷺ",
    ]
    .map(str::to_owned)
    .into();
    typed.push("' ".repeat(100));
    typed.push("(".repeat(200));
    typed.push("a ".repeat(100));
    typed.push("ﷺ".repeat(200));
    typed.push("\\".repeat(200));
    for (path, person) in searches(&cast) {
        for q in &typed {
            let answer = find(&app, person, &path, &[("q", q)]).await;
            assert_eq!(answer.status, 200, "{path} {q:?}: {answer:?}");
        }
        for raw in [
            "q=%ff",
            "q=%",
            "q=demo%fe%ff",
            "q",
            "q=%ED%A0%80",
            "%00=1&q=demo",
            "q=demo&%ff=1",
            "=&q=demo",
            "&&&",
        ] {
            let answer = app.call_as(person, Method::GET, &format!("{path}?{raw}"), None).await;
            assert!([200, 400].contains(&answer.status), "{path}?{raw}: {answer:?}");
        }
    }
    // An unknown byte or control character parts words and hides nobody.
    let admin = cast.person("org admin");
    for q in ["demo\u{0}learner", "\u{1}demo\u{7}", "demo\tlearner", "(demo) & learner!"] {
        assert_eq!(found(&app, admin, &users_path(&cast), &[("q", q)], "id").await.len(), 3, "{q:?}");
    }
}

#[tokio::test]
async fn a_lead_finds_all_of_the_organization_but_reads_about_the_own_people_only() {
    let app = TestApp::start_with(&MANY).await;
    let cast = app.cast().await;
    let (admin, lead) = (cast.person("org admin"), cast.person("team admin"));
    let fields = |n: u8, teams: Value| {
        json!({
            "first_name": "Test", "last_name": format!("Person {n}"), "email": format!("p{n}@example.org"),
            "external_id": format!("E-{n}"), "job_title": "Picker", "hired_on": "2026-11-02", "team_ids": teams
        })
    };
    let near = app.membership(admin, &cast.organization, fields(1, json!([cast.team]))).await;
    let far = app.membership(admin, &cast.organization, fields(2, json!([]))).await;
    let joined = app.member(admin, &cast.organization, "joined", fields(3, json!([]))).await;
    let left = app.membership(admin, &cast.organization, fields(4, json!([cast.team]))).await;
    let left = format!("/organizations/{}/memberships/{}", cast.organization, id_of(&left));
    assert_eq!(app.call_as(admin, Method::DELETE, &left, None).await.status, 200);

    let path = members_path(&cast);
    for query in [vec![("q", "test")], vec![("q", "test"), ("scope", "team")]] {
        let answer = find(&app, lead, &path, &query).await;
        let expected = common::with(&near, &json!({ "on_team": true }));
        assert_eq!((answer.status, &answer.json), (200, &json!([expected])), "{query:?}");
    }
    let query = [("q", "test"), ("scope", "organization")];
    let whole = find(&app, admin, &path, &query).await;
    assert_eq!(whole.header("x-total-count"), Some("3"), "who has left is not found");
    let rows = whole.json.as_array().expect("a list");
    let on_team: Vec<_> = rows.iter().map(|row| row["on_team"].as_bool()).collect();
    assert_eq!(on_team, [Some(true), Some(false), Some(false)]);
    assert_eq!(rows[1], common::with(&far, &json!({ "on_team": false })));
    assert_eq!(rows[1]["invite_code"].as_str().map(str::len), Some(6));
    assert_eq!(rows[2]["user"]["username"], "joined");

    let seen = find(&app, lead, &path, &query).await;
    let hidden = json!({
        "email": null, "external_id": null, "hired_on": null, "reporting_starts_on": null,
        "invite_code": null, "invitation": null, "user": null
    });
    let expected = json!([rows[0], common::with(&rows[1], &hidden), common::with(&rows[2], &hidden)]);
    assert_eq!((seen.status, &seen.json), (200, &expected));
    for row in seen.json.as_array().expect("a list") {
        assert_eq!(keys_of(row), keys_of(&rows[0]));
    }
    for secret in ["p2@", "p3@", "E-2", "E-3", "joined", far["invite_code"].as_str().expect("a code")] {
        assert!(!seen.text.contains(secret), "{secret} in {}", seen.text);
    }
    // The lead's own place is on no team.
    let own = find(&app, lead, &path, &[("q", "learner"), ("scope", "organization")]).await;
    let own = own.json.as_array().expect("a list").iter().find(|row| row["id"] == lead.membership()).cloned();
    assert_eq!(own.map(|row| row["user"]["username"].clone()), Some(json!("team-admin")));
    put_on_team(&app, &cast, &joined).await;
    let seen = find(&app, lead, &path, &[("q", "person 3")]).await;
    assert_eq!(seen.json[0]["email"], "p3@example.org", "once they are on the team");
}

#[tokio::test]
async fn an_organization_finds_its_active_people_by_either_name() {
    let app = TestApp::start_with(&MANY).await;
    let cast = app.cast().await;
    let admin = cast.person("org admin");
    let fields = json!({ "first_name": "Wilhelmine", "last_name": "Zauberhaft" });
    app.membership(admin, &cast.organization, fields.clone()).await;
    let person = app.member(admin, &cast.organization, "willi", fields).await;
    let path = users_path(&cast);
    for q in ["wilhelmine", "zauberhaft", "zauber demo"] {
        let answer = find(&app, admin, &path, &[("q", q)]).await;
        assert_eq!(column(&answer.json, "username"), ["willi"], "{q}: pending ones are no users");
        assert_eq!(answer.header("x-total-count"), Some("1"), "{q}");
        assert_eq!(answer.json[0]["first_name"], "Demo", "the account's own name is shown");
    }
    let whole = app.call_as(admin, Method::GET, &format!("/users/{}", id_of(&person.data)), None).await;
    assert_eq!(find(&app, admin, &path, &[("q", "wilhelmine")]).await.json, json!([whole.json]));
    // On the platform it is the account's name alone.
    let staff = cast.person("staff employee");
    assert_eq!(found(&app, staff, "/search/users", &[("q", "wilhelmine")], "id").await, [""; 0]);

    // A new name counts at once, and the old one no more.
    let body = Some(json!({ "first_name": "Willi", "last_name": "Weber" }));
    assert_eq!(app.call_as(&person, Method::PATCH, "/auth", body).await.status, 200);
    let membership = format!("/organizations/{}/memberships/{}", cast.organization, person.membership());
    let body = Some(json!({ "first_name": "Mina" }));
    assert_eq!(app.call_as(admin, Method::PATCH, &membership, body).await.status, 200);
    for (q, names) in [("weber", vec!["willi"]), ("mina weber", vec!["willi"]), ("wilhelmine", vec![])] {
        assert_eq!(found(&app, admin, &path, &[("q", q)], "username").await, names, "{q}");
    }
    assert_eq!(found(&app, staff, "/search/users", &[("q", "weber")], "username").await, ["willi"]);
    // Who leaves is found no more, but on the platform.
    assert_eq!(app.call_as(admin, Method::DELETE, &membership, None).await.status, 200);
    assert_eq!(found(&app, admin, &path, &[("q", "weber")], "id").await, [""; 0]);
    assert_eq!(found(&app, staff, "/search/users", &[("q", "weber")], "username").await, ["willi"]);
}

#[tokio::test]
async fn namesakes_of_other_organizations_are_neither_shown_nor_counted() {
    let app = TestApp::start_with(&MANY).await;
    let cast = app.cast().await;
    let (staff, admin, outsider) =
        (cast.person("staff admin"), cast.person("org admin"), cast.person("outsider"));
    let elsewhere = outsider.data["memberships"][0]["organization_id"].as_str().expect("an id").to_owned();
    for n in 1..=2 {
        let person = join(&app, admin, &cast.organization, &format!("here-{n}"), ("Name", "Sake")).await;
        put_on_team(&app, &cast, &person).await;
    }
    for n in 1..=5 {
        join(&app, staff, &elsewhere, &format!("there-{n}"), ("Name", "Sake")).await;
        app.membership(staff, &elsewhere, json!({ "first_name": "Name", "last_name": "Sake" })).await;
    }
    let (users, members) = (users_path(&cast), members_path(&cast));
    for (person, path, scope, total) in [
        (admin, &users, None, "2"),
        (staff, &users, None, "2"),
        (admin, &members, Some("team"), "2"),
        (admin, &members, Some("organization"), "2"),
        (cast.person("team admin"), &members, Some("organization"), "2"),
        (outsider, &format!("/search/organizations/{elsewhere}/users"), None, "5"),
        (staff, &"/search/users".to_owned(), None, "7"),
    ] {
        let mut query = vec![("q", "name sake"), ("size", "1")];
        query.extend(scope.map(|scope| ("scope", scope)));
        let answer = find(&app, person, path, &query).await;
        assert_eq!(answer.header("x-total-count"), Some(total), "{path} {scope:?}");
        assert_eq!(answer.json.as_array().map(Vec::len), Some(1));
    }
    // The id of the organization is a part of the keys, and none of the words.
    for q in [cast.organization.as_str(), &cast.organization[..8], &format!("{}name", cast.organization)] {
        assert_eq!(found(&app, admin, &users, &[("q", q)], "id").await, [""; 0], "{q}");
    }
    for place in [users, members.clone(), format!("{members}?scope=organization")] {
        let and = if place.contains('?') { '&' } else { '?' };
        for q in ["name", "nobody"] {
            let answer = app.call_as(outsider, Method::GET, &format!("{place}{and}q={q}"), None).await;
            answer.problem(404, "not_found");
            assert_eq!(answer.header("x-total-count"), None);
        }
    }
}
