//! Whose records there are, and what of them is shown.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::PacketBuilder;
use op25b_testlab::{
    lab::{HOST_END, Host},
    packet_socket::PacketSocket,
};

use crate::support::scene::{Scene, eventually};

mod customers;
mod forget;
mod hidden;
mod history;
mod remember;

/// Bots among the subscribers.
pub(crate) const FOUR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 77);
pub(crate) const SIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0x77);

pub(crate) const ETHERNET: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];

/// The subscribers' line, to send whatever frame.
pub(crate) fn line(scene: &Scene) -> PacketSocket {
    let host = scene.lab.host(Host::Subscriber);
    host.run(|| PacketSocket::open(HOST_END)).unwrap()
}

/// Waits until the history has begun.
pub(crate) fn has_begun(scene: &Scene) {
    eventually("the history has begun", || {
        scene.daemon_report()["history"]["bytes"].is_u64()
    });
}

/// A frame with a SYN to port 25.
pub(crate) fn syn(source: impl Into<IpAddr>) -> Vec<u8> {
    let ethernet = PacketBuilder::ethernet2(ETHERNET[0], ETHERNET[1]);
    let ip = match source.into() {
        IpAddr::V4(source) => ethernet.ipv4(source.octets(), [203, 0, 113, 25], 64),
        IpAddr::V6(source) => {
            let server = Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 0, 0x25);
            ethernet.ipv6(source.octets(), server.octets(), 64)
        }
    };
    let mut frame = Vec::new();
    ip.tcp(40_000, 25, 1, 1024).syn().write(&mut frame, &[]).unwrap();
    frame
}
