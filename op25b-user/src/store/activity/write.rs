//! Writes the history.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{Counted, Kind, ReadUntil, Reading, baseline, key, read::time, schema::ACTIVITY};
use crate::store::{
    StoreError,
    sqlite::disposable::{self, Opened},
};

/// The history, for the one thread that writes it.
#[derive(Debug)]
pub struct ActivityStore {
    pub(super) connection: Connection,
    file: PathBuf,
    boot: String,
    /// Up to which bucket, and of which kind, what is older than it is kept was removed.
    pub(super) expired: Option<(Kind, i64)>,
}

/// An opened history.
#[derive(Debug)]
pub struct OpenedActivity {
    /// The history.
    pub store: ActivityStore,
    /// Why the history before was thrown away, if it was.
    pub lost: Option<StoreError>,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The oldest bucket begins here; `None` if there is no bucket.
    pub oldest: Option<Timestamp>,
    /// The newest bucket begins here.
    pub newest: Option<Timestamp>,
    /// How many rows the buckets have together, each of one subscriber.
    pub rows: u64,
    /// The size of the file in bytes.
    pub size: u64,
}

/// Whether buckets can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// What records have counted before the first bucket is not known.
    No,
    /// The buckets are of another boot: the records of this one have counted nothing that is in them.
    InAnotherBoot,
    /// They can.
    Yes {
        /// Up to when the kernel was read for what is written, as it notes times in records.
        read_until: u32,
    },
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Rows that were too old.
    pub old: u64,
    /// Rows that had no room.
    pub without_room: u64,
}

/// What a bucket's rows have in common.
struct Extent {
    first: i64,
    last: i64,
    ipv6_prefix: u8,
}

impl ActivityStore {
    /// Opens the history for writing, and begins one if there is none. `boot` is the id of this boot.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the disk does not take it. One that is damaged is replaced instead.
    pub fn open(state_dir: &Path, boot: &str) -> Result<OpenedActivity, StoreError> {
        let Opened { connection, lost } = ACTIVITY.open(state_dir)?;
        let store = Self::of(state_dir, boot, connection);
        Ok(OpenedActivity { store, lost })
    }

    /// Whether there is a history.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the disk does not say.
    pub fn exists(state_dir: &Path) -> Result<bool, StoreError> {
        ACTIVITY.exists(state_dir)
    }

    /// Throws the history away, which no one has open for writing, and begins another one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the disk does not take it.
    pub fn begin_anew(state_dir: &Path, boot: &str) -> Result<Self, StoreError> {
        let connection = ACTIVITY.begin_anew(state_dir)?;
        Ok(Self::of(state_dir, boot, connection))
    }

    fn of(state_dir: &Path, boot: &str, connection: Connection) -> Self {
        Self {
            connection,
            file: ACTIVITY.database.path(state_dir),
            boot: boot.to_owned(),
            expired: None,
        }
    }

