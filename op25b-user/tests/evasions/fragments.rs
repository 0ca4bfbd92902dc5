//! A SYN in fragments that do not overlap, however small.

use std::time::Instant;

use op25b_common::Reason::{Blocked, Established, Uninspectable};
use op25b_testlab::{
    lab::{
        Family::{self, V4, V6},
        HOST_END, Host,
    },
    packet_socket::PacketSocket,
};

use crate::support::{
    line::link_payload,
    packet::{IPV6_DESTINATION_OPTIONS, Piece, cut, destination_options, fragments},
    segment::{ACK, Flow, SYN, Segment, TCP},
    stage::{Evasion, MAIL, PATIENCE, Stage, plain, policy},
};

/// A segment's fragments of `size` bytes.
fn in_pieces(segment: &Segment, size: usize) -> Vec<Vec<u8>> {
    of(segment.flow, &cut(&segment.bytes(), size))
}

fn of(flow: Flow, pieces: &[Piece]) -> Vec<Vec<u8>> {
    fragments(flow.source.ip(), flow.destination.ip(), TCP, pieces)
}

fn new_only() -> String {
    policy("block: { match: new }\n")
}

#[test]
fn the_router_forwards_fragments_as_they_are() {
    // Else the other tests would not show how the server's stack handles them.
    let stage = Stage::new();
    let internet = stage.lab.host(Host::Internet);
    let mut arriving = internet.run(|| PacketSocket::open(HOST_END)).unwrap();
    for family in Family::BOTH {
        let segment = stage.bot.flow(family, MAIL).syn();
        let packets = in_pieces(&segment, 8);
        for packet in &packets {
            stage.bot.send(packet);
        }
        // From the addresses on, after the hop limit.
        let addresses = if family == V4 { 12 } else { 8 };
        let is_ours = |frame: &[u8]| {
            let packet = link_payload(frame).and_then(|packet| packet.get(addresses..));
            packet == Some(&packets[0][addresses..])
        };
        let deadline = Instant::now() + PATIENCE;
        let first = std::iter::from_fn(|| arriving.receive(deadline).unwrap()).find(|frame| is_ours(frame));
        assert!(first.is_some(), "{family:?}");
    }
}

#[test]
fn a_syn_in_ipv4_fragments_of_8_bytes_is_blocked_by_its_first_and_its_second_is_uninspectable() {
    for policy in [plain(), new_only()] {
        let evasion = Evasion::new(V4, &[(Blocked, 1), (Uninspectable, 1)], |flow| {
            in_pieces(&flow.syn(), 8)
        });
        Stage::new().play(&policy, &[evasion]);
    }
}

#[test]
fn a_syn_in_ipv4_fragments_of_16_bytes_is_blocked_by_its_first() {
    for policy in [plain(), new_only()] {
        let evasion = Evasion::new(V4, &[(Blocked, 1)], |flow| in_pieces(&flow.syn(), 16));
        Stage::new().play(&policy, &[evasion]);
    }
}

#[test]
fn fragments_in_reverse_order_are_filtered_as_those_in_order() {
    let reversed = |flow: Flow, size| {
        let mut packets = in_pieces(&flow.syn(), size);
        packets.reverse();
        packets
    };
    Stage::new().play(
        &plain(),
        &[
            Evasion::new(V4, &[(Blocked, 1), (Uninspectable, 1)], move |flow| {
                reversed(flow, 8)
            }),
            Evasion::new(V4, &[(Blocked, 1)], move |flow| reversed(flow, 16)),
        ],
    );
}

#[test]
fn a_syn_in_ipv6_fragments_is_blocked_by_its_first_and_early_ones_are_uninspectable() {
    let long = |flow: Flow| Segment {
        data: vec![b'x'; 40],
        ..flow.syn()
    };
    Stage::new().play(
        &plain(),
        &[
            Evasion::new(V6, &[(Blocked, 1), (Uninspectable, 2)], move |flow| {
                in_pieces(&long(flow), 24)
            }),
            Evasion::new(V6, &[(Blocked, 1), (Uninspectable, 2)], move |flow| {
                let mut packets = in_pieces(&long(flow), 24);
                packets.reverse();
                packets
            }),
        ],
    );
}

#[test]
fn ipv6_first_fragments_without_the_whole_tcp_header_are_blocked_though_linux_drops_them() {
    let evasions = [
        Evasion::new(V6, &[(Blocked, 1), (Uninspectable, 2)], |flow| {
            in_pieces(&flow.syn(), 8)
        }),
        Evasion::new(V6, &[(Blocked, 1), (Uninspectable, 1)], |flow| {
            in_pieces(&flow.syn(), 16)
        }),
    ];
    Stage::new().play(&plain(), &evasions.map(Evasion::refused_by_linux));
}

#[test]
fn an_ipv6_header_chain_split_between_fragments_is_uninspectable_and_linux_drops_it() {
    // Destination options in the first fragment, the TCP header in the next ones.
    let split = |headers: usize| {
        move |flow: Flow| {
            let mut whole = Vec::new();
            for _ in 1..headers {
                whole.extend(destination_options(IPV6_DESTINATION_OPTIONS));
            }
            whole.extend(destination_options(TCP));
            let chain = whole.len();
            whole.extend(flow.syn().bytes());
            let pieces = [
                Piece::new(0, &whole[..chain], true),
                Piece::new(chain, &whole[chain..], false),
            ];
            let (source, destination) = (flow.source.ip(), flow.destination.ip());
            fragments(source, destination, IPV6_DESTINATION_OPTIONS, &pieces)
        }
    };
    let evasions = [1, 2].map(|headers| Evasion::new(V6, &[(Uninspectable, 2)], split(headers)));
    Stage::new().play(&plain(), &evasions.map(Evasion::refused_by_linux));
}

#[test]
fn an_atomic_fragment_is_blocked() {
    let evasion = Evasion::new(V6, &[(Blocked, 1)], |flow| in_pieces(&flow.syn(), 1280));
    Stage::new().play(&plain(), &[evasion]);
}

#[test]
fn an_ipv4_packet_at_fragment_offset_1_is_uninspectable_and_linux_waits_for_more() {
    let at_1 = |flow: Flow| of(flow, &[Piece::new(8, &flow.syn().bytes(), false)]);
    let evasion = Evasion::new(V4, &[(Uninspectable, 1)], at_1);
    Stage::new().play(&plain(), &[evasion.refused_by_linux()]);
}

#[test]
fn a_second_fragment_that_brings_the_syn_is_dropped_where_only_new_connections_are() {
    // The flags are in the second fragment: the first does not show whether it opens a connection.
    let hidden_flags = |flow: Flow| in_pieces(&flow.first(SYN), 8);
    // Its first fragment could be any connection's, but the second must not be able to make a SYN of it (RFC 3128).
    let overwriting = |flow: Flow| {
        let harmless = flow.first(ACK).bytes();
        let wanted = flow.syn().bytes();
        of(
            flow,
            &[
                Piece::new(0, &harmless[..16], true),
                Piece::new(8, &wanted[8..], false),
            ],
        )
    };
    Stage::new().play(
        &new_only(),
        &[
            Evasion::new(V4, &[(Blocked, 1), (Uninspectable, 1)], hidden_flags),
            Evasion::new(V4, &[(Established, 1), (Uninspectable, 1)], overwriting).refused_by_linux(),
        ],
    );
}
