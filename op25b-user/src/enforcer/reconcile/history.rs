//! The history of the interfaces: who interfered with the filter, why it could not be attached, and when that is tried again.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::repeats::{BackOff, Repeats};

/// The delays before the filter is restored where another process removes it again and again.
const INTERFERENCE: BackOff = BackOff {
    first: Duration::from_secs(10),
    longest: Duration::from_mins(10),
};

/// The delays before another attempt where the filter cannot be attached: some drivers reset the interface at each.
const FAILURE: BackOff = BackOff {
    first: Duration::from_secs(1),
    longest: Duration::from_mins(1),
};

/// The history of the policy's interfaces, by name.
pub(in crate::enforcer) type LinkHistories = BTreeMap<String, LinkHistory>;

/// The history of one interface.
#[derive(Debug, Default)]
pub(in crate::enforcer) struct LinkHistory {
    /// How often another process removed the filter.
    pub(super) interferences: u64,
    /// What is wrong, which is logged once and then with growing delays.
    pub(super) troubles: Repeats,
    interference: Option<Interference>,
    failure: Option<Failure>,
}

/// A recent interference of another process.
#[derive(Clone, Copy, Debug)]
struct Interference {
    /// The delay after the next attempt.
    delay: Duration,
    /// When the next attempt is due.
    next_attempt: Instant,
    /// Whether the filter is removed now.
    is_lost: bool,
}

/// A failed attempt to attach the filter.
#[derive(Clone, Copy, Debug)]
struct Failure {
    /// The interface's index.
    index: u32,
    /// The delay before the next attempt.
    delay: Duration,
    /// When it is due.
    next_attempt: Instant,
}

impl LinkHistory {
    /// Whether the filter may be restored now: at once the first time, with growing delays after that.
    pub(super) fn may_try(&mut self, now: Instant) -> bool {
        match &mut self.interference {
            None => {
                self.interference = Some(Interference {
                    delay: INTERFERENCE.first,
                    next_attempt: now + INTERFERENCE.first,
                    is_lost: true,
                });
                true
            }
            Some(interference) => {
                interference.is_lost = true;
                let may = now >= interference.next_attempt;
                if may {
                    interference.delay = INTERFERENCE.after(interference.delay);
                    interference.next_attempt = now + interference.delay;
                }
                may
            }
        }
    }

    /// Whether the filter may be attached to the interface of this index now: not soon after that failed.
    pub(super) fn may_attach(&self, index: u32, now: Instant) -> bool {
        self.failure
            .is_none_or(|failure| failure.index != index || now >= failure.next_attempt)
    }

    /// Notes that the filter could not be attached to the interface of this index.
    pub(in crate::enforcer) fn note_failure(&mut self, index: u32, now: Instant) {
        let before = self.failure.filter(|failure| failure.index == index);
        let delay = before.map_or(FAILURE.first, |failure| FAILURE.after(failure.delay));
        self.failure = Some(Failure {
            index,
            delay,
            next_attempt: now + delay,
        });
    }

    /// Notes that the filter runs. Once it has run for long enough, earlier interference is forgotten.
    pub(super) fn note_running(&mut self, now: Instant) {
        self.failure = None;
        self.troubles.end();
        if let Some(interference) = &mut self.interference {
            interference.is_lost = false;
            if now > interference.next_attempt + INTERFERENCE.longest {
                self.interference = None;
            }
        }
    }

    /// Notes that the interface is gone, and with it what another process did to it.
    pub(super) fn note_missing(&mut self) {
        self.failure = None;
        if let Some(interference) = &mut self.interference {
            interference.is_lost = false;
        }
    }

    /// Whether another process has removed the filter.
    pub(super) fn is_lost(&self) -> bool {
        self.interference.is_some_and(|interference| interference.is_lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_restored_at_once_and_then_with_growing_delays() {
        let mut history = LinkHistory::default();
        let start = Instant::now();
        let tries =
            |history: &mut LinkHistory, seconds: u64| history.may_try(start + Duration::from_secs(seconds));
        assert!(tries(&mut history, 0));
        history.note_running(start + Duration::from_secs(1));
        assert!(!tries(&mut history, 2));
        assert!(!tries(&mut history, 9));
        assert!(tries(&mut history, 10));
        assert!(!tries(&mut history, 29));
        assert!(tries(&mut history, 30));
        let mut at = 30;
        for delay in [40, 80, 160, 320, 600, 600] {
            assert!(!tries(&mut history, at + delay - 1), "{delay}");
            at += delay;
            assert!(tries(&mut history, at), "{delay}");
        }
    }

    #[test]
    fn interference_is_forgotten_once_the_filter_has_run_for_long() {
        let mut history = LinkHistory::default();
        let start = Instant::now();
        assert!(history.may_try(start));
        assert!(history.is_lost());
        history.note_running(start + Duration::from_secs(20));
        assert!(!history.is_lost());
        assert!(history.interference.is_some());
        history.note_running(start + Duration::from_secs(611));
        assert!(history.interference.is_none());
        assert!(history.may_try(start + Duration::from_secs(612)));
    }

    #[test]
    fn a_failed_attempt_is_repeated_with_growing_delays_and_at_once_on_another_interface() {
        let mut history = LinkHistory::default();
        let mut now = Instant::now();
        assert!(history.may_attach(7, now));
        for delay in [1, 2, 4, 8, 16, 32, 60, 60] {
            history.note_failure(7, now);
            let due = now + Duration::from_secs(delay);
            assert!(
                !history.may_attach(7, now + Duration::from_secs(delay - 1)),
                "{delay}"
            );
            assert!(history.may_attach(7, due), "{delay}");
            assert!(history.may_attach(8, now), "another interface of the same name");
            now = due;
        }
        history.note_running(now);
        history.note_failure(7, now);
        assert!(history.may_attach(7, now + Duration::from_secs(1)));
    }
}
