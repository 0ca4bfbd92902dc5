//! A TCP segment that may have to be blocked: where it lies in the frame, as one step hands it to the next.
//!
//! The steps are functions that the verifier proves one by one, for any argument. Proving one program in which they are
//! all inlined took it nearly a million instructions, the most that the kernel allows.

use aya_ebpf::bindings::xdp_md;
use op25b_common::{Reason, Tunnel};

use crate::{
    address::{Halves, Place},
    bpf::frame::Fetched,
    flow::{Flow, UNKNOWN_FLAGS},
    parse::{Bytes as _, Network, Ports, Upper, ethernet::Link, ipv4, ipv6, tunnel},
};

/// A TCP segment in a frame.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Segment {
    /// The bytes before the frame's first IP header.
    pub link_length: u32,
    /// How many of those are the PPP protocol's, 0 without `PPPoE`.
    pub ppp_length: u32,
    /// The IP header with the source address.
    pub source_network: u32,
    /// The IP header with the destination address.
    pub destination_network: u32,
    /// The TCP header, and where the packet ends.
    pub upper: Upper,
    /// What there is to judge.
    pub flow: Flow,
}

impl Segment {
    /// A segment that is in no tunnel, or an outer packet that may be one.
    #[inline(always)]
    pub fn new(link: Link, network: Network, upper: Upper, ports: Ports) -> Self {
        let mut segment = Self {
            link_length: link.length,
            ppp_length: link.ppp,
            source_network: link.length,
            destination_network: link.length,
            upper,
            flow: Flow::new(match network {
                Network::V4 => 0,
                Network::V6 => Flow::V6,
            }),
        };
        segment.set_ports(ports);
        segment
    }

    /// Reads what there is to know besides the ports.
    #[inline(always)]
    pub fn read_rest(&mut self, frame: &Fetched) {
        self.flow.source = Halves::read(frame, self.source_place());
        self.flow.destination = Halves::read(frame, self.destination_place());
        self.flow.tcp_flags = self.read_tcp_flags(frame).map_or(UNKNOWN_FLAGS, u32::from);
    }

    #[inline(always)]
    fn set_ports(&mut self, ports: Ports) {
        match ports {
            Ports::Known { source, destination } => {
                self.flow.source_port = u32::from(source);
                self.flow.destination_port = u32::from(destination);
            }
            Ports::Hidden => self.flow.flags |= Flow::HIDDEN,
        }
    }

    /// Where its source address stands.
    #[inline(always)]
    fn source_place(&self) -> Place {
        let is_v6 = self.flow.has(Flow::SOURCE_V6);
        let at = if is_v6 {
            ipv6::SOURCE_OFFSET
        } else {
            ipv4::SOURCE_OFFSET
        };
        Place {
            offset: self.source_network + at,
            is_v6,
        }
    }

    /// Where its destination address stands.
    #[inline(always)]
    fn destination_place(&self) -> Place {
        let is_v6 = self.flow.has(Flow::DESTINATION_V6);
        let at = if is_v6 {
            ipv6::DESTINATION_OFFSET
        } else {
            ipv4::DESTINATION_OFFSET
        };
        Place {
            offset: self.destination_network + at,
            is_v6,
        }
    }

    /// Goes from a tunnel's outer packet, which the segment describes so far, to the segment inside.
    ///
    /// # Errors
    ///
    /// The reason why there is none.
    #[inline(always)]
    pub fn enter_tunnel(&mut self, frame: &Fetched, enabled: u8) -> Result<(), Reason> {
        let outer = if self.flow.has(Flow::SOURCE_V6) {
            Network::V6
        } else {
            Network::V4
        };
        let skip_extensions = |upper: &mut Upper| {
            skip_extensions(frame.0, upper);
        };
        let inner = tunnel::inner(frame, outer, &self.upper, enabled, skip_extensions)?;
        let is_ds_lite = inner.kind == Tunnel::V4InV6;
        if inner.network.is_none() && !is_ds_lite && self.upper.is_fragment != 0 {
            self.flow.flags |= Flow::UNADDRESSED;
        }
        self.upper = inner.upper;
        self.flow.tunnels = u32::from(inner.kind.bit() | inner.nested.map_or(0, Tunnel::bit));
        [self.flow.source_port, self.flow.destination_port] = inner.ports.map(u32::from);
        if inner.is_hidden {
            self.flow.flags |= Flow::HIDDEN;
        }
        if let Some((network, offset)) = inner.network {
            let is_v6 = network == Network::V6;
            self.destination_network = offset;
            self.flow.flags &= !Flow::DESTINATION_V6;
            if is_v6 {
                self.flow.flags |= Flow::DESTINATION_V6;
            }
            // DS-Lite (RFC 6333 section 6.6): inner sources are private and the same for everybody; the subscriber is who
            // sends the outer packet. In the other tunnels the inner source is the subscriber's own address, and the
            // outer one may be a concentrator's.
            if !is_ds_lite {
                self.source_network = offset;
                self.flow.flags &= !Flow::SOURCE_V6;
                if is_v6 {
                    self.flow.flags |= Flow::SOURCE_V6;
                }
            }
        }
        Ok(())
    }

    /// The TCP flags, if they can be read.
    #[inline(always)]
    fn read_tcp_flags(&self, frame: &Fetched) -> Option<u8> {
        const CONTROL_OFFSET: u32 = 12;
        let at = self.upper.offset + CONTROL_OFFSET;
        if at + 1 >= self.upper.end {
            return None;
        }
        // Of a single byte at an unknown offset, the verifier would not see that it is in the frame.
        frame.bytes(at).map(|[_data_offset, flags]| flags)
    }
}

/// Goes from an IPv6 extension header to what stands behind the last one. Verified by itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn skip_extensions(ctx: *mut xdp_md, upper: *mut Upper) -> u32 {
    // SAFETY: the verifier holds callers to a valid pointer, and this function to the null check.
    if let Some(upper) = unsafe { upper.as_mut() } {
        ipv6::behind_extensions(&Fetched(ctx), upper);
    }
    0
}
