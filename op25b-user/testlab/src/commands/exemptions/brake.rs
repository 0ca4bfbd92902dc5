//! Measures the time until a pause takes effect in the kernel, and until a generation with it is loaded.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, ensure};
use serde_json::json;

use super::scene::Scene;
use crate::{interrupt, lab::Host, packet_socket::PacketSocket};

const PAUSES: usize = 10;
/// Where the flood comes in, and the first byte of its sources.
const INTERFACE: &str = "sub0";
const FLOOD: u8 = 198;
/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long each pause took from the request: until the first packet of the flood passed, and until the answer.
pub(super) struct Brake {
    passed: Vec<Duration>,
    answered: Vec<Duration>,
}

/// Pauses everything, and resumes it, while a flood is blocked.
pub(super) fn measure(scene: &Scene<'_>) -> anyhow::Result<Brake> {
    let socket = scene.socket();
    let mut brake = Brake {
        passed: Vec::new(),
        answered: Vec::new(),
    };
    for _ in 0..PAUSES {
        interrupt::check()?;
        let (ready, is_ready) = mpsc::channel();
        let passing = scene.lab.host(Host::Router).spawn(move || {
            let mut passed = PacketSocket::open(INTERFACE)?;
            ready.send(()).context("nobody waits for the socket")?;
            first_of_flood(&mut passed)
        });
        is_ready.recv().context("the packets that pass cannot be seen")?;
        let start = Instant::now();
        let answer = socket.ask("POST", "/v1/pause", Some(&json!({ "reason": "it is measured" })))?;
        brake.answered.push(start.elapsed());
        ensure!(
            answer.status == 200,
            "a pause was refused: {} {}",
            answer.status,
            answer.body
        );
        let passed = passing.join();
        let passed = passed.map_err(|_| anyhow!("the thread that waits for packets failed"))??;
        brake.passed.push(passed.duration_since(start));
        let answer = socket.ask("POST", "/v1/resume", Some(&json!({})))?;
        ensure!(answer.status == 200, "a pause does not end: {}", answer.body);
    }
    brake.passed.sort_unstable();
    brake.answered.sort_unstable();
    Ok(brake)
}

/// When the first packet of the flood passed: what XDP drops, no packet socket sees.
fn first_of_flood(passed: &mut PacketSocket) -> anyhow::Result<Instant> {
    const SOURCE: usize = 14 + 12;
    let deadline = Instant::now() + PATIENCE;
    while let Some(frame) = passed.receive(deadline)? {
        if frame.get(SOURCE) == Some(&FLOOD) {
            return Ok(Instant::now());
        }
    }
    Err(anyhow!("nothing passes during a pause"))
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
