//! What is found under Ethernet, VLAN tags and `PPPoE`, and what is not IP.

use etherparse::{ArpHardwareId, ArpOperation, ArpPacket, EtherType};
use op25b::{datapath::Decision, policy::Role};
use op25b_common::{Reason, Verdict};

use crate::support::{
    NOT_IP, Row, UNINSPECTABLE, UNINSPECTABLE_DROPPED, check, check_counted,
    framing::{Framing, MAX_TAGS, PPPOE_DISCOVERY, PppProtocol, TAGS},
    packet::Network,
    row, runner,
    world::{WORLDS, World, policy},
};

#[test]
fn every_row_has_one_verdict_after_every_sequence_of_tags_and_in_a_session() {
    let mut runner = runner(&policy(""));
    let framings = Framing::every();
    assert_eq!(framings.len(), (1 + 3 + 9 + 27 + 81) * 3);
    let mut rows = Vec::new();
    for framing in &framings {
        for world in WORLDS {
            for (words, packet, expected) in world.packets() {
                rows.push(row(
                    format!("{words}, {} {framing}", world.name),
                    framing.frame(&packet),
                    expected,
                ));
            }
        }
    }
    check(&mut runner, &rows);
}

#[test]
fn tags_do_not_affect_the_verdict_whatever_their_priority_and_vlan() {
    let mut runner = runner(&policy(""));
    let mut rows = Vec::new();
    for world in WORLDS {
        let framing = Framing::tags(&[0x88a8, 0x8100]);
        for (words, packet, expected) in world.packets() {
            for control in [0x0000_u16, 0x0fff, 0x1000, 0xe001, 0xffff] {
                let mut frame = framing.frame(&packet);
                // Priority, drop eligibility and VLAN of both tags at once.
                frame[14..16].copy_from_slice(&control.to_be_bytes());
                frame[18..20].copy_from_slice(&control.to_be_bytes());
                rows.push(row(
                    format!("{words}, {} in tags with {control:04x}", world.name),
                    frame,
                    expected,
                ));
            }
        }
    }
    check(&mut runner, &rows);
}

#[test]
fn what_is_not_ip_passes_even_if_its_bytes_would_be_blocked_as_ip() {
    let mut runner = runner(&policy("block: { unlisted: drop }\n"));
    let mut rows = Vec::new();
    for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100], &[0x8100; MAX_TAGS]] {
        let framing = Framing::tags(tags);
        for world in WORLDS {
            let bytes = world.outbound().syn(25).bytes;
            for (words, ethertype) in [
                ("an EtherType of 0", 0x0000),
                ("an 802.3 frame with a length", 0x0040),
                ("ARP", 0x0806),
                ("MPLS", 0x8847),
                ("PPPoE discovery", PPPOE_DISCOVERY),
                ("EAPOL", 0x888e),
                ("LLDP", 0x88cc),
                ("MACsec", 0x88e5),
                ("connectivity faults (802.1ag)", 0x8902),
                ("a tag of a kind that is not known", 0x9200),
                ("an EtherType of ones", 0xffff),
            ] {
                rows.push(row(
                    format!("{words}, {framing}, followed by a blocked {} packet", world.name),
                    framing.ethernet(ethertype, &bytes),
                    NOT_IP,
                ));
            }
            for (words, protocol) in [
                ("LCP", &[0xc0, 0x21][..]),
                ("PAP", &[0xc0, 0x23]),
                ("CHAP", &[0xc2, 0x23]),
                ("IPCP", &[0x80, 0x21]),
                ("IPv6CP", &[0x80, 0x57]),
                ("bridged Ethernet over PPP", &[0x00, 0x31]),
                ("bridged Ethernet over PPP in one byte", &[0x31]),
                ("a PPP protocol that ends like IPv4's", &[0x02, 0x21]),
                ("PPP padding", &[0x00, 0x00]),
            ] {
                rows.push(row(
                    format!("{words}, {framing}, followed by a blocked {} packet", world.name),
                    framing.pppoe(protocol, &bytes),
                    NOT_IP,
                ));
            }
        }
    }
    check(&mut runner, &rows);
}

#[test]
fn an_arp_request_passes() {
    let arp = ArpPacket::new(
        ArpHardwareId::ETHERNET,
        EtherType::IPV4,
        ArpOperation::REQUEST,
        &[2, 0, 0, 0, 0, 1],
        &[198, 51, 101, 7],
        &[0; 6],
        &[198, 51, 100, 1],
    )
    .unwrap()
    .to_bytes();
    let rows: Vec<Row> = [&[][..], &[0x88a8, 0x8100]]
        .into_iter()
        .map(|tags| {
            let framing = Framing::tags(tags);
            let frame = framing.ethernet(EtherType::ARP.0, &arp);
            row(format!("who is the router? {framing}"), frame, NOT_IP)
        })
        .collect();
    check(&mut runner(&policy("")), &rows);
}

