//! `op25b exempt`: add, change, remove and list exemptions at run time.

mod add;
mod export;
mod extend;
mod history;
mod import;
mod list;
mod offline;
mod output;
mod remove;
mod remove_many;
mod restore;
mod show;
pub(super) mod table;
mod words;

pub(super) use self::offline::Offline;

use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};

/// Add, change, remove and list exemptions at run time.
///
/// The daemon stores them, and they apply from the moment at which it answers; they survive restarts, crashes
/// and reloads. Exemptions of the policy file are listed too, but are changed only by editing the file.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt add 198.51.100.8/29 --customer 'Example KK' --ticket OPS-1042 --expires 90d
  op25b exempt list --expiring 14d
  op25b exempt list --src 198.51.100.10
  op25b exempt remove 01KAXQ3T5BH6Z8W2N4R7C9D1EF --reason 'contract ended'

Requires root or membership in the group op25b.
Exit codes: 0 done; 1 refused, with the reason; 2 failed, for example because no daemon runs.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(add::Args),
    List(list::Args),
    Show(show::Args),
    Remove(remove::Args),
    Restore(restore::Args),
    Extend(extend::Args),
    History(history::Args),
    Import(import::Args),
    Export(export::Args),
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Add(args) => add::run(args),
        Command::List(args) => list::run(args),
        Command::Show(args) => show::run(args),
        Command::Remove(args) => remove::run(args),
        Command::Restore(args) => restore::run(args),
        Command::Extend(args) => extend::run(args),
        Command::History(args) => history::run(args),
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
    }
}
