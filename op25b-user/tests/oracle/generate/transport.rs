//! TCP segments of every shape, and other protocols.

use etherparse::ip_number;
use proptest::prelude::*;

use super::Universe;

/// What an IP packet carries.
#[derive(Clone, Debug)]
pub struct Upper {
    pub protocol: u8,
    pub bytes: Vec<u8>,
}

/// Bytes that are not read; the first one distinguishes the payloads.
pub fn filler(most: usize) -> impl Strategy<Value = Vec<u8>> {
    (0..=most, any::<u8>()).prop_map(|(length, byte)| vec![byte; length])
}

/// Payloads: mostly short, sometimes what fills a frame, seldom a jumbo frame's.
fn payload(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => Just(Vec::new()),
        12 => filler(64),
        3 => filler(700),
        2 => (1_300usize..1_500, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
        1 => filler(longest),
    ]
}

/// Flags that mean something together, and all the others.
fn flags() -> impl Strategy<Value = u8> {
    const FIN: u8 = 0x01;
    const SYN: u8 = 0x02;
    const RST: u8 = 0x04;
    const PSH: u8 = 0x08;
    const ACK: u8 = 0x10;
    prop_oneof![
        6 => Just(SYN),
        2 => Just(SYN | ACK),
        2 => Just(ACK),
        1 => prop::sample::select(vec![PSH | ACK, FIN | ACK, SYN | FIN, RST, RST | ACK, FIN, 0, 0xff]),
        2 => any::<u8>(),
    ]
}

/// A number in a place where the ends of the range matter.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        prop::sample::select(vec![
            0,
            1,
            u32::MAX,
            u32::MAX - 1,
            u32::MAX - 40,
            0x0000_ffff,
            0x7fff_ffff
        ])
    ]
}

/// A segment: mostly with an honest data offset.
pub fn tcp(universe: &Universe, longest: usize) -> impl Strategy<Value = Upper> + use<> {
    let options = prop_oneof![3 => Just(0u8), 1 => 0u8..=10];
    let wrong_offset = prop_oneof![8 => Just(None), 1 => (0u8..=15).prop_map(Some)];
    (
        (universe.port(), universe.port()),
        (number(), number()),
        (options, wrong_offset),
        (flags(), any::<u8>(), any::<u16>(), any::<u16>()),
        payload(longest),
    )
        .prop_map(
            |((from, to), (sequence, acknowledgment), (options, wrong_offset), rest, payload)| {
                let (flags, low_nibble, window, urgent) = rest;
                let offset = wrong_offset.unwrap_or(5 + options);
                let mut bytes = Vec::new();
                bytes.extend(from.to_be_bytes());
                bytes.extend(to.to_be_bytes());
                bytes.extend(sequence.to_be_bytes());
                bytes.extend(acknowledgment.to_be_bytes());
                bytes.push(offset << 4 | low_nibble & 0x0f);
                bytes.push(flags);
                bytes.extend(window.to_be_bytes());
                bytes.extend([0xab, 0xcd]);
                bytes.extend(urgent.to_be_bytes());
                bytes.extend(vec![1; usize::from(options) * 4]);
                bytes.extend(payload);
                Upper {
                    protocol: ip_number::TCP.0,
                    bytes,
                }
            },
        )
}

/// Anything else: UDP, ICMP, ESP, no next header, extension headers' numbers where none belongs.
pub fn other(universe: &Universe) -> impl Strategy<Value = Upper> + use<> {
    let protocol = prop_oneof![
        prop::sample::select(vec![1u8, 17, 58, 59, 50, 4, 41, 47, 0, 43, 44, 51, 60, 253]),
        any::<u8>(),
    ];
    (protocol, universe.port(), universe.port(), filler(64)).prop_map(|(protocol, from, to, rest)| Upper {
        protocol,
        bytes: [&from.to_be_bytes()[..], &to.to_be_bytes(), &rest].concat(),
    })
}
