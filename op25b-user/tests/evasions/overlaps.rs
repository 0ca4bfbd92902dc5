//! Fragments with different contents for the same bytes: one of them has a harmless port.

use op25b_common::Reason::{self, Blocked};
use op25b_testlab::lab::Family::{V4, V6};

use crate::support::{
    packet::{IPV6_DESTINATION_OPTIONS, Piece, destination_options, fragments},
    segment::{Flow, TCP},
    stage::{Evasion, Stage, plain},
};

const HARMLESS: u16 = 443;
/// How much of a SYN its first fragment has here; in IPv6 Linux requires the whole header in it.
const FIRST: usize = 24;
const ONCE: [(Reason, u64); 1] = [(Blocked, 1)];

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
            Evasion::new(family, &ONCE, same_range),
            Evasion::new(family, &ONCE, longer),
            Evasion::new(family, &ONCE, shorter),
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
            Evasion::new(family, &ONCE, same_range),
            Evasion::new(family, &ONCE, shorter),
            Evasion::new(family, &ONCE, longer).refused_by_linux(),
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
            Evasion::new(family, &ONCE, port_first),
            Evasion::new(family, &ONCE, port_second).refused_by_linux(),
        ]
    });
    Stage::new().play(&plain(), &evasions.into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn a_later_ipv6_fragment_over_a_harmless_tcp_header_passes_and_linux_drops_all() {
    // Only the receiver can see the overlap; RFC 5722 has it drop the whole packet.
    let overwriting = |flow: Flow| {
        let chain = [
            destination_options(IPV6_DESTINATION_OPTIONS),
            destination_options(TCP),
        ]
        .concat();
        let whole = |flow: Flow| [chain.as_slice(), &flow.syn().bytes()].concat();
        let (harmless, wanted) = (whole(flow.to_port(HARMLESS)), whole(flow));
        let pieces = [
            Piece::new(0, &harmless, true),
            Piece::new(chain.len(), &wanted[chain.len()..], false),
        ];
        let (source, destination) = (flow.source.ip(), flow.destination.ip());
        fragments(source, destination, IPV6_DESTINATION_OPTIONS, &pieces)
    };
    let evasion = Evasion::new(V6, &[], overwriting).refused_by_linux();
    Stage::new().play(&plain(), &[evasion]);
}
