//! Measures the time until an exemption takes effect beside 100,000 others, with and without a flood, and until a pause does.

use std::{
    ops::Range,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde_json::json;

use super::{
    ask::Socket,
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
    undisturbed: Vec<Duration>,
    flooded: Vec<Duration>,
    flood: u64,
    during: Duration,
    brake: Brake,
}

/// Adds exemptions one after the other.
pub(super) fn measure(op25b: &Path, share: usize) -> anyhow::Result<Latency> {
    println!("==> adding exemptions to {EXEMPTIONS} others, without and under a flood");
    let scene = Scene::new(op25b, EXEMPTIONS)?;
    let socket = scene.socket();
    let undisturbed = add(&socket, 0..ADDITIONS)?;
    let flood = Flood::start(scene.lab.host(Host::Subscriber), SERVER, 25)?;
    let begun = Instant::now();
    let more = ADDITIONS.div_ceil(u32::try_from(share)?);
    let flooded = add(&socket, ADDITIONS..ADDITIONS + more)?;
    let (during, sent) = (begun.elapsed(), flood.sent());
    let brake = brake::measure(&scene)?;
    flood.stop()?;
    Ok(Latency {
        undisturbed,
        flooded,
        flood: sent,
        during,
        brake,
    })
}

/// Adds the exemptions with these numbers; how long each took.
fn add(socket: &Socket, numbers: Range<u32>) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::new();
    for number in numbers {
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
    Ok(took)
}

impl Latency {
    pub(super) fn print(&self) {
        println!("{}", summary(&self.undisturbed));
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let rate = self.flood as f64 / self.during.as_secs_f64() / 1000.0;
        println!("{}; beside {rate:.0} K SYNs/s", summary(&self.flooded));
        self.brake.print();
    }
}

fn summary(took: &[Duration]) -> String {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let at = |share: usize| sorted[(sorted.len() - 1) * share / 100];
    let [median, p99, most] = [at(50), at(99), at(100)].map(|took| took.as_secs_f64() * 1000.0);
    format!(
        "{} additions in {:.2} s: the first {:.1} ms, median {median:.1} ms, p99 {p99:.1} ms, at most {most:.1} ms",
        took.len(),
        took.iter().sum::<Duration>().as_secs_f64(),
        took[0].as_secs_f64() * 1000.0,
    )
}
