//! Towards which destinations a pool is enforced, and from when on, in the program itself.

use jiff::Timestamp;
use op25b::policy::{Dates, EnforceFrom, Pause, PauseEnd, Pauses};

use crate::{
    framing::after_five_tags,
    policy::flows,
    support::{
        UNINSPECTABLE, UNINSPECTABLE_DROPPED, blocked, check, monitored, parse, row, runner, runner_of,
    },
};

/// A pool whose first phase has begun, and whose later ones never will; and one that is monitored.
const POLICY: &str = "\
pools:
- name: phased
  prefixes: [198.51.100.0/22, 2001:db8:100::/40]
  phases:
  - { only_to: [192.0.2.0/25, 2001:db8:25::/48] }
  - { from: 2099-04-01, only_to: [192.0.2.0/24, 203.0.113.0/24, 2001:db8::/32] }
  - { from: 2105-04-01 }
- { name: partly, prefixes: [198.51.102.0/24], only_to: [203.0.113.25] }
- { name: watched, prefixes: [198.51.103.0/24], mode: monitor, only_to: [203.0.113.25] }
";

#[test]
#[rustfmt::skip]
fn a_pool_is_enforced_towards_the_destinations_of_phases_that_have_begun() {
    check(
        &mut runner(POLICY),
        &flows(&[
            ("the first phase", "198.51.100.9", "192.0.2.0", blocked(0)),
            ("its last address", "198.51.100.9", "192.0.2.127", blocked(0)),
            ("a phase that has not begun", "198.51.100.9", "192.0.2.128", monitored(0)),
            ("a phase that has not begun", "198.51.100.9", "203.0.113.25", monitored(0)),
            ("no phase but the last", "198.51.100.9", "198.18.0.25", monitored(0)),
            ("the first phase", "2001:db8:100::9", "2001:db8:25::25", blocked(0)),
            ("a phase that has not begun", "2001:db8:100::9", "2001:db8:26::25", monitored(0)),
            ("no phase but the last", "2001:db8:100::9", "3fff::25", monitored(0)),
            ("another pool's only destination", "198.51.102.9", "203.0.113.25", blocked(1)),
            ("the first pool's", "198.51.102.9", "192.0.2.1", monitored(1)),
            ("a pool in monitor mode", "198.51.103.9", "203.0.113.25", monitored(2)),
        ]),
    );
}

#[test]
fn a_phase_begins_in_its_second_and_none_applies_during_a_pause() {
    let mut policy = parse(POLICY);
    let second = Timestamp::now().as_second();
    let [begins, resumes] = [600, 1200].map(|after| Timestamp::from_second(second + after).unwrap());
    policy.pools[0].phases[0].from = Some(EnforceFrom {
        at: begins,
        is_reached: false,
    });
    policy.pools[1].paused_until = Some(PauseEnd::At(resumes));
    let mut runner = runner_of(&policy);
    let real = op25b::datapath::clock::boot_to_unix().unwrap();
    let dated = ("the first phase", "198.51.100.9", "192.0.2.0");
    let paused = ("a pause", "198.51.102.9", "203.0.113.25");
    for (after, dated_is, paused_is) in [
        (0, monitored(0), monitored(1)),
        (601, blocked(0), monitored(1)),
        (1201, blocked(0), blocked(1)),
    ] {
        runner.set_clock(real + after * 1_000_000_000).unwrap();
        let (dated, paused) = (
            (dated.0, dated.1, dated.2, dated_is),
            (paused.0, paused.1, paused.2, paused_is),
        );
        check(&mut runner, &flows(&[dated, paused]));
    }
}

#[test]
fn no_phase_of_a_program_that_runs_applies_during_a_pause_that_begins() {
    let policy = parse(POLICY);
    let mut runner = runner_of(&policy);
    let flows_with = |first, second| {
        flows(&[
            ("the first phase", "198.51.100.9", "192.0.2.0", first),
            ("another pool", "198.51.102.9", "203.0.113.25", second),
        ])
    };
    check(&mut runner, &flows_with(blocked(0), blocked(1)));
    let pause = Pause {
        pool: Some("phased".to_owned()),
        except: Vec::new(),
        at: Timestamp::now(),
        until: None,
        uid: 0,
        user: "root".to_owned(),
        reason: "a test".to_owned(),
    };
    let pauses = Pauses::from(vec![pause]);
    runner.set_dates(&Dates::during(&policy, &pauses)).unwrap();
    check(&mut runner, &flows_with(monitored(0), blocked(1)));
}

#[test]
fn what_hides_its_destination_counts_from_the_first_phase_of_all_pools_on() {
    let later = "pools: [{ name: a, prefixes: [198.51.100.0/22], phases: [{ from: 2099-04-01, only_to: [192.0.2.1] }, { from: 2105-04-01 }] }]\n";
    for (policy, expected) in [(POLICY, UNINSPECTABLE_DROPPED), (later, UNINSPECTABLE)] {
        let rows = after_five_tags().into_iter();
        let rows: Vec<_> = rows
            .map(|frame| row("from nobody knows whom", frame, expected))
            .collect();
        check(&mut runner(policy), &rows);
    }
}
