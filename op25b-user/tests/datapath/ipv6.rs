//! Finding the ports in an IPv6 packet, after its extension headers.

use etherparse::IpNumber;
use op25b::datapath::TestRunner;

use crate::support::{
    LATER_FRAGMENT, NOT_TCP, OTHER_PORT, Row, UNINSPECTABLE, UNINSPECTABLE_DROPPED, blocked, check,
    framing::Framing,
    packet::{Extension, Packet, chain, syn_header},
    row, runner, uninspectable_dropped, uninspectable_passed,
    world::{V6, bare, policy},
};

/// So many extension headers are looked through.
const MAX_EXTENSIONS: usize = 8;
const FRAGMENT: IpNumber = IpNumber(44);
const EXTENSIONS: [u8; 8] = [0, 43, 44, 51, 60, 135, 139, 140];

fn default_runner() -> TestRunner {
    runner(&policy(""))
}

/// A subscriber's SYN after these headers.
fn syn_after(extensions: &[Extension], port: u16) -> Packet {
    let ends = V6.outbound();
    ends.v6(extensions, IpNumber::TCP, &ends.segment(syn_header(port), &[]))
}

#[test]
fn the_ports_are_found_after_every_extension_header() {
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for extension in Extension::ALL {
            for (port, expected) in [(25, blocked(0)), (587, OTHER_PORT)] {
                rows.push(row(
                    format!("port {port} after {extension:?}, {framing}"),
                    framing.frame(&syn_after(&[extension], port)),
                    expected,
                ));
            }
            let udp = V6.outbound().v6(&[extension], IpNumber::UDP, &[0; 16]);
            rows.push(row(
                format!("UDP after {extension:?}, {framing}"),
                framing.frame(&udp),
                NOT_TCP,
            ));
        }
    }
    check(&mut default_runner(), &rows);
}

#[test]
fn the_ports_are_found_after_extension_headers_of_every_length() {
    let mut rows = Vec::new();
    for (port, expected) in [(25, blocked(0)), (587, OTHER_PORT)] {
        for units in [1, 2, 3, 7, 31, 100, 254, 255] {
            for number in [0, 43, 60, 135, 139, 140] {
                let extension = Extension::Common(IpNumber(number), units);
                rows.push(row(
                    format!("port {port} after {extension:?}"),
                    bare(&syn_after(&[extension], port)),
                    expected,
                ));
            }
        }
        for icv in [0, 4, 12, 16, 32, 1016] {
            rows.push(row(
                format!("port {port} after AH with {icv} bytes of check value"),
                bare(&syn_after(&[Extension::Authentication(icv)], port)),
                expected,
            ));
        }
    }
    check(&mut default_runner(), &rows);
}

#[test]
fn every_pair_of_extension_headers_is_looked_through() {
    let mut rows = Vec::new();
    for first in Extension::ALL {
        for second in Extension::ALL {
            rows.push(row(
                format!("port 25 after {first:?} and {second:?}"),
                bare(&syn_after(&[first, second], 25)),
                blocked(0),
            ));
        }
    }
    check(&mut default_runner(), &rows);
}

#[test]
fn eight_extension_headers_are_looked_through_and_a_ninth_is_uninspectable() {
    let mixed = Extension::ALL;
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for count in 0..=MAX_EXTENSIONS {
            let mut add = |words: String, extensions: &[Extension]| {
                let words = format!("{count} headers, {words}, {framing}");
                for (port, expected) in [(25, blocked(0)), (587, OTHER_PORT)] {
                    let frame = framing.frame(&syn_after(extensions, port));
                    rows.push(row(format!("port {port} after {words}"), frame, expected));
                }
                let udp = V6.outbound().v6(extensions, IpNumber::UDP, &[0; 16]);
                rows.push(row(format!("UDP after {words}"), framing.frame(&udp), NOT_TCP));
            };
            add("all kinds".to_owned(), &mixed[..count]);
            for extension in Extension::ALL {
                add(format!("all {extension:?}"), &vec![extension; count]);
            }
        }
        for count in MAX_EXTENSIONS + 1..=MAX_EXTENSIONS + 3 {
            for extension in Extension::ALL {
                for (words, upper, port) in [
                    ("port 25", IpNumber::TCP, 25),
                    ("port 587", IpNumber::TCP, 587),
                    ("what may be UDP", IpNumber::UDP, 25),
                ] {
                    let ends = V6.outbound();
                    let segment = ends.segment(syn_header(port), &[]);
                    let packet = ends.v6(&vec![extension; count], upper, &segment);
                    rows.push(row(
                        format!("{words} after {count} headers, all {extension:?}, {framing}"),
                        framing.frame(&packet),
                        uninspectable_dropped(0),
                    ));
                }
            }
        }
        rows.push(row(
            format!("port 25 after one header of each kind, which are nine, {framing}"),
            framing.frame(&syn_after(&mixed, 25)),
            uninspectable_dropped(0),
        ));
    }
    check(&mut default_runner(), &rows);
}

