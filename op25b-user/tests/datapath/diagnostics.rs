//! Diagnostics cost nothing when they are off, and change nothing when they are on.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Instant,
};

use log::{Log, Metadata, Record};
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
    world::{WORLDS, bare, policy},
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

/// Keeps the lines of the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

#[test]
fn one_who_floods_has_a_line_a_second_in_the_log_and_hides_nobody_else() {
    const FLOOD: usize = 5_000;
    let mut filter = load(LogLevel::Debug, false);
    let lines = Lines::default();
    let mut log = filter.take_diagnostics(lines.clone()).unwrap();
    let start = Instant::now();
    for world in WORLDS {
        let frame = bare(&world.outbound().syn(25));
        for _ in 0..FLOOD {
            filter.run(Role::Subscriber, &frame).unwrap();
        }
        for (_, packet, _) in world.packets() {
            filter.run(Role::Subscriber, &bare(&packet)).unwrap();
        }
    }
    log.flush();
    let most = (usize::try_from(start.elapsed().as_secs()).unwrap() + 2)
        * thread::available_parallelism().unwrap().get();
    let lines = lines.0.lock().unwrap();
    for world in WORLDS {
        let of = |words: String| lines.iter().filter(|line| **line == words).count();
        let line = |reason: &str, source| format!("{reason:<13} {source} -> {}", world.server);
        let flooder = of(line("blocked", world.subscriber));
        assert!((1..=most).contains(&flooder), "{flooder} lines: {lines:?}");
        for (reason, source) in [("not_pooled", world.stranger), ("exempt", world.exempt)] {
            assert_eq!(of(line(reason, source)), 1, "{lines:?}");
        }
    }
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
