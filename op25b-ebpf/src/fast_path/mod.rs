//! The fast path: usual frames, which are IP without options, fragments and extension headers, after at most two VLAN tags
//! and `PPPoE`.
//!
//! Each such framing is compiled by itself, so every header is at an offset that is known at compile time: a packet that
//! is not filtered costs some twenty instructions, no stack and no call. The fast path only ever reaches the verdicts of
//! the slow path ([`crate::slow_path`]); everything else goes there.

pub mod descriptor;
mod start;

use aya_ebpf::bindings::xdp_md;
use op25b_common::Reason;
use op25b_ebpf::parse::{
    Network,
    ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_PPPOE_SESSION, proto_is_vlan},
    ipv4, ipv6,
    ppp::{MAX_PPP_LENGTH, PPP_IPV4, PPP_IPV6},
    tcp::{self, TCP},
    tunnel::proto_may_be_tunnel,
};

use self::{descriptor::Descriptor, start::Start};
use crate::maps;

const UDP: u32 = 17;
const ICMP_V6: u32 = 58;

/// What a frame is.
pub enum Parsed {
    /// A packet that passes whatever its ports.
    Pass(Reason),
    /// A TCP segment, with its source port in the upper half and its destination port in the lower.
    Segment(u32, Descriptor),
    /// One that only the slow path parses.
    SlowPath,
}

/// What follows an `EtherType`.
enum Next {
    /// A usual packet.
    Packet(Packet),
    /// A tag, and then another `EtherType`.
    Tag,
}

/// A usual packet.
enum Packet {
    /// None: the slow path counts the frame, if it finds no IP either.
    NotIp,
    /// IP with another protocol than TCP.
    Other(u32),
    /// TCP, as in [`Parsed`].
    Segment(u32, Descriptor),
}

/// Parses a frame.
#[inline(always)]
pub fn parse(ctx: *mut xdp_md) -> Parsed {
    match parse_tags(&Start::of(ctx)) {
        Some(Packet::Other(protocol)) if !proto_may_be_tunnel(protocol, maps::TUNNELS.load()) => {
            Parsed::Pass(Reason::NotTcp)
        }
        Some(Packet::Segment(ports, segment)) => Parsed::Segment(ports, segment),
        Some(Packet::NotIp | Packet::Other(..)) | None => Parsed::SlowPath,
    }
}

/// `None` for what is not usual.
#[inline(always)]
fn parse_tags(frame: &Start) -> Option<Packet> {
    // For each number of tags: where the EtherType is, and where IP is after it, or after PPPoE.
    if let Next::Packet(packet) = parse_ethertype::<12, 14, 22>(frame)? {
        return Some(packet);
    }
    if let Next::Packet(packet) = parse_ethertype::<16, 18, 26>(frame)? {
        return Some(packet);
    }
    match parse_ethertype::<20, 22, 30>(frame)? {
        Next::Packet(packet) => Some(packet),
        Next::Tag => None,
    }
}

#[inline(always)]
fn parse_ethertype<const ETHERTYPE: usize, const IP: usize, const PPPOE_IP: usize>(
    frame: &Start,
) -> Option<Next> {
    // Swapped at compile time: the number is compared as it lies in the frame.
    const IPV4: u16 = ETHERTYPE_IPV4.to_be();
    const IPV6: u16 = ETHERTYPE_IPV6.to_be();
    const PPPOE_SESSION: u16 = ETHERTYPE_PPPOE_SESSION.to_be();
    // What is too short for IP after it is not usual; IPv4 need not check again.
    if !frame.holds(IP + ipv4::HEADER_LENGTH as usize) {
        return None;
    }
    let packet = match frame.u16::<ETHERTYPE, 0>() {
        IPV4 => parse_ipv4::<IP>(frame, 0)?,
        IPV6 => parse_ipv6::<IP>(frame, 0)?,
        PPPOE_SESSION => parse_ppp::<PPPOE_IP>(frame)?,
        other if proto_is_vlan(u16::from_be(other)) => return Some(Next::Tag),
        _ => Packet::NotIp,
    };
    Some(Next::Packet(packet))
}

/// A compressed PPP protocol, which takes one byte, is not usual.
#[inline(always)]
fn parse_ppp<const IP: usize>(frame: &Start) -> Option<Packet> {
    const IPV4: u16 = (PPP_IPV4 as u16).to_be();
    const IPV6: u16 = (PPP_IPV6 as u16).to_be();
    if !frame.holds(IP + ipv4::HEADER_LENGTH as usize) {
        return None;
    }
    match frame.u16::<IP, -2>() {
        IPV4 => parse_ipv4::<IP>(frame, MAX_PPP_LENGTH),
        IPV6 => parse_ipv6::<IP>(frame, MAX_PPP_LENGTH),
        _ => None,
    }
}

#[inline(always)]
fn parse_ipv4<const IP: usize>(frame: &Start, ppp_length: u32) -> Option<Packet> {
    const HEADER: usize = ipv4::HEADER_LENGTH as usize;
    const TCP_HEADER: usize = tcp::HEADER_LENGTH as usize;
    /// Version 4, and a header without options.
    const PLAIN: u8 = 0x45;
    /// Fragment offset and "more fragments".
    const FRAGMENT: u16 = 0x3fff_u16.to_be();
    if !frame.holds(IP + HEADER) || frame.u8::<IP, 0>() != PLAIN {
        return None;
    }
    let protocol = u32::from(frame.u8::<IP, 9>());
    if protocol != TCP {
        return Some(Packet::Other(protocol));
    }
    let is_fragment = frame.u16::<IP, 6>() & FRAGMENT != 0;
    let length = usize::from(u16::from_be(frame.u16::<IP, 2>()));
    if is_fragment || length < HEADER + TCP_HEADER || !frame.holds(IP + HEADER + TCP_HEADER) {
        return None;
    }
    let ports = u32::from_be(frame.u32::<IP, 20>());
    Some(Packet::Segment(
        ports,
        Descriptor::new(Network::V4, IP as u32, ppp_length),
    ))
}

#[inline(always)]
fn parse_ipv6<const IP: usize>(frame: &Start, ppp_length: u32) -> Option<Packet> {
    const HEADER: usize = ipv6::HEADER_LENGTH as usize;
    const TCP_HEADER: usize = tcp::HEADER_LENGTH as usize;
    if !frame.holds(IP + HEADER) || frame.u8::<IP, 0>() >> 4 != 6 {
        return None;
    }
    let next_header = u32::from(frame.u8::<IP, 6>());
    match next_header {
        TCP => {}
        UDP | ICMP_V6 => return Some(Packet::Other(next_header)),
        // An extension header, or something rare.
        _ => return None,
    }
    let length = usize::from(u16::from_be(frame.u16::<IP, 4>()));
    if length < TCP_HEADER || !frame.holds(IP + HEADER + TCP_HEADER) {
        return None;
    }
    let ports = u32::from_be(frame.u32::<IP, 40>());
    Some(Packet::Segment(
        ports,
        Descriptor::new(Network::V6, IP as u32, ppp_length),
    ))
}
