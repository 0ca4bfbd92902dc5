//! The slow path's packet descriptor: a TCP segment that may have to be blocked, and where it lies in the frame.

use op25b_common::{Reason, Tunnel};

use super::{
    Bytes, Network, UpperLayer,
    address::AddressBits,
    ethernet::Link,
    flow::{Flow, UNKNOWN_FLAGS},
    ipv4, ipv6,
    tcp::{Ports, parse_flags},
    tunnel::parse_tunnel,
};

/// A TCP segment in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Segment {
    /// The bytes before the frame's first IP header.
    pub link_length: u32,
    /// How many of those are the PPP protocol's, 0 without `PPPoE`.
    pub ppp_length: u32,
    /// Where the IP header with the source address is.
    pub source_network: u32,
    /// Where the IP header with the destination address is.
    pub destination_network: u32,
    /// The TCP header, and where the packet ends.
    pub upper: UpperLayer,
    /// What the verdict table depends on.
    pub flow: Flow,
}

impl Segment {
    /// A segment that is in no tunnel, or an outer packet that may be one; its ports, addresses and flags are still missing.
    #[must_use]
    #[inline(always)]
    pub fn new(link: Link, network: Network, upper: UpperLayer) -> Self {
        Self {
            link_length: link.length,
            ppp_length: link.ppp,
            source_network: link.length,
            destination_network: link.length,
            upper,
            flow: Flow::new(match network {
                Network::V4 => 0,
                Network::V6 => Flow::V6,
            }),
        }
    }

    /// Sets the ports.
    #[inline(always)]
    pub fn set_ports(&mut self, ports: Ports) {
        match ports {
            Ports::Known { source, destination } => {
                self.flow.source_port = u32::from(source);
                self.flow.destination_port = u32::from(destination);
            }
            Ports::Hidden => self.flow.flags |= Flow::HIDDEN,
        }
    }

