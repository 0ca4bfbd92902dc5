//! `action: prohibit` replies at the rate of the policy, and no faster.

use std::{thread, time::Instant};

use op25b::policy::Role;
use op25b_common::{Reason, Verdict};

use crate::support::{
    runner,
    world::{V4, V6, bare, policy},
};

/// What a bucket holds at least, whatever the rate.
const BURST: usize = 10;

#[test]
fn answers_end_with_the_rate_and_the_segment_is_dropped_all_the_same() {
    let block = "block: { action: prohibit, prohibit_from: [192.0.2.1, '2001:db8::1'], prohibit_rate: 1 }\n";
    let mut runner = runner(&policy(block));
    let start = Instant::now();
    // Each CPU has a bucket, and the program may run on any.
    let buckets = BURST * thread::available_parallelism().unwrap().get();
    let mut answered = 0;
    for index in 0..10 * buckets {
        let ends = [V4, V6][index % 2].outbound();
        let (decision, _) = runner.run_from(Role::Subscriber, &bare(&ends.syn(25))).unwrap();
        assert_eq!(decision.reason, Reason::Blocked);
        match decision.verdict {
            Verdict::Reject => answered += 1,
            Verdict::Drop => {}
            Verdict::Pass => panic!("it passed"),
        }
    }
    // A second gives each bucket one answer more.
    let seconds = usize::try_from(start.elapsed().as_secs()).unwrap() + 1;
    let most = buckets + seconds * buckets / BURST;
    assert!(
        (BURST..=most).contains(&answered),
        "{answered} answers, at most {most}"
    );
    let counted = runner
        .counters(Role::Subscriber)
        .unwrap()
        .packets(Reason::Blocked);
    assert_eq!(counted, 10 * buckets as u64);
}
