//! Tests of the oracle itself, on frames that etherparse builds.

use std::net::IpAddr;

use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};
use jiff::Timestamp;
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

use crate::{
    expected,
    generate::{self, Universe},
    policy::{Policy, Tunnel, nat64},
    verdict::{Answer, Reason, Role, Verdict},
};

const FROM: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
const TO: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

fn expect(policy: &str, role: Role, frame: &[u8]) -> Answer {
    expected::expect(&Policy::read(policy), role, frame, Timestamp::now())
}

/// A policy with one pool of each family and these blocks.
fn policy(block: &str) -> String {
    format!(
        "interfaces: [{{ role: subscriber }}]\nblock: {{ {block} }}\n\
         pools: [{{ prefixes: [198.51.100.0/22] }}, {{ prefixes: ['2001:db8:100::/40'] }}]\n"
    )
}

/// A SYN from a pool to port 25, after no, one and two VLAN tags, in both versions of IP.
fn syns() -> Vec<(usize, Vec<u8>)> {
    let source_v6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    let destination_v6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 80];
    let tags = 0..3;
    tags.flat_map(|tags| {
        let link = || PacketBuilder::ethernet2(FROM, TO);
        let v4 = |packet: etherparse::PacketBuilderStep<etherparse::IpHeaders>| {
            let mut frame = Vec::new();
            packet
                .tcp(40_000, 25, 1, 1024)
                .syn()
                .write(&mut frame, b"EHLO")
                .unwrap();
            frame
        };
        let (source, destination) = ([198, 51, 100, 9], [192, 0, 2, 80]);
        let id = |number| etherparse::VlanId::try_new(number).unwrap();
        let (four, six) = match tags {
            0 => (
                link().ipv4(source, destination, 9),
                link().ipv6(source_v6, destination_v6, 9),
            ),
            1 => (
                link().single_vlan(id(7)).ipv4(source, destination, 9),
                link().single_vlan(id(7)).ipv6(source_v6, destination_v6, 9),
            ),
            _ => (
                link().double_vlan(id(7), id(8)).ipv4(source, destination, 9),
                link()
                    .double_vlan(id(7), id(8))
                    .ipv6(source_v6, destination_v6, 9),
            ),
        };
        [(0, v4(four)), (1, v4(six))]
    })
    .collect()
}

#[test]
fn a_syn_from_a_pool_is_blocked_after_every_tag_and_in_both_versions() {
    for (pool, frame) in syns() {
        let answer = expect(&policy(""), Role::Subscriber, &frame);
        assert_eq!(
            (answer.verdict, answer.reason, answer.rule),
            (Verdict::Drop, Reason::Blocked, Some(pool))
        );
        let answer = expect(&policy("ports: [26]"), Role::Subscriber, &frame);
        assert_eq!(
            (answer.verdict, answer.reason, answer.rule),
            (Verdict::Pass, Reason::OtherPort, None)
        );
        assert_eq!(answer.output, Some(frame));
    }
}

#[test]
fn whatever_is_cut_off_a_syn_it_is_never_another_port() {
    for (pool, frame) in syns() {
        for length in 14..frame.len() {
            let answer = expect(&policy(""), Role::Subscriber, &frame[..length]);
            match answer.reason {
                Reason::NotIp => assert_eq!((answer.verdict, answer.rule), (Verdict::Pass, None)),
                Reason::Uninspectable | Reason::Blocked => {
                    assert_eq!((answer.verdict, answer.rule), (Verdict::Drop, Some(pool)));
                }
                other => panic!("{other:?} at {length}"),
            }
        }
    }
}

/// What etherparse reads in an answer: both ends and the transport header.
fn read(frame: &[u8]) -> (IpAddr, IpAddr, SlicedPacket<'_>) {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let (source, destination) = match packet.net.as_ref().unwrap() {
        etherparse::NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            assert_eq!(header.header_checksum, header.calc_header_checksum());
            (header.source.into(), header.destination.into())
        }
        etherparse::NetSlice::Ipv6(ip) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into())
        }
        other @ etherparse::NetSlice::Arp(_) => panic!("{other:?}"),
    };
    (source, destination, packet)
}

#[test]
fn a_reset_is_what_etherparse_reads_as_one() {
    for (pool, frame) in syns() {
        let answer = expect(&policy("action: reset"), Role::Subscriber, &frame);
        assert_eq!((answer.verdict, answer.rule), (Verdict::Reject, Some(pool)));
        let output = answer.output.unwrap();
        let ((from, to, _), (source, destination, packet)) = (read(&frame), read(&output));
        assert_eq!((source, destination), (to, from));
        let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
            panic!("no TCP: {packet:?}");
        };
        assert!(tcp.rst() && tcp.ack() && tcp.acknowledgment_number() == 1 + 4 + 1);
        assert_eq!((tcp.source_port(), tcp.destination_port()), (25, 40_000));
        let sum = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                tcp.to_header()
                    .calc_checksum_ipv4_raw(source.octets(), destination.octets(), &[])
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                tcp.to_header()
                    .calc_checksum_ipv6_raw(source.octets(), destination.octets(), &[])
            }
            _ => panic!("two families"),
        };
        assert_eq!(sum.unwrap(), tcp.checksum());
    }
}

