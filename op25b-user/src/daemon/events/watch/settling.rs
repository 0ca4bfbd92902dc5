//! Decides when changed files are complete: when nothing more happens to them, and no process that has written to one has it open.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// A change is complete when nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(200);
/// The longest wait for quiet.
const LONGEST: Duration = Duration::from_secs(2);
/// How often the files are read without any event, as a file system such as NFS reports none for what other hosts do.
const NET: Duration = Duration::from_secs(30);

/// What happened to a file or on the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// The path may name another file than before.
    Replaced,
    /// A process writes to the file, and has it open.
    Written,
    /// A process that had the file open for writing has closed it.
    Closed,
    /// There may have been events that nobody has read: before the watch, or more than the kernel keeps.
    Unknown,
}

/// The state of files that may be about to change.
#[derive(Debug)]
pub(super) struct Settling {
    /// When the first and the last change happened that are not reported yet.
    changed: Option<(Instant, Instant)>,
    /// The files that a process has written to and not closed, by their indices.
    open: BTreeSet<usize>,
    /// When the files are read without an event.
    net_at: Instant,
}

impl Settling {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            changed: None,
            open: BTreeSet::new(),
            net_at: now + NET,
        }
    }

    /// Notes what happened to files.
    pub(super) fn note(&mut self, files: &BTreeSet<usize>, happening: Happening, now: Instant) {
        let was_open = !self.open.is_empty();
        match happening {
            Happening::Written => self.open.extend(files),
            Happening::Replaced | Happening::Closed => self.open.retain(|file| !files.contains(file)),
            Happening::Unknown => self.open.clear(),
        }
        let first = match self.changed {
            // The wait for quiet begins when the file is closed.
            Some((first, _)) if !was_open => first,
            _ => now,
        };
        self.changed = Some((first, now));
    }

    /// When the files are to be read next, unless something happens before.
    pub(super) fn next(&self) -> Instant {
        match self.changed {
            Some((first, last)) if self.open.is_empty() => {
                (last + QUIET).min(first + LONGEST).min(self.net_at)
            }
            _ => self.net_at,
        }
    }

    /// Whether the files are to be read now; if so, what happened is forgotten.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        if now < self.next() {
            return false;
        }
        self.net_at = now + NET;
        if !self.open.is_empty() {
            return false;
        }
        self.changed = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    fn one() -> BTreeSet<usize> {
        BTreeSet::from([0])
    }

    #[test]
    fn a_change_is_reported_once_nothing_more_happens() {
        let start = Instant::now();
        let mut settling = Settling::new(start);
        settling.note(&one(), Happening::Replaced, start);
        settling.note(&one(), Happening::Replaced, after(start, 150));
        assert!(!settling.is_due(after(start, 349)));
        assert!(settling.is_due(after(start, 350)));
        assert!(!settling.is_due(after(start, 5000)));
    }

    #[test]
    fn a_file_to_which_something_happens_all_the_time_is_read_after_two_seconds() {
        let start = Instant::now();
        let mut settling = Settling::new(start);
        for at in (0..2000).step_by(100) {
            settling.note(&one(), Happening::Closed, after(start, at));
            assert!(!settling.is_due(after(start, at)));
        }
        assert!(settling.is_due(after(start, 2000)));
    }

    #[test]
    fn a_file_that_is_being_written_is_not_read_before_it_is_closed() {
        let start = Instant::now();
        let mut settling = Settling::new(start);
        settling.note(&one(), Happening::Replaced, start);
        settling.note(&one(), Happening::Written, start);
        for at in [1000, 10_000, 31_000, 62_000, 100_000] {
            assert!(!settling.is_due(after(start, at)), "{at}");
        }
        settling.note(&one(), Happening::Closed, after(start, 100_000));
        assert!(!settling.is_due(after(start, 100_199)));
        assert!(settling.is_due(after(start, 100_200)));
    }

    #[test]
    fn without_any_event_the_file_is_read_every_thirty_seconds() {
        let start = Instant::now();
        let mut settling = Settling::new(start);
        assert!(!settling.is_due(after(start, 29_999)));
        assert!(settling.is_due(after(start, 30_000)));
        assert!(!settling.is_due(after(start, 59_999)));
        assert!(settling.is_due(after(start, 60_000)));
    }

    #[test]
    fn after_lost_events_the_file_counts_as_closed() {
        let start = Instant::now();
        let mut settling = Settling::new(start);
        settling.note(&one(), Happening::Written, start);
        settling.note(&one(), Happening::Unknown, after(start, 10));
        assert!(settling.is_due(after(start, 210)));
    }

    #[test]
    fn of_several_files_none_may_be_open() {
        let start = Instant::now();
        let mut settling = Settling::new(start);
        let (policy, list) = (BTreeSet::from([0]), BTreeSet::from([1]));
        settling.note(&list, Happening::Written, start);
        settling.note(&policy, Happening::Replaced, after(start, 10));
        settling.note(&policy, Happening::Closed, after(start, 20));
        assert!(!settling.is_due(after(start, 5000)));
        settling.note(&list, Happening::Closed, after(start, 6000));
        assert!(settling.is_due(after(start, 6200)));
    }
}
