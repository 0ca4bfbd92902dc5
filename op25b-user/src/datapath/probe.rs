//! Builds the packet of a test run: a subscriber's TCP SYN, as it arrives at the interface.

use std::net::IpAddr;

use etherparse::{PacketBuilder, PacketBuilderStep};
use thiserror::Error;

/// Source and destination are not of one address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{source_address} and {destination_address} are not of the same address family")]
pub struct MixedFamilies {
    source_address: IpAddr,
    destination_address: IpAddr,
}

/// An Ethernet frame with a TCP SYN from `source` to `destination`.
///
/// # Panics
///
/// Never: a packet without payload is never too long to be written.
pub fn syn(source: IpAddr, destination: IpAddr, destination_port: u16) -> Result<Vec<u8>, MixedFamilies> {
    const SOURCE_PORT: u16 = 49152;
    const WINDOW: u16 = 64240;
    const HOP_LIMIT: u8 = 64;
    let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let ip: PacketBuilderStep<_> = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            ethernet.ipv4(source.octets(), destination.octets(), HOP_LIMIT)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            ethernet.ipv6(source.octets(), destination.octets(), HOP_LIMIT)
        }
        (source_address, destination_address) => {
            return Err(MixedFamilies {
                source_address,
                destination_address,
            });
        }
    };
    let tcp = ip.tcp(SOURCE_PORT, destination_port, 0, WINDOW).syn();
    let mut frame = Vec::with_capacity(tcp.size(0));
    // Writing to a Vec fails only for a payload that is too long, and there is none.
    tcp.write(&mut frame, &[]).expect("a SYN without payload fits");
    Ok(frame)
}
