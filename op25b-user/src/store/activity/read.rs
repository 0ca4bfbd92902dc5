//! Reads the history.

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Connection, Row, types::Type};

use super::{Bucket, BucketQuery, Covered, key, schema::ACTIVITY};
use crate::store::{StoreError, sqlite::disposable};

/// How many ranges of subscribers are looked up one by one in each bucket. More are read as one, and compared.
const MOST_RANGES: usize = 16;

/// Reads the history in a state directory.
#[derive(Debug)]
pub struct ActivityReader {
    connection: Connection,
    file: PathBuf,
}

impl ActivityReader {
    /// Opens the history, whether or not a daemon writes to it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if there is a file that cannot be read.
    pub fn open(state_dir: &Path) -> Result<Option<Self>, StoreError> {
        let connection = ACTIVITY.reader(state_dir)?;
        Ok(connection.map(|connection| Self {
            connection,
            file: ACTIVITY.database.path(state_dir),
        }))
    }

    /// When the oldest bucket begins that is kept, and up to when the kernel was read.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn covered(&self) -> Result<Covered, StoreError> {
        let sql = "SELECT (SELECT min(first) FROM buckets), (SELECT read_until FROM state)";
        let read = self.connection.query_row(sql, [], |row| {
            let at = |column| {
                let seconds: Option<i64> = row.get(column)?;
                seconds.map(|seconds| time(column, seconds)).transpose()
            };
            Ok(Covered {
                oldest: at(0)?,
                read_until: at(1)?,
            })
        });
        read.map_err(|error| disposable::error_of(&self.connection, &self.file, error))
    }

    /// Visits the buckets that match, by ascending start, then by subscriber. All are of one moment: what the daemon writes or
    /// removes meanwhile changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; some may have been visited then.
    pub fn each(&self, query: &BucketQuery, visit: impl FnMut(Bucket)) -> Result<(), StoreError> {
        let failed = |error| disposable::error_of(&self.connection, &self.file, error);
        let transaction = self.connection.unchecked_transaction().map_err(failed)?;
        each(&transaction, query, visit).map_err(failed)
    }
}

fn each(connection: &Connection, query: &BucketQuery, mut visit: impl FnMut(Bucket)) -> rusqlite::Result<()> {
    let within = IpNet::aggregate(&query.within);
    let (since, until) = seconds_of(query);
    let mut starts = connection
        .prepare("SELECT start, ipv6_prefix FROM buckets WHERE last >= ? AND first < ? ORDER BY start")?;
    let mut rows = connection.prepare(
        "SELECT start, subscriber, first, last, blocked_syns, blocked_others, monitored_syns, monitored_others, \
             hidden, destinations \
         FROM activity WHERE start = ?1 AND subscriber BETWEEN ?2 AND ?3 AND start + last >= ?4 AND start + first < ?5 \
         ORDER BY subscriber",
    )?;
    let mut starts = starts.query([since, until])?;
    while let Some(start) = starts.next()? {
        let (start, shortest): (i64, u8) = (start.get(0)?, start.get(1)?);
        for (first, last) in ranges(&within, shortest) {
            let mut rows = rows.query((start, first, last, since, until))?;
            while let Some(row) = rows.next()? {
                let bucket = bucket(row)?;
                if within.is_empty() || within.iter().any(|net| overlap(net, &bucket.subscriber)) {
                    visit(bucket);
                }
            }
        }
    }
    Ok(())
}

/// The ranges of keys to look up: ascending, and apart from each other.
fn ranges(within: &[IpNet], shortest: u8) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut ranges: Vec<_> = within.iter().map(|net| key::bounds(*net, shortest)).collect();
    ranges.sort_unstable();
    let mut apart: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (first, last) in ranges {
        match apart.last_mut() {
            Some(before) if first <= before.1 => before.1 = last.max(before.1.clone()),
            _ => apart.push((first, last)),
        }
    }
    match apart.as_slice() {
        [] => vec![(Vec::new(), vec![u8::MAX; 16])],
        [(first, _), .., (_, last)] if apart.len() > MOST_RANGES => vec![(first.clone(), last.clone())],
        _ => apart,
    }
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

/// The first second of the buckets that are asked for, and the one after the last.
fn seconds_of(query: &BucketQuery) -> (i64, i64) {
    (
        query.since.map_or(i64::MIN, Timestamp::as_second),
        query.until.map_or(i64::MAX, ceiling),
    )
}

/// A time in whole seconds, no earlier.
pub(super) fn ceiling(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}

fn bucket(row: &Row<'_>) -> rusqlite::Result<Bucket> {
    let start: i64 = row.get(0)?;
    let at = |column| {
        let offset: i64 = row.get(column)?;
        time(column, start.saturating_add(offset))
    };
    let key = row.get_ref(1)?.as_blob()?;
    let subscriber = key::subscriber(key).ok_or_else(|| damaged(1, "it is no subscriber"))?;
    Ok(Bucket {
        subscriber,
        start: time(0, start)?,
        first: at(2)?,
        last: at(3)?,
        blocked_syns: row.get(4)?,
        blocked_others: row.get(5)?,
        monitored_syns: row.get(6)?,
        monitored_others: row.get(7)?,
        hidden: row.get(8)?,
        destinations: row.get::<_, i64>(9)?.cast_unsigned(),
    })
}

/// A time of so many seconds.
pub(super) fn time(column: usize, seconds: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_second(seconds).map_err(|error| damaged(column, error))
}

fn damaged(
    column: usize,
    why: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, why.into())
}
