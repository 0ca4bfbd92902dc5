//! Measures the time until a pause takes effect in the kernel, and until a generation with it is loaded.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::scene::Scene;
use crate::{interrupt, lab::Host};

const PAUSES: u32 = 10;
/// How many packets pass the filter at least before it counts as monitoring.
const PASSED: u64 = 100;
/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long each pause took from the request: until packets passed, and until the answer.
pub(super) struct Brake {
    passed: Vec<Duration>,
    answered: Vec<Duration>,
}

/// Pauses everything, and resumes it, while a flood is blocked.
pub(super) fn measure(scene: &Scene<'_>, share: usize) -> anyhow::Result<Brake> {
    let socket = scene.socket();
    let mut brake = Brake {
        passed: Vec::new(),
        answered: Vec::new(),
    };
    for _ in 0..PAUSES.div_ceil(u32::try_from(share)?) {
        interrupt::check()?;
        let router = scene.lab.host(Host::Router);
        let before = router.run(received)?;
        let start = Instant::now();
        let passing = router.spawn(move || {
            while start.elapsed() < PATIENCE {
                if received()? > before + PASSED {
                    return Ok(start.elapsed());
                }
            }
            anyhow::bail!("nothing passes during a pause")
        });
        let answer = socket.ask("POST", "/v1/pause", Some(&json!({ "reason": "it is measured" })))?;
        brake.answered.push(start.elapsed());
        ensure!(
            answer.status == 200,
            "a pause was refused: {} {}",
            answer.status,
            answer.body
        );
        let passed = passing.join();
        let passed = passed.map_err(|_| anyhow::anyhow!("the thread that counts packets failed"))?;
        brake.passed.push(passed?);
        let answer = socket.ask("POST", "/v1/resume", Some(&json!({})))?;
        ensure!(answer.status == 200, "a pause does not end: {}", answer.body);
    }
    brake.passed.sort_unstable();
    brake.answered.sort_unstable();
    Ok(brake)
}

/// How many packets the IPv4 stack of this network namespace has received: those that a filter lets pass.
fn received() -> anyhow::Result<u64> {
    let text =
        fs::read_to_string("/proc/thread-self/net/snmp").context("cannot read what the stack counts")?;
    let values = text.lines().filter(|line| line.starts_with("Ip: ")).nth(1);
    // The third value is `InReceives`.
    let received = values.and_then(|values| values.split(' ').nth(3));
    received
        .and_then(|received| received.parse().ok())
        .context("the stack does not count what it receives")
}

impl Brake {
    pub(super) fn print(&self) {
        let [(passed, most_passed), (answered, most_answered)] = [&self.passed, &self.answered].map(|took| {
            let milliseconds = |took: Option<&Duration>| took.map_or(0.0, |took| took.as_secs_f64() * 1000.0);
            (milliseconds(took.get(took.len() / 2)), milliseconds(took.last()))
        });
        println!(
            "{} pauses: monitored after {passed:.1} ms, at most {most_passed:.1} ms; loaded after {answered:.0} ms, at most \
             {most_answered:.0} ms",
            self.passed.len()
        );
    }
}
