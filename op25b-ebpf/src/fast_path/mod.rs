//! The fast path: usual frames, which are IP without options, fragments and extension headers, after at most two VLAN tags
//! and `PPPoE`.
//!
//! Each such framing is compiled by itself, so every header is at an offset that is known at compile time: a packet that
//! is not filtered costs some thirty instructions, no stack, no call and no register that the kernel saves. The fast path only
//! ever reaches the verdicts of the slow path ([`crate::slow_path`]); everything else goes there.

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
    tunnel::{UDP, kinds, l2tp::L2TP_PORT},
};

use self::{descriptor::Descriptor, start::Start};
use crate::{framing, maps, pass::leave};

const ICMP_V6: u32 = 58;

/// What follows an `EtherType`.
enum Next {
    /// A TCP segment that is filtered.
    Segment(Descriptor),
    /// A tag, and then another `EtherType`.
    Tag,
}

/// A TCP segment that is filtered, which `is_filtered` tells from its source and destination port; `None` for a frame that only
/// the slow path parses. A packet that passes ends here. The frame is parsed without the policy's own VLAN tags or with them, and
/// tunnels are looked for in frames from subscribers only.
///
/// What the first finds nothing usual in is parsed with them, if the policy has any: see [`crate::own_tags`].
///
/// # Safety
///
/// The function into which this is compiled returns an action.
#[inline(always)]
pub unsafe fn parse<const UPLINK: bool, const OWN_TAGS: bool>(
    ctx: *mut xdp_md,
    is_filtered: impl Fn(u32, u32) -> bool,
) -> Option<Descriptor> {
    let frame = &Start::of(ctx);
    let is_filtered = &is_filtered;
    // For each number of tags: where the EtherType is, and where IP is after it, or after PPPoE.
    if let Next::Segment(segment) = parse_ethertype::<UPLINK, OWN_TAGS, 12, 14, 22>(frame, is_filtered)? {
        return Some(segment);
    }
    if let Next::Segment(segment) = parse_ethertype::<UPLINK, OWN_TAGS, 16, 18, 26>(frame, is_filtered)? {
        return Some(segment);
    }
    match parse_ethertype::<UPLINK, OWN_TAGS, 20, 22, 30>(frame, is_filtered)? {
        Next::Segment(segment) => Some(segment),
        Next::Tag => None,
    }
}

#[inline(always)]
fn parse_ethertype<
    const UPLINK: bool,
    const OWN_TAGS: bool,
    const ETHERTYPE: usize,
    const IP: usize,
    const PPPOE_IP: usize,
>(
    frame: &Start,
    is_filtered: &impl Fn(u32, u32) -> bool,
) -> Option<Next> {
    // Swapped at compile time: the number is compared as it lies in the frame.
    const IPV4: u16 = ETHERTYPE_IPV4.to_be();
    const IPV6: u16 = ETHERTYPE_IPV6.to_be();
    const PPPOE_SESSION: u16 = ETHERTYPE_PPPOE_SESSION.to_be();
    // What is too short for IP after it is not usual; IPv4 need not check again.
    if !frame.holds(IP + ipv4::HEADER_LENGTH as usize) {
        return None;
    }
    let segment = match frame.u16::<ETHERTYPE, 0>() {
        IPV4 => parse_ipv4::<UPLINK, IP>(frame, 0, is_filtered)?,
        IPV6 => parse_ipv6::<UPLINK, IP>(frame, 0, is_filtered)?,
        PPPOE_SESSION => parse_ppp::<UPLINK, PPPOE_IP>(frame, is_filtered)?,
        other if is_tag::<OWN_TAGS>(u16::from_be(other)) => return Some(Next::Tag),
        // Not IP: the slow path counts it, if it finds none either.
        _ => return None,
    };
    Some(Next::Segment(segment))
}

/// Whether a tag has this `EtherType`.
#[inline(always)]
fn is_tag<const OWN_TAGS: bool>(ethertype: u16) -> bool {
    if OWN_TAGS {
        proto_is_vlan(ethertype) || framing::is_own_vlan_tag(ethertype)
    } else {
        proto_is_vlan(ethertype)
    }
}

