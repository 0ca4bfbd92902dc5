//! IPv4 relays and destinations that are reached through a NAT64.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use op25b::{
    datapath::{Decision, Filter, LoadOptions},
    policy::{Exemption, Role, Rules},
};

use crate::support::{
    Row, blocked, check, exempt,
    framing::Framing,
    packet::between,
    parse, prepared, relay, row, runner,
    world::{POOLS, RELAYS, V6, bare},
};

/// RFC 6052 section 2.4, tables 1 and 2: prefixes, and 192.0.2.33 under them.
const EXAMPLES: [(&str, &str); 7] = [
    ("2001:db8::/32", "2001:db8:c000:221::"),
    ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
    ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
    ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
    ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
    ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
    ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
];

/// SYNs of the IPv6 subscriber to these destinations.
fn syns(rows: &[(&str, &str, Decision)]) -> Vec<Row> {
    let rows = rows.iter().map(|(words, destination, expected)| {
        let destination: Ipv6Addr = destination.parse().unwrap();
        let frame = bare(&between(V6.subscriber, destination).syn(25));
        row(format!("{words}: {destination}"), frame, *expected)
    });
    rows.collect()
}

#[test]
fn a_relay_in_ipv4_is_reached_under_every_prefix_of_rfc_6052_and_no_other_address_is() {
    for (prefix, destination) in EXAMPLES {
        let relays = "relays: [{ name: post1, prefixes: [192.0.2.33] }]\n";
        let mut without = runner(&format!("{POOLS}{relays}"));
        check(
            &mut without,
            &syns(&[("without `nat64`", destination, blocked(0))]),
        );
        let mut runner = runner(&format!("{POOLS}{relays}nat64: ['{prefix}']\n"));
        let mut rows = syns(&[(prefix, destination, relay(0))]);
        let bits = u128::from(destination.parse::<Ipv6Addr>().unwrap());
        // The bits of the prefix and of the address, but not those of the suffix.
        let length: u8 = prefix.rsplit('/').next().unwrap().parse().unwrap();
        let length = if length == 96 { 128 } else { length + 40 };
        for bit in 0..128 {
            let near = IpAddr::from(Ipv6Addr::from(bits ^ 1 << (127 - bit)));
            let expected = if bit < length { blocked(0) } else { relay(0) };
            rows.push(row(
                format!("bit {bit} of {destination} is another"),
                bare(&between(V6.subscriber, near).syn(25)),
                expected,
            ));
        }
        check(&mut runner, &rows);
    }
}

#[test]
fn prefixes_of_relays_and_destinations_are_reached_around_the_reserved_octet() {
    let mut runner = runner(&format!(
        "{POOLS}nat64: ['2001:db8:122::/48', '64:ff9b::/96']\n\
         relays: [{{ name: post1, prefixes: [192.0.0.0/16] }}, {{ name: post2, prefixes: [192.0.2.0/24] }}]\n\
         exemptions: [{{ customer: A, prefixes: ['2001:db8:101::7'], destinations: [203.0.113.0/28] }}]\n"
    ));
    check(
        &mut runner,
        &syns(&[
            ("the first of the wider one", "2001:db8:122:c000::", relay(0)),
            ("its last", "2001:db8:122:c000:ff:ff00::", relay(0)),
            ("the next", "2001:db8:122:c001::", blocked(0)),
            ("the longer one", "2001:db8:122:c000:2:2100::", relay(1)),
            ("its last", "2001:db8:122:c000:2:ff00::", relay(1)),
            ("the next", "2001:db8:122:c000:3::", relay(0)),
            ("the destination's last", "2001:db8:122:cb00:71:0f00::", exempt(0)),
            ("the next", "2001:db8:122:cb00:71:1000::", blocked(0)),
            ("the other translator's", "64:ff9b::203.0.113.15", exempt(0)),
            ("the next", "64:ff9b::203.0.113.16", blocked(0)),
        ]),
    );
}

#[test]
fn a_relay_that_is_given_in_both_versions_belongs_to_the_first_that_names_it() {
    let relays = |first: &str, second: &str| {
        format!(
            "{POOLS}nat64: ['64:ff9b::/96']\n\
             relays: [{{ name: a, prefixes: ['{first}'] }}, {{ name: b, prefixes: ['{second}'] }}]\n"
        )
    };
    for (first, second) in [
        ("192.0.2.25", "64:ff9b::c000:219"),
        ("64:ff9b::c000:219", "192.0.2.25"),
    ] {
        let mut runner = runner(&relays(first, second));
        check(&mut runner, &syns(&[(first, "64:ff9b::c000:219", relay(0))]));
    }
}

#[test]
fn answers_through_a_translator_reach_subscribers_from_relays() {
    let mut runner = runner(&format!("{POOLS}{RELAYS}nat64: ['64:ff9b::/96']\n"));
    for (last, expected) in [(25, relay(0)), (26, blocked(0))] {
        let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0xc000, 0x0200 + last);
        let mut answer = crate::support::packet::syn_header(40_000);
        (answer.source_port, answer.ack) = (25, true);
        let frame = Framing::default().frame(&between(translated, V6.subscriber).tcp(answer));
        assert_eq!(runner.run_from(Role::Uplink, &frame).unwrap().0, expected);
    }
}

/// The action on a SYN of the IPv6 subscriber to an IPv4 server under the well-known prefix.
fn action(filter: &mut Filter, server: [u8; 4]) -> u32 {
    let [high, low] = [0, 2].map(|at| u16::from_be_bytes([server[at], server[at + 1]]));
    let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low);
    let frame = bare(&between(V6.subscriber, translated).syn(25));
    filter.run(Role::Subscriber, &frame).unwrap().0
}

#[test]
fn an_exemption_that_is_added_at_run_time_reaches_its_ipv4_destinations_too() {
    const PASS: u32 = 2;
    const DROP: u32 = 1;

    let policy = parse(&format!("{POOLS}nat64: ['64:ff9b::/96']\n"));
    let (compiled, description) = prepared(&policy);
    let mut filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    let mut rules = Rules::new(&policy).unwrap();
    let exemption: Exemption = parse(&format!(
        "{POOLS}exemptions: [{{ customer: A, prefixes: ['2001:db8:101::/48'], destinations: [203.0.113.0/24] }}]\n"
    ))
    .exemptions
    .remove(0);
    let server = Ipv4Addr::new(203, 0, 113, 80).octets();
    assert_eq!(action(&mut filter, server), DROP);
    let (rule, added) = rules.add(exemption).unwrap();
    filter.apply(&added).unwrap();
    assert_eq!(action(&mut filter, server), PASS);
    assert_eq!(action(&mut filter, [203, 0, 114, 80]), DROP);
    let removed = rules.remove(rule).unwrap().unwrap();
    filter.apply(&removed).unwrap();
    assert_eq!(action(&mut filter, server), DROP);
}
