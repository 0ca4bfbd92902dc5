//! `cargo xtask soak`: sends traffic through a filter during reloads, crashes, upgrades and churn.

use std::{path::Path, process::ExitCode};

use anyhow::ensure;
use clap::Args as ClapArgs;

use crate::{interrupt, lab, runtime, soak::soak};

/// Send blocked and allowed traffic through a filter during reloads, crashes, upgrades and interface changes, and count
/// packets with a wrong verdict.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Runs in network namespaces that are removed afterwards. Requires root.
Exit codes: 0 no fault; 1 a fault; 2 failed to run.")]
pub struct Args {
    /// A tenth of all steps, within a minute.
    #[arg(long)]
    short: bool,
}

/// Runs the command.
pub fn run(args: &Args, op25b: &Path) -> anyhow::Result<ExitCode> {
    let lacks = runtime::lacks();
    ensure!(lacks.is_empty(), "the soak needs {}", lacks.join("; and "));
    interrupt::watch()?;
    lab::remove_stale()?;
    let outcome = soak(op25b, if args.short { 10 } else { 1 })?;
    outcome.print();
    Ok(if outcome.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
