//! The sessions of one prefix in the order of their start, searched by time.

/// A session of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<C> {
    pub(crate) start: i64,
    /// The last second in which it is known to have lasted.
    pub(crate) seen: i64,
    /// The greatest `seen` of it and those before it.
    greatest_seen: i64,
    pub(crate) customer: C,
}

impl<C: Copy> Entry<C> {
    /// The session that follows those of a prefix.
    pub(crate) fn after(before: &[Self], start: i64, seen: i64, customer: C) -> Self {
        Self {
            start,
            seen,
            greatest_seen: greatest_seen(before).map_or(seen, |greatest| greatest.max(seen)),
            customer,
        }
    }
}

/// The last second that a session of a prefix reaches.
pub(crate) fn greatest_seen<C>(entries: &[Entry<C>]) -> Option<i64> {
    entries.last().map(|last| last.greatest_seen)
}

/// Those that overlap a time, both ends included, the last first.
pub(crate) fn overlapping<C>(entries: &[Entry<C>], first: i64, last: i64) -> impl Iterator<Item = &Entry<C>> {
    let begun = entries.partition_point(|entry| entry.start <= last);
    entries[..begun]
        .iter()
        .rev()
        .take_while(move |entry| entry.greatest_seen >= first)
        .filter(move |entry| entry.seen >= first)
}