#[test]
fn a_fifth_tag_is_uninspectable_and_dropped_as_the_policy_says() {
    for (handling, verdict) in [("drop", Verdict::Drop), ("pass", Verdict::Pass)] {
        let mut rows = Vec::new();
        for world in WORLDS {
            for session in [None, Some(PppProtocol::TwoBytes), Some(PppProtocol::OneByte)] {
                for tag in TAGS {
                    for fifth in TAGS {
                        let mut tags = vec![tag; MAX_TAGS];
                        tags.push(fifth);
                        let framing = Framing { tags, session };
                        rows.push(row(
                            format!("port 25 over {} {framing}", world.name),
                            framing.frame(&world.outbound().syn(25)),
                            Decision {
                                verdict,
                                reason: Reason::Uninspectable,
                                rule: None,
                            },
                        ));
                    }
                }
            }
        }
        check(
            &mut runner(&policy(&format!("block: {{ uninspectable: {handling} }}\n"))),
            &rows,
        );
    }
}

/// A packet after one tag more than is skipped, in every family.
pub fn after_five_tags() -> Vec<Vec<u8>> {
    let framing = Framing::tags(&[0x8100; MAX_TAGS + 1]);
    let hidden = |world: &World| framing.frame(&world.outbound().syn(25));
    WORLDS.iter().map(hidden).collect()
}

#[test]
fn a_fifth_tag_is_dropped_once_the_first_of_all_pools_is_enforced_or_where_unlisted_sources_are() {
    let (past, future) = ("2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z");
    for (unlisted, first, second, expected) in [
        (
            "pass",
            String::from("mode: monitor"),
            String::from("mode: monitor"),
            UNINSPECTABLE,
        ),
        (
            "pass",
            "mode: monitor".into(),
            format!("enforce_from: {future}"),
            UNINSPECTABLE,
        ),
        (
            "pass",
            "mode: monitor".into(),
            format!("enforce_from: {past}"),
            UNINSPECTABLE_DROPPED,
        ),
        (
            "pass",
            format!("enforce_from: {future}"),
            "mode: enforce".into(),
            UNINSPECTABLE_DROPPED,
        ),
        // It may come from a source in no pool.
        (
            "drop",
            "mode: monitor".into(),
            format!("enforce_from: {future}"),
            UNINSPECTABLE_DROPPED,
        ),
    ] {
        let mut runner = runner(&format!(
            "block: {{ unlisted: {unlisted} }}\npools:\n- {{ name: a, prefixes: [198.51.100.0/24], {first} }}\n- {{ name: b, prefixes: [203.0.113.0/24], {second} }}\n"
        ));
        let rows: Vec<_> = after_five_tags()
            .into_iter()
            .map(|frame| {
                row(
                    format!("unlisted: {unlisted}, pools with {first} and {second}"),
                    frame,
                    expected,
                )
            })
            .collect();
        check(&mut runner, &rows);
    }
}

#[test]
fn a_fifth_tag_on_an_uplink_interface_is_not_ip_and_under_no_reason() {
    let mut runner = runner(&policy("block: { inbound: block }\n"));
    let roles = [Role::Subscriber, Role::Uplink];
    let before = roles.map(|role| runner.counters(role).unwrap());
    for frame in after_five_tags() {
        let (decision, _) = runner.run_from(Role::Uplink, &frame).unwrap();
        assert_eq!(decision, NOT_IP);
    }
    for (role, before) in roles.into_iter().zip(&before) {
        check_counted(before, &runner.counters(role).unwrap(), [].into_iter());
    }
}

#[test]
fn a_packet_of_another_version_than_announced_is_not_ip() {
    let mut runner = runner(&policy("block: { unlisted: drop }\n"));
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for world in WORLDS {
            let packet = world.outbound().syn(25);
            let right = packet.bytes[0] >> 4;
            for version in (0..16).filter(|version| *version != right) {
                let packet = packet
                    .clone()
                    .patched(|bytes| bytes[0] = version << 4 | bytes[0] & 0x0f);
                rows.push(row(
                    format!("version {version} announced as {} {framing}", world.name),
                    framing.frame(&packet),
                    NOT_IP,
                ));
            }
            let mut packet = packet;
            packet.network = match packet.network {
                Network::V4 => Network::V6,
                Network::V6 => Network::V4,
            };
            rows.push(row(
                format!("{} announced as the other {framing}", world.name),
                framing.frame(&packet),
                NOT_IP,
            ));
        }
    }
    check(&mut runner, &rows);
}
