//! The slow path: frames that the fast path does not parse, with any tags, fragments, extension headers and tunnels.
//!
//! Functions here that are not inlined are verified by themselves, each for any argument.

use aya_ebpf::bindings::{xdp_action, xdp_md};
use op25b_common::Reason;
use op25b_ebpf::{
    bpf::frame::Fetched,
    parse::{
        Network, UpperLayer,
        ethernet::{Link, parse_link},
        extensions::{self, proto_is_extension},
        flow::Flow,
        ipv4::parse_ipv4,
        ipv6::parse_ipv6,
        segment::Segment,
        tcp::{Ports, TCP, parse_ports},
    },
};

use crate::{
    maps, reject,
    verdict::{self, decide, pass},
};

/// Judges any frame that a subscriber sent.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn inspect(ctx: *mut xdp_md) -> u32 {
    let (network, link) = match parse_link(&Fetched(ctx)) {
        Ok(found) => found,
        Err(Reason::Uninspectable) => return verdict::judge_tags(),
        Err(reason) => return pass(reason),
    };
    let mut segment = match outermost(ctx, network, link, maps::TUNNELS.load()) {
        Ok(segment) => segment,
        Err(reason) => return pass(reason),
    };
    if segment.upper.protocol != TCP {
        let reason = enter_tunnel(ctx, &raw mut segment);
        if reason == Reason::LaterFragment as u32 {
            return pass(Reason::LaterFragment);
        } else if reason != FOUND {
            return pass(Reason::NotTcp);
        }
    }
    if !segment.flow.has(Flow::HIDDEN) && !decide::is_blocked_port(segment.flow.destination_port) {
        return pass(Reason::OtherPort);
    }
    read_flow(ctx, &raw mut segment);
    let action = verdict::judge(ctx, 0, &raw const segment.flow);
    if action == xdp_action::XDP_TX {
        reject::answer_or_drop(&Fetched(ctx), &segment)
    } else {
        action
    }
}

/// Judges any frame that came from the Internet.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn inspect_on_uplink(ctx: *mut xdp_md) -> u32 {
    // Nobody hides what a mail server sends: a frame with many tags is no matter of ours.
    let Ok((network, link)) = parse_link(&Fetched(ctx)) else {
        return pass(Reason::NotIp);
    };
    let mut segment = match outermost(ctx, network, link, 0) {
        Ok(segment) => segment,
        Err(reason) => return pass(reason),
    };
    if !segment.flow.has(Flow::HIDDEN)
        && !decide::matters_on_uplink(segment.flow.source_port, segment.flow.destination_port)
    {
        return pass(Reason::OtherPort);
    }
    read_flow(ctx, &raw mut segment);
    verdict::judge_on_uplink(ctx, 0, &raw const segment.flow)
}

/// What stands behind the frame's first IP header: a TCP segment, or something else if it may be one of these tunnels.
#[inline(always)]
fn outermost(ctx: *mut xdp_md, network: Network, link: Link, tunnels: u8) -> Result<Segment, Reason> {
    let frame = Fetched(ctx);
    let mut upper = match network {
        Network::V4 => parse_ipv4(&frame, link.length)?,
        Network::V6 => parse_ipv6(&frame, link.length)?,
    };
    if network == Network::V6 && proto_is_extension(upper.protocol) {
        skip_extensions(ctx, &raw mut upper);
    }
    let ports = if tunnels == 0 || upper.protocol == TCP {
        parse_ports(&frame, &upper)?
    } else {
        Ports::NONE
    };
    let mut segment = Segment::new(link, network, upper);
    segment.set_ports(ports);
    Ok(segment)
}

/// What [`enter_tunnel`] answers for a segment; a [`Reason`] otherwise.
const FOUND: u32 = u32::MAX;

/// Goes from a tunnel's outer packet to the segment inside.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enter_tunnel(ctx: *mut xdp_md, segment: *mut Segment) -> u32 {
    // SAFETY: the verifier holds callers to a valid pointer, and this function to the null check.
    let Some(segment) = (unsafe { segment.as_mut() }) else {
        return Reason::NotTcp as u32;
    };
    let skip_extensions = |upper: &mut UpperLayer| {
        skip_extensions(ctx, upper);
    };
    match segment.enter_tunnel(&Fetched(ctx), maps::TUNNELS.load(), skip_extensions) {
        Ok(()) => FOUND,
        Err(reason) => reason as u32,
    }
}

/// Reads a segment's addresses and flags.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn read_flow(ctx: *mut xdp_md, segment: *mut Segment) -> u32 {
    // SAFETY: as above.
    if let Some(segment) = unsafe { segment.as_mut() } {
        segment.read_flow(&Fetched(ctx));
    }
    0
}

/// Goes from an IPv6 extension header to what follows the last one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn skip_extensions(ctx: *mut xdp_md, upper: *mut UpperLayer) -> u32 {
    // SAFETY: as above.
    if let Some(upper) = unsafe { upper.as_mut() } {
        extensions::skip_extensions(&Fetched(ctx), upper);
    }
    0
}
