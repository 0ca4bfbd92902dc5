//! Events of packets: which are listed, who waits for them, and what a read leaves behind.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{super::limits, DESK, Fixture, POLICY, VIEWER, request};
use crate::report::Event;

impl Fixture {
    fn with_events() -> Self {
        Self::with_policy(&format!("{POLICY}events: {{}}\n"))
    }

    /// Adds events of these pools.
    fn add(&self, pools: &[&str]) {
        let first = self.newest.events.last() + 1;
        let events = (first..).zip(pools);
        self.newest
            .events
            .add(events.map(|(sequence, pool)| Event::fake(sequence, pool)));
    }
}

/// The pools of a page's events.
fn pools(page: &Value) -> Vec<&str> {
    let events = page["events"].as_array().unwrap().iter();
    events.map(|event| event["pool"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_newest_that_match_are_listed_and_next_goes_on_after_them() {
    let fixture = Fixture::with_events();
    fixture.add(&["a", "homes", "b", "homes", "c"]);
    let page = fixture.get("/v1/events?limit=2").await.json();
    assert_eq!(pools(&page), ["homes", "c"]);
    assert_eq!(
        (&page["missed"], &page["counts"][0]),
        (
            &json!(0),
            &json!({"reason": "blocked", "shown": 3, "sampled_out": 2, "lost": 1})
        )
    );
    let next = page["next"].as_u64().unwrap();
    let none = fixture.get(&format!("/v1/events?after={next}")).await.json();
    assert_eq!((pools(&none).len(), none["next"].as_u64()), (0, Some(next)));
    fixture.add(&["d", "homes"]);
    let page = fixture
        .get(&format!("/v1/events?after={next}&pool=homes"))
        .await
        .json();
    assert_eq!(
        (pools(&page), page["next"].as_u64()),
        (vec!["homes"], Some(next + 2))
    );
    for (query, count) in [
        ("in=198.51.100.20", 7),
        ("in=198.51.100.0/24&limit=1000", 7),
        ("in=2001:db8::/32", 0),
        ("reason=blocked&pool=homes", 3),
        ("reason=exempt", 0),
        ("after=0", 7),
    ] {
        let page = fixture.get(&format!("/v1/events?{query}")).await.json();
        assert_eq!(pools(&page).len(), count, "{query}");
    }
    for (query, status, word, detail) in [
        ("limit=0", 400, "bad-request", "`limit`"),
        ("limit=1001", 400, "bad-request", "`limit`"),
        ("wait=26s", 422, "invalid", "`wait` must be at most 25s"),
        ("wait=soon", 422, "invalid", "`wait`"),
        (
            "reason=relay",
            422,
            "invalid",
            "those with these have: blocked, monitored,",
        ),
        ("after=-1", 400, "bad-request", "after"),
        ("in=homes", 422, "invalid", "`in` must be a prefix"),
        ("pool=nowhere", 422, "invalid", "its pools are homes"),
    ] {
        let refused = fixture.get(&format!("/v1/events?{query}")).await;
        let text = refused.problem(status, word);
        assert!(text.contains(detail), "{query}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_answered_with_the_next_event_and_not_more_may_wait_than_there_are_places() {
    let fixture = Fixture::with_events();
    let after = fixture.newest.events.last();
    let wait = format!("/v1/events?after={after}&wait=25s");
    let mut waiting = Vec::new();
    for _ in 0..limits::WAITING {
        waiting.push(Box::pin(fixture.get(&wait)));
        // It takes its place: this clock goes on when there is nothing else to do.
        let first = timeout(Duration::from_millis(10), waiting.last_mut().unwrap()).await;
        assert!(first.is_err());
    }
    let detail = fixture.get(&wait).await.problem(503, "busy");
    assert!(detail.contains("32 clients wait"), "{detail}");
    // Who does not wait needs none.
    let now = fixture.get(&format!("/v1/events?after={after}")).await;
    assert_eq!(now.status, 200);
    fixture.add(&["homes"]);
    for page in waiting {
        let page = timeout(Duration::from_mins(1), page).await.unwrap().json();
        assert_eq!(pools(&page), ["homes"]);
    }
    let after = fixture.newest.events.last();
    let page = fixture
        .get(&format!("/v1/events?after={after}&wait=1s"))
        .await
        .json();
    assert_eq!((pools(&page).len(), &page["next"]), (0, &json!(after)));
}

#[tokio::test]
async fn without_events_in_the_policy_the_answer_says_what_to_do() {
    let mut fixture = Fixture::new();
    let detail = fixture.get("/v1/events").await.problem(409, "conflict");
    assert!(
        detail.contains("add `events: {}` to /etc/op25b/policy.yaml and run `op25b reload`"),
        "{detail}"
    );
    assert_eq!(fixture.asked(), None);
}

#[tokio::test]
async fn a_reader_is_recorded_once_an_hour_and_not_for_each_page() {
    let mut fixture = Fixture::with_events();
    let get = |uri: &str| request(Method::GET, uri, "");
    let refused = fixture.send(VIEWER, get("/v1/events")).await;
    refused.problem(403, "forbidden");
    assert_eq!(fixture.asked(), None);
    for _ in 0..3 {
        let answer = fixture.send(DESK, get("/v1/events?why=OPS-7")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let by_desk = format!("read by {}: Some(\"OPS-7\")", DESK.uid);
    assert_eq!((fixture.asked(), fixture.asked()), (Some(by_desk), None));
    // Another selection, another reason or another user is another read.
    fixture.get("/v1/events?why=OPS-7").await;
    fixture.get("/v1/events?pool=homes&why=OPS-7").await;
    let recorded = "read by 0: Some(\"OPS-7\")".to_owned();
    let asked = [fixture.asked(), fixture.asked(), fixture.asked()];
    assert_eq!(asked, [Some(recorded.clone()), Some(recorded), None]);

    let policy = format!("{POLICY}events: {{}}\nprivacy: {{ require_reason: true }}\n");
    let mut strict = Fixture::with_policy(&policy);
    let detail = strict.get("/v1/events").await.problem(422, "invalid");
    assert!(
        detail.contains("`require_reason`") && detail.contains("`--why`"),
        "{detail}"
    );
    assert_eq!(strict.asked(), None);
}
