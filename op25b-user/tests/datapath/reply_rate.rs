//! `action: prohibit` and `action: reset` reply at the rate of the policy, and no faster; resets have none unless it is set.

use std::{thread, time::Instant};

use op25b::{
    datapath::{AnswerCount, LoadOptions},
    policy::Role,
};
use op25b_common::{Action, Reason, Verdict};

use crate::support::{
    filter,
    packet::syn_header,
    runner,
    world::{V4, V6, bare, policy},
};

/// What a bucket holds at least, whatever the rate.
const BURST: usize = 10;

const XDP_TX: u32 = 3;

/// How many of so many blocked segments are answered under this `block:`, and how many seconds it took.
fn answered(block: &str, segments: usize) -> (usize, usize) {
    let mut runner = runner(&policy(block));
    let start = Instant::now();
    let mut answered = 0;
    for index in 0..segments {
        let ends = [V4, V6][index % 2].outbound();
        let (decision, _) = runner.run_from(Role::Subscriber, &bare(&ends.syn(25))).unwrap();
        assert_eq!(decision.reason, Reason::Blocked);
        match decision.verdict {
            Verdict::Reject => answered += 1,
            Verdict::Drop => {}
            Verdict::Pass => panic!("it passed"),
        }
    }
    let counted = runner
        .counters(Role::Subscriber)
        .unwrap()
        .packets(Reason::Blocked);
    assert_eq!(counted, segments as u64);
    (answered, usize::try_from(start.elapsed().as_secs()).unwrap() + 1)
}

/// How many CPUs have a bucket: the program may run on any.
fn buckets() -> usize {
    BURST * thread::available_parallelism().unwrap().get()
}

fn assert_limited(block: &str) {
    let buckets = buckets();
    let (answered, seconds) = answered(block, 10 * buckets);
    // A second gives each bucket one answer more.
    let most = buckets + seconds * buckets / BURST;
    assert!(
        (BURST..=most).contains(&answered),
        "{answered} answers, at most {most}"
    );
}

/// What was rejected is what was answered, what the rate did not allow to be, and what must not be.
#[test]
fn every_rejected_segment_is_counted_by_what_became_of_its_answer() {
    for (action, block) in [
        (Action::Reset, "block: { action: reset, reset_rate: 1 }\n"),
        (
            Action::Prohibit,
            "block: { action: prohibit, prohibit_from: [192.0.2.1, '2001:db8::1'], prohibit_rate: 1 }\n",
        ),
    ] {
        let mut filter = filter(&policy(block), LoadOptions::default());
        let mut header = syn_header(25);
        (header.syn, header.rst) = (false, true);
        let (segment, reset) = (bare(&V4.outbound().syn(25)), bare(&V4.outbound().tcp(header)));
        let (mut sent, mut dropped) = (0, 0);
        for _ in 0..3 * buckets() {
            match filter.run(Role::Subscriber, &segment).unwrap().0 {
                XDP_TX => sent += 1,
                _ => dropped += 1,
            }
            // A reset is never answered, and takes nothing from what may be.
            assert_ne!(filter.run(Role::Subscriber, &reset).unwrap().0, XDP_TX);
        }
        assert!(sent > 0 && dropped > 0, "{sent} {dropped}");
        let expected = |of: Action| AnswerCount {
            action: of,
            sent: if of == action { sent } else { 0 },
            suppressed: if of == action { dropped } else { 0 },
            unanswerable: if of == action { sent + dropped } else { 0 },
        };
        let answers = filter.answer_counts().unwrap();
        assert_eq!(answers, [Action::Reset, Action::Prohibit].map(expected));
        let pools = filter.pool_counts().unwrap();
        let mut rejected = pools.pools[0].1.iter();
        let rejected = rejected.find(|count| count.verdict == Verdict::Reject).unwrap();
        assert_eq!(rejected.packets, 2 * (sent + dropped));
    }
}

#[test]
fn answers_end_with_the_rate_and_the_segment_is_dropped_all_the_same() {
    assert_limited(
        "block: { action: prohibit, prohibit_from: [192.0.2.1, '2001:db8::1'], prohibit_rate: 1 }\n",
    );
}

#[test]
fn resets_end_with_the_rate_of_the_policy_and_the_segment_is_dropped_all_the_same() {
    assert_limited("block: { action: reset, reset_rate: 1 }\n");
}

#[test]
fn resets_have_no_limit_unless_the_policy_sets_one() {
    let segments = 100 * buckets();
    assert_eq!(answered("block: { action: reset }\n", segments).0, segments);
}
