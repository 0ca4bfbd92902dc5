//! Frames of each kind of tunnel, and what hides in them.

use super::*;
use crate::parse::{extensions::skip_extensions, tcp::TCP};

const ALL: u8 = {
    let (mut all, mut number) = (0, 0);
    while number < Tunnel::ALL.len() {
        all |= Tunnel::ALL[number].bit();
        number += 1;
    }
    all
};

/// The first bytes of a segment from port 0xc001 to port 25.
const TCP_HEADER: [u8; 20] = [
    0xc0, 0x01, 0, 25, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
];

fn in_ipv4(protocol: u32, payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len() as u16).to_be_bytes();
    let mut header = [
        0x45,
        0,
        length[0],
        length[1],
        0,
        0,
        0,
        0,
        64,
        protocol as u8,
        0,
        0,
    ]
    .to_vec();
    header.extend([198, 51, 100, 7, 192, 0, 2, 25]);
    [&header, payload].concat()
}

fn in_ipv6(protocol: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    let header = [0x60, 0, 0, 0, length[0], length[1], protocol as u8, 64];
    [&header[..], &[0x20; 32], payload].concat()
}

fn in_gre(flags: u16, protocol: u16, optional: &[u8], payload: &[u8]) -> Vec<u8> {
    [
        &flags.to_be_bytes()[..],
        &protocol.to_be_bytes(),
        optional,
        payload,
    ]
    .concat()
}

fn in_l2tp(port: u16, message: &[u8], payload: &[u8]) -> Vec<u8> {
    [&[0x06, 0xa5][..], &port.to_be_bytes(), &[0; 4], message, payload].concat()
}

fn tcp_in_ipv4() -> Vec<u8> {
    in_ipv4(TCP, &TCP_HEADER)
}

fn tcp_in_ipv6() -> Vec<u8> {
    in_ipv6(TCP, &TCP_HEADER)
}

fn parse(packet: &[u8], enabled: u8) -> Result<Inner, Reason> {
    let outer = if packet[0] >> 4 == 4 {
        Network::V4
    } else {
        Network::V6
    };
    let upper = match outer {
        Network::V4 => parse_ipv4(&packet, 0),
        Network::V6 => parse_ipv6(&packet, 0),
    };
    parse_tunnel(&packet, outer, &upper?, enabled, |upper| {
        skip_extensions(&packet, upper);
    })
}

/// What is found in a packet in which the segment's ports show.
fn found(packet: &[u8]) -> (Tunnel, Network, u32) {
    let inner = parse(packet, ALL).expect("there is TCP in it");
    assert_eq!((inner.ports, inner.is_hidden), ([0xc001, 25], false));
    assert_eq!(inner.nested, None);
    let (network, offset) = inner.network.expect("its header can be read");
    (inner.kind, network, offset)
}

fn is_hidden(packet: &[u8]) -> bool {
    parse(packet, ALL).is_ok_and(|inner| inner.is_hidden)
}

#[test]
fn ip_in_ip_is_parsed() {
    let cases = [
        (in_ipv4(IPV4, &tcp_in_ipv4()), Tunnel::V4InV4, Network::V4, 20),
        (in_ipv4(IPV6, &tcp_in_ipv6()), Tunnel::V6InV4, Network::V6, 20),
        (in_ipv6(IPV4, &tcp_in_ipv4()), Tunnel::V4InV6, Network::V4, 40),
    ];
    for (packet, kind, network, offset) in cases {
        assert_eq!(found(&packet), (kind, network, offset));
        assert_eq!(parse(&packet, ALL & !kind.bit()), Err(Reason::NotTcp));
    }
    // IPv6 in IPv6 is not among them.
    assert_eq!(parse(&in_ipv6(IPV6, &tcp_in_ipv6()), ALL), Err(Reason::NotTcp));
}

#[test]
fn gre_is_parsed_with_each_of_its_options() {
    for (flags, optional) in [(0, 0), (0x8000, 4), (0x2000, 4), (0x1000, 4), (0xb000, 12)] {
        let packet = in_ipv4(GRE, &in_gre(flags, 0x0800, &vec![0; optional], &tcp_in_ipv4()));
        let offset = 24 + optional as u32;
        assert_eq!(found(&packet), (Tunnel::Gre, Network::V4, offset));
    }
    let packet = in_ipv6(GRE, &in_gre(0, 0x86dd, &[], &tcp_in_ipv6()));
    assert_eq!(found(&packet), (Tunnel::Gre, Network::V6, 44));
}

#[test]
fn gre_of_wccp_carries_the_outer_version_after_a_redirect_header_or_without() {
    let without = in_ipv4(GRE, &in_gre(0, 0x883e, &[], &tcp_in_ipv4()));
    assert_eq!(found(&without), (Tunnel::Gre, Network::V4, 24));
    let with = in_ipv4(GRE, &in_gre(0, 0x883e, &[0; 4], &tcp_in_ipv4()));
    assert_eq!(found(&with), (Tunnel::Gre, Network::V4, 28));
}

