//! The history of what subscribers did, as a daemon writes it.

use std::os::unix::fs::PermissionsExt as _;

use ipnet::IpNet;
use nix::sys::signal::Signal;
use op25b::{
    datapath::destinations,
    store::activity::{ActivityReader, Bucket, BucketQuery},
};
use op25b_testlab::filter::Filter;

use super::{FOUR, SIX, has_begun, line, syn};
use crate::support::scene::{SMALL, Scene, eventually};

/// What is in the history of the scene's op25b.
fn buckets(scene: &Scene) -> Vec<Bucket> {
    let [.., (_, state)] = scene.router().places();
    let mode = state.join("activity.db").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let mut found = Vec::new();
    let reader = ActivityReader::open(&state).unwrap().unwrap();
    reader
        .each(&BucketQuery::default(), |bucket| found.push(bucket))
        .unwrap();
    found
}

/// How many SYNs of a subscriber are in these buckets.
fn syns(buckets: &[Bucket], subscriber: &str) -> u32 {
    let subscriber: IpNet = subscriber.parse().unwrap();
    let of = buckets.iter().filter(|bucket| bucket.subscriber == subscriber);
    of.map(|bucket| bucket.blocked_syns).sum()
}

/// Sends SYNs of the bots, and waits until the filter has counted as many in all.
fn send(scene: &Scene, filter: &Filter, four: usize, six: usize, in_all: u64) {
    let line = line(scene);
    for _ in 0..four {
        line.send(&syn(FOUR)).unwrap();
    }
    for _ in 0..six {
        line.send(&syn(SIX)).unwrap();
    }
    eventually("all are counted", || filter.count("blocked").unwrap() == in_all);
}

#[test]
fn the_history_has_every_packet_once_whether_the_daemon_is_stopped_or_killed() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    has_begun(&scene);
    send(&scene, &filter, 3, 2, 5);
    filter.leave_by(Signal::SIGTERM).unwrap();
    let [four, six] = [format!("{FOUR}/32"), "2001:db8:100::/56".to_owned()];
    let written = buckets(&scene);
    assert_eq!(
        [syns(&written, &four), syns(&written, &six)],
        [3, 2],
        "{written:?}"
    );
    for bucket in &written {
        assert!(
            bucket.start <= bucket.last && bucket.first <= bucket.last,
            "{bucket:?}"
        );
        assert_eq!(destinations(bucket.destinations), 1, "{bucket:?}");
    }

    let filter = scene.filter(&policy);
    has_begun(&scene);
    send(&scene, &filter, 4, 0, 9);
    // The records are at another place of another map from now on.
    scene.policy(&SMALL.replace("198.51.100.0/24", "192.0.2.0/24, 198.51.100.0/25"));
    filter.reload().unwrap();
    send(&scene, &filter, 1, 0, 10);
    filter.leave_by(Signal::SIGKILL).unwrap();
    assert_eq!(
        syns(&buckets(&scene), &four),
        3,
        "the open bucket was not written"
    );

    let filter = scene.filter(&policy);
    has_begun(&scene);
    send(&scene, &filter, 1, 1, 12);
    let off = format!("{SMALL}history: off\n");
    scene.policy(&off);
    filter.reload().unwrap();
    eventually("what was open is written", || syns(&buckets(&scene), &four) == 9);
    eventually("the status follows", || {
        scene.daemon_report()["history"].is_null()
    });
    send(&scene, &filter, 5, 0, 17);
    filter.leave_by(Signal::SIGTERM).unwrap();
    let written = buckets(&scene);
    assert_eq!(
        [syns(&written, &four), syns(&written, &six)],
        [9, 3],
        "{written:?}"
    );

    let filter = scene.filter(&scene.policy(SMALL));
    has_begun(&scene);
    send(&scene, &filter, 1, 0, 18);
    filter.leave_by(Signal::SIGTERM).unwrap();
    assert_eq!(
        syns(&buckets(&scene), &four),
        10,
        "what was counted while it was off is not in it"
    );
}
