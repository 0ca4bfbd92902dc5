//! Random frames get a verdict that the verdict table allows.

use std::{cell::RefCell, net::IpAddr};

use etherparse::IpNumber;
use jiff::Timestamp;
use op25b::{
    datapath::Decision,
    policy::{self, Flow, Role, Rule},
};
use op25b_common::{Reason, Verdict};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
    test_runner::{Config, TestCaseError, TestRunner},
};

use crate::support::{
    check_counted,
    framing::Framing,
    hex,
    packet::{Ends, Extension, Network, Packet, between, syn_header},
    parse, runner_of,
    world::{RELAYS, WORLDS},
};

const CASES: u32 = 2_000;
/// The kernel does not run the program on less than an Ethernet header.
const SHORTEST_FRAME: usize = 14;

const POLICY: &str = "block: { ports: [25, 2525], unlisted: drop }\n\
    pools:\n\
    - { name: outer, prefixes: [198.51.100.0/22, '2001:db8:100::/40'] }\n\
    - { name: inner, prefixes: [198.51.101.0/24, '2001:db8:101::/48'] }\n\
    exemptions:\n\
    - { customer: A, prefixes: [198.51.100.8/29, '2001:db8:108::/48'] }\n\
    - { customer: B, prefixes: [198.51.101.0/28, '2001:db8:101::/64'], destinations: [203.0.113.0/25, '2001:db8:feed::/48'] }\n";

fn runner_config() -> Config {
    Config {
        cases: CASES,
        // A failing frame is printed in full: it belongs into a table, not into a file of seeds.
        failure_persistence: None,
        ..Config::default()
    }
}

/// The names of the tables' addresses, and their neighbourhoods.
fn ends() -> impl Strategy<Value = Ends> {
    (
        select(&WORLDS[..]),
        0..5_usize,
        0..5_usize,
        any::<u8>(),
        any::<u8>(),
    )
        .prop_map(|(world, source, destination, source_bits, destination_bits)| {
            let all = [
                world.subscriber,
                world.exempt,
                world.stranger,
                world.server,
                world.relay,
            ];
            // Half of them as they are; else the last bits are others.
            let near = |address: IpAddr, bits: u8| match address {
                IpAddr::V4(address) => {
                    IpAddr::from((u32::from(address) ^ u32::from(bits & 0x7f)).to_be_bytes())
                }
                IpAddr::V6(address) => {
                    IpAddr::from((u128::from(address) ^ u128::from(bits & 0x7f)).to_be_bytes())
                }
            };
            let varied = |address, bits: u8| if bits < 0x80 { address } else { near(address, bits) };
            between(
                varied(all[source], source_bits),
                varied(all[destination], destination_bits),
            )
        })
}

fn framing() -> impl Strategy<Value = Framing> {
    select(Framing::every())
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![3 => Just(25), 1 => Just(2525), 1 => Just(587), 1 => any::<u16>()]
}

/// A whole segment, after options or extension headers that hide nothing.
fn packet(ends: Ends, port: u16, extensions: &[Extension]) -> Packet {
    let segment = ends.segment(syn_header(port), &[]);
    match ends.source {
        IpAddr::V4(_) => ends.v4(IpNumber::TCP, &segment, |header| {
            let options = vec![1; extensions.len() * 4];
            header.options = (&options[..]).try_into().unwrap();
        }),
        IpAddr::V6(_) => ends.v6(extensions, IpNumber::TCP, &segment),
    }
}

fn extensions() -> impl Strategy<Value = Vec<Extension>> {
    subsequence(Extension::ALL.to_vec(), 0..=8)
}

/// A good frame that was cut, flipped in places, and lengthened with noise.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (
        (framing(), ends(), port(), extensions()),
        prop::option::of(any::<prop::sample::Index>()),
        prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 0..12),
        prop::collection::vec(any::<u8>(), 0..100),
    )
        .prop_map(|((framing, ends, port, extensions), cut, flips, noise)| {
            let mut frame = framing.frame(&packet(ends, port, &extensions));
            if let Some(cut) = cut {
                frame.truncate(SHORTEST_FRAME + cut.index(frame.len() - SHORTEST_FRAME));
            }
            for (place, bit) in flips {
                let place = place.index(frame.len());
                frame[place] ^= 1 << bit;
            }
            frame.extend(noise);
            frame
        })
}

