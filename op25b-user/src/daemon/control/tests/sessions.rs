//! Sessions at the socket: their import as it arrives, and their list.

use axum::{
    body::Body,
    http::{Method, Request as HttpRequest},
};
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use tempfile::{TempDir, tempdir};

use super::{DESK, Fixture, OPERATOR, Reply, VIEWER, request};

const ALICE: &str = r#"{"customer":"alice","prefix":"198.51.100.7","start":"2026-03-31T01:00:00Z","end":"2026-03-31T05:12:40Z"}"#;
const BOB: &str = r#"{"customer":"bob","prefix":"2001:db8:0:1ff::/56","start":"2026-03-31T02:00:00Z","seen":"2026-03-31T03:00:00Z"}"#;

fn lines(uri: &str, body: Body) -> HttpRequest<Body> {
    HttpRequest::post(uri)
        .header("content-type", "application/x-ndjson; charset=utf-8")
        .body(body)
        .unwrap()
}

struct Scene {
    fixture: Fixture,
    _dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = tempdir().unwrap();
        Self {
            fixture: Fixture::with_sessions_in(dir.path()),
            _dir: dir,
        }
    }

    async fn import(&self, query: &str, body: impl Into<Body>) -> Reply {
        let uri = format!("/v1/sessions/import{query}");
        self.fixture.send(OPERATOR, lines(&uri, body.into())).await
    }

    /// Reports sessions as the support desk, or a RADIUS server, does.
    async fn report(&self, events: &str) -> Reply {
        let request = request(Method::POST, "/v1/sessions", events);
        self.fixture.send(DESK, request).await
    }

    /// The customers of a list.
    async fn customers(&self, query: &str) -> Vec<String> {
        let list = self.fixture.get(&format!("/v1/sessions?{query}")).await.json();
        let items = list["items"].as_array().unwrap();
        let name = |item: &serde_json::Value| item["customer"].as_str().unwrap().to_owned();
        items.iter().map(name).collect()
    }
}

#[tokio::test]
async fn sessions_are_added_as_they_arrive_and_found_by_address_time_and_customer() {
    let scene = Scene::new();
    assert_eq!(scene.customers("").await, [""; 0]);
    // A chunk ends anywhere, and the last line need not end.
    let body = format!("{ALICE}\n\n{BOB}");
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> = body
        .as_bytes()
        .chunks(7)
        .map(|chunk| Ok(chunk.to_vec()))
        .collect();
    let answer = scene.import("?dry_run=true", body.clone()).await.json();
    assert_eq!((&answer["dry_run"], &answer["added"]), (&true.into(), &2.into()));
    assert_eq!(scene.customers("").await, [""; 0]);

    let answer = scene
        .import("", Body::from_stream(stream::iter(chunks)))
        .await
        .json();
    assert_eq!((&answer["added"], &answer["unchanged"]), (&2.into(), &0.into()));
    assert_eq!(answer["survey"]["open"], 1);
    let answer = scene.import("", body).await.json();
    assert_eq!((&answer["added"], &answer["unchanged"]), (&0.into(), &2.into()));

    for (query, expected) in [
        ("", &["alice", "bob"][..]),
        ("in=198.51.100.0/24", &["alice"]),
        ("in=2001:db8:0:142::1", &["bob"]),
        ("at=2026-03-31T03:12:00Z", &["alice", "bob"]),
        ("at=2026-03-31T06:00:00Z", &["bob"]),
        ("customer=ali", &["alice"]),
        ("since=2026-03-31T05:13:00Z", &["bob"]),
        ("until=2026-03-31T01:30:00Z", &["alice"]),
        ("limit=1", &["alice"]),
    ] {
        assert_eq!(scene.customers(query).await, expected, "{query}");
    }
    assert_eq!(
        scene.fixture.get("/v1/sessions?limit=1").await.json()["more"],
        true
    );
    let list = scene.fixture.get("/v1/sessions?customer=bob").await.json();
    assert_eq!(list["items"][0]["prefix"], "2001:db8:0:100::/56");
    assert_eq!(list["items"][0]["end"], serde_json::Value::Null);
}

#[tokio::test]
async fn of_an_import_with_a_mistake_or_without_its_end_nothing_is_stored() {
    let scene = Scene::new();
    let wrong = [
        ALICE,
        r#"{"customer":"alice","prefix":"198.51.100","start":"2026-03-31T01:00:00Z"}"#,
        r#"{"customer":"alice","prefix":"198.51.100.8","start":"2026-03-31T01:00:00Z","stop":"2026-03-31T01:00:00Z"}"#,
        r#"{"customer":"alice","prefix":"198.51.100.8","start":"2026-03-31T02:00:00Z","end":"2026-03-31T01:00:00Z"}"#,
        r#"{"customer":"a\u202eb","prefix":"198.51.100.8","start":"2026-03-31T02:00:00Z"}"#,
    ]
    .join("\n");
    let answer = scene.import("", wrong).await;
    assert!(answer.problem(422, "invalid").contains("nothing was imported"));
    let rows = answer.json()["rows"].clone();
    let found: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["line"].as_u64().unwrap())
        .collect();
    assert_eq!(found, [2, 3, 4, 5]);

    let breaks = vec![
        Ok(format!("{ALICE}\n").into_bytes()),
        Err(std::io::Error::other("gone")),
    ];
    let answer = scene.import("", Body::from_stream(stream::iter(breaks))).await;
    assert!(answer.problem(400, "bad-request").contains("incomplete"));

    let long = format!("{ALICE}\n{}", " ".repeat(200 << 10));
    scene.import("", long).await.problem(422, "invalid");
    assert_eq!(scene.customers("").await, [""; 0]);
}

