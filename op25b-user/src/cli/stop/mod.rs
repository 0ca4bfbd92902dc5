//! `op25b stop`: stop the daemon and, with `--detach`, remove the filter.

mod keep;
mod remaining;

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use jiff::tz::TimeZone;
use tokio::time::timeout;

use self::remaining::Remaining;
use super::{EXIT_NOT_RUNNING, daemon::block_on, directories, paths::Paths, progress::Progress, stderr};
use crate::{
    daemon::{
        client::Client,
        control::{self, PROMPT},
    },
    datapath::{Ending, Holder, Pins, Removed, pinned_elsewhere},
};

/// How long a daemon may take to end; it may be loading a large policy.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Stop the daemon and, with `--detach`, remove the filter.
///
/// Without `--detach` the filter remains in force. With it, what the filter has counted is first written to the state directory, as
/// `detached-TIME.json`; if that fails, the filter is detached all the same. `op25b pause` stops all blocking for a while, and keeps
/// the filter.
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
    let mut said = Vec::new();
    let result = stop(args, &mut said);
    // Last: a filter is detached whether or not anybody reads what is said of it.
    let written = anstream::stdout().lock().write_all(&said);
    let code = result.map_err(|error| {
        if is_denied(&error) {
            error.context(
                "not permitted: stopping a daemon and detaching its filter take root or the user who owns the pins",
            )
        } else {
            error
        }
    })?;
    written?;
    Ok(code)
}

/// Whether the system refused something for want of a permission.
fn is_denied(error: &anyhow::Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::PermissionDenied)
}

fn stop(args: &Args, stdout: &mut impl Write) -> anyhow::Result<ExitCode> {
    let bpffs = &args.paths.bpffs;
    let has_ended = end_daemon(bpffs, stdout)?;
    if !args.detach {
        if has_ended {
            write_remaining(stdout, bpffs)?;
            return Ok(ExitCode::SUCCESS);
        }
        let other = match answering(&args.paths) {
            Some(pid) => format!(
                "; process {pid}, which answers in {}, has its pins elsewhere, or they were removed",
                args.paths.runtime_dir.display()
            ),
            None => String::new(),
        };
        writeln!(stdout, "no daemon is running at {}{other}", bpffs.display())?;
        write_remaining(stdout, bpffs)?;
        return Ok(EXIT_NOT_RUNNING.into());
    }
    if let Err(error) = remove_socket(&args.paths.runtime_dir) {
        stderr::line(format_args!("op25b: {error:#}"));
    }
    // The links of a filter are detached from whichever network namespace it runs in.
    let place = match pinned_elsewhere(bpffs) {
        Ok(Some(elsewhere)) => format!(" in the network namespace {}", elsewhere.namespace),
        _ => String::new(),
    };
    // Where the filter's daemon keeps its store, whatever directory was given.
    let state_dir = directories::state(&args.paths);
    match Pins::take_existing(bpffs)? {
        Some(pins) => {
            let progress = Progress::of("writing what was counted");
            let kept = keep::keep(bpffs, &state_dir);
            drop(progress);
            match kept {
                Ok(kept) => kept.iter().try_for_each(|line| writeln!(stdout, "{line}"))?,
                Err(error) => stderr::line(format_args!(
                    "op25b: the counters and the records of subscribers are lost: {error:#}; detaching all the same"
                )),
            }
            let Removed { detached, left } = pins.remove()?;
            for path in left {
                stderr::line(format_args!(
                    "op25b: left {}, which is not of a filter",
                    path.display()
                ));
            }
            if detached.is_empty() {
                writeln!(stdout, "removed the pins; no filter was attached")?;
            } else {
                writeln!(
                    stdout,
                    "detached from {}{place}: nothing is blocked any more",
                    detached.join(", ")
                )?;
                if let Err(error) = keep::record(&state_dir, &detached) {
                    stderr::line(format_args!(
                        "op25b: this is not recorded in the store: {error:#}"
                    ));
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        None if has_ended => Ok(ExitCode::SUCCESS),
        None => {
            writeln!(stdout, "nothing is pinned at {}", bpffs.display())?;
            Ok(EXIT_NOT_RUNNING.into())
        }
    }
}

/// Writes what is still enforced.
fn write_remaining(stdout: &mut impl Write, bpffs: &Path) -> anyhow::Result<()> {
    for line in Remaining::at(bpffs).lines(bpffs, &TimeZone::system()) {
        writeln!(stdout, "{line}")?;
    }
    Ok(())
}

/// Removes the control socket that a killed daemon left. Its directory stays: it may have been made with an owner and a group.
fn remove_socket(runtime_dir: &Path) -> anyhow::Result<()> {
    let socket = control::socket(runtime_dir);
    // A socket that accepts connections belongs to a daemon with other pins.
    if socket.exists() && !control::is_served(&socket) {
        fs::remove_file(&socket).with_context(|| format!("cannot remove {}", socket.display()))?;
    }
    Ok(())
}

/// The process that answers at the control socket, if one does.
fn answering(paths: &Paths) -> Option<u32> {
    let client = Client::new(&paths.runtime_dir);
    let report = block_on(async { timeout(PROMPT, client.status()).await });
    report.ok()?.ok()?.ok()?.pid
}

/// Ends the daemon that holds the pins, if there is one; whether there was one.
fn end_daemon(bpffs: &Path, stdout: &mut impl Write) -> anyhow::Result<bool> {
    let Some(daemon) = Holder::find(bpffs)? else {
        return Ok(false);
    };
    let pid = daemon.pid();
    let progress = Progress::of("waiting for the daemon to end");
    let ending = daemon.end(STOP_TIMEOUT)?;
    drop(progress);
    match ending {
        Ending::Ended => {}
        Ending::Released => {
            writeln!(
                stdout,
                "the daemon, process {pid}, has released the pins; the kernel keeps the process until a disk answers"
            )?;
            return Ok(true);
        }
        Ending::Holds => bail!("process {pid} has not ended within {STOP_TIMEOUT:?} after SIGTERM"),
    }
    match &daemon.elsewhere {
        Some(namespace) => writeln!(
            stdout,
            "the daemon, process {pid} in the network namespace {namespace}, has ended"
        )?,
        None => writeln!(stdout, "the daemon, process {pid}, has ended")?,
    }
    Ok(true)
}
