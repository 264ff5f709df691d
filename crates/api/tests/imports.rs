//! Rosters: putting a file, and what becomes of it.

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::{Answer, Person, TestApp, expect_by_role, id_of, keys};
use reqwest::Method;
use serde_json::{Value, json};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";
const HEADER: &str =
    "external_id,first_name,last_name,email,job_title,team,org_admin,team_admin,hired_on,status";
const TOKEN: &str = "the storage's own word";

/// A server with a storage and a worker, and an organization of its own.
struct Place {
    app: TestApp,
    staff: Person,
    organization: String,
    folder: String,
    storage: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(variables: &[(&str, &str)]) -> Self {
        let storage = tempfile::tempdir().expect("a folder");
        let path = storage.path().to_str().expect("a path");
        let mut all = vec![
            ("WORKLETE_ENV", "development"),
            ("S3_EMBEDDED_FOLDER", path),
            ("S3_EMBEDDED_ADDRESS", "127.0.0.1:0"),
            ("STORAGE_EVENTS_TOKEN", TOKEN),
            ("WORKERS", "1"),
            ("ROSTER_POLL_SECONDS", "1"),
        ];
        all.extend_from_slice(variables);
        let app = TestApp::start_with(&all).await;
        let staff = app.staff("demo-staff", "admin").await;
        let organization = app.organization(&staff, "Harbor").await;
        let path = format!("/worklete_admin/organizations/{organization}");
        let answer = app.call_as(&staff, Method::GET, &path, None).await;
        let folder = answer.json["s3_integrations_folder"].as_str().expect("a folder").to_owned();
        Self { app, staff, organization, folder, storage }
    }

    fn path(&self, rest: &str) -> String {
        format!("/worklete_admin/organizations/{}/{rest}", self.organization)
    }

    async fn get(&self, rest: &str) -> Answer {
        self.app.call_as(&self.staff, Method::GET, &self.path(rest), None).await
    }

    async fn post(&self, rest: &str, body: Option<Value>) -> Answer {
        self.app.call_as(&self.staff, Method::POST, &self.path(rest), body).await
    }

