//! When a pool's date counts as reached, and whether the clock is behind op25b's own records.
//!
//! A date is reached once the clock, which was not set meanwhile, has gone past it, or has been past it for a while: a clock that is
//! years ahead for the first seconds after a start reaches nothing.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::Timestamp;

use crate::{
    fault::{FaultKind, Faults},
    state_dir,
};

/// How long the clock must have been past a date that it did not go past step by step.
const STEADY: Duration = Duration::from_mins(10);
/// A larger difference between the clock and the time that has passed means that the clock was set.
const STEP: Duration = Duration::from_secs(2);
/// How often the clock is recorded.
const RECORD: Duration = Duration::from_hours(1);
/// A clock that is behind by less is being put right.
const BEHIND: Duration = Duration::from_mins(1);

/// An instant by the clock, which may be set, and by the time that passes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) clock: Timestamp,
    pub(super) passed: Instant,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self {
            clock: Timestamp::now(),
            passed: Instant::now(),
        }
    }

    /// Whether the clock was set between a moment and this one.
    fn is_after_step(self, before: Self) -> bool {
        let clock = self.clock.duration_since(before.clock).as_nanos();
        let passed = i128::try_from((self.passed - before.passed).as_nanos()).unwrap_or(i128::MAX);
        (clock - passed).unsigned_abs() > STEP.as_nanos()
    }
}

/// The clock, as it is seen every second.
pub(super) struct Dates {
    /// Since when the clock was not set.
    steady: Moment,
    seen: Moment,
    /// The clock's last record.
    recorded: Option<Timestamp>,
    record_at: Instant,
    path: PathBuf,
}

impl Dates {
    /// A clock with a record of an earlier daemon.
    pub(super) fn new(state_dir: &Path, recorded: Option<Timestamp>, now: Moment) -> Self {
        Self {
            steady: now,
            seen: now,
            recorded,
            record_at: now.passed + RECORD,
            path: state_dir::clock_path(state_dir),
        }
    }

    /// Sees the clock.
    pub(super) fn see(&mut self, now: Moment) {
        if now.is_after_step(self.seen) {
            self.steady = now;
        }
        self.seen = now;
    }

    /// Whether a date is reached.
    pub(super) fn is_reached(&self, date: Timestamp) -> bool {
        let is_past = date <= self.seen.clock;
        let was_gone_past = date > self.steady.clock;
        is_past && (was_gone_past || self.seen.passed - self.steady.passed >= STEADY)
    }

    /// The clock, if it is to be recorded now.
    pub(super) fn due_record(&mut self) -> Option<Timestamp> {
        let Moment { clock, passed } = self.seen;
        if passed < self.record_at || self.is_behind() {
            return None;
        }
        self.record_at = passed + RECORD;
        self.recorded = Some(clock);
        Some(clock)
    }

    /// Whether the clock is behind its last record.
    fn is_behind(&self) -> bool {
        self.recorded.is_some_and(|recorded| {
            recorded.duration_since(self.seen.clock) > BEHIND.try_into().unwrap_or_default()
        })
    }