#[tokio::test]
async fn what_is_no_body_of_lines_and_who_may_not_is_refused() {
    let scene = Scene::new();
    let json = request(Method::POST, "/v1/sessions/import", ALICE);
    let answer = scene.fixture.send(OPERATOR, json).await;
    assert!(
        answer
            .problem(415, "unsupported-media-type")
            .contains("application/x-ndjson")
    );
    let answer = scene
        .fixture
        .send(DESK, lines("/v1/sessions/import", ALICE.into()))
        .await;
    answer.problem(403, "forbidden");
    let answer = scene
        .fixture
        .send(DESK, request(Method::GET, "/v1/sessions", ""))
        .await;
    assert_eq!(answer.status, 200);
    let answer = scene
        .fixture
        .send(VIEWER, request(Method::GET, "/v1/sessions", ""))
        .await;
    answer.problem(403, "forbidden");
    for query in [
        "limit=0",
        "limit=10001",
        "at=soon",
        "at=2100-01-01",
        "in=x",
        "customer=",
        "by=x",
    ] {
        let answer = scene.fixture.get(&format!("/v1/sessions?{query}")).await;
        assert!(
            [400, 422].contains(&answer.status.as_u16()),
            "{query}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_session_that_begins_or_ends_cuts_the_history_and_one_that_lasts_does_not() {
    let mut scene = Scene::new();
    let alice = |rest: &str| format!(r#"{{"customer":"alice","prefix":"198.51.100.7",{rest}}}"#);
    let start = r#""start":"2026-03-31T01:00:00Z""#;
    // A second later than it was seen at the latest.
    let soon = Timestamp::now() + SignedDuration::from_secs(10);
    for (event, added, cut) in [
        (alice(start), 1, true),
        // She is there still.
        (alice(start), 0, false),
        (alice(&format!(r#""end":"{soon}""#)), 0, true),
        (alice(&format!(r#"{start},"end":"{soon}""#)), 0, false),
        (
            r#"[{"customer":"bob","prefix":"198.51.100.8"},{"customer":"bob","prefix":"2001:db8:0:100::/56"}]"#.to_owned(),
            2,
            true,
        ),
    ] {
        let answer = scene.report(&event).await.json();
        assert_eq!(answer["added"], added, "{event}: {answer}");
        assert_eq!(answer["warnings"], serde_json::json!([]));
        let asked = scene.fixture.asked();
        assert_eq!(asked.is_some_and(|asked| asked.starts_with("cut ")), cut, "{event}");
    }
    assert_eq!(scene.customers("").await, ["alice", "bob", "bob"]);
    let list = scene.fixture.get("/v1/sessions?customer=alice").await.json();
    assert_eq!(list["items"][0]["start"], "2026-03-31T01:00:00Z");
    assert!(list["items"][0]["end"].is_string(), "{list}");
}

#[tokio::test]
async fn of_reported_sessions_with_a_mistake_none_is_recorded_and_each_mistake_is_named() {
    let mut scene = Scene::new();
    let events = r#"[
        {"customer":"alice","prefix":"198.51.100.7"},
        {"customer":"bob","prefix":"198.51.100"},
        {"customer":"carol","prefix":"198.51.100.9","end":"2026-03-31T01:00:00Z"},
        {"customer":"dave","prefix":"198.51.100.9","start":"2026-03-31T02:00:00Z","end":"2026-03-31T01:00:00Z"},
        {"customer":"erin","prefix":"198.51.100.9","start":"2100-01-01T00:00:00Z"}
    ]"#;
    let answer = scene.report(events).await;
    answer.problem(422, "invalid");
    let rows = answer.json()["rows"].clone();
    let of = |row: &serde_json::Value| (row["line"].as_u64().unwrap(), row["detail"].to_string());
    let rows: Vec<_> = rows.as_array().unwrap().iter().map(of).collect();
    assert_eq!(
        rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        [2, 3, 4, 5]
    );
    assert!(rows[1].1.contains("give its `start`"), "{rows:?}");
    assert!(rows[3].1.contains("it is of the future"), "{rows:?}");
    assert_eq!(scene.fixture.asked(), None);
    assert_eq!(scene.customers("").await, [""; 0]);

    let wrong = scene
        .report(r#"[{"customer":"alice","prefix":"198.51.100.7","stop":1}]"#)
        .await;
    assert!(
        wrong.problem(400, "bad-request").contains("`[0]"),
        "{}",
        wrong.text
    );
    let neither = scene.report("7").await;
    assert!(
        neither
            .problem(400, "bad-request")
            .contains("a session, or a list of sessions")
    );
}
