//! Which connection has waited longest for its client?

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// The connections that wait for their clients, by how long they do.
#[derive(Default)]
pub(super) struct Waiting {
    line: Mutex<Line>,
    /// Told whenever one comes to wait.
    pub(super) grew: Notify,
}

#[derive(Default)]
struct Line {
    /// Ascends, so that the first of those who wait has waited longest.
    next: u64,
    places: BTreeMap<u64, Arc<Notify>>,
}

/// A place in the line; dropping it leaves the line.
pub(super) struct Place {
    waiting: Arc<Waiting>,
    number: u64,
}

impl Waiting {
    /// Begins to wait; `dismissed` is told if that has to end.
    pub(super) fn enter(self: &Arc<Self>, dismissed: &Arc<Notify>) -> Place {
        let mut line = locked(&self.line);
        let number = line.next;
        line.next += 1;
        line.places.insert(number, Arc::clone(dismissed));
        self.grew.notify_one();
        Place {
            waiting: Arc::clone(self),
            number,
        }
    }

    /// Has the one go that has waited longest.
    pub(super) fn dismiss_longest(&self) {
        if let Some((_, dismissed)) = locked(&self.line).places.pop_first() {
            dismissed.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.waiting.line).places.remove(&self.number);
    }
}

/// A lock; what a panic left behind it is as good as ever.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
