//! The slow path's packet descriptor: a TCP segment that may have to be blocked, and where it lies in the frame.

use op25b_common::Reason;

use super::{
    Bytes, Network, UpperLayer,
    address::{Address, AddressBits},
    ethernet::Link,
    flow::{Flow, UNKNOWN_FLAGS},
    ipv4, ipv6,
    tcp::{Ports, parse_flags, parse_ports},
    tunnel::{kinds, parse_tunnel, starts_tunnel},
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
    /// The sources of outer packets that are asked beside the inner one, by the level of their tunnel.
    pub outer_sources: [OuterSource; Self::LEVELS],
    /// What the verdict table depends on.
    pub flow: Flow,
}

/// The source of a tunnel's outer packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct OuterSource {
    /// Where its IP header is; 0 if it is not asked.
    pub network: u32,
    /// 1 for IPv6, else 0.
    pub is_v6: u32,
    /// The address.
    pub bits: AddressBits,
}

impl OuterSource {
    /// The address, if it is asked.
    #[must_use]
    #[inline(always)]
    pub fn address(&self) -> Option<Address> {
        (self.network != 0).then(|| Address::new(self.bits, self.is_v6 != 0))
    }
}

impl Segment {
    /// How many tunnels in one another are parsed.
    pub const LEVELS: usize = 2;

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
            outer_sources: [OuterSource::default(); Self::LEVELS],
            flow: Flow::new(
                match network {
                    Network::V4 => 0,
                    Network::V6 => Flow::V6,
                } | if link.may_reply { 0 } else { Flow::NO_REPLY },
            ),
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

    /// Goes from a tunnel's outer packet, which the segment describes so far, to the packet inside; an error if there is no TCP
    /// in it (`not_tcp` or `later_fragment`). Returns whether that is a tunnel itself, to be entered likewise.
    ///
    /// `skip_extensions` is [`super::extensions::skip_extensions`], however it is called.
    #[inline(always)]
    pub fn enter_tunnel<B: Bytes>(
        &mut self,
        bytes: &B,
        enabled: u8,
        skip_extensions: impl Fn(&mut UpperLayer),
    ) -> Result<bool, Reason> {
        let outer = self.destination_version();
        let is_first = self.flow.tunnels == 0;
        let inner = parse_tunnel(bytes, outer, &self.upper, enabled, skip_extensions)?;
        self.upper = inner.upper;
        self.flow.tunnels |= u32::from(inner.kinds) << if is_first { 0 } else { 8 };
        if inner.is_unaddressed {
            self.flow.flags |= Flow::UNADDRESSED;
        }
        if inner.is_hidden() {
            self.flow.flags |= Flow::HIDDEN;
            return Ok(false);
        }
        let (network, offset) = (inner.network, inner.offset);
        if !inner.is_its_outer_sources() {
            let outer = OuterSource {
                network: self.source_network,
                is_v6: u32::from(self.flow.has(Flow::SOURCE_V6)),
                bits: AddressBits::default(),
            };
            if is_first {
                self.outer_sources[0] = outer;
            } else {
                self.outer_sources[1] = outer;
            }
            self.source_network = offset;
            self.flow.flags &= !Flow::SOURCE_V6;
            if network == Network::V6 {
                self.flow.flags |= Flow::SOURCE_V6;
            }
        }
        self.destination_network = offset;
        self.flow.flags &= !Flow::DESTINATION_V6;
        if network == Network::V6 {
            self.flow.flags |= Flow::DESTINATION_V6;
        }
        if kinds(network, self.upper.protocol) & enabled == 0 {
            let ports = parse_ports(bytes, network, &self.upper)?;
            self.set_ports(ports);
            return Ok(false);
        }
        if is_first {
            return Ok(true);
        }
        let kinds = starts_tunnel(bytes, network, &self.upper, enabled)?;
        self.flow.tunnels |= u32::from(kinds) << 16;
        self.flow.flags |= Flow::HIDDEN;
        Ok(false)
    }

    /// The IP version of the innermost packet that has been parsed.
    #[inline(always)]
    fn destination_version(&self) -> Network {
        if self.flow.has(Flow::DESTINATION_V6) {
            Network::V6
        } else {
            Network::V4
        }
    }

