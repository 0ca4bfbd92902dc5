//! Measures what the daemon takes of a CPU while nothing happens, on a router with many interfaces.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::scene::Scene;
use crate::{
    interrupt,
    lab::{Host, Lab},
    process::output_of,
    usage,
};

const INTERFACES: usize = 64;
const EXEMPTIONS: u32 = 100_000;
/// What a start leaves to do is done by then.
const SETTLING: Duration = Duration::from_secs(15);
/// How long the daemon is watched.
const WATCHED: Duration = Duration::from_mins(5);

/// What it took.
pub(super) struct Idle {
    cpu: Duration,
    during: Duration,
}

/// Watches a daemon that has nothing to do.
pub(super) fn measure(op25b: &Path, share: usize) -> anyhow::Result<Idle> {
    println!("==> doing nothing, with {INTERFACES} subscriber interfaces and {EXEMPTIONS} exemptions");
    let lab = Lab::unique("idle")?;
    let interfaces: Vec<String> = (0..INTERFACES).map(|number| format!("line{number}")).collect();
    add(&lab, &interfaces)?;
    let scene = Scene::at(op25b, lab, interfaces, EXEMPTIONS)?;
    let pid = scene.pid()?;
    wait(SETTLING)?;
    let (begun, before) = (Instant::now(), usage::cpu_time(pid)?);
    wait(WATCHED / u32::try_from(share)?)?;
    Ok(Idle {
        cpu: usage::cpu_time(pid)?.saturating_sub(before),
        during: begun.elapsed(),
    })
}

/// Adds interfaces to the router, whose other ends are there as well.
fn add(lab: &Lab, interfaces: &[String]) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
    let batch = folder.path().join("interfaces");
    let commands = interfaces.iter().map(|name| {
        format!(
            "link add {name} type veth peer name {name}-far\nlink set {name} up\nlink set {name}-far up\n"
        )
    });
    fs::write(&batch, commands.collect::<String>()).context("cannot write the commands for ip")?;
    let mut ip = lab.host(Host::Router).command("ip");
    output_of(ip.arg("-batch").arg(&batch)).map(drop)
}

fn wait(time: Duration) -> anyhow::Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        interrupt::check()?;
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

impl Idle {
    pub(super) fn print(&self) {
        let share = self.cpu.as_secs_f64() / self.during.as_secs_f64();
        println!(
            "{:.2} % of a CPU over {:.0} s",
            share * 100.0,
            self.during.as_secs_f64()
        );
    }
}
