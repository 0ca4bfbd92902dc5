//! `op25b metrics` and `GET /v1/metrics`: the series, their values and their failures.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::Signal;
use op25b_testlab::{filter::Filter, lab::Servers};

use crate::support::{
    foreign_program,
    scene::{SMALL, Scene, eventually},
};

/// Metrics that are no whole numbers; they are small.
const FRACTIONS: [&str; 1] = ["op25b_clock_offset_seconds"];

/// The values of a page by their names and labels; the format's rules are asserted.
#[track_caller]
fn read(page: &str) -> BTreeMap<String, i64> {
    let mut values = BTreeMap::new();
    let (mut helped, mut typed) = (BTreeSet::new(), BTreeMap::new());
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(!text.is_empty() && helped.insert(name), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(["counter", "gauge"].contains(&kind), "{line}");
            assert!(typed.insert(name, kind).is_none(), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert!(name.starts_with("op25b_") && helped.contains(name), "{line}");
            assert_eq!(typed[name] == "counter", name.ends_with("_total"), "{line}");
            if FRACTIONS.contains(&name) {
                assert!(value.parse::<f64>().unwrap().abs() < 1.0, "{line}");
                continue;
            }
            let value = value.parse().unwrap();
            assert!(values.insert(series.to_owned(), value).is_none(), "{line}");
        }
    }
    assert_eq!(helped, typed.keys().copied().collect());
    values
}

#[track_caller]
fn metrics(scene: &Scene) -> BTreeMap<String, i64> {
    let answer = scene.op25b(&["metrics"]);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{answer:?}");
    read(&answer.stdout)
}

#[track_caller]
fn assert_values(scene: &Scene, expected: &[(&str, i64)]) {
    let found = metrics(scene);
    for (series, value) in expected {
        assert_eq!(found.get(*series), Some(value), "{series} in {found:#?}");
    }
}

/// The blocked packets of all interfaces, and those of all pools, are all blocked packets.
#[track_caller]
fn assert_interfaces_and_pools_add_up(found: &BTreeMap<String, i64>, blocked: i64) {
    let sum = |family: &str| -> i64 {
        let of_family = found.iter().filter(|(series, _)| {
            series.starts_with(&format!("{family}{{")) && series.contains("reason=\"blocked\"")
        });
        of_family.map(|(_, value)| value).sum()
    };
    let packets = ["op25b_interface_packets_total", "op25b_pool_packets_total"];
    assert_eq!(packets.map(sum), [blocked; 2], "{found:#?}");
    let bytes = [
        "op25b_interface_dropped_bytes_total",
        "op25b_pool_dropped_bytes_total",
    ];
    let [by_interface, by_pool] = bytes.map(sum);
    // The shortest frame with TCP in it has 54 bytes.
    assert!(by_interface == by_pool && by_pool >= 54 * blocked, "{found:#?}");
    let residential = "{pool=\"residential\",reason=\"blocked\",verdict=\"drop\"}";
    assert_eq!(found[&format!("op25b_pool_packets_total{residential}")], blocked);
    let of_sub0 = "{interface=\"sub0\",role=\"subscriber\",reason=\"blocked\",verdict=\"drop\"}";
    assert!(
        found[&format!("op25b_interface_packets_total{of_sub0}")] > 0,
        "{found:#?}"
    );
}

/// The history reads the records every few seconds.
fn assert_the_ipv6_record_is_exported(scene: &Scene) {
    let records = "op25b_ipv6_subscriber_records";
    eventually("the IPv6 subscriber's record is exported", || {
        metrics(scene).get(records) == Some(&1)
    });
}

#[track_caller]
fn metrics_that_add_up(scene: &Scene, filter: &Filter) -> BTreeMap<String, i64> {
    let found = metrics(scene);
    assert_interfaces_and_pools_add_up(&found, blocked(filter));
    found
}

fn blocked(filter: &Filter) -> i64 {
    filter.count("blocked").unwrap().try_into().unwrap()
}

