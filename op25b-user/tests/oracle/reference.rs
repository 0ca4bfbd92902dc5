//! The verdict on a packet by the documents, written to be read beside them and not for speed.
//!
//! The steps are those of the verdict table: the bytes ([`link`], [`network`], [`tunnel`], [`segment`]), the policy
//! ([`judge`]), and what is sent back ([`answerable`], [`reply`]). etherparse takes the bytes apart wherever it is
//! exactly as strict as the contract; where it is not, the bytes are read one by one and a comment says why.

mod answerable;
mod bytes;
mod judge;
pub mod link;
mod network;
mod reply;
mod segment;
mod tunnel;

use jiff::Timestamp;

use self::segment::Reading;
use crate::{
    policy::Policy,
    verdict::{Answer, Reason, Role, Verdict},
};

/// What the program has to answer.
pub fn expect(policy: &Policy, role: Role, frame: &[u8], now: Timestamp) -> Answer {
    let passed = |reason| Answer {
        verdict: Verdict::Pass,
        reason,
        rule: None,
        output: Some(frame.to_vec()),
    };
    if role == Role::Subscriber && link::has_too_many_tags(frame) {
        return finished(frame, Reason::Uninspectable, &judge::unaddressed(policy, now));
    }
    match segment::read(policy, role, frame) {
        Reading::Ended(reason) => passed(reason),
        Reading::Hidden(addresses) => {
            let judgement = judge::hidden(policy, role, addresses, now);
            finished(frame, Reason::Uninspectable, &judgement)
        }
        Reading::Unaddressed => finished(frame, Reason::Uninspectable, &judge::unaddressed(policy, now)),
        Reading::Known(segment) => match judge::known(policy, role, &segment, now) {
            None => passed(Reason::OtherPort),
            Some((reason, judgement)) if judgement.verdict == Verdict::Reject => {
                match reply::to(policy, frame, &segment) {
                    Some(reply) => Answer {
                        output: Some(reply),
                        ..finished(frame, reason, &judgement)
                    },
                    None => finished(
                        frame,
                        reason,
                        &judge::Judgement {
                            verdict: Verdict::Drop,
                            ..judgement
                        },
                    ),
                }
            }
            Some((reason, judgement)) => finished(frame, reason, &judgement),
        },
    }
}

fn finished(frame: &[u8], reason: Reason, judgement: &judge::Judgement) -> Answer {
    Answer {
        verdict: judgement.verdict,
        reason,
        rule: judgement.rule,
        output: (judgement.verdict == Verdict::Pass).then(|| frame.to_vec()),
    }
}
