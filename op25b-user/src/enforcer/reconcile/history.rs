//! The history of the interfaces: who interfered with the filter, and when it may be restored next.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The delay before the filter is restored a second time, and the longest delay.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(10));

/// The history of the policy's interfaces, by name.
pub(in crate::enforcer) type LinkHistories = BTreeMap<String, LinkHistory>;

/// The history of one interface.
#[derive(Debug, Default)]
pub(in crate::enforcer) struct LinkHistory {
    /// Whether there is no such interface, which is logged once.
    pub(super) is_missing: bool,
    /// How often another process removed the filter.
    pub(super) interferences: u64,
    interference: Option<Interference>,
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

impl LinkHistory {
    /// Whether the filter may be restored now: at once the first time, with growing delays after that.
    pub(super) fn may_try(&mut self, now: Instant) -> bool {
        let (first, longest) = BACK_OFF;
        match &mut self.interference {
            None => {
                self.interference = Some(Interference {
                    delay: first,
                    next_attempt: now + first,
                    is_lost: true,
                });
                true
            }
            Some(interference) => {
                interference.is_lost = true;
                let may = now >= interference.next_attempt;
                if may {
                    interference.delay = (interference.delay * 2).min(longest);
                    interference.next_attempt = now + interference.delay;
                }
                may
            }
        }
    }

    /// Notes that the filter runs. Once it has run for long enough, earlier interference is forgotten.
    pub(super) fn note_running(&mut self, now: Instant) {
        self.is_missing = false;
        if let Some(interference) = &mut self.interference {
            interference.is_lost = false;
            if now > interference.next_attempt + BACK_OFF.1 {
                self.interference = None;
            }
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
}
