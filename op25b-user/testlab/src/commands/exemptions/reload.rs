//! Measures the time until a reload that changes one pool is in force, beside 100,000 exemptions.

use std::{path::Path, time::Instant};

use anyhow::{Context as _, ensure};

use super::scene::Scene;
use crate::{interrupt, sample::Sample};

const EXEMPTIONS: u32 = 100_000;
const RELOADS: u32 = 20;
/// An address that is in the pool after every second reload.
const SOURCE: &str = "172.16.128.1";

/// Changes a pool again and again; how many seconds each reload took, from the request to the answer.
pub(super) fn measure(op25b: &Path) -> anyhow::Result<Sample> {
    println!("==> changing one pool beside {EXEMPTIONS} exemptions");
    let scene = Scene::new(op25b, EXEMPTIONS)?;
    let socket = scene.socket();
    let mut took = Vec::new();
    for number in 0..RELOADS {
        interrupt::check()?;
        let (length, expected) = if number % 2 == 0 {
            (16, "blocked")
        } else {
            (17, "not_pooled")
        };
        scene.write_policy(&format!(
            "  - {{ name: changed, prefixes: [172.16.0.0/{length}] }}\n"
        ))?;
        let start = Instant::now();
        let answer = socket.ask("POST", "/v1/reload", None)?;
        took.push(start.elapsed().as_secs_f64());
        ensure!(
            answer.status == 200,
            "a reload was refused: {} {}",
            answer.status,
            answer.body
        );
        let reason = socket.reason(SOURCE)?;
        ensure!(
            reason == expected,
            "{SOURCE} should be {expected} after a reload, and is {reason}"
        );
    }
    Sample::of(took).context("there was no reload")
}

/// For people.
pub(super) fn print(took: &Sample) {
    let [median, most] = [took.median, took.max].map(|seconds| seconds * 1000.0);
    println!(
        "{} reloads: median {median:.0} ms, at most {most:.0} ms",
        took.repetitions
    );
}
