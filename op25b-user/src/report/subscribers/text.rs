//! Writes the report on subscribers as a table.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};

use super::row::{FilterSubscribers, SubscriberRow};

impl fmt::Display for FilterSubscribers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.subscribers.len();
        writeln!(
            f,
            "{shown} of {} subscribers ({} remembered) on {}",
            self.matching,
            self.remembered,
            self.interfaces.join(", ")
        )?;
        if shown > 0 {
            self.table(f)?;
        }
        if !self.pools_not_remembered.is_empty() {
            writeln!(
                f,
                "not remembered, by `subscribers: {{ remember: … }}` of the policy: {}",
                self.pools_not_remembered.join(", ")
            )?;
        }
        if self.ipv6_misses.lost > 0 {
            writeln!(
                f,
                "packets of IPv6 subscribers without a record, because the map was full: {}",
                self.ipv6_misses.lost
            )?;
        }
        Ok(())
    }
}

impl FilterSubscribers {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |heading: &str, widths: &mut dyn Iterator<Item = usize>| {
            widths.chain([heading.len()]).max().unwrap_or_default()
        };
        let rows = &self.subscribers;
        let first = width("subscriber", &mut rows.iter().map(|row| row.subscriber.len()));
        let pool = |row: &SubscriberRow| row.pool.clone().unwrap_or_else(|| "-".into());
        let second = width("pool", &mut rows.iter().map(|row| pool(row).chars().count()));
        writeln!(
            f,
            "{:<first$}  {:<second$}  {:>10}  {:>10}  {:>10}  {:>10}  {:>8}  {:>12}  {:<16}  last seen",
            "subscriber",
            "pool",
            "packets",
            "blocked",
            "monitored",
            "SYNs",
            "hidden",
            "destinations",
            "first seen"
        )?;
        for row in rows {
            let sum = |one: u32, other: u32| u64::from(one) + u64::from(other);
            writeln!(
                f,
                "{:<first$}  {:<second$}  {:>10}  {:>10}  {:>10}  {:>10}  {:>8}  {:>12}  {:<16}  {}",
                row.subscriber,
                pool(row),
                row.packets,
                sum(row.blocked_syns, row.blocked_others),
                sum(row.monitored_syns, row.monitored_others),
                sum(row.blocked_syns, row.monitored_syns),
                row.hidden,
                about(row.destinations),
                minute(row.first_seen),
                minute(row.last_seen),
            )?;
        }
        Ok(())
    }
}

/// An estimate with the precision of the sketch.
fn about(destinations: u32) -> String {
    match destinations {
        0..=4 => destinations.to_string(),
        5..=250 => format!("~{destinations}"),
        _ => "over 250".into(),
    }
}

fn minute(at: Timestamp) -> String {
    let at = at.to_zoned_datetime(TimeZone::system());
    at.strftime("%Y-%m-%d %H:%M").to_string()
}
