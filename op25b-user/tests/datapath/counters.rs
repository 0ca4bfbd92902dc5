//! The counters of the verdict table's rows.

use op25b::policy::Role;
use op25b_common::{Reason, Verdict};

use crate::support::{
    check_counted,
    framing::Framing,
    packet::{Extension, syn_header},
    runner,
    world::{V6, WORLDS, bare, policy},
};

/// A frame for each reason that this version of the program gives.
fn samples() -> Vec<(Reason, Vec<u8>)> {
    let mut samples = Vec::new();
    for world in WORLDS {
        for (_, packet, expected) in world.packets() {
            samples.push((expected.reason, bare(&packet)));
        }
        let cut = world
            .outbound()
            .syn(25)
            .patched(|bytes| bytes.truncate(bytes.len() - 18));
        samples.push((Reason::Uninspectable, bare(&cut)));
        let cut = world
            .foreign()
            .syn(25)
            .patched(|bytes| bytes.truncate(bytes.len() - 18));
        samples.push((Reason::Uninspectable, bare(&cut)));
    }
    let later = Extension::Fragment {
        offset: 16,
        more: false,
    };
    let segment = V6.outbound().segment(syn_header(25), &[]);
    let packet = V6.outbound().v6(&[later], etherparse::IpNumber::TCP, &segment);
    samples.push((Reason::LaterFragment, bare(&packet)));
    samples.push((Reason::NotIp, Framing::default().ethernet(0x88cc, &[0; 46])));
    samples
}

#[test]
fn every_packet_is_counted_once_under_its_reason_or_not_at_all() {
    for block in ["", "block: { uninspectable: pass, unlisted: drop }\n"] {
        let mut runner = runner(&policy(block));
        for (reason, frame) in samples() {
            for _ in 0..3 {
                let before = runner.counters(Role::Subscriber).unwrap();
                assert_eq!(runner.run(&frame).unwrap().reason, reason);
                check_counted(
                    &before,
                    &runner.counters(Role::Subscriber).unwrap(),
                    [reason].into_iter(),
                );
            }
        }
    }
}

#[test]
fn every_reason_without_a_feature_of_its_own_has_a_sample() {
    let samples = samples();
    for reason in Reason::ALL {
        let expected = !matches!(reason, Reason::Established | Reason::Monitored);
        let found = samples.iter().any(|(sample, _)| *sample == reason);
        assert_eq!(found, expected, "{}", reason.name());
    }
}

#[test]
fn a_program_without_packets_counted_nothing_and_two_programs_count_apart() {
    let mut first = runner(&policy(""));
    let second = runner(&policy(""));
    let frame = bare(&V6.outbound().syn(25));
    assert_eq!(first.run(&frame).unwrap().verdict, Verdict::Drop);
    assert_eq!(
        first.counters(Role::Subscriber).unwrap().packets(Reason::Blocked),
        1
    );
    assert!(
        second
            .counters(Role::Subscriber)
            .unwrap()
            .iter()
            .all(|(_, packets)| packets == 0)
    );
}
