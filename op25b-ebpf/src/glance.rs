//! What nearly all packets are, seen at a glance: IP without options, fragments and extension headers.
//!
//! This only ever says what the steps behind it would say as well, in fewer instructions. All that is not quite ordinary
//! goes on to them.

use aya_ebpf::bindings::xdp_md;
use op25b_common::Reason;

use crate::{
    act::TCP_HEADER_LENGTH,
    address::Halves,
    frame::words_in_place,
    instructions, maps,
    packet::{Network, Ports, TCP, Upper, ethernet::Link, ipv4, ipv6},
    segment::Segment,
};

const UDP: u64 = 17;
const ICMP_V6: u64 = 58;
const TCP_PROTOCOL: u64 = TCP as u64;

/// What a packet is.
pub enum Seen {
    /// None of our business.
    Untouched(Reason),
    /// A TCP segment; its addresses and flags are in here.
    Segment(Segment),
    /// That takes a closer look.
    Unclear,
}

/// Looks at the packet behind a link header; `matters` says of its source and destination port whether it is our business.
#[inline(always)]
pub fn glance(ctx: *mut xdp_md, network: Network, link: Link, matters: impl Fn(u32, u32) -> bool) -> Seen {
    let seen = match network {
        Network::V4 => v4(ctx, link, matters),
        Network::V6 => v6(ctx, link, matters),
    };
    seen.unwrap_or(Seen::Unclear)
}

#[inline(always)]
fn v4(ctx: *mut xdp_md, link: Link, matters: impl Fn(u32, u32) -> bool) -> Option<Seen> {
    /// Version and header length in the first byte, fragment offset and "more fragments" in the last two.
    const PLAIN_MASK: u64 = 0xff00_0000_0000_3fff;
    const PLAIN: u64 = 0x4500_0000_0000_0000;
    // The IP header and a TCP header.
    let [first, second, third, _, fifth] = words(ctx, link.length)?;
    if first & PLAIN_MASK != PLAIN {
        return None;
    }
    if second >> 48 & 0xff != TCP_PROTOCOL {
        return not_tcp();
    }
    let length = (first >> 32 & 0xffff) as u32;
    let header = TcpHeader {
        offset: link.length + ipv4::HEADER_LENGTH,
        end: link.length + length,
        ports: third as u32,
        control: (fifth >> 48) as u32,
    };
    let (source, destination) = (Halves::v4(second as u32), Halves::v4((third >> 32) as u32));
    header.segment(Network::V4, link, source, destination, matters)
}

#[inline(always)]
fn v6(ctx: *mut xdp_md, link: Link, matters: impl Fn(u32, u32) -> bool) -> Option<Seen> {
    // The IP header and the first words of a TCP header.
    let [first, source_high, source_low, high, low, ports, control] = words(ctx, link.length)?;
    if first >> 60 != 6 {
        return None;
    }
    match first >> 8 & 0xff {
        TCP_PROTOCOL => {
            let offset = link.length + ipv6::HEADER_LENGTH;
            let header = TcpHeader {
                offset,
                end: offset + (first >> 16 & 0xffff) as u32,
                ports: (ports >> 32) as u32,
                control: (control >> 16) as u32 & 0xffff,
            };
            let source = Halves {
                high: source_high,
                low: source_low,
            };
            header.segment(Network::V6, link, source, Halves { high, low }, matters)
        }
        UDP | ICMP_V6 => not_tcp(),
        _ => None,
    }
}

/// So many words, in the processor's byte order.
#[inline(always)]
fn words<const N: usize>(ctx: *mut xdp_md, offset: u32) -> Option<[u64; N]> {
    words_in_place(ctx, offset as usize).map(|words| words.map(u64::from_be))
}

/// Where tunnels are looked into, nothing is obvious but TCP.
#[inline(always)]
fn not_tcp() -> Option<Seen> {
    (maps::TUNNELS.load() == 0).then_some(Seen::Untouched(Reason::NotTcp))
}

/// What is looked at of a TCP header.
struct TcpHeader {
    offset: u32,
    /// Where the packet ends.
    end: u32,
    ports: u32,
    /// Data offset, reserved bits and flags.
    control: u32,
}

impl TcpHeader {
    /// The segment, if the packet holds the header's fixed part.
    #[inline(always)]
    fn segment(
        self,
        network: Network,
        link: Link,
        source: Halves,
        destination: Halves,
        matters: impl Fn(u32, u32) -> bool,
    ) -> Option<Seen> {
        if self.offset + TCP_HEADER_LENGTH > self.end {
            return None;
        }
        // One question, answered before anything else: the compiler would do all of the rest first, for each blocked port.
        let matters = instructions::opaque(matters(self.ports >> 16, self.ports & 0xffff).into());
        if matters == 0 {
            return Some(Seen::Untouched(Reason::OtherPort));
        }
        let upper = Upper {
            offset: self.offset,
            end: self.end,
            protocol: TCP,
            ..Upper::default()
        };
        let ports = Ports::Known {
            source: (self.ports >> 16) as u16,
            destination: self.ports as u16,
        };
        let mut segment = Segment::new(link, network, upper, ports);
        segment.flags &= !Segment::UNREAD;
        segment.tcp_flags = self.control & 0xff;
        segment.source = source;
        segment.destination = destination;
        Some(Seen::Segment(segment))
    }
}
