//! `op25b subscribers`: list the subscribers whose packets are blocked, as the kernel has counted them.

mod forget;
pub(super) mod text;

use std::{io::Write as _, process::ExitCode};

use clap::{Args as ClapArgs, Subcommand};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    EXIT_NOT_RUNNING,
    daemon::block_on,
    elsewhere::elsewhere,
    json,
    paths::Paths,
    progress::Progress,
    stderr,
    table::{self, TableOptions},
};
use crate::{
    daemon::client::{Client, ClientError, MOST_SUBSCRIBERS},
    policy,
    report::{
        CountsSince, FilterSubscribers, SortOrder, SubscriberQuery, Subscribers, SubscribersError,
        subscribers,
    },
    schema::Schema,
    time::{Reader, TimeError},
};

/// List the subscribers whose packets were blocked.
///
/// In a pool in monitor mode, those whose packets would have been blocked. For each subscriber: how many
/// packets, since when, and to approximately how many servers. A forgotten mail client connects to one
/// server, a bot to hundreds. All counts of packets are totals since the subscriber was first seen: `--since`
/// selects subscribers, and does not limit their counts to that time. The number of servers is that of the
/// last bucket of the history in which it had a packet, and a total if the policy has `history: off`. The records are read from the kernel, so no
/// daemon is required; without the permission for that, the daemon reads them.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b subscribers                                       the 20 with the most packets
  op25b subscribers --pool residential --sort destinations --since 1d
  op25b subscribers --src 198.51.100.20
  op25b subscribers --sort pool,-last-seen -o wide
  op25b subscribers --top 0 --json | jq -r '.filters[].subscribers[].subscriber'

Requires root (CAP_SYS_ADMIN), which the kernel demands for opening other processes' maps, or membership in \
the group op25b-desk and a running daemon, which lists at most 10,000 and records who reads them.
Exit codes: 0 listed; 2 failed, or the records are another version's; 3 no filter enforces.")]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only subscribers of this pool.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// Only subscribers in this prefix, or the subscriber of this address.
    #[arg(long = "src", alias = "in", value_name = "PREFIX", value_parser = prefix)]
    within: Option<IpNet>,
    /// The maximum number of subscribers to list; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    /// Sort by these columns, separated by commas. Numbers and times are sorted with the greatest first; `+` before a column:
    /// the least first, `-`: the greatest.
    #[arg(long, value_name = "COLUMN,…", default_value_t, allow_hyphen_values = true)]
    sort: SortOrder,
    /// Only subscribers with a packet since then: within a time such as `90m`, `12h` or `7d`, since the last `06:00`, or since a date
    /// or time such as `2028-03-31` or `2028-03-31 06:00`. Their counts are since first seen.
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<SignedDuration>,
    /// Why they are read: for the daemon, which records who reads them, if it answers.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    table: TableOptions,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

/// What else can be done with the records.
#[derive(Debug, Subcommand)]
enum Command {
    Forget(forget::Args),
}

/// A prefix, or an address alone.
pub(super) fn prefix(text: &str) -> Result<IpNet, String> {
    match text.parse::<IpNet>() {
        Ok(net) => Ok(net.trunc()),
        Err(_) => policy::parse_prefix(text),
    }
}

/// How long ago something began.
fn since(text: &str) -> Result<SignedDuration, TimeError> {
    let (now, time_zone) = (Timestamp::now(), TimeZone::system());
    let since = Reader::new(now, &time_zone).beginning(text)?;
    Ok(now.duration_since(since))
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(Command::Forget(args)) = &args.command {
        return forget::run(args);
    }
    let query = SubscriberQuery {
        pool: args.pool.clone(),
        within: args.within,
        since: args.since,
        sort: args.sort.clone(),
        top: args.top,
    };
    let report = Subscribers {
        counts_since: CountsSince::FirstSeen,
        filters: block_on(read(&query, args.reason.as_deref(), &args.paths))??,
    };
    if args.json {
        json::print(Schema::Subscribers, &report)?;
    } else {
        print(&report.filters, args)?;
        if report.filters.is_empty()
            && let Some(elsewhere) = elsewhere(&args.paths.bpffs)
        {
            stderr::line(format_args!("op25b: {elsewhere}"));
        }
    }
    Ok(if report.filters.is_empty() {
        EXIT_NOT_RUNNING.into()
    } else {
        ExitCode::SUCCESS
    })
}

fn print(filters: &[FilterSubscribers], args: &Args) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout();
    if filters.is_empty() {
        writeln!(
            stdout,
            "no op25b filter is running on the interfaces of this network namespace"
        )?;
    }
    for (index, filter) in filters.iter().enumerate() {
        if index > 0 {
            writeln!(stdout)?;
        }
        writeln!(stdout, "{}", text::summary(filter, args.since))?;
        if !filter.subscribers.is_empty() {
            table::print(
                &text::COLUMNS,
                &filter.subscribers,
                &TimeZone::system(),
                args.table,
            )?;
        }
        for remark in text::remarks(filter) {
            writeln!(stdout, "{remark}")?;
        }
    }
    Ok(())
}

/// The subscribers from the kernel or, without permission to read it, from the daemon.
pub(super) async fn read(
    query: &SubscriberQuery,
    reason: Option<&str>,
    paths: &Paths,
) -> anyhow::Result<Vec<FilterSubscribers>> {
    let progress = Progress::of("reading the records of subscribers");
    let error = match subscribers(query) {
        Ok(filters) => return Ok(filters),
        // What is wrong with the query or the records is so for the daemon, too.
        Err(error @ (SubscribersError::NoPool { .. } | SubscribersError::OtherVersion { .. })) => {
            return Err(error.into());
        }
        Err(error) => error,
    };
    let client = Client::new(&paths.runtime_dir);
    let answered = client.subscribers(query, reason).await;
    drop(progress);
    let filters = match answered {
        Ok(Subscribers { filters, .. }) => filters,
        Err(ClientError::Refused(problem)) => return Err((*problem).into()),
        Err(refused) if refused.is_forbidden() => return Err(refused.into()),
        Err(_) => {
            return Err(anyhow::Error::new(error)
                .context("no daemon answers that reports it to members of the group op25b"));
        }
    };
    let wanted = if query.top == 0 { usize::MAX } else { query.top };
    if filters
        .iter()
        .any(|filter| filter.subscribers.len() < filter.matching.min(wanted))
    {
        stderr::line(format_args!(
            "op25b: the daemon lists the first {MOST_SUBSCRIBERS} subscribers; root can list all"
        ));
    }
    Ok(filters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_addresses_and_durations_are_read() {
        assert_eq!(
            prefix("198.51.100.7/24").unwrap(),
            "198.51.100.0/24".parse().unwrap()
        );
        assert_eq!(prefix("2001:db8::1").unwrap(), "2001:db8::1/128".parse().unwrap());
        assert!(prefix("198.51.100").is_err());
        for (text, hours) in [("90m", 1.5), ("12h", 12.0), ("7d", 168.0), ("2w", 336.0)] {
            assert_eq!(
                since(text).unwrap(),
                SignedDuration::from_secs_f64(hours * 3600.0),
                "{text}"
            );
        }
        for text in ["2020-01-01", "1mo", "00:00"] {
            assert!(since(text).unwrap().is_positive(), "{text}");
        }
        for text in ["soon", "", "2100-01-01", "90"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
