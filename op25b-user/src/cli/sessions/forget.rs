//! `op25b sessions forget`: has a customer removed, with what was done in the sessions.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use crate::{
    api::ForgetCustomer,
    cli::{daemon::change, forgotten, paths::Paths},
};

/// Remove a customer: the sessions, what was done in them, and the notices.
///
/// When the command returns, they are gone from the sessions, the history and the record of notices; and records in the kernel that have
/// counted in a session of the customer are gone as a whole, as they cannot be divided. A session without an end lasts until the address
/// is another customer's. Exemptions stay: they say why port 25 is open. Who had the customer removed, when and why is in the record of
/// operations, with a digest in place of the name.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b sessions forget alice@example.net --reason 'OPS-1207: contract ended'

Requires root or membership in the group op25b, and a running daemon.
Exit codes: 0 removed, or there was nothing; 1 refused, with the reason; 2 failed, for example because no daemon runs.")]
pub struct Args {
    /// The customer, by the whole name as `op25b sessions list` has it.
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    /// The reason, for the record of operations. Do not name the customer in it: the record is kept for a year.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let request = ForgetCustomer {
        customer: args.customer.clone(),
        reason: args.reason.clone(),
    };
    forgotten::print(change(&args.paths, async |client| {
        client.forget_customer(&request).await
    })?)
}
