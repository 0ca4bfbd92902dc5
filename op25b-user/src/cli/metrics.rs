//! `op25b metrics`: what the daemon tells a monitoring system.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use clap::Args as ClapArgs;

use super::places::Places;
use crate::daemon::client;

/// Prints the daemon's metrics in Prometheus's text format, as its control socket answers `GET /v1/metrics`: for the
/// textfile collector of Prometheus's node exporter, or to look at.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b metrics | grep blocked
  op25b metrics > /var/lib/node_exporter/op25b.prom.new && mv /var/lib/node_exporter/op25b.prom.new \\
    /var/lib/node_exporter/op25b.prom

Needs root or membership in the group op25b, and a running daemon (`op25b run`).
Exit codes: 0 printed; 2 no daemon could be asked.")]
pub struct Args {
    #[command(flatten)]
    places: Places,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let text = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?
        .block_on(client::metrics(&args.places.runtime_dir))?;
    anstream::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
