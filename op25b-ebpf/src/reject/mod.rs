//! Rejection: a blocked segment is turned into a reply to its sender, or dropped where there must be none.

use aya_ebpf::bindings::{xdp_action, xdp_md};
use op25b_common::{Action, Verdict, counters::Answer};
use op25b_ebpf::{
    bpf::frame::Fetched,
    parse::{
        Bytes as _,
        flow::Flow,
        segment::Segment,
        tcp::{HEADER_LENGTH as TCP_HEADER_LENGTH, RST},
    },
};

use crate::{
    fast_path::descriptor::Descriptor,
    maps,
    scratch::{self, Scratch},
    stats::diagnostics,
    verdict,
};

use self::count::count;

mod checksum;
mod count;
mod prohibit;
mod rate;
mod reset;

/// The action on the fast path's segment from a subscriber, where a policy rejects; its frame is the reply if there is one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_fast_reject(ctx: *mut xdp_md, descriptor: u32) -> u32 {
    let action = verdict::op25b_fast_verdict(ctx, descriptor);
    if action != xdp_action::XDP_TX {
        return action;
    }
    let Some(scratch) = scratch::claim() else {
        return drop_unanswered();
    };
    let action = if let Some(segment) = Descriptor::from_bits(descriptor).segment(ctx) {
        scratch.segment = segment;
        reply_or_drop(ctx, scratch)
    } else {
        drop_unanswered()
    };
    scratch::release(scratch);
    action
}

/// Turns the frame of a rejected segment into a reply, or drops it if there must be none: the action on it.
#[inline(always)]
pub fn reply_or_drop(ctx: *mut xdp_md, scratch: &mut Scratch) -> u32 {
    let has_reply = match Action::from_u8(maps::ACTION.load()) {
        Some(Action::Reset) => reset::op25b_reset(ctx, &raw const scratch.segment) != 0,
        Some(Action::Prohibit) => prohibit::op25b_prohibit(ctx, scratch) != 0,
        Some(Action::Drop) | None => false,
    };
    if has_reply {
        count(Answer::Sent);
        xdp_action::XDP_TX
    } else {
        drop_unanswered()
    }
}

/// Drops a rejected segment; the frame may be half a reply.
#[inline(always)]
fn drop_unanswered() -> u32 {
    count(Answer::None);
    diagnostics::trace_verdict(Verdict::Drop);
    xdp_action::XDP_DROP
}

/// The invoking packet (RFC 4443 section 2.4): what a reply takes from the rejected segment besides its descriptor.
struct Invoking {
    /// The TCP header, in 32-bit words of network byte order.
    tcp: [u32; TCP_HEADER_LENGTH as usize / 4],
    /// The TCP flags.
    flags: u32,
    /// Where the segment's data starts.
    data: u32,
    /// Where the packet ends, without padding.
    end: u32,
    /// The frame's length.
    length: u32,
}

impl Invoking {
    /// Reads it; `None` if there must be no reply.
    ///
    /// Replies go to one known sender only and never to a reply (RFC 1812 section 4.3.2.7, RFC 4443 section 2.4(e), RFC 9293
    /// section 3.10.7.1).
    #[inline(always)]
    fn read(frame: &Fetched, segment: &Segment) -> Option<Self> {
        let upper = &segment.upper;
        if segment.flow.tunnels != 0 || segment.flow.has(Flow::NO_REPLY) || upper.is_fragment != 0 {
            return None;
        }
        let (source, destination) = (segment.flow.source(), segment.flow.destination());
        if !source.is_host() || source.is_loopback() || !destination.is_host() {
            return None;
        }
        let length = frame.length();
        let end = if upper.end < length { upper.end } else { length };
        let tcp: [u32; 5] = frame.words(upper.offset)?;
        // Data offset, reserved bits, flags and window.
        let control = u32::from_be(tcp[3]);
        let data = upper.offset + (control >> 28) * 4;
        let flags = control >> 16;
        let has_header = data >= upper.offset + TCP_HEADER_LENGTH && data <= end;
        // No station sends from a group's address: the reply would go to all of the group.
        let is_to_or_from_group = (frame.byte(0)? | frame.byte(6)?) & GROUP_BIT != 0;
        if !has_header || flags & RST != 0 || is_to_or_from_group {
            return None;
        }
        Some(Self {
            tcp,
            flags,
            data,
            end,
            length,
        })
    }
}

/// The bit of a MAC address that makes it a group's (IEEE 802 section 8.2).
const GROUP_BIT: u8 = 0x01;

/// Makes the link header at the frame's start lead back to where it came from: MAC addresses change places, VLAN tags
/// stay, and `PPPoE` counts `packet_length` bytes of IP.
#[inline(always)]
fn turn_link(frame: &Fetched, segment: &Segment, packet_length: u32) -> Option<()> {
    const MAC_LENGTH: u32 = 6;
    let to: [u8; MAC_LENGTH as usize] = frame.bytes(0)?;
    let from: [u8; MAC_LENGTH as usize] = frame.bytes(MAC_LENGTH)?;
    if !frame.store(0, &from) || !frame.store(MAC_LENGTH, &to) {
        return None;
    }
    if segment.ppp_length != 0 {
        // RFC 2516 section 4: the length is the PPPoE header's last field, right before the PPP protocol.
        let at = segment.link_length - segment.ppp_length - 2;
        let counted = (segment.ppp_length + packet_length) as u16;
        frame.store(at, &counted.to_be_bytes()).then_some(())?;
    }
    Some(())
}
