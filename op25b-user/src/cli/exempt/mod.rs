//! `op25b exempt`: exemptions that are added, changed and removed without a new policy.

mod add;
mod answer;
mod export;
mod extend;
mod file;
mod history;
mod import;
mod list;
mod offline;
mod remove;
mod show;
mod table;
mod words;

use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};

/// Adds, changes, removes and shows exemptions at run time. The daemon stores them, and they hold from the moment at which
/// it answers; a restart, a crash or a reload of the policy takes none away. Exemptions of the policy file are shown too,
/// but only an edit of the file changes them.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt add 198.51.100.8/29 --customer 'Example KK' --ticket OPS-1042 --expires 90d
  op25b exempt list --expiring 14d
  op25b exempt list --in 198.51.100.10
  op25b exempt remove 01KAXQ3T5BH6Z8W2N4R7C9D1EF --reason 'contract ended'

Needs root or membership in the group op25b.
Exit codes: 0 done; 1 refused, with the reason; 2 could not be done, for example because no daemon runs.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let a customer's prefixes use the blocked ports.
    Add(add::Args),
    /// List exemptions, of the store and of the policy file.
    List(list::Args),
    /// Show everything about one exemption.
    Show(show::Args),
    /// End an exemption now.
    Remove(remove::Args),
    /// Change when an exemption ends.
    Extend(extend::Args),
    /// Show who changed what, when and why.
    History(history::Args),
    /// Add many exemptions from a file: all of them or none.
    Import(import::Args),
    /// Write exemptions in the form that `import` reads.
    Export(export::Args),
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Add(args) => add::run(args),
        Command::List(args) => list::run(args),
        Command::Show(args) => show::run(args),
        Command::Remove(args) => remove::run(args),
        Command::Extend(args) => extend::run(args),
        Command::History(args) => history::run(args),
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
    }
}
