//! The queue of idle connections: when all connection slots are taken, the one that has been idle longest is evicted.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// The connections that wait for their clients, the longest wait first.
#[derive(Default)]
pub(super) struct EvictionQueue {
    queue: Mutex<Queue>,
    /// Notified whenever a connection enters.
    pub(super) grew: Notify,
    /// Notified whenever an evicted connection does not close, as its request had arrived before.
    pub(super) kept: Notify,
}

#[derive(Default)]
struct Queue {
    /// Ascends, so that the first entry is the oldest.
    next: u64,
    entries: BTreeMap<u64, Arc<Notify>>,
}

/// An entry of the queue; dropping it removes it.
pub(super) struct QueueEntry {
    queue: Arc<EvictionQueue>,
    number: u64,
}

impl EvictionQueue {
    /// Enters a connection as idle from now on; `evicted` is notified if it has to close.
    pub(super) fn enter(self: &Arc<Self>, evicted: &Arc<Notify>) -> QueueEntry {
        let mut queue = locked(&self.queue);
        let number = queue.next;
        queue.next += 1;
        queue.entries.insert(number, Arc::clone(evicted));
        self.grew.notify_one();
        QueueEntry {
            queue: Arc::clone(self),
            number,
        }
    }

    /// Evicts the connection that has been idle longest; returns whether there is one.
    pub(super) fn evict_oldest(&self) -> bool {
        let oldest = locked(&self.queue).entries.pop_first();
        if let Some((_, evicted)) = &oldest {
            evicted.notify_one();
        }
        oldest.is_some()
    }
}

impl Drop for QueueEntry {
    fn drop(&mut self) {
        locked(&self.queue.queue).entries.remove(&self.number);
    }
}

/// Locks a mutex. What it guards here is valid after a panic, too.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
