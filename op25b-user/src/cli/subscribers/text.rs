//! The report on subscribers as text: a table for each filter, with what is left out of it.

use jiff::{SignedDuration, tz::TimeZone};

use crate::{
    cli::table::{Cell, Column, Rank, Value},
    report::{FilterSubscribers, SubscriberRow},
    time::show,
};

type Listed = Column<SubscriberRow, TimeZone>;

/// The columns. Their names are those by which the report sorts.
pub(super) const COLUMNS: [Listed; 10] = [
    Listed::new("subscriber", |row, _| Cell::text(row.subscriber.as_str())),
    Listed::new("pool", |row, _| Cell::text(row.pool.as_deref().unwrap_or("-"))).rank(Rank::Middle),
    // The sum of what follows.
    Listed::number("packets", |row, _| Cell::number(row.packets)).rank(Rank::Low),
    Listed::number("blocked", |row, _| {
        Cell::number(sum(row.blocked_syns, row.blocked_others))
    })
    .rank(Rank::High),
    Listed::number("monitored", |row, _| {
        Cell::number(sum(row.monitored_syns, row.monitored_others))
    })
    .rank(Rank::High),
    Listed::number("syns", |row, _| {
        Cell::number(sum(row.blocked_syns, row.monitored_syns))
    })
    .rank(Rank::Low),
    Listed::number("hidden", |row, _| Cell::number(row.hidden)).rank(Rank::Low),
    Listed::number("destinations", |row, _| {
        Cell::of(about(row.destinations), Value::Number(row.destinations.into()))
    })
    .rank(Rank::High),
    Listed::new("first-seen", |row, time_zone| {
        Cell::time(show::minute(row.first_seen, time_zone), Some(row.first_seen))
    })
    .most_first()
    .rank(Rank::Middle),
    Listed::new("last-seen", |row, time_zone| {
        Cell::time(show::minute(row.last_seen, time_zone), Some(row.last_seen))
    })
    .most_first()
    .rank(Rank::High),
];

/// The line before the table of a filter: how many are shown, and since when their packets are counted.
pub(super) fn summary(filter: &FilterSubscribers, since: Option<SignedDuration>) -> String {
    let selected = since.map_or_else(String::new, |since| {
        format!(" with a packet within the last {since:#}")
    });
    let counts = since.map_or_else(String::new, |since| format!(", not of the last {since:#}"));
    format!(
        "{} of {} subscribers{selected} ({} remembered) on {}; counts since first seen{counts}",
        filter.subscribers.len(),
        filter.matching,
        filter.remembered,
        filter.interfaces.join(", "),
    )
}

/// The lines after the table: what is in no record.
pub(super) fn remarks(filter: &FilterSubscribers) -> Vec<String> {
    let mut lines = Vec::new();
    if !filter.pools_not_remembered.is_empty() {
        lines.push(format!(
            "not remembered, by `subscribers: {{ remember: … }}` of the policy: {}",
            filter.pools_not_remembered.join(", ")
        ));
    }
    if filter.ipv6_misses.lost > 0 {
        lines.push(format!(
            "packets of IPv6 subscribers without a record, because the map was full: {}",
            filter.ipv6_misses.lost
        ));
    }
    lines
}

fn sum(one: u32, other: u32) -> u64 {
    u64::from(one) + u64::from(other)
}

