//! What must hold of whatever the XDP program's parsers read out of any bytes. Also run by `cargo fuzz`, in `fuzz`.
//!
//! They are the program's own, compiled for this machine, where arithmetic that overflows panics.

use op25b_common::{Reason, Tunnel};
use op25b_ebpf::parse::{
    MAX_OFFSET, Network, OPEN_END, UpperLayer,
    ethernet::{Framing, Link, MAX_LINK_LENGTH, Usual, parse_link},
    extensions::{proto_is_extension, skip_extensions},
    ipv4::{self, parse_ipv4},
    ipv6::{self, parse_ipv6},
    segment::Segment,
    tcp::{Ports, TCP, parse_ports},
    tunnel::{parse_tunnel, starts_tunnel},
};

/// Runs all parsers on a frame, and those for IP on the same bytes as packets of both versions.
pub fn check(frame: &[u8]) {
    // At the start of a frame, and where a tunnel may carry one.
    for at in [0, 42] {
        link(frame, at, &Usual);
        link(frame, at, &Further);
    }
    for network in [Network::V4, Network::V6] {
        packet(frame, network, 0);
    }
}

/// The policy has a tag of its own, and labels are skipped.
struct Further;

impl Framing for Further {
    fn is_own_vlan_tag(&self, ethertype: u16) -> bool {
        ethertype == 0x9200
    }

    fn skips_labels(&self) -> bool {
        true
    }
}

/// The Ethernet frame at `at`, and what is in it.
fn link(frame: &[u8], at: u32, framing: &impl Framing) {
    if let Ok((network, link)) = parse_link(&frame, at, framing) {
        assert!(link.ppp <= 2);
        assert!(link.length <= at + MAX_LINK_LENGTH && link.length <= length(frame));
        packet(frame, network, link.length);
        if let Some(upper) = upper(frame, network, link.length) {
            enter(frame, network, link, upper);
        }
    }
}

fn length(frame: &[u8]) -> u32 {
    frame.len().try_into().expect("a frame is shorter than 4 GiB")
}

/// The IP packet at `offset`, and what is in it.
fn packet(frame: &[u8], network: Network, offset: u32) {
    let Some(upper) = upper(frame, network, offset) else {
        return;
    };
    ports(frame, network, &upper, upper.end);
    let all = Tunnel::ALL.iter().fold(0, |all, tunnel| all | tunnel.bit());
    for enabled in Tunnel::ALL.map(Tunnel::bit).into_iter().chain([0, all]) {
        tunnel(frame, network, &upper, enabled);
    }
}

/// The upper layer of the IP packet at `offset`.
fn upper(frame: &[u8], network: Network, offset: u32) -> Option<UpperLayer> {
    let (read, header_length) = match network {
        Network::V4 => (parse_ipv4(&frame, offset), ipv4::HEADER_LENGTH),
        Network::V6 => (parse_ipv6(&frame, offset), ipv6::HEADER_LENGTH),
    };
    let Ok(mut upper) = read else {
        return None;
    };
    assert!(
        offset + header_length <= length(frame),
        "a header that is not there"
    );
    let start = match network {
        Network::V4 => offset,
        Network::V6 => offset + header_length,
    };
    assert!(upper.end == OPEN_END || (start..=start + 0xffff).contains(&upper.end));
    if network == Network::V6 {
        assert_eq!(upper.offset, start);
        skip_extensions(&frame, &mut upper);
        assert!(
            !proto_is_extension(upper.protocol),
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
fn ports(frame: &[u8], network: Network, upper: &UpperLayer, end: u32) {
    match parse_ports(&frame, network, upper) {
        Ok(ports) => in_range(frame, upper, ports, end),
        Err(Reason::NotTcp) => assert_ne!(upper.protocol, TCP),
        Err(Reason::LaterFragment) => assert!(upper.fragment_offset > 1),
        Err(other) => panic!("{other:?} is not a reason for that"),
    }
}

fn in_range(frame: &[u8], upper: &UpperLayer, ports: Ports, end: u32) {
    let Ports::Known { source, destination } = ports else {
        return;
    };
    assert_eq!(
        (upper.protocol, upper.fragment_offset, upper.is_hidden),
        (TCP, 0, 0)
    );
    assert!(upper.offset <= MAX_OFFSET && upper.offset + 4 <= end.min(length(frame)));
    let at = usize::try_from(upper.offset).expect("an offset fits");
    let [a, b] = source.to_be_bytes();
    let [c, d] = destination.to_be_bytes();
    assert_eq!(frame[at..at + 4], [a, b, c, d]);
}

/// What is in the tunnel that an outer packet may be.
fn tunnel(frame: &[u8], outer: Network, upper: &UpperLayer, enabled: u8) {
    let found = match parse_tunnel(&frame, outer, upper, enabled, |upper| {
        skip_extensions(&frame, upper);
    }) {
        Ok(found) => found,
        Err(Reason::NotTcp | Reason::LaterFragment) => return,
        Err(other) => panic!("{other:?} is not a reason for that"),
    };
    assert!(found.kinds != 0 && found.kinds & !enabled == 0);
    if found.is_hidden() {
        return;
    }
    let (network, offset) = (found.network, found.offset);
    assert!(
        found.kinds.is_power_of_two(),
        "a header after one that was not read"
    );
    assert!(!found.is_unaddressed, "a header without an address");
    let header_length = match network {
        Network::V4 => ipv4::HEADER_LENGTH,
        Network::V6 => ipv6::HEADER_LENGTH,
    };
    assert!(offset >= upper.offset && offset <= MAX_OFFSET);
    assert!(offset + header_length <= upper.end.min(length(frame)));
    assert!(
        found.upper.end <= upper.end,
        "an inner packet that is longer than the outer one"
    );
    ports(frame, network, &found.upper, upper.end);
    if let Ok(kinds) = starts_tunnel(&frame, network, &found.upper, enabled) {
        assert!(kinds != 0 && kinds & !enabled == 0);
    }
}

/// A segment in the tunnels of a frame, as the program enters one after the other.
fn enter(frame: &[u8], network: Network, link: Link, upper: UpperLayer) {
    let mut segment = Segment::new(link, network, upper);
    let all = Tunnel::ALL.iter().fold(0, |all, tunnel| all | tunnel.bit());
    let mut levels = 0;
    loop {
        let is_tunnel = segment.enter_tunnel(&frame, all, |upper| skip_extensions(&frame, upper));
        levels += 1;
        match is_tunnel {
            Ok(true) => assert!(levels < Segment::LEVELS, "more levels than are parsed"),
            Ok(false) => break,
            Err(Reason::NotTcp | Reason::LaterFragment) => return,
            Err(other) => panic!("{other:?} is not a reason for that"),
        }
    }
    segment.read_flow(&frame);
    let networks = [segment.source_network, segment.destination_network];
    for network in networks
        .into_iter()
        .chain(segment.outer_sources.map(|outer| outer.network))
    {
        assert!(network < length(frame), "an address that is not in the frame");
    }
}
