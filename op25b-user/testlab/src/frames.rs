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

/// A TCP SYN in `QinQ` and `PPPoE`. The sequence number distinguishes them.
pub fn pppoe_syn(source: IpAddr, destination: IpAddr, port: u16, sequence: u32) -> anyhow::Result<Syn> {
    const SOURCE_PORT: u16 = 40_000;
    const WINDOW: u16 = 64_240;
    const HOP_LIMIT: u8 = 64;
    let (ip, ppp) = match (source, destination) {
        (IpAddr::V4(from), IpAddr::V4(to)) => (
            PacketBuilder::ipv4(from.octets(), to.octets(), HOP_LIMIT),
            [0x00, 0x21],
        ),
        (IpAddr::V6(from), IpAddr::V6(to)) => (
            PacketBuilder::ipv6(from.octets(), to.octets(), HOP_LIMIT),
            [0x00, 0x57],
        ),
        _ => bail!("{source} and {destination} are of different families"),
    };
    let builder = ip.tcp(SOURCE_PORT, port, sequence, WINDOW).syn();
    let mut packet = Vec::with_capacity(builder.size(0));
    builder
        .write(&mut packet, &[])
        .context("cannot write a TCP packet")?;

    let length = u16::try_from(packet.len() + ppp.len()).context("the packet is too long")?;
    let mut frame = Vec::new();
    frame.extend([0x02, 0, 0, 0, 0, 0x01]); // to the router: locally administered addresses
    frame.extend([0x02, 0, 0, 0, 0, 0x02]);
    frame.extend([0x88, 0xa8]);
    frame.extend(SERVICE_VLAN.to_be_bytes());
    frame.extend([0x81, 0x00]);
    frame.extend(CUSTOMER_VLAN.to_be_bytes());
    frame.extend([0x88, 0x64, 0x11, 0x00]); // PPPoE session stage, version and type 1, code 0 (RFC 2516)
    frame.extend(SESSION.to_be_bytes());
    frame.extend(length.to_be_bytes());
    frame.extend(ppp);
    frame.extend(&packet);
    Ok(Syn { frame, packet })
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
        }
        pppoe_syn(v4, v6, 25, 7).unwrap_err();
    }
}
