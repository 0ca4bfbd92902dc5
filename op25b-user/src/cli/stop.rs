//! `op25b stop`: stop the daemon and, with `--detach`, remove the filter.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{EXIT_NOT_RUNNING, paths::Paths};
use crate::{
    daemon::control,
    datapath::{Pins, holder},
};

/// How long a daemon may take to end; it may be loading a large policy.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Stop the daemon and, with `--detach`, remove the filter.
///
/// Without `--detach` the filter remains in force.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b stop             stop the daemon; the last policy stays in force
  op25b stop --detach    also detach the filter and remove all pins

Exit codes: 0 done; 2 failed; 3 there was nothing to stop.")]
pub struct Args {
    /// Detach the filter from all interfaces and remove its pins, whether or not a daemon runs.
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let bpffs = &args.paths.bpffs;
    let mut stdout = anstream::stdout().lock();
    let ended = end_daemon(bpffs)?;
    if let Some(pid) = ended {
        writeln!(stdout, "the daemon, process {pid}, has ended")?;
    }
    if !args.detach {
        if ended.is_some() {
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(stdout, "no daemon is running at {}", bpffs.display())?;
        return Ok(EXIT_NOT_RUNNING.into());
    }
    remove_socket(&args.paths.runtime_dir)?;
    match Pins::take_existing(bpffs)? {
        Some(pins) => {
            let interfaces = pins.remove()?;
            if interfaces.is_empty() {
                writeln!(stdout, "removed the pins; no filter was attached")?;
            } else {
                writeln!(
                    stdout,
                    "detached from {}: nothing is blocked any more",
                    interfaces.join(", ")
                )?;
            }
            Ok(ExitCode::SUCCESS)
        }
        None if ended.is_some() => Ok(ExitCode::SUCCESS),
        None => {
            writeln!(stdout, "nothing is pinned at {}", bpffs.display())?;
            Ok(EXIT_NOT_RUNNING.into())
        }
    }
}

/// Removes the control socket that a killed daemon left, and the directory if it is empty then.
fn remove_socket(runtime_dir: &Path) -> anyhow::Result<()> {
    let socket = control::socket(runtime_dir);
    // A socket that accepts connections belongs to a daemon with other pins.
    if socket.exists() && !control::is_served(&socket) {
        fs::remove_file(&socket).with_context(|| format!("cannot remove {}", socket.display()))?;
    }
    // It may belong to systemd, or contain other files.
    let _ = fs::remove_dir(runtime_dir);
    Ok(())
}

/// Ends the process that holds the pins, if there is one; returns its id.
fn end_daemon(bpffs: &Path) -> anyhow::Result<Option<u32>> {
    let Some(pid) = holder(bpffs) else {
        return Ok(None);
    };
    let process = Pid::from_raw(i32::try_from(pid).context("not a process id")?);
    match kill(process, Signal::SIGTERM) {
        // ESRCH: it has just ended by itself.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => return Err(error).with_context(|| format!("cannot end process {pid}")),
    }
    let asked = Instant::now();
    while holder(bpffs) == Some(pid) {
        if asked.elapsed() > STOP_TIMEOUT {
            bail!("process {pid} has not ended within {STOP_TIMEOUT:?} after SIGTERM");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(Some(pid))
}
