//! The part `start`: time and memory of the command until a policy is checked or enforced.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use op25b_testlab::{sample::Sample, usage};
use serde::Serialize;
use tempfile::TempDir;

use super::{Measured, Used, command, enforce, pid};
use crate::{
    Report,
    args::Args,
    live, progress,
    scenario::{Family, Scenario, Spread},
    table::{self, thousands},
    veth::{self, Pair},
};

/// Repetitions of one row end after this time, whatever their number.
const LONGEST: Duration = Duration::from_secs(20);
/// The file of the exemptions, beside the policy.
const LIST: &str = "customers.csv";

/// The most exemptions in one import: the control socket takes 64 MiB at once.
const LARGEST_IMPORT: usize = 250_000;

/// A policy with so many exemptions.
#[derive(Debug, Serialize)]
pub struct Row {
    exemptions: u32,
    policy_bytes: u64,
    check: Cost,
    run: Cost,
    /// The same with these exemptions in the store, and a policy without.
    run_stored: Cost,
}

#[derive(Debug, Serialize)]
struct Cost {
    /// From its start to its end, or to "enforcing".
    seconds: Sample,
    /// Of those, what it had a CPU for.
    cpu_seconds: Sample,
    /// The most memory that it had, of all repetitions.
    peak_kib: u64,
}

/// Measures `op25b check` and `op25b run`, in turn, for each number of exemptions.
pub fn measure(args: &Args, report: Report<'_, Row>) -> anyhow::Result<()> {
    veth::be_quiet()?;
    let pair = Pair::new("start")?;
    let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
    let file = folder.path().join("policy.yaml");
    for exemptions in live::numbers(args) {
        progress(&format!("start: {} exemptions", thousands(exemptions.into())));
        let head = head(pair.receiver());
        let list = records(exemptions);
        let text = format!("{head}exemptions_from: [{LIST}]\n");
        fs::write(&file, &text)
            .and_then(|()| fs::write(file.with_file_name(LIST), &list))
            .context("cannot write to a temporary directory")?;
        let stored = Stored::new(&head, &list)?;
        report(row(exemptions, (text.len() + list.len()) as u64, &file, &stored)?)?;
    }
    Ok(())
}

/// A policy without exemptions.
fn head(interface: &str) -> String {
    let pools = Family::BOTH.map(|family| {
        let (address, length) = family.pool();
        format!("{address}/{length}")
    });
    format!(
        "version: 1\ninterfaces:\n  - {{ name: {interface}, role: subscriber }}\n\
         pools:\n  - {{ name: residential, prefixes: [{}] }}\n",
        pools.join(", ")
    )
}

/// Exemptions as CSV, as people keep them; each fourth is an IPv6 one.
fn records(exemptions: u32) -> String {
    let (v4, v6) = (
        Scenario::draw(Family::V4, exemptions - exemptions / 4, Spread::Scattered),
        Scenario::draw(Family::V6, exemptions / 4, Spread::Scattered),
    );
    let mut text = "customer,prefixes,ticket,expires\n".to_owned();
    for (number, prefix) in v4.exempt_prefixes().chain(v6.exempt_prefixes()).enumerate() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "Customer {number},{prefix},OPS-{number},2099-12-31");
    }
    text
}

/// A state directory whose store has the exemptions, and a policy that has none.
struct Stored {
    folder: TempDir,
}

impl Stored {
    fn new(head: &str, import: &str) -> anyhow::Result<Self> {
        let stored = Self {
            folder: tempfile::tempdir().context("cannot make a temporary directory")?,
        };
        fs::write(stored.policy(), head).context("cannot write to a temporary directory")?;
        let (_running, _) = enforce(&stored.policy(), stored.folder.path())?;
        let import_file = stored.folder.path().join(LIST);
        let (columns, rows) = import.split_at(import.find('\n').map_or(0, |end| end + 1));
        let rows: Vec<_> = rows.split_inclusive('\n').collect();
        for part in rows.chunks(LARGEST_IMPORT) {
            fs::write(&import_file, [columns, &part.concat()].concat())
                .context("cannot write to a temporary directory")?;
            let imported = command(stored.folder.path())?
                .args(["exempt", "import"])
                .arg(&import_file)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .status()
                .context("cannot run op25b exempt import")?;
            ensure!(imported.success(), "op25b exempt import fails ({imported})");
        }
        Ok(stored)
    }