#[test]
fn gre_of_other_versions_and_payloads_is_not_tcp() {
    for (flags, protocol) in [(0x3001, 0x880b), (0x4000, 0x0800), (0, 0x6558)] {
        let packet = in_ipv4(GRE, &in_gre(flags, protocol, &[0; 8], &tcp_in_ipv4()));
        assert_eq!(parse(&packet, ALL), Err(Reason::NotTcp));
    }
}

#[test]
fn l2tp_is_parsed_with_each_of_its_options() {
    let ids = [0, 1, 0, 2];
    let messages = [
        [&[0x00, 0x02][..], &ids, &[0xff, 0x03, 0x00, 0x21]].concat(),
        [&[0x00, 0x02][..], &ids, &[0x21]].concat(),
        [&[0x40, 0x02][..], &[0, 99], &ids, &[0x00, 0x21]].concat(),
        [&[0x08, 0x02][..], &ids, &[0, 1, 0, 1], &[0x00, 0x21]].concat(),
        [&[0x02, 0x02][..], &ids, &[0, 3, 9, 9, 9], &[0x00, 0x21]].concat(),
    ];
    for message in messages {
        let packet = in_ipv4(UDP, &in_l2tp(1701, &message, &tcp_in_ipv4()));
        let offset = 28 + message.len() as u32;
        assert_eq!(found(&packet), (Tunnel::L2tp, Network::V4, offset));
    }
}

#[test]
fn other_udp_and_l2tp_without_ip_is_not_tcp() {
    let data = [0x00, 0x02, 0, 1, 0, 2, 0x00, 0x21];
    let control = [0xc8, 0x02, 0, 12, 0, 1, 0, 2, 0, 0, 0, 0];
    let version_3 = [0x00, 0x03, 0, 1, 0, 2, 0x00, 0x21];
    let lcp = [0x00, 0x02, 0, 1, 0, 2, 0xc0, 0x21];
    for (port, message) in [
        (53, &data[..]),
        (1701, &control),
        (1701, &version_3),
        (1701, &lcp),
    ] {
        let packet = in_ipv4(UDP, &in_l2tp(port, message, &tcp_in_ipv4()));
        assert_eq!(parse(&packet, ALL), Err(Reason::NotTcp));
    }
}

#[test]
fn a_packet_that_ends_inside_its_headers_is_hidden() {
    let gre = in_ipv4(GRE, &in_gre(0, 0x0800, &[], &tcp_in_ipv4()));
    let message = [0x00, 0x02, 0, 1, 0, 2, 0x00, 0x21];
    let l2tp = in_ipv4(UDP, &in_l2tp(1701, &message, &tcp_in_ipv4()));
    let v4 = in_ipv4(IPV4, &tcp_in_ipv4());
    for packet in [gre, l2tp, v4] {
        for length in 20..packet.len() - 16 {
            assert!(is_hidden(&packet[..length]), "{length} bytes of {packet:x?}");
        }
        assert!(!is_hidden(&packet));
    }
}

#[test]
fn early_fragments_are_hidden_and_later_ones_pass() {
    let mut packet = in_ipv4(IPV4, &tcp_in_ipv4());
    for (units, expected) in [(1, Ok(true)), (15, Ok(true)), (16, Err(Reason::LaterFragment))] {
        packet[7] = units;
        assert_eq!(parse(&packet, ALL).map(|inner| inner.is_hidden), expected);
    }
}

#[test]
fn a_tunnel_in_a_tunnel_is_hidden_if_it_is_enabled() {
    let packet = in_ipv4(IPV4, &in_ipv4(IPV6, &tcp_in_ipv6()));
    let inner = parse(&packet, ALL).expect("it may hide TCP");
    assert_eq!((inner.nested, inner.is_hidden), (Some(Tunnel::V6InV4), true));
    assert_eq!(parse(&packet, Tunnel::V4InV4.bit()), Err(Reason::NotTcp));
    // UDP that is not L2TP's, and PPTP's GRE, are no tunnels here.
    let dns = in_ipv4(IPV4, &in_ipv4(UDP, &in_l2tp(53, &[], &[])));
    assert_eq!(parse(&dns, ALL), Err(Reason::NotTcp));
    let pptp = in_ipv4(IPV4, &in_ipv4(GRE, &in_gre(0x3001, 0x880b, &[], &[])));
    assert_eq!(parse(&pptp, ALL), Err(Reason::NotTcp));
}

#[test]
fn extension_headers_inside_a_tunnel_are_skipped() {
    let mut options = [0; 8];
    options[0] = TCP as u8;
    let inner = in_ipv6(60, &[&options[..], &TCP_HEADER].concat());
    let packet = in_ipv4(IPV6, &inner);
    assert_eq!(found(&packet), (Tunnel::V6InV4, Network::V6, 20));
}

#[test]
fn an_inner_packet_ends_where_the_outer_one_does() {
    let mut packet = in_ipv4(IPV4, &tcp_in_ipv4());
    // Inside the ports.
    packet[3] = 42;
    assert!(is_hidden(&packet));
}
