//! The subscribers' records of the filter that runs, for the thread that records the history.
//!
//! While a filter replaces another, records may be moved from one map to another, and what is read of them is not to be used.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tracing::warn;

use crate::datapath::{Filter, RecentRecords};

/// The records of the filter that runs. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct LiveRecords(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Odd while records are moved.
    changes: AtomicU64,
    /// Those of a filter that the thread has not taken yet.
    new: Mutex<Option<RecentRecords>>,
}

/// A replacement that is under way. It ends when this is dropped.
pub(super) struct Change<'a>(&'a Shared);

/// The state of the records at a moment: whether they were moved since then can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Still(u64);

impl LiveRecords {
    /// Begins a replacement.
    pub(super) fn change(&self) -> Change<'_> {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
        Change(&self.0)
    }

    /// The records of another filter than the one before, if there is one.
    pub(crate) fn take(&self) -> Option<RecentRecords> {
        self.0.new.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Notes the state of the records before they are read; `None` while they are moved.
    pub(crate) fn still(&self) -> Option<Still> {
        let changes = self.0.changes.load(Ordering::Acquire);
        changes.is_multiple_of(2).then_some(Still(changes))
    }
}

impl Change<'_> {
    /// The replacement is done: the records are those of this filter.
    pub(super) fn to(self, filter: Option<&mut Filter>) {
        let records = match filter.map(|filter| filter.recent_records()).transpose() {
            Ok(records) => records,
            Err(error) => {
                warn!(
                    "the history is not recorded until the next reload: {:#}",
                    anyhow::Error::from(error)
                );
                None
            }
        };
        *self.0.new.lock().unwrap_or_else(PoisonError::into_inner) = records;
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_while_records_are_moved_is_not_of_the_same_state() {
        let records = LiveRecords::default();
        let before = records.still();
        assert!(before.is_some() && records.still() == before);
        let change = records.change();
        assert_eq!(records.still(), None);
        drop(change);
        assert_ne!(records.still(), before);
    }
}
