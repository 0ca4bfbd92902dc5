//! The frame that is sent back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{
    Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpDscp, Ipv4Header, Ipv6FlowLabel, Ipv6Header,
    TcpHeader, TcpHeaderSlice, icmpv4, icmpv6, ip_number,
};

use super::{bytes::Bytes, may_reply, segment::Segment};
use crate::policy::{Action, Policy};

/// The hop limit of everything that is sent.
const HOPS: u8 = 64;
/// The shortest Ethernet frame, without its checksum.
const SHORTEST_FRAME: usize = 60;
/// The longest part of a packet that is quoted: what makes a datagram of 576 bytes (RFC 1812, 4.3.2.3).
const QUOTE_V4: usize = 576 - 20 - 8;
/// Likewise, of 1280 bytes (RFC 4443, 2.4).
const QUOTE_V6: usize = 1280 - 40 - 8;

/// The frame that answers this segment; none if there is no answer to it.
pub fn to(policy: &Policy, frame: &[u8], segment: &Segment) -> Option<Vec<u8>> {
    let tcp = may_reply::header(frame, segment)?;
    let addresses = (segment.addresses.source, segment.addresses.destination);
    match policy.block.action {
        Action::Drop => None,
        Action::Reset => {
            let mut tcp = reset(frame, segment, &tcp);
            let packet = match addresses {
                (IpAddr::V4(source), IpAddr::V4(destination)) => {
                    let ip = header_v4(destination, source, ip_number::TCP, TcpHeader::MIN_LEN);
                    tcp.checksum = tcp.calc_checksum_ipv4(&ip, &[]).ok()?;
                    [&ip.to_bytes()[..], &tcp.to_bytes()].concat()
                }
                (IpAddr::V6(source), IpAddr::V6(destination)) => {
                    let ip = header_v6(destination, source, ip_number::TCP, TcpHeader::MIN_LEN);
                    tcp.checksum = tcp.calc_checksum_ipv6(&ip, &[]).ok()?;
                    [&ip.to_bytes()[..], &tcp.to_bytes()].concat()
                }
                _ => return None,
            };
            let mut reply = framed(frame, segment, &packet);
            // Short frames were padded on their way here and are so on their way back.
            let least = SHORTEST_FRAME.min(frame.len());
            if reply.len() < least {
                reply.resize(least, 0);
            }
            Some(reply)
        }
        Action::Prohibit => {
            let packet = Bytes::of(frame).until(segment.end).from(segment.link.network)?;
            let packet = match addresses {
                (IpAddr::V4(source), IpAddr::V4(_)) => {
                    prohibit_v4(policy.router_v4()?, source, &packet[..packet.len().min(QUOTE_V4)])
                }
                (IpAddr::V6(source), IpAddr::V6(_)) => {
                    prohibit_v6(policy.router_v6()?, source, &packet[..packet.len().min(QUOTE_V6)])?
                }
                _ => return None,
            };
            Some(framed(frame, segment, &packet))
        }
    }
}

/// RFC 9293, 3.5.2, group 1: as if there were no connection.
fn reset(frame: &[u8], segment: &Segment, tcp: &TcpHeaderSlice<'_>) -> TcpHeader {
    let mut reset = TcpHeader::new(segment.destination_port, segment.source_port, 0, 0);
    reset.rst = true;
    if tcp.ack() {
        reset.sequence_number = tcp.acknowledgment_number();
    } else {
        let end = Bytes::of(frame).until(segment.end).readable();
        let payload = end - segment.at - tcp.slice().len();
        let length = payload + usize::from(tcp.syn()) + usize::from(tcp.fin());
        reset.ack = true;
        reset.acknowledgment_number = tcp
            .sequence_number()
            .wrapping_add(u32::try_from(length).expect("frames are short"));
    }
    reset
}

fn prohibit_v4(router: Ipv4Addr, to: Ipv4Addr, quote: &[u8]) -> Vec<u8> {
    let kind = Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::FilterProhibited);
    let icmp = Icmpv4Header::with_checksum(kind, quote);
    let mut ip = header_v4(router, to, ip_number::ICMP, icmp.header_len() + quote.len());
    // RFC 1812, 4.3.2.5: errors have the precedence of internetwork control.
    ip.dscp = IpDscp::try_new(0xc0 >> 2).expect("six bits");
    ip.header_checksum = ip.calc_header_checksum();
    [&ip.to_bytes()[..], &icmp.to_bytes(), quote].concat()
}

fn prohibit_v6(router: Ipv6Addr, to: Ipv6Addr, quote: &[u8]) -> Option<Vec<u8>> {
    let kind = Icmpv6Type::DestinationUnreachable(icmpv6::DestUnreachableCode::Prohibited);
    let icmp = Icmpv6Header::with_checksum(kind, router.octets(), to.octets(), quote).ok()?;
    let ip = header_v6(router, to, ip_number::IPV6_ICMP, icmp.header_len() + quote.len());
    Some([&ip.to_bytes()[..], &icmp.to_bytes(), quote].concat())
}

fn header_v4(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: etherparse::IpNumber,
    payload: usize,
) -> Ipv4Header {
    let payload = u16::try_from(payload).expect("answers are short");
    let mut header = Ipv4Header::new(payload, HOPS, protocol, source.octets(), destination.octets())
        .expect("answers are short");
    header.identification = 0;
    header.dont_fragment = true;
    header.header_checksum = header.calc_header_checksum();
    header
}

fn header_v6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    protocol: etherparse::IpNumber,
    payload: usize,
) -> Ipv6Header {
    Ipv6Header {
        traffic_class: 0,
        flow_label: Ipv6FlowLabel::ZERO,
        payload_length: u16::try_from(payload).expect("answers are short"),
        next_header: protocol,
        hop_limit: HOPS,
        source: source.octets(),
        destination: destination.octets(),
    }
}

/// A packet after the link header that the segment came with, in the other direction.
fn framed(frame: &[u8], segment: &Segment, packet: &[u8]) -> Vec<u8> {
    let mut reply = frame[..segment.link.network].to_vec();
    reply[..12].rotate_left(6);
    if let Some(pppoe) = segment.link.pppoe {
        let length = u16::try_from(pppoe.protocol_bytes + packet.len()).expect("answers are short");
        reply[pppoe.length_at..pppoe.length_at + 2].copy_from_slice(&length.to_be_bytes());
    }
    reply.extend(packet);
    reply
}
