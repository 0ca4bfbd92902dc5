//! MPLS labels (RFC 3032) are skipped on the interfaces that say so.

use op25b::{
    datapath::{Decision, Filter, FrameKind, Interfaces, LoadOptions, TestRunner},
    policy::{self, Role},
};
use op25b_common::{Reason, Verdict};

use crate::support::{
    NOT_IP, check,
    framing::{Framing, MAX_TAGS},
    packet::Packet,
    prepared, row,
    world::{WORLDS, policy as sections},
};

const MPLS: [u16; 2] = [0x8847, 0x8848];
const MOST_LABELS: usize = 4;
/// Linux `LOOPBACK_IFINDEX`, on which test runs come in.
const LOOPBACK: u32 = 1;
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// A packet after so many labels, the last of which is marked.
fn labelled(labels: usize, packet: &[u8]) -> Vec<u8> {
    // All bits of the others' label, class and TTL are set.
    let mut stack = [0xff, 0xff, 0xfe, 0xff].repeat(labels);
    stack[labels * 4 - 2] |= 1;
    [&stack, packet].concat()
}

fn load(interfaces: &str, block: &str) -> TestRunner {
    let (compiled, description) = compiled(interfaces, block);
    TestRunner::load(&compiled, &description).unwrap()
}

fn compiled(interfaces: &str, block: &str) -> (policy::Compiled, op25b::datapath::Description) {
    let sections = sections(block);
    let text = format!("version: 1\ninterfaces: [{interfaces}]\n{sections}");
    prepared(&policy::parse("test.yaml", &text).unwrap().policy)
}

const SUBSCRIBER: &str = "{ name: eth1, role: subscriber, mpls: true }";

fn syns() -> Vec<Packet> {
    WORLDS.iter().map(|world| world.outbound().syn(25)).collect()
}

#[test]
fn every_row_has_one_verdict_after_one_to_four_labels() {
    let mut runner = load(SUBSCRIBER, "");
    let mut rows = Vec::new();
    for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100], &[0x8100; MAX_TAGS]] {
        let framing = Framing::tags(tags);
        for ethertype in MPLS {
            for labels in 1..=MOST_LABELS {
                for world in WORLDS {
                    for (words, packet, expected) in world.packets() {
                        // Nothing but its version says which IP it is.
                        if packet.bytes.len() < 20 {
                            continue;
                        }
                        rows.push(row(
                            format!("{words}, {} {framing}, {labels} labels", world.name),
                            framing.ethernet(ethertype, &labelled(labels, &packet.bytes)),
                            expected,
                        ));
                    }
                }
            }
        }
    }
    check(&mut runner, &rows);
}

#[test]
fn a_fifth_label_is_uninspectable_from_subscribers_and_not_ip_from_the_internet() {
    let interfaces = format!("{SUBSCRIBER}, {{ name: eth0, role: uplink, mpls: true }}");
    for (handling, verdict) in [("drop", Verdict::Drop), ("pass", Verdict::Pass)] {
        let mut runner = load(&interfaces, &format!("block: {{ uninspectable: {handling} }}\n"));
        for packet in syns() {
            let frame = Framing::default().ethernet(0x8847, &labelled(MOST_LABELS + 1, &packet.bytes));
            let hidden = Decision {
                verdict,
                reason: Reason::Uninspectable,
                rule: None,
            };
            assert_eq!(runner.run(&frame).unwrap(), hidden);
            assert_eq!(runner.run_from(Role::Uplink, &frame).unwrap().0, NOT_IP);
        }
    }
}

#[test]
fn pseudowires_and_stacks_that_are_cut_off_are_not_ip() {
    let mut runner = load(SUBSCRIBER, "block: { unlisted: drop }\n");
    let mut rows = Vec::new();
    for packet in syns() {
        let ethernet = Framing::default().frame(&packet);
        let with_control_word = [&[0, 0, 0, 1][..], &ethernet].concat();
        for (words, payload) in [
            ("Ethernet without a control word", &ethernet),
            ("Ethernet after a control word", &with_control_word),
        ] {
            let frame = Framing::default().ethernet(0x8847, &labelled(2, payload));
            rows.push(row(words, frame, NOT_IP));
        }
        let frame = Framing::default().ethernet(0x8847, &labelled(2, &packet.bytes));
        for length in 14..=14 + 8 {
            rows.push(row(
                format!("cut after {length}"),
                frame[..length].to_vec(),
                NOT_IP,
            ));
        }
    }
    check(&mut runner, &rows);
}

#[test]
fn after_labels_a_segment_is_dropped_without_a_reply() {
    let routers = "action: prohibit, prohibit_from: [192.0.2.1, '2001:db8::1']";
    for action in ["action: reset", routers] {
        let mut runner = load(SUBSCRIBER, &format!("block: {{ {action} }}\n"));
        for packet in syns() {
            let frame = Framing::default().ethernet(0x8847, &labelled(1, &packet.bytes));
            assert_eq!(runner.run(&frame).unwrap().verdict, Verdict::Drop, "{action}");
        }
    }
}

#[test]
fn labels_are_skipped_only_where_the_interface_says_so_and_are_counted_as_not_ip_elsewhere() {
    let interfaces =
        format!("{SUBSCRIBER}, {{ name: eth2, role: subscriber }}, {{ name: eth0, role: uplink }}");
    let (compiled, description) = compiled(&interfaces, "");
    let mut filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    let packet = &syns()[0];
    let frame = Framing::default().ethernet(0x8847, &labelled(1, &packet.bytes));
    for (name, action, not_ip) in [
        ("eth1", XDP_DROP, 0),
        ("eth2", XDP_PASS, 1),
        ("eth0", XDP_PASS, 1),
    ] {
        filter
            .enter_tunnels(&[(name, LOOPBACK)], &Interfaces::default())
            .unwrap();
        let counted = |filter: &Filter| {
            let all = filter.not_ip().unwrap().of(&[LOOPBACK], |_| None).remove(0);
            let mut kinds = all.iter();
            kinds
                .find(|(kind, _)| *kind == FrameKind::Ethertype(0x8847))
                .map_or(0, |(_, frames)| frames)
        };
        let before = counted(&filter);
        assert_eq!(filter.run(Role::Subscriber, &frame).unwrap().0, action, "{name}");
        assert_eq!(counted(&filter) - before, not_ip, "{name}");
    }
    // One of which nothing is known yet, such as a port that a bond has just got, leaves no gap.
    filter.enter_tunnels(&[], &Interfaces::default()).unwrap();
    assert_eq!(filter.run(Role::Subscriber, &frame).unwrap().0, XDP_DROP);
}
