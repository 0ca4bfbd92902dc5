//! The rule that decides on a packet whose ports can be read.

use std::net::IpAddr;

use op25b::datapath::Decision;

use crate::support::{
    NOT_POOLED, NOT_POOLED_DROPPED, Row, blocked, check, exempt,
    framing::Framing,
    packet::between,
    relay, row, runner,
    world::{EXEMPTIONS, POOLS, RELAYS, WORLDS, bare, policy},
};

/// Rows for SYNs to port 25, by source and destination.
pub fn flows(flows: &[(&str, &str, &str, Decision)]) -> Vec<Row> {
    flows
        .iter()
        .map(|(words, source, destination, expected)| {
            let [source, destination]: [IpAddr; 2] = [source, destination].map(|text| text.parse().unwrap());
            row(
                format!("{words}: {source} to {destination}"),
                bare(&between(source, destination).syn(25)),
                *expected,
            )
        })
        .collect()
}

#[test]
fn a_source_in_no_pool_is_handled_as_unlisted_says() {
    for (unlisted, expected) in [("pass", NOT_POOLED), ("drop", NOT_POOLED_DROPPED)] {
        let mut runner = runner(&policy(&format!("block: {{ unlisted: {unlisted} }}\n")));
        let mut rows = Vec::new();
        for framing in Framing::usual() {
            for world in WORLDS {
                for (words, destination) in [("a server", world.server), ("even the relay", world.relay)] {
                    rows.push(row(
                        format!("{} from outside to {words}, {framing}", world.name),
                        framing.frame(&between(world.stranger, destination).syn(25)),
                        expected,
                    ));
                }
                rows.push(row(
                    format!("{} from outside to another port, {framing}", world.name),
                    framing.frame(&world.foreign().syn(587)),
                    crate::support::OTHER_PORT,
                ));
                rows.push(row(
                    format!("{} from the pool, {framing}", world.name),
                    framing.frame(&world.outbound().syn(25)),
                    blocked(0),
                ));
            }
        }
        check(&mut runner, &rows);
    }
}

#[test]
#[rustfmt::skip]
fn the_longest_of_nested_pools_is_named() {
    let mut runner = runner(
        "pools:\n\
         - { name: middle, prefixes: [198.51.100.128/25, '2001:db8:100:8000::/49'] }\n\
         - { name: outer, prefixes: [198.51.100.0/22, '2001:db8:100::/40'] }\n\
         - { name: inner, prefixes: [198.51.100.200, '2001:db8:100:8000::c8'] }\n",
    );
    check(
        &mut runner,
        &flows(&[
            ("the outer one's first", "198.51.100.0", "203.0.113.80", blocked(1)),
            ("before the middle one", "198.51.100.127", "203.0.113.80", blocked(1)),
            ("the middle one's first", "198.51.100.128", "203.0.113.80", blocked(0)),
            ("before the inner one", "198.51.100.199", "203.0.113.80", blocked(0)),
            ("the inner one", "198.51.100.200", "203.0.113.80", blocked(2)),
            ("after the inner one", "198.51.100.201", "203.0.113.80", blocked(0)),
            ("the middle one's last", "198.51.100.255", "203.0.113.80", blocked(0)),
            ("after the middle one", "198.51.101.0", "203.0.113.80", blocked(1)),
            ("the outer one's last", "198.51.103.255", "203.0.113.80", blocked(1)),
            ("after the outer one", "198.51.104.0", "203.0.113.80", NOT_POOLED),
            ("before the outer one", "198.51.99.255", "203.0.113.80", NOT_POOLED),
            ("the outer one's first", "2001:db8:100::", "2001:db8:feed::80", blocked(1)),
            ("the middle one's first", "2001:db8:100:8000::", "2001:db8:feed::80", blocked(0)),
            ("the inner one", "2001:db8:100:8000::c8", "2001:db8:feed::80", blocked(2)),
            ("after the inner one", "2001:db8:100:8000::c9", "2001:db8:feed::80", blocked(0)),
            ("after the middle one", "2001:db8:101::", "2001:db8:feed::80", blocked(1)),
            ("after the outer one", "2001:db8:200::", "2001:db8:feed::80", NOT_POOLED),
        ]),
    );
}

#[test]
#[rustfmt::skip]
fn a_relay_is_that_address_and_not_its_neighbours() {
    let mut runner = runner(&policy(""));
    check(
        &mut runner,
        &flows(&[
            ("the relay", "198.51.101.7", "192.0.2.25", relay(0)),
            ("the address before it", "198.51.101.7", "192.0.2.24", blocked(0)),
            ("the address after it", "198.51.101.7", "192.0.2.26", blocked(0)),
            ("the relay", "2001:db8:101::7", "2001:db8::25", relay(0)),
            ("the address before it", "2001:db8:101::7", "2001:db8::24", blocked(0)),
            ("the address after it", "2001:db8:101::7", "2001:db8::26", blocked(0)),
            ("the relay's last bits elsewhere", "2001:db8:101::7", "2001:db8:0:1::25", blocked(0)),
        ]),
    );
}

#[test]
fn the_longest_of_nested_relays_is_named() {
    let mut runner = runner(&format!(
        "{POOLS}relays:\n- {{ name: all, prefixes: [192.0.2.0/24, '2001:db8::/64'] }}\n\
         - {{ name: one, prefixes: [192.0.2.25, '2001:db8::25'] }}\n"
    ));
    check(
        &mut runner,
        &flows(&[
            ("the inner relay", "198.51.101.7", "192.0.2.25", relay(1)),
            ("the outer relay", "198.51.101.7", "192.0.2.26", relay(0)),
            ("the inner relay", "2001:db8:101::7", "2001:db8::25", relay(1)),
            ("the outer relay", "2001:db8:101::7", "2001:db8::26", relay(0)),
        ]),
    );
}

#[test]
#[rustfmt::skip]
fn an_exempt_customer_at_the_relay_is_accounted_to_the_relay() {
    for exemptions in [
        EXEMPTIONS,
        "exemptions: [{ customer: Example KK, prefixes: [198.51.100.8/29, 2001:db8:108::/48], \
         destinations: [192.0.2.0/24, 2001:db8::/64] }]\n",
    ] {
        let mut runner = runner(&[POOLS, RELAYS, exemptions].concat());
        check(
            &mut runner,
            &flows(&[
                ("the relay first", "198.51.100.9", "192.0.2.25", relay(0)),
                ("beside it, the exemption", "198.51.100.9", "192.0.2.26", exempt(0)),
                ("the relay first", "2001:db8:108::9", "2001:db8::25", relay(0)),
                ("beside it, the exemption", "2001:db8:108::9", "2001:db8::26", exempt(0)),
            ]),
        );
    }
}

#[test]
fn a_destination_address_in_a_pool_makes_no_subscriber() {
    let mut runner = runner(&policy(""));
    let mut rows = Vec::new();
    for world in WORLDS {
        for (words, destination) in [
            ("a subscriber", world.subscriber),
            ("an exempt one", world.exempt),
        ] {
            rows.push(row(
                format!("{} from outside to {words}", world.name),
                bare(&between(world.stranger, destination).syn(25)),
                NOT_POOLED,
            ));
            rows.push(row(
                format!("{} from a subscriber to {words}", world.name),
                bare(&between(world.subscriber, destination).syn(25)),
                blocked(0),
            ));
        }
        rows.push(row(
            format!("{} from the relay's address", world.name),
            bare(&between(world.relay, world.server).syn(25)),
            NOT_POOLED,
        ));
    }
    check(&mut runner, &rows);
}
