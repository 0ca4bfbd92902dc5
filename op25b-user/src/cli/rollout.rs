//! `op25b rollout`: how far the roll-out of each pool is, whom it concerns, and what is to do next.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write as _,
    process::ExitCode,
};

use clap::Args as ClapArgs;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    EXIT_NO, EXIT_NOT_RUNNING,
    activity::{History, Selection},
    json, notices,
    policy_source::{self, Source},
    problem,
    progress::Progress,
    status,
    table::{self, Cell, Column, Rank, TableOptions, Value},
};
use crate::{
    api::{Problem, ReadKind},
    counted::counted,
    policy::characters::printable,
    report::{
        PoolWord, SortOrder, SubscriberQuery,
        activity::{Period, Rules},
        rollout::{Counted, Counts, Known, PoolRollout, Rollout},
        subscribers,
    },
    schema::Schema,
    store::{activity::Covered, notices::Notice},
    time::show,
};

/// How old the last attempt of a subscriber is at most that tries now.
const NOW: SignedDuration = SignedDuration::from_hours(1);

/// Show how far the roll-out of each pool is, whom it concerns, and what is to do next.
///
/// For each pool: what the kernel does with it and which phase has begun, the time to the next date, the subscribers with attempts in
/// the last hour and in the period, the customers whose attempts they were, how many of these were written to (`op25b
/// notices`), and how many have stopped: who was written to before the period, had attempts in the 7 days before that, and none
/// in the period. What is not known, as there is no history, no session or no notice, is shown as `-` with the reason, and not
/// as 0.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b rollout                                    all pools, with the attempts of the last 7 days
  op25b rollout --pool residential --since 30d
  op25b rollout --json | jq -r '.pools[] | select(.step == \"write_notices\") | .pool'

