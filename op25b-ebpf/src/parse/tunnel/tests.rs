//! Frames of each kind of tunnel, and what hides in them.

use super::*;
use crate::parse::{
    extensions::skip_extensions,
    tcp::{Ports, TCP, parse_ports},
};

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
    let ports = Ports::Known {
        source: 0xc001,
        destination: 25,
    };
    assert_eq!(parse_ports(&packet, inner.network, &inner.upper), Ok(ports));
    assert_eq!((inner.is_hidden(), inner.is_unaddressed), (false, false));
    let kind = Tunnel::ALL.into_iter().find(|kind| kind.bit() == inner.kinds);
    (kind.expect("one kind"), inner.network, inner.offset)
}

fn is_hidden(packet: &[u8]) -> bool {
    parse(packet, ALL).is_ok_and(|inner| inner.is_hidden())
}

#[test]
fn ip_in_ip_is_parsed() {
    let cases = [
        (in_ipv4(IPV4, &tcp_in_ipv4()), Tunnel::V4InV4, Network::V4, 20),
        (in_ipv4(IPV6, &tcp_in_ipv6()), Tunnel::V6InV4, Network::V6, 20),
        (in_ipv6(IPV4, &tcp_in_ipv4()), Tunnel::V4InV6, Network::V4, 40),
        (in_ipv6(IPV6, &tcp_in_ipv6()), Tunnel::V6InV6, Network::V6, 40),
    ];
    for (packet, kind, network, offset) in cases {
        assert_eq!(found(&packet), (kind, network, offset));
        assert_eq!(parse(&packet, ALL & !kind.bit()), Err(Reason::NotTcp));
    }
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
    for (flags, protocol) in [(0x3001, 0x880b), (0x4000, 0x0800), (0x4000, 0x6558), (0, 0x8847)] {
        let packet = in_ipv4(GRE, &in_gre(flags, protocol, &[0; 8], &tcp_in_ipv4()));
        assert_eq!(parse(&packet, ALL), Err(Reason::NotTcp));
    }
}

/// An Ethernet frame with these `EtherTypes`, each but the last followed by a VLAN.
fn in_ethernet(ethertypes: &[u16], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x02; 12];
    for (index, ethertype) in ethertypes.iter().enumerate() {
        if index > 0 {
            frame.extend([0x00, 0x2a]);
        }
        frame.extend(ethertype.to_be_bytes());
    }
    frame.extend(payload);
    frame
}

#[test]
fn ethernet_in_gre_is_parsed_with_tags_and_pppoe_and_each_of_its_options() {
    for (flags, optional) in [(0, 0), (0x2000, 4), (0xb000, 12)] {
        let frame = in_ethernet(&[0x0800], &tcp_in_ipv4());
        let packet = in_ipv4(GRE, &in_gre(flags, 0x6558, &vec![0; optional], &frame));
        let offset = 38 + optional as u32;
        assert_eq!(found(&packet), (Tunnel::EthernetInGre, Network::V4, offset));
    }
    let frame = in_ethernet(&[0x88a8, 0x8100, 0x86dd], &tcp_in_ipv6());
    let packet = in_ipv6(GRE, &in_gre(0, 0x6558, &[], &frame));
    assert_eq!(found(&packet), (Tunnel::EthernetInGre, Network::V6, 66));
    let session = [&[0x11, 0, 0, 1, 0, 42, 0x00, 0x21][..], &tcp_in_ipv4()].concat();
    let packet = in_ipv4(GRE, &in_gre(0, 0x6558, &[], &in_ethernet(&[0x8864], &session)));
    assert_eq!(found(&packet), (Tunnel::EthernetInGre, Network::V4, 46));
}

#[test]
fn ethernet_in_gre_and_ip_in_gre_are_enabled_one_by_one() {
    let ip = in_ipv4(GRE, &in_gre(0, 0x0800, &[], &tcp_in_ipv4()));
    let frame = in_ethernet(&[0x0800], &tcp_in_ipv4());
    let ethernet = in_ipv4(GRE, &in_gre(0, 0x6558, &[], &frame));
    for (packet, kind, other) in [
        (&ip, Tunnel::Gre, Tunnel::EthernetInGre),
        (&ethernet, Tunnel::EthernetInGre, Tunnel::Gre),
    ] {
        assert!(parse(packet, kind.bit()).is_ok());
        assert_eq!(parse(packet, other.bit()), Err(Reason::NotTcp));
        // A header that is cut off may be either's.
        let cut = parse(&packet[..22], ALL).map(|inner| inner.kinds);
        assert_eq!(cut, Ok(kind.bit() | other.bit()));
    }
}

#[test]
fn what_is_no_ip_in_ethernet_in_gre_is_not_tcp() {
    let arp = in_ethernet(&[0x0806], &[0; 28]);
    let lcp = in_ethernet(&[0x8864], &[0x11, 0, 0, 1, 0, 10, 0xc0, 0x21, 1, 1, 0, 4]);
    for frame in [arp, lcp] {
        let packet = in_ipv4(GRE, &in_gre(0, 0x6558, &[], &frame));
        assert_eq!(parse(&packet, ALL), Err(Reason::NotTcp));
    }
}

