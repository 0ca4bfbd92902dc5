//! A real Prometheus scrapes a router under traffic: every panel of the dashboard has data, and the page is as Prometheus wants it.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use op25b_testlab::{
    lab::{Family, Host, NetNs},
    paths,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

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
  - { name: homes, prefixes: [198.51.100.0/25, 2001:db8:100::/64] }
  - { name: offices, prefixes: [198.51.100.128/25], mode: monitor }
exemptions: [{ customer: Example KK, prefixes: [198.51.100.200], expires: 2099-03-31 }]
metrics: { listen: [127.0.0.1:9625] }
events: {}
alerts: { syns_per_minute: 1 }
";

/// What Grafana puts in the place of a dashboard's variables.
const VARIABLES: [(&str, &str); 2] = [("$instance", ".+"), ("$__rate_interval", "10s")];

/// A program of Debian's package `prometheus`, which the set-up unpacks.
fn program(name: &str) -> Command {
    let package = paths::unpacked("prometheus").unwrap();
    Command::new(package.join("usr/bin").join(name))
}

/// A Prometheus on the router, which scrapes it every second; dropping it ends it.
struct Prometheus<'s> {
    router: &'s NetNs,
    child: Child,
}

impl<'s> Prometheus<'s> {
    fn start(scene: &'s Scene) -> Self {
        let rules = paths::workspace().join("deploy/prometheus/op25b.rules.yaml");
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{}]\n\
             scrape_configs: [{{ job_name: op25b, static_configs: [{{ targets: ['127.0.0.1:9625'] }}] }}]\n",
            rules.display()
        );
        let path = scene.path("prometheus.yml");
        fs::write(&path, config).unwrap();
        let mut command = program("prometheus");
        command
            .arg("--config.file")
            .arg(path)
            .arg("--storage.tsdb.path")
            .arg(scene.path("tsdb"))
            .args(["--web.listen-address", "127.0.0.1:9090", "--log.level", "error"])
            .stdin(Stdio::null());
        let child = scene.router().run(move || Ok(command.spawn()?)).unwrap();
        Self {
            router: scene.router(),
            child,
        }
    }

    /// An answer of its API; none as long as it does not answer.
    fn ask(&self, path: &str, parameter: &str, value: &str) -> Option<Value> {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        let request = format!("GET /api/v1/{path}?{parameter}={value} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let answer = self.router.run(move || {
            let Ok(mut stream) = TcpStream::connect("127.0.0.1:9090") else {
                return Ok(String::new());
            };
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        });
        let answer = answer.unwrap();
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body).ok()
    }

    /// Whether a query returns data, of which a value is a number.
    fn has_data(&self, query: &str) -> bool {
        let Some(answer) = self.ask("query", "query", query) else {
            return false;
        };
        assert_ne!(answer["status"], "error", "{query}: {answer}");
        let result = answer["data"]["result"].as_array();
        let is_number = |series: &Value| {
            let value = series["value"][1].as_str();
            value.is_some_and(|value| value.parse().is_ok_and(f64::is_finite))
        };
        result.is_some_and(|result| result.iter().any(is_number))
    }
}

impl Drop for Prometheus<'_> {
    fn drop(&mut self) {
        // It has nothing to save.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The queries of a dashboard's panels, with what they are for.
fn queries(dashboard: &Path) -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(dashboard).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let panels = panels.filter(|panel| panel["type"] != "row");
    let queries = panels.flat_map(|panel| {
        let targets = panel["targets"].as_array().unwrap().iter();
        targets.map(|target| {
            let mut query = target["expr"].as_str().unwrap().to_owned();
            for (variable, value) in VARIABLES {
                query = query.replace(variable, value);
            }
            (panel["title"].as_str().unwrap().to_owned(), query)
        })
    });
    queries.collect()
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
    let policy = scene.policy(POLICY);
    // The backup of the store is taken at the start.
    let filter = scene.filter(&policy);
    let added = scene.op25b(&["exempt", "add", "--customer", "B", "198.51.100.201"]);
    assert_eq!(added.code, Some(0), "{added:?}");
    filter.leave_by(nix::sys::signal::Signal::SIGTERM).unwrap();
    let _filter = scene.filter(&policy);
    let prometheus = Prometheus::start(&scene);
    // A sender of alerts, to a port at which nobody listens.
    let secret = scene.path("secret");
    fs::write(&secret, "whsec_b3AyNWIgYWxlcnRzIGFyZSBzaWduZWQgd2l0aCBpdA==\n").unwrap();
    let secret = secret.display().to_string();
    let words = ["alerts", "--to", "https://127.0.0.1:9/", "--secret", &secret];
    let _sender = Follower::command(&scene, &words);

    let queries = queries(&paths::workspace().join("deploy/grafana/op25b.json"));
    assert!(queries.len() >= 20, "{queries:#?}");
    let mut missing: BTreeSet<_> = queries.into_iter().collect();
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

    let read_as = |metric: &str| {
        let metadata = prometheus
            .ask("targets/metadata", "metric", metric)
            .unwrap_or_default();
        metadata["data"][0].clone()
    };
    eventually(
        "the page is read as OpenMetrics, which has units and a type of its own",
        || {
            read_as("op25b_start_time_seconds")["unit"] == "seconds"
                && read_as("op25b_build")["type"] == "info"
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
