//! `action: reset`: the reply is a TCP reset (RFC 9293 section 3.10.7.1), so that a mail client fails at once.

use aya_ebpf::bindings::xdp_md;
use op25b_ebpf::{
    bpf::frame::Fetched,
    parse::{
        flow::Flow,
        ipv4, ipv6,
        segment::Segment,
        tcp::{ACK, FIN, HEADER_LENGTH as TCP_HEADER_LENGTH, RST, SYN, TCP},
    },
};

use super::{
    Invoking,
    checksum::{Sum, word},
    rate::may_reply,
    turn_link,
};

/// The same as that of the router's own packets.
const HOP_LIMIT: u32 = 64;
/// The shortest Ethernet frame, without its check sequence (IEEE 802.3): some drivers send no shorter one.
const MIN_FRAME_LENGTH: u32 = 60;
const MAX_PADDING: usize = 8;

const PACKET_LENGTH_V4: u32 = ipv4::HEADER_LENGTH + TCP_HEADER_LENGTH;
const PACKET_LENGTH_V6: u32 = ipv6::HEADER_LENGTH + TCP_HEADER_LENGTH;

/// Turns the frame into a reset to its sender; 0 if there must be none, or not now.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_reset(ctx: *mut xdp_md, segment: *const Segment) -> u32 {
    // SAFETY: the verifier holds callers to a valid segment, and this function to the null check.
    let Some(segment) = (unsafe { segment.as_ref() }) else {
        return 0;
    };
    u32::from(turn_around(&Fetched(ctx), segment).is_some())
}

#[inline(always)]
fn turn_around(frame: &Fetched, segment: &Segment) -> Option<()> {
    let invoking = Invoking::read(frame, segment)?;
    if !may_reply() {
        return None;
    }
    let at = segment.source_network;
    let packet_length = if segment.flow.has(Flow::SOURCE_V6) {
        write_v6(frame, at, &segment.flow, &invoking)?
    } else {
        write_v4(frame, at, &segment.flow, &invoking)?
    };
    turn_link(frame, segment, packet_length)?;

    let used = at + packet_length;
    let kept = if used < MIN_FRAME_LENGTH {
        MIN_FRAME_LENGTH.min(invoking.length)
    } else {
        used
    };
    let padding = kept.wrapping_sub(used);
    if padding != 0 && !frame.store_part(used, &[0u8; MAX_PADDING], padding) {
        return None;
    }
    frame.cut_back(invoking.length.checked_sub(kept)?).then_some(())
}

/// The reset's TCP header without its checksum, which is the last word's first half.
#[inline(always)]
fn tcp_header(invoking: &Invoking) -> [u32; TCP_HEADER_LENGTH as usize / 4] {
    let [ports, sequence, acknowledged, ..] = invoking.tcp;
    let flags = invoking.flags;
    let ports = ports.rotate_left(16);
    let control = |flags: u32| (((TCP_HEADER_LENGTH / 4) << 28) | (flags << 16)).to_be();
    if flags & ACK != 0 {
        return [ports, acknowledged, 0, control(RST), 0];
    }
    // SEG.LEN counts SYN and FIN.
    let length = invoking.end - invoking.data + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
    let next = u32::from_be(sequence).wrapping_add(length);
    [ports, 0, next.to_be(), control(RST | ACK), 0]
}

/// Writes the IPv4 packet to `at`, over the invoking one; its length.
#[inline(always)]
fn write_v4(frame: &Fetched, at: u32, flow: &Flow, invoking: &Invoking) -> Option<u32> {
    const DONT_FRAGMENT: u32 = 0x4000;
    let (source, destination) = (flow.source().v4_word(), flow.destination().v4_word());
    let life = ((HOP_LIMIT << 8) | TCP) as u16;
    let start = (0x4500_0000 | PACKET_LENGTH_V4).to_be();
    let mut header = [start, DONT_FRAGMENT.to_be(), word(life, 0), destination, source];
    header[2] = word(life, Sum::ZERO.add(&header).finish());
    let mut tcp = tcp_header(invoking);
    // The pseudo-header (RFC 9293 section 3.1).
    let rest = (TCP << 16 | TCP_HEADER_LENGTH).to_be();
    tcp[4] = u32::from(Sum::ZERO.add(&[source, destination, rest]).add(&tcp).finish());
    let is_written = frame.store(at, &header) && frame.store(at + ipv4::HEADER_LENGTH, &tcp);
    is_written.then_some(PACKET_LENGTH_V4)
}

/// Writes the IPv6 packet to `at`, over the invoking one; its length.
#[inline(always)]
fn write_v6(frame: &Fetched, at: u32, flow: &Flow, invoking: &Invoking) -> Option<u32> {
    let (source, destination) = (flow.source().v6_words(), flow.destination().v6_words());
    let mut tcp = tcp_header(invoking);
    // The pseudo-header (RFC 8200 section 8.1).
    let rest = [TCP_HEADER_LENGTH.to_be(), TCP.to_be()];
    let sum = Sum::ZERO.add(&rest).add(&source).add(&destination);
    tcp[4] = u32::from(sum.add(&tcp).finish());
    let start = [
        0x6000_0000_u32.to_be(),
        (TCP_HEADER_LENGTH << 16 | TCP << 8 | HOP_LIMIT).to_be(),
    ];
    let is_written = frame.store(at, &start)
        && frame.store(at + ipv6::SOURCE_OFFSET, &destination)
        && frame.store(at + ipv6::DESTINATION_OFFSET, &source)
        && frame.store(at + ipv6::HEADER_LENGTH, &tcp);
    is_written.then_some(PACKET_LENGTH_V6)
}
