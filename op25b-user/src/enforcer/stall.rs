//! Calls of the store that have not returned in time, because a disk does not answer.
//!
//! Nothing ends such a call: its thread waits in the kernel. While there is one, no other is begun; when the last has returned, what
//! it did is known.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Instant,
};

/// The calls that have not returned.
#[derive(Default)]
pub(super) struct Stalls(Vec<Stall>);

struct Stall {
    since: Instant,
    has_returned: Box<dyn Fn() -> bool + Send>,
}

impl Stalls {
    /// Notes a call that has not returned in time.
    pub(super) fn note(&mut self, has_returned: impl Fn() -> bool + Send + 'static) {
        self.0.push(Stall {
            since: Instant::now(),
            has_returned: Box::new(has_returned),
        });
    }

    /// Since when the disk does not answer; `None` if it does.
    pub(super) fn since(&self) -> Option<Instant> {
        self.0.iter().map(|stall| stall.since).min()
    }

    /// Forgets the calls that have returned; whether those were the last.
    pub(super) fn settle(&mut self) -> bool {
        let before = self.0.len();
        self.0.retain(|stall| !(stall.has_returned)());
        before > 0 && self.0.is_empty()
    }
}

/// Whether a call of the store has its turn: one that has not begun when its time is over never does.
#[derive(Clone, Debug, Default)]
pub(super) struct Turn(Arc<AtomicU8>);

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const CANCELLED: u8 = 2;

impl Turn {
    /// Begins, unless it was cancelled.
    pub(super) fn begin(&self) -> bool {
        self.leave_waiting(BEGUN)
    }

    /// Cancels it, unless it has begun.
    pub(super) fn cancel(&self) -> bool {
        self.leave_waiting(CANCELLED)
    }

    fn leave_waiting(&self, next: u8) -> bool {
        let left = self
            .0
            .compare_exchange(WAITING, next, Ordering::AcqRel, Ordering::Acquire);
        left.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn a_call_begins_or_is_cancelled_but_not_both() {
        let turn = Turn::default();
        assert!(turn.begin() && !turn.cancel());
        let turn = Turn::default();
        assert!(turn.clone().cancel() && !turn.begin());
    }

    #[test]
    fn the_disk_answers_again_when_the_last_call_has_returned() {
        let mut stalls = Stalls::default();
        assert!(!stalls.settle(), "nothing was late");
        let returned = [false, false].map(|value| Arc::new(AtomicBool::new(value)));
        for call in &returned {
            let call = Arc::clone(call);
            stalls.note(move || call.load(Ordering::Relaxed));
        }
        returned[0].store(true, Ordering::Relaxed);
        assert!(!stalls.settle());
        assert!(stalls.since().is_some());
        returned[1].store(true, Ordering::Relaxed);
        assert!(stalls.settle());
        assert_eq!(stalls.since(), None);
        assert!(!stalls.settle());
    }
}
