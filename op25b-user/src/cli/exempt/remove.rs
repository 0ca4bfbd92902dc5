//! `op25b exempt remove`: remove an exemption.

use std::{io::Write as _, process::ExitCode};

use clap::Args as ClapArgs;

use super::{
    output::{refuse, warn, write_verdict},
    words,
};
use crate::{
    cli::{daemon::change, json, paths::Paths},
    schema::Schema,
};

/// Remove an exemption.
///
/// It no longer applies when the command returns. The record stays in the store, with the user, time and
/// reason of the removal. An exemption of the policy file is removed by editing the file.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt remove 01KAXQ3T5BH6Z8W2N4R7C9D1EF --reason 'contract ended'

Exit codes: 0 removed; 1 refused, with the reason; 2 failed, for example because no daemon \
runs.")]
pub struct Args {
    /// The exemption's id, as `op25b exempt list` shows it, or a unique beginning of it of at least 4 characters.
    id: String,
    /// The reason, for the history.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let removed = match change(&args.paths, async |client| {
        client.remove(&args.id, &args.reason).await
    })? {
        Ok(removed) => removed,
        Err(problem) => return refuse(&problem, args.json, None),
    };
    if args.json {
        json::print(Schema::ExemptChange, &removed)?;
    } else {
        warn(&removed.warnings);
        let mut stdout = anstream::stdout().lock();
        writeln!(
            stdout,
            "removed {} ({}): {}",
            removed.exemption.id,
            words::printable(&removed.exemption.terms.customer),
            words::nets(&removed.exemption.terms.prefixes, ", ")
        )?;
        write_verdict(&mut stdout, removed.verdict.as_ref())?;
    }
    Ok(ExitCode::SUCCESS)
}
