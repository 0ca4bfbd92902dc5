//! What nearly all frames are, told at a glance: IP without options, fragments and extension headers, behind at most two
//! VLAN tags and `PPPoE`.
//!
//! Each such framing is compiled by itself, so every header is at a place that is known beforehand: a packet that is none
//! of our business costs some twenty instructions, no stack and no call. This only ever says what the long way
//! ([`crate::slow_path`]) would say as well; all that is not quite ordinary goes there.

pub mod descriptor;
mod start;

use aya_ebpf::bindings::xdp_md;
use op25b_common::Reason;

use self::{descriptor::Ordinary, start::Start};
use crate::{
    maps,
    parse::{
        Network, TCP,
        ethernet::{
            ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_PPPOE_SESSION, PPP_IPV4, PPP_IPV6, is_vlan_tag,
        },
        ipv4, ipv6, tunnel,
    },
    reject::TCP_HEADER_LENGTH,
};

const UDP: u32 = 17;
const ICMP_V6: u32 = 58;

/// What a frame is.
pub enum Seen {
    /// None of our business, whatever its ports.
    Untouched(Reason),
    /// A TCP segment, with its source port in the upper half and its destination port in the lower.
    Segment(u32, Ordinary),
    /// That takes a closer look.
    Unclear,
}

/// What stands behind an `EtherType`.
enum Behind {
    /// Something that is ordinary.
    Plain(Plain),
    /// Another `EtherType`.
    Tag,
}

/// What is ordinary.
enum Plain {
    NotIp,
    /// IP with another protocol than TCP.
    Other(u32),
    /// TCP, as in [`Seen`].
    Segment(u32, Ordinary),
}

/// Looks at a frame.
#[inline(always)]
pub fn glance(ctx: *mut xdp_md) -> Seen {
    match look(&Start::of(ctx)) {
        Some(Plain::NotIp) => Seen::Untouched(Reason::NotIp),
        Some(Plain::Other(protocol)) if !tunnel::is_looked_into(protocol, maps::TUNNELS.load()) => {
            Seen::Untouched(Reason::NotTcp)
        }
        Some(Plain::Segment(ports, place)) => Seen::Segment(ports, place),
        Some(Plain::Other(..)) | None => Seen::Unclear,
    }
}

/// `None` for what is not ordinary.
#[inline(always)]
fn look(frame: &Start) -> Option<Plain> {
    // For each number of tags: where the EtherType is, and where IP is behind it, or behind PPPoE.
    if let Behind::Plain(plain) = behind_ethertype::<12, 14, 22>(frame)? {
        return Some(plain);
    }
    if let Behind::Plain(plain) = behind_ethertype::<16, 18, 26>(frame)? {
        return Some(plain);
    }
    match behind_ethertype::<20, 22, 30>(frame)? {
        Behind::Plain(plain) => Some(plain),
        Behind::Tag => None,
    }
}

#[inline(always)]
fn behind_ethertype<const ETHERTYPE: usize, const IP: usize, const PPPOE_IP: usize>(
    frame: &Start,
) -> Option<Behind> {
    // Swapped here and not in the kernel: the number is compared as it lies in the frame.
    const IPV4: u16 = ETHERTYPE_IPV4.to_be();
    const IPV6: u16 = ETHERTYPE_IPV6.to_be();
    const PPPOE_SESSION: u16 = ETHERTYPE_PPPOE_SESSION.to_be();
    // What is too short for IP behind it is not ordinary; IPv4 need not ask again.
    if !frame.holds(IP + ipv4::HEADER_LENGTH as usize) {
        return None;
    }
    let plain = match frame.u16::<ETHERTYPE, 0>() {
        IPV4 => v4::<IP>(frame, 0)?,
        IPV6 => v6::<IP>(frame, 0)?,
        PPPOE_SESSION => behind_ppp::<PPPOE_IP>(frame)?,
        other if is_vlan_tag(u16::from_be(other)) => return Some(Behind::Tag),
        _ => Plain::NotIp,
    };
    Some(Behind::Plain(plain))
}

/// A compressed PPP protocol, which takes one byte, is not ordinary.
#[inline(always)]
fn behind_ppp<const IP: usize>(frame: &Start) -> Option<Plain> {
    const PPP_LENGTH: u32 = 2;
    const IPV4: u16 = (PPP_IPV4 as u16).to_be();
    const IPV6: u16 = (PPP_IPV6 as u16).to_be();
    if !frame.holds(IP + ipv4::HEADER_LENGTH as usize) {
        return None;
    }
    match frame.u16::<IP, -2>() {
        IPV4 => v4::<IP>(frame, PPP_LENGTH),
        IPV6 => v6::<IP>(frame, PPP_LENGTH),
        _ => None,
    }
}

#[inline(always)]
fn v4<const IP: usize>(frame: &Start, ppp_length: u32) -> Option<Plain> {
    const HEADER: usize = ipv4::HEADER_LENGTH as usize;
    const TCP_HEADER: usize = TCP_HEADER_LENGTH as usize;
    /// Version 4, and a header without options.
    const PLAIN: u8 = 0x45;
    /// Fragment offset and "more fragments".
    const FRAGMENT: u16 = 0x3fff_u16.to_be();
    if !frame.holds(IP + HEADER) || frame.u8::<IP, 0>() != PLAIN {
        return None;
    }
    let protocol = u32::from(frame.u8::<IP, 9>());
    if protocol != TCP {
        return Some(Plain::Other(protocol));
    }
    let is_fragment = frame.u16::<IP, 6>() & FRAGMENT != 0;
    let length = usize::from(u16::from_be(frame.u16::<IP, 2>()));
    if is_fragment || length < HEADER + TCP_HEADER || !frame.holds(IP + HEADER + TCP_HEADER) {
        return None;
    }
    let ports = u32::from_be(frame.u32::<IP, 20>());
    Some(Plain::Segment(
        ports,
        Ordinary::new(Network::V4, IP as u32, ppp_length),
    ))
}

#[inline(always)]
fn v6<const IP: usize>(frame: &Start, ppp_length: u32) -> Option<Plain> {
    const HEADER: usize = ipv6::HEADER_LENGTH as usize;
    const TCP_HEADER: usize = TCP_HEADER_LENGTH as usize;
    if !frame.holds(IP + HEADER) || frame.u8::<IP, 0>() >> 4 != 6 {
        return None;
    }
    let next_header = u32::from(frame.u8::<IP, 6>());
    match next_header {
        TCP => {}
        UDP | ICMP_V6 => return Some(Plain::Other(next_header)),
        // An extension header, or something rare.
        _ => return None,
    }
    let length = usize::from(u16::from_be(frame.u16::<IP, 4>()));
    if length < TCP_HEADER || !frame.holds(IP + HEADER + TCP_HEADER) {
        return None;
    }
    let ports = u32::from_be(frame.u32::<IP, 40>());
    Some(Plain::Segment(
        ports,
        Ordinary::new(Network::V6, IP as u32, ppp_length),
    ))
}
