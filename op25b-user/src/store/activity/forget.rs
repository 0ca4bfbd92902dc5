//! Removes from the history what is to be forgotten, and what is recorded for less long than the buckets are kept.

use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::{ActivityStore, baseline, key, read::ceiling};
use crate::store::{Deleted, StoreError, sqlite::disposable};

/// How many baselines are looked at before what is to go of them is removed.
const CHUNK: usize = 4096;

/// What is forgotten of the subscribers that have an address in a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forget {
    /// The prefix.
    pub within: IpNet,
    /// Which of their buckets.
    pub which: Which,
}

/// Which buckets are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Those whose last packet came before a time.
    Before(Timestamp),
    /// Those that have a part of a time; without an end, of all that comes after its beginning.
    During(Timestamp, Option<Timestamp>),
}

/// What is counted of packets, by what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They were blocked.
    Blocked,
    /// They would have been, were the pool enforced.
    Monitored,
}

impl Forget {
    /// Whether a subscriber has an address in the prefix.
    #[must_use]
    pub fn is_about(&self, subscriber: IpNet) -> bool {
        self.within.contains(&subscriber) || subscriber.contains(&self.within)
    }
}

impl Kind {
    /// With what its columns begin.
    const fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Monitored => "monitored",
        }
    }
}

impl Which {
    /// Whether what was done from a first to a last packet is among it.
    #[must_use]
    pub fn has(self, first: Timestamp, last: Timestamp) -> bool {
        let (before, from, to) = self.seconds();
        let (first, last) = (first.as_second(), last.as_second());
        last < before && last >= from && first <= to
    }

    /// In seconds: before which the last packet came, at which it came at the earliest, and at which the first came at the latest.
    fn seconds(self) -> (i64, i64, i64) {
        match self {
            Self::All => (i64::MAX, i64::MIN, i64::MAX),
            Self::Before(before) => (ceiling(before), i64::MIN, i64::MAX),
            Self::During(from, to) => (
                i64::MAX,
                from.as_second(),
                to.map_or(i64::MAX, Timestamp::as_second),
            ),
        }
    }
}

impl ActivityStore {
    /// Removes buckets. No byte of them is left, but in the log as long as somebody reads it.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is changed then, or what is removed is still in the log.
    pub fn forget(&mut self, forget: &[Forget]) -> Result<Deleted, StoreError> {
        let rows = self.in_transaction(|transaction| {
            let rows = forget.iter().map(|forget| remove(transaction, forget));
            rows.sum::<rusqlite::Result<u64>>()
        })?;
        self.deleted(rows)
    }

    /// Forgets what records had counted that the kernel does not have any more. `are_gone` says that of some subscribers at a time, each
    /// with when its record began; `None` if it cannot.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; some may be forgotten then.
    pub fn prune(
        &mut self,
        mut are_gone: impl FnMut(&[(IpNet, u32)]) -> Option<Vec<bool>>,
    ) -> Result<u64, StoreError> {
        let mut pruned = 0;
        let mut last = Vec::new();
        loop {
            let chunk = baseline::after(&self.connection, &last, CHUNK).map_err(self.error())?;
            let Some((key, _)) = chunk.last() else { break };
            last.clone_from(key);
            let known: Vec<_> = chunk
                .iter()
                .filter_map(|(key, began)| Some((key::subscriber(key)?, *began)))
                .collect();
            let Some(gone) = are_gone(&known) else { break };
            let gone: Vec<_> = known.iter().zip(gone).filter(|(_, gone)| *gone).collect();
            self.in_transaction(|transaction| {
                gone.iter()
                    .try_for_each(|((subscriber, _), _)| baseline::remove(transaction, &key::of(*subscriber)))
            })?;
            pruned += gone.len() as u64;
        }
        if pruned > 0 {
            self.deleted(pruned)?;
        }
        Ok(pruned)
    }

