//! IP packets: options, extension headers, fragments, and wrong lengths.

use etherparse::IpNumber;
use proptest::prelude::*;

use super::{
    Universe,
    transport::{self, Upper, filler},
    tunnels,
};
use crate::expected::link::Family;

/// An IP packet.
#[derive(Clone, Debug)]
pub struct Packet {
    pub family: Family,
    pub bytes: Vec<u8>,
}

/// A packet with at most so many tunnels around the segment.
pub fn packet(universe: &Universe, depth: usize, longest: usize) -> BoxedStrategy<Packet> {
    let segment = transport::tcp(universe, longest).boxed();
    let other = transport::other(universe).boxed();
    // Where no tunnel is enabled they are all the same.
    let weight = |usual| if universe.tunnels.is_empty() { 1 } else { usual };
    let upper = if depth == 0 {
        prop_oneof![12 => segment, 1 => other, weight(3) => tunnels::start().boxed()].boxed()
    } else {
        let tunnel = tunnels::tunnel(universe, packet(universe, depth - 1, longest)).boxed();
        let weight = weight(12);
        prop_oneof![12 => segment, 1 => other, weight => tunnel].boxed()
    };
    prop_oneof![v4(universe, upper.clone()).boxed(), v6(universe, upper).boxed()].boxed()
}

/// The value of a length field.
#[derive(Clone, Copy, Debug)]
enum Length {
    Honest,
    Of(u16),
    Off(i16),
}

impl Length {
    fn or(self, honest: usize) -> u16 {
        let honest = u16::try_from(honest).unwrap_or(0);
        match self {
            Self::Honest => honest,
            Self::Of(length) => length,
            Self::Off(by) => honest.wrapping_add_signed(by),
        }
    }
}

fn length() -> impl Strategy<Value = Length> {
    prop_oneof![
        12 => Just(Length::Honest),
        1 => Just(Length::Of(0)),
        2 => (-80i16..=80).prop_map(Length::Off),
        1 => (0u16..100).prop_map(Length::Of),
        1 => any::<u16>().prop_map(Length::Of),
    ]
}

/// A fragment offset in its thirteen bits.
fn fragment_offset() -> impl Strategy<Value = u16> {
    prop_oneof![
        20 => Just(0u16),
        2 => Just(1u16),
        2 => 2u16..20,
        1 => prop::sample::select(vec![15u16, 16, 0x100, 0x1000, 0x1fff, 0x1ffe]),
        1 => 0u16..0x2000,
    ]
}

/// Mostly zero.
fn seldom<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    prop_oneof![24 => Just(None), 1 => value.prop_map(Some)]
}

fn v4(universe: &Universe, upper: BoxedStrategy<Upper>) -> impl Strategy<Value = Packet> + use<> {
    let options = prop_oneof![6 => Just(0u8), 1 => 1u8..=10];
    let fragment = (
        prop_oneof![8 => Just(0u16), 8 => Just(0x4000u16), 3 => Just(0x2000u16), 1 => Just(0xe000u16)],
        fragment_offset(),
    );
    (
        (universe.v4(), universe.v4(), upper),
        (options, seldom(0u8..=15), seldom(0u8..=15), seldom(any::<u8>())),
        (fragment, length(), any::<u8>(), any::<u16>()),
    )
        .prop_map(
            |((source, destination, upper), (options, ihl, version, protocol), rest)| {
                let ((flags, offset), length, service, id) = rest;
                let header = 20 + usize::from(options) * 4;
                let mut bytes = vec![version.unwrap_or(4) << 4 | ihl.unwrap_or(5 + options), service];
                bytes.extend(length.or(header + upper.bytes.len()).to_be_bytes());
                bytes.extend(id.to_be_bytes());
                bytes.extend((flags | offset).to_be_bytes());
                bytes.extend([64, protocol.unwrap_or(upper.protocol), 0xcd, 0xef]);
                bytes.extend(source.octets());
                bytes.extend(destination.octets());
                bytes.extend(vec![1; header - 20]);
                bytes.extend(upper.bytes);
                Packet {
                    family: Family::V4,
                    bytes,
                }
            },
        )
}

/// An extension header, without its first byte.
#[derive(Clone, Debug)]
struct Extension {
    number: u8,
    rest: Vec<u8>,
}

fn extension() -> impl Strategy<Value = Extension> {
    let number = prop::sample::select(vec![0u8, 43, 44, 44, 51, 60, 135, 139, 140]);
    let units = prop_oneof![12 => 0u8..3, 1 => any::<u8>()];
    (number, units, fragment_offset(), 0u16..8, any::<u8>()).prop_map(|(number, units, offset, low, fill)| {
        const FRAGMENT: IpNumber = etherparse::ip_number::IPV6_FRAG;
        const AUTHENTICATION: IpNumber = etherparse::ip_number::AUTH;
        let rest = match IpNumber(number) {
            FRAGMENT => {
                let mut rest = vec![fill];
                rest.extend((offset << 3 | low).to_be_bytes());
                rest.extend([fill; 4]);
                rest
            }
            kind => {
                let bytes = match kind {
                    AUTHENTICATION => (usize::from(units) + 2) * 4,
                    _ => (usize::from(units) + 1) * 8,
                };
                let mut rest = vec![fill; bytes - 1];
                rest[0] = units;
                rest
            }
        };
        Extension { number, rest }
    })
}

fn v6(universe: &Universe, upper: BoxedStrategy<Upper>) -> impl Strategy<Value = Packet> + use<> {
    let chain = prop_oneof![
        6 => prop::collection::vec(extension(), 0..=2),
        1 => prop::collection::vec(extension(), 0..=7),
        2 => prop::collection::vec(extension(), 7..=10),
    ];
    let stray = seldom(filler(12));
    (
        (universe.v6(), universe.v6(), upper),
        (chain, stray, seldom(0u8..=15), seldom(any::<u8>())),
        (length(), any::<u32>()),
    )
        .prop_map(
            |((source, destination, upper), (chain, stray, version, protocol), (length, label))| {
                let mut payload = Vec::new();
                let last = protocol.unwrap_or(upper.protocol);
                let mut numbers = chain.iter().map(|header| header.number).chain([last]);
                let first = numbers.next().unwrap_or(last);
                for (header, next) in chain.iter().zip(numbers) {
                    payload.push(next);
                    payload.extend(&header.rest);
                }
                payload.extend(stray.unwrap_or_default());
                payload.extend(upper.bytes);
                let mut bytes = (label & 0x0fff_ffff | u32::from(version.unwrap_or(6)) << 28)
                    .to_be_bytes()
                    .to_vec();
                bytes.extend(length.or(payload.len()).to_be_bytes());
                bytes.extend([first, 64]);
                bytes.extend(source.octets());
                bytes.extend(destination.octets());
                bytes.extend(payload);
                Packet {
                    family: Family::V6,
                    bytes,
                }
            },
        )
}
