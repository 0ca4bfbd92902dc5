//! `op25b events`: show single packets as the program shows them, follow them, and forward them to a collector.

mod follow;
mod forward;
pub(super) mod text;

use std::{path::PathBuf, process::ExitCode};

use clap::Args as ClapArgs;
use ipnet::IpNet;
use jiff::tz::TimeZone;
use op25b_common::Reason;

use super::{
    daemon::{Response, ask},
    json,
    pages::limit,
    paths::Paths,
    problem, stderr,
    subscribers::prefix,
    table::{self, TableOptions},
    tls::TlsFiles,
};
use crate::{
    collector::Destination,
    daemon::client::{Asked, EventFilter},
    report::shown_reason,
    schema::Schema,
};

/// The heading of the options of `--to`.
const FORWARDING: &str = "Forwarding";

/// Show single packets that were blocked, or would have been in a monitored pool, or that hide their ports.
///
/// The policy turns this on with `events:`, and says how much of a destination is seen, and whether packets of exemptions are
/// shown as well. It is a sample: at most one packet of a subscriber in a second, and no more of all than a limit;
/// the first packet of a subscriber has room of its own. What is not shown is counted. The daemon keeps the newest 10,000 in memory,
/// and nothing on a disk.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b events                                      the newest 20
  op25b events --follow                             and those that come, until ^C
  op25b events --follow --pool residential --reason blocked
  op25b events --in 198.51.100.20 --limit 1000
  op25b events --to syslog+tls://log.example.net --tls-ca /etc/op25b/log-ca.pem
  op25b events --to ipfix+udp://192.0.2.9:4739 --pool residential
  op25b events --to journal                         then: journalctl OP25B_SOURCE=198.51.100.20
  op25b events --follow --json | jq -r 'select(.first) | [.time, .pool, .source] | @tsv'

Requires root or membership in the group op25b-desk, and a running daemon, which records who reads them.
Exit codes: 0 shown, also if there are none; 1 refused, for example because the policy has no `events`; 2 failed.")]
pub struct Args {
    /// Go on with the events that come, until SIGINT or SIGTERM. With --json each is a document in a line of its own.
    #[arg(short, long)]
    follow: bool,
    /// Only events of subscribers of this pool.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// Only events of subscribers in this prefix, or with this address.
    #[arg(long = "in", alias = "src", value_name = "PREFIX", value_parser = prefix)]
    within: Option<IpNet>,
    /// Only events with this reason: `blocked`, `monitored`, `uninspectable`, `not_pooled` or `exempt`.
    #[arg(long, value_name = "REASON", value_parser = shown_reason)]
    reason: Option<Reason>,
    /// The maximum number of events to show; with --follow, of those that are there already.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = limit)]
    limit: usize,
    /// Forward the events that come to a collector instead of printing them, until SIGINT or SIGTERM: `syslog+tls://HOST[:PORT]`,
    /// `syslog+tcp://`, `ipfix+tcp://`, `ipfix+udp://`, or `journal` for this machine's own. What cannot be sent waits among the events that the daemon keeps.
    #[arg(
        long,
        value_name = "URL",
        value_parser = Destination::parse,
        conflicts_with_all = ["follow", "json", "limit"],
        help_heading = FORWARDING
    )]
    to: Option<Destination>,
    /// Write up to which event everything is forwarded into this file, and begin after it.
    #[arg(long, value_name = "FILE", requires = "to", help_heading = FORWARDING)]
    state: Option<PathBuf>,
    /// The observation domain in IPFIX messages.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 25,
        requires = "to",
        help_heading = FORWARDING
    )]
    domain: u32,
    #[command(flatten, next_help_heading = FORWARDING)]
    tls: TlsFiles,
    /// Why they are read: the daemon records who reads them.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    #[command(flatten)]
    table: TableOptions,
    /// Print one JSON document instead of a table; with --follow one in each line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

impl Args {
    fn filter(&self) -> EventFilter {
        EventFilter {
            pool: self.pool.clone(),
            within: self.within,
            reason: self.reason,
            why: self.why.clone(),
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let filter = args.filter();
    if let Some(to) = &args.to {
        return forward::forward(args, to, &filter);
    }
    let first = ask(&args.paths, async |client| {
        client.events(&filter, Asked::newest(args.limit)).await
    })?;
    let page = match first {
        Response::Done(page) => page,
        Response::Refused(problem) => return problem::refused(&problem, args.json),
        Response::NoDaemon => anyhow::bail!("no daemon runs, which keeps the events"),
    };
    if args.follow {
        return follow::follow(args, &filter, page);
    }
    if args.json {
        json::print(Schema::Events, &page)?;
        return Ok(ExitCode::SUCCESS);
    }
    if page.events.is_empty() {
        stderr::line(format_args!("there are no such events"));
    } else {
        table::print(&text::COLUMNS, &page.events, &TimeZone::system(), args.table)?;
    }
    stderr::line(text::counted(&page.counts, args.reason));
    Ok(ExitCode::SUCCESS)
}
