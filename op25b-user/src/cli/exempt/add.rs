//! `op25b exempt add`: exempts a customer's prefixes from the block.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::output::{refuse, sent_end, write_exemption, write_verdict};
use crate::{
    api::NewExemption,
    cli::{daemon::change, json, paths::Paths, stderr::warn},
    policy::parse::split_prefixes,
    schema::Schema,
};

/// Add an exemption: allow a customer's prefixes to use the blocked ports.
///
/// The exemption applies when the command returns. Prints its id in the first line, what is stored, and the verdict
/// of the program in the kernel on a connection from its first prefix. Warnings about likely mistakes go to stderr.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt add 198.51.100.8/29 --customer 'Example KK' --ticket OPS-1042
  op25b exempt add 198.51.100.8/29 2001:db8:100:8::/64 --customer 'Example KK' --expires 90d
  op25b exempt add 198.51.100.10 --customer 'Example KK' --dst 192.0.2.25,192.0.2.26
  op25b exempt add 198.51.100.8/29 --customer 'Example KK' --json | jq -r .exemption.id

Exit codes: 0 added; 1 refused, with the reason; 2 failed, for example because no daemon \
runs.")]
pub struct Args {
    /// The customer's source prefixes or addresses, separated by blanks, commas or semicolons.
    #[arg(required = true, value_name = "PREFIX")]
    prefixes: Vec<String>,
    /// The customer's name.
    #[arg(long, value_name = "NAME")]
    customer: String,
    /// The ticket in which it was agreed.
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,
    /// A comment.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// When it expires: after a duration such as 90d or 6mo (m is minutes), at the end of a day such as 2028-03-31,
    /// at a time such as 06:00, `2028-03-31 18:00` or 2028-03-31T18:00:00+09:00, or `never`.
    #[arg(long, value_name = "WHEN", default_value = "never")]
    expires: String,
    /// Allow this destination only; separate several with commas, semicolons or blanks, or repeat the option.
    #[arg(long = "dst", alias = "dest", value_name = "PREFIX")]
    destinations: Vec<String>,
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
    let exemption = NewExemption {
        customer: args.customer.clone(),
        prefixes: split(&args.prefixes),
        destinations: split(&args.destinations),
        ticket: args.ticket.clone(),
        note: args.note.clone(),
        expires: Some(sent_end(&args.expires)),
        force: args.force,
    };
    let added = match change(&args.paths, async |client| client.add(&exemption).await)? {
        Ok(added) => added,
        Err(problem) => return refuse(&problem, args.json, None),
    };
    if args.json {
        json::print(Schema::ExemptChange, &added)?;
    } else {
        warn(&added.warnings);
        let mut stdout = anstream::stdout().lock();
        write_exemption(&mut stdout, &added.exemption)?;
        write_verdict(&mut stdout, added.verdict.as_ref())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The prefixes in arguments. They are split together: a shell splits `198.51.100.40 255.255.255.248` too.
fn split(arguments: &[String]) -> Vec<String> {
    split_prefixes(&arguments.join(" ")).map(str::to_owned).collect()
}
