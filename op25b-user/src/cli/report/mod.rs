//! `op25b report`: what subscribers or customers did in a period, from the history.

mod chart;
mod csv;
mod html;
mod judgement;
mod table;

pub(super) use self::table::not_attributed;

use std::{
    io::{BufWriter, Write as _, stdout},
    process::ExitCode,
};

use clap::{Args as ClapArgs, ValueEnum};
use jiff::{Timestamp, tz::TimeZone};

use super::{
    EXIT_NO, EXIT_NOT_RUNNING,
    activity::{History, Selection},
    json, policy_source, problem,
    table::TableOptions,
};
use crate::{
    api::{Problem, ReadKind},
    report::activity::{By, Class, Customers, Report, Rules, Scope, Tallies},
    schema::Schema,
};

/// How many rows are listed unless another number is asked for, where people read them.
const LISTED: usize = 20;

/// Report what subscribers or customers did in a period.
///
/// From the history, which the daemon writes: for each subscriber, or each customer, the attempts of the period, the destinations, the
/// days and hours, and what they look like: a mail client, a mail server, bulk mail or a bot, or rare. Pools, modes and exemptions are
/// those of the policy now. The history has buckets of some minutes; one that lies on the beginning or the end of the period is
/// counted as a whole.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b report                                             the last 7 days: the 20 with the most packets
  op25b report --pool residential --since 30d --class mail-server
  op25b report --by customer --since 30d                   who had the addresses at the time
  op25b report --since 2026-11-01 --until 2026-11-30 --format csv > november.csv
  op25b report --pool residential --format html > residential.html
  op25b report --judgement --language ja                   for the support desk
  op25b report --json | jq '.classes[] | [.class, .rows]'

Requires root, or membership in the group op25b: the history is read from the state directory.
Exit codes: 0 reported; 1 there is no such pool, or no reason that the policy requires; 2 failed, or there is no history; 3 no filter is running, and no \
`--policy` is given.")]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// What the rows are: addresses and IPv6 prefixes, or the customers who had them, by the sessions that were imported. What
    /// several customers may have done, and what was done without a session, is nobody's row, and is reported apart.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "subscriber")]
    by: By,
    /// Only list those whose attempts look like this.
    #[arg(long, value_enum, value_name = "CLASS")]
    class: Option<Class>,
    /// The maximum number to list; 0 for all. The default is 20 in a table and in HTML, and all in CSV and JSON.
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// The output format. `html` is one file for a browser, without links to anything.
    #[arg(id = problem::OUTPUT_FORMAT, long = "format", value_enum, value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// Same as `--format json`.
    #[arg(long, conflicts_with = problem::OUTPUT_FORMAT)]
    json: bool,
    /// Print what support staff need to tell whether a customer is affected: which addresses are blocked, what is allowed, and what to
    /// ask. From the policy alone.
    #[arg(long, conflicts_with_all = ["pool", "within", "until", "by", "class", "top", problem::OUTPUT_FORMAT, "json"])]
    judgement: bool,
    /// The language of that.
    #[arg(
        long,
        value_enum,
        value_name = "LANGUAGE",
        default_value = "en",
        requires = "judgement"
    )]
    language: judgement::Language,
    #[command(flatten)]
    table: TableOptions,
}

/// The formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people.
    Table,
    /// Comma-separated values, with a header line.
    Csv,
    /// One JSON document.
    Json,
    /// One file for a browser.
    Html,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let format = if args.json { Format::Json } else { args.format };
    let is_json = format == Format::Json;
    let now = Timestamp::now();
    let Some(source) = args.selection.source()? else {
        return problem::refuse(&policy_source::no_policy(), is_json, EXIT_NOT_RUNNING);
    };
    if args.judgement {
        let text = judgement::text(&source, args.language, now, &TimeZone::system())?;
        write!(stdout(), "{text}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let pool = match args.selection.pool_of(&source) {
        Ok(pool) => pool,
        Err(why) => return problem::refuse(&Problem::not_found(why), is_json, EXIT_NO),
    };
    if let Err(problem) = args.selection.note_read(ReadKind::Report, &source)? {
        return problem::refuse(&problem, is_json, EXIT_NO);
    }
    let rules = Rules::new(&source.policy, &source.exemptions, now);
    let history = args.selection.history(&rules, pool, now)?;
    let scope = Scope {
        by: args.by,
        pool: args.selection.pool.clone(),
        period: history.period,
        covered: history.reader.covered()?,
        policy_file: source.file.clone(),
        class: args.class,
        top: args.top(format),
        not_attributed: None,
    };
    match args.by {
        By::Subscriber => by_subscriber(args, format, scope, &history, &rules)?,
        By::Customer => by_customer(args, format, scope, &history, &rules)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn by_subscriber(
    args: &Args,
    format: Format,
    scope: Scope,
    history: &History<'_>,
    rules: &Rules<'_>,
) -> anyhow::Result<()> {
    let mut tallies = Tallies::new(TimeZone::system());
    history.each(|bucket, pool| tallies.add(bucket.subscriber, bucket, pool))?;
    print(
        args,
        format,
        &Report::new(scope, tallies, rules, Box::new(|_| None)),
    )
}

fn by_customer(
    args: &Args,
    format: Format,
    mut scope: Scope,
    history: &History<'_>,
    rules: &Rules<'_>,
) -> anyhow::Result<()> {
    let sessions = args.selection.sessions(scope.period)?;
    let mut customers = Customers::new(&sessions, args.selection.skew);
    let mut tallies = Tallies::new(TimeZone::system());
    history.each(|bucket, pool| {
        if let Some(customer) = customers.of(bucket) {
            tallies.add(customer, bucket, pool);
        }
    })?;
    scope.not_attributed = Some(customers.finish());
    print(
        args,
        format,
        &Report::new(scope, tallies, rules, Box::new(|customer| Some(*customer))),
    )
}

fn print<K>(args: &Args, format: Format, report: &Report<'_, K>) -> anyhow::Result<()> {
    match format {
        Format::Table => return table::print(report, args.table),
        Format::Json => return Ok(json::print(Schema::Report, report)?),
        Format::Csv | Format::Html => {}
    }
    let mut out = BufWriter::new(stdout().lock());
    if format == Format::Csv {
        csv::write(report, &mut out)?;
    } else {
        html::write(report, &TimeZone::system(), &mut out)?;
    }
    out.flush()?;
    Ok(())
}

impl Args {
    fn top(&self, format: Format) -> Option<usize> {
        match (self.top, format) {
            (Some(0), _) | (None, Format::Csv | Format::Json) => None,
            (None, Format::Table | Format::Html) => Some(LISTED),
            (top, _) => top,
        }
    }
}
