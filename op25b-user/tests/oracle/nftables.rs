//! `policies/small-isp.nft` does what `policies/small-isp.yaml` does, but for the differences that docs/comparison.md lists: the
//! table is loaded at the ingress hook of an interface, and what it lets through is compared with the oracle's verdicts.

mod differences;
mod table;

use std::{collections::BTreeMap, fs, net::Ipv6Addr};

use jiff::Timestamp;
use op25b_testlab::paths;
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};

use self::{differences::Difference, table::Table};
use crate::{
    dissect::dissect,
    expected,
    generate::{self, Universe},
    policy::Policy,
    verdict::{Reason, Role, Verdict},
};

const TABLE: &str = "policies/small-isp.nft";
const DOCUMENT: &str = "docs/comparison.md";
/// Frames that are drawn: enough for each difference.
const FRAMES: usize = 3_000;

fn text(name: &str) -> String {
    fs::read_to_string(paths::workspace().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The policy that the table is a translation of. The oracle reads instants, not days.
fn policy() -> Policy {
    let policy = text("policies/small-isp.yaml");
    Policy::read(&policy.replace("2099-03-31", "2099-03-31T23:59:59Z"))
}

/// Frames at the edges of the policy, the same each time.
fn frames(policy: &Policy) -> Vec<Vec<u8>> {
    let mut runner = TestRunner::deterministic();
    let frames = generate::frame(&Universe::of(policy), 1_514);
    let drawn = (0..FRAMES).map(|_| {
        frames
            .new_tree(&mut runner)
            .expect("nothing is rejected")
            .current()
    });
    // A packet socket sends no frame without an Ethernet header.
    let drawn = drawn.filter(|frame| frame.len() >= 14);
    drawn.chain([submission_after_nine_headers()]).collect()
}

/// A SYN to port 587 after more extension headers than op25b skips.
fn submission_after_nine_headers() -> Vec<u8> {
    let addresses =
        ["2001:db8:100::9", "2001:db8:feed::25"].map(|text| text.parse::<Ipv6Addr>().expect("an address"));
    let [source, destination] = addresses.map(|address| address.octets());
    let options = [60, 0, 1, 4, 0, 0, 0, 0].repeat(8);
    let last = [6, 0, 1, 4, 0, 0, 0, 0];
    let tcp = [
        0x9c, 0x40, 0x02, 0x4b, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xfa, 0xf0, 0, 0, 0, 0,
    ];
    let ethernet = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd];
    let ip = [0x60, 0, 0, 0, 0, 72 + 20, 60, 64];
    [&ethernet[..], &ip, &source, &destination, &options, &last, &tcp].concat()
}

#[test]
fn the_nftables_table_does_what_the_policy_does_but_for_the_listed_differences() {
    let policy = policy();
    let frames = frames(&policy);
    let passes = Table::load(&paths::workspace().join(TABLE)).passes(frames.clone());
    let mut alike = BTreeMap::<&str, usize>::new();
    let mut different = BTreeMap::<Difference, usize>::new();
    for (frame, passes) in frames.iter().zip(passes) {
        let answer = expected::expect(&policy, Role::Subscriber, frame, Timestamp::now());
        if passes == (answer.verdict == Verdict::Pass) {
            *alike.entry(answer.reason.name()).or_default() += 1;
            continue;
        }
        let difference = Difference::of(frame, passes).unwrap_or_else(|| {
            let text = dissect(frame);
            panic!(
                "{TABLE} {}, and {DOCUMENT} does not list why\n{text}policy: {answer:?}",
                if passes { "passes it" } else { "drops it" }
            )
        });
        *different.entry(difference).or_default() += 1;
    }
    // With neither a pool in monitor mode nor `match: new` there are no others.
    for reason in Reason::ALL {
        let is_possible = !matches!(reason, Reason::Established | Reason::Monitored);
        let count = alike.get(reason.name()).copied().unwrap_or_default();
        assert!(
            !is_possible || count > 10,
            "{} {count} times: {alike:?}",
            reason.name()
        );
    }
    for difference in Difference::ALL {
        assert!(
            different.contains_key(&difference),
            "{difference:?}: {different:?}"
        );
    }
}

#[test]
fn the_document_lists_each_difference_of_the_nftables_table() {
    let document = text(DOCUMENT);
    for difference in Difference::ALL {
        let row = format!("| {} |", difference.words());
        assert!(document.contains(&row), "{DOCUMENT} has no row {row:?}");
    }
}
