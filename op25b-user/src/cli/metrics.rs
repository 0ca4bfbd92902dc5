//! `op25b metrics`: print the daemon's metrics.

use std::{io::Write as _, process::ExitCode};

use clap::Args as ClapArgs;

use super::{daemon::block_on, paths::Paths};
use crate::daemon::client::Client;

/// Print the daemon's metrics in Prometheus's text format.
///
/// The output is the same as that of `GET /v1/metrics` at the control socket. A use is the textfile collector
/// of Prometheus's node exporter, which requires that a file is replaced by renaming.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b metrics | grep blocked
  op25b metrics > op25b.prom.new && mv op25b.prom.new op25b.prom    for the node exporter

Requires root or membership in the group op25b, and a running daemon (`op25b run`).
Exit codes: 0 printed; 2 no daemon answered.")]
pub struct Args {
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let text = block_on(Client::new(&args.paths.runtime_dir).metrics())??;
    anstream::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