Requires root: the history, the sessions and the notices are read from the state directory.
Exit codes: 0 shown; 1 there is no such pool, or no reason that the policy requires for `--src`; 2 failed; 3 no filter is running, and no `--policy` is given.")]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    table: TableOptions,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let now = Timestamp::now();
    let selection = &args.selection;
    let Some(source) = selection.source()? else {
        return problem::refuse(&policy_source::no_policy(), args.json, EXIT_NOT_RUNNING);
    };
    let pool = match selection.pool_of(&source) {
        Ok(pool) => pool,
        Err(why) => return problem::refuse(&Problem::not_found(why), args.json, EXIT_NO),
    };
    // Sums of pools name nobody; those of a prefix may be one subscriber's.
    if selection.is_of_a_prefix()
        && let Err(problem) = selection.note_read(ReadKind::Report, &source)?
    {
        return problem::refuse(&problem, args.json, EXIT_NO);
    }
    let report = read(selection, &source, pool, now)?;
    if args.json {
        json::print(Schema::Rollout, &report)?;
    } else {
        print(&report, args.table)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(
    selection: &Selection,
    source: &Source,
    pool: Option<usize>,
    now: Timestamp,
) -> anyhow::Result<Rollout> {
    let mut missing = Vec::new();
    let period = selection.period(now)?;
    let rules = Rules::new(&source.policy, &source.exemptions, period.until);
    let state_dir = selection.state_dir();
    let history = selection.history_if_any(&rules, pool, now)?;
    let (mut covered, mut counted, mut has_notices) = (None, None, false);
    match history {
        None => missing.push(format!(
            "there is no history in {}: the subscribers and customers of the period are not known",
            state_dir.display()
        )),
        Some(history) => {
            covered = Some(history.reader.covered()?);
            let notices = notices::written_before(&state_dir)?;
            has_notices = notices.is_some();
            if !has_notices {
                missing.push("nobody was written to by `op25b notices`".to_owned());
            }
            if let Some(late) = covered.and_then(|covered| late(covered, period)) {
                missing.push(late);
            }
            counted = Some(count(selection, &rules, history, notices.as_ref(), &mut missing)?);
        }
    }
    let (mut enforced, mut tried) = (None, None);
    if !selection.has_policy_file() {
        let status = status::read(&selection.paths)?;
        let unremembered = status.pools.iter().filter(|pool| !pool.remembered);
        let names: Vec<_> = unremembered.map(|pool| printable(&pool.name)).collect();
        if !names.is_empty() {
            missing.push(format!("subscribers of {} have no records", names.join(", ")));
        }
        match active(source) {
            Ok(active) => tried = Some(active),
            Err(error) => missing.push(format!("who tries now: {error:#}")),
        }
        enforced = Some(status);
    }
    let known = Known {
        period,
        history: covered,
        enforced: enforced.as_ref().map(|status| (&*status.pools, &*status.pauses)),
        active: tried.as_deref(),
        counted: counted.as_deref(),
        has_notices,
    };
    let policy = (&source.policy, source.file.clone());
    Ok(Rollout::new(policy, &rules, known, pool, missing))
}

/// Counts whom the history has in each pool.
fn count(
    selection: &Selection,
    rules: &Rules<'_>,
    history: History<'_>,
    notices: Option<&BTreeMap<String, Notice>>,
    missing: &mut Vec<String>,
) -> anyhow::Result<Vec<Counted>> {
    let since = Counts::begin(rules, history.period, notices);
    let whole = Period {
        since,
        ..history.period
    };
    let sessions = selection.sessions_if_any(whole)?;
    if sessions.is_none() {
        missing.push(format!(
            "there are no sessions in {}: whose the attempts were is not known",
            selection.state_dir().display()
        ));
    }
    let attribution = sessions.as_ref().map(|sessions| (sessions, selection.skew));
    let mut counts = Counts::new(rules, history.period, attribution, notices);
    history
        .since(since)
        .each(|bucket, pool| counts.add(bucket, pool))?;
    Ok(counts.finish())
}

/// That the history does not cover a period as a whole, if so.
fn late(covered: Covered, period: Period) -> Option<String> {
    let zone = TimeZone::system();
    match covered.oldest {
        None => Some("the history has no attempt yet".to_owned()),
        Some(oldest) if oldest > period.since => Some(format!(
            "the oldest attempt in the history is of {}: before that, nobody tried or nothing was recorded",
            show::minute(oldest, &zone)
        )),
        Some(_) => None,
    }
}

/// How many subscribers of each pool have tried just now, by their records in the kernel.
fn active(source: &Source) -> anyhow::Result<Vec<u64>> {
    let query = SubscriberQuery {
        pool: None,
        within: None,
        since: Some(NOW),
        sort: SortOrder::default(),
        top: 0,
    };
    // Counted from the kernel: the daemon lists a part of them.
    let _progress = Progress::of("reading the records of subscribers");
    let filters = subscribers(&query)?;
    let mut by_pool: HashMap<String, u64> = HashMap::new();
    for row in filters.into_iter().flat_map(|filter| filter.subscribers) {
        *by_pool.entry(row.pool.unwrap_or_default()).or_default() += 1;
    }
    let pools = source.policy.pools.iter();
    Ok(pools
        .map(|pool| by_pool.get(&pool.name).copied().unwrap_or(0))
        .collect())
}

type Listed = Column<PoolRollout, TimeZone>;

/// The columns.
const COLUMNS: [Listed; 10] = [
    Column::new("pool", |row: &PoolRollout, _| Cell::text(row.pool.as_str())),
    Column::new("mode", |row: &PoolRollout, _| Cell::text(mode(row))),
    Column::new("phase", |row: &PoolRollout, _| {
        Cell::text(match row.phases {
            0 => "-".to_owned(),
            phases => format!("{}/{phases}", row.phase),
        })
    })
    .rank(Rank::Middle),
    Column::new("next-date", |row: &PoolRollout, time_zone| {
        Cell::time(
            row.next_date
                .map_or_else(|| "-".to_owned(), |date| show::minute(date, time_zone)),
            row.next_date,
        )
    })
    .rank(Rank::Low),
    Column::number("now", |row: &PoolRollout, _| count_cell(row.now)).rank(Rank::High),
    Column::number("subscribers", |row: &PoolRollout, _| count_cell(row.subscribers)).rank(Rank::High),
    Column::number("customers", |row: &PoolRollout, _| count_cell(row.customers)).rank(Rank::High),
    Column::number("written", |row: &PoolRollout, _| count_cell(row.written)).rank(Rank::High),
    Column::number("stopped", |row: &PoolRollout, _| {
        stopped_cell(row.stopped_since_notice, row.written_before)
    })
    .rank(Rank::High),
    Column::number("stopped-since-date", |row: &PoolRollout, _| {
        stopped_cell(row.stopped_since_date, row.tried_before_date)
    })
    .rank(Rank::Wide),
];

fn mode(row: &PoolRollout) -> String {
    let word = match row.mode {
        PoolWord::Enforce => "enforce",
        PoolWord::Partial => "partial",
        PoolWord::Monitor => "monitor",
        PoolWord::Mixed => "mixed",
    };
    match row.paused {
        Some(_) => format!("{word} (PAUSED)"),
        None => word.to_owned(),
    }
}

fn count_cell(count: Option<u64>) -> Cell {
    count.map_or_else(|| Cell::of("-", Value::Missing), Cell::number)
}

/// `41 of 280`
fn stopped_cell(stopped: Option<u64>, of: Option<u64>) -> Cell {
    match (stopped, of) {
        (Some(stopped), Some(of)) => Cell::of(format!("{stopped} of {of}"), Value::Number(stopped)),
        _ => count_cell(None),
    }
}

fn print(report: &Rollout, options: TableOptions) -> anyhow::Result<()> {
    let zone = TimeZone::system();
    let mut stdout = anstream::stdout();
    writeln!(
        stdout,
        "{} of {}; attempts from {} to {}",
        counted(report.pools.len(), "pool"),
        report.policy_file.display(),
        show::minute(report.since, &zone),
        show::minute(report.until, &zone)
    )?;
    table::print(&COLUMNS, &report.pools, &zone, options)?;
    writeln!(stdout, "next:")?;
    for pool in &report.pools {
        let line = format!("  {}: {}", printable(&pool.pool), pool.next);
        writeln!(stdout, "{}", table::fold_below(&line, 4, table::width()))?;
    }
    for missing in &report.missing {
        let line = format!("not known: {missing}");
        writeln!(stdout, "{}", table::fold_below(&line, 2, table::width()))?;
    }
    Ok(())
}
