//! IP headers that are long or wrong: options, extension headers, lengths, padding.

use std::net::IpAddr;

use op25b_common::Reason::{self, Blocked, Relay, Uninspectable};
use op25b_testlab::lab::{
    Family::{self, V4, V6},
    Host,
};

use crate::support::{
    packet::{
        IPV6_DESTINATION_OPTIONS, IPV6_FRAGMENT, IPV6_ROUTING, destination_options, forge_ipv4, ip, ipv4,
    },
    segment::{Flow, TCP},
    stage::{Evasion, Stage, plain},
};

const ONCE: [(Reason, u64); 1] = [(Blocked, 1)];
const HIDDEN: [(Reason, u64); 1] = [(Uninspectable, 1)];

/// Where the lengths are.
const IPV4_TOTAL_LENGTH: usize = 2;
const IPV6_PAYLOAD_LENGTH: usize = 4;

#[test]
fn ipv4_options_to_the_maximum_are_skipped() {
    let with_options = |options: [u8; 40]| {
        move |flow: Flow| {
            let (source, destination) = (flow.source.ip(), flow.destination.ip());
            let segment = flow.syn().bytes();
            vec![ipv4(source, destination, TCP, &segment, |header| {
                header.options = options.into();
            })]
        }
    };
    let no_operation = [1; 40];
    // Record route (RFC 791), with room for nine addresses: the router writes one into it.
    let mut record_route = [0; 40];
    record_route[..3].copy_from_slice(&[7, 39, 4]);
    Stage::new().play(
        &plain(),
        &[
            Evasion::new(V4, &ONCE, with_options(no_operation)),
            Evasion::new(V4, &ONCE, with_options(record_route)),
        ],
    );
}

/// A SYN after destination options headers.
fn syn_after(headers: usize) -> impl Fn(Flow) -> Vec<Vec<u8>> {
    move |flow| {
        let mut payload = Vec::new();
        for _ in 1..headers {
            payload.extend(destination_options(IPV6_DESTINATION_OPTIONS));
        }
        payload.extend(destination_options(TCP));
        payload.extend(flow.syn().bytes());
        let (source, destination) = (flow.source.ip(), flow.destination.ip());
        vec![ip(source, destination, IPV6_DESTINATION_OPTIONS, &payload)]
    }
}

#[test]
fn eight_extension_headers_are_skipped() {
    let evasions = [1, 2, 7, 8].map(|count| Evasion::new(V6, &ONCE, syn_after(count)));
    Stage::new().play(&plain(), &evasions);
}

#[test]
fn nine_extension_headers_and_more_are_uninspectable() {
    let evasions = [9, 10, 20].map(|count| Evasion::new(V6, &HIDDEN, syn_after(count)));
    Stage::new().play(&plain(), &evasions);
}

#[test]
fn extension_headers_around_an_atomic_fragment_are_skipped() {
    let around = |flow: Flow| {
        let fragment = [IPV6_DESTINATION_OPTIONS, 0, 0, 0, 0, 0, 0, 1];
        let segment = flow.syn().bytes();
        let options = destination_options;
        let headers = [options(IPV6_FRAGMENT), fragment, options(TCP)];
        let payload = [headers.as_flattened(), &segment];
        let (source, destination) = (flow.source.ip(), flow.destination.ip());
        vec![ip(
            source,
            destination,
            IPV6_DESTINATION_OPTIONS,
            &payload.concat(),
        )]
    };
    // Linux reassembles a packet only once.
    let twice = |flow: Flow| {
        let (source, destination) = (flow.source.ip(), flow.destination.ip());
        let fragment = |next| [next, 0, 0, 0, 0, 0, 0, 1];
        let headers = [fragment(IPV6_FRAGMENT), fragment(TCP)];
        let payload = [headers.as_flattened(), &flow.syn().bytes()].concat();
        vec![ip(source, destination, IPV6_FRAGMENT, &payload)]
    };
    Stage::new().play(
        &plain(),
        &[
            Evasion::new(V6, &ONCE, around),
            Evasion::new(V6, &ONCE, twice).refused_by_linux(),
        ],
    );
}

#[test]
fn an_extension_header_of_more_than_a_thousand_bytes_is_skipped() {
    const UNKNOWN_AND_SKIPPED: u8 = 0x1e;
    let long = |flow: Flow| {
        let mut options = vec![TCP, 129]; // 130 times 8 bytes
        for length in [255_u8, 255, 255, 255, 8] {
            options.extend([UNKNOWN_AND_SKIPPED, length]);
            options.extend(vec![0; length.into()]);
        }
        assert_eq!(options.len(), 130 * 8);
        let payload = [options, flow.syn().bytes()].concat();
        let (source, destination) = (flow.source.ip(), flow.destination.ip());
        vec![ip(source, destination, IPV6_DESTINATION_OPTIONS, &payload)]
    };
    Stage::new().play(&plain(), &[Evasion::new(V6, &ONCE, long)]);
}