    fn policy(&self) -> PathBuf {
        self.folder.path().join("policy.yaml")
    }
}

fn row(exemptions: u32, policy_bytes: u64, file: &Path, stored: &Stored) -> anyhow::Result<Row> {
    const REPETITIONS: usize = 5;
    let empty = tempfile::tempdir().context("cannot make a temporary directory")?;
    let (mut checks, mut runs, mut runs_stored) = (Vec::new(), Vec::new(), Vec::new());
    let begin = Instant::now();
    while checks.len() < REPETITIONS && (checks.is_empty() || begin.elapsed() < LONGEST) {
        checks.push(check(file, empty.path())?);
        runs.push(run(file, empty.path())?);
        runs_stored.push(run(&stored.policy(), stored.folder.path())?);
    }
    Ok(Row {
        exemptions,
        policy_bytes,
        check: cost(&checks)?,
        run: cost(&runs)?,
        run_stored: cost(&runs_stored)?,
    })
}

fn cost(measured: &[Measured]) -> anyhow::Result<Cost> {
    let sample = |time: fn(&Measured) -> Duration| {
        let seconds = measured.iter().map(|one| time(one).as_secs_f64());
        Sample::of(seconds.collect()).context("nothing was measured")
    };
    Ok(Cost {
        seconds: sample(|one| one.took)?,
        cpu_seconds: sample(|one| one.used.cpu)?,
        peak_kib: measured
            .iter()
            .map(|one| one.used.peak_kib)
            .max()
            .unwrap_or_default(),
    })
}

/// Checks the policy.
fn check(file: &Path, folder: &Path) -> anyhow::Result<Measured> {
    let begin = Instant::now();
    let mut child = command(folder)?
        .arg("check")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot run op25b check")?;
    let pid = pid(&child)?;
    let mut peak_kib = 0;
    // Its memory is gone when it has ended, so it is asked for all the time; its clock stays until it is waited for.
    let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while waitid(Id::Pid(pid), ended).context("cannot watch op25b check")? == WaitStatus::StillAlive {
        peak_kib = usage::peak_memory_kib(child.id()).unwrap_or(peak_kib);
        thread::sleep(Duration::from_micros(500));
    }
    let took = begin.elapsed();
    let used = Used {
        cpu: usage::cpu_time(child.id())?,
        peak_kib,
    };
    let status = child.wait().context("cannot wait for op25b check")?;
    ensure!(
        status.success(),
        "op25b check refuses the benchmark's policy ({status})"
    );
    Ok(Measured { took, used })
}

/// Enforces the policy; what it took until then.
fn run(file: &Path, folder: &Path) -> anyhow::Result<Measured> {
    enforce(file, folder).map(|(_, measured)| measured)
}

/// For people.
pub fn table(rows: &[Row]) -> String {
    let seconds = |cost: &Cost| format!("{:.3}", cost.seconds.median);
    let cpu = |cost: &Cost| format!("{:.3}", cost.cpu_seconds.median);
    let mebibytes = |bytes: u64| table::tenths((bytes * 10) >> 20);
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                thousands(row.exemptions.into()),
                mebibytes(row.policy_bytes),
                seconds(&row.check),
                cpu(&row.check),
                mebibytes(row.check.peak_kib << 10),
                seconds(&row.run),
                cpu(&row.run),
                mebibytes(row.run.peak_kib << 10),
                seconds(&row.run_stored),
                mebibytes(row.run_stored.peak_kib << 10),
                row.run.seconds.repetitions.to_string(),
            ]
        })
        .collect();
    let head = [
        "exemptions",
        "policy, MiB",
        "check, s",
        "CPU, s",
        "peak, MiB",
        "enforcing, s",
        "CPU, s",
        "peak, MiB",
        "stored, s",
        "peak, MiB",
        "rounds",
    ];
    format!(
        "From start to the end of `op25b check`, and to \"enforcing\" of `op25b run` with these \
         exemptions in the policy and in the store (medians)\n\n{}",
        table::table(&head, 0, &rows)
    )
}
