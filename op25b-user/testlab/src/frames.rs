//! A subscriber's first packet as it comes out of an access network: Ethernet, two VLAN tags, `PPPoE`, PPP, IP, TCP.

use std::net::IpAddr;

use anyhow::{Context as _, bail};
use etherparse::PacketBuilder;

/// The parts of a crafted frame that may be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syn {
    /// From Ethernet on.
    pub frame: Vec<u8>,
    /// From IP on: this arrives unchanged if a tag is removed.
    pub packet: Vec<u8>,
}

/// The customer's line: outer (S-) and inner (C-) VLAN, and the `PPPoE` session.
const SERVICE_VLAN: u16 = 100;
const CUSTOMER_VLAN: u16 = 42;
const SESSION: u16 = 0x0017;

/// A link-layer address.
pub type Mac = [u8; 6];
/// The router's end of the line: a locally administered address.
pub const LINE_ROUTER: Mac = [0x02, 0, 0, 0, 0, 0x01];
/// The subscriber's.
pub const LINE_SUBSCRIBER: Mac = [0x02, 0, 0, 0, 0, 0x02];

/// PPP's protocol numbers (RFC 1332, RFC 5072).
const PPP_IPV4: [u8; 2] = [0x00, 0x21];
const PPP_IPV6: [u8; 2] = [0x00, 0x57];

/// A TCP SYN in `QinQ` and `PPPoE`. The sequence number distinguishes them.
pub fn pppoe_syn(source: IpAddr, destination: IpAddr, port: u16, sequence: u32) -> anyhow::Result<Syn> {
    const SOURCE_PORT: u16 = 40_000;
    const WINDOW: u16 = 64_240;
    const HOP_LIMIT: u8 = 64;
    let ip = match (source, destination) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), HOP_LIMIT),
        (IpAddr::V6(from), IpAddr::V6(to)) => PacketBuilder::ipv6(from.octets(), to.octets(), HOP_LIMIT),
        _ => bail!("{source} and {destination} are of different families"),
    };
    let builder = ip.tcp(SOURCE_PORT, port, sequence, WINDOW).syn();
    let mut packet = Vec::with_capacity(builder.size(0));
    builder
        .write(&mut packet, &[])
        .context("cannot write a TCP packet")?;

    let frame = pppoe_frame(LINE_ROUTER, LINE_SUBSCRIBER, &packet)?;
    Ok(Syn { frame, packet })
}

/// A frame in `QinQ` and `PPPoE`, with an IP packet.
pub fn pppoe_frame(to: Mac, from: Mac, packet: &[u8]) -> anyhow::Result<Vec<u8>> {
    let ppp = match packet.first().map(|byte| byte >> 4) {
        Some(4) => PPP_IPV4,
        Some(6) => PPP_IPV6,
        _ => bail!("this is no IP packet"),
    };
    let length = u16::try_from(packet.len() + ppp.len()).context("the packet is too long")?;
    let mut frame = Vec::with_capacity(30 + packet.len());
    frame.extend(to);
    frame.extend(from);
    frame.extend([0x88, 0xa8]);
    frame.extend(SERVICE_VLAN.to_be_bytes());
    frame.extend([0x81, 0x00]);
    frame.extend(CUSTOMER_VLAN.to_be_bytes());
    frame.extend([0x88, 0x64, 0x11, 0x00]); // PPPoE session stage, version and type 1, code 0 (RFC 2516)
    frame.extend(SESSION.to_be_bytes());
    frame.extend(length.to_be_bytes());
    frame.extend(ppp);
    frame.extend(packet);
    Ok(frame)
}

/// The IP packet in such a frame; the kernel may have taken off the outermost tag. What follows it is padding.
#[must_use]
pub fn pppoe_payload(frame: &[u8]) -> Option<&[u8]> {
    let mut rest = frame.get(12..)?;
    while matches!(rest.get(..2)?, [0x88, 0xa8] | [0x81, 0x00]) {
        rest = rest.get(4..)?;
    }
    let (header, rest) = rest.split_at_checked(8)?;
    let [0x88, 0x64, 0x11, 0x00, _, _, high, low] = header else {
        return None;
    };
    let payload = rest.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
    let (protocol, packet) = payload.split_at_checked(2)?;
    [PPP_IPV4, PPP_IPV6]
        .iter()
        .any(|known| known == protocol)
        .then_some(packet)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn both_families_have_their_packet_after_the_same_22_bytes_of_tags_and_pppoe() {
        let v4 = IpAddr::from(Ipv4Addr::new(198, 51, 100, 202));
        let v6 = IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0x102, 0, 0, 0, 0, 0x10));
        for address in [v4, v6] {
            let syn = pppoe_syn(address, address, 25, 7).unwrap();
            assert_eq!(syn.frame.len(), 12 + 4 + 4 + 2 + 6 + 2 + syn.packet.len());
            assert!(syn.frame.ends_with(&syn.packet));
            let port = u16::from_be_bytes(syn.packet[syn.packet.len() - 18..][..2].try_into().unwrap());
            assert_eq!(port, 25);
            assert_eq!(pppoe_payload(&syn.frame), Some(syn.packet.as_slice()));
            let untagged = [&syn.frame[..12], &syn.frame[16..], &[0; 8]].concat();
            assert_eq!(pppoe_payload(&untagged), Some(syn.packet.as_slice()), "padded");
        }
        pppoe_syn(v4, v6, 25, 7).unwrap_err();
    }
}
