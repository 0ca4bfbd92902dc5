//! The exact start and end of a prefix, at every length, in every table.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use op25b::datapath::Decision;

use crate::support::{
    NOT_POOLED, Row, blocked, check, exempt,
    packet::between,
    relay, row, runner,
    world::{V4, V6, World, bare},
};

/// A prefix, with addresses at its edges.
struct Edges {
    prefix: String,
    length: u32,
    first: IpAddr,
    last: IpAddr,
    before: IpAddr,
    after: IpAddr,
}

/// One prefix of each length from 2 bits on, with addresses before and after that are in none of the others: ones,
/// but `01` at the end. So 01, 101, 1101 and so on.
fn edges(bits: u32, address: fn(u128) -> IpAddr) -> Vec<Edges> {
    (2..=bits)
        .map(|length| {
            let host_bits = bits - length;
            // Shifted in two steps: 128 bits at once would be too many.
            let all = u128::MAX >> (128 - bits);
            let ones = all ^ ((all >> (length - 2)) & all);
            let first = ones | 1 << host_bits;
            let last = first | ((1 << host_bits) - 1);
            Edges {
                prefix: format!("{}/{length}", address(first)),
                length,
                first: address(first),
                last: address(last),
                before: address(first - 1),
                after: address(last + 1),
            }
        })
        .collect()
}

fn edges_v4() -> Vec<Edges> {
    edges(32, |bits| Ipv4Addr::from(u32::try_from(bits).unwrap()).into())
}

fn edges_v6() -> Vec<Edges> {
    edges(128, |bits| Ipv6Addr::from(bits).into())
}

/// Rules with one prefix each: IPv4's, then IPv6's.
fn rules(item: impl Fn(usize, &str) -> String) -> String {
    let mut text = String::new();
    for (index, edges) in edges_v4().iter().chain(&edges_v6()).enumerate() {
        writeln!(text, "- {}", item(index, &edges.prefix)).unwrap();
    }
    text
}

/// Each edge: the rule decides inside, and none outside. `frame` takes the family and the address.
fn rows(
    frame: impl Fn(&World, IpAddr) -> Vec<u8>,
    inside: impl Fn(usize) -> Decision,
    outside: Decision,
) -> Vec<Row> {
    let all = edges_v4()
        .into_iter()
        .map(|edges| (V4, edges))
        .chain(edges_v6().into_iter().map(|edges| (V6, edges)));
    let mut rows = Vec::new();
    for (rule, (world, edges)) in all.enumerate() {
        let prefix = &edges.prefix;
        for (words, address, expected) in [
            ("the first address of", edges.first, inside(rule)),
            ("the last address of", edges.last, inside(rule)),
            ("the address before", edges.before, outside),
            ("the address after", edges.after, outside),
        ] {
            rows.push(row(
                format!("{address}, {words} {prefix}"),
                frame(&world, address),
                expected,
            ));
        }
    }
    rows
}

#[test]
fn the_prefixes_of_these_tests_are_of_every_length_and_apart() {
    for (edges, bits) in [(edges_v4(), 32), (edges_v6(), 128)] {
        let lengths: Vec<u32> = edges.iter().map(|edges| edges.length).collect();
        assert_eq!(lengths, (2..=bits).collect::<Vec<_>>());
        for pair in edges.windows(2) {
            assert!(pair[0].after < pair[1].first && pair[0].after <= pair[1].before);
        }
    }
    assert_eq!(edges_v4()[0].prefix, "64.0.0.0/2");
    assert_eq!(edges_v4()[30].prefix, "255.255.255.253/32");
    assert_eq!(edges_v6()[1].prefix, "a000::/3");
}

#[test]
fn a_pool_begins_with_its_first_address_and_ends_with_its_last() {
    let pools = rules(|index, prefix| format!("{{ name: pool{index}, prefixes: ['{prefix}'] }}"));
    let mut runner = runner(&format!("pools:\n{pools}"));
    let rows = rows(
        |world, source| bare(&between(source, world.server).syn(25)),
        blocked,
        NOT_POOLED,
    );
    check(&mut runner, &rows);
}

