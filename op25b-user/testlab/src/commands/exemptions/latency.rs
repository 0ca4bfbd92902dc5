//! Measures the time until an exemption takes effect, and until a pause does, with 100,000 exemptions, on a router under a flood.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde_json::json;

use super::{
    brake::{self, Brake},
    scene::{Scene, address},
};
use crate::{
    interrupt,
    lab::Host,
    soak::{flood::Flood, policies::SERVER},
};

/// How many exemptions there are before.
const EXEMPTIONS: u32 = 100_000;
const ADDITIONS: u32 = 1000;

/// How long each addition took, from the request to the answer: the kernel had it before.
pub(super) struct Latency {
    took: Vec<Duration>,
    flood: u64,
    during: Duration,
    brake: Brake,
}

/// Adds exemptions one after the other.
pub(super) fn measure(op25b: &Path, share: usize) -> anyhow::Result<Latency> {
    println!("==> adding exemptions to {EXEMPTIONS} others, under a flood");
    let scene = Scene::new(op25b, EXEMPTIONS)?;
    let socket = scene.socket();
    let flood = Flood::start(scene.lab.host(Host::Subscriber), SERVER, 25)?;
    let begun = Instant::now();
    let mut took = Vec::new();
    for number in 0..ADDITIONS.div_ceil(u32::try_from(share)?) {
        interrupt::check()?;
        let source = address(0x0a00_0000 + number * 3);
        let new = json!({ "customer": format!("customer {number}"), "prefixes": [source], "expires": "90d" });
        let start = Instant::now();
        let answer = socket.ask("POST", "/v1/exemptions", Some(&new))?;
        took.push(start.elapsed());
        let reason = &answer.body["verdict"]["reason"];
        ensure!(
            answer.status == 201 && reason == "exempt",
            "an exemption does not hold: {} {}",
            answer.status,
            answer.body
        );
    }
    let (during, sent) = (begun.elapsed(), flood.sent());
    took.sort_unstable();
    let brake = brake::measure(&scene)?;
    flood.stop()?;
    Ok(Latency {
        took,
        flood: sent,
        during,
        brake,
    })
}

impl Latency {
    pub(super) fn print(&self) {
        let at = |share: usize| self.took[(self.took.len() - 1) * share / 100];
        let [median, p99, most] = [at(50), at(99), at(100)].map(|took| took.as_secs_f64() * 1000.0);
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let rate = self.flood as f64 / self.during.as_secs_f64() / 1000.0;
        println!(
            "{} additions: median {median:.1} ms, p99 {p99:.1} ms, at most {most:.1} ms; beside {rate:.0} K SYNs/s",
            self.took.len()
        );
        self.brake.print();
    }
}
