//! A flood: whatever is reported is read, through reloads as well, and what is not reported is counted.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::Value;

use super::{page, with_events};
use crate::{
    records::{line, syn},
    support::scene::{Scene, eventually},
};

/// How often the policy is reloaded.
const RELOADS: usize = 4;

/// Ends a flood when it is dropped.
struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The member of the counts of blocked packets.
fn count(page: &Value, member: &str) -> u64 {
    let mut counts = page["counts"].as_array().unwrap().iter();
    let blocked = counts.find(|count| count["reason"] == "blocked").unwrap();
    blocked[member].as_u64().unwrap()
}

/// How many events the daemon has read, by those that it keeps and those that made room for others.
#[track_caller]
fn read(scene: &Scene) -> u64 {
    let (mut read, mut after, mut last) = (0, 0, None);
    loop {
        let answer = scene.ask_daemon(&format!("GET /v1/events?after={after}&limit=1000"));
        let page: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let events = page["events"].as_array().unwrap();
        for event in events {
            let sequence = event["sequence"].as_u64().unwrap();
            assert!(last.is_none_or(|last| sequence == last + 1), "{last:?} {event}");
            last = Some(sequence);
        }
        read += events.len() as u64 + page["missed"].as_u64().unwrap();
        if events.is_empty() {
            return read;
        }
        after = page["next"].as_u64().unwrap();
    }
}

#[test]
fn reloads_during_a_flood_lose_no_event_and_every_packet_is_shown_sampled_out_or_lost() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(&with_events("{}")));
    let line = line(&scene);
    let has_ended = AtomicBool::new(false);
    thread::scope(|scope| {
        // Also when the test fails: the scope waits for the thread.
        let end = EndOf(&has_ended);
        scope.spawn(|| {
            let sources = (0..=255).map(|host| Ipv4Addr::new(198, 51, 100, host));
            let frames: Vec<_> = sources.map(syn).collect();
            while !has_ended.load(Ordering::Relaxed) {
                for frame in &frames {
                    // The queue of the line may be full for a moment.
                    let _ = line.send(frame);
                }
            }
        });
        for number in 0..RELOADS {
            let shown = count(&page(&scene, &[]), "shown");
            scene.policy(&format!("{}# {number}\n", with_events("{}")));
            filter.reload().unwrap();
            eventually("the next generation shows events", || {
                count(&page(&scene, &[]), "shown") > shown
            });
        }
        drop(end);
    });
    eventually("all events are read", || {
        let shown = count(&page(&scene, &[]), "shown");
        read(&scene) == shown
    });
    let page = page(&scene, &[]);
    assert_eq!(count(&page, "lost"), 0, "{page}");
    let all: u64 = ["shown", "sampled_out", "lost"]
        .map(|member| count(&page, member))
        .iter()
        .sum();
    assert_eq!(all, filter.count("blocked").unwrap(), "{page}");
    assert!(count(&page, "sampled_out") > count(&page, "shown"), "{page}");

    let metrics = scene.op25b(&["metrics"]).stdout;
    for outcome in ["shown", "sampled_out", "lost"] {
        let series = format!(
            "op25b_events_total{{reason=\"blocked\",outcome=\"{outcome}\"}} {}\n",
            count(&page, outcome)
        );
        assert!(metrics.contains(&series), "{series} in {metrics}");
    }
}