/// An estimate with the precision of the sketch.
pub(in crate::cli) fn about(destinations: u32) -> String {
    match destinations {
        0..=4 => destinations.to_string(),
        5..=250 => format!("~{destinations}"),
        _ => "over 250".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::table::{Look, text},
        report::{MissesRow, SortOrder},
    };

    fn filter() -> FilterSubscribers {
        let row = |subscriber: &str, pool: Option<&str>, blocked, monitored, destinations| SubscriberRow {
            subscriber: subscriber.into(),
            pool: pool.map(ToOwned::to_owned),
            packets: u64::from(blocked + monitored),
            blocked_syns: blocked,
            blocked_others: 0,
            monitored_syns: monitored,
            monitored_others: 0,
            hidden: 31,
            destinations,
            first_seen: "2026-11-22T17:11:00Z".parse().unwrap(),
            last_seen: "2026-11-25T11:40:00Z".parse().unwrap(),
        };
        FilterSubscribers {
            interfaces: vec!["eth1".into()],
            policy_file: "/etc/op25b/policy.yaml".into(),
            ipv6_prefix: 64,
            pools_not_remembered: vec!["法人".into()],
            remembered: 9,
            matching: 3,
            subscribers: vec![
                row("198.51.100.20", Some("家庭用"), 8123, 0, 300),
                row("2001:db8:100:7::/64", Some("ﾓﾊﾞｲﾙ"), 96, 0, 9),
                row("203.0.113.77", None, 0, 12, 1),
            ],
            ipv6_misses: MissesRow { begun: 3, lost: 2 },
        }
    }

    fn shown(width: Option<u16>, since: Option<SignedDuration>) -> String {
        let look = Look {
            width,
            is_wide: false,
            has_header: true,
        };
        let filter = filter();
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        let text = text(&COLUMNS, &filter.subscribers, &zone, look);
        format!(
            "{}\n{}\n{}{}\nleft out: {:?}",
            summary(&filter, since),
            text.header,
            text.rows,
            remarks(&filter).join("\n"),
            text.left_out
        )
    }

    #[test]
    fn the_columns_are_aligned_with_names_of_pools_in_any_script() {
        insta::assert_snapshot!(shown(None, None), @r"
        3 of 3 subscribers (9 remembered) on eth1; counts since first seen
        SUBSCRIBER           POOL    PACKETS  BLOCKED  MONITORED  SYNS  HIDDEN  DESTINATIONS  FIRST SEEN               LAST SEEN
        198.51.100.20        家庭用     8123     8123          0  8123      31      over 250  2026-11-23 02:11 +09:00  2026-11-25 20:40 +09:00
        2001:db8:100:7::/64  ﾓﾊﾞｲﾙ        96       96          0    96      31            ~9  2026-11-23 02:11 +09:00  2026-11-25 20:40 +09:00
        203.0.113.77         -            12        0         12    12      31             1  2026-11-23 02:11 +09:00  2026-11-25 20:40 +09:00
        not remembered, by `subscribers: { remember: … }` of the policy: 法人
        packets of IPv6 subscribers without a record, because the map was full: 2
        left out: []
        ");
        insta::assert_snapshot!(shown(Some(80), None), @r#"
        3 of 3 subscribers (9 remembered) on eth1; counts since first seen
        SUBSCRIBER           BLOCKED  MONITORED  DESTINATIONS  LAST SEEN
        198.51.100.20           8123          0      over 250  2026-11-25 20:40 +09:00
        2001:db8:100:7::/64       96          0            ~9  2026-11-25 20:40 +09:00
        203.0.113.77               0         12             1  2026-11-25 20:40 +09:00
        not remembered, by `subscribers: { remember: … }` of the policy: 法人
        packets of IPv6 subscribers without a record, because the map was full: 2
        left out: ["pool", "packets", "syns", "hidden", "first-seen"]
        "#);
    }

    #[test]
    fn with_since_the_counts_are_labelled_as_what_they_are() {
        let hour = Some(SignedDuration::from_hours(1));
        let text = shown(None, hour);
        insta::assert_snapshot!(text.lines().next().unwrap_or_default(), @r"3 of 3 subscribers with a packet within the last 1h (9 remembered) on eth1; counts since first seen, not of the last 1h");
    }

    #[test]
    fn the_report_sorts_by_every_column() {
        for column in &COLUMNS {
            for sign in ["", "+", "-"] {
                let text = format!("{sign}{}", column.name());
                assert_eq!(text.parse::<SortOrder>().unwrap().to_string(), text);
            }
        }
    }
}
