//! `op25b top`: what is blocked now, and who does most: a live view, or one table or document.

mod details;
mod draw;
#[cfg(test)]
mod fake;
mod keys;
mod live;
mod once;
mod per_second;
mod sample;
mod series;
mod state;
mod terminal;
#[cfg(test)]
mod tests;

use std::{
    io::{IsTerminal as _, stdin, stdout},
    process::ExitCode,
    time::Duration,
};

use anyhow::bail;
use clap::Args as ClapArgs;
use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};

use self::{
    keys::{LONGEST, SHORTEST},
    sample::{Look, MOST, Sample},
};
use super::{
    EXIT_NO,
    daemon::{Response, ask, block_on},
    paths::Paths,
    problem,
    subscribers::prefix,
};
use crate::{
    api::{Problem, ProblemKind},
    daemon::client::Client,
    report::{RateQuery, RateSort},
    time::Reader,
};

/// Show what is blocked now and who does most, as top(1) shows processes.
///
/// The rates by reason and by pool, with how they were in the last minutes; the interfaces and their state; and the subscribers
/// with the most packets now, the most destinations or the most packets in all. The rates are those between two answers of the
/// daemon. When it goes away or is restarted, the view says so, and goes on when it is back. `?` shows the keys.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b top
  op25b top --pool residential --sort destinations --reason 'OPS-812: abuse report'
  op25b top --once --top 5                       one table, for a ticket
  op25b top --json | jq '.reasons[] | select(.reason == \"blocked\").per_second'

Requires a running daemon and root or membership in the group op25b or op25b-desk; members of op25b-view see rates and interfaces, \
and no subscribers. The daemon records who watches subscribers: once an hour for each filter.
Exit codes: 0 shown; 1 refused; 2 failed, for example because no daemon runs.")]
pub struct Args {
    /// Only subscribers of this pool.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// Only subscribers in this prefix, or the subscriber of this address.
    #[arg(long = "src", alias = "in", value_name = "PREFIX", value_parser = prefix)]
    within: Option<IpNet>,
    /// Which subscribers come first: those with the most packets now (`rate`), the most `destinations`, the most `packets` in all, or
    /// the latest packet (`last-seen`).
    #[arg(long, value_name = "ORDER", default_value = RateSort::Rate.name(), value_parser = sort)]
    sort: RateSort,
    /// How often the daemon is asked, and with --once and --json how long is measured: from 1s to 1m.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// The number of subscribers with --once and --json.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    top: u16,
    /// Why subscribers are watched: the daemon records it, and the policy may require it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Measure once, and print a table.
    #[arg(long)]
    once: bool,
    /// Measure once, and print one JSON document.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

fn sort(text: &str) -> Result<RateSort, String> {
    let all = RateSort::ALL.map(RateSort::name);
    let found = RateSort::ALL.into_iter().find(|sort| sort.name() == text);
    found.ok_or_else(|| format!("the orders are {}", all.join(", ")))
}

fn interval(text: &str) -> Result<Duration, String> {
    let read = Reader::new(Timestamp::now(), &TimeZone::UTC).duration(text);
    let length = read.map_err(|error| error.to_string())?.unsigned_abs();
    if (SHORTEST..=LONGEST).contains(&length) {
        Ok(length)
    } else {
        Err("write a time from 1s to 1m, such as 5s".to_owned())
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let is_once = args.once || args.json;
    let is_terminal = stdin().is_terminal() && stdout().is_terminal();
    if !(is_once || is_terminal) {
        bail!("this is no terminal: use `--once` for a table, `--json` for a document");
    }
    let look = Look {
        query: RateQuery {
            pool: args.pool.clone(),
            within: args.within,
            sort: args.sort,
            top: if is_once { args.top.into() } else { MOST },
        },
        reason: args.reason.clone(),
        with_events: !is_once,
    };
    let first = match ask(&args.paths, async |client| Sample::take(&client, &look).await)? {
        Response::Done(first) => first,
        Response::Refused(problem) => return problem::refuse(&problem, args.json, EXIT_NO),
        Response::NoDaemon => {
            let detail =
                "no daemon runs, which counts what is shown: `op25b status` reads the kernel without one";
            return Err(Problem::new(ProblemKind::NoDaemon, detail).into());
        }
    };
    let client = Client::new(&args.paths.runtime_dir);
    if is_once {
        block_on(once::run(&client, &look, args.interval, &first, args.json))?
    } else {
        block_on(live::run(client, look, args.interval, first))?
    }
}
