//! A pause ends in the second that it names, in the program itself.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use op25b::policy::{Dates, Pause, PauseEnd, Pauses};

use crate::{
    framing::after_five_tags,
    support::{
        NOT_POOLED, NOT_POOLED_DROPPED, Row, UNINSPECTABLE, UNINSPECTABLE_DROPPED, blocked, check, monitored,
        packet::between,
        parse, row, runner_of,
        world::{WORLDS, bare},
    },
};

/// Two pools, and whoever is in neither is blocked as well.
const POLICY: &str = "\
block: { unlisted: drop }
pools:
- { name: first, prefixes: [198.51.96.0/20, 2001:db8:100::/40] }
- { name: second, prefixes: [10.20.0.0/16] }
";

fn pause(pool: Option<&str>, until: Option<Timestamp>) -> Pause {
    Pause {
        pool: pool.map(str::to_owned),
        except: Vec::new(),
        at: Timestamp::now(),
        until,
        uid: 0,
        user: "root".to_owned(),
        reason: "a test".to_owned(),
    }
}

/// Frames that the policy blocks, with what happens to them while this much of it is paused.
fn rows(first_is_paused: bool, rest_is_paused: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for world in &WORLDS {
        let expected = if first_is_paused { monitored(0) } else { blocked(0) };
        rows.push(row(
            format!("{} from the first pool", world.name),
            bare(&world.outbound().syn(25)),
            expected,
        ));
        let stranger = between(world.stranger, world.server);
        let expected = if rest_is_paused {
            NOT_POOLED
        } else {
            NOT_POOLED_DROPPED
        };
        rows.push(row(
            format!("{} from no pool", world.name),
            bare(&stranger.syn(25)),
            expected,
        ));
    }
    let second = between(Ipv4Addr::new(10, 20, 0, 7), Ipv4Addr::new(203, 0, 113, 80));
    let expected = if rest_is_paused { monitored(1) } else { blocked(1) };
    rows.push(row("from the second pool", bare(&second.syn(25)), expected));
    for frame in after_five_tags() {
        let expected = if rest_is_paused {
            UNINSPECTABLE
        } else {
            UNINSPECTABLE_DROPPED
        };
        rows.push(row("from nobody knows whom", frame, expected));
    }
    rows
}

#[test]
fn a_pause_stops_all_that_blocks_until_its_last_second_and_that_of_a_pool_nothing_else() {
    let now = Timestamp::now();
    let until = Timestamp::from_second(now.as_second() + 1800).unwrap();
    let real = op25b::datapath::clock::boot_to_unix().unwrap();
    let half_an_hour = 1_801_000_000_000;
    for (pool, rest_is_paused) in [(None, true), (Some("first"), false)] {
        let mut pauses = Pauses::default();
        pauses.begin(pause(pool, Some(until)));
        let mut policy = parse(POLICY);
        assert!(policy.pause(&pauses));
        assert!(!policy.pause(&pauses), "nothing changes");
        let mut runner = runner_of(&policy);
        check(&mut runner, &rows(true, rest_is_paused));
        runner.set_clock(real + half_an_hour).unwrap();
        check(&mut runner, &rows(false, false));
    }
    // But for a pool whose pause was ended.
    let mut pauses = Pauses::default();
    pauses.begin(pause(None, Some(until)));
    assert!(pauses.end_pool("first"));
    let mut policy = parse(POLICY);
    policy.pause(&pauses);
    let ends: Vec<_> = policy.pools.iter().map(|pool| pool.paused_until).collect();
    assert_eq!(ends, [None, Some(PauseEnd::At(until))]);
    assert_eq!(policy.block.unlisted_paused_until, Some(PauseEnd::At(until)));
}

#[test]
fn a_program_that_runs_is_paused_and_resumed_without_another_one() {
    let policy = parse(POLICY);
    let mut runner = runner_of(&policy);
    check(&mut runner, &rows(false, false));
    let real = op25b::datapath::clock::boot_to_unix().unwrap();
    let until = Timestamp::from_second(Timestamp::now().as_second() + 1800).unwrap();
    for (pool, end, rest_is_paused) in [
        (Some("first"), Some(until), false),
        (Some("first"), None, false),
        (None, Some(until), true),
        (None, None, true),
    ] {
        let mut pauses = Pauses::default();
        pauses.begin(pause(pool, end));
        runner.set_dates(&Dates::during(&policy, &pauses)).unwrap();
        check(&mut runner, &rows(true, rest_is_paused));
        // The maps say what those of the next generation say.
        let mut next = policy.clone();
        next.pause(&pauses);
        assert_eq!(Dates::during(&policy, &pauses), Dates::during(&next, &pauses));
        check(&mut runner_of(&next), &rows(true, rest_is_paused));
        runner.set_clock(real + 1_801_000_000_000).unwrap();
        let is_over = end.is_some();
        check(&mut runner, &rows(!is_over, !is_over && rest_is_paused));
        runner.set_clock(real).unwrap();
    }
    runner
        .set_dates(&Dates::during(&policy, &Pauses::default()))
        .unwrap();
    check(&mut runner, &rows(false, false));
}
