//! `op25b sessions`: import, list and forget which customer had which address, and when.

mod forget;
mod import;
mod list;
pub(super) mod text;

use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};

use super::problem;
use crate::api::Problem;

/// Import, list and forget which customer had which address, and when.
///
/// An address of a dynamic pool is handed from customer to customer. Logs of assignments say whose it was: they are imported
/// from RADIUS accounting, from a DHCP server or from a table, and the daemon keeps them. Activity is attributed to a customer
/// only if nobody else can have had the address.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b sessions import /var/log/freeradius/radacct/192.0.2.1/detail-20260331
  op25b sessions import --format kea /var/lib/kea/kea-leases4.csv
  op25b sessions list --at '2026-03-31 03:12' --in 198.51.100.7
  op25b sessions forget alice@example.net --reason 'OPS-1207: contract ended'

Requires root or membership in the group op25b, to list op25b-desk.
Exit codes: 0 done; 1 refused, with the reason; 2 failed, for example because no daemon runs.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Import(import::Args),
    List(list::Args),
    Forget(forget::Args),
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Import(args) => import::run(args),
        Command::List(args) => list::run(args),
        Command::Forget(args) => forget::run(args),
    }
}

/// Prints why a request was refused.
fn refuse(problem: &Problem, is_json: bool) -> anyhow::Result<ExitCode> {
    problem::refuse_rows(problem, is_json, |row| format!("session {}", row.line))
}
