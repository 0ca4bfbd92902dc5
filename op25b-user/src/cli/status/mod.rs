//! `op25b status`: what should be enforced and what is, as the kernel reports it.

mod brief;
mod check;
mod filters;
pub(super) mod headline;
mod lines;
pub(super) mod tables;
#[cfg(test)]
pub(super) mod tests;
mod text;

use std::{io::Write as _, path::Path, process::ExitCode, sync::mpsc, thread, time::Duration};

use clap::Args as ClapArgs;
use jiff::tz::TimeZone;
use tokio::time::timeout;

use super::{
    EXIT_NOT_RUNNING, EXIT_PARTLY, daemon::block_on, directories::of_the_filter_here, paths::Paths,
    table::width,
};
use crate::{
    daemon::{client::Client, control::PROMPT},
    datapath::Description,
    report::{Enforcement, FileReport, KernelStatus, Status, status},
};

/// How long reading the policy file may take: a disk may hang, and the rest of the status is known.
const FILE_TIME: Duration = Duration::from_secs(2);

/// Show what should be enforced and what is: for every interface and pool of the policy, with packet counters.
///
/// Wanted and actual stand side by side: the interfaces with their XDP mode and since when they are filtered, the pools with what
/// the kernel does with them. Then come who loaded the policy and when, whether its file differs from what is enforced, packets by
/// reason, faults and the daemon's newest warnings. The data is read from the kernel, so it does not matter which process
/// loaded the filter, nor whether it still runs. Without the permission for that, it is what the daemon reports at its control
/// socket.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b status
  op25b status -br                                  one line for each interface
  op25b status --check                              one line and a code for a monitoring system
  op25b status --json | jq '.filters[0].counters.blocked'

Requires root (CAP_SYS_ADMIN), which the kernel demands for opening other processes' maps, or membership in \
the group op25b and a running daemon.
Exit codes: 0 enforced on every interface of the policy, with or without a daemon; 2 failed; 3 enforced on none; 4 enforced on \
some. With --check: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.")]
pub struct Args {
    /// Print one JSON document instead of text.
    #[arg(long, conflicts_with_all = ["brief", "check"])]
    json: bool,
    #[command(flatten)]
    brief: Brief,
    /// Print one line with performance data, and exit with a code, as monitoring plugins do: OK if the policy is enforced on
    /// every interface and nothing is to be done, WARNING, CRITICAL if it is not enforced as it should be, UNKNOWN.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    paths: Paths,
}

/// Whether one line for each interface is printed.
#[derive(Debug, ClapArgs)]
struct Brief {
    /// Print one line for each interface, as `ip -br link` does; `-br` is accepted as well.
    #[arg(short, long, conflicts_with = "check")]
    brief: bool,
    /// The second letter of `-br`.
    #[arg(short = 'r', hide = true, requires = "brief")]
    brief_as_ip_spells_it: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let status = read(&args.paths);
    let mut stdout = anstream::stdout().lock();
    if args.check {
        let checked = check::check(status.as_ref(), &TimeZone::system());
        writeln!(stdout, "{}", checked.line)?;
        return Ok(checked.state.exit_code().into());
    }
    let status = status?;
    if args.json {
        serde_json::to_writer_pretty(&mut stdout, &status)?;
        writeln!(stdout)?;
    } else if args.brief.brief {
        write!(stdout, "{}", brief::text(&status, &TimeZone::system()))?;
    } else {
        write!(stdout, "{}", text::text(&status, &TimeZone::system(), width()))?;
    }
    Ok(match status.state {
        Enforcement::Enforced => ExitCode::SUCCESS,
        Enforcement::Degraded => EXIT_PARTLY.into(),
        Enforcement::Open => EXIT_NOT_RUNNING.into(),
    })
}

/// The status of the filter here.
pub(super) fn read(paths: &Paths) -> anyhow::Result<Status> {
    of_the_filter_here(paths).and_then(|paths| block_on(read_status(&paths)).flatten())
}

/// The status from the kernel and, if a daemon runs, all that it knows besides. Without permission to read the kernel, what the
/// daemon reports.
async fn read_status(paths: &Paths) -> anyhow::Result<Status> {
    let client = Client::new(&paths.runtime_dir);
    // Without permission to ask the daemon, or if it hangs, the status from the kernel is shown all the same.
    let ask = async || timeout(PROMPT, client.status()).await.ok()?.ok();
    let KernelStatus {
        mut status,
        description,
    } = match status(&paths.bpffs) {
        Ok(status) => status,
        Err(error) => match timeout(PROMPT, client.status()).await {
            Ok(Ok(reported)) => return Ok(reported),
            Ok(Err(refused)) if refused.is_forbidden() => return Err(refused.into()),
            _ => {
                return Err(anyhow::Error::new(error)
                    .context("no daemon answers that reports it to members of the group op25b"));
            }
        },
    };
    // One whose pins are out of sight, in another mount namespace or removed, is known by its filter.
    let loaded_by: Vec<_> = status.filters.iter().map(|filter| Some(filter.pid)).collect();
    if status.daemon.is_some() || !loaded_by.is_empty() {
        let reported = ask().await.filter(|reported| {
            reported.pid.is_some() && (reported.pid == status.daemon || loaded_by.contains(&reported.pid))
        });
        if let Some(reported) = reported {
            return Ok(status.joined(reported));
        }
    }
    status.file = description.map(|description| policy_file(&description));
    Ok(status)
}

/// How the policy file compares with what is enforced.
fn policy_file(enforced: &Description) -> FileReport {
    let (path, sha256) = (enforced.policy_file.clone(), enforced.policy_sha256.clone());
    let reached = enforced.reached.clone();
    let (sender, compared) = mpsc::sync_channel(1);
    let compare = move || {
        // Nobody may wait for it any more.
        let _ = sender.send(FileReport::compare(Path::new(&path), &sha256, &reached));
    };
    let started = thread::Builder::new()
        .name("policy-file".to_owned())
        .spawn(compare);
    let report = started.ok().and_then(|_| compared.recv_timeout(FILE_TIME).ok());
    report.unwrap_or_else(FileReport::unanswered)
}
