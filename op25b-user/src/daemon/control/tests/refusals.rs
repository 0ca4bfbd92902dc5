//! What is refused, and that each refusal is a problem with the next step for the client.

use std::convert::Infallible;

use axum::{
    body::Body,
    http::{Method, Request as HttpRequest},
};

use super::{super::limits, Fixture, OPERATOR, open_nothing, request};

const NEW: &str = r#"{"customer": "C", "prefixes": ["198.51.100.8/29"]}"#;

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let mut fixture = Fixture::new();
    for uri in ["/", "/v1", "/v2/status", "/v1/exemptions/", "/v1/status/"] {
        let detail = fixture.get(uri).await.problem(404, "not-found");
        assert!(detail.contains("/v1/openapi.json"), "{detail}");
    }
    for uri in [
        "/v1/exemptions/nobody",
        "/v1/exemptions/00000000000000000000000009",
        "/v1/exemptions/00000000000000000000000009/history",
        "/v1/exemptions/a7/history",
    ] {
        fixture.get(uri).await.problem(404, "not-found");
    }
    for (method, uri, allow) in [
        (Method::POST, "/v1/status", "GET,HEAD"),
        (Method::GET, "/v1/reload", "POST"),
        (Method::PUT, "/v1/exemptions", "GET,HEAD,POST"),
        (Method::POST, "/v1/exemptions/a7", "GET,HEAD,PATCH,DELETE"),
        (Method::GET, "/v1/exemptions/import", "POST"),
    ] {
        let answer = fixture.ask(method, uri).await;
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some(allow), "{uri}");
    }
    assert_eq!(fixture.asked(), None);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_with_the_place() {
    let mut fixture = Fixture::new();
    for (body, words) in [
        ("", "line 1 column 0"),
        ("{", "line 1 column 1"),
        (r#"{"customer": "C"}"#, "missing field `prefixes`"),
        (
            r#"{"customer": "C", "prefixes": ["a", 7]}"#,
            "`prefixes[1]`: invalid type",
        ),
        (
            r#"{"customer": "C", "prefixes": [], "expire": "90d"}"#,
            "unknown field `expire`",
        ),
        (&format!("{NEW} {NEW}"), "trailing characters"),
        ("\u{feff}", "line 1 column 1"),
    ] {
        let detail = fixture
            .post("/v1/exemptions", body)
            .await
            .problem(400, "bad-request");
        assert!(detail.contains(words), "{body}: {detail}");
    }
    let row = r#"{"exemptions": [{"line": 1, "exemption": {"customer": "C", "prefixes": [], "expire": 1}}]}"#;
    let detail = fixture
        .post("/v1/exemptions/import", row)
        .await
        .problem(400, "bad-request");
    assert!(detail.contains("`exemptions[0].exemption.expire`"), "{detail}");
    for line in ["14.5", "-1", "4294967296", "\"14\"", "null"] {
        let row = format!(r#"{{"exemptions": [{{"line": {line}, "exemption": {NEW}}}]}}"#);
        let answer = fixture.post("/v1/exemptions/import", &row).await;
        let detail = answer.problem(400, "bad-request");
        assert!(detail.contains("`exemptions[0].line`"), "{detail}");
    }
    assert_eq!(fixture.asked(), None);
}

#[tokio::test]
async fn a_body_of_another_kind_or_size_is_refused() {
    let mut fixture = Fixture::new();
    for kind in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
    ] {
        let request = HttpRequest::post("/v1/exemptions").header("content-type", kind);
        let answer = fixture
            .send(OPERATOR, request.body(Body::from(NEW)).unwrap())
            .await;
        answer.problem(415, "unsupported-media-type");
    }
    let request_with = |kind: &str| HttpRequest::post("/v1/exemptions").header("content-type", kind);
    let charset = request_with("Application/JSON; charset=utf-8")
        .body(Body::from(NEW))
        .unwrap();
    assert_eq!(fixture.send(OPERATOR, charset).await.status, 201);
    fixture.asked().unwrap();

    let padded = format!("{NEW}{}", " ".repeat(limits::BODY - NEW.len()));
    assert_eq!(fixture.post("/v1/exemptions", &padded).await.status, 201);
    fixture.asked().unwrap();
    fixture
        .post("/v1/exemptions", &format!("{padded} "))
        .await
        .problem(413, "too-large");
    // Also one without its length.
    let chunks = futures_util::stream::repeat(Ok::<_, Infallible>(" ".repeat(1000)));
    let endless = request_with("application/json")
        .body(Body::from_stream(chunks))
        .unwrap();
    fixture.send(OPERATOR, endless).await.problem(413, "too-large");
    let rows = r#"{"line": 1, "exemption": {"customer": "C", "prefixes": ["198.51.100.1"]}}"#;
    let many = format!(r#"{{"exemptions": [{}]}}"#, vec![rows; 2000].join(","));
    assert!(many.len() > limits::BODY);
    assert_eq!(fixture.post("/v1/exemptions/import", &many).await.status, 200);
}

#[tokio::test]
async fn a_query_that_cannot_be_meant_is_refused() {
    let mut fixture = Fixture::new();
    for uri in [
        "/v1/exemptions?limit=0",
        "/v1/exemptions?limit=1001",
        "/v1/exemptions?limit=-1",
        "/v1/exemptions?limit=",
        "/v1/exemptions?expiring=",
        "/v1/exemptions?after=7",
        "/v1/exemptions?customer=",
        "/v1/exemptions?custommer=C",
        "/v1/exemptions?customer=A&customer=B",
        "/v1/exemptions?all=perhaps",
        "/v1/history?after=-1",
        "/v1/history?after=9007199254740992",
        "/v1/explain",
        "/v1/explain?source=198.51.100.1&port=0",
        "/v1/explain?source=198.51.100.1&port=65536",
        "/v1/explain?source=example.net",
        "/v1/exemptions/%ff",
    ] {
        fixture.get(uri).await.problem(400, "bad-request");
    }
    for uri in [
        "/v1/exemptions?in=198.51.100.0/33",
        "/v1/exemptions?expiring=soon",
        "/v1/exemptions?expiring=6M",
        "/v1/exemptions?expiring=000000000000000000000",
        "/v1/subscribers?since=2100-01-01",
        "/v1/subscribers?sort=bytes",
        "/v1/history?until=00",
        "/v1/explain?source=198.51.100.1&destination=2001:db8::1",
        "/v1/explain?source=198.51.100.1&tunnel=4in6&inner_source=0000",
    ] {
        fixture.get(uri).await.problem(422, "invalid");
    }
    let detail = fixture
        .post("/v1/reload?dry_run=perhaps", "")
        .await
        .problem(400, "bad-request");
    assert!(detail.contains("dry_run"), "{detail}");
    for since in ["since=24h", "since=2h%20ahead&dry_run=true"] {
        let answer = fixture.post(&format!("/v1/reload?{since}"), "").await;
        assert!(answer.problem(422, "invalid").starts_with("since: "), "{since}");
    }
    for within in ["0s", "8d", "soon", "5m&dry_run=true"] {
        let answer = fixture
            .post(&format!("/v1/reload?confirm_within={within}"), "")
            .await;
        let detail = answer.problem(422, "invalid");
        assert!(detail.starts_with("confirm_within: "), "{within}: {detail}");
    }
    for reason in ["", "?reason="] {
        let answer = fixture
            .ask(Method::DELETE, &format!("/v1/exemptions/a7{reason}"))
            .await;
        let detail = answer.problem(400, "bad-request");
        assert!(detail.contains("reason"), "{detail}");
    }
    assert_eq!(fixture.asked(), None);
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_in_an_import_by_its_row() {
    let mut fixture = Fixture::new();
    let detail = fixture
        .post(
            "/v1/exemptions",
            r#"{"customer": "", "prefixes": ["198.51.100.1"]}"#,
        )
        .await;
    assert!(detail.problem(422, "invalid").contains("`customer`"));
    let rows = r#"{"exemptions": [
        {"line": 2, "exemption": {"customer": "C", "prefixes": ["198.51.100.1"]}},
        {"line": 3, "exemption": {"customer": "C", "prefixes": []}}
    ]}"#;
    let answer = fixture.post("/v1/exemptions/import", rows).await;
    answer.problem(422, "invalid");
    let body = answer.json();
    assert_eq!(body["rows"].as_array().unwrap().len(), 1);
    assert_eq!(body["rows"][0]["line"], 3);
    assert_eq!(fixture.asked(), None);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_before_anything_is_done() {
    let mut fixture = Fixture::new();
    let mut request = request(Method::POST, "/v1/exemptions", NEW);
    request
        .headers_mut()
        .insert("idempotency-key", "two words".parse().unwrap());
    fixture.send(OPERATOR, request).await.problem(400, "bad-request");
    assert_eq!(fixture.asked(), None);
}

#[tokio::test]
async fn a_daemon_that_refuses_is_passed_on() {
    let fixture = Fixture::new();
    let extend = request(Method::PATCH, "/v1/exemptions/a7", r#"{"expires": "never"}"#);
    let answer = fixture.send(OPERATOR, extend).await;
    assert_eq!(answer.problem(409, "read-only"), "edit the file");
}

#[tokio::test]
async fn a_store_that_does_not_work_is_said_and_may_be_asked_again() {
    let fixture = Fixture::reading(open_nothing());
    for uri in [
        "/v1/exemptions",
        "/v1/history",
        "/v1/exemptions/00000000000000000000000001",
    ] {
        let answer = fixture.get(uri).await;
        let detail = answer.problem(503, "store-unavailable");
        assert!(detail.contains("/var/lib/op25b/exemptions.db"), "{detail}");
        assert!(answer.header("retry-after").is_some());
    }
    // What is only in the policy file needs no store.
    assert_eq!(fixture.get("/v1/status").await.status, 200);
}
