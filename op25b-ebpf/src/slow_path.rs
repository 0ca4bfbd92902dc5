//! The slow path: frames that the fast path does not parse, with any tags, LLC/SNAP, labels, fragments, extension
//! headers and tunnels.
//!
//! Functions here that are not inlined are verified by themselves, each for any argument. Proving one program in which all
//! is inlined takes the verifier nearly a million instructions, the most that the kernel allows.

use aya_ebpf::bindings::{xdp_action, xdp_md};
use op25b_common::Reason;
use op25b_ebpf::{
    bpf::frame::Fetched,
    parse::{
        Network, UpperLayer,
        ethernet::{Link, NoNetwork, parse_link},
        extensions::{proto_is_extension, skip_extensions},
        flow::Flow,
        ipv4::parse_ipv4,
        ipv6::parse_ipv6,
        segment::Segment,
        tcp::{Ports, TCP, parse_ports},
    },
};

use crate::{
    framing::Configured,
    maps,
    pass::pass,
    reject,
    scratch::{self, Scratch},
    stats::not_ip,
    verdict::{self, decide, sources},
};

/// The verdict on any frame from a subscriber.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_slow_path(ctx: *mut xdp_md) -> u32 {
    let (network, link) = match parse_link(&Fetched(ctx), 0, &Configured(ctx)) {
        Ok(found) => found,
        Err(NoNetwork::Hidden(_)) => return verdict::op25b_tags_verdict(ctx),
        Err(NoNetwork::Other(ethertype)) => return not_ip::pass(ctx, ethertype),
    };
    let outer = match Outer::parse(ctx, network, link, maps::TUNNELS.load()) {
        Ok(outer) => outer,
        Err(Reason::NotIp) => return not_ip::pass(ctx, link.ethertype),
        Err(reason) => return pass(reason),
    };
    let Some(scratch) = scratch::claim() else {
        return xdp_action::XDP_PASS;
    };
    let action = filter(ctx, &outer, scratch);
    scratch::release(scratch);
    action
}

/// The verdict on any frame from the Internet.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_up_slow_path(ctx: *mut xdp_md) -> u32 {
    let (network, link) = match parse_link(&Fetched(ctx), 0, &Configured(ctx)) {
        Ok(found) => found,
        // Mail servers do not hide what they send: a frame with many tags or labels is not filtered.
        Err(NoNetwork::Other(ethertype) | NoNetwork::Hidden(ethertype)) => {
            return not_ip::pass(ctx, ethertype);
        }
    };
    let outer = match Outer::parse(ctx, network, link, 0) {
        Ok(outer) => outer,
        Err(Reason::NotIp) => return not_ip::pass(ctx, link.ethertype),
        Err(reason) => return pass(reason),
    };
    let Some(scratch) = scratch::claim() else {
        return xdp_action::XDP_PASS;
    };
    let action = filter_uplink(ctx, &outer, scratch);
    scratch::release(scratch);
    action
}

/// The frame's first IP packet: a TCP segment, or something else if that may be a tunnel.
struct Outer {
    link: Link,
    network: Network,
    upper: UpperLayer,
    ports: Ports,
}

impl Outer {
    /// Parses the packet; an error if it is neither TCP nor may be one of these tunnels.
    #[inline(always)]
    fn parse(ctx: *mut xdp_md, network: Network, link: Link, tunnels: u8) -> Result<Self, Reason> {
        let frame = Fetched(ctx);
        let mut upper = match network {
            Network::V4 => parse_ipv4(&frame, link.length)?,
            Network::V6 => parse_ipv6(&frame, link.length)?,
        };
        if network == Network::V6 && proto_is_extension(upper.protocol) {
            op25b_skip_extensions(ctx, &raw mut upper);
        }
        let ports = if tunnels == 0 || upper.protocol == TCP {
            parse_ports(&frame, network, &upper)?
        } else {
            Ports::NONE
        };
        Ok(Self {
            link,
            network,
            upper,
            ports,
        })
    }

    /// Its descriptor.
    #[inline(always)]
    fn describe(&self, segment: &mut Segment) {
        *segment = Segment::new(self.link, self.network, self.upper);
        segment.set_ports(self.ports);
    }
}

/// Filters a packet from a subscriber: the action on its frame.
#[inline(always)]
fn filter(ctx: *mut xdp_md, outer: &Outer, scratch: &mut Scratch) -> u32 {
    let segment = &mut scratch.segment;
    outer.describe(segment);
    if outer.upper.protocol != TCP {
        let mut reason = op25b_enter_tunnel(ctx, segment);
        if reason == TUNNEL {
            reason = op25b_enter_tunnel(ctx, segment);
        }
        if reason == Reason::LaterFragment as u32 {
            return pass(Reason::LaterFragment);
        } else if reason != FOUND {
            return pass(Reason::NotTcp);
        }
    }
    if !segment.flow.has(Flow::HIDDEN) && !decide::is_blocked_port(segment.flow.destination_port) {
        return pass(Reason::OtherPort);
    }
    op25b_read_flow(ctx, segment);
    // The first half is a constant to the verifier, which removes the function where the policy has no tunnels.
    if maps::TUNNELS.load() != 0 && segment.flow.tunnels != 0 {
        sources::op25b_choose_source(segment);
    }
    let action = verdict::op25b_slow_verdict(ctx, &raw const segment.flow);
    if action == xdp_action::XDP_TX {
        reject::reply_or_drop(ctx, scratch)
    } else {
        action
    }
}

/// Filters a packet from the Internet: the action on its frame.
#[inline(always)]
fn filter_uplink(ctx: *mut xdp_md, outer: &Outer, scratch: &mut Scratch) -> u32 {
    let segment = &mut scratch.segment;
    outer.describe(segment);
    if !segment.flow.has(Flow::HIDDEN)
        && !decide::is_filtered_on_uplink(segment.flow.source_port, segment.flow.destination_port)
    {
        return pass(Reason::OtherPort);
    }
    op25b_read_flow(ctx, segment);
    verdict::op25b_up_slow_verdict(ctx, &raw const segment.flow)
}

// The results of [`op25b_enter_tunnel`] that are no [`Reason`]: a segment, and a tunnel that is to be entered, too.
const FOUND: u32 = u32::MAX;
const TUNNEL: u32 = FOUND - 1;

/// Goes from a tunnel's outer packet to the packet inside.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_enter_tunnel(ctx: *mut xdp_md, segment: *mut Segment) -> u32 {
    // SAFETY: the verifier holds callers to a valid pointer, and this function to the null check.
    let Some(segment) = (unsafe { segment.as_mut() }) else {
        return Reason::NotTcp as u32;
    };
    let skip_extensions = |upper: &mut UpperLayer| {
        op25b_skip_extensions(ctx, upper);
    };
    match segment.enter_tunnel(&Fetched(ctx), maps::TUNNELS.load(), skip_extensions) {
        Ok(false) => FOUND,
        Ok(true) => TUNNEL,
        Err(reason) => reason as u32,
    }
}

/// Reads a segment's addresses and flags.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_read_flow(ctx: *mut xdp_md, segment: *mut Segment) -> u32 {
    // SAFETY: as above.
    if let Some(segment) = unsafe { segment.as_mut() } {
        segment.read_flow(&Fetched(ctx));
    }
    0
}

/// Goes from an IPv6 extension header to what follows the last one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_skip_extensions(ctx: *mut xdp_md, upper: *mut UpperLayer) -> u32 {
    // SAFETY: as above.
    if let Some(upper) = unsafe { upper.as_mut() } {
        skip_extensions(&Fetched(ctx), upper);
    }
    0
}
