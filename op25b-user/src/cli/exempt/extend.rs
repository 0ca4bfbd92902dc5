//! `op25b exempt extend`: change the expiry of an exemption.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::output::{refuse, sent_end, write_exemption, write_verdict};
use crate::{
    api::ExtendExemption,
    cli::{daemon::change, json, paths::Paths, stderr::warn},
    schema::Schema,
};

/// Change the expiry of an exemption.
///
/// The new expiry may be later or earlier. An exemption that has expired applies again.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt extend 01KAXQ3T5BH6Z8W2N4R7C9D1EF --expires 90d     90 days from now
  op25b exempt extend 01KAXQ3T5BH6Z8W2N4R7C9D1EF --expires 2029-03-31 --reason 'contract renewed'

Exit codes: 0 changed; 1 refused, with the reason; 2 failed, for example because no daemon \
runs.")]
pub struct Args {
    /// The exemption's id, as `op25b exempt list` shows it, or a unique beginning of it of at least 4 characters.
    id: String,
    /// The new expiry: a duration from now such as 90d or 6mo (m is minutes), the end of a day such as 2028-03-31, a
    /// time such as 06:00, `2028-03-31 18:00` or 2028-03-31T18:00:00+09:00, or `never`.
    #[arg(long, value_name = "WHEN")]
    expires: String,
    /// The reason, for the history.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let extend = ExtendExemption {
        expires: sent_end(&args.expires),
        reason: args.reason.clone(),
    };
    let extended = match change(&args.paths, async |client| client.extend(&args.id, &extend).await)? {
        Ok(extended) => extended,
        Err(problem) => return refuse(&problem, args.json, None),
    };
    if args.json {
        json::print(Schema::ExemptChange, &extended)?;
    } else {
        warn(&extended.warnings);
        let mut stdout = anstream::stdout().lock();
        write_exemption(&mut stdout, &extended.exemption)?;
        write_verdict(&mut stdout, extended.verdict.as_ref())?;
    }
    Ok(ExitCode::SUCCESS)
}
