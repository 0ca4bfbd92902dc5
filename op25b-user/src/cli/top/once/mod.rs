//! `op25b top --once` and `--json`: measures once, and prints what was seen.

mod document;

use std::{fmt::Write as _, io::Write as _, process::ExitCode, time::Duration};

use jiff::tz::TimeZone;
use tokio::time::sleep;

use self::document::Top;
use super::{
    draw::{rates::word, text},
    per_second::{ReasonRate, Recently, of_recent, reasons},
    sample::{Look, Sample},
};
use crate::{
    cli::{
        json,
        status::headline::headline,
        stderr,
        subscribers::text::about,
        table::{self, Cell, Column, Rank, Value, width},
    },
    daemon::client::Client,
    report::{PoolRate, PoolStatus, SubscriberRate},
    schema::Schema,
    time::show,
};

/// Takes a second sample after the interval, and prints the difference.
pub(super) async fn run(
    client: &Client,
    look: &Look,
    interval: Duration,
    first: &Sample,
    is_json: bool,
) -> anyhow::Result<ExitCode> {
    sleep(interval).await;
    let second = Sample::take(client, look).await?;
    if is_json {
        json::print(Schema::Top, &Top::of(first, &second))?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = tables(first, &second, &TimeZone::system(), width());
    anstream::stdout().lock().write_all(text.as_bytes())?;
    if let Err(why) = &second.subscribers {
        stderr::line(format_args!("op25b: subscribers are not shown: {why}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// A pool with what it does, in a sample.
struct Pool<'a> {
    status: &'a PoolStatus,
    measured: Option<&'a PoolRate>,
    recently: Option<Recently>,
}

type Listed = Column<(SubscriberRate, Option<u64>), TimeZone>;

const REASONS: [Column<ReasonRate, ()>; 3] = [
    Column::new("reason", |rate: &ReasonRate, ()| Cell::text(rate.name())),
    Column::number("packets-a-second", |rate, ()| per_second(rate.per_second)),
    Column::number("packets", |rate, ()| Cell::number(rate.packets)),
];

const SUBSCRIBERS: [Listed; 6] = [
    Listed::new("subscriber", |(row, _), _| {
        Cell::text(row.record.subscriber.as_str())
    }),
    Listed::new("pool", |(row, _), _| {
        Cell::text(row.record.pool.as_deref().unwrap_or("-"))
    })
    .rank(Rank::Middle),
    Listed::number("packets-a-second", |(row, measured), _| {
        per_second(of_recent(row.recent, *measured).map(Recently::packets))
    })
    .rank(Rank::High),
    Listed::number("destinations", |(row, _), _| {
        let destinations = row.record.destinations;
        Cell::of(about(destinations), Value::Number(destinations.into()))
    })
    .rank(Rank::High),
    Listed::number("packets", |(row, _), _| Cell::number(row.record.packets)).rank(Rank::High),
    Listed::new("last-seen", |(row, _), zone| {
        Cell::time(
            show::instant(row.record.last_seen, zone),
            Some(row.record.last_seen),
        )
    })
    .rank(Rank::Low),
];

fn per_second(rate: Option<f64>) -> Cell {
    Cell::of(text::rate(rate), Value::Missing)
}

/// What was seen, for people.
pub(super) fn tables(before: &Sample, now: &Sample, zone: &TimeZone, width: Option<u16>) -> String {
    let mut all = format!("{}\n", headline(&now.status));
    let look = table::Look {
        width,
        is_wide: false,
        has_header: true,
    };
    let rates = now.rates.as_ref();
    let measured = rates.and_then(|rates| rates.measured_ms);
    if let Some(rates) = rates {
        add(
            &mut all,
            &table::text(&REASONS, &reasons(before.rates.as_ref(), rates), &(), look),
        );
    } else {
        all.push_str("the filter cannot be read\n");
    }
    let pools = now.status.pools.iter().map(|status| {
        let measured_of = rates.and_then(|rates| rates.pools.iter().find(|rate| rate.pool == status.name));
        Pool {
            status,
            measured: measured_of,
            recently: measured_of.and_then(|pool| of_recent(pool.recent, measured)),
        }
    });
    let pools: Vec<_> = pools.collect();
    if !pools.is_empty() {
        add(&mut all, &table::text(&columns_of_pools(), &pools, &(), look));
    }
    if let Ok(listed) = &now.subscribers {
        let active = listed
            .active
            .map_or_else(String::new, |active| format!("{active} active, "));
        // Writing to a string does not fail.
        let _ = writeln!(
            all,
            "\n{} of {} subscribers ({active}{} remembered)",
            listed.rows.len(),
            listed.matching,
            listed.remembered
        );
        let rows: Vec<_> = listed.rows.iter().map(|row| (row.clone(), measured)).collect();
        if !rows.is_empty() {
            let text = table::text(&SUBSCRIBERS, &rows, zone, look);
            let _ = write!(all, "{}\n{}", text.header, text.rows);
        }
    }
    all
}

fn columns_of_pools<'a>() -> [Column<Pool<'a>, ()>; 6] {
    [
        Column::new("pool", |pool: &Pool<'_>, ()| {
            Cell::text(pool.status.name.as_str())
        }),
        Column::new("state", |pool, ()| Cell::text(word(pool.status))),
        Column::number("blocked-a-second", |pool, ()| {
            per_second(pool.recently.map(|recently| recently.blocked))
        }),
        Column::number("monitored-a-second", |pool, ()| {
            per_second(pool.recently.map(|recently| recently.monitored))
        }),
        Column::number("active", |pool, ()| {
            number(pool.measured.and_then(|pool| pool.active))
        }),
        Column::number("subscribers", |pool, ()| {
            number(pool.measured.map(|pool| pool.subscribers))
        }),
    ]
}

fn number(number: Option<usize>) -> Cell {
    number.map_or_else(|| Cell::text("-"), |number| Cell::text(number.to_string()))
}

fn add(all: &mut String, text: &table::Text) {
    // Writing to a string does not fail.
    let _ = write!(all, "\n{}\n{}", text.header, text.rows);
}