#[test]
fn packets_policy_reloads_and_interfaces_are_exported_as_they_are() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let exemptions = "relays: [{ name: r, prefixes: [192.0.2.25] }]\nexemptions:\n\
                      - { customer: a, prefixes: [198.51.100.200] }\n\
                      - { customer: b, prefixes: [198.51.100.201], expires: 2020-01-01 }\n";
    // More IPv6 subscribers than there are records for.
    let small = SMALL.replace("2001:db8:100::/40", "2001:db0::/28");
    let policy = format!("{small}{exemptions}");
    let filter = scene.filter(&scene.policy(&policy));
    scene.assert_blocked(&servers, &filter);
    assert_values(
        &scene,
        &[
            (
                "op25b_packets_total{role=\"subscriber\",reason=\"blocked\"}",
                blocked(&filter),
            ),
            ("op25b_packets_total{role=\"subscriber\",reason=\"relay\"}", 0),
            ("op25b_reloads_total", 0),
            ("op25b_reloads_refused_total", 0),
            ("op25b_last_reload_successful", 1),
            ("op25b_interface_enforced{interface=\"sub0\"}", 1),
            ("op25b_interface_enforced{interface=\"corp0\"}", 1),
            ("op25b_interface_interferences_total{interface=\"sub0\"}", 0),
            ("op25b_history_recorded", 1),
            ("op25b_history_max_bytes", 2 << 30),
            ("op25b_pools", 1),
            ("op25b_relays", 1),
            ("op25b_exemptions{state=\"active\"}", 1),
            ("op25b_store_revision", 0),
            ("op25b_store_writable", 1),
            ("op25b_interface_state{interface=\"sub0\",state=\"enforced\"}", 1),
            ("op25b_interface_state{interface=\"sub0\",state=\"lost\"}", 0),
            ("op25b_exemptions{state=\"expired\"}", 1),
            ("op25b_ipv6_subscriber_misses_total{result=\"begun\"}", 1),
            ("op25b_ipv6_subscriber_misses_total{result=\"lost\"}", 0),
        ],
    );
    let found = metrics_that_add_up(&scene, &filter);
    let has_uplink = found.keys().any(|series| series.contains("uplink"));
    assert!(!has_uplink, "{found:#?}");
    let report = scene.daemon_report();
    let info = format!(
        "op25b_policy_info{{version=\"{}\",file={},sha256={}}}",
        env!("CARGO_PKG_VERSION"),
        report["policy_file"],
        report["policy_sha256"]
    );
    assert_eq!(found.get(&info), Some(&1), "{info} in {found:#?}");
    assert!(found["op25b_map_bytes"] > 1_000_000, "{found:#?}");
    let (start, loaded) = (
        found["op25b_start_time_seconds"],
        found["op25b_policy_loaded_timestamp_seconds"],
    );
    // 2026; the policy is read before the daemon begins.
    assert!(loaded > 1_700_000_000 && start >= loaded, "{found:#?}");
    assert_eq!(found["op25b_last_reload_timestamp_seconds"], loaded);

    scene.policy("version: 2\n");
    assert_eq!(scene.op25b(&["reload"]).code, Some(1));
    let refused = [
        ("op25b_reloads_total", 0),
        ("op25b_reloads_refused_total", 1),
        ("op25b_last_reload_successful", 0),
    ];
    assert_values(&scene, &refused);
    let found = metrics(&scene);
    assert!(
        found["op25b_last_reload_timestamp_seconds"] >= start,
        "{found:#?}"
    );
    assert_eq!(found.get(&info), Some(&1), "the policy before goes on");
    scene.policy(&small);
    filter.reload().unwrap();
    let done = [
        ("op25b_reloads_total", 1),
        ("op25b_reloads_refused_total", 1),
        ("op25b_last_reload_successful", 1),
        ("op25b_exemptions{state=\"expired\"}", 0),
        (
            "op25b_packets_total{role=\"subscriber\",reason=\"blocked\"}",
            blocked(&filter),
        ),
    ];
    assert_values(&scene, &done);

    let [(_, pins), ..] = scene.router().places();
    foreign_program::detach(&pins.join("links/sub0"));
    let interfered = "op25b_interface_interferences_total{interface=\"sub0\"}";
    eventually("the interference is exported", || {
        metrics(&scene)[interfered] == 1
    });
    assert_values(
        &scene,
        &[
            ("op25b_interface_interferences_total{interface=\"corp0\"}", 0),
            ("op25b_interface_enforced{interface=\"sub0\"}", 1),
        ],
    );
    assert_the_ipv6_record_is_exported(&scene);
    // It is put back at once the first time, and only later the second.
    foreign_program::detach(&pins.join("links/sub0"));
    let enforced = "op25b_interface_enforced{interface=\"sub0\"}";
    eventually("the loss is exported", || metrics(&scene)[enforced] == 0);
}

#[test]
fn the_page_is_prometheus_text_in_one_order_and_without_a_daemon_it_is_what_the_kernel_shows() {
    let scene = Scene::new();
    let nothing = metrics(&scene);
    assert_eq!(
        (nothing["op25b_up"], nothing["op25b_state{state=\"open\"}"]),
        (0, 1)
    );
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    scene.assert_blocked(&servers, &filter);
    let answer = scene.ask_daemon("GET /v1/metrics");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.to_lowercase()
            .contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    let series: Vec<_> = body.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(
        series.is_sorted_by_key(|line| line.split([' ', '{']).next()),
        "{body}"
    );
    let with_daemon = read(body);
    assert_eq!(with_daemon["op25b_up"], 1);

    filter.leave_by(Signal::SIGKILL).unwrap();
    let file = scene.path("op25b.prom");
    let answer = scene.op25b(&["metrics", "--output", file.to_str().unwrap()]);
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(0), ""), "{answer:?}");
    let alone = read(&std::fs::read_to_string(&file).unwrap());
    assert_eq!(alone["op25b_up"], 0);
    // The same series with the same values, but for those that nobody knows.
    for (series, value) in &with_daemon {
        if series == "op25b_up" {
            continue;
        }
        let is_the_daemons = [
            "fault",
            "reload",
            "exemptions",
            "interferences",
            "start_time",
            "store",
            "subscribers_blocked",
            "subscriber_records",
            "build_info",
            "history",
        ]
        .iter()
        .any(|part| series.contains(part));
        assert_eq!(alone.get(series), (!is_the_daemons).then_some(value), "{series}");
    }
    assert_eq!(alone["op25b_pool_enforced{pool=\"residential\"}"], 1);

    let [(_, pins), ..] = scene.router().places();
    foreign_program::detach(&pins.join("links/sub0"));
    let alone = metrics(&scene);
    let values = [
        "op25b_state{state=\"degraded\"}",
        "op25b_interface_enforced{interface=\"sub0\"}",
        "op25b_interface_enforced{interface=\"corp0\"}",
    ];
    assert_eq!(values.map(|series| alone[series]), [1, 0, 1]);
    assert!(!alone.contains_key("op25b_interface_xdp_mode{interface=\"sub0\",mode=\"native\"}"));
}
