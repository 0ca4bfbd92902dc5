//! Alerts: which are listed, who waits for them, and what a read leaves behind.

use std::time::Duration;

use axum::http::Method;
use serde_json::Value;
use tokio::time::timeout;

use super::{DESK, Fixture, POLICY, VIEWER, request};
use crate::report::Alert;

impl Fixture {
    fn with_alerts() -> Self {
        Self::with_policy(&format!("{POLICY}alerts: {{ syns_per_minute: 600 }}\n"))
    }

    /// Adds alerts about these subscribers.
    fn alert(&self, subscribers: &[&str]) {
        let alerts = &self.newest.alerts.hub;
        let new = (alerts.last() + 1..).zip(subscribers);
        alerts.add(new.map(|(sequence, subscriber)| Alert::fake(sequence, subscriber, "homes")));
    }
}

/// The subscribers of a page's alerts.
fn subscribers(page: &Value) -> Vec<&str> {
    let alerts = page["alerts"].as_array().unwrap().iter();
    alerts
        .map(|alert| alert["subscriber"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn alerts_are_listed_by_prefix_and_next_goes_on_after_them() {
    let fixture = Fixture::with_alerts();
    fixture.alert(&["198.51.100.1/32", "198.51.100.2/32", "2001:db8:1::/64"]);
    let page = fixture.get("/v1/alerts?limit=2").await.json();
    assert_eq!(subscribers(&page), ["198.51.100.2", "2001:db8:1::/64"]);
    let next = page["next"].as_u64().unwrap();
    for (query, found) in [
        ("pool=homes", 3),
        ("in=198.51.100.0/24", 2),
        ("in=2001:db8:1::7", 1),
        ("in=192.0.2.1", 0),
        ("after=0&limit=1", 1),
    ] {
        let page = fixture.get(&format!("/v1/alerts?{query}")).await.json();
        assert_eq!(subscribers(&page).len(), found, "{query}");
    }
    let waiting = format!("/v1/alerts?after={next}&wait=25s");
    let mut waiting = Box::pin(fixture.get(&waiting));
    assert!(timeout(Duration::from_millis(10), &mut waiting).await.is_err());
    fixture.alert(&["198.51.100.3/32"]);
    let page = timeout(Duration::from_mins(1), waiting).await.unwrap().json();
    assert_eq!(subscribers(&page), ["198.51.100.3"]);
    for (query, status, word) in [
        ("pool=nowhere", 422, "invalid"),
        ("in=homes", 422, "invalid"),
        ("wait=26s", 422, "invalid"),
        ("limit=0", 400, "bad-request"),
    ] {
        let refused = fixture.get(&format!("/v1/alerts?{query}")).await;
        refused.problem(status, word);
    }
}

#[tokio::test]
async fn what_waits_for_a_sender_is_what_follows_the_number_that_it_has_asked_with() {
    let fixture = Fixture::with_alerts();
    fixture.alert(&["198.51.100.1/32", "198.51.100.2/32", "2001:db8:1::/64"]);
    let waiting = || fixture.newest.alerts.counts().waiting;
    // Who lists alerts sends none.
    fixture.get("/v1/alerts?after=0").await;
    assert_eq!(waiting(), []);
    let page = fixture
        .get("/v1/alerts?after=0&limit=2&sender=abuse")
        .await
        .json();
    assert_eq!(waiting(), [("abuse".to_owned(), 3)]);
    let next = page["next"].as_u64().unwrap();
    let uri = format!("/v1/alerts?after={next}&sender=abuse&in=198.51.100.0/24");
    fixture.get(&uri).await;
    assert_eq!(waiting(), [("abuse".to_owned(), 0)]);
    // One that begins has nothing behind it.
    fixture.get("/v1/alerts?limit=1&sender=noc").await;
    assert_eq!(waiting(), [("abuse".to_owned(), 0), ("noc".to_owned(), 0)]);
    fixture.alert(&["198.51.100.3/32"]);
    assert_eq!(waiting(), [("abuse".to_owned(), 1), ("noc".to_owned(), 1)]);
    for name in [String::new(), "a".repeat(201)] {
        let refused = fixture.get(&format!("/v1/alerts?sender={name}")).await;
        refused.problem(400, "bad-request");
    }
}

#[tokio::test]
async fn without_alerts_in_the_policy_the_answer_says_what_to_do() {
    let mut fixture = Fixture::new();
    let detail = fixture.get("/v1/alerts").await.problem(409, "conflict");
    assert!(
        detail.contains("add `alerts: { syns_per_minute: 600 }` to /etc/op25b/policy.yaml"),
        "{detail}"
    );
    assert_eq!(fixture.asked(), None);
}

#[tokio::test]
async fn a_reader_of_alerts_is_recorded_once_an_hour() {
    let mut fixture = Fixture::with_alerts();
    let get = |uri: &str| request(Method::GET, uri, "");
    fixture
        .send(VIEWER, get("/v1/alerts"))
        .await
        .problem(403, "forbidden");
    for _ in 0..3 {
        let answer = fixture.send(DESK, get("/v1/alerts?reason=OPS-7")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let by_desk = format!("read by {}: Some(\"OPS-7\")", DESK.uid);
    assert_eq!((fixture.asked(), fixture.asked()), (Some(by_desk), None));

    let policy = format!("{POLICY}alerts: {{ destinations: 100 }}\nprivacy: {{ require_reason: true }}\n");
    let strict = Fixture::with_policy(&policy);
    strict.get("/v1/alerts").await.problem(422, "invalid");
}