    /// Whether buckets can be written, and up to when the kernel was read for those that are.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn begun(&self) -> Result<Begun, StoreError> {
        baseline::begun(&self.connection, &self.boot).map_err(self.error())
    }

    /// Forgets what records had counted. The history goes on with [`Self::learn`] and [`Self::begin`].
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is changed then.
    pub fn pause(&mut self) -> Result<(), StoreError> {
        self.in_transaction(|transaction| baseline::clear(transaction))
    }

    /// Notes that what these records have counted is in no bucket, and will be in none.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is written then.
    pub fn learn(&mut self, records: &[(IpNet, Counted)]) -> Result<(), StoreError> {
        self.in_transaction(|transaction| {
            for (subscriber, counted) in records {
                baseline::set(transaction, &key::of(*subscriber), counted)?;
            }
            Ok(())
        })
    }

    /// Begins: all records of this boot that began before this time were learnt.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is changed then.
    pub fn begin(&mut self, until: ReadUntil) -> Result<(), StoreError> {
        let boot = self.boot.clone();
        self.in_transaction(|transaction| baseline::complete(transaction, &boot, until))
    }

    /// Writes what was read when buckets ended, those of one subscriber in the order of time. Where nothing was counted there is no
    /// bucket.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is written then.
    pub fn write(&mut self, readings: &[Reading], until: ReadUntil) -> Result<(), StoreError> {
        let mut sorted: Vec<_> = readings
            .iter()
            .map(|reading| (key::of(reading.subscriber), reading))
            .collect();
        sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
        // One that was written late is looked at as well.
        let oldest = readings.iter().map(|reading| reading.start.as_second()).min();
        if let (Some((_, expired)), Some(oldest)) = (&mut self.expired, oldest) {
            *expired = (*expired).min(oldest - 1);
        }
        self.in_transaction(|transaction| {
            let mut buckets = BTreeMap::new();
            for (key, reading) in &sorted {
                let before = baseline::get(transaction, key)?;
                let difference = reading.counted.since(before.as_ref());
                // A counter that has stopped hides packets that there were.
                if difference != [0; 5] || reading.counted.has_stopped() {
                    insert(transaction, key, reading, difference)?;
                    note(&mut buckets, reading);
                }
                baseline::set(transaction, key, &reading.counted)?;
            }
            for (start, extent) in buckets {
                upsert_bucket(transaction, start, &extent)?;
            }
            note_read(transaction, until)
        })
    }

    /// Removes buckets whose last packet came before `oldest`, and the oldest ones as long as the file has more than `max_size`
    /// bytes of content.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; some may have been removed then.
    pub fn keep(&mut self, oldest: Timestamp, max_size: u64) -> Result<Removed, StoreError> {
        let mut removed = Removed::default();
        while let Some(start) = self.oldest_before(oldest)? {
            removed.old += self.remove_bucket(start)?;
        }
        while self.content_size()? > max_size
            && let Some(start) = self.oldest_before(Timestamp::MAX)?
        {
            removed.without_room += self.remove_bucket(start)?;
        }
        self.tidy(max_size)?;
        Ok(removed)
    }

    /// How much is kept.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn kept(&self) -> Result<Kept, StoreError> {
        let read = || {
            let sql = "SELECT min(start), max(start), coalesce(sum(subscribers), 0) FROM buckets";
            self.connection.query_row(sql, [], |row| {
                let at = |column| {
                    let seconds: Option<i64> = row.get(column)?;
                    seconds.map(|seconds| time(column, seconds)).transpose()
                };
                Ok(Kept {
                    oldest: at(0)?,
                    newest: at(1)?,
                    rows: row.get(2)?,
                    size: pages(&self.connection, "page_count")?,
                })
            })
        };
        read().map_err(self.error())
    }

    /// The start of the oldest bucket, if its last packet came before a time.
    fn oldest_before(&self, time: Timestamp) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT start FROM buckets WHERE last < ? ORDER BY start LIMIT 1";
        let start = self
            .connection
            .query_row(sql, [time.as_second()], |row| row.get(0));
        start.optional().map_err(self.error())
    }

    fn remove_bucket(&mut self, start: i64) -> Result<u64, StoreError> {
        self.in_transaction(|transaction| {
            let rows = transaction.execute("DELETE FROM activity WHERE start = ?", [start])?;
            transaction.execute("DELETE FROM buckets WHERE start = ?", [start])?;
            Ok(rows as u64)
        })
    }

    /// Gives free pages back to the system, if there is no use for them, and empties the log.
    fn tidy(&self, max_size: u64) -> Result<(), StoreError> {
        let tidy = || {
            let (size, free) = (
                pages(&self.connection, "page_count")?,
                pages(&self.connection, "freelist_count")?,
            );
            // What is free is filled by the next bucket.
            if free > 0 && (size > max_size || free > size / 4) {
                let mut statement = self.connection.prepare("PRAGMA incremental_vacuum")?;
                let mut rows = statement.query([])?;
                while rows.next()?.is_some() {}
            }
            Ok(())
        };
        tidy().map_err(self.error())?;
        self.checkpoint()
    }

    /// Moves the log into the file: what was removed is in neither then. A reader that is under way delays it to the next time.
    fn checkpoint(&self) -> Result<(), StoreError> {
        disposable::checkpoint(&self.connection).map_err(self.error())
    }

    /// The size of what is not free, in bytes.
    fn content_size(&self) -> Result<u64, StoreError> {
        let read = || {
            let free = pages(&self.connection, "freelist_count")?;
            Ok(pages(&self.connection, "page_count")?.saturating_sub(free))
        };
        read().map_err(self.error())
    }

    pub(super) fn in_transaction<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let done = (|| {
            let behavior = TransactionBehavior::Immediate;
            let transaction = self.connection.transaction_with_behavior(behavior)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })();
        done.map_err(self.error())
    }

    pub(super) fn error(&self) -> impl Fn(rusqlite::Error) -> StoreError + '_ {
        |error| disposable::error_of(&self.connection, &self.file, error)
    }
}

