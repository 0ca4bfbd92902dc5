//! A real Prometheus scrapes a router under traffic: every panel of the dashboard has data, and the page is as Prometheus wants it.

mod dashboard;
mod picture;
mod pictures;
mod prometheus;
mod traffic;

use std::{collections::BTreeSet, fs, io::Write as _, net::TcpStream, process::Stdio, time::Duration};

use op25b_testlab::{
    filter::Filter,
    lab::{Family, Host},
};

use self::prometheus::{Prometheus, program};
use crate::{
    events::follower::Follower,
    support::scene::{Scene, eventually},
};

const POLICY: &str = "\
version: 1
interfaces:
  - { name: sub0, role: subscriber }
  - { name: corp0, role: subscriber }
  - { name: up0, role: uplink }
pools:
  - { name: homes, prefixes: [198.51.100.0/25, 2001:db8:100::/40] }
  - { name: offices, prefixes: [198.51.100.128/25], mode: monitor }
exemptions: [{ customer: Example KK, prefixes: [198.51.100.200], expires: 2099-03-31 }]
metrics: { listen: [127.0.0.1:9625] }
events: {}
alerts: { syns_per_minute: 1 }
";

/// Starts the filter a second time, as a backup of the store is taken at a start after a change.
fn filter(scene: &Scene, policy: &str) -> Filter {
    let policy = scene.policy(policy);
    let filter = scene.filter(&policy);
    let added = scene.op25b(&["exempt", "add", "--customer", "B", "198.51.100.201"]);
    assert_eq!(added.code, Some(0), "{added:?}");
    filter.leave_by(nix::sys::signal::Signal::SIGTERM).unwrap();
    scene.filter(&policy)
}

/// A sender of alerts, to a port at which nobody listens.
fn sender(scene: &Scene) -> Follower {
    let secret = scene.path("secret");
    fs::write(&secret, "whsec_b3AyNWIgYWxlcnRzIGFyZSBzaWduZWQgd2l0aCBpdA==\n").unwrap();
    let secret = secret.display().to_string();
    Follower::command(
        scene,
        &["alerts", "--to", "https://127.0.0.1:9/", "--secret", &secret],
    )
}

/// Has hosts of both pools try to reach the Internet's port 25.
fn try_to_send(scene: &Scene) {
    let to = |family| (Host::Internet.address(family), 25).into();
    for (host, family) in [
        (Host::Subscriber, Family::V4),
        (Host::Subscriber, Family::V6),
        (Host::Corporate, Family::V4),
    ] {
        let to = to(family);
        let sent = scene.lab.host(host).run(move || {
            // It is dropped, or nobody listens.
            let _ = TcpStream::connect_timeout(&to, Duration::from_millis(20));
            Ok(())
        });
        sent.unwrap();
    }
}

#[test]
fn every_panel_of_the_dashboard_has_data_of_a_router_under_traffic() {
    let scene = Scene::new();
    let _filter = filter(&scene, POLICY);
    let prometheus = Prometheus::start(&scene);
    let _sender = sender(&scene);

    let panels = dashboard::rows().into_iter().flat_map(|(_, panels)| panels);
    let queries = panels.flat_map(|panel| {
        let title = panel.title;
        panel
            .queries
            .into_iter()
            .map(move |query| (title.clone(), query.text))
    });
    let mut missing: BTreeSet<_> = queries.collect();
    assert!(missing.len() >= 20, "{missing:#?}");
    eventually("every panel has data", || {
        try_to_send(&scene);
        missing.retain(|(_, query)| !prometheus.has_data(query));
        if !missing.is_empty() {
            eprintln!("{} panels have no data: {missing:?}", missing.len());
        }
        missing.is_empty()
    });
    eventually("the recording rules have data", || {
        prometheus.has_data("instance:op25b_packets_blocked:rate5m > 0")
            && prometheus.has_data("instance:op25b_subscribers_blocked:sum > 0")
    });

    let metadata = |metric| prometheus.ask("targets/metadata", &[("metric", metric)]);
    eventually(
        "the page is read as OpenMetrics, which has units and a type of its own",
        || {
            let of = |metric| metadata(metric).map(|data| data[0].clone()).unwrap_or_default();
            of("op25b_start_time_seconds")["unit"] == "seconds" && of("op25b_build")["type"] == "info"
        },
    );
    let mut check = program("promtool");
    check
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut check = check.spawn().unwrap();
    let page = scene.op25b(&["metrics"]).stdout;
    check.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let checked = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.is_empty(), "{said}");
}