    /// Goes from a tunnel's outer packet, which the segment describes so far, to the segment inside; an error if there is
    /// none.
    ///
    /// `skip_extensions` is [`super::extensions::skip_extensions`], however it is called.
    #[inline(always)]
    pub fn enter_tunnel<B: Bytes>(
        &mut self,
        bytes: &B,
        enabled: u8,
        skip_extensions: impl Fn(&mut UpperLayer),
    ) -> Result<(), Reason> {
        let outer = if self.flow.has(Flow::SOURCE_V6) {
            Network::V6
        } else {
            Network::V4
        };
        let inner = parse_tunnel(bytes, outer, &self.upper, enabled, skip_extensions)?;
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
            // DS-Lite (RFC 6333 section 6.6): inner sources are private and the same for everybody; the subscriber is the
            // sender of the outer packet. In the other tunnels the inner source is the subscriber's own address, and the
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

    /// Reads the addresses and TCP's flags.
    #[inline(always)]
    pub fn read_flow<B: Bytes>(&mut self, bytes: &B) {
        let (source_v6, destination_v6) = (
            self.flow.has(Flow::SOURCE_V6),
            self.flow.has(Flow::DESTINATION_V6),
        );
        let source = if source_v6 {
            ipv6::SOURCE_OFFSET
        } else {
            ipv4::SOURCE_OFFSET
        };
        let destination = if destination_v6 {
            ipv6::DESTINATION_OFFSET
        } else {
            ipv4::DESTINATION_OFFSET
        };
        self.flow.source = AddressBits::read(bytes, self.source_network + source, source_v6);
        self.flow.destination =
            AddressBits::read(bytes, self.destination_network + destination, destination_v6);
        self.flow.tcp_flags = parse_flags(bytes, &self.upper).map_or(UNKNOWN_FLAGS, u32::from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{
        ethernet::parse_link, extensions::skip_extensions, ipv4::parse_ipv4, ipv6::parse_ipv6,
        tcp::parse_ports,
    };

    const LINK_V4: [u8; 14] = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0x08, 0x00];
    const LINK_V6: [u8; 14] = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0x86, 0xdd];
    const V4: [u8; 20] = [
        0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 0, 2, 203, 0, 113, 25,
    ];
    const TCP: [u8; 20] = [
        0xc0, 0x01, 0, 25, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
    ];

    /// The IPv6 header of a packet from `2001:db8::` to `2001:db8::25` with 40 bytes of this protocol.
    fn v6(protocol: u8) -> [u8; 40] {
        let mut header = [0; 40];
        header[..12].copy_from_slice(&[0x60, 0, 0, 0, 0, 40, protocol, 64, 0x20, 0x01, 0x0d, 0xb8]);
        header[24..28].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        header[39] = 0x25;
        header
    }

    fn outermost(bytes: &&[u8]) -> Segment {
        let (network, link) = parse_link(bytes, 0).expect("there is IP in it");
        let upper = match network {
            Network::V4 => parse_ipv4(bytes, link.length),
            Network::V6 => parse_ipv6(bytes, link.length),
        };
        Segment::new(link, network, upper.expect("there is IP in it"))
    }

    fn inside(bytes: &&[u8]) -> Segment {
        let mut segment = outermost(bytes);
        segment
            .enter_tunnel(bytes, 0xff, |upper| skip_extensions(bytes, upper))
            .expect("there is TCP in it");
        segment.read_flow(bytes);
        segment
    }

    #[test]
    fn a_segment_in_no_tunnel_is_read_whole() {
        let frame = [&LINK_V4[..], &V4, &TCP].concat();
        let bytes = &&frame[..];
        let mut segment = outermost(bytes);
        segment.set_ports(parse_ports(bytes, Network::V4, &segment.upper).expect("it is TCP"));
        segment.read_flow(bytes);
        let flow = segment.flow;
        assert_eq!(flow.source().v4_key(), [192, 0, 0, 2]);
        assert_eq!(flow.destination().v4_key(), [203, 0, 113, 25]);
        assert_eq!((flow.source_port, flow.destination_port), (0xc001, 25));
        assert_eq!((flow.flags, flow.tunnels, flow.tcp_flags), (0, 0, 2));
    }

    #[test]
    fn in_ds_lite_the_source_is_the_outer_one() {
        let frame = [&LINK_V6[..], &v6(4), &V4, &TCP].concat();
        let segment = inside(&&frame[..]);
        assert_eq!(segment.flow.flags, Flow::SOURCE_V6);
        assert_eq!(segment.flow.source.high, 0x2001_0db8_0000_0000);
        assert_eq!(segment.flow.destination().v4_key(), [203, 0, 113, 25]);
        assert_eq!(segment.flow.tunnels, u32::from(Tunnel::V4InV6.bit()));
        assert_eq!((segment.source_network, segment.destination_network), (14, 54));
    }

    #[test]
    fn in_other_tunnels_the_source_is_the_inner_one() {
        let mut outer = V4;
        outer[3] = 100;
        outer[9] = 41;
        let mut inner = v6(6);
        inner[5] = 20;
        let frame = [&LINK_V4[..], &outer, &inner, &TCP].concat();
        let segment = inside(&&frame[..]);
        assert_eq!(segment.flow.flags, Flow::V6);
        assert_eq!(segment.flow.source.high, 0x2001_0db8_0000_0000);
        assert_eq!(segment.flow.destination.low, 0x25);
        assert_eq!(segment.flow.tunnels, u32::from(Tunnel::V6InV4.bit()));
        assert_eq!((segment.source_network, segment.destination_network), (34, 34));
    }

    #[test]
    fn a_fragment_without_the_inner_header_has_no_address_except_in_ds_lite() {
        let mut outer = V4;
        outer[7] = 1;
        outer[9] = 41;
        let frame = [&LINK_V4[..], &outer, &TCP].concat();
        let segment = inside(&&frame[..]);
        assert!(segment.flow.has(Flow::UNADDRESSED) && segment.flow.has(Flow::HIDDEN));

        let first = [4, 0, 0, 1, 0, 0, 0, 1];
        let frame = [&LINK_V6[..], &v6(44), &first, &TCP[..12]].concat();
        let bytes = &&frame[..];
        let mut segment = outermost(bytes);
        skip_extensions(bytes, &mut segment.upper);
        segment
            .enter_tunnel(bytes, 0xff, |upper| skip_extensions(bytes, upper))
            .expect("it may hide TCP");
        assert!(!segment.flow.has(Flow::UNADDRESSED) && segment.flow.has(Flow::HIDDEN));
    }
}
