//! The packets of the part `test-run`: a subscriber's usual ones, and those that the filter is for.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::Context as _;
use etherparse::{PacketBuilder, PacketBuilderStep};

use crate::veth;

/// What is to become of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Drop,
}

impl Verdict {
    /// The XDP action (`linux/bpf.h`).
    pub fn action(self) -> u32 {
        match self {
            Self::Drop => 1,
            Self::Pass => 2,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Pass => "pass",
        }
    }
}

/// A frame as it comes in on a subscriber interface.
#[derive(Debug)]
pub struct Frame {
    pub packet: &'static str,
    pub framing: &'static str,
    pub verdict: Verdict,
    pub bytes: Vec<u8>,
}

/// Where a packet comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    Pooled,
    Exempt,
    Elsewhere,
}

/// What carries the packet.
#[derive(Clone, Copy, Debug)]
enum Framing {
    V4,
    V6,
    /// IPv4 in `PPPoE` in two VLAN tags.
    Session,
}

impl Framing {
    const ALL: [Self; 3] = [Self::V4, Self::V6, Self::Session];

    fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
            Self::Session => "QinQ, PPPoE, IPv4",
        }
    }
}

/// All packets in all framings.
pub fn all() -> anyhow::Result<Vec<Frame>> {
    let packets = [
        ("UDP", None, Source::Pooled, Verdict::Pass),
        ("TCP/443", Some(443), Source::Pooled, Verdict::Pass),
        ("TCP/25, blocked", Some(25), Source::Pooled, Verdict::Drop),
        ("TCP/25, exempt", Some(25), Source::Exempt, Verdict::Pass),
        ("TCP/25, not pooled", Some(25), Source::Elsewhere, Verdict::Pass),
    ];
    let mut frames = Vec::new();
    for (packet, tcp_port, source, verdict) in packets {
        for framing in Framing::ALL {
            let bytes = frame(framing, tcp_port, source)
                .with_context(|| format!("cannot make {packet} in {}", framing.name()))?;
            frames.push(Frame {
                packet,
                framing: framing.name(),
                verdict,
                bytes,
            });
        }
    }
    Ok(frames)
}

fn frame(framing: Framing, tcp_port: Option<u16>, source: Source) -> anyhow::Result<Vec<u8>> {
    let host = match source {
        Source::Pooled => (Ipv4Addr::new(198, 51, 100, 10), "2001:db8:100::10"),
        Source::Exempt => (Ipv4Addr::new(198, 51, 100, 138), "2001:db8:1ff::10"),
        Source::Elsewhere => (Ipv4Addr::new(192, 0, 2, 10), "2001:db8:f00::10"),
    };
    let v6: Ipv6Addr = host.1.parse().context("an address")?;
    let remote: Ipv6Addr = "2001:db8:ffff::1".parse().context("an address")?;
    let ethernet = PacketBuilder::ethernet2(veth::SENDER, veth::RECEIVER);
    let ip = match framing {
        Framing::V4 | Framing::Session => ethernet.ipv4(host.0.octets(), [203, 0, 113, 1], 64),
        Framing::V6 => ethernet.ipv6(v6.octets(), remote.octets(), 64),
    };
    let plain = with_transport(ip, tcp_port)?;
    Ok(match framing {
        Framing::V4 | Framing::V6 => plain,
        Framing::Session => in_session(&plain)?,
    })
}

/// Adds UDP, or the SYN of a connection to a port, and a payload of ordinary length.
fn with_transport(
    ip: PacketBuilderStep<etherparse::IpHeaders>,
    tcp_port: Option<u16>,
) -> anyhow::Result<Vec<u8>> {
    const PAYLOAD: [u8; 64] = [0; 64];
    let mut bytes = Vec::new();
    match tcp_port {
        Some(port) => ip
            .tcp(50_000, port, 1, 65_535)
            .syn()
            .write(&mut bytes, &PAYLOAD)?,
        None => ip.udp(50_000, 443).write(&mut bytes, &PAYLOAD)?,
    }
    Ok(bytes)
}

/// The IPv4 packet of a frame in a `PPPoE` session in a customer's VLAN in a provider's.
fn in_session(plain: &[u8]) -> anyhow::Result<Vec<u8>> {
    const ADDRESSES: usize = 12;
    const ETHERNET: usize = 14;
    let packet = &plain[ETHERNET..];
    let length = u16::try_from(packet.len() + 2).context("a long packet")?;
    let mut bytes = plain[..ADDRESSES].to_vec();
    bytes.extend([0x88, 0xa8, 0, 100, 0x81, 0x00, 0, 200]);
    bytes.extend([0x88, 0x64, 0x11, 0x00, 0, 1]);
    bytes.extend(length.to_be_bytes());
    bytes.extend([0x00, 0x21]);
    bytes.extend(packet);
    Ok(bytes)
}