    async fn ticket(&self, mode: &str) -> Value {
        let answer = self.get(&format!("upload_memberships_csv?mode={mode}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json
    }

    /// Puts a file as the ticket says; gives the status.
    async fn put(&self, ticket: &Value, content: impl Into<Vec<u8>>) -> u16 {
        let method = ticket["method"].as_str().expect("a method").parse::<Method>().expect("a method");
        let mut request = self.app.client.request(method, ticket["url"].as_str().expect("a URL"));
        for (name, value) in ticket["headers"].as_object().expect("headers") {
            request = request.header(name, value.as_str().expect("a value"));
        }
        request.body(content.into()).send().await.expect("an answer").status().as_u16()
    }

    /// The import once it stands like that.
    async fn until(&self, import: &str, states: &[&str]) -> Value {
        let start = Instant::now();
        loop {
            let answer = self.get(&format!("imports/{import}")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            if states.iter().any(|state| answer.json["state"] == *state) {
                return answer.json;
            }
            assert!(start.elapsed() < Duration::from_mins(1), "{answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ended(&self, import: &str) -> Value {
        self.until(import, &["done", "failed", "cancelled", "held"]).await
    }

    /// Puts a file and waits until it is imported.
    async fn import(&self, mode: &str, content: impl Into<Vec<u8>>) -> Value {
        let ticket = self.ticket(mode).await;
        assert_eq!(self.put(&ticket, content).await, 200);
        self.ended(ticket["import_id"].as_str().expect("an id")).await
    }

    /// Puts a file into the folder without asking, as a customer's own tools do.
    fn drop_file(&self, name: &str, content: &str) {
        let path = self.storage.path().join("integrations").join(&self.folder);
        std::fs::create_dir_all(&path).expect("a folder");
        std::fs::write(path.join(name), content).expect("a file");
    }

    /// Everything on the roster, as it does not change when nothing does.
    fn roster(&self) -> Vec<String> {
        self.app.database.rows(
            "SELECT m.external_id, m.first_name, m.last_name, m.email, m.job_title, m.org_admin, m.status, m.updated_at, \
                ARRAY(SELECT t.name FROM team_memberships x JOIN teams t ON t.id = x.team_id WHERE x.membership_id = m.id ORDER BY 1), \
                ARRAY(SELECT t.name FROM team_admins x JOIN teams t ON t.id = x.team_id WHERE x.membership_id = m.id ORDER BY 1), \
                (SELECT count(*) FROM invitations i WHERE i.membership_id = m.id) FROM memberships m ORDER BY m.external_id, m.id",
        )
    }
}

fn counts(import: &Value) -> BTreeMap<&str, i64> {
    let counts = import["counts"].as_object().expect("counts");
    counts
        .iter()
        .map(|(name, count)| (name.as_str(), count.as_i64().expect("a number")))
        .filter(|(_, n)| *n != 0)
        .collect()
}

fn errors(import: &Value) -> Vec<(u64, &str, &str)> {
    let text =
        |error: &'_ Value, field: &str| -> &str { error[field].as_str().expect("text").to_owned().leak() };
    let errors = import["errors"].as_array().expect("errors").iter();
    errors
        .map(|error| (error["line"].as_u64().expect("a line"), text(error, "column"), text(error, "code")))
        .collect()
}

fn people(range: std::ops::Range<u32>) -> String {
    let line = |n: u32| format!("E-{n},Ann{n},Lee,ann{n}@example.org,Picker,Team {},,,2026-01-05,\n", n % 4);
    format!("{HEADER}\n{}", range.map(line).collect::<String>())
}

#[tokio::test]
async fn a_roster_goes_from_a_signed_upload_to_members_with_codes() {
    let place = Place::new().await;
    let ticket = place.ticket("delta").await;
    assert_eq!(keys(&ticket), ["expires_at", "headers", "import_id", "key", "method", "url"]);
    assert_eq!(ticket["headers"], json!({ "Content-Type": "text/csv", "If-None-Match": "*" }));
    let key = ticket["key"].as_str().expect("a key");
    assert!(key.starts_with(&format!("{}/", place.folder)) && key.strip_suffix(".csv").is_some(), "{key}");
    let import = ticket["import_id"].as_str().expect("an id");
    let waiting = place.get(&format!("imports/{import}")).await.json;
    assert_eq!((&waiting["state"], &waiting["key"]), (&json!("awaiting_upload"), &ticket["key"]));

    let roster = people(0..1000) + "E-1000,,Lee,nonsense,,,,,,\n";
    assert_eq!(place.put(&ticket, roster.clone()).await, 200);
    assert_eq!(place.put(&ticket, roster).await, 412, "once");
    let done = place.ended(import).await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(counts(&done), BTreeMap::from([("created", 1000), ("rejected", 1), ("rows", 1001)]));
    assert_eq!(errors(&done), [(1002, "first_name", "blank"), (1002, "email", "invalid")]);
    assert_eq!(done["errors_total"], 2);

    let path = format!("/worklete_admin/organizations/{}", place.organization);
    let organization = place.app.call_as(&place.staff, Method::GET, &path, None).await.json;
    assert_eq!((&organization["memberships_count"], &organization["teams_count"]), (&json!(1000), &json!(4)));
    let invited = format!("/organizations/{}/invitations?status=pending&size=1", place.organization);
    let invited = place.app.call_as(&place.staff, Method::GET, &invited, None).await;
    assert_eq!(invited.header("x-total-count"), Some("1000"));
    let code = invited.json[0]["code"].as_str().expect("a code").to_owned();
    assert_eq!(place.app.sign_up("learner", &code).await.status, 200);
}

#[tokio::test]
async fn the_same_people_again_are_nothing_to_do() {
    let place = Place::new().await;
    place.import("delta", people(0..60)).await;
    let before = place.roster();
    let again = place.import("delta", people(0..60)).await;
    assert_eq!(counts(&again), BTreeMap::from([("rows", 60), ("unchanged", 60)]));
    assert_eq!(place.roster(), before);
    // The same file by name and content is the same import.
    let path = place.path("imports");
    let body = json!({ "key": again["key"], "mode": "snapshot" });
    let same = place.app.call_as(&place.staff, Method::POST, &path, Some(body)).await;
    assert_eq!((same.status, &same.json["id"], &same.json["mode"]), (200, &again["id"], &json!("delta")));
}

#[tokio::test]
async fn a_delta_says_who_is_new_changed_gone_and_back() {
    let place = Place::new().await;
    place.import("delta", people(0..10)).await;
    let delta = format!(
        "{HEADER}\nE-1,Ann1,Moved,,,,,,,\nE-2,Ann2,Lee,,Driver,Yard,,yes,,\nE-3,Ann3,Lee,,,,,,,deactivated\nE-10,New,One,,,,,,,\n"
    );
    let done = place.import("delta", delta).await;
    let expected = [("created", 1), ("deactivated", 1), ("rows", 4), ("updated", 2)];
    assert_eq!(counts(&done), BTreeMap::from(expected));
    let roster = place.roster();
    let of = |number: &str| {
        roster.iter().find(|row| row.starts_with(&format!("({number},"))).expect("a row").clone()
    };
    assert!(of("E-1").contains("Moved"));
    assert!(of("E-2").contains("Driver") && of("E-2").contains("{Yard},{Yard}"), "{}", of("E-2"));
    assert!(of("E-3").contains("deactivated"));
    let back = place.import("delta", format!("{HEADER}\nE-3,Ann3,Lee,,,,,,,\n")).await;
    assert_eq!(counts(&back), BTreeMap::from([("reactivated", 1), ("rows", 1)]));
}

#[tokio::test]
async fn a_snapshot_that_would_empty_the_house_waits_for_somebody() {
    let place = Place::new().await;
    place.import("snapshot", people(0..40)).await;
    let few = place.import("snapshot", people(0..38)).await;
    assert_eq!(
        counts(&few),
        BTreeMap::from([("deactivated", 2), ("rows", 38), ("unchanged", 38)]),
        "a twentieth may go"
    );

    let before = place.roster();
    let held = place.import("snapshot", people(0..10)).await;
    assert_eq!((&held["state"], &held["held_reason"]), (&json!("held"), &json!("too_many_deactivations")));
    assert_eq!(held["message"], "28 of 38 people would be deactivated.");
    assert_eq!(place.roster(), before, "nothing was applied");
    let id = id_of(&held);
    let confirmed = place.post(&format!("imports/{id}/confirm"), None).await;
    assert_eq!((confirmed.status, &confirmed.json["state"]), (200, &json!("queued")), "{confirmed:?}");
    let done = place.until(&id, &["done", "failed"]).await;
    assert_eq!(counts(&done), BTreeMap::from([("deactivated", 28), ("rows", 10), ("unchanged", 10)]));
    place.post(&format!("imports/{id}/confirm"), None).await.problem(409, "import_not_held");
    place.post(&format!("imports/{id}/cancel"), None).await.problem(409, "import_ended");
    assert_eq!(
        place.app.database.rows("SELECT action, actor_id IS NOT NULL FROM audit_log WHERE subject_kind = 'import' ORDER BY at DESC LIMIT 2"),
        ["(import.confirm,t)", "(import.request,t)"]
    );
}

#[tokio::test]
async fn the_last_admin_goes_only_when_somebody_says_so() {
    let place = Place::new().await;
    let lead =
        format!("{HEADER}\nE-1,Ann,Lee,,,,true,,,\n") + people(2..30).split_once('\n').expect("lines").1;
    place.import("snapshot", lead).await;
    let code = place.app.database.rows(
        "SELECT i.code FROM invitations i JOIN memberships m ON m.id = i.membership_id WHERE m.external_id = 'E-1'",
    );
    let code = code[0].trim_matches(['(', ')']).to_owned();
    assert_eq!(place.app.sign_up("the-lead", &code).await.status, 200);

    let gone = format!("{HEADER}\nE-1,Ann,Lee,,,,,,,deactivated\nE-2,Ann2,Renamed,,,,,,,\n");
    let delta = place.import("delta", gone).await;
    assert_eq!(counts(&delta), BTreeMap::from([("rejected", 1), ("rows", 2), ("updated", 1)]));
    assert_eq!(errors(&delta), [(2, "status", "last_org_admin")]);

    let held = place.import("snapshot", people(2..30)).await;
    assert_eq!(held["held_reason"], "last_org_admin");
    let id = id_of(&held);
    let cancelled = place.post(&format!("imports/{id}/cancel"), None).await;
    assert_eq!((cancelled.status, &cancelled.json["state"]), (200, &json!("cancelled")));
    assert_eq!(place.post(&format!("imports/{id}/cancel"), None).await.status, 200, "twice is once");
    place.post(&format!("imports/{id}/confirm"), None).await.problem(409, "import_not_held");

    // Cancelled is not imported: the same file may come again.
    let again = place.post("imports", Some(json!({ "key": held["key"], "mode": "snapshot" }))).await;
    assert_eq!(again.status, 201, "{again:?}");
    let id = id_of(&again.json);
    place.until(&id, &["held"]).await;
    place.post(&format!("imports/{id}/confirm"), None).await;
    let done = place.until(&id, &["done", "failed"]).await;
    assert_eq!((&done["state"], &done["counts"]["deactivated"]), (&json!("done"), &json!(1)), "{done}");
}

#[tokio::test]
async fn a_dry_run_tells_and_changes_nothing() {
    let place = Place::new().await;
    place.import("delta", people(0..20)).await;
    let before = place.roster();
    place.drop_file("next.txt", &(people(0..5) + "E-99,New,One,,,,,,,\nE-98,,One,,,,,,,\n"));
    let body = json!({ "key": format!("{}/next.txt", place.folder), "mode": "snapshot", "dry_run": true });
    for _ in 0..2 {
        let started = place.post("imports", Some(body.clone())).await;
        assert_eq!(started.status, 201, "each time anew: {started:?}");
        let done = place.ended(&id_of(&started.json)).await;
        let expected = [("created", 1), ("deactivated", 15), ("rejected", 1), ("rows", 7), ("unchanged", 5)];
        assert_eq!((&done["state"], counts(&done)), (&json!("done"), BTreeMap::from(expected)));
        assert_eq!(done["held_reason"], "too_many_deactivations");
    }
    assert_eq!(place.roster(), before);
}

#[tokio::test]
async fn a_file_in_the_folder_is_found_by_itself_and_taken_as_the_organization_has_it() {
    let place = Place::new().await;
    let path = format!("/worklete_admin/organizations/{}", place.organization);
    let set = json!({ "import_mode": "snapshot" });
    let changed = place.app.call_as(&place.staff, Method::PATCH, &path, Some(set)).await;
    assert_eq!((changed.status, &changed.json["import_mode"]), (200, &json!("snapshot")), "{changed:?}");
    place.drop_file("today.CSV", &people(0..3));
    place.drop_file("notes.txt", "not a roster");
    let start = Instant::now();
    let found = loop {
        let list = place.get("imports?state=done").await;
        assert_eq!(list.status, 200, "{list:?}");
        if let Some(found) = list.json.as_array().expect("a list").first() {
            break found.clone();
        }
        assert!(start.elapsed() < Duration::from_mins(1));
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!((&found["mode"], &found["created_by"]), (&json!("snapshot"), &json!(null)));
    assert_eq!(counts(&found), BTreeMap::from([("created", 3), ("rows", 3)]));
    assert_eq!(place.get("imports").await.header("x-total-count"), Some("1"), "the other file is none");
}

#[tokio::test]
async fn a_storage_may_tell_of_a_file() {
    let place = Place::with(&[("ROSTER_POLL_SECONDS", "0")]).await;
    place.drop_file("to day.csv", &people(0..3));
    let told = |key: &str| {
        let record = json!({ "eventName": "ObjectCreated:Put", "s3": { "bucket": { "name": "integrations" }, "object": { "key": key } } });
        json!({ "Records": [record] })
    };
    let send = async |body: &Value, token: &str| {
        let request = place
            .app
            .request(Method::POST, "/storage/events")
            .header("authorization", format!("Bearer {token}"));
        place.app.send(request.json(body)).await
    };
    let key = format!("{}/to+day.csv", place.folder);
    assert_eq!(send(&told(&key), "guessed").await.status, 401);
    let answer = send(&told(&key), TOKEN).await;
    assert_eq!((answer.status, &answer.json), (200, &json!({ "queued": 1 })), "{answer:?}");
    for nothing in [told(&key), told("nowhere/a.csv"), told(&format!("{}/gone.csv", place.folder)), json!({})]
    {
        let answer = send(&nothing, TOKEN).await;
        assert_eq!((answer.status, &answer.json), (200, &json!({ "queued": 0 })), "{nothing}");
    }
    assert_eq!(send(&json!({ "Records": 7 }), TOKEN).await.status, 400);
    let many: Vec<Value> = (0..101).map(|_| told(&key)["Records"][0].clone()).collect();
    send(&json!({ "Records": many }), TOKEN).await.problem(400, "validation_failed");
    let list = place.get("imports").await;
    assert_eq!(list.header("x-total-count"), Some("1"));
    place.ended(&id_of(&list.json[0])).await;
}

/// Files that something is wrong with, and what the report has to say. None means that it is read.
fn hostile() -> Vec<(&'static str, Vec<u8>, Option<&'static str>)> {
    let good = "E-1,Ann,Lee,,,,,,,\n";
    let text = |text: String| text.into_bytes();
    let mut windows = text(format!("{HEADER}\nE-1,"));
    windows.extend_from_slice(b"Jos\xe9,M\xfcller,,,,,,,\n");
    let utf16: Vec<u8> = [0xfeff_u16]
        .into_iter()
        .chain(format!("{HEADER}\nE-1,Zoë,Lee,,,,,,,\n").encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut mixed = text(format!("{HEADER}\nE-1,Zoë,Lee,,,,,,,\n"));
    mixed.extend_from_slice(b"E-2,Jos\xe9,Lee,,,,,,,\n");
    vec![
        ("open quote", text(format!("{HEADER}\nE-1,\"Ann,Lee,,,,,,,\n{good}")), Some("unclosed_quote")),
        ("empty", vec![], Some("empty_file")),
        ("zip", b"PK\x03\x04 and so on".to_vec(), Some("not_text")),
        ("300 columns", text(vec!["c"; 300].join(",")), Some("too_many_columns")),
        ("duplicate headers", text(format!("{HEADER},email\n{good}")), Some("duplicate_column")),
        ("no names", text("external_id\nE-1\n".into()), Some("missing_column")),
        ("too large", vec![b'x'; 51_000_000], Some("file_too_large")),
        ("NUL byte", text(format!("{HEADER}\nE-0,A\0nn,Lee,,,,,,,\n{good}")), None),
        ("end of a copy", text(format!("{HEADER}\n\\.\n{good}")), None),
        ("10 MB field", text(format!("{HEADER}\nE-0,{},Lee,,,,,,,\n{good}", "x".repeat(10 << 20))), None),
        (
            "unknown columns",
            text(format!("{HEADER},shoe size\nE-1,Ann,Lee,,,,,,,,44\nE-0,,Lee,,,,,,,,\n")),
            None,
        ),
        ("formulas", text(format!("{HEADER}\nE-1,=cmd|x,Lee,,,,,,,\nE-0,@SUM,Lee,+1,,,,,,\n")), None),
        (
            "semicolons",
            text(format!("{}\n{}x;;;;;;;;;\n", HEADER.replace(',', ";"), good.replace(',', ";"))),
            None,
        ),
        ("windows", [windows, b"x,,,,,,,,,\n".to_vec()].concat(), None),
        (
            "UTF-16",
            utf16.into_iter().chain("x,,,,,,,,,\n".encode_utf16().flat_map(u16::to_le_bytes)).collect(),
            None,
        ),
        ("mixed", [mixed, b"x,,,,,,,,,\n".to_vec()].concat(), None),
        ("ragged", text(format!("{HEADER}\n{good}E-0\n")), None),
    ]
}

#[tokio::test]
async fn whatever_is_in_a_file_ends_in_a_report() {
    let place = Place::new().await;
    for (name, content, failure) in hostile() {
        place.app.database.execute("DELETE FROM invitations; DELETE FROM memberships");
        let import = place.import("delta", content).await;
        if let Some(code) = failure {
            assert_eq!(
                (&import["state"], &import["failure_code"]),
                (&json!("failed"), &json!(code)),
                "{name}"
            );
            assert!(import["message"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
            assert!(place.roster().is_empty(), "{name}");
        } else {
            assert_eq!(import["state"], "done", "{name}: {import}");
            let counts = counts(&import);
            let good = counts.get("created").copied().unwrap_or_default();
            assert!(good >= 1 && counts.get("rejected") == Some(&1), "{name}: {import}");
            assert_eq!(good + 1, counts["rows"], "{name}: no line is lost");
            assert_eq!(place.roster().len(), usize::try_from(good).expect("few"), "{name}");
        }
    }
}

#[tokio::test]
async fn names_come_through_in_any_writing() {
    let place = Place::new().await;
    let mut windows = format!("{HEADER}\nE-1,").into_bytes();
    windows.extend_from_slice(b"Jos\xe9,M\xfcller,,,,,,,\n");
    place.import("delta", windows).await;
    let utf16 =
        format!("{HEADER}\nE-2,Zoë,Łukasz \"Ł\",,,,,,,\n").replace("Łukasz \"Ł\"", "\"Łukasz \"\"Ł\"\"\"");
    let utf16: Vec<u8> =
        [0xfeff_u16].into_iter().chain(utf16.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    place.import("delta", utf16).await;
    let names = place
        .app
        .database
        .rows("SELECT to_json(first_name || '|' || last_name) FROM memberships ORDER BY external_id");
    assert!(names[0].contains("José|Müller"), "{names:?}");
    assert!(names[1].contains("Zoë|Łukasz") && names[1].contains('Ł'), "{names:?}");
}

#[tokio::test]
async fn of_the_same_person_twice_the_last_good_line_counts() {
    let place = Place::new().await;
    let lines = "E-1,First,Lee,,,,,,,\nE-1,Second,Lee,,,,,,,\nE-1,,Broken,,,,,,,\n";
    let done = place.import("delta", format!("{HEADER}\n{lines}")).await;
    assert_eq!(counts(&done), BTreeMap::from([("created", 1), ("rejected", 2), ("rows", 3)]));
    assert_eq!(errors(&done), [(2, "external_id", "duplicate_in_file"), (4, "first_name", "blank")]);
    assert_eq!(place.app.database.rows("SELECT first_name FROM memberships"), ["(Second)"]);
}

#[tokio::test]
async fn the_report_has_every_line_and_no_formula() {
    let place = Place::new().await;
    let lines = "E-1,Ann,Lee,,,,,,,\n=1+1,,Lee,@x,,,,,,\n";
    let done = place.import("delta", format!("{HEADER}\n{lines}")).await;
    let id = id_of(&done);
    let report = place.get(&format!("imports/{id}/report.csv")).await;
    assert_eq!(
        (report.status, report.header("content-type")),
        (200, Some("text/csv; charset=utf-8")),
        "{report:?}"
    );
    assert!(report.header("content-disposition").is_some_and(|text| text.starts_with("attachment")));
    let text: Vec<&str> = report.text.lines().collect();
    assert_eq!(text[0], "line,action,key,membership_id,column,code,message,value");
    assert!(text[1].starts_with("2,created,E-1,") && text[1].ends_with(",,,,"), "{text:?}");
    assert!(text[2].starts_with("3,rejected,'=1+1,,first_name,blank,"), "{text:?}");
    assert!(text[3].starts_with("3,rejected,'=1+1,,email,invalid,") && text[3].ends_with(",'@x"), "{text:?}");
    assert_eq!(text.len(), 4);
}

#[tokio::test]
async fn what_is_wrong_is_told_by_field() {
    let place = Place::new().await;
    place.drop_file("a.txt", "x");
    let key = format!("{}/a.txt", place.folder);
    for (body, field) in [
        (json!({}), "key"),
        (json!({ "key": "" }), "key"),
        (json!({ "key": "other/a.csv" }), "key"),
        (json!({ "key": format!("{}/../other/a.csv", place.folder) }), "key"),
        (json!({ "key": format!("{}/none.csv", place.folder) }), "key"),
        (json!({ "key": "x".repeat(5000) }), "key"),
        (json!({ "key": key, "mode": "all" }), "mode"),
        (json!({ "key": key, "dry_run": "yes" }), "dry_run"),
        (json!({ "key": key, "mode": 7 }), "mode"),
    ] {
        let answer = place.post("imports", Some(body.clone())).await;
        assert_eq!(answer.status, 400, "{body} {answer:?}");
        assert!(answer.json["fields"][field].is_array(), "{body} {answer:?}");
    }
    assert_eq!(place.get("upload_memberships_csv?mode=all").await.status, 400);
    assert_eq!(place.get("upload_memberships_csv?modus=delta").await.status, 400, "no such parameter");
    assert_eq!(place.get("imports?state=gone").await.status, 400);
    assert_eq!(place.get(&format!("imports/{UNKNOWN}")).await.status, 404);
    assert_eq!(place.get(&format!("imports/{UNKNOWN}/report.csv")).await.status, 404);
    assert_eq!(place.post(&format!("imports/{UNKNOWN}/confirm"), None).await.status, 404);
    assert!(place.app.database.rows("SELECT 1 FROM imports").is_empty());
    let elsewhere = format!("/worklete_admin/organizations/{UNKNOWN}/imports");
    assert_eq!(place.app.call_as(&place.staff, Method::GET, &elsewhere, None).await.status, 404);
}

#[tokio::test]
async fn an_import_is_of_its_organization() {
    let place = Place::new().await;
    let done = place.import("delta", people(0..1)).await;
    let other = place.app.organization(&place.staff, "Port").await;
    let path = format!("/worklete_admin/organizations/{other}/imports/{}", id_of(&done));
    assert_eq!(place.app.call_as(&place.staff, Method::GET, &path, None).await.status, 404);
    let path = format!("{path}/cancel");
    assert_eq!(place.app.call_as(&place.staff, Method::POST, &path, None).await.status, 404);
}

#[tokio::test]
async fn without_a_storage_it_says_so() {
    let app = TestApp::start().await;
    let staff = app.staff("demo-staff", "admin").await;
    let organization = app.organization(&staff, "Harbor").await;
    let path = format!("/worklete_admin/organizations/{organization}/upload_memberships_csv");
    app.call_as(&staff, Method::GET, &path, None).await.problem(503, "storage_not_configured");
    assert!(app.database.rows("SELECT 1 FROM imports").is_empty());
    assert_eq!(app.call(Method::POST, "/storage/events", Some(json!({}))).await.status, 404);
}

#[tokio::test]
async fn each_role_may_as_the_table_says() {
    let app = TestApp::start().await;
    let cast = app.cast().await;
    let area = format!("/worklete_admin/organizations/{}", cast.organization);
    let one = format!("{area}/imports/{UNKNOWN}");
    let body = || Some(json!({ "key": "x" }));
    for (method, path, body, employee, admin) in [
        (Method::GET, format!("{area}/imports"), None, 200, 200),
        (Method::GET, one.clone(), None, 404, 404),
        (Method::GET, format!("{one}/report.csv"), None, 404, 404),
        (Method::POST, format!("{area}/imports"), body(), 403, 400),
        (Method::POST, format!("{one}/confirm"), None, 403, 404),
        (Method::POST, format!("{one}/cancel"), None, 403, 404),
        (Method::GET, format!("{area}/upload_memberships_csv"), None, 403, 503),
        (Method::POST, format!("{area}/upload_memberships_csv"), None, 403, 503),
    ] {
        let expected = [401, 403, 403, 403, 403, 403, employee, admin];
        expect_by_role(&app, &cast, method, &path, body, expected).await;
    }
}
