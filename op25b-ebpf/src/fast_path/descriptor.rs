//! The fast path's packet descriptor: a TCP segment in no tunnel and no fragment, right after an IP header without options or
//! extension headers.

use aya_ebpf::bindings::xdp_md;
use op25b_common::not_ip::NO_ETHERTYPE;
use op25b_ebpf::{
    bpf::{
        frame::in_place,
        instructions::{load_u8_at, load_u16_at, load_u32_at, load_u64_at},
    },
    parse::{
        Network, UpperLayer,
        address::AddressBits,
        ethernet::Link,
        flow::Flow,
        ipv4, ipv6,
        segment::Segment,
        tcp::{self, TCP},
    },
};

/// Where such a segment is, in one number, as the program's functions hand it on.
#[derive(Clone, Copy)]
pub struct Descriptor(u32);

impl Descriptor {
    /// The bytes before the IP header.
    const LINK_LENGTH: u32 = 0x3f;
    /// How many of those are the PPP protocol's.
    const PPP_SHIFT: u32 = 6;
    const PPP_LENGTH: u32 = 0x3;
    const IS_V6: u32 = 1 << 8;

    /// The segment in the packet at `link_length`.
    #[inline(always)]
    pub const fn new(network: Network, link_length: u32, ppp_length: u32) -> Self {
        let is_v6 = match network {
            Network::V4 => 0,
            Network::V6 => Self::IS_V6,
        };
        Self(link_length | ppp_length << Self::PPP_SHIFT | is_v6)
    }

    /// As a number.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// From a number.
    #[inline(always)]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether its addresses are IPv6.
    #[inline(always)]
    pub const fn is_v6(self) -> bool {
        self.0 & Self::IS_V6 != 0
    }

    #[inline(always)]
    const fn link(self) -> Link {
        Link {
            length: self.0 & Self::LINK_LENGTH,
            ppp: self.0 >> Self::PPP_SHIFT & Self::PPP_LENGTH,
            // Nothing reads it any more.
            ethertype: NO_ETHERTYPE,
            may_reply: true,
        }
    }

    /// What the verdict table depends on; `None` if the frame does not hold both headers, which it did when it was parsed.
    #[inline(always)]
    fn flow(self, ctx: *mut xdp_md) -> Option<Flow> {
        if self.is_v6() {
            self.flow_v6(ctx)
        } else {
            self.flow_v4(ctx)
        }
    }

    /// The same of one that is IPv4.
    #[inline(always)]
    pub fn flow_v4(self, ctx: *mut xdp_md) -> Option<Flow> {
        const HEADER: usize = ipv4::HEADER_LENGTH as usize;
        const ADDRESSES: usize = ipv4::SOURCE_OFFSET as usize;
        let start = self.headers(ctx, HEADER)?;
        // SAFETY: both headers are inside the frame, as the verifier has seen.
        unsafe {
            let addresses = u64::from_be(load_u64_at::<ADDRESSES, 0>(start));
            Some(Flow {
                source: AddressBits::v4((addresses >> 32) as u32),
                destination: AddressBits::v4(addresses as u32),
                ..read_tcp::<HEADER>(start, 0)
            })
        }
    }

    /// The same of one that is IPv6.
    #[inline(always)]
    pub fn flow_v6(self, ctx: *mut xdp_md) -> Option<Flow> {
        const HEADER: usize = ipv6::HEADER_LENGTH as usize;
        const SOURCE: usize = ipv6::SOURCE_OFFSET as usize;
        const DESTINATION: usize = ipv6::DESTINATION_OFFSET as usize;
        let start = self.headers(ctx, HEADER)?;
        // SAFETY: as for IPv4.
        unsafe {
            Some(Flow {
                source: AddressBits {
                    high: u64::from_be(load_u64_at::<SOURCE, 0>(start)),
                    low: u64::from_be(load_u64_at::<SOURCE, 8>(start)),
                },
                destination: AddressBits {
                    high: u64::from_be(load_u64_at::<DESTINATION, 0>(start)),
                    low: u64::from_be(load_u64_at::<DESTINATION, 8>(start)),
                },
                ..read_tcp::<HEADER>(start, Flow::V6)
            })
        }
    }

    /// The IP header, which a TCP header follows.
    #[inline(always)]
    fn headers(self, ctx: *mut xdp_md, network_header: usize) -> Option<*const u8> {
        in_place(
            ctx,
            self.link().length as usize,
            network_header + tcp::HEADER_LENGTH as usize,
        )
    }

    /// The segment with its place, to be rejected; `None` as for the flow. Nothing is parsed again.
    #[inline(always)]
    pub fn segment(self, ctx: *mut xdp_md) -> Option<Segment> {
        let link = self.link();
        let (network, header_length) = if self.is_v6() {
            (Network::V6, ipv6::HEADER_LENGTH)
        } else {
            (Network::V4, ipv4::HEADER_LENGTH)
        };
        let upper = UpperLayer {
            offset: link.length + header_length,
            end: link.length + self.packet_length(ctx)?,
            protocol: TCP,
            ..UpperLayer::default()
        };
        let mut segment = Segment::new(link, network, upper);
        segment.flow = self.flow(ctx)?;
        Some(segment)
    }

    /// The length of the IP packet by its own header.
    #[inline(always)]
    fn packet_length(self, ctx: *mut xdp_md) -> Option<u32> {
        const TOTAL_LENGTH: usize = ipv4::TOTAL_LENGTH_OFFSET as usize;
        const PAYLOAD_LENGTH: usize = ipv6::PAYLOAD_LENGTH_OFFSET as usize;
        // SAFETY: both headers are inside the frame, as the verifier has seen.
        unsafe {
            if self.is_v6() {
                let start = self.headers(ctx, ipv6::HEADER_LENGTH as usize)?;
                let payload_length = u16::from_be(load_u16_at::<PAYLOAD_LENGTH, 0>(start));
                Some(ipv6::HEADER_LENGTH + u32::from(payload_length))
            } else {
                let start = self.headers(ctx, ipv4::HEADER_LENGTH as usize)?;
                Some(u32::from(u16::from_be(load_u16_at::<TOTAL_LENGTH, 0>(start))))
            }
        }
    }
}

/// Reads the TCP header after a network header, into a flow whose addresses are still missing.
///
/// # Safety
///
/// Both headers are there.
#[inline(always)]
unsafe fn read_tcp<const HEADER: usize>(start: *const u8, flags: u32) -> Flow {
    const FLAGS: isize = (tcp::FLAGS_OFFSET as usize).cast_signed();
    // SAFETY: the caller's.
    let (ports, tcp_flags) = unsafe {
        (
            u32::from_be(load_u32_at::<HEADER, 0>(start)),
            load_u8_at::<HEADER, FLAGS>(start),
        )
    };
    Flow {
        source_port: ports >> 16,
        destination_port: ports & 0xffff,
        tcp_flags: tcp_flags.into(),
        ..Flow::new(flags)
    }
}