#[test]
fn a_prohibition_comes_from_the_router_and_quotes_the_packet() {
    let policy = policy("action: prohibit, prohibit_from: [192.0.2.1, '2001:db8::1']");
    for (_, frame) in syns() {
        let output = expect(&policy, Role::Subscriber, &frame).output.unwrap();
        let ((from, _, original), (source, destination, packet)) = (read(&frame), read(&output));
        assert!(["192.0.2.1", "2001:db8::1"].contains(&source.to_string().as_str()));
        assert_eq!(destination, from);
        let quoted = match &packet.transport {
            Some(TransportSlice::Icmpv4(icmp)) => icmp.payload(),
            Some(TransportSlice::Icmpv6(icmp)) => {
                let (IpAddr::V6(source), IpAddr::V6(destination)) = (source, destination) else {
                    panic!("ICMPv6 in IPv4");
                };
                assert!(icmp.is_checksum_valid(source.octets(), destination.octets()));
                icmp.payload()
            }
            other => panic!("no ICMP: {other:?}"),
        };
        let header = 14 + 4 * original.link_exts.len();
        assert_eq!(quoted, &frame[header..]);
    }
}

#[test]
fn uplinks_look_into_no_tunnels() {
    let policy =
        "interfaces: [{ role: subscriber, tunnels: [4in4] }]\npools: [{ prefixes: [198.51.100.0/22] }]";
    assert!(Policy::read(policy).looks_into(Tunnel::V4InV4));
    let mut inner = Vec::new();
    PacketBuilder::ipv4([198, 51, 100, 9], [192, 0, 2, 80], 9)
        .tcp(40_000, 25, 1, 1024)
        .write(&mut inner, &[])
        .unwrap();
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(FROM, TO)
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 9)
        .write(&mut frame, etherparse::ip_number::IPV4, &inner)
        .unwrap();
    assert_eq!(expect(policy, Role::Subscriber, &frame).reason, Reason::Blocked);
    assert_eq!(expect(policy, Role::Uplink, &frame).reason, Reason::NotTcp);
}

#[test]
fn addresses_are_translated_as_in_the_examples_of_rfc_6052() {
    // Section 2.4, tables 1 and 2.
    for (prefix, expected) in [
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
        ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
    ] {
        let (prefix, expected): (_, std::net::Ipv6Addr) =
            (prefix.parse().unwrap(), expected.parse().unwrap());
        assert_eq!(nat64::embed(prefix, [192, 0, 2, 33].into()), expected);
        let relay = Policy::read(&format!(
            "interfaces: [{{ role: subscriber }}]\npools: []\nnat64: ['{prefix}']\nrelays: [{{ prefixes: [192.0.2.33/32] }}]\n"
        ));
        assert_eq!(relay.relay_at(expected.into()), Some(0), "{prefix}");
        for other in nat64::neighbours(prefix, "192.0.2.33/32".parse().unwrap()).split_off(2) {
            let is_suffix = other.octets()[15] == 1 && prefix.prefix_len() < 96;
            assert_eq!(
                relay.relay_at(other.into()).is_some(),
                is_suffix,
                "{other} under {prefix}"
            );
        }
    }
}

/// How many of the frames drawn for this policy get this answer.
fn drawn(policy: &Policy, is_meant: impl Fn(&Answer, &Answer) -> bool) -> usize {
    let mut without_tunnels = policy.clone();
    without_tunnels.interfaces[0].tunnels.clear();
    let mut runner = TestRunner::deterministic();
    let frames = generate::frame(&Universe::of(policy), 1_514);
    let now = Timestamp::now();
    let is_drawn = |_: &usize| {
        let frame = frames.new_tree(&mut runner).unwrap().current();
        let answer = |policy| expected::expect(policy, Role::Subscriber, &frame, now);
        is_meant(&answer(policy), &answer(&without_tunnels))
    };
    (0..3_000).filter(is_drawn).count()
}

#[test]
fn frames_for_a_policy_get_through_each_of_its_tunnels() {
    for tunnel in ["4in6", "6in4", "4in4", "6in6", "gre", "eogre", "l2tp"] {
        let policy = Policy::read(&format!(
            "interfaces: [{{ role: subscriber, tunnels: [{tunnel}] }}]\npools: [{{ prefixes: [0.0.0.0/0, '::/0'] }}]"
        ));
        let was_no_tcp = |without: &Answer| without.reason == Reason::NotTcp;
        let blocked = drawn(&policy, |answer, without| {
            was_no_tcp(without) && answer.reason == Reason::Blocked
        });
        let hidden = drawn(&policy, |answer, without| {
            was_no_tcp(without) && answer.reason == Reason::Uninspectable
        });
        assert!(
            blocked >= 10 && hidden >= 5,
            "{tunnel}: {blocked} blocked, {hidden} hidden"
        );
    }
}

