//! No packet gets a wrong verdict during reloads, crashes, upgrades and churn: the short form of `cargo xtask soak`.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

use std::path::Path;

use jiff::Timestamp;
use op25b::policy::{Flow, Policy, parse, reference};
use op25b_common::Verdict;
use op25b_testlab::soak::{
    policies::{BOT, CUSTOMER, SERVER, policy},
    soak,
};

/// What becomes of a bot's packet and of the customer's.
fn verdicts(policy: &Policy) -> [Verdict; 2] {
    [BOT, CUSTOMER].map(|source| {
        let flow = Flow {
            source: source.into(),
            destination: SERVER.into(),
            destination_port: 25,
        };
        reference::decide(policy, &flow, Timestamp::now()).verdict
    })
}

#[test]
fn half_of_one_policy_with_half_of_the_other_would_show() {
    let [first, second] = [0, 1].map(|turn| parse("policy.yaml", &policy(turn)).unwrap().policy);
    let right = [Verdict::Drop, Verdict::Pass];
    assert_eq!(verdicts(&first), right);
    assert_eq!(verdicts(&second), right);
    for (words, mixed) in [
        (
            "the second's pools",
            Policy {
                pools: second.pools.clone(),
                ..first.clone()
            },
        ),
        (
            "the second's relays",
            Policy {
                relays: second.relays.clone(),
                ..first.clone()
            },
        ),
        (
            "the second's exemptions",
            Policy {
                exemptions: second.exemptions.clone(),
                ..first.clone()
            },
        ),
        (
            "the first's pools",
            Policy {
                pools: first.pools.clone(),
                ..second.clone()
            },
        ),
        (
            "the first's relays",
            Policy {
                relays: first.relays.clone(),
                ..second.clone()
            },
        ),
        (
            "the first's block",
            Policy {
                block: first.block.clone(),
                ..second.clone()
            },
        ),
    ] {
        assert_ne!(verdicts(&mixed), right, "{words}");
    }
}

#[test]
fn no_packet_gets_a_wrong_verdict_in_reloads_crashes_upgrades_and_churn() {
    let lacks = op25b_testlab::runtime::lacks();
    assert!(lacks.is_empty(), "this test needs {}", lacks.join("; and "));
    let outcome = soak(Path::new(env!("CARGO_BIN_EXE_op25b")), 10).unwrap();
    outcome.print();
    assert!(
        outcome.blocked_sent > 0 && outcome.allowed_sent > 0,
        "{outcome:?}"
    );
    assert!(outcome.churn.blocked_counted > 0, "{outcome:?}");
    assert!(outcome.is_good(), "{outcome:?}");
}
