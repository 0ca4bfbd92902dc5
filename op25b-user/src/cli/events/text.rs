//! Events as text: the columns, and what was not shown.

use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};
use op25b_common::Reason;

use crate::{
    api::shown_prefix,
    cli::table::{Cell, Column, Rank, Value},
    report::{Event, EventCount},
};

type Listed = Column<Event, TimeZone>;

/// The columns.
pub(in crate::cli) const COLUMNS: [Listed; 13] = [
    Listed::new("time", |event, time_zone| {
        let clock = local(event.time, time_zone, "%H:%M:%S.%3f");
        Cell::time(
            local(event.time, time_zone, "%Y-%m-%d %H:%M:%S.%3f %:z"),
            Some(event.time),
        )
        .or_short(clock)
    }),
    Listed::new("reason", |event, _| Cell::text(event.reason.name())).rank(Rank::High),
    Listed::new("verdict", |event, _| Cell::text(event.verdict.name())).rank(Rank::Low),
    Listed::new("pool", |event, _| {
        Cell::text(event.pool.as_deref().unwrap_or("-"))
    })
    .rank(Rank::High),
    Listed::new("source", |event, _| net(event.source)),
    Listed::number("source-port", |event, _| port(event.source_port)).rank(Rank::Wide),
    Listed::new("destination", |event, _| match (event.destination, event.nat64) {
        (Some(destination), Some(nat64)) => Cell::of(
            format!("{} ({})", shown_prefix(destination), shown_prefix(nat64)),
            Value::Net(destination),
        ),
        (destination, _) => net(destination),
    })
    .rank(Rank::High),
    Listed::number("port", |event, _| port(event.destination_port)).rank(Rank::High),
    Listed::new("flags", |event, _| {
        Cell::text(
            event
                .flags
                .map_or_else(|| "-".to_owned(), |flags| flags.to_string()),
        )
    })
    .rank(Rank::Middle),
    Listed::new("interface", |event, _| Cell::text(event.interface.as_str())).rank(Rank::Middle),
    Listed::new("encapsulation", |event, _| Cell::text(encapsulation(event)))
        .rank(Rank::Low)
        .unless_all(""),
    Listed::number("length", |event, _| Cell::number(event.length)).rank(Rank::Wide),
    Listed::new("first", |event, _| {
        Cell::text(if event.first { "first" } else { "" })
    })
    .rank(Rank::High),
];

fn local(at: Timestamp, time_zone: &TimeZone, format: &str) -> String {
    at.to_zoned_datetime(time_zone.clone())
        .strftime(format)
        .to_string()
}

fn net(net: Option<IpNet>) -> Cell {
    net.map_or_else(
        || Cell::of("-", Value::Missing),
        |net| Cell::of(shown_prefix(net), Value::Net(net)),
    )
}

fn port(port: Option<u16>) -> Cell {
    port.map_or_else(|| Cell::of("-", Value::Missing), Cell::number)
}

/// `vlan 100.20 pppoe 7 gre`: what the packet was in, from the outside to the inside.
fn encapsulation(event: &Event) -> String {
    let mut parts = Vec::new();
    if !event.vlans.is_empty() {
        let ids: Vec<_> = event.vlans.iter().map(ToString::to_string).collect();
        parts.push(format!("vlan {}", ids.join(".")));
    }
    parts.extend(event.pppoe_session.map(|session| format!("pppoe {session}")));
    parts.extend(event.tunnels.iter().map(|tunnel| tunnel.name().to_owned()));
    parts.join(" ")
}

/// `1 event was`, `2 events were`.
pub(super) fn events(count: u64) -> String {
    match count {
        1 => "1 event was".to_owned(),
        many => format!("{many} events were"),
    }
}

/// What is said of packets that were not shown.
pub(super) fn counted(counts: &[EventCount], reason: Option<Reason>) -> String {
    let Sums {
        shown,
        sampled_out,
        lost,
    } = Sums::of(counts, reason);
    format!(
        "in all pools, since the daemon was started: {shown} shown, {sampled_out} sampled out, {lost} lost"
    )
}

/// The same of the time between two counts.
pub(super) fn counted_meanwhile(
    before: &[EventCount],
    after: &[EventCount],
    reason: Option<Reason>,
) -> String {
    let (before, after) = (Sums::of(before, reason), Sums::of(after, reason));
    format!(
        "in all pools, meanwhile: {} shown, {} sampled out, {} lost",
        after.shown.saturating_sub(before.shown),
        after.sampled_out.saturating_sub(before.sampled_out),
        after.lost.saturating_sub(before.lost),
    )
}

/// Counts of packets.
#[derive(Default)]
struct Sums {
    shown: u64,
    sampled_out: u64,
    lost: u64,
}

impl Sums {
    /// Of one reason, or of all.
    fn of(counts: &[EventCount], reason: Option<Reason>) -> Self {
        let of_reason = |count: &&EventCount| reason.is_none_or(|reason| reason.name() == count.reason);
        counts
            .iter()
            .filter(of_reason)
            .fold(Self::default(), |sums, count| Self {
                shown: sums.shown + count.shown,
                sampled_out: sums.sampled_out + count.sampled_out,
                lost: sums.lost + count.lost,
            })
    }
}