#[test]
fn frames_for_a_policy_reach_its_relays_through_each_translator() {
    for nat64 in [
        "64:ff9b::/96",
        "2000::/32",
        "2100::/40",
        "2200::/48",
        "2300:0:0:300::/56",
        "2300::/64",
    ] {
        let policy = Policy::read(&format!(
            "interfaces: [{{ role: subscriber }}]\npools: [{{ prefixes: ['::/0'] }}]\n\
             relays: [{{ prefixes: [8.0.0.0/7, 10.0.0.1] }}]\nnat64: ['{nat64}']\n"
        ));
        let relayed = drawn(&policy, |answer, _| answer.reason == Reason::Relay);
        let blocked = drawn(&policy, |answer, _| answer.reason == Reason::Blocked);
        assert!(
            relayed >= 20 && blocked >= 20,
            "{nat64}: {relayed} relayed, {blocked} blocked"
        );
    }
}

#[test]
fn frames_for_a_policy_get_through_its_tags_labels_and_llc_snap() {
    const SNAP: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];
    let with = |interface, block| {
        let pools = "pools: [{ prefixes: [0.0.0.0/0, '::/0'] }]";
        let policy =
            format!("interfaces: [{{ role: subscriber{interface} }}]\nblock: {{ {block} }}\n{pools}");
        Policy::read(&policy)
    };
    let plain = with("", "ports: [25]");
    for (interface, block) in [("", "vlan_tpids: [0x9200]"), (", mpls: true", "ports: [25]")] {
        let policy = with(interface, block);
        let mut runner = TestRunner::deterministic();
        let frames = generate::frame(&Universe::of(&policy), 1_514);
        let mut counts = [0; 3];
        for _ in 0..3_000 {
            let frame = frames.new_tree(&mut runner).unwrap().current();
            let [without, answer] = [&plain, &policy]
                .map(|policy| expected::expect(policy, Role::Subscriber, &frame, Timestamp::now()).reason);
            let is_blocked = answer == Reason::Blocked;
            let has_snap = frame.windows(6).any(|bytes| bytes == SNAP);
            let is_new = without == Reason::NotIp;
            let found = [
                is_new && is_blocked,
                is_new && answer == Reason::Uninspectable,
                is_blocked && has_snap,
            ];
            for (count, found) in counts.iter_mut().zip(found) {
                *count += u32::from(found);
            }
        }
        assert!(
            counts.iter().all(|count| *count >= 5),
            "{interface} {block}: {counts:?}"
        );
    }
}

#[test]
fn frames_for_a_policy_get_through_two_tunnels_in_one_another() {
    let policy = |tunnels| {
        Policy::read(&format!(
            "interfaces: [{{ role: subscriber, tunnels: [{tunnels}] }}]\npools: [{{ prefixes: [0.0.0.0/0, '::/0'] }}]"
        ))
    };
    let both = policy("4in4, gre");
    // What is no TCP where only one of them is enabled, whichever it is, is in both.
    let single = [policy("4in4"), policy("gre")];
    let mut runner = TestRunner::deterministic();
    let frames = generate::frame(&Universe::of(&both), 1_514);
    let now = Timestamp::now();
    let (mut blocked, mut hidden) = (0, 0);
    for _ in 0..5_000 {
        let frame = frames.new_tree(&mut runner).unwrap().current();
        let reason = |policy| expected::expect(policy, Role::Subscriber, &frame, now).reason;
        if single.iter().all(|policy| reason(policy) == Reason::NotTcp) {
            blocked += u32::from(reason(&both) == Reason::Blocked);
            hidden += u32::from(reason(&both) == Reason::Uninspectable);
        }
    }
    assert!(
        blocked >= 10 && hidden >= 10,
        "{blocked} blocked, {hidden} hidden"
    );
}

proptest! {
    #[test]
    fn a_policy_is_read_as_it_was_written(policy in generate::policy(Timestamp::now())) {
        prop_assert_eq!(Policy::read(&policy.to_string()), policy);
    }

    #[test]
    fn the_oracle_has_an_answer_to_any_bytes(
        (policy, frame) in generate::policy(Timestamp::now()).prop_flat_map(|policy| {
            let frames = generate::frame(&Universe::of(&policy), 9_000);
            let any = prop::collection::vec(any::<u8>(), 14..200);
            (Just(policy), prop_oneof![3 => frames, 1 => any])
        }),
    ) {
        for role in [Role::Subscriber, Role::Uplink] {
            let answer = expected::expect(&policy, role, &frame, Timestamp::now());
            prop_assert_eq!(answer.output.is_none(), answer.verdict == Verdict::Drop);
        }
    }
}
