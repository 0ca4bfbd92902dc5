//! The tables of the history.

use crate::store::{
    database::Database,
    sqlite::{disposable::Disposable, formats::Formats},
};

/// The history.
pub(super) const ACTIVITY: Disposable = Disposable {
    database: Database::Activity,
    formats: Formats {
        application: u32::from_be_bytes(*b"O25a"),
        each: &[FIRST],
    },
};

/// Times are Unix seconds; those of a row of `activity` are relative to its start, as small numbers take few bytes. Subscribers
/// are as in `key.rs`.
///
/// Rows are appended: the newest bucket comes last, and the oldest is the first to be removed.
const FIRST: &str = "
    CREATE TABLE activity (
        start INTEGER NOT NULL,
        subscriber BLOB NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        blocked_syns INTEGER NOT NULL,
        blocked_others INTEGER NOT NULL,
        monitored_syns INTEGER NOT NULL,
        monitored_others INTEGER NOT NULL,
        hidden INTEGER NOT NULL,
        destinations INTEGER NOT NULL,
        PRIMARY KEY (start, subscriber)
    ) STRICT, WITHOUT ROWID;

    -- The starts in `activity`, with the first and the last second of their rows, how many there are, and the length of the
    -- shortest IPv6 prefix among them.
    CREATE TABLE buckets (
        start INTEGER PRIMARY KEY,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        subscribers INTEGER NOT NULL,
        ipv6_prefix INTEGER NOT NULL
    ) STRICT;

    -- What the kernel's record of each subscriber had counted when its last bucket was written.
    CREATE TABLE baseline (
        subscriber BLOB PRIMARY KEY,
        first_seen INTEGER NOT NULL,
        blocked_syns INTEGER NOT NULL,
        blocked_others INTEGER NOT NULL,
        monitored_syns INTEGER NOT NULL,
        monitored_others INTEGER NOT NULL,
        hidden INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- The boot of which the baseline is, whether it is complete, and up to when the kernel was read: as it notes times in records, and
    -- by the clock.
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 0),
        boot TEXT NOT NULL,
        is_complete INTEGER NOT NULL,
        noted_until INTEGER NOT NULL,
        read_until INTEGER NOT NULL
    ) STRICT;
";
