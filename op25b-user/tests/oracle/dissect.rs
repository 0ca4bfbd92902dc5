//! A frame in text, for the report of a failing test.

use std::fmt::Write as _;

use etherparse::LaxPacketHeaders;

use crate::{
    expected::link::{self, Content},
    policy::Block,
    verdict::hex,
};

/// The frame's bytes by layer, as far as etherparse goes with it.
pub fn dissect(frame: &[u8]) -> String {
    let mut text = format!("frame, {} bytes: {}\n", frame.len(), hex(frame));
    let Content::Ip(link) = link::read(&Block::default(), true, frame) else {
        match LaxPacketHeaders::from_ethernet(frame) {
            Ok(headers) => writeln!(text, "no IP: {:?} {:?}", headers.link, headers.link_exts),
            Err(error) => writeln!(text, "no Ethernet: {error}"),
        }
        .expect("a string takes all");
        return text;
    };
    let (before, packet) = frame.split_at(link.network.min(frame.len()));
    let _ = writeln!(text, "link, {} bytes: {}", before.len(), hex(before));
    let _ = writeln!(text, "{:?} packet at {}", link.family, link.network);
    match LaxPacketHeaders::from_ip(packet) {
        Ok(headers) => {
            let _ = writeln!(text, "net: {:?}\ntransport: {:?}", headers.net, headers.transport);
            let _ = writeln!(text, "payload: {:?}", headers.payload);
            if let Some((error, layer)) = headers.stop_err {
                let _ = writeln!(text, "etherparse stops at {layer}: {error}");
            }
        }
        Err(error) => {
            let _ = writeln!(text, "etherparse does not read it: {error}");
        }
    }
    text
}