const EVERYWHERE: &str = "pools: [{ name: all, prefixes: ['0.0.0.0/0', '::/0'] }]\n";

#[test]
fn a_relay_begins_with_its_first_address_and_ends_with_its_last() {
    let relays = rules(|index, prefix| format!("{{ name: relay{index}, prefixes: ['{prefix}'] }}"));
    let mut runner = runner(&format!("{EVERYWHERE}relays:\n{relays}"));
    let rows = rows(
        |world, destination| bare(&between(world.subscriber, destination).syn(25)),
        relay,
        blocked(0),
    );
    check(&mut runner, &rows);
}

#[test]
fn an_exemption_begins_with_its_first_address_and_ends_with_its_last() {
    let exemptions = rules(|index, prefix| format!("{{ customer: C{index}, prefixes: ['{prefix}'] }}"));
    let mut runner = runner(&format!("{EVERYWHERE}exemptions:\n{exemptions}"));
    let rows = rows(
        |world, source| bare(&between(source, world.server).syn(25)),
        exempt,
        blocked(0),
    );
    check(&mut runner, &rows);
}

#[test]
fn a_destination_begins_with_its_first_address_and_ends_with_its_last() {
    let exemptions = rules(|index, prefix| {
        let (v4, v6) = (V4.exempt, V6.exempt);
        format!("{{ customer: C{index}, prefixes: ['{v4}', '{v6}'], destinations: ['{prefix}'] }}")
    });
    let mut runner = runner(&format!("{EVERYWHERE}exemptions:\n{exemptions}"));
    let to = |source: fn(&World) -> IpAddr| {
        move |world: &World, destination| bare(&between(source(world), destination).syn(25))
    };
    check(&mut runner, &rows(to(|world| world.exempt), exempt, blocked(0)));
    check(
        &mut runner,
        &rows(to(|world| world.subscriber), |_| blocked(0), blocked(0)),
    );
}

#[test]
fn a_pool_of_everything_and_of_either_half_holds_the_first_and_the_last_address() {
    let mut all = runner(EVERYWHERE);
    let mut halves = runner(
        "pools:\n- { name: lower, prefixes: ['0.0.0.0/1', '::/1'] }\n\
         - { name: upper, prefixes: ['128.0.0.0/1', '8000::/1'] }\n",
    );
    for (source, half) in [
        ("0.0.0.0", 0),
        ("127.255.255.255", 0),
        ("128.0.0.0", 1),
        ("255.255.255.255", 1),
        ("::", 0),
        ("7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0),
        ("8000::", 1),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1),
    ] {
        let source: IpAddr = source.parse().unwrap();
        let server = if source.is_ipv4() { V4.server } else { V6.server };
        let frame = bare(&between(source, server).syn(25));
        check(
            &mut all,
            &[row(
                format!("from {source}, in a pool of everything"),
                frame.clone(),
                blocked(0),
            )],
        );
        check(
            &mut halves,
            &[row(
                format!("from {source}, in a pool of one half"),
                frame,
                blocked(half),
            )],
        );
    }
}

#[test]
fn a_pool_of_everything_in_one_family_does_not_affect_the_other() {
    for (prefix, pooled, other) in [("0.0.0.0/0", V4, V6), ("::/0", V6, V4)] {
        let mut runner = runner(&format!("pools: [{{ name: all, prefixes: ['{prefix}'] }}]\n"));
        check(
            &mut runner,
            &[
                row(
                    format!("a source in {prefix}"),
                    bare(&pooled.outbound().syn(25)),
                    blocked(0),
                ),
                row(
                    format!("a source not in {prefix}"),
                    bare(&other.outbound().syn(25)),
                    NOT_POOLED,
                ),
            ],
        );
    }
}