    /// Removes what was counted of a kind in packets before a time, and rows in which nothing else was. Returns how many rows that
    /// concerns.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; some may have been removed then.
    pub fn expire(&mut self, kind: Kind, before: Timestamp) -> Result<u64, StoreError> {
        let before = before.as_second();
        let mut expired = 0;
        loop {
            let done = self.expired.filter(|(of, _)| *of == kind).map(|(_, start)| start);
            let Some((start, last)) = self.bucket_after(done, before)? else {
                break;
            };
            expired += self.in_transaction(|transaction| expire(transaction, start, kind, before))?;
            if last >= before {
                // The rest of it comes later.
                break;
            }
            self.expired = Some((kind, start));
        }
        Ok(expired)
    }

    /// The first bucket after another one that has a packet from before a time, and its last packet.
    fn bucket_after(&self, start: Option<i64>, before: i64) -> Result<Option<(i64, i64)>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT start, last FROM buckets WHERE start > ? AND first < ? ORDER BY start LIMIT 1",
            )?;
            let mut rows = statement.query(params![start.unwrap_or(i64::MIN), before])?;
            let row = rows.next()?;
            row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
        };
        read().map_err(self.error())
    }

    /// Empties the log of what was removed.
    fn deleted(&self, rows: u64) -> Result<Deleted, StoreError> {
        let is_empty = disposable::empty_log(&self.connection).map_err(self.error())?;
        Ok(Deleted {
            rows,
            is_in_log: !is_empty,
        })
    }
}

/// Removes the rows of subscribers that overlap a prefix.
fn remove(transaction: &Transaction<'_>, forget: &Forget) -> rusqlite::Result<u64> {
    let within = forget.within;
    let (before, from, to) = forget.which.seconds();
    let starts: Vec<(i64, u8)> = transaction
        .prepare_cached("SELECT start, ipv6_prefix FROM buckets WHERE last >= ? AND first <= ?")?
        .query_map([from, to], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut removed = 0;
    for (start, shortest) in starts {
        let (first, last) = key::bounds(within, shortest);
        let keys: Vec<Vec<u8>> = transaction
            .prepare_cached(
                "SELECT subscriber FROM activity WHERE start = ?1 AND subscriber BETWEEN ?2 AND ?3 \
                     AND start + last < ?4 AND start + last >= ?5 AND start + first <= ?6",
            )?
            .query_map(params![start, first, last, before, from, to], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let is_about =
            |key: &&Vec<u8>| key::subscriber(key).is_none_or(|subscriber| forget.is_about(subscriber));
        let mut rows = 0;
        for key in keys.iter().filter(is_about) {
            rows += transaction
                .prepare_cached("DELETE FROM activity WHERE start = ? AND subscriber = ?")?
                .execute(params![start, key])? as u64;
        }
        take_rows(transaction, start, rows)?;
        removed += rows;
    }
    Ok(removed)
}

/// Removes from a bucket what was counted of a kind before a time.
fn expire(transaction: &Transaction<'_>, start: i64, kind: Kind, before: i64) -> rusqlite::Result<u64> {
    let kind = kind.name();
    let erased = transaction
        .prepare_cached(&format!(
            "UPDATE activity SET {kind}_syns = 0, {kind}_others = 0 \
             WHERE start = ? AND start + last < ? AND ({kind}_syns > 0 OR {kind}_others > 0)"
        ))?
        .execute([start, before])? as u64;
    let rows = transaction
        .prepare_cached(
            "DELETE FROM activity WHERE start = ? AND start + last < ? \
                 AND blocked_syns = 0 AND blocked_others = 0 AND monitored_syns = 0 AND monitored_others = 0",
        )?
        .execute([start, before])? as u64;
    take_rows(transaction, start, rows)?;
    Ok(rows.max(erased))
}

/// Notes that a bucket has fewer rows.
fn take_rows(connection: &Connection, start: i64, rows: u64) -> rusqlite::Result<()> {
    if rows > 0 {
        connection
            .prepare_cached("UPDATE buckets SET subscribers = subscribers - ?2 WHERE start = ?1")?
            .execute(params![start, rows])?;
        connection
            .prepare_cached("DELETE FROM buckets WHERE start = ? AND subscribers = 0")?
            .execute([start])?;
    }
    Ok(())
}
