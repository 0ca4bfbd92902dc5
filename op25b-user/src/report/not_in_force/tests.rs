//! Tests of the exemptions that do not let a connection pass.

use std::path::Path;

use jiff::{SignedDuration, tz::TimeZone};

use super::*;
use crate::{
    policy::parse_at,
    store::{
        ChangeKind, Record,
        fake::{Fake, record},
    },
};

const POLICY: &str = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
nat64: [64:ff9b::/96]
pools: [{ name: homes, prefixes: [198.51.100.0/24, '2001:db8:100::/40'] }]
exemptions:
  - { customer: Old KK, prefixes: [198.51.100.8/29], ticket: OPS-7, expires: 2026-11-01T00:00:00Z }
  - { customer: Narrow KK, prefixes: [198.51.100.8/32, '2001:db8:100::/56'], destinations: [192.0.2.0/24] }
  - { customer: Other, prefixes: [198.51.100.64/29], expires: 2026-11-02T00:00:00Z }
";

/// Half past three in the morning in Japan.
fn now() -> Timestamp {
    "2026-11-28T18:30:00Z".parse().unwrap()
}

fn hours_ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

fn blocked() -> Explained {
    Explained::fake("198.51.100.8", "drop", "blocked")
}

fn removed(number: u128, at: Timestamp) -> Record {
    let mut record = record(number, "Gone KK", "198.51.100.0/28");
    record.removed_at = Some(at);
    record
}

/// Explains with these stored records, and these events after them.
fn explained(mut explained: Explained, store: &Fake) -> Explained {
    let loaded = parse_at("policy.yaml", POLICY, now(), &TimeZone::UTC).unwrap();
    let file = FileExemptions {
        file: Path::new("policy.yaml"),
        lists: &[],
        exemptions: &loaded.policy.exemptions,
    };
    let nat64 = &loaded.policy.nat64;
    explained.add_not_in_force(file, store, nat64, now()).unwrap();
    explained
}

fn texts(explained: &Explained) -> Vec<String> {
    let zone = TimeZone::fixed(jiff::tz::offset(9));
    let found = explained.not_in_force.iter();
    found
        .map(|found| found.text(explained.destination, now(), &zone))
        .map(|text| text.replace("00000000000000000000000", "01K"))
        .collect()
}

#[test]
fn what_ended_was_removed_or_is_for_other_destinations_is_named_the_newest_first() {
    let mut ended = record(1, "Example KK", "198.51.100.8/29");
    ended.terms.ticket = Some("OPS-9".into());
    ended.terms.expires_at = Some("2026-11-28T18:00:00Z".parse().unwrap());
    let gone = removed(2, "2026-11-28T14:11:00Z".parse().unwrap());
    let mut narrow = record(3, "Example KK", "198.51.100.8/32");
    narrow.terms.destinations = [24, 25, 26, 27]
        .map(|length| IpNet::new([198, 51, 100, 0].into(), length).unwrap())
        .into();
    narrow.created_at = hours_ago(1);
    let elsewhere = record(4, "Elsewhere", "198.51.100.16/29");
    let mut late = removed(5, "2026-11-28T16:00:00Z".parse().unwrap());
    late.terms.expires_at = Some("2026-11-10T00:00:00Z".parse().unwrap());
    let mut store = Fake::of([ended, gone, narrow, elsewhere, late]);
    for removal in [1, 4] {
        store.events[removal].action = ChangeKind::Remove;
        store.events[removal].reason = Some("contract ended".to_owned());
    }
    let explained = explained(blocked(), &store);
    insta::assert_snapshot!(texts(&explained).join("\n"), @r"
    exemption 01K001 of Example KK (ticket OPS-9) ended 03:00 today (2026-11-29 03:00:00 +09:00)
    exemption 01K003 of Example KK does not reach 203.0.113.1 (only 198.51.100.0/24, 198.51.100.0/25, 198.51.100.0/26 and 1 more)
    exemption 01K002 of Gone KK was removed 23:11 yesterday (2026-11-28 23:11:00 +09:00) by operator: contract ended
    exemption 01K005 of Gone KK ended 2026-11-10 09:00:00 +09:00, and was removed 01:00 today (2026-11-29 01:00:00 +09:00) by operator: contract ended
    exemption line-6 of Old KK (ticket OPS-7) ended 2026-11-01 09:00:00 +09:00
    ");
    assert_eq!(explained.more_not_in_force, 1);
}

#[test]
fn at_most_five_are_named_and_the_rest_is_counted() {
    let store = Fake::of(
        (1..=8)
            .zip((2..=9).rev())
            .map(|(number, hours)| removed(number, hours_ago(hours))),
    );
    let explained = explained(blocked(), &store);
    let ids: Vec<_> = explained
        .not_in_force
        .iter()
        .map(|found| &found.id[25..])
        .collect();
    assert_eq!(ids, ["8", "7", "6", "5", "4"]);
    // With the two of the file.
    assert_eq!(explained.more_not_in_force, 5);
}

#[test]
fn what_should_hold_and_does_not_is_named_as_such() {
    let store = Fake::of([record(1, "Example KK", "198.51.100.8/29")]);
    let explained = explained(blocked(), &store);
    let first = explained
        .not_in_force
        .iter()
        .find(|found| found.state == NotInForceState::NotEnforced);
    assert_eq!(first.unwrap().customer, "Example KK");
}

#[test]
fn a_translated_destination_is_compared_by_its_ipv4_address() {
    let translated = |destination: &str| Explained {
        source: "2001:db8:100::7".parse().unwrap(),
        destination: destination.parse().unwrap(),
        ..blocked()
    };
    let states = |explained: &Explained| {
        let found = explained.not_in_force.iter();
        found.map(|found| found.state).collect::<Vec<_>>()
    };
    let reached = explained(translated("64:ff9b::192.0.2.1"), &Fake::default());
    assert_eq!(states(&reached), [NotInForceState::NotEnforced]);
    let other = explained(translated("64:ff9b::198.51.100.1"), &Fake::default());
    assert_eq!(states(&other), [NotInForceState::OtherDestinations]);
}

#[test]
fn nothing_is_named_where_no_exemption_is_missing() {
    let store = Fake::of([removed(1, hours_ago(1))]);
    for reason in ["exempt", "relay", "not_pooled", "other_port", "established"] {
        let passed = Explained {
            reason: reason.to_owned(),
            ..blocked()
        };
        assert_eq!(explained(passed, &store).not_in_force, [], "{reason}");
    }
    assert_eq!(store.lists.get(), 0);
}
