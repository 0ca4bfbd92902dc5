//! The newest events, shared by the thread that reads them from the kernel and by those who wait for them.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::kept::{Kept, Taken};
use crate::report::{Event, EventQuery};

/// The newest events. Clones share them.
#[derive(Clone)]
pub(in crate::daemon) struct Hub(Arc<Shared>);

struct Shared {
    kept: Mutex<Kept>,
    /// The number of the newest event: whoever waits is woken when it changes.
    last: watch::Sender<u64>,
}

/// A reader of the events to come. It holds none: one that is slow misses the oldest, and learns how many.
pub(in crate::daemon) struct Subscription {
    hub: Hub,
    /// The number of the last event that was looked at.
    after: u64,
    /// What was found, or missed, and not taken yet.
    taken: Taken,
    last: watch::Receiver<u64>,
}

impl Default for Hub {
    /// Without events. The first number is the time of day in microseconds, so that the numbers of the next daemon are greater.
    fn default() -> Self {
        let begin = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        Self(Arc::new(Shared {
            kept: Mutex::new(Kept::new(begin)),
            last: watch::Sender::new(begin),
        }))
    }
}

impl Hub {
    /// Adds events with ascending numbers, the first of which is greater than [`Self::last`], and wakes who waits.
    pub(in crate::daemon) fn add(&self, events: impl IntoIterator<Item = Event>) {
        let last = {
            let mut kept = self.kept();
            kept.add(events);
            kept.last()
        };
        self.0.last.send_replace(last);
    }

    /// The number of the newest event, or before the first one.
    pub(in crate::daemon) fn last(&self) -> u64 {
        *self.0.last.borrow()
    }

    /// The newest events that match, at most so many.
    pub(in crate::daemon) fn newest(&self, query: &EventQuery, most: usize) -> Taken {
        self.kept().newest(most, |event| query.matches(event))
    }

    /// A reader of the events after a number.
    pub(in crate::daemon) fn subscribe_after(&self, after: u64) -> Subscription {
        Subscription {
            hub: self.clone(),
            after,
            taken: Taken::default(),
            last: self.0.last.subscribe(),
        }
    }

    /// Removes events that are to be forgotten; returns how many.
    pub(in crate::daemon) fn forget(&self, which: impl FnMut(&Event) -> bool) -> usize {
        self.kept().remove(which)
    }

    /// Removes those from before an instant.
    pub(super) fn expire(&self, before: Timestamp) {
        self.kept().expire(before);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// Waits until there are events that match, and takes at most so many. Each event is taken once, and nothing is lost if the
    /// future is dropped before it is ready.
    pub(in crate::daemon) async fn next(&mut self, query: &EventQuery, most: usize) -> Taken {
        loop {
            // Before the look: what comes after it wakes.
            self.last.borrow_and_update();
            self.look(query, most);
            if !self.taken.events.is_empty() {
                return mem::take(&mut self.taken);
            }
            if self.last.changed().await.is_err() {
                // The hub, which this holds, has the sender.
                return self.now(query, most);
            }
        }
    }

    /// Takes at most so many events of those that are there.
    pub(in crate::daemon) fn now(&mut self, query: &EventQuery, most: usize) -> Taken {
        self.look(query, most);
        mem::take(&mut self.taken)
    }

    /// Looks for events after those that were looked at before.
    fn look(&mut self, query: &EventQuery, most: usize) {
        let found = self
            .hub
            .kept()
            .after(self.after, most, |event| query.matches(event));
        self.after = found.next;
        self.taken = Taken {
            missed: self.taken.missed + found.missed,
            ..found
        };
    }
}
