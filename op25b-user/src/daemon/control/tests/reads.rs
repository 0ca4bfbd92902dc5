//! What reads of the records of subscribers leave behind, and the reason that the policy may require.

use axum::http::Method;

use super::{DESK, Fixture, POLICY, request};

#[tokio::test]
async fn who_reads_records_without_the_reason_that_the_policy_requires_is_refused_and_reads_nothing() {
    let mut fixture = Fixture::with_policy(&format!("{POLICY}privacy: {{ require_reason: true }}\n"));
    let refused = fixture.get("/v1/subscribers").await;
    assert!(refused.problem(422, "invalid").contains("`require_reason`"));
    assert_eq!(fixture.asked(), None);
    // An empty one is none.
    let empty = fixture.get("/v1/subscribers?reason=").await;
    assert!([400, 422].contains(&empty.status.as_u16()), "{}", empty.text);
    assert_eq!(fixture.asked(), None);

    let read = |uri| fixture.send(DESK, request(Method::GET, uri, ""));
    // There is no filter to read.
    read("/v1/subscribers?reason=OPS-7").await.problem(503, "busy");
    assert_eq!(
        fixture.asked().unwrap(),
        format!("read by {}: Some(\"OPS-7\")", DESK.uid)
    );
}

#[tokio::test]
async fn watching_subscribers_takes_the_reason_as_well_and_is_recorded_before_they_are_read() {
    let mut fixture = Fixture::with_policy(&format!("{POLICY}privacy: {{ require_reason: true }}\n"));
    let refused = fixture.get("/v1/subscribers/rates").await;
    assert!(refused.problem(422, "invalid").contains("`require_reason`"));
    for query in ["top=0", "top=1001", "view=1", "sort=bytes", "in=nowhere"] {
        let refused = fixture.get(&format!("/v1/subscribers/rates?{query}")).await;
        assert!(
            [400, 422].contains(&refused.status.as_u16()),
            "{query}: {}",
            refused.text
        );
    }
    // Who sees no subscriber needs none. There is no filter to read.
    fixture.get("/v1/rates").await.problem(503, "busy");
    assert_eq!(fixture.asked(), None);
    let watch = |query: &'static str| {
        let uri = format!("/v1/subscribers/rates?{query}");
        fixture.send(DESK, request(Method::GET, &uri, ""))
    };
    for query in [
        "reason=OPS-7",
        "reason=OPS-7",
        "reason=OPS-7&sort=packets&top=7",
        "reason=OPS-7&pool=homes",
    ] {
        watch(query).await.problem(503, "busy");
    }
    let read = format!("read by {}: Some(\"OPS-7\")", DESK.uid);
    assert_eq!(fixture.asked().unwrap(), read);
    // Another order is the same read, and another pool is another one.
    assert_eq!(fixture.asked().unwrap(), read);
    assert_eq!(fixture.asked(), None);
}

#[tokio::test]
async fn without_the_requirement_a_read_is_recorded_all_the_same() {
    let mut fixture = Fixture::new();
    fixture
        .get("/v1/subscribers?pool=homes")
        .await
        .problem(503, "busy");
    assert_eq!(fixture.asked().unwrap(), "read by 0: None");
}

#[tokio::test]
async fn reading_sessions_and_the_history_is_recorded_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::with_sessions_in(dir.path());
    let listed = fixture
        .get("/v1/sessions?customer=alice&in=198.51.100.7&reason=OPS-7")
        .await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    assert_eq!(fixture.asked().unwrap(), "read by 0: Some(\"OPS-7\")");
    let body = r#"{"what":"report","pool":"homes","in":"198.51.100.7","reason":"OPS-8"}"#;
    let noted = fixture.post("/v1/reads", body).await.json();
    let detail = noted["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("report of the pool homes in one prefix, whose digest is ")
            && !detail.contains("198.51"),
        "{detail}"
    );
    assert_eq!(fixture.asked().unwrap(), "read by 0: Some(\"OPS-8\")");

    let mut strict = Fixture::with_policy(&format!("{POLICY}privacy: {{ require_reason: true }}\n"));
    for refused in [
        strict.get("/v1/sessions").await,
        strict.post("/v1/reads", r#"{"what":"notices"}"#).await,
    ] {
        assert!(refused.problem(422, "invalid").contains("`require_reason`"));
    }
    assert_eq!(strict.asked(), None);
}
