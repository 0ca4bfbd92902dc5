//! Finding the ports in an IPv4 packet.

use etherparse::{IpNumber, Ipv4Options};
use op25b::datapath::TestRunner;

use crate::support::{
    LATER_FRAGMENT, NOT_TCP, OTHER_PORT, Row, UNINSPECTABLE, UNINSPECTABLE_DROPPED, blocked, check,
    framing::Framing,
    packet::{Packet, syn_header},
    row, runner, uninspectable_dropped, uninspectable_passed,
    world::{V4, bare, policy},
};

fn default_runner() -> TestRunner {
    runner(&policy(""))
}

#[test]
fn the_ports_are_found_after_options_of_every_length() {
    let ends = V4.outbound();
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for words in 5..=15_usize {
            // No-operation, so often (RFC 791).
            let options = vec![1; (words - 5) * 4];
            for (port, expected) in [(25, blocked(0)), (587, OTHER_PORT)] {
                let packet = ends.v4(IpNumber::TCP, &ends.segment(syn_header(port), &[]), |header| {
                    header.options = Ipv4Options::try_from(&options[..]).unwrap();
                });
                rows.push(row(
                    format!("port {port} after a header of {words} words, {framing}"),
                    framing.frame(&packet),
                    expected,
                ));
            }
        }
    }
    check(&mut default_runner(), &rows);
}

#[test]
fn options_that_look_like_ports_are_not_taken_for_them() {
    let ends = V4.outbound();
    // Where a header without options would have its ports: 49152 to 25 and to 587. As options they are nonsense.
    let rows: Vec<Row> = [(25_u16, 587, OTHER_PORT), (587, 25, blocked(0))]
        .into_iter()
        .map(|(decoy, port, expected)| {
            let [high, low] = decoy.to_be_bytes();
            let packet = ends.v4(IpNumber::TCP, &ends.segment(syn_header(port), &[]), |header| {
                header.options = [0xc0, 0x00, high, low].into();
            });
            row(
                format!("port {port} after options that read as port {decoy}"),
                bare(&packet),
                expected,
            )
        })
        .collect();
    check(&mut default_runner(), &rows);
}

/// A header with this length field, in words; etherparse writes none of fewer than 5.
fn with_ihl(packet: Packet, ihl: u8) -> Packet {
    packet.patched(|bytes| bytes[0] = 0x40 | ihl)
}

#[test]
fn a_header_shorter_than_its_least_length_is_uninspectable() {
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for ihl in 0..5 {
            for (words, packet, expected) in [
                (
                    "a SYN from the pool",
                    V4.outbound().syn(25),
                    uninspectable_dropped(0),
                ),
                (
                    "a SYN to another port from the pool",
                    V4.outbound().syn(443),
                    uninspectable_dropped(0),
                ),
                ("a SYN from outside", V4.foreign().syn(25), UNINSPECTABLE),
                ("UDP", V4.outbound().udp(25), NOT_TCP),
            ] {
                rows.push(row(
                    format!("{words} with a header of {ihl} words, {framing}"),
                    framing.frame(&with_ihl(packet, ihl)),
                    expected,
                ));
            }
        }
    }
    check(&mut default_runner(), &rows);
}

#[test]
fn a_header_longer_than_the_packet_is_uninspectable() {
    let rows: Vec<Row> = (10..=15)
        .map(|ihl| {
            row(
                format!("40 bytes whose header has {ihl} words"),
                bare(&with_ihl(V4.outbound().syn(25), ihl)),
                uninspectable_dropped(0),
            )
        })
        .collect();
    check(&mut default_runner(), &rows);
}

#[test]
fn a_first_fragment_with_ports_is_filtered_by_them() {
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for (port, expected) in [(25, blocked(0)), (587, OTHER_PORT)] {
            let segment = V4.outbound().segment(syn_header(port), &[]);
            for length in [4, 8, 16, 20] {
                let packet = V4
                    .outbound()
                    .v4_fragment(IpNumber::TCP, &segment[..length], 0, true);
                rows.push(row(
                    format!("a first fragment with {length} bytes of a segment to port {port}, {framing}"),
                    framing.frame(&packet),
                    expected,
                ));
            }
        }
    }
    check(&mut default_runner(), &rows);
}

/// First fragments too short for the ports (RFC 1858), and second ones that overlap the header (RFC 3128).
fn hidden(framing: &Framing) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut frames = Vec::new();
    let segment = V4.outbound().segment(syn_header(25), &[]);
    let mut add = |words: String, length: usize, offset: u16, more: bool| {
        let [pooled, foreign] = [V4.outbound(), V4.foreign()]
            .map(|ends| framing.frame(&ends.v4_fragment(IpNumber::TCP, &segment[..length], offset, more)));
        frames.push((words, pooled, foreign));
    };
    for length in 0..4 {
        let words = format!("a first fragment with {length} bytes of the TCP header, {framing}");
        add(words, length, 0, true);
    }
    for (length, more) in [(0, false), (8, true), (8, false), (20, false)] {
        let words = format!("a fragment of {length} bytes that starts 8 bytes into the segment, {framing}");
        add(words, length, 1, more);
    }
    frames
}

#[test]
fn a_fragment_that_hides_its_ports_is_dropped_from_a_pool_and_from_elsewhere_where_unlisted_sources_are() {
    for (handling, unlisted, from_pool, from_outside) in [
        ("drop", "drop", uninspectable_dropped(0), UNINSPECTABLE_DROPPED),
        ("drop", "pass", uninspectable_dropped(0), UNINSPECTABLE),
        ("pass", "drop", uninspectable_passed(0), UNINSPECTABLE),
    ] {
        let mut runner = runner(&policy(&format!(
            "block: {{ uninspectable: {handling}, unlisted: {unlisted} }}\n"
        )));
        let mut rows = Vec::new();
        for framing in Framing::usual() {
            for (words, pooled, foreign) in hidden(&framing) {
                rows.push(row(format!("{words}, from a pool"), pooled, from_pool));
                rows.push(row(format!("{words}, from outside"), foreign, from_outside));
            }
        }
        check(&mut runner, &rows);
    }
}

#[test]
fn later_fragments_pass_whatever_their_bytes_look_like() {
    let segment = V4.outbound().segment(syn_header(25), &[]);
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for offset in [2, 3, 185, 0x1000, 0x1fff] {
            for more in [true, false] {
                for length in [0, 1, 8, 20] {
                    let packet = V4
                        .outbound()
                        .v4_fragment(IpNumber::TCP, &segment[..length], offset, more);
                    rows.push(row(
                        format!("{length} bytes from {offset} times 8 on, more: {more}, {framing}"),
                        framing.frame(&packet),
                        LATER_FRAGMENT,
                    ));
                }
            }
        }
    }
    check(&mut default_runner(), &rows);
}

#[test]
fn every_protocol_but_tcp_passes_fragmented_or_not() {
    let segment = V4.outbound().segment(syn_header(25), &[]);
    let mut rows = Vec::new();
    for protocol in (0..=255).filter(|protocol| *protocol != IpNumber::TCP.0) {
        for (words, offset, more) in [
            ("whole", 0, false),
            ("a first fragment", 0, true),
            ("a fragment 8 bytes in", 1, true),
            ("a later fragment", 2, false),
        ] {
            let packet = V4
                .outbound()
                .v4_fragment(IpNumber(protocol), &segment, offset, more);
            rows.push(row(
                format!("protocol {protocol}, {words}, with a blocked segment's bytes"),
                bare(&packet),
                NOT_TCP,
            ));
        }
    }
    check(&mut default_runner(), &rows);
}
