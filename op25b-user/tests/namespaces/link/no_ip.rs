//! A filter that sees no IP does not look like one on a quiet link.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use op25b_testlab::{
    lab::{HOST_END, Host, NetNs},
    packet_socket::PacketSocket,
};
use serde_json::json;

use crate::support::scene::{PATIENCE, SMALL, Scene, eventually};

/// How long IP has to be missing before it is reported.
const WINDOW: Duration = Duration::from_mins(1);
/// So many that what the kernel itself sends beside them, such as neighbour discovery, is less than a hundredth.
const FRAMES: u64 = 20_000;

/// Sends frames of this `EtherType`, of any content.
fn send(from: &NetNs, ethertype: u16, count: u64) {
    let frame = [&[0x02; 12][..], &ethertype.to_be_bytes(), &[0; 46]].concat();
    let socket = from.run(|| PacketSocket::open(HOST_END)).unwrap();
    for _ in 0..count {
        socket.send(&frame).unwrap();
    }
}

/// The frames of this `EtherType` on an interface, by `op25b status`, by the daemon, and in the metrics.
fn counted(scene: &Scene, interface: &str, ethertype: &str) -> [u64; 3] {
    let of = |filter: &serde_json::Value| {
        let mut interfaces = filter["interfaces"].as_array().unwrap().iter();
        let found = interfaces.find(|found| found["name"] == interface).unwrap();
        found["not_ip"][ethertype].as_u64().unwrap_or_default()
    };
    let status = scene.op25b(&["status", "--json"]).json();
    let series =
        format!("op25b_not_ip_packets_total{{interface=\"{interface}\",ethertype=\"{ethertype}\"}} ");
    let metrics = scene.op25b(&["metrics"]).stdout;
    let mut values = metrics.lines().filter_map(|line| line.strip_prefix(&series));
    [
        of(&status["filters"][0]),
        of(&scene.daemon_report()["filter"]),
        values.next().map_or(0, |value| value.parse().unwrap()),
    ]
}

#[test]
fn frames_that_are_not_ip_are_shown_by_interface_and_go_on_with_the_next_generation_and_daemon() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    send(scene.lab.host(Host::Subscriber), 0x8847, 7);
    send(scene.lab.host(Host::Corporate), 0x88cc, 3);
    eventually("both are counted", || {
        counted(&scene, "sub0", "0x8847") == [7; 3] && counted(&scene, "corp0", "0x88cc") == [3; 3]
    });
    assert_eq!(counted(&scene, "corp0", "0x8847"), [0; 3]);
    let text = scene.op25b(&["status"]).stdout;
    assert!(
        text.contains("sub0: ") && text.contains("0x8847 (MPLS) 7"),
        "{text}"
    );
    assert!(
        text.contains("corp0: ") && text.contains("0x88cc (LLDP) 3"),
        "{text}"
    );

    assert_eq!(scene.op25b(&["reload"]).code, Some(0));
    assert_eq!(counted(&scene, "sub0", "0x8847"), [7; 3]);
    filter.leave_by(Signal::SIGKILL).unwrap();
    let _filter = scene.filter(&policy);
    send(scene.lab.host(Host::Subscriber), 0x8847, 2);
    eventually("they are added", || counted(&scene, "sub0", "0x8847") == [9; 3]);
}

#[test]
fn an_interface_without_ip_for_a_minute_is_a_fault_that_names_the_framing_and_a_quiet_one_is_none() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    // The first reading of the counters precedes what arrives in the window.
    sleep(Duration::from_secs(3));
    send(scene.lab.host(Host::Subscriber), 0x8847, FRAMES);
    // Neighbours that tell each other who they are.
    send(scene.lab.host(Host::Corporate), 0x88cc, FRAMES);
    let begin = Instant::now();
    let faults = || scene.daemon_report()["faults"].clone();
    while faults() == json!([]) {
        assert!(begin.elapsed() < WINDOW + PATIENCE, "no fault: {}", filter.log());
        sleep(Duration::from_secs(1));
    }
    let faults = faults();
    assert_eq!(faults[0]["kind"], "no_ip_seen", "{faults}");
    let message = faults[0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("no IP was seen on sub0 for a minute; most frames are 0x8847 (MPLS): "),
        "{message}"
    );
    assert!(!message.contains("corp0"), "{message}");
    let text = scene.op25b(&["status"]).stdout;
    assert!(text.contains("FAULT no_ip_seen since "), "{text}");
    let metrics = scene.op25b(&["metrics"]).stdout;
    assert!(
        metrics.contains("op25b_fault{kind=\"no_ip_seen\"} 1"),
        "{metrics}"
    );
    assert!(filter.log().contains(message), "{}", filter.log());
}