#[test]
fn every_next_header_but_tcp_and_extensions_passes() {
    let segment = V6.outbound().segment(syn_header(25), &[]);
    let mut rows = Vec::new();
    // Among them ESP (50), ICMPv6 (58) and 'no next header' (59).
    for upper in (0..=255).filter(|upper| *upper != IpNumber::TCP.0 && !EXTENSIONS.contains(upper)) {
        for extensions in [&[][..], &[Extension::HOP_BY_HOP], &[Extension::FIRST_FRAGMENT]] {
            rows.push(row(
                format!("next header {upper} after {extensions:?}, with a blocked segment's bytes"),
                bare(&V6.outbound().v6(extensions, IpNumber(upper), &segment)),
                NOT_TCP,
            ));
        }
    }
    check(&mut default_runner(), &rows);
}

#[test]
fn a_first_fragment_with_ports_is_filtered_by_them() {
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for (port, expected) in [(25, blocked(0)), (587, OTHER_PORT)] {
            let segment = V6.outbound().segment(syn_header(port), &[]);
            for length in [4, 8, 16, 20] {
                for extensions in [
                    &[Extension::FIRST_FRAGMENT][..],
                    &[Extension::HOP_BY_HOP, Extension::FIRST_FRAGMENT],
                    &[Extension::FIRST_FRAGMENT, Extension::DESTINATION_OPTIONS],
                    // As many as no later fragment that passes overlaps.
                    &[Extension::FIRST_FRAGMENT, Extension::Common(IpNumber(60), 12)],
                    // What precedes the fragment header is in every fragment.
                    &[Extension::Common(IpNumber(60), 100), Extension::FIRST_FRAGMENT],
                ] {
                    let packet = V6.outbound().v6(extensions, IpNumber::TCP, &segment[..length]);
                    rows.push(row(
                        format!("{length} bytes of a segment to port {port} after {extensions:?}, {framing}"),
                        framing.frame(&packet),
                        expected,
                    ));
                }
            }
        }
    }
    check(&mut default_runner(), &rows);
}

/// The same packet from the pool and from outside, which hides its ports.
fn hidden() -> Vec<(String, Packet, Packet)> {
    let mut packets = Vec::new();
    let segment = V6.outbound().segment(syn_header(25), &[]);
    let mut add = |words: String, extensions: &[Extension], payload: &[u8]| {
        let [pooled, foreign] =
            [V6.outbound(), V6.foreign()].map(|ends| ends.v6(extensions, IpNumber::TCP, payload));
        packets.push((words, pooled, foreign));
    };
    for length in 0..4 {
        add(
            format!("a first fragment with {length} bytes of the TCP header (RFC 1858)"),
            &[Extension::FIRST_FRAGMENT],
            &segment[..length],
        );
        add(
            format!("a first fragment with a chain and {length} bytes of the TCP header"),
            &[Extension::FIRST_FRAGMENT, Extension::DESTINATION_OPTIONS],
            &segment[..length],
        );
    }
    for (length, more) in [(0, false), (8, true), (8, false), (20, false)] {
        add(
            format!("a fragment of {length} bytes that starts 8 bytes into the segment (RFC 3128)"),
            &[Extension::Fragment { offset: 1, more }],
            &segment[..length],
        );
    }
    // A later fragment that passes would overlap the TCP header after these.
    for units in [13, 14, 100] {
        add(
            format!("a first fragment with 8 * ({units} + 1) bytes of options"),
            &[Extension::FIRST_FRAGMENT, Extension::Common(IpNumber(60), units)],
            &segment,
        );
    }
    // No honest sender cuts within the first 128 bytes; and the next header of a later fragment proves nothing.
    for (offset, more) in [(1, true), (2, false), (3, true), (15, true), (15, false)] {
        for upper in [IpNumber::TCP, IpNumber::UDP, IpNumber(59), IpNumber(60)] {
            let fragment = Extension::Fragment { offset, more };
            let [pooled, foreign] =
                [V6.outbound(), V6.foreign()].map(|ends| ends.v6(&[fragment], upper, &segment));
            packets.push((
                format!(
                    "a fragment of next header {} that starts {offset} times 8 bytes in",
                    upper.0
                ),
                pooled,
                foreign,
            ));
        }
    }
    // RFC 7112: the fragment ends inside its header chain.
    let destination_options = IpNumber(60);
    let (_, options) = chain(&[Extension::Common(destination_options, 3)], IpNumber::TCP);
    for length in 0..options.len() {
        let (first, fragment) = chain(&[Extension::FIRST_FRAGMENT], destination_options);
        let payload = [&fragment[..], &options[..length]].concat();
        let [pooled, foreign] = [V6.outbound(), V6.foreign()].map(|ends| ends.v6(&[], first, &payload));
        let words = format!("a first fragment with {length} of 32 bytes of destination options (RFC 7112)");
        packets.push((words, pooled, foreign));
    }
    // 8 bytes into what may be destination options or TCP after them.
    let (first, fragment) = chain(
        &[Extension::Fragment {
            offset: 1,
            more: false,
        }],
        destination_options,
    );
    let payload = [&fragment[..], &segment].concat();
    let [pooled, foreign] = [V6.outbound(), V6.foreign()].map(|ends| ends.v6(&[], first, &payload));
    packets.push((
        "a fragment 8 bytes into destination options".to_owned(),
        pooled,
        foreign,
    ));
    packets
}

