//! What must hold of whatever the XDP program's parsers read out of any bytes? Also run by `cargo fuzz`, in `fuzz`.
//!
//! They are the program's own sources, compiled for this machine, where arithmetic that overflows panics.

#[allow(
    dead_code,
    missing_docs,
    clippy::inline_always,
    clippy::cast_possible_truncation,
    reason = "written for the BPF target, where other rules hold"
)]
#[path = "../../../op25b-ebpf/src"]
mod program {
    pub mod parse;
}

use op25b_common::{Reason, Tunnel};

use self::program::parse::{
    Bytes, MAX_OFFSET, Network, OPEN_END, Ports, TCP, Upper,
    ethernet::{self, MAX_LINK_LENGTH},
    ipv4, ipv6,
    tunnel::inner,
};

/// A frame in memory.
struct Memory<'a>(&'a [u8]);

impl Bytes for Memory<'_> {
    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let start = usize::try_from(offset).ok()?;
        self.0.get(start..start.checked_add(N)?)?.try_into().ok()
    }
}

impl Memory<'_> {
    fn length(&self) -> u32 {
        self.0.len().try_into().expect("a frame is shorter than 4 GiB")
    }
}

/// Runs all parsers on a frame, and those for IP on the same bytes as packets of both versions.
pub fn check(frame: &[u8]) {
    let frame = Memory(frame);
    if let Ok((network, link)) = ethernet::network_layer(&frame) {
        assert!(link.ppp <= 2);
        assert!(link.length <= MAX_LINK_LENGTH && link.length <= frame.length());
        packet(&frame, network, link.length);
    }
    for network in [Network::V4, Network::V6] {
        packet(&frame, network, 0);
    }
}

/// The IP packet at `offset`, and what is in it.
fn packet(frame: &Memory<'_>, network: Network, offset: u32) {
    let Some(upper) = upper(frame, network, offset) else {
        return;
    };
    ports(frame, &upper, upper.end);
    let all = Tunnel::ALL.iter().fold(0, |all, tunnel| all | tunnel.bit());
    for enabled in Tunnel::ALL.map(Tunnel::bit).into_iter().chain([0, all]) {
        tunnel(frame, network, &upper, enabled);
    }
}

/// What stands behind the IP header at `offset`.
fn upper(frame: &Memory<'_>, network: Network, offset: u32) -> Option<Upper> {
    let (read, header_length) = match network {
        Network::V4 => (ipv4::upper(frame, offset), ipv4::HEADER_LENGTH),
        Network::V6 => (ipv6::header(frame, offset), ipv6::HEADER_LENGTH),
    };
    let Ok(mut upper) = read else {
        return None;
    };
    assert!(
        offset + header_length <= frame.length(),
        "a header that is not there"
    );
    let start = match network {
        Network::V4 => offset,
        Network::V6 => offset + header_length,
    };
    assert!(upper.end == OPEN_END || (start..=start + 0xffff).contains(&upper.end));
    if network == Network::V6 {
        assert_eq!(upper.offset, start);
        ipv6::behind_extensions(frame, &mut upper);
        assert!(
            !ipv6::is_extension(upper.protocol),
            "the walk ended before the chain"
        );
    }
    assert!(upper.offset >= start);
    assert!(upper.fragment_offset < 1 << 13 && upper.protocol <= 0xff);
    assert!(upper.is_fragment <= 1 && upper.is_hidden <= 1);
    assert!(upper.fragment_offset == 0 || upper.is_fragment == 1);
    if network == Network::V6 && upper.is_hidden == 1 {
        assert_eq!(upper.protocol, TCP);
    }
    Some(upper)
}

/// The ports, which lie inside the frame and before `end`.
fn ports(frame: &Memory<'_>, upper: &Upper, end: u32) {
    match upper.ports(frame) {
        Ok(ports) => in_range(frame, upper, ports, end),
        Err(Reason::NotTcp) => assert_ne!(upper.protocol, TCP),
        Err(Reason::LaterFragment) => assert!(upper.fragment_offset > 1),
        Err(other) => panic!("{other:?} is no answer to that"),
    }
}

fn in_range(frame: &Memory<'_>, upper: &Upper, ports: Ports, end: u32) {
    let Ports::Known { source, destination } = ports else {
        return;
    };
    assert_eq!(
        (upper.protocol, upper.fragment_offset, upper.is_hidden),
        (TCP, 0, 0)
    );
    assert!(upper.offset <= MAX_OFFSET && upper.offset + 4 <= end.min(frame.length()));
    let at = usize::try_from(upper.offset).expect("an offset fits");
    let [a, b] = source.to_be_bytes();
    let [c, d] = destination.to_be_bytes();
    assert_eq!(frame.0[at..at + 4], [a, b, c, d]);
}

/// What is in the tunnel that an outer packet may be.
fn tunnel(frame: &Memory<'_>, outer: Network, upper: &Upper, enabled: u8) {
    let found = match inner(frame, outer, upper, enabled, |upper| {
        ipv6::behind_extensions(frame, upper);
    }) {
        Ok(found) => found,
        Err(Reason::NotTcp | Reason::LaterFragment) => return,
        Err(other) => panic!("{other:?} is no answer to that"),
    };
    assert!(found.kind.bit() & enabled != 0);
    assert!(found.nested.is_none_or(|nested| nested.bit() & enabled != 0));
    let Some((network, offset)) = found.network else {
        assert!(found.is_hidden, "ports without a header before them");
        return;
    };
    let header_length = match network {
        Network::V4 => ipv4::HEADER_LENGTH,
        Network::V6 => ipv6::HEADER_LENGTH,
    };
    assert!(offset >= upper.offset && offset <= MAX_OFFSET);
    assert!(offset + header_length <= upper.end.min(frame.length()));
    assert!(
        found.upper.end <= upper.end,
        "an inner packet that is longer than the outer one"
    );
    if found.nested.is_some() {
        assert!(found.is_hidden);
    }
    if !found.is_hidden {
        let [source, destination] = found.ports;
        let ports = Ports::Known { source, destination };
        in_range(frame, &found.upper, ports, upper.end);
    }
}
