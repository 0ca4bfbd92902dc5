//! The parts that measure the command itself, built as for a release: how it is started, and what it uses.

pub mod scrape;
pub mod start;

use std::{
    fs,
    io::{BufRead as _, BufReader, ErrorKind},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use op25b_testlab::usage;

use crate::isolation::BPF_FILES;

/// Says where the command is, built as for a release; `cargo xtask bench` sets it.
const COMMAND: &str = "OP25B_BENCH_COMMAND";

/// The command that is measured, with its directories in a folder: nothing of an op25b that this machine runs is used.
fn command(folder: &Path) -> anyhow::Result<Command> {
    let path = std::env::var_os(COMMAND);
    let path =
        path.with_context(|| format!("{COMMAND} does not say where op25b, built for a release, is"))?;
    let mut command = Command::new(path);
    command
        .env("OP25B_BPFFS", pins())
        .env("OP25B_RUNTIME_DIR", folder.join("run"))
        .env("OP25B_STATE_DIR", folder.join("state"));
    Ok(command)
}

/// Where the command pins its filter: in a BPF file system of the benchmark's own.
fn pins() -> PathBuf {
    Path::new(BPF_FILES).join("op25b")
}

/// Removes the filter that the run before has left, which the next one would take over.
fn remove_filter() -> anyhow::Result<()> {
    let pins = pins();
    match fs::remove_dir_all(&pins) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", pins.display()))
        }
        _ => Ok(()),
    }
}

/// One run of a command.
struct Measured {
    took: Duration,
    used: Used,
}

/// What a process has used so far.
#[derive(Clone, Copy)]
struct Used {
    cpu: Duration,
    /// The most memory that it has had.
    peak_kib: u64,
}

/// Enforces the policy with the store in a folder, where nothing was enforced before.
fn enforce(file: &Path, folder: &Path) -> anyhow::Result<(Running, Measured)> {
    remove_filter()?;
    let begin = Instant::now();
    let child = command(folder)?
        .args(["run", "--no-persist", "--policy"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run op25b run")?;
    let mut running = Running(child);
    let stderr = running.0.stderr.take().context("op25b run has no stderr")?;
    let mut lines = Vec::new();
    for line in BufReader::new(stderr).lines() {
        let line = line.context("cannot read the output of op25b run")?;
        if line.contains("enforcing") {
            let took = begin.elapsed();
            let pid = running.0.id();
            let used = Used {
                cpu: usage::cpu_time(pid)?,
                peak_kib: usage::peak_memory_kib(pid).context("op25b run has ended")?,
            };
            return Ok((running, Measured { took, used }));
        }
        lines.push(line);
    }
    bail!("op25b run does not enforce; its output:\n{}", lines.join("\n"))
}

/// A command that ends with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(pid) = pid(&self.0) {
            // It may have ended by itself.
            let _ = kill(pid, Signal::SIGTERM);
        }
        if let Err(error) = self.0.wait() {
            eprintln!("cannot wait for op25b run: {error}");
        }
    }
}

fn pid(child: &Child) -> anyhow::Result<Pid> {
    let pid = i32::try_from(child.id()).context("a large process id")?;
    Ok(Pid::from_raw(pid))
}