#[test]
fn more_tags_than_are_skipped_hide_whose_packet_is_in_a_tunnel() {
    let frame = in_ethernet(&[0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x0800], &tcp_in_ipv4());
    let packet = in_ipv4(GRE, &in_gre(0, 0x6558, &[], &frame));
    let inner = parse(&packet, ALL).expect("there may be TCP in it");
    assert!(inner.is_hidden() && inner.is_unaddressed);
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
    let frame = in_ethernet(&[0x8100, 0x0800], &tcp_in_ipv4());
    let ethernet = in_ipv4(GRE, &in_gre(0, 0x6558, &[], &frame));
    for packet in [gre, l2tp, v4, ethernet] {
        for length in 20..packet.len() - TCP_HEADER.len() {
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
        assert_eq!(parse(&packet, ALL).map(|inner| inner.is_hidden()), expected);
    }
}

/// Whether the source that counts is unknown in the second fragment of a packet with this protocol.
fn is_unaddressed_in_a_fragment(protocol: u32) -> bool {
    let mut packet = in_ipv4(protocol, &[0; 40]);
    packet[7] = 1;
    let inner = parse(&packet, ALL).expect("it may hide TCP");
    assert!(inner.is_hidden());
    inner.is_unaddressed
}

#[test]
fn an_early_fragment_is_its_outer_sources_only_where_it_may_be_of_ordinary_udp() {
    assert!(!is_unaddressed_in_a_fragment(UDP));
    for protocol in [IPV4, IPV6, GRE] {
        assert!(is_unaddressed_in_a_fragment(protocol), "protocol {protocol}");
    }
}

#[test]
fn a_first_fragment_that_ends_before_the_inner_header_hides_whose_it_is_except_in_ds_lite() {
    let message = [0x00, 0x02, 0, 1, 0, 2, 0x00, 0x21];
    let packets = [
        in_ipv4(IPV4, &tcp_in_ipv4()[..16]),
        in_ipv4(GRE, &in_gre(0, 0x0800, &[], &tcp_in_ipv4()[..12])),
        in_ipv4(UDP, &in_l2tp(1701, &message, &[])),
        in_ipv4(UDP, &in_l2tp(1701, &[], &[])),
    ];
    for mut packet in packets {
        let whole = parse(&packet, ALL).expect("it may hide TCP");
        assert!(whole.is_hidden() && !whole.is_unaddressed, "{packet:x?}");
        packet[6] = 0x20;
        let first = parse(&packet, ALL).expect("it may hide TCP");
        assert!(first.is_hidden() && first.is_unaddressed, "{packet:x?}");
    }
    let fragment = [IPV4 as u8, 0, 0, 1, 0, 0, 0, 1];
    let packet = in_ipv6(44, &[&fragment[..], &tcp_in_ipv4()[..16]].concat());
    let mut upper = parse_ipv6(&&packet[..], 0).expect("it is IPv6");
    skip_extensions(&&packet[..], &mut upper);
    let inner = parse_tunnel(&&packet[..], Network::V6, &upper, ALL, |_| {});
    assert_eq!(
        inner.map(|inner| (inner.is_hidden(), inner.is_unaddressed)),
        Ok((true, false))
    );
}

/// The tunnels that may start in a packet.
fn starts(packet: &[u8], enabled: u8) -> Result<u8, Reason> {
    let upper = parse_ipv4(&packet, 0).expect("it is IPv4");
    starts_tunnel(&packet, Network::V4, &upper, enabled)
}

#[test]
fn a_tunnel_starts_where_it_would_be_entered() {
    let ethernet = in_ethernet(&[0x0806], &[0; 28]);
    let ethernet = in_ipv4(GRE, &in_gre(0, 0x6558, &[], &ethernet));
    let l2tp = in_ipv4(UDP, &in_l2tp(1701, &[], &[]));
    let gre = in_ipv4(GRE, &in_gre(0, 0x0800, &[], &[]));
    for (packet, kind) in [
        (in_ipv4(IPV4, &[]), Tunnel::V4InV4),
        (in_ipv4(IPV6, &[]), Tunnel::V6InV4),
        (gre, Tunnel::Gre),
        (ethernet, Tunnel::EthernetInGre),
        (l2tp, Tunnel::L2tp),
    ] {
        assert_eq!(starts(&packet, ALL), Ok(kind.bit()));
        assert_eq!(starts(&packet, ALL & !kind.bit()), Err(Reason::NotTcp));
    }
    // UDP that is not L2TP's or does not show it, PPTP's GRE, and GRE with what is not parsed, are no tunnels here.
    for other in [
        in_ipv4(UDP, &in_l2tp(53, &[], &[])),
        in_ipv4(UDP, &[0; 2]),
        in_ipv4(GRE, &in_gre(0x3001, 0x880b, &[], &[])),
        in_ipv4(GRE, &in_gre(0, 0x8847, &[], &[0; 8])),
    ] {
        assert_eq!(starts(&other, ALL), Err(Reason::NotTcp));
    }
    // A GRE header that is cut off may be either kind's.
    let cut = starts(&in_ipv4(GRE, &[0; 3]), ALL);
    assert_eq!(cut, Ok(Tunnel::Gre.bit() | Tunnel::EthernetInGre.bit()));
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
    let inner = parse(&packet, ALL).expect("there is TCP in it");
    assert_eq!(
        parse_ports(&&packet[..], inner.network, &inner.upper),
        Ok(Ports::Hidden)
    );
}
