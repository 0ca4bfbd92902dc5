//! The newest items, by their numbers.

use std::{collections::VecDeque, sync::Arc};

use jiff::Timestamp;

use super::Numbered;

/// The most items that are kept.
pub(super) const MOST: usize = 10_000;

/// The newest items, the oldest first. Their numbers ascend; those of items that were forgotten are missing.
pub(super) struct Kept<T> {
    items: VecDeque<Arc<T>>,
    /// The number before the first one of this daemon.
    begin: u64,
    /// That of the last one that made room for others.
    dropped: u64,
    /// That of the newest one.
    last: u64,
}

/// Items that were taken from those that are kept.
#[derive(Debug)]
pub(in crate::daemon) struct Taken<T> {
    /// The items, the oldest first.
    pub(in crate::daemon) items: Vec<Arc<T>>,
    /// How many that would have followed are not kept any more, whatever they were.
    pub(in crate::daemon) missed: u64,
    /// The number after which to go on.
    pub(in crate::daemon) next: u64,
}

impl<T> Default for Taken<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            missed: 0,
            next: 0,
        }
    }
}

impl<T: Numbered> Kept<T> {
    /// None so far; the first one gets the number after this.
    pub(super) fn new(begin: u64) -> Self {
        Self {
            items: VecDeque::new(),
            begin,
            dropped: begin,
            last: begin,
        }
    }

    /// The number of the newest item, or before the first one.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Adds items with ascending numbers.
    pub(super) fn add(&mut self, items: impl IntoIterator<Item = T>) {
        for item in items {
            if self.items.len() == MOST
                && let Some(oldest) = self.items.pop_front()
            {
                self.dropped = oldest.sequence();
            }
            self.last = item.sequence();
            self.items.push_back(Arc::new(item));
        }
    }

    /// The first items after a number that match, at most so many.
    pub(super) fn after(&self, after: u64, most: usize, matches: impl Fn(&T) -> bool) -> Taken<T> {
        // A number that this daemon has not given is of another one: what this one has is all new.
        let after = if (self.begin..=self.last).contains(&after) {
            after
        } else {
            self.begin
        };
        let first = self.items.partition_point(|item| item.sequence() <= after);
        let mut items = Vec::new();
        let mut next = self.last;
        for item in self.items.iter().skip(first).filter(|item| matches(item)) {
            if items.len() == most {
                next = items.last().map_or(after, |item: &Arc<T>| item.sequence());
                break;
            }
            items.push(Arc::clone(item));
        }
        Taken {
            items,
            missed: self.dropped.saturating_sub(after),
            next,
        }
    }

    /// The newest items that match, at most so many.
    pub(super) fn newest(&self, most: usize, matches: impl Fn(&T) -> bool) -> Taken<T> {
        let newest = self.items.iter().rev().filter(|item| matches(item));
        let mut items: Vec<_> = newest.take(most).cloned().collect();
        items.reverse();
        Taken {
            items,
            missed: 0,
            next: self.last,
        }
    }

    /// Removes items; returns how many.
    pub(super) fn remove(&mut self, mut which: impl FnMut(&T) -> bool) -> usize {
        let before = self.items.len();
        self.items.retain(|item| !which(item));
        before - self.items.len()
    }

    /// Removes those from before an instant.
    pub(super) fn expire(&mut self, before: Timestamp) {
        while self.items.front().is_some_and(|item| item.time() < before) {
            self.items.pop_front();
        }
    }
}
