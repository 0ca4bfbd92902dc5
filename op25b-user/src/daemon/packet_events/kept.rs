//! The newest events, by their numbers.

use std::{collections::VecDeque, sync::Arc};

use jiff::Timestamp;

use crate::report::Event;

/// The most events that are kept.
pub(super) const MOST: usize = 10_000;

/// The newest events, the oldest first. Their numbers ascend; those of events that were forgotten are missing.
pub(super) struct Kept {
    events: VecDeque<Arc<Event>>,
    /// The number before the first one of this daemon.
    begin: u64,
    /// That of the last one that made room for others.
    dropped: u64,
    /// That of the newest one.
    last: u64,
}

/// Events that were taken from those that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::daemon) struct Taken {
    /// The events, the oldest first.
    pub(in crate::daemon) events: Vec<Arc<Event>>,
    /// How many that would have followed are not kept any more, whatever they were.
    pub(in crate::daemon) missed: u64,
    /// The number after which to go on.
    pub(in crate::daemon) next: u64,
}

impl Kept {
    /// None so far; the first one gets the number after this.
    pub(super) fn new(begin: u64) -> Self {
        Self {
            events: VecDeque::new(),
            begin,
            dropped: begin,
            last: begin,
        }
    }

    /// The number of the newest event, or before the first one.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Adds events with ascending numbers.
    pub(super) fn add(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            if self.events.len() == MOST
                && let Some(oldest) = self.events.pop_front()
            {
                self.dropped = oldest.sequence;
            }
            self.last = event.sequence;
            self.events.push_back(Arc::new(event));
        }
    }

    /// The first events after a number that match, at most so many.
    pub(super) fn after(&self, after: u64, most: usize, matches: impl Fn(&Event) -> bool) -> Taken {
        // A number that this daemon has not given is of another one: what this one has is all new.
        let after = if (self.begin..=self.last).contains(&after) {
            after
        } else {
            self.begin
        };
        let first = self.events.partition_point(|event| event.sequence <= after);
        let mut events = Vec::new();
        let mut next = self.last;
        for event in self.events.iter().skip(first).filter(|event| matches(event)) {
            if events.len() == most {
                next = events.last().map_or(after, |event: &Arc<Event>| event.sequence);
                break;
            }
            events.push(Arc::clone(event));
        }
        Taken {
            events,
            missed: self.dropped.saturating_sub(after),
            next,
        }
    }

    /// The newest events that match, at most so many.
    pub(super) fn newest(&self, most: usize, matches: impl Fn(&Event) -> bool) -> Taken {
        let newest = self.events.iter().rev().filter(|event| matches(event));
        let mut events: Vec<_> = newest.take(most).cloned().collect();
        events.reverse();
        Taken {
            events,
            missed: 0,
            next: self.last,
        }
    }

    /// Removes events; returns how many.
    pub(super) fn remove(&mut self, mut which: impl FnMut(&Event) -> bool) -> usize {
        let before = self.events.len();
        self.events.retain(|event| !which(event));
        before - self.events.len()
    }

    /// Removes those from before an instant.
    pub(super) fn expire(&mut self, before: Timestamp) {
        while self.events.front().is_some_and(|event| event.time < before) {
            self.events.pop_front();
        }
    }
}
