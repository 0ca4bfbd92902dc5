//! A report as a table for people, with what it is about before it.

use std::io::Write as _;

use jiff::tz::TimeZone;

use crate::{
    cli::table::{self, Cell, Column, Rank, TableOptions, Value},
    counted::counted,
    report::activity::{By, NotAttributed, Period, Report, Row, Sum, subscriber},
    time::show,
};

type Listed<'a> = Column<Row<'a>, TimeZone>;

/// The columns.
fn columns<'a>() -> [Listed<'a>; 17] {
    [
        Column::new("customer", |row: &Row<'_>, _| Cell::optional(row.customer)).unless_all(""),
        Column::new("subscriber", |row: &Row<'_>, _| {
            Cell::of(subscriber(&row.subscriber), Value::Net(row.subscriber))
        }),
        Column::new("pool", |row: &Row<'_>, _| Cell::text(row.pool.unwrap_or("-"))).rank(Rank::Middle),
        Column::new("mode", |row: &Row<'_>, _| {
            Cell::text(row.mode.map_or("-", |mode| mode.name()))
        })
        .rank(Rank::Wide),
        Column::new("class", |row: &Row<'_>, _| {
            Cell::text(row.class.map_or("-", |class| class.name()))
        }),
        Column::number("packets", |row: &Row<'_>, _| Cell::number(row.packets)).rank(Rank::High),
        Column::number("blocked", |row: &Row<'_>, _| Cell::number(row.blocked)).rank(Rank::Middle),
        Column::number("monitored", |row: &Row<'_>, _| Cell::number(row.monitored)).rank(Rank::Middle),
        Column::number("syns", |row: &Row<'_>, _| Cell::number(row.syns)).rank(Rank::Low),
        Column::number("hidden", |row: &Row<'_>, _| Cell::number(row.hidden)).rank(Rank::Wide),
        Column::number("destinations", |row: &Row<'_>, _| {
            Cell::of(destinations(row), Value::Number(row.destinations.into()))
        })
        .rank(Rank::High),
        Column::number("days", |row: &Row<'_>, _| Cell::number(row.days)).rank(Rank::Middle),
        Column::number("hours", |row: &Row<'_>, _| Cell::number(row.hours)).rank(Rank::Middle),
        Column::number("most-syns", |row: &Row<'_>, _| Cell::number(row.most_syns)).rank(Rank::Wide),
        Column::new("first-seen", |row: &Row<'_>, time_zone| {
            Cell::time(show::minute(row.first_seen, time_zone), Some(row.first_seen))
        })
        .rank(Rank::Wide),
        Column::new("last-seen", |row: &Row<'_>, time_zone| {
            Cell::time(show::minute(row.last_seen, time_zone), Some(row.last_seen))
        })
        .rank(Rank::High),
        Column::new("exemption", |row: &Row<'_>, _| {
            Cell::optional(row.exemption_customer)
        })
        .rank(Rank::Middle)
        .unless_all(""),
    ]
}

pub(super) fn print<K>(report: &Report<'_, K>, options: TableOptions) -> anyhow::Result<()> {
    let time_zone = TimeZone::system();
    let mut stdout = anstream::stdout();
    for line in summary(report, &time_zone) {
        writeln!(stdout, "{line}")?;
    }
    let rows: Vec<_> = report.rows().collect();
    if !rows.is_empty() {
        table::print(&columns(), &rows, &time_zone, options)?;
    }
    Ok(())
}

/// What the report is about, and its sums.
pub(super) fn summary<K>(report: &Report<'_, K>, time_zone: &TimeZone) -> Vec<String> {
    let noun = report.by.noun();
    let Sum {
        rows,
        packets,
        blocked,
        monitored,
        ..
    } = report.total;
    let pool = report
        .pool
        .as_ref()
        .map_or_else(String::new, |pool| format!(" of pool {pool}"));
    let mut lines = vec![format!(
        "{}{pool} with {} ({blocked} blocked, {monitored} monitored) {}",
        counted(usize::try_from(rows).unwrap_or(usize::MAX), noun),
        counted(usize::try_from(packets).unwrap_or(usize::MAX), "packet"),
        period(&report.period, time_zone),
    )];
    lines.extend(gaps(report, time_zone));
    lines.extend(report.not_attributed.iter().flat_map(not_attributed));
    let classes = report.classes.iter().filter(|class| class.sum.rows > 0);
    let classes: Vec<_> = classes
        .map(|class| {
            format!(
                "{} {}",
                class.sum.rows,
                class.class.map_or("without readable ports", |class| class.name())
            )
        })
        .collect();
    if !classes.is_empty() {
        lines.push(format!("classes: {}", classes.join(", ")));
    }
    let listed = report.rows().len();
    if listed < report.matching {
        lines.push(format!(
            "the first {listed} of {} by packets; --top 0 lists all",
            counted(report.matching, noun)
        ));
    }
    lines
}

/// `from 2026-11-22 06:00 +09:00 to 2026-11-29 06:00 +09:00`
pub(super) fn period(period: &Period, time_zone: &TimeZone) -> String {
    format!(
        "from {} to {}",
        show::minute(period.since, time_zone),
        show::minute(period.until, time_zone)
    )
}

/// The parts of the period that the history does not have.
pub(super) fn gaps<K>(report: &Report<'_, K>, time_zone: &TimeZone) -> Vec<String> {
    let Period { since, until } = report.period;
    let mut lines = Vec::new();
    match report.covered.oldest {
        None => lines.push("the history has no bucket yet".to_owned()),
        Some(oldest) if oldest > since => lines.push(format!(
            "the history begins at {}: what was before is not in it",
            show::minute(oldest, time_zone)
        )),
        Some(_) => {}
    }
    if let Some(read) = report.covered.read_until.filter(|read| *read < until) {
        lines.push(format!("the history ends at {}", show::minute(read, time_zone)));
    }
    lines
}

/// What no customer is named for.
pub(in crate::cli) fn not_attributed(rest: &NotAttributed) -> Vec<String> {
    let of = |sum: &Sum, why: &str| {
        let count = |count| usize::try_from(count).unwrap_or(usize::MAX);
        (sum.rows > 0).then(|| {
            format!(
                "{} of {} {why}",
                counted(count(sum.packets), "packet"),
                counted(count(sum.rows), "subscriber")
            )
        })
    };
    let ambiguous = "are ambiguous: of one of several customers, or of one whose sessions cover them in part";
    let lines = [
        of(&rest.ambiguous, ambiguous),
        of(&rest.unattributed, "are unattributed: no session covers them"),
    ];
    lines.into_iter().flatten().collect()
}

/// About how many destinations, with the error of the number: `9 ± 1`, `over 250`.
pub(super) fn destinations(row: &Row<'_>) -> String {
    match row.destinations_error {
        None => "over 250".to_owned(),
        Some(0) => row.destinations.to_string(),
        Some(error) => format!("{} ± {error}", row.destinations),
    }
}

impl By {
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::Customer => "customer",
        }
    }
}
