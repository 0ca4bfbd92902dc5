//! What the thread that records the history shows to the daemon, which never waits for it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    fault::{FaultKind, Faults},
    policy::Policy,
    store::activity::Kept,
};

/// A step that takes longer than this is a fault.
const SLOW: Duration = Duration::from_secs(30);

/// What is shown. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Mutex<Shown>>);

#[derive(Default)]
struct Shown {
    /// Since when the thread is at work.
    busy_since: Option<Instant>,
    /// Why the last step failed.
    trouble: Option<String>,
    kept: Option<Kept>,
    is_full: bool,
    /// The policy that is enforced.
    policy: Option<Arc<Policy>>,
    /// A policy, and the subscribers of each of its pools of whom packets were blocked.
    blocked: Option<(Arc<Policy>, Vec<u64>)>,
    /// How many IPv6 subscribers have a record.
    ipv6_records: Option<u64>,
}

impl Progress {
    /// Notes that a step begins.
    pub(super) fn begin(&self) {
        self.lock().busy_since = Some(Instant::now());
    }

    /// Notes that a step has ended.
    pub(super) fn end(&self) {
        self.lock().busy_since = None;
    }

    /// Notes why nothing is recorded, if that is so.
    pub(super) fn note_trouble(&self, trouble: Option<String>) {
        self.lock().trouble = trouble;
    }

    pub(super) fn note_kept(&self, kept: Kept) {
        self.lock().kept = Some(kept);
    }

    /// Notes whether buckets were removed that are not too old.
    pub(super) fn note_room(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    /// How much is kept, if that is known, and whether older buckets had no room.
    pub(super) fn kept(&self) -> Option<(Kept, bool)> {
        let shown = self.lock();
        shown.kept.map(|kept| (kept, shown.is_full))
    }

    /// Notes which policy is enforced.
    pub(super) fn follow(&self, policy: &Arc<Policy>) {
        self.lock().policy = Some(Arc::clone(policy));
    }

    /// The policy that is enforced.
    pub(super) fn policy(&self) -> Option<Arc<Policy>> {
        self.lock().policy.clone()
    }

    /// Notes of how many subscribers of each pool packets were blocked.
    pub(super) fn note_blocked(&self, policy: Arc<Policy>, counts: Vec<u64>) {
        self.lock().blocked = Some((policy, counts));
    }

    /// The same, when it was noted last.
    pub(super) fn blocked(&self) -> Option<(Arc<Policy>, Vec<u64>)> {
        self.lock().blocked.clone()
    }

    /// Notes how many IPv6 subscribers have a record.
    pub(super) fn note_ipv6_records(&self, records: u64) {
        self.lock().ipv6_records = Some(records);
    }

    /// The same, when it was noted last.
    pub(super) fn ipv6_records(&self) -> Option<u64> {
        self.lock().ipv6_records
    }

    /// Raises the fault that the history is not written, or clears it.
    pub(super) fn report(&self, faults: &Faults) {
        let shown = self.lock();
        let is_slow = shown.busy_since.is_some_and(|since| since.elapsed() > SLOW);
        let why = if is_slow {
            Some("the disk of the state directory does not answer")
        } else {
            shown.trouble.as_deref()
        };
        match why {
            Some(why) => faults.raise(
                FaultKind::HistoryNotRecorded,
                format!(
                    "the history of what subscribers did is not written: {why}; this is retried every minute, and what was counted \
                     meanwhile is then in one bucket"
                ),
            ),
            None => faults.clear(FaultKind::HistoryNotRecorded),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        // Its fields are set one by one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
