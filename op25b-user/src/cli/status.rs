//! `op25b status`: show the running filters, as the kernel reports them.

use std::{io::Write as _, process::ExitCode};

use clap::Args as ClapArgs;
use jiff::tz::TimeZone;
use tokio::time::timeout;

use super::{EXIT_NOT_RUNNING, daemon::block_on, json, paths::Paths};
use crate::{
    daemon::{client::Client, control::PROMPT},
    report::{DaemonReport, Enforcement, EnforcementStatus, State, Status, status},
    schema::Schema,
    time::show,
};

/// Show the filters of this network namespace, and their packet counters.
///
/// For each filter: XDP mode, pools, exemptions, packets by reason, and whether a daemon keeps it up to date.
/// The data is read from the kernel, so it does not matter which process loaded the filter, nor whether it
/// still runs. Without the permission for that, it is what the daemon reports at its control socket.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b status
  op25b status --json | jq '.filters[0].counters.blocked'

Requires root (CAP_SYS_ADMIN), which the kernel demands for opening other processes' maps, or membership in \
the group op25b and a running daemon.
Exit codes: 0 at least one filter enforces, with or without a daemon; 2 failed; 3 no filter \
enforces.")]
pub struct Args {
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let status = block_on(read_status(&args.paths))??;
    let mut stdout = anstream::stdout().lock();
    if args.json {
        json::print(Schema::Status, &status)?;
    } else {
        write!(stdout, "{}", text(&status))?;
    }
    Ok(if status.filters.is_empty() && status.unreadable.is_empty() {
        EXIT_NOT_RUNNING.into()
    } else {
        ExitCode::SUCCESS
    })
}

/// The status from the kernel and, if a daemon runs, its last reload, its faults and its count of exemptions. Without
/// permission to read the kernel, all that the daemon reports.
async fn read_status(paths: &Paths) -> anyhow::Result<Status> {
    let client = Client::new(&paths.runtime_dir);
    // Without permission to ask the daemon, or if it hangs, the status from the kernel is shown all the same.
    let ask = async || timeout(PROMPT, client.status()).await.ok()?.ok();
    let mut status = match status(&paths.bpffs).await {
        Ok(status) => status,
        Err(error) => match ask().await {
            Some(report) => return Ok(reported(report)),
            None => {
                return Err(anyhow::Error::new(error)
                    .context("no daemon answers that reports it to members of the group op25b"));
            }
        },
    };
    // One whose pins are out of sight, in another mount namespace or removed, is known by its filter.
    let loaded_by: Vec<_> = status.filters.iter().map(|filter| filter.pid).collect();
    if status.daemon.is_some() || !loaded_by.is_empty() {
        let report = ask().await;
        let report =
            report.filter(|report| Some(report.pid) == status.daemon || loaded_by.contains(&report.pid));
        if let Some(report) = report {
            let filters = status.filters.iter_mut();
            for filter in filters.filter(|filter| filter.state == State::Enforcing) {
                filter.last_reload.clone_from(&report.last_reload);
                if let Some(reported) = &report.filter {
                    filter.exemptions = reported.exemptions;
                }
            }
            // It knows why the filter does not run where it should.
            status.enforcement = Some(EnforcementStatus {
                state: Enforcement::of(&report.interfaces),
                interfaces: report.interfaces,
            });
            status.faults = report.faults;
        }
    }
    Ok(status)
}

/// The status as the daemon reports it.
fn reported(report: DaemonReport) -> Status {
    Status {
        state: match &report.filter {
            Some(filter) => filter.state,
            None => State::NotEnforcing,
        },
        daemon: Some(report.pid),
        enforcement: Some(EnforcementStatus {
            state: Enforcement::of(&report.interfaces),
            interfaces: report.interfaces,
        }),
        elsewhere: None,
        filters: report.filter.into_iter().collect(),
        unreadable: Vec::new(),
        faults: report.faults,
    }
}

/// Where the policy is not enforced, and why.
fn unenforced(status: &Status) -> String {
    let Some(enforcement) = &status.enforcement else {
        return String::new();
    };
    if enforcement.state == Enforcement::Enforced {
        return String::new();
    }
    let interfaces = enforcement.interfaces.iter();
    let reasons = interfaces.filter_map(|interface| {
        let why = interface.why.as_ref()?;
        Some(format!("  {:<10}  {why}\n", interface.name))
    });
    Enforcement::in_words(&enforcement.interfaces) + "\n" + &reasons.collect::<String>()
}

fn text(status: &Status) -> String {
    unenforced(status) + &filters(status)
}

fn filters(status: &Status) -> String {
    if status.filters.is_empty() && status.unreadable.is_empty() {
        let daemon = match (&status.elsewhere, status.daemon) {
            (Some(elsewhere), daemon) => format!(
                "; the one that is pinned runs in another, {}, on {} ({})",
                elsewhere.network_namespace,
                elsewhere.interfaces.join(", "),
                daemon.map_or_else(|| "no daemon runs".into(), |pid| format!("daemon: process {pid}"))
            ),
            (None, Some(pid)) => format!("; the daemon, process {pid}, waits for interfaces"),
            (None, None) => String::new(),
        };
        return format!(
            "no op25b filter is running on the interfaces of this network namespace{daemon}\n{}",
            faults(status)
        );
    }
    let texts = status.filters.iter().map(ToString::to_string);
    let texts = texts.chain(status.unreadable.iter().map(ToString::to_string));
    texts.collect::<Vec<_>>().join("\n") + &warnings(status) + &faults(status)
}

/// What an operator should change on the interfaces on which the filter runs, each in a line of its own.
fn warnings(status: &Status) -> String {
    let interfaces = status
        .enforcement
        .iter()
        .flat_map(|enforcement| &enforcement.interfaces);
    let lines = interfaces.flat_map(|interface| {
        let refused = interface.native_refused.iter().map(|why| {
            format!("runs in generic mode, which is several times slower, as native mode was refused: {why}")
        });
        let warnings = refused.chain(interface.warnings.iter().cloned());
        warnings.map(|warning| format!("WARNING {}: {warning}\n", interface.name))
    });
    lines.collect()
}

/// The faults that the daemon reports, each in a line of its own.
fn faults(status: &Status) -> String {
    let faults = status.faults.iter();
    let lines = faults.map(|fault| {
        let since = show::instant(fault.since, &TimeZone::system());
        format!("FAULT {} since {since}: {}\n", fault.kind.name(), fault.message)
    });
    lines.collect()
}
