//! `op25b diagnose`: what happens to the packets of an address, a prefix or a customer, why, and what to do.

mod gather;
mod places;
mod source;
mod subject;
#[cfg(test)]
mod tests;
mod text;
mod verdicts;

use std::{io::Write as _, net::IpAddr, process::ExitCode};

use clap::Args as ClapArgs;
use jiff::tz::TimeZone;

use super::{EXIT_NO, EXIT_NOT_RUNNING, json, paths::Paths, problem, table::width};
use crate::{
    api::Problem,
    policy::characters::printable,
    report::{Diagnosis, FilterState},
    schema::Schema,
};

/// Show what happens to the packets of an address or a customer, why, and what to do.
///
/// The verdict on each subscriber interface and in each of its tunnels; the exemptions that are in force, that
/// have ended or were removed, by whom and why; the packets that were counted; what was done to the filter in the
/// last day; faults. The verdict is that of the program in the kernel, with or without a daemon. Of a prefix
/// every part that rules treat differently is asked about, of a customer, a ticket or an exemption each prefix.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b diagnose 198.51.100.10
  op25b diagnose 2001:db8:100::/56
  op25b diagnose 'Example KK'             customers by a part of their names
  op25b diagnose OPS-1042                 a ticket
  op25b diagnose 01KAXQ3T                 an exemption, by the beginning of its id
  op25b diagnose 198.51.100.10 --json | jq -r '.actions[]'

Requires root, or membership in the group op25b-desk and a running daemon.
Exit codes: 0 answered, whatever the verdict; 1 no exemption has this id, ticket or customer; 2 failed; \
3 answered, and no filter enforces here.")]
pub struct Args {
    /// An address, a prefix, the beginning of an exemption's id, a ticket, or a part of a customer's name.
    #[arg(value_name = "WHAT")]
    what: String,
    /// The server's address. The default is a sample address that no relay and no exemption names.
    #[arg(long, value_name = "IP")]
    dst: Option<IpAddr>,
    /// Why the records of the subscribers are read: for the daemon, which records who reads them, if it answers.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(diagnosis) = gather::diagnose(args)? else {
        let problem = Problem::not_found(format!(
            "{} is no address and no prefix, and no exemption has such an id, ticket or customer; \
             `op25b exempt list --all` shows them",
            printable(&args.what)
        ));
        return problem::refuse(&problem, args.json, EXIT_NO);
    };
    if args.json {
        json::print(Schema::Diagnose, &diagnosis)?;
    } else {
        write!(
            anstream::stdout().lock(),
            "{}",
            diagnosis.text(&TimeZone::system(), width())
        )?;
    }
    Ok(exit_code(&diagnosis))
}

fn exit_code(diagnosis: &Diagnosis) -> ExitCode {
    match diagnosis.filter {
        FilterState::Runs => ExitCode::SUCCESS,
        FilterState::None => EXIT_NOT_RUNNING.into(),
    }
}
