//! Frames that end too early, and packets that claim to.

use std::ops::Range;

use etherparse::IpNumber;
use op25b::datapath::Decision;

use crate::support::{
    NOT_IP, NOT_TCP, Row, UNINSPECTABLE, blocked, check,
    framing::Framing,
    packet::{Extension, Packet, V6_LENGTH, syn_header},
    row, runner, uninspectable_dropped, uninspectable_passed,
    world::{V4, V6, WORLDS, bare, policy},
};

/// The kernel runs the program on whole Ethernet headers only.
const SHORTEST_FRAME: usize = 14;
/// Bytes of a TCP header that hold the ports.
const PORTS: usize = 4;

/// The decision on every shorter version of a packet's frame.
struct Cuts {
    words: &'static str,
    packet: Packet,
    /// Bytes from the first of which on it is IP.
    header: usize,
    /// Bytes of the packet with which it gets the decision on the whole one.
    enough: usize,
    between: Decision,
    whole: Decision,
}

impl Cuts {
    fn rows(&self, framing: &Framing) -> Vec<Row> {
        let frame = framing.frame(&self.packet);
        let range: Range<usize> = SHORTEST_FRAME..frame.len() + 1;
        range
            .map(|length| {
                let expected = match length.checked_sub(framing.length()) {
                    Some(packet) if packet >= self.enough => self.whole,
                    Some(packet) if packet >= self.header => self.between,
                    _ => NOT_IP,
                };
                let words = format!("{length} of {} bytes, {framing}, of {}", frame.len(), self.words);
                row(words, frame[..length].to_vec(), expected)
            })
            .collect()
    }
}

fn cuts(uninspectable: Decision) -> Vec<Cuts> {
    let mut all = Vec::new();
    for world in WORLDS {
        let packet = world.outbound().syn(25);
        let header = packet.header_length();
        all.push(Cuts {
            words: "a blocked SYN",
            packet,
            header,
            enough: header + PORTS,
            between: uninspectable,
            whole: blocked(0),
        });
        let packet = world.outbound().udp(25);
        all.push(Cuts {
            words: "a UDP datagram",
            packet,
            header,
            enough: header,
            between: NOT_TCP,
            whole: NOT_TCP,
        });
        let packet = world.foreign().syn(587);
        all.push(Cuts {
            words: "a SYN from outside the pool",
            packet,
            header,
            enough: header + PORTS,
            between: UNINSPECTABLE,
            whole: crate::support::OTHER_PORT,
        });
    }
    let ends = V4.outbound();
    let segment = ends.segment(syn_header(25), &[]);
    all.push(Cuts {
        words: "a blocked SYN after IPv4 options",
        packet: ends.v4(IpNumber::TCP, &segment, |header| header.options = [1; 40].into()),
        header: 20,
        enough: 60 + PORTS,
        between: uninspectable,
        whole: blocked(0),
    });
    let ends = V6.outbound();
    let segment = ends.segment(syn_header(25), &[]);
    let chain = [
        Extension::HOP_BY_HOP,
        Extension::Common(IpNumber(60), 3),
        Extension::ATOMIC_FRAGMENT,
        Extension::AUTHENTICATION,
    ];
    let packet = ends.v6(&chain, IpNumber::TCP, &segment);
    all.push(Cuts {
        words: "a blocked SYN after IPv6 extension headers",
        enough: packet.bytes.len() - segment.len() + PORTS,
        packet,
        header: V6_LENGTH,
        between: uninspectable,
        whole: blocked(0),
    });
    all
}

#[test]
fn a_frame_cut_anywhere_is_not_ip_then_uninspectable_until_its_ports_are_there() {
    for (handling, uninspectable) in [
        ("drop", uninspectable_dropped(0)),
        ("pass", uninspectable_passed(0)),
    ] {
        let mut runner = runner(&policy(&format!("block: {{ uninspectable: {handling} }}\n")));
        for framing in Framing::usual() {
            for cuts in cuts(uninspectable) {
                check(&mut runner, &cuts.rows(&framing));
            }
        }
    }
}

/// Total length in IPv4, payload length in IPv6.
fn with_length(packet: Packet, upper: u16) -> Packet {
    let header = packet.header_length();
    packet.patched(|bytes| {
        let (field, length) = if header == V6_LENGTH {
            (4..6, upper)
        } else {
            (2..4, upper + 20)
        };
        bytes[field].copy_from_slice(&length.to_be_bytes());
    })
}

#[test]
fn ports_after_the_packets_own_end_are_padding() {
    let mut runner = runner(&policy(""));
    let mut rows = Vec::new();
    for world in WORLDS {
        // In IPv6 a length of 0 means another thing, see below.
        for length in 1..=20 {
            let expected = if length < 4 {
                uninspectable_dropped(0)
            } else {
                blocked(0)
            };
            let packet = with_length(world.outbound().syn(25), length);
            rows.push(row(
                format!(
                    "{} that counts {length} bytes of the TCP header as its own",
                    world.name
                ),
                bare(&packet),
                expected,
            ));
        }
    }
    for length in 1..20_u16 {
        let packet = V4
            .outbound()
            .syn(25)
            .patched(|bytes| bytes[2..4].copy_from_slice(&length.to_be_bytes()));
        rows.push(row(
            format!("IPv4 with a total length of {length}, less than its header"),
            bare(&packet),
            uninspectable_dropped(0),
        ));
    }
    check(&mut runner, &rows);
}

#[test]
fn a_length_of_zero_means_an_aggregate_or_a_jumbogram_and_hides_no_ports() {
    let mut runner = runner(&policy(""));
    let rows: Vec<Row> = WORLDS
        .iter()
        .map(|world| {
            let packet = world.outbound().syn(25).patched(|bytes| {
                let field = if world.name == "IPv4" { 2..4 } else { 4..6 };
                bytes[field].fill(0);
            });
            row(
                format!("{} with a length of 0", world.name),
                bare(&packet),
                blocked(0),
            )
        })
        .collect();
    check(&mut runner, &rows);
}

#[test]
fn padding_after_a_packet_has_no_effect() {
    let mut runner = runner(&policy(""));
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for world in WORLDS {
            for (words, packet, expected) in world.packets() {
                for padding in [1, 6, 46, 200] {
                    let mut frame = framing.frame(&packet);
                    frame.extend(vec![0xff; padding]);
                    rows.push(row(
                        format!("{words}, {} {framing}, and {padding} bytes after it", world.name),
                        frame,
                        expected,
                    ));
                }
            }
        }
    }
    check(&mut runner, &rows);
}
