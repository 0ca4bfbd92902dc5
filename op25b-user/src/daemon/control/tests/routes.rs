//! What is answered where.

use axum::http::Method;
use serde_json::json;

use super::{DESK, Fixture, OPERATOR, VIEWER, request};

const STORED: &str = "00000000000000000000000001";

#[tokio::test]
async fn what_is_read_is_read_from_what_is_published_and_from_the_store() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.get("/v1/status").await.json()["pid"], 1);

    let list = fixture.get("/v1/exemptions").await.json();
    let ids: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["id"])
        .collect();
    assert_eq!(ids, ["a7", STORED]);
    assert_eq!(list["items"][0]["origin"], "policy");
    assert_eq!(
        list["items"][0]["place"],
        json!({"file": "/etc/op25b/policy.yaml", "line": 5, "column": 5})
    );

    let first = fixture.get("/v1/exemptions?limit=1").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 1);
    let next = first["next"].as_str().unwrap();
    let second = fixture
        .get(&format!("/v1/exemptions?limit=1&after={next}"))
        .await
        .json();
    assert_eq!(
        (&second["items"][0]["id"], &second["next"]),
        (&json!(STORED), &json!(null))
    );
    for (query, count, more) in [
        ("", 3, false),
        ("?limit=2", 2, true),
        ("?since=1970-01-01T00:00:03Z", 1, false),
    ] {
        let list = fixture.get(&format!("/v1/operations{query}")).await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{query}");
        assert_eq!(
            (&list["items"][0]["what"], &list["more"]),
            (&json!("start"), &json!(more))
        );
    }
    for (query, status, word) in [
        ("limit=0", 400, "bad-request"),
        ("limit=1001", 400, "bad-request"),
        ("since=yesterdayish", 422, "invalid"),
    ] {
        let refused = fixture.get(&format!("/v1/operations?{query}")).await;
        refused.problem(status, word);
    }

    for (query, count) in [
        ("in=198.51.100.17", 1),
        ("in=198.51.100.0/24", 2),
        ("in=2001:db8::/32", 0),
        ("customer=Example%20KK", 1),
        ("customer=example%20%20k", 1),
        ("customer=EXAMPLE", 0),
        ("ticket=nothing", 0),
        ("note=nothing", 0),
        ("expiring=14d", 0),
        ("expiring=1mo", 0),
        ("expiring=2100-01-01T00:00:00Z", 0),
        ("all=true", 2),
    ] {
        let list = fixture.get(&format!("/v1/exemptions?{query}")).await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{query}");
    }

    assert_eq!(
        fixture.get("/v1/exemptions/a7").await.json()["customer"],
        "Example KK"
    );
    // The beginning of an id is enough.
    assert_eq!(fixture.get("/v1/exemptions/0000").await.json()["id"], STORED);
    fixture.get("/v1/exemptions/000").await.problem(404, "not-found");
    let stored = fixture.get(&format!("/v1/exemptions/{STORED}")).await.json();
    assert_eq!(
        (&stored["origin"], &stored["revision"]),
        (&json!("store"), &json!(1))
    );
    for uri in [
        &format!("/v1/exemptions/{STORED}/history"),
        "/v1/exemptions/0000/history",
        "/v1/history",
    ] {
        let history = fixture.get(uri).await.json();
        assert_eq!(history["items"][0]["action"], "add", "{uri}");
        assert_eq!(history["items"][0]["before"], json!(null));
    }
    for uri in [
        "/v1/history?after=1",
        "/v1/history?customer=nobody",
        "/v1/history?until=1960-01-01T00:00:00Z",
        "/v1/history/expiries?since=1d",
        &format!("/v1/exemptions/{STORED}/history/expiries"),
    ] {
        assert_eq!(fixture.get(uri).await.json()["items"], json!([]), "{uri}");
    }
    for uri in ["/v1/history?batch=01KAXQ3T", "/v1/history/expiries?since=soon"] {
        fixture.get(uri).await.problem(422, "invalid");
    }
    assert_eq!(fixture.asked(), None);
}

