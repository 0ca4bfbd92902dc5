//! What becomes of a blocked segment: discarded, or answered where the policy says so and an answer is right.

use aya_ebpf::bindings::xdp_action;
use op25b_common::{
    Action, Verdict,
    keys::{AddressV4, AddressV6},
};

use op25b_ebpf::{
    bpf::frame::Fetched,
    parse::{
        Bytes as _, Network,
        flow::Flow,
        ipv4, ipv6,
        segment::Segment,
        tcp::{HEADER_LENGTH as TCP_HEADER_LENGTH, RST},
    },
};

use crate::{maps, stats};

mod checksum;
mod prohibit;
mod reset;

/// Turns the frame into an answer to its sender; false if there is none, and then the frame is of no use any more.
#[inline(always)]
fn answer(frame: &Fetched, segment: &Segment) -> bool {
    match Action::from_u8(maps::ACTION.load()) {
        Some(Action::Reset) => reset::reset(frame.0, segment) != 0,
        Some(Action::Prohibit) => prohibit::prohibit(frame.0, segment) != 0,
        Some(Action::Drop) | None => false,
    }
}

/// Answers a rejected segment, or drops it if there must be no answer: the action for its frame.
#[inline(always)]
pub fn answer_or_drop(frame: &Fetched, segment: &Segment) -> u32 {
    if answer(frame, segment) {
        return xdp_action::XDP_TX;
    }
    stats::trace_verdict(Verdict::Drop);
    xdp_action::XDP_DROP
}

/// What an answer has to know of the segment that it answers.
struct Question {
    network: Network,
    /// The TCP header, in 32-bit words of network byte order.
    tcp: [u32; TCP_HEADER_LENGTH as usize / 4],
    /// The TCP flags.
    flags: u32,
    /// Where the segment's data starts.
    data: u32,
    /// Where the packet ends, padding left out.
    end: u32,
    /// The frame's length.
    length: u32,
}

impl Question {
    /// Looks at the segment; `None` if it must not be answered.
    ///
    /// Answers go to one known sender only and never to an answer (RFC 1812 section 4.3.2.7, RFC 4443 section 2.4(e),
    /// RFC 9293 section 3.10.7.1).
    #[inline(always)]
    fn read(frame: &Fetched, segment: &Segment) -> Option<Self> {
        let upper = &segment.upper;
        if segment.flow.tunnels != 0 || upper.is_fragment != 0 {
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
        // No station sends from a group's address: the answer would go to all of the group.
        let is_to_or_from_group = (frame.byte(0)? | frame.byte(6)?) & GROUP_BIT != 0;
        if !has_header || flags & RST != 0 || is_to_or_from_group {
            return None;
        }
        let network = if segment.flow.has(Flow::SOURCE_V6) {
            Network::V6
        } else {
            Network::V4
        };
        let at = segment.source_network;
        let are_hosts = match network {
            Network::V4 => {
                let source: AddressV4 = frame.bytes(at + ipv4::SOURCE_OFFSET)?;
                let destination: AddressV4 = frame.bytes(at + ipv4::DESTINATION_OFFSET)?;
                is_host_v4(source) && source[0] != 127 && is_host_v4(destination)
            }
            Network::V6 => {
                let source: AddressV6 = frame.bytes(at + ipv6::SOURCE_OFFSET)?;
                let destination: AddressV6 = frame.bytes(at + ipv6::DESTINATION_OFFSET)?;
                is_host_v6(source) && u128::from_be_bytes(source) != 1 && is_host_v6(destination)
            }
        };
        are_hosts.then_some(Self {
            network,
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

/// Whether an address can be one host's: neither multicast, reserved or broadcast (224.0.0.0/3) nor "this network"
/// (0.0.0.0/8).
#[inline(always)]
fn is_host_v4(address: AddressV4) -> bool {
    address[0] < 224 && address[0] != 0
}

/// Whether an address can be one host's: neither multicast nor unspecified.
#[inline(always)]
fn is_host_v6(address: AddressV6) -> bool {
    address[0] != 0xff && u128::from_be_bytes(address) != 0
}

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
