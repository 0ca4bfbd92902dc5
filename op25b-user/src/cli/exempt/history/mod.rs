//! `op25b exempt history`: show the changes of exemptions, and which of them ended.

mod line;
mod source;

use std::{io::Write as _, process::ExitCode};

use clap::Args as ClapArgs;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use self::source::{Opened, Source, each_page};
use super::output::refuse;
use crate::{
    api::{HistoryEntry, HistoryExpiry},
    cli::{
        json,
        paths::Paths,
        stderr,
        table::{fold, width},
    },
    daemon::client::HistoryFilter,
    schema::Schema,
    time::{Reader, TimeError},
};

/// Show the changes of stored exemptions, with time, user and reason, and when they ended.
///
/// The oldest comes first. Changes are never removed. That an exemption ended is no change: nobody wrote it, and it follows from
/// its expiry at that time. Without a daemon the store's file is read.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt history --since 12h
  op25b exempt history --since 2028-03-30 --until 2028-03-31      both days included
  op25b exempt history --customer 'Example KK'
  op25b exempt history --batch 01KAXQ3T           what an import added, and what became of it
  op25b exempt history 01KAXQ3T5BH6Z8W2N4R7C9D1EF
  op25b exempt history --json | jq '.history[] | select(.by.name == \"alice\")'

Exit codes: 0 shown; 1 refused: no stored exemption, or no import, has this id; 2 failed.")]
pub struct Args {
    /// Only that of the exemption with this id, or with a unique beginning of it of at least 4 characters.
    id: Option<String>,
    /// Only what happened within this time, such as 12h, 14d or 2mo, or since a date or time such as 2028-03-31 or 06:00.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
    /// Only what happened before this time, or up to the end of a date.
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<Timestamp>,
    /// Only that of exemptions with this in the customer's name; capitals count if it has any.
    #[arg(long, value_name = "TEXT")]
    customer: Option<String>,
    /// Only that of exemptions that this import added: its id, or a unique beginning of it of at least 4 characters.
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// Print one JSON document instead of a line for each change.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

/// The document that `--json` writes.
#[derive(Serialize)]
struct History {
    history: Vec<HistoryEntry>,
    /// The expiries that were reached.
    expiries: Vec<HistoryExpiry>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let filter = HistoryFilter {
        id: args.id.clone(),
        since: args.since,
        until: args.until,
        customer: args.customer.clone(),
        batch: args.batch.clone(),
    };
    let (source, first) = match Source::open(&args.paths, &filter)? {
        Opened::Answered(source, first) => (source, first),
        Opened::Refused(problem) => return refuse(&problem, args.json, None),
    };
    let mut expiries = Vec::new();
    each_page(
        source.expiries(None)?,
        |after| source.expiries(Some(after)),
        |page| {
            expiries.extend(page);
            Ok(())
        },
    )?;
    if args.json {
        let mut history = Vec::new();
        each_page(
            first,
            |after| source.changes(Some(after)),
            |page| {
                history.extend(page);
                Ok(())
            },
        )?;
        json::print(Schema::ExemptHistory, &History { history, expiries })?;
        return Ok(ExitCode::SUCCESS);
    }
    if first.items.is_empty() && expiries.is_empty() {
        stderr::line(format_args!("there are no such changes"));
        return Ok(ExitCode::SUCCESS);
    }
    let time_zone = TimeZone::system();
    let mut stdout = anstream::stdout().lock();
    let mut print = |line: &str| writeln!(stdout, "{}", fold(line, width()));
    let mut expiries = expiries.iter().peekable();
    each_page(
        first,
        |after| source.changes(Some(after)),
        |page| {
            for entry in &page {
                while let Some(expiry) = expiries.next_if(|expiry| expiry.at <= entry.at) {
                    print(&line::expiry(expiry, &time_zone))?;
                }
                print(&line::change(entry, &time_zone))?;
            }
            Ok(())
        },
    )?;
    for expiry in expiries {
        print(&line::expiry(expiry, &time_zone))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Parses a beginning, as of now in the system's time zone.
fn since(text: &str) -> Result<Timestamp, TimeError> {
    Reader::new(Timestamp::now(), &TimeZone::system()).beginning(text)
}

/// Parses an end.
fn until(text: &str) -> Result<Timestamp, TimeError> {
    Reader::new(Timestamp::now(), &TimeZone::system()).back_until(text)
}