    /// Reads the addresses and TCP's flags.
    #[inline(always)]
    pub fn read_flow<B: Bytes>(&mut self, bytes: &B) {
        let (source_v6, destination_v6) = (
            self.flow.has(Flow::SOURCE_V6),
            self.flow.has(Flow::DESTINATION_V6),
        );
        let destination = if destination_v6 {
            ipv6::DESTINATION_OFFSET
        } else {
            ipv4::DESTINATION_OFFSET
        };
        self.flow.source =
            AddressBits::read(bytes, self.source_network + source_offset(source_v6), source_v6);
        self.flow.destination =
            AddressBits::read(bytes, self.destination_network + destination, destination_v6);
        for outer in &mut self.outer_sources {
            if outer.network != 0 {
                let is_v6 = outer.is_v6 != 0;
                outer.bits = AddressBits::read(bytes, outer.network + source_offset(is_v6), is_v6);
            }
        }
        self.flow.tcp_flags = parse_flags(bytes, &self.upper).map_or(UNKNOWN_FLAGS, u32::from);
    }

    /// Makes this the source that decides.
    #[inline(always)]
    pub fn set_source(&mut self, source: Address) {
        self.flow.source = AddressBits {
            high: source.high,
            low: source.low,
        };
        self.flow.flags &= !Flow::SOURCE_V6;
        if source.is_v6 {
            self.flow.flags |= Flow::SOURCE_V6;
        }
    }
}

