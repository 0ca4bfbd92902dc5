//! Fragments with different contents for the same bytes: one of them has a harmless port.

use op25b_common::Reason::{self, Blocked, Uninspectable};
use op25b_testlab::lab::Family::{self, V4, V6};

use crate::support::{
    packet::{IPV6_DESTINATION_OPTIONS, Piece, destination_options, fragments},
    segment::{Flow, TCP},
    stage::{Evasion, Stage, plain},
};

const HARMLESS: u16 = 443;
/// How much of a SYN its first fragment has here; in IPv6 Linux requires the whole header in it.
const FIRST: usize = 24;
/// Where an IPv6 packet's first extension header begins, with its next header.
const FRAGMENT_HEADER: usize = 40;
const UDP: u8 = 17;

/// What counts where one fragment has the port; in IPv6 another one begins within the first 128 bytes.
fn counted(family: Family) -> &'static [(Reason, u64)] {
    match family {
        V4 => &[(Blocked, 1)],
        V6 => &[(Blocked, 1), (Uninspectable, 1)],
    }
}

/// A SYN to the mail port, in whose first bytes another one to a harmless port gets mixed.
struct Mixture {
    flow: Flow,
    harmless: Vec<u8>,
    wanted: Vec<u8>,
}

impl Mixture {
    fn new(flow: Flow) -> Self {
        let with_data = |flow: Flow| {
            let mut syn = flow.syn();
            syn.data = vec![b'x'; 24];
            syn.bytes()
        };
        Self {
            flow,
            harmless: with_data(flow.to_port(HARMLESS)),
            wanted: with_data(flow),
        }
    }

    fn harmless(&self, length: usize) -> Piece {
        Piece::new(0, &self.harmless[..length], true)
    }

    fn wanted(&self, length: usize) -> Piece {
        Piece::new(0, &self.wanted[..length], true)
    }

    fn rest(&self, from: usize) -> Piece {
        Piece::new(from, &self.wanted[from..], false)
    }

    fn packets(&self, pieces: &[Piece]) -> Vec<Vec<u8>> {
        fragments(self.flow.source.ip(), self.flow.destination.ip(), TCP, pieces)
    }
}

#[test]
fn a_harmless_first_fragment_does_not_cover_a_second_one_with_the_port() {
    // Linux keeps what came first, or drops all if the overlap is only partial: another stack may do otherwise.
    let same_range = |flow| {
        let m = Mixture::new(flow);
        m.packets(&[m.harmless(FIRST), m.wanted(FIRST), m.rest(FIRST)])
    };
    let longer = |flow| {
        let m = Mixture::new(flow);
        m.packets(&[m.harmless(FIRST), m.wanted(FIRST + 8), m.rest(FIRST + 8)])
    };
    let shorter = |flow| {
        let m = Mixture::new(flow);
        m.packets(&[m.harmless(FIRST), m.wanted(8), m.rest(FIRST)])
    };
    let evasions = [V4, V6].map(|family| {
        [
            Evasion::new(family, counted(family), same_range),
            Evasion::new(family, counted(family), longer),
            Evasion::new(family, counted(family), shorter),
        ]
        .map(Evasion::refused_by_linux)
    });
    Stage::new().play(&plain(), &evasions.into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn a_first_fragment_with_the_port_is_blocked_whatever_harmless_one_follows() {
    // Linux keeps what came first: of two fragments for one range, that with the mail port.
    let same_range = |flow| {
        let m = Mixture::new(flow);
        m.packets(&[m.wanted(FIRST), m.harmless(FIRST), m.rest(FIRST)])
    };
    let shorter = |flow| {
        let m = Mixture::new(flow);
        m.packets(&[m.wanted(FIRST), m.harmless(8), m.rest(FIRST)])
    };
    let longer = |flow| {
        let m = Mixture::new(flow);
        m.packets(&[m.wanted(FIRST), m.harmless(FIRST + 8), m.rest(FIRST + 8)])
    };
    let evasions = [V4, V6].map(|family| {
        [
            Evasion::new(family, counted(family), same_range),
            Evasion::new(family, counted(family), shorter),
            Evasion::new(family, counted(family), longer).refused_by_linux(),
        ]
    });
    Stage::new().play(&plain(), &evasions.into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn a_last_fragment_that_comes_before_both_first_ones_changes_nothing() {
    let port_first = |flow| {
        let m = Mixture::new(flow);
        m.packets(&[m.rest(FIRST), m.wanted(FIRST), m.harmless(FIRST)])
    };
    let port_second = |flow| {
        let m = Mixture::new(flow);
        m.packets(&[m.rest(FIRST), m.harmless(FIRST), m.wanted(FIRST)])
    };
    let evasions = [V4, V6].map(|family| {
        [
            Evasion::new(family, counted(family), port_first),
            Evasion::new(family, counted(family), port_second).refused_by_linux(),
        ]
    });
    Stage::new().play(&plain(), &evasions.into_iter().flatten().collect::<Vec<_>>());
}

/// A harmless SYN after these options, and a later fragment with the wanted header over its own.
fn overwriting(options: Vec<u8>, next_header: u8) -> impl Fn(Flow) -> Vec<Vec<u8>> {
    move |flow| {
        let whole = |flow: Flow| [options.as_slice(), &flow.syn().bytes()].concat();
        let (harmless, wanted) = (whole(flow.to_port(HARMLESS)), whole(flow));
        let pieces = [
            Piece::new(0, &harmless, true),
            Piece::new(options.len(), &wanted[options.len()..], false),
        ];
        let (source, destination) = (flow.source.ip(), flow.destination.ip());
        let mut packets = fragments(source, destination, IPV6_DESTINATION_OPTIONS, &pieces);
        packets[1][FRAGMENT_HEADER] = next_header;
        packets
    }
}

#[test]
fn a_later_ipv6_fragment_over_a_harmless_tcp_header_is_uninspectable_though_linux_drops_all() {
    // Only the receiver can see the overlap; RFC 5722 has it drop the whole packet. It goes by the next header of the first
    // fragment, whatever the later one says (RFC 8200 section 4.5).
    let evasions = [IPV6_DESTINATION_OPTIONS, TCP, UDP].map(|next_header| {
        let options = [
            destination_options(IPV6_DESTINATION_OPTIONS),
            destination_options(TCP),
        ];
        let overwriting = overwriting(options.concat(), next_header);
        Evasion::new(V6, &[(Uninspectable, 1)], overwriting).refused_by_linux()
    });
    Stage::new().play(&plain(), &evasions);
}

#[test]
fn an_ipv6_first_fragment_with_its_tcp_header_beyond_128_bytes_is_uninspectable_though_linux_drops_all() {
    // The later fragment begins where ordinary ones may. Options: an unknown one of 124 bytes, which is skipped.
    let mut options = vec![TCP, 15, 0x1e, 124];
    options.resize(128, 0);
    let overwriting = overwriting(options, TCP);
    let evasion = Evasion::new(V6, &[(Uninspectable, 1)], overwriting).refused_by_linux();
    Stage::new().play(&plain(), &[evasion]);
}
