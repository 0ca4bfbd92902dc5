//! The verdict on a packet by the documents: written for comparison with them, not for speed.
//!
//! The steps are those of the verdict table: the bytes ([`link`], [`network`], [`tunnel`], [`segment`]), the policy
//! ([`verdict_table`]), and what is sent back ([`may_reply`], [`reply`]). etherparse takes the bytes apart wherever it is
//! exactly as strict as the documents; where it is not, the bytes are read one by one and a comment gives the reason.

mod bytes;
pub mod link;
mod may_reply;
mod network;
mod reply;
mod segment;
mod tunnel;
mod verdict_table;

use jiff::Timestamp;

use self::segment::Reading;
use crate::{
    policy::Policy,
    verdict::{Answer, Reason, Role, Verdict},
};

/// The answer that the program has to give.
pub fn expect(policy: &Policy, role: Role, frame: &[u8], now: Timestamp) -> Answer {
    let passed = |reason| Answer {
        verdict: Verdict::Pass,
        reason,
        rule: None,
        output: Some(frame.to_vec()),
    };
    match segment::read(policy, role, frame) {
        Reading::Ended(reason) => passed(reason),
        Reading::Hidden(addresses) => {
            let hidden = |addresses| {
                let decision = verdict_table::hidden(policy, role, addresses, now);
                Some((Reason::Uninspectable, decision))
            };
            match verdict_table::of_all_sources(policy, addresses, hidden) {
                Some((reason, decision)) => finished(frame, reason, &decision),
                None => unreachable!("what is hidden is decided on"),
            }
        }
        Reading::Unaddressed => finished(
            frame,
            Reason::Uninspectable,
            &verdict_table::unaddressed(policy, now),
        ),
        Reading::Known(segment) => {
            match verdict_table::of_all_sources(policy, segment.addresses, |addresses| {
                verdict_table::known(policy, role, &segment, addresses, now)
            }) {
                None => passed(Reason::OtherPort),
                Some((reason, decision)) if decision.verdict == Verdict::Reject => {
                    match reply::to(policy, frame, &segment) {
                        Some(reply) => Answer {
                            output: Some(reply),
                            ..finished(frame, reason, &decision)
                        },
                        None => finished(
                            frame,
                            reason,
                            &verdict_table::Decision {
                                verdict: Verdict::Drop,
                                ..decision
                            },
                        ),
                    }
                }
                Some((reason, decision)) => finished(frame, reason, &decision),
            }
        }
    }
}

fn finished(frame: &[u8], reason: Reason, decision: &verdict_table::Decision) -> Answer {
    Answer {
        verdict: decision.verdict,
        reason,
        rule: decision.rule,
        output: (decision.verdict == Verdict::Pass).then(|| frame.to_vec()),
    }
}
