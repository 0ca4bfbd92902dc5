//! `op25b status`: what is being enforced here, asked of the kernel alone.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use clap::Args as ClapArgs;

use super::EXIT_NOT_RUNNING;
use crate::observe::{Status, status};

/// Shows every op25b filter on the interfaces of this network namespace: XDP mode, pools, exemptions and packets
/// by reason. The kernel is asked, so it does not matter which process loaded the filter.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b status
  op25b status --json | jq '.filters[0].counters.blocked'

Needs root (CAP_SYS_ADMIN), as the kernel asks for it to open other processes' maps.
Exit codes: 0 at least one filter is running; 2 the kernel could not be asked; 3 no filter is running.")]
pub struct Args {
    /// One JSON document instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let status = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?
        .block_on(status())?;
    let mut stdout = anstream::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut stdout, &status)?;
        writeln!(stdout)?;
    } else {
        write!(stdout, "{}", text(&status))?;
    }
    Ok(if status.filters.is_empty() {
        EXIT_NOT_RUNNING.into()
    } else {
        ExitCode::SUCCESS
    })
}

fn text(status: &Status) -> String {
    if status.filters.is_empty() {
        return "no op25b filter is running on the interfaces of this network namespace\n".into();
    }
    status
        .filters
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
