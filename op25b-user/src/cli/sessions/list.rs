//! `op25b sessions list`: lists sessions.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};

use super::{refuse, text::COLUMNS};
use crate::{
    cli::{
        daemon::{Response, ask},
        json,
        paths::Paths,
        stderr,
        subscribers::prefix,
        table::{self, Sort, TableOptions},
    },
    counted::counted,
    daemon::client::SessionFilter,
    schema::Schema,
    time::{Reader, TimeError},
};

/// The most sessions that the daemon lists at once.
const MOST: usize = 10_000;

/// List sessions: which customer had which address, and when.
///
/// A session without an end may have lasted until any time after it was seen last: it is listed for each of them, and its end
/// says so.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b sessions list --at '2026-03-31 03:12' --in 198.51.100.7     who had this address then
  op25b sessions list --customer alice --since 7d
  op25b sessions list --in 2001:db8:0:100::/56 --since 2026-03-01 --until 2026-03-31
  op25b sessions list --at 2h --json | jq -r '.items[].customer'

Exit codes: 0 listed, also if the list is empty; 1 refused, with the reason; 2 failed, for example because no \
daemon runs.")]
pub struct Args {
    /// Only sessions that may have lasted at this time: a time such as `2026-03-31 03:12`, or how long ago, such as `2h`.
    #[arg(long, value_name = "TIME", value_parser = beginning)]
    at: Option<Timestamp>,
    /// Only sessions that may have lasted at this time or later.
    #[arg(long, value_name = "TIME", value_parser = beginning)]
    since: Option<Timestamp>,
    /// Only sessions that began before this time, or up to the end of a date.
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<Timestamp>,
    /// Only sessions of a prefix that overlaps this prefix or address.
    #[arg(long = "in", alias = "src", value_name = "PREFIX", value_parser = prefix)]
    within: Option<IpNet>,
    /// Only sessions of customers with this in the name; capitals count if it has any.
    #[arg(long, value_name = "TEXT")]
    customer: Option<String>,
    /// Why they are read: the daemon records who reads them.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The maximum number of sessions to list.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = top)]
    top: usize,
    /// Sort by these columns, separated by commas; `-` before a column: the last or latest first. Without it, by prefix and start.
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

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let filter = SessionFilter {
        at: args.at,
        since: args.since,
        until: args.until,
        within: args.within.map(|net| net.to_string()),
        customer: args.customer.clone(),
        reason: args.reason.clone(),
    };
    let list = match ask(&args.paths, async |client| {
        client.sessions(&filter, args.top).await
    })? {
        Response::Done(list) => list,
        Response::Refused(problem) => return refuse(&problem, args.json),
        Response::NoDaemon => anyhow::bail!("no daemon runs, which reads the sessions"),
    };
    let mut list = list;
    let time_zone = TimeZone::system();
    if let Some(sort) = &args.sort {
        sort.apply(&mut list.items, &COLUMNS, &time_zone);
    }
    if args.json {
        json::print(Schema::SessionList, &list)?;
        return Ok(ExitCode::SUCCESS);
    }
    if list.items.is_empty() {
        stderr::line(format_args!("there are no such sessions"));
    } else {
        table::print(&COLUMNS, &list.items, &time_zone, args.table)?;
    }
    if list.more {
        stderr::line(format_args!(
            "these are the first {} by prefix and start; `--top` lists up to {MOST}",
            counted(list.items.len(), "session")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn beginning(text: &str) -> Result<Timestamp, TimeError> {
    Reader::new(Timestamp::now(), &TimeZone::system()).beginning(text)
}

fn until(text: &str) -> Result<Timestamp, TimeError> {
    Reader::new(Timestamp::now(), &TimeZone::system()).back_until(text)
}

fn top(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("write a number from 1 to {MOST}"))
}
