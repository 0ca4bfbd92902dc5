//! `op25b subscribers forget`: has the records of an address or a prefix removed.

use std::{io::Write as _, process::ExitCode};

use clap::Args as ClapArgs;

use crate::{
    api::ForgetSubscribers,
    cli::{EXIT_FAILED, EXIT_NO, daemon::change, paths::Paths, problem},
    counted::counted,
};

/// Remove the records of a subscriber, or of all in a prefix.
///
/// They are gone from the maps of the kernel and from what `op25b stop --detach` wrote when the command returns. What the program counts
/// later begins a new record. Nothing that is blocked changes. Who had them removed, when and why is in the record of operations, with a
/// digest in place of the address.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b subscribers forget 198.51.100.20 --reason 'OPS-1207: request of the customer'
  op25b subscribers forget 2001:db8:100::/40 --older 30d --reason 'pool is enforced'

Requires root or membership in the group op25b, and a running daemon.
Exit codes: 0 removed, or there were none; 1 refused, with the reason; 2 failed, for example because no daemon runs.")]
pub struct Args {
    /// The address of a subscriber, or a prefix with all that are in it.
    #[arg(value_name = "PREFIX")]
    prefix: String,
    /// Only those whose last packet is older than this, such as 90d.
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
    let forgotten = match change(&args.paths, async |client| {
        client.forget_subscribers(&request).await
    })? {
        Ok(forgotten) => forgotten,
        // A 5xx is a failure of the daemon or the kernel, not of the request.
        Err(problem) if problem.status >= 500 => return problem::refuse(&problem, false, EXIT_FAILED),
        Err(problem) => return problem::refuse(&problem, false, EXIT_NO),
    };
    let count = |count: u64, what| counted(usize::try_from(count).unwrap_or(usize::MAX), what);
    let mut stdout = anstream::stdout();
    writeln!(
        stdout,
        "removed {} from the kernel",
        count(forgotten.records, "record")
    )?;
    if forgotten.rows > 0 {
        let rows = count(forgotten.rows, "row");
        writeln!(stdout, "removed {rows} from what was kept of detached filters")?;
    }
    writeln!(stdout, "recorded with the digest {}", forgotten.digest)?;
    Ok(ExitCode::SUCCESS)
}