    /// Raises the fault of a clock that is behind, or clears it.
    pub(super) fn report(&self, faults: &Faults) {
        match self.recorded.filter(|_| self.is_behind()) {
            Some(recorded) => faults.raise(
                FaultKind::ClockBehind,
                format!(
                    "the system clock is behind op25b's last record of it, {recorded:.0}: exemptions that have expired since may \
                     apply again until the clock is right; pools stay enforced. If the clock is right, it was ahead then: remove \
                     {} and restart op25b",
                    self.path.display()
                ),
            ),
            None => faults.clear(FaultKind::ClockBehind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A clock that is seen every second for some time, and may then be set.
    struct Run {
        dates: Dates,
        now: Moment,
    }

    impl Run {
        fn from(clock: &str, recorded: Option<&str>) -> Self {
            let now = Moment {
                clock: at(clock),
                passed: Instant::now(),
            };
            Self {
                dates: Dates::new(Path::new("/var/lib/op25b"), recorded.map(at), now),
                now,
            }
        }

        fn pass(&mut self, seconds: u64) {
            for _ in 0..seconds {
                self.now.clock += Duration::from_secs(1);
                self.now.passed += Duration::from_secs(1);
                self.dates.see(self.now);
            }
        }

        fn set(&mut self, clock: &str) {
            self.now.clock = at(clock);
            self.dates.see(self.now);
        }

        fn faults(&self, faults: &Faults) -> usize {
            self.dates.report(faults);
            faults.list().len()
        }
    }

    #[test]
    fn a_date_is_reached_in_the_second_in_which_the_clock_goes_past_it() {
        let mut run = Run::from("2027-03-31T23:59:50Z", None);
        let date = at("2027-04-01T00:00:00Z");
        run.pass(9);
        assert!(!run.dates.is_reached(date));
        run.pass(1);
        assert!(run.dates.is_reached(date));
    }

    #[test]
    fn a_date_that_was_past_at_the_start_is_reached_once_the_clock_was_steady_for_a_while() {
        let mut run = Run::from("2027-06-01T00:00:00Z", None);
        let date = at("2027-04-01T00:00:00Z");
        run.pass(599);
        assert!(!run.dates.is_reached(date));
        run.pass(1);
        assert!(run.dates.is_reached(date));
    }

    #[test]
    fn a_clock_that_is_ahead_until_it_is_set_reaches_nothing() {
        let date = at("2027-04-01T00:00:00Z");
        let mut run = Run::from("2099-01-01T00:00:00Z", None);
        run.pass(60);
        assert!(!run.dates.is_reached(date));
        run.set("2026-11-28T17:00:00Z");
        run.pass(2 * HOUR);
        assert!(!run.dates.is_reached(date));
        // Nor one that is set ahead for a moment while it runs.
        run.set("2099-01-01T00:00:00Z");
        run.pass(60);
        assert!(!run.dates.is_reached(date));
    }

    #[test]
    fn a_clock_that_drifts_is_not_taken_for_one_that_was_set() {
        let mut run = Run::from("2027-03-31T00:00:00Z", None);
        for _ in 0..HOUR {
            run.now.clock += Duration::from_millis(1_500);
            run.now.passed += Duration::from_secs(1);
            run.dates.see(run.now);
        }
        assert_eq!(run.dates.steady.clock, at("2027-03-31T00:00:00Z"));
    }

    #[test]
    fn a_clock_behind_its_last_record_is_a_fault_until_it_is_right() {
        let faults = Faults::default();
        let mut run = Run::from("2020-01-01T00:00:00Z", Some("2026-11-28T17:00:00Z"));
        assert_eq!(run.faults(&faults), 1);
        let message = faults.list()[0].message.clone();
        assert!(
            message.contains("2026-11-28T17:00:00Z") && message.contains("/var/lib/op25b/clock"),
            "{message}"
        );
        run.pass(2 * HOUR);
        assert_eq!(run.faults(&faults), 1);
        assert_eq!(run.dates.due_record(), None);
        run.set("2026-11-28T20:00:00Z");
        assert_eq!(run.faults(&faults), 0);
        assert_eq!(run.dates.due_record(), Some(at("2026-11-28T20:00:00Z")));
    }

    #[test]
    fn the_clock_is_recorded_every_hour_and_not_in_the_first() {
        let faults = Faults::default();
        let mut run = Run::from("2099-01-01T00:00:00Z", None);
        run.pass(60);
        assert_eq!(run.dates.due_record(), None);
        // A clock that was ahead so briefly is no record to be behind of.
        run.set("2026-11-28T17:00:00Z");
        assert_eq!(run.faults(&faults), 0);
        run.pass(HOUR);
        assert!(run.dates.due_record().is_some());
        assert_eq!(run.dates.due_record(), None);
        run.pass(HOUR);
        assert!(run.dates.due_record().is_some());
        run.set("2026-11-28T18:00:00Z");
        assert_eq!(run.faults(&faults), 1);
    }
}
