//! Diagnostics cost nothing when they are off, and change nothing when they are on.

use op25b::{
    datapath::{Filter, LoadOptions, LogLevel},
    policy::Role,
};
use op25b_common::{
    Verdict,
    names::{CLASSES, CLOCK, COUNTERS, DECISION},
};

use crate::support::{
    filter,
    framing::Framing,
    kernel::{instructions_used, maps_used},
    world::{WORLDS, policy},
};

/// The ring buffer that aya-log writes to.
const LOG_MAP: &str = "AYA_LOGS";

fn load(log: LogLevel, trace: bool) -> Filter {
    filter(&policy(""), LoadOptions { log, trace })
}

#[test]
fn without_diagnostics_the_loaded_program_has_no_trace_of_them() {
    let sizes = [LogLevel::Off, LogLevel::Debug].map(|log| {
        let mut filter = load(log, false);
        let info = filter.program_info(Role::Subscriber).unwrap();
        let translated = instructions_used(&info).len();
        let verified = info.verified_instruction_count().unwrap();
        let maps = maps_used(&info);
        println!("{log:?}: {translated} instructions, {verified} verified; maps used: {maps:?}");
        assert!(
            maps.contains(CLASSES) && maps.contains(COUNTERS) && maps.contains(CLOCK),
            "{maps:?}"
        );
        assert_eq!(maps.contains(LOG_MAP), log == LogLevel::Debug, "{maps:?}");
        assert!(!maps.contains(DECISION), "{maps:?}");
        (translated, verified)
    });
    let [off, debug] = sizes;
    assert!(off.0 < debug.0 && off.1 < debug.1, "off {off:?}, debug {debug:?}");
}

#[test]
fn only_a_program_for_questions_keeps_its_decisions() {
    let mut filter = load(LogLevel::Off, true);
    let maps = maps_used(&filter.program_info(Role::Subscriber).unwrap());
    assert!(maps.contains(DECISION) && !maps.contains(LOG_MAP), "{maps:?}");
}

#[test]
fn diagnostics_change_no_verdict() {
    let mut silent = load(LogLevel::Off, false);
    let mut talkative = load(LogLevel::Debug, false);
    for framing in Framing::usual() {
        for world in WORLDS {
            for (words, packet, expected) in world.packets() {
                let frame = framing.frame(&packet);
                let action = if expected.verdict == Verdict::Drop { 1 } else { 2 };
                assert_eq!(
                    silent.run(Role::Subscriber, &frame).unwrap().0,
                    action,
                    "{words} {framing}"
                );
                assert_eq!(
                    talkative.run(Role::Subscriber, &frame).unwrap().0,
                    action,
                    "{words} {framing}"
                );
            }
        }
    }
    assert_eq!(
        silent.counters(Role::Subscriber).unwrap(),
        talkative.counters(Role::Subscriber).unwrap()
    );
}
