//! VLAN tags that a policy adds are skipped as the usual ones are, and together with them.

use op25b::{
    datapath::{Decision, LoadOptions},
    policy::Role,
};
use op25b_common::{Reason, Verdict};

use crate::support::{
    NOT_IP, check, filter,
    framing::{Framing, MAX_TAGS, PppProtocol},
    kernel::instructions_used,
    row, runner,
    world::{WORLDS, policy},
};

const BLOCK: &str = "block: { vlan_tpids: [0x9200, 37632, 0x0600, 0xffff] }\n";
/// The same numbers.
const OWN: [u16; 4] = [0x9200, 0x9300, 0x0600, 0xffff];

fn framings() -> Vec<Framing> {
    let mut all = Vec::new();
    for own in OWN {
        for tags in [
            vec![own],
            vec![own, 0x8100],
            vec![0x88a8, own],
            vec![own, own],
            vec![0x8100, own, 0x8100],
            vec![own, 0x88a8, own, 0x9100],
        ] {
            for session in [None, Some(PppProtocol::TwoBytes), Some(PppProtocol::OneByte)] {
                all.push(Framing {
                    tags: tags.clone(),
                    session,
                });
            }
        }
    }
    all
}

#[test]
fn every_row_has_one_verdict_after_tags_of_the_policy_alone_and_with_usual_ones() {
    let mut rows = Vec::new();
    for framing in framings().into_iter().chain(Framing::usual()) {
        for world in WORLDS {
            for (words, packet, expected) in world.packets() {
                rows.push(row(
                    format!("{words}, {} {framing}", world.name),
                    framing.frame(&packet),
                    expected,
                ));
            }
        }
    }
    check(&mut runner(&policy(BLOCK)), &rows);
}

#[test]
fn they_are_skipped_on_uplink_interfaces_too() {
    let mut runner = runner(&policy(
        "block: { vlan_tpids: [0x9200, 37632, 0x0600, 0xffff], inbound: block }\n",
    ));
    for framing in framings() {
        for world in WORLDS {
            let packet = crate::support::packet::between(world.server, world.subscriber).syn(25);
            let (decision, _) = runner.run_from(Role::Uplink, &framing.frame(&packet)).unwrap();
            assert_eq!(decision.reason, Reason::Blocked, "{framing}");
        }
    }
}

#[test]
fn a_reset_keeps_them() {
    let mut runner = runner(&policy("block: { vlan_tpids: [0x9200], action: reset }\n"));
    for framing in [Framing::tags(&[0x9200]), Framing::tags(&[0x9200, 0x8100])] {
        for world in WORLDS {
            let frame = framing.frame(&world.outbound().syn(25));
            let (decision, reply) = runner.run_from(Role::Subscriber, &frame).unwrap();
            assert_eq!(decision.verdict, Verdict::Reject, "{framing}");
            assert_eq!(
                reply[12..framing.length()],
                frame[12..framing.length()],
                "{framing}"
            );
        }
    }
}

#[test]
fn a_fifth_tag_of_the_policy_is_uninspectable() {
    let mut runner = runner(&policy(BLOCK));
    let mut rows = Vec::new();
    for own in OWN {
        for tags in [vec![own; MAX_TAGS + 1], vec![0x8100, 0x88a8, 0x8100, 0x9100, own]] {
            let framing = Framing::tags(&tags);
            for world in WORLDS {
                rows.push(row(
                    format!("{} {framing}", world.name),
                    framing.frame(&world.outbound().syn(25)),
                    Decision {
                        verdict: Verdict::Drop,
                        reason: Reason::Uninspectable,
                        rule: None,
                    },
                ));
            }
        }
    }
    check(&mut runner, &rows);
}

#[test]
fn tags_of_other_policies_are_not_ip() {
    let mut rows = Vec::new();
    for own in OWN {
        let framing = Framing::tags(&[own]);
        for world in WORLDS {
            let frame = framing.frame(&world.outbound().syn(25));
            rows.push(row(format!("{} {framing}", world.name), frame, NOT_IP));
        }
    }
    check(&mut runner(&policy("block: { vlan_tpids: [0x9400] }\n")), &rows);
    check(&mut runner(&policy("")), &rows);
}

/// The comparisons are removed from the program by the verifier.
#[test]
fn a_policy_without_tags_of_its_own_pays_nothing_for_them() {
    let size = |block| {
        let mut filter = filter(&policy(block), LoadOptions::default());
        let info = filter.program_info(Role::Subscriber).unwrap();
        instructions_used(&info).len()
    };
    let (without, with) = (size(""), size("block: { vlan_tpids: [0x9200] }\n"));
    // The fast path once more, and the comparisons of the slow path.
    assert!(without + 250 < with, "{without} instructions, {with} with a tag");
}