#[test]
fn a_packet_that_hides_its_ports_is_dropped_from_a_pool_and_from_elsewhere_where_unlisted_sources_are() {
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
            for (words, pooled, foreign) in hidden() {
                for (whence, packet, expected) in [
                    ("a pool", &pooled, from_pool),
                    ("outside", &foreign, from_outside),
                ] {
                    let frame = framing.frame(packet);
                    rows.push(row(format!("{words}, from {whence}, {framing}"), frame, expected));
                }
            }
        }
        check(&mut runner, &rows);
    }
}

#[test]
fn a_chain_that_leaves_the_packet_is_not_continued_in_its_padding() {
    let segment = V6.outbound().segment(syn_header(587), &[]);
    let mut rows = Vec::new();
    for extension in Extension::ALL {
        let packet = V6.outbound().v6(&[extension], IpNumber::TCP, &segment);
        for length in 1..8_u16 {
            let packet = packet
                .clone()
                .patched(|bytes| bytes[4..6].copy_from_slice(&length.to_be_bytes()));
            rows.push(row(
                format!("a packet with {length} bytes of {extension:?}, the rest being padding"),
                bare(&packet),
                uninspectable_dropped(0),
            ));
        }
    }
    let later = Extension::Fragment {
        offset: 2,
        more: false,
    };
    for length in 1..8_u16 {
        let packet = V6
            .outbound()
            .v6(&[later], IpNumber::TCP, &segment)
            .patched(|bytes| bytes[4..6].copy_from_slice(&length.to_be_bytes()));
        rows.push(row(
            format!("a packet with {length} bytes of {later:?}, the rest being padding"),
            bare(&packet),
            uninspectable_dropped(0),
        ));
    }
    check(&mut default_runner(), &rows);
}

#[test]
fn later_fragments_pass_whatever_their_bytes_look_like() {
    let segment = V6.outbound().segment(syn_header(25), &[]);
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for offset in [16, 17, 181, 0x1000, 0x1fff] {
            for more in [true, false] {
                let fragment = Extension::Fragment { offset, more };
                for extensions in [
                    &[fragment][..],
                    &[Extension::HOP_BY_HOP, Extension::ROUTING, fragment],
                ] {
                    let words = format!("{extensions:?}, {framing}");
                    let frame = |upper, payload| {
                        framing.frame(&V6.outbound().v6(extensions, IpNumber(upper), payload))
                    };
                    rows.push(row(
                        format!("TCP after {words}"),
                        frame(6, &segment),
                        LATER_FRAGMENT,
                    ));
                    rows.push(row(
                        format!("nothing after {words}"),
                        frame(6, &[]),
                        LATER_FRAGMENT,
                    ));
                    // What its fragmentable part starts with may be the chain's end, which is in the first one.
                    rows.push(row(
                        format!("destination options after {words}"),
                        frame(60, &segment),
                        LATER_FRAGMENT,
                    ));
                    // Only the next header of the first one counts (RFC 8200 section 4.5).
                    rows.push(row(
                        format!("UDP after {words}"),
                        frame(17, &segment),
                        LATER_FRAGMENT,
                    ));
                }
            }
        }
    }
    check(&mut default_runner(), &rows);
}

#[test]
fn the_reserved_bits_of_a_fragment_header_are_no_part_of_its_offset() {
    let rows: Vec<Row> = [
        (0x0006_u16, blocked(0)),
        (0x0007, blocked(0)),
        (0x000e, uninspectable_dropped(0)),
        (0x0016, uninspectable_dropped(0)),
        (0x007e, uninspectable_dropped(0)),
        (0x0086, LATER_FRAGMENT),
    ]
    .into_iter()
    .map(|(field, expected)| {
        // etherparse writes them as zeros; the field stands after the next header and a reserved byte.
        let packet = syn_after(&[Extension::ATOMIC_FRAGMENT], 25)
            .patched(|bytes| bytes[42..44].copy_from_slice(&field.to_be_bytes()));
        assert_eq!(packet.bytes[6], FRAGMENT.0);
        row(format!("an offset field of {field:04x}"), bare(&packet), expected)
    })
    .collect();
    check(&mut default_runner(), &rows);
}

#[test]
fn a_chain_longer_than_16_kibibytes_is_uninspectable() {
    // 2,048 bytes each: seven leave the ports within the program's reach.
    let long = Extension::Common(IpNumber(60), 255);
    let rows = [
        row(
            "port 25 after 14,336 bytes",
            bare(&syn_after(&[long; 7], 25)),
            blocked(0),
        ),
        row(
            "port 25 after 16,384 bytes",
            bare(&syn_after(&[long; 8], 25)),
            uninspectable_dropped(0),
        ),
    ];
    check(&mut default_runner(), &rows);
}
