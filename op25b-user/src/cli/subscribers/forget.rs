//! `op25b subscribers forget`: has what is recorded of an address or a prefix removed.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use crate::{
    api::ForgetSubscribers,
    cli::{daemon::change, forgotten, paths::Paths},
};

/// Remove what is recorded of a subscriber, or of all in a prefix.
///
/// When the command returns, it is gone from the maps of the kernel, the history, the sessions and what `op25b stop --detach` wrote. What
/// the program counts later begins a new record. Nothing that is blocked changes. Who had it removed, when and why is in the record of
/// operations, with a digest in place of the address.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b subscribers forget 198.51.100.20 --reason 'OPS-1207: request of the customer'
  op25b subscribers forget 2001:db8:100::/40 --older 30d --reason 'pool is enforced'

Requires root or membership in the group op25b, and a running daemon.
Exit codes: 0 removed, or there was nothing; 1 refused, with the reason; 2 failed, for example because no daemon runs.")]
pub struct Args {
    /// The address of a subscriber, or a prefix with all that are in it.
    #[arg(value_name = "PREFIX")]
    prefix: String,
    /// Only records and rows whose last packet, and sessions that were seen last, longer ago than this, such as 90d.
    #[arg(long, value_name = "TIME")]
    older: Option<String>,
    /// The reason, for the record of operations. Do not name the address in it: the record is kept for a year.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let request = ForgetSubscribers {
        prefix: args.prefix.clone(),
        older: args.older.clone(),
        reason: args.reason.clone(),
    };
    forgotten::print(change(&args.paths, async |client| {
        client.forget_subscribers(&request).await
    })?)
}
