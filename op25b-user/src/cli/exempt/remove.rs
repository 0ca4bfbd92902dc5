//! `op25b exempt remove`: removes exemptions.

use std::{io::Write as _, process::ExitCode};

use clap::{ArgGroup, Args as ClapArgs};

use super::{
    output::{refuse, write_verdict},
    remove_many, words,
};
use crate::{
    api::RemoveExemptions,
    cli::{daemon::change, json, paths::Paths, stderr::warn},
    schema::Schema,
};

/// Remove an exemption, or all of an import or with a prefix.
///
/// They no longer apply when the command returns. The records stay in the store, with the user, time and reason
/// of the removal, and `op25b exempt restore` brings one back. An exemption of the policy file is removed by editing
/// the file. With --batch and --prefix all are removed, or none.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt remove 01KAXQ3T5BH6Z8W2N4R7C9D1EF --reason 'contract ended'
  op25b exempt remove --batch 01KAXQ3T --dry-run           what an import has added
  op25b exempt remove --batch 01KAXQ3T --reason 'wrong file'
  op25b exempt remove --prefix 198.51.100.8/29 --reason 'line cancelled'

Exit codes: 0 removed; 1 refused, with the reason; 2 failed, for example because no daemon \
runs.")]
#[command(group(ArgGroup::new("which").required(true).args(["id", "batch", "prefix"])))]
pub struct Args {
    /// The exemption's id, as `op25b exempt list` shows it, or a unique beginning of it of at least 4 characters.
    id: Option<String>,
    /// All that this import added: its id, as `op25b exempt import` and `show` print it, or a unique beginning of it.
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// Those that have exactly this prefix.
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// The reason, for the history.
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    reason: Option<String>,
    /// Print what would be removed without doing it.
    #[arg(long, conflicts_with = "id")]
    dry_run: bool,
    /// Do not ask whether to remove several exemptions, or one that has other prefixes as well.
    #[arg(long, short)]
    yes: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (Some(id), Some(reason)) = (&args.id, &args.reason) else {
        return remove_many::run(remove_many::Options {
            remove: RemoveExemptions {
                batch: args.batch.clone(),
                prefix: args.prefix.clone(),
                reason: args.reason.clone(),
                dry_run: args.dry_run,
                expected: None,
            },
            yes: args.yes,
            json: args.json,
            paths: &args.paths,
        });
    };
    let removed = match change(&args.paths, async |client| client.remove(id, reason).await)? {
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
