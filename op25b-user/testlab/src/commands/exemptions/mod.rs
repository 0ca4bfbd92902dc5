//! `cargo xtask exemptions`: measures how soon exemptions, pauses and reloads take effect and what an idle daemon takes, and compares
//! store, kernel and list.

mod ask;
mod brake;
mod clients;
mod idle;
mod kills;
mod latency;
mod reload;
mod scene;

use std::{path::Path, process::ExitCode};

use anyhow::ensure;
use clap::Args as ClapArgs;

use crate::{interrupt, lab, runtime};

/// Measure changes of exemptions, reloads and an idle daemon; compare store, kernel and list with many clients at once and after `kill -9`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Runs in network namespaces that are removed afterwards. Requires root and about ten minutes.
Exit codes: 0 no fault; 1 a fault; 2 failed to run.")]
pub struct Args {
    /// A tenth of all steps.
    #[arg(long)]
    short: bool,
}

/// Runs the command.
pub fn run(args: &Args, op25b: &Path) -> anyhow::Result<ExitCode> {
    let lacks = runtime::lacks();
    ensure!(lacks.is_empty(), "this needs {}", lacks.join("; and "));
    interrupt::watch()?;
    lab::remove_stale()?;
    let share = if args.short { 10 } else { 1 };
    let latency = latency::measure(op25b, share)?;
    latency.print();
    reload::print(&reload::measure(op25b)?);
    idle::measure(op25b, share)?.print();
    let clients = clients::all_at_once(op25b, share)?;
    clients.print();
    let kills = kills::between_steps(op25b, share)?;
    kills.print();
    let is_good = clients.is_good() && kills.is_good();
    println!(
        "{}",
        if is_good {
            "Store, kernel and list agree."
        } else {
            "SOMETHING WENT WRONG."
        }
    );
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
