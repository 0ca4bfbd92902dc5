//! `op25b exempt restore`: puts a removed exemption in force again.

use std::{io::Write as _, process::ExitCode};

use clap::Args as ClapArgs;

use super::output::{refuse, sent_end, write_exemption, write_verdict};
use crate::{
    api::RestoreExemption,
    cli::{daemon::change, json, paths::Paths, stderr::warn},
    schema::Schema,
};

/// Put a removed exemption in force again, with its terms.
///
/// It applies when the command returns. It is checked as a new one is: against the pools, and against the
/// exemptions of other customers that were added since. One that has ended is not removed: `op25b exempt extend`
/// brings it back.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt list --all --customer 'Example KK'          removed ones, too
  op25b exempt restore 01KAXQ3T5BH6Z8W2N4R7C9D1EF
  op25b exempt restore 01KAXQ3T --expires 90d --reason 'removed by mistake'

Exit codes: 0 restored; 1 refused, with the reason; 2 failed, for example because no daemon \
runs.")]
pub struct Args {
    /// The exemption's id, or a unique beginning of it of at least 4 characters.
    id: String,
    /// A new expiry, as of `op25b exempt add`. By default it ends when it did before its removal.
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// The reason, for the history.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Skip the pool and prefix-width checks.
    #[arg(long)]
    force: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let restore = RestoreExemption {
        expires: args.expires.as_deref().map(sent_end),
        reason: args.reason.clone(),
        force: args.force,
    };
    let restored = match change(&args.paths, async |client| {
        client.restore(&args.id, &restore).await
    })? {
        Ok(restored) => restored,
        Err(problem) => return refuse(&problem, args.json, None),
    };
    if args.json {
        json::print(Schema::ExemptChange, &restored)?;
        return Ok(ExitCode::SUCCESS);
    }
    warn(&restored.warnings);
    let mut stdout = anstream::stdout().lock();
    write!(stdout, "restored ")?;
    write_exemption(&mut stdout, &restored.exemption)?;
    write_verdict(&mut stdout, restored.verdict.as_ref())?;
    Ok(ExitCode::SUCCESS)
}
