//! `op25b exempt list`: lists exemptions.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{
    offline::Offline,
    output::refuse,
    table::{COLUMNS, Reader},
};
use crate::{
    api::Exemption,
    cli::{
        daemon::{Response, ask},
        json,
        paths::Paths,
        stderr,
        subscribers::prefix,
        table::{self, Sort, TableOptions},
    },
    daemon::client::Listing,
    schema::Schema,
    time::{self, TimeError},
};

/// List the exemptions that apply, of the policy file and of the store.
///
/// Without a daemon the store's file is read and, as root, the file of the policy that is enforced.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt list
  op25b exempt list --customer example --all
  op25b exempt list --ticket OPS-1042
  op25b exempt list --expiring 14d
  op25b exempt list --src 198.51.100.10         exemptions of this address
  op25b exempt list -o wide --sort ends,customer
  op25b exempt list --json | jq -r '.exemptions[] | [.id, .customer] | @tsv'

Exit codes: 0 listed, also if the list is empty; 1 refused, with the reason; 2 failed.")]
pub struct Args {
    /// Only exemptions with this in the customer's name; capitals count if it has any.
    #[arg(long, value_name = "TEXT")]
    customer: Option<String>,
    /// Only exemptions with this in the ticket.
    #[arg(long, value_name = "TEXT")]
    ticket: Option<String>,
    /// Only exemptions with this in the note.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Only exemptions that this import added: its id, or a unique beginning of it of at least 4 characters.
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// Only exemptions that expire within this time, such as 12h, 14d or 2mo, or up to a date or time such as 2028-03-31.
    #[arg(long, value_name = "TIME", value_parser = time)]
    expiring: Option<String>,
    /// Only exemptions with a prefix that overlaps this prefix or address.
    #[arg(long = "src", alias = "in", value_name = "PREFIX", value_parser = prefix)]
    within: Option<IpNet>,
    /// Include expired and removed exemptions.
    #[arg(long)]
    all: bool,
    /// Sort by these columns, separated by commas; `-` before a column: the last or latest first. The columns are those of
    /// `-o wide`. Without it, those of the policy file come first, in its order.
    #[arg(
        long,
        value_name = "COLUMN,…",
        allow_hyphen_values = true,
        value_parser = |text: &str| Sort::parse(text, &COLUMNS)
    )]
    sort: Option<Sort>,
    #[command(flatten)]
    table: TableOptions,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

/// The document that `--json` writes.
#[derive(Serialize)]
struct List {
    exemptions: Vec<Exemption>,
    /// What could not be read while no daemon runs, and why.
    left_out: Vec<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let listing = Listing {
        customer: args.customer.clone(),
        ticket: args.ticket.clone(),
        note: args.note.clone(),
        batch: args.batch.clone(),
        expiring: args.expiring.clone(),
        within: args.within.map(|net| net.to_string()),
        all: args.all,
    };
    let (mut exemptions, left_out) = match ask(&args.paths, async |client| client.list(&listing).await)? {
        Response::Done(exemptions) => (exemptions, Vec::new()),
        Response::Refused(problem) => return refuse(&problem, args.json, None),
        Response::NoDaemon => {
            let offline = Offline::open(&args.paths)?;
            offline.say_so();
            (offline.list(&listing)?, offline.left_out)
        }
    };
    let reader = Reader {
        now: Timestamp::now(),
        time_zone: TimeZone::system(),
    };
    if let Some(sort) = &args.sort {
        sort.apply(&mut exemptions, &COLUMNS, &reader);
    }
    if args.json {
        let list = List { exemptions, left_out };
        json::print(Schema::ExemptList, &list)?;
    } else if exemptions.is_empty() {
        stderr::line(format_args!("there are no such exemptions"));
    } else {
        table::print(&COLUMNS, &exemptions, &reader, args.table)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Parses a time: what depends on the time zone of this process becomes an instant.
fn time(text: &str) -> Result<String, TimeError> {
    let time_zone = TimeZone::system();
    let reader = time::Reader::new(Timestamp::now(), &time_zone);
    reader.until(text)?;
    reader.in_utc(text)
}
