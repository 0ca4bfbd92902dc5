//! What becomes of what the program wrote.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use op25b_common::{
    Reason, Tunnel, Verdict,
    event::{NO_VLAN, PacketEvent},
    values::NO_RULE,
};
use serde_json::json;

use super::{document::Made, *};
use crate::policy::{EventDestination, Policy, Role, parse};

impl Event {
    /// A blocked packet of a pool, so many microseconds after the epoch.
    pub(crate) fn fake(sequence: u64, pool: &str) -> Self {
        Self {
            sequence,
            time: Timestamp::from_microsecond(sequence.try_into().unwrap()).unwrap(),
            interface: "eth1".to_owned(),
            role: Role::Subscriber,
            verdict: Verdict::Drop,
            reason: Reason::Blocked,
            pool: Some(pool.to_owned()),
            source: Some("198.51.100.20/32".parse().unwrap()),
            source_port: Some(40_000),
            destination: None,
            nat64: None,
            destination_port: Some(25),
            flags: None,
            vlans: Vec::new(),
            pppoe_session: None,
            tunnels: Vec::new(),
            length: 74,
            first: false,
        }
    }
}

const POLICY: &str = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
nat64: [64:ff9b::/96]
pools:
  - { name: homes, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }
  - { name: mobile, prefixes: [203.0.113.0/24] }
";

fn policy() -> Policy {
    parse("policy.yaml", POLICY).unwrap().policy
}

fn v4(address: &str) -> [u8; 16] {
    address.parse::<Ipv4Addr>().unwrap().to_ipv6_mapped().octets()
}

fn v6(address: &str) -> [u8; 16] {
    address.parse::<std::net::Ipv6Addr>().unwrap().octets()
}

/// A SYN of a subscriber's that was rejected.
fn syn() -> PacketEvent {
    PacketEvent {
        time: 5_000_000_000,
        source: v4("198.51.100.20"),
        destination: v4("192.0.2.77"),
        interface: 3,
        pool: 0,
        rule: NO_RULE,
        length: 74,
        source_port: 40_000,
        destination_port: 25,
        vlans: [NO_VLAN; 2],
        pppoe_session: 0,
        reason: Reason::Blocked as u8,
        verdict: Verdict::Reject as u8,
        tcp_flags: 0x02,
        tunnels: 0,
        marks: PacketEvent::IS_FIRST
            | PacketEvent::HAS_ADDRESSES
            | PacketEvent::HAS_PORTS
            | PacketEvent::HAS_FLAGS,
        unused: 0,
    }
}

fn made(packet: &PacketEvent, destination: EventDestination) -> Option<Event> {
    Event::of(
        packet,
        Made {
            sequence: 7,
            policy: &policy(),
            destination,
            interface: "eth1".to_owned(),
            boot_to_unix: 1_800_000_000_123_456_789,
        },
    )
}

fn document(packet: &PacketEvent, destination: EventDestination) -> serde_json::Value {
    let event = made(packet, destination).unwrap();
    let document = serde_json::to_value(&event).unwrap();
    // A client reads what the daemon writes.
    assert_eq!(serde_json::from_value::<Event>(document.clone()).unwrap(), event);
    document
}

#[test]
fn a_blocked_segment_has_its_subscriber_pool_ports_and_flags_and_a_part_of_its_destination() {
    assert_eq!(
        document(&syn(), EventDestination::Prefix),
        json!({
            "sequence": 7,
            "time": "2027-01-15T08:00:05.123456Z",
            "interface": "eth1",
            "role": "subscriber",
            "verdict": "reject",
            "reason": "blocked",
            "pool": "homes",
            "source": "198.51.100.20",
            "source_port": 40_000,
            "destination": "192.0.2.0/24",
            "destination_port": 25,
            "flags": ["syn"],
            "length": 74,
            "first": true,
        })
    );
}

