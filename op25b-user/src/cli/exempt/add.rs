//! `op25b exempt add`: let a customer's prefixes use the blocked ports.

use std::{io::Write as _, process::ExitCode};

use clap::Args as ClapArgs;

use super::answer::{change, print_json, refuse, verdict, warn};
use crate::{api::NewExemption, cli::places::Places};

/// Adds an exemption, which holds when this ends. Prints its id and what the program in the kernel now does with a
/// connection from it; what is probably not what was meant goes to stderr.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt add 198.51.100.8/29 --customer 'Example KK' --ticket OPS-1042
  op25b exempt add 198.51.100.8/29 2001:db8:100:8::/64 --customer 'Example KK' --expires 90d
  op25b exempt add 198.51.100.10 --customer 'Example KK' --dest 192.0.2.25,192.0.2.26 --expires 2028-03-31
  op25b exempt add 198.51.100.8/29 --customer 'Example KK' --json | jq -r .exemption.id

Exit codes: 0 added; 1 refused, with the reason; 2 could not be done, for example because no daemon runs.")]
pub struct Args {
    /// The customer's source prefixes; an address is a prefix of its own.
    #[arg(required = true, value_name = "PREFIX")]
    prefixes: Vec<String>,
    /// Who it is.
    #[arg(long, value_name = "NAME")]
    customer: String,
    /// The ticket that asked for it.
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,
    /// Anything else worth knowing.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// When it ends: after a time such as 90d, with a day such as 2028-03-31, at a time such as
    /// 2028-03-31T18:00:00+09:00, or never.
    #[arg(long, value_name = "WHEN", default_value = "never")]
    expires: String,
    /// Where they may connect to, instead of everywhere; several with commas between, or given again.
    #[arg(long = "dest", value_name = "PREFIX", value_delimiter = ',')]
    destinations: Vec<String>,
    /// Also if a prefix is in no pool, or wider than may be exempted at once.
    #[arg(long)]
    force: bool,
    /// One JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    places: Places,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let exemption = NewExemption {
        customer: args.customer.clone(),
        prefixes: args.prefixes.clone(),
        destinations: args.destinations.clone(),
        ticket: args.ticket.clone(),
        note: args.note.clone(),
        expires: Some(args.expires.clone()),
        force: args.force,
    };
    let added = match change(&args.places, async |client| client.add(&exemption).await)? {
        Ok(added) => added,
        Err(problem) => return refuse(&problem, args.json, None),
    };
    if args.json {
        print_json(&added)?;
    } else {
        warn(&added.warnings);
        let mut stdout = anstream::stdout().lock();
        writeln!(stdout, "{}", added.exemption.id)?;
        writeln!(stdout, "  {}", verdict(&added.verdict))?;
    }
    Ok(ExitCode::SUCCESS)
}
