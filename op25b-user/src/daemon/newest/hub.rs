//! The newest items, shared by the thread that adds them and by those who wait for them.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::{
    Numbered,
    kept::{Kept, Taken},
};

/// The newest items. Clones share them.
pub(in crate::daemon) struct Hub<T>(Arc<Shared<T>>);

struct Shared<T> {
    kept: Mutex<Kept<T>>,
    /// The number of the newest item: whoever waits is woken when it changes.
    last: watch::Sender<u64>,
}

/// A reader of the items to come. It holds none: one that is slow misses the oldest, and learns how many.
pub(in crate::daemon) struct Subscription<T> {
    hub: Hub<T>,
    /// The number of the last item that was looked at.
    after: u64,
    /// What was found, or missed, and not taken yet.
    taken: Taken<T>,
    last: watch::Receiver<u64>,
}

impl<T> Clone for Hub<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Numbered> Default for Hub<T> {
    /// Without items. The first number is the time of day in microseconds, so that the numbers of the next daemon are greater.
    fn default() -> Self {
        let begin = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        Self(Arc::new(Shared {
            kept: Mutex::new(Kept::new(begin)),
            last: watch::Sender::new(begin),
        }))
    }
}

impl<T: Numbered> Hub<T> {
    /// Adds items with ascending numbers, the first of which is greater than [`Self::last`], and wakes who waits.
    pub(in crate::daemon) fn add(&self, items: impl IntoIterator<Item = T>) {
        let last = {
            let mut kept = self.kept();
            kept.add(items);
            kept.last()
        };
        self.0.last.send_replace(last);
    }

    /// The number of the newest item, or before the first one.
    pub(in crate::daemon) fn last(&self) -> u64 {
        *self.0.last.borrow()
    }

    /// The newest items that match, at most so many.
    pub(in crate::daemon) fn newest(&self, matches: impl Fn(&T) -> bool, most: usize) -> Taken<T> {
        self.kept().newest(most, matches)
    }

    /// A reader of the items after a number.
    pub(in crate::daemon) fn subscribe_after(&self, after: u64) -> Subscription<T> {
        Subscription {
            hub: self.clone(),
            after,
            taken: Taken::default(),
            last: self.0.last.subscribe(),
        }
    }

    /// Removes items that are to be forgotten; returns how many.
    pub(in crate::daemon) fn forget(&self, which: impl FnMut(&T) -> bool) -> usize {
        self.kept().remove(which)
    }

    /// Removes those that are older than this; without a time none.
    pub(in crate::daemon) fn keep_for(&self, kept: Option<SignedDuration>) {
        if let Some(oldest) = kept.and_then(|kept| Timestamp::now().checked_sub(kept).ok()) {
            self.expire(oldest);
        }
    }

    /// Removes those from before an instant.
    pub(super) fn expire(&self, before: Timestamp) {
        self.kept().expire(before);
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Numbered> Subscription<T> {
    /// Waits until there are items that match, and takes at most so many. Each item is taken once, and nothing is lost if the
    /// future is dropped before it is ready.
    pub(in crate::daemon) async fn next(&mut self, matches: impl Fn(&T) -> bool, most: usize) -> Taken<T> {
        loop {
            // Before the look: what comes after it wakes.
            self.last.borrow_and_update();
            self.look(&matches, most);
            if !self.taken.items.is_empty() {
                return mem::take(&mut self.taken);
            }
            if self.last.changed().await.is_err() {
                // The hub, which this holds, has the sender.
                return self.now(matches, most);
            }
        }
    }

    /// Takes at most so many items of those that are there.
    pub(in crate::daemon) fn now(&mut self, matches: impl Fn(&T) -> bool, most: usize) -> Taken<T> {
        self.look(matches, most);
        mem::take(&mut self.taken)
    }

    /// Looks for items after those that were looked at before.
    fn look(&mut self, matches: impl Fn(&T) -> bool, most: usize) {
        let found = self.hub.kept().after(self.after, most, matches);
        self.after = found.next;
        self.taken = Taken {
            missed: self.taken.missed + found.missed,
            ..found
        };
    }
}