#[tokio::test]
async fn what_changes_something_is_asked_of_the_daemon() {
    let mut fixture = Fixture::new();
    let body = r#"{"customer": "Example KK", "prefixes": ["198.51.100.8/29"], "expires": "90d"}"#;
    let added = fixture.post("/v1/exemptions", body).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let place = added.header("location").unwrap();
    assert_eq!(place, format!("/v1/exemptions/{STORED}"));
    assert_eq!(fixture.get(place).await.status, 200);
    let asked = fixture.asked().unwrap();
    assert!(
        asked.starts_with("add Example KK") && asked.contains("\"root\""),
        "{asked}"
    );

    let uri = format!("/v1/exemptions/{STORED}");
    let extend = request(Method::PATCH, &uri, r#"{"expires": "2028-03-31"}"#);
    assert_eq!(fixture.send(OPERATOR, extend).await.status, 200);
    assert_eq!(fixture.asked(), Some(format!("extend {STORED} 2028-03-31")));

    let removed = fixture
        .ask(Method::DELETE, &format!("{uri}?reason=contract%20ended"))
        .await;
    assert_eq!(removed.status, 200);
    assert_eq!(fixture.asked(), Some(format!("remove {STORED} contract ended")));

    let many = "/v1/exemptions/remove";
    let removed = fixture.post(many, r#"{"batch": "01KAX", "dry_run": true}"#).await;
    assert_eq!(removed.json()["removed"], 1, "{}", removed.text);
    assert_eq!(
        fixture.asked().as_deref(),
        Some("remove many Some(\"01KAX\") None")
    );
    for body in [
        r#"{"batch": "01KAX"}"#,
        r#"{"reason": "moved"}"#,
        r#"{"batch": "01KAX", "prefix": "198.51.100.8/29", "reason": "moved"}"#,
    ] {
        fixture.post(many, body).await.problem(422, "invalid");
    }
    assert_eq!(fixture.asked(), None);

    let restore = format!("{uri}/restore");
    let restored = fixture
        .post(&restore, r#"{"expires": "90d", "reason": "a slip"}"#)
        .await;
    assert_eq!(restored.status, 200, "{}", restored.text);
    let asked = format!("restore {STORED} Some(\"90d\") Some(\"a slip\")");
    assert_eq!(fixture.asked(), Some(asked));
    let empty = fixture.post(&restore, r#"{"expires": ""}"#).await;
    assert!(empty.problem(422, "invalid").contains("`expires` is empty"));
    assert_eq!(fixture.asked(), None);

    let rows =
        r#"{"exemptions": [{"line": 2, "exemption": {"customer": "C", "prefixes": ["198.51.100.1"]}}]}"#;
    assert_eq!(
        fixture.post("/v1/exemptions/import", rows).await.json()["added"],
        1
    );
    assert_eq!(fixture.asked().as_deref(), Some("import 1"));

    assert_eq!(fixture.post("/v1/reload?dry_run=true", "").await.status, 200);
    assert_eq!(fixture.asked().as_deref(), Some("reload true"));
    fixture.post("/v1/reload?confirm_within=5m", "").await;
    assert_eq!(fixture.asked().as_deref(), Some("reload, confirmed within 300s"));

    for (path, body, asked) in [
        (
            "/v1/pause",
            r#"{"reason": "OPS-812"}"#,
            "pause [] for ever: OPS-812",
        ),
        (
            "/v1/pause",
            r#"{"pools": ["a"], "for": "2h", "reason": "OPS-812"}"#,
            "pause [\"a\"] for 2h: OPS-812",
        ),
        ("/v1/resume", "{}", "resume []: None"),
        ("/v1/resume", r#"{"pools": ["a"]}"#, "resume [\"a\"]: None"),
    ] {
        assert_eq!(fixture.post(path, body).await.status, 200, "{body}");
        assert_eq!(fixture.asked().as_deref(), Some(asked));
    }
    for (path, body) in [
        ("/v1/pause", "{}"),
        ("/v1/pause", r#"{"reason": ""}"#),
        ("/v1/pause", r#"{"reason": "OPS-812", "pools": [""]}"#),
        ("/v1/pause", r#"{"reason": "OPS-812", "until": "06:00"}"#),
        ("/v1/resume", r#"{"reason": ""}"#),
    ] {
        assert!(fixture.post(path, body).await.status.is_client_error(), "{body}");
        assert_eq!(fixture.asked(), None, "{body}");
    }
}

#[tokio::test]
async fn a_confirmation_is_the_callers_and_a_conflict_if_no_reload_waits_for_it() {
    let mut fixture = Fixture::new();
    let answer = fixture.post("/v1/confirm", "").await;
    let detail = answer.problem(409, "conflict");
    assert!(detail.contains("no reload waits"), "{detail}");
    assert_eq!(fixture.asked().as_deref(), Some("confirm 0"));
}

#[tokio::test]
async fn the_program_is_asked_about_a_connection_by_the_desk() {
    let mut fixture = Fixture::new();
    let uri = "/v1/explain?source=198.51.100.16&destination=203.0.113.1";
    let explained = fixture.send(DESK, request(Method::GET, uri, "")).await;
    assert_eq!(explained.json()["reason"], "exempt");
    assert_eq!(fixture.asked().as_deref(), Some("explain 198.51.100.16 25"));
}

#[tokio::test]
async fn metrics_are_in_the_text_format_of_prometheus() {
    let fixture = Fixture::new();
    let answer = fixture
        .send(VIEWER, request(Method::GET, "/v1/metrics", ""))
        .await;
    assert_eq!(answer.text, "op25b_reloads_total 0\n");
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
}

#[tokio::test]
async fn a_refused_reload_is_a_problem_that_says_what_a_reload_says() {
    let fixture = Fixture::new();
    let answer = fixture.post("/v1/reload", "").await;
    assert_eq!(answer.problem(422, "policy-refused"), "line 5");
    let body = answer.json();
    assert_eq!(
        (&body["refused"], &body["dry_run"]),
        (&json!("line 5"), &json!(false))
    );
}

#[tokio::test]
async fn the_key_of_a_request_goes_with_it() {
    let mut fixture = Fixture::new();
    let body = r#"{"customer": "C", "prefixes": ["198.51.100.8/29"]}"#;
    let mut request = request(Method::POST, "/v1/exemptions", body);
    request
        .headers_mut()
        .insert("idempotency-key", "\"once\"".parse().unwrap());
    assert_eq!(fixture.send(OPERATOR, request).await.status, 201);
    let asked = fixture.asked().unwrap();
    assert!(asked.contains("key: Some(\"once\")"), "{asked}");
}
