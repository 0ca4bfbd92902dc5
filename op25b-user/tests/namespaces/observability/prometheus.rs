//! A real Prometheus, of Debian's package, which the set-up unpacks.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use op25b_testlab::{lab::NetNs, paths};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::support::scene::Scene;

/// The name of the router in all series.
pub const ROUTER: &str = "router1";

/// A program of the package.
pub fn program(name: &str) -> Command {
    let package = paths::unpacked("prometheus").unwrap();
    Command::new(package.join("usr/bin").join(name))
}

/// A Prometheus on the router, which scrapes it every second; dropping it ends it.
pub struct Prometheus<'s> {
    router: &'s NetNs,
    child: Child,
}

impl<'s> Prometheus<'s> {
    pub fn start(scene: &'s Scene) -> Self {
        let rules = paths::workspace().join("deploy/prometheus/op25b.rules.yaml");
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{}]\nscrape_configs:\n  \
             - {{ job_name: op25b, static_configs: [{{ targets: ['127.0.0.1:9625'], labels: {{ instance: {ROUTER} }} }}] }}\n",
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

    /// The data of an answer of its API; none as long as it does not answer.
    pub fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Option<Value> {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let words = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)));
        let words = words.collect::<Vec<_>>().join("&");
        let request = format!("GET /api/v1/{path}?{words} HTTP/1.0\r\nHost: localhost\r\n\r\n");
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
        let mut answer: Value = serde_json::from_str(body).ok()?;
        assert_ne!(answer["status"], "error", "{parameters:?}: {answer}");
        Some(answer["data"].take())
    }

    /// Whether a query returns data, of which a value is a number.
    pub fn has_data(&self, query: &str) -> bool {
        let Some(data) = self.ask("query", &[("query", query)]) else {
            return false;
        };
        let is_number = |series: &Value| {
            let value = series["value"][1].as_str();
            value.is_some_and(|value| value.parse().is_ok_and(f64::is_finite))
        };
        data["result"]
            .as_array()
            .is_some_and(|result| result.iter().any(is_number))
    }
}

impl Drop for Prometheus<'_> {
    fn drop(&mut self) {
        // It has nothing to save.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
