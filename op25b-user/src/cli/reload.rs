//! `op25b reload`: make the daemon reload its policy file.

use std::{io::Write as _, process::ExitCode};

use clap::Args as ClapArgs;

use super::{EXIT_NO, daemon::block_on, json, paths::Paths, stderr};
use crate::{daemon::client::Client, schema::Schema};

/// Make the daemon reload its policy file.
///
/// The daemon reads the file and enforces it, on all interfaces or on none; the command prints the changes. A
/// policy with errors is refused with its diagnostics, and the previous one stays in force.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b reload --dry-run
  op25b reload
  op25b reload --json | jq .changes.exemptions.added.items

Requires root or membership in the group op25b, and a running daemon (`op25b run`).
Exit codes: 0 reloaded, or with --dry-run the policy is valid; 1 the policy was refused; 2 no daemon \
answered.")]
pub struct Args {
    /// Print the changes without enforcing them. Errors that only loading the policy reveals are not found.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.paths.runtime_dir);
    let answer = block_on(client.reload(args.dry_run))??;
    let mut stdout = anstream::stdout().lock();
    if args.json {
        json::print(Schema::Reload, &answer)?;
    } else {
        stderr::text(format_args!("{}", answer.diagnostics));
        for warning in &answer.warnings {
            stderr::line(format_args!("op25b: {warning}"));
        }
        if let Some(changes) = &answer.changes {
            write!(stdout, "{changes}")?;
        }
        if let Some(why) = &answer.refused {
            stderr::line(format_args!("op25b: {why}"));
        }
    }
    Ok(if answer.refused.is_some() {
        EXIT_NO.into()
    } else {
        ExitCode::SUCCESS
    })
}