#[test]
fn a_source_route_over_a_relay_passes_and_linux_drops_it() {
    let relay = |family| Host::Relay.address(family);
    // Loose source route (RFC 791): one more address, and the pointer is at it.
    let loose = move |flow: Flow| {
        let (IpAddr::V4(server), segment) = (flow.destination.ip(), flow.syn().bytes()) else {
            panic!("{flow:?}")
        };
        let mut options = [0; 8];
        options[..3].copy_from_slice(&[131, 7, 4]);
        options[3..7].copy_from_slice(&server.octets());
        vec![ipv4(flow.source.ip(), relay(V4), TCP, &segment, |header| {
            header.options = options.into();
        })]
    };
    // Routing header of type 0, which RFC 5095 forbids.
    let routing = move |flow: Flow| {
        let IpAddr::V6(server) = flow.destination.ip() else {
            panic!("{flow:?}")
        };
        let header = [TCP, 2, 0, 1, 0, 0, 0, 0];
        let payload = [header.as_slice(), &server.octets(), &flow.syn().bytes()].concat();
        vec![ip(flow.source.ip(), relay(V6), IPV6_ROUTING, &payload)]
    };
    let relays = format!(
        "relays: [{{ name: relay, prefixes: [{}, '{}'] }}]\n",
        relay(V4),
        relay(V6)
    );
    let evasions = [
        Evasion::new(V4, &[(Relay, 1)], loose),
        Evasion::new(V6, &[(Relay, 1)], routing),
    ];
    Stage::new().play(&(plain() + &relays), &evasions.map(Evasion::refused_by_linux));
}

/// A SYN in a packet that claims to have only this much of it.
fn claiming(family: Family, segment_length: u8) -> impl Fn(Flow) -> Vec<Vec<u8>> {
    move |flow| {
        let mut packet = flow.syn().packet();
        match family {
            V4 => packet = forge_ipv4(packet, IPV4_TOTAL_LENGTH, &[0, 20 + segment_length]),
            V6 => packet[IPV6_PAYLOAD_LENGTH..][..2].copy_from_slice(&[0, segment_length]),
        }
        vec![packet]
    }
}

#[test]
fn ports_in_the_padding_are_not_ports_and_linux_drops_the_packet() {
    // A payload length of 0 would be a jumbogram's in IPv6.
    let evasions = [(V4, 0), (V4, 2), (V4, 3), (V6, 2), (V6, 3)];
    let evasions = evasions
        .map(|(family, length)| Evasion::new(family, &HIDDEN, claiming(family, length)).refused_by_linux());
    Stage::new().play(&plain(), &evasions);
}

#[test]
fn a_packet_that_claims_a_wrong_length_is_blocked_by_its_ports_though_linux_drops_it() {
    let evasions = Family::BOTH.map(|family| {
        [4, 12, 19, 23, 25, 200]
            .map(|length| Evasion::new(family, &ONCE, claiming(family, length)).refused_by_linux())
    });
    Stage::new().play(&plain(), &evasions.into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn a_packet_without_a_length_is_blocked_though_linux_drops_it() {
    let ipv4 = |flow: Flow| vec![forge_ipv4(flow.syn().packet(), IPV4_TOTAL_LENGTH, &[0, 0])];
    let evasions = [
        Evasion::new(V4, &ONCE, ipv4),
        Evasion::new(V6, &ONCE, claiming(V6, 0)),
    ];
    Stage::new().play(&plain(), &evasions.map(Evasion::refused_by_linux));
}

#[test]
fn padding_after_a_whole_packet_changes_nothing() {
    let padded = |flow: Flow| {
        let mut packet = flow.syn().packet();
        // Where a parser that forgets the length would find the data of something else.
        packet.extend(flow.to_port(443).syn().bytes());
        vec![packet]
    };
    Stage::new().play(
        &plain(),
        &Family::BOTH.map(|family| Evasion::new(family, &ONCE, padded)),
    );
}

#[test]
fn an_ipv4_header_length_below_20_bytes_is_uninspectable_and_linux_drops_it() {
    let short = |words: u8| move |flow: Flow| vec![forge_ipv4(flow.syn().packet(), 0, &[0x40 | words])];
    let evasions = [0, 1, 4].map(|words| Evasion::new(V4, &HIDDEN, short(words)));
    Stage::new().play(&plain(), &evasions.map(Evasion::refused_by_linux));
}
