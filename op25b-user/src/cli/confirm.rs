//! `op25b confirm`: confirm a reload, so that it is not taken back.

use std::{io::Write as _, process::ExitCode};

use clap::Args as ClapArgs;

use super::{
    EXIT_FAILED, EXIT_NO,
    daemon::{Response, ask},
    json,
    paths::Paths,
    problem, stderr,
};
use crate::schema::Schema;

/// Confirm a reload, so that it is not taken back.
///
/// After `op25b reload --confirm TIME` the daemon goes back to the policy before unless this command comes in time. The
/// policy is the last good one from then on, and survives restarts.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b reload --confirm 5m && probe-mail && op25b confirm

Requires root or membership in the group op25b, and a running daemon (`op25b run`).
Exit codes: 0 confirmed; 1 no reload waits for a confirmation; 2 failed, for example because no daemon runs.")]
pub struct Args {
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let confirmed = match ask(&args.paths, async |client| client.confirm().await)? {
        Response::Done(confirmed) => confirmed,
        Response::Refused(problem) => {
            let is_failure = problem.status >= 500;
            let code = if is_failure { EXIT_FAILED } else { EXIT_NO };
            return problem::refuse(&problem, args.json, code);
        }
        Response::NoDaemon => anyhow::bail!(
            "no daemon answers, so nothing was confirmed: a start takes an unconfirmed reload back once its time is over"
        ),
    };
    if args.json {
        json::print(Schema::Confirm, &confirmed)?;
    } else {
        for warning in &confirmed.warnings {
            stderr::line(format_args!("op25b: {warning}"));
        }
        writeln!(anstream::stdout().lock(), "{confirmed}")?;
    }
    Ok(ExitCode::SUCCESS)
}
