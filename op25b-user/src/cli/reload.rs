//! `op25b reload`: make the daemon reload its policy file.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Args as ClapArgs;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{EXIT_NO, daemon::change_with, json, paths::Paths, progress::Progress, stderr};
use crate::{
    daemon::client::Reload,
    report::{ReloadAnswer, ReloadResult},
    schema::Schema,
    time::{Reader, TimeError},
};

/// Make the daemon reload its policy file.
///
/// The daemon reads the file and enforces it, on all interfaces or on none. The first line says whether it did: `reloaded`, or
/// `REFUSED` with the reason, and then the previous policy stays in force. The changes follow.
///
/// With `--confirm` the daemon goes back to the previous policy by itself unless `op25b confirm` comes in time, also if it is
/// restarted meanwhile. A further `op25b reload` without `--confirm` confirms, too.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b reload --dry-run
  op25b reload
  op25b reload --confirm 5m                then, if mail still flows: op25b confirm
  op25b reload --json | jq .changes.exemptions.added.items

Requires root or membership in the group op25b, and a running daemon (`op25b run`).
Exit codes: 0 reloaded, or with --dry-run the policy would be; 1 the policy was refused; 2 no daemon answered.")]
pub struct Args {
    /// Print the changes and whom they block or set free, without enforcing them. This host's interfaces are examined, too. Errors
    /// that only loading the policy reveals are not found.
    #[arg(long)]
    dry_run: bool,
    /// Go back to the present policy unless `op25b confirm` comes within this time, such as 90s, 5m or 2h.
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "10m", conflicts_with = "dry_run", value_parser = confirmation)]
    confirm: Option<SignedDuration>,
    /// With --dry-run: subscribers count whose last attempt is not older than this, such as 1h, 7d or 2026-11-28.
    #[arg(long, value_name = "WHEN", requires = "dry_run", default_value = "24h", value_parser = since)]
    since: Timestamp,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

fn since(text: &str) -> Result<Timestamp, TimeError> {
    Reader::new(Timestamp::now(), &TimeZone::system()).beginning(text)
}

fn confirmation(text: &str) -> Result<SignedDuration, TimeError> {
    Reader::new(Timestamp::now(), &TimeZone::system()).duration(text)
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let reload = Reload {
        dry_run: args.dry_run,
        confirm_within: args.confirm,
        since: args.dry_run.then_some(args.since),
    };
    let progress = Progress::of("the daemon reads and compares the policy");
    let mut answer = match change_with(progress, &args.paths, async |client| client.reload(&reload).await)? {
        Ok(answer) => answer,
        Err(problem) => return Err((*problem).into()),
    };
    answer.conclude();
    if args.json {
        json::print(Schema::Reload, &answer)?;
    } else {
        // What did not happen is not a result, and does not get lost where only results are kept.
        let is_refused = answer.result == ReloadResult::Refused;
        if is_refused {
            stderr::line(answer.headline());
        } else {
            writeln!(anstream::stdout().lock(), "{}", answer.headline())?;
        }
        stderr::text(format_args!("{}", answer.diagnostics));
        for warning in &answer.warnings {
            stderr::line(format_args!("op25b: {warning}"));
        }
        write_effects(&mut anstream::stdout().lock(), &answer)?;
    }
    Ok(if answer.refused.is_some() {
        EXIT_NO.into()
    } else {
        ExitCode::SUCCESS
    })
}

/// Writes what changed or would change, and until when that must be confirmed.
fn write_effects(out: &mut impl Write, answer: &ReloadAnswer) -> io::Result<()> {
    match &answer.unconfirmed {
        // Of what is in force, and not of the file.
        Some(unconfirmed) if answer.result != ReloadResult::Reloaded => {
            writeln!(out, "the policy in force is {unconfirmed}")?;
            if answer.result == ReloadResult::WouldReload {
                writeln!(out, "  `op25b reload` confirms the file's, and does not go back")?;
            }
        }
        Some(unconfirmed) => writeln!(out, "{unconfirmed}")?,
        None => {}
    }
    // The first line says that nothing changes.
    if let Some(changes) = answer.changes.as_ref().filter(|changes| !changes.is_empty()) {
        if let Some(heading) = answer.changes_heading() {
            writeln!(out, "{heading}")?;
        }
        write!(out, "{changes}")?;
    }
    match &answer.impact {
        Some(impact) => write!(out, "{impact}"),
        None => Ok(()),
    }
}
