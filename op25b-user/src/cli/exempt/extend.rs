//! `op25b exempt extend`: change the expiry of an exemption.

use std::{io::Write as _, process::ExitCode};

use clap::Args as ClapArgs;
use jiff::{Timestamp, tz::TimeZone};

use super::{
    output::{refuse, warn, write_verdict},
    words,
};
use crate::{
    api::ExtendExemption,
    cli::{daemon::change, json, paths::Paths},
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
    /// The new expiry: a duration from now such as 90d, the end of a day such as 2028-03-31, a time such as
    /// 2028-03-31T18:00:00+09:00, or `never`.
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
        expires: args.expires.clone(),
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
        let end = words::end_from(
            Timestamp::now(),
            extended.exemption.terms.expires_at,
            &TimeZone::system(),
        );
        writeln!(
            stdout,
            "{} ({}) ends {end}",
            extended.exemption.id,
            words::printable(&extended.exemption.terms.customer)
        )?;
        write_verdict(&mut stdout, extended.verdict.as_ref())?;
    }
    Ok(ExitCode::SUCCESS)
}