/// Nothing but noise, or noise that is announced as IP.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::collection::vec(any::<u8>(), SHORTEST_FRAME..300);
    prop_oneof![
        bytes.clone(),
        (framing(), select(&[Network::V4, Network::V6][..]), bytes).prop_map(
            |(framing, network, mut bytes)| {
                bytes[0] = match network {
                    Network::V4 => 0x45,
                    Network::V6 => 0x60,
                };
                framing.frame(&Packet { network, bytes })
            }
        ),
    ]
}

/// Whether verdict, reason and rule go together, under [`POLICY`].
fn is_coherent(decision: Decision) -> bool {
    let Decision {
        verdict,
        reason,
        rule,
    } = decision;
    match reason {
        Reason::NotIp | Reason::NotTcp | Reason::LaterFragment | Reason::OtherPort => {
            verdict == Verdict::Pass && rule.is_none()
        }
        Reason::Uninspectable => match verdict {
            // An unlisted source has no rule.
            Verdict::Drop => rule.is_none_or(|pool| pool < 2),
            Verdict::Pass => rule.is_none(),
            Verdict::Reject => false,
        },
        Reason::NotPooled => verdict == Verdict::Drop && rule.is_none(),
        Reason::Relay => verdict == Verdict::Pass && rule == Some(0),
        Reason::Exempt => verdict == Verdict::Pass && rule.is_some_and(|exemption| exemption < 2),
        Reason::Blocked => verdict == Verdict::Drop && rule.is_some_and(|pool| pool < 2),
        Reason::Established | Reason::Monitored => false,
    }
}

#[test]
fn every_frame_has_a_coherent_answer_and_is_counted_once() {
    let runner = RefCell::new(runner_of(&parse(&format!("{POLICY}{RELAYS}"))));
    let before = runner.borrow().counters(Role::Subscriber).unwrap();
    let reasons = RefCell::new(Vec::new());
    let frames = prop_oneof![4 => damaged(), 1 => noise()];
    TestRunner::new(runner_config())
        .run(&frames, |frame| {
            let decision = runner
                .borrow_mut()
                .run(&frame)
                .map_err(|error| TestCaseError::fail(format!("{error:?} for {}", hex(&frame))))?;
            reasons.borrow_mut().push(decision.reason);
            prop_assert!(is_coherent(decision), "{decision:?} for {}", hex(&frame));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    let reasons = reasons.into_inner();
    let after = runner.borrow().counters(Role::Subscriber).unwrap();
    check_counted(&before, &after, reasons.iter().copied());
    // The frames are damaged enough, and not too much, to get everywhere.
    for reason in Reason::ALL {
        let reached = reasons.contains(&reason);
        let reachable = !matches!(reason, Reason::Established | Reason::Monitored);
        assert_eq!(reached, reachable, "{}", reason.name());
    }
}

#[test]
fn the_program_and_the_model_agree_about_whole_segments_however_they_are_wrapped() {
    let policy = parse(&format!("{POLICY}{RELAYS}"));
    let runner = RefCell::new(runner_of(&policy));
    TestRunner::new(runner_config())
        .run(
            &(framing(), ends(), port(), extensions()),
            |(framing, ends, port, extensions)| {
                let flow = Flow {
                    source: ends.source,
                    destination: ends.destination,
                    destination_port: port,
                };
                let model = policy::reference::decide(&policy, &flow, Timestamp::now());
                let expected = Decision {
                    verdict: model.verdict,
                    reason: model.reason,
                    rule: model.rule.map(|rule| match rule {
                        Rule::Pool(index) | Rule::Relay(index) | Rule::Exemption(index) => index,
                    }),
                };
                let frame = framing.frame(&packet(ends, port, &extensions));
                let decision = runner.borrow_mut().run(&frame).unwrap();
                prop_assert_eq!(decision, expected, "{:?} {}: {}", flow, framing, hex(&frame));
                Ok(())
            },
        )
        .unwrap_or_else(|failure| panic!("{failure}"));
}
