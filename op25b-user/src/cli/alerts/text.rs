//! The columns of the list of alerts.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    api::shown_prefix,
    cli::{
        subscribers::text::about,
        table::{Cell, Column, Rank, Value},
    },
    report::{Alert, Beyond},
};

type Listed = Column<Alert, TimeZone>;

/// The columns.
pub(super) const COLUMNS: [Listed; 9] = [
    Listed::new("time", |alert, time_zone| local(alert.time, time_zone)),
    Listed::new("subscriber", |alert, _| {
        Cell::of(shown_prefix(alert.subscriber), Value::Net(alert.subscriber))
    }),
    Listed::new("pool", |alert, _| {
        Cell::text(alert.pool.as_deref().unwrap_or("-"))
    })
    .rank(Rank::High),
    Listed::new("beyond", |alert, _| {
        let words: Vec<_> = alert.beyond.iter().copied().map(Beyond::name).collect();
        Cell::text(words.join(" "))
    })
    .rank(Rank::High),
    Listed::number("blocked-syns", |alert, _| Cell::number(alert.blocked_syns)).rank(Rank::High),
    Listed::number("monitored-syns", |alert, _| Cell::number(alert.monitored_syns)).rank(Rank::Middle),
    Listed::number("exempt-syns", |alert, _| Cell::number(alert.exempt_syns)).rank(Rank::Middle),
    Listed::number("destinations", |alert, _| {
        Cell::of(
            about(alert.destinations),
            Value::Number(alert.destinations.into()),
        )
    })
    .rank(Rank::High),
    Listed::new("first-seen", |alert, time_zone| {
        local(alert.first_seen, time_zone)
    })
    .rank(Rank::Middle),
];

fn local(at: Timestamp, time_zone: &TimeZone) -> Cell {
    let local = at.to_zoned_datetime(time_zone.clone());
    Cell::time(local.strftime("%Y-%m-%d %H:%M:%S %:z").to_string(), Some(at))
}