/// A compressed PPP protocol, which takes one byte, is not usual.
#[inline(always)]
fn parse_ppp<const UPLINK: bool, const IP: usize>(
    frame: &Start,
    is_filtered: &impl Fn(u32, u32) -> bool,
) -> Option<Descriptor> {
    const IPV4: u16 = (PPP_IPV4 as u16).to_be();
    const IPV6: u16 = (PPP_IPV6 as u16).to_be();
    if !frame.holds(IP + ipv4::HEADER_LENGTH as usize) {
        return None;
    }
    match frame.u16::<IP, -2>() {
        IPV4 => parse_ipv4::<UPLINK, IP>(frame, MAX_PPP_LENGTH, is_filtered),
        IPV6 => parse_ipv6::<UPLINK, IP>(frame, MAX_PPP_LENGTH, is_filtered),
        _ => None,
    }
}

#[inline(always)]
fn parse_ipv4<const UPLINK: bool, const IP: usize>(
    frame: &Start,
    ppp_length: u32,
    is_filtered: &impl Fn(u32, u32) -> bool,
) -> Option<Descriptor> {
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
    let is_fragment = || frame.u16::<IP, 6>() & FRAGMENT != 0;
    let length = || usize::from(u16::from_be(frame.u16::<IP, 2>()));
    if protocol != TCP {
        let is_whole = || length() >= HEADER + UDP_PORTS && frame.holds(IP + HEADER + UDP_PORTS);
        let is_plain = || !is_fragment() && is_whole();
        let is_l2tp = || frame.u16::<IP, 22>() == L2TP_PORT.to_be();
        return parse_other::<UPLINK>(Network::V4, protocol, || is_plain() && !is_l2tp());
    }
    if is_fragment() || length() < HEADER + TCP_HEADER || !frame.holds(IP + HEADER + TCP_HEADER) {
        return None;
    }
    let source = u16::from_be(frame.u16::<IP, 20>());
    let destination = u16::from_be(frame.u16::<IP, 22>());
    pass_unless(is_filtered(source.into(), destination.into()), Reason::OtherPort);
    Some(Descriptor::new(Network::V4, IP as u32, ppp_length))
}

#[inline(always)]
fn parse_ipv6<const UPLINK: bool, const IP: usize>(
    frame: &Start,
    ppp_length: u32,
    is_filtered: &impl Fn(u32, u32) -> bool,
) -> Option<Descriptor> {
    const HEADER: usize = ipv6::HEADER_LENGTH as usize;
    const TCP_HEADER: usize = tcp::HEADER_LENGTH as usize;
    if !frame.holds(IP + HEADER) || frame.u8::<IP, 0>() >> 4 != 6 {
        return None;
    }
    let next_header = u32::from(frame.u8::<IP, 6>());
    let length = || usize::from(u16::from_be(frame.u16::<IP, 4>()));
    match next_header {
        TCP => {}
        UDP | ICMP_V6 => {
            let is_plain = || length() >= UDP_PORTS && frame.holds(IP + HEADER + UDP_PORTS);
            let is_l2tp = || frame.u16::<IP, 42>() == L2TP_PORT.to_be();
            return parse_other::<UPLINK>(Network::V6, next_header, || is_plain() && !is_l2tp());
        }
        // An extension header, or something rare.
        _ => return None,
    }
    if length() < TCP_HEADER || !frame.holds(IP + HEADER + TCP_HEADER) {
        return None;
    }
    let source = u16::from_be(frame.u16::<IP, 40>());
    let destination = u16::from_be(frame.u16::<IP, 42>());
    pass_unless(is_filtered(source.into(), destination.into()), Reason::OtherPort);
    Some(Descriptor::new(Network::V6, IP as u32, ppp_length))
}

/// The part of the UDP header that holds the ports.
const UDP_PORTS: usize = 4;

/// Another protocol than TCP, which passes unless it may be one of the policy's tunnels: `None` then. `is_other_udp` is whether
/// the packet is UDP to another port than L2TP's, if it is UDP: nearly all UDP is.
#[inline(always)]
fn parse_other<const UPLINK: bool>(
    network: Network,
    protocol: u32,
    is_other_udp: impl Fn() -> bool,
) -> Option<Descriptor> {
    let tunnels = if UPLINK { 0 } else { maps::TUNNELS.load() };
    // First, as the verifier removes what follows where the policy has no tunnels.
    let may_be_tunnel = tunnels != 0 && kinds(network, protocol) & tunnels != 0;
    pass_unless(may_be_tunnel, Reason::NotTcp);
    pass_unless(protocol != UDP || !is_other_udp(), Reason::NotTcp);
    None
}

/// Ends the packet, which passes, unless there is more to be done.
#[inline(always)]
fn pass_unless(has_more: bool, reason: Reason) {
    if !has_more {
        // SAFETY: the caller's of `parse`, into which all of this is compiled.
        unsafe { leave(reason) }
    }
}
