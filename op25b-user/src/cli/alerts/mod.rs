//! `op25b alerts`: list alerts about subscribers, and send them to a webhook.

mod text;
mod webhook;

use std::{path::PathBuf, process::ExitCode};

use clap::Args as ClapArgs;
use ipnet::IpNet;
use jiff::tz::TimeZone;

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
    daemon::client::{AlertFilter, Asked},
    schema::Schema,
    webhook::{Proxy, Receiver},
};

/// The heading of the options of `--to`.
const SENDING: &str = "Sending";

/// List alerts about offenders and exempt subscribers that are beyond a threshold of the policy.
///
/// The policy turns this on with `alerts:`, which has the thresholds. There is at most one alert about a subscriber in an hour. The
/// daemon keeps the newest 10,000 in memory, and nothing on a disk.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b alerts                                      the newest 20
  op25b alerts --pool residential --json
  op25b alerts --to https://abuse.example.net/op25b --secret /etc/op25b/alerts.secret --state /var/lib/op25b-alerts/sent

Requires root or membership in the group op25b-desk, and a running daemon, which records who reads them.
Exit codes: 0 shown, also if there are none; 1 refused, for example because the policy has no `alerts`; 2 failed.")]
pub struct Args {
    /// Only alerts about subscribers of this pool.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// Only alerts about subscribers in this prefix, or about the subscriber of this address.
    #[arg(long = "in", alias = "src", value_name = "PREFIX", value_parser = prefix)]
    within: Option<IpNet>,
    /// The maximum number of alerts to list.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = limit)]
    limit: usize,
    /// Send each alert that comes to this URL instead of listing them, until SIGINT or SIGTERM: an HTTP POST with a JSON document, signed
    /// as Standard Webhooks has it. What cannot be sent waits among the alerts that the daemon keeps.
    #[arg(
        long,
        value_name = "URL",
        value_parser = Receiver::parse,
        conflicts_with_all = ["json", "limit"],
        requires = "secret",
        help_heading = SENDING
    )]
    to: Option<Receiver>,
    /// The file with the secret that requests are signed with: `whsec_` and the Base64 text of 24 to 64 random bytes.
    #[arg(long, value_name = "FILE", requires = "to", help_heading = SENDING)]
    secret: Option<PathBuf>,
    /// Write into this file which alerts are sent, and begin after them.
    #[arg(long, value_name = "FILE", requires = "to", help_heading = SENDING)]
    state: Option<PathBuf>,
    /// The name of this sender in the metrics of the daemon [default: the host and the port of the URL].
    #[arg(long, value_name = "NAME", requires = "to", help_heading = SENDING)]
    name: Option<String>,
    /// The HTTP proxy that connections are made through: `http://HOST[:PORT]`.
    #[arg(
        long,
        value_name = "URL",
        value_parser = Proxy::parse,
        requires = "to",
        help_heading = SENDING
    )]
    proxy: Option<Proxy>,
    #[command(flatten, next_help_heading = SENDING)]
    tls: TlsFiles,
    /// Why they are read: the daemon records who reads them.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    table: TableOptions,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let filter = AlertFilter {
        pool: args.pool.clone(),
        within: args.within,
        sender: (args.to.as_ref()).map(|to| args.name.clone().unwrap_or_else(|| to.host.to_string())),
        reason: args.reason.clone(),
    };
    if let (Some(to), Some(secret)) = (&args.to, &args.secret) {
        return webhook::send(args, to, secret, &filter);
    }
    let answer = ask(&args.paths, async |client| {
        client.alerts(&filter, Asked::newest(args.limit)).await
    })?;
    let page = match answer {
        Response::Done(page) => page,
        Response::Refused(problem) => return problem::refused(&problem, args.json),
        Response::NoDaemon => anyhow::bail!("no daemon runs, which keeps the alerts"),
    };
    if args.json {
        json::print(Schema::Alerts, &page)?;
    } else if page.alerts.is_empty() {
        stderr::line("there are no such alerts");
    } else {
        table::print(&text::COLUMNS, &page.alerts, &TimeZone::system(), args.table)?;
    }
    Ok(ExitCode::SUCCESS)
}