/// Where the source stands in an IP header.
#[inline(always)]
const fn source_offset(is_v6: bool) -> u32 {
    if is_v6 {
        ipv6::SOURCE_OFFSET
    } else {
        ipv4::SOURCE_OFFSET
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{
        ethernet::{Usual, parse_link},
        extensions::skip_extensions,
        ipv4::parse_ipv4,
        ipv6::parse_ipv6,
    };

    use op25b_common::Tunnel;

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
        let (network, link) = parse_link(bytes, 0, &Usual).expect("there is IP in it");
        let upper = match network {
            Network::V4 => parse_ipv4(bytes, link.length),
            Network::V6 => parse_ipv6(bytes, link.length),
        };
        Segment::new(link, network, upper.expect("there is IP in it"))
    }

    fn inside(bytes: &&[u8]) -> Segment {
        enter(bytes, 0xff).expect("there is TCP in it")
    }

    /// The segment inside all tunnels.
    fn enter(bytes: &&[u8], enabled: u8) -> Result<Segment, Reason> {
        let mut segment = outermost(bytes);
        if segment.upper.protocol == 44 {
            skip_extensions(bytes, &mut segment.upper);
        }
        let enter = |segment: &mut Segment| {
            segment.enter_tunnel(bytes, enabled, |upper| skip_extensions(bytes, upper))
        };
        if enter(&mut segment)? {
            assert!(!enter(&mut segment)?, "more levels than are parsed");
        }
        segment.read_flow(bytes);
        Ok(segment)
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
    fn in_other_tunnels_the_source_is_the_inner_one_and_the_outer_one_is_asked_too() {
        let mut outer = V4;
        outer[3] = 100;
        outer[9] = 41;
        let mut inner = v6(6);
        inner[5] = 20;
        let frame = [&LINK_V4[..], &outer, &inner, &TCP].concat();
        let mut segment = inside(&&frame[..]);
        assert_eq!(segment.flow.flags, Flow::V6);
        assert_eq!(segment.flow.source.high, 0x2001_0db8_0000_0000);
        assert_eq!(segment.flow.destination.low, 0x25);
        assert_eq!(segment.flow.tunnels, u32::from(Tunnel::V6InV4.bit()));
        assert_eq!((segment.source_network, segment.destination_network), (34, 34));
        let outer = segment.outer_sources[0].address().expect("it is asked");
        assert_eq!((outer.is_v6, outer.v4_key()), (false, [192, 0, 0, 2]));
        assert_eq!(segment.outer_sources[1].address(), None);
        segment.set_source(outer);
        assert_eq!(segment.flow.source().v4_key(), [192, 0, 0, 2]);
        assert_eq!(segment.flow.destination.low, 0x25);
        assert!(!segment.flow.source().is_v6 && segment.flow.destination().is_v6);
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
        let segment = inside(&&frame[..]);
        assert!(!segment.flow.has(Flow::UNADDRESSED) && segment.flow.has(Flow::HIDDEN));
    }

    /// An IPv4 packet from this address, `10.x.x.x`, with this protocol.
    fn from(source: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut header = V4;
        header[3] = 20 + payload.len() as u8;
        header[9] = protocol;
        header[12..16].fill(source);
        [&header[..], payload].concat()
    }

    const IN_GRE: [u8; 4] = [0, 0, 0x08, 0x00];

    #[test]
    fn in_two_tunnels_the_source_is_the_innermost_one_and_both_outer_ones_are_asked() {
        let inner = from(3, 6, &TCP);
        let middle = from(2, 47, &[&IN_GRE[..], &inner].concat());
        let frame = [&LINK_V4[..], &from(1, 4, &middle)].concat();
        let segment = inside(&&frame[..]);
        assert_eq!(segment.flow.source().v4_key(), [3; 4]);
        assert_eq!(segment.flow.destination_port, 25);
        let outer = segment
            .outer_sources
            .map(|outer| outer.address().map(|address| address.v4_key()));
        assert_eq!(outer, [Some([1; 4]), Some([2; 4])]);
        let bits = [Tunnel::V4InV4, Tunnel::Gre].map(|tunnel| u32::from(tunnel.bit()));
        assert_eq!(segment.flow.tunnels, bits[0] | bits[1] << 8);
    }

    #[test]
    fn in_gre_in_ds_lite_the_private_source_between_the_two_is_not_asked() {
        let middle = from(2, 47, &[&IN_GRE[..], &from(3, 6, &TCP)].concat());
        let mut outer = v6(4);
        outer[5] = middle.len() as u8;
        let frame = [&LINK_V6[..], &outer, &middle].concat();
        let segment = inside(&&frame[..]);
        assert_eq!(segment.flow.source().v4_key(), [3; 4]);
        assert_eq!(segment.outer_sources[0].address(), None);
        let outer = segment.outer_sources[1].address().expect("it is asked");
        assert_eq!((outer.is_v6, outer.high), (true, 0x2001_0db8_0000_0000));
    }

    #[test]
    fn what_is_in_two_tunnels_is_no_tcp_unless_it_is() {
        let in_two = |protocol, payload: &[u8]| {
            let inner = from(3, protocol, payload);
            let middle = from(2, 47, &[&IN_GRE[..], &inner].concat());
            [&LINK_V4[..], &from(1, 4, &middle)].concat()
        };
        let dns = [0xc0, 0x01, 0, 53, 0, 8, 0, 0];
        let pptp = [0x30, 0x01, 0x88, 0x0b];
        for (protocol, payload) in [(1, &[8, 0, 0, 0][..]), (17, &dns), (17, &dns[..2]), (47, &pptp)] {
            assert_eq!(enter(&&in_two(protocol, payload)[..], 0xff), Err(Reason::NotTcp));
        }
    }

    #[test]
    fn a_third_tunnel_hides_what_is_inside_if_it_is_enabled() {
        let third = from(3, 4, &from(4, 6, &TCP));
        let middle = from(2, 47, &[&IN_GRE[..], &third].concat());
        let frame = [&LINK_V4[..], &from(1, 4, &middle)].concat();
        let segment = inside(&&frame[..]);
        assert!(segment.flow.has(Flow::HIDDEN) && !segment.flow.has(Flow::UNADDRESSED));
        assert_eq!(segment.flow.source().v4_key(), [3; 4]);
        let [ip, gre] = [Tunnel::V4InV4, Tunnel::Gre].map(|tunnel| u32::from(tunnel.bit()));
        assert_eq!(segment.flow.tunnels, ip | gre << 8 | ip << 16);

        let frame = [
            &LINK_V4[..],
            &from(1, 47, &[&IN_GRE[..], &from(2, 4, &third)].concat()),
        ]
        .concat();
        assert_eq!(enter(&&frame[..], Tunnel::Gre.bit()), Err(Reason::NotTcp));
    }

    #[test]
    fn fragments_in_two_tunnels_are_hidden_early_and_pass_later() {
        let in_two = |protocol, offset| {
            let mut third = from(3, protocol, &[0; 40]);
            third[7] = offset;
            let middle = from(2, 47, &[&IN_GRE[..], &third].concat());
            [&LINK_V4[..], &from(1, 4, &middle)].concat()
        };
        for protocol in [4, 41, 47] {
            let early = inside(&&in_two(protocol, 15)[..]);
            assert!(early.flow.has(Flow::HIDDEN));
            let later = in_two(protocol, 16);
            assert_eq!(enter(&&later[..], 0xff), Err(Reason::LaterFragment));
        }
        assert_eq!(enter(&&in_two(17, 1)[..], 0xff), Err(Reason::NotTcp));
    }
}