/// The bytes of as many pages as a pragma counts.
fn pages(connection: &Connection, pragma: &str) -> rusqlite::Result<u64> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, u64>(0));
    Ok(number(pragma)? * number("page_size")?)
}

/// Adds what a subscriber did to its bucket, which there is already after a restart in the middle of it, or if the clock was set back.
fn insert(
    connection: &Connection,
    key: &[u8],
    reading: &Reading,
    [
        blocked_syns,
        blocked_others,
        monitored_syns,
        monitored_others,
        hidden,
    ]: [u32; 5],
) -> rusqlite::Result<()> {
    let start = reading.start.as_second();
    connection
        .prepare_cached(
            "INSERT INTO activity (start, subscriber, first, last, blocked_syns, blocked_others, monitored_syns, \
                 monitored_others, hidden, destinations) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last), \
                 blocked_syns = min(blocked_syns + excluded.blocked_syns, 4294967295), \
                 blocked_others = min(blocked_others + excluded.blocked_others, 4294967295), \
                 monitored_syns = min(monitored_syns + excluded.monitored_syns, 4294967295), \
                 monitored_others = min(monitored_others + excluded.monitored_others, 4294967295), \
                 hidden = min(hidden + excluded.hidden, 4294967295), \
                 destinations = destinations | excluded.destinations",
        )?
        .execute(params![
            start,
            key,
            reading.first.as_second() - start,
            reading.last.as_second() - start,
            blocked_syns,
            blocked_others,
            monitored_syns,
            monitored_others,
            hidden,
            reading.destinations.cast_signed(),
        ])?;
    Ok(())
}

/// Notes what the bucket of a reading has in common with those before.
fn note(buckets: &mut BTreeMap<i64, Extent>, reading: &Reading) {
    let (first, last) = (reading.first.as_second(), reading.last.as_second());
    let length = match reading.subscriber {
        IpNet::V4(_) => u8::MAX,
        IpNet::V6(net) => net.prefix_len(),
    };
    buckets
        .entry(reading.start.as_second())
        .and_modify(|extent| {
            extent.first = extent.first.min(first);
            extent.last = extent.last.max(last);
            extent.ipv6_prefix = extent.ipv6_prefix.min(length);
        })
        .or_insert(Extent {
            first,
            last,
            ipv6_prefix: length,
        });
}

fn upsert_bucket(connection: &Connection, start: i64, extent: &Extent) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO buckets (start, first, last, ipv6_prefix, subscribers) \
                 VALUES (?1, ?2, ?3, ?4, (SELECT count(*) FROM activity WHERE start = ?1)) \
             ON CONFLICT DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last), \
                 ipv6_prefix = min(ipv6_prefix, excluded.ipv6_prefix), subscribers = excluded.subscribers",
        )?
        .execute(params![start, extent.first, extent.last, extent.ipv6_prefix])?;
    Ok(())
}

fn note_read(connection: &Connection, until: ReadUntil) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE state SET noted_until = ?, read_until = ?",
        params![until.noted, until.at.as_second()],
    )?;
    Ok(())
}