#[test]
fn as_much_of_a_destination_is_seen_as_the_policy_has_it() {
    let translated = PacketEvent {
        source: v6("2001:db8:100::10"),
        destination: v6("64:ff9b::192.0.2.77"),
        ..syn()
    };
    for (packet, seen, destination, nat64) in [
        (syn(), EventDestination::Full, json!("192.0.2.77"), json!(null)),
        (
            syn(),
            EventDestination::Prefix,
            json!("192.0.2.0/24"),
            json!(null),
        ),
        (syn(), EventDestination::None, json!(null), json!(null)),
        (
            translated,
            EventDestination::Full,
            json!("64:ff9b::c000:24d"),
            json!("192.0.2.77"),
        ),
        (
            translated,
            EventDestination::Prefix,
            json!("64:ff9b::/48"),
            json!("192.0.2.0/24"),
        ),
        (translated, EventDestination::None, json!(null), json!(null)),
    ] {
        let document = document(&packet, seen);
        assert_eq!(
            (&document["destination"], &document["nat64"]),
            (&destination, &nat64)
        );
        assert!(!document["source"].is_null());
    }
}

#[test]
fn on_an_uplink_interface_the_subscriber_is_the_destination_and_the_source_is_cut() {
    let answer = PacketEvent {
        source: v4("192.0.2.77"),
        destination: v4("198.51.100.20"),
        marks: syn().marks | PacketEvent::IS_FROM_UPLINK,
        tcp_flags: 0x12,
        ..syn()
    };
    for (seen, source) in [
        (EventDestination::Full, json!("192.0.2.77")),
        (EventDestination::Prefix, json!("192.0.2.0/24")),
        (EventDestination::None, json!(null)),
    ] {
        let document = document(&answer, seen);
        assert_eq!(
            [
                &document["role"],
                &document["source"],
                &document["destination"],
                &document["flags"]
            ],
            [
                &json!("uplink"),
                &source,
                &json!("198.51.100.20"),
                &json!(["syn", "ack"])
            ]
        );
    }
    let event = made(&answer, EventDestination::None).unwrap();
    assert_eq!(event.subscriber(), Some("198.51.100.20".parse().unwrap()));
}

#[test]
fn what_was_not_read_is_absent_and_what_it_was_in_is_named() {
    let hidden = PacketEvent {
        reason: Reason::Uninspectable as u8,
        verdict: Verdict::Drop as u8,
        pool: NO_RULE,
        vlans: [100, 20],
        pppoe_session: 7,
        tunnels: Tunnel::V4InV6.bit() | Tunnel::Gre.bit(),
        marks: 0,
        ..syn()
    };
    assert_eq!(
        document(&hidden, EventDestination::Full),
        json!({
            "sequence": 7,
            "time": "2027-01-15T08:00:05.123456Z",
            "interface": "eth1",
            "role": "subscriber",
            "verdict": "drop",
            "reason": "uninspectable",
            "vlans": [100, 20],
            "pppoe_session": 7,
            "tunnels": ["4in6", "gre"],
            "length": 74,
            "first": false,
        })
    );
    for impossible in [
        PacketEvent { reason: 200, ..syn() },
        PacketEvent { verdict: 9, ..syn() },
    ] {
        assert_eq!(made(&impossible, EventDestination::Full), None);
    }
}

#[test]
fn a_query_selects_by_pool_by_the_address_of_the_subscriber_and_by_reason() {
    let event = made(&syn(), EventDestination::None).unwrap();
    let hidden = made(&PacketEvent { marks: 0, ..syn() }, EventDestination::None).unwrap();
    let within = |net: &str| EventQuery {
        within: Some(net.parse().unwrap()),
        ..EventQuery::default()
    };
    let pool = |name: &str| EventQuery {
        pool: Some(name.to_owned()),
        ..EventQuery::default()
    };
    let reason = |name: &str| EventQuery {
        reason: Some(shown_reason(name).unwrap()),
        ..EventQuery::default()
    };
    for (query, matches) in [
        (EventQuery::default(), true),
        (within("198.51.100.0/24"), true),
        (within("198.51.100.20/32"), true),
        (within("198.51.100.21/32"), false),
        (within("::/0"), false),
        (pool("homes"), true),
        (pool("mobile"), false),
        (reason("blocked"), true),
        (reason("monitored"), false),
    ] {
        assert_eq!(query.matches(&event), matches, "{query:?}");
    }
    assert!(!within("0.0.0.0/0").matches(&hidden));
    assert!(shown_reason("relay").is_err());
}
